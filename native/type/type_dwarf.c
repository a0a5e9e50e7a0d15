/* Types from DWARF. One that has a descriptor is the descriptor's; the others are types that no
 * interface, allocation or map ever needed at run time, the runtime's own, and C's. */
#include "type/type_private.h"

#include <stdio.h>

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c & 128) || strchr("_.-~/%@+!", c);
}

/* Where a quoted string that begins at `start` ends: behind its closing quote. */
static size_t quoted_end(const char *name, size_t start, size_t length)
{
	size_t end = start + 1;
	while (end < length && name[end] != '"')
		end += name[end] == '\\' ? 2 : 1;
	return end < length ? end + 1 : length;
}

/* DWARF writes import paths where the type's own name has the package's: "map[string]*net/http.X"
 * becomes "map[string]*http.X". Struct tags in quotes stay. */
static char *short_name(const char *name)
{
	size_t length = strlen(name), out = 0;
	if (length > SW_MAX_TYPE_NAME)
		length = SW_MAX_TYPE_NAME;
	char *copy = malloc(length + 1);
	if (!copy)
		return NULL;
	for (size_t i = 0; i < length;) {
		size_t end = i, start = i;
		if (!strncmp(name + i, "go.shape.", 9)) { /* of generic code: its own name */
			i += 9;
			continue;
		}
		while (end < length && name[end] && is_word(name[end])) {
			if (name[end] == '/')
				start = end + 1;
			end++;
		}
		if (end == i) { /* a sign, or a quoted tag */
			end = name[i] == '"' ? quoted_end(name, i, length) : i + 1;
		}
		memcpy(copy + out, name + start, end - start);
		out += end - start;
		i = end;
	}
	copy[out] = 0;
	return copy;
}

/* "net/http" of "net/http.Request"; nothing for a composite. */
static char *package_of(const char *name)
{
	size_t plain = strcspn(name, "*[]( <");
	const char *slash = memrchr(name, '/', plain);
	const char *start = slash ? slash : name;
	const char *dot = memchr(start, '.', plain - (size_t)(start - name));
	return strndup(name, dot ? (size_t)(dot - name) : 0);
}

/* The linker writes DW_AT_go_runtime_type as an offset from the module's types; image/ makes it
 * an address where it knows them (cmd/link/internal/ld/dwarf.go newtype). */
static sw_type of_runtime_type(struct sw_types *types, const struct sw_dwarf_type_info *dwarf)
{
	const struct sw_go_module *module = types->go->modules.items; /* the executable's */
	sw_addr addr = dwarf->runtime_type;
	if (!addr || !types->go->modules.count)
		return 0;
	if ((addr < module->types || addr >= module->etypes) &&
	    addr < module->etypes - module->types)
		addr += module->types;
	return sw_type_of_descriptor(types, addr);
}

static uint8_t kind_of(const struct sw_dwarf_type_info *dwarf)
{
	if (dwarf->go_kind >= SW_KIND_BOOL && dwarf->go_kind <= SW_KIND_UNSAFE_POINTER)
		return (uint8_t)dwarf->go_kind;
	switch (dwarf->kind) {
	case SW_DWARF_POINTER:
		return dwarf->elem ? SW_KIND_POINTER : SW_KIND_UNSAFE_POINTER;
	case SW_DWARF_STRUCT:
		return SW_KIND_STRUCT;
	case SW_DWARF_ARRAY:
		return SW_KIND_ARRAY;
	case SW_DWARF_FUNC:
		return SW_KIND_FUNC;
	default:
		return SW_KIND_INVALID; /* C's numbers */
	}
}

static sw_type add(struct sw_types *types, sw_dwarf_type number,
		   const struct sw_dwarf_type_info *dwarf)
{
	struct sw_type_info info = {
		.name = short_name(*dwarf->name ? dwarf->name : "?"),
		.package = package_of(dwarf->name),
		.kind = kind_of(dwarf),
		.size = dwarf->size >> SW_ADDRESS_BITS ? 0 : dwarf->size,
		.dwarf = number,
	};
	if (info.name)
		info.is_internal = sw_type_name_is_internal(info.name, &info.role);
	/* Their layout is what type_heap.c makes of descriptors; these are DWARF's own pictures. */
	if (info.role != SW_TYPE_MAP_GROUP && info.role != SW_TYPE_MAP_BUCKET)
		info.role = SW_TYPE_PLAIN;
	return sw_types_add(types, info);
}

sw_type sw_type_of_dwarf(struct sw_types *types, sw_dwarf_type number)
{
	struct sw_dwarf_type_info dwarf;
	sw_type type = sw_number_map_get(&types->by_dwarf, number);
	if (type || !number || !types->go->dwarf)
		return type;
	struct sw_error *error = sw_dwarf_type_info(types->go->dwarf, number, &dwarf);
	if (error) {
		sw_error_free(error);
		return 0;
	}
	type = of_runtime_type(types, &dwarf);
	if (!type)
		type = add(types, number, &dwarf);
	else if (!sw_type_entry(types, type)->info.dwarf)
		sw_type_entry(types, type)->info.dwarf = number;
	if (type) {
		sw_error_free(sw_number_map_set(&types->by_dwarf, number, type));
		sw_types_set_qualified(types, type, strdup(dwarf.name));
	}
	sw_dwarf_type_info_free(&dwarf);
	return type;
}

/* ---- parts ---- */

static void fill_fields(struct sw_types *types, struct sw_type_info *info,
			const struct sw_dwarf_type_info *dwarf)
{
	if (!dwarf->member_count || dwarf->member_count > SW_MAX_FIELDS)
		return;
	info->fields = calloc(dwarf->member_count, sizeof(*info->fields));
	if (!info->fields)
		return;
	for (size_t i = 0; i < dwarf->member_count; i++) {
		const struct sw_dwarf_member *member = &dwarf->members[i];
		sw_type type = sw_type_of_dwarf(types, member->type);
		uint64_t size = sw_type_entry(types, type)->info.size;
		char *name = strdup(member->name);
		if (!name || member->offset > info->size || size > info->size - member->offset) {
			free(name);
			continue;
		}
		info->fields[info->field_count++] =
			(struct sw_type_field){.name = name,
					       .offset = member->offset,
					       .type = type,
					       .is_embedded = member->is_embedded};
	}
}

/* A chain of typedefs or hostile input may make a part contain its whole: the whole's fields are
 * not there yet then, and the part has none. */
static void fill(struct sw_types *types, sw_type type, const struct sw_dwarf_type_info *dwarf)
{
	struct sw_type_info *info = &sw_type_entry(types, type)->info;

	switch (info->kind) {
	case SW_KIND_STRUCT:
		fill_fields(types, info, dwarf);
		break;
	case SW_KIND_INTERFACE:
		info->is_empty_interface =
			dwarf->member_count && strcmp(dwarf->members[0].name, "tab") != 0;
		break;
	case SW_KIND_ARRAY: {
		info->elem = sw_type_of_dwarf(types, dwarf->elem);
		uint64_t stride = sw_type_entry(types, info->elem)->info.size;
		if (stride && dwarf->length <= info->size / stride)
			info->length = dwarf->length;
		else
			info->elem = 0;
		break;
	}
	case SW_KIND_MAP:
	case SW_KIND_CHAN:
		info->key = sw_type_of_dwarf(types, dwarf->key);
		info->elem = sw_type_of_dwarf(types, dwarf->elem);
		info->target = sw_type_of_dwarf(types, dwarf->target);
		break;
	case SW_KIND_POINTER:
	case SW_KIND_SLICE:
		info->elem = sw_type_of_dwarf(types, dwarf->elem);
		break;
	default:
		break;
	}
	info->pointer_bytes = sw_type_pointer_bytes(types, info);
}

void sw_type_fill_dwarf(struct sw_types *types, sw_type type)
{
	struct sw_dwarf_type_info dwarf;
	sw_dwarf_type number = sw_type_entry(types, type)->info.dwarf;

	if (!number || types->depth >= SW_MAX_TYPE_DEPTH)
		return;
	struct sw_error *error = sw_dwarf_type_info(types->go->dwarf, number, &dwarf);
	if (error) {
		sw_error_free(error);
		return;
	}
	types->depth++;
	fill(types, type, &dwarf);
	types->depth--;
	sw_dwarf_type_info_free(&dwarf);
}
