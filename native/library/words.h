/* What objects of well-known libraries are and how they stand, in a few words: "a bufio.Reader of
 * 4 KiB, 0 bytes unread, of a closed connection", "the request GET /users". */
#ifndef SW_LIBRARY_WORDS_H
#define SW_LIBRARY_WORDS_H

#include "view/live.h"

enum { SW_LIBRARY_WORDS = 512 }; /* bytes that are always enough; longer words are cut */

/* Of a value; false (and "") when nothing is known of its type, or it cannot be read. */
bool sw_library_words(const struct sw_live *live, struct sw_value value, char *out, size_t size);

/* Of the innermost part of an object that an offset (from sw_live_start()) lies in and that there
 * are words for. */
bool sw_library_words_at(const struct sw_live *live, sw_object object, uint64_t offset, char *out,
			 size_t size);

/* Of an object as a whole, else of the part of its holder (the graph's parent) that refers to it:
 * an array is told of by whose buffer it is. */
bool sw_library_words_of(const struct sw_live *live, sw_object object, char *out, size_t size);

#endif
