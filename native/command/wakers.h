/* Who could wake a goroutine that waits: who refers to what it is blocked on, who holds a mutex,
 * and circles of goroutines that wait for each other. */
#ifndef SW_COMMAND_WAKERS_H
#define SW_COMMAND_WAKERS_H

#include "command/blocked_on.h"

enum { SW_MAX_REFERRERS = 64 };

/* Goroutines whose stacks refer to a slot, or to a small object that does (a closure, a struct of
 * arguments); by rising number. */
struct sw_referrers {
	uint32_t goroutines[SW_MAX_REFERRERS];
	uint32_t count;
	bool is_many; /* there are more */
};

/* A word that a deferred call has captured, and the statement that deferred it (0: open-coded). */
struct sw_deferred_word {
	sw_addr word, pc;
};
SW_VECTOR(struct sw_deferred_word, sw_deferred);

struct sw_wakers {
	const struct sw_wait_view *view;
	struct sw_referrers *referrers;
	size_t count;
	struct sw_waker_slots *slots; /* private: slot + 1 → index in referrers */
	struct sw_deferred *deferred; /* private: of each goroutine, when it was asked for */
	uint64_t *is_read;	      /* private: bits of deferred */
};

/* Indexes what the goroutines (by number) are blocked on. */
struct sw_error *sw_wakers_build(const struct sw_wait_view *view, const uint32_t *goroutines,
				 size_t count, struct sw_wakers *out);
void sw_wakers_free(struct sw_wakers *wakers);

/* Of the object at an address that a listed goroutine is blocked on; NULL for others. */
const struct sw_referrers *sw_wakers_referrers(const struct sw_wakers *wakers, sw_addr address);

/* What tells that a goroutine could wake another one. */
enum sw_waker_evidence {
	SW_WAKER_NONE,
	SW_WAKER_DEFERS, /* a deferred call of it, yet to run, takes the mutex or channel */
	SW_WAKER_REFERS, /* it is the only one that refers to it and does not wait for it */
};

/* The goroutine that holds a mutex, as far as that can be seen; UINT32_MAX for none. */
uint32_t sw_wakers_holder(struct sw_wakers *wakers, const struct sw_blocked_on *on,
			  enum sw_waker_evidence *evidence);

/* Deferred calls of a goroutine, yet to run, whose function has captured an address as such: how
 * many there are of the defer statement that has most. */
uint32_t sw_wakers_deferred(struct sw_wakers *wakers, uint32_t goroutine, sw_addr address);

/* Circles: goroutines[i] could be woken by goroutines[i + 1], the last by the first. */
struct sw_wait_cycle {
	uint32_t *goroutines; /* owned */
	uint32_t count;
};
SW_VECTOR(struct sw_wait_cycle, sw_wait_cycles);

/* Circles of some goroutines, at most one for each of them. */
struct sw_error *sw_wakers_cycles(struct sw_wakers *wakers, const uint32_t *goroutines,
				  size_t count, struct sw_wait_cycles *out);
void sw_wait_cycles_free_all(struct sw_wait_cycles *cycles);

#endif
