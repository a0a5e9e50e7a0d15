/* Goroutines that contradict themselves: stacks, states, deferred calls, labels. */
#include "cases.h"

/* Writes the word at an offset of every goroutine, another one for each. */
static void poke_goroutines(struct subject *subject, const struct areas *areas, sw_offset offset,
			    sw_addr (*word)(const struct subject *, const struct areas *, size_t))
{
	const struct area *g;

	for (size_t i = 0; offset != SW_ABSENT && (g = area_at(areas, "g", i)); i++)
		subject_poke64(subject, g->addr + offset, word(subject, areas, i));
}

static uint64_t field_of(const struct subject *subject, const struct areas *areas, size_t index,
			 sw_offset offset)
{
	const struct area *g = area_at(areas, "g", index);

	g = g ? g : area_at(areas, "g", 0);
	return subject_peek(subject, g->addr + offset);
}

/* ---- the list ---- */

static void allgs_same(struct subject *subject, const struct areas *areas)
{
	const struct area *list = area_at(areas, "allgs", 0), *g = area_at(areas, "g", 0);

	for (uint64_t i = 0; i < list->size / 8; i++)
		subject_poke64(subject, list->addr + 8 * i, g->addr);
}

static void allgs_in_itself(struct subject *subject, const struct areas *areas)
{
	const struct area *list = area_at(areas, "allgs", 0);

	for (uint64_t i = 0; i < list->size / 8; i++)
		subject_poke64(subject, list->addr + 8 * i, list->addr);
}

static void allgs_long(struct subject *subject, const struct areas *areas)
{
	subject_poke64(subject, areas->globals.allgs + 8, (1 << 26) - 1);
}

static void allgs_endless(struct subject *subject, const struct areas *areas)
{
	subject_poke64(subject, areas->globals.allgs + 8, UINT64_MAX);
}

/* ---- stacks ---- */

static void stack_whole_space(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "g", areas->layout.g.stack_lo, 0, 8);
	poke_all(subject, areas, "g", areas->layout.g.stack_hi, UINT64_MAX, 8);
}

static void stack_empty(struct subject *subject, const struct areas *areas)
{
	const struct area *g;

	for (size_t i = 0; (g = area_at(areas, "g", i)); i++)
		subject_poke64(subject, g->addr + areas->layout.g.stack_hi,
			       subject_peek(subject, g->addr + areas->layout.g.stack_lo));
}

static void stack_is_heap(struct subject *subject, const struct areas *areas)
{
	const struct area *g, *heap = area_at(areas, "heap", 0);
	sw_addr sched = areas->layout.g.sched;

	for (size_t i = 0; (g = area_at(areas, "g", i)); i++) {
		subject_poke64(subject, g->addr + areas->layout.g.stack_lo, heap->addr);
		subject_poke64(subject, g->addr + areas->layout.g.stack_hi,
			       heap->addr + heap->size);
		subject_poke64(subject, g->addr + sched + areas->layout.gobuf.sp, heap->addr + 64);
	}
}

static void stack_pointer_low(struct subject *subject, const struct areas *areas)
{
	const struct area *g;

	for (size_t i = 0; (g = area_at(areas, "g", i)); i++)
		subject_poke64(subject, g->addr + areas->layout.g.sched + areas->layout.gobuf.sp,
			       subject_peek(subject, g->addr + areas->layout.g.stack_lo));
}

/* Every word of every stack is the return address that stands on top. */
static void stack_one_function(struct subject *subject, const struct areas *areas)
{
	const struct area *stack, *g;

	for (size_t i = 0; (stack = area_at(areas, "stack", i)); i++) {
		g = area_at(areas, "g", i);
		sw_addr pc = g ? subject_peek(subject, g->addr + areas->layout.g.sched +
							       areas->layout.gobuf.pc)
			       : 0;
		for (uint64_t at = 0; at + 8 <= stack->size; at += 8)
			subject_poke64(subject, stack->addr + at, pc);
	}
}

/* Above it, below it, in the one of another, at its very top, odd, at the end of all addresses. */
static sw_addr outside(const struct subject *subject, const struct areas *areas, size_t index)
{
	sw_addr low = field_of(subject, areas, index, areas->layout.g.stack_lo);
	sw_addr high = field_of(subject, areas, index, areas->layout.g.stack_hi);
	const sw_addr places[] = {
		high + 64,
		low - 4096,
		field_of(subject, areas, index + 1, areas->layout.g.stack_lo) + 64,
		high,
		high - 3,
		UINT64_MAX - 7,
	};

	return places[index % (sizeof(places) / sizeof(*places))];
}

static void stack_pointer_outside(struct subject *subject, const struct areas *areas)
{
	poke_goroutines(subject, areas, areas->layout.g.sched + areas->layout.gobuf.sp, outside);
}

static void syscall_pointer_outside(struct subject *subject, const struct areas *areas)
{
	poke_goroutines(subject, areas, areas->layout.g.syscallsp, outside);
}

static sw_addr high_of_next(const struct subject *subject, const struct areas *areas, size_t index)
{
	return field_of(subject, areas, index + 1, areas->layout.g.stack_hi);
}

static sw_addr low_of_next(const struct subject *subject, const struct areas *areas, size_t index)
{
	return field_of(subject, areas, index + 1, areas->layout.g.stack_lo);
}

/* Each stack reaches to the end of another one's. */
static void stacks_cross(struct subject *subject, const struct areas *areas)
{
	poke_goroutines(subject, areas, areas->layout.g.stack_hi, high_of_next);
}

static void stacks_exchanged(struct subject *subject, const struct areas *areas)
{
	poke_goroutines(subject, areas, areas->layout.g.stack_hi, high_of_next);
	poke_goroutines(subject, areas, areas->layout.g.stack_lo, low_of_next);
}

static void stacks_upside_down(struct subject *subject, const struct areas *areas)
{
	const struct area *g;

	for (size_t i = 0; (g = area_at(areas, "g", i)); i++) {
		uint64_t low = subject_peek(subject, g->addr + areas->layout.g.stack_lo);
		subject_poke64(subject, g->addr + areas->layout.g.stack_lo,
			       subject_peek(subject, g->addr + areas->layout.g.stack_hi));
		subject_poke64(subject, g->addr + areas->layout.g.stack_hi, low);
	}
}

static void stacks_of_one(struct subject *subject, const struct areas *areas)
{
	const struct area *first = area_at(areas, "g", 0), *g;
	sw_offset size = areas->layout.g.stack_hi + 8 - areas->layout.g.stack_lo;
	uint64_t bounds[2] = {subject_peek(subject, first->addr + areas->layout.g.stack_lo),
			      subject_peek(subject, first->addr + areas->layout.g.stack_hi)};

	for (size_t i = 1; (g = area_at(areas, "g", i)); i++)
		subject_poke(subject, g->addr + areas->layout.g.stack_lo, bounds, size);
}

/* ---- what they are ---- */

/* Dead, but its stack is there. */
static void dead_with_stack(struct subject *subject, const struct areas *areas)
{
	const struct area *g;
	uint32_t status = SW_GO_DEAD;

	for (size_t i = 0; (g = area_at(areas, "g", i)); i += 2)
		subject_poke(subject, g->addr + areas->layout.g.atomicstatus, &status,
			     sizeof(status));
}

/* Freed, but others still lead to them. */
static void dead_without_stack(struct subject *subject, const struct areas *areas)
{
	dead_with_stack(subject, areas);
	poke_all(subject, areas, "g", areas->layout.g.stack_lo, 0, 8);
	poke_all(subject, areas, "g", areas->layout.g.stack_hi, 0, 8);
}

static void waiting_without_stack(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "g", areas->layout.g.stack_lo, 0, 8);
	poke_all(subject, areas, "g", areas->layout.g.stack_hi, 0, 8);
}

static void status_running(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "g", areas->layout.g.atomicstatus, SW_GO_RUNNING, 4);
}

static void status_copystack(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "g", areas->layout.g.atomicstatus, SW_GO_COPYSTACK, 4);
}

static void status_wild(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "g", areas->layout.g.atomicstatus, 0xfffff, 4);
}

static void status_leaked(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "g", areas->layout.g.atomicstatus, SW_GO_LEAKED, 4);
}

static void status_waiting(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "g", areas->layout.g.atomicstatus, SW_GO_WAITING, 4);
}

static void goids_same(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "g", areas->layout.g.goid, areas->goids[0], 8);
}

static void goids_wild(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "g", areas->layout.g.goid, UINT64_MAX, 8);
	if (areas->layout.g.parentGoid != SW_ABSENT)
		poke_all(subject, areas, "g", areas->layout.g.parentGoid, 1ull << 63, 8);
}

static void waits_of_ages(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "g", areas->layout.g.waitsince, 1ull << 63, 8);
}

static void waits_in_the_future(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "g", areas->layout.g.waitsince, INT64_MAX, 8);
}

static void reasons_wild(struct subject *subject, const struct areas *areas)
{
	const struct area *g;

	for (size_t i = 0; (g = area_at(areas, "g", i)); i++) {
		uint8_t reason = (uint8_t)(255 - i * 5);
		subject_poke(subject, g->addr + areas->layout.g.waitreason, &reason, 1);
	}
}

/* Each says that it waits for something else than it does. */
static void reasons_exchanged(struct subject *subject, const struct areas *areas)
{
	const struct area *g, *next;

	for (size_t i = 0; (g = area_at(areas, "g", i)) && (next = area_at(areas, "g", i + 1));
	     i++) {
		uint8_t reason =
			(uint8_t)subject_peek(subject, next->addr + areas->layout.g.waitreason);
		subject_poke(subject, g->addr + areas->layout.g.waitreason, &reason, 1);
	}
}

static void creators_wild(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "g", areas->layout.g.gopc, UINT64_MAX, 8);
	poke_all(subject, areas, "g", areas->layout.g.startpc, 1, 8);
}

static void params_wild(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "g", areas->layout.g.param, 8, 8);
}

/* ---- deferred calls and panics ---- */

static void defer_self(struct subject *subject, const struct areas *areas)
{
	make_cycle(subject, areas, "defer", areas->layout.defer.link, true);
}

static void defer_ring(struct subject *subject, const struct areas *areas)
{
	make_cycle(subject, areas, "defer", areas->layout.defer.link, false);
}

static void defer_is_g(struct subject *subject, const struct areas *areas)
{
	const struct area *g;

	for (size_t i = 0; (g = area_at(areas, "g", i)); i++)
		subject_poke64(subject, g->addr + areas->layout.g.defer, g->addr);
}

static void panic_self(struct subject *subject, const struct areas *areas)
{
	make_cycle(subject, areas, "panic", areas->layout.panic.link, true);
}

static void panic_ring(struct subject *subject, const struct areas *areas)
{
	link_items(subject, areas, "panic", areas->layout.panic.link, 1);
}

static void panic_is_stack(struct subject *subject, const struct areas *areas)
{
	poke_goroutines(subject, areas, areas->layout.g.panic, low_of_next);
	poke_goroutines(subject, areas, areas->layout.g.defer, low_of_next);
}

static void panic_arguments_wild(struct subject *subject, const struct areas *areas)
{
	const struct area *panic;

	for (size_t i = 0; (panic = area_at(areas, "panic", i)); i++) {
		subject_poke64(subject, panic->addr + areas->layout.panic.arg, panic->addr);
		subject_poke64(subject, panic->addr + areas->layout.panic.arg + 8, UINT64_MAX);
	}
}

static void defers_of_one_frame(struct subject *subject, const struct areas *areas)
{
	const struct area *first = area_at(areas, "defer", 0);

	if (first)
		poke_all(subject, areas, "defer", areas->layout.defer.sp,
			 subject_peek(subject, first->addr + areas->layout.defer.sp), 8);
}

static void defers_wild(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "defer", areas->layout.defer.fn, UINT64_MAX - 3, 8);
	poke_all(subject, areas, "defer", areas->layout.defer.pc, UINT64_MAX, 8);
}

/* ---- labels ---- */

static void labels_self(struct subject *subject, const struct areas *areas)
{
	const struct area *g;

	for (size_t i = 0; (g = area_at(areas, "g", i)); i++)
		subject_poke64(subject, g->addr + areas->layout.g.labels,
			       g->addr + areas->layout.g.labels);
}

static void labels_of_themselves(struct subject *subject, const struct areas *areas)
{
	const struct area *labels;

	for (size_t i = 0; (labels = area_at(areas, "labels", i)); i++)
		for (uint64_t at = 0; at < labels->size; at += 8)
			subject_poke64(subject, labels->addr + at, labels->addr);
	for (size_t i = 0; (labels = area_at(areas, "label list", i)); i++)
		for (uint64_t at = 0; at < labels->size; at += 8)
			subject_poke64(subject, labels->addr + at, labels->addr);
}

static void labels_endless(struct subject *subject, const struct areas *areas)
{
	const struct area *labels;

	for (size_t i = 0; (labels = area_at(areas, "labels", i)); i++)
		subject_poke64(subject, labels->addr + 8, INT64_MAX);
	for (size_t i = 0; (labels = area_at(areas, "label list", i)); i++)
		for (uint64_t at = 8; at + 8 <= labels->size; at += 16)
			subject_poke64(subject, labels->addr + at, 1ull << 40);
}

const struct damage_case goroutine_cases[] = {
	THOROUGH_CASE(allgs_same),
	THOROUGH_CASE(allgs_in_itself),
	THOROUGH_CASE(allgs_long),
	THOROUGH_CASE(allgs_endless),
	THOROUGH_CASE(stack_whole_space),
	THOROUGH_CASE(stack_empty),
	THOROUGH_CASE(stack_is_heap),
	THOROUGH_CASE(stack_pointer_low),
	THOROUGH_CASE(stack_one_function),
	THOROUGH_CASE(stack_pointer_outside),
	THOROUGH_CASE(syscall_pointer_outside),
	THOROUGH_CASE(stacks_cross),
	THOROUGH_CASE(stacks_exchanged),
	THOROUGH_CASE(stacks_upside_down),
	THOROUGH_CASE(stacks_of_one),
	THOROUGH_CASE(dead_with_stack),
	THOROUGH_CASE(dead_without_stack),
	THOROUGH_CASE(waiting_without_stack),
	THOROUGH_CASE(status_running),
	THOROUGH_CASE(status_copystack),
	THOROUGH_CASE(status_wild),
	THOROUGH_CASE(status_leaked),
	THOROUGH_CASE(status_waiting),
	THOROUGH_CASE(goids_same),
	THOROUGH_CASE(goids_wild),
	THOROUGH_CASE(waits_of_ages),
	THOROUGH_CASE(waits_in_the_future),
	THOROUGH_CASE(reasons_wild),
	THOROUGH_CASE(reasons_exchanged),
	THOROUGH_CASE(creators_wild),
	THOROUGH_CASE(params_wild),
	THOROUGH_CASE(defer_self),
	THOROUGH_CASE(defer_ring),
	THOROUGH_CASE(defer_is_g),
	THOROUGH_CASE(panic_self),
	THOROUGH_CASE(panic_ring),
	THOROUGH_CASE(panic_is_stack),
	THOROUGH_CASE(panic_arguments_wild),
	THOROUGH_CASE(defers_of_one_frame),
	THOROUGH_CASE(defers_wild),
	THOROUGH_CASE(labels_self),
	THOROUGH_CASE(labels_of_themselves),
	THOROUGH_CASE(labels_endless),
	{0},
};
