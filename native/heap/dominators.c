/* Immediate dominators of all nodes.
 *
 * A node is *relevant* when an extra edge begins or ends in it or in what hangs below it in the
 * tree. All others have their tree edge as the only way in and no influence on the rest: their
 * parent dominates them. The relevant ones, few in most heaps, are numbered anew and go through
 * the full algorithm. */
#include "heap/lengauer_tarjan.h"
#include "heap/retained.h"

enum { EDGE_GRAIN = 1 << 14, WORD_GRAIN = 1 << 10, NODE_GRAIN = 1 << 16 };

struct dominating {
	const struct sw_graph *graph;
	const uint32_t *group_of; /* or NULL */
	struct sw_work *work;
	sw_node *idom;

	uint64_t *relevant; /* bit set of nodes */
	size_t words;
	uint32_t *rank; /* [words]: relevant nodes before */

	/* The relevant nodes by their new numbers, in the order of the old ones. */
	uint32_t count;
	sw_node *nodes;
	uint32_t *parent, *in_begin, *in_from;
};

static sw_node parent_of(const struct dominating *run, sw_node node)
{
	const struct sw_graph *graph = run->graph;
	if (!run->group_of || !sw_graph_is_root(graph, node))
		return graph->parent[node];
	uint32_t group = run->group_of[node - graph->object_count];
	return group == SW_NO_ROOT ? graph->super : graph->object_count + group;
}

static struct sw_error *check_groups(const struct sw_graph *graph, const uint32_t *group_of)
{
	for (uint32_t r = 0; group_of && r < graph->root_count; r++) {
		uint32_t group = group_of[r];
		if (group == SW_NO_ROOT)
			continue;
		if (group >= graph->root_count || group_of[group] != SW_NO_ROOT)
			return sw_error_format(SW_ERR_USAGE, "root %u has no such group: %u", r,
					       group);
	}
	return NULL;
}

/* ---- which nodes are relevant ---- */

static void mark_path(const struct dominating *run, sw_node node)
{
	while (sw_bitset_claim(run->relevant, node))
		node = parent_of(run, node);
}

static struct sw_error *mark_paths(void *context, unsigned worker, size_t begin, size_t end)
{
	const struct dominating *run = context;
	(void)worker;
	for (size_t e = begin; e < end; e++) {
		if (e + 16 < end)
			__builtin_prefetch(&run->relevant[run->graph->extra[e + 16].from / 64], 1);
		mark_path(run, run->graph->extra[e].from);
		mark_path(run, run->graph->extra[e].to);
	}
	return NULL;
}

static struct sw_error *find_relevant(struct dominating *run)
{
	struct sw_work *work = run->work;
	run->words = sw_bitset_words(run->graph->node_count);
	struct sw_error *error =
		sw_work_alloc(work, run->words * sizeof(uint64_t), "dominators", &run->relevant);
	if (!error)
		error = sw_work_alloc(work, run->words * sizeof(uint32_t), "dominators",
				      &run->rank);
	if (!error)
		error = sw_parallel_for(work, "dominators", run->graph->extra_count, EDGE_GRAIN,
					mark_paths, run);
	if (error)
		return error;
	for (size_t i = 0; i < run->words; i++) {
		run->rank[i] = run->count;
		run->count += (uint32_t)__builtin_popcountll(run->relevant[i]);
	}
	if ((uint64_t)run->count + run->graph->extra_count > UINT32_MAX)
		return sw_error_format(SW_ERR_LIMIT, "the graph has 2^32 edges or more");
	return NULL;
}

/* ---- their graph ---- */

static uint32_t new_number(const struct dominating *run, sw_node node)
{
	uint64_t below = run->relevant[node / 64] & (((uint64_t)1 << node % 64) - 1);
	return run->rank[node / 64] + (uint32_t)__builtin_popcountll(below);
}

static struct sw_error *number_nodes(void *context, unsigned worker, size_t begin, size_t end)
{
	const struct dominating *run = context;
	(void)worker;
	for (size_t word = begin; word < end; word++) {
		uint32_t number = run->rank[word];
		for (uint64_t bits = run->relevant[word]; bits; bits &= bits - 1) {
			sw_node node = (sw_node)(word * 64 + (unsigned)__builtin_ctzll(bits));
			run->nodes[number] = node;
			run->parent[number++] = new_number(run, parent_of(run, node));
		}
	}
	return NULL;
}

static struct sw_error *number_edges(void *context, unsigned worker, size_t begin, size_t end)
{
	const struct dominating *run = context;
	(void)worker;
	for (size_t e = begin; e < end; e++)
		run->in_from[e] = new_number(run, run->graph->extra[e].from);
	return NULL;
}

static void find_edges_in(const struct dominating *run)
{
	const struct sw_graph *graph = run->graph;
	size_t e = 0;
	for (uint32_t v = 0; v < run->count; v++) {
		run->in_begin[v] = (uint32_t)e;
		while (e < graph->extra_count && graph->extra[e].to == run->nodes[v])
			e++;
	}
	run->in_begin[run->count] = (uint32_t)e;
}

static struct sw_error *build_relevant(struct dominating *run)
{
	struct sw_work *work = run->work;
	size_t size = run->count * sizeof(uint32_t), edges = run->graph->extra_count;
	struct sw_error *error = sw_work_alloc(work, size, "dominators", &run->nodes);
	if (!error)
		error = sw_work_alloc(work, size, "dominators", &run->parent);
	if (!error)
		error = sw_work_alloc(work, size + sizeof(uint32_t), "dominators", &run->in_begin);
	if (!error)
		error = sw_work_alloc(work, edges * sizeof(uint32_t), "dominators", &run->in_from);
	if (!error)
		error = sw_parallel_for(work, "dominators", run->words, WORD_GRAIN, number_nodes,
					run);
	if (!error)
		error = sw_parallel_for(work, "dominators", edges, EDGE_GRAIN, number_edges, run);
	if (!error)
		find_edges_in(run);
	return error;
}

static void free_edges(struct dominating *run)
{
	struct sw_work *work = run->work;
	sw_work_free(work, run->relevant, run->words * sizeof(uint64_t));
	sw_work_free(work, run->rank, run->words * sizeof(uint32_t));
	sw_work_free(work, run->in_begin, ((size_t)run->count + 1) * sizeof(uint32_t));
	sw_work_free(work, run->in_from, run->graph->extra_count * sizeof(uint32_t));
}

static void free_nodes(struct dominating *run)
{
	sw_work_free(run->work, run->nodes, run->count * sizeof(*run->nodes));
	sw_work_free(run->work, run->parent, run->count * sizeof(*run->parent));
}

/* Leaves the dominators of the relevant nodes, by their new numbers, in run->parent. */
static struct sw_error *dominate_relevant(struct dominating *run)
{
	struct sw_error *error = find_relevant(run);
	if (!error)
		error = build_relevant(run);
	if (!error) {
		struct sw_flow_graph flow = {run->count, run->parent, run->in_begin, run->in_from};
		error = sw_flow_dominators(&flow, run->work, run->parent);
	}
	free_edges(run);
	return error;
}

/* ---- the whole ---- */

static struct sw_error *write_parents(void *context, unsigned worker, size_t begin, size_t end)
{
	const struct dominating *run = context;
	(void)worker;
	for (size_t v = begin; v < end; v++)
		run->idom[v] = parent_of(run, (sw_node)v);
	return NULL;
}

/* The result is the last array to be allocated: the algorithm needs most memory before. */
static struct sw_error *write_dominators(struct dominating *run)
{
	size_t count = run->graph->node_count;
	struct sw_error *error =
		sw_work_alloc(run->work, count * sizeof(sw_node), "dominators", &run->idom);
	if (!error)
		error = sw_parallel_for(run->work, "dominators", count, NODE_GRAIN, write_parents,
					run);
	for (uint32_t v = 0; !error && v < run->count; v++)
		run->idom[run->nodes[v]] = run->nodes[run->parent[v]];
	return error;
}

static struct sw_error *find_dominators(struct sw_dominators *dominators,
					const struct sw_graph *graph, const uint32_t *group_of,
					struct sw_work *work)
{
	struct dominating run = {.graph = graph, .group_of = group_of, .work = work};
	struct sw_error *error = check_groups(graph, group_of);
	if (!error && graph->extra_count)
		error = dominate_relevant(&run);
	if (!error)
		error = write_dominators(&run);
	free_nodes(&run);
	dominators->idom = run.idom;
	return error;
}

struct sw_error *sw_dominators_build(struct sw_dominators *dominators, const struct sw_graph *graph,
				     const struct sw_heap *heap, const uint32_t *group_of,
				     struct sw_work *work)
{
	size_t count = graph->node_count;

	memset(dominators, 0, sizeof(*dominators));
	struct sw_error *error = find_dominators(dominators, graph, group_of, work);
	if (!error)
		error = sw_work_alloc(work, count * sizeof(uint64_t), "retained sizes",
				      &dominators->retained_bytes);
	if (!error)
		error = sw_work_alloc(work, count * sizeof(uint32_t), "retained sizes",
				      &dominators->retained_objects);
	if (!error)
		error = sw_work_alloc(work, count * sizeof(sw_node), "retained sizes",
				      &dominators->heaviest);
	if (!error)
		error = sw_retained_sum(dominators, graph, heap, work);
	if (error)
		sw_dominators_free(dominators, graph, work);
	return error;
}

void sw_dominators_free(struct sw_dominators *dominators, const struct sw_graph *graph,
			struct sw_work *work)
{
	size_t count = graph->node_count;
	sw_work_free(work, dominators->idom, count * sizeof(sw_node));
	sw_work_free(work, dominators->retained_bytes, count * sizeof(uint64_t));
	sw_work_free(work, dominators->retained_objects, count * sizeof(uint32_t));
	sw_work_free(work, dominators->heaviest, count * sizeof(sw_node));
	memset(dominators, 0, sizeof(*dominators));
}
