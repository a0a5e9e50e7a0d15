#include "go/goroutine_leak.h"

enum {
	FEW = 64, /* goroutines of a round; after fewer each is followed at once */
	MAIN_GOID = 1,
};

enum state {
	RUNS,
	WAITS,	 /* and was not found to be able to run so far */
	IS_MAIN, /* the same for a main goroutine that need not run */
};

struct stack_range {
	sw_addr lo, hi;
	uint32_t goroutine;
};

/* Root words by the goroutine that they belong to. */
struct word_lists {
	uint32_t *begin; /* [goroutines + 1] */
	uint32_t *words; /* indices into heap->root_words */
};

/* A word that counts once something is marked. */
struct pending_word {
	struct sw_root_word word;
	sw_slot until;
};
SW_VECTOR(struct pending_word, pending_words);

struct search {
	const struct sw_go *go;
	const struct sw_heap *heap;
	struct sw_work *work;
	size_t count;	   /* goroutines */
	uint32_t *owner;   /* [roots]: goroutine, UINT32_MAX: none */
	uint8_t *states;   /* [count]: enum state */
	uint32_t *waiting; /* those that wait, in order */
	size_t waiting_count;
	struct stack_range *stacks; /* [count] in rising order */
	struct word_lists lists;
	struct sw_heap view;
	struct pending_words pending;
};

/* ---- whose words ---- */

static struct sw_error *find_owners(struct search *search)
{
	const struct sw_roots *roots = &search->heap->roots;
	search->owner = malloc((roots->count + 1) * sizeof(*search->owner));
	if (!search->owner)
		return sw_error_memory();
	memset(search->owner, 0xff, roots->count * sizeof(*search->owner));
	for (size_t i = 0; i < search->count; i++) {
		uint32_t root = search->go->waits->list.items[i].root;
		if (root < roots->count)
			search->owner[root] = (uint32_t)i;
	}
	for (size_t i = 0; i < roots->count; i++) {
		uint32_t group = roots->items[i].group;
		if (group != SW_NO_ROOT && group < i)
			search->owner[i] = search->owner[group];
	}
	return NULL;
}

static struct sw_error *list_words(struct search *search)
{
	const struct sw_root_words *words = &search->heap->root_words;
	struct word_lists *lists = &search->lists;
	uint32_t total = 0;

	if (words->count > UINT32_MAX)
		return sw_error_format(SW_ERR_LIMIT, "2^32 words of roots or more");
	lists->begin = calloc(search->count + 2, sizeof(*lists->begin));
	lists->words = malloc((words->count + 1) * sizeof(*lists->words));
	if (!lists->begin || !lists->words)
		return sw_error_memory();
	for (size_t i = 0; i < words->count; i++)
		if (search->owner[words->items[i].root] != UINT32_MAX)
			lists->begin[search->owner[words->items[i].root] + 1]++;
	for (size_t i = 0; i <= search->count; i++)
		total = lists->begin[i] += total;
	/* Filling moves each begin to the next one's place; then they move back. */
	for (size_t i = 0; i < words->count; i++) {
		uint32_t owner = search->owner[words->items[i].root];
		if (owner != UINT32_MAX)
			lists->words[lists->begin[owner]++] = (uint32_t)i;
	}
	memmove(lists->begin + 1, lists->begin, search->count * sizeof(*lists->begin));
	lists->begin[0] = 0;
	return NULL;
}

/* ---- stacks ---- */

static int compare_ranges(const void *a, const void *b)
{
	const struct stack_range *x = a, *y = b;
	return (x->lo > y->lo) - (x->lo < y->lo);
}

static struct sw_error *list_stacks(struct search *search)
{
	search->stacks = malloc((search->count + 1) * sizeof(*search->stacks));
	if (!search->stacks)
		return sw_error_memory();
	for (size_t i = 0; i < search->count; i++) {
		const struct sw_goroutine *g = &search->go->goroutines.items[i];
		search->stacks[i] = (struct stack_range){g->stack_lo, g->stack_hi, (uint32_t)i};
	}
	qsort(search->stacks, search->count, sizeof(*search->stacks), compare_ranges);
	return NULL;
}

/* The goroutine in whose stack an address is, UINT32_MAX for none. */
static uint32_t find_stack(const struct search *search, sw_addr addr)
{
	size_t low = 0, high = search->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (search->stacks[middle].lo <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low && addr < search->stacks[low - 1].hi ? search->stacks[low - 1].goroutine
							: UINT32_MAX;
}

/* ---- who can run ---- */

/* A variable, or memory that is none of Go's, is within everybody's reach. */
static bool is_reachable(const struct search *search, sw_addr object)
{
	sw_slot slot = sw_heap_slot(search->heap, object);
	if (slot != SW_NO_SLOT)
		return sw_heap_is_marked(&search->view, slot);
	uint32_t goroutine = find_stack(search, object);
	return goroutine == UINT32_MAX || search->states[goroutine] == RUNS;
}

static bool can_run(const struct search *search, uint32_t goroutine)
{
	const struct sw_go_waits *waits = search->go->waits;
	const struct sw_go_wait *wait = &waits->list.items[goroutine];
	const struct sw_go_blocker *blockers = sw_go_wait_blockers(waits, wait);

	for (uint32_t i = 0; i < wait->count; i++)
		if (is_reachable(search, blockers[i].object))
			return true;
	return false;
}

static enum state first_state(const struct sw_goroutine *goroutine, const struct sw_go_wait *wait)
{
	if (wait->kind == SW_GO_WAIT_OTHER || wait->is_woken || wait->is_unknown)
		return RUNS;
	return wait->kind == SW_GO_WAIT_NO_CASES && goroutine->goid == MAIN_GOID ? IS_MAIN : WAITS;
}

static void find_states(struct search *search, struct sw_go_leaks *out)
{
	for (size_t i = 0; i < search->count; i++) {
		const struct sw_go_wait *wait = &search->go->waits->list.items[i];
		search->states[i] = first_state(&search->go->goroutines.items[i], wait);
		if (search->states[i] != RUNS)
			search->waiting[search->waiting_count++] = (uint32_t)i;
		out->unknown += wait->is_unknown;
	}
}

/* ---- marking ---- */

static struct sw_error *add_goroutine(struct search *search, uint32_t goroutine)
{
	const struct word_lists *lists = &search->lists;
	struct sw_error *error = NULL;
	for (uint32_t i = lists->begin[goroutine]; !error && i < lists->begin[goroutine + 1]; i++)
		error = sw_root_words_add(&search->view.root_words,
					  search->heap->root_words.items[lists->words[i]]);
	return error;
}

static struct sw_error *mark_added(struct search *search)
{
	struct sw_error *error = sw_heap_mark(&search->view, search->work);
	search->view.root_words.count = 0;
	return error;
}

/* Where little is to be marked, starting threads would take longer. */
static struct sw_error *mark_few(struct search *search)
{
	unsigned workers = search->work->workers;
	search->work->workers = 1;
	struct sw_error *error = mark_added(search);
	search->work->workers = workers;
	return error;
}

/* Marks from the words that were added since, and from those that wait for something marked. */
static struct sw_error *mark(struct search *search)
{
	struct pending_words *pending = &search->pending;
	struct sw_error *error = NULL;

	do {
		error = mark_added(search);
		for (size_t i = 0; !error && i < pending->count;) {
			if (!sw_heap_is_marked(&search->view, pending->items[i].until)) {
				i++;
				continue;
			}
			error = sw_root_words_add(&search->view.root_words, pending->items[i].word);
			pending->items[i] = pending->items[--pending->count];
		}
	} while (!error && search->view.root_words.count);
	return error;
}

/* Of a special (mheap.go): a weak pointer leads to its object, whose address stands in a box, where
 * the collector does not see it; a finalizer or cleanup runs when its object is dropped by all,
 * which goroutines that never run do not. */
static bool is_pending(const struct search *search, struct sw_root_word *word, sw_slot *until)
{
	const struct sw_go_roots *roots = &search->go->roots;
	const struct sw_go_root *root =
		word->root < roots->count ? &roots->items[word->root] : NULL;

	*until = SW_NO_SLOT;
	if (root && root->kind == SW_GO_ROOT_WEAK) {
		*until = sw_heap_slot(search->heap, word->pointer);
		if (!sw_memory_u64(search->go->memory, word->pointer, &word->pointer))
			*until = SW_NO_SLOT;
	} else if (root && root->object) {
		*until = sw_heap_slot(search->heap, root->object);
	}
	return *until != SW_NO_SLOT;
}

static struct sw_error *mark_first(struct search *search)
{
	const struct sw_root_words *words = &search->heap->root_words;
	struct sw_error *error = NULL;
	for (size_t i = 0; !error && i < words->count; i++) {
		uint32_t owner = search->owner[words->items[i].root];
		struct pending_word pending = {.word = words->items[i]};
		if (owner != UINT32_MAX && search->states[owner] != RUNS)
			continue;
		if (is_pending(search, &pending.word, &pending.until))
			error = pending_words_add(&search->pending, pending);
		else
			error = sw_root_words_add(&search->view.root_words, words->items[i]);
	}
	return error ? error : mark(search);
}

/* ---- rounds ---- */

/* Looks at those that wait and keeps the others, in reverse order: the next round goes the other
 * way. When `at_once`, what each of them reaches is marked before the next is looked at: a chain of
 * goroutines, each of which waits for its neighbour, then takes two rounds at most. */
static struct sw_error *look(struct search *search, bool at_once, size_t *found)
{
	size_t kept = 0, count = search->waiting_count;
	uint32_t *waiting = search->waiting;
	struct sw_error *error = NULL;

	*found = 0;
	for (size_t i = 0; i < count && !error; i++) {
		uint32_t goroutine = waiting[i];
		if (!can_run(search, goroutine)) {
			waiting[kept++] = goroutine;
			continue;
		}
		++*found;
		search->states[goroutine] = RUNS;
		error = add_goroutine(search, goroutine);
		if (!error && at_once)
			error = mark_few(search);
	}
	search->waiting_count = kept;
	for (size_t i = 0; i < kept / 2; i++) {
		uint32_t other = waiting[kept - 1 - i];
		waiting[kept - 1 - i] = waiting[i];
		waiting[i] = other;
	}
	return error ? error : mark(search);
}

static struct sw_error *revive(struct search *search)
{
	size_t found = SIZE_MAX;
	struct sw_error *error = mark_first(search);
	while (!error && found)
		error = look(search, found < FEW, &found);
	return error;
}

/* What is not leaked keeps more than what can run does: boxes of weak pointers, functions of
 * finalizers, main. */
static struct sw_error *mark_rest(struct search *search)
{
	const struct sw_root_words *words = &search->heap->root_words;
	struct sw_error *error = NULL;
	for (size_t i = 0; !error && i < words->count; i++) {
		uint32_t owner = search->owner[words->items[i].root];
		if (owner == UINT32_MAX || search->states[owner] == IS_MAIN)
			error = sw_root_words_add(&search->view.root_words, words->items[i]);
	}
	return error ? error : mark_added(search);
}

static void tell(const struct search *search, struct sw_go_leaks *out)
{
	for (size_t i = 0; i < search->count; i++) {
		out->is_leaked[i] = search->states[i] == WAITS;
		out->leaked += out->is_leaked[i];
	}
	sw_heap_view_lacks(search->heap, &search->view, &out->retained_objects,
			   &out->retained_bytes);
}

/* ---- the whole ---- */

static struct sw_error *search_init(struct search *search, struct sw_go_leaks *out)
{
	search->states = calloc(search->count + 1, sizeof(*search->states));
	search->waiting = calloc(search->count + 1, sizeof(*search->waiting));
	out->is_leaked = calloc(search->count + 1, sizeof(*out->is_leaked));
	if (!search->states || !search->waiting || !out->is_leaked)
		return sw_error_memory();
	struct sw_error *error = find_owners(search);
	if (!error)
		error = list_words(search);
	if (!error)
		error = list_stacks(search);
	return error ? error : sw_heap_view(&search->view, search->heap, search->work);
}

static void search_deinit(struct search *search)
{
	sw_heap_view_free(&search->view, search->work);
	pending_words_free(&search->pending);
	free(search->owner);
	free(search->states);
	free(search->waiting);
	free(search->stacks);
	free(search->lists.begin);
	free(search->lists.words);
}

struct sw_error *sw_go_find_leaks(const struct sw_go *go, const struct sw_heap *heap,
				  struct sw_work *work, struct sw_go_leaks *out)
{
	struct search search = {
		.go = go, .heap = heap, .work = work, .count = go->goroutines.count};

	memset(out, 0, sizeof(*out));
	out->goroutine_count = search.count;
	struct sw_error *error = search_init(&search, out);
	if (!error) {
		find_states(&search, out);
		error = revive(&search);
	}
	if (!error)
		error = mark_rest(&search);
	if (!error)
		tell(&search, out);
	search_deinit(&search);
	if (error)
		sw_go_leaks_free(out);
	return error;
}

void sw_go_leaks_free(struct sw_go_leaks *leaks)
{
	free(leaks->is_leaked);
	memset(leaks, 0, sizeof(*leaks));
}
