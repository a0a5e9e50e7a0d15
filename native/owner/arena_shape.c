#include "owner/arena_shape.h"

enum { MAX_CHUNKS = 1 << 20 }; /* of one list */

struct reading {
	const struct sw_live *live;
	const struct sw_arena_shape *shape;
	struct sw_value owner;
	struct sw_arena_regions *out;
	bool is_damaged; /* a chunk cannot be where it should */
};

static const struct sw_type_info *info_of(const struct sw_live *live, sw_type type)
{
	return sw_type_info(live->types, type);
}

bool sw_arena_shape_word(const struct sw_live *live, struct sw_value value, const char *path,
			 uint64_t *out)
{
	uint8_t bytes[8] = {0};

	if (sw_value_word(&live->reader, value, path, out))
		return true;
	if (!sw_value_field(&live->reader, value, path, &value))
		return false;
	const struct sw_type_info *info = info_of(live, value.type);
	if (info->kind != SW_KIND_INVALID || !info->dwarf || !info->size ||
	    info->size > sizeof(bytes) ||
	    !sw_memory_read(live->go->memory, value.addr, bytes, info->size))
		return false;
	*out = sw_load64(bytes);
	return true;
}

/* ---- one chunk ---- */

/* In bytes from the region's base; numbers count elements. */
static void read_used(const struct reading *reading, uint64_t elem_size,
		      struct sw_arena_region *region)
{
	uint64_t off;

	switch (reading->shape->fill) {
	case SW_ARENA_FILL_FIELD:
		if (!sw_arena_shape_word(reading->live, reading->owner,
					 reading->shape->paths[SW_ARENA_OFF], &off))
			region->is_off_wild = true;
		else if (off >= region->base && off - region->base <= region->capacity)
			off -= region->base;
		else if (off <= region->capacity / elem_size)
			off *= elem_size;
		else
			region->is_off_wild = true;
		region->is_used_known = !region->is_off_wild;
		region->used = region->is_off_wild ? 0 : off;
		return;
	case SW_ARENA_FILL_LENGTH:
		region->used = region->len;
		region->is_used_known = true;
		return;
	case SW_ARENA_FILL_BEGIN:
		region->used = region->data - region->base;
		region->is_used_known = true;
		return;
	default:
		return;
	}
}

/* Of memory that is not Go's both ends must be there. */
static bool is_mapped(const struct sw_live *live, sw_addr base, uint64_t size)
{
	uint8_t byte;
	return size && base + size > base && sw_memory_u8(live->go->memory, base, &byte) &&
	       sw_memory_u8(live->go->memory, base + size - 1, &byte);
}

static struct sw_error *add_region(struct reading *reading, struct sw_arena_region region,
				   uint64_t elem_size)
{
	const struct sw_live *live = reading->live;

	region.object = sw_heap_object(live->heap, region.data);
	region.base = region.begin = region.data;
	region.capacity = region.cap;
	if (region.object != SW_NO_OBJECT) {
		sw_addr start = sw_live_start(live, region.object);
		uint64_t size = sw_heap_size(live->heap, region.object);
		size -= start - sw_heap_address(live->heap, region.object);
		if (region.data < start || region.data - start > size ||
		    region.cap > size - (region.data - start)) {
			reading->is_damaged = true; /* no buffer ends outside its object */
			return NULL;
		}
		if (reading->shape->fill == SW_ARENA_FILL_BEGIN) {
			region.capacity += region.base - start;
			region.base = start;
		}
		region.begin = region.base - start;
	}
	if (region.object == SW_NO_OBJECT && !is_mapped(live, region.base, region.capacity))
		reading->is_damaged = true;
	if (!region.capacity || reading->is_damaged)
		return NULL;
	read_used(reading, elem_size, &region);
	return sw_arena_regions_add(reading->out, region);
}

/* `cap` of the description: a number of elements, or where the chunk ends. */
static uint64_t read_capacity(const struct reading *reading, sw_addr base, uint64_t elem_size)
{
	const char *path = reading->shape->paths[SW_ARENA_CAP];
	uint64_t cap, most = (uint64_t)1 << SW_ADDRESS_BITS;

	if (!path || !sw_arena_shape_word(reading->live, reading->owner, path, &cap))
		return 0;
	if (cap >= base && cap < most)
		return cap - base;
	return cap < most / elem_size ? cap * elem_size : 0;
}

/* Up to the end of what it points to. */
static uint64_t whole_behind(const struct sw_live *live, sw_addr addr)
{
	sw_object object = sw_heap_object(live->heap, addr);
	if (object == SW_NO_OBJECT)
		return 0;
	return sw_heap_size(live->heap, object) - (addr - sw_heap_address(live->heap, object));
}

static uint64_t size_of(const struct sw_live *live, sw_type type)
{
	uint64_t size = info_of(live, type)->size;
	return size ? size : 1;
}

/* A pointer to an array, or to the first element of one that `cap` tells the size of. */
static struct sw_error *read_pointer(struct reading *reading, struct sw_value buf, bool *is_read)
{
	const struct sw_live *live = reading->live;
	const struct sw_type_info *to = info_of(live, info_of(live, buf.type)->elem);
	struct sw_arena_region region = {.at = buf.addr};
	uint64_t elem_size = 1;

	if (!sw_memory_u64(live->go->memory, buf.addr, &region.data)) {
		*is_read = false;
		return NULL;
	}
	if (!region.data)
		return NULL;
	if (to->kind == SW_KIND_ARRAY) {
		elem_size = size_of(live, to->elem);
		region.cap = to->size;
	}
	if (!region.cap)
		region.cap = read_capacity(reading, region.data, elem_size);
	if (!region.cap)
		region.cap = whole_behind(live, region.data);
	region.len = region.cap;
	*is_read = region.cap;
	return region.cap ? add_region(reading, region, elem_size) : NULL;
}

static struct sw_error *read_inline(struct reading *reading, struct sw_value buf, bool *is_read)
{
	const struct sw_type_info *info = info_of(reading->live, buf.type);
	uint64_t elem_size = size_of(reading->live, info->elem);
	struct sw_arena_region region = {.at = buf.addr, .data = buf.addr, .cap = info->size};

	if (!region.cap) /* char data[]; */
		region.cap = read_capacity(reading, buf.addr, elem_size);
	region.len = region.cap;
	*is_read = region.cap;
	return region.cap ? add_region(reading, region, elem_size) : NULL;
}

static struct sw_error *read_slice(struct reading *reading, struct sw_value buf,
				   const struct sw_value_array *array)
{
	uint64_t size = array->elem_size ? array->elem_size : 1;
	struct sw_arena_region region = {
		.at = buf.addr,
		.data = array->data,
		.len = array->len * size,
		.cap = array->cap * size,
	};
	return array->data ? add_region(reading, region, size) : NULL;
}

/* ---- the kinds of buf ---- */

static bool is_chunk(const struct sw_live *live, sw_type type)
{
	const struct sw_type_info *info = info_of(live, type);
	return info->kind == SW_KIND_SLICE ||
	       (info->kind == SW_KIND_POINTER && info_of(live, info->elem)->kind == SW_KIND_ARRAY);
}

static struct sw_error *read_buf(struct reading *reading, struct sw_value buf, bool is_listed,
				 bool *is_read);

/* Each element is a chunk; all before the one that is being filled are full. */
static struct sw_error *read_list(struct reading *reading, const struct sw_value_array *list,
				  bool *is_read)
{
	size_t first = reading->out->count;
	const char *cur = reading->shape->paths[SW_ARENA_CUR];
	uint64_t current = list->len - 1;
	struct sw_error *error = NULL;

	if (list->len > MAX_CHUNKS ||
	    (cur && !sw_arena_shape_word(reading->live, reading->owner, cur, &current))) {
		*is_read = false;
		return NULL;
	}
	for (uint64_t i = 0; !error && i < list->len; i++) {
		struct sw_value elem = sw_value_element(list, i);
		error = read_buf(reading, elem, true, is_read);
		for (; first < reading->out->count; first++) {
			struct sw_arena_region *region = &reading->out->items[first];
			if (reading->shape->fill == SW_ARENA_FILL_FIELD && i != current) {
				region->used = i < current ? region->capacity : 0;
				region->is_off_wild = false;
				region->is_used_known = true;
			}
		}
	}
	return error;
}

static struct sw_error *read_buf(struct reading *reading, struct sw_value buf, bool is_listed,
				 bool *is_read)
{
	const struct sw_live *live = reading->live;
	const struct sw_type_info *info = info_of(live, buf.type);
	struct sw_value_array array;

	switch (info->kind) {
	case SW_KIND_SLICE:
	case SW_KIND_STRING:
		if (!sw_value_array(&live->reader, buf, NULL, &array))
			break;
		if (!array.len && !array.cap)
			return NULL;
		if (!is_listed && is_chunk(live, array.elem))
			return array.len ? read_list(reading, &array, is_read) : NULL;
		return read_slice(reading, buf, &array);
	case SW_KIND_ARRAY:
		return read_inline(reading, buf, is_read);
	case SW_KIND_POINTER:
	case SW_KIND_UNSAFE_POINTER:
	case SW_KIND_UINTPTR:
		return read_pointer(reading, buf, is_read);
	default:
		break;
	}
	*is_read = false;
	return NULL;
}

struct sw_error *sw_arena_shape_read(const struct sw_live *live, const struct sw_arena_shape *shape,
				     sw_addr value, struct sw_arena_regions *out, bool *is_read)
{
	struct reading reading = {
		.live = live, .shape = shape, .owner = {shape->type, value}, .out = out};
	struct sw_value buf;

	*is_read = sw_value_field(&live->reader, reading.owner, shape->paths[SW_ARENA_BUF], &buf);
	struct sw_error *error = *is_read ? read_buf(&reading, buf, false, is_read) : NULL;
	*is_read &= !reading.is_damaged;
	return error;
}

/* ---- views ---- */

bool sw_arena_is_handed_out(const struct sw_arena_region *region, const struct sw_view *view,
			    sw_addr own, uint64_t own_size)
{
	uint64_t from = view->offset, to = from + view->len;
	uint64_t begin = region->begin, end = begin + region->capacity;

	if (view->at && (view->at - own < own_size || view->at == region->at))
		return false;
	if (from >= end || (view->len ? to <= begin : from < begin)) /* beside it */
		return false;
	if (from <= begin && to >= end) /* all of it */
		return false;
	/* A *byte at the beginning is the buffer as system calls want it (struct iovec). */
	if (view->kind == SW_VIEW_UNKNOWN || (view->kind == SW_VIEW_POINTER && view->len <= 1))
		return from > begin;
	if (view->kind != SW_VIEW_SLICE)
		return true;
	if (!view->len && from == begin && view->cap >= region->capacity)
		return false; /* b[:0] */
	return from != begin + (region->data - region->base) || view->len != region->len ||
	       view->cap != region->cap; /* a copy of the owner's */
}

const struct sw_view *sw_arena_views_of(const struct sw_views *views, sw_object object,
					size_t *count)
{
	size_t low = 0, high = views->count, end;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (views->items[middle].object < object)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < views->count && views->items[end].object == object;)
		end++;
	*count = end - low;
	return views->items ? views->items + low : NULL;
}
