/* Paths from roots: over the tree, or backwards from an object over all edges. */
#include "heap/graph.h"

enum { TICK_EVERY = 1 << 14 };

void sw_path_free(struct sw_path *path)
{
	free(path->nodes);
	memset(path, 0, sizeof(*path));
}

struct sw_error *sw_path_shortest(const struct sw_graph *graph, sw_node node, struct sw_path *out)
{
	size_t count = 0;

	memset(out, 0, sizeof(*out));
	if (node >= graph->node_count)
		return sw_error_format(SW_ERR_NOT_FOUND, "there is no node %u", node);
	for (sw_node v = node; v != graph->super; v = graph->parent[v])
		count++;
	out->nodes = malloc(count * sizeof(*out->nodes) + 1);
	if (!out->nodes)
		return sw_error_memory();
	out->count = count;
	for (sw_node v = node; v != graph->super; v = graph->parent[v])
		out->nodes[--count] = v;
	return NULL;
}

/* ---- all roots that reach a node ---- */

struct holder {
	sw_node root;
	size_t distance; /* edges to the object */
};

SW_VECTOR(sw_node, nodes);
SW_VECTOR(struct holder, holders);

/* A breadth-first search over predecessors. */
struct reverse {
	const struct sw_graph *graph;
	struct sw_work *work;
	uint64_t *visited;
	sw_node *next; /* [node_count] of visited nodes: one step towards the object */
	struct nodes queue;
	struct holders holders;
	size_t distance, level_end; /* of the nodes under way; where they end in the queue */
};

static struct sw_error *reach(struct reverse *search, sw_node from, sw_node to)
{
	if (sw_bitset_has(search->visited, from))
		return NULL;
	sw_bitset_set(search->visited, from);
	search->next[from] = to;
	return nodes_add(&search->queue, from);
}

static struct sw_error *visit(struct reverse *search, sw_node node)
{
	const struct sw_graph *graph = search->graph;
	const struct sw_edge *extra;
	sw_node parent = graph->parent[node];

	if (parent == graph->super && sw_graph_is_root(graph, node)) {
		struct holder holder = {node, search->distance};
		return holders_add(&search->holders, holder);
	}
	struct sw_error *error = parent == graph->super ? NULL : reach(search, parent, node);
	size_t count = sw_graph_extra(graph, node, &extra);
	for (size_t i = 0; i < count && !error; i++)
		error = reach(search, extra[i].from, node);
	return error;
}

static struct sw_error *search_back(struct reverse *search, sw_node object)
{
	struct sw_error *error = nodes_add(&search->queue, object);
	sw_bitset_set(search->visited, object);
	search->level_end = 1;
	for (size_t i = 0; i < search->queue.count && !error; i++) {
		if (i == search->level_end) {
			search->distance++;
			search->level_end = search->queue.count;
		}
		error = visit(search, search->queue.items[i]);
		if (!error && i % TICK_EVERY == 0)
			error = sw_work_tick(search->work, "paths", i, search->graph->node_count);
	}
	return error;
}

static int by_distance(const void *left, const void *right)
{
	const struct holder *a = left, *b = right;
	if (a->distance != b->distance)
		return a->distance < b->distance ? -1 : 1;
	return (a->root > b->root) - (a->root < b->root);
}

static struct sw_error *write_path(const struct reverse *search, const struct holder *holder,
				   struct sw_path *path)
{
	sw_node node = holder->root;

	path->nodes = malloc((holder->distance + 1) * sizeof(*path->nodes));
	if (!path->nodes)
		return sw_error_memory();
	for (path->count = 0; path->count < holder->distance; node = search->next[node])
		path->nodes[path->count++] = node;
	path->nodes[path->count++] = node;
	return NULL;
}

static void free_paths(struct sw_path *paths, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sw_path_free(&paths[i]);
	free(paths);
}

static struct sw_error *write_paths(struct reverse *search, size_t count, struct sw_path **out)
{
	struct holders *holders = &search->holders;
	struct sw_error *error = NULL;

	*out = calloc(count + 1, sizeof(**out));
	if (!*out)
		return sw_error_memory();
	for (size_t i = 0; i < count && !error; i++)
		error = write_path(search, &holders->items[i], &(*out)[i]);
	if (error) {
		free_paths(*out, count);
		*out = NULL;
	}
	return error;
}

static void end_search(struct reverse *search)
{
	const struct sw_graph *graph = search->graph;
	sw_work_free(search->work, search->visited,
		     sw_bitset_words(graph->node_count) * sizeof(uint64_t));
	sw_work_free(search->work, search->next, graph->node_count * sizeof(sw_node));
	nodes_free(&search->queue);
	holders_free(&search->holders);
}

/* Finds all holders, the nearest first. end_search() frees, on error too. */
static struct sw_error *search_holders(struct reverse *search, sw_node node)
{
	const struct sw_graph *graph = search->graph;

	if (node >= graph->super)
		return sw_error_format(SW_ERR_NOT_FOUND, "there is no node %u", node);
	struct sw_error *error =
		sw_work_alloc(search->work, sw_bitset_words(graph->node_count) * sizeof(uint64_t),
			      "paths", &search->visited);
	if (!error)
		error = sw_work_alloc(search->work, graph->node_count * sizeof(sw_node), "paths",
				      &search->next);
	if (!error)
		error = search_back(search, node);
	if (!error && search->holders.count)
		qsort(search->holders.items, search->holders.count, sizeof(*search->holders.items),
		      by_distance);
	return error;
}

struct sw_error *sw_paths_to(const struct sw_graph *graph, sw_node node, size_t limit,
			     struct sw_work *work, struct sw_path **paths, size_t *count,
			     size_t *reached)
{
	struct reverse search = {.graph = graph, .work = work};

	*paths = NULL;
	*count = *reached = 0;
	struct sw_error *error = search_holders(&search, node);
	size_t found = search.holders.count, wanted = limit && limit < found ? limit : found;
	if (!error)
		error = write_paths(&search, wanted, paths);
	if (!error) {
		*count = wanted;
		*reached = found;
	}
	end_search(&search);
	return error;
}

struct sw_error *sw_roots_to(const struct sw_graph *graph, sw_node node, struct sw_work *work,
			     sw_node **roots, size_t *count)
{
	struct reverse search = {.graph = graph, .work = work};

	*roots = NULL;
	*count = 0;
	struct sw_error *error = search_holders(&search, node);
	if (!error && !(*roots = calloc(search.holders.count + 1, sizeof(**roots))))
		error = sw_error_memory();
	for (; !error && *count < search.holders.count; ++*count)
		(*roots)[*count] = search.holders.items[*count].root;
	end_search(&search);
	return error;
}
