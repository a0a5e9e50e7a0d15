/* Reports: their JSON form, read back, and their text, compared whole. */
#include "report/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct sw_report *make(const char *command)
{
	struct sw_report *report;

	assert_null(sw_report_create(command, &report));
	return report;
}

/* Checks the text and frees the report. */
static void check_text(struct sw_report *report, unsigned width, const char *expected)
{
	char *text;

	assert_null(sw_report_text(report, width, &text));
	assert_string_equal(text, expected);
	free(text);
	sw_report_free(report);
}

/* The document as another program reads it. */
static json_t *read_back(const struct sw_report *report)
{
	char *text;
	json_error_t problem;

	assert_null(sw_report_json(report, &text));
	assert_int_equal(text[strlen(text) - 1], '\n');
	json_t *document = json_loads(text, 0, &problem);
	free(text);
	assert_non_null(document);
	return document;
}

static void add_roots(struct sw_report *report)
{
	static const char path[] = "github.com/some/long/import/path/v3.registryOfThings";

	sw_report_table(report, "roots",
			"root kind retained_bytes retained_objects share_fraction "
			"accumulation.type path");
	for (int i = 0; i < 2; i++)
		sw_report_row(report, "roots",
			      json_pack("{s:s, s:s, s:I, s:I, s:f, s:[s, s], s:{s:s, s:i}}", "root",
					i ? path : "main.sessions", "kind", "global",
					"retained_bytes", (json_int_t)1288490188 >> 4 * i,
					"retained_objects", (json_int_t)123456 >> 8 * i,
					"share_fraction", i ? 0.0234 : 0.372, "path",
					"main.sessions", "[\"k\"].parser.buf", "accumulation",
					"type", "main.session", "objects", 1200));
	sw_report_omitted(report, "roots", 1220, 20);
}

static struct sw_report *make_leak_roots(void)
{
	struct sw_report *report = make("leak-roots");
	struct sw_warnings warnings = {0};

	sw_report_sentence(report, "main.sessions holds %s of %s, mostly [40]main.session.",
			   "1.2 GiB", "3.2 GiB");
	sw_report_sentence(report, "It grew since the last collection.");
	sw_report_summary(report, "live_objects", sw_json_bytes(1234567));
	sw_report_summary(report, "live_bytes", sw_json_bytes(1610612736));
	sw_report_summary(report, "exact", json_true());
	sw_report_summary(report, "pause_seconds", json_real(1.23));
	sw_report_summary(report, "held",
			  json_pack("{s:s, s:f}", "type", "main.T", "share_fraction", 0.3721));
	sw_report_finding(report, SW_GRADE_P1, "leak", "main.sessions grows without bound.", NULL,
			  "who-holds 0xc000012340");
	add_roots(report);
	sw_report_table(report, "shared", NULL);
	sw_warn(&warnings, true, "truncated_core", "copy the whole core", "the core ends early");
	sw_warn(&warnings, true, "truncated_core", NULL, "the core ends early");
	sw_report_warnings(report, &warnings);
	sw_report_warnings(report, &warnings);
	sw_warnings_clear(&warnings);
	sw_report_next(report, "who-holds 0x%x", 0x12340);
	return report;
}

/* Places, labels, and arrays of which a few items are shown. */
static void test_places(void **state)
{
	struct sw_report *report = make("goroutines");

	(void)state;
	sw_report_table(report, "clusters", "count frames#2 created_by goids#3 labels");
	sw_report_row(report, "clusters",
		      json_pack("{s:i, s:[{s:s, s:s, s:i, s:b}, {s:s, s:s, s:i}, {s:s, s:s, s:i}],"
				" s:{s:s, s:s, s:i, s:i}, s:[i, i, i, i], s:{s:s, s:s}}",
				"count", 4, "frames", "function", "main.get", "file", "/a/get.go",
				"line", 7, "inlined", 1, "function", "main.run", "file", "run.go",
				"line", 0, "function", "main.main", "file", "", "line", 9,
				"created_by", "function", "main.main", "file", "m/main.go", "line",
				12, "goroutine", 1, "goids", 1, 20, 3000, 4, "labels", "size_bytes",
				"10", "tenant", "acme"));
	sw_report_row(report, "clusters",
		      json_pack("{s:i, s:[], s:n, s:[i], s:{}}", "count", 1, "frames", "created_by",
				"goids", 5, "labels"));
	check_text(report, 0,
		   "clusters:\n"
		   "COUNT\n"
		   "    4\n"
		   "    frames: main.get (get.go:7, inlined)\n"
		   "            main.run (run.go)\n"
		   "            … 1 more\n"
		   "    created by: main.main (main.go:12) in goroutine 1\n"
		   "    goids: 1, 20, 3000 … 1 more\n"
		   "    labels: size_bytes=10, tenant=acme\n"
		   "    1\n"
		   "    frames: none\n"
		   "    goids: 5\n");
}

static void test_text_uncut(void **state)
{
	(void)state;
	check_text(make_leak_roots(), 0,
		   "Analysed in part: the warnings below say what is missing.\n"
		   "\n"
		   "main.sessions holds 1.2 GiB of 3.2 GiB, mostly [40]main.session.\n"
		   "It grew since the last collection.\n"
		   "\n"
		   "live objects  1,234,567\n"
		   "live          1.5 GiB\n"
		   "exact         yes\n"
		   "pause         1.2 s\n"
		   "held type     main.T\n"
		   "held share    37.2 %\n"
		   "\n"
		   "P1  main.sessions grows without bound.\n"
		   "    next: who-holds 0xc000012340\n"
		   "\n"
		   "roots:\n"
		   "ROOT                                                  KIND    RETAINED  "
		   "RETAINED OBJECTS   SHARE  ACCUMULATION TYPE\n"
		   "main.sessions                                         global   1.2 GiB  "
		   "         123,456  37.2 %  main.session\n"
		   "    path: main.sessions\n"
		   "          [\"k\"].parser.buf\n"
		   "github.com/some/long/import/path/v3.registryOfThings  global  76.8 MiB  "
		   "             482   2.3 %  main.session\n"
		   "    path: main.sessions\n"
		   "          [\"k\"].parser.buf\n"
		   "… 1,200 more, --limit 0 shows all\n"
		   "\n"
		   "shared: none\n"
		   "\n"
		   "warning: the core ends early (2 times); copy the whole core\n"
		   "\n"
		   "next: who-holds 0x12340\n");
}

static void test_text_of_a_terminal(void **state)
{
	(void)state;
	check_text(make_leak_roots(), 80,
		   "Analysed in part: the warnings below say what is missing.\n"
		   "\n"
		   "main.sessions holds 1.2 GiB of 3.2 GiB, mostly [40]main.session.\n"
		   "It grew since the last collection.\n"
		   "\n"
		   "live objects  1,234,567\n"
		   "live          1.5 GiB\n"
		   "exact         yes\n"
		   "pause         1.2 s\n"
		   "held type     main.T\n"
		   "held share    37.2 %\n"
		   "\n"
		   "P1  main.sessions grows without bound.\n"
		   "    next: who-holds 0xc000012340\n"
		   "\n"
		   "roots:\n"
		   "ROOT               KIND    RETAINED  RETAINED OBJECTS   SHARE  ACCUMULATION "
		   "TYPE\n"
		   "main.sessions      global   1.2 GiB           123,456  37.2 %  main.session\n"
		   "    path: main.sessions\n"
		   "          [\"k\"].parser.buf\n"
		   "githu…tryOfThings  global  76.8 MiB               482   2.3 %  main.session\n"
		   "    path: main.sessions\n"
		   "          [\"k\"].parser.buf\n"
		   "… 1,200 more, --limit 0 shows all\n"
		   "\n"
		   "shared: none\n"
		   "\n"
		   "warning: the core ends early (2 times); copy the whole core\n"
		   "\n"
		   "next: who-holds 0x12340\n");
}

static void test_wrapping(void **state)
{
	struct sw_report *report = make("stack");

	(void)state;
	sw_report_sentence(report, "Four goroutines wait for a channel that nothing holds.");
	sw_report_finding(report, SW_GRADE_P2, "x",
			  "main.verylongnameofafunctionthatstaysinonepiece is stuck", NULL, NULL);
	sw_report_table(report, "clusters", NULL);
	sw_report_row(report, "clusters",
		      json_pack("{s:i, s:s, s:f, s:[iiiiii], s:[ss], s:{s:s, s:i}}", "count", 6,
				"state", "waiting", "wait_seconds", 3700.0, "goids", 1001, 1002,
				1003, 1004, 1005, 1006, "frames", "main.serve",
				"net/http.(*conn).serve", "held", "type", "main.T", "bytes", 2048));
	sw_report_next(report, "stack 1001 and a command that is never wrapped");
	check_text(report, 40,
		   "Four goroutines wait for a channel that\n"
		   "nothing holds.\n"
		   "\n"
		   "P2  main.verylongnameofafunctionthatstaysinonepiece\n"
		   "    is stuck\n"
		   "\n"
		   "clusters:\n"
		   "COUNT  STATE         WAIT\n"
		   "    6  waiting  1 h 1 min\n"
		   "    goids: 1001, 1002, 1003, 1004, 1005,\n"
		   "           1006\n"
		   "    frames: main.serve\n"
		   "            net/http.(*conn).serve\n"
		   "    held: type main.T, bytes 2.0 KiB\n"
		   "\n"
		   "next: stack 1001 and a command that is never wrapped\n");
}

static void test_empty(void **state)
{
	(void)state;
	check_text(make("heap"), 80, "nothing to show\n");
}

/* Columns that the first row lacks are shown below the rows that have them; what is missing or
 * null is "-". Width 20 cannot be kept: numbers are never cut. */
static void test_uneven_rows(void **state)
{
	struct sw_report *report = make("find");

	(void)state;
	sw_report_row(report, "objects",
		      json_pack("{s:s, s:i}", "type", "main.A", "size_bytes", 1));
	sw_report_row(report, "objects", json_pack("{s:n, s:s}", "type", "note", "odd"));
	sw_report_row(report, "objects",
		      json_pack("{s:s, s:I}", "type", "main.verylongtypename", "size_bytes",
				(json_int_t)-2048));
	check_text(report, 20,
		   "objects:\n"
		   "TYPE                  SIZE\n"
		   "main.A                 1 B\n"
		   "-                        -\n"
		   "    note: odd\n"
		   "main.…ngtypename  -2.0 KiB\n");
}

static void test_nothing_reaches_the_terminal_as_an_escape(void **state)
{
	struct sw_report *report = make("find");
	static const char name[] = "main.\x1b[31mred\x07\xff\xc0\x80 \xe2\x80\xae"
				   "kcab\n\xe6\xbc\xa2\0z";

	(void)state;
	sw_report_sentence(report, "type \x1b]0;title\x07 \xff");
	sw_report_summary(report, "type", sw_json_text(name, sizeof(name) - 1));
	sw_report_summary(report, "\x1b[0m", json_true());
	sw_report_row(
		report, "objects",
		json_pack("{s:o, s:i}", "type", sw_json_text(name, sizeof(name) - 1), "n", 1));
	check_text(report, 0,
		   "type \\u001b]0;title\\u0007 \xef\xbf\xbd\n"
		   "\n"
		   "type       main.\\u001b[31mred\\u0007\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd "
		   "\\u202ekcab \xe6\xbc\xa2\\u0000z\n"
		   "\\u001b[0m  yes\n"
		   "\n"
		   "objects:\n"
		   "TYPE                                              N\n"
		   "main.\\u001b[31mred\\u0007\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd "
		   "\\u202ekcab \xe6\xbc\xa2\\u0000z  1\n");
}

/* A host may have any locale: the text is the same. */
static void test_locale_of_the_host(void **state)
{
	char *plain, *other;
	struct sw_report *report = make_leak_roots();

	(void)state;
	sw_report_sentence(report, "漢字 %s", "naïve");
	assert_null(sw_report_text(report, 80, &plain));
	locale_t host = newlocale(LC_ALL_MASK, "C.UTF-8", (locale_t)0);
	locale_t before = host ? uselocale(host) : (locale_t)0;
	assert_null(sw_report_text(report, 80, &other));
	assert_string_equal(plain, other);
	if (host) {
		assert_ptr_equal(uselocale(before), host);
		freelocale(host);
	}
	free(plain);
	free(other);
	sw_report_free(report);
}

static void test_json(void **state)
{
	static const char *const keys[] = {"schema",   "command", "target",    "complete",
					   "warnings", "summary", "sentences", "findings",
					   "tables",   "omitted", "next"};
	struct sw_report *report = make_leak_roots();
	json_t *value;
	const char *key;
	size_t index = 0;

	(void)state;
	sw_report_target(report, json_pack("{s:s, s:i}", "kind", "process", "pid", 7));
	json_t *document = read_back(report);
	json_object_foreach(document, key, value)
	{
		assert_in_range(index, 0, sizeof(keys) / sizeof(*keys) - 1);
		assert_string_equal(key, keys[index++]);
	}
	assert_int_equal(index, sizeof(keys) / sizeof(*keys));
	assert_true(json_equal(document, report->document));
	assert_true(json_is_false(json_object_get(document, "complete")));
	assert_int_equal(json_array_size(json_object_get(document, "warnings")), 1);
	assert_int_equal(json_array_size(sw_report_rows(report, "roots")), 2);
	assert_null(sw_report_rows(report, "none"));
	json_decref(document);
	sw_report_free(report);
}

static void test_json_is_whole(void **state)
{
	struct sw_report *report = make("heap");
	char *text;

	(void)state;
	sw_report_summary(report, "live_fraction", json_real(0.1));
	sw_report_summary(report, "at", sw_json_address(0xc000012340));
	assert_null(sw_report_json(report, &text));
	assert_string_equal(text, "{\n"
				  "  \"schema\": \"spanwalk.report/1\",\n"
				  "  \"command\": \"heap\",\n"
				  "  \"target\": {},\n"
				  "  \"complete\": true,\n"
				  "  \"warnings\": [],\n"
				  "  \"summary\": {\n"
				  "    \"live_fraction\": 0.1,\n"
				  "    \"at\": \"0xc000012340\"\n"
				  "  },\n"
				  "  \"sentences\": [],\n"
				  "  \"findings\": [],\n"
				  "  \"tables\": {},\n"
				  "  \"omitted\": {},\n"
				  "  \"next\": []\n"
				  "}\n");
	free(text);
	sw_report_free(report);
}

static void test_lost_values_are_told(void **state)
{
	struct sw_report *report = make("heap");

	(void)state;
	sw_report_summary(report, "nothing", NULL);
	sw_report_row(report, "types", json_pack("{s:s}", "type", "\xff"));
	assert_false(report->complete);
	assert_int_equal(json_array_size(sw_report_rows(report, "types")), 0);
	json_t *warning = json_array_get(json_object_get(report->document, "warnings"), 0);
	assert_string_equal(json_string_value(json_object_get(warning, "code")), "value_lost");
	assert_int_equal(json_integer_value(json_object_get(warning, "count")), 2);
	sw_report_free(report);
}

static void test_grades(void **state)
{
	struct sw_report *report = make("triage");

	(void)state;
	assert_int_equal(report->worst, SW_GRADE_NONE);
	sw_report_finding(report, SW_GRADE_P3, "a", "a", json_object(), NULL);
	sw_report_finding(report, SW_GRADE_P1, "b", "b", NULL, "heap");
	sw_report_finding(report, SW_GRADE_P2, "c", "c", NULL, NULL);
	assert_int_equal(report->worst, SW_GRADE_P1);
	sw_report_free(report);
}

static void test_warnings_grow(void **state)
{
	struct sw_report *report = make("heap");
	struct sw_warnings warnings = {0};
	json_t *all = json_object_get(report->document, "warnings");

	(void)state;
	sw_warn(&warnings, false, "odd_span", NULL, "span at 0x%x", 16);
	sw_report_warnings(report, &warnings);
	assert_true(report->complete);
	for (int i = 0; i < 1499; i++)
		sw_warn(&warnings, i == 1498, "odd_span", NULL, "another");
	sw_report_warnings(report, &warnings);
	assert_false(report->complete);
	assert_int_equal(json_array_size(all), 1);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(all, 0), "count")),
			 1500);
	sw_warnings_clear(&warnings);
	check_text(report, 0,
		   "Analysed in part: the warnings below say what is missing.\n"
		   "\n"
		   "warning: span at 0x10 (1,500 times)\n");
}

static void check_bytes(uint64_t bytes, const char *expected)
{
	char text[16];

	assert_string_equal(sw_text_bytes(bytes, text), expected);
}

static void test_numbers(void **state)
{
	char text[32];

	(void)state;
	check_bytes(0, "0 B");
	check_bytes(1023, "1023 B");
	check_bytes(1024, "1.0 KiB");
	check_bytes(1536, "1.5 KiB");
	check_bytes(1048575, "1.0 MiB");
	check_bytes(1288490189, "1.2 GiB");
	check_bytes((uint64_t)5 << 50, "5.0 PiB");
	check_bytes(UINT64_MAX, "16.0 EiB");
	assert_string_equal(sw_text_count(0, text), "0");
	assert_string_equal(sw_text_count(999, text), "999");
	assert_string_equal(sw_text_count(1234567, text), "1,234,567");
	assert_string_equal(sw_text_count(UINT64_MAX, text), "18,446,744,073,709,551,615");
}

static void check_value(const char *key, json_t *value, const char *expected)
{
	char *text = sw_text_value(key, value);

	assert_non_null(text);
	assert_string_equal(text, expected);
	free(text);
	json_decref(value);
}

static void test_values(void **state)
{
	(void)state;
	check_value("share_fraction", json_real(0.37249), "37.2 %");
	check_value("share_fraction", json_real(0.0001), "<0.1 %");
	check_value("share_fraction", json_integer(1), "100.0 %");
	check_value("growth_fraction", json_real(-0.5), "-50.0 %");
	check_value("seconds", json_real(0.0123), "12 ms");
	check_value("wait_seconds", json_real(1.25), "1.3 s");
	check_value("wait_seconds", json_integer(61), "1 min 1 s");
	check_value("wait_seconds", json_integer(3 * 86400 + 3600), "3 d 1 h");
	check_value("wait_seconds", json_real(-1), "?");
	check_value("goid", json_integer(1234567), "1234567");
	check_value("goroutines", json_integer(1234567), "1,234,567");
	check_value("bytes", json_integer(INT64_MIN), "-8.0 EiB");
	check_value("ratio", json_real(1234.5), "1,234.5");
	check_value("ratio", json_real(-2), "-2");
	check_value("ratio", json_real(1e300), "?");
	check_value("exact", json_false(), "no");
	check_value("exact", json_null(), "-");
	check_value("list", json_pack("[i, s, {s:i, s:b}]", 1000, "a", "b_bytes", 1024, "c", 1),
		    "1,000, a, b 1.0 KiB, c yes");
	check_value("big", sw_json_bytes(UINT64_MAX), "9,223,372,036,854,775,807");
}

/* Deeper than any report: neither endless nor a stack overflow. */
static void test_depth(void **state)
{
	json_t *value = json_integer(1);

	(void)state;
	for (int i = 0; i < 100; i++)
		value = json_pack("[o]", value);
	check_value("deep", value, "…");
}

static void check_shortened(const char *text, size_t limit, const char *expected)
{
	char *shorter = sw_text_shorten(text, limit);

	assert_string_equal(shorter, expected);
	assert_true(sw_text_width(shorter) <= limit);
	free(shorter);
}

static void test_shorten(void **state)
{
	struct sw_text_locale locale;

	(void)state;
	sw_text_enter(&locale);
	check_shortened("main.sessions", 13, "main.sessions");
	check_shortened("main.sessions", 10, "mai…ssions");
	check_shortened("漢漢漢漢漢漢", 8, "漢…漢漢");
	check_shortened("abcdef", 3, "…ef");
	sw_text_leave(&locale);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_text_uncut),
		cmocka_unit_test(test_text_of_a_terminal),
		cmocka_unit_test(test_wrapping),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_uneven_rows),
		cmocka_unit_test(test_nothing_reaches_the_terminal_as_an_escape),
		cmocka_unit_test(test_locale_of_the_host),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_is_whole),
		cmocka_unit_test(test_lost_values_are_told),
		cmocka_unit_test(test_grades),
		cmocka_unit_test(test_warnings_grow),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_shorten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
