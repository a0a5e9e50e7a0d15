#include "target/memory.h"

#include <stdlib.h>

static sw_addr end_of(const struct sw_region *region)
{
	return region->addr + region->size;
}

/* The index of the first region that ends above the address. */
static size_t find(const struct sw_memory *memory, sw_addr addr)
{
	size_t low = 0, high = memory->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (end_of(&memory->regions[middle]) <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool are_neighbours(const struct sw_region *first, const struct sw_region *second)
{
	return end_of(first) == second->addr && first->bytes + first->size == second->bytes &&
	       first->flags == second->flags;
}

static struct sw_error *reserve(struct sw_memory *memory, size_t count)
{
	if (memory->capacity >= count)
		return NULL;
	size_t capacity = memory->capacity ? memory->capacity * 2 : 64;
	while (capacity < count)
		capacity *= 2;
	struct sw_region *regions = reallocarray(memory->regions, capacity, sizeof(*regions));
	if (!regions)
		return sw_error_memory();
	memory->regions = regions;
	memory->capacity = capacity;
	return NULL;
}

/* Puts a region that overlaps none before the one at `index`, into a neighbour if it has one. */
static struct sw_error *insert(struct sw_memory *memory, size_t index, struct sw_region region)
{
	struct sw_error *error = reserve(memory, memory->count + 1);
	if (error)
		return error;
	struct sw_region *at = memory->regions + index;
	bool joins_left = index > 0 && are_neighbours(at - 1, &region);
	bool joins_right = index < memory->count && are_neighbours(&region, at);

	if (joins_left && joins_right) {
		at[-1].size += region.size + at->size;
		memory->count--;
		memmove(at, at + 1, (memory->count - index) * sizeof(*at));
	} else if (joins_left) {
		at[-1].size += region.size;
	} else if (joins_right) {
		at->addr = region.addr;
		at->bytes = region.bytes;
		at->size += region.size;
	} else {
		memmove(at + 1, at, (memory->count - index) * sizeof(*at));
		*at = region;
		memory->count++;
	}
	return NULL;
}

/* Appends to an array that has room for one more. */
static void append(struct sw_memory *memory, struct sw_region region)
{
	if (!region.size)
		return;
	if (memory->count && are_neighbours(&memory->regions[memory->count - 1], &region))
		memory->regions[memory->count - 1].size += region.size;
	else
		memory->regions[memory->count++] = region;
}

/* What `region` has below `end`, cut off its front. */
static struct sw_region cut_front(struct sw_region *region, sw_addr end)
{
	struct sw_region front = *region;

	front.size = end - region->addr;
	region->addr += front.size;
	region->bytes += front.size;
	region->size -= front.size;
	return front;
}

/* Adds what lies between the regions from `index` on that overlap: one pass, so that an overlay
 * over a great many holes stays linear. */
static struct sw_error *fill_gaps(struct sw_memory *memory, size_t index, struct sw_region region)
{
	struct sw_memory filled = {0};
	size_t last = index;
	while (last < memory->count && memory->regions[last].addr < end_of(&region))
		last++;

	struct sw_error *error = reserve(&filled, memory->count + (last - index) + 1);
	if (error)
		return error;
	for (size_t i = 0; i < memory->count; i++) {
		const struct sw_region *known = &memory->regions[i];
		if (i >= index && i < last) {
			if (known->addr > region.addr)
				append(&filled, cut_front(&region, known->addr));
			uint64_t left = end_of(&region) - region.addr;
			uint64_t hidden = end_of(known) - region.addr;
			cut_front(&region, region.addr + (hidden < left ? hidden : left));
		}
		if (i == last)
			append(&filled, region);
		append(&filled, *known);
	}
	if (last == memory->count)
		append(&filled, region);
	free(memory->regions);
	*memory = filled;
	return NULL;
}

struct sw_error *sw_memory_add(struct sw_memory *memory, struct sw_region region)
{
	/* The last byte of the address space is given up, so that ends never wrap. */
	if (region.size > UINT64_MAX - region.addr)
		region.size = UINT64_MAX - region.addr;
	if (!region.size)
		return NULL;

	size_t index = find(memory, region.addr);
	if (index < memory->count && memory->regions[index].addr < end_of(&region))
		return fill_gaps(memory, index, region);
	return insert(memory, index, region);
}

void sw_memory_free(struct sw_memory *memory)
{
	free(memory->regions);
	memset(memory, 0, sizeof(*memory));
}

const struct sw_region *sw_memory_region(const struct sw_memory *memory, sw_addr addr)
{
	/* Branches that the processor cannot foresee cost more than the loop: select instead. */
	const struct sw_region *base = memory->regions;
	size_t count = memory->count;

	if (!count)
		return NULL;
	while (count > 1) {
		size_t half = count / 2;
		base = base[half].addr <= addr ? base + half : base;
		count -= half;
	}
	return addr - base->addr < base->size ? base : NULL;
}

const uint8_t *sw_memory_view(const struct sw_memory *memory, sw_addr addr, uint64_t size)
{
	const struct sw_region *region = sw_memory_region(memory, addr);

	if (!region || size > region->size - (addr - region->addr))
		return NULL;
	return region->bytes + (addr - region->addr);
}

bool sw_memory_read(const struct sw_memory *memory, sw_addr addr, void *out, uint64_t size)
{
	uint8_t *to = out;

	while (size) {
		const struct sw_region *region = sw_memory_region(memory, addr);
		if (!region)
			return false;
		uint64_t here = region->size - (addr - region->addr);
		if (here > size)
			here = size;
		memcpy(to, region->bytes + (addr - region->addr), here);
		to += here;
		addr += here;
		size -= here;
	}
	return true;
}

bool sw_memory_string(const struct sw_memory *memory, sw_addr addr, char *out, size_t size)
{
	size_t length = 0;

	while (length < size) {
		const struct sw_region *region = sw_memory_region(memory, addr + length);
		if (!region)
			return false;
		const uint8_t *from = region->bytes + (addr + length - region->addr);
		uint64_t here = end_of(region) - (addr + length);
		if (here > size - length)
			here = size - length;
		const uint8_t *nul = memchr(from, 0, here);
		memcpy(out + length, from, nul ? (size_t)(nul - from) + 1 : here);
		if (nul)
			return true;
		length += here;
	}
	return false;
}
