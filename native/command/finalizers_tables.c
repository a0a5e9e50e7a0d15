/* The tables of the command `finalizers`. */
#include "command/finalizers_view.h"
#include "go/clock.h"
#include "go/wait_reason.h"

static void set(json_t *row, const char *key, json_t *value)
{
	json_object_set_new(row, key, value);
}

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *owned_text(char *text)
{
	json_t *value = text ? sw_json_string(text) : json_null();
	free(text);
	return value;
}

static json_t *type_name(const struct sw_finalizers_view *view, sw_type type)
{
	return sw_json_string(sw_naming_type_name(&view->naming, type));
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

/* Counts a row; is it within the limit? */
static bool takes(const struct sw_finalizers_view *view, uint64_t *rows)
{
	return ++*rows <= sw_arguments_limit(view->arguments);
}

static void end_table(struct sw_finalizers_view *view, const char *table, uint64_t rows)
{
	uint64_t limit = sw_arguments_limit(view->arguments);
	if (rows > limit)
		sw_report_omitted(view->report, table, rows - limit);
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

	set(row, "runs", json_string(runner->kind == SW_CLEANUP ? "cleanups" : "finalizers"));
	set(row, "busy", json_boolean(runner->is_busy));
	set(row, "blocked", json_boolean(runner->is_blocked));
	set(row, "waiting", number(sw_finalizers_waiting(view, runner)));
	set(row, "place",
	    runner->is_busy ? sw_goroutine_place(&view->goroutines, place, false) : json_null());
	set(row, "frames",
	    runner->is_busy ? sw_goroutine_frames(&view->goroutines, runner->goroutine)
			    : json_array());
	return row;
}

static void add_runners(struct sw_finalizers_view *view)
{
	uint64_t rows = 0;

	sw_report_table(view->report, "goroutines",
			"goid runs state wait_reason wait_seconds busy waiting place frames#8");
	for (size_t i = 0; i < view->runners.count; i++)
		if (takes(view, &rows))
			sw_report_row(view->report, "goroutines",
				      runner_row(view, &view->runners.items[i]));
	end_table(view, "goroutines", rows);
}

/* ---- what keeps itself alive ---- */

char *sw_finalizers_way(const struct sw_finalizers_view *view, size_t index)
{
	struct sw_path path = {0}, tail;
	struct sw_error *error = sw_finalizer_cycle(&view->live, &view->found, index, &path);
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
	char *text = is_inside ? NULL : sw_naming_expression(&view->naming, &tail);
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

static json_t *never_row(const struct sw_finalizers_view *view, size_t index)
{
	const struct sw_finalizer *finalizer = &view->found.list.items[index];
	json_t *row = json_object();

	set(row, "kind", json_string(kind_word(finalizer->kind)));
	set(row, "address", sw_json_address(finalizer->object_address));
	set(row, "type", type_name(view, finalizer->type));
	set(row, "function", owned_text(sw_finalizers_function(view, finalizer)));
	set(row, "held_by",
	    json_string(finalizer->is_held_by_function ? "its function or argument"
						       : "what it refers to"));
	set(row, "path", owned_text(sw_finalizers_way(view, index)));
	set(row, "lost", json_boolean(finalizer->state == SW_FINALIZER_LOST));
	set(row, "retained_bytes", sw_json_bytes(retained(view, finalizer)));
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
			    (finalizer->state == SW_FINALIZER_LOST) == lost && takes(view, &rows))
				sw_report_row(view->report, "never_freed", never_row(view, i));
		}
	end_table(view, "never_freed", rows);
}

/* ---- by function ---- */

static json_t *group_row(const struct sw_finalizers_view *view,
			 const struct sw_finalizer_group *group)
{
	const struct sw_finalizer *first = &view->found.list.items[group->first];
	json_t *row = json_object();

	set(row, "kind", json_string(kind_word(first->kind)));
	set(row, "function", owned_text(sw_finalizers_function(view, first)));
	set(row, "type", type_name(view, first->type));
	set(row, "set", number(group->counts[SW_FINALIZER_SET]));
	set(row, "unreachable", number(group->counts[SW_FINALIZER_UNREACHABLE]));
	set(row, "queued", number(group->counts[SW_FINALIZER_QUEUED]));
	set(row, "lost", number(group->counts[SW_FINALIZER_LOST]));
	set(row, "never_run", number(group->never));
	set(row, "object_bytes", sw_json_bytes(group->object_bytes));
	return row;
}

static json_t *weak_row(const struct sw_finalizers_view *view,
			const struct sw_finalizer_group *group)
{
	const struct sw_finalizer *first = &view->found.list.items[group->first];
	json_t *row = json_object();

	set(row, "type", type_name(view, first->type));
	set(row, "objects", number(group->counts[SW_FINALIZER_SET]));
	set(row, "unreachable", number(group->counts[SW_FINALIZER_UNREACHABLE]));
	set(row, "object_bytes", sw_json_bytes(group->object_bytes));
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
		if (is_weak == are_weak && takes(view, &rows))
			sw_report_row(view->report, table,
				      is_weak ? weak_row(view, group) : group_row(view, group));
	}
	end_table(view, table, rows);
}

static void add_weak_pointers(struct sw_finalizers_view *view)
{
	uint64_t rows = 0;

	sw_report_table(view->report, "weak_pointers", "type handles dead");
	for (size_t i = 0; i < view->found.weak.count; i++) {
		const struct sw_weak_pointers *weak = &view->found.weak.items[i];
		if (!takes(view, &rows))
			continue;
		json_t *row = json_object();
		set(row, "type", type_name(view, weak->type));
		set(row, "handles", number(weak->handles));
		set(row, "dead", number(weak->dead));
		sw_report_row(view->report, "weak_pointers", row);
	}
	end_table(view, "weak_pointers", rows);
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
