/* The table of types: numbers, names, lookups, paths. */
#include "type/type_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

/* ---- names ---- */

char *sw_type_name(const char *format, ...)
{
	char *name;
	va_list arguments;
	va_start(arguments, format);
	int length = vasprintf(&name, format, arguments);
	va_end(arguments);
	if (length < 0)
		return NULL;
	if (length > SW_MAX_TYPE_NAME)
		name[SW_MAX_TYPE_NAME] = 0;
	return name;
}

const char *sw_type_label(const struct sw_types *types, sw_type type)
{
	return type && type < types->count ? sw_type_entry(types, type)->info.name : "?";
}

static bool has_prefix(const char *name, const char *prefix)
{
	return !strncmp(name, prefix, strlen(prefix));
}

/* cmd/link/internal/ld/dwarf.go synthesizemaptypes…, cmd/compile/internal/reflectdata/map*.go,
 * reflect/type.go bucketOf. */
bool sw_type_name_is_internal(const char *name, uint8_t *role)
{
	static const struct {
		const char *prefix;
		uint8_t role;
	} known[] = {
		{"map.group[", SW_TYPE_MAP_GROUP},
		{"group<", SW_TYPE_MAP_GROUP},
		{"map.bucket[", SW_TYPE_MAP_BUCKET},
		{"bucket<", SW_TYPE_MAP_BUCKET},
		{"bucket(", SW_TYPE_MAP_BUCKET},
		{"table<", SW_TYPE_MAP_TABLE},
		{"hash<", SW_TYPE_MAP_HEADER},
		{"map<", SW_TYPE_MAP_HEADER},
		{"groupReference<", SW_TYPE_MAP_PART},
		{"map.hdr[", SW_TYPE_MAP_HEADER},
		{"runtime.hmap", SW_TYPE_MAP_HEADER},
		{"runtime.bmap", SW_TYPE_MAP_PART},
		{"runtime.mapextra", SW_TYPE_MAP_PART},
		{"[]key<", SW_TYPE_MAP_PART},
		{"[]val<", SW_TYPE_MAP_PART},
		{"maps.table", SW_TYPE_MAP_PART},
		{"hchan<", SW_TYPE_PLAIN},
		{"waitq<", SW_TYPE_PLAIN},
		{"sudog<", SW_TYPE_PLAIN},
	};
	bool is_direct = true;

	*role = SW_TYPE_PLAIN;
	for (;; is_direct = false) {
		if (has_prefix(name, "noalg."))
			name += 6;
		for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
			if (has_prefix(name, known[i].prefix)) {
				*role = is_direct ? known[i].role : SW_TYPE_PLAIN;
				return true;
			}
		if (*name == '*')
			name++;
		else if (has_prefix(name, "[]"))
			name += 2;
		else
			return false;
	}
}

bool sw_type_is_shape(const struct sw_type_info *info)
{
	return strstr(info->name, "go.shape.") && !has_prefix(info->name, "struct {");
}

static uint64_t hash_name(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325;
	while (*name)
		hash = (hash ^ (uint8_t)*name++) * 0x100000001b3;
	return hash | 1;
}

/* Types of one hash are chained in rising order, so the first one that became known is found. A
 * qualified name has its own chain, whose links are apart. */
static sw_type find_name(const struct sw_types *types, const char *name)
{
	uint64_t hash = hash_name(name);
	for (sw_type type = sw_number_map_get(&types->by_name, hash); type;
	     type = sw_type_entry(types, type)->next_of_name)
		if (!strcmp(sw_type_entry(types, type)->info.name, name))
			return type;
	for (sw_type type = sw_number_map_get(&types->by_name, hash << 1); type;
	     type = sw_type_entry(types, type)->next_of_qualified)
		if (!strcmp(sw_type_entry(types, type)->qualified, name))
			return type;
	return 0;
}

static void chain_name(struct sw_types *types, sw_type type)
{
	uint64_t hash = hash_name(sw_type_entry(types, type)->info.name);
	sw_type first = sw_number_map_get(&types->by_name, hash);
	sw_type *link = &first;

	if (!first) {
		sw_error_free(sw_number_map_set(&types->by_name, hash, type));
		return;
	}
	/* The same name stands here a few times at most; insert behind the first. */
	link = &sw_type_entry(types, first)->next_of_name;
	sw_type_entry(types, type)->next_of_name = *link;
	*link = type;
}

void sw_types_set_qualified(struct sw_types *types, sw_type type, char *qualified)
{
	struct sw_type_entry *entry = sw_type_entry(types, type);
	if (!qualified || entry->qualified || !strcmp(qualified, entry->info.name)) {
		free(qualified);
		return;
	}
	entry->qualified = qualified;
	uint64_t hash = hash_name(qualified) << 1;
	sw_type first = sw_number_map_get(&types->by_name, hash);
	if (!first) {
		sw_error_free(sw_number_map_set(&types->by_name, hash, type));
		return;
	}
	sw_type *link = &sw_type_entry(types, first)->next_of_qualified;
	entry->next_of_qualified = *link;
	*link = type;
}

/* "net/http.Request", "sync/atomic.Pointer[a/b.T]": the name behind the path, and the path. */
bool sw_type_is_named(const struct sw_type_info *info, const char *name)
{
	size_t path = strcspn(name, "["), package = strlen(info->package);
	while (path && name[path - 1] != '/')
		path--;
	if (strcmp(info->name, name + path) != 0)
		return false;
	return !package || (!strncmp(name, info->package, package) && name[package] == '.');
}

sw_type sw_type_of_name(struct sw_types *types, const char *name)
{
	sw_type type = find_name(types, name);
	if (type || !types->go->dwarf)
		return type;
	return sw_type_of_dwarf(types, sw_dwarf_find_type(types->go->dwarf, name));
}

/* ---- the table ---- */

static bool add_chunk(struct sw_types *types)
{
	size_t chunk = types->count / SW_TYPE_CHUNK;
	struct sw_type_entry **chunks =
		reallocarray(types->chunks, chunk + 1, sizeof(*types->chunks));
	if (!chunks)
		return false;
	types->chunks = chunks;
	chunks[chunk] = calloc(SW_TYPE_CHUNK, sizeof(**chunks));
	return chunks[chunk] != NULL;
}

static void free_info(struct sw_type_info *info)
{
	free(info->name);
	free(info->package);
	for (uint32_t i = 0; i < info->field_count; i++)
		free((char *)info->fields[i].name);
	free(info->fields);
}

sw_type sw_types_add(struct sw_types *types, struct sw_type_info info)
{
	if (!info.package)
		info.package = strdup("");
	/* The chunk comes last: it belongs to the table once it holds a type. */
	if (!info.name || !info.package || types->count == SW_MAX_TYPES ||
	    (types->count % SW_TYPE_CHUNK == 0 && !add_chunk(types))) {
		free_info(&info);
		return 0;
	}
	sw_type type = types->count++;
	sw_type_entry(types, type)->info = info;
	if (type)
		chain_name(types, type);
	return type;
}

struct sw_error *sw_types_create(struct sw_go *go, struct sw_types **out)
{
	struct sw_types *types = calloc(1, sizeof(*types));
	*out = NULL;
	if (!types)
		return sw_error_memory();
	types->go = go;
	/* Maps of groups came with Go 1.24; its and 1.25's GOEXPERIMENT=noswissmap kept buckets. */
	types->has_swiss_maps =
		go->minor >= 24 && !(go->version && strstr(go->version, "noswissmap"));
	sw_types_add(types, (struct sw_type_info){.name = strdup("?")});
	if (!types->count) {
		sw_types_free(types);
		return sw_error_memory();
	}
	sw_type_entry(types, 0)->is_filled = true;
	*out = types;
	return NULL;
}

void sw_types_free(struct sw_types *types)
{
	if (!types)
		return;
	for (uint32_t i = 0; i < types->count; i++) {
		free_info(&sw_type_entry(types, i)->info);
		free(sw_type_entry(types, i)->qualified);
	}
	for (uint32_t i = 0; i * SW_TYPE_CHUNK < types->count; i++)
		free(types->chunks[i]);
	free(types->chunks);
	sw_number_map_free(&types->by_descriptor);
	sw_number_map_free(&types->by_dwarf);
	sw_number_map_free(&types->by_closure);
	sw_number_map_free(&types->captures);
	sw_number_map_free(&types->by_name);
	free(types);
}

uint32_t sw_types_count(const struct sw_types *types)
{
	return types->count;
}

const struct sw_type_info *sw_type_info(const struct sw_types *types, sw_type type)
{
	struct sw_type_entry *entry = sw_type_entry(types, type < types->count ? type : 0);
	if (!entry->is_filled) {
		/* What is read late changes nothing that was known: the table is const to the
		 * caller. */
		entry->is_filled = true;
		struct sw_types *mutable = (struct sw_types *)types;
		if (entry->info.descriptor)
			sw_type_fill_descriptor(mutable, type);
		else
			sw_type_fill_dwarf(mutable, type);
	}
	return &entry->info;
}

/* ---- pointers of a type ---- */

/* A descriptor tells without being read further. */
static uint64_t part_pointer_bytes(const struct sw_types *types, sw_type type)
{
	const struct sw_type_info *info = &sw_type_entry(types, type)->info;
	return (info->descriptor ? info : sw_type_info(types, type))->pointer_bytes;
}

uint64_t sw_type_pointer_bytes(const struct sw_types *types, const struct sw_type_info *info)
{
	uint64_t end;

	switch (info->kind) {
	case SW_KIND_CHAN:
	case SW_KIND_FUNC:
	case SW_KIND_MAP:
	case SW_KIND_POINTER:
	case SW_KIND_UNSAFE_POINTER:
	case SW_KIND_SLICE:
	case SW_KIND_STRING:
		return 8;
	case SW_KIND_INTERFACE:
		return 16;
	case SW_KIND_ARRAY:
		end = part_pointer_bytes(types, info->elem);
		if (end && info->length > 1)
			end += (info->length - 1) * sw_type_entry(types, info->elem)->info.size;
		return info->length ? end : 0;
	case SW_KIND_STRUCT:
		for (uint32_t i = info->field_count; i--;) {
			end = part_pointer_bytes(types, info->fields[i].type);
			if (end)
				return info->fields[i].offset + end;
		}
		return 0;
	default:
		return 0;
	}
}

/* ---- paths ---- */

void sw_type_append(char *out, size_t size, const char *format, ...)
{
	size_t length = strnlen(out, size);
	va_list arguments;
	if (length >= size)
		return;
	va_start(arguments, format);
	vsnprintf(out + length, size - length, format, arguments);
	va_end(arguments);
}

static const struct sw_type_field *field_at(const struct sw_types *types,
					    const struct sw_type_info *info, uint64_t offset)
{
	for (uint32_t i = info->field_count; i--;) {
		const struct sw_type_field *field = &info->fields[i];
		if (offset >= field->offset &&
		    offset - field->offset < sw_type_entry(types, field->type)->info.size)
			return field;
	}
	return NULL;
}

const struct sw_type_field *sw_type_part(const struct sw_type_info *info, const char *name)
{
	for (uint32_t i = 0; i < info->field_count; i++)
		if (!strcasecmp(info->fields[i].name, name))
			return &info->fields[i];
	return NULL;
}

sw_type sw_type_path(const struct sw_types *types, sw_type type, uint64_t offset, char *out,
		     size_t size)
{
	bool is_first = true;
	for (unsigned depth = 0; depth <= SW_MAX_TYPE_DEPTH; depth++) {
		const struct sw_type_info *info = sw_type_info(types, type);
		if (info->kind == SW_KIND_STRUCT) {
			const struct sw_type_field *field = field_at(types, info, offset);
			if (!field)
				return type;
			sw_type_append(out, size, "%s%s", is_first ? "" : ".", field->name);
			offset -= field->offset;
			type = field->type;
		} else if (info->kind == SW_KIND_ARRAY && info->elem) {
			uint64_t stride = sw_type_entry(types, info->elem)->info.size;
			if (!stride || (info->length && offset / stride >= info->length))
				return type;
			sw_type_append(out, size, "[%llu]", (unsigned long long)(offset / stride));
			offset %= stride;
			type = info->elem;
		} else {
			return type;
		}
		is_first = false;
	}
	return type;
}
