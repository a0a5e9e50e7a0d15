/* The program's ends: Ctrl-C, progress, errors on stderr, reports on stdout. Private to cli/. */
#ifndef SW_CLI_TERMINAL_H
#define SW_CLI_TERMINAL_H

#include "command/command.h"

/* What Ctrl-C (SIGINT) does; all but the last set what sw_terminal_is_interrupted() tells. */
enum sw_interrupt {
	SW_INTERRUPT_ONCE,    /* the second one ends the program */
	SW_INTERRUPT_COMMAND, /* never ends it: a shell that runs a command */
	SW_INTERRUPT_READING, /* system calls give EINTR: a shell that waits for a key */
	SW_INTERRUPT_END,     /* the first one ends the program: a script that waits for a line */
};

/* Also: writing to a pipe that nobody reads fails instead of ending the program. */
void sw_terminal_set_signals(enum sw_interrupt interrupt);
bool sw_terminal_is_interrupted(void);
void sw_terminal_forget_interrupt(void);

/* Progress on stderr, from one second on; the context of a sw_work. */
struct sw_progress {
	uint64_t begin; /* ns */
	bool is_shown;	/* a line stands on the terminal */
};

uint64_t sw_terminal_now(void); /* ns, of a clock that only runs forward */

/* Sets the callbacks of work: Ctrl-C, and progress unless is_quiet or stderr is no terminal. */
void sw_terminal_watch(struct sw_work *work, struct sw_progress *progress, bool is_quiet);
void sw_terminal_clear(struct sw_progress *progress);

/* Prints "where: message" and its hint, frees the error, and gives its status. */
enum sw_status sw_terminal_fail(const char *where, struct sw_error *error);

/* A line on stderr, cleaned of what moves the cursor. */
void sw_terminal_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Columns of stdout, 0 when it is no terminal. */
unsigned sw_terminal_width(void);

/* To stdout. A reader that went away is no error; SW_ERR_INTERRUPTED after Ctrl-C. */
struct sw_error *sw_terminal_print(const char *text);

/* The same for a text that may be NULL for lack of memory; frees it. */
enum sw_status sw_terminal_print_owned(char *text);

#endif
