/* What one pointer looks at. Private to view.c, view_scan.c and view_word.c. */
#ifndef SW_VIEW_VIEW_WORD_H
#define SW_VIEW_VIEW_WORD_H

#include "view/view_scan.h"

/* Where a pointer leads. */
struct sw_view_target {
	sw_object object;
	uint64_t offset, room; /* bytes: from the start of the value, and of it */
};

/* The object of a span that a pointer leads to. False for garbage, and for a pointer to what is
 * before the value. */
bool sw_view_find_target(const struct sw_heap *heap, const struct sw_span *span, sw_addr pointer,
			 struct sw_view_target *target);

/* The view of the word at an offset of a slot. For several threads. */
struct sw_view sw_view_at(const struct sw_view_scan *scan, const struct sw_span *span,
			  uint32_t index, sw_object holder, uint64_t offset,
			  const struct sw_view_target *target);
/* The view of one of the heap's root words; makes a plan of the root's type. */
struct sw_error *sw_view_at_root(struct sw_view_scan *scan, size_t number,
				 const struct sw_view_target *target, struct sw_view *view);

#endif
