/* Types of closures: which variables a function has captured, what they are called, where they
 * stand.
 *
 * The struct that a closure is has a descriptor, because code allocates one: code that makes
 * closures of a function names it (flow.c). Up to Go 1.20 its fields bear the variables' names,
 * from 1.21 on they are X0, X1, … (cmd/compile/internal/typecheck ClosureType), and debug
 * information has the names: from 1.23 on with the offset in the closure. */
#include "type/type_private.h"

#include "go/unwind.h"

#include <ctype.h>

enum { MAX_SSA = 32, MAX_BY_VALUE = 128 }; /* bytes; see is_certain() */

/* "main.(*T).serve.func1" → "main", "net/http.…" → "net/http". */
static char *function_package(const char *name)
{
	const char *end = name, *at = name;
	for (; *at && *at != '[' && *at != '('; at++)
		if (*at == '/')
			end = at;
	while (*end && *end != '.')
		end++;
	return strndup(name, (size_t)(end - name));
}

void sw_types_set_closure(struct sw_types *types, sw_addr entry, sw_type captures)
{
	sw_error_free(sw_number_map_set(&types->captures, entry, captures));
}

/* The captured variables become the closure's own fields. */
static void take_captures(struct sw_types *types, struct sw_type_info *closure, sw_type captures)
{
	const struct sw_type_info *info = sw_type_info(types, captures);
	if (info->kind != SW_KIND_STRUCT || !info->field_count)
		return;
	closure->fields = calloc(info->field_count, sizeof(*closure->fields));
	for (uint32_t i = 0; closure->fields && i < info->field_count; i++) {
		closure->fields[i] = info->fields[i];
		closure->fields[i].name = strdup(info->fields[i].name);
		if (!closure->fields[i].name)
			break;
		closure->field_count++;
	}
	if (closure->field_count == info->field_count) {
		closure->size = info->size;
		closure->pointer_bytes = info->pointer_bytes;
	}
}

/* "path/main.(*T).method-fm" is a method value: it captured a *T; "main.T.method-fm" a T
 * (cmd/compile/internal/walk methodValueWrapper). */
static void take_receiver(struct sw_types *types, struct sw_type_info *closure, const char *name)
{
	size_t length = strlen(name);
	const char *method = memrchr(name, '.', length);
	if (length < 4 || strcmp(name + length - 3, "-fm") != 0 || !method || strchr(name, '['))
		return;
	bool is_pointer = method > name && method[-1] == ')';
	const char *star = is_pointer ? strstr(name, ".(*") : NULL;
	char *type_name = star ? sw_type_name("%.*s.%.*s", (int)(star - name), name,
					      (int)(method - 1 - (star + 3)), star + 3)
			       : sw_type_name("%.*s", (int)(method - name), name);
	sw_type type = type_name && (star || !is_pointer) ? sw_type_of_name(types, type_name) : 0;
	free(type_name);
	if (is_pointer)
		type = sw_type_make_pointer(types, type);
	const struct sw_type_info *info = sw_type_info(types, type);
	closure->fields = type ? calloc(1, sizeof(*closure->fields)) : NULL;
	char *field = closure->fields ? strdup("R") : NULL;
	if (!field)
		return;
	closure->fields[0] = (struct sw_type_field){.name = field, .offset = 8, .type = type};
	closure->field_count = 1;
	closure->size = 8 + info->size;
	closure->pointer_bytes = info->pointer_bytes ? 8 + info->pointer_bytes : 0;
}

/* ---- names, from debug information ---- */

/* Is it a name that says nothing, "X0"? */
static bool is_numbered(const char *name)
{
	const char *at = name + 1;
	while (isdigit((unsigned char)*at))
		at++;
	return *name == 'X' && at > name + 1 && !*at;
}

/* The type of a captured variable's field: a large value that was captured itself is a "&x" to the
 * function's code all the same. */
static bool is_of_field(struct sw_types *types, const struct sw_dwarf_capture *variable,
			sw_type field)
{
	sw_type type = sw_type_of_dwarf(types, variable->type);
	return field && (type == field ||
			 (*variable->name == '&' && sw_type_info(types, type)->elem == field));
}

static void rename_field(struct sw_types *types, struct sw_type_field *field,
			 const struct sw_dwarf_capture *variable)
{
	bool is_copy =
		*variable->name == '&' && sw_type_of_dwarf(types, variable->type) != field->type;
	char *name = strdup(variable->name + is_copy);
	if (!name)
		return;
	free((char *)field->name);
	field->name = name;
}

/* Up to 1.22 nothing tells which variables were captured: one that is the only one of its type, for
 * the only field of that type. */
static const struct sw_dwarf_capture *find_by_type(struct sw_types *types,
						   const struct sw_type_info *closure,
						   uint32_t field,
						   const struct sw_dwarf_captures *variables)
{
	const struct sw_dwarf_capture *found = NULL;
	for (uint32_t i = 0; i < closure->field_count; i++)
		if (i != field && closure->fields[i].type == closure->fields[field].type)
			return NULL;
	for (size_t i = 0; i < variables->count; i++) {
		if (!is_of_field(types, &variables->items[i], closure->fields[field].type))
			continue;
		if (found)
			return NULL;
		found = &variables->items[i];
	}
	return found;
}

static const struct sw_dwarf_capture *find_by_offset(const struct sw_dwarf_captures *variables,
						     uint64_t offset)
{
	for (size_t i = 0; offset && i < variables->count; i++)
		if (variables->items[i].offset == offset)
			return &variables->items[i];
	return NULL;
}

static void name_fields(struct sw_types *types, struct sw_type_info *closure,
			const struct sw_dwarf_captures *variables)
{
	for (uint32_t i = 1; i < closure->field_count; i++) {
		struct sw_type_field *field = &closure->fields[i];
		if (!is_numbered(field->name))
			continue;
		const struct sw_dwarf_capture *found =
			types->go->minor >= 23 ? find_by_offset(variables, field->offset)
					       : find_by_type(types, closure, i, variables);
		if (found)
			rename_field(types, field, found);
	}
}

/* ---- fields from debug information alone ---- */

/* Does a closure have values of the type in it without the code having them in registers? Larger
 * than four words, or of parts that cannot be (cmd/compile/internal/ssa CanSSA), and not larger
 * than what is captured by value (cmd/compile/internal/escape). */
static bool may_be_copy(const struct sw_type_info *info)
{
	return info->size <= MAX_BY_VALUE && (info->size > MAX_SSA || info->kind == SW_KIND_ARRAY ||
					      info->kind == SW_KIND_STRUCT);
}

/* The type of a variable's part of the closure, before the part at `next` (0: none is known). A
 * "&x" of a *T is a pointer to a variable, or a T that is not kept in registers; 0: it may be
 * either. */
static sw_type part_of(struct sw_types *types, const struct sw_dwarf_capture *variable,
		       uint64_t next)
{
	sw_type type = sw_type_of_dwarf(types, variable->type);
	const struct sw_type_info *info = sw_type_info(types, type);
	const struct sw_type_info *elem = sw_type_info(types, info->elem);

	if (*variable->name != '&')
		return type;
	if (info->kind != SW_KIND_POINTER)
		return 0;
	return !may_be_copy(elem) || (next == variable->offset + 8 && elem->size > 8) ? type : 0;
}

static int compare_offsets(const void *a, const void *b)
{
	const struct sw_dwarf_capture *x = a, *y = b;
	return (x->offset > y->offset) - (x->offset < y->offset);
}

static void add_field(struct sw_types *types, struct sw_type_info *closure,
		      const struct sw_dwarf_capture *variable, uint64_t next)
{
	sw_type type = part_of(types, variable, next);
	const struct sw_type_info *info = sw_type_info(types, type);
	uint64_t end = variable->offset + info->size;
	char *name = type && variable->offset >= closure->size && (!next || end <= next)
			     ? strdup(variable->name)
			     : NULL;
	if (!name)
		return;
	closure->fields[closure->field_count++] =
		(struct sw_type_field){.name = name, .offset = variable->offset, .type = type};
	if (info->pointer_bytes)
		closure->pointer_bytes = variable->offset + info->pointer_bytes;
	closure->size = (end + 7) & ~(uint64_t)7;
}

static void take_variables(struct sw_types *types, struct sw_type_info *closure,
			   struct sw_dwarf_captures *variables)
{
	size_t count = variables->count;
	if (count)
		qsort(variables->items, count, sizeof(*variables->items), compare_offsets);
	if (!count || !variables->items[count - 1].offset)
		return;
	closure->fields = calloc(count, sizeof(*closure->fields));
	for (size_t i = 0; closure->fields && i < count; i++)
		if (variables->items[i].offset)
			add_field(types, closure, &variables->items[i],
				  i + 1 < count ? variables->items[i + 1].offset : 0);
}

static void read_variables(struct sw_types *types, struct sw_type_info *closure, sw_addr entry)
{
	struct sw_dwarf_captures variables = {0};
	if (!types->go->dwarf)
		return;
	sw_error_free(sw_dwarf_captures(types->go->dwarf, entry, &variables));
	if (closure->fields)
		name_fields(types, closure, &variables);
	else
		take_variables(types, closure, &variables);
	sw_dwarf_captures_free(&variables);
}

/* ---- the whole ---- */

sw_type sw_type_closure(struct sw_types *types, sw_addr entry)
{
	struct sw_go_func func;
	sw_type type = sw_number_map_get(&types->by_closure, entry);
	if (type || !entry || !sw_go_find_func(types->go, entry, &func) || func.entry != entry)
		return type;
	const char *name = sw_go_func_name(&func);
	struct sw_type_info info = {
		.name = sw_type_name("func %s", name),
		.package = function_package(name),
		.kind = SW_KIND_STRUCT,
		.role = SW_TYPE_CLOSURE,
		.size = 8,
	};
	take_captures(types, &info, sw_number_map_get(&types->captures, entry));
	if (!info.fields)
		take_receiver(types, &info, name);
	read_variables(types, &info, entry);
	type = sw_types_add(types, info);
	if (!type)
		return 0;
	sw_type_entry(types, type)->is_filled = true;
	sw_error_free(sw_number_map_set(&types->by_closure, entry, type));
	return type;
}
