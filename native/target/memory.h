/* The memory of a target: sorted regions that are mapped in this process too. */
#ifndef SW_TARGET_MEMORY_H
#define SW_TARGET_MEMORY_H

#include "base/error.h"

#include <stdint.h>
#include <string.h>

/* An address in the target; all targets are 64-bit little-endian. */
typedef uint64_t sw_addr;

enum { SW_REGION_READ = 1, SW_REGION_WRITE = 2, SW_REGION_EXECUTE = 4 };

struct sw_region {
	sw_addr addr;
	uint64_t size;	      /* bytes */
	const uint8_t *bytes; /* size readable bytes here, not owned; may be unaligned */
	uint32_t flags;	      /* SW_REGION_… as the target had it mapped */
};

/* Regions in rising order, none empty, none overlapping; neighbours in the target that are
 * neighbours here too and have the same flags are one region. */
struct sw_memory {
	struct sw_region *regions;
	size_t count, capacity;
};

/* Adds what is not there yet: parts that overlap existing regions are left out, so the first to
 * add an address wins. Merges neighbours. */
struct sw_error *sw_memory_add(struct sw_memory *memory, struct sw_region region);
void sw_memory_free(struct sw_memory *memory);

/* The region that holds the address, or NULL. */
const struct sw_region *sw_memory_region(const struct sw_memory *memory, sw_addr addr);

/* The `size` bytes at `addr` in place, or NULL when they do not lie in one region. */
const uint8_t *sw_memory_view(const struct sw_memory *memory, sw_addr addr, uint64_t size);

/* Copies, across neighbouring regions; false (and nothing useful in `out`) when a byte lacks. */
bool sw_memory_read(const struct sw_memory *memory, sw_addr addr, void *out, uint64_t size);

/* A NUL-terminated string of at most `size - 1` bytes; false when it is not readable. */
bool sw_memory_string(const struct sw_memory *memory, sw_addr addr, char *out, size_t size);

/* Little-endian words in place, at any alignment. */
static inline uint64_t sw_load64(const uint8_t *bytes)
{
	uint64_t word;
	memcpy(&word, bytes, sizeof(word));
	return word;
}

static inline uint32_t sw_load32(const uint8_t *bytes)
{
	uint32_t word;
	memcpy(&word, bytes, sizeof(word));
	return word;
}

static inline uint16_t sw_load16(const uint8_t *bytes)
{
	uint16_t word;
	memcpy(&word, bytes, sizeof(word));
	return word;
}

/* The word at `addr`; false when it is not readable (*out is 0 then). */
static inline bool sw_memory_u64(const struct sw_memory *memory, sw_addr addr, uint64_t *out)
{
	*out = 0;
	return sw_memory_read(memory, addr, out, 8);
}

static inline bool sw_memory_u32(const struct sw_memory *memory, sw_addr addr, uint32_t *out)
{
	*out = 0;
	return sw_memory_read(memory, addr, out, 4);
}

static inline bool sw_memory_u16(const struct sw_memory *memory, sw_addr addr, uint16_t *out)
{
	*out = 0;
	return sw_memory_read(memory, addr, out, 2);
}

static inline bool sw_memory_u8(const struct sw_memory *memory, sw_addr addr, uint8_t *out)
{
	*out = 0;
	return sw_memory_read(memory, addr, out, 1);
}

#endif
