#include "image/cfi.h"

#include "image/dwarf_private.h"
#include "image/expression.h"
#include "image/parts.h"

enum {
	MAX_LIBRARIES = 256, /* that frames may lead into */
	MAX_MISSES = 64,     /* pages that no library was found for; then no more are looked for */
};
#define MAX_FRAME ((uint64_t)1 << 30) /* bytes */

/* An image with what has been read of it; each part when first needed. */
struct module {
	struct sw_image *image;
	bool has_tables;
	Dwarf_CFI *eh_frame;		   /* or NULL */
	struct sw_dwarf_sections sections; /* for lines and .debug_frame */
	Dwarf *dwarf;			   /* over them, or NULL */
};
SW_VECTOR(struct module, modules);
SW_VECTOR(sw_addr, pages);

struct sw_cfi {
	struct sw_image *image;
	struct sw_target *target;
	struct modules modules;
	struct pages misses;
};

struct sw_error *sw_cfi_create(struct sw_image *image, struct sw_target *target,
			       struct sw_cfi **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return sw_error_memory();
	(*out)->image = image;
	(*out)->target = target;
	return NULL;
}

void sw_cfi_free(struct sw_cfi *cfi)
{
	if (!cfi)
		return;
	for (size_t i = 0; i < cfi->modules.count; i++) {
		struct module *module = &cfi->modules.items[i];
		if (module->eh_frame)
			dwarf_cfi_end(module->eh_frame);
		dwarf_end(module->dwarf);
		sw_dwarf_sections_close(&module->sections);
	}
	modules_free(&cfi->modules);
	pages_free(&cfi->misses);
	free(cfi);
}

/* ---- images ---- */

static bool covers(const struct sw_image *image, sw_addr pc)
{
	struct sw_bytes file = sw_image_file(image);
	Elf64_Phdr segment;

	for (unsigned i = 0; i < sw_elf_segments(file); i++)
		if (sw_elf_segment(file, i, &segment) && segment.p_type == PT_LOAD &&
		    pc - image->bias - segment.p_vaddr < segment.p_memsz)
			return true;
	return false;
}

/* Among the executable and the libraries that are placed already. */
static struct sw_image *find_placed(const struct sw_cfi *cfi, sw_addr pc)
{
	struct sw_image_parts *parts = (struct sw_image_parts *)cfi->image;

	for (unsigned i = 0; parts && i < MAX_LIBRARIES; i++, parts = parts->next)
		if (covers(&parts->image, pc))
			return &parts->image;
	return NULL;
}

static bool is_missed(const struct sw_cfi *cfi, sw_addr page)
{
	for (size_t i = 0; i < cfi->misses.count; i++)
		if (cfi->misses.items[i] == page)
			return true;
	return cfi->misses.count >= MAX_MISSES;
}

static struct sw_image *find_image(struct sw_cfi *cfi, sw_addr pc)
{
	struct sw_image *image = find_placed(cfi, pc);
	sw_addr page = pc / SW_IMAGE_PAGE;

	if (image || is_missed(cfi, page))
		return image;
	struct sw_error *error = sw_image_place_library(cfi->image, cfi->target, pc);
	if (!error)
		image = find_placed(cfi, pc);
	sw_error_free(error);
	if (!image)
		sw_error_free(pages_add(&cfi->misses, page));
	return image;
}

static struct module *find_module(struct sw_cfi *cfi, sw_addr pc)
{
	struct sw_image *image = find_image(cfi, pc);

	if (!image)
		return NULL;
	for (size_t i = 0; i < cfi->modules.count; i++)
		if (cfi->modules.items[i].image == image)
			return &cfi->modules.items[i];
	struct sw_error *error = modules_add(&cfi->modules, (struct module){.image = image});
	sw_error_free(error);
	return error ? NULL : &cfi->modules.items[cfi->modules.count - 1];
}

static void read_tables(struct module *module)
{
	struct sw_image *source = sw_image_with_dwarf(module->image);

	if (module->has_tables)
		return;
	module->has_tables = true;
	module->eh_frame = dwarf_getcfi_elf(module->image->elf);
	if (!source)
		return;
	struct sw_error *error = sw_dwarf_sections_open(source, SW_DWARF_LINES, &module->sections);
	if (!error)
		module->dwarf = dwarf_begin_elf(module->sections.elf, DWARF_C_READ, NULL);
	sw_error_free(error);
}

/* ---- one step ---- */

/* The unwinding of one frame. */
struct step {
	const struct sw_cfi *cfi;
	Dwarf_Frame *frame;
	const struct sw_registers *callee;
	struct sw_expression expression; /* with the CFA once it is known */
	struct sw_registers caller;
};

static Dwarf_Frame *find_frame(struct module *module, uint64_t pc)
{
	Dwarf_Frame *frame = NULL;
	Dwarf_CFI *debug_frame;

	read_tables(module);
	if (module->eh_frame && !dwarf_cfi_addrframe(module->eh_frame, pc, &frame))
		return frame;
	debug_frame = module->dwarf ? dwarf_getcfi(module->dwarf) : NULL;
	return debug_frame && !dwarf_cfi_addrframe(debug_frame, pc, &frame) ? frame : NULL;
}

static bool find_cfa(struct step *step, sw_addr *out)
{
	Dwarf_Op *ops;
	size_t count, used;

	if (dwarf_frame_cfa(step->frame, &ops, &count) || !count)
		return false;
	struct sw_place place = sw_expression_run(&step->expression, ops, count, &used);
	*out = place.number;
	return place.kind == SW_PLACE_MEMORY && used == count;
}

enum rule { RULE_UNKNOWN, RULE_UNDEFINED, RULE_VALUE };

/* What the caller had in a register. */
static enum rule find_register(struct step *step, unsigned number, uint64_t *out)
{
	const struct sw_expression *expression = &step->expression;
	Dwarf_Op place_ops[3], *ops;
	size_t count, used;

	if (dwarf_frame_register(step->frame, (int)number, place_ops, &ops, &count))
		return RULE_UNKNOWN;
	if (!count && ops == place_ops)
		return RULE_UNDEFINED;
	if (!count) /* the same */
		return sw_registers_get(step->callee, number, out) ? RULE_VALUE : RULE_UNKNOWN;
	struct sw_place place = sw_expression_run(expression, ops, count, &used);
	if (used != count)
		return RULE_UNKNOWN;
	*out = place.number;
	switch (place.kind) {
	case SW_PLACE_VALUE:
		return RULE_VALUE;
	case SW_PLACE_MEMORY:
		return sw_memory_u64(expression->memory, place.number, out) ? RULE_VALUE
									    : RULE_UNKNOWN;
	case SW_PLACE_REGISTER:
		return sw_registers_get(step->callee, place.number, out) ? RULE_VALUE
									 : RULE_UNKNOWN;
	default:
		return RULE_UNKNOWN;
	}
}

/* A stack grows down: a caller's frame is above its callee's. On arm64 a leaf has none. */
static const char *check_cfa(const struct step *step, bool is_leaf)
{
	enum sw_arch arch = step->cfi->target->arch;
	sw_addr sp = step->callee->general[sw_registers_sp_number(arch)];
	sw_addr cfa = step->expression.cfa;

	if (cfa < sp || cfa - sp > MAX_FRAME || cfa % 8)
		return "a frame that is not above the one it called";
	if (cfa == sp && !(is_leaf && arch == SW_ARCH_ARM64))
		return "a frame of no size";
	return NULL;
}

/* The caller's registers and pc; or what is wrong. */
static const char *restore(struct step *step, unsigned return_register, bool *is_outermost)
{
	enum sw_arch arch = step->cfi->target->arch;
	unsigned sp = sw_registers_sp_number(arch);
	uint64_t value, pc;

	for (unsigned i = 0; i < SW_REGISTERS_GENERAL; i++)
		if (find_register(step, i, &value) == RULE_VALUE)
			sw_registers_set(&step->caller, i, value);
	if (!sw_registers_get(&step->caller, sp, &value))
		sw_registers_set(&step->caller, sp, step->expression.cfa);
	enum rule rule = find_register(step, return_register, &pc);
	*is_outermost = rule == RULE_UNDEFINED || (rule == RULE_VALUE && !pc);
	if (rule == RULE_UNKNOWN)
		return "a return address that cannot be read";
	/* Signed return addresses of arm64 have their signature above the address. */
	step->caller.pc = arch == SW_ARCH_ARM64 ? pc & (((uint64_t)1 << 48) - 1) : pc;
	return NULL;
}

static const char *unwind(struct step *step, bool *is_call, bool *is_outermost)
{
	bool is_signal = false;
	int return_register = dwarf_frame_info(step->frame, NULL, NULL, &is_signal);

	if (return_register < 0 || !find_cfa(step, &step->expression.cfa))
		return "call frame information that is damaged or unknown";
	step->expression.has_cfa = true;
	const char *wrong = restore(step, (unsigned)return_register, is_outermost);
	/* What a thread begins with has no frame, and a signal may have come on any stack. */
	if (!wrong && !is_signal && !*is_outermost)
		wrong = check_cfa(step, !*is_call);
	*is_call = !is_signal;
	return wrong;
}

/* On arm64 a signal handler returns into the vDSO, or into a page of the emulator's, of which there
 * is no file: mov x8, #__NR_rt_sigreturn; svc #0. The registers that were interrupted are in the
 * kernel's frame, behind a siginfo_t: x0…x30, sp, pc (arch/arm64/kernel/signal.c). */
static bool leave_signal_arm64(const struct sw_cfi *cfi, struct sw_registers *registers)
{
	enum { INFO = 128, GENERAL = INFO + 184, SP = INFO + 432, PC = INFO + 440 };
	static const uint8_t code[8] = {0x68, 0x11, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4};
	const struct sw_memory *memory = &cfi->target->memory;
	struct sw_registers interrupted = {.pc = 0};
	uint8_t found[sizeof(code)];
	uint64_t frame, value;

	if (cfi->target->arch != SW_ARCH_ARM64 ||
	    !sw_memory_read(memory, registers->pc, found, sizeof(found)) ||
	    memcmp(found, code, sizeof(code)) != 0 ||
	    !sw_registers_get(registers, SW_REGISTERS_SP_ARM64, &frame))
		return false;
	for (unsigned i = 0; i <= SW_REGISTERS_LR_ARM64; i++) {
		if (!sw_memory_u64(memory, frame + GENERAL + 8 * i, &value))
			return false;
		sw_registers_set(&interrupted, i, value);
	}
	if (!sw_memory_u64(memory, frame + SP, &value) ||
	    !sw_memory_u64(memory, frame + PC, &interrupted.pc))
		return false;
	sw_registers_set(&interrupted, SW_REGISTERS_SP_ARM64, value);
	*registers = interrupted;
	return true;
}

enum sw_cfi_step sw_cfi_step(struct sw_cfi *cfi, struct sw_registers *registers, bool *is_call,
			     const char **wrong)
{
	sw_addr pc = registers->pc - (*is_call ? 1 : 0);
	struct module *module = find_module(cfi, pc);
	struct step step = {
		.cfi = cfi,
		.callee = registers,
		.expression = {.memory = &cfi->target->memory, .registers = registers},
	};
	bool is_outermost = false, is_next_call = *is_call;

	*wrong = NULL;
	if (!module && leave_signal_arm64(cfi, registers)) {
		*is_call = false;
		return SW_CFI_STEPPED;
	}
	*wrong = "code of a file that is not here";
	if (!module)
		return SW_CFI_LOST;
	*wrong = "code without call frame information";
	step.expression.bias = module->image->bias;
	step.frame = find_frame(module, pc - module->image->bias);
	if (!step.frame)
		return SW_CFI_LOST;
	*wrong = unwind(&step, &is_next_call, &is_outermost);
	free(step.frame);
	if (*wrong)
		return SW_CFI_LOST;
	if (is_outermost)
		return SW_CFI_OUTERMOST;
	*registers = step.caller;
	*is_call = is_next_call;
	return SW_CFI_STEPPED;
}

/* ---- names ---- */

/* The unit of a link-time pc: by .debug_aranges, which not every compiler writes, else by its own
 * ranges. */
static bool find_unit(Dwarf *dwarf, uint64_t pc, Dwarf_Die *out)
{
	Dwarf_CU *unit = NULL;

	if (dwarf_addrdie(dwarf, pc, out))
		return true;
	while (!dwarf_get_units(dwarf, unit, &unit, NULL, NULL, out, NULL))
		if (dwarf_haspc(out, pc) == 1)
			return true;
	return false;
}

static void find_line(struct module *module, uint64_t pc, struct sw_cfi_place *out)
{
	Dwarf_Die unit;
	int number;

	read_tables(module);
	if (!module->dwarf || !find_unit(module->dwarf, pc, &unit))
		return;
	Dwarf_Line *line = dwarf_getsrc_die(&unit, pc);
	const char *file = line ? dwarf_linesrc(line, NULL, NULL) : NULL;
	if (!file || dwarf_lineno(line, &number) || number < 0)
		return;
	out->file = file;
	out->line = number;
}

void sw_cfi_place(struct sw_cfi *cfi, sw_addr pc, bool is_call, struct sw_cfi_place *out)
{
	struct module *module;

	*out = (struct sw_cfi_place){.function = "", .file = "", .library = ""};
	pc -= is_call ? 1 : 0;
	module = find_module(cfi, pc);
	if (!module)
		return;
	const char *name = sw_image_symbol_at(module->image, pc, &out->offset);
	out->offset += is_call ? 1 : 0;
	out->function = name ? name : "";
	out->library = module->image->path;
	find_line(module, pc - module->image->bias, out);
}
