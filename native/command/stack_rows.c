#include "command/stack_rows.h"

#include "go/defer.h"
#include "go/foreign.h"
#include "go/name.h"
#include "type/describe.h"

enum { MAX_SHOWN_DEFERS = 64 }; /* of a frame */

struct sw_error *sw_stack_view_init(struct sw_stack_view *view, struct sw_session *session,
				    bool has_values)
{
	memset(view, 0, sizeof(*view));
	view->has_values = has_values;
	struct sw_error *error = sw_goroutine_view_init(&view->goroutines, session);
	struct sw_go *go = view->goroutines.go;
	if (!error)
		error = sw_cfi_create(go->image, go->target, &view->cfi);
	if (!error && has_values)
		error = sw_session_live_types(session, &view->live);
	if (error)
		sw_stack_view_clear(view);
	return error;
}

void sw_stack_view_clear(struct sw_stack_view *view)
{
	sw_goroutine_view_free(&view->goroutines);
	sw_cfi_free(view->cfi);
	memset(view, 0, sizeof(*view));
}

/* A goroutine's stack on its way into rows. */
struct builder {
	const struct sw_stack_view *view;
	const struct sw_goroutine *goroutine;
	struct sw_go_stack stack;
	struct sw_go_foreign_frames foreign;
	struct sw_go_defers defers;
	struct sw_go_panics panics;
	struct sw_registers registers;
	bool has_registers;
	struct sw_go_showing showing;
	bool shows_all;
	size_t next_foreign, next_defer, next_word;
	json_t *frames;
};

static void set_place(json_t *row, const struct sw_go_call *call)
{
	char *name = sw_go_print_name(call->function);

	json_object_set_new(row, "function", sw_json_string(name ? name : call->function));
	json_object_set_new(row, "file", sw_json_string(call->file));
	json_object_set_new(row, "line", json_integer(call->line));
	free(name);
}

/* ---- frames of C ---- */

static void add_foreign(struct builder *builder, const struct sw_go_foreign_frame *frame)
{
	struct sw_cfi_place place;
	json_t *row = json_object();

	sw_cfi_place(builder->view->cfi, frame->pc, frame->is_call, &place);
	json_object_set_new(row, "function", sw_json_string(place.function));
	json_object_set_new(row, "file", sw_json_string(place.file));
	json_object_set_new(row, "line", json_integer(place.line));
	json_object_set_new(row, "pc", sw_json_address(frame->pc));
	json_object_set_new(row, "sp", sw_json_address(frame->sp));
	json_object_set_new(row, "offset", json_integer((json_int_t)place.offset));
	json_object_set_new(row, "inlined", json_false());
	json_object_set_new(row, "language", json_string("c"));
	json_object_set_new(row, "library", sw_json_string(place.library));
	json_array_append_new(builder->frames, row);
}

static void add_foreign_before(struct builder *builder, uint32_t frame)
{
	const struct sw_go_foreign_frames *foreign = &builder->foreign;

	for (; builder->next_foreign < foreign->count &&
	       foreign->items[builder->next_foreign].before <= frame;
	     builder->next_foreign++)
		add_foreign(builder, &foreign->items[builder->next_foreign]);
}

/* ---- deferred calls ---- */

static json_t *defer_row(const struct sw_go *go, const struct sw_go_defer *defer)
{
	struct sw_go_call call, at;
	json_t *row = json_object();

	sw_go_call_at(go, defer->entry, false, &call);
	set_place(row, &call);
	if (defer->pc && sw_go_call_at(go, defer->pc, true, &at))
		json_object_set_new(row, "deferred_at_line", json_integer(at.line));
	json_object_set_new(row, "closure_address", sw_json_address(defer->fn));
	return row;
}

/* Those of one frame follow each other. */
static json_t *take_defers(struct builder *builder, uint32_t frame, json_t *row)
{
	const struct sw_go_defers *defers = &builder->defers;
	json_t *rows = json_array();
	size_t first = builder->next_defer;

	for (; builder->next_defer < defers->count &&
	       defers->items[builder->next_defer].frame <= frame;
	     builder->next_defer++)
		if (builder->next_defer - first < MAX_SHOWN_DEFERS)
			json_array_append_new(rows, defer_row(builder->view->goroutines.go,
							      &defers->items[builder->next_defer]));
	if (row && builder->next_defer - first > MAX_SHOWN_DEFERS)
		json_object_set_new(
			row, "omitted_defers",
			json_integer((json_int_t)(builder->next_defer - first - MAX_SHOWN_DEFERS)));
	return rows;
}

/* ---- pointers ---- */

/* Words are sorted by frame. */
static json_t *take_pointers(struct builder *builder, uint32_t frame)
{
	const struct sw_go_stack_words *words = &builder->stack.words;
	json_t *rows = json_array();

	while (builder->next_word < words->count && words->items[builder->next_word].frame < frame)
		builder->next_word++;
	for (; builder->next_word < words->count && words->items[builder->next_word].frame == frame;
	     builder->next_word++) {
		json_t *row =
			sw_frame_pointer(&builder->view->live, &words->items[builder->next_word]);
		if (row)
			json_array_append_new(rows, row);
	}
	return rows;
}

/* ---- frames of Go ---- */

static json_t *call_row(const struct sw_go_frame *frame, const struct sw_go_call *call)
{
	json_t *row = json_object();

	set_place(row, call);
	json_object_set_new(row, "pc", sw_json_address(frame->pc));
	json_object_set_new(row, "sp", sw_json_address(frame->sp));
	json_object_set_new(row, "offset",
			    json_integer((json_int_t)(frame->pc - frame->func.entry)));
	json_object_set_new(row, "inlined", json_boolean(call->is_inlined));
	json_object_set_new(row, "language", json_string("go"));
	return row;
}

/* A thread's registers are the frame's when it is there that it stopped. */
static const struct sw_registers *registers_of(const struct builder *builder, uint32_t frame)
{
	const struct sw_go_frame *innermost = builder->stack.frames.items;
	enum sw_arch arch = builder->view->goroutines.go->arch;
	const struct sw_registers *registers = &builder->registers;

	return !frame && builder->has_registers && registers->pc == innermost->pc &&
			       registers->general[sw_registers_sp_number(arch)] == innermost->sp
		       ? registers
		       : NULL;
}

static struct sw_error *add_values(struct builder *builder, uint32_t number,
				   const struct sw_frame_rows *rows, json_t *last)
{
	bool found = false;
	struct sw_error *error = NULL;

	if (!builder->view->has_values)
		return NULL;
	error = sw_frame_values_add(&builder->view->live, rows, &found);
	for (size_t i = 0; i < rows->count; i++)
		if (rows->rows[i] && !builder->shows_all &&
		    sw_go_is_runtime_name(rows->calls[i].function))
			json_object_set_new(rows->rows[i], "locals", json_array());
	if (!error && !found)
		json_object_set_new(last, "heap_pointers", take_pointers(builder, number));
	return error;
}

/* What belongs to the frame as a whole is in the row of the outermost of its calls that are shown:
 * mostly the function itself. */
static struct sw_error *add_frame(struct builder *builder, uint32_t number)
{
	const struct sw_go_frame *frame = &builder->stack.frames.items[number];
	struct sw_go_call calls[SW_GO_MAX_INLINED];
	json_t *shown[SW_GO_MAX_INLINED] = {NULL}, *last = NULL;
	size_t count = sw_go_calls(builder->view->goroutines.go, frame, calls, SW_GO_MAX_INLINED);
	struct sw_frame_rows rows = {&builder->stack, number, registers_of(builder, number),
				     calls,	      shown,  count};

	for (size_t i = 0; i < count; i++) {
		if (!sw_go_shows(&builder->showing, &calls[i]) && !builder->shows_all)
			continue;
		last = shown[i] = call_row(frame, &calls[i]);
		json_array_append_new(builder->frames, last);
	}
	json_t *defers = take_defers(builder, number, last);
	if (!last) {
		json_decref(defers);
		return NULL;
	}
	struct sw_error *error = add_values(builder, number, &rows, last);
	json_object_set_new(last, "defers", defers);
	return error;
}

/* ---- panics ---- */

static json_t *panic_row(const struct sw_stack_view *view, const struct sw_go_panic *panic)
{
	const struct sw_go *go = view->goroutines.go;
	json_t *row = json_object();

	json_object_set_new(row, "address", sw_json_address(panic->address));
	json_object_set_new(row, "goexit", json_boolean(panic->is_goexit));
	json_object_set_new(row, "recovered", json_boolean(panic->is_recovered));
	if (!view->has_values || panic->is_goexit)
		return row;
	sw_type type = sw_value_dynamic_type(view->live.types, go, panic->arg);
	struct sw_value_reader reader = {view->live.types, go, view->live.heap, false};
	char *text = sw_value_describe_any(&reader, panic->arg);
	json_object_set_new(row, "type", sw_json_string(sw_naming_type_name(&view->live, type)));
	json_object_set_new(row, "value", sw_json_string(text ? text : "?"));
	free(text);
	return row;
}

static json_t *panic_rows(const struct builder *builder)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < builder->panics.count; i++)
		json_array_append_new(rows, panic_row(builder->view, &builder->panics.items[i]));
	return rows;
}

/* ---- the goroutine ---- */

static bool is_object(void *context, sw_addr pointer)
{
	const struct sw_stack_view *view = context;
	return sw_heap_object(view->live.heap, pointer) != SW_NO_OBJECT;
}

static struct sw_error *read_parts(struct builder *builder)
{
	const struct sw_stack_view *view = builder->view;
	const struct sw_go *go = view->goroutines.go;
	const struct sw_goroutine *g = builder->goroutine;

	builder->has_registers = sw_go_registers_of(go, g, &builder->registers);
	struct sw_error *error = sw_go_unwind(go, g, view->has_values, is_object,
					      (void *)(uintptr_t)view, &builder->stack);
	if (builder->stack.words.count)
		qsort(builder->stack.words.items, builder->stack.words.count,
		      sizeof(*builder->stack.words.items), sw_frame_compare_words);
	if (!error)
		error = sw_go_foreign_frames(go, g, &builder->stack, view->cfi, &builder->foreign);
	if (!error)
		error = sw_go_read_defers(go, g, &builder->stack, &builder->defers);
	if (!error)
		error = sw_go_read_panics(go, g, &builder->panics);
	return error;
}

static struct sw_error *add_frames(struct builder *builder)
{
	uint32_t count = (uint32_t)builder->stack.frames.count;
	struct sw_error *error = NULL;

	builder->frames = json_array();
	for (uint32_t i = 0; i < count && !error; i++) {
		add_foreign_before(builder, i);
		error = add_frame(builder, i);
	}
	add_foreign_before(builder, count);
	return error;
}

static json_t *thread_of(const struct sw_go *go, const struct sw_goroutine *g)
{
	uint64_t tid;

	if (!g->m || !sw_memory_u64(go->memory, g->m + go->layout.m.procid, &tid))
		return json_null();
	return json_integer((json_int_t)tid);
}

static json_t *finish(struct builder *builder, uint32_t goroutine)
{
	static const char *const wanted[] = {"goid",	      "state",	    "wait_reason",
					     "wait_seconds",  "created_by", "labels",
					     "locked_thread", "system"};
	const struct sw_stack_view *view = builder->view;
	json_t *all = sw_goroutine_row(&view->goroutines, goroutine), *row = json_object();

	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
		json_object_set(row, wanted[i], json_object_get(all, wanted[i]));
	json_decref(all);
	json_object_set_new(row, "thread", thread_of(view->goroutines.go, builder->goroutine));
	json_object_set_new(row, "partial", json_boolean(builder->stack.is_partial));
	json_object_set_new(row, "frames", builder->frames);
	json_object_set_new(row, "panics", panic_rows(builder));
	json_t *defers = take_defers(builder, UINT32_MAX, row);
	if (json_array_size(defers))
		json_object_set(row, "other_defers", defers);
	json_decref(defers);
	builder->frames = NULL;
	return row;
}

struct sw_error *sw_stack_row(const struct sw_stack_view *view, uint32_t goroutine, json_t **out)
{
	struct sw_go *go = view->goroutines.go;
	const struct sw_goroutine *g = &go->goroutines.items[goroutine];
	struct builder builder = {.view = view,
				  .goroutine = g,
				  .shows_all = view->shows_runtime,
				  .showing = {.go = go, .shows_runtime = sw_go_is_system(go, g)}};

	*out = NULL;
	struct sw_error *error = read_parts(&builder);
	if (!error)
		error = add_frames(&builder);
	/* A goroutine that has nothing else to show. */
	if (!error && !json_array_size(builder.frames) && !builder.shows_all) {
		json_decref(builder.frames);
		builder.shows_all = true;
		builder.next_foreign = builder.next_defer = builder.next_word = 0;
		error = add_frames(&builder);
	}
	if (!error)
		*out = finish(&builder, goroutine);
	json_decref(builder.frames);
	sw_go_panics_free(&builder.panics);
	sw_go_defers_free(&builder.defers);
	sw_go_foreign_frames_free(&builder.foreign);
	sw_go_stack_free(&builder.stack);
	return error;
}
