/* Parts that are taken from the file: where they are mapped, once their numbers were found in
 * range. */
#include "index/file.h"

enum { GRAIN = 1 << 16 };

/* ---- numbers in range ---- */

struct range {
	const uint32_t *items;
	uint32_t limit;
	bool may_be_none; /* UINT32_MAX */
	bool is_broken;	  /* atomic */
};

static struct sw_error *look_at_range(void *context, unsigned worker, size_t begin, size_t end)
{
	struct range *range = context;
	uint32_t most = 0;

	(void)worker;
	for (size_t i = begin; i < end; i++) {
		uint32_t item = range->items[i];
		if (range->may_be_none && item == UINT32_MAX)
			item = 0;
		most = item > most ? item : most;
	}
	if (end > begin && most >= range->limit)
		__atomic_store_n(&range->is_broken, true, __ATOMIC_RELAXED);
	return NULL;
}

/* A section of `count` numbers below a limit; *items is NULL for another. */
static struct sw_error *take_numbers(struct sw_index *index, enum sw_index_section section,
				     uint64_t count, uint32_t limit, bool may_be_none,
				     struct sw_work *work, const uint32_t **items)
{
	const void *bytes;
	struct sw_error *error =
		sw_index_section(index, section, count * sizeof(uint32_t), work, &bytes);
	struct range range = {.items = bytes, .limit = limit, .may_be_none = may_be_none};

	*items = NULL;
	if (error || !bytes)
		return error;
	error = sw_parallel_for(work, "index", count, GRAIN, look_at_range, &range);
	if (!error && range.is_broken)
		sw_index_refuse(index, section);
	else if (!error)
		*items = range.items;
	return error;
}

/* ---- types ---- */

static struct sw_error *restore_table(struct sw_index *index, struct sw_go *go,
				      struct sw_work *work, struct sw_types **types)
{
	const void *bytes;
	struct sw_error *error =
		sw_index_section(index, SW_SECTION_TABLE, UINT64_MAX, work, &bytes);

	*types = NULL;
	if (error || !bytes)
		return error;
	error = sw_types_restore(go, bytes, index->head.sections[SW_SECTION_TABLE].size, types);
	if (!error && !*types)
		sw_index_refuse(index, SW_SECTION_TABLE);
	return error;
}

/* What root words lead to; *items is NULL for a section that cannot be that. */
static struct sw_error *take_root_types(struct sw_index *index, uint64_t count, uint32_t types,
					struct sw_work *work,
					const struct sw_root_word_type **items)
{
	const void *bytes;
	struct sw_error *error = sw_index_section(index, SW_SECTION_ROOT_TYPES,
						  count * sizeof(**items), work, &bytes);

	*items = bytes;
	for (uint64_t i = 0; !error && *items && i < count; i++)
		if ((*items)[i].target >= types || (*items)[i].kind >= SW_ROOT_WORD_KINDS) {
			sw_index_refuse(index, SW_SECTION_ROOT_TYPES);
			*items = NULL;
		}
	return error;
}

struct sw_error *sw_index_take_types(struct sw_index *index, struct sw_go *go,
				     const struct sw_heap *heap, struct sw_work *work,
				     struct sw_types **types, struct sw_typing *typing, bool *taken)
{
	const struct sw_root_word_type *root_types = NULL;
	const uint32_t *items = NULL;
	struct sw_types *table;

	*taken = false;
	if (!index || !index->bytes)
		return NULL;
	struct sw_error *error = restore_table(index, go, work, &table);
	if (!error && table)
		error = take_numbers(index, SW_SECTION_TYPES, heap->object_count,
				     sw_types_count(table), false, work, &items);
	if (!error && items)
		error = take_root_types(index, heap->root_words.count, sw_types_count(table), work,
					&root_types);
	if (error || !root_types) {
		sw_types_free(table);
		return error;
	}
	*types = table;
	*typing = (struct sw_typing){
		.types = (sw_type *)(uintptr_t)items,
		.object_count = heap->object_count,
		.root_types = (struct sw_root_word_type *)(uintptr_t)root_types,
		.root_word_count = heap->root_words.count,
		.root_pointers = index->head.root_pointers,
		.known_by_debug_information = index->head.known_by_debug_information,
		.known_by_interface = index->head.known_by_interface,
		.known_by_code = index->head.known_by_code,
	};
	*taken = true;
	return NULL;
}

struct sw_error *sw_index_keep_types(struct sw_index *index, const struct sw_types *types)
{
	if (!index || index->use != SW_INDEX_WRITE)
		return NULL;
	free(index->table);
	index->table = NULL;
	return sw_types_store(types, &index->table, &index->table_size);
}

/* ---- the graph ---- */

/* Roots hang below their groups, groups below the super root; that tells any other graph. */
static bool are_roots_in_place(const sw_node *parent, const struct sw_heap *heap, sw_node super)
{
	for (uint32_t r = 0; r < heap->roots.count; r++) {
		uint32_t group = heap->roots.items[r].group;
		sw_node above = group == SW_NO_ROOT ? super : heap->object_count + group;
		if (parent[heap->object_count + r] != above)
			return false;
	}
	return parent[super] == super;
}

/* Every way up ends at the super root. Each node is looked at twice at most: `seen` holds those
 * that a way has come by, `done` those from which the end is known to be reached. */
static bool are_ways_finite(const sw_node *parent, sw_node super, uint64_t *seen, uint64_t *done)
{
	sw_bitset_set(seen, super);
	sw_bitset_set(done, super);
	for (sw_node node = 0; node < super; node++) {
		sw_node at = node;
		for (; !sw_bitset_has(seen, at); at = parent[at])
			sw_bitset_set(seen, at);
		if (!sw_bitset_has(done, at))
			return false;
		for (at = node; !sw_bitset_has(done, at); at = parent[at])
			sw_bitset_set(done, at);
	}
	return true;
}

static struct sw_error *check_tree(const sw_node *parent, const struct sw_heap *heap, sw_node super,
				   struct sw_work *work, bool *is_tree)
{
	size_t size = sw_bitset_words((size_t)super + 1) * sizeof(uint64_t);
	uint64_t *seen, *done = NULL;
	struct sw_error *error = sw_work_alloc(work, size, "index", &seen);

	if (!error)
		error = sw_work_alloc(work, size, "index", &done);
	*is_tree = !error && are_roots_in_place(parent, heap, super) &&
		   are_ways_finite(parent, super, seen, done);
	sw_work_free(work, seen, size);
	sw_work_free(work, done, size);
	return error;
}

struct edges {
	const struct sw_edge *items;
	size_t count;
	sw_node node_count;
	bool is_broken; /* atomic */
};

static struct sw_error *look_at_edges(void *context, unsigned worker, size_t begin, size_t end)
{
	struct edges *edges = context;
	bool is_right = true;

	(void)worker;
	for (size_t i = begin; i < end; i++) {
		const struct sw_edge *edge = &edges->items[i];
		is_right &= edge->from < edges->node_count && edge->to < edges->node_count;
		if (i)
			is_right &= edge[-1].to < edge->to ||
				    (edge[-1].to == edge->to && edge[-1].from < edge->from);
	}
	if (!is_right)
		__atomic_store_n(&edges->is_broken, true, __ATOMIC_RELAXED);
	return NULL;
}

static struct sw_error *take_edges(struct sw_index *index, sw_node node_count, struct sw_work *work,
				   const struct sw_edge **items, size_t *count)
{
	const void *bytes;
	uint64_t size = index->head.sections[SW_SECTION_EDGES].size;
	struct sw_error *error =
		sw_index_section(index, SW_SECTION_EDGES, UINT64_MAX, work, &bytes);
	struct edges edges = {bytes, size / sizeof(struct sw_edge), node_count, false};

	*items = NULL;
	*count = edges.count;
	if (error || !bytes)
		return error;
	error = sw_parallel_for(work, "index", edges.count, GRAIN, look_at_edges, &edges);
	if (!error && (edges.is_broken || size % sizeof(struct sw_edge)))
		sw_index_refuse(index, SW_SECTION_EDGES);
	else if (!error)
		*items = edges.items;
	return error;
}

struct sw_error *sw_index_take_graph(struct sw_index *index, const struct sw_heap *heap,
				     struct sw_work *work, struct sw_graph *graph, bool *taken)
{
	uint64_t nodes = (uint64_t)heap->object_count + heap->roots.count + 1;
	const struct sw_edge *edges;
	const sw_node *parent;
	size_t count;
	bool is_tree;

	*taken = false;
	if (!index || !index->bytes || nodes >= SW_NO_NODE)
		return NULL;
	struct sw_error *error = take_numbers(index, SW_SECTION_PARENTS, nodes, (uint32_t)nodes,
					      false, work, &parent);
	if (error || !parent)
		return error;
	error = check_tree(parent, heap, (sw_node)nodes - 1, work, &is_tree);
	if (!error && !is_tree)
		sw_index_refuse(index, SW_SECTION_PARENTS);
	if (error || !is_tree)
		return error;
	error = take_edges(index, (sw_node)nodes, work, &edges, &count);
	if (error || !edges)
		return error;
	*graph = (struct sw_graph){
		.object_count = heap->object_count,
		.root_count = (uint32_t)heap->roots.count,
		.node_count = (sw_node)nodes,
		.super = (sw_node)nodes - 1,
		.parent = (sw_node *)(uintptr_t)parent,
		.extra = (struct sw_edge *)(uintptr_t)edges,
		.extra_count = count,
	};
	*taken = true;
	return NULL;
}

/* ---- dominators ---- */

struct tree {
	const struct sw_graph *graph;
	const struct sw_dominators *dominators;
	bool is_broken; /* atomic */
};

/* An object retains itself beside what is below it, and a root stands behind its group: so no way
 * up comes back. */
static bool is_below(const struct sw_graph *graph, const struct sw_dominators *dominators,
		     sw_node node)
{
	const uint32_t *objects = dominators->retained_objects;
	sw_node above = dominators->idom[node], heaviest = dominators->heaviest[node];

	if (heaviest != SW_NO_NODE && (heaviest == node || dominators->idom[heaviest] != node))
		return false;
	if (node == graph->super)
		return above == node;
	if (node >= graph->object_count && above != graph->super &&
	    (above < graph->object_count || above >= node))
		return false;
	return objects[above] >= objects[node] + (above < graph->object_count ? 1u : 0u);
}

static struct sw_error *look_at_tree(void *context, unsigned worker, size_t begin, size_t end)
{
	struct tree *tree = context;
	bool is_right = true;

	(void)worker;
	for (size_t node = begin; node < end; node++)
		is_right &= is_below(tree->graph, tree->dominators, (sw_node)node);
	if (!is_right)
		__atomic_store_n(&tree->is_broken, true, __ATOMIC_RELAXED);
	return NULL;
}

struct sw_error *sw_index_take_dominators(struct sw_index *index, const struct sw_graph *graph,
					  struct sw_work *work, struct sw_dominators *dominators,
					  bool *taken)
{
	const uint32_t *idom = NULL, *objects = NULL, *heaviest = NULL;
	const void *bytes = NULL;
	sw_node count = graph->node_count;

	*taken = false;
	if (!index || !index->bytes)
		return NULL;
	struct sw_error *error =
		take_numbers(index, SW_SECTION_DOMINATORS, count, count, false, work, &idom);
	if (!error && idom)
		error = take_numbers(index, SW_SECTION_HEAVIEST, count, count, true, work,
				     &heaviest);
	if (!error && heaviest)
		error = take_numbers(index, SW_SECTION_RETAINED_OBJECTS, count, UINT32_MAX, false,
				     work, &objects);
	if (!error && objects)
		error = sw_index_section(index, SW_SECTION_RETAINED_BYTES, count * sizeof(uint64_t),
					 work, &bytes);
	if (error || !bytes)
		return error;
	struct sw_dominators found = {
		.idom = (sw_node *)(uintptr_t)idom,
		.retained_bytes = (uint64_t *)(uintptr_t)bytes,
		.retained_objects = (uint32_t *)(uintptr_t)objects,
		.heaviest = (sw_node *)(uintptr_t)heaviest,
	};
	struct tree tree = {.graph = graph, .dominators = &found};
	error = sw_parallel_for(work, "index", count, GRAIN, look_at_tree, &tree);
	if (!error && tree.is_broken)
		sw_index_refuse(index, SW_SECTION_DOMINATORS);
	*taken = !error && !tree.is_broken;
	if (*taken)
		*dominators = found;
	return error;
}
