/* What goroutines wait for: channels, semaphores (sync.Mutex, RWMutex, WaitGroup), notify lists
 * (sync.Cond).
 *
 * A waiting goroutine hangs on each of them by a sudog (runtime2.go, chan.go, select.go, sema.go of
 * Go 1.18–1.27). g.waiting leads to those of channels, from 1.26 on to the others too; before, the
 * frame that waits for a semaphore or a notify list has the sudog in a variable, and nothing else
 * leads from the goroutine to it. */
#ifndef SW_GO_WAIT_H
#define SW_GO_WAIT_H

#include "base/map.h"
#include "go/unwind.h"

enum sw_go_wait_kind {
	/* It runs or is about to, or waits for what comes by itself: time, the network, the
	 * collector. */
	SW_GO_WAIT_OTHER,
	SW_GO_WAIT_CHAN_RECEIVE,
	SW_GO_WAIT_CHAN_SEND,
	SW_GO_WAIT_SELECT,
	SW_GO_WAIT_NIL_CHAN, /* nothing can end this, … */
	SW_GO_WAIT_NO_CASES, /* … nor that */
	SW_GO_WAIT_COND,
	SW_GO_WAIT_SEMAPHORE, /* of a mutex or wait group, or a bare one */
};

/* One of the things a goroutine hangs on; any of them can wake it. */
struct sw_go_blocker {
	sw_addr sudog;
	sw_addr object; /* hchan, the word of the semaphore, notifyList */
	sw_addr elem;	/* of a channel: where the value is or goes to; may be on the stack, or 0 */
	bool is_send;	/* of a channel: it sends */
};
SW_VECTOR(struct sw_go_blocker, sw_go_blockers);

struct sw_go_wait {
	enum sw_go_wait_kind kind;
	bool is_woken;	 /* taken off the queue already: it is about to run */
	bool is_unknown; /* the kind says that there must be blockers, but they cannot be read */
	uint32_t first, count; /* in blockers; none when it is woken or unknown */
	uint32_t root;	       /* the goroutine's group in heap->roots */
	uint32_t hold;	       /* its member that holds the blockers; SW_NO_ROOT: none */
};
SW_VECTOR(struct sw_go_wait, sw_go_wait_list);

/* The queue that a sudog stands in. */
struct sw_go_queue {
	sw_addr object;
	bool is_send;
};
SW_MAP(struct sw_go_queue, sw_go_queues);

struct sw_go_waits {
	struct sw_go_wait_list list; /* as go->goroutines */
	struct sw_go_blockers blockers;
	struct sw_go_queues queues;	     /* private: by sudog, of the objects met */
	struct sw_go_queues channels, lists; /* private: those whose queues were walked */
	uint64_t steps;			     /* private: along notify lists so far */
};

/* Do only the frames of a goroutine lead to what it waits for? */
bool sw_go_wait_needs_stack(const struct sw_go *go, const struct sw_heap *heap,
			    const struct sw_goroutine *goroutine);
/* Appends what a goroutine waits for; its stack, when it is needed, was unwound with words. To be
 * called for all goroutines in their order. Damage makes the wait unknown. */
struct sw_error *sw_go_waits_add(struct sw_go_waits *waits, const struct sw_go *go,
				 const struct sw_heap *heap, const struct sw_goroutine *goroutine,
				 const struct sw_go_stack *stack, uint32_t root);
/* Frees what only sw_go_waits_add() needs. */
void sw_go_waits_finish(struct sw_go_waits *waits);
void sw_go_waits_free(struct sw_go_waits *waits);

static inline const struct sw_go_blocker *sw_go_wait_blockers(const struct sw_go_waits *waits,
							      const struct sw_go_wait *wait)
{
	return wait->count ? &waits->blockers.items[wait->first] : NULL;
}

#endif
