/* The tables of the command `finalizers`. */
#include "command/finalizers_view.h"
#include "go/clock.h"
#include "go/wait_reason.h"

static json_t *type_name(const struct sw_finalizers_view *view, sw_type type)
{
	return sw_json_string(sw_naming_type_name(&view->live, type));
}

static const char *kind_word(uint8_t kind)
{
	static const char *const words[SW_FINALIZER_KINDS] = {"finalizer", "cleanup",
							      "weak pointer"};
	return kind < SW_FINALIZER_KINDS ? words[kind] : "?";
}

char *sw_finalizers_function(const struct sw_finalizers_view *view,
			     const struct sw_finalizer *finalizer)
{
	struct sw_go_func func;
	if (!finalizer->entry || !sw_go_find_func(view->live.go, finalizer->entry, &func))
		return NULL;
	return sw_go_print_name(sw_go_func_name(&func));
}

/* ---- who runs them ---- */

uint64_t sw_finalizers_waiting(const struct sw_finalizers_view *view,
			       const struct sw_finalizer_runner *runner)
{
	uint64_t queued = view->totals[runner->kind][SW_FINALIZER_QUEUED], busy = 0;
	/* 1.24 has one queue for both. */
	if (runner->kind == SW_FINALIZER && view->live.go->minor < 25)
		queued += view->totals[SW_CLEANUP][SW_FINALIZER_QUEUED];
	/* What runs is still in the queue; a cleanup from 1.26 on is not. */
	if (runner->kind == SW_CLEANUP && view->live.go->minor >= 26)
		return queued;
	for (size_t i = 0; i < view->runners.count; i++)
		busy += view->runners.items[i].is_busy &&
			view->runners.items[i].kind == runner->kind;
	return queued > busy ? queued - busy : 0;
}

static json_t *runner_row(const struct sw_finalizers_view *view,
			  const struct sw_finalizer_runner *runner)
{
	json_t *row = sw_goroutine_row(&view->goroutines, runner->goroutine);
	uint32_t place = sw_goroutine_own_place(&view->goroutines, runner->goroutine);

	json_object_set_new(row, "runs",
			    json_string(runner->kind == SW_CLEANUP ? "cleanups" : "finalizers"));
	json_object_set_new(row, "busy", json_boolean(runner->is_busy));
	json_object_set_new(row, "blocked", json_boolean(runner->is_blocked));
	json_object_set_new(row, "waiting", sw_json_count(sw_finalizers_waiting(view, runner)));
	json_object_set_new(row, "place",
			    runner->is_busy ? sw_goroutine_place(&view->goroutines, place, false)
					    : json_null());
	json_object_set_new(row, "frames",
			    runner->is_busy
				    ? sw_goroutine_frames(&view->goroutines, runner->goroutine)
				    : json_array());
	return row;
}

static void add_runners(struct sw_finalizers_view *view)
{
	uint64_t rows = 0;

	sw_report_table(view->report, "goroutines",
			"goid runs state wait_reason wait_seconds busy waiting place frames#8");
	for (size_t i = 0; i < view->runners.count; i++)
		if (sw_arguments_takes(view->arguments, &rows))
			sw_report_row(view->report, "goroutines",
				      runner_row(view, &view->runners.items[i]));
	sw_report_omitted(view->report, "goroutines", rows, sw_arguments_limit(view->arguments));
}

/* ---- what keeps itself alive ---- */

char *sw_finalizers_way(struct sw_finalizers_view *view, size_t index)
{
	struct sw_path path = {0}, tail;
	struct sw_error *error =
		sw_finalizer_cycle(&view->live, &view->found, index, &view->steps, &path);
	if (!view->steps && !path.count)
		sw_warn(&view->warnings, false, "long_cycles", NULL,
			"how an object leads back to itself is not told: the ways are too long");
	sw_error_free(error);
	if (error || !path.count)
		return NULL;
	/* From the root on, where the way goes over a function. What a large object refers to in
	 * itself hangs on the root alone. */
	tail = path;
	for (size_t i = 0; i < path.count; i++)
		if (sw_graph_is_root(view->live.graph, path.nodes[i]))
			tail = (struct sw_path){path.nodes + i, path.count - i};
	bool is_inside = tail.count == 2 && !view->found.list.items[index].is_held_by_function;
	char *text = is_inside ? NULL : sw_naming_expression(&view->live, &tail);
	sw_path_free(&path);
	return text;
}

/* What it keeps alive: the finalizer's root holds what a lost object refers to beside the object.
 */
static uint64_t retained(const struct sw_finalizers_view *view,
			 const struct sw_finalizer *finalizer)
{
	const uint64_t *bytes = view->live.dominators->retained_bytes;
	uint64_t by_object = bytes[finalizer->object];
	uint64_t by_root = bytes[view->live.graph->object_count + finalizer->root];
	return finalizer->state == SW_FINALIZER_LOST && by_root > by_object ? by_root : by_object;
}

static json_t *never_row(struct sw_finalizers_view *view, size_t index)
{
	const struct sw_finalizer *finalizer = &view->found.list.items[index];
	json_t *row = json_object();

	json_object_set_new(row, "kind", json_string(kind_word(finalizer->kind)));
	json_object_set_new(row, "address", sw_json_address(finalizer->object_address));
	json_object_set_new(row, "type", type_name(view, finalizer->type));
	json_object_set_new(row, "function",
			    sw_json_take_string(sw_finalizers_function(view, finalizer)));
	json_object_set_new(row, "held_by",
			    json_string(finalizer->is_held_by_function ? "its function or argument"
								       : "what it refers to"));
	json_object_set_new(row, "path", sw_json_take_string(sw_finalizers_way(view, index)));
	json_object_set_new(row, "lost", json_boolean(finalizer->state == SW_FINALIZER_LOST));
	json_object_set_new(row, "retained_bytes", sw_json_bytes(retained(view, finalizer)));
	return row;
}

/* Those that are lost first. */
static void add_never(struct sw_finalizers_view *view)
{
	uint64_t rows = 0;

	sw_report_table(view->report, "never_freed",
			"kind address type function held_by path lost retained_bytes");
	for (int lost = 1; lost >= 0; lost--)
		for (size_t i = 0; i < view->found.list.count; i++) {
			const struct sw_finalizer *finalizer = &view->found.list.items[i];
			if (sw_finalizer_is_never(finalizer) &&
			    (finalizer->state == SW_FINALIZER_LOST) == lost &&
			    sw_arguments_takes(view->arguments, &rows))
				sw_report_row(view->report, "never_freed", never_row(view, i));
		}
	sw_report_omitted(view->report, "never_freed", rows, sw_arguments_limit(view->arguments));
}

/* ---- by function ---- */

static json_t *group_row(const struct sw_finalizers_view *view,
			 const struct sw_finalizer_group *group)
{
	const struct sw_finalizer *first = &view->found.list.items[group->first];
	json_t *row = json_object();

	json_object_set_new(row, "kind", json_string(kind_word(first->kind)));
	json_object_set_new(row, "function",
			    sw_json_take_string(sw_finalizers_function(view, first)));
	json_object_set_new(row, "type", type_name(view, first->type));
	json_object_set_new(row, "set", sw_json_count(group->counts[SW_FINALIZER_SET]));
	json_object_set_new(row, "unreachable",
			    sw_json_count(group->counts[SW_FINALIZER_UNREACHABLE]));
	json_object_set_new(row, "queued", sw_json_count(group->counts[SW_FINALIZER_QUEUED]));
	json_object_set_new(row, "lost", sw_json_count(group->counts[SW_FINALIZER_LOST]));
	json_object_set_new(row, "never_run", sw_json_count(group->never));
	json_object_set_new(row, "object_bytes", sw_json_bytes(group->object_bytes));
	return row;
}

static json_t *weak_row(const struct sw_finalizers_view *view,
			const struct sw_finalizer_group *group)
{
	const struct sw_finalizer *first = &view->found.list.items[group->first];
	json_t *row = json_object();

	json_object_set_new(row, "type", type_name(view, first->type));
	json_object_set_new(row, "objects", sw_json_count(group->counts[SW_FINALIZER_SET]));
	json_object_set_new(row, "unreachable",
			    sw_json_count(group->counts[SW_FINALIZER_UNREACHABLE]));
	json_object_set_new(row, "object_bytes", sw_json_bytes(group->object_bytes));
	return row;
}

static void add_groups(struct sw_finalizers_view *view, const char *table, const char *columns,
		       bool are_weak)
{
	uint64_t rows = 0;

	sw_report_table(view->report, table, columns);
	for (size_t i = 0; i < view->groups.count; i++) {
		const struct sw_finalizer_group *group = &view->groups.items[i];
		bool is_weak = view->found.list.items[group->first].kind == SW_WEAK_POINTER;
		if (is_weak == are_weak && sw_arguments_takes(view->arguments, &rows))
			sw_report_row(view->report, table,
				      is_weak ? weak_row(view, group) : group_row(view, group));
	}
	sw_report_omitted(view->report, table, rows, sw_arguments_limit(view->arguments));
}

static void add_weak_pointers(struct sw_finalizers_view *view)
{
	uint64_t rows = 0;

	sw_report_table(view->report, "weak_pointers", "type handles dead");
	for (size_t i = 0; i < view->found.weak.count; i++) {
		const struct sw_weak_pointers *weak = &view->found.weak.items[i];
		if (!sw_arguments_takes(view->arguments, &rows))
			continue;
		json_t *row = json_object();
		json_object_set_new(row, "type", type_name(view, weak->type));
		json_object_set_new(row, "handles", sw_json_count(weak->handles));
		json_object_set_new(row, "dead", sw_json_count(weak->dead));
		sw_report_row(view->report, "weak_pointers", row);
	}
	sw_report_omitted(view->report, "weak_pointers", rows, sw_arguments_limit(view->arguments));
}

void sw_finalizers_tables(struct sw_finalizers_view *view)
{
	add_runners(view);
	add_never(view);
	add_groups(view, "functions",
		   "kind function type set unreachable queued lost never_run object_bytes", false);
	add_groups(view, "weak", "type objects unreachable object_bytes", true);
	add_weak_pointers(view);
}
