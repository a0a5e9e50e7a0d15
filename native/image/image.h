/* A mapped ELF file: build id, symbols, sections, and the pages that a core lacks. */
#ifndef SW_IMAGE_IMAGE_H
#define SW_IMAGE_IMAGE_H

#include "target/target.h"

#include <gelf.h>

enum { SW_BUILD_ID_MAX = 128 }; /* bytes; GNU ids have 20, Go's 83 */

struct sw_image {
	char *path;
	char *sysroot; /* where the files of the target's machine are, or NULL; set by who opened
			* the image, freed with it */
	enum sw_arch arch;
	Elf *elf;	      /* over `bytes`, no descriptor kept */
	const uint8_t *bytes; /* the file, mapped */
	size_t size;
	uint64_t bias; /* run-time address - link-time address; set by sw_image_place() */
	uint8_t build_id[SW_BUILD_ID_MAX]; /* the GNU build id, else Go's own */
	size_t build_id_size;		   /* 0: none */
	bool has_dwarf;
	struct sw_image
		*symbols; /* sw_image_add_symbols(): names come from there, owned; or NULL */
};

/* Maps and checks an executable or library: ELF64, little-endian, amd64 or arm64. */
struct sw_error *sw_image_open(const char *path, struct sw_image **out);
void sw_image_close(struct sw_image *image);

/* Finds where the target has this file (auxv, mappings), sets image->bias, checks that both
 * belong together (build id found in the target's memory, else the bytes of pages that both
 * have), and adds the file's segments to target->memory where the target lacks pages.
 * SW_ERR_MISMATCH with both ids and a hint when they do not fit. The image must live as long
 * as the target. */
struct sw_error *sw_image_place(struct sw_image *image, struct sw_target *target);

/* The same for another file, which the target has mapped at an address (a plug-in of the program);
 * it is looked for at its path, below image->sysroot first, beside the image and beside the core.
 * It belongs to the image from then on; its symbols and debug information are not used. */
struct sw_error *sw_image_place_library(struct sw_image *image, struct sw_target *target,
					sw_addr addr);

/* Takes symbols and debug information from another file of the same build: the one before it was
 * stripped, or what was stripped off. Both must have one build id, or the same code byte for byte
 * (Go's build id changes with -ldflags=-s); SW_ERR_MISMATCH otherwise. After sw_image_place(). */
struct sw_error *sw_image_add_symbols(struct sw_image *image, const char *path);

/* The file that has the debug information: the image or its symbols; NULL when neither has. */
struct sw_image *sw_image_with_dwarf(struct sw_image *image);

/* The run-time address (and size, may be NULL) of a symbol of .symtab or .dynsym; false when
 * there is none. */
bool sw_image_symbol(const struct sw_image *image, const char *name, sw_addr *addr, uint64_t *size);

/* The name of the data or function symbol that covers a run-time address, and the offset into
 * it; NULL when none does. The string belongs to the image. */
const char *sw_image_symbol_at(const struct sw_image *image, sw_addr addr, uint64_t *offset);

/* The bytes of a section in the file, by name; NULL when there is none. Not for finding a
 * run-time structure: section headers can be stripped. *addr (may be NULL) is its run-time
 * address. */
const uint8_t *sw_image_section(const struct sw_image *image, const char *name, sw_addr *addr,
				uint64_t *size);

/* Where a run of bytes stands in what the file has of its loaded segments, at a multiple of align
 * bytes (a power of two) of the file; writable segments first. *rest: bytes from there to the
 * segment's end. NULL when it does not occur. */
const uint8_t *sw_image_find(const struct sw_image *image, const void *wanted, size_t size,
			     size_t align, uint64_t *rest);

/* Build id as lower-case hex into out (2 * SW_BUILD_ID_MAX + 1 bytes); "" when there is none. */
void sw_image_build_id_text(const struct sw_image *image, char *out);

#endif
