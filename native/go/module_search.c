/* The first module's data without symbols: by the header of the function tables, to which it
 * points. */
#include "go/field.h"

enum {
	ALIGNMENT = 8, /* of moduledata */
	START = 32,    /* bytes: moduledata begins with pcHeader and funcnametab, 1.18–1.27 */

	/* runtime/symtab.go pcHeader, 1.18–1.27 */
	NFUNC = 8,
	FUNCNAME_OFFSET = 32,
	CU_OFFSET = 40,
	FILETAB_OFFSET = 48,
	PCTAB_OFFSET = 56,
	PCLN_OFFSET = 64,
};

struct search {
	const struct sw_go *go;
	sw_addr found, second;	 /* module data that fits, and another */
	sw_addr nearest;	 /* what points to a header and does not fit */
	const char *nearest_why; /* the field that does not */
};

/* The first word of a header: magic, two zeros, the size of an instruction, that of a pointer. */
static uint64_t first_word(const struct sw_go *go)
{
	uint64_t magic = go->minor >= 20 ? 0xfffffff1 : 0xfffffff0;
	uint64_t quantum = go->arch == SW_ARCH_ARM64 ? 4 : 1;
	return magic | quantum << 48 | (uint64_t)8 << 56;
}

/* ---- is it one? ---- */

/* Tables of the module that stand where the header says. */
static const char *misfit_of_tables(const struct sw_go *go, sw_addr module, sw_addr header)
{
	const struct {
		const char *name;
		sw_offset field;
		unsigned offset;
	} tables[] = {
		{"funcnametab", go->layout.moduledata.funcnametab, FUNCNAME_OFFSET},
		{"cutab", go->layout.moduledata.cutab, CU_OFFSET},
		{"filetab", go->layout.moduledata.filetab, FILETAB_OFFSET},
		{"pctab", go->layout.moduledata.pctab, PCTAB_OFFSET},
		{"pclntable", go->layout.moduledata.pclntable, PCLN_OFFSET},
		{"ftab", go->layout.moduledata.ftab, PCLN_OFFSET},
	};
	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		if (sw_go_word_at(go, module, tables[i].field) !=
		    header + sw_go_word_at(go, header, tables[i].offset))
			return tables[i].name;
	if (sw_go_word_at(go, module, go->layout.moduledata.ftab + 8) !=
	    sw_go_word_at(go, header, NFUNC) + 1)
		return "ftab";
	return NULL;
}

/* The text's ends, as the first and the last entry of ftab have them. When an external linker was
 * given the text in several sections, these are not offsets into the whole. */
static const char *misfit_of_text(const struct sw_go *go, sw_addr module)
{
	const __typeof__(go->layout.moduledata) *fields = &go->layout.moduledata;
	sw_addr text = sw_go_word_at(go, module, fields->text),
		etext = sw_go_word_at(go, module, fields->etext);
	sw_addr minpc = sw_go_word_at(go, module, fields->minpc);
	sw_addr maxpc = sw_go_word_at(go, module, fields->maxpc);
	sw_addr ftab = sw_go_word_at(go, module, fields->ftab);
	uint64_t count = sw_go_word_at(go, module, fields->ftab + 8);
	uint32_t first = 0, last = 0;

	if (text >= etext)
		return "text";
	if (minpc < text || minpc >= maxpc)
		return "minpc";
	if (maxpc > etext)
		return "maxpc";
	if (!sw_memory_u32(go->memory, ftab, &first) ||
	    !sw_memory_u32(go->memory, ftab + (count - 1) * 8, &last))
		return "ftab";
	if (sw_go_word_at(go, module, fields->textsectmap + 8) > 1)
		return NULL;
	return text + first != minpc ? "minpc" : text + last != maxpc ? "maxpc" : NULL;
}

static const char *misfit_of_data(const struct sw_go *go, sw_addr module)
{
	const __typeof__(go->layout.moduledata) *fields = &go->layout.moduledata;
	const struct {
		const char *name;
		sw_offset start, end;
	} ranges[] = {
		{"noptrdata", fields->noptrdata, fields->enoptrdata},
		{"data", fields->data, fields->edata},
		{"bss", fields->bss, fields->ebss},
		{"noptrbss", fields->noptrbss, fields->enoptrbss},
		{"types", fields->types, fields->etypes},
	};
	for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++)
		if (sw_go_word_at(go, module, ranges[i].start) >
		    sw_go_word_at(go, module, ranges[i].end))
			return ranges[i].name;
	return NULL;
}

/* As the runtime checks it, runtime/symtab.go moduledataverify1, and a little more: the name of
 * the field that is not as it must be, NULL for sound module data. */
static const char *misfit(const struct sw_go *go, sw_addr module, sw_addr header)
{
	const char *why = misfit_of_tables(go, module, header);
	if (!why)
		why = misfit_of_text(go, module);
	if (!why)
		why = misfit_of_data(go, module);
	sw_addr next = sw_go_word_at(go, module, go->layout.moduledata.next);
	if (!why && next && !sw_memory_view(go->memory, next, 8))
		why = "next";
	return why;
}

/* ---- where is it? ---- */

/* A pointer, and a table behind it whose length is its capacity: few words are followed so. */
static bool may_be_start(const uint8_t *bytes)
{
	uint64_t header = sw_load64(bytes), names = sw_load64(bytes + 8);
	return header && names > header && names - header <= UINT32_MAX &&
	       sw_load64(bytes + 16) == sw_load64(bytes + 24);
}

static void look_at(struct search *search, sw_addr at)
{
	sw_addr header = sw_go_word_at(search->go, at, 0);
	if (sw_go_word_at(search->go, header, 0) != first_word(search->go))
		return;
	const char *why = misfit(search->go, at, header);
	if (!why && search->found) {
		search->second = at;
	} else if (!why) {
		search->found = at;
	} else if (!search->nearest) {
		search->nearest = at;
		search->nearest_why = why;
	}
}

static void look_in_region(struct search *search, const struct sw_region *region, sw_addr start,
			   sw_addr end)
{
	start = start > region->addr ? start : region->addr;
	if (end > region->addr + region->size)
		end = region->addr + region->size;
	start = (start + ALIGNMENT - 1) & ~(sw_addr)(ALIGNMENT - 1);
	for (sw_addr at = start; at < end; at += ALIGNMENT)
		if (end - at < START || may_be_start(region->bytes + (at - region->addr)))
			look_at(search, at);
}

/* In the writable segments of the image, as far as the file has them. */
static void look_in_image(struct search *search)
{
	const struct sw_image *image = search->go->image;
	const struct sw_memory *memory = search->go->memory;
	size_t count = 0;

	elf_getphdrnum(image->elf, &count);
	for (size_t i = 0; i < count; i++) {
		GElf_Phdr segment;
		sw_addr end;
		if (!gelf_getphdr(image->elf, (int)i, &segment) || segment.p_type != PT_LOAD ||
		    !(segment.p_flags & PF_W))
			continue;
		sw_addr start = image->bias + segment.p_vaddr;
		if (__builtin_add_overflow(start, segment.p_filesz, &end))
			continue;
		for (size_t k = 0; k < memory->count; k++)
			if (memory->regions[k].addr < end &&
			    memory->regions[k].addr + memory->regions[k].size > start)
				look_in_region(search, &memory->regions[k], start, end);
	}
}

/* ---- */

static struct sw_error *give_up(const struct search *search)
{
	const struct sw_go *go = search->go;
	struct sw_error *error;

	if (search->second)
		error = sw_error_format(SW_ERR_UNSUPPORTED,
					"two places fit runtime.firstmoduledata: 0x%llx and 0x%llx",
					(unsigned long long)search->found,
					(unsigned long long)search->second);
	else if (search->nearest)
		error = sw_error_format(SW_ERR_UNSUPPORTED,
					"no place fits runtime.firstmoduledata of Go 1.%u: at "
					"0x%llx it is %s that does not",
					go->minor, (unsigned long long)search->nearest,
					search->nearest_why);
	else
		error = sw_error_format(SW_ERR_UNSUPPORTED,
					"no place fits runtime.firstmoduledata of Go 1.%u: nothing "
					"in %s points to a function table of that release",
					go->minor, go->image->path);
	return sw_error_hint(error, "give the unstripped build of the same program with "
				    "--symbols FILE");
}

struct sw_error *sw_go_find_first_module(struct sw_go *go)
{
	struct search search = {.go = go};

	if (sw_image_symbol(go->image, "runtime.firstmoduledata", &go->globals.firstmoduledata,
			    NULL))
		return NULL;
	look_in_image(&search);
	if (!search.found || search.second)
		return give_up(&search);
	go->globals.firstmoduledata = search.found;
	return NULL;
}
