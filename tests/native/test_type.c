/* Types, a type for every object, and values, on a hand-made target: descriptors as the linker
 * writes them, and ones no linker would. */
#include "type_builder.h"

#include "type/typing_private.h"
#include "type/value.h"

/* ---- names, fields, paths ---- */

static void test_struct(void **state)
{
	(void)state;
	struct world world;
	open_world(&world, 26);
	struct session_types made = put_session(&world);

	sw_type type = sw_type_of_descriptor(world.types, made.session);
	const struct sw_type_info *info = sw_type_info(world.types, type);
	assert_string_equal(info->name, "main.session");
	assert_string_equal(info->package, "example.com/x/main");
	assert_int_equal(info->kind, SW_KIND_STRUCT);
	assert_int_equal(info->size, 56);
	assert_int_equal(info->pointer_bytes, 40);
	assert_int_equal(info->field_count, 4);
	assert_string_equal(info->fields[2].name, "next");
	assert_int_equal(info->fields[2].type, sw_type_of_descriptor(world.types, made.pointer));
	assert_int_equal(sw_type_info(world.types, info->fields[2].type)->elem, type);
	assert_int_equal(sw_type_of_descriptor(world.types, made.session), type);
	assert_int_equal(sw_type_of_name(world.types, "main.session"), type);
	assert_int_equal(sw_type_of_name(world.types, "example.com/x/main.session"), type);
	assert_int_equal(sw_type_of_name(world.types, "main.sessions"), 0);
	assert_ptr_equal(sw_type_info(world.types, type), info);
	assert_string_equal(sw_type_info(world.types, 0)->name, "?");
	assert_string_equal(sw_type_info(world.types, UINT32_MAX)->name, "?");
	close_world(&world);
}

static void test_path(void **state)
{
	(void)state;
	struct world world;
	char path[64] = "s.";
	open_world(&world, 26);
	struct session_types made = put_session(&world);
	sw_type session = sw_type_of_descriptor(world.types, made.session);
	sw_addr three = put_array(&world, "[3]main.session", made.session, 3, 168, 152, 0);

	sw_type at = sw_type_path(world.types, session, 32, path, sizeof(path));
	assert_string_equal(path, "s.parser.buf");
	assert_string_equal(sw_type_info(world.types, at)->name, "[]uint8");
	*path = 0;
	sw_type_path(world.types, sw_type_of_descriptor(world.types, three), 2 * 56 + 8, path,
		     sizeof(path));
	assert_string_equal(path, "[2].name");
	*path = 0; /* beyond it, and into a very small buffer */
	sw_type_path(world.types, sw_type_of_descriptor(world.types, three), 3 * 56, path,
		     sizeof(path));
	assert_string_equal(path, "");
	sw_type_path(world.types, sw_type_backing(world.types, session), 1000 * 56 + 24, path, 6);
	assert_string_equal(path, "[1000");
	close_world(&world);
}

static void test_reference_types(void **state)
{
	(void)state;
	struct world world;
	open_world(&world, 26);
	struct session_types made = put_session(&world);
	sw_type session = sw_type_of_descriptor(world.types, made.session);
	sw_type backing = sw_type_backing(world.types, session);

	assert_string_equal(sw_type_info(world.types, backing)->name, "[]main.session");
	assert_int_equal(sw_type_info(world.types, backing)->elem, session);
	assert_int_equal(sw_type_info(world.types, backing)->size, 56);
	assert_int_equal(sw_type_backing(world.types, session), backing);
	assert_string_equal(sw_type_info(world.types, sw_type_string_bytes(world.types))->name,
			    "string");
	assert_int_equal(sw_type_backing(world.types, 0), 0);

	sw_addr chan = put_type(&world, SW_KIND_CHAN, "chan main.session", 8, 8, 1);
	put64(&world, chan + 48, made.session);
	sw_type type = sw_type_of_descriptor(world.types, chan);
	const struct sw_type_info *header =
		sw_type_info(world.types, sw_type_info(world.types, type)->target);
	assert_string_equal(header->name, "chan main.session");
	assert_int_equal(header->role, SW_TYPE_CHAN_HEADER);
	sw_type buffer = sw_type_info(world.types, header->fields[0].type)->elem;
	assert_int_equal(buffer, backing);
	close_world(&world);
}

/* ---- maps ---- */

static void test_swiss_map(void **state)
{
	(void)state;
	struct world world;
	struct sw_heap heap = {0};
	char step[64] = "";
	open_world(&world, 26);
	struct session_types made = put_session(&world);
	sw_type map = sw_type_of_descriptor(world.types, put_swiss_map(&world, &made));
	const struct sw_type_info *info = sw_type_info(world.types, map);
	const struct sw_type_info *header = sw_type_info(world.types, info->target);
	const struct sw_type_info *group = sw_type_info(world.types, header->group);

	assert_string_equal(sw_type_info(world.types, info->key)->name, "string");
	assert_string_equal(sw_type_info(world.types, info->elem)->name, "*main.session");
	assert_int_equal(header->role, SW_TYPE_MAP_HEADER);
	assert_false(header->is_internal);
	assert_string_equal(header->name, "map[string]*main.session");
	assert_int_equal(group->role, SW_TYPE_MAP_GROUP);
	assert_true(group->is_internal);
	assert_int_equal(sw_type_of_name(world.types, "map[string]*main.session"), map);

	assert_null(sw_heap_init(&heap, &world.work,
				 &(struct sw_span){.base = BASE + HEAP,
						   .bytes = world.bytes + HEAP,
						   .limit = 8192,
						   .elemsize = 208,
						   .count = 39,
						   .divide = UINT32_MAX / 208 + 1},
				 1));
	sw_addr slot = BASE + HEAP;
	put_string(&world, slot + 8 + 3 * 24, slot + 1000, "a\"b");
	sw_type at = sw_value_step(world.types, &world.go, &heap, header->group, slot,
				   8 + 3 * 24 + 16, step, sizeof(step));
	assert_string_equal(step, "[\"a\\\"b\"]");
	assert_string_equal(sw_type_info(world.types, at)->name, "*main.session");
	*step = 0;
	sw_value_step(world.types, &world.go, &heap, header->group, slot, 8 + 3 * 24, step,
		      sizeof(step));
	assert_string_equal(step, "[key \"a\\\"b\"]");
	*step = 0;
	sw_value_step(world.types, &world.go, &heap, info->target, slot, 16, step, sizeof(step));
	assert_string_equal(step, "");
	sw_heap_free(&heap, &world.work);
	close_world(&world);
}

static void test_old_map(void **state)
{
	(void)state;
	struct world world;
	open_world(&world, 23);
	struct session_types made = put_session(&world);
	/* As reflect makes it: nothing but a size. */
	sw_addr bucket = put_type(&world, SW_KIND_STRUCT, "bucket(string,int)",
				  8 + 8 * 16 + 8 * 8 + 8, 208, 0);
	put64(&world, bucket + 56, 0x4141414141414141);
	put64(&world, bucket + 64, 0x4141414141414141);
	sw_addr addr = put_map(&world, "map[string]int", made.text, made.integer, bucket, 0);
	put8(&world, addr + 80, 16);
	put8(&world, addr + 81, 8);
	put8(&world, addr + 82, 208);
	sw_type map = sw_type_of_descriptor(world.types, addr);
	const struct sw_type_info *header =
		sw_type_info(world.types, sw_type_info(world.types, map)->target);
	const struct sw_type_info *info = sw_type_info(world.types, header->group);

	assert_string_equal(header->name, "map[string]int");
	assert_int_equal(info->field_count, 4);
	assert_string_equal(info->fields[1].name, "keys");
	assert_int_equal(info->fields[2].offset, 136);
	assert_int_equal(info->fields[3].offset, 200);
	assert_int_equal(sw_type_info(world.types, info->fields[3].type)->elem, header->group);
	close_world(&world);
}

/* ---- hostile descriptors ---- */

static void test_rejects(void **state)
{
	(void)state;
	struct world world;
	open_world(&world, 26);
	struct session_types made = put_session(&world);
	sw_addr type = put_type(&world, SW_KIND_INT, "int32", 4, 0, 0);

	assert_int_equal(sw_type_of_descriptor(world.types, 0), 0);
	assert_int_equal(sw_type_of_descriptor(world.types, 0x10), 0);
	assert_int_equal(sw_type_of_descriptor(world.types, ~(sw_addr)7), 0);
	assert_int_equal(sw_type_of_descriptor(world.types, BASE + SIZE - 8), 0);
	assert_int_equal(sw_type_of_descriptor(world.types, made.session + 4), 0);
	put8(&world, type + 23, 27); /* no such kind */
	assert_int_equal(sw_type_of_descriptor(world.types, type), 0);
	put8(&world, type + 23, SW_KIND_INT32);
	put64(&world, type, (uint64_t)1 << 60); /* size */
	assert_int_equal(sw_type_of_descriptor(world.types, type), 0);
	put64(&world, type, 4);
	put64(&world, type + 8, 16); /* pointers beyond it */
	assert_int_equal(sw_type_of_descriptor(world.types, type), 0);
	put64(&world, type + 8, 0);
	put32(&world, type + 40, 0xfffffff0); /* name */
	assert_int_equal(sw_type_of_descriptor(world.types, type), 0);
	put32(&world, type + 40, TYPES_END - 1);
	assert_int_equal(sw_type_of_descriptor(world.types, type), 0);
	close_world(&world);
}

static void test_hostile_structs(void **state)
{
	(void)state;
	struct world world;
	char path[4096] = "";
	open_world(&world, 26);

	/* Contains itself; has a field beyond its end; has 2^40 fields; is an array of itself. */
	sw_addr self = put_type(&world, SW_KIND_STRUCT, "main.self", 16, 16, 3);
	put_members(&world, self, (struct member[]){{"a", self, 0}, {"b", self, 0}}, 2);
	sw_addr beyond = put_type(&world, SW_KIND_STRUCT, "main.beyond", 16, 0, 0);
	put_members(&world, beyond, (struct member[]){{"a", self, 0}, {"b", self, 8}}, 2);
	sw_addr many = put_type(&world, SW_KIND_STRUCT, "main.many", 16, 0, 0);
	put64(&world, many + 56, BASE);
	put64(&world, many + 64, (uint64_t)1 << 40);
	sw_addr array = put_type(&world, SW_KIND_ARRAY, "main.array", 16, 16, 3);
	put64(&world, array + 48, array);
	put64(&world, array + 64, 1);

	const struct sw_type_info *info =
		sw_type_info(world.types, sw_type_of_descriptor(world.types, beyond));
	assert_int_equal(info->field_count, 1);
	info = sw_type_info(world.types, sw_type_of_descriptor(world.types, many));
	assert_int_equal(info->field_count, 0);

	struct sw_type_plans plans = {.types = world.types, .go = &world.go};
	sw_addr all[] = {self, beyond, many, array};
	for (size_t i = 0; i < 4; i++) {
		sw_type type = sw_type_of_descriptor(world.types, all[i]);
		assert_null(sw_type_plans_make(&plans, type));
		sw_type_path(world.types, type, 0, path, sizeof(path));
		sw_value_text(world.types, &world.go, type, BASE, path, sizeof(path));
		*path = 0;
	}
	sw_type_plans_free(&plans);
	close_world(&world);
}

/* Outside every module, as reflect makes them, and round in a circle. */
static void test_hostile_cycle(void **state)
{
	(void)state;
	struct world world;
	open_world(&world, 26);
	sw_addr pointer = BASE + HEAP, map = BASE + HEAP + 256;

	put64(&world, pointer, 8);
	put64(&world, pointer + 8, 8);
	put32(&world, pointer + 20, 0x16080800);
	put64(&world, pointer + 48, pointer);
	put64(&world, map, 8);
	put64(&world, map + 8, 8);
	put32(&world, map + 20, 0x15080800);
	put64(&world, map + 48, map);
	put64(&world, map + 56, map);
	put64(&world, map + 64, map);

	sw_type type = sw_type_of_descriptor(world.types, pointer);
	assert_int_not_equal(type, 0);
	assert_int_equal(sw_type_info(world.types, type)->elem, type);
	type = sw_type_of_descriptor(world.types, map);
	assert_int_equal(sw_type_info(world.types, type)->key, type);
	assert_int_equal(sw_type_info(world.types, type)->target, 0);
	close_world(&world);
}

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void try_everything(struct world *world)
{
	struct sw_type_plans plans = {.types = world->types, .go = &world->go};
	char text[256];

	for (sw_addr at = BASE; at < BASE + SIZE; at += 64)
		sw_type_of_descriptor(world->types, at);
	for (sw_type type = 0; type < sw_types_count(world->types) && type < 20000; type++) {
		const struct sw_type_info *info = sw_type_info(world->types, type);
		*text = 0;
		sw_type_path(world->types, type, info->size / 2 & ~7ull, text, sizeof(text));
		sw_value_text(world->types, &world->go, type, BASE + HEAP, text, sizeof(text));
		sw_type_of_name(world->types, info->name);
		assert_null(sw_type_plans_make(&plans, type));
	}
	sw_type_plans_free(&plans);
}

/* Sound descriptors with a few words changed, and random words that look like descriptors. */
static void test_random(void **state)
{
	(void)state;
	uint64_t seed = 0x9e3779b97f4a7c15;
	for (unsigned minor = 22; minor <= 27; minor++)
		for (unsigned round = 0; round < 30; round++) {
			struct world world;
			open_world(&world, minor);
			struct session_types made = put_session(&world);
			put_swiss_map(&world, &made);
			for (unsigned i = 0; i < 200; i++) {
				uint64_t word = next_random(&seed);
				sw_addr at = BASE + TYPES + next_random(&seed) % 0x3000;
				if (word % 4)
					word = BASE + TYPES + word / 4 % 64 * 64;
				put64(&world, at & ~(sw_addr)7, word);
			}
			try_everything(&world);
			close_world(&world);
		}
}

/* ---- objects ---- */

static void set_bits(struct world *world, const struct sw_span *span, uint32_t index, uint64_t bits)
{
	uint64_t first = index * span->elemsize / 8;
	for (unsigned i = 0; i < 64; i++)
		if (bits >> i & 1) {
			sw_addr at = span->base + 8192 - 128 + (first + i) / 8;
			put8(world, at,
			     (uint8_t)(world->bytes[at - BASE] | 1 << ((first + i) % 8)));
		}
}

static void add_root(struct sw_heap *heap, sw_addr pointer)
{
	assert_null(sw_roots_add(&heap->roots, (struct sw_root){.group = SW_NO_ROOT}));
	assert_null(
		sw_root_words_add(&heap->root_words, (struct sw_root_word){.pointer = pointer}));
}

static const char *type_name(const struct world *world, const struct sw_heap *heap,
			     const struct sw_typing *typing, sw_addr addr)
{
	sw_object object = sw_heap_object(heap, addr);
	assert_int_not_equal(object, SW_NO_OBJECT);
	return sw_type_info(world->types, typing->types[object])->name;
}

static void mark(struct sw_heap *heap, struct world *world, struct sw_span *spans, size_t count)
{
	assert_null(sw_heap_init(heap, &world->work, spans, count));
	heap->space.mask = sw_go_object_mask;
	heap->space.allocator = &world->go;
}

/* A large array with a malloc header leads to sessions, their names, buffers, and what interfaces
 * hold; a claim that disagrees with an object's pointer bits is dropped. */
static void build_objects(struct world *world, struct sw_heap *heap, struct session_types *made)
{
	*made = put_session(world);
	sw_addr holder = put_type(world, SW_KIND_STRUCT, "main.holder", 56, 56, 0x67);
	sw_addr any = put_type(world, SW_KIND_INTERFACE, "interface {}", 16, 16, 3);
	sw_addr wrong = put_type(world, SW_KIND_STRUCT, "main.wrong", 56, 8, 1);
	sw_addr wrong_pointer = put_pointer(world, "*main.wrong", wrong);
	put_members(world, holder,
		    (struct member[]){{"s", made->pointer, 0},
				      {"w", wrong_pointer, 8},
				      {"t", made->pointer, 16},
				      {"i", any, 40}},
		    4);

	struct sw_span spans[] = {
		make_span(world, 0, 1024, SW_SCAN_LOOKUP),
		make_span(world, 1, 64, SW_SCAN_BITMAP),
		make_span(world, 2, 64, SW_SCAN_NONE),
		make_span(world, 3, 16, SW_SCAN_NONE),
	};
	sw_addr big = spans[0].base, session = spans[1].base, other = session + 64;
	put64(world, big, holder);
	put64(world, big + 8 + 56, session);		 /* [1].s */
	put64(world, big + 8 + 56 + 8, other);		 /* [1].w: but it is a session */
	put64(world, big + 8 + 112 + 40, made->integer); /* [2].i = an int */
	put64(world, big + 8 + 112 + 48, spans[3].base);
	for (uint32_t i = 0; i < 3; i++)
		set_bits(world, &spans[1], i, 0x1a);
	put_string(world, session + 8, spans[2].base, "a name");
	put64(world, session + 24, other);
	put64(world, session + 32, spans[2].base + 64);
	mark(heap, world, spans, 4);
	add_root(heap, big + 8);
}

static void test_objects(void **state)
{
	(void)state;
	struct world world;
	struct sw_heap heap = {0};
	struct sw_typing typing;
	struct session_types made;
	sw_addr base = BASE + HEAP;
	open_world(&world, 26);
	build_objects(&world, &heap, &made);
	assert_null(sw_heap_mark(&heap, &world.work));
	sw_heap_number(&heap);
	assert_int_equal(heap.object_count, 6);
	assert_null(sw_typing_build(&typing, world.types, &world.go, &heap, world.go.work));

	assert_string_equal(type_name(&world, &heap, &typing, base), "[]main.holder");
	assert_string_equal(type_name(&world, &heap, &typing, base + 8192), "main.session");
	assert_string_equal(type_name(&world, &heap, &typing, base + 8192 + 64), "main.session");
	assert_string_equal(type_name(&world, &heap, &typing, base + 2 * 8192), "string");
	assert_string_equal(type_name(&world, &heap, &typing, base + 2 * 8192 + 64), "[]uint8");
	assert_string_equal(type_name(&world, &heap, &typing, base + 3 * 8192), "int");

	char step[64] = "";
	sw_value_step(world.types, &world.go, &heap, typing.types[0], base, 8 + 112 + 48, step,
		      sizeof(step));
	assert_string_equal(step, "[2].i");
	sw_typing_free(&typing, &world.work);
	sw_heap_free(&heap, &world.work);
	close_world(&world);
}

/* ---- values ---- */

static void check_text(struct world *world, sw_addr descriptor, sw_addr addr, const char *expected)
{
	char text[128] = "";
	assert_true(sw_value_text(world->types, &world->go,
				  sw_type_of_descriptor(world->types, descriptor), addr, text,
				  sizeof(text)));
	assert_string_equal(text, expected);
}

static void test_values(void **state)
{
	(void)state;
	struct world world;
	char text[128] = "";
	sw_addr at = BASE + HEAP, data = BASE + HEAP + 1024;
	open_world(&world, 26);
	struct session_types made = put_session(&world);
	sw_addr small = put_type(&world, SW_KIND_INT8, "int8", 1, 0, 0);
	sw_addr any = put_type(&world, SW_KIND_INTERFACE, "interface {}", 16, 16, 3);

	put64(&world, at, (uint64_t)-5);
	check_text(&world, made.integer, at, "-5");
	check_text(&world, small, at, "-5");
	check_text(&world, made.byte, at, "251");
	check_text(&world, made.pointer, at, "0xfffffffffffffffb");
	put_string(&world, at, data, "tab\there \xff \xc3\xa4");
	check_text(&world, made.text, at, "\"tab\\x09here \\xff \xc3\xa4\"");
	put_string(&world, at, data, "0123456789012345678901234567890123456789 and more");
	check_text(&world, made.text, at, "\"0123456789012345678901234567890123456789…\"");
	put64(&world, at, made.integer);
	put64(&world, at + 8, data);
	put64(&world, data, 7);
	check_text(&world, any, at, "7");
	put64(&world, at, 0);
	check_text(&world, any, at, "nil");
	put64(&world, at, data);
	put64(&world, at + 8, (uint64_t)1 << 62); /* a length no string has */
	assert_false(sw_value_text(world.types, &world.go,
				   sw_type_of_descriptor(world.types, made.text), at, text,
				   sizeof(text)));
	assert_string_equal(text, "?");
	close_world(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_struct),		cmocka_unit_test(test_path),
		cmocka_unit_test(test_reference_types), cmocka_unit_test(test_swiss_map),
		cmocka_unit_test(test_old_map),		cmocka_unit_test(test_rejects),
		cmocka_unit_test(test_hostile_structs), cmocka_unit_test(test_hostile_cycle),
		cmocka_unit_test(test_random),		cmocka_unit_test(test_objects),
		cmocka_unit_test(test_values),
	};
	return cmocka_run_group_tests_name("type", tests, NULL, NULL);
}
