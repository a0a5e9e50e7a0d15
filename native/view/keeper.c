#include "view/keeper.h"

#include "go/wait.h"

/* Functions that libraries run goroutines with, one or two for each connection; they end with it
 * (net/http/transport.go, h2_bundle.go, from 1.27 on internal/http2; database/sql/sql.go). */
static const char *const library_functions[] = {
	"net/http.(*persistConn).readLoop",
	"net/http.(*persistConn).writeLoop",
	"net/http.(*http2ClientConn).readLoop",
	"net/http/internal/http2.(*ClientConn).readLoop",
	"golang.org/x/net/http2.(*ClientConn).readLoop",
	"database/sql.(*DB).connectionOpener",
	"database/sql.(*DB).connectionCleaner",
	"database/sql.(*Rows).awaitDone",
	"database/sql.(*Tx).awaitDone",
};

enum {
	OUTERMOST = 4, /* calls that may be of a goroutine's start: goexit, a wrapper */
	MAIN_GOID = 1,
};

struct search {
	const struct sw_live *live;
	const struct sw_go_stacks *stacks;
	struct sw_keepers *keepers;
	struct sw_heap view;
};

static bool is_library_function(const char *name)
{
	for (size_t i = 0; i < sizeof(library_functions) / sizeof(*library_functions); i++)
		if (!strcmp(name, library_functions[i]))
			return true;
	return false;
}

static bool is_library_goroutine(const struct sw_go_stacks *stacks, size_t goroutine)
{
	if (goroutine >= stacks->goroutine_count || stacks->is_partial[goroutine])
		return false;
	struct sw_go_stack_range range = stacks->stacks[stacks->stack_of[goroutine]];
	for (uint32_t i = 0; i < range.count && i < OUTERMOST; i++) {
		uint32_t call = stacks->frames[range.begin + range.count - 1 - i];
		if (is_library_function(stacks->calls[call].function))
			return true;
	}
	return false;
}

static enum sw_keeper keeper_of_root(const struct sw_go_root *root)
{
	switch (root->kind) {
	case SW_GO_ROOT_QUEUE:
		return SW_KEPT_BY_FINALIZER;
	case SW_GO_ROOT_FINALIZER:
	case SW_GO_ROOT_CLEANUP:
		return root->address && !root->object ? SW_KEPT_BY_FINALIZER : SW_KEPT_BY_PROGRAM;
	default:
		return SW_KEPT_BY_PROGRAM;
	}
}

static enum sw_keeper keeper_of_goroutine(const struct search *search, size_t goroutine)
{
	const struct sw_goroutine *g = &search->live->go->goroutines.items[goroutine];
	if (is_library_goroutine(search->stacks, goroutine))
		return SW_KEPT_BY_LIBRARY;
	return g->goid == MAIN_GOID ? SW_KEPT_BY_PROGRAM : SW_KEPT_BY_GOROUTINE;
}

/* A group stands before its roots. */
static struct sw_error *sort_roots(struct search *search)
{
	const struct sw_go *go = search->live->go;
	const struct sw_roots *roots = &search->live->heap->roots;
	uint8_t *keepers = calloc(roots->count + 1, sizeof(*keepers));

	search->keepers->roots = keepers;
	if (!keepers)
		return sw_error_memory();
	for (size_t i = 0; i < roots->count && i < go->roots.count; i++)
		keepers[i] = (uint8_t)keeper_of_root(&go->roots.items[i]);
	for (size_t i = 0; go->waits && i < go->waits->list.count; i++) {
		uint32_t root = go->waits->list.items[i].root;
		if (root < roots->count)
			keepers[root] = (uint8_t)keeper_of_goroutine(search, i);
	}
	for (size_t i = 0; i < roots->count; i++) {
		uint32_t group = roots->items[i].group;
		if (group != SW_NO_ROOT && group < i &&
		    go->roots.items[group].kind == SW_GO_ROOT_GOROUTINE)
			keepers[i] = keepers[group];
	}
	return NULL;
}

/* Marks what the roots of a keeper reach, and copies all marks so far. */
static struct sw_error *mark(struct search *search, enum sw_keeper keeper)
{
	const struct sw_root_words *words = &search->live->heap->root_words;
	struct sw_error *error = NULL;

	for (size_t i = 0; !error && i < words->count; i++)
		if (search->keepers->roots[words->items[i].root] == keeper)
			error = sw_root_words_add(&search->view.root_words, words->items[i]);
	if (!error)
		error = sw_heap_mark(&search->view, search->live->work);
	if (error)
		return error;
	search->view.root_words.count = 0;
	uint64_t *marks = calloc(search->view.block_count + 1, sizeof(*marks));
	search->keepers->marks[keeper] = marks;
	if (!marks)
		return sw_error_memory();
	for (size_t i = 0; i < search->view.block_count; i++)
		marks[i] = search->view.blocks[i].marked;
	return NULL;
}

struct sw_error *sw_keepers_build(const struct sw_live *live, const struct sw_go_stacks *stacks,
				  struct sw_keepers *out)
{
	struct search search = {.live = live, .stacks = stacks, .keepers = out};

	memset(out, 0, sizeof(*out));
	struct sw_error *error = sort_roots(&search);
	if (!error)
		error = sw_heap_view(&search.view, live->heap, live->work);
	if (!error) {
		for (unsigned i = 0; !error && i < SW_KEPT_BY_FINALIZER; i++)
			error = mark(&search, i);
		sw_heap_view_free(&search.view, live->work);
	}
	if (error)
		sw_keepers_free(out);
	return error;
}

void sw_keepers_free(struct sw_keepers *keepers)
{
	for (unsigned i = 0; i < SW_KEPT_BY_FINALIZER; i++)
		free(keepers->marks[i]);
	free(keepers->roots);
	memset(keepers, 0, sizeof(*keepers));
}

enum sw_keeper sw_keeper_of(const struct sw_live *live, const struct sw_keepers *keepers,
			    sw_addr addr)
{
	sw_slot slot = sw_heap_slot(live->heap, addr);

	if (slot == SW_NO_SLOT)
		return SW_KEPT_BY_PROGRAM;
	if (!sw_heap_is_marked(live->heap, slot))
		return SW_KEPT_BY_NOBODY;
	for (unsigned i = 0; i < SW_KEPT_BY_FINALIZER; i++)
		if (sw_bitset_has(keepers->marks[i], slot))
			return i;
	return SW_KEPT_BY_FINALIZER;
}

const char *sw_keeper_name(enum sw_keeper keeper)
{
	static const char *const names[] = {"program", "goroutine", "library", "finalizer",
					    "nobody"};
	return names[keeper];
}

/* ---- who refers to it ---- */

struct first_keeper {
	const struct sw_live *live;
	const struct sw_keepers *keepers;
	sw_counts_referrer *counts;
	void *context; /* of counts */
	enum sw_keeper first;
};

static bool look_at_keeper(void *context, sw_node from)
{
	struct first_keeper *search = context;
	const struct sw_live *live = search->live;

	if (from >= live->graph->object_count || !search->counts(search->context, from))
		return true;
	enum sw_keeper keeper =
		sw_keeper_of(live, search->keepers, sw_heap_address(live->heap, from));
	if (keeper < search->first)
		search->first = keeper;
	return search->first != SW_KEPT_BY_PROGRAM;
}

enum sw_keeper sw_keeper_of_referrers(const struct sw_live *live, const struct sw_keepers *keepers,
				      sw_object object, sw_counts_referrer *counts, void *context)
{
	struct first_keeper search = {live, keepers, counts, context, SW_KEPT_BY_NOBODY};
	sw_live_referrers(live, object, look_at_keeper, &search);
	return search.first;
}

struct hand_search {
	const struct sw_live *live;
	const struct sw_keepers *keepers;
	bool with_library;
};

static bool is_no_hand(void *context, sw_node node)
{
	const struct hand_search *search = context;
	const struct sw_live *live = search->live;

	if (!sw_graph_is_root(live->graph, node))
		return true;
	uint32_t root = node - live->graph->object_count;
	uint8_t kind = live->go->roots.items[root].kind;
	return (kind != SW_GO_ROOT_LOCAL && kind != SW_GO_ROOT_GOROUTINE) ||
	       (!search->with_library && search->keepers->roots[root] == SW_KEPT_BY_LIBRARY);
}

bool sw_keeper_is_at_hand(const struct sw_live *live, const struct sw_keepers *keepers,
			  sw_object object, bool with_library)
{
	struct hand_search search = {live, keepers, with_library};
	return !sw_live_referrers(live, object, is_no_hand, &search);
}
