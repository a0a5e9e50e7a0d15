/* Fields, what pointers and interfaces lead to, slices, strings and functions, by name, on a
 * hand-made target. */
#include "type_builder.h"

#include "type/access.h"

#define AT (BASE + HEAP)	   /* where values are put */
#define FAR_AWAY ((sw_addr)0x1000) /* where nothing is */

static struct sw_value_reader reader_of(struct world *world)
{
	return (struct sw_value_reader){.types = world->types, .go = &world->go};
}

static struct sw_value value_of(struct world *world, sw_addr descriptor, sw_addr addr)
{
	sw_type type = sw_type_of_descriptor(world->types, descriptor);
	assert_int_not_equal(type, 0);
	return (struct sw_value){type, addr};
}

static const char *name_of(struct world *world, struct sw_value value)
{
	return sw_type_info(world->types, value.type)->name;
}

/* KindDirectIface until 1.25, TFlagDirectIface from 1.26. */
static void set_direct(struct world *world, sw_addr type)
{
	sw_addr at = type + (world->go.minor >= 26 ? 20 : 23);
	put8(world, at, (uint8_t)(world->bytes[at - BASE] | 1 << 5));
}

/* ---- fields ---- */

static void test_fields(void **state)
{
	(void)state;
	for (unsigned minor = 18; minor <= 27; minor++) {
		struct world world;
		open_world(&world, minor);
		struct session_types made = put_session(&world);
		struct sw_value_reader reader = reader_of(&world);
		struct sw_value session = value_of(&world, made.session, AT), out;

		assert_true(sw_value_field(&reader, session, "parser.buf", &out));
		assert_int_equal(out.addr, AT + 32);
		assert_string_equal(name_of(&world, out), "[]uint8");
		for (unsigned i = 0; i < 2; i++) {
			assert_true(sw_value_field(&reader, session, i ? "" : NULL, &out));
			assert_int_equal(out.addr, AT);
			assert_int_equal(out.type, session.type);
		}

		static const char *const missing[] = {
			"names",       "nam",	"name.len", "parser.buffer",
			"parser..buf", ".name", "id.x",	    "next.id", /* nil */
		};
		for (size_t i = 0; i < sizeof(missing) / sizeof(*missing); i++)
			assert_false(sw_value_field(&reader, session, missing[i], &out));
		char longest[300] = "";
		memset(longest, 'a', sizeof(longest) - 1);
		assert_false(sw_value_field(&reader, session, longest, &out));
		assert_false(sw_value_field(&reader, (struct sw_value){0, AT}, "anything", &out));
		close_world(&world);
	}
}

/* A pointer on the way, one at the start, and one that leads nowhere. */
static void test_pointers(void **state)
{
	(void)state;
	struct world world;
	open_world(&world, 26);
	struct session_types made = put_session(&world);
	struct sw_value_reader reader = reader_of(&world), stale = reader;
	struct sw_value session = value_of(&world, made.session, AT), out;
	sw_addr second = AT + 64, third = AT + 128, pointer = AT + 256;
	uint64_t id = 0;

	put64(&world, AT + 24, second);
	put64(&world, second + 24, third);
	put64(&world, third, 33);
	put64(&world, pointer, AT);
	assert_true(sw_value_field(&reader, session, "next.next.id", &out));
	assert_int_equal(out.addr, third);
	assert_true(sw_value_word(&reader, session, "next.next.id", &id));
	assert_int_equal(id, 33);
	assert_true(sw_value_word(&reader, value_of(&world, made.pointer, pointer), "next.next.id",
				  &id));
	assert_false(sw_value_field(&reader, session, "next.next.next.id", &out));
	assert_true(sw_value_field(&reader, session, "next.next.next", &out));
	assert_true(sw_value_pointee(&reader, session, "next", &out));
	assert_int_equal(out.addr, second);
	assert_string_equal(name_of(&world, out), "main.session");
	assert_false(sw_value_pointee(&reader, session, "next.next.next", &out));
	assert_false(sw_value_pointee(&reader, session, "id", &out));
	assert_false(sw_value_pointee(&reader, session, "name", &out));

	put64(&world, AT + 24, FAR_AWAY);
	assert_true(sw_value_field(&reader, session, "next.id", &out));
	assert_false(sw_value_word(&reader, session, "next.id", &id));
	assert_false(sw_value_field(&reader, session, "next.next.id", &out));
	stale.is_stale = true;
	put64(&world, AT + 24, second);
	assert_false(sw_value_field(&stale, session, "next.id", &out));
	assert_false(sw_value_pointee(&stale, session, "next", &out));
	assert_true(sw_value_word(&stale, session, "next", &id));
	assert_int_equal(id, second);
	close_world(&world);
}

/* What is not live is something else by now. */
static void test_free_slots(void **state)
{
	(void)state;
	struct world world;
	struct sw_heap heap = {0};
	char text[8];
	struct sw_value out;
	sw_addr entry;
	open_world(&world, 26);
	struct session_types made = put_session(&world);
	sw_addr any = put_type(&world, SW_KIND_INTERFACE, "interface {}", 16, 16, 3);
	sw_addr function = put_type(&world, SW_KIND_FUNC, "func()", 8, 8, 1);
	struct sw_span span = make_span(&world, 1, 64, SW_SCAN_NONE);
	assert_null(sw_heap_init(&heap, &world.work, &span, 1));
	struct sw_value_reader reader = reader_of(&world);
	struct sw_value session = value_of(&world, made.session, AT);
	struct sw_value interface = value_of(&world, any, AT + 64);
	struct sw_value callback = value_of(&world, function, AT + 80);
	sw_addr slot = span.base + 64;

	reader.heap = &heap;
	put64(&world, AT + 8, slot + 8); /* name */
	put64(&world, AT + 16, 3);
	put64(&world, AT + 24, slot); /* next */
	put64(&world, AT + 64, made.integer);
	put64(&world, AT + 72, slot);
	put64(&world, AT + 80, slot);
	for (unsigned is_live = 0; is_live < 2; is_live++) {
		assert_int_equal(sw_value_pointee(&reader, session, "next", &out), is_live);
		assert_int_equal(sw_value_field(&reader, session, "next.id", &out), is_live);
		assert_int_equal(sw_value_string(&reader, session, "name", text, sizeof(text)),
				 is_live);
		assert_int_equal(sw_value_held(&reader, interface, NULL, &out), is_live);
		assert_int_equal(sw_value_function(&reader, callback, NULL, &entry, NULL), is_live);
		heap.blocks[0].marked = 2; /* slot 1 */
	}
	sw_heap_free(&heap, &world.work);
	close_world(&world);
}

/* ---- words ---- */

static void test_words(void **state)
{
	(void)state;
	static const struct {
		enum sw_go_kind kind;
		uint64_t size, word;
		bool is_word;
	} cases[] = {
		{SW_KIND_BOOL, 1, 0xfe, true},
		{SW_KIND_INT8, 1, (uint64_t)-2, true},
		{SW_KIND_INT16, 2, (uint64_t)-2, true},
		{SW_KIND_INT32, 4, (uint64_t)-2, true},
		{SW_KIND_INT64, 8, (uint64_t)-2, true},
		{SW_KIND_INT, 8, (uint64_t)-2, true},
		{SW_KIND_UINT8, 1, 0xfe, true},
		{SW_KIND_UINT16, 2, 0xfffe, true},
		{SW_KIND_UINT32, 4, 0xfffffffe, true},
		{SW_KIND_UINTPTR, 8, (uint64_t)-2, true},
		{SW_KIND_POINTER, 8, (uint64_t)-2, true},
		{SW_KIND_UNSAFE_POINTER, 8, (uint64_t)-2, true},
		{SW_KIND_CHAN, 8, (uint64_t)-2, true},
		{SW_KIND_FUNC, 8, (uint64_t)-2, true},
		{SW_KIND_INT, 0, 0, false}, /* damaged */
		{SW_KIND_INT, 16, 0, false},
		{SW_KIND_FLOAT32, 4, 0, false},
		{SW_KIND_FLOAT64, 8, 0, false},
		{SW_KIND_COMPLEX64, 8, 0, false},
		{SW_KIND_STRING, 16, 0, false},
		{SW_KIND_SLICE, 24, 0, false},
		{SW_KIND_INTERFACE, 16, 0, false},
		{SW_KIND_ARRAY, 8, 0, false},
		{SW_KIND_STRUCT, 8, 0, false}, /* without fields */
	};
	struct world world;
	open_world(&world, 26);
	struct sw_value_reader reader = reader_of(&world);
	put64(&world, AT, (uint64_t)-2);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		sw_addr type = put_type(&world, cases[i].kind, "x", cases[i].size, 0, 0);
		uint64_t word = 0;
		assert_int_equal(sw_value_word(&reader, value_of(&world, type, AT), NULL, &word),
				 cases[i].is_word);
		assert_int_equal(word, cases[i].word);
	}
	close_world(&world);
}

/* {_ noCopy; v int32}, and what only looks like it. */
static void test_wrapped_words(void **state)
{
	(void)state;
	struct world world;
	uint64_t word = 0;
	open_world(&world, 26);
	struct sw_value_reader reader = reader_of(&world);
	sw_addr number = put_type(&world, SW_KIND_INT32, "int32", 4, 0, 0);
	sw_addr none = put_type(&world, SW_KIND_STRUCT, "atomic.noCopy", 0, 0, 0);
	sw_addr atomic = put_type(&world, SW_KIND_STRUCT, "atomic.Int32", 4, 0, 0);
	sw_addr holder = put_type(&world, SW_KIND_STRUCT, "main.holder", 8, 0, 0);
	sw_addr two = put_type(&world, SW_KIND_STRUCT, "main.two", 8, 0, 0);
	sw_addr unclear = put_type(&world, SW_KIND_STRUCT, "main.unclear", 8, 0, 0);
	sw_addr self = put_type(&world, SW_KIND_STRUCT, "main.self", 8, 0, 0);
	put_members(&world, atomic, (struct member[]){{"_", none, 0}, {"v", number, 0}}, 2);
	put_members(&world, holder, (struct member[]){{"count", atomic, 4}}, 1);
	put_members(&world, two, (struct member[]){{"a", number, 0}, {"b", number, 4}}, 2);
	put_members(&world, unclear, (struct member[]){{"a", number, 0}, {"b", FAR_AWAY, 4}}, 2);
	put_members(&world, self, (struct member[]){{"a", self, 0}}, 1);

	put32(&world, AT + 4, (uint32_t)-7);
	assert_true(sw_value_word(&reader, value_of(&world, holder, AT), "count", &word));
	assert_int_equal(word, (uint64_t)-7);
	assert_true(sw_value_word(&reader, value_of(&world, holder, AT), NULL, &word));
	assert_true(sw_value_word(&reader, value_of(&world, two, AT), "b", &word));
	assert_int_equal(word, (uint64_t)-7);
	assert_false(sw_value_word(&reader, value_of(&world, two, AT), NULL, &word));
	assert_false(sw_value_word(&reader, value_of(&world, none, AT), NULL, &word));
	/* What is in the other field is not known. */
	assert_false(sw_value_word(&reader, value_of(&world, unclear, AT), NULL, &word));
	assert_false(sw_value_word(&reader, value_of(&world, self, AT), NULL, &word));
	/* The last bytes of memory: as many as the type has, no more. */
	put32(&world, BASE + SIZE - 4, 5);
	assert_true(sw_value_word(&reader, value_of(&world, number, BASE + SIZE - 4), NULL, &word));
	assert_int_equal(word, 5);
	assert_false(
		sw_value_word(&reader, value_of(&world, number, BASE + SIZE - 3), NULL, &word));
	close_world(&world);
}

/* ---- atomic.Pointer ---- */

/* {_ [0]*T; _ noCopy; v unsafe.Pointer} */
static sw_addr put_atomic_pointer(struct world *world, sw_addr pointer, enum sw_go_kind kind)
{
	sw_addr none = put_type(world, SW_KIND_STRUCT, "atomic.noCopy", 0, 0, 0);
	sw_addr array = put_array(world, "[0]*main.session", pointer, 0, 0, 0, 0);
	sw_addr word = put_type(world, kind, "unsafe.Pointer", 8, 8, 1);
	sw_addr atomic = put_type(world, SW_KIND_STRUCT, "atomic.Pointer[main.session]", 8, 8, 1);
	put_members(world, atomic,
		    (struct member[]){{"_", array, 0}, {"_", none, 0}, {"v", word, 0}}, 3);
	return atomic;
}

static void test_atomic_pointer(void **state)
{
	(void)state;
	struct world world;
	struct sw_value out;
	uint64_t word = 0;
	open_world(&world, 19);
	struct session_types made = put_session(&world);
	struct sw_value_reader reader = reader_of(&world);
	sw_addr atomic = put_atomic_pointer(&world, made.pointer, SW_KIND_UNSAFE_POINTER);
	sw_addr like = put_atomic_pointer(&world, made.pointer, SW_KIND_UINTPTR);
	struct sw_value value = value_of(&world, atomic, AT);

	assert_false(sw_value_pointee(&reader, value, NULL, &out));
	assert_false(sw_value_field(&reader, value, "id", &out));
	put64(&world, AT, AT + 64);
	put64(&world, AT + 64, 21);
	assert_true(sw_value_pointee(&reader, value, NULL, &out));
	assert_int_equal(out.addr, AT + 64);
	assert_string_equal(name_of(&world, out), "main.session");
	assert_true(sw_value_word(&reader, value, "id", &word));
	assert_int_equal(word, 21);
	assert_true(sw_value_word(&reader, value, NULL, &word));
	assert_int_equal(word, AT + 64);
	/* No pointer, whatever is beside it. */
	assert_false(sw_value_pointee(&reader, value_of(&world, like, AT), NULL, &out));
	/* This release has [0]T. */
	world.go.release = (struct sw_layout_release){.minor = 19, .patch = 4};
	assert_false(sw_value_pointee(&reader, value, NULL, &out));
	close_world(&world);
}

/* ---- interfaces ---- */

struct interface_types {
	sw_addr any, reader;
	struct session_types session;
};

static struct interface_types put_interfaces(struct world *world)
{
	struct interface_types made = {
		.any = put_type(world, SW_KIND_INTERFACE, "interface {}", 16, 16, 3),
		.reader = put_type(world, SW_KIND_INTERFACE, "io.Reader", 16, 16, 3),
		.session = put_session(world),
	};
	put64(world, made.reader + 64, 1); /* one method */
	set_direct(world, made.session.pointer);
	return made;
}

static void check_interfaces(unsigned minor)
{
	struct world world;
	struct sw_value out;
	uint64_t word = 0;
	open_world(&world, minor);
	struct interface_types made = put_interfaces(&world);
	struct sw_value_reader reader = reader_of(&world);
	struct sw_value any = value_of(&world, made.any, AT);
	struct sw_value method = value_of(&world, made.reader, AT);
	sw_addr itab = AT + 128, session = AT + 64;

	assert_false(sw_value_held(&reader, any, NULL, &out)); /* nil */
	/* An int stands elsewhere. */
	put64(&world, AT, made.session.integer);
	put64(&world, AT + 8, session);
	put64(&world, session, 17);
	assert_true(sw_value_held(&reader, any, NULL, &out));
	assert_int_equal(out.addr, session);
	assert_true(sw_value_word(&reader, out, NULL, &word));
	assert_int_equal(word, 17);
	assert_true(sw_value_behind(&reader, any, NULL, &out));
	assert_int_equal(out.addr, session);
	/* A pointer stands in the interface itself. */
	put64(&world, AT, made.session.pointer);
	assert_true(sw_value_held(&reader, any, NULL, &out));
	assert_int_equal(out.addr, AT + 8);
	assert_string_equal(name_of(&world, out), "*main.session");
	assert_true(sw_value_behind(&reader, any, NULL, &out));
	assert_int_equal(out.addr, session);
	assert_string_equal(name_of(&world, out), "main.session");
	/* A nil pointer in an interface that is not nil. */
	put64(&world, AT + 8, 0);
	assert_true(sw_value_held(&reader, any, NULL, &out));
	assert_false(sw_value_behind(&reader, any, NULL, &out));
	put64(&world, AT, made.session.integer);
	assert_false(sw_value_held(&reader, any, NULL, &out));
	/* With methods the first word is an itab. */
	put64(&world, AT, itab);
	put64(&world, AT + 8, session);
	assert_false(sw_value_held(&reader, method, NULL, &out));
	put64(&world, itab + 8, made.session.pointer);
	assert_true(sw_value_behind(&reader, method, NULL, &out));
	assert_string_equal(name_of(&world, out), "main.session");
	/* Damage. */
	put64(&world, AT, FAR_AWAY);
	assert_false(sw_value_held(&reader, any, NULL, &out));
	assert_false(sw_value_held(&reader, method, NULL, &out));
	assert_false(sw_value_held(&reader, any, "field", &out));
	assert_false(sw_value_held(&reader, value_of(&world, made.session.text, AT), NULL, &out));
	put64(&world, AT, made.session.pointer);
	reader.is_stale = true;
	assert_false(sw_value_held(&reader, any, NULL, &out));
	close_world(&world);
}

static void test_interfaces(void **state)
{
	(void)state;
	for (unsigned minor = 18; minor <= 27; minor++)
		check_interfaces(minor);
}

/* {v any} */
static void test_atomic_value(void **state)
{
	(void)state;
	struct world world;
	struct sw_value out;
	open_world(&world, 26);
	struct interface_types made = put_interfaces(&world);
	struct sw_value_reader reader = reader_of(&world);
	sw_addr atomic = put_type(&world, SW_KIND_STRUCT, "atomic.Value", 16, 16, 3);
	sw_addr server = put_type(&world, SW_KIND_STRUCT, "main.server", 24, 24, 6);
	put_members(&world, atomic, (struct member[]){{"v", made.any, 0}}, 1);
	put_members(&world, server, (struct member[]){{"config", atomic, 8}}, 1);
	struct sw_value value = value_of(&world, server, AT);

	assert_false(sw_value_behind(&reader, value, "config", &out));
	put64(&world, AT + 8, made.session.pointer);
	put64(&world, AT + 16, AT + 64);
	assert_true(sw_value_held(&reader, value, "config", &out));
	assert_int_equal(out.addr, AT + 16);
	assert_true(sw_value_behind(&reader, value, "config", &out));
	assert_int_equal(out.addr, AT + 64);
	assert_true(sw_value_behind(&reader, value, "config.v", &out));
	close_world(&world);
}

/* ---- slices, strings, functions ---- */

static void put_slice(struct world *world, sw_addr at, sw_addr data, uint64_t len, uint64_t cap)
{
	put64(world, at, data);
	put64(world, at + 8, len);
	put64(world, at + 16, cap);
}

static void test_slices(void **state)
{
	(void)state;
	struct world world;
	struct sw_value_array array;
	open_world(&world, 26);
	struct session_types made = put_session(&world);
	struct sw_value_reader reader = reader_of(&world);
	sw_addr sessions = put_type(&world, SW_KIND_SLICE, "[]main.session", 24, 8, 1);
	sw_addr nothing = put_type(&world, SW_KIND_STRUCT, "struct {}", 0, 0, 0);
	sw_addr nothings = put_type(&world, SW_KIND_SLICE, "[]struct {}", 24, 8, 1);
	put64(&world, sessions + 48, made.session);
	put64(&world, nothings + 48, nothing);
	struct sw_value value = value_of(&world, sessions, AT);

	put_slice(&world, AT, AT + 64, 2, 3);
	assert_true(sw_value_array(&reader, value, NULL, &array));
	assert_int_equal(array.data, AT + 64);
	assert_int_equal(array.len, 2);
	assert_int_equal(array.cap, 3);
	assert_int_equal(array.elem_size, 56);
	struct sw_value second = sw_value_element(&array, 1);
	assert_int_equal(second.addr, AT + 64 + 56);
	assert_string_equal(name_of(&world, second), "main.session");
	put_slice(&world, AT, 0, 0, 0);
	assert_true(sw_value_array(&reader, value, NULL, &array));
	assert_int_equal(array.data, 0);

	/* No slice is like that. */
	put_slice(&world, AT, AT + 64, 4, 3);
	assert_false(sw_value_array(&reader, value, NULL, &array));
	put_slice(&world, AT, AT + 64, 1, (uint64_t)1 << 44);
	assert_false(sw_value_array(&reader, value, NULL, &array));
	put_slice(&world, AT, AT + 64, (uint64_t)-1, (uint64_t)-1);
	assert_false(sw_value_array(&reader, value, NULL, &array));
	put_slice(&world, AT, (uint64_t)1 << 50, 1, 1);
	assert_false(sw_value_array(&reader, value, NULL, &array));
	assert_false(sw_value_array(&reader, value_of(&world, sessions, FAR_AWAY), NULL, &array));
	assert_false(sw_value_array(&reader, value_of(&world, made.integer, AT), NULL, &array));
	/* Of elements without a size there may be any number. */
	put_slice(&world, AT, AT + 64, 1 << 30, 1 << 30);
	assert_true(sw_value_array(&reader, value_of(&world, nothings, AT), NULL, &array));
	assert_int_equal(array.elem_size, 0);
	close_world(&world);
}

static void test_strings(void **state)
{
	(void)state;
	struct world world;
	struct sw_value_array array;
	char text[8] = "before";
	open_world(&world, 26);
	struct session_types made = put_session(&world);
	struct sw_value_reader reader = reader_of(&world);
	struct sw_value session = value_of(&world, made.session, AT);

	assert_true(sw_value_string(&reader, session, "name", text, sizeof(text)));
	assert_string_equal(text, "");
	put_string(&world, AT + 8, AT + 64, "1234567");
	assert_true(sw_value_string(&reader, session, "name", text, sizeof(text)));
	assert_string_equal(text, "1234567");
	put_string(&world, AT + 8, AT + 64, "12345678");
	assert_true(sw_value_string(&reader, session, "name", text, sizeof(text)));
	assert_string_equal(text, "1234567");
	assert_true(sw_value_string(&reader, session, "name", text, 1));
	assert_string_equal(text, "");
	assert_true(sw_value_array(&reader, session, "name", &array));
	assert_int_equal(array.len, 8);
	assert_int_equal(array.cap, 8);
	assert_int_equal(array.elem_size, 1);
	assert_string_equal(name_of(&world, sw_value_element(&array, 0)), "uint8");
	put_slice(&world, AT + 32, AT + 64, 3, 8);
	assert_true(sw_value_string(&reader, session, "parser.buf", text, sizeof(text)));
	assert_string_equal(text, "123");

	put64(&world, AT + 8, BASE + SIZE - 4); /* ends too soon */
	assert_false(sw_value_string(&reader, session, "name", text, sizeof(text)));
	assert_string_equal(text, "");
	put64(&world, AT + 16, (uint64_t)1 << 60);
	assert_false(sw_value_string(&reader, session, "name", text, sizeof(text)));
	assert_false(sw_value_string(&reader, session, "id", text, sizeof(text)));
	assert_false(sw_value_string(&reader, session, "title", text, sizeof(text)));
	put_string(&world, AT + 8, AT + 64, "1234567");
	reader.is_stale = true;
	assert_false(sw_value_string(&reader, session, "name", text, sizeof(text)));
	close_world(&world);
}

static void test_functions(void **state)
{
	(void)state;
	struct world world;
	sw_addr entry = 0, closure = 0;
	open_world(&world, 26);
	struct session_types made = put_session(&world);
	struct sw_value_reader reader = reader_of(&world);
	sw_addr function = put_type(&world, SW_KIND_FUNC, "func()", 8, 8, 1);
	struct sw_value value = value_of(&world, function, AT);

	assert_false(sw_value_function(&reader, value, NULL, &entry, &closure));
	put64(&world, AT, AT + 64);
	put64(&world, AT + 64, 0x401000);
	assert_true(sw_value_function(&reader, value, NULL, &entry, &closure));
	assert_int_equal(entry, 0x401000);
	assert_int_equal(closure, AT + 64);
	assert_true(sw_value_function(&reader, value, NULL, &entry, NULL));
	assert_false(
		sw_value_function(&reader, value_of(&world, made.pointer, AT), NULL, &entry, NULL));
	put64(&world, AT, FAR_AWAY);
	assert_false(sw_value_function(&reader, value, NULL, &entry, NULL));
	put64(&world, AT, AT + 64);
	reader.is_stale = true;
	assert_false(sw_value_function(&reader, value, NULL, &entry, NULL));
	close_world(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),	      cmocka_unit_test(test_pointers),
		cmocka_unit_test(test_free_slots),    cmocka_unit_test(test_words),
		cmocka_unit_test(test_wrapped_words), cmocka_unit_test(test_atomic_pointer),
		cmocka_unit_test(test_interfaces),    cmocka_unit_test(test_atomic_value),
		cmocka_unit_test(test_slices),	      cmocka_unit_test(test_strings),
		cmocka_unit_test(test_functions),
	};
	return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}
