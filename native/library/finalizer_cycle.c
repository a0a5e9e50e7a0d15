/* Objects that their own finalizers or cleanups keep alive. The runtime frees an object with a
 * finalizer only when nothing that the object refers to leads back to it, and calls no function
 * that itself leads to the object it waits for (runtime/mgcmark.go markrootSpans).
 *
 * In the graph, a finalizer's function and a cleanup's hang on a root; here each such root also
 * hangs on its object, for as long as that lives. What holds itself is then in a strongly connected
 * component with what holds it. Components are those of the graph turned round, whose edges are at
 * hand: Tarjan's search goes from objects that have finalizers to whoever refers to them. */
#include "library/finalizer.h"

enum {
	OBLET = 128 << 10, /* mgcmark.go maxObletBytes */
	TICK = 1 << 16,
};

SW_MAP(sw_node, next_nodes); /* by node + 1: one step towards the object */

/* Node on the way down. */
struct frame {
	sw_node node;
	size_t next, count; /* of its predecessors: the parent, then the extra edges */
	const struct sw_edge *extra;
};
SW_VECTOR(struct frame, frames);
SW_VECTOR(sw_node, node_stack);

struct search {
	const struct sw_live *live;
	const struct sw_finalizer_roots *objects;
	uint32_t *index, *low; /* by node; of one that is done `low` is its component */
	uint64_t *is_done;     /* bits */
	uint32_t last_index, last_component;
	struct frames frames;
	struct node_stack stack;
	uint64_t steps;
};

static const sw_object *object_of_root(const struct search *search, sw_node node)
{
	return sw_finalizer_roots_find(search->objects,
				       (uint64_t)(node - search->live->graph->object_count) + 1);
}

/* Is the node an object, or the root of something that hangs on one? */
static bool is_inside(const struct search *search, sw_node node)
{
	const struct sw_graph *graph = search->live->graph;
	if (node < graph->object_count)
		return true;
	return sw_graph_is_root(graph, node) && object_of_root(search, node);
}

static struct sw_error *enter(struct search *search, sw_node node)
{
	const struct sw_graph *graph = search->live->graph;
	struct frame frame = {.node = node, .count = 1};

	search->index[node] = search->low[node] = ++search->last_index;
	if (node < graph->object_count)
		frame.count += sw_graph_extra(graph, node, &frame.extra);
	struct sw_error *error = node_stack_add(&search->stack, node);
	return error ? error : frames_add(&search->frames, frame);
}

static sw_node predecessor(const struct search *search, struct frame *frame)
{
	const struct sw_graph *graph = search->live->graph;
	size_t at = frame->next++;
	if (frame->node >= graph->object_count)
		return *object_of_root(search, frame->node);
	return at ? frame->extra[at - 1].from : graph->parent[frame->node];
}

static void leave(struct search *search, sw_node node)
{
	sw_node top;
	if (search->low[node] != search->index[node])
		return;
	search->last_component++;
	do {
		top = search->stack.items[--search->stack.count];
		search->low[top] = search->last_component;
		sw_bitset_set(search->is_done, top);
	} while (top != node);
}

static void lower(uint32_t *low, uint32_t value)
{
	if (value < *low)
		*low = value;
}

static struct sw_error *step(struct search *search)
{
	struct frame *frame = &search->frames.items[search->frames.count - 1];
	sw_node node = frame->node;

	if (frame->next == frame->count) {
		search->frames.count--;
		leave(search, node);
		if (search->frames.count && !sw_bitset_has(search->is_done, node))
			lower(&search->low[search->frames.items[search->frames.count - 1].node],
			      search->low[node]);
		return NULL;
	}
	sw_node from = predecessor(search, frame);
	if (!is_inside(search, from) || sw_bitset_has(search->is_done, from))
		return NULL;
	if (!search->index[from])
		return enter(search, from);
	lower(&search->low[node], search->index[from]);
	return NULL;
}

static struct sw_error *visit(struct search *search, sw_node node)
{
	struct sw_error *error = search->index[node] ? NULL : enter(search, node);
	while (!error && search->frames.count) {
		error = step(search);
		if (!error && ++search->steps % TICK == 0)
			error = sw_work_tick(search->live->work, "finalizers", search->last_index,
					     search->live->graph->node_count);
	}
	return error;
}

/* ---- what holds itself ---- */

static bool is_same(const struct search *search, sw_object object, sw_addr address)
{
	sw_object other = address ? sw_heap_object(search->live->heap, address) : SW_NO_OBJECT;
	if (other == SW_NO_OBJECT || !sw_bitset_has(search->is_done, other))
		return false;
	return other == object || search->low[other] == search->low[object];
}

struct contents {
	const struct search *search;
	sw_object object;
	sw_addr slot;
	uint64_t size;
	bool is_found;
};

/* mgcmark.go scanobject: a pointer into the very object is no way back to it; into another piece of
 * a large one it is. */
static bool visit_pointer(void *context, uint64_t offset, sw_addr pointer)
{
	struct contents *contents = context;
	uint64_t piece = contents->size > OBLET ? offset / OBLET * OBLET : 0;
	uint64_t piece_size = contents->size > OBLET ? OBLET : contents->size;
	contents->is_found = pointer - (contents->slot + piece) >= piece_size &&
			     is_same(contents->search, contents->object, pointer);
	return !contents->is_found;
}

static bool leads_back(const struct search *search, sw_object object)
{
	const struct sw_heap *heap = search->live->heap;
	sw_slot slot = sw_heap_select(heap, object);
	struct contents contents = {search, object, sw_heap_slot_address(heap, slot),
				    sw_heap_slot_span(heap, slot)->elemsize, false};
	sw_heap_pointers(heap, slot, visit_pointer, &contents);
	return contents.is_found;
}

static void judge(const struct search *search, struct sw_finalizer *finalizer)
{
	finalizer->is_cycle =
		finalizer->kind == SW_FINALIZER && leads_back(search, finalizer->object);
	finalizer->is_held_by_function = is_same(search, finalizer->object, finalizer->function) ||
					 is_same(search, finalizer->object, finalizer->argument);
	if (!sw_finalizer_is_never(finalizer))
		return;
	finalizer->component = search->low[finalizer->object];
	if (finalizer->state == SW_FINALIZER_UNREACHABLE)
		finalizer->state = SW_FINALIZER_LOST;
}

static bool counts(const struct sw_finalizer *finalizer)
{
	return finalizer->root != SW_NO_ROOT && finalizer->kind != SW_WEAK_POINTER &&
	       finalizer->object != SW_NO_OBJECT;
}

static struct sw_error *run(struct search *search, struct sw_finalizers *list)
{
	struct sw_error *error = NULL;
	for (size_t i = 0; !error && i < list->list.count; i++)
		if (counts(&list->list.items[i]))
			error = sw_finalizer_roots_set(&list->objects,
						       (uint64_t)list->list.items[i].root + 1,
						       list->list.items[i].object);
	for (size_t i = 0; !error && i < list->list.count; i++)
		if (counts(&list->list.items[i]))
			error = visit(search, list->list.items[i].object);
	for (size_t i = 0; !error && i < list->list.count; i++)
		if (counts(&list->list.items[i]))
			judge(search, &list->list.items[i]);
	return error;
}

/* ---- what would be free without the lost ones ---- */

static struct sw_error *mark_others(const struct sw_live *live, const uint64_t *lost,
				    struct sw_heap *view, struct sw_finalizers *list)
{
	const struct sw_root_words *words = &live->heap->root_words;
	struct sw_error *error = NULL;
	for (size_t i = 0; !error && i < words->count; i++)
		if (!sw_bitset_has(lost, words->items[i].root))
			error = sw_root_words_add(&view->root_words, words->items[i]);
	if (!error)
		error = sw_heap_mark(view, live->work);
	if (!error)
		sw_heap_view_lacks(live->heap, view, &list->lost_objects, &list->lost_bytes);
	return error;
}

static struct sw_error *add_up_lost(const struct sw_live *live, struct sw_finalizers *list)
{
	struct sw_heap view;
	uint64_t *lost = calloc(sw_bitset_words(live->go->roots.count + 1), sizeof(*lost));
	bool is_any = false;
	struct sw_error *error = lost ? NULL : sw_error_memory();

	for (size_t i = 0; !error && i < list->list.count; i++)
		if (list->list.items[i].state == SW_FINALIZER_LOST) {
			sw_bitset_set(lost, list->list.items[i].root);
			is_any = true;
		}
	if (!error && is_any) {
		error = sw_heap_view(&view, live->heap, live->work);
		if (!error) {
			error = mark_others(live, lost, &view, list);
			sw_heap_view_free(&view, live->work);
		}
	}
	free(lost);
	return error;
}

struct sw_error *sw_finalizers_find_cycles(const struct sw_live *live, struct sw_finalizers *list)
{
	struct search search = {.live = live, .objects = &list->objects};
	size_t nodes = live->graph->node_count, size = nodes * sizeof(*search.index);
	size_t bits = sw_bitset_words(nodes) * sizeof(*search.is_done);
	bool is_needed = false;

	for (size_t i = 0; i < list->list.count; i++)
		is_needed |= counts(&list->list.items[i]);
	if (!is_needed)
		return NULL;
	struct sw_error *error = sw_work_alloc(live->work, size, "finalizers", &search.index);
	if (!error)
		error = sw_work_alloc(live->work, size, "finalizers", &search.low);
	if (!error)
		error = sw_work_alloc(live->work, bits, "finalizers", &search.is_done);
	if (!error)
		error = run(&search, list);
	if (!error)
		error = add_up_lost(live, list);
	if (search.index)
		sw_work_free(live->work, search.index, size);
	if (search.low)
		sw_work_free(live->work, search.low, size);
	if (search.is_done)
		sw_work_free(live->work, search.is_done, bits);
	frames_free(&search.frames);
	node_stack_free(&search.stack);
	return error;
}

/* ---- one way round ---- */

struct way {
	struct search search; /* its `live` and `objects` alone */
	sw_node start;
	struct next_nodes next;
	struct node_stack queue;
	bool is_found;
};

static struct sw_error *reach(struct way *way, sw_node from, sw_node to)
{
	if (way->is_found || !is_inside(&way->search, from))
		return NULL;
	way->is_found = from == way->start;
	if (!way->is_found && next_nodes_find(&way->next, (uint64_t)from + 1))
		return NULL;
	struct sw_error *error = next_nodes_set(&way->next, (uint64_t)from + 1, to);
	return error ? error : node_stack_add(&way->queue, from);
}

/* Everything that refers to a node. */
static struct sw_error *look_back(struct way *way, sw_node node, uint64_t *steps)
{
	const struct sw_graph *graph = way->search.live->graph;
	struct frame frame = {.node = node, .count = 1};
	struct sw_error *error = NULL;
	if (node < graph->object_count)
		frame.count += sw_graph_extra(graph, node, &frame.extra);
	for (; !error && frame.next < frame.count && *steps; --*steps)
		error = reach(way, predecessor(&way->search, &frame), node);
	return error;
}

static struct sw_error *write_way(const struct way *way, struct sw_path *out)
{
	size_t room = way->next.count + 2;
	out->nodes = malloc(room * sizeof(*out->nodes));
	if (!out->nodes)
		return sw_error_memory();
	sw_node node = way->start;
	do {
		const sw_node *next = next_nodes_find(&way->next, (uint64_t)node + 1);
		out->nodes[out->count++] = node;
		node = next ? *next : way->start;
	} while (node != way->start && out->count < room - 1);
	out->nodes[out->count++] = way->start;
	return NULL;
}

struct sw_error *sw_finalizer_cycle(const struct sw_live *live,
				    const struct sw_finalizers *finalizers, size_t number,
				    uint64_t *steps, struct sw_path *out)
{
	struct way way = {.search = {.live = live, .objects = &finalizers->objects},
			  .start = finalizers->list.items[number].object};

	memset(out, 0, sizeof(*out));
	if (way.start == SW_NO_OBJECT)
		return NULL;
	struct sw_error *error = look_back(&way, way.start, steps);
	for (size_t i = 0; !error && !way.is_found && i < way.queue.count && *steps; i++)
		error = look_back(&way, way.queue.items[i], steps);
	if (!error && way.is_found)
		error = write_way(&way, out);
	next_nodes_free(&way.next);
	node_stack_free(&way.queue);
	if (error)
		sw_path_free(out);
	return error;
}
