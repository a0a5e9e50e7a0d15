/* Machine instructions, as far as they move pointers: what analyses of Go's compiled code read.
 *
 * An instruction becomes a few steps that are the same for both architectures. What a step does not
 * describe it says at least which registers are lost by it: nothing is silently kept. */
#ifndef SW_CODE_INSN_H
#define SW_CODE_INSN_H

#include "target/target.h"

/* Registers: general ones 0…31 by the architecture's number (amd64: rax rcx rdx rbx rsp rbp rsi
 * rdi r8…; arm64: x0…x30, sp as 31), vector registers from SW_REG_VECTOR. */
enum {
	SW_REG_VECTOR = 32,
	SW_REG_COUNT = 64,
	SW_REG_NONE = 255,
};

enum sw_step_kind {
	SW_STEP_LOSE,	 /* dst gets a value that nothing is known of */
	SW_STEP_MOVE,	 /* dst = src */
	SW_STEP_SELECT,	 /* dst = dst or src */
	SW_STEP_CONST,	 /* dst = value */
	SW_STEP_ADDRESS, /* dst = address of mem */
	SW_STEP_LOAD,	 /* dst = size bytes at mem, 8 or 16 */
	SW_STEP_STORE,	 /* size bytes at mem = src, 8 or 16; src SW_REG_NONE: value */
	SW_STEP_SPOIL,	 /* size bytes at mem get a value that nothing is known of */
	SW_STEP_STACK,	 /* the stack pointer += value */
	SW_STEP_CALL,	 /* of value; 0: of an address that is computed */
	SW_STEP_BRANCH,	 /* to value or on */
	SW_STEP_JUMP,	 /* to value */
	SW_STEP_RETURN,
	SW_STEP_SWITCH, /* to the address at mem, or in src */
	SW_STEP_END,	/* goes on nowhere */
};

/* base + index * scale + value. Without a base the address is absolute. */
struct sw_operand {
	uint8_t base, index; /* SW_REG_NONE: none */
	uint8_t scale;
	int64_t value;
};

struct sw_step {
	uint8_t kind; /* enum sw_step_kind */
	uint8_t dst, src;
	uint8_t size; /* bytes */
	struct sw_operand mem;
	uint64_t value;
};

enum { SW_MAX_STEPS = 6 };

struct sw_insn {
	uint8_t length; /* bytes */
	uint8_t count;
	struct sw_step steps[SW_MAX_STEPS];
};

/* The instruction at `bytes`, of which `available` are readable, at a run-time pc. False for what
 * is no instruction, or one that is not known: its length is then not known either. Any bytes will
 * do.
 */
bool sw_insn_decode(enum sw_arch arch, const uint8_t *bytes, size_t available, sw_addr pc,
		    struct sw_insn *out);
bool sw_insn_decode_amd64(const uint8_t *bytes, size_t available, sw_addr pc, struct sw_insn *out);
bool sw_insn_decode_arm64(const uint8_t *bytes, size_t available, sw_addr pc, struct sw_insn *out);

/* ---- for the decoders ---- */

static inline void sw_insn_add(struct sw_insn *insn, struct sw_step step)
{
	if (insn->count < SW_MAX_STEPS)
		insn->steps[insn->count++] = step;
}

static inline void sw_insn_lose(struct sw_insn *insn, unsigned reg)
{
	sw_insn_add(insn, (struct sw_step){.kind = SW_STEP_LOSE, .dst = (uint8_t)reg});
}

#endif
