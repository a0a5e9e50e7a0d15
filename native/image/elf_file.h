/* Reading an ELF file's own tables from its bytes, each offset checked. Private to image/. */
#ifndef SW_IMAGE_ELF_FILE_H
#define SW_IMAGE_ELF_FILE_H

#include "base/error.h"

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

/* size readable bytes of an ELF64 file, or of a part of one in a target's memory. */
struct sw_bytes {
	const uint8_t *bytes;
	uint64_t size;
};

/* The part [offset, offset + size); bytes is NULL when it does not fit. */
struct sw_bytes sw_bytes_part(struct sw_bytes whole, uint64_t offset, uint64_t size);

/* False when there are too few bytes. */
bool sw_elf_header(struct sw_bytes file, Elf64_Ehdr *out);

/* Number of program headers that the file has room for. */
unsigned sw_elf_segments(struct sw_bytes file);
bool sw_elf_segment(struct sw_bytes file, unsigned index, Elf64_Phdr *out);

/* Number of section headers that the file has room for; 0 when they are stripped. */
uint64_t sw_elf_sections(struct sw_bytes file);
bool sw_elf_section(struct sw_bytes file, uint64_t index, Elf64_Shdr *out);
bool sw_elf_section_named(struct sw_bytes file, const char *name, Elf64_Shdr *out);

/* The bytes that a section has in the file; NULL for SHT_NOBITS and for what does not fit. */
struct sw_bytes sw_elf_section_bytes(struct sw_bytes file, const Elf64_Shdr *section);

/* The build id among notes: GNU's (NT_GNU_BUILD_ID), else Go's ("Go", type 4; cmd/link/internal/
 * ld/elf.go of Go 1.5–1.27). `id` is NULL when there is none. *is_gnu says which. */
struct sw_bytes sw_elf_build_id(struct sw_bytes notes, uint64_t align, bool *is_gnu);

#endif
