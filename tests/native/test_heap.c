/* Spaces, slots, scans and marking, on heaps whose spans lie in arrays of this test. */
#include "heap/scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define BASE 0xc000000000ull

static void ok(struct sw_error *error)
{
	if (error)
		fail_msg("%s", error->message);
}

static void fails(struct sw_error *error, enum sw_code code)
{
	assert_non_null(error);
	assert_int_equal(error->code, code);
	sw_error_free(error);
}

static struct sw_work workers(unsigned count)
{
	struct sw_work work;
	sw_work_init(&work, count);
	return work;
}

static struct sw_span span_at(sw_addr base, void *bytes, uint32_t count, uint64_t elemsize,
			      enum sw_scan scan)
{
	return (struct sw_span){.base = base,
				.bytes = bytes,
				.limit = count * elemsize,
				.elemsize = elemsize,
				.count = count,
				.scan = (uint8_t)scan};
}

static void add_word(struct sw_heap *heap, sw_addr pointer, uint32_t root)
{
	ok(sw_root_words_add(&heap->root_words, (struct sw_root_word){pointer, 0, root}));
}

/* ---- the space ---- */

static void slots_of_addresses(void **state)
{
	struct sw_work work = workers(1);
	struct sw_heap heap;
	struct sw_span spans[] = {
		span_at(BASE + 0x4000, NULL, 170, 48, SW_SCAN_NONE),
		span_at(BASE, NULL, 1, 8192, SW_SCAN_NONE),
		span_at(BASE + (70 << 20), NULL, 1, 130 << 20, SW_SCAN_NONE),
		span_at(BASE + 0x8000, NULL, 0, 16, SW_SCAN_NONE),
	};
	(void)state;
	spans[0].limit = 8192; /* 32 bytes of tail, which is no slot */
	spans[1].limit = 100;
	ok(sw_heap_init(&heap, &work, spans, 4));

	assert_int_equal(heap.space.span_count, 3);
	assert_int_equal(heap.space.slot_count, 64 + 192 + 64);
	assert_int_equal(heap.space.spans[1].first_slot, 64);
	assert_int_equal(sw_heap_slot(&heap, BASE), 0);
	assert_int_equal(sw_heap_slot(&heap, BASE + 99), 0);
	assert_int_equal(sw_heap_slot(&heap, BASE + 100), SW_NO_SLOT);
	assert_int_equal(sw_heap_slot(&heap, BASE - 1), SW_NO_SLOT);
	assert_int_equal(sw_heap_slot(&heap, BASE + 0x3fff), SW_NO_SLOT);
	for (uint32_t i = 0; i < 170; i++) {
		sw_addr at = BASE + 0x4000 + i * 48;
		assert_int_equal(sw_heap_slot(&heap, at), 64 + i);
		assert_int_equal(sw_heap_slot(&heap, at + 47), 64 + i);
		assert_int_equal(sw_heap_slot_address(&heap, 64 + i), at);
	}
	assert_int_equal(sw_heap_slot(&heap, BASE + 0x4000 + 170 * 48), SW_NO_SLOT);
	assert_int_equal(sw_heap_slot(&heap, BASE + 0x8000), SW_NO_SLOT);
	assert_int_equal(sw_heap_slot(&heap, BASE + (70 << 20)), 256);
	assert_int_equal(sw_heap_slot(&heap, BASE + (200 << 20) - 1), 256);
	assert_int_equal(sw_heap_slot(&heap, BASE + (200 << 20)), SW_NO_SLOT);
	assert_int_equal(sw_heap_slot(&heap, 0), SW_NO_SLOT);
	assert_int_equal(sw_heap_slot(&heap, UINT64_MAX), SW_NO_SLOT);

	sw_heap_free(&heap, &work);
	assert_int_equal(work.used_memory, 0);
}

/* Every size class of Go 1.27 (internal/runtime/gc/sizeclasses.go) in its span. */
static void size_classes_divide(void **state)
{
	static const uint32_t classes[][2] = {
		{8, 1},	    {16, 1},	{24, 1},    {48, 1},	 {80, 1},    {112, 1},	 {144, 1},
		{288, 1},   {352, 1},	{704, 1},   {1152, 1},	 {1408, 2},  {2688, 1},	 {3072, 3},
		{3200, 2},  {4864, 2},	{5376, 2},  {6144, 3},	 {6528, 4},  {6784, 5},	 {6912, 6},
		{9472, 7},  {9728, 6},	{10240, 5}, {10880, 4},	 {13568, 5}, {14336, 7}, {18432, 9},
		{19072, 7}, {20480, 5}, {21760, 8}, {27264, 10}, {28672, 7}, {32768, 4},
	};
	struct sw_work work = workers(1);
	(void)state;
	for (size_t c = 0; c < sizeof(classes) / sizeof(*classes); c++) {
		uint32_t size = classes[c][0], bytes = classes[c][1] * 8192;
		struct sw_span span = span_at(BASE, NULL, bytes / size, size, SW_SCAN_NONE);
		struct sw_heap heap;
		span.limit = bytes;
		ok(sw_heap_init(&heap, &work, &span, 1));
		for (uint32_t offset = 0; offset < bytes; offset++) {
			uint32_t index = sw_span_index(&heap.space.spans[0], BASE + offset);
			assert_int_equal(index, offset / size);
		}
		sw_heap_free(&heap, &work);
	}
}

static void bad_spans(void **state)
{
	struct sw_work work = workers(1);
	struct sw_heap heap;
	struct sw_span good = span_at(BASE, NULL, 4, 64, SW_SCAN_NONE), span;
	(void)state;
	ok(sw_heap_init(&heap, &work, NULL, 0));
	ok(sw_heap_mark(&heap, &work));
	sw_heap_number(&heap);
	assert_int_equal(heap.object_count, 0);
	sw_heap_free(&heap, &work);

	struct sw_span overlap[] = {good, span_at(BASE - 8, NULL, 2, 8, SW_SCAN_NONE)};
	fails(sw_heap_init(&heap, &work, overlap, 2), SW_ERR_DAMAGED);
	struct sw_span page[] = {good, span_at(BASE + 256, NULL, 2, 8, SW_SCAN_NONE)};
	fails(sw_heap_init(&heap, &work, page, 2), SW_ERR_DAMAGED);
	struct sw_span limit[] = {good, span_at(BASE + 0x2000, NULL, 2, 8, SW_SCAN_NONE)};
	limit[0].limit = 0x2001;
	fails(sw_heap_init(&heap, &work, limit, 2), SW_ERR_DAMAGED);

	span = good, span.elemsize = 0;
	fails(sw_heap_init(&heap, &work, &span, 1), SW_ERR_DAMAGED);
	span = good, span.limit = UINT64_MAX;
	fails(sw_heap_init(&heap, &work, &span, 1), SW_ERR_DAMAGED);
	span = good, span.elemsize = UINT64_MAX / 3;
	fails(sw_heap_init(&heap, &work, &span, 1), SW_ERR_DAMAGED);
	span = good, span.elemsize = (uint64_t)1 << 47;
	fails(sw_heap_init(&heap, &work, &span, 1), SW_ERR_DAMAGED);
	span = good, span.base = UINT64_MAX - 100;
	fails(sw_heap_init(&heap, &work, &span, 1), SW_ERR_DAMAGED);
	span = good, span.count = 1 << 30, span.elemsize = 48; /* too large for the division */
	fails(sw_heap_init(&heap, &work, &span, 1), SW_ERR_DAMAGED);
	span = good, span.scan = SW_SCAN_BITMAP;
	fails(sw_heap_init(&heap, &work, &span, 1), SW_ERR_DAMAGED);
	span = good, span.scan = SW_SCAN_TILED;
	fails(sw_heap_init(&heap, &work, &span, 1), SW_ERR_DAMAGED);
	span = good, span.scan = 77;
	fails(sw_heap_init(&heap, &work, &span, 1), SW_ERR_DAMAGED);
	assert_int_equal(work.used_memory, 0);
}

static void limits(void **state)
{
	struct sw_work work = workers(1);
	struct sw_heap heap;
	struct sw_span spans[] = {
		span_at(BASE, NULL, 0x80000000u, 8, SW_SCAN_NONE),
		span_at(BASE + ((uint64_t)1 << 40), NULL, 0x7fffffc1u, 8, SW_SCAN_NONE),
	};
	(void)state;
	fails(sw_heap_init(&heap, &work, spans, 2), SW_ERR_LIMIT);
	spans[0].count = 1000;
	spans[0].limit = 8000;
	spans[1] = span_at((uint64_t)1 << 46, NULL, 1, (uint64_t)1 << 46, SW_SCAN_NONE);
	for (work.max_memory = 1; work.max_memory < 200000;
	     work.max_memory = work.max_memory * 5 / 4 + 1) {
		struct sw_error *error = sw_heap_init(&heap, &work, spans, 2);
		if (error)
			assert_int_equal(error->code, SW_ERR_LIMIT);
		else
			assert_int_equal(sw_heap_slot(&heap, ((uint64_t)1 << 47) - 1), 1024);
		sw_error_free(error);
		sw_heap_free(&heap, &work);
		assert_int_equal(work.used_memory, 0);
	}
	ok(sw_heap_init(&heap, &work, spans, 2)); /* terabytes, but two page tables */
	assert_true(work.used_memory < 200000);
	sw_heap_free(&heap, &work);
}

/* ---- scans ---- */

struct seen {
	uint64_t words[4096]; /* bit set by word of the slot */
	size_t count, stop_at;
	uint64_t last;
};

static bool see(void *context, uint64_t offset, sw_addr pointer)
{
	struct seen *seen = context;
	assert_int_equal(offset % 8, 0);
	assert_int_equal(pointer, offset / 8 + 1);
	if (seen->count++)
		assert_true(offset > seen->last);
	seen->last = offset;
	sw_bitset_set(seen->words, offset / 8);
	return seen->count != seen->stop_at;
}

static struct sw_mask lookup_mask;
static bool lookup(const struct sw_space *space, const struct sw_span *span, const uint8_t *bytes,
		   struct sw_mask *out)
{
	assert_int_equal((uint64_t)(bytes - span->bytes) % span->elemsize, 0);
	assert_ptr_equal(space->allocator, &lookup_mask);
	*out = lookup_mask;
	return lookup_mask.bits != NULL;
}

/* The words that a mask names, the slow way. */
static bool is_in_mask(const struct sw_mask *mask, uint64_t elemsize, uint64_t offset)
{
	if (offset < mask->first)
		return false;
	uint64_t stride = mask->stride && mask->stride < elemsize ? mask->stride : elemsize;
	uint64_t in = (offset - mask->first) % stride, bytes = mask->pointer_bytes;
	if (in % 8 || in / 8 >= (bytes < stride ? bytes : stride) / 8)
		return false;
	return mask->bits[in / 64] >> (in / 8 % 8) & 1;
}

/* The windows of all ranges together must name the same words as a whole scan. */
static void check_ranges(const struct sw_heap *heap, const struct sw_span *span, uint32_t index,
			 const struct seen *seen, uint64_t piece)
{
	uint64_t words[4096] = {0};
	for (uint64_t begin = 0; begin < span->elemsize; begin += piece) {
		struct sw_scanner scan;
		struct sw_window window;
		sw_scan_begin(&scan, &heap->space, span, index);
		sw_scan_range(&scan, begin, begin + piece);
		while (sw_scan_next(&scan, &window)) {
			for (; window.bits; window.bits &= window.bits - 1) {
				sw_addr word = sw_scan_word(&scan, &window) - 1;
				assert_true(word * 8 >= begin && word * 8 < begin + piece);
				assert_false(sw_bitset_has(words, word));
				sw_bitset_set(words, word);
			}
		}
	}
	assert_memory_equal(words, seen->words, sizeof(words));
}

static void check_scan(struct sw_span span, const struct sw_mask *mask, uint32_t index)
{
	struct sw_work work = workers(1);
	struct sw_heap heap;
	struct seen seen = {0}, wanted = {0};
	uint64_t words = span.elemsize / 8;

	ok(sw_heap_init(&heap, &work, &span, 1));
	heap.space.mask = lookup;
	heap.space.allocator = &lookup_mask;
	sw_heap_pointers(&heap, index, see, &seen);
	for (uint64_t word = 0; word < words; word++) {
		bool is_pointer = span.scan == SW_SCAN_ALL;
		if (span.scan == SW_SCAN_BITMAP) {
			uint64_t bit = index * words + word;
			is_pointer = span.bitmap[bit / 8] >> (bit % 8) & 1;
		} else if (mask) {
			is_pointer = is_in_mask(mask, span.elemsize, word * 8);
		}
		if (is_pointer)
			sw_bitset_set(wanted.words, word);
	}
	assert_memory_equal(seen.words, wanted.words, sizeof(seen.words));
	for (uint64_t piece = 8; piece <= span.elemsize; piece = piece * 3 / 8 * 8 + 8)
		check_ranges(&heap, &heap.space.spans[0], index, &seen, piece);

	if (seen.count > 1) {
		struct seen some = {.stop_at = seen.count / 2};
		sw_heap_pointers(&heap, index, see, &some);
		assert_int_equal(some.count, some.stop_at);
	}
	sw_heap_free(&heap, &work);
}

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Exactly as many bytes as allowed, so that the sanitizers see every byte too many. */
static uint8_t *random_bits(uint64_t *seed, uint64_t bits)
{
	uint64_t size = (bits + 7) / 8;
	uint8_t *out = malloc(size ? size : 1);
	assert_non_null(out);
	unsigned density = next_random(seed) % 3;
	for (uint64_t i = 0; i < size; i++) {
		out[i] = (uint8_t)next_random(seed);
		for (unsigned k = 0; k < density; k++)
			out[i] &= (uint8_t)next_random(seed);
	}
	return out;
}

static uint64_t *numbered_words(uint32_t count, uint64_t elemsize)
{
	uint64_t words = elemsize / 8, *out = malloc(count * elemsize);
	assert_non_null(out);
	for (uint64_t i = 0; i < count * words; i++)
		out[i] = i % words + 1;
	return out;
}

static void scan_kinds(void **state)
{
	static const uint64_t sizes[] = {8, 16, 24, 48, 64, 152, 504, 512, 520, 1024, 4096, 27264};
	uint64_t seed = 42;
	(void)state;
	for (unsigned round = 0; round < 600; round++) {
		uint64_t elemsize = sizes[next_random(&seed) % 12];
		uint32_t count = (uint32_t)(next_random(&seed) % 3 + 1);
		uint32_t index = (uint32_t)(next_random(&seed) % count);
		uint64_t *bytes = numbered_words(count, elemsize);
		struct sw_span span = span_at(BASE, bytes, count, elemsize, SW_SCAN_ALL);
		check_scan(span, NULL, index);
		span.scan = SW_SCAN_NONE;
		check_scan(span, NULL, index);

		span.scan = SW_SCAN_BITMAP;
		uint8_t *bits = random_bits(&seed, count * elemsize / 8);
		span.bitmap = bits;
		check_scan(span, NULL, index);
		free(bits);

		struct sw_mask mask = {.stride = next_random(&seed) % (elemsize / 8 + 1) * 8,
				       .first = next_random(&seed) % 3 * 8};
		if (next_random(&seed) % 3 == 0)
			mask.stride = next_random(&seed) % 40 * 8;
		mask.pointer_bytes = next_random(&seed) % 4 == 0 ? elemsize : mask.stride / 8 * 6;
		bits = random_bits(&seed, mask.pointer_bytes / 8);
		mask.bits = bits;
		span.scan = SW_SCAN_TILED;
		span.mask = &mask;
		check_scan(span, &mask, index);
		span.scan = SW_SCAN_LOOKUP;
		lookup_mask = mask;
		check_scan(span, &mask, index);
		lookup_mask.bits = NULL;
		check_scan(span, NULL, index);
		free(bits);
		free(bytes);
	}
}

/* Masks from damaged targets: nothing is read beyond the slot or the mask. */
static void damaged_masks(void **state)
{
	static const uint64_t wild[] = {0,	   1, 3, 7, 8, 9, 24, 500, 1 << 20, UINT64_MAX - 7,
					UINT64_MAX};
	struct sw_work work = workers(1);
	uint8_t *bits = calloc(1, 64);
	(void)state;
	memset(bits, 0xff, 64);
	for (unsigned i = 0; i < 11 * 11 * 11; i++) {
		uint64_t elemsize = i % 2 ? 509 : 48;
		uint64_t *bytes = calloc(3, elemsize);
		struct sw_mask mask = {bits, wild[i % 11], wild[i / 11 % 11], wild[i / 121]};
		struct sw_span span = span_at(BASE, bytes, 3, elemsize, SW_SCAN_TILED);
		struct seen seen = {0};
		struct sw_heap heap;
		span.mask = &mask;
		ok(sw_heap_init(&heap, &work, &span, 1));
		for (sw_slot slot = 0; slot < 4; slot++)
			sw_heap_pointers(&heap, slot, see, &seen);
		sw_heap_free(&heap, &work);
		free(bytes);
	}
	free(bits);
}

/* ---- marking ---- */

/* 100 slots of 4 words: slot i points into i * 2 + 1 and i * 2 + 2, so that slot 0 reaches all. */
static struct sw_span tree_span(uint64_t (*words)[4], uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		words[i][0] = BASE + (i * 2 + 1) * 32 + 31;
		words[i][1] = 0xdead;
		words[i][2] = BASE + (i * 2 + 2) * 32;
		words[i][3] = ~(uint64_t)0;
	}
	return span_at(BASE, words, count, 32, SW_SCAN_ALL);
}

static void marks(void **state)
{
	uint64_t words[100][4];
	struct sw_work work = workers(1);
	struct sw_heap heap;
	struct sw_span spans[] = {
		tree_span(words, 100),
		span_at(BASE + 0x10000, NULL, 3, 1024, SW_SCAN_ALL),
	};
	(void)state;
	words[40][1] = BASE + 0x10000 + 2048; /* missing bytes */
	ok(sw_heap_init(&heap, &work, spans, 2));
	add_word(&heap, BASE + 2 * 32 + 5, 0);
	add_word(&heap, 12345, 0);
	add_word(&heap, BASE - 1, 0);
	ok(sw_heap_mark(&heap, &work));
	sw_heap_number(&heap);
	assert_int_equal(heap.unread_objects, 0);
	assert_false(sw_heap_is_marked(&heap, 0));
	assert_true(sw_heap_is_marked(&heap, 2));
	assert_int_equal(heap.object_count, 1 + 2 + 4 + 8 + 16 + 5);
	assert_int_equal(sw_heap_object(&heap, BASE), SW_NO_OBJECT);

	add_word(&heap, BASE, 0); /* the roots grew */
	ok(sw_heap_mark(&heap, &work));
	sw_heap_number(&heap);
	assert_int_equal(heap.object_count, 101);
	assert_int_equal(heap.object_bytes, 100 * 32 + 1024);
	assert_int_equal(heap.unread_objects, 1);
	for (sw_object i = 0; i < 101; i++) {
		sw_slot slot = sw_heap_select(&heap, i);
		assert_int_equal(slot, i < 100 ? i : 128 + 2);
		assert_int_equal(sw_heap_rank(&heap, slot), i);
		assert_int_equal(sw_heap_object(&heap, sw_heap_address(&heap, i) + 7), i);
		assert_int_equal(sw_heap_size(&heap, i), i < 100 ? 32 : 1024);
	}
	assert_int_equal(sw_heap_select(&heap, 101), SW_NO_SLOT);
	sw_heap_free(&heap, &work);
	assert_int_equal(work.used_memory, 0);
}

/* Words behind the limit, in a tail or between spans hit nothing, from roots and from objects. */
static void marks_within_limits(void **state)
{
	uint64_t words[2] = {BASE + 0x2000 + 3 * 48, BASE + 0x2000 + 170 * 48};
	struct sw_work work = workers(1);
	struct sw_heap heap;
	struct sw_span spans[] = {
		span_at(BASE, words, 1, 16, SW_SCAN_ALL),
		span_at(BASE + 0x2000, NULL, 170, 48, SW_SCAN_NONE),
		/* Behind it, so that no range of all addresses hides the limit. */
		span_at(BASE + 0x8000, NULL, 1, 64, SW_SCAN_NONE),
	};
	(void)state;
	spans[1].limit = 3 * 48; /* slots from the third on are not in use yet */
	ok(sw_heap_init(&heap, &work, spans, 3));
	add_word(&heap, BASE, 0);
	add_word(&heap, BASE + 0x2000 + 2 * 48 + 47, 0);
	add_word(&heap, BASE + 0x2000 + 4 * 48, 0);
	add_word(&heap, BASE + 16, 0);
	ok(sw_heap_mark(&heap, &work));
	sw_heap_number(&heap);
	assert_int_equal(heap.object_count, 2);
	assert_true(sw_heap_is_marked(&heap, 0));
	assert_true(sw_heap_is_marked(&heap, 64 + 2));
	sw_heap_free(&heap, &work);

	spans[1].limit = 8192; /* whole, with a tail of 32 bytes */
	ok(sw_heap_init(&heap, &work, spans, 3));
	add_word(&heap, BASE, 0);
	ok(sw_heap_mark(&heap, &work));
	sw_heap_number(&heap);
	assert_int_equal(heap.object_count, 2);
	assert_true(sw_heap_is_marked(&heap, 64 + 3));
	sw_heap_free(&heap, &work);
}

struct large {
	uint64_t *bytes;
	struct sw_span spans[3];
	uint64_t *array;
};

enum { MANY = 300000, ARRAY = 1 << 17 }; /* objects of 16 bytes; words of the array, 1 MiB */

/* An array that points to the heads of lists, whose nodes stand in random order; every tenth node
 * of MANY is in no list. */
static void large_init(struct large *large)
{
	uint64_t seed = 7;
	uint32_t *order = malloc(MANY * sizeof(*order));
	large->bytes = calloc(MANY, 16);
	large->array = calloc(ARRAY, 8);
	assert_true(order && large->bytes && large->array);
	for (uint32_t i = 0; i < MANY; i++) {
		uint32_t j = (uint32_t)(next_random(&seed) % (i + 1));
		order[i] = order[j];
		order[j] = i;
	}
	for (uint32_t i = 0; i < MANY / 10 * 9; i++) {
		if (i % 30 == 0)
			large->array[i / 30 * 7] = BASE + order[i] * 16;
		else
			large->bytes[order[i - 1] * 2 + i % 2] = BASE + order[i] * 16 + 8;
	}
	free(order);
	large->spans[0] = span_at(BASE, large->bytes, MANY, 16, SW_SCAN_ALL);
	large->spans[1] = span_at(BASE + (1 << 28), large->array, 1, ARRAY * 8, SW_SCAN_ALL);
}

static void large_free(struct large *large)
{
	free(large->bytes);
	free(large->array);
}

static void marks_in_parallel(void **state)
{
	static const unsigned counts[] = {1, 2, 5};
	struct large large;
	struct sw_block *blocks = NULL;
	(void)state;
	large_init(&large);
	for (unsigned i = 0; i < 3; i++) {
		struct sw_work work = workers(counts[i]);
		struct sw_heap heap;
		ok(sw_heap_init(&heap, &work, large.spans, 2));
		add_word(&heap, BASE + (1 << 28) + 1000000, 0);
		ok(sw_heap_mark(&heap, &work));
		sw_heap_number(&heap);
		assert_int_equal(heap.object_count, MANY / 10 * 9 + 1);
		size_t size = heap.block_count * sizeof(*blocks);
		if (!blocks) {
			blocks = malloc(size);
			memcpy(blocks, heap.blocks, size);
		}
		assert_memory_equal(blocks, heap.blocks, size);
		sw_heap_free(&heap, &work);
		assert_int_equal(work.used_memory, 0);
	}
	free(blocks);
	large_free(&large);
}

struct countdown {
	struct sw_work *work;
	unsigned left;
};

static bool cancel(void *context)
{
	struct countdown *countdown = context;
	countdown->work->last_tick = 0; /* be asked again at once */
	return countdown->left-- == 0;
}

static void stops(void **state)
{
	struct large large;
	(void)state;
	large_init(&large);
	for (unsigned count = 1; count <= 5; count += 2) {
		for (unsigned after = 0; after < 12; after += 3) {
			struct sw_work work = workers(count);
			struct sw_heap heap;
			ok(sw_heap_init(&heap, &work, large.spans, 2));
			add_word(&heap, BASE + (1 << 28), 0);
			work.cancelled = cancel;
			struct countdown countdown = {&work, after};
			work.context = &countdown;
			struct sw_error *error = sw_heap_mark(&heap, &work);
			if (!after)
				assert_non_null(error);
			if (error)
				assert_int_equal(error->code, SW_ERR_INTERRUPTED);
			sw_error_free(error);
			work.cancelled = NULL;
			ok(sw_heap_mark(&heap, &work)); /* it can be begun again */
			sw_heap_number(&heap);
			assert_int_equal(heap.object_count, MANY / 10 * 9 + 1);
			sw_heap_free(&heap, &work);
		}
	}
	large_free(&large);
}

/* An array of pointers to more objects than a worker's stack holds, and no memory for chunks. */
static void mark_memory(void **state)
{
	struct large large;
	(void)state;
	large_init(&large);
	for (uint32_t i = 0; i < ARRAY; i++)
		large.array[i] = BASE + i * 16;
	for (unsigned count = 1; count <= 2; count++) {
		struct sw_work work = workers(count);
		struct sw_heap heap;
		ok(sw_heap_init(&heap, &work, large.spans, 2));
		add_word(&heap, BASE + (1 << 28), 0);
		work.max_memory = work.used_memory + 100;
		fails(sw_heap_mark(&heap, &work), SW_ERR_LIMIT);
		assert_int_equal(heap.blocks[0].marked, 0);
		work.max_memory = 0;
		ok(sw_heap_mark(&heap, &work));
		sw_heap_free(&heap, &work);
		assert_int_equal(work.used_memory, 0);
	}
	large_free(&large);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_of_addresses),
		cmocka_unit_test(size_classes_divide),
		cmocka_unit_test(bad_spans),
		cmocka_unit_test(limits),
		cmocka_unit_test(scan_kinds),
		cmocka_unit_test(damaged_masks),
		cmocka_unit_test(marks),
		cmocka_unit_test(marks_in_parallel),
		cmocka_unit_test(marks_within_limits),
		cmocka_unit_test(stops),
		cmocka_unit_test(mark_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
