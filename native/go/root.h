/* Private to the files that collect roots: root.c (all, in their order), root_collector.c (how one
 * is added), root_global.c (variables, tiny blocks), root_stack.c (goroutines), root_timer.c
 * (timers), special.c (finalizers, cleanups, weak pointers and their queues), root_wait.c
 * (what the runtime holds on a goroutine's behalf). */
#ifndef SW_GO_ROOT_H
#define SW_GO_ROOT_H

#include "go/unwind.h"

struct sw_root_collector {
	struct sw_go *go;
	struct sw_heap *heap;
	const struct sw_dwarf_global *globals; /* in rising order of address */
	size_t global_count;
	uint32_t runtime, finalizers, cleanups, weak; /* groups, SW_NO_ROOT until needed */
};

/* Takes root.name; a NULL name is an error of memory. *number is valid even then. */
struct sw_error *sw_roots_add_root(struct sw_root_collector *collector, struct sw_go_root root,
				   uint32_t group, uint32_t *number);
/* Adds the word when it points to an object's slot; otherwise it is no root's business. */
struct sw_error *sw_roots_add_word(struct sw_root_collector *collector, uint32_t root, sw_addr at,
				   sw_addr pointer);
/* Makes the group if it is SW_NO_ROOT. */
struct sw_error *sw_roots_group(struct sw_root_collector *collector, uint32_t *group,
				enum sw_go_root_kind kind, const char *name);
/* asprintf; NULL without memory. */
char *sw_roots_name(const char *format, ...) __attribute__((format(printf, 1, 2)));

struct sw_error *sw_roots_add_globals(struct sw_root_collector *collector);
struct sw_error *sw_roots_add_tiny_blocks(struct sw_root_collector *collector);
struct sw_error *sw_roots_add_queues(struct sw_root_collector *collector);
struct sw_error *sw_roots_add_running_timers(struct sw_root_collector *collector);
struct sw_error *sw_roots_add_stacks(struct sw_root_collector *collector);
/* The stack of a goroutine as the collector scans it; to be freed even after an error. */
struct sw_error *sw_roots_unwind(struct sw_root_collector *collector,
				 const struct sw_goroutine *goroutine, struct sw_go_stack *out);

/* Needs the marks of all other roots: what a finalizer's object refers to is a root only while the
 * object itself is not reachable (its own references say so otherwise), and only its function is
 * added for a reachable one. Together that marks what the runtime would. */
struct sw_error *sw_roots_add_specials(struct sw_root_collector *collector);

/* Needs all marks, and changes none: what a goroutine's g and its sudogs refer to becomes words of
 * that goroutine, and they themselves become opaque (heap->opaque). A collector finds all that
 * through allgs, as if the runtime wanted it; it goes with the goroutine. */
struct sw_error *sw_roots_add_waits(struct sw_root_collector *collector);
/* The same for the timers of all Ps: their arrays become opaque, and a timer that was stopped is
 * held by who made it alone. */
struct sw_error *sw_roots_add_timers(struct sw_root_collector *collector);

#endif
