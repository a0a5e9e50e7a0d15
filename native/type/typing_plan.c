/* The pointer slots of a type, flat: what a walk over millions of objects reads. */
#include "go/arena_bitmap.h"
#include "go/interface.h"
#include "go/size_class.h"
#include "type/typing_private.h"

enum {
	MAX_SLOTS = 1 << 16,
	MAX_STEPS = 1 << 18,
	UNROLL = 32, /* slots of an array that are written out */
	PAGE = 8192,
	MIN_SIZE_FOR_HEADER = 512, /* runtime/mbitmap.go minSizeForMallocHeader, Go 1.22 */
	MAX_TINY_SIZE = 16,

};

/* runtime/malloc.go mallocgc: the slot that one value is allocated in. */
static uint64_t slot_size(const struct sw_go *go, uint64_t size, bool has_pointers)
{
	uint64_t header = sw_go_has_arena_bitmap(go) ? 0 : SW_GO_MALLOC_HEADER;
	if (!has_pointers && size < MAX_TINY_SIZE)
		return MAX_TINY_SIZE;
	if (size > SW_MAX_SMALL_SIZE - header)
		return (size + PAGE - 1) / PAGE * PAGE;
	if (has_pointers && size > MIN_SIZE_FOR_HEADER)
		size += header;
	for (size_t i = 1; i < SW_SIZE_CLASSES; i++)
		if (size <= sw_go_class_size[i])
			return sw_go_class_size[i];
	return 0;
}

/* ---- sizes and masks ---- */

static struct sw_error *reserve(struct sw_type_plans *plans, sw_type type)
{
	size_t count = sw_types_count(plans->types);
	if (type < plans->list.count)
		return NULL;
	struct sw_error *error = sw_type_plan_list_grow(&plans->list, count - plans->list.count);
	if (error)
		return error;
	memset(plans->list.items + plans->list.count, 0,
	       (count - plans->list.count) * sizeof(*plans->list.items));
	plans->list.count = count;
	return NULL;
}

/* Which of the first 64 words may hold pointers, by structure. A damaged type may contain itself.
 */
static uint64_t structural_mask(struct sw_type_plans *plans, sw_type type, uint64_t offset,
				unsigned depth)
{
	const struct sw_type_info *info = sw_type_info(plans->types, type);
	uint64_t mask = 0;

	if (!info->pointer_bytes || offset >= 512 || !plans->mask_steps ||
	    depth > SW_MAX_TYPE_DEPTH)
		return 0;
	plans->mask_steps--;
	if (info->kind == SW_KIND_STRUCT) {
		for (uint32_t i = 0; i < info->field_count; i++)
			mask |= structural_mask(plans, info->fields[i].type,
						offset + info->fields[i].offset, depth + 1);
		return mask;
	}
	if (info->kind == SW_KIND_ARRAY) {
		uint64_t stride = sw_type_info(plans->types, info->elem)->size;
		uint64_t length = info->length ? info->length : 1;
		for (uint64_t i = 0; stride && i < length && offset + i * stride < 512; i++)
			mask |= structural_mask(plans, info->elem, offset + i * stride, depth + 1);
		return mask;
	}
	mask = (uint64_t)1 << (offset / 8);
	if (info->kind == SW_KIND_INTERFACE && offset < 504)
		mask |= mask << 1;
	return mask;
}

static void set_mask(struct sw_type_plans *plans, const struct sw_type_info *info, sw_type type,
		     struct sw_type_plan *plan)
{
	struct sw_mask mask;
	sw_addr descriptor = sw_type_info(plans->types, plan->header)->descriptor;
	if (!info->pointer_bytes) {
		plan->is_exact = true;
	} else if (descriptor && sw_go_type_mask(plans->go, descriptor, &mask)) {
		uint64_t words = info->pointer_bytes / 8;
		for (uint64_t i = 0; i < words && i < 64; i++)
			plan->mask |= (uint64_t)(mask.bits[i / 8] >> (i % 8) & 1) << i;
		if (mask.pointer_bytes >= info->pointer_bytes)
			plan->bits = mask.bits;
		plan->is_exact = true;
	} else {
		plans->mask_steps = MAX_STEPS;
		plan->mask = structural_mask(plans, type, 0, 0);
	}
}

static bool is_direct(const struct sw_go *go, sw_addr descriptor)
{
	bool is_direct;
	return descriptor && sw_go_read_direct(go, descriptor, &is_direct) && is_direct;
}

/* What the runtime's own code takes any map or closure for. */
static bool is_vague(const struct sw_type_info *info)
{
	static const char *const names[] = {"runtime.hmap", "runtime.bmap", "runtime.mapextra",
					    "maps.Map",	    "maps.table",   "runtime.funcval"};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(info->name, names[i]))
			return strcmp(info->name, "maps.Map") != 0 ||
			       !strcmp(info->package, "internal/runtime/maps");
	return false;
}

struct sw_error *sw_type_plans_know(struct sw_type_plans *plans, sw_type type)
{
	struct sw_error *error = reserve(plans, type);
	if (error || !type || plans->list.items[type].is_known)
		return error;
	const struct sw_type_info *info = sw_type_info(plans->types, type);
	struct sw_type_plan plan = {
		.size = info->size,
		.pointer_bytes = info->pointer_bytes,
		.header = info->role == SW_TYPE_BACKING && info->elem ? info->elem : type,
		.is_known = true,
		.is_direct = is_direct(plans->go, info->descriptor),
		.is_single = info->role == SW_TYPE_CLOSURE || info->role == SW_TYPE_CHAN_HEADER,
		.is_struct = info->kind == SW_KIND_STRUCT || info->kind == SW_KIND_ARRAY,
		.is_vague = is_vague(info),
	};
	/* What is damaged types nothing. */
	if (plan.pointer_bytes > plan.size || (plan.pointer_bytes && plan.size % 8))
		plan.size = 0;
	plan.fit = slot_size(plans->go, plan.size, plan.pointer_bytes);
	set_mask(plans, info, type, &plan);
	error = reserve(plans, sw_types_count(plans->types) - 1);
	if (!error)
		plans->list.items[type] = plan;
	if (!error && info->kind == SW_KIND_STRUCT && info->role == SW_TYPE_PLAIN)
		error = sw_type_plans_know_array(plans, type);
	return error;
}

struct sw_error *sw_type_plans_know_array(struct sw_type_plans *plans, sw_type type)
{
	struct sw_error *error = sw_type_plans_know(plans, type);
	if (error || !type || plans->list.items[type].array || !plans->list.items[type].size ||
	    sw_type_info(plans->types, type)->role == SW_TYPE_BACKING ||
	    plans->list.items[type].is_single)
		return error;
	sw_type array = sw_type_backing(plans->types, type);
	plans->list.items[type].array = array;
	return sw_type_plans_know(plans, array);
}

/* ---- slots ---- */

static struct sw_error *flatten(struct sw_type_plans *plans, sw_type type, uint64_t offset,
				unsigned depth);

static struct sw_error *add(struct sw_type_plans *plans, struct sw_slot_plan slot)
{
	struct sw_error *error = sw_type_plans_know(plans, slot.target);
	if (!error)
		error = sw_type_plans_know(plans, slot.other);
	if (!error)
		error = sw_slot_plans_add(&plans->slots, slot);
	return error;
}

static bool has_prefix(const char *name, const char *prefix)
{
	return !strncmp(name, prefix, strlen(prefix));
}

/* "[interface {},interface {}]" as shapes, "[go.shape.interface {},go.shape.interface {}]": of a
 * type that only generic code makes, the linker may keep the shape alone (1.27). */
static sw_type find_generic(struct sw_type_plans *plans, const char *name, const char *arguments)
{
	char *exact = sw_type_name("%s%s", name, arguments), *shape = NULL;
	sw_type type = exact ? sw_type_of_name(plans->types, exact) : 0;
	if (!type && !strcmp(arguments, "[interface {},interface {}]"))
		shape = sw_type_name("%s[go.shape.interface {},go.shape.interface {}]", name);
	if (shape)
		type = sw_type_of_name(plans->types, shape);
	free(exact);
	free(shape);
	return type;
}

/* internal/sync/hashtriemap.go (1.24): a *node is the start of an entry or of an indirect, as its
 * isEntry says; sync.Map is made of them. */
static bool find_node_parts(struct sw_type_plans *plans, const struct sw_type_info *node,
			    struct sw_slot_plan *slot)
{
	const char *arguments = strchr(node->name, '[');
	if (!arguments || strcmp(node->package, "internal/sync") != 0)
		return false;
	sw_type indirect = find_generic(plans, "internal/sync.indirect", arguments);
	sw_type entry = find_generic(plans, "internal/sync.entry", arguments);
	if (!indirect || !entry)
		return false;
	slot->target = indirect;
	slot->other = entry;
	slot->action = SW_SLOT_CHOICE;
	return true;
}

/* Pointers whose objects are larger than they say: time/sleep.go newTimer returns a
 * runtime.timeTimer as a *Timer (1.23). */
static sw_type pointed_to(struct sw_type_plans *plans, sw_type elem)
{
	const struct sw_type_info *info = sw_type_info(plans->types, elem);
	if (plans->go->minor >= 23 && !strcmp(info->package, "time") &&
	    (!strcmp(info->name, "time.Timer") || !strcmp(info->name, "time.Ticker"))) {
		sw_type real = sw_type_of_name(plans->types, "runtime.timeTimer");
		return real ? real : elem;
	}
	return elem;
}

static struct sw_error *add_pointer(struct sw_type_plans *plans, sw_type elem, uint64_t offset)
{
	const struct sw_type_info *info = sw_type_info(plans->types, elem);
	struct sw_slot_plan slot = {.offset = offset, .target = pointed_to(plans, elem)};
	bool is_array = info->role == SW_TYPE_BACKING || info->role == SW_TYPE_MAP_DIRECTORY ||
			info->role == SW_TYPE_STRING_BYTES;
	if (!elem || sw_type_is_shape(info))
		slot.action = SW_SLOT_UNKNOWN;
	else if (!strncmp(info->name, "struct { F uintptr", 18))
		slot.action = SW_SLOT_FUNC;
	else if (!strcmp(info->name, "runtime.hchan"))
		slot.action = SW_SLOT_CHANNEL;
	else if (!has_prefix(info->name, "sync.node[") || !find_node_parts(plans, info, &slot))
		slot.action = is_array ? SW_SLOT_ARRAY : SW_SLOT_POINTER;
	return add(plans, slot);
}

static struct sw_error *add_array(struct sw_type_plans *plans, const struct sw_type_info *array,
				  uint64_t offset, unsigned depth)
{
	uint64_t stride = sw_type_info(plans->types, array->elem)->size;
	size_t before = plans->slots.count;
	struct sw_error *error = flatten(plans, array->elem, offset, depth + 1);
	uint64_t each = plans->slots.count - before;

	if (error || !each || array->length < 2)
		return error;
	if (array->length * each > UNROLL || array->length > UNROLL) {
		/* The element's own plan, made apart. */
		plans->slots.count = before;
		return add(plans, (struct sw_slot_plan){.offset = offset,
							.count = array->length,
							.target = array->elem,
							.action = SW_SLOT_REPEAT});
	}
	for (uint64_t i = 1; !error && i < array->length; i++)
		error = flatten(plans, array->elem, offset + i * stride, depth + 1);
	return error;
}

/* sync/atomic.Pointer[T] is { _ [0]*T; _ noCopy; v unsafe.Pointer }. */
static sw_type atomic_pointer(struct sw_type_plans *plans, const struct sw_type_info *info)
{
	if (info->field_count < 2 || info->size != 8)
		return 0;
	const struct sw_type_info *first = sw_type_info(plans->types, info->fields[0].type);
	const struct sw_type_info *last =
		sw_type_info(plans->types, info->fields[info->field_count - 1].type);
	if (last->kind != SW_KIND_UNSAFE_POINTER || first->kind != SW_KIND_ARRAY || first->length)
		return 0;
	const struct sw_type_info *pointer = sw_type_info(plans->types, first->elem);
	return pointer->kind == SW_KIND_POINTER ? first->elem : 0;
}

/* sync/pool.go: local and victim are [P]poolLocal. */
static sw_type pool_array(struct sw_type_plans *plans, const struct sw_type_info *info,
			  const struct sw_type_field *field)
{
	if (strcmp(info->name, "sync.Pool") != 0 ||
	    (strcmp(field->name, "local") != 0 && strcmp(field->name, "victim") != 0))
		return 0;
	return sw_type_backing(plans->types, sw_type_of_name(plans->types, "sync.poolLocal"));
}

/* sync/poolqueue.go: eface is an interface {}, taken apart. */
static bool is_eface(const struct sw_type_info *info)
{
	return !strcmp(info->name, "sync.eface") && info->field_count == 2 && info->size == 16;
}

/* sync/map.go until 1.19: entry is { p unsafe.Pointer }, to an interface{}. */
static sw_type map_value(struct sw_type_plans *plans, const struct sw_type_info *info,
			 const struct sw_type_field *field)
{
	if (strcmp(info->name, "sync.entry") != 0 || strcmp(field->name, "p") != 0 ||
	    sw_type_info(plans->types, field->type)->kind != SW_KIND_UNSAFE_POINTER)
		return 0;
	return sw_type_of_name(plans->types, "interface {}");
}

static struct sw_error *add_struct(struct sw_type_plans *plans, const struct sw_type_info *info,
				   uint64_t offset, unsigned depth)
{
	struct sw_error *error = NULL;
	sw_type pointer = atomic_pointer(plans, info), array, value;

	if (pointer)
		return flatten(plans, pointer, offset, depth + 1);
	if (is_eface(info))
		return add(plans,
			   (struct sw_slot_plan){.offset = offset + 8, .action = SW_SLOT_EFACE});
	for (uint32_t i = 0; !error && i < info->field_count; i++) {
		const struct sw_type_field *field = &info->fields[i];
		uint64_t at = offset + field->offset;
		if (info->role == SW_TYPE_MAP_HEADER && !strcmp(field->name, "dirPtr"))
			error = add(plans,
				    (struct sw_slot_plan){
					    .offset = at,
					    .target = info->group,
					    .other = sw_type_info(plans->types, field->type)->elem,
					    .action = SW_SLOT_DIRECTORY});
		else if ((array = pool_array(plans, info, field)))
			error = add(plans, (struct sw_slot_plan){.offset = at,
								 .target = array,
								 .action = SW_SLOT_ARRAY});
		else if ((value = map_value(plans, info, field)))
			error = add_pointer(plans, value, at);
		else
			error = flatten(plans, field->type, at, depth + 1);
	}
	return error;
}

static struct sw_error *flatten(struct sw_type_plans *plans, sw_type type, uint64_t offset,
				unsigned depth)
{
	const struct sw_type_info *info = sw_type_info(plans->types, type);
	struct sw_slot_plan slot = {.offset = offset};

	if (!info->pointer_bytes || depth > SW_MAX_TYPE_DEPTH || !plans->steps ||
	    plans->slots.count >= UINT32_MAX - MAX_SLOTS)
		return NULL;
	plans->steps--;
	switch (info->kind) {
	case SW_KIND_POINTER:
		return add_pointer(plans, info->elem, offset);
	case SW_KIND_SLICE:
		return add_pointer(plans, sw_type_backing(plans->types, info->elem), offset);
	case SW_KIND_STRING:
		return add_pointer(plans, sw_type_string_bytes(plans->types), offset);
	case SW_KIND_MAP:
	case SW_KIND_CHAN:
		return add_pointer(plans, info->target, offset);
	case SW_KIND_ARRAY:
		return add_array(plans, info, offset, depth);
	case SW_KIND_STRUCT:
		return add_struct(plans, info, offset, depth);
	case SW_KIND_FUNC:
		slot.action = SW_SLOT_FUNC;
		return add(plans, slot);
	case SW_KIND_INTERFACE:
		slot.offset += 8;
		slot.action = info->is_empty_interface ? SW_SLOT_EFACE : SW_SLOT_IFACE;
		return add(plans, slot);
	default:
		return add(plans, slot);
	}
}

/* Elements of large arrays in this plan need plans of their own. */
static struct sw_error *make_repeated(struct sw_type_plans *plans, sw_type type, unsigned depth);

static struct sw_error *make(struct sw_type_plans *plans, sw_type type, unsigned depth)
{
	struct sw_error *error = sw_type_plans_know(plans, type);
	if (error || !type || plans->list.items[type].is_planned)
		return error;
	plans->list.items[type].is_planned = true; /* also while it is being made: cycles end */
	plans->steps = MAX_STEPS;
	size_t first = plans->slots.count;
	error = flatten(plans, plans->list.items[type].header, 0, 0);
	if (!error && plans->slots.count - first > MAX_SLOTS)
		plans->slots.count = first + MAX_SLOTS;
	plans->list.items[type].first = (uint32_t)first;
	plans->list.items[type].count = (uint32_t)(plans->slots.count - first);
	return error ? error : make_repeated(plans, type, depth);
}

static struct sw_error *make_repeated(struct sw_type_plans *plans, sw_type type, unsigned depth)
{
	struct sw_error *error = NULL;
	uint32_t first = plans->list.items[type].first, count = plans->list.items[type].count;
	for (uint32_t i = 0; !error && i < count; i++) {
		struct sw_slot_plan *slot = &plans->slots.items[first + i];
		if (slot->action != SW_SLOT_REPEAT)
			continue;
		if (depth < SW_MAX_TYPE_DEPTH)
			error = make(plans, slot->target, depth + 1);
		else
			slot->action = SW_SLOT_UNKNOWN;
	}
	return error;
}

struct sw_error *sw_type_plans_make(struct sw_type_plans *plans, sw_type type)
{
	return make(plans, type, 0);
}

/* Found by halving. */
const struct sw_slot_plan *sw_type_plans_slot(const struct sw_type_plans *plans, sw_type type,
					      uint64_t offset)
{
	for (unsigned depth = 0; depth <= SW_MAX_TYPE_DEPTH; depth++) {
		const struct sw_type_plan *plan = &plans->list.items[type];
		const struct sw_slot_plan *slots = &plans->slots.items[plan->first];
		size_t low = 0, high = plan->count;
		while (low < high) {
			size_t middle = (low + high) / 2;
			if (slots[middle].offset <= offset)
				low = middle + 1;
			else
				high = middle;
		}
		if (!low)
			return NULL;
		const struct sw_slot_plan *slot = &slots[low - 1];
		if (slot->action != SW_SLOT_REPEAT)
			return slot->offset == offset ? slot : NULL;
		uint64_t stride = plans->list.items[slot->target].size;
		if (!stride || (offset - slot->offset) / stride >= slot->count)
			return NULL;
		offset = (offset - slot->offset) % stride;
		type = slot->target;
	}
	return NULL;
}

void sw_type_plans_free(struct sw_type_plans *plans)
{
	sw_type_plan_list_free(&plans->list);
	sw_slot_plans_free(&plans->slots);
}
