#include "go/defer.h"

#include "base/map.h"
#include "go/pclntab.h"

#include <inttypes.h>

enum {
	FUNCDATA_OPEN_CODED_DEFERS = 4, /* internal/abi/symtab.go */
	MAX_OPEN_CODED = 8,		/* of a function: cmd/compile maxOpenDefers */
	MAX_DEFERS = 1 << 16,		/* of one goroutine that are listed */
	MAX_PANICS = 1 << 10,
	FIRST_MINOR_WITH_RANGES = 22, /* range-over-func: records in lists of their own */
	BAD_DEFER = 10,		      /* panic.go badDefer */
};

/* Until 1.21 _defer begins {started, heap, openDefer bool}, from 1.22 on {heap, rangefunc bool},
 * and `head`, the list of rangefunc, follows `link`, the last of the other fields. */
enum { AFTER_HEAP = 1, STARTED = 0, HEAD_BEHIND_LINK = 8 };

SW_MAP(bool, sw_seen);

struct reader {
	const struct sw_go *go;
	const struct sw_goroutine *goroutine;
	const struct sw_go_stack *stack;
	struct sw_go_defers *out;
	struct sw_seen seen; /* records: no one is in two places */
};

/* True for what was met before: a ring. */
static bool is_seen(struct sw_seen *seen, sw_addr at, struct sw_error **error)
{
	if (sw_seen_find(seen, at))
		return true;
	*error = sw_seen_set(seen, at, true);
	return false;
}

static void warn(const struct sw_go *go, const struct sw_goroutine *goroutine, const char *what,
		 sw_addr at)
{
	sw_warn(go->warnings, true, "damaged_defers",
		"what comes after the damaged one is not shown",
		"the %s of goroutine %" PRIu64 " cannot be read as a whole (0x%" PRIx64 ")", what,
		goroutine->goid, at);
}

/* ---- open-coded ---- */

/* panic.go readvarintUnsafe. */
static bool read_varint(const struct sw_go *go, sw_addr *at, uint64_t *out)
{
	uint8_t byte;

	*out = 0;
	for (unsigned shift = 0; shift < 35; shift += 7) {
		if (!sw_memory_u8(go->memory, (*at)++, &byte))
			return false;
		*out |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

/* Where the closures of a frame are, by bit. Until 1.21 the table has the offset of each, the last
 * first; from 1.22 on that of the first, and they lie side by side. */
static bool find_slots(const struct sw_go *go, const struct sw_go_frame *frame, sw_addr table,
		       uint8_t *bits, sw_addr slots[MAX_OPEN_CODED])
{
	uint64_t offset, count;

	if (!read_varint(go, &table, &offset) || frame->varp - offset < frame->sp ||
	    frame->varp - offset > frame->varp ||
	    !sw_memory_u8(go->memory, frame->varp - offset, bits))
		return false;
	if (!read_varint(go, &table, &count))
		return false;
	if (go->minor >= FIRST_MINOR_WITH_RANGES) {
		for (unsigned i = 0; i < MAX_OPEN_CODED; i++)
			slots[i] = frame->varp - count + 8 * (uint64_t)i;
		return true;
	}
	if (count > MAX_OPEN_CODED || *bits >> count)
		return false;
	for (unsigned i = (unsigned)count; i-- > 0;) {
		if (!read_varint(go, &table, &offset))
			return false;
		slots[i] = frame->varp - offset;
	}
	return true;
}

/* The code of a function value; 0 when it is none. */
static sw_addr find_entry(const struct sw_go *go, sw_addr fn)
{
	struct sw_go_func func;
	uint64_t entry;

	return sw_memory_u64(go->memory, fn, &entry) && sw_go_find_func(go, entry, &func) &&
			       func.entry == entry
		       ? entry
		       : 0;
}

static struct sw_error *read_open_coded(struct reader *reader, uint32_t number)
{
	const struct sw_go *go = reader->go;
	const struct sw_go_frame *frame = &reader->stack->frames.items[number];
	sw_addr table = sw_go_func_data(go, &frame->func, FUNCDATA_OPEN_CODED_DEFERS);
	sw_addr slots[MAX_OPEN_CODED] = {0};
	struct sw_error *error = NULL;
	size_t first = reader->out->count;
	uint8_t bits;

	if (!table || !frame->continpc || !find_slots(go, frame, table, &bits, slots))
		return NULL;
	for (unsigned i = MAX_OPEN_CODED; i-- > 0 && !error;) {
		struct sw_go_defer defer = {.frame = number, .is_open_coded = true};
		if (!(bits >> i & 1))
			continue;
		if (slots[i] >= frame->sp && slots[i] < frame->varp)
			sw_memory_u64(go->memory, slots[i], &defer.fn);
		defer.entry = find_entry(go, defer.fn);
		if (!defer.entry && !frame->is_call) {
			reader->out->count = first; /* the frame is not made yet */
			return NULL;
		}
		error = sw_go_defers_add(reader->out, defer);
	}
	return error;
}

/* ---- records ---- */

/* Frames are in rising order. */
static uint32_t find_frame(const struct sw_go_stack *stack, sw_addr sp)
{
	size_t low = 0, high = stack->frames.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (stack->frames.items[middle].sp < sp)
			low = middle + 1;
		else
			high = middle;
	}
	/* A leaf of arm64 has no frame of its own: the one that defers is further out. */
	for (; low < stack->frames.count && stack->frames.items[low].sp == sp; low++)
		if (stack->frames.items[low].fp > sp)
			return (uint32_t)low;
	return UINT32_MAX;
}

struct record {
	sw_addr fn, sp, pc, link, head;
	bool is_started, is_open_coded, is_range;
};

static bool read_record(const struct sw_go *go, sw_addr at, struct record *out)
{
	uint8_t after_heap = 0, started = 0;

	memset(out, 0, sizeof(*out));
	if (!sw_memory_u64(go->memory, at + go->layout.defer.fn, &out->fn) ||
	    !sw_memory_u64(go->memory, at + go->layout.defer.sp, &out->sp) ||
	    !sw_memory_u64(go->memory, at + go->layout.defer.pc, &out->pc) ||
	    !sw_memory_u64(go->memory, at + go->layout.defer.link, &out->link) ||
	    !sw_memory_u8(go->memory, at + go->layout.defer.heap + AFTER_HEAP, &after_heap) ||
	    !sw_memory_u8(go->memory, at + STARTED, &started))
		return false;
	if (go->minor < FIRST_MINOR_WITH_RANGES) {
		out->is_started = started;
		out->is_open_coded = after_heap;
		return true;
	}
	out->is_range = after_heap;
	return !out->is_range ||
	       sw_memory_u64(go->memory, at + go->layout.defer.link + HEAD_BEHIND_LINK, &out->head);
}

static struct sw_error *add_record(struct reader *reader, const struct record *record)
{
	struct sw_go_defer defer = {
		.frame = find_frame(reader->stack, record->sp),
		.fn = record->fn,
		.entry = find_entry(reader->go, record->fn),
		.pc = record->pc,
	};
	/* One that runs is not to come any more, and the frame itself tells its open-coded ones. */
	if (record->is_started || record->is_open_coded)
		return NULL;
	return sw_go_defers_add(reader->out, defer);
}

/* A list of records; those of a range-over-func loop lead to another one, and have its sp and pc
 * (owner). */
static struct sw_error *read_records(struct reader *reader, sw_addr at, const struct record *owner)
{
	struct sw_error *error = NULL;
	struct record record;
	uint64_t list;

	for (; at && at != BAD_DEFER && !error; at = record.link) {
		if (is_seen(&reader->seen, at, &error) || reader->out->count >= MAX_DEFERS ||
		    !read_record(reader->go, at, &record) || (owner && record.is_range)) {
			warn(reader->go, reader->goroutine, "deferred calls", at);
			break;
		}
		if (owner) {
			record.sp = owner->sp;
			record.pc = owner->pc;
		}
		if (error)
			break;
		if (!record.is_range)
			error = add_record(reader, &record);
		else if (sw_memory_u64(reader->go->memory, record.head, &list))
			error = read_records(reader, list, &record);
		else
			warn(reader->go, reader->goroutine, "deferred calls", at);
	}
	return error;
}

/* By frame; the frame's own before its records, as they will run. Stable: `order` is the place. */
struct ordered {
	struct sw_go_defer defer;
	size_t order;
};

static int compare(const void *left_item, const void *right_item)
{
	const struct ordered *left = left_item, *right = right_item;

	if (left->defer.frame != right->defer.frame)
		return left->defer.frame < right->defer.frame ? -1 : 1;
	return (left->order > right->order) - (left->order < right->order);
}

static struct sw_error *sort(struct sw_go_defers *defers)
{
	struct ordered *items = calloc(defers->count + 1, sizeof(*items));

	if (!items)
		return sw_error_memory();
	for (size_t i = 0; i < defers->count; i++)
		items[i] = (struct ordered){defers->items[i], i};
	qsort(items, defers->count, sizeof(*items), compare);
	for (size_t i = 0; i < defers->count; i++)
		defers->items[i] = items[i].defer;
	free(items);
	return NULL;
}

struct sw_error *sw_go_read_defers(const struct sw_go *go, const struct sw_goroutine *goroutine,
				   const struct sw_go_stack *stack, struct sw_go_defers *out)
{
	struct reader reader = {.go = go, .goroutine = goroutine, .stack = stack, .out = out};
	struct sw_error *error = NULL;

	for (uint32_t i = 0; i < stack->frames.count && !error; i++)
		error = read_open_coded(&reader, i);
	if (!error)
		error = read_records(&reader, goroutine->defers, NULL);
	sw_seen_free(&reader.seen);
	return error ? error : sort(out);
}

/* ---- panics ---- */

static bool read_panic(const struct sw_go *go, sw_addr at, struct sw_go_panic *out, sw_addr *link)
{
	uint8_t recovered, is_goexit;

	if (!sw_memory_u64(go->memory, at + go->layout.panic.link, link) ||
	    !sw_memory_u8(go->memory, at + go->layout.panic.recovered, &recovered) ||
	    !sw_memory_u8(go->memory, at + go->layout.panic.goexit, &is_goexit))
		return false;
	*out = (struct sw_go_panic){
		.address = at,
		.arg = at + go->layout.panic.arg,
		.is_recovered = recovered,
		.is_goexit = is_goexit,
	};
	return true;
}

struct sw_error *sw_go_read_panics(const struct sw_go *go, const struct sw_goroutine *goroutine,
				   struct sw_go_panics *out)
{
	struct sw_seen seen = {0};
	struct sw_error *error = NULL;
	struct sw_go_panic panic;
	sw_addr link;

	for (sw_addr at = goroutine->panics; at && !error; at = link) {
		/* They live on the stack of the goroutine itself. */
		if (is_seen(&seen, at, &error) || out->count >= MAX_PANICS ||
		    at < goroutine->stack_lo || at >= goroutine->stack_hi ||
		    !read_panic(go, at, &panic, &link)) {
			warn(go, goroutine, "panics", at);
			break;
		}
		if (!error)
			error = sw_go_panics_add(out, panic);
	}
	sw_seen_free(&seen);
	return error;
}
