/* The commands: one table, one way to parse options, one way to run. Hosts call sw_command_run()
 * with a session and words, and print the report. */
#ifndef SW_COMMAND_COMMAND_H
#define SW_COMMAND_COMMAND_H

#include "report/report.h"
#include "session.h"

/* Exit status of the program (docs/commands.md). */
enum sw_status {
	SW_STATUS_OK = 0,
	SW_STATUS_FINDINGS = 1,
	SW_STATUS_USAGE = 2,
	SW_STATUS_TARGET = 3,
	SW_STATUS_PARTIAL = 4,
	SW_STATUS_INTERRUPTED = 130,
};

enum sw_option_kind {
	SW_OPTION_FLAG,
	SW_OPTION_NUMBER,   /* unsigned, decimal or 0x… */
	SW_OPTION_SIZE,	    /* bytes: 512M, 1.5GiB */
	SW_OPTION_DURATION, /* 90s, 5m, 1h30m */
	SW_OPTION_FRACTION, /* 0…1, or a percentage: 5% */
	SW_OPTION_CHOICE,   /* one of `choices` */
	SW_OPTION_TEXT,
};

struct sw_option {
	const char *name; /* "min-fraction" for --min-fraction */
	enum sw_option_kind kind;
	const char *value;    /* "N", "SIZE", "root|type|package"; NULL for a flag */
	const char *choices;  /* "root|type|package" */
	const char *fallback; /* the default, as text; NULL: none */
	const char *help;     /* one line */
};

/* Parsed words of one call. */
struct sw_arguments {
	const struct sw_command *command;
	const char *positional[4]; /* after TARGET: ADDR, TYPE */
	unsigned positional_count;
	const char *values[32]; /* by index in common options, the command's own, then those of the
				 * target; NULL: absent */
	const char *target;	/* the core file; NULL: none, or not parsed as a program's words */
	bool is_program;	/* sw_arguments_parse_program() made it */
	char **words;		/* owned copies */
	size_t word_count;
};

struct sw_command {
	const char *name;
	const char *usage;		 /* the positionals: "ADDR", "TYPE", "" */
	const char *summary;		 /* one line, for the list of commands */
	const char *help;		 /* paragraphs: what it answers, how to read it */
	const char *example;		 /* a command line and what it shows */
	const struct sw_option *options; /* its own, ended by a NULL name; or NULL */
	unsigned positionals;		 /* how many are required */
	struct sw_error *(*run)(struct sw_session *session, const struct sw_arguments *arguments,
				struct sw_report *report);
};

/* The table, ended by a NULL name, in the order of the help. */
extern const struct sw_command *const sw_commands[];
/* Of the program alone, for its help: without run(). */
extern const struct sw_command sw_command_shell;
extern const struct sw_option sw_common_options[]; /* json output limit threads max-memory quiet
						    * fail-on help; ended by a NULL name */
extern const struct sw_option sw_target_options[]; /* of the program: pid exe sysroot symbols */

const struct sw_command *sw_command_find(const char *name); /* NULL: none of that name */
/* The error for a name that is no command: SW_ERR_USAGE with the nearest name in the hint. */
struct sw_error *sw_command_unknown(const char *name);

/* Parses what follows the command's name. SW_ERR_USAGE carries a hint. Options may stand
 * anywhere; "--" ends them; --name=VALUE and --name VALUE; of several the last counts. With --help
 * nothing else is required. On error `out` is empty; it may be freed all the same. */
struct sw_error *sw_arguments_parse(const struct sw_command *command, int count,
				    const char *const *words, struct sw_arguments *out);
/* The same for the program: sw_target_options[] too, and without --pid the first positional is
 * the target. */
struct sw_error *sw_arguments_parse_program(const struct sw_command *command, int count,
					    const char *const *words, struct sw_arguments *out);
void sw_arguments_free(struct sw_arguments *arguments);

/* Sets workers and max_memory as --threads and --max-memory say; without them they stay. */
void sw_arguments_apply(const struct sw_arguments *arguments, struct sw_work *work);

bool sw_arguments_flag(const struct sw_arguments *arguments, const char *option);
const char *sw_arguments_text(const struct sw_arguments *arguments, const char *option);
/* The value or the default; the text was checked by sw_arguments_parse(). */
uint64_t sw_arguments_number(const struct sw_arguments *arguments, const char *option);
double sw_arguments_fraction(const struct sw_arguments *arguments, const char *option);
uint64_t sw_arguments_size(const struct sw_arguments *arguments, const char *option);
uint64_t sw_arguments_duration(const struct sw_arguments *arguments, const char *option); /* ns */
/* Rows to show: --limit, with 0 as UINT64_MAX. */
uint64_t sw_arguments_limit(const struct sw_arguments *arguments);
/* How many of a table's rows that shows. */
size_t sw_arguments_shown(const struct sw_arguments *arguments, size_t rows);
/* Counts one more row of a table: is it to be shown? */
bool sw_arguments_takes(const struct sw_arguments *arguments, uint64_t *rows);
/* An address (0x… or decimal) as positional `index`. */
struct sw_error *sw_arguments_address(const struct sw_arguments *arguments, unsigned index,
				      sw_addr *out);

/* Runs the command and completes the report (target, warnings). On error no report is made. */
struct sw_error *sw_command_run(struct sw_session *session, const struct sw_arguments *arguments,
				struct sw_report **out);

/* 1 (findings at or above --fail-on), else 4 (partial), else 0. */
enum sw_status sw_command_status(const struct sw_report *report,
				 const struct sw_arguments *arguments);
/* 2, 3 or 130. */
enum sw_status sw_error_status(const struct sw_error *error);

/* The report as the arguments ask for: JSON with --json, else text (uncut when it goes to a
 * file); malloc'ed. */
struct sw_error *sw_command_render(const struct sw_report *report,
				   const struct sw_arguments *arguments, unsigned width,
				   char **out);

/* Writes text to a file, whole or not at all: beside it first, then renamed over it. What is no
 * regular file (a terminal, a pipe) is written in place. */
struct sw_error *sw_command_write(const char *path, const char *text);
/* Whether that would work, as far as can be told without writing. sw_command_run() asks first. */
struct sw_error *sw_command_probe(const char *path);

/* Help of one command (NULL: the list of all), malloc'ed, NULL without memory; `program` is
 * "spanwalk " or "" (in a debugger: no TARGET and no options to open one). */
char *sw_command_help(const struct sw_command *command, const char *program);

/* docs/commands.md; malloc'ed, NULL without memory. */
char *sw_command_markdown(void);

#endif
