/* Sums over the dominator tree from its leaves up, without recursion and without an order.
 *
 * Most nodes are leaves; they are added to their parents by all workers, each for its own share
 * of the parents, so that nothing is written by two. The inner nodes follow as soon as their last
 * inner child is in; they are counted in `heaviest`, which is filled last. Their way up is a chain
 * of cache misses, so several climb in turn, each while the others' memory is on its way. */
#include "heap/retained.h"

enum {
	AHEAD = 24,
	CLIMBERS = 16,
	NODE_GRAIN = 1 << 16,
	BLOCK_GRAIN = 1 << 12,
	TICK_EVERY = 1 << 16
};

struct sums {
	struct sw_work *work;
	const struct sw_heap *heap;
	sw_node super;
	uint32_t shares;
	const sw_node *idom;
	uint64_t *bytes;
	uint32_t *objects;
	uint32_t *pending; /* inner children that are not in yet, then heaviest */
	uint64_t *inner;   /* bit set of nodes that dominate others */
};

/* Neighbours on a cache line belong to one share. */
static inline uint32_t share_of(const struct sums *sums, sw_node node)
{
	uint32_t spread = (node >> 6) * 2654435761u;
	return (uint32_t)((uint64_t)spread * sums->shares >> 32);
}

static struct sw_error *set_sizes(void *context, unsigned worker, size_t begin, size_t end)
{
	const struct sums *sums = context;
	(void)worker;
	for (size_t i = begin; i < end; i++) {
		const struct sw_block *block = &sums->heap->blocks[i];
		uint64_t elemsize = sums->heap->space.spans[block->span].elemsize;
		uint32_t count = (uint32_t)__builtin_popcountll(block->marked);
		for (uint32_t object = block->rank; object < block->rank + count; object++) {
			sums->bytes[object] = elemsize;
			sums->objects[object] = 1;
		}
	}
	return NULL;
}

static struct sw_error *find_inner(void *context, unsigned worker, size_t begin, size_t end)
{
	const struct sums *sums = context;
	(void)worker;
	for (size_t v = begin; v < end; v++)
		sw_bitset_claim(sums->inner, sums->idom[v]);
	return NULL;
}

static void add_to(const struct sums *sums, sw_node parent, sw_node child)
{
	sums->bytes[parent] += sums->bytes[child];
	sums->objects[parent] += sums->objects[child];
}

static void prefetch_parent(const struct sums *sums, sw_node v)
{
	sw_node parent = sums->idom[v];
	if (!sw_bitset_has(sums->inner, v)) {
		__builtin_prefetch(&sums->bytes[parent], 1);
		__builtin_prefetch(&sums->objects[parent], 1);
	} else {
		__builtin_prefetch(&sums->pending[parent], 1);
	}
}

static struct sw_error *add_leaves(void *context, unsigned worker, size_t begin, size_t end)
{
	const struct sums *sums = context;
	for (size_t share = begin; share < end; share++) {
		for (sw_node v = 0; v < sums->super; v++) {
			if (v + AHEAD < sums->super &&
			    share_of(sums, sums->idom[v + AHEAD]) == share)
				prefetch_parent(sums, v + AHEAD);
			sw_node parent = sums->idom[v];
			if (share_of(sums, parent) != share)
				continue;
			if (sw_bitset_has(sums->inner, v))
				sums->pending[parent]++;
			else
				add_to(sums, parent, v);
			if (worker || v % TICK_EVERY)
				continue;
			struct sw_error *error =
				sw_work_tick(sums->work, "retained sizes", v, sums->super);
			if (error)
				return error;
		}
	}
	return NULL;
}

/* Where the next inner node without pending children is looked for. */
struct starts {
	size_t word;   /* of the bit set */
	uint64_t bits; /* of that word, not looked at yet */
};

static sw_node next_start(const struct sums *sums, struct starts *starts)
{
	size_t words = sw_bitset_words((size_t)sums->super + 1);
	for (;;) {
		while (!starts->bits) {
			if (++starts->word >= words)
				return SW_NO_NODE;
			starts->bits = sums->inner[starts->word];
		}
		unsigned bit = (unsigned)__builtin_ctzll(starts->bits);
		sw_node v = (sw_node)(starts->word * 64 + bit);
		starts->bits &= starts->bits - 1;
		if (v != sums->super && !sums->pending[v])
			return v;
	}
}

static void prefetch_sums(const struct sums *sums, sw_node node)
{
	__builtin_prefetch(&sums->bytes[node], 1);
	__builtin_prefetch(&sums->objects[node], 1);
	__builtin_prefetch(&sums->pending[node], 1);
	__builtin_prefetch(&sums->idom[node]);
}

/* Adds a node whose sum is complete to its parent. The parent when that completes it too. */
static sw_node climb(const struct sums *sums, sw_node v)
{
	sw_node parent = sums->idom[v];
	add_to(sums, parent, v);
	return --sums->pending[parent] || parent == sums->super ? SW_NO_NODE : parent;
}

/* A climber takes its next start at once, so a node is never met twice: whoever completes it
 * takes it, and marks it as taken for the search for starts. */
static sw_node take(const struct sums *sums, struct starts *starts, sw_node v)
{
	if (v == SW_NO_NODE)
		v = next_start(sums, starts);
	if (v != SW_NO_NODE) {
		sums->pending[v] = SW_NO_NODE;
		prefetch_sums(sums, sums->idom[v]);
	}
	return v;
}

static struct sw_error *add_inner(const struct sums *sums)
{
	struct starts starts = {0, sums->inner[0]};
	sw_node climbers[CLIMBERS];
	unsigned active = 0;

	for (; active < CLIMBERS; active++) {
		climbers[active] = take(sums, &starts, SW_NO_NODE);
		if (climbers[active] == SW_NO_NODE)
			break;
	}
	for (unsigned round = 1; active; round++) {
		for (unsigned i = 0; i < active;) {
			climbers[i] = take(sums, &starts, climb(sums, climbers[i]));
			if (climbers[i] == SW_NO_NODE)
				climbers[i] = climbers[--active];
			else
				i++;
		}
		if (round % TICK_EVERY)
			continue;
		struct sw_error *error =
			sw_work_tick(sums->work, "retained sizes", starts.word * 64, sums->super);
		if (error)
			return error;
	}
	return NULL;
}

static struct sw_error *find_heaviest(void *context, unsigned worker, size_t begin, size_t end)
{
	const struct sums *sums = context;
	sw_node *heaviest = sums->pending;
	(void)worker;
	for (size_t share = begin; share < end; share++) {
		for (sw_node v = 0; v < sums->super; v++) {
			if (v + AHEAD < sums->super)
				__builtin_prefetch(&heaviest[sums->idom[v + AHEAD]], 1);
			sw_node parent = sums->idom[v];
			if (share_of(sums, parent) != share)
				continue;
			sw_node best = heaviest[parent];
			if (best == SW_NO_NODE || sums->bytes[v] > sums->bytes[best])
				heaviest[parent] = v;
		}
	}
	return NULL;
}

static struct sw_error *sum_up(struct sums *sums)
{
	struct sw_work *work = sums->work;
	struct sw_error *error = sw_parallel_for(work, "retained sizes", sums->heap->block_count,
						 BLOCK_GRAIN, set_sizes, sums);
	if (!error)
		error = sw_parallel_for(work, "retained sizes", sums->super, NODE_GRAIN, find_inner,
					sums);
	if (!error)
		error = sw_parallel_for(work, "retained sizes", sums->shares, 1, add_leaves, sums);
	if (!error)
		error = add_inner(sums);
	if (error)
		return error;
	memset(sums->pending, 0xff, ((size_t)sums->super + 1) * sizeof(sw_node));
	return sw_parallel_for(work, "retained sizes", sums->shares, 1, find_heaviest, sums);
}

struct sw_error *sw_retained_sum(struct sw_dominators *dominators, const struct sw_graph *graph,
				 const struct sw_heap *heap, struct sw_work *work)
{
	struct sums sums = {
		.work = work,
		.heap = heap,
		.super = graph->super,
		.shares = work->workers,
		.idom = dominators->idom,
		.bytes = dominators->retained_bytes,
		.objects = dominators->retained_objects,
		.pending = dominators->heaviest,
	};
	size_t size = sw_bitset_words(graph->node_count) * sizeof(uint64_t);
	struct sw_error *error = sw_work_alloc(work, size, "retained sizes", &sums.inner);
	if (error)
		return error;
	error = sum_up(&sums);
	sw_work_free(work, sums.inner, size);
	return error;
}
