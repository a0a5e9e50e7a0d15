/* Values as text, and steps of a path in Go's notation. */
#include "type/value.h"

#include "base/utf8.h"
#include "go/interface.h"
#include "type/type_private.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	MAX_DEPTH = 3,	/* of structs shown */
	MAX_FIELDS = 8, /* of each */
	MAP_SLOTS = 8,	/* of a group or bucket */
};

/* ---- values ---- */

struct reader {
	struct sw_types *types;
	const struct sw_go *go;
	char *out;
	size_t size;
};

static bool write_value(struct reader *reader, sw_type type, sw_addr addr, unsigned depth);

static bool unreadable(struct reader *reader)
{
	sw_type_append(reader->out, reader->size, "?");
	return false;
}

static void write_quoted(struct reader *reader, const uint8_t *text, size_t size, bool is_cut)
{
	sw_type_append(reader->out, reader->size, "\"");
	for (size_t i = 0; i < size;) {
		size_t length = sw_utf8_decode((const char *)text + i, size - i, NULL);
		if (!length && is_cut && size - i < 4 && text[i] >= 0xc2)
			break; /* the cut went through it */
		if (!length || text[i] < ' ' || text[i] == 127)
			sw_type_append(reader->out, reader->size, "\\x%02x", text[i]);
		else if (text[i] == '"' || text[i] == '\\')
			sw_type_append(reader->out, reader->size, "\\%c", text[i]);
		else
			sw_type_append(reader->out, reader->size, "%.*s", (int)length,
				       (const char *)text + i);
		i += length ? length : 1;
	}
	sw_type_append(reader->out, reader->size, is_cut ? "…\"" : "\"");
}

static bool write_string(struct reader *reader, sw_addr addr)
{
	uint8_t text[SW_VALUE_MAX_STRING];
	uint64_t data, length;
	if (!sw_memory_u64(reader->go->memory, addr, &data) ||
	    !sw_memory_u64(reader->go->memory, addr + 8, &length) || length >> SW_ADDRESS_BITS)
		return unreadable(reader);
	uint64_t shown = length < sizeof(text) ? length : sizeof(text);
	if (shown && !sw_memory_read(reader->go->memory, data, text, shown))
		return unreadable(reader);
	write_quoted(reader, text, shown, shown < length);
	return true;
}

static bool write_number(struct reader *reader, const struct sw_type_info *info, sw_addr addr)
{
	uint8_t bytes[8] = {0};
	uint64_t word;
	double real;
	float single;

	if (!info->size || info->size > 8 ||
	    !sw_memory_read(reader->go->memory, addr, bytes, info->size))
		return unreadable(reader);
	word = sw_load64(bytes);
	switch (info->kind) {
	case SW_KIND_BOOL:
		sw_type_append(reader->out, reader->size, word & 255 ? "true" : "false");
		break;
	case SW_KIND_INT:
	case SW_KIND_INT8:
	case SW_KIND_INT16:
	case SW_KIND_INT32:
	case SW_KIND_INT64: {
		unsigned shift = 64 - 8 * (unsigned)info->size;
		sw_type_append(reader->out, reader->size, "%" PRId64,
			       (int64_t)(word << shift) >> shift);
		break;
	}
	case SW_KIND_FLOAT32:
		memcpy(&single, bytes, sizeof(single));
		sw_type_append(reader->out, reader->size, "%g", (double)single);
		break;
	case SW_KIND_FLOAT64:
		memcpy(&real, bytes, sizeof(real));
		sw_type_append(reader->out, reader->size, "%g", real);
		break;
	default:
		sw_type_append(reader->out, reader->size, "%" PRIu64, word);
	}
	return true;
}

static bool write_address(struct reader *reader, sw_addr addr)
{
	uint64_t word;
	if (!sw_memory_u64(reader->go->memory, addr, &word))
		return unreadable(reader);
	if (word)
		sw_type_append(reader->out, reader->size, "0x%" PRIx64, word);
	else
		sw_type_append(reader->out, reader->size, "nil");
	return true;
}

static bool write_struct(struct reader *reader, const struct sw_type_info *info, sw_addr addr,
			 unsigned depth)
{
	bool is_whole = true;
	sw_type_append(reader->out, reader->size, "{");
	for (uint32_t i = 0; i < info->field_count && is_whole; i++) {
		if (i)
			sw_type_append(reader->out, reader->size, " ");
		if (i == MAX_FIELDS) {
			sw_type_append(reader->out, reader->size, "…");
			break;
		}
		is_whole = write_value(reader, info->fields[i].type, addr + info->fields[i].offset,
				       depth + 1);
	}
	sw_type_append(reader->out, reader->size, "}");
	return is_whole;
}

static bool write_array(struct reader *reader, const struct sw_type_info *info, sw_addr addr,
			unsigned depth)
{
	uint64_t stride = sw_type_info(reader->types, info->elem)->size;
	bool is_whole = true;
	sw_type_append(reader->out, reader->size, "[");
	for (uint64_t i = 0; i < info->length && is_whole; i++) {
		if (i)
			sw_type_append(reader->out, reader->size, " ");
		if (i == MAX_FIELDS) {
			sw_type_append(reader->out, reader->size, "…");
			break;
		}
		is_whole = write_value(reader, info->elem, addr + i * stride, depth + 1);
	}
	sw_type_append(reader->out, reader->size, "]");
	return is_whole;
}

static bool write_interface(struct reader *reader, const struct sw_type_info *info, sw_addr addr,
			    unsigned depth)
{
	const struct sw_go *go = reader->go;
	uint64_t word, data;
	bool is_direct;
	if (!sw_memory_u64(go->memory, addr, &word) || !sw_memory_u64(go->memory, addr + 8, &data))
		return unreadable(reader);
	if (!word) {
		sw_type_append(reader->out, reader->size, "nil");
		return true;
	}
	if (!info->is_empty_interface && !sw_go_itab_type(go, word, &word))
		return unreadable(reader);
	sw_type type = sw_type_of_descriptor(reader->types, word);
	if (!type || !sw_go_read_direct(go, word, &is_direct))
		return unreadable(reader);
	return write_value(reader, type, is_direct ? addr + 8 : data, depth + 1);
}

static bool write_value(struct reader *reader, sw_type type, sw_addr addr, unsigned depth)
{
	const struct sw_type_info *info = sw_type_info(reader->types, type);
	if (depth > MAX_DEPTH) {
		sw_type_append(reader->out, reader->size, "…");
		return true;
	}
	switch (info->kind) {
	case SW_KIND_INVALID:
		return unreadable(reader);
	case SW_KIND_STRING:
		return write_string(reader, addr);
	case SW_KIND_STRUCT:
		return write_struct(reader, info, addr, depth);
	case SW_KIND_ARRAY:
		return write_array(reader, info, addr, depth);
	case SW_KIND_INTERFACE:
		return write_interface(reader, info, addr, depth);
	case SW_KIND_COMPLEX64:
	case SW_KIND_COMPLEX128:
		sw_type_append(reader->out, reader->size, "%s(…)", info->name);
		return true;
	case SW_KIND_CHAN:
	case SW_KIND_FUNC:
	case SW_KIND_MAP:
	case SW_KIND_POINTER:
	case SW_KIND_SLICE:
	case SW_KIND_UNSAFE_POINTER:
		return write_address(reader, addr);
	default:
		return write_number(reader, info, addr);
	}
}

/* Cutting may have gone through a character. */
static void trim(char *out, size_t start)
{
	size_t length = strlen(out), at = length;
	while (at > start && ((uint8_t)out[at - 1] & 0xc0) == 0x80)
		at--;
	if (at > start && !sw_utf8_decode(out + at - 1, length - at + 1, NULL))
		out[at - 1] = 0;
}

bool sw_value_text(struct sw_types *types, const struct sw_go *go, sw_type type, sw_addr addr,
		   char *out, size_t size)
{
	struct reader reader = {types, go, out, size};
	size_t start = strnlen(out, size);
	if (start >= size)
		return false;
	bool is_whole = write_value(&reader, type, addr, 0);
	trim(out, start);
	return is_whole;
}

/* ---- maps ---- */

/* Where a pointer stands in a group or bucket. */
struct map_place {
	uint64_t slot;	 /* 0…7 */
	uint64_t offset; /* into the key or the element */
	bool is_key;
	sw_type key, elem;   /* as the slot holds them: *K when the key is kept apart */
	uint64_t key_offset; /* of the slot's key in the group */
};

/* slots [8]struct { key K; elem V } */
static bool find_in_slots(const struct sw_types *types, const struct sw_type_field *slots,
			  uint64_t offset, struct map_place *place)
{
	const struct sw_type_info *array = sw_type_info(types, slots->type);
	const struct sw_type_info *slot = sw_type_info(types, array->elem);
	const struct sw_type_field *key = sw_type_part(slot, "key"),
				   *elem = sw_type_part(slot, "elem");
	if (!key || !elem || !slot->size || offset < slots->offset)
		return false;
	offset -= slots->offset;
	place->slot = offset / slot->size;
	offset %= slot->size;
	place->key = key->type;
	place->elem = elem->type;
	place->is_key = offset - key->offset < sw_type_info(types, key->type)->size;
	place->offset = offset - (place->is_key ? key->offset : elem->offset);
	place->key_offset = slots->offset + place->slot * slot->size + key->offset;
	return place->slot < MAP_SLOTS;
}

/* keys [8]K; elems [8]V */
static bool find_in_arrays(const struct sw_types *types, const struct sw_type_field *keys,
			   const struct sw_type_field *elems, uint64_t offset,
			   struct map_place *place)
{
	const struct sw_type_info *key_array = sw_type_info(types, keys->type);
	const struct sw_type_info *elem_array = sw_type_info(types, elems->type);
	place->key = key_array->elem;
	place->elem = elem_array->elem;
	place->is_key = offset - keys->offset < key_array->size;
	uint64_t stride = sw_type_info(types, place->is_key ? place->key : place->elem)->size;
	uint64_t key_stride = sw_type_info(types, place->key)->size;
	offset -= place->is_key ? keys->offset : elems->offset;
	if (!stride || offset / stride >= MAP_SLOTS)
		return false;
	place->slot = offset / stride;
	place->offset = offset % stride;
	place->key_offset = keys->offset + place->slot * key_stride;
	return true;
}

static bool find_in_group(const struct sw_types *types, const struct sw_type_info *group,
			  uint64_t offset, struct map_place *place)
{
	const struct sw_type_field *slots = sw_type_part(group, "slots");
	const struct sw_type_field *keys = sw_type_part(group, "keys");
	const struct sw_type_field *elems = sw_type_part(group, "elems");
	if (slots)
		return find_in_slots(types, slots, offset, place);
	return keys && elems && find_in_arrays(types, keys, elems, offset, place);
}

/* The key is text where it is one value; a key kept apart is a pointer here. */
static sw_type map_step(struct reader *reader, const struct sw_type_info *group, sw_addr addr,
			uint64_t offset)
{
	struct map_place place;
	if (!find_in_group(reader->types, group, offset, &place))
		return 0; /* the overflow pointer: a bucket more of the same map */
	sw_type_append(reader->out, reader->size, place.is_key ? "[key " : "[");
	sw_value_text(reader->types, reader->go, place.key, addr + place.key_offset, reader->out,
		      reader->size);
	sw_type_append(reader->out, reader->size, "]");

	sw_type part = place.is_key ? place.key : place.elem;
	char path[256] = "";
	sw_type type = sw_type_path(reader->types, part, place.offset, path, sizeof(path));
	sw_type_append(reader->out, reader->size, "%s%s", *path && *path != '[' ? "." : "", path);
	return type;
}

/* ---- steps ---- */

static sw_type plain_step(struct reader *reader, sw_type type, uint64_t offset)
{
	char path[256] = "";
	type = sw_type_path(reader->types, type, offset, path, sizeof(path));
	sw_type_append(reader->out, reader->size, "%s%s", *path && *path != '[' ? "." : "", path);
	return type;
}

sw_type sw_value_root_step(struct sw_types *types, sw_type type, uint64_t offset, char *out,
			   size_t size)
{
	struct reader reader = {.types = types, .out = out, .size = size};
	return plain_step(&reader, type, offset);
}

/* "&x" is a pointer to a variable that was captured by reference. */
static sw_type captured_step(struct reader *reader, sw_type type, uint64_t offset)
{
	char path[256] = "";
	type = sw_type_path(reader->types, type, offset, path, sizeof(path));
	if (*path)
		sw_type_append(reader->out, reader->size, ".captured.%s", path + (*path == '&'));
	else
		sw_type_append(reader->out, reader->size, ".captured+%" PRIu64, offset);
	return *path ? type : 0;
}

/* The part of the slot that is one value: its index, and the offset into it. */
static uint64_t split(const struct sw_type_info *info, uint64_t *offset)
{
	uint64_t index = info->size ? *offset / info->size : 0;
	*offset -= index * info->size;
	return index;
}

static sw_type step(struct reader *reader, sw_type type, sw_addr start, uint64_t offset)
{
	const struct sw_type_info *info = sw_type_info(reader->types, type);
	const struct sw_type_info *elem = sw_type_info(reader->types, info->elem);
	uint64_t rest = offset, index = split(info, &rest);

	switch (info->role) {
	case SW_TYPE_MAP_GROUP:
	case SW_TYPE_MAP_BUCKET:
		return map_step(reader, info, start + index * info->size, rest);
	case SW_TYPE_BACKING:
		if (elem->role != SW_TYPE_MAP_GROUP && elem->role != SW_TYPE_MAP_BUCKET)
			break;
		return map_step(reader, elem, start + index * info->size, rest);
	case SW_TYPE_MAP_HEADER:
	case SW_TYPE_MAP_TABLE:
	case SW_TYPE_MAP_DIRECTORY:
	case SW_TYPE_MAP_PART:
		return 0;
	case SW_TYPE_CHAN_HEADER:
		return rest == reader->go->layout.hchan.buf && !index
			       ? 0
			       : plain_step(reader, type, offset);
	case SW_TYPE_CLOSURE:
		return captured_step(reader, type, offset);
	default:
		break;
	}
	if (info->role != SW_TYPE_BACKING && index) /* several, though nothing says a slice */
		sw_type_append(reader->out, reader->size, "[%" PRIu64 "]", index);
	return plain_step(reader, type, info->role == SW_TYPE_BACKING ? offset : rest);
}

sw_type sw_value_step(struct sw_types *types, const struct sw_go *go, const struct sw_heap *heap,
		      sw_type type, sw_addr slot, uint64_t offset, char *out, size_t size)
{
	struct reader reader = {types, go, out, size};
	const struct sw_span *span = sw_heap_span(heap, slot);
	uint64_t start = span ? sw_go_header(span) : 0;
	size_t before = strnlen(out, size);

	if (before >= size)
		return 0;
	if (!type || offset < start) {
		sw_type_append(out, size, "+0x%" PRIx64, offset);
		return 0;
	}
	type = step(&reader, type, slot + start, offset - start);
	trim(out, before);
	return type;
}
