/* Views: slice and string headers, and pointers, through which a program looks at a part of an
 * object. The whole object stays alive for the smallest of them. */
#ifndef SW_VIEW_VIEW_H
#define SW_VIEW_VIEW_H

#include "view/live.h"

enum sw_view_kind {
	SW_VIEW_SLICE,
	SW_VIEW_STRING,
	SW_VIEW_POINTER, /* to one value, or an interface that holds one there */
	SW_VIEW_UNKNOWN, /* a pointer of which nothing tells what it is: it may look at everything
			  * behind it */
};

struct sw_view {
	sw_addr at;	   /* where the pointer stands; 0: in a register */
	sw_node holder;	   /* the object or root it stands in */
	sw_object object;  /* that it looks at */
	uint64_t offset;   /* bytes from the start of the object's value (sw_live_start()) */
	uint64_t len, cap; /* bytes it looks at; bytes it can grow to look at */
	sw_type elem;	   /* of what it looks at; 0 unknown */
	uint8_t kind;	   /* enum sw_view_kind */
	bool is_len_known; /* else `len` goes to the object's end: part of a header is missing */
};
SW_VECTOR(struct sw_view, sw_views);

/* Every view on an object, by rising offset, then place. Needs the graph's edges only. */
struct sw_error *sw_views_of(const struct sw_live *live, sw_object object, struct sw_views *out);

/* Every view on objects whose slot has min_bytes or more, by object, offset, place: the same for
 * any number of threads. One pass over the heap on all workers. */
struct sw_error *sw_views_collect(const struct sw_live *live, uint64_t min_bytes,
				  struct sw_views *out);

/* The bytes of [0, size) that at least one of the views of one object looks at (sorted as above),
 * and the largest part that none does. */
uint64_t sw_views_covered(const struct sw_view *views, size_t count, uint64_t size,
			  uint64_t *largest_hole);

/* The step from the holder to the pointer as in Go, ".line", "[3].body", of a root with its name,
 * "main.frames[3].body", into out; the type of the holder (object or variable), 0 when unknown. */
sw_type sw_view_step(const struct sw_live *live, const struct sw_view *view, char *out,
		     size_t size);

#endif
