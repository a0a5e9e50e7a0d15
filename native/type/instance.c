#include "type/instance.h"

#include "base/bitset.h"
#include "type/type_private.h"

enum {
	MALLOC_HEADER = 8, /* bytes, of objects of SW_SCAN_LOOKUP spans */
	TICK = 1 << 16,	   /* objects */
};

/* What is known of a type. */
struct known {
	int32_t wanted;	   /* number, or -1 */
	bool is_asked;	   /* `wanted` is known */
	bool is_looked_at; /* `holds` and `leads` are known */
	bool holds;	   /* it is, or has in it, a wanted type */
	bool leads;	   /* it has pointers to wanted types in it */
};
SW_VECTOR(struct known, known_list);

/* Addresses outside the heap that were visited. */
SW_MAP(uint32_t, place_set);

struct search {
	const struct sw_instance_search *given;
	struct known_list known; /* by type */
	struct place_set visited;
	struct sw_instance at;
	struct sw_error *error;
};

/* ---- types ---- */

static int32_t ask(const struct sw_instance_search *given, const struct sw_type_info *info)
{
	if (info->role != SW_TYPE_PLAIN)
		return -1;
	for (int32_t i = 0; given->names && given->names[i]; i++)
		if (sw_type_is_named(info, given->names[i]))
			return i;
	return given->wants ? given->wants(given->context, info) : -1;
}

/* NULL without memory. */
static struct known *known_of(struct search *search, sw_type type)
{
	size_t count = sw_types_count(search->given->types);
	if (type >= search->known.count) {
		size_t before = search->known.count;
		search->error = known_list_grow(&search->known, count - before);
		if (search->error)
			return NULL;
		memset(search->known.items + before, 0,
		       (count - before) * sizeof(*search->known.items));
		search->known.count = count;
	}
	struct known *known = &search->known.items[type];
	if (!known->is_asked) {
		known->wanted = ask(search->given, sw_type_info(search->given->types, type));
		known->is_asked = true;
	}
	return known;
}

/* Does it point to a wanted type? */
static bool is_lead(struct search *search, const struct sw_type_info *info)
{
	if (info->kind != SW_KIND_POINTER || !info->elem)
		return false;
	const struct known *known = known_of(search, info->elem);
	return known && known->wanted >= 0;
}

static void look_at(struct search *search, sw_type type, unsigned depth);

static void look_inside(struct search *search, sw_type type, sw_type part, unsigned depth)
{
	look_at(search, part, depth + 1);
	if (search->error)
		return;
	search->known.items[type].holds |= search->known.items[part].holds;
	search->known.items[type].leads |= search->known.items[part].leads;
}

/* A damaged type may contain itself: it is marked before what is in it is looked at. */
static void look_at(struct search *search, sw_type type, unsigned depth)
{
	const struct sw_type_info *info = sw_type_info(search->given->types, type);
	struct known *known = known_of(search, type);

	if (!known || known->is_looked_at || depth > SW_MAX_TYPE_DEPTH)
		return;
	known->is_looked_at = true;
	known->holds = known->wanted >= 0;
	bool leads = is_lead(search, info);
	if (search->error)
		return;
	search->known.items[type].leads = leads;
	if (info->kind == SW_KIND_ARRAY)
		look_inside(search, type, info->elem, depth);
	for (uint32_t i = 0;
	     !search->error && info->kind == SW_KIND_STRUCT && i < info->field_count; i++)
		look_inside(search, type, info->fields[i].type, depth);
}

/* ---- places ---- */

static bool is_variable(const struct sw_go *go, sw_addr addr)
{
	for (size_t i = 0; i < go->modules.count; i++) {
		const struct sw_go_module *module = &go->modules.items[i];
		if ((addr >= module->data && addr < module->edata) ||
		    (addr >= module->bss && addr < module->ebss) ||
		    (addr >= module->noptrdata && addr < module->enoptrdata) ||
		    (addr >= module->noptrbss && addr < module->enoptrbss))
			return true;
	}
	return false;
}

/* Places outside the heap are reached in several ways. */
static bool is_new(struct search *search, sw_addr addr, unsigned wanted)
{
	uint64_t key = addr * 64 + wanted % 64 + 1;
	if (sw_heap_span(search->given->heap, addr))
		return true;
	if (place_set_find(&search->visited, key))
		return false;
	search->error = place_set_set(&search->visited, key, 1);
	return !search->error;
}

static void visit_value(struct search *search, sw_type type, sw_addr addr, unsigned depth);

/* A pointer out of the heap. */
static void follow_lead(struct search *search, const struct sw_type_info *info, sw_addr at)
{
	struct sw_instance before = search->at;
	sw_addr to;
	if (!sw_memory_u64(search->given->go->memory, at, &to) ||
	    !is_variable(search->given->go, to))
		return;
	search->at.object = SW_NO_OBJECT;
	search->at.root = SW_NO_ROOT;
	visit_value(search, info->elem, to, 0);
	search->at = before;
}

static void visit_array(struct search *search, sw_type elem, uint64_t count, sw_addr addr,
			unsigned depth)
{
	uint64_t size = sw_type_info(search->given->types, elem)->size;
	for (uint64_t i = 0; size && i < count && !search->error; i++)
		visit_value(search, elem, addr + i * size, depth + 1);
}

static void visit_value(struct search *search, sw_type type, sw_addr addr, unsigned depth)
{
	const struct sw_type_info *info = sw_type_info(search->given->types, type);

	if (!search->error && depth < SW_MAX_TYPE_DEPTH)
		look_at(search, type, 0);
	if (search->error || depth >= SW_MAX_TYPE_DEPTH)
		return;
	struct known known = search->known.items[type];
	if (!known.holds && !known.leads)
		return;
	if (known.wanted >= 0 && is_new(search, addr, (unsigned)known.wanted)) {
		search->at.value = (struct sw_value){type, addr};
		search->at.wanted = (unsigned)known.wanted;
		search->error = search->given->visit(search->given->context, &search->at);
	}
	if (info->kind == SW_KIND_POINTER)
		follow_lead(search, info, addr);
	else if (info->kind == SW_KIND_ARRAY)
		visit_array(search, info->elem, info->length, addr, depth);
	for (uint32_t i = 0;
	     !search->error && info->kind == SW_KIND_STRUCT && i < info->field_count; i++)
		visit_value(search, info->fields[i].type, addr + info->fields[i].offset, depth + 1);
}

/* ---- objects ---- */

/* As many as fit into the slot. */
static void visit_object(struct search *search, sw_type type, const struct sw_span *span,
			 sw_addr slot)
{
	const struct sw_type_info *info = sw_type_info(search->given->types, type);
	uint64_t header = span->scan == SW_SCAN_LOOKUP ? MALLOC_HEADER : 0;
	bool is_single = info->role == SW_TYPE_CLOSURE || info->role == SW_TYPE_CHAN_HEADER ||
			 info->role == SW_TYPE_MAP_HEADER;
	uint64_t size = info->size, room = span->elemsize - header;

	if (!size || size > room)
		return;
	if (info->role == SW_TYPE_BACKING || info->role == SW_TYPE_MAP_DIRECTORY)
		visit_array(search, info->elem, room / size, slot + header, 0);
	else
		visit_array(search, type, is_single ? 1 : room / size, slot + header, 0);
}

static struct sw_error *visit_block(struct search *search, size_t index, sw_object *object)
{
	const struct sw_heap *heap = search->given->heap;
	const struct sw_block *block = &heap->blocks[index];
	const struct sw_span *span = &heap->space.spans[block->span];

	for (uint64_t bits = block->marked; bits && !search->error; bits &= bits - 1, ++*object) {
		sw_type type = search->given->typing->types[*object];
		if (!type)
			continue;
		look_at(search, type, 0);
		if (search->error ||
		    (!search->known.items[type].holds && !search->known.items[type].leads))
			continue;
		sw_slot slot = (sw_slot)(index * 64) + (unsigned)__builtin_ctzll(bits);
		search->at = (struct sw_instance){.object = *object, .root = SW_NO_ROOT};
		visit_object(search, type, span,
			     span->base + (uint64_t)(slot - span->first_slot) * span->elemsize);
	}
	return search->error;
}

static struct sw_error *visit_objects(struct search *search)
{
	struct sw_error *error = NULL;
	sw_object object = 0;
	for (size_t i = 0; !error && i < search->given->heap->block_count; i++) {
		error = visit_block(search, i, &object);
		if (!error && i % (TICK / 64) == 0)
			error = sw_work_tick(search->given->work, "instances", object,
					     search->given->heap->object_count);
	}
	return error;
}

/* ---- variables ---- */

/* A piece of a local counts when all of the variable is there. */
static void visit_root(struct search *search, uint32_t number)
{
	const struct sw_go_root *root = &search->given->go->roots.items[number];
	sw_type type = root->type ? sw_type_of_dwarf(search->given->types, root->type) : 0;
	uint64_t size = sw_type_info(search->given->types, type)->size;

	if (!type || !root->address || root->type_offset || (root->size && root->size < size))
		return;
	search->at = (struct sw_instance){.object = SW_NO_OBJECT, .root = number};
	visit_value(search, type, root->address, 0);
}

struct sw_error *sw_instances_find(const struct sw_instance_search *given)
{
	struct search search = {.given = given};
	struct sw_error *error = visit_objects(&search);
	for (size_t i = 0; !error && i < given->go->roots.count; i++) {
		uint8_t kind = given->go->roots.items[i].kind;
		if (kind == SW_GO_ROOT_GLOBAL || kind == SW_GO_ROOT_LOCAL)
			visit_root(&search, (uint32_t)i);
		error = search.error;
	}
	known_list_free(&search.known);
	place_set_free(&search.visited);
	return error;
}
