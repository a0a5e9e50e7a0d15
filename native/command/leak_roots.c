/* leak-roots: which roots hold the memory, through which path, and what has accumulated there. */
#include "command/command.h"
#include "command/suspect.h"

#include <inttypes.h>
#include <stdio.h>

struct top_list {
	sw_node *nodes; /* what the super root dominates and is a root, most retained first */
	size_t count;
};

struct view {
	struct sw_session *session;
	const struct sw_arguments *arguments;
	struct sw_naming naming;
	const struct sw_dominators *dominators;
	const char *const
		*titles; /* of root nodes when grouped otherwise, by root number; or NULL */
	struct sw_report *report;
	uint64_t whole; /* live bytes */
};

static double share_of(const struct view *view, uint64_t bytes)
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

static struct sw_error *list_tops(const struct view *view, struct top_list *list)
{
	const struct sw_graph *graph = view->naming.graph;
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

static const char *title(const struct view *view, sw_node node)
{
	uint32_t number = node - view->naming.graph->object_count;
	return view->titles ? view->titles[number] : sw_naming_root(&view->naming, node)->name;
}

static json_t *accumulation_json(const struct view *view,
				 const struct sw_accumulation *accumulation)
{
	const char *type = sw_naming_type_name(&view->naming, accumulation->type);
	json_t *json = json_object();
	json_object_set_new(json, "type", sw_json_text(type, strlen(type)));
	if (accumulation->objects)
		json_object_set_new(
			json, "address",
			sw_json_address(sw_heap_address(view->naming.heap, accumulation->largest)));
	json_object_set_new(json, "objects", json_integer((json_int_t)accumulation->objects));
	json_object_set_new(json, "bytes", sw_json_bytes(accumulation->bytes));
	return json;
}

/* The path to the accumulation point as an expression, and its steps. */
static struct sw_error *add_path(const struct view *view, const struct sw_suspect *suspect,
				 json_t *row, char **expression)
{
	struct sw_path path;
	struct sw_error *error = sw_path_shortest(view->naming.graph, suspect->point, &path);
	*expression = NULL;
	if (error)
		return error;
	*expression = sw_naming_expression(&view->naming, &path);
	json_object_set_new(row, "expression",
			    sw_json_text(*expression ? *expression : "",
					 *expression ? strlen(*expression) : 0));
	json_object_set_new(row, "path", sw_naming_steps(&view->naming, &path));
	sw_path_free(&path);
	return *expression ? NULL : sw_error_memory();
}

/* "12,345 main.session" or "" when nothing accumulated. */
static void accumulation_text(const struct view *view, const struct sw_suspect *suspect, char *out,
			      size_t size)
{
	char count[32];
	const struct sw_accumulation *accumulation = &suspect->accumulation;
	*out = 0;
	if (!accumulation->objects)
		return;
	snprintf(out, size, "%s %s%s", sw_text_count(accumulation->objects, count),
		 sw_naming_type_name(&view->naming, accumulation->type),
		 suspect->chain ? " in a list" : "");
}

/* The type of the variable, "" when nothing tells. */
static const char *root_type(const struct view *view, const struct sw_suspect *suspect)
{
	const struct sw_go_root *root = sw_naming_root(&view->naming, suspect->top);
	if (view->titles || !root->type)
		return "";
	return sw_naming_type_name(&view->naming, sw_type_of_dwarf(view->naming.types, root->type));
}

static bool is_runtime(const struct view *view, sw_node node)
{
	return !view->titles && sw_naming_root(&view->naming, node)->kind == SW_GO_ROOT_RUNTIME;
}

/* Graded by share of the live heap, when it is more than a start-up's worth. */
static void add_finding(const struct view *view, const struct sw_suspect *suspect,
			const char *expression, const char *accumulated)
{
	enum { MIN_BYTES = 8 << 20, MIN_OBJECTS = 100 };
	uint64_t bytes = view->dominators->retained_bytes[suspect->top];
	double share = share_of(view, bytes);
	char message[1024], size[16], next[64];

	if (bytes < MIN_BYTES || share < 0.1 || suspect->accumulation.objects < MIN_OBJECTS ||
	    is_runtime(view, suspect->top))
		return;
	snprintf(message, sizeof(message), "%s holds %s, %.1f %% of the live heap: %s", expression,
		 sw_text_bytes(bytes, size), 100 * share, accumulated);
	snprintf(next, sizeof(next), "who-holds 0x%" PRIx64,
		 sw_heap_address(view->naming.heap, suspect->accumulation.largest));
	json_t *evidence = json_object();
	json_object_set_new(evidence, "retained_bytes", sw_json_bytes(bytes));
	json_object_set_new(evidence, "share_fraction", json_real(share));
	json_object_set_new(evidence, "objects",
			    json_integer((json_int_t)suspect->accumulation.objects));
	sw_report_finding(view->report, share >= 0.5 ? SW_GRADE_P1 : SW_GRADE_P2, "accumulation",
			  message, evidence, next);
}

/* The K largest of what has accumulated, each with its own path. */
static struct sw_error *add_more_paths(const struct view *view, const struct sw_suspect *suspect,
				       json_t *row, uint64_t count)
{
	struct sw_largest *largest;
	size_t found;
	struct sw_error *error = sw_suspect_largest(suspect, &view->naming, view->dominators,
						    (size_t)count, &largest, &found);
	if (error)
		return error;
	json_t *list = json_array();
	for (size_t i = 0; !error && i < found; i++) {
		struct sw_path path;
		error = sw_path_shortest(view->naming.graph, largest[i].object, &path);
		if (error)
			break;
		char *expression = sw_naming_expression(&view->naming, &path);
		json_t *item = sw_naming_object(&view->naming, largest[i].object);
		json_object_set_new(item, "retained_bytes", sw_json_bytes(largest[i].bytes));
		json_object_set_new(item, "expression",
				    sw_json_text(expression ? expression : "",
						 expression ? strlen(expression) : 0));
		json_array_append_new(list, item);
		free(expression);
		sw_path_free(&path);
	}
	json_object_set_new(row, "largest", list);
	free(largest);
	return error;
}

static struct sw_error *add_row(const struct view *view, const struct sw_suspect *suspect,
				bool is_first)
{
	uint64_t bytes = view->dominators->retained_bytes[suspect->top];
	uint64_t paths = sw_arguments_number(view->arguments, "paths");
	const struct sw_go_root *root = sw_naming_root(&view->naming, suspect->top);
	const char *name = title(view, suspect->top);
	char accumulated[512], size[16], *expression;
	json_t *row = json_object();

	accumulation_text(view, suspect, accumulated, sizeof(accumulated));
	json_object_set_new(row, "root", sw_json_text(name, strlen(name)));
	json_object_set_new(
		row, "kind",
		json_string(view->titles ? "package" : sw_naming_root_kind(root->kind)));
	json_object_set_new(row, "retained_bytes", sw_json_bytes(bytes));
	json_object_set_new(row, "retained_objects",
			    json_integer(view->dominators->retained_objects[suspect->top]));
	json_object_set_new(row, "share_fraction", json_real(share_of(view, bytes)));
	json_object_set_new(row, "holds", sw_json_text(accumulated, strlen(accumulated)));
	struct sw_error *error = add_path(view, suspect, row, &expression);
	json_object_set_new(row, "accumulation", accumulation_json(view, &suspect->accumulation));
	if (!error && paths)
		error = add_more_paths(view, suspect, row, paths);
	if (!error && is_first) {
		const char *type = root_type(view, suspect);
		sw_report_sentence(view->report, "%s%s%s%s holds %.1f %% of the live heap, %s%s%s.",
				   expression, *type ? " (" : "", type, *type ? ")" : "",
				   100 * share_of(view, bytes), sw_text_bytes(bytes, size),
				   *accumulated ? ": " : "", accumulated);
	}
	if (!error)
		add_finding(view, suspect, expression, accumulated);
	sw_report_row(view->report, "roots", row);
	free(expression);
	return error;
}

/* The first row that is not the runtime's own makes the sentence. */
static size_t first_told(const struct view *view, const struct top_list *tops)
{
	size_t first = 0;
	while (first < tops->count && is_runtime(view, tops->nodes[first]))
		first++;
	return first;
}

static size_t rows_to_show(const struct view *view, const struct top_list *tops)
{
	double share = sw_arguments_fraction(view->arguments, "min-fraction");
	uint64_t limit = sw_arguments_limit(view->arguments);
	size_t count = 0;
	while (count < tops->count && count < limit &&
	       share_of(view, view->dominators->retained_bytes[tops->nodes[count]]) >= share)
		count++;
	return count;
}

static const char *columns(const struct view *view)
{
	bool has_paths = sw_arguments_number(view->arguments, "paths");
	if (view->titles)
		return has_paths ? "retained_bytes share_fraction root holds expression largest"
				 : "retained_bytes share_fraction root holds expression";
	return has_paths ? "retained_bytes share_fraction kind holds expression largest"
			 : "retained_bytes share_fraction kind holds expression";
}

static struct sw_error *add_rows(const struct view *view, const struct top_list *tops)
{
	size_t count = rows_to_show(view, tops), told = first_told(view, tops);
	size_t found = told < count || told >= tops->count ? count : count + 1;
	struct sw_suspect *suspects = calloc(found + 1, sizeof(*suspects));
	if (!suspects)
		return sw_error_memory();
	for (size_t i = 0; i < count; i++)
		suspects[i].top = tops->nodes[i];
	struct sw_error *error = sw_suspects_find(suspects, count, &view->naming, view->dominators);

	sw_report_table(view->report, "roots", columns(view));
	for (size_t i = 0; !error && i < count; i++)
		error = add_row(view, &suspects[i], i == told);
	if (!error && told < count && suspects[told].accumulation.objects)
		sw_report_next(
			view->report, "who-holds 0x%" PRIx64,
			sw_heap_address(view->naming.heap, suspects[told].accumulation.largest));
	if (tops->count > count)
		sw_report_omitted(view->report, "roots", tops->count - count);
	free(suspects);
	return error;
}

/* ---- memory that several roots hold ---- */

static json_t *set_names(const struct view *view, const struct sw_shared_set *set)
{
	json_t *names = json_array();
	for (uint32_t i = 0; i < set->count; i++) {
		const char *name = title(view, view->naming.graph->object_count + set->roots[i]);
		json_array_append_new(names, sw_json_text(name, strlen(name)));
	}
	return names;
}

/* "main.leak, main.shared", "main.a and 12 more". */
static json_t *set_text(const struct view *view, const struct sw_shared_set *set)
{
	enum { SHOWN = 3 };
	char text[512];
	size_t length = 0;
	text[0] = 0;
	for (uint32_t i = 0; i < set->count && i < SHOWN && length < sizeof(text); i++)
		length += (size_t)snprintf(
			text + length, sizeof(text) - length, "%s%s", i ? ", " : "",
			title(view, view->naming.graph->object_count + set->roots[i]));
	if (set->count > SHOWN && length < sizeof(text))
		snprintf(text + length, sizeof(text) - length, " and %u%s more", set->count - SHOWN,
			 set->is_many ? " or" : "");
	return sw_json_text(text, strlen(text));
}

static void add_shared_row(const struct view *view, const struct sw_shared_set *set)
{
	json_t *row = json_object();
	json_object_set_new(row, "roots", set_names(view, set));
	json_object_set_new(row, "held_by", set_text(view, set));
	json_object_set_new(row, "is_many", json_boolean(set->is_many));
	json_object_set_new(row, "retained_bytes", sw_json_bytes(set->retained_bytes));
	json_object_set_new(row, "retained_objects",
			    json_integer((json_int_t)set->retained_objects));
	json_object_set_new(row, "share_fraction", json_real(share_of(view, set->retained_bytes)));
	json_object_set_new(row, "largest", sw_naming_object(&view->naming, set->heaviest));
	sw_report_row(view->report, "shared", row);
}

static struct sw_error *add_shared(const struct view *view, uint64_t *bytes)
{
	struct sw_shared shared;
	uint64_t limit = sw_arguments_limit(view->arguments);
	struct sw_error *error = sw_shared_build(&shared, view->naming.graph, view->dominators,
						 sw_session_work(view->session));
	*bytes = 0;
	if (error)
		return error;
	sw_report_table(view->report, "shared", "retained_bytes share_fraction held_by");
	for (size_t i = 0; i < shared.count; i++) {
		*bytes += shared.sets[i].retained_bytes;
		if (i < limit)
			add_shared_row(view, &shared.sets[i]);
	}
	if (shared.count > limit)
		sw_report_omitted(view->report, "shared", shared.count - limit);
	sw_shared_free(&shared);
	return NULL;
}

/* ---- the views ---- */

static void add_summary(const struct view *view, const struct top_list *tops, uint64_t shared)
{
	uint64_t exclusive = 0;
	for (size_t i = 0; i < tops->count; i++)
		exclusive += view->dominators->retained_bytes[tops->nodes[i]];
	sw_report_summary(view->report, "live_bytes", sw_json_bytes(view->whole));
	sw_report_summary(view->report, "live_objects",
			  json_integer(view->naming.heap->object_count));
	sw_report_summary(view->report, "held_by_one_root_bytes", sw_json_bytes(exclusive));
	sw_report_summary(view->report, "shared_bytes", sw_json_bytes(shared));
	sw_report_summary(view->report, "roots", json_integer((json_int_t)tops->count));
}

static struct sw_error *show_roots(const struct view *view)
{
	struct top_list tops;
	uint64_t shared;
	struct sw_error *error = list_tops(view, &tops);
	if (error)
		return error;
	error = add_rows(view, &tops);
	if (!error)
		error = add_shared(view, &shared);
	if (!error)
		add_summary(view, &tops, shared);
	free(tops.nodes);
	return error;
}

/* One root of each package stands for all of them: the first. */
struct packages {
	uint32_t *group_of;  /* [root_count] */
	const char **titles; /* [root_count]: of the first roots; owned copies */
};

static void free_packages(struct packages *packages, uint32_t count)
{
	for (uint32_t i = 0; packages->titles && i < count; i++)
		free((char *)packages->titles[i]);
	free(packages->titles);
	free(packages->group_of);
}

static struct sw_error *group_by_package(const struct view *view, struct packages *packages)
{
	uint32_t count = view->naming.graph->root_count;
	char package[512];
	packages->group_of = calloc(count + 1, sizeof(*packages->group_of));
	packages->titles = calloc(count + 1, sizeof(*packages->titles));
	json_t *known = json_object();
	bool failed = !packages->group_of || !packages->titles || !known;

	for (uint32_t i = 0; !failed && i < count; i++) {
		sw_naming_package(&view->naming, view->naming.graph->object_count + i, package,
				  sizeof(package));
		const char *name = *package ? package : "goroutines without a package";
		json_t *first = json_object_get(known, name);
		packages->group_of[i] = first ? (uint32_t)json_integer_value(first) : SW_NO_ROOT;
		packages->titles[i] = strdup(name);
		failed = !packages->titles[i] ||
			 (!first && json_object_set_new(known, name, json_integer(i)));
	}
	json_decref(known);
	return failed ? sw_error_memory() : NULL;
}

static struct sw_error *show_packages(const struct view *view)
{
	struct packages packages = {0};
	struct sw_dominators dominators = {0};
	struct sw_work *work = sw_session_work(view->session);

	struct sw_error *error = group_by_package(view, &packages);
	if (!error)
		error = sw_dominators_build(&dominators, view->naming.graph, view->naming.heap,
					    packages.group_of, work);
	if (!error) {
		struct view packaged = *view;
		packaged.dominators = &dominators;
		packaged.titles = packages.titles;
		error = show_roots(&packaged);
		sw_dominators_free(&dominators, view->naming.graph, work);
	}
	free_packages(&packages, view->naming.graph->root_count);
	return error;
}

/* Every object that no other object dominates, by type: each byte counts once. */
static struct sw_error *show_types(const struct view *view)
{
	struct sw_type_tally tally;
	struct sw_error *error = sw_type_tally_init(&tally, &view->naming);
	if (error)
		return error;
	char size[16];
	for (sw_object object = 0; object < view->naming.graph->object_count; object++)
		if (view->dominators->idom[object] >= view->naming.graph->object_count)
			sw_type_tally_add(&tally, &view->naming, object,
					  view->dominators->retained_bytes[object]);
	sw_type_tally_sort(&tally, &view->naming);
	if (tally.count)
		sw_report_sentence(
			view->report,
			"Objects of type %s that roots hold directly retain %.1f %% of the live "
			"heap (%s).",
			sw_naming_type_name(&view->naming, tally.rows[0].type),
			100 * share_of(view, tally.rows[0].bytes),
			sw_text_bytes(tally.rows[0].bytes, size));
	sw_report_summary(view->report, "live_bytes", sw_json_bytes(view->whole));
	sw_report_summary(view->report, "live_objects",
			  json_integer(view->naming.heap->object_count));
	sw_type_tally_report(&tally, &view->naming, view->report, "types",
			     sw_arguments_limit(view->arguments), view->whole);
	sw_type_tally_free(&tally);
	return NULL;
}

static struct sw_error *run(struct sw_session *session, const struct sw_arguments *arguments,
			    struct sw_report *report)
{
	struct view view = {.session = session, .arguments = arguments, .report = report};
	struct sw_dominators *dominators;
	struct sw_error *error = sw_session_analyse(session);
	if (!error)
		error = sw_naming_init(&view.naming, session);
	if (!error)
		error = sw_session_dominators(session, &dominators);
	if (error)
		return error;
	view.dominators = dominators;
	view.whole = view.naming.heap->object_bytes;

	const char *by = sw_arguments_text(arguments, "by");
	if (by && !strcmp(by, "type"))
		return show_types(&view);
	if (by && !strcmp(by, "package"))
		return show_packages(&view);
	return show_roots(&view);
}

static const struct sw_option options[] = {
	{"by", SW_OPTION_CHOICE, "root|type|package", "root|type|package", "root",
	 "rows by root, by the type of what roots hold, or by package"},
	{"min-fraction", SW_OPTION_FRACTION, "FRACTION", NULL, "0",
	 "leave out roots that hold less than this share of the live heap"},
	{"paths", SW_OPTION_NUMBER, "K", NULL, "0",
	 "for each root also the K largest objects that have accumulated, with their paths"},
	{0},
};

const struct sw_command sw_command_leak_roots = {
	.name = "leak-roots",
	.usage = "",
	.summary = "which roots hold the memory, by what path, and what has accumulated there",
	.help = "For each root (a package-level variable, a goroutine, …) the memory that would be "
		"free "
		"without it: its retained size in the dominator tree. The path leads from the root "
		"to the "
		"accumulation point, the last object on the way down that still keeps 70 % of what "
		"is "
		"above it; `holds` says what has accumulated there, most bytes first.\n\n"
		"Memory that several roots hold together belongs to none of them: the table "
		"`shared` "
		"shows it by the set of its roots. Rows and `shared` add up to the live heap. What "
		"the "
		"Go runtime itself holds stands in one row.",
	.example = "spanwalk leak-roots app.core --limit 5",
	.options = options,
	.run = run,
};
