#include "owner/pinned.h"

struct search {
	struct sw_fields *fields;
	double min_wasted;
	struct sw_field_sums sums;
	struct sw_pinned *out;
};

/* ---- one array ---- */

static bool is_owner(const struct sw_view *view)
{
	return view->kind == SW_VIEW_SLICE && !view->offset;
}

/* Bytes of the array that the views reach, as far as that is known; with all that slices could
 * append to when `is_greedy`. */
static uint64_t reached(const struct sw_view *views, size_t count, uint64_t room, bool is_greedy)
{
	uint64_t bytes = 0, end = 0;

	for (size_t i = 0; i < count; i++) {
		bool has_cap = is_owner(&views[i]) || (is_greedy && views[i].kind == SW_VIEW_SLICE);
		uint64_t from = views[i].offset,
			 to = from + (has_cap ? views[i].cap : views[i].len);
		if (!views[i].is_len_known || to < from)
			continue;
		if (to > room)
			to = room;
		if (from < end)
			from = end;
		if (to > from) {
			bytes += to - from;
			end = to;
		}
	}
	return bytes;
}

static bool has_unknown(const struct sw_view *views, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!views[i].is_len_known)
			return true;
	return false;
}

/* ---- whose it is ---- */

static int by_key(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

/* The key that most of the views have, of equals the lowest. */
static uint64_t most_common(uint64_t *keys, size_t count)
{
	uint64_t best = keys[0];
	size_t best_run = 0;

	qsort(keys, count, sizeof(*keys), by_key);
	for (size_t i = 0, run; i < count; i += run) {
		for (run = 1; i + run < count && keys[i + run] == keys[i];)
			run++;
		if (run > best_run) {
			best_run = run;
			best = keys[i];
		}
	}
	return best;
}

static struct sw_error *find_key(const struct search *search, const struct sw_view *views,
				 size_t count, uint64_t *out, struct sw_view *example)
{
	enum { FEW = 64 };
	uint64_t few[FEW], *keys = count <= FEW ? few : malloc(count * sizeof(*keys));

	if (!keys)
		return sw_error_memory();
	for (size_t i = 0; i < count; i++)
		keys[i] = sw_field_key(search->fields, &views[i]);
	*out = most_common(keys, count);
	if (keys != few)
		free(keys);
	for (size_t i = count; i--;)
		if (sw_field_key(search->fields, &views[i]) == *out)
			*example = views[i];
	return NULL;
}

/* ---- all of them ---- */

static struct sw_error *count_array(struct search *search, struct sw_view *views, size_t count)
{
	const struct sw_live *live = search->fields->scan->live;
	uint64_t room = sw_view_room(live, views[0].object), key = 0;
	uint64_t most = (uint64_t)((double)room * (1 - search->min_wasted));
	struct sw_field_sum one = {.arrays = 1, .views = count, .size = room};

	one.used = reached(views, count, room, false);
	if (one.used > most)
		return NULL;
	if (has_unknown(views, count)) {
		search->out->unknown_arrays++;
		search->out->unknown_size += room;
		return NULL;
	}
	one.wasted = room - one.used;
	one.spare = reached(views, count, room, true) - one.used;
	one.example_wasted = one.wasted;
	struct sw_error *error = find_key(search, views, count, &key, &one.example);
	search->out->arrays++;
	search->out->size += room;
	search->out->wasted += one.wasted;
	search->out->spare += one.spare;
	return error ? error : sw_field_sums_count(&search->sums, key, &one);
}

struct sw_error *sw_pinned_find(struct sw_fields *fields, uint64_t min_bytes, double min_wasted,
				struct sw_pinned *out)
{
	struct search search = {.fields = fields, .min_wasted = min_wasted, .out = out};
	struct sw_views views = {0};

	*out = (struct sw_pinned){0};
	struct sw_error *error = sw_views_collect(fields->scan->live, min_bytes, &views);
	for (size_t i = 0, next; i < views.count && !error; i = next) {
		for (next = i + 1;
		     next < views.count && views.items[next].object == views.items[i].object;)
			next++;
		error = count_array(&search, &views.items[i], next - i);
	}
	sw_views_free(&views);
	if (!error)
		error = sw_field_rows_take(&out->rows, fields, &search.sums);
	sw_field_sums_free(&search.sums);
	return error;
}

void sw_pinned_free(struct sw_pinned *pinned)
{
	sw_field_rows_deinit(&pinned->rows);
}
