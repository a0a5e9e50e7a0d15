/* The text view: for someone tired. First the sentences that answer, then the figures, then the
 * rows, last what to type next. */
#include "report/text.h"

#include <stdlib.h>
#include <string.h>

static const json_t *part(const struct sw_report *report, const char *key)
{
	return json_object_get(report->document, key);
}

/* What stands for a table or the summary; NULL: they themselves. */
static const char *listing_of(const struct sw_report *report, const char *name)
{
	return json_string_value(json_object_get(report->listings, name));
}

/* A blank line between sections, none at the top. */
static void begin_section(FILE *out, bool *is_begun)
{
	if (*is_begun)
		fputc('\n', out);
	*is_begun = true;
}

static void put_clean(FILE *out, const json_t *text, unsigned width, size_t column, size_t indent)
{
	char *clean = sw_text_clean(json_string_value(text), json_string_length(text));

	sw_text_wrap(out, clean ? clean : "?", width, column, indent);
	free(clean);
}

static void put_sentences(FILE *out, const struct sw_report *report, unsigned width, bool *is_begun)
{
	size_t index;
	json_t *sentence;

	if (!report->complete) {
		begin_section(out, is_begun);
		sw_text_wrap(out, "Analysed in part: the warnings below say what is missing.",
			     width, 0, 0);
	}
	json_array_foreach(part(report, "sentences"), index, sentence)
	{
		if (!index)
			begin_section(out, is_begun);
		put_clean(out, sentence, width, 0, 0);
	}
}

/* Each line with its own indent, where what does not fit goes on two columns further. */
static void put_listing(FILE *out, const char *text, unsigned width)
{
	while (*text) {
		size_t size = strcspn(text, "\n"), indent = strspn(text, " ");
		char *line = indent < size ? sw_text_clean(text + indent, size - indent) : NULL;

		fprintf(out, "%*s", line ? (int)indent : 0, "");
		if (line && (!width || indent + sw_text_width(line) <= width))
			fprintf(out, "%s\n", line);
		else
			sw_text_wrap(out, line ? line : "", width, indent, indent + 2);
		free(line);
		text += size + (text[size] == '\n');
	}
}

/* ---- details and summary ---- */

/* Each item of an array on its own line, the first beside the label. */
static void put_items(FILE *out, const char *key, const json_t *items, size_t most, unsigned width,
		      size_t column)
{
	size_t index;
	json_t *item;
	char count[32];

	json_array_foreach(items, index, item)
	{
		if (index)
			fprintf(out, "%*s", (int)column, "");
		if (most && index == most) {
			fprintf(out, "… %s more\n",
				sw_text_count(json_array_size(items) - most, count));
			return;
		}
		char *text = sw_text_value(key, item);
		sw_text_wrap(out, text ? text : "?", width, column, column + 2);
		free(text);
	}
}

/* The items of an array in one line. */
static void put_joined(FILE *out, const char *key, const json_t *value, size_t most, unsigned width,
		       size_t column)
{
	size_t size = json_array_size(value);
	json_t *few = json_array();
	char count[32], *text, *line = NULL;

	for (size_t i = 0; i < size && (!most || i < most); i++)
		json_array_append(few, json_array_get(value, i));
	text = sw_text_value(key, few);
	if (most && size > most &&
	    asprintf(&line, "%s … %s more", text ? text : "?", sw_text_count(size - most, count)) <
		    0)
		line = NULL;
	sw_text_wrap(out, line ? line : text ? text : "?", width, column, column);
	json_decref(few);
	free(line);
	free(text);
}

void sw_text_detail(FILE *out, const char *key, const json_t *value, size_t most, unsigned width,
		    size_t indent)
{
	char *label = sw_text_label(key);
	const char *name = label ? label : key;
	const json_t *first = json_array_get(value, 0);
	size_t column = indent + sw_text_width(name) + 2;

	fprintf(out, "%*s%s: ", (int)indent, "", name);
	if (first && !json_is_number(first)) {
		put_items(out, key, value, most, width, column);
	} else if (json_is_array(value) && !first) {
		fputs("none\n", out);
	} else if (first) {
		put_joined(out, key, value, most, width, column);
	} else {
		char *text = sw_text_value(key, value);
		sw_text_wrap(out, text ? text : "?", width, column, column);
		free(text);
	}
	free(label);
}

/* One line of the summary; objects in it become a line for each member. */
struct summary {
	FILE *out;	  /* NULL: only measure */
	const char *keys; /* sw_report_summary_keys(); NULL: all */
	unsigned width;
	size_t column; /* of the values */
};

static bool is_figure_shown(const struct summary *summary, const char *key, const json_t *value)
{
	size_t length = strlen(key);

	if (!summary->keys)
		return true;
	if (json_is_integer(value) && !json_integer_value(value))
		return false;
	for (const char *at = summary->keys; *at; at += strcspn(at, " "), at += *at == ' ')
		if (strcspn(at, " ") == length && !strncmp(at, key, length))
			return true;
	return false;
}

static void put_figure(struct summary *summary, const char *key, const json_t *value)
{
	char *label = sw_text_label(key);
	const char *name = label ? label : key;
	size_t size = sw_text_width(name);

	if (!summary->out) {
		if (size + 2 > summary->column)
			summary->column = size + 2;
	} else {
		char *text = sw_text_value(key, value);
		fprintf(summary->out, "%s%*s", name, (int)(summary->column - size), "");
		sw_text_wrap(summary->out, text && *text ? text : "-", summary->width,
			     summary->column, summary->column);
		free(text);
	}
	free(label);
}

static void put_figures(struct summary *summary, const json_t *object, const char *prefix,
			unsigned depth)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value)
	{
		char *whole;
		if (asprintf(&whole, "%s%s%s", prefix, *prefix ? "." : "", key) < 0)
			continue;
		if (json_is_object(value) && depth < 4)
			put_figures(summary, value, whole, depth + 1);
		else if (is_figure_shown(summary, whole, value))
			put_figure(summary, whole, value);
		free(whole);
	}
}

static void put_summary(FILE *out, const struct sw_report *report, unsigned width, bool *is_begun)
{
	struct summary summary = {
		.width = width,
		.keys = json_string_value(json_object_get(report->columns, "summary"))};
	const json_t *figures = part(report, "summary");
	const char *listing = listing_of(report, "summary");

	if (listing ? !*listing : !json_object_size(figures))
		return;
	if (listing) {
		begin_section(out, is_begun);
		put_listing(out, listing, width);
		return;
	}
	put_figures(&summary, figures, "", 0);
	if (!summary.column)
		return;
	begin_section(out, is_begun);
	summary.out = out;
	put_figures(&summary, figures, "", 0);
}

/* ---- findings, tables, warnings, next ---- */

static void put_findings(FILE *out, const struct sw_report *report, unsigned width, bool *is_begun)
{
	size_t index;
	json_t *finding;

	json_array_foreach(part(report, "findings"), index, finding)
	{
		const char *grade = json_string_value(json_object_get(finding, "grade"));
		const json_t *next = json_object_get(finding, "next");
		if (!index)
			begin_section(out, is_begun);
		fprintf(out, "%s  ", grade ? grade : "??");
		put_clean(out, json_object_get(finding, "message"), width, 4, 4);
		if (next) {
			fputs("    next: ", out);
			put_clean(out, next, 0, 10, 10);
		}
	}
}

static struct sw_error *put_rows(FILE *out, const struct sw_report *report, const char *name,
				 const json_t *rows, unsigned width)
{
	char *label = sw_text_label(name);
	const json_t *omitted = json_object_get(part(report, "omitted"), name);
	const char *columns = json_string_value(json_object_get(report->columns, name));
	const char *listing = listing_of(report, name);
	struct sw_error *error = NULL;
	char count[32];

	if (listing) {
		put_listing(out, listing, width);
	} else if (json_array_size(rows)) {
		fprintf(out, "%s:\n", label ? label : name);
		error = sw_text_table(out, rows, columns, width);
	} else {
		fprintf(out, "%s: none\n", label ? label : name);
	}
	if (omitted)
		fprintf(out, "… %s more, --limit 0 shows all\n",
			sw_text_count((uint64_t)json_integer_value(omitted), count));
	free(label);
	return error;
}

static struct sw_error *put_tables(FILE *out, const struct sw_report *report, unsigned width,
				   bool *is_begun)
{
	const char *name;
	json_t *rows;
	struct sw_error *error = NULL;

	json_object_foreach((json_t *)part(report, "tables"), name, rows)
	{
		const char *listing = listing_of(report, name);
		if (error)
			break;
		if (listing && !*listing)
			continue;
		begin_section(out, is_begun);
		error = put_rows(out, report, name, rows, width);
	}
	return error;
}

static char *warning_line(const json_t *warning)
{
	const char *hint = json_string_value(json_object_get(warning, "hint"));
	const char *message = json_string_value(json_object_get(warning, "message"));
	json_int_t count = json_integer_value(json_object_get(warning, "count"));
	char number[32], times[48] = "";
	char *line;

	if (count > 1)
		snprintf(times, sizeof(times), " (%s times)",
			 sw_text_count((uint64_t)count, number));
	int size = asprintf(&line, "%s%s%s%s", message ? message : "", times, hint ? "; " : "",
			    hint ? hint : "");
	if (size < 0)
		return NULL;
	char *clean = sw_text_clean(line, (size_t)size);
	free(line);
	return clean;
}

static void put_warnings(FILE *out, const struct sw_report *report, unsigned width, bool *is_begun)
{
	size_t index;
	json_t *warning;

	json_array_foreach(part(report, "warnings"), index, warning)
	{
		char *line = warning_line(warning);
		if (!index)
			begin_section(out, is_begun);
		fputs("warning: ", out);
		sw_text_wrap(out, line ? line : "?", width, 9, 9);
		free(line);
	}
}

/* Commands are there to be copied: never wrapped. */
static void put_next(FILE *out, const struct sw_report *report, bool *is_begun)
{
	size_t index;
	json_t *next;

	json_array_foreach(part(report, "next"), index, next)
	{
		if (!index)
			begin_section(out, is_begun);
		fputs("next: ", out);
		put_clean(out, next, 0, 6, 6);
	}
}

static struct sw_error *put_report(FILE *out, const struct sw_report *report, unsigned width)
{
	bool is_begun = false;

	put_sentences(out, report, width, &is_begun);
	put_summary(out, report, width, &is_begun);
	put_findings(out, report, width, &is_begun);
	struct sw_error *error = put_tables(out, report, width, &is_begun);
	put_warnings(out, report, width, &is_begun);
	put_next(out, report, &is_begun);
	if (!is_begun)
		fputs("nothing to show\n", out);
	return error;
}

struct sw_error *sw_report_text(const struct sw_report *report, unsigned width, char **out)
{
	struct sw_text_locale locale;
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	*out = NULL;
	if (!stream)
		return sw_error_memory();
	sw_text_enter(&locale);
	struct sw_error *error = put_report(stream, report, width);
	sw_text_leave(&locale);
	if (fclose(stream) && !error)
		error = sw_error_memory();
	if (error)
		free(text);
	else
		*out = text;
	return error;
}
