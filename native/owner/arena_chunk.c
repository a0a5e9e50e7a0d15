#include "owner/parser_arena_private.h"

/* A variable of a frame may be what the parser is just about to hand out. */
static bool is_under_way(const struct sw_live *live, const struct sw_view *view)
{
	if (view->holder < live->heap->object_count || view->holder == SW_NO_NODE)
		return false;
	uint32_t root = view->holder - live->heap->object_count;
	return root < live->go->roots.count &&
	       live->go->roots.items[root].kind != SW_GO_ROOT_GLOBAL;
}

bool sw_arena_is_outside(const struct sw_arena_finding *finding, uint32_t element,
			 const struct sw_view *view)
{
	if (view->holder >= finding->live->heap->object_count)
		return true;
	return sw_pools_element_of(&finding->pools, view->holder) != element &&
	       sw_pools_own(&finding->pools, view->holder) == SW_NO_ELEMENT;
}

struct adding {
	struct sw_arena_finding *finding;
	const struct sw_arena_region *region;
	struct sw_arena_chunk *chunk;
	uint64_t covered; /* up to here */
};

static void cover(struct adding *adding, uint64_t from, uint64_t to)
{
	struct sw_arena_chunk *chunk = adding->chunk;
	if (from > adding->covered && from - adding->covered > chunk->hole_bytes)
		chunk->hole_bytes = from - adding->covered;
	if (from < adding->covered)
		from = adding->covered;
	if (to > from) {
		chunk->viewed_bytes += to - from;
		adding->covered = to;
	}
}

static struct sw_error *add_view(struct adding *adding, const struct sw_view *view)
{
	struct sw_arena_finding *finding = adding->finding;
	struct sw_arena_chunk *chunk = adding->chunk;
	uint64_t begin = adding->region->begin;
	uint64_t from = view->offset > begin ? view->offset - begin : 0;
	uint64_t to = view->offset + view->len > begin ? view->offset + view->len - begin : 0;
	struct sw_arena_view one = {.view = *view, .offset = from};

	if (to > chunk->capacity)
		to = chunk->capacity;
	if (chunk->is_used_known && from == chunk->used && to == chunk->capacity)
		return NULL; /* what is left, at hand */
	uint64_t last = view->is_len_known && view->len ? to : from + 1;
	if (chunk->is_used_known && last > chunk->used && view->len &&
	    !is_under_way(finding->live, view))
		one.is_stale = true;
	if (view->len)
		cover(adding, from, to);
	chunk->view_count++;
	chunk->stale_views += one.is_stale;
	struct sw_error *error = sw_arena_fields_number(&finding->out->fields, view, &one.field);
	return error ? error : sw_arena_views_add(&finding->out->views, one);
}

/* Those that begin in a region outside the heap. */
static const struct sw_view *foreign_views(const struct sw_arena_finding *finding,
					   const struct sw_arena_region *region, size_t *count)
{
	const struct sw_views *views = &finding->foreign;
	size_t low = 0, high = views->count, end;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (views->items[middle].offset < region->base)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low;
	     end < views->count && views->items[end].offset - region->base < region->capacity;)
		end++;
	*count = end - low;
	return views->items ? views->items + low : NULL;
}

struct sw_error *sw_arena_add_chunk(struct sw_arena_finding *finding,
				    const struct sw_arena_region *region,
				    struct sw_arena_chunk chunk, sw_addr own, uint64_t own_size)
{
	struct sw_parser_arenas *out = finding->out;
	struct adding adding = {.finding = finding, .region = region, .chunk = &chunk};
	size_t count = 0;
	struct sw_error *error = NULL;

	if (sw_arena_claims_find(&finding->claims, region->base))
		return NULL;
	chunk.base = region->base;
	chunk.capacity = region->capacity;
	chunk.used = region->used;
	chunk.is_used_known = region->is_used_known;
	chunk.object = region->object;
	chunk.first_view = out->views.count;
	const struct sw_view *views =
		region->object == SW_NO_OBJECT
			? foreign_views(finding, region, &count)
			: sw_arena_views_of(&finding->all, region->object, &count);
	for (size_t i = 0; !error && i < count; i++)
		if (finding->element == SW_NO_ELEMENT
			    ? sw_arena_is_handed_out(region, &views[i], own, own_size)
			    : sw_arena_is_outside(finding, finding->element, &views[i]))
			error = add_view(&adding, &views[i]);
	if (chunk.capacity - adding.covered > chunk.hole_bytes)
		chunk.hole_bytes = chunk.capacity - adding.covered;
	if (region->object != SW_NO_OBJECT)
		sw_bitset_set(finding->has_chunk, region->object);
	if (!error)
		error = sw_arena_chunks_add(&out->chunks, chunk);
	if (!error)
		error = sw_arena_claims_set(&finding->claims, chunk.base,
					    (uint32_t)out->chunks.count);
	return error;
}
