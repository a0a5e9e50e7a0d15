/* From an open target to a runtime that can be walked: version, layouts, modules. */
#include "go/runtime.h"
#include "go/unwind.h"

#include <stdio.h>

enum {
	FIRST_MINOR = 22,
	LAST_MINOR = 27,
	MAX_MODULES = 1024,
};

/* ---- version ---- */

static bool read_string(const struct sw_memory *memory, sw_addr header, char *out, size_t size)
{
	uint64_t data, length;
	if (!sw_memory_u64(memory, header, &data) || !sw_memory_u64(memory, header + 8, &length))
		return false;
	if (!length || length >= size || !sw_memory_read(memory, data, out, length))
		return false;
	out[length] = 0;
	return true;
}

/* "go1.26.11-X:nogreenteagc", "go1.25.12 X:greenteagc", "devel go1.28-abcdef": the minor number,
 * 0 when it is none of these. */
static unsigned parse_minor(const char *version)
{
	const char *at = strstr(version, "go1.");
	unsigned minor = 0;
	if (at)
		for (at += 4; *at >= '0' && *at <= '9' && minor < 1000; at++)
			minor = minor * 10 + (unsigned)(*at - '0');
	return minor;
}

static struct sw_error *read_version(struct sw_go *go)
{
	char version[256];
	sw_addr symbol;

	if (!sw_image_symbol(go->image, "runtime.buildVersion", &symbol, NULL))
		return sw_error_hint(sw_error_format(SW_ERR_FORMAT,
						     "%s is not a Go program, or it is stripped",
						     go->image->path),
				     "name the unstripped executable with --exe");
	if (!read_string(go->memory, symbol, version, sizeof(version)))
		return sw_error_format(SW_ERR_DAMAGED,
				       "runtime.buildVersion at 0x%llx cannot be read",
				       (unsigned long long)symbol);
	go->minor = parse_minor(version);
	if (go->minor < FIRST_MINOR || go->minor > LAST_MINOR || !strncmp(version, "devel", 5))
		return sw_error_hint(
			sw_error_format(SW_ERR_UNSUPPORTED, "the program was built by %s", version),
			"this release knows Go 1.%d to 1.%d", FIRST_MINOR, LAST_MINOR);
	go->version = strdup(version);
	return go->version ? NULL : sw_error_memory();
}

/* ---- modules ---- */

struct slice {
	sw_addr data;
	uint64_t length;
};

static bool read_slice(const struct sw_memory *memory, sw_addr at, struct slice *out)
{
	return sw_memory_u64(memory, at, &out->data) && sw_memory_u64(memory, at + 8, &out->length);
}

static const uint8_t *view_slice(const struct sw_go *go, sw_addr at, uint64_t item, uint64_t *count)
{
	struct slice slice;
	*count = 0;
	if (!read_slice(go->memory, at, &slice) || slice.length > UINT32_MAX)
		return NULL;
	const uint8_t *bytes = sw_memory_view(go->memory, slice.data, slice.length * item);
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

static void read_tables(const struct sw_go *go, struct sw_go_module *module)
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
}

/* Facts that hold for every linked module; runtime/symtab.go moduledataverify1. */
static bool is_sane(const struct sw_go_module *module)
{
	return module->text < module->etext && module->data <= module->edata &&
	       module->bss <= module->ebss && module->types < module->etypes &&
	       module->gcdata_bits <= (module->edata - module->data) / 8 + 1 &&
	       module->gcbss_bits <= (module->ebss - module->bss) / 8 + 1;
}

static struct sw_error *add_module(struct sw_go *go, sw_addr address)
{
	struct sw_go_module module = {.address = address};
	if (!read_addresses(go, &module) ||
	    !read_bit_vector(go, address + go->layout.moduledata.gcdatamask, &module.gcdatamask,
			     &module.gcdata_bits) ||
	    !read_bit_vector(go, address + go->layout.moduledata.gcbssmask, &module.gcbssmask,
			     &module.gcbss_bits) ||
	    !is_sane(&module)) {
		sw_warn(go->warnings, true, "damaged_module", NULL,
			"the module data at 0x%llx is damaged; its globals and functions are "
			"missing",
			(unsigned long long)address);
		return NULL;
	}
	read_tables(go, &module);
	if (!module.pclntable || !module.ftab || !module.pctab)
		sw_warn(go->warnings, true, "missing_pclntab",
			"give the executable of this very build with --exe",
			"the function tables of the module at 0x%llx cannot be read; goroutine "
			"stacks "
			"are missing",
			(unsigned long long)address);
	return sw_go_modules_add(&go->modules, module);
}

/* The active modules: runtime.modulesSlice when it is set up, else the chain from the first. */
static struct sw_error *read_modules(struct sw_go *go)
{
	struct slice slice = {0};
	sw_addr list = 0, module;
	struct sw_error *error = NULL;

	if (go->globals.modulesSlice &&
	    sw_memory_u64(go->memory, go->globals.modulesSlice, &list) && list &&
	    read_slice(go->memory, list, &slice) && slice.length <= MAX_MODULES)
		for (uint64_t i = 0; !error && i < slice.length; i++)
			if (sw_memory_u64(go->memory, slice.data + 8 * i, &module))
				error = add_module(go, module);
	if (!error && !go->modules.count)
		error = add_module(go, go->globals.firstmoduledata);
	if (!error && !go->modules.count)
		error = sw_error_hint(sw_error_format(SW_ERR_DAMAGED,
						      "no module data of the Go runtime is usable"),
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

/* ---- the whole ---- */

static struct sw_error *read_phase(struct sw_go *go)
{
	if (!sw_memory_u32(go->memory, go->globals.gcphase, &go->gcphase) ||
	    !sw_memory_u32(go->memory, go->globals.mheap_ + go->layout.mheap.sweepgen,
			   &go->sweepgen))
		return sw_error_format(SW_ERR_DAMAGED,
				       "the runtime's own variables are missing from the target");
	return NULL;
}

static struct sw_error *discover(struct sw_go *go)
{
	struct sw_error *error = read_version(go);
	if (!error)
		error = sw_dwarf_open(go->image, &go->dwarf);
	if (!error)
		error = sw_layout_from_dwarf(&go->layout, go->dwarf, go->minor);
	if (!error)
		error = sw_go_globals_from_symbols(&go->globals, go->image);
	if (!error)
		error = read_phase(go);
	if (!error)
		error = read_modules(go);
	if (!error)
		error = sw_go_read_spans(go);
	if (!error)
		error = sw_go_read_goroutines(go);
	if (!error && sw_dwarf_damaged_units(go->dwarf))
		sw_warn(go->warnings, true, "damaged_debug_information", NULL,
			"%zu units of the debug information cannot be read whole; names and types "
			"of "
			"theirs are missing",
			sw_dwarf_damaged_units(go->dwarf));
	return error;
}

struct sw_error *sw_go_open(struct sw_target *target, struct sw_image *image, struct sw_work *work,
			    struct sw_warnings *warnings, struct sw_go **out)
{
	struct sw_go *go = calloc(1, sizeof(*go));
	*out = NULL;
	if (!go)
		return sw_error_memory();
	go->target = target;
	go->memory = &target->memory;
	go->image = image;
	go->work = work;
	go->warnings = warnings;
	go->arch = target->arch;

	struct sw_error *error = sw_go_pc_cache_create(&go->pc_cache);
	if (!error)
		error = discover(go);
	if (error) {
		sw_go_close(go);
		return error;
	}
	*out = go;
	return NULL;
}

void sw_go_close(struct sw_go *go)
{
	if (!go)
		return;
	for (size_t i = 0; i < go->roots.count; i++)
		free(go->roots.items[i].name);
	sw_go_roots_free(&go->roots);
	sw_goroutines_free(&go->goroutines);
	sw_go_spans_free(&go->spans);
	sw_go_modules_free(&go->modules);
	sw_go_free_kept(go);
	sw_go_pc_cache_free(go->pc_cache);
	sw_dwarf_close(go->dwarf);
	free(go->version);
	free(go);
}
