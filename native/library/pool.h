/* sync.Pools and what lies in them (sync/pool.go, poolqueue.go; the same structs in Go 1.18–1.27,
 * but for atomic.Pointer and atomic.Uint64 from 1.19 on). A collection makes `local` the victim
 * cache and drops the one before: what nobody took for two collections is gone. */
#ifndef SW_LIBRARY_POOL_H
#define SW_LIBRARY_POOL_H

#include "base/map.h"
#include "view/live.h"

#define SW_NO_ELEMENT UINT32_MAX

/* What lies in a pool. */
struct sw_pool_element {
	struct sw_value value; /* as it was put: of a *T where the pointer stands in the pool, of
				* another type where the interface keeps it */
	struct sw_value body;  /* the same behind the pointer: T; type 0 when unknown */
	sw_addr place;	       /* of the interface in the pool */
	sw_object object;      /* that the body is in; SW_NO_OBJECT: not in the heap */
	uint32_t pool;	       /* by number */
	uint64_t bytes;	       /* what it retains, and the arrays of its slices that others look at
				* too; its size when it is a part of an object */
	bool is_whole;	       /* it is all of the object */
	bool is_private;       /* of one P; else in the P's queue, which others may take from */
	bool is_victim;
};
SW_VECTOR(struct sw_pool_element, sw_pool_elements);

struct sw_pool {
	sw_addr address;
	sw_type type;		 /* sync.Pool */
	sw_object holder;	 /* the object it is in, or SW_NO_OBJECT */
	uint32_t root;		 /* the variable it is in, SW_NO_ROOT when that is unknown */
	sw_addr constructor;	 /* entry of New; 0: none */
	uint32_t first, count;	 /* of sw_pools.elements: those that are not victims first */
	uint64_t slots;		 /* Ps that have a part of their own */
	uint64_t bytes;		 /* of its elements, what several share counted once */
	uint64_t overhead_bytes; /* of its own arrays and queues */
	uint64_t retained_bytes; /* what would be free if it were emptied: elements that nobody
				  * else refers to, and overhead */
};
SW_VECTOR(struct sw_pool, sw_pool_list);

SW_MAP(uint32_t, sw_pool_numbers);

struct sw_pools {
	struct sw_pool_list list;	  /* by address */
	struct sw_pool_elements elements; /* by pool */
	struct sw_pool_numbers by_object; /* private: element + 1 of an object + 1 */
	struct sw_pool_numbers own;	  /* private: pool + 1 of the pools' own objects + 1 */
	uint32_t *owners;		  /* private: element + 2 by object, as far as asked for */
	const struct sw_live *live;
	uint64_t damaged; /* parts that could not be read and are left out */
};

/* All pools that were ever used, but for those that are empty and that nothing but debug
 * information leads to. Damage is counted in live->warnings. `live` must outlive the pools. */
struct sw_error *sw_pools_find(const struct sw_live *live, struct sw_pools *out);
void sw_pools_free(struct sw_pools *pools);

/* The element that an object is, whose slices it is the array of, or that alone keeps it alive;
 * SW_NO_ELEMENT: none. Fast; not for several threads at once. */
uint32_t sw_pools_element_of(const struct sw_pools *pools, sw_object object);

/* The number of the pool whose own arrays and queues the object is part of; SW_NO_ELEMENT. */
static inline uint32_t sw_pools_own(const struct sw_pools *pools, sw_object object)
{
	const uint32_t *found = sw_pool_numbers_find(&pools->own, (uint64_t)object + 1);
	return found ? *found - 1 : SW_NO_ELEMENT;
}

/* Each object that is the array behind a slice in the element's body, with the path to the slice
 * ("buf", "frames[2].line"). */
typedef struct sw_error *sw_visit_part(void *context, sw_object array, const char *path);
struct sw_error *sw_pool_parts(const struct sw_live *live, const struct sw_pool_element *element,
			       sw_visit_part *visit, void *context);

/* Is such an array somebody else's, whose slice the element had for a while and whoever takes it
 * next replaces? So it is when another slice has all of the array by its length, as a
 * bufio.Writer has its buffer, and those of the element are shorter; and for elements of types
 * that are known never to write into their slices. */
struct sw_error *sw_pool_is_borrowed(const struct sw_pools *pools, uint32_t element,
				     sw_object array, bool *out);

#endif
