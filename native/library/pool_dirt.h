/* What should not be in a pool: elements that somebody else still uses, or that were put there
 * twice; elements that still refer to what they were used for; one that is far larger than the
 * others. Whoever takes a dirty element next writes into memory that is in use, or keeps a request
 * alive that was answered long ago. */
#ifndef SW_LIBRARY_POOL_DIRT_H
#define SW_LIBRARY_POOL_DIRT_H

#include "library/pool.h"

enum sw_pool_dirt_kind {
	/* The same value lies in the pools twice or more: two will get it at once. */
	SW_POOL_TWICE,
	/* Something outside the element points to it, or to the array behind one of its slices. */
	SW_POOL_REFERENCED,
	/* It leads to a value of a type that belongs to a request (sw_pool_is_request()). */
	SW_POOL_REQUEST,
	/* It points to a value that is alive without it, and each element of the pool that does so
	 * has one of its own: what all share belongs to the pool. */
	SW_POOL_LIVE,
	SW_POOL_DIRT_KINDS
};

struct sw_pool_dirt {
	uint8_t kind;	  /* enum sw_pool_dirt_kind */
	uint32_t element; /* TWICE: the first of them */
	uint32_t times;	  /* TWICE: how often it is there */
	sw_node holder;	  /* REFERENCED: the object or root that points to it */
	sw_addr at;	  /* REFERENCED: where that pointer stands; 0: in a register */
	sw_object object; /* REFERENCED: that is pointed to; REQUEST, LIVE: that it leads to */
	sw_type type;	  /* of `object`, 0 unknown */
	char *path;	  /* REFERENCED: from the element to the array, ".buf", or "" for itself;
			   * REQUEST, LIVE: from the element to the object, ".req"; owned */
	uint64_t bytes;	  /* REQUEST: that the element alone keeps alive with it */
};
SW_VECTOR(struct sw_pool_dirt, sw_pool_dirt_list);

/* Is the type one of a request? Asked for types of objects that elements lead to. */
typedef bool sw_pool_is_request_type(void *context, const struct sw_types *types, sw_type type);
/* The usual answer: what belongs to requests (library/request.h), connections, streams, contexts,
 * transactions. `context` is not used. */
sw_pool_is_request_type sw_pool_is_request;

struct sw_pool_dirt_search {
	const struct sw_pools *pools;
	sw_pool_is_request_type *is_request;
	void *context;
};

/* By element, then kind. `cut` counts elements that lead to more objects than were looked at. */
struct sw_error *sw_pool_dirt_find(const struct sw_pool_dirt_search *search,
				   struct sw_pool_dirt_list *out, uint64_t *cut);
/* Frees the paths too. */
void sw_pool_dirt_clear(struct sw_pool_dirt_list *list);

/* ---- elements that are far larger than the others ---- */

struct sw_pool_sizes {
	uint64_t median, largest; /* bytes of an element; of an even number the lower middle one */
	uint32_t largest_element;
	uint32_t oversized; /* elements of `least` bytes or more and SW_POOL_FAR times the
			     * median; an element that is alone counts by `least` */
	uint64_t oversized_bytes;
};
enum { SW_POOL_FAR = 4 };

bool sw_pool_is_oversized(const struct sw_pool_sizes *sizes, const struct sw_pool *pool,
			  uint64_t bytes, uint64_t least);
struct sw_error *sw_pool_sizes(const struct sw_pools *pools, uint32_t pool, uint64_t least,
			       struct sw_pool_sizes *out);

#endif
