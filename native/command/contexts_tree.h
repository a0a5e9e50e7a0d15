/* Contexts of one kind below the same ones as one: a tree of a few clusters for a million contexts.
 */
#ifndef SW_COMMAND_CONTEXTS_TREE_H
#define SW_COMMAND_CONTEXTS_TREE_H

#include "library/context.h"

/* What is known of a context's end. */
enum sw_context_state {
	SW_CONTEXT_OPEN,
	SW_CONTEXT_LOST, /* nobody has the cancel function */
	SW_CONTEXT_ABANDONED,
	SW_CONTEXT_CANCELLED, /* it or one above it */
	SW_CONTEXT_EXPIRED,
	SW_CONTEXT_STATES
};

/* Of one type, key and state; below one cluster. Values of one key that follow each other are in
 * the same one. */
struct sw_context_cluster {
	uint32_t parent; /* cluster; SW_NO_CONTEXT: at the top */
	uint32_t depth;	 /* of the tree */
	enum sw_context_state state;
	const uint32_t *members; /* numbers of contexts, rising; in tree.members */
	size_t count;
	uint64_t children, waiters;	       /* sums */
	uint32_t value_depth;		       /* the largest */
	int64_t first_deadline, last_deadline; /* nanotime; 0: none */
	struct sw_retained retained; /* by all members together, with the timers that end them */
};
SW_VECTOR(struct sw_context_cluster, sw_context_clusters);

struct sw_context_tree {
	const struct sw_live *live;
	const struct sw_contexts *contexts;
	struct sw_context_clusters clusters;
	uint32_t *order;      /* clusters as a tree is read: each before those below it, and those
			       * that retain most before their neighbours */
	uint32_t *cluster_of; /* by context */
	uint32_t *members;
};

struct sw_error *sw_context_tree_build(const struct sw_live *live,
				       const struct sw_contexts *contexts,
				       struct sw_context_tree *out);
void sw_context_tree_free(struct sw_context_tree *tree);

/* The first context of a cluster. */
static inline const struct sw_context *sw_context_first(const struct sw_context_tree *tree,
							const struct sw_context_cluster *cluster)
{
	return &tree->contexts->list.items[cluster->members[0]];
}

enum sw_context_state sw_context_state(const struct sw_contexts *contexts, uint32_t number);
/* "open", "lost", "abandoned", "cancelled", "expired" */
const char *sw_context_state_word(enum sw_context_state state);
/* "context.cancelCtx" */
const char *sw_context_type(const struct sw_live *live, const struct sw_context *context);

#endif
