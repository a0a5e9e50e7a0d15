/* Specials: what a span's list says of its objects (runtime/mheap.go special). */
#ifndef SW_GO_SPECIAL_H
#define SW_GO_SPECIAL_H

#include "go/runtime.h"

struct sw_go_special {
	sw_addr address, next;
	uint64_t offset; /* bytes from the span's base; may be inside an object */
	uint8_t kind;	 /* of layout.special_kind */
};

/* False when it cannot be read; the offset is as it stands there. */
static inline bool sw_go_special_read(const struct sw_go *go, sw_addr at, struct sw_go_special *out)
{
	const __typeof__(go->layout.special) *layout = &go->layout.special;
	uint16_t narrow = 0;

	out->address = at;
	if (!sw_memory_u64(go->memory, at + layout->next, &out->next) ||
	    !sw_memory_u8(go->memory, at + layout->kind, &out->kind))
		return false;
	if (layout->offset_size == 8)
		return sw_memory_u64(go->memory, at + layout->offset, &out->offset);
	bool is_read = sw_memory_u16(go->memory, at + layout->offset, &narrow);
	out->offset = narrow;
	return is_read;
}

#endif
