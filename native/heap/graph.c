/* The breadth-first tree and the edges beside it, in one pass over the pointers of all objects.
 *
 * Level by level: while a level's nodes are visited, those they find form the next one, and of
 * several finders the lowest number becomes the parent. A node that was found at an earlier level
 * is *settled*: its parent stays. Whatever does not become a parent is an extra edge, so each
 * edge is seen once and goes to one place. */
#include "heap/edges.h"
#include "heap/scan.h"

enum {
	BATCH = 64,	   /* pointers that are resolved together */
	OUT = 256,	   /* found slots that a worker hands over together */
	GRAIN = 1024,	   /* nodes of a piece of work */
	PARALLEL = 4096,   /* nodes of a level that is worth starting threads for */
	AHEAD_BLOCK = 32,  /* how many nodes before its visit a slot's block is fetched, */
	AHEAD_SPAN = 20,   /* then its span, */
	AHEAD_BYTES = 10,  /* then its bytes */
	TICK_EVERY = 4096, /* small levels between two looks at the clock */
};

/* One worker's part in a level. */
struct finder {
	unsigned batch_count, slot_count, leaf_count;
	sw_addr pointers[BATCH];
	sw_node from[BATCH];
	sw_slot slots[OUT];  /* found, with pointers to follow */
	sw_slot leaves[OUT]; /* found, without */
	struct sw_error *error;
} __attribute__((aligned(64)));

struct search {
	const struct sw_heap *heap;
	struct sw_work *work;
	struct sw_graph *graph;
	sw_addr low, size; /* the range of addresses that the spans lie in */
	bool is_parallel;

	/* Slots in the order in which they were found. The level under way is [begin, end), the
	 * next one grows at tail; its leaves, which need not be visited, stand at the array's
	 * far end and are dropped when it begins. */
	sw_slot *queue;
	size_t begin, end;
	size_t tail, leaf_count; /* atomic */
	size_t leaves_before;	 /* in all levels */

	uint64_t *settled; /* by slot */
	uint8_t *root_level;
	unsigned level, last_root_level;

	struct finder *finders;
	struct sw_edges edges;
};

/* ---- finding ---- */

static size_t reserve(size_t *next, size_t count, bool is_parallel)
{
	if (is_parallel)
		return __atomic_fetch_add(next, count, __ATOMIC_RELAXED);
	size_t before = *next;
	*next += count;
	return before;
}

static void hand_over_slots(struct search *search, struct finder *finder)
{
	if (!finder->slot_count)
		return;
	size_t place = reserve(&search->tail, finder->slot_count, search->is_parallel);
	memcpy(search->queue + place, finder->slots, finder->slot_count * sizeof(sw_slot));
	finder->slot_count = 0;
}

static void hand_over_leaves(struct search *search, struct finder *finder)
{
	if (!finder->leaf_count)
		return;
	size_t place = reserve(&search->leaf_count, finder->leaf_count, search->is_parallel);
	place = search->graph->object_count - place - finder->leaf_count;
	memcpy(search->queue + place, finder->leaves, finder->leaf_count * sizeof(sw_slot));
	finder->leaf_count = 0;
}

static void add_found(struct search *search, struct finder *finder, sw_slot slot, bool is_leaf)
{
	if (is_leaf) {
		finder->leaves[finder->leaf_count++] = slot;
		if (finder->leaf_count == OUT)
			hand_over_leaves(search, finder);
	} else {
		finder->slots[finder->slot_count++] = slot;
		if (finder->slot_count == OUT)
			hand_over_slots(search, finder);
	}
}

static void add_extra(struct search *search, struct finder *finder, sw_node from, sw_node to)
{
	struct sw_error *error =
		sw_edges_add(&search->edges, (unsigned)(finder - search->finders), from, to);
	if (!error)
		return;
	if (finder->error)
		sw_error_free(error);
	else
		finder->error = error;
}

/* Replaces *parent when it still is `old`; reads it again into `old` otherwise. */
SW_INLINE bool replace(sw_node *parent, sw_node *old, sw_node new, bool is_parallel)
{
	if (is_parallel)
		return __atomic_compare_exchange_n(parent, old, new, false, __ATOMIC_RELAXED,
						   __ATOMIC_RELAXED);
	*parent = new;
	return true;
}

SW_INLINE void follow(struct search *search, struct finder *finder, sw_node from, sw_node to,
		      sw_slot slot, bool is_leaf)
{
	bool is_parallel = search->is_parallel;
	sw_node *parent = &search->graph->parent[to];
	sw_node old = __atomic_load_n(parent, __ATOMIC_RELAXED);

	if (from == to)
		return;
	while (old != from) {
		bool is_new = old == SW_NO_NODE;
		if (!is_new && (old < from || sw_bitset_has(search->settled, slot))) {
			add_extra(search, finder, from, to);
			return;
		}
		if (replace(parent, &old, from, is_parallel)) {
			if (is_new)
				add_found(search, finder, slot, is_leaf);
			else
				add_extra(search, finder, old, to);
			return;
		}
	}
}

/* Follows the batch's pointers: pages, spans, blocks and parents are each fetched a pass before
 * they are needed. */
static __attribute__((noinline)) void follow_batch(struct search *search, struct finder *finder)
{
	const struct sw_heap *heap = search->heap;
	const struct sw_space *space = &heap->space;
	uint32_t numbers[BATCH];
	sw_slot slots[BATCH];
	sw_node nodes[BATCH];
	unsigned count = 0, hits = 0, objects = 0;

	for (unsigned i = 0; i < finder->batch_count; i++) {
		sw_addr addr = finder->pointers[i];
		const uint32_t *pages = space->arenas[addr >> SW_ARENA_SHIFT];
		if (!pages)
			continue;
		uint32_t number = pages[addr >> SW_PAGE_SHIFT &
					((1 << (SW_ARENA_SHIFT - SW_PAGE_SHIFT)) - 1)];
		finder->pointers[count] = addr;
		finder->from[count] = finder->from[i];
		numbers[count] = number - 1;
		count += number != 0;
		__builtin_prefetch(&space->spans[number - (number != 0)]);
	}
	for (unsigned i = 0; i < count; i++) {
		const struct sw_span *span = &space->spans[numbers[i]];
		uint64_t offset = finder->pointers[i] - span->base;
		uint32_t index = (uint32_t)(offset * span->divide >> 32);
		finder->from[hits] = finder->from[i];
		slots[hits] = span->first_slot + index;
		numbers[hits] = span->scan == SW_SCAN_NONE || !span->bytes;
		__builtin_prefetch(&heap->blocks[slots[hits] / 64]);
		hits += (offset < span->limit) & (index < span->count);
	}
	for (unsigned i = 0; i < hits; i++) {
		finder->from[objects] = finder->from[i];
		slots[objects] = slots[i];
		numbers[objects] = numbers[i] | sw_heap_is_opaque(heap, slots[i]);
		nodes[objects] = sw_heap_rank(heap, slots[i]);
		__builtin_prefetch(&search->graph->parent[nodes[objects]], 1);
		objects += sw_heap_is_marked(heap, slots[i]);
	}
	for (unsigned i = 0; i < objects; i++)
		follow(search, finder, finder->from[i], nodes[i], slots[i], numbers[i]);
	finder->batch_count = 0;
}

SW_INLINE unsigned gather(struct search *search, struct finder *finder, unsigned count,
			  sw_node from, sw_addr pointer)
{
	finder->pointers[count] = pointer;
	finder->from[count] = from;
	count += pointer - search->low < search->size;
	if (__builtin_expect(count == BATCH, 0)) {
		finder->batch_count = BATCH;
		follow_batch(search, finder);
		count = 0;
	}
	return count;
}

static void visit(struct search *search, struct finder *finder, sw_slot slot)
{
	const struct sw_heap *heap = search->heap;
	const struct sw_span *span = sw_heap_slot_span(heap, slot);
	sw_node from = sw_heap_rank(heap, slot);
	unsigned count = finder->batch_count;
	struct sw_scanner scan;
	struct sw_window window;

	sw_scan_begin(&scan, &heap->space, span, slot - span->first_slot);
	while (sw_scan_next(&scan, &window)) {
		for (; window.bits; window.bits &= window.bits - 1)
			count = gather(search, finder, count, from, sw_scan_word(&scan, &window));
	}
	finder->batch_count = count;
}

static struct sw_error *finish_piece(struct search *search, struct finder *finder)
{
	follow_batch(search, finder);
	hand_over_slots(search, finder);
	hand_over_leaves(search, finder);
	struct sw_error *error = finder->error;
	finder->error = NULL;
	return error;
}

static struct sw_error *tick(struct search *search, size_t visited)
{
	return sw_work_tick(search->work, "edges", search->leaves_before + visited,
			    search->graph->object_count);
}

SW_INLINE void prefetch_ahead(const struct search *search, size_t i, size_t end)
{
	const struct sw_heap *heap = search->heap;
	const sw_slot *queue = search->queue;

	if (i + AHEAD_BLOCK < end)
		__builtin_prefetch(&heap->blocks[queue[i + AHEAD_BLOCK] / 64]);
	if (i + AHEAD_SPAN < end)
		__builtin_prefetch(sw_heap_slot_span(heap, queue[i + AHEAD_SPAN]));
	if (i + AHEAD_BYTES < end) {
		sw_slot slot = queue[i + AHEAD_BYTES];
		const struct sw_span *span = sw_heap_slot_span(heap, slot);
		sw_scan_prefetch(span, slot - span->first_slot, 0);
	}
}

static struct sw_error *visit_slots(void *context, unsigned worker, size_t begin, size_t end)
{
	struct search *search = context;
	struct finder *finder = &search->finders[worker];

	begin += search->begin;
	end += search->begin;
	for (size_t i = begin; i < end && !finder->error; i++) {
		prefetch_ahead(search, i, search->end);
		visit(search, finder, search->queue[i]);
	}
	struct sw_error *error = finish_piece(search, finder);
	if (!error && worker == 0)
		error = tick(search, end);
	return error;
}

static struct sw_error *visit_roots(void *context, unsigned worker, size_t begin, size_t end)
{
	struct search *search = context;
	struct finder *finder = &search->finders[worker];
	const struct sw_root_words *words = &search->heap->root_words;
	unsigned count = 0;

	for (size_t i = begin; i < end && !finder->error; i++) {
		const struct sw_root_word *word = &words->items[i];
		if (search->root_level[word->root] == search->level)
			count = gather(search, finder, count,
				       search->graph->object_count + word->root, word->pointer);
	}
	finder->batch_count = count;
	return finish_piece(search, finder);
}

static struct sw_error *settle_slots(void *context, unsigned worker, size_t begin, size_t end)
{
	struct search *search = context;
	(void)worker;
	for (size_t i = begin; i < end; i++) {
		sw_slot slot = search->queue[i];
		uint64_t bit = (uint64_t)1 << slot % 64, *word = &search->settled[slot / 64];
		if (search->is_parallel)
			__atomic_fetch_or(word, bit, __ATOMIC_RELAXED);
		else
			*word |= bit;
	}
	return NULL;
}

/* ---- levels ---- */

static struct sw_error *over(struct search *search, size_t count, sw_parallel_body *body)
{
	search->is_parallel = search->work->workers > 1 && count >= PARALLEL;
	if (search->is_parallel)
		return sw_parallel_for(search->work, "edges", count, GRAIN, body, search);
	struct sw_error *error = NULL;
	for (size_t begin = 0; begin < count && !error; begin += GRAIN)
		error = body(search, 0, begin, count - begin > GRAIN ? begin + GRAIN : count);
	return error;
}

struct range {
	struct search *search;
	size_t begin;
};

static struct sw_error *settle_range(void *context, unsigned worker, size_t begin, size_t end)
{
	struct range *range = context;
	return settle_slots(range->search, worker, range->begin + begin, range->begin + end);
}

/* What was found is the next level, or one of its leaves. */
static struct sw_error *settle(struct search *search, size_t begin, size_t count)
{
	struct range range = {search, begin};
	search->is_parallel = search->work->workers > 1 && count >= 8 * PARALLEL;
	if (search->is_parallel)
		return sw_parallel_for(search->work, "edges", count, 8 * GRAIN, settle_range,
				       &range);
	return settle_range(&range, 0, 0, count);
}

static struct sw_error *next_level(struct search *search)
{
	size_t found = search->tail - search->end;
	struct sw_error *error = settle(search, search->end, found);
	if (!error)
		error = settle(search, search->graph->object_count - search->leaf_count,
			       search->leaf_count);
	search->begin = search->end;
	search->end = search->tail;
	search->leaves_before += search->leaf_count;
	search->leaf_count = 0;
	search->level++;
	return error;
}

static struct sw_error *search_levels(struct search *search)
{
	struct sw_error *error = NULL;
	unsigned until_tick = TICK_EVERY;

	search->level = 1;
	while (!error &&
	       (search->begin < search->end || search->level <= search->last_root_level)) {
		if (search->level <= search->last_root_level)
			error = over(search, search->heap->root_words.count, visit_roots);
		if (!error)
			error = over(search, search->end - search->begin, visit_slots);
		if (!error)
			error = next_level(search);
		if (!error && !--until_tick) {
			until_tick = TICK_EVERY;
			error = tick(search, search->begin);
		}
	}
	return error;
}

/* ---- roots ---- */

static struct sw_error *place_roots(struct search *search)
{
	const struct sw_heap *heap = search->heap;
	struct sw_graph *graph = search->graph;

	for (uint32_t r = 0; r < graph->root_count; r++) {
		uint32_t group = heap->roots.items[r].group;
		if (group != SW_NO_ROOT && group >= r)
			return sw_error_format(SW_ERR_DAMAGED, "root %u stands before its group %u",
					       r, group);
		unsigned level = group == SW_NO_ROOT ? 1 : search->root_level[group] + 1u;
		if (level > UINT8_MAX)
			return sw_error_format(SW_ERR_LIMIT, "roots are grouped too deeply");
		search->root_level[r] = (uint8_t)level;
		if (level > search->last_root_level)
			search->last_root_level = level;
		graph->parent[graph->object_count + r] =
			group == SW_NO_ROOT ? graph->super : graph->object_count + group;
	}
	graph->parent[graph->super] = graph->super;
	for (size_t i = 0; i < heap->root_words.count; i++) {
		if (heap->root_words.items[i].root >= graph->root_count)
			return sw_error_format(SW_ERR_DAMAGED, "there is no root %u",
					       heap->root_words.items[i].root);
	}
	return NULL;
}

/* An object that was marked from a root which has gone since: the super root holds it. */
static void adopt_orphans(struct search *search)
{
	struct sw_graph *graph = search->graph;
	if (search->tail + search->leaves_before == graph->object_count)
		return;
	for (uint32_t i = 0; i < graph->object_count; i++) {
		if (graph->parent[i] == SW_NO_NODE)
			graph->parent[i] = graph->super;
	}
}

/* ---- the whole ---- */

static struct sw_error *search_init(struct search *search)
{
	const struct sw_space *space = &search->heap->space;
	const struct sw_graph *graph = search->graph;
	struct sw_work *work = search->work;

	if (space->span_count) {
		const struct sw_span *last = &space->spans[space->span_count - 1];
		search->low = space->spans[0].base;
		search->size = last->base + last->limit - search->low;
	}
	sw_edges_init(&search->edges, work);
	struct sw_error *error = sw_work_alloc(work, graph->object_count * sizeof(sw_slot),
					       "the search", &search->queue);
	if (!error)
		error = sw_work_alloc(work, space->slot_count / 8, "the search", &search->settled);
	if (!error)
		error = sw_work_alloc(work, graph->root_count, "roots", &search->root_level);
	if (error)
		return error;
	search->finders = aligned_alloc(64, work->workers * sizeof(struct finder));
	if (!search->finders)
		return sw_error_memory();
	memset(search->finders, 0, work->workers * sizeof(struct finder));
	return NULL;
}

static void search_deinit(struct search *search)
{
	struct sw_work *work = search->work;
	sw_work_free(work, search->queue, search->graph->object_count * sizeof(sw_slot));
	sw_work_free(work, search->settled, search->heap->space.slot_count / 8);
	sw_work_free(work, search->root_level, search->graph->root_count);
	free(search->finders);
}

static struct sw_error *graph_init(struct sw_graph *graph, const struct sw_heap *heap,
				   struct sw_work *work)
{
	memset(graph, 0, sizeof(*graph));
	uint64_t nodes = (uint64_t)heap->object_count + heap->roots.count + 1;
	if (nodes >= SW_NO_NODE)
		return sw_error_format(SW_ERR_LIMIT, "2^32 objects and roots or more");
	struct sw_error *error =
		sw_work_alloc(work, nodes * sizeof(sw_node), "the graph", &graph->parent);
	if (error)
		return error;
	graph->object_count = heap->object_count;
	graph->root_count = (uint32_t)heap->roots.count;
	graph->node_count = (sw_node)nodes;
	graph->super = graph->node_count - 1;
	memset(graph->parent, 0xff, nodes * sizeof(sw_node));
	return NULL;
}

struct sw_error *sw_graph_build(struct sw_graph *graph, const struct sw_heap *heap,
				struct sw_work *work)
{
	struct sw_error *error = graph_init(graph, heap, work);
	if (error)
		return error;

	struct search search = {.heap = heap, .work = work, .graph = graph};
	error = search_init(&search);
	if (!error)
		error = place_roots(&search);
	if (!error)
		error = search_levels(&search);
	if (!error)
		adopt_orphans(&search);
	search_deinit(&search);
	if (!error)
		error = sw_edges_sort(&search.edges, graph);
	sw_edges_deinit(&search.edges);
	if (error)
		sw_graph_free(graph, work);
	return error;
}

void sw_graph_free(struct sw_graph *graph, struct sw_work *work)
{
	sw_work_free(work, graph->parent, graph->node_count * sizeof(sw_node));
	sw_work_free(work, graph->extra, graph->extra_capacity * sizeof(struct sw_edge));
	memset(graph, 0, sizeof(*graph));
}

size_t sw_graph_extra(const struct sw_graph *graph, sw_node to, const struct sw_edge **first)
{
	size_t low = 0, high = graph->extra_count; /* extra[low - 1].to < to ≤ extra[high].to */

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (graph->extra[middle].to < to)
			low = middle + 1;
		else
			high = middle;
	}
	size_t count = 0;
	while (low + count < graph->extra_count && graph->extra[low + count].to == to)
		count++;
	if (first)
		*first = count ? &graph->extra[low] : NULL;
	return count;
}
