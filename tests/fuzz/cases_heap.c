/* Spans, specials, queues that contradict themselves. */
#include "cases.h"

/* ---- spans ---- */

static void spans_overlap(struct subject *subject, const struct areas *areas)
{
	const struct area *span, *first = area_at(areas, "mspan", 0);
	sw_addr base = subject_peek(subject, first->addr + areas->layout.mspan.startAddr);

	for (size_t i = 1; (span = area_at(areas, "mspan", i)); i++)
		subject_poke64(subject, span->addr + areas->layout.mspan.startAddr, base);
}

static void spans_overlap_by_a_page(struct subject *subject, const struct areas *areas)
{
	const struct area *span;

	for (size_t i = 0; (span = area_at(areas, "mspan", i)); i++) {
		sw_addr at = span->addr + areas->layout.mspan.npages;
		subject_poke64(subject, at, subject_peek(subject, at) + 1);
	}
}

static void allspans_same(struct subject *subject, const struct areas *areas)
{
	const struct area *list = area_at(areas, "allspans", 0), *span = area_at(areas, "mspan", 1);

	for (uint64_t i = 0; i < list->size / 8; i++)
		subject_poke64(subject, list->addr + 8 * i, span->addr);
}

static void allspans_long(struct subject *subject, const struct areas *areas)
{
	subject_poke64(subject, areas->globals.mheap_ + areas->layout.mheap.allspans + 8,
		       (1 << 28) - 1);
}

static void span_nelems(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "mspan", areas->layout.mspan.nelems, UINT64_MAX,
		 areas->layout.mspan.index_size);
}

static void span_nelems_zero(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "mspan", areas->layout.mspan.nelems, 0,
		 areas->layout.mspan.index_size);
}

static void span_elemsize_one(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "mspan", areas->layout.mspan.elemsize, 1, 8);
	poke_all(subject, areas, "mspan", areas->layout.mspan.nelems, 8192,
		 areas->layout.mspan.index_size);
	poke_all(subject, areas, "mspan", areas->layout.mspan.spanclass, 10, 1);
}

static void span_elemsize_odd(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "mspan", areas->layout.mspan.elemsize, 8191, 8);
	poke_all(subject, areas, "mspan", areas->layout.mspan.nelems, 1,
		 areas->layout.mspan.index_size);
}

static void span_elemsize_huge(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "mspan", areas->layout.mspan.elemsize, 1ull << 46, 8);
	poke_all(subject, areas, "mspan", areas->layout.mspan.npages, 1ull << 34, 8);
	poke_all(subject, areas, "mspan", areas->layout.mspan.nelems, 1,
		 areas->layout.mspan.index_size);
}

static void span_pages(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "mspan", areas->layout.mspan.npages, 1ull << 34, 8);
}

/* A terabyte that the target does not have. */
static void span_one_of_a_terabyte(struct subject *subject, const struct areas *areas)
{
	sw_addr span = area_at(areas, "mspan", 3)->addr;

	subject_poke64(subject, span + areas->layout.mspan.npages, 1ull << 27);
}

/* One span says that it lies where another one is. */
static void span_moved(struct subject *subject, const struct areas *areas)
{
	const struct area *to = area_at(areas, "mspan", 5), *span = area_at(areas, "mspan", 6);
	sw_offset base = areas->layout.mspan.startAddr;

	subject_poke64(subject, span->addr + base, subject_peek(subject, to->addr + base));
	subject_poke64(subject, span->addr + areas->layout.mspan.limit,
		       subject_peek(subject, to->addr + areas->layout.mspan.limit));
}

static void span_large(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "mspan", areas->layout.mspan.spanclass, 0, 1);
}

void span_pointers_everywhere(struct subject *subject, const struct areas *areas)
{
	const struct area *span;

	for (size_t i = 0; (span = area_at(areas, "mspan", i)); i++) {
		sw_addr at = span->addr + areas->layout.mspan.spanclass;
		uint8_t class = (uint8_t)(subject_peek(subject, at) & 0xfe);
		subject_poke(subject, at, &class, 1);
	}
}

static void span_bits_at_the_end(struct subject *subject, const struct areas *areas)
{
	const struct area *heap = area_at(areas, "heap", 0);
	struct place place;

	if (!subject_find(subject, heap->addr, &place))
		return;
	poke_all(subject, areas, "mspan", areas->layout.mspan.allocBits,
		 heap->addr + place.room - 8, 8);
	poke_all(subject, areas, "mspan", areas->layout.mspan.gcmarkBits,
		 heap->addr + place.room - 8, 8);
}

static void inline_marks_everywhere(struct subject *subject, const struct areas *areas)
{
	uint8_t bits[1024];
	const struct area *arena;

	memset(bits, 0xff, sizeof(bits));
	for (size_t i = 0; (arena = area_at(areas, "arena", i)); i++)
		if (arena->size > 8)
			subject_poke(subject, arena->addr, bits, sizeof(bits));
}

/* The next sweep has not begun: the mark bits count. */
static void spans_unswept(struct subject *subject, const struct areas *areas)
{
	sw_addr at = areas->globals.mheap_ + areas->layout.mheap.sweepgen;
	uint32_t generation = (uint32_t)subject_peek(subject, at) + 2;

	subject_poke(subject, at, &generation, sizeof(generation));
}

static void inline_marks_unswept(struct subject *subject, const struct areas *areas)
{
	inline_marks_everywhere(subject, areas);
	spans_unswept(subject, areas);
}

/* One past what mheap_ says: being swept. */
static void spans_being_swept(struct subject *subject, const struct areas *areas)
{
	sw_addr at = areas->globals.mheap_ + areas->layout.mheap.sweepgen;
	uint32_t generation = (uint32_t)subject_peek(subject, at) + 1;

	subject_poke(subject, at, &generation, sizeof(generation));
}

static void collecting(struct subject *subject, const struct areas *areas)
{
	uint32_t phase = 1;

	subject_poke(subject, areas->globals.gcphase, &phase, sizeof(phase));
}

static void phase_wild(struct subject *subject, const struct areas *areas)
{
	uint32_t phase = 77;

	subject_poke(subject, areas->globals.gcphase, &phase, sizeof(phase));
}

/* ---- specials and queues ---- */

static void special_self(struct subject *subject, const struct areas *areas)
{
	make_cycle(subject, areas, "special", areas->layout.special.next, true);
}

static void special_ring(struct subject *subject, const struct areas *areas)
{
	make_cycle(subject, areas, "special", areas->layout.special.next, false);
}

static void special_offset(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "special", areas->layout.special.offset, UINT64_MAX - 7,
		 areas->layout.special.offset_size);
}

static void special_kinds(struct subject *subject, const struct areas *areas)
{
	const struct area *special;

	for (size_t i = 0; (special = area_at(areas, "special", i)); i++) {
		uint8_t kind = (uint8_t)(i % 12);
		subject_poke(subject, special->addr + areas->layout.special.kind, &kind, 1);
	}
}

static void finblock_self(struct subject *subject, const struct areas *areas)
{
	make_cycle(subject, areas, "finblock", areas->layout.finblock.alllink, true);
	poke_all(subject, areas, "finblock", areas->layout.finblock.cnt, UINT32_MAX, 4);
}

static void queue_rings(struct subject *subject, const struct areas *areas)
{
	make_cycle(subject, areas, "finblock", areas->layout.finblock.alllink, false);
	make_cycle(subject, areas, "cleanup block", areas->layout.cleanupBlock.alllink, false);
	poke_all(subject, areas, "finblock", areas->layout.finblock.cnt, 100, 4);
}

/* Where a span of terabytes has specials in a ring. */
static void special_self_of_many_pages(struct subject *subject, const struct areas *areas)
{
	span_pages(subject, areas);
	make_cycle(subject, areas, "special", areas->layout.special.next, true);
}

static void cleanup_self(struct subject *subject, const struct areas *areas)
{
	make_cycle(subject, areas, "cleanup block", areas->layout.cleanupBlock.alllink, true);
	poke_all(subject, areas, "cleanup block", areas->layout.cleanupBlock.n, UINT32_MAX, 4);
}

const struct damage_case heap_cases[] = {
	CASE(spans_overlap),
	CASE(spans_overlap_by_a_page),
	CASE(allspans_same),
	CASE(allspans_long),
	CASE(span_nelems),
	CASE(span_nelems_zero),
	CASE(span_elemsize_one),
	CASE(span_elemsize_odd),
	CASE(span_elemsize_huge),
	CASE(span_pages),
	CASE(span_one_of_a_terabyte),
	CASE(span_moved),
	CASE(span_large),
	CASE(span_pointers_everywhere),
	CASE(span_bits_at_the_end),
	CASE(inline_marks_everywhere),
	CASE(spans_unswept),
	CASE(inline_marks_unswept),
	CASE(spans_being_swept),
	CASE(collecting),
	CASE(phase_wild),
	CASE(special_self),
	CASE(special_ring),
	CASE(special_offset),
	CASE(special_kinds),
	CASE(special_self_of_many_pages),
	CASE(finblock_self),
	CASE(queue_rings),
	CASE(cleanup_self),
	{0},
};
