/* What some objects retain together: what would be free without all of those that no other of them
 * dominates, each byte once. What only several of them together keep alive is not in it. */
#ifndef SW_VIEW_RETAINED_SET_H
#define SW_VIEW_RETAINED_SET_H

#include "view/objects.h"

struct sw_retained {
	uint64_t bytes, objects; /* slot bytes */
};

/* An object may be there twice. */
struct sw_error *sw_live_retained_set(const struct sw_live *live, const sw_object *objects,
				      size_t count, struct sw_retained *out);

#endif
