#include "command/command.h"
#include "command/words.h"

#include <string.h>

const struct sw_command *sw_command_find(const char *name)
{
	for (const struct sw_command *const *command = sw_commands; *command; command++)
		if (!strcmp((*command)->name, name))
			return *command;
	return NULL;
}

struct sw_error *sw_command_unknown(const char *name)
{
	const char *nearest = NULL;
	size_t least = SIZE_MAX;

	for (const struct sw_command *const *command = sw_commands; *command; command++)
		sw_words_nearer(name, (*command)->name, &nearest, &least);
	struct sw_error *error = sw_error_format(SW_ERR_USAGE, "unknown command %s", name);
	if (nearest)
		return sw_error_hint(error, "did you mean %s?", nearest);
	return sw_error_hint(error, "help lists the commands");
}

struct sw_error *sw_command_run(struct sw_session *session, const struct sw_arguments *arguments,
				struct sw_report **out)
{
	struct sw_report *report;
	const char *path = sw_arguments_text(arguments, "output");
	struct sw_error *error = path ? sw_command_probe(path) : NULL;

	*out = NULL;
	if (!error)
		error = sw_report_create(arguments->command->name, &report);
	if (error)
		return error;
	error = arguments->command->run(session, arguments, report);
	if (error) {
		sw_report_free(report);
		return error;
	}
	sw_session_describe(session, report);
	*out = report;
	return NULL;
}

enum sw_status sw_command_status(const struct sw_report *report,
				 const struct sw_arguments *arguments)
{
	const char *level = sw_arguments_text(arguments, "fail-on");

	/* The choices are P0…P3, in the order of enum sw_grade. */
	if (level && report->worst < SW_GRADE_NONE && report->worst <= (unsigned)(level[1] - '0'))
		return SW_STATUS_FINDINGS;
	return report->complete ? SW_STATUS_OK : SW_STATUS_PARTIAL;
}

enum sw_status sw_error_status(const struct sw_error *error)
{
	switch (error->code) {
	case SW_ERR_USAGE:
		return SW_STATUS_USAGE;
	case SW_ERR_INTERRUPTED:
		return SW_STATUS_INTERRUPTED;
	default:
		return SW_STATUS_TARGET;
	}
}

struct sw_error *sw_command_render(const struct sw_report *report,
				   const struct sw_arguments *arguments, unsigned width, char **out)
{
	if (sw_arguments_flag(arguments, "json"))
		return sw_report_json(report, out);
	if (sw_arguments_text(arguments, "output"))
		width = 0;
	return sw_report_text(report, width, out);
}
