/* The replayed marking held against what the runtime itself recorded in the same image: the mark
 * bits of its last collection (which sweeping made the allocBits), allocCount of each span,
 * gcController.heapMarked. */
#ifndef SW_GO_ORACLE_H
#define SW_GO_ORACLE_H

#include "go/runtime.h"

/* Why a slot may differ. */
enum sw_go_reason {
	SW_GO_REASON_NONE,	/* nothing explains it */
	SW_GO_REASON_ALLOCATED, /* only replay: allocated since the last collection */
	SW_GO_REASON_FINALIZER, /* only replay: found dead, but its span is not swept: the sweep
				 * will keep it and queue its finalizer */
	SW_GO_REASON_TINY,	/* only runtime: a 16-byte block without pointers that was a P's
				 * current tiny block when the collection began */
	SW_GO_REASON_STACK,	/* only runtime: a word of a goroutine's stack points to it that is
				 * not live any more, but may have been then */
	SW_GO_REASON_UNIQUE,	/* only runtime: a closure of package unique, which in 1.23 and 1.24
				 * cleans its maps on a goroutine of its own after each collection
				 * (unique/handle.go registerCleanup) */
	SW_GO_REASON_REACHED,	/* only runtime: reached from one that is explained */
	SW_GO_REASON_COUNT,
};

struct sw_go_tally {
	uint64_t objects, bytes;
	sw_addr example; /* the first one, 0 when there is none */
};

struct sw_go_oracle {
	uint64_t replay_objects, replay_bytes;
	uint64_t runtime_objects, runtime_bytes; /* marked by the runtime */
	struct sw_go_tally only_replay[SW_GO_REASON_COUNT];
	struct sw_go_tally only_runtime[SW_GO_REASON_COUNT];
	uint64_t spans, unswept_spans;
	uint64_t count_mismatches; /* spans whose allocCount is not the number of their slots in use
				    */
	sw_addr count_example;	   /* base of the first such span */
	uint64_t heap_marked_bytes; /* gcController.heapMarked */
	uint64_t marked_bits_bytes; /* what it should be by the bits: runtime_bytes, and once more
				     * each object with a finalizer whose span is scanned */
	bool is_comparable;	    /* false in the middle of a collection */
	bool is_exact; /* comparable, no difference without a reason, no count mismatch */
};

/* Needs sw_heap_number(). */
struct sw_error *sw_go_ask_oracle(const struct sw_go *go, const struct sw_heap *heap,
				  struct sw_go_oracle *out);

#endif
