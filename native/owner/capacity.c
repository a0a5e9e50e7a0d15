#include "owner/capacity.h"

enum {
	GRAIN = 1 << 16, /* objects */
	MIN_SIZE = 64,	 /* bytes of capacity: less is what the size classes leave */
};

struct search {
	struct sw_fields *fields;
	const struct sw_array_use *use;
	const uint64_t *skipped;
	struct sw_field_sums sums[SW_MAX_WORKERS];
};

/* Is the array too large for what is in it? */
static bool is_over(const struct search *search, sw_object object)
{
	const struct sw_array_use *use = search->use;
	return sw_array_use_is_slice(use, object) && use->ends[object] != UINT32_MAX &&
	       !(search->skipped && sw_bitset_has(search->skipped, object));
}

static struct sw_error *count_array(struct search *search, unsigned worker,
				    const struct sw_view *view)
{
	uint64_t used = search->use->ends[view->object], size = view->cap;
	if (size < MIN_SIZE || used > size / 2)
		return NULL;
	struct sw_field_sum one = {
		.arrays = 1,
		.views = 1,
		.size = size,
		.used = used,
		.wasted = size - used,
		.spare = used ? 0 : size,
		.example = *view,
		.example_wasted = size - used,
	};
	return sw_field_sums_count(&search->sums[worker], sw_field_key(search->fields, view), &one);
}

static struct sw_error *count_objects(void *context, unsigned worker, size_t begin, size_t end)
{
	struct search *search = context;
	struct sw_error *error = NULL;
	struct sw_view view;

	for (size_t i = begin; i < end && !error; i++)
		if (is_over(search, (sw_object)i) &&
		    sw_array_use_first(search->use, search->fields->scan, (sw_object)i, &view))
			error = count_array(search, worker, &view);
	return error;
}

/* Those that a variable has. */
static struct sw_error *count_roots(struct search *search, struct sw_view_scan *scan)
{
	const struct sw_heap *heap = scan->live->heap;
	struct sw_error *error = NULL;
	struct sw_view view;

	for (size_t i = 0; i < heap->root_words.count && !error; i++) {
		sw_object object = sw_heap_object(heap, heap->root_words.items[i].pointer);
		if (object == SW_NO_OBJECT || !is_over(search, object) ||
		    sw_array_use_first_root(search->use, object) != i)
			continue;
		error = sw_view_read_root(scan, i, &view);
		if (!error)
			error = count_array(search, 0, &view);
	}
	return error;
}

static struct sw_error *take(struct search *search, struct sw_fields *fields,
			     struct sw_capacity *out)
{
	struct sw_error *error = NULL;

	for (unsigned i = 0; i < SW_MAX_WORKERS && !error; i++)
		error = sw_field_rows_take(&out->rows, fields, &search->sums[i]);
	for (size_t i = 0; i < out->rows.count; i++) {
		const struct sw_field_sum *sum = &out->rows.items[i].sum;
		out->arrays += sum->arrays;
		out->size += sum->size;
		out->used += sum->used;
		out->wasted += sum->wasted;
		out->empty += sum->spare;
	}
	return error;
}

struct sw_error *sw_capacity_find(struct sw_fields *fields, const struct sw_array_use *use,
				  const uint64_t *skipped, struct sw_capacity *out)
{
	struct search search = {.fields = fields, .use = use, .skipped = skipped};

	*out = (struct sw_capacity){0};
	struct sw_error *error = sw_parallel_for(fields->scan->live->work, "capacity", use->count,
						 GRAIN, count_objects, &search);
	if (!error)
		error = count_roots(&search, fields->scan);
	if (!error)
		error = take(&search, fields, out);
	for (unsigned i = 0; i < SW_MAX_WORKERS; i++)
		sw_field_sums_free(&search.sums[i]);
	return error;
}

void sw_capacity_free(struct sw_capacity *capacity)
{
	sw_field_rows_deinit(&capacity->rows);
}
