/* The pointer words of a goroutine's frames (runtime/mgcmark.go scanstack and scanframeworker,
 * mgcstack.go, stkframe.go, 1.18–1.27).
 *
 * A word that points into the stack itself selects a stack object: a variable whose address was
 * taken. Such an object is live when a live word points to it, and then its own pointers count.
 * Objects that only conservative words point to are scanned conservatively, so the precise ones go
 * first. */
#include "base/chain.h"
#include "go/gc_program.h"
#include "go/stack_walk.h"

#include <inttypes.h>

enum {
	OBJECT_RECORD = 16,	       /* stackObjectRecord: off, size, ptrBytes, gcdataoff */
	MAX_DEFERS = 1 << 22,	       /* of one goroutine */
	XREGS_AMD64 = 32 * 64 + 8 * 8, /* preempt_amd64.go xRegs, 1.27 */
	XREGS_ARM64 = 32 * 16,	       /* preempt_arm64.go xRegs, 1.27 */
	FIRST_MINOR_WITH_VECTORS = 27, /* whose collector looks at the whole vector registers */
	LAST_MINOR_WITH_XMM = 25, /* whose asyncPreempt has X0…X15 or F0…F31 in its frame */
	FX_XMM = 160,		  /* of what the fxsave instruction writes */
	FX_XMM_SIZE = 16 * 16,
	LAST_MINOR_WITH_PROGRAMS = 23, /* whose stack objects may have a GC program for a mask */
	SCAN_BIT = 0x1000,	       /* of g.atomicstatus: runtime2.go _Gscan */
};

SW_VECTOR(sw_addr, sw_addrs);

struct stack_object {
	sw_addr addr;
	uint32_t size, pointer_bytes;
	sw_addr mask; /* of the target; 0: `fixed` */
	const uint8_t *fixed;
	uint32_t frame;
	bool is_program, is_scanned;
};
SW_VECTOR(struct stack_object, stack_objects);

struct scan {
	struct sw_go_walk *walk;
	const struct sw_go *go;
	sw_go_is_object *is_object;
	void *context;
	struct sw_addrs precise, conservative; /* pointers into the stack that wait */
	struct stack_objects objects;	       /* in rising order */
	uint32_t frame;			       /* that the words belong to now */
	uint64_t budget; /* words that may still be read: no map of damaged tables can exceed it */
};

/* ---- words ---- */

static struct sw_error *add_word(struct scan *scan, enum sw_go_word_kind kind, sw_addr pointer,
				 sw_addr at)
{
	if (!pointer)
		return NULL;
	if (sw_go_walk_holds(scan->walk, pointer))
		return kind == SW_GO_WORD_CONSERVATIVE ? sw_addrs_add(&scan->conservative, pointer)
						       : sw_addrs_add(&scan->precise, pointer);
	if (kind == SW_GO_WORD_CONSERVATIVE && scan->is_object &&
	    !scan->is_object(scan->context, pointer))
		return NULL;
	return sw_go_stack_words_add(
		&scan->walk->out->words,
		(struct sw_go_stack_word){
			.kind = kind, .pointer = pointer, .at = at, .frame = scan->frame});
}

static bool spend(struct scan *scan, uint64_t words)
{
	if (words > scan->budget) {
		scan->budget = 0;
		return false;
	}
	scan->budget -= words;
	return true;
}

/* Words [at, at + 8 * count) of the stack, those whose bit is set; without a mask all of them.
 * What lies outside the stack is left out: false. */
static bool scan_words(struct scan *scan, enum sw_go_word_kind kind, sw_addr at, uint64_t count,
		       const uint8_t *mask, struct sw_error **error)
{
	const struct sw_go_walk *walk = scan->walk;

	if (!count)
		return true;
	if (at < walk->low || at > walk->high || count > (walk->high - at) / 8 ||
	    !spend(scan, count))
		return false;
	const uint8_t *bytes = walk->bytes + (at - walk->low);
	for (uint64_t i = 0; i < count && !*error; i++) {
		if (mask && !mask[i / 8]) {
			i |= 7;
			continue;
		}
		if (!mask || mask[i / 8] >> (i % 8) & 1)
			*error = add_word(scan, kind, sw_load64(bytes + 8 * i), at + 8 * i);
	}
	return true;
}

/* ---- reflect's frames ---- */

/* internal/abi.RegArgs: integers, floats, pointers, and which results are pointers. Only the
 * pointers are; their number is the number of integer registers. */
struct reg_args {
	uint32_t size;
	uint8_t mask[8]; /* bit i of byte i / 8: word i */
};

static const struct reg_args *reg_args(const struct sw_go *go)
{
	static const struct reg_args amd64 = {272, {0, 0, 0, 0xff, 0x01}};
	static const struct reg_args arm64 = {392, {0, 0, 0, 0, 0xff, 0xff}};
	return go->arch == SW_ARCH_ARM64 ? &arm64 : &amd64;
}

enum { REFLECT_NOT_STARTED, REFLECT_STARTED, REFLECT_DAMAGED };

/* reflect.makeFuncStub and methodValueCall take arguments of any number: the map of them is in
 * the function value that they keep at the frame's low end (stkframe.go argMapInternal). */
static int reflect_args(struct scan *scan, const struct sw_go_frame *frame, uint64_t *count,
			sw_addr *mask)
{
	const struct sw_go *go = scan->go;
	sw_addr arg0 = frame->sp + sw_go_min_frame(go);
	uint64_t value, entry, map, argument_bytes, valid;
	uint32_t bits;

	*count = 0;
	if (arg0 >= frame->fp - (sw_go_uses_lr(go) ? 0 : 8))
		return REFLECT_NOT_STARTED;
	if (!sw_go_walk_word(scan->walk, arg0, &value) ||
	    !sw_go_walk_word(scan->walk, arg0 + 32, &valid) ||
	    !sw_memory_u64(go->memory, value, &entry) || entry != frame->func.entry ||
	    !sw_memory_u64(go->memory, value + 8, &map) ||
	    !sw_memory_u64(go->memory, value + 16, &argument_bytes) ||
	    !sw_memory_u32(go->memory, map, &bits) || !sw_memory_u64(go->memory, map + 8, mask) ||
	    bits > INT32_MAX)
		return REFLECT_DAMAGED;
	*count = bits;
	if (!(valid & 0xff) && argument_bytes / 8 < bits)
		*count = argument_bytes / 8;
	return REFLECT_STARTED;
}

static bool is_reflect_stub(const struct sw_go_func *func)
{
	if (func->args != SW_FUNC_ARGS_UNKNOWN)
		return false;
	const char *name = sw_go_func_name(func);
	return !strcmp(name, "reflect.makeFuncStub") || !strcmp(name, "reflect.methodValueCall");
}

static bool scan_reflect_args(struct scan *scan, const struct sw_go_frame *frame, bool *has_object,
			      struct sw_error **error)
{
	uint64_t count;
	sw_addr mask;
	int state = reflect_args(scan, frame, &count, &mask);

	*has_object = state == REFLECT_STARTED;
	if (state == REFLECT_DAMAGED)
		return false;
	if (!count)
		return true;
	const uint8_t *bits = sw_memory_view(scan->go->memory, mask, (count + 7) / 8);
	return bits && scan_words(scan, SW_GO_WORD_PRECISE, frame->argp, count, bits, error);
}

/* ---- conservative frames ---- */

static uint64_t argument_words(struct scan *scan, const struct sw_go_frame *frame)
{
	uint64_t count = 0;
	sw_addr mask;
	if (is_reflect_stub(&frame->func))
		reflect_args(scan, frame, &count, &mask);
	else if (frame->func.args > 0)
		count = (uint32_t)frame->func.args / 8;
	return count;
}

/* [from, to) as far as the stack goes, word by word. */
static struct sw_error *scan_range(struct scan *scan, sw_addr from, sw_addr to)
{
	struct sw_error *error = NULL;
	if (to > scan->walk->high)
		to = scan->walk->high;
	from = (from + 7) & ~(sw_addr)7;
	if (from < to &&
	    !scan_words(scan, SW_GO_WORD_CONSERVATIVE, from, (to - from) / 8, NULL, &error))
		sw_go_walk_damaged(scan->walk, "frames that overlap", from);
	return error;
}

/* golang.org/issue/80188: the link register of what was interrupted, which may hold a pointer,
 * stands between an injected call and its caller. Collectors look there since 1.26.6. */
static bool has_link_register(const struct sw_go *go, const struct sw_go_frame *frame)
{
	const struct sw_layout_release *release = &go->release;

	return sw_go_uses_lr(go) && sw_go_is_injected(go, frame->func.id) &&
	       frame->varp > frame->sp &&
	       (release->minor > 26 || (release->minor == 26 && release->patch >= 6));
}

static struct sw_error *scan_conservative(struct scan *scan, const struct sw_go_frame *frame)
{
	sw_addr end = frame->varp;
	if (has_link_register(scan->go, frame))
		end += SW_GO_INJECTED_BYTES;
	struct sw_error *error = scan_range(scan, frame->sp, end);
	if (error)
		return error;
	return scan_range(scan, frame->argp, frame->argp + argument_words(scan, frame) * 8);
}

/* ---- precise frames ---- */

static struct sw_error *add_object(struct scan *scan, const struct sw_go_frame *frame,
				   struct stack_object object, bool *is_sane)
{
	const struct stack_objects *objects = &scan->objects;
	const struct stack_object *last =
		objects->count ? &objects->items[objects->count - 1] : NULL;

	*is_sane = true;
	if (object.addr < frame->sp) /* not yet in the frame */
		return NULL;
	*is_sane = object.size && object.pointer_bytes <= object.size &&
		   object.addr < scan->walk->high &&
		   object.size <= scan->walk->high - object.addr &&
		   (!last || last->addr + last->size <= object.addr);
	object.frame = scan->frame;
	return *is_sane ? stack_objects_add(&scan->objects, object) : NULL;
}

static struct stack_object read_object(const struct scan *scan, const struct sw_go_frame *frame,
				       const uint8_t *record)
{
	int32_t offset = (int32_t)sw_load32(record);
	int32_t size = (int32_t)sw_load32(record + 4);
	int32_t pointer_bytes = (int32_t)sw_load32(record + 8);
	bool is_program = pointer_bytes < 0 && scan->go->minor <= LAST_MINOR_WITH_PROGRAMS;
	struct stack_object object = {
		.addr = (offset >= 0 ? frame->argp : frame->varp) + (uint64_t)(int64_t)offset,
		.size = size > 0 ? (uint32_t)size : 0,
		.pointer_bytes = is_program ? 0 - (uint32_t)pointer_bytes : (uint32_t)pointer_bytes,
		.mask = frame->func.module->rodata + sw_load32(record + 12),
		.is_program = is_program,
	};
	return object;
}

static bool add_objects(struct scan *scan, const struct sw_go_frame *frame,
			const struct sw_go_pc *pc, struct sw_error **error)
{
	bool is_sane = true;
	for (uint64_t i = 0; i < pc->object_count && is_sane && !*error; i++)
		*error = add_object(scan, frame,
				    read_object(scan, frame, pc->objects + i * OBJECT_RECORD),
				    &is_sane);
	return is_sane;
}

static bool add_reflect_object(struct scan *scan, const struct sw_go_frame *frame,
			       struct sw_error **error)
{
	const struct reg_args *args = reg_args(scan->go);
	bool is_sane;
	*error = add_object(scan, frame,
			    (struct stack_object){.addr = frame->varp - args->size,
						  .size = args->size,
						  .pointer_bytes = args->size,
						  .fixed = args->mask},
			    &is_sane);
	return is_sane;
}

static bool scan_locals(struct scan *scan, const struct sw_go_frame *frame,
			const struct sw_go_pc *pc, struct sw_error **error)
{
	/* Less is only what every frame has: stkframe.go getStackMap minsize. */
	const uint64_t least = sw_go_uses_lr(scan->go) ? 16 : 0;
	uint64_t size = frame->varp - frame->sp;

	if (frame->varp < frame->sp || size <= least)
		return true;
	if (!pc->locals.bytes || pc->locals.is_damaged)
		return false;
	if (!pc->locals.count)
		return true;
	return pc->locals.count <= size / 8 &&
	       scan_words(scan, SW_GO_WORD_PRECISE, frame->varp - 8 * (uint64_t)pc->locals.count,
			  pc->locals.count, pc->locals.bytes, error);
}

static bool scan_args(struct scan *scan, const struct sw_go_frame *frame, const struct sw_go_pc *pc,
		      bool *has_reflect_object, struct sw_error **error)
{
	*has_reflect_object = false;
	if (is_reflect_stub(&frame->func))
		return scan_reflect_args(scan, frame, has_reflect_object, error);
	if (frame->func.args / 8 <= 0)
		return true;
	if (!pc->args.bytes || pc->args.is_damaged)
		return false;
	/* Until 1.21 the map of an assembly function is twice as long as its arguments
	 * (cmd/compile/internal/liveness/plive.go WriteFuncMap); what follows them is 0. */
	uint32_t words = (uint32_t)frame->func.args / 8, count = pc->args.count;
	return scan_words(scan, SW_GO_WORD_PRECISE, frame->argp, count < words ? count : words,
			  pc->args.bytes, error);
}

/* False when the tables do not describe this frame. */
static bool scan_precise(struct scan *scan, const struct sw_go_frame *frame,
			 struct sw_error **error)
{
	struct sw_go_pc place, *pc = sw_go_pc_find(scan->go, frame->continpc, &place);
	bool has_reflect_object;

	if (!pc->has_func || pc->func.bytes != frame->func.bytes)
		return false;
	sw_go_pc_maps(scan->go, pc);
	if (!scan_locals(scan, frame, pc, error) || *error ||
	    !scan_args(scan, frame, pc, &has_reflect_object, error) || *error)
		return false;
	return has_reflect_object ? add_reflect_object(scan, frame, error)
				  : add_objects(scan, frame, pc, error);
}

static struct sw_error *scan_frame(struct scan *scan, const struct sw_go_frame *frame)
{
	struct sw_error *error = NULL;

	if (frame->is_conservative)
		return scan_conservative(scan, frame);
	if (!frame->continpc || scan_precise(scan, frame, &error) || error)
		return error;
	/* A goroutine frozen amid assembly has frames that no collection ever meets. */
	if (scan->walk->goroutine->status != SW_GO_RUNNING || !(frame->func.flag & SW_FUNC_ASM))
		sw_go_walk_damaged(scan->walk, "a frame whose stack map is damaged", frame->pc);
	return scan_conservative(scan, frame);
}

/* ---- what the frames do not hold ---- */

static struct sw_error *scan_bytes(struct scan *scan, const uint8_t *bytes, uint64_t size)
{
	struct sw_error *error = NULL;
	for (uint64_t i = 0; !error && size - i >= 8; i += 8)
		error = add_word(scan, SW_GO_WORD_CONSERVATIVE, sw_load64(bytes + i), 0);
	return error;
}

/* Preempted here, it would have some of them scanned, but for Go 1.26 (preempt_amd64.s). */
static struct sw_error *scan_vectors(struct scan *scan, const struct sw_go_registers *registers)
{
	const uint8_t *bytes = registers->vector;
	uint64_t size = registers->vector_size;

	if (!registers->count || !bytes)
		return NULL;
	if (scan->go->minor <= LAST_MINOR_WITH_XMM && !sw_go_uses_lr(scan->go)) {
		if (size < FX_XMM + FX_XMM_SIZE)
			return NULL;
		bytes += FX_XMM;
		size = FX_XMM_SIZE;
	} else if (scan->go->minor > LAST_MINOR_WITH_XMM &&
		   scan->go->minor < FIRST_MINOR_WITH_VECTORS) {
		return NULL;
	}
	return scan_bytes(scan, bytes, size);
}

static struct sw_error *scan_registers(struct scan *scan)
{
	const struct sw_go_registers *registers = &scan->walk->start.registers;
	struct sw_error *error = NULL;

	scan->frame = scan->walk->out->frames.count ? 0 : UINT32_MAX;
	for (unsigned i = 0; !error && i < registers->count; i++)
		error = add_word(scan, SW_GO_WORD_CONSERVATIVE, registers->general[i], 0);
	if (!error)
		error = scan_vectors(scan, registers);
	return error;
}

/* The vector registers that an asynchronous preemption saved (preempt_xreg.go xRegScan). */
static struct sw_error *scan_saved_vectors(struct scan *scan)
{
	const struct sw_go *go = scan->go;
	sw_addr g = scan->walk->goroutine->address, state;
	uint64_t size = sw_go_uses_lr(go) ? XREGS_ARM64 : XREGS_AMD64;
	uint8_t is_safe_point;

	if (go->minor < FIRST_MINOR_WITH_VECTORS || go->layout.g.xRegs == SW_ABSENT ||
	    go->layout.g.asyncSafePoint == SW_ABSENT ||
	    !sw_memory_u8(go->memory, g + go->layout.g.asyncSafePoint, &is_safe_point) ||
	    !is_safe_point || !sw_memory_u64(go->memory, g + go->layout.g.xRegs, &state) || !state)
		return NULL;
	const uint8_t *bytes = sw_memory_view(go->memory, state, size);
	if (!bytes) {
		sw_go_walk_damaged(scan->walk, "its saved vector registers are missing", state);
		return NULL;
	}
	scan->frame = UINT32_MAX;
	return scan_bytes(scan, bytes, size);
}

/* One record: fn, link, and itself when it is in the heap. False when it cannot be read. */
static bool scan_defer(struct scan *scan, sw_addr record, sw_addr *link, struct sw_error **error)
{
	const struct sw_go *go = scan->go;
	uint64_t fn;
	uint8_t is_heap;

	if (!sw_memory_u64(go->memory, record + go->layout.defer.fn, &fn) ||
	    !sw_memory_u64(go->memory, record + go->layout.defer.link, link) ||
	    !sw_memory_u8(go->memory, record + go->layout.defer.heap, &is_heap))
		return false;
	*error = add_word(scan, SW_GO_WORD_DEFER, fn, record + go->layout.defer.fn);
	if (!*error)
		*error = add_word(scan, SW_GO_WORD_DEFER, *link, record + go->layout.defer.link);
	if (!*error && is_heap)
		*error = add_word(scan, SW_GO_WORD_DEFER, record, 0);
	return true;
}

static struct sw_error *scan_defers(struct scan *scan)
{
	sw_addr record = scan->walk->goroutine->defers, next;
	struct sw_chain chain = {0};
	struct sw_error *error = NULL;

	scan->frame = UINT32_MAX;
	for (; record && !error; record = next) {
		if (sw_chain_is_ring(&chain, record) || chain.steps > MAX_DEFERS ||
		    !scan_defer(scan, record, &next, &error)) {
			sw_go_walk_damaged(scan->walk, "its deferred calls are damaged", record);
			break;
		}
	}
	return error;
}

static struct sw_error *scan_panics(struct scan *scan)
{
	sw_addr panics = scan->walk->goroutine->panics;
	return sw_go_walk_holds(scan->walk, panics) ? sw_addrs_add(&scan->precise, panics) : NULL;
}

/* ---- stack objects ---- */

static struct stack_object *find_object(const struct scan *scan, sw_addr addr)
{
	size_t low = 0, high = scan->objects.count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct stack_object *object = &scan->objects.items[middle];
		if (addr < object->addr)
			high = middle;
		else if (addr - object->addr >= object->size)
			low = middle + 1;
		else
			return object;
	}
	return NULL;
}

static bool scan_object_masked(struct scan *scan, const struct stack_object *object,
			       enum sw_go_word_kind kind, struct sw_error **error)
{
	uint64_t count = object->pointer_bytes / 8, size = (count + 7) / 8;
	uint8_t *built = NULL;
	const uint8_t *mask = object->fixed;

	if (!count)
		return true;
	if (object->is_program) {
		built = calloc(1, size);
		if (!built)
			*error = sw_error_memory();
		else if (sw_go_run_gc_program(scan->go->memory, object->mask + 4, built, count))
			mask = built;
	} else if (!mask) {
		mask = sw_memory_view(scan->go->memory, object->mask, size);
	}
	bool is_sane = mask && !*error && scan_words(scan, kind, object->addr, count, mask, error);
	free(built);
	return is_sane;
}

static struct sw_error *scan_object(struct scan *scan, struct stack_object *object,
				    enum sw_go_word_kind kind)
{
	struct sw_error *error = NULL;

	object->is_scanned = true;
	scan->frame = object->frame;
	if (scan_object_masked(scan, object, kind, &error) || error)
		return error;
	sw_go_walk_damaged(scan->walk, "a stack object whose mask is damaged", object->addr);
	return scan_range(scan, object->addr, object->addr + object->size);
}

/* Is the stack being copied to another place, by whoever grows or shrinks it? Then some frames
 * still point into the old one, and do not select the objects that they hold (stack.go copystack).
 * It shrinks while it is scanned. */
static bool is_moving(const struct scan *scan)
{
	const struct sw_go *go = scan->go;
	const struct sw_goroutine *g = scan->walk->goroutine;
	uint32_t status;

	return g->status == SW_GO_COPYSTACK ||
	       (go->gcphase &&
		sw_memory_u32(go->memory, g->address + go->layout.g.atomicstatus, &status) &&
		status & SCAN_BIT);
}

static struct sw_error *scan_objects(struct scan *scan)
{
	struct sw_error *error = NULL;
	bool is_moved = is_moving(scan);

	for (size_t i = 0; is_moved && !error && i < scan->objects.count; i++)
		error = sw_addrs_add(&scan->conservative, scan->objects.items[i].addr);
	while (!error && (scan->precise.count || scan->conservative.count)) {
		bool is_precise = scan->precise.count;
		struct sw_addrs *queue = is_precise ? &scan->precise : &scan->conservative;
		struct stack_object *object = find_object(scan, queue->items[--queue->count]);
		if (object && !object->is_scanned)
			error = scan_object(scan, object,
					    is_precise ? SW_GO_WORD_PRECISE
						       : SW_GO_WORD_CONSERVATIVE);
	}
	return error;
}

/* ---- the whole ---- */

static struct sw_error *scan_frames(struct scan *scan)
{
	const struct sw_go_frames *frames = &scan->walk->out->frames;
	struct sw_error *error = NULL;

	for (size_t i = 0; !error && i < frames->count; i++) {
		scan->frame = (uint32_t)i;
		error = scan_frame(scan, &frames->items[i]);
	}
	scan->frame = UINT32_MAX;
	if (!error && scan->walk->unwalked < scan->walk->high)
		error = scan_range(scan, scan->walk->unwalked, scan->walk->high);
	return error;
}

static struct sw_error *scan_stack(struct scan *scan)
{
	struct sw_error *error =
		add_word(scan, SW_GO_WORD_CTXT, scan->walk->goroutine->sched_ctxt,
			 scan->walk->goroutine->address + scan->go->layout.g.sched +
				 scan->go->layout.gobuf.ctxt);
	if (!error)
		error = scan_saved_vectors(scan);
	if (!error)
		error = scan_registers(scan);
	if (!error)
		error = scan_frames(scan);
	if (!error)
		error = scan_defers(scan);
	if (!error)
		error = scan_panics(scan);
	return error ? error : scan_objects(scan);
}

struct sw_error *sw_go_stack_scan(struct sw_go_walk *walk, sw_go_is_object *is_object,
				  void *context)
{
	struct scan scan = {.walk = walk,
			    .go = walk->go,
			    .is_object = is_object,
			    .context = context,
			    .frame = UINT32_MAX,
			    /* Frames, their objects, and what damage asks for again. */
			    .budget = (walk->high - walk->low) / 8 * 8 + 4096};
	struct sw_error *error = scan_stack(&scan);

	sw_addrs_free(&scan.precise);
	sw_addrs_free(&scan.conservative);
	stack_objects_free(&scan.objects);
	return error;
}
