/* How every object is used as an array: how far the slices and strings that begin where it does
 * reach, and which of them is the first. 21 bytes an object. For the analyses that need all arrays,
 * small ones too (capacity.c, duplicate.c), and to go from an array to who has it (field.c). */
#ifndef SW_VIEW_ARRAY_USE_H
#define SW_VIEW_ARRAY_USE_H

#include "view/view_scan.h"

enum sw_array_flag {
	SW_ARRAY_IS_STRING = 1,	   /* a string begins where it does, which is no short one */
	SW_ARRAY_IS_OTHERWISE = 2, /* seen by slices, by pointers, by what is not known */
};

struct sw_array_use {
	uint32_t count;	  /* of the arrays below: objects */
	uint32_t *ends;	  /* bytes up to the end of the longest view; UINT32_MAX: not known, or more
			   * than that */
	uint64_t *firsts; /* the lowest place of a slice that begins where the object does, else of
			   * a string that does: for sw_array_use_first(); 0: none */
	uint64_t *shorts; /* of a block of 16 bytes with short strings: the length of the string
			   * that begins at byte i in bits 4i…4i+3 */
	uint8_t *flags;	  /* enum sw_array_flag */
};

enum { SW_TINY_SIZE = 16 }; /* bytes, runtime/malloc.go maxTinySize */

/* One pass over the heap; nothing is known of objects whose slot is below 16 bytes. */
struct sw_error *sw_array_use_build(struct sw_array_use *use, struct sw_view_scan *scan);
void sw_array_use_free(struct sw_array_use *use, struct sw_work *work);

/* The first view, as far as `holder` and `at`. False when there is none. */
bool sw_array_use_place(const struct sw_array_use *use, const struct sw_heap *heap,
			sw_object object, struct sw_view *out);
/* The first view, of a slice or of a string. False when there is none, and when it is a root's. */
bool sw_array_use_first(const struct sw_array_use *use, const struct sw_view_scan *scan,
			sw_object object, struct sw_view *out);
/* The root word that it is; SIZE_MAX: none. */
size_t sw_array_use_first_root(const struct sw_array_use *use, sw_object object);
bool sw_array_use_is_slice(const struct sw_array_use *use, sw_object object);

#endif
