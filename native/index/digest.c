#include "index/digest.h"

#include <stdlib.h>
#include <string.h>

enum {
	LANES = 8,
	PIECE = 1 << 20, /* bytes that make one digest of a large array */
};

/* Each step can be undone for a known word, so that two inputs that differ in one word never meet
 * again in their lane. */
static inline uint64_t step(uint64_t lane, uint64_t word)
{
	lane = (lane ^ word) * 0xd6e8feb86659fd93;
	return lane << 27 | lane >> 37;
}

uint64_t sw_digest(uint64_t digest, const void *bytes, size_t size)
{
	uint64_t lanes[LANES], words[LANES] = {0};
	const char *at = bytes;
	size_t left = size;

	for (unsigned i = 0; i < LANES; i++)
		lanes[i] = digest + i;
	for (; left >= sizeof(words); left -= sizeof(words), at += sizeof(words)) {
		memcpy(words, at, sizeof(words));
		for (unsigned i = 0; i < LANES; i++)
			lanes[i] = step(lanes[i], words[i]);
	}
	memset(words, 0, sizeof(words));
	if (left)
		memcpy(words, at, left);
	for (unsigned i = 0; i < LANES; i++)
		digest = sw_digest_word(digest, step(lanes[i], words[i]));
	return sw_digest_word(digest, size);
}

uint64_t sw_digest_text(uint64_t digest, const char *text)
{
	return sw_digest(digest, text ? text : "", text ? strlen(text) : 0);
}

struct large {
	const char *bytes;
	size_t size;
	uint64_t *digests; /* by piece */
};

static struct sw_error *digest_pieces(void *context, unsigned worker, size_t begin, size_t end)
{
	const struct large *large = context;

	(void)worker;
	for (size_t i = begin; i < end; i++) {
		size_t at = i * PIECE;
		size_t size = large->size - at < PIECE ? large->size - at : PIECE;
		large->digests[i] = sw_digest(i, large->bytes + at, size);
	}
	return NULL;
}

struct sw_error *sw_digest_large(const void *bytes, size_t size, struct sw_work *work,
				 uint64_t *out)
{
	size_t count = (size + PIECE - 1) / PIECE;
	struct large large = {bytes, size, calloc(count + 1, sizeof(uint64_t))};

	*out = 0;
	if (!large.digests)
		return sw_error_memory();
	struct sw_error *error = sw_parallel_for(work, "index", count, 1, digest_pieces, &large);
	if (!error)
		*out = sw_digest(size, large.digests, count * sizeof(uint64_t));
	free(large.digests);
	return error;
}
