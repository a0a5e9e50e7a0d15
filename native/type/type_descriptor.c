/* Types from their descriptors in the target's memory: internal/abi/type.go, map_noswiss.go,
 * map_swiss.go, map.go of Go 1.22–1.27. Nothing read here is trusted. */
#include "type/type_private.h"

#include <stdio.h>

enum {
	/* abi.Type, the same in all releases. */
	TYPE_SIZE = 0,
	TYPE_PTR_BYTES = 8,
	TYPE_TFLAG = 20,
	TYPE_ALIGN = 21,
	TYPE_FIELD_ALIGN = 22,
	TYPE_KIND = 23,
	TYPE_STR = 40,
	TYPE_HEADER = 48,
	KIND_MASK = 31,
	TFLAG_UNCOMMON = 1,
	TFLAG_EXTRA_STAR = 2,
	TFLAG_NAMED = 4,

	/* What follows the header. */
	ELEM = 48, /* array, chan, pointer, slice; a map's key */
	ARRAY_LEN = 64,
	INTERFACE_METHODS = 56, /* a slice */
	STRUCT_FIELDS = 56,	/* a slice of {name, type, offset} */
	FIELD_SIZE = 24,
	MAP_ELEM = 56,
	MAP_GROUP = 64, /* or bucket */
	OLD_MAP_KEY_SIZE = 80,
	OLD_MAP_VALUE_SIZE = 81,
	OLD_MAP_BUCKET_SIZE = 82,
	OLD_MAP_FLAGS = 84,
	OLD_MAP_INDIRECT_KEY = 1,
	OLD_MAP_INDIRECT_ELEM = 2,
	SWISS_MAP_GROUP_SIZE = 80,

	NAME_HAS_EMBEDDED = 8,
};

struct descriptor {
	const uint8_t *header; /* TYPE_HEADER bytes */
	const struct sw_go_module *module;
	uint64_t size, pointer_bytes;
	uint8_t kind, tflag;
};

static const struct sw_go_module *module_of(const struct sw_go *go, sw_addr addr)
{
	for (size_t i = 0; i < go->modules.count; i++)
		if (addr >= go->modules.items[i].types && addr < go->modules.items[i].etypes)
			return &go->modules.items[i];
	return NULL;
}

static bool is_alignment(uint8_t align)
{
	return align == 1 || align == 2 || align == 4 || align == 8;
}

/* What holds of every descriptor; also of those that reflect makes in the heap. */
static bool read_header(const struct sw_go *go, sw_addr addr, struct descriptor *out)
{
	if (addr % 8)
		return false;
	out->header = sw_memory_view(go->memory, addr, TYPE_HEADER);
	if (!out->header)
		return false;
	out->module = module_of(go, addr);
	out->size = sw_load64(out->header + TYPE_SIZE);
	out->pointer_bytes = sw_load64(out->header + TYPE_PTR_BYTES);
	out->kind = out->header[TYPE_KIND] & KIND_MASK;
	out->tflag = out->header[TYPE_TFLAG];
	return out->kind >= SW_KIND_BOOL && out->kind <= SW_KIND_UNSAFE_POINTER &&
	       is_alignment(out->header[TYPE_ALIGN]) &&
	       is_alignment(out->header[TYPE_FIELD_ALIGN]) && out->size >> SW_ADDRESS_BITS == 0 &&
	       out->pointer_bytes <= out->size && out->pointer_bytes % 8 == 0;
}

/* ---- names ---- */

/* internal/abi Name: flags, varint length, bytes. Escapes what is no text. NULL when damaged. */
static char *read_name(const struct sw_go *go, sw_addr addr, uint8_t *flags)
{
	uint8_t bytes[4];
	if (!addr || !sw_memory_read(go->memory, addr, bytes, sizeof(bytes)))
		return NULL;
	uint64_t length = 0, at = 1;
	for (unsigned shift = 0; shift < 21; shift += 7, at++) {
		length |= (uint64_t)(bytes[at] & 127) << shift;
		if (!(bytes[at] & 128))
			break;
	}
	if (at == 4 || length > SW_MAX_TYPE_NAME)
		return NULL;
	char *name = malloc(length + 1);
	if (!name || !sw_memory_read(go->memory, addr + at + 1, name, length)) {
		free(name);
		return NULL;
	}
	name[length] = 0;
	for (uint64_t i = 0; i < length; i++)
		if ((uint8_t)name[i] < ' ' || name[i] == 127)
			name[i] = '?';
	*flags = bytes[0];
	return name;
}

static char *read_name_offset(const struct sw_go *go, const struct sw_go_module *module,
			      int32_t offset)
{
	uint8_t flags;
	if (!module || offset <= 0 || (uint64_t)offset >= module->etypes - module->types)
		return NULL;
	return read_name(go, module->types + (uint32_t)offset, &flags);
}

/* Generic code is compiled once for all type arguments of one shape, and may allocate what is named
 * after the shape (cmd/compile/internal/noder shapify). Only of one shape it is clear which
 * argument it stands for. */
static void unshape(char *name)
{
	static const char shape[] = "go.shape.", clear[] = "go.shape.interface {}";
	for (const char *at = strstr(name, shape); at; at = strstr(at + 1, shape))
		if (strncmp(at, clear, sizeof(clear) - 1) != 0)
			return;
	for (char *at = strstr(name, shape); at; at = strstr(at, shape)) {
		memmove(at, at + sizeof(shape) - 1, strlen(at + sizeof(shape) - 1) + 1);
		/* Until Go 1.20 the number of the argument follows. */
		char *number = at + sizeof(clear) - sizeof(shape);
		if (*number == '_')
			memmove(number, number + 1 + strspn(number + 1, "0123456789"),
				strlen(number + 1 + strspn(number + 1, "0123456789")) + 1);
	}
}

static char *type_string(const struct sw_go *go, const struct descriptor *type)
{
	char *name =
		read_name_offset(go, type->module, (int32_t)sw_load32(type->header + TYPE_STR));
	if (name && type->tflag & TFLAG_EXTRA_STAR && *name == '*')
		memmove(name, name + 1, strlen(name));
	if (name && !*name) {
		free(name);
		return NULL;
	}
	return name;
}

/* ---- structure ---- */

static uint64_t kind_size(const struct sw_types *types, uint8_t kind)
{
	switch (kind) {
	case SW_KIND_ARRAY:
		return 72;
	case SW_KIND_CHAN:
		return 64;
	case SW_KIND_FUNC:
	case SW_KIND_POINTER:
	case SW_KIND_SLICE:
		return 56;
	case SW_KIND_INTERFACE:
	case SW_KIND_STRUCT:
		return 80;
	case SW_KIND_MAP:
		return !types->has_swiss_maps ? 88 : types->go->minor <= 26 ? 112 : 136;
	default:
		return TYPE_HEADER;
	}
}

static sw_addr load_address(const struct sw_go *go, sw_addr addr)
{
	uint64_t word;
	return sw_memory_u64(go->memory, addr, &word) ? word : 0;
}

/* The type that a word of the descriptor names. */
static sw_type part(struct sw_types *types, sw_addr descriptor, unsigned offset)
{
	return sw_type_of_descriptor(types, load_address(types->go, descriptor + offset));
}

/* The full import path of a named type. */
static char *package_path(struct sw_types *types, sw_addr addr, const struct descriptor *type)
{
	uint32_t offset;
	if (!(type->tflag & TFLAG_UNCOMMON) ||
	    !sw_memory_u32(types->go->memory, addr + kind_size(types, type->kind), &offset))
		return NULL;
	return read_name_offset(types->go, type->module, (int32_t)offset);
}

/* "net/http.Request" of "http.Request". */
static void set_qualified(struct sw_types *types, sw_type type)
{
	const struct sw_type_info *info = &sw_type_entry(types, type)->info;
	const char *dot = strchr(info->name, '.');
	if (dot && strchr(info->package, '/') && dot < info->name + strcspn(info->name, "*[]( "))
		sw_types_set_qualified(types, type, sw_type_name("%s%s", info->package, dot));
}

/* Until a name of reflect's own table could be read, types made by reflect are named after what
 * they are made of. */
static char *made_name(struct sw_types *types, sw_addr addr, const struct descriptor *type)
{
	static const char *const basic[] = {
		"?",	   "bool",    "int",	 "int8",      "int16",	    "int32",
		"int64",   "uint",    "uint8",	 "uint16",    "uint32",	    "uint64",
		"uintptr", "float32", "float64", "complex64", "complex128",
	};
	const char *elem;

	if (++types->depth > SW_MAX_TYPE_DEPTH) {
		types->depth--;
		return strdup("?");
	}
	char *name = NULL;
	switch (type->kind) {
	case SW_KIND_ARRAY:
		elem = sw_type_label(types, part(types, addr, ELEM));
		name = sw_type_name("[%llu]%s",
				    (unsigned long long)load_address(types->go, addr + ARRAY_LEN),
				    elem);
		break;
	case SW_KIND_CHAN:
		name = sw_type_name("chan %s", sw_type_label(types, part(types, addr, ELEM)));
		break;
	case SW_KIND_MAP:
		elem = sw_type_label(types, part(types, addr, MAP_ELEM));
		name = sw_type_name("map[%s]%s", sw_type_label(types, part(types, addr, ELEM)),
				    elem);
		break;
	case SW_KIND_POINTER:
		name = sw_type_name("*%s", sw_type_label(types, part(types, addr, ELEM)));
		break;
	case SW_KIND_SLICE:
		name = sw_type_name("[]%s", sw_type_label(types, part(types, addr, ELEM)));
		break;
	case SW_KIND_FUNC:
		name = strdup("func(…)");
		break;
	case SW_KIND_INTERFACE:
		name = strdup("interface {…}");
		break;
	case SW_KIND_STRING:
		name = strdup("string");
		break;
	case SW_KIND_STRUCT:
		name = strdup("struct {…}");
		break;
	case SW_KIND_UNSAFE_POINTER:
		name = strdup("unsafe.Pointer");
		break;
	default:
		name = strdup(basic[type->kind]);
	}
	types->depth--;
	return name;
}

sw_type sw_type_of_descriptor(struct sw_types *types, sw_addr addr)
{
	struct descriptor type;
	uint32_t known = sw_number_map_get(&types->by_descriptor, addr);
	if (known)
		return known;
	if (!addr || !read_header(types->go, addr, &type))
		return 0;
	char *name = type_string(types->go, &type);
	if (name)
		unshape(name);
	/* One that is inside a module but has no name there is no type: a wild pointer. */
	if (!name && !type.module)
		name = made_name(types, addr, &type);
	known = sw_number_map_get(&types->by_descriptor, addr); /* a cycle, while being named */
	if (!name || known) {
		free(name);
		return known;
	}

	struct sw_type_info info = {
		.name = name,
		.kind = type.kind,
		.size = type.size,
		.pointer_bytes = type.pointer_bytes,
		.descriptor = addr,
		.package = package_path(types, addr, &type),
	};
	info.is_internal = sw_type_name_is_internal(name, &info.role);
	sw_type number = sw_types_add(types, info);
	if (number) {
		set_qualified(types, number);
		sw_error_free(sw_number_map_set(&types->by_descriptor, addr, number));
	}
	return number;
}

/* ---- parts, when first asked for ---- */

static void fill_fields(struct sw_types *types, sw_type type)
{
	struct sw_type_info *info = &sw_type_entry(types, type)->info;
	sw_addr fields = load_address(types->go, info->descriptor + STRUCT_FIELDS);
	uint64_t count = load_address(types->go, info->descriptor + STRUCT_FIELDS + 8);
	if (!count || count > SW_MAX_FIELDS)
		return;
	const uint8_t *bytes = sw_memory_view(types->go->memory, fields, count * FIELD_SIZE);
	struct sw_type_field *out = bytes ? calloc(count, sizeof(*out)) : NULL;
	if (!out)
		return;
	info->fields = out;
	for (uint64_t i = 0; i < count; i++, bytes += FIELD_SIZE) {
		uint8_t flags = 0;
		uint64_t offset = sw_load64(bytes + 16);
		/* runtime/type.go structfield: the offset and whether the field is embedded. */
		bool is_embedded = types->go->minor <= 18 && offset & 1;
		if (types->go->minor <= 18)
			offset >>= 1;
		sw_type field = sw_type_of_descriptor(types, sw_load64(bytes + 8));
		const struct sw_type_info *part = &sw_type_entry(types, field)->info;
		char *name = read_name(types->go, sw_load64(bytes), &flags);
		/* Memory of reflect's half-made structs, or damage: what lies outside is no field.
		 */
		if (!name || offset > info->size || part->size > info->size - offset ||
		    (i && offset < out[i - 1].offset)) {
			free(name);
			return;
		}
		out[i] = (struct sw_type_field){.name = name,
						.offset = offset,
						.type = field,
						.is_embedded =
							is_embedded || flags & NAME_HAS_EMBEDDED};
		info->field_count = (uint32_t)(i + 1);
	}
}

static void fill_map(struct sw_types *types, sw_type type)
{
	const struct sw_go *go = types->go;
	struct sw_type_info *info = &sw_type_entry(types, type)->info;
	sw_addr addr = info->descriptor;
	struct sw_map_layout layout = {.group = load_address(go, addr + MAP_GROUP)};
	uint8_t bytes[8];

	info->key = part(types, addr, ELEM);
	info->elem = part(types, addr, MAP_ELEM);
	if (types->has_swiss_maps) {
		layout.group_size = load_address(go, addr + SWISS_MAP_GROUP_SIZE);
	} else if (sw_memory_read(go->memory, addr + OLD_MAP_KEY_SIZE, bytes, sizeof(bytes))) {
		uint8_t flags = bytes[OLD_MAP_FLAGS - OLD_MAP_KEY_SIZE];
		layout.key_size = bytes[0];
		layout.elem_size = bytes[OLD_MAP_VALUE_SIZE - OLD_MAP_KEY_SIZE];
		layout.group_size = sw_load16(bytes + (OLD_MAP_BUCKET_SIZE - OLD_MAP_KEY_SIZE));
		layout.is_key_indirect = flags & OLD_MAP_INDIRECT_KEY;
		layout.is_elem_indirect = flags & OLD_MAP_INDIRECT_ELEM;
	}
	sw_type_make_map(types, type, &layout);
}

static void fill_array(struct sw_types *types, sw_type type)
{
	struct sw_type_info *info = &sw_type_entry(types, type)->info;
	info->elem = part(types, info->descriptor, ELEM);
	info->length = load_address(types->go, info->descriptor + ARRAY_LEN);
	uint64_t stride = sw_type_entry(types, info->elem)->info.size;
	if (!info->elem || (stride && info->length > info->size / stride)) {
		info->elem = 0;
		info->length = 0;
	}
}

void sw_type_fill_descriptor(struct sw_types *types, sw_type type)
{
	struct sw_type_info *info = &sw_type_entry(types, type)->info;

	switch (info->kind) {
	case SW_KIND_ARRAY:
		fill_array(types, type);
		break;
	case SW_KIND_CHAN:
		info->elem = part(types, info->descriptor, ELEM);
		info->target = sw_type_chan_header(types, info->elem);
		break;
	case SW_KIND_POINTER:
	case SW_KIND_SLICE:
		info->elem = part(types, info->descriptor, ELEM);
		break;
	case SW_KIND_INTERFACE:
		info->is_empty_interface =
			!load_address(types->go, info->descriptor + INTERFACE_METHODS + 8);
		break;
	case SW_KIND_MAP:
		fill_map(types, type);
		break;
	case SW_KIND_STRUCT:
		fill_fields(types, type);
		if (info->role == SW_TYPE_MAP_BUCKET)
			sw_type_fix_bucket(types, type);
		break;
	default:
		break;
	}
}
