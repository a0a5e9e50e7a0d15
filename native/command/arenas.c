/* arenas: memory that programs hand out in pieces, and what keeps its chunks alive. */
#include "command/arenas.h"

#include <errno.h>

/* ---- sums ---- */

bool sw_arenas_is_kept_by_one(const struct sw_arenas_view *view, const struct sw_arena_chunk *chunk)
{
	if (chunk->state != SW_ARENA_CHUNK_RETIRED)
		return false;
	if (chunk->arena == SW_NO_ARENA)
		return chunk->view_count == 1;
	return view->parser.arenas.items[chunk->arena].view_count == 1;
}

static void add_chunk(const struct sw_arenas_view *view, const struct sw_arena_chunk *chunk,
		      struct sw_arenas_sum *sum)
{
	bool is_kept_by_one = sw_arenas_is_kept_by_one(view, chunk);

	sum->stale += chunk->stale_views;
	sum->dangling += chunk->dangling_views;
	sum->views += chunk->view_count;
	if (chunk->state == SW_ARENA_CHUNK_POOLED && chunk->arena == SW_NO_ARENA)
		return;
	sum->capacity += chunk->capacity;
	sum->viewed += chunk->viewed_bytes;
	if (chunk->state != SW_ARENA_CHUNK_RETIRED)
		return;
	sum->retired_chunks++;
	sum->retired_bytes += chunk->capacity;
	sum->retired_viewed += chunk->viewed_bytes;
	sum->one_view_chunks += is_kept_by_one;
	sum->one_view_bytes += is_kept_by_one ? chunk->capacity : 0;
}

static void add_user_chunk(struct sw_arenas_sum *sum, const struct sw_user_chunk *chunk)
{
	if (chunk->arena != SW_NO_USER_ARENA) {
		sum->user_bytes += chunk->size;
		sum->user_used_bytes += chunk->front_bytes + chunk->back_bytes;
		sum->user_free_bytes += chunk->free_bytes;
	} else if (chunk->state == SW_USER_CHUNK_FREED) {
		sum->freed_pointers += chunk->view_count;
		sum->freed_chunks += chunk->view_count > 0;
	} else {
		sum->spare_pointers += chunk->view_count;
		sum->spare_chunks++;
	}
}

void sw_arenas_count(const struct sw_arenas_view *view, struct sw_arenas_sum *out)
{
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < view->user.chunks.count; i++)
		add_user_chunk(out, &view->user.chunks.items[i]);
	for (size_t i = 0; i < view->user.arenas.count; i++)
		out->unreachable += view->user.arenas.items[i].object == SW_NO_OBJECT;
	for (size_t i = 0; i < view->parser.chunks.count; i++)
		add_chunk(view, &view->parser.chunks.items[i], out);
}

void sw_arenas_count_shape(const struct sw_arenas_view *view, uint32_t shape,
			   struct sw_arenas_sum *out)
{
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < view->parser.chunks.count; i++)
		if (view->parser.chunks.items[i].shape == shape)
			add_chunk(view, &view->parser.chunks.items[i], out);
}

/* ---- words ---- */

/* The variable that points to an address outside the heap. */
static const char *pointing_variable(const struct sw_live *live, sw_addr addr)
{
	const struct sw_dwarf_global *globals;
	size_t count = 0;
	struct sw_error *error =
		live->go->dwarf ? sw_dwarf_globals(live->go->dwarf, &globals, &count) : NULL;

	for (size_t i = 0; !error && i < count; i++) {
		sw_type type = sw_type_of_dwarf(live->types, globals[i].type);
		sw_addr to;
		if (sw_type_info(live->types, type)->kind == SW_KIND_POINTER &&
		    sw_memory_u64(live->go->memory, globals[i].addr, &to) && to == addr)
			return globals[i].name;
	}
	sw_error_free(error);
	return NULL;
}

/* A variable, or what one leads to that is not in the heap. */
static const char *variable_name(const struct sw_arenas_view *view,
				 const struct sw_arena_place *place)
{
	if (place->root < view->live.go->roots.count)
		return view->live.go->roots.items[place->root].name;
	const struct sw_dwarf_global *global = sw_arena_global_at(&view->live, place->addr);
	const char *name = global ? global->name : pointing_variable(&view->live, place->addr);
	return name ? name : "?";
}

char *sw_arenas_holder(const struct sw_arenas_view *view, const struct sw_arena_place *place)
{
	return place->object == SW_NO_OBJECT ? strdup(variable_name(view, place))
					     : sw_naming_expression_to(&view->live, place->object);
}

void sw_arenas_type_name(const struct sw_arenas_view *view, uint32_t number, char *out, size_t size)
{
	const struct sw_arena_shape *shape = &view->parser.shapes.items[number];
	const char *path = shape->paths[SW_ARENA_BUF];
	bool shows_path = shape->recognized == SW_ARENA_BY_POOL && path && *path;
	snprintf(out, size, "%s%s%s", sw_naming_type_name(&view->live, shape->type),
		 shows_path && *path != '[' ? "." : "", shows_path ? path : "");
}

/* ---- summary ---- */

static void add_summary(struct sw_arenas_view *view, const struct sw_arenas_sum *sum)
{
	const struct {
		const char *key;
		uint64_t value;
	} numbers[] = {
		{"user_arenas", view->user.arenas.count},
		{"user_chunks", view->user.chunks.count},
		{"user_arena_bytes", sum->user_bytes},
		{"user_arena_used_bytes", sum->user_used_bytes},
		{"user_arena_free_bytes", sum->user_free_bytes},
		{"spare_user_chunks", sum->spare_chunks},
		{"unreachable_user_arenas", sum->unreachable},
		{"freed_pointers", sum->freed_pointers + sum->spare_pointers},
		{"parser_arenas", view->parser.arenas.count},
		{"parser_chunks", view->parser.chunks.count},
		{"capacity_bytes", sum->capacity},
		{"views", sum->views},
		{"viewed_bytes", sum->viewed},
		{"unviewed_bytes", sum->capacity - sum->viewed},
		{"retired_chunks", sum->retired_chunks},
		{"retired_bytes", sum->retired_bytes},
		{"one_view_chunks", sum->one_view_chunks},
		{"one_view_bytes", sum->one_view_bytes},
		{"stale_views", sum->stale},
		{"dangling_views", sum->dangling},
	};
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		sw_report_count(view->report, numbers[i].key, numbers[i].value);
	sw_report_listing(view->report, "summary", ""); /* the sentences say it */
}

static void add_user_sentences(struct sw_arenas_view *view, const struct sw_arenas_sum *sum)
{
	char count[32], bytes[16], used[16];

	if (sum->freed_pointers)
		sw_report_sentence(view->report,
				   "%s pointer%s into the memory of user arenas that were freed: "
				   "what follows one crashes.",
				   sw_text_count(sum->freed_pointers, count),
				   sum->freed_pointers == 1 ? " leads" : "s lead");
	if (sum->spare_pointers)
		sw_report_sentence(view->report,
				   "%s pointer%s into a chunk of a freed user arena that the next "
				   "arena will go on with.",
				   sw_text_count(sum->spare_pointers, count),
				   sum->spare_pointers == 1 ? " leads" : "s lead");
	if (view->user.arenas.count)
		sw_report_sentence(view->report, "%s user arena%s %s %s, of which %s are used.",
				   sw_text_count(view->user.arenas.count, count),
				   sw_text_plural(view->user.arenas.count, "", "s"),
				   view->user.arenas.count == 1 ? "has" : "have",
				   sw_text_bytes(sum->user_bytes, bytes),
				   sw_text_bytes(sum->user_used_bytes, used));
}

static void add_parser_sentences(struct sw_arenas_view *view, const struct sw_arenas_sum *sum)
{
	char count[32], chunks[32], bytes[16], viewed[16];

	if (sum->dangling)
		sw_report_sentence(view->report,
				   "%s view%s into buffers that lie in a sync.Pool: whoever takes "
				   "one writes there.",
				   sw_text_count(sum->dangling, count),
				   sum->dangling == 1 ? " looks" : "s look");
	if (sum->stale)
		sw_report_sentence(view->report,
				   "%s view%s at what an arena counts as free: they were handed "
				   "out before it was reset.",
				   sw_text_count(sum->stale, count),
				   sum->stale == 1 ? " looks" : "s look");
	if (sum->retired_chunks)
		sw_report_sentence(view->report,
				   "%s chunk%s, %s, that no arena refers to any more, %s kept by "
				   "views of %s.",
				   sw_text_count(sum->retired_chunks, chunks),
				   sw_text_plural(sum->retired_chunks, "", "s"),
				   sw_text_bytes(sum->retired_bytes, bytes),
				   sum->retired_chunks == 1 ? "is" : "are",
				   sw_text_bytes(sum->retired_viewed, viewed));
	if (view->parser.arenas.count)
		sw_report_sentence(view->report,
				   "%s parser arena%s: %s of chunks, at %s of which somebody "
				   "looks.",
				   sw_text_count(view->parser.arenas.count, count),
				   sw_text_plural(view->parser.arenas.count, "", "s"),
				   sw_text_bytes(sum->capacity, bytes),
				   sw_text_bytes(sum->viewed, viewed));
}

static void add_sentences(struct sw_arenas_view *view, const struct sw_arenas_sum *sum)
{
	add_user_sentences(view, sum);
	add_parser_sentences(view, sum);
	if (!view->user.chunks.count && !view->parser.chunks.count)
		sw_report_sentence(view->report, "No arenas: no user arena, and no buffer that "
						 "many views look into.");
}

/* ---- descriptions ---- */

enum { MAX_FILE = 1 << 20 };

static struct sw_error *read_file(const char *path, char **out)
{
	FILE *file = fopen(path, "re");
	if (!file)
		return sw_error_errno(errno, "%s", path);
	*out = calloc(1, MAX_FILE + 1);
	size_t size = *out ? fread(*out, 1, MAX_FILE, file) : 0;
	bool is_whole = *out && !ferror(file) && feof(file);
	fclose(file);
	if (!*out)
		return sw_error_memory();
	if (!is_whole || memchr(*out, 0, size))
		return sw_error_format(SW_ERR_USAGE, "%s: no text of at most 1 MiB", path);
	return NULL;
}

static struct sw_error *read_descriptions(const struct sw_arguments *arguments,
					  struct sw_arena_descriptions *out)
{
	const char *text = sw_arguments_text(arguments, "arena");
	const char *path = sw_arguments_text(arguments, "arena-file");
	struct sw_error *error = text ? sw_arena_descriptions_parse(text, out) : NULL;
	char *lines = NULL;

	if (!error && path)
		error = read_file(path, &lines);
	if (!error && lines)
		error = sw_arena_descriptions_parse(lines, out);
	free(lines);
	return error;
}

/* ---- the whole ---- */

static struct sw_error *find(struct sw_arenas_view *view, struct sw_session *session,
			     const struct sw_arena_descriptions *descriptions)
{
	struct sw_error *error = sw_session_live(session, &view->live);
	const struct sw_parser_arena_search search = {
		.live = &view->live,
		.descriptions = descriptions,
		.min_bytes = sw_arguments_size(view->arguments, "min-bytes"),
	};
	if (!error)
		error = sw_user_arenas_find(&view->live, &view->user);
	return error ? error : sw_parser_arenas_find(&search, &view->warnings, &view->parser);
}

static struct sw_error *report_all(struct sw_arenas_view *view)
{
	struct sw_arenas_sum sum;

	sw_arenas_count(view, &sum);
	add_sentences(view, &sum);
	add_summary(view, &sum);
	sw_arenas_report_user(view);
	struct sw_error *error = sw_arenas_report_parser(view);
	if (!error) {
		sw_arenas_report_findings(view, &sum);
		sw_report_warnings(view->report, &view->warnings);
	}
	return error;
}

static struct sw_error *run(struct sw_session *session, const struct sw_arguments *arguments,
			    struct sw_report *report)
{
	struct sw_arenas_view view = {.arguments = arguments, .report = report};
	struct sw_arena_descriptions descriptions = {0};

	struct sw_error *error = read_descriptions(arguments, &descriptions);
	if (!error)
		error = find(&view, session, &descriptions);
	if (!error)
		error = report_all(&view);
	sw_user_arenas_free(&view.user);
	sw_parser_arenas_free(&view.parser);
	sw_warnings_clear(&view.warnings);
	sw_arena_descriptions_clear(&descriptions);
	return error;
}

static const struct sw_option options[] = {
	{"arena", SW_OPTION_TEXT, "TYPE{buf=FIELD,…}", NULL, NULL,
	 "a type that is an arena; several with ; between them"},
	{"arena-file", SW_OPTION_TEXT, "FILE", NULL, NULL,
	 "the same from a file, one a line; # begins a comment"},
	{"min-bytes", SW_OPTION_SIZE, "SIZE", NULL, "1KiB", "smaller chunks are not looked at"},
	{0},
};

const struct sw_command sw_command_arenas = {
	.name = "arenas",
	.usage = "",
	.summary = "arenas, their chunks, and the views that keep them",
	.help = "User arenas are those of package arena (GOEXPERIMENT=arenas, Go 1.20): "
		"`user_arenas` and `user_chunks` have what is used and free, and `freed` which "
		"fields still point to what an arena had handed out before it was freed.\n\n"
		"Parser arenas are buffers, or chains of them, out of which a program hands "
		"strings and slices without copying: a chunk lives as long as the last of these "
		"views. A type is taken for one when many others look into its buffers, and a "
		"length, an offset field or a slice that is cut from the front agrees with where "
		"they look. `arenas` has its values; `chunks` what of each is handed out and "
		"looked at, with its views; `views` the fields that these stand in. A chunk that "
		"is retired has no arena any more; one that is pooled lies in a sync.Pool.\n\n"
		"Other arenas can be described: --arena 'main.Arena{buf=chunk, off=used, "
		"next=next}'. `buf` is a slice, an array, a pointer, or a list of chunks; `off` how "
		"much is handed out, a number or an address (without it, the length of buf); `cap` "
		"the size where buf does not tell; `next` the next part of the same arena; `cur` "
		"of a list the number of the chunk in use. Fields of fields have dots between "
		"them.",
	.example = "spanwalk arenas app.core --arena 'main.Arena{buf=chunk, off=used}'",
	.options = options,
	.run = run,
};
