/* The live heap of a Go program with everything that is known of it: what the rooms view/, library/
 * and owner/ look at. */
#ifndef SW_VIEW_LIVE_H
#define SW_VIEW_LIVE_H

#include "heap/graph.h"
#include "type/instance.h"

/* All borrowed; from sw_session_live(). */
struct sw_live {
	struct sw_go *go;
	struct sw_heap *heap;
	struct sw_types *types;
	struct sw_typing *typing;
	struct sw_graph *graph;
	struct sw_dominators *dominators;
	struct sw_work *work;
	struct sw_warnings *warnings; /* of the runtime: what is damaged is counted there */
	struct sw_value_reader reader;
};

/* sw_instances_find() in this heap: by names (ended by NULL; or NULL), by `wants` (or NULL). */
struct sw_error *sw_live_instances(const struct sw_live *live, const char *const *names,
				   sw_wants_type *wants, sw_visit_instance *visit, void *context);

/* All of them by names, in that order. */
SW_VECTOR(struct sw_instance, sw_instances);
struct sw_error *sw_live_collect(const struct sw_live *live, const char *const *names,
				 struct sw_instances *out);

/* The type of an object, 0 when unknown. */
static inline sw_type sw_live_type(const struct sw_live *live, sw_object object)
{
	return object < live->typing->object_count ? live->typing->types[object] : 0;
}

/* Where the value in an object's slot begins: behind a malloc header. */
sw_addr sw_live_start(const struct sw_live *live, sw_object object);

/* What would be free without the object at an address; 0 when none is there. */
uint64_t sw_live_retained(const struct sw_live *live, sw_addr addr);

/* Calls visit with every object and root that refers to an object, its parent in the graph first,
 * until it returns false; returns whether it never did. */
typedef bool sw_visit_referrer(void *context, sw_node from);
bool sw_live_referrers(const struct sw_live *live, sw_object object, sw_visit_referrer *visit,
		       void *context);

#endif
