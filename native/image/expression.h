/* DWARF expressions: where a variable is, or a register was saved. What cannot be told from what is
 * known is lost, never guessed. */
#ifndef SW_IMAGE_EXPRESSION_H
#define SW_IMAGE_EXPRESSION_H

#include "image/registers.h"

#include <elfutils/libdw.h>

enum sw_place_kind {
	SW_PLACE_LOST,	   /* optimized away, or it cannot be known */
	SW_PLACE_CFA,	   /* at CFA + number */
	SW_PLACE_MEMORY,   /* at the run-time address number */
	SW_PLACE_REGISTER, /* in the register of that DWARF number */
	SW_PLACE_VALUE,	   /* number is the value */
};

struct sw_place {
	enum sw_place_kind kind;
	uint64_t number;
};

/* What an expression may refer to. */
struct sw_expression {
	const struct sw_memory *memory;	      /* NULL: unknown */
	const struct sw_registers *registers; /* NULL: unknown */
	uint64_t bias;			      /* run-time - link-time */
	bool has_cfa;			      /* else places are told relative to the CFA */
	sw_addr cfa;
	const Dwarf_Op *frame_base; /* DW_AT_frame_base of the function, or NULL */
	size_t frame_base_count;
};

/* Runs up to the end or the next DW_OP_piece, which is not taken; *used says how many operations.
 */
struct sw_place sw_expression_run(const struct sw_expression *expression, const Dwarf_Op *ops,
				  size_t count, size_t *used);

#endif
