#include "go/timer.h"

#include "go/field.h"
#include "go/unwind.h"

enum {
	MAX_P = 1 << 16,
	FIRST_WITH_BITS = 23, /* whose entries are {timer, when}, and whose states are bits */
	TIMER_HEAPED = 1,
	TIMER_ZOMBIE = 4,
	/* 1.18–1.22 */
	TIMER_NO_STATUS = 0,
	TIMER_WAITING = 1,
	TIMER_DELETED = 3,
	TIMER_REMOVED = 5,
	TIMER_MODIFIED_EARLIER = 7,
	TIMER_MODIFIED_LATER = 8,
	NEXT_WHEN = -8, /* from status: the field before it */
};

/* ---- Ps ---- */

uint64_t sw_go_p_count(const struct sw_go *go)
{
	uint64_t count = sw_go_word_at(go, go->globals.allp, 8);
	return count > MAX_P ? 0 : count;
}

sw_addr sw_go_p_at(const struct sw_go *go, uint64_t number)
{
	sw_addr list = sw_go_word_at(go, go->globals.allp, 0);
	return sw_go_word_at(go, list, (sw_offset)(8 * number));
}

bool sw_go_read_timer_heap(const struct sw_go *go, const struct sw_heap *heap, sw_addr p,
			   struct sw_go_timer_heap *out)
{
	*out = (struct sw_go_timer_heap){
		.array = sw_go_word_at(go, p, go->layout.p.timers),
		.count = sw_go_word_at(go, p, go->layout.p.timers + 8),
		.entry_size = go->minor >= FIRST_WITH_BITS ? 16 : 8,
	};
	out->slot = sw_heap_slot(heap, out->array);
	if (!out->array || !out->count || out->slot == SW_NO_SLOT)
		return false;
	uint64_t size = sw_heap_slot_span(heap, out->slot)->elemsize;
	uint64_t room = sw_heap_slot_address(heap, out->slot) + size - out->array;
	out->is_damaged = out->count > room / out->entry_size;
	if (out->is_damaged)
		out->count = room / out->entry_size;
	return true;
}

/* ---- one timer ---- */

bool sw_go_timer_is_stopped(const struct sw_go *go, sw_addr timer)
{
	sw_addr at = timer + go->layout.timer.state;
	uint32_t status;
	uint8_t bits;

	if (go->minor >= FIRST_WITH_BITS)
		return sw_memory_u8(go->memory, at, &bits) && (bits & TIMER_ZOMBIE);
	return sw_memory_u32(go->memory, at, &status) && status == TIMER_DELETED;
}

static enum sw_go_timer_state state_of_bits(const struct sw_go_timer *timer, uint8_t bits,
					    bool is_chan)
{
	if (timer->when <= 0)
		return SW_GO_TIMER_STOPPED;
	if ((bits & TIMER_HEAPED) && !(bits & TIMER_ZOMBIE))
		return SW_GO_TIMER_WAITING;
	return is_chan ? SW_GO_TIMER_UNWATCHED : SW_GO_TIMER_CHANGING;
}

static enum sw_go_timer_state state_of_status(uint32_t status)
{
	switch (status) {
	case TIMER_WAITING:
	case TIMER_MODIFIED_EARLIER:
	case TIMER_MODIFIED_LATER:
		return SW_GO_TIMER_WAITING;
	case TIMER_NO_STATUS:
	case TIMER_DELETED:
	case TIMER_REMOVED:
		return SW_GO_TIMER_STOPPED;
	default:
		return SW_GO_TIMER_CHANGING;
	}
}

static bool read_state(const struct sw_go *go, struct sw_go_timer *timer)
{
	sw_addr at = timer->address + go->layout.timer.state;
	uint8_t bits;
	uint32_t status;

	if (go->minor >= FIRST_WITH_BITS) {
		bool is_chan = sw_go_flag_at(go, timer->address, go->layout.timer.isChan);
		if (!sw_memory_u8(go->memory, at, &bits))
			return false;
		timer->state = state_of_bits(timer, bits, is_chan);
		return true;
	}
	if (!sw_memory_u32(go->memory, at, &status))
		return false;
	if (status == TIMER_MODIFIED_EARLIER || status == TIMER_MODIFIED_LATER)
		timer->when = (int64_t)sw_go_word_at(go, at + (sw_addr)(int64_t)NEXT_WHEN, 0);
	timer->state = state_of_status(status);
	return true;
}

bool sw_go_read_timer(const struct sw_go *go, sw_addr address, struct sw_go_timer *out)
{
	const __typeof__(go->layout.timer) *fields = &go->layout.timer;
	struct sw_go_func func;
	sw_addr closure = 0;

	*out = (struct sw_go_timer){.address = address};
	if (!sw_memory_u64(go->memory, address + fields->f, &closure) || !closure ||
	    !sw_memory_u64(go->memory, closure, &out->function) ||
	    !sw_go_find_func(go, out->function, &func) || func.entry != out->function)
		return false;
	out->when = (int64_t)sw_go_word_at(go, address, fields->when);
	out->period = (int64_t)sw_go_word_at(go, address, fields->period);
	out->arg_type = sw_go_word_at(go, address, fields->arg);
	out->arg = sw_go_word_at(go, address, fields->arg + 8);
	return out->period >= 0 && read_state(go, out);
}

const char *sw_go_timer_state_word(enum sw_go_timer_state state)
{
	static const char *const words[SW_GO_TIMER_STATES] = {"waiting", "unwatched", "stopped",
							      "changing"};
	return state < SW_GO_TIMER_STATES ? words[state] : "?";
}
