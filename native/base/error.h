/* Errors are values: NULL is success, anything else says what failed and what to try next. */
#ifndef SW_BASE_ERROR_H
#define SW_BASE_ERROR_H

#include <stdbool.h>
#include <stddef.h>

enum sw_code {
	SW_ERR_MEMORY,	    /* the host is out of memory */
	SW_ERR_LIMIT,	    /* --max-memory, or more objects than 32-bit numbers hold */
	SW_ERR_IO,	    /* a system call failed */
	SW_ERR_NOT_FOUND,   /* no such file, process, symbol, object, type */
	SW_ERR_PERMISSION,  /* the kernel refused */
	SW_ERR_FORMAT,	    /* not a file, program or runtime that can be analysed */
	SW_ERR_DAMAGED,	    /* the right kind of thing, but broken beyond use */
	SW_ERR_UNSUPPORTED, /* a version or architecture that is not known */
	SW_ERR_MISMATCH,    /* executable and target do not belong together */
	SW_ERR_USAGE,	    /* wrong options */
	SW_ERR_INTERRUPTED, /* the user or the host asked to stop */
};

/* Owned by whoever received it; free with sw_error_free(). */
struct sw_error {
	enum sw_code code;
	char *message; /* what failed, with the address or file; no newline at its end */
	char *hint;    /* the next thing to try, or NULL */
};

/* Never returns NULL: when memory is short it returns a static SW_ERR_MEMORY error. */
struct sw_error *sw_error_format(enum sw_code code, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* As sw_error_format(), with ": strerror(number)" at the end and EPERM/EACCES/ENOENT/ESRCH
 * mapped to their codes. */
struct sw_error *sw_error_errno(int number, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Sets the hint of an error and returns it: `return sw_error_hint(sw_error_format(…), "…")`. */
struct sw_error *sw_error_hint(struct sw_error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The static error for failed allocations; may be passed to sw_error_free(). */
struct sw_error *sw_error_memory(void);

void sw_error_free(struct sw_error *error);

/* For `__attribute__((cleanup(sw_error_cleanup)))`. */
void sw_error_cleanup(struct sw_error **error);

#endif
