#include "command/leak_cycles.h"

#include "base/map.h"
#include "command/wait_words.h"

SW_MAP(uint32_t, circle_rows);

#define FNV_PRIME 0x100000001b3u

/* The same for circles of the same stacks, wherever they are entered. */
static uint64_t key_of(const struct sw_goroutine_view *view, const struct sw_wait_cycle *cycle)
{
	uint64_t least = UINT64_MAX, key = cycle->count;
	uint32_t first = 0;

	for (uint32_t i = 0; i < cycle->count; i++) {
		uint64_t fingerprint = sw_goroutine_fingerprint(view, cycle->goroutines[i]);
		if (fingerprint < least) {
			least = fingerprint;
			first = i;
		}
	}
	for (uint32_t i = 0; i < cycle->count; i++) {
		uint32_t goroutine = cycle->goroutines[(first + i) % cycle->count];
		key = key * FNV_PRIME + sw_goroutine_fingerprint(view, goroutine);
	}
	return key + !key;
}

/* Counts equal ones; `counts` and `list` have an item for each row, the list at most `limit`. */
static struct sw_error *collect(struct sw_wakers *wakers, const struct sw_wait_cycles *cycles,
				uint64_t limit, json_t *counts, json_t *list)
{
	struct circle_rows rows = {0};
	struct sw_error *error = NULL;

	for (size_t i = 0; !error && i < cycles->count; i++) {
		uint64_t key = key_of(&wakers->view->goroutines, &cycles->items[i]);
		const uint32_t *row = circle_rows_find(&rows, key);
		if (row) {
			json_t *count = json_array_get(counts, *row);
			json_integer_set(count, json_integer_value(count) + 1);
			continue;
		}
		error = circle_rows_set(&rows, key, (uint32_t)json_array_size(counts));
		json_array_append_new(counts, json_integer(1));
		if (json_array_size(list) < limit)
			json_array_append_new(list, sw_wait_cycle_json(wakers, &cycles->items[i]));
	}
	circle_rows_free(&rows);
	return error;
}

static void put_row(const json_t *row, FILE *out)
{
	long long count = json_integer_value(json_object_get(row, "count"));
	size_t goroutines = json_array_size(json_object_get(row, "goroutines")), i;
	json_t *step;

	fprintf(out, "  %lld circle%s of %zu goroutine%s%s\n", count, count == 1 ? "" : "s",
		goroutines, goroutines == 1 ? "" : "s", count == 1 ? ":" : ", such as:");
	json_array_foreach(json_object_get(row, "steps"), i, step)
	{
		const char *line = json_string_value(json_object_get(step, "text"));
		fprintf(out, "      %s\n", line ? line : "?");
	}
}

static struct sw_error *add_rows(struct sw_report *report, json_t *counts, json_t *list)
{
	size_t size, i;
	char *text = NULL;
	FILE *lines = open_memstream(&text, &size);
	json_t *row;

	if (!lines)
		return sw_error_memory();
	sw_report_table(report, "cycles", NULL);
	fputs("cycles:\n", lines);
	json_array_foreach(list, i, row)
	{
		json_object_set(row, "count", json_array_get(counts, i));
		sw_report_row(report, "cycles", json_incref(row));
		put_row(row, lines);
	}
	fclose(lines);
	if (json_array_size(list))
		sw_report_listing(report, "cycles", text);
	sw_report_omitted(report, "cycles", json_array_size(counts), json_array_size(list));
	free(text);
	return NULL;
}

struct sw_error *sw_leak_cycles_report(struct sw_wakers *wakers,
				       const struct sw_wait_cycles *cycles, uint64_t limit,
				       struct sw_report *report)
{
	json_t *counts = json_array(), *list = json_array();
	struct sw_error *error = collect(wakers, cycles, limit, counts, list);
	if (!error)
		error = add_rows(report, counts, list);
	json_decref(counts);
	json_decref(list);
	return error;
}
