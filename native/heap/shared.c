/* Memory that several roots hold together, by the set of roots.
 *
 * Contract each node to its *top*, the node just below the super root that dominates it: a root,
 * or a shared object. The roots that reach a shared object are those that reach it among the tops,
 * so only edges into shared objects count. They are walked backwards, depth first: when Tarjan's
 * algorithm ("Depth-first search and linear graph algorithms", 1972) completes a strongly connected
 * component, all that leads into it is complete, and its set is their union. Equal sets are kept
 * once and go by number. */
#include "heap/root_set.h"

#define NONE UINT32_MAX
enum { TICK_EVERY = 1 << 14 };

struct sharing {
	const struct sw_graph *graph;
	const struct sw_dominators *dominators;
	struct sw_work *work;
	sw_node *top; /* [node_count] of objects whose top was asked for; of shared ones their index
		       * among the shared. A bit in is_known tells that it is set. */
	uint64_t *is_known;

	uint32_t count; /* of shared objects */
	sw_node *object;
	size_t *first_extra; /* edges into it */
	uint32_t *taken;     /* of its predecessors */
	uint32_t *order, *low;
	uint32_t *path, *component; /* stacks */
	uint32_t path_count, component_count, visited;
	uint32_t *set; /* NONE: not complete */
	struct sw_root_sets sets;
};

static bool is_shared(const struct sharing *sharing, sw_node node)
{
	return node < sharing->graph->object_count &&
	       sharing->dominators->idom[node] == sharing->graph->super;
}

/* Walks up to the top once for each node, then remembers. */
static sw_node top_of(struct sharing *sharing, sw_node node)
{
	const sw_node *idom = sharing->dominators->idom, super = sharing->graph->super;
	sw_node top = node;

	while (idom[top] != super && !sw_bitset_has(sharing->is_known, top))
		top = idom[top];
	if (idom[top] != super)
		top = sharing->top[top];
	for (; idom[node] != super && !sw_bitset_has(sharing->is_known, node); node = idom[node]) {
		sharing->top[node] = top;
		sw_bitset_set(sharing->is_known, node);
	}
	return top;
}

/* The next predecessor of a shared object, by how many were taken; SW_NO_NODE after the last. */
static sw_node predecessor(const struct sharing *sharing, uint32_t index, uint32_t taken)
{
	const struct sw_graph *graph = sharing->graph;
	sw_node node = sharing->object[index];
	if (!taken)
		return graph->parent[node];
	size_t e = sharing->first_extra[index] + taken - 1;
	return e < graph->extra_count && graph->extra[e].to == node ? graph->extra[e].from
								    : SW_NO_NODE;
}

/* ---- components ---- */

static struct sw_error *add_holders(struct sharing *sharing, uint32_t index, uint32_t *set)
{
	sw_node from;
	for (uint32_t i = 0; (from = predecessor(sharing, index, i)) != SW_NO_NODE; i++) {
		uint32_t other;
		struct sw_error *error = NULL;
		if (from == sharing->graph->super)
			continue;
		sw_node top = top_of(sharing, from);
		if (is_shared(sharing, top)) {
			other = sharing->set[sharing->top[top]];
			if (other == NONE) /* of the same component */
				continue;
		} else {
			uint32_t root = top - sharing->graph->object_count;
			error = sw_root_sets_single(&sharing->sets, root, &other);
		}
		if (!error)
			error = sw_root_sets_unite(&sharing->sets, *set, other, set);
		if (error)
			return error;
	}
	return NULL;
}

static struct sw_error *complete_component(struct sharing *sharing, uint32_t index)
{
	uint32_t set = SW_EMPTY_SET, first = sharing->component_count;
	do
		first--;
	while (sharing->component[first] != index);

	for (uint32_t i = first; i < sharing->component_count; i++) {
		struct sw_error *error = add_holders(sharing, sharing->component[i], &set);
		if (error)
			return error;
	}
	for (uint32_t i = first; i < sharing->component_count; i++)
		sharing->set[sharing->component[i]] = set;
	sharing->component_count = first;
	return NULL;
}

static void enter(struct sharing *sharing, uint32_t index)
{
	sharing->order[index] = sharing->low[index] = sharing->visited++;
	sharing->path[sharing->path_count++] = index;
	sharing->component[sharing->component_count++] = index;
}

/* Takes one more edge of the path's last object; false after its last one. */
static bool advance(struct sharing *sharing, uint32_t index)
{
	sw_node from = predecessor(sharing, index, sharing->taken[index]);
	if (from == SW_NO_NODE)
		return false;
	sharing->taken[index]++;
	if (from == sharing->graph->super)
		return true;
	sw_node top = top_of(sharing, from);
	if (!is_shared(sharing, top))
		return true;
	uint32_t other = sharing->top[top];
	if (sharing->order[other] == NONE)
		enter(sharing, other);
	else if (sharing->set[other] == NONE && sharing->order[other] < sharing->low[index])
		sharing->low[index] = sharing->order[other];
	return true;
}

static struct sw_error *leave(struct sharing *sharing, uint32_t index)
{
	sharing->path_count--;
	if (sharing->low[index] == sharing->order[index])
		return complete_component(sharing, index);
	uint32_t before = sharing->path[sharing->path_count - 1];
	if (sharing->low[index] < sharing->low[before])
		sharing->low[before] = sharing->low[index];
	return NULL;
}

static struct sw_error *find_sets(struct sharing *sharing)
{
	struct sw_error *error = NULL;
	for (uint32_t start = 0; start < sharing->count && !error; start++) {
		if (sharing->order[start] == NONE)
			enter(sharing, start);
		while (sharing->path_count && !error) {
			uint32_t index = sharing->path[sharing->path_count - 1];
			if (!advance(sharing, index))
				error = leave(sharing, index);
		}
		if (!error && start % TICK_EVERY == 0)
			error = sw_work_tick(sharing->work, "shared memory", start, sharing->count);
	}
	return error;
}

/* ---- results ---- */

static int by_bytes(const void *left, const void *right)
{
	const struct sw_shared_set *a = left, *b = right;
	if (a->retained_bytes != b->retained_bytes)
		return a->retained_bytes < b->retained_bytes ? 1 : -1;
	for (uint32_t i = 0; i < a->count && i < b->count; i++) {
		if (a->roots[i] != b->roots[i])
			return a->roots[i] < b->roots[i] ? -1 : 1;
	}
	if (a->count != b->count)
		return a->count < b->count ? -1 : 1;
	return a->is_many - b->is_many;
}

static void sum_sets(const struct sharing *sharing, struct sw_shared_set *sums)
{
	const struct sw_dominators *dominators = sharing->dominators;
	for (uint32_t i = 0; i < sharing->count; i++) {
		struct sw_shared_set *sum = &sums[sharing->set[i]];
		sw_node object = sharing->object[i];
		uint64_t bytes = dominators->retained_bytes[object];
		if (!sum->retained_objects || bytes > dominators->retained_bytes[sum->heaviest])
			sum->heaviest = object;
		sum->retained_bytes += bytes;
		sum->retained_objects += dominators->retained_objects[object];
		sum->object_count++;
	}
}

/* Gives each set its share of shared->objects. */
static struct sw_error *list_objects(const struct sharing *sharing, struct sw_shared_set *sums,
				     struct sw_shared *shared)
{
	uint32_t *next = calloc(sharing->sets.count + 1, sizeof(*next)), begin = 0;
	shared->objects = malloc(sharing->count * sizeof(*shared->objects) + 1);
	if (!next || !shared->objects) {
		free(next);
		return sw_error_memory();
	}
	for (size_t i = 0; i < sharing->sets.count; i++) {
		sums[i].objects = shared->objects + begin;
		next[i] = begin;
		begin += sums[i].object_count;
	}
	for (uint32_t i = 0; i < sharing->count; i++)
		shared->objects[next[sharing->set[i]]++] = sharing->object[i];
	free(next);
	return NULL;
}

/* Keeps the sets that hold something, with roots of their own. */
static struct sw_error *collect_sets(const struct sharing *sharing, struct sw_shared *shared)
{
	struct sw_shared_set *sums = calloc(sharing->sets.count + 1, sizeof(*sums));
	if (!sums)
		return sw_error_memory();
	sum_sets(sharing, sums);
	shared->sets = sums;
	struct sw_error *error = list_objects(sharing, sums, shared);
	if (error)
		return error;
	for (size_t i = 0; i < sharing->sets.count; i++) {
		if (!sums[i].retained_objects)
			continue;
		const struct sw_root_set *set = &sharing->sets.sets[i];
		struct sw_shared_set *out = &sums[shared->count];
		*out = sums[i];
		out->roots = malloc(set->count * sizeof(*out->roots) + 1);
		if (!out->roots)
			return sw_error_memory();
		if (set->count)
			memcpy(out->roots, sharing->sets.roots + set->begin,
			       set->count * sizeof(*out->roots));
		out->count = set->count;
		out->is_many = set->is_many;
		shared->count++;
	}
	qsort(sums, shared->count, sizeof(*sums), by_bytes);
	return NULL;
}

/* ---- the whole ---- */

static struct sw_error *alloc_arrays(struct sharing *sharing)
{
	uint32_t **arrays[] = {&sharing->object,    &sharing->taken, &sharing->order, &sharing->low,
			       &sharing->component, &sharing->path,  &sharing->set};
	size_t nodes = sharing->graph->node_count, size = sharing->count * sizeof(uint32_t);
	struct sw_error *error = sw_work_alloc(sharing->work, nodes * sizeof(sw_node),
					       "shared memory", &sharing->top);
	if (!error)
		error = sw_work_alloc(sharing->work, sw_bitset_words(nodes) * sizeof(uint64_t),
				      "shared memory", &sharing->is_known);
	if (!error)
		error = sw_work_alloc(sharing->work, sharing->count * sizeof(size_t),
				      "shared memory", &sharing->first_extra);
	for (size_t i = 0; i < sizeof(arrays) / sizeof(*arrays) && !error; i++)
		error = sw_work_alloc(sharing->work, size, "shared memory", arrays[i]);
	return error;
}

static void free_arrays(struct sharing *sharing)
{
	uint32_t *arrays[] = {sharing->object,	  sharing->taken, sharing->order, sharing->low,
			      sharing->component, sharing->path,  sharing->set};
	size_t nodes = sharing->graph->node_count, size = sharing->count * sizeof(uint32_t);
	sw_work_free(sharing->work, sharing->top, nodes * sizeof(sw_node));
	sw_work_free(sharing->work, sharing->is_known, sw_bitset_words(nodes) * sizeof(uint64_t));
	sw_work_free(sharing->work, sharing->first_extra, sharing->count * sizeof(size_t));
	for (size_t i = 0; i < sizeof(arrays) / sizeof(*arrays); i++)
		sw_work_free(sharing->work, arrays[i], size);
}

static void number_shared(struct sharing *sharing)
{
	const struct sw_graph *graph = sharing->graph;
	size_t e = 0;
	uint32_t index = 0;
	for (sw_node v = 0; v < graph->object_count; v++) {
		if (!is_shared(sharing, v))
			continue;
		while (e < graph->extra_count && graph->extra[e].to < v)
			e++;
		sharing->object[index] = v;
		sharing->first_extra[index] = e;
		sharing->order[index] = sharing->set[index] = NONE;
		sharing->top[v] = index++;
	}
}

struct sw_error *sw_shared_build(struct sw_shared *shared, const struct sw_graph *graph,
				 const struct sw_dominators *dominators, struct sw_work *work)
{
	struct sharing sharing = {.graph = graph, .dominators = dominators, .work = work};

	memset(shared, 0, sizeof(*shared));
	for (sw_node v = 0; v < graph->object_count; v++)
		sharing.count += is_shared(&sharing, v);
	if (!sharing.count)
		return NULL;

	struct sw_error *error = alloc_arrays(&sharing);
	if (!error)
		error = sw_root_sets_init(&sharing.sets);
	if (!error) {
		number_shared(&sharing);
		error = find_sets(&sharing);
	}
	if (!error)
		error = collect_sets(&sharing, shared);
	sw_root_sets_deinit(&sharing.sets);
	free_arrays(&sharing);
	if (error)
		sw_shared_free(shared);
	return error;
}

void sw_shared_free(struct sw_shared *shared)
{
	for (size_t i = 0; i < shared->count; i++)
		free(shared->sets[i].roots);
	free(shared->sets);
	free(shared->objects);
	memset(shared, 0, sizeof(*shared));
}
