#include "go/arena_bitmap.h"

enum {
	BLOCK = 64,		       /* words whose bits are turned at once */
	BLOCK_BYTES = BLOCK * 8,       /* of heap */
	OBLET_WORDS = (128 << 10) / 8, /* mgcmark.go maxObletBytes */
	PAGES_PER_ARENA = 1 << (SW_ARENA_SHIFT - SW_PAGE_SHIFT),
	ARENA_BLOCKS = (1 << SW_ARENA_SHIFT) / BLOCK_BYTES,
	PAIR_BYTES = BLOCK * 2 / 8, /* of a block in the bitmap until 1.19 */
	BIT_BYTES = BLOCK / 8,	    /* ... and from 1.20 */
	GRAIN = 64,		    /* spans that a worker takes at a time */
};

sw_addr sw_go_find_arena(const struct sw_go *go, sw_addr addr)
{
	/* runtime/malloc.go: arenaBaseOffset is 0xffff800000000000 on amd64, 0 on arm64. */
	uint64_t offset = go->arch == SW_ARCH_AMD64 ? (uint64_t)1 << 47 : 0;
	uint64_t index = (addr + offset) >> SW_ARENA_SHIFT & ((1 << 22) - 1);
	sw_addr table, arena;
	if (!sw_memory_u64(go->memory, go->globals.mheap_ + go->layout.mheap.arenas, &table) ||
	    !sw_memory_u64(go->memory, table + 8 * index, &arena))
		return 0;
	return arena;
}

sw_addr sw_go_find_mspan(const struct sw_go *go, sw_addr addr)
{
	uint64_t page = (addr >> SW_PAGE_SHIFT) % PAGES_PER_ARENA;
	sw_addr arena = sw_go_find_arena(go, addr), span;
	if (!arena ||
	    !sw_memory_u64(go->memory, arena + go->layout.heapArena.spans + 8 * page, &span))
		return 0;
	return span;
}

/* ---- the bits of 64 words of heap ---- */

struct block {
	uint64_t pointers;
	uint64_t dead; /* until 1.19: an object is scanned up to such a word */
	bool is_end;   /* from 1.20: what goes on behind the block has no more pointers */
};

/* Goes through the blocks of a span. */
struct reader {
	const struct sw_go *go;
	sw_addr arena;	  /* heapArena of the last block read, 0 for none */
	uint64_t number;  /* of that arena */
	uint64_t missing; /* blocks whose bits could not be read */
};

/* The low halves of eight bytes as 32 bits. */
static uint64_t low_halves(uint64_t bytes)
{
	bytes &= 0x0f0f0f0f0f0f0f0f;
	bytes = (bytes | bytes >> 4) & 0x00ff00ff00ff00ff;
	bytes = (bytes | bytes >> 8) & 0x0000ffff0000ffff;
	return (bytes | bytes >> 16) & 0xffffffff;
}

static bool read_pairs(const struct sw_memory *memory, sw_addr bitmap, uint64_t index,
		       struct block *out)
{
	uint64_t bytes[2];
	if (!sw_memory_read(memory, bitmap + index * PAIR_BYTES, bytes, sizeof(bytes)))
		return false;
	out->pointers = low_halves(bytes[0]) | low_halves(bytes[1]) << 32;
	out->dead = ~(low_halves(bytes[0] >> 4) | low_halves(bytes[1] >> 4) << 32);
	out->is_end = false;
	return true;
}

static bool read_bits(const struct sw_memory *memory, sw_addr bitmap, sw_addr ends, uint64_t index,
		      struct block *out)
{
	uint8_t bits;
	if (!sw_memory_u64(memory, bitmap + index * BIT_BYTES, &out->pointers) ||
	    !sw_memory_u8(memory, ends + index / 8, &bits))
		return false;
	out->dead = 0;
	out->is_end = bits >> (index % 8) & 1;
	return true;
}

static struct block read_block(struct reader *reader, sw_addr addr)
{
	const struct sw_go *go = reader->go;
	uint64_t number = addr >> SW_ARENA_SHIFT, index = addr / BLOCK_BYTES % ARENA_BLOCKS;
	struct block block = {0};

	if (!reader->arena || reader->number != number) {
		reader->arena = sw_go_find_arena(go, addr);
		reader->number = number;
	}
	sw_addr bitmap = reader->arena + go->layout.heapArena.bitmap;
	sw_offset ends = go->layout.heapArena.noMorePtrs;
	bool is_read = reader->arena &&
		       (ends == SW_ABSENT ? read_pairs(go->memory, bitmap, index, &block)
					  : read_bits(go->memory, bitmap, reader->arena + ends,
						      index, &block));
	if (is_read)
		return block;
	reader->missing++;
	return (struct block){.dead = ~(uint64_t)0};
}

/* ---- what the collector looks at ---- */

/* Where an object, or a piece of a large one, is scanned no further. */
struct piece {
	uint64_t words; /* of a piece */
	uint64_t end;	/* word of the span behind the piece */
	bool is_over;
};

static uint64_t bits_below(uint64_t count)
{
	return count < 64 ? ((uint64_t)1 << count) - 1 : ~(uint64_t)0;
}

/* The pointers of the block whose first word is `at`. */
static uint64_t keep_pointers(struct piece *piece, uint64_t at, const struct block *block)
{
	uint64_t keep = 0, done = 0;

	while (done < BLOCK) {
		uint64_t end = piece->end - at < BLOCK ? piece->end - at : BLOCK;
		uint64_t words = bits_below(end) & ~bits_below(done), dead = block->dead & words;
		if (!piece->is_over && dead)
			keep |= words & ((dead & -dead) - 1);
		else if (!piece->is_over)
			keep |= words;
		piece->is_over |= dead != 0;
		done = end;
		if (at + done == piece->end) {
			piece->end += piece->words;
			piece->is_over = false;
		} else {
			piece->is_over |= block->is_end;
		}
	}
	return block->pointers & keep;
}

static void unfold(struct reader *reader, const struct sw_span *span)
{
	uint64_t object = span->elemsize / 8, words = span->count * object;
	struct piece piece = {.words = object > OBLET_WORDS ? OBLET_WORDS : object};
	uint8_t *out = (uint8_t *)span->bitmap;

	piece.end = piece.words;
	for (uint64_t at = 0; at < words; at += BLOCK, out += sizeof(uint64_t)) {
		struct block block = read_block(reader, span->base + 8 * at);
		uint64_t bits = keep_pointers(&piece, at, &block);
		memcpy(out, &bits, sizeof(bits));
	}
}

/* ---- all spans ---- */

struct unfolding {
	const struct sw_go *go;
	const struct sw_span *spans;
	uint64_t missing; /* atomic */
};

static struct sw_error *unfold_spans(void *context, unsigned worker, size_t begin, size_t end)
{
	struct unfolding *unfolding = context;
	struct reader reader = {.go = unfolding->go};
	(void)worker;
	for (size_t i = begin; i < end; i++)
		if (unfolding->spans[i].scan == SW_SCAN_BITMAP)
			unfold(&reader, &unfolding->spans[i]);
	if (reader.missing)
		__atomic_fetch_add(&unfolding->missing, reader.missing, __ATOMIC_RELAXED);
	return NULL;
}

/* Whole blocks, so that the last needs no case of its own. */
static uint64_t bitmap_size(const struct sw_span *span)
{
	uint64_t words = span->count * (span->elemsize / 8);
	return span->scan == SW_SCAN_BITMAP ? (words + BLOCK - 1) / BLOCK * BIT_BYTES : 0;
}

struct sw_error *sw_go_unfold_bitmaps(struct sw_go *go, struct sw_span *spans, size_t count)
{
	struct unfolding unfolding = {.go = go, .spans = spans};
	uint64_t size = 0;
	uint8_t *bits;

	for (size_t i = 0; i < count; i++)
		size += bitmap_size(&spans[i]);
	struct sw_error *error = sw_go_keep(go, size, &bits);
	if (error)
		return error;
	for (size_t i = 0; i < count; i++)
		if (spans[i].scan == SW_SCAN_BITMAP) {
			spans[i].bitmap = bits;
			bits += bitmap_size(&spans[i]);
		}
	error = sw_parallel_for(go->work, "pointer bits", count, GRAIN, unfold_spans, &unfolding);
	if (!error && unfolding.missing)
		sw_warn(go->warnings, true, "missing_bitmap", "was the core cut short?",
			"the pointer bits of %llu bytes of heap are not in the target; what their "
			"objects refer to is missing",
			(unsigned long long)(unfolding.missing * BLOCK_BYTES));
	return error;
}
