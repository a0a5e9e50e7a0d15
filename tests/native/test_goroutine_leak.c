/* Goroutines that can never run again, on heaps of a few objects: who waits for what, and who
 * reaches it. */
#include "go/goroutine_leak.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum {
	BASE = 0x40000000,
	STACKS = 0x50000000, /* of goroutine n: a page from STACKS + n * PAGE */
	PAGE = 0x1000,
	SLOTS = 2048,
	SLOT = 32, /* bytes: four words, each may be a pointer */
};

struct world {
	uint8_t bytes[SLOTS * SLOT];
	struct sw_work work;
	struct sw_memory memory;
	struct sw_go go;
	struct sw_go_waits waits;
	struct sw_heap heap;
	struct sw_go_leaks leaks;
};

static void ok(struct sw_error *error)
{
	if (error)
		fail_msg("%s", error->message);
}

static sw_addr at(unsigned slot)
{
	return BASE + slot * SLOT;
}

static void point(struct world *world, unsigned from, unsigned word, unsigned to)
{
	sw_addr address = at(to);
	memcpy(world->bytes + from * SLOT + word * 8, &address, 8);
}

static struct world *make(unsigned workers)
{
	struct world *world = calloc(1, sizeof(*world));
	struct sw_span span = {.base = BASE,
			       .bytes = world->bytes,
			       .limit = sizeof(world->bytes),
			       .elemsize = SLOT,
			       .count = SLOTS,
			       .scan = SW_SCAN_ALL};
	sw_work_init(&world->work, workers);
	ok(sw_memory_add(&world->memory, (struct sw_region){.addr = BASE,
							    .size = sizeof(world->bytes),
							    .bytes = world->bytes}));
	ok(sw_heap_init(&world->heap, &world->work, &span, 1));
	world->go.memory = &world->memory;
	world->go.work = &world->work;
	world->go.waits = &world->waits;
	return world;
}

static void drop(struct world *world)
{
	sw_go_leaks_free(&world->leaks);
	sw_heap_free(&world->heap, &world->work);
	assert_int_equal(world->work.used_memory, 0);
	sw_go_waits_free(&world->waits);
	sw_goroutines_free(&world->go.goroutines);
	sw_go_roots_free(&world->go.roots);
	sw_memory_free(&world->memory);
	free(world);
}

static uint32_t add_root(struct world *world, struct sw_go_root root, uint32_t group)
{
	uint32_t number = (uint32_t)world->heap.roots.count;
	ok(sw_go_roots_add(&world->go.roots, root));
	ok(sw_roots_add(&world->heap.roots, (struct sw_root){.group = group}));
	return number;
}

static void add_word(struct world *world, uint32_t root, unsigned to)
{
	ok(sw_root_words_add(&world->heap.root_words,
			     (struct sw_root_word){.pointer = at(to), .root = root}));
}

static void add_global(struct world *world, unsigned to)
{
	add_word(world, add_root(world, (struct sw_go_root){.kind = SW_GO_ROOT_GLOBAL}, SW_NO_ROOT),
		 to);
}

/* A goroutine; what its stack refers to follows. */
static uint32_t add_goroutine(struct world *world, enum sw_go_wait_kind kind)
{
	uint32_t number = (uint32_t)world->go.goroutines.count;
	struct sw_goroutine g = {.goid = number + 10,
				 .stack_lo = STACKS + number * PAGE,
				 .stack_hi = STACKS + (number + 1) * PAGE};
	struct sw_go_wait wait = {
		.kind = kind, .first = (uint32_t)world->waits.blockers.count, .hold = SW_NO_ROOT};
	wait.root = add_root(world, (struct sw_go_root){.kind = SW_GO_ROOT_GOROUTINE}, SW_NO_ROOT);
	ok(sw_goroutines_add(&world->go.goroutines, g));
	ok(sw_go_wait_list_add(&world->waits.list, wait));
	return number;
}

static void add_local(struct world *world, uint32_t goroutine, unsigned to)
{
	uint32_t group = world->waits.list.items[goroutine].root;
	add_word(world, add_root(world, (struct sw_go_root){.kind = SW_GO_ROOT_LOCAL}, group), to);
}

/* Of the goroutine that was added last. */
static void add_blocker(struct world *world, sw_addr object)
{
	ok(sw_go_blockers_add(&world->waits.blockers, (struct sw_go_blocker){.object = object}));
	world->waits.list.items[world->waits.list.count - 1].count++;
}

/* One that receives from a channel, which its stack refers to. */
static uint32_t add_receiver(struct world *world, unsigned channel)
{
	uint32_t goroutine = add_goroutine(world, SW_GO_WAIT_CHAN_RECEIVE);
	add_blocker(world, at(channel));
	add_local(world, goroutine, channel);
	return goroutine;
}

static void find(struct world *world)
{
	ok(sw_heap_mark(&world->heap, &world->work));
	sw_heap_number(&world->heap);
	ok(sw_go_find_leaks(&world->go, &world->heap, &world->work, &world->leaks));
	assert_int_equal(world->leaks.goroutine_count, world->go.goroutines.count);
}

static void check(const struct world *world, uint32_t goroutine, bool is_leaked)
{
	if (world->leaks.is_leaked[goroutine] != is_leaked)
		fail_msg("goroutine %u is %sleaked", goroutine, is_leaked ? "not " : "");
}

/* ---- reaching ---- */

static void nobody(void **state)
{
	struct world *world = make(1);
	(void)state;
	find(world);
	assert_int_equal(world->leaks.leaked, 0);
	drop(world);
}

static void own_reference(void **state)
{
	struct world *world = make(2);
	(void)state;
	uint32_t lonely = add_receiver(world, 1);
	uint32_t kept = add_receiver(world, 2);
	uint32_t shared = add_receiver(world, 3);
	uint32_t runner = add_goroutine(world, SW_GO_WAIT_OTHER);
	add_global(world, 4);
	point(world, 4, 3, 2);
	add_local(world, runner, 3);
	add_local(world, lonely, 5);
	point(world, 5, 0, 6);
	find(world);
	check(world, lonely, true);
	check(world, kept, false);
	check(world, shared, false);
	check(world, runner, false);
	assert_int_equal(world->leaks.leaked, 1);
	assert_int_equal(world->leaks.retained_objects, 3); /* 1, 5, 6 */
	assert_int_equal(world->leaks.retained_bytes, 3 * SLOT);
	drop(world);
}

/* Each refers to what the other waits for. */
static void circle(void **state)
{
	struct world *world = make(1);
	(void)state;
	uint32_t one = add_receiver(world, 1), other = add_receiver(world, 2);
	add_local(world, one, 2);
	add_local(world, other, 1);
	find(world);
	check(world, one, true);
	check(world, other, true);
	drop(world);
}

static void wakes_the_next(void **state)
{
	struct world *world = make(1);
	(void)state;
	/* The first is within reach; it refers to what the second waits for, and so on; in the
	 * order of the goroutines, against it, and with one that is missing. */
	enum { LENGTH = 1000 };
	for (unsigned i = 0; i < LENGTH; i++) {
		uint32_t goroutine = add_receiver(world, i);
		if (i != LENGTH / 2)
			add_local(world, goroutine, i + 1);
	}
	add_global(world, 0);
	find(world);
	for (unsigned i = 0; i < LENGTH; i++)
		check(world, i, i > LENGTH / 2);
	drop(world);

	world = make(2);
	for (unsigned i = 0; i < LENGTH; i++) {
		uint32_t goroutine = add_receiver(world, i + 1);
		if (i != LENGTH / 2)
			add_local(world, goroutine, i);
	}
	add_global(world, LENGTH);
	find(world);
	for (unsigned i = 0; i < LENGTH; i++)
		check(world, i, i < LENGTH / 2);
	drop(world);
}

static void any_case_of_a_select(void **state)
{
	struct world *world = make(1);
	(void)state;
	uint32_t dead = add_goroutine(world, SW_GO_WAIT_SELECT);
	add_blocker(world, at(1));
	add_blocker(world, at(2));
	uint32_t alive = add_goroutine(world, SW_GO_WAIT_SELECT);
	add_blocker(world, at(1));
	add_blocker(world, at(3));
	add_local(world, dead, 1);
	add_local(world, dead, 2);
	add_local(world, alive, 4);
	add_global(world, 3);
	find(world);
	check(world, dead, true);
	check(world, alive, false);
	drop(world);
}

/* ---- waits of other kinds ---- */

static void nothing_ends_it(void **state)
{
	struct world *world = make(1);
	(void)state;
	uint32_t nil = add_goroutine(world, SW_GO_WAIT_NIL_CHAN);
	uint32_t no_cases = add_goroutine(world, SW_GO_WAIT_NO_CASES);
	uint32_t held = add_receiver(world, 1);
	add_local(world, nil, 1);
	add_local(world, no_cases, 1);
	find(world);
	check(world, nil, true);
	check(world, no_cases, true);
	check(world, held, true);
	drop(world);
}

/* `select {}` at the end of main is no leak, but nobody is woken from there. */
static void main_may_wait(void **state)
{
	struct world *world = make(1);
	(void)state;
	uint32_t main = add_goroutine(world, SW_GO_WAIT_NO_CASES);
	world->go.goroutines.items[main].goid = 1;
	uint32_t receiver = add_receiver(world, 1);
	add_local(world, main, 1);
	add_local(world, main, 2);
	add_local(world, receiver, 3);
	find(world);
	check(world, main, false);
	check(world, receiver, true);
	assert_int_equal(world->leaks.leaked, 1);
	assert_int_equal(world->leaks.retained_objects, 1); /* 3: main has the others */
	drop(world);
}

static void about_to_run(void **state)
{
	struct world *world = make(1);
	(void)state;
	uint32_t woken = add_goroutine(world, SW_GO_WAIT_CHAN_RECEIVE);
	uint32_t unknown = add_goroutine(world, SW_GO_WAIT_SEMAPHORE);
	uint32_t by_woken = add_receiver(world, 1), by_unknown = add_receiver(world, 2);
	world->waits.list.items[woken].is_woken = true;
	world->waits.list.items[unknown].is_unknown = true;
	add_local(world, woken, 1);
	add_local(world, unknown, 2);
	find(world);
	check(world, woken, false);
	check(world, unknown, false);
	check(world, by_woken, false);
	check(world, by_unknown, false);
	assert_int_equal(world->leaks.unknown, 1);
	drop(world);
}

static void outside_the_heap(void **state)
{
	struct world *world = make(1);
	(void)state;
	uint32_t variable = add_goroutine(world, SW_GO_WAIT_SEMAPHORE);
	add_blocker(world, 0x1000);
	uint32_t own = add_goroutine(world, SW_GO_WAIT_SEMAPHORE);
	add_blocker(world, STACKS + own * PAGE + 8);
	uint32_t runner = add_goroutine(world, SW_GO_WAIT_OTHER);
	uint32_t runners = add_goroutine(world, SW_GO_WAIT_SEMAPHORE);
	add_blocker(world, STACKS + runner * PAGE + 8);
	uint32_t of_the_dead = add_goroutine(world, SW_GO_WAIT_SEMAPHORE);
	add_blocker(world, STACKS + own * PAGE + 8);
	uint32_t of_the_revived = add_goroutine(world, SW_GO_WAIT_SEMAPHORE);
	add_blocker(world, STACKS + variable * PAGE + PAGE - 4);
	find(world);
	check(world, variable, false);
	check(world, own, true);
	check(world, runners, false);
	check(world, of_the_dead, true);
	check(world, of_the_revived, false);
	drop(world);
}

/* ---- what is no plain reference ---- */

/* Sudogs are linked to each other and lead to channels and goroutines; those links mean nothing
 * once root words say who holds what. */
static void opaque_slots(void **state)
{
	struct world *world = make(1);
	(void)state;
	uint32_t first = add_receiver(world, 1), second = add_receiver(world, 2);
	point(world, 1, 0, 11); /* from the channel to the sudog that waits for it */
	point(world, 2, 0, 12);
	point(world, 11, 0, 12); /* to the next sudog, to the channel */
	point(world, 11, 1, 1);
	point(world, 12, 1, 2);
	add_local(world, first, 11);
	add_local(world, second, 12);
	add_global(world, 1);
	find(world);
	check(world, second, false); /* 1 leads to 11, to 12, to 2 */
	sw_go_leaks_free(&world->leaks);
	ok(sw_heap_hide(&world->heap, &world->work, 11));
	ok(sw_heap_hide(&world->heap, &world->work, 12));
	assert_true(sw_heap_is_opaque(&world->heap, 12) && !sw_heap_is_opaque(&world->heap, 2));
	ok(sw_go_find_leaks(&world->go, &world->heap, &world->work, &world->leaks));
	check(world, first, false);
	check(world, second, true);
	assert_int_equal(world->leaks.retained_objects, 2); /* 2, 12 */
	drop(world);
}

static void weak_pointers(void **state)
{
	struct world *world = make(1);
	(void)state;
	/* Boxes 21 and 22 hold the addresses of channels 1 and 2; one is within reach. */
	uint32_t found = add_receiver(world, 1), lost = add_receiver(world, 2);
	uint32_t first = add_root(world, (struct sw_go_root){.kind = SW_GO_ROOT_WEAK}, SW_NO_ROOT);
	uint32_t second = add_root(world, (struct sw_go_root){.kind = SW_GO_ROOT_WEAK}, SW_NO_ROOT);
	add_word(world, first, 21);
	add_word(world, second, 22);
	add_global(world, 23);
	point(world, 23, 0, 21);
	find(world);
	sw_go_leaks_free(&world->leaks);
	/* To the collector boxes have no pointers. */
	ok(sw_heap_hide(&world->heap, &world->work, 21));
	ok(sw_heap_hide(&world->heap, &world->work, 22));
	point(world, 21, 0, 1);
	point(world, 22, 0, 2);
	ok(sw_go_find_leaks(&world->go, &world->heap, &world->work, &world->leaks));
	check(world, found, false);
	check(world, lost, true);
	assert_int_equal(world->leaks.retained_objects, 1); /* 2: its box stays */
	drop(world);
}

/* Functions of finalizers that refer to channels 1, 2 and 3. */
static void finalizers(void **state)
{
	struct world *world = make(1);
	const struct sw_go_root of[] = {
		{.kind = SW_GO_ROOT_FINALIZER, .object = at(11)}, /* that a leaked one has */
		{.kind = SW_GO_ROOT_FINALIZER, .object = at(12)}, /* that may be dropped yet */
		{.kind = SW_GO_ROOT_CLEANUP},			  /* that is dropped */
	};
	(void)state;
	uint32_t kept = add_receiver(world, 1), may_end = add_receiver(world, 2);
	uint32_t ends = add_receiver(world, 3);
	add_local(world, kept, 11);
	add_local(world, may_end, 12);
	add_global(world, 12);
	for (unsigned i = 0; i < 3; i++)
		add_word(world, add_root(world, of[i], SW_NO_ROOT), i + 1);
	find(world);
	check(world, kept, true);
	check(world, may_end, false);
	check(world, ends, false);
	assert_int_equal(world->leaks.retained_objects, 1); /* 11: the finalizer has 1 */
	drop(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody),
		cmocka_unit_test(own_reference),
		cmocka_unit_test(circle),
		cmocka_unit_test(wakes_the_next),
		cmocka_unit_test(any_case_of_a_select),
		cmocka_unit_test(nothing_ends_it),
		cmocka_unit_test(main_may_wait),
		cmocka_unit_test(about_to_run),
		cmocka_unit_test(outside_the_heap),
		cmocka_unit_test(opaque_slots),
		cmocka_unit_test(weak_pointers),
		cmocka_unit_test(finalizers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
