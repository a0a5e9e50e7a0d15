/* Entries of maps of both kinds on a hand-made target, sound ones and damaged ones. */
#include "type_builder.h"

#include "type/access.h"

#define AT (BASE + HEAP) /* the map value */
#define HEADER (AT + 64)
#define GROUPS (AT + 0x1000) /* groups or buckets */
#define OLD (AT + 0x4000)
#define TABLES (AT + 0x8000)
#define DIRECTORY (AT + 0x9000)
#define APART (AT + 0xa000) /* keys and elements of their own */

enum { MAX_SEEN = 256, EMPTY = 0x80, DELETED = 0xfe };

struct scene {
	struct world world;
	struct sw_value_reader reader;
	struct sw_value map;
	/* What a walk saw. */
	uint64_t keys[MAX_SEEN], elems[MAX_SEEN];
	unsigned seen, stop_after;
	struct sw_map_size size;
};

static bool note(void *context, const struct sw_map_entry *entry)
{
	struct scene *scene = context;
	assert_true(scene->seen < MAX_SEEN);
	assert_true(sw_value_word(&scene->reader, entry->key, NULL, &scene->keys[scene->seen]));
	assert_true(sw_value_word(&scene->reader, entry->elem, NULL, &scene->elems[scene->seen]));
	return ++scene->seen != scene->stop_after;
}

/* Both ways to walk agree on whether all could be read. */
static bool walk(struct scene *scene)
{
	scene->seen = 0;
	bool is_whole = sw_value_entries(&scene->reader, scene->map, note, scene);
	bool is_sized = sw_value_map_size(&scene->reader, scene->map, &scene->size);
	assert_true(is_whole == is_sized || scene->stop_after);
	return is_whole;
}

/* The keys 1 … count, each once, and elements ten times as large. */
static void check_seen(const struct scene *scene, unsigned count)
{
	uint64_t all[MAX_SEEN / 64] = {0};
	assert_int_equal(scene->seen, count);
	for (unsigned i = 0; i < count; i++) {
		uint64_t key = scene->keys[i];
		assert_in_range(key, 1, count);
		assert_int_equal(scene->elems[i], 10 * key);
		assert_false(sw_bitset_has(all, key));
		sw_bitset_set(all, key);
	}
}

static void close_scene(struct scene *scene)
{
	close_world(&scene->world);
}

/* ---- maps of groups ---- */

enum { GROUP_SIZE = 8 + 8 * 16 };

/* map[uint64]uint64; until 1.26 slots of key and elem, in GOEXPERIMENT=mapsplitgroup keys and
 * elems. */
static void open_swiss(struct scene *scene, bool is_split)
{
	struct world *world = &scene->world;
	memset(scene, 0, sizeof(*scene));
	open_world(world, 26);
	sw_addr word = put_type(world, SW_KIND_UINT64, "uint64", 8, 0, 0);
	sw_addr group =
		put_type(world, SW_KIND_STRUCT, "map.group[uint64]uint64", GROUP_SIZE, 0, 0);
	if (is_split) {
		sw_addr words = put_array(world, "[8]uint64", word, 8, 64, 0, 0);
		put_members(world, group,
			    (struct member[]){
				    {"ctrl", word, 0}, {"keys", words, 8}, {"elems", words, 72}},
			    3);
	} else {
		sw_addr slot = put_type(world, SW_KIND_STRUCT, "struct { key, elem }", 16, 0, 0);
		put_members(world, slot, (struct member[]){{"key", word, 0}, {"elem", word, 8}}, 2);
		sw_addr slots = put_array(world, "[8]struct { key, elem }", slot, 8, 128, 0, 0);
		put_members(world, group, (struct member[]){{"ctrl", word, 0}, {"slots", slots, 8}},
			    2);
	}
	sw_addr map = put_map(world, "map[uint64]uint64", word, word, group, GROUP_SIZE);
	scene->reader = (struct sw_value_reader){.types = world->types, .go = &world->go};
	scene->map = (struct sw_value){sw_type_of_descriptor(world->types, map), AT};
	put64(world, AT, HEADER);
}

static void put_group(struct scene *scene, sw_addr group, bool is_split, unsigned first,
		      unsigned count)
{
	struct world *world = &scene->world;
	for (unsigned i = 0; i < 8; i++) {
		unsigned key = first + i;
		sw_addr at = group + 8 + (is_split ? 8 * i : 16 * i);
		put8(world, group + i, i < count ? (uint8_t)(key & 0x7f) : i % 2 ? DELETED : EMPTY);
		put64(world, at, i < count ? key : 999);
		put64(world, at + (is_split ? 64 : 8), i < count ? 10 * key : 999);
	}
}

static void put_header(struct scene *scene, uint64_t used, sw_addr directory, uint64_t length)
{
	put64(&scene->world, HEADER, used);
	put64(&scene->world, HEADER + 16, directory);
	put64(&scene->world, HEADER + 24, length);
}

static void put_table(struct scene *scene, sw_addr table, uint64_t index, sw_addr groups,
		      uint64_t mask)
{
	put64(&scene->world, table + 8, index);
	put64(&scene->world, table + 16, groups);
	put64(&scene->world, table + 24, mask);
}

static void test_small(void **state)
{
	(void)state;
	for (unsigned is_split = 0; is_split < 2; is_split++) {
		struct scene scene;
		open_swiss(&scene, is_split);
		put_header(&scene, 0, 0, 0); /* make(map[K]V) */
		assert_true(walk(&scene));
		assert_int_equal(scene.seen, 0);
		assert_int_equal(scene.size.slots, 0);
		put_header(&scene, 5, GROUPS, 0);
		put_group(&scene, GROUPS, is_split, 1, 5);
		assert_true(walk(&scene));
		check_seen(&scene, 5);
		assert_int_equal(scene.size.count, 5);
		assert_int_equal(scene.size.slots, 8);
		assert_int_equal(scene.size.bytes, GROUP_SIZE);
		scene.stop_after = 2;
		assert_true(walk(&scene));
		assert_int_equal(scene.seen, 2);
		scene.stop_after = 0;
		/* The header by itself. */
		scene.map = (struct sw_value){
			sw_type_info(scene.world.types, scene.map.type)->target, HEADER};
		assert_true(walk(&scene));
		check_seen(&scene, 5);
		close_scene(&scene);
	}
}

static void test_nil_and_stale(void **state)
{
	(void)state;
	struct scene scene;
	open_swiss(&scene, false);
	put_header(&scene, 5, GROUPS, 0);
	put_group(&scene, GROUPS, false, 1, 5);
	struct sw_value map = scene.map;
	scene.reader.is_stale = true;
	assert_false(walk(&scene));
	scene.map = (struct sw_value){sw_type_info(scene.world.types, map.type)->target, HEADER};
	assert_false(walk(&scene));
	assert_int_equal(scene.seen, 0);
	scene.reader.is_stale = false;
	scene.map = map;
	put64(&scene.world, AT, 0);
	assert_true(walk(&scene));
	assert_int_equal(scene.seen, 0);
	assert_int_equal(scene.size.bytes, 0);
	scene.map.addr = BASE + SIZE; /* not readable */
	assert_false(walk(&scene));
	scene.map.type = sw_type_info(scene.world.types, map.type)->key; /* no map */
	assert_false(walk(&scene));
	scene.map.type = 0;
	assert_false(walk(&scene));
	close_scene(&scene);
}

/* Four entries for three tables: the first stands for half of all hashes. */
static void put_tables(struct scene *scene)
{
	put_header(scene, 40, DIRECTORY, 4);
	put_table(scene, TABLES, 0, GROUPS, 3);
	put_table(scene, TABLES + 64, 2, GROUPS + 0x800, 1);
	put_table(scene, TABLES + 128, 3, GROUPS + 0x1000, 0);
	for (unsigned i = 0; i < 4; i++)
		put_group(scene, GROUPS + i * GROUP_SIZE, false, 1 + 7 * i, 7);
	for (unsigned i = 0; i < 2; i++)
		put_group(scene, GROUPS + 0x800 + i * GROUP_SIZE, false, 29 + 4 * i, 4);
	put_group(scene, GROUPS + 0x1000, false, 37, 4);
	put64(&scene->world, DIRECTORY, TABLES);
	put64(&scene->world, DIRECTORY + 8, TABLES);
	put64(&scene->world, DIRECTORY + 16, TABLES + 64);
	put64(&scene->world, DIRECTORY + 24, TABLES + 128);
}

static void test_tables(void **state)
{
	(void)state;
	struct scene scene;
	open_swiss(&scene, false);
	put_tables(&scene);
	assert_true(walk(&scene));
	check_seen(&scene, 40);
	assert_int_equal(scene.size.count, 40);
	assert_int_equal(scene.size.slots, 56);
	assert_int_equal(scene.size.bytes, 7 * GROUP_SIZE);
	close_scene(&scene);
}

/* What is damaged costs itself. */
static void test_damaged_tables(void **state)
{
	(void)state;
	struct scene scene;
	open_swiss(&scene, false);
	put_tables(&scene);
	/* A table that stands in two places: its entries are there once. */
	put64(&scene.world, DIRECTORY + 24, TABLES);
	assert_false(walk(&scene));
	check_seen(&scene, 36);
	/* One that cannot be read. */
	put64(&scene.world, DIRECTORY + 24, BASE + SIZE);
	assert_false(walk(&scene));
	check_seen(&scene, 36);
	/* One whose groups cannot be read, or are more than there can be. */
	put64(&scene.world, DIRECTORY + 24, TABLES + 128);
	put_table(&scene, TABLES + 128, 3, BASE + SIZE, 0);
	assert_false(walk(&scene));
	check_seen(&scene, 36);
	put_table(&scene, TABLES + 128, 3, GROUPS + 0x1000, UINT64_MAX);
	assert_false(walk(&scene));
	check_seen(&scene, 36);
	put_table(&scene, TABLES + 128, 3, UINT64_MAX - 64, 7);
	assert_false(walk(&scene));
	check_seen(&scene, 36);
	/* Directories without end. */
	put_table(&scene, TABLES + 128, 3, GROUPS + 0x1000, 0);
	put_header(&scene, 40, DIRECTORY, UINT64_MAX);
	assert_false(walk(&scene));
	put_header(&scene, 40, DIRECTORY, (uint64_t)1 << 32);
	assert_false(walk(&scene));
	check_seen(&scene, 40);
	put_header(&scene, 40, BASE + SIZE, 4);
	assert_false(walk(&scene));
	assert_int_equal(scene.seen, 0);
	put_header(&scene, 5, BASE + SIZE - 4, 0); /* a small map's group */
	assert_false(walk(&scene));
	assert_int_equal(scene.seen, 0);
	close_scene(&scene);
}

/* In the heap an array is no longer than its object, and live. */
static void test_heap_bounds(void **state)
{
	(void)state;
	struct scene scene;
	struct sw_heap heap = {0};
	open_swiss(&scene, false);
	struct sw_span span = make_span(&scene.world, 8, 8 * GROUP_SIZE, SW_SCAN_NONE);
	assert_null(sw_heap_init(&heap, &scene.world.work, &span, 1));
	scene.reader.heap = &heap;
	sw_addr second = span.base + span.elemsize;
	for (unsigned i = 0; i < 8; i++) {
		put_group(&scene, span.base + i * GROUP_SIZE, false, 1 + i, 1);
		put_group(&scene, second + i * GROUP_SIZE, false, 100, 8);
	}
	put_header(&scene, 8, DIRECTORY, 1);
	put64(&scene.world, DIRECTORY, TABLES);
	put_table(&scene, TABLES, 0, span.base, 7);
	assert_false(walk(&scene)); /* free */
	assert_int_equal(scene.seen, 0);
	heap.blocks[0].marked = 3;
	assert_true(walk(&scene));
	check_seen(&scene, 8);
	put_table(&scene, TABLES, 0, span.base, 15);
	assert_false(walk(&scene));
	assert_int_equal(scene.seen, 0);
	put_header(&scene, 8, span.base, 0);
	assert_true(walk(&scene));
	check_seen(&scene, 1);
	put64(&scene.world, AT, span.base + 2 * span.elemsize); /* a header that is free */
	assert_false(walk(&scene));
	/* No map is larger than all that is live. */
	put64(&scene.world, AT, HEADER);
	put_header(&scene, 8, DIRECTORY, 1);
	put_table(&scene, TABLES, 0, GROUPS, 7);
	for (unsigned i = 0; i < 8; i++)
		put_group(&scene, GROUPS + i * GROUP_SIZE, false, 1 + i, 1);
	heap.object_bytes = 2 * GROUP_SIZE;
	assert_false(walk(&scene));
	check_seen(&scene, 3);
	sw_heap_free(&heap, &scene.world.work);
	close_scene(&scene);
}

/* ---- maps of buckets ---- */

enum { BUCKET_SIZE = 8 + 8 * 8 + 8 * 8 + 8, OVERFLOW = BUCKET_SIZE - 8, SAME_SIZE = 8 };

/* map[uint64]uint64, or of *uint64 where keys or elements stand apart. */
static void open_old(struct scene *scene, bool is_key_apart, bool is_elem_apart)
{
	struct world *world = &scene->world;
	memset(scene, 0, sizeof(*scene));
	open_world(world, 22);
	sw_addr byte = put_type(world, SW_KIND_UINT8, "uint8", 1, 0, 0);
	sw_addr word = put_type(world, SW_KIND_UINT64, "uint64", 8, 0, 0);
	sw_addr pointer = put_pointer(world, "*uint64", word);
	sw_addr any = put_type(world, SW_KIND_UNSAFE_POINTER, "unsafe.Pointer", 8, 8, 1);
	sw_addr tags = put_array(world, "[8]uint8", byte, 8, 8, 0, 0);
	sw_addr keys = put_array(world, "[8]key", is_key_apart ? pointer : word, 8, 64, 0, 0);
	sw_addr elems = put_array(world, "[8]elem", is_elem_apart ? pointer : word, 8, 64, 0, 0);
	sw_addr bucket = put_type(world, SW_KIND_STRUCT, "map.bucket[uint64]uint64", BUCKET_SIZE,
				  BUCKET_SIZE, 0);
	put_members(world, bucket,
		    (struct member[]){{"topbits", tags, 0},
				      {"keys", keys, 8},
				      {"elems", elems, 72},
				      {"overflow", any, OVERFLOW}},
		    4);
	sw_addr map = put_map(world, "map[uint64]uint64", word, word, bucket, 0);
	put8(world, map + 80, 8);
	put8(world, map + 81, 8);
	put8(world, map + 82, BUCKET_SIZE);
	put8(world, map + 84, (uint8_t)(is_key_apart | is_elem_apart << 1));
	scene->reader = (struct sw_value_reader){.types = world->types, .go = &world->go};
	scene->map = (struct sw_value){sw_type_of_descriptor(world->types, map), AT};
	put64(world, AT, HEADER);
}

static void put_hmap(struct scene *scene, uint64_t count, uint8_t flags, uint8_t b, sw_addr buckets,
		     sw_addr old)
{
	struct world *world = &scene->world;
	put64(world, HEADER, count);
	put8(world, HEADER + 8, flags);
	put8(world, HEADER + 9, b);
	put64(world, HEADER + 16, buckets);
	put64(world, HEADER + 24, old);
}

/* Of the slots that are not taken one was never, the others are free again. */
static void put_bucket(struct scene *scene, sw_addr bucket, unsigned first, unsigned count,
		       sw_addr overflow)
{
	struct world *world = &scene->world;
	for (unsigned i = 0; i < 8; i++) {
		put8(world, bucket + i, i < count ? (uint8_t)(5 + i) : i != 7);
		put64(world, bucket + 8 + 8 * i, i < count ? first + i : 999);
		put64(world, bucket + 72 + 8 * i, i < count ? 10 * (first + i) : 999);
	}
	put64(world, bucket + OVERFLOW, overflow);
}

/* Its entries moved: evacuatedX, evacuatedY, evacuatedEmpty. */
static void put_evacuated(struct scene *scene, sw_addr bucket)
{
	put_bucket(scene, bucket, 500, 8, 0);
	for (unsigned i = 0; i < 8; i++)
		put8(&scene->world, bucket + i, (uint8_t)(2 + i % 3));
}

static void test_buckets(void **state)
{
	(void)state;
	struct scene scene;
	open_old(&scene, false, false);
	put_hmap(&scene, 0, 0, 0, 0, 0); /* make(map[K]V) */
	assert_true(walk(&scene));
	assert_int_equal(scene.seen, 0);
	put_hmap(&scene, 27, 0, 1, GROUPS, 0);
	put_bucket(&scene, GROUPS, 1, 8, OLD);
	put_bucket(&scene, OLD, 9, 8, OLD + BUCKET_SIZE);
	put_bucket(&scene, OLD + BUCKET_SIZE, 17, 3, 0);
	put_bucket(&scene, GROUPS + BUCKET_SIZE, 20, 8, 0);
	assert_true(walk(&scene));
	check_seen(&scene, 27);
	assert_int_equal(scene.size.count, 27);
	assert_int_equal(scene.size.slots, 32);
	assert_int_equal(scene.size.bytes, 4 * BUCKET_SIZE);
	/* Many were deleted, and chains are long: no damage. */
	put_hmap(&scene, 0, 0, 0, GROUPS, 0);
	for (unsigned i = 0; i < 20; i++)
		put_bucket(&scene, GROUPS + i * BUCKET_SIZE, 0, 0,
			   i < 19 ? GROUPS + (i + 1) * BUCKET_SIZE : 0);
	assert_true(walk(&scene));
	assert_int_equal(scene.seen, 0);
	assert_int_equal(scene.size.slots, 160);
	close_scene(&scene);
}

/* Keys and elements of more than 128 bytes. */
static void test_apart(void **state)
{
	(void)state;
	for (unsigned which = 0; which < 4; which++) {
		struct scene scene;
		bool is_key_apart = which & 1, is_elem_apart = which & 2;
		open_old(&scene, is_key_apart, is_elem_apart);
		put_hmap(&scene, 6, 0, 0, GROUPS, 0);
		put_bucket(&scene, GROUPS, 1, 6, 0);
		for (unsigned i = 0; i < 6; i++) {
			put64(&scene.world, APART + 16 * i, i + 1);
			put64(&scene.world, APART + 16 * i + 8, 10 * (i + 1));
			if (is_key_apart)
				put64(&scene.world, GROUPS + 8 + 8 * i, APART + 16 * i);
			if (is_elem_apart)
				put64(&scene.world, GROUPS + 72 + 8 * i, APART + 16 * i + 8);
		}
		assert_true(walk(&scene));
		check_seen(&scene, 6);
		/* A nil there is damage: the others are told. */
		put64(&scene.world, GROUPS + (is_key_apart ? 8 : 72) + 40, 0);
		if (which) {
			scene.seen = 0;
			assert_false(sw_value_entries(&scene.reader, scene.map, note, &scene));
			check_seen(&scene, 5);
		}
		close_scene(&scene);
	}
}

/* Two old buckets become four: the first has moved, the second has not. */
static void test_growing(void **state)
{
	(void)state;
	struct scene scene;
	open_old(&scene, false, false);
	put_hmap(&scene, 12, 0, 2, GROUPS, OLD);
	put_bucket(&scene, GROUPS, 1, 4, 0);
	put_bucket(&scene, GROUPS + BUCKET_SIZE, 0, 0, 0);
	put_bucket(&scene, GROUPS + 2 * BUCKET_SIZE, 5, 4, 0);
	put_bucket(&scene, GROUPS + 3 * BUCKET_SIZE, 0, 0, 0);
	put_evacuated(&scene, OLD);
	put_bucket(&scene, OLD + BUCKET_SIZE, 9, 4, 0);
	put_bucket(&scene, OLD + 2 * BUCKET_SIZE, 600, 8, 0); /* beyond */
	assert_true(walk(&scene));
	check_seen(&scene, 12);
	assert_int_equal(scene.size.count, 12);
	/* Moving right now: what has not moved is where it was. */
	put8(&scene.world, OLD + BUCKET_SIZE, 2);
	put64(&scene.world, GROUPS + BUCKET_SIZE + 8, 9);
	put64(&scene.world, GROUPS + BUCKET_SIZE + 72, 90);
	put8(&scene.world, GROUPS + BUCKET_SIZE, 5);
	assert_true(walk(&scene));
	check_seen(&scene, 12);
	/* To the same size: as many old buckets as new ones; one as well. */
	put_hmap(&scene, 8, SAME_SIZE, 1, GROUPS, OLD);
	put_bucket(&scene, GROUPS, 1, 4, 0);
	put_bucket(&scene, GROUPS + BUCKET_SIZE, 0, 0, 0);
	put_bucket(&scene, OLD + BUCKET_SIZE, 5, 4, 0);
	assert_true(walk(&scene));
	check_seen(&scene, 8);
	put_hmap(&scene, 8, SAME_SIZE, 0, GROUPS, OLD + BUCKET_SIZE);
	assert_true(walk(&scene));
	check_seen(&scene, 8);
	put_hmap(&scene, 8, 0, 0, GROUPS, OLD + BUCKET_SIZE); /* grew from half a bucket */
	assert_false(walk(&scene));
	check_seen(&scene, 4);
	close_scene(&scene);
}

static void test_damaged_buckets(void **state)
{
	(void)state;
	struct scene scene;
	open_old(&scene, false, false);
	/* A chain that comes round: with a bucket that has no end, other buckets are told. */
	put_hmap(&scene, UINT64_MAX, 0, 1, GROUPS, 0);
	put_bucket(&scene, GROUPS, 1, 4, OLD);
	put_bucket(&scene, OLD, 100, 8, OLD + BUCKET_SIZE);
	put_bucket(&scene, OLD + BUCKET_SIZE, 100, 8, OLD);
	put_bucket(&scene, GROUPS + BUCKET_SIZE, 5, 4, 0);
	assert_false(walk(&scene));
	check_seen(&scene, 8);
	put64(&scene.world, GROUPS + OVERFLOW, GROUPS);
	assert_false(walk(&scene));
	check_seen(&scene, 8);
	/* A chain that leads out of memory. */
	put64(&scene.world, GROUPS + OVERFLOW, BASE + SIZE);
	assert_false(walk(&scene));
	check_seen(&scene, 8);
	/* Too many buckets; buckets that end too soon. */
	put64(&scene.world, GROUPS + OVERFLOW, 0);
	for (unsigned b = 30; b < 256; b += 5) {
		put_hmap(&scene, 8, 0, (uint8_t)b, BASE + SIZE - 2 * BUCKET_SIZE, 0);
		assert_false(walk(&scene));
		assert_true(scene.size.slots < 1 << 20);
	}
	put_hmap(&scene, 8, 0, 1, BASE + SIZE, 0);
	assert_false(walk(&scene));
	assert_int_equal(scene.seen, 0);
	put64(&scene.world, AT, BASE + SIZE - 8); /* a header that ends too soon */
	assert_false(walk(&scene));
	close_scene(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small),		cmocka_unit_test(test_nil_and_stale),
		cmocka_unit_test(test_tables),		cmocka_unit_test(test_damaged_tables),
		cmocka_unit_test(test_heap_bounds),	cmocka_unit_test(test_buckets),
		cmocka_unit_test(test_apart),		cmocka_unit_test(test_growing),
		cmocka_unit_test(test_damaged_buckets),
	};
	return cmocka_run_group_tests_name("map entries", tests, NULL, NULL);
}
