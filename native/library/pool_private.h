/* Private to pool.c (what lies in pools), pool_part.c (what belongs to an element), pool_dirt.c
 * (who else uses elements) and pool_request.c (what elements lead to). */
#ifndef SW_LIBRARY_POOL_PRIVATE_H
#define SW_LIBRARY_POOL_PRIVATE_H

#include "library/pool_dirt.h"

/* Finds what belongs to each element, and the bytes of elements and pools. Elements and pools do
 * not change any more. */
struct sw_error *sw_pools_measure(struct sw_pools *pools);

/* Is an object the element, the array of one of its slices, or what it alone keeps alive? */
bool sw_pool_is_of(const struct sw_pools *pools, sw_object object,
		   const struct sw_pool_element *element);

/* Where the element's own words are, in its object. */
static inline bool sw_pool_is_within(const struct sw_live *live,
				     const struct sw_pool_element *element, sw_addr addr)
{
	return element->is_whole ||
	       addr - element->body.addr < sw_type_info(live->types, element->body.type)->size;
}

/* Adds what each element of a pool leads to that is of a request, or lives without it. */
struct sw_error *sw_pool_requests_find(const struct sw_pool_dirt_search *search, uint32_t pool,
				       struct sw_pool_dirt_list *out, uint64_t *cut);

#endif
