/* Variables of data and bss, by name, and the tiny blocks of the Ps. */
#include "go/name.h"
#include "go/root_static.h"
#include "go/variable_user.h"

#include <inttypes.h>

/* ---- globals ---- */

/* What stands at an address of data or bss. */
struct variable {
	sw_addr start, end;
	const char *name; /* NULL: nothing tells */
	sw_dwarf_type type;
};

/* Walks the words of a section in rising order, the variables beside them. */
struct sweep {
	struct sw_root_collector *collector;
	const struct sw_root_statics *statics;
	const char *section;
	sw_addr section_start;
	const struct sw_variable_users *users;
	struct variable variable;
	uint32_t root; /* of the variable, SW_NO_ROOT until it holds a pointer */
};

/* A symbol, or the nameless gap up to the next variable. */
static void describe_by_symbol(struct sweep *sweep, sw_addr at, sw_addr end)
{
	uint64_t offset = 0, size = 0;
	sw_addr start;
	const char *name = sw_image_symbol_at(sweep->collector->go->image, at, &offset);
	sweep->variable = (struct variable){.start = at, .end = at + 8};
	if (!name)
		return;
	sweep->variable = (struct variable){at - offset, end, name, 0};
	if (sw_image_symbol(sweep->collector->go->image, name, &start, &size) &&
	    start == at - offset && size > offset)
		sweep->variable.end = start + size;
}

/* Sets sweep->variable to what holds the word at `at`: a variable of debug information, what one
 * leads to, else a symbol. */
static void find_variable(struct sweep *sweep, sw_addr at, sw_addr section_end)
{
	const struct sw_root_collector *collector = sweep->collector;
	uint64_t size = 0;
	const struct sw_dwarf_global *global = sw_root_global_at(collector, at, &size);
	const struct sw_root_static *piece = global ? NULL : sw_root_statics_at(sweep->statics, at);
	size_t next = sw_root_globals_below(collector, at);

	sweep->root = SW_NO_ROOT;
	if (global)
		sweep->variable = (struct variable){global->addr, global->addr + size, global->name,
						    global->type};
	else if (piece)
		sweep->variable =
			(struct variable){piece->start, piece->end, piece->name, piece->type};
	else
		describe_by_symbol(sweep, at,
				   next < collector->global_count ? collector->globals[next].addr
								  : section_end);
}

/* "main.bss+0x1f40" when only functions of main use it, else "bss+0x1f40". */
static char *place_name(const struct sweep *sweep, const struct sw_variable_user *user)
{
	uint64_t offset = sweep->variable.start - sweep->section_start;
	if (!user->package)
		return sw_roots_name("%s+0x%" PRIx64, sweep->section, offset);
	return sw_roots_name("%.*s.%s+0x%" PRIx64, (int)user->package, user->function,
			     sweep->section, offset);
}

static struct sw_error *add_variable(struct sweep *sweep)
{
	struct sw_root_collector *collector = sweep->collector;
	const struct variable *variable = &sweep->variable;
	struct sw_variable_user user = {0};
	uint32_t group = SW_NO_ROOT;
	if (!variable->name && sweep->users)
		sw_variable_user(sweep->users, variable->start, &user);
	char *name = variable->name ? strdup(variable->name) : place_name(sweep, &user);
	if (name && sw_go_is_runtime_name(name)) {
		struct sw_error *error = sw_roots_group(collector, &collector->runtime,
							SW_GO_ROOT_RUNTIME, "Go runtime");
		if (error) {
			free(name);
			return error;
		}
		group = collector->runtime;
	}
	struct sw_go_root root = {
		.kind = SW_GO_ROOT_GLOBAL,
		.name = name,
		.address = variable->start,
		.size = variable->end - variable->start,
		.type = variable->type,
		.used_by = user.function,
	};
	return sw_roots_add_root(collector, root, group, &sweep->root);
}

static struct sw_error *add_global_word(struct sweep *sweep, sw_addr at, sw_addr pointer,
					sw_addr section_end)
{
	if (sw_heap_slot(sweep->collector->heap, pointer) == SW_NO_SLOT)
		return NULL;
	if (at < sweep->variable.start || at >= sweep->variable.end)
		find_variable(sweep, at, section_end);
	struct sw_error *error = sweep->root == SW_NO_ROOT ? add_variable(sweep) : NULL;
	return error ? error : sw_roots_add_word(sweep->collector, sweep->root, at, pointer);
}

/* data or bss of a module: the words that the mask names, 64 at a time. */
static struct sw_error *add_section(struct sw_root_collector *collector,
				    const struct sw_root_statics *statics,
				    const struct sw_variable_users *users, const char *name,
				    sw_addr start, sw_addr end, sw_addr mask, uint64_t bits)
{
	const struct sw_go *go = collector->go;
	struct sweep sweep = {.collector = collector,
			      .statics = statics,
			      .section = name,
			      .users = users,
			      .section_start = start,
			      .root = SW_NO_ROOT};
	struct sw_error *error = NULL;
	uint64_t pointer;

	if (bits > (end - start) / 8)
		bits = (end - start) / 8;
	const uint8_t *mask_bytes = sw_memory_view(go->memory, mask, (bits + 7) / 8);
	if (!mask_bytes && bits) {
		sw_warn(go->warnings, true, "missing_mask", NULL,
			"the pointer mask of the %s section at 0x%" PRIx64
			" is not in the target; its "
			"globals hold nothing here",
			name, start);
		return NULL;
	}
	for (uint64_t i = 0; !error && i < bits; i++) {
		if (!(mask_bytes[i / 8] >> (i % 8) & 1))
			continue;
		if (!sw_memory_u64(go->memory, start + 8 * i, &pointer)) {
			sw_warn(go->warnings, true, "missing_globals", "was the core cut short?",
				"the %s section is not whole in the target; words from 0x%" PRIx64
				" on are missing",
				name, start + 8 * i);
			i |= 511; /* the next page */
			continue;
		}
		if (pointer)
			error = add_global_word(&sweep, start + 8 * i, pointer, end);
	}
	return error;
}

static struct sw_error *add_module(struct sw_root_collector *collector,
				   const struct sw_root_statics *statics,
				   const struct sw_go_module *module)
{
	struct sw_variable_users *users = NULL;
	struct sw_error *error = NULL;

	if (!collector->go->dwarf && !sw_image_symbol_at(collector->go->image, module->data, NULL))
		error = sw_variable_users_find(collector->go, module, &users);
	if (!error)
		error = add_section(collector, statics, users, "data", module->data, module->edata,
				    module->gcdatamask, module->gcdata_bits);
	if (!error)
		error = add_section(collector, statics, users, "bss", module->bss, module->ebss,
				    module->gcbssmask, module->gcbss_bits);
	sw_variable_users_free(users);
	return error;
}

struct sw_error *sw_roots_add_globals(struct sw_root_collector *collector)
{
	struct sw_go *go = collector->go;
	struct sw_root_statics statics = {0};
	struct sw_error *error = NULL;

	if (go->dwarf)
		error = sw_dwarf_globals(go->dwarf, &collector->globals, &collector->global_count);
	if (!error)
		error = sw_root_statics_find(collector, &statics);
	for (size_t i = 0; !error && i < go->modules.count; i++)
		error = add_module(collector, &statics, &go->modules.items[i]);
	sw_root_statics_clear(&statics);
	return error;
}

/* ---- tiny blocks ---- */

static struct sw_error *add_tiny_block(struct sw_root_collector *collector, uint64_t number,
				       sw_addr p)
{
	const struct sw_go *go = collector->go;
	sw_addr mcache, tiny;
	uint32_t root;

	if (!sw_memory_u64(go->memory, p + go->layout.p.mcache, &mcache) || !mcache ||
	    !sw_memory_u64(go->memory, mcache + go->layout.mcache.tiny, &tiny) || !tiny ||
	    sw_heap_slot(collector->heap, tiny) == SW_NO_SLOT)
		return NULL;
	struct sw_error *error =
		sw_roots_group(collector, &collector->runtime, SW_GO_ROOT_RUNTIME, "Go runtime");
	if (!error)
		error = sw_roots_add_root(
			collector,
			(struct sw_go_root){
				.kind = SW_GO_ROOT_TINY,
				.name = sw_roots_name("tiny block of P %" PRIu64, number),
				.address = mcache + go->layout.mcache.tiny,
				.size = 8},
			collector->runtime, &root);
	return error ? error
		     : sw_roots_add_word(collector, root, mcache + go->layout.mcache.tiny, tiny);
}

struct sw_error *sw_roots_add_tiny_blocks(struct sw_root_collector *collector)
{
	const struct sw_go *go = collector->go;
	sw_addr list, p;
	uint64_t count;
	struct sw_error *error = NULL;

	if (!sw_memory_u64(go->memory, go->globals.allp, &list) ||
	    !sw_memory_u64(go->memory, go->globals.allp + 8, &count) || count > 1 << 16) {
		sw_warn(go->warnings, true, "damaged_allp", NULL, "runtime.allp is damaged");
		return NULL;
	}
	for (uint64_t i = 0; !error && i < count; i++)
		if (sw_memory_u64(go->memory, list + 8 * i, &p) && p)
			error = add_tiny_block(collector, i, p);
	return error;
}
