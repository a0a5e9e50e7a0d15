/* What the command `pools` shows, shared by its files: names and tables. */
#ifndef SW_COMMAND_POOLS_VIEW_H
#define SW_COMMAND_POOLS_VIEW_H

#include "command/command.h"
#include "command/naming.h"
#include "library/pool_dirt.h"

struct sw_pools_view {
	struct sw_live live;
	const struct sw_arguments *arguments;
	struct sw_report *report;
	struct sw_warnings warnings; /* of this command */
	struct sw_pools pools;
	struct sw_pool_dirt_list dirt;
	struct sw_pool_sizes *sizes; /* by pool */
	char **names;		     /* by pool; NULL until asked for */
	uint32_t *order;	     /* pools, those with most bytes first */
	uint64_t least;		     /* --oversized, bytes */
};

/* "main.buffers", "main.server.scratch", "a sync.Pool that nothing refers to any more"; owned by
 * the view. */
const char *sw_pools_name(struct sw_pools_view *view, uint32_t pool);
/* Type of an element as it was put. */
const char *sw_pools_element_type(const struct sw_pools_view *view, uint32_t element);
/* Of a function by its entry, malloc'ed; NULL for 0 and what is no function. */
char *sw_pools_function(const struct sw_pools_view *view, sw_addr entry);
/* How something else uses an element: "main.lastPage", "main.slug". malloc'ed. */
char *sw_pools_holder(const struct sw_pools_view *view, const struct sw_pool_dirt *dirt);
/* "put_twice", "still_referenced", "keeps_request", "leads_to_live". */
const char *sw_pools_dirt_word(uint8_t kind);

/* The tables `pools`, `oversized`, `dirty`. */
void sw_pools_tables(struct sw_pools_view *view);

/* Elements of a pool (SW_NO_ELEMENT: of all) with dirt of a kind (SW_POOL_DIRT_KINDS: any);
 * `bytes`: that only they keep alive. */
uint64_t sw_pools_count_dirty(const struct sw_pools_view *view, uint32_t pool, unsigned kind,
			      uint64_t *bytes);

#endif
