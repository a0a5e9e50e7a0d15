#include "heap/scan.h"

bool sw_scan_next_masked(struct sw_scanner *scan, struct sw_window *window)
{
	while (scan->word >= scan->tile_words) {
		scan->word = 0;
		scan->tile += scan->stride;
		if (scan->tile >= scan->end)
			return false;
	}
	uint64_t offset = scan->tile + scan->word * 8;
	if (offset >= scan->end)
		return false;

	uint64_t left = scan->tile_words - scan->word, room = (scan->end - offset + 7) / 8;
	if (room < left)
		left = room;
	unsigned count = left < 64 ? (unsigned)left : 64;
	window->offset = offset;
	window->bits =
		sw_mask_bits(scan->mask, scan->mask_size, scan->first_bit + scan->word, count);
	scan->word += count;
	return true;
}

void sw_heap_pointers(const struct sw_heap *heap, sw_slot slot, sw_visit_pointer *visit,
		      void *context)
{
	const struct sw_span *span = sw_heap_slot_span(heap, slot);
	struct sw_scanner scan;
	struct sw_window window;

	if (slot - span->first_slot >= span->count)
		return;
	sw_scan_begin(&scan, &heap->space, span, slot - span->first_slot);
	while (sw_scan_next(&scan, &window)) {
		for (; window.bits; window.bits &= window.bits - 1) {
			uint64_t word = (uint64_t)__builtin_ctzll(window.bits);
			sw_addr pointer = sw_scan_word(&scan, &window);
			if (pointer && !visit(context, window.offset + 8 * word, pointer))
				return;
		}
	}
}

void sw_heap_number(struct sw_heap *heap)
{
	uint32_t rank = 0;
	uint64_t bytes = 0;

	for (size_t i = 0; i < heap->block_count; i++) {
		struct sw_block *block = &heap->blocks[i];
		uint32_t marked = (uint32_t)__builtin_popcountll(block->marked);
		block->rank = rank;
		rank += marked;
		bytes += marked * heap->space.spans[block->span].elemsize;
	}
	heap->object_count = rank;
	heap->object_bytes = bytes;
}

sw_slot sw_heap_select(const struct sw_heap *heap, sw_object object)
{
	size_t low = 0, high = heap->block_count; /* rank[low] ≤ object < rank[high] */

	if (object >= heap->object_count)
		return SW_NO_SLOT;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (heap->blocks[middle].rank <= object)
			low = middle;
		else
			high = middle;
	}
	uint64_t marked = heap->blocks[low].marked;
	for (uint32_t skip = object - heap->blocks[low].rank; skip; skip--)
		marked &= marked - 1;
	return (sw_slot)(low * 64 + (unsigned)__builtin_ctzll(marked));
}

struct search {
	const struct sw_heap *heap;
	sw_object target;
	uint64_t offset;
	sw_addr pointer;
	bool is_found;
};

static bool search_pointer(void *context, uint64_t offset, sw_addr pointer)
{
	struct search *search = context;
	search->is_found = sw_heap_object(search->heap, pointer) == search->target;
	search->offset = offset;
	search->pointer = pointer;
	return !search->is_found;
}

bool sw_heap_pointer_to(const struct sw_heap *heap, sw_slot slot, sw_object object,
			uint64_t *offset, sw_addr *pointer)
{
	struct search search = {.heap = heap, .target = object};
	sw_heap_pointers(heap, slot, search_pointer, &search);
	*offset = search.offset;
	*pointer = search.pointer;
	return search.is_found;
}
