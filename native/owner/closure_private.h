/* Private to closure.c (which closures there are, by site), closure_capture.c (what they have
 * captured), closure_retained.c (what they keep) and closure_holder.c (who has them). */
#ifndef SW_OWNER_CLOSURE_PRIVATE_H
#define SW_OWNER_CLOSURE_PRIVATE_H

#include "owner/closure.h"
#include "view/cut.h"

/* What the sites retain, and all of them together. */
struct sw_error *sw_closures_retain(const struct sw_live *live, struct sw_closures *closures);
/* What the captures of the first sites retain; what they keep, and the site's requests. */
struct sw_error *sw_closures_retain_captures(const struct sw_live *live,
					     struct sw_closures *closures, size_t sites);
/* The captured variables of a site: by its type, else by its pointers; counted. */
struct sw_error *sw_closure_captures(const struct sw_live *live, struct sw_closure_site *site);
/* The holders of the first sites. */
struct sw_error *sw_closures_find_holders(const struct sw_live *live, struct sw_closures *closures,
					  size_t sites);

#endif
