#include "view/array_use.h"

/* What `firsts` has beside an address or, of a root, the number of the word: the lowest counts. A
 * stranger is who is not the parent in the graph. */
static const uint64_t of_string = (uint64_t)1 << 62, of_other = (uint64_t)2 << 62,
		      of_root = (uint64_t)1 << 61, of_stranger = (uint64_t)1 << 60,
		      of_place = of_stranger - 1;

struct pass {
	struct sw_array_use *use;
	const struct sw_heap *heap;
	const struct sw_graph *graph;
};

/* ---- for several threads: a word only falls, only rises, only gains bits ---- */

static void raise32(uint32_t *word, uint32_t value)
{
	uint32_t old = __atomic_load_n(word, __ATOMIC_RELAXED);
	while (old < value && !__atomic_compare_exchange_n(word, &old, value, true,
							   __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

/* 0 is more than all. */
static void lower64(uint64_t *word, uint64_t value)
{
	uint64_t old = __atomic_load_n(word, __ATOMIC_RELAXED);
	while (old - 1 > value - 1 &&
	       !__atomic_compare_exchange_n(word, &old, value, true, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED))
		;
}

static void raise_nibble(uint64_t *word, unsigned shift, uint64_t value)
{
	uint64_t old = __atomic_load_n(word, __ATOMIC_RELAXED), changed;
	do {
		if ((old >> shift & 15) >= value)
			return;
		changed = (old & ~((uint64_t)15 << shift)) | value << shift;
	} while (!__atomic_compare_exchange_n(word, &old, changed, true, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
}

static void set_flag(uint8_t *flags, uint8_t flag)
{
	if (!(__atomic_load_n(flags, __ATOMIC_RELAXED) & flag))
		__atomic_fetch_or(flags, flag, __ATOMIC_RELAXED);
}

/* ---- the pass ---- */

static void take_place(struct pass *pass, const struct sw_view *view, uint64_t place,
		       bool is_string, bool is_short)
{
	bool is_slice = view->kind == SW_VIEW_SLICE && view->is_len_known;

	if (view->offset && !is_short)
		return;
	if (!is_slice)
		place |= is_string ? of_string : of_other;
	if (pass->graph->parent[view->object] != view->holder)
		place |= of_stranger;
	lower64(&pass->use->firsts[view->object], place);
}

static void take(struct pass *pass, const struct sw_view *view, uint64_t room, uint64_t place)
{
	struct sw_array_use *use = pass->use;
	sw_object object = view->object;
	uint64_t end = view->is_len_known ? view->offset + view->len : UINT32_MAX;
	bool is_string = view->kind == SW_VIEW_STRING && view->is_len_known;
	bool is_short = is_string && room == SW_TINY_SIZE && view->len < SW_TINY_SIZE;

	raise32(&use->ends[object], end < UINT32_MAX ? (uint32_t)end : UINT32_MAX);
	if (is_short)
		raise_nibble(&use->shorts[object], (unsigned)view->offset * 4 & 63, view->len);
	else if (!is_string)
		set_flag(&use->flags[object], SW_ARRAY_IS_OTHERWISE);
	else if (!view->offset)
		set_flag(&use->flags[object], SW_ARRAY_IS_STRING);
	if (view->holder != object)
		take_place(pass, view, place, is_string, is_short);
}

static struct sw_error *visit(void *context, unsigned worker, const struct sw_view *view,
			      uint64_t room)
{
	(void)worker;
	take(context, view, room, view->at);
	return NULL;
}

static void prefetch(void *context, sw_object object)
{
	const struct pass *pass = context;

	__builtin_prefetch(&pass->use->ends[object], 1);
	__builtin_prefetch(&pass->use->firsts[object], 1);
	__builtin_prefetch(&pass->use->flags[object], 1);
	__builtin_prefetch(&pass->graph->parent[object]);
}

static struct sw_error *take_roots(struct pass *pass, struct sw_view_scan *scan)
{
	struct sw_error *error = NULL;
	struct sw_view view;

	for (size_t i = 0; i < pass->heap->root_words.count && !error; i++) {
		error = sw_view_read_root(scan, i, &view);
		if (!error && view.object != SW_NO_OBJECT)
			take(pass, &view, sw_view_room(scan->live, view.object), of_root | i);
	}
	return error;
}

struct sw_error *sw_array_use_build(struct sw_array_use *use, struct sw_view_scan *scan)
{
	const struct sw_live *live = scan->live;
	struct sw_work *work = live->work;
	struct pass pass = {.use = use, .heap = live->heap, .graph = live->graph};
	size_t count = live->heap->object_count;
	static const char what[] = "the use of arrays";

	*use = (struct sw_array_use){.count = live->heap->object_count};
	struct sw_error *error = sw_work_alloc(work, count * sizeof(*use->ends), what, &use->ends);
	if (!error)
		error = sw_work_alloc(work, count * sizeof(*use->firsts), what, &use->firsts);
	if (!error)
		error = sw_work_alloc(work, count * sizeof(*use->shorts), what, &use->shorts);
	if (!error)
		error = sw_work_alloc(work, count * sizeof(*use->flags), what, &use->flags);
	if (!error)
		error = sw_view_scan_objects(scan, SW_TINY_SIZE, visit, prefetch, &pass);
	if (!error)
		error = take_roots(&pass, scan);
	if (error)
		sw_array_use_free(use, work);
	return error;
}

void sw_array_use_free(struct sw_array_use *use, struct sw_work *work)
{
	sw_work_free(work, use->ends, use->count * sizeof(*use->ends));
	sw_work_free(work, use->firsts, use->count * sizeof(*use->firsts));
	sw_work_free(work, use->shorts, use->count * sizeof(*use->shorts));
	sw_work_free(work, use->flags, use->count * sizeof(*use->flags));
	*use = (struct sw_array_use){0};
}

/* ---- the first view ---- */

bool sw_array_use_is_slice(const struct sw_array_use *use, sw_object object)
{
	return use->firsts[object] && !(use->firsts[object] & (of_string | of_other));
}

size_t sw_array_use_first_root(const struct sw_array_use *use, sw_object object)
{
	uint64_t place = use->firsts[object];
	return place & of_root ? (size_t)(place & of_place) : SIZE_MAX;
}

bool sw_array_use_place(const struct sw_array_use *use, const struct sw_heap *heap,
			sw_object object, struct sw_view *out)
{
	size_t word = sw_array_use_first_root(use, object);
	sw_addr at = use->firsts[object] & of_place;

	if (word < heap->root_words.count) {
		const struct sw_root_word *root = &heap->root_words.items[word];
		*out = (struct sw_view){.at = root->at,
					.holder = heap->object_count + root->root,
					.object = object};
		return true;
	}
	*out = (struct sw_view){.at = at, .holder = sw_heap_object(heap, at), .object = object};
	return at && out->holder != SW_NO_OBJECT;
}

bool sw_array_use_first(const struct sw_array_use *use, const struct sw_view_scan *scan,
			sw_object object, struct sw_view *out)
{
	uint64_t place = use->firsts[object];
	return place && !(place & (of_root | of_other)) &&
	       sw_view_read(scan, place & of_place, out) && out->object == object;
}
