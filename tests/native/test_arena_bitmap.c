/* Pointer bits of arenas, by hand and at random, held against a walk of one word at a time as
 * scanobject of Go 1.19 and 1.21 does it. */
#include "go/arena_bitmap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
	BITMAP = 64, /* offsets in heapArena */
	BITMAP_SIZE = (64 << 20) / 8 / 4,
	ENDS = BITMAP + BITMAP_SIZE,
	ENDS_SIZE = (64 << 20) / 512 / 8,
	ARENA_SIZE = ENDS + ENDS_SIZE,
	ARENAS = 3, /* the last one has no heapArena */
	MHEAP = 0x500000,
	TABLE = 0x10000000,
	OBLET = 128 << 10,
};

static const sw_addr heap_base = 0xc000000000, arena_base = 0x7f0000000000;
static const uint64_t arena_bytes = 64 << 20;

struct world {
	struct sw_go go;
	struct sw_memory memory;
	struct sw_work work;
	struct sw_warnings warnings;
	uint64_t mheap[1], table[ARENAS];
	uint8_t *arenas[ARENAS - 1];
};

static void add_region(struct world *world, sw_addr addr, const void *bytes, uint64_t size)
{
	struct sw_region region = {addr, size, bytes, SW_REGION_READ};
	assert_null(sw_memory_add(&world->memory, region));
}

static void make_world(struct world *world, bool has_pairs)
{
	uint64_t index = (heap_base + ((uint64_t)1 << 47)) / arena_bytes;

	memset(world, 0, sizeof(*world));
	memset(&world->go.layout, 0xff, sizeof(world->go.layout));
	sw_work_init(&world->work, 2);
	world->go.memory = &world->memory;
	world->go.work = &world->work;
	world->go.warnings = &world->warnings;
	world->go.arch = SW_ARCH_AMD64;
	world->go.globals.mheap_ = MHEAP;
	world->go.layout.mheap.arenas = 0;
	world->go.layout.heapArena.bitmap = BITMAP;
	if (!has_pairs)
		world->go.layout.heapArena.noMorePtrs = ENDS;
	world->mheap[0] = TABLE;
	add_region(world, MHEAP, world->mheap, sizeof(world->mheap));
	for (size_t i = 0; i < ARENAS - 1; i++) {
		world->table[i] = arena_base + i * 0x10000000;
		world->arenas[i] = calloc(1, ARENA_SIZE);
		assert_non_null(world->arenas[i]);
		add_region(world, world->table[i], world->arenas[i], ARENA_SIZE);
	}
	add_region(world, TABLE + 8 * index, world->table, sizeof(world->table));
}

static void free_world(struct world *world)
{
	sw_go_free_kept(&world->go);
	for (size_t i = 0; i < ARENAS - 1; i++)
		free(world->arenas[i]);
	sw_memory_free(&world->memory);
	sw_warnings_clear(&world->warnings);
	assert_int_equal(world->work.used_memory, 0);
}

/* ---- the arena's bits of a word; the address says which arena ---- */

static uint8_t *bitmap_of(struct world *world, sw_addr addr)
{
	return world->arenas[(addr - heap_base) / arena_bytes] + BITMAP;
}

static uint64_t word_of(sw_addr addr)
{
	return (addr - heap_base) % arena_bytes / 8;
}

static bool has_pairs(const struct world *world)
{
	return world->go.layout.heapArena.noMorePtrs == SW_ABSENT;
}

static void set_pointer(struct world *world, sw_addr addr)
{
	uint64_t word = word_of(addr);
	if (has_pairs(world))
		bitmap_of(world, addr)[word / 4] |= (uint8_t)(1 << word % 4);
	else
		bitmap_of(world, addr)[word / 8] |= (uint8_t)(1 << word % 8);
}

static void set_scanned(struct world *world, sw_addr addr, uint64_t words)
{
	for (uint64_t i = 0; i < words; i++) {
		uint64_t word = word_of(addr + 8 * i);
		bitmap_of(world, addr + 8 * i)[word / 4] |= (uint8_t)(16 << word % 4);
	}
}

/* No more pointers behind the 64 words that this one is among. */
static void set_end(struct world *world, sw_addr addr)
{
	uint64_t block = word_of(addr) / 64;
	(bitmap_of(world, addr) + BITMAP_SIZE)[block / 8] |= (uint8_t)(1 << block % 8);
}

/* ---- word by word ---- */

static bool is_pointer(struct world *world, sw_addr addr)
{
	uint64_t word = word_of(addr);
	const uint8_t *bitmap = bitmap_of(world, addr);
	return has_pairs(world) ? bitmap[word / 4] >> word % 4 & 1
				: bitmap[word / 8] >> word % 8 & 1;
}

/* Is the word the last one that is looked at? */
static bool is_last(struct world *world, sw_addr addr)
{
	uint64_t word = word_of(addr);
	const uint8_t *bitmap = bitmap_of(world, addr);
	if (has_pairs(world))
		return false;
	return word % 64 == 63 && (bitmap + BITMAP_SIZE)[word / 64 / 8] >> (word / 64 % 8) & 1;
}

static bool is_dead(struct world *world, sw_addr addr)
{
	uint64_t word = word_of(addr);
	return has_pairs(world) && !(bitmap_of(world, addr)[word / 4] >> (word % 4 + 4) & 1);
}

static void scan_object(struct world *world, const struct sw_span *span, uint64_t from, uint64_t to,
			uint8_t *out)
{
	for (uint64_t at = from; at < to; at += 8) {
		if (is_dead(world, span->base + at))
			return;
		if (is_pointer(world, span->base + at))
			out[at / 8] = 1;
		if (is_last(world, span->base + at))
			return;
	}
}

/* A byte for each word of the span. */
static uint8_t *scan_words(struct world *world, const struct sw_span *span)
{
	uint8_t *out = calloc(1, span->count * span->elemsize / 8);
	assert_non_null(out);
	for (uint64_t i = 0; i < span->count; i++) {
		uint64_t from = i * span->elemsize, end = from + span->elemsize;
		uint64_t step = span->elemsize > OBLET ? OBLET : span->elemsize;
		for (; from < end; from += step)
			scan_object(world, span, from, from + step < end ? from + step : end, out);
	}
	return out;
}

static bool has_bit(const struct sw_span *span, uint64_t word)
{
	return span->bitmap[word / 8] >> word % 8 & 1;
}

static void unfold(struct world *world, struct sw_span *spans, size_t count)
{
	assert_null(sw_go_unfold_bitmaps(&world->go, spans, count));
}

static void check_span(struct world *world, struct sw_span *span)
{
	uint8_t *words = scan_words(world, span);
	for (uint64_t i = 0; i < span->count * span->elemsize / 8; i++)
		assert_int_equal(has_bit(span, i), words[i]);
	free(words);
}

static struct sw_span make_span(sw_addr base, uint64_t elemsize, uint32_t count)
{
	return (struct sw_span){
		.base = base, .elemsize = elemsize, .count = count, .scan = SW_SCAN_BITMAP};
}

/* ---- tests ---- */

/* 96-byte objects of 12 words: the sixth, words 60 to 71, goes on behind the first 64. */
static void test_no_more_pointers(void **state)
{
	struct world world;
	struct sw_span span = make_span(heap_base, 96, 85);
	(void)state;
	make_world(&world, false);
	for (unsigned word = 0; word < 128; word++)
		set_pointer(&world, heap_base + 8 * word);
	set_end(&world, heap_base);
	unfold(&world, &span, 1);
	for (unsigned word = 0; word < 128; word++)
		assert_int_equal(has_bit(&span, word), word < 64 || word >= 72);
	check_span(&world, &span);
	free_world(&world);
}

static void test_object_across_blocks(void **state)
{
	struct world world;
	struct sw_span span = make_span(heap_base + 8192, 2048, 4);
	(void)state;
	make_world(&world, false);
	for (unsigned word = 0; word < 1024; word += 3)
		set_pointer(&world, span.base + 8 * word);
	set_end(&world, span.base + 2048 + 64 * 8 * 2); /* third block of the second object */
	set_end(&world, span.base + 3 * 2048 - 8);	/* an object's last: stops nothing */
	unfold(&world, &span, 1);
	for (unsigned word = 0; word < 1024; word++)
		assert_int_equal(has_bit(&span, word),
				 word % 3 == 0 && (word < 256 + 192 || word >= 512));
	check_span(&world, &span);
	free_world(&world);
}

static void test_dead_word(void **state)
{
	struct world world;
	struct sw_span span = make_span(heap_base, 24, 341);
	(void)state;
	make_world(&world, true);
	for (unsigned word = 0; word < 12; word++)
		set_pointer(&world, heap_base + 8 * word);
	set_scanned(&world, heap_base, 3);	/* all of the first object */
	set_scanned(&world, heap_base + 24, 1); /* one word of the second */
	set_scanned(&world, heap_base + 40, 1); /* ... and one behind its end */
	set_scanned(&world, heap_base + 80, 2); /* none of the fourth: its first word is dead */
	unfold(&world, &span, 1);
	for (unsigned word = 0; word < 12; word++)
		assert_int_equal(has_bit(&span, word), word < 4);
	check_span(&world, &span);
	free_world(&world);
}

/* Three pieces that lie in two arenas; what ends one does not end the next. */
static void test_large_object(void **state)
{
	static const uint64_t size = 2 * OBLET + 8192;
	(void)state;
	for (int pairs = 0; pairs < 2; pairs++) {
		struct world world;
		sw_addr base = heap_base + arena_bytes - OBLET - 8192;
		struct sw_span span = make_span(base, size, 1);
		make_world(&world, pairs);
		for (uint64_t at = 0; at < size; at += 40)
			set_pointer(&world, base + at);
		if (pairs) {
			set_scanned(&world, base, 100);
			set_scanned(&world, base + OBLET, 2000); /* into the second arena */
			set_scanned(&world, base + 2 * OBLET, 1024);
		} else {
			set_end(&world, base + 4096);
			set_end(&world, base + OBLET + 12288);
		}
		unfold(&world, &span, 1);
		assert_true(has_bit(&span, 0));
		assert_false(has_bit(&span, (4096 + 1024) / 8));
		assert_true(has_bit(&span, (OBLET + 5 * 8 - OBLET % 40) / 8));
		assert_true(has_bit(&span, (2 * OBLET + 40 - 2 * OBLET % 40) / 8));
		check_span(&world, &span);
		free_world(&world);
	}
}

static void fill_at_random(struct world *world)
{
	for (size_t arena = 0; arena < ARENAS - 1; arena++)
		for (size_t i = BITMAP; i < ARENA_SIZE; i++)
			if (i < BITMAP + 65536 || i > BITMAP + BITMAP_SIZE - 65536) {
				/* Ends and dead words are rare enough for objects to go on. */
				unsigned low = (unsigned)random() & (unsigned)random();
				world->arenas[arena][i] =
					(uint8_t)(has_pairs(world) ? random() | 0xf0 : low);
				if (has_pairs(world) && random() % 8 == 0)
					world->arenas[arena][i] &= (uint8_t)random();
			}
}

static void test_random(void **state)
{
	static const uint64_t sizes[] = {8,   16,  24,	 48,   80,   96,   112,	  288,
					 512, 576, 1152, 2304, 6784, 9472, 27264, 32768};
	enum { SIZES = sizeof(sizes) / sizeof(*sizes) };
	(void)state;
	srandom(1);
	for (int pairs = 0; pairs < 2; pairs++) {
		struct world world;
		struct sw_span spans[SIZES + 1];
		make_world(&world, pairs);
		fill_at_random(&world);
		for (size_t i = 0; i < SIZES; i++)
			spans[i] = make_span(heap_base + i * 81920, sizes[i],
					     (uint32_t)(81920 / sizes[i]));
		spans[4].scan = SW_SCAN_NONE;
		spans[SIZES] = make_span(heap_base + arena_bytes - 8192 * 50, 8192 * 99, 1);
		unfold(&world, spans, SIZES + 1);
		assert_null(spans[4].bitmap);
		for (size_t i = 0; i < SIZES + 1; i++)
			if (spans[i].scan == SW_SCAN_BITMAP)
				check_span(&world, &spans[i]);
		assert_int_equal(world.warnings.count, 0);
		free_world(&world);
	}
}

/* The last arena's pointer is wild: what lies in it has no pointers, and that is said. */
static void test_missing_arena(void **state)
{
	(void)state;
	for (int pairs = 0; pairs < 2; pairs++) {
		struct world world;
		sw_addr boundary = heap_base + (ARENAS - 1) * arena_bytes;
		struct sw_span span = make_span(boundary - 8192, 16384, 1);
		make_world(&world, pairs);
		world.table[ARENAS - 1] = pairs ? 0 : 0xdeadbeef000;
		set_pointer(&world, span.base);
		if (pairs)
			set_scanned(&world, span.base, 1);
		unfold(&world, &span, 1);
		assert_true(has_bit(&span, 0));
		for (unsigned word = 1; word < 2048; word++)
			assert_false(has_bit(&span, word));
		assert_int_equal(world.warnings.count, 1);
		assert_string_equal(world.warnings.items[0].code, "missing_bitmap");
		assert_true(world.warnings.items[0].incomplete);
		free_world(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_more_pointers),
		cmocka_unit_test(test_object_across_blocks),
		cmocka_unit_test(test_dead_word),
		cmocka_unit_test(test_large_object),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_missing_arena),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
