/* Elements of a pool that are far larger than its others. */
#include "library/pool_dirt.h"

static int by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

bool sw_pool_is_oversized(const struct sw_pool_sizes *sizes, const struct sw_pool *pool,
			  uint64_t bytes, uint64_t least)
{
	if (bytes < least || !bytes)
		return false;
	return pool->count == 1 || bytes / SW_POOL_FAR >= sizes->median;
}

struct sw_error *sw_pool_sizes(const struct sw_pools *pools, uint32_t number, uint64_t least,
			       struct sw_pool_sizes *out)
{
	const struct sw_pool *pool = &pools->list.items[number];
	const struct sw_pool_element *elements = pools->elements.items + pool->first;

	*out = (struct sw_pool_sizes){0};
	if (!pool->count)
		return NULL;
	uint64_t *sorted = calloc(pool->count, sizeof(*sorted));
	if (!sorted)
		return sw_error_memory();
	for (uint32_t i = 0; i < pool->count; i++) {
		sorted[i] = elements[i].bytes;
		if (!i || sorted[i] > out->largest) {
			out->largest = sorted[i];
			out->largest_element = pool->first + i;
		}
	}
	qsort(sorted, pool->count, sizeof(*sorted), by_number);
	out->median = sorted[(pool->count - 1) / 2];
	free(sorted);
	for (uint32_t i = 0; i < pool->count; i++)
		if (sw_pool_is_oversized(out, pool, elements[i].bytes, least)) {
			out->oversized++;
			out->oversized_bytes += elements[i].bytes;
		}
	return NULL;
}
