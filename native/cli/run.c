#include "cli/run.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

static struct sw_error *choose_index(const struct sw_arguments *arguments, enum sw_index_use *use)
{
	bool wants = sw_arguments_flag(arguments, "index");

	if (sw_arguments_flag(arguments, "no-index"))
		*use = SW_INDEX_OFF;
	else if (wants)
		*use = SW_INDEX_WRITE;
	if (wants && !*use)
		return sw_error_format(SW_ERR_USAGE, "--index and --no-index exclude each other");
	if (wants && !arguments->target)
		return sw_error_format(SW_ERR_USAGE, "--index: a running process has no index");
	return NULL;
}

struct sw_error *sw_run_open(const struct sw_arguments *arguments, enum sw_index_use index,
			     struct sw_work *work, struct sw_session **session)
{
	struct sw_session_options options = {
		.core = arguments->target,
		.exe = sw_arguments_text(arguments, "exe"),
		.sysroot = sw_arguments_text(arguments, "sysroot"),
		.symbols = sw_arguments_text(arguments, "symbols"),
		.index = index,
	};
	uint64_t pid = sw_arguments_number(arguments, "pid");

	*session = NULL;
	if (!options.core && (!pid || pid > INT_MAX))
		return sw_error_format(SW_ERR_USAGE, "--pid %s: no such process number",
				       sw_arguments_text(arguments, "pid"));
	options.pid = (int)pid;
	struct sw_error *error = choose_index(arguments, &options.index);
	if (!error)
		error = sw_session_open(&options, work, session);
	if (error && error->code == SW_ERR_NOT_FOUND && options.core && is_number(options.core))
		sw_error_hint(error, "a process is named by --pid %s", options.core);
	return error;
}

static struct sw_error *deliver(const struct sw_report *report,
				const struct sw_arguments *arguments)
{
	const char *path = sw_arguments_text(arguments, "output");
	char *text;
	struct sw_error *error = sw_command_render(report, arguments, sw_terminal_width(), &text);

	if (!error)
		error = path ? sw_command_write(path, text) : sw_terminal_print(text);
	free(text);
	return error;
}

struct sw_error *sw_run_command(struct sw_session *session, const struct sw_arguments *arguments,
				struct sw_progress *progress, enum sw_status *status)
{
	struct sw_report *report = NULL;
	struct sw_error *error = sw_command_run(session, arguments, &report);

	sw_terminal_clear(progress);
	if (!error)
		error = deliver(report, arguments);
	if (!error)
		*status = sw_command_status(report, arguments);
	sw_report_free(report);
	return error;
}

void sw_run_print_timing(struct sw_work *work)
{
	sw_work_stage(work, NULL);
	for (unsigned i = 0; i < work->stage_count; i++)
		fprintf(stderr, "timing %-12s %10.3f ms wall %10.3f ms cpu\n", work->stages[i].name,
			(double)work->stages[i].wall_ns / 1e6,
			(double)work->stages[i].cpu_ns / 1e6);
	fprintf(stderr, "memory %" PRIu64 " bytes at most in large arrays\n", work->peak_memory);
}
