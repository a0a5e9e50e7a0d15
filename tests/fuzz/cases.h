/* What the cases are made with. Private to cases*.c. */
#ifndef FUZZ_CASES_H
#define FUZZ_CASES_H

#include "damage.h"

enum { MANY = 64 };

/* The area of a kind, NULL when there are not so many. */
const struct area *area_at(const struct areas *areas, const char *name, size_t index);

/* Writes the word at an offset of every area of a kind (at most MANY). */
void poke_all(struct subject *subject, const struct areas *areas, const char *name,
	      sw_offset offset, uint64_t word, unsigned size);

/* Every item of a list refers to itself, or the last to the first. */
void make_cycle(struct subject *subject, const struct areas *areas, const char *name,
		sw_offset link, bool to_itself);

/* Writes into each item the address of the one that stands `step` further on; the last ones' are
 * the first. */
void link_items(struct subject *subject, const struct areas *areas, const char *name,
		sw_offset link, size_t step);

/* Every object may hold pointers in all its words. */
void span_pointers_everywhere(struct subject *subject, const struct areas *areas);

/* Ended by a NULL name. */
extern const struct damage_case heap_cases[], type_cases[], module_cases[], goroutine_cases[],
	function_cases[], wait_cases[], scheduler_cases[], owner_cases[];

/* Looked at by some commands; by all on goroutines; by all about owners. */
#define CASE(name)                         \
	{                                  \
#name, name, SOME_COMMANDS \
	}
#define THOROUGH_CASE(name)                    \
	{                                      \
#name, name, ALL_OF_GOROUTINES \
	}
#define OWNER_CASE(name)                   \
	{                                  \
#name, name, ALL_OF_OWNERS \
	}

#endif
