/* The tables of `contexts`. */
#ifndef SW_COMMAND_CONTEXTS_ROWS_H
#define SW_COMMAND_CONTEXTS_ROWS_H

#include "command/command.h"
#include "command/contexts_tree.h"
#include "command/naming.h"

struct sw_contexts_view {
	const struct sw_live *live;
	const struct sw_arguments *arguments;
	struct sw_report *report;
	const struct sw_contexts *contexts;
	const struct sw_context_tree *tree;
	int64_t now; /* nanotime */
	struct sw_warnings *warnings;
};

/* `tree`, `parents`, `keys`, `goroutines`; with --each `contexts`. */
struct sw_error *sw_contexts_add_tables(const struct sw_contexts_view *view);

/* The type of a key and the key: `main.requestKey {}`, `string "user"`; "?" when it is not known.
 * Cut at size. */
const char *sw_contexts_key_text(const struct sw_contexts_view *view, uint32_t key, char *out,
				 size_t size);

#endif
