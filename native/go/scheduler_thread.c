/* The Ms: which there are, and what each does. */
#include "go/scheduler.h"

#include "base/chain.h"
#include "go/field.h"
#include "go/unwind.h"

enum {
	MAX_MS = 1 << 20,
	SCAN_BIT = 0x1000, /* of g.atomicstatus */
};

static uint32_t find(const struct sw_go_index *index, sw_addr address)
{
	const uint32_t *place = sw_go_index_find(index, address);
	return place ? *place : SW_GO_NONE;
}

/* ---- which there are ---- */

static struct sw_go_m read_m(const struct sw_go *go, const struct sw_go_index *goroutines,
			     sw_addr address)
{
	const __typeof__(go->layout.m) *fields = &go->layout.m;
	struct sw_go_m m = {
		.address = address,
		.id = (int64_t)sw_go_word_at(go, address, fields->id),
		.thread = sw_go_word_at(go, address, fields->procid),
		.state = SW_GO_M_CHANGING,
		.p = sw_go_word_at(go, address, fields->p),
		.nextp = sw_go_word_at(go, address, fields->nextp),
		.curg = sw_go_word_at(go, address, fields->curg),
		.lockedg = sw_go_word_at(go, address, fields->lockedg),
		.is_spinning = sw_go_flag_at(go, address, fields->spinning),
		.is_blocked = sw_go_flag_at(go, address, fields->blocked),
		.is_in_cgo = sw_go_flag_at(go, address, fields->incgo),
		.is_extra = sw_go_flag_at(go, address, fields->isextra),
		.is_extra_in_c = sw_go_flag_at(go, address, fields->isExtraInC),
		.cgo_calls = sw_go_word_at(go, address, fields->ncgocall),
	};
	m.goroutine = find(goroutines, m.curg);
	m.locked = find(goroutines, m.lockedg);
	return m;
}

/* Adds an M and all that are older, as far as they are not there yet. */
static struct sw_error *add_from(const struct sw_go *go, const struct sw_go_index *goroutines,
				 sw_addr first, struct sw_warnings *warnings,
				 struct sw_go_scheduler *scheduler)
{
	struct sw_error *error = NULL;

	for (sw_addr m = first; !error && m && !sw_go_index_find(&scheduler->m_index, m);
	     m = sw_go_word_at(go, m, go->layout.m.alllink)) {
		if (scheduler->ms.count == MAX_MS ||
		    !sw_memory_view(go->memory, m + go->layout.m.alllink, 8)) {
			sw_warn(warnings, true, "damaged_threads", NULL,
				"the M at 0x%llx cannot be read; it and older ones may be missing",
				(unsigned long long)m);
			break;
		}
		error = sw_go_index_set(&scheduler->m_index, m, (uint32_t)scheduler->ms.count);
		if (!error)
			error = sw_go_ms_add(&scheduler->ms, read_m(go, goroutines, m));
	}
	return error;
}

/* What Ps and goroutines know, and all that are older: Ms that are newer than those are not. */
static struct sw_error *add_known(const struct sw_go *go, const struct sw_go_index *goroutines,
				  struct sw_warnings *warnings, struct sw_go_scheduler *scheduler)
{
	struct sw_error *error = NULL;

	for (size_t i = 0; !error && i < scheduler->ps.count; i++)
		error = add_from(go, goroutines,
				 sw_go_word_at(go, scheduler->ps.items[i].address, go->layout.p.m),
				 warnings, scheduler);
	for (size_t i = 0; !error && i < go->goroutines.count; i++) {
		const struct sw_goroutine *g = &go->goroutines.items[i];
		error = add_from(go, goroutines, g->m ? g->m : g->lockedm, warnings, scheduler);
	}
	return error;
}

static int by_age(const void *a, const void *b)
{
	const struct sw_go_m *x = a, *y = b;
	return (x->id < y->id) - (x->id > y->id);
}

static struct sw_error *list_ms(const struct sw_go *go, const struct sw_go_index *goroutines,
				struct sw_warnings *warnings, struct sw_go_scheduler *scheduler)
{
	struct sw_error *error;

	scheduler->has_all_ms = go->globals.allm != 0;
	if (scheduler->has_all_ms)
		error = add_from(go, goroutines, sw_go_word_at(go, go->globals.allm, 0), warnings,
				 scheduler);
	else
		error = add_known(go, goroutines, warnings, scheduler);
	if (error || !scheduler->ms.count)
		return error;
	qsort(scheduler->ms.items, scheduler->ms.count, sizeof(*scheduler->ms.items), by_age);
	for (size_t i = 0; !error && i < scheduler->ms.count; i++)
		error = sw_go_index_set(&scheduler->m_index, scheduler->ms.items[i].address,
					(uint32_t)i);
	return error;
}

/* ---- those that are parked ---- */

static void mark_idle(const struct sw_go *go, struct sw_go_scheduler *scheduler)
{
	struct sw_chain chain = {0};
	sw_addr m = go->globals.sched
			    ? sw_go_word_at(go, go->globals.sched, go->layout.schedt.midle)
			    : 0;

	for (; m && !sw_chain_is_ring(&chain, m) && chain.steps < MAX_MS;
	     m = sw_go_word_at(go, m, go->layout.m.idle_next)) {
		uint32_t index = sw_go_find_m(scheduler, m);
		if (index != SW_GO_NONE)
			scheduler->ms.items[index].is_listed_idle = true;
	}
}

/* ---- what they do ---- */

/* The function that an M was started with, when it is one that never returns. */
static bool starts_with(const struct sw_go *go, const struct sw_go_m *m, const char *name)
{
	struct sw_go_func func;
	sw_addr closure = sw_go_word_at(go, m->address, go->layout.m.mstartfn);
	sw_addr entry = closure ? sw_go_word_at(go, closure, 0) : 0;
	return entry && sw_go_find_func(go, entry, &func) && func.entry == entry &&
	       !strcmp(sw_go_func_name(&func), name);
}

static uint32_t status_of(const struct sw_go *go, sw_addr g)
{
	uint32_t status;
	return sw_memory_u32(go->memory, g + go->layout.g.atomicstatus, &status)
		       ? status & ~(uint32_t)SCAN_BIT
		       : SW_GO_IDLE;
}

/* With a goroutine. One that is dead belongs to an M that waits for a thread of C
 * (proc.go oneNewExtraM). */
static enum sw_go_m_state with_goroutine(const struct sw_go *go, const struct sw_go_m *m)
{
	switch (status_of(go, m->curg)) {
	case SW_GO_DEAD:
	case SW_GO_DEAD_EXTRA:
		return m->is_extra || m->lockedg == m->curg ? SW_GO_M_EXTRA : SW_GO_M_CHANGING;
	case SW_GO_SYSCALL:
		return m->is_extra_in_c ? SW_GO_M_EXTRA
		       : m->is_in_cgo	? SW_GO_M_CGO
					: SW_GO_M_SYSCALL;
	case SW_GO_RUNNABLE:
	case SW_GO_IDLE:
		return SW_GO_M_CHANGING;
	}
	return SW_GO_M_RUNNING; /* also a mark worker, which "waits" while it works */
}

/* Without symbols for sched, what is parked on a note and has no P to come is idle. */
static enum sw_go_m_state without_goroutine(const struct sw_go *go, const struct sw_go_m *m)
{
	if (starts_with(go, m, "runtime.sysmon"))
		return SW_GO_M_SYSMON;
	if (starts_with(go, m, "runtime.templateThread"))
		return SW_GO_M_TEMPLATE;
	if (m->nextp)
		return SW_GO_M_WAKING;
	if (m->is_spinning)
		return SW_GO_M_SPINNING;
	if (m->is_listed_idle)
		return SW_GO_M_IDLE;
	if (m->p)
		return SW_GO_M_SCHEDULING;
	if (m->lockedg)
		return SW_GO_M_LOCKED;
	return !go->globals.sched && m->is_blocked ? SW_GO_M_IDLE : SW_GO_M_CHANGING;
}

/* ---- where their threads are ---- */

/* The system stack of an M as if it were a goroutine's. */
static bool find_g0(const struct sw_go *go, const struct sw_go_m *m, struct sw_goroutine *out)
{
	*out = (struct sw_goroutine){
		.status = SW_GO_RUNNING,
		.m = m->address,
		.address = sw_go_word_at(go, m->address, go->layout.m.g0),
		.thread = sw_go_thread_of(go, m->address),
	};
	return out->thread && out->address &&
	       sw_memory_u64(go->memory, out->address + go->layout.g.stack_lo, &out->stack_lo) &&
	       sw_memory_u64(go->memory, out->address + go->layout.g.stack_hi, &out->stack_hi);
}

/* Functions that put a thread to sleep for others: os_linux.go, lock_futex.go, proc.go, sys_*.s. */
static bool is_sleep(const char *name)
{
	static const char *const names[] = {"futex",	  "futexsleep", "futexsleep1",
					    "notesleep",  "notetsleep", "notetsleep_internal",
					    "mPark",	  "usleep",	"osyield",
					    "systemstack"};
	static const char package[] = "runtime.";

	if (strncmp(name, package, sizeof(package) - 1))
		return !strncmp(name, "internal/runtime/syscall", 24) ||
		       !strncmp(name, "runtime/internal/syscall", 24);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(name + sizeof(package) - 1, names[i]))
			return true;
	return false;
}

/* The stack need not be one that a collector could walk: nobody is warned of that. */
static struct sw_error *walk(const struct sw_go *go, const struct sw_goroutine *goroutine,
			     struct sw_go_stack *out)
{
	struct sw_warnings unheard = {0};
	struct sw_go quiet = *go;

	quiet.warnings = &unheard;
	struct sw_error *error = sw_go_unwind(&quiet, goroutine, false, NULL, NULL, out);
	sw_warnings_clear(&unheard);
	return error;
}

static bool is_own(const char *name)
{
	static const char *const others[] = {"runtime.", "runtime/", "internal/", "syscall."};
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (!strncmp(name, others[i], strlen(others[i])))
			return false;
	return true;
}

struct sw_error *sw_go_find_place(const struct sw_go *go, const struct sw_goroutine *goroutine,
				  const char **function, const char **caller)
{
	struct sw_go_stack stack;

	*function = *caller = NULL;
	struct sw_error *error = walk(go, goroutine, &stack);
	if (error)
		return error;
	for (size_t i = 0; i < stack.frames.count && !*caller; i++) {
		const char *name = sw_go_func_name(&stack.frames.items[i].func);
		if (!i)
			*function = name;
		if (is_own(name))
			*caller = name;
	}
	sw_go_stack_free(&stack);
	return NULL;
}

/* What the system stack of an M does; the one that polls has no other mark. */
static struct sw_error *find_work(const struct sw_go *go, struct sw_go_m *m)
{
	struct sw_goroutine g0;
	struct sw_go_stack stack;

	if (!find_g0(go, m, &g0))
		return NULL;
	struct sw_error *error = walk(go, &g0, &stack);
	if (error)
		return error;
	for (size_t i = 0; i < stack.frames.count; i++) {
		const char *name = sw_go_func_name(&stack.frames.items[i].func);
		if (!m->function && !is_sleep(name))
			m->function = name;
		if (m->state == SW_GO_M_CHANGING && !strcmp(name, "runtime.netpoll"))
			m->state = SW_GO_M_POLLING;
	}
	sw_go_stack_free(&stack);
	return NULL;
}

static struct sw_error *find_function(const struct sw_go *go, struct sw_go_m *m)
{
	if (m->goroutine != SW_GO_NONE)
		return sw_go_find_place(go, &go->goroutines.items[m->goroutine], &m->function,
					&m->caller);
	return m->curg ? NULL : find_work(go, m);
}

/* ---- */

static struct sw_error *count_others(const struct sw_go *go, struct sw_go_scheduler *scheduler)
{
	const struct sw_threads *threads = &go->target->threads;
	struct sw_go_index known = {0};
	struct sw_error *error = NULL;

	for (size_t i = 0; !error && i < scheduler->ms.count; i++)
		error = sw_go_index_set(&known, scheduler->ms.items[i].thread, (uint32_t)i);
	for (size_t i = 0; !error && i < threads->count; i++)
		scheduler->other_threads +=
			!sw_go_index_find(&known, (uint64_t)threads->items[i].tid);
	sw_go_index_free(&known);
	return error;
}

struct sw_error *sw_go_read_ms(const struct sw_go *go, const struct sw_go_index *goroutines,
			       struct sw_warnings *warnings, struct sw_go_scheduler *scheduler)
{
	struct sw_error *error = list_ms(go, goroutines, warnings, scheduler);

	if (!error)
		mark_idle(go, scheduler);
	for (size_t i = 0; !error && i < scheduler->ms.count; i++) {
		struct sw_go_m *m = &scheduler->ms.items[i];
		m->state = m->curg ? with_goroutine(go, m) : without_goroutine(go, m);
		error = find_function(go, m);
		if (!error && i % 256 == 0)
			error = sw_work_tick(go->work, "threads", i, scheduler->ms.count);
	}
	return error ? error : count_others(go, scheduler);
}
