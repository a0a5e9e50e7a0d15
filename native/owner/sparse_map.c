#include "owner/sparse_map.h"

enum { TICK = 1 << 12 };

static bool is_map(const struct sw_live *live, sw_object object)
{
	sw_type type = sw_live_type(live, object);
	return type && sw_type_info(live->types, type)->role == SW_TYPE_MAP_HEADER;
}

static struct sw_error *count_map(struct sw_fields *fields, sw_object object,
				  struct sw_sparse_maps *out)
{
	const struct sw_live *live = fields->scan->live;
	struct sw_value header = {sw_live_type(live, object), sw_live_start(live, object)};
	struct sw_map_size size;
	char name[SW_FIELD_NAME];

	out->looked_at++;
	if (!sw_value_map_size(&live->reader, header, &size) || size.count > size.slots) {
		out->unreadable++;
		return NULL;
	}
	if (size.slots <= SW_SPARSE_SLOTS || size.count >= size.slots / 4)
		return NULL;
	struct sw_field_sum one = {.arrays = 1, .views = size.count, .spare = size.slots};
	one.size = size.bytes;
	one.used = (uint64_t)((double)size.bytes * (double)size.count / (double)size.slots);
	one.wasted = one.example_wasted = size.bytes - one.used;
	one.example.object = object;
	out->maps++;
	out->entries += size.count;
	out->slots += size.slots;
	out->size += one.size;
	out->wasted += one.wasted;
	sw_field_name_of(fields, header, object, SW_NO_ROOT, name, sizeof(name));
	return sw_field_rows_count(&out->rows, name, &one);
}

struct sw_error *sw_sparse_maps_find(struct sw_fields *fields, struct sw_sparse_maps *out)
{
	const struct sw_live *live = fields->scan->live;
	struct sw_error *error = NULL;

	*out = (struct sw_sparse_maps){0};
	for (uint32_t i = 0; i < live->typing->object_count && !error; i++) {
		if (is_map(live, i))
			error = count_map(fields, i, out);
		if (!error && i % TICK == 0)
			error = sw_work_tick(live->work, "maps", i, live->typing->object_count);
	}
	sw_field_rows_finish(&out->rows);
	return error;
}

void sw_sparse_maps_free(struct sw_sparse_maps *maps)
{
	sw_field_rows_deinit(&maps->rows);
}
