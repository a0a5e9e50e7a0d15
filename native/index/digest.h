/* Checksums and fingerprints: 64 bits, the same on every machine that runs spanwalk. They find
 * damage and difference, not malice. Private to this room. */
#ifndef SW_INDEX_DIGEST_H
#define SW_INDEX_DIGEST_H

#include "base/parallel.h"

static inline uint64_t sw_digest_word(uint64_t digest, uint64_t word)
{
	digest = (digest ^ word) * 0x9fb21c651e98df25;
	return digest ^ digest >> 29;
}

/* Of bytes behind others. */
uint64_t sw_digest(uint64_t digest, const void *bytes, size_t size);
uint64_t sw_digest_text(uint64_t digest, const char *text); /* NULL is as good as "" */

/* Of an array of any size, on all workers. */
struct sw_error *sw_digest_large(const void *bytes, size_t size, struct sw_work *work,
				 uint64_t *out);

#endif
