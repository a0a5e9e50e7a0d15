/* leak-roots: which roots hold the memory, through which path, and what has accumulated there. */
#include "command/command.h"
#include "command/holders.h"
#include "command/type_tally.h"

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

static struct sw_error *group_by_package(const struct sw_holders *view, struct packages *packages)
{
	uint32_t count = view->live.graph->root_count;
	char package[512];
	packages->group_of = calloc(count + 1, sizeof(*packages->group_of));
	packages->titles = calloc(count + 1, sizeof(*packages->titles));
	json_t *known = json_object();
	bool failed = !packages->group_of || !packages->titles || !known;

	for (uint32_t i = 0; !failed && i < count; i++) {
		sw_naming_package(&view->live, view->live.graph->object_count + i, package,
				  sizeof(package));
		const char *name = *package ? package : "goroutines without a package";
		json_t *first = json_object_get(known, name);
		packages->group_of[i] = first ? (uint32_t)json_integer_value(first) : SW_NO_ROOT;
		packages->titles[i] = strdup(name);
		failed = !packages->titles[i] ||
			 (!first && json_object_set_new_nocheck(known, name, json_integer(i)));
	}
	json_decref(known);
	return failed ? sw_error_memory() : NULL;
}

static struct sw_error *show_packages(const struct sw_holders *view)
{
	struct packages packages = {0};
	struct sw_dominators dominators = {0};
	struct sw_work *work = view->work;

	struct sw_error *error = group_by_package(view, &packages);
	if (!error)
		error = sw_dominators_build(&dominators, view->live.graph, view->live.heap,
					    packages.group_of, work);
	if (!error) {
		struct sw_holders packaged = *view;
		packaged.dominators = &dominators;
		packaged.titles = packages.titles;
		error = sw_holders_report(&packaged);
		sw_dominators_free(&dominators, view->live.graph, work);
	}
	free_packages(&packages, view->live.graph->root_count);
	return error;
}

/* Every object that no other object dominates, by type: each byte counts once. */
static struct sw_error *show_types(const struct sw_holders *view)
{
	struct sw_type_tally tally;
	struct sw_error *error = sw_type_tally_init(&tally, &view->live);
	if (error)
		return error;
	char size[16];
	for (sw_object object = 0; object < view->live.graph->object_count; object++)
		if (view->dominators->idom[object] >= view->live.graph->object_count)
			sw_type_tally_add(&tally, &view->live, object,
					  view->dominators->retained_bytes[object]);
	sw_type_tally_sort(&tally, &view->live);
	if (tally.count)
		sw_report_sentence(
			view->report,
			"Objects of type %s that roots hold directly retain %.1f %% of the live "
			"heap (%s).",
			sw_naming_type_name(&view->live, tally.rows[0].type),
			100 * sw_holders_share(view, tally.rows[0].bytes),
			sw_text_bytes(tally.rows[0].bytes, size));
	sw_report_summary(view->report, "live_bytes", sw_json_bytes(view->whole));
	sw_report_summary(view->report, "live_objects",
			  json_integer(view->live.heap->object_count));
	sw_type_tally_report(&tally, &view->live, view->report, "types",
			     sw_arguments_limit(view->arguments), view->whole);
	sw_type_tally_free(&tally);
	return NULL;
}

static struct sw_error *run(struct sw_session *session, const struct sw_arguments *arguments,
			    struct sw_report *report)
{
	struct sw_holders view = {
		.arguments = arguments, .work = sw_session_work(session), .report = report};
	struct sw_dominators *dominators;
	struct sw_error *error = sw_session_analyse(session);
	if (!error)
		error = sw_session_live_graph(session, &view.live);
	if (!error)
		error = sw_session_dominators(session, &dominators);
	if (error)
		return error;
	view.dominators = dominators;
	view.whole = view.live.heap->object_bytes;

	const char *by = sw_arguments_text(arguments, "by");
	if (by && !strcmp(by, "type"))
		return show_types(&view);
	if (by && !strcmp(by, "package"))
		return show_packages(&view);
	return sw_holders_report(&view);
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
	.help = "For each root (a package-level variable, a goroutine, …) the memory that would "
		"be free without it: its retained size in the dominator tree. The path leads from "
		"the root to the accumulation point, the last object on the way down that still "
		"keeps 70 % of what is above it; `holds` says what has accumulated there, most "
		"bytes first.\n\n"
		"Memory that several roots hold together belongs to none of them: the table "
		"`shared` shows it by the set of its roots. Rows and `shared` add up to the live "
		"heap. What the Go runtime itself holds stands in one row.",
	.example = "spanwalk leak-roots app.core --limit 5",
	.options = options,
	.run = run,
};
