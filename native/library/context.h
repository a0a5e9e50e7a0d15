/* Contexts (package context of Go 1.18–1.27): who derives from whom, which are done, and of which
 * nobody has the cancel function any more. */
#ifndef SW_LIBRARY_CONTEXT_H
#define SW_LIBRARY_CONTEXT_H

#include "base/map.h"
#include "library/timer.h"
#include "view/retained_set.h"

#define SW_NO_CONTEXT UINT32_MAX

enum sw_context_kind {
	SW_CONTEXT_BACKGROUND, /* until 1.20 TODO too, which has the same type */
	SW_CONTEXT_TODO,
	SW_CONTEXT_CANCEL,	   /* WithCancel */
	SW_CONTEXT_DEADLINE,	   /* WithDeadline, WithTimeout */
	SW_CONTEXT_VALUE,	   /* WithValue */
	SW_CONTEXT_AFTER_FUNC,	   /* AfterFunc: not seen by the program; 1.21 */
	SW_CONTEXT_WITHOUT_CANCEL, /* 1.21 */
	SW_CONTEXT_STOP,   /* between a context and a parent with a method AfterFunc; 1.21 */
	SW_CONTEXT_SIGNAL, /* os/signal.NotifyContext */
	SW_CONTEXT_CUSTOM, /* of a type that embeds a Context, or is a parent of one */
	SW_CONTEXT_KINDS
};

struct sw_context {
	struct sw_value value;
	sw_object object; /* or SW_NO_OBJECT: not in the heap */
	enum sw_context_kind kind;
	uint32_t parent; /* by number; SW_NO_CONTEXT: none is known */
	/* The nearest one above that can be cancelled and whose end is to end this one too;
	 * SW_NO_CONTEXT: none. */
	uint32_t canceller;
	uint32_t key;	/* VALUE: by number in keys; SW_NO_CONTEXT: unknown */
	sw_object held; /* VALUE: the object of its value, or SW_NO_OBJECT */
	uint32_t depth; /* VALUE: how many of them follow each other up to here, with this one */

	/* CANCEL, DEADLINE, AFTER_FUNC: has_cancel */
	bool has_cancel;
	struct sw_value cancel; /* its cancelCtx: itself or a part; in 1.20 an object of its own */
	bool is_done;		/* it was cancelled, or its deadline has passed */
	bool is_expired;	/* the latter */
	sw_addr channel;	/* of Done(); 0: nobody has asked for it */
	uint32_t waiters;	/* goroutines that receive from it */
	struct sw_map_size children; /* that will be cancelled with it */
	uint32_t registered;	     /* whose child it is in that way; SW_NO_CONTEXT */
	int64_t deadline;	     /* nanotime; 0: none, or unknown */
	uint32_t timer;		     /* in timers; SW_NO_CONTEXT: none */
	bool is_damaged;	     /* its children could not all be read */

	/* context_use.c */
	uint32_t uses;	      /* words that hold it, but for what derives from it */
	uint32_t cancels;     /* of them: that are its cancel function, or may be */
	uint32_t propagators; /* words of goroutines that wait to pass its end, or its parent's, on
			       */
	bool is_in_use;	      /* somebody holds it or one that derives from it, or waits for it */
	bool is_lost;	      /* it can still be cancelled, but nobody has its cancel function */
	bool is_abandoned;    /* ... and nobody has the context either: only its parent, its timer
			       * and what derives from it refer to it */
	uint32_t broken_by;   /* a CUSTOM one that does not pass on the end of what is above it; or
			       * SW_NO_CONTEXT */
	uint32_t broken_from; /* ... whose end */
	bool hides_end;	      /* it is such a CUSTOM one */
	bool is_over;	      /* it is done, or one above whose end is passed on down to it */
};
SW_VECTOR(struct sw_context, sw_context_list);

struct sw_context_key {
	sw_type type; /* of the key; 0 unknown */
	char *text;   /* the key itself, as sw_value_describe_any() has it; owned */
};
SW_VECTOR(struct sw_context_key, sw_context_keys);

/* A goroutine that package context has started, or os/signal for a context. */
enum sw_context_goroutine_kind {
	SW_CONTEXT_PROPAGATES, /* waits for the end of a parent of a custom type */
	SW_CONTEXT_RUNS_AFTER, /* runs the function of an AfterFunc */
	SW_CONTEXT_SIGNALS,    /* waits for a signal */
	SW_CONTEXT_GOROUTINE_KINDS
};
struct sw_context_goroutine {
	enum sw_context_goroutine_kind kind;
	uint32_t goroutine; /* in go->goroutines */
};
SW_VECTOR(struct sw_context_goroutine, sw_context_goroutines);

SW_MAP(uint32_t, sw_context_numbers);

struct sw_contexts {
	struct sw_context_list list; /* in the order of their addresses, then as they were met */
	struct sw_context_keys keys;
	struct sw_context_goroutines goroutines;
	struct sw_timers timers;
	struct sw_context_numbers by_address; /* private: number + 1 */
};

/* All of it. What cannot be read is counted in `warnings`. */
struct sw_error *sw_contexts_find(const struct sw_live *live, struct sw_warnings *warnings,
				  struct sw_contexts *out);
void sw_contexts_free(struct sw_contexts *contexts);

/* "background", "cancel", … */
const char *sw_context_kind_word(enum sw_context_kind kind);

/* Calls visit with every context after its parent; in a ring, which damage makes, one of them comes
 * before. */
typedef struct sw_error *sw_visit_context(void *context, uint32_t number);
struct sw_error *sw_contexts_from_above(const struct sw_contexts *contexts, sw_visit_context *visit,
					void *context);

#endif
