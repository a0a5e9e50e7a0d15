/* Damage by construction: each case is one way in which a heap's tables can contradict
 * themselves. */
#include "damage.h"

enum { MANY = 64 };

static const struct area *area_at(const struct areas *areas, const char *name, size_t index)
{
	const struct area_kind *kind = areas_kind(areas, name);

	return kind && index < kind->areas.count ? &kind->areas.items[index] : NULL;
}

/* Writes the word at an offset of every area of a kind (at most MANY). */
static void poke_all(struct subject *subject, const struct areas *areas, const char *name,
		     sw_offset offset, uint64_t word, unsigned size)
{
	const struct area *area;

	for (size_t i = 0; i < MANY && (area = area_at(areas, name, i)); i++)
		subject_poke(subject, area->addr + offset, &word, size);
}

/* Every item of a list refers to itself (distance 0) or to the item before it. */
static void make_cycle(struct subject *subject, const struct areas *areas, const char *name,
		       sw_offset link, bool to_itself)
{
	const struct area *area, *first = area_at(areas, name, 0), *last = first;

	for (size_t i = 0; (area = area_at(areas, name, i)); i++) {
		if (to_itself)
			subject_poke64(subject, area->addr + link, area->addr);
		last = area;
	}
	if (!to_itself && first)
		subject_poke64(subject, last->addr + link, first->addr);
}

/* ---- threads and goroutines ---- */

static void allm_self(struct subject *subject, const struct areas *areas)
{
	make_cycle(subject, areas, "m", areas->layout.m.alllink, true);
}

static void allm_ring(struct subject *subject, const struct areas *areas)
{
	make_cycle(subject, areas, "m", areas->layout.m.alllink, false);
}

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

static void allp_long(struct subject *subject, const struct areas *areas)
{
	subject_poke64(subject, areas->globals.allp + 8, INT64_MAX);
}

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
	make_cycle(subject, areas, "panic", 0, true);
	make_cycle(subject, areas, "panic", 8, true);
}

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

static void span_large(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "mspan", areas->layout.mspan.spanclass, 0, 1);
}

static void span_pointers_everywhere(struct subject *subject, const struct areas *areas)
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

static void cleanup_self(struct subject *subject, const struct areas *areas)
{
	make_cycle(subject, areas, "cleanup block", areas->layout.cleanupBlock.alllink, true);
	poke_all(subject, areas, "cleanup block", areas->layout.cleanupBlock.n, UINT32_MAX, 4);
}

/* ---- types; internal/abi/type.go: Size_ 0, PtrBytes 8, TFlag 20, Kind_ 23, GCData 32, then what
 * the kind has from 48 on ---- */

static void type_words(struct subject *subject, const struct areas *areas, sw_offset offset,
		       uint64_t word)
{
	const struct area *type;

	for (size_t i = 0; (type = area_at(areas, "type", i)); i++)
		subject_poke64(subject, type->addr + offset, word ? word : type->addr);
}

static void type_elem_self(struct subject *subject, const struct areas *areas)
{
	type_words(subject, areas, 48, 0);
}

static void type_all_self(struct subject *subject, const struct areas *areas)
{
	for (sw_offset offset = 48; offset <= 88; offset += 8)
		type_words(subject, areas, offset, 0);
}

static void type_size_huge(struct subject *subject, const struct areas *areas)
{
	type_words(subject, areas, 0, INT64_MAX - 7);
}

static void type_size_one(struct subject *subject, const struct areas *areas)
{
	type_words(subject, areas, 0, 1);
}

static void type_pointers_huge(struct subject *subject, const struct areas *areas)
{
	type_words(subject, areas, 8, 1ull << 62);
	type_words(subject, areas, 0, 1ull << 62);
}

static void type_mask_wild(struct subject *subject, const struct areas *areas)
{
	type_words(subject, areas, 32, 0xffff800000000000);
}

static void type_count_huge(struct subject *subject, const struct areas *areas)
{
	type_words(subject, areas, 64, 1ull << 60);
}

static void type_flags(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "type", 20, 0xff, 1);
}

/* All types of one kind: arrays, structs, maps, … of themselves. */
static void type_kind(struct subject *subject, const struct areas *areas, uint8_t kind)
{
	const struct area *type;

	for (size_t i = 0; (type = area_at(areas, "type", i)); i++)
		subject_poke(subject, type->addr + 23, &kind, 1);
}

#define TYPE_KIND(name, kind)                                                \
	static void name(struct subject *subject, const struct areas *areas) \
	{                                                                    \
		type_kind(subject, areas, kind);                             \
	}
TYPE_KIND(types_all_arrays, SW_KIND_ARRAY)
TYPE_KIND(types_all_structs, SW_KIND_STRUCT)
TYPE_KIND(types_all_maps, SW_KIND_MAP)
TYPE_KIND(types_all_pointers, SW_KIND_POINTER)
TYPE_KIND(types_all_channels, SW_KIND_CHAN)
TYPE_KIND(types_all_invalid, 63)

static void types_arrays_of_themselves(struct subject *subject, const struct areas *areas)
{
	types_all_arrays(subject, areas);
	type_elem_self(subject, areas);
	type_count_huge(subject, areas);
}

/* Masks as programs that never end (internal/abi KindGCProg, bit 6, until 1.23). */
static void types_programs(struct subject *subject, const struct areas *areas)
{
	const struct area *type, *mask;
	static const uint8_t endless[] = {0x80, 0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff};

	for (size_t i = 0; (type = area_at(areas, "type", i)); i++) {
		uint8_t kind = (uint8_t)(subject_peek(subject, type->addr + 23) | 64);
		subject_poke(subject, type->addr + 23, &kind, 1);
	}
	for (size_t i = 0; (mask = area_at(areas, "type mask", i)); i++)
		subject_poke(subject, mask->addr, endless, sizeof(endless));
}

/* ---- values ---- */

/* runtime/map.go hmap: count, flags, B, …; internal/runtime/maps.Map: used, seed, dirPtr, dirLen,
 * globalDepth, globalShift: every word after the first in turn becomes huge. */
static void map_words(struct subject *subject, const struct areas *areas, uint64_t word)
{
	const struct area *map;

	for (size_t i = 0; (map = area_at(areas, "map header", i)); i++)
		for (uint64_t at = i % 6 * 8; at + 8 <= map->size; at += 48)
			subject_poke64(subject, map->addr + at, word);
}

static void maps_huge(struct subject *subject, const struct areas *areas)
{
	map_words(subject, areas, INT64_MAX);
}

static void maps_negative(struct subject *subject, const struct areas *areas)
{
	map_words(subject, areas, UINT64_MAX);
}

static void maps_of_buckets(struct subject *subject, const struct areas *areas)
{
	const struct area *map;
	uint8_t bits = 63;

	for (size_t i = 0; (map = area_at(areas, "map header", i)); i++)
		subject_poke(subject, map->addr + 9, &bits, 1); /* hmap.B */
}

/* maps.Map.dirLen at 24, dirPtr at 16. */
static void map_directory_long(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "map header", 24, 1ull << 50, 8);
}

static void map_directory_self(struct subject *subject, const struct areas *areas)
{
	const struct area *map, *directory;

	for (size_t i = 0; (map = area_at(areas, "map header", i)); i++)
		subject_poke64(subject, map->addr + 16, map->addr);
	for (size_t i = 0; (directory = area_at(areas, "map directory", i)); i++)
		for (uint64_t at = 0; at < directory->size; at += 8)
			subject_poke64(subject, directory->addr + at, directory->addr);
}

/* maps.table: groups.data and lengthMask are its last words. */
static void map_tables_huge(struct subject *subject, const struct areas *areas)
{
	for (sw_offset offset = 0; offset < 40; offset += 8)
		poke_all(subject, areas, "map table", offset, UINT64_MAX >> 1, 8);
}

static void channels_full(struct subject *subject, const struct areas *areas)
{
	poke_all(subject, areas, "channel", areas->layout.hchan.qcount, INT64_MAX, 8);
	poke_all(subject, areas, "channel", areas->layout.hchan.dataqsiz, INT64_MAX, 8);
}

static void channels_of_nothing(struct subject *subject, const struct areas *areas)
{
	const struct area *channel;

	poke_all(subject, areas, "channel", areas->layout.hchan.elemsize, 0, 2);
	for (size_t i = 0; (channel = area_at(areas, "channel", i)); i++)
		subject_poke64(subject, channel->addr + areas->layout.hchan.buf, channel->addr);
}

static void headers_wild(struct subject *subject, const struct areas *areas)
{
	const struct area *header;

	for (size_t i = 0; (header = area_at(areas, "malloc header", i)); i++)
		subject_poke64(subject, header->addr, header->addr + 8);
}

/* ---- modules ---- */

static void module_word(struct subject *subject, const struct areas *areas, sw_offset offset,
			uint64_t word)
{
	const struct area *module = area_at(areas, "moduledata", 0);

	if (offset != SW_ABSENT)
		subject_poke64(subject, module->addr + offset, word);
}

static void module_next_self(struct subject *subject, const struct areas *areas)
{
	module_word(subject, areas, areas->layout.moduledata.next,
		    area_at(areas, "moduledata", 0)->addr);
	subject_poke64(subject, areas->globals.modulesSlice, 0);
}

static void modules_long(struct subject *subject, const struct areas *areas)
{
	subject_poke64(subject, subject_peek(subject, areas->globals.modulesSlice) + 8, 1023);
}

static void module_text_everything(struct subject *subject, const struct areas *areas)
{
	module_word(subject, areas, areas->layout.moduledata.text, 0);
	module_word(subject, areas, areas->layout.moduledata.etext, UINT64_MAX);
}

static void module_ftab_long(struct subject *subject, const struct areas *areas)
{
	module_word(subject, areas, areas->layout.moduledata.ftab + 8, UINT32_MAX);
}

static void module_ftab_short(struct subject *subject, const struct areas *areas)
{
	module_word(subject, areas, areas->layout.moduledata.ftab + 8, 1);
}

static void module_pctab_short(struct subject *subject, const struct areas *areas)
{
	module_word(subject, areas, areas->layout.moduledata.pctab + 8, 3);
}

static void module_types_everything(struct subject *subject, const struct areas *areas)
{
	module_word(subject, areas, areas->layout.moduledata.types, 0);
	module_word(subject, areas, areas->layout.moduledata.etypes, UINT64_MAX);
}

static void module_data_wide(struct subject *subject, const struct areas *areas)
{
	module_word(subject, areas, areas->layout.moduledata.data, 0);
	module_word(subject, areas, areas->layout.moduledata.ebss, 1ull << 47);
}

static void module_masks_full(struct subject *subject, const struct areas *areas)
{
	const struct area *mask;
	uint8_t ones[4096];

	memset(ones, 0xff, sizeof(ones));
	for (size_t i = 0; (mask = area_at(areas, "globals' masks", i)); i++)
		for (uint64_t at = 0; at < mask->size; at += sizeof(ones))
			subject_poke(subject, mask->addr + at, ones,
				     mask->size - at < sizeof(ones) ? mask->size - at
								    : sizeof(ones));
}

static void pointers_everywhere(struct subject *subject, const struct areas *areas)
{
	span_pointers_everywhere(subject, areas);
	module_masks_full(subject, areas);
}

/* ---- files ---- */

static void core_segments_same(struct subject *subject, const struct areas *areas)
{
	const struct area *segment, *first = area_at(areas, "core segment", 1);

	for (size_t i = 2; (segment = area_at(areas, "core segment", i)); i++)
		subject_write(subject, CORE, segment->offset,
			      subject->files[CORE].bytes + first->offset, first->size);
}

static void core_segments_endless(struct subject *subject, const struct areas *areas)
{
	const struct area *segment;
	uint64_t size = UINT64_MAX;

	for (size_t i = 0; (segment = area_at(areas, "core segment", i)); i++)
		subject_write(subject, CORE, segment->offset + offsetof(Elf64_Phdr, p_filesz),
			      &size, 8);
}

static void core_segments_at_the_top(struct subject *subject, const struct areas *areas)
{
	const struct area *segment;
	uint64_t address = -4096ull;

	for (size_t i = 1; (segment = area_at(areas, "core segment", i)); i++)
		subject_write(subject, CORE, segment->offset + offsetof(Elf64_Phdr, p_vaddr),
			      &address, 8);
}

static void core_notes_endless(struct subject *subject, const struct areas *areas)
{
	const struct area *notes = area_at(areas, "core notes", 0);
	uint32_t sizes[2] = {UINT32_MAX, UINT32_MAX - 3};

	subject_write(subject, CORE, notes->offset, sizes, sizeof(sizes));
}

static void exe_sections_endless(struct subject *subject, const struct areas *areas)
{
	const struct area *section;
	uint64_t size = UINT64_MAX;

	for (size_t i = 1; (section = area_at(areas, "exe section", i)); i++)
		subject_write(subject, EXE, section->offset + offsetof(Elf64_Shdr, sh_size), &size,
			      8);
}

static void exe_sections_gone(struct subject *subject, const struct areas *areas)
{
	uint8_t zeroes[sizeof(Elf64_Shdr)] = {0};
	const struct area *section;

	for (size_t i = 0; (section = area_at(areas, "exe section", i)); i++)
		subject_write(subject, EXE, section->offset, zeroes, sizeof(zeroes));
}

static void zero_kind(struct subject *subject, const struct areas *areas, const char *name)
{
	static const uint8_t zeroes[4096];
	const struct area *area;

	for (size_t i = 0; (area = area_at(areas, name, i)); i++)
		for (uint64_t at = 0; at < area->size; at += sizeof(zeroes))
			subject_write(subject, area->file, area->offset + at, zeroes,
				      area->size - at < sizeof(zeroes) ? area->size - at
								       : sizeof(zeroes));
}

#define ZERO(name, kind)                                                     \
	static void name(struct subject *subject, const struct areas *areas) \
	{                                                                    \
		zero_kind(subject, areas, kind);                             \
	}
ZERO(zero_spans, "mspan")
ZERO(zero_heap, "heap")
ZERO(zero_stacks, "stack")
ZERO(zero_goroutines, "g")
ZERO(zero_types, "types")
ZERO(zero_functions, "pclntable")
ZERO(zero_data, "data")
ZERO(zero_variables, "bss")
ZERO(zero_module, "moduledata")
ZERO(zero_debug_info, ".debug_info")
ZERO(zero_debug_abbrev, ".debug_abbrev")
ZERO(zero_symbols, ".symtab")

#define CASE(name)          \
	{                   \
#name, name \
	}
const struct damage_case damage_cases[] = {
	CASE(allm_self),
	CASE(allm_ring),
	CASE(allgs_same),
	CASE(allgs_in_itself),
	CASE(allgs_long),
	CASE(allgs_endless),
	CASE(allp_long),
	CASE(defer_self),
	CASE(defer_ring),
	CASE(defer_is_g),
	CASE(panic_self),
	CASE(stack_whole_space),
	CASE(stack_empty),
	CASE(stack_is_heap),
	CASE(stack_pointer_low),
	CASE(stack_one_function),
	CASE(status_running),
	CASE(status_copystack),
	CASE(status_wild),
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
	CASE(finblock_self),
	CASE(cleanup_self),
	CASE(type_elem_self),
	CASE(type_all_self),
	CASE(type_size_huge),
	CASE(type_size_one),
	CASE(type_pointers_huge),
	CASE(type_mask_wild),
	CASE(type_count_huge),
	CASE(type_flags),
	CASE(types_all_arrays),
	CASE(types_all_structs),
	CASE(types_all_maps),
	CASE(types_all_pointers),
	CASE(types_all_channels),
	CASE(types_all_invalid),
	CASE(types_arrays_of_themselves),
	CASE(types_programs),
	CASE(maps_huge),
	CASE(maps_negative),
	CASE(maps_of_buckets),
	CASE(map_directory_long),
	CASE(map_directory_self),
	CASE(map_tables_huge),
	CASE(channels_full),
	CASE(channels_of_nothing),
	CASE(headers_wild),
	CASE(module_next_self),
	CASE(modules_long),
	CASE(module_text_everything),
	CASE(module_ftab_long),
	CASE(module_ftab_short),
	CASE(module_pctab_short),
	CASE(module_types_everything),
	CASE(module_data_wide),
	CASE(module_masks_full),
	CASE(pointers_everywhere),
	CASE(core_segments_same),
	CASE(core_segments_endless),
	CASE(core_segments_at_the_top),
	CASE(core_notes_endless),
	CASE(exe_sections_endless),
	CASE(exe_sections_gone),
	CASE(zero_spans),
	CASE(zero_heap),
	CASE(zero_stacks),
	CASE(zero_goroutines),
	CASE(zero_types),
	CASE(zero_functions),
	CASE(zero_data),
	CASE(zero_variables),
	CASE(zero_module),
	CASE(zero_debug_info),
	CASE(zero_debug_abbrev),
	CASE(zero_symbols),
	{0},
};
