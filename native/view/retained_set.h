/* What some objects retain together: what would be free without all of those that no other of them
 * dominates, each byte once. What only several of them together keep alive is not in it. */
#ifndef SW_VIEW_RETAINED_SET_H
#define SW_VIEW_RETAINED_SET_H

#include "view/live.h"

SW_VECTOR(sw_object, sw_objects);

struct sw_retained {
	uint64_t bytes, objects; /* slot bytes */
};

/* An object may be there twice. */
struct sw_error *sw_live_retained_set(const struct sw_live *live, const sw_object *objects,
				      size_t count, struct sw_retained *out);

/* Calls visit with every object and root that refers to an object, until it returns false; returns
 * whether it never did. */
typedef bool sw_visit_referrer(void *context, sw_node from);
bool sw_live_referrers(const struct sw_live *live, sw_object object, sw_visit_referrer *visit,
		       void *context);

#endif
