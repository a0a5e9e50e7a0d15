#include "image/elf_file.h"

#include <string.h>

enum { NT_GO_BUILD_ID = 4 };

struct sw_bytes sw_bytes_part(struct sw_bytes whole, uint64_t offset, uint64_t size)
{
	if (offset > whole.size || size > whole.size - offset)
		return (struct sw_bytes){NULL, 0};
	return (struct sw_bytes){whole.bytes + offset, size};
}

static bool copy_part(struct sw_bytes file, uint64_t offset, void *out, size_t size)
{
	struct sw_bytes part = sw_bytes_part(file, offset, size);
	if (part.bytes)
		memcpy(out, part.bytes, size);
	return part.bytes != NULL;
}

bool sw_elf_header(struct sw_bytes file, Elf64_Ehdr *out)
{
	return copy_part(file, 0, out, sizeof(*out));
}

/* How many items of `size` bytes fit behind `offset`, at most `count`. */
static uint64_t fitting(struct sw_bytes file, uint64_t offset, uint64_t size, uint64_t count)
{
	if (offset > file.size)
		return 0;
	uint64_t room = (file.size - offset) / size;
	return count < room ? count : room;
}

unsigned sw_elf_segments(struct sw_bytes file)
{
	Elf64_Ehdr header;

	if (!sw_elf_header(file, &header) || header.e_phentsize != sizeof(Elf64_Phdr))
		return 0;
	return (unsigned)fitting(file, header.e_phoff, sizeof(Elf64_Phdr), header.e_phnum);
}

bool sw_elf_segment(struct sw_bytes file, unsigned index, Elf64_Phdr *out)
{
	Elf64_Ehdr header;

	return sw_elf_header(file, &header) && header.e_phoff <= file.size &&
	       copy_part(file, header.e_phoff + (uint64_t)index * sizeof(*out), out, sizeof(*out));
}

uint64_t sw_elf_sections(struct sw_bytes file)
{
	Elf64_Ehdr header;
	Elf64_Shdr first;

	if (!sw_elf_header(file, &header) || header.e_shentsize != sizeof(Elf64_Shdr) ||
	    !header.e_shoff)
		return 0;
	/* 65,280 and more are counted in section header 0 (gABI, extended numbering). */
	uint64_t count = header.e_shnum;
	if (!count && copy_part(file, header.e_shoff, &first, sizeof(first)))
		count = first.sh_size;
	return fitting(file, header.e_shoff, sizeof(Elf64_Shdr), count);
}

bool sw_elf_section(struct sw_bytes file, uint64_t index, Elf64_Shdr *out)
{
	Elf64_Ehdr header;

	return index < sw_elf_sections(file) && sw_elf_header(file, &header) &&
	       copy_part(file, header.e_shoff + index * sizeof(*out), out, sizeof(*out));
}

struct sw_bytes sw_elf_section_bytes(struct sw_bytes file, const Elf64_Shdr *section)
{
	if (section->sh_type == SHT_NOBITS)
		return (struct sw_bytes){NULL, 0};
	return sw_bytes_part(file, section->sh_offset, section->sh_size);
}

bool sw_elf_section_named(struct sw_bytes file, const char *name, Elf64_Shdr *out)
{
	Elf64_Ehdr header;
	Elf64_Shdr strings;
	uint64_t count = sw_elf_sections(file);
	size_t size = strlen(name) + 1;

	if (!count || !sw_elf_header(file, &header))
		return false;
	uint64_t index = header.e_shstrndx;
	if (index == SHN_XINDEX && sw_elf_section(file, 0, &strings))
		index = strings.sh_link;
	if (!sw_elf_section(file, index, &strings))
		return false;
	struct sw_bytes names = sw_elf_section_bytes(file, &strings);
	for (uint64_t i = 1; names.bytes && i < count; i++) {
		if (!sw_elf_section(file, i, out))
			return false;
		struct sw_bytes at = sw_bytes_part(names, out->sh_name, size);
		if (at.bytes && !memcmp(at.bytes, name, size))
			return true;
	}
	return false;
}

static uint64_t align_up(uint64_t size, uint64_t align)
{
	return (size + align - 1) / align * align;
}

struct sw_bytes sw_elf_build_id(struct sw_bytes notes, uint64_t align, bool *is_gnu)
{
	struct sw_bytes found = {NULL, 0};
	Elf64_Nhdr header;

	align = align == 8 ? 8 : 4;
	*is_gnu = false;
	for (uint64_t at = 0; copy_part(notes, at, &header, sizeof(header));) {
		uint64_t name_at = at + sizeof(header);
		uint64_t id_at = at + align_up(sizeof(header) + header.n_namesz, align);
		struct sw_bytes name = sw_bytes_part(notes, name_at, header.n_namesz);
		struct sw_bytes id = sw_bytes_part(notes, id_at, header.n_descsz);
		if (!name.bytes || !id.bytes)
			break;
		if (name.size == 4 && id.size) {
			if (header.n_type == NT_GNU_BUILD_ID && !memcmp(name.bytes, "GNU", 4)) {
				*is_gnu = true;
				return id;
			}
			if (header.n_type == NT_GO_BUILD_ID && !memcmp(name.bytes, "Go\0", 4))
				found = id;
		}
		at = id_at + align_up(header.n_descsz, align);
	}
	return found;
}
