/* The frames of a goroutine's stack as a collection that starts now would walk them
 * (runtime/traceback.go unwinder, 1.18–1.27), and what is known of a pc. */
#include "go/stack_walk.h"

#include <inttypes.h>

enum {
	PC_CACHE_BITS = 12,
	MAX_FRAMES = 1 << 24,	 /* a stack of 1 GiB, the runtime's limit, in frames of 64 bytes */
	MAX_BITS = 1 << 24,	 /* of one stack map */
	STACK_OBJECT_BYTES = 16, /* stackObjectRecord */
	MAX_OBJECTS = 1 << 20,	 /* of one frame */
};
#define MAX_STACK ((uint64_t)2 << 30) /* stack.go maxstackceiling */

/* ---- what is known of a pc ---- */

/* Direct-mapped: goroutines stand at the same few hundred places. */
struct sw_go_pc_cache {
	struct sw_go_pc pcs[1 << PC_CACHE_BITS];
};

struct sw_error *sw_go_pc_cache_create(struct sw_go_pc_cache **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? NULL : sw_error_memory();
}

void sw_go_pc_cache_free(struct sw_go_pc_cache *cache)
{
	free(cache);
}

struct sw_go_pc *sw_go_pc_find(const struct sw_go *go, sw_addr pc, struct sw_go_pc *place)
{
	if (go->pc_cache)
		place = &go->pc_cache->pcs[pc * 0x9e3779b97f4a7c15 >> (64 - PC_CACHE_BITS)];
	if (go->pc_cache && place->pc == pc && pc)
		return place;
	memset(place, 0, sizeof(*place));
	place->pc = pc;
	place->has_func = sw_go_find_func(go, pc, &place->func);
	if (place->has_func)
		place->has_delta = sw_go_func_sp_delta(go, &place->func, pc, &place->delta);
	return place;
}

/* struct stackmap {n, nbit int32; bytedata}: bitmap `index` of n (symtab.go stackmapdata). */
static void read_bits(const struct sw_go *go, sw_addr map, int32_t index, struct sw_go_bits *out)
{
	uint32_t n, bits;
	if (!map)
		return;
	out->is_damaged = true;
	if (!sw_memory_u32(go->memory, map, &n) || !sw_memory_u32(go->memory, map + 4, &bits) ||
	    bits > MAX_BITS || index < 0 || (uint32_t)index >= n || n > INT32_MAX)
		return;
	uint64_t size = (bits + 7) / 8;
	out->count = bits;
	out->bytes = sw_memory_view(go->memory, map + 8 + size * (uint64_t)index, size ? size : 1);
	out->is_damaged = !out->bytes && bits;
}

static void read_objects(const struct sw_go *go, struct sw_go_pc *pc)
{
	sw_addr table = sw_go_func_data(go, &pc->func, SW_FUNCDATA_STACK_OBJECTS);
	uint64_t count;
	if (!table || !sw_memory_u64(go->memory, table, &count) || !count || count > MAX_OBJECTS)
		return;
	pc->objects = sw_memory_view(go->memory, table + 8, count * STACK_OBJECT_BYTES);
	pc->object_count = pc->objects ? count : 0;
}

void sw_go_pc_maps(const struct sw_go *go, struct sw_go_pc *pc)
{
	int32_t index = -1;
	bool is_readable = true;

	if (pc->has_maps || !pc->has_func)
		return;
	pc->has_maps = true;
	/* The pc is a return address: the map in force is that of the call before it. A function
	 * at its very start is in the state of the entry map. */
	if (pc->pc != pc->func.entry)
		is_readable = sw_go_func_pcdata(go, &pc->func, SW_PCDATA_STACK_MAP_INDEX,
						pc->pc - 1, &index);
	if (index == -1)
		index = 0;
	if (!is_readable)
		index = INT32_MIN;
	read_bits(go, sw_go_func_data(go, &pc->func, SW_FUNCDATA_ARGS), index, &pc->args);
	read_bits(go, sw_go_func_data(go, &pc->func, SW_FUNCDATA_LOCALS), index, &pc->locals);
	read_objects(go, pc);
}

/* ---- the stack's bytes ---- */

void sw_go_walk_damaged(struct sw_go_walk *walk, const char *what, sw_addr at)
{
	walk->out->is_partial = true;
	sw_warn(walk->go->warnings, true, "damaged_stack",
		"what could not be walked was searched for anything that looks like a pointer",
		"the stack of goroutine %" PRIu64 " could not be walked as a whole: %s (0x%" PRIx64
		")",
		walk->goroutine->goid, what, at);
}

/* Where the bytes that the target has from `low` on without a gap end, at most at `high`. */
static sw_addr readable_end(const struct sw_memory *memory, sw_addr low, sw_addr high)
{
	const struct sw_region *region;
	while (low < high && (region = sw_memory_region(memory, low)))
		low = region->addr + region->size;
	return low < high ? low : high;
}

/* Makes [low, stack_hi) readable, or as much of it as the target has. */
static struct sw_error *view_stack(struct sw_go_walk *walk, sw_addr low)
{
	const struct sw_memory *memory = walk->go->memory;
	sw_addr hi = walk->goroutine->stack_hi;

	walk->low = low;
	walk->high = hi;
	walk->bytes = sw_memory_view(memory, low, hi - low);
	if (walk->bytes)
		return NULL;
	walk->high = readable_end(memory, low, hi) & ~(sw_addr)7;
	if (walk->high < hi)
		sw_go_walk_damaged(walk, "a part of its memory is missing", walk->high);
	if (walk->high <= low) {
		walk->high = low;
		return NULL;
	}
	walk->bytes = sw_memory_view(memory, low, walk->high - low);
	if (walk->bytes)
		return NULL;
	walk->copy = malloc(walk->high - low);
	if (!walk->copy)
		return sw_error_memory();
	walk->bytes = walk->copy;
	return sw_memory_read(memory, low, walk->copy, walk->high - low)
		       ? NULL
		       : sw_error_format(SW_ERR_DAMAGED,
					 "the stack of goroutine %" PRIu64 " cannot be read",
					 walk->goroutine->goid);
}

/* ---- frames ---- */

/* Between two frames. */
struct step {
	bool is_innermost, is_trap, is_conservative;
	bool calls_sigpanic; /* the callee is sigpanic: this frame stopped by a fault */
	sw_addr pc, sp, lr;  /* lr 0: to be had from the stack */
};

/* Calls that the compiler makes without a stack map, because nothing can stop there; a frozen
 * image can (cmd/compile liveness hasStackMap). */
static bool is_unsafe_call(const struct sw_go_func *callee)
{
	const char *name = sw_go_func_name(callee);
	return !strncmp(name, "runtime.gcWriteBarrier", 22) || !strcmp(name, "runtime.wbZero") ||
	       !strcmp(name, "runtime.wbMove");
}

/* Is the caller's stack map of no use, because of this frame? */
static bool is_caller_conservative(const struct sw_go_walk *walk, const struct step *step,
				   const struct sw_go_func *func)
{
	const struct sw_go *go = walk->go;
	if (func->id == go->layout.func_id.asyncPreempt ||
	    func->id == go->layout.func_id.debugCallV2)
		return true;
	if (walk->goroutine->status != SW_GO_RUNNING)
		return false;
	if (step->is_innermost &&
	    (walk->start.is_systemstack || (walk->start.is_trap && (func->flag & SW_FUNC_ASM))))
		return true;
	return is_unsafe_call(func);
}

/* traceback.go resolveInternal: fp, or what is wrong. */
static const char *find_fp(const struct sw_go_walk *walk, const struct step *step,
			   const struct sw_go_pc *pc, sw_addr *fp)
{
	const struct sw_go *go = walk->go;
	if (!sw_go_func_has_frame(go, &pc->func))
		return "a function without frame information";
	if (!pc->has_delta || pc->delta < 0 || pc->delta % 8)
		return "a damaged table of frame sizes";
	uint64_t size = (uint64_t)pc->delta + (sw_go_uses_lr(go) ? 0 : 8);
	if (size > walk->high - step->sp)
		return "a frame that reaches beyond the stack";
	/* On a machine with a link register a leaf has no frame, and the last function none. */
	if (size == 0 && !step->is_innermost && !step->lr && !(pc->func.flag & SW_FUNC_TOP_FRAME))
		return "a frame of no size";
	*fp = step->sp + size;
	return NULL;
}

/* The return address: 0 at the top of the stack; or what is wrong. */
static const char *find_return(const struct sw_go_walk *walk, const struct step *step,
			       const struct sw_go_pc *pc, sw_addr fp, sw_addr *out)
{
	const struct sw_go *go = walk->go;
	bool writes_sp = pc->func.flag & SW_FUNC_SP_WRITE;

	*out = 0;
	if (pc->func.flag & SW_FUNC_TOP_FRAME)
		return NULL;
	if (writes_sp && !step->is_innermost && pc->func.id != go->layout.func_id.cgocallback)
		return "a function that switches stacks";
	*out = step->lr;
	if (sw_go_uses_lr(go)) {
		if ((!step->is_innermost || step->sp >= fp) && step->lr)
			return NULL;
		if (!sw_go_walk_word(walk, step->sp, out))
			return "a return address beyond the stack";
	} else if (!sw_go_walk_word(walk, fp - 8, out)) {
		return "a return address beyond the stack";
	}
	return *out ? NULL : "a return address of 0";
}

static void fill_frame(const struct sw_go_walk *walk, const struct step *step,
		       const struct sw_go_pc *pc, sw_addr fp, struct sw_go_frame *out)
{
	const struct sw_go *go = walk->go;

	*out = (struct sw_go_frame){
		.func = pc->func,
		.pc = step->pc,
		.continpc = step->pc,
		.sp = step->sp,
		.fp = fp,
		.varp = sw_go_uses_lr(go) ? fp : fp - 8,
		.argp = fp + sw_go_min_frame(go),
		.is_call = !step->is_trap && step->pc > pc->func.entry,
		.is_conservative = step->is_conservative ||
				   (step->is_innermost && walk->start.is_trap) ||
				   pc->func.id == go->layout.func_id.asyncPreempt ||
				   pc->func.id == go->layout.func_id.debugCallV2,
	};
	if (out->varp > out->sp) /* the saved frame pointer */
		out->varp -= 8;
	if (step->calls_sigpanic)
		out->continpc =
			pc->func.deferreturn ? pc->func.entry + pc->func.deferreturn + 1 : 0;
}

/* traceback.go (*unwinder).next; or what is wrong. */
static const char *next(const struct sw_go_walk *walk, struct step *step,
			const struct sw_go_frame *frame, sw_addr return_pc)
{
	const struct sw_go *go = walk->go;
	bool is_injected = sw_go_is_injected(go, frame->func.id);
	struct sw_go_pc place, *pc;

	*step = (struct step){
		.is_trap = is_injected,
		.is_conservative = is_caller_conservative(walk, step, &frame->func),
		.calls_sigpanic = frame->func.id == go->layout.func_id.sigpanic,
		.pc = return_pc,
		.sp = frame->fp,
	};
	if (!sw_go_uses_lr(go) || !is_injected)
		return NULL;
	/* The interrupted function's link register was pushed below it. */
	uint64_t lr;
	if (!sw_go_walk_word(walk, step->sp, &lr) || walk->high - step->sp < SW_GO_INJECTED_BYTES)
		return "a frame that reaches beyond the stack";
	step->sp += SW_GO_INJECTED_BYTES;
	pc = sw_go_pc_find(go, step->pc, &place);
	if (!pc->has_func)
		step->pc = lr;
	else if (pc->has_delta && pc->delta == 0)
		step->lr = lr;
	return NULL;
}

/* One frame, and the step to its caller; *done at the top of the stack. */
static struct sw_error *walk_frame(struct sw_go_walk *walk, struct step *step, const char **wrong,
				   bool *done)
{
	struct sw_go_pc place, *pc = sw_go_pc_find(walk->go, step->pc, &place);
	struct sw_go_frame frame;
	struct sw_error *error;
	sw_addr fp, return_pc;

	*wrong = pc->has_func ? find_fp(walk, step, pc, &fp) : "an address in no function";
	if (*wrong)
		return NULL;
	fill_frame(walk, step, pc, fp, &frame);
	*wrong = find_return(walk, step, pc, fp, &return_pc);
	error = sw_go_frames_add(&walk->out->frames, frame);
	walk->unwalked = fp;
	*done = !return_pc;
	if (!error && !*wrong && !*done)
		*wrong = next(walk, step, &frame, return_pc);
	return error;
}

static struct sw_error *walk_frames(struct sw_go_walk *walk)
{
	const struct sw_go_stack_start *start = &walk->start;
	struct step step = {.is_innermost = true,
			    .is_trap = start->is_trap,
			    .pc = start->pc,
			    .sp = start->sp,
			    .lr = start->lr};
	const char *wrong = NULL;
	bool done = false;
	struct sw_error *error = NULL;

	walk->unwalked = start->sp;
	while (!error && !done && !wrong) {
		if (walk->out->frames.count >= MAX_FRAMES)
			wrong = "too many frames";
		else
			error = walk_frame(walk, &step, &wrong, &done);
	}
	if (wrong)
		sw_go_walk_damaged(walk, wrong, step.pc);
	else
		walk->unwalked = walk->high;
	return error;
}

/* ---- the whole ---- */

static bool has_stack(const struct sw_goroutine *g)
{
	return g->status != SW_GO_IDLE && g->status != SW_GO_DEAD && g->status != SW_GO_DEAD_EXTRA;
}

static bool is_stack_sane(const struct sw_goroutine *g)
{
	return g->stack_lo && g->stack_lo < g->stack_hi && g->stack_hi - g->stack_lo <= MAX_STACK &&
	       g->stack_lo % 8 == 0 && g->stack_hi % 8 == 0;
}

static void warn_unknown_start(struct sw_go_walk *walk)
{
	const struct sw_goroutine *g = walk->goroutine;
	if (g->status != SW_GO_RUNNING) {
		sw_go_walk_damaged(walk, "its stack pointer is not in its stack", g->sched_sp);
		return;
	}
	walk->out->is_partial = true;
	sw_warn(walk->go->warnings, true, "running_goroutine",
		"its whole stack was searched for anything that looks like a pointer",
		"goroutine %" PRIu64
		" was running, and the registers of its thread do not tell where",
		g->goid);
}

static struct sw_error *walk_goroutine(struct sw_go_walk *walk)
{
	struct sw_error *error;
	sw_addr low = walk->goroutine->stack_lo;

	sw_go_stack_find_start(walk);
	if (walk->start.is_known)
		low = walk->start.sp & ~(sw_addr)7;
	else
		warn_unknown_start(walk);
	error = view_stack(walk, low);
	walk->unwalked = low;
	if (!error && walk->start.is_known && walk->low < walk->high)
		error = walk_frames(walk);
	return error;
}

struct sw_error *sw_go_unwind(const struct sw_go *go, const struct sw_goroutine *goroutine,
			      bool words, bool (*is_object)(void *context, sw_addr pointer),
			      void *context, struct sw_go_stack *out)
{
	struct sw_go_walk walk = {.go = go, .goroutine = goroutine, .out = out};
	struct sw_error *error;

	memset(out, 0, sizeof(*out));
	if (!has_stack(goroutine))
		return NULL;
	if (!is_stack_sane(goroutine)) {
		sw_go_walk_damaged(&walk, "its bounds make no sense", goroutine->stack_lo);
		return NULL;
	}
	error = walk_goroutine(&walk);
	if (!error && words)
		error = sw_go_stack_scan(&walk, is_object, context);
	free(walk.copy);
	if (error)
		sw_go_stack_free(out);
	return error;
}

void sw_go_stack_free(struct sw_go_stack *stack)
{
	sw_go_frames_free(&stack->frames);
	sw_go_stack_words_free(&stack->words);
	stack->is_partial = false;
}
