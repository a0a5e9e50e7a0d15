/* spanwalk shell TARGET: commands at a prompt, or line by line from a pipe. Private to cli/. */
#ifndef SW_CLI_SHELL_H
#define SW_CLI_SHELL_H

#include "cli/run.h"

/* What a shell does itself; everything else is a command. */
struct sw_shell_word {
	const char *name, *usage, *summary;
};
extern const struct sw_shell_word sw_shell_words[]; /* ended by a NULL name */

struct sw_shell {
	const struct sw_arguments *arguments; /* of `spanwalk shell` */
	struct sw_work work;
	struct sw_progress progress;
	struct sw_session *session; /* NULL: not opened yet */
	uint64_t taken;		    /* when it was: ns, sw_terminal_now() */
	bool is_terminal;	    /* a user types */
	bool is_done;		    /* quit */
	bool has_told_index;	    /* why it is not used */
	bool has_no_index;	    /* it cannot be written */
	unsigned line;		    /* number of the line that runs */
	enum sw_status last, worst; /* of the commands */
};

/* The view of the target, opened when first asked for. */
struct sw_error *sw_shell_session(struct sw_shell *shell, struct sw_session **out);

/* Reads and runs commands until the end of stdin; gives the exit status. */
enum sw_status sw_shell_run(const struct sw_arguments *arguments);

#endif
