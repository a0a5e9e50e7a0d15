/* What a sync.Map is made of since Go 1.24: generic types that programs allocate by their shape
 * alone, so that descriptors of them may be missing or tell no fields
 * (internal/sync/hashtriemap.go; the same in 1.24 to 1.27). */
#include "type/type_private.h"

enum {
	NODE_SIZE = 1, /* isEntry bool */
	CHILDREN = 16,
	INDIRECT_PARENT = 16,
	INDIRECT_CHILDREN = 24,
	INDIRECT_SIZE = INDIRECT_CHILDREN + 8 * CHILDREN,
	ENTRY_OVERFLOW = 8,
	ENTRY_KEY = 16,
	ENTRY_VALUE = 32,
	ENTRY_SIZE = 48,
	MAP_ROOT = 16,
	MAP_SIZE = 48,
};

#define ARGUMENTS "[interface {},interface {}]"

/* A named type of the package; 0 without memory. */
static sw_type declare(struct sw_types *types, const char *name, uint64_t size)
{
	sw_type type = sw_types_add(types, (struct sw_type_info){
						   .name = sw_type_name("sync.%s" ARGUMENTS, name),
						   .package = strdup("internal/sync"),
						   .kind = SW_KIND_STRUCT,
						   .size = size,
					   });
	if (type)
		sw_types_set_qualified(types, type,
				       sw_type_name("internal/sync.%s" ARGUMENTS, name));
	return type;
}

static void add_field(struct sw_types *types, sw_type type, const char *name, uint64_t offset,
		      sw_type field)
{
	struct sw_type_info *info = &sw_type_entry(types, type)->info;
	struct sw_type_field *fields =
		reallocarray(info->fields, info->field_count + 1, sizeof(*fields));
	char *copy = strdup(name);
	if (fields)
		info->fields = fields;
	if (!fields || !copy || !field) {
		free(copy);
		return;
	}
	fields[info->field_count++] =
		(struct sw_type_field){.name = copy, .offset = offset, .type = field};
}

static void complete(struct sw_types *types, sw_type type)
{
	struct sw_type_entry *entry = sw_type_entry(types, type);
	entry->info.pointer_bytes = sw_type_pointer_bytes(types, &entry->info);
	entry->is_filled = true;
}

static sw_type any_type(struct sw_types *types)
{
	sw_type type = sw_type_of_name(types, "interface {}");
	if (type)
		return type;
	type = sw_types_add(types, (struct sw_type_info){.name = strdup("interface {}"),
							 .kind = SW_KIND_INTERFACE,
							 .is_empty_interface = true,
							 .size = 16,
							 .pointer_bytes = 16});
	if (type)
		sw_type_entry(types, type)->is_filled = true;
	return type;
}

sw_type sw_type_trie_map(struct sw_types *types)
{
	static const char name[] = "internal/sync.HashTrieMap" ARGUMENTS;
	sw_type known = sw_type_of_name(types, name), any = any_type(types);
	if (known || types->go->minor < 24 || !any)
		return known;
	sw_type node = declare(types, "node", NODE_SIZE);
	sw_type entry = declare(types, "entry", ENTRY_SIZE);
	sw_type indirect = declare(types, "indirect", INDIRECT_SIZE);
	sw_type map = declare(types, "HashTrieMap", MAP_SIZE);
	if (!node || !entry || !indirect || !map)
		return 0;
	complete(types, node);
	add_field(types, entry, "overflow", ENTRY_OVERFLOW, sw_type_make_pointer(types, entry));
	add_field(types, entry, "key", ENTRY_KEY, any);
	add_field(types, entry, "value", ENTRY_VALUE, any);
	complete(types, entry);
	add_field(types, indirect, "parent", INDIRECT_PARENT,
		  sw_type_make_pointer(types, indirect));
	add_field(types, indirect, "children", INDIRECT_CHILDREN,
		  sw_type_make_array(types, sw_type_make_pointer(types, node), CHILDREN));
	complete(types, indirect);
	add_field(types, map, "root", MAP_ROOT, sw_type_make_pointer(types, indirect));
	complete(types, map);
	return map;
}
