/* What the command `finalizers` shows, shared by its files: tables. */
#ifndef SW_COMMAND_FINALIZERS_VIEW_H
#define SW_COMMAND_FINALIZERS_VIEW_H

#include "command/command.h"
#include "command/goroutine_rows.h"
#include "command/naming.h"
#include "library/finalizer.h"

/* Those of one kind with one function, for objects of one type. */
struct sw_finalizer_group {
	size_t first; /* one of them, by number */
	uint64_t counts[SW_FINALIZER_STATES];
	uint64_t never;	       /* that never will run: they keep their object alive themselves */
	uint64_t object_bytes; /* slots of their objects, as far as those live */
};
SW_VECTOR(struct sw_finalizer_group, sw_finalizer_groups);

struct sw_finalizers_view {
	struct sw_live live;
	struct sw_goroutine_view goroutines;
	const struct sw_arguments *arguments;
	struct sw_report *report;
	struct sw_finalizers found;
	struct sw_finalizer_groups groups; /* those with most first */
	struct sw_finalizer_runners runners;
	uint64_t totals[SW_FINALIZER_KINDS][SW_FINALIZER_STATES];
	uint64_t never; /* that keep their object alive */
	uint64_t busy;	/* of runners */
	uint64_t steps; /* that are left for sw_finalizers_way() */
	struct sw_warnings warnings;
};

/* "main.(*session).end", malloc'ed; NULL when unknown. */
char *sw_finalizers_function(const struct sw_finalizers_view *view,
			     const struct sw_finalizer *finalizer);
/* What waits behind a goroutine that runs these. */
uint64_t sw_finalizers_waiting(const struct sw_finalizers_view *view,
			       const struct sw_finalizer_runner *runner);
/* How an object leads back to itself: ".peer.of", "finalizer of 0x….captured+8"; malloc'ed. NULL
 * when that cannot be told; a warning when it is too far. */
char *sw_finalizers_way(struct sw_finalizers_view *view, size_t number);

/* The tables `goroutines`, `never_freed`, `functions`, `weak`,
 * `weak_pointers`. */
void sw_finalizers_tables(struct sw_finalizers_view *view);

#endif
