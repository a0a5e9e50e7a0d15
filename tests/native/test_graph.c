/* Graphs, dominators, retained sizes, shared sets and paths: thousands of small random heaps held
 * against definitions spelled out the slow way, and large ones against themselves on more
 * threads. */
#include "heap/graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define BASE 0xc000000000ull

static void ok(struct sw_error *error)
{
	if (error)
		fail_msg("%s", error->message);
}

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed * 0x2545f4914f6cdd1du >> 16;
}

static struct sw_work workers(unsigned count)
{
	struct sw_work work;
	sw_work_init(&work, count);
	return work;
}

/* ---- small random heaps ---- */

enum { KINDS = 3, SLOTS = 16, OBJECTS = KINDS * SLOTS, ROOTS = 12, WORDS = 8, NODES = 64 };

static const uint64_t sizes[KINDS] = {64, 24, 80};
static const uint64_t pitch = 1 << 20;

struct model {
	uint64_t seed;
	uint64_t words[2][SLOTS][10]; /* of kinds 0 (all words) and 2 (the first of every two) */
	struct sw_mask mask;
	struct sw_heap heap;
	struct sw_graph graph;
	struct sw_dominators dominators;
	const uint32_t *group_of; /* or NULL */

	/* By node number: bit sets of successors, and bytes. */
	unsigned nodes, super;
	uint64_t to[NODES], size[NODES];
	unsigned distance[NODES];
};

static sw_addr object_address(unsigned object)
{
	unsigned kind = object % KINDS;
	return BASE + kind * pitch + object / KINDS * sizes[kind];
}

static sw_addr pointer_to(struct model *model, unsigned objects)
{
	unsigned object = (unsigned)(next_random(&model->seed) % objects);
	sw_addr inside = next_random(&model->seed) % 3 ? 0 : next_random(&model->seed) % 24;
	return object_address(object) + inside;
}

static void random_words(struct model *model, unsigned objects)
{
	static const uint8_t every_other = 0x55;
	unsigned density = (unsigned)(next_random(&model->seed) % 8 + 1);
	bool is_list = next_random(&model->seed) % 8 == 0;

	for (unsigned object = 0; object < objects; object++) {
		if (object % KINDS == 1)
			continue;
		uint64_t *words = model->words[object % KINDS / 2][object / KINDS];
		for (unsigned i = 0; i < 8; i++) {
			if (next_random(&model->seed) % 16 < density)
				words[i] = pointer_to(model, objects);
		}
		if (is_list)
			words[0] = object_address(object + 2);
	}
	model->mask = (struct sw_mask){&every_other, 64, 64, 0};
}

static void random_roots(struct model *model, unsigned objects)
{
	unsigned roots = (unsigned)(next_random(&model->seed) % (ROOTS + 1));
	bool is_grouped = next_random(&model->seed) % 2;

	for (unsigned r = 0; r < roots; r++) {
		struct sw_root root = {SW_NO_ROOT};
		if (is_grouped && r && next_random(&model->seed) % 2)
			root.group = (uint32_t)(next_random(&model->seed) % r);
		ok(sw_roots_add(&model->heap.roots, root));
		for (unsigned words = next_random(&model->seed) % 3; words; words--) {
			struct sw_root_word word = {pointer_to(model, objects), 0, r};
			if (next_random(&model->seed) % 8 == 0)
				word.pointer = next_random(&model->seed);
			ok(sw_root_words_add(&model->heap.root_words, word));
		}
	}
	for (size_t i = model->heap.root_words.count; i > 1; i--) { /* in any order */
		size_t j = next_random(&model->seed) % i;
		struct sw_root_word swap = model->heap.root_words.items[j];
		model->heap.root_words.items[j] = model->heap.root_words.items[i - 1];
		model->heap.root_words.items[i - 1] = swap;
	}
}

static void model_init(struct model *model, uint64_t seed, struct sw_work *work)
{
	memset(model, 0, sizeof(*model));
	model->seed = (seed + 1) * 0x9e3779b97f4a7c15u;
	unsigned objects = (unsigned)(next_random(&model->seed) % OBJECTS + 1);
	struct sw_span spans[KINDS];
	/* Limits that end within the last slot: only its first bytes can be hit. */
	for (unsigned kind = 0; kind < KINDS; kind++) {
		spans[kind] = (struct sw_span){.base = BASE + kind * pitch,
					       .limit = (SLOTS - 1) * sizes[kind] + 12,
					       .elemsize = sizes[kind],
					       .count = SLOTS};
	}
	spans[0].scan = SW_SCAN_ALL;
	spans[0].elemsize = sizes[0];
	spans[0].bytes = (const uint8_t *)model->words[0];
	spans[1].scan = SW_SCAN_NONE;
	spans[2].scan = SW_SCAN_TILED;
	spans[2].bytes = (const uint8_t *)model->words[1];
	spans[2].mask = &model->mask;
	random_words(model, objects);
	/* Kind 0 has rows of eight words. */
	for (unsigned i = 0; i < SLOTS; i++)
		memmove((uint64_t *)model->words[0] + 8 * i, model->words[0][i], 64);
	ok(sw_heap_init(&model->heap, work, spans, KINDS));
	random_roots(model, objects);
}

static void model_free(struct model *model, struct sw_work *work)
{
	sw_graph_free(&model->graph, work);
	sw_heap_free(&model->heap, work);
	assert_int_equal(work->used_memory, 0);
}

/* ---- the slow way ---- */

static bool has(uint64_t set, unsigned node)
{
	return set >> node & 1;
}

/* The nodes that can be reached from a set without passing `without`. */
static uint64_t reach(const struct model *model, uint64_t from, unsigned without)
{
	uint64_t done = 0, gone = without < NODES ? (uint64_t)1 << without : 0;
	from &= ~gone;
	while (from & ~done) {
		unsigned node = (unsigned)__builtin_ctzll(from & ~done);
		done |= (uint64_t)1 << node;
		from |= model->to[node] & ~gone;
	}
	return done;
}

static uint32_t group_of(const struct model *model, uint32_t root)
{
	return model->group_of ? model->group_of[root] : model->heap.roots.items[root].group;
}

static void add_target(struct model *model, unsigned from, sw_addr pointer)
{
	sw_object object = sw_heap_object(&model->heap, pointer);
	if (object != SW_NO_OBJECT && object != from)
		model->to[from] |= (uint64_t)1 << object;
}

static void find_targets(struct model *model)
{
	const struct sw_heap *heap = &model->heap;
	unsigned roots = (unsigned)heap->roots.count, objects = heap->object_count;

	model->nodes = objects + roots + 1;
	model->super = model->nodes - 1;
	assert_true(model->nodes <= NODES);
	memset(model->to, 0, sizeof(model->to));
	for (unsigned i = 0; i < objects; i++) {
		sw_addr at = sw_heap_address(heap, i) - BASE;
		unsigned kind = (unsigned)(at / pitch), row = (unsigned)(at % pitch / sizes[kind]);
		model->size[i] = sizes[kind];
		for (unsigned word = 0; word < 8 && kind == 0; word++)
			add_target(model, i, ((uint64_t *)model->words[0])[row * 8 + word]);
		for (unsigned word = 0; word < 10 && kind == 2; word += 2)
			add_target(model, i, model->words[1][row][word]);
	}
	for (unsigned r = 0; r < roots; r++) {
		uint32_t group = group_of(model, r);
		model->to[group == SW_NO_ROOT ? model->super : objects + group] |= (uint64_t)1
										   << (objects + r);
	}
	for (size_t i = 0; i < heap->root_words.count; i++)
		add_target(model, objects + heap->root_words.items[i].root,
			   heap->root_words.items[i].pointer);
}

static void find_distances(struct model *model)
{
	uint64_t level = (uint64_t)1 << model->super, done = 0;
	for (unsigned distance = 0; level; distance++) {
		uint64_t next = 0;
		done |= level;
		for (unsigned node = 0; node < model->nodes; node++) {
			if (!has(level, node))
				continue;
			model->distance[node] = distance;
			next |= model->to[node];
		}
		level = next & ~done;
	}
}

/* Marked is what the roots reach through all slots, marked or not. */
static void check_marks(struct model *model)
{
	bool is_reached[OBJECTS] = {false}, is_new = true;
	struct sw_heap *heap = &model->heap;
	sw_addr pointers[OBJECTS * 10 + 3 * ROOTS];
	unsigned from[OBJECTS * 10 + 3 * ROOTS], count = 0;

	for (size_t i = 0; i < heap->root_words.count; i++) {
		from[count] = OBJECTS;
		pointers[count++] = heap->root_words.items[i].pointer;
	}
	for (unsigned slot = 0; slot < OBJECTS; slot++) {
		unsigned kind = slot / SLOTS, row = slot % SLOTS;
		for (unsigned word = 0; word < 10; word++) {
			if (kind == 1 || (kind == 0 && word >= 8) || (kind == 2 && word % 2))
				continue;
			from[count] = slot;
			pointers[count++] = kind ? model->words[1][row][word]
						 : ((uint64_t *)model->words[0])[row * 8 + word];
		}
	}
	while (is_new) {
		is_new = false;
		for (unsigned i = 0; i < count; i++) {
			sw_slot slot = sw_heap_slot(heap, pointers[i]);
			if (slot == SW_NO_SLOT || (from[i] != OBJECTS && !is_reached[from[i]]))
				continue;
			slot = slot / 64 * SLOTS + slot % 64;
			is_new |= !is_reached[slot];
			is_reached[slot] = true;
		}
	}
	for (unsigned slot = 0; slot < OBJECTS; slot++)
		assert_int_equal(is_reached[slot],
				 sw_heap_is_marked(heap, slot / SLOTS * 64 + slot % SLOTS));
}

static void check_graph(const struct model *model)
{
	const struct sw_graph *graph = &model->graph;
	size_t e = 0;

	assert_int_equal(graph->node_count, model->nodes);
	assert_int_equal(graph->super, model->super);
	assert_int_equal(graph->parent[model->super], model->super);
	for (unsigned to = 0; to < model->super; to++) {
		unsigned parent = SW_NO_NODE;
		for (unsigned from = model->nodes; from--;) {
			if (has(model->to[from], to) &&
			    model->distance[from] + 1 == model->distance[to])
				parent = from;
		}
		assert_int_equal(graph->parent[to], parent);
		const struct sw_edge *first;
		size_t count = sw_graph_extra(graph, to, &first);
		assert_true(count ? first == &graph->extra[e] : first == NULL);
		for (unsigned from = 0; from < model->nodes; from++) {
			if (!has(model->to[from], to) || from == parent)
				continue;
			assert_true(e < graph->extra_count && count > 0);
			assert_int_equal(graph->extra[e].to, to);
			assert_int_equal(graph->extra[e].from, from);
			e++;
			count--;
		}
		assert_int_equal(count, 0);
	}
	assert_int_equal(e, graph->extra_count);
}

static void check_dominators(const struct model *model, const struct sw_dominators *got)
{
	uint64_t all = ((uint64_t)2 << model->super) - 1, gone[NODES];
	uint64_t retained[NODES] = {0};

	for (unsigned node = 0; node < model->nodes; node++) {
		unsigned objects = 0;
		gone[node] = all & ~reach(model, (uint64_t)1 << model->super, node);
		for (unsigned i = 0; i < model->graph.object_count; i++) {
			objects += has(gone[node], i);
			retained[node] += has(gone[node], i) ? model->size[i] : 0;
		}
		assert_int_equal(got->retained_bytes[node], retained[node]);
		assert_int_equal(got->retained_objects[node], objects);
	}
	unsigned heaviest[NODES];
	memset(heaviest, 0xff, sizeof(heaviest));
	for (unsigned node = 0; node < model->super; node++) {
		unsigned idom = model->super;
		for (unsigned d = 0; d < model->nodes; d++) {
			if (d != node && has(gone[d], node) && has(gone[idom], d))
				idom = d;
		}
		assert_int_equal(got->idom[node], idom);
		if (heaviest[idom] == SW_NO_NODE || retained[node] > retained[heaviest[idom]])
			heaviest[idom] = node;
	}
	assert_int_equal(got->idom[model->super], model->super);
	assert_memory_equal(got->heaviest, heaviest, model->nodes * sizeof(*heaviest));
}

static void check_shared(const struct model *model, const struct sw_dominators *dominators,
			 struct sw_work *work)
{
	struct sw_shared shared;
	unsigned objects = model->graph.object_count;
	uint64_t sum = 0, found = 0, bytes[64] = {0}, counts[64] = {0};
	sw_object heaviest[64];

	ok(sw_shared_build(&shared, &model->graph, dominators, work));
	for (unsigned v = 0; v < objects; v++) {
		if (dominators->idom[v] != model->super)
			continue;
		uint64_t holders = 0;
		for (unsigned r = objects; r < model->super; r++) {
			if (dominators->idom[r] == model->super &&
			    has(reach(model, (uint64_t)1 << r, NODES), v))
				holders |= (uint64_t)1 << (r - objects);
		}
		size_t s = 0;
		for (; s < shared.count; s++) {
			uint64_t set = 0;
			for (uint32_t i = 0; i < shared.sets[s].count; i++)
				set |= (uint64_t)1 << shared.sets[s].roots[i];
			if (set == holders)
				break;
		}
		assert_true(s < shared.count && s < 64);
		assert_int_equal(shared.sets[s].count, __builtin_popcountll(holders));
		assert_false(shared.sets[s].is_many);
		if (!counts[s] ||
		    dominators->retained_bytes[v] > dominators->retained_bytes[heaviest[s]])
			heaviest[s] = v;
		bytes[s] += dominators->retained_bytes[v];
		counts[s] += dominators->retained_objects[v];
		found |= (uint64_t)1 << s;
	}
	assert_int_equal(found, ((uint64_t)1 << shared.count) - 1);
	for (size_t s = 0; s < shared.count; s++) {
		assert_int_equal(shared.sets[s].retained_bytes, bytes[s]);
		assert_int_equal(shared.sets[s].retained_objects, counts[s]);
		assert_int_equal(shared.sets[s].heaviest, heaviest[s]);
		assert_true(!s || bytes[s - 1] >= bytes[s]);
		sum += bytes[s];
	}
	for (unsigned r = objects; r < model->super; r++)
		sum += dominators->idom[r] == model->super ? dominators->retained_bytes[r] : 0;
	assert_int_equal(sum, model->heap.object_bytes);
	sw_shared_free(&shared);
}

/* The number of edges from one node to another; NODES when there is no way. */
static unsigned steps(const struct model *model, unsigned from, unsigned to)
{
	uint64_t level = (uint64_t)1 << from, done = 0;
	for (unsigned distance = 0; level & ~done; distance++) {
		if (has(level, to))
			return distance;
		uint64_t next = 0;
		for (unsigned node = 0; node < model->nodes; node++)
			next |= has(level & ~done, node) ? model->to[node] : 0;
		done |= level;
		level = next;
	}
	return NODES;
}

static void check_paths(struct model *model, struct sw_work *work)
{
	const struct sw_graph *graph = &model->graph;
	sw_node node = (sw_node)(next_random(&model->seed) % model->nodes);
	struct sw_path shortest, *paths, *some;
	size_t count, reached, some_count;

	ok(sw_path_shortest(graph, node, &shortest));
	assert_int_equal(shortest.count, model->distance[node]);
	for (size_t i = shortest.count; i--;) {
		assert_int_equal(shortest.nodes[i], node);
		node = graph->parent[node];
	}
	sw_path_free(&shortest);
	node = (sw_node)(next_random(&model->seed) % model->nodes);
	if (node == graph->super)
		return;

	ok(sw_paths_to(graph, node, 0, work, &paths, &count, &reached));
	assert_int_equal(count, reached);
	uint64_t seen = 0;
	for (size_t i = 0; i < count; i++) {
		const sw_node *nodes = paths[i].nodes;
		assert_int_equal(graph->parent[nodes[0]], graph->super);
		assert_true(sw_graph_is_root(graph, nodes[0]));
		assert_int_equal(paths[i].count, steps(model, nodes[0], node) + 1);
		assert_int_equal(nodes[paths[i].count - 1], node);
		for (size_t k = 1; k < paths[i].count; k++)
			assert_true(has(model->to[nodes[k - 1]], nodes[k]));
		assert_true(
			!i || paths[i - 1].count < paths[i].count ||
			(paths[i - 1].count == paths[i].count && paths[i - 1].nodes[0] < nodes[0]));
		seen |= (uint64_t)1 << nodes[0];
	}
	for (unsigned r = graph->object_count; r < model->super; r++)
		assert_int_equal(has(seen, r),
				 graph->parent[r] == graph->super && steps(model, r, node) < NODES);

	size_t limit = count / 2 + 1;
	ok(sw_paths_to(graph, node, limit, work, &some, &some_count, &reached));
	assert_int_equal(reached, count);
	assert_int_equal(some_count, limit < count ? limit : count);
	for (size_t i = 0; i < count; i++) {
		if (i < some_count) {
			assert_int_equal(some[i].count, paths[i].count);
			assert_memory_equal(some[i].nodes, paths[i].nodes,
					    paths[i].count * sizeof(sw_node));
			sw_path_free(&some[i]);
		}
		sw_path_free(&paths[i]);
	}
	free(some);
	free(paths);
}

static void check_grouping(struct model *model, const uint32_t *groups, struct sw_work *work)
{
	struct sw_dominators dominators;

	model->group_of = groups;
	find_targets(model);
	ok(sw_dominators_build(&dominators, &model->graph, &model->heap, groups, work));
	check_dominators(model, &dominators);
	check_shared(model, &dominators, work);
	sw_dominators_free(&dominators, &model->graph, work);
}

static void check_regrouped(struct model *model, struct sw_work *work)
{
	uint32_t groups[ROOTS], count = (uint32_t)model->heap.roots.count;
	for (uint32_t r = 0; r < count; r++) {
		groups[r] = SW_NO_ROOT;
		if (r >= count / 2 && count > 1 && next_random(&model->seed) % 2)
			groups[r] = (uint32_t)(next_random(&model->seed) % (count / 2));
	}
	check_grouping(model, groups, work);
}

static void small_heaps(void **state)
{
	static struct model model;
	(void)state;
	for (unsigned round = 0; round < 4000; round++) {
		struct sw_work work = workers(round % 7 ? 1 : 3);
		model_init(&model, round, &work);
		ok(sw_heap_mark(&model.heap, &work));
		sw_heap_number(&model.heap);
		check_marks(&model);
		find_targets(&model);
		find_distances(&model);
		ok(sw_graph_build(&model.graph, &model.heap, &work));
		check_graph(&model);
		for (unsigned i = 0; i < 3; i++)
			check_paths(&model, &work);
		check_grouping(&model, NULL, &work);
		check_regrouped(&model, &work);
		model_free(&model, &work);
	}
}

static void bad_groups(void **state)
{
	static struct model model;
	struct sw_work work = workers(1);
	struct sw_dominators dominators;
	struct sw_error *error;
	(void)state;
	model_init(&model, 1, &work);
	ok(sw_roots_add(&model.heap.roots, (struct sw_root){SW_NO_ROOT}));
	ok(sw_roots_add(&model.heap.roots, (struct sw_root){SW_NO_ROOT}));
	uint32_t count = (uint32_t)model.heap.roots.count, groups[ROOTS + 2];
	ok(sw_heap_mark(&model.heap, &work));
	sw_heap_number(&model.heap);
	ok(sw_graph_build(&model.graph, &model.heap, &work));
	memset(groups, 0xff, sizeof(groups));
	groups[0] = count;
	error = sw_dominators_build(&dominators, &model.graph, &model.heap, groups, &work);
	assert_non_null(error);
	sw_error_free(error);
	groups[0] = 1;
	groups[1] = 0;
	error = sw_dominators_build(&dominators, &model.graph, &model.heap, groups, &work);
	assert_non_null(error);
	sw_error_free(error);
	sw_graph_free(&model.graph, &work);

	model.heap.roots.items[count - 2].group = count - 1;
	error = sw_graph_build(&model.graph, &model.heap, &work);
	assert_non_null(error);
	sw_error_free(error);
	model.heap.roots.items[count - 2].group = SW_NO_ROOT;
	ok(sw_root_words_add(&model.heap.root_words, (struct sw_root_word){BASE, 0, count}));
	error = sw_graph_build(&model.graph, &model.heap, &work);
	assert_non_null(error);
	sw_error_free(error);
	model_free(&model, &work);
}

/* ---- large heaps ---- */

/* Objects of 32 bytes, every word a pointer, in the shape that `shape` names. */
struct big {
	uint64_t (*words)[4];
	uint32_t count;
	struct sw_heap heap;
	struct sw_graph graph;
	struct sw_dominators dominators;
	struct sw_shared shared;
};

enum shape { RANDOM, TREE, LIST, RING_OF_RINGS, TAIL_HUB, HUB, SHAPES };

static sw_addr at(uint32_t object)
{
	return BASE + (uint64_t)object * 32;
}

static void big_words(struct big *big, enum shape shape, uint64_t *seed)
{
	uint32_t n = big->count;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t *words = big->words[i];
		uint32_t any = (uint32_t)(next_random(seed) % n);
		switch (shape) {
		case RANDOM:
			for (unsigned k = 0; k < 4; k++)
				words[k] = next_random(seed) % 2 ? at(next_random(seed) % n) : 0;
			break;
		case TREE: /* with a few edges beside it, some up */
			words[0] = at(i * 2 + 1);
			words[1] = at(i * 2 + 2);
			words[2] = next_random(seed) % 16 ? 0 : at(any);
			words[3] = next_random(seed) % 16 ? 0 : at((i - 1) / 2);
			break;
		case LIST: /* linked in both directions */
			words[0] = at((i + 1) % n);
			words[1] = i ? at(i - 1) : 0;
			break;
		case RING_OF_RINGS:
			words[0] = at(i / 100 * 100 + (i + 1) % 100);
			words[1] = i % 100 ? 0 : at((i + 100) % n);
			break;
		case TAIL_HUB: /* the end of a long list leads to nodes that others hold too */
			words[0] = i < n / 2 ? at(i + 1) : at(i * 2 - n + 1);
			words[1] = i < n / 2 ? at(n - 1 - i) : at(i * 2 - n + 2);
			break;
		default: /* all point to the same few */
			words[0] = at(i * 2 + 1);
			words[1] = at(i * 2 + 2);
			words[2] = at(n - 1);
			words[3] = at(n / 2);
		}
	}
}

static void big_init(struct big *big, enum shape shape, uint32_t count, struct sw_work *work)
{
	uint64_t seed = 99 + shape;
	memset(big, 0, sizeof(*big));
	big->count = count;
	big->words = calloc(count, 32);
	assert_non_null(big->words);
	big_words(big, shape, &seed);
	struct sw_span span = {.base = BASE,
			       .bytes = (const uint8_t *)big->words,
			       .limit = count * 32,
			       .elemsize = 32,
			       .count = count,
			       .scan = SW_SCAN_ALL};
	ok(sw_heap_init(&big->heap, work, &span, 1));
	for (uint32_t r = 0; r < 200; r++) {
		struct sw_root root = {r % 3 && r > 20 ? r % 20 : SW_NO_ROOT};
		ok(sw_roots_add(&big->heap.roots, root));
		for (unsigned i = 0; i < 60; i++) {
			struct sw_root_word word = {at(next_random(&seed) % count), 0, r};
			if (shape == LIST && r + i)
				break;
			ok(sw_root_words_add(&big->heap.root_words, word));
		}
	}
}

static struct sw_error *big_build(struct big *big, struct sw_work *work)
{
	struct sw_error *error = sw_heap_mark(&big->heap, work);
	sw_heap_number(&big->heap);
	if (!error)
		error = sw_graph_build(&big->graph, &big->heap, work);
	if (!error)
		error = sw_dominators_build(&big->dominators, &big->graph, &big->heap, NULL, work);
	if (!error)
		error = sw_shared_build(&big->shared, &big->graph, &big->dominators, work);
	return error;
}

static void big_free(struct big *big, struct sw_work *work)
{
	sw_shared_free(&big->shared);
	sw_dominators_free(&big->dominators, &big->graph, work);
	sw_graph_free(&big->graph, work);
	sw_heap_free(&big->heap, work);
	free(big->words);
	assert_int_equal(work->used_memory, 0);
}

static void assert_same(const struct big *a, const struct big *b)
{
	size_t nodes = a->graph.node_count;
	assert_int_equal(nodes, b->graph.node_count);
	assert_int_equal(a->graph.extra_count, b->graph.extra_count);
	assert_memory_equal(a->graph.parent, b->graph.parent, nodes * 4);
	assert_memory_equal(a->graph.extra, b->graph.extra, a->graph.extra_count * 8);
	assert_memory_equal(a->dominators.idom, b->dominators.idom, nodes * 4);
	assert_memory_equal(a->dominators.retained_bytes, b->dominators.retained_bytes, nodes * 8);
	assert_memory_equal(a->dominators.retained_objects, b->dominators.retained_objects,
			    nodes * 4);
	assert_memory_equal(a->dominators.heaviest, b->dominators.heaviest, nodes * 4);
	assert_int_equal(a->shared.count, b->shared.count);
	for (size_t i = 0; i < a->shared.count; i++) {
		const struct sw_shared_set *x = &a->shared.sets[i], *y = &b->shared.sets[i];
		assert_int_equal(x->count, y->count);
		assert_memory_equal(x->roots, y->roots, x->count * 4);
		assert_int_equal(x->is_many, y->is_many);
		assert_int_equal(x->retained_bytes, y->retained_bytes);
		assert_int_equal(x->heaviest, y->heaviest);
	}
}

/* The nearest dominator of both; what dominates a node stands before it in the order. */
static sw_node common(const sw_node *idom, const uint32_t *order, sw_node a, sw_node b)
{
	while (a != b) {
		if (order[a] > order[b])
			a = idom[a];
		else
			b = idom[b];
	}
	return a;
}

/* Nodes by their distance from the super root. */
static void order_by_level(const struct sw_graph *graph, sw_node *by_level, uint32_t *order)
{
	uint32_t placed = 0, *level = calloc(graph->node_count, 4);
	for (sw_node v = 0; v < graph->node_count; v++) {
		for (sw_node u = v; u != graph->super; u = graph->parent[u])
			level[v]++;
	}
	for (uint32_t depth = 0; placed < graph->node_count; depth++) {
		for (sw_node v = 0; v < graph->node_count; v++) {
			if (level[v] != depth)
				continue;
			order[v] = placed;
			by_level[placed++] = v;
		}
	}
	free(level);
}

/* The dominators by iteration to a fixed point (Cooper, Harvey and Kennedy), level by level,
 * which is slower than a postorder but right all the same. */
static void check_by_iteration(const struct big *big)
{
	const struct sw_graph *graph = &big->graph;
	size_t nodes = graph->node_count;
	uint32_t *order = malloc(nodes * 4);
	sw_node *idom = malloc(nodes * 4), *by_level = malloc(nodes * 4);
	bool is_new = true;

	order_by_level(graph, by_level, order);
	memcpy(idom, graph->parent, nodes * 4);
	while (is_new) {
		is_new = false;
		for (uint32_t i = 1; i < nodes; i++) {
			sw_node v = by_level[i], dominator = graph->parent[v];
			const struct sw_edge *first;
			size_t count = sw_graph_extra(graph, v, &first);
			for (size_t e = 0; e < count; e++)
				dominator = common(idom, order, dominator, first[e].from);
			is_new |= idom[v] != dominator;
			idom[v] = dominator;
		}
	}
	assert_memory_equal(idom, big->dominators.idom, nodes * 4);
	free(idom);
	free(by_level);
	free(order);
}

static void check_sums(const struct big *big)
{
	const struct sw_dominators *dominators = &big->dominators;
	uint64_t sum = 0;
	sw_node super = big->graph.super;
	for (sw_node v = big->graph.object_count; v < super; v++)
		sum += dominators->idom[v] == super ? dominators->retained_bytes[v] : 0;
	for (size_t i = 0; i < big->shared.count; i++)
		sum += big->shared.sets[i].retained_bytes;
	assert_int_equal(sum, big->heap.object_bytes);
	assert_int_equal(dominators->retained_bytes[super], big->heap.object_bytes);
	assert_int_equal(dominators->retained_objects[super], big->heap.object_count);
}

static void large_heaps(void **state)
{
	static const unsigned counts[] = {1, 2, 5};
	(void)state;
	for (enum shape shape = 0; shape < SHAPES; shape++) {
		struct big big[3];
		for (unsigned i = 0; i < 3; i++) {
			struct sw_work work = workers(counts[i]);
			big_init(&big[i], shape, 60000, &work);
			ok(big_build(&big[i], &work));
			assert_same(&big[0], &big[i]);
		}
		check_sums(&big[0]);
		if (shape == RANDOM || shape == TREE || shape == HUB)
			check_by_iteration(&big[0]);
		for (unsigned i = 0; i < 3; i++) {
			struct sw_work work = workers(1);
			work.used_memory = 0;
			sw_shared_free(&big[i].shared);
			sw_dominators_free(&big[i].dominators, &big[i].graph, &work);
			sw_graph_free(&big[i].graph, &work);
			sw_heap_free(&big[i].heap, &work);
			free(big[i].words);
		}
	}
}

/* More than SW_SHARED_MAX roots hold one object. */
static void many_holders(void **state)
{
	struct sw_work work = workers(1);
	struct big big;
	(void)state;
	big_init(&big, TREE, 64, &work);
	big.heap.root_words.count = 0;
	memset(big.words, 0, 64 * 32);
	for (uint32_t r = 0; r < 200; r++) {
		big.heap.roots.items[r].group = SW_NO_ROOT;
		if (r % 2)
			ok(sw_root_words_add(&big.heap.root_words,
					     (struct sw_root_word){at(7), 0, 200 - r}));
	}
	ok(sw_root_words_add(&big.heap.root_words, (struct sw_root_word){at(9), 0, 5}));
	ok(sw_root_words_add(&big.heap.root_words, (struct sw_root_word){at(9), 0, 1}));
	big.words[9][0] = at(7);
	ok(big_build(&big, &work));
	assert_int_equal(big.shared.count, 2);
	for (unsigned i = 0; i < 2; i++) {
		const struct sw_shared_set *set = &big.shared.sets[i];
		assert_int_equal(set->is_many, set->count != 2);
		if (!set->is_many)
			continue;
		assert_int_equal(set->count, SW_SHARED_MAX);
		assert_int_equal(set->heaviest, 0);
		for (uint32_t k = 0; k < SW_SHARED_MAX; k++)
			assert_int_equal(set->roots[k], 2 * k + 1);
	}
	check_sums(&big);
	big_free(&big, &work);
}

static void memory_limits(void **state)
{
	unsigned failures = 0, successes = 0;
	(void)state;
	for (uint64_t max = 20000; max < 8000000; max = max * 21 / 20) {
		struct sw_work work = workers(2);
		struct big big;
		big_init(&big, RANDOM, 20000, &work);
		work.max_memory = work.used_memory + max;
		struct sw_error *error = big_build(&big, &work);
		if (error) {
			assert_int_equal(error->code, SW_ERR_LIMIT);
			failures++;
		} else {
			assert_true(work.peak_memory <= work.max_memory);
			successes++;
		}
		sw_error_free(error);
		big_free(&big, &work);
	}
	assert_true(failures > 20 && successes > 0);
}

struct countdown {
	struct sw_work *work;
	unsigned left;
};

static bool cancel(void *context)
{
	struct countdown *countdown = context;
	countdown->work->last_tick = 0; /* be asked again at once */
	return countdown->left-- == 0;
}

static void interruptions(void **state)
{
	unsigned stopped = 0, finished = 0;
	(void)state;
	for (unsigned after = 0; after < 3000; after = after * 3 / 2 + 1) {
		struct sw_work work = workers(after % 2 + 1);
		struct countdown countdown = {&work, after};
		struct big big;
		big_init(&big, RANDOM, 30000, &work);
		work.cancelled = cancel;
		work.context = &countdown;
		struct sw_error *error = big_build(&big, &work);
		if (error)
			assert_int_equal(error->code, SW_ERR_INTERRUPTED);
		stopped += error != NULL;
		finished += error == NULL;
		sw_error_free(error);
		big_free(&big, &work);
	}
	assert_true(stopped > 5 && finished > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_heaps),	 cmocka_unit_test(bad_groups),
		cmocka_unit_test(large_heaps),	 cmocka_unit_test(many_holders),
		cmocka_unit_test(memory_limits), cmocka_unit_test(interruptions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
