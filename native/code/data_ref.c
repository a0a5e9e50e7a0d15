#include "code/data_ref.h"

struct scan {
	sw_addr pc; /* of code[0] */
	const uint8_t *code;
	uint64_t size; /* bytes */
	sw_code_is_data *is_data;
	const void *context;
	struct sw_code_refs *out;
};

static struct sw_error *add(const struct scan *scan, sw_addr address, enum sw_code_use use)
{
	if (!scan->is_data(scan->context, address))
		return NULL;
	return sw_code_refs_add(scan->out, (struct sw_code_ref){address, use});
}

/* ---- amd64: Intel's manual, volume 2, appendix A ---- */

enum {
	MODRM_MASK = 0xc7,
	MODRM_RIP = 0x05, /* mod 00, rm 101: the operand stands at the next instruction + disp32 */
	TWO_BYTES = 0x0f, /* before the opcodes of the second map */
	WIDE = 4,	  /* bytes of an immediate operand that a prefix makes 2 */
	LEA = 0x8d,
	OPERAND_SIZE = 0x66,
};

/* Bytes of immediate operand behind the displacement, -1 when the opcode takes no operand in
 * memory. `reg` is the middle field of modrm. */
static int immediate_one(uint8_t opcode, unsigned reg)
{
	switch (opcode) {
	case 0x00 ... 0x3f: /* add, or, adc, sbb, and, sub, xor, cmp */
		return opcode & 4 ? -1 : 0;
	case 0x63:	    /* movsxd */
	case 0x84 ... 0x8b: /* test, xchg, mov */
	case LEA:
	case 0xd0 ... 0xd3: /* shifts */
	case 0xfe ... 0xff: /* inc, dec, call, jmp, push */
		return 0;
	case 0x6b: /* imul */
	case 0x80: /* add … cmp */
	case 0x83:
	case 0xc0 ... 0xc1: /* shifts */
	case 0xc6:	    /* mov */
		return 1;
	case 0x69: /* imul */
	case 0x81: /* add … cmp */
	case 0xc7: /* mov */
		return WIDE;
	case 0xf6: /* test; not, neg, mul, div */
		return reg < 2 ? 1 : 0;
	case 0xf7:
		return reg < 2 ? WIDE : 0;
	}
	return -1;
}

static int immediate_two(uint8_t opcode)
{
	switch (opcode) {
	case 0x10 ... 0x18: /* vector moves, prefetch */
	case 0x28 ... 0x2f:
	case 0x40 ... 0x4f: /* cmov */
	case 0x51 ... 0x6f: /* vector arithmetic and moves */
	case 0x7e ... 0x7f:
	case 0x90 ... 0x9f: /* set */
	case 0xa3:	    /* bt */
	case 0xab:	    /* bts */
	case 0xaf ... 0xb1: /* imul, cmpxchg */
	case 0xb3:	    /* btr */
	case 0xb6 ... 0xb8: /* movzx, popcnt */
	case 0xbb ... 0xc1: /* btc, bsf, bsr, movsx, xadd; 0xba is below */
	case 0xc7:	    /* cmpxchg16b */
	case 0xd0 ... 0xff: /* vectors */
		return 0;
	case 0x70: /* shuffles, compares */
	case 0xa4: /* shld */
	case 0xac: /* shrd */
	case 0xba: /* bt, bts, btr, btc */
	case 0xc2:
	case 0xc4:
	case 0xc6:
		return 1;
	}
	return -1;
}

/* Is there the prefix that makes operands 16 bits wide, with or without REX behind it? */
static bool is_16_bits(const struct scan *scan, uint64_t opcode)
{
	const uint8_t *at = scan->code + opcode;
	return (opcode >= 1 && at[-1] == OPERAND_SIZE) ||
	       (opcode >= 2 && (at[-1] & 0xf0) == 0x40 && at[-2] == OPERAND_SIZE);
}

static struct sw_error *add_amd64(const struct scan *scan, uint64_t modrm, int immediate)
{
	int32_t displacement = (int32_t)sw_load32(scan->code + modrm + 1);
	enum sw_code_use use = scan->code[modrm - 1] == LEA ? SW_CODE_ADDRESS : SW_CODE_ACCESS;

	if (immediate < 0)
		return NULL;
	sw_addr next = scan->pc + modrm + 5 + (unsigned)immediate;
	return add(scan, next + (sw_addr)(int64_t)displacement, use);
}

/* A place that looks like the modrm byte of an operand relative to the pc. */
static struct sw_error *try_modrm(const struct scan *scan, uint64_t modrm)
{
	const uint8_t *at = scan->code + modrm;
	int immediate = immediate_one(at[-1], at[0] >> 3 & 7);
	struct sw_error *error = add_amd64(scan, modrm, immediate);

	if (!error && immediate == WIDE && is_16_bits(scan, modrm - 1))
		error = add_amd64(scan, modrm, 2);
	if (!error && modrm >= 2 && at[-2] == TWO_BYTES)
		error = add_amd64(scan, modrm, immediate_two(at[-1]));
	return error;
}

static struct sw_error *scan_amd64(const struct scan *scan)
{
	struct sw_error *error = NULL;
	for (uint64_t modrm = 1; !error && modrm + 5 <= scan->size; modrm++)
		if ((scan->code[modrm] & MODRM_MASK) == MODRM_RIP)
			error = try_modrm(scan, modrm);
	return error;
}

/* ---- arm64: Arm's manual, C4.1 ----
 * Go's assembler writes adrp and what uses its register one after the other
 * (cmd/internal/obj/arm64/asm7.go): adrp and a load or store, or adrp, add and perhaps a load or
 * store, by way of its own register R27 when the program does not need the address. */

enum { TEMPORARY = 27 };

static unsigned bits(uint32_t word, unsigned low, unsigned count)
{
	return word >> low & ((1u << count) - 1);
}

static int64_t sign_extend(uint64_t value, unsigned count)
{
	uint64_t sign = (uint64_t)1 << (count - 1);
	return (int64_t)((value ^ sign) - sign);
}

/* adrp: the page that its register then holds. */
static bool is_adrp(uint32_t word, sw_addr pc, unsigned *reg, sw_addr *page)
{
	if ((word & 0x9f000000) != 0x90000000)
		return false;
	int64_t pages = sign_extend(bits(word, 5, 19) << 2 | bits(word, 29, 2), 21);
	*reg = bits(word, 0, 5);
	*page = (pc & ~(sw_addr)0xfff) + (sw_addr)pages * 0x1000;
	return true;
}

/* add of an immediate number to the register. */
static bool is_add(uint32_t word, unsigned reg, unsigned *result, sw_addr *value)
{
	if ((word & 0xff800000) != 0x91000000 || bits(word, 5, 5) != reg)
		return false;
	*value += (sw_addr)bits(word, 10, 12) << (bits(word, 22, 1) ? 12 : 0);
	*result = bits(word, 0, 5);
	return true;
}

/* A load or store of one or two registers at the register plus an immediate offset. */
static bool is_access(uint32_t word, unsigned reg, sw_addr *value)
{
	bool is_vector = bits(word, 26, 1);
	if (bits(word, 5, 5) != reg)
		return false;
	if ((word & 0x3b000000) == 0x39000000) { /* ldr, str */
		unsigned scale = is_vector && bits(word, 23, 1) ? 4 : bits(word, 30, 2);
		*value += (sw_addr)bits(word, 10, 12) << scale;
		return true;
	}
	if ((word & 0x3b800000) == 0x29000000) { /* ldp, stp */
		unsigned scale = 2 + (is_vector ? bits(word, 30, 2) : bits(word, 31, 1));
		*value += (sw_addr)sign_extend(bits(word, 15, 7), 7) << scale;
		return true;
	}
	return false;
}

static uint32_t word_at(const struct scan *scan, uint64_t at)
{
	return at + 4 <= scan->size ? sw_load32(scan->code + at) : 0;
}

/* What the instructions behind an adrp make of its register. */
static struct sw_error *follow_adrp(const struct scan *scan, uint64_t at, unsigned reg,
				    sw_addr value)
{
	struct sw_error *error = NULL;
	sw_addr access = value;

	if (is_access(word_at(scan, at), reg, &access))
		return add(scan, access, SW_CODE_ACCESS);
	if (!is_add(word_at(scan, at), reg, &reg, &value))
		return NULL;
	access = value;
	bool has_access = is_access(word_at(scan, at + 4), reg, &access);
	if (!has_access || reg != TEMPORARY)
		error = add(scan, value, SW_CODE_ADDRESS);
	if (!error && has_access)
		error = add(scan, access, SW_CODE_ACCESS);
	return error;
}

static struct sw_error *scan_arm64(const struct scan *scan)
{
	struct sw_error *error = NULL;
	unsigned reg;
	sw_addr page;

	for (uint64_t at = 0; !error && at + 8 <= scan->size; at += 4)
		if (is_adrp(word_at(scan, at), scan->pc + at, &reg, &page))
			error = follow_adrp(scan, at + 4, reg, page);
	return error;
}

struct sw_error *sw_code_find_refs(enum sw_arch arch, sw_addr pc, const uint8_t *code,
				   uint64_t size, sw_code_is_data *is_data, const void *context,
				   struct sw_code_refs *out)
{
	struct scan scan = {
		.pc = pc,
		.code = code,
		.size = size,
		.is_data = is_data,
		.context = context,
		.out = out,
	};
	return arch == SW_ARCH_ARM64 ? scan_arm64(&scan) : scan_amd64(&scan);
}
