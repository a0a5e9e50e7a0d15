/* Paths from the roots of one keeper: backward from the object, over what this keeper keeps. */
#include "base/map.h"
#include "view/keeper.h"

enum { MAX_VISITED = 1 << 13 }; /* nodes, beyond which the search is given up */

struct step {
	sw_node node;
	uint32_t next; /* place of the node that it leads to; of the object its own */
};
SW_VECTOR(struct step, step_list);
SW_MAP(uint8_t, node_set);

struct search {
	const struct sw_live *live;
	const struct sw_keepers *keepers;
	enum sw_keeper keeper;
	struct step_list steps; /* in the order of their distance */
	struct node_set visited;
};

static bool is_kept(const struct search *search, sw_node node)
{
	const struct sw_graph *graph = search->live->graph;
	if (sw_graph_is_root(graph, node))
		return search->keepers->roots[node - graph->object_count] == search->keeper;
	if (node == graph->super || search->keeper >= SW_KEPT_BY_FINALIZER)
		return node != graph->super;
	return sw_bitset_has(search->keepers->marks[search->keeper],
			     sw_heap_select(search->live->heap, node));
}

static struct sw_error *visit(struct search *search, sw_node node, uint32_t next)
{
	if (node_set_find(&search->visited, (uint64_t)node + 1) || !is_kept(search, node))
		return NULL;
	struct sw_error *error = node_set_set(&search->visited, (uint64_t)node + 1, 1);
	return error ? error : step_list_add(&search->steps, (struct step){node, next});
}

/* The place of the first root, or of none: the number of steps. */
static struct sw_error *find_root(struct search *search, size_t *out)
{
	const struct sw_graph *graph = search->live->graph;
	struct sw_error *error = NULL;

	for (*out = 0; !error && *out < search->steps.count && *out < MAX_VISITED; ++*out) {
		sw_node node = search->steps.items[*out].node;
		const struct sw_edge *edges;
		if (sw_graph_is_root(graph, node))
			return NULL;
		size_t count = sw_graph_extra(graph, node, &edges);
		error = visit(search, graph->parent[node], (uint32_t)*out);
		for (size_t i = 0; !error && i < count; i++)
			error = visit(search, edges[i].from, (uint32_t)*out);
	}
	*out = search->steps.count;
	return error;
}

/* A group stands before its root. */
static struct sw_error *take_path(const struct search *search, size_t place, struct sw_path *out)
{
	const struct sw_graph *graph = search->live->graph;
	sw_node root = search->steps.items[place].node;
	uint32_t group = search->live->heap->roots.items[root - graph->object_count].group;
	size_t count = 1 + (group != SW_NO_ROOT);

	for (size_t at = place; at; at = search->steps.items[at].next)
		count++;
	out->nodes = malloc(count * sizeof(*out->nodes));
	if (!out->nodes)
		return sw_error_memory();
	if (group != SW_NO_ROOT)
		out->nodes[out->count++] = graph->object_count + group;
	for (size_t at = place; at; at = search->steps.items[at].next)
		out->nodes[out->count++] = search->steps.items[at].node;
	out->nodes[out->count++] = search->steps.items[0].node;
	return NULL;
}

static bool is_from_keeper(const struct search *search, const struct sw_path *path)
{
	const struct sw_graph *graph = search->live->graph;
	size_t at = path->count > 1 && sw_graph_is_root(graph, path->nodes[1]);
	return path->count && sw_graph_is_root(graph, path->nodes[at]) &&
	       is_kept(search, path->nodes[at]);
}

struct sw_error *sw_keeper_path(const struct sw_live *live, const struct sw_keepers *keepers,
				sw_object object, struct sw_path *out)
{
	struct search search = {
		.live = live,
		.keepers = keepers,
		.keeper = sw_keeper_of(live, keepers, sw_heap_address(live->heap, object))};
	struct sw_path found = {0};
	size_t place = 0;

	struct sw_error *error = sw_path_shortest(live->graph, object, out);
	if (error || is_from_keeper(&search, out))
		return error;
	error = visit(&search, object, 0);
	if (!error)
		error = find_root(&search, &place);
	if (!error && place < search.steps.count)
		error = take_path(&search, place, &found);
	if (!error && found.count) {
		sw_path_free(out);
		*out = found;
	}
	if (error)
		sw_path_free(out);
	step_list_free(&search.steps);
	node_set_free(&search.visited);
	return error;
}
