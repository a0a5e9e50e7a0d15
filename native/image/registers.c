#include "image/registers.h"

enum { FX_XMM = 160, FX_END = 416 }; /* of what the fxsave instruction writes */

/* struct user_regs_struct → DWARF numbers; its place 19 is rsp. */
static void take_amd64(const struct sw_thread *thread, struct sw_registers *out)
{
	static const uint8_t numbers[15] = {15, 14, 13, 12, 6, 3, 11, 10, 9, 8, 0, 2, 1, 4, 5};

	for (unsigned i = 0; i < sizeof(numbers); i++)
		sw_registers_set(out, numbers[i], thread->registers[i]);
	sw_registers_set(out, SW_REGISTERS_SP_AMD64, thread->sp);
	if (thread->vector && thread->vector_size >= FX_END) {
		out->vector = thread->vector + FX_XMM;
		out->vector_first = SW_REGISTERS_VECTOR_AMD64;
		out->vector_count = 16;
	}
}

static void take_arm64(const struct sw_thread *thread, struct sw_registers *out)
{
	for (unsigned i = 0; i <= SW_REGISTERS_LR_ARM64; i++)
		sw_registers_set(out, i, thread->registers[i]);
	sw_registers_set(out, SW_REGISTERS_SP_ARM64, thread->sp);
	if (thread->vector && thread->vector_size >= 32 * SW_REGISTERS_VECTOR_BYTES) {
		out->vector = thread->vector;
		out->vector_first = SW_REGISTERS_VECTOR_ARM64;
		out->vector_count = 32;
	}
}

void sw_registers_of_thread(enum sw_arch arch, const struct sw_thread *thread,
			    struct sw_registers *out)
{
	*out = (struct sw_registers){.pc = thread->pc};
	if (arch == SW_ARCH_AMD64 && thread->register_count >= 15)
		take_amd64(thread, out);
	if (arch == SW_ARCH_ARM64 && thread->register_count > SW_REGISTERS_LR_ARM64)
		take_arm64(thread, out);
}
