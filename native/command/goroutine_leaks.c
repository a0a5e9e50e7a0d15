/* goroutine-leaks: which goroutines can never run again, and what they hold. */
#include "command/cluster_retained.h"
#include "command/command.h"
#include "command/leak_cycles.h"
#include "command/leak_rows.h"
#include "go/clock.h"

#include <inttypes.h>

SW_VECTOR(uint32_t, goroutine_numbers);

struct search {
	struct sw_session *session;
	const struct sw_arguments *arguments;
	struct sw_report *report;
	struct sw_wait_view view;
	struct sw_go_leaks leaks;
	struct goroutine_numbers leaked, suspects;
	struct sw_leak_table tables[2]; /* leaked, suspects */
	struct sw_wakers wakers;
	struct sw_wait_cycles cycles;
	uint64_t *in_cycle; /* bits by goroutine */
	struct sw_warnings warnings;
};

/* ---- which ---- */

static const struct sw_warning *find_incomplete(const struct sw_warnings *warnings)
{
	for (size_t i = 0; i < warnings->count; i++)
		if (warnings->items[i].incomplete)
			return &warnings->items[i];
	return NULL;
}

/* What is missing might refer to what they wait for: then nothing is proven. */
static const struct sw_warning *find_gap(const struct search *search)
{
	const struct sw_warning *gap =
		find_incomplete(&sw_session_target(search->session)->warnings);
	return gap ? gap : find_incomplete(search->view.live.go->warnings);
}

static bool has_waited(const struct search *search, const struct sw_goroutine *g)
{
	uint64_t least = sw_arguments_duration(search->arguments, "wait-min");
	int64_t waiting = sw_go_waiting_ns(g, search->view.goroutines.now);
	return !least || (waiting >= 0 && (uint64_t)waiting >= least);
}

/* The goroutine of main.main often waits for the end, and the runtime's own for work. */
static bool may_be_suspect(const struct search *search, uint32_t goroutine)
{
	const struct sw_go *go = search->view.live.go;
	return go->waits->list.items[goroutine].kind != SW_GO_WAIT_OTHER &&
	       go->goroutines.items[goroutine].goid != 1 &&
	       !search->view.goroutines.stacks->is_system[goroutine];
}

static struct sw_error *choose(struct search *search)
{
	const struct sw_go *go = search->view.live.go;
	const struct sw_warning *gap = find_gap(search);
	struct sw_error *error = NULL;

	for (uint32_t i = 0; !error && i < go->goroutines.count; i++) {
		if (search->leaks.is_leaked[i] && !gap)
			error = goroutine_numbers_add(&search->leaked, i);
		else if (search->leaks.is_leaked[i] ||
			 (may_be_suspect(search, i) &&
			  has_waited(search, &go->goroutines.items[i])))
			error = goroutine_numbers_add(&search->suspects, i);
	}
	if (gap && search->leaks.leaked)
		sw_warn(&search->warnings, true, "unproven_leaks", gap->message,
			"%" PRIu64 " goroutines seem to be leaked, but what is missing might refer "
			"to what they wait for: they are listed as suspects",
			search->leaks.leaked);
	if (search->leaks.unknown)
		sw_warn(&search->warnings, true, "unknown_waits", NULL,
			"what %" PRIu64 " goroutines wait for cannot be told; they are taken for "
			"goroutines that can run",
			search->leaks.unknown);
	return error;
}

/* Places where so many wait are worth a look however short they wait. */
static struct sw_error *add_crowds(struct search *search)
{
	const struct sw_go *go = search->view.live.go;
	uint64_t least = sw_arguments_number(search->arguments, "cluster-min");
	struct goroutine_numbers all = {0};
	struct sw_goroutine_clusters clusters = {0};
	struct sw_error *error = NULL;

	if (!least || find_gap(search))
		return NULL;
	for (uint32_t i = 0; !error && i < go->goroutines.count; i++)
		if (!search->leaks.is_leaked[i] && may_be_suspect(search, i) &&
		    !has_waited(search, &go->goroutines.items[i]))
			error = goroutine_numbers_add(&all, i);
	if (!error && all.count >= least)
		error = sw_goroutine_clusters_build(&search->view.goroutines, all.items, all.count,
						    &clusters);
	for (size_t i = 0; !error && i < clusters.count && clusters.items[i].count >= least; i++)
		for (size_t k = 0; !error && k < clusters.items[i].count; k++)
			error = goroutine_numbers_add(&search->suspects,
						      clusters.items[i].members[k]);
	sw_goroutine_clusters_free(&clusters);
	goroutine_numbers_free(&all);
	return error;
}

/* ---- tables ---- */

static int by_memory(const void *a, const void *b)
{
	const struct sw_goroutine_cluster *x = a, *y = b;
	uint64_t p = x->retained_bytes + x->stack_bytes, q = y->retained_bytes + y->stack_bytes;
	if (p != q)
		return p < q ? 1 : -1;
	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return (x->fingerprint > y->fingerprint) - (x->fingerprint < y->fingerprint);
}

static struct sw_error *build_clusters(struct search *search)
{
	const struct sw_goroutine_view *view = &search->view.goroutines;
	struct sw_goroutine_clusters *lists[] = {&search->tables[0].clusters,
						 &search->tables[1].clusters};
	struct sw_error *error = sw_goroutine_clusters_build(view, search->leaked.items,
							     search->leaked.count, lists[0]);
	if (!error)
		error = sw_goroutine_clusters_build(view, search->suspects.items,
						    search->suspects.count, lists[1]);
	if (!error)
		error = sw_clusters_retain(search->session, lists, 2);
	for (size_t i = 0; !error && i < 2; i++)
		if (lists[i]->count)
			qsort(lists[i]->items, lists[i]->count, sizeof(*lists[i]->items),
			      by_memory);
	return error;
}

static struct sw_error *find_wakers(struct search *search)
{
	struct goroutine_numbers all = {0};
	struct sw_error *error =
		goroutine_numbers_grow(&all, search->leaked.count + search->suspects.count);
	for (size_t i = 0; !error && i < search->leaked.count; i++)
		error = goroutine_numbers_add(&all, search->leaked.items[i]);
	for (size_t i = 0; !error && i < search->suspects.count; i++)
		error = goroutine_numbers_add(&all, search->suspects.items[i]);
	if (!error)
		error = sw_wakers_build(&search->view, all.items, all.count, &search->wakers);
	goroutine_numbers_free(&all);
	return error;
}

static struct sw_error *find_cycles(struct search *search)
{
	size_t count = search->view.live.go->goroutines.count;
	search->in_cycle = calloc(sw_bitset_words(count + 1), sizeof(*search->in_cycle));
	if (!search->in_cycle)
		return sw_error_memory();
	struct sw_error *error = sw_wakers_cycles(&search->wakers, search->leaked.items,
						  search->leaked.count, &search->cycles);
	for (size_t i = 0; !error && i < search->cycles.count; i++)
		for (uint32_t k = 0; k < search->cycles.items[i].count; k++)
			sw_bitset_set(search->in_cycle, search->cycles.items[i].goroutines[k]);
	search->tables[0].in_cycle = search->in_cycle;
	return error;
}

/* Rows, and their lines in place of columns. */
static struct sw_error *report_table(struct search *search, const char *name,
				     const struct sw_leak_table *table)
{
	uint64_t limit = sw_arguments_limit(search->arguments);
	size_t count = table->clusters.count, size, shown = count > limit ? (size_t)limit : count;
	char *text = NULL;
	FILE *lines = open_memstream(&text, &size);

	if (!lines)
		return sw_error_memory();
	sw_report_table(search->report, name, NULL);
	fprintf(lines, "%s:\n", name);
	for (size_t i = 0; i < shown; i++) {
		sw_report_row(search->report, name, sw_leak_row(&search->wakers, table, i));
		sw_leak_lines(&search->wakers, table, i, lines);
	}
	fclose(lines);
	if (shown)
		sw_report_listing(search->report, name, text);
	sw_report_omitted(search->report, name, count, shown);
	free(text);
	return NULL;
}

/* ---- summary ---- */

static double share(const struct search *search)
{
	uint64_t live = search->view.live.heap->object_bytes;
	return live ? (double)search->leaks.retained_bytes / (double)live : 0;
}

static uint64_t stack_bytes(const struct search *search)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < search->leaked.count; i++) {
		const struct sw_goroutine *g =
			&search->view.live.go->goroutines.items[search->leaked.items[i]];
		sum += g->stack_hi - g->stack_lo;
	}
	return sum;
}

static void add_summary(struct search *search)
{
	const struct sw_go_waits *waits = search->view.live.go->waits;
	uint64_t waiting = 0;

	for (size_t i = 0; i < waits->list.count; i++)
		waiting += waits->list.items[i].kind != SW_GO_WAIT_OTHER;
	sw_report_count(search->report, "leaked_goroutines", search->leaked.count);
	sw_report_count(search->report, "leaked_clusters", search->tables[0].clusters.count);
	sw_report_count(search->report, "suspect_goroutines", search->suspects.count);
	sw_report_count(search->report, "suspect_clusters", search->tables[1].clusters.count);
	sw_report_count(search->report, "blocked_goroutines", waiting);
	sw_report_count(search->report, "unknown_goroutines", search->leaks.unknown);
	sw_report_summary(search->report, "retained_bytes",
			  sw_json_bytes(search->leaked.count ? search->leaks.retained_bytes : 0));
	sw_report_summary(search->report, "stack_bytes", sw_json_bytes(stack_bytes(search)));
}

static void add_sentences(struct search *search)
{
	size_t leaked = search->leaked.count, suspects = search->suspects.count;
	if (!leaked) /* not proven */
		suspects -= search->leaks.leaked;
	char count[32], heap[16], stacks[16];

	if (leaked)
		sw_report_sentence(search->report,
				   "%s goroutine%s can never run again; %s %s, %.1f %% of the live "
				   "heap, and %s of stacks.",
				   sw_text_count(leaked, count), leaked == 1 ? "" : "s",
				   leaked == 1 ? "it retains" : "they retain",
				   sw_text_bytes(search->leaks.retained_bytes, heap),
				   100 * share(search), sw_text_bytes(stack_bytes(search), stacks));
	else if (search->leaks.leaked)
		sw_report_sentence(search->report,
				   "%s goroutine%s to be leaked, but parts of the target are "
				   "missing: nothing is proven.",
				   sw_text_count(search->leaks.leaked, count),
				   search->leaks.leaked == 1 ? " seems" : "s seem");
	else
		sw_report_sentence(search->report,
				   "No goroutine is leaked: whatever one waits for, somebody who "
				   "runs can reach it.");
	if (suspects)
		sw_report_sentence(search->report,
				   "%s goroutine%s can still be woken but %s been waiting for long "
				   "or in a crowd: suspects.",
				   sw_text_count(suspects, count), suspects == 1 ? "" : "s",
				   suspects == 1 ? "has" : "have");
}

static void add_finding(struct search *search, enum sw_grade grade, const char *code,
			const struct sw_leak_table *table, size_t index)
{
	const struct sw_goroutine_cluster *cluster = &table->clusters.items[index];
	struct sw_leak_pattern pattern;
	uint32_t call = sw_goroutine_own_place(&search->view.goroutines, cluster->members[0]);
	char *place =
		call == UINT32_MAX ? NULL : sw_goroutine_place_text(&search->view.goroutines, call);
	char message[1024], next[64], bytes[16];

	sw_leak_row_pattern(&search->wakers, table, index, &pattern);
	snprintf(message, sizeof(message), "%zu goroutine%s at %s: %s; %s beside their stacks",
		 cluster->count, cluster->count == 1 ? "" : "s", place ? place : "?", pattern.name,
		 sw_text_bytes(cluster->retained_bytes, bytes));
	snprintf(next, sizeof(next), "stack %" PRIu64,
		 search->view.live.go->goroutines.items[cluster->members[0]].goid);
	json_t *evidence = json_object();
	json_object_set_new(evidence, "goroutines", json_integer((json_int_t)cluster->count));
	json_object_set_new(evidence, "retained_bytes", sw_json_bytes(cluster->retained_bytes));
	json_object_set_new(evidence, "stack_bytes", sw_json_bytes(cluster->stack_bytes));
	sw_report_finding(search->report, grade, code, message, evidence, next);
	free(place);
}

enum { FINDINGS = 5 }; /* of each table */

static void add_findings(struct search *search)
{
	enum sw_grade grade = share(search) > 0.25 ? SW_GRADE_P0 : SW_GRADE_P1;

	for (size_t i = 0; i < search->tables[0].clusters.count && i < FINDINGS; i++)
		add_finding(search, grade, "goroutine_leak", &search->tables[0], i);
	for (size_t i = 0; i < search->tables[1].clusters.count && i < FINDINGS; i++)
		add_finding(search, SW_GRADE_P3, "goroutine_suspect", &search->tables[1], i);
}

static void add_next(struct search *search)
{
	for (size_t i = 0; i < 2; i++) {
		const struct sw_goroutine_clusters *clusters = &search->tables[i].clusters;
		struct sw_blocked_on on;
		if (!clusters->count)
			continue;
		uint32_t first = clusters->items[0].members[0];
		sw_report_next(search->report, "stack %" PRIu64,
			       search->view.live.go->goroutines.items[first].goid);
		sw_blocked_on_find(&search->view, first, &on);
		if (on.address &&
		    sw_heap_object(search->view.live.heap, on.address) != SW_NO_OBJECT)
			sw_report_next(search->report, "who-holds 0x%" PRIx64, on.address);
		return;
	}
}

/* ---- the whole ---- */

/* What it takes to show goroutines; nothing of that where there are none. */
static struct sw_error *build_tables(struct search *search)
{
	struct sw_error *error = NULL;
	if (search->leaked.count || search->suspects.count) {
		error = sw_session_live_graph(search->session, &search->view.live);
		if (!error)
			error = build_clusters(search);
		if (!error)
			error = find_wakers(search);
		if (!error)
			error = find_cycles(search);
	}
	if (!error)
		error = report_table(search, "leaked", &search->tables[0]);
	if (!error)
		error = sw_leak_cycles_report(&search->wakers, &search->cycles,
					      sw_arguments_limit(search->arguments),
					      search->report);
	if (!error)
		error = report_table(search, "suspects", &search->tables[1]);
	return error;
}

static struct sw_error *find(struct search *search)
{
	struct sw_live *live = &search->view.live;
	struct sw_error *error = sw_session_heap(search->session, &live->heap);
	if (!error)
		error = sw_session_go(search->session, &live->go);
	if (!error)
		error = sw_go_find_leaks(live->go, live->heap, search->view.work, &search->leaks);
	search->tables[0].is_leaked = search->tables[1].is_leaked = search->leaks.is_leaked;
	if (!error)
		error = sw_goroutine_view_init(&search->view.goroutines, search->session);
	if (!error)
		error = choose(search);
	return error ? error : add_crowds(search);
}

static void search_free(struct search *search)
{
	sw_go_leaks_free(&search->leaks);
	goroutine_numbers_free(&search->leaked);
	goroutine_numbers_free(&search->suspects);
	for (size_t i = 0; i < 2; i++)
		sw_goroutine_clusters_free(&search->tables[i].clusters);
	sw_wait_cycles_free_all(&search->cycles);
	sw_wakers_free(&search->wakers);
	sw_goroutine_view_free(&search->view.goroutines);
	free(search->in_cycle);
	sw_warnings_clear(&search->warnings);
}

static struct sw_error *run(struct sw_session *session, const struct sw_arguments *arguments,
			    struct sw_report *report)
{
	struct search search = {.session = session,
				.arguments = arguments,
				.report = report,
				.view = {.work = sw_session_work(session)},
				.tables = {{.is_proven = true}}};
	struct sw_error *error = find(&search);
	if (!error)
		error = build_tables(&search);
	if (!error) {
		add_sentences(&search);
		add_summary(&search);
		add_findings(&search);
		add_next(&search);
		sw_report_warnings(report, &search.warnings);
	}
	search_free(&search);
	return error;
}

static const struct sw_option options[] = {
	{"wait-min", SW_OPTION_DURATION, "DURATION", NULL, "10m",
	 "goroutines that can be woken are suspects when they have been waiting so long"},
	{"cluster-min", SW_OPTION_NUMBER, "N", NULL, "10000",
	 "or when so many wait at one place; 0: however many"},
	{0},
};

const struct sw_command sw_command_goroutine_leaks = {
	.name = "goroutine-leaks",
	.usage = "",
	.summary = "which goroutines can never run again, and what they hold",
	.help = "A goroutine that waits for a channel, a lock, a WaitGroup or a Cond is leaked when "
		"only goroutines that are leaked themselves can reach what it waits for: whatever "
		"the program does from here on, nothing can wake it. `leaked` has those, proven, by "
		"stack: the mistake behind them where the evidence tells, what they are blocked on, "
		"who else refers to it, and the memory that would be free without them. It is the "
		"search of Go 1.27's own goroutineleak profile, for every release, and it finds "
		"goroutines that one cannot see, as those of `go func() { c <- v }()`.\n\n"
		"`cycles` has goroutines that wait for each other, or for a lock that they hold "
		"themselves. `suspects` can still be woken, but have been waiting for long; how "
		"long is known from the first collection on that has seen them wait.\n\n"
		"Where parts of the target are missing nothing is proven, and all are suspects.",
	.example = "spanwalk goroutine-leaks app.core --wait-min 5m",
	.options = options,
	.run = run,
};
