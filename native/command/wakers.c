#include "command/wakers.h"

#include "base/map.h"
#include "go/defer.h"

enum {
	SMALL_OBJECT = 256, /* bytes of a slot that is looked into */
	MAX_CAPTURED = 16,  /* words of a closure that are looked at */
	MAX_WAKERS = SW_MAX_REFERRERS,
};

SW_MAP(uint32_t, sw_waker_slots);

static const struct sw_heap *heap_of(const struct sw_wakers *wakers)
{
	return wakers->view->live.heap;
}

/* ---- who refers ---- */

static struct sw_error *add_object(struct sw_wakers *wakers, sw_addr object)
{
	sw_slot slot = sw_heap_slot(heap_of(wakers), object);
	if (slot == SW_NO_SLOT || sw_waker_slots_find(wakers->slots, (uint64_t)slot + 1))
		return NULL;
	return sw_waker_slots_set(wakers->slots, (uint64_t)slot + 1, (uint32_t)wakers->count++);
}

static struct sw_error *add_objects(struct sw_wakers *wakers, const uint32_t *goroutines,
				    size_t count)
{
	const struct sw_go_waits *waits = wakers->view->live.go->waits;
	struct sw_error *error = NULL;
	for (size_t i = 0; i < count; i++) {
		const struct sw_go_wait *wait = &waits->list.items[goroutines[i]];
		for (uint32_t k = 0; !error && k < wait->count; k++)
			error = add_object(wakers, waits->blockers.items[wait->first + k].object);
	}
	if (error)
		return error;
	wakers->referrers = calloc(wakers->count + 1, sizeof(*wakers->referrers));
	return wakers->referrers ? NULL : sw_error_memory();
}

struct reference {
	struct sw_wakers *wakers;
	uint32_t goroutine;
	bool is_inner;
};

static void refer(struct sw_wakers *wakers, uint32_t index, uint32_t goroutine)
{
	struct sw_referrers *referrers = &wakers->referrers[index];
	for (uint32_t i = 0; i < referrers->count; i++)
		if (referrers->goroutines[i] == goroutine)
			return;
	if (referrers->count < SW_MAX_REFERRERS)
		referrers->goroutines[referrers->count++] = goroutine;
	else
		referrers->is_many = true;
}

static bool follow(void *context, uint64_t offset, sw_addr pointer)
{
	struct reference *reference = context;
	const struct sw_heap *heap = heap_of(reference->wakers);
	sw_slot slot = sw_heap_slot(heap, pointer);
	(void)offset;
	if (slot == SW_NO_SLOT)
		return true;
	const uint32_t *index = sw_waker_slots_find(reference->wakers->slots, (uint64_t)slot + 1);
	if (index)
		refer(reference->wakers, *index, reference->goroutine);
	if (!reference->is_inner && !sw_heap_is_opaque(heap, slot) &&
	    sw_heap_slot_span(heap, slot)->elemsize <= SMALL_OBJECT) {
		struct reference inner = *reference;
		inner.is_inner = true;
		sw_heap_pointers(heap, slot, follow, &inner);
	}
	return true;
}

/* The goroutine of each root, UINT32_MAX for none; also for what holds the blockers only. */
static struct sw_error *list_owners(const struct sw_wakers *wakers, uint32_t **out)
{
	const struct sw_go_wait_list *list = &wakers->view->live.go->waits->list;
	const struct sw_roots *roots = &heap_of(wakers)->roots;
	uint32_t *owners = malloc((roots->count + 1) * sizeof(*owners));

	*out = owners;
	if (!owners)
		return sw_error_memory();
	memset(owners, 0xff, roots->count * sizeof(*owners));
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].root < roots->count)
			owners[list->items[i].root] = (uint32_t)i;
	for (size_t i = 0; i < roots->count; i++)
		if (roots->items[i].group < i)
			owners[i] = owners[roots->items[i].group];
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].hold < roots->count)
			owners[list->items[i].hold] = UINT32_MAX;
	return NULL;
}

static struct sw_error *find_references(struct sw_wakers *wakers)
{
	const struct sw_root_words *words = &heap_of(wakers)->root_words;
	uint32_t *owners;
	struct sw_error *error = list_owners(wakers, &owners);

	for (size_t i = 0; !error && i < words->count; i++) {
		struct reference reference = {.wakers = wakers,
					      .goroutine = owners[words->items[i].root]};
		if (reference.goroutine != UINT32_MAX)
			follow(&reference, 0, words->items[i].pointer);
	}
	free(owners);
	return error;
}

struct sw_error *sw_wakers_build(const struct sw_wait_view *view, const uint32_t *goroutines,
				 size_t count, struct sw_wakers *out)
{
	*out = (struct sw_wakers){.view = view};
	out->slots = calloc(1, sizeof(*out->slots));
	size_t all = view->live.go->goroutines.count;
	out->deferred = calloc(all + 1, sizeof(*out->deferred));
	out->is_read = calloc(sw_bitset_words(all + 1), sizeof(*out->is_read));
	struct sw_error *error = NULL;
	if (!out->slots || !out->deferred || !out->is_read)
		error = sw_error_memory();
	if (!error)
		error = add_objects(out, goroutines, count);
	if (!error && out->count)
		error = find_references(out);
	if (error)
		sw_wakers_free(out);
	return error;
}

void sw_wakers_free(struct sw_wakers *wakers)
{
	if (wakers->slots)
		sw_waker_slots_free(wakers->slots);
	free(wakers->slots);
	free(wakers->referrers);
	for (size_t i = 0; wakers->deferred && i < wakers->view->live.go->goroutines.count; i++)
		sw_deferred_free(&wakers->deferred[i]);
	free(wakers->deferred);
	free(wakers->is_read);
	memset(wakers, 0, sizeof(*wakers));
}

const struct sw_referrers *sw_wakers_referrers(const struct sw_wakers *wakers, sw_addr address)
{
	sw_slot slot = sw_heap_slot(heap_of(wakers), address);
	const uint32_t *index =
		slot == SW_NO_SLOT ? NULL : sw_waker_slots_find(wakers->slots, (uint64_t)slot + 1);
	return index ? &wakers->referrers[*index] : NULL;
}

/* ---- deferred calls ---- */

/* Words that the function of a deferred call has captured. A closure on the stack has no end that
 * could be seen: its first word alone is sure to be one. */
static struct sw_error *add_captured(const struct sw_wakers *wakers,
				     const struct sw_go_defer *defer, struct sw_deferred *out)
{
	const struct sw_heap *heap = heap_of(wakers);
	sw_slot slot = sw_heap_slot(heap, defer->fn);
	struct sw_deferred_word word = {.pc = defer->pc};
	struct sw_error *error = NULL;
	uint64_t words = 2;

	if (slot != SW_NO_SLOT)
		words = (sw_heap_slot_address(heap, slot) +
			 sw_heap_slot_span(heap, slot)->elemsize - defer->fn) /
			8;
	for (uint64_t i = 1; !error && i < words && i <= MAX_CAPTURED; i++)
		if (sw_memory_u64(wakers->view->live.go->memory, defer->fn + 8 * i, &word.word) &&
		    word.word)
			error = sw_deferred_add(out, word);
	return error;
}

/* Damage was told when roots were collected: what cannot be read is not there. */
static struct sw_error *read_deferred(const struct sw_wakers *wakers, uint32_t goroutine,
				      struct sw_deferred *out)
{
	const struct sw_goroutine *g = &wakers->view->live.go->goroutines.items[goroutine];
	struct sw_warnings unheard = {0};
	struct sw_go quiet = *wakers->view->live.go;
	struct sw_go_stack stack;
	struct sw_go_defers defers = {0};

	quiet.warnings = &unheard;
	struct sw_error *error = sw_go_unwind(&quiet, g, false, NULL, NULL, &stack);
	if (!error) {
		error = sw_go_read_defers(&quiet, g, &stack, &defers);
		sw_go_stack_free(&stack);
	}
	for (size_t i = 0; !error && i < defers.count; i++)
		if (defers.items[i].fn)
			error = add_captured(wakers, &defers.items[i], out);
	sw_go_defers_free(&defers);
	sw_warnings_clear(&unheard);
	return error;
}

uint32_t sw_wakers_deferred(struct sw_wakers *wakers, uint32_t goroutine, sw_addr address)
{
	struct sw_deferred *deferred = &wakers->deferred[goroutine];
	uint32_t most = 0;

	if (!sw_bitset_has(wakers->is_read, goroutine)) {
		sw_bitset_set(wakers->is_read, goroutine);
		sw_error_free(read_deferred(wakers, goroutine, deferred));
	}
	/* Of a statement that runs often each has a record; an open-coded one runs once. */
	for (size_t i = 0; address && i < deferred->count; i++) {
		const struct sw_deferred_word *word = &deferred->items[i];
		uint32_t count = 1;
		if (word->word != address)
			continue;
		for (size_t k = i + 1; word->pc && k < deferred->count; k++)
			count += deferred->items[k].word == address &&
				 deferred->items[k].pc == word->pc;
		if (count > most)
			most = count;
		if (most > 1)
			break;
	}
	return most;
}

/* ---- who could wake ---- */

static bool is_lock(enum sw_blocked_kind kind)
{
	return kind == SW_BLOCKED_MUTEX || kind == SW_BLOCKED_RWMUTEX;
}

static bool is_channel(enum sw_blocked_kind kind)
{
	return kind == SW_BLOCKED_CHAN || kind == SW_BLOCKED_SELECT;
}

/* Does a goroutine wait for the same thing, so that it is no help? Of a channel, in the same
 * direction. */
static bool waits_too(const struct sw_wakers *wakers, uint32_t goroutine,
		      const struct sw_blocked_on *on, const struct sw_go_blocker *blocker)
{
	const struct sw_go_wait *wait = &wakers->view->live.go->waits->list.items[goroutine];
	struct sw_blocked_on its;

	if (wait->kind == SW_GO_WAIT_OTHER)
		return false;
	sw_blocked_on_find(wakers->view, goroutine, &its);
	if (!is_channel(on->kind))
		return its.address == on->address;
	for (uint32_t i = 0; is_channel(its.kind) && i < its.count; i++)
		if (its.blockers[i].object == blocker->object &&
		    its.blockers[i].is_send == blocker->is_send)
			return true;
	return false;
}

struct waker_list {
	uint32_t items[MAX_WAKERS];
	uint32_t count;
};

static void add_waker(struct waker_list *list, uint32_t goroutine)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (list->items[i] == goroutine)
			return;
	if (list->count < MAX_WAKERS)
		list->items[list->count++] = goroutine;
}

static void add_deferring(struct sw_wakers *wakers, const struct sw_referrers *referrers,
			  sw_addr address, struct waker_list *out)
{
	for (uint32_t i = 0; i < referrers->count; i++)
		if (sw_wakers_deferred(wakers, referrers->goroutines[i], address))
			add_waker(out, referrers->goroutines[i]);
}

/* What a deferred call will do says more than a reference. */
static void add_wakers(struct sw_wakers *wakers, const struct sw_blocked_on *on,
		       const struct sw_go_blocker *blocker, struct waker_list *out)
{
	const struct sw_referrers *referrers = sw_wakers_referrers(wakers, blocker->object);
	uint32_t before = out->count;

	if (!referrers)
		return;
	add_deferring(wakers, referrers, is_channel(on->kind) ? blocker->object : on->address, out);
	if (out->count > before)
		return;
	for (uint32_t i = 0; i < referrers->count; i++)
		if (!waits_too(wakers, referrers->goroutines[i], on, blocker))
			add_waker(out, referrers->goroutines[i]);
}

uint32_t sw_wakers_holder(struct sw_wakers *wakers, const struct sw_blocked_on *on,
			  enum sw_waker_evidence *evidence)
{
	const struct sw_referrers *referrers =
		on->count ? sw_wakers_referrers(wakers, on->blockers->object) : NULL;
	struct waker_list list = {.count = 0};

	*evidence = SW_WAKER_NONE;
	if (!referrers || !is_lock(on->kind))
		return UINT32_MAX;
	add_deferring(wakers, referrers, on->address, &list);
	if (list.count) {
		*evidence = SW_WAKER_DEFERS;
		return list.items[0];
	}
	add_wakers(wakers, on, on->blockers, &list);
	if (list.count != 1 || referrers->is_many)
		return UINT32_MAX;
	*evidence = SW_WAKER_REFERS;
	return list.items[0];
}

/* ---- circles ---- */

enum colour { WHITE, ON_STACK, DONE };

struct step {
	uint32_t goroutine, next;
	struct waker_list wakers;
};
SW_VECTOR(struct step, steps);

struct circles {
	struct sw_wakers *wakers;
	uint8_t *colours;   /* [goroutines]: enum colour */
	uint8_t *is_listed; /* [goroutines] */
	uint8_t *is_told;   /* [goroutines]: in a circle that is known */
	struct steps stack;
	struct sw_wait_cycles *out;
};

static struct sw_error *enter(struct circles *circles, uint32_t goroutine)
{
	struct step step = {.goroutine = goroutine};
	struct sw_blocked_on on;

	circles->colours[goroutine] = ON_STACK;
	sw_blocked_on_find(circles->wakers->view, goroutine, &on);
	for (uint32_t i = 0; i < on.count; i++)
		add_wakers(circles->wakers, &on, &on.blockers[i], &step.wakers);
	return steps_add(&circles->stack, step);
}

/* The steps from a goroutine on the stack to its top wait for each other. */
static struct sw_error *add_circle(struct circles *circles, uint32_t goroutine)
{
	const struct steps *stack = &circles->stack;
	struct sw_wait_cycle cycle = {0};
	size_t from = 0;

	while (from < stack->count && stack->items[from].goroutine != goroutine)
		from++;
	if (from == stack->count)
		return NULL;
	for (size_t i = from; i < stack->count; i++)
		if (circles->is_told[stack->items[i].goroutine])
			return NULL;
	cycle.goroutines = calloc(stack->count - from, sizeof(*cycle.goroutines));
	if (!cycle.goroutines)
		return sw_error_memory();
	for (size_t i = from; i < stack->count; i++) {
		circles->is_told[stack->items[i].goroutine] = true;
		cycle.goroutines[cycle.count++] = stack->items[i].goroutine;
	}
	struct sw_error *error = sw_wait_cycles_add(circles->out, cycle);
	if (error)
		free(cycle.goroutines);
	return error;
}

/* Depth first; each goroutine is entered once. */
static struct sw_error *search(struct circles *circles, uint32_t goroutine)
{
	struct sw_error *error = enter(circles, goroutine);

	while (!error && circles->stack.count) {
		struct step *top = &circles->stack.items[circles->stack.count - 1];
		if (top->next == top->wakers.count) {
			circles->colours[top->goroutine] = DONE;
			circles->stack.count--;
			continue;
		}
		uint32_t waker = top->wakers.items[top->next++];
		if (!circles->is_listed[waker])
			continue;
		if (circles->colours[waker] == WHITE)
			error = enter(circles, waker);
		else if (circles->colours[waker] == ON_STACK)
			error = add_circle(circles, waker);
	}
	return error;
}

struct sw_error *sw_wakers_cycles(struct sw_wakers *wakers, const uint32_t *goroutines,
				  size_t count, struct sw_wait_cycles *out)
{
	size_t all = wakers->view->live.go->goroutines.count;
	struct circles circles = {.wakers = wakers, .out = out};
	struct sw_error *error = NULL;

	memset(out, 0, sizeof(*out));
	circles.colours = calloc(all + 1, 3);
	if (!circles.colours)
		return sw_error_memory();
	circles.is_listed = circles.colours + all;
	circles.is_told = circles.is_listed + all;
	for (size_t i = 0; i < count; i++)
		circles.is_listed[goroutines[i]] = true;
	for (size_t i = 0; !error && i < count; i++)
		if (circles.colours[goroutines[i]] == WHITE)
			error = search(&circles, goroutines[i]);
	steps_free(&circles.stack);
	free(circles.colours);
	if (error)
		sw_wait_cycles_free_all(out);
	return error;
}

void sw_wait_cycles_free_all(struct sw_wait_cycles *cycles)
{
	for (size_t i = 0; i < cycles->count; i++)
		free(cycles->items[i].goroutines);
	sw_wait_cycles_free(cycles);
}
