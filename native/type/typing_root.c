/* The first level: what roots say about the objects they hold. */
#include "type/typing_private.h"

#include "type/flow.h"

enum {
	ROOT_PASSES = 4,
	FINALIZER_OT = 24, /* bytes of specialfinalizer from fn to ot */
};

static int compare_numbers(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

void sw_sort_unique(uint64_t *items, size_t *count)
{
	size_t kept = 0;
	if (*count > 1)
		qsort(items, *count, sizeof(*items), compare_numbers);
	for (size_t i = 0; i < *count; i++)
		if (!kept || items[kept - 1] != items[i])
			items[kept++] = items[i];
	*count = kept;
}

/* ---- with debug information ---- */

/* The variable's type, planned; 0 when it has none. */
static struct sw_error *root_type(struct sw_type_walk *walk, const struct sw_go_root *root,
				  sw_type *type)
{
	*type = root->type ? sw_type_of_dwarf(walk->types, root->type) : 0;
	return sw_type_plans_make(&walk->plans, *type);
}

/* The neighbour is read only where it surely belongs to the variable: pieces of a local may lie
 * apart. */
static sw_addr read_neighbour(const struct sw_type_walk *walk, const struct sw_go_root *root,
			      const struct sw_slot_plan *slot, sw_addr at)
{
	sw_addr word = 0, beside = at + (sw_addr)(int64_t)sw_slot_neighbour(slot);
	if (beside != at && beside - root->address < root->size)
		sw_memory_u64(walk->go->memory, beside, &word);
	return word;
}

/* ---- without ---- */

/* A pointer behind a word that is none but names a type is the data of an interface. */
static bool find_interface(const struct sw_type_walk *walk, const struct sw_go_root *root,
			   sw_addr at, struct sw_slot_plan *slot, sw_addr *neighbour)
{
	bool may_be_data = root->kind == SW_GO_ROOT_GLOBAL ? !sw_flow_has_pointer(walk->go, at - 8)
							   : root->may_be_data;
	sw_type type;
	if (!may_be_data || !sw_memory_u64(walk->go->memory, at - 8, neighbour))
		return false;
	slot->action = sw_flow_interface(walk->go, walk->types, at - 8, &type);
	return slot->action != SW_SLOT_UNKNOWN;
}

/* Bytes that code takes for a slice may have become a string on the way, which needs no
 * instruction: a slice has a third word, its capacity. */
static void tell_string(const struct sw_type_walk *walk, sw_addr at, struct sw_slot_plan *slot)
{
	const struct sw_span *span;
	sw_addr pointer;
	const struct sw_type_info *info = sw_type_info(walk->types, slot->target);
	uint64_t length, capacity;
	if (info->size != 1 || info->role != SW_TYPE_BACKING ||
	    sw_type_info(walk->types, info->elem)->kind != SW_KIND_UINT8 ||
	    !sw_memory_u64(walk->go->memory, at + 8, &length))
		return;
	span = sw_memory_u64(walk->go->memory, at, &pointer) ? sw_heap_span(walk->heap, pointer)
							     : NULL;
	if (sw_flow_has_pointer(walk->go, at + 16) ||
	    !sw_memory_u64(walk->go->memory, at + 16, &capacity) || capacity < length || !span ||
	    capacity > span->elemsize)
		slot->target = sw_type_string_bytes(walk->types);
}

static struct sw_error *find_by_code(struct sw_type_walk *walk, const struct sw_go_root *root,
				     sw_addr at, struct sw_slot_plan *slot, sw_addr *neighbour)
{
	bool is_local = root->kind == SW_GO_ROOT_LOCAL;
	bool is_known = false;
	/* What stands before a variable is never out of date; in a frame it may be. */
	if (is_local && walk->flow)
		is_known = sw_flow_local(walk->flow, sw_flow_site(root->pc, root->is_call),
					 (int64_t)(at - root->fp), slot);
	if (!is_known && find_interface(walk, root, at, slot, neighbour)) {
		walk->typing->known_by_interface++;
		return NULL;
	}
	if (!is_local && walk->flow)
		is_known = sw_flow_global(walk->flow, at, slot);
	if (!is_known)
		*slot = (struct sw_slot_plan){.action = SW_SLOT_UNKNOWN};
	else if (slot->action == SW_SLOT_ARRAY && !is_local)
		tell_string(walk, at, slot);
	walk->typing->known_by_code += is_known;
	return sw_type_plans_know(&walk->plans, slot->target);
}

SW_VECTOR(sw_addr, pc_list);

/* Where the frames on the stacks go on. */
static struct sw_error *list_pcs(const struct sw_type_walk *walk, struct pc_list *pcs)
{
	struct sw_error *error = NULL;
	for (size_t i = 0; !error && i < walk->go->roots.count; i++)
		if (walk->go->roots.items[i].pc)
			error = pc_list_add(pcs, sw_flow_site(walk->go->roots.items[i].pc,
							      walk->go->roots.items[i].is_call));
	sw_sort_unique(pcs->items, &pcs->count);
	return error;
}

struct sw_error *sw_type_walk_read_code(struct sw_type_walk *walk)
{
	struct pc_list pcs = {0};
	if (walk->go->dwarf)
		return NULL;
	struct sw_error *error = list_pcs(walk, &pcs);
	if (!error)
		error = sw_flow_create(walk->go, walk->types, &walk->plans, walk->work,
				       (struct sw_flow_sites){pcs.items, pcs.count}, &walk->flow);
	if (!error)
		error = sw_flow_follow_variables(walk->flow);
	pc_list_free(&pcs);
	return error;
}

struct sw_error *sw_type_walk_read_closure(struct sw_type_walk *walk, sw_addr entry)
{
	struct sw_error *error = NULL;
	if (!walk->go->dwarf)
		return NULL;
	if (!walk->flow)
		error = sw_flow_open(walk->go, walk->types, &walk->plans, walk->work, &walk->flow);
	return error ? error : sw_flow_find_closure(walk->flow, entry);
}

/* ---- what is kept ---- */

static bool has_number(const struct sw_type_walk *walk, sw_addr at, uint64_t *out)
{
	return !sw_flow_has_pointer(walk->go, at) && sw_memory_u64(walk->go->memory, at, out);
}

/* Is it the first word of a slice's or a string's header? The words of a variable stand together;
 * those of a frame may be anywhere. */
static uint32_t header_kind(const struct sw_type_walk *walk, const struct sw_go_root *root,
			    sw_addr at, bool is_string)
{
	uint64_t length, capacity;
	if (root->kind != SW_GO_ROOT_GLOBAL || !has_number(walk, at + 8, &length))
		return SW_ROOT_WORD_ELEMENTS;
	if (is_string)
		return SW_ROOT_WORD_STRING;
	return has_number(walk, at + 16, &capacity) && capacity && length <= capacity
		       ? SW_ROOT_WORD_SLICE
		       : SW_ROOT_WORD_ELEMENTS;
}

/* What a slot, found by the root's type or by code, says of the word there. */
static struct sw_root_word_type describe_word(const struct sw_type_walk *walk,
					      const struct sw_go_root *root, sw_addr at,
					      const struct sw_slot_plan *slot)
{
	const struct sw_type_info *info = sw_type_info(walk->types, slot->target);
	bool is_string = info->role == SW_TYPE_STRING_BYTES;
	struct sw_root_word_type none = {0, SW_ROOT_WORD_UNKNOWN};

	switch (slot->action) {
	case SW_SLOT_UNKNOWN:
		return none;
	case SW_SLOT_POINTER:
		if (!slot->target)
			return none;
		if (info->role != SW_TYPE_PLAIN)
			break;
		return (struct sw_root_word_type){slot->target, info->kind == SW_KIND_ARRAY
									? SW_ROOT_WORD_ELEMENTS
									: SW_ROOT_WORD_POINTER};
	case SW_SLOT_ARRAY:
		if (!is_string && info->role != SW_TYPE_BACKING)
			break;
		return (struct sw_root_word_type){info->elem,
						  header_kind(walk, root, at, is_string)};
	case SW_SLOT_EFACE:
	case SW_SLOT_IFACE:
		/* In a frame the word before may be out of date. */
		if (root->kind != SW_GO_ROOT_GLOBAL)
			return none;
		return (struct sw_root_word_type){
			0, slot->action == SW_SLOT_EFACE ? SW_ROOT_WORD_EFACE : SW_ROOT_WORD_IFACE};
	default:
		break;
	}
	return (struct sw_root_word_type){0, SW_ROOT_WORD_WHOLE};
}

/* ---- finalizers ---- */

/* runtime/mheap.go specialfinalizer: fn; nret, fint; ot, the type of the pointer to its object. */
static sw_type finalizer_type(struct sw_type_walk *walk, const struct sw_go_root *root)
{
	sw_addr at = root->address + walk->go->layout.specialfinalizer.fn + FINALIZER_OT, pointer;
	if (!sw_memory_u64(walk->go->memory, at, &pointer))
		return 0;
	const struct sw_type_info *info =
		sw_type_info(walk->types, sw_type_of_descriptor(walk->types, pointer));
	return info->kind == SW_KIND_POINTER ? info->elem : 0;
}

/* A word of the object, which may be garbage but for what it refers to; the object itself. */
static struct sw_error *walk_finalizer_word(struct sw_type_walk *walk,
					    const struct sw_go_root *root,
					    const struct sw_root_word *word)
{
	static const struct sw_slot_plan function = {.action = SW_SLOT_FUNC};
	struct sw_slot_plan whole = {.action = SW_SLOT_POINTER};
	sw_addr object = word->at ? word->at : word->pointer, neighbour = 0;
	sw_slot place = sw_heap_slot(walk->heap, object);

	if (place == SW_NO_SLOT) {
		sw_claim_word(&walk->workers[0], &function, word->pointer, 0);
		return NULL;
	}
	object = sw_heap_slot_address(walk->heap, place);
	object += sw_go_header(sw_heap_slot_span(walk->heap, place));
	whole.target = finalizer_type(walk, root);
	struct sw_error *error = sw_type_plans_make(&walk->plans, whole.target);
	if (error)
		return error;
	sw_claim_word(&walk->workers[0], &whole, object, 0);
	const struct sw_slot_plan *slot =
		sw_type_plans_slot(&walk->plans, whole.target, word->at - object);
	if (!word->at || !slot)
		return NULL;
	if (sw_slot_neighbour(slot))
		sw_memory_u64(walk->go->memory,
			      word->at + (sw_addr)(int64_t)sw_slot_neighbour(slot), &neighbour);
	sw_claim_word(&walk->workers[0], slot, word->pointer, neighbour);
	return NULL;
}

/* ---- words ---- */

static struct sw_error *find_by_type(struct sw_type_walk *walk, const struct sw_go_root *root,
				     sw_addr at, struct sw_slot_plan *slot, sw_addr *neighbour)
{
	sw_type type;
	struct sw_error *error = root_type(walk, root, &type);
	if (error || !type)
		return error;
	const struct sw_slot_plan *found =
		sw_type_plans_slot(&walk->plans, type, at - root->address + root->type_offset);
	if (!found)
		return NULL;
	walk->typing->known_by_debug_information++;
	*slot = *found;
	*neighbour = read_neighbour(walk, root, found, at);
	/* Of an interface in pieces: the word before the data is asked what it is. */
	struct sw_slot_plan interface = *found;
	bool is_interface = found->action == SW_SLOT_IFACE || found->action == SW_SLOT_EFACE;
	if (is_interface && !*neighbour &&
	    (!find_interface(walk, root, at, &interface, neighbour) ||
	     interface.action != found->action))
		*neighbour = 0;
	return NULL;
}

/* ---- timers ---- */

/* In the heap of a P, a pointer to the runtime.timer: an object of its own, or the end of a
 * time.Timer or Ticker (time/sleep.go, tick.go; from 1.23 on a runtime.timeTimer). */
static struct sw_error *walk_timer_word(struct sw_type_walk *walk, const struct sw_root_word *word)
{
	enum { FIRST_WITH_TIME_TIMER = 23 };
	const struct sw_go *go = walk->go;
	struct sw_slot_plan whole = {.action = SW_SLOT_POINTER};
	sw_slot place = sw_heap_slot(walk->heap, word->pointer);
	uint64_t period = 0;

	if (place == SW_NO_SLOT)
		return NULL;
	sw_addr object = sw_heap_slot_address(walk->heap, place);
	sw_memory_u64(go->memory, word->pointer + go->layout.timer.period, &period);
	whole.target = sw_type_of_name(walk->types, word->pointer == object ? "runtime.timer"
						    : go->minor >= FIRST_WITH_TIME_TIMER
							    ? "runtime.timeTimer"
						    : period ? "time.Ticker"
							     : "time.Timer");
	struct sw_error *error = sw_type_plans_make(&walk->plans, whole.target);
	if (!error && whole.target)
		sw_claim_word(&walk->workers[0], &whole, object, 0);
	return error;
}

static bool is_timers(const struct sw_go_root *root)
{
	return root->kind == SW_GO_ROOT_QUEUE && !strcmp(root->name, "timers");
}

static struct sw_error *walk_root_word(struct sw_type_walk *walk, const struct sw_root_word *word,
				       struct sw_root_word_type *known)
{
	struct sw_slot_plan slot = {.action = SW_SLOT_UNKNOWN};
	const struct sw_go_root *root =
		word->root < walk->go->roots.count ? &walk->go->roots.items[word->root] : NULL;
	struct sw_error *error = NULL;
	sw_addr neighbour = 0;

	if (root && root->kind == SW_GO_ROOT_FINALIZER)
		return walk_finalizer_word(walk, root, word);
	if (root && is_timers(root))
		return walk_timer_word(walk, word);
	if (root && word->at && root->type)
		error = find_by_type(walk, root, word->at, &slot, &neighbour);
	else if (root && word->at &&
		 (root->kind == SW_GO_ROOT_GLOBAL || root->kind == SW_GO_ROOT_LOCAL))
		error = find_by_code(walk, root, word->at, &slot, &neighbour);
	if (error)
		return error;
	*known = describe_word(walk, root, word->at, &slot);
	sw_claim_word(&walk->workers[0], &slot, word->pointer, neighbour);
	return NULL;
}

/* Again as long as words name types that were not known. */
struct sw_error *sw_type_walk_roots(struct sw_type_walk *walk)
{
	struct sw_error *error = NULL;
	bool wants_more = true;

	for (unsigned pass = 0; !error && wants_more && pass < ROOT_PASSES; pass++) {
		walk->typing->root_pointers = walk->heap->root_words.count;
		walk->typing->known_by_debug_information = 0;
		walk->typing->known_by_interface = walk->typing->known_by_code = 0;
		for (size_t i = 0; !error && i < walk->heap->root_words.count; i++)
			error = walk_root_word(walk, &walk->heap->root_words.items[i],
					       &walk->typing->root_types[i]);
		wants_more = walk->workers[0].words.count != 0;
		if (!error)
			error = sw_type_walk_end_level(walk);
	}
	return error;
}
