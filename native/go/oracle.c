#include "go/oracle.h"
#include "base/chain.h"

#include "go/memstats.h"
#include "go/unwind.h"

enum {
	PAGE = 8192, /* bytes of a span's pages */
	FIRST_MINOR_WITHOUT_EMPTY_SCANS = 20,
};

struct asking {
	const struct sw_go *go;
	const struct sw_heap *heap;
	struct sw_go_oracle *out;
	uint64_t *only_runtime;	  /* a bit for each slot that the runtime marked and the replay did
				   * not, cleared when explained */
	uint64_t *finalizable;	  /* a bit for each slot with a finalizer in an unswept span */
	uint64_t finalizer_bytes; /* what the finalizers' root scans add to heapMarked */
	struct sw_root_words reached; /* explained objects whose pointers are to be followed */
};

static void count(struct sw_go_tally *tally, sw_addr address, uint64_t bytes)
{
	if (!tally->objects)
		tally->example = address;
	tally->objects++;
	tally->bytes += bytes;
}

/* Did the last collection mark this slot? Sweeping turned the mark bits into allocBits. */
static bool is_runtime_marked(const struct sw_go_span *span, uint32_t index)
{
	if (!span->is_swept)
		return sw_go_span_is_marked(span, index);
	return span->alloc_bits[index / 8] >> (index % 8) & 1;
}

static enum sw_go_reason why_only_replay(const struct asking *asking, const struct sw_go_span *span,
					 uint32_t index, sw_slot slot)
{
	if (span->is_swept)
		return index < span->freeindex ? SW_GO_REASON_ALLOCATED : SW_GO_REASON_NONE;
	return sw_bitset_has(asking->finalizable, slot) ? SW_GO_REASON_FINALIZER
							: SW_GO_REASON_NONE;
}

static void compare_slot(struct asking *asking, const struct sw_span *space,
			 const struct sw_go_span *span, uint32_t index)
{
	bool runtime = is_runtime_marked(span, index);
	bool replay = sw_heap_is_marked(asking->heap, space->first_slot + index);
	sw_addr address = space->base + index * space->elemsize;

	if (runtime) {
		asking->out->runtime_objects++;
		asking->out->runtime_bytes += space->elemsize;
	}
	if (runtime && !replay)
		sw_bitset_set(asking->only_runtime, space->first_slot + index);
	if (replay && !runtime)
		count(&asking->out->only_replay[why_only_replay(asking, span, index,
								space->first_slot + index)],
		      address, space->elemsize);
}

/* ---- finalizers ---- */

static void read_finalizer(struct asking *asking, const struct sw_span *space,
			   const struct sw_go_span *span, sw_addr special)
{
	const struct sw_go *go = asking->go;
	uint64_t offset = 0;

	/* Each finalizer's root scan adds the size of its object once more, up to 1.19 also where
	 * there is nothing to scan (mgcmark.go markrootSpans). */
	if (!(span->spanclass & 1) || go->minor < FIRST_MINOR_WITHOUT_EMPTY_SCANS)
		asking->finalizer_bytes += span->elemsize;
	if (span->is_swept || !sw_memory_read(go->memory, special + go->layout.special.offset,
					      &offset, go->layout.special.offset_size))
		return;
	uint64_t index = offset < span->npages * PAGE ? sw_span_index(space, space->base + offset)
						      : UINT64_MAX;
	if (index < space->count)
		sw_bitset_set(asking->finalizable, space->first_slot + index);
}

static void read_finalizers(struct asking *asking, const struct sw_span *space,
			    const struct sw_go_span *span)
{
	const struct sw_go *go = asking->go;
	sw_addr at = span->specials;
	struct sw_chain chain = {0};
	uint8_t kind;

	while (at && !sw_chain_is_ring(&chain, at)) {
		if (sw_memory_u8(go->memory, at + go->layout.special.kind, &kind) &&
		    kind == go->layout.special_kind.finalizer)
			read_finalizer(asking, space, span, at);
		if (!sw_memory_u64(go->memory, at + go->layout.special.next, &at))
			break;
	}
}

/* ---- comparing ---- */

/* Every slot in use of a swept span was counted by the runtime; an unswept one still has the count
 * of before. */
static void compare_count(struct asking *asking, const struct sw_go_span *span)
{
	uint32_t allocated = 0;
	for (uint32_t i = 0; i < span->nelems; i++)
		allocated += sw_go_span_is_allocated(span, i);
	if ((uint16_t)allocated == span->alloc_count)
		return;
	if (!asking->out->count_mismatches++)
		asking->out->count_example = span->base;
}

/* ---- explanations ---- */

static struct sw_error *explain(struct asking *asking, sw_slot slot, enum sw_go_reason reason)
{
	if (!sw_bitset_has(asking->only_runtime, slot))
		return NULL;
	sw_bitset_clear(asking->only_runtime, slot);
	sw_addr address = sw_heap_slot_address(asking->heap, slot);
	count(&asking->out->only_runtime[reason], address,
	      sw_heap_slot_span(asking->heap, slot)->elemsize);
	return sw_root_words_add(&asking->reached, (struct sw_root_word){.pointer = address});
}

static struct sw_error *explain_pointer(struct asking *asking, sw_addr pointer,
					enum sw_go_reason reason)
{
	sw_slot slot = sw_heap_slot(asking->heap, pointer);
	return slot == SW_NO_SLOT ? NULL : explain(asking, slot, reason);
}

struct following {
	struct asking *asking;
	struct sw_error *error;
};

static bool follow_pointer(void *context, uint64_t offset, sw_addr pointer)
{
	struct following *following = context;
	(void)offset;
	following->error = explain_pointer(following->asking, pointer, SW_GO_REASON_REACHED);
	return !following->error;
}

static struct sw_error *follow(struct asking *asking)
{
	struct following following = {.asking = asking};
	while (!following.error && asking->reached.count) {
		sw_addr address = asking->reached.items[--asking->reached.count].pointer;
		sw_heap_pointers(asking->heap, sw_heap_slot(asking->heap, address), follow_pointer,
				 &following);
	}
	return following.error;
}

static struct sw_error *explain_tiny(struct asking *asking)
{
	enum { TINY_SPAN_CLASS = 5 }; /* runtime/mheap.go tinySpanClass */
	struct sw_error *error = NULL;
	for (size_t i = 0; !error && i < asking->heap->space.span_count; i++) {
		const struct sw_span *space = &asking->heap->space.spans[i];
		if (asking->go->spans.items[space->owner].spanclass != TINY_SPAN_CLASS)
			continue;
		for (uint32_t k = 0; !error && k < space->count; k++)
			error = explain(asking, space->first_slot + k, SW_GO_REASON_TINY);
	}
	return error;
}

/* Functions whose closures that cleaning makes: its own, and those of walking the map (in
 * internal/concurrent in 1.23). */
static bool is_unique_function(const char *name)
{
	static const char *const prefixes[] = {"unique.", "internal/sync.(*HashTrieMap[",
					       "internal/concurrent.(*HashTrieMap["};
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (!strncmp(name, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

static bool is_unique_closure(const struct sw_go *go, const struct sw_span *space, uint32_t index)
{
	struct sw_go_func func;
	if (!space->bytes || space->elemsize < 8)
		return false;
	sw_addr entry = sw_load64(space->bytes + index * space->elemsize);
	return sw_go_find_func(go, entry, &func) && func.entry == entry &&
	       is_unique_function(sw_go_func_name(&func));
}

static struct sw_error *explain_unique(struct asking *asking)
{
	struct sw_error *error = NULL;
	if (asking->go->minor != 23 && asking->go->minor != 24)
		return NULL;
	for (size_t i = 0; !error && i < asking->heap->space.span_count; i++) {
		const struct sw_span *space = &asking->heap->space.spans[i];
		for (uint32_t k = 0; !error && k < space->count; k++)
			if (sw_bitset_has(asking->only_runtime, space->first_slot + k) &&
			    is_unique_closure(asking->go, space, k))
				error = explain(asking, space->first_slot + k, SW_GO_REASON_UNIQUE);
	}
	return error;
}

static struct sw_error *explain_stack(struct asking *asking, const struct sw_goroutine *goroutine)
{
	struct sw_error *error = NULL;
	uint64_t size = goroutine->stack_hi - goroutine->stack_lo;
	const uint8_t *stack = sw_memory_view(asking->go->memory, goroutine->stack_lo, size);
	for (uint64_t at = 0; stack && !error && at + 8 <= size; at += 8)
		error = explain_pointer(asking, sw_load64(stack + at), SW_GO_REASON_STACK);
	return error;
}

static struct sw_error *explain_all(struct asking *asking)
{
	const struct sw_goroutines *goroutines = &asking->go->goroutines;
	struct sw_error *error = explain_tiny(asking);
	if (!error)
		error = explain_unique(asking);
	for (size_t i = 0; !error && i < goroutines->count; i++)
		error = explain_stack(asking, &goroutines->items[i]);
	if (!error)
		error = follow(asking);
	for (size_t i = 0; !error && i < asking->heap->block_count; i++)
		for (uint64_t bits = asking->only_runtime[i]; bits; bits &= bits - 1) {
			sw_slot slot = (sw_slot)(i * 64 + (unsigned)__builtin_ctzll(bits));
			count(&asking->out->only_runtime[SW_GO_REASON_NONE],
			      sw_heap_slot_address(asking->heap, slot),
			      sw_heap_slot_span(asking->heap, slot)->elemsize);
		}
	return error;
}

/* ---- the whole ---- */

static struct sw_error *ask(struct asking *asking)
{
	struct sw_go_oracle *out = asking->out;
	const struct sw_heap *heap = asking->heap;
	struct sw_go_memstats stats;

	for (size_t i = 0; i < heap->space.span_count; i++) {
		const struct sw_span *space = &heap->space.spans[i];
		const struct sw_go_span *span = &asking->go->spans.items[space->owner];
		out->spans++;
		out->unswept_spans += !span->is_swept;
		read_finalizers(asking, space, span);
		for (uint32_t k = 0; k < space->count; k++)
			compare_slot(asking, space, span, k);
		compare_count(asking, span);
	}
	out->replay_objects = heap->object_count;
	out->replay_bytes = heap->object_bytes;
	sw_go_read_memstats(asking->go, &stats);
	out->heap_marked_bytes = stats.heap_marked;
	out->marked_bits_bytes = out->runtime_bytes + asking->finalizer_bytes;
	out->is_comparable = asking->go->gcphase == 0;

	struct sw_error *error = explain_all(asking);
	out->is_exact = out->is_comparable && !out->count_mismatches &&
			!out->only_replay[SW_GO_REASON_NONE].objects &&
			!out->only_runtime[SW_GO_REASON_NONE].objects;
	return error;
}

struct sw_error *sw_go_ask_oracle(const struct sw_go *go, const struct sw_heap *heap,
				  struct sw_go_oracle *out)
{
	struct asking asking = {.go = go, .heap = heap, .out = out};
	size_t size = (heap->block_count + 1) * sizeof(uint64_t);

	memset(out, 0, sizeof(*out));
	struct sw_error *error =
		sw_work_alloc(go->work, size, "the comparison", &asking.only_runtime);
	if (!error)
		error = sw_work_alloc(go->work, size, "the comparison", &asking.finalizable);
	if (!error)
		error = ask(&asking);
	sw_root_words_free(&asking.reached);
	sw_work_free(go->work, asking.finalizable, size);
	sw_work_free(go->work, asking.only_runtime, size);
	return error;
}
