#include "command/blocked_on.h"

#include "go/name.h"
#include "go/wait_reason.h"

#include <inttypes.h>
#include <stdio.h>

/* The structs of package sync, the same from Go 1.18 to 1.27 (mutex.go, rwmutex.go, waitgroup.go,
 * cond.go), and from 1.24 on internal/sync.Mutex, which is all that sync.Mutex has in it. */
enum {
	MUTEX_SEMA = 4,	    /* state int32, sema uint32 */
	RW_WRITER_SEMA = 8, /* w Mutex, writerSem, readerSem uint32, readerCount int32 */
	RW_READER_SEMA = 12,
	RW_READER_COUNT = 16,
	RW_MAX_READERS = 1 << 30, /* less so many when a writer waits */
	GROUP_SEMA = 8,		  /* state uint64, sema uint32 */
	COND_NOTIFY = 16,	  /* L Locker, notify */
	/* time.Timer and Ticker: C, a runtime.timer (1.23: with a bool before it). */
	LAST_MINOR_WITHOUT_INIT = 22,
	TIMER = 8,
	TIMER_ARGUMENT = 24, /* from period: f, and the data of arg */
	NOTIFY_WAIT = 0,     /* of notifyList: wait, notify uint32 */
	NOTIFY_NOTIFY = 4,
};

const char *sw_blocked_kind_name(enum sw_blocked_kind kind)
{
	static const char *const names[] = {
		[SW_BLOCKED_CHAN] = "chan",	      [SW_BLOCKED_SELECT] = "select",
		[SW_BLOCKED_MUTEX] = "mutex",	      [SW_BLOCKED_RWMUTEX] = "rwmutex",
		[SW_BLOCKED_WAITGROUP] = "waitgroup", [SW_BLOCKED_COND] = "cond",
		[SW_BLOCKED_SEMAPHORE] = "semaphore", [SW_BLOCKED_NIL_CHAN] = "nil chan",
		[SW_BLOCKED_FOREVER] = "forever",
	};
	return names[kind];
}

const char *sw_blocked_type_name(enum sw_blocked_kind kind)
{
	switch (kind) {
	case SW_BLOCKED_MUTEX:
		return "sync.Mutex";
	case SW_BLOCKED_RWMUTEX:
		return "sync.RWMutex";
	case SW_BLOCKED_WAITGROUP:
		return "sync.WaitGroup";
	case SW_BLOCKED_COND:
		return "sync.Cond";
	case SW_BLOCKED_SEMAPHORE:
		return "uint32";
	default:
		return NULL;
	}
}

/* ---- which type of package sync ---- */

static bool begins(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

/* A method of a type that waits for a semaphore; false for other functions. */
static bool read_method(const char *function, struct sw_blocked_on *out)
{
	static const struct {
		const char *start;
		enum sw_blocked_kind kind;
	} types[] = {
		{"sync.(*Mutex).", SW_BLOCKED_MUTEX},
		{"internal/sync.(*Mutex).", SW_BLOCKED_MUTEX},
		{"sync.(*RWMutex).", SW_BLOCKED_RWMUTEX},
		{"sync.(*WaitGroup).", SW_BLOCKED_WAITGROUP},
		{"sync.(*Cond).", SW_BLOCKED_COND},
	};
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		if (!begins(function, types[i].start))
			continue;
		out->kind = types[i].kind;
		out->is_read = begins(function, "sync.(*RWMutex).RLock");
		return true;
	}
	return false;
}

static bool is_below(const char *function)
{
	return sw_go_is_runtime_name(function) || begins(function, "sync.runtime_") ||
	       begins(function, "internal/sync.runtime_");
}

/* The methods that the stack is in: of an RWMutex perhaps by way of its Mutex, for which other
 * writers wait. *sema: what waits is that Mutex. */
static void find_method(const struct sw_wait_view *view, uint32_t goroutine,
			struct sw_blocked_on *out, bool *is_inner)
{
	const struct sw_go_stacks *stacks = view->goroutines.stacks;
	struct sw_go_stack_range range = stacks->stacks[stacks->stack_of[goroutine]];
	bool is_found = false;

	*is_inner = false;
	for (uint32_t i = range.begin; i < range.begin + range.count; i++) {
		const char *function = stacks->calls[stacks->frames[i]].function;
		struct sw_blocked_on method = *out;
		if (!is_found && is_below(function))
			continue;
		if (!read_method(function, &method))
			return;
		if (is_found && method.kind != out->kind) {
			if (out->kind != SW_BLOCKED_MUTEX || method.kind != SW_BLOCKED_RWMUTEX)
				return;
			*is_inner = true;
		}
		*out = method;
		is_found = true;
	}
}

/* Where the stack does not tell, the wait reason does since 1.20 (WaitGroup: 1.24). */
static void find_by_reason(const struct sw_wait_view *view, uint32_t goroutine,
			   struct sw_blocked_on *out)
{
	const struct sw_go *go = view->live.go;
	const char *reason = sw_go_wait_text(go, &go->goroutines.items[goroutine]);

	if (reason && begins(reason, "sync.Mutex"))
		out->kind = SW_BLOCKED_MUTEX;
	else if (reason && begins(reason, "sync.RWMutex"))
		out->kind = SW_BLOCKED_RWMUTEX;
	else if (reason && begins(reason, "sync.WaitGroup"))
		out->kind = SW_BLOCKED_WAITGROUP;
	out->is_read = reason && begins(reason, "sync.RWMutex.RLock");
}

static void find_semaphore(const struct sw_wait_view *view, uint32_t goroutine,
			   struct sw_blocked_on *out)
{
	bool is_inner = false;

	out->kind = SW_BLOCKED_SEMAPHORE;
	find_method(view, goroutine, out, &is_inner);
	if (out->kind == SW_BLOCKED_SEMAPHORE || out->kind == SW_BLOCKED_COND)
		find_by_reason(view, goroutine, out);
	switch (out->kind) {
	case SW_BLOCKED_MUTEX:
		out->address -= MUTEX_SEMA;
		break;
	case SW_BLOCKED_RWMUTEX:
		out->address -= is_inner       ? MUTEX_SEMA
				: out->is_read ? RW_READER_SEMA
					       : RW_WRITER_SEMA;
		break;
	case SW_BLOCKED_WAITGROUP:
		out->address -= GROUP_SEMA;
		break;
	default:
		break;
	}
}

void sw_blocked_on_find(const struct sw_wait_view *view, uint32_t goroutine,
			struct sw_blocked_on *out)
{
	const struct sw_go_waits *waits = view->live.go->waits;
	const struct sw_go_wait *wait = &waits->list.items[goroutine];

	*out = (struct sw_blocked_on){.blockers = sw_go_wait_blockers(waits, wait),
				      .count = wait->count};
	out->address = wait->count ? out->blockers->object : 0;
	switch (wait->kind) {
	case SW_GO_WAIT_CHAN_RECEIVE:
	case SW_GO_WAIT_CHAN_SEND:
		out->kind = SW_BLOCKED_CHAN;
		out->is_send = wait->kind == SW_GO_WAIT_CHAN_SEND;
		return;
	case SW_GO_WAIT_SELECT:
		out->kind = SW_BLOCKED_SELECT;
		return;
	case SW_GO_WAIT_NIL_CHAN:
		out->kind = SW_BLOCKED_NIL_CHAN;
		return;
	case SW_GO_WAIT_COND:
		out->kind = SW_BLOCKED_COND;
		out->address -= wait->count ? COND_NOTIFY : 0;
		return;
	case SW_GO_WAIT_SEMAPHORE:
		if (wait->count)
			find_semaphore(view, goroutine, out);
		else
			out->kind = SW_BLOCKED_SEMAPHORE;
		return;
	case SW_GO_WAIT_OTHER:
	case SW_GO_WAIT_NO_CASES:
		out->kind = SW_BLOCKED_FOREVER;
	}
}

/* ---- what the things themselves say ---- */

static void channel_type(const struct sw_wait_view *view, sw_addr elem, struct sw_channel *out)
{
	const struct sw_live *live = &view->live;
	sw_type type = sw_type_of_descriptor(live->types, elem);
	sw_object object = sw_heap_object(live->heap, out->address);
	const char *name = sw_naming_type_name(live, type);

	if (type && begins(name, "<-"))
		snprintf(out->type, sizeof(out->type), "chan (%s)", name);
	else if (type)
		snprintf(out->type, sizeof(out->type), "chan %s", name);
	else if (object != SW_NO_OBJECT)
		snprintf(out->type, sizeof(out->type), "%s",
			 sw_naming_type_name(live, sw_live_type(live, object)));
	else
		snprintf(out->type, sizeof(out->type), "chan");
}

bool sw_blocked_any_referrer(const struct sw_wait_view *view, sw_addr address,
			     bool (*visit)(const struct sw_wait_view *view, sw_object referrer,
					   sw_addr address, void *context),
			     void *context)
{
	const struct sw_live *live = &view->live;
	sw_object object = sw_heap_object(live->heap, address);
	const struct sw_edge *edges;

	if (object == SW_NO_OBJECT)
		return false;
	size_t count = sw_graph_extra(live->graph, object, &edges);
	for (size_t i = 0; i <= count; i++) {
		sw_node from = i < count ? edges[i].from : live->graph->parent[object];
		if (from < live->graph->object_count && visit(view, from, address, context))
			return true;
	}
	return false;
}

/* A time.Timer or Ticker: C, and a runtime.timer whose arg is that channel. */
static bool is_timer(const struct sw_wait_view *view, sw_object referrer, sw_addr channel,
		     void *context)
{
	const struct sw_go *go = view->live.go;
	sw_addr object = sw_heap_address(view->live.heap, referrer), first, argument;
	sw_addr timer = object + (go->minor > LAST_MINOR_WITHOUT_INIT ? 2 * TIMER : TIMER);

	*(sw_addr *)context = timer;
	return sw_memory_u64(go->memory, object, &first) && first == channel &&
	       sw_memory_u64(go->memory, timer + go->layout.timer.period + TIMER_ARGUMENT,
			     &argument) &&
	       argument == channel;
}

/* hchan.timer since 1.23, but for programs with GODEBUG=asynctimerchan=1; 0: none that can be seen.
 */
static sw_addr find_timer(const struct sw_wait_view *view, sw_addr channel)
{
	const struct sw_go *go = view->live.go;
	sw_addr timer = 0;

	if (go->layout.hchan.timer != SW_ABSENT &&
	    sw_memory_u64(go->memory, channel + go->layout.hchan.timer, &timer) && timer)
		return timer;
	return sw_blocked_any_referrer(view, channel, is_timer, &timer) ? timer : 0;
}

bool sw_channel_read(const struct sw_wait_view *view, sw_addr address, struct sw_channel *out)
{
	const struct sw_go *go = view->live.go;
	const struct sw_layout *layout = &go->layout;
	uint32_t closed;
	uint16_t elem_size;
	uint64_t elem, period;

	*out = (struct sw_channel){.address = address};
	if (!sw_memory_u64(go->memory, address + layout->hchan.qcount, &out->length) ||
	    !sw_memory_u64(go->memory, address + layout->hchan.dataqsiz, &out->capacity) ||
	    !sw_memory_u32(go->memory, address + layout->hchan.closed, &closed) ||
	    !sw_memory_u16(go->memory, address + layout->hchan.elemsize, &elem_size) ||
	    !sw_memory_u64(go->memory, address + layout->hchan.elemtype, &elem))
		return false;
	out->is_closed = closed != 0;
	out->elem_size = elem_size;
	channel_type(view, elem, out);
	sw_addr timer = find_timer(view, address);
	/* The channel of a timer that was dropped may show it by its type alone. */
	out->has_timer = timer || !strcmp(out->type, "chan time.Time");
	out->is_ticker =
		timer && sw_memory_u64(go->memory, timer + layout->timer.period, &period) && period;
	return true;
}

/* The counter is the upper half of the state. */
bool sw_waitgroup_counter(const struct sw_wait_view *view, sw_addr address, int64_t *out)
{
	uint64_t state;
	if (!sw_memory_u64(view->live.go->memory, address, &state))
		return false;
	*out = (int32_t)(state >> 32);
	return true;
}

bool sw_rwmutex_readers(const struct sw_wait_view *view, sw_addr address, uint64_t *out)
{
	uint32_t count;
	if (!sw_memory_u32(view->live.go->memory, address + RW_READER_COUNT, &count))
		return false;
	int64_t readers = (int32_t)count;
	readers += readers < 0 ? RW_MAX_READERS : 0;
	*out = readers > 0 ? (uint64_t)readers : 0;
	return true;
}

bool sw_cond_waiters(const struct sw_wait_view *view, sw_addr address, uint32_t *out)
{
	const struct sw_memory *memory = view->live.go->memory;
	uint32_t wait, notify;
	if (!sw_memory_u32(memory, address + COND_NOTIFY + NOTIFY_WAIT, &wait) ||
	    !sw_memory_u32(memory, address + COND_NOTIFY + NOTIFY_NOTIFY, &notify))
		return false;
	*out = wait - notify;
	return true;
}

/* ---- where ---- */

/* The field of a struct, or the element of an array, that an offset is in; appended to out. */
static sw_type enter(const struct sw_types *types, sw_type type, uint64_t *offset, char *out,
		     size_t size)
{
	const struct sw_type_info *info = sw_type_info(types, type);
	size_t length = strlen(out);

	for (uint32_t i = 0; i < info->field_count; i++) {
		const struct sw_type_field *field = &info->fields[i];
		if (*offset - field->offset >= sw_type_info(types, field->type)->size)
			continue;
		*offset -= field->offset;
		snprintf(out + length, size - length, ".%s", field->name);
		return field->type;
	}
	uint64_t each = info->kind == SW_KIND_ARRAY ? sw_type_info(types, info->elem)->size : 0;
	if (!each)
		return 0;
	snprintf(out + length, size - length, "[%" PRIu64 "]", *offset / each);
	*offset %= each;
	return info->elem;
}

/* From the object's type down to the field that is the thing itself. */
static void place_in_object(const struct sw_wait_view *view, const struct sw_blocked_on *on,
			    sw_object object, char *out, size_t size)
{
	enum { MAX_DEPTH = 16 };
	const struct sw_live *live = &view->live;
	const char *wanted = sw_blocked_type_name(on->kind);
	sw_type type = sw_live_type(live, object);
	uint64_t offset = on->address - sw_heap_address(live->heap, object);
	const char *whole = sw_naming_type_name(live, type);

	if (!type)
		return;
	snprintf(out, size, "%s", whole);
	for (unsigned depth = 0; wanted && type && depth < MAX_DEPTH; depth++) {
		if (!strcmp(sw_naming_type_name(live, type), wanted))
			return;
		type = enter(live->types, type, &offset, out, size);
	}
	snprintf(out, size, "%s", whole);
}

void sw_blocked_place(const struct sw_wait_view *view, const struct sw_blocked_on *on, char *out,
		      size_t size)
{
	const struct sw_live *live = &view->live;
	sw_object object = on->address ? sw_heap_object(live->heap, on->address) : SW_NO_OBJECT;
	uint64_t offset;

	*out = 0;
	if (object != SW_NO_OBJECT) {
		place_in_object(view, on, object, out, size);
	} else if (on->address) {
		const char *name = sw_image_symbol_at(live->go->image, on->address, &offset);
		if (name)
			snprintf(out, size, "%s", name);
	}
}
