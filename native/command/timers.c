/* timers: what the program's timers and tickers do, what they hold, and which of them nobody can
 * notice any more. */
#include "command/timers_rows.h"
#include "go/clock.h"

#include <inttypes.h>

enum {
	FINDINGS = 5,	     /* of a kind */
	MANY = 1000,	     /* timers that do the same */
	FAR_BYTES = 1 << 20, /* that timers hold for longer than a day */
};
#define FAR_NS ((int64_t)86400 * 1000000000)

struct timers_report {
	struct sw_live live;
	const struct sw_arguments *arguments;
	struct sw_report *report;
	struct sw_timers timers;
	struct sw_timer_clusters clusters;
	struct sw_timer_rows rows;
	struct sw_warnings warnings;
};

/* ---- summary ---- */

struct totals {
	uint64_t state[SW_GO_TIMER_STATES], kind[SW_TIMER_KINDS];
	uint64_t abandoned_tickers, abandoned_timers;
	double wakeups; /* a second, by abandoned tickers */
};

static struct totals count(const struct timers_report *all)
{
	struct totals totals = {0};
	for (size_t i = 0; i < all->timers.count; i++) {
		const struct sw_timer *timer = &all->timers.items[i];
		bool is_ticker = timer->kind == SW_TIMER_TICKER;
		totals.state[timer->timer.state]++;
		totals.kind[timer->kind]++;
		if (!timer->is_abandoned)
			continue;
		totals.abandoned_tickers += is_ticker;
		totals.abandoned_timers += !is_ticker;
		if (is_ticker)
			totals.wakeups += 1e9 / (double)timer->timer.period;
	}
	return totals;
}

static uint64_t retained(const struct timers_report *all, bool only_abandoned, bool tickers)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < all->clusters.count; i++) {
		const struct sw_timer_cluster *cluster = &all->clusters.items[i];
		const struct sw_timer *first = &all->timers.items[cluster->members[0]];
		if (!only_abandoned ||
		    (first->is_abandoned && (first->kind == SW_TIMER_TICKER) == tickers))
			sum += cluster->retained.bytes;
	}
	return sum;
}

static void add_summary(struct timers_report *all, const struct totals *totals)
{
	sw_report_count(all->report, "timers", all->timers.count);
	sw_report_count(all->report, "waiting_timers", totals->state[SW_GO_TIMER_WAITING]);
	sw_report_count(all->report, "unwatched_timers", totals->state[SW_GO_TIMER_UNWATCHED]);
	sw_report_count(all->report, "stopped_timers", totals->state[SW_GO_TIMER_STOPPED]);
	sw_report_count(all->report, "tickers", totals->kind[SW_TIMER_TICKER]);
	sw_report_count(all->report, "abandoned_tickers", totals->abandoned_tickers);
	sw_report_count(all->report, "abandoned_timers", totals->abandoned_timers);
	sw_report_count(all->report, "clusters", all->clusters.count);
	sw_report_summary(all->report, "retained_bytes",
			  sw_json_bytes(retained(all, false, false)));
	sw_report_summary(all->report, "abandoned_bytes",
			  sw_json_bytes(retained(all, true, true) + retained(all, true, false)));
	sw_report_summary_keys(all->report, "tickers unwatched_timers stopped_timers");
}

/* ---- words ---- */

static void tell_of_abandoned(struct timers_report *all, const struct totals *totals)
{
	char number[32], bytes[16];

	if (totals->abandoned_tickers)
		sw_report_sentence(
			all->report,
			"%s %s never stopped, and nobody can read or stop %s any more: %s a "
			"thread %.3g times a second and %s %s.",
			sw_text_count(totals->abandoned_tickers, number),
			sw_text_plural(totals->abandoned_tickers, "ticker was", "tickers were"),
			sw_text_plural(totals->abandoned_tickers, "it", "them"),
			sw_text_plural(totals->abandoned_tickers, "it wakes", "they wake"),
			totals->wakeups,
			sw_text_plural(totals->abandoned_tickers, "retains", "retain"),
			sw_text_bytes(retained(all, true, true), bytes));
	if (totals->abandoned_timers)
		sw_report_sentence(
			all->report,
			"%s %s to send to %s that nobody can read any more; until then "
			"%s %s.",
			sw_text_count(totals->abandoned_timers, number),
			sw_text_plural(totals->abandoned_timers, "timer waits", "timers wait"),
			sw_text_plural(totals->abandoned_timers, "a channel", "channels"),
			sw_text_plural(totals->abandoned_timers, "it retains", "they retain"),
			sw_text_bytes(retained(all, true, false), bytes));
}

static void add_sentences(struct timers_report *all, const struct totals *totals)
{
	char number[32], waiting[32], bytes[16];

	if (!all->timers.count) {
		sw_report_sentence(all->report, "There are no timers.");
		return;
	}
	tell_of_abandoned(all, totals);
	sw_report_sentence(all->report, "%s %s, of which %s %s in the heap of a P; %s %s.",
			   sw_text_count(all->timers.count, number),
			   sw_text_plural(all->timers.count, "timer", "timers"),
			   sw_text_count(totals->state[SW_GO_TIMER_WAITING], waiting),
			   sw_text_plural(totals->state[SW_GO_TIMER_WAITING], "waits", "wait"),
			   sw_text_plural(all->timers.count, "it retains", "all together retain"),
			   sw_text_bytes(retained(all, false, false), bytes));
}

/* ---- findings ---- */

static void add_finding(struct timers_report *all, const struct sw_timer_cluster *cluster,
			enum sw_grade grade, const char *code, const char *what)
{
	const struct sw_timer *first = &all->timers.items[cluster->members[0]];
	char message[512], next[64], number[32], bytes[16], period[32] = "";

	if (first->timer.period)
		snprintf(period, sizeof(period), " of %.4g s", 1e-9 * (double)first->timer.period);
	snprintf(message, sizeof(message), "%s %s%s%s%s %s; %s %s",
		 sw_text_count(cluster->count, number),
		 sw_text_plural(cluster->count, first->kind == SW_TIMER_TICKER ? "ticker" : "timer",
				first->kind == SW_TIMER_TICKER ? "tickers" : "timers"),
		 period, first->callee ? " of " : "", first->callee ? first->callee : "", what,
		 sw_text_plural(cluster->count, "it retains", "they retain"),
		 sw_text_bytes(cluster->retained.bytes, bytes));
	snprintf(next, sizeof(next),
		 first->object == SW_NO_OBJECT ? "timers" : "who-holds 0x%" PRIx64,
		 first->timer.address);
	sw_report_finding(
		all->report, grade, code, message,
		json_pack("{s:I, s:I, s:o}", "timers", (json_int_t)cluster->count, "retained_bytes",
			  (json_int_t)cluster->retained.bytes, "period_seconds",
			  first->timer.period ? json_real(1e-9 * (double)first->timer.period)
					      : json_null()),
		next);
}

/* Even the first of them. */
static bool is_far(const struct timers_report *all, const struct sw_timer_cluster *cluster)
{
	int64_t now = sw_go_now(all->live.go);
	int64_t when = all->timers.items[cluster->members[0]].timer.when;
	return now && when > now && when - now > FAR_NS;
}

static void find_waiting(struct timers_report *all, const struct sw_timer_cluster *cluster)
{
	if (cluster->count >= MANY)
		add_finding(all, cluster, SW_GRADE_P3, "many_timers", "wait for their time");
	else if (is_far(all, cluster) && cluster->retained.bytes >= FAR_BYTES)
		add_finding(all, cluster, SW_GRADE_P3, "far_timers",
			    "wait for a time that is more than a day away");
}

static void add_findings(struct timers_report *all)
{
	unsigned tickers = 0, timers = 0, waiting = 0;

	for (size_t i = 0; i < all->clusters.count; i++) {
		const struct sw_timer *first =
			&all->timers.items[all->clusters.items[i].members[0]];
		if (first->is_abandoned && first->kind == SW_TIMER_TICKER && tickers++ < FINDINGS)
			add_finding(all, &all->clusters.items[i], SW_GRADE_P1,
				    "ticker_never_stopped",
				    "that nobody can read or stop any more");
	}
	for (size_t i = 0; i < all->clusters.count; i++) {
		const struct sw_timer *first =
			&all->timers.items[all->clusters.items[i].members[0]];
		if (first->is_abandoned && first->kind != SW_TIMER_TICKER && timers++ < FINDINGS)
			add_finding(all, &all->clusters.items[i], SW_GRADE_P2, "timer_nobody_reads",
				    "to channels that nobody can read any more");
	}
	for (size_t i = 0; i < all->clusters.count && waiting < FINDINGS; i++) {
		const struct sw_timer *first =
			&all->timers.items[all->clusters.items[i].members[0]];
		if (!first->is_abandoned && first->timer.state == SW_GO_TIMER_WAITING) {
			waiting++;
			find_waiting(all, &all->clusters.items[i]);
		}
	}
}

static void add_next(struct timers_report *all)
{
	for (size_t i = 0; i < all->clusters.count; i++) {
		const struct sw_timer *first =
			&all->timers.items[all->clusters.items[i].members[0]];
		if (first->object == SW_NO_OBJECT || first->kind == SW_TIMER_RUNTIME)
			continue;
		sw_report_next(all->report, "who-holds 0x%" PRIx64, first->timer.address);
		return;
	}
}

/* ---- the whole ---- */

static struct sw_error *fill(struct timers_report *all)
{
	struct totals totals = count(all);

	add_sentences(all, &totals);
	add_summary(all, &totals);
	add_findings(all);
	sw_timer_rows_report(&all->rows);
	add_next(all);
	sw_report_warnings(all->report, &all->warnings);
	return NULL;
}

static struct sw_error *run(struct sw_session *session, const struct sw_arguments *arguments,
			    struct sw_report *report)
{
	struct timers_report all = {.arguments = arguments, .report = report};
	struct sw_error *error = sw_session_live(session, &all.live);

	if (!error)
		error = sw_timers_find(&all.live, &all.warnings, &all.timers);
	if (!error)
		error = sw_timer_clusters_build(&all.live, &all.timers, &all.clusters);
	all.rows = (struct sw_timer_rows){&all.live, arguments, report, &all.timers, &all.clusters};
	if (!error)
		error = fill(&all);
	sw_timers_free(&all.timers);
	sw_timer_clusters_free(&all.clusters);
	sw_warnings_clear(&all.warnings);
	return error;
}

static const struct sw_option options[] = {
	{"each", SW_OPTION_FLAG, NULL, NULL, NULL, "a row for every timer too"},
	{0},
};

const struct sw_command sw_command_timers = {
	.name = "timers",
	.usage = "",
	.summary = "timers and tickers: when, what they do and hold, which nobody stops",
	.help = "All timers and tickers: those in the heaps of the Ps, and those of the heap of "
		"Go objects that are in none of these, because they have run, were stopped, or, "
		"from Go 1.23 on, because nobody waits for their channel. Timers that do the same "
		"are one row of `clusters`.\n\n"
		"`kind`: ticker and timer (time.NewTicker; time.NewTimer, time.After), func "
		"(time.AfterFunc; `callee` is the function), context (WithDeadline, WithTimeout), "
		"sleep (of a goroutine), deadline (of a connection), runtime. `state`: waiting (in "
		"the heap of a P), unwatched (1.23: nobody waits for the channel), stopped (or it "
		"has run). `next_seconds` and `last_seconds` count from the moment of the image; "
		"of a core from the latest moment that the runtime noted there.\n\n"
		"A timer is `abandoned` when it waits to send to a channel that nothing but the "
		"timer refers to, and nothing but the runtime refers to the timer: no one can read "
		"the channel or stop the timer. Until Go 1.22 a ticker like that stays for ever, "
		"and what time.After made in a loop stays until its time has come. From 1.23 on "
		"the collector frees both (not with GODEBUG=asynctimerchan=1).",
	.example = "spanwalk timers app.core",
	.options = options,
	.run = run,
};
