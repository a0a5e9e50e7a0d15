/* Room in this process for the memory of another one, and what its page table tells. Private to
 * target/. */
#ifndef SW_TARGET_AREAS_H
#define SW_TARGET_AREAS_H

#include "target/live.h"

/* The page of amd64 and the smallest of arm64, whose kernels may have pages of 16 and 64 KiB. */
enum { SW_PAGE = 4096 };

/* Addresses of the target that have their place here, at the same distance from a 2 MiB boundary
 * as there. Untouched pages cost nothing and read as zeros. */
struct sw_area {
	sw_addr start;
	uint64_t size; /* bytes */
	uint8_t *host;
	void *mapped; /* what to unmap */
	uint64_t mapped_size;
};

struct sw_areas {
	struct sw_area *items; /* in rising order, none overlapping */
	size_t count, capacity;
	uint64_t populated; /* bytes faulted in before the copy */
};

/* Makes an area for whatever the mappings need and no area has yet: neighbours share one, with
 * room to grow behind, so that an object never lies in two. */
struct sw_error *sw_areas_plan(struct sw_areas *areas, const struct sw_vmas *vmas);

/* Faults in the pages that the process has present now. SW_ERR_LIMIT over work->max_memory. */
struct sw_error *sw_areas_populate(struct sw_areas *areas, const struct sw_vmas *vmas, int pagemap,
				   struct sw_work *work);

/* The area that holds the address, or NULL. */
const struct sw_area *sw_areas_find(const struct sw_areas *areas, sw_addr addr);

void sw_areas_clear(struct sw_areas *areas);

/* Entries of /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst), one for each SW_PAGE
 * from addr on; without the file every page counts as present and changed. */
void sw_pagemap_read(int pagemap, sw_addr addr, size_t pages, uint64_t *entries);

/* The same, where the kernel's pages have `unit` bytes, a multiple of SW_PAGE. */
void sw_pagemap_read_units(int pagemap, uint64_t unit, sw_addr addr, size_t pages,
			   uint64_t *entries);

/* Replaces each anonymous mapping of 256 GiB and more by the parts of it that have pages: the rest
 * is left out, not zero. *unknown counts those of which the kernel (before 6.7) cannot tell; they
 * are not copied. */
struct sw_error *sw_pagemap_split_sparse(int pagemap, struct sw_vmas *vmas, uint64_t *unknown);

static inline bool sw_page_is_present(uint64_t entry)
{
	return entry >> 62 != 0; /* present, or swapped out */
}

static inline bool sw_page_is_of_file(uint64_t entry)
{
	return entry >> 61 & 1;
}

#endif
