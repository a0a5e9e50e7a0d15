/* The edges beside the tree, gathered by many workers and sorted by (to, from). Private to this
 * room. */
#ifndef SW_HEAP_EDGES_H
#define SW_HEAP_EDGES_H

#include "heap/graph.h"

#include <pthread.h>

enum { SW_EDGE_CHUNK = 8192 };

struct sw_edge_chunk {
	struct sw_edge_chunk *next;
	size_t count;
	uint64_t keys[SW_EDGE_CHUNK]; /* to << 32 | from */
};

/* What one worker has found. */
struct sw_edge_list {
	struct sw_edge_chunk *chunks; /* the newest first, the one that is being filled */
	size_t count;
};

struct sw_edges {
	struct sw_work *work;
	pthread_mutex_t lock; /* for the work's memory */
	struct sw_edge_list lists[SW_MAX_WORKERS];
};

void sw_edges_init(struct sw_edges *edges, struct sw_work *work);
void sw_edges_deinit(struct sw_edges *edges);

/* Makes room for one more edge in a worker's list. */
struct sw_error *sw_edges_grow(struct sw_edges *edges, unsigned worker);

static inline struct sw_error *sw_edges_add(struct sw_edges *edges, unsigned worker, sw_node from,
					    sw_node to)
{
	struct sw_edge_list *list = &edges->lists[worker];
	if (!list->chunks || list->chunks->count == SW_EDGE_CHUNK) {
		struct sw_error *error = sw_edges_grow(edges, worker);
		if (error)
			return error;
	}
	list->chunks->keys[list->chunks->count++] = (uint64_t)to << 32 | from;
	list->count++;
	return NULL;
}

/* Moves all edges into the graph's `extra`, sorted and each once; the lists are empty then. */
struct sw_error *sw_edges_sort(struct sw_edges *edges, struct sw_graph *graph);

#endif
