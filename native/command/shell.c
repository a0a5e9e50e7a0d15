/* shell: what the program says of it; native/cli/shell.c is it. Debuggers have prompts of their
 * own. */
#include "command/command.h"

const struct sw_command sw_command_shell = {
	.name = "shell",
	.usage = "",
	.summary = "commands at a prompt, on a target that is opened once",
	.help = "Every command, as the program runs it but without TARGET, with history and "
		"completion of commands, options and types. Words are quoted as in a POSIX shell; "
		"what follows # is a comment. Ctrl-C ends the command that runs, Ctrl-D the "
		"shell. Of the options of every command --threads, --max-memory and --quiet may "
		"also be given here, for all of them.\n\n"
		"A running process is looked at by the first command; those that follow see the "
		"same moment, until `refresh`. The prompt says how old it is.\n\n"
		"What was found in a core is kept in CORE.spanwalk-index, or in the cache of the "
		"user where that folder cannot be written, and makes the next start quick; "
		"--no-index turns that off. Other commands read it too.\n\n"
		"Where stdin is no terminal, its lines are run one by one and nothing is printed "
		"but reports, and errors with the number of their line. The exit status is then "
		"the gravest of all commands: 130, 3, 2, 4, 1, 0, in this order.",
	.example = "spanwalk shell app.core\nspanwalk shell app.core <commands >reports",
};
