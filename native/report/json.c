#include "report/text.h"

#include <stdlib.h>
#include <string.h>

/* 15 digits print 0.1 as 0.1; more would show the binary rounding. */
enum { REAL_DIGITS = 15 };

struct sw_error *sw_report_json(const struct sw_report *report, char **out)
{
	struct sw_text_locale locale;

	*out = NULL;
	/* jansson formats reals with the locale's decimal point, then mends it. */
	sw_text_enter(&locale);
	char *text = json_dumps(report->document, JSON_INDENT(2) | JSON_PRESERVE_ORDER |
							  JSON_REAL_PRECISION(REAL_DIGITS));
	sw_text_leave(&locale);
	if (!text)
		return sw_error_memory();

	size_t size = strlen(text);
	char *line = realloc(text, size + 2);
	if (!line) {
		free(text);
		return sw_error_memory();
	}
	memcpy(line + size, "\n", 2);
	*out = line;
	return NULL;
}
