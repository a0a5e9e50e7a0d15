/* A value as someone who debugs wants to read it: with lengths, with the type and the value in an
 * interface, with what a pointer points to. (value.h has the short form, for steps of a path.) */
#ifndef SW_TYPE_DESCRIBE_H
#define SW_TYPE_DESCRIBE_H

#include "type/access.h"

/* Where a value is: in the target, or gathered here. */
struct sw_value_place {
	sw_addr addr;	      /* in the target; not looked at when there are bytes */
	const uint8_t *bytes; /* of the whole value, or NULL */
	const uint8_t *known; /* 1 for each of the bytes that is known, 0 for the others */
};

/* 7, "text", 0xc000012340 → {id: 7, next: nil}, len 2 cap 4 [1, 2], main.state(3), len 3 0xc0000a
 * for a map, main.serve.func1 for a function. Strings are cut after 64 bytes, structs, arrays and
 * slices after some elements, with …. What is not known or cannot be read is ?, and a pointer to an
 * object that is not live has "(not live)" behind it. malloc'ed; NULL without memory. */
char *sw_value_describe(const struct sw_value_reader *reader, sw_type type,
			const struct sw_value_place *place);

/* What an `any` at an address of the target holds, without the name of its type. */
char *sw_value_describe_any(const struct sw_value_reader *reader, sw_addr any);

/* Is it a type that generic code takes many types for? Then a pointer in it may point to anything.
 */
bool sw_value_is_shape(const struct sw_types *types, sw_type type);

/* The type of what an `any` at an address of the target holds; 0 for nil, and for what cannot be
 * read. */
sw_type sw_value_dynamic_type(struct sw_types *types, const struct sw_go *go, sw_addr any);

#endif
