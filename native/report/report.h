/* A report: what a command found, as data (JSON is its canonical form), and its views.
 *
 * Keys tell the views what a value is: "…_bytes" sizes, "…_fraction" shares, "…_seconds"
 * durations, "address" and "…_address" strings of the form 0x…. See docs/contract (README,
 * docs/commands.md).
 */
#ifndef SW_REPORT_REPORT_H
#define SW_REPORT_REPORT_H

#include "base/warning.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

enum sw_grade { SW_GRADE_P0, SW_GRADE_P1, SW_GRADE_P2, SW_GRADE_P3, SW_GRADE_NONE };

struct sw_report {
	json_t *document;    /* the JSON report of docs/commands.md, keys in order */
	enum sw_grade worst; /* of its findings */
	bool complete;
	json_t *columns;  /* private: what sw_report_table() was told, by table; the keys of the
			   * summary by "summary" */
	json_t *listings; /* private: sw_report_listing(), by table */
};

/* An empty report of a command. */
struct sw_error *sw_report_create(const char *command, struct sw_report **out);
void sw_report_free(struct sw_report *report);

/* Every function below takes the reference of a json_t it is given. A NULL value is one that could
 * not be made (no memory; json_string() or json_pack() of invalid UTF-8, json_real() of a NaN):
 * it is left out, and the report says so: warning "value_lost", `complete` false. */

/* One more sentence for the top of the text view; in JSON the array "sentences". The most
 * important comes first. */
void sw_report_sentence(struct sw_report *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* One more command to run next, for the end of the text view; in JSON the array "next". */
void sw_report_next(struct sw_report *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

void sw_report_target(struct sw_report *report, json_t *target);
void sw_report_summary(struct sw_report *report, const char *key, json_t *value);
void sw_report_count(struct sw_report *report, const char *key, uint64_t count); /* the same */

/* Adds a table (rows in the order they are added). `columns` names the keys that the text view
 * shows, in order, separated by spaces ("type objects bytes accumulation.type path"); a key with
 * an array or object in some row is shown as indented lines below each row, with "key#8" of an
 * array only the first 8 items and how many there are more; an object with "function", "file" and
 * "line" as a place in the source, one whose key ends in "labels" as key=value. NULL shows all
 * scalar keys of the first row as columns and the rest below. A table without rows is shown as
 * "none". */
void sw_report_table(struct sw_report *report, const char *name, const char *columns);
void sw_report_row(struct sw_report *report, const char *table, json_t *row);
/* What the text view shows in place of a table's rows, or of the summary (table "summary"): lines
 * with their ends, those that are too long for the terminal go on below their own indent. "" shows
 * nothing of it. */
void sw_report_listing(struct sw_report *report, const char *table, const char *text);
/* The keys of the summary that the text view shows, separated by spaces; of these none that is 0.
 * What the sentences say need not be said again. */
void sw_report_summary_keys(struct sw_report *report, const char *keys);
/* Of the rows of a table only `shown` were added: --limit left the others out. */
void sw_report_omitted(struct sw_report *report, const char *table, uint64_t rows, uint64_t shown);

/* A finding with its grade; evidence may be NULL, next too. */
void sw_report_finding(struct sw_report *report, enum sw_grade grade, const char *code,
		       const char *message, json_t *evidence, const char *next);

/* Copies the warnings that are not in it yet (by code and message; of those that are, the larger
 * count is kept); an incomplete one clears `complete`. */
void sw_report_warnings(struct sw_report *report, const struct sw_warnings *warnings);

/* The rows of a table, borrowed, or NULL. */
json_t *sw_report_rows(const struct sw_report *report, const char *table);

/* Values. */
json_t *sw_json_address(uint64_t address);	      /* "0x…" */
json_t *sw_json_address_or_null(uint64_t address);    /* 0 is null */
json_t *sw_json_bytes(uint64_t bytes);		      /* an integer */
json_t *sw_json_count(uint64_t count);		      /* an integer */
json_t *sw_json_text(const char *bytes, size_t size); /* invalid UTF-8 replaced by U+FFFD */
json_t *sw_json_string(const char *text);	      /* the same; NULL is "" */
json_t *sw_json_string_or_null(const char *text);     /* ... NULL is null */
json_t *sw_json_take_string(char *text);	      /* ... and it is freed */

/* 1536 → "1.5 KiB" into out (at least 16 bytes); returns out. */
char *sw_text_bytes(uint64_t bytes, char *out);
/* 1234567 → "1,234,567" into out (at least 32 bytes); returns out. */
char *sw_text_count(uint64_t count, char *out);
/* 1234, "pool" → "1,234 pools" into out (SW_TEXT_AMOUNT bytes; longer ones are cut); returns out.
 */
enum { SW_TEXT_AMOUNT = 64 };
char *sw_text_amount(uint64_t count, const char *noun, char *out);
const char *sw_text_plural(uint64_t count, const char *one, const char *many);

/* ---- views; both end in a newline; the string is malloc'ed ---- */
struct sw_error *sw_report_json(const struct sw_report *report, char **out); /* json.c */
/* width: columns of the terminal, 0: not a terminal, nothing is cut. */
struct sw_error *sw_report_text(const struct sw_report *report, unsigned width, char **out);

#endif
