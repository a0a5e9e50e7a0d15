/* What the places of pointers lie in. */
#include "library/buffer.h"

enum { MAX_ENCLOSING = 16 };

/* The part of a value that an offset lies in: true and one level down, or false at the bottom. */
static bool step_inside(const struct sw_types *types, struct sw_value *value, uint64_t *offset)
{
	const struct sw_type_info *info = sw_type_info(types, value->type);
	const struct sw_type_info *elem = sw_type_info(types, info->elem);

	if (info->kind == SW_KIND_ARRAY && elem->size) {
		uint64_t start = *offset / elem->size * elem->size;
		*value = (struct sw_value){info->elem, value->addr + start};
		*offset -= start;
		return true;
	}
	for (uint32_t i = 0; info->kind == SW_KIND_STRUCT && i < info->field_count; i++) {
		const struct sw_type_field *field = &info->fields[i];
		if (*offset < field->offset ||
		    *offset - field->offset >= sw_type_info(types, field->type)->size)
			continue;
		*value = (struct sw_value){field->type, value->addr + field->offset};
		*offset -= field->offset;
		return true;
	}
	return false;
}

/* Drops the outermost ones when there are too many. */
static size_t enclosing(const struct sw_live *live, struct sw_value value, uint64_t offset,
			struct sw_value *out, size_t limit)
{
	size_t count = 0;
	for (unsigned depth = 0; depth < SW_BUFFER_MAX_DEPTH; depth++) {
		if (count == limit)
			memmove(out, out + 1, --count * sizeof(*out));
		out[count++] = value;
		if (!step_inside(live->types, &value, &offset))
			break;
	}
	return count;
}

size_t sw_buffer_enclosing(const struct sw_live *live, sw_object object, uint64_t offset,
			   struct sw_value *out, size_t limit)
{
	struct sw_value value = {sw_live_type(live, object), 0};
	const struct sw_type_info *info = sw_type_info(live->types, value.type);
	if (!value.type || !limit)
		return 0;
	value.addr = sw_live_start(live, object);
	/* Several values may share a slot, though nothing says a slice. */
	if (info->size && info->role == SW_TYPE_PLAIN) {
		value.addr += offset / info->size * info->size;
		offset %= info->size;
	}
	return enclosing(live, value, offset, out, limit);
}

size_t sw_buffer_enclosing_root(const struct sw_live *live, uint32_t root, sw_addr at,
				struct sw_value *out, size_t limit)
{
	if (root >= live->go->roots.count || !limit)
		return 0;
	const struct sw_go_root *variable = &live->go->roots.items[root];
	sw_type type = variable->type ? sw_type_of_dwarf(live->types, variable->type) : 0;
	uint64_t size = sw_type_info(live->types, type)->size;
	/* A piece of a local counts when all of the variable is there. */
	if (!type || variable->type_offset || at < variable->address ||
	    at - variable->address >= size || (variable->size && variable->size < size))
		return 0;
	return enclosing(live, (struct sw_value){type, variable->address}, at - variable->address,
			 out, limit);
}

static bool find(const struct sw_live *live, const struct sw_value *values, size_t count,
		 sw_object array, struct sw_buffer *out)
{
	for (size_t i = count; i-- > 0;)
		if (sw_buffer_read(live, values[i], out))
			return true;
	for (size_t i = count; i-- > 0;)
		if (sw_buffer_guess(live, values[i], array, out))
			return true;
	return false;
}

bool sw_buffer_around(const struct sw_live *live, sw_object object, uint64_t offset,
		      sw_object array, struct sw_buffer *out)
{
	struct sw_value values[MAX_ENCLOSING];
	size_t count = sw_buffer_enclosing(live, object, offset, values, MAX_ENCLOSING);
	return find(live, values, count, array, out);
}

bool sw_buffer_around_root(const struct sw_live *live, uint32_t root, sw_addr at, sw_object array,
			   struct sw_buffer *out)
{
	struct sw_value values[MAX_ENCLOSING];
	size_t count = sw_buffer_enclosing_root(live, root, at, values, MAX_ENCLOSING);
	return find(live, values, count, array, out);
}
