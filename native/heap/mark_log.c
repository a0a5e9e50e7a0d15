/* Marks written down call by call, to be set again. */
#include "heap/heap.h"

/* The bits of a block that are slots of its span. */
static uint64_t slots_of(const struct sw_heap *heap, size_t block)
{
	const struct sw_span *span = &heap->space.spans[heap->blocks[block].span];
	uint64_t first = 64 * (uint64_t)block - span->first_slot;
	uint64_t left = span->count - first;
	return left >= 64 ? UINT64_MAX : ((uint64_t)1 << left) - 1;
}

/* A call sets what was clear, and slots only. */
static bool is_possible(const struct sw_heap *heap, const uint64_t *marked)
{
	for (size_t i = 0; i < heap->block_count; i++)
		if (marked[i] & (heap->blocks[i].marked | ~slots_of(heap, i)))
			return false;
	return true;
}

bool sw_mark_log_replay(struct sw_mark_log *log, struct sw_heap *heap)
{
	if (log->replayed == log->given)
		return false;
	const struct sw_mark_call *call = &log->calls.items[log->replayed];
	if (log->block_count != heap->block_count || !is_possible(heap, call->marked)) {
		log->calls.count = log->given = log->replayed;
		return false;
	}
	for (size_t i = 0; i < heap->block_count; i++)
		heap->blocks[i].marked |= call->marked[i];
	heap->unread_objects += call->unread_objects;
	log->replayed++;
	return true;
}

struct sw_error *sw_mark_log_copy(const struct sw_heap *heap, struct sw_work *work,
				  uint64_t **before)
{
	struct sw_error *error =
		sw_work_alloc(work, heap->block_count * sizeof(**before), "marks to keep", before);
	for (size_t i = 0; !error && i < heap->block_count; i++)
		(*before)[i] = heap->blocks[i].marked;
	return error;
}

struct sw_error *sw_mark_log_add(struct sw_mark_log *log, const struct sw_heap *heap,
				 struct sw_work *work, uint64_t *before, uint64_t unread_objects)
{
	log->block_count = heap->block_count;
	for (size_t i = 0; i < heap->block_count; i++)
		before[i] ^= heap->blocks[i].marked;
	struct sw_error *error =
		sw_mark_calls_add(&log->calls, (struct sw_mark_call){before, unread_objects});
	if (error)
		sw_work_free(work, before, heap->block_count * sizeof(*before));
	return error;
}

void sw_mark_log_free(struct sw_mark_log *log, struct sw_work *work)
{
	for (size_t i = log->given; i < log->calls.count; i++)
		sw_work_free(work, (void *)(uintptr_t)log->calls.items[i].marked,
			     log->block_count * sizeof(uint64_t));
	sw_mark_calls_free(&log->calls);
	*log = (struct sw_mark_log){0};
}
