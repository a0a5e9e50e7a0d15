/* amd64: lengths of all instructions that Go's compiler and assembler know, effects of those that
 * move pointers. Intel's manual, volume 2, appendix A has the opcode maps. */
#include "code/insn.h"

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };
enum { MAP_ONE, MAP_0F, MAP_0F38, MAP_0F3A };

struct decoder {
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

static bool take(struct decoder *d, unsigned size, uint64_t *out)
{
	if ((size_t)(d->end - d->at) < size)
		return false;
	*out = 0;
	for (unsigned i = 0; i < size; i++)
		*out |= (uint64_t)d->at[i] << (8 * i);
	if (size && size < 8 && *out >> (8 * size - 1))
		*out |= ~(uint64_t)0 << (8 * size);
	d->at += size;
	return true;
}

static bool take_byte(struct decoder *d, uint8_t *out)
{
	if (d->at == d->end)
		return false;
	*out = *d->at++;
	return true;
}

/* ---- prefixes ---- */

/* The two bytes that VEX of three bytes and EVEX begin with; map_mask: the bits of the map. */
static bool take_vex_bytes(struct decoder *d, uint8_t map_mask)
{
	uint8_t one, two;
	if (!take_byte(d, &one) || !take_byte(d, &two))
		return false;
	d->is_vex = true;
	d->rex = (uint8_t)((one & 0x80 ? 0 : 4) | (one & 0x40 ? 0 : 2) | (one & 0x20 ? 0 : 1) |
			   (two & 0x80 ? 8 : 0));
	d->map = one & map_mask;
	d->vvvv = ~two >> 3 & 15;
	return d->map >= MAP_0F && d->map <= MAP_0F3A;
}

static bool take_vex3(struct decoder *d)
{
	return take_vex_bytes(d, 31);
}

static bool take_vex2(struct decoder *d)
{
	uint8_t one;
	if (!take_byte(d, &one))
		return false;
	d->is_vex = true;
	d->rex = one & 0x80 ? 0 : 4;
	d->map = MAP_0F;
	d->vvvv = ~one >> 3 & 15;
	return true;
}

static bool take_evex(struct decoder *d)
{
	uint8_t three;
	return take_vex_bytes(d, 7) && take_byte(d, &three);
}

static bool take_prefixes(struct decoder *d)
{
	for (;;) {
		if (!take_byte(d, &d->opcode))
			return false;
		switch (d->opcode) {
		case 0x66:
			d->has_66 = true;
			continue;
		case 0xf2:
			d->has_f2 = true;
			continue;
		case 0xf3:
			d->has_f3 = true;
			continue;
		case 0x64:
		case 0x65:
			d->is_segment = true;
			continue;
		case 0xf0:
		case 0x2e:
		case 0x36:
		case 0x3e:
		case 0x26:
			continue;
		default:
			break;
		}
		break;
	}
	if (d->opcode >> 4 == 4) {
		d->rex = d->opcode & 15;
		return take_byte(d, &d->opcode);
	}
	return true;
}

static bool take_opcode(struct decoder *d)
{
	if (!take_prefixes(d))
		return false;
	switch (d->opcode) {
	case 0xc4:
		return take_vex3(d) && take_byte(d, &d->opcode);
	case 0xc5:
		return take_vex2(d) && take_byte(d, &d->opcode);
	case 0x62:
		return take_evex(d) && take_byte(d, &d->opcode);
	case 0x0f:
		break;
	default:
		return true;
	}
	d->map = MAP_0F;
	if (!take_byte(d, &d->opcode))
		return false;
	if (d->opcode != 0x38 && d->opcode != 0x3a)
		return true;
	d->map = d->opcode == 0x38 ? MAP_0F38 : MAP_0F3A;
	return take_byte(d, &d->opcode);
}

/* ---- operands ---- */

static bool take_sib(struct decoder *d, unsigned *displacement)
{
	uint8_t sib;
	if (!take_byte(d, &sib))
		return false;
	uint8_t index = (uint8_t)((sib >> 3 & 7) | (d->rex & 2) << 2);
	uint8_t base = sib & 7;
	if (index != RSP) {
		d->mem.index = index;
		d->mem.scale = (uint8_t)(1 << (sib >> 6));
	}
	if (base == RBP && d->mod == 0)
		*displacement = 4;
	else
		d->mem.base = (uint8_t)(base | (d->rex & 1) << 3);
	return true;
}

static bool take_modrm(struct decoder *d)
{
	uint8_t modrm;
	uint64_t value = 0;
	if (!take_byte(d, &modrm))
		return false;
	d->has_modrm = true;
	d->mod = modrm >> 6;
	d->digit = modrm >> 3 & 7;
	d->reg = (uint8_t)(d->digit | (d->rex & 4) << 1);
	d->rm = (uint8_t)((modrm & 7) | (d->rex & 1) << 3);
	d->mem = (struct sw_operand){.base = SW_REG_NONE, .index = SW_REG_NONE};
	if (d->mod == 3)
		return true;

	unsigned displacement = d->mod == 1 ? 1 : d->mod == 2 ? 4 : 0;
	if ((modrm & 7) == RSP) {
		if (!take_sib(d, &displacement))
			return false;
	} else if ((modrm & 7) == RBP && d->mod == 0) {
		d->is_rip = true;
		displacement = 4;
	} else {
		d->mem.base = d->rm;
	}
	if (displacement && !take(d, displacement, &value))
		return false;
	d->mem.value = (int64_t)value;
	return true;
}

static bool has_modrm_one(uint8_t opcode)
{
	if (opcode < 0x40)
		return (opcode & 7) < 4;
	switch (opcode) {
	case 0x63:
	case 0x69:
	case 0x6b:
	case 0xc0:
	case 0xc1:
	case 0xc6:
	case 0xc7:
	case 0xf6:
	case 0xf7:
	case 0xfe:
	case 0xff:
		return true;
	default:
		return (opcode >= 0x80 && opcode <= 0x8f) || (opcode >= 0xd0 && opcode <= 0xd3) ||
		       (opcode >= 0xd8 && opcode <= 0xdf);
	}
}

/* Bytes of the immediate in the one-byte map; -1: no instruction in 64-bit mode. */
static int immediate_one(const struct decoder *d)
{
	uint8_t opcode = d->opcode;
	int z = d->has_66 ? 2 : 4;

	if (opcode < 0x40)
		return (opcode & 7) == 4 ? 1 : (opcode & 7) == 5 ? z : (opcode & 7) > 5 ? -1 : 0;
	if (opcode >= 0x70 && opcode <= 0x7f)
		return 1;
	if (opcode >= 0xb0 && opcode <= 0xb7)
		return 1;
	if (opcode >= 0xb8 && opcode <= 0xbf)
		return d->rex & 8 ? 8 : z;
	if (opcode >= 0xa0 && opcode <= 0xa3)
		return 8;
	if (opcode >= 0xe0 && opcode <= 0xe7)
		return 1;
	switch (opcode) {
	case 0x60:
	case 0x61:
	case 0x82:
	case 0x9a:
	case 0xce:
	case 0xd4:
	case 0xd5:
	case 0xd6:
	case 0xea:
		return -1;
	case 0x68:
	case 0x69:
	case 0x81:
	case 0xa9:
	case 0xc7:
		return z;
	case 0xe8:
	case 0xe9:
		return 4;
	case 0x6a:
	case 0x6b:
	case 0x80:
	case 0x83:
	case 0xa8:
	case 0xc0:
	case 0xc1:
	case 0xc6:
	case 0xcd:
	case 0xeb:
		return 1;
	case 0xc2:
	case 0xca:
		return 2;
	case 0xc8:
		return 3;
	case 0xf6:
		return d->digit < 2 ? 1 : 0;
	case 0xf7:
		return d->digit < 2 ? z : 0;
	default:
		return 0;
	}
}

static bool has_modrm_0f(uint8_t opcode)
{
	if (opcode >= 0x80 && opcode <= 0x8f)
		return false;
	if (opcode >= 0xc8 && opcode <= 0xcf)
		return false;
	if (opcode >= 0x30 && opcode <= 0x37)
		return false;
	switch (opcode) {
	case 0x05:
	case 0x06:
	case 0x07:
	case 0x08:
	case 0x09:
	case 0x0b:
	case 0x0e:
	case 0x77:
	case 0xa0:
	case 0xa1:
	case 0xa2:
	case 0xa8:
	case 0xa9:
	case 0xaa:
		return false;
	default:
		return true;
	}
}

static int immediate_0f(const struct decoder *d)
{
	uint8_t opcode = d->opcode;
	if (opcode >= 0x80 && opcode <= 0x8f)
		return d->is_vex ? 0 : 4;
	if (opcode >= 0x70 && opcode <= 0x73)
		return 1;
	switch (opcode) {
	case 0xa4:
	case 0xac:
	case 0xba:
	case 0xc2:
	case 0xc4:
	case 0xc5:
	case 0xc6:
		return 1;
	default:
		return 0;
	}
}

static bool take_operands(struct decoder *d)
{
	bool modrm = d->map == MAP_ONE ? has_modrm_one(d->opcode)
		     : d->map == MAP_0F
			     ? has_modrm_0f(d->opcode) || (d->is_vex && d->opcode != 0x77)
			     : true;
	if (modrm && !take_modrm(d))
		return false;
	int size = d->map == MAP_ONE	? immediate_one(d)
		   : d->map == MAP_0F	? immediate_0f(d)
		   : d->map == MAP_0F3A ? 1
					: 0;
	if (size < 0 || !take(d, (unsigned)size, &d->imm))
		return false;
	if (d->is_rip) {
		d->mem.value += (int64_t)(d->pc + (sw_addr)(d->at - d->start));
		d->is_rip = false;
	}
	return true;
}

/* ---- effects ---- */

static bool is_wide(const struct decoder *d)
{
	return d->rex & 8;
}

static void add(struct decoder *d, struct sw_step step)
{
	sw_insn_add(d->insn, step);
}

static void lose(struct decoder *d, unsigned reg)
{
	sw_insn_lose(d->insn, reg);
}

static unsigned width(const struct decoder *d)
{
	return is_wide(d) ? 8 : d->has_66 ? 2 : 4;
}

static void spoil(struct decoder *d, unsigned size)
{
	if (!d->is_segment)
		add(d,
		    (struct sw_step){.kind = SW_STEP_SPOIL, .size = (uint8_t)size, .mem = d->mem});
}

/* r/m gets an unknown value. */
static void lose_rm(struct decoder *d, unsigned size)
{
	if (d->mod == 3)
		lose(d, d->rm);
	else
		spoil(d, size);
}

static void move_to_rm(struct decoder *d)
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

static void move_from_rm(struct decoder *d)
{
	if (!is_wide(d) || d->is_segment)
		lose(d, d->reg);
	else if (d->mod == 3)
		add(d, (struct sw_step){.kind = SW_STEP_MOVE, .dst = d->reg, .src = d->rm});
	else
		add(d, (struct sw_step){
			       .kind = SW_STEP_LOAD, .dst = d->reg, .size = 8, .mem = d->mem});
}

static void move_immediate(struct decoder *d)
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
static void add_to(struct decoder *d, unsigned reg, uint64_t value)
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

static void arithmetic_immediate(struct decoder *d)
{
	if (d->digit == 7) /* cmp */
		return;
	if (d->mod == 3 && is_wide(d) && d->opcode != 0x80 && (d->digit == 0 || d->digit == 5))
		add_to(d, d->rm, d->digit ? -d->imm : d->imm);
	else
		lose_rm(d, d->opcode == 0x80 ? 1 : width(d));
}

/* to += value. */
static void add_registers(struct decoder *d, uint8_t to, uint8_t value)
{
	if (to == RSP || value == RSP)
		lose(d, to);
	else
		add(d, (struct sw_step){.kind = SW_STEP_ADDRESS,
					.dst = to,
					.mem = {.base = to, .index = value, .scale = 1}});
}

/* add, or, adc, sbb, and, sub, xor, cmp: opcodes 00…3f. */
static void arithmetic(struct decoder *d)
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

static void load_address(struct decoder *d)
{
	if (!is_wide(d) || d->mod == 3)
		lose(d, d->reg);
	else if (d->reg == RSP && d->mem.base == RSP && d->mem.index == SW_REG_NONE)
		add(d, (struct sw_step){.kind = SW_STEP_STACK, .value = (uint64_t)d->mem.value});
	else
		add(d, (struct sw_step){.kind = SW_STEP_ADDRESS, .dst = d->reg, .mem = d->mem});
}

static void push(struct decoder *d, bool is_pop)
{
	add(d, (struct sw_step){.kind = SW_STEP_STACK, .value = is_pop ? 8 : (uint64_t)-8});
}

static void go_to(struct decoder *d, enum sw_step_kind kind)
{
	add(d, (struct sw_step){.kind = (uint8_t)kind,
				.value = d->pc + (sw_addr)(d->at - d->start) + d->imm});
}

static void group_ff(struct decoder *d)
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

static void exchange(struct decoder *d)
{
	if (d->opcode == 0x87 && is_wide(d) && d->mod != 3 && !d->is_segment)
		add(d, (struct sw_step){
			       .kind = SW_STEP_STORE, .src = d->reg, .size = 8, .mem = d->mem});
	else
		lose_rm(d, width(d));
	lose(d, d->reg);
}

static void effects_one(struct decoder *d)
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
static void move_vector(struct decoder *d, bool is_store)
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

static void effects_vector(struct decoder *d)
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

static void effects_0f(struct decoder *d)
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
static void effects_rest(struct decoder *d)
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
	struct decoder d = {.at = bytes,
			    .start = bytes,
			    .end = bytes + (available < 15 ? available : 15),
			    .pc = pc,
			    .insn = out};
	out->count = 0;
	if (!take_opcode(&d) || !take_operands(&d))
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
