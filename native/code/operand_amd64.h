/* Private to operand_amd64.c (bytes to operands: lengths) and insn_amd64.c (what they do). */
#ifndef SW_CODE_OPERAND_AMD64_H
#define SW_CODE_OPERAND_AMD64_H

#include "code/insn.h"

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };
enum { MAP_ONE, MAP_0F, MAP_0F38, MAP_0F3A };

struct sw_amd64_insn {
	const uint8_t *at, *end;
	sw_addr pc;
	const uint8_t *start;
	struct sw_insn *insn;
	uint8_t rex, map, opcode;
	bool has_66, has_f2, has_f3, is_segment, is_vex, has_modrm;
	uint8_t vvvv;
	uint8_t mod, reg, rm;  /* reg and rm extended by REX */
	uint8_t digit;	       /* the reg field alone: /0…/7 */
	struct sw_operand mem; /* mod != 3 */
	bool is_rip;
	uint64_t imm; /* sign-extended */
};

/* Reads prefixes, opcode and operands at d->at, of which `at`, `start`, `end`, `pc` and `insn` are
 * set; d->at is behind the instruction then. False for what Go's tools do not write. */
bool sw_amd64_take(struct sw_amd64_insn *d);

#endif
