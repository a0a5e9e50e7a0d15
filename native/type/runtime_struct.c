/* The runtime's structs by the program's own type descriptors, which a stripped binary still has:
 * what they say of a field must be what the tables say. Descriptors are there of runtime.g, m, p,
 * mspan, mcache, sudog, hchan and what these refer to; not of mheap, heapArena or the counters. */
#include "type/type.h"

enum {
	MAX_STRUCTS = 1024,
};

SW_VECTOR(sw_type, sw_type_list);

static const char prefix[] = "runtime.";

/* The struct that a field's type is, points to or has elements of, when it is the runtime's. */
static sw_type struct_of(const struct sw_types *types, sw_type type)
{
	for (unsigned depth = 0; depth < 4; depth++) {
		const struct sw_type_info *info = sw_type_info(types, type);
		if (info->kind == SW_KIND_STRUCT)
			return strncmp(info->name, prefix, sizeof(prefix) - 1) ? 0 : type;
		if (info->kind != SW_KIND_POINTER && info->kind != SW_KIND_ARRAY &&
		    info->kind != SW_KIND_SLICE)
			return 0;
		type = info->elem;
	}
	return 0;
}

static struct sw_error *add(const struct sw_types *types, sw_type type, struct sw_type_list *list)
{
	type = struct_of(types, type);
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i] == type)
			return NULL;
	return type && list->count < MAX_STRUCTS ? sw_type_list_add(list, type) : NULL;
}

/* From 1.22 on the malloc header of a P tells its type. */
static sw_addr type_of_p(const struct sw_go *go)
{
	sw_addr list, p, type;
	return sw_memory_u64(go->memory, go->globals.allp, &list) &&
			       sw_memory_u64(go->memory, list, &p) &&
			       sw_memory_u64(go->memory, p - SW_GO_MALLOC_HEADER, &type)
		       ? type
		       : 0;
}

/* Until 1.21 typelinks has pointers to the runtime's structs among its types. */
static struct sw_error *add_linked(const struct sw_go *go, struct sw_types *types,
				   struct sw_type_list *list)
{
	const struct sw_go_module *module = &go->modules.items[0];
	sw_addr slice = module->address + go->layout.moduledata.typelinks, links;
	uint64_t count;
	struct sw_error *error = NULL;

	if (!sw_memory_u64(go->memory, slice, &links) ||
	    !sw_memory_u64(go->memory, slice + 8, &count))
		return NULL;
	const uint8_t *offsets =
		count < UINT32_MAX ? sw_memory_view(go->memory, links, count * 4) : NULL;
	for (uint64_t i = 0; !error && offsets && i < count; i++)
		error = add(
			types,
			sw_type_of_descriptor(types, module->types + sw_load32(offsets + 4 * i)),
			list);
	return error;
}

/* All that can be reached from those. */
static struct sw_error *find_structs(const struct sw_go *go, struct sw_types *types,
				     struct sw_type_list *list)
{
	struct sw_error *error =
		go->layout.heapArena.bitmap == SW_ABSENT
			? add(types, sw_type_of_descriptor(types, type_of_p(go)), list)
			: add_linked(go, types, list);
	for (size_t i = 0; !error && i < list->count; i++) {
		const struct sw_type_info *info = sw_type_info(types, list->items[i]);
		for (uint32_t k = 0; !error && k < info->field_count; k++)
			error = add(types, info->fields[k].type, list);
	}
	return error;
}

static sw_type find_struct(const struct sw_types *types, const struct sw_type_list *list,
			   const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(sw_type_info(types, list->items[i])->name, name))
			return list->items[i];
	return 0;
}

/* A member, nested ones as "stack.lo"; NULL when the struct does not have it. Its offset from the
 * outermost struct goes to *offset. */
static const struct sw_type_field *find_member(const struct sw_types *types, sw_type type,
					       const char *name, uint64_t *offset)
{
	const struct sw_type_info *info = sw_type_info(types, type);
	size_t length = strcspn(name, ".");

	for (uint32_t i = 0; i < info->field_count; i++) {
		const struct sw_type_field *field = &info->fields[i];
		if (strncmp(field->name, name, length) || field->name[length])
			continue;
		*offset += field->offset;
		return name[length] ? find_member(types, field->type, name + length + 1, offset)
				    : field;
	}
	return NULL;
}

/* What the descriptors say of a field; false when the struct does not have it. */
static bool number_of(const struct sw_types *types, sw_type type,
		      const struct sw_layout_field *field, uint64_t *out)
{
	*out = 0;
	if (field->what == SW_LAYOUT_SIZE) {
		*out = sw_type_info(types, type)->size;
		return true;
	}
	const struct sw_type_field *member = find_member(types, type, field->member, out);
	if (member && field->what == SW_LAYOUT_WIDTH)
		*out = sw_type_info(types, member->type)->size;
	return member != NULL;
}

static struct sw_error *compare(struct sw_go *go, const struct sw_types *types,
				const struct sw_type_list *list)
{
	const struct sw_layout_field *field;
	uint64_t number, expected;

	for (size_t at = 0; (at = sw_layout_fields(&go->release, at, &field));) {
		sw_type type = find_struct(types, list, field->type);
		if (!type || !sw_layout_from_table(&go->release, field, &expected))
			continue;
		if (!number_of(types, type, field, &number) || number != expected)
			return sw_go_layout_misfit(go, "%s%s%s is not where that release has it",
						   field->type, *field->member ? "." : "",
						   field->member);
	}
	return NULL;
}

struct sw_error *sw_types_check_layout(struct sw_go *go)
{
	struct sw_types *types;
	struct sw_type_list list = {0};
	struct sw_error *error = NULL;

	if (go->dwarf) /* its layout is the program's own */
		return NULL;
	error = sw_types_create(go, &types);
	if (error)
		return error;
	error = find_structs(go, types, &list);
	if (!error)
		error = compare(go, types, &list);
	sw_type_list_free(&list);
	sw_types_free(types);
	return error;
}
