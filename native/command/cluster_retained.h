/* What the goroutines of a cluster retain together. */
#ifndef SW_COMMAND_CLUSTER_RETAINED_H
#define SW_COMMAND_CLUSTER_RETAINED_H

#include "command/goroutine_rows.h"

/* Sets retained_bytes of each cluster of several lists: the memory that would go with its
 * goroutines, their stacks aside. What goroutines of two clusters share is in neither. */
struct sw_error *sw_clusters_retain(struct sw_session *session,
				    struct sw_goroutine_clusters *const *lists, size_t count);

#endif
