#include "library/finalizer.h"

#include "base/chain.h"
#include "go/special.h"
#include "go/traceback.h"

enum {
	MAX_SPECIALS = 1 << 28,
	MAX_BLOCKS = 1 << 20,
	FINALIZER_SIZE = 40,	/* mfinal.go finalizer: fn, arg, nret, fint, ot */
	FINALIZER_BLOCK = 4096, /* bytes */
	CLEANUP_BLOCK = 512,
	OBJECT_TYPE = 24,   /* mheap.go specialfinalizer: from fn, over nret and fint, to ot */
	CLOSURE_WORDS = 16, /* of a closure that AddCleanup makes, looked at */
};

SW_MAP(uint32_t, root_numbers);

struct search {
	const struct sw_live *live;
	struct sw_finalizers *out;
	struct root_numbers roots; /* of finalizers, cleanups, handles by the special's address */
};

static bool read_word(const struct search *search, sw_addr at, uint64_t *out)
{
	return sw_memory_u64(search->live->go->memory, at, out);
}

/* ---- functions ---- */

/* The code of a func value, when it is the start of a function. */
static sw_addr entry_of(const struct search *search, sw_addr function)
{
	struct sw_go_func func;
	sw_addr entry;
	if (!function || !read_word(search, function, &entry) ||
	    !sw_go_find_func(search->live->go, entry, &func) || func.entry != entry)
		return 0;
	return entry;
}

static bool is_adapter(const struct search *search, sw_addr entry)
{
	struct sw_go_func func;
	return sw_go_find_func(search->live->go, entry, &func) &&
	       !strncmp(sw_go_func_name(&func), "runtime.AddCleanup[", 19);
}

/* Of a func value, or of a variable that holds one. */
static sw_addr captured_entry(const struct search *search, sw_addr word)
{
	sw_addr entry = entry_of(search, word), inner;
	if (!entry && sw_heap_slot(search->live->heap, word) != SW_NO_SLOT &&
	    read_word(search, word, &inner))
		entry = entry_of(search, inner);
	return entry;
}

/* Until 1.25 AddCleanup makes a closure func() { cleanup(arg) }, whose code names `cleanup` first:
 * it is the first func value that was captured, in 1.25 by reference. From 1.26 on the function is
 * kept itself. */
static sw_addr cleanup_entry(const struct search *search, sw_addr function)
{
	sw_addr entry = entry_of(search, function), word, found = 0;
	if (!entry || !is_adapter(search, entry))
		return entry;
	for (unsigned i = 1; i < CLOSURE_WORDS && !found; i++) {
		if (sw_heap_slot(search->live->heap, function) !=
		    sw_heap_slot(search->live->heap, function + 8 * i))
			break;
		if (read_word(search, function + 8 * i, &word))
			found = captured_entry(search, word);
	}
	return found;
}

/* ---- queues ---- */

static sw_type pointed_to(const struct search *search, sw_addr descriptor)
{
	const struct sw_types *types = search->live->types;
	sw_type type = descriptor ? sw_type_of_descriptor(search->live->types, descriptor) : 0;
	const struct sw_type_info *info = sw_type_info(types, type);
	return info->kind == SW_KIND_POINTER ? info->elem : 0;
}

static struct sw_error *add(struct search *search, struct sw_finalizer finalizer)
{
	const struct sw_live *live = search->live;
	finalizer.object = finalizer.object_address
				   ? sw_heap_object(live->heap, finalizer.object_address)
				   : SW_NO_OBJECT;
	if (!finalizer.type && finalizer.object != SW_NO_OBJECT)
		finalizer.type = sw_live_type(live, finalizer.object);
	return sw_finalizer_list_add(&search->out->list, finalizer);
}

/* One that has run has no function any more. A cleanup (1.24) has no object. */
static struct sw_error *add_queued_finalizer(struct search *search, sw_addr entry)
{
	sw_addr function, object, type;
	if (!read_word(search, entry, &function) || !read_word(search, entry + 8, &object) ||
	    !read_word(search, entry + 32, &type) || !function)
		return NULL;
	struct sw_finalizer finalizer = {.kind = object ? SW_FINALIZER : SW_CLEANUP,
					 .state = SW_FINALIZER_QUEUED,
					 .object_address = object,
					 .type = pointed_to(search, type),
					 .entry = object ? entry_of(search, function)
							 : cleanup_entry(search, function),
					 .function = function,
					 .root = SW_NO_ROOT};
	return add(search, finalizer);
}

static struct sw_error *add_finalizer_block(struct search *search, sw_addr block)
{
	const struct sw_layout *layout = &search->live->go->layout;
	uint32_t count;
	struct sw_error *error = NULL;
	if (!sw_memory_u32(search->live->go->memory, block + layout->finblock.cnt, &count) ||
	    count > FINALIZER_BLOCK / FINALIZER_SIZE)
		return NULL;
	for (uint32_t i = 0; !error && i < count; i++)
		error = add_queued_finalizer(search, block + layout->finblock.fin +
							     (uint64_t)i * FINALIZER_SIZE);
	return error;
}

/* A func value (1.25), or call, fn and arg: one that has run is cleared, in 1.26 one that runs. */
static struct sw_error *add_queued_cleanup(struct search *search, sw_addr entry, uint32_t size)
{
	struct sw_finalizer cleanup = {
		.kind = SW_CLEANUP, .state = SW_FINALIZER_QUEUED, .root = SW_NO_ROOT};
	if (!read_word(search, entry + (size == 8 ? 0 : 8), &cleanup.function) || !cleanup.function)
		return NULL;
	if (size > 16 && !read_word(search, entry + 16, &cleanup.argument))
		return NULL;
	cleanup.entry = cleanup_entry(search, cleanup.function);
	return add(search, cleanup);
}

static struct sw_error *add_cleanup_block(struct search *search, sw_addr block)
{
	const struct sw_layout *layout = &search->live->go->layout;
	uint32_t count, size = layout->cleanupBlock.item_size;
	struct sw_error *error = NULL;
	if (!sw_memory_u32(search->live->go->memory, block + layout->cleanupBlock.n, &count) ||
	    size < 8 || count > CLEANUP_BLOCK / size)
		return NULL;
	for (uint32_t i = 0; !error && i < count; i++)
		error = add_queued_cleanup(
			search, block + layout->cleanupBlock.cleanups + (uint64_t)i * size, size);
	return error;
}

typedef struct sw_error *add_block(struct search *, sw_addr block);

static struct sw_error *add_queue(struct search *search, sw_addr head, sw_offset alllink,
				  add_block *add_one)
{
	struct sw_chain chain = {0};
	struct sw_error *error = NULL;
	sw_addr block, next;

	if (!head || !read_word(search, head, &block))
		return NULL;
	for (; !error && block; block = next) {
		if (sw_chain_is_ring(&chain, block) || chain.steps > MAX_BLOCKS ||
		    !read_word(search, block + alllink, &next))
			break;
		error = add_one(search, block);
	}
	return error;
}

static struct sw_error *add_queues(struct search *search)
{
	const struct sw_go *go = search->live->go;
	struct sw_error *error = add_queue(search, go->globals.allfin, go->layout.finblock.alllink,
					   add_finalizer_block);
	if (!error && go->globals.gcCleanups && go->layout.cleanupQueue.all != SW_ABSENT)
		error = add_queue(search, go->globals.gcCleanups + go->layout.cleanupQueue.all,
				  go->layout.cleanupBlock.alllink, add_cleanup_block);
	return error;
}

/* ---- specials ---- */

static struct sw_error *add_finalizer(struct search *search, sw_addr special,
				      struct sw_finalizer finalizer)
{
	sw_addr at = special + search->live->go->layout.specialfinalizer.fn, type;

	finalizer.kind = SW_FINALIZER;
	if (!read_word(search, at, &finalizer.function))
		return NULL;
	finalizer.entry = entry_of(search, finalizer.function);
	if (read_word(search, at + OBJECT_TYPE, &type))
		finalizer.type = pointed_to(search, type);
	return add(search, finalizer);
}

static struct sw_error *add_cleanup(struct search *search, sw_addr special,
				    struct sw_finalizer cleanup)
{
	const struct sw_layout *layout = &search->live->go->layout;
	bool has_argument = layout->specialCleanup.cleanup != SW_ABSENT;
	sw_addr at = special + (has_argument ? layout->specialCleanup.cleanup + 8
					     : layout->specialCleanup.fn);

	cleanup.kind = SW_CLEANUP;
	if (!read_word(search, at, &cleanup.function) ||
	    (has_argument && !read_word(search, at + 8, &cleanup.argument)))
		return NULL;
	cleanup.entry = cleanup_entry(search, cleanup.function);
	return add(search, cleanup);
}

/* Those that are roots, as they were found then. */
static struct sw_error *add_special(struct search *search, const struct sw_go_special *special,
				    sw_addr base)
{
	const struct sw_go *go = search->live->go;
	const uint32_t *root = root_numbers_find(&search->roots, special->address);
	struct sw_finalizer finalizer = {0};
	sw_addr object = base + special->offset;

	if (!root)
		return NULL;
	finalizer.root = *root;
	finalizer.object_address = object;
	finalizer.state =
		go->roots.items[*root].object ? SW_FINALIZER_SET : SW_FINALIZER_UNREACHABLE;
	switch (go->roots.items[*root].kind) {
	case SW_GO_ROOT_FINALIZER:
		return add_finalizer(search, special->address, finalizer);
	case SW_GO_ROOT_CLEANUP:
		return add_cleanup(search, special->address, finalizer);
	default:
		finalizer.kind = SW_WEAK_POINTER;
		finalizer.state = sw_heap_object(search->live->heap, object) == SW_NO_OBJECT
					  ? SW_FINALIZER_UNREACHABLE
					  : SW_FINALIZER_SET;
		return add(search, finalizer);
	}
}

static struct sw_error *add_span(struct search *search, const struct sw_go_span *span)
{
	struct sw_chain chain = {0};
	struct sw_go_special special;
	struct sw_error *error = NULL;

	for (sw_addr at = span->specials; !error && at; at = special.next) {
		if (sw_chain_is_ring(&chain, at) || chain.steps > MAX_SPECIALS ||
		    !sw_go_special_read(search->live->go, at, &special))
			break;
		error = add_special(search, &special, span->base);
	}
	return error;
}

static struct sw_error *number_roots(struct search *search)
{
	const struct sw_go_roots *roots = &search->live->go->roots;
	struct sw_error *error = NULL;
	for (uint32_t i = 0; !error && i < roots->count; i++) {
		uint8_t kind = roots->items[i].kind;
		if (roots->items[i].address &&
		    (kind == SW_GO_ROOT_FINALIZER || kind == SW_GO_ROOT_CLEANUP ||
		     kind == SW_GO_ROOT_WEAK))
			error = root_numbers_set(&search->roots, roots->items[i].address, i);
	}
	return error;
}

/* ---- weak pointers that the program has ---- */

static int wants_weak_pointer(void *context, const struct sw_type_info *info)
{
	(void)context;
	return !strncmp(info->name, "weak.Pointer[", 13) ? 0 : -1;
}

SW_MAP(uint8_t, handles);

struct weak_search {
	struct search *search;
	struct handles seen;
};

/* There are few types. */
static struct sw_error *count_handle(struct sw_weak_list *list, sw_type type, bool is_dead)
{
	size_t at = 0;
	while (at < list->count && list->items[at].type != type)
		at++;
	struct sw_error *error =
		at < list->count ? NULL
				 : sw_weak_list_add(list, (struct sw_weak_pointers){.type = type});
	if (!error) {
		list->items[at].handles++;
		list->items[at].dead += is_dead;
	}
	return error;
}

static struct sw_error *visit_weak_pointer(void *context, const struct sw_instance *instance)
{
	struct weak_search *weak = context;
	const struct sw_live *live = weak->search->live;
	uint64_t handle, object;

	if (!sw_value_word(&live->reader, instance->value, "u", &handle) || !handle ||
	    handles_find(&weak->seen, handle) || !read_word(weak->search, handle, &object))
		return NULL;
	struct sw_error *error =
		count_handle(&weak->search->out->weak, instance->value.type, !object);
	return error ? error : handles_set(&weak->seen, handle, 1);
}

static struct sw_error *find_weak_pointers(struct search *search)
{
	const struct sw_live *live = search->live;
	struct weak_search weak = {.search = search};
	if (live->go->minor < 23)
		return NULL;
	struct sw_error *error =
		sw_live_instances(live, NULL, wants_weak_pointer, visit_weak_pointer, &weak);
	handles_free(&weak.seen);
	return error;
}

/* ---- all ---- */

static int by_kind(const void *a, const void *b)
{
	const struct sw_finalizer *x = a, *y = b;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->object_address != y->object_address)
		return x->object_address < y->object_address ? -1 : 1;
	if (x->root != y->root)
		return x->root < y->root ? -1 : 1;
	return (x->function > y->function) - (x->function < y->function);
}

struct sw_error *sw_finalizers_find(const struct sw_live *live, struct sw_finalizers *out)
{
	struct search search = {.live = live, .out = out};

	memset(out, 0, sizeof(*out));
	struct sw_error *error = number_roots(&search);
	for (size_t i = 0; !error && i < live->go->spans.count; i++)
		if (live->go->spans.items[i].state == SW_GO_SPAN_IN_USE)
			error = add_span(&search, &live->go->spans.items[i]);
	if (!error)
		error = add_queues(&search);
	if (!error)
		error = find_weak_pointers(&search);
	if (!error && out->list.count)
		qsort(out->list.items, out->list.count, sizeof(*out->list.items), by_kind);
	if (!error)
		error = sw_finalizers_find_cycles(live, out);
	root_numbers_free(&search.roots);
	if (error)
		sw_finalizers_free(out);
	return error;
}

void sw_finalizers_free(struct sw_finalizers *finalizers)
{
	sw_finalizer_list_free(&finalizers->list);
	sw_weak_list_free(&finalizers->weak);
	sw_finalizer_roots_free(&finalizers->objects);
}

/* ---- who runs them ---- */

struct sw_error *sw_finalizer_runners_find(const struct sw_go *go, struct sw_finalizer_runners *out)
{
	struct sw_error *error = NULL;

	memset(out, 0, sizeof(*out));
	for (uint32_t i = 0; !error && i < go->goroutines.count; i++) {
		const struct sw_goroutine *goroutine = &go->goroutines.items[i];
		struct sw_go_func func;
		if (!sw_go_find_func(go, goroutine->startpc, &func) ||
		    (func.id != go->layout.func_id.runFinalizers &&
		     func.id != go->layout.func_id.runCleanups))
			continue;
		struct sw_finalizer_runner runner = {
			.goroutine = i,
			.kind = func.id == go->layout.func_id.runFinalizers ? SW_FINALIZER
									    : SW_CLEANUP,
			.is_busy = !sw_go_is_system(go, goroutine)};
		runner.is_blocked = runner.is_busy && goroutine->status == SW_GO_WAITING;
		error = sw_finalizer_runners_add(out, runner);
	}
	return error;
}
