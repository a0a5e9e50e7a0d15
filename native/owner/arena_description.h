/* How a user describes a type that is an arena: `pkg.Type{buf=chunk, off=used, next=next}`.
 *
 *	buf	the chunk: a slice, an array, a string, a pointer (with cap); a slice of these is a
 *		list of chunks. Required.
 *	off	how much of it was handed out: a number of elements, or an address in the chunk
 *	cap	how much there is, where buf does not say: a number, or the address of its end
 *	next	the next part of the same arena: a pointer to the same type
 *	cur	of a list of chunks, the number of the one that is being filled; else the last
 *
 * Values are field names with dots between them, as sw_value_field() takes them. Several
 * descriptions stand on lines of their own or behind a `;`, and `#` begins a comment. */
#ifndef SW_OWNER_ARENA_DESCRIPTION_H
#define SW_OWNER_ARENA_DESCRIPTION_H

#include "base/error.h"
#include "base/vector.h"

enum sw_arena_key {
	SW_ARENA_BUF,
	SW_ARENA_OFF,
	SW_ARENA_CAP,
	SW_ARENA_NEXT,
	SW_ARENA_CUR,
	SW_ARENA_KEYS
};

struct sw_arena_description {
	char *type;		    /* "main.arena", "example.org/parse.Arena", C: "arena" */
	char *paths[SW_ARENA_KEYS]; /* NULL: not given */
};
SW_VECTOR(struct sw_arena_description, sw_arena_descriptions);

/* Adds those in the text; SW_ERR_USAGE says what is wrong in which line. */
struct sw_error *sw_arena_descriptions_parse(const char *text, struct sw_arena_descriptions *out);
void sw_arena_descriptions_clear(struct sw_arena_descriptions *descriptions);

#endif
