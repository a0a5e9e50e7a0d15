/* Modules and files that contradict themselves, and whole parts that are zero. */
#include "cases.h"

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

/* No name of a function is UTF-8. */
static void module_names_wild(struct subject *subject, const struct areas *areas)
{
	const struct area *names = area_at(areas, "funcnametab", 0);
	uint8_t wild[4096];

	memset(wild, 0xff, sizeof(wild));
	for (uint64_t at = 0; names && at < names->size; at += sizeof(wild))
		subject_write(subject, names->file, names->offset + at, wild,
			      names->size - at < sizeof(wild) ? names->size - at : sizeof(wild));
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

const struct damage_case module_cases[] = {
	CASE(module_next_self),
	CASE(module_text_everything),
	CASE(module_ftab_long),
	CASE(module_ftab_short),
	CASE(module_pctab_short),
	CASE(module_types_everything),
	CASE(module_data_wide),
	CASE(module_masks_full),
	CASE(module_names_wild),
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
