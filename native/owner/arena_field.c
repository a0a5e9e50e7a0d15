#include "owner/arena_field.h"

#include "type/value.h"

#include <stdio.h>

struct sw_error *sw_arena_fields_init(struct sw_arena_fields *fields, const struct sw_live *live)
{
	memset(fields, 0, sizeof(*fields));
	fields->fields.scan = &fields->scan;
	return sw_view_scan_init(&fields->scan, live);
}

void sw_arena_fields_deinit(struct sw_arena_fields *fields)
{
	for (size_t i = 0; i < fields->names.count; i++)
		free(fields->names.items[i]);
	sw_arena_field_names_free(&fields->names);
	sw_arena_field_numbers_free(&fields->by_key);
	sw_arena_field_numbers_free(&fields->by_name);
	sw_fields_deinit(&fields->fields);
	sw_view_scan_deinit(&fields->scan);
}

/* FNV-1a; never 0. */
static uint64_t hash(const char *name)
{
	uint64_t value = 0xcbf29ce484222325;
	for (; *name; name++)
		value = (value ^ (uint8_t)*name) * 0x100000001b3;
	return value ? value : 1;
}

static struct sw_error *number_of_name(struct sw_arena_fields *fields, const char *name,
				       uint32_t *out)
{
	uint64_t key = hash(name);
	const uint32_t *known;

	while ((known = sw_arena_field_numbers_find(&fields->by_name, key)) != NULL) {
		*out = *known - 1;
		if (!strcmp(fields->names.items[*out], name))
			return NULL;
		key += key + 1 ? 1 : 2;
	}
	char *copy = strdup(name);
	if (!copy)
		return sw_error_memory();
	*out = (uint32_t)fields->names.count;
	struct sw_error *error = sw_arena_field_names_add(&fields->names, copy);
	if (error) {
		free(copy);
		return error;
	}
	return sw_arena_field_numbers_set(&fields->by_name, key, *out + 1);
}

/* The last one that begins at or below. */
const struct sw_dwarf_global *sw_arena_global_at(const struct sw_live *live, sw_addr at)
{
	const struct sw_dwarf_global *globals;
	size_t count = 0, low = 0;
	struct sw_error *error =
		live->go->dwarf ? sw_dwarf_globals(live->go->dwarf, &globals, &count) : NULL;

	sw_error_free(error);
	for (size_t high = error ? 0 : count; low < high;) {
		size_t middle = low + (high - low) / 2;
		if (globals[middle].addr <= at)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	sw_type type = sw_type_of_dwarf(live->types, globals[low - 1].type);
	uint64_t size = sw_type_info(live->types, type)->size;
	return at - globals[low - 1].addr < size ? &globals[low - 1] : NULL;
}

static struct sw_error *number_of_variable(struct sw_arena_fields *fields, sw_addr at,
					   uint32_t *out)
{
	const struct sw_live *live = fields->scan.live;
	const struct sw_dwarf_global *global = sw_arena_global_at(live, at);
	char name[SW_FIELD_NAME] = "?";

	if (global) {
		snprintf(name, sizeof(name), "%s", global->name);
		sw_value_root_step(live->types, sw_type_of_dwarf(live->types, global->type),
				   at - global->addr, name, sizeof(name));
	}
	return number_of_name(fields, name, out);
}

struct sw_error *sw_arena_fields_number(struct sw_arena_fields *fields, const struct sw_view *view,
					uint32_t *out)
{
	if (view->holder == SW_NO_NODE)
		return number_of_variable(fields, view->at, out);
	uint64_t key = sw_field_key(&fields->fields, view);
	const uint32_t *known = sw_arena_field_numbers_find(&fields->by_key, key);
	char name[SW_FIELD_NAME];

	*out = known ? *known - 1 : 0;
	if (known)
		return NULL;
	sw_field_name(&fields->fields, view, name, sizeof(name));
	struct sw_error *error = number_of_name(fields, name, out);
	return error ? error : sw_arena_field_numbers_set(&fields->by_key, key, *out + 1);
}
