#include "command/leak_pattern.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static void tell(struct sw_leak_pattern *out, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void tell(struct sw_leak_pattern *out, const char *name, const char *format, ...)
{
	va_list arguments;
	out->name = name;
	va_start(arguments, format);
	vsnprintf(out->explanation, sizeof(out->explanation), format, arguments);
	va_end(arguments);
}

/* ---- channels ---- */

/* Is the referrer a context.cancelCtx or what begins with one: Context, mu, and in done, an
 * atomic.Value, the channel (context/context.go, 1.18–1.27)? Its type may be unknown. */
static bool is_context(const struct sw_wait_view *view, sw_object referrer, sw_addr channel,
		       void *unused)
{
	enum { DONE_TYPE = 24, DONE = 32 };
	const struct sw_live *live = &view->live;
	sw_addr object = sw_heap_address(live->heap, referrer), type, done;
	const char *name = sw_naming_type_name(live, sw_live_type(live, referrer));

	(void)unused;
	if (!strncmp(name, "context.", 8))
		return true;
	if (sw_heap_size(live->heap, referrer) < DONE + 8 ||
	    !sw_memory_u64(live->go->memory, object + DONE_TYPE, &type) ||
	    !sw_memory_u64(live->go->memory, object + DONE, &done) || done != channel)
		return false;
	sw_type found = sw_type_of_descriptor(live->types, type);
	return !strcmp(sw_naming_type_name(live, found), "chan struct {}");
}

static bool is_of_context(const struct sw_wait_view *view, sw_addr channel)
{
	return sw_blocked_any_referrer(view, channel, is_context, NULL);
}

/* Deferred calls of one statement that would give back what it waits for run when the function
 * returns, which it does not. */
static bool is_defer_in_loop(const struct sw_leak_evidence *evidence, struct sw_leak_pattern *out)
{
	const struct sw_blocked_on *on = evidence->on;
	uint32_t count = sw_wakers_deferred(evidence->wakers, evidence->goroutine, on->address);

	if (count < 2)
		return false;
	tell(out, "defer in a loop",
	     "A defer statement in a loop was to give back what it waits for; its %" PRIu32
	     " calls run only when the function returns.",
	     count);
	return true;
}

static void find_send(const struct sw_channel *channel, struct sw_leak_pattern *out)
{
	if (!channel->capacity)
		tell(out, "missing receiver", "Nobody who runs can receive from the channel.");
	else if (!channel->elem_size)
		tell(out, "semaphore channel full",
		     "All %" PRIu64 " slots of the channel are taken, and nobody who runs can give "
		     "one back.",
		     channel->capacity);
	else
		tell(out, "missing receiver",
		     "The channel's buffer of %" PRIu64
		     " is full, and nobody who runs can receive from it.",
		     channel->capacity);
}

static void find_channel(const struct sw_leak_evidence *evidence, struct sw_leak_pattern *out)
{
	const struct sw_blocked_on *on = evidence->on;
	const struct sw_wait_view *view = evidence->wakers->view;
	struct sw_channel channel;

	if (is_defer_in_loop(evidence, out))
		return;
	if (evidence->is_in_cycle)
		tell(out, "deadlock cycle",
		     "Whoever could send or receive waits for this goroutine: see `cycles`.");
	else if (!sw_channel_read(view, on->address, &channel))
		tell(out, on->is_send ? "chan send" : "chan receive",
		     "The channel cannot be read.");
	else if (on->is_send)
		find_send(&channel, out);
	else if (is_of_context(view, on->address))
		tell(out, "forgotten cancel",
		     "The channel is the Done of a context that nobody who runs can cancel, and "
		     "that no deadline ends.");
	else if (channel.has_timer)
		tell(out, "stopped timer",
		     "The channel is that of a timer or ticker that has fired or was stopped, "
		     "which closes no channel.");
	else
		tell(out, "missing sender or close",
		     "Nobody who runs can send to the channel or close it.");
}

static void find_select(const struct sw_leak_evidence *evidence, struct sw_leak_pattern *out)
{
	const struct sw_blocked_on *on = evidence->on;

	for (uint32_t i = 0; i < on->count; i++)
		if (!on->blockers[i].is_send &&
		    is_of_context(evidence->wakers->view, on->blockers[i].object)) {
			tell(out, "forgotten cancel",
			     "A case of the select is the Done of a context that nobody who runs "
			     "can cancel, and nobody who runs can reach its other channels.");
			return;
		}
	if (evidence->is_in_cycle)
		tell(out, "deadlock cycle",
		     "Whoever could send or receive waits for this goroutine: see `cycles`.");
	else
		tell(out, "dead select",
		     "Nobody who runs can reach a channel of the select (%" PRIu32
		     " that are not nil).",
		     on->count);
}

/* ---- package sync ---- */

static void find_lock(const struct sw_leak_evidence *evidence, struct sw_leak_pattern *out)
{
	const struct sw_go *go = evidence->wakers->view->live.go;
	enum sw_waker_evidence seen;
	uint32_t holder = sw_wakers_holder(evidence->wakers, evidence->on, &seen);

	if (is_defer_in_loop(evidence, out))
		return;
	if (holder == evidence->goroutine)
		tell(out, "locked twice",
		     "It holds the lock itself, to be unlocked by a deferred call, and asks for it "
		     "again.");
	else if (evidence->is_in_cycle)
		tell(out, "deadlock cycle",
		     "Whoever could unlock it waits for this goroutine: see `cycles`.");
	else if (holder != UINT32_MAX)
		tell(out, "lock held by a blocked goroutine",
		     "Goroutine %" PRIu64 " %s, and can never run again either.",
		     go->goroutines.items[holder].goid,
		     seen == SW_WAKER_DEFERS ? "is to unlock it by a deferred call"
					     : "alone refers to it beside those that wait");
	else
		tell(out, "lock never unlocked",
		     "Nobody is to be seen who would unlock it: who has locked it may have "
		     "returned without.");
}

static void find_group(const struct sw_leak_evidence *evidence, struct sw_leak_pattern *out)
{
	int64_t counter;
	if (sw_waitgroup_counter(evidence->wakers->view, evidence->on->address, &counter) &&
	    counter > 0)
		tell(out, "WaitGroup never done",
		     "%" PRId64 " calls of Done are missing, and nobody who runs can reach the "
		     "WaitGroup.",
		     counter);
	else
		tell(out, "WaitGroup never done", "Nobody who runs can reach the WaitGroup.");
}

/* ---- the whole ---- */

static void find_leak(const struct sw_leak_evidence *evidence, struct sw_leak_pattern *out)
{
	switch (evidence->on->kind) {
	case SW_BLOCKED_CHAN:
		find_channel(evidence, out);
		break;
	case SW_BLOCKED_SELECT:
		find_select(evidence, out);
		break;
	case SW_BLOCKED_MUTEX:
	case SW_BLOCKED_RWMUTEX:
		find_lock(evidence, out);
		break;
	case SW_BLOCKED_WAITGROUP:
		find_group(evidence, out);
		break;
	case SW_BLOCKED_COND:
		tell(out, "Cond never signalled",
		     "Nobody who runs can reach the Cond to signal it.");
		break;
	case SW_BLOCKED_SEMAPHORE:
		tell(out, "semaphore", "Nobody who runs can reach the semaphore.");
		break;
	case SW_BLOCKED_NIL_CHAN:
		tell(out, "nil channel",
		     "Nothing can ever be sent to or received from a nil "
		     "channel.");
		break;
	case SW_BLOCKED_FOREVER:
		tell(out, "empty select", "A select without cases never ends.");
		break;
	}
}

/* A suspect can be woken: only what is plain to see is said. */
static void find_suspect(const struct sw_leak_evidence *evidence, struct sw_leak_pattern *out)
{
	const struct sw_blocked_on *on = evidence->on;
	struct sw_channel channel;

	if (on->kind == SW_BLOCKED_CHAN && !on->is_send &&
	    sw_channel_read(evidence->wakers->view, on->address, &channel) && channel.has_timer)
		tell(out, channel.is_ticker ? "ticker never stopped" : "timer channel",
		     channel.is_ticker
			     ? "A ticker wakes it again and again until somebody stops it."
			     : "A timer wakes it, or whoever has one that is stopped.");
	else if (on->kind == SW_BLOCKED_CHAN && !on->is_send &&
		 is_of_context(evidence->wakers->view, on->address))
		tell(out, "context",
		     "It waits for the end of a context that can still be "
		     "cancelled.");
	else
		tell(out, "long wait", "What it waits for is within reach of somebody who runs.");
}

void sw_leak_pattern_find(const struct sw_leak_evidence *evidence, struct sw_leak_pattern *out)
{
	struct sw_leak_pattern found = {.name = "wait"};

	*out = found;
	if (!evidence->is_leaked) {
		find_suspect(evidence, out);
		return;
	}
	find_leak(evidence, &found);
	tell(out, found.name, "%s%s",
	     evidence->is_proven ? "" : "As far as can be seen: ", found.explanation);
}
