/* The symbolic stack of one goroutine as rows: every call, those that were inlined and those of C
 * too, with what each knows; and the panics that are on their way. */
#ifndef SW_COMMAND_STACK_ROWS_H
#define SW_COMMAND_STACK_ROWS_H

#include "command/frame_values.h"
#include "command/goroutine_rows.h"
#include "image/cfi.h"

struct sw_stack_view {
	struct sw_goroutine_view goroutines;
	struct sw_live live; /* when has_values */
	struct sw_cfi *cfi;
	bool has_values;    /* arguments, locals, pointers */
	bool shows_runtime; /* what a traceback leaves out, too */
};

/* Builds what it needs: the stacks; with values the heap and types too. */
struct sw_error *sw_stack_view_init(struct sw_stack_view *view, struct sw_session *session,
				    bool has_values);
void sw_stack_view_clear(struct sw_stack_view *view);

/* An object of goid, state, wait_reason, wait_seconds, created_by, labels, locked_thread, system,
 * thread, partial (the walk ended early), frames and panics (arrays), and other_defers where calls
 * are deferred by no frame that was walked. `goroutine` is a place in go->goroutines. */
struct sw_error *sw_stack_row(const struct sw_stack_view *view, uint32_t goroutine, json_t **out);

/* Such an object as a traceback with values, malloc'ed; NULL without memory. */
char *sw_stack_text(const json_t *stack);

#endif
