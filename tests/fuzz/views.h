/* Views of the target's memory that end where they end: while it is on, sw_memory_view() hands out
 * a copy of just the bytes asked for, so that AddressSanitizer sees a read beyond them. */
#ifndef FUZZ_VIEWS_H
#define FUZZ_VIEWS_H

void views_begin(void);
/* Frees the copies; nothing may use them any more. */
void views_end(void);

#endif
