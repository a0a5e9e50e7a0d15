/* amd64: effects of the instructions that move pointers. */
#include "code/operand_amd64.h"

static bool is_wide(const struct sw_amd64_insn *d)
{
	return d->rex & 8;
}

static void add(struct sw_amd64_insn *d, struct sw_step step)
{
	sw_insn_add(d->insn, step);
}

static void lose(struct sw_amd64_insn *d, unsigned reg)
{
	sw_insn_lose(d->insn, reg);
}

static unsigned width(const struct sw_amd64_insn *d)
{
	return is_wide(d) ? 8 : d->has_66 ? 2 : 4;
}

static void spoil(struct sw_amd64_insn *d, unsigned size)
{
	if (!d->is_segment)
		add(d,
		    (struct sw_step){.kind = SW_STEP_SPOIL, .size = (uint8_t)size, .mem = d->mem});
}

/* r/m gets an unknown value. */
static void lose_rm(struct sw_amd64_insn *d, unsigned size)
{
	if (d->mod == 3)
		lose(d, d->rm);
	else
		spoil(d, size);
}

static void move_to_rm(struct sw_amd64_insn *d)
{
	if (!is_wide(d) || d->is_segment) {
		lose_rm(d, width(d));
	} else if (d->mod == 3) {
		add(d, (struct sw_step){.kind = SW_STEP_MOVE, .dst = d->rm, .src = d->reg});
	} else {
		add(d, (struct sw_step){
			       .kind = SW_STEP_STORE, .src = d->reg, .size = 8, .mem = d->mem});
	}
}

static void move_from_rm(struct sw_amd64_insn *d)
{
	if (!is_wide(d) || d->is_segment)
		lose(d, d->reg);
	else if (d->mod == 3)
		add(d, (struct sw_step){.kind = SW_STEP_MOVE, .dst = d->reg, .src = d->rm});
	else
		add(d, (struct sw_step){
			       .kind = SW_STEP_LOAD, .dst = d->reg, .size = 8, .mem = d->mem});
}

static void move_immediate(struct sw_amd64_insn *d)
{
	if (d->mod == 3)
		add(d, (struct sw_step){.kind = SW_STEP_CONST,
					.dst = d->rm,
					.value = is_wide(d) ? d->imm : (uint32_t)d->imm});
	else if (is_wide(d) && !d->is_segment)
		add(d, (struct sw_step){.kind = SW_STEP_STORE,
					.src = SW_REG_NONE,
					.size = 8,
					.mem = d->mem,
					.value = d->imm});
	else
		spoil(d, width(d));
}

/* reg += value. */
static void add_to(struct sw_amd64_insn *d, unsigned reg, uint64_t value)
{
	if (reg == RSP) {
		add(d, (struct sw_step){.kind = SW_STEP_STACK, .value = value});
		return;
	}
	add(d,
	    (struct sw_step){
		    .kind = SW_STEP_ADDRESS,
		    .dst = (uint8_t)reg,
		    .mem = {.base = (uint8_t)reg, .index = SW_REG_NONE, .value = (int64_t)value}});
}

static void arithmetic_immediate(struct sw_amd64_insn *d)
{
	if (d->digit == 7) /* cmp */
		return;
	if (d->mod == 3 && is_wide(d) && d->opcode != 0x80 && (d->digit == 0 || d->digit == 5))
		add_to(d, d->rm, d->digit ? -d->imm : d->imm);
	else
		lose_rm(d, d->opcode == 0x80 ? 1 : width(d));
}

/* to += value. */
static void add_registers(struct sw_amd64_insn *d, uint8_t to, uint8_t value)
{
	if (to == RSP || value == RSP)
		lose(d, to);
	else
		add(d, (struct sw_step){.kind = SW_STEP_ADDRESS,
					.dst = to,
					.mem = {.base = to, .index = value, .scale = 1}});
}

/* add, or, adc, sbb, and, sub, xor, cmp: opcodes 00…3f. */
static void arithmetic(struct sw_amd64_insn *d)
{
	unsigned form = d->opcode & 7;
	if (d->opcode >= 0x38)
		return;
	if ((d->opcode == 0x31 || d->opcode == 0x33) && d->mod == 3 && d->reg == d->rm)
		add(d, (struct sw_step){.kind = SW_STEP_CONST, .dst = d->reg});
	else if ((d->opcode == 0x01 || d->opcode == 0x03) && d->mod == 3 && is_wide(d))
		add_registers(d, d->opcode == 0x01 ? d->rm : d->reg,
			      d->opcode == 0x01 ? d->reg : d->rm);
	else if (form < 2)
		lose_rm(d, form ? width(d) : 1);
	else
		lose(d, form < 4 ? d->reg : RAX);
}

static void load_address(struct sw_amd64_insn *d)
{
	if (!is_wide(d) || d->mod == 3)
		lose(d, d->reg);
	else if (d->reg == RSP && d->mem.base == RSP && d->mem.index == SW_REG_NONE)
		add(d, (struct sw_step){.kind = SW_STEP_STACK, .value = (uint64_t)d->mem.value});
	else
		add(d, (struct sw_step){.kind = SW_STEP_ADDRESS, .dst = d->reg, .mem = d->mem});
}

static void push(struct sw_amd64_insn *d, bool is_pop)
{
	add(d, (struct sw_step){.kind = SW_STEP_STACK, .value = is_pop ? 8 : (uint64_t)-8});
}

static void go_to(struct sw_amd64_insn *d, enum sw_step_kind kind)
{
	add(d, (struct sw_step){.kind = (uint8_t)kind,
				.value = d->pc + (sw_addr)(d->at - d->start) + d->imm});
}

static void group_ff(struct sw_amd64_insn *d)
{
	switch (d->digit) {
	case 2:
		add(d, (struct sw_step){.kind = SW_STEP_CALL});
		break;
	case 4:
		add(d, (struct sw_step){.kind = SW_STEP_SWITCH,
					.src = d->mod == 3 ? d->rm : SW_REG_NONE,
					.mem = d->mem});
		break;
	case 6:
		push(d, false);
		break;
	default:
		lose_rm(d, width(d));
	}
}

static void exchange(struct sw_amd64_insn *d)
{
	if (d->opcode == 0x87 && is_wide(d) && d->mod != 3 && !d->is_segment)
		add(d, (struct sw_step){
			       .kind = SW_STEP_STORE, .src = d->reg, .size = 8, .mem = d->mem});
	else
		lose_rm(d, width(d));
	lose(d, d->reg);
}

static void effects_one(struct sw_amd64_insn *d)
{
	uint8_t opcode = d->opcode;

	if (opcode < 0x40) {
		arithmetic(d);
		return;
	}
	if (opcode >= 0x50 && opcode <= 0x5f) {
		push(d, opcode >= 0x58);
		if (opcode >= 0x58)
			lose(d, (opcode & 7) | (d->rex & 1) << 3);
		return;
	}
	if ((opcode >= 0x70 && opcode <= 0x7f) || (opcode >= 0xe0 && opcode <= 0xe3)) {
		go_to(d, SW_STEP_BRANCH);
		return;
	}
	if (opcode >= 0x91 && opcode <= 0x97) {
		lose(d, RAX);
		lose(d, (opcode & 7) | (d->rex & 1) << 3);
		return;
	}
	if (opcode >= 0xb0 && opcode <= 0xb7) {
		lose(d, (opcode & 7) | (d->rex & 1) << 3);
		return;
	}
	if (opcode >= 0xb8 && opcode <= 0xbf) {
		add(d, (struct sw_step){.kind = SW_STEP_CONST,
					.dst = (uint8_t)((opcode & 7) | (d->rex & 1) << 3),
					.value = is_wide(d) ? d->imm : (uint32_t)d->imm});
		return;
	}
	if ((opcode >= 0xa4 && opcode <= 0xa7) || (opcode >= 0xaa && opcode <= 0xaf)) {
		lose(d, RSI);
		lose(d, RDI);
		lose(d, RCX);
		lose(d, RAX);
		return;
	}
	if (opcode >= 0xd8 && opcode <= 0xdf) {
		lose(d, RAX);
		if (d->mod != 3)
			spoil(d, 16);
		return;
	}
	switch (opcode) {
	case 0x80:
	case 0x81:
	case 0x83:
		arithmetic_immediate(d);
		break;
	case 0x84:
	case 0x85:
	case 0x90:
	case 0x9b:
	case 0xa8:
	case 0xa9:
		break;
	case 0x86:
	case 0x87:
		exchange(d);
		break;
	case 0x88:
		lose_rm(d, 1);
		break;
	case 0x89:
		move_to_rm(d);
		break;
	case 0x8b:
		move_from_rm(d);
		break;
	case 0x8d:
		load_address(d);
		break;
	case 0xc7:
		move_immediate(d);
		break;
	case 0xc6:
		lose_rm(d, 1);
		break;
	case 0x68:
	case 0x6a:
	case 0x9c:
		push(d, false);
		break;
	case 0x8f:
	case 0x9d:
		push(d, true);
		if (opcode == 0x8f)
			lose_rm(d, 8);
		break;
	case 0x63:
	case 0x69:
	case 0x6b:
	case 0x8a:
		lose(d, d->reg);
		break;
	case 0xc0:
	case 0xc1:
	case 0xd0:
	case 0xd1:
	case 0xd2:
	case 0xd3:
	case 0xfe:
		lose_rm(d, width(d));
		break;
	case 0xf6:
	case 0xf7:
		if (d->digit >= 4) {
			lose(d, RAX);
			lose(d, RDX);
		} else if (d->digit >= 2) {
			lose_rm(d, width(d));
		}
		break;
	case 0xff:
		group_ff(d);
		break;
	case 0xe8:
		go_to(d, SW_STEP_CALL);
		break;
	case 0xe9:
	case 0xeb:
		go_to(d, SW_STEP_JUMP);
		break;
	case 0xc2:
	case 0xc3:
		add(d, (struct sw_step){.kind = SW_STEP_RETURN});
		break;
	case 0xcc:
	case 0xf4:
		add(d, (struct sw_step){.kind = SW_STEP_END});
		break;
	default:
		lose(d, RAX);
		lose(d, RDX);
		if (d->has_modrm) {
			lose(d, d->reg);
			lose_rm(d, 16);
		}
	}
}

/* A move of 16 bytes between memory and a vector register. */
static void move_vector(struct sw_amd64_insn *d, bool is_store)
{
	uint8_t reg = SW_REG_VECTOR + d->reg;
	if (d->is_segment) {
		lose(d, reg);
	} else if (d->mod == 3) {
		uint8_t rm = SW_REG_VECTOR + d->rm;
		add(d, (struct sw_step){.kind = SW_STEP_MOVE,
					.dst = is_store ? rm : reg,
					.src = is_store ? reg : rm,
					.size = 16});
	} else if (is_store) {
		add(d,
		    (struct sw_step){.kind = SW_STEP_STORE, .src = reg, .size = 16, .mem = d->mem});
	} else {
		add(d,
		    (struct sw_step){.kind = SW_STEP_LOAD, .dst = reg, .size = 16, .mem = d->mem});
	}
}

/* Instructions on vector registers alone, or that put such a one to memory. */
static bool is_vector(uint8_t opcode)
{
	return (opcode >= 0x10 && opcode <= 0x17) || (opcode >= 0x28 && opcode <= 0x2b) ||
	       opcode == 0x2e || opcode == 0x2f || (opcode >= 0x51 && opcode <= 0x76) ||
	       opcode == 0x7c || opcode == 0x7d || opcode == 0xc2 || opcode == 0xc4 ||
	       opcode == 0xc6 || (opcode >= 0xd0 && opcode != 0xd7);
}

static bool is_vector_store(uint8_t opcode)
{
	return opcode == 0x11 || opcode == 0x13 || opcode == 0x17 || opcode == 0x29 ||
	       opcode == 0x2b || opcode == 0xd6 || opcode == 0xe7;
}

static void effects_vector(struct sw_amd64_insn *d)
{
	bool is_scalar = d->has_f2 || d->has_f3;
	bool is_zeroing =
		(d->opcode == 0x57 || d->opcode == 0xef) && d->mod == 3 && d->reg == d->rm;
	if ((d->opcode == 0x10 || d->opcode == 0x11 || d->opcode == 0x28 || d->opcode == 0x29) &&
	    !is_scalar)
		move_vector(d, d->opcode & 1);
	else if (d->opcode == 0x6f && (d->has_66 || d->has_f3))
		move_vector(d, false);
	else if (is_zeroing)
		add(d, (struct sw_step){.kind = SW_STEP_CONST, .dst = SW_REG_VECTOR + d->reg});
	else if (is_vector_store(d->opcode) && d->mod != 3)
		spoil(d, 16);
	else
		lose(d, SW_REG_VECTOR + d->reg);
}

static void effects_0f(struct sw_amd64_insn *d)
{
	uint8_t opcode = d->opcode;

	if (opcode >= 0x80 && opcode <= 0x8f) {
		go_to(d, SW_STEP_BRANCH);
	} else if (opcode >= 0x40 && opcode <= 0x4f) {
		if (is_wide(d) && d->mod == 3)
			add(d,
			    (struct sw_step){.kind = SW_STEP_SELECT, .dst = d->reg, .src = d->rm});
		else
			lose(d, d->reg);
	} else if (opcode == 0x7f && (d->has_66 || d->has_f3)) {
		move_vector(d, true);
	} else if (is_vector(opcode)) {
		effects_vector(d);
	} else if (opcode >= 0xc8 && opcode <= 0xcf) {
		lose(d, (opcode & 7) | (d->rex & 1) << 3);
	} else if (opcode >= 0x90 && opcode <= 0x9f) {
		lose_rm(d, 1);
	} else {
		switch (opcode) {
		case 0x0b:
			add(d, (struct sw_step){.kind = SW_STEP_END});
			break;
		case 0x0d:
		case 0x18:
		case 0x1e:
		case 0x1f:
		case 0xa3:
		case 0x77:
			break;
		case 0x7e:
			if (d->has_f3)
				lose(d, SW_REG_VECTOR + d->reg);
			else
				lose_rm(d, 8);
			break;
		case 0xb1:
			if (is_wide(d) && d->mod != 3 && !d->is_segment)
				add(d, (struct sw_step){.kind = SW_STEP_STORE,
							.src = d->reg,
							.size = 8,
							.mem = d->mem});
			else
				lose_rm(d, 8);
			lose(d, RAX);
			break;
		case 0xaf: /* IMUL, POPCNT, BSF, BSR, MOVZX, MOVSX write their register alone */
		case 0xb6:
		case 0xb7:
		case 0xb8:
		case 0xbc:
		case 0xbd:
		case 0xbe:
		case 0xbf:
			lose(d, d->reg);
			break;
		case 0xba: /* BT, BTS, BTR, BTC of a number */
			if (d->digit > 4)
				lose_rm(d, 8);
			break;
		case 0xc1:
			lose(d, d->reg);
			lose_rm(d, 8);
			break;
		case 0xae:
			if (d->mod != 3 && d->digit < 5)
				spoil(d, 64);
			break;
		case 0x05:
		case 0x31:
		case 0x01:
		case 0xa2:
			lose(d, RAX);
			lose(d, RCX);
			lose(d, RDX);
			lose(d, RBX);
			lose(d, 11);
			break;
		default:
			lose(d, RAX);
			lose(d, RDX);
			if (d->has_modrm) {
				lose(d, d->reg);
				lose_rm(d, 16);
			}
		}
	}
}

/* Of the others nothing is kept that they could write to. */
static void effects_rest(struct sw_amd64_insn *d)
{
	if (d->is_vex)
		lose(d, d->vvvv);
	lose(d, d->reg);
	lose(d, SW_REG_VECTOR + d->reg);
	lose_rm(d, 64);
	if (d->mod == 3)
		lose(d, SW_REG_VECTOR + d->rm);
}

bool sw_insn_decode_amd64(const uint8_t *bytes, size_t available, sw_addr pc, struct sw_insn *out)
{
	struct sw_amd64_insn d = {.at = bytes,
				  .start = bytes,
				  .end = bytes + (available < 15 ? available : 15),
				  .pc = pc,
				  .insn = out};
	out->count = 0;
	if (!sw_amd64_take(&d))
		return false;
	out->length = (uint8_t)(d.at - bytes);
	if (d.map == MAP_ONE)
		effects_one(&d);
	else if (d.map == MAP_0F && !d.is_vex)
		effects_0f(&d);
	else
		effects_rest(&d);
	return true;
}
