#include "view/live.h"

struct sw_error *sw_live_instances(const struct sw_live *live, const char *const *names,
				   sw_wants_type *wants, sw_visit_instance *visit, void *context)
{
	struct sw_instance_search search = {
		.types = live->types,
		.typing = live->typing,
		.go = live->go,
		.heap = live->heap,
		.work = live->work,
		.names = names,
		.wants = wants,
		.visit = visit,
		.context = context,
	};
	return sw_instances_find(&search);
}

static struct sw_error *add_instance(void *context, const struct sw_instance *instance)
{
	return sw_instances_add(context, *instance);
}

struct sw_error *sw_live_collect(const struct sw_live *live, const char *const *names,
				 struct sw_instances *out)
{
	return sw_live_instances(live, names, NULL, add_instance, out);
}

sw_addr sw_live_start(const struct sw_live *live, sw_object object)
{
	sw_slot slot = sw_heap_select(live->heap, object);
	const struct sw_span *span = sw_heap_slot_span(live->heap, slot);
	return sw_heap_slot_address(live->heap, slot) + sw_go_header(span);
}

uint64_t sw_live_retained(const struct sw_live *live, sw_addr addr)
{
	sw_object object = sw_heap_object(live->heap, addr);
	return object == SW_NO_OBJECT ? 0 : live->dominators->retained_bytes[object];
}

bool sw_live_referrers(const struct sw_live *live, sw_object object, sw_visit_referrer *visit,
		       void *context)
{
	const struct sw_edge *first;
	size_t count = sw_graph_extra(live->graph, object, &first);

	if (!visit(context, live->graph->parent[object]))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!visit(context, first[i].from))
			return false;
	return true;
}
