/* Opening a target and running a command on it, as the program does. Private to cli/. */
#ifndef SW_CLI_RUN_H
#define SW_CLI_RUN_H

#include "cli/terminal.h"

/* Opens what the words of a program name: its TARGET or --pid, with --exe, --sysroot, --symbols. An
 * index is read, unless --no-index says no, and written when `index` or --index says so. */
struct sw_error *sw_run_open(const struct sw_arguments *arguments, enum sw_index_use index,
			     struct sw_work *work, struct sw_session **session);

/* Runs the command, clears the progress that stands on the terminal, and prints the report or
 * writes it to --output; *status is set on success. */
struct sw_error *sw_run_command(struct sw_session *session, const struct sw_arguments *arguments,
				struct sw_progress *progress, enum sw_status *status);

/* --timing, for whoever measures: wall and CPU milliseconds of each stage, and the memory of large
 * arrays. */
void sw_run_print_timing(struct sw_work *work);

#endif
