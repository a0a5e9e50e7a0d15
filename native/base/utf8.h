/* UTF-8, which text of a target may or may not be. */
#ifndef SW_BASE_UTF8_H
#define SW_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Decodes the first code point of valid or invalid UTF-8; returns its bytes (1…4), or 0 when
 * bytes[0] begins none: an overlong form, a surrogate, beyond Unicode, cut off. size is at least 1;
 * point may be NULL. */
size_t sw_utf8_decode(const char *bytes, size_t size, uint32_t *point);

#endif
