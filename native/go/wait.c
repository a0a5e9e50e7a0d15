#include "go/wait.h"

#include "base/chain.h"
#include "go/size_class.h"
#include "go/wait_reason.h"

enum {
	NEAR_FRAMES = 8,     /* from the innermost: gopark … sync.(*Cond).Wait and its caller */
	COND_NOTIFY = 16,    /* sync/cond.go Cond: L Locker, then notify */
	LIST_HEAD = 16,	     /* sync/runtime.go notifyList: wait, notify, lock, head, tail */
	MAX_STEPS = 1 << 24, /* along all notify lists together */
	MAX_CASES = 1 << 16, /* select.go: of one select */
};

static enum sw_go_wait_kind kind_of(const char *reason)
{
	static const struct {
		const char *reason;
		enum sw_go_wait_kind kind;
	} kinds[] = {
		{"chan receive", SW_GO_WAIT_CHAN_RECEIVE},
		{"select", SW_GO_WAIT_SELECT},
		{"chan send", SW_GO_WAIT_CHAN_SEND},
		{"semacquire", SW_GO_WAIT_SEMAPHORE},
		{"sync.Cond.Wait", SW_GO_WAIT_COND},
		{"sync.Mutex.Lock", SW_GO_WAIT_SEMAPHORE},
		{"sync.RWMutex.RLock", SW_GO_WAIT_SEMAPHORE},
		{"sync.RWMutex.Lock", SW_GO_WAIT_SEMAPHORE},
		{"sync.WaitGroup.Wait", SW_GO_WAIT_SEMAPHORE},
		{"chan receive (nil chan)", SW_GO_WAIT_NIL_CHAN},
		{"chan send (nil chan)", SW_GO_WAIT_NIL_CHAN},
		{"select (no cases)", SW_GO_WAIT_NO_CASES},
	};
	for (size_t i = 0; reason && i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strcmp(reason, kinds[i].reason))
			return kinds[i].kind;
	return SW_GO_WAIT_OTHER;
}

/* ---- sudogs ---- */

struct finder {
	struct sw_go_waits *waits;
	const struct sw_go *go;
	const struct sw_heap *heap;
	const struct sw_goroutine *goroutine;
	const struct sw_go_stack *stack;
	struct sw_go_wait wait;
};

static bool read_word(const struct sw_go *go, sw_addr at, sw_offset offset, sw_addr *out)
{
	return sw_memory_u64(go->memory, at + offset, out);
}

/* Is it the start of a slot that could be a sudog? They all come from new (proc.go acquireSudog).
 */
static bool is_sudog(const struct sw_go *go, const struct sw_heap *heap, sw_addr at)
{
	const struct sw_span *span = sw_heap_span(heap, at);
	unsigned class = 1;
	if (!span || sw_span_index(span, at) >= span->count)
		return false;
	while (class < SW_SIZE_CLASSES - 1 && sw_go_class_size[class] < go->layout.sudog.size)
		class ++;
	return span->elemsize == sw_go_class_size[class] && (at - span->base) % span->elemsize == 0;
}

/* ... and stands for the goroutine? */
static bool is_own(const struct finder *finder, sw_addr at)
{
	sw_addr g;
	return is_sudog(finder->go, finder->heap, at) &&
	       read_word(finder->go, at, finder->go->layout.sudog.g, &g) &&
	       g == finder->goroutine->address;
}

/* ---- queues ---- */

/* Walks a queue once and remembers who stands in it. What follows damage is not in it, and nobody
 * stands in two: rings end, and all queues together have no more than there are sudogs. */
static struct sw_error *walk_queue(struct finder *finder, sw_addr sudog, struct sw_go_queue queue)
{
	const struct sw_go *go = finder->go;
	struct sw_error *error = NULL;

	while (!error && sudog && is_sudog(go, finder->heap, sudog) &&
	       !sw_go_queues_find(&finder->waits->queues, sudog)) {
		error = sw_go_queues_set(&finder->waits->queues, sudog, queue);
		if (!read_word(go, sudog, go->layout.sudog.next, &sudog))
			break;
	}
	return error;
}

/* True when the object's queues have to be walked: it is met for the first time. */
static bool is_new(struct sw_go_queues *walked, sw_addr object, struct sw_error **error)
{
	if (!object || sw_go_queues_find(walked, object))
		return false;
	*error = sw_go_queues_set(walked, object, (struct sw_go_queue){0});
	return !*error;
}

static struct sw_error *walk_channel(struct finder *finder, sw_addr channel)
{
	const struct sw_go *go = finder->go;
	struct sw_error *error = NULL;
	sw_addr receivers, senders;

	if (!is_new(&finder->waits->channels, channel, &error) ||
	    !read_word(go, channel, go->layout.hchan.recvq_first, &receivers) ||
	    !read_word(go, channel, go->layout.hchan.sendq_first, &senders))
		return error;
	error = walk_queue(finder, receivers, (struct sw_go_queue){.object = channel});
	return error ? error
		     : walk_queue(finder, senders,
				  (struct sw_go_queue){.object = channel, .is_send = true});
}

/* A list ends where its tail says, at goroutines that wait on no channel. */
static bool is_list(const struct finder *finder, sw_addr head, sw_addr tail)
{
	const struct sw_go *go = finder->go;
	struct sw_chain chain = {0};
	sw_addr channel, next;

	while (is_sudog(go, finder->heap, head) && !sw_chain_is_ring(&chain, head) &&
	       finder->waits->steps++ < MAX_STEPS &&
	       read_word(go, head, go->layout.sudog.c, &channel) && !channel &&
	       read_word(go, head, go->layout.sudog.next, &next)) {
		if (!next)
			return head == tail;
		head = next;
	}
	return false;
}

static struct sw_error *walk_list(struct finder *finder, sw_addr list)
{
	const struct sw_go *go = finder->go;
	struct sw_error *error = NULL;
	sw_addr head, tail;

	if (!is_new(&finder->waits->lists, list, &error) ||
	    !read_word(go, list, LIST_HEAD, &head) || !read_word(go, list, LIST_HEAD + 8, &tail) ||
	    !is_list(finder, head, tail))
		return error;
	return walk_queue(finder, head, (struct sw_go_queue){.object = list});
}

/* ---- blockers ---- */

static struct sw_error *add_blocker(struct finder *finder, struct sw_go_blocker blocker)
{
	finder->wait.count++;
	return sw_go_blockers_add(&finder->waits->blockers, blocker);
}

/* A sender that takes a goroutine off the queue of a channel sets g.param before it makes the
 * goroutine ready, chan.go; a channel is left by all its sudogs only when the goroutine runs. */
static bool has_param(const struct finder *finder)
{
	sw_addr param;
	return read_word(finder->go, finder->goroutine->address, finder->go->layout.g.param,
			 &param) &&
	       param;
}

static struct sw_error *add_channel(struct finder *finder, sw_addr sudog)
{
	const struct sw_go *go = finder->go;
	struct sw_go_blocker blocker = {.sudog = sudog};

	if (!read_word(go, sudog, go->layout.sudog.c, &blocker.object) || !blocker.object ||
	    !read_word(go, sudog, go->layout.sudog.elem, &blocker.elem)) {
		finder->wait.is_unknown = true;
		return NULL;
	}
	struct sw_error *error = walk_channel(finder, blocker.object);
	const struct sw_go_queue *queue = sw_go_queues_find(&finder->waits->queues, sudog);
	if (error)
		return error;
	if (!queue || queue->object != blocker.object) {
		finder->wait.is_woken = true;
		return NULL;
	}
	blocker.is_send = queue->is_send;
	return add_blocker(finder, blocker);
}

static struct sw_error *find_channels(struct finder *finder)
{
	const struct sw_go *go = finder->go;
	sw_addr sudog = finder->goroutine->waiting;
	struct sw_chain chain = {0};
	struct sw_error *error = NULL;

	finder->wait.is_woken = has_param(finder);
	finder->wait.is_unknown = !sudog;
	while (!error && sudog && !finder->wait.is_woken && !finder->wait.is_unknown) {
		if (!is_own(finder, sudog) || sw_chain_is_ring(&chain, sudog) ||
		    chain.steps > MAX_CASES) {
			finder->wait.is_unknown = true;
			break;
		}
		error = add_channel(finder, sudog);
		if (!read_word(go, sudog, go->layout.sudog.waitlink, &sudog))
			finder->wait.is_unknown = true;
	}
	return error;
}

/* The sudog in a variable of the frames that wait. */
static sw_addr find_on_stack(const struct finder *finder)
{
	const struct sw_go_stack_words *words = &finder->stack->words;
	for (size_t i = 0; i < words->count; i++)
		if (words->items[i].frame < NEAR_FRAMES &&
		    words->items[i].kind == SW_GO_WORD_PRECISE &&
		    is_own(finder, words->items[i].pointer))
			return words->items[i].pointer;
	return 0;
}

static sw_addr find_sudog(const struct finder *finder)
{
	sw_addr sudog = finder->goroutine->waiting;
	return sudog && is_own(finder, sudog) ? sudog : find_on_stack(finder);
}

/* semrelease clears elem when it takes the goroutine off the queue. */
static struct sw_error *find_semaphore(struct finder *finder)
{
	const struct sw_go *go = finder->go;
	struct sw_go_blocker blocker = {.sudog = find_sudog(finder)};

	if (!blocker.sudog ||
	    !read_word(go, blocker.sudog, go->layout.sudog.elem, &blocker.object)) {
		finder->wait.is_unknown = true;
		return NULL;
	}
	finder->wait.is_woken = !blocker.object;
	return blocker.object ? add_blocker(finder, blocker) : NULL;
}

/* Until 1.25 only the frames lead to the list: a variable points to it, or to the sync.Cond that it
 * is a part of. */
static struct sw_error *walk_near_lists(struct finder *finder)
{
	const struct sw_go_stack_words *words = &finder->stack->words;
	struct sw_error *error = NULL;
	for (size_t i = 0; !error && i < words->count; i++) {
		sw_addr pointer = words->items[i].pointer;
		if (words->items[i].frame >= NEAR_FRAMES ||
		    is_sudog(finder->go, finder->heap, pointer))
			continue;
		error = walk_list(finder, pointer);
		if (!error)
			error = walk_list(finder, pointer + COND_NOTIFY);
	}
	return error;
}

static struct sw_error *find_cond(struct finder *finder)
{
	const struct sw_go *go = finder->go;
	struct sw_go_blocker blocker = {.sudog = find_sudog(finder)};
	sw_addr list;

	if (!blocker.sudog || !read_word(go, blocker.sudog, go->layout.sudog.elem, &list)) {
		finder->wait.is_unknown = true;
		return NULL;
	}
	struct sw_error *error = list ? walk_list(finder, list) : walk_near_lists(finder);
	const struct sw_go_queue *queue = sw_go_queues_find(&finder->waits->queues, blocker.sudog);
	if (error)
		return error;
	/* Who is on no list was taken off it, or the list was not found. */
	finder->wait.is_woken = !queue && list;
	finder->wait.is_unknown = !queue && !list;
	if (!queue)
		return NULL;
	blocker.object = queue->object;
	return add_blocker(finder, blocker);
}

static struct sw_error *find(struct finder *finder)
{
	switch (finder->wait.kind) {
	case SW_GO_WAIT_CHAN_RECEIVE:
	case SW_GO_WAIT_CHAN_SEND:
	case SW_GO_WAIT_SELECT:
		return find_channels(finder);
	case SW_GO_WAIT_SEMAPHORE:
		return find_semaphore(finder);
	case SW_GO_WAIT_COND:
		return find_cond(finder);
	case SW_GO_WAIT_OTHER:
	case SW_GO_WAIT_NIL_CHAN:
	case SW_GO_WAIT_NO_CASES:
		return NULL;
	}
	return NULL;
}

/* ---- the whole ---- */

bool sw_go_wait_needs_stack(const struct sw_go *go, const struct sw_heap *heap,
			    const struct sw_goroutine *goroutine)
{
	struct finder finder = {.go = go, .heap = heap, .goroutine = goroutine};
	enum sw_go_wait_kind kind = kind_of(sw_go_wait_text(go, goroutine));
	sw_addr list;

	if (kind != SW_GO_WAIT_SEMAPHORE && kind != SW_GO_WAIT_COND)
		return false;
	if (!goroutine->waiting || !is_own(&finder, goroutine->waiting))
		return true;
	return kind == SW_GO_WAIT_COND &&
	       (!read_word(go, goroutine->waiting, go->layout.sudog.elem, &list) || !list);
}

struct sw_error *sw_go_waits_add(struct sw_go_waits *waits, const struct sw_go *go,
				 const struct sw_heap *heap, const struct sw_goroutine *goroutine,
				 const struct sw_go_stack *stack, uint32_t root)
{
	struct finder finder = {
		.waits = waits,
		.go = go,
		.heap = heap,
		.goroutine = goroutine,
		.stack = stack,
		.wait = {.kind = kind_of(sw_go_wait_text(go, goroutine)),
			 .first = (uint32_t)waits->blockers.count,
			 .root = root,
			 .hold = SW_NO_ROOT},
	};
	struct sw_error *error = find(&finder);
	if (finder.wait.is_woken || finder.wait.is_unknown) {
		waits->blockers.count = finder.wait.first;
		finder.wait.count = 0;
	}
	return error ? error : sw_go_wait_list_add(&waits->list, finder.wait);
}

void sw_go_waits_finish(struct sw_go_waits *waits)
{
	sw_go_queues_free(&waits->queues);
	sw_go_queues_free(&waits->channels);
	sw_go_queues_free(&waits->lists);
}

void sw_go_waits_free(struct sw_go_waits *waits)
{
	sw_go_waits_finish(waits);
	sw_go_wait_list_free(&waits->list);
	sw_go_blockers_free(&waits->blockers);
}
