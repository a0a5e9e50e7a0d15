/* sched, the Ps and the run queues. */
#include "go/scheduler.h"

#include "base/chain.h"
#include "go/clock.h"
#include "go/field.h"

enum {
	MAX_PS = 1 << 16,
	RUN_QUEUE = 256, /* p.runq */
	MAX_TIMERS = 1 << 28,
	LAST_MINOR_WITH_TIMER_POINTERS = 22, /* p.timers is []*timer; then []timerWhen */
	TIMER_WHEN = 8, /* of timer (until then) and of timerWhen: time.go, 1.18–1.27 */
};

/* ---- sched ---- */

static void read_sched(const struct sw_go *go, struct sw_go_scheduler *out)
{
	const __typeof__(go->layout.schedt) *fields = &go->layout.schedt;
	sw_addr at = go->globals.sched;

	out->has_sched = at != 0;
	if (!at)
		return;
	out->goidgen = sw_go_word_at(go, at, fields->goidgen);
	out->lastpoll = (int64_t)sw_go_word_at(go, at, fields->lastpoll);
	out->nmidle = (int32_t)sw_go_half_at(go, at, fields->nmidle);
	out->nmidlelocked = (int32_t)sw_go_half_at(go, at, fields->nmidlelocked);
	out->nmsys = (int32_t)sw_go_half_at(go, at, fields->nmsys);
	out->maxmcount = (int32_t)sw_go_half_at(go, at, fields->maxmcount);
	out->threads = (int64_t)(sw_go_word_at(go, at, fields->mnext) -
				 sw_go_word_at(go, at, fields->nmfreed));
	out->ngsys = (int32_t)sw_go_half_at(go, at, fields->ngsys);
	out->npidle = (int32_t)sw_go_half_at(go, at, fields->npidle);
	out->nmspinning = (int32_t)sw_go_half_at(go, at, fields->nmspinning);
	out->runqsize = (int32_t)sw_go_half_at(go, at, fields->runqsize);
	out->is_stopping = sw_go_flag_at(go, at, fields->gcwaiting);
	out->stopwait = (int32_t)sw_go_half_at(go, at, fields->stopwait);
	out->sysmon_sleeps = sw_go_flag_at(go, at, fields->sysmonwait);
}

/* ---- Ps ---- */

/* The first in its heap is the next one. */
static void read_timers(const struct sw_go *go, struct sw_go_p *p)
{
	sw_addr slice = p->address + go->layout.p.timers;
	sw_addr first = sw_go_word_at(go, slice, 0);
	uint64_t count = sw_go_word_at(go, slice, 8);

	if (!first || !count || count > MAX_TIMERS)
		return;
	p->timers = count;
	if (go->minor <= LAST_MINOR_WITH_TIMER_POINTERS)
		first = sw_go_word_at(go, first, 0);
	int64_t when = (int64_t)sw_go_word_at(go, first, TIMER_WHEN);
	p->next_timer = when > 0 ? when : 0;
}

static struct sw_go_p read_p(const struct sw_go *go, sw_addr address, bool is_alive)
{
	const __typeof__(go->layout.p) *fields = &go->layout.p;
	struct sw_go_p p = {
		.address = address,
		.id = sw_go_half_at(go, address, fields->id),
		.status = is_alive ? sw_go_half_at(go, address, fields->status) : SW_GO_P_DEAD,
		.m = SW_GO_NONE,
		.goroutine = SW_GO_NONE,
		.schedtick = sw_go_half_at(go, address, fields->schedtick),
		.syscalltick = sw_go_half_at(go, address, fields->syscalltick),
		.worker_mode = (uint32_t)sw_go_word_at(go, address, fields->gcMarkWorkerMode),
		.assist_ns = (int64_t)sw_go_word_at(go, address, fields->gcAssistTime),
		.preempt = sw_go_flag_at(go, address, fields->preempt),
	};
	read_timers(go, &p);
	return p;
}

/* Those behind the slice's length are left from when GOMAXPROCS was larger (proc.go procresize). */
static struct sw_error *read_ps(const struct sw_go *go, struct sw_warnings *warnings,
				struct sw_go_scheduler *out)
{
	sw_addr list = sw_go_word_at(go, go->globals.allp, 0);
	uint64_t count = sw_go_word_at(go, go->globals.allp, 8);
	uint64_t capacity = sw_go_word_at(go, go->globals.allp, 16);
	struct sw_error *error = NULL;

	for (uint64_t i = 0; !error && i < capacity && i < MAX_PS; i++) {
		sw_addr p = sw_go_word_at(go, list, (sw_offset)(8 * i));
		if (p && sw_go_half_at(go, p, go->layout.p.id) == i &&
		    sw_memory_view(go->memory, p, go->layout.p.size))
			error = sw_go_ps_add(&out->ps, read_p(go, p, i < count));
		else if (i < count)
			sw_warn(warnings, true, "damaged_p", NULL,
				"P %llu cannot be read; what waits to run there is missing",
				(unsigned long long)i);
	}
	return error;
}

/* An M that is woken up is told its P, which is idle until then (proc.go startm). */
static void give(struct sw_go_scheduler *scheduler)
{
	for (size_t i = 0; i < scheduler->ms.count; i++) {
		uint32_t next = sw_go_find_p(scheduler, scheduler->ms.items[i].nextp);
		if (next == SW_GO_NONE || scheduler->ps.items[next].m != SW_GO_NONE)
			continue;
		scheduler->ps.items[next].m = (uint32_t)i;
		scheduler->ps.items[next].is_given = true;
	}
}

/* The M in a system call that a P of 1.18–1.25 would go back to: it has let go of the P, which
 * others may take; who does moves syscalltick on (proc.go reentersyscall, retake). */
static void find_caller(const struct sw_go *go, struct sw_go_scheduler *scheduler,
			struct sw_go_p *p)
{
	for (size_t i = 0; i < scheduler->ms.count; i++) {
		struct sw_go_m *m = &scheduler->ms.items[i];
		if (m->p || (m->state != SW_GO_M_SYSCALL && m->state != SW_GO_M_CGO) ||
		    sw_go_word_at(go, m->address, go->layout.m.oldp) != p->address ||
		    sw_go_half_at(go, m->address, go->layout.m.syscalltick) != p->syscalltick)
			continue;
		m->p = p->address;
		p->m = (uint32_t)i;
		p->goroutine = m->goroutine;
		return;
	}
}

/* Whose P it is. From 1.26 on an M in a system call keeps it. */
static void connect(const struct sw_go *go, struct sw_go_scheduler *scheduler)
{
	for (size_t i = 0; i < scheduler->ps.count; i++) {
		struct sw_go_p *p = &scheduler->ps.items[i];
		if (p->status == SW_GO_P_SYSCALL) {
			find_caller(go, scheduler, p);
			continue;
		}
		p->m = sw_go_find_m(scheduler, sw_go_word_at(go, p->address, go->layout.p.m));
		if (p->m == SW_GO_NONE || scheduler->ms.items[p->m].p != p->address)
			continue;
		p->goroutine = scheduler->ms.items[p->m].goroutine;
		if (p->status == SW_GO_P_RUNNING && p->goroutine != SW_GO_NONE &&
		    go->goroutines.items[p->goroutine].status == SW_GO_SYSCALL)
			p->status = SW_GO_P_SYSCALL;
	}
	give(scheduler);
}

/* ---- run queues ---- */

static struct sw_error *enqueue(const struct sw_go_index *goroutines, sw_addr g,
				struct sw_go_scheduler *scheduler)
{
	const uint32_t *index = sw_go_index_find(goroutines, g);
	return sw_go_queue_add(&scheduler->queue,
			       (struct sw_go_queued){g, index ? *index : SW_GO_NONE});
}

static struct sw_error *read_queue(const struct sw_go *go, const struct sw_go_index *goroutines,
				   struct sw_go_p *p, struct sw_warnings *warnings,
				   struct sw_go_scheduler *scheduler)
{
	uint32_t head = sw_go_half_at(go, p->address, go->layout.p.runqhead);
	uint32_t count = sw_go_half_at(go, p->address, go->layout.p.runqtail) - head;
	sw_addr next = sw_go_word_at(go, p->address, go->layout.p.runnext);
	struct sw_error *error = NULL;

	p->queue = scheduler->queue.count;
	p->has_next = next != 0;
	if (next)
		error = enqueue(goroutines, next, scheduler);
	if (count > RUN_QUEUE) {
		sw_warn(warnings, true, "damaged_run_queue", NULL,
			"the run queue of P %u cannot be read: it would have %u goroutines", p->id,
			count);
		count = 0;
	}
	for (uint32_t i = 0; !error && i < count; i++)
		error = enqueue(goroutines,
				sw_go_word_at(go, p->address + go->layout.p.runq,
					      (sw_offset)(8 * ((head + i) % RUN_QUEUE))),
				scheduler);
	p->queued = scheduler->queue.count - p->queue;
	return error;
}

static struct sw_error *read_global_queue(const struct sw_go *go,
					  const struct sw_go_index *goroutines,
					  struct sw_warnings *warnings,
					  struct sw_go_scheduler *scheduler)
{
	sw_addr g = go->globals.sched
			    ? sw_go_word_at(go, go->globals.sched, go->layout.schedt.runq_head)
			    : 0;
	struct sw_chain chain = {0};
	struct sw_error *error = NULL;

	scheduler->global_queue = scheduler->queue.count;
	for (; !error && g; g = sw_go_word_at(go, g, go->layout.g.schedlink)) {
		if (chain.steps > go->goroutines.count || sw_chain_is_ring(&chain, g)) {
			sw_warn(warnings, true, "damaged_run_queue", NULL,
				"the global run queue does not end");
			break;
		}
		error = enqueue(goroutines, g, scheduler);
	}
	scheduler->global_queued = scheduler->queue.count - scheduler->global_queue;
	return error;
}

static struct sw_error *read_queues(const struct sw_go *go, const struct sw_go_index *goroutines,
				    struct sw_warnings *warnings, struct sw_go_scheduler *scheduler)
{
	struct sw_error *error = NULL;
	for (size_t i = 0; !error && i < scheduler->ps.count; i++)
		error = read_queue(go, goroutines, &scheduler->ps.items[i], warnings, scheduler);
	return error ? error : read_global_queue(go, goroutines, warnings, scheduler);
}

/* Locked to an M that was given a P to run it (proc.go startlockedm). */
static bool is_handed_over(const struct sw_go_scheduler *scheduler, const struct sw_goroutine *g)
{
	uint32_t m = sw_go_find_m(scheduler, g->lockedm);
	return m != SW_GO_NONE && scheduler->ms.items[m].nextp;
}

/* Each goroutine that may run is in one place. */
static struct sw_error *count_places(const struct sw_go *go, struct sw_go_scheduler *scheduler)
{
	bool *is_queued = calloc(go->goroutines.count + 1, sizeof(*is_queued));
	if (!is_queued)
		return sw_error_memory();
	for (size_t i = 0; i < scheduler->queue.count; i++) {
		uint32_t index = scheduler->queue.items[i].goroutine;
		if (index == SW_GO_NONE || go->goroutines.items[index].status != SW_GO_RUNNABLE) {
			scheduler->queued_not_runnable++;
			continue;
		}
		scheduler->queued_twice += is_queued[index];
		is_queued[index] = true;
	}
	for (size_t i = 0; i < go->goroutines.count; i++) {
		const struct sw_goroutine *g = &go->goroutines.items[i];
		if (g->status != SW_GO_RUNNABLE)
			continue;
		scheduler->runnable++;
		if (!is_queued[i] && is_handed_over(scheduler, g))
			scheduler->handed_over++;
		else
			scheduler->unqueued += !is_queued[i];
	}
	free(is_queued);
	return NULL;
}

/* ---- counted twice ---- */

static void tally(struct sw_go_scheduler *scheduler, const char *name, int64_t kept,
		  int64_t counted)
{
	scheduler->tallies[scheduler->tally_count++] = (struct sw_go_tally){name, kept, counted};
}

static void compare(struct sw_go_scheduler *scheduler)
{
	int64_t idle_ms = 0, spinning = 0, idle_ps = 0;

	for (size_t i = 0; i < scheduler->ms.count; i++) {
		idle_ms += scheduler->ms.items[i].is_listed_idle;
		spinning += scheduler->ms.items[i].is_spinning;
	}
	for (size_t i = 0; i < scheduler->ps.count; i++)
		idle_ps += scheduler->ps.items[i].status == SW_GO_P_IDLE &&
			   !scheduler->ps.items[i].is_given;
	tally(scheduler, "runnable goroutines in run queues",
	      (int64_t)(scheduler->runnable - scheduler->handed_over),
	      (int64_t)(scheduler->queue.count - scheduler->queued_not_runnable -
			scheduler->queued_twice));
	if (!scheduler->has_sched)
		return;
	tally(scheduler, "global run queue", scheduler->runqsize,
	      (int64_t)scheduler->global_queued);
	tally(scheduler, "idle Ps", scheduler->npidle, idle_ps);
	if (!scheduler->has_all_ms)
		return;
	tally(scheduler, "Ms", scheduler->threads, (int64_t)scheduler->ms.count);
	tally(scheduler, "idle Ms", scheduler->nmidle, idle_ms);
	tally(scheduler, "spinning Ms", scheduler->nmspinning, spinning);
}

/* ---- what happened when ---- */

static void count_created(const struct sw_go *go, struct sw_go_scheduler *scheduler)
{
	const __typeof__(go->layout.p) *fields = &go->layout.p;
	bool is_counted = fields->goroutinesCreated != SW_ABSENT;
	uint64_t count = is_counted ? sw_go_word_at(go, go->globals.sched,
						    go->layout.schedt.goroutinesCreated)
				    : scheduler->goidgen;

	for (size_t i = 0; i < scheduler->ps.count; i++) {
		sw_addr p = scheduler->ps.items[i].address;
		uint64_t unused = sw_go_word_at(go, p, fields->goidcacheend) -
				  sw_go_word_at(go, p, fields->goidcache);
		if (is_counted)
			count += sw_go_word_at(go, p, fields->goroutinesCreated);
		else if (unused <= count)
			count -= unused;
	}
	scheduler->goroutines_created = count;
}

/* ---- */

static struct sw_error *index_goroutines(const struct sw_go *go, struct sw_go_index *out)
{
	struct sw_error *error = NULL;
	for (size_t i = 0; !error && i < go->goroutines.count; i++)
		error = sw_go_index_set(out, go->goroutines.items[i].address, (uint32_t)i);
	return error;
}

struct sw_error *sw_go_read_scheduler(struct sw_go *go, struct sw_warnings *warnings,
				      struct sw_go_scheduler *out)
{
	struct sw_go_index goroutines = {0};

	memset(out, 0, sizeof(*out));
	struct sw_error *error = sw_go_find_scheduler(go, warnings);
	if (!error)
		error = index_goroutines(go, &goroutines);
	if (!error) {
		read_sched(go, out);
		error = read_ps(go, warnings, out);
	}
	if (!error)
		error = sw_go_read_ms(go, &goroutines, warnings, out);
	if (!error)
		error = read_queues(go, &goroutines, warnings, out);
	if (!error)
		error = count_places(go, out);
	sw_go_index_free(&goroutines);
	if (error) {
		sw_go_scheduler_free(out);
		return error;
	}
	connect(go, out);
	compare(out);
	if (out->has_sched)
		count_created(go, out);
	out->latest = sw_go_now(go);
	if (out->lastpoll > out->latest)
		out->latest = out->lastpoll;
	return NULL;
}

void sw_go_scheduler_free(struct sw_go_scheduler *scheduler)
{
	sw_go_ps_free(&scheduler->ps);
	sw_go_ms_free(&scheduler->ms);
	sw_go_queue_free(&scheduler->queue);
	sw_go_index_free(&scheduler->m_index);
}

uint32_t sw_go_find_m(const struct sw_go_scheduler *scheduler, sw_addr m)
{
	const uint32_t *index = sw_go_index_find(&scheduler->m_index, m);
	return index ? *index : SW_GO_NONE;
}

uint32_t sw_go_find_p(const struct sw_go_scheduler *scheduler, sw_addr p)
{
	for (size_t i = 0; p && i < scheduler->ps.count; i++)
		if (scheduler->ps.items[i].address == p)
			return (uint32_t)i;
	return SW_GO_NONE;
}

const char *sw_go_p_status_word(uint32_t status)
{
	static const char *const words[SW_GO_P_STATUSES] = {"idle", "running", "syscall", "gcstop",
							    "dead"};
	return status < SW_GO_P_STATUSES ? words[status] : "?";
}

const char *sw_go_m_state_word(enum sw_go_m_state state)
{
	static const char *const words[SW_GO_M_STATES] = {
		"runs a goroutine",
		"in a system call",
		"in cgo",
		"schedules",
		"spins",
		"polls the network",
		"idle",
		"waits for its goroutine",
		"sysmon",
		"template thread",
		"extra",
		"wakes up",
		"changes",
	};
	return state < SW_GO_M_STATES ? words[state] : "?";
}
