#include "command/holders.h"

#include "command/holder_words.h"

#include <inttypes.h>
#include <stdio.h>

/* A root or set that holds less of the live heap needs no words. */
#define TOLD_SHARE 0.1

struct top_list {
	sw_node *nodes; /* what the super root dominates and is a root, most retained first */
	size_t count;
};

double sw_holders_share(const struct sw_holders *view, uint64_t bytes)
{
	return view->whole ? (double)bytes / (double)view->whole : 0;
}

/* ---- rows by root ---- */

static int by_retained(const void *a, const void *b, void *context)
{
	const struct sw_dominators *dominators = context;
	const sw_node *x = a, *y = b;
	uint64_t p = dominators->retained_bytes[*x], q = dominators->retained_bytes[*y];
	if (p != q)
		return p < q ? 1 : -1;
	return (*x > *y) - (*x < *y);
}

static struct sw_error *list_tops(const struct sw_holders *view, struct top_list *list)
{
	const struct sw_graph *graph = view->live.graph;
	list->nodes = calloc(graph->root_count + 1, sizeof(*list->nodes));
	list->count = 0;
	if (!list->nodes)
		return sw_error_memory();
	for (sw_node node = graph->object_count; node < graph->super; node++)
		if (view->dominators->idom[node] == graph->super &&
		    view->dominators->retained_bytes[node])
			list->nodes[list->count++] = node;
	qsort_r(list->nodes, list->count, sizeof(*list->nodes), by_retained,
		(void *)view->dominators);
	return NULL;
}

static const char *title(const struct sw_holders *view, sw_node node)
{
	uint32_t number = node - view->live.graph->object_count;
	return view->titles ? view->titles[number] : sw_naming_root(&view->live, node)->name;
}

static json_t *accumulation_json(const struct sw_holders *view,
				 const struct sw_accumulation *accumulation)
{
	const char *type = sw_naming_type_name(&view->live, accumulation->type);
	json_t *json = json_object();
	json_object_set_new(json, "type", sw_json_string(type));
	if (accumulation->objects)
		json_object_set_new(
			json, "address",
			sw_json_address(sw_heap_address(view->live.heap, accumulation->largest)));
	json_object_set_new(json, "objects", json_integer((json_int_t)accumulation->objects));
	json_object_set_new(json, "bytes", sw_json_bytes(accumulation->bytes));
	return json;
}

/* The path to the accumulation point as an expression, and its steps. */
static struct sw_error *add_path(const struct sw_holders *view, const struct sw_suspect *suspect,
				 json_t *row, char **expression)
{
	struct sw_path path;
	struct sw_error *error = sw_path_shortest(view->live.graph, suspect->point, &path);
	*expression = NULL;
	if (error)
		return error;
	*expression = sw_naming_expression(&view->live, &path);
	json_object_set_new(row, "expression", sw_json_string(*expression));
	json_object_set_new(row, "path", sw_naming_steps(&view->live, &path));
	sw_path_free(&path);
	return *expression ? NULL : sw_error_memory();
}

/* "12,345 main.session" or "" when nothing accumulated. */
static void accumulation_text(const struct sw_holders *view, const struct sw_suspect *suspect,
			      char *out, size_t size)
{
	char count[32];
	const struct sw_accumulation *accumulation = &suspect->accumulation;
	*out = 0;
	if (!accumulation->objects)
		return;
	snprintf(out, size, "%s %s%s", sw_text_count(accumulation->objects, count),
		 sw_naming_type_name(&view->live, accumulation->type),
		 suspect->chain ? " in a list" : "");
}

/* The type of a word without a name, by the object that it points to. */
static void pointed_type(const struct sw_holders *view, const struct sw_go_root *root, char *out,
			 size_t size)
{
	const struct sw_live *live = &view->live;
	sw_addr pointer;
	*out = 0;
	if (!sw_memory_u64(live->go->memory, root->address, &pointer))
		return;
	sw_object object = sw_heap_object(live->heap, pointer);
	sw_type type = object == SW_NO_OBJECT ? 0 : sw_live_type(live, object);
	if (type)
		snprintf(out, size, "%s%s",
			 sw_type_info(live->types, type)->role == SW_TYPE_PLAIN ? "*" : "",
			 sw_naming_type_name(live, type));
}

/* " (map[string]int)": the type of the variable and, when it has no name, who uses it; "" when
 * nothing tells. */
static void root_note(const struct sw_holders *view, const struct sw_suspect *suspect, char *out,
		      size_t size)
{
	const struct sw_go_root *root = sw_naming_root(&view->live, suspect->top);
	char type[512];
	*out = 0;
	if (view->titles)
		return;
	if (root->type) {
		sw_type known = sw_type_of_dwarf(view->live.types, root->type);
		snprintf(out, size, " (%s)", sw_naming_type_name(&view->live, known));
	} else if (root->used_by) {
		pointed_type(view, root, type, sizeof(type));
		snprintf(out, size, " (%s%sused by %s)", type, *type ? ", " : "", root->used_by);
	}
}

static bool is_runtime(const struct sw_holders *view, sw_node node)
{
	return !view->titles && sw_naming_root(&view->live, node)->kind == SW_GO_ROOT_RUNTIME;
}

/* Graded by share of the live heap, when it is more than a start-up's worth. */
static void add_finding(const struct sw_holders *view, const struct sw_suspect *suspect,
			const char *expression, const char *accumulated)
{
	enum { MIN_BYTES = 8 << 20, MIN_OBJECTS = 100 };
	uint64_t bytes = view->dominators->retained_bytes[suspect->top];
	double share = sw_holders_share(view, bytes);
	char message[2048], size[16], next[64];

	if (bytes < MIN_BYTES || share < TOLD_SHARE ||
	    suspect->accumulation.objects < MIN_OBJECTS || is_runtime(view, suspect->top))
		return;
	snprintf(message, sizeof(message), "%s holds %s, %.1f %% of the live heap: %s", expression,
		 sw_text_bytes(bytes, size), 100 * share, accumulated);
	snprintf(next, sizeof(next), "who-holds 0x%" PRIx64,
		 sw_heap_address(view->live.heap, suspect->accumulation.largest));
	json_t *evidence = json_object();
	json_object_set_new(evidence, "retained_bytes", sw_json_bytes(bytes));
	json_object_set_new(evidence, "share_fraction", json_real(share));
	json_object_set_new(evidence, "objects",
			    json_integer((json_int_t)suspect->accumulation.objects));
	sw_report_finding(view->report, share >= 0.5 ? SW_GRADE_P1 : SW_GRADE_P2, "accumulation",
			  message, evidence, next);
}

/* The K largest of what has accumulated, each with its own path. */
static struct sw_error *add_more_paths(const struct sw_holders *view,
				       const struct sw_suspect *suspect, json_t *row,
				       uint64_t count)
{
	struct sw_largest *largest;
	size_t found;
	struct sw_error *error = sw_suspect_largest(suspect, &view->live, view->dominators,
						    (size_t)count, &largest, &found);
	if (error)
		return error;
	json_t *list = json_array();
	for (size_t i = 0; !error && i < found; i++) {
		struct sw_path path;
		error = sw_path_shortest(view->live.graph, largest[i].object, &path);
		if (error)
			break;
		char *expression = sw_naming_expression(&view->live, &path);
		json_t *item = sw_naming_object(&view->live, largest[i].object);
		json_object_set_new(item, "retained_bytes", sw_json_bytes(largest[i].bytes));
		json_object_set_new(item, "expression", sw_json_string(expression));
		json_array_append_new(list, item);
		free(expression);
		sw_path_free(&path);
	}
	json_object_set_new(row, "largest", list);
	free(largest);
	return error;
}

/* What most of what has accumulated is, where a sentence or a finding tells of it. */
static struct sw_error *add_words(const struct sw_holders *view, const struct sw_suspect *suspect,
				  json_t *row, char *accumulated, size_t size)
{
	struct sw_holder_words words;
	struct sw_error *error = sw_holder_words_of(suspect, &view->live, view->dominators, &words);
	if (error || !*words.text)
		return error;
	size_t length = strlen(accumulated);
	if (words.looked_at == 1)
		snprintf(accumulated + length, size - length, " (%s)", words.text);
	else
		snprintf(accumulated + length, size - length,
			 " (%" PRIu32 " of the %" PRIu32 "%s: %s)", words.objects, words.looked_at,
			 words.looked_at < suspect->accumulation.objects ? " largest" : "",
			 words.text);
	json_t *what = json_object();
	json_object_set_new(what, "words", sw_json_string(words.text));
	json_object_set_new(what, "objects", json_integer(words.objects));
	json_object_set_new(what, "looked_at_objects", json_integer(words.looked_at));
	json_object_set_new(row, "what", what);
	return NULL;
}

static void tell_next(const struct sw_holders *view, const struct sw_suspect *suspect)
{
	if (suspect->accumulation.objects)
		sw_report_next(view->report, "who-holds 0x%" PRIx64,
			       sw_heap_address(view->live.heap, suspect->accumulation.largest));
}

static void tell_root(const struct sw_holders *view, const struct sw_suspect *suspect,
		      const char *expression, const char *accumulated)
{
	char size[16], note[1024];
	uint64_t bytes = view->dominators->retained_bytes[suspect->top];
	root_note(view, suspect, note, sizeof(note));
	sw_report_sentence(view->report, "%s%s holds %.1f %% of the live heap, %s%s%s.", expression,
			   note, 100 * sw_holders_share(view, bytes), sw_text_bytes(bytes, size),
			   *accumulated ? ": " : "", accumulated);
	tell_next(view, suspect);
}

static struct sw_error *add_row(const struct sw_holders *view, const struct sw_suspect *suspect,
				bool is_first)
{
	uint64_t bytes = view->dominators->retained_bytes[suspect->top];
	uint64_t paths = sw_arguments_number(view->arguments, "paths");
	const struct sw_go_root *root = sw_naming_root(&view->live, suspect->top);
	const char *name = title(view, suspect->top);
	char accumulated[1024], *expression;
	json_t *row = json_object();

	accumulation_text(view, suspect, accumulated, sizeof(accumulated));
	json_object_set_new(row, "root", sw_json_string(name));
	json_object_set_new(
		row, "kind",
		json_string(view->titles ? "package" : sw_naming_root_kind(root->kind)));
	json_object_set_new(row, "retained_bytes", sw_json_bytes(bytes));
	json_object_set_new(row, "retained_objects",
			    json_integer(view->dominators->retained_objects[suspect->top]));
	json_object_set_new(row, "share_fraction", json_real(sw_holders_share(view, bytes)));
	json_object_set_new(row, "holds", sw_json_string(accumulated));
	if (!view->titles && root->used_by)
		json_object_set_new(row, "used_by", sw_json_string(root->used_by));
	struct sw_error *error = add_path(view, suspect, row, &expression);
	json_object_set_new(row, "accumulation", accumulation_json(view, &suspect->accumulation));
	if (!error && paths)
		error = add_more_paths(view, suspect, row, paths);
	if (!error && (is_first || sw_holders_share(view, bytes) >= TOLD_SHARE))
		error = add_words(view, suspect, row, accumulated, sizeof(accumulated));
	if (!error && is_first)
		tell_root(view, suspect, expression, accumulated);
	if (!error)
		add_finding(view, suspect, expression, accumulated);
	sw_report_row(view->report, "roots", row);
	free(expression);
	return error;
}

/* The first row that is not the runtime's own makes the sentence. */
static size_t first_told(const struct sw_holders *view, const struct top_list *tops)
{
	size_t first = 0;
	while (first < tops->count && is_runtime(view, tops->nodes[first]))
		first++;
	return first;
}

static size_t rows_to_show(const struct sw_holders *view, const struct top_list *tops)
{
	double share = sw_arguments_fraction(view->arguments, "min-fraction");
	uint64_t limit = sw_arguments_limit(view->arguments);
	size_t count = 0;
	while (count < tops->count && count < limit &&
	       sw_holders_share(view, view->dominators->retained_bytes[tops->nodes[count]]) >=
		       share)
		count++;
	return count;
}

static const char *columns(const struct sw_holders *view)
{
	bool has_paths = sw_arguments_number(view->arguments, "paths");
	if (view->titles)
		return has_paths ? "retained_bytes share_fraction root holds expression largest"
				 : "retained_bytes share_fraction root holds expression";
	return has_paths ? "retained_bytes share_fraction kind holds expression largest"
			 : "retained_bytes share_fraction kind holds expression";
}

static struct sw_error *add_rows(const struct sw_holders *view, const struct top_list *tops,
				 const struct sw_suspect *suspects, size_t count, size_t told)
{
	struct sw_error *error = NULL;
	for (size_t i = 0; !error && i < count; i++)
		error = add_row(view, &suspects[i], i == told);
	sw_report_omitted(view->report, "roots", tops->count, count);
	return error;
}

/* ---- memory that several roots hold ---- */

static json_t *set_names(const struct sw_holders *view, const struct sw_shared_set *set)
{
	json_t *names = json_array();
	for (uint32_t i = 0; i < set->count; i++) {
		const char *name = title(view, view->live.graph->object_count + set->roots[i]);
		json_array_append_new(names, sw_json_string(name));
	}
	return names;
}

/* "main.leak, main.shared", "main.a, main.b, main.c and 12 more". */
static void set_text(const struct sw_holders *view, const struct sw_shared_set *set, char *out,
		     size_t size)
{
	enum { SHOWN = 3 };
	size_t length = 0;
	*out = 0;
	for (uint32_t i = 0; i < set->count && i < SHOWN && length < size; i++)
		length += (size_t)snprintf(
			out + length, size - length, "%s%s", i ? ", " : "",
			title(view, view->live.graph->object_count + set->roots[i]));
	if (set->count > SHOWN && length < size)
		snprintf(out + length, size - length, " and %u%s more", set->count - SHOWN,
			 set->is_many ? " or" : "");
}

static void tell_set(const struct sw_holders *view, const struct sw_shared_set *set,
		     const struct sw_suspect *suspect, const char *roots, const char *expression,
		     const char *accumulated)
{
	char size[16];
	sw_report_sentence(
		view->report,
		"%u%s roots together (%s) hold %.1f %% of the live heap, %s, for one through "
		"%s%s%s.",
		set->count, set->is_many ? " or more" : "", roots,
		100 * sw_holders_share(view, set->retained_bytes),
		sw_text_bytes(set->retained_bytes, size), expression, *accumulated ? ": " : "",
		accumulated);
	tell_next(view, suspect);
}

/* When no object of the set is the better part of it, what it holds is its objects by type. */
static struct sw_error *count_members(const struct sw_holders *view,
				      const struct sw_shared_set *set, struct sw_suspect *suspect)
{
	struct sw_type_tally tally;
	if (2 * view->dominators->retained_bytes[set->heaviest] >= set->retained_bytes)
		return NULL;
	struct sw_error *error = sw_type_tally_init(&tally, &view->live);
	if (error)
		return error;
	for (uint32_t i = 0; i < set->object_count; i++)
		sw_type_tally_add(&tally, &view->live, set->objects[i],
				  view->dominators->retained_bytes[set->objects[i]]);
	sw_type_tally_sort(&tally, &view->live);
	const struct sw_type_row *row = &tally.rows[0];
	suspect->accumulation =
		(struct sw_accumulation){row->type, row->objects, row->bytes, row->largest};
	suspect->chain = 0;
	suspect->point = row->largest;
	sw_type_tally_free(&tally);
	return NULL;
}

/* The suspect begins at the largest object of the set. */
static struct sw_error *add_set(const struct sw_holders *view, const struct sw_shared_set *set,
				const struct sw_suspect *suspect, bool is_told)
{
	char roots[512], accumulated[512], *expression;
	json_t *row = json_object();

	set_text(view, set, roots, sizeof(roots));
	accumulation_text(view, suspect, accumulated, sizeof(accumulated));
	json_object_set_new(row, "roots", set_names(view, set));
	json_object_set_new(row, "held_by", sw_json_string(roots));
	json_object_set_new(row, "is_many", json_boolean(set->is_many));
	json_object_set_new(row, "retained_bytes", sw_json_bytes(set->retained_bytes));
	json_object_set_new(row, "retained_objects",
			    json_integer((json_int_t)set->retained_objects));
	json_object_set_new(row, "share_fraction",
			    json_real(sw_holders_share(view, set->retained_bytes)));
	json_object_set_new(row, "largest", sw_naming_object(&view->live, set->heaviest));
	json_object_set_new(row, "holds", sw_json_string(accumulated));
	struct sw_error *error = add_path(view, suspect, row, &expression);
	json_object_set_new(row, "accumulation", accumulation_json(view, &suspect->accumulation));
	sw_report_row(view->report, "shared", row);
	if (!error && is_told)
		tell_set(view, set, suspect, roots, expression, accumulated);
	free(expression);
	return error;
}

static struct sw_error *add_sets(const struct sw_holders *view, const struct sw_shared *shared,
				 struct sw_suspect *suspects, size_t count)
{
	struct sw_error *error = NULL;
	for (size_t i = 0; !error && i < count; i++) {
		const struct sw_shared_set *set = &shared->sets[i];
		bool is_told = !i && sw_holders_share(view, set->retained_bytes) >= TOLD_SHARE;
		error = count_members(view, set, &suspects[i]);
		if (!error)
			error = add_set(view, set, &suspects[i], is_told);
	}
	sw_report_omitted(view->report, "shared", shared->count, count);
	return error;
}

static uint64_t shared_bytes(const struct sw_shared *shared)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < shared->count; i++)
		bytes += shared->sets[i].retained_bytes;
	return bytes;
}

/* ---- the whole ---- */

static void add_summary(const struct sw_holders *view, const struct top_list *tops, uint64_t shared)
{
	uint64_t exclusive = 0;
	for (size_t i = 0; i < tops->count; i++)
		exclusive += view->dominators->retained_bytes[tops->nodes[i]];
	sw_report_summary(view->report, "live_bytes", sw_json_bytes(view->whole));
	sw_report_summary(view->report, "live_objects",
			  json_integer(view->live.heap->object_count));
	sw_report_summary(view->report, "held_by_one_root_bytes", sw_json_bytes(exclusive));
	sw_report_summary(view->report, "shared_bytes", sw_json_bytes(shared));
	sw_report_count(view->report, "roots", tops->count);
}

/* The rows of both tables, with their suspects: one search for all. */
struct rows {
	struct sw_suspect *suspects; /* of the roots, then of the sets */
	size_t roots, sets;
};

static struct sw_error *find_suspects(const struct sw_holders *view, const struct top_list *tops,
				      const struct sw_shared *shared, struct rows *rows)
{
	uint64_t limit = sw_arguments_limit(view->arguments);
	rows->roots = rows_to_show(view, tops);
	rows->sets = shared->count < limit ? shared->count : (size_t)limit;
	rows->suspects = calloc(rows->roots + rows->sets + 1, sizeof(*rows->suspects));
	if (!rows->suspects)
		return sw_error_memory();
	for (size_t i = 0; i < rows->roots; i++)
		rows->suspects[i].top = tops->nodes[i];
	for (size_t i = 0; i < rows->sets; i++)
		rows->suspects[rows->roots + i].top = shared->sets[i].heaviest;
	return sw_suspects_find(rows->suspects, rows->roots + rows->sets, &view->live,
				view->dominators);
}

/* The larger part is told of first. */
static struct sw_error *add_tables(const struct sw_holders *view, const struct top_list *tops,
				   const struct sw_shared *shared)
{
	struct rows rows;
	size_t told = first_told(view, tops);
	uint64_t most =
		told < tops->count ? view->dominators->retained_bytes[tops->nodes[told]] : 0;
	bool is_shared_first = shared->count && shared->sets[0].retained_bytes > most;

	sw_report_table(view->report, "roots", columns(view));
	sw_report_table(view->report, "shared",
			"retained_bytes share_fraction held_by holds expression");
	struct sw_error *error = find_suspects(view, tops, shared, &rows);
	struct sw_suspect *of_sets = rows.suspects + rows.roots;
	if (!error && is_shared_first)
		error = add_sets(view, shared, of_sets, rows.sets);
	if (!error)
		error = add_rows(view, tops, rows.suspects, rows.roots, told);
	if (!error && !is_shared_first)
		error = add_sets(view, shared, of_sets, rows.sets);
	free(rows.suspects);
	return error;
}

struct sw_error *sw_holders_report(const struct sw_holders *view)
{
	struct top_list tops;
	struct sw_shared shared = {0};
	struct sw_error *error = list_tops(view, &tops);
	if (error)
		return error;
	error = sw_shared_build(&shared, view->live.graph, view->dominators, view->work);
	if (!error)
		error = add_tables(view, &tops, &shared);
	if (!error)
		add_summary(view, &tops, shared_bytes(&shared));
	sw_shared_free(&shared);
	free(tops.nodes);
	return error;
}
