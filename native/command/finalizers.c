/* finalizers: what runs when objects die, what waits for that, and what never will. */
#include "command/finalizers_view.h"
#include "go/clock.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	FINDINGS = 5,	     /* of one kind */
	MAX_STEPS = 1 << 20, /* of all ways that are told */
};

/* ---- the question ---- */

static int by_group(const void *a, const void *b, void *context)
{
	const struct sw_finalizer_list *list = context;
	const struct sw_finalizer *x = &list->items[*(const size_t *)a];
	const struct sw_finalizer *y = &list->items[*(const size_t *)b];
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->entry != y->entry)
		return x->entry < y->entry ? -1 : 1;
	if (x->type != y->type)
		return x->type < y->type ? -1 : 1;
	return (*(const size_t *)a > *(const size_t *)b) -
	       (*(const size_t *)a < *(const size_t *)b);
}

static bool is_same_group(const struct sw_finalizer *x, const struct sw_finalizer *y)
{
	return x->kind == y->kind && x->entry == y->entry && x->type == y->type;
}

static uint64_t count_of(const struct sw_finalizer_group *group)
{
	uint64_t count = 0;
	for (unsigned state = 0; state < SW_FINALIZER_STATES; state++)
		count += group->counts[state];
	return count;
}

static int by_count(const void *a, const void *b)
{
	const struct sw_finalizer_group *x = a, *y = b;
	uint64_t p = count_of(x), q = count_of(y);
	if (p != q)
		return p < q ? 1 : -1;
	return (x->first > y->first) - (x->first < y->first);
}

static void count(struct sw_finalizers_view *view, struct sw_finalizer_group *group, size_t number)
{
	const struct sw_finalizer *finalizer = &view->found.list.items[number];
	group->counts[finalizer->state]++;
	group->never += sw_finalizer_is_never(finalizer);
	view->never += sw_finalizer_is_never(finalizer);
	if (finalizer->object != SW_NO_OBJECT)
		group->object_bytes += sw_heap_size(view->live.heap, finalizer->object);
	view->totals[finalizer->kind][finalizer->state]++;
}

static struct sw_error *group(struct sw_finalizers_view *view)
{
	size_t total = view->found.list.count;
	size_t *order = calloc(total + 1, sizeof(*order));
	struct sw_error *error = order ? NULL : sw_error_memory();

	for (size_t i = 0; !error && i < total; i++)
		order[i] = i;
	if (!error && total)
		qsort_r(order, total, sizeof(*order), by_group, &view->found.list);
	for (size_t i = 0; !error && i < total; i++) {
		const struct sw_finalizer *items = view->found.list.items;
		if (!i || !is_same_group(&items[order[i - 1]], &items[order[i]]))
			error = sw_finalizer_groups_add(
				&view->groups, (struct sw_finalizer_group){.first = order[i]});
		if (!error)
			count(view, &view->groups.items[view->groups.count - 1], order[i]);
	}
	if (!error && view->groups.count)
		qsort(view->groups.items, view->groups.count, sizeof(*view->groups.items),
		      by_count);
	free(order);
	return error;
}

static struct sw_error *find(struct sw_finalizers_view *view)
{
	struct sw_error *error = sw_finalizers_find(&view->live, &view->found);
	if (!error)
		error = group(view);
	if (!error)
		error = sw_finalizer_runners_find(view->live.go, &view->runners);
	for (size_t i = 0; i < view->runners.count; i++)
		view->busy += view->runners.items[i].is_busy;
	return error;
}

/* ---- what it means ---- */

static uint64_t total(const struct sw_finalizers_view *view, unsigned kind)
{
	uint64_t count = 0;
	for (unsigned state = 0; state < SW_FINALIZER_STATES; state++)
		count += view->totals[kind][state];
	return count;
}

static const struct sw_finalizer_runner *find_blocked(const struct sw_finalizers_view *view)
{
	for (size_t i = 0; i < view->runners.count; i++)
		if (view->runners.items[i].is_blocked)
			return &view->runners.items[i];
	return NULL;
}

/* Can another goroutine run them? */
static bool has_free_runner(const struct sw_finalizers_view *view, uint8_t kind)
{
	for (size_t i = 0; i < view->runners.count; i++)
		if (view->runners.items[i].kind == kind && !view->runners.items[i].is_blocked)
			return true;
	return false;
}

static uint64_t goid_of(const struct sw_finalizers_view *view,
			const struct sw_finalizer_runner *runner)
{
	return view->live.go->goroutines.items[runner->goroutine].goid;
}

static uint64_t lost_count(const struct sw_finalizers_view *view)
{
	return view->totals[SW_FINALIZER][SW_FINALIZER_LOST] +
	       view->totals[SW_CLEANUP][SW_FINALIZER_LOST];
}

/* "1 finalizer or cleanup", "12 finalizers and cleanups" into out, of 64 bytes. */
static const char *what(uint64_t number, char *out)
{
	char digits[32];
	snprintf(out, 64, "%s %s", sw_text_count(number, digits),
		 number == 1 ? "finalizer or cleanup" : "finalizers and cleanups");
	return out;
}

static void add_sentences(struct sw_finalizers_view *view)
{
	const struct sw_finalizer_runner *blocked = find_blocked(view);
	char text[64], more[64], last[64], size[16];

	if (blocked)
		sw_report_sentence(
			view->report,
			"Goroutine %" PRIu64 ", which runs %s, is blocked in one of them: %s %s "
			"behind it.",
			goid_of(view, blocked),
			blocked->kind == SW_CLEANUP ? "cleanups" : "finalizers",
			sw_text_amount(sw_finalizers_waiting(view, blocked), "other", text),
			sw_finalizers_waiting(view, blocked) == 1 ? "waits" : "wait");
	uint64_t lost = lost_count(view), kept = view->never - lost;
	if (lost)
		sw_report_sentence(
			view->report,
			"%s can never run: %s alive, and nothing else reaches %s; %s are "
			"leaked.",
			what(lost, text),
			lost == 1 ? "its object keeps itself" : "their objects keep themselves",
			lost == 1 ? "it" : "them", sw_text_bytes(view->found.lost_bytes, size));
	if (kept)
		sw_report_sentence(view->report,
				   "%s will not run even when the program lets go of %s: %s alive.",
				   what(kept, text), kept == 1 ? "its object" : "their objects",
				   kept == 1 ? "it keeps itself" : "they keep themselves");
	sw_report_sentence(
		view->report, "%s, %s and %s.",
		sw_text_amount(total(view, SW_FINALIZER), "finalizer", text),
		sw_text_amount(total(view, SW_CLEANUP), "cleanup", more),
		sw_text_amount(total(view, SW_WEAK_POINTER), "weakly referenced object", last));
}

static void add_summary(struct sw_finalizers_view *view)
{
	const uint64_t *finalizers = view->totals[SW_FINALIZER];
	const uint64_t *cleanups = view->totals[SW_CLEANUP];
	uint64_t handles = 0, dead = 0;

	for (size_t i = 0; i < view->found.weak.count; i++) {
		handles += view->found.weak.items[i].handles;
		dead += view->found.weak.items[i].dead;
	}
	const struct {
		const char *key;
		uint64_t value;
	} numbers[] = {
		{"finalizers", total(view, SW_FINALIZER)},
		{"cleanups", total(view, SW_CLEANUP)},
		{"queued_finalizers", finalizers[SW_FINALIZER_QUEUED]},
		{"queued_cleanups", cleanups[SW_FINALIZER_QUEUED]},
		{"unreachable_finalizers", finalizers[SW_FINALIZER_UNREACHABLE]},
		{"unreachable_cleanups", cleanups[SW_FINALIZER_UNREACHABLE]},
		{"never_run", view->never},
		{"lost", lost_count(view)},
		{"lost_objects", view->found.lost_objects},
		{"lost_bytes", view->found.lost_bytes},
		{"busy_goroutines", view->busy},
		{"weak_targets", total(view, SW_WEAK_POINTER)},
		{"weak_handles", handles},
		{"dead_weak_handles", dead},
	};
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		sw_report_count(view->report, numbers[i].key, numbers[i].value);
	sw_report_summary_keys(view->report,
			       "queued_finalizers queued_cleanups unreachable_finalizers "
			       "unreachable_cleanups never_run lost_objects lost_bytes "
			       "dead_weak_handles");
}

/* ---- findings ---- */

static void add_blocked(struct sw_finalizers_view *view, const struct sw_finalizer_runner *runner)
{
	const struct sw_goroutine *goroutine = &view->live.go->goroutines.items[runner->goroutine];
	uint32_t call = sw_goroutine_own_place(&view->goroutines, runner->goroutine);
	char *place = call == UINT32_MAX ? NULL : sw_goroutine_place_text(&view->goroutines, call);
	bool is_last = !has_free_runner(view, runner->kind);
	uint64_t waiting = sw_finalizers_waiting(view, runner);
	char message[1024], next[64], text[64];

	snprintf(message, sizeof(message), "goroutine %" PRIu64 " is blocked at %s in a %s; %s%s",
		 goroutine->goid, place ? place : "?",
		 runner->kind == SW_CLEANUP ? "cleanup" : "finalizer",
		 sw_text_amount(waiting, "other", text),
		 is_last ? " cannot run, and no later one will"
			 : " may be run by another goroutine");
	snprintf(next, sizeof(next), "stack %" PRIu64, goroutine->goid);
	json_t *evidence = json_object();
	json_object_set_new(evidence, "goid", json_integer((json_int_t)goroutine->goid));
	json_object_set_new(evidence, "waiting", json_integer((json_int_t)waiting));
	json_object_set_new(
		evidence, "wait_seconds",
		sw_goroutine_seconds(sw_go_waiting_ns(goroutine, view->goroutines.now)));
	sw_report_finding(view->report, is_last ? SW_GRADE_P1 : SW_GRADE_P2, "finalizer_blocked",
			  message, evidence, next);
	free(place);
}

static void add_never(struct sw_finalizers_view *view, const struct sw_finalizer_group *group,
		      bool are_lost)
{
	const struct sw_finalizer_list *list = &view->found.list;
	const struct sw_finalizer *of = &list->items[group->first], *found = NULL;
	uint64_t number = 0;
	char message[2048], next[64], text[64];

	for (size_t i = 0; i < list->count; i++)
		if (sw_finalizer_is_never(&list->items[i]) && is_same_group(&list->items[i], of) &&
		    (list->items[i].state == SW_FINALIZER_LOST) == are_lost && !number++)
			found = &list->items[i];
	if (!found)
		return;
	char *function = sw_finalizers_function(view, found);
	char *way = sw_finalizers_way(view, (size_t)(found - list->items));
	const char *type =
		found->type ? sw_naming_type_name(&view->live, found->type) : "unknown type";
	snprintf(message, sizeof(message), "%s of %s %s by %s: the %s %s %s run",
		 sw_text_amount(number, "object", text), type,
		 found->is_held_by_function ? "hold themselves" : "lead back to themselves",
		 way		? way
		 : !view->steps ? "a long way"
				: "a pointer into another part of them",
		 found->kind == SW_CLEANUP ? "cleanup" : "finalizer", function ? function : "?",
		 are_lost ? "can never" : "will never");
	snprintf(next, sizeof(next), "who-holds 0x%" PRIx64, found->object_address);
	json_t *evidence = json_object();
	json_object_set_new(evidence, "objects", json_integer((json_int_t)number));
	json_object_set_new(evidence, "lost", json_boolean(are_lost));
	sw_report_finding(view->report, are_lost ? SW_GRADE_P1 : SW_GRADE_P2,
			  found->is_held_by_function ? "finalizer_holds_object" : "finalizer_cycle",
			  message, evidence, next);
	free(function);
	free(way);
}

static void add_findings(struct sw_finalizers_view *view)
{
	for (size_t i = 0; i < view->runners.count; i++)
		if (view->runners.items[i].is_blocked)
			add_blocked(view, &view->runners.items[i]);
	for (int lost = 1; lost >= 0; lost--)
		for (size_t i = 0, shown = 0; i < view->groups.count && shown < FINDINGS; i++)
			if (view->groups.items[i].never) {
				add_never(view, &view->groups.items[i], lost);
				shown++;
			}
}

static void add_report(struct sw_finalizers_view *view)
{
	add_sentences(view);
	add_summary(view);
	add_findings(view);
	sw_finalizers_tables(view);
}

static struct sw_error *run(struct sw_session *session, const struct sw_arguments *arguments,
			    struct sw_report *report)
{
	struct sw_finalizers_view view = {
		.arguments = arguments, .report = report, .steps = MAX_STEPS};
	struct sw_error *error = sw_session_live(session, &view.live);
	if (!error)
		error = sw_goroutine_view_init(&view.goroutines, session);
	if (error)
		return error;
	error = find(&view);
	if (!error)
		add_report(&view);
	sw_finalizers_free(&view.found);
	sw_finalizer_groups_free(&view.groups);
	sw_finalizer_runners_free(&view.runners);
	sw_goroutine_view_free(&view.goroutines);
	sw_report_warnings(report, &view.warnings);
	sw_warnings_clear(&view.warnings);
	return error;
}

const struct sw_command sw_command_finalizers = {
	.name = "finalizers",
	.usage = "",
	.summary = "finalizers, cleanups, weak pointers: what waits, what blocks, what never runs",
	.help = "Finalizers (SetFinalizer) and cleanups (AddCleanup, 1.24) by function and type: "
		"set, of objects that the program reaches; unreachable, which the next collection "
		"queues; queued, which wait to run; lost, which never will.\n\n"
		"One goroutine runs all finalizers, one after the other (cleanups have goroutines of "
		"their own from 1.25 on). When one of them blocks, nothing behind it runs, and what "
		"waits there is never freed: `goroutines` shows where.\n\n"
		"`never_freed`: objects that keep themselves alive. An object with a finalizer that "
		"what it refers to leads back to; a finalizer's or cleanup's function or argument that "
		"leads to the object whose end it waits for. `lost` are those that nothing else "
		"reaches any more.",
	.example = "spanwalk finalizers app.core",
	.run = run,
};
