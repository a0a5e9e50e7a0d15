/* The frames of C between and below those of Go: a goroutine that calls C, and one that C has
 * called back, has them on the stack of its thread (runtime/cgocall.go, asm_*.s, 1.18–1.27). */
#ifndef SW_GO_FOREIGN_H
#define SW_GO_FOREIGN_H

#include "go/unwind.h"
#include "image/cfi.h"

struct sw_go_foreign_frame {
	uint32_t before; /* the Go frame that stands right outside of it; the number of frames: none
			  */
	sw_addr pc, sp;
	bool is_call; /* pc is a return address */
};
SW_VECTOR(struct sw_go_foreign_frame, sw_go_foreign_frames);

/* Those of a goroutine whose stack was walked, innermost first. A stack that can be followed only
 * in part gives that part, and the warning "c_stack" in go->warnings. */
struct sw_error *sw_go_foreign_frames(const struct sw_go *go, const struct sw_goroutine *goroutine,
				      const struct sw_go_stack *stack, struct sw_cfi *cfi,
				      struct sw_go_foreign_frames *out);

#endif
