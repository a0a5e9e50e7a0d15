/* The tables of buffers. */
#include "command/buffers.h"

#include "type/value_text.h"

enum { MAX_TEXT = 48 }; /* bytes shown of a string */

static void add_count(json_t *row, const char *key, uint64_t value)
{
	json_object_set_new(row, key, json_integer((json_int_t)value));
}

static void add_bytes(json_t *row, const char *key, uint64_t value)
{
	json_object_set_new(row, key, sw_json_bytes(value));
}

static void add_address(json_t *row, const char *key, sw_addr address)
{
	json_object_set_new(row, key, address ? sw_json_address(address) : json_null());
}

static void add_omitted(const struct sw_buffers *buffers, const char *table, uint64_t rows)
{
	if (rows > buffers->limit)
		sw_report_omitted(buffers->report, table, rows - buffers->limit);
}

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
		add_count(row, "arrays", sum->arrays);
		add_count(row, "views", sum->views);
		add_bytes(row, "size_bytes", sum->size);
		add_bytes(row, "used_bytes", sum->used);
		add_bytes(row, "wasted_bytes", sum->wasted);
		add_bytes(row, "spare_bytes", sum->spare);
		add_address(row, "address", address_of(buffers, sum->example.object));
		sw_report_row(buffers->report, "pinned", row);
	}
	add_omitted(buffers, "pinned", rows->count);
}

static void add_capacity(const struct sw_buffers *buffers)
{
	const struct sw_field_rows *rows = &buffers->capacity.rows;

	sw_report_table(buffers->report, "capacity",
			"field slices capacity_bytes used_bytes wasted_bytes empty_bytes address");
	for (size_t i = 0; i < rows->count && i < buffers->limit; i++) {
		const struct sw_field_sum *sum = &rows->items[i].sum;
		json_t *row = row_of(&rows->items[i]);
		add_count(row, "slices", sum->arrays);
		add_bytes(row, "capacity_bytes", sum->size);
		add_bytes(row, "used_bytes", sum->used);
		add_bytes(row, "wasted_bytes", sum->wasted);
		add_bytes(row, "empty_bytes", sum->spare);
		add_address(row, "address", address_of(buffers, sum->example.object));
		sw_report_row(buffers->report, "capacity", row);
	}
	add_omitted(buffers, "capacity", rows->count);
}

static void add_maps(const struct sw_buffers *buffers)
{
	const struct sw_field_rows *rows = &buffers->maps.rows;

	sw_report_table(buffers->report, "maps",
			"field maps entries slots size_bytes wasted_bytes address");
	for (size_t i = 0; i < rows->count && i < buffers->limit; i++) {
		const struct sw_field_sum *sum = &rows->items[i].sum;
		json_t *row = row_of(&rows->items[i]);
		add_count(row, "maps", sum->arrays);
		add_count(row, "entries", sum->views);
		add_count(row, "slots", sum->spare);
		add_bytes(row, "size_bytes", sum->size);
		add_bytes(row, "wasted_bytes", sum->wasted);
		add_address(row, "address", address_of(buffers, sum->example.object));
		sw_report_row(buffers->report, "maps", row);
	}
	add_omitted(buffers, "maps", rows->count);
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
			add_count(row, "buffers", field->sum.arrays);
			add_bytes(row, "size_bytes", field->sum.size);
			add_address(row, "address", field->sum.example.at);
			add_address(row, "array_address",
				    address_of(buffers, field->sum.example.object));
			sw_report_row(buffers->report, "idle", row);
		}
	add_omitted(buffers, "idle", rows);
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
		add_count(row, "places", text->places);
		add_bytes(row, "length_bytes", text->len);
		add_bytes(row, "wasted_bytes", text->wasted);
		add_address(row, "address", text->addr);
		sw_report_row(buffers->report, "duplicates", row);
		free(quoted);
	}
	add_omitted(buffers, "duplicates", found->texts);
}

static void add_duplicate_fields(const struct sw_buffers *buffers)
{
	const struct sw_field_rows *rows = &buffers->duplicates.rows;

	sw_report_table(buffers->report, "duplicate_fields", "field strings wasted_bytes address");
	for (size_t i = 0; i < rows->count && i < buffers->limit; i++) {
		const struct sw_field_sum *sum = &rows->items[i].sum;
		json_t *row = row_of(&rows->items[i]);
		add_count(row, "strings", sum->arrays);
		add_bytes(row, "wasted_bytes", sum->wasted);
		add_address(row, "address", address_of(buffers, sum->example.object));
		sw_report_row(buffers->report, "duplicate_fields", row);
	}
	add_omitted(buffers, "duplicate_fields", rows->count);
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
