/* Values of C types: nothing walks C's memory, but debug information has its variables, and
 * descriptions say where they lead. */
#include "base/chain.h"
#include "owner/parser_arena_private.h"

enum {
	MAX_ELEMENTS = 1 << 16, /* of a variable that is an array */
	MAX_LINKS = 1 << 20,
};

struct c_search {
	const struct sw_live *live;
	const struct sw_arena_description *description;
	const char *name; /* without "struct " */
	sw_type type;	  /* 0 until found */
	struct sw_arena_places *out;
};

/* C's names have no package. */
bool sw_arena_is_c_name(const char *name)
{
	return !strchr(name, '.');
}

static bool is_wanted(const struct c_search *search, sw_type type)
{
	const struct sw_type_info *info = sw_type_info(search->live->types, type);
	return info->kind == SW_KIND_STRUCT && !info->descriptor && info->name &&
	       !strcmp(info->name, search->name);
}

static struct sw_error *add_value(struct c_search *search, sw_type type, sw_addr addr)
{
	search->type = type;
	return sw_arena_places_add(search->out,
				   (struct sw_arena_place){addr, SW_NO_OBJECT, SW_NO_ROOT});
}

static struct sw_error *look_at(struct c_search *search, sw_type type, sw_addr addr)
{
	const struct sw_live *live = search->live;
	const struct sw_type_info *info = sw_type_info(live->types, type);
	struct sw_error *error = NULL;
	sw_addr to;

	if (is_wanted(search, type))
		return add_value(search, type, addr);
	if (info->kind == SW_KIND_POINTER && is_wanted(search, info->elem) &&
	    sw_memory_u64(live->go->memory, addr, &to) && to)
		return add_value(search, info->elem, to);
	if (info->kind != SW_KIND_ARRAY)
		return NULL;
	const struct sw_type_info *elem = sw_type_info(live->types, info->elem);
	bool leads = elem->kind == SW_KIND_POINTER && is_wanted(search, elem->elem);
	uint64_t count = info->length < MAX_ELEMENTS ? info->length : MAX_ELEMENTS;
	for (uint64_t i = 0; !error && (leads || is_wanted(search, info->elem)) && i < count; i++)
		error = look_at(search, info->elem, addr + i * elem->size);
	return error;
}

/* The rest of a chain. What two of them share is sorted out later: no chunk counts twice. */
static struct sw_error *follow(struct c_search *search, sw_addr addr)
{
	const char *path = search->description->paths[SW_ARENA_NEXT];
	struct sw_chain chain = {0};
	struct sw_error *error = NULL;
	uint64_t next;

	while (!error && path &&
	       sw_arena_shape_word(search->live, (struct sw_value){search->type, addr}, path,
				   &next) &&
	       next && !sw_chain_is_ring(&chain, next) && chain.steps < MAX_LINKS) {
		addr = next;
		error = add_value(search, search->type, addr);
	}
	return error;
}

static int by_address(const void *a, const void *b)
{
	const struct sw_arena_place *x = a, *y = b;
	return (x->addr > y->addr) - (x->addr < y->addr);
}

/* Several variables may lead to one value. */
static void drop_twins(struct sw_arena_places *places)
{
	size_t kept = 0;
	if (places->count)
		qsort(places->items, places->count, sizeof(*places->items), by_address);
	for (size_t i = 0; i < places->count; i++)
		if (!kept || places->items[kept - 1].addr != places->items[i].addr)
			places->items[kept++] = places->items[i];
	places->count = kept;
}

struct sw_error *sw_arena_find_c(const struct sw_live *live,
				 const struct sw_arena_description *description, sw_type *type,
				 struct sw_arena_places *out)
{
	struct c_search search = {.live = live, .description = description, .out = out};
	const struct sw_dwarf_global *globals;
	size_t count = 0;
	struct sw_error *error =
		live->go->dwarf ? sw_dwarf_globals(live->go->dwarf, &globals, &count) : NULL;

	search.name = strncmp(description->type, "struct ", 7) ? description->type
							       : description->type + 7;
	for (size_t i = 0; !error && i < count; i++)
		if (sw_arena_is_c_name(globals[i].name))
			error = look_at(&search, sw_type_of_dwarf(live->types, globals[i].type),
					globals[i].addr);
	for (size_t i = 0, heads = out->count; !error && i < heads; i++)
		error = follow(&search, out->items[i].addr);
	drop_twins(out);
	*type = search.type;
	return error;
}
