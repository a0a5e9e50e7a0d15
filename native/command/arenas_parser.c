/* Tables of parser arenas: values, chunks with their views, fields that views stand in. */
#include "command/arenas.h"

#include <inttypes.h>

enum { MAX_NAME = 512, VIEWS_OF_CHUNK = 64 };

/* ---- arenas ---- */

static const char *recognized(const struct sw_arena_shape *shape)
{
	switch (shape->recognized) {
	case SW_ARENA_DESCRIBED:
		return "description";
	case SW_ARENA_BY_POOL:
		return "pool";
	default:
		return "evidence";
	}
}

static const char *fill_field(const struct sw_arena_shape *shape)
{
	switch (shape->fill) {
	case SW_ARENA_FILL_FIELD:
		return shape->paths[SW_ARENA_OFF];
	case SW_ARENA_FILL_LENGTH:
		return "len";
	case SW_ARENA_FILL_BEGIN:
		return "begin";
	default:
		return "";
	}
}

/* Numbers in the order that their rows are shown in. */
struct order {
	const struct sw_parser_arenas *arenas;
	size_t *numbers;
};

static int compare(uint64_t a, uint64_t b)
{
	return a == b ? 0 : a < b ? 1 : -1;
}

static int by_unviewed(const void *a, const void *b, void *context)
{
	const struct sw_parser_arenas *arenas = context;
	size_t i = *(const size_t *)a, k = *(const size_t *)b;
	const struct sw_parser_arena *x = &arenas->arenas.items[i], *y = &arenas->arenas.items[k];
	int order = compare(x->capacity - x->viewed_bytes, y->capacity - y->viewed_bytes);
	return order ? order : (i > k) - (i < k);
}

static const char *arena_state(const struct sw_parser_arena *arena)
{
	return arena->is_pooled ? "pooled" : arena->is_retired ? "retired" : "in use";
}

static void add_arena(struct sw_arenas_view *view, const struct sw_parser_arena *arena)
{
	const struct sw_arena_shape *shape = &view->parser.shapes.items[arena->shape];
	char *holder = sw_arenas_holder(view, &arena->place);
	char name[MAX_NAME];
	json_t *row = json_object();

	sw_arenas_type_name(view, arena->shape, name, sizeof(name));
	json_object_set_new(row, "type", sw_json_string(name));
	json_object_set_new(row, "address", sw_json_address(arena->place.addr));
	json_object_set_new(row, "recognized_by", json_string(recognized(shape)));
	json_object_set_new(row, "buf", sw_json_string(shape->paths[SW_ARENA_BUF]));
	json_object_set_new(row, "off", sw_json_string(fill_field(shape)));
	json_object_set_new(row, "state", json_string(arena_state(arena)));
	json_object_set_new(row, "chunks", sw_json_count(arena->chunk_count));
	json_object_set_new(row, "capacity_bytes", sw_json_bytes(arena->capacity));
	if (arena->is_used_known)
		json_object_set_new(row, "used_bytes", sw_json_bytes(arena->used));
	json_object_set_new(row, "views", sw_json_count(arena->view_count));
	json_object_set_new(row, "viewed_bytes", sw_json_bytes(arena->viewed_bytes));
	json_object_set_new(row, "holder", sw_json_string(holder));
	sw_report_row(view->report, "arenas", row);
	free(holder);
}

static size_t *numbers_to(size_t count)
{
	size_t *numbers = calloc(count + 1, sizeof(*numbers));
	for (size_t i = 0; numbers && i < count; i++)
		numbers[i] = i;
	return numbers;
}

static struct sw_error *report_arenas(struct sw_arenas_view *view)
{
	uint64_t limit = sw_arguments_limit(view->arguments);
	size_t count = view->parser.arenas.count, *order = numbers_to(count);

	if (!order)
		return sw_error_memory();
	qsort_r(order, count, sizeof(*order), by_unviewed, &view->parser);
	sw_report_table(view->report, "arenas",
			"type address state recognized_by buf off chunks capacity_bytes used_bytes "
			"views viewed_bytes holder");
	for (size_t i = 0; i < count && i < limit; i++)
		add_arena(view, &view->parser.arenas.items[order[i]]);
	sw_report_omitted(view->report, "arenas", count, limit);
	free(order);
	return NULL;
}

/* ---- chunks ---- */

static const char *chunk_state(const struct sw_arena_chunk *chunk)
{
	switch (chunk->state) {
	case SW_ARENA_CHUNK_RETIRED:
		return "retired";
	case SW_ARENA_CHUNK_POOLED:
		return "pooled";
	default:
		return "in use";
	}
}

/* What is wrong first, then what wastes most. */
static int by_trouble(const void *a, const void *b, void *context)
{
	const struct sw_parser_arenas *arenas = context;
	size_t i = *(const size_t *)a, k = *(const size_t *)b;
	const struct sw_arena_chunk *x = &arenas->chunks.items[i], *y = &arenas->chunks.items[k];
	int order = compare(x->dangling_views, y->dangling_views);
	if (!order)
		order = compare(x->stale_views, y->stale_views);
	if (!order)
		order = compare(x->state == SW_ARENA_CHUNK_RETIRED,
				y->state == SW_ARENA_CHUNK_RETIRED);
	if (!order)
		order = compare(x->capacity - x->viewed_bytes, y->capacity - y->viewed_bytes);
	return order ? order : (i > k) - (i < k);
}

static json_t *view_row(const struct sw_arenas_view *view, const struct sw_arena_view *one)
{
	json_t *row = json_object();
	json_object_set_new(row, "offset", json_integer((json_int_t)one->offset));
	json_object_set_new(row, "length_bytes", sw_json_bytes(one->view.len));
	json_object_set_new(row, "field",
			    sw_json_string(view->parser.fields.names.items[one->field]));
	if (one->view.at)
		json_object_set_new(row, "address", sw_json_address(one->view.at));
	if (one->is_stale)
		json_object_set_new(row, "stale", json_true());
	if (one->is_dangling)
		json_object_set_new(row, "dangling", json_true());
	return row;
}

static void add_chunk(struct sw_arenas_view *view, const struct sw_arena_chunk *chunk)
{
	char name[MAX_NAME];
	json_t *row = json_object(), *views = json_array();

	sw_arenas_type_name(view, chunk->shape, name, sizeof(name));
	for (size_t i = 0; i < chunk->view_count && i < VIEWS_OF_CHUNK; i++)
		json_array_append_new(
			views, view_row(view, &view->parser.views.items[chunk->first_view + i]));
	json_object_set_new(row, "address", sw_json_address(chunk->base));
	json_object_set_new(row, "type", sw_json_string(name));
	json_object_set_new(row, "state", json_string(chunk_state(chunk)));
	if (chunk->arena != SW_NO_ARENA)
		json_object_set_new(
			row, "arena_address",
			sw_json_address(view->parser.arenas.items[chunk->arena].place.addr));
	json_object_set_new(row, "capacity_bytes", sw_json_bytes(chunk->capacity));
	if (chunk->is_used_known)
		json_object_set_new(row, "used_bytes", sw_json_bytes(chunk->used));
	json_object_set_new(row, "views", sw_json_count(chunk->view_count));
	json_object_set_new(row, "viewed_bytes", sw_json_bytes(chunk->viewed_bytes));
	json_object_set_new(row, "unviewed_bytes",
			    sw_json_bytes(chunk->capacity - chunk->viewed_bytes));
	json_object_set_new(row, "hole_bytes", sw_json_bytes(chunk->hole_bytes));
	json_object_set_new(row, "stale_views", sw_json_count(chunk->stale_views));
	json_object_set_new(row, "dangling_views", sw_json_count(chunk->dangling_views));
	json_object_set_new(row, "intervals", views);
	sw_report_row(view->report, "chunks", row);
}

static struct sw_error *report_chunks(struct sw_arenas_view *view)
{
	uint64_t limit = sw_arguments_limit(view->arguments);
	size_t count = view->parser.chunks.count, *order = numbers_to(count);

	if (!order)
		return sw_error_memory();
	qsort_r(order, count, sizeof(*order), by_trouble, &view->parser);
	sw_report_table(view->report, "chunks",
			"address type state capacity_bytes used_bytes views viewed_bytes "
			"hole_bytes stale_views dangling_views intervals#2");
	for (size_t i = 0; i < count && i < limit; i++)
		add_chunk(view, &view->parser.chunks.items[order[i]]);
	sw_report_omitted(view->report, "chunks", count, limit);
	free(order);
	return NULL;
}

/* ---- fields ---- */

/* Views of one type of arenas that stand in one field. */
struct field_row {
	uint64_t key; /* shape << 32 | field */
	uint64_t views, viewed, chunks, alone, alone_bytes, stale, dangling;
	sw_addr example;
	size_t last_chunk;
};
SW_VECTOR(struct field_row, field_rows);
SW_MAP(size_t, row_map); /* place + 1 */

static struct sw_error *row_of(struct field_rows *rows, struct row_map *map, uint64_t key,
			       struct field_row **out)
{
	const size_t *known = row_map_find(map, key + 1);
	struct sw_error *error = NULL;

	if (!known) {
		error = field_rows_add(rows,
				       (struct field_row){.key = key, .last_chunk = SIZE_MAX});
		if (!error)
			error = row_map_set(map, key + 1, rows->count);
	}
	if (!error)
		*out = &rows->items[known ? *known - 1 : rows->count - 1];
	return error;
}

/* All that goes with the one view of a chunk. */
static void count_alone(const struct sw_arenas_view *view, const struct sw_arena_chunk *chunk,
			struct field_row *row)
{
	const struct sw_parser_arena *arena =
		chunk->arena == SW_NO_ARENA ? NULL : &view->parser.arenas.items[chunk->arena];

	if (!sw_arenas_is_kept_by_one(view, chunk))
		return;
	row->alone += arena ? arena->chunk_count : 1;
	row->alone_bytes += arena ? arena->capacity : chunk->capacity;
}

static struct sw_error *count_chunk(const struct sw_arenas_view *view, struct field_rows *rows,
				    struct row_map *map, size_t number)
{
	const struct sw_arena_chunk *chunk = &view->parser.chunks.items[number];
	struct sw_error *error = NULL;

	for (size_t i = 0; !error && i < chunk->view_count; i++) {
		const struct sw_arena_view *one = &view->parser.views.items[chunk->first_view + i];
		struct field_row *row;
		error = row_of(rows, map, (uint64_t)chunk->shape << 32 | one->field, &row);
		if (error)
			break;
		row->views++;
		row->viewed += one->view.len;
		row->chunks += row->last_chunk != number;
		row->last_chunk = number;
		count_alone(view, chunk, row);
		if (!row->example)
			row->example = one->view.at;
	}
	return error;
}

static int by_held(const void *a, const void *b)
{
	const struct field_row *x = a, *y = b;
	int order = compare(x->alone_bytes, y->alone_bytes);
	if (!order)
		order = compare(x->views, y->views);
	return order ? order : (x->key > y->key) - (x->key < y->key);
}

static void add_field(struct sw_arenas_view *view, const struct field_row *field)
{
	char name[MAX_NAME];
	json_t *row = json_object();

	sw_arenas_type_name(view, (uint32_t)(field->key >> 32), name, sizeof(name));
	json_object_set_new(row, "field",
			    sw_json_string(view->parser.fields.names.items[(uint32_t)field->key]));
	json_object_set_new(row, "type", sw_json_string(name));
	json_object_set_new(row, "views", sw_json_count(field->views));
	json_object_set_new(row, "viewed_bytes", sw_json_bytes(field->viewed));
	json_object_set_new(row, "chunks", sw_json_count(field->chunks));
	json_object_set_new(row, "chunks_kept_alone", sw_json_count(field->alone));
	json_object_set_new(row, "kept_alone_bytes", sw_json_bytes(field->alone_bytes));
	json_object_set_new(row, "address", sw_json_address(field->example));
	sw_report_row(view->report, "views", row);
}

static struct sw_error *report_views(struct sw_arenas_view *view)
{
	uint64_t limit = sw_arguments_limit(view->arguments);
	struct field_rows rows = {0};
	struct row_map map = {0};
	struct sw_error *error = NULL;

	for (size_t i = 0; !error && i < view->parser.chunks.count; i++)
		error = count_chunk(view, &rows, &map, i);
	if (rows.count)
		qsort(rows.items, rows.count, sizeof(*rows.items), by_held);
	sw_report_table(view->report, "views",
			"field type views viewed_bytes chunks chunks_kept_alone kept_alone_bytes "
			"address");
	for (size_t i = 0; !error && i < rows.count && i < limit; i++)
		add_field(view, &rows.items[i]);
	sw_report_omitted(view->report, "views", rows.count, limit);
	row_map_free(&map);
	field_rows_free(&rows);
	return error;
}

struct sw_error *sw_arenas_report_parser(struct sw_arenas_view *view)
{
	struct sw_error *error = report_arenas(view);
	if (!error)
		error = report_chunks(view);
	return error ? error : report_views(view);
}
