/* An object is free in a question when no way from a root to it avoids the pointers that are nil
 * there. So each object gets a bit for each question in which it is still reached: all bits where a
 * way leads around all the objects in question, which one marking of the heap tells; from these
 * objects on the bits are carried along the pointers until none is added. */
#include "view/cut.h"

enum { TICK = 1 << 14 };

struct asking {
	const struct sw_cut *cut;
	uint64_t questions;
	sw_cut_gone *gone;
	void *context;
	uint64_t *reached; /* [object_count]: questions in which an object is reached */
	uint64_t *queued;  /* bits by object */
	sw_slot *ring;
	uint64_t ring_size, first, waiting;
	/* The object whose pointers are followed. */
	uint64_t bits;
	size_t index; /* in cut->objects; count: it is none of them */
};

static size_t opaque_bytes(const struct sw_heap *heap)
{
	return sw_bitset_words(heap->space.slot_count) * sizeof(uint64_t);
}

struct sw_error *sw_cut_init(struct sw_cut *cut, const struct sw_live *live,
			     const sw_object *objects, size_t count)
{
	const struct sw_heap *heap = live->heap;
	uint64_t bytes;

	*cut = (struct sw_cut){.live = live, .objects = objects, .count = count};
	struct sw_error *error =
		sw_work_alloc(live->work, opaque_bytes(heap), "opaque slots", &cut->opaque);
	if (error)
		return error;
	if (heap->opaque)
		memcpy(cut->opaque, heap->opaque, opaque_bytes(heap));
	for (size_t i = 0; i < count; i++)
		sw_bitset_set(cut->opaque, sw_heap_select(heap, objects[i]));
	error = sw_heap_view(&cut->view, heap, live->work);
	if (error)
		return error;
	cut->view.opaque = cut->opaque;
	cut->view.root_words = heap->root_words;
	error = sw_heap_mark(&cut->view, live->work);
	cut->view.root_words = (struct sw_root_words){0};
	if (!error)
		sw_heap_view_lacks(heap, &cut->view, &cut->left, &bytes);
	return error;
}

void sw_cut_deinit(struct sw_cut *cut)
{
	if (cut->view.blocks)
		sw_heap_view_free(&cut->view, cut->live->work);
	if (cut->live)
		sw_work_free(cut->live->work, cut->opaque, opaque_bytes(cut->live->heap));
	*cut = (struct sw_cut){0};
}

/* ---- bits on their way ---- */

static void enqueue(struct asking *asking, sw_object object, sw_slot slot)
{
	if (sw_bitset_has(asking->queued, object) || asking->waiting == asking->ring_size)
		return;
	sw_bitset_set(asking->queued, object);
	asking->ring[(asking->first + asking->waiting++) % asking->ring_size] = slot;
}

static bool follow(void *context, uint64_t offset, sw_addr pointer)
{
	struct asking *asking = context;
	const struct sw_cut *cut = asking->cut;
	const struct sw_heap *heap = cut->live->heap;
	sw_slot slot = sw_heap_slot(heap, pointer);
	uint64_t bits = asking->bits;

	if (slot == SW_NO_SLOT || !sw_heap_is_marked(heap, slot) ||
	    sw_heap_is_marked(&cut->view, slot))
		return true;
	if (asking->index < cut->count)
		bits &= ~asking->gone(asking->context, asking->index, offset);
	sw_object object = sw_heap_rank(heap, slot);
	if (!(bits & ~asking->reached[object]))
		return true;
	asking->reached[object] |= bits;
	enqueue(asking, object, slot);
	return true;
}

static void follow_all(struct asking *asking, sw_object object, sw_slot slot, uint64_t bits)
{
	const struct sw_cut *cut = asking->cut;
	bool is_cut = sw_bitset_has(cut->opaque, slot);

	if (sw_heap_is_opaque(cut->live->heap, slot))
		return;
	asking->bits = bits;
	asking->index = is_cut ? sw_objects_find(cut->objects, cut->count, object) : cut->count;
	sw_heap_pointers(cut->live->heap, slot, follow, asking);
}

static struct sw_error *carry(struct asking *asking)
{
	const struct sw_cut *cut = asking->cut;
	const struct sw_heap *heap = cut->live->heap;
	struct sw_error *error = NULL;

	for (size_t i = 0; i < cut->count; i++) {
		sw_slot slot = sw_heap_select(heap, cut->objects[i]);
		if (sw_heap_is_marked(&cut->view, slot))
			follow_all(asking, cut->objects[i], slot, asking->questions);
	}
	for (uint64_t done = 0; !error && asking->waiting; done++) {
		sw_slot slot = asking->ring[asking->first];
		sw_object object = sw_heap_rank(heap, slot);
		asking->first = (asking->first + 1) % asking->ring_size;
		asking->waiting--;
		sw_bitset_clear(asking->queued, object);
		follow_all(asking, object, slot, asking->reached[object]);
		if (done % TICK == 0)
			error = sw_work_tick(cut->live->work, "retained", 0, 0);
	}
	return error;
}

/* ---- answers ---- */

static void tell(const struct asking *asking, sw_cut_visit *visit)
{
	const struct sw_heap *heap = asking->cut->live->heap;
	for (size_t block = 0; block < heap->block_count; block++) {
		uint64_t bits =
			heap->blocks[block].marked & ~asking->cut->view.blocks[block].marked;
		for (; bits; bits &= bits - 1) {
			sw_slot slot = (sw_slot)(64 * block + (unsigned)__builtin_ctzll(bits));
			sw_object object = sw_heap_rank(heap, slot);
			uint64_t free = asking->questions & ~asking->reached[object];
			if (free)
				visit(asking->context, object,
				      sw_heap_slot_span(heap, slot)->elemsize, free);
		}
	}
}

struct sw_error *sw_cut_ask(const struct sw_cut *cut, uint64_t questions, sw_cut_gone *gone,
			    sw_cut_visit *visit, void *context)
{
	struct sw_work *work = cut->live->work;
	size_t count = cut->live->heap->object_count;
	size_t reached = count * sizeof(uint64_t), queued = sw_bitset_words(count) * 8;
	struct asking asking = {
		.cut = cut,
		.questions = questions,
		.gone = gone,
		.context = context,
		.ring_size = cut->left + 1,
	};
	size_t ring = asking.ring_size * sizeof(*asking.ring);

	struct sw_error *error = sw_work_alloc(work, reached, "retained", &asking.reached);
	if (!error)
		error = sw_work_alloc(work, queued, "retained", &asking.queued);
	if (!error)
		error = sw_work_alloc(work, ring, "retained", &asking.ring);
	if (!error)
		error = carry(&asking);
	if (!error)
		tell(&asking, visit);
	sw_work_free(work, asking.ring, ring);
	sw_work_free(work, asking.queued, queued);
	sw_work_free(work, asking.reached, reached);
	return error;
}
