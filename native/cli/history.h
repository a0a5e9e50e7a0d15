/* Lines of earlier sessions: $XDG_STATE_HOME/spanwalk/history, else ~/.local/state/…; a line each,
 * the newest last. Private to cli/. */
#ifndef SW_CLI_HISTORY_H
#define SW_CLI_HISTORY_H

#include "base/vector.h"

SW_VECTOR(char *, sw_history_lines);

/* "" when there is no home; malloc'ed, NULL without memory. */
char *sw_history_path(void);

/* The newest lines of the file, owned; none when it cannot be read. A file that has grown long is
 * cut. */
struct sw_error *sw_history_load(const char *path, struct sw_history_lines *out);
void sw_history_free(struct sw_history_lines *lines);

/* Adds a line to the file, making it and its folder. A history that cannot be written is none: no
 * error. */
void sw_history_add(const char *path, const char *line);

#endif
