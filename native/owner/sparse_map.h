/* Maps with far more room than entries: they grow with their entries and never shrink. */
#ifndef SW_OWNER_SPARSE_MAP_H
#define SW_OWNER_SPARSE_MAP_H

#include "view/field.h"

/* Maps of more than SW_SPARSE_SLOTS slots of which less than a quarter has an entry: a map that
 * grew is 40% full or more. The share of its buckets or groups that has no entry is wasted. */
enum { SW_SPARSE_SLOTS = 16 };

struct sw_sparse_maps {
	uint64_t looked_at, unreadable; /* maps */
	uint64_t maps, entries, slots;	/* sparse ones, and in them */
	uint64_t size, wasted;		/* bytes of their buckets or groups */
	struct sw_field_rows rows;	/* by the field that holds the map; `views` are entries,
					 * `spare` slots; `example.object` the header */
};

struct sw_error *sw_sparse_maps_find(struct sw_fields *fields, struct sw_sparse_maps *out);
void sw_sparse_maps_free(struct sw_sparse_maps *maps);

#endif
