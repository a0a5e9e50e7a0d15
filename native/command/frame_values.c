#include "command/frame_values.h"

#include "type/describe.h"

enum { MAX_NAME = 512 }; /* bytes of a function's name that are compared */

/* Not what the source has: results without a name ("~r0"), dictionaries of generic code (".dict"),
 * parts of strings and slices ("s.len"). */
static bool is_hidden(const struct sw_dwarf_variable *variable)
{
	const char *name = variable->name + (*variable->name == '&');
	return *name == '~' || strchr(name, '.') || !strcmp(name, "_");
}

/* Is it "wherey", the field y of the variable "where", which the compiler has taken apart? */
static bool is_part(const struct sw_live *live, const struct sw_dwarf_variables *variables,
		    const struct sw_dwarf_variable *part)
{
	for (size_t i = 0; i < variables->count; i++) {
		const struct sw_dwarf_variable *whole = &variables->items[i];
		size_t size = strlen(whole->name);
		if (whole->line != part->line || whole->depth != part->depth ||
		    whole->size <= part->size || strncmp(whole->name, part->name, size) != 0)
			continue;
		const struct sw_type_info *info =
			sw_type_info(live->types, sw_type_of_dwarf(live->types, whole->type));
		for (uint32_t k = 0; k < info->field_count; k++)
			if (!strcmp(info->fields[k].name, part->name + size))
				return true;
	}
	return false;
}

/* The same function, whose type arguments DWARF and the function tables write differently. */
static bool is_same_function(const char *dwarf, const char *name)
{
	size_t size = strcspn(dwarf, "[");
	return size && size < MAX_NAME && size == strcspn(name, "[") && !strncmp(dwarf, name, size);
}

/* Which call of the frame a variable belongs to; rows->count: to none. Both go inwards by inlining,
 * but for calls that one of them lacks. */
static size_t call_of(const struct sw_frame_rows *rows, const struct sw_dwarf_variable *variable)
{
	size_t guess = rows->count - 1 - variable->depth;

	if (variable->depth < rows->count &&
	    is_same_function(variable->function, rows->calls[guess].function))
		return guess;
	for (size_t i = 0; i < rows->count; i++)
		if (is_same_function(variable->function, rows->calls[i].function))
			return i;
	return variable->depth ? rows->count : rows->count - 1;
}

static bool is_known(const struct sw_dwarf_variable *variable)
{
	if (variable->address || !variable->size)
		return true;
	for (uint64_t i = 0; variable->known && i < variable->size; i++)
		if (variable->known[i])
			return true;
	return false;
}

/* A variable that has moved to the heap: DWARF has the pointer to it, named "&x". */
static bool find_escaped(const struct sw_live *live, const struct sw_dwarf_variable *variable,
			 sw_type *type, struct sw_value_place *place)
{
	const struct sw_type_info *info = sw_type_info(live->types, *type);
	uint64_t pointer;

	if (*variable->name != '&' || info->kind != SW_KIND_POINTER || variable->size != 8 ||
	    !is_known(variable))
		return false;
	if (variable->address) {
		if (!sw_memory_u64(live->go->memory, variable->address, &pointer))
			return false;
	} else if (!memchr(variable->known, 0, 8)) {
		pointer = sw_load64(variable->bytes);
	} else {
		return false;
	}
	if (!pointer) /* it has not been made yet */
		return false;
	*type = info->elem;
	*place = (struct sw_value_place){.addr = pointer};
	return true;
}

/* ---- variables that are dead ---- */

int sw_frame_compare_words(const void *left_item, const void *right_item)
{
	const struct sw_go_stack_word *left = left_item, *right = right_item;

	if (left->frame != right->frame)
		return left->frame < right->frame ? -1 : 1;
	return (left->at > right->at) - (left->at < right->at);
}

/* Where a value has its pointer, bytes from its start; false for one that has none or several. */
static bool find_pointer(const struct sw_type_info *info, uint64_t *out)
{
	*out = info->kind == SW_KIND_INTERFACE ? 8 : 0;
	switch (info->kind) {
	case SW_KIND_CHAN:
	case SW_KIND_FUNC:
	case SW_KIND_INTERFACE:
	case SW_KIND_MAP:
	case SW_KIND_POINTER:
	case SW_KIND_SLICE:
	case SW_KIND_STRING:
	case SW_KIND_UNSAFE_POINTER:
		return true;
	default:
		return false;
	}
}

/* The collector takes every pointer that is needed from here on, so the others are not; those into
 * the stack itself are not among its words. */
static bool is_dead(const struct sw_live *live, const struct sw_frame_rows *rows,
		    const struct sw_dwarf_variable *variable, sw_type type)
{
	const struct sw_go_stack *stack = rows->stack;
	const struct sw_go_frame *frame = &stack->frames.items[rows->number];
	const struct sw_go_frame *outermost = &stack->frames.items[stack->frames.count - 1];
	struct sw_go_stack_word word = {.frame = rows->number};
	uint64_t offset, pointer;

	if (!variable->address || stack->is_partial || frame->is_conservative || !frame->is_call ||
	    frame->continpc != frame->pc || !find_pointer(sw_type_info(live->types, type), &offset))
		return false;
	word.at = variable->address + offset;
	if (word.at < frame->sp || word.at >= outermost->fp ||
	    !sw_memory_u64(live->go->memory, word.at, &pointer) || !pointer ||
	    (pointer >= stack->frames.items[0].sp && pointer < outermost->fp))
		return false;
	return !stack->words.count || !bsearch(&word, stack->words.items, stack->words.count,
					       sizeof(word), sw_frame_compare_words);
}

/* ---- rows ---- */

static json_t *value_text(const struct sw_live *live, sw_type type,
			  const struct sw_value_place *place, bool is_stale)
{
	struct sw_value_reader reader = {live->types, live->go, live->heap, is_stale};
	char *text = sw_value_describe(&reader, type, place);
	json_t *json = sw_json_string(text ? text : "?");

	free(text);
	return json;
}

static json_t *variable_row(const struct sw_live *live, const struct sw_frame_rows *rows,
			    const struct sw_dwarf_variable *variable)
{
	sw_type type = sw_type_of_dwarf(live->types, variable->type);
	bool dead = is_dead(live, rows, variable, type);
	struct sw_value_place place = {variable->address, variable->bytes, variable->known};
	bool is_escaped = find_escaped(live, variable, &type, &place);
	bool has_value = is_escaped || (is_known(variable) && *variable->name != '&');
	json_t *row = json_object();

	if (variable->address && !is_escaped)
		place.bytes = NULL;
	if (!is_escaped && *variable->name == '&')
		type = sw_type_info(live->types, type)->elem;
	json_object_set_new(row, "name", sw_json_string(variable->name + (*variable->name == '&')));
	json_object_set_new(row, "type", sw_json_string(sw_naming_type_name(live, type)));
	json_object_set_new(row, "value",
			    has_value ? value_text(live, type, &place, dead) : json_null());
	json_object_set_new(row, "address",
			    place.addr && has_value ? sw_json_address(place.addr) : json_null());
	if (is_escaped)
		json_object_set_new(row, "escaped", json_true());
	if (dead && has_value)
		json_object_set_new(row, "dead", json_true());
	if (variable->is_result)
		json_object_set_new(row, "result", json_true());
	return row;
}

/* A local that the source declares further down does not exist yet. */
static bool is_declared(const struct sw_dwarf_variable *variable, const struct sw_go_call *call)
{
	return variable->is_parameter || !call->line || variable->line <= (uint32_t)call->line;
}

static void add_variables(const struct sw_live *live, const struct sw_frame_rows *rows,
			  const struct sw_dwarf_variables *variables)
{
	for (size_t i = 0; i < rows->count; i++) {
		if (!rows->rows[i])
			continue;
		json_object_set_new(rows->rows[i], "arguments", json_array());
		json_object_set_new(rows->rows[i], "locals", json_array());
	}
	for (size_t i = 0; i < variables->count; i++) {
		const struct sw_dwarf_variable *variable = &variables->items[i];
		size_t call = call_of(rows, variable);
		if (call >= rows->count || !rows->rows[call] || is_hidden(variable) ||
		    !is_declared(variable, &rows->calls[call]) ||
		    is_part(live, variables, variable))
			continue;
		const char *key = variable->is_parameter ? "arguments" : "locals";
		json_array_append_new(json_object_get(rows->rows[call], key),
				      variable_row(live, rows, variable));
	}
}

struct sw_error *sw_frame_values_add(const struct sw_live *live, const struct sw_frame_rows *rows,
				     bool *found)
{
	struct sw_dwarf_variables variables = {0};
	const struct sw_go_frame *of = &rows->stack->frames.items[rows->number];
	struct sw_dwarf_frame frame = {
		.pc = of->pc,
		.cfa = of->fp,
		.is_call = of->is_call,
		.memory = live->go->memory,
		.registers = rows->registers,
	};

	*found = false;
	if (!live->go->dwarf)
		return NULL;
	struct sw_error *error = sw_dwarf_frame_variables(live->go->dwarf, &frame, &variables);
	if (!error)
		add_variables(live, rows, &variables);
	*found = variables.count;
	sw_dwarf_variables_clear(&variables);
	return error;
}

json_t *sw_frame_pointer(const struct sw_live *live, const struct sw_go_stack_word *word)
{
	sw_object object = sw_heap_object(live->heap, word->pointer);

	if (object == SW_NO_OBJECT)
		return NULL;
	json_t *row = sw_naming_object(live, object);
	uint64_t offset = word->pointer - sw_heap_address(live->heap, object);
	json_object_set_new(row, "at", sw_json_address_or_null(word->at));
	if (offset)
		json_object_set_new(row, "offset", json_integer((json_int_t)offset));
	if (word->kind == SW_GO_WORD_CONSERVATIVE)
		json_object_set_new(row, "conservative", json_true());
	return row;
}
