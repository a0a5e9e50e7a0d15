/* Types and values of types that contradict themselves. */
#include "cases.h"

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

const struct damage_case type_cases[] = {
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
	{0},
};
