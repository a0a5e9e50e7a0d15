#include "owner/parser_arena_private.h"

#include <inttypes.h>

/* ---- parts ---- */

static void warn_of_misfit(struct sw_arena_finding *finding, const struct sw_arena_shape *shape,
			   sw_addr value, const char *what)
{
	const char *name = sw_type_info(finding->live->types, shape->type)->name;
	if (shape->recognized == SW_ARENA_DESCRIBED)
		sw_warn(finding->warnings, true, "arena_misfit",
			"look at the value: do the fields mean what the description says?",
			"the %s at 0x%" PRIx64 " is not as it was described: %s", name, value,
			what);
}

struct sw_error *sw_arena_add_part(struct sw_arena_finding *finding, uint32_t shape_number,
				   const struct sw_arena_place *place)
{
	const struct sw_arena_shape *shape = &finding->out->shapes.items[shape_number];
	uint64_t size = sw_type_info(finding->live->types, shape->type)->size;
	struct sw_arena_part part = {*place, shape_number, (uint32_t)finding->parts.count, false};
	struct sw_arena_regions regions = {0};
	size_t before = finding->out->chunks.count;
	bool is_read;

	struct sw_error *error =
		sw_arena_shape_read(finding->live, shape, place->addr, &regions, &is_read);
	if (!error && !is_read)
		warn_of_misfit(finding, shape, place->addr, "no chunk can be read");
	for (size_t i = 0; !error && i < regions.count; i++) {
		const struct sw_arena_region *region = &regions.items[i];
		struct sw_arena_chunk chunk = {
			.shape = shape_number,
			.arena = part.group,
			.is_inline = region->at == region->base && region->object == place->object,
		};
		if (sw_arena_is_common(&finding->commons, region)) {
			warn_of_misfit(finding, shape, place->addr,
				       "many others look into the same array");
			continue;
		}
		if (region->is_off_wild)
			warn_of_misfit(finding, shape, place->addr,
				       "how much was handed out cannot be told");
		if (region->capacity >= finding->search->min_bytes)
			error = sw_arena_add_chunk(finding, region, chunk, place->addr, size);
	}
	sw_arena_regions_free(&regions);
	if (!error && finding->out->chunks.count > before)
		error = sw_arena_parts_add(&finding->parts, part);
	return error;
}

/* ---- chains ---- */

static uint32_t group_of(struct sw_arena_parts *parts, uint32_t part)
{
	while (parts->items[part].group != part) {
		uint32_t above = parts->items[part].group;
		parts->items[part].group = parts->items[above].group;
		part = above;
	}
	return part;
}

/* Parts of one shape by address. */
SW_MAP(uint32_t, part_map);

static bool is_of_one_type(const struct sw_arena_finding *finding, uint32_t a, uint32_t b)
{
	const struct sw_arena_parts *parts = &finding->parts;
	const struct sw_arena_shapes *shapes = &finding->out->shapes;
	return shapes->items[parts->items[a].shape].type ==
	       shapes->items[parts->items[b].shape].type;
}

struct linking {
	struct sw_arena_finding *finding;
	const struct part_map *by_address;
	uint32_t part;
};

static struct sw_error *link_to(void *context, sw_addr next)
{
	struct linking *linking = context;
	struct sw_arena_parts *parts = &linking->finding->parts;
	const uint32_t *found = part_map_find(linking->by_address, next);

	if (!found || *found - 1 == linking->part ||
	    !is_of_one_type(linking->finding, *found - 1, linking->part))
		return NULL;
	uint32_t a = group_of(parts, linking->part), b = group_of(parts, *found - 1);
	parts->items[*found - 1].is_linked = true;
	parts->items[a > b ? a : b].group = a < b ? a : b;
	return NULL;
}

/* The field of a description, else every pointer to the same type. */
struct sw_error *sw_arena_visit_next(const struct sw_arena_finding *finding,
				     const struct sw_arena_part *part, sw_visit_next *visit,
				     void *context)
{
	const struct sw_live *live = finding->live;
	const struct sw_arena_shape *shape = &finding->out->shapes.items[part->shape];
	const struct sw_type_info *info = sw_type_info(live->types, shape->type);
	struct sw_value value = {shape->type, part->place.addr};
	struct sw_error *error = NULL;
	uint64_t next;

	if (shape->recognized == SW_ARENA_DESCRIBED)
		return shape->paths[SW_ARENA_NEXT] &&
				       sw_arena_shape_word(live, value, shape->paths[SW_ARENA_NEXT],
							   &next) &&
				       next
			       ? visit(context, next)
			       : NULL;
	for (uint32_t i = 0; !error && i < info->field_count; i++) {
		const struct sw_type_info *field = sw_type_info(live->types, info->fields[i].type);
		if (field->kind == SW_KIND_POINTER && field->elem == shape->type &&
		    sw_memory_u64(live->go->memory, value.addr + info->fields[i].offset, &next) &&
		    next)
			error = visit(context, next);
	}
	return error;
}

/* Two chunks of one value, by two of its fields, are one arena. */
static struct sw_error *number_part(struct sw_arena_finding *finding, struct part_map *by_address,
				    uint32_t number)
{
	struct sw_arena_part *part = &finding->parts.items[number];
	const uint32_t *found = part_map_find(by_address, part->place.addr);

	if (!found)
		return part_map_set(by_address, part->place.addr, number + 1);
	if (is_of_one_type(finding, *found - 1, number))
		part->group = *found - 1;
	return NULL;
}

static struct sw_error *link_parts(struct sw_arena_finding *finding)
{
	struct part_map by_address = {0};
	struct sw_error *error = NULL;
	for (uint32_t i = 0; !error && i < finding->parts.count; i++)
		error = number_part(finding, &by_address, i);
	for (uint32_t i = 0; !error && i < finding->parts.count; i++) {
		struct sw_arena_part part = finding->parts.items[i];
		struct linking linking = {finding, &by_address, i};
		error = sw_arena_visit_next(finding, &part, link_to, &linking);
	}
	part_map_free(&by_address);
	return error;
}

/* ---- arenas ---- */

static void count_chunk(struct sw_parser_arena *arena, const struct sw_arena_chunk *chunk)
{
	arena->is_used_known =
		chunk->is_used_known && (arena->is_used_known || !arena->chunk_count);
	arena->chunk_count++;
	arena->view_count += chunk->view_count;
	arena->capacity += chunk->capacity;
	arena->used += chunk->used;
	arena->viewed_bytes += chunk->viewed_bytes;
}

/* The first part of each group stands for it, before all those that another one leads to. */
static struct sw_error *group_parts(struct sw_arena_finding *finding)
{
	struct sw_parser_arenas *out = finding->out;
	struct sw_arena_parts *parts = &finding->parts;
	size_t *arena_of = calloc(parts->count + 1, sizeof(*arena_of));
	struct sw_error *error = arena_of ? NULL : sw_error_memory();

	for (uint32_t i = 0; !error && i < parts->count; i++) {
		const struct sw_arena_part *part = &parts->items[i];
		if (group_of(parts, i) != i)
			continue;
		arena_of[i] = out->arenas.count;
		error = sw_parser_arena_list_add(
			&out->arenas,
			(struct sw_parser_arena){.shape = part->shape, .place = part->place});
	}
	for (uint32_t i = 0; !error && i < parts->count; i++) {
		uint32_t group = group_of(parts, i);
		if (parts->items[group].is_linked && !parts->items[i].is_linked)
			out->arenas.items[arena_of[group]].place = parts->items[i].place;
	}
	for (size_t i = 0; !error && i < out->chunks.count; i++) {
		struct sw_arena_chunk *chunk = &out->chunks.items[i];
		chunk->arena = arena_of[group_of(parts, (uint32_t)chunk->arena)];
		count_chunk(&out->arenas.items[chunk->arena], chunk);
	}
	free(arena_of);
	return error;
}

struct sw_error *sw_arena_make_arenas(struct sw_arena_finding *finding)
{
	struct sw_error *error = link_parts(finding);
	return error ? error : group_parts(finding);
}
