#include "base/warning.h"

#include <stdarg.h>
#include <stdio.h>

static struct sw_warning *find(struct sw_warnings *warnings, const char *code)
{
	for (size_t i = 0; i < warnings->count; i++)
		if (!strcmp(warnings->items[i].code, code))
			return &warnings->items[i];
	return NULL;
}

void sw_warn(struct sw_warnings *warnings, bool incomplete, const char *code, const char *hint,
	     const char *format, ...)
{
	struct sw_warning *known = find(warnings, code);
	if (known) {
		known->count++;
		known->incomplete |= incomplete;
		return;
	}

	struct sw_warning warning = {.code = strdup(code), .count = 1, .incomplete = incomplete};
	if (!warning.code)
		return;
	if (hint)
		warning.hint = strdup(hint);
	va_list arguments;
	va_start(arguments, format);
	if (vasprintf(&warning.message, format, arguments) < 0)
		warning.message = strdup(code);
	va_end(arguments);

	struct sw_error *error = sw_warnings_add(warnings, warning);
	if (error) {
		sw_error_free(error);
		free(warning.code);
		free(warning.message);
		free(warning.hint);
	}
}

void sw_warnings_clear(struct sw_warnings *warnings)
{
	for (size_t i = 0; i < warnings->count; i++) {
		free(warnings->items[i].code);
		free(warnings->items[i].message);
		free(warnings->items[i].hint);
	}
	sw_warnings_free(warnings);
}
