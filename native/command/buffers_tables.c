/* The tables of buffers. */
#include "command/buffers.h"

#include "type/value_text.h"

enum { MAX_TEXT = 48 }; /* bytes shown of a string */

static json_t *row_of(const struct sw_field_row *field)
{
	json_t *row = json_object();
	json_object_set_new(row, "field", sw_json_string(field->name));
	return row;
}

static sw_addr address_of(const struct sw_buffers *buffers, sw_object object)
{
	return object == SW_NO_OBJECT ? 0 : sw_live_start(&buffers->live, object);
}

static void add_pinned(const struct sw_buffers *buffers)
{
	const struct sw_field_rows *rows = &buffers->pinned.rows;

	sw_report_table(buffers->report, "pinned",
			"field arrays size_bytes used_bytes wasted_bytes spare_bytes address");
	for (size_t i = 0; i < rows->count && i < buffers->limit; i++) {
		const struct sw_field_sum *sum = &rows->items[i].sum;
		json_t *row = row_of(&rows->items[i]);
		json_object_set_new(row, "arrays", sw_json_count(sum->arrays));
		json_object_set_new(row, "views", sw_json_count(sum->views));
		json_object_set_new(row, "size_bytes", sw_json_bytes(sum->size));
		json_object_set_new(row, "used_bytes", sw_json_bytes(sum->used));
		json_object_set_new(row, "wasted_bytes", sw_json_bytes(sum->wasted));
		json_object_set_new(row, "spare_bytes", sw_json_bytes(sum->spare));
		json_object_set_new(
			row, "address",
			sw_json_address_or_null(address_of(buffers, sum->example.object)));
		sw_report_row(buffers->report, "pinned", row);
	}
	sw_report_omitted(buffers->report, "pinned", rows->count, buffers->limit);
}

static void add_capacity(const struct sw_buffers *buffers)
{
	const struct sw_field_rows *rows = &buffers->capacity.rows;

	sw_report_table(buffers->report, "capacity",
			"field slices capacity_bytes used_bytes wasted_bytes empty_bytes address");
	for (size_t i = 0; i < rows->count && i < buffers->limit; i++) {
		const struct sw_field_sum *sum = &rows->items[i].sum;
		json_t *row = row_of(&rows->items[i]);
		json_object_set_new(row, "slices", sw_json_count(sum->arrays));
		json_object_set_new(row, "capacity_bytes", sw_json_bytes(sum->size));
		json_object_set_new(row, "used_bytes", sw_json_bytes(sum->used));
		json_object_set_new(row, "wasted_bytes", sw_json_bytes(sum->wasted));
		json_object_set_new(row, "empty_bytes", sw_json_bytes(sum->spare));
		json_object_set_new(
			row, "address",
			sw_json_address_or_null(address_of(buffers, sum->example.object)));
		sw_report_row(buffers->report, "capacity", row);
	}
	sw_report_omitted(buffers->report, "capacity", rows->count, buffers->limit);
}

static void add_maps(const struct sw_buffers *buffers)
{
	const struct sw_field_rows *rows = &buffers->maps.rows;

	sw_report_table(buffers->report, "maps",
			"field maps entries slots size_bytes wasted_bytes address");
	for (size_t i = 0; i < rows->count && i < buffers->limit; i++) {
		const struct sw_field_sum *sum = &rows->items[i].sum;
		json_t *row = row_of(&rows->items[i]);
		json_object_set_new(row, "maps", sw_json_count(sum->arrays));
		json_object_set_new(row, "entries", sw_json_count(sum->views));
		json_object_set_new(row, "slots", sw_json_count(sum->spare));
		json_object_set_new(row, "size_bytes", sw_json_bytes(sum->size));
		json_object_set_new(row, "wasted_bytes", sw_json_bytes(sum->wasted));
		json_object_set_new(
			row, "address",
			sw_json_address_or_null(address_of(buffers, sum->example.object)));
		sw_report_row(buffers->report, "maps", row);
	}
	sw_report_omitted(buffers->report, "maps", rows->count, buffers->limit);
}

static void add_idle(const struct sw_buffers *buffers)
{
	uint64_t rows = 0;

	sw_report_table(buffers->report, "idle", "type state field buffers size_bytes address");
	for (unsigned kind = 0; kind < SW_IDLE_KINDS; kind++)
		for (size_t i = 0; i < buffers->idle.rows[kind].count; i++) {
			const struct sw_field_row *field = &buffers->idle.rows[kind].items[i];
			if (rows++ >= buffers->limit)
				continue;
			json_t *row = row_of(field);
			json_object_set_new(row, "type", json_string(sw_idle_name(kind)));
			json_object_set_new(
				row, "state",
				json_string(kind <= SW_IDLE_BUILDER ? "empty" : "closed"));
			json_object_set_new(row, "buffers", sw_json_count(field->sum.arrays));
			json_object_set_new(row, "size_bytes", sw_json_bytes(field->sum.size));
			json_object_set_new(row, "address",
					    sw_json_address_or_null(field->sum.example.at));
			json_object_set_new(row, "array_address",
					    sw_json_address_or_null(address_of(
						    buffers, field->sum.example.object)));
			sw_report_row(buffers->report, "idle", row);
		}
	sw_report_omitted(buffers->report, "idle", rows, buffers->limit);
}

char *sw_buffers_quote(const struct sw_buffers *buffers, const struct sw_duplicate_text *text)
{
	uint8_t bytes[MAX_TEXT];
	uint64_t shown = text->len < sizeof(bytes) ? text->len : sizeof(bytes);
	char *quoted = NULL;
	size_t size;

	if (!sw_memory_read(buffers->live.go->memory, text->addr, bytes, shown))
		return strdup("?");
	FILE *out = open_memstream(&quoted, &size);
	if (!out)
		return NULL;
	sw_text_quoted(out, bytes, shown, shown < text->len);
	if (!fclose(out))
		return quoted;
	free(quoted);
	return NULL;
}

static void add_texts(const struct sw_buffers *buffers)
{
	const struct sw_duplicates *found = &buffers->duplicates;

	sw_report_table(buffers->report, "duplicates",
			"text places length_bytes wasted_bytes address");
	for (size_t i = 0; i < found->most.count && i < buffers->limit; i++) {
		const struct sw_duplicate_text *text = &found->most.items[i];
		json_t *row = json_object();
		char *quoted = sw_buffers_quote(buffers, text);
		json_object_set_new(row, "text", quoted ? sw_json_string(quoted) : NULL);
		json_object_set_new(row, "places", sw_json_count(text->places));
		json_object_set_new(row, "length_bytes", sw_json_bytes(text->len));
		json_object_set_new(row, "wasted_bytes", sw_json_bytes(text->wasted));
		json_object_set_new(row, "address", sw_json_address_or_null(text->addr));
		sw_report_row(buffers->report, "duplicates", row);
		free(quoted);
	}
	sw_report_omitted(buffers->report, "duplicates", found->texts, buffers->limit);
}

static void add_duplicate_fields(const struct sw_buffers *buffers)
{
	const struct sw_field_rows *rows = &buffers->duplicates.rows;

	sw_report_table(buffers->report, "duplicate_fields", "field strings wasted_bytes address");
	for (size_t i = 0; i < rows->count && i < buffers->limit; i++) {
		const struct sw_field_sum *sum = &rows->items[i].sum;
		json_t *row = row_of(&rows->items[i]);
		json_object_set_new(row, "strings", sw_json_count(sum->arrays));
		json_object_set_new(row, "wasted_bytes", sw_json_bytes(sum->wasted));
		json_object_set_new(
			row, "address",
			sw_json_address_or_null(address_of(buffers, sum->example.object)));
		sw_report_row(buffers->report, "duplicate_fields", row);
	}
	sw_report_omitted(buffers->report, "duplicate_fields", rows->count, buffers->limit);
}

void sw_buffers_tables(struct sw_buffers *buffers)
{
	add_pinned(buffers);
	add_capacity(buffers);
	add_maps(buffers);
	add_idle(buffers);
	add_texts(buffers);
	add_duplicate_fields(buffers);
}
