/* What a goroutine has yet to do when its functions return: deferred calls; and the panics that are
 * on their way through it (runtime/panic.go, 1.18–1.27). */
#ifndef SW_GO_DEFER_H
#define SW_GO_DEFER_H

#include "go/unwind.h"

struct sw_go_defer {
	uint32_t frame; /* of the stack, that it belongs to; UINT32_MAX: of none that was walked */
	sw_addr fn;	/* the function value: a closure */
	sw_addr entry;	/* of its code; 0 when it cannot be read */
	sw_addr pc;	/* the return address in the defer statement; 0 when open-coded */
	bool is_open_coded; /* the frame itself remembers it (FUNCDATA_OpenCodedDeferInfo) */
};
SW_VECTOR(struct sw_go_defer, sw_go_defers);

struct sw_go_panic {
	sw_addr address; /* of the _panic, on the goroutine's stack */
	sw_addr arg;	 /* where its argument stands, an `any` */
	bool is_recovered;
	bool is_goexit; /* runtime.Goexit, no panic; it has no argument */
};
SW_VECTOR(struct sw_go_panic, sw_go_panics);

/* Of a goroutine whose stack was walked, in the order in which they will run. Open-coded ones of a
 * frame that was stopped between two calls count only when they can be no leftovers: each must be
 * a closure. A ring, and what cannot be read, ends the list with a warning. */
struct sw_error *sw_go_read_defers(const struct sw_go *go, const struct sw_goroutine *goroutine,
				   const struct sw_go_stack *stack, struct sw_go_defers *out);

/* The newest first. */
struct sw_error *sw_go_read_panics(const struct sw_go *go, const struct sw_goroutine *goroutine,
				   struct sw_go_panics *out);

#endif
