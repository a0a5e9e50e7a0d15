/* The table of types as bytes: a head, types, fields, pairs of maps, text. */
#include "type/type_private.h"

#include <stddef.h>

/* What is added to these has to be stored too. */
_Static_assert(sizeof(struct sw_type_info) == 96 && sizeof(struct sw_type_field) == 24 &&
		       sizeof(struct sw_type_entry) == 136 && sizeof(struct sw_types) == 168,
	       "type_store.c writes every field down");

enum { MAPS = 5 };

struct stored_head {
	uint64_t types, fields, text; /* how many; bytes of text */
	uint64_t pairs[MAPS];
	uint32_t string_bytes, uint8, uint64;
	uint32_t unused;
};

struct stored_type {
	uint64_t size, pointer_bytes, length, descriptor, dwarf;
	uint64_t name, package, qualified; /* in the text; qualified 0: none */
	uint64_t first_field;
	uint32_t field_count;
	uint32_t elem, key, target, group;
	uint32_t backing, pointer, chan_header, next_of_name, next_of_qualified;
	uint8_t kind, role, is_internal, is_empty_interface, is_filled;
	uint8_t unused[3];
};

struct stored_field {
	uint64_t offset, name;
	uint32_t type, is_embedded;
};

struct stored_pair {
	uint64_t key, value;
};

static struct sw_number_map *map_at(struct sw_types *types, size_t index)
{
	struct sw_number_map *maps[MAPS] = {&types->by_descriptor, &types->by_dwarf,
					    &types->by_closure, &types->by_name, &types->captures};
	return maps[index];
}

/* ---- writing ---- */

struct parts {
	struct stored_head head;
	struct stored_type *types;
	struct stored_field *fields;
	struct stored_pair *pairs;
	char *text;
};

static void count_parts(struct sw_types *types, struct stored_head *head)
{
	*head = (struct stored_head){
		.types = types->count,
		.text = 1,
		.string_bytes = types->string_bytes,
		.uint8 = types->uint8,
		.uint64 = types->uint64,
	};
	for (uint32_t i = 0; i < types->count; i++) {
		const struct sw_type_entry *entry = sw_type_entry(types, i);
		head->fields += entry->info.field_count;
		head->text += strlen(entry->info.name) + strlen(entry->info.package) + 2;
		head->text += entry->qualified ? strlen(entry->qualified) + 1 : 0;
		for (uint32_t k = 0; k < entry->info.field_count; k++)
			head->text += strlen(entry->info.fields[k].name) + 1;
	}
	for (size_t i = 0; i < MAPS; i++)
		head->pairs[i] = map_at(types, i)->count;
}

static uint64_t count_pairs(const struct stored_head *head)
{
	uint64_t count = 0;
	for (size_t i = 0; i < MAPS; i++)
		count += head->pairs[i];
	return count;
}

/* False when it is more than could be had. */
static bool size_of(const struct stored_head *head, uint64_t *size)
{
	const uint64_t most = (uint64_t)1 << 40;

	*size = sizeof(*head);
	for (size_t i = 0; i < MAPS; i++) {
		if (head->pairs[i] > most)
			return false;
		*size += head->pairs[i] * sizeof(struct stored_pair);
	}
	if (head->types > most || head->fields > most || head->text > most)
		return false;
	*size += head->types * sizeof(struct stored_type) +
		 head->fields * sizeof(struct stored_field) + head->text;
	return true;
}

static void place_parts(char *bytes, struct parts *out)
{
	out->types = (struct stored_type *)(bytes + sizeof(out->head));
	out->fields = (struct stored_field *)(out->types + out->head.types);
	out->pairs = (struct stored_pair *)(out->fields + out->head.fields);
	out->text = (char *)(out->pairs + count_pairs(&out->head));
}

static uint64_t write_text(struct parts *parts, uint64_t *at, const char *text)
{
	uint64_t begin = *at;
	size_t size = strlen(text) + 1;

	memcpy(parts->text + begin, text, size);
	*at += size;
	return begin;
}

static void write_type(struct parts *parts, const struct sw_type_entry *entry,
		       struct stored_type *out, uint64_t *field, uint64_t *text)
{
	const struct sw_type_info *info = &entry->info;

	*out = (struct stored_type){
		.size = info->size,
		.pointer_bytes = info->pointer_bytes,
		.length = info->length,
		.descriptor = info->descriptor,
		.dwarf = info->dwarf,
		.name = write_text(parts, text, info->name),
		.package = write_text(parts, text, info->package),
		.qualified = entry->qualified ? write_text(parts, text, entry->qualified) : 0,
		.first_field = *field,
		.field_count = info->field_count,
		.elem = info->elem,
		.key = info->key,
		.target = info->target,
		.group = info->group,
		.backing = entry->backing,
		.pointer = entry->pointer,
		.chan_header = entry->chan_header,
		.next_of_name = entry->next_of_name,
		.next_of_qualified = entry->next_of_qualified,
		.kind = info->kind,
		.role = info->role,
		.is_internal = info->is_internal,
		.is_empty_interface = info->is_empty_interface,
		.is_filled = entry->is_filled,
	};
	for (uint32_t i = 0; i < info->field_count; i++)
		parts->fields[(*field)++] = (struct stored_field){
			.offset = info->fields[i].offset,
			.name = write_text(parts, text, info->fields[i].name),
			.type = info->fields[i].type,
			.is_embedded = info->fields[i].is_embedded,
		};
}

static void write_map(const struct sw_number_map *map, struct stored_pair **out)
{
	for (size_t i = 0; i < map->capacity; i++)
		if (map->places[i].key)
			*(*out)++ = (struct stored_pair){map->places[i].key, map->places[i].value};
}

struct sw_error *sw_types_store(const struct sw_types *const_types, void **bytes, uint64_t *size)
{
	struct sw_types *types = (struct sw_types *)const_types; /* maps are only read */
	struct parts parts = {0};
	uint64_t field = 0, text = 1; /* 0 stands for no text */

	*bytes = NULL;
	count_parts(types, &parts.head);
	if (!size_of(&parts.head, size))
		return sw_error_format(SW_ERR_LIMIT, "the table of types is too large");
	*bytes = calloc(1, *size);
	if (!*bytes)
		return sw_error_memory();
	memcpy(*bytes, &parts.head, sizeof(parts.head));
	place_parts(*bytes, &parts);
	for (uint32_t i = 0; i < types->count; i++)
		write_type(&parts, sw_type_entry(types, i), &parts.types[i], &field, &text);
	struct stored_pair *pairs = parts.pairs;
	for (size_t i = 0; i < MAPS; i++)
		write_map(map_at(types, i), &pairs);
	return NULL;
}

/* ---- reading ---- */

static bool is_text(const struct parts *parts, uint64_t at)
{
	return at < parts->head.text;
}

static bool is_valid_type(const struct parts *parts, const struct stored_type *type)
{
	uint64_t count = parts->head.types;
	const uint32_t others[] = {type->elem,	      type->key,	  type->target,
				   type->group,	      type->backing,	  type->pointer,
				   type->chan_header, type->next_of_name, type->next_of_qualified};

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (others[i] >= count)
			return false;
	return is_text(parts, type->name) && is_text(parts, type->package) &&
	       is_text(parts, type->qualified) && type->kind <= SW_KIND_UNSAFE_POINTER &&
	       type->role <= SW_TYPE_MAP_PART && type->is_internal <= 1 &&
	       type->is_empty_interface <= 1 && type->is_filled <= 1 &&
	       type->field_count <= SW_MAX_FIELDS && type->first_field <= parts->head.fields &&
	       type->field_count <= parts->head.fields - type->first_field;
}

static bool are_valid_parts(const struct parts *parts)
{
	const struct stored_head *head = &parts->head;

	if (!head->types || head->types > SW_MAX_TYPES || !head->text ||
	    parts->text[head->text - 1] || head->string_bytes >= head->types ||
	    head->uint8 >= head->types || head->uint64 >= head->types)
		return false;
	for (uint64_t i = 0; i < head->types; i++)
		if (!is_valid_type(parts, &parts->types[i]))
			return false;
	for (uint64_t i = 0; i < head->fields; i++)
		if (parts->fields[i].type >= head->types || parts->fields[i].is_embedded > 1 ||
		    !is_text(parts, parts->fields[i].name))
			return false;
	for (uint64_t i = 0; i < count_pairs(head); i++)
		if (!parts->pairs[i].key || parts->pairs[i].value >= head->types)
			return false;
	return true;
}

/* The bytes as parts; false for what cannot be a table. */
static bool open_parts(const void *bytes, uint64_t size, struct parts *out)
{
	uint64_t wanted;

	if (size < sizeof(out->head) || (uintptr_t)bytes % 8)
		return false;
	memcpy(&out->head, bytes, sizeof(out->head));
	if (!size_of(&out->head, &wanted) || wanted != size)
		return false;
	place_parts((char *)(uintptr_t)bytes, out);
	return are_valid_parts(out);
}

static struct sw_error *read_fields(const struct parts *parts, const struct stored_type *type,
				    struct sw_type_info *info)
{
	const struct stored_field *field = &parts->fields[type->first_field];

	info->fields = type->field_count ? calloc(type->field_count, sizeof(*info->fields)) : NULL;
	if (type->field_count && !info->fields)
		return sw_error_memory();
	for (; info->field_count < type->field_count; info->field_count++, field++) {
		char *name = strdup(parts->text + field->name);
		if (!name)
			return sw_error_memory();
		info->fields[info->field_count] = (struct sw_type_field){
			.name = name,
			.offset = field->offset,
			.type = field->type,
			.is_embedded = field->is_embedded,
		};
	}
	return NULL;
}

/* A type under the next number; the first, which is unknown, is there. */
static struct sw_error *read_type(const struct parts *parts, sw_type number, struct sw_types *types)
{
	const struct stored_type *type = &parts->types[number];
	struct sw_type_info info = {
		.name = strdup(parts->text + type->name),
		.package = strdup(parts->text + type->package),
		.kind = type->kind,
		.role = type->role,
		.is_internal = type->is_internal,
		.is_empty_interface = type->is_empty_interface,
		.size = type->size,
		.pointer_bytes = type->pointer_bytes,
		.length = type->length,
		.elem = type->elem,
		.key = type->key,
		.target = type->target,
		.group = type->group,
		.descriptor = type->descriptor,
		.dwarf = type->dwarf,
	};
	if (number && !sw_types_add(types, info))
		return sw_error_memory();
	if (!number) {
		free(info.name);
		free(info.package);
	}
	struct sw_type_entry *entry = sw_type_entry(types, number);
	entry->is_filled = type->is_filled;
	entry->backing = type->backing;
	entry->pointer = type->pointer;
	entry->chan_header = type->chan_header;
	if (type->qualified && !(entry->qualified = strdup(parts->text + type->qualified)))
		return sw_error_memory();
	return read_fields(parts, type, &entry->info);
}

static struct sw_error *read_map(const struct stored_pair *pairs, uint64_t count,
				 struct sw_number_map *map)
{
	struct sw_error *error = NULL;

	sw_number_map_free(map);
	for (uint64_t i = 0; !error && i < count; i++)
		error = sw_number_map_set(map, pairs[i].key, (uint32_t)pairs[i].value);
	return error;
}

/* Chains of names end: no type stands in two of a kind, or twice in one. */
static struct sw_error *read_chains(const struct parts *parts, struct sw_types *types,
				    bool *is_valid)
{
	uint8_t *seen = calloc(types->count, 1);
	if (!seen)
		return sw_error_memory();
	*is_valid = true;
	for (uint32_t i = 0; i < types->count; i++) {
		const struct stored_type *type = &parts->types[i];
		uint8_t *by_name = &seen[type->next_of_name];
		uint8_t *by_qualified = &seen[type->next_of_qualified];
		*is_valid &= !type->next_of_name || !(*by_name & 1);
		*by_name |= 1;
		*is_valid &= !type->next_of_qualified || !(*by_qualified & 2);
		*by_qualified |= 2;
		sw_type_entry(types, i)->next_of_name = type->next_of_name;
		sw_type_entry(types, i)->next_of_qualified = type->next_of_qualified;
	}
	/* With at most one way into each, a chain from a first one that has none comes to an end.
	 */
	for (size_t i = 0; i < types->by_name.capacity; i++) {
		uint32_t first = types->by_name.places[i].value;
		bool is_qualified =
			types->by_name.places[i].key && !(types->by_name.places[i].key & 1);
		if (types->by_name.places[i].key && seen[first] & (is_qualified ? 2 : 1))
			*is_valid = false;
	}
	free(seen);
	return NULL;
}

static struct sw_error *read_parts(const struct parts *parts, struct sw_types *types,
				   bool *is_valid)
{
	const struct stored_pair *pairs = parts->pairs;
	struct sw_error *error = NULL;

	for (uint32_t i = 0; !error && i < parts->head.types; i++)
		error = read_type(parts, i, types);
	for (size_t i = 0; !error && i < MAPS; i++) {
		error = read_map(pairs, parts->head.pairs[i], map_at(types, i));
		pairs += parts->head.pairs[i];
	}
	types->string_bytes = parts->head.string_bytes;
	types->uint8 = parts->head.uint8;
	types->uint64 = parts->head.uint64;
	return error ? error : read_chains(parts, types, is_valid);
}

struct sw_error *sw_types_restore(struct sw_go *go, const void *bytes, uint64_t size,
				  struct sw_types **out)
{
	struct parts parts;
	struct sw_types *types;
	bool is_valid = false;

	*out = NULL;
	if (!open_parts(bytes, size, &parts))
		return NULL;
	struct sw_error *error = sw_types_create(go, &types);
	if (error)
		return error;
	error = read_parts(&parts, types, &is_valid);
	if (error || !is_valid)
		sw_types_free(types);
	else
		*out = types;
	return error;
}
