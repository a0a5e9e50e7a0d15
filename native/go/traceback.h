/* Stacks as Go's own tracebacks show them: a call for every call in the source, those that the
 * compiler inlined too, with function, file and line (runtime/symtab.go, symtabinl.go, traceback.go
 * of Go 1.18–1.27). From the function tables alone: neither symbols nor debug information are
 * needed. Safe for several threads. */
#ifndef SW_GO_TRACEBACK_H
#define SW_GO_TRACEBACK_H

#include "go/unwind.h"

/* A place in the source. Strings belong to the target's memory. */
struct sw_go_call {
	const char *function; /* as in the tables, type arguments spelled out; "?": damaged */
	const char *file;     /* "" when unknown; a path, or with -trimpath one below its module */
	int32_t line;	      /* 0 when unknown */
	bool is_inlined;      /* into the next call further out */
	bool is_wrapper;      /* made by the compiler; tracebacks mostly leave it out */
	uint8_t func_id;      /* layout.func_id; 0 for most functions */
};

/* A frame's chain of inlined calls is cut here: the tables may be damaged. */
enum { SW_GO_MAX_INLINED = 64 };

/* The calls of one frame, innermost first; at most `limit`, at least one (when limit is not 0);
 * returns how many. */
size_t sw_go_calls(const struct sw_go *go, const struct sw_go_frame *frame, struct sw_go_call *out,
		   size_t limit);

/* The place of a pc as "created by" has it: the function that the machine is in, and the line of
 * the innermost call. For g.gopc (a return address) and for the entry of a function. False when no
 * function covers the pc. */
bool sw_go_call_at(const struct sw_go *go, sw_addr pc, bool is_return_address,
		   struct sw_go_call *out);

/* A function's name as tracebacks print it, for every release as from 1.21 on: type arguments as
 * "[...]", and "panic" for runtime.gopanic. malloc'ed; NULL without memory. */
char *sw_go_print_name(const char *function);

/* Which calls of a stack a traceback shows (showframe): no functions of the runtime but exported
 * ones, no wrappers. Set `go` (and shows_runtime for a goroutine of the runtime's own: then only
 * wrappers and goexit are left out), then ask for one call after the other, innermost first. */
struct sw_go_showing {
	const struct sw_go *go;
	bool shows_runtime;
	bool has_shown; /* private */
	uint8_t callee; /* private: func_id of the call before */
};
bool sw_go_shows(struct sw_go_showing *showing, const struct sw_go_call *call);

/* Does the goroutine belong to the runtime itself (isSystemGoroutine)? One that runs finalizers or
 * cleanups does so only while it waits for some. */
bool sw_go_is_system(const struct sw_go *go, const struct sw_goroutine *goroutine);

/* ---- all goroutines at once: stacks.c ---- */

struct sw_go_stack_range {
	uint32_t begin, count; /* in `frames` */
};

/* The stacks of all goroutines, each as numbers of calls; equal calls and equal stacks are there
 * once. Numbers are the same for any number of threads. */
struct sw_go_stacks {
	struct sw_go_call *calls;
	char **names; /* [call_count]: the function as sw_go_print_name() has it */
	uint32_t call_count;
	uint32_t *frames; /* numbers of calls, innermost first */
	bool *is_hidden;  /* [frame_count]: a traceback leaves it out */
	size_t frame_count;
	struct sw_go_stack_range *stacks; /* distinct ones */
	uint32_t stack_count;
	uint32_t *stack_of;   /* [goroutine_count]: index into stacks */
	uint32_t *created_by; /* [goroutine_count]: number of a call, UINT32_MAX: none */
	bool *is_system;      /* [goroutine_count] */
	bool *is_partial;     /* [goroutine_count]: the walk ended early */
	size_t goroutine_count;
};

/* Of go->goroutines, by index; on all workers of go->work. */
struct sw_error *sw_go_stacks_build(struct sw_go *go, struct sw_go_stacks *out);
void sw_go_stacks_free(struct sw_go_stacks *stacks);

#endif
