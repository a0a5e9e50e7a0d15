/* Ps, Ms, timers, run queues that contradict themselves. */
#include "cases.h"

enum { RUN_QUEUE = 256 }; /* runtime2.go p.runq */

static void poke_ps(struct subject *subject, const struct areas *areas, sw_offset offset,
		    uint64_t word, unsigned size)
{
	poke_all(subject, areas, "p", offset, word, size);
}

static void poke_sched(struct subject *subject, const struct areas *areas, sw_offset offset,
		       uint64_t word)
{
	if (areas->globals.sched && offset != SW_ABSENT)
		subject_poke64(subject, areas->globals.sched + offset, word);
}

/* ---- run queues ---- */

static void run_queue_beyond(struct subject *subject, const struct areas *areas)
{
	poke_ps(subject, areas, areas->layout.p.runqhead, 1u << 31, 4);
	poke_ps(subject, areas, areas->layout.p.runqtail, 0, 4);
}

static void run_queue_backward(struct subject *subject, const struct areas *areas)
{
	poke_ps(subject, areas, areas->layout.p.runqhead, 1, 4);
	poke_ps(subject, areas, areas->layout.p.runqtail, 0, 4);
}

static void run_queue_of_one(struct subject *subject, const struct areas *areas)
{
	const struct area *p, *g = area_at(areas, "g", 0);

	poke_ps(subject, areas, areas->layout.p.runqhead, UINT32_MAX - 7, 4);
	poke_ps(subject, areas, areas->layout.p.runqtail, RUN_QUEUE - 8, 4);
	poke_ps(subject, areas, areas->layout.p.runnext, g->addr, 8);
	for (size_t i = 0; (p = area_at(areas, "p", i)); i++)
		for (uint64_t k = 0; k < RUN_QUEUE; k++)
			subject_poke64(subject, p->addr + areas->layout.p.runq + 8 * k, g->addr);
}

static void run_queue_of_ps(struct subject *subject, const struct areas *areas)
{
	const struct area *p;

	poke_ps(subject, areas, areas->layout.p.runqhead, 0, 4);
	poke_ps(subject, areas, areas->layout.p.runqtail, RUN_QUEUE, 4);
	for (size_t i = 0; (p = area_at(areas, "p", i)); i++)
		for (uint64_t k = 0; k <= RUN_QUEUE; k++)
			subject_poke64(subject, p->addr + areas->layout.p.runq + 8 * k, p->addr);
}

static void global_queue_self(struct subject *subject, const struct areas *areas)
{
	poke_sched(subject, areas, areas->layout.schedt.runq_head, area_at(areas, "g", 0)->addr);
	make_cycle(subject, areas, "g", areas->layout.g.schedlink, true);
}

static void global_queue_ring(struct subject *subject, const struct areas *areas)
{
	poke_sched(subject, areas, areas->layout.schedt.runq_head, area_at(areas, "g", 0)->addr);
	link_items(subject, areas, "g", areas->layout.g.schedlink, 1);
}

static void global_queue_of_sched(struct subject *subject, const struct areas *areas)
{
	poke_sched(subject, areas, areas->layout.schedt.runq_head, areas->globals.sched);
}

/* ---- Ps ---- */

/* A long list of one P, over memory of the program's own. */
static void allp_same(struct subject *subject, const struct areas *areas)
{
	const struct area_kind *heap = areas_kind(areas, "heap");
	const struct area *p = area_at(areas, "p", 0), *longest = &heap->areas.items[0];

	for (size_t i = 0; i < heap->areas.count; i++)
		if (heap->areas.items[i].size > longest->size)
			longest = &heap->areas.items[i];
	for (uint64_t at = 0; at + 8 <= longest->size; at += 8)
		subject_poke64(subject, longest->addr + at, p->addr);
	uint64_t list[3] = {longest->addr, longest->size / 8, longest->size / 8};
	if (list[1] > 1 << 16)
		list[1] = list[2] = 1 << 16;
	subject_poke(subject, areas->globals.allp, list, sizeof(list));
}

static void allp_long(struct subject *subject, const struct areas *areas)
{
	subject_poke64(subject, areas->globals.allp + 8, INT64_MAX);
}

static void allp_in_itself(struct subject *subject, const struct areas *areas)
{
	const struct area *list = area_at(areas, "allp", 0);

	for (uint64_t at = 0; at < list->size; at += 8)
		subject_poke64(subject, list->addr + at, list->addr);
}

static void p_states_wild(struct subject *subject, const struct areas *areas)
{
	poke_ps(subject, areas, areas->layout.p.status, 77, 4);
	poke_ps(subject, areas, areas->layout.p.gcMarkWorkerMode, INT64_MAX, 8);
}

static void p_numbers_wild(struct subject *subject, const struct areas *areas)
{
	poke_ps(subject, areas, areas->layout.p.gcAssistTime, 1ull << 63, 8);
	poke_ps(subject, areas, areas->layout.p.goidcache, UINT64_MAX, 8);
	poke_ps(subject, areas, areas->layout.p.goidcacheend, 1, 8);
	poke_ps(subject, areas, areas->layout.p.schedwhen, INT64_MAX, 8);
}

static void p_times_negative(struct subject *subject, const struct areas *areas)
{
	poke_ps(subject, areas, areas->layout.p.gcAssistTime, UINT64_MAX, 8);
	poke_ps(subject, areas, areas->layout.p.schedwhen, 1ull << 63, 8);
}

/* ---- timers: slices of runtime.timer until 1.22, then of {timer, when} ---- */

static void timers_long(struct subject *subject, const struct areas *areas)
{
	const struct area *slice;

	for (size_t i = 0; (slice = area_at(areas, "timer slice", i)); i++)
		subject_poke64(subject, slice->addr + 8, (1 << 28) - 1);
}

static void timers_endless(struct subject *subject, const struct areas *areas)
{
	const struct area *slice;

	for (size_t i = 0; (slice = area_at(areas, "timer slice", i)); i++)
		subject_poke64(subject, slice->addr + 8, UINT64_MAX);
}

static void timers_of_one(struct subject *subject, const struct areas *areas)
{
	const struct area *timers, *timer = area_at(areas, "timer", 0);

	for (size_t i = 0; timer && (timers = area_at(areas, "timers", i)); i++)
		for (uint64_t at = 0; at + 8 <= timers->size; at += 8)
			subject_poke64(subject, timers->addr + at, timer->addr);
}

static void timers_of_themselves(struct subject *subject, const struct areas *areas)
{
	const struct area *timers;

	for (size_t i = 0; (timers = area_at(areas, "timers", i)); i++)
		for (uint64_t at = 0; at + 8 <= timers->size; at += 8)
			subject_poke64(subject, timers->addr + at, timers->addr);
}

/* runtime.timerWhen: timer, when; until 1.22 timer: pp, when, … */
static void timers_of_ages(struct subject *subject, const struct areas *areas)
{
	const struct area *timer;

	poke_all(subject, areas, "timers", 8, 1ull << 63, 8);
	for (size_t i = 0; (timer = area_at(areas, "timer", i)); i++)
		for (uint64_t at = 8; at < 32; at += 8)
			subject_poke64(subject, timer->addr + at, 1ull << 63);
}

/* ---- Ms ---- */

static void allm_self(struct subject *subject, const struct areas *areas)
{
	make_cycle(subject, areas, "m", areas->layout.m.alllink, true);
}

static void allm_ring(struct subject *subject, const struct areas *areas)
{
	make_cycle(subject, areas, "m", areas->layout.m.alllink, false);
}

static void m_idle_self(struct subject *subject, const struct areas *areas)
{
	poke_sched(subject, areas, areas->layout.schedt.midle, area_at(areas, "m", 0)->addr);
	make_cycle(subject, areas, "m", areas->layout.m.idle_next, true);
}

static void m_idle_ring(struct subject *subject, const struct areas *areas)
{
	poke_sched(subject, areas, areas->layout.schedt.midle, area_at(areas, "m", 0)->addr);
	link_items(subject, areas, "m", areas->layout.m.idle_next, 1);
}

/* All of them run one goroutine, with one P. */
static void m_all_same(struct subject *subject, const struct areas *areas)
{
	const struct area *g = area_at(areas, "g", 0), *p = area_at(areas, "p", 0);

	poke_all(subject, areas, "m", areas->layout.m.curg, g->addr, 8);
	poke_all(subject, areas, "m", areas->layout.m.lockedg, g->addr, 8);
	poke_all(subject, areas, "m", areas->layout.m.p, p->addr, 8);
	poke_all(subject, areas, "m", areas->layout.m.nextp, p->addr, 8);
	poke_all(subject, areas, "m", areas->layout.m.oldp, p->addr, 8);
}

static void m_threads_same(struct subject *subject, const struct areas *areas)
{
	const struct area *m = area_at(areas, "m", 0);

	poke_all(subject, areas, "m", areas->layout.m.procid,
		 subject_peek(subject, m->addr + areas->layout.m.procid), 8);
}

static void m_of_goroutines_same(struct subject *subject, const struct areas *areas)
{
	const struct area *m = area_at(areas, "m", 0);

	poke_all(subject, areas, "g", areas->layout.g.m, m->addr, 8);
	poke_all(subject, areas, "g", areas->layout.g.lockedm, m->addr, 8);
}

/* The system stack of a thread is its goroutine's. */
static void m_g0_is_curg(struct subject *subject, const struct areas *areas)
{
	const struct area *m;

	for (size_t i = 0; (m = area_at(areas, "m", i)); i++) {
		sw_addr g = subject_peek(subject, m->addr + areas->layout.m.curg);
		subject_poke64(subject, m->addr + areas->layout.m.g0, g);
		subject_poke64(subject, m->addr + areas->layout.m.gsignal, g);
	}
}

static void m_in_c(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "m", areas->layout.m.incgo, 1, 1);
	poke_all(subject, areas, "m", areas->layout.m.ncgo, INT32_MAX, 4);
}

/* ---- sched ---- */

static void sched_fill(struct subject *subject, const struct areas *areas, uint64_t word)
{
	const struct area *sched = area_at(areas, "schedt", 0);

	for (uint64_t at = 0; sched && at + 8 <= sched->size; at += 8)
		subject_poke64(subject, sched->addr + at, word);
}

static void sched_lowest(struct subject *subject, const struct areas *areas)
{
	sched_fill(subject, areas, 1ull << 63);
}

static void sched_ones(struct subject *subject, const struct areas *areas)
{
	sched_fill(subject, areas, UINT64_MAX);
}

/* More were freed than have been, by as much as can be. */
static void sched_counts_apart(struct subject *subject, const struct areas *areas)
{
	poke_sched(subject, areas, areas->layout.schedt.mnext, INT64_MAX);
	poke_sched(subject, areas, areas->layout.schedt.nmfreed, 1ull << 63);
	poke_sched(subject, areas, areas->layout.schedt.lastpoll, 1ull << 63);
}

const struct damage_case scheduler_cases[] = {
	THOROUGH_CASE(run_queue_beyond),
	THOROUGH_CASE(run_queue_backward),
	THOROUGH_CASE(run_queue_of_one),
	THOROUGH_CASE(run_queue_of_ps),
	THOROUGH_CASE(global_queue_self),
	THOROUGH_CASE(global_queue_ring),
	THOROUGH_CASE(global_queue_of_sched),
	THOROUGH_CASE(allp_same),
	THOROUGH_CASE(allp_long),
	THOROUGH_CASE(allp_in_itself),
	THOROUGH_CASE(p_states_wild),
	THOROUGH_CASE(p_numbers_wild),
	THOROUGH_CASE(p_times_negative),
	THOROUGH_CASE(timers_long),
	THOROUGH_CASE(timers_endless),
	THOROUGH_CASE(timers_of_one),
	THOROUGH_CASE(timers_of_themselves),
	THOROUGH_CASE(timers_of_ages),
	THOROUGH_CASE(allm_self),
	THOROUGH_CASE(allm_ring),
	THOROUGH_CASE(m_idle_self),
	THOROUGH_CASE(m_idle_ring),
	THOROUGH_CASE(m_all_same),
	THOROUGH_CASE(m_threads_same),
	THOROUGH_CASE(m_of_goroutines_same),
	THOROUGH_CASE(m_g0_is_curg),
	THOROUGH_CASE(m_in_c),
	THOROUGH_CASE(sched_lowest),
	THOROUGH_CASE(sched_ones),
	THOROUGH_CASE(sched_counts_apart),
	{0},
};
