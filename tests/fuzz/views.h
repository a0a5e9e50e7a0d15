/* What the linker puts between native/ and its lower floors (--wrap in the Makefile). */
#ifndef FUZZ_VIEWS_H
#define FUZZ_VIEWS_H

#include <stdint.h>

/* Views of the target's memory that end where they end: while it is on, sw_memory_view() hands out
 * a copy of just the bytes asked for, so that AddressSanitizer sees a read beyond them. */
void views_begin(void);
/* Frees the copies; nothing may use them any more. */
void views_end(void);

/* The allocation of that number from now on fails, and each that follows with a chance of one in
 * 64; 0: none does. Returns how many there were since the call before. */
uint64_t allocations_fail(uint64_t number);

#endif
