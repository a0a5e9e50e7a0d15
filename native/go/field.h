/* Fields of the runtime's structs in the target: 0 when the release has none, or when it cannot be
 * read. */
#ifndef SW_GO_FIELD_H
#define SW_GO_FIELD_H

#include "go/runtime.h"

static inline uint64_t sw_go_word_at(const struct sw_go *go, sw_addr at, sw_offset offset)
{
	uint64_t word = 0;
	if (offset != SW_ABSENT)
		sw_memory_u64(go->memory, at + offset, &word);
	return word;
}

static inline uint32_t sw_go_half_at(const struct sw_go *go, sw_addr at, sw_offset offset)
{
	uint32_t half = 0;
	if (offset != SW_ABSENT)
		sw_memory_u32(go->memory, at + offset, &half);
	return half;
}

static inline bool sw_go_flag_at(const struct sw_go *go, sw_addr at, sw_offset offset)
{
	uint8_t flag = 0;
	if (offset != SW_ABSENT)
		sw_memory_u8(go->memory, at + offset, &flag);
	return flag;
}

#endif
