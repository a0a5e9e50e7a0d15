/* Locals and parameters that lie in a frame at a pc. */
#include "image/dwarf_private.h"

/* A function of C may be in parts (hot and cold); of Go it never is. */
enum { MAX_RANGES = 64 };

static struct sw_error *add_code(struct sw_dwarf *dwarf, Dwarf_Die *die, int tag)
{
	Dwarf_Addr base, low, high;
	ptrdiff_t next = 0;

	if (tag != DW_TAG_subprogram)
		return NULL;
	for (int i = 0; i < MAX_RANGES; i++) {
		next = dwarf_ranges(die, next, &base, &low, &high);
		if (next <= 0)
			break;
		if (!low || low >= high)
			continue; /* dropped by the linker */
		struct sw_dwarf_code code = {low, high, dwarf_dieoffset(die)};
		struct sw_error *error = sw_dwarf_codes_add(&dwarf->codes, code);
		if (error)
			return error;
	}
	return NULL;
}

static int compare_codes(const void *left_item, const void *right_item)
{
	const struct sw_dwarf_code *left = left_item, *right = right_item;

	return (left->low > right->low) - (left->low < right->low);
}

/* Opens the sections once more, now with the lists of locations and ranges. Offsets of DIEs and
 * names stay what they are: names lie in the sections, which belong to the Elf. */
static struct sw_error *show_lists(struct sw_dwarf *dwarf)
{
	Dwarf *handle = NULL;

	if (sw_dwarf_sections_show(&dwarf->sections))
		handle = dwarf_begin_elf(dwarf->sections.elf, DWARF_C_READ, NULL);
	if (!handle)
		return sw_error_format(SW_ERR_DAMAGED, "%s: debug information of locals: %s",
				       dwarf->image->path, dwarf_errmsg(-1));
	dwarf_end(dwarf->handle);
	dwarf->handle = handle;
	return NULL;
}

static struct sw_error *need_codes(struct sw_dwarf *dwarf)
{
	if (dwarf->has_codes)
		return NULL;
	struct sw_error *error = show_lists(dwarf);
	if (!error)
		error = sw_dwarf_each_top(dwarf, add_code, NULL);
	if (error) {
		sw_dwarf_codes_free(&dwarf->codes);
		return error;
	}
	if (dwarf->codes.count)
		qsort(dwarf->codes.items, dwarf->codes.count, sizeof(*dwarf->codes.items),
		      compare_codes);
	dwarf->has_codes = true;
	return NULL;
}

/* The function at a link-time pc. Parts do not overlap but in damaged or odd files; a few steps
 * back find the one that matters there too. */
static bool find_function(struct sw_dwarf *dwarf, uint64_t pc, Dwarf_Die *out)
{
	const struct sw_dwarf_code *items = dwarf->codes.items;
	size_t low = 0, high = dwarf->codes.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (items[middle].low <= pc)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t i = low; i > 0 && low - i < 8; i--) {
		if (pc < items[i - 1].high)
			return sw_dwarf_die(dwarf, items[i - 1].offset, out);
	}
	return false;
}

/* Whether the function's frame base is the CFA: always so in Go and gcc's amd64 and arm64 code;
 * clang's is a register. */
static bool frame_base_is_cfa(Dwarf_Die *function, uint64_t pc)
{
	Dwarf_Attribute found;
	Dwarf_Op *ops;
	size_t count;

	return sw_die_location(function, DW_AT_frame_base, &found) &&
	       dwarf_getlocation_addr(&found, pc, &ops, &count, 1) == 1 && count == 1 &&
	       ops[0].atom == DW_OP_call_frame_cfa;
}

/* A value on the stack of a location expression. */
struct value {
	bool is_cfa; /* CFA + number, else number */
	int64_t number;
};

/* The expression of one variable, run up to the next DW_OP_piece. */
struct machine {
	bool base_is_cfa;
	struct value stack[8];
	size_t depth;
	bool is_lost; /* it is in no memory that a CFA leads to */
};

static void push(struct machine *machine, bool is_cfa, int64_t number)
{
	if (machine->depth == sizeof(machine->stack) / sizeof(machine->stack[0])) {
		machine->is_lost = true;
		return;
	}
	machine->stack[machine->depth++] = (struct value){is_cfa, number};
}

static int64_t add(int64_t left, int64_t right)
{
	return (int64_t)((uint64_t)left + (uint64_t)right);
}

static void run_plus(struct machine *machine)
{
	if (machine->depth < 2 || (machine->stack[machine->depth - 1].is_cfa &&
				   machine->stack[machine->depth - 2].is_cfa)) {
		machine->is_lost = true;
		return;
	}
	struct value right = machine->stack[--machine->depth];
	struct value *left = &machine->stack[machine->depth - 1];
	left->is_cfa |= right.is_cfa;
	left->number = add(left->number, right.number);
}

static void run_op(struct machine *machine, const Dwarf_Op *op)
{
	switch (op->atom) {
	case DW_OP_call_frame_cfa:
		push(machine, true, 0);
		break;
	case DW_OP_fbreg:
		push(machine, true, (int64_t)op->number);
		machine->is_lost |= !machine->base_is_cfa;
		break;
	case DW_OP_const1u:
	case DW_OP_const1s:
	case DW_OP_const2u:
	case DW_OP_const2s:
	case DW_OP_const4u:
	case DW_OP_const4s:
	case DW_OP_const8u:
	case DW_OP_const8s:
	case DW_OP_constu:
	case DW_OP_consts:
		push(machine, false, (int64_t)op->number);
		break;
	case DW_OP_lit0 ... DW_OP_lit31:
		push(machine, false, op->atom - DW_OP_lit0);
		break;
	case DW_OP_plus:
		run_plus(machine);
		break;
	case DW_OP_plus_uconst:
		push(machine, false, (int64_t)op->number);
		run_plus(machine);
		break;
	case DW_OP_nop:
		break;
	default: /* a register, a value, a computed address */
		machine->is_lost = true;
	}
}

/* What the walk over a function carries along. */
struct walk {
	struct sw_dwarf_locals *out;
	uint64_t pc;
	bool base_is_cfa;
};

/* Ends a piece (or the whole variable) of `size` bytes. */
static struct sw_error *emit(struct walk *walk, struct machine *machine,
			     struct sw_dwarf_local *local, uint64_t size)
{
	struct value top = {0};

	if (machine->depth && !machine->is_lost)
		top = machine->stack[machine->depth - 1];
	machine->depth = 0;
	machine->is_lost = false;
	if (!top.is_cfa || !size)
		return NULL;
	local->cfa_offset = top.number;
	local->size = size;
	return sw_dwarf_locals_add(walk->out, *local);
}

/* Adds what of a variable of `size` bytes is in memory by this expression. */
static struct sw_error *run(struct walk *walk, const Dwarf_Op *ops, size_t count, uint64_t size,
			    struct sw_dwarf_local local)
{
	struct machine machine = {.base_is_cfa = walk->base_is_cfa};
	bool has_pieces = false;

	for (size_t i = 0; i < count; i++) {
		if (ops[i].atom != DW_OP_piece) {
			run_op(&machine, &ops[i]);
			continue;
		}
		uint64_t piece = ops[i].number;
		if (piece > size - local.offset)
			return NULL;
		struct sw_error *error = emit(walk, &machine, &local, piece);
		if (error)
			return error;
		local.offset += piece;
		has_pieces = true;
	}
	return has_pieces ? NULL : emit(walk, &machine, &local, size);
}

/* Adds what is in memory at a pc; *bytes says how much. */
static struct sw_error *run_at(struct walk *walk, Dwarf_Attribute *location, uint64_t pc,
			       uint64_t size, const struct sw_dwarf_local *local, uint64_t *bytes)
{
	size_t first = walk->out->count, count;
	struct sw_error *error = NULL;
	Dwarf_Op *ops;

	*bytes = 0;
	if (dwarf_getlocation_addr(location, pc, &ops, &count, 1) == 1)
		error = run(walk, ops, count, size, *local);
	for (size_t i = first; i < walk->out->count; i++)
		*bytes += walk->out->items[i].size;
	return error;
}

/* Go's lists name the registers that hold a variable up to the end of a call, although none
 * outlives it and the variable was stored to the frame before; only from the return address on
 * they name the frame. So where the byte after pc knows more, it is right: either pc + 1 is that
 * return address, or it is within the same instruction. */
static struct sw_error *add_pieces(struct walk *walk, Dwarf_Attribute *location, uint64_t size,
				   const struct sw_dwarf_local *local)
{
	uint64_t now, next;
	size_t first = walk->out->count;
	struct sw_error *error = run_at(walk, location, walk->pc, size, local, &now);
	size_t second = walk->out->count;

	if (error || now >= size || !size)
		return error;
	error = run_at(walk, location, walk->pc + 1, size, local, &next);
	if (error || next <= now) {
		walk->out->count = second;
		return error;
	}
	struct sw_dwarf_local *items = walk->out->items;
	size_t kept = walk->out->count - second;
	memmove(items + first, items + second, kept * sizeof(*items));
	walk->out->count = first + kept;
	return NULL;
}

static struct sw_error *add_local(struct walk *walk, Dwarf_Die *die, int tag, const char *function)
{
	struct sw_dwarf_local local = {.name = sw_die_name(die),
				       .is_parameter = tag == DW_TAG_formal_parameter,
				       .function = function};
	Dwarf_Attribute location;
	Dwarf_Die type;
	uint64_t size;

	if (!*local.name || !sw_die_location(die, DW_AT_location, &location) ||
	    !sw_die_reference(die, DW_AT_type, &type) || !sw_die_size(type, &size))
		return NULL;
	local.type = dwarf_dieoffset(&type);
	return add_pieces(walk, &location, size, &local);
}

/* Whether a block or inlined call covers the pc; a block without any range covers all. */
static bool covers(Dwarf_Die *die, uint64_t pc)
{
	if (!dwarf_hasattr(die, DW_AT_low_pc) && !dwarf_hasattr(die, DW_AT_ranges))
		return dwarf_tag(die) == DW_TAG_lexical_block;
	return dwarf_haspc(die, pc) == 1;
}

static struct sw_error *walk_scope(struct walk *walk, Dwarf_Die *scope, const char *function,
				   int depth)
{
	struct sw_error *error = NULL;
	Dwarf_Die die;

	if (depth > SW_DWARF_MAX_DEPTH)
		return NULL;
	for (int status = dwarf_child(scope, &die); !status && !error;
	     status = dwarf_siblingof(&die, &die)) {
		int tag = dwarf_tag(&die);

		if (tag == DW_TAG_variable || tag == DW_TAG_formal_parameter)
			error = add_local(walk, &die, tag, function);
		else if (tag == DW_TAG_lexical_block && covers(&die, walk->pc))
			error = walk_scope(walk, &die, function, depth + 1);
		else if (tag == DW_TAG_inlined_subroutine && covers(&die, walk->pc))
			error = walk_scope(walk, &die, sw_die_name(&die), depth + 1);
	}
	return error;
}

struct sw_error *sw_dwarf_locals(struct sw_dwarf *dwarf, sw_addr pc, struct sw_dwarf_locals *out)
{
	struct walk walk = {.out = out, .pc = pc - dwarf->image->bias};
	struct sw_error *error = need_codes(dwarf);
	Dwarf_Die function;

	if (error || !find_function(dwarf, walk.pc, &function))
		return error;
	walk.base_is_cfa = frame_base_is_cfa(&function, walk.pc);
	return walk_scope(&walk, &function, sw_die_name(&function), 0);
}
