/* Entries of maps, of both kinds: runtime/map.go until 1.23, internal/runtime/maps from 1.24 on. */
#include "type/access.h"

#include <strings.h>

enum {
	SLOTS = 8,	  /* of a bucket, of a group */
	MIN_TOP_HASH = 5, /* runtime/map.go: below it tophash tells of no entry */
	EVACUATED_X = 2,  /* ... and of a bucket that was moved: evacuatedX, Y, Empty */
	HMAP_FLAGS = 8,	  /* hmap{count int; flags, B uint8; …} */
	SAME_SIZE_GROW = 8,
	MAX_B = 40,
	CTRL_EMPTY = 0x80, /* internal/runtime/maps/group.go: set in empty and deleted slots */
};

static const uint64_t max_groups = (uint64_t)1 << 32;

/* Keys and elements of a group or bucket. */
struct shape {
	sw_type group;
	uint64_t size; /* bytes */
	sw_type key, elem;
	uint64_t key_at, key_stride, elem_at, elem_stride;
	bool is_key_indirect, is_elem_indirect;
	uint64_t overflow; /* where a bucket's pointer to the next one is; 0: none */
};

/* One walk over a map. */
struct walk {
	const struct sw_value_reader *reader;
	struct shape shape;
	sw_visit_entry *visit;
	void *context;
	struct sw_map_size size;
	bool is_broken, is_stopped;
};

/* ---- shapes ---- */

static const struct sw_type_field *field_of(const struct sw_type_info *info, const char *name)
{
	for (uint32_t i = 0; i < info->field_count; i++)
		if (!strcasecmp(info->fields[i].name, name)) /* reflect writes Key, Elem */
			return &info->fields[i];
	return NULL;
}

static bool shape_of_slots(const struct sw_types *types, const struct sw_type_field *slots,
			   struct shape *shape)
{
	const struct sw_type_info *slot =
		sw_type_info(types, sw_type_info(types, slots->type)->elem);
	const struct sw_type_field *key = field_of(slot, "key"), *elem = field_of(slot, "elem");

	if (!key || !elem || !slot->size)
		return false;
	shape->key = key->type;
	shape->elem = elem->type;
	shape->key_at = slots->offset + key->offset;
	shape->elem_at = slots->offset + elem->offset;
	shape->key_stride = shape->elem_stride = slot->size;
	return true;
}

static bool shape_of_arrays(const struct sw_types *types, const struct sw_type_info *group,
			    struct shape *shape)
{
	const struct sw_type_field *keys = field_of(group, "keys"),
				   *elems = field_of(group, "elems");
	const struct sw_type_field *overflow = field_of(group, "overflow");

	if (!keys || !elems)
		return false;
	shape->key = sw_type_info(types, keys->type)->elem;
	shape->elem = sw_type_info(types, elems->type)->elem;
	shape->key_at = keys->offset;
	shape->elem_at = elems->offset;
	shape->key_stride = sw_type_info(types, shape->key)->size;
	shape->elem_stride = sw_type_info(types, shape->elem)->size;
	shape->overflow = overflow ? overflow->offset : 0;
	return true;
}

/* A key or element of more than 128 bytes is kept apart, and the slot holds a pointer to it. */
static bool is_apart(const struct sw_types *types, sw_type stored, sw_type wanted)
{
	const struct sw_type_info *info = sw_type_info(types, stored);
	return stored != wanted && info->kind == SW_KIND_POINTER && info->elem == wanted;
}

static bool find_shape(const struct sw_types *types, const struct sw_type_info *header,
		       struct shape *shape)
{
	const struct sw_type_info *group = sw_type_info(types, header->group);
	const struct sw_type_field *slots = field_of(group, "slots");

	*shape = (struct shape){.group = header->group, .size = group->size};
	if (!group->size ||
	    !(slots ? shape_of_slots(types, slots, shape) : shape_of_arrays(types, group, shape)))
		return false;
	shape->is_key_indirect = is_apart(types, shape->key, header->key);
	shape->is_elem_indirect = is_apart(types, shape->elem, header->elem);
	return true;
}

/* ---- groups and buckets ---- */

static bool resolve(struct walk *walk, bool is_indirect, struct sw_value *value)
{
	sw_addr to;
	if (!is_indirect)
		return true;
	if (!sw_memory_u64(walk->reader->go->memory, value->addr, &to) || !to)
		return false;
	*value = (struct sw_value){sw_type_info(walk->reader->types, value->type)->elem, to};
	return true;
}

static void visit_slot(struct walk *walk, sw_addr group, unsigned slot)
{
	const struct shape *shape = &walk->shape;
	struct sw_map_entry entry = {
		{shape->key, group + shape->key_at + slot * shape->key_stride},
		{shape->elem, group + shape->elem_at + slot * shape->elem_stride},
	};
	if (!walk->visit || walk->is_stopped)
		return;
	if (resolve(walk, shape->is_key_indirect, &entry.key) &&
	    resolve(walk, shape->is_elem_indirect, &entry.elem))
		walk->is_stopped = !walk->visit(walk->context, &entry);
	else
		walk->is_broken = true;
}

/* The control bytes of a group, the tophash of a bucket: one for each slot, at its start. */
static bool read_tags(struct walk *walk, sw_addr group, uint8_t tags[SLOTS])
{
	walk->size.slots += SLOTS;
	walk->size.bytes += walk->shape.size;
	if (sw_memory_read(walk->reader->go->memory, group, tags, SLOTS))
		return true;
	walk->is_broken = true;
	return false;
}

static bool goes_on(const struct walk *walk)
{
	return !walk->is_stopped && !walk->is_broken && walk->size.slots < max_groups * SLOTS;
}

static void walk_group(struct walk *walk, sw_addr group)
{
	uint8_t tags[SLOTS];
	if (!read_tags(walk, group, tags))
		return;
	for (unsigned i = 0; i < SLOTS; i++)
		if (!(tags[i] & CTRL_EMPTY))
			visit_slot(walk, group, i);
}

/* A bucket and those that overflowed from it. A damaged chain ends when it is longer than the map
 * can be. */
static void walk_bucket(struct walk *walk, sw_addr bucket, bool is_old)
{
	uint8_t tags[SLOTS];
	for (uint64_t steps = 0; bucket && goes_on(walk); steps++) {
		if (steps > walk->size.count + SLOTS) {
			walk->is_broken = true;
			return;
		}
		if (!read_tags(walk, bucket, tags))
			return;
		if (is_old && tags[0] >= EVACUATED_X && tags[0] < MIN_TOP_HASH)
			return; /* its entries are in the new buckets */
		for (unsigned i = 0; i < SLOTS; i++)
			if (tags[i] >= MIN_TOP_HASH)
				visit_slot(walk, bucket, i);
		if (!walk->shape.overflow || !sw_memory_u64(walk->reader->go->memory,
							    bucket + walk->shape.overflow, &bucket))
			return;
	}
}

/* ---- maps ---- */

static bool has_room(struct walk *walk, sw_addr at, uint64_t groups)
{
	uint64_t bytes;
	return groups <= max_groups && !__builtin_mul_overflow(groups, walk->shape.size, &bytes) &&
	       at + bytes >= at;
}

static void walk_buckets(struct walk *walk, sw_addr first, uint64_t count, bool is_old)
{
	if (!first)
		return;
	if (!has_room(walk, first, count))
		walk->is_broken = true;
	for (uint64_t i = 0; i < count && goes_on(walk); i++)
		walk_bucket(walk, first + i * walk->shape.size, is_old);
}

static void walk_old_map(struct walk *walk, struct sw_value header)
{
	const struct sw_value_reader *reader = walk->reader;
	uint64_t buckets, old;
	uint8_t flags, b;

	if (!sw_value_word(reader, header, "count", &walk->size.count) ||
	    !sw_value_word(reader, header, "buckets", &buckets) ||
	    !sw_value_word(reader, header, "oldbuckets", &old) ||
	    !sw_memory_u8(reader->go->memory, header.addr + HMAP_FLAGS, &flags) ||
	    !sw_memory_u8(reader->go->memory, header.addr + HMAP_FLAGS + 1, &b) || b > MAX_B) {
		walk->is_broken = true;
		return;
	}
	walk_buckets(walk, buckets, (uint64_t)1 << b, false);
	if (old && b)
		walk_buckets(walk, old, (uint64_t)1 << (b - !(flags & SAME_SIZE_GROW)), true);
}

static void walk_table(struct walk *walk, struct sw_value table)
{
	uint64_t groups, mask;
	if (!sw_value_word(walk->reader, table, "groups", &groups) ||
	    !sw_value_word(walk->reader, table, "lengthMask", &mask) || mask >= max_groups ||
	    !has_room(walk, groups, mask + 1)) {
		walk->is_broken = true;
		return;
	}
	for (uint64_t i = 0; i <= mask && goes_on(walk); i++)
		walk_group(walk, groups + i * walk->shape.size);
}

/* Entries of the directory that stand for one table follow each other. */
static void walk_directory(struct walk *walk, struct sw_value header, uint64_t length)
{
	struct sw_value directory;
	sw_addr table, before = 0;

	if (!sw_value_pointee(walk->reader, header, "dirPtr", &directory)) {
		walk->is_broken = true;
		return;
	}
	sw_type pointer = sw_type_info(walk->reader->types, directory.type)->elem;
	sw_type type = sw_type_info(walk->reader->types, pointer)->elem;
	for (uint64_t i = 0; i < length && goes_on(walk); i++, before = table) {
		if (!sw_memory_u64(walk->reader->go->memory, directory.addr + 8 * i, &table)) {
			walk->is_broken = true;
			return;
		}
		if (table != before)
			walk_table(walk, (struct sw_value){type, table});
	}
}

static void walk_swiss_map(struct walk *walk, struct sw_value header)
{
	uint64_t directory, length;
	if (!sw_value_word(walk->reader, header, "used", &walk->size.count) ||
	    !sw_value_word(walk->reader, header, "dirPtr", &directory) ||
	    !sw_value_word(walk->reader, header, "dirLen", &length) || length > max_groups)
		walk->is_broken = true;
	else if (length)
		walk_directory(walk, header, length);
	else if (directory)
		walk_group(walk, directory);
}

static void walk_map(struct walk *walk, struct sw_value map)
{
	struct sw_types *types = walk->reader->types;
	const struct sw_type_info *info = sw_type_info(types, map.type);
	sw_addr to;

	if (info->kind == SW_KIND_MAP) {
		if (walk->reader->is_stale ||
		    !sw_memory_u64(walk->reader->go->memory, map.addr, &to)) {
			walk->is_broken = true;
			return;
		}
		if (!to)
			return;
		map = (struct sw_value){info->target, to};
		info = sw_type_info(types, map.type);
	}
	if (info->role != SW_TYPE_MAP_HEADER || !find_shape(types, info, &walk->shape))
		walk->is_broken = true;
	else if (field_of(info, "dirPtr"))
		walk_swiss_map(walk, map);
	else
		walk_old_map(walk, map);
}

bool sw_value_entries(const struct sw_value_reader *reader, struct sw_value map,
		      sw_visit_entry *visit, void *context)
{
	struct walk walk = {.reader = reader, .visit = visit, .context = context};
	walk_map(&walk, map);
	return !walk.is_broken;
}

bool sw_value_map_size(const struct sw_value_reader *reader, struct sw_value map,
		       struct sw_map_size *out)
{
	struct walk walk = {.reader = reader};
	walk_map(&walk, map);
	*out = walk.size;
	return !walk.is_broken;
}
