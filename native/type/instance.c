#include "type/instance.h"

#include "base/bitset.h"
#include "type/type_private.h"

enum {
	TICK = 1 << 16, /* objects */
};

/* What is known of a type. */
struct known {
	int32_t wanted;	    /* number, or -1 */
	bool is_asked;	    /* `wanted` is known */
	bool is_looked_at;  /* `holds` and `leads` are known, or about to be */
	bool is_done;	    /* they are known */
	bool is_searched;   /* `has_wanted` is known, or about to be */
	bool is_impossible; /* damaged: it contains itself */
	bool has_wanted;    /* as `holds`, whatever else is damaged */
	bool holds;	    /* it is, or has in it, a wanted type */
	bool leads;	    /* it has pointers in it to such types */
};
SW_VECTOR(struct known, known_list);

/* A value of a wanted type outside the heap, where one place is reached in several ways. */
struct place {
	sw_addr addr;
	sw_type type;
	uint32_t next; /* of the same address, + 1; 0: none */
	bool is_visited;
};
SW_VECTOR(struct place, place_list);

struct search {
	const struct sw_instance_search *given;
	struct known_list known;	  /* by type */
	struct place_list places;	  /* in the order in which they became known */
	struct sw_number_map first_place; /* of an address, + 1 */
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

static bool has_wanted(struct search *search, sw_type type, unsigned depth);

static bool has_wanted_part(struct search *search, const struct sw_type_info *info, unsigned depth)
{
	bool has = info->kind == SW_KIND_ARRAY && has_wanted(search, info->elem, depth + 1);
	for (uint32_t i = 0; info->kind == SW_KIND_STRUCT && i < info->field_count; i++)
		has |= has_wanted(search, info->fields[i].type, depth + 1);
	return has;
}

/* Is it a wanted type, or has it one in it? Pointers do not count: types with them go in circles.
 */
static bool has_wanted(struct search *search, sw_type type, unsigned depth)
{
	const struct sw_type_info *info = sw_type_info(search->given->types, type);
	struct known *known = known_of(search, type);

	if (!known || depth > SW_MAX_TYPE_DEPTH)
		return false;
	if (known->is_searched)
		return known->has_wanted;
	known->is_searched = true; /* no type contains itself */
	bool has = known->wanted >= 0 || has_wanted_part(search, info, depth);
	if (search->error)
		return false;
	search->known.items[type].has_wanted = has;
	return has;
}

/* Does it point to a wanted type, or to one that has it? */
static bool is_lead(struct search *search, const struct sw_type_info *info)
{
	return info->kind == SW_KIND_POINTER && info->elem && has_wanted(search, info->elem, 0);
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

static void look_at_parts(struct search *search, sw_type type, unsigned depth)
{
	const struct sw_type_info *info = sw_type_info(search->given->types, type);
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

/* No type contains itself: nothing of one that does is visited. */
static void look_at(struct search *search, sw_type type, unsigned depth)
{
	struct known *known = known_of(search, type);

	if (!known || depth > SW_MAX_TYPE_DEPTH)
		return;
	known->is_impossible |= known->is_looked_at && !known->is_done;
	if (known->is_looked_at)
		return;
	known->is_looked_at = true;
	known->holds = known->wanted >= 0;
	look_at_parts(search, type, depth);
	if (search->error)
		return;
	known = &search->known.items[type];
	known->is_done = true;
	if (known->is_impossible)
		known->holds = known->leads = false;
}

/* ---- places outside the heap ---- */

static bool is_readable(const struct sw_memory *memory, sw_addr addr, uint64_t size)
{
	for (sw_addr end = addr + size; addr < end;) {
		const struct sw_region *region = sw_memory_region(memory, addr);
		if (!region)
			return false;
		addr = region->addr + region->size;
	}
	return true;
}

/* Is it in the variables of a module, with all of its bytes, and there? */
static bool is_variable(const struct sw_go *go, sw_addr addr, uint64_t size)
{
	for (size_t i = 0; i < go->modules.count; i++) {
		const struct sw_go_module *module = &go->modules.items[i];
		const sw_addr pieces[][2] = {
			{module->data, module->edata},
			{module->bss, module->ebss},
			{module->noptrdata, module->enoptrdata},
			{module->noptrbss, module->enoptrbss},
		};
		for (size_t k = 0; k < sizeof(pieces) / sizeof(*pieces); k++)
			if (addr >= pieces[k][0] && addr < pieces[k][1])
				return size <= pieces[k][1] - addr &&
				       is_readable(go->memory, addr, size);
	}
	return false;
}

/* NULL without memory. */
static struct place *place_of(struct search *search, sw_type type, sw_addr addr)
{
	uint32_t first = sw_number_map_get(&search->first_place, addr);
	for (uint32_t i = first; i; i = search->places.items[i - 1].next)
		if (search->places.items[i - 1].type == type)
			return &search->places.items[i - 1];
	search->error = place_list_add(&search->places,
				       (struct place){.addr = addr, .type = type, .next = first});
	if (!search->error)
		search->error = sw_number_map_set(&search->first_place, addr,
						  (uint32_t)search->places.count);
	return search->error ? NULL : &search->places.items[search->places.count - 1];
}

/* A pointer to a wanted type: what it leads to outside the heap becomes a place to visit. */
static void follow_lead(struct search *search, const struct sw_type_info *info, sw_addr at)
{
	uint64_t size = sw_type_info(search->given->types, info->elem)->size;
	sw_addr to;
	if (sw_memory_u64(search->given->go->memory, at, &to) &&
	    is_variable(search->given->go, to, size))
		place_of(search, info->elem, to);
}

/* ---- values ---- */

static void visit_value(struct search *search, sw_type type, sw_addr addr, unsigned depth);

static void visit_array(struct search *search, sw_type elem, uint64_t count, sw_addr addr,
			unsigned depth)
{
	uint64_t size = sw_type_info(search->given->types, elem)->size;
	for (uint64_t i = 0; size && i < count && !search->error; i++)
		visit_value(search, elem, addr + i * size, depth + 1);
}

/* Fields that lie in each other, as in C's unions, are looked at once, not for each way in. */
static void visit_fields(struct search *search, const struct sw_type_info *info, sw_addr addr,
			 unsigned depth)
{
	uint64_t end = 0;
	for (uint32_t i = 0; !search->error && i < info->field_count; i++) {
		const struct sw_type_field *field = &info->fields[i];
		uint64_t size = sw_type_info(search->given->types, field->type)->size;
		if (!size || field->offset < end)
			continue;
		end = field->offset + size;
		visit_value(search, field->type, addr + field->offset, depth + 1);
	}
}

/* False when it was visited before, with all that is in it. */
static bool visit_wanted(struct search *search, sw_type type, unsigned wanted, sw_addr addr)
{
	if (!sw_heap_span(search->given->heap, addr)) {
		struct place *place = place_of(search, type, addr);
		if (!place || place->is_visited)
			return false;
		place->is_visited = true;
	}
	search->at.value = (struct sw_value){type, addr};
	search->at.wanted = wanted;
	search->error = search->given->visit(search->given->context, &search->at);
	return !search->error;
}

static void visit_value(struct search *search, sw_type type, sw_addr addr, unsigned depth)
{
	const struct sw_type_info *info = sw_type_info(search->given->types, type);

	look_at(search, type, 0);
	if (search->error || depth > SW_MAX_TYPE_DEPTH)
		return;
	struct known known = search->known.items[type];
	if ((!known.holds && !known.leads) ||
	    (known.wanted >= 0 && !visit_wanted(search, type, (unsigned)known.wanted, addr)))
		return;
	if (info->kind == SW_KIND_POINTER)
		follow_lead(search, info, addr);
	else if (info->kind == SW_KIND_ARRAY)
		visit_array(search, info->elem, info->length, addr, depth);
	else if (info->kind == SW_KIND_STRUCT)
		visit_fields(search, info, addr, depth);
}

/* ---- objects ---- */

/* As many as fit into the slot. */
static void visit_object(struct search *search, sw_type type, const struct sw_span *span,
			 sw_addr slot)
{
	const struct sw_type_info *info = sw_type_info(search->given->types, type);
	uint64_t header = sw_go_header(span);
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
	const struct sw_go *go = search->given->go;
	const struct sw_go_root *root = &go->roots.items[number];
	sw_type type = root->type ? sw_type_of_dwarf(search->given->types, root->type) : 0;
	uint64_t size = sw_type_info(search->given->types, type)->size;

	if (!type || !root->address || root->type_offset || (root->size && root->size < size) ||
	    (!is_variable(go, root->address, size) &&
	     !sw_memory_view(go->memory, root->address, size)))
		return;
	search->at = (struct sw_instance){.object = SW_NO_OBJECT, .root = number};
	visit_value(search, type, root->address, 0);
}

static struct sw_error *visit_roots(struct search *search)
{
	const struct sw_go_roots *roots = &search->given->go->roots;
	for (size_t i = 0; !search->error && i < roots->count; i++) {
		uint8_t kind = roots->items[i].kind;
		if (kind == SW_GO_ROOT_GLOBAL || kind == SW_GO_ROOT_LOCAL)
			visit_root(search, (uint32_t)i);
	}
	return search->error;
}

/* Variables that no root is about, as they refer to nothing in the heap: what they point to may
 * (`var x = &T{…}` is a variable that points to another one). */
static struct sw_error *visit_globals(struct search *search)
{
	const struct sw_go *go = search->given->go;
	const struct sw_dwarf_global *globals;
	size_t count = 0;
	struct sw_error *error = go->dwarf ? sw_dwarf_globals(go->dwarf, &globals, &count) : NULL;

	search->at = (struct sw_instance){.object = SW_NO_OBJECT, .root = SW_NO_ROOT};
	for (size_t i = 0; !error && i < count; i++) {
		sw_type type = sw_type_of_dwarf(search->given->types, globals[i].type);
		uint64_t size = sw_type_info(search->given->types, type)->size;
		if (type && is_variable(go, globals[i].addr, size))
			visit_value(search, type, globals[i].addr, 0);
		error = search->error;
	}
	return error;
}

/* What is part of no known variable. More may become known on the way. */
static struct sw_error *visit_places(struct search *search)
{
	search->at = (struct sw_instance){.object = SW_NO_OBJECT, .root = SW_NO_ROOT};
	for (size_t i = 0; !search->error && i < search->places.count; i++)
		visit_value(search, search->places.items[i].type, search->places.items[i].addr, 0);
	return search->error;
}

struct sw_error *sw_instances_find(const struct sw_instance_search *given)
{
	struct search search = {.given = given};
	struct sw_error *error = visit_objects(&search);
	if (!error)
		error = visit_roots(&search);
	if (!error)
		error = visit_globals(&search);
	if (!error)
		error = visit_places(&search);
	known_list_free(&search.known);
	place_list_free(&search.places);
	sw_number_map_free(&search.first_place);
	return error;
}
