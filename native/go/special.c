/* Finalizers, cleanups, weak pointers (runtime/mheap.go special*, mfinal.go, mcleanup.go). */
#include "go/special.h"
#include "base/chain.h"
#include "go/root.h"

#include <inttypes.h>

enum {
	MAX_SPECIALS = 1 << 28, /* of all spans */
	MAX_BLOCKS = 1 << 20,	/* of a queue */
	FINALIZER_SIZE = 40,	/* mfinal.go finalizer: fn, arg, nret, fint, ot */
	FINALIZER_BLOCK = 4096,
	CLEANUP_BLOCK = 512,
	OBLET = 128 << 10, /* mgcmark.go maxObletBytes */
};

/* ---- queues of what waits to run ---- */

static struct sw_error *add_queue(struct sw_root_collector *collector, const char *name,
				  uint32_t *root)
{
	struct sw_error *error =
		sw_roots_group(collector, &collector->runtime, SW_GO_ROOT_RUNTIME, "Go runtime");
	return error ? error
		     : sw_roots_add_root(
			       collector,
			       (struct sw_go_root){.kind = SW_GO_ROOT_QUEUE, .name = strdup(name)},
			       collector->runtime, root);
}

static struct sw_error *add_words(struct sw_root_collector *collector, uint32_t root, sw_addr at,
				  unsigned count)
{
	struct sw_error *error = NULL;
	for (unsigned i = 0; !error && i < count; i++) {
		uint64_t pointer;
		if (sw_memory_u64(collector->go->memory, at + 8 * i, &pointer) && pointer)
			error = sw_roots_add_word(collector, root, at + 8 * i, pointer);
	}
	return error;
}

static void warn_of_queue(const struct sw_go *go, sw_addr block)
{
	sw_warn(go->warnings, true, "damaged_queue", NULL,
		"the queue of finalizers or cleanups is damaged at its block 0x%" PRIx64
		"; what waits there to run is missing",
		block);
}

/* mfinal.go finptrmask: every word of an entry but nret. */
static struct sw_error *add_finalizer_block(struct sw_root_collector *collector, uint32_t root,
					    sw_addr block)
{
	const struct sw_go *go = collector->go;
	uint32_t count;
	struct sw_error *error = NULL;

	if (!sw_memory_u32(go->memory, block + go->layout.finblock.cnt, &count) ||
	    count > FINALIZER_BLOCK / FINALIZER_SIZE) {
		warn_of_queue(go, block);
		return NULL;
	}
	for (uint32_t i = 0; !error && i < count; i++) {
		sw_addr entry = block + go->layout.finblock.fin + (uint64_t)i * FINALIZER_SIZE;
		error = add_words(collector, root, entry, 2);
		if (!error)
			error = add_words(collector, root, entry + 24, 2);
	}
	return error;
}

static struct sw_error *add_cleanup_block(struct sw_root_collector *collector, uint32_t root,
					  sw_addr block)
{
	const struct sw_go *go = collector->go;
	uint32_t count, size = go->layout.cleanupBlock.item_size;

	if (!sw_memory_u32(go->memory, block + go->layout.cleanupBlock.n, &count) || !size ||
	    count > CLEANUP_BLOCK / size) {
		warn_of_queue(go, block);
		return NULL;
	}
	return add_words(collector, root, block + go->layout.cleanupBlock.cleanups,
			 count * size / 8);
}

typedef struct sw_error *add_block(struct sw_root_collector *, uint32_t root, sw_addr block);

static struct sw_error *add_chain(struct sw_root_collector *collector, const char *name,
				  sw_addr head, sw_offset alllink, add_block *add)
{
	const struct sw_go *go = collector->go;
	struct sw_chain chain = {0};
	sw_addr block, next;
	uint32_t root;
	if (!sw_memory_u64(go->memory, head, &block) || !block)
		return NULL;
	struct sw_error *error = add_queue(collector, name, &root);
	for (; !error && block; block = next) {
		if (sw_chain_is_ring(&chain, block) || chain.steps > MAX_BLOCKS ||
		    !sw_memory_u64(go->memory, block + alllink, &next)) {
			warn_of_queue(go, block);
			break;
		}
		error = add(collector, root, block);
	}
	return error;
}

struct sw_error *sw_roots_add_queues(struct sw_root_collector *collector)
{
	const struct sw_go *go = collector->go;
	struct sw_error *error =
		add_chain(collector, "finalizers waiting to run", go->globals.allfin,
			  go->layout.finblock.alllink, add_finalizer_block);
	if (!error && go->globals.gcCleanups && go->layout.cleanupQueue.all != SW_ABSENT)
		error = add_chain(collector, "cleanups waiting to run",
				  go->globals.gcCleanups + go->layout.cleanupQueue.all,
				  go->layout.cleanupBlock.alllink, add_cleanup_block);
	return error;
}

/* ---- specials ---- */

struct special {
	struct sw_go_special read;
	uint32_t span;	 /* go->spans */
	bool was_marked; /* its object was reachable without any special */
};
SW_VECTOR(struct special, specials);

static sw_slot slot_of(const struct sw_root_collector *collector, const struct special *special)
{
	const struct sw_go_span *span = &collector->go->spans.items[special->span];
	return sw_heap_slot(collector->heap, span->base + special->read.offset);
}

static struct sw_error *list_span(struct sw_root_collector *collector, uint32_t number,
				  struct specials *out)
{
	struct sw_go *go = collector->go;
	const struct sw_go_span *span = &go->spans.items[number];
	struct sw_error *error = NULL;
	struct sw_chain chain = {0};
	struct special special = {.span = number};

	for (sw_addr at = span->specials; !error && at; at = special.read.next) {
		if (sw_chain_is_ring(&chain, at) || !sw_go_special_read(go, at, &special.read) ||
		    special.read.offset >= span->npages * 8192 || chain.steps > MAX_SPECIALS) {
			sw_warn(go->warnings, true, "damaged_specials", NULL,
				"the finalizers and cleanups of the span at 0x%" PRIx64
				" are damaged",
				span->base);
			break;
		}
		sw_slot slot = slot_of(collector, &special);
		special.was_marked = slot != SW_NO_SLOT && sw_heap_is_marked(collector->heap, slot);
		if (special.read.kind != go->layout.special_kind.profile && slot != SW_NO_SLOT)
			error = specials_add(out, special);
	}
	return error;
}

/* An object that no collection has found dead yet, though it may be: what is in an unswept span
 * and unmarked is dead, its finalizers count as queued already. */
static bool is_dead(const struct sw_root_collector *collector, const struct special *special)
{
	const struct sw_go_span *span = &collector->go->spans.items[special->span];
	const struct sw_span *space = sw_heap_span(collector->heap, span->base);
	if (!space)
		return true;
	uint32_t index = sw_span_index(space, span->base + special->read.offset);
	return index < span->nelems && !sw_go_span_is_live(span, index);
}

struct contents {
	struct sw_root_collector *collector;
	uint32_t root;
	sw_addr object;
	struct sw_error *error;
};

/* mgcmark.go scanobject leaves out pointers into the very object, or for a large one into the
 * 128 KiB piece that holds the word. */
static bool add_content(void *context, uint64_t offset, sw_addr pointer)
{
	struct contents *contents = context;
	uint64_t size = sw_heap_slot_span(contents->collector->heap,
					  sw_heap_slot(contents->collector->heap, contents->object))
				->elemsize;
	uint64_t piece = size > OBLET ? offset / OBLET * OBLET : 0;
	uint64_t piece_size = size > OBLET ? OBLET : size;
	if (pointer - (contents->object + piece) < piece_size)
		return true;
	contents->error = sw_roots_add_word(contents->collector, contents->root,
					    contents->object + offset, pointer);
	return !contents->error;
}

static struct sw_error *add_contents(struct sw_root_collector *collector, uint32_t root,
				     sw_slot slot)
{
	struct contents contents = {collector, root, sw_heap_slot_address(collector->heap, slot),
				    NULL};
	sw_heap_pointers(collector->heap, slot, add_content, &contents);
	return contents.error;
}

static struct sw_error *add_finalizer(struct sw_root_collector *collector,
				      const struct special *special)
{
	const struct sw_go *go = collector->go;
	sw_slot slot = slot_of(collector, special);
	sw_addr object = sw_heap_slot_address(collector->heap, slot);
	uint32_t root;

	struct sw_error *error = sw_roots_group(collector, &collector->finalizers,
						SW_GO_ROOT_FINALIZER, "finalizers");
	if (!error)
		error = sw_roots_add_root(
			collector,
			(struct sw_go_root){
				.kind = SW_GO_ROOT_FINALIZER,
				.name = sw_roots_name("finalizer of 0x%" PRIx64, object),
				.address = special->read.address,
				.object = special->was_marked ? object : 0},
			collector->finalizers, &root);
	if (!error)
		error = add_words(collector, root,
				  special->read.address + go->layout.specialfinalizer.fn, 1);
	if (!error && !special->was_marked)
		error = add_contents(collector, root, slot);
	if (!error && !special->was_marked && is_dead(collector, special))
		error = sw_roots_add_word(collector, root, 0, object);
	return error;
}

static struct sw_error *add_cleanup(struct sw_root_collector *collector,
				    const struct special *special)
{
	const struct sw_go *go = collector->go;
	bool has_argument = go->layout.specialCleanup.cleanup != SW_ABSENT;
	sw_offset offset =
		has_argument ? go->layout.specialCleanup.cleanup : go->layout.specialCleanup.fn;
	sw_addr object = sw_heap_slot_address(collector->heap, slot_of(collector, special));
	uint32_t root;

	struct sw_error *error =
		sw_roots_group(collector, &collector->cleanups, SW_GO_ROOT_CLEANUP, "cleanups");
	if (!error)
		error = sw_roots_add_root(
			collector,
			(struct sw_go_root){.kind = SW_GO_ROOT_CLEANUP,
					    .name = sw_roots_name("cleanup of 0x%" PRIx64, object),
					    .address = special->read.address,
					    .object = special->was_marked ? object : 0},
			collector->cleanups, &root);
	/* 1.26: call, fn, arg; before one word. */
	return error ? error
		     : add_words(collector, root, special->read.address + offset,
				 has_argument ? 3 : 1);
}

static struct sw_error *add_weak_handle(struct sw_root_collector *collector,
					const struct special *special)
{
	sw_offset offset = collector->go->layout.specialWeakHandle.handle;
	sw_addr object = sw_heap_slot_address(collector->heap, slot_of(collector, special));
	uint32_t root;

	struct sw_error *error = sw_roots_group(collector, &collector->weak, SW_GO_ROOT_WEAK,
						"handles of weak pointers");
	if (!error)
		error = sw_roots_add_root(
			collector,
			(struct sw_go_root){
				.kind = SW_GO_ROOT_WEAK,
				.name = sw_roots_name("weak handle of 0x%" PRIx64, object),
				.address = special->read.address},
			collector->weak, &root);
	return error ? error : add_words(collector, root, special->read.address + offset, 1);
}

static struct sw_error *add_special(struct sw_root_collector *collector,
				    const struct special *special)
{
	const struct sw_go *go = collector->go;
	if (special->read.kind == go->layout.special_kind.finalizer)
		return add_finalizer(collector, special);
	if (special->read.kind && special->read.kind == go->layout.special_kind.cleanup)
		return add_cleanup(collector, special);
	if (special->read.kind && special->read.kind == go->layout.special_kind.weak_handle)
		return add_weak_handle(collector, special);
	return NULL;
}

struct sw_error *sw_roots_add_specials(struct sw_root_collector *collector)
{
	struct sw_go *go = collector->go;
	struct specials specials = {0};
	struct sw_error *error = NULL;

	for (size_t i = 0; !error && i < go->spans.count; i++)
		if (go->spans.items[i].state == SW_GO_SPAN_IN_USE && go->spans.items[i].specials)
			error = list_span(collector, (uint32_t)i, &specials);
	for (size_t i = 0; !error && i < specials.count; i++)
		error = add_special(collector, &specials.items[i]);
	specials_free(&specials);
	return error ? error : sw_heap_mark(collector->heap, go->work);
}
