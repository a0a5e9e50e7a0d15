#include "go/profile.h"

#include "base/chain.h"
#include "go/field.h"
#include "go/special.h"

enum {
	HEAP_PROFILE = 1, /* mprof.go memProfile, a bucketType */
	MAX_SPECIALS = 1 << 28,
};

/* ---- specials ---- */

/* Visits the samples of a span, by rising address. */
static struct sw_error *visit_span(const struct sw_go *go, const struct sw_go_span *span,
				   sw_visit_sample *visit, void *context)
{
	struct sw_error *error = NULL;
	struct sw_chain chain = {0};
	struct sw_go_sample sample;
	struct sw_go_special special;

	for (sw_addr at = span->specials; !error && at; at = special.next) {
		if (sw_chain_is_ring(&chain, at) || chain.steps > MAX_SPECIALS ||
		    !sw_go_special_read(go, at, &special) || special.offset >= span->npages * 8192)
			break;
		sample.address = span->base + special.offset;
		sample.bucket = sw_go_word_at(go, at, go->layout.specialprofile.b);
		if (special.kind == go->layout.special_kind.profile && sample.bucket)
			error = visit(context, &sample);
	}
	return error;
}

static bool has_samples(const struct sw_go *go, const struct sw_go_span *span)
{
	return go->layout.specialprofile.b != SW_ABSENT && span->state == SW_GO_SPAN_IN_USE &&
	       span->specials;
}

struct sw_error *sw_go_samples_visit(const struct sw_go *go, sw_visit_sample *visit, void *context)
{
	struct sw_error *error = NULL;
	for (size_t i = 0; !error && i < go->spans.count; i++)
		if (has_samples(go, &go->spans.items[i]))
			error = visit_span(go, &go->spans.items[i], visit, context);
	return error;
}

/* The last sample of a slot up to an address, else its first. */
struct wanted {
	sw_addr begin, end; /* of the slot */
	sw_addr address;
	struct sw_go_sample sample;
	bool is_found;
};

static struct sw_error *take_sample(void *context, const struct sw_go_sample *sample)
{
	struct wanted *wanted = context;
	if (sample->address < wanted->begin || sample->address >= wanted->end ||
	    (wanted->is_found && sample->address > wanted->address))
		return NULL;
	wanted->sample = *sample;
	wanted->is_found = true;
	return NULL;
}

bool sw_go_sample_of(const struct sw_go *go, const struct sw_heap *heap, sw_addr address,
		     struct sw_go_sample *out)
{
	sw_slot slot = sw_heap_slot(heap, address);
	if (slot == SW_NO_SLOT)
		return false;
	const struct sw_span *space = sw_heap_slot_span(heap, slot);
	const struct sw_go_span *span = &go->spans.items[space->owner];
	struct wanted wanted = {.begin = sw_heap_slot_address(heap, slot), .address = address};

	wanted.end = wanted.begin + space->elemsize;
	if (has_samples(go, span))
		sw_error_free(visit_span(go, span, take_sample, &wanted));
	*out = wanted.sample;
	return wanted.is_found;
}

/* ---- buckets ---- */

/* mprof.go bucket.stk: the stack follows the struct. */
bool sw_go_read_bucket(const struct sw_go *go, sw_addr bucket, struct sw_go_bucket *out)
{
	uint64_t type, depth;

	if (!sw_memory_u64(go->memory, bucket + go->layout.bucket.typ, &type) ||
	    type != HEAP_PROFILE ||
	    !sw_memory_u64(go->memory, bucket + go->layout.bucket.requested, &out->size) ||
	    !sw_memory_u64(go->memory, bucket + go->layout.bucket.nstk, &depth) ||
	    depth > SW_GO_MAX_PROFILE_STACK)
		return false;
	out->depth = (uint32_t)depth;
	out->stack = bucket + go->layout.bucket.size;
	return true;
}

/* A call of its own stands for each word, also for those that were inlined: what matters is the
 * innermost call there (symtab.go Frames.Next). */
static bool call_at(const struct sw_go *go, sw_addr pc, struct sw_go_call *out)
{
	struct sw_go_call calls[2];
	struct sw_go_frame frame = {.pc = pc, .is_call = true};

	if (!sw_go_find_func(go, pc - 1, &frame.func) || !sw_go_calls(go, &frame, calls, 2))
		return false;
	*out = calls[0];
	return true;
}

static bool is_malloc(const struct sw_go_call *call)
{
	return !strncmp(call->function, "runtime.", strlen("runtime."));
}

size_t sw_go_bucket_calls(const struct sw_go *go, const struct sw_go_bucket *bucket,
			  struct sw_go_call *out, size_t limit)
{
	struct sw_go_call call;
	size_t count = 0;
	sw_addr pc;

	for (uint32_t i = 0; i < bucket->depth && count < limit; i++) {
		if (!sw_memory_u64(go->memory, bucket->stack + 8 * (uint64_t)i, &pc) || !pc)
			break;
		/* Foreign code has no calls that could be named. */
		if (!call_at(go, pc, &call) || (!count && is_malloc(&call)))
			continue;
		out[count++] = call;
	}
	return count;
}
