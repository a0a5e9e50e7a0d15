/* Who holds contexts, and how.
 *
 * Outside package context nothing has a pointer to a cancelCtx but as an interface, whose first
 * word tells so, and the cancel function: a closure that captured it, in the heap or in a frame, or
 * what is left of one that was inlined. So a word that leads to a context and is not the second of
 * an interface may cancel it, and one that is can not. */
#include "base/bitset.h"
#include "go/field.h"
#include "go/interface.h"
#include "go/wait.h"
#include "library/context_private.h"

SW_MAP(sw_type, named_types);	   /* type + 1 by a word that may name it */
SW_MAP(uint8_t, goroutine_groups); /* roots, each + 1 */

struct use_search {
	const struct sw_live *live;
	struct sw_contexts *contexts;
	uint64_t *holders; /* bits by object: those that refer to contexts */
	struct named_types names;
	struct goroutine_groups groups;	     /* of goroutines that pass an end on */
	struct sw_context_numbers by_object; /* number of a context by object, each + 1 */
	sw_node from;			     /* whose words are looked at */
	sw_addr slot;			     /* of an object: where its slot begins */
	bool is_propagator;		     /* its words belong to such a goroutine */
	bool is_children;		     /* part of a map of children */
	struct sw_error *error;
};

static struct sw_context *context_at(const struct use_search *search, uint32_t number)
{
	return &search->contexts->list.items[number];
}

/* ---- goroutines of package context ---- */

static const char *function_at(const struct sw_live *live, sw_addr pc)
{
	struct sw_go_func func;
	return pc && sw_go_find_func(live->go, pc, &func) ? sw_go_func_name(&func) : "";
}

static bool begins(const char *name, const char *prefix)
{
	return !strncmp(name, prefix, strlen(prefix));
}

/* propagateCancel is a function until 1.20. */
static bool is_propagation(const char *function)
{
	return begins(function, "context.(*cancelCtx).propagateCancel.func") ||
	       begins(function, "context.propagateCancel.func");
}

struct sw_error *sw_contexts_find_goroutines(const struct sw_live *live,
					     struct sw_contexts *contexts)
{
	struct sw_error *error = NULL;

	for (uint32_t i = 0; !error && i < live->go->goroutines.count; i++) {
		const struct sw_goroutine *g = &live->go->goroutines.items[i];
		const char *start = function_at(live, g->startpc);
		struct sw_context_goroutine found = {.goroutine = i};
		if (is_propagation(start))
			found.kind = SW_CONTEXT_PROPAGATES;
		else if (begins(start, "os/signal.NotifyContext."))
			found.kind = SW_CONTEXT_SIGNALS;
		else if (begins(function_at(live, g->gopc), "context.(*afterFuncCtx).cancel"))
			found.kind = SW_CONTEXT_RUNS_AFTER;
		else
			continue;
		error = sw_context_goroutines_add(&contexts->goroutines, found);
	}
	return error;
}

/* The roots of those that pass an end on. */
static struct sw_error *find_groups(struct use_search *search)
{
	const struct sw_go_waits *waits = search->live->go->waits;
	const struct sw_context_goroutines *all = &search->contexts->goroutines;
	struct sw_error *error = NULL;

	for (size_t i = 0; !error && waits && i < all->count; i++)
		if (all->items[i].kind == SW_CONTEXT_PROPAGATES &&
		    all->items[i].goroutine < waits->list.count)
			error = goroutine_groups_set(
				&search->groups,
				(uint64_t)waits->list.items[all->items[i].goroutine].root + 1, 1);
	return error;
}

static bool is_propagating(const struct use_search *search, uint32_t group)
{
	return group != SW_NO_ROOT && goroutine_groups_find(&search->groups, (uint64_t)group + 1);
}

/* ---- words ---- */

/* The type that the first word of an interface names, 0: it is none. */
static sw_type type_named_by(struct use_search *search, sw_addr word)
{
	const struct sw_live *live = search->live;
	sw_addr descriptor;

	if (!word || word % 8 || sw_heap_span(live->heap, word))
		return 0;
	const sw_type *known = named_types_find(&search->names, word);
	if (known)
		return *known - 1;
	sw_type type = sw_type_of_descriptor(live->types, word);
	if (!type && sw_go_itab_type(live->go, word, &descriptor))
		type = sw_type_of_descriptor(live->types, descriptor);
	if (!search->error)
		search->error = named_types_set(&search->names, word, type + 1);
	return type;
}

/* Is a word that leads to a context the second of an interface which holds it? */
static bool is_interface(struct use_search *search, const struct sw_context *context, sw_addr at)
{
	uint64_t before;
	if (!at || !sw_memory_u64(search->live->go->memory, at - 8, &before))
		return false;
	sw_type type = type_named_by(search, before);
	return type && (type == context->value.type ||
			sw_type_info(search->live->types, type)->elem == context->value.type);
}

/* The closure that its timer calls. */
static bool is_timer(const struct use_search *search, const struct sw_context *context)
{
	return context->timer != SW_NO_CONTEXT &&
	       search->slot == search->contexts->timers.items[context->timer].closure;
}

/* A context derives from it: the word is its Context. */
static bool derives(const struct use_search *search, uint32_t from, uint32_t number)
{
	return from != SW_NO_CONTEXT && context_at(search, from)->parent == number;
}

static uint32_t context_of_object(const struct use_search *search, sw_node object)
{
	const uint32_t *known = sw_context_numbers_find(&search->by_object, (uint64_t)object + 1);
	return known ? *known - 1 : SW_NO_CONTEXT;
}

/* A word of `from`, at an address (0: in a register), that leads to a context. */
static void count_word(struct use_search *search, uint32_t number, sw_addr pointer, sw_addr at)
{
	struct sw_context *context = context_at(search, number);
	uint32_t from = context_of_object(search, search->from);

	if (search->is_propagator) {
		context->propagators++;
		return;
	}
	if (from == number || is_timer(search, context))
		return;
	bool is_whole = pointer == context->value.addr && is_interface(search, context, at);
	if (is_whole && (search->is_children || derives(search, from, number)))
		return;
	context->uses++;
	context->cancels += !is_whole;
}

/* ---- those in objects ---- */

static bool list_holder(void *context, sw_node from)
{
	struct use_search *search = context;
	if (from < search->live->graph->object_count)
		sw_bitset_set(search->holders, from);
	return true;
}

static bool visit_pointer(void *context, uint64_t offset, sw_addr pointer)
{
	struct use_search *search = context;
	sw_object object = sw_heap_object(search->live->heap, pointer);
	uint32_t number =
		object == SW_NO_OBJECT ? SW_NO_CONTEXT : context_of_object(search, object);
	if (number != SW_NO_CONTEXT)
		count_word(search, number, pointer, search->slot + offset);
	return !search->error;
}

static void look_at_holder(struct use_search *search, sw_object object)
{
	const struct sw_live *live = search->live;
	sw_slot slot = sw_heap_select(live->heap, object);
	const char *type = sw_type_info(live->types, sw_live_type(live, object))->name;
	uint64_t code;

	search->from = object;
	search->slot = sw_heap_slot_address(live->heap, slot);
	search->is_children = strstr(type, "[context.canceler]struct {}") != NULL;
	search->is_propagator = sw_memory_u64(live->go->memory, search->slot, &code) &&
				is_propagation(function_at(live, code));
	sw_heap_pointers(live->heap, slot, visit_pointer, search);
}

static struct sw_error *look_at_objects(struct use_search *search)
{
	const struct sw_live *live = search->live;
	uint32_t objects = live->graph->object_count;

	search->holders = calloc(sw_bitset_words((size_t)objects + 1), sizeof(*search->holders));
	if (!search->holders)
		return sw_error_memory();
	for (size_t i = 0; i < search->contexts->list.count; i++)
		if (search->contexts->list.items[i].object != SW_NO_OBJECT)
			sw_live_referrers(live, search->contexts->list.items[i].object, list_holder,
					  search);
	for (sw_object i = 0; !search->error && i < objects; i++)
		if (sw_bitset_has(search->holders, i))
			look_at_holder(search, i);
	return search->error;
}

/* ---- those in variables and frames ---- */

static struct sw_error *look_at_roots(struct use_search *search)
{
	const struct sw_heap *heap = search->live->heap;

	search->slot = 0;
	search->is_children = false;
	for (size_t i = 0; !search->error && i < heap->root_words.count; i++) {
		const struct sw_root_word *word = &heap->root_words.items[i];
		sw_object object = sw_heap_object(heap, word->pointer);
		uint32_t number =
			object == SW_NO_OBJECT ? SW_NO_CONTEXT : context_of_object(search, object);
		if (number == SW_NO_CONTEXT || word->root >= heap->roots.count)
			continue;
		uint32_t group = heap->roots.items[word->root].group;
		search->from = search->live->graph->object_count + word->root;
		search->is_propagator = is_propagating(search, group);
		count_word(search, number, word->pointer, word->at);
	}
	return search->error;
}

/* ---- what follows ---- */

struct channel_search {
	const struct use_search *search;
	const struct sw_context *context;
};

/* Who has the channel of Done() waits for it, or will; but for those that pass an end on. */
static bool is_nobody(void *context, sw_node from)
{
	const struct channel_search *channel = context;
	const struct use_search *search = channel->search;
	const struct sw_live *live = search->live;

	if (from == channel->context->object ||
	    from == sw_heap_object(live->heap, channel->context->cancel.addr))
		return true;
	if (!sw_graph_is_root(live->graph, from))
		return false;
	uint32_t group = live->heap->roots.items[from - live->graph->object_count].group;
	return is_propagating(search, group);
}

static bool is_channel_used(const struct use_search *search, const struct sw_context *context)
{
	struct channel_search channel = {search, context};
	sw_object object = sw_heap_object(search->live->heap, context->channel);
	return object != SW_NO_OBJECT &&
	       !sw_live_referrers(search->live, object, is_nobody, &channel);
}

/* Who holds a context holds those above it. */
static void spread_use(struct use_search *search)
{
	struct sw_context_list *list = &search->contexts->list;

	for (size_t i = 0; i < list->count; i++) {
		const struct sw_context *context = &list->items[i];
		bool is_held = context->uses || context->object == SW_NO_OBJECT ||
			       (context->has_cancel && !context->is_done &&
				is_channel_used(search, context));
		for (uint32_t at = (uint32_t)i;
		     is_held && at != SW_NO_CONTEXT && !list->items[at].is_in_use;
		     at = list->items[at].parent)
			list->items[at].is_in_use = true;
	}
}

/* It has one above it that ends, and is not told of that. */
static void find_break(struct use_search *search, uint32_t number)
{
	struct sw_context *context = context_at(search, number);
	uint32_t at = context->parent, canceller = context->canceller;

	if (canceller == SW_NO_CONTEXT || context->registered != SW_NO_CONTEXT ||
	    context->propagators || context_at(search, canceller)->is_damaged)
		return;
	for (; at != canceller && at != SW_NO_CONTEXT; at = context_at(search, at)->parent) {
		if (context_at(search, at)->kind == SW_CONTEXT_STOP)
			return;
		if (context_at(search, at)->kind == SW_CONTEXT_CUSTOM &&
		    context->broken_by == SW_NO_CONTEXT)
			context->broken_by = at;
	}
	if (context->broken_by == SW_NO_CONTEXT)
		return;
	context->broken_from = canceller;
	context_at(search, context->broken_by)->hides_end = true;
}

static void judge(struct use_search *search)
{
	for (uint32_t i = 0; i < search->contexts->list.count; i++) {
		struct sw_context *context = context_at(search, i);
		if (!context->has_cancel || context->is_done)
			continue;
		context->is_lost = context->object != SW_NO_OBJECT && !context->cancels;
		context->is_abandoned = context->is_lost && !context->is_in_use;
		find_break(search, i);
	}
}

static struct sw_error *number_object(struct use_search *search, sw_addr addr, uint32_t number)
{
	sw_object object = sw_heap_object(search->live->heap, addr);
	return object == SW_NO_OBJECT ? NULL
				      : sw_context_numbers_set(&search->by_object,
							       (uint64_t)object + 1, number + 1);
}

static struct sw_error *number_objects(struct use_search *search)
{
	struct sw_error *error = NULL;
	for (uint32_t i = 0; !error && i < search->contexts->list.count; i++) {
		const struct sw_context *context = context_at(search, i);
		if (context->object != SW_NO_OBJECT)
			error = number_object(search, context->value.addr, i);
		if (!error && context->has_cancel)
			error = number_object(search, context->cancel.addr, i);
	}
	return error;
}

struct sw_error *sw_contexts_find_uses(const struct sw_live *live, struct sw_contexts *contexts)
{
	struct use_search search = {.live = live, .contexts = contexts};
	struct sw_error *error = find_groups(&search);

	if (!error)
		error = number_objects(&search);
	if (!error)
		error = look_at_objects(&search);
	if (!error)
		error = look_at_roots(&search);
	if (!error) {
		spread_use(&search);
		judge(&search);
	}
	free(search.holders);
	named_types_free(&search.names);
	goroutine_groups_free(&search.groups);
	sw_context_numbers_free(&search.by_object);
	return error;
}
