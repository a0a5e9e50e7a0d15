/* spanwalk COMMAND TARGET [options]: the commands as a program. stdout gets the report and nothing
 * else. */
#include "command/command.h"
#include "command/version.h"
#include "report/text.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static const char program[] = "spanwalk ";

/* ---- interrupts and progress ---- */

/* The one global: a signal handler has no other way to say that it ran. */
static atomic_bool is_interrupted;

/* The first Ctrl-C asks the work to stop; SA_RESETHAND makes the second end the program. */
static void on_interrupt(int number)
{
	(void)number;
	atomic_store(&is_interrupted, true);
}

static void set_signals(void)
{
	struct sigaction interrupt = {.sa_handler = on_interrupt,
				      .sa_flags = SA_RESETHAND | SA_RESTART};

	sigaction(SIGINT, &interrupt, NULL);
	/* `spanwalk ... | head` ends quietly: writing then fails with EPIPE. */
	signal(SIGPIPE, SIG_IGN);
}

static bool cancelled(void *context)
{
	(void)context;
	return atomic_load(&is_interrupted);
}

enum { PROGRESS_AFTER_NS = 1000000000 };

struct progress {
	uint64_t begin; /* ns */
	bool is_shown;	/* a line stands on the terminal */
};

static uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void show_progress(void *context, const char *stage, uint64_t done, uint64_t total)
{
	struct progress *progress = context;

	if (now_ns() - progress->begin < PROGRESS_AFTER_NS)
		return;
	progress->is_shown = true;
	if (total)
		fprintf(stderr, "\r\033[K%.60s %u %%", stage,
			(unsigned)((double)(done < total ? done : total) * 100 / (double)total));
	else
		fprintf(stderr, "\r\033[K%.60s", stage);
	fflush(stderr);
}

static void clear_progress(struct progress *progress)
{
	if (progress->is_shown)
		fputs("\r\033[K", stderr);
	progress->is_shown = false;
}

/* ---- errors and output ---- */

/* Paths and names in a message may come from the target. */
static void print_message(const char *prefix, const char *text)
{
	char *clean = sw_text_clean(text, strlen(text));

	fprintf(stderr, "%s: %s\n", prefix, clean ? clean : "out of memory");
	free(clean);
}

static enum sw_status fail(struct sw_error *error)
{
	enum sw_status status = sw_error_status(error);

	print_message("spanwalk", error->message);
	if (error->hint)
		print_message("hint", error->hint);
	sw_error_free(error);
	return status;
}

static unsigned terminal_width(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO))
		return 0;
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_col ? 80 : size.ws_col;
}

/* A reader that went away wants no more, and no message. */
static struct sw_error *print(const char *text)
{
	errno = 0;
	if ((fputs(text, stdout) == EOF || fflush(stdout)) && errno != EPIPE)
		return sw_error_errno(errno, "cannot write the report");
	return NULL;
}

static enum sw_status print_owned(char *text)
{
	struct sw_error *error = text ? print(text) : sw_error_memory();

	free(text);
	return error ? fail(error) : SW_STATUS_OK;
}

/* ---- one command ---- */

static bool is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

static struct sw_error *open_target(const struct sw_arguments *arguments, struct sw_work *work,
				    struct sw_session **session)
{
	struct sw_session_options options = {
		.core = arguments->target,
		.exe = sw_arguments_text(arguments, "exe"),
		.sysroot = sw_arguments_text(arguments, "sysroot"),
		.symbols = sw_arguments_text(arguments, "symbols"),
	};
	uint64_t pid = sw_arguments_number(arguments, "pid");

	*session = NULL;
	if (!options.core && (!pid || pid > INT_MAX))
		return sw_error_format(SW_ERR_USAGE, "--pid %s: no such process number",
				       sw_arguments_text(arguments, "pid"));
	options.pid = (int)pid;
	struct sw_error *error = sw_session_open(&options, work, session);
	if (error && error->code == SW_ERR_NOT_FOUND && options.core && is_number(options.core))
		sw_error_hint(error, "a process is named by --pid %s", options.core);
	return error;
}

static struct sw_error *deliver(const struct sw_report *report,
				const struct sw_arguments *arguments)
{
	const char *path = sw_arguments_text(arguments, "output");
	char *text;
	struct sw_error *error = sw_command_render(report, arguments, terminal_width(), &text);

	if (!error)
		error = path ? sw_command_write(path, text) : print(text);
	free(text);
	return error;
}

/* For whoever measures: wall and CPU milliseconds of each stage, and the memory of large arrays. */
static void print_timing(struct sw_work *work)
{
	sw_work_stage(work, NULL);
	for (unsigned i = 0; i < work->stage_count; i++)
		fprintf(stderr, "timing %-12s %10.3f ms wall %10.3f ms cpu\n", work->stages[i].name,
			(double)work->stages[i].wall_ns / 1e6,
			(double)work->stages[i].cpu_ns / 1e6);
	fprintf(stderr, "memory %" PRIu64 " bytes at most in large arrays\n", work->peak_memory);
}

static enum sw_status run(const struct sw_arguments *arguments)
{
	struct progress progress = {.begin = now_ns()};
	struct sw_session *session = NULL;
	struct sw_report *report = NULL;
	struct sw_work work;
	enum sw_status status;

	sw_work_init(&work, 0);
	sw_arguments_apply(arguments, &work);
	work.cancelled = cancelled;
	work.context = &progress;
	if (isatty(STDERR_FILENO) && !sw_arguments_flag(arguments, "quiet"))
		work.progress = show_progress;

	struct sw_error *error = open_target(arguments, &work, &session);
	if (!error)
		error = sw_command_run(session, arguments, &report);
	clear_progress(&progress);
	if (!error)
		error = deliver(report, arguments);
	status = error ? fail(error) : sw_command_status(report, arguments);
	if (sw_arguments_flag(arguments, "timing"))
		print_timing(&work);
	sw_report_free(report);
	if (session)
		sw_session_close(session);
	return status;
}

static enum sw_status run_words(const char *name, int count, const char *const *words)
{
	const struct sw_command *command = sw_command_find(name);
	struct sw_arguments arguments;
	enum sw_status status;

	if (!command && *name == '-')
		return fail(
			sw_error_hint(sw_error_format(SW_ERR_USAGE, "no command before %s", name),
				      "spanwalk COMMAND TARGET [options]; spanwalk help lists "
				      "the commands"));
	if (!command)
		return fail(sw_command_unknown(name));
	struct sw_error *error = sw_arguments_parse_program(command, count, words, &arguments);
	if (error)
		return fail(error);
	if (sw_arguments_flag(&arguments, "help"))
		status = print_owned(sw_command_help(command, program));
	else
		status = run(&arguments);
	sw_arguments_free(&arguments);
	return status;
}

/* ---- spanwalk help, --version ---- */

static enum sw_status help(const char *name)
{
	const struct sw_command *command = name ? sw_command_find(name) : NULL;

	if (name && !strcmp(name, "--markdown"))
		return print_owned(sw_command_markdown());
	if (name && !command)
		return fail(sw_command_unknown(name));
	return print_owned(sw_command_help(command, program));
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

	set_signals();
	if (!name)
		return usage();
	if (!strcmp(name, "--version"))
		return print_owned(strdup("spanwalk " SW_VERSION "\n"));
	if (!strcmp(name, "help") || !strcmp(name, "--help") || !strcmp(name, "-h"))
		return help(argc > 2 ? argv[2] : NULL);
	return run_words(name, argc - 2, (const char *const *)argv + 2);
}
