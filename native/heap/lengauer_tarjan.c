/* Lengauer and Tarjan, "A fast algorithm for finding dominators in a flowgraph" (TOPLAS 1979), with
 * simple path compression. Nothing recurses: lists in a heap are millions of nodes long.
 *
 * After the depth-first search all nodes go by their preorder numbers, 0 being the start. */
#include "heap/lengauer_tarjan.h"

#include <string.h>

#define NONE UINT32_MAX
enum { TICK_EVERY = 1 << 14 };

struct flow {
	const struct sw_flow_graph *graph;
	struct sw_work *work;
	uint32_t *number;   /* node → preorder */
	uint32_t *node;	    /* preorder → node */
	uint32_t *ancestor; /* the tree parent; of linked nodes compressed to a linked ancestor or
			     * to the root of its linked tree */
	uint32_t *semi;
	uint32_t *label; /* of linked nodes: the one of least semi on the compressed path; of
			  * others the first node of its bucket */
	uint32_t *idom;	 /* of nodes in a bucket: the next one */
	uint32_t *stack; /* for compression: no path is longer than all nodes */
};

static struct sw_error *alloc_nodes(struct flow *flow, uint32_t **array)
{
	return sw_work_alloc(flow->work, flow->graph->count * sizeof(**array), "dominators", array);
}

static void free_nodes(struct flow *flow, uint32_t *array)
{
	sw_work_free(flow->work, array, flow->graph->count * sizeof(*array));
}

/* ---- the depth-first search ---- */

/* Successors, from the edges that all name their source. */
struct successors {
	uint32_t *next;	  /* [count + 1]: where a node's next successor stands */
	uint32_t *target; /* [targets] */
	size_t targets;
};

static void successors_free(struct successors *successors, const struct flow *flow)
{
	size_t count = (size_t)flow->graph->count + 1;
	sw_work_free(flow->work, successors->next, count * sizeof(uint32_t));
	sw_work_free(flow->work, successors->target, successors->targets * sizeof(uint32_t));
}

static void count_successors(const struct sw_flow_graph *graph, uint32_t *begin)
{
	for (uint32_t v = 0; v + 1 < graph->count; v++)
		begin[graph->parent[v]]++;
	for (uint32_t e = 0; e < graph->in_begin[graph->count]; e++)
		begin[graph->in_from[e]]++;
	uint32_t sum = 0;
	for (uint32_t v = 0; v <= graph->count; v++) {
		sum += begin[v];
		begin[v] = sum; /* the end of its successors, until they are filled in */
	}
}

static struct sw_error *successors_init(struct successors *successors, const struct flow *flow)
{
	const struct sw_flow_graph *graph = flow->graph;
	memset(successors, 0, sizeof(*successors));
	struct sw_error *error =
		sw_work_alloc(flow->work, ((size_t)graph->count + 1) * sizeof(uint32_t),
			      "dominators", &successors->next);
	if (error)
		return error;
	successors->targets = (size_t)graph->count - 1 + graph->in_begin[graph->count];
	error = sw_work_alloc(flow->work, successors->targets * sizeof(uint32_t), "dominators",
			      &successors->target);
	if (error) {
		successors->targets = 0;
		return error;
	}
	count_successors(graph, successors->next);
	for (uint32_t v = graph->count - 1; v--;) {
		for (uint32_t e = graph->in_begin[v]; e < graph->in_begin[v + 1]; e++)
			successors->target[--successors->next[graph->in_from[e]]] = v;
		successors->target[--successors->next[graph->parent[v]]] = v;
	}
	return NULL;
}

/* The numbers of a node's successors: all are looked at before the search leaves it. */
static void prefetch_successors(const struct flow *flow, const struct successors *successors,
				uint32_t node)
{
	enum { MOST = 8 };
	uint32_t begin = successors->next[node], end = flow->label[node];
	for (uint32_t i = begin; i < end && i < begin + MOST; i++) {
		__builtin_prefetch(&flow->number[successors->target[i]]);
		__builtin_prefetch(&successors->next[successors->target[i]]);
		__builtin_prefetch(&flow->label[successors->target[i]]);
	}
}

/* successors->next moves along as edges are taken, so the ends are copied (to `label`, which is
 * needed only later). */
static void depth_first(struct flow *flow, struct successors *successors)
{
	const uint32_t start = flow->graph->count - 1;
	uint32_t *next = successors->next, *end = flow->label;
	uint32_t count = 0, v = start;

	memcpy(end, next + 1, flow->graph->count * sizeof(*end));
	memset(flow->number, 0xff, flow->graph->count * sizeof(*flow->number));
	flow->number[v] = count;
	flow->node[count] = v;
	flow->ancestor[count++] = 0;
	for (;;) {
		if (next[v] == end[v]) {
			if (v == start)
				return;
			v = flow->node[flow->ancestor[flow->number[v]]];
			continue;
		}
		uint32_t target = successors->target[next[v]++];
		if (flow->number[target] != NONE)
			continue;
		prefetch_successors(flow, successors, target);
		flow->number[target] = count;
		flow->node[count] = target;
		flow->ancestor[count++] = flow->number[v];
		v = target;
	}
}

/* ---- semidominators ---- */

/* The node of least semi on the path from v up to, but without, the root of its linked tree.
 * Nodes from `linked` on are linked. */
static uint32_t evaluate(struct flow *flow, uint32_t v, uint32_t linked)
{
	uint32_t *ancestor = flow->ancestor, *label = flow->label, *semi = flow->semi;
	if (v < linked)
		return v;

	uint32_t depth = 0, u = v;
	while (ancestor[u] >= linked) {
		flow->stack[depth++] = u;
		u = ancestor[u];
	}
	/* u is just below the root now; pull its label and the root down the path. */
	uint32_t root = ancestor[u], best = label[u];
	while (depth) {
		u = flow->stack[--depth];
		if (semi[label[u]] > semi[best])
			label[u] = best;
		else
			best = label[u];
		ancestor[u] = root;
	}
	return label[v];
}

static void empty_bucket(struct flow *flow, uint32_t of, uint32_t linked)
{
	uint32_t v = flow->label[of];
	while (v != NONE) {
		uint32_t next = flow->idom[v];
		uint32_t least = evaluate(flow, v, linked);
		flow->idom[v] = flow->semi[least] < flow->semi[v] ? least : of;
		v = next;
	}
	flow->label[of] = NONE;
}

/* A node that has its tree edge alone is dominated by its parent. */
static void link_node(struct flow *flow, uint32_t v)
{
	const struct sw_flow_graph *graph = flow->graph;
	uint32_t node = flow->node[v], parent = flow->ancestor[v], semi = parent;
	uint32_t begin = graph->in_begin[node], end = graph->in_begin[node + 1];

	if (begin != end) {
		/* The tree edge of the graph need not be that of the depth-first search. */
		uint32_t from = flow->number[graph->parent[node]];
		for (uint32_t e = begin;; e++) {
			uint32_t least = flow->semi[evaluate(flow, from, v + 1)];
			if (least < semi)
				semi = least;
			if (e == end)
				break;
			from = flow->number[graph->in_from[e]];
		}
		flow->idom[v] = flow->label[semi];
		flow->label[semi] = v;
	} else {
		flow->idom[v] = parent;
	}
	flow->semi[v] = semi;
	flow->label[v] = v; /* its bucket was emptied after its last child */
	empty_bucket(flow, parent, v);
}

/* What link_node() will read of nodes that come soon, from far to near: where their edges are, the
 * edges, the numbers of the sources, their state. */
static void prefetch_nodes(const struct flow *flow, uint32_t v)
{
	enum { FAR = 32, MIDDLE = 24, NEAR = 16, NEXT = 8 };
	const struct sw_flow_graph *graph = flow->graph;
	if (v <= FAR)
		return;
	__builtin_prefetch(&graph->in_begin[flow->node[v - FAR]]);
	uint32_t middle = flow->node[v - MIDDLE], near = flow->node[v - NEAR];
	__builtin_prefetch(&graph->in_from[graph->in_begin[middle]]);
	__builtin_prefetch(&graph->parent[middle]);
	__builtin_prefetch(&flow->number[graph->parent[near]]);
	for (uint32_t e = graph->in_begin[near];
	     e < graph->in_begin[near + 1] && e < graph->in_begin[near] + 4; e++)
		__builtin_prefetch(&flow->number[graph->in_from[e]]);
	uint32_t next = flow->node[v - NEXT];
	for (uint32_t e = graph->in_begin[next];
	     e < graph->in_begin[next + 1] && e < graph->in_begin[next] + 4; e++) {
		uint32_t from = flow->number[graph->in_from[e]];
		__builtin_prefetch(&flow->ancestor[from]);
		__builtin_prefetch(&flow->label[from]);
		__builtin_prefetch(&flow->semi[from]);
	}
}

static struct sw_error *find_semidominators(struct flow *flow)
{
	uint32_t count = flow->graph->count;
	for (uint32_t v = 0; v < count; v++) {
		flow->semi[v] = v;
		flow->label[v] = NONE;
	}
	for (uint32_t v = count - 1; v; v--) {
		prefetch_nodes(flow, v);
		link_node(flow, v);
		if (v % TICK_EVERY)
			continue;
		struct sw_error *error = sw_work_tick(flow->work, "dominators", count - v, count);
		if (error)
			return error;
	}
	return NULL;
}

static void write_dominators(struct flow *flow, uint32_t *idom)
{
	uint32_t count = flow->graph->count;
	idom[flow->node[0]] = flow->node[0];
	for (uint32_t v = 1; v < count; v++) {
		if (flow->idom[v] != flow->semi[v])
			flow->idom[v] = flow->idom[flow->idom[v]];
		idom[flow->node[v]] = flow->node[flow->idom[v]];
	}
}

static struct sw_error *search(struct flow *flow)
{
	struct successors successors;
	struct sw_error *error = successors_init(&successors, flow);
	if (!error)
		error = alloc_nodes(flow, &flow->number);
	if (!error)
		error = alloc_nodes(flow, &flow->node);
	if (!error)
		error = alloc_nodes(flow, &flow->ancestor);
	if (!error)
		error = alloc_nodes(flow, &flow->label);
	if (!error)
		depth_first(flow, &successors);
	successors_free(&successors, flow);
	return error;
}

struct sw_error *sw_flow_dominators(const struct sw_flow_graph *graph, struct sw_work *work,
				    uint32_t *idom)
{
	struct flow flow = {.graph = graph, .work = work};
	struct sw_error *error = search(&flow);
	if (!error)
		error = alloc_nodes(&flow, &flow.semi);
	if (!error)
		error = alloc_nodes(&flow, &flow.idom);
	if (!error)
		error = alloc_nodes(&flow, &flow.stack);
	if (!error)
		error = find_semidominators(&flow);
	if (!error)
		write_dominators(&flow, idom);
	free_nodes(&flow, flow.number);
	free_nodes(&flow, flow.node);
	free_nodes(&flow, flow.ancestor);
	free_nodes(&flow, flow.semi);
	free_nodes(&flow, flow.label);
	free_nodes(&flow, flow.idom);
	free_nodes(&flow, flow.stack);
	return error;
}
