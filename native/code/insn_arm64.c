/* arm64: every instruction has four bytes; those that move pointers, and what the others write.
 * Arm's Architecture Reference Manual for A-profile, C4.1, has the encodings. */
#include "code/insn.h"

enum { SP = 31, ZERO = 31 }; /* one number: which of them it means depends on the instruction */

struct decoder {
	uint32_t bits;
	sw_addr pc;
	struct sw_insn *insn;
};

static uint32_t field(const struct decoder *d, unsigned low, unsigned width)
{
	return d->bits >> low & (((uint32_t)1 << width) - 1);
}

static int64_t signed_field(const struct decoder *d, unsigned low, unsigned width)
{
	int64_t value = field(d, low, width);
	return value >> (width - 1) ? value - ((int64_t)1 << width) : value;
}

static bool is(const struct decoder *d, uint32_t mask, uint32_t value)
{
	return (d->bits & mask) == value;
}

static uint8_t rd(const struct decoder *d)
{
	return (uint8_t)field(d, 0, 5);
}

static uint8_t rn(const struct decoder *d)
{
	return (uint8_t)field(d, 5, 5);
}

static uint8_t rm(const struct decoder *d)
{
	return (uint8_t)field(d, 16, 5);
}

static void add(const struct decoder *d, struct sw_step step)
{
	sw_insn_add(d->insn, step);
}

/* A general register, not the stack pointer. */
static void lose(const struct decoder *d, unsigned reg)
{
	if (reg != ZERO)
		sw_insn_lose(d->insn, reg);
}

static struct sw_operand at(uint8_t base, int64_t value)
{
	return (struct sw_operand){.base = base, .index = SW_REG_NONE, .value = value};
}

static void move(const struct decoder *d, uint8_t dst, uint8_t src)
{
	if (dst == ZERO)
		return;
	if (src == ZERO)
		add(d, (struct sw_step){.kind = SW_STEP_CONST, .dst = dst});
	else
		add(d, (struct sw_step){.kind = SW_STEP_MOVE, .dst = dst, .src = src});
}

/* dst = base + value, either may be the stack pointer. */
static void set_address(const struct decoder *d, uint8_t dst, uint8_t base, int64_t value)
{
	if (dst == SP && base == SP)
		add(d, (struct sw_step){.kind = SW_STEP_STACK, .value = (uint64_t)value});
	else
		add(d,
		    (struct sw_step){.kind = SW_STEP_ADDRESS, .dst = dst, .mem = at(base, value)});
}

/* ---- loads and stores ---- */

/* What an access moves: 8 bytes of a general register, 16 of a vector register; else less or more
 * than is followed. */
struct access {
	bool is_load, is_vector, is_signed;
	unsigned size; /* bytes */
};

static void transfer(const struct decoder *d, const struct access *access, uint8_t reg,
		     struct sw_operand mem)
{
	bool is_followed = access->size == (access->is_vector ? 16 : 8);
	if (access->is_vector)
		reg += SW_REG_VECTOR;
	bool is_zero = !access->is_vector && reg == ZERO;
	if (is_followed && access->is_load && !is_zero)
		add(d, (struct sw_step){.kind = SW_STEP_LOAD,
					.dst = reg,
					.size = (uint8_t)access->size,
					.mem = mem});
	else if (is_followed && !access->is_load)
		add(d, (struct sw_step){.kind = SW_STEP_STORE,
					.src = is_zero ? SW_REG_NONE : reg,
					.size = (uint8_t)access->size,
					.mem = mem});
	else if (access->is_load && !is_zero)
		sw_insn_lose(d->insn, reg);
	else if (!access->is_load)
		add(d, (struct sw_step){
			       .kind = SW_STEP_SPOIL, .size = (uint8_t)access->size, .mem = mem});
}

/* Of size (bits 30–31), V (26) and opc (22–23). */
static struct access access_of(const struct decoder *d)
{
	unsigned size = field(d, 30, 2), opc = field(d, 22, 2);
	struct access access = {.is_vector = field(d, 26, 1), .size = 1u << size};
	if (access.is_vector && opc >= 2)
		access.size = 16;
	access.is_load = access.is_vector ? opc & 1 : opc != 0;
	return access;
}

static void access_scaled(const struct decoder *d)
{
	struct access access = access_of(d);
	if (!access.is_vector && field(d, 30, 2) == 3 && field(d, 22, 2) == 2)
		return; /* a prefetch */
	transfer(d, &access, rd(d), at(rn(d), (int64_t)(field(d, 10, 12) * access.size)));
}

/* The base moves before the access or after it. */
static void access_indexed(const struct decoder *d)
{
	struct access access = access_of(d);
	unsigned mode = field(d, 10, 2);
	int64_t value = signed_field(d, 12, 9);
	if (mode == 3)
		set_address(d, rn(d), rn(d), value);
	transfer(d, &access, rd(d), at(rn(d), mode & 1 ? 0 : value));
	if (mode == 1)
		set_address(d, rn(d), rn(d), value);
}

static void access_register(const struct decoder *d)
{
	struct access access = access_of(d);
	struct sw_operand mem = {.base = rn(d), .index = rm(d)};
	mem.scale = (uint8_t)(field(d, 12, 1) ? access.size : 1);
	if (!access.is_vector && field(d, 30, 2) == 3 && field(d, 22, 2) == 2)
		return;
	transfer(d, &access, rd(d), mem);
}

static void access_pair(const struct decoder *d)
{
	unsigned opc = field(d, 30, 2), mode = field(d, 23, 2);
	struct access access = {.is_load = field(d, 22, 1), .is_vector = field(d, 26, 1)};
	access.size = access.is_vector ? 4u << opc : opc == 2 ? 8 : 4;
	int64_t value = signed_field(d, 15, 7) * (int64_t)access.size;
	if (mode == 3)
		set_address(d, rn(d), rn(d), value);
	int64_t offset = mode & 1 ? 0 : value;
	uint8_t second = (uint8_t)field(d, 10, 5);
	/* A first load may overwrite the base. */
	if (access.is_load && rd(d) == rn(d) && !access.is_vector) {
		transfer(d, &access, second, at(rn(d), offset + (int64_t)access.size));
		transfer(d, &access, rd(d), at(rn(d), offset));
	} else {
		transfer(d, &access, rd(d), at(rn(d), offset));
		transfer(d, &access, second, at(rn(d), offset + (int64_t)access.size));
	}
	if (mode == 1)
		set_address(d, rn(d), rn(d), value);
}

/* Load-acquire, store-release, exclusive accesses, compare and swap. */
static void access_ordered(const struct decoder *d)
{
	bool is_whole = field(d, 30, 2) == 3, is_load = field(d, 22, 1);
	bool is_ordered = field(d, 23, 1), is_pair = field(d, 21, 1);
	struct access access = {.is_load = is_load, .size = 1u << field(d, 30, 2)};

	if (is_ordered && is_pair) { /* CAS: rs is compared and takes what was there */
		access.is_load = false;
		transfer(d, &access, rd(d), at(rn(d), 0));
		lose(d, rm(d));
		return;
	}
	if (is_pair || !is_whole) {
		lose(d, rd(d));
		lose(d, field(d, 10, 5));
		if (!is_load)
			add(d, (struct sw_step){
				       .kind = SW_STEP_SPOIL, .size = 16, .mem = at(rn(d), 0)});
	} else {
		transfer(d, &access, rd(d), at(rn(d), 0));
	}
	if (!is_ordered && !is_load)
		lose(d, rm(d)); /* the status */
}

/* SWP stores rs, rt takes what was there; LDADD and the like do so with a sum. */
static void access_atomic(const struct decoder *d)
{
	struct access access = {.size = 1u << field(d, 30, 2)};
	if (field(d, 12, 4) == 8)
		transfer(d, &access, rm(d), at(rn(d), 0));
	else
		add(d, (struct sw_step){.kind = SW_STEP_SPOIL, .size = 8, .mem = at(rn(d), 0)});
	lose(d, rd(d));
}

static void effects_memory(const struct decoder *d)
{
	if (is(d, 0x3b000000, 0x18000000)) { /* of a constant beside the code */
		struct access access = {.is_load = true,
					.is_vector = field(d, 26, 1),
					.size = field(d, 30, 2) == 1 ? 8 : 4};
		transfer(d, &access, rd(d),
			 at(SW_REG_NONE, (int64_t)d->pc + 4 * signed_field(d, 5, 19)));
	} else if (is(d, 0x3a000000, 0x28000000)) {
		access_pair(d);
	} else if (is(d, 0x3b000000, 0x39000000)) {
		access_scaled(d);
	} else if (is(d, 0x3b200000, 0x38000000)) {
		access_indexed(d);
	} else if (is(d, 0x3b200c00, 0x38200800)) {
		access_register(d);
	} else if (is(d, 0x3f200c00, 0x38200000)) {
		access_atomic(d);
	} else if (is(d, 0x3f000000, 0x08000000)) {
		access_ordered(d);
	} else { /* LD1, ST1 and others, of up to four vector registers */
		for (unsigned i = 0; i < 4; i++)
			sw_insn_lose(d->insn, SW_REG_VECTOR + (rd(d) + i) % 32);
		add(d, (struct sw_step){.kind = SW_STEP_SPOIL, .size = 64, .mem = at(rn(d), 0)});
		if (field(d, 23, 1))
			lose(d, rn(d));
	}
}

/* ---- arithmetic ---- */

static void effects_immediate(const struct decoder *d)
{
	int64_t page = signed_field(d, 5, 19) * 4 + field(d, 29, 2);
	int64_t value = (int64_t)field(d, 10, 12) << (field(d, 22, 1) ? 12 : 0);

	if (is(d, 0x9f000000, 0x90000000)) /* ADRP */
		add(d,
		    (struct sw_step){.kind = SW_STEP_CONST,
				     .dst = rd(d),
				     .value = (d->pc & ~(sw_addr)4095) + ((uint64_t)page << 12)});
	else if (is(d, 0x9f000000, 0x10000000)) /* ADR */
		add(d, (struct sw_step){.kind = SW_STEP_CONST,
					.dst = rd(d),
					.value = d->pc + (uint64_t)page});
	else if (is(d, 0xff800000, 0x91000000))
		set_address(d, rd(d), rn(d), value);
	else if (is(d, 0xff800000, 0xd1000000))
		set_address(d, rd(d), rn(d), -value);
	else if (is(d, 0x7f800000, 0x52800000)) /* MOVZ */
		add(d,
		    (struct sw_step){.kind = SW_STEP_CONST,
				     .dst = rd(d),
				     .value = (uint64_t)field(d, 5, 16) << 16 * field(d, 21, 2)});
	else
		lose(d, rd(d));
}

static void effects_register(const struct decoder *d)
{
	if (is(d, 0xffe0ffe0, 0xaa0003e0)) {
		move(d, rd(d), rm(d));
	} else if (is(d, 0xffe00c00, 0x9a800000)) { /* CSEL */
		if (rd(d) != rm(d))
			move(d, rd(d), rn(d));
		uint8_t other = rd(d) == rm(d) ? rn(d) : rm(d);
		if (other != ZERO && rd(d) != ZERO)
			add(d,
			    (struct sw_step){.kind = SW_STEP_SELECT, .dst = rd(d), .src = other});
	} else if (is(d, 0xffe00000, 0x8b000000) && field(d, 10, 6) < 8 && rd(d) != ZERO &&
		   rn(d) != ZERO && rm(d) != ZERO) { /* ADD, the second shifted left */
		add(d, (struct sw_step){.kind = SW_STEP_ADDRESS,
					.dst = rd(d),
					.mem = {.base = rn(d),
						.index = rm(d),
						.scale = (uint8_t)(1 << field(d, 10, 6))}});
	} else {
		lose(d, rd(d));
	}
}

/* Those that write to a general register are few. */
static void effects_vector(const struct decoder *d)
{
	if (is(d, 0x5f20fc00, 0x1e200000) || is(d, 0xbfe0fc00, 0x0e003c00) ||
	    is(d, 0xbfe0fc00, 0x0e002c00))
		lose(d, rd(d));
	sw_insn_lose(d->insn, SW_REG_VECTOR + rd(d));
}

/* ---- control ---- */

static void go_to(const struct decoder *d, enum sw_step_kind kind, int64_t words)
{
	add(d, (struct sw_step){.kind = (uint8_t)kind, .value = d->pc + (uint64_t)(4 * words)});
}

static void effects_branch(const struct decoder *d)
{
	if (is(d, 0xfc000000, 0x14000000))
		go_to(d, SW_STEP_JUMP, signed_field(d, 0, 26));
	else if (is(d, 0xfc000000, 0x94000000))
		go_to(d, SW_STEP_CALL, signed_field(d, 0, 26));
	else if (is(d, 0xff000000, 0x54000000) || is(d, 0x7e000000, 0x34000000))
		go_to(d, SW_STEP_BRANCH, signed_field(d, 5, 19));
	else if (is(d, 0x7e000000, 0x36000000))
		go_to(d, SW_STEP_BRANCH, signed_field(d, 5, 14));
	else if (is(d, 0xfffffc1f, 0xd61f0000))
		add(d, (struct sw_step){.kind = SW_STEP_SWITCH, .src = rn(d)});
	else if (is(d, 0xfffffc1f, 0xd63f0000))
		add(d, (struct sw_step){.kind = SW_STEP_CALL});
	else if (is(d, 0xfffffc1f, 0xd65f0000))
		add(d, (struct sw_step){.kind = SW_STEP_RETURN});
	else if (is(d, 0xffe0001f, 0xd4200000)) /* BRK */
		add(d, (struct sw_step){.kind = SW_STEP_END});
	else if (is(d, 0xfff00000, 0xd5300000) || is(d, 0xff000000, 0xd4000000)) /* MRS, SVC */
		lose(d, is(d, 0xff000000, 0xd4000000) ? 0 : rd(d));
}

bool sw_insn_decode_arm64(const uint8_t *bytes, size_t available, sw_addr pc, struct sw_insn *out)
{
	struct decoder d = {.pc = pc, .insn = out};
	out->count = 0;
	out->length = 4;
	if (available < 4)
		return false;
	d.bits = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
		 (uint32_t)bytes[3] << 24;
	switch (field(&d, 25, 4)) {
	case 0: /* UDF, and what is reserved */
		add(&d, (struct sw_step){.kind = SW_STEP_END});
		break;
	case 8:
	case 9:
		effects_immediate(&d);
		break;
	case 10:
	case 11:
		effects_branch(&d);
		break;
	case 4:
	case 6:
	case 12:
	case 14:
		effects_memory(&d);
		break;
	case 5:
	case 13:
		effects_register(&d);
		break;
	case 7:
	case 15:
		effects_vector(&d);
		break;
	default: /* SVE: not in Go's code */
		return false;
	}
	return true;
}
