/* What one instruction does to what is known. */
#include "type/flow_run.h"

enum {
	MAX_CASES = 1024, /* of a switch */
	AMD64_SP = 4,
	ARM64_SP = 31,
};

unsigned sw_flow_stack_register(const struct sw_flow *flow)
{
	return flow->go->arch == SW_ARCH_AMD64 ? AMD64_SP : ARM64_SP;
}

static sw_value get_register(const struct sw_flow *flow, uint8_t reg)
{
	const struct sw_flow_state *state = &flow->run->state;
	if (reg == sw_flow_stack_register(flow))
		return sw_value_number(SW_VALUE_STACK, (uint64_t)state->sp);
	if (reg >= SW_REG_COUNT)
		return SW_UNKNOWN;
	return reg < SW_REG_VECTOR ? state->regs[reg] : state->vectors[0][reg - SW_REG_VECTOR];
}

/* The upper half of a vector register. */
static sw_value get_high(const struct sw_flow *flow, uint8_t reg)
{
	return reg >= SW_REG_VECTOR && reg < SW_REG_COUNT
		       ? flow->run->state.vectors[1][reg - SW_REG_VECTOR]
		       : SW_UNKNOWN;
}

/* `high` is for vector registers. */
static void set_register(struct sw_flow *flow, uint8_t reg, sw_value value, sw_value high)
{
	struct sw_flow_state *state = &flow->run->state;
	if (reg == sw_flow_stack_register(flow)) {
		if (sw_value_kind(value) == SW_VALUE_STACK)
			state->sp = sw_value_signed(value);
	} else if (reg < SW_REG_VECTOR) {
		state->regs[reg] = value;
	} else if (reg < SW_REG_COUNT) {
		state->has_vectors = true;
		state->vectors[0][reg - SW_REG_VECTOR] = value;
		state->vectors[1][reg - SW_REG_VECTOR] = high;
	}
}

static sw_value move_value(sw_value value, int64_t offset)
{
	switch (sw_value_kind(value)) {
	case SW_VALUE_CONST:
	case SW_VALUE_STACK:
	case SW_VALUE_ELEMENT:
		return sw_value_number(sw_value_kind(value),
				       (uint64_t)(sw_value_signed(value) + offset));
	case SW_VALUE_POINTER:
	case SW_VALUE_OBJECT:
	case SW_VALUE_ARRAY:
		return sw_value_typed(sw_value_kind(value), sw_value_type(value),
				      (uint32_t)(sw_value_offset(value) + offset));
	default:
		return offset ? SW_UNKNOWN : value;
	}
}

/* The address that a memory operand means, without its index. */
static sw_value base_of(const struct sw_flow *flow, const struct sw_operand *mem)
{
	if (mem->base != SW_REG_NONE)
		return get_register(flow, mem->base);
	return sw_value_number(SW_VALUE_CONST, 0);
}

/* Of an array it does not matter which element. */
static sw_value address_of(struct sw_flow *flow, const struct sw_operand *mem)
{
	sw_value base = base_of(flow, mem);
	if (mem->index == SW_REG_NONE)
		return move_value(base, mem->value);
	sw_value index = get_register(flow, mem->index);
	for (unsigned i = 0; i < 2; i++, base = mem->scale == 1 ? index : SW_UNKNOWN) {
		if (sw_value_kind(base) == SW_VALUE_ARRAY ||
		    sw_value_kind(base) == SW_VALUE_ELEMENT)
			return move_value(base, mem->value);
		if (sw_value_kind(base) == SW_VALUE_CONST)
			return sw_value_number(SW_VALUE_ELEMENT,
					       (uint64_t)(sw_value_signed(base) + mem->value));
	}
	return SW_UNKNOWN;
}

/* ---- arrays in the frame ---- */

static void mark_single(struct sw_flow_run *run, int64_t offset)
{
	uint32_t slot = sw_flow_slot(run->state.frame_low, offset);
	if (slot < SW_FLOW_SLOTS)
		run->single[slot / 64] |= (uint64_t)1 << slot % 64;
}

/* Up to where an array that begins at an offset may reach: the next word that is used alone. */
static int64_t spread_end(const struct sw_flow_run *run, int64_t start)
{
	int64_t end = 0;
	for (uint32_t slot = 0; slot < SW_FLOW_SLOTS; slot++) {
		int64_t offset = sw_flow_slot_offset(run->state.frame_low, slot);
		if (run->single[slot / 64] >> (slot % 64) & 1 && offset > start && offset < end)
			end = offset;
	}
	return end;
}

static void add_spread(struct sw_flow_run *run, int64_t start, sw_value value)
{
	unsigned at = 0;
	while (at < run->spread_count && run->spreads[at].start != start)
		at++;
	if (at == SW_FLOW_SPREADS || value == sw_value_number(SW_VALUE_CONST, 0))
		return;
	if (at == run->spread_count)
		run->spreads[run->spread_count++] = (struct sw_flow_spread){start, SW_VALUE_NONE};
	sw_value joined = sw_value_join(run->spreads[at].value, value);
	run->has_new_spread |= joined != run->spreads[at].value;
	run->spreads[at].value = joined;
}

/* The nearest array that begins below an offset and reaches there. */
static sw_value spread_at(const struct sw_flow_run *run, int64_t offset)
{
	const struct sw_flow_spread *nearest = NULL;
	for (unsigned i = 0; i < run->spread_count; i++)
		if (run->spreads[i].start <= offset &&
		    (!nearest || nearest->start < run->spreads[i].start))
			nearest = &run->spreads[i];
	return nearest && !((offset - nearest->start) & 7) &&
			       spread_end(run, nearest->start) > offset
		       ? nearest->value
		       : SW_UNKNOWN;
}

static bool is_local_element(const struct sw_flow *flow, const struct sw_operand *mem)
{
	return mem->index != SW_REG_NONE && mem->scale == 8 &&
	       sw_value_kind(base_of(flow, mem)) == SW_VALUE_STACK;
}

static sw_value load_local(struct sw_flow_run *run, int64_t at)
{
	sw_value value = sw_flow_get_slot(&run->state, at);
	if (value == SW_UNKNOWN)
		value = spread_at(run, at);
	mark_single(run, at);
	return value;
}

/* A field of the running function's own closure, where more is known of it than its type. */
static sw_value load_captured(struct sw_flow *flow, sw_value address)
{
	const struct sw_flow_function *function = flow->run->function;
	if (!function->context || sw_value_type(function->context) != sw_value_type(address) ||
	    !sw_value_offset(address) || sw_value_offset(address) >> 16)
		return SW_UNKNOWN;
	uint64_t place = sw_flow_capture((uint32_t)(function - flow->functions.items),
					 sw_value_offset(address));
	sw_flow_note_source(flow, place);
	sw_value value = sw_value_map_get(&flow->fields, place);
	return value ? value : SW_UNKNOWN;
}

static sw_value load(struct sw_flow *flow, const struct sw_operand *mem, int64_t offset)
{
	if (is_local_element(flow, mem))
		return offset ? SW_UNKNOWN
			      : spread_at(flow->run,
					  sw_value_signed(base_of(flow, mem)) + mem->value);
	sw_value address = address_of(flow, mem);
	switch (sw_value_kind(address)) {
	case SW_VALUE_POINTER: {
		sw_value captured = load_captured(flow, move_value(address, offset));
		return captured != SW_UNKNOWN ? captured
					      : sw_flow_load(flow, address, offset, false);
	}
	case SW_VALUE_STACK:
		return load_local(flow->run, sw_value_signed(address) + offset);
	case SW_VALUE_ELEMENT:
		return sw_flow_load_element(flow, (sw_addr)(sw_value_signed(address) + offset));
	default:
		return sw_flow_load(flow, address, offset, false);
	}
}

/* "LEA struct { F uintptr; … }, AX; CALL newobject; LEA function, CX; MOV CX, (AX)": what is stored
 * behind it from then on is captured. */
static void store_code(struct sw_flow *flow, sw_type type, sw_addr code)
{
	struct sw_flow_run *run = flow->run;
	struct sw_flow_function *function = sw_flow_find(flow, code);
	if (!function)
		return;
	uint32_t known = sw_number_map_get(&flow->closures, code);
	uint32_t wanted = known && known != type ? SW_MAX_TYPES : type;
	if (wanted != known)
		sw_flow_fail(flow, sw_number_map_set(&flow->closures, code, wanted));
	if (run->function->dictionary)
		function = sw_flow_instance(flow, function, run->function->dictionary);
	run->closure = (uint32_t)(function - flow->functions.items);
	run->closure_type = type;
}

/* Addresses of variables and of dictionaries are known to the closure's code; all else is told by
 * the field's type. */
static void capture(struct sw_flow *flow, sw_value address, sw_value value)
{
	struct sw_flow_run *run = flow->run;
	uint64_t place = sw_flow_capture(run->closure, sw_value_offset(address));
	bool is_constant = sw_value_kind(value) == SW_VALUE_CONST && sw_value_signed(value) > 0;
	if (sw_value_type(address) != run->closure_type || sw_value_offset(address) >> 16 ||
	    (!is_constant && sw_value_kind(value) != SW_VALUE_OBJECT))
		return;
	sw_value known = sw_value_map_get(&flow->fields, place), joined = known;
	if (!sw_flow_add_variable(flow, &joined, place, value))
		joined = sw_value_join(known, value);
	if (joined != known)
		sw_flow_fail(flow,
			     sw_value_map_set(&flow->fields, place,
					      (struct sw_known_value){joined, ++flow->clock}));
}

static void store_in_closure(struct sw_flow *flow, sw_value address, sw_value value)
{
	if (sw_value_offset(address))
		capture(flow, address, value);
	else if (sw_value_kind(value) == SW_VALUE_CONST)
		store_code(flow, sw_value_type(address), (sw_addr)sw_value_signed(value));
}

void sw_flow_store(struct sw_flow *flow, sw_value address, sw_value value)
{
	int64_t at = sw_value_signed(address);
	if (sw_value_kind(address) == SW_VALUE_STACK)
		sw_flow_set_slot(&flow->run->state, at, value);
	if (!flow->run->is_recording)
		return;
	switch (sw_value_kind(address)) {
	case SW_VALUE_CONST:
		sw_flow_say_global(flow, (sw_addr)at, value);
		if (sw_value_kind(value) == SW_VALUE_FROM && sw_flow_is_variable(flow, (sw_addr)at))
			sw_flow_link(flow, (uint64_t)sw_value_signed(value), (sw_addr)at);
		break;
	case SW_VALUE_ELEMENT:
		sw_flow_say_spread(flow, (sw_addr)at, value);
		break;
	case SW_VALUE_OBJECT:
		sw_flow_say_field(flow, address, 0, value);
		if (sw_value_kind(value) == SW_VALUE_FROM)
			sw_flow_link(flow, (uint64_t)sw_value_signed(value),
				     sw_flow_field_place(address, 0));
		break;
	case SW_VALUE_POINTER:
		if (sw_flow_is_closure(flow, sw_value_type(address)))
			store_in_closure(flow, address, value);
		sw_flow_say_target(flow, sw_flow_load(flow, address, 0, false), value);
		break;
	default:
		break;
	}
}

static void store(struct sw_flow *flow, const struct sw_operand *mem, int64_t offset,
		  sw_value value)
{
	struct sw_flow_run *run = flow->run;
	if (is_local_element(flow, mem)) {
		add_spread(run, sw_value_signed(base_of(flow, mem)) + mem->value, value);
		return;
	}
	sw_value address = move_value(address_of(flow, mem), offset);
	if (sw_value_kind(address) == SW_VALUE_STACK && value != sw_value_number(SW_VALUE_CONST, 0))
		mark_single(run, sw_value_signed(address));
	sw_flow_store(flow, address, value);
}

static void spoil(struct sw_flow *flow, const struct sw_operand *mem, unsigned size)
{
	sw_value address = address_of(flow, mem);
	if (sw_value_kind(address) != SW_VALUE_STACK)
		return;
	int64_t at = sw_value_signed(address), first = at & ~(int64_t)7;
	for (; first < at + (int64_t)size; first += 8)
		sw_flow_set_slot(&flow->run->state, first, SW_UNKNOWN);
}

static void note_local(struct sw_flow *flow, sw_addr site, int64_t offset, int64_t end,
		       sw_value value)
{
	if (sw_value_is_typed(value))
		sw_flow_fail(flow,
			     sw_flow_locals_add(&flow->locals,
						(struct sw_flow_local){site, offset, end, value}));
}

void sw_flow_note_locals(struct sw_flow *flow, sw_addr site)
{
	const struct sw_flow_run *run = flow->run;
	const struct sw_flow_state *state = &run->state;
	size_t low = 0, high = flow->sites.count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (flow->sites.items[middle] < site)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == flow->sites.count || flow->sites.items[low] != site)
		return;
	for (uint32_t slot = state->low; slot < state->high; slot++) {
		int64_t offset = sw_flow_slot_offset(state->frame_low, slot);
		note_local(flow, site, offset, offset + 8, state->slots[slot]);
	}
	for (unsigned i = 0; i < run->spread_count; i++)
		note_local(flow, site, run->spreads[i].start,
			   spread_end(run, run->spreads[i].start), run->spreads[i].value);
}

static void do_load(struct sw_flow *flow, const struct sw_step *step)
{
	sw_value low = load(flow, &step->mem, 0);
	set_register(flow, step->dst, low,
		     step->size == 16 ? load(flow, &step->mem, 8) : SW_UNKNOWN);
}

static void do_store(struct sw_flow *flow, const struct sw_step *step)
{
	sw_value value = step->src == SW_REG_NONE ? sw_value_number(SW_VALUE_CONST, step->value)
						  : get_register(flow, step->src);
	store(flow, &step->mem, 0, value);
	if (step->size == 16)
		store(flow, &step->mem, 8, get_high(flow, step->src));
}

static void do_call(struct sw_flow *flow, const struct sw_step *step, sw_addr next)
{
	struct sw_flow_run *run = flow->run;
	if (run->is_recording && flow->is_recording_locals)
		sw_flow_note_locals(flow, sw_flow_site(next, true));
	run->is_live = sw_flow_call(flow, &run->state, step->value, next, run->is_recording);
}

/* A table of addresses within the function, up to the first word that is none. */
static void do_switch(struct sw_flow *flow, const struct sw_step *step)
{
	const struct sw_flow_function *function = flow->run->function;
	sw_value table = step->src == SW_REG_NONE ? load(flow, &step->mem, 0)
						  : get_register(flow, step->src);
	uint64_t target;
	if (sw_value_kind(table) != SW_VALUE_TABLE)
		return;
	sw_addr at = (sw_addr)sw_value_signed(table);
	for (unsigned i = 0; i < MAX_CASES; i++, at += 8) {
		if (!sw_memory_u64(flow->go->memory, at, &target) || target < function->entry ||
		    target >= function->end)
			return;
		sw_flow_save_state(flow, target);
	}
}

void sw_flow_do_step(struct sw_flow *flow, const struct sw_step *step, sw_addr next)
{
	struct sw_flow_run *run = flow->run;

	switch (step->kind) {
	case SW_STEP_LOSE:
		set_register(flow, step->dst, SW_UNKNOWN, SW_UNKNOWN);
		break;
	case SW_STEP_MOVE:
		set_register(flow, step->dst, get_register(flow, step->src),
			     get_high(flow, step->src));
		break;
	case SW_STEP_SELECT:
		set_register(
			flow, step->dst,
			sw_value_join(get_register(flow, step->dst), get_register(flow, step->src)),
			SW_UNKNOWN);
		break;
	case SW_STEP_CONST:
		set_register(flow, step->dst, sw_value_number(SW_VALUE_CONST, step->value),
			     sw_value_number(SW_VALUE_CONST, step->value));
		break;
	case SW_STEP_ADDRESS:
		set_register(flow, step->dst, address_of(flow, &step->mem), SW_UNKNOWN);
		break;
	case SW_STEP_LOAD:
		do_load(flow, step);
		break;
	case SW_STEP_STORE:
		do_store(flow, step);
		break;
	case SW_STEP_SPOIL:
		spoil(flow, &step->mem, step->size);
		break;
	case SW_STEP_STACK:
		run->state.sp += (int64_t)step->value;
		if (run->state.sp < run->body_sp)
			run->body_sp = run->state.sp;
		break;
	case SW_STEP_CALL:
		do_call(flow, step, next);
		break;
	case SW_STEP_BRANCH:
		sw_flow_save_state(flow, step->value);
		break;
	case SW_STEP_JUMP:
		sw_flow_save_state(flow, step->value);
		run->is_live = false;
		break;
	case SW_STEP_SWITCH:
		do_switch(flow, step);
		run->is_live = false;
		break;
	case SW_STEP_RETURN:
		if (run->is_recording)
			sw_flow_return(flow, run->function, &run->state);
		run->is_live = false;
		break;
	default:
		run->is_live = false;
	}
}

/* runtime.duffzero and duffcopy are entered where as much is left of them as is to be done. */
void sw_flow_run_inline(struct sw_flow *flow, sw_addr start, sw_addr end)
{
	const uint8_t *bytes =
		end > start ? sw_memory_view(flow->go->memory, start, end - start) : NULL;
	struct sw_insn insn;
	for (sw_addr at = start; bytes && at < end; at += insn.length) {
		if (!sw_insn_decode(flow->go->arch, bytes + (at - start), end - at, at, &insn))
			return;
		for (unsigned i = 0; i < insn.count; i++) {
			if (insn.steps[i].kind >= SW_STEP_CALL)
				return;
			sw_flow_do_step(flow, &insn.steps[i], at + insn.length);
		}
	}
}
