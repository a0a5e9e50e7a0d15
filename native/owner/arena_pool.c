#include "base/bitset.h"
#include "owner/parser_arena_private.h"

static void count_dangling(struct sw_arena_finding *finding, struct sw_arena_chunk *chunk,
			   uint32_t element)
{
	for (size_t i = 0; i < chunk->view_count; i++) {
		struct sw_arena_view *one = &finding->out->views.items[chunk->first_view + i];
		one->is_dangling = sw_arena_is_outside(finding, element, &one->view);
		chunk->dangling_views += one->is_dangling;
	}
}

static void mark_pooled(struct sw_arena_finding *finding, struct sw_arena_chunk *chunk)
{
	struct sw_parser_arenas *out = finding->out;
	struct sw_parser_arena *arena =
		chunk->arena == SW_NO_ARENA ? NULL : &out->arenas.items[chunk->arena];
	sw_object owner = arena ? arena->place.object : SW_NO_OBJECT;
	uint32_t element = SW_NO_ELEMENT;

	if (owner != SW_NO_OBJECT)
		element = sw_pools_element_of(&finding->pools, owner);
	if (element == SW_NO_ELEMENT && chunk->object != SW_NO_OBJECT && !arena)
		element = sw_pools_element_of(&finding->pools, chunk->object);
	if (element == SW_NO_ELEMENT)
		return;
	if (arena)
		arena->is_pooled = true;
	chunk->state = SW_ARENA_CHUNK_POOLED;
	count_dangling(finding, chunk, element);
}

struct pooled {
	struct sw_arena_finding *finding;
	const struct sw_pool_element *element;
};

/* The shape of buffers that stand in elements of a type at a path. */
static struct sw_error *pooled_shape(struct sw_parser_arenas *out, sw_type type, const char *path,
				     uint32_t *number)
{
	for (*number = 0; *number < out->shapes.count; ++*number) {
		const struct sw_arena_shape *shape = &out->shapes.items[*number];
		if (shape->recognized == SW_ARENA_BY_POOL && shape->type == type &&
		    !strcmp(shape->paths[SW_ARENA_BUF], path))
			return NULL;
	}
	char *copy = strdup(path);
	if (!copy)
		return sw_error_memory();
	struct sw_error *error = sw_arena_field_names_add(&out->paths, copy);
	if (error) {
		free(copy);
		return error;
	}
	struct sw_arena_shape shape = {.type = type, .recognized = SW_ARENA_BY_POOL};
	shape.paths[SW_ARENA_BUF] = copy;
	return sw_arena_shapes_add(&out->shapes, shape);
}

static bool has_outside_view(const struct sw_arena_finding *finding, sw_object array)
{
	size_t count;
	const struct sw_view *views = sw_arena_views_of(&finding->all, array, &count);
	for (size_t i = 0; i < count; i++)
		if (sw_arena_is_outside(finding, finding->element, &views[i]))
			return true;
	return false;
}

static struct sw_error *try_pooled(void *context, sw_object array, const char *path)
{
	struct pooled *pooled = context;
	struct sw_arena_finding *finding = pooled->finding;
	const struct sw_live *live = finding->live;
	struct sw_arena_chunk chunk = {.arena = SW_NO_ARENA, .state = SW_ARENA_CHUNK_POOLED};
	struct sw_arena_region region = {.base = sw_live_start(live, array), .object = array};

	bool is_borrowed;

	if (sw_bitset_has(finding->has_chunk, array) || !sw_arena_is_bytes(live, array) ||
	    !has_outside_view(finding, array))
		return NULL;
	struct sw_error *error =
		sw_pool_is_borrowed(&finding->pools, finding->element, array, &is_borrowed);
	if (error || is_borrowed)
		return error;
	region.capacity = sw_heap_size(live->heap, array);
	error = pooled_shape(finding->out, pooled->element->body.type, path, &chunk.shape);
	if (!error)
		error = sw_arena_add_chunk(finding, &region, chunk, 0, 0);
	if (!error) {
		struct sw_arena_chunks *chunks = &finding->out->chunks;
		count_dangling(finding, &chunks->items[chunks->count - 1], finding->element);
	}
	return error;
}

struct sw_error *sw_arena_find_pooled(struct sw_arena_finding *finding)
{
	struct sw_parser_arenas *out = finding->out;
	struct sw_error *error = sw_pools_find(finding->live, &finding->pools);

	for (size_t i = 0; !error && i < out->chunks.count; i++)
		mark_pooled(finding, &out->chunks.items[i]);
	for (size_t i = 0; !error && i < finding->pools.elements.count; i++) {
		struct pooled pooled = {finding, &finding->pools.elements.items[i]};
		finding->element = (uint32_t)i;
		error = sw_pool_parts(finding->live, pooled.element, try_pooled, &pooled);
	}
	finding->element = SW_NO_ELEMENT;
	return error;
}
