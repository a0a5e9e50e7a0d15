/* Types of the memory that values of slices, strings, maps, channels and funcs refer to. */
#include "type/type_private.h"

#include <stdio.h>

/* ---- pointers and arrays that no descriptor tells of ---- */

static sw_type make(struct sw_types *types, struct sw_type_info info)
{
	sw_type type = sw_types_add(types, info);
	if (type)
		sw_type_entry(types, type)->is_filled = true;
	return type;
}

sw_type sw_type_make_pointer(struct sw_types *types, sw_type elem)
{
	struct sw_type_entry *entry = sw_type_entry(types, elem);
	if (!elem || entry->pointer)
		return entry->pointer;
	entry->pointer = make(types, (struct sw_type_info){
					     .name = sw_type_name("*%s", entry->info.name),
					     .kind = SW_KIND_POINTER,
					     .is_internal = entry->info.is_internal,
					     .size = 8,
					     .pointer_bytes = 8,
					     .elem = elem,
				     });
	return entry->pointer;
}

sw_type sw_type_make_array(struct sw_types *types, sw_type elem, uint64_t length)
{
	const struct sw_type_info *info = &sw_type_entry(types, elem)->info;
	struct sw_type_info array = {
		.kind = SW_KIND_ARRAY,
		.is_internal = true,
		.size = info->size * length,
		.length = length,
		.elem = elem,
	};
	if (!elem || info->size >> SW_ADDRESS_BITS)
		return 0;
	array.name = sw_type_name("[%llu]%s", (unsigned long long)length, info->name);
	array.pointer_bytes = sw_type_pointer_bytes(types, &array);
	return make(types, array);
}

static sw_type make_basic(struct sw_types *types, sw_type *kept, const char *name, uint8_t kind,
			  uint64_t size)
{
	if (!*kept)
		*kept = make(types, (struct sw_type_info){
					    .name = strdup(name), .kind = kind, .size = size});
	return *kept;
}

static sw_type make_uint8(struct sw_types *types)
{
	return make_basic(types, &types->uint8, "uint8", SW_KIND_UINT8, 1);
}

static sw_type make_uint64(struct sw_types *types)
{
	return make_basic(types, &types->uint64, "uint64", SW_KIND_UINT64, 8);
}

/* ---- slices, strings ---- */

sw_type sw_type_backing(struct sw_types *types, sw_type elem)
{
	struct sw_type_entry *entry = sw_type_entry(types, elem);
	if (!elem || entry->backing)
		return entry->backing;
	if (!entry->info.descriptor)
		sw_type_info(types, elem); /* for its pointers */
	entry->backing = make(types, (struct sw_type_info){
					     .name = sw_type_name("[]%s", entry->info.name),
					     .package = strdup(entry->info.package),
					     .kind = SW_KIND_ARRAY,
					     .role = SW_TYPE_BACKING,
					     .is_internal = entry->info.is_internal,
					     .size = entry->info.size,
					     .pointer_bytes = entry->info.pointer_bytes,
					     .elem = elem,
				     });
	return entry->backing;
}

sw_type sw_type_string_bytes(struct sw_types *types)
{
	if (!types->string_bytes)
		types->string_bytes = make(types, (struct sw_type_info){
							  .name = strdup("string"),
							  .kind = SW_KIND_ARRAY,
							  .role = SW_TYPE_STRING_BYTES,
							  .size = 1,
							  .elem = make_uint8(types),
						  });
	return types->string_bytes;
}

/* ---- structs ---- */

struct part {
	const char *name;
	uint64_t offset;
	sw_type type;
};

/* Takes info.name; pointer_bytes is counted. */
static sw_type make_struct(struct sw_types *types, struct sw_type_info info,
			   const struct part *parts, size_t count)
{
	info.kind = SW_KIND_STRUCT;
	info.fields = calloc(count, sizeof(*info.fields));
	for (size_t i = 0; info.fields && i < count; i++) {
		char *name = strdup(parts[i].name);
		if (!name)
			break;
		info.fields[i] = (struct sw_type_field){
			.name = name, .offset = parts[i].offset, .type = parts[i].type};
		info.field_count++;
	}
	info.pointer_bytes = sw_type_pointer_bytes(types, &info);
	return make(types, info);
}

static char *map_name(struct sw_types *types, const struct sw_type_info *map, const char *part)
{
	return sw_type_name("%s<%s,%s>", part, sw_type_label(types, map->key),
			    sw_type_label(types, map->elem));
}

/* ---- maps until 1.23: runtime/map.go hmap, bmap, mapextra ---- */

enum {
	BUCKET_SLOTS = 8,
	HMAP_SIZE = 48,
};

static void set_fields(struct sw_types *types, sw_type type, const struct part *parts, size_t count)
{
	struct sw_type_info *info = &sw_type_entry(types, type)->info;
	struct sw_type_field *fields = calloc(count, sizeof(*fields));
	uint32_t made = 0;
	if (!fields)
		return;
	for (size_t i = 0; i < count; i++) {
		uint64_t size = sw_type_entry(types, parts[i].type)->info.size;
		char *name = strdup(parts[i].name);
		if (!name || parts[i].offset > info->size || size > info->size - parts[i].offset) {
			free(name);
			break;
		}
		fields[made++] = (struct sw_type_field){
			.name = name, .offset = parts[i].offset, .type = parts[i].type};
	}
	for (uint32_t i = 0; i < info->field_count; i++)
		free((char *)info->fields[i].name);
	free(info->fields);
	info->fields = fields;
	info->field_count = made;
}

void sw_type_fix_bucket(struct sw_types *types, sw_type bucket)
{
	struct sw_type_info *info = &sw_type_entry(types, bucket)->info;
	if (!info->field_count)
		return;
	struct sw_type_field *last = &info->fields[info->field_count - 1];
	if (!strcmp(last->name, "overflow") && info->pointer_bytes == info->size)
		last->type = sw_type_make_pointer(types, bucket);
}

/* The buckets that reflect.MapOf makes have only a size and a mask. */
static void make_bucket_fields(struct sw_types *types, sw_type bucket,
			       const struct sw_type_info *map, const struct sw_map_layout *layout)
{
	struct sw_type_entry *entry = sw_type_entry(types, bucket);
	sw_type key = layout->is_key_indirect ? sw_type_make_pointer(types, map->key) : map->key;
	sw_type elem =
		layout->is_elem_indirect ? sw_type_make_pointer(types, map->elem) : map->elem;
	uint64_t elems = BUCKET_SLOTS + BUCKET_SLOTS * layout->key_size;
	uint64_t overflow = elems + BUCKET_SLOTS * layout->elem_size;
	const struct part parts[] = {
		{"topbits", 0, sw_type_make_array(types, make_uint8(types), BUCKET_SLOTS)},
		{"keys", BUCKET_SLOTS, sw_type_make_array(types, key, BUCKET_SLOTS)},
		{"elems", elems, sw_type_make_array(types, elem, BUCKET_SLOTS)},
		{"overflow", overflow, sw_type_make_pointer(types, bucket)},
	};
	set_fields(types, bucket, parts, entry->info.pointer_bytes ? 4 : 3);
	entry->is_filled = true;
}

static sw_type old_bucket(struct sw_types *types, const struct sw_type_info *map,
			  const struct sw_map_layout *layout)
{
	sw_type bucket = sw_type_of_descriptor(types, layout->group);
	const struct sw_type_info *info = sw_type_info(types, bucket);
	if (!bucket || info->kind != SW_KIND_STRUCT || info->size != layout->group_size)
		return 0;
	if (!info->field_count || strcmp(info->fields[0].name, "topbits") != 0)
		make_bucket_fields(types, bucket, map, layout);
	sw_type_entry(types, bucket)->info.role = SW_TYPE_MAP_BUCKET;
	sw_type_entry(types, bucket)->info.is_internal = true;
	return bucket;
}

static sw_type make_slice(struct sw_types *types, sw_type elem)
{
	return make(types, (struct sw_type_info){
				   .name = sw_type_name("[]%s", sw_type_label(types, elem)),
				   .kind = SW_KIND_SLICE,
				   .is_internal = true,
				   .size = 24,
				   .pointer_bytes = 8,
				   .elem = elem,
			   });
}

static sw_type make_mapextra(struct sw_types *types, const struct sw_type_info *map, sw_type bucket)
{
	sw_type pointer = sw_type_make_pointer(types, bucket);
	sw_type list = sw_type_make_pointer(types, make_slice(types, pointer));
	const struct part parts[] = {
		{"overflow", 0, list},
		{"oldoverflow", 8, list},
		{"nextOverflow", 16, pointer},
	};
	return make_struct(types,
			   (struct sw_type_info){.name = map_name(types, map, "mapextra"),
						 .role = SW_TYPE_MAP_PART,
						 .is_internal = true,
						 .size = 24},
			   parts, 3);
}

static sw_type make_old_map(struct sw_types *types, sw_type type,
			    const struct sw_map_layout *layout)
{
	struct sw_type_info *map = &sw_type_entry(types, type)->info;
	sw_type bucket = old_bucket(types, map, layout);
	if (!bucket)
		return 0;
	/* Sent through a backing array: buckets lie one after the other. */
	sw_type buckets = sw_type_make_pointer(types, sw_type_backing(types, bucket));
	const struct part parts[] = {
		{"count", 0, make_uint64(types)},
		{"buckets", 16, buckets},
		{"oldbuckets", 24, buckets},
		{"nevacuate", 32, make_uint64(types)},
		{"extra", 40, sw_type_make_pointer(types, make_mapextra(types, map, bucket))},
	};
	return make_struct(types,
			   (struct sw_type_info){.name = strdup(map->name),
						 .package = strdup(map->package),
						 .role = SW_TYPE_MAP_HEADER,
						 .size = HMAP_SIZE,
						 .key = map->key,
						 .elem = map->elem,
						 .group = bucket},
			   parts, 5);
}

/* ---- maps of groups: internal/runtime/maps Map, table, groupsReference (1.24–1.27) ---- */

enum {
	SWISS_MAP_SIZE = 48,
	SWISS_TABLE_SIZE = 32,
};

static sw_type make_table(struct sw_types *types, const struct sw_type_info *map, sw_type group)
{
	sw_type groups = sw_type_make_pointer(types, sw_type_backing(types, group));
	const struct part parts[] = {
		{"index", 8, make_uint64(types)},
		{"groups", 16, groups},
		{"lengthMask", 24, make_uint64(types)},
	};
	return make_struct(types,
			   (struct sw_type_info){.name = map_name(types, map, "table"),
						 .role = SW_TYPE_MAP_TABLE,
						 .is_internal = true,
						 .size = SWISS_TABLE_SIZE,
						 .key = map->key,
						 .elem = map->elem,
						 .group = group},
			   parts, 3);
}

static sw_type make_directory(struct sw_types *types, sw_type table)
{
	sw_type directory = sw_type_backing(types, sw_type_make_pointer(types, table));
	if (directory)
		sw_type_entry(types, directory)->info.role = SW_TYPE_MAP_DIRECTORY;
	return directory;
}

/* dirPtr's type here is that of a large map; of a small one it points to a group. */
static sw_type make_swiss_map(struct sw_types *types, sw_type type,
			      const struct sw_map_layout *layout)
{
	struct sw_type_info *map = &sw_type_entry(types, type)->info;
	sw_type group = sw_type_of_descriptor(types, layout->group);
	struct sw_type_info *info = &sw_type_entry(types, group)->info;
	if (!group || info->kind != SW_KIND_STRUCT || info->size != layout->group_size)
		return 0;
	info->role = SW_TYPE_MAP_GROUP;
	info->is_internal = true;
	sw_type directory = make_directory(types, make_table(types, map, group));
	const struct part parts[] = {
		{"used", 0, make_uint64(types)},
		{"seed", 8, make_uint64(types)},
		{"dirPtr", 16, sw_type_make_pointer(types, directory)},
		{"dirLen", 24, make_uint64(types)},
	};
	return make_struct(types,
			   (struct sw_type_info){.name = strdup(map->name),
						 .package = strdup(map->package),
						 .role = SW_TYPE_MAP_HEADER,
						 .size = SWISS_MAP_SIZE,
						 .key = map->key,
						 .elem = map->elem,
						 .group = group},
			   parts, 4);
}

void sw_type_make_map(struct sw_types *types, sw_type type, const struct sw_map_layout *layout)
{
	sw_type target = types->has_swiss_maps ? make_swiss_map(types, type, layout)
					       : make_old_map(types, type, layout);
	sw_type_entry(types, type)->info.target = target;
}

/* ---- channels: runtime/chan.go hchan ---- */

/* hchan as DWARF has it, with a buffer of the element; NULL without DWARF. */
static struct part *chan_parts(struct sw_types *types, sw_type buffer, size_t *count,
			       uint64_t *size)
{
	const struct sw_type_info *hchan =
		sw_type_info(types, sw_type_of_name(types, "runtime.hchan"));
	struct part *parts = calloc(hchan->field_count + 1, sizeof(*parts));

	*size = hchan->size;
	for (*count = 0; parts && *count < hchan->field_count; ++*count) {
		const struct sw_type_field *field = &hchan->fields[*count];
		bool is_buffer = !strcmp(field->name, "buf");
		parts[*count] =
			(struct part){field->name, field->offset, is_buffer ? buffer : field->type};
	}
	if (parts && !*count) {
		parts[(*count)++] = (struct part){"buf", types->go->layout.hchan.buf, buffer};
		*size = types->go->layout.hchan.buf + 8;
	}
	return parts;
}

sw_type sw_type_chan_header(struct sw_types *types, sw_type elem)
{
	struct sw_type_entry *entry = sw_type_entry(types, elem);
	sw_type buffer = sw_type_make_pointer(types, sw_type_backing(types, elem));
	sw_offset buf = types->go->layout.hchan.buf;
	size_t count;
	uint64_t size;

	if (!elem || !buf || buf > 256 || entry->chan_header)
		return entry->chan_header;
	struct part *parts = chan_parts(types, buffer, &count, &size);
	if (!parts)
		return 0;
	entry->chan_header =
		make_struct(types,
			    (struct sw_type_info){.name = sw_type_name("chan %s", entry->info.name),
						  .package = strdup(entry->info.package),
						  .role = SW_TYPE_CHAN_HEADER,
						  .size = size,
						  .elem = elem},
			    parts, count);
	free(parts);
	return entry->chan_header;
}
