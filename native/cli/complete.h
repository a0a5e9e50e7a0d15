/* What may be typed next. Private to cli/. */
#ifndef SW_CLI_COMPLETE_H
#define SW_CLI_COMPLETE_H

#include "cli/line.h"
#include "cli/shell.h"

/* What may stand for the last word of `before`, the line up to the cursor: commands, options, their
 * choices, files, types of the view's objects. For types the view is analysed, unless it was. */
struct sw_error *sw_complete(struct sw_shell *shell, const char *before, struct sw_candidates *out);

#endif
