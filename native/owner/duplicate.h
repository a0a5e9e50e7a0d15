/* Strings that are in memory several times: what interning would save. */
#ifndef SW_OWNER_DUPLICATE_H
#define SW_OWNER_DUPLICATE_H

#include "view/array_use.h"
#include "view/field.h"

enum { SW_DUPLICATE_TEXTS = 1024 }; /* that are kept */

/* A text and the places where it is: each has bytes of its own, however many strings look there. */
struct sw_duplicate_text {
	sw_addr addr; /* of the first place */
	uint64_t len; /* bytes */
	uint64_t places;
	uint64_t wasted; /* bytes of all places but the first */
};
SW_VECTOR(struct sw_duplicate_text, sw_duplicate_texts);

/* Places are objects that nothing but strings look at, most of them from their start; they count
 * with all bytes of their slot. Several short strings share an object of 16 bytes: those count with
 * their length. Parts of longer strings are no places. */
struct sw_duplicates {
	uint64_t strings;		/* places that were compared */
	uint64_t arrays;		/* ... that are not the first with their text */
	uint64_t wasted;		/* bytes of these */
	uint64_t texts;			/* that are there more than once */
	struct sw_duplicate_texts most; /* of these the SW_DUPLICATE_TEXTS that waste most */
	struct sw_field_rows rows;	/* a place counts for the field of the first string there */
};

struct sw_error *sw_duplicates_find(struct sw_fields *fields, const struct sw_array_use *use,
				    struct sw_duplicates *out);
void sw_duplicates_free(struct sw_duplicates *duplicates);

#endif
