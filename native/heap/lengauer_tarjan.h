/* Immediate dominators of a small graph with numbered nodes. Private to this room. */
#ifndef SW_HEAP_LENGAUER_TARJAN_H
#define SW_HEAP_LENGAUER_TARJAN_H

#include "base/parallel.h"

/* A graph in which every node but the start is the target of its tree edge and of any number of
 * further edges, which are sorted by target. */
struct sw_flow_graph {
	uint32_t count;		  /* nodes; the last is the start and can reach all */
	const uint32_t *parent;	  /* [count]: where the tree edge comes from */
	const uint32_t *in_begin; /* [count + 1]: the further edges into a node, in in_from */
	const uint32_t *in_from;
};

/* Writes [count] immediate dominators, the start's own being itself; idom may be the array of
 * parents. Linear but for a logarithm
 * of the number of nodes; needs 28 bytes for each node, or 16 and 4 for each edge. */
struct sw_error *sw_flow_dominators(const struct sw_flow_graph *graph, struct sw_work *work,
				    uint32_t *idom);

#endif
