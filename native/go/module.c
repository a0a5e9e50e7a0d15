/* The linked modules: the program and its plug-ins (runtime/symtab.go). */
#include "go/pclntab.h"

enum { MAX_MODULES = 1024 };

struct slice {
	sw_addr data;
	uint64_t length;
};

static bool read_slice(const struct sw_memory *memory, sw_addr at, struct slice *out)
{
	return sw_memory_u64(memory, at, &out->data) && sw_memory_u64(memory, at + 8, &out->length);
}

static bool is_readable(const struct sw_memory *memory, sw_addr at, uint64_t size)
{
	const struct sw_region *region;
	for (uint64_t seen = 0; seen < size; seen = region->addr + region->size - at) {
		region = sw_memory_region(memory, at + seen);
		if (!region)
			return false;
	}
	return true;
}

/* In place, or a copy of what lies in two regions: the tables of a position independent program
 * end behind the last whole page that is made read-only after relocation. */
static const uint8_t *view_bytes(struct sw_go *go, sw_addr at, uint64_t size)
{
	const uint8_t *bytes = sw_memory_view(go->memory, at, size);
	uint8_t *copy = NULL;
	if (bytes || !is_readable(go->memory, at, size))
		return bytes;
	struct sw_error *error = sw_go_keep(go, size, &copy);
	if (!error && !sw_memory_read(go->memory, at, copy, size))
		copy = NULL;
	sw_error_free(error);
	return copy;
}

static const uint8_t *view_slice(struct sw_go *go, sw_addr at, uint64_t item, uint64_t *count)
{
	struct slice slice;
	*count = 0;
	if (!read_slice(go->memory, at, &slice) || slice.length > UINT32_MAX)
		return NULL;
	const uint8_t *bytes = view_bytes(go, slice.data, slice.length * item);
	if (bytes)
		*count = slice.length;
	return bytes;
}

static bool read_bit_vector(const struct sw_go *go, sw_addr at, sw_addr *bits, uint64_t *count)
{
	uint32_t n;
	if (!sw_memory_u32(go->memory, at, &n) || !sw_memory_u64(go->memory, at + 8, bits))
		return false;
	*count = n;
	return true;
}

static bool read_addresses(const struct sw_go *go, struct sw_go_module *module)
{
	const struct {
		sw_offset offset;
		sw_addr *place;
	} words[] = {
		{go->layout.moduledata.text, &module->text},
		{go->layout.moduledata.etext, &module->etext},
		{go->layout.moduledata.noptrdata, &module->noptrdata},
		{go->layout.moduledata.enoptrdata, &module->enoptrdata},
		{go->layout.moduledata.data, &module->data},
		{go->layout.moduledata.edata, &module->edata},
		{go->layout.moduledata.bss, &module->bss},
		{go->layout.moduledata.ebss, &module->ebss},
		{go->layout.moduledata.noptrbss, &module->noptrbss},
		{go->layout.moduledata.enoptrbss, &module->enoptrbss},
		{go->layout.moduledata.types, &module->types},
		{go->layout.moduledata.etypes, &module->etypes},
		{go->layout.moduledata.rodata, &module->rodata},
		{go->layout.moduledata.gofunc, &module->gofunc},
	};
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (!sw_memory_u64(go->memory, module->address + words[i].offset, words[i].place))
			return false;
	return true;
}

static void read_tables(struct sw_go *go, struct sw_go_module *module)
{
	sw_addr at = module->address;
	module->pclntable =
		view_slice(go, at + go->layout.moduledata.pclntable, 1, &module->pclntable_size);
	module->funcnametab = view_slice(go, at + go->layout.moduledata.funcnametab, 1,
					 &module->funcnametab_size);
	module->pctab = view_slice(go, at + go->layout.moduledata.pctab, 1, &module->pctab_size);
	module->filetab =
		view_slice(go, at + go->layout.moduledata.filetab, 1, &module->filetab_size);
	module->cutab = view_slice(go, at + go->layout.moduledata.cutab, 4, &module->cutab_size);
	module->cutab_size *= 4;
	module->ftab = view_slice(go, at + go->layout.moduledata.ftab, 8, &module->ftab_count);
	module->textsectmap = view_slice(go, at + go->layout.moduledata.textsectmap,
					 SW_TEXTSECT_SIZE, &module->textsect_count);
}

/* The field that breaks a fact which holds for every linked module (runtime/symtab.go
 * moduledataverify1), or NULL. */
static const char *misfit(const struct sw_go_module *module)
{
	if (module->text >= module->etext)
		return "text";
	if (module->data > module->edata)
		return "data";
	if (module->bss > module->ebss)
		return "bss";
	if (module->types >= module->etypes)
		return "types";
	if (module->gcdata_bits > (module->edata - module->data) / 8 + 1)
		return "gcdatamask";
	if (module->gcbss_bits > (module->ebss - module->bss) / 8 + 1)
		return "gcbssmask";
	return NULL;
}

/* Everything but the tables; the field that cannot be right or read, or NULL. */
static const char *read_module(const struct sw_go *go, struct sw_go_module *module)
{
	const __typeof__(go->layout.moduledata) *at = &go->layout.moduledata;

	if (!read_addresses(go, module))
		return "moduledata";
	if (!read_bit_vector(go, module->address + at->gcdatamask, &module->gcdatamask,
			     &module->gcdata_bits))
		return "gcdatamask";
	if (!read_bit_vector(go, module->address + at->gcbssmask, &module->gcbssmask,
			     &module->gcbss_bits))
		return "gcbssmask";
	return misfit(module);
}

/* A plug-in is a file of its own. */
static void place_plugin(struct sw_go *go, const struct sw_go_module *module)
{
	struct sw_error *error;

	if (sw_memory_view(go->memory, module->text, 1))
		return;
	error = sw_image_place_library(go->image, go->target, module->text);
	if (error)
		sw_warn(go->warnings, true, "missing_plugin",
			error->hint ? error->hint : "was the core cut short?",
			"the file of the module at 0x%llx cannot be used: %s",
			(unsigned long long)module->address, error->message);
	sw_error_free(error);
}

/* *why: what does not fit a module that is left out. */
static struct sw_error *add_module(struct sw_go *go, sw_addr address, const char **why)
{
	struct sw_go_module module = {.address = address};
	*why = read_module(go, &module);
	if (*why) {
		sw_warn(go->warnings, true, "damaged_module", NULL,
			"the module data at 0x%llx is damaged (%s); its globals and functions are "
			"missing",
			(unsigned long long)address, *why);
		return NULL;
	}
	place_plugin(go, &module);
	read_tables(go, &module);
	if (!module.pclntable || !module.ftab || !module.pctab)
		sw_warn(go->warnings, true, "missing_pclntab",
			"give the executable of this very build with --exe",
			"the function tables of the module at 0x%llx cannot be read; goroutine "
			"stacks are missing",
			(unsigned long long)address);
	return sw_go_modules_add(&go->modules, module);
}

static bool is_known(const struct sw_go *go, sw_addr module)
{
	for (size_t i = 0; i < go->modules.count; i++)
		if (go->modules.items[i].address == module)
			return true;
	return false;
}

/* The active modules: the chain from the first, without those that plug-ins could not bring
 * (runtime/symtab.go modulesinit). */
struct sw_error *sw_go_read_modules(struct sw_go *go)
{
	struct sw_error *error = NULL;
	sw_addr module = go->globals.firstmoduledata;
	const char *why = "moduledata";
	uint8_t bad;

	for (unsigned count = 0; !error && module && count < MAX_MODULES; count++) {
		if (is_known(go, module)) {
			sw_warn(go->warnings, true, "damaged_module", NULL,
				"the chain of modules comes back to 0x%llx; others may be missing",
				(unsigned long long)module);
			break;
		}
		if (sw_memory_read(go->memory, module + go->layout.moduledata.bad, &bad, 1) && !bad)
			error = add_module(go, module, &why);
		if (!sw_memory_u64(go->memory, module + go->layout.moduledata.next, &module))
			break;
	}
	if (!error && !go->modules.count)
		error = sw_error_hint(
			sw_error_format(SW_ERR_DAMAGED,
					"no module data of the Go runtime is usable: %s of the one "
					"at 0x%llx cannot be right",
					why, (unsigned long long)go->globals.firstmoduledata),
			"is the executable the one that was running?");
	return error;
}

const struct sw_go_module *sw_go_module_of_pc(const struct sw_go *go, sw_addr pc)
{
	for (size_t i = 0; i < go->modules.count; i++)
		if (pc >= go->modules.items[i].text && pc < go->modules.items[i].etext)
			return &go->modules.items[i];
	return NULL;
}
