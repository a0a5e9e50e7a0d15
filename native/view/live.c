#include "view/live.h"

enum { MALLOC_HEADER = 8 }; /* bytes, of objects of SW_SCAN_LOOKUP spans */

struct sw_error *sw_live_instances(const struct sw_live *live, const char *const *names,
				   sw_visit_instance *visit, void *context)
{
	struct sw_instance_search search = {
		.types = live->types,
		.typing = live->typing,
		.go = live->go,
		.heap = live->heap,
		.work = live->work,
		.names = names,
		.visit = visit,
		.context = context,
	};
	return sw_instances_find(&search);
}

sw_addr sw_live_start(const struct sw_live *live, sw_object object)
{
	sw_slot slot = sw_heap_select(live->heap, object);
	const struct sw_span *span = sw_heap_slot_span(live->heap, slot);
	return sw_heap_slot_address(live->heap, slot) +
	       (span->scan == SW_SCAN_LOOKUP ? MALLOC_HEADER : 0);
}

uint64_t sw_live_retained(const struct sw_live *live, sw_addr addr)
{
	sw_object object = sw_heap_object(live->heap, addr);
	return object == SW_NO_OBJECT ? 0 : live->dominators->retained_bytes[object];
}
