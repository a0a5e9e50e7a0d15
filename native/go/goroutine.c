/* runtime.allgs. */
#include "go/runtime.h"

enum {
	MAX_GOROUTINES = 1 << 26,
	SCAN_BIT = 0x1000,
	MAX_SIZE = 4096,	/* bytes of a g */
	FORGET_AFTER = 1 << 16, /* goroutines after which the pages read are given back */
};

/* A field of a g: there are many, so it is looked up once where all of it is. */
static bool read_field(const struct sw_go *go, const struct sw_goroutine *g, const uint8_t *bytes,
		       sw_offset offset, void *out, sw_offset size)
{
	if (bytes && (uint64_t)offset + size <= go->layout.g.size) {
		memcpy(out, bytes + offset, size);
		return true;
	}
	return sw_memory_read(go->memory, g->address + offset, out, size);
}

static bool read_g(const struct sw_go *go, struct sw_goroutine *g)
{
	const __typeof__(go->layout.g) *fields = &go->layout.g;
	const __typeof__(go->layout.gobuf) *sched = &go->layout.gobuf;
	const struct {
		sw_offset offset;
		void *place;
	} words[] = {
		{fields->goid, &g->goid},
		{fields->stack_lo, &g->stack_lo},
		{fields->stack_hi, &g->stack_hi},
		{fields->syscallpc, &g->syscall_pc},
		{fields->syscallsp, &g->syscall_sp},
		{fields->m, &g->m},
		{fields->gopc, &g->gopc},
		{fields->startpc, &g->startpc},
		{fields->defer, &g->defers},
		{fields->panic, &g->panics},
		{fields->waiting, &g->waiting},
		{fields->labels, &g->labels},
		{fields->lockedm, &g->lockedm},
		{fields->waitsince, &g->waitsince},
		{fields->parentGoid, &g->parent_goid},
		{fields->sched + sched->pc, &g->sched_pc},
		{fields->sched + sched->sp, &g->sched_sp},
		{fields->sched + sched->lr, &g->sched_lr},
		{fields->sched + sched->bp, &g->sched_bp},
		{fields->sched + sched->ctxt, &g->sched_ctxt},
	};
	const uint8_t *bytes = fields->size < MAX_SIZE
				       ? sw_memory_view(go->memory, g->address, fields->size)
				       : NULL;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (words[i].offset != SW_ABSENT &&
		    !read_field(go, g, bytes, words[i].offset, words[i].place, 8))
			return false;
	if (!read_field(go, g, bytes, fields->atomicstatus, &g->status, 4) ||
	    !read_field(go, g, bytes, fields->waitreason, &g->wait_reason, 1))
		return false;
	g->status &= ~(uint32_t)SCAN_BIT;
	return true;
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
	struct sw_goroutine g = {.address = address, .root = SW_NO_ROOT};
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
