/* Types whose values are arenas though nobody has said so: they have a byte buffer into which
 * others look at many places, and a length, an offset or a rest that agrees with where they look.
 */
#ifndef SW_OWNER_ARENA_EVIDENCE_H
#define SW_OWNER_ARENA_EVIDENCE_H

#include "owner/arena_shape.h"

enum { SW_ARENA_MIN_VIEWS = 8 }; /* disjoint, on all buffers of a type, until it counts as arena */

/* A place where a value stands that is or may be an arena. */
struct sw_arena_place {
	sw_addr addr;
	sw_object object; /* or SW_NO_OBJECT */
	uint32_t root;	  /* the variable, or SW_NO_ROOT */
};
SW_VECTOR(struct sw_arena_place, sw_arena_places);

/* Can a value of the type have a chunk of min_bytes or more, by its fields? */
bool sw_arena_may_be(const struct sw_live *live, const struct sw_type_info *info,
		     uint64_t min_bytes);

/* Does the value at an address have one? */
bool sw_arena_has_chunk(const struct sw_live *live, const struct sw_type_info *info, sw_addr value,
			uint64_t min_bytes);

/* Judges one type by all its values: adds a shape for each buffer field that the evidence speaks
 * for. `views` are those of sw_views_collect(). */
struct sw_error *sw_arena_judge(const struct sw_live *live, const struct sw_views *views,
				sw_type type, const struct sw_arena_places *places,
				uint64_t min_bytes, struct sw_arena_shapes *out);

/* Is a described slice what is left of its chunk, buf = buf[n:]? Then all views lie before it. */
struct sw_error *sw_arena_judge_rest(const struct sw_live *live, const struct sw_views *views,
				     const struct sw_arena_shape *shape,
				     const struct sw_arena_places *places, bool *is_rest);

#endif
