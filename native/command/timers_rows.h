/* Timers as rows: one for those that do the same, one for each. */
#ifndef SW_COMMAND_TIMERS_ROWS_H
#define SW_COMMAND_TIMERS_ROWS_H

#include "command/command.h"
#include "library/timer.h"
#include "view/retained_set.h"

/* Timers of one kind, function, callee, period and state. */
struct sw_timer_cluster {
	const uint32_t *members; /* numbers of timers, by rising time; in clusters.members */
	size_t count;
	struct sw_retained retained; /* by all of them together */
};
struct sw_timer_clusters {
	struct sw_timer_cluster *items; /* those that retain most first */
	size_t count;
	uint32_t *members;
};

struct sw_error *sw_timer_clusters_build(const struct sw_live *live, const struct sw_timers *timers,
					 struct sw_timer_clusters *out);
void sw_timer_clusters_free(struct sw_timer_clusters *clusters);

struct sw_timer_rows {
	const struct sw_live *live;
	const struct sw_arguments *arguments;
	struct sw_report *report;
	const struct sw_timers *timers;
	const struct sw_timer_clusters *clusters;
};

/* The tables `clusters` and, with --each, `timers`. */
void sw_timer_rows_report(const struct sw_timer_rows *rows);

#endif
