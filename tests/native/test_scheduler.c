/* A scheduler of two Ps, made by hand in the layouts of two releases: what is read of it, whole and
 * damaged. */
#include "go/global.h"
#include "go/scheduler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum {
	BASE = 0x10000,
	SIZE = 1 << 20,
	NOWHERE = BASE + SIZE + 0x1000,

	SCHED = BASE,
	ALLM = BASE + 0x8000,
	ALLP = BASE + 0x8100,
	P_LIST = BASE + 0x8200,
	MEMSTATS = BASE + 0x9000,
	TIMERS = BASE + 0xf000,
	PS = BASE + 0x10000, /* 64 KiB each */
	MS = BASE + 0x40000, /* 4 KiB each */
	G0S = BASE + 0x60000,
	GS = BASE + 0x80000,
	PS_COUNT = 2,
	MS_COUNT = 6,
	GS_COUNT = 12,
	FIRST_GOID = 20,
	RUN_QUEUE = 256,
};

/* Ms by what they do; m0 is the oldest. */
enum { RUNS, IN_SYSCALL, IDLE, LOCKED, WAKES, SPINS };

struct world {
	uint8_t bytes[SIZE];
	struct sw_region region;
	struct sw_target target;
	struct sw_image image;
	struct sw_work work;
	struct sw_go go;
	struct sw_warnings warnings;
	struct sw_go_scheduler scheduler;
};

static void put64(struct world *world, sw_addr at, uint64_t word)
{
	memcpy(world->bytes + (at - BASE), &word, 8);
}

static void put32(struct world *world, sw_addr at, uint32_t word)
{
	memcpy(world->bytes + (at - BASE), &word, 4);
}

static sw_addr p_at(unsigned index)
{
	return PS + 0x10000 * (sw_addr)index;
}

static sw_addr m_at(unsigned index)
{
	return MS + 0x1000 * (sw_addr)index;
}

static sw_addr g_at(unsigned index)
{
	return GS + 0x400 * (sw_addr)index;
}

/* ---- making it ---- */

static void add_g(struct world *world, unsigned index, enum sw_go_status status)
{
	const __typeof__(world->go.layout.g) *fields = &world->go.layout.g;
	struct sw_goroutine g = {
		.address = g_at(index), .goid = FIRST_GOID + index, .status = status};

	put64(world, g.address + fields->sched + 16, g.address);
	put32(world, g.address + fields->atomicstatus, status);
	put64(world, g.address + fields->goid, g.goid);
	assert_null(sw_goroutines_add(&world->go.goroutines, g));
}

static void add_m(struct world *world, unsigned index)
{
	const __typeof__(world->go.layout.m) *fields = &world->go.layout.m;
	sw_addr m = m_at(index), g0 = G0S + 0x400 * (sw_addr)index;

	put64(world, m + fields->g0, g0);
	put64(world, g0 + world->go.layout.g.m, m);
	put64(world, m + fields->id, index);
	put64(world, m + fields->procid, 100 + index);
	put64(world, m + fields->alllink, index ? m_at(index - 1) : 0);
}

static void run_g(struct world *world, unsigned m, unsigned g)
{
	put64(world, m_at(m) + world->go.layout.m.curg, g_at(g));
	world->go.goroutines.items[g].m = m_at(m);
}

static void own(struct world *world, unsigned m, unsigned p)
{
	put64(world, m_at(m) + world->go.layout.m.p, p_at(p));
	put64(world, p_at(p) + world->go.layout.p.m, m_at(m));
	put32(world, p_at(p) + world->go.layout.p.status, SW_GO_P_RUNNING);
}

/* The queue crosses the end of its ring. */
static void queue(struct world *world, unsigned p, const unsigned *gs, unsigned count)
{
	uint32_t head = 7 * RUN_QUEUE - 2;
	put32(world, p_at(p) + world->go.layout.p.runqhead, head);
	put32(world, p_at(p) + world->go.layout.p.runqtail, head + count);
	for (unsigned i = 0; i < count; i++)
		put64(world, p_at(p) + world->go.layout.p.runq + 8 * ((head + i) % RUN_QUEUE),
		      g_at(gs[i]));
}

static void make_timers(struct world *world, unsigned p)
{
	sw_addr slice = p_at(p) + world->go.layout.p.timers;
	put64(world, slice, TIMERS);
	put64(world, slice + 8, 3);
	put64(world, TIMERS, TIMERS + 0x100);
	put64(world, TIMERS + 8, world->go.minor > 22 ? 5000 : 6000);
	put64(world, TIMERS + 0x108, 5000);
}

/* Goroutines 0 runs, 1 is in a system call, 2 waits on its thread; 3…8 are in queues, 9 and 10 were
 * handed to those that wake up. */
static void make_goroutines(struct world *world)
{
	static const enum sw_go_status first[] = {SW_GO_RUNNING, SW_GO_SYSCALL, SW_GO_WAITING};
	for (unsigned i = 0; i < GS_COUNT; i++)
		add_g(world, i, i < 3 ? first[i] : i < 10 ? SW_GO_RUNNABLE : SW_GO_WAITING);
	world->go.goroutines.items[2].lockedm = m_at(LOCKED);
	world->go.goroutines.items[9].lockedm = m_at(WAKES);
}

static void make_threads(struct world *world)
{
	const __typeof__(world->go.layout.m) *fields = &world->go.layout.m;

	for (unsigned i = 0; i < MS_COUNT; i++)
		add_m(world, i);
	put64(world, ALLM, m_at(MS_COUNT - 1));
	run_g(world, RUNS, 0);
	own(world, RUNS, 0);
	run_g(world, IN_SYSCALL, 1);
	put64(world, m_at(LOCKED) + fields->lockedg, g_at(2));
	put64(world, m_at(WAKES) + fields->lockedg, g_at(9));
	put64(world, m_at(WAKES) + fields->nextp, p_at(1));
	world->bytes[m_at(SPINS) + fields->spinning - BASE] = 1;
}

static void make_sched(struct world *world)
{
	const __typeof__(world->go.layout.schedt) *fields = &world->go.layout.schedt;

	put64(world, SCHED + fields->goidgen, 48);
	put64(world, SCHED + fields->lastpoll, 900);
	put32(world, SCHED + fields->nmidle, 1);
	put64(world, SCHED + fields->midle, m_at(IDLE));
	put64(world, SCHED + fields->mnext, MS_COUNT + 2);
	put64(world, SCHED + fields->nmfreed, 2);
	put32(world, SCHED + fields->maxmcount, 10000);
	put32(world, SCHED + fields->nmspinning, 1);
	put64(world, SCHED + fields->runq_head, g_at(7));
	put64(world, SCHED + fields->runq_tail, g_at(8));
	put32(world, SCHED + fields->runqsize, 2);
	put64(world, g_at(7) + world->go.layout.g.schedlink, g_at(8));
}

static void make_ps(struct world *world)
{
	put64(world, ALLP, P_LIST);
	put64(world, ALLP + 8, PS_COUNT);
	put64(world, ALLP + 16, PS_COUNT);
	for (unsigned i = 0; i < PS_COUNT; i++) {
		put64(world, P_LIST + 8 * i, p_at(i));
		put32(world, p_at(i) + world->go.layout.p.id, i);
		put64(world, p_at(i) + world->go.layout.p.goidcache, 33);
		put64(world, p_at(i) + world->go.layout.p.goidcacheend, 35);
		make_timers(world, i);
	}
	queue(world, 0, (const unsigned[]){4, 5, 6}, 3);
	put64(world, p_at(0) + world->go.layout.p.runnext, g_at(3));
}

static int make(void **state, unsigned minor, unsigned patch)
{
	struct world *world = calloc(1, sizeof(*world));
	struct sw_go *go = &world->go;

	assert_non_null(world);
	world->region = (struct sw_region){BASE, SIZE, world->bytes, SW_REGION_READ};
	world->target.kind = SW_TARGET_CORE;
	world->target.memory = (struct sw_memory){&world->region, 1, 1};
	sw_work_init(&world->work, 1);
	go->target = &world->target;
	go->memory = &world->target.memory;
	go->image = &world->image;
	go->work = &world->work;
	go->warnings = &world->warnings;
	go->minor = minor;
	go->release = (struct sw_layout_release){minor, patch, SW_ARCH_AMD64, NULL};
	assert_null(sw_layout_fill(&go->layout, &go->release, sw_layout_from_table, &go->release));
	go->globals = (struct sw_go_globals){
		.allp = ALLP, .memstats = MEMSTATS, .sched = SCHED, .allm = ALLM};
	make_goroutines(world);
	make_ps(world);
	make_threads(world);
	make_sched(world);
	*state = world;
	return 0;
}

static int make_old(void **state)
{
	return make(state, 18, 10);
}

static int make_new(void **state)
{
	return make(state, 27, 4);
}

static int destroy(void **state)
{
	struct world *world = *state;
	sw_go_scheduler_free(&world->scheduler);
	sw_goroutines_free(&world->go.goroutines);
	sw_warnings_clear(&world->warnings);
	free(world);
	return 0;
}

static void read_world(struct world *world)
{
	assert_null(sw_go_read_scheduler(&world->go, &world->warnings, &world->scheduler));
}

static void check_warning(const struct world *world, const char *code)
{
	assert_int_equal(world->warnings.count, 1);
	assert_string_equal(world->warnings.items[0].code, code);
	assert_true(world->warnings.items[0].incomplete);
}

/* ---- whole ---- */

static void check_queue(const struct sw_go_scheduler *scheduler, size_t at, unsigned first,
			unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(scheduler->queue.items[at + i].goroutine, first + i);
}

static void test_queues(void **state)
{
	struct world *world = *state;
	const struct sw_go_scheduler *scheduler = &world->scheduler;

	read_world(world);
	assert_int_equal(world->warnings.count, 0);
	assert_int_equal(scheduler->ps.count, 2);
	assert_int_equal(scheduler->ps.items[0].queued, 4);
	assert_true(scheduler->ps.items[0].has_next);
	check_queue(scheduler, scheduler->ps.items[0].queue, 3, 4);
	assert_int_equal(scheduler->ps.items[1].queued, 0);
	assert_int_equal(scheduler->global_queued, 2);
	check_queue(scheduler, scheduler->global_queue, 7, 2);
	assert_int_equal(scheduler->runnable, 7);
	assert_int_equal(scheduler->handed_over, 1);
	assert_int_equal(scheduler->unqueued, 0);
	assert_int_equal(scheduler->queued_twice + scheduler->queued_not_runnable, 0);
	assert_int_equal(scheduler->ps.items[0].timers, 3);
	assert_int_equal(scheduler->ps.items[0].next_timer, 5000);
	assert_int_equal(scheduler->latest, 900);
}

static void test_threads(void **state)
{
	static const enum sw_go_m_state expected[MS_COUNT] = {
		[RUNS] = SW_GO_M_RUNNING, [IN_SYSCALL] = SW_GO_M_SYSCALL,
		[IDLE] = SW_GO_M_IDLE,	  [LOCKED] = SW_GO_M_LOCKED,
		[WAKES] = SW_GO_M_WAKING, [SPINS] = SW_GO_M_SPINNING,
	};
	struct world *world = *state;
	const struct sw_go_scheduler *scheduler = &world->scheduler;

	read_world(world);
	assert_int_equal(scheduler->ms.count, MS_COUNT);
	for (unsigned i = 0; i < MS_COUNT; i++) {
		const struct sw_go_m *m = &scheduler->ms.items[MS_COUNT - 1 - i];
		assert_int_equal(m->id, i);
		assert_int_equal(m->thread, 100 + i);
		assert_int_equal(m->state, expected[i]);
		assert_int_equal(sw_go_find_m(scheduler, m->address), MS_COUNT - 1 - i);
	}
	assert_int_equal(sw_go_find_m(scheduler, 0), SW_GO_NONE);
	assert_int_equal(scheduler->ps.items[0].goroutine, 0);
	assert_true(scheduler->ps.items[1].is_given);
	assert_int_equal(scheduler->ms.items[scheduler->ps.items[1].m].id, WAKES);
	for (size_t i = 0; i < scheduler->tally_count; i++)
		assert_int_equal(scheduler->tallies[i].kept, scheduler->tallies[i].counted);
	assert_int_equal(scheduler->tally_count, 6);
}

/* In 1.18 a P in a system call knows no M; in 1.27 it has no status of its own. */
static void test_system_call(void **state)
{
	struct world *world = *state;
	const __typeof__(world->go.layout.m) *fields = &world->go.layout.m;
	const struct sw_go_p *p;

	put64(world, m_at(WAKES) + fields->nextp, 0);
	if (world->go.minor == 27) {
		own(world, IN_SYSCALL, 1);
	} else {
		put32(world, p_at(1) + world->go.layout.p.status, SW_GO_P_SYSCALL);
		put32(world, p_at(1) + world->go.layout.p.syscalltick, 17);
		put64(world, m_at(IN_SYSCALL) + fields->oldp, p_at(1));
		put32(world, m_at(IN_SYSCALL) + fields->syscalltick, 17);
	}
	read_world(world);
	p = &world->scheduler.ps.items[1];
	assert_int_equal(p->status, SW_GO_P_SYSCALL);
	assert_int_equal(world->scheduler.ms.items[p->m].id, IN_SYSCALL);
	assert_int_equal(p->goroutine, 1);
}

/* Another M has had the P since. */
static void test_system_call_of_long_ago(void **state)
{
	struct world *world = *state;

	put32(world, p_at(1) + world->go.layout.p.status, SW_GO_P_SYSCALL);
	put32(world, p_at(1) + world->go.layout.p.syscalltick, 18);
	put64(world, m_at(IN_SYSCALL) + world->go.layout.m.oldp, p_at(1));
	put32(world, m_at(IN_SYSCALL) + world->go.layout.m.syscalltick, 17);
	put64(world, m_at(WAKES) + world->go.layout.m.nextp, 0);
	read_world(world);
	assert_int_equal(world->scheduler.ps.items[1].m, SW_GO_NONE);
}

static void test_created(void **state)
{
	struct world *world = *state;

	if (world->go.minor == 27) {
		put64(world, SCHED + world->go.layout.schedt.goroutinesCreated, 30);
		put64(world, p_at(1) + world->go.layout.p.goroutinesCreated, 7);
	}
	read_world(world);
	assert_int_equal(world->scheduler.goroutines_created,
			 world->go.minor == 27 ? 37 : 48 - 2 * PS_COUNT);
}

/* ---- damaged ---- */

static void test_long_queue(void **state)
{
	struct world *world = *state;
	put32(world, p_at(0) + world->go.layout.p.runqtail, 7 * RUN_QUEUE - 2 + RUN_QUEUE + 1);
	read_world(world);
	check_warning(world, "damaged_run_queue");
	assert_int_equal(world->scheduler.ps.items[0].queued, 1); /* runnext */
	assert_int_equal(world->scheduler.unqueued, 3);
}

static void test_endless_queue(void **state)
{
	struct world *world = *state;
	put64(world, g_at(8) + world->go.layout.g.schedlink, g_at(7));
	read_world(world);
	check_warning(world, "damaged_run_queue");
	assert_in_range(world->scheduler.queued_twice, 1, GS_COUNT);
}

/* Places that hold no goroutine, and one that does not wait for its turn. */
static void test_wild_queue(void **state)
{
	struct world *world = *state;
	put64(world, p_at(0) + world->go.layout.p.runnext, NOWHERE);
	put64(world, SCHED + world->go.layout.schedt.runq_head, g_at(11));
	read_world(world);
	assert_int_equal(world->scheduler.queued_not_runnable, 2);
	assert_int_equal(world->scheduler.unqueued, 3);
}

static void test_rings(void **state)
{
	struct world *world = *state;
	put64(world, m_at(0) + world->go.layout.m.alllink, m_at(3));
	put64(world, m_at(IDLE) + world->go.layout.m.idle_next, m_at(IDLE));
	read_world(world);
	assert_int_equal(world->scheduler.ms.count, MS_COUNT);
}

static void test_cut_list(void **state)
{
	struct world *world = *state;
	put64(world, m_at(2) + world->go.layout.m.alllink, NOWHERE);
	read_world(world);
	check_warning(world, "damaged_threads");
	assert_int_equal(world->scheduler.ms.count, MS_COUNT - 2);
}

static void test_lost_p(void **state)
{
	struct world *world = *state;
	put64(world, P_LIST + 8, NOWHERE);
	read_world(world);
	check_warning(world, "damaged_p");
	assert_int_equal(world->scheduler.ps.count, 1);
}

static void test_wild_numbers(void **state)
{
	struct world *world = *state;
	sw_addr slice = p_at(0) + world->go.layout.p.timers;
	put64(world, slice, NOWHERE);
	put64(world, slice + 8, UINT64_MAX);
	put64(world, ALLP + 16, UINT64_MAX);
	put32(world, p_at(0) + world->go.layout.p.status, UINT32_MAX);
	put64(world, p_at(0) + world->go.layout.p.gcMarkWorkerMode, UINT64_MAX);
	put64(world, p_at(0) + world->go.layout.p.goidcache, 0);
	put64(world, p_at(0) + world->go.layout.p.goidcacheend, UINT64_MAX);
	put64(world, SCHED + world->go.layout.schedt.mnext, INT64_MIN);
	put64(world, SCHED + world->go.layout.schedt.nmfreed, INT64_MAX);
	read_world(world);
	assert_int_equal(world->scheduler.ps.items[0].timers, 0);
	assert_string_equal(sw_go_p_status_word(world->scheduler.ps.items[0].status), "?");
}

/* ---- is it the variable? ---- */

static void test_fits(void **state)
{
	struct world *world = *state;
	assert_null(sw_misfit_sched(&world->go, SCHED));
	assert_null(sw_misfit_allm(&world->go, ALLM));
}

static void test_misfits(void **state)
{
	struct world *world = *state;
	const __typeof__(world->go.layout.schedt) *fields = &world->go.layout.schedt;
	const struct {
		sw_addr at;
		uint64_t word;
		const char *why;
	} damage[] = {
		{SCHED + fields->goidgen, FIRST_GOID + GS_COUNT - 2, "goidgen"},
		{SCHED + fields->nmfreed, 100, "mnext"},
		{SCHED + fields->mnext, 0, "mnext"},
		{SCHED + fields->midle, NOWHERE, "midle"},
		{SCHED + fields->pidle, m_at(0), "pidle"},
		{SCHED + fields->runq_head, m_at(0), "runq"},
		{SCHED + fields->gcwaiting, 2, "gcwaiting"},
	};
	for (size_t i = 0; i < sizeof(damage) / sizeof(*damage); i++) {
		uint64_t before;
		assert_true(sw_memory_u64(world->go.memory, damage[i].at, &before));
		put64(world, damage[i].at, damage[i].word);
		assert_string_equal(sw_misfit_sched(&world->go, SCHED), damage[i].why);
		put64(world, damage[i].at, before);
	}
	assert_null(sw_misfit_sched(&world->go, SCHED));
	assert_non_null(sw_misfit_sched(&world->go, NOWHERE));
}

/* The list of a variable that is not allm is too short, or no list. */
static void test_misfits_of_ms(void **state)
{
	struct world *world = *state;
	const __typeof__(world->go.layout.m) *fields = &world->go.layout.m;

	put64(world, ALLM + 8, m_at(0));
	assert_string_equal(sw_misfit_allm(&world->go, ALLM + 8), "a goroutine's m");
	put64(world, ALLM + 8, g_at(0));
	assert_non_null(sw_misfit_allm(&world->go, ALLM + 8));
	assert_string_equal(sw_misfit_allm(&world->go, ALLM + 16), "address");
	assert_string_equal(sw_misfit_allm(&world->go, NOWHERE), "address");
	put64(world, m_at(0) + fields->alllink, m_at(1));
	assert_string_equal(sw_misfit_allm(&world->go, ALLM), "alllink");
	put64(world, m_at(1) + fields->alllink, 0);
	assert_string_equal(sw_misfit_allm(&world->go, ALLM), "id");
}

#define BOTH(test)                                           \
	{#test " 1.18", test, make_old, destroy, NULL},      \
	{                                                    \
#test " 1.27", test, make_new, destroy, NULL \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_queues),
		BOTH(test_threads),
		BOTH(test_system_call),
		cmocka_unit_test_setup_teardown(test_system_call_of_long_ago, make_old, destroy),
		BOTH(test_created),
		BOTH(test_long_queue),
		BOTH(test_endless_queue),
		BOTH(test_wild_queue),
		BOTH(test_rings),
		BOTH(test_cut_list),
		BOTH(test_lost_p),
		BOTH(test_wild_numbers),
		BOTH(test_fits),
		BOTH(test_misfits),
		BOTH(test_misfits_of_ms),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
