/* goroutines: what all goroutines do, by stack. */
#include "command/cluster_retained.h"
#include "command/command.h"
#include "command/goroutine_rows.h"
#include "go/clock.h"
#include "go/labels.h"
#include "go/wait.h"
#include "go/wait_reason.h"

#include <inttypes.h>
#include <stdio.h>

/* The options that choose; NULL, 0 or false: any. */
struct filter {
	const char *state, *function, *creator, *label;
	uint64_t wait_min; /* ns */
	bool with_system;
};

struct listing {
	const struct sw_arguments *arguments;
	struct filter filter;
	struct sw_session *session;
	struct sw_report *report;
	struct sw_goroutine_view view;
	uint32_t *chosen; /* goroutines that fit */
	size_t chosen_count, user_count, system_count;
	struct sw_goroutine_clusters clusters;
	uint64_t *retained; /* [go->goroutines.count]; NULL: not asked for */
};

static bool is_asked(const struct listing *listing, const char *option, const char *value)
{
	const char *text = sw_arguments_text(listing->arguments, option);
	return text && !strcmp(text, value);
}

/* ---- which goroutines ---- */

static struct filter read_filter(const struct sw_arguments *arguments)
{
	return (struct filter){
		.state = sw_arguments_text(arguments, "state"),
		.function = sw_arguments_text(arguments, "function"),
		.creator = sw_arguments_text(arguments, "created-by"),
		.label = sw_arguments_text(arguments, "label"),
		.wait_min = sw_arguments_duration(arguments, "wait-min"),
		.with_system = sw_arguments_flag(arguments, "system"),
	};
}

static bool fits_state(const struct listing *listing, const struct sw_goroutine *g)
{
	const char *state = listing->filter.state;
	const char *reason = sw_go_wait_text(listing->view.go, g);

	return !state || !strcmp(state, sw_go_status_word(g->status)) ||
	       (reason && !strcmp(state, reason));
}

static bool fits_wait(const struct listing *listing, const struct sw_goroutine *g)
{
	uint64_t least = listing->filter.wait_min;
	int64_t waiting = sw_go_waiting_ns(g, listing->view.now);

	return !least || (waiting >= 0 && (uint64_t)waiting >= least);
}

/* A call by the name that is shown, or with its type arguments. */
static bool is_call_named(const struct sw_go_stacks *stacks, uint32_t call, const char *part)
{
	return strstr(stacks->names[call], part) || strstr(stacks->calls[call].function, part);
}

static bool fits_function(const struct listing *listing, uint32_t goroutine)
{
	const char *part = listing->filter.function;
	const struct sw_go_stacks *stacks = listing->view.stacks;
	struct sw_go_stack_range range = stacks->stacks[stacks->stack_of[goroutine]];

	for (uint32_t i = 0; part && i < range.count; i++)
		if (is_call_named(stacks, stacks->frames[range.begin + i], part))
			return true;
	return !part;
}

static bool fits_creator(const struct listing *listing, uint32_t goroutine)
{
	const char *part = listing->filter.creator;
	uint32_t call = listing->view.stacks->created_by[goroutine];

	return !part || (call != UINT32_MAX && is_call_named(listing->view.stacks, call, part));
}

static bool is_text(const char *bytes, size_t size, const char *text, size_t text_size)
{
	return size == text_size && !memcmp(bytes, text, size);
}

static bool fits_label(const struct listing *listing, const struct sw_goroutine *g)
{
	const char *wanted = listing->filter.label;
	struct sw_go_label_list labels = {0};
	bool is_known, fits = !wanted;

	if (!wanted || !g->labels)
		return fits;
	size_t key = strcspn(wanted, "=");
	const char *value = wanted[key] ? wanted + key + 1 : NULL; /* NULL: whatever it is */
	sw_error_free(sw_go_labels(listing->view.go, g, &labels, &is_known));
	for (size_t i = 0; i < labels.count; i++) {
		const struct sw_go_label *label = &labels.items[i];
		fits |= is_text(label->key, label->key_size, wanted, key) &&
			(!value || is_text(label->value, label->value_size, value, strlen(value)));
	}
	sw_go_label_list_free(&labels);
	return fits;
}

static struct sw_error *choose(struct listing *listing)
{
	const struct sw_go_stacks *stacks = listing->view.stacks;

	listing->chosen = calloc(stacks->goroutine_count + 1, sizeof(*listing->chosen));
	if (!listing->chosen)
		return sw_error_memory();
	for (uint32_t i = 0; i < stacks->goroutine_count; i++) {
		const struct sw_goroutine *g = &listing->view.go->goroutines.items[i];
		listing->system_count += stacks->is_system[i];
		listing->user_count += !stacks->is_system[i];
		if ((listing->filter.with_system || !stacks->is_system[i]) &&
		    fits_state(listing, g) && fits_wait(listing, g) && fits_function(listing, i) &&
		    fits_creator(listing, i) && fits_label(listing, g))
			listing->chosen[listing->chosen_count++] = i;
	}
	return NULL;
}

/* ---- what they retain ---- */

/* What each goroutine retains, and what each cluster does. */
static struct sw_error *retain(struct listing *listing)
{
	const struct sw_go *go = listing->view.go;
	struct sw_graph *graph;
	struct sw_dominators *dominators;
	struct sw_goroutine_clusters *const lists[] = {&listing->clusters};
	struct sw_error *error = sw_session_dominators(listing->session, &dominators);
	if (!error)
		error = sw_session_graph(listing->session, &graph);
	if (error)
		return error;
	listing->retained = calloc(go->goroutines.count + 1, sizeof(*listing->retained));
	if (!listing->retained)
		return sw_error_memory();
	for (size_t i = 0; i < go->waits->list.count; i++) {
		uint32_t root = go->waits->list.items[i].root;
		if (root < graph->root_count)
			listing->retained[i] =
				dominators->retained_bytes[graph->object_count + root];
	}
	listing->view.retained = listing->retained;
	return sw_clusters_retain(listing->session, lists, 1);
}

/* ---- order ---- */

static int by_waiting(const void *a, const void *b)
{
	const struct sw_goroutine_cluster *x = a, *y = b;
	if (x->waiting_ns != y->waiting_ns)
		return x->waiting_ns < y->waiting_ns ? 1 : -1;
	return sw_goroutine_clusters_order(a, b);
}

static int by_retained(const void *a, const void *b)
{
	const struct sw_goroutine_cluster *x = a, *y = b;
	if (x->retained_bytes != y->retained_bytes)
		return x->retained_bytes < y->retained_bytes ? 1 : -1;
	return sw_goroutine_clusters_order(a, b);
}

/* Goroutines as the clusters are sorted: by goid where those are sorted by their size. */
static int goroutine_order(const void *a, const void *b, void *context)
{
	const struct listing *listing = context;
	const struct sw_goroutine *x = &listing->view.go->goroutines.items[*(const uint32_t *)a];
	const struct sw_goroutine *y = &listing->view.go->goroutines.items[*(const uint32_t *)b];
	int64_t p = 0, q = 0;

	if (is_asked(listing, "sort", "wait")) {
		p = sw_go_waiting_ns(x, listing->view.now);
		q = sw_go_waiting_ns(y, listing->view.now);
	} else if (is_asked(listing, "sort", "retained")) {
		p = (int64_t)listing->retained[*(const uint32_t *)a];
		q = (int64_t)listing->retained[*(const uint32_t *)b];
	}
	if (p != q)
		return p < q ? 1 : -1;
	return (x->goid > y->goid) - (x->goid < y->goid);
}

static void sort(struct listing *listing)
{
	struct sw_goroutine_clusters *clusters = &listing->clusters;

	if (clusters->count && is_asked(listing, "sort", "wait"))
		qsort(clusters->items, clusters->count, sizeof(*clusters->items), by_waiting);
	if (clusters->count && is_asked(listing, "sort", "retained"))
		qsort(clusters->items, clusters->count, sizeof(*clusters->items), by_retained);
	if (listing->chosen_count && sw_arguments_flag(listing->arguments, "list"))
		qsort_r(listing->chosen, listing->chosen_count, sizeof(*listing->chosen),
			goroutine_order, listing);
}

/* ---- the report ---- */

static void add_summary(struct listing *listing)
{
	static const uint32_t always[] = {SW_GO_RUNNING, SW_GO_RUNNABLE, SW_GO_WAITING,
					  SW_GO_SYSCALL};
	static const uint32_t seldom[] = {SW_GO_PREEMPTED, SW_GO_COPYSTACK, SW_GO_LEAKED};
	uint64_t by_status[SW_GO_DEAD_EXTRA + 1] = {0}, stack_bytes = 0;

	for (size_t i = 0; i < listing->chosen_count; i++) {
		const struct sw_goroutine *g =
			&listing->view.go->goroutines.items[listing->chosen[i]];
		by_status[g->status <= SW_GO_DEAD_EXTRA ? g->status : SW_GO_DEAD]++;
		stack_bytes += g->stack_hi - g->stack_lo;
	}
	sw_report_count(listing->report, "goroutines", listing->user_count);
	sw_report_count(listing->report, "system_goroutines", listing->system_count);
	sw_report_count(listing->report, "shown_goroutines", listing->chosen_count);
	sw_report_count(listing->report, "clusters", listing->clusters.count);
	for (size_t i = 0; i < sizeof(always) / sizeof(*always); i++)
		sw_report_count(listing->report, sw_go_status_word(always[i]),
				by_status[always[i]]);
	for (size_t i = 0; i < sizeof(seldom) / sizeof(*seldom); i++)
		if (by_status[seldom[i]])
			sw_report_count(listing->report, sw_go_status_word(seldom[i]),
					by_status[seldom[i]]);
	sw_report_summary(listing->report, "stack_bytes", sw_json_bytes(stack_bytes));
}

/* "wait in chan receive", "is runnable". */
static char *what_they_do(const struct sw_goroutine_cluster *cluster)
{
	bool is_one = cluster->count == 1;
	char *text = NULL;
	int length;

	if (cluster->status == SW_GO_WAITING)
		length = asprintf(&text, "%s%s%s", is_one ? "waits" : "wait",
				  cluster->wait_reason ? " in " : "",
				  cluster->wait_reason ? cluster->wait_reason : "");
	else
		length = asprintf(&text, "%s %s", is_one ? "is" : "are",
				  cluster->status == SW_GO_SYSCALL
					  ? "in a system call"
					  : sw_go_status_word(cluster->status));
	return length < 0 ? NULL : text;
}

/* "; 5,000 of them wait in chan receive at main.worker (main.go:42), created by main.serve". */
static char *tell_cluster(const struct listing *listing, const struct sw_goroutine_cluster *cluster)
{
	const struct sw_goroutine_view *view = &listing->view;
	uint32_t call = sw_goroutine_own_place(view, cluster->members[0]);
	uint32_t creator = view->stacks->created_by[cluster->members[0]];
	char *what = what_they_do(cluster);
	char *place = call == UINT32_MAX ? NULL : sw_goroutine_place_text(view, call);
	char count[32], *text = NULL;

	if (asprintf(&text, "; %s of them %s%s%s%s%s", sw_text_count(cluster->count, count),
		     what ? what : "?", place ? " at " : "", place ? place : "",
		     creator == UINT32_MAX ? "" : ", created by ",
		     creator == UINT32_MAX ? "" : view->stacks->names[creator]) < 0)
		text = NULL;
	free(what);
	free(place);
	return text;
}

static void add_sentences(struct listing *listing)
{
	bool with_system = listing->filter.with_system;
	size_t all = listing->user_count + (with_system ? listing->system_count : 0);
	char shown[32], whole[32], clusters[32], system[32];
	char *first =
		listing->clusters.count ? tell_cluster(listing, listing->clusters.items) : NULL;

	sw_text_count(listing->chosen_count, shown);
	sw_text_count(all, whole);
	sw_text_count(listing->clusters.count, clusters);
	if (!listing->chosen_count)
		sw_report_sentence(listing->report, "None of %s goroutines fits.", whole);
	else
		sw_report_sentence(listing->report, "%s%s%s goroutine%s%s in %s cluster%s%s.",
				   shown, listing->chosen_count < all ? " of " : "",
				   listing->chosen_count < all ? whole : "", all == 1 ? "" : "s",
				   listing->chosen_count < all ? " fit," : "", clusters,
				   listing->clusters.count == 1 ? "" : "s", first ? first : "");
	if (!with_system && listing->system_count)
		sw_report_sentence(listing->report,
				   "%s goroutine%s of the runtime's own %s left out; --system "
				   "shows them.",
				   sw_text_count(listing->system_count, system),
				   listing->system_count == 1 ? "" : "s",
				   listing->system_count == 1 ? "is" : "are");
	free(first);
}

static void add_clusters(struct listing *listing)
{
	uint64_t limit = sw_arguments_limit(listing->arguments);
	size_t count = listing->clusters.count;

	sw_report_table(listing->report, "clusters",
			listing->retained ? "count state wait_reason wait_seconds retained_bytes "
					    "stack_bytes fingerprint " SW_GOROUTINE_CLUSTER_DETAILS
					  : "count state wait_reason wait_seconds stack_bytes "
					    "fingerprint " SW_GOROUTINE_CLUSTER_DETAILS);
	for (size_t i = 0; i < count && i < limit; i++)
		sw_report_row(
			listing->report, "clusters",
			sw_goroutine_cluster_row(&listing->view, &listing->clusters.items[i]));
	sw_report_omitted(listing->report, "clusters", count, limit);
}

static void add_list(struct listing *listing)
{
	uint64_t limit = sw_arguments_limit(listing->arguments);
	size_t count = listing->chosen_count;

	sw_report_table(listing->report, "goroutines",
			listing->retained ? "goid state wait_reason wait_seconds retained_bytes "
					    "stack_bytes function created_by labels"
					  : "goid state wait_reason wait_seconds stack_bytes "
					    "function created_by labels");
	for (size_t i = 0; i < count && i < limit; i++)
		sw_report_row(listing->report, "goroutines",
			      sw_goroutine_row(&listing->view, listing->chosen[i]));
	sw_report_omitted(listing->report, "goroutines", count, limit);
}

static void add_report(struct listing *listing)
{
	add_sentences(listing);
	add_summary(listing);
	if (sw_arguments_flag(listing->arguments, "list"))
		add_list(listing);
	else
		add_clusters(listing);
	if (listing->clusters.count)
		sw_report_next(
			listing->report, "stack %" PRIu64,
			listing->view.go->goroutines.items[listing->clusters.items[0].members[0]]
				.goid);
	sw_report_next(listing->report, "goroutine-leaks");
}

static struct sw_error *list(struct listing *listing)
{
	bool retains = sw_arguments_flag(listing->arguments, "retained") ||
		       is_asked(listing, "sort", "retained");
	struct sw_error *error = choose(listing);

	if (!error)
		error = sw_goroutine_clusters_build(&listing->view, listing->chosen,
						    listing->chosen_count, &listing->clusters);
	if (!error && retains)
		error = retain(listing);
	if (error)
		return error;
	sort(listing);
	add_report(listing);
	return NULL;
}

static struct sw_error *run(struct sw_session *session, const struct sw_arguments *arguments,
			    struct sw_report *report)
{
	struct listing listing = {.arguments = arguments, .session = session, .report = report};
	struct sw_error *error = sw_goroutine_view_init(&listing.view, session);
	if (error)
		return error;
	listing.view.depth = sw_arguments_number(arguments, "depth");
	listing.filter = read_filter(arguments);
	error = list(&listing);
	sw_goroutine_clusters_free(&listing.clusters);
	sw_goroutine_view_free(&listing.view);
	free(listing.chosen);
	free(listing.retained);
	return error;
}

static const struct sw_option options[] = {
	{"depth", SW_OPTION_NUMBER, "N", NULL, "0",
	 "how many frames from the innermost one make a cluster; 0: all"},
	{"sort", SW_OPTION_CHOICE, "count|retained|wait", "count|retained|wait", "count",
	 "most goroutines first, most retained memory, or longest wait"},
	{"retained", SW_OPTION_FLAG, NULL, NULL, NULL,
	 "also what they retain, each and by cluster; needs the whole heap"},
	{"state", SW_OPTION_TEXT, "STATE", NULL, NULL,
	 "only those in a state (running, waiting, …) or wait reason (\"chan receive\")"},
	{"function", SW_OPTION_TEXT, "TEXT", NULL, NULL,
	 "only those with a function that contains this in their stack"},
	{"created-by", SW_OPTION_TEXT, "TEXT", NULL, NULL,
	 "only those that a function that contains this has started"},
	{"wait-min", SW_OPTION_DURATION, "DURATION", NULL, NULL,
	 "only those that have waited at least so long: 90s, 5m, 1h30m"},
	{"label", SW_OPTION_TEXT, "KEY[=VALUE]", NULL, NULL,
	 "only those with this label of runtime/pprof"},
	{"system", SW_OPTION_FLAG, NULL, NULL, NULL, "the runtime's own goroutines too"},
	{"list", SW_OPTION_FLAG, NULL, NULL, NULL,
	 "a row for each goroutine, not for each cluster"},
	{0},
};

const struct sw_command sw_command_goroutines = {
	.name = "goroutines",
	.usage = "",
	.summary = "what all goroutines do: clusters by stack, with states, ages, creators",
	.help = "Goroutines whose stacks show the same calls, that do the same and that the same "
		"line started are one row. What a stack shows is what Go's own tracebacks do: the "
		"runtime's functions and the compiler's wrappers are left out, inlined calls are "
		"there.\n\n"
		"The fingerprint of a cluster stands for functions and lines alone: it is the same "
		"in another run, another build of the same source (stripped or not, any "
		"processor), so clusters can be compared.\n\n"
		"How long a goroutine waits is known from the first collection on that saw it "
		"waiting: the time is a lower bound, and `-` means that no collection has come by "
		"yet. In a core the moment it was taken is not stored either; the last moment that "
		"the runtime wrote down stands for it.\n\n"
		"With --retained: the memory that would be free without the goroutine (or, for a "
		"row, without all of the cluster), beside its stack.",
	.example = "spanwalk goroutines app.core --state waiting --wait-min 5m",
	.options = options,
	.run = run,
};
