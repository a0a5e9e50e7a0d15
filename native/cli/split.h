/* A line as words, with the simple quotes of a POSIX shell: '…' takes everything as it is, "…"
 * everything but \" and \\, a backslash the next character; a # that begins a word begins a
 * comment. Nothing is expanded. Private to cli/. */
#ifndef SW_CLI_SPLIT_H
#define SW_CLI_SPLIT_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct sw_split {
	char **words;
	size_t count;
	size_t last;	 /* where in the line the last word begins: a byte offset */
	char quote;	 /* that is open at the line's end: ' " or \, 0 for none */
	bool is_inside;	 /* the line ends in its last word: no blank follows */
	bool is_comment; /* the line ends in a comment */
};

/* A quote that is open is no error here. Free with sw_split_free(), also after an error. */
struct sw_error *sw_split_line(const char *line, struct sw_split *out);
void sw_split_free(struct sw_split *split);

/* The word as it would have to be typed within `quote` (0: outside of quotes, with backslashes),
 * the quotes themselves left out. malloc'ed, NULL without memory. */
char *sw_split_quote(const char *word, char quote);

#endif
