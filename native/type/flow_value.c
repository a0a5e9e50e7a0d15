/* Values and places of the flow. */
#include "type/flow_private.h"

enum { MAX_LINKS = 1 << 20, MAX_FIELDS = 1024 };

void sw_flow_fail(struct sw_flow *flow, struct sw_error *error)
{
	if (flow->error)
		sw_error_free(error);
	else
		flow->error = error;
}

/* ---- values ---- */

static bool is_nil(sw_value value)
{
	return value == sw_value_number(SW_VALUE_CONST, 0);
}

/* What is known of a word to which two ways lead. */
sw_value sw_value_join(sw_value a, sw_value b)
{
	if (a == b || !b || is_nil(b))
		return a ? a : b;
	if (!a || is_nil(a))
		return b;
	if (sw_value_kind(a) == SW_VALUE_ARRAY && sw_value_kind(b) == SW_VALUE_ARRAY &&
	    sw_value_type(a) == sw_value_type(b))
		return sw_value_typed(SW_VALUE_ARRAY, sw_value_type(a), 0);
	return SW_UNKNOWN;
}

/* runtime/iface.go: uint64InterfacePtr and the like are allocated for all types of that size. */
static bool is_stand_in(const struct sw_type_info *info)
{
	size_t length = strlen(info->name);
	return length > 12 && !strcmp(info->name + length - 12, "InterfacePtr") &&
	       !strncmp(info->name, "runtime.", 8);
}

sw_value sw_value_pointer_to(struct sw_flow *flow, sw_type type)
{
	if (!type)
		return SW_UNKNOWN;
	sw_flow_fail(flow, sw_type_plans_know_array(flow->plans, type));
	if (flow->error || flow->plans->list.items[type].is_vague)
		return SW_UNKNOWN;
	const struct sw_type_info *info = sw_type_info(flow->types, type);
	if (sw_type_is_shape(info) || is_stand_in(info))
		return SW_UNKNOWN;
	/* A slice of a constant length is allocated as an array. */
	if (info->kind == SW_KIND_ARRAY && info->role == SW_TYPE_PLAIN && info->elem &&
	    *info->name == '[')
		return sw_value_array_of(flow, info->elem);
	return sw_value_typed(SW_VALUE_POINTER, type, 0);
}

sw_value sw_value_array_of(struct sw_flow *flow, sw_type elem)
{
	sw_type array = elem && !sw_type_is_shape(sw_type_info(flow->types, elem))
				? sw_type_backing(flow->types, elem)
				: 0;
	if (!array)
		return SW_UNKNOWN;
	sw_flow_fail(flow, sw_type_plans_know(flow->plans, array));
	return sw_value_typed(SW_VALUE_ARRAY, array, 0);
}

sw_value sw_value_of_slot(const struct sw_flow *flow, sw_type type, const struct sw_slot_plan *slot)
{
	const struct sw_type_info *info = sw_type_info(flow->types, slot->target);
	switch (slot->action) {
	case SW_SLOT_POINTER:
		if (info->role == SW_TYPE_CHAN_HEADER && strstr(info->name, "go.shape."))
			return sw_value_typed(SW_VALUE_CHAN, 0, 0);
		return sw_type_is_shape(info) ? SW_UNKNOWN
					      : sw_value_typed(SW_VALUE_POINTER, slot->target, 0);
	case SW_SLOT_ARRAY:
		return sw_type_is_shape(info) ? SW_UNKNOWN
					      : sw_value_typed(SW_VALUE_ARRAY, slot->target, 0);
	case SW_SLOT_CHANNEL:
		return sw_value_typed(SW_VALUE_CHAN, 0, 0);
	case SW_SLOT_FUNC:
		return sw_value_typed(SW_VALUE_FUNC, 0, 0);
	case SW_SLOT_CHOICE:
		return slot->offset > UINT32_MAX
			       ? SW_UNKNOWN
			       : sw_value_typed(SW_VALUE_SLOT, type, (uint32_t)slot->offset);
	default:
		return SW_UNKNOWN;
	}
}

/* Which closure it is, its own first word says best. */
bool sw_flow_is_closure(const struct sw_flow *flow, sw_type type)
{
	const struct sw_type_info *info = sw_type_info(flow->types, type);
	return info->kind == SW_KIND_STRUCT && info->field_count &&
	       !strncmp(info->name, "struct { F uintptr", 18);
}

bool sw_value_slot(const struct sw_flow *flow, sw_value value, struct sw_slot_plan *out)
{
	*out = (struct sw_slot_plan){.target = sw_value_type(value)};
	switch (sw_value_kind(value)) {
	case SW_VALUE_POINTER:
		out->action = SW_SLOT_POINTER;
		if (sw_flow_is_closure(flow, out->target))
			*out = (struct sw_slot_plan){.action = SW_SLOT_FUNC};
		return !sw_value_offset(value) && out->target < flow->plans->list.count;
	case SW_VALUE_ARRAY:
		out->action = SW_SLOT_ARRAY;
		return out->target < flow->plans->list.count;
	case SW_VALUE_FUNC:
		out->action = SW_SLOT_FUNC;
		return true;
	case SW_VALUE_CHAN:
		out->action = SW_SLOT_CHANNEL;
		return true;
	case SW_VALUE_SLOT: {
		const struct sw_slot_plan *slot =
			out->target < flow->plans->list.count
				? sw_type_plans_slot(flow->plans, out->target,
						     sw_value_offset(value))
				: NULL;
		if (slot)
			*out = *slot;
		return slot != NULL;
	}
	default:
		return false;
	}
}

/* ---- memory of the target ---- */

static bool is_within(sw_addr addr, sw_addr start, sw_addr end)
{
	return addr >= start && addr < end;
}

bool sw_flow_is_variable(const struct sw_flow *flow, sw_addr addr)
{
	for (size_t i = 0; i < flow->go->modules.count; i++) {
		const struct sw_go_module *module = &flow->go->modules.items[i];
		if (is_within(addr, module->data, module->edata) ||
		    is_within(addr, module->bss, module->ebss) ||
		    is_within(addr, module->noptrdata, module->enoptrdata) ||
		    is_within(addr, module->noptrbss, module->enoptrbss))
			return true;
	}
	return false;
}

static bool is_type_address(const struct sw_flow *flow, sw_addr addr)
{
	for (size_t i = 0; i < flow->go->modules.count; i++)
		if (is_within(addr, flow->go->modules.items[i].types,
			      flow->go->modules.items[i].etypes))
			return true;
	return false;
}

static bool is_module_address(const struct sw_flow *flow, sw_addr addr)
{
	for (size_t i = 0; i < flow->go->modules.count; i++) {
		const struct sw_go_module *module = &flow->go->modules.items[i];
		if (is_within(addr, module->text, module->enoptrbss) ||
		    is_within(addr, module->types, module->etypes))
			return true;
	}
	return false;
}

sw_type sw_flow_type_at(struct sw_flow *flow, sw_value value)
{
	sw_addr addr = (sw_addr)sw_value_signed(value);
	if (sw_value_kind(value) != SW_VALUE_CONST || addr % 8 || !is_type_address(flow, addr))
		return 0;
	sw_type type = sw_type_of_descriptor(flow->types, addr);
	if (type)
		sw_flow_fail(flow, sw_type_plans_know(flow->plans, type));
	return type;
}

/* A descriptor, or an itab: {interface type, type, …} (internal/abi ITab). */
bool sw_flow_is_type_word(struct sw_flow *flow, sw_value value)
{
	uint64_t inter, type;
	sw_addr addr = (sw_addr)sw_value_signed(value);
	if (sw_value_kind(value) != SW_VALUE_CONST || !addr || addr % 8)
		return false;
	if (sw_flow_type_at(flow, value))
		return true;
	return !sw_flow_is_variable(flow, addr) && sw_memory_u64(flow->go->memory, addr, &inter) &&
	       sw_memory_u64(flow->go->memory, addr + 8, &type) && is_type_address(flow, type) &&
	       sw_type_info(flow->types,
			    sw_flow_type_at(flow, sw_value_number(SW_VALUE_CONST, inter)))
			       ->kind == SW_KIND_INTERFACE;
}

/* ---- fields, elements ---- */

uint64_t sw_flow_field_place(sw_value object, int64_t offset)
{
	uint64_t at = sw_value_offset(object) + (uint64_t)offset;
	if (at >> 24)
		return 0;
	return (uint64_t)SW_FLOW_PLACE_FIELD << 48 | (uint64_t)sw_value_type(object) << 24 | at;
}

sw_value sw_flow_place_value(const struct sw_flow *flow, uint64_t place)
{
	uint32_t index = (uint32_t)(place >> 8);
	switch (place >> 48) {
	case 0:
		return sw_value_map_get(&flow->globals, place);
	case SW_FLOW_PLACE_ARG:
	case SW_FLOW_PLACE_RESULT:
		if (index >= flow->functions.count)
			return SW_VALUE_NONE;
		return place >> 48 == SW_FLOW_PLACE_ARG
			       ? flow->functions.items[index].args[place & 0xff]
			       : flow->functions.items[index].results[place & 0xff];
	default:
		return sw_value_map_get(&flow->fields, place);
	}
}

sw_value sw_flow_load_place(struct sw_flow *flow, uint64_t place)
{
	sw_flow_note_source(flow, place);
	sw_value value = sw_flow_place_value(flow, place);
	return value && value != SW_UNKNOWN ? value : sw_value_number(SW_VALUE_FROM, place);
}

/* strings.Builder hands its bytes out as a string only. */
static bool is_builder(const struct sw_flow *flow, sw_type type, uint64_t offset)
{
	for (unsigned depth = 0; depth < SW_MAX_TYPE_DEPTH; depth++) {
		const struct sw_type_info *info = sw_type_info(flow->types, type);
		if (!strcmp(info->name, "strings.Builder"))
			return true;
		uint32_t i = info->kind == SW_KIND_STRUCT ? info->field_count : 0;
		while (i && info->fields[i - 1].offset > offset)
			i--;
		if (!i)
			return false;
		offset -= info->fields[i - 1].offset;
		type = info->fields[i - 1].type;
	}
	return false;
}

/* The word at an offset of a value of a type. */
static sw_value field(struct sw_flow *flow, sw_type type, uint64_t offset)
{
	sw_flow_fail(flow, sw_type_plans_make(flow->plans, type));
	if (flow->error || type >= flow->plans->list.count)
		return SW_UNKNOWN;
	const struct sw_slot_plan *slot = sw_type_plans_slot(flow->plans, type, offset);
	if (!slot)
		return SW_UNKNOWN;
	sw_value value = sw_value_of_slot(flow, type, slot);
	if (sw_value_kind(value) == SW_VALUE_ARRAY && is_builder(flow, type, offset))
		value = sw_value_typed(SW_VALUE_ARRAY, sw_type_string_bytes(flow->types), 0);
	if (sw_value_is_typed(value))
		sw_flow_fail(flow, sw_type_plans_know(flow->plans, sw_value_type(value)));
	return value;
}

static sw_value load_variable(struct sw_flow *flow, sw_addr addr)
{
	uint64_t word;
	if (sw_flow_is_variable(flow, addr))
		return sw_flow_load_place(flow, addr);
	/* A table of addresses, of the linker or of the compiler's dictionaries. */
	if (sw_memory_u64(flow->go->memory, addr, &word) && is_module_address(flow, word))
		return sw_value_number(SW_VALUE_CONST, word);
	return SW_UNKNOWN;
}

/* Some element of an array, or of a table of constants. */
sw_value sw_flow_load_element(struct sw_flow *flow, sw_addr addr)
{
	if (!sw_flow_is_variable(flow, addr))
		return sw_value_number(SW_VALUE_TABLE, addr);
	sw_value value = sw_value_map_get(&flow->spreads, addr);
	return value ? value : SW_UNKNOWN;
}

sw_value sw_flow_load(struct sw_flow *flow, sw_value address, int64_t offset, bool is_indexed)
{
	sw_type type = sw_value_type(address);
	int64_t at;

	switch (sw_value_kind(address)) {
	case SW_VALUE_CONST:
		if (is_indexed)
			return SW_UNKNOWN;
		return load_variable(flow, (sw_addr)(sw_value_signed(address) + offset));
	case SW_VALUE_OBJECT: {
		uint64_t place = sw_flow_field_place(address, offset);
		return is_indexed || !place ? SW_UNKNOWN : sw_flow_load_place(flow, place);
	}
	case SW_VALUE_POINTER:
		at = (int64_t)sw_value_offset(address) + offset;
		if (is_indexed || at < 0 || (uint64_t)at >= sw_type_info(flow->types, type)->size)
			return SW_UNKNOWN;
		return field(flow, type, (uint64_t)at);
	case SW_VALUE_ARRAY: {
		uint64_t stride = sw_type_info(flow->types, type)->size;
		if (!stride)
			return SW_UNKNOWN;
		at = ((int64_t)sw_value_offset(address) + offset) % (int64_t)stride;
		return field(flow, type, (uint64_t)(at < 0 ? at + (int64_t)stride : at));
	}
	default:
		return SW_UNKNOWN;
	}
}

/* ---- places ---- */

/* Is the inner type what the outer one begins with? */
static bool begins_with(struct sw_flow *flow, sw_type outer, sw_type inner)
{
	for (unsigned depth = 0; outer && depth < SW_MAX_TYPE_DEPTH; depth++) {
		if (outer == inner)
			return true;
		const struct sw_type_info *info = sw_type_info(flow->types, outer);
		if (info->kind == SW_KIND_STRUCT && info->field_count && !info->fields[0].offset)
			outer = info->fields[0].type;
		else if (info->kind == SW_KIND_ARRAY && info->elem)
			outer = info->elem;
		else
			return false;
	}
	return false;
}

static bool is_channel(const struct sw_flow *flow, sw_value value)
{
	return sw_value_kind(value) == SW_VALUE_CHAN ||
	       (sw_value_kind(value) == SW_VALUE_POINTER && !sw_value_offset(value) &&
		sw_type_info(flow->types, sw_value_type(value))->role == SW_TYPE_CHAN_HEADER);
}

sw_value sw_value_meet(struct sw_flow *flow, sw_value a, sw_value b)
{
	/* The runtime's own code takes all channels for one type. */
	if (a != b && is_channel(flow, a) && is_channel(flow, b))
		return sw_value_typed(SW_VALUE_CHAN, 0, 0);
	sw_value joined = sw_value_join(a, b);
	if (joined != SW_UNKNOWN || a == SW_UNKNOWN || b == SW_UNKNOWN ||
	    sw_value_kind(a) != SW_VALUE_POINTER || sw_value_kind(b) != SW_VALUE_POINTER ||
	    sw_value_offset(a) || sw_value_offset(b))
		return joined;
	if (begins_with(flow, sw_value_type(a), sw_value_type(b)))
		return b;
	return begins_with(flow, sw_value_type(b), sw_value_type(a)) ? a : joined;
}

static bool is_bytes(const struct sw_flow *flow, sw_value value, bool *is_string)
{
	const struct sw_type_info *info = sw_type_info(flow->types, sw_value_type(value));
	*is_string = info->role == SW_TYPE_STRING_BYTES;
	return sw_value_kind(value) == SW_VALUE_ARRAY &&
	       (*is_string || (info->role == SW_TYPE_BACKING &&
			       sw_type_info(flow->types, info->elem)->kind == SW_KIND_UINT8));
}

/* Bytes of a slice become a string without an instruction (strings.Builder, unsafe.String): a word
 * of memory that is said to be both is one of them, and what stands behind it tells which. */
static sw_value meet_bytes(const struct sw_flow *flow, sw_value a, sw_value b)
{
	bool is_string, is_other;
	if (!is_bytes(flow, a, &is_string) || !is_bytes(flow, b, &is_other) ||
	    is_string == is_other)
		return SW_UNKNOWN;
	return sw_value_typed(SW_VALUE_ARRAY, sw_value_type(is_string ? b : a), 0);
}

static void say_place(struct sw_flow *flow, struct sw_value_map *map, uint64_t place,
		      sw_value value)
{
	if (!sw_value_is_typed(value) ||
	    (sw_value_kind(value) == SW_VALUE_POINTER && sw_value_offset(value)))
		return;
	sw_value known = sw_value_map_get(map, place);
	sw_value met = sw_value_meet(flow, known, value);
	if (met == SW_UNKNOWN && known != SW_UNKNOWN)
		met = meet_bytes(flow, known, value);
	if (met != known)
		sw_flow_fail(flow, sw_value_map_set(map, place,
						    (struct sw_known_value){met, ++flow->clock}));
}

void sw_flow_say_global(struct sw_flow *flow, sw_addr addr, sw_value value)
{
	if (sw_flow_is_variable(flow, addr))
		say_place(flow, &flow->globals, addr, value);
}

void sw_flow_say_spread(struct sw_flow *flow, sw_addr addr, sw_value value)
{
	if (sw_flow_is_variable(flow, addr))
		say_place(flow, &flow->spreads, addr, value);
}

void sw_flow_say_field(struct sw_flow *flow, sw_value object, int64_t offset, sw_value value)
{
	uint64_t place = sw_flow_field_place(object, offset);
	if (place)
		say_place(flow, &flow->fields, place, value);
}

void sw_flow_say_object(struct sw_flow *flow, sw_addr addr, uint32_t number)
{
	uint64_t key = addr * 31 + number;
	if (!number || !sw_flow_is_variable(flow, addr) ||
	    sw_number_map_get(&flow->object_seen, key))
		return;
	sw_flow_fail(flow, sw_number_map_set(&flow->object_seen, key, 1));
	sw_flow_fail(flow,
		     sw_flow_objects_add(&flow->objects, (struct sw_flow_object){addr, number}));
}

static int compare_objects(const void *a, const void *b)
{
	const struct sw_flow_object *x = a, *y = b;
	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return (x->addr > y->addr) - (x->addr < y->addr);
}

/* The fields of an object's type for each variable of it. */
static void say_field_of_objects(struct sw_flow *flow, uint64_t place, sw_value value)
{
	uint32_t number = (uint32_t)(place >> 24 & 0xffffff);
	size_t low = 0, high = flow->objects.count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (flow->objects.items[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < flow->objects.count && flow->objects.items[low].number == number &&
	       flow->region_budget;
	     low++) {
		flow->region_budget--;
		sw_flow_say_global(flow, flow->objects.items[low].addr + (place & 0xffffff), value);
	}
}

void sw_flow_say_objects(struct sw_flow *flow)
{
	if (flow->objects.count > 1)
		qsort(flow->objects.items, flow->objects.count, sizeof(*flow->objects.items),
		      compare_objects);
	for (size_t i = 0; i < flow->fields.capacity; i++)
		if (flow->fields.places[i].key >> 48 == SW_FLOW_PLACE_FIELD)
			say_field_of_objects(flow, flow->fields.places[i].key,
					     flow->fields.places[i].value.value);
}

void sw_flow_note_source(struct sw_flow *flow, uint64_t place)
{
	struct sw_flow_sources *sources = &flow->sources;
	if (flow->is_noting_sources &&
	    (!sources->count || sources->items[sources->count - 1] != place))
		sw_flow_fail(flow, sw_flow_sources_add(sources, place));
}

void sw_flow_link(struct sw_flow *flow, uint64_t from, uint64_t to)
{
	uint64_t key = from * 0x9e3779b97f4a7c15 + to;
	if (!to || from == to || sw_number_map_get(&flow->link_seen, key) ||
	    flow->links.count >= MAX_LINKS)
		return;
	sw_flow_fail(flow, sw_number_map_set(&flow->link_seen, key, 1));
	sw_flow_fail(flow, sw_flow_links_add(&flow->links, (struct sw_flow_link){from, to}));
}

void sw_flow_say_links(struct sw_flow *flow)
{
	for (size_t i = 0; i < flow->links.count && !flow->error; i++) {
		const struct sw_flow_link *link = &flow->links.items[i];
		sw_value from = sw_flow_place_value(flow, link->from);
		sw_value to = sw_flow_place_value(flow, link->to);
		if (!to)
			sw_flow_say_origin(flow, sw_value_number(SW_VALUE_FROM, link->to), from);
		else if (!from)
			sw_flow_say_origin(flow, sw_value_number(SW_VALUE_FROM, link->from), to);
	}
}

void sw_flow_say_origin(struct sw_flow *flow, sw_value from, sw_value value)
{
	uint64_t number = (uint64_t)sw_value_signed(from);
	uint32_t index = (uint32_t)(number >> 8);
	if (number >> 48 == 0) {
		sw_flow_say_global(flow, number, value);
		return;
	}
	if (number >> 48 >= SW_FLOW_PLACE_FIELD) {
		say_place(flow, &flow->fields, number, value);
		return;
	}
	if (!sw_value_is_typed(value) || index >= flow->functions.count)
		return;
	struct sw_flow_function *function = &flow->functions.items[index];
	sw_value *place = number >> 48 == SW_FLOW_PLACE_ARG ? &function->args[number & 0xff]
							    : &function->results[number & 0xff];
	sw_value met = sw_value_meet(flow, *place, value);
	if (met == *place)
		return;
	*place = met;
	*(number >> 48 == SW_FLOW_PLACE_ARG ? &function->args_changed
					    : &function->results_changed) = ++flow->clock;
}

/* Fields of all variables that an object stands for. */
static void say_object_fields(struct sw_flow *flow, sw_value object, sw_type type)
{
	sw_flow_fail(flow, sw_type_plans_make(flow->plans, type));
	if (flow->error)
		return;
	const struct sw_type_plan plan = flow->plans->list.items[type];
	for (uint32_t i = 0; i < plan.count && i < MAX_FIELDS; i++) {
		const struct sw_slot_plan slot = flow->plans->slots.items[plan.first + i];
		sw_flow_say_field(flow, object, (int64_t)slot.offset,
				  sw_value_of_slot(flow, type, &slot));
	}
}

void sw_flow_say_target(struct sw_flow *flow, sw_value pointer, sw_value value)
{
	sw_type type = sw_value_type(pointer);
	if (sw_value_kind(pointer) != SW_VALUE_POINTER || sw_value_offset(pointer) ||
	    sw_flow_is_closure(flow, type))
		return;
	if (sw_value_kind(value) == SW_VALUE_CONST)
		sw_flow_say_region(flow, (sw_addr)sw_value_signed(value), type);
	else if (sw_value_kind(value) == SW_VALUE_OBJECT && !sw_value_offset(value))
		say_object_fields(flow, value, type);
}

void sw_flow_say_region(struct sw_flow *flow, sw_addr addr, sw_type type)
{
	if (!sw_flow_is_variable(flow, addr))
		return;
	sw_flow_fail(flow, sw_type_plans_make(flow->plans, type));
	if (flow->error)
		return;
	uint32_t count = flow->plans->list.items[type].count;
	if (count > flow->region_budget)
		return;
	flow->region_budget -= count;
	for (uint32_t i = 0; i < count; i++) {
		const struct sw_slot_plan slot =
			flow->plans->slots.items[flow->plans->list.items[type].first + i];
		sw_flow_say_global(flow, addr + slot.offset, sw_value_of_slot(flow, type, &slot));
	}
}
