/* Variables that other variables refer to: what a linker laid out instead of an allocation. */
#include "type/flow_private.h"

enum {
	MAX_THREADS = 1 << 16,
	MAX_PASSES = 8,
	MAX_ELEMENTS = 1 << 16,
	MAX_PERIOD = 256,
	MIN_PERIODS = 4
};

struct section {
	sw_addr start, end, mask;
	uint64_t bits;
};

static struct section section_of(const struct sw_go_module *module, bool is_bss)
{
	return is_bss ? (struct section){module->bss, module->ebss, module->gcbssmask,
					 module->gcbss_bits}
		      : (struct section){module->data, module->edata, module->gcdatamask,
					 module->gcdata_bits};
}

static bool has_pointer(const struct sw_go *go, const struct section *section, uint64_t word)
{
	uint8_t byte;
	return word < section->bits && sw_memory_u8(go->memory, section->mask + word / 8, &byte) &&
	       byte >> (word % 8) & 1;
}

bool sw_flow_has_pointer(const struct sw_go *go, sw_addr addr)
{
	for (size_t i = 0; i < 2 * go->modules.count; i++) {
		struct section section = section_of(&go->modules.items[i / 2], i % 2);
		if (addr >= section.start && addr < section.end)
			return has_pointer(go, &section, (addr - section.start) / 8);
	}
	return false;
}

/* ---- interfaces ---- */

static bool is_type_address(const struct sw_go *go, sw_addr addr)
{
	for (size_t i = 0; i < go->modules.count; i++)
		if (addr >= go->modules.items[i].types && addr < go->modules.items[i].etypes)
			return true;
	return false;
}

/* The type that a word names: a descriptor, or an itab of one (internal/abi ITab). */
static sw_type named_type(const struct sw_go *go, struct sw_types *types, sw_addr word,
			  bool *is_itab)
{
	uint64_t inter, type;
	sw_type found = is_type_address(go, word) ? sw_type_of_descriptor(types, word) : 0;
	*is_itab = false;
	if (found || !word || word % 8)
		return found;
	*is_itab = true;
	if (!sw_memory_u64(go->memory, word, &inter) || !is_type_address(go, inter) ||
	    !sw_memory_u64(go->memory, word + 8, &type) || !is_type_address(go, type) ||
	    sw_type_info(types, sw_type_of_descriptor(types, inter))->kind != SW_KIND_INTERFACE)
		return 0;
	return sw_type_of_descriptor(types, type);
}

enum sw_slot_action sw_flow_interface(const struct sw_go *go, struct sw_types *types, sw_addr at,
				      sw_type *type)
{
	uint64_t word;
	bool is_itab;
	*type = 0;
	if (!sw_memory_u64(go->memory, at, &word))
		return SW_SLOT_UNKNOWN;
	*type = named_type(go, types, word, &is_itab);
	return !*type ? SW_SLOT_UNKNOWN : is_itab ? SW_SLOT_IFACE : SW_SLOT_EFACE;
}

/* What the data word of an interface leads to, whose first word is at `at`. */
static sw_value data_of(struct sw_flow *flow, sw_addr at)
{
	sw_type type;
	if (sw_flow_interface(flow->go, flow->types, at, &type) == SW_SLOT_UNKNOWN)
		return SW_UNKNOWN;
	sw_flow_fail(flow, sw_type_plans_make(flow->plans, type));
	if (flow->error || !flow->plans->list.items[type].is_direct)
		return sw_value_typed(SW_VALUE_POINTER, type, 0);
	const struct sw_slot_plan *slot = sw_type_plans_slot(flow->plans, type, 0);
	return slot ? sw_value_of_slot(flow, type, slot) : SW_UNKNOWN;
}

/* ---- what variables refer to ---- */

static void follow_array(struct sw_flow *flow, sw_addr at, sw_addr target, sw_type array)
{
	uint64_t count, size = sw_type_info(flow->types, array)->size;
	if (!sw_memory_u64(flow->go->memory, at + 8, &count) || count > MAX_ELEMENTS || !size ||
	    size > MAX_ELEMENTS)
		return;
	for (uint64_t i = 0; i < count && !flow->error; i++)
		sw_flow_say_region(flow, target + i * size, array);
}

static void follow_word(struct sw_flow *flow, sw_addr at, bool may_be_data)
{
	uint64_t target;
	if (!sw_memory_u64(flow->go->memory, at, &target) || !target ||
	    !sw_flow_is_variable(flow, target))
		return;
	sw_value value = may_be_data ? data_of(flow, at - 8) : SW_UNKNOWN;
	if (value == SW_UNKNOWN)
		value = sw_value_map_get(&flow->globals, at);
	if (sw_value_kind(value) == SW_VALUE_POINTER && !sw_value_offset(value))
		sw_flow_say_region(flow, target, sw_value_type(value));
	else if (sw_value_kind(value) == SW_VALUE_ARRAY)
		follow_array(flow, at, target, sw_value_type(value));
}

static void follow_section(struct sw_flow *flow, const struct section *section)
{
	bool was_pointer = false;
	uint64_t bits = section->bits;
	if (bits > (section->end - section->start) / 8)
		bits = (section->end - section->start) / 8;
	const uint8_t *mask = sw_memory_view(flow->go->memory, section->mask, (bits + 7) / 8);
	for (uint64_t i = 0; mask && i < bits && !flow->error; i++) {
		bool is_pointer = mask[i / 8] >> (i % 8) & 1;
		if (is_pointer)
			follow_word(flow, section->start + 8 * i, i && !was_pointer);
		was_pointer = is_pointer;
	}
}

/* The first thread and its scheduler's goroutine are variables, runtime.m0 and g0; nothing but the
 * runtime's own list leads there. */
static void follow_threads(struct sw_flow *flow)
{
	const struct sw_go *go = flow->go;
	sw_type m_type = sw_type_of_name(flow->types, "runtime.m");
	sw_type g_type = sw_type_of_name(flow->types, "runtime.g");
	sw_addr m = 0, g0;

	for (size_t i = 0; i < go->goroutines.count && !m; i++)
		m = go->goroutines.items[i].m;
	for (unsigned i = 0; m && i < MAX_THREADS && !sw_flow_is_variable(flow, m); i++)
		sw_memory_u64(go->memory, m + go->layout.m.alllink, &m);
	if (!m || !sw_flow_is_variable(flow, m))
		return;
	if (m_type)
		sw_flow_say_region(flow, m, m_type);
	if (g_type && sw_memory_u64(go->memory, m + go->layout.m.g0, &g0))
		sw_flow_say_region(flow, g0, g_type);
}

/* ---- arrays ---- */

/* Words until the pattern of pointers repeats, from a variable's first word on; 0: it does not. */
static uint64_t find_period(const struct sw_go *go, const struct section *section, uint64_t first,
			    uint64_t count)
{
	for (uint64_t period = 1; period <= MAX_PERIOD && 2 * period <= count; period++) {
		uint64_t i = 0;
		while (i + period < count && i < MIN_PERIODS * period &&
		       has_pointer(go, section, first + i) ==
			       has_pointer(go, section, first + i + period))
			i++;
		if (i + period == count || i == MIN_PERIODS * period)
			return period;
	}
	return 0;
}

/* The variable around an address reaches from one address that code refers to up to the next. */
static void find_extent(const struct sw_flow *flow, sw_addr addr, sw_addr *start, sw_addr *end)
{
	const struct sw_flow_sources *references = &flow->references;
	size_t low = 0, high = references->count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (references->items[middle] <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	if (low && references->items[low - 1] > *start)
		*start = references->items[low - 1];
	if (low < references->count && references->items[low] < *end)
		*end = references->items[low];
}

/* What was seen of one element of an array holds for all, as far as the pattern goes on. */
static void spread(struct sw_flow *flow, const struct section *section, sw_addr addr,
		   sw_value value)
{
	const struct sw_go *go = flow->go;
	sw_addr start = section->start, end = section->end;
	find_extent(flow, addr, &start, &end);
	uint64_t first = (start - section->start) / 8, at = (addr - section->start) / 8;
	uint64_t count = (end - start) / 8;
	uint64_t period = start % 8 ? 0 : find_period(go, section, first, count);
	for (; period && at < first + count && flow->region_budget && !flow->error; at += period) {
		flow->region_budget--;
		if (!has_pointer(go, section, at))
			break;
		sw_flow_say_global(flow, section->start + 8 * at, value);
	}
}

static void spread_all(struct sw_flow *flow)
{
	for (size_t i = 0; i < flow->spreads.capacity; i++) {
		sw_addr addr = flow->spreads.places[i].key;
		for (size_t k = 0; addr && k < 2 * flow->go->modules.count; k++) {
			struct section section = section_of(&flow->go->modules.items[k / 2], k % 2);
			if (addr >= section.start && addr < section.end)
				spread(flow, &section, addr, flow->spreads.places[i].value.value);
		}
	}
}

struct sw_error *sw_flow_follow_variables(struct sw_flow *flow)
{
	uint32_t before = flow->clock - 1;
	follow_threads(flow);
	spread_all(flow);
	for (unsigned pass = 0; flow->clock != before && !flow->error && pass < MAX_PASSES;
	     pass++) {
		before = flow->clock;
		for (size_t i = 0; i < 2 * flow->go->modules.count; i++) {
			struct section section = section_of(&flow->go->modules.items[i / 2], i % 2);
			follow_section(flow, &section);
		}
	}
	struct sw_error *error = flow->error;
	flow->error = NULL;
	return error;
}
