#include "type/access.h"

#include "go/interface.h"

#include <stdio.h>

enum {
	MAX_NAME = 128,
	MAX_NESTING = 16, /* of structs with one field */
};

static const struct sw_type_info *info_of(const struct sw_value_reader *reader, struct sw_value of)
{
	return sw_type_info(reader->types, of.type);
}

static bool read_word(const struct sw_value_reader *reader, sw_addr at, uint64_t *out)
{
	return sw_memory_u64(reader->go->memory, at, out);
}

/* A word that leads to something: not nil, and not to what is not live. */
static bool read_pointer(const struct sw_value_reader *reader, sw_addr at, sw_addr *out)
{
	return !reader->is_stale && read_word(reader, at, out) && *out &&
	       !sw_value_is_free(reader->heap, *out);
}

/* ---- the way to a field ---- */

static uint8_t field_kind(const struct sw_value_reader *reader, const struct sw_type_info *info,
			  uint32_t field)
{
	return sw_type_info(reader->types, info->fields[field].type)->kind;
}

/* The *T of an atomic.Pointer[T], which is {_ [0]*T; _ noCopy; v unsafe.Pointer}
 * (sync/atomic/type.go, 1.19.5; in 1.19.4 [0]T, before that nothing). */
static sw_type atomic_pointer(const struct sw_value_reader *reader, const struct sw_type_info *info)
{
	const struct sw_layout_release *release = &reader->go->release;
	if (info->kind != SW_KIND_STRUCT || info->field_count != 3 || info->size != 8 ||
	    (release->minor == 19 && release->patch == 4) ||
	    field_kind(reader, info, 0) != SW_KIND_ARRAY ||
	    field_kind(reader, info, 2) != SW_KIND_UNSAFE_POINTER || info->fields[2].offset)
		return 0;
	sw_type pointer = sw_type_info(reader->types, info->fields[0].type)->elem;
	return sw_type_info(reader->types, pointer)->kind == SW_KIND_POINTER ? pointer : 0;
}

/* The value a pointer value points to. */
static bool follow(const struct sw_value_reader *reader, struct sw_value *value)
{
	const struct sw_type_info *info = info_of(reader, *value);
	sw_type atomic = atomic_pointer(reader, info);
	sw_addr to;

	if (atomic)
		info = sw_type_info(reader->types, atomic);
	if (info->kind != SW_KIND_POINTER || !info->elem || !read_pointer(reader, value->addr, &to))
		return false;
	*value = (struct sw_value){info->elem, to};
	return true;
}

static bool step(const struct sw_value_reader *reader, const char *name, size_t length,
		 struct sw_value *value)
{
	const struct sw_type_info *info = info_of(reader, *value);

	if (info->kind == SW_KIND_POINTER || atomic_pointer(reader, info)) {
		if (!follow(reader, value))
			return false;
		info = info_of(reader, *value);
	}
	if (info->kind != SW_KIND_STRUCT)
		return false;
	for (uint32_t i = 0; i < info->field_count; i++)
		if (!strncmp(info->fields[i].name, name, length) && !info->fields[i].name[length]) {
			value->addr += info->fields[i].offset;
			value->type = info->fields[i].type;
			return true;
		}
	return false;
}

bool sw_value_field(const struct sw_value_reader *reader, struct sw_value of, const char *path,
		    struct sw_value *out)
{
	for (size_t length; path && *path; path += length + (path[length] == '.')) {
		length = strcspn(path, ".");
		if (!length || length > MAX_NAME || !step(reader, path, length, &of))
			return false;
	}
	*out = of;
	return true;
}

/* ---- words ---- */

/* The one field that has a size; NULL when there are several, or one is unknown. */
static const struct sw_type_field *only_field(const struct sw_value_reader *reader,
					      const struct sw_type_info *info)
{
	const struct sw_type_field *found = NULL;

	for (uint32_t i = 0; i < info->field_count; i++) {
		const struct sw_type_field *field = &info->fields[i];
		if (field->type && !sw_type_info(reader->types, field->type)->size)
			continue;
		if (found || !field->type)
			return NULL;
		found = field;
	}
	return found;
}

static bool unwrap(const struct sw_value_reader *reader, struct sw_value *value)
{
	for (unsigned depth = 0; depth < MAX_NESTING; depth++) {
		const struct sw_type_info *info = info_of(reader, *value);
		if (info->kind != SW_KIND_STRUCT)
			return true;
		const struct sw_type_field *field = only_field(reader, info);
		if (!field)
			return false;
		*value = (struct sw_value){field->type, value->addr + field->offset};
	}
	return false;
}

static bool is_number(uint8_t kind)
{
	switch (kind) {
	case SW_KIND_INVALID:
	case SW_KIND_ARRAY:
	case SW_KIND_STRUCT:
	case SW_KIND_STRING:
	case SW_KIND_SLICE:
	case SW_KIND_INTERFACE:
	case SW_KIND_FLOAT32:
	case SW_KIND_FLOAT64:
	case SW_KIND_COMPLEX64:
	case SW_KIND_COMPLEX128:
		return false;
	default:
		return true;
	}
}

static bool is_signed(uint8_t kind)
{
	return kind == SW_KIND_INT || kind == SW_KIND_INT8 || kind == SW_KIND_INT16 ||
	       kind == SW_KIND_INT32 || kind == SW_KIND_INT64;
}

bool sw_value_word(const struct sw_value_reader *reader, struct sw_value of, const char *path,
		   uint64_t *out)
{
	uint8_t bytes[8] = {0};

	if (!sw_value_field(reader, of, path, &of) || !unwrap(reader, &of))
		return false;
	const struct sw_type_info *info = info_of(reader, of);
	if (!is_number(info->kind) || !info->size || info->size > sizeof(bytes) ||
	    !sw_memory_read(reader->go->memory, of.addr, bytes, info->size))
		return false;
	unsigned shift = 64 - 8 * (unsigned)info->size;
	*out = sw_load64(bytes);
	if (is_signed(info->kind))
		*out = (uint64_t)((int64_t)(*out << shift) >> shift);
	return true;
}

bool sw_value_flag(const struct sw_value_reader *reader, struct sw_value of, const char *path)
{
	uint64_t word;
	return sw_value_word(reader, of, path, &word) && word;
}

bool sw_value_pointee(const struct sw_value_reader *reader, struct sw_value of, const char *path,
		      struct sw_value *out)
{
	return sw_value_field(reader, of, path, out) && follow(reader, out);
}

/* ---- interfaces ---- */

/* {v any} (sync/atomic/value.go). */
static void unwrap_atomic_value(const struct sw_value_reader *reader, struct sw_value *value)
{
	const struct sw_type_info *info = info_of(reader, *value);
	if (info->kind == SW_KIND_STRUCT && info->field_count == 1 && !info->fields[0].offset)
		value->type = info->fields[0].type;
}

bool sw_value_held(const struct sw_value_reader *reader, struct sw_value of, const char *path,
		   struct sw_value *out)
{
	const struct sw_go *go = reader->go;
	sw_addr descriptor, data;
	bool is_direct;

	if (!sw_value_field(reader, of, path, &of))
		return false;
	unwrap_atomic_value(reader, &of);
	const struct sw_type_info *info = info_of(reader, of);
	if (info->kind != SW_KIND_INTERFACE || reader->is_stale ||
	    !read_word(reader, of.addr, &descriptor) || !descriptor ||
	    !read_word(reader, of.addr + 8, &data))
		return false;
	if (!info->is_empty_interface && !sw_go_itab_type(go, descriptor, &descriptor))
		return false;
	out->type = sw_type_of_descriptor(reader->types, descriptor);
	if (!out->type || !sw_go_read_direct(go, descriptor, &is_direct))
		return false;
	out->addr = is_direct ? of.addr + 8 : data;
	return is_direct || (data && !sw_value_is_free(reader->heap, data));
}

bool sw_value_behind(const struct sw_value_reader *reader, struct sw_value of, const char *path,
		     struct sw_value *out)
{
	if (!sw_value_held(reader, of, path, out))
		return false;
	return info_of(reader, *out)->kind != SW_KIND_POINTER || follow(reader, out);
}

/* ---- arrays ---- */

bool sw_value_array(const struct sw_value_reader *reader, struct sw_value of, const char *path,
		    struct sw_value_array *out)
{
	if (!sw_value_field(reader, of, path, &of))
		return false;
	const struct sw_type_info *info = info_of(reader, of);
	bool is_string = info->kind == SW_KIND_STRING;
	if ((!is_string && info->kind != SW_KIND_SLICE) ||
	    !read_word(reader, of.addr, &out->data) || !read_word(reader, of.addr + 8, &out->len))
		return false;
	out->cap = out->len;
	if (!is_string && !read_word(reader, of.addr + 16, &out->cap))
		return false;
	out->elem = is_string
			    ? sw_type_info(reader->types, sw_type_string_bytes(reader->types))->elem
			    : info->elem;
	out->elem_size = is_string ? 1 : sw_type_info(reader->types, info->elem)->size;
	uint64_t most = (uint64_t)1 << SW_ADDRESS_BITS;
	return out->len <= out->cap && out->cap <= most &&
	       (!out->elem_size || out->cap <= most / out->elem_size) && out->data < most;
}

bool sw_value_string(const struct sw_value_reader *reader, struct sw_value of, const char *path,
		     char *out, size_t size)
{
	struct sw_value_array array;
	*out = 0;
	if (!sw_value_array(reader, of, path, &array) || array.elem_size != 1)
		return false;
	size_t length = array.len < size - 1 ? (size_t)array.len : size - 1;
	if (length && (reader->is_stale || sw_value_is_free(reader->heap, array.data) ||
		       !sw_memory_read(reader->go->memory, array.data, out, length)))
		return false;
	out[length] = 0;
	return true;
}

bool sw_value_function(const struct sw_value_reader *reader, struct sw_value of, const char *path,
		       sw_addr *entry, sw_addr *closure)
{
	sw_addr at;
	if (!sw_value_field(reader, of, path, &of) || info_of(reader, of)->kind != SW_KIND_FUNC ||
	    !read_pointer(reader, of.addr, &at) || !read_word(reader, at, entry))
		return false;
	if (closure)
		*closure = at;
	return true;
}
