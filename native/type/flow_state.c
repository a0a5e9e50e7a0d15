/* What is known where the ways through a function meet. */
#include "type/flow_run.h"

enum { MAX_SAVED = 64 << 20 /* bytes of states */ };

void sw_flow_clear_state(const struct sw_flow *flow, struct sw_flow_state *state, int64_t sp)
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

sw_value sw_flow_get_slot(const struct sw_flow_state *state, int64_t offset)
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

static struct sw_flow_way *find_place(struct sw_flow_run *run, sw_addr pc)
{
	size_t at = pc * 0x9e3779b97f4a7c15 >> 50;
	while (run->places[at].run == run->number && run->places[at].pc != pc)
		at = (at + 1) % SW_FLOW_PLACES;
	return &run->places[at];
}

static struct saved *saved_at(struct sw_flow_run *run, sw_addr pc)
{
	struct sw_flow_way *place = find_place(run, pc);
	return place->run == run->number ? (struct saved *)(run->saved.items + place->saved) : NULL;
}

/* A branch leads to pc. What is known by a known way counts, not what blank states say. */
void sw_flow_save_state(struct sw_flow *flow, sw_addr pc)
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
	if (run->place_count >= SW_FLOW_PLACES / 2 || run->saved.count + size > MAX_SAVED)
		return;
	struct sw_error *error = sw_flow_bytes_grow(&run->saved, size);
	if (error) {
		sw_flow_fail(flow, error);
		return;
	}
	uint64_t offset = pc - run->function->entry;
	run->targets[offset / 64] |= (uint64_t)1 << offset % 64;
	*find_place(run, pc) = (struct sw_flow_way){pc, run->number, run->saved.count};
	run->place_count += !saved;
	keep_state((struct saved *)(run->saved.items + run->saved.count), state,
		   flow->go->arch == SW_ARCH_AMD64 ? 16 : SW_REG_VECTOR);
	run->saved.count += size;
	run->has_changed = true;
}

/* Code that only a table of jumps leads to, or the runtime after a panic, is read with nothing
 * known, once all others have been. */
void sw_flow_arrive(struct sw_flow *flow, sw_addr pc, bool takes_all)
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
		sw_flow_clear_state(flow, &run->state, run->body_sp);
		run->state.is_blank = true;
		run->is_live = true;
	}
}

void sw_flow_forget_ways(struct sw_flow_run *run)
{
	run->number++;
	run->place_count = 0;
	run->saved.count = 0;
	memset(run->targets, 0, ((run->function->end - run->function->entry) / 64 + 1) * 8);
}
