/* Descriptions of arenas as users write them, well and badly; which views count as handed out. */
#include "owner/arena_shape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void ok(struct sw_error *error)
{
	if (error)
		fail_msg("%s", error->message);
}

static void expect(const struct sw_arena_description *description, const char *type,
		   const char *const paths[SW_ARENA_KEYS])
{
	assert_string_equal(description->type, type);
	for (size_t i = 0; i < SW_ARENA_KEYS; i++) {
		assert_int_equal(!paths[i], !description->paths[i]);
		if (paths[i])
			assert_string_equal(description->paths[i], paths[i]);
	}
}

static void test_one(void **state)
{
	(void)state;
	struct sw_arena_descriptions list = {0};
	ok(sw_arena_descriptions_parse("pkg.Type{buf=chunk, off=used, next=next}", &list));
	assert_int_equal(list.count, 1);
	expect(&list.items[0], "pkg.Type",
	       (const char *[SW_ARENA_KEYS]){[SW_ARENA_BUF] = "chunk",
					     [SW_ARENA_OFF] = "used",
					     [SW_ARENA_NEXT] = "next"});
	sw_arena_descriptions_clear(&list);
	assert_int_equal(list.count, 0);
}

static void test_several(void **state)
{
	(void)state;
	static const char text[] =
		"# all arenas\n"
		"\n"
		" example.org/p.Arena[int] { cap = a.cap ,buf=a.buf_2,} # one\r\n"
		"main.a{buf=b};; struct c{off=x,cur=\xc3\xa4,buf=y}\t\n"
		"#main.d{buf=b}\n"
		"d{buf=z}#e{buf=z}";
	struct sw_arena_descriptions list = {0};
	ok(sw_arena_descriptions_parse(text, &list));
	assert_int_equal(list.count, 4);
	expect(&list.items[0], "example.org/p.Arena[int]",
	       (const char *[SW_ARENA_KEYS]){[SW_ARENA_BUF] = "a.buf_2", [SW_ARENA_CAP] = "a.cap"});
	expect(&list.items[1], "main.a", (const char *[SW_ARENA_KEYS]){[SW_ARENA_BUF] = "b"});
	expect(&list.items[2], "struct c",
	       (const char *[SW_ARENA_KEYS]){
		       [SW_ARENA_BUF] = "y", [SW_ARENA_OFF] = "x", [SW_ARENA_CUR] = "\xc3\xa4"});
	expect(&list.items[3], "d", (const char *[SW_ARENA_KEYS]){[SW_ARENA_BUF] = "z"});
	sw_arena_descriptions_clear(&list);
}

static void test_none(void **state)
{
	(void)state;
	static const char *const texts[] = {"", " \t\r\n;;\n", "# nothing", "#\n#{"};
	struct sw_arena_descriptions list = {0};
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		ok(sw_arena_descriptions_parse(texts[i], &list));
		assert_int_equal(list.count, 0);
	}
}

static void test_malformed(void **state)
{
	(void)state;
	static const struct {
		const char *text, *says;
	} cases[] = {
		{"main.arena", "line 1: TYPE{buf=FIELD"},
		{"main.arena{", "a key is wanted"},
		{"main.arena{}", "main.arena has no buf"},
		{"{buf=x}", "TYPE{buf=FIELD"},
		{"a{off=x}", "a has no buf"},
		{"a{buf}", "= is wanted behind buf"},
		{"a{buf=}", "buf is no field"},
		{"a{buf=.x}", "buf is no field"},
		{"a{buf=x.}", "buf is no field"},
		{"a{buf=x..y}", "buf is no field"},
		{"a{buf=x[0]}", "} is wanted"},
		{"a{buf=x off=y}", "} is wanted"},
		{"a{buf=x,buf=y}", "buf twice"},
		{"a{buf=x,len=y}", "a key is wanted at \"len"},
		{"a{buf=x", "} is wanted"},
		{"a{buf=x,", "a key is wanted"},
		{"a{buf=x}b{buf=y}", "; is wanted"},
		{"a{buf=x}}", "; is wanted"},
		{"a{buf=x}\n\nb{buf=y\n}", "line 3: } is wanted"},
		{"# {\n}", "line 2: TYPE"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sw_arena_descriptions list = {0};
		struct sw_error *error = sw_arena_descriptions_parse(cases[i].text, &list);
		if (!error)
			fail_msg("accepted: %s", cases[i].text);
		assert_int_equal(error->code, SW_ERR_USAGE);
		if (!strstr(error->message, cases[i].says))
			fail_msg("%s: %s", cases[i].text, error->message);
		assert_non_null(error->hint);
		sw_error_free(error);
		sw_arena_descriptions_clear(&list);
	}
}

/* Every beginning of a good text, and the text with each byte changed, is taken or refused whole.
 */
static void test_damaged(void **state)
{
	(void)state;
	static const char good[] = "a.B{buf=c.d,off=e};# x\nf{ next = g , buf=h, cap=i, cur=j }";
	static const char bytes[] = "{}=,.;#\n \x80z";
	char text[sizeof(good)];

	for (size_t i = 0; i < sizeof(good) - 1; i++)
		for (size_t k = 0; k < sizeof(bytes); k++) {
			struct sw_arena_descriptions list = {0};
			memcpy(text, good, sizeof(good));
			text[i] = bytes[k];
			struct sw_error *error = sw_arena_descriptions_parse(text, &list);
			for (size_t n = 0; n < list.count; n++) {
				assert_non_null(list.items[n].type);
				assert_non_null(list.items[n].paths[SW_ARENA_BUF]);
			}
			sw_error_free(error);
			sw_arena_descriptions_clear(&list);
		}
}

/* ---- views ---- */

enum { OWNER = 0x1000, OWNER_SIZE = 32, BASE = 0x8000, CAPACITY = 1000, BEGIN = 64 };

static bool is_handed_out(struct sw_view view)
{
	static const struct sw_arena_region region = {.base = BASE,
						      .capacity = CAPACITY,
						      .at = OWNER,
						      .data = BASE,
						      .len = 600,
						      .cap = CAPACITY,
						      .begin = BEGIN};
	if (!view.at)
		view.at = 0x2000;
	return sw_arena_is_handed_out(&region, &view, OWNER, OWNER_SIZE);
}

static void test_handed_out(void **state)
{
	(void)state;
	assert_true(is_handed_out((struct sw_view){.offset = BEGIN, .len = 10, .cap = CAPACITY}));
	assert_true(is_handed_out((struct sw_view){.offset = BEGIN + 990, .len = 10, .cap = 10}));
	assert_true(is_handed_out(
		(struct sw_view){.kind = SW_VIEW_STRING, .offset = BEGIN, .len = 600, .cap = 600}));
	assert_true(is_handed_out((struct sw_view){
		.kind = SW_VIEW_POINTER, .offset = BEGIN + 8, .len = 8, .cap = 8}));
	assert_true(is_handed_out(
		(struct sw_view){.kind = SW_VIEW_UNKNOWN, .offset = BEGIN + 8, .len = 992}));
}

static void test_not_handed_out(void **state)
{
	(void)state;
	/* its own */
	assert_false(
		is_handed_out((struct sw_view){.at = OWNER + 8, .offset = BEGIN + 5, .len = 9}));
	/* beside it */
	assert_false(is_handed_out((struct sw_view){.offset = 0, .len = BEGIN}));
	assert_false(is_handed_out((struct sw_view){.offset = BEGIN + CAPACITY, .len = 10}));
	/* all of it, or more */
	assert_false(is_handed_out((struct sw_view){.offset = BEGIN, .len = CAPACITY}));
	assert_false(is_handed_out((struct sw_view){
		.kind = SW_VIEW_POINTER, .offset = 0, .len = BEGIN + CAPACITY + 8}));
	/* copies of its header */
	assert_false(is_handed_out((struct sw_view){.offset = BEGIN, .len = 600, .cap = CAPACITY}));
	assert_false(is_handed_out((struct sw_view){.offset = BEGIN, .len = 0, .cap = CAPACITY}));
	/* nothing tells what it is */
	assert_false(is_handed_out(
		(struct sw_view){.kind = SW_VIEW_UNKNOWN, .offset = BEGIN, .len = 1000}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_handed_out),
		cmocka_unit_test(test_not_handed_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
