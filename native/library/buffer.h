/* Structures that own a byte buffer: those of Go's libraries by name, and what looks like a parser
 * of the program's own. How much in the buffer is still to be read or written, in what state they
 * are, what they read from or write to. All by field names, so for every release that has them; a
 * structure whose fields contradict each other is none. */
#ifndef SW_LIBRARY_BUFFER_H
#define SW_LIBRARY_BUFFER_H

#include "view/live.h"

enum {
	SW_BUFFER_WORDS = 512,	 /* bytes that are always enough; longer words are cut */
	SW_BUFFER_MAX_DEPTH = 32 /* of structs in structs */
};

enum sw_buffer_state {
	SW_BUFFER_OPEN,
	SW_BUFFER_AT_END, /* io.EOF, or all was read */
	SW_BUFFER_FAILED, /* `error` says how */
	SW_BUFFER_CLOSED,
};

struct sw_buffer {
	struct sw_value value; /* the structure itself */
	const char *name;      /* of its type, "bufio.Reader"; as long as the types */
	bool is_guess;	       /* of the program's own: it looks like a parser */

	bool has_array; /* else it has none of its own, or none yet */
	struct sw_value_array array;
	char field[64]; /* of the structure, that holds it: "buf" */

	bool has_pending;
	uint64_t pending;    /* bytes */
	const char *what;    /* that are "unread", "unwritten", "written" */
	char positions[128]; /* the fields that say so, "r 17, w 4096"; "" */
	uint8_t state;	     /* enum sw_buffer_state */
	char error[160];     /* text of its error, "" for nil */
	const char *how;     /* it ended, where that has a word of its own: "handler returned" */
	char peer[160];	     /* "a connection that is closed", "the file /x"; "": has none */
	bool is_peer_closed; /* nothing more comes from there or can go there */
	bool is_writer;	     /* `peer` is written to */
};

/* A value of a known type; false for any other, and for one that cannot be one. */
bool sw_buffer_read(const struct sw_live *live, struct sw_value value, struct sw_buffer *out);

/* buffer_parser.c: a struct with a []byte (or string) and integers named like positions ("pos",
 * "off", "start", "end", …) whose values lie within it: a guess, which says so in its words. Its
 * bytes are in `array`, or with SW_NO_OBJECT anywhere. */
bool sw_buffer_guess(const struct sw_live *live, struct sw_value value, sw_object array,
		     struct sw_buffer *out);

/* Does nothing use the buffer any more: has its owner ended, or what it reads from? */
bool sw_buffer_is_over(const struct sw_buffer *buffer);

/* "a bufio.Reader of 4 KiB, 0 bytes unread, of a connection that is closed". */
void sw_buffer_words(const struct sw_buffer *buffer, char *out, size_t size);

/* Both in one, for a value of a known type; false and "" for others. */
bool sw_buffer_describe(const struct sw_live *live, struct sw_value value, char *out, size_t size);

/* ---- buffer_around.c: parts of objects ---- */

/* The structs, arrays, … that a place lies in, the innermost last: the object's value, its field,
 * …; at most `limit` of the innermost; returns how many. `offset` is from sw_live_start(). */
size_t sw_buffer_enclosing(const struct sw_live *live, sw_object object, uint64_t offset,
			   struct sw_value *out, size_t limit);
/* The same for a place in a root's variable; none when its type is not known. */
size_t sw_buffer_enclosing_root(const struct sw_live *live, uint32_t root, sw_addr at,
				struct sw_value *out, size_t limit);

/* The innermost part that a place lies in and that is a known structure; else one that looks like a
 * parser of the bytes in `array` (SW_NO_OBJECT: any). */
bool sw_buffer_around(const struct sw_live *live, sw_object object, uint64_t offset,
		      sw_object array, struct sw_buffer *out);
bool sw_buffer_around_root(const struct sw_live *live, uint32_t root, sw_addr at, sw_object array,
			   struct sw_buffer *out);

#endif
