/* What each pointer of a type is, flat: which words a look at millions of objects finds headers of
 * slices and strings at. Private to view.c, view_word.c and view_plan.c. */
#ifndef SW_VIEW_VIEW_PLAN_H
#define SW_VIEW_VIEW_PLAN_H

#include "type/type.h"

enum sw_view_slot_kind {
	SW_VIEW_SLOT_UNKNOWN, /* unsafe.Pointer */
	SW_VIEW_SLOT_SLICE,   /* first word of a header: `elem` and its size */
	SW_VIEW_SLOT_STRING,
	SW_VIEW_SLOT_POINTER, /* to one `elem` */
	SW_VIEW_SLOT_WHOLE,   /* map, channel, func, and what these are made of: to all of it */
	SW_VIEW_SLOT_EFACE,   /* data word of an interface; the word before is the type */
	SW_VIEW_SLOT_IFACE,   /* ... is the itab */
	SW_VIEW_SLOT_REPEAT,  /* the slots of `elem`, `count` times */
};

struct sw_view_slot {
	uint64_t offset; /* bytes from the start of the value */
	uint64_t size;	 /* bytes of elem */
	uint64_t count;	 /* SW_VIEW_SLOT_REPEAT */
	sw_type elem;
	uint8_t kind;
};
SW_VECTOR(struct sw_view_slot, sw_view_slots);

/* Of a type; zeros until made. */
struct sw_view_plan {
	uint64_t size;	       /* bytes of one value; 0: no object can be of this type */
	sw_type elem;	       /* what an object of this type is an array of: itself, or its elem */
	uint32_t first, count; /* of plans->slots, by rising offset */
	bool is_made;
	bool is_struct; /* elem is one */
	bool is_single; /* what follows it in a slot is not another one */
};
SW_VECTOR(struct sw_view_plan, sw_view_plan_list);

struct sw_view_plans {
	struct sw_types *types;
	struct sw_view_plan_list list; /* by type */
	struct sw_view_slots slots;
	unsigned steps; /* private: left, of one plan */
};

/* The plan of a type and of what is repeated in it. Not for several threads. */
struct sw_error *sw_view_plans_make(struct sw_view_plans *plans, sw_type type);
/* The pointer that an object of a type has at an offset of its value; NULL when there is none, or
 * the type has no plan. For several threads. */
const struct sw_view_slot *sw_view_plans_slot(const struct sw_view_plans *plans, sw_type type,
					      uint64_t offset);
/* The plan of a type; one of zeros when it has none. */
const struct sw_view_plan *sw_view_plans_of(const struct sw_view_plans *plans, sw_type type);
void sw_view_plans_free(struct sw_view_plans *plans);

#endif
