/* Large arrays that are alive for a small part of them. */
#ifndef SW_OWNER_PINNED_H
#define SW_OWNER_PINNED_H

#include "view/field.h"

/* What its views reach of an array: their length, and of a slice that begins where the array does
 * its capacity: whoever has it can use all of that again (buf[:0]). A slice that begins elsewhere,
 * as s[3:5] does, could only append to what others may have written; a string and s[3:5:5] reach
 * nothing else anyway. What nothing reaches is wasted. */
struct sw_pinned {
	uint64_t arrays;		       /* wasted for `min_wasted` of their bytes or more */
	uint64_t size, wasted, spare;	       /* bytes of them */
	uint64_t unknown_arrays, unknown_size; /* that may be: of some view the length is not known,
						* and what is known reaches too little */
	struct sw_field_rows rows; /* an array counts for the field that has most of its views */
};

/* Of objects whose slot has min_bytes or more. */
struct sw_error *sw_pinned_find(struct sw_fields *fields, uint64_t min_bytes, double min_wasted,
				struct sw_pinned *out);
void sw_pinned_free(struct sw_pinned *pinned);

#endif
