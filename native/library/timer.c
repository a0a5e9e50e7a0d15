#include "library/timer.h"

#include "base/map.h"
#include "go/field.h"
#include "go/name.h"
#include "go/unwind.h"
#include "go/wait.h"
#include "view/retained_set.h"

#include <string.h>

SW_MAP(uint32_t, timer_numbers); /* by an address */

struct search {
	const struct sw_live *live;
	struct sw_warnings *warnings;
	struct sw_timers *out;
	struct timer_numbers known;   /* timers that were met */
	struct timer_numbers readers; /* goroutines that receive from a channel */
};

/* ---- what one does ---- */

static bool begins(const char *name, const char *prefix)
{
	return !strncmp(name, prefix, strlen(prefix));
}

static const char *name_at(const struct sw_live *live, sw_addr entry)
{
	struct sw_go_func func;
	return entry && sw_go_find_func(live->go, entry, &func) && func.entry == entry
		       ? sw_go_func_name(&func)
		       : NULL;
}

/* time.sendTime(c any, …): a chan is a pointer, which an interface holds itself. */
static void describe_channel(const struct search *search, struct sw_timer *timer)
{
	const struct sw_go *go = search->live->go;
	const uint32_t *readers = timer_numbers_find(&search->readers, timer->timer.arg);

	timer->kind = timer->timer.period ? SW_TIMER_TICKER : SW_TIMER_CHANNEL;
	timer->channel = timer->timer.arg;
	timer->length = sw_go_word_at(go, timer->channel, go->layout.hchan.qcount);
	timer->readers = readers ? *readers : 0;
}

/* time.goFunc(arg any, …): a func value is a pointer to its closure. */
static void describe_func(const struct search *search, struct sw_timer *timer)
{
	sw_addr entry = sw_go_word_at(search->live->go, timer->timer.arg, 0);

	timer->closure = timer->timer.arg;
	timer->callee = name_at(search->live, entry);
	timer->kind = timer->callee && begins(timer->callee, "context.WithDeadline")
			      ? SW_TIMER_CONTEXT
			      : SW_TIMER_FUNC;
}

static void describe_sleep(const struct search *search, struct sw_timer *timer)
{
	const struct sw_go *go = search->live->go;
	timer->kind = SW_TIMER_SLEEP;
	timer->goid = sw_go_word_at(go, timer->timer.arg, go->layout.g.goid);
}

static void describe(const struct search *search, struct sw_timer *timer)
{
	const char *name = name_at(search->live, timer->timer.function);

	timer->function = name ? name : "?";
	timer->kind = SW_TIMER_OTHER;
	if (!strcmp(timer->function, "time.sendTime"))
		describe_channel(search, timer);
	else if (!strcmp(timer->function, "time.goFunc"))
		describe_func(search, timer);
	else if (!strcmp(timer->function, "runtime.goroutineReady"))
		describe_sleep(search, timer);
	else if (begins(timer->function, "runtime.netpoll"))
		timer->kind = SW_TIMER_DEADLINE;
	else if (sw_go_is_runtime_name(timer->function))
		timer->kind = SW_TIMER_RUNTIME;
}

/* ---- who notices ---- */

struct referrers {
	const struct sw_live *live;
	sw_object itself, other; /* that do not count */
};

static bool is_own(void *context, sw_node from)
{
	const struct referrers *referrers = context;
	const struct sw_live *live = referrers->live;
	if (from == referrers->itself || from == referrers->other)
		return true;
	if (!sw_graph_is_root(live->graph, from))
		return false;
	const struct sw_go_root *root = &live->go->roots.items[from - live->graph->object_count];
	return root->kind == SW_GO_ROOT_QUEUE && !strcmp(root->name, "timers");
}

static bool is_abandoned(const struct search *search, const struct sw_timer *timer)
{
	const struct sw_live *live = search->live;
	sw_object channel = sw_heap_object(live->heap, timer->channel);
	struct referrers referrers = {live, timer->object, channel};

	return timer->channel && timer->timer.state == SW_GO_TIMER_WAITING &&
	       timer->object != SW_NO_OBJECT && channel != SW_NO_OBJECT &&
	       sw_live_referrers(live, timer->object, is_own, &referrers) &&
	       sw_live_referrers(live, channel, is_own, &referrers);
}

/* ---- all of them ---- */

static struct sw_error *add(struct search *search, const struct sw_go_timer *read, uint32_t p)
{
	const struct sw_live *live = search->live;
	struct sw_timer timer = {.timer = *read, .p = p};

	if (timer_numbers_find(&search->known, read->address))
		return NULL;
	timer.object = sw_heap_object(live->heap, read->address);
	describe(search, &timer);
	timer.is_abandoned = is_abandoned(search, &timer);
	timer.retained_bytes = sw_live_retained(live, read->address);
	struct sw_error *error = timer_numbers_set(&search->known, read->address, 1);
	return error ? error : sw_timers_add(search->out, timer);
}

/* A deadline that was taken back has no function until 1.22 (poll_runtime_pollSetDeadline() clears
 * rt.f of what it has deleted), and stands in the heap until that is cleaned. */
static struct sw_error *add_heap(struct search *search, sw_addr p, uint32_t number)
{
	const struct sw_live *live = search->live;
	struct sw_go_timer_heap timers;
	struct sw_go_timer timer;
	struct sw_error *error = NULL;

	if (!sw_go_read_timer_heap(live->go, live->heap, p, &timers))
		return NULL;
	for (uint64_t i = 0; !error && i < timers.count; i++) {
		sw_addr at = sw_go_word_at(live->go, sw_go_timer_entry(&timers, i), 0);
		if (at && sw_go_read_timer(live->go, at, &timer))
			error = add(search, &timer, number);
		else if (at && !sw_go_timer_is_stopped(live->go, at))
			sw_warn(search->warnings, true, "damaged_timer", NULL,
				"an entry of a P's timers is no timer");
	}
	return error;
}

/* Of a time.Timer or Ticker: behind its channel. What was never started has no function. */
static struct sw_error *visit(void *context, const struct sw_instance *instance)
{
	struct search *search = context;
	const struct sw_live *live = search->live;
	struct sw_go_timer timer;
	struct sw_value field;

	if ((sw_value_field(&live->reader, instance->value, "timer", &field) || /* from 1.23 on */
	     sw_value_field(&live->reader, instance->value, "r", &field)) &&
	    sw_go_read_timer(live->go, field.addr, &timer))
		return add(search, &timer, SW_NO_P);
	return NULL;
}

/* From 1.23 on a timer's channel leads to it (hchan.timer), and may be all that is left. */
static struct sw_error *add_of_channels(struct search *search)
{
	const struct sw_live *live = search->live;
	sw_type last = 0;
	bool is_timers = false;
	struct sw_go_timer timer;
	struct sw_error *error = NULL;

	if (live->go->layout.hchan.timer == SW_ABSENT)
		return NULL;
	for (sw_object i = 0; !error && i < live->typing->object_count; i++) {
		sw_type type = live->typing->types[i];
		if (type != last) {
			const struct sw_type_info *info = sw_type_info(live->types, type);
			is_timers = info->role == SW_TYPE_CHAN_HEADER &&
				    !strcmp(info->name, "chan time.Time");
			last = type;
		}
		if (!is_timers)
			continue;
		sw_addr at = sw_go_word_at(live->go, sw_live_start(live, i),
					   live->go->layout.hchan.timer);
		if (at && sw_go_read_timer(live->go, at, &timer))
			error = add(search, &timer, SW_NO_P);
	}
	return error;
}

static struct sw_error *count_readers(struct search *search)
{
	const struct sw_go_waits *waits = search->live->go->waits;
	struct sw_error *error = NULL;

	for (size_t i = 0; !error && waits && i < waits->blockers.count; i++) {
		const struct sw_go_blocker *blocker = &waits->blockers.items[i];
		const uint32_t *known = timer_numbers_find(&search->readers, blocker->object);
		if (!blocker->is_send)
			error = timer_numbers_set(&search->readers, blocker->object,
						  known ? *known + 1 : 1);
	}
	return error;
}

struct sw_error *sw_timers_find(const struct sw_live *live, struct sw_warnings *warnings,
				struct sw_timers *out)
{
	static const char *const names[] = {"runtime.timeTimer", "time.Timer", "time.Ticker", NULL};
	struct search search = {.live = live, .warnings = warnings, .out = out};
	uint64_t ps = sw_go_p_count(live->go);
	struct sw_error *error = count_readers(&search);

	for (uint64_t i = 0; !error && i < ps; i++) {
		sw_addr p = sw_go_p_at(live->go, i);
		if (p)
			error = add_heap(&search, p, (uint32_t)i);
	}
	if (!error)
		error = sw_live_instances(live, names, NULL, visit, &search);
	if (!error)
		error = add_of_channels(&search);
	timer_numbers_free(&search.known);
	timer_numbers_free(&search.readers);
	if (error)
		sw_timers_free(out);
	return error;
}

const char *sw_timer_kind_word(enum sw_timer_kind kind)
{
	static const char *const words[SW_TIMER_KINDS] = {
		"ticker", "timer", "func", "context", "sleep", "deadline", "runtime", "other"};
	return kind < SW_TIMER_KINDS ? words[kind] : "?";
}
