/* Clusters of goroutines that can never run again, or have waited for long, as rows and in words.
 */
#ifndef SW_COMMAND_LEAK_ROWS_H
#define SW_COMMAND_LEAK_ROWS_H

#include "command/leak_pattern.h"

/* One of the tables `leaked` and `suspects`. */
struct sw_leak_table {
	struct sw_goroutine_clusters clusters; /* with retained_bytes */
	bool is_proven;			       /* its goroutines are leaked */
	const uint8_t *is_leaked;	       /* by goroutine: it is, or seems to be */
	const uint64_t *in_cycle;	       /* bits by goroutine; NULL: none */
};

/* {goroutines, function, wait_reason, blocked_on, created_by, goids, pattern, explanation, frames,
 * retained_bytes, stack_bytes, wait_seconds, fingerprint}; blocked_on is that of the first. The
 * same in lines for people. */
json_t *sw_leak_row(struct sw_wakers *wakers, const struct sw_leak_table *table, size_t index);
void sw_leak_lines(struct sw_wakers *wakers, const struct sw_leak_table *table, size_t index,
		   FILE *out);

/* The pattern of a cluster's first goroutine. */
void sw_leak_row_pattern(struct sw_wakers *wakers, const struct sw_leak_table *table, size_t index,
			 struct sw_leak_pattern *out);

#endif
