/* Instructions as steps: what Go's compiler writes around pointers, and any bytes at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "code/insn.h"

enum { PC = 0x401000, RAX = 0, RCX = 1, RDX = 2, RSP = 4, SP = 31 };

static struct sw_insn decode(enum sw_arch arch, const char *bytes, size_t size)
{
	struct sw_insn insn;
	assert_true(sw_insn_decode(arch, (const uint8_t *)bytes, size, PC, &insn));
	assert_int_equal(insn.length, size);
	return insn;
}

#define AMD64(bytes) decode(SW_ARCH_AMD64, bytes, sizeof(bytes) - 1)

static struct sw_insn arm64(uint32_t word)
{
	char bytes[4];
	memcpy(bytes, &word, sizeof(bytes));
	return decode(SW_ARCH_ARM64, bytes, sizeof(bytes));
}

static void check_mem(const struct sw_step *step, uint8_t base, uint8_t index, unsigned scale,
		      int64_t value)
{
	assert_int_equal(step->mem.base, base);
	assert_int_equal(step->mem.index, index);
	if (index != SW_REG_NONE)
		assert_int_equal(step->mem.scale, scale);
	assert_int_equal(step->mem.value, value);
}

static void test_amd64_moves(void **state)
{
	(void)state;
	struct sw_insn insn = AMD64("\x48\x8d\x05\x10\x00\x00\x00"); /* LEAQ 0x10(IP), AX */
	assert_int_equal(insn.steps[0].kind, SW_STEP_ADDRESS);
	assert_int_equal(insn.steps[0].dst, RAX);
	check_mem(&insn.steps[0], SW_REG_NONE, SW_REG_NONE, 0, PC + 7 + 0x10);

	insn = AMD64("\x48\x89\x44\xcc\x38"); /* MOVQ AX, 0x38(SP)(CX*8) */
	assert_int_equal(insn.steps[0].kind, SW_STEP_STORE);
	assert_int_equal(insn.steps[0].src, RAX);
	assert_int_equal(insn.steps[0].size, 8);
	check_mem(&insn.steps[0], RSP, RCX, 8, 0x38);

	insn = AMD64("\x4c\x8b\x80\xf8\xff\xff\xff"); /* MOVQ -8(AX), R8 */
	assert_int_equal(insn.steps[0].kind, SW_STEP_LOAD);
	assert_int_equal(insn.steps[0].dst, 8);
	check_mem(&insn.steps[0], RAX, SW_REG_NONE, 0, -8);

	insn = AMD64("\x8b\x08"); /* MOVL 0(AX), CX */
	assert_int_equal(insn.count, 1);
	assert_int_equal(insn.steps[0].kind, SW_STEP_LOSE);
	assert_int_equal(insn.steps[0].dst, RCX);

	insn = AMD64("\x48\xc7\x05\x0b\xbe\x0f\x00\x00\x00\x00\x00"); /* MOVQ $0, 0xfbe0b(IP) */
	assert_int_equal(insn.steps[0].kind, SW_STEP_STORE);
	assert_int_equal(insn.steps[0].src, SW_REG_NONE);
	check_mem(&insn.steps[0], SW_REG_NONE, SW_REG_NONE, 0, PC + 11 + 0xfbe0b);

	insn = AMD64("\x44\x0f\x11\x31"); /* MOVUPS X14, 0(CX) */
	assert_int_equal(insn.steps[0].kind, SW_STEP_STORE);
	assert_int_equal(insn.steps[0].src, SW_REG_VECTOR + 14);
	assert_int_equal(insn.steps[0].size, 16);
}

static void check_only_loses(struct sw_insn insn, uint8_t reg)
{
	assert_int_equal(insn.count, 1);
	assert_int_equal(insn.steps[0].kind, SW_STEP_LOSE);
	assert_int_equal(insn.steps[0].dst, reg);
}

/* What reads memory and writes a register leaves all else as it was. */
static void test_amd64_one_register(void **state)
{
	(void)state;
	check_only_loses(AMD64("\x0f\xb6\x54\x24\x47"), RDX);	      /* MOVBLZX 0x47(SP), DX */
	check_only_loses(AMD64("\x48\x0f\xbe\x08"), RCX);	      /* MOVBQSX 0(AX), CX */
	check_only_loses(AMD64("\x44\x0f\xb7\x00"), 8);		      /* MOVWLZX 0(AX), R8 */
	check_only_loses(AMD64("\x48\x0f\xaf\xca"), RCX);	      /* IMULQ DX, CX */
	check_only_loses(AMD64("\x48\x0f\xbc\xca"), RCX);	      /* BSFQ DX, CX */
	check_only_loses(AMD64("\xf3\x48\x0f\xb8\x4c\x24\x08"), RCX); /* POPCNTQ 8(SP), CX */
	assert_int_equal(AMD64("\x48\x0f\xba\xe1\x05").count, 0);     /* BTQ $5, CX */
	check_only_loses(AMD64("\x48\x0f\xba\xe9\x05"), RCX);	      /* BTSQ $5, CX */

	struct sw_insn insn = AMD64("\xf0\x48\x0f\xc1\x08"); /* LOCK XADDQ CX, 0(AX) */
	assert_int_equal(insn.count, 2);
	assert_int_equal(insn.steps[0].kind, SW_STEP_LOSE);
	assert_int_equal(insn.steps[0].dst, RCX);
	assert_int_equal(insn.steps[1].kind, SW_STEP_SPOIL);
	assert_int_equal(insn.steps[1].size, 8);
}

static void test_amd64_control(void **state)
{
	(void)state;
	struct sw_insn insn = AMD64("\xe8\xfb\xff\xff\xff"); /* CALL to itself */
	assert_int_equal(insn.steps[0].kind, SW_STEP_CALL);
	assert_int_equal(insn.steps[0].value, PC);

	insn = AMD64("\x0f\x86\x00\x01\x00\x00"); /* JBE */
	assert_int_equal(insn.steps[0].kind, SW_STEP_BRANCH);
	assert_int_equal(insn.steps[0].value, PC + 6 + 0x100);

	insn = AMD64("\xeb\xfe"); /* JMP to itself */
	assert_int_equal(insn.steps[0].kind, SW_STEP_JUMP);
	assert_int_equal(insn.steps[0].value, PC);

	insn = AMD64("\xff\x24\xc2"); /* JMP (DX)(AX*8) */
	assert_int_equal(insn.steps[0].kind, SW_STEP_SWITCH);
	check_mem(&insn.steps[0], RDX, RAX, 8, 0);

	insn = AMD64("\x48\x83\xec\x28"); /* SUBQ $0x28, SP */
	assert_int_equal(insn.steps[0].kind, SW_STEP_STACK);
	assert_int_equal((int64_t)insn.steps[0].value, -0x28);

	assert_int_equal(AMD64("\x48\x39\xc3").count, 0); /* CMPQ */
	assert_int_equal(AMD64("\x84\x02").count, 0);	  /* TESTB */
}

static void test_arm64(void **state)
{
	(void)state;
	struct sw_insn insn = arm64(0x90000be0); /* ADRP X0, 0x17c000 */
	assert_int_equal(insn.steps[0].kind, SW_STEP_CONST);
	assert_int_equal(insn.steps[0].value, (PC & ~0xfff) + 0x17c000);

	insn = arm64(0x91046000); /* ADD X0, X0, #0x118 */
	assert_int_equal(insn.steps[0].kind, SW_STEP_ADDRESS);
	check_mem(&insn.steps[0], 0, SW_REG_NONE, 0, 0x118);

	insn = arm64(0xf81b0ffe); /* STR X30, [SP, #-0x50]! */
	assert_int_equal(insn.count, 2);
	assert_int_equal(insn.steps[0].kind, SW_STEP_STACK);
	assert_int_equal((int64_t)insn.steps[0].value, -0x50);
	assert_int_equal(insn.steps[1].kind, SW_STEP_STORE);
	check_mem(&insn.steps[1], SP, SW_REG_NONE, 0, 0);

	insn = arm64(0xa9420be1); /* LDP X1, X2, [SP, #0x20] */
	assert_int_equal(insn.count, 2);
	assert_int_equal(insn.steps[0].dst, 1);
	assert_int_equal(insn.steps[1].dst, 2);
	check_mem(&insn.steps[1], SP, SW_REG_NONE, 0, 0x28);

	insn = arm64(0xf8627820); /* LDR X0, [X1, X2, LSL #3] */
	assert_int_equal(insn.steps[0].kind, SW_STEP_LOAD);
	check_mem(&insn.steps[0], 1, 2, 8, 0);

	insn = arm64(0xaa0103e0); /* MOV X0, X1 */
	assert_int_equal(insn.steps[0].kind, SW_STEP_MOVE);
	insn = arm64(0xf900001f); /* STR XZR, [X0] */
	assert_int_equal(insn.steps[0].kind, SW_STEP_STORE);
	assert_int_equal(insn.steps[0].src, SW_REG_NONE);
	insn = arm64(0xb9400001); /* LDR W1, [X0] */
	assert_int_equal(insn.steps[0].kind, SW_STEP_LOSE);
	assert_int_equal(insn.steps[0].dst, 1);

	insn = arm64(0x97ffffff); /* BL -4 */
	assert_int_equal(insn.steps[0].kind, SW_STEP_CALL);
	assert_int_equal(insn.steps[0].value, PC - 4);
	assert_int_equal(arm64(0xd65f03c0).steps[0].kind, SW_STEP_RETURN);
	assert_int_equal(arm64(0x54000040).steps[0].value, PC + 8); /* B.EQ */
}

/* Whatever the bytes are, nothing is read or written but what is given. */
static void test_any_bytes(void **state)
{
	(void)state;
	uint64_t seed = 1;
	for (unsigned i = 0; i < 200000; i++) {
		uint8_t *bytes = malloc(16);
		struct sw_insn insn;
		for (unsigned k = 0; k < 16; k++) {
			seed = seed * 6364136223846793005 + 1442695040888963407;
			bytes[k] = (uint8_t)(seed >> 56);
		}
		size_t available = 1 + i % 16;
		uint8_t *exact = malloc(available);
		memcpy(exact, bytes, available);
		enum sw_arch arch = i % 2 ? SW_ARCH_ARM64 : SW_ARCH_AMD64;
		if (sw_insn_decode(arch, exact, available, PC, &insn)) {
			assert_in_range(insn.length, 1, available);
			assert_in_range(insn.count, 0, SW_MAX_STEPS);
			for (unsigned k = 0; k < insn.count; k++)
				assert_true(insn.steps[k].dst < SW_REG_COUNT ||
					    insn.steps[k].dst == SW_REG_NONE);
		}
		free(exact);
		free(bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_amd64_moves),   cmocka_unit_test(test_amd64_one_register),
		cmocka_unit_test(test_amd64_control), cmocka_unit_test(test_arm64),
		cmocka_unit_test(test_any_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
