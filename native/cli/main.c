/* spanwalk COMMAND TARGET [options]: the commands as a program. stdout gets the report and nothing
 * else. */
#include "cli/run.h"
#include "cli/shell.h"
#include "command/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char program[] = "spanwalk ";

/* ---- one command ---- */

static enum sw_status run(const struct sw_arguments *arguments)
{
	struct sw_progress progress;
	struct sw_session *session = NULL;
	struct sw_work work;
	enum sw_status status;

	sw_work_init(&work, 0);
	sw_arguments_apply(arguments, &work);
	sw_terminal_watch(&work, &progress, sw_arguments_flag(arguments, "quiet"));

	struct sw_error *error = sw_run_open(arguments, SW_INDEX_READ, &work, &session);
	if (!error)
		error = sw_run_command(session, arguments, &progress, &status);
	if (!error)
		error = sw_session_write_index(session, true);
	sw_terminal_clear(&progress);
	if (error)
		status = sw_terminal_fail("spanwalk", error);
	if (sw_arguments_flag(arguments, "timing"))
		sw_run_print_timing(&work);
	if (session)
		sw_session_close(session);
	return status;
}

/* A command of the table, or the shell. */
static const struct sw_command *find_command(const char *name)
{
	const struct sw_command *command = sw_command_find(name);

	return !command && !strcmp(name, sw_command_shell.name) ? &sw_command_shell : command;
}

static enum sw_status run_words(const char *name, int count, const char *const *words)
{
	const struct sw_command *command = find_command(name);
	struct sw_arguments arguments;
	enum sw_status status;

	if (!command && *name == '-')
		return sw_terminal_fail(
			"spanwalk",
			sw_error_hint(sw_error_format(SW_ERR_USAGE, "no command before %s", name),
				      "spanwalk COMMAND TARGET [options]; spanwalk help lists "
				      "the commands"));
	if (!command)
		return sw_terminal_fail("spanwalk", sw_command_unknown(name));
	struct sw_error *error = sw_arguments_parse_program(command, count, words, &arguments);
	if (error)
		return sw_terminal_fail("spanwalk", error);
	if (sw_arguments_flag(&arguments, "help"))
		status = sw_terminal_print_owned(sw_command_help(command, program));
	else if (command == &sw_command_shell)
		status = sw_shell_run(&arguments);
	else
		status = run(&arguments);
	sw_arguments_free(&arguments);
	return status;
}

/* ---- spanwalk help, --version ---- */

static enum sw_status help(const char *name)
{
	const struct sw_command *command = name ? find_command(name) : NULL;

	if (name && !strcmp(name, "--markdown"))
		return sw_terminal_print_owned(sw_command_markdown());
	if (name && !command)
		return sw_terminal_fail("spanwalk", sw_command_unknown(name));
	return sw_terminal_print_owned(sw_command_help(command, program));
}

static enum sw_status usage(void)
{
	char *text = sw_command_help(NULL, program);

	fputs(text ? text : "spanwalk: out of memory\n", stderr);
	free(text);
	return SW_STATUS_USAGE;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;

	sw_terminal_set_signals(SW_INTERRUPT_ONCE);
	if (!name)
		return usage();
	if (!strcmp(name, "--version"))
		return sw_terminal_print_owned(strdup("spanwalk " SW_VERSION "\n"));
	if (!strcmp(name, "help") || !strcmp(name, "--help") || !strcmp(name, "-h"))
		return help(argc > 2 ? argv[2] : NULL);
	return run_words(name, argc - 2, (const char *const *)argv + 2);
}
