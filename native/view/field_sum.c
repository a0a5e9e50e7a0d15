/* Sums by field. */
#include "view/field.h"

enum { MERGE_AT = 1 << 12 }; /* rows */

static bool is_better(const struct sw_field_sum *a, const struct sw_field_sum *b)
{
	if (a->example_wasted != b->example_wasted)
		return a->example_wasted > b->example_wasted;
	if (a->example.object != b->example.object)
		return a->example.object < b->example.object;
	return a->example.at < b->example.at;
}

void sw_field_sum_add(struct sw_field_sum *sum, const struct sw_field_sum *more)
{
	if (!sum->views || is_better(more, sum)) {
		sum->example = more->example;
		sum->example_wasted = more->example_wasted;
	}
	sum->arrays += more->arrays;
	sum->views += more->views;
	sum->size += more->size;
	sum->used += more->used;
	sum->wasted += more->wasted;
	sum->spare += more->spare;
}

struct sw_error *sw_field_sums_count(struct sw_field_sums *sums, uint64_t key,
				     const struct sw_field_sum *one)
{
	const struct sw_field_sum *before = sw_field_sums_find(sums, key);
	struct sw_field_sum sum = before ? *before : (struct sw_field_sum){0};
	sw_field_sum_add(&sum, one);
	return sw_field_sums_set(sums, key, sum);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct sw_field_row *)a)->name,
		      ((const struct sw_field_row *)b)->name);
}

static void merge(struct sw_field_rows *rows)
{
	size_t kept = 0;
	if (rows->count > 1)
		qsort(rows->items, rows->count, sizeof(*rows->items), by_name);
	for (size_t i = 0; i < rows->count; i++) {
		if (kept && !strcmp(rows->items[kept - 1].name, rows->items[i].name)) {
			sw_field_sum_add(&rows->items[kept - 1].sum, &rows->items[i].sum);
			free(rows->items[i].name);
		} else {
			rows->items[kept++] = rows->items[i];
		}
	}
	rows->count = kept;
}

static int by_waste(const void *a, const void *b)
{
	const struct sw_field_row *x = a, *y = b;
	if (x->sum.wasted != y->sum.wasted)
		return x->sum.wasted < y->sum.wasted ? 1 : -1;
	return strcmp(x->name, y->name);
}

struct sw_error *sw_field_rows_count(struct sw_field_rows *rows, const char *name,
				     const struct sw_field_sum *one)
{
	struct sw_field_row row = {.name = strdup(name), .sum = *one};

	if (!row.name)
		return sw_error_memory();
	if (rows->count >= MERGE_AT && rows->count == rows->capacity)
		merge(rows);
	struct sw_error *error = sw_field_rows_add(rows, row);
	if (error)
		free(row.name);
	return error;
}

void sw_field_rows_finish(struct sw_field_rows *rows)
{
	merge(rows);
	if (rows->count > 1)
		qsort(rows->items, rows->count, sizeof(*rows->items), by_waste);
}

struct sw_error *sw_field_rows_take(struct sw_field_rows *rows, struct sw_fields *fields,
				    const struct sw_field_sums *sums)
{
	char name[SW_FIELD_NAME];
	struct sw_error *error = NULL;

	for (size_t i = 0; i < sums->capacity && !error; i++) {
		if (!sums->places[i].key)
			continue;
		sw_field_name(fields, &sums->places[i].value.example, name, sizeof(name));
		error = sw_field_rows_count(rows, name, &sums->places[i].value);
	}
	sw_field_rows_finish(rows);
	return error;
}

void sw_field_rows_deinit(struct sw_field_rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		free(rows->items[i].name);
	sw_field_rows_free(rows);
}
