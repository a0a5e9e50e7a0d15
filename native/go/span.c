/* mheap_.allspans, and the spans as heap/ wants them (runtime/mheap.go, mbitmap.go). */
#include "go/arena_bitmap.h"

enum {
	PAGE = 8192,
	MAX_SPANS = 1 << 28,
	MIN_SIZE_FOR_HEADER =
		512,	    /* runtime/mbitmap.go minSizeForMallocHeader: up to here no header */
	INLINE_MARKS = 128, /* runtime/mgcmark_greenteagc.go spanInlineMarkBits */
	INLINE_MARKS_OFFSET = 64, /* of its marks[63] */
	INLINE_MARKS_BITS = 63 * 8,
	MAX_CLASS_PAGES = 10, /* runtime/sizeclasses.go class_to_allocnpages */
	PAGES_PER_ARENA = 1 << (SW_ARENA_SHIFT - SW_PAGE_SHIFT),
};

/* ---- reading ---- */

static uint64_t load(const uint8_t *bytes, uint32_t size)
{
	return size == 2 ? sw_load16(bytes) : sw_load64(bytes);
}

static void read_mspan(const struct sw_go *go, const uint8_t *bytes, struct sw_go_span *span)
{
	const __typeof__(go->layout.mspan) *at = &go->layout.mspan;

	span->base = sw_load64(bytes + at->startAddr);
	span->npages = sw_load64(bytes + at->npages);
	span->elemsize = sw_load64(bytes + at->elemsize);
	span->limit = sw_load64(bytes + at->limit);
	uint64_t nelems = load(bytes + at->nelems, at->index_size);
	uint64_t freeindex = load(bytes + at->freeindex, at->index_size);
	span->nelems = nelems > UINT32_MAX ? UINT32_MAX : (uint32_t)nelems;
	span->freeindex = freeindex > UINT32_MAX ? UINT32_MAX : (uint32_t)freeindex;
	span->sweepgen = sw_load32(bytes + at->sweepgen);
	span->alloc_count = sw_load16(bytes + at->allocCount);
	span->spanclass = bytes[at->spanclass];
	span->state = bytes[at->state];
	span->specials = sw_load64(bytes + at->specials);
	if (at->isUserArenaChunk != SW_ABSENT)
		span->is_user_arena = bytes[at->isUserArenaChunk];
	span->made = span->freeindex;
	if (at->freeIndexForScan != SW_ABSENT) {
		uint64_t made = load(bytes + at->freeIndexForScan, at->index_size);
		span->made = made < span->freeindex ? (uint32_t)made : span->freeindex;
	}
	if (at->largeType != SW_ABSENT)
		span->large_type = sw_load64(bytes + at->largeType);
}

/* Small objects fill a span up to heap bits and mark bits at its end. */
static bool is_filled(const struct sw_go_span *span, uint64_t bytes)
{
	return span->npages <= MAX_CLASS_PAGES &&
	       bytes - span->nelems * span->elemsize < span->elemsize + bytes / 64 + INLINE_MARKS;
}

/* What must hold of a span in use. */
static bool is_sane(const struct sw_go_span *span)
{
	uint64_t bytes = span->npages * PAGE;
	return span->npages && span->npages < (uint64_t)1 << 35 && span->base % PAGE == 0 &&
	       span->base >> SW_ADDRESS_BITS == 0 && span->elemsize && span->elemsize % 8 == 0 &&
	       span->elemsize <= bytes && span->nelems && span->nelems <= bytes / span->elemsize &&
	       (span->nelems == 1 || is_filled(span, bytes)) && span->freeindex <= span->nelems &&
	       span->limit > span->base && span->limit <= span->base + bytes;
}

/* Does the page carry Green Tea's mark bits at its end (heapArena.pageUseSpanInlineMarkBits)? */
static bool has_inline_marks(const struct sw_go *go, const struct sw_go_span *span)
{
	sw_offset offset = go->layout.heapArena.pageUseSpanInlineMarkBits;
	uint64_t page = (span->base >> SW_PAGE_SHIFT) % PAGES_PER_ARENA;
	uint8_t bits;
	if (offset == SW_ABSENT || span->elemsize > MIN_SIZE_FOR_HEADER || span->npages != 1 ||
	    span->nelems > INLINE_MARKS_BITS)
		return false;
	sw_addr arena = sw_go_find_arena(go, span->base);
	return arena && sw_memory_u8(go->memory, arena + offset + page / 8, &bits) &&
	       bits >> (page % 8) & 1;
}

static bool is_empty(const uint8_t *bits, uint32_t count)
{
	for (uint32_t i = 0; i < (count + 63) / 64; i++)
		if (sw_load64(bits + 8 * i))
			return false;
	return true;
}

/* Sweeping publishes mark bits as allocBits before it stores the new sweepgen: a span caught in
 * between has no mark bits and starts afresh (runtime/mgcsweep.go sweepLocked.sweep). */
static bool is_nearly_swept(const struct sw_go_span *span)
{
	return !span->freeindex && span->mark_bits && is_empty(span->mark_bits, span->nelems);
}

/* runtime/mheap.go at mspan.sweepgen; h is mheap_.sweepgen. */
static bool is_swept(const struct sw_go *go, const struct sw_go_span *span)
{
	uint32_t age = span->sweepgen - go->sweepgen;
	if (age == (uint32_t)-1)
		return is_nearly_swept(span);
	return age == 0 || age == 3;
}

static void find_bits(const struct sw_go *go, const uint8_t *bytes, struct sw_go_span *span)
{
	uint64_t size = ((uint64_t)span->nelems + 63) / 64 * 8;
	span->alloc_bits =
		sw_memory_view(go->memory, sw_load64(bytes + go->layout.mspan.allocBits), size);
	span->mark_bits =
		sw_memory_view(go->memory, sw_load64(bytes + go->layout.mspan.gcmarkBits), size);
	if (has_inline_marks(go, span)) {
		const uint8_t *tail = sw_memory_view(
			go->memory, span->base + span->npages * PAGE - INLINE_MARKS, INLINE_MARKS);
		span->inline_marks = tail ? tail + INLINE_MARKS_OFFSET : NULL;
	}
}

/* A span gets its limit after it was made known, and its objects after that (mcentral.go grow,
 * mcache.go allocLarge; until 1.26). */
static bool is_made_now(const struct sw_go_span *span)
{
	struct sw_go_span made = *span;
	made.limit = span->base + span->npages * PAGE;
	return !span->alloc_count && !span->freeindex && !is_sane(span) && is_sane(&made);
}

static struct sw_error *damaged(struct sw_go *go, sw_addr address)
{
	sw_warn(go->warnings, true, "damaged_span", NULL,
		"the span at 0x%llx cannot be read or makes no sense; its objects are missing",
		(unsigned long long)address);
	return NULL;
}

static struct sw_error *add_span(struct sw_go *go, sw_addr address)
{
	struct sw_go_span span = {.address = address};
	const uint8_t *bytes = sw_memory_view(go->memory, address, go->layout.mspan.size);
	if (!bytes)
		return damaged(go, address);
	read_mspan(go, bytes, &span);
	if (span.state == SW_GO_SPAN_DEAD)
		return NULL;
	if (span.state > SW_GO_SPAN_MANUAL)
		return damaged(go, address);
	if (span.state == SW_GO_SPAN_IN_USE) {
		if (is_made_now(&span))
			return NULL;
		if (!is_sane(&span))
			return damaged(go, address);
		find_bits(go, bytes, &span);
		if (!span.alloc_bits || !span.mark_bits)
			return damaged(go, address);
		span.is_swept = is_swept(go, &span);
		go->is_green_tea |= span.inline_marks != NULL;
	}
	return sw_go_spans_add(&go->spans, span);
}

struct sw_error *sw_go_read_spans(struct sw_go *go)
{
	sw_addr list = go->globals.mheap_ + go->layout.mheap.allspans, array, address;
	uint64_t count;
	struct sw_error *error = NULL;

	if (!sw_memory_u64(go->memory, list, &array) ||
	    !sw_memory_u64(go->memory, list + 8, &count) || count > MAX_SPANS)
		return sw_error_format(SW_ERR_DAMAGED, "mheap_.allspans at 0x%llx is damaged",
				       (unsigned long long)list);
	for (uint64_t i = 0; !error && i < count; i++) {
		/* What follows an entry that is missing is missing too; the count may be wild. */
		if (!sw_memory_u64(go->memory, array + 8 * i, &address)) {
			sw_warn(go->warnings, true, "damaged_spans", "was the core cut short?",
				"entries %llu to %llu of mheap_.allspans cannot be read; the "
				"objects of those spans are missing",
				(unsigned long long)i, (unsigned long long)count - 1);
			break;
		}
		error = add_span(go, address);
		if (!error && i % 4096 == 0)
			error = sw_work_tick(go->work, "spans", i, count);
	}
	if (!error && !go->spans.count)
		error = sw_error_format(SW_ERR_DAMAGED, "no span of the Go heap is readable");
	return error;
}

bool sw_go_span_is_mapped(const struct sw_go *go, const struct sw_go_span *span)
{
	return sw_go_find_mspan(go, span->base) == span->address &&
	       sw_go_find_mspan(go, span->base + (span->npages - 1) * PAGE) == span->address;
}

bool sw_go_span_is_marked(const struct sw_go_span *span, uint32_t index)
{
	return (span->mark_bits[index / 8] >> (index % 8) & 1) ||
	       (span->inline_marks && span->inline_marks[index / 8] >> (index % 8) & 1);
}

bool sw_go_span_is_allocated(const struct sw_go_span *span, uint32_t index)
{
	return index < span->freeindex || span->alloc_bits[index / 8] >> (index % 8) & 1;
}

/* While the collector marks, malloc marks what it has filled; since 1.25 it does nothing else to
 * tell (malloc.go mallocgcSmallNoscan and its like). */
bool sw_go_span_is_in_the_making(const struct sw_go_span *span, uint32_t index)
{
	return index >= span->made && index < span->freeindex &&
	       !(span->alloc_bits[index / 8] >> (index % 8) & 1) &&
	       !sw_go_span_is_marked(span, index);
}

bool sw_go_span_is_live(const struct sw_go_span *span, uint32_t index)
{
	return span->is_swept ? sw_go_span_is_allocated(span, index)
			      : sw_go_span_is_marked(span, index);
}

/* ---- for heap/ ---- */

/* Where the heap bits of a span of small objects begin: one bit per word of the whole span, at
 * its end (runtime/mbitmap.go heapBitsInSpan, span.heapBits; Go 1.22). */
static uint64_t heap_bits_offset(const struct sw_go_span *span)
{
	uint64_t bytes = span->npages * PAGE;
	return bytes - bytes / 64 - (span->inline_marks ? INLINE_MARKS : 0);
}

/* The mask of a large object; a span without type is still being allocated: nothing to scan. */
static struct sw_error *set_large(struct sw_go *go, const struct sw_go_span *span,
				  struct sw_span *out)
{
	struct sw_mask mask;
	if (!span->large_type || !sw_go_type_mask(go, span->large_type, &mask)) {
		out->scan = SW_SCAN_NONE;
		return NULL;
	}
	out->scan = SW_SCAN_TILED;
	return sw_go_keep_mask(go, &mask, &out->mask);
}

static struct sw_error *set_scan(struct sw_go *go, const struct sw_go_span *span,
				 struct sw_span *out)
{
	if (span->spanclass & 1) {
		out->scan = SW_SCAN_NONE;
	} else if (!out->bytes) {
		out->scan = SW_SCAN_ALL; /* which nobody can do: they count as unread */
	} else if (sw_go_has_arena_bitmap(go)) {
		out->scan = SW_SCAN_BITMAP; /* its bits come with those of all spans */
	} else if (span->spanclass >> 1 == 0) {
		return set_large(go, span, out);
	} else if (span->elemsize > MIN_SIZE_FOR_HEADER) {
		out->scan = SW_SCAN_LOOKUP;
	} else {
		out->scan = SW_SCAN_BITMAP;
		out->bitmap = out->bytes + heap_bits_offset(span);
	}
	return NULL;
}

/* Where the memory from an address on ends that a core lacks because it was never written; the
 * address itself when it is not of that kind. No part of the heap is kept from being dumped. */
static sw_addr unwritten_end(const struct sw_target *target, sw_addr addr)
{
	for (size_t i = 0; i < target->left_out.count; i++)
		if (addr >= target->left_out.items[i].start && addr < target->left_out.items[i].end)
			return target->left_out.items[i].end;
	return addr;
}

/* Copies what there is of [addr, addr + size) into zeroed memory, which may be NULL: then it only
 * looks. False when a part is neither there nor unwritten. */
static bool gather(const struct sw_target *target, sw_addr addr, uint64_t size, uint8_t *out)
{
	while (size) {
		const struct sw_region *region = sw_memory_region(&target->memory, addr);
		sw_addr end = region ? region->addr + region->size : unwritten_end(target, addr);
		uint64_t part = end - addr < size ? end - addr : size;
		if (!part)
			return false;
		if (region && out)
			memcpy(out, region->bytes + (addr - region->addr), part);
		out = out ? out + part : NULL;
		addr += part;
		size -= part;
	}
	return true;
}

/* The span's bytes in place, or put together when the target holds them in several regions. */
static const uint8_t *span_bytes(struct sw_go *go, const struct sw_go_span *span)
{
	uint64_t size = span->npages * PAGE;
	const uint8_t *bytes = sw_memory_view(go->memory, span->base, size);
	if (bytes)
		return bytes;
	void *copy = NULL;
	/* Asked first: the size may be wild. */
	if (gather(go->target, span->base, size, NULL))
		sw_error_free(sw_go_keep(go, size, &copy));
	if (copy && gather(go->target, span->base, size, copy))
		return copy;
	/* The memory of an arena that was freed may not be touched by the program itself, and the
	 * collector counts it as without pointers (arena.go setUserArenaChunkToFault). */
	if (span->is_user_arena && span->spanclass & 1)
		return NULL;
	sw_warn(go->warnings, true, "missing_span", "was the core cut short?",
		"the memory of the span at 0x%llx is not in the target; what its objects refer to "
		"is missing",
		(unsigned long long)span->base);
	return NULL;
}

static struct sw_error *convert(struct sw_go *go, uint32_t number, struct sw_span *out)
{
	const struct sw_go_span *span = &go->spans.items[number];
	*out = (struct sw_span){
		.base = span->base,
		.bytes = span_bytes(go, span),
		.limit = span->limit - span->base,
		.elemsize = span->elemsize,
		.count = span->nelems,
		.divide = span->nelems == 1 ? 0 : (uint32_t)(UINT32_MAX / span->elemsize + 1),
		.owner = number,
	};
	return set_scan(go, span, out);
}

/* ---- spans that overlap ---- */

static int by_base_and_place(const void *left, const void *right)
{
	const struct sw_go_span *a = *(struct sw_go_span *const *)left;
	const struct sw_go_span *b = *(struct sw_go_span *const *)right;

	if (a->base != b->base)
		return a->base > b->base ? 1 : -1;
	return (a > b) - (a < b);
}

static void drop(struct sw_go *go, struct sw_go_span *span)
{
	sw_error_free(damaged(go, span->address));
	span->state = SW_GO_SPAN_DEAD;
}

static void drop_overlapping(struct sw_go *go, struct sw_go_span **spans, size_t count)
{
	size_t kept = 0;

	qsort(spans, count, sizeof(*spans), by_base_and_place);
	for (size_t i = 0; i < count; i++) {
		bool is_dropped = false;
		while (kept && !is_dropped) {
			const struct sw_go_span *last = spans[kept - 1];
			if (last->base + last->npages * PAGE <= spans[i]->base)
				break;
			is_dropped = sw_go_span_is_mapped(go, last);
			drop(go, is_dropped ? spans[i] : spans[--kept]);
		}
		if (!is_dropped)
			spans[kept++] = spans[i];
	}
}

struct sw_error *sw_go_drop_overlapping_spans(struct sw_go *go)
{
	struct sw_go_span **spans = calloc(go->spans.count + 1, sizeof(*spans));
	size_t count = 0;

	if (!spans)
		return sw_error_memory();
	for (size_t i = 0; i < go->spans.count; i++)
		if (go->spans.items[i].state == SW_GO_SPAN_IN_USE)
			spans[count++] = &go->spans.items[i];
	drop_overlapping(go, spans, count);
	free(spans);
	return NULL;
}

/* ---- the space ---- */

static int by_base(const void *left, const void *right)
{
	const struct sw_span *a = left, *b = right;
	return (a->base > b->base) - (a->base < b->base);
}

struct sw_error *sw_go_build_space(struct sw_go *go, struct sw_heap *heap)
{
	struct sw_span *spans = calloc(go->spans.count + 1, sizeof(*spans));
	size_t count = 0;
	struct sw_error *error = spans ? NULL : sw_error_memory();

	for (size_t i = 0; !error && i < go->spans.count; i++)
		if (go->spans.items[i].state == SW_GO_SPAN_IN_USE)
			error = convert(go, (uint32_t)i, &spans[count++]);
	if (!error)
		qsort(spans, count, sizeof(*spans), by_base);
	if (!error && sw_go_has_arena_bitmap(go))
		error = sw_go_unfold_bitmaps(go, spans, count);
	if (!error)
		error = sw_heap_init(heap, go->work, spans, count);
	if (!error) {
		heap->space.mask = sw_go_object_mask;
		heap->space.allocator = go;
	}
	free(spans);
	return error;
}
