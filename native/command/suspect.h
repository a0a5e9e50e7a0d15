/* The accumulation point below a node of the dominator tree, and what has accumulated there, as
 * Eclipse MAT's Leak Suspects finds them. */
#ifndef SW_COMMAND_SUSPECT_H
#define SW_COMMAND_SUSPECT_H

#include "command/type_tally.h"

/* Descend to the heaviest child while it keeps this share of its parent. */
#define SW_SUSPECT_SHARE 0.7

/* What of one type has accumulated directly below a suspect: what it refers to and dominates,
 * looking through the hidden parts of maps and channels and through arrays behind slices that hold
 * more than themselves. */
struct sw_accumulation {
	sw_type type;
	uint64_t objects;
	uint64_t bytes;	   /* retained by them */
	sw_object largest; /* the one that retains most */
};

struct sw_suspect {
	sw_node top;	/* where the descent began: a root, a group, or an object */
	sw_node point;	/* the accumulation point; top itself when nothing dominates below */
	uint32_t chain; /* objects of one type, each held by the one before (a list), that the
			 * descent went through last; 0: none. The point is the first of them */
	struct sw_accumulation accumulation; /* objects 0: nothing below */
};

/* Fills point, chain and accumulation of each suspect from its top. */
struct sw_error *sw_suspects_find(struct sw_suspect *suspects, size_t count,
				  const struct sw_live *live,
				  const struct sw_dominators *dominators);

struct sw_largest {
	sw_object object;
	uint64_t bytes; /* retained */
};

/* The objects of the accumulation's type that retain most, at most `limit`, largest first; free()
 * the array. */
struct sw_error *sw_suspect_largest(const struct sw_suspect *suspect, const struct sw_live *live,
				    const struct sw_dominators *dominators, size_t limit,
				    struct sw_largest **out, size_t *count);

#endif
