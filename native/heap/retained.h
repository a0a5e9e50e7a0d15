/* Private to this room. */
#ifndef SW_HEAP_RETAINED_H
#define SW_HEAP_RETAINED_H

#include "heap/graph.h"

/* Fills retained_bytes, retained_objects and heaviest, which are zeroed, from idom. */
struct sw_error *sw_retained_sum(struct sw_dominators *dominators, const struct sw_graph *graph,
				 const struct sw_heap *heap, struct sw_work *work);

#endif
