/* Bits in arrays of 64-bit words, bit i in word i / 64. */
#ifndef SW_BASE_BITSET_H
#define SW_BASE_BITSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline size_t sw_bitset_words(size_t bits)
{
	return (bits + 63) / 64;
}

static inline bool sw_bitset_has(const uint64_t *words, size_t bit)
{
	return words[bit / 64] >> (bit % 64) & 1;
}

static inline void sw_bitset_set(uint64_t *words, size_t bit)
{
	words[bit / 64] |= (uint64_t)1 << (bit % 64);
}

static inline void sw_bitset_clear(uint64_t *words, size_t bit)
{
	words[bit / 64] &= ~((uint64_t)1 << (bit % 64));
}

/* Sets the bit for all threads; true when it was clear, that is, when this call set it. */
static inline bool sw_bitset_claim(uint64_t *words, size_t bit)
{
	uint64_t mask = (uint64_t)1 << (bit % 64);
	uint64_t *word = &words[bit / 64];

	if (__atomic_load_n(word, __ATOMIC_RELAXED) & mask)
		return false;
	return !(__atomic_fetch_or(word, mask, __ATOMIC_RELAXED) & mask);
}

#endif
