/* What the libraries' structures among holders are and how they stand, for who-holds and
 * leak-roots. */
#ifndef SW_COMMAND_HOLDER_WORDS_H
#define SW_COMMAND_HOLDER_WORDS_H

#include "command/suspect.h"

/* Words that many objects have in common. */
struct sw_holder_words {
	char text[512];	  /* those that most of them have; "" when there are none for them */
	uint32_t objects; /* that have them */
	uint32_t looked_at;
};

/* Of what has accumulated at a suspect: the largest of it are looked at. */
struct sw_error *sw_holder_words_of(const struct sw_suspect *suspect, const struct sw_live *live,
				    const struct sw_dominators *dominators,
				    struct sw_holder_words *out);

/* Of the holders on a path, the nearest to its object first, as many as are told in one sentence:
 * "a bufio.Reader …; the request GET /x". malloc'ed, "" when there are none; NULL without memory.
 */
char *sw_holder_words_on(const struct sw_live *live, const struct sw_path *path);

#endif
