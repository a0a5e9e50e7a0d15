#include "view/field.h"

#include "type/value.h"

#include <stdarg.h>
#include <stdio.h>

enum {
	MAX_PATH = 64,	  /* structs in structs */
	MAX_PARENTS = 5,  /* arrays in arrays, boxes */
	OFFSET_BITS = 24, /* in a root's key */
	SHAPE_SHIFT = 56,
	MAX_SCAN = 4 << 20, /* bytes of a holder that are searched for a pointer */
};

/* ---- who has an array ---- */

/* A view, or who has the array that it is in: each bit of the shape below the highest is an array
 * or, 0, a box on the way. */
struct climb {
	struct sw_view view;
	unsigned shape;
};

/* Elements that are slices, strings, pointers: what matters is who has the array or box. */
static bool is_plain(const struct sw_view_scan *scan, const struct sw_view_plan *plan)
{
	const struct sw_view_slot *slot =
		plan->count == 1 ? &scan->plans.slots.items[plan->first] : NULL;
	return slot && plan->size <= 24 && slot->kind != SW_VIEW_SLOT_REPEAT && !plan->is_struct &&
	       !plan->is_single;
}

static const struct sw_view_plan *holder_plan(const struct sw_fields *fields,
					      const struct sw_view *view)
{
	return sw_view_plans_of(&fields->scan->plans,
				sw_live_type(fields->scan->live, view->holder));
}

static struct climb climb(const struct sw_fields *fields, const struct sw_view *view)
{
	const struct sw_live *live = fields->scan->live;
	struct climb at = {*view, 1};
	struct sw_view next;

	for (unsigned i = 0; i < MAX_PARENTS && at.view.holder < live->heap->object_count; i++) {
		const struct sw_view_plan *plan = holder_plan(fields, &at.view);
		sw_type type = sw_live_type(live, at.view.holder);
		if (!type || !is_plain(fields->scan, plan) || !fields->use ||
		    !sw_array_use_place(fields->use, live->heap, at.view.holder, &next))
			break;
		at.view = next;
		at.shape = at.shape << 1 | (plan->elem != type);
	}
	return at;
}

/* ---- keys ---- */

static const uint64_t key_of_root = (uint64_t)1 << 63, key_of_object = (uint64_t)1 << 62;

uint64_t sw_field_key(const struct sw_fields *fields, const struct sw_view *view)
{
	const struct sw_live *live = fields->scan->live;
	struct climb at = climb(fields, view);
	uint64_t shape = (uint64_t)at.shape << SHAPE_SHIFT, offset = UINT64_MAX;
	uint64_t most = ((uint64_t)1 << OFFSET_BITS) - 1;

	if (at.view.holder >= live->heap->object_count) {
		uint32_t root = at.view.holder - live->heap->object_count;
		if (root < live->go->roots.count && at.view.at)
			offset = at.view.at - live->go->roots.items[root].address;
		return key_of_root | shape | (uint64_t)root << OFFSET_BITS |
		       (offset < most ? offset : most);
	}
	const struct sw_view_plan *plan = holder_plan(fields, &at.view);
	if (is_plain(fields->scan, plan))
		return key_of_object | at.view.holder;
	offset = at.view.at - sw_live_start(live, at.view.holder);
	if (!plan->size)
		offset = 0;
	else if (!plan->is_single)
		offset %= plan->size;
	return shape | (uint64_t)sw_live_type(live, at.view.holder) << 32 | (uint32_t)offset;
}

/* ---- names ---- */

struct text {
	char *out;
	size_t size;
};

static void append(struct text text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void append(struct text text, const char *format, ...)
{
	size_t length = strnlen(text.out, text.size);
	va_list arguments;
	va_start(arguments, format);
	if (length < text.size)
		vsnprintf(text.out + length, text.size - length, format, arguments);
	va_end(arguments);
}

/* "frames[17].body" → "frames[].body". */
static void drop_indexes(char *path)
{
	char *out = path;
	for (const char *in = path; *in; in++)
		if (*in < '0' || *in > '9' || out == path || out[-1] != '[')
			*out++ = *in;
	*out = 0;
}

static void append_path(struct text text, const char *path)
{
	append(text, "%s%s", *path && *path != '[' && *path != '.' ? "." : "", path);
}

static bool has_prefix(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

/* A group's or bucket's name has its map's: "noalg.map.group[string]int", "map.bucket[string]int".
 */
static void append_map(struct text text, const struct sw_type_info *group)
{
	const char *name = group->name, *key = strchr(name, '[');
	if (has_prefix(name, "noalg."))
		name += strlen("noalg.");
	if (key && has_prefix(name, "map."))
		append(text, "map%s", key);
	else
		append(text, "%s", name);
}

/* "slots[].key.name" → "map[K]V key.name"; until 1.23 it is "keys[].name". */
static void append_entry(struct text text, const struct sw_type_info *group, const char *path)
{
	static const struct {
		const char *prefix, *word;
	} parts[] = {
		{"slots[].key", "key"}, {"slots[].elem", "value"}, {"keys[]", "key"},
		{"elems[]", "value"},	{"Slots[].Key", "key"},	   {"Slots[].Elem", "value"},
	};
	append_map(text, group);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (has_prefix(path, parts[i].prefix)) {
			append(text, " %s", parts[i].word);
			append_path(text, path + strlen(parts[i].prefix));
			return;
		}
}

static const char *name_of(const struct sw_type_info *info)
{
	return info->name && *info->name ? info->name : "?";
}

static void append_root(const struct sw_fields *fields, const struct sw_view *view,
			struct text text)
{
	const struct sw_live *live = fields->scan->live;
	uint32_t number = view->holder - live->heap->object_count;
	char path[SW_FIELD_NAME] = "";

	if (number >= live->go->roots.count) {
		append(text, "?");
		return;
	}
	const struct sw_go_root *root = &live->go->roots.items[number];
	append(text, "%s", root->name);
	if (!root->type || !view->at)
		return;
	sw_value_root_step(live->types, sw_type_of_dwarf(live->types, root->type),
			   view->at - root->address + root->type_offset, path, sizeof(path));
	drop_indexes(path);
	append_path(text, path);
}

/* ---- who has an array, by the graph ---- */

static struct sw_error *take_first(void *context, unsigned worker, const struct sw_view *view,
				   uint64_t room)
{
	struct sw_view *out = context;
	(void)worker;
	(void)room;
	if (!out->at)
		*out = *view;
	return NULL;
}

static bool make_first_words(struct sw_fields *fields)
{
	const struct sw_heap *heap = fields->scan->live->heap;
	size_t count = heap->roots.count + 1;

	if (fields->first_words)
		return true;
	fields->first_words = malloc(count * sizeof(*fields->first_words));
	if (!fields->first_words)
		return false;
	memset(fields->first_words, 255, count * sizeof(*fields->first_words));
	for (size_t i = heap->root_words.count; i--;)
		if (heap->root_words.items[i].root < heap->roots.count)
			fields->first_words[heap->root_words.items[i].root] = (uint32_t)i;
	return true;
}

/* The word of a root that holds an object. */
static bool find_root_word(struct sw_fields *fields, uint32_t root, sw_object object,
			   struct sw_view *out)
{
	const struct sw_heap *heap = fields->scan->live->heap;

	if (root >= heap->roots.count || !make_first_words(fields))
		return false;
	for (size_t i = fields->first_words[root]; i < heap->root_words.count; i++) {
		const struct sw_root_word *word = &heap->root_words.items[i];
		if (word->root != root || sw_heap_object(heap, word->pointer) != object)
			continue;
		*out = (struct sw_view){
			.at = word->at, .holder = heap->object_count + root, .object = object};
		return true;
	}
	return false;
}

static bool find_parent(struct sw_fields *fields, sw_object object, struct sw_view *out)
{
	const struct sw_live *live = fields->scan->live;
	sw_node parent = live->graph->parent[object];

	*out = (struct sw_view){0};
	if (sw_graph_is_root(live->graph, parent))
		return find_root_word(fields, parent - live->graph->object_count, object, out);
	if (parent >= live->graph->object_count || sw_heap_size(live->heap, parent) > MAX_SCAN)
		return false;
	sw_error_free(sw_view_scan_holder(fields->scan, parent, object, take_first, out));
	return out->at;
}

/* ---- parts of objects ---- */

/* In one element of a type, at an offset. */
static void append_inside(const struct sw_live *live, sw_type elem, uint64_t offset,
			  struct text text)
{
	const struct sw_type_info *info = sw_type_info(live->types, elem);
	char path[SW_FIELD_NAME] = "";

	sw_type_path(live->types, elem, offset, path, sizeof(path));
	drop_indexes(path);
	if (info->role == SW_TYPE_MAP_GROUP || info->role == SW_TYPE_MAP_BUCKET) {
		append_entry(text, info, path);
		return;
	}
	append(text, "%s", name_of(info));
	append_path(text, path);
}

static bool is_hidden(const struct sw_type_info *info)
{
	return info->role == SW_TYPE_MAP_HEADER || info->role == SW_TYPE_MAP_TABLE ||
	       info->role == SW_TYPE_MAP_DIRECTORY || info->role == SW_TYPE_MAP_PART ||
	       info->role == SW_TYPE_CHAN_HEADER;
}

static void append_object_field(const struct sw_fields *fields, const struct sw_view *view,
				struct text text)
{
	const struct sw_live *live = fields->scan->live;
	sw_type type = sw_live_type(live, view->holder);
	const struct sw_view_plan *plan = holder_plan(fields, view);
	const struct sw_type_info *info = sw_type_info(live->types, type);
	uint64_t offset = view->at - sw_live_start(live, view->holder);

	if (!type || !plan->size)
		append(text, "?");
	else if (is_hidden(info) || is_plain(fields->scan, plan))
		append(text, "%s", name_of(info));
	else
		append_inside(live, plan->elem, plan->is_single ? offset : offset % plan->size,
			      text);
}

static void append_field(struct sw_fields *fields, const struct sw_view *view, struct text text,
			 unsigned depth)
{
	const struct sw_live *live = fields->scan->live;
	struct climb at = climb(fields, view);
	struct sw_view parent;

	if (at.view.holder >= live->heap->object_count) {
		append_root(fields, &at.view, text);
	} else if (!fields->use && depth < MAX_PARENTS &&
		   is_plain(fields->scan, holder_plan(fields, &at.view)) &&
		   find_parent(fields, at.view.holder, &parent)) {
		append_field(fields, &parent, text, depth + 1);
		if (holder_plan(fields, &at.view)->elem != sw_live_type(live, at.view.holder))
			append(text, "[]");
	} else {
		append_object_field(fields, &at.view, text);
	}
	for (; at.shape > 1; at.shape >>= 1)
		if (at.shape & 1)
			append(text, "[]");
}

void sw_field_name(struct sw_fields *fields, const struct sw_view *view, char *out, size_t size)
{
	*out = 0;
	append_field(fields, view, (struct text){out, size}, 0);
}

void sw_fields_deinit(struct sw_fields *fields)
{
	free(fields->first_words);
	fields->first_words = NULL;
}

/* ---- values ---- */

/* Appends the path from a type to the part of another type at an offset. */
static void append_path_to(const struct sw_live *live, sw_type type, uint64_t offset,
			   sw_type wanted, struct text text)
{
	for (unsigned depth = 0; depth < MAX_PATH && type != wanted; depth++) {
		const struct sw_type_info *info = sw_type_info(live->types, type);
		const struct sw_type_field *field = NULL;
		uint64_t stride = sw_type_info(live->types, info->elem)->size;
		for (uint32_t i = 0; info->kind == SW_KIND_STRUCT && i < info->field_count; i++)
			if (offset - info->fields[i].offset <
			    sw_type_info(live->types, info->fields[i].type)->size)
				field = &info->fields[i];
		if (field) {
			append(text, ".%s", field->name);
			offset -= field->offset;
			type = field->type;
		} else if (info->kind == SW_KIND_ARRAY && stride) {
			append(text, "[]");
			offset %= stride;
			type = info->elem;
		} else {
			return;
		}
	}
}

static void append_root_value(const struct sw_live *live, struct sw_value value, uint32_t number,
			      struct text text)
{
	if (number >= live->go->roots.count) {
		append(text, "?");
		return;
	}
	const struct sw_go_root *root = &live->go->roots.items[number];
	append(text, "%s", root->name);
	if (root->type)
		append_path_to(live, sw_type_of_dwarf(live->types, root->type),
			       value.addr - root->address + root->type_offset, value.type, text);
}

/* A part of one element of a type. */
static void append_part(const struct sw_live *live, sw_type elem, uint64_t offset, sw_type wanted,
			struct text text)
{
	const struct sw_type_info *info = sw_type_info(live->types, elem);
	char path[SW_FIELD_NAME] = "";

	append_path_to(live, elem, offset, wanted, (struct text){path, sizeof(path)});
	if (info->role == SW_TYPE_MAP_GROUP || info->role == SW_TYPE_MAP_BUCKET)
		append_entry(text, info, path + (*path == '.'));
	else
		append(text, "%s%s", name_of(info), path);
}

/* The field that points to an object; the object's type where that is not known. */
static void append_holder(struct sw_fields *fields, sw_object object, struct text text)
{
	const struct sw_live *live = fields->scan->live;
	struct sw_view view;

	if (fields->use ? sw_array_use_place(fields->use, live->heap, object, &view)
			: find_parent(fields, object, &view))
		append_field(fields, &view, text, 0);
	else
		append(text, "%s", name_of(sw_type_info(live->types, sw_live_type(live, object))));
}

void sw_field_name_of(struct sw_fields *fields, struct sw_value value, sw_object object,
		      uint32_t root, char *out, size_t size)
{
	const struct sw_live *live = fields->scan->live;
	struct text text = {out, size};

	*out = 0;
	if (object == SW_NO_OBJECT) {
		append_root_value(live, value, root, text);
		return;
	}
	sw_type type = sw_live_type(live, object);
	const struct sw_view_plan *plan = sw_view_plans_of(&fields->scan->plans, type);
	uint64_t offset = value.addr - sw_live_start(live, object);
	if (plan->elem == value.type || !plan->is_struct) {
		append_holder(fields, object, text);
		append(text, "%s", plan->elem != type ? "[]" : "");
		return;
	}
	append_part(live, plan->elem, plan->size ? offset % plan->size : offset, value.type, text);
}
