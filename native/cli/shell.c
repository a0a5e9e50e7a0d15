#include "cli/shell.h"
#include "cli/complete.h"
#include "cli/history.h"
#include "cli/line.h"
#include "cli/split.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct sw_shell_word sw_shell_words[] = {
	{"help", "help [COMMAND]", "this list, or what a command answers"},
	{"refresh", "refresh", "takes a new view of a running process"},
	{"status", "status", "the view, and the exit status of the last command"},
	{"quit", "quit, exit, Ctrl-D", "ends the shell"},
	{"exit", NULL, NULL},
	{0},
};

/* ---- the view ---- */

static const char *pid_of(const struct sw_shell *shell)
{
	return sw_arguments_text(shell->arguments, "pid");
}

struct sw_error *sw_shell_session(struct sw_shell *shell, struct sw_session **out)
{
	struct sw_error *error = NULL;

	if (!shell->session) {
		error = sw_run_open(shell->arguments, SW_INDEX_WRITE, &shell->work,
				    &shell->session);
		shell->taken = sw_terminal_now();
	}
	*out = shell->session;
	return error;
}

static void close_session(struct sw_shell *shell)
{
	if (shell->session)
		sw_session_close(shell->session);
	shell->session = NULL;
}

/* "3 min" into out. */
static const char *age_of(const struct sw_shell *shell, char out[32])
{
	uint64_t seconds = (sw_terminal_now() - shell->taken) / 1000000000;

	if (seconds < 120)
		snprintf(out, 32, "%u s", (unsigned)seconds);
	else if (seconds < 2 * 3600)
		snprintf(out, 32, "%u min", (unsigned)(seconds / 60));
	else
		snprintf(out, 32, "%u h", (unsigned)(seconds / 3600));
	return out;
}

/* The process is asked for first: the view of one that is gone stays. */
static struct sw_error *refresh(struct sw_shell *shell)
{
	struct sw_session *session;
	char path[64];

	if (!pid_of(shell))
		return sw_error_hint(
			sw_error_format(SW_ERR_USAGE, "refresh: a core does not change"),
			"it is for a running process: spanwalk shell --pid PID");
	snprintf(path, sizeof(path), "/proc/%d", (int)sw_arguments_number(shell->arguments, "pid"));
	if (shell->session && access(path, F_OK))
		return sw_error_hint(sw_error_format(SW_ERR_NOT_FOUND,
						     "refresh: process %s has ended",
						     pid_of(shell)),
				     "the view that was taken of it stays");
	close_session(shell);
	return sw_shell_session(shell, &session);
}

/* ---- what a shell does itself ---- */

static const char *status_text(enum sw_status status)
{
	switch (status) {
	case SW_STATUS_OK:
		return "done";
	case SW_STATUS_FINDINGS:
		return "findings";
	case SW_STATUS_USAGE:
		return "wrong usage";
	case SW_STATUS_TARGET:
		return "not analysed";
	case SW_STATUS_PARTIAL:
		return "analysed in part";
	case SW_STATUS_INTERRUPTED:
		return "interrupted";
	}
	return "?";
}

static void write_index_status(FILE *out, const struct sw_index *index)
{
	const char *fault = sw_index_fault(index), *path = sw_index_path(index);

	if (fault)
		fprintf(out, "index: %s is not used: %s\n", path, fault);
	else if (path)
		fprintf(out, "index: %s\n", path);
}

static void write_status(FILE *out, const struct sw_shell *shell)
{
	char age[32];

	if (!pid_of(shell))
		fprintf(out, "core %s\n", shell->arguments->target);
	else if (shell->session)
		fprintf(out, "process %s, as it was %s ago\n", pid_of(shell), age_of(shell, age));
	else
		fprintf(out, "process %s, not looked at yet\n", pid_of(shell));
	if (shell->session)
		write_index_status(out, sw_session_index(shell->session));
	fprintf(out, "last command: %d, %s\n", shell->last, status_text(shell->last));
}

static struct sw_error *print_status(const struct sw_shell *shell)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return sw_error_memory();
	write_status(out, shell);
	struct sw_error *error = fclose(out) ? sw_error_memory() : sw_terminal_print(text);
	free(text);
	return error;
}

static char *help_of_shell(void)
{
	char *list = sw_command_help(NULL, ""), *text = NULL;
	size_t size;
	FILE *out = list ? open_memstream(&text, &size) : NULL;

	if (out) {
		fprintf(out, "%s\nof the shell:\n", list);
		for (const struct sw_shell_word *each = sw_shell_words; each->name; each++)
			if (each->usage)
				fprintf(out, "  %-20s%s\n", each->usage, each->summary);
		if (fclose(out)) {
			free(text);
			text = NULL;
		}
	}
	free(list);
	return text;
}

static struct sw_error *print_help(const char *name)
{
	const struct sw_command *command = name ? sw_command_find(name) : NULL;

	if (name && !command)
		return sw_command_unknown(name);
	char *text = command ? sw_command_help(command, "") : help_of_shell();
	struct sw_error *error = text ? sw_terminal_print(text) : sw_error_memory();
	free(text);
	return error;
}

/* ---- one line ---- */

/* The index is a help: without it the next start is slow, no more. Each fault is told once. */
static void keep_index(struct sw_shell *shell)
{
	const struct sw_index *index = sw_session_index(shell->session);
	const char *fault = sw_index_fault(index);

	if (fault && !shell->has_told_index)
		sw_terminal_note("the index %s is not used: %s", sw_index_path(index), fault);
	shell->has_told_index |= fault != NULL;
	if (shell->has_no_index)
		return;
	struct sw_error *error = sw_session_write_index(shell->session, false);
	sw_terminal_clear(&shell->progress);
	if (error && error->code != SW_ERR_INTERRUPTED) {
		shell->has_no_index = true;
		sw_terminal_note("no index is kept: %s", error->message);
	}
	sw_error_free(error);
}

/* --threads and --max-memory hold for one command. */
static struct sw_error *run_parsed(struct sw_shell *shell, const struct sw_arguments *arguments)
{
	struct sw_session *session;
	unsigned workers = shell->work.workers;
	uint64_t max_memory = shell->work.max_memory;

	if (sw_arguments_flag(arguments, "help"))
		return print_help(arguments->command->name);
	sw_arguments_apply(arguments, &shell->work);
	sw_terminal_watch(&shell->work, &shell->progress,
			  sw_arguments_flag(arguments, "quiet") ||
				  sw_arguments_flag(shell->arguments, "quiet"));
	shell->work.stage_count = 0;
	shell->work.peak_memory = shell->work.used_memory;
	struct sw_error *error = sw_shell_session(shell, &session);
	if (!error)
		error = sw_run_command(session, arguments, &shell->progress, &shell->last);
	if (!error)
		keep_index(shell);
	sw_terminal_clear(&shell->progress);
	if (sw_arguments_flag(arguments, "timing"))
		sw_run_print_timing(&shell->work);
	shell->work.workers = workers;
	shell->work.max_memory = max_memory;
	return error;
}

static struct sw_error *run_command(struct sw_shell *shell, const struct sw_split *split)
{
	const struct sw_command *command = sw_command_find(split->words[0]);
	struct sw_arguments arguments;

	if (!command)
		return sw_command_unknown(split->words[0]);
	struct sw_error *error = sw_arguments_parse(
		command, (int)split->count - 1, (const char *const *)split->words + 1, &arguments);
	if (!error)
		error = run_parsed(shell, &arguments);
	sw_arguments_free(&arguments);
	return error;
}

static struct sw_error *run_words(struct sw_shell *shell, const struct sw_split *split)
{
	const char *name = split->words[0], *word = split->count > 1 ? split->words[1] : NULL;
	bool is_help = !strcmp(name, "help"), is_refresh = !strcmp(name, "refresh");
	bool is_status = !strcmp(name, "status"),
	     is_quit = !strcmp(name, "quit") || !strcmp(name, "exit");

	if (!is_help && !is_refresh && !is_status && !is_quit)
		return run_command(shell, split);
	if (split->count > (is_help ? 2U : 1U))
		return sw_error_format(SW_ERR_USAGE, "%s: one argument too many: %s", name,
				       split->words[split->count - 1]);
	if (is_help)
		return print_help(word);
	if (is_refresh)
		return refresh(shell);
	if (is_status)
		return print_status(shell);
	shell->is_done = true;
	return NULL;
}

/* The gravest last. */
static unsigned gravity(enum sw_status status)
{
	static const enum sw_status order[] = {SW_STATUS_OK,	  SW_STATUS_FINDINGS,
					       SW_STATUS_PARTIAL, SW_STATUS_USAGE,
					       SW_STATUS_TARGET,  SW_STATUS_INTERRUPTED};
	unsigned rank = 0;

	while (rank + 1 < sizeof(order) / sizeof(*order) && order[rank] != status)
		rank++;
	return rank;
}

static void report_error(struct sw_shell *shell, struct sw_error *error)
{
	char where[48] = "spanwalk";

	if (!shell->is_terminal && shell->line)
		snprintf(where, sizeof(where), "spanwalk: line %u", shell->line);
	shell->last = sw_terminal_fail(where, error);
}

static void run_line(struct sw_shell *shell, const char *line)
{
	struct sw_split split;
	struct sw_error *error = sw_split_line(line, &split);

	if (!error && split.quote == '\\')
		error = sw_error_format(SW_ERR_USAGE, "nothing follows the last backslash");
	else if (!error && split.quote)
		error = sw_error_format(SW_ERR_USAGE, "the quote %c is not closed", split.quote);
	if (!error && split.count) {
		/* `status` tells of the one before. */
		if (strcmp(split.words[0], "status") != 0)
			shell->last = SW_STATUS_OK;
		error = run_words(shell, &split);
	}
	if (error)
		report_error(shell, error);
	sw_split_free(&split);
	if (gravity(shell->last) > gravity(shell->worst))
		shell->worst = shell->last;
}

/* ---- lines from a pipe or file ---- */

static void run_script(struct sw_shell *shell)
{
	char *line = NULL;
	size_t capacity = 0;
	ssize_t size;

	for (;;) {
		sw_terminal_set_signals(SW_INTERRUPT_END);
		if (sw_terminal_is_interrupted())
			shell->last = shell->worst = SW_STATUS_INTERRUPTED;
		if (shell->is_done || shell->last == SW_STATUS_INTERRUPTED ||
		    (size = getline(&line, &capacity, stdin)) < 0)
			break;
		sw_terminal_set_signals(SW_INTERRUPT_COMMAND);
		if (size && line[size - 1] == '\n')
			line[size - 1] = 0;
		shell->line++;
		run_line(shell, line);
	}
	free(line);
}

/* ---- lines from a terminal ---- */

static void on_complete(void *context, const char *before, struct sw_candidates *out)
{
	struct sw_shell *shell = context;

	sw_terminal_watch(&shell->work, &shell->progress, true);
	sw_error_free(sw_complete(shell, before, out));
}

static const char *prompt_of(const struct sw_shell *shell, char *out, size_t size)
{
	char age[32];

	if (pid_of(shell) && shell->session)
		snprintf(out, size, "spanwalk %s (%s old)> ", pid_of(shell), age_of(shell, age));
	else
		snprintf(out, size, "spanwalk> ");
	return out;
}

static void load_history(struct sw_line *line, const char *path)
{
	struct sw_history_lines lines;

	sw_error_free(sw_history_load(path, &lines));
	for (size_t i = 0; i < lines.count; i++)
		sw_line_remember(line, lines.items[i]);
	sw_history_free(&lines);
}

static void greet(const struct sw_shell *shell)
{
	printf("help lists the commands, Tab completes, Ctrl-D ends.\n");
	if (pid_of(shell))
		printf("The first command takes a view of the process; refresh takes a new one.\n");
	fflush(stdout);
}

static void read_lines(struct sw_shell *shell, struct sw_line *line, const char *history)
{
	char prompt[96], *text;

	while (!shell->is_done) {
		sw_terminal_forget_interrupt();
		sw_terminal_set_signals(SW_INTERRUPT_READING);
		enum sw_line_end end =
			sw_line_read(line, prompt_of(shell, prompt, sizeof(prompt)), &text);
		sw_terminal_set_signals(SW_INTERRUPT_COMMAND);
		sw_terminal_forget_interrupt();
		if (end == SW_LINE_END)
			return;
		if (end == SW_LINE_READ && text[strspn(text, " \t")]) {
			sw_line_remember(line, text);
			sw_history_add(history, text);
		}
		if (end == SW_LINE_READ)
			run_line(shell, text);
		free(text);
	}
}

static struct sw_error *run_prompt(struct sw_shell *shell)
{
	struct sw_line *line;
	char *history = sw_history_path();
	struct sw_error *error =
		history ? sw_line_open(on_complete, shell, &line) : sw_error_memory();

	if (!error) {
		load_history(line, history);
		greet(shell);
		read_lines(shell, line, history);
		sw_line_close(line);
	}
	free(history);
	return error;
}

/* ---- the shell ---- */

/* What would say nothing of a whole shell. */
static struct sw_error *check_options(const struct sw_arguments *arguments)
{
	static const char *const own[] = {"json", "output", "fail-on", "timing"};

	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
		if (sw_arguments_text(arguments, own[i]))
			return sw_error_hint(sw_error_format(SW_ERR_USAGE,
							     "shell: --%s is for one command",
							     own[i]),
					     "give it behind a command in the shell");
	return NULL;
}

/* A core that cannot be opened is no place for a prompt. */
static struct sw_error *look(struct sw_shell *shell)
{
	struct sw_session *session;
	struct sw_error *error = pid_of(shell) ? NULL : sw_shell_session(shell, &session);

	sw_terminal_clear(&shell->progress);
	return error;
}

enum sw_status sw_shell_run(const struct sw_arguments *arguments)
{
	struct sw_shell shell = {.arguments = arguments, .is_terminal = isatty(STDIN_FILENO)};

	sw_terminal_set_signals(SW_INTERRUPT_COMMAND);
	sw_work_init(&shell.work, 0);
	sw_arguments_apply(arguments, &shell.work);
	sw_terminal_watch(&shell.work, &shell.progress, sw_arguments_flag(arguments, "quiet"));
	struct sw_error *error = check_options(arguments);
	if (!error)
		error = look(&shell);
	if (!error && shell.is_terminal)
		error = run_prompt(&shell);
	else if (!error)
		run_script(&shell);
	if (error)
		report_error(&shell, error);
	close_session(&shell);
	if (error)
		return shell.last;
	return shell.is_terminal ? SW_STATUS_OK : shell.worst;
}
