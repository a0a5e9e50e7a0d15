/* The registers of a frame by their DWARF numbers (System V psABI of amd64, AADWARF64). */
#ifndef SW_IMAGE_REGISTERS_H
#define SW_IMAGE_REGISTERS_H

#include "target/target.h"

enum {
	SW_REGISTERS_GENERAL = 32, /* amd64: rax rdx rcx rbx rsi rdi rbp rsp r8…r15; arm64: x0…x30
				      sp */
	SW_REGISTERS_SP_AMD64 = 7,
	SW_REGISTERS_SP_ARM64 = 31,
	SW_REGISTERS_LR_ARM64 = 30,
	SW_REGISTERS_VECTOR_AMD64 = 17, /* xmm0 */
	SW_REGISTERS_VECTOR_ARM64 = 64, /* v0 */
	SW_REGISTERS_VECTOR_BYTES = 16, /* of a vector register that are looked at */
};

struct sw_registers {
	sw_addr pc;
	uint64_t general[SW_REGISTERS_GENERAL];
	uint32_t known; /* bit n: general[n] is */
	/* The vector registers (amd64 from DWARF number 17, arm64 from 64), 16 bytes each; NULL
	 * when unknown. Belongs to the target. */
	const uint8_t *vector;
	unsigned vector_first, vector_count;
};

static inline unsigned sw_registers_sp_number(enum sw_arch arch)
{
	return arch == SW_ARCH_ARM64 ? SW_REGISTERS_SP_ARM64 : SW_REGISTERS_SP_AMD64;
}

static inline bool sw_registers_get(const struct sw_registers *registers, uint64_t number,
				    uint64_t *out)
{
	bool is_known = number < SW_REGISTERS_GENERAL && registers->known >> number & 1;

	*out = is_known ? registers->general[number] : 0;
	return is_known;
}

static inline void sw_registers_set(struct sw_registers *registers, unsigned number, uint64_t value)
{
	registers->general[number] = value;
	registers->known |= (uint32_t)1 << number;
}

/* As the kernel has saved them; none is known when the thread's are not. */
void sw_registers_of_thread(enum sw_arch arch, const struct sw_thread *thread,
			    struct sw_registers *out);

#endif
