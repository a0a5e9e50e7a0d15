/* One function, from its entry along all its ways. */
#include "type/flow_run.h"

enum {
	MAX_PASSES = 8,
	MAX_RESTARTS = 3,
	MAX_PROLOGUE = 40, /* steps */
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
	sw_flow_insns_free(&flow->run->code);
	sw_flow_steps_free(&flow->run->steps);
	sw_flow_bytes_free(&flow->run->saved);
	free(flow->run);
	flow->run = NULL;
}

/* ---- the code ---- */

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
	struct sw_error *error = sw_flow_steps_grow(&run->steps, insn->count);
	if (error)
		return error;
	struct sw_flow_insn one = {.offset = (uint32_t)offset,
				   .first_step = (uint32_t)run->steps.count,
				   .count = insn->count,
				   .length = insn->length};
	for (unsigned i = 0; i < insn->count; i++) {
		run->has_loops |= leads_back(run->function, &insn->steps[i], offset);
		run->steps.items[run->steps.count++] = insn->steps[i];
	}
	return sw_flow_insns_add(&run->code, one);
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
void sw_flow_each_reference(struct sw_flow *flow, struct sw_flow_function *function,
			    void (*visit)(struct sw_flow *flow, sw_addr addr))
{
	struct sw_flow_run *run = flow->run;
	sw_addr pages[SW_REG_VECTOR] = {0};

	if (function->end - function->entry > SW_FLOW_MAX_FUNCTION)
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
			visit(flow,
			      (has_page ? pages[step->mem.base] : 0) + (sw_addr)step->mem.value);
	}
}

void sw_flow_find_references(struct sw_flow *flow, struct sw_flow_function *function)
{
	sw_flow_each_reference(flow, function, find_reference);
}

/* ---- passes ---- */

static void enter(struct sw_flow *flow)
{
	struct sw_flow_run *run = flow->run;
	const struct sw_flow_function *function = run->function;
	const uint8_t *args = sw_flow_arg_registers(flow->go->arch);

	sw_flow_clear_state(flow, &run->state, flow->go->arch == SW_ARCH_AMD64 ? -8 : 0);
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

/* The first steps make room for the frame. */
static int64_t frame_low(const struct sw_flow *flow)
{
	const struct sw_flow_run *run = flow->run;
	int64_t sp = flow->go->arch == SW_ARCH_AMD64 ? -8 : 0, low = sp;
	for (size_t i = 0; i < run->steps.count && i < MAX_PROLOGUE; i++) {
		const struct sw_step *step = &run->steps.items[i];
		if (step->kind == SW_STEP_STACK)
			sp += (int64_t)step->value;
		else if (step->kind == SW_STEP_ADDRESS &&
			 step->mem.base == sw_flow_stack_register(flow) &&
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
		const struct sw_flow_insn *at = &run->code.items[i];
		const struct sw_step *steps = run->steps.items + at->first_step;
		sw_addr pc = run->function->entry + at->offset;
		sw_flow_arrive(flow, pc, takes_all);
		if (run->is_live && run->is_recording && flow->is_recording_locals)
			sw_flow_note_locals(flow, sw_flow_site(pc, false));
		for (unsigned k = 0; run->is_live && k < at->count; k++)
			sw_flow_do_step(flow, &steps[k], pc + at->length);
	}
}

/* Until nothing changes where ways meet; false when that takes too long. An array whose elements
 * become known makes more known than before: all begins anew. */
static bool settle(struct sw_flow *flow)
{
	struct sw_flow_run *run = flow->run;
	if (!run->has_loops)
		return true;
	for (unsigned round = 0; round < MAX_RESTARTS; round++) {
		sw_flow_forget_ways(run);
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

	if (function->end - function->entry > SW_FLOW_MAX_FUNCTION)
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
	sw_flow_forget_ways(run);
	run->is_recording = false;
	if (!settle(flow))
		return;
	run->is_recording = flow->is_noting_sources = true;
	function->first_source = flow->sources.count;
	pass(flow, true);
	function->source_count = (uint32_t)(flow->sources.count - function->first_source);
	flow->is_noting_sources = false;
}
