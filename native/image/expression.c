#include "image/expression.h"

#include <dwarf.h>

enum { MAX_STACK = 32, MAX_NESTING = 2 };

/* A value on the stack: CFA + number, or number. */
struct value {
	bool is_cfa;
	uint64_t number;
};

struct machine {
	const struct sw_expression *expression;
	struct value stack[MAX_STACK];
	size_t depth;
	unsigned nesting;
	bool is_lost;
	struct sw_place place; /* once an operation has told it */
	bool has_place;
};

static void push(struct machine *machine, bool is_cfa, uint64_t number)
{
	if (machine->depth == MAX_STACK) {
		machine->is_lost = true;
		return;
	}
	machine->stack[machine->depth++] = (struct value){is_cfa, number};
}

/* Operands that are not there read as 0 and make the expression lost. */
static struct value pop(struct machine *machine)
{
	if (machine->depth)
		return machine->stack[--machine->depth];
	machine->is_lost = true;
	return (struct value){false, 0};
}

static uint64_t pop_number(struct machine *machine)
{
	struct value value = pop(machine);

	machine->is_lost |= value.is_cfa;
	return value.number;
}

static void push_cfa(struct machine *machine)
{
	const struct sw_expression *expression = machine->expression;

	push(machine, !expression->has_cfa, expression->has_cfa ? expression->cfa : 0);
}

static void push_register(struct machine *machine, uint64_t number, uint64_t offset)
{
	const struct sw_registers *registers = machine->expression->registers;
	uint64_t value;

	if (registers && sw_registers_get(registers, number, &value))
		push(machine, false, value + offset);
	else
		machine->is_lost = true;
}

static void set_place(struct machine *machine, enum sw_place_kind kind, uint64_t number)
{
	machine->place = (struct sw_place){kind, number};
	machine->has_place = true;
}

static void run(struct machine *machine, const Dwarf_Op *ops, size_t count, size_t *used);

/* DW_OP_fbreg: the frame base is an expression of its own, an address or a register. */
static void push_frame_base(struct machine *machine, uint64_t offset)
{
	const struct sw_expression *expression = machine->expression;
	struct machine base = {.expression = expression, .nesting = machine->nesting + 1};
	size_t used;

	if (!expression->frame_base || base.nesting > MAX_NESTING) {
		machine->is_lost = true;
		return;
	}
	run(&base, expression->frame_base, expression->frame_base_count, &used);
	if (base.is_lost || used != expression->frame_base_count) {
		machine->is_lost = true;
	} else if (base.has_place && base.place.kind == SW_PLACE_REGISTER) {
		push_register(machine, base.place.number, offset);
	} else {
		struct value value = pop(&base);
		machine->is_lost |= base.is_lost || base.has_place;
		push(machine, value.is_cfa, value.number + offset);
	}
}

static void load(struct machine *machine, uint64_t size)
{
	const struct sw_memory *memory = machine->expression->memory;
	uint8_t bytes[8] = {0};
	uint64_t addr = pop_number(machine);

	if (machine->is_lost || !memory || !size || size > 8 ||
	    !sw_memory_read(memory, addr, bytes, size))
		machine->is_lost = true;
	else
		push(machine, false, sw_load64(bytes));
}

static void run_plus(struct machine *machine)
{
	struct value right = pop(machine), left = pop(machine);

	machine->is_lost |= left.is_cfa && right.is_cfa;
	push(machine, left.is_cfa || right.is_cfa, left.number + right.number);
}

static void run_minus(struct machine *machine)
{
	uint64_t right = pop_number(machine);
	struct value left = pop(machine);

	push(machine, left.is_cfa, left.number - right);
}

static uint64_t shift(unsigned atom, uint64_t left, uint64_t right)
{
	if (right > 63)
		return atom == DW_OP_shra && left >> 63 ? UINT64_MAX : 0;
	if (atom == DW_OP_shl)
		return left << right;
	if (atom == DW_OP_shr || !(left >> 63))
		return left >> right;
	return ~(~left >> right);
}

static uint64_t compute(unsigned atom, uint64_t left, uint64_t right)
{
	int64_t a = (int64_t)left, b = (int64_t)right;

	switch (atom) {
	case DW_OP_and:
		return left & right;
	case DW_OP_or:
		return left | right;
	case DW_OP_xor:
		return left ^ right;
	case DW_OP_mul:
		return left * right;
	case DW_OP_eq:
		return left == right;
	case DW_OP_ne:
		return left != right;
	case DW_OP_lt:
		return a < b;
	case DW_OP_le:
		return a <= b;
	case DW_OP_gt:
		return a > b;
	case DW_OP_ge:
		return a >= b;
	default:
		return shift(atom, left, right);
	}
}

static void pick(struct machine *machine, uint64_t index)
{
	if (index >= machine->depth) {
		machine->is_lost = true;
		return;
	}
	struct value value = machine->stack[machine->depth - 1 - index];
	push(machine, value.is_cfa, value.number);
}

static void swap(struct machine *machine)
{
	struct value first = pop(machine), second = pop(machine);

	push(machine, first.is_cfa, first.number);
	push(machine, second.is_cfa, second.number);
}

/* Operations on what is on the stack. */
static void run_stack_op(struct machine *machine, const Dwarf_Op *op)
{
	uint64_t right;

	switch (op->atom) {
	case DW_OP_dup:
		pick(machine, 0);
		break;
	case DW_OP_over:
		pick(machine, 1);
		break;
	case DW_OP_pick:
		pick(machine, op->number);
		break;
	case DW_OP_drop:
		pop(machine);
		break;
	case DW_OP_swap:
		swap(machine);
		break;
	case DW_OP_plus:
		run_plus(machine);
		break;
	case DW_OP_plus_uconst:
		push(machine, false, op->number);
		run_plus(machine);
		break;
	case DW_OP_minus:
		run_minus(machine);
		break;
	case DW_OP_neg:
		push(machine, false, 0 - pop_number(machine));
		break;
	case DW_OP_not:
		push(machine, false, ~pop_number(machine));
		break;
	case DW_OP_and:
	case DW_OP_or:
	case DW_OP_xor:
	case DW_OP_mul:
	case DW_OP_eq:
	case DW_OP_ne:
	case DW_OP_lt:
	case DW_OP_le:
	case DW_OP_gt:
	case DW_OP_ge:
	case DW_OP_shl:
	case DW_OP_shr:
	case DW_OP_shra:
		right = pop_number(machine);
		push(machine, false, compute(op->atom, pop_number(machine), right));
		break;
	case DW_OP_nop:
		break;
	default: /* another file's entity, a thread's variable, what the caller had, a branch */
		machine->is_lost = true;
	}
}

static void run_op(struct machine *machine, const Dwarf_Op *op)
{
	switch (op->atom) {
	case DW_OP_call_frame_cfa:
		push_cfa(machine);
		break;
	case DW_OP_fbreg:
		push_frame_base(machine, op->number);
		break;
	case DW_OP_addr:
		push(machine, false, op->number + machine->expression->bias);
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
		push(machine, false, op->number);
		break;
	case DW_OP_lit0 ... DW_OP_lit31:
		push(machine, false, (uint64_t)op->atom - DW_OP_lit0);
		break;
	case DW_OP_reg0 ... DW_OP_reg31:
		set_place(machine, SW_PLACE_REGISTER, (uint64_t)op->atom - DW_OP_reg0);
		break;
	case DW_OP_regx:
		set_place(machine, SW_PLACE_REGISTER, op->number);
		break;
	case DW_OP_breg0 ... DW_OP_breg31:
		push_register(machine, (uint64_t)op->atom - DW_OP_breg0, op->number);
		break;
	case DW_OP_bregx:
		push_register(machine, op->number, op->number2);
		break;
	case DW_OP_deref:
		load(machine, 8);
		break;
	case DW_OP_deref_size:
		load(machine, op->number);
		break;
	case DW_OP_stack_value:
		set_place(machine, SW_PLACE_VALUE, pop_number(machine));
		break;
	default:
		run_stack_op(machine, op);
	}
}

static void run(struct machine *machine, const Dwarf_Op *ops, size_t count, size_t *used)
{
	for (*used = 0; *used < count && ops[*used].atom != DW_OP_piece; ++*used) {
		/* Nothing may follow a place but a piece. */
		machine->is_lost |= machine->has_place;
		if (!machine->is_lost)
			run_op(machine, &ops[*used]);
	}
}

struct sw_place sw_expression_run(const struct sw_expression *expression, const Dwarf_Op *ops,
				  size_t count, size_t *used)
{
	struct machine machine = {.expression = expression};

	run(&machine, ops, count, used);
	if (!machine.is_lost && machine.has_place)
		return machine.place;
	if (machine.is_lost || !machine.depth)
		return (struct sw_place){SW_PLACE_LOST, 0};
	struct value top = machine.stack[machine.depth - 1];
	return (struct sw_place){top.is_cfa ? SW_PLACE_CFA : SW_PLACE_MEMORY, top.number};
}
