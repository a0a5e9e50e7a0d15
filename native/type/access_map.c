/* Entries of maps, of both kinds: runtime/map.go until 1.23, internal/runtime/maps from 1.24 on. */
#include "base/chain.h"
#include "type/access.h"

enum {
	SLOTS = 8,	  /* of a bucket, of a group */
	MIN_TOP_HASH = 5, /* runtime/map.go: below it tophash tells of no entry, or of one that
			   * moved to the new buckets */
	HMAP_FLAGS = 8,	  /* hmap{count int; flags, B uint8; …} */
	SAME_SIZE_GROW = 8,
	MAX_B = 40,
	CTRL_EMPTY = 0x80, /* internal/runtime/maps/group.go: set in empty and deleted slots */
	MAX_DAMAGE = 1024, /* groups that cannot be read, before no more are looked at */
};

static const uint64_t max_groups = (uint64_t)1 << 32;
static const uint64_t word_size = 8;

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
	unsigned damage; /* parts that could not be read */
	bool is_stopped;
};

/* ---- shapes ---- */

static bool shape_of_slots(const struct sw_types *types, const struct sw_type_field *slots,
			   struct shape *shape)
{
	const struct sw_type_info *slot =
		sw_type_info(types, sw_type_info(types, slots->type)->elem);
	const struct sw_type_field *key = sw_type_part(slot, "key"),
				   *elem = sw_type_part(slot, "elem");

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
	const struct sw_type_field *keys = sw_type_part(group, "keys"),
				   *elems = sw_type_part(group, "elems");
	const struct sw_type_field *overflow = sw_type_part(group, "overflow");

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
	const struct sw_type_field *slots = sw_type_part(group, "slots");

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
		walk->damage++;
}

/* The control bytes of a group, the tophash of a bucket: one for each slot, at its start. */
static bool read_tags(struct walk *walk, sw_addr group, uint8_t tags[SLOTS])
{
	walk->size.slots += SLOTS;
	walk->size.bytes += walk->shape.size;
	if (sw_memory_read(walk->reader->go->memory, group, tags, SLOTS))
		return true;
	walk->damage++;
	return false;
}

/* No map is larger than the heap: damage may lead to the same buckets many times. */
static bool goes_on(struct walk *walk)
{
	const struct sw_heap *heap = walk->reader->heap;
	uint64_t most = heap && heap->object_bytes ? heap->object_bytes : UINT64_MAX;
	if (walk->size.bytes > most || walk->size.slots > max_groups * SLOTS)
		walk->damage = MAX_DAMAGE;
	return !walk->is_stopped && walk->damage < MAX_DAMAGE;
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

/* The bucket that a bucket overflowed into, or 0. */
static sw_addr next_bucket(const struct walk *walk, sw_addr bucket)
{
	sw_addr next;
	return walk->shape.overflow && sw_memory_u64(walk->reader->go->memory,
						     bucket + walk->shape.overflow, &next)
		       ? next
		       : 0;
}

static bool is_ring(const struct walk *walk, sw_addr bucket)
{
	struct sw_chain chain = {0};
	for (; bucket; bucket = next_bucket(walk, bucket))
		if (sw_chain_is_ring(&chain, bucket))
			return true;
	return false;
}

/* A bucket and those that overflowed from it; of a damaged chain that has no end, the first. */
static void walk_bucket(struct walk *walk, sw_addr bucket)
{
	uint8_t tags[SLOTS];
	bool is_damaged = is_ring(walk, bucket);

	walk->damage += is_damaged;
	for (; bucket && goes_on(walk); bucket = is_damaged ? 0 : next_bucket(walk, bucket)) {
		if (!read_tags(walk, bucket, tags))
			return;
		for (unsigned i = 0; i < SLOTS; i++)
			if (tags[i] >= MIN_TOP_HASH)
				visit_slot(walk, bucket, i);
	}
}

/* ---- maps ---- */

/* Can an array of `count` be there? In the heap it is within one object, and live. */
static bool is_array(const struct walk *walk, sw_addr at, uint64_t count, uint64_t size)
{
	const struct sw_heap *heap = walk->reader->heap;
	const struct sw_span *span = heap ? sw_heap_span(heap, at) : NULL;
	uint64_t bytes;

	if (count > max_groups || __builtin_mul_overflow(count, size, &bytes) || at + bytes < at ||
	    sw_value_is_free(heap, at))
		return false;
	return !span || bytes <= span->elemsize - (at - span->base) % span->elemsize;
}

/* An array of groups or buckets. */
static void walk_array(struct walk *walk, sw_addr first, uint64_t count,
		       void (*walk_one)(struct walk *walk, sw_addr addr))
{
	if (!is_array(walk, first, count, walk->shape.size)) {
		walk->damage++;
		return;
	}
	for (uint64_t i = 0; i < count && goes_on(walk); i++)
		walk_one(walk, first + i * walk->shape.size);
}

static void walk_old_map(struct walk *walk, struct sw_value header)
{
	const struct sw_value_reader *reader = walk->reader;
	uint64_t buckets, old;
	uint8_t flags, b;
	bool is_same_size;

	if (!sw_value_word(reader, header, "count", &walk->size.count) ||
	    !sw_value_word(reader, header, "buckets", &buckets) ||
	    !sw_value_word(reader, header, "oldbuckets", &old) ||
	    !sw_memory_u8(reader->go->memory, header.addr + HMAP_FLAGS, &flags) ||
	    !sw_memory_u8(reader->go->memory, header.addr + HMAP_FLAGS + 1, &b) || b > MAX_B) {
		walk->damage++;
		return;
	}
	is_same_size = flags & SAME_SIZE_GROW;
	if (buckets)
		walk_array(walk, buckets, (uint64_t)1 << b, walk_bucket);
	/* While the map grows, entries stand in either. */
	if (old && !b && !is_same_size)
		walk->damage++;
	else if (old)
		walk_array(walk, old, (uint64_t)1 << (b - !is_same_size), walk_bucket);
}

/* `first` is its first entry in the directory, and it knows that. */
static void walk_table(struct walk *walk, struct sw_value table, uint64_t first)
{
	uint64_t index, groups, mask;
	if (!sw_value_word(walk->reader, table, "index", &index) || index != first ||
	    !sw_value_word(walk->reader, table, "groups", &groups) ||
	    !sw_value_word(walk->reader, table, "lengthMask", &mask) || mask >= max_groups)
		walk->damage++;
	else
		walk_array(walk, groups, mask + 1, walk_group);
}

/* Entries of the directory that stand for one table follow each other. */
static void walk_directory(struct walk *walk, struct sw_value header, uint64_t length)
{
	struct sw_value directory;
	sw_addr table, before = 0;

	if (!sw_value_pointee(walk->reader, header, "dirPtr", &directory) ||
	    !is_array(walk, directory.addr, length, word_size)) {
		walk->damage++;
		return;
	}
	sw_type pointer = sw_type_info(walk->reader->types, directory.type)->elem;
	sw_type type = sw_type_info(walk->reader->types, pointer)->elem;
	for (uint64_t i = 0; i < length && goes_on(walk); i++, before = table) {
		sw_addr at = directory.addr + i * word_size;
		if (!sw_memory_u64(walk->reader->go->memory, at, &table))
			walk->damage++;
		else if (table != before)
			walk_table(walk, (struct sw_value){type, table}, i);
	}
}

static void walk_swiss_map(struct walk *walk, struct sw_value header)
{
	uint64_t directory, length;
	if (!sw_value_word(walk->reader, header, "used", &walk->size.count) ||
	    !sw_value_word(walk->reader, header, "dirPtr", &directory) ||
	    !sw_value_word(walk->reader, header, "dirLen", &length))
		walk->damage++;
	else if (length)
		walk_directory(walk, header, length);
	else if (directory)
		walk_array(walk, directory, 1, walk_group);
}

static void walk_map(struct walk *walk, struct sw_value map)
{
	struct sw_types *types = walk->reader->types;
	const struct sw_type_info *info = sw_type_info(types, map.type);
	bool is_known = !walk->reader->is_stale;
	sw_addr to = map.addr;

	if (info->kind == SW_KIND_MAP) {
		is_known = is_known && sw_memory_u64(walk->reader->go->memory, map.addr, &to);
		if (is_known && !to)
			return;
		map = (struct sw_value){info->target, to};
		info = sw_type_info(types, map.type);
	}
	if (!is_known || sw_value_is_free(walk->reader->heap, to) ||
	    info->role != SW_TYPE_MAP_HEADER || !find_shape(types, info, &walk->shape))
		walk->damage++;
	else if (sw_type_part(info, "dirPtr"))
		walk_swiss_map(walk, map);
	else
		walk_old_map(walk, map);
}

bool sw_value_entries(const struct sw_value_reader *reader, struct sw_value map,
		      sw_visit_entry *visit, void *context)
{
	struct walk walk = {.reader = reader, .visit = visit, .context = context};
	walk_map(&walk, map);
	return !walk.damage;
}

bool sw_value_map_size(const struct sw_value_reader *reader, struct sw_value map,
		       struct sw_map_size *out)
{
	struct walk walk = {.reader = reader};
	walk_map(&walk, map);
	*out = walk.size;
	return !walk.damage;
}
