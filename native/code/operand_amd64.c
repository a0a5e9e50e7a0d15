/* amd64: opcodes and operands of all instructions that Go's compiler and assembler know, and so
 * their lengths. Intel's manual, volume 2, appendix A has the opcode maps. */
#include "code/operand_amd64.h"

static bool take(struct sw_amd64_insn *d, unsigned size, uint64_t *out)
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

static bool take_byte(struct sw_amd64_insn *d, uint8_t *out)
{
	if (d->at == d->end)
		return false;
	*out = *d->at++;
	return true;
}

/* ---- prefixes ---- */

/* The two bytes that VEX of three bytes and EVEX begin with; map_mask: the bits of the map. */
static bool take_vex_bytes(struct sw_amd64_insn *d, uint8_t map_mask)
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

static bool take_vex3(struct sw_amd64_insn *d)
{
	return take_vex_bytes(d, 31);
}

static bool take_vex2(struct sw_amd64_insn *d)
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

static bool take_evex(struct sw_amd64_insn *d)
{
	uint8_t three;
	return take_vex_bytes(d, 7) && take_byte(d, &three);
}

static bool take_prefixes(struct sw_amd64_insn *d)
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

static bool take_opcode(struct sw_amd64_insn *d)
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

static bool take_sib(struct sw_amd64_insn *d, unsigned *displacement)
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

static bool take_modrm(struct sw_amd64_insn *d)
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
static int immediate_one(const struct sw_amd64_insn *d)
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

static int immediate_0f(const struct sw_amd64_insn *d)
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

static bool take_operands(struct sw_amd64_insn *d)
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

bool sw_amd64_take(struct sw_amd64_insn *d)
{
	return take_opcode(d) && take_operands(d);
}
