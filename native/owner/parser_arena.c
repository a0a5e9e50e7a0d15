#include "owner/parser_arena_private.h"

#include "base/bitset.h"

#include <stdio.h>

/* A type whose values are looked for. */
struct candidate {
	const struct sw_type_info *info;
	const struct sw_arena_description *description; /* NULL: by evidence */
	sw_type type;
	struct sw_arena_places places;
};
SW_VECTOR(struct candidate, candidates);

SW_VECTOR(struct sw_arena_shape_places, shape_places);

struct collecting {
	struct sw_arena_finding *finding;
	struct candidates candidates;
	struct shape_places shapes;
	struct sw_error *error;
};

/* ---- values ---- */

static int wants(void *context, const struct sw_type_info *info)
{
	struct collecting *collecting = context;
	const struct sw_parser_arena_search *search = collecting->finding->search;
	struct candidate candidate = {.info = info};

	if (collecting->error || !sw_arena_may_be(search->live, info, search->min_bytes))
		return -1;
	collecting->error = candidates_add(&collecting->candidates, candidate);
	return collecting->error ? -1 : (int)collecting->candidates.count - 1;
}

static struct sw_error *take(void *context, const struct sw_instance *instance)
{
	struct collecting *collecting = context;
	const struct sw_parser_arena_search *search = collecting->finding->search;
	struct candidate *candidate = &collecting->candidates.items[instance->wanted];
	struct sw_arena_place place = {instance->value.addr, instance->object, instance->root};

	candidate->type = instance->value.type;
	if (!candidate->description &&
	    !sw_arena_has_chunk(search->live, candidate->info, place.addr, search->min_bytes))
		return collecting->error;
	return sw_arena_places_add(&candidate->places, place);
}

static struct sw_error *collect(struct collecting *collecting)
{
	const struct sw_parser_arena_search *search = collecting->finding->search;
	const struct sw_arena_descriptions *described = search->descriptions;
	const struct sw_live *live = search->live;
	const char **names = calloc(described->count + 1, sizeof(*names));
	struct sw_error *error = names ? NULL : sw_error_memory();

	for (size_t i = 0; !error && i < described->count; i++) {
		names[i] = described->items[i].type;
		error = candidates_add(&collecting->candidates,
				       (struct candidate){.description = &described->items[i]});
	}
	if (!error)
		error = sw_live_instances(live, names, wants, take, collecting);
	free(names);
	return error ? error : collecting->error;
}

/* ---- shapes ---- */

static struct sw_error *add_described(struct sw_arena_finding *finding,
				      const struct candidate *candidate)
{
	const struct sw_live *live = finding->live;
	struct sw_arena_shape shape = {.type = candidate->type, .recognized = SW_ARENA_DESCRIBED};
	struct sw_value buf;
	struct sw_error *error = NULL;
	bool is_rest = false;

	for (size_t i = 0; i < SW_ARENA_KEYS; i++)
		shape.paths[i] = candidate->description->paths[i];
	if (shape.paths[SW_ARENA_OFF]) {
		shape.fill = SW_ARENA_FILL_FIELD;
	} else if (candidate->places.count &&
		   sw_value_field(&live->reader,
				  (struct sw_value){shape.type, candidate->places.items[0].addr},
				  shape.paths[SW_ARENA_BUF], &buf) &&
		   sw_type_info(live->types, buf.type)->kind == SW_KIND_SLICE) {
		error = sw_arena_judge_rest(live, &finding->all, &shape, &candidate->places,
					    &is_rest);
		shape.fill = is_rest ? SW_ARENA_FILL_BEGIN : SW_ARENA_FILL_LENGTH;
	}
	return error ? error : sw_arena_shapes_add(&finding->out->shapes, shape);
}

/* Remembers whose values have the shapes from `first` on. */
static struct sw_error *add_shapes(struct collecting *collecting, const struct candidate *candidate,
				   size_t first)
{
	struct sw_error *error = NULL;
	for (size_t i = first; !error && i < collecting->finding->out->shapes.count; i++)
		error = shape_places_add(
			&collecting->shapes,
			(struct sw_arena_shape_places){(uint32_t)i, &candidate->places});
	return error;
}

/* Of two descriptions of one type the first has its values. */
static struct sw_error *copy_earlier(struct collecting *collecting, struct candidate *candidate)
{
	struct sw_error *error = NULL;
	for (const struct candidate *one = collecting->candidates.items; one < candidate; one++) {
		if (!one->type || strcmp(one->description->type, candidate->description->type) != 0)
			continue;
		candidate->type = one->type;
		for (size_t i = 0; !error && i < one->places.count; i++)
			error = sw_arena_places_add(&candidate->places, one->places.items[i]);
		break;
	}
	return error;
}

static void warn_of_missing(const struct collecting *collecting)
{
	const struct sw_arena_descriptions *described = collecting->finding->search->descriptions;
	char names[512] = "";

	for (size_t i = 0; i < described->count; i++) {
		size_t length = strlen(names);
		if (!collecting->candidates.items[i].type)
			snprintf(names + length, sizeof(names) - length, "%s%s", length ? ", " : "",
				 described->items[i].type);
	}
	if (*names)
		sw_warn(collecting->finding->warnings, false, "no_arena_of_type",
			"is it spelled as heap-types does? C types need debug information",
			"no value was found of: %s", names);
}

static struct sw_error *judge(struct collecting *collecting, struct candidate *candidate)
{
	struct sw_arena_finding *finding = collecting->finding;
	size_t first = finding->out->shapes.count;
	struct sw_error *error = NULL;

	if (candidate->description && sw_arena_is_c_name(candidate->description->type))
		error = sw_arena_find_c(finding->live, candidate->description, &candidate->type,
					&candidate->places);
	if (!error && candidate->description && !candidate->type)
		error = copy_earlier(collecting, candidate);
	if (error || !candidate->type)
		return error;
	if (candidate->description)
		error = add_described(finding, candidate);
	else
		error = sw_arena_judge(finding->live, &finding->all, candidate->type,
				       &candidate->places, finding->search->min_bytes,
				       &finding->out->shapes);
	return error ? error : add_shapes(collecting, candidate, first);
}

static struct sw_error *add_parts_of(struct sw_arena_finding *finding,
				     const struct sw_arena_shape_places *shape)
{
	struct sw_error *error =
		sw_arena_find_common(finding->live, &finding->out->shapes.items[shape->shape],
				     shape->places, &finding->commons);
	for (size_t i = 0; !error && i < shape->places->count; i++)
		error = sw_arena_add_part(finding, shape->shape, &shape->places->items[i]);
	sw_arena_commons_free(&finding->commons);
	return error;
}

static struct sw_error *add_parts(struct collecting *collecting)
{
	const struct shape_places *shapes = &collecting->shapes;
	struct sw_error *error =
		sw_arena_find_foreign_views(collecting->finding, shapes->items, shapes->count);
	for (size_t i = 0; !error && i < shapes->count; i++)
		error = add_parts_of(collecting->finding, &shapes->items[i]);
	return error;
}

static int by_arena(const void *a, const void *b)
{
	const struct sw_arena_chunk *x = a, *y = b;
	if (x->arena != y->arena)
		return x->arena < y->arena ? -1 : 1;
	if (x->shape != y->shape)
		return x->shape < y->shape ? -1 : 1;
	return (x->base > y->base) - (x->base < y->base);
}

static struct sw_error *find(struct collecting *collecting)
{
	struct sw_arena_finding *finding = collecting->finding;
	struct sw_parser_arenas *out = finding->out;
	struct sw_error *error = sw_arena_fields_init(&out->fields, finding->live);

	if (!error)
		error = sw_views_collect(finding->live, finding->search->min_bytes, &finding->all);
	if (!error)
		error = collect(collecting);
	for (size_t i = 0; !error && i < collecting->candidates.count; i++)
		error = judge(collecting, &collecting->candidates.items[i]);
	if (!error)
		warn_of_missing(collecting);
	if (!error)
		error = add_parts(collecting);
	if (!error)
		error = sw_arena_find_untyped(finding);
	if (!error)
		error = sw_arena_make_arenas(finding);
	if (!error)
		error = sw_arena_find_retired(finding);
	if (!error)
		error = sw_arena_find_lost_chunks(finding);
	if (!error)
		error = sw_arena_find_pooled(finding);
	if (!error && out->chunks.count)
		qsort(out->chunks.items, out->chunks.count, sizeof(*out->chunks.items), by_arena);
	return error;
}

struct sw_error *sw_parser_arenas_find(const struct sw_parser_arena_search *search,
				       struct sw_warnings *warnings, struct sw_parser_arenas *out)
{
	struct sw_arena_finding finding = {.search = search,
					   .live = search->live,
					   .warnings = warnings,
					   .element = SW_NO_ELEMENT,
					   .out = out};
	struct collecting collecting = {.finding = &finding};
	size_t words = sw_bitset_words((size_t)search->live->heap->object_count + 1);

	finding.has_chunk = calloc(words, sizeof(*finding.has_chunk));
	struct sw_error *error = finding.has_chunk ? find(&collecting) : sw_error_memory();

	for (size_t i = 0; i < collecting.candidates.count; i++)
		sw_arena_places_free(&collecting.candidates.items[i].places);
	candidates_free(&collecting.candidates);
	shape_places_free(&collecting.shapes);
	sw_views_free(&finding.foreign);
	sw_views_free(&finding.all);
	sw_arena_parts_free(&finding.parts);
	sw_arena_claims_free(&finding.claims);
	sw_pools_free(&finding.pools);
	free(finding.has_chunk);
	return error;
}

void sw_parser_arenas_free(struct sw_parser_arenas *arenas)
{
	sw_arena_shapes_free(&arenas->shapes);
	sw_parser_arena_list_free(&arenas->arenas);
	sw_arena_chunks_free(&arenas->chunks);
	sw_arena_views_free(&arenas->views);
	sw_arena_fields_deinit(&arenas->fields);
	for (size_t i = 0; i < arenas->paths.count; i++)
		free(arenas->paths.items[i]);
	sw_arena_field_names_free(&arenas->paths);
}
