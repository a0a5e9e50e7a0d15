#include "base/bitset.h"
#include "owner/parser_arena_private.h"

/* ---- arenas that only views keep ---- */

/* The arena that an object's values belong to, + 1; MANY of them. */
SW_MAP(size_t, arena_map);
#define MANY SIZE_MAX

static struct sw_error *list_objects(const struct sw_arena_finding *finding, struct arena_map *map)
{
	const struct sw_parser_arenas *out = finding->out;
	struct sw_error *error = NULL;

	for (size_t i = 0; !error && i < out->chunks.count; i++) {
		const struct sw_arena_chunk *chunk = &out->chunks.items[i];
		uint64_t key = (uint64_t)chunk->object + 1;
		if (chunk->object == SW_NO_OBJECT)
			continue;
		const size_t *known = arena_map_find(map, key);
		bool is_shared = known && *known != chunk->arena + 1;
		error = arena_map_set(map, key, is_shared ? MANY : chunk->arena + 1);
	}
	return error;
}

/* Is there a reference to the chunk's object that is neither a view into the chunk nor of the arena
 * itself? */
static bool has_owner(const struct sw_arena_finding *finding, const struct arena_map *map,
		      const struct sw_arena_chunk *chunk)
{
	sw_addr start = sw_live_start(finding->live, chunk->object);
	struct sw_arena_region region = {.base = chunk->base,
					 .capacity = chunk->capacity,
					 .at = chunk->base,
					 .data = chunk->base,
					 .len = chunk->capacity,
					 .cap = chunk->capacity,
					 .object = chunk->object,
					 .begin = chunk->base - start};
	size_t count;
	const struct sw_view *views = sw_arena_views_of(&finding->all, chunk->object, &count);

	for (size_t i = 0; i < count; i++) {
		const size_t *arena = arena_map_find(map, (uint64_t)views[i].holder + 1);
		bool is_own = views[i].holder < finding->live->heap->object_count && arena &&
			      *arena == chunk->arena + 1;
		if (!is_own && !sw_arena_is_handed_out(&region, &views[i], 0, 0))
			return true;
	}
	return false;
}

/* A chunk beside its arena is held by it; one that is a part of it may be held by views alone, and
 * hold the rest of the arena in turn. */
struct sw_error *sw_arena_find_retired(struct sw_arena_finding *finding)
{
	struct sw_parser_arenas *out = finding->out;
	struct arena_map map = {0};
	struct sw_error *error = list_objects(finding, &map);

	for (size_t i = 0; i < out->arenas.count; i++)
		out->arenas.items[i].is_retired = true;
	for (size_t i = 0; !error && i < out->chunks.count; i++) {
		const struct sw_arena_chunk *chunk = &out->chunks.items[i];
		struct sw_parser_arena *arena = &out->arenas.items[chunk->arena];
		if (arena->is_retired && (!chunk->is_inline || has_owner(finding, &map, chunk)))
			arena->is_retired = false;
	}
	for (size_t i = 0; i < out->chunks.count; i++)
		if (out->arenas.items[out->chunks.items[i].arena].is_retired)
			out->chunks.items[i].state = SW_ARENA_CHUNK_RETIRED;
	arena_map_free(&map);
	return error;
}

/* ---- chunks that only views keep ---- */

/* What chunks of one shape look like. */
struct likeness {
	uint64_t slot, capacity; /* bytes of the object, of the largest chunk in it */
	uint32_t shape;
};
SW_VECTOR(struct likeness, likenesses);

struct lost_search {
	struct sw_arena_finding *finding;
	struct likenesses likenesses;
	uint64_t *fields;   /* for each shape the fields that look at its chunks, as bits */
	size_t field_words; /* of each */
	size_t field_count;
};

bool sw_arena_is_bytes(const struct sw_live *live, sw_object object)
{
	const struct sw_type_info *info = sw_type_info(live->types, sw_live_type(live, object));
	const struct sw_type_info *elem = sw_type_info(live->types, info->elem);
	if (info->role == SW_TYPE_STRING_BYTES)
		return true;
	if (info->role == SW_TYPE_BACKING)
		return elem->kind == SW_KIND_UINT8 || elem->kind == SW_KIND_INT8;
	return info->kind == SW_KIND_INVALID &&
	       sw_heap_slot_span(live->heap, sw_heap_select(live->heap, object))->scan ==
		       SW_SCAN_NONE;
}

static struct sw_error *learn_chunk(struct lost_search *search, const struct sw_arena_chunk *chunk)
{
	struct sw_arena_finding *finding = search->finding;
	const struct sw_arena_views *views = &finding->out->views;

	if (chunk->object == SW_NO_OBJECT || !sw_arena_is_bytes(finding->live, chunk->object))
		return NULL;
	for (size_t i = 0; i < chunk->view_count; i++)
		sw_bitset_set(search->fields + chunk->shape * search->field_words,
			      views->items[chunk->first_view + i].field);
	uint64_t slot = sw_heap_size(finding->live->heap, chunk->object);
	for (size_t i = 0; i < search->likenesses.count; i++) {
		struct likeness *known = &search->likenesses.items[i];
		if (known->slot != slot || known->shape != chunk->shape)
			continue;
		if (chunk->capacity > known->capacity)
			known->capacity = chunk->capacity;
		return NULL;
	}
	return likenesses_add(&search->likenesses,
			      (struct likeness){slot, chunk->capacity, chunk->shape});
}

/* Does every view stand in a field that looks at chunks of the shape too? */
static struct sw_error *is_alike(struct lost_search *search, const struct likeness *likeness,
				 const struct sw_view *views, size_t count, bool *out)
{
	const uint64_t *fields = search->fields + likeness->shape * search->field_words;
	struct sw_error *error = NULL;
	uint32_t field;

	*out = count > 0;
	for (size_t i = 0; !error && *out && i < count; i++) {
		error = sw_arena_fields_number(&search->finding->out->fields, &views[i], &field);
		*out = !error && field < search->field_count && sw_bitset_has(fields, field);
	}
	return error;
}

static bool are_handed_out(const struct sw_arena_region *region, const struct sw_view *views,
			   size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!sw_arena_is_handed_out(region, &views[i], 0, 0))
			return false;
	return count > 0;
}

static struct sw_error *try_object(struct lost_search *search, sw_object object,
				   const struct sw_view *views, size_t count)
{
	struct sw_arena_finding *finding = search->finding;
	const struct sw_live *live = finding->live;
	uint64_t slot = sw_heap_size(live->heap, object);
	struct sw_error *error = NULL;
	bool is_found = false;

	if (sw_bitset_has(finding->has_chunk, object) || !sw_arena_is_bytes(live, object))
		return NULL;
	for (size_t i = 0; !error && !is_found && i < search->likenesses.count; i++) {
		const struct likeness *likeness = &search->likenesses.items[i];
		struct sw_arena_region region = {.base = sw_live_start(live, object),
						 .capacity = likeness->capacity,
						 .object = object,
						 .data = sw_live_start(live, object)};
		struct sw_arena_chunk chunk = {.shape = likeness->shape,
					       .arena = SW_NO_ARENA,
					       .state = SW_ARENA_CHUNK_RETIRED};
		if (likeness->slot != slot || !are_handed_out(&region, views, count))
			continue;
		error = is_alike(search, likeness, views, count, &is_found);
		if (!error && is_found)
			error = sw_arena_add_chunk(finding, &region, chunk, 0, 0);
	}
	return error;
}

static struct sw_error *search_lost(struct lost_search *search)
{
	const struct sw_views *all = &search->finding->all;
	size_t known = search->finding->out->chunks.count;
	struct sw_error *error = NULL;

	for (size_t i = 0; !error && i < known; i++)
		error = learn_chunk(search, &search->finding->out->chunks.items[i]);
	for (size_t i = 0, end; !error && search->likenesses.count && i < all->count; i = end) {
		for (end = i + 1;
		     end < all->count && all->items[end].object == all->items[i].object;)
			end++;
		error = try_object(search, all->items[i].object, all->items + i, end - i);
	}
	return error;
}

struct sw_error *sw_arena_find_lost_chunks(struct sw_arena_finding *finding)
{
	size_t fields = finding->out->fields.names.count;
	struct lost_search search = {.finding = finding,
				     .field_count = fields,
				     .field_words = sw_bitset_words(fields + 1)};
	search.fields =
		calloc(finding->out->shapes.count * search.field_words + 1, sizeof(*search.fields));
	struct sw_error *error = search.fields ? search_lost(&search) : sw_error_memory();
	likenesses_free(&search.likenesses);
	free(search.fields);
	return error;
}
