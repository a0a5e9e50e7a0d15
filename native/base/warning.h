/* What an analysis had to leave out or could not have exactly: collected, counted by code,
 * and shown by every report. */
#ifndef SW_BASE_WARNING_H
#define SW_BASE_WARNING_H

#include "base/error.h"
#include "base/vector.h"

struct sw_warning {
	char *code;	 /* snake_case, stable: scripts look for it */
	char *message;	 /* of the first time */
	char *hint;	 /* or NULL */
	uint64_t count;	 /* how often */
	bool incomplete; /* something is missing from the result: exit status 4 */
};

SW_VECTOR(struct sw_warning, sw_warnings);

/* Counts one more of this code; the first one's message and hint are kept (copied).
 * Short memory loses the message, never the analysis. Not for several threads at once. */
void sw_warn(struct sw_warnings *warnings, bool incomplete, const char *code, const char *hint,
	     const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Adds those of `from`, as if they had come behind what is there; `from` is empty then. */
void sw_warnings_move(struct sw_warnings *warnings, struct sw_warnings *from);

/* Frees the strings and the array. */
void sw_warnings_clear(struct sw_warnings *warnings);

#endif
