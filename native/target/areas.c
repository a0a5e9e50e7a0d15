#include "target/areas.h"

#include "base/vector.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

enum {
	HUGE = 2 << 20,
	HUGE_PAGES = HUGE / SW_PAGE,
	DENSE_PAGES = HUGE_PAGES / 2,	 /* present ones from which on a huge page is worth it */
	RESERVE_MAX = 64 << 20,		 /* PROT_NONE kept in an area: Go reserves so much a time */
	SLACK = 128 << 20,		 /* bytes kept behind memory that may grow */
	POPULATE_PIECE = 4 * HUGE_PAGES, /* pages */
};

static sw_addr end_of(const struct sw_area *area)
{
	return area->start + area->size;
}

/* The index of the first area that ends above the address. */
static size_t find_index(const struct sw_areas *areas, sw_addr addr)
{
	size_t low = 0, high = areas->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (end_of(&areas->items[middle]) <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct sw_area *sw_areas_find(const struct sw_areas *areas, sw_addr addr)
{
	size_t index = find_index(areas, addr);
	if (index == areas->count || areas->items[index].start > addr)
		return NULL;
	return &areas->items[index];
}

void sw_areas_clear(struct sw_areas *areas)
{
	for (size_t i = 0; i < areas->count; i++)
		munmap(areas->items[i].mapped, areas->items[i].mapped_size);
	free(areas->items);
	memset(areas, 0, sizeof(*areas));
}

static struct sw_error *insert(struct sw_areas *areas, size_t index, struct sw_area area)
{
	if (areas->count == areas->capacity) {
		size_t capacity = areas->capacity ? areas->capacity * 2 : 64;
		struct sw_area *items = reallocarray(areas->items, capacity, sizeof(*items));
		if (!items)
			return sw_error_memory();
		areas->items = items;
		areas->capacity = capacity;
	}
	memmove(areas->items + index + 1, areas->items + index,
		(areas->count - index) * sizeof(area));
	areas->items[index] = area;
	areas->count++;
	return NULL;
}

static struct sw_error *map_area(struct sw_areas *areas, size_t index, sw_addr start, sw_addr end)
{
	struct sw_area area = {
		.start = start, .size = end - start, .mapped_size = end - start + HUGE};

	area.mapped = mmap(NULL, area.mapped_size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (area.mapped == MAP_FAILED)
		return sw_error_hint(sw_error_errno(errno,
						    "no room for the memory of the process at "
						    "0x%" PRIx64 " (%" PRIu64 " MiB)",
						    start, area.size >> 20),
				     "check `ulimit -v` and vm.overcommit_memory, or take a core");
	area.host = (uint8_t *)area.mapped + (start - (uintptr_t)area.mapped) % HUGE;
	struct sw_error *error = insert(areas, index, area);
	if (error)
		munmap(area.mapped, area.mapped_size);
	return error;
}

/* Maps what no area has of [start, end). */
static struct sw_error *cover(struct sw_areas *areas, sw_addr start, sw_addr end)
{
	struct sw_error *error = NULL;

	while (!error && start < end) {
		size_t index = find_index(areas, start);
		sw_addr stop = end;
		if (index < areas->count && areas->items[index].start <= start) {
			start = end_of(&areas->items[index]);
			continue;
		}
		if (index < areas->count && areas->items[index].start < stop)
			stop = areas->items[index].start;
		error = map_area(areas, index, start, stop);
		start = stop;
	}
	return error;
}

static bool is_reserve(const struct sw_vma *vma)
{
	return !vma->flags && vma->end - vma->start <= RESERVE_MAX;
}

/* How far an area may reach beyond the mapping that ends it. */
static sw_addr with_slack(const struct sw_vmas *vmas, size_t last)
{
	const struct sw_vma *vma = &vmas->items[last];
	sw_addr limit = vma->end;

	if (vma->copying != SW_COPY_ZEROES && !is_reserve(vma))
		return limit;
	if (__builtin_add_overflow(limit, (uint64_t)SLACK, &limit))
		return vma->end;
	if (last + 1 < vmas->count && vmas->items[last + 1].start < limit)
		limit = vmas->items[last + 1].start;
	return limit;
}

struct sw_error *sw_areas_plan(struct sw_areas *areas, const struct sw_vmas *vmas)
{
	struct sw_error *error = NULL;

	for (size_t first = 0; !error && first < vmas->count;) {
		size_t last = first;
		bool is_needed = false;
		for (size_t i = first; i < vmas->count; i++) {
			const struct sw_vma *vma = &vmas->items[i];
			if (i > first && vma->start != vmas->items[i - 1].end)
				break;
			if (vma->copying == SW_COPY_NOTHING && !is_reserve(vma))
				break;
			is_needed |= vma->copying != SW_COPY_NOTHING;
			last = i;
		}
		if (is_needed)
			error = cover(areas, vmas->items[first].start, with_slack(vmas, last));
		first = last + 1;
	}
	return error;
}

/* Work on the mappings of a process that still runs. */
struct populating {
	struct sw_areas *areas;
	struct sw_work *work;
	int pagemap;
	struct populate_piece {
		sw_addr start, end;
	} * pieces;
};

static uint8_t *host_of(const struct sw_areas *areas, sw_addr addr)
{
	const struct sw_area *area = sw_areas_find(areas, addr);
	return area->host + (addr - area->start);
}

static uint64_t populate_block(const struct populating *populating, sw_addr start,
			       const uint64_t *entries, size_t pages)
{
	uint8_t *host = host_of(populating->areas, start);
	uint64_t bytes = 0;
	size_t present = 0;

	for (size_t i = 0; i < pages; i++)
		present += sw_page_is_present(entries[i]);
	if (pages == HUGE_PAGES && present >= DENSE_PAGES) {
		madvise(host, HUGE, MADV_HUGEPAGE);
		madvise(host, HUGE, MADV_POPULATE_WRITE);
		return HUGE;
	}
	for (size_t i = 0; present && i < pages; i++) {
		size_t first = i;
		while (i < pages && sw_page_is_present(entries[i]))
			i++;
		if (i == first)
			continue;
		madvise(host + first * SW_PAGE, (i - first) * SW_PAGE, MADV_POPULATE_WRITE);
		bytes += (i - first) * SW_PAGE;
	}
	return bytes;
}

static struct sw_error *populate_body(void *context, unsigned worker, size_t begin, size_t end)
{
	const struct populating *populating = context;
	uint64_t entries[POPULATE_PIECE], bytes = 0;
	(void)worker;

	for (size_t i = begin; i < end; i++) {
		const struct populate_piece *piece = &populating->pieces[i];
		size_t pages = (piece->end - piece->start) / SW_PAGE;
		sw_pagemap_read(populating->pagemap, piece->start, pages, entries);
		for (size_t page = 0; page < pages;) {
			sw_addr at = piece->start + page * SW_PAGE;
			size_t part = (HUGE - at % HUGE) / SW_PAGE;
			if (part > pages - page)
				part = pages - page;
			bytes += populate_block(populating, at, entries + page, part);
			page += part;
		}
	}
	uint64_t all = __atomic_add_fetch(&populating->areas->populated, bytes, __ATOMIC_RELAXED);
	const struct sw_work *work = populating->work;
	if (work->max_memory && all + work->used_memory > work->max_memory)
		return sw_error_hint(sw_error_format(SW_ERR_LIMIT,
						     "the memory of the process is larger than "
						     "the limit of %" PRIu64 " MiB",
						     work->max_memory >> 20),
				     "raise --max-memory");
	return NULL;
}

SW_VECTOR(struct populate_piece, populate_pieces);

struct sw_error *sw_areas_populate(struct sw_areas *areas, const struct sw_vmas *vmas, int pagemap,
				   struct sw_work *work)
{
	struct populate_pieces pieces = {0};
	struct sw_error *error = NULL;

	for (size_t i = 0; !error && i < vmas->count; i++) {
		const struct sw_vma *vma = &vmas->items[i];
		if (vma->copying != SW_COPY_ZEROES)
			continue;
		for (sw_addr at = vma->start; !error && at < vma->end;) {
			uint64_t unit = (uint64_t)POPULATE_PIECE * SW_PAGE;
			sw_addr end = at - at % unit + unit;
			if (end > vma->end || end < at)
				end = vma->end;
			error = populate_pieces_add(&pieces, (struct populate_piece){at, end});
			at = end;
		}
	}
	struct populating populating = {areas, work, pagemap, pieces.items};
	if (!error)
		error = sw_parallel_for(work, "preparing to read the process", pieces.count, 1,
					populate_body, &populating);
	populate_pieces_free(&pieces);
	return error;
}
