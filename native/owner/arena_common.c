#include "owner/arena_common.h"

static int by_begin(const void *a, const void *b)
{
	const struct sw_arena_common *x = a, *y = b;
	return (x->begin > y->begin) - (x->begin < y->begin);
}

/* Runs of those that overlap become one, or none when they are few. */
static void merge(struct sw_arena_commons *all)
{
	size_t kept = 0, next;

	if (all->count)
		qsort(all->items, all->count, sizeof(*all->items), by_begin);
	for (size_t i = 0; i < all->count; i = next) {
		struct sw_arena_common run = all->items[i];
		for (next = i + 1; next < all->count && all->items[next].begin < run.end; next++)
			if (all->items[next].end > run.end)
				run.end = all->items[next].end;
		if (next - i > SW_ARENA_MOST_OWNERS)
			all->items[kept++] = run;
	}
	all->count = kept;
}

struct sw_error *sw_arena_find_common(const struct sw_live *live,
				      const struct sw_arena_shape *shape,
				      const struct sw_arena_places *places,
				      struct sw_arena_commons *out)
{
	struct sw_arena_regions regions = {0};
	struct sw_error *error = NULL;
	bool is_read;

	for (size_t i = 0; !error && i < places->count; i++) {
		regions.count = 0;
		error = sw_arena_shape_read(live, shape, places->items[i].addr, &regions, &is_read);
		for (size_t k = 0; !error && k < regions.count; k++) {
			const struct sw_arena_region *region = &regions.items[k];
			error = sw_arena_commons_add(
				out, (struct sw_arena_common){region->base,
							      region->base + region->capacity});
		}
	}
	sw_arena_regions_free(&regions);
	merge(out);
	return error;
}

bool sw_arena_is_common(const struct sw_arena_commons *commons,
			const struct sw_arena_region *region)
{
	size_t low = 0, high = commons->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (commons->items[middle].end <= region->base)
			low = middle + 1;
		else
			high = middle;
	}
	return low < commons->count && commons->items[low].begin <= region->base;
}
