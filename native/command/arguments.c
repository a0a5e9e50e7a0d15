/* Options by hand: getopt and argp keep their state in globals and leave the process on errors,
 * and this runs inside debuggers. */
#include "command/command.h"
#include "command/words.h"

#include <stdlib.h>
#include <string.h>

enum {
	VALUE_MAX = sizeof(((struct sw_arguments *)0)->values) / sizeof(const char *),
	POSITIONAL_MAX = sizeof(((struct sw_arguments *)0)->positional) / sizeof(const char *),
};

const struct sw_option sw_common_options[] = {
	{"json", SW_OPTION_FLAG, NULL, NULL, NULL, "the report as one JSON document"},
	{"output", SW_OPTION_TEXT, "FILE", NULL, NULL,
	 "write the report to FILE, whole or not at all"},
	{"limit", SW_OPTION_NUMBER, "N", NULL, "20", "rows of each table; 0 shows all"},
	{"threads", SW_OPTION_NUMBER, "N", NULL, NULL, "threads to work with (all processors)"},
	{"max-memory", SW_OPTION_SIZE, "SIZE", NULL, NULL,
	 "use no more memory than this: 512M, 1.5GiB"},
	{"timing", SW_OPTION_FLAG, NULL, NULL, NULL,
	 "on stderr at the end: what each stage cost (the program only)"},
	{"quiet", SW_OPTION_FLAG, NULL, NULL, NULL, "no progress on the terminal"},
	{"fail-on", SW_OPTION_CHOICE, "P0|P1|P2|P3", "P0|P1|P2|P3", NULL,
	 "exit status 1 at a finding this grave or graver"},
	{"help", SW_OPTION_FLAG, NULL, NULL, NULL, "this help"},
	{0},
};

const struct sw_option sw_target_options[] = {
	{"pid", SW_OPTION_NUMBER, "PID", NULL, NULL, "a running process in place of a core file"},
	{"exe", SW_OPTION_TEXT, "FILE", NULL, NULL,
	 "the executable, where the core does not lead to it"},
	{"sysroot", SW_OPTION_TEXT, "DIR", NULL, NULL,
	 "where the files of another machine's core are"},
	{"symbols", SW_OPTION_TEXT, "FILE", NULL, NULL,
	 "names and types from the same build before it was stripped"},
	{"index", SW_OPTION_FLAG, NULL, NULL, NULL,
	 "keep what was found beside the core, for a quick start next time"},
	{"no-index", SW_OPTION_FLAG, NULL, NULL, NULL, "take nothing from such an index"},
	{0},
};

/* ---- options by name ---- */

/* The three tables, one after another; index is that of sw_arguments.values. */
static const struct sw_option *option_at(const struct sw_arguments *arguments, size_t index)
{
	const struct sw_option *tables[] = {
		sw_common_options,
		arguments->command ? arguments->command->options : NULL,
		arguments->is_program ? sw_target_options : NULL,
	};

	for (size_t table = 0; table < 3; table++) {
		const struct sw_option *option = tables[table];
		for (; option && option->name; option++)
			if (!index--)
				return option;
	}
	return NULL;
}

static const struct sw_option *find_option(const struct sw_arguments *arguments, const char *name,
					   size_t *index)
{
	const struct sw_option *option;

	for (*index = 0; *index < VALUE_MAX && (option = option_at(arguments, *index)); ++*index)
		if (!strcmp(option->name, name))
			return option;
	return NULL;
}

static struct sw_error *unknown_option(const struct sw_arguments *arguments, const char *word)
{
	const struct sw_option *option;
	const char *nearest = NULL;
	size_t least = SIZE_MAX;
	const char *name = word + strspn(word, "-");
	char *bare = strndup(name, strcspn(name, "="));

	for (size_t i = 0; bare && (option = option_at(arguments, i)); i++)
		sw_words_nearer(bare, option->name, &nearest, &least);
	free(bare);
	struct sw_error *error =
		sw_error_format(SW_ERR_USAGE, "%s: unknown option %.*s", arguments->command->name,
				(int)strcspn(word, "="), word);
	if (nearest)
		return sw_error_hint(error, "did you mean --%s?", nearest);
	return sw_error_hint(error, "%s --help lists the options", arguments->command->name);
}

/* ---- values ---- */

static bool is_valid(const struct sw_option *option, const char *value)
{
	uint64_t number;
	double fraction;

	switch (option->kind) {
	case SW_OPTION_NUMBER:
		return sw_words_number(value, &number);
	case SW_OPTION_SIZE:
		return sw_words_size(value, &number);
	case SW_OPTION_DURATION:
		return sw_words_duration(value, &number);
	case SW_OPTION_FRACTION:
		return sw_words_fraction(value, &fraction);
	case SW_OPTION_CHOICE:
		return sw_words_choice(value, option->choices);
	case SW_OPTION_FLAG:
	case SW_OPTION_TEXT:
		break;
	}
	return *value != 0;
}

static struct sw_error *wrong_value(const struct sw_arguments *arguments,
				    const struct sw_option *option, const char *value)
{
	static const char *const expected[] = {
		[SW_OPTION_FLAG] = "nothing",
		[SW_OPTION_NUMBER] = "a number, such as 20 or 0x14",
		[SW_OPTION_SIZE] = "a size, such as 512M or 1.5GiB",
		[SW_OPTION_DURATION] = "a duration, such as 90s, 5m or 1h30m",
		[SW_OPTION_FRACTION] = "a share, such as 0.05 or 5%",
		[SW_OPTION_TEXT] = "a value",
	};
	const char *what =
		option->kind == SW_OPTION_CHOICE ? option->choices : expected[option->kind];

	return sw_error_hint(sw_error_format(SW_ERR_USAGE, "%s: \"%s\" is no value for --%s",
					     arguments->command->name, value, option->name),
			     "--%s takes %s%s", option->name,
			     option->kind == SW_OPTION_CHOICE ? "one of " : "", what);
}

static struct sw_error *missing_value(const struct sw_arguments *arguments,
				      const struct sw_option *option)
{
	return sw_error_hint(sw_error_format(SW_ERR_USAGE, "%s: --%s needs a value",
					     arguments->command->name, option->name),
			     "--%s %s: %s", option->name, option->value ? option->value : "VALUE",
			     option->help);
}

/* ---- parsing ---- */

/* One option at words[*next], and the word after it where that is its value. */
static struct sw_error *parse_option(struct sw_arguments *out, size_t *next)
{
	char *word = out->words[*next];
	char *equals = strchr(word, '=');
	size_t index;

	if (!strcmp(word, "-h"))
		word = "--help";
	char *name = strncmp(word, "--", 2) ? NULL : strndup(word + 2, strcspn(word + 2, "="));
	const struct sw_option *option = name ? find_option(out, name, &index) : NULL;
	free(name);
	if (!option)
		return unknown_option(out, word);

	const char *value = equals ? equals + 1 : NULL;
	if (option->kind == SW_OPTION_FLAG) {
		if (value)
			return sw_error_hint(sw_error_format(SW_ERR_USAGE,
							     "%s: --%s takes no value",
							     out->command->name, option->name),
					     "--%s: %s", option->name, option->help);
		value = "yes";
	} else if (!value) {
		if (*next + 1 == out->word_count || !strncmp(out->words[*next + 1], "--", 2))
			return missing_value(out, option);
		value = out->words[++*next];
	}
	if (!is_valid(option, value))
		return wrong_value(out, option, value);
	out->values[index] = value;
	return NULL;
}

/* How many words the usage of a command names. */
static unsigned count_words(const char *usage)
{
	unsigned count = 0;

	for (; *(usage += strspn(usage, " ")); count++)
		usage += strcspn(usage, " ");
	return count < POSITIONAL_MAX ? count : POSITIONAL_MAX;
}

static const char *usage_of(const struct sw_command *command)
{
	return command->usage ? command->usage : "";
}

static struct sw_error *wrong_usage(const struct sw_arguments *out, struct sw_error *error)
{
	const char *usage = usage_of(out->command);

	return sw_error_hint(error, "usage: %s%s%s%s%s [options]",
			     out->is_program ? "spanwalk " : "", out->command->name,
			     out->is_program ? " TARGET" : "", *usage ? " " : "", usage);
}

static struct sw_error *add_positional(struct sw_arguments *out, const char *word)
{
	if (out->positional_count == POSITIONAL_MAX)
		return wrong_usage(out, sw_error_format(SW_ERR_USAGE, "%s: too many arguments: %s",
							out->command->name, word));
	out->positional[out->positional_count++] = word;
	return NULL;
}

/* Without --pid the first positional is the target; --pid may come after it, so this waits for
 * the last word. */
static struct sw_error *take_target(struct sw_arguments *out)
{
	if (sw_arguments_text(out, "pid"))
		return NULL;
	if (!out->positional_count)
		return sw_error_hint(
			sw_error_format(SW_ERR_USAGE, "%s: no target", out->command->name),
			"give a core file, or --pid PID");
	out->target = out->positional[0];
	out->positional_count--;
	memmove(out->positional, out->positional + 1,
		out->positional_count * sizeof(*out->positional));
	return NULL;
}

static struct sw_error *check_positionals(const struct sw_arguments *out)
{
	const struct sw_command *command = out->command;

	if (out->positional_count < command->positionals)
		return wrong_usage(out, sw_error_format(SW_ERR_USAGE, "%s: %s is missing",
							command->name, usage_of(command)));
	if (out->positional_count > count_words(usage_of(command)))
		return wrong_usage(out,
				   sw_error_format(SW_ERR_USAGE, "%s: one argument too many: %s",
						   command->name,
						   out->positional[out->positional_count - 1]));
	return NULL;
}

static struct sw_error *copy_words(struct sw_arguments *out, int count, const char *const *words)
{
	out->words = calloc(count > 0 ? (size_t)count : 1, sizeof(*out->words));
	if (!out->words)
		return sw_error_memory();
	for (int i = 0; i < count; i++) {
		out->words[i] = strdup(words[i]);
		if (!out->words[i])
			return sw_error_memory();
		out->word_count++;
	}
	return NULL;
}

static struct sw_error *parse_words(struct sw_arguments *out, int count, const char *const *words)
{
	bool is_ended = false;
	struct sw_error *error = copy_words(out, count, words);

	for (size_t next = 0; !error && next < out->word_count; next++) {
		const char *word = out->words[next];
		if (is_ended || word[0] != '-' || !word[1])
			error = add_positional(out, word);
		else if (!strcmp(word, "--"))
			is_ended = true;
		else
			error = parse_option(out, &next);
	}
	if (error || sw_arguments_flag(out, "help"))
		return error;
	if (out->is_program)
		error = take_target(out);
	return error ? error : check_positionals(out);
}

static struct sw_error *parse(struct sw_arguments *out, int count, const char *const *words)
{
	struct sw_error *error = parse_words(out, count, words);

	if (error)
		sw_arguments_free(out);
	return error;
}

struct sw_error *sw_arguments_parse(const struct sw_command *command, int count,
				    const char *const *words, struct sw_arguments *out)
{
	*out = (struct sw_arguments){.command = command};
	return parse(out, count, words);
}

struct sw_error *sw_arguments_parse_program(const struct sw_command *command, int count,
					    const char *const *words, struct sw_arguments *out)
{
	*out = (struct sw_arguments){.command = command, .is_program = true};
	return parse(out, count, words);
}

void sw_arguments_free(struct sw_arguments *arguments)
{
	for (size_t i = 0; i < arguments->word_count; i++)
		free(arguments->words[i]);
	free(arguments->words);
	memset(arguments, 0, sizeof(*arguments));
}

/* ---- what was given ---- */

static const char *value_of(const struct sw_arguments *arguments, const char *name)
{
	size_t index;
	const struct sw_option *option = find_option(arguments, name, &index);

	if (!option)
		return NULL;
	return arguments->values[index] ? arguments->values[index] : option->fallback;
}

bool sw_arguments_flag(const struct sw_arguments *arguments, const char *option)
{
	return value_of(arguments, option) != NULL;
}

const char *sw_arguments_text(const struct sw_arguments *arguments, const char *option)
{
	return value_of(arguments, option);
}

uint64_t sw_arguments_number(const struct sw_arguments *arguments, const char *option)
{
	const char *text = value_of(arguments, option);
	uint64_t number = 0;

	return text && sw_words_number(text, &number) ? number : 0;
}

uint64_t sw_arguments_size(const struct sw_arguments *arguments, const char *option)
{
	const char *text = value_of(arguments, option);
	uint64_t bytes = 0;

	return text && sw_words_size(text, &bytes) ? bytes : 0;
}

uint64_t sw_arguments_duration(const struct sw_arguments *arguments, const char *option)
{
	const char *text = value_of(arguments, option);
	uint64_t ns = 0;

	return text && sw_words_duration(text, &ns) ? ns : 0;
}

double sw_arguments_fraction(const struct sw_arguments *arguments, const char *option)
{
	const char *text = value_of(arguments, option);
	double fraction = 0;

	return text && sw_words_fraction(text, &fraction) ? fraction : 0;
}

uint64_t sw_arguments_limit(const struct sw_arguments *arguments)
{
	uint64_t limit = sw_arguments_number(arguments, "limit");

	return limit ? limit : UINT64_MAX;
}

size_t sw_arguments_shown(const struct sw_arguments *arguments, size_t rows)
{
	uint64_t limit = sw_arguments_limit(arguments);
	return rows > limit ? (size_t)limit : rows;
}

bool sw_arguments_takes(const struct sw_arguments *arguments, uint64_t *rows)
{
	return ++*rows <= sw_arguments_limit(arguments);
}

struct sw_error *sw_arguments_address(const struct sw_arguments *arguments, unsigned index,
				      sw_addr *out)
{
	const char *word = index < arguments->positional_count ? arguments->positional[index] : "";

	if (sw_words_number(word, out))
		return NULL;
	*out = 0;
	return sw_error_hint(sw_error_format(SW_ERR_USAGE, "%s: \"%s\" is no address",
					     arguments->command->name, word),
			     "an address is a number such as 0xc000012340; find TYPE lists those "
			     "of a type");
}

void sw_arguments_apply(const struct sw_arguments *arguments, struct sw_work *work)
{
	uint64_t threads = sw_arguments_number(arguments, "threads");
	uint64_t memory = sw_arguments_size(arguments, "max-memory");

	if (threads)
		work->workers = threads < SW_MAX_WORKERS ? (unsigned)threads : SW_MAX_WORKERS;
	if (memory)
		work->max_memory = memory;
}
