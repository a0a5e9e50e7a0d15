/* The roots of a collection that starts now (runtime/mgcmark.go markroot). */
#include "go/root.h"
#include "go/wait.h"

struct sw_error *sw_go_collect_roots(struct sw_go *go, struct sw_heap *heap)
{
	struct sw_root_collector collector = {.go = go,
					      .heap = heap,
					      .runtime = SW_NO_ROOT,
					      .finalizers = SW_NO_ROOT,
					      .cleanups = SW_NO_ROOT,
					      .weak = SW_NO_ROOT};
	sw_work_stage(go->work, "roots");
	struct sw_error *error = sw_roots_add_globals(&collector);
	if (!error)
		error = sw_roots_add_tiny_blocks(&collector);
	if (!error)
		error = sw_roots_add_queues(&collector);
	if (!error)
		error = sw_roots_add_running_timers(&collector);
	if (!error)
		error = sw_roots_add_stacks(&collector);
	sw_work_stage(go->work, "mark");
	if (!error)
		error = sw_heap_mark(heap, go->work);
	if (!error)
		error = sw_roots_add_specials(&collector);
	if (!error)
		error = sw_roots_add_waits(&collector);
	if (!error)
		error = sw_roots_add_timers(&collector);
	return error;
}

void sw_go_forget_roots(struct sw_go *go)
{
	for (size_t i = 0; i < go->roots.count; i++)
		free(go->roots.items[i].name);
	sw_go_roots_free(&go->roots);
	if (go->waits)
		sw_go_waits_free(go->waits);
	free(go->waits);
	go->waits = NULL;
	go->damaged_masks = 0;
}
