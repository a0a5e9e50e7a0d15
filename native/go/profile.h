/* What the heap profiler wrote down of single objects: it samples allocations (one in 512 KiB, all
 * of them with runtime.MemProfileRate = 1), and as long as a sampled object lives a special of its
 * span leads to a bucket with the stack that allocated it (runtime/mprof.go, mheap.go
 * specialprofile, Go 1.18–1.27). A program that never refers to runtime.MemProfile samples nothing.
 */
#ifndef SW_GO_PROFILE_H
#define SW_GO_PROFILE_H

#include "go/traceback.h"

enum { SW_GO_MAX_PROFILE_STACK = 1024 }; /* runtime: 32 until 1.22, then at most 1024 */

struct sw_go_sample {
	sw_addr address; /* that malloc gave out */
	sw_addr bucket;	 /* objects of one size and stack have the same */
};

/* A bucket of the heap profile. */
struct sw_go_bucket {
	uint64_t size; /* bytes of each object as rounded up by malloc (its slot, in 1.18–1.27) */
	uint32_t depth; /* of its stack */
	sw_addr stack;	/* `depth` words: a return address for each call, inlined ones too */
};

/* The sample of the object at an address anywhere inside it (of several in a tiny block the
 * nearest before it). False when it was not sampled, or the span's specials are damaged there. */
bool sw_go_sample_of(const struct sw_go *go, const struct sw_heap *heap, sw_addr address,
		     struct sw_go_sample *out);

/* Every sample, by span, then address; stops when visit returns an error. Damaged lists were
 * counted when the roots were collected (warning "damaged_specials"). */
typedef struct sw_error *sw_visit_sample(void *context, const struct sw_go_sample *sample);
struct sw_error *sw_go_samples_visit(const struct sw_go *go, sw_visit_sample *visit, void *context);

/* False for a bucket that is none of the heap profile, or not readable. */
bool sw_go_read_bucket(const struct sw_go *go, sw_addr bucket, struct sw_go_bucket *out);

/* The calls of a bucket's stack, the allocating function first, at most `limit`; malloc's own
 * calls, which the runtime leaves out only in part, are left out. Returns how many. */
size_t sw_go_bucket_calls(const struct sw_go *go, const struct sw_go_bucket *bucket,
			  struct sw_go_call *out, size_t limit);

#endif
