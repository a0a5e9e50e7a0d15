/* Timers and tickers: whose they are, what they do when their time comes, and whether anybody can
 * still notice. */
#ifndef SW_LIBRARY_TIMER_H
#define SW_LIBRARY_TIMER_H

#include "go/timer.h"
#include "view/live.h"

enum sw_timer_kind {
	SW_TIMER_TICKER,   /* time.Ticker */
	SW_TIMER_CHANNEL,  /* time.NewTimer, time.After: sends to a channel */
	SW_TIMER_FUNC,	   /* time.AfterFunc */
	SW_TIMER_CONTEXT,  /* ... of a context.WithDeadline or WithTimeout */
	SW_TIMER_SLEEP,	   /* of a goroutine in time.Sleep */
	SW_TIMER_DEADLINE, /* of a network connection: it stands in a pollDesc */
	SW_TIMER_RUNTIME,  /* the runtime's own */
	SW_TIMER_OTHER,
	SW_TIMER_KINDS
};

struct sw_timer {
	struct sw_go_timer timer;
	uint32_t p;	  /* in whose heap it is; SW_NO_P: in none */
	sw_object object; /* that it is in, or SW_NO_OBJECT */
	enum sw_timer_kind kind;
	const char *function; /* its own: "time.sendTime", … */
	const char *callee;   /* AfterFunc: what it calls; NULL: unknown, or it is no such one */
	sw_addr closure;      /* the same: of the func value */
	sw_addr channel;      /* it sends to; 0 */
	uint64_t length;      /* values in the channel */
	uint32_t readers;     /* goroutines that wait for the channel */
	uint64_t goid;	      /* SLEEP: who sleeps; 0 unknown */
	/* It waits to send to a channel that nobody but itself refers to, and nobody refers to it:
	 * no one will ever read the channel, or stop it. From 1.23 on such timers are in no heap
	 * and are collected, unless the program asked for the old ones (asynctimerchan=1). */
	bool is_abandoned;
	uint64_t retained_bytes; /* by the object it is in */
};
#define SW_NO_P UINT32_MAX
SW_VECTOR(struct sw_timer, sw_timers);

/* All timers: those of the Ps in the order of their heaps, then those in no heap. What
 * cannot be read is counted in `warnings`. Names belong to the target's memory. */
struct sw_error *sw_timers_find(const struct sw_live *live, struct sw_warnings *warnings,
				struct sw_timers *out);

/* "ticker", "timer", "func", "context", "sleep", "deadline", "runtime", "other" */
const char *sw_timer_kind_word(enum sw_timer_kind kind);

#endif
