/* What a pointer says about the object it leads to: does the type agree with the object, and of
 * several that do, which one counts. */
#include "type/typing_private.h"

#include "go/name.h"
#include "go/unwind.h"

enum {
	TYPE_SIZE = 0, /* internal/abi Type */
	TYPE_PTR_BYTES = 8,
};

/* ---- asking for types ---- */

static void fail(struct sw_type_worker *worker, struct sw_error *error)
{
	if (worker->error)
		sw_error_free(error);
	else
		worker->error = error;
}

static void want_word(struct sw_type_worker *worker, sw_addr word, enum sw_type_word kind)
{
	uint64_t *recent = &worker->recent_words[(word >> 4) % SW_RECENT];
	worker->is_deferred = true;
	if (*recent == word)
		return;
	*recent = word;
	struct sw_error *error = sw_wanted_words_add(
		&worker->words, (struct sw_wanted_word){.word = word, .kind = kind});
	if (error)
		fail(worker, error);
}

static void want_plan(struct sw_type_worker *worker, sw_type type)
{
	uint32_t *recent = &worker->recent_types[type % SW_RECENT];
	if (*recent == type)
		return;
	*recent = type;
	struct sw_error *error = sw_number_list_add(&worker->types, type);
	if (error)
		fail(worker, error);
}

/* The type that a word names; false when that is not known before the next level. */
static inline bool resolve(struct sw_type_worker *worker, sw_addr word, enum sw_type_word kind,
			   sw_type *type)
{
	const struct sw_number_map *map = &worker->walk->words[kind];
	uint32_t number = sw_number_map_get(map, word);
	*type = number ? number - 1 : 0;
	if (number || !word || map->count >= SW_WALK_WORDS)
		return true;
	want_word(worker, word, kind);
	return false;
}

/* ---- which claim counts ---- */

/* Is a claim better than another of the same level? */
static bool better(const struct sw_type_walk *walk, uint32_t a, uint32_t b)
{
	if ((a ^ b) & SW_STATE_WEAK)
		return !(a & SW_STATE_WEAK);
	a &= SW_STATE_TYPE;
	b &= SW_STATE_TYPE;
	const struct sw_type_plan *plans = walk->plans.list.items;
	if (plans[a].size != plans[b].size)
		return plans[a].size > plans[b].size;
	return a < b;
}

/* Stores the claim when it is the best so far; true when the object is new on this level. */
static bool store(struct sw_type_walk *walk, sw_object object, sw_type type, bool is_weak)
{
	uint32_t *place = &walk->states[object];
	uint32_t state = __atomic_load_n(place, __ATOMIC_RELAXED);
	bool is_parked = is_weak && !walk->takes_weak;
	uint32_t wish = type | (is_weak ? SW_STATE_WEAK : 0) | (is_parked ? 0 : walk->tag);

	for (;;) {
		bool was_parked = state & SW_STATE_WEAK && !sw_state_tag(state);
		bool is_new = !state || (was_parked && !is_parked);
		bool is_open =
			is_new || (is_parked ? was_parked : sw_state_tag(state) == walk->tag);
		if (!is_open || (!is_new && !better(walk, wish, state)))
			return false;
		if (!walk->is_parallel)
			*place = wish;
		else if (!__atomic_compare_exchange_n(place, &state, wish, false, __ATOMIC_RELAXED,
						      __ATOMIC_RELAXED))
			continue;
		return is_new && !is_parked;
	}
}

/* Can nothing more be said about the object on this level? */
static inline bool is_settled(const struct sw_type_walk *walk, sw_object object)
{
	uint32_t state = __atomic_load_n(&walk->states[object], __ATOMIC_RELAXED);
	uint32_t tag = sw_state_tag(state);
	return state && tag != walk->tag && (tag || !(state & SW_STATE_WEAK));
}

void sw_claims_flush(struct sw_type_worker *worker)
{
	struct sw_type_walk *walk = worker->walk;
	if (!worker->gathered_count)
		return;
	size_t at = __atomic_fetch_add(&walk->tail, worker->gathered_count, __ATOMIC_RELAXED);
	memcpy(walk->queue + at, worker->gathered, worker->gathered_count * sizeof(sw_slot));
	worker->gathered_count = 0;
}

/* A chunk of package arena's is one object, in which values of all types stand one beside the
 * other: it is of none. */
static bool is_arena_chunk(const struct sw_type_walk *walk, const struct sw_span *span)
{
	const struct sw_go_spans *spans = &walk->go->spans;
	return span->count == 1 && span->owner < spans->count &&
	       spans->items[span->owner].is_user_arena;
}

static void settle(struct sw_type_worker *worker, const struct sw_place *place, sw_type type,
		   bool is_weak)
{
	struct sw_type_walk *walk = worker->walk;
	bool has_pointers = place->span->scan != SW_SCAN_NONE;
	if (!type || is_arena_chunk(walk, place->span))
		return;
	/* Also for a claim that another one beats: which of them comes first is chance. */
	if (has_pointers && !walk->plans.list.items[type].is_planned)
		want_plan(worker, type);
	if (!store(walk, place->object, type, is_weak) || !has_pointers)
		return;
	if (worker->gathered_count == SW_GATHERED)
		sw_claims_flush(worker);
	worker->gathered[worker->gathered_count++] = place->slot;
}

/* ---- malloc headers ---- */

static const uint8_t *object_bytes(const struct sw_place *place)
{
	const struct sw_span *span = place->span;
	return span->bytes ? span->bytes + place->index * span->elemsize : NULL;
}

static sw_addr read_header(const struct sw_type_walk *walk, const struct sw_place *place)
{
	const struct sw_span *span = place->span;
	const uint8_t *bytes = object_bytes(place);
	if (span->scan == SW_SCAN_LOOKUP)
		return bytes ? sw_load64(bytes) : 0;
	return span->owner < walk->go->spans.count ? walk->go->spans.items[span->owner].large_type
						   : 0;
}

/* A header may be a copy that has nothing but size and mask (runtime/mbitmap.go
 * heapSetTypeLarge… of types with a GC program, 1.22–1.23; arena.go). */
static bool matches_copy(const struct sw_type_walk *walk, const struct sw_type_plan *plan,
			 sw_addr header)
{
	uint64_t size, pointer_bytes;
	return plan->size && sw_memory_u64(walk->go->memory, header + TYPE_SIZE, &size) &&
	       sw_memory_u64(walk->go->memory, header + TYPE_PTR_BYTES, &pointer_bytes) &&
	       size == plan->size && pointer_bytes == plan->pointer_bytes;
}

/* An array, when the slot is not one that a single value is allocated in. */
static sw_type one_or_array(const struct sw_type_plan *plans, sw_type type, uint64_t elemsize)
{
	return plans[type].fit != elemsize && plans[type].array ? plans[type].array : type;
}

/* A claim on an object with a malloc header: its word decides, but the claim may say more: that it
 * is a slice, or a map's table<K,V>. An unknown header leaves the object to later levels. */
static void claim_headed(struct sw_type_worker *worker, const struct sw_place *place, sw_type type)
{
	const struct sw_type_walk *walk = worker->walk;
	const struct sw_type_plan *plans = walk->plans.list.items;
	uint64_t start = sw_go_header(place->span);
	uint64_t size = plans[type].size;
	sw_addr header = read_header(walk, place);
	sw_type named;

	if (!resolve(worker, header, SW_WORD_DESCRIPTOR, &named))
		return;
	if (!size || place->offset < start || (place->offset - start) % size)
		type = 0; /* a pointer to something inside */
	bool is_copy = !named && type && matches_copy(walk, &plans[type], header);
	bool is_same = named && plans[type].header == named;
	bool is_part = named && type && !plans[type].is_exact && size == plans[named].size &&
		       plans[type].pointer_bytes == plans[named].pointer_bytes;
	if (!is_copy && !is_same && !is_part)
		type = named;
	settle(worker, place, one_or_array(plans, type, place->span->elemsize), false);
}

void sw_claim_by_header(struct sw_type_worker *worker, const struct sw_place *place)
{
	if (sw_span_has_header(place->span) && !is_settled(worker->walk, place->object))
		claim_headed(worker, place, 0);
}

void sw_claim_parked(struct sw_type_worker *worker, const struct sw_place *place)
{
	uint32_t *state = &worker->walk->states[place->object];
	if (!(*state & SW_STATE_WEAK) || sw_state_tag(*state))
		return;
	sw_type type = *state & SW_STATE_TYPE;
	*state = 0;
	settle(worker, place, type, true);
}

/* ---- pointers, of objects that are not settled ---- */

/* A pointer to one value. */
static void claim_value(struct sw_type_worker *worker, const struct sw_place *place, sw_type type)
{
	const struct sw_type_plan *plans = worker->walk->plans.list.items, *plan = &plans[type];

	if (sw_span_has_header(place->span)) {
		claim_headed(worker, place, type);
	} else if (!place->offset) {
		bool is_weak =
			(plan->fit != place->span->elemsize && !plan->is_single) || plan->is_vague;
		/* A number at the start of something larger is most likely its first field. */
		if ((!is_weak || plan->is_struct) && sw_type_agrees(plan, place))
			settle(worker, place, type, is_weak);
	} else if (plan->is_struct && plan->array && place->offset % plan->size == 0 &&
		   sw_type_agrees(&plans[plan->array], place)) {
		settle(worker, place, plan->array, true);
	}
}

/* A pointer to elements, or to bytes of a string. */
static void claim_array(struct sw_type_worker *worker, const struct sw_place *place, sw_type type)
{
	const struct sw_type_plan *plan = &worker->walk->plans.list.items[type];

	if (sw_span_has_header(place->span))
		claim_headed(worker, place, type);
	else if (plan->size && place->offset % plan->size == 0 && sw_type_agrees(plan, place))
		settle(worker, place, type, place->offset != 0);
}

static void claim_closure(struct sw_type_worker *worker, const struct sw_place *place)
{
	const struct sw_type_walk *walk = worker->walk;
	const uint8_t *bytes = object_bytes(place);
	sw_type type;

	if (sw_span_has_header(place->span)) {
		claim_headed(worker, place, 0);
		return;
	}
	if (place->offset || !bytes || place->span->elemsize < 8)
		return;
	sw_addr entry = sw_load64(bytes);
	if (sw_go_module_of_pc(walk->go, entry) && resolve(worker, entry, SW_WORD_CODE, &type))
		settle(worker, place, type, false);
}

void sw_claim_by_code(struct sw_type_worker *worker, const struct sw_place *place)
{
	const struct sw_type_walk *walk = worker->walk;
	const uint8_t *bytes = object_bytes(place);
	struct sw_go_func func;

	if (sw_span_has_header(place->span) || place->span->scan == SW_SCAN_NONE || !bytes ||
	    place->span->elemsize < 8 || is_settled(walk, place->object))
		return;
	sw_addr entry = sw_load64(bytes);
	if (sw_go_module_of_pc(walk->go, entry) && sw_go_find_func(walk->go, entry, &func) &&
	    func.entry == entry && sw_go_is_closure_name(sw_go_func_name(&func)))
		claim_closure(worker, place);
}

/* runtime/chan.go hchan.elemtype. */
static void claim_channel(struct sw_type_worker *worker, const struct sw_place *place)
{
	const struct sw_go *go = worker->walk->go;
	const uint8_t *bytes = object_bytes(place);
	sw_offset at = go->layout.hchan.elemtype;
	sw_type type;

	if (place->offset || !bytes || at >= place->span->elemsize ||
	    place->span->elemsize - at < 8 || sw_span_has_header(place->span))
		return;
	if (resolve(worker, sw_load64(bytes + at), SW_WORD_ELEMENT, &type) && type)
		claim_value(worker, place, type);
}

/* One of two, as a byte at the object's start says. */
static void claim_choice(struct sw_type_worker *worker, const struct sw_place *place,
			 const struct sw_slot_plan *slot)
{
	const uint8_t *bytes = object_bytes(place);
	if (bytes && !place->offset)
		claim_value(worker, place, bytes[0] ? slot->other : slot->target);
}

static void claim(struct sw_type_worker *worker, const struct sw_place *place,
		  const struct sw_slot_plan *slot, sw_addr neighbour);

/* A value in an interface: a pointer to it, or the pointer that it is. */
static void claim_interface(struct sw_type_worker *worker, const struct sw_place *place,
			    sw_addr neighbour, enum sw_type_word kind)
{
	const struct sw_type_walk *walk = worker->walk;
	const struct sw_type_plan *plan;
	sw_type type;

	if (!resolve(worker, neighbour, kind, &type))
		return;
	plan = &walk->plans.list.items[type];
	if (!type)
		sw_claim_by_header(worker, place);
	else if (!plan->is_direct)
		claim_value(worker, place, type);
	else if (plan->count && !sw_slot_neighbour(&walk->plans.slots.items[plan->first]))
		claim(worker, place, &walk->plans.slots.items[plan->first], 0);
}

static void claim(struct sw_type_worker *worker, const struct sw_place *place,
		  const struct sw_slot_plan *slot, sw_addr neighbour)
{
	switch (slot->action) {
	case SW_SLOT_POINTER:
		claim_value(worker, place, slot->target);
		break;
	case SW_SLOT_ARRAY:
		claim_array(worker, place, slot->target);
		break;
	case SW_SLOT_EFACE:
		claim_interface(worker, place, neighbour, SW_WORD_DESCRIPTOR);
		break;
	case SW_SLOT_IFACE:
		claim_interface(worker, place, neighbour, SW_WORD_ITAB);
		break;
	case SW_SLOT_FUNC:
		claim_closure(worker, place);
		break;
	case SW_SLOT_DIRECTORY:
		if (neighbour)
			claim_array(worker, place, slot->other);
		else
			claim_value(worker, place, slot->target);
		break;
	case SW_SLOT_CHANNEL:
		claim_channel(worker, place);
		break;
	case SW_SLOT_CHOICE:
		claim_choice(worker, place, slot);
		break;
	default:
		sw_claim_by_header(worker, place);
		break;
	}
}

int sw_slot_neighbour(const struct sw_slot_plan *slot)
{
	switch (slot->action) {
	case SW_SLOT_EFACE:
	case SW_SLOT_IFACE:
		return -8;
	case SW_SLOT_DIRECTORY:
		return 8;
	default:
		return 0;
	}
}

/* ---- pointers on their way ---- */

static inline bool find_slot(const struct sw_heap *heap, sw_addr pointer, struct sw_place *place)
{
	const struct sw_span *span = sw_heap_span(heap, pointer);
	if (!span)
		return false;
	place->span = span;
	place->index = sw_span_index(span, pointer);
	place->slot = span->first_slot + place->index;
	place->offset = pointer - span->base - place->index * span->elemsize;
	return place->index < span->count;
}

static inline bool find_object(const struct sw_heap *heap, struct sw_place *place)
{
	if (!sw_heap_is_marked(heap, place->slot))
		return false;
	place->object = sw_heap_rank(heap, place->slot);
	return true;
}

void sw_claim_word(struct sw_type_worker *worker, const struct sw_slot_plan *slot, sw_addr word,
		   sw_addr neighbour)
{
	const struct sw_type_walk *walk = worker->walk;
	struct sw_place place;
	if (find_slot(walk->heap, word, &place) && find_object(walk->heap, &place) &&
	    !is_settled(walk, place.object))
		claim(worker, &place, slot, neighbour);
}

static void defer(struct sw_type_worker *worker, sw_slot slot)
{
	struct sw_number_list *deferred = &worker->deferred;
	if (deferred->count && deferred->items[deferred->count - 1] == slot)
		return;
	struct sw_error *error = sw_number_list_add(deferred, slot);
	if (error)
		fail(worker, error);
}

/* The oldest of the ring. */
static void take_pending(struct sw_type_worker *worker)
{
	const struct sw_pending *pending = &worker->pending[worker->pending_first % SW_PENDING];
	worker->pending_first++;
	worker->pending_count--;
	if (pending->place.object == SW_NO_OBJECT ||
	    is_settled(worker->walk, pending->place.object))
		return;
	worker->is_deferred = false;
	claim(worker, &pending->place, pending->slot, pending->neighbour);
	if (worker->is_deferred)
		defer(worker, pending->from);
}

/* Halfway through the ring the block is there, and what is read last is asked for. */
static void advance_pending(struct sw_type_worker *worker)
{
	const struct sw_type_walk *walk = worker->walk;
	if (worker->pending_count <= SW_PENDING / 2)
		return;
	unsigned half = worker->pending_first + worker->pending_count - 1 - SW_PENDING / 2;
	struct sw_place *place = &worker->pending[half % SW_PENDING].place;
	if (place->object == SW_NO_OBJECT && find_object(walk->heap, place))
		__builtin_prefetch(&walk->states[place->object], 1);
}

void sw_claims_finish(struct sw_type_worker *worker)
{
	unsigned end = worker->pending_first + worker->pending_count;
	for (unsigned at = worker->pending_first; at != end; at++) {
		struct sw_place *place = &worker->pending[at % SW_PENDING].place;
		if (place->object == SW_NO_OBJECT)
			find_object(worker->walk->heap, place);
	}
	while (worker->pending_count)
		take_pending(worker);
}

static void add_pending(struct sw_type_worker *worker, const struct sw_slot_plan *slot,
			sw_addr word, sw_addr neighbour, sw_slot from)
{
	const struct sw_type_walk *walk = worker->walk;
	struct sw_place place = {.object = SW_NO_OBJECT};
	if (!find_slot(walk->heap, word, &place))
		return;
	__builtin_prefetch(&walk->heap->blocks[place.slot / 64]);
	if (place.span->scan == SW_SCAN_BITMAP)
		__builtin_prefetch(place.span->bitmap + place.index * place.span->elemsize / 64);
	if (worker->pending_count == SW_PENDING)
		take_pending(worker);
	worker->pending[(worker->pending_first + worker->pending_count) % SW_PENDING] =
		(struct sw_pending){slot, neighbour, from, place};
	worker->pending_count++;
	advance_pending(worker);
}

/* ---- objects ---- */

/* The pointers of one value at `bytes`, of which `size` are readable. */
static void claim_parts(struct sw_type_worker *worker, const struct sw_type_plan *plan,
			const uint8_t *bytes, uint64_t size, sw_slot from)
{
	const struct sw_type_plans *plans = &worker->walk->plans;
	const struct sw_slot_plan *slot = &plans->slots.items[plan->first];
	const struct sw_slot_plan *end = slot + plan->count;

	for (; slot < end && slot->offset + 8 <= size; slot++) {
		if (slot->action == SW_SLOT_REPEAT) {
			const struct sw_type_plan *element = &plans->list.items[slot->target];
			uint64_t at = slot->offset;
			for (uint64_t i = 0; i < slot->count && at + element->size <= size; i++) {
				claim_parts(worker, element, bytes + at, element->size, from);
				at += element->size;
			}
			continue;
		}
		uint64_t word = sw_load64(bytes + slot->offset);
		int beside = sw_slot_neighbour(slot);
		if (!word || (beside > 0 && slot->offset + 16 > size))
			continue;
		add_pending(worker, slot, word,
			    beside ? sw_load64(bytes + slot->offset + beside) : 0, from);
	}
}

void sw_claim_pointers(struct sw_type_worker *worker, sw_slot slot)
{
	const struct sw_type_walk *walk = worker->walk;
	const struct sw_span *span = sw_heap_slot_span(walk->heap, slot);
	uint32_t state =
		__atomic_load_n(&walk->states[sw_heap_rank(walk->heap, slot)], __ATOMIC_RELAXED);
	const struct sw_type_plan *plan = &walk->plans.list.items[state & SW_STATE_TYPE];
	uint64_t at = sw_go_header(span);

	if (!plan->count || !plan->size || !span->bytes)
		return;
	const uint8_t *bytes = span->bytes + (uint64_t)(slot - span->first_slot) * span->elemsize;
	for (; at + plan->size <= span->elemsize; at += plan->size) {
		claim_parts(worker, plan, bytes + at, plan->size, slot);
		if (plan->is_single)
			break;
	}
}
