/* Slices whose arrays are far larger than what is in them, of every size. */
#ifndef SW_OWNER_CAPACITY_H
#define SW_OWNER_CAPACITY_H

#include "view/array_use.h"
#include "view/field.h"

/* Arrays of which the slice that begins where they do could use as much again, or more, as is in
 * use by any view. An array counts for the field of the first such slice. */
struct sw_capacity {
	uint64_t arrays;
	uint64_t size, used, wasted; /* bytes: of their capacity */
	uint64_t empty;		     /* of these, in arrays in which nothing is: kept for later */
	struct sw_field_rows rows;   /* `spare`: bytes of empty ones */
};

/* Leaves out the objects in `skipped`, a bit for each; NULL: none. */
struct sw_error *sw_capacity_find(struct sw_fields *fields, const struct sw_array_use *use,
				  const uint64_t *skipped, struct sw_capacity *out);
void sw_capacity_free(struct sw_capacity *capacity);

#endif
