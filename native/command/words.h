/* Words that users type: numbers, sizes, shares, and names that were mistyped. All parsers take
 * the whole word or refuse it, and none depends on the locale. */
#ifndef SW_COMMAND_WORDS_H
#define SW_COMMAND_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Unsigned, decimal or 0x…; false when it is none or does not fit. */
bool sw_words_number(const char *word, uint64_t *out);

/* Bytes: 4096, 512M, 1.5GiB, 100 KiB; K M G T P are powers of 1024. */
bool sw_words_size(const char *word, uint64_t *out);

/* Nanoseconds: 90s, 5m, 1h30m, 1.5h, 2d, 250ms; each number has a unit, but for 0. */
bool sw_words_duration(const char *word, uint64_t *out);

/* 0…1, or 0%…100%. */
bool sw_words_fraction(const char *word, double *out);

/* Whether word is one of "a|b|c". */
bool sw_words_choice(const char *word, const char *choices);

/* Keeps in *nearest the candidate that word most likely meant: call it for each, with *nearest
 * NULL and *least SIZE_MAX at first. *nearest stays NULL when none is near. */
void sw_words_nearer(const char *word, const char *candidate, const char **nearest, size_t *least);

#endif
