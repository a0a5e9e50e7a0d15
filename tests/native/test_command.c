/* Options, help, exit status and output of commands, with a table of two commands in place of the
 * real ones and no session behind them. */
#include "command/command.h"
#include "command/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the stand-ins ---- */

static struct sw_error *run_roots(struct sw_session *session, const struct sw_arguments *arguments,
				  struct sw_report *report)
{
	(void)session;
	if (sw_arguments_flag(arguments, "fail"))
		return sw_error_format(SW_ERR_FORMAT, "no Go program");
	sw_report_sentence(report, "%u threads, by %s",
			   (unsigned)sw_arguments_number(arguments, "threads"),
			   sw_arguments_text(arguments, "by"));
	sw_report_finding(report, SW_GRADE_P2, "leak", "leaks", NULL, NULL);
	return NULL;
}

static const struct sw_option roots_options[] = {
	{"by", SW_OPTION_CHOICE, "root|type|package", "root|type|package", "root",
	 "what to sum up"},
	{"min-fraction", SW_OPTION_FRACTION, "SHARE", NULL, "1%",
	 "leave out what holds less of the live heap than this"},
	{"min-bytes", SW_OPTION_SIZE, "SIZE", NULL, NULL, "the same in bytes"},
	{"fail", SW_OPTION_FLAG, NULL, NULL, NULL, "fail"},
	{0},
};

static const struct sw_command roots = {
	.name = "leak-roots",
	.usage = "",
	.summary = "which roots hold the memory",
	.help = "Memory by root, with the path from the root to the place where it has piled up. "
		"A second sentence makes this wrap.\n\n    root -> object\n\nEnd.",
	.example = "spanwalk leak-roots app.core --limit 5\nthe five largest",
	.options = roots_options,
	.run = run_roots,
};

static const struct sw_command who_holds = {
	.name = "who-holds",
	.usage = "ADDR",
	.summary = "every root and path that keeps an object",
	.example = "spanwalk who-holds --pid 12 0xc000012340",
	.positionals = 1,
	.run = run_roots,
};

const struct sw_command *const sw_commands[] = {&roots, &who_holds, NULL};

void sw_session_describe(struct sw_session *session, struct sw_report *report)
{
	(void)session;
	sw_report_target(report, json_pack("{s:s}", "kind", "core"));
}

/* ---- arguments ---- */

enum { WORDS_MAX = 8 };

#define WORDS(...) ((const char *[WORDS_MAX + 1]){__VA_ARGS__})

static int count_words(const char *const *words)
{
	int count = 0;

	while (words[count])
		count++;
	return count;
}

static void parse(const struct sw_command *command, const char *const *words,
		  struct sw_arguments *out)
{
	assert_null(sw_arguments_parse(command, count_words(words), words, out));
}

/* Both the way of hosts and that of the program, whose messages differ in the usage only. */
static void check_refused(const struct sw_command *command, bool is_program,
			  const char *const *words, const char *message, const char *hint)
{
	struct sw_arguments arguments;
	struct sw_error *error =
		is_program
			? sw_arguments_parse_program(command, count_words(words), words, &arguments)
			: sw_arguments_parse(command, count_words(words), words, &arguments);

	assert_non_null(error);
	assert_int_equal(error->code, SW_ERR_USAGE);
	assert_int_equal(sw_error_status(error), SW_STATUS_USAGE);
	assert_string_equal(error->message, message);
	assert_string_equal(error->hint, hint);
	sw_error_free(error);
	sw_arguments_free(&arguments);
}

static void test_defaults(void **state)
{
	struct sw_arguments arguments;

	(void)state;
	parse(&roots, WORDS(NULL), &arguments);
	assert_false(sw_arguments_flag(&arguments, "json"));
	assert_null(sw_arguments_text(&arguments, "output"));
	assert_null(sw_arguments_text(&arguments, "no-such-option"));
	assert_string_equal(sw_arguments_text(&arguments, "by"), "root");
	assert_int_equal(sw_arguments_limit(&arguments), 20);
	assert_int_equal(sw_arguments_number(&arguments, "threads"), 0);
	assert_int_equal(sw_arguments_size(&arguments, "min-bytes"), 0);
	assert_true(sw_arguments_fraction(&arguments, "min-fraction") == 0.01);
	sw_arguments_free(&arguments);
}

static void test_values(void **state)
{
	struct sw_arguments arguments;

	(void)state;
	parse(&roots,
	      WORDS("--json", "--limit=0", "--min-fraction", "5%", "--by=type", "--min-bytes",
		    "1.5KiB", "--by=package"),
	      &arguments);
	assert_true(sw_arguments_flag(&arguments, "json"));
	assert_int_equal(sw_arguments_limit(&arguments), UINT64_MAX);
	assert_true(sw_arguments_fraction(&arguments, "min-fraction") == 0.05);
	assert_string_equal(sw_arguments_text(&arguments, "by"), "package");
	assert_int_equal(sw_arguments_size(&arguments, "min-bytes"), 1536);
	sw_arguments_free(&arguments);
}

static void test_address(void **state)
{
	struct sw_arguments arguments;
	sw_addr address;

	(void)state;
	parse(&who_holds, WORDS("--quiet", "0xC000012340", "--limit", "3"), &arguments);
	assert_int_equal(arguments.positional_count, 1);
	assert_null(sw_arguments_address(&arguments, 0, &address));
	assert_int_equal(address, 0xc000012340);
	sw_arguments_free(&arguments);

	parse(&who_holds, WORDS("--", "--json"), &arguments);
	assert_false(sw_arguments_flag(&arguments, "json"));
	struct sw_error *error = sw_arguments_address(&arguments, 0, &address);
	assert_string_equal(error->message, "who-holds: \"--json\" is no address");
	assert_int_equal(address, 0);
	sw_error_free(error);
	sw_error_free(sw_arguments_address(&arguments, 1, &address));
	sw_arguments_free(&arguments);
}

static void test_program_words(void **state)
{
	struct sw_arguments arguments;
	const char *const *words = WORDS("--json", "a.core", "--exe", "app", "0x10");

	(void)state;
	assert_null(sw_arguments_parse_program(&who_holds, count_words(words), words, &arguments));
	assert_string_equal(arguments.target, "a.core");
	assert_string_equal(sw_arguments_text(&arguments, "exe"), "app");
	assert_int_equal(arguments.positional_count, 1);
	assert_string_equal(arguments.positional[0], "0x10");
	sw_arguments_free(&arguments);

	words = WORDS("0x10", "--pid", "12");
	assert_null(sw_arguments_parse_program(&who_holds, count_words(words), words, &arguments));
	assert_null(arguments.target);
	assert_int_equal(sw_arguments_number(&arguments, "pid"), 12);
	assert_string_equal(arguments.positional[0], "0x10");
	sw_arguments_free(&arguments);
}

/* --help asks for nothing else, wherever it stands. */
static void test_help_needs_no_target(void **state)
{
	struct sw_arguments arguments;
	const char *const *words = WORDS("-h");

	(void)state;
	assert_null(sw_arguments_parse_program(&who_holds, 1, words, &arguments));
	assert_true(sw_arguments_flag(&arguments, "help"));
	sw_arguments_free(&arguments);
}

static void test_refused(void **state)
{
	(void)state;
	check_refused(&roots, false, WORDS("--jsno"), "leak-roots: unknown option --jsno",
		      "did you mean --json?");
	check_refused(&roots, false, WORDS("--min-fractoin=2"),
		      "leak-roots: unknown option --min-fractoin", "did you mean --min-fraction?");
	check_refused(&roots, false, WORDS("--max"), "leak-roots: unknown option --max",
		      "did you mean --max-memory?");
	check_refused(&roots, false, WORDS("-j"), "leak-roots: unknown option -j",
		      "leak-roots --help lists the options");
	check_refused(&roots, false, WORDS("--exe", "x"), "leak-roots: unknown option --exe",
		      "leak-roots --help lists the options");
	check_refused(&roots, false, WORDS("--limit"), "leak-roots: --limit needs a value",
		      "--limit N: rows of each table; 0 shows all");
	check_refused(&roots, false, WORDS("--output", "--json"),
		      "leak-roots: --output needs a value",
		      "--output FILE: write the report to FILE, whole or not at all");
	check_refused(&roots, false, WORDS("--output="),
		      "leak-roots: \"\" is no value for --output", "--output takes a value");
	check_refused(&roots, false, WORDS("--json=yes"), "leak-roots: --json takes no value",
		      "--json: the report as one JSON document");
	check_refused(&roots, false, WORDS("--limit", "-1"),
		      "leak-roots: \"-1\" is no value for --limit",
		      "--limit takes a number, such as 20 or 0x14");
	check_refused(&roots, false, WORDS("--by", "roots"),
		      "leak-roots: \"roots\" is no value for --by",
		      "--by takes one of root|type|package");
	check_refused(&roots, false, WORDS("--min-fraction=101%"),
		      "leak-roots: \"101%\" is no value for --min-fraction",
		      "--min-fraction takes a share, such as 0.05 or 5%");
	check_refused(&roots, false, WORDS("a"), "leak-roots: one argument too many: a",
		      "usage: leak-roots [options]");
	check_refused(&roots, false, WORDS("1", "2", "3", "4", "5"),
		      "leak-roots: too many arguments: 5", "usage: leak-roots [options]");
	check_refused(&who_holds, true, WORDS("a.core"), "who-holds: ADDR is missing",
		      "usage: spanwalk who-holds TARGET ADDR [options]");
	check_refused(&roots, true, WORDS("--json"), "leak-roots: no target",
		      "give a core file, or --pid PID");
}

static void test_apply(void **state)
{
	struct sw_arguments arguments;
	struct sw_work work = {.workers = 2, .max_memory = 7};

	(void)state;
	parse(&roots, WORDS(NULL), &arguments);
	sw_arguments_apply(&arguments, &work);
	assert_int_equal(work.workers, 2);
	assert_int_equal(work.max_memory, 7);
	sw_arguments_free(&arguments);
	parse(&roots, WORDS("--threads=1000", "--max-memory=2G"), &arguments);
	sw_arguments_apply(&arguments, &work);
	assert_int_equal(work.workers, SW_MAX_WORKERS);
	assert_int_equal(work.max_memory, (uint64_t)2 << 30);
	sw_arguments_free(&arguments);
}

/* ---- words ---- */

static void test_numbers(void **state)
{
	static const char *const wrong[] = {"",	   "-1",  "+1",	  " 1",
					    "1 ",  "0x",  "0xg",  "12a",
					    "1.0", "1e3", "0x1x", "18446744073709551616"};
	uint64_t number;

	(void)state;
	assert_true(sw_words_number("18446744073709551615", &number));
	assert_int_equal(number, UINT64_MAX);
	assert_true(sw_words_number("0XfF", &number));
	assert_int_equal(number, 255);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_false(sw_words_number(wrong[i], &number));
}

static void test_sizes(void **state)
{
	static const struct {
		const char *word;
		uint64_t bytes;
	} right[] = {
		{"0", 0},
		{"4096", 4096},
		{"100KiB", 102400},
		{"512M", (uint64_t)512 << 20},
		{"1.5GiB", (uint64_t)3 << 29},
		{"1.5 gb", (uint64_t)3 << 29},
		{"7b", 7},
		{".5k", 512},
		{"16383P", (uint64_t)16383 << 50},
	};
	static const char *const wrong[] = {
		"",	"M",	 "-1M", "1..5M",  "1X",
		"1MiX", "1 M M", "1iB", "16384P", "1234567890123456789"};
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(right) / sizeof(*right); i++) {
		assert_true(sw_words_size(right[i].word, &bytes));
		assert_int_equal(bytes, right[i].bytes);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_false(sw_words_size(wrong[i], &bytes));
}

static void test_durations(void **state)
{
	static const struct {
		const char *word;
		uint64_t ns;
	} right[] = {
		{"0", 0},
		{"90s", 90000000000},
		{"5m", 300000000000},
		{"1h30m", 5400000000000},
		{"1.5h", 5400000000000},
		{"2d", 172800000000000},
		{"250ms", 250000000},
		{"1m0.5s", 60500000000},
	};
	static const char *const wrong[] = {"",	   "5",	 "5 m",	 "m",		"-5m",
					    "5mm", "5y", "1h30", "99999999999d"};
	uint64_t ns;

	(void)state;
	for (size_t i = 0; i < sizeof(right) / sizeof(*right); i++) {
		assert_true(sw_words_duration(right[i].word, &ns));
		assert_int_equal(ns, right[i].ns);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_false(sw_words_duration(wrong[i], &ns));
}

static void test_fractions(void **state)
{
	static const char *const wrong[] = {"", "%", "1.1", "-0.1", "100.1%", "5%%", "nan", "0,5"};
	double fraction;

	(void)state;
	assert_true(sw_words_fraction("0.05", &fraction) && fraction == 0.05);
	assert_true(sw_words_fraction("5%", &fraction) && fraction == 0.05);
	assert_true(sw_words_fraction("0.1%", &fraction) && fraction == 0.001);
	assert_true(sw_words_fraction("1", &fraction) && fraction == 1);
	assert_true(sw_words_fraction("100 %", &fraction) && fraction == 1);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_false(sw_words_fraction(wrong[i], &fraction));
}

static void test_choices(void **state)
{
	(void)state;
	assert_true(sw_words_choice("a", "a|bc"));
	assert_true(sw_words_choice("bc", "a|bc"));
	assert_false(sw_words_choice("b", "a|bc"));
	assert_false(sw_words_choice("a|bc", "a|bc"));
	assert_false(sw_words_choice("", "a|bc"));
}

static void test_unknown_command(void **state)
{
	struct sw_error *error = sw_command_unknown("leek-roots");

	(void)state;
	assert_ptr_equal(sw_command_find("who-holds"), &who_holds);
	assert_null(sw_command_find("who"));
	assert_string_equal(error->message, "unknown command leek-roots");
	assert_string_equal(error->hint, "did you mean leak-roots?");
	sw_error_free(error);
	error = sw_command_unknown("a-name-that-is-much-longer-than-that-of-any-command");
	assert_string_equal(error->hint, "help lists the commands");
	sw_error_free(error);
}

/* ---- running ---- */

static enum sw_status status_of(const char *const *words, bool is_complete)
{
	struct sw_arguments arguments;
	struct sw_report *report;

	parse(&roots, words, &arguments);
	assert_null(sw_command_run(NULL, &arguments, &report));
	report->complete = is_complete;
	enum sw_status status = sw_command_status(report, &arguments);
	sw_report_free(report);
	sw_arguments_free(&arguments);
	return status;
}

/* The stand-in finds a P2. */
static void test_status(void **state)
{
	(void)state;
	assert_int_equal(status_of(WORDS(NULL), true), SW_STATUS_OK);
	assert_int_equal(status_of(WORDS(NULL), false), SW_STATUS_PARTIAL);
	assert_int_equal(status_of(WORDS("--fail-on", "P1"), true), SW_STATUS_OK);
	assert_int_equal(status_of(WORDS("--fail-on", "P1"), false), SW_STATUS_PARTIAL);
	assert_int_equal(status_of(WORDS("--fail-on=P2"), true), SW_STATUS_FINDINGS);
	assert_int_equal(status_of(WORDS("--fail-on=P3"), false), SW_STATUS_FINDINGS);
}

static void test_no_report_on_error(void **state)
{
	struct sw_arguments arguments;
	struct sw_report *report;

	(void)state;
	parse(&roots, WORDS("--fail"), &arguments);
	struct sw_error *error = sw_command_run(NULL, &arguments, &report);
	assert_null(report);
	assert_int_equal(sw_error_status(error), SW_STATUS_TARGET);
	error->code = SW_ERR_INTERRUPTED;
	assert_int_equal(sw_error_status(error), SW_STATUS_INTERRUPTED);
	sw_error_free(error);
	sw_arguments_free(&arguments);
}

static char *render(const char *const *words)
{
	struct sw_arguments arguments;
	struct sw_report *report;
	char *text;

	parse(&roots, words, &arguments);
	assert_null(sw_command_run(NULL, &arguments, &report));
	assert_null(sw_command_render(report, &arguments, 10, &text));
	sw_report_free(report);
	sw_arguments_free(&arguments);
	return text;
}

static void test_render(void **state)
{
	char *text = render(WORDS("--threads=3"));

	(void)state;
	assert_string_equal(text, "3 threads,\nby root\n\nP2  leaks\n");
	free(text);
	text = render(WORDS("--threads=3", "--output=/dev/null"));
	assert_string_equal(text, "3 threads, by root\n\nP2  leaks\n");
	free(text);
	text = render(WORDS("--json"));
	json_t *document = json_loads(text, 0, NULL);
	free(text);
	assert_string_equal(json_string_value(json_object_get(document, "command")), "leak-roots");
	assert_non_null(json_object_get(json_object_get(document, "target"), "kind"));
	json_decref(document);
}

static void check_file(const char *path, const char *expected)
{
	char text[64];
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = 0;
	fclose(file);
	assert_string_equal(text, expected);
}

static void test_write(void **state)
{
	char folder[] = "/tmp/spanwalk-test-XXXXXX";
	struct stat status;

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_return_code(chdir(folder), 0);
	assert_null(sw_command_write("report", "one\n"));
	check_file("report", "one\n");
	assert_return_code(symlink("report", "link"), 0);
	assert_null(sw_command_write("link", "two\n"));
	check_file("report", "two\n");
	assert_return_code(lstat("link", &status), 0);
	assert_true(S_ISLNK(status.st_mode));
	assert_null(sw_command_write("/dev/null", "lost\n"));

	assert_null(sw_command_probe("report"));
	assert_null(sw_command_probe("new"));
	sw_error_free(sw_command_probe("none/report"));
	struct sw_error *error = sw_command_write("none/report", "three\n");
	assert_string_equal(error->message, "cannot create none/report: No such file or directory");
	sw_error_free(error);
	error = sw_command_write("/dev/full", "four\n");
	assert_int_equal(error->code, SW_ERR_IO);
	sw_error_free(error);

	/* Nothing is left beside it: the folder is empty once these are gone. */
	assert_return_code(unlink("report") | unlink("link"), 0);
	assert_return_code(chdir("/"), 0);
	assert_return_code(rmdir(folder), 0);
}

/* ---- help ---- */

static void check_help(const struct sw_command *command, const char *program, const char *expected)
{
	char *text = sw_command_help(command, program);

	assert_string_equal(text, expected);
	free(text);
}

static void test_help(void **state)
{
	(void)state;
	check_help(
		&roots, "spanwalk ",
		"usage: spanwalk leak-roots TARGET [options]\n"
		"\n"
		"which roots hold the memory\n"
		"\n"
		"Memory by root, with the path from the root to the place where it has piled up.\n"
		"A second sentence makes this wrap.\n"
		"\n"
		"    root -> object\n"
		"\n"
		"End.\n"
		"\n"
		"options:\n"
		"  --by root|type|package  what to sum up (default root)\n"
		"  --min-fraction SHARE    leave out what holds less of the live heap than this\n"
		"                          (default 1%)\n"
		"  --min-bytes SIZE        the same in bytes\n"
		"  --fail                  fail\n"
		"\n"
		"options of every command:\n"
		"  --json                  the report as one JSON document\n"
		"  --output FILE           write the report to FILE, whole or not at all\n"
		"  --limit N               rows of each table; 0 shows all (default 20)\n"
		"  --threads N             threads to work with (all processors)\n"
		"  --max-memory SIZE       use no more memory than this: 512M, 1.5GiB\n"
		"  --timing                on stderr at the end: what each stage cost (the\n"
		"                          program only)\n"
		"  --quiet                 no progress on the terminal\n"
		"  --fail-on P0|P1|P2|P3   exit status 1 at a finding this grave or graver\n"
		"  --help                  this help\n"
		"\n"
		"TARGET is a core file (also .zst), or --pid names a process:\n"
		"  --pid PID               a running process in place of a core file\n"
		"  --exe FILE              the executable, where the core does not lead to it\n"
		"  --sysroot DIR           where the files of another machine's core are\n"
		"  --symbols FILE          names and types from the same build before it was\n"
		"                          stripped\n"
		"  --index                 keep what was found beside the core, for a quick start\n"
		"                          next time\n"
		"  --no-index              take nothing from such an index\n"
		"\n"
		"example:\n"
		"  spanwalk leak-roots app.core --limit 5\n"
		"  the five largest\n"
		"\n"
		"exit status: 0 done, 1 findings (--fail-on), 2 wrong usage, 3 not analysed,\n"
		"             4 analysed in part, 130 interrupted\n");
	check_help(
		&who_holds, "",
		"usage: who-holds ADDR [options]\n"
		"\n"
		"every root and path that keeps an object\n"
		"\n"
		"options of every command:\n"
		"  --json                 the report as one JSON document\n"
		"  --output FILE          write the report to FILE, whole or not at all\n"
		"  --limit N              rows of each table; 0 shows all (default 20)\n"
		"  --threads N            threads to work with (all processors)\n"
		"  --max-memory SIZE      use no more memory than this: 512M, 1.5GiB\n"
		"  --timing               on stderr at the end: what each stage cost (the program\n"
		"                         only)\n"
		"  --quiet                no progress on the terminal\n"
		"  --fail-on P0|P1|P2|P3  exit status 1 at a finding this grave or graver\n"
		"  --help                 this help\n"
		"\n"
		"example:\n"
		"  who-holds 0xc000012340\n");
	check_help(NULL, "spanwalk ",
		   "Shows what holds the memory of a Go process or core.\n"
		   "\n"
		   "usage: spanwalk COMMAND TARGET [options]\n"
		   "\n"
		   "TARGET is a core file (also .zst), or --pid PID.\n"
		   "\n"
		   "commands:\n"
		   "  leak-roots      which roots hold the memory\n"
		   "  who-holds ADDR  every root and path that keeps an object\n"
		   "  shell           commands at a prompt, on a target that is opened once\n"
		   "\n"
		   "spanwalk help COMMAND explains one; spanwalk --version names the version.\n");
	check_help(NULL, "",
		   "Shows what holds the memory of a Go process or core.\n"
		   "\n"
		   "commands:\n"
		   "  leak-roots      which roots hold the memory\n"
		   "  who-holds ADDR  every root and path that keeps an object\n"
		   "\n"
		   "COMMAND --help explains one.\n");
}

static void test_markdown(void **state)
{
	char *text = sw_command_markdown();

	(void)state;
	assert_non_null(strstr(text, "## Exit status\n"));
	assert_non_null(
		strstr(text, "- `--limit N`: rows of each table; 0 shows all (default `20`)\n"));
	assert_non_null(strstr(text, "- `--pid PID`: "));
	assert_non_null(strstr(text, "\n## who-holds\n"
				     "\n"
				     "every root and path that keeps an object\n"
				     "\n"
				     "```\n"
				     "spanwalk who-holds TARGET ADDR [options]\n"
				     "```\n"
				     "\n"
				     "Example:\n"
				     "\n"
				     "```\n"
				     "spanwalk who-holds --pid 12 0xc000012340\n"
				     "```\n"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_address),
		cmocka_unit_test(test_program_words),
		cmocka_unit_test(test_help_needs_no_target),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_apply),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_fractions),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_choices),
		cmocka_unit_test(test_unknown_command),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_no_report_on_error),
		cmocka_unit_test(test_render),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_markdown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
