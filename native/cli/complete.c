#include "cli/complete.h"
#include "cli/split.h"
#include "command/naming.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The word that is typed, which a candidate begins with. */
struct wish {
	struct sw_shell *shell;
	const char *word;
	struct sw_candidates *out;
};

static struct sw_error *add(const struct wish *wish, const char *candidate)
{
	if (strncmp(candidate, wish->word, strlen(wish->word)) != 0)
		return NULL;
	return sw_candidates_add(wish->out, candidate);
}

/* "GOID" in "GOID|all". */
static bool is_placeholder(const char *word, size_t size)
{
	return size > 1 && strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") >= size;
}

/* Each of "a|b|c" behind a prefix; what is written in capitals stands for something else. */
static struct sw_error *add_choices(const struct wish *wish, const char *prefix,
				    const char *choices)
{
	struct sw_error *error = NULL;

	for (; !error && *choices; choices += strspn(choices, "|")) {
		size_t size = strcspn(choices, "|");
		char *candidate;
		if (is_placeholder(choices, size)) {
			choices += size;
			continue;
		}
		if (asprintf(&candidate, "%s%.*s", prefix, (int)size, choices) < 0)
			return sw_error_memory();
		error = add(wish, candidate);
		free(candidate);
		choices += size;
	}
	return error;
}

/* ---- commands ---- */

static struct sw_error *add_commands(const struct wish *wish)
{
	struct sw_error *error = NULL;

	for (const struct sw_command *const *each = sw_commands; !error && *each; each++)
		error = add(wish, (*each)->name);
	return error;
}

static struct sw_error *add_words(const struct wish *wish)
{
	struct sw_error *error = add_commands(wish);

	for (const struct sw_shell_word *each = sw_shell_words; !error && each->name; each++)
		error = add(wish, each->name);
	return error;
}

/* ---- files ---- */

static bool is_folder(const char *path)
{
	struct stat status;
	return !stat(path, &status) && S_ISDIR(status.st_mode);
}

static struct sw_error *add_file(const struct wish *wish, const char *prefix, const char *folder,
				 const char *name)
{
	char *path, *candidate;

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		return sw_error_memory();
	bool is_path_folder = is_folder(path);
	free(path);
	if (asprintf(&candidate, "%s%s%s", prefix, name, is_path_folder ? "/" : "") < 0)
		return sw_error_memory();
	struct sw_error *error = add(wish, candidate);
	free(candidate);
	wish->out->is_open |= is_path_folder;
	return error;
}

/* Files whose path begins as the word does, from `begin` bytes into the word on. */
static struct sw_error *add_files(const struct wish *wish, size_t begin)
{
	const char *slash = strrchr(wish->word + begin, '/');
	const char *name = slash ? slash + 1 : wish->word + begin;
	char *prefix = strndup(wish->word, (size_t)(name - wish->word));
	struct sw_error *error = prefix ? NULL : sw_error_memory();
	const char *folder = prefix && slash ? prefix + begin : ".";
	DIR *open = prefix ? opendir(folder) : NULL;

	for (struct dirent *entry; open && !error && (entry = readdir(open));)
		if ((*entry->d_name != '.' || *name == '.') &&
		    !strncmp(entry->d_name, name, strlen(name)))
			error = add_file(wish, prefix, folder, entry->d_name);
	if (open)
		closedir(open);
	free(prefix);
	return error;
}

/* ---- types ---- */

static struct sw_error *add_types(const struct wish *wish)
{
	struct sw_session *session;
	struct sw_live live;
	struct sw_object_walk walk = {0};
	struct sw_error *error = sw_shell_session(wish->shell, &session);

	if (!error)
		error = sw_session_live_types(session, &live);
	if (error)
		return error;
	uint32_t count = sw_types_count(live.types);
	bool *used = calloc(count + 1, sizeof(*used));
	if (!used)
		return sw_error_memory();
	while (sw_object_walk_next(&walk, live.heap))
		used[sw_live_type(&live, walk.object)] = true;
	for (uint32_t i = 1; !error && i < count; i++)
		if (used[i])
			error = add(wish, sw_naming_type_name(&live, i));
	free(used);
	return error;
}

/* ---- options and positionals ---- */

static const struct sw_option *find_in(const struct sw_option *options, const char *name,
				       size_t size)
{
	for (; options && options->name; options++)
		if (strlen(options->name) == size && !memcmp(options->name, name, size))
			return options;
	return NULL;
}

/* The option that a word "--name" or "--name=…" names. */
static const struct sw_option *find_option(const struct sw_command *command, const char *word)
{
	if (strncmp(word, "--", 2) != 0)
		return NULL;
	const char *name = word + 2;
	size_t size = strcspn(name, "=");
	const struct sw_option *option = find_in(command->options, name, size);
	return option ? option : find_in(sw_common_options, name, size);
}

static struct sw_error *add_options_of(const struct wish *wish, const struct sw_option *options)
{
	struct sw_error *error = NULL;

	for (; !error && options && options->name; options++) {
		char name[64];
		snprintf(name, sizeof(name), "--%s", options->name);
		error = add(wish, name);
	}
	return error;
}

static struct sw_error *add_options(const struct wish *wish, const struct sw_command *command)
{
	struct sw_error *error = add_options_of(wish, command->options);
	return error ? error : add_options_of(wish, sw_common_options);
}

/* Values of an option, behind the first `begin` bytes of the word. */
static struct sw_error *add_values(const struct wish *wish, const struct sw_option *option,
				   size_t begin)
{
	if (option->kind == SW_OPTION_TEXT && option->value && !strcmp(option->value, "FILE"))
		return add_files(wish, begin);
	if (option->kind != SW_OPTION_CHOICE)
		return NULL;
	char *prefix = strndup(wish->word, begin);
	struct sw_error *error =
		prefix ? add_choices(wish, prefix, option->choices) : sw_error_memory();
	free(prefix);
	return error;
}

/* How many of the words after the command's name are positionals; *value is the option whose value
 * comes next, or NULL; *is_ended: "--" was given. */
static size_t count_positionals(const struct sw_command *command, char *const *words, size_t count,
				const struct sw_option **value, bool *is_ended)
{
	size_t positionals = 0;

	*value = NULL;
	*is_ended = false;
	for (size_t i = 0; i < count; i++) {
		const struct sw_option *option = find_option(command, words[i]);
		if (*value)
			*value = NULL;
		else if (!*is_ended && !strcmp(words[i], "--"))
			*is_ended = true;
		else if (*is_ended || words[i][0] != '-')
			positionals++;
		else if (option && option->kind != SW_OPTION_FLAG && !strchr(words[i], '='))
			*value = option;
	}
	return positionals;
}

/* The word of the usage that names positional `index`: "TYPE", "GOID|all". */
static struct sw_error *add_positional(const struct wish *wish, const struct sw_command *command,
				       size_t index)
{
	const char *usage = command->usage ? command->usage : "";

	for (usage += strspn(usage, " "); index && *usage; index--) {
		usage += strcspn(usage, " ");
		usage += strspn(usage, " ");
	}
	size_t size = strcspn(usage, " ");
	if (size == strlen("TYPE") && !memcmp(usage, "TYPE", size))
		return add_types(wish);
	char *choices = strndup(usage, size);
	struct sw_error *error = choices ? add_choices(wish, "", choices) : sw_error_memory();
	free(choices);
	return error;
}

static struct sw_error *add_arguments(const struct wish *wish, const struct sw_command *command,
				      char *const *words, size_t count)
{
	const struct sw_option *value, *own = find_option(command, wish->word);
	bool is_ended;
	size_t positionals = count_positionals(command, words, count, &value, &is_ended);
	const char *equals = strchr(wish->word, '=');

	if (value)
		return add_values(wish, value, 0);
	if (!is_ended && own && equals)
		return add_values(wish, own, (size_t)(equals + 1 - wish->word));
	if (!is_ended && wish->word[0] == '-')
		return add_options(wish, command);
	return add_positional(wish, command, positionals);
}

struct sw_error *sw_complete(struct sw_shell *shell, const char *before, struct sw_candidates *out)
{
	struct sw_split split;
	struct sw_error *error = sw_split_line(before, &split);
	size_t whole = split.count - split.is_inside; /* words before the one that is typed */
	struct wish wish = {shell, split.is_inside ? split.words[whole] : "", out};
	const struct sw_command *command = whole ? sw_command_find(split.words[0]) : NULL;

	if (error || split.is_comment)
		;
	else if (!whole)
		error = add_words(&wish);
	else if (command)
		error = add_arguments(&wish, command, split.words + 1, whole - 1);
	else if (whole == 1 && !strcmp(split.words[0], "help"))
		error = add_commands(&wish);
	sw_split_free(&split);
	return error;
}
