/* What goroutines wait for: sudogs, channels, semaphores that contradict themselves. */
#include "cases.h"

static void link_sudogs(struct subject *subject, const struct areas *areas, sw_offset offset,
			size_t step)
{
	link_items(subject, areas, "sudog", offset, step);
}

static void poke_sudogs(struct subject *subject, const struct areas *areas, sw_offset offset,
			uint64_t word)
{
	poke_all(subject, areas, "sudog", offset, word, 8);
}

/* ---- links ---- */

static void sudog_waitlink_self(struct subject *subject, const struct areas *areas)
{
	link_sudogs(subject, areas, areas->layout.sudog.waitlink, 0);
}

static void sudog_waitlink_ring(struct subject *subject, const struct areas *areas)
{
	link_sudogs(subject, areas, areas->layout.sudog.waitlink, 1);
}

/* All of them stand for one goroutine, in one ring. */
static void sudog_waitlink_ring_of_one(struct subject *subject, const struct areas *areas)
{
	const struct area *sudog = area_at(areas, "sudog", 0);

	if (!sudog)
		return;
	poke_sudogs(subject, areas, areas->layout.sudog.g,
		    subject_peek(subject, sudog->addr + areas->layout.sudog.g));
	sudog_waitlink_ring(subject, areas);
}

static void sudog_next_self(struct subject *subject, const struct areas *areas)
{
	link_sudogs(subject, areas, areas->layout.sudog.next, 0);
}

static void sudog_next_ring(struct subject *subject, const struct areas *areas)
{
	link_sudogs(subject, areas, areas->layout.sudog.next, 1);
	link_sudogs(subject, areas, areas->layout.sudog.prev, 1);
}

/* The tree of those who wait for semaphores, sema.go. */
static void sudog_tree_self(struct subject *subject, const struct areas *areas)
{
	link_sudogs(subject, areas, areas->layout.sudog.next, 0);
	link_sudogs(subject, areas, areas->layout.sudog.prev, 0);
	link_sudogs(subject, areas, areas->layout.sudog.parent, 0);
	link_sudogs(subject, areas, areas->layout.sudog.waitlink, 0);
	link_sudogs(subject, areas, areas->layout.sudog.waittail, 0);
}

static void sudog_tree_ring(struct subject *subject, const struct areas *areas)
{
	link_sudogs(subject, areas, areas->layout.sudog.parent, 1);
	link_sudogs(subject, areas, areas->layout.sudog.next, 2);
	link_sudogs(subject, areas, areas->layout.sudog.prev, 3);
}

/* ---- whose they are ---- */

static void sudog_of_freed_g(struct subject *subject, const struct areas *areas)
{
	const struct area *sudog;
	uint32_t status = SW_GO_DEAD;

	for (size_t i = 0; (sudog = area_at(areas, "sudog", i)); i++)
		subject_poke(subject,
			     subject_peek(subject, sudog->addr + areas->layout.sudog.g) +
				     areas->layout.g.atomicstatus,
			     &status, sizeof(status));
}

static void sudog_of_another_g(struct subject *subject, const struct areas *areas)
{
	const struct area *sudog, *g;

	for (size_t i = 0; (sudog = area_at(areas, "sudog", i)) && (g = area_at(areas, "g", i + 1));
	     i++)
		subject_poke64(subject, sudog->addr + areas->layout.sudog.g, g->addr);
}

static void sudog_of_no_g(struct subject *subject, const struct areas *areas)
{
	poke_sudogs(subject, areas, areas->layout.sudog.g, 0);
}

static void sudog_elem_self(struct subject *subject, const struct areas *areas)
{
	link_sudogs(subject, areas, areas->layout.sudog.elem, 0);
}

static void sudog_elem_wild(struct subject *subject, const struct areas *areas)
{
	poke_sudogs(subject, areas, areas->layout.sudog.elem, UINT64_MAX - 3);
}

static void sudog_channel_self(struct subject *subject, const struct areas *areas)
{
	link_sudogs(subject, areas, areas->layout.sudog.c, 0);
}

static void sudog_channel_nil(struct subject *subject, const struct areas *areas)
{
	poke_sudogs(subject, areas, areas->layout.sudog.c, 0);
}

static void sudog_channel_of_another(struct subject *subject, const struct areas *areas)
{
	const struct area *sudog, *channel;

	for (size_t i = 0; (sudog = area_at(areas, "sudog", i)) &&
			   (channel = area_at(areas, "waited channel", i + 1));
	     i++)
		subject_poke64(subject, sudog->addr + areas->layout.sudog.c, channel->addr);
}

/* All goroutines hang on the same sudog. */
static void waiting_on_one(struct subject *subject, const struct areas *areas)
{
	const struct area *sudog = area_at(areas, "sudog", 0), *g;

	for (size_t i = 0; sudog && (g = area_at(areas, "g", i)); i++)
		subject_poke64(subject, g->addr + areas->layout.g.waiting, sudog->addr);
}

static void waiting_on_itself(struct subject *subject, const struct areas *areas)
{
	const struct area *g;

	for (size_t i = 0; (g = area_at(areas, "g", i)); i++)
		subject_poke64(subject, g->addr + areas->layout.g.waiting, g->addr);
}

static void waiting_on_nothing(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "g", areas->layout.g.waiting, 0, 8);
}

/* ---- what they wait for ---- */

/* Each queue begins with a sudog of another channel. */
static void channel_queues_exchanged(struct subject *subject, const struct areas *areas)
{
	const struct area *channel, *sudog;

	for (size_t i = 0; (channel = area_at(areas, "waited channel", i)) &&
			   (sudog = area_at(areas, "sudog", i + 1));
	     i++) {
		subject_poke64(subject, channel->addr + areas->layout.hchan.recvq_first,
			       sudog->addr);
		subject_poke64(subject, channel->addr + areas->layout.hchan.sendq_first,
			       sudog->addr);
	}
}

static void channel_queues_self(struct subject *subject, const struct areas *areas)
{
	const struct area *channel;

	for (size_t i = 0; (channel = area_at(areas, "waited channel", i)); i++) {
		subject_poke64(subject, channel->addr + areas->layout.hchan.recvq_first,
			       channel->addr);
		subject_poke64(subject, channel->addr + areas->layout.hchan.sendq_first,
			       channel->addr);
	}
}

static void channel_queues_empty(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "waited channel", areas->layout.hchan.recvq_first, 0, 8);
	poke_all(subject, areas, "waited channel", areas->layout.hchan.sendq_first, 0, 8);
}

static void waited_channels_full(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "waited channel", areas->layout.hchan.qcount, UINT64_MAX, 8);
	poke_all(subject, areas, "waited channel", areas->layout.hchan.dataqsiz, INT64_MAX, 8);
	poke_all(subject, areas, "waited channel", areas->layout.hchan.elemtype, 8, 8);
}

/* sync/runtime.go notifyList: head at 24 - 8, tail at 24. */
static void notify_lists_wild(struct subject *subject, const struct areas *areas)
{
	const struct area *list;

	for (size_t i = 0; (list = area_at(areas, "notify list", i)); i++)
		for (uint64_t at = 0; at + 8 <= list->size; at += 8)
			subject_poke64(subject, list->addr + at, list->addr);
}

static void semaphores_wild(struct subject *subject, const struct areas *areas)
{
	const struct area *semaphore;

	for (size_t i = 0; (semaphore = area_at(areas, "semaphore", i)); i++) {
		subject_poke64(subject, semaphore->addr - 8, UINT64_MAX);
		subject_poke64(subject, semaphore->addr, UINT64_MAX);
	}
}

const struct damage_case wait_cases[] = {
	THOROUGH_CASE(sudog_waitlink_self),
	THOROUGH_CASE(sudog_waitlink_ring),
	THOROUGH_CASE(sudog_waitlink_ring_of_one),
	THOROUGH_CASE(sudog_next_self),
	THOROUGH_CASE(sudog_next_ring),
	THOROUGH_CASE(sudog_tree_self),
	THOROUGH_CASE(sudog_tree_ring),
	THOROUGH_CASE(sudog_of_freed_g),
	THOROUGH_CASE(sudog_of_another_g),
	THOROUGH_CASE(sudog_of_no_g),
	THOROUGH_CASE(sudog_elem_self),
	THOROUGH_CASE(sudog_elem_wild),
	THOROUGH_CASE(sudog_channel_self),
	THOROUGH_CASE(sudog_channel_nil),
	THOROUGH_CASE(sudog_channel_of_another),
	THOROUGH_CASE(waiting_on_one),
	THOROUGH_CASE(waiting_on_itself),
	THOROUGH_CASE(waiting_on_nothing),
	THOROUGH_CASE(channel_queues_exchanged),
	THOROUGH_CASE(channel_queues_self),
	THOROUGH_CASE(channel_queues_empty),
	THOROUGH_CASE(waited_channels_full),
	THOROUGH_CASE(notify_lists_wild),
	THOROUGH_CASE(semaphores_wild),
	{0},
};
