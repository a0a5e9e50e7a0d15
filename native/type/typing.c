/* A type for every object: from typed roots along typed pointers, level by level.
 *
 * What decides between several claims on an object does not depend on the order in which threads
 * come by: of one level the best claim wins, and an earlier level beats a later one. Types are
 * added between levels only, in the order of their addresses, so numbers are the same each time.
 * An object whose interface words, headers or closures name types that are not in the table yet
 * is looked at once more on the next level. */
#include "go/interface.h"
#include "type/flow.h"

enum {
	SERIAL = 4096, /* levels of fewer objects are not worth waking threads for */
	GRAIN = 1024,
	TICK_LEVELS = 1024,
};

/* ---- between levels ---- */

static int compare_wanted(const void *a, const void *b)
{
	const struct sw_wanted_word *x = a, *y = b;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->word == y->word ? 0 : x->word < y->word ? -1 : 1;
}

static int compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static struct sw_error *learn_word(struct sw_type_walk *walk, const struct sw_wanted_word *wanted)
{
	struct sw_number_map *map = &walk->words[wanted->kind];
	sw_addr descriptor = wanted->word;
	sw_type type = 0;

	if (sw_number_map_get(map, wanted->word) || map->count >= SW_WALK_WORDS)
		return NULL;
	if (wanted->kind == SW_WORD_CODE) {
		struct sw_error *error = sw_type_walk_read_closure(walk, wanted->word);
		if (error)
			return error;
		type = sw_type_closure(walk->types, wanted->word);
	}
	if (wanted->kind != SW_WORD_CODE &&
	    (wanted->kind != SW_WORD_ITAB || sw_go_itab_type(walk->go, wanted->word, &descriptor)))
		type = sw_type_of_descriptor(walk->types, descriptor);
	if (wanted->kind == SW_WORD_ELEMENT && sw_type_is_shape(sw_type_info(walk->types, type)))
		type = 0;
	if (wanted->kind == SW_WORD_ELEMENT)
		type = sw_type_chan_header(walk->types, type);
	struct sw_error *error = wanted->kind == SW_WORD_DESCRIPTOR
					 ? sw_type_plans_know_array(&walk->plans, type)
					 : sw_type_plans_know(&walk->plans, type);
	/* What an interface holds directly is followed at once. */
	if (!error && type && walk->plans.list.items[type].is_direct)
		error = sw_type_plans_make(&walk->plans, type);
	return error ? error : sw_number_map_set(map, wanted->word, type + 1);
}

static struct sw_error *learn_words(struct sw_type_walk *walk)
{
	struct sw_wanted_words all = {0};
	struct sw_error *error = NULL;

	for (unsigned i = 0; i < walk->work->workers; i++) {
		struct sw_wanted_words *words = &walk->workers[i].words;
		for (size_t k = 0; !error && k < words->count; k++)
			error = sw_wanted_words_add(&all, words->items[k]);
		if (words->count)
			memset(walk->workers[i].recent_words, 0,
			       sizeof(walk->workers[i].recent_words));
		words->count = 0;
	}
	if (all.count > 1)
		qsort(all.items, all.count, sizeof(*all.items), compare_wanted);
	for (size_t i = 0; !error && i < all.count; i++)
		error = learn_word(walk, &all.items[i]);
	sw_wanted_words_free(&all);
	return error;
}

static struct sw_error *make_plans(struct sw_type_walk *walk)
{
	struct sw_number_list all = {0};
	struct sw_error *error = NULL;

	for (unsigned i = 0; i < walk->work->workers; i++) {
		struct sw_number_list *types = &walk->workers[i].types;
		for (size_t k = 0; !error && k < types->count; k++)
			error = sw_number_list_add(&all, types->items[k]);
		types->count = 0;
	}
	if (all.count > 1)
		qsort(all.items, all.count, sizeof(*all.items), compare_numbers);
	for (size_t i = 0; !error && i < all.count; i++)
		error = sw_type_plans_make(&walk->plans, all.items[i]);
	sw_number_list_free(&all);
	return error;
}

/* After a level: what workers gathered goes to the queue, what they asked for is made. */
struct sw_error *sw_type_walk_end_level(struct sw_type_walk *walk)
{
	struct sw_error *error = NULL;
	bool wants_words = false, wants_plans = false;

	for (unsigned i = 0; i < walk->work->workers; i++) {
		struct sw_type_worker *worker = &walk->workers[i];
		sw_claims_flush(worker);
		wants_words |= worker->words.count != 0;
		wants_plans |= worker->types.count != 0;
		if (worker->error && !error) {
			error = worker->error;
			worker->error = NULL;
		}
	}
	if (!error && wants_words)
		error = learn_words(walk);
	if (!error && wants_plans)
		error = make_plans(walk);
	walk->level++;
	walk->tag = (walk->level % SW_STATE_TAGS + 1) << SW_STATE_TAG_SHIFT;
	return error;
}

/* ---- levels ---- */

static void prefetch(const struct sw_type_walk *walk, sw_slot slot)
{
	const struct sw_heap *heap = walk->heap;
	const struct sw_span *span = sw_heap_slot_span(heap, slot);
	__builtin_prefetch(&walk->states[sw_heap_rank(heap, slot)]);
	if (span->bytes)
		__builtin_prefetch(span->bytes +
				   (uint64_t)(slot - span->first_slot) * span->elemsize);
}

static void visit_objects(struct sw_type_worker *worker, const sw_slot *slots, size_t count)
{
	enum { AHEAD = 8, FAR_AHEAD = 16 };
	const struct sw_type_walk *walk = worker->walk;
	for (size_t i = 0; i < count; i++) {
		if (i + FAR_AHEAD < count)
			__builtin_prefetch(&walk->heap->blocks[slots[i + FAR_AHEAD] / 64]);
		if (i + AHEAD < count)
			prefetch(walk, slots[i + AHEAD]);
		sw_claim_pointers(worker, slots[i]);
	}
	sw_claims_finish(worker);
}

struct level {
	struct sw_type_walk *walk;
	const sw_slot *slots;
};

static struct sw_error *level_body(void *context, unsigned worker, size_t begin, size_t end)
{
	struct level *level = context;
	visit_objects(&level->walk->workers[worker], level->slots + begin, end - begin);
	return NULL;
}

static struct sw_error *visit_level(struct sw_type_walk *walk, const sw_slot *slots, size_t count)
{
	struct level level = {walk, slots};
	walk->is_parallel = count >= SERIAL && walk->work->workers > 1;
	if (count >= SERIAL)
		return sw_parallel_for(walk->work, "types", count, GRAIN, level_body, &level);
	visit_objects(&walk->workers[0], slots, count);
	return NULL;
}

/* The slots to look at once more, taken from the workers. */
static struct sw_error *take_deferred(struct sw_type_walk *walk, struct sw_number_list *out)
{
	struct sw_error *error = NULL;
	out->count = 0;
	for (unsigned i = 0; i < walk->work->workers; i++) {
		struct sw_number_list *deferred = &walk->workers[i].deferred;
		for (size_t k = 0; !error && k < deferred->count; k++)
			error = sw_number_list_add(out, deferred->items[k]);
		deferred->count = 0;
	}
	return error;
}

/* From queue[*head] until nothing new is found. */
static struct sw_error *walk_levels(struct sw_type_walk *walk, size_t *head)
{
	struct sw_number_list again = {0};
	struct sw_error *error = NULL;

	while (!error && (*head < walk->tail || again.count)) {
		size_t first = *head, count = walk->tail - first;
		*head += count;
		error = visit_level(walk, walk->queue + first, count);
		if (!error && again.count)
			error = visit_level(walk, again.items, again.count);
		if (!error)
			error = take_deferred(walk, &again);
		if (!error)
			error = sw_type_walk_end_level(walk);
		if (!error && walk->level % TICK_LEVELS == 0)
			error = sw_work_tick(walk->work, "types", *head, walk->heap->object_count);
	}
	sw_number_list_free(&again);
	return error;
}

/* ---- what typed pointers did not reach ---- */

/* Calls visit for each object, in rising order. */
static void sweep(struct sw_type_walk *walk,
		  void (*visit)(struct sw_type_worker *worker, const struct sw_place *place))
{
	const struct sw_heap *heap = walk->heap;
	struct sw_place place = {.object = 0};
	walk->is_parallel = false;
	for (size_t block = 0; block < heap->block_count; block++) {
		place.span = &heap->space.spans[heap->blocks[block].span];
		for (uint64_t bits = heap->blocks[block].marked; bits; bits &= bits - 1) {
			place.slot = (sw_slot)(64 * block + (unsigned)__builtin_ctzll(bits));
			place.index = place.slot - place.span->first_slot;
			visit(&walk->workers[0], &place);
			place.object++;
		}
	}
}

/* The first sweep makes the types known, the second takes them; then what they lead to. */
static struct sw_error *sweep_and_walk(struct sw_type_walk *walk,
				       void (*claim)(struct sw_type_worker *worker,
						     const struct sw_place *place),
				       size_t *head)
{
	sweep(walk, claim);
	struct sw_error *error = sw_type_walk_end_level(walk);
	if (!error)
		sweep(walk, claim);
	if (!error)
		error = sw_type_walk_end_level(walk);
	return error ? error : walk_levels(walk, head);
}

static struct sw_error *walk_all(struct sw_type_walk *walk)
{
	size_t head = 0;
	struct sw_error *error = sw_type_walk_roots(walk);
	if (!error)
		error = walk_levels(walk, &head);
	if (!error)
		error = sweep_and_walk(walk, sw_claim_by_header, &head);
	if (!error)
		error = sweep_and_walk(walk, sw_claim_by_code, &head);
	if (error)
		return error;
	walk->takes_weak = true;
	sweep(walk, sw_claim_parked);
	error = sw_type_walk_end_level(walk);
	return error ? error : walk_levels(walk, &head);
}

/* ---- the whole ---- */

static struct sw_error *init_walk(struct sw_type_walk *walk)
{
	size_t count = walk->heap->object_count;
	struct sw_error *error =
		sw_work_alloc(walk->work, count * sizeof(*walk->states), "types", &walk->states);
	if (!error)
		error = sw_work_alloc(walk->work, count * sizeof(*walk->queue), "typing queue",
				      &walk->queue);
	if (!error)
		error = sw_work_alloc(walk->work,
				      walk->heap->root_words.count *
					      sizeof(*walk->typing->root_types),
				      "types", &walk->typing->root_types);
	if (!error)
		walk->typing->root_word_count = walk->heap->root_words.count;
	if (!error) {
		walk->workers = calloc(walk->work->workers, sizeof(*walk->workers));
		error = walk->workers ? NULL : sw_error_memory();
	}
	for (unsigned i = 0; !error && i < walk->work->workers; i++)
		walk->workers[i].walk = walk;
	walk->tag = 1 << SW_STATE_TAG_SHIFT;
	return error ? error : sw_type_plans_know(&walk->plans, 0);
}

static void free_walk(struct sw_type_walk *walk)
{
	for (unsigned i = 0; walk->workers && i < walk->work->workers; i++) {
		sw_error_free(walk->workers[i].error);
		sw_number_list_free(&walk->workers[i].deferred);
		sw_number_list_free(&walk->workers[i].types);
		sw_wanted_words_free(&walk->workers[i].words);
	}
	free(walk->workers);
	for (size_t i = 0; i < SW_WORD_KINDS; i++)
		sw_number_map_free(&walk->words[i]);
	sw_flow_free(walk->flow);
	sw_type_plans_free(&walk->plans);
	sw_work_free(walk->work, walk->queue, walk->heap->object_count * sizeof(*walk->queue));
}

struct sw_error *sw_typing_build(struct sw_typing *typing, struct sw_types *types,
				 const struct sw_go *go, const struct sw_heap *heap,
				 struct sw_work *work)
{
	struct sw_type_walk walk = {.heap = heap,
				    .go = go,
				    .types = types,
				    .work = work,
				    .typing = typing,
				    .plans = {.types = types, .go = go}};
	memset(typing, 0, sizeof(*typing));
	struct sw_error *error = init_walk(&walk);
	if (!error)
		error = sw_type_walk_read_code(&walk);
	if (!error)
		error = walk_all(&walk);
	free_walk(&walk);
	if (error) {
		sw_work_free(work, walk.states, heap->object_count * sizeof(*walk.states));
		sw_typing_free(typing, work);
		return error;
	}
	for (uint32_t i = 0; i < heap->object_count; i++)
		walk.states[i] &= SW_STATE_TYPE;
	typing->types = walk.states;
	typing->object_count = heap->object_count;
	return NULL;
}

void sw_typing_free(struct sw_typing *typing, struct sw_work *work)
{
	sw_work_free(work, typing->types, typing->object_count * sizeof(*typing->types));
	sw_work_free(work, typing->root_types,
		     typing->root_word_count * sizeof(*typing->root_types));
	memset(typing, 0, sizeof(*typing));
}
