#include "code/insn.h"

bool sw_insn_decode(enum sw_arch arch, const uint8_t *bytes, size_t available, sw_addr pc,
		    struct sw_insn *out)
{
	return arch == SW_ARCH_AMD64 ? sw_insn_decode_amd64(bytes, available, pc, out)
				     : sw_insn_decode_arm64(bytes, available, pc, out);
}
