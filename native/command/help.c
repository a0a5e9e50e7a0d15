/* Help, for a terminal and as docs/commands.md: both from what the commands say of themselves. */
#include "command/command.h"
#include "report/text.h"

#include <stdlib.h>
#include <string.h>

enum { HELP_WIDTH = 80 };

/* ---- what both forms share ---- */

typedef void print_body(FILE *out, const struct sw_command *command, const char *program);

static char *print_to_string(print_body *body, const struct sw_command *command,
			     const char *program)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	body(out, command, program);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

static const char *text_of(const char *text)
{
	return text ? text : "";
}

static void print_usage(FILE *out, const struct sw_command *command, const char *program)
{
	const char *usage = text_of(command->usage);

	fprintf(out, "%s%s%s%s%s [options]", program, command->name, *program ? " TARGET" : "",
		*usage ? " " : "", usage);
}

/* Examples are written for the program; a debugger has its target already. */
static const char *example_of(const struct sw_command *command, const char *program)
{
	static const char name[] = "spanwalk ";
	const char *example = text_of(command->example);
	size_t size = strlen(command->name);

	if (*program || strncmp(example, name, strlen(name)) ||
	    strncmp(example + strlen(name), command->name, size))
		return example;
	example += strlen(name) + size;
	example += strspn(example, " ");
	if (!strncmp(example, "--pid ", 6))
		example += 6;
	return example + strcspn(example, " \n");
}

static void print_example(FILE *out, const struct sw_command *command, const char *program,
			  const char *indent)
{
	const char *example = example_of(command, program);
	const char *prefix = example == command->example ? "" : command->name;

	/* Of "spanwalk heap app.core" nothing but the command is left in a debugger. */
	do {
		size_t size = strcspn(example, "\n");
		fprintf(out, "%s%s%.*s\n", indent, prefix, (int)size, example);
		example += size + (example[size] == '\n');
		prefix = "";
	} while (*example);
}

/* ---- for a terminal ---- */

/* Lines are wrapped one by one; those that begin with a blank stand as they are. */
static void print_paragraphs(FILE *out, const char *text)
{
	while (*text) {
		size_t size = strcspn(text, "\n");
		char *line = strndup(text, size);
		if (line && *line == ' ')
			fprintf(out, "%s\n", line);
		else
			sw_text_wrap(out, text_of(line), HELP_WIDTH, 0, 0);
		free(line);
		text += size + (text[size] == '\n');
	}
}

/* "--limit N" into out; returns its length. */
static size_t format_option(const struct sw_option *option, char *out, size_t size)
{
	int length = snprintf(out, size, "--%s%s%s", option->name, option->value ? " " : "",
			      text_of(option->value));

	return length < 0 ? 0 : (size_t)length;
}

enum { OPTION_WIDTH_MAX = 26 };

static size_t option_width(const struct sw_option *options, size_t least)
{
	char text[128];

	for (; options && options->name; options++) {
		size_t size = format_option(options, text, sizeof(text));
		if (size > least && size <= OPTION_WIDTH_MAX)
			least = size;
	}
	return least;
}

static void print_options(FILE *out, const char *title, const struct sw_option *options,
			  size_t width)
{
	size_t column = width + 4;

	if (!options || !options->name)
		return;
	fprintf(out, "\n%s:\n", title);
	for (; options->name; options++) {
		char name[128], help[512];
		size_t size = format_option(options, name, sizeof(name));
		snprintf(help, sizeof(help), "%s%s%s%s", text_of(options->help),
			 options->fallback ? " (default " : "", text_of(options->fallback),
			 options->fallback ? ")" : "");
		if (size > width)
			fprintf(out, "  %s\n%*s", name, (int)column, "");
		else
			fprintf(out, "  %-*s  ", (int)width, name);
		sw_text_wrap(out, help, HELP_WIDTH, column, column);
	}
}

static void print_command(FILE *out, const struct sw_command *command, const char *program)
{
	const struct sw_option *target = *program ? sw_target_options : NULL;
	size_t width = option_width(
		target, option_width(command->options, option_width(sw_common_options, 0)));

	fputs("usage: ", out);
	print_usage(out, command, program);
	fprintf(out, "\n\n");
	sw_text_wrap(out, text_of(command->summary), HELP_WIDTH, 0, 0);
	if (command->help) {
		fputc('\n', out);
		print_paragraphs(out, command->help);
	}
	print_options(out, "options", command->options, width);
	print_options(out, "options of every command", sw_common_options, width);
	print_options(out, "TARGET is a core file (also .zst), or --pid names a process", target,
		      width);
	if (command->example) {
		fputs("\nexample:\n", out);
		print_example(out, command, program, "  ");
	}
	if (*program)
		fputs("\nexit status: 0 done, 1 findings (--fail-on), 2 wrong usage, "
		      "3 not analysed,\n             4 analysed in part, 130 interrupted\n",
		      out);
}

static size_t print_name(FILE *out, const struct sw_command *command)
{
	const char *usage = text_of(command->usage);
	int size = fprintf(out, "  %s%s%s", command->name, *usage ? " " : "", usage);

	return size < 0 ? 0 : (size_t)size;
}

static size_t name_width(const struct sw_command *command)
{
	const char *usage = text_of(command->usage);

	return 2 + strlen(command->name) + (*usage != 0) + strlen(usage);
}

static void print_entry(FILE *out, const struct sw_command *command, size_t column)
{
	size_t size = print_name(out, command);

	fprintf(out, "%*s", (int)(column - size), "");
	sw_text_wrap(out, text_of(command->summary), HELP_WIDTH, column, column);
}

static void print_list(FILE *out, const struct sw_command *command, const char *program)
{
	const struct sw_command *const *each;
	size_t column = 0;

	(void)command;
	fputs("Shows what holds the memory of a Go process or core.\n\n", out);
	if (*program)
		fprintf(out,
			"usage: %sCOMMAND TARGET [options]\n\n"
			"TARGET is a core file (also .zst), or --pid PID.\n\n",
			program);
	fputs("commands:\n", out);
	for (each = sw_commands; *each; each++)
		if (name_width(*each) + 2 > column)
			column = name_width(*each) + 2;
	for (each = sw_commands; *each; each++)
		print_entry(out, *each, column);
	if (*program)
		print_entry(out, &sw_command_shell, column);
	if (*program)
		fprintf(out, "\n%shelp COMMAND explains one; %s--version names the version.\n",
			program, program);
	else
		fputs("\nCOMMAND --help explains one.\n", out);
}

char *sw_command_help(const struct sw_command *command, const char *program)
{
	struct sw_text_locale locale;

	sw_text_enter(&locale);
	char *text = print_to_string(command ? print_command : print_list, command, program);
	sw_text_leave(&locale);
	return text;
}

/* ---- docs/commands.md ---- */

static const char preamble[] =
	"# Commands\n"
	"\n"
	"Made from the commands' own help by `spanwalk help --markdown`.\n"
	"\n"
	"- The program: `spanwalk COMMAND TARGET [options]`, where TARGET is a core file (also\n"
	"  `.zst`), or `--pid PID`.\n"
	"- `spanwalk shell TARGET`: a prompt at which the same commands are given without TARGET.\n"
	"- GDB and LLDB: the command's name with its arguments and options, without TARGET; also\n"
	"  `spanwalk COMMAND`, which is the only way for `find` in GDB, which has a command of that\n"
	"  name. See [debuggers.md](debuggers.md).\n"
	"- Python: `spanwalk.open(core=...).run(\"leak-roots\", limit=5)`.\n"
	"\n"
	"Options may stand anywhere after the command's name, as `--name VALUE` or "
	"`--name=VALUE`;\n"
	"`--` ends them. A size is a number of bytes or one with K, M, G or T, each 1024 times\n"
	"the one before (`512M`, `1.5GiB`). A share is a number from 0 to 1 or a percentage\n"
	"(`0.05`, `5%`). An ADDR is a number, decimal or `0x...`.\n"
	"\n"
	"A report goes to stdout, or to a file with `--output`; everything else goes to stderr:\n"
	"errors as `spanwalk: what failed: detail` with a line `hint: ...` below, and progress,\n"
	"where it is a terminal and the work takes longer than a second.\n"
	"\n"
	"## Exit status\n"
	"\n"
	"| status | meaning |\n"
	"|---|---|\n"
	"| 0 | done; no finding at or above `--fail-on` (without it none counts) |\n"
	"| 1 | done, also in part; findings at or above `--fail-on` |\n"
	"| 2 | wrong usage |\n"
	"| 3 | the target could not be analysed |\n"
	"| 4 | analysed in part: `\"complete\": false`, the warnings say what is missing |\n"
	"| 130 | interrupted |\n"
	"\n"
	"## The JSON report\n"
	"\n"
	"`--json` prints one document, its keys in this order:\n"
	"\n"
	"```\n"
	"{ \"schema\": \"spanwalk.report/1\", \"command\": \"leak-roots\",\n"
	"  \"target\":    { \"kind\": \"core\" | \"process\", \"path\" | \"pid\": ..., \"exe\": "
	"...,\n"
	"                 \"arch\": \"amd64\" | \"arm64\", \"runtime\": \"go1.26.8\", "
	"\"build_id\": ... "
	"},\n"
	"  \"complete\":  true,\n"
	"  \"warnings\":  [ { \"code\": ..., \"message\": ..., \"hint\": ..., \"count\": N } ],\n"
	"  \"summary\":   { ... },\n"
	"  \"sentences\": [ \"the answer in words\" ],\n"
	"  \"findings\":  [ { \"grade\": \"P0\" to \"P3\", \"code\": ..., \"message\": ...,\n"
	"                   \"evidence\": { ... }, \"next\": \"the command to run next\" } ],\n"
	"  \"tables\":    { NAME: [ { row }, ... ] },\n"
	"  \"omitted\":   { NAME: how many rows --limit left out },\n"
	"  \"next\":      [ \"a command to run next\" ] }\n"
	"```\n"
	"\n"
	"A key that ends in `_bytes` (or is `bytes`) is a size in bytes, `_fraction` a share from\n"
	"0 to 1, `_seconds` a duration, a plural a number of things; addresses are strings\n"
	"`\"0x...\"`. `hint` and `next` of a finding may be absent. New keys may come; none is\n"
	"renamed or given another meaning without a new `schema`.\n";

static void print_markdown_options(FILE *out, const struct sw_option *options)
{
	for (; options && options->name; options++) {
		char name[128];
		format_option(options, name, sizeof(name));
		fprintf(out, "- `%s`: %s", name, text_of(options->help));
		if (options->fallback)
			fprintf(out, " (default `%s`)", options->fallback);
		fputc('\n', out);
	}
}

static void print_markdown_command(FILE *out, const struct sw_command *command)
{
	fprintf(out, "\n## %s\n\n", command->name);
	sw_text_wrap(out, text_of(command->summary), 0, 0, 0);
	fputs("\n```\n", out);
	print_usage(out, command, "spanwalk ");
	fputs("\n```\n", out);
	if (command->help) {
		fputc('\n', out);
		print_paragraphs(out, command->help);
	}
	if (command->options && command->options->name) {
		fputc('\n', out);
		print_markdown_options(out, command->options);
	}
	if (command->example) {
		fputs("\nExample:\n\n```\n", out);
		print_example(out, command, "spanwalk ", "");
		fputs("```\n", out);
	}
}

static void print_markdown(FILE *out, const struct sw_command *command, const char *program)
{
	(void)command;
	(void)program;
	fputs(preamble, out);
	fputs("\n## Options of every command\n\n", out);
	print_markdown_options(out, sw_common_options);
	fputs("\nOptions of the program alone, which name the target:\n\n", out);
	print_markdown_options(out, sw_target_options);
	for (const struct sw_command *const *each = sw_commands; *each; each++)
		print_markdown_command(out, *each);
	print_markdown_command(out, &sw_command_shell);
}

char *sw_command_markdown(void)
{
	struct sw_text_locale locale;

	sw_text_enter(&locale);
	char *text = print_to_string(print_markdown, NULL, "");
	sw_text_leave(&locale);
	return text;
}
