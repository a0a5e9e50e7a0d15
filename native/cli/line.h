/* Lines that a user types at a terminal, with editing, history and completion by libedit. Private
 * to cli/. */
#ifndef SW_CLI_LINE_H
#define SW_CLI_LINE_H

#include "base/vector.h"

#include <stdbool.h>

/* Words that may stand where the cursor is; each is whole and owned. */
SW_VECTOR(char *, sw_candidates_base);

struct sw_candidates {
	struct sw_candidates_base words;
	bool is_open; /* what follows such a word is part of it: a folder, "--name=" */
};

/* Copies a word. */
struct sw_error *sw_candidates_add(struct sw_candidates *candidates, const char *word);
void sw_candidates_free(struct sw_candidates *candidates);

/* Fills what may stand for the last word of `before`, the line up to the cursor. */
typedef void sw_line_complete(void *context, const char *before, struct sw_candidates *out);

enum sw_line_end {
	SW_LINE_READ,	     /* a line was read */
	SW_LINE_INTERRUPTED, /* Ctrl-C: the line is gone */
	SW_LINE_END,	     /* Ctrl-D on an empty line, or an error */
};

struct sw_line;

/* Takes stdin over until closed; `complete` may run for as long as it wants. */
struct sw_error *sw_line_open(sw_line_complete *complete, void *context, struct sw_line **out);
void sw_line_close(struct sw_line *line);

/* Reads a line without its end; malloc'ed. */
enum sw_line_end sw_line_read(struct sw_line *line, const char *prompt, char **text);
/* Adds a line to what the arrow keys go through. */
void sw_line_remember(struct sw_line *line, const char *text);

#endif
