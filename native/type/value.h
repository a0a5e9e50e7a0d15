/* What stands at an address, in Go's own notation: steps of a path, and values as short text. */
#ifndef SW_TYPE_VALUE_H
#define SW_TYPE_VALUE_H

#include "type/type.h"

/* Bytes of a string, and depth of nested structs, that are shown. */
enum { SW_VALUE_MAX_STRING = 40 };

/* The step from an object of a type to the pointer at `offset` bytes of its slot: ".parser.buf",
 * "[17]", "[17].name", `["k"]` for an entry of a map, `[key "k"]` for a pointer inside its key,
 * ".captured.req" or, not known, ".captured+8" for a closure, "+0x10" for an object of unknown
 * type, and nothing where the step is no step in Go (from a map to its table, from a channel to its
 * buffer). Appended to out (NUL-terminated, cut at size); returns the type that holds the pointer,
 * 0 when unknown. `slot` is the address where the object's slot begins. */
sw_type sw_value_step(struct sw_types *types, const struct sw_go *go, const struct sw_heap *heap,
		      sw_type type, sw_addr slot, uint64_t offset, char *out, size_t size);

/* The step from a variable of a type to the pointer at `offset` bytes of it; appended to out. */
sw_type sw_value_root_step(struct sw_types *types, sw_type type, uint64_t offset, char *out,
			   size_t size);

/* A value as text, appended to out: numbers, bools, "strings" (cut, with …), 0x… for pointers,
 * {…} for structs of these, what is in an interface. False, and "?" , when it is not readable. */
bool sw_value_text(struct sw_types *types, const struct sw_go *go, sw_type type, sw_addr addr,
		   char *out, size_t size);

#endif
