#include "command/contexts_tree.h"

enum { MAX_KEYS = 1 << 30 };

SW_MAP(uint32_t, numbers);
SW_VECTOR(uint32_t, number_list);

struct builder {
	struct sw_context_tree *tree;
	struct numbers signatures;	 /* number + 1 */
	struct numbers clusters;	 /* by parent and signature: number + 1 */
	struct number_list signature_of; /* by cluster */
	uint32_t signature_count;
};

/* ---- what one is ---- */

enum sw_context_state sw_context_state(const struct sw_contexts *contexts, uint32_t number)
{
	const struct sw_context *context = &contexts->list.items[number];
	if (context->is_expired)
		return SW_CONTEXT_EXPIRED;
	if (context->is_over)
		return SW_CONTEXT_CANCELLED;
	return context->is_abandoned ? SW_CONTEXT_ABANDONED
	       : context->is_lost    ? SW_CONTEXT_LOST
				     : SW_CONTEXT_OPEN;
}

const char *sw_context_state_word(enum sw_context_state state)
{
	static const char *const words[SW_CONTEXT_STATES] = {"open", "lost", "abandoned",
							     "cancelled", "expired"};
	return state < SW_CONTEXT_STATES ? words[state] : "?";
}

const char *sw_context_type(const struct sw_live *live, const struct sw_context *context)
{
	return sw_type_info(live->types, context->value.type)->name;
}

/* Type, key and state as a number. */
static struct sw_error *signature_of(struct builder *builder, uint32_t number, uint32_t *out)
{
	const struct sw_contexts *contexts = builder->tree->contexts;
	const struct sw_context *context = &contexts->list.items[number];
	uint32_t key = context->key < MAX_KEYS ? context->key + 1 : 0;
	uint64_t word = (uint64_t)context->value.type << 36 | (uint64_t)key << 4 |
			(uint64_t)(sw_context_state(contexts, number) + 1);
	const uint32_t *known = numbers_find(&builder->signatures, word);

	*out = known ? *known - 1 : builder->signature_count++;
	return known ? NULL : numbers_set(&builder->signatures, word, *out + 1);
}

/* ---- clusters ---- */

static struct sw_error *add_cluster(struct builder *builder, uint32_t parent, uint32_t signature,
				    uint32_t number)
{
	struct sw_context_tree *tree = builder->tree;
	struct sw_context_cluster cluster = {
		.parent = parent,
		.depth = parent == SW_NO_CONTEXT ? 0 : tree->clusters.items[parent].depth + 1,
		.state = sw_context_state(tree->contexts, number),
	};
	struct sw_error *error = sw_context_clusters_add(&tree->clusters, cluster);
	return error ? error : number_list_add(&builder->signature_of, signature);
}

/* The parent's cluster is known; in a ring it may not be. */
static struct sw_error *find_cluster(void *context_of_walk, uint32_t number)
{
	struct builder *builder = context_of_walk;
	struct sw_context_tree *tree = builder->tree;
	const struct sw_context *context = &tree->contexts->list.items[number];
	uint32_t parent = context->parent == SW_NO_CONTEXT ? SW_NO_CONTEXT
							   : tree->cluster_of[context->parent];
	uint32_t signature;
	struct sw_error *error = signature_of(builder, number, &signature);

	if (error)
		return error;
	if (context->kind == SW_CONTEXT_VALUE && parent != SW_NO_CONTEXT &&
	    builder->signature_of.items[parent] == signature) {
		tree->cluster_of[number] = parent;
		return NULL;
	}
	uint64_t word = (uint64_t)(parent + 1) << 32 | (signature + 1);
	const uint32_t *known = numbers_find(&builder->clusters, word);
	tree->cluster_of[number] = known ? *known - 1 : (uint32_t)tree->clusters.count;
	if (known)
		return NULL;
	error = add_cluster(builder, parent, signature, number);
	return error ? error
		     : numbers_set(&builder->clusters, word, (uint32_t)tree->clusters.count);
}

/* ---- members ---- */

static struct sw_error *list_members(struct sw_context_tree *tree)
{
	size_t count = tree->contexts->list.count;
	uint32_t *next = calloc(tree->clusters.count + 1, sizeof(*next)), at = 0;

	tree->members = calloc(count + 1, sizeof(*tree->members));
	if (!next || !tree->members) {
		free(next);
		return sw_error_memory();
	}
	for (size_t i = 0; i < count; i++)
		tree->clusters.items[tree->cluster_of[i]].count++;
	for (size_t i = 0; i < tree->clusters.count; i++) {
		tree->clusters.items[i].members = tree->members + at;
		next[i] = at;
		at += (uint32_t)tree->clusters.items[i].count;
	}
	for (uint32_t i = 0; i < count; i++)
		tree->members[next[tree->cluster_of[i]]++] = i;
	free(next);
	return NULL;
}

static void sum(struct sw_context_cluster *cluster, const struct sw_context *context)
{
	cluster->children += context->children.count;
	cluster->waiters += context->waiters;
	if (context->depth > cluster->value_depth)
		cluster->value_depth = context->depth;
	if (!context->deadline)
		return;
	if (!cluster->first_deadline || context->deadline < cluster->first_deadline)
		cluster->first_deadline = context->deadline;
	if (!cluster->last_deadline || context->deadline > cluster->last_deadline)
		cluster->last_deadline = context->deadline;
}

static struct sw_error *add_object(const struct sw_live *live, struct sw_objects *objects,
				   sw_addr addr)
{
	sw_object object = sw_heap_object(live->heap, addr);
	return object == SW_NO_OBJECT ? NULL : sw_objects_add(objects, object);
}

/* A deadline's timer and what that calls stand for it alone. */
static struct sw_error *retain(const struct sw_context_tree *tree,
			       struct sw_context_cluster *cluster)
{
	const struct sw_live *live = tree->live;
	struct sw_objects objects = {0};
	struct sw_error *error = NULL;

	for (size_t i = 0; !error && i < cluster->count; i++) {
		const struct sw_context *context = &tree->contexts->list.items[cluster->members[i]];
		sum(cluster, context);
		error = add_object(live, &objects, context->value.addr);
		if (!error && context->has_cancel)
			error = add_object(live, &objects, context->cancel.addr);
		if (error || context->timer == SW_NO_CONTEXT)
			continue;
		const struct sw_timer *timer = &tree->contexts->timers.items[context->timer];
		error = add_object(live, &objects, timer->timer.address);
		if (!error)
			error = add_object(live, &objects, timer->closure);
	}
	if (!error)
		error = sw_live_retained_set(live, objects.items, objects.count,
					     &cluster->retained);
	sw_objects_free(&objects);
	return error;
}

/* ---- order ---- */

static int by_parent(const void *a, const void *b, void *context)
{
	const struct sw_context_tree *tree = context;
	uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
	const struct sw_context_cluster *x = &tree->clusters.items[i],
					*y = &tree->clusters.items[k];
	if (x->parent != y->parent)
		return x->parent + 1 < y->parent + 1 ? -1 : 1;
	if (x->retained.bytes != y->retained.bytes)
		return x->retained.bytes < y->retained.bytes ? 1 : -1;
	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return (i > k) - (i < k);
}

struct level {
	uint32_t next, end; /* in the sorted list */
};
SW_VECTOR(struct level, levels);

/* Where the children of each cluster stand in the sorted list: at parent + 1, the end behind it. */
static void find_ranges(const struct sw_context_tree *tree, const uint32_t *sorted,
			struct level *ranges)
{
	for (uint32_t i = 0; i < tree->clusters.count; i++) {
		struct level *range = &ranges[tree->clusters.items[sorted[i]].parent + 1];
		if (!range->end)
			range->next = i;
		range->end = i + 1;
	}
}

static struct sw_error *walk(struct sw_context_tree *tree, const uint32_t *sorted,
			     const struct level *ranges)
{
	struct levels stack = {0};
	struct sw_error *error = levels_add(&stack, ranges[0]);
	size_t told = 0;

	while (!error && stack.count) {
		struct level *level = &stack.items[stack.count - 1];
		if (level->next >= level->end) {
			stack.count--;
			continue;
		}
		uint32_t cluster = sorted[level->next++];
		tree->order[told++] = cluster;
		error = levels_add(&stack, ranges[cluster + 1]);
	}
	levels_free(&stack);
	return error;
}

static struct sw_error *put_in_order(struct sw_context_tree *tree)
{
	size_t count = tree->clusters.count;
	uint32_t *sorted = calloc(count + 1, sizeof(*sorted));
	struct level *ranges = calloc(count + 1, sizeof(*ranges));
	struct sw_error *error = NULL;

	tree->order = calloc(count + 1, sizeof(*tree->order));
	if (!sorted || !ranges || !tree->order)
		error = sw_error_memory();
	for (uint32_t i = 0; !error && i < count; i++)
		sorted[i] = i;
	if (!error) {
		qsort_r(sorted, count, sizeof(*sorted), by_parent, tree);
		find_ranges(tree, sorted, ranges);
		error = walk(tree, sorted, ranges);
	}
	free(sorted);
	free(ranges);
	return error;
}

/* ---- the whole ---- */

struct sw_error *sw_context_tree_build(const struct sw_live *live,
				       const struct sw_contexts *contexts,
				       struct sw_context_tree *out)
{
	struct builder builder = {.tree = out};
	size_t count = contexts->list.count;

	*out = (struct sw_context_tree){.live = live, .contexts = contexts};
	out->cluster_of = malloc((count + 1) * sizeof(*out->cluster_of));
	if (!out->cluster_of)
		return sw_error_memory();
	for (size_t i = 0; i < count; i++)
		out->cluster_of[i] = SW_NO_CONTEXT;
	struct sw_error *error = sw_contexts_from_above(contexts, find_cluster, &builder);
	if (!error)
		error = list_members(out);
	for (size_t i = 0; !error && i < out->clusters.count; i++)
		error = retain(out, &out->clusters.items[i]);
	if (!error)
		error = put_in_order(out);
	numbers_free(&builder.signatures);
	numbers_free(&builder.clusters);
	number_list_free(&builder.signature_of);
	return error;
}

void sw_context_tree_free(struct sw_context_tree *tree)
{
	sw_context_clusters_free(&tree->clusters);
	free(tree->order);
	free(tree->cluster_of);
	free(tree->members);
}
