/* Rows as a table with headers. libsmartcols aligns; what is too wide for the terminal is
 * shortened here beforehand, so that each row is one line and details can follow it. */
#include "base/vector.h"
#include "report/text.h"

#include <ctype.h>
#include <libsmartcols/libsmartcols.h>
#include <stdlib.h>
#include <string.h>

enum {
	GAP = 2,	   /* blanks between columns */
	TEXT_MIN = 16,	   /* no column is shortened below this */
	DETAIL_INDENT = 4, /* of the lines below a row */
};

struct column {
	char *key, *header;
	bool is_number;
	size_t width;
};

/* A key shown below each row: of an array so many items, 0 for all. */
struct detail {
	char *key;
	size_t most;
};

SW_VECTOR(struct column, columns);
SW_VECTOR(struct detail, details);
SW_VECTOR(char *, strings);

struct table {
	struct columns columns;
	struct details details;
	bool is_chosen;	      /* the columns were named: what was not is not shown */
	struct strings cells; /* row by row */
	struct strings lines; /* of libsmartcols: header, then a line a row; borrowed */
	char *printed;
};

static void free_strings(struct strings *strings)
{
	for (size_t i = 0; i < strings->count; i++)
		free(strings->items[i]);
	strings_free(strings);
}

static void free_table(struct table *table)
{
	for (size_t i = 0; i < table->columns.count; i++) {
		free(table->columns.items[i].key);
		free(table->columns.items[i].header);
	}
	columns_free(&table->columns);
	for (size_t i = 0; i < table->details.count; i++)
		free(table->details.items[i].key);
	details_free(&table->details);
	free_strings(&table->cells);
	strings_free(&table->lines);
	free(table->printed);
}

static struct sw_error *add_string(struct strings *strings, char *text)
{
	struct sw_error *error = text ? strings_add(strings, text) : sw_error_memory();

	if (error)
		free(text);
	return error;
}

static struct sw_error *add_column(struct table *table, const char *key)
{
	struct column column = {.key = strdup(key), .header = sw_text_label(key)};
	struct sw_error *error = column.key && column.header ? columns_add(&table->columns, column)
							     : sw_error_memory();

	if (error) {
		free(column.key);
		free(column.header);
		return error;
	}
	for (char *c = column.header; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	return NULL;
}

/* The key becomes the table's. */
static struct sw_error *add_detail(struct table *table, char *key, size_t most)
{
	struct detail detail = {.key = key, .most = most};
	struct sw_error *error = details_add(&table->details, detail);

	if (error)
		free(key);
	return error;
}

static bool is_nested(const json_t *value)
{
	return json_is_array(value) || json_is_object(value);
}

static bool is_nested_anywhere(const json_t *rows, const char *key)
{
	size_t index;
	json_t *row;

	json_array_foreach(rows, index, row) if (is_nested(sw_text_lookup(row, key))) return true;
	return false;
}

static struct sw_error *choose_named(struct table *table, const json_t *rows, const char *names)
{
	struct sw_error *error = NULL;

	table->is_chosen = true;
	while (!error && *(names += strspn(names, " "))) {
		size_t size = strcspn(names, " "), length = strcspn(names, " #");
		char *key = strndup(names, length);
		if (!key)
			return sw_error_memory();
		if (is_nested_anywhere(rows, key)) {
			size_t most = length < size ? strtoul(names + length + 1, NULL, 10) : 0;
			error = add_detail(table, key, most);
		} else {
			error = add_column(table, key);
			free(key);
		}
		names += size;
	}
	return error;
}

static struct sw_error *choose_scalars(struct table *table, const json_t *rows)
{
	struct sw_error *error = NULL;
	const char *key;
	json_t *value;

	json_object_foreach(json_array_get(rows, 0), key, value)
	{
		if (!error && !is_nested_anywhere(rows, key))
			error = add_column(table, key);
	}
	return error;
}

/* Numbers stand to the right; a column with a text in it does not. */
static void measure_column(struct column *column, const json_t *rows)
{
	size_t index;
	json_t *row;
	bool has_number = false, has_other = false;

	json_array_foreach(rows, index, row)
	{
		const json_t *value = sw_text_lookup(row, column->key);
		has_number |= json_is_number(value);
		has_other |= value && !json_is_number(value) && !json_is_null(value);
	}
	column->is_number = has_number && !has_other;
	column->width = sw_text_width(column->header);
}

static struct sw_error *fill_cells(struct table *table, const json_t *rows)
{
	size_t index;
	json_t *row;

	for (size_t i = 0; i < table->columns.count; i++)
		measure_column(&table->columns.items[i], rows);
	json_array_foreach(rows, index, row)
	{
		for (size_t i = 0; i < table->columns.count; i++) {
			struct column *column = &table->columns.items[i];
			const json_t *value = sw_text_lookup(row, column->key);
			char *cell = sw_text_value(column->key, value);
			struct sw_error *error = add_string(&table->cells, cell);
			if (error)
				return error;
			size_t width = sw_text_width(cell);
			if (width > column->width)
				column->width = width;
		}
	}
	return NULL;
}

/* The widest column of text that may still be shortened, or NULL; *next is the width of the
 * second widest, down to which both need no other order. */
static struct column *widest(struct table *table, size_t *next)
{
	struct column *found = NULL;

	*next = TEXT_MIN;
	for (size_t i = 0; i < table->columns.count; i++) {
		struct column *column = &table->columns.items[i];
		if (column->is_number || column->width <= TEXT_MIN)
			continue;
		if (!found || column->width > found->width) {
			*next = found ? found->width : TEXT_MIN;
			found = column;
		} else if (column->width > *next) {
			*next = column->width;
		}
	}
	return found;
}

/* Takes from the widest columns first until the table fits, as far as they can give. */
static void fit_columns(struct table *table, unsigned width)
{
	size_t total = 0, next;
	struct column *column;

	for (size_t i = 0; i < table->columns.count; i++)
		total += table->columns.items[i].width + (i ? GAP : 0);
	while (total > width && (column = widest(table, &next))) {
		size_t give = column->width - next;
		if (!give)
			give = 1;
		if (give > total - width)
			give = total - width;
		column->width -= give;
		total -= give;
	}
}

static struct sw_error *shorten_cells(struct table *table)
{
	for (size_t i = 0; i < table->cells.count; i++) {
		size_t limit = table->columns.items[i % table->columns.count].width;
		char *cell = table->cells.items[i];
		if (sw_text_width(cell) <= limit)
			continue;
		char *shorter = sw_text_shorten(cell, limit);
		if (!shorter)
			return sw_error_memory();
		free(cell);
		table->cells.items[i] = shorter;
	}
	return NULL;
}

static int fill_smartcols(struct libscols_table *out, const struct table *table, size_t row_count)
{
	size_t count = table->columns.count;
	int failed = 0;

	for (size_t i = 0; i < count; i++) {
		const struct column *column = &table->columns.items[i];
		failed |= !scols_table_new_column(out, column->header, 0,
						  column->is_number ? SCOLS_FL_RIGHT : 0);
	}
	for (size_t row = 0; row < row_count && !failed; row++) {
		struct libscols_line *line = scols_table_new_line(out, NULL);
		failed |= !line;
		for (size_t i = 0; i < count && !failed; i++)
			failed |= scols_line_set_data(line, i, table->cells.items[row * count + i]);
	}
	return failed;
}

static struct sw_error *print_lines(struct table *table, size_t row_count)
{
	struct libscols_table *out = scols_new_table();

	if (!out)
		return sw_error_memory();
	/* Never: no look at the terminal, at its locale or at the environment. The cells are
	 * clean already, so they are not encoded again. */
	int failed = scols_table_set_termforce(out, SCOLS_TERMFORCE_NEVER) |
			     scols_table_enable_noencoding(out, 1) |
			     scols_table_set_column_separator(out, "  ") |
			     fill_smartcols(out, table, row_count) ||
		     scols_print_table_to_string(out, &table->printed);
	scols_unref_table(out);
	if (failed || !table->printed)
		return sw_error_memory();

	char *rest = table->printed, *line;
	while ((line = strsep(&rest, "\n"))) {
		struct sw_error *error = strings_add(&table->lines, line);
		if (error)
			return error;
		for (size_t size = strlen(line); size && line[size - 1] == ' ';)
			line[--size] = 0;
	}
	return NULL;
}

static bool is_column(const struct table *table, const char *key)
{
	for (size_t i = 0; i < table->columns.count; i++)
		if (!strcmp(table->columns.items[i].key, key))
			return true;
	return false;
}

static bool is_empty_object(const json_t *value)
{
	return json_is_object(value) && !json_object_size(value);
}

static void print_details(FILE *out, const struct table *table, const json_t *row, unsigned width)
{
	const char *key;
	json_t *value;

	for (size_t i = 0; i < table->details.count; i++) {
		key = table->details.items[i].key;
		value = sw_text_lookup(row, key);
		if (value && !json_is_null(value) && !is_empty_object(value))
			sw_text_detail(out, key, value, table->details.items[i].most, width,
				       DETAIL_INDENT);
	}
	if (table->is_chosen)
		return;
	json_object_foreach((json_t *)row, key, value)
	{
		if (!is_column(table, key) && !json_is_null(value))
			sw_text_detail(out, key, value, 0, width, DETAIL_INDENT);
	}
}

static struct sw_error *lay_out(struct table *table, const json_t *rows, unsigned width)
{
	struct sw_error *error = fill_cells(table, rows);

	if (error || !table->columns.count)
		return error;
	if (width) {
		fit_columns(table, width);
		error = shorten_cells(table);
	}
	return error ? error : print_lines(table, json_array_size(rows));
}

struct sw_error *sw_text_table(FILE *out, const json_t *rows, const char *columns, unsigned width)
{
	struct table table = {0};
	size_t index;
	json_t *row;
	struct sw_error *error =
		columns ? choose_named(&table, rows, columns) : choose_scalars(&table, rows);

	if (!error)
		error = lay_out(&table, rows, width);
	if (!error && table.lines.count)
		fprintf(out, "%s\n", table.lines.items[0]);
	if (!error)
		json_array_foreach(rows, index, row)
		{
			if (index + 1 < table.lines.count)
				fprintf(out, "%s\n", table.lines.items[index + 1]);
			print_details(out, &table, row, width);
		}
	free_table(&table);
	return error;
}
