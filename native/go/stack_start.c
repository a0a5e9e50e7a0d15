/* Where a goroutine's stack walk starts. For a stopped goroutine the runtime has written it down;
 * for one that was running, the thread's registers tell, or the signal frame that the kernel
 * pushed, or what the runtime saved when it left for another stack. */
#include "go/stack_walk.h"

enum { GENERAL_AMD64 = 15, GENERAL_ARM64 = 31 };

static void take_thread(const struct sw_go *go, const struct sw_thread *thread,
			struct sw_go_registers *out)
{
	unsigned count = go->arch == SW_ARCH_ARM64 ? GENERAL_ARM64 : GENERAL_AMD64;

	*out = (struct sw_go_registers){.pc = thread->pc, .sp = thread->sp};
	if (thread->register_count < count)
		return;
	out->count = count;
	memcpy(out->general, thread->registers, count * sizeof(*out->general));
	out->vector = thread->vector;
	out->vector_size = thread->vector ? thread->vector_size : 0;
	if (go->arch == SW_ARCH_ARM64)
		out->lr = thread->registers[30];
	sw_registers_of_thread(go->arch, thread, &out->by_number);
}

/* ---- signal frames ----
 *
 * A thread that handles a signal runs on its gsignal stack, at whose top the kernel has put the
 * ucontext with the registers of what it interrupted (arch/x86/kernel/signal.c,
 * arch/arm64/kernel/signal.c; the layouts are part of the kernel's ABI). In a core that
 * GOTRACEBACK=crash made by a signal, every thread stands there. */

enum {
	UC_FLAGS = 0,
	UC_LINK = 8,
	UC_STACK_SP = 16,
	UC_STACK_FLAGS = 24,
	UC_STACK_SIZE = 32,

	AMD64_GENERAL = 40, /* r8…r15 rdi rsi rbp rbx rdx rax rcx */
	AMD64_SP = 160,
	AMD64_PC = 168,
	AMD64_CS = 184,
	AMD64_FPSTATE = 224,
	AMD64_SIZE = 304,
	AMD64_USER_CS = 0x33,
	AMD64_FX_SIZE = 512, /* struct fpstate without the extended state */
	AMD64_FX_XMM = 160,
	AMD64_FX_MAGIC = 464,
	AMD64_FX_EXTENDED = 468,

	ARM64_GENERAL = 184, /* x0…x30 */
	ARM64_SP = 432,
	ARM64_PC = 440,
	ARM64_PSTATE = 448,
	ARM64_RECORDS = 464,
	ARM64_FPSIMD_HEAD = 16,
	ARM64_FPSIMD_SIZE = 528, /* head, fpsr, fpcr, v0…v31 */
	ARM64_SIZE = ARM64_RECORDS + 4096,
};
#define AMD64_XSTATE_MAGIC 0x46505853u
#define ARM64_FPSIMD_MAGIC 0x46508001u

struct signal_stack {
	sw_addr lo, hi;
	sw_addr at; /* where `bytes` starts: the thread's sp there */
	const uint8_t *bytes;
};

static bool find_signal_stack(const struct sw_go *go, const struct sw_goroutine *goroutine,
			      sw_addr sp, struct signal_stack *out)
{
	uint64_t gsignal;
	if (!goroutine->m ||
	    !sw_memory_u64(go->memory, goroutine->m + go->layout.m.gsignal, &gsignal) || !gsignal ||
	    !sw_memory_u64(go->memory, gsignal + go->layout.g.stack_lo, &out->lo) ||
	    !sw_memory_u64(go->memory, gsignal + go->layout.g.stack_hi, &out->hi) || sp < out->lo ||
	    sp >= out->hi)
		return false;
	out->at = (sp + 7) & ~(sw_addr)7;
	out->bytes = sw_memory_view(go->memory, out->at, out->hi - out->at);
	return true;
}

/* The kernel writes down the alternate stack it chose, which is this very one: together with
 * the other fields no other bytes look like that. */
static bool is_context(const struct sw_go *go, const struct signal_stack *stack,
		       const uint8_t *context)
{
	bool is_arm = go->arch == SW_ARCH_ARM64;
	sw_addr sp = sw_load64(context + (is_arm ? ARM64_SP : AMD64_SP));

	if (sw_load64(context + UC_FLAGS) > 7 || sw_load64(context + UC_LINK) ||
	    sw_load64(context + UC_STACK_SP) != stack->lo ||
	    sw_load64(context + UC_STACK_SIZE) != stack->hi - stack->lo ||
	    sw_load32(context + UC_STACK_FLAGS) > 2)
		return false;
	if (is_arm ? (sw_load64(context + ARM64_PSTATE) & 0x1f) != 0
		   : sw_load16(context + AMD64_CS) != AMD64_USER_CS)
		return false;
	/* A signal that interrupted a signal handler is not the one. */
	return sp < stack->lo || sp >= stack->hi;
}

static void take_amd64_vector(const struct sw_go *go, sw_addr state, struct sw_go_registers *out)
{
	uint64_t size = AMD64_FX_SIZE;
	uint32_t magic, extended;

	if (sw_memory_u32(go->memory, state + AMD64_FX_MAGIC, &magic) &&
	    magic == AMD64_XSTATE_MAGIC &&
	    sw_memory_u32(go->memory, state + AMD64_FX_EXTENDED, &extended) && extended > size &&
	    extended < 1 << 16)
		size = extended;
	out->vector = sw_memory_view(go->memory, state, size);
	out->vector_size = out->vector ? size : 0;
}

/* The same registers by their DWARF numbers. */
static void number_context(const struct sw_go *go, struct sw_go_registers *out)
{
	static const uint8_t amd64[GENERAL_AMD64] = {8, 9, 10, 11, 12, 13, 14, 15,
						     5, 4, 6,  3,  1,  0,  2};
	struct sw_registers *numbered = &out->by_number;
	bool is_arm = go->arch == SW_ARCH_ARM64;

	numbered->pc = out->pc;
	for (unsigned i = 0; i < out->count; i++)
		sw_registers_set(numbered, is_arm ? i : amd64[i], out->general[i]);
	sw_registers_set(numbered, sw_registers_sp_number(go->arch), out->sp);
	if (!out->vector)
		return;
	numbered->vector = out->vector + (is_arm ? ARM64_FPSIMD_HEAD : AMD64_FX_XMM);
	numbered->vector_first = is_arm ? SW_REGISTERS_VECTOR_ARM64 : SW_REGISTERS_VECTOR_AMD64;
	numbered->vector_count = is_arm ? 32 : 16;
}

static void take_context(const struct sw_go *go, const uint8_t *context,
			 struct sw_go_registers *out)
{
	memset(out, 0, sizeof(*out));
	if (go->arch == SW_ARCH_ARM64) {
		out->count = GENERAL_ARM64;
		memcpy(out->general, context + ARM64_GENERAL, GENERAL_ARM64 * 8);
		out->sp = sw_load64(context + ARM64_SP);
		out->pc = sw_load64(context + ARM64_PC);
		out->lr = out->general[30];
		if (sw_load32(context + ARM64_RECORDS) == ARM64_FPSIMD_MAGIC) {
			out->vector = context + ARM64_RECORDS;
			out->vector_size = ARM64_FPSIMD_SIZE;
		}
	} else {
		out->count = GENERAL_AMD64;
		memcpy(out->general, context + AMD64_GENERAL, GENERAL_AMD64 * 8);
		out->sp = sw_load64(context + AMD64_SP);
		out->pc = sw_load64(context + AMD64_PC);
		take_amd64_vector(go, sw_load64(context + AMD64_FPSTATE), out);
	}
	number_context(go, out);
}

/* The registers that the thread had before it took the signal. The frame of the first signal is
 * the topmost one; leftovers of earlier signals lie below it. */
static bool find_context(const struct sw_go *go, const struct signal_stack *stack,
			 struct sw_go_registers *out)
{
	uint64_t size = go->arch == SW_ARCH_ARM64 ? ARM64_SIZE : AMD64_SIZE;
	uint64_t length = stack->hi - stack->at;

	if (!stack->bytes || length < size)
		return false;
	for (uint64_t at = (length - size) & ~(uint64_t)7;; at -= 8) {
		if (is_context(go, stack, stack->bytes + at)) {
			take_context(go, stack->bytes + at, out);
			return true;
		}
		if (at == 0)
			return false;
	}
}

/* ---- goroutines that were running ---- */

static bool is_in_func(const struct sw_go *go, sw_addr pc)
{
	struct sw_go_func func;
	return sw_go_find_func(go, pc, &func);
}

static bool is_named(const struct sw_go *go, sw_addr pc, const char *name)
{
	struct sw_go_func func;
	return sw_go_find_func(go, pc, &func) && !strcmp(sw_go_func_name(&func), name);
}

/* asm_*.s: runtime.gogo checks and jumps to gogo<>, which is named without the package. */
static bool is_gogo(const struct sw_go *go, sw_addr pc)
{
	return is_named(go, pc, "gogo") || is_named(go, pc, "runtime.gogo");
}

static void start_at(struct sw_go_stack_start *start, sw_addr pc, sw_addr sp, sw_addr lr)
{
	start->is_known = true;
	start->pc = pc;
	start->sp = sp;
	start->lr = lr;
}

/* Is it about to enter the kernel, or about to come back from there? */
static bool is_at_kernel(const struct sw_go *go, sw_addr pc)
{
	static const uint8_t syscall[] = {0x0f, 0x05}, svc[] = {0x01, 0x00, 0x00, 0xd4};
	bool is_arm = go->arch == SW_ARCH_ARM64;
	const uint8_t *call = is_arm ? svc : syscall;
	size_t size = is_arm ? sizeof(svc) : sizeof(syscall);
	const uint8_t *code = sw_memory_view(go->memory, pc - size, 2 * size);

	return code && (!memcmp(code, call, size) || !memcmp(code + size, call, size));
}

/* In assembly that calls the kernel, such as runtime.osyield and futex; and anywhere in what
 * package syscall makes its calls by: internal/runtime/syscall.Syscall6 since 1.19
 * (runtime/internal/… at first), until 1.18 and without a pointer to errno the package itself.
 * Registers hold numbers there, or what was left in them: the caller keeps what they may stand for.
 */
static bool is_at_system_call(const struct sw_go *go, sw_addr pc)
{
	static const char *const names[] = {"Syscall6", "RawSyscall", "RawSyscall6",
					    "rawSyscallNoError"};
	struct sw_go_func func;

	if (!sw_go_find_func(go, pc, &func) || !(func.flag & SW_FUNC_ASM))
		return false;
	if (is_at_kernel(go, pc))
		return true;
	const char *name = sw_go_func_name(&func), *dot = strrchr(name, '.');
	for (size_t i = 0; dot && i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(dot + 1, names[i]))
			return memmem(name, (size_t)(dot - name), "syscall", 7) != NULL;
	return false;
}

/* The thread works on the goroutine's own stack. */
static void start_on_stack(struct sw_go_walk *walk)
{
	struct sw_go_stack_start *start = &walk->start;
	const struct sw_go_registers *registers = &start->registers;
	sw_addr pc = registers->pc, sp = registers->sp, lr = registers->lr;
	uint64_t caller;

	start->is_trap = !is_at_system_call(walk->go, pc);
	if (!start->is_trap)
		start->registers.count = 0;
	if (is_gogo(walk->go, pc)) {
		/* It has switched to the stack and is about to jump to sched.pc. */
		pc = walk->goroutine->sched_pc;
	} else if (!is_in_func(walk->go, pc)) {
		/* A call of a bad address: the caller is where it stopped, as for
		 * signal_unix.go shouldPushSigpanic. */
		if (sw_go_uses_lr(walk->go)) {
			pc = lr;
			lr = 0;
		} else if (sw_memory_u64(walk->go->memory, sp, &caller)) {
			pc = caller;
			sp += 8;
		}
	}
	if (is_in_func(walk->go, pc) && sw_go_walk_holds(walk, sp))
		start_at(start, pc, sp, lr);
}

/* The thread has left the goroutine's stack for g0's: into the vDSO, or by systemstack, mcall,
 * morestack or asmcgocall, which leave g.sched as for a stopped goroutine. */
static void start_off_stack(struct sw_go_walk *walk)
{
	const struct sw_goroutine *g = walk->goroutine;
	if (!sw_go_walk_holds(walk, g->sched_sp) || !is_in_func(walk->go, g->sched_pc))
		return;
	start_at(&walk->start, g->sched_pc, g->sched_sp, g->sched_lr);
	walk->start.is_systemstack = is_named(walk->go, g->sched_pc, "runtime.systemstack_switch");
}

static bool start_at_vdso(struct sw_go_walk *walk)
{
	const struct sw_go *go = walk->go;
	const struct sw_goroutine *g = walk->goroutine;
	uint64_t pc, sp;

	if (!g->m || go->layout.m.vdsoSP == SW_ABSENT || go->layout.m.vdsoPC == SW_ABSENT ||
	    !sw_memory_u64(go->memory, g->m + go->layout.m.vdsoSP, &sp) ||
	    !sw_memory_u64(go->memory, g->m + go->layout.m.vdsoPC, &pc) ||
	    !sw_go_walk_holds(walk, sp) || !is_in_func(go, pc))
		return false;
	start_at(&walk->start, pc, sp, 0);
	return true;
}

/* Does a thread have it as the goroutine that it runs? */
static bool is_current(const struct sw_go *go, const struct sw_goroutine *g)
{
	uint64_t current;
	return g->m && sw_memory_u64(go->memory, g->m + go->layout.m.curg, &current) &&
	       current == g->address;
}

/* Those of what the thread did before it took a signal; false when they cannot be found. */
static bool take_registers(const struct sw_go *go, const struct sw_goroutine *g,
			   struct sw_go_registers *out)
{
	struct signal_stack signal;

	take_thread(go, g->thread, out);
	return !find_signal_stack(go, g, out->sp, &signal) || find_context(go, &signal, out);
}

bool sw_go_registers_of(const struct sw_go *go, const struct sw_goroutine *goroutine,
			struct sw_registers *out)
{
	struct sw_go_registers registers;

	if (!goroutine->thread || goroutine->thread->is_stale ||
	    !take_registers(go, goroutine, &registers))
		return false;
	*out = registers.by_number;
	return out->known;
}

static void start_on_thread(struct sw_go_walk *walk)
{
	struct sw_go_registers *registers = &walk->start.registers;

	if (!take_registers(walk->go, walk->goroutine, registers)) {
		registers->count = 0;
		return;
	}
	if (start_at_vdso(walk)) {
		registers->count = 0;
	} else if (sw_go_walk_holds(walk, registers->sp)) {
		start_on_stack(walk);
	} else {
		registers->count = 0;
		start_off_stack(walk);
	}
}

static void start_running(struct sw_go_walk *walk)
{
	const struct sw_goroutine *g = walk->goroutine;

	if (g->thread && !g->thread->is_stale)
		start_on_thread(walk);
	else if (!is_current(walk->go, g))
		/* A thread is about to switch to it (proc.go coroswitch_m). */
		start_off_stack(walk);
}

/* traceback.go (*unwinder).initAt. */
void sw_go_stack_find_start(struct sw_go_walk *walk)
{
	const struct sw_goroutine *g = walk->goroutine;
	struct sw_go_stack_start *start = &walk->start;
	uint64_t caller;

	memset(start, 0, sizeof(*start));
	/* On the way into a system call or out of it the thread's registers are more to be trusted
	 * than what is being written down (proc.go reentersyscall, exitsyscall). */
	if (g->status == SW_GO_RUNNING)
		start_running(walk);
	if (!start->is_known && g->syscall_sp) {
		start_at(start, g->syscall_pc, g->syscall_sp, 0);
		start->is_syscall = true;
		start->registers.count = 0;
	} else if (g->status != SW_GO_RUNNING) {
		start_at(start, g->sched_pc, g->sched_sp, g->sched_lr);
	}
	/* A call of a nil function: the caller is innermost. */
	if (start->is_known && start->pc == 0 &&
	    sw_memory_u64(walk->go->memory, start->sp, &caller)) {
		start->pc = caller;
		start->lr = 0;
		start->is_syscall = false;
		if (!sw_go_uses_lr(walk->go))
			start->sp += 8;
	}
	if (start->is_known && !sw_go_walk_holds(walk, start->sp))
		start->is_known = false;
}
