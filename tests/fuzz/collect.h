/* What areas are collected with. Private to areas*.c. */
#ifndef FUZZ_COLLECT_H
#define FUZZ_COLLECT_H

#include "areas.h"

enum { MAX_LIST = 4096 }; /* of a chain in the target */

struct collector {
	struct areas *areas;
	struct subject *subject;
	struct sw_session *session;
	const struct sw_go *go;
	const struct sw_heap *heap;
};

/* Adds an area of that kind, cut at the segment's end; none for what is in neither file. */
void collect(const struct collector *collector, const char *name, sw_addr addr, uint64_t size);
/* Items of a list linked by a word. */
void collect_chain(const struct collector *collector, const char *name, sw_addr first,
		   sw_offset link, uint64_t size);
/* What a slice holds, with items of so many bytes. */
void collect_slice(const struct collector *collector, const char *name, sw_addr header,
		   uint64_t item);
/* 0 when it is in neither file. */
uint64_t word_at(const struct collector *collector, sw_addr addr);

/* areas_goroutine.c: goroutines, what they wait for, the functions that they are in. */
void collect_goroutines(const struct collector *collector);
/* areas_scheduler.c: Ps, Ms, timers, sched. */
void collect_scheduler(const struct collector *collector);
/* areas_owner.c: what the commands about owners read. */
void collect_owners(const struct collector *collector);

#endif
