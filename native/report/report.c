#include "report/report.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char schema[] = "spanwalk.report/1";
static const char *const grades[] = {"P0", "P1", "P2", "P3"};

/* The document with every key in the order of docs/commands.md. */
static json_t *create_document(const char *command)
{
	return json_pack("{s:s, s:s, s:{}, s:b, s:[], s:{}, s:[], s:[], s:{}, s:{}, s:[]}",
			 "schema", schema, "command", command, "target", "complete", 1, "warnings",
			 "summary", "sentences", "findings", "tables", "omitted", "next");
}

struct sw_error *sw_report_create(const char *command, struct sw_report **out)
{
	struct sw_report *report = calloc(1, sizeof(*report));

	*out = NULL;
	if (!report)
		return sw_error_memory();
	report->worst = SW_GRADE_NONE;
	report->complete = true;
	report->document = create_document(command);
	report->columns = json_object();
	report->listings = json_object();
	if (!report->document || !report->columns || !report->listings) {
		sw_report_free(report);
		return sw_error_memory();
	}
	*out = report;
	return NULL;
}

void sw_report_free(struct sw_report *report)
{
	if (!report)
		return;
	json_decref(report->document);
	json_decref(report->columns);
	json_decref(report->listings);
	free(report);
}

static json_t *part(const struct sw_report *report, const char *key)
{
	return json_object_get(report->document, key);
}

static void set_incomplete(struct sw_report *report)
{
	report->complete = false;
	json_object_set_new(report->document, "complete", json_false());
}

static json_t *find_warning(const struct sw_report *report, const char *code, const char *message)
{
	size_t index;
	json_t *warning;

	json_array_foreach(part(report, "warnings"), index, warning)
	{
		const char *known = json_string_value(json_object_get(warning, "code"));
		const char *text = json_string_value(json_object_get(warning, "message"));
		if (known && !strcmp(known, code) && (!message || (text && !strcmp(text, message))))
			return warning;
	}
	return NULL;
}

/* Something could not be added: the report says so instead of looking whole. */
static void lose_value(struct sw_report *report)
{
	json_t *warning = find_warning(report, "value_lost", NULL);

	set_incomplete(report);
	if (warning) {
		json_t *count = json_object_get(warning, "count");
		json_integer_set(count, json_integer_value(count) + 1);
		return;
	}
	json_array_append_new(part(report, "warnings"),
			      json_pack("{s:s, s:s, s:s, s:i}", "code", "value_lost", "message",
					"a value could not be put into the report", "hint",
					"out of memory, or a text or number that JSON cannot hold",
					"count", 1));
}

static void append(struct sw_report *report, json_t *array, json_t *value)
{
	if (!value || json_array_append_new(array, value))
		lose_value(report);
}

static void set(struct sw_report *report, json_t *object, const char *key, json_t *value)
{
	if (!value || json_object_set_new(object, key, value))
		lose_value(report);
}

static json_t *format_text(const char *format, va_list arguments)
{
	char *text;
	int size = vasprintf(&text, format, arguments);

	if (size < 0)
		return NULL;
	json_t *value = sw_json_text(text, (size_t)size);
	free(text);
	return value;
}

void sw_report_sentence(struct sw_report *report, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	append(report, part(report, "sentences"), format_text(format, arguments));
	va_end(arguments);
}

void sw_report_next(struct sw_report *report, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	append(report, part(report, "next"), format_text(format, arguments));
	va_end(arguments);
}

void sw_report_target(struct sw_report *report, json_t *target)
{
	set(report, report->document, "target", target);
}

void sw_report_summary(struct sw_report *report, const char *key, json_t *value)
{
	set(report, part(report, "summary"), key, value);
}

void sw_report_count(struct sw_report *report, const char *key, uint64_t count)
{
	sw_report_summary(report, key, sw_json_count(count));
}

void sw_report_table(struct sw_report *report, const char *name, const char *columns)
{
	if (!sw_report_rows(report, name))
		set(report, part(report, "tables"), name, json_array());
	if (columns)
		set(report, report->columns, name, json_string(columns));
}

void sw_report_row(struct sw_report *report, const char *table, json_t *row)
{
	if (!sw_report_rows(report, table))
		sw_report_table(report, table, NULL);
	json_t *rows = sw_report_rows(report, table);
	if (rows) {
		append(report, rows, row);
	} else {
		json_decref(row);
		lose_value(report);
	}
}

void sw_report_listing(struct sw_report *report, const char *table, const char *text)
{
	set(report, report->listings, table, sw_json_string(text));
}

void sw_report_summary_keys(struct sw_report *report, const char *keys)
{
	set(report, report->columns, "summary", json_string(keys));
}

void sw_report_omitted(struct sw_report *report, const char *table, uint64_t rows, uint64_t shown)
{
	if (rows > shown)
		set(report, part(report, "omitted"), table, sw_json_count(rows - shown));
}

json_t *sw_report_rows(const struct sw_report *report, const char *table)
{
	return json_object_get(part(report, "tables"), table);
}

void sw_report_finding(struct sw_report *report, enum sw_grade grade, const char *code,
		       const char *message, json_t *evidence, const char *next)
{
	json_t *finding = json_object();

	if (grade >= SW_GRADE_NONE)
		grade = SW_GRADE_P3;
	if (grade < report->worst)
		report->worst = grade;
	set(report, finding, "grade", json_string(grades[grade]));
	set(report, finding, "code", sw_json_string(code));
	set(report, finding, "message", sw_json_string(message));
	set(report, finding, "evidence", evidence ? evidence : json_object());
	if (next)
		set(report, finding, "next", sw_json_string(next));
	append(report, part(report, "findings"), finding);
}

static void add_warning(struct sw_report *report, const struct sw_warning *warning)
{
	json_t *value = json_object();

	set(report, value, "code", sw_json_string(warning->code));
	set(report, value, "message", sw_json_string(warning->message ? warning->message : ""));
	if (warning->hint)
		set(report, value, "hint", sw_json_string(warning->hint));
	set(report, value, "count", sw_json_bytes(warning->count));
	append(report, part(report, "warnings"), value);
}

void sw_report_warnings(struct sw_report *report, const struct sw_warnings *warnings)
{
	for (size_t i = 0; i < warnings->count; i++) {
		const struct sw_warning *warning = &warnings->items[i];
		json_t *message = sw_json_string(warning->message ? warning->message : "");
		json_t *known =
			message ? find_warning(report, warning->code, json_string_value(message))
				: NULL;
		json_t *count = json_object_get(known, "count");

		json_decref(message);
		if (warning->incomplete)
			set_incomplete(report);
		if (!known)
			add_warning(report, warning);
		else if ((uint64_t)json_integer_value(count) < warning->count)
			json_integer_set(count, (json_int_t)warning->count);
	}
}
