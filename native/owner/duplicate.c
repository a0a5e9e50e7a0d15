#include "owner/duplicate.h"

enum {
	RANGE = 1024, /* blocks whose places are counted and put down together */
	PARTS = 256,  /* by the highest byte of the hash */
	GRAIN = 1 << 16,
	COUNT_SHIFT = 48, /* of `saved`: places above bytes */
};

/* A string's bytes. */
struct place {
	uint64_t hash;
	sw_object object;
	uint32_t offset; /* into the object */
};

struct search {
	struct sw_fields *fields;
	const struct sw_live *live;
	const struct sw_array_use *use;
	size_t range_count;
	uint64_t *ranges; /* [range_count + 1]: where the places of a range begin */
	struct place *places, *sorted;
	uint64_t parts[PARTS + 1]; /* where they begin in `sorted` */
	uint64_t *saved;	   /* [object_count] */
	struct sw_duplicates found[SW_MAX_WORKERS];
	struct sw_field_sums sums[SW_MAX_WORKERS];
};

/* ---- places ---- */

/* Most of an object is one string. */
static bool is_whole(const struct sw_array_use *use, sw_object object, uint64_t room)
{
	return use->flags[object] == SW_ARRAY_IS_STRING && use->ends[object] != UINT32_MAX &&
	       use->ends[object] > room / 2;
}

/* Visits the places of an object; its value begins at `bytes` and has `room`. Returns how many. */
typedef void visit_place(struct place *out, sw_object object, uint32_t offset, const uint8_t *bytes,
			 uint64_t len);

static size_t visit_places(const struct sw_array_use *use, sw_object object, const uint8_t *bytes,
			   uint64_t room, visit_place *visit, struct place *out)
{
	size_t count = 0;

	if (is_whole(use, object, room)) {
		if (visit)
			visit(out, object, 0, bytes, use->ends[object]);
		return 1;
	}
	if (room != SW_TINY_SIZE || use->flags[object] & SW_ARRAY_IS_STRING)
		return 0;
	for (uint32_t offset = 0; offset < SW_TINY_SIZE;) {
		uint64_t len = use->shorts[object] >> (4 * offset) & 15;
		if (!len || len > SW_TINY_SIZE - offset) {
			offset++;
			continue;
		}
		if (visit)
			visit(out + count, object, offset, bytes + offset, len);
		count++;
		offset += (uint32_t)len; /* what begins within it is a part of it */
	}
	return count;
}

static uint64_t len_of(const struct search *search, const struct place *place)
{
	if (search->use->flags[place->object] & SW_ARRAY_IS_STRING)
		return search->use->ends[place->object];
	return search->use->shorts[place->object] >> (4 * place->offset) & 15;
}

/* ---- hashes ---- */

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15;
	return hash ^ hash >> 32;
}

static uint64_t hash_of(const uint8_t *bytes, uint64_t len)
{
	uint64_t hash = mix(0x243f6a8885a308d3, len), last = 0;
	for (; len >= 8; bytes += 8, len -= 8)
		hash = mix(hash, sw_load64(bytes));
	memcpy(&last, bytes, len);
	return mix(mix(hash, last), 0);
}

static void put_place(struct place *out, sw_object object, uint32_t offset, const uint8_t *bytes,
		      uint64_t len)
{
	*out = (struct place){hash_of(bytes, len), object, offset};
}

/* ---- gathering: counted first, so that each range knows where its places go ---- */

static size_t visit_block(const struct search *search, size_t number, visit_place *visit,
			  struct place *out)
{
	const struct sw_heap *heap = search->live->heap;
	const struct sw_block *block = &heap->blocks[number];
	const struct sw_span *span = &heap->space.spans[block->span];
	sw_object object = block->rank;
	size_t count = 0;

	if (span->scan != SW_SCAN_NONE || !span->bytes)
		return 0;
	for (uint64_t bits = block->marked; bits; bits &= bits - 1, object++) {
		uint64_t index = number * 64 + (unsigned)__builtin_ctzll(bits) - span->first_slot;
		if (search->use->firsts[object])
			count += visit_places(search->use, object,
					      span->bytes + index * span->elemsize, span->elemsize,
					      visit, out ? out + count : NULL);
	}
	return count;
}

static size_t visit_range(const struct search *search, size_t range, visit_place *visit,
			  struct place *out)
{
	size_t end = (range + 1) * RANGE, blocks = search->live->heap->block_count, count = 0;
	for (size_t i = range * RANGE; i < end && i < blocks; i++)
		count += visit_block(search, i, visit, out ? out + count : NULL);
	return count;
}

static struct sw_error *count_ranges(void *context, unsigned worker, size_t begin, size_t end)
{
	struct search *search = context;
	(void)worker;
	for (size_t i = begin; i < end; i++)
		search->ranges[i + 1] = visit_range(search, i, NULL, NULL);
	return NULL;
}

static struct sw_error *put_ranges(void *context, unsigned worker, size_t begin, size_t end)
{
	struct search *search = context;
	(void)worker;
	for (size_t i = begin; i < end; i++)
		visit_range(search, i, put_place, search->places + search->ranges[i]);
	return NULL;
}

static void part(struct search *search, size_t count)
{
	uint64_t next[PARTS];

	for (size_t i = 0; i < count; i++)
		search->parts[(search->places[i].hash >> 56) + 1]++;
	for (size_t i = 0; i < PARTS; i++) {
		search->parts[i + 1] += search->parts[i];
		next[i] = search->parts[i];
	}
	for (size_t i = 0; i < count; i++)
		search->sorted[next[search->places[i].hash >> 56]++] = search->places[i];
}

/* ---- comparing ---- */

static int by_hash(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	if (x->object != y->object)
		return x->object < y->object ? -1 : 1;
	return (x->offset > y->offset) - (x->offset < y->offset);
}

static const uint8_t *bytes_of(const struct search *search, const struct place *place)
{
	const struct sw_heap *heap = search->live->heap;
	sw_slot slot = sw_heap_select(heap, place->object);
	const struct sw_span *span = sw_heap_slot_span(heap, slot);
	return span->bytes + (uint64_t)(slot - span->first_slot) * span->elemsize + place->offset;
}

static int by_waste(const void *a, const void *b)
{
	const struct sw_duplicate_text *x = a, *y = b;
	if (x->wasted != y->wasted)
		return x->wasted < y->wasted ? 1 : -1;
	return (x->addr > y->addr) - (x->addr < y->addr);
}

static void cut(struct sw_duplicate_texts *texts)
{
	if (texts->count > 1)
		qsort(texts->items, texts->count, sizeof(*texts->items), by_waste);
	if (texts->count > SW_DUPLICATE_TEXTS)
		texts->count = SW_DUPLICATE_TEXTS;
}

static struct sw_error *keep(struct sw_duplicates *found, const struct sw_duplicate_text *text)
{
	if (found->most.count == (size_t)4 * SW_DUPLICATE_TEXTS)
		cut(&found->most);
	return sw_duplicate_texts_add(&found->most, *text);
}

/* What one of the same text more costs. */
static uint64_t cost(struct search *search, const struct place *place, uint64_t len)
{
	bool is_object = search->use->flags[place->object] & SW_ARRAY_IS_STRING;
	uint64_t bytes = is_object ? sw_heap_size(search->live->heap, place->object) : len;
	__atomic_fetch_add(&search->saved[place->object], (uint64_t)1 << COUNT_SHIFT | bytes,
			   __ATOMIC_RELAXED);
	return bytes;
}

/* Places of the same hash; another text among them would be a wonder, and counts as none. */
static struct sw_error *compare(struct search *search, unsigned worker, const struct place *places,
				size_t count)
{
	struct sw_duplicates *found = &search->found[worker];
	uint64_t len = len_of(search, places);
	const uint8_t *bytes = bytes_of(search, places);
	struct sw_duplicate_text text = {.len = len, .places = 1};

	for (size_t i = 1; i < count; i++) {
		if (len_of(search, &places[i]) != len ||
		    memcmp(bytes, bytes_of(search, &places[i]), len) != 0)
			continue;
		text.wasted += cost(search, &places[i], len);
		text.places++;
	}
	if (text.places == 1)
		return NULL;
	text.addr = sw_heap_address(search->live->heap, places->object) + places->offset;
	found->arrays += text.places - 1;
	found->wasted += text.wasted;
	found->texts++;
	return keep(found, &text);
}

static struct sw_error *compare_parts(void *context, unsigned worker, size_t begin, size_t end)
{
	struct search *search = context;
	struct sw_error *error = NULL;

	for (size_t i = begin; i < end && !error; i++) {
		struct place *places = search->sorted + search->parts[i];
		size_t count = (size_t)(search->parts[i + 1] - search->parts[i]), run;
		if (count > 1)
			qsort(places, count, sizeof(*places), by_hash);
		for (size_t at = 0; at < count && !error; at += run) {
			for (run = 1; at + run < count && places[at + run].hash == places[at].hash;)
				run++;
			if (run > 1)
				error = compare(search, worker, places + at, run);
		}
	}
	return error;
}

/* ---- fields ---- */

static struct sw_error *count_field(struct search *search, unsigned worker, sw_object object,
				    const struct sw_view *view)
{
	uint64_t saved = search->saved[object];
	uint64_t bytes = saved & (((uint64_t)1 << COUNT_SHIFT) - 1);
	struct sw_field_sum one = {.arrays = saved >> COUNT_SHIFT,
				   .views = saved >> COUNT_SHIFT,
				   .size = bytes,
				   .wasted = bytes,
				   .example = *view,
				   .example_wasted = bytes};
	return sw_field_sums_count(&search->sums[worker], sw_field_key(search->fields, view), &one);
}

static struct sw_error *count_fields(void *context, unsigned worker, size_t begin, size_t end)
{
	struct search *search = context;
	struct sw_error *error = NULL;
	struct sw_view view;

	for (size_t i = begin; i < end && !error; i++)
		if (search->saved[i] &&
		    sw_array_use_first(search->use, search->fields->scan, (sw_object)i, &view))
			error = count_field(search, worker, (sw_object)i, &view);
	return error;
}

static struct sw_error *count_roots(struct search *search)
{
	const struct sw_heap *heap = search->live->heap;
	struct sw_error *error = NULL;
	struct sw_view view;

	for (size_t i = 0; i < heap->root_words.count && !error; i++) {
		sw_object object = sw_heap_object(heap, heap->root_words.items[i].pointer);
		if (object == SW_NO_OBJECT || !search->saved[object] ||
		    sw_array_use_first_root(search->use, object) != i)
			continue;
		error = sw_view_read_root(search->fields->scan, i, &view);
		if (!error)
			error = count_field(search, 0, object, &view);
	}
	return error;
}

/* ---- the whole ---- */

static struct sw_error *gather(struct search *search, size_t *count)
{
	struct sw_work *work = search->live->work;
	static const char what[] = "texts of strings";

	struct sw_error *error =
		sw_parallel_for(work, what, search->range_count, 1, count_ranges, search);
	for (size_t i = 0; i < search->range_count; i++)
		search->ranges[i + 1] += search->ranges[i];
	*count = search->ranges[search->range_count];
	if (!error)
		error = sw_work_alloc(work, *count * sizeof(struct place), what, &search->places);
	if (!error)
		error = sw_work_alloc(work, *count * sizeof(struct place), what, &search->sorted);
	if (!error)
		error = sw_parallel_for(work, what, search->range_count, 1, put_ranges, search);
	if (!error)
		part(search, *count);
	return error;
}

static struct sw_error *sum(struct search *search, struct sw_duplicates *out)
{
	struct sw_error *error = NULL;

	for (unsigned i = 0; i < SW_MAX_WORKERS && !error; i++) {
		struct sw_duplicates *found = &search->found[i];
		out->arrays += found->arrays;
		out->wasted += found->wasted;
		out->texts += found->texts;
		for (size_t j = 0; j < found->most.count && !error; j++)
			error = keep(out, &found->most.items[j]);
		if (!error)
			error = sw_field_rows_take(&out->rows, search->fields, &search->sums[i]);
	}
	cut(&out->most);
	return error;
}

static struct sw_error *find(struct search *search, struct sw_duplicates *out)
{
	struct sw_work *work = search->live->work;
	size_t count = 0;

	struct sw_error *error = gather(search, &count);
	out->strings = count;
	if (!error)
		error = sw_parallel_for(work, "texts of strings", PARTS, 1, compare_parts, search);
	if (!error)
		error = sw_parallel_for(work, "texts of strings", search->use->count, GRAIN,
					count_fields, search);
	if (!error)
		error = count_roots(search);
	if (!error)
		error = sum(search, out);
	sw_work_free(work, search->places, count * sizeof(struct place));
	sw_work_free(work, search->sorted, count * sizeof(struct place));
	return error;
}

struct sw_error *sw_duplicates_find(struct sw_fields *fields, const struct sw_array_use *use,
				    struct sw_duplicates *out)
{
	const struct sw_live *live = fields->scan->live;
	struct sw_work *work = live->work;
	struct search *search = calloc(1, sizeof(*search));

	*out = (struct sw_duplicates){0};
	if (!search)
		return sw_error_memory();
	search->fields = fields;
	search->live = live;
	search->use = use;
	search->range_count = (live->heap->block_count + RANGE - 1) / RANGE;
	size_t ranges = (search->range_count + 1) * sizeof(*search->ranges);
	size_t saved = use->count * sizeof(*search->saved);

	struct sw_error *error = sw_work_alloc(work, ranges, "texts of strings", &search->ranges);
	if (!error)
		error = sw_work_alloc(work, saved, "texts of strings", &search->saved);
	if (!error)
		error = find(search, out);
	sw_work_free(work, search->ranges, ranges);
	sw_work_free(work, search->saved, saved);
	for (unsigned i = 0; i < SW_MAX_WORKERS; i++) {
		sw_duplicate_texts_free(&search->found[i].most);
		sw_field_sums_free(&search->sums[i]);
	}
	free(search);
	return error;
}

void sw_duplicates_free(struct sw_duplicates *duplicates)
{
	sw_duplicate_texts_free(&duplicates->most);
	sw_field_rows_deinit(&duplicates->rows);
}
