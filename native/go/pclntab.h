/* What the function tables say about a pc, for the unwinder (runtime/symtab.go of Go 1.18–1.27).
 * All functions take any bytes for a table: what does not make sense is "not there". */
#ifndef SW_GO_PCLNTAB_H
#define SW_GO_PCLNTAB_H

#include "go/unwind.h"

/* internal/abi/symtab.go; the same numbers in 1.18–1.27. */
enum { SW_PCDATA_STACK_MAP_INDEX = 1, SW_PCDATA_INL_TREE_INDEX = 2 };
enum {
	SW_FUNCDATA_ARGS = 0,
	SW_FUNCDATA_LOCALS = 1,
	SW_FUNCDATA_STACK_OBJECTS = 2,
	SW_FUNCDATA_INL_TREE = 3,
};
enum { SW_FUNC_TOP_FRAME = 1, SW_FUNC_SP_WRITE = 2, SW_FUNC_ASM = 4 };
#define SW_FUNC_ARGS_UNKNOWN INT32_MIN
enum { SW_TEXTSECT_SIZE = 24 }; /* bytes of an entry of textsectmap: vaddr, end, baseaddr */

/* Where code stands whose offset into the text the tables give, and the other way about (false for
 * a pc in no section). A linker may cut a large text into sections and put code of its own between
 * them (symtab.go textAddr, textOff; cmd/link's splitTextSections does not do so for Linux on amd64
 * and arm64 up to 1.27). */
sw_addr sw_go_text_address(const struct sw_go_module *module, uint32_t offset);

/* Where the function of an entry of ftab stands; index + 1 < ftab_count. False when it is empty. */
bool sw_go_func_range(const struct sw_go_module *module, uint64_t index, sw_addr *start,
		      sw_addr *end);
bool sw_go_text_offset(const struct sw_go_module *module, sw_addr pc, uint32_t *out);

/* Value at a pc of the pc-value stream at `offset` into the module's pctab. Offset 0 is the
 * runtime's "no table": the value is -1 then. False when the stream is damaged or does not reach
 * the pc. */
bool sw_go_pc_value(const struct sw_go *go, const struct sw_go_func *func, uint32_t offset,
		    sw_addr pc, int32_t *out);

/* Bytes from sp to the frame's end at a pc, without the return address that a call of amd64
 * pushes. False for a function without frame information. */
bool sw_go_func_sp_delta(const struct sw_go *go, const struct sw_go_func *func, sw_addr pc,
			 int32_t *out);

/* A name at an offset of the module's table of function names; "?" when it is damaged. */
const char *sw_go_name_at(const struct sw_go_module *module, uint32_t offset);

/* Value of a PCDATA table at a pc; -1 when the function does not have the table. */
bool sw_go_func_pcdata(const struct sw_go *go, const struct sw_go_func *func, uint32_t table,
		       sw_addr pc, int32_t *out);

/* Address of a FUNCDATA table, 0 when the function has none. */
sw_addr sw_go_func_data(const struct sw_go *go, const struct sw_go_func *func, uint32_t table);

/* Is there frame information at all? Foreign code linked in has none. */
bool sw_go_func_has_frame(const struct sw_go *go, const struct sw_go_func *func);

#endif
