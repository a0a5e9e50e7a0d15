/* One function, from its entry along all its ways. */
#include "type/flow_private.h"

enum {
	MAX_FUNCTION = 1 << 20, /* bytes */
	PLACES = 1 << 14,	/* a power of two; half of them may be in use */
	MAX_PASSES = 8,
	MAX_RESTARTS = 3,
	MAX_SPREADS = 32,
	MAX_PROLOGUE = 40,    /* steps */
	MAX_CASES = 1024,     /* of a switch */
	MAX_SAVED = 64 << 20, /* bytes of states */
	AMD64_SP = 4,
	ARM64_SP = 31,
};

/* The state at an instruction to which a branch leads. */
struct place {
	sw_addr pc;
	uint32_t run; /* of which it is; else the place is free */
	uint64_t saved;
};

/* An instruction that has steps. */
struct decoded {
	uint32_t offset; /* into the function */
	uint32_t first_step;
	uint8_t count, length;
};
SW_VECTOR(struct decoded, decoded_list);
SW_VECTOR(struct sw_step, step_list);
SW_VECTOR(uint8_t, byte_list);

/* Elements of an array in the frame, from a word on. */
struct spread {
	int64_t start;
	sw_value value;
};

struct sw_flow_run {
	struct place places[PLACES];
	uint32_t place_count;
	uint32_t number; /* of this run */
	struct decoded_list code;
	struct step_list steps;
	uint64_t targets[MAX_FUNCTION / 64 + 1]; /* bit: branches lead there, of this function */
	struct byte_list saved;
	struct sw_flow_state state;
	struct spread spreads[MAX_SPREADS];
	unsigned spread_count;
	uint64_t single[SW_FLOW_SLOTS / 64]; /* bit: the slot is no element of an array */
	uint32_t closure;		     /* the function whose closure was made last */
	sw_type closure_type;
	int64_t body_sp; /* the lowest stack pointer: that of most of the code */
	bool has_loops;
	bool is_live; /* can the instruction at hand be reached? */
	bool is_recording;
	bool has_new_spread;
	bool has_changed; /* a state behind a branch, in this pass */
	struct sw_flow_function *function;
};

struct sw_error *sw_flow_run_create(struct sw_flow *flow)
{
	flow->run = calloc(1, sizeof(*flow->run));
	return flow->run ? NULL : sw_error_memory();
}

void sw_flow_run_free(struct sw_flow *flow)
{
	if (!flow->run)
		return;
	decoded_list_free(&flow->run->code);
	step_list_free(&flow->run->steps);
	byte_list_free(&flow->run->saved);
	free(flow->run);
	flow->run = NULL;
}

/* ---- states ---- */

static void clear_state(const struct sw_flow *flow, struct sw_flow_state *state, int64_t sp)
{
	for (unsigned i = 0; i < SW_REG_VECTOR; i++)
		state->regs[i] = SW_UNKNOWN;
	sw_flow_lose_vectors(flow, state);
	state->low = state->high = SW_FLOW_BELOW;
	state->sp = sp;
	state->is_blank = false;
}

void sw_flow_set_slot(struct sw_flow_state *state, int64_t offset, sw_value value)
{
	uint32_t slot = sw_flow_slot(state->frame_low, offset);
	if (slot == SW_FLOW_SLOTS ||
	    (value == SW_UNKNOWN && (slot < state->low || slot >= state->high)))
		return;
	while (state->low > slot)
		state->slots[--state->low] = SW_UNKNOWN;
	while (state->high <= slot)
		state->slots[state->high++] = SW_UNKNOWN;
	state->slots[slot] = value;
}

static sw_value slot_at(const struct sw_flow_state *state, uint32_t slot)
{
	return slot < state->low || slot >= state->high ? SW_UNKNOWN : state->slots[slot];
}

static sw_value get_slot(const struct sw_flow_state *state, int64_t offset)
{
	uint32_t slot = sw_flow_slot(state->frame_low, offset);
	return slot == SW_FLOW_SLOTS ? SW_UNKNOWN : slot_at(state, slot);
}

static inline bool join_into(sw_value *into, sw_value value)
{
	if (*into == value)
		return false;
	sw_value joined = sw_value_join(*into, value);
	bool has_changed = joined != *into;
	*into = joined;
	return has_changed;
}

/* A state that is kept: the slots in use, where the whole one has all. */
struct saved {
	sw_value regs[SW_REG_VECTOR];
	int64_t sp;
	uint32_t low, high;
	uint8_t reg_count; /* amd64: 16 */
	bool is_blank;
	sw_value slots[];
};

static sw_value saved_slot(const struct saved *saved, uint32_t slot)
{
	return slot < saved->low || slot >= saved->high ? SW_UNKNOWN
							: saved->slots[slot - saved->low];
}

static bool join_saved(struct saved *saved, const struct sw_flow_state *state)
{
	bool has_changed = false;
	for (unsigned i = 0; i < saved->reg_count; i++)
		has_changed |= join_into(&saved->regs[i], state->regs[i]);
	for (uint32_t slot = saved->low; slot < saved->high; slot++)
		has_changed |= join_into(&saved->slots[slot - saved->low], slot_at(state, slot));
	return has_changed;
}

static void join_state(struct sw_flow_state *state, const struct saved *saved)
{
	for (unsigned i = 0; i < saved->reg_count; i++)
		join_into(&state->regs[i], saved->regs[i]);
	for (uint32_t slot = state->low; slot < state->high; slot++)
		join_into(&state->slots[slot], saved_slot(saved, slot));
}

static void keep_state(struct saved *saved, const struct sw_flow_state *state, uint8_t reg_count)
{
	saved->reg_count = reg_count;
	memcpy(saved->regs, state->regs, sizeof(saved->regs));
	saved->sp = state->sp;
	saved->low = state->low;
	saved->high = state->high;
	saved->is_blank = state->is_blank;
	memcpy(saved->slots, state->slots + state->low,
	       (state->high - state->low) * sizeof(sw_value));
}

static void restore_state(struct sw_flow_state *state, const struct saved *saved)
{
	memcpy(state->regs, saved->regs, sizeof(state->regs));
	state->sp = saved->sp;
	state->low = saved->low;
	state->high = saved->high;
	state->is_blank = saved->is_blank;
	memcpy(state->slots + saved->low, saved->slots,
	       (saved->high - saved->low) * sizeof(sw_value));
}

static struct place *find_place(struct sw_flow_run *run, sw_addr pc)
{
	size_t at = pc * 0x9e3779b97f4a7c15 >> 50;
	while (run->places[at].run == run->number && run->places[at].pc != pc)
		at = (at + 1) % PLACES;
	return &run->places[at];
}

static struct saved *saved_at(struct sw_flow_run *run, sw_addr pc)
{
	struct place *place = find_place(run, pc);
	return place->run == run->number ? (struct saved *)(run->saved.items + place->saved) : NULL;
}

/* A branch leads to pc. What is known by a known way counts, not what blank states say. */
static void save_state(struct sw_flow *flow, sw_addr pc)
{
	struct sw_flow_run *run = flow->run;
	const struct sw_flow_state *state = &run->state;
	struct saved *saved = saved_at(run, pc);

	/* A function begins anew only after its stack has grown: with what it began with. */
	if (pc <= run->function->entry || pc >= run->function->end)
		return;
	if (saved && (!saved->is_blank || state->is_blank)) {
		if (saved->is_blank == state->is_blank)
			run->has_changed |= join_saved(saved, state);
		return;
	}
	size_t size = sizeof(struct saved) + (state->high - state->low) * sizeof(sw_value);
	if (run->place_count >= PLACES / 2 || run->saved.count + size > MAX_SAVED)
		return;
	struct sw_error *error = byte_list_grow(&run->saved, size);
	if (error) {
		sw_flow_fail(flow, error);
		return;
	}
	uint64_t offset = pc - run->function->entry;
	run->targets[offset / 64] |= (uint64_t)1 << offset % 64;
	*find_place(run, pc) = (struct place){pc, run->number, run->saved.count};
	run->place_count += !saved;
	keep_state((struct saved *)(run->saved.items + run->saved.count), state,
		   flow->go->arch == SW_ARCH_AMD64 ? 16 : SW_REG_VECTOR);
	run->saved.count += size;
	run->has_changed = true;
}

/* ---- steps ---- */

static unsigned stack_register(const struct sw_flow *flow)
{
	return flow->go->arch == SW_ARCH_AMD64 ? AMD64_SP : ARM64_SP;
}

static sw_value get_register(const struct sw_flow *flow, uint8_t reg)
{
	const struct sw_flow_state *state = &flow->run->state;
	if (reg == stack_register(flow))
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
	if (reg == stack_register(flow)) {
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
	if (at == MAX_SPREADS || value == sw_value_number(SW_VALUE_CONST, 0))
		return;
	if (at == run->spread_count)
		run->spreads[run->spread_count++] = (struct spread){start, SW_VALUE_NONE};
	sw_value joined = sw_value_join(run->spreads[at].value, value);
	run->has_new_spread |= joined != run->spreads[at].value;
	run->spreads[at].value = joined;
}

/* The nearest array that begins below an offset and reaches there. */
static sw_value spread_at(const struct sw_flow_run *run, int64_t offset)
{
	const struct spread *nearest = NULL;
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
	sw_value value = get_slot(&run->state, at);
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

static void note_locals(struct sw_flow *flow, sw_addr site)
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

void sw_flow_return(struct sw_flow *flow, struct sw_flow_function *function,
		    const struct sw_flow_state *state);

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
		note_locals(flow, sw_flow_site(next, true));
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
		save_state(flow, target);
	}
}

static void do_step(struct sw_flow *flow, const struct sw_step *step, sw_addr next)
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
		save_state(flow, step->value);
		break;
	case SW_STEP_JUMP:
		save_state(flow, step->value);
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
			do_step(flow, &insn.steps[i], at + insn.length);
		}
	}
}

/* ---- passes ---- */

static void enter(struct sw_flow *flow)
{
	struct sw_flow_run *run = flow->run;
	const struct sw_flow_function *function = run->function;
	const uint8_t *args = sw_flow_arg_registers(flow->go->arch);

	clear_state(flow, &run->state, flow->go->arch == SW_ARCH_AMD64 ? -8 : 0);
	uint32_t number = (uint32_t)(function - flow->functions.items);
	for (unsigned i = 0; i < SW_FLOW_ARGS; i++)
		run->state.regs[args[i]] = function->args[i]
						   ? function->args[i]
						   : sw_flow_place(SW_FLOW_PLACE_ARG, number, i);
	if (function->receiver)
		run->state.regs[args[0]] = sw_value_typed(SW_VALUE_POINTER, function->receiver, 0);
	else if (function->object)
		run->state.regs[args[0]] = sw_value_typed(SW_VALUE_OBJECT, function->object, 0);
	if (function->context)
		run->state.regs[flow->go->arch == SW_ARCH_AMD64 ? 2 : 26] = function->context;
	run->is_live = true;
}

/* Code that only a table of jumps leads to, or the runtime after a panic, is read with nothing
 * known, once all others have been. */
static void arrive(struct sw_flow *flow, sw_addr pc, bool takes_all)
{
	struct sw_flow_run *run = flow->run;
	uint64_t offset = pc - run->function->entry;
	bool is_target = run->targets[offset / 64] >> (offset % 64) & 1;
	struct saved *saved = is_target ? saved_at(run, pc) : NULL;

	if (saved && run->state.has_vectors)
		sw_flow_lose_vectors(flow, &run->state);
	if (saved && run->is_live && saved->is_blank == run->state.is_blank) {
		run->has_changed |= join_saved(saved, &run->state);
		join_state(&run->state, saved);
	} else if (saved && (!run->is_live || run->state.is_blank)) {
		restore_state(&run->state, saved);
		run->is_live = true;
	} else if (!run->is_live && takes_all) {
		clear_state(flow, &run->state, run->body_sp);
		run->state.is_blank = true;
		run->is_live = true;
	}
}

/* The first steps make room for the frame. */
static int64_t frame_low(const struct sw_flow *flow)
{
	const struct sw_flow_run *run = flow->run;
	int64_t sp = flow->go->arch == SW_ARCH_AMD64 ? -8 : 0, low = sp;
	for (size_t i = 0; i < run->steps.count && i < MAX_PROLOGUE; i++) {
		const struct sw_step *step = &run->steps.items[i];
		if (step->kind == SW_STEP_STACK)
			sp += (int64_t)step->value;
		else if (step->kind == SW_STEP_ADDRESS && step->mem.base == stack_register(flow) &&
			 step->mem.index == SW_REG_NONE && step->mem.value < 0 &&
			 sp + step->mem.value < low)
			low = sp + step->mem.value; /* arm64: into another register first */
		if (sp < low)
			low = sp;
	}
	return low;
}

static void pass(struct sw_flow *flow, bool takes_all)
{
	struct sw_flow_run *run = flow->run;
	enter(flow);
	for (size_t i = 0; i < run->code.count; i++) {
		const struct decoded *at = &run->code.items[i];
		const struct sw_step *steps = run->steps.items + at->first_step;
		sw_addr pc = run->function->entry + at->offset;
		arrive(flow, pc, takes_all);
		if (run->is_live && run->is_recording && flow->is_recording_locals)
			note_locals(flow, sw_flow_site(pc, false));
		for (unsigned k = 0; run->is_live && k < at->count; k++)
			do_step(flow, &steps[k], pc + at->length);
	}
}

static bool leads_back(const struct sw_flow_function *function, const struct sw_step *step,
		       uint64_t offset)
{
	if (step->kind == SW_STEP_SWITCH)
		return true;
	return (step->kind == SW_STEP_BRANCH || step->kind == SW_STEP_JUMP) &&
	       step->value > function->entry && step->value <= function->entry + offset;
}

static struct sw_error *add_decoded(struct sw_flow_run *run, uint64_t offset,
				    const struct sw_insn *insn)
{
	struct sw_error *error = step_list_grow(&run->steps, insn->count);
	if (error)
		return error;
	struct decoded one = {.offset = (uint32_t)offset,
			      .first_step = (uint32_t)run->steps.count,
			      .count = insn->count,
			      .length = insn->length};
	for (unsigned i = 0; i < insn->count; i++) {
		run->has_loops |= leads_back(run->function, &insn->steps[i], offset);
		run->steps.items[run->steps.count++] = insn->steps[i];
	}
	return decoded_list_add(&run->code, one);
}

/* Instructions without steps stay, because branches lead to them. */
static void decode(struct sw_flow *flow, const struct sw_flow_function *function)
{
	struct sw_flow_run *run = flow->run;
	uint64_t size = function->end - function->entry;
	const uint8_t *bytes = sw_memory_view(flow->go->memory, function->entry, size);
	struct sw_insn insn;

	run->code.count = run->steps.count = 0;
	run->has_loops = false;
	for (uint64_t at = 0; bytes && at < size && !flow->error; at += insn.length) {
		if (!sw_insn_decode(flow->go->arch, bytes + at, size - at, function->entry + at,
				    &insn))
			break;
		sw_flow_fail(flow, add_decoded(run, at, &insn));
	}
}

static void find_reference(struct sw_flow *flow, sw_addr addr)
{
	struct sw_flow_sources *references = &flow->references;
	sw_flow_type_at(flow, sw_value_number(SW_VALUE_CONST, addr));
	if (sw_flow_is_variable(flow, addr) &&
	    (!references->count || references->items[references->count - 1] != addr))
		sw_flow_fail(flow, sw_flow_sources_add(references, addr));
}

/* Addresses are put together in one or two steps: a page, and an offset into it. */
void sw_flow_find_references(struct sw_flow *flow, struct sw_flow_function *function)
{
	struct sw_flow_run *run = flow->run;
	sw_addr pages[SW_REG_VECTOR] = {0};

	if (function->end - function->entry > MAX_FUNCTION)
		return;
	run->function = function;
	decode(flow, function);
	for (size_t i = 0; i < run->steps.count && !flow->error; i++) {
		const struct sw_step *step = &run->steps.items[i];
		bool is_memory = step->kind == SW_STEP_ADDRESS || step->kind == SW_STEP_LOAD ||
				 step->kind == SW_STEP_STORE || step->kind == SW_STEP_SPOIL;
		if (step->kind == SW_STEP_CONST && step->dst < SW_REG_VECTOR)
			pages[step->dst] = step->value;
		if (!is_memory)
			continue;
		bool has_page = step->mem.base < SW_REG_VECTOR && pages[step->mem.base];
		if (step->mem.base == SW_REG_NONE || has_page)
			find_reference(flow, (has_page ? pages[step->mem.base] : 0) +
						     (sw_addr)step->mem.value);
	}
}

/* Nothing is known of the ways through the function; arrays in its frame stay. */
static void forget_ways(struct sw_flow_run *run)
{
	run->number++;
	run->place_count = 0;
	run->saved.count = 0;
	memset(run->targets, 0, ((run->function->end - run->function->entry) / 64 + 1) * 8);
}

/* Until nothing changes where ways meet; false when that takes too long. An array whose elements
 * become known makes more known than before: all begins anew. */
static bool settle(struct sw_flow *flow)
{
	struct sw_flow_run *run = flow->run;
	if (!run->has_loops)
		return true;
	for (unsigned round = 0; round < MAX_RESTARTS; round++) {
		forget_ways(run);
		run->has_new_spread = false;
		for (unsigned i = 0; i < MAX_PASSES; i++) {
			run->has_changed = false;
			pass(flow, i > 0);
			if (!run->has_changed)
				break;
		}
		if (run->has_changed)
			return false;
		if (!run->has_new_spread)
			break;
	}
	return true;
}

void sw_flow_run(struct sw_flow *flow, struct sw_flow_function *function)
{
	struct sw_flow_run *run = flow->run;

	if (function->end - function->entry > MAX_FUNCTION)
		return;
	function->ran = ++flow->clock;
	run->function = function;
	flow->running = function;
	run->body_sp = 0;
	run->closure_type = 0;
	run->spread_count = 0;
	memset(run->single, 0, sizeof(run->single));
	decode(flow, function);
	run->state.frame_low = frame_low(flow);
	forget_ways(run);
	run->is_recording = false;
	if (!settle(flow))
		return;
	run->is_recording = flow->is_noting_sources = true;
	function->first_source = flow->sources.count;
	pass(flow, true);
	function->source_count = (uint32_t)(flow->sources.count - function->first_source);
	flow->is_noting_sources = false;
}
