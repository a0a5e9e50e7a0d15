/* Numbers and strings of a target as text. */
#ifndef SW_TYPE_VALUE_TEXT_H
#define SW_TYPE_VALUE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A float32 (is_single) or float64 with as few digits as tell it from its neighbours; a complex64
 * or complex128 as (1-2i). */
void sw_text_real(FILE *out, const uint8_t *bytes, bool is_single);
void sw_text_complex(FILE *out, const uint8_t *bytes, bool is_single);

/* "in quotes", with what is no printable UTF-8 escaped; … at the end of what is cut. */
void sw_text_quoted(FILE *out, const uint8_t *text, size_t size, bool is_cut);

#endif
