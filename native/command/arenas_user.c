/* Arenas of package arena. */
#include "command/arenas.h"

static const char *chunk_state(const struct sw_user_chunk *chunk)
{
	switch (chunk->state) {
	case SW_USER_CHUNK_ACTIVE:
		return "active";
	case SW_USER_CHUNK_FULL:
		return "full";
	case SW_USER_CHUNK_SPARE:
		return "spare";
	case SW_USER_CHUNK_FREED:
		return "freed";
	}
	return "?";
}

static void add_arena(struct sw_arenas_view *view, const struct sw_user_arena *arena)
{
	json_t *row = json_object();
	bool is_reachable = arena->object != SW_NO_OBJECT;
	const struct sw_arena_place place = {arena->address, arena->object, SW_NO_ROOT};
	char *holder = is_reachable ? sw_arenas_holder(view, &place) : strdup("");

	json_object_set_new(row, "address", sw_json_address(arena->address));
	json_object_set_new(row, "state", json_string(is_reachable ? "in use" : "unreachable"));
	json_object_set_new(row, "chunks", sw_json_count(arena->chunks));
	json_object_set_new(row, "capacity_bytes", sw_json_bytes(arena->size));
	json_object_set_new(row, "used_bytes", sw_json_bytes(arena->used_bytes));
	json_object_set_new(row, "free_bytes", sw_json_bytes(arena->size - arena->used_bytes));
	json_object_set_new(row, "holder", sw_json_string(holder));
	sw_report_row(view->report, "user_arenas", row);
	free(holder);
}

static void add_chunk(struct sw_arenas_view *view, const struct sw_user_chunk *chunk)
{
	json_t *row = json_object();

	json_object_set_new(row, "address", sw_json_address(chunk->base));
	json_object_set_new(row, "state", json_string(chunk_state(chunk)));
	if (chunk->arena != SW_NO_USER_ARENA)
		json_object_set_new(row, "arena_address",
				    sw_json_address(view->user.arenas.items[chunk->arena].address));
	json_object_set_new(row, "size_bytes", sw_json_bytes(chunk->size));
	json_object_set_new(row, "pointer_bytes", sw_json_bytes(chunk->front_bytes));
	json_object_set_new(row, "plain_bytes", sw_json_bytes(chunk->back_bytes));
	json_object_set_new(row, "free_bytes", sw_json_bytes(chunk->free_bytes));
	json_object_set_new(row, "freed_pointers", sw_json_count(chunk->view_count));
	sw_report_row(view->report, "user_chunks", row);
}

/* ---- pointers that an arena's end has left behind ---- */

struct freed_row {
	uint32_t field, state;
	uint64_t pointers;
	struct sw_view example;
};
SW_VECTOR(struct freed_row, freed_rows);

static int by_pointers(const void *a, const void *b)
{
	const struct freed_row *x = a, *y = b;
	if (x->state != y->state)
		return x->state > y->state ? -1 : 1; /* those that crash first */
	if (x->pointers != y->pointers)
		return x->pointers < y->pointers ? 1 : -1;
	return (x->field > y->field) - (x->field < y->field);
}

static struct sw_error *count_view(struct sw_arenas_view *view, struct freed_rows *rows,
				   const struct sw_user_chunk *chunk, const struct sw_view *one)
{
	uint32_t field;
	struct sw_error *error = sw_arena_fields_number(&view->parser.fields, one, &field);
	if (error)
		return error;
	for (size_t i = 0; i < rows->count; i++)
		if (rows->items[i].field == field && rows->items[i].state == chunk->state) {
			rows->items[i].pointers++;
			return NULL;
		}
	return freed_rows_add(rows, (struct freed_row){field, chunk->state, 1, *one});
}

static void add_freed(struct sw_arenas_view *view, const struct freed_row *freed)
{
	const struct sw_view *example = &freed->example;
	json_t *row = json_object();

	json_object_set_new(row, "field",
			    sw_json_string(view->parser.fields.names.items[freed->field]));
	json_object_set_new(row, "pointers", sw_json_count(freed->pointers));
	json_object_set_new(row, "chunk",
			    json_string(freed->state == SW_USER_CHUNK_FREED ? "freed" : "spare"));
	json_object_set_new(row, "type",
			    sw_json_string(sw_naming_type_name(&view->live, example->elem)));
	json_object_set_new(row, "address", sw_json_address(example->at));
	json_object_set_new(row, "chunk_address",
			    sw_json_address(sw_heap_address(view->live.heap, example->object)));
	sw_report_row(view->report, "freed", row);
}

static void report_freed(struct sw_arenas_view *view)
{
	uint64_t limit = sw_arguments_limit(view->arguments);
	struct freed_rows rows = {0};
	struct sw_error *error = NULL;

	for (size_t i = 0; !error && i < view->user.chunks.count; i++) {
		const struct sw_user_chunk *chunk = &view->user.chunks.items[i];
		for (size_t k = 0; !error && k < chunk->view_count; k++)
			error = count_view(view, &rows, chunk,
					   &view->user.views.items[chunk->first_view + k]);
	}
	sw_error_free(error); /* memory: rows are missing, and json tells so too */
	if (rows.count)
		qsort(rows.items, rows.count, sizeof(*rows.items), by_pointers);
	sw_report_table(view->report, "freed", "field pointers chunk type address chunk_address");
	for (size_t i = 0; i < rows.count && i < limit; i++)
		add_freed(view, &rows.items[i]);
	sw_report_omitted(view->report, "freed", rows.count, limit);
	freed_rows_free(&rows);
}

void sw_arenas_report_user(struct sw_arenas_view *view)
{
	const struct sw_user_arenas *user = &view->user;
	uint64_t limit = sw_arguments_limit(view->arguments);

	if (!user->chunks.count)
		return;
	sw_report_table(view->report, "user_arenas",
			"address state chunks capacity_bytes used_bytes free_bytes holder");
	for (size_t i = 0; i < user->arenas.count && i < limit; i++)
		add_arena(view, &user->arenas.items[i]);
	sw_report_omitted(view->report, "user_arenas", user->arenas.count, limit);
	sw_report_table(view->report, "user_chunks",
			"address state arena_address size_bytes pointer_bytes plain_bytes "
			"free_bytes freed_pointers");
	for (size_t i = 0; i < user->chunks.count && i < limit; i++)
		add_chunk(view, &user->chunks.items[i]);
	sw_report_omitted(view->report, "user_chunks", user->chunks.count, limit);
	report_freed(view);
}
