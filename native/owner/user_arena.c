#include "owner/user_arena.h"

#include "base/chain.h"
#include "base/map.h"
#include "go/field.h"

#include <inttypes.h>

enum {
	MAX_CHUNKS = 1 << 20, /* of one arena: 8 TiB */
	FINALIZER_OT = 24,    /* mheap.go specialfinalizer, from fn: fn, nret, fint, ot */
	QUEUED_OT = 24,	      /* mfinal.go finalizer, from arg: fn, arg, nret, fint, ot */
	NO_SCAN = 1,	      /* of spanclass */
};

/* The chunk of an mspan, by its address: place in the list + 1. */
SW_MAP(size_t, chunk_map);

struct search {
	const struct sw_live *live;
	struct sw_user_arenas *out;
	struct chunk_map chunk_of;
};

/* ---- chunks ---- */

/* takeFromFront() and takeFromBack() shorten what is free, from both ends. */
static void read_use(const struct sw_live *live, const struct sw_go_span *span,
		     struct sw_user_chunk *chunk)
{
	sw_offset free = live->go->layout.mspan.userArenaChunkFree;
	uint64_t begin = sw_go_word_at(live->go, span->address, free);
	uint64_t end = free == SW_ABSENT ? 0 : sw_go_word_at(live->go, span->address, free + 8);

	if (begin < span->base || begin > end || end - span->base > span->elemsize) {
		sw_warn(live->warnings, true, "damaged_arena", NULL,
			"how much is free in the arena's chunk at 0x%" PRIx64 " cannot be told",
			span->base);
		return;
	}
	chunk->front_bytes = begin - span->base;
	chunk->free_bytes = end - begin;
	chunk->back_bytes = span->elemsize - (end - span->base);
}

static struct sw_error *add_chunk(struct search *search, const struct sw_go_span *span)
{
	const struct sw_live *live = search->live;
	struct sw_user_chunk chunk = {
		.base = span->base,
		.size = span->elemsize,
		.state = span->spanclass & NO_SCAN ? SW_USER_CHUNK_FREED : SW_USER_CHUNK_SPARE,
		.arena = SW_NO_USER_ARENA,
		.object = sw_heap_object(live->heap, span->base),
	};

	if (chunk.state == SW_USER_CHUNK_FREED && chunk.object == SW_NO_OBJECT)
		return NULL;
	if (chunk.state != SW_USER_CHUNK_FREED)
		read_use(live, span, &chunk);
	struct sw_error *error = sw_user_chunks_add(&search->out->chunks, chunk);
	if (!error)
		error = chunk_map_set(&search->chunk_of, span->address, search->out->chunks.count);
	return error;
}

static int by_base(const void *a, const void *b)
{
	const struct sw_go_span *const *x = a, *const *y = b;
	return ((*x)->base > (*y)->base) - ((*x)->base < (*y)->base);
}

static struct sw_error *list_chunks(struct search *search)
{
	const struct sw_go_spans *spans = &search->live->go->spans;
	const struct sw_go_span **chunks = calloc(spans->count + 1, sizeof(*chunks));
	struct sw_error *error = NULL;
	size_t count = 0;

	if (!chunks)
		return sw_error_memory();
	for (size_t i = 0; i < spans->count; i++)
		if (spans->items[i].is_user_arena && spans->items[i].state == SW_GO_SPAN_IN_USE)
			chunks[count++] = &spans->items[i];
	qsort(chunks, count, sizeof(*chunks), by_base);
	for (size_t i = 0; !error && i < count; i++)
		error = add_chunk(search, chunks[i]);
	free(chunks);
	return error;
}

/* ---- arenas ---- */

static void warn_of_arena(const struct sw_live *live, sw_addr address)
{
	sw_warn(live->warnings, true, "damaged_arena", NULL,
		"the chunks of the user arena at 0x%" PRIx64 " cannot be told", address);
}

/* False for a span that is no chunk, or another arena's. */
static bool take_chunk(struct search *search, sw_addr span, enum sw_user_chunk_state state,
		       struct sw_user_arena *arena)
{
	const size_t *place = chunk_map_find(&search->chunk_of, span);
	struct sw_user_chunk *chunk = place ? &search->out->chunks.items[*place - 1] : NULL;

	if (!chunk || chunk->state != SW_USER_CHUNK_SPARE)
		return false;
	chunk->state = state;
	chunk->arena = search->out->arenas.count;
	arena->chunks++;
	arena->size += chunk->size;
	arena->used_bytes += chunk->front_bytes + chunk->back_bytes;
	return true;
}

static bool take_chunks(struct search *search, struct sw_value value, struct sw_user_arena *arena)
{
	const struct sw_value_reader *reader = &search->live->reader;
	const struct sw_go *go = search->live->go;
	struct sw_chain chain = {0};
	uint64_t active, full;

	if (!sw_value_word(reader, value, "active", &active) ||
	    !sw_value_word(reader, value, "fullList", &full) ||
	    go->layout.mspan.next == SW_ABSENT ||
	    (active && !take_chunk(search, active, SW_USER_CHUNK_ACTIVE, arena)))
		return false;
	for (; full; full = sw_go_word_at(go, full, go->layout.mspan.next))
		if (sw_chain_is_ring(&chain, full) || chain.steps > MAX_CHUNKS ||
		    !take_chunk(search, full, SW_USER_CHUNK_FULL, arena))
			return false;
	return true;
}

/* The type that a *ptrtype in the target points to, when that is runtime.userArena. A finalizer
 * says so of its object: newUserArena() sets one, and free() takes it away. */
static sw_type arena_type(const struct sw_live *live, sw_addr ot)
{
	sw_addr type;

	if (!sw_memory_u64(live->go->memory, ot, &type) || !type)
		return 0;
	sw_type elem = sw_type_info(live->types, sw_type_of_descriptor(live->types, type))->elem;
	const char *name = sw_type_info(live->types, elem)->name;
	return name && !strcmp(name, "runtime.userArena") ? elem : 0;
}

/* Of an unreachable arena, what it refers to are words of the finalizer: `refs`, at least. */
static sw_addr find_unreachable(const struct sw_live *live, uint32_t number, sw_type type)
{
	const struct sw_root_words *words = &live->heap->root_words;
	const struct sw_go_root *root = &live->go->roots.items[number];
	struct sw_value refs;

	if (!sw_value_field(&live->reader, (struct sw_value){type, 0}, "refs", &refs))
		return 0;
	for (size_t i = 0; i < words->count; i++) {
		const struct sw_root_word *word = &words->items[i];
		if (word->root == number && word->at &&
		    word->at != root->address + live->go->layout.specialfinalizer.fn)
			return word->at - refs.addr;
	}
	return 0;
}

static struct sw_error *add_arena(struct search *search, sw_type type, sw_addr address)
{
	const struct sw_live *live = search->live;
	struct sw_user_arena arena = {.address = address,
				      .object = sw_heap_object(live->heap, address)};
	if (!take_chunks(search, (struct sw_value){type, address}, &arena))
		warn_of_arena(live, address);
	return sw_user_arena_list_add(&search->out->arenas, arena);
}

static struct sw_error *add_finalized(struct search *search, uint32_t number)
{
	const struct sw_live *live = search->live;
	const struct sw_go_root *root = &live->go->roots.items[number];
	sw_type type = arena_type(live, root->address + live->go->layout.specialfinalizer.fn +
						FINALIZER_OT);
	sw_addr address = root->object;

	if (type && !address)
		address = find_unreachable(live, number, type);
	/* Without an address it is dead, and its chunks too. */
	return type && address ? add_arena(search, type, address) : NULL;
}

/* Finalizers that wait to run. */
static struct sw_error *add_queued(struct search *search)
{
	const struct sw_live *live = search->live;
	const struct sw_root_words *words = &live->heap->root_words;
	struct sw_error *error = NULL;

	for (size_t i = 0; !error && i < words->count; i++) {
		const struct sw_root_word *word = &words->items[i];
		if (live->go->roots.items[word->root].kind != SW_GO_ROOT_QUEUE || !word->at)
			continue;
		sw_type type = arena_type(live, word->at + QUEUED_OT);
		if (type)
			error = add_arena(search, type, word->pointer);
	}
	return error;
}

static struct sw_error *list_arenas(struct search *search)
{
	const struct sw_go_roots *roots = &search->live->go->roots;
	struct sw_error *error = NULL;
	for (size_t i = 0; !error && i < roots->count; i++)
		if (roots->items[i].kind == SW_GO_ROOT_FINALIZER && roots->items[i].address)
			error = add_finalized(search, (uint32_t)i);
	return error ? error : add_queued(search);
}

/* ---- views on chunks of no arena ---- */

/* The runtime's own lists of chunks (userArenaState). */
static bool is_of_runtime(const struct sw_live *live, sw_node holder)
{
	const struct sw_graph *graph = live->graph;
	if (holder < graph->object_count)
		holder = graph->parent[holder];
	if (!sw_graph_is_root(graph, holder))
		return false;
	const struct sw_go_roots *roots = &live->go->roots;
	uint32_t root = holder - graph->object_count;
	uint32_t group = live->heap->roots.items[root].group;
	return roots->items[root].kind == SW_GO_ROOT_RUNTIME ||
	       (group != SW_NO_ROOT && roots->items[group].kind == SW_GO_ROOT_RUNTIME);
}

static struct sw_error *add_views(struct search *search, struct sw_user_chunk *chunk)
{
	struct sw_views views = {0};
	struct sw_views *out = &search->out->views;
	struct sw_error *error = sw_views_of(search->live, chunk->object, &views);

	chunk->first_view = out->count;
	for (size_t i = 0; !error && i < views.count; i++)
		if (!is_of_runtime(search->live, views.items[i].holder))
			error = sw_views_add(out, views.items[i]);
	chunk->view_count = out->count - chunk->first_view;
	sw_views_free(&views);
	return error;
}

struct sw_error *sw_user_arenas_find(const struct sw_live *live, struct sw_user_arenas *out)
{
	struct search search = {.live = live, .out = out};
	struct sw_error *error = list_chunks(&search);
	if (!error && out->chunks.count)
		error = list_arenas(&search);
	for (size_t i = 0; !error && i < out->chunks.count; i++)
		if (out->chunks.items[i].arena == SW_NO_USER_ARENA &&
		    out->chunks.items[i].object != SW_NO_OBJECT)
			error = add_views(&search, &out->chunks.items[i]);
	chunk_map_free(&search.chunk_of);
	return error;
}

void sw_user_arenas_free(struct sw_user_arenas *arenas)
{
	sw_user_arena_list_free(&arenas->arenas);
	sw_user_chunks_free(&arenas->chunks);
	sw_views_free(&arenas->views);
}
