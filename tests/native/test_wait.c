/* What goroutines wait for: sudogs, channels and lists made by hand, sound and damaged, as Go 1.22
 * and 1.26 have them. */
#include "go/wait.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum {
	BASE = 0x40000000,
	SLOT = 96, /* the size class of a sudog, and of a channel */
	SLOTS = 64,
	PLAIN = 0x50000000, /* memory that is no heap: gs, conditions */
	ROOM = 4096,
	G = PLAIN, /* of goroutine n: PLAIN + n * G_SIZE */
	G_SIZE = 256,
	G_PARAM = 16,
	LIST = PLAIN + 2048, /* a sync.Cond; its list follows COND */
	COND = 16,
	STACK = 0x60000000, /* where no memory is */

	/* chan.go hchan, runtime2.go sudog until 1.25 */
	RECVQ = 40,
	SENDQ = 64,
	SUDOG_G = 0,
	SUDOG_NEXT = 8,
	SUDOG_ELEM = 24,
	SUDOG_WAITLINK = 64,
	SUDOG_C = 80,

	/* waitReason of 1.22 */
	SELECT = 9,
	NO_CASES = 10,
	CHAN_RECEIVE = 14,
	CHAN_SEND = 15,
	SEMACQUIRE = 18,
	SLEEP = 19,
	COND_WAIT = 20,
};

struct world {
	uint8_t bytes[SLOTS * SLOT];
	uint8_t plain[ROOM];
	struct sw_work work;
	struct sw_memory memory;
	struct sw_go go;
	struct sw_heap heap;
	struct sw_go_waits waits;
	struct sw_go_stack stack;
};

static void ok(struct sw_error *error)
{
	if (error)
		fail_msg("%s", error->message);
}

static sw_addr slot(unsigned number)
{
	return BASE + number * SLOT;
}

static void put(struct world *world, sw_addr at, uint64_t value)
{
	uint8_t *bytes = at < PLAIN ? world->bytes + (at - BASE) : world->plain + (at - PLAIN);
	memcpy(bytes, &value, 8);
}

static struct world *make(void)
{
	struct world *world = calloc(1, sizeof(*world));
	struct sw_span span = {.base = BASE,
			       .bytes = world->bytes,
			       .limit = sizeof(world->bytes),
			       .elemsize = SLOT,
			       .count = SLOTS,
			       .scan = SW_SCAN_ALL};
	sw_work_init(&world->work, 1);
	ok(sw_memory_add(&world->memory, (struct sw_region){.addr = BASE,
							    .size = sizeof(world->bytes),
							    .bytes = world->bytes}));
	ok(sw_memory_add(&world->memory, (struct sw_region){.addr = PLAIN,
							    .size = sizeof(world->plain),
							    .bytes = world->plain}));
	ok(sw_heap_init(&world->heap, &world->work, &span, 1));
	struct sw_layout *layout = &world->go.layout;
	world->go.memory = &world->memory;
	world->go.minor = 22;
	layout->g.param = G_PARAM;
	layout->sudog.size = 88;
	layout->sudog.g = SUDOG_G;
	layout->sudog.next = SUDOG_NEXT;
	layout->sudog.elem = SUDOG_ELEM;
	layout->sudog.waitlink = SUDOG_WAITLINK;
	layout->sudog.c = SUDOG_C;
	layout->hchan.recvq_first = RECVQ;
	layout->hchan.sendq_first = SENDQ;
	return world;
}

static void drop(struct world *world)
{
	sw_go_waits_free(&world->waits);
	sw_go_stack_free(&world->stack);
	sw_heap_free(&world->heap, &world->work);
	assert_int_equal(world->work.used_memory, 0);
	sw_memory_free(&world->memory);
	free(world);
}

static sw_addr g_at(unsigned number)
{
	return G + number * G_SIZE;
}

/* A sudog of goroutine `g` for a channel. */
static void make_sudog(struct world *world, unsigned number, unsigned g, sw_addr channel)
{
	put(world, slot(number) + SUDOG_G, g_at(g));
	put(world, slot(number) + SUDOG_C, channel);
}

static void add_stack_word(struct world *world, uint32_t frame, sw_addr pointer)
{
	ok(sw_go_stack_words_add(&world->stack.words,
				 (struct sw_go_stack_word){.kind = SW_GO_WORD_PRECISE,
							   .pointer = pointer,
							   .at = STACK + 8 * frame,
							   .frame = frame}));
}

/* What goroutine `number` waits for; forgets the words of its stack. */
static const struct sw_go_wait *find(struct world *world, unsigned number, uint8_t reason,
				     sw_addr waiting)
{
	struct sw_goroutine g = {.address = g_at(number),
				 .status = SW_GO_WAITING,
				 .wait_reason = reason,
				 .waiting = waiting};
	/* Where no stack is needed, none is there. */
	if (!sw_go_wait_needs_stack(&world->go, &world->heap, &g))
		world->stack.words.count = 0;
	ok(sw_go_waits_add(&world->waits, &world->go, &world->heap, &g, &world->stack, 7));
	world->stack.words.count = 0;
	const struct sw_go_wait *wait = &world->waits.list.items[world->waits.list.count - 1];
	assert_int_equal(wait->root, 7);
	assert_true(!wait->count || !(wait->is_woken || wait->is_unknown));
	return wait;
}

static const struct sw_go_blocker *blocker(const struct world *world, const struct sw_go_wait *wait,
					   uint32_t number)
{
	assert_true(number < wait->count);
	return &sw_go_wait_blockers(&world->waits, wait)[number];
}

static void check_unknown(const struct sw_go_wait *wait)
{
	assert_true(wait->is_unknown);
	assert_int_equal(wait->count, 0);
}

static void check_woken(const struct sw_go_wait *wait)
{
	assert_true(wait->is_woken && !wait->is_unknown);
	assert_int_equal(wait->count, 0);
}

/* ---- channels ---- */

static void channels(void **state)
{
	struct world *world = make();
	(void)state;
	/* Goroutines 1 and 2 receive from channel 1, goroutine 3 sends to channel 2. */
	make_sudog(world, 11, 1, slot(1));
	make_sudog(world, 12, 2, slot(1));
	make_sudog(world, 13, 3, slot(2));
	put(world, slot(1) + RECVQ, slot(11));
	put(world, slot(11) + SUDOG_NEXT, slot(12));
	put(world, slot(2) + SENDQ, slot(13));
	put(world, slot(13) + SUDOG_ELEM, slot(5) + 8);
	for (unsigned i = 1; i <= 2; i++) {
		const struct sw_go_wait *wait = find(world, i, CHAN_RECEIVE, slot(10 + i));
		assert_int_equal(wait->kind, SW_GO_WAIT_CHAN_RECEIVE);
		assert_int_equal(wait->count, 1);
		assert_int_equal(blocker(world, wait, 0)->object, slot(1));
		assert_int_equal(blocker(world, wait, 0)->sudog, slot(10 + i));
		assert_false(blocker(world, wait, 0)->is_send);
	}
	const struct sw_go_wait *wait = find(world, 3, CHAN_SEND, slot(13));
	assert_int_equal(wait->kind, SW_GO_WAIT_CHAN_SEND);
	assert_int_equal(blocker(world, wait, 0)->object, slot(2));
	assert_int_equal(blocker(world, wait, 0)->elem, slot(5) + 8);
	assert_true(blocker(world, wait, 0)->is_send);
	drop(world);
}

static void selects(void **state)
{
	struct world *world = make();
	(void)state;
	make_sudog(world, 11, 1, slot(1));
	make_sudog(world, 12, 1, slot(2));
	put(world, slot(11) + SUDOG_WAITLINK, slot(12));
	put(world, slot(1) + SENDQ, slot(11));
	put(world, slot(2) + RECVQ, slot(12));
	const struct sw_go_wait *wait = find(world, 1, SELECT, slot(11));
	assert_int_equal(wait->kind, SW_GO_WAIT_SELECT);
	assert_int_equal(wait->count, 2);
	assert_true(blocker(world, wait, 0)->is_send);
	assert_false(blocker(world, wait, 1)->is_send);
	assert_int_equal(blocker(world, wait, 1)->object, slot(2));
	wait = find(world, 2, NO_CASES, 0);
	assert_int_equal(wait->kind, SW_GO_WAIT_NO_CASES);
	assert_false(wait->is_unknown);
	wait = find(world, 3, SLEEP, 0);
	assert_int_equal(wait->kind, SW_GO_WAIT_OTHER);
	drop(world);
}

/* A goroutine that is taken off a queue is about to run. */
static void taken_off(void **state)
{
	struct world *world = make();
	(void)state;
	make_sudog(world, 11, 1, slot(1));
	check_woken(find(world, 1, CHAN_RECEIVE, slot(11)));
	make_sudog(world, 12, 2, slot(2));
	put(world, slot(2) + RECVQ, slot(12));
	put(world, g_at(2) + G_PARAM, slot(12));
	check_woken(find(world, 2, CHAN_RECEIVE, slot(12)));
	/* In the queue of another channel. */
	make_sudog(world, 13, 3, slot(3));
	put(world, slot(4) + RECVQ, slot(13));
	make_sudog(world, 14, 4, slot(4));
	find(world, 4, CHAN_RECEIVE, slot(14));
	check_woken(find(world, 3, CHAN_RECEIVE, slot(13)));
	/* One case of two. */
	make_sudog(world, 15, 5, slot(5));
	make_sudog(world, 16, 5, slot(6));
	put(world, slot(15) + SUDOG_WAITLINK, slot(16));
	put(world, slot(5) + RECVQ, slot(15));
	check_woken(find(world, 5, SELECT, slot(15)));
	drop(world);
}

static void damaged_channels(void **state)
{
	struct world *world = make();
	(void)state;
	check_unknown(find(world, 1, CHAN_RECEIVE, 0));
	check_unknown(find(world, 1, CHAN_RECEIVE, slot(11) + 8)); /* inside a slot */
	check_unknown(find(world, 1, CHAN_RECEIVE, 0x123456));
	/* Of a g that was freed, of another one. */
	make_sudog(world, 11, 1, slot(1));
	put(world, slot(1) + RECVQ, slot(11));
	put(world, slot(11) + SUDOG_G, 0);
	check_unknown(find(world, 1, CHAN_RECEIVE, slot(11)));
	put(world, slot(11) + SUDOG_G, g_at(2));
	check_unknown(find(world, 1, CHAN_RECEIVE, slot(11)));
	/* For no channel; for one that is not there: nobody is in its queue. */
	make_sudog(world, 12, 3, 0);
	check_unknown(find(world, 3, CHAN_RECEIVE, slot(12)));
	make_sudog(world, 12, 3, 0x123456);
	check_woken(find(world, 3, CHAN_RECEIVE, slot(12)));
	/* One sound case and a foreign one. */
	make_sudog(world, 13, 4, slot(2));
	put(world, slot(2) + RECVQ, slot(13));
	put(world, slot(13) + SUDOG_WAITLINK, slot(11));
	check_unknown(find(world, 4, SELECT, slot(13)));
	drop(world);
}

static void rings(void **state)
{
	struct world *world = make();
	(void)state;
	/* Of a select's sudogs. */
	make_sudog(world, 11, 1, slot(1));
	make_sudog(world, 12, 1, slot(1));
	put(world, slot(11) + SUDOG_WAITLINK, slot(12));
	put(world, slot(12) + SUDOG_WAITLINK, slot(11));
	put(world, slot(1) + RECVQ, slot(11));
	/* Of a channel's queue: who is in it is in it. */
	put(world, slot(11) + SUDOG_NEXT, slot(12));
	put(world, slot(12) + SUDOG_NEXT, slot(11));
	check_unknown(find(world, 1, SELECT, slot(11)));
	make_sudog(world, 13, 2, slot(2));
	put(world, slot(2) + RECVQ, slot(13));
	put(world, slot(13) + SUDOG_NEXT, slot(13));
	assert_int_equal(find(world, 2, CHAN_RECEIVE, slot(13))->count, 1);
	drop(world);
}

/* ---- package sync ---- */

static void semaphores(void **state)
{
	struct world *world = make();
	(void)state;
	/* Until 1.25 the stack alone leads to the sudog; others are there too. */
	make_sudog(world, 11, 1, 0);
	make_sudog(world, 12, 2, 0);
	put(world, slot(11) + SUDOG_ELEM, slot(1) + 4);
	put(world, slot(12) + SUDOG_ELEM, slot(2) + 4);
	add_stack_word(world, 1, slot(12));
	add_stack_word(world, 1, slot(11) + 8);
	add_stack_word(world, 2, slot(11));
	const struct sw_go_wait *wait = find(world, 1, SEMACQUIRE, 0);
	assert_int_equal(wait->kind, SW_GO_WAIT_SEMAPHORE);
	assert_int_equal(wait->count, 1);
	assert_int_equal(blocker(world, wait, 0)->sudog, slot(11));
	assert_int_equal(blocker(world, wait, 0)->object, slot(1) + 4);
	/* Far out on the stack it is a leftover. */
	add_stack_word(world, 8, slot(11));
	check_unknown(find(world, 1, SEMACQUIRE, 0));
	check_unknown(find(world, 1, SEMACQUIRE, 0));
	/* semrelease has taken it off. */
	put(world, slot(11) + SUDOG_ELEM, 0);
	add_stack_word(world, 2, slot(11));
	check_woken(find(world, 1, SEMACQUIRE, 0));
	/* From 1.26 on g.waiting has it. */
	wait = find(world, 2, SEMACQUIRE, slot(12));
	assert_int_equal(blocker(world, wait, 0)->object, slot(2) + 4);
	drop(world);
}

/* Goroutines 1 and 2 wait for a sync.Cond at LIST. */
static void make_cond(struct world *world)
{
	make_sudog(world, 11, 1, 0);
	make_sudog(world, 12, 2, 0);
	put(world, slot(11) + SUDOG_NEXT, slot(12));
	put(world, LIST + COND + 16, slot(11));
	put(world, LIST + COND + 24, slot(12));
}

static const struct sw_go_wait *find_cond(struct world *world, unsigned number, sw_addr list)
{
	add_stack_word(world, 1, slot(10 + number));
	add_stack_word(world, 3, list);
	return find(world, number, COND_WAIT, 0);
}

static void conditions(void **state)
{
	struct world *world = make();
	(void)state;
	make_cond(world);
	/* By a pointer to the Cond, by one to the list, which was walked already. */
	for (unsigned i = 1; i <= 2; i++) {
		const struct sw_go_wait *wait = find_cond(world, i, LIST + (i == 2 ? COND : 0));
		assert_int_equal(wait->kind, SW_GO_WAIT_COND);
		assert_int_equal(blocker(world, wait, 0)->object, LIST + COND);
		assert_int_equal(blocker(world, wait, 0)->sudog, slot(10 + i));
	}
	/* Nothing leads to the list of a third one. */
	make_sudog(world, 13, 3, 0);
	check_unknown(find_cond(world, 3, LIST + 512));
	/* From 1.26 on the sudog has it; one that is not in the list was notified. */
	put(world, slot(12) + SUDOG_ELEM, LIST + COND);
	put(world, slot(13) + SUDOG_ELEM, LIST + COND);
	const struct sw_go_wait *wait = find(world, 2, COND_WAIT, slot(12));
	assert_int_equal(blocker(world, wait, 0)->object, LIST + COND);
	check_woken(find(world, 3, COND_WAIT, slot(13)));
	drop(world);
}

static void damaged_conditions(void **state)
{
	struct world *world = make();
	(void)state;
	make_cond(world);
	put(world, LIST + COND + 24, slot(11)); /* not where it ends */
	check_unknown(find_cond(world, 1, LIST));
	sw_go_waits_free(&world->waits);
	make_cond(world);
	put(world, slot(12) + SUDOG_NEXT, slot(11));
	check_unknown(find_cond(world, 1, LIST));
	sw_go_waits_free(&world->waits);
	put(world, slot(12) + SUDOG_NEXT, 0);
	put(world, slot(12) + SUDOG_C, slot(1)); /* it waits for a channel */
	check_unknown(find_cond(world, 1, LIST));
	sw_go_waits_free(&world->waits);
	put(world, slot(12) + SUDOG_C, 0);
	assert_int_equal(find_cond(world, 1, LIST)->count, 1);
	/* What is looked for in vain as a list may be a channel all the same. */
	put(world, slot(3) + RECVQ, slot(14));
	make_sudog(world, 14, 4, slot(3));
	check_unknown(find_cond(world, 5, slot(3)));
	assert_int_equal(find(world, 4, CHAN_RECEIVE, slot(14))->count, 1);
	drop(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(channels),   cmocka_unit_test(selects),
		cmocka_unit_test(taken_off),  cmocka_unit_test(damaged_channels),
		cmocka_unit_test(rings),      cmocka_unit_test(semaphores),
		cmocka_unit_test(conditions), cmocka_unit_test(damaged_conditions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
