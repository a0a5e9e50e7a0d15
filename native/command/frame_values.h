/* The variables of a frame as rows, by the debug information; without it the pointers that its
 * stack map knows. */
#ifndef SW_COMMAND_FRAME_VALUES_H
#define SW_COMMAND_FRAME_VALUES_H

#include "command/naming.h"
#include "go/traceback.h"

/* A frame with its calls, and a row for each of them: an object, borrowed. */
struct sw_frame_rows {
	const struct sw_go_stack *stack;      /* words sorted by frame, then address */
	uint32_t number;		      /* of the frame */
	const struct sw_registers *registers; /* that it has; NULL: unknown */
	const struct sw_go_call *calls;	      /* innermost first */
	json_t **rows;			      /* one for each call; NULL: it is not shown */
	size_t count;
};

/* For sorting words so. */
int sw_frame_compare_words(const void *left, const void *right);

/* Sets "arguments" and "locals" of the rows: arrays of {name, type, value, address}. value is null
 * for what was optimized away, and has ? for the parts that were; address is null for what is in no
 * memory or in several places. "escaped": the variable is on the heap; "result": a result that has
 * a name; "dead": the stack map says that nothing needs the pointer in it any more, so that it may
 * be out of date. *found says whether the debug information tells of any variable. */
struct sw_error *sw_frame_values_add(const struct sw_live *live, const struct sw_frame_rows *rows,
				     bool *found);

/* {address, type, size_bytes, at} of the object that a word of a stack refers to, "offset" into it
 * and "conservative" where they are; NULL when it is none. */
json_t *sw_frame_pointer(const struct sw_live *live, const struct sw_go_stack_word *word);

#endif
