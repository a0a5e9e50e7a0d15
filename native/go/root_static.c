#include "go/root_static.h"

#include "base/map.h"
#include "go/kind.h"

#include <stdio.h>

enum {
	MAX_PASSES = 16, /* pointers from a variable */
	MAX_DEPTH = 64,	 /* of structs in arrays in structs */
	MAX_LEADS = 1 << 20,
	MAX_NAME = 256,
};

SW_MAP(size_t, sw_static_map);

struct search {
	const struct sw_root_collector *collector;
	struct sw_root_statics *all;  /* of passes before, sorted */
	struct sw_root_statics found; /* by this pass */
	struct sw_static_map places;  /* of found, by start: index + 1 */
	unsigned pass, budget;
	struct sw_error *error;
};

/* What the word at an offset of a variable points to. */
struct lead {
	sw_dwarf_type elem;
	uint64_t elem_size;
	bool is_slice;
	char path[MAX_NAME]; /* to the word: ".field[3]" */
	size_t length;
};

/* ---- types ---- */

static bool read_type(const struct search *search, sw_dwarf_type type,
		      struct sw_dwarf_type_info *info)
{
	struct sw_error *error =
		type ? sw_dwarf_type_info(search->collector->go->dwarf, type, info) : NULL;
	sw_error_free(error);
	return type && !error;
}

static uint64_t type_size(const struct sw_root_collector *collector, sw_dwarf_type type)
{
	struct search search = {.collector = collector};
	struct sw_dwarf_type_info info;
	if (!read_type(&search, type, &info))
		return 0;
	sw_dwarf_type_info_free(&info);
	return info.size;
}

static bool append(struct lead *lead, const char *name, uint64_t index)
{
	size_t room = sizeof(lead->path) - lead->length;
	int length = name ? snprintf(lead->path + lead->length, room, ".%s", name)
			  : snprintf(lead->path + lead->length, room, "[%llu]",
				     (unsigned long long)index);
	lead->length += length > 0 ? (size_t)length : 0;
	return length > 0 && (size_t)length < room;
}

/* The member that an offset is in. */
static bool enter_struct(struct lead *lead, const struct sw_dwarf_type_info *info,
			 sw_dwarf_type *type, uint64_t *offset)
{
	const struct sw_dwarf_member *member = NULL;
	for (size_t i = 0; i < info->member_count; i++)
		if (info->members[i].offset <= *offset)
			member = &info->members[i];
	if (!member || !append(lead, member->name, 0))
		return false;
	*type = member->type;
	*offset -= member->offset;
	return true;
}

static bool enter_array(const struct search *search, struct lead *lead,
			const struct sw_dwarf_type_info *info, sw_dwarf_type *type,
			uint64_t *offset)
{
	uint64_t size = type_size(search->collector, info->elem);
	if (!size || *offset / size >= info->length || !append(lead, NULL, *offset / size))
		return false;
	*type = info->elem;
	*offset %= size;
	return true;
}

enum step { STEP_FAILED, STEP_ENTERED, STEP_FOUND };

static enum step step_into(const struct search *search, struct lead *lead,
			   const struct sw_dwarf_type_info *info, sw_dwarf_type *type,
			   uint64_t *offset)
{
	if (info->go_kind == SW_KIND_POINTER || info->go_kind == SW_KIND_SLICE) {
		lead->elem = info->elem;
		lead->is_slice = info->go_kind == SW_KIND_SLICE;
		return *offset || !info->elem ? STEP_FAILED : STEP_FOUND;
	}
	if (info->go_kind == SW_KIND_STRUCT && enter_struct(lead, info, type, offset))
		return STEP_ENTERED;
	if (info->go_kind == SW_KIND_ARRAY && enter_array(search, lead, info, type, offset))
		return STEP_ENTERED;
	return STEP_FAILED;
}

static bool find_lead(const struct search *search, sw_dwarf_type type, uint64_t offset,
		      struct lead *lead)
{
	struct sw_dwarf_type_info info;
	enum step step = STEP_ENTERED;

	lead->length = 0;
	lead->path[0] = 0;
	for (unsigned depth = 0; step == STEP_ENTERED && depth < MAX_DEPTH; depth++) {
		if (!read_type(search, type, &info))
			return false;
		step = step_into(search, lead, &info, &type, &offset);
		sw_dwarf_type_info_free(&info);
	}
	lead->elem_size = step == STEP_FOUND ? type_size(search->collector, lead->elem) : 0;
	return lead->elem_size != 0;
}

/* ---- places ---- */

size_t sw_root_globals_below(const struct sw_root_collector *collector, sw_addr addr)
{
	size_t low = 0, high = collector->global_count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (collector->globals[middle].addr <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct sw_dwarf_global *sw_root_global_at(const struct sw_root_collector *collector,
						sw_addr addr, uint64_t *size)
{
	const struct sw_dwarf_global *globals = collector->globals;
	size_t below = sw_root_globals_below(collector, addr), first = below;

	while (first && globals[first - 1].addr == globals[below - 1].addr)
		first--;
	for (size_t i = first; i < below; i++) {
		*size = type_size(collector, globals[i].type);
		if (addr - globals[i].addr < *size)
			return &globals[i];
	}
	return NULL;
}

static bool is_listed(const struct sw_root_collector *collector, sw_addr start, uint64_t size)
{
	size_t below = sw_root_globals_below(collector, start);
	uint64_t other;
	return (below < collector->global_count && collector->globals[below].addr - start < size) ||
	       sw_root_global_at(collector, start, &other);
}

/* data or bss of a module: what the collector scans. */
struct section {
	sw_addr start, end, mask;
	uint64_t bits;
};

static struct section section_of(const struct sw_go *go, size_t number)
{
	const struct sw_go_module *module = &go->modules.items[number / 2];
	struct section section =
		number % 2 ? (struct section){module->bss, module->ebss, module->gcbssmask,
					      module->gcbss_bits}
			   : (struct section){module->data, module->edata, module->gcdatamask,
					      module->gcdata_bits};
	uint64_t words = (section.end - section.start) / 8;
	if (section.bits > words)
		section.bits = words;
	return section;
}

static bool find_section(const struct sw_go *go, sw_addr addr, struct section *section)
{
	for (size_t i = 0; i < 2 * go->modules.count; i++) {
		*section = section_of(go, i);
		if (addr >= section->start && addr < section->end)
			return true;
	}
	return false;
}

/* ---- what words lead to ---- */

const struct sw_root_static *sw_root_statics_at(const struct sw_root_statics *statics, sw_addr addr)
{
	size_t low = 0, high = statics->count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (statics->items[middle].start <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low && addr < statics->items[low - 1].end ? &statics->items[low - 1] : NULL;
}

/* Of two at one place the larger one counts: a pointer to a struct may be one to its first field.
 */
static void add(struct search *search, sw_addr start, uint64_t size, sw_dwarf_type type, char *name)
{
	struct sw_root_static piece = {start, start + size, name, type, search->pass};
	const size_t *place = sw_static_map_find(&search->places, start);

	if (!name)
		search->error = sw_error_memory();
	if (!search->error && place) {
		struct sw_root_static *known = &search->found.items[*place - 1];
		if (known->end < piece.end) {
			free(known->name);
			*known = piece;
			return;
		}
	} else if (!search->error) {
		search->error = sw_root_statics_add(&search->found, piece);
		if (!search->error) {
			search->error =
				sw_static_map_set(&search->places, start, search->found.count);
			return;
		}
	}
	free(name);
}

/* One value, or elements, that begin at an address. */
static void add_led(struct search *search, const char *variable, const struct lead *lead,
		    sw_addr start, uint64_t count)
{
	const struct sw_root_collector *collector = search->collector;
	struct section section;

	if (start % 8 || !find_section(collector->go, start, &section))
		return;
	for (uint64_t i = 0; i < count && search->budget && !search->error; i++) {
		sw_addr at = start + i * lead->elem_size;
		if (lead->elem_size > section.end - at)
			return;
		search->budget--;
		if (sw_root_statics_at(search->all, at) ||
		    is_listed(collector, at, lead->elem_size))
			continue;
		char *name = lead->is_slice ? sw_roots_name("%s%s[%llu]", variable, lead->path,
							    (unsigned long long)i)
					    : sw_roots_name("%s%s", variable, lead->path);
		add(search, at, lead->elem_size, lead->elem, name);
	}
}

/* The word of a variable, `offset` bytes into it. */
static void follow_word(struct search *search, const char *variable, sw_dwarf_type type, sw_addr at,
			uint64_t offset, sw_addr pointer)
{
	struct lead lead;
	uint64_t count = 1;

	if (!find_lead(search, type, offset, &lead) ||
	    (lead.is_slice && !sw_memory_u64(search->collector->go->memory, at + 8, &count)))
		return;
	add_led(search, variable, &lead, pointer, count);
}

/* Those of passes before are known to the last word. */
static void visit_word(struct search *search, sw_addr at, sw_addr pointer)
{
	struct section section;
	uint64_t size;

	if (!find_section(search->collector->go, pointer, &section))
		return;
	const struct sw_dwarf_global *global =
		search->pass ? NULL : sw_root_global_at(search->collector, at, &size);
	const struct sw_root_static *piece =
		search->pass ? sw_root_statics_at(search->all, at) : NULL;
	if (global)
		follow_word(search, global->name, global->type, at, at - global->addr, pointer);
	else if (piece && piece->pass == search->pass - 1)
		follow_word(search, piece->name, piece->type, at, at - piece->start, pointer);
}

static void visit_section(struct search *search, const struct section *section)
{
	const struct sw_memory *memory = search->collector->go->memory;
	const uint8_t *mask = sw_memory_view(memory, section->mask, (section->bits + 7) / 8);
	sw_addr pointer;

	for (uint64_t i = 0; mask && i < section->bits && !search->error; i++)
		if (mask[i / 8] >> (i % 8) & 1 &&
		    sw_memory_u64(memory, section->start + 8 * i, &pointer) && pointer)
			visit_word(search, section->start + 8 * i, pointer);
}

/* ---- passes ---- */

static int by_start(const void *a, const void *b)
{
	const struct sw_root_static *x = a, *y = b;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->end == y->end ? 0 : x->end > y->end ? -1 : 1;
}

/* Moves what was found to all. */
static void merge(struct search *search)
{
	struct sw_root_statics *all = search->all;
	size_t kept = 0;

	for (size_t i = 0; i < search->found.count; i++) {
		if (!search->error)
			search->error = sw_root_statics_add(all, search->found.items[i]);
		if (search->error)
			free(search->found.items[i].name);
	}
	search->found.count = 0;
	sw_static_map_free(&search->places);
	if (all->count > 1)
		qsort(all->items, all->count, sizeof(*all->items), by_start);
	for (size_t i = 0; i < all->count; i++)
		if (kept && all->items[i].start < all->items[kept - 1].end)
			free(all->items[i].name);
		else
			all->items[kept++] = all->items[i];
	all->count = kept;
}

struct sw_error *sw_root_statics_find(const struct sw_root_collector *collector,
				      struct sw_root_statics *out)
{
	struct search search = {.collector = collector, .all = out, .budget = MAX_LEADS};
	bool is_new = collector->global_count != 0;

	for (; is_new && !search.error && search.pass < MAX_PASSES; search.pass++) {
		for (size_t i = 0; i < 2 * collector->go->modules.count; i++) {
			struct section section = section_of(collector->go, i);
			visit_section(&search, &section);
		}
		is_new = search.found.count != 0;
		merge(&search);
	}
	sw_root_statics_free(&search.found);
	return search.error;
}

void sw_root_statics_clear(struct sw_root_statics *statics)
{
	for (size_t i = 0; i < statics->count; i++)
		free(statics->items[i].name);
	sw_root_statics_free(statics);
}
