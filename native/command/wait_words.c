#include "command/wait_words.h"

#include <inttypes.h>

enum {
	CASES_SHOWN = 32, /* of a select, in JSON */
	FUNCTIONS_SHOWN = 16,
	CASES_TOLD = 4, /* and in words */
	REFERRERS_TOLD = 8,
};

static uint64_t goid_of(const struct sw_wakers *wakers, uint32_t goroutine)
{
	return wakers->view->live.go->goroutines.items[goroutine].goid;
}

/* ---- JSON ---- */

static json_t *channel_json(const struct sw_wait_view *view, sw_addr address, bool is_send)
{
	struct sw_channel channel;
	json_t *json = json_object();
	bool is_read = sw_channel_read(view, address, &channel);

	json_object_set_new(json, "kind", json_string("chan"));
	json_object_set_new(json, "operation", json_string(is_send ? "send" : "receive"));
	json_object_set_new(json, "type", sw_json_string(is_read ? channel.type : "chan"));
	json_object_set_new(json, "address", sw_json_address(address));
	if (!is_read)
		return json;
	json_object_set_new(json, "capacity", json_integer((json_int_t)channel.capacity));
	json_object_set_new(json, "length", json_integer((json_int_t)channel.length));
	json_object_set_new(json, "closed", json_boolean(channel.is_closed));
	if (channel.has_timer)
		json_object_set_new(json, "timer",
				    json_string(channel.is_ticker ? "ticker" : "timer"));
	return json;
}

static json_t *cases_json(const struct sw_wait_view *view, const struct sw_blocked_on *on)
{
	json_t *cases = json_array();
	for (uint32_t i = 0; i < on->count && i < CASES_SHOWN; i++)
		json_array_append_new(
			cases, channel_json(view, on->blockers[i].object, on->blockers[i].is_send));
	return cases;
}

static void add_counts(const struct sw_wait_view *view, const struct sw_blocked_on *on,
		       json_t *json)
{
	int64_t counter;
	uint64_t readers;
	uint32_t waiters;

	if (on->kind == SW_BLOCKED_RWMUTEX)
		json_object_set_new(json, "operation", json_string(on->is_read ? "RLock" : "Lock"));
	if (on->kind == SW_BLOCKED_RWMUTEX && sw_rwmutex_readers(view, on->address, &readers))
		json_object_set_new(json, "readers", json_integer((json_int_t)readers));
	else if (on->kind == SW_BLOCKED_WAITGROUP &&
		 sw_waitgroup_counter(view, on->address, &counter))
		json_object_set_new(json, "counter", json_integer(counter));
	else if (on->kind == SW_BLOCKED_COND && sw_cond_waiters(view, on->address, &waiters))
		json_object_set_new(json, "waiters", json_integer(waiters));
}

static json_t *thing_json(const struct sw_wait_view *view, const struct sw_blocked_on *on)
{
	const char *type = sw_blocked_type_name(on->kind);
	char place[512];

	if (on->kind == SW_BLOCKED_CHAN)
		return channel_json(view, on->address, on->is_send);
	json_t *json = json_object();
	json_object_set_new(json, "kind", json_string(sw_blocked_kind_name(on->kind)));
	if (type)
		json_object_set_new(json, "type", json_string(type));
	if (on->kind == SW_BLOCKED_SELECT) {
		json_object_set_new(json, "cases", cases_json(view, on));
		json_object_set_new(json, "case_count", json_integer(on->count));
	} else if (on->address) {
		json_object_set_new(json, "address", sw_json_address(on->address));
		sw_blocked_place(view, on, place, sizeof(place));
		if (*place)
			json_object_set_new(json, "place", sw_json_string(place));
		add_counts(view, on, json);
	}
	return json;
}

static bool is_lock(const struct sw_blocked_on *on)
{
	return on->kind == SW_BLOCKED_MUTEX || on->kind == SW_BLOCKED_RWMUTEX;
}

/* Of what a goroutine is blocked on, or of the first of several. */
static const struct sw_referrers *referrers_of(const struct sw_wakers *wakers,
					       const struct sw_blocked_on *on)
{
	return on->count ? sw_wakers_referrers(wakers, on->blockers->object) : NULL;
}

static json_t *holder_json(struct sw_wakers *wakers, const struct sw_blocked_on *on)
{
	enum sw_waker_evidence evidence;
	uint32_t holder = sw_wakers_holder(wakers, on, &evidence);

	if (holder == UINT32_MAX)
		return json_null();
	json_t *json = json_object();
	json_object_set_new(json, "goroutine", json_integer((json_int_t)goid_of(wakers, holder)));
	json_object_set_new(json, "evidence",
			    json_string(evidence == SW_WAKER_DEFERS ? "deferred call"
								    : "only other reference"));
	return json;
}

json_t *sw_blocked_on_json(struct sw_wakers *wakers, uint32_t goroutine,
			   const struct sw_blocked_on *on)
{
	const struct sw_referrers *referrers = referrers_of(wakers, on);
	json_t *json = thing_json(wakers->view, on), *others;

	if (is_lock(on))
		json_object_set_new(json, "holder", holder_json(wakers, on));
	if (!referrers)
		return json;
	others = json_array();
	for (uint32_t i = 0; i < referrers->count; i++)
		if (referrers->goroutines[i] != goroutine)
			json_array_append_new(others, json_integer((json_int_t)goid_of(
							      wakers, referrers->goroutines[i])));
	json_object_set_new(json, "referring_goroutines", others);
	if (referrers->is_many)
		json_object_set_new(json, "more_referring_goroutines", json_true());
	return json;
}

/* ---- words ---- */

static void put_channel(const struct sw_wait_view *view, sw_addr address, FILE *out)
{
	struct sw_channel channel;
	bool is_read = sw_channel_read(view, address, &channel);

	fprintf(out, "%s at 0x%" PRIx64, is_read ? channel.type : "chan", address);
	if (!is_read)
		return;
	fprintf(out, " (capacity %" PRIu64, channel.capacity);
	if (channel.capacity)
		fprintf(out, ", length %" PRIu64, channel.length);
	fprintf(out, "%s%s)", channel.is_closed ? ", closed" : "",
		channel.has_timer ? ", of a timer" : "");
}

static void put_cases(const struct sw_wait_view *view, const struct sw_blocked_on *on, FILE *out)
{
	fprintf(out, "select of %" PRIu32 ":", on->count);
	for (uint32_t i = 0; i < on->count && i < CASES_TOLD; i++) {
		fputs(i ? ", " : " ", out);
		fputs(on->blockers[i].is_send ? "send to " : "receive from ", out);
		put_channel(view, on->blockers[i].object, out);
	}
	if (on->count > CASES_TOLD)
		fprintf(out, ", … %" PRIu32 " more", on->count - CASES_TOLD);
}

static void put_thing(const struct sw_wait_view *view, const struct sw_blocked_on *on, FILE *out)
{
	char place[512];
	int64_t counter;
	uint64_t readers;

	sw_blocked_place(view, on, place, sizeof(place));
	fprintf(out, "%s%s at 0x%" PRIx64, sw_blocked_type_name(on->kind),
		on->kind == SW_BLOCKED_SEMAPHORE ? " semaphore" : "", on->address);
	if (*place && strcmp(place, sw_blocked_type_name(on->kind)))
		fprintf(out, " (%s)", place);
	if (on->kind == SW_BLOCKED_WAITGROUP && sw_waitgroup_counter(view, on->address, &counter))
		fprintf(out, ", counter %" PRId64, counter);
	if (on->kind == SW_BLOCKED_RWMUTEX && sw_rwmutex_readers(view, on->address, &readers))
		fprintf(out, ", %" PRIu64 " reader%s", readers, readers == 1 ? "" : "s");
}

void sw_blocked_on_text(const struct sw_wait_view *view, const struct sw_blocked_on *on, FILE *out)
{
	if (on->kind == SW_BLOCKED_NIL_CHAN)
		fputs("a nil channel", out);
	else if (on->kind == SW_BLOCKED_FOREVER)
		fputs("select {}", out);
	else if (on->kind == SW_BLOCKED_SELECT)
		put_cases(view, on, out);
	else if (!on->address)
		fputs("something that cannot be told", out);
	else if (on->kind == SW_BLOCKED_CHAN)
		put_channel(view, on->address, out);
	else
		put_thing(view, on, out);
}

static void put_referrers(const struct sw_wakers *wakers, uint32_t goroutine,
			  const struct sw_referrers *referrers, FILE *out)
{
	uint32_t told = 0;

	for (uint32_t i = 0; i < referrers->count; i++) {
		if (referrers->goroutines[i] == goroutine)
			continue;
		if (told++ == REFERRERS_TOLD) {
			fputs(" …", out);
			return;
		}
		fprintf(out, "%s %" PRIu64, told == 1 ? "goroutines that refer to it:" : "",
			goid_of(wakers, referrers->goroutines[i]));
	}
	if (!told)
		fputs("no other goroutine refers to it", out);
}

void sw_blocked_others_text(struct sw_wakers *wakers, uint32_t goroutine,
			    const struct sw_blocked_on *on, FILE *out)
{
	const struct sw_referrers *referrers = referrers_of(wakers, on);
	enum sw_waker_evidence evidence;
	uint32_t holder = UINT32_MAX;

	if (is_lock(on))
		holder = sw_wakers_holder(wakers, on, &evidence);
	if (holder != UINT32_MAX && evidence == SW_WAKER_DEFERS)
		fprintf(out, "goroutine %" PRIu64 " is to unlock it by a deferred call",
			goid_of(wakers, holder));
	else if (holder != UINT32_MAX)
		fprintf(out, "goroutine %" PRIu64 " may hold it: no other refers to it but to wait",
			goid_of(wakers, holder));
	else if (is_lock(on))
		fputs("who holds it cannot be seen", out);
	else if (referrers)
		put_referrers(wakers, goroutine, referrers, out);
}

/* ---- circles ---- */

static const char *function_of(const struct sw_wakers *wakers, uint32_t goroutine)
{
	const struct sw_goroutine_view *view = &wakers->view->goroutines;
	uint32_t call = sw_goroutine_own_place(view, goroutine);
	return call == UINT32_MAX ? "?" : view->stacks->names[call];
}

static json_t *step_text(struct sw_wakers *wakers, uint32_t goroutine, uint32_t next,
			 const struct sw_blocked_on *on)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fprintf(out, "goroutine %" PRIu64 " in %s waits %s", goid_of(wakers, goroutine),
		function_of(wakers, goroutine),
		on->kind != SW_BLOCKED_CHAN ? "for "
		: on->is_send		    ? "to send to "
					    : "to receive from ");
	sw_blocked_on_text(wakers->view, on, out);
	if (goroutine == next)
		fputs(", which it holds itself", out);
	else
		fprintf(out, ", which goroutine %" PRIu64 " %s", goid_of(wakers, next),
			sw_wakers_deferred(wakers, next, on->address) ? "is to give back"
								      : "refers to");
	fclose(out);
	json_t *json = sw_json_string(text);
	free(text);
	return json;
}

/* Functions of the stack that a traceback shows, innermost first. */
static json_t *functions_json(const struct sw_wakers *wakers, uint32_t goroutine)
{
	const struct sw_go_stacks *stacks = wakers->view->goroutines.stacks;
	struct sw_go_stack_range range = stacks->stacks[stacks->stack_of[goroutine]];
	json_t *functions = json_array();

	for (uint32_t i = range.begin; i < range.begin + range.count; i++)
		if (!stacks->is_hidden[i] && json_array_size(functions) < FUNCTIONS_SHOWN)
			json_array_append_new(functions,
					      sw_json_string(stacks->names[stacks->frames[i]]));
	return functions;
}

static json_t *step_json(struct sw_wakers *wakers, uint32_t goroutine, uint32_t next)
{
	struct sw_blocked_on on;
	json_t *json = json_object();

	sw_blocked_on_find(wakers->view, goroutine, &on);
	json_object_set_new(json, "goroutine",
			    json_integer((json_int_t)goid_of(wakers, goroutine)));
	json_object_set_new(json, "function", sw_json_string(function_of(wakers, goroutine)));
	json_object_set_new(json, "functions", functions_json(wakers, goroutine));
	json_object_set_new(json, "blocked_on", thing_json(wakers->view, &on));
	json_object_set_new(json, "next_goroutine",
			    json_integer((json_int_t)goid_of(wakers, next)));
	json_object_set_new(json, "text", step_text(wakers, goroutine, next, &on));
	return json;
}

json_t *sw_wait_cycle_json(struct sw_wakers *wakers, const struct sw_wait_cycle *cycle)
{
	json_t *json = json_object(), *goroutines = json_array(), *steps = json_array();

	for (uint32_t i = 0; i < cycle->count; i++) {
		uint32_t goroutine = cycle->goroutines[i];
		json_array_append_new(goroutines,
				      json_integer((json_int_t)goid_of(wakers, goroutine)));
		json_array_append_new(steps, step_json(wakers, goroutine,
						       cycle->goroutines[(i + 1) % cycle->count]));
	}
	json_object_set_new(json, "goroutines", goroutines);
	json_object_set_new(json, "steps", steps);
	return json;
}
