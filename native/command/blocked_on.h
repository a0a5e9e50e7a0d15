/* What a goroutine that waits is blocked on, in Go's terms: a channel, a sync.Mutex, … */
#ifndef SW_COMMAND_BLOCKED_ON_H
#define SW_COMMAND_BLOCKED_ON_H

#include "command/goroutine_rows.h"
#include "command/naming.h"
#include "go/goroutine_leak.h"

/* Everything that tells about goroutines that wait; all borrowed from the session. */
struct sw_wait_view {
	struct sw_live live;
	struct sw_goroutine_view goroutines;
	struct sw_work *work;
};

enum sw_blocked_kind {
	SW_BLOCKED_CHAN,
	SW_BLOCKED_SELECT,
	SW_BLOCKED_MUTEX,
	SW_BLOCKED_RWMUTEX,
	SW_BLOCKED_WAITGROUP,
	SW_BLOCKED_COND,
	SW_BLOCKED_SEMAPHORE, /* a bare one, as internal/poll has them */
	SW_BLOCKED_NIL_CHAN,
	SW_BLOCKED_FOREVER, /* select {} */
};

struct sw_blocked_on {
	enum sw_blocked_kind kind;
	sw_addr address; /* of the channel, the sync.Mutex, …; of a select its first channel; 0 */
	bool is_send;	 /* of a channel */
	bool is_read;	 /* of a sync.RWMutex */
	const struct sw_go_blocker *blockers;
	uint32_t count;
};

/* The goroutine waits: its wait is of another kind than SW_GO_WAIT_OTHER. */
void sw_blocked_on_find(const struct sw_wait_view *view, uint32_t goroutine,
			struct sw_blocked_on *out);

/* "chan", "select", "mutex", …; and as Go writes the type: "sync.Mutex", NULL where it is none of
 * the language's own packages. */
const char *sw_blocked_kind_name(enum sw_blocked_kind kind);
const char *sw_blocked_type_name(enum sw_blocked_kind kind);

/* runtime.hchan. */
struct sw_channel {
	sw_addr address;
	char type[256]; /* "chan int" */
	uint64_t length, capacity, elem_size;
	bool is_closed;
	bool has_timer; /* of a time.Timer or Ticker */
	bool is_ticker;
};
/* False when it cannot be read. */
bool sw_channel_read(const struct sw_wait_view *view, sw_addr address, struct sw_channel *out);

/* Calls visit with each object that refers to the one at an address, as the graph knows it, until
 * it returns true; returns whether one did. */
bool sw_blocked_any_referrer(const struct sw_wait_view *view, sw_addr address,
			     bool (*visit)(const struct sw_wait_view *view, sw_object referrer,
					   sw_addr address, void *context),
			     void *context);

/* How many calls of Done a sync.WaitGroup waits for; false when it cannot be read. */
bool sw_waitgroup_counter(const struct sw_wait_view *view, sw_addr address, int64_t *out);

/* Readers that hold a sync.RWMutex or wait for it. */
bool sw_rwmutex_readers(const struct sw_wait_view *view, sw_addr address, uint64_t *out);
/* Goroutines that wait for a sync.Cond. */
bool sw_cond_waiters(const struct sw_wait_view *view, sw_addr address, uint32_t *out);

/* The object that an address is in, and what is there: "main.account.mu", "sync.Mutex" for an
 * object of its own, the name of a variable; "" when nothing tells. */
void sw_blocked_place(const struct sw_wait_view *view, const struct sw_blocked_on *on, char *out,
		      size_t size);

#endif
