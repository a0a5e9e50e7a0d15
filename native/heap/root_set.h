/* Sets of roots, each kept once and named by a number. Private to this room. */
#ifndef SW_HEAP_ROOT_SET_H
#define SW_HEAP_ROOT_SET_H

#include "heap/graph.h"

struct sw_root_set {
	size_t begin;	/* in roots */
	uint32_t count; /* at most SW_SHARED_MAX */
	bool is_many;	/* more than that: the lowest are kept */
};

enum { SW_EMPTY_SET = 0, SW_UNIONS = 1 << 12 };

struct sw_root_sets {
	struct sw_root_set *sets;
	size_t count, capacity;
	uint32_t *roots; /* of all sets, rising in each */
	size_t root_count, root_capacity;
	uint32_t *table;   /* open addressing: set + 1 */
	size_t table_size; /* a power of two */
	struct {
		uint32_t a, b, result;
	} * unions; /* [SW_UNIONS]: those asked for last */
};

struct sw_error *sw_root_sets_init(struct sw_root_sets *sets);
void sw_root_sets_deinit(struct sw_root_sets *sets);

struct sw_error *sw_root_sets_single(struct sw_root_sets *sets, uint32_t root, uint32_t *out);
struct sw_error *sw_root_sets_unite(struct sw_root_sets *sets, uint32_t a, uint32_t b,
				    uint32_t *out);

#endif
