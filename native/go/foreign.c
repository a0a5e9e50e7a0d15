#include "go/foreign.h"

#include "go/pclntab.h"

#include <inttypes.h>

enum {
	MAX_FRAMES = 1 << 14, /* of C, of one goroutine */
	CROSSCALL2_DELTA_AMD64 = 72,
	CROSSCALL2_DELTA_ARM64 = 192,
};

struct walk {
	const struct sw_go *go;
	const struct sw_goroutine *goroutine;
	const struct sw_go_stack *stack;
	struct sw_cfi *cfi;
	struct sw_go_foreign_frames *out;
	sw_addr level; /* sp of the innermost cgocallback on the thread's own stack; 0: none */
};

static void warn(const struct walk *walk, const char *what, sw_addr at)
{
	sw_warn(walk->go->warnings, true, "c_stack",
		"the frames of Go are whole; the files of another machine are found with --sysroot",
		"the C stack of goroutine %" PRIu64
		" could be followed only in part: %s (0x%" PRIx64 ")",
		walk->goroutine->goid, what, at);
}

/* Code of Go itself: C that Go's linker has put beside it has no frame information there. */
static bool is_go(const struct sw_go *go, sw_addr pc)
{
	struct sw_go_func func;
	return sw_go_find_func(go, pc, &func) && sw_go_func_has_frame(go, &func);
}

/* Frames from the registers on, up to code of Go (asmcgocall, which called it) or the thread's
 * beginning. */
static struct sw_error *add_frames(struct walk *walk, struct sw_registers *registers, bool is_call,
				   uint32_t before)
{
	const struct sw_go *go = walk->go;
	enum sw_cfi_step step = SW_CFI_STEPPED;
	struct sw_error *error = NULL;
	const char *wrong = NULL;

	while (!error && step == SW_CFI_STEPPED && !is_go(go, registers->pc)) {
		struct sw_go_foreign_frame frame = {
			.before = before, .pc = registers->pc, .is_call = is_call};
		sw_registers_get(registers, sw_registers_sp_number(go->arch), &frame.sp);
		if (walk->out->count >= MAX_FRAMES) {
			wrong = "too many frames";
			break;
		}
		error = sw_go_foreign_frames_add(walk->out, frame);
		if (!error)
			step = sw_cfi_step(walk->cfi, registers, &is_call, &wrong);
	}
	if (wrong)
		warn(walk, wrong, registers->pc);
	return error;
}

/* ---- a call of C that has not returned ---- */

static bool is_in_c(const struct sw_go *go, const struct sw_goroutine *g)
{
	uint8_t in_c;
	return g->m && sw_memory_u8(go->memory, g->m + go->layout.m.incgo, &in_c) && in_c;
}

/* A signal handler of C is followed to what it interrupted by its call frame information; one of Go
 * has none. */
static bool find_registers(const struct sw_go *go, const struct sw_goroutine *g,
			   struct sw_registers *out)
{
	if (!g->thread || g->thread->is_stale)
		return false;
	sw_registers_of_thread(go->arch, g->thread, out);
	return (out->known && !is_go(go, out->pc)) || sw_go_registers_of(go, g, out);
}

static struct sw_error *add_innermost(struct walk *walk)
{
	const struct sw_goroutine *g = walk->goroutine;
	struct sw_registers registers;

	if (!is_in_c(walk->go, g))
		return NULL;
	if (!find_registers(walk->go, g, &registers)) {
		warn(walk, "the registers of its thread are not known", g->m);
		return NULL;
	}
	/* On its way into C or out of it. */
	if (is_go(walk->go, registers.pc))
		return NULL;
	return add_frames(walk, &registers, false, 0);
}

/* ---- C that has called Go ---- */

/* m.g0.sched.sp. A goroutine that was called back keeps its thread also while it waits. */
static sw_addr first_level(const struct sw_go *go, const struct sw_goroutine *g)
{
	sw_addr m = g->m ? g->m : g->lockedm;
	uint64_t g0, sp;

	if (!m || !sw_memory_u64(go->memory, m + go->layout.m.g0, &g0) ||
	    !sw_memory_u64(go->memory, g0 + go->layout.g.sched + go->layout.gobuf.sp, &sp))
		return 0;
	return sp;
}

/* runtime/cgo's crosscall2 has saved what its caller wants back: asm_amd64.s and abi_amd64.h,
 * asm_arm64.s. On amd64 it has a frame pointer too in some releases, and what it saves as rbp is
 * its own then. */
static bool leave_crosscall2_amd64(const struct walk *walk, sw_addr sp, uint32_t delta,
				   struct sw_registers *out)
{
	static const uint8_t saved[] = {3, 12, 13, 14, 15}; /* rbx r12…r15 */
	const struct sw_memory *memory = walk->go->memory;
	uint64_t value;

	if (delta != CROSSCALL2_DELTA_AMD64 && delta != CROSSCALL2_DELTA_AMD64 + 8)
		return false;
	for (unsigned i = 0; i < sizeof(saved); i++)
		if (sw_memory_u64(memory, sp + 24 + 8 * i, &value))
			sw_registers_set(out, saved[i], value);
	if (sw_memory_u64(memory, sp + (delta == CROSSCALL2_DELTA_AMD64 ? 64 : 72), &value))
		sw_registers_set(out, 6, value); /* rbp */
	sw_registers_set(out, SW_REGISTERS_SP_AMD64, sp + delta + 8);
	return sw_memory_u64(memory, sp + delta, &out->pc);
}

static bool leave_crosscall2_arm64(const struct walk *walk, sw_addr sp, uint32_t delta,
				   struct sw_registers *out)
{
	const struct sw_memory *memory = walk->go->memory;
	sw_addr links = sp + 8 * (walk->go->minor < 19 ? 14 : 22);
	uint64_t value;

	if (delta != CROSSCALL2_DELTA_ARM64)
		return false;
	for (unsigned i = 19; i <= 28; i++)
		if (sw_memory_u64(memory, sp + 8 * (4 + i - 19), &value))
			sw_registers_set(out, i, value);
	if (sw_memory_u64(memory, links, &value))
		sw_registers_set(out, 29, value);
	sw_registers_set(out, SW_REGISTERS_SP_ARM64, sp + delta);
	return sw_memory_u64(memory, links + 8, &out->pc);
}

/* From cgocallback's frame on the thread's stack, which is as large as the one that it makes on the
 * goroutine's, to the C code that called crosscall2; or what is wrong. */
static const char *find_caller(struct walk *walk, const struct sw_go_frame *frame,
			       struct sw_registers *out)
{
	const struct sw_go *go = walk->go;
	bool is_arm = go->arch == SW_ARCH_ARM64;
	struct sw_go_func func;
	int32_t delta;
	uint64_t pc;

	if (!walk->level || walk->level % 8)
		return "where the thread's own stack goes on is not known";
	if (!sw_go_func_sp_delta(go, &frame->func, frame->pc, &delta) || delta < 0)
		return "a damaged table of frame sizes";
	sw_addr sp = walk->level + (uint32_t)delta + (is_arm ? 0 : 8);
	if (!sw_memory_u64(go->memory, is_arm ? walk->level : sp - 8, &pc) ||
	    !sw_go_find_func(go, pc, &func) || strcmp(sw_go_func_name(&func), "crosscall2") != 0 ||
	    !sw_go_func_sp_delta(go, &func, pc, &delta))
		return "no call from C is where the runtime says";
	memset(out, 0, sizeof(*out));
	if (is_arm ? !leave_crosscall2_arm64(walk, sp, (uint32_t)delta, out)
		   : !leave_crosscall2_amd64(walk, sp, (uint32_t)delta, out))
		return "a call from C of a kind that is not known";
	return NULL;
}

static struct sw_error *add_callers(struct walk *walk, uint32_t number)
{
	const struct sw_go *go = walk->go;
	struct sw_registers registers;
	uint64_t next;
	const char *wrong = find_caller(walk, &walk->stack->frames.items[number], &registers);

	if (wrong) {
		warn(walk, wrong, walk->level);
		return NULL;
	}
	/* cgocall.go unwindm: what it was before this callback. */
	if (!sw_memory_u64(go->memory, walk->level + (go->arch == SW_ARCH_ARM64 ? 16 : 0), &next) ||
	    next <= walk->level)
		next = 0;
	walk->level = next;
	return add_frames(walk, &registers, true, number + 1);
}

struct sw_error *sw_go_foreign_frames(const struct sw_go *go, const struct sw_goroutine *goroutine,
				      const struct sw_go_stack *stack, struct sw_cfi *cfi,
				      struct sw_go_foreign_frames *out)
{
	struct walk walk = {go, goroutine, stack, cfi, out, first_level(go, goroutine)};
	struct sw_error *error = add_innermost(&walk);

	for (uint32_t i = 0; !error && i < stack->frames.count; i++)
		if (stack->frames.items[i].func.id == go->layout.func_id.cgocallback)
			error = add_callers(&walk, i);
	return error;
}
