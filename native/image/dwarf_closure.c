/* The variables that a Go function finds in its closure. */
#include "image/dwarf_private.h"

enum { MAX_CLOSURE = 1 << 16 }; /* bytes */

static struct sw_error *add_variable(Dwarf_Die *die, struct sw_dwarf_captures *out)
{
	struct sw_dwarf_capture capture = {
		.name = sw_die_name(die),
		.type = sw_die_reference_offset(die, DW_AT_type),
	};

	if (!*capture.name || !capture.type)
		return NULL;
	if (sw_die_unsigned(die, SW_DW_AT_go_closure_offset, &capture.offset) &&
	    capture.offset >= MAX_CLOSURE)
		return NULL;
	return sw_dwarf_captures_add(out, capture);
}

/* A captured variable stands in the block that uses it first. */
static struct sw_error *walk_blocks(Dwarf_Die *scope, struct sw_dwarf_captures *out, int depth)
{
	struct sw_error *error = NULL;
	Dwarf_Die die;

	if (depth > SW_DWARF_MAX_DEPTH)
		return NULL;
	for (int status = dwarf_child(scope, &die); !status && !error;
	     status = dwarf_siblingof(&die, &die)) {
		int tag = dwarf_tag(&die);

		if (tag == DW_TAG_variable)
			error = add_variable(&die, out);
		else if (tag == DW_TAG_lexical_block)
			error = walk_blocks(&die, out, depth + 1);
	}
	return error;
}

struct sw_error *sw_dwarf_captures(struct sw_dwarf *dwarf, sw_addr entry,
				   struct sw_dwarf_captures *out)
{
	uint64_t pc = entry - dwarf->image->bias;
	Dwarf_Addr low;
	Dwarf_Die function;

	if (!sw_dwarf_function(dwarf, pc, &function) || dwarf_lowpc(&function, &low) || low != pc)
		return NULL;
	return walk_blocks(&function, out, 0);
}
