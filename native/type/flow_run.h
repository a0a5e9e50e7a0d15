/* Private to flow_run.c (the ways through one function), flow_state.c (what is known where ways
 * meet), flow_step.c (what one instruction does). */
#ifndef SW_TYPE_FLOW_RUN_H
#define SW_TYPE_FLOW_RUN_H

#include "type/flow_private.h"

enum {
	SW_FLOW_MAX_FUNCTION = 1 << 20, /* bytes */
	SW_FLOW_PLACES = 1 << 14,	/* a power of two; half of them may be in use */
	SW_FLOW_SPREADS = 32,
};

/* The state at an instruction to which a branch leads. */
struct sw_flow_way {
	sw_addr pc;
	uint32_t run; /* of which it is; else the place is free */
	uint64_t saved;
};

/* An instruction that has steps. */
struct sw_flow_insn {
	uint32_t offset; /* into the function */
	uint32_t first_step;
	uint8_t count, length;
};
SW_VECTOR(struct sw_flow_insn, sw_flow_insns);
SW_VECTOR(struct sw_step, sw_flow_steps);
SW_VECTOR(uint8_t, sw_flow_bytes);

/* Elements of an array in the frame, from a word on. */
struct sw_flow_spread {
	int64_t start;
	sw_value value;
};

struct sw_flow_run {
	struct sw_flow_way places[SW_FLOW_PLACES];
	uint32_t place_count;
	uint32_t number; /* of this run */
	struct sw_flow_insns code;
	struct sw_flow_steps steps;
	uint64_t targets[SW_FLOW_MAX_FUNCTION / 64 +
			 1]; /* bit: branches lead there, of this function */
	struct sw_flow_bytes saved;
	struct sw_flow_state state;
	struct sw_flow_spread spreads[SW_FLOW_SPREADS];
	unsigned spread_count;
	uint64_t single[SW_FLOW_SLOTS / 64]; /* bit: the slot is no element of an array */
	uint32_t closure;		     /* the function whose closure was made last */
	sw_type closure_type;
	int64_t body_sp; /* the lowest stack pointer: that of most of the code */
	bool has_loops;
	bool is_live; /* can the instruction at hand be reached? */
	bool is_recording;
	bool has_new_spread;
	bool has_changed; /* a state behind a branch, in this pass */
	struct sw_flow_function *function;
};

/* ---- flow_state.c ---- */

/* Nothing is known but the stack pointer. */
void sw_flow_clear_state(const struct sw_flow *flow, struct sw_flow_state *state, int64_t sp);
/* The word at an offset into the frame. */
sw_value sw_flow_get_slot(const struct sw_flow_state *state, int64_t offset);
/* A branch leads to pc. */
void sw_flow_save_state(struct sw_flow *flow, sw_addr pc);
/* The walk comes to pc: what branches brought there and what it knows become one. */
void sw_flow_arrive(struct sw_flow *flow, sw_addr pc, bool takes_all);
/* Nothing is known of the ways through the function; arrays in its frame stay. */
void sw_flow_forget_ways(struct sw_flow_run *run);

/* ---- flow_step.c ---- */

unsigned sw_flow_stack_register(const struct sw_flow *flow);
void sw_flow_do_step(struct sw_flow *flow, const struct sw_step *step, sw_addr next);
/* Notes what the frame holds at a site that is asked about. */
void sw_flow_note_locals(struct sw_flow *flow, sw_addr site);

#endif
