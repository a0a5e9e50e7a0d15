/* Who else uses what lies in pools. */
#include "library/pool_private.h"

#include <stdio.h>

bool sw_pool_is_of(const struct sw_pools *pools, sw_object object,
		   const struct sw_pool_element *element)
{
	if (object == element->object)
		return true;
	uint32_t owner = sw_pools_element_of(pools, object);
	return owner != SW_NO_ELEMENT && element->object != SW_NO_OBJECT &&
	       pools->elements.items[owner].object == element->object;
}

void sw_pool_dirt_clear(struct sw_pool_dirt_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i].path);
	sw_pool_dirt_list_free(list);
}

/* ---- what is in pools twice ---- */

static struct sw_error *add_twice(const struct sw_pools *pools, struct sw_pool_dirt_list *out)
{
	struct sw_pool_numbers by_address = {0}, found = {0};
	struct sw_error *error = NULL;

	for (uint32_t i = 0; !error && i < pools->elements.count; i++) {
		const struct sw_pool_element *element = &pools->elements.items[i];
		if (element->object == SW_NO_OBJECT ||
		    !sw_type_info(pools->live->types, element->body.type)->size)
			continue;
		const uint32_t *first = sw_pool_numbers_find(&by_address, element->body.addr);
		if (!first) {
			error = sw_pool_numbers_set(&by_address, element->body.addr, i + 1);
			continue;
		}
		const uint32_t *dirt = sw_pool_numbers_find(&found, element->body.addr);
		if (dirt) {
			out->items[*dirt].times++;
			continue;
		}
		error = sw_pool_numbers_set(&found, element->body.addr, (uint32_t)out->count);
		if (!error)
			error = sw_pool_dirt_list_add(
				out, (struct sw_pool_dirt){.kind = SW_POOL_TWICE,
							   .element = *first - 1,
							   .times = 2,
							   .holder = SW_NO_NODE,
							   .object = element->object,
							   .type = element->body.type,
							   .path = strdup("")});
	}
	sw_pool_numbers_free(&by_address);
	sw_pool_numbers_free(&found);
	return error;
}

/* ---- what somebody else points to ---- */

/* An element, or the array of one of its slices. */
struct target {
	sw_object object;
	uint32_t element;
	char *path;	/* from the element to the array; NULL: the element itself */
	bool is_common; /* an array that all elements of the pool look at */
	sw_node holder; /* found first, SW_NO_NODE */
	sw_addr at;
	uint32_t holders;
};
SW_VECTOR(struct target, target_list);

struct reference_search {
	const struct sw_pools *pools;
	struct target_list targets; /* by object */
	uint32_t element;	    /* whose parts are visited */
};

static struct sw_error *add_target(struct reference_search *search, sw_object object, char *path)
{
	struct target target = {
		.object = object, .element = search->element, .path = path, .holder = SW_NO_NODE};
	struct sw_error *error = target_list_add(&search->targets, target);
	if (error)
		free(path);
	return error;
}

static struct sw_error *add_part(void *context, sw_object array, const char *path)
{
	char *copy = NULL;
	if (asprintf(&copy, "%s%s", *path ? "." : "", path) < 0)
		return sw_error_memory();
	return add_target(context, array, copy);
}

static int by_object(const void *a, const void *b)
{
	const struct target *x = a, *y = b;
	if (x->object != y->object)
		return x->object < y->object ? -1 : 1;
	if (x->element != y->element)
		return x->element < y->element ? -1 : 1;
	return strcmp(x->path ? x->path : "", y->path ? y->path : "");
}

/* Twice in a pool is once a target. */
static struct sw_error *list_targets(struct reference_search *search)
{
	const struct sw_pools *pools = search->pools;
	struct sw_error *error = NULL;
	for (uint32_t i = 0; !error && i < pools->elements.count; i++) {
		const struct sw_pool_element *element = &pools->elements.items[i];
		search->element = i;
		if (element->object != SW_NO_OBJECT)
			error = add_target(search, element->object, NULL);
		if (!error)
			error = sw_pool_parts(pools->live, element, add_part, search);
	}
	if (!error && search->targets.count)
		qsort(search->targets.items, search->targets.count, sizeof(*search->targets.items),
		      by_object);
	return error;
}

static uint32_t pool_of(const struct reference_search *search, const struct target *target)
{
	return search->pools->elements.items[target->element].pool;
}

/* The targets from `begin` on that are one object for elements of one pool. */
static size_t mark_run(struct reference_search *search, size_t begin)
{
	struct target *items = search->targets.items;
	uint32_t pool = pool_of(search, &items[begin]), elements = 0, last = SW_NO_ELEMENT;
	size_t end = begin;

	for (; end < search->targets.count && items[end].object == items[begin].object &&
	       pool_of(search, &items[end]) == pool;
	     end++)
		if (items[end].path && items[end].element != last) {
			last = items[end].element;
			elements++;
		}
	bool is_common = elements > 1 && elements >= search->pools->list.items[pool].count;
	for (size_t i = begin; i < end; i++)
		items[i].is_common = is_common && items[i].path;
	return end;
}

/* A table that all elements look at is no buffer of theirs. */
static void mark_common(struct reference_search *search)
{
	for (size_t i = 0; i < search->targets.count;)
		i = mark_run(search, i);
}

/* A pointer to the start of an array whose elements lie in a pool one by one looks at the array. */
static bool is_hit(const struct reference_search *search, const struct target *target,
		   sw_addr pointer)
{
	const struct sw_live *live = search->pools->live;
	const struct sw_pool_element *element = &search->pools->elements.items[target->element];
	if (target->path || element->is_whole)
		return true;
	return pointer != sw_live_start(live, target->object) &&
	       sw_pool_is_within(live, element, pointer);
}

static void note_holder(struct target *target, sw_node holder, sw_addr at)
{
	target->holders++;
	if (target->holder != SW_NO_NODE)
		return;
	target->holder = holder;
	target->at = at;
}

/* The first pointer of an object into the target. */
struct pointer_search {
	const struct reference_search *search;
	const struct target *target;
	uint64_t offset;
	bool is_found;
};

static bool match_pointer(void *context, uint64_t offset, sw_addr pointer)
{
	struct pointer_search *search = context;
	if (sw_heap_object(search->search->pools->live->heap, pointer) != search->target->object ||
	    !is_hit(search->search, search->target, pointer))
		return true;
	search->offset = offset;
	search->is_found = true;
	return false;
}

/* What lies in a pool itself uses nothing: items of a list that were put back one after the other
 * still lead to each other, and a queue that was emptied to the items it had. */
static void look_at_holder(const struct reference_search *search, struct target *target,
			   sw_node holder)
{
	const struct sw_pools *pools = search->pools;
	const struct sw_heap *heap = pools->live->heap;
	struct pointer_search pointers = {.search = search, .target = target};

	if (holder >= heap->object_count || sw_pools_own(pools, holder) != SW_NO_ELEMENT ||
	    sw_pool_is_of(pools, holder, &pools->elements.items[target->element]) ||
	    sw_pools_element_of(pools, holder) != SW_NO_ELEMENT)
		return;
	sw_slot slot = sw_heap_select(heap, holder);
	sw_heap_pointers(heap, slot, match_pointer, &pointers);
	if (pointers.is_found)
		note_holder(target, holder, sw_heap_slot_address(heap, slot) + pointers.offset);
}

static void look_at_holders(struct reference_search *search, struct target *target)
{
	const struct sw_graph *graph = search->pools->live->graph;
	const struct sw_edge *first = NULL;
	size_t count = sw_graph_extra(graph, target->object, &first);

	look_at_holder(search, target, graph->parent[target->object]);
	for (size_t i = 0; i < count; i++)
		look_at_holder(search, target, first[i].from);
}

/* The runtime's own ways to an object are no use of it. */
static bool is_use(const struct sw_live *live, uint32_t root)
{
	uint8_t kind = live->go->roots.items[root].kind;
	return kind == SW_GO_ROOT_GLOBAL || kind == SW_GO_ROOT_LOCAL ||
	       kind == SW_GO_ROOT_GOROUTINE || kind == SW_GO_ROOT_QUEUE;
}

static void look_at_roots(struct reference_search *search)
{
	const struct sw_live *live = search->pools->live;
	const struct target_list *targets = &search->targets;

	for (size_t i = 0; targets->count && i < live->heap->root_words.count; i++) {
		const struct sw_root_word *word = &live->heap->root_words.items[i];
		sw_object object = sw_heap_object(live->heap, word->pointer);
		size_t low = 0, high = targets->count;
		while (low < high) {
			size_t middle = low + (high - low) / 2;
			if (targets->items[middle].object < object)
				low = middle + 1;
			else
				high = middle;
		}
		for (; low < targets->count && targets->items[low].object == object; low++)
			if (is_use(live, word->root) &&
			    is_hit(search, &targets->items[low], word->pointer))
				note_holder(&targets->items[low],
					    live->heap->object_count + word->root, word->at);
	}
}

static struct sw_error *add_references(const struct sw_pools *pools, struct sw_pool_dirt_list *out)
{
	struct reference_search search = {.pools = pools};
	struct sw_error *error = list_targets(&search);

	if (!error) {
		mark_common(&search);
		look_at_roots(&search);
	}
	for (size_t i = 0; !error && i < search.targets.count; i++) {
		struct target *target = &search.targets.items[i];
		if (!target->is_common)
			look_at_holders(&search, target);
		bool is_borrowed = false;
		if (!target->is_common && target->holders && target->path)
			error = sw_pool_is_borrowed(pools, target->element, target->object,
						    &is_borrowed);
		if (error || target->is_common || !target->holders || is_borrowed)
			continue;
		error = sw_pool_dirt_list_add(
			out,
			(struct sw_pool_dirt){.kind = SW_POOL_REFERENCED,
					      .element = target->element,
					      .times = target->holders,
					      .holder = target->holder,
					      .at = target->at,
					      .object = target->object,
					      .type = sw_live_type(pools->live, target->object),
					      .path = target->path ? target->path : strdup("")});
		target->path = NULL;
	}
	for (size_t i = 0; i < search.targets.count; i++)
		free(search.targets.items[i].path);
	target_list_free(&search.targets);
	return error;
}

/* ---- all ---- */

static int by_element(const void *a, const void *b)
{
	const struct sw_pool_dirt *x = a, *y = b;
	if (x->element != y->element)
		return x->element < y->element ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return strcmp(x->path ? x->path : "", y->path ? y->path : "");
}

struct sw_error *sw_pool_dirt_find(const struct sw_pool_dirt_search *search,
				   struct sw_pool_dirt_list *out, uint64_t *cut)
{
	memset(out, 0, sizeof(*out));
	*cut = 0;
	struct sw_error *error = add_twice(search->pools, out);
	if (!error)
		error = add_references(search->pools, out);
	for (uint32_t i = 0; !error && i < search->pools->list.count; i++)
		error = sw_pool_requests_find(search, i, out, cut);
	if (error)
		sw_pool_dirt_clear(out);
	else if (out->count)
		qsort(out->items, out->count, sizeof(*out->items), by_element);
	return error;
}
