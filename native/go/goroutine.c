/* runtime.allgs. */
#include "go/runtime.h"

enum {
	MAX_GOROUTINES = 1 << 26,
	SCAN_BIT = 0x1000,
	FORGET_AFTER = 1 << 16, /* goroutines after which the pages read are given back */
};

static bool read_gobuf(const struct sw_go *go, struct sw_goroutine *g)
{
	sw_addr sched = g->address + go->layout.g.sched;
	return sw_memory_u64(go->memory, sched + go->layout.gobuf.pc, &g->sched_pc) &&
	       sw_memory_u64(go->memory, sched + go->layout.gobuf.sp, &g->sched_sp) &&
	       sw_memory_u64(go->memory, sched + go->layout.gobuf.lr, &g->sched_lr) &&
	       sw_memory_u64(go->memory, sched + go->layout.gobuf.bp, &g->sched_bp) &&
	       sw_memory_u64(go->memory, sched + go->layout.gobuf.ctxt, &g->sched_ctxt);
}

static bool read_g(const struct sw_go *go, struct sw_goroutine *g)
{
	const struct {
		sw_offset offset;
		uint64_t *place;
	} words[] = {
		{go->layout.g.goid, &g->goid},
		{go->layout.g.stack_lo, &g->stack_lo},
		{go->layout.g.stack_hi, &g->stack_hi},
		{go->layout.g.syscallpc, &g->syscall_pc},
		{go->layout.g.syscallsp, &g->syscall_sp},
		{go->layout.g.m, &g->m},
		{go->layout.g.gopc, &g->gopc},
		{go->layout.g.startpc, &g->startpc},
		{go->layout.g.defer, &g->defers},
		{go->layout.g.panic, &g->panics},
		{go->layout.g.waiting, &g->waiting},
		{go->layout.g.labels, &g->labels},
		{go->layout.g.lockedm, &g->lockedm},
		{go->layout.g.waitsince, (uint64_t *)&g->waitsince},
		{go->layout.g.parentGoid, &g->parent_goid},
	};
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (words[i].offset != SW_ABSENT &&
		    !sw_memory_u64(go->memory, g->address + words[i].offset, words[i].place))
			return false;
	uint32_t status;
	if (!sw_memory_u32(go->memory, g->address + go->layout.g.atomicstatus, &status) ||
	    !sw_memory_u8(go->memory, g->address + go->layout.g.waitreason, &g->wait_reason))
		return false;
	g->status = status & ~(uint32_t)SCAN_BIT;
	return read_gobuf(go, g);
}

/* runtime/proc.go newproc1, oneNewExtraM: a g is dead, no longer idle, before it is in allgs. */
static bool is_sane(const struct sw_goroutine *g)
{
	return g->status != SW_GO_IDLE && g->status <= SW_GO_DEAD_EXTRA &&
	       g->stack_lo <= g->stack_hi;
}

const struct sw_thread *sw_go_thread_of(const struct sw_go *go, sw_addr m)
{
	uint64_t tid;
	if (!sw_memory_u64(go->memory, m + go->layout.m.procid, &tid))
		return NULL;
	for (size_t i = 0; i < go->target->threads.count; i++) {
		const struct sw_thread *thread = &go->target->threads.items[i];
		if ((uint64_t)thread->tid == tid)
			return thread->is_stale ? NULL : thread;
	}
	return NULL;
}

/* The thread that g->m runs on, when that m says that it runs this g. */
static const struct sw_thread *find_thread(const struct sw_go *go, const struct sw_goroutine *g)
{
	uint64_t curg;
	if (!g->m || !sw_memory_u64(go->memory, g->m + go->layout.m.curg, &curg) ||
	    curg != g->address)
		return NULL;
	return sw_go_thread_of(go, g->m);
}

static struct sw_error *add_g(struct sw_go *go, sw_addr address)
{
	struct sw_goroutine g = {.address = address};
	if (!read_g(go, &g) || !is_sane(&g)) {
		sw_warn(go->warnings, true, "damaged_goroutine", NULL,
			"the goroutine at 0x%llx cannot be read; what it holds may be missing",
			(unsigned long long)address);
		return NULL;
	}
	if (g.status == SW_GO_DEAD || g.status == SW_GO_DEAD_EXTRA)
		return NULL;
	g.thread = find_thread(go, &g);
	return sw_goroutines_add(&go->goroutines, g);
}

struct sw_error *sw_go_read_goroutines(struct sw_go *go)
{
	sw_addr array, address;
	uint64_t count;
	struct sw_error *error = NULL;

	if (!sw_memory_u64(go->memory, go->globals.allgs, &array) ||
	    !sw_memory_u64(go->memory, go->globals.allgs + 8, &count) || count > MAX_GOROUTINES)
		return sw_error_format(SW_ERR_DAMAGED, "runtime.allgs at 0x%llx is damaged",
				       (unsigned long long)go->globals.allgs);
	for (uint64_t i = 0; !error && i < count; i++) {
		/* What follows an entry that is missing is missing too; the count may be wild. */
		if (!sw_memory_u64(go->memory, array + 8 * i, &address)) {
			sw_warn(go->warnings, true, "damaged_goroutines", "was the core cut short?",
				"entries %llu to %llu of runtime.allgs cannot be read; what those "
				"goroutines hold may be missing",
				(unsigned long long)i, (unsigned long long)count - 1);
			break;
		}
		error = add_g(go, address);
		if (!error && i % 4096 == 0)
			error = sw_work_tick(go->work, "goroutines", i, count);
		if (i % FORGET_AFTER == FORGET_AFTER - 1)
			sw_target_forget_pages(go->target);
	}
	return error;
}
