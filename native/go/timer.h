/* Timers (runtime/time.go of Go 1.18–1.27): those in the heaps of the Ps, and what one says.
 *
 * Until 1.22 a heap is a []*timer and every timer that was started is in one. From 1.23 on it is a
 * []timerWhen, and a timer with a channel is in a heap only while a goroutine waits for the
 * channel. */
#ifndef SW_GO_TIMER_H
#define SW_GO_TIMER_H

#include "go/runtime.h"

/* p.timers, p.timers.heap. */
struct sw_go_timer_heap {
	sw_addr array;
	uint64_t count, entry_size; /* bytes of an entry, which begins with the pointer to a timer
				     */
	sw_slot slot;		    /* that the array is in */
	bool is_damaged;	    /* it was longer than its array: cut */
};

/* Ps by number: allp, those that there are. */
uint64_t sw_go_p_count(const struct sw_go *go);
/* 0: there is none. */
sw_addr sw_go_p_at(const struct sw_go *go, uint64_t number);

/* False when the P has no timers. */
bool sw_go_read_timer_heap(const struct sw_go *go, const struct sw_heap *heap, sw_addr p,
			   struct sw_go_timer_heap *out);

static inline sw_addr sw_go_timer_entry(const struct sw_go_timer_heap *heap, uint64_t index)
{
	return heap->array + index * heap->entry_size;
}

enum sw_go_timer_state {
	SW_GO_TIMER_WAITING,   /* in a heap: runs at `when` */
	SW_GO_TIMER_UNWATCHED, /* 1.23: of a channel that nobody waits for: in no heap, its value is
				* made up when somebody looks */
	SW_GO_TIMER_STOPPED,   /* or it has run; it may stand in a heap until that is cleaned */
	SW_GO_TIMER_CHANGING,  /* runs, or is being moved */
	SW_GO_TIMER_STATES
};

/* runtime.timer */
struct sw_go_timer {
	sw_addr address;
	int64_t when, period;  /* nanotime; ns, 0: once. `when` 0: stopped, from 1.23 on */
	sw_addr function;      /* where f begins: time.sendTime, time.goFunc, … */
	sw_addr arg_type, arg; /* f's argument, an any: descriptor and data word */
	enum sw_go_timer_state state;
};

/* False for what cannot be read or is none: f is no function. */
bool sw_go_read_timer(const struct sw_go *go, sw_addr address, struct sw_go_timer *out);

/* Stopped, and still in the heap of a P until that is cleaned: it does nothing unless somebody who
 * has it starts it again. One that nobody waits for (1.23) counts. */
bool sw_go_timer_is_stopped(const struct sw_go *go, sw_addr timer);

/* "waiting", "unwatched", "stopped", "changing" */
const char *sw_go_timer_state_word(enum sw_go_timer_state state);

#endif
