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

static void free_strings(struct sw_warning *warning)
{
	free(warning->code);
	free(warning->message);
	free(warning->hint);
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
		free_strings(&warning);
	}
}

void sw_warnings_move(struct sw_warnings *warnings, struct sw_warnings *from)
{
	for (size_t i = 0; i < from->count; i++) {
		struct sw_warning *warning = &from->items[i];
		struct sw_warning *known = find(warnings, warning->code);
		struct sw_error *error = known ? NULL : sw_warnings_add(warnings, *warning);
		if (known) {
			known->count += warning->count;
			known->incomplete |= warning->incomplete;
		}
		if (known || error)
			free_strings(warning);
		sw_error_free(error);
	}
	sw_warnings_free(from);
}

void sw_warnings_clear(struct sw_warnings *warnings)
{
	for (size_t i = 0; i < warnings->count; i++)
		free_strings(&warnings->items[i]);
	sw_warnings_free(warnings);
}
