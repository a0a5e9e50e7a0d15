/* What an interface's words say of the value in it (internal/abi: ITab, Type). */
#ifndef SW_GO_INTERFACE_H
#define SW_GO_INTERFACE_H

#include "go/runtime.h"

enum {
	SW_GO_ITAB_TYPE = 8,   /* ITab.Type */
	SW_GO_TYPE_TFLAG = 20, /* Type.TFlag */
	SW_GO_TYPE_KIND = 23,  /* Type.Kind_ */
	SW_GO_DIRECT = 1 << 5, /* KindDirectIface until 1.25, TFlagDirectIface from 1.26 */
};

/* The type descriptor that an itab is for. */
static inline bool sw_go_itab_type(const struct sw_go *go, sw_addr itab, sw_addr *descriptor)
{
	return sw_memory_u64(go->memory, itab + SW_GO_ITAB_TYPE, descriptor);
}

/* Does an interface hold values of a type in its data word, which else points to them? False when
 * the descriptor cannot be read. */
static inline bool sw_go_read_direct(const struct sw_go *go, sw_addr descriptor, bool *is_direct)
{
	uint8_t flags = 0;
	bool is_read = sw_memory_u8(
		go->memory, descriptor + (go->minor >= 26 ? SW_GO_TYPE_TFLAG : SW_GO_TYPE_KIND),
		&flags);
	*is_direct = flags & SW_GO_DIRECT;
	return is_read;
}

#endif
