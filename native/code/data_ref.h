/* Which data a function's instructions refer to: enough of the instruction sets of amd64 and arm64
 * to find variables that no symbol names. */
#ifndef SW_CODE_DATA_REF_H
#define SW_CODE_DATA_REF_H

#include "base/vector.h"
#include "target/target.h"

enum sw_code_use {
	SW_CODE_ADDRESS, /* the address is computed: &variable, or the start of an access */
	SW_CODE_ACCESS,	 /* an instruction reads or writes there */
};

struct sw_code_ref {
	sw_addr address; /* of data */
	enum sw_code_use use;
};
SW_VECTOR(struct sw_code_ref, sw_code_refs);

/* Is an address one of data? */
typedef bool sw_code_is_data(const void *context, sw_addr address);

/* Adds what the `size` bytes of code that stand at `pc` in the target may refer to of what is_data
 * says is data: every reference relative to the pc, and some that are none, because the bytes of
 * amd64 are not decoded from the start. Any bytes may be given. */
struct sw_error *sw_code_find_refs(enum sw_arch arch, sw_addr pc, const uint8_t *code,
				   uint64_t size, sw_code_is_data *is_data, const void *context,
				   struct sw_code_refs *out);

#endif
