/* Spans in order, their slots in numbers, and the table that finds them by address. */
#include "heap/heap.h"

#include <sys/mman.h>

enum {
	ARENAS = 1 << (SW_ADDRESS_BITS - SW_ARENA_SHIFT),
	ARENA_PAGES = 1 << (SW_ARENA_SHIFT - SW_PAGE_SHIFT),
	ARENAS_BYTES = ARENAS * sizeof(uint32_t *),
	TABLE_BYTES = ARENA_PAGES * sizeof(uint32_t),
};

static uint64_t slot_bytes(const struct sw_span *span)
{
	return span->count * span->elemsize;
}

/* Bytes from base that belong to the span alone. */
static uint64_t extent(const struct sw_span *span)
{
	return span->limit > slot_bytes(span) ? span->limit : slot_bytes(span);
}

static struct sw_error *damaged(const struct sw_span *span, const char *what)
{
	return sw_error_format(SW_ERR_DAMAGED, "span at 0x%llx (%u slots of %llu bytes): %s",
			       (unsigned long long)span->base, span->count,
			       (unsigned long long)span->elemsize, what);
}

/* With m = ceil(2^32 / elemsize), offset * m >> 32 is exact as long as offset times what m is
 * too large by (in units of 1 / elemsize) stays below 2^32. */
static struct sw_error *set_divide(struct sw_span *span)
{
	span->divide = 0;
	if (span->count == 1)
		return NULL;
	if (span->elemsize < 2 || span->elemsize > UINT32_MAX)
		return damaged(span, "such slots cannot be numbered");

	uint64_t divide = (((uint64_t)1 << 32) + span->elemsize - 1) / span->elemsize;
	uint64_t excess = divide * span->elemsize - ((uint64_t)1 << 32), product;
	uint64_t last = extent(span) - 1;
	if (__builtin_mul_overflow(last, divide, &product) ||
	    __builtin_mul_overflow(last, excess, &product) || product >> 32)
		return damaged(span, "too large to be divided");
	span->divide = (uint32_t)divide;
	return NULL;
}

static struct sw_error *check_span(struct sw_span *span)
{
	const uint64_t top = (uint64_t)1 << SW_ADDRESS_BITS;
	uint64_t bytes;

	if (!span->elemsize ||
	    __builtin_mul_overflow(span->elemsize, (uint64_t)span->count, &bytes))
		return damaged(span, "no such size");
	if (span->base >= top || extent(span) > top - span->base)
		return damaged(span, "beyond the address space");
	if (span->scan > SW_SCAN_ALL || (span->scan == SW_SCAN_BITMAP && !span->bitmap) ||
	    (span->scan == SW_SCAN_TILED && (!span->mask || !span->mask->bits)))
		return damaged(span, "no pointer mask");
	return set_divide(span);
}

static int by_base(const void *left, const void *right)
{
	const struct sw_span *a = left, *b = right;
	return (a->base > b->base) - (a->base < b->base);
}

/* A page leads to one span only. */
static struct sw_error *check_neighbours(const struct sw_span *before, const struct sw_span *span)
{
	sw_addr end = before->base + extent(before);
	if (end > span->base)
		return sw_error_format(SW_ERR_DAMAGED, "spans overlap at 0x%llx",
				       (unsigned long long)span->base);
	if ((end - 1) >> SW_PAGE_SHIFT == span->base >> SW_PAGE_SHIFT)
		return sw_error_format(SW_ERR_DAMAGED, "spans share the page at 0x%llx",
				       (unsigned long long)span->base);
	return NULL;
}

static struct sw_error *copy_spans(struct sw_space *space, struct sw_work *work,
				   const struct sw_span *spans, size_t count)
{
	size_t used = 0;
	for (size_t i = 0; i < count; i++)
		used += spans[i].count != 0;
	if (used >= UINT32_MAX)
		return sw_error_format(SW_ERR_LIMIT, "%zu spans are too many", used);

	struct sw_error *error = sw_work_alloc(work, used * sizeof(*spans), "spans", &space->spans);
	if (error)
		return error;
	space->span_count = used;
	used = 0;
	for (size_t i = 0; i < count; i++) {
		if (spans[i].count)
			space->spans[used++] = spans[i];
	}
	qsort(space->spans, used, sizeof(*spans), by_base);
	return NULL;
}

static struct sw_error *number_slots(struct sw_space *space)
{
	uint64_t next = 0;
	for (size_t i = 0; i < space->span_count; i++) {
		struct sw_span *span = &space->spans[i];
		struct sw_error *error = check_span(span);
		if (!error && i)
			error = check_neighbours(span - 1, span);
		if (error)
			return error;
		span->first_slot = (sw_slot)next;
		next += ((uint64_t)span->count + 63) / 64 * 64;
		if (next > SW_NO_SLOT)
			return sw_error_hint(
				sw_error_format(SW_ERR_LIMIT, "the heap has 2^32 slots or more"),
				"spanwalk numbers objects with 32 bits; this heap is too large");
	}
	space->slot_count = next;
	return NULL;
}

/* Arenas that one span fills share a table, so that a damaged span of terabytes costs little. */
static struct sw_error *add_pages(struct sw_space *space, struct sw_work *work, uint32_t number)
{
	const struct sw_span *span = &space->spans[number];
	if (!span->limit)
		return NULL;
	uint64_t page = span->base >> SW_PAGE_SHIFT;
	uint64_t end = ((span->base + span->limit - 1) >> SW_PAGE_SHIFT) + 1;
	uint32_t *filled = NULL;

	while (page < end) {
		uint64_t arena = page / ARENA_PAGES, first = page % ARENA_PAGES;
		uint64_t last = end - page > ARENA_PAGES - first ? ARENA_PAGES : first + end - page;
		bool is_filled = last - first == ARENA_PAGES;

		page += last - first;
		if (is_filled && filled) {
			space->arenas[arena] = filled;
			continue;
		}
		uint32_t **table = &space->arenas[arena];
		if (!*table) {
			struct sw_error *error =
				sw_work_alloc(work, TABLE_BYTES, "the page table", table);
			if (error)
				return error;
		}
		for (uint64_t i = first; i < last; i++)
			(*table)[i] = number + 1;
		if (is_filled)
			filled = *table;
	}
	return NULL;
}

static struct sw_error *build_pages(struct sw_space *space, struct sw_work *work)
{
	/* Not counted against --max-memory: of these 32 MiB only a page or two are touched. */
	void *arenas = mmap(NULL, ARENAS_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (arenas == MAP_FAILED)
		return sw_error_memory();
	madvise(arenas, ARENAS_BYTES, MADV_NOHUGEPAGE);
	space->arenas = arenas;
	for (size_t i = 0; i < space->span_count; i++) {
		struct sw_error *error = add_pages(space, work, (uint32_t)i);
		if (error)
			return error;
	}
	return NULL;
}

static struct sw_error *build_blocks(struct sw_heap *heap, struct sw_work *work)
{
	const struct sw_space *space = &heap->space;
	size_t count = space->slot_count / 64;
	struct sw_error *error =
		sw_work_alloc(work, count * sizeof(*heap->blocks), "mark bits", &heap->blocks);
	if (error)
		return error;
	heap->block_count = count;
	for (size_t i = 0; i < space->span_count; i++) {
		const struct sw_span *span = &space->spans[i];
		size_t first = span->first_slot / 64, blocks = ((size_t)span->count + 63) / 64;
		for (size_t block = first; block < first + blocks; block++)
			heap->blocks[block].span = (uint32_t)i;
	}
	return NULL;
}

struct sw_error *sw_heap_init(struct sw_heap *heap, struct sw_work *work,
			      const struct sw_span *spans, size_t count)
{
	memset(heap, 0, sizeof(*heap));
	struct sw_error *error = copy_spans(&heap->space, work, spans, count);
	if (!error)
		error = number_slots(&heap->space);
	if (!error)
		error = build_pages(&heap->space, work);
	if (!error)
		error = build_blocks(heap, work);
	if (error)
		sw_heap_free(heap, work);
	return error;
}

static void free_pages(struct sw_space *space, struct sw_work *work)
{
	if (!space->arenas || !space->span_count)
		return;
	const struct sw_span *last = &space->spans[space->span_count - 1];
	uint64_t first_arena = space->spans[0].base >> SW_ARENA_SHIFT;
	uint64_t last_arena = (last->base + extent(last) - 1) >> SW_ARENA_SHIFT;
	uint32_t *before = NULL;

	for (uint64_t arena = first_arena; arena <= last_arena; arena++) {
		uint32_t *table = space->arenas[arena];
		if (table && table != before)
			sw_work_free(work, table, TABLE_BYTES);
		before = table;
	}
}

void sw_heap_free(struct sw_heap *heap, struct sw_work *work)
{
	struct sw_space *space = &heap->space;

	free_pages(space, work);
	if (space->arenas)
		munmap(space->arenas, ARENAS_BYTES);
	sw_work_free(work, space->spans, space->span_count * sizeof(*space->spans));
	sw_work_free(work, heap->blocks, heap->block_count * sizeof(*heap->blocks));
	sw_work_free(work, heap->opaque, sw_bitset_words(space->slot_count) * sizeof(uint64_t));
	sw_roots_free(&heap->roots);
	sw_root_words_free(&heap->root_words);
	memset(heap, 0, sizeof(*heap));
}
