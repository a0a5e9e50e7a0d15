#include "command/type_tally.h"

struct sw_error *sw_type_tally_init(struct sw_type_tally *tally, const struct sw_live *live)
{
	tally->count = sw_types_count(live->types);
	tally->rows = calloc(tally->count + 1, sizeof(*tally->rows));
	if (!tally->rows)
		return sw_error_memory();
	for (size_t i = 0; i < tally->count; i++)
		tally->rows[i].type = (sw_type)i;
	return NULL;
}

void sw_type_tally_free(struct sw_type_tally *tally)
{
	free(tally->rows);
	memset(tally, 0, sizeof(*tally));
}

void sw_type_tally_add(struct sw_type_tally *tally, const struct sw_live *live, sw_object object,
		       uint64_t bytes)
{
	sw_type type = sw_live_type(live, object);
	struct sw_type_row *row = &tally->rows[type < tally->count ? type : 0];
	if (!row->objects || bytes > row->largest_bytes) {
		row->largest = object;
		row->largest_bytes = bytes;
	}
	row->objects++;
	row->bytes += bytes;
}

static int compare(const void *a, const void *b, void *context)
{
	const struct sw_type_row *x = a, *y = b;
	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	int order = strcmp(sw_naming_type_name(context, x->type),
			   sw_naming_type_name(context, y->type));
	return order ? order : (x->largest > y->largest) - (x->largest < y->largest);
}

static int compare_names(const void *a, const void *b, void *context)
{
	const struct sw_type_row *x = a, *y = b;
	int order = strcmp(sw_naming_type_name(context, x->type),
			   sw_naming_type_name(context, y->type));
	return order ? order : (x->type > y->type) - (x->type < y->type);
}

/* One row for each name: the bytes of strings and a string in an interface are both "string". */
static void merge_names(struct sw_type_tally *tally, const struct sw_live *live)
{
	size_t kept = 0;
	qsort_r(tally->rows, tally->count, sizeof(*tally->rows), compare_names, (void *)live);
	for (size_t i = 0; i < tally->count; i++) {
		const struct sw_type_row *row = &tally->rows[i];
		struct sw_type_row *last = kept ? &tally->rows[kept - 1] : NULL;
		if (!last || strcmp(sw_naming_type_name(live, last->type),
				    sw_naming_type_name(live, row->type)) != 0) {
			tally->rows[kept++] = *row;
			continue;
		}
		last->objects += row->objects;
		last->bytes += row->bytes;
		if (row->largest_bytes > last->largest_bytes) {
			last->largest = row->largest;
			last->largest_bytes = row->largest_bytes;
		}
	}
	tally->count = kept;
}

void sw_type_tally_sort(struct sw_type_tally *tally, const struct sw_live *live)
{
	size_t kept = 0;
	for (size_t i = 0; i < tally->count; i++)
		if (tally->rows[i].objects)
			tally->rows[kept++] = tally->rows[i];
	tally->count = kept;
	merge_names(tally, live);
	qsort_r(tally->rows, tally->count, sizeof(*tally->rows), compare, (void *)live);
}

void sw_type_tally_report(const struct sw_type_tally *tally, const struct sw_live *live,
			  struct sw_report *report, const char *table, uint64_t limit,
			  uint64_t whole)
{
	sw_report_table(report, table, "bytes objects share_fraction type");
	for (size_t i = 0; i < tally->count && i < limit; i++) {
		const struct sw_type_row *row = &tally->rows[i];
		const char *name = sw_naming_type_name(live, row->type);
		json_t *json = json_object();
		json_object_set_new(json, "type", sw_json_string(name));
		json_object_set_new(json, "objects", json_integer((json_int_t)row->objects));
		json_object_set_new(json, "bytes", sw_json_bytes(row->bytes));
		json_object_set_new(json, "share_fraction",
				    json_real(whole ? (double)row->bytes / (double)whole : 0));
		sw_report_row(report, table, json);
	}
	sw_report_omitted(report, table, tally->count, limit);
}
