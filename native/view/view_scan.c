#include "view/view_word.h"

#include "heap/scan.h"

enum {
	GRAIN = 64,	   /* blocks */
	PIECE = 128 << 10, /* bytes of a large object that are looked at in one go */
	BATCH = 128,	   /* pointers whose objects are on their way from memory */
};

/* ---- the pointers of objects ---- */

struct pass {
	const struct sw_view_scan *scan;
	uint64_t min_bytes;
	sw_object target; /* alone, or SW_NO_OBJECT */
	sw_prefetch_object *prefetch;
	sw_visit_view *visit;
	void *context;
	struct sw_slot_pieces *pieces;
};

/* A pointer that leads to where it may be wanted, and where it stands. */
struct word {
	sw_addr pointer;
	const struct sw_span *to, *from;
	uint64_t offset; /* into the slot */
	uint32_t index;	 /* of the slot */
	sw_object holder;
	struct sw_view_target target;
};

struct batch {
	const struct pass *pass;
	unsigned worker, count;
	struct sw_view view; /* that is visited */
	struct word words[BATCH];
};

/* A large object's part. */
struct piece {
	sw_slot slot;
	uint64_t begin;
};
SW_VECTOR(struct piece, sw_slot_pieces);

/* Keeps what leads to objects that are wanted, and asks for what will be looked at. */
static void resolve_targets(struct batch *batch)
{
	const struct pass *pass = batch->pass;
	const struct sw_live *live = pass->scan->live;
	unsigned kept = 0;

	for (unsigned i = 0; i < batch->count; i++) {
		struct word *word = &batch->words[i];
		if (!sw_view_find_target(live->heap, word->to, word->pointer, &word->target) ||
		    (pass->target != SW_NO_OBJECT && pass->target != word->target.object))
			continue;
		if (word->target.object < live->typing->object_count)
			__builtin_prefetch(&live->typing->types[word->target.object]);
		if (pass->prefetch)
			pass->prefetch(pass->context, word->target.object);
		batch->words[kept++] = *word;
	}
	batch->count = kept;
}

static struct sw_error *flush(struct batch *batch)
{
	const struct pass *pass = batch->pass;
	struct sw_error *error = NULL;

	resolve_targets(batch);
	for (unsigned i = 0; i < batch->count && !error; i++) {
		const struct word *word = &batch->words[i];
		batch->view = sw_view_at(pass->scan, word->from, word->index, word->holder,
					 word->offset, &word->target);
		error = pass->visit(pass->context, batch->worker, &batch->view, word->target.room);
	}
	batch->count = 0;
	return error;
}

/* The pointers of a slot that stand in [begin, end) of it. Nearly all lead to small objects: the
 * span tells. */
static struct sw_error *visit_slot(struct batch *batch, const struct sw_span *span, uint32_t index,
				   sw_object holder, uint64_t begin, uint64_t end)
{
	const struct sw_heap *heap = batch->pass->scan->live->heap;
	struct sw_scanner scan;
	struct sw_window window;

	scan.stride = 1; /* of a scan that has nothing to say */
	sw_scan_begin(&scan, &heap->space, span, index);
	sw_scan_range(&scan, begin, end);
	while (sw_scan_next(&scan, &window))
		for (; window.bits; window.bits &= window.bits - 1) {
			sw_addr pointer = sw_scan_word(&scan, &window);
			const struct sw_span *to = sw_heap_span(heap, pointer);
			if (!to || to->elemsize < batch->pass->min_bytes)
				continue;
			__builtin_prefetch(
				&heap->blocks[(to->first_slot + sw_span_index(to, pointer)) / 64]);
			batch->words[batch->count++] = (struct word){
				.pointer = pointer,
				.to = to,
				.from = span,
				.offset =
					window.offset + 8 * (uint64_t)__builtin_ctzll(window.bits),
				.index = index,
				.holder = holder,
			};
			struct sw_error *error = batch->count == BATCH ? flush(batch) : NULL;
			if (error)
				return error;
		}
	return NULL;
}

static struct sw_error *visit_block(struct batch *batch, size_t number)
{
	const struct sw_heap *heap = batch->pass->scan->live->heap;
	const struct sw_block *block = &heap->blocks[number];
	const struct sw_span *span = &heap->space.spans[block->span];
	uint32_t first = (uint32_t)(number * 64 - span->first_slot);
	sw_object object = block->rank;
	struct sw_error *error = NULL;

	if (span->scan == SW_SCAN_NONE || !span->bytes || span->elemsize > PIECE)
		return NULL;
	for (uint64_t bits = block->marked; bits; bits &= bits - 1)
		sw_scan_prefetch(span, first + (uint32_t)__builtin_ctzll(bits), 0);
	for (uint64_t bits = block->marked; bits && !error; bits &= bits - 1, object++) {
		uint32_t index = first + (uint32_t)__builtin_ctzll(bits);
		if (!sw_heap_is_opaque(heap, span->first_slot + index))
			error = visit_slot(batch, span, index, object, 0, span->elemsize);
	}
	return error;
}

static struct sw_error *visit_piece(struct batch *batch, const struct piece *piece)
{
	const struct sw_heap *heap = batch->pass->scan->live->heap;
	const struct sw_span *span = sw_heap_slot_span(heap, piece->slot);

	return visit_slot(batch, span, piece->slot - span->first_slot,
			  sw_heap_rank(heap, piece->slot), piece->begin, piece->begin + PIECE);
}

static struct sw_error *visit_range(void *context, unsigned worker, size_t begin, size_t end)
{
	const struct pass *pass = context;
	struct batch batch = {.pass = pass, .worker = worker};
	size_t blocks = pass->scan->live->heap->block_count;
	struct sw_error *error = NULL;

	for (size_t i = begin; i < end && !error; i++)
		error = i < blocks ? visit_block(&batch, i)
				   : visit_piece(&batch, &pass->pieces->items[i - blocks]);
	return error ? error : flush(&batch);
}

/* Large objects in pieces: a single one may be most of a heap. */
static struct sw_error *list_pieces(const struct sw_heap *heap, struct sw_slot_pieces *pieces)
{
	struct sw_error *error = NULL;

	for (size_t i = 0; i < heap->space.span_count; i++) {
		const struct sw_span *span = &heap->space.spans[i];
		if (span->scan == SW_SCAN_NONE || !span->bytes || span->elemsize <= PIECE)
			continue;
		for (uint32_t j = 0; j < span->count; j++) {
			sw_slot slot = span->first_slot + j;
			bool is_holder =
				sw_heap_is_marked(heap, slot) && !sw_heap_is_opaque(heap, slot);
			for (uint64_t at = 0; is_holder && !error && at < span->elemsize;
			     at += PIECE)
				error = sw_slot_pieces_add(pieces, (struct piece){slot, at});
		}
		if (error)
			return error;
	}
	return NULL;
}

struct sw_error *sw_view_scan_objects(struct sw_view_scan *scan, uint64_t min_bytes,
				      sw_visit_view *visit, sw_prefetch_object *prefetch,
				      void *context)
{
	const struct sw_live *live = scan->live;
	struct sw_slot_pieces pieces = {0};
	struct pass pass = {.scan = scan,
			    .min_bytes = min_bytes,
			    .target = SW_NO_OBJECT,
			    .prefetch = prefetch,
			    .visit = visit,
			    .context = context,
			    .pieces = &pieces};

	struct sw_error *error = list_pieces(live->heap, &pieces);
	if (!error)
		error = sw_parallel_for(live->work, "views", live->heap->block_count + pieces.count,
					GRAIN, visit_range, &pass);
	sw_slot_pieces_free(&pieces);
	return error;
}

struct sw_error *sw_view_scan_all(struct sw_view_scan *scan, uint64_t min_bytes,
				  sw_visit_view *visit, void *context)
{
	struct sw_error *error = sw_view_scan_objects(scan, min_bytes, visit, NULL, context);
	return error ? error : sw_view_scan_roots(scan, min_bytes, SW_NO_OBJECT, visit, context);
}

struct sw_error *sw_view_scan_holder(struct sw_view_scan *scan, sw_object holder, sw_object target,
				     sw_visit_view *visit, void *context)
{
	const struct sw_heap *heap = scan->live->heap;
	sw_slot slot = sw_heap_select(heap, holder);
	const struct sw_span *span = sw_heap_slot_span(heap, slot);
	struct pass pass = {.scan = scan, .target = target, .visit = visit, .context = context};
	struct batch batch = {.pass = &pass};

	struct sw_error *error = sw_view_plans_make(&scan->plans, sw_live_type(scan->live, holder));
	if (!error)
		error = sw_view_plans_make(&scan->plans, sw_live_type(scan->live, target));
	if (error || span->scan == SW_SCAN_NONE || !span->bytes || sw_heap_is_opaque(heap, slot))
		return error;
	error = visit_slot(&batch, span, slot - span->first_slot, holder, 0, span->elemsize);
	return error ? error : flush(&batch);
}

/* ---- roots ---- */

struct sw_error *sw_view_scan_roots(struct sw_view_scan *scan, uint64_t min_bytes, sw_object target,
				    sw_visit_view *visit, void *context)
{
	const struct sw_heap *heap = scan->live->heap;
	const struct sw_root_words *words = &heap->root_words;
	struct sw_error *error = NULL;
	struct sw_view_target place;
	struct sw_view view;

	if (target != SW_NO_OBJECT)
		error = sw_view_plans_make(&scan->plans, sw_live_type(scan->live, target));
	for (size_t i = 0; i < words->count && !error; i++) {
		sw_addr pointer = words->items[i].pointer;
		const struct sw_span *span = sw_heap_span(heap, pointer);
		if (!span || span->elemsize < min_bytes ||
		    !sw_view_find_target(heap, span, pointer, &place) ||
		    (target != SW_NO_OBJECT && target != place.object))
			continue;
		error = sw_view_at_root(scan, i, &place, &view);
		if (!error)
			error = visit(context, 0, &view, place.room);
	}
	return error;
}

/* ---- plans ---- */

/* Types of objects are few, objects many. */
struct sw_error *sw_view_scan_init(struct sw_view_scan *scan, const struct sw_live *live)
{
	uint32_t count = sw_types_count(live->types);
	uint64_t *seen = calloc(sw_bitset_words(count) + 1, sizeof(*seen));
	struct sw_error *error = seen ? NULL : sw_error_memory();

	*scan = (struct sw_view_scan){.live = live, .plans = {.types = live->types}};
	for (uint32_t i = 0; !error && i < live->typing->object_count; i++) {
		sw_type type = live->typing->types[i];
		if (!type || type >= count || sw_bitset_has(seen, type))
			continue;
		sw_bitset_set(seen, type);
		error = sw_view_plans_make(&scan->plans, type);
	}
	free(seen);
	return error;
}

void sw_view_scan_deinit(struct sw_view_scan *scan)
{
	sw_view_plans_free(&scan->plans);
}
