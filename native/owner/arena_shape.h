/* What makes values of a type arenas: which of its fields are the chunk and how much of it was
 * handed out; and the chunks of one value. */
#ifndef SW_OWNER_ARENA_SHAPE_H
#define SW_OWNER_ARENA_SHAPE_H

#include "owner/arena_description.h"
#include "view/view.h"

/* How much of a chunk was handed out. */
enum sw_arena_fill {
	SW_ARENA_FILL_UNKNOWN,
	SW_ARENA_FILL_FIELD,  /* a field says so: buf[off:] is free */
	SW_ARENA_FILL_LENGTH, /* the length of the slice: buf = append(buf, …) */
	SW_ARENA_FILL_BEGIN,  /* what is before the slice: buf = buf[n:] */
};

enum sw_arena_recognized {
	SW_ARENA_DESCRIBED,
	SW_ARENA_BY_EVIDENCE, /* of views and a field that agrees with them */
	SW_ARENA_BY_POOL,     /* a buffer in a sync.Pool */
};

struct sw_arena_shape {
	sw_type type;
	const char *paths[SW_ARENA_KEYS]; /* borrowed: of the description, of the type */
	uint8_t fill;			  /* enum sw_arena_fill */
	uint8_t recognized;		  /* enum sw_arena_recognized */
};
SW_VECTOR(struct sw_arena_shape, sw_arena_shapes);

/* A chunk as its owner refers to it. */
struct sw_arena_region {
	sw_addr base;
	uint64_t capacity; /* bytes; not 0 */
	uint64_t used;	   /* bytes from base that were handed out */
	bool is_used_known;
	bool is_off_wild; /* `off` says what cannot be, or nothing */
	sw_addr at; /* where the owner's pointer to it stands; of an array in the owner its base */
	sw_addr data; /* what that points to, with length and capacity in bytes: */
	uint64_t len, cap;
	sw_object object; /* that it is in; SW_NO_OBJECT: not in the heap */
	uint64_t begin; /* bytes from the object's start (sw_live_start()) to base; the base itself
			 * outside the heap */
};
SW_VECTOR(struct sw_arena_region, sw_arena_regions);

/* Adds the chunks of one value, whose type is the shape's. *is_read is false when a field of the
 * description is missing or cannot be read; a nil chunk is none. */
struct sw_error *sw_arena_shape_read(const struct sw_live *live, const struct sw_arena_shape *shape,
				     sw_addr value, struct sw_arena_regions *out, bool *is_read);

/* A number or an address in a field; also of C's types, whose numbers count as unsigned. */
bool sw_arena_shape_word(const struct sw_live *live, struct sw_value value, const char *path,
			 uint64_t *out);

/* Does the program look at a part of the region through the view? Not when the view is the owner's
 * own, stands in its `own_size` bytes at `own`, or refers to all of the region. */
bool sw_arena_is_handed_out(const struct sw_arena_region *region, const struct sw_view *view,
			    sw_addr own, uint64_t own_size);

/* The views of one object in a sorted list: the first, and how many. */
const struct sw_view *sw_arena_views_of(const struct sw_views *views, sw_object object,
					size_t *count);

#endif
