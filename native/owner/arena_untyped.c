#include "base/bitset.h"
#include "owner/parser_arena_private.h"

/* What a part of a shape looks like whose type is not known. */
struct likeness {
	uint32_t shape;
	uint64_t slot; /* bytes of its object */
};
SW_VECTOR(struct likeness, likenesses);

struct untyped_search {
	struct sw_arena_finding *finding;
	struct likenesses likenesses;
	const struct likeness *now;
	struct sw_arena_regions regions; /* of the value that is tried */
};

/* ---- what parts look like ---- */

static bool is_known(const struct untyped_search *search, uint32_t shape, uint64_t slot)
{
	for (size_t i = 0; i < search->likenesses.count; i++)
		if (search->likenesses.items[i].shape == shape &&
		    search->likenesses.items[i].slot == slot)
			return true;
	return false;
}

/* Whole objects with their chunk in them, and with an offset that can be right or wrong. */
static struct sw_error *learn(struct untyped_search *search)
{
	const struct sw_arena_finding *finding = search->finding;
	const struct sw_arena_chunks *chunks = &finding->out->chunks;
	struct sw_error *error = NULL;

	for (size_t i = 0; !error && i < chunks->count; i++) {
		const struct sw_arena_chunk *chunk = &chunks->items[i];
		const struct sw_arena_shape *shape = &finding->out->shapes.items[chunk->shape];
		if (!chunk->is_inline || shape->fill != SW_ARENA_FILL_FIELD ||
		    sw_live_type(finding->live, chunk->object) != shape->type)
			continue;
		uint64_t slot = sw_heap_size(finding->live->heap, chunk->object);
		if (!is_known(search, chunk->shape, slot))
			error = likenesses_add(&search->likenesses,
					       (struct likeness){chunk->shape, slot});
	}
	return error;
}

/* ---- is it one? ---- */

struct pointer_check {
	const struct sw_types *types;
	sw_type type;
	uint64_t header; /* bytes before the value */
	bool fits;
};

static bool is_pointer(const struct sw_type_info *info)
{
	return info->kind == SW_KIND_POINTER || info->kind == SW_KIND_UNSAFE_POINTER ||
	       info->kind == SW_KIND_SLICE || info->kind == SW_KIND_STRING ||
	       info->kind == SW_KIND_MAP || info->kind == SW_KIND_CHAN ||
	       info->kind == SW_KIND_FUNC || info->kind == SW_KIND_INTERFACE;
}

static bool check_pointer(void *context, uint64_t offset, sw_addr pointer)
{
	struct pointer_check *check = context;
	char path[256] = "";

	(void)pointer;
	sw_type type =
		sw_type_path(check->types, check->type, offset - check->header, path, sizeof(path));
	check->fits = is_pointer(sw_type_info(check->types, type));
	return check->fits;
}

/* Pointers only where the type has some. */
static bool has_pointers_of(const struct sw_live *live, sw_object object, sw_type type)
{
	sw_slot slot = sw_heap_select(live->heap, object);
	struct pointer_check check = {
		live->types, type,
		sw_live_start(live, object) - sw_heap_slot_address(live->heap, slot), true};
	sw_heap_pointers(live->heap, slot, check_pointer, &check);
	return check.fits;
}

/* Does the offset agree with every view? With `only_views` nothing else refers to the object. */
static bool agrees(const struct untyped_search *search, sw_object object, bool only_views)
{
	const struct sw_arena_region *region = &search->regions.items[0];
	size_t count, handed = 0;
	const struct sw_view *views = sw_arena_views_of(&search->finding->all, object, &count);

	for (size_t i = 0; i < count; i++) {
		bool is_handed = sw_arena_is_handed_out(region, &views[i], 0, 0);
		uint64_t end = views[i].offset + views[i].len - region->begin;
		if (is_handed && views[i].is_len_known && end > region->used)
			return false;
		if (!is_handed && only_views)
			return false;
		handed += is_handed;
	}
	return !only_views || handed;
}

static struct sw_error *try_object(struct untyped_search *search, sw_object object, bool only_views)
{
	struct sw_arena_finding *finding = search->finding;
	const struct sw_live *live = finding->live;
	const struct sw_arena_shape *shape = &finding->out->shapes.items[search->now->shape];
	struct sw_arena_place place = {.object = object, .root = SW_NO_ROOT};
	bool is_read;

	if (sw_live_type(live, object) || sw_bitset_has(finding->has_chunk, object) ||
	    sw_heap_size(live->heap, object) != search->now->slot ||
	    !has_pointers_of(live, object, shape->type))
		return NULL;
	place.addr = sw_live_start(live, object);
	search->regions.count = 0;
	struct sw_error *error =
		sw_arena_shape_read(live, shape, place.addr, &search->regions, &is_read);
	if (error || search->regions.count != 1 || !search->regions.items[0].is_used_known ||
	    !agrees(search, object, only_views))
		return error;
	return sw_arena_add_part(finding, search->now->shape, &place);
}

/* ---- heads and what they lead to ---- */

static struct sw_error *try_next(void *context, sw_addr next)
{
	struct untyped_search *search = context;
	const struct sw_live *live = search->finding->live;
	sw_object object = sw_heap_object(live->heap, next);
	if (object == SW_NO_OBJECT || sw_live_start(live, object) != next)
		return NULL;
	return try_object(search, object, false);
}

static struct sw_error *follow(struct untyped_search *search, size_t first)
{
	struct sw_arena_finding *finding = search->finding;
	struct sw_error *error = NULL;
	for (size_t i = first; !error && i < finding->parts.count; i++) {
		struct sw_arena_part part = finding->parts.items[i];
		if (part.shape == search->now->shape)
			error = sw_arena_visit_next(finding, &part, try_next, search);
	}
	return error;
}

static struct sw_error *find_alike(struct untyped_search *search)
{
	const struct sw_views *all = &search->finding->all;
	size_t first = search->finding->parts.count;
	struct sw_error *error = NULL;

	for (size_t i = 0, end; !error && i < all->count; i = end) {
		sw_object object = all->items[i].object;
		for (end = i + 1; end < all->count && all->items[end].object == object;)
			end++;
		error = try_object(search, object, true);
	}
	return error ? error : follow(search, first);
}

struct sw_error *sw_arena_find_untyped(struct sw_arena_finding *finding)
{
	struct untyped_search search = {.finding = finding};
	struct sw_error *error = learn(&search);

	for (size_t i = 0; !error && i < search.likenesses.count; i++) {
		search.now = &search.likenesses.items[i];
		error = find_alike(&search);
	}
	likenesses_free(&search.likenesses);
	sw_arena_regions_free(&search.regions);
	return error;
}
