/* Who points to whom: a shortest-path tree from the roots and every edge beside it.
 *
 * Nodes: objects are 0…object_count-1, root r is object_count + r, and the last node is the
 * super root that holds every root without a group. parent[] is the breadth-first tree: the path
 * over parents is a shortest one, and of several the one over the lowest node numbers, whatever
 * the number of threads. `extra` holds all other edges, so both together are the whole graph.
 */
#ifndef SW_HEAP_GRAPH_H
#define SW_HEAP_GRAPH_H

#include "heap/heap.h"

typedef uint32_t sw_node;
#define SW_NO_NODE UINT32_MAX

struct sw_edge {
	sw_node from, to;
};

struct sw_graph {
	uint32_t object_count, root_count;
	sw_node node_count;    /* object_count + root_count + 1 */
	sw_node super;	       /* node_count - 1 */
	sw_node *parent;       /* [node_count]; of the super root itself */
	struct sw_edge *extra; /* sorted by (to, from), no duplicates, none equal to a tree edge,
				* none from a node to itself */
	size_t extra_count;
	size_t extra_capacity; /* private: edges there is memory for */
};

/* Needs sw_heap_number(). The super root holds the roots without group, a group its roots, a
 * root the objects its words point to. */
struct sw_error *sw_graph_build(struct sw_graph *graph, const struct sw_heap *heap,
				struct sw_work *work);
void sw_graph_free(struct sw_graph *graph, struct sw_work *work);

static inline bool sw_graph_is_root(const struct sw_graph *graph, sw_node node)
{
	return node >= graph->object_count && node < graph->super;
}

/* The extra edges into a node: *first (may be NULL for none) and their number. With
 * parent[node] these are all its predecessors. */
size_t sw_graph_extra(const struct sw_graph *graph, sw_node to, const struct sw_edge **first);

/* ---- dominators.c ---- */

struct sw_dominators {
	sw_node *idom;		  /* [node_count]; of the super root itself */
	uint64_t *retained_bytes; /* [node_count]: slot bytes that would go with it, its own too */
	uint32_t *retained_objects; /* [node_count]: objects that would go, itself too */
	sw_node *heaviest; /* [node_count]: the child that retains most bytes (of equals the
			    * lowest number), SW_NO_NODE for a leaf */
};

/* Groups as the graph has them, or another grouping: group_of[root_count] gives for each root a
 * root that dominates it in its stead (SW_NO_ROOT: none), NULL keeps the graph's. A group must
 * not be grouped itself. */
struct sw_error *sw_dominators_build(struct sw_dominators *dominators, const struct sw_graph *graph,
				     const struct sw_heap *heap, const uint32_t *group_of,
				     struct sw_work *work);
void sw_dominators_free(struct sw_dominators *dominators, const struct sw_graph *graph,
			struct sw_work *work);

/* ---- shared.c: memory that no single root holds ---- */

/* Each object that the super root dominates directly is held by two roots or more. Its holders
 * are a set of *top* roots (those that the super root dominates), and sets are numbered. */
struct sw_shared_set {
	uint32_t *roots; /* rising */
	uint32_t count;
	bool is_many; /* more than SW_SHARED_MAX roots: `roots` holds the first of them */
	const sw_object *objects; /* that the super root dominates, rising; in sw_shared.objects */
	uint32_t object_count;
	uint64_t retained_bytes, retained_objects; /* sums over the objects */
	sw_object heaviest;			   /* the one that retains most */
};

enum { SW_SHARED_MAX = 64 };

struct sw_shared {
	struct sw_shared_set *sets; /* by retained bytes, largest first */
	size_t count;
	sw_object *objects; /* of all sets */
};

struct sw_error *sw_shared_build(struct sw_shared *shared, const struct sw_graph *graph,
				 const struct sw_dominators *dominators, struct sw_work *work);
void sw_shared_free(struct sw_shared *shared);

/* ---- paths.c ---- */

/* A path from a root to an object: nodes[0] is a root that no root groups, or the group's member
 * is nodes[1]; the last is the object. */
struct sw_path {
	sw_node *nodes;
	size_t count;
};

/* The path over parent[]; the super root is left out. Free with sw_path_free(). */
struct sw_error *sw_path_shortest(const struct sw_graph *graph, sw_node node, struct sw_path *out);
void sw_path_free(struct sw_path *path);

/* For every root (by its outermost group) that reaches the node, a shortest path from it;
 * shortest first, at most `limit` (0: all). *reached counts all such roots. */
struct sw_error *sw_paths_to(const struct sw_graph *graph, sw_node node, size_t limit,
			     struct sw_work *work, struct sw_path **paths, size_t *count,
			     size_t *reached);

/* The root nodes of which sw_paths_to() gives paths, in its order, without paths; free() them. */
struct sw_error *sw_roots_to(const struct sw_graph *graph, sw_node node, struct sw_work *work,
			     sw_node **roots, size_t *count);

#endif
