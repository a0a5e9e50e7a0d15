#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sw_error out_of_memory = {SW_ERR_MEMORY, "out of memory", NULL};

struct sw_error *sw_error_memory(void)
{
	return &out_of_memory;
}

static struct sw_error *create(enum sw_code code, const char *format, va_list arguments)
{
	struct sw_error *error = calloc(1, sizeof(*error));
	if (!error)
		return &out_of_memory;
	error->code = code;
	if (vasprintf(&error->message, format, arguments) < 0) {
		free(error);
		return &out_of_memory;
	}
	return error;
}

struct sw_error *sw_error_format(enum sw_code code, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	struct sw_error *error = create(code, format, arguments);
	va_end(arguments);
	return error;
}

static enum sw_code code_of_errno(int number)
{
	switch (number) {
	case EPERM:
	case EACCES:
		return SW_ERR_PERMISSION;
	case ENOENT:
	case ESRCH:
		return SW_ERR_NOT_FOUND;
	case ENOMEM:
		return SW_ERR_MEMORY;
	default:
		return SW_ERR_IO;
	}
}

struct sw_error *sw_error_errno(int number, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	struct sw_error *error = create(code_of_errno(number), format, arguments);
	va_end(arguments);
	if (error == &out_of_memory)
		return error;

	char *whole;
	if (asprintf(&whole, "%s: %s", error->message, strerror(number)) >= 0) {
		free(error->message);
		error->message = whole;
	}
	return error;
}

struct sw_error *sw_error_hint(struct sw_error *error, const char *format, ...)
{
	if (error == &out_of_memory)
		return error;
	va_list arguments;
	va_start(arguments, format);
	char *hint;
	if (vasprintf(&hint, format, arguments) >= 0) {
		free(error->hint);
		error->hint = hint;
	}
	va_end(arguments);
	return error;
}

void sw_error_free(struct sw_error *error)
{
	if (!error || error == &out_of_memory)
		return;
	free(error->message);
	free(error->hint);
	free(error);
}

void sw_error_cleanup(struct sw_error **error)
{
	sw_error_free(*error);
}
