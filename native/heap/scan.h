/* The pointer words of a slot, inlined for the loops that see every object.
 *
 * A scan yields windows: an offset from the slot's start and up to 64 bits, bit i standing for
 * the word at offset + 8 * i. Masks of up to 64 words, which is nearly all of them, are held in
 * a register, short ones repeated to fill it.
 *
 *	struct sw_scanner scan;
 *	struct sw_window window;
 *	sw_scan_begin(&scan, space, span, index);
 *	while (sw_scan_next(&scan, &window))
 *		for (; window.bits; window.bits &= window.bits - 1)
 *			… sw_scan_word(&scan, &window) …
 */
#ifndef SW_HEAP_SCAN_H
#define SW_HEAP_SCAN_H

#include "heap/heap.h"

#define SW_INLINE static inline __attribute__((always_inline))

struct sw_window {
	uint64_t offset; /* bytes from the slot's start */
	uint64_t bits;
};

struct sw_scanner {
	const uint8_t *bytes; /* the slot */
	uint64_t begin, end;  /* offsets at which words start: begin ≤ offset < end */
	uint64_t tile;	      /* offset of the tile that comes next, or is under way */
	uint64_t stride;      /* bytes, not 0 */
	uint64_t pattern;     /* the bits of a tile … */
	const uint8_t *mask;  /* … or where they are; NULL for the pattern */
	uint64_t mask_size;   /* bytes that may be read at mask */
	uint64_t first_bit;   /* of a tile, in mask */
	uint64_t tile_words;  /* bits of a tile in mask */
	uint64_t word;	      /* next word of the tile under way */
};

/* `count` (1…64) bits from bit `first` of a mask of `size` bytes; what lies beyond it is 0. */
SW_INLINE uint64_t sw_mask_bits(const uint8_t *mask, uint64_t size, uint64_t first, unsigned count)
{
	uint64_t byte = first / 8, shift = first % 8, bits = 0;

	if (byte + 9 <= size) {
		bits = sw_load64(mask + byte) >> shift;
		bits |= (uint64_t)mask[byte + 8] << 1 << (63 - shift);
	} else {
		for (unsigned i = 0; i < 8 && byte + i < size; i++)
			bits |= (uint64_t)mask[byte + i] << (8 * i);
		bits >>= shift;
		if (shift && byte + 8 < size)
			bits |= (uint64_t)mask[byte + 8] << (64 - shift);
	}
	return count < 64 ? bits & (((uint64_t)1 << count) - 1) : bits;
}

/* Repeats a short mask: 64 words then need one window, not one for each tile. */
SW_INLINE void sw_scan_repeat(struct sw_scanner *scan)
{
	uint64_t words = scan->stride / 8;
	if (scan->stride % 8 || words > 32)
		return;
	uint64_t whole = 64 / words * words;
	for (; words < whole; words *= 2)
		scan->pattern |= scan->pattern << words;
	if (whole < 64)
		scan->pattern &= ((uint64_t)1 << whole) - 1;
	scan->stride = whole * 8;
}

SW_INLINE void sw_scan_tiles(struct sw_scanner *scan, const struct sw_mask *mask, uint64_t elemsize)
{
	/* A damaged mask must neither stand still nor overlap itself. */
	scan->stride = mask->stride && mask->stride < elemsize ? mask->stride : elemsize;
	uint64_t bytes = mask->pointer_bytes < scan->stride ? mask->pointer_bytes : scan->stride;
	uint64_t words = bytes / 8, size = (words + 7) / 8;

	scan->tile = mask->first < elemsize ? mask->first : elemsize;
	if (!words) {
		scan->end = 0;
	} else if (words <= 64) {
		scan->pattern = sw_mask_bits(mask->bits, size, 0, (unsigned)words);
		sw_scan_repeat(scan);
	} else {
		scan->mask = mask->bits;
		scan->mask_size = size;
		scan->tile_words = words;
	}
}

SW_INLINE void sw_scan_bitmap(struct sw_scanner *scan, const struct sw_span *span, uint32_t index)
{
	uint64_t words = span->elemsize / 8, first = index * span->elemsize / 8;
	uint64_t size = (span->count * span->elemsize / 8 + 7) / 8;

	scan->stride = span->elemsize;
	if (words <= 64) {
		scan->pattern = sw_mask_bits(span->bitmap, size, first, (unsigned)words);
	} else {
		scan->mask = span->bitmap;
		scan->mask_size = size;
		scan->first_bit = first;
		scan->tile_words = words;
	}
}

/* Starts on slot `index` (below count) of a span; nothing follows when its bytes are missing. */
SW_INLINE void sw_scan_begin(struct sw_scanner *scan, const struct sw_space *space,
			     const struct sw_span *span, uint32_t index)
{
	uint64_t elemsize = span->elemsize;
	struct sw_mask mask;

	scan->begin = scan->tile = scan->word = scan->first_bit = 0;
	scan->end = 0;
	scan->mask = NULL;
	if (elemsize < 8 || !span->bytes)
		return;
	scan->bytes = span->bytes + index * elemsize;
	scan->end = elemsize - 7;
	switch (span->scan) {
	case SW_SCAN_BITMAP:
		sw_scan_bitmap(scan, span, index);
		return;
	case SW_SCAN_TILED:
		sw_scan_tiles(scan, span->mask, elemsize);
		return;
	case SW_SCAN_LOOKUP:
		if (space->mask(space, span, scan->bytes, &mask))
			sw_scan_tiles(scan, &mask, elemsize);
		else
			scan->end = 0;
		return;
	case SW_SCAN_ALL:
		scan->pattern = ~(uint64_t)0;
		scan->stride = 512;
		return;
	default:
		scan->end = 0;
	}
}

/* Keeps to the words that start in [begin, end); to be called before the first window. */
SW_INLINE void sw_scan_range(struct sw_scanner *scan, uint64_t begin, uint64_t end)
{
	if (end < scan->end)
		scan->end = end;
	scan->begin = begin;
	if (begin > scan->tile)
		scan->tile += (begin - scan->tile) / scan->stride * scan->stride;
	if (scan->mask && begin > scan->tile)
		scan->word = (begin - scan->tile + 7) / 8;
}

/* The next window of a mask that is too long for a register. */
bool sw_scan_next_masked(struct sw_scanner *scan, struct sw_window *window);

/* A window without bits is possible. */
SW_INLINE bool sw_scan_next(struct sw_scanner *scan, struct sw_window *window)
{
	if (scan->tile >= scan->end)
		return false;
	if (scan->mask)
		return sw_scan_next_masked(scan, window);

	uint64_t left = (scan->end - scan->tile + 7) / 8, bits = scan->pattern;
	if (left < 64)
		bits &= ((uint64_t)1 << left) - 1;
	if (scan->tile < scan->begin) {
		uint64_t skip = (scan->begin - scan->tile + 7) / 8;
		bits = skip < 64 ? bits >> skip << skip : 0;
	}
	window->offset = scan->tile;
	window->bits = bits;
	scan->tile += scan->stride;
	return true;
}

/* The word of the window's lowest bit. */
SW_INLINE sw_addr sw_scan_word(const struct sw_scanner *scan, const struct sw_window *window)
{
	uint64_t offset = window->offset + 8 * (uint64_t)__builtin_ctzll(window->bits);
	return sw_load64(scan->bytes + offset);
}

/* Fetches the first lines of a slot and its bits ahead of the scan. */
SW_INLINE void sw_scan_prefetch(const struct sw_span *span, uint32_t index, uint64_t offset)
{
	const uint8_t *bytes = span->bytes + index * span->elemsize + offset;
	__builtin_prefetch(bytes);
	__builtin_prefetch(bytes + (span->elemsize < 72 ? span->elemsize - 8 : 64));
	if (span->scan == SW_SCAN_BITMAP)
		__builtin_prefetch(span->bitmap + (index * span->elemsize + offset) / 64);
}

#endif
