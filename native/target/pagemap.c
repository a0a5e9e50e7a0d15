/* The page table of a process (Documentation/admin-guide/mm/pagemap.rst of the kernel). */
#include "target/areas.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* struct page_region and struct pm_scan_arg of linux/fs.h, since Linux 6.7. */
struct scan_range {
	uint64_t start, end, categories;
};

struct scan_argument {
	uint64_t size, flags, start, end, walk_end, ranges, range_count, max_pages;
	uint64_t inverted, all_of, any_of, returned;
};

#define SCAN_REQUEST _IOWR('f', 16, struct scan_argument)

enum {
	SCAN_PRESENT = 1 << 3,
	SCAN_SWAPPED = 1 << 4,
	SCAN_RANGES = 512,
	BLOCK = 2 << 20, /* bytes: what a mapping is split into */
};

/* Nobody fills as much: the shadow of a sanitizer, a cage of a JavaScript engine. */
static const uint64_t SPARSE_SIZE = (uint64_t)256 << 30;

static void read_entries(int pagemap, uint64_t first, size_t count, uint64_t *entries)
{
	size_t size = count * sizeof(*entries), done = 0;

	while (pagemap >= 0 && done < size) {
		ssize_t part = pread(pagemap, (uint8_t *)entries + done, size - done,
				     (off_t)(first * sizeof(*entries) + done));
		if (part <= 0)
			break;
		done += (size_t)part;
	}
	for (size_t i = done / sizeof(*entries); i < count; i++)
		entries[i] = (uint64_t)1 << 63;
}

void sw_pagemap_read_units(int pagemap, uint64_t unit, sw_addr addr, size_t pages,
			   uint64_t *entries)
{
	uint64_t first = addr / unit;

	if (!pages)
		return;
	read_entries(pagemap, first, (addr + (pages - 1) * SW_PAGE) / unit - first + 1, entries);
	/* From the last on: the entry of a page never stands behind the page's own place. */
	for (size_t i = pages; unit > SW_PAGE && i-- > 0;)
		entries[i] = entries[(addr + i * SW_PAGE) / unit - first];
}

void sw_pagemap_read(int pagemap, sw_addr addr, size_t pages, uint64_t *entries)
{
	long unit = sysconf(_SC_PAGESIZE);

	sw_pagemap_read_units(pagemap, unit > SW_PAGE ? (uint64_t)unit : SW_PAGE, addr, pages,
			      entries);
}

/* Adds [start, end), rounded out to blocks, as a mapping like `whole`; joins the last one. */
static struct sw_error *add_part(struct sw_vmas *parts, const struct sw_vma *whole, sw_addr start,
				 sw_addr end)
{
	struct sw_vma *last = parts->count ? &parts->items[parts->count - 1] : NULL;

	start = start / BLOCK * BLOCK > whole->start ? start / BLOCK * BLOCK : whole->start;
	end = (end + BLOCK - 1) / BLOCK * BLOCK < whole->end ? (end + BLOCK - 1) / BLOCK * BLOCK
							     : whole->end;
	if (last && last->start >= whole->start && last->end >= start) {
		last->end = end > last->end ? end : last->end;
		return NULL;
	}
	struct sw_vma part = *whole;
	part.start = start;
	part.end = end;
	part.path = strdup(whole->path);
	if (!part.path)
		return sw_error_memory();
	struct sw_error *error = sw_vmas_add(parts, part);
	if (error)
		free(part.path);
	return error;
}

/* The blocks of the mapping that have pages. *is_known is false where the kernel cannot tell. */
static struct sw_error *split(int pagemap, const struct sw_vma *vma, struct sw_vmas *parts,
			      bool *is_known)
{
	struct scan_range ranges[SCAN_RANGES];
	struct sw_error *error = NULL;

	*is_known = true;
	for (sw_addr at = vma->start; !error && at < vma->end;) {
		struct scan_argument argument = {.size = sizeof(argument),
						 .start = at,
						 .end = vma->end,
						 .ranges = (uintptr_t)ranges,
						 .range_count = SCAN_RANGES,
						 .any_of = SCAN_PRESENT | SCAN_SWAPPED,
						 .returned = SCAN_PRESENT};
		int count = ioctl(pagemap, SCAN_REQUEST, &argument);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0 || argument.walk_end <= at) {
			*is_known = false;
			return NULL;
		}
		for (int i = 0; !error && i < count; i++)
			error = add_part(parts, vma, ranges[i].start, ranges[i].end);
		at = argument.walk_end;
	}
	return error;
}

struct sw_error *sw_pagemap_split_sparse(int pagemap, struct sw_vmas *vmas, uint64_t *unknown)
{
	struct sw_vmas parts = {0};
	struct sw_error *error = NULL;

	for (size_t i = 0; !error && i < vmas->count; i++) {
		struct sw_vma *vma = &vmas->items[i];
		bool is_known = false;
		if (vma->copying == SW_COPY_ZEROES && vma->end - vma->start >= SPARSE_SIZE) {
			error = split(pagemap, vma, &parts, &is_known);
			if (!error && is_known)
				continue;
			vma->copying = SW_COPY_NOTHING;
			++*unknown;
		}
		if (!error)
			error = sw_vmas_add(&parts, *vma);
		if (!error)
			vma->path = NULL; /* moved */
	}
	if (error) {
		sw_vmas_clear(&parts);
		return error;
	}
	sw_vmas_clear(vmas);
	*vmas = parts;
	return NULL;
}
