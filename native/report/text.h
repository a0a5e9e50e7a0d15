/* What the text view and the help share: strings and values as a terminal shows them.
 *
 * The text of a report is the same in every host, so nothing here depends on the locale that the
 * host has set: sw_text_enter() switches this thread to C.UTF-8 and sw_text_leave() back.
 */
#ifndef SW_REPORT_TEXT_H
#define SW_REPORT_TEXT_H

#include "report/report.h"

#include <locale.h>

struct sw_text_locale {
	locale_t ours, before;
};

void sw_text_enter(struct sw_text_locale *locale);
void sw_text_leave(struct sw_text_locale *locale);

/* A copy without anything that moves the cursor, changes colours or reorders text: control and
 * bidirectional characters as \u001b, line ends and tabs as blanks. malloc'ed; NULL: no memory. */
char *sw_text_clean(const char *bytes, size_t size);

/* Columns that a clean string takes. */
size_t sw_text_width(const char *text);

/* A copy of at most `limit` columns, with … in the middle of what was longer; malloc'ed. */
char *sw_text_shorten(const char *text, size_t limit);

/* Writes words up to `width` columns (0: one line); the cursor is at `column`, further lines
 * begin at `indent`. Words are never broken. Ends in a newline. */
void sw_text_wrap(FILE *out, const char *text, unsigned width, size_t column, size_t indent);

/* A label of a key: suffix cut off, blanks for underscores and dots; malloc'ed. */
char *sw_text_label(const char *key);

/* A value with its unit, which the key tells; arrays and objects in one line. malloc'ed. */
char *sw_text_value(const char *key, const json_t *value);

/* The value at "key" or "key.key", borrowed, or NULL. */
json_t *sw_text_lookup(const json_t *row, const char *key);

/* Below a row or in the summary: "label: value" with arrays one item a line where they are
 * strings or objects, else joined; of arrays `most` items (0: all) and how many there are more. */
void sw_text_detail(FILE *out, const char *key, const json_t *value, size_t most, unsigned width,
		    size_t indent);

/* Rows as a table with headers, details below each row; columns as sw_report_table() has them. */
struct sw_error *sw_text_table(FILE *out, const json_t *rows, const char *columns, unsigned width);

#endif
