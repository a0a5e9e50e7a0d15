/* Opening, and the index of what stands directly below the units: named types, and variables
 * with a fixed address. Go's linker puts the DIEs of all types into one unit of package runtime
 * and all functions, whose children are most of .debug_info, into the unit of their package;
 * one walk over both is cheap beside unpacking the section. */
#include "image/dwarf_private.h"

static struct sw_error *damaged(const struct sw_dwarf *dwarf)
{
	return sw_error_format(SW_ERR_DAMAGED, "%s: debug information: %s", dwarf->image->path,
			       dwarf_errmsg(-1));
}

struct sw_error *sw_dwarf_open(struct sw_image *image, struct sw_dwarf **out)
{
	*out = NULL;
	struct sw_dwarf *dwarf = calloc(1, sizeof(*dwarf));
	if (!dwarf)
		return sw_error_memory();
	dwarf->image = image;
	struct sw_error *error = sw_dwarf_sections_open(image, SW_DWARF_TYPES, &dwarf->sections);
	if (!error) {
		dwarf->handle = dwarf_begin_elf(dwarf->sections.elf, DWARF_C_READ, NULL);
		if (!dwarf->handle)
			error = sw_error_hint(damaged(dwarf),
					      "sections packed with zstd need elfutils 0.189");
	}
	if (error) {
		sw_dwarf_close(dwarf);
		return error;
	}
	*out = dwarf;
	return NULL;
}

void sw_dwarf_close(struct sw_dwarf *dwarf)
{
	if (!dwarf)
		return;
	dwarf_end(dwarf->handle);
	sw_dwarf_sections_close(&dwarf->sections);
	sw_dwarf_names_free(&dwarf->names);
	sw_dwarf_global_vector_free(&dwarf->globals);
	sw_dwarf_codes_free(&dwarf->codes);
	free(dwarf->slots);
	free(dwarf);
}

bool sw_dwarf_die(struct sw_dwarf *dwarf, sw_dwarf_type offset, Dwarf_Die *out)
{
	return offset && dwarf_offdie(dwarf->handle, offset, out) &&
	       dwarf_tag(out) != DW_TAG_invalid;
}

bool sw_die_reference(Dwarf_Die *die, unsigned attribute, Dwarf_Die *out)
{
	Dwarf_Attribute found;

	return dwarf_attr_integrate(die, attribute, &found) && dwarf_formref_die(&found, out) &&
	       dwarf_tag(out) != DW_TAG_invalid;
}

sw_dwarf_type sw_die_reference_offset(Dwarf_Die *die, unsigned attribute)
{
	Dwarf_Die target;

	return sw_die_reference(die, attribute, &target) ? dwarf_dieoffset(&target) : 0;
}

bool sw_die_unsigned(Dwarf_Die *die, unsigned attribute, uint64_t *out)
{
	Dwarf_Attribute found;
	Dwarf_Word word;

	if (!dwarf_attr_integrate(die, attribute, &found) || dwarf_formudata(&found, &word))
		return false;
	*out = word;
	return true;
}

/* Go writes expressions as DW_FORM_block1 (src/cmd/internal/dwarf/dwarf.go, Go 1.22–1.27), which
 * DWARF 4 and 5 do not allow and libdw refuses. Up to 127 bytes an exprloc looks the same. */
bool sw_die_location(Dwarf_Die *die, unsigned attribute, Dwarf_Attribute *out)
{
	Dwarf_Block block;

	if (!dwarf_attr_integrate(die, attribute, out))
		return false;
	if (dwarf_whatform(out) == DW_FORM_block1 && !dwarf_formblock(out, &block) &&
	    block.length < 128)
		out->form = DW_FORM_exprloc;
	return true;
}

const char *sw_die_name(Dwarf_Die *die)
{
	const char *name = dwarf_diename(die);

	return name ? name : "";
}

/* Visits the children of a unit; false when it is damaged. */
static bool each_child(struct sw_dwarf *dwarf, Dwarf_Die *unit, sw_dwarf_visit *visit,
		       struct sw_error **error)
{
	Dwarf_Die die;
	int status = dwarf_child(unit, &die);

	while (status == 0) {
		int tag = dwarf_tag(&die);

		if (tag == DW_TAG_invalid)
			return false;
		*error = visit(dwarf, &die, tag);
		if (*error)
			return true;
		status = dwarf_siblingof(&die, &die);
	}
	return status > 0;
}

struct sw_error *sw_dwarf_each_top(struct sw_dwarf *dwarf, sw_dwarf_visit *visit, size_t *bad)
{
	struct sw_error *error = NULL;
	size_t count = 0;
	Dwarf_CU *unit = NULL;
	Dwarf_Die root;
	int status;

	/* Offsets of units rise, so this ends. */
	while (!(status = dwarf_get_units(dwarf->handle, unit, &unit, NULL, NULL, &root, NULL))) {
		if (!each_child(dwarf, &root, visit, &error))
			count++;
		if (error)
			return error;
	}
	if (status < 0)
		count++;
	if (bad)
		*bad = count;
	return NULL;
}

static bool is_type(int tag)
{
	switch (tag) {
	case DW_TAG_base_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
	case DW_TAG_class_type:
	case DW_TAG_enumeration_type:
	case DW_TAG_typedef:
	case DW_TAG_pointer_type:
	case DW_TAG_array_type:
	case DW_TAG_subroutine_type:
		return true;
	default:
		return false;
	}
}

/* FNV-1a */
static uint32_t hash_name(const char *name)
{
	uint32_t hash = 2166136261u;

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 16777619u;
	return hash;
}

static struct sw_error *add_type(struct sw_dwarf *dwarf, Dwarf_Die *die)
{
	const char *name = dwarf_diename(die);

	if (!name || !*name || dwarf_hasattr(die, DW_AT_declaration))
		return NULL;
	struct sw_dwarf_name entry = {name, dwarf_dieoffset(die), hash_name(name)};
	return sw_dwarf_names_add(&dwarf->names, entry);
}

/* The link-time address of a variable whose location is one address. */
static bool fixed_address(Dwarf_Die *die, uint64_t *addr)
{
	Dwarf_Attribute location, operand;
	Dwarf_Block block;
	Dwarf_Op *ops;
	size_t count;

	if (!sw_die_location(die, DW_AT_location, &location) ||
	    dwarf_formblock(&location, &block) || !block.length)
		return false;
	if (block.data[0] == DW_OP_addr && block.length == 9) {
		*addr = sw_load64(block.data + 1);
		return *addr;
	}
	if (block.data[0] != DW_OP_addrx && block.data[0] != DW_OP_GNU_addr_index)
		return false;
	Dwarf_Addr found;
	if (dwarf_getlocation(&location, &ops, &count) || count != 1 ||
	    dwarf_getlocation_attr(&location, ops, &operand) || dwarf_formaddr(&operand, &found))
		return false;
	*addr = found;
	return *addr;
}

static struct sw_error *add_global(struct sw_dwarf *dwarf, Dwarf_Die *die)
{
	uint64_t addr;

	if (!fixed_address(die, &addr))
		return NULL;
	const char *name = sw_die_name(die);
	if (!*name)
		return NULL;
	struct sw_dwarf_global global = {name, addr + dwarf->image->bias,
					 sw_die_reference_offset(die, DW_AT_type)};
	return sw_dwarf_global_vector_add(&dwarf->globals, global);
}

static struct sw_error *index_die(struct sw_dwarf *dwarf, Dwarf_Die *die, int tag)
{
	if (tag == DW_TAG_variable)
		return add_global(dwarf, die);
	return is_type(tag) ? add_type(dwarf, die) : NULL;
}

/* Names that the compiler made up, for the parts of a composite literal and for dictionaries. */
static bool is_made_up(const char *name)
{
	return strstr(name, "..stmp_") || strstr(name, "..dict");
}

static int compare_globals(const void *left_item, const void *right_item)
{
	const struct sw_dwarf_global *left = left_item, *right = right_item;

	if (left->addr != right->addr)
		return left->addr < right->addr ? -1 : 1;
	if (is_made_up(left->name) != is_made_up(right->name))
		return is_made_up(left->name) ? 1 : -1;
	return strcmp(left->name, right->name);
}

/* The slot that has the name, or the free one where it belongs. */
static size_t find_slot(const struct sw_dwarf *dwarf, const char *name, uint32_t hash)
{
	size_t slot = hash & (dwarf->slot_count - 1);

	for (; dwarf->slots[slot]; slot = (slot + 1) & (dwarf->slot_count - 1)) {
		const struct sw_dwarf_name *entry = &dwarf->names.items[dwarf->slots[slot] - 1];

		if (entry->hash == hash && !strcmp(entry->name, name))
			break;
	}
	return slot;
}

/* Of several types with a name the first stays: Go writes a typedef of the same name after the
 * struct it names. */
static struct sw_error *fill_slots(struct sw_dwarf *dwarf)
{
	if (dwarf->names.count >= UINT32_MAX / 2)
		return sw_error_format(SW_ERR_LIMIT, "%s: %zu types", dwarf->image->path,
				       dwarf->names.count);
	dwarf->slot_count = 64;
	while (dwarf->slot_count < dwarf->names.count * 2)
		dwarf->slot_count *= 2;
	dwarf->slots = calloc(dwarf->slot_count, sizeof(*dwarf->slots));
	if (!dwarf->slots)
		return sw_error_memory();
	for (size_t i = 0; i < dwarf->names.count; i++) {
		const struct sw_dwarf_name *entry = &dwarf->names.items[i];
		size_t slot = find_slot(dwarf, entry->name, entry->hash);

		if (!dwarf->slots[slot])
			dwarf->slots[slot] = i + 1;
	}
	return NULL;
}

static struct sw_error *need_index(struct sw_dwarf *dwarf)
{
	if (dwarf->has_index)
		return NULL;
	struct sw_error *error = sw_dwarf_each_top(dwarf, index_die, &dwarf->damaged_units);
	if (!error)
		error = fill_slots(dwarf);
	if (error) {
		sw_dwarf_names_free(&dwarf->names);
		sw_dwarf_global_vector_free(&dwarf->globals);
		return error;
	}
	if (dwarf->globals.count)
		qsort(dwarf->globals.items, dwarf->globals.count, sizeof(*dwarf->globals.items),
		      compare_globals);
	dwarf->has_index = true;
	return NULL;
}

sw_dwarf_type sw_dwarf_find_type(struct sw_dwarf *dwarf, const char *name)
{
	struct sw_error *error = need_index(dwarf);

	if (error) {
		sw_error_free(error);
		return 0;
	}
	uint32_t entry = dwarf->slots[find_slot(dwarf, name, hash_name(name))];
	return entry ? dwarf->names.items[entry - 1].offset : 0;
}

struct sw_error *sw_dwarf_globals(struct sw_dwarf *dwarf, const struct sw_dwarf_global **out,
				  size_t *count)
{
	*out = NULL;
	*count = 0;
	struct sw_error *error = need_index(dwarf);
	if (error)
		return error;
	if (dwarf->damaged_units && !dwarf->globals.count)
		return sw_error_format(SW_ERR_DAMAGED, "%s: debug information of %zu units",
				       dwarf->image->path, dwarf->damaged_units);
	*out = dwarf->globals.items;
	*count = dwarf->globals.count;
	return NULL;
}

size_t sw_dwarf_damaged_units(struct sw_dwarf *dwarf)
{
	sw_error_free(need_index(dwarf));
	return dwarf->damaged_units;
}
