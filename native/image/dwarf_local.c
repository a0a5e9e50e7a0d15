/* Locals and parameters of the functions at a pc: where each of their pieces is. */
#include "image/dwarf_private.h"
#include "image/expression.h"

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

bool sw_dwarf_function(struct sw_dwarf *dwarf, uint64_t pc, Dwarf_Die *out)
{
	struct sw_error *error = need_codes(dwarf);
	bool found = !error && find_function(dwarf, pc, out);

	sw_error_free(error);
	return found;
}

/* ---- what is in scope ---- */

/* A variable on the way: its location is an attribute of `die`. */
struct variable {
	Dwarf_Die *die;
	const char *name, *function;
	sw_dwarf_type type;
	uint64_t size; /* bytes */
	bool is_parameter;
	unsigned depth; /* of inlining */
};

struct walk;
typedef struct sw_error *visit_variable(struct walk *walk, const struct variable *variable);

/* What the walk over a function carries along. */
struct walk {
	struct sw_dwarf *dwarf;
	uint64_t pc; /* link-time */
	struct sw_expression expression;
	visit_variable *visit;
	void *context;
};

static struct sw_error *visit(struct walk *walk, Dwarf_Die *die, int tag, const char *function,
			      unsigned depth)
{
	struct variable variable = {.die = die,
				    .name = sw_die_name(die),
				    .function = function,
				    .is_parameter = tag == DW_TAG_formal_parameter,
				    .depth = depth};
	Dwarf_Die type;

	if (!*variable.name || !sw_die_reference(die, DW_AT_type, &type) ||
	    !sw_die_size(type, &variable.size))
		return NULL;
	variable.type = dwarf_dieoffset(&type);
	/* cppcheck-suppress returnDanglingLifetime ; an error has no pointer to it */
	return walk->visit(walk, &variable);
}

/* Whether a block or inlined call covers the pc; a block without any range covers all. */
static bool covers(Dwarf_Die *die, uint64_t pc)
{
	if (!dwarf_hasattr(die, DW_AT_low_pc) && !dwarf_hasattr(die, DW_AT_ranges))
		return dwarf_tag(die) == DW_TAG_lexical_block;
	return dwarf_haspc(die, pc) == 1;
}

static struct sw_error *walk_scope(struct walk *walk, Dwarf_Die *scope, const char *function,
				   unsigned inlined, int depth)
{
	struct sw_error *error = NULL;
	Dwarf_Die die;

	if (depth > SW_DWARF_MAX_DEPTH)
		return NULL;
	for (int status = dwarf_child(scope, &die); !status && !error;
	     status = dwarf_siblingof(&die, &die)) {
		int tag = dwarf_tag(&die);

		if (tag == DW_TAG_variable || tag == DW_TAG_formal_parameter)
			error = visit(walk, &die, tag, function, inlined);
		else if (tag == DW_TAG_lexical_block && covers(&die, walk->pc))
			error = walk_scope(walk, &die, function, inlined, depth + 1);
		else if (tag == DW_TAG_inlined_subroutine && covers(&die, walk->pc))
			error = walk_scope(walk, &die, sw_die_name(&die), inlined + 1, depth + 1);
	}
	return error;
}

/* The frame base is the CFA in Go and in gcc's code; clang's is a register. */
static void find_frame_base(Dwarf_Die *function, struct walk *walk)
{
	Dwarf_Attribute found;
	Dwarf_Op *ops;
	size_t count;

	if (!sw_die_location(function, DW_AT_frame_base, &found) ||
	    dwarf_getlocation_addr(&found, walk->pc, &ops, &count, 1) != 1)
		return;
	walk->expression.frame_base = ops;
	walk->expression.frame_base_count = count;
}

static struct sw_error *walk_function(struct walk *walk)
{
	struct sw_error *error = need_codes(walk->dwarf);
	Dwarf_Die function;

	if (error || !find_function(walk->dwarf, walk->pc, &function))
		return error;
	find_frame_base(&function, walk);
	return walk_scope(walk, &function, sw_die_name(&function), 0, 0);
}

/* ---- where a variable is ---- */

/* A part of a variable. */
struct piece {
	uint64_t offset, size; /* bytes */
	struct sw_place place;
};
SW_VECTOR(struct piece, pieces);

/* The pieces of a location; a variable in one place is one piece. */
static struct sw_error *split(const struct sw_expression *expression, const Dwarf_Op *ops,
			      size_t count, uint64_t size, struct pieces *out)
{
	struct sw_error *error = NULL;
	uint64_t offset = 0;
	size_t used;

	while (count && !error) {
		struct piece piece = {.offset = offset, .size = size - offset};
		piece.place = sw_expression_run(expression, ops, count, &used);
		ops += used;
		count -= used;
		if (count) { /* stopped at a DW_OP_piece */
			if (ops->number > size - offset)
				break;
			piece.size = ops->number;
			ops++;
			count--;
		} else if (offset) {
			break; /* what follows the last piece */
		}
		offset += piece.size;
		if (piece.size && piece.place.kind != SW_PLACE_LOST)
			error = pieces_add(out, piece);
	}
	return error;
}

/* Appends what the location list tells about a link-time pc; *bytes says of how much. */
static struct sw_error *pieces_at(const struct walk *walk, Dwarf_Attribute *location, uint64_t pc,
				  const struct variable *variable, struct pieces *out,
				  uint64_t *bytes)
{
	struct sw_error *error = NULL;
	size_t first = out->count, count;
	Dwarf_Op *ops;

	*bytes = 0;
	if (dwarf_getlocation_addr(location, pc, &ops, &count, 1) == 1)
		error = split(&walk->expression, ops, count, variable->size, out);
	/* A call leaves nothing in registers. */
	for (size_t i = first; i < out->count; i++)
		if (walk->expression.registers || out->items[i].place.kind != SW_PLACE_REGISTER)
			*bytes += out->items[i].size;
	return error;
}

/* Go's lists name the registers that hold a variable up to the end of a call, although none
 * outlives it and the variable was stored to the frame before; only from the return address on
 * they name the frame. So where the byte after pc knows more, it is right: either pc + 1 is that
 * return address, or it is within the same instruction. */
static struct sw_error *find_pieces(const struct walk *walk, const struct variable *variable,
				    bool looks_ahead, struct pieces *out)
{
	Dwarf_Attribute location;
	uint64_t now, next;

	out->count = 0;
	if (!variable->size || !sw_die_location(variable->die, DW_AT_location, &location))
		return NULL;
	struct sw_error *error = pieces_at(walk, &location, walk->pc, variable, out, &now);
	if (error || !looks_ahead || now >= variable->size)
		return error;
	size_t first = out->count;
	error = pieces_at(walk, &location, walk->pc + 1, variable, out, &next);
	if (error || next <= now) {
		out->count = first;
		return error;
	}
	out->count -= first;
	memmove(out->items, out->items + first, out->count * sizeof(*out->items));
	return NULL;
}

/* ---- places in any frame that stands at a pc ---- */

struct local_walk {
	struct sw_dwarf_locals *out;
	struct pieces pieces;
};

static struct sw_error *add_local(struct walk *walk, const struct variable *variable)
{
	struct local_walk *locals = walk->context;
	struct sw_error *error = find_pieces(walk, variable, true, &locals->pieces);

	for (size_t i = 0; !error && i < locals->pieces.count; i++) {
		const struct piece *piece = &locals->pieces.items[i];
		struct sw_dwarf_local local = {.name = variable->name,
					       .type = variable->type,
					       .cfa_offset = (int64_t)piece->place.number,
					       .offset = piece->offset,
					       .size = piece->size,
					       .is_parameter = variable->is_parameter,
					       .function = variable->function};
		if (piece->place.kind == SW_PLACE_CFA)
			error = sw_dwarf_locals_add(locals->out, local);
	}
	return error;
}

struct sw_error *sw_dwarf_locals(struct sw_dwarf *dwarf, sw_addr pc, struct sw_dwarf_locals *out)
{
	struct local_walk locals = {.out = out};
	struct walk walk = {.dwarf = dwarf,
			    .pc = pc - dwarf->image->bias,
			    .expression = {.bias = dwarf->image->bias},
			    .visit = add_local,
			    .context = &locals};
	struct sw_error *error = walk_function(&walk);

	pieces_free(&locals.pieces);
	return error;
}

/* ---- the variables of one frame ---- */

struct variable_walk {
	const struct sw_dwarf_frame *frame;
	struct sw_dwarf_variables *out;
	struct pieces pieces;
};

/* A piece smaller than its register is its low end. */
static bool read_register(const struct sw_registers *registers, uint64_t number, uint8_t *out,
			  uint64_t size)
{
	uint64_t value, at = number - registers->vector_first;

	if (sw_registers_get(registers, number, &value) && size <= sizeof(value)) {
		memcpy(out, &value, size);
		return true;
	}
	if (!registers->vector || number < registers->vector_first ||
	    at >= registers->vector_count || size > SW_REGISTERS_VECTOR_BYTES)
		return false;
	memcpy(out, registers->vector + at * SW_REGISTERS_VECTOR_BYTES, size);
	return true;
}

/* Go's compiler writes x0 where it means the register that is always 0, which has no number of its
 * own (cmd/internal/obj/arm64/a.out.go ARM64DWARFRegisters, 1.18–1.27), and goes on to do so when
 * the variable is 0 no more. Parameters begin in registers that have one. */
static bool is_zero_register(const struct walk *walk, const struct variable *variable,
			     const struct sw_place *place)
{
	return walk->dwarf->image->arch == SW_ARCH_ARM64 && !variable->is_parameter &&
	       place->kind == SW_PLACE_REGISTER && !place->number;
}

static bool read_piece(const struct sw_dwarf_frame *frame, const struct piece *piece, uint8_t *out)
{
	const struct sw_place *place = &piece->place;

	switch (place->kind) {
	case SW_PLACE_MEMORY:
		return sw_memory_read(frame->memory, place->number, out, piece->size);
	case SW_PLACE_REGISTER:
		return frame->registers && !frame->is_call &&
		       read_register(frame->registers, place->number, out, piece->size);
	case SW_PLACE_VALUE:
		if (piece->size > sizeof(place->number))
			return false;
		memcpy(out, &place->number, piece->size);
		return true;
	default:
		return false;
	}
}

/* Where a variable begins that lies in memory as a whole, if only the list says so in parts; 0 when
 * it does not. */
static sw_addr whole_address(const struct pieces *pieces, uint64_t size)
{
	uint64_t end = 0;

	for (size_t i = 0; i < pieces->count; i++) {
		const struct piece *piece = &pieces->items[i];
		if (piece->place.kind != SW_PLACE_MEMORY || piece->offset != end ||
		    piece->place.number != pieces->items[0].place.number + end)
			return 0;
		end += piece->size;
	}
	return pieces->count && end == size ? pieces->items[0].place.number : 0;
}

static struct sw_error *gather(const struct walk *walk, const struct variable *variable,
			       const struct pieces *pieces, struct sw_dwarf_variable *out)
{
	const struct variable_walk *variables = walk->context;

	if (!pieces->count || out->size > SW_DWARF_MAX_PIECED)
		return NULL;
	out->bytes = calloc(1, out->size);
	out->known = calloc(1, out->size);
	if (!out->bytes || !out->known)
		return sw_error_memory();
	for (size_t i = 0; i < pieces->count; i++) {
		const struct piece *piece = &pieces->items[i];
		if (!is_zero_register(walk, variable, &piece->place) &&
		    read_piece(variables->frame, piece, out->bytes + piece->offset))
			memset(out->known + piece->offset, 1, piece->size);
	}
	return NULL;
}

static void clear_variable(struct sw_dwarf_variable *variable)
{
	free(variable->bytes);
	free(variable->known);
}

static bool is_flagged(Dwarf_Die *die, unsigned attribute)
{
	Dwarf_Attribute found;
	bool is_set = false;

	return dwarf_attr_integrate(die, attribute, &found) && !dwarf_formflag(&found, &is_set) &&
	       is_set;
}

static struct sw_error *add_variable(struct walk *walk, const struct variable *variable)
{
	struct variable_walk *variables = walk->context;
	const struct pieces *pieces = &variables->pieces;
	struct sw_dwarf_variable out = {
		.name = variable->name,
		.type = variable->type,
		.size = variable->size,
		.is_parameter = variable->is_parameter,
		.is_result = is_flagged(variable->die, DW_AT_variable_parameter),
		.function = variable->function,
		.depth = variable->depth,
	};
	uint64_t line;
	struct sw_error *error =
		find_pieces(walk, variable, variables->frame->is_call, &variables->pieces);

	if (sw_die_unsigned(variable->die, DW_AT_decl_line, &line) && line <= UINT32_MAX)
		out.line = (uint32_t)line;
	out.address = whole_address(pieces, variable->size);
	if (!error && !out.address)
		error = gather(walk, variable, pieces, &out);
	if (!error)
		error = sw_dwarf_variables_add(variables->out, out);
	if (error)
		clear_variable(&out);
	return error;
}

struct sw_error *sw_dwarf_frame_variables(struct sw_dwarf *dwarf,
					  const struct sw_dwarf_frame *frame,
					  struct sw_dwarf_variables *out)
{
	struct variable_walk variables = {.frame = frame, .out = out};
	struct walk walk = {
		.dwarf = dwarf,
		.pc = frame->pc - dwarf->image->bias - (frame->is_call ? 1 : 0),
		.expression = {.memory = frame->memory,
			       .registers = frame->is_call ? NULL : frame->registers,
			       .bias = dwarf->image->bias,
			       .has_cfa = true,
			       .cfa = frame->cfa},
		.visit = add_variable,
		.context = &variables,
	};
	struct sw_error *error = walk_function(&walk);

	pieces_free(&variables.pieces);
	return error;
}

void sw_dwarf_variables_clear(struct sw_dwarf_variables *variables)
{
	for (size_t i = 0; i < variables->count; i++)
		clear_variable(&variables->items[i]);
	sw_dwarf_variables_free(variables);
}
