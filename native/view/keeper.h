/* Who keeps an object alive: the program's variables; or only goroutines at their work; or only
 * goroutines that a library runs for a connection, so that the program has lost it; or only what is
 * left to finalizers. */
#ifndef SW_VIEW_KEEPER_H
#define SW_VIEW_KEEPER_H

#include "go/traceback.h"
#include "view/live.h"

/* The first that applies. */
enum sw_keeper {
	SW_KEPT_BY_PROGRAM,   /* variables, the main goroutine, timers; what is outside the heap */
	SW_KEPT_BY_GOROUTINE, /* other goroutines of the program */
	SW_KEPT_BY_LIBRARY,
	SW_KEPT_BY_FINALIZER, /* or cleanups: of objects that are dead, also those queued */
	SW_KEPT_BY_NOBODY,    /* garbage */
};

struct sw_keepers {
	uint64_t *marks[SW_KEPT_BY_FINALIZER]; /* bits by slot; those of all keepers before too */
	uint8_t *roots;			       /* enum sw_keeper of each root */
};

/* One more marking of the heap, in parts. */
struct sw_error *sw_keepers_build(const struct sw_live *live, const struct sw_go_stacks *stacks,
				  struct sw_keepers *out);
void sw_keepers_free(struct sw_keepers *keepers);

enum sw_keeper sw_keeper_of(const struct sw_live *live, const struct sw_keepers *keepers,
			    sw_addr addr);
/* "program", "goroutine", "library", "finalizer", "nobody". */
const char *sw_keeper_name(enum sw_keeper keeper);

/* The first keeper of those objects that refer to an object and that `counts` says count; roots do
 * not. SW_KEPT_BY_NOBODY: there are none. */
typedef bool sw_counts_referrer(void *context, sw_object referrer);
enum sw_keeper sw_keeper_of_referrers(const struct sw_live *live, const struct sw_keepers *keepers,
				      sw_object object, sw_counts_referrer *counts, void *context);

/* A path to an object from a root of its keeper, the shortest of those that are found soon; else
 * the shortest from any root. Free with sw_path_free(). */
struct sw_error *sw_keeper_path(const struct sw_live *live, const struct sw_keepers *keepers,
				sw_object object, struct sw_path *out);

/* Does a frame of a goroutine have a pointer to the object itself? One that a library runs counts
 * only when `with_library`. */
bool sw_keeper_is_at_hand(const struct sw_live *live, const struct sw_keepers *keepers,
			  sw_object object, bool with_library);

#endif
