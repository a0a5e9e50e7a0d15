/* Opaque slots, and a second set of marks over the same slots. */
#include "heap/heap.h"

static size_t opaque_bytes(const struct sw_heap *heap)
{
	return sw_bitset_words(heap->space.slot_count) * sizeof(uint64_t);
}

struct sw_error *sw_heap_hide(struct sw_heap *heap, struct sw_work *work, sw_slot slot)
{
	if (!heap->opaque) {
		struct sw_error *error =
			sw_work_alloc(work, opaque_bytes(heap), "opaque slots", &heap->opaque);
		if (error)
			return error;
	}
	sw_bitset_set(heap->opaque, slot);
	return NULL;
}

void sw_heap_unhide(struct sw_heap *heap, struct sw_work *work)
{
	sw_work_free(work, heap->opaque, heap->opaque ? opaque_bytes(heap) : 0);
	heap->opaque = NULL;
}

struct sw_error *sw_heap_view(struct sw_heap *view, const struct sw_heap *heap,
			      struct sw_work *work)
{
	*view = (struct sw_heap){
		.space = heap->space, .block_count = heap->block_count, .opaque = heap->opaque};
	struct sw_error *error = sw_work_alloc(work, view->block_count * sizeof(*view->blocks),
					       "mark bits", &view->blocks);
	for (size_t i = 0; !error && i < view->block_count; i++)
		view->blocks[i].span = heap->blocks[i].span;
	return error;
}

void sw_heap_view_free(struct sw_heap *view, struct sw_work *work)
{
	sw_work_free(work, view->blocks, view->block_count * sizeof(*view->blocks));
	sw_root_words_free(&view->root_words);
	memset(view, 0, sizeof(*view));
}

void sw_heap_view_lacks(const struct sw_heap *heap, const struct sw_heap *view, uint64_t *objects,
			uint64_t *bytes)
{
	*objects = *bytes = 0;
	for (size_t i = 0; i < heap->block_count; i++) {
		const struct sw_block *block = &heap->blocks[i];
		uint64_t lacking = block->marked & ~view->blocks[i].marked;
		uint64_t count = (uint64_t)__builtin_popcountll(lacking);
		*objects += count;
		*bytes += count * heap->space.spans[block->span].elemsize;
	}
}
