/* What the DWARF reader's files share; nobody else includes it. */
#ifndef SW_IMAGE_DWARF_PRIVATE_H
#define SW_IMAGE_DWARF_PRIVATE_H

#include "image/dwarf.h"

#include <dwarf.h>
#include <elfutils/libdw.h>

/* Attributes of Go's linker, Go 1.22–1.27 src/cmd/internal/dwarf/dwarf.go. */
enum {
	SW_DW_AT_go_kind = 0x2900,
	SW_DW_AT_go_key = 0x2901,
	SW_DW_AT_go_elem = 0x2902,
	SW_DW_AT_go_embedded_field = 0x2903,
	SW_DW_AT_go_runtime_type = 0x2904,
	SW_DW_AT_go_closure_offset = 0x2907, /* 1.23 */
};

/* Typedefs of typedefs, arrays of arrays, blocks in blocks: deeper than this is damage. */
enum { SW_DWARF_MAX_DEPTH = 64 };

/* The debug sections of an image as an ELF file of their own; see dwarf_sections.c. */
struct sw_dwarf_sections {
	uint8_t *file;
	size_t size;
	Elf *elf;
	uint32_t hidden[8]; /* sh_name of the sections that are not shown yet, by order */
	size_t first_hidden, hidden_count;
};

/* Types and locals, or source lines and .debug_frame. */
enum sw_dwarf_purpose { SW_DWARF_TYPES, SW_DWARF_LINES };

/* SW_ERR_NOT_FOUND when the image has no .debug_info. */
struct sw_error *sw_dwarf_sections_open(const struct sw_image *image, enum sw_dwarf_purpose purpose,
					struct sw_dwarf_sections *sections);
void sw_dwarf_sections_close(struct sw_dwarf_sections *sections);

/* Gives the location and range sections their names, so that the next dwarf_begin_elf() finds
 * them. False when libelf refuses. */
bool sw_dwarf_sections_show(struct sw_dwarf_sections *sections);

struct sw_dwarf_name {
	const char *name;
	uint64_t offset; /* of the DIE */
	uint32_t hash;
};
SW_VECTOR(struct sw_dwarf_name, sw_dwarf_names);
SW_VECTOR(struct sw_dwarf_global, sw_dwarf_global_vector);

/* One contiguous part of a function, link-time addresses. */
struct sw_dwarf_code {
	uint64_t low, high;
	uint64_t offset; /* of the DW_TAG_subprogram */
};
SW_VECTOR(struct sw_dwarf_code, sw_dwarf_codes);

struct sw_dwarf {
	struct sw_image *image;
	struct sw_dwarf_sections sections;
	Dwarf *handle;
	size_t damaged_units;

	bool has_index; /* names, slots, globals */
	struct sw_dwarf_names names;
	uint32_t *slots; /* open addressing over names: index + 1, 0 is free */
	size_t slot_count;
	struct sw_dwarf_global_vector globals;

	bool has_codes;
	struct sw_dwarf_codes codes; /* by rising low */

	bool has_types;
	uint64_t types, types_size; /* Go's type descriptors, link-time; 0 when there are none */
};

typedef struct sw_error *sw_dwarf_visit(struct sw_dwarf *dwarf, Dwarf_Die *die, int tag);

/* Calls visit for every DIE directly below a unit. A damaged unit is counted in *damaged (may
 * be NULL) and left where it is damaged; an error of visit ends the walk. */
struct sw_error *sw_dwarf_each_top(struct sw_dwarf *dwarf, sw_dwarf_visit *visit, size_t *damaged);

bool sw_dwarf_die(struct sw_dwarf *dwarf, sw_dwarf_type offset, Dwarf_Die *out);

/* The function whose code has a link-time pc (dwarf_local.c); false when there is none. */
bool sw_dwarf_function(struct sw_dwarf *dwarf, uint64_t pc, Dwarf_Die *out);

/* The attribute, also of the abstract origin or the specification. */
bool sw_die_reference(Dwarf_Die *die, unsigned attribute, Dwarf_Die *out);
sw_dwarf_type sw_die_reference_offset(Dwarf_Die *die, unsigned attribute);
bool sw_die_unsigned(Dwarf_Die *die, unsigned attribute, uint64_t *out);

/* An attribute that holds a location, fit for dwarf_getlocation() and dwarf_getlocation_addr(). */
bool sw_die_location(Dwarf_Die *die, unsigned attribute, Dwarf_Attribute *out);

/* Never NULL. */
const char *sw_die_name(Dwarf_Die *die);

/* Looks through typedefs and qualifiers, in place; false when that leads nowhere. */
bool sw_die_peel(Dwarf_Die *die);

/* Size in bytes of a value of the type. */
bool sw_die_size(Dwarf_Die type, uint64_t *size);

#endif
