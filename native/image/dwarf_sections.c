/* libdw is not given the image's own Elf: it unpacks every compressed debug section at once
 * (line tables and frames too, half of the time), and libelf writes into the section headers
 * while it does, which lie in a read-only mapping. So the sections that are needed are copied,
 * still packed, into a small ELF file in memory. Location and range lists are half of the rest
 * and only needed for locals: they stay without a name, unseen by libdw, until then. */
#include "image/dwarf_private.h"
#include "image/elf_file.h"

#include <stdio.h>

/* The names of sections without ".debug_"; those from first_hidden on stay hidden. */
struct wanted {
	const char *names[12];
	size_t count, first_hidden;
};

static const struct wanted wanted_for[] = {
	[SW_DWARF_TYPES] = {.names = {"info", "abbrev", "str", "line_str", "str_offsets", "addr",
				      /* for locals: */ "loc", "loclists", "ranges", "rnglists"},
			    .count = 10,
			    .first_hidden = 6},
	[SW_DWARF_LINES] = {.names = {"info", "abbrev", "str", "line_str", "str_offsets", "addr",
				      "ranges", "rnglists", "aranges", "line", "frame"},
			    .count = 11,
			    .first_hidden = 11},
};
enum { WANTED = 12, NAME_SIZE = 24 };

static uint64_t align8(uint64_t offset)
{
	return (offset + 7) & ~(uint64_t)7;
}

/* What is to be copied: the sections found, their names in the new file. */
struct plan {
	Elf64_Shdr from[WANTED], to[WANTED + 2];
	uint32_t name[WANTED]; /* offset into names */
	char names[WANTED * NAME_SIZE + NAME_SIZE];
	size_t names_size;
	size_t count, first_hidden;
	uint64_t size; /* of the new file */
};

static void plan_add(struct plan *plan, const Elf64_Shdr *section, const char *name)
{
	size_t i = plan->count++;

	plan->from[i] = *section;
	plan->name[i] = plan->names_size;
	plan->names_size += snprintf(plan->names + plan->names_size, NAME_SIZE, "%s", name) + 1;
	plan->to[i + 1] = *section;
	plan->to[i + 1].sh_flags &= SHF_COMPRESSED | SHF_MERGE | SHF_STRINGS;
	plan->to[i + 1].sh_type = SHT_PROGBITS;
	plan->to[i + 1].sh_name = plan->to[i + 1].sh_link = plan->to[i + 1].sh_info = 0;
	plan->to[i + 1].sh_addr = 0;
	plan->to[i + 1].sh_addralign = 1;
	plan->to[i + 1].sh_offset = plan->size;
	plan->size = align8(plan->size + section->sh_size);
}

static bool find(struct sw_bytes file, const char *prefix, const char *name, char *full,
		 Elf64_Shdr *out)
{
	snprintf(full, NAME_SIZE, "%s%s", prefix, name);
	return sw_elf_section_named(file, full, out) && sw_elf_section_bytes(file, out).bytes;
}

/* False when there is no .debug_info. gcc and Go before 1.19 can compress into .zdebug_. */
static bool plan_make(struct sw_bytes file, const struct wanted *wanted, struct plan *plan)
{
	memset(plan, 0, sizeof(*plan));
	plan->size = sizeof(Elf64_Ehdr);
	plan->names_size = 1;
	for (size_t i = 0; i < wanted->count; i++) {
		Elf64_Shdr section;
		char name[NAME_SIZE];

		if (i == wanted->first_hidden)
			plan->first_hidden = plan->count;
		if (find(file, ".debug_", wanted->names[i], name, &section) ||
		    find(file, ".zdebug_", wanted->names[i], name, &section))
			plan_add(plan, &section, name);
		else if (i == 0)
			return false;
	}
	if (wanted->first_hidden == wanted->count)
		plan->first_hidden = plan->count;
	return true;
}

/* The names come after the sections, the headers after the names. */
static void plan_finish(struct plan *plan, Elf64_Ehdr *file)
{
	Elf64_Shdr *names = &plan->to[plan->count + 1];

	names->sh_type = SHT_STRTAB;
	names->sh_offset = plan->size;
	names->sh_size = plan->names_size;
	names->sh_addralign = 1;
	plan->size = align8(plan->size + plan->names_size);
	file->e_phoff = file->e_phnum = 0;
	file->e_shoff = plan->size;
	file->e_shnum = plan->count + 2;
	file->e_shstrndx = plan->count + 1;
	plan->size += file->e_shnum * sizeof(Elf64_Shdr);
}

static struct sw_error *plan_copy(struct sw_bytes from, Elf64_Ehdr file, struct plan *plan,
				  struct sw_dwarf_sections *sections)
{
	plan_finish(plan, &file);
	sections->size = plan->size;
	sections->file = calloc(1, plan->size);
	if (!sections->file)
		return sw_error_memory();
	memcpy(sections->file, &file, sizeof(file));
	for (size_t i = 0; i < plan->count; i++) {
		if (i < plan->first_hidden)
			plan->to[i + 1].sh_name = plan->name[i];
		else
			sections->hidden[sections->hidden_count++] = plan->name[i];
		memcpy(sections->file + plan->to[i + 1].sh_offset,
		       sw_elf_section_bytes(from, &plan->from[i]).bytes, plan->from[i].sh_size);
	}
	sections->first_hidden = plan->first_hidden + 1;
	memcpy(sections->file + plan->to[plan->count + 1].sh_offset, plan->names, plan->names_size);
	memcpy(sections->file + file.e_shoff, plan->to, file.e_shnum * sizeof(Elf64_Shdr));
	return NULL;
}

struct sw_error *sw_dwarf_sections_open(const struct sw_image *image, enum sw_dwarf_purpose purpose,
					struct sw_dwarf_sections *sections)
{
	struct sw_bytes file = {image->bytes, image->size};
	Elf64_Ehdr header;
	struct plan plan;

	memset(sections, 0, sizeof(*sections));
	if (!sw_elf_header(file, &header) || !plan_make(file, &wanted_for[purpose], &plan))
		return sw_error_hint(
			sw_error_format(SW_ERR_NOT_FOUND, "%s: no debug information", image->path),
			"build it without -ldflags=-w or -s and do not strip it");
	struct sw_error *error = plan_copy(file, header, &plan, sections);
	if (error)
		return error;
	elf_version(EV_CURRENT);
	sections->elf = elf_memory((char *)sections->file, sections->size);
	if (sections->elf)
		return NULL;
	error = sw_error_format(SW_ERR_DAMAGED, "%s: debug sections: %s", image->path,
				elf_errmsg(-1));
	sw_dwarf_sections_close(sections);
	return error;
}

void sw_dwarf_sections_close(struct sw_dwarf_sections *sections)
{
	if (sections->elf)
		elf_end(sections->elf);
	free(sections->file);
	memset(sections, 0, sizeof(*sections));
}

bool sw_dwarf_sections_show(struct sw_dwarf_sections *sections)
{
	for (size_t i = 0; i < sections->hidden_count; i++) {
		Elf_Scn *section = elf_getscn(sections->elf, sections->first_hidden + i);
		GElf_Shdr header;

		if (!section || !gelf_getshdr(section, &header))
			return false;
		header.sh_name = sections->hidden[i];
		if (!gelf_update_shdr(section, &header))
			return false;
	}
	return true;
}
