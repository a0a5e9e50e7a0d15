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
	return error ? error : sw_roots_add_specials(&collector);
}

static uint32_t find_group(const struct sw_go *go, enum sw_go_root_kind kind)
{
	for (size_t i = 0; i < go->roots.count; i++)
		if (go->roots.items[i].kind == kind)
			return (uint32_t)i;
	return SW_NO_ROOT;
}

static void forget_waits(struct sw_go *go)
{
	if (go->waits)
		sw_go_waits_free(go->waits);
	free(go->waits);
	go->waits = NULL;
}

static void forget_from(struct sw_go *go, size_t first)
{
	for (size_t i = first; i < go->roots.count; i++)
		free(go->roots.items[i].name);
	go->roots.count = first < go->roots.count ? first : go->roots.count;
}

struct sw_error *sw_go_collect_holders(struct sw_go *go, struct sw_heap *heap)
{
	struct sw_root_collector collector = {
		.go = go, .heap = heap, .runtime = find_group(go, SW_GO_ROOT_RUNTIME)};
	size_t roots = heap->roots.count, words = heap->root_words.count;

	sw_work_stage(go->work, "holders");
	struct sw_error *error = sw_roots_add_waits(&collector);
	if (!error)
		error = sw_roots_add_timers(&collector);
	if (error) {
		forget_waits(go);
		forget_from(go, roots);
		heap->roots.count = roots;
		heap->root_words.count = words;
		sw_heap_unhide(heap, go->work);
	}
	return error;
}

void sw_go_forget_roots(struct sw_go *go)
{
	forget_from(go, 0);
	sw_go_roots_free(&go->roots);
	forget_waits(go);
	go->damaged_masks = 0;
}
