/* Arrays that many values of a type look into. No array has many owners: the values are what was
 * handed out, tokens or lines, whatever their fields are called. */
#ifndef SW_OWNER_ARENA_COMMON_H
#define SW_OWNER_ARENA_COMMON_H

#include "owner/arena_evidence.h"

enum { SW_ARENA_MOST_OWNERS = 16 }; /* of bytes: copies of an arena, marks to go back to */

struct sw_arena_common {
	sw_addr begin, end;
};
SW_VECTOR(struct sw_arena_common, sw_arena_commons); /* by address, apart from each other */

/* Adds what more than SW_ARENA_MOST_OWNERS chunks share that values of a shape refer to. */
struct sw_error *sw_arena_find_common(const struct sw_live *live,
				      const struct sw_arena_shape *shape,
				      const struct sw_arena_places *places,
				      struct sw_arena_commons *out);
bool sw_arena_is_common(const struct sw_arena_commons *commons,
			const struct sw_arena_region *region);

#endif
