#include "view/view_plan.h"

enum {
	MAX_DEPTH = 64,	     /* of structs in arrays in structs; a damaged type may hold itself */
	MAX_STEPS = 1 << 18, /* of one plan */
	MAX_SLOTS = 1 << 16, /* of one plan */
	MAX_PLANS = 1 << 24, /* slots of all */
};

/* ---- slots ---- */

static struct sw_error *flatten(struct sw_view_plans *plans, sw_type type, uint64_t offset,
				unsigned depth);

static struct sw_error *add(struct sw_view_plans *plans, uint8_t kind, sw_type elem,
			    uint64_t offset)
{
	struct sw_view_slot slot = {.offset = offset,
				    .size = sw_type_info(plans->types, elem)->size,
				    .elem = elem,
				    .kind = kind};
	return sw_view_slots_add(&plans->slots, slot);
}

/* What the language has no name for belongs as a whole to what points to it. */
static struct sw_error *add_pointer(struct sw_view_plans *plans, sw_type elem, uint64_t offset)
{
	uint8_t kind = sw_type_info(plans->types, elem)->role == SW_TYPE_PLAIN
			       ? SW_VIEW_SLOT_POINTER
			       : SW_VIEW_SLOT_WHOLE;
	return add(plans, elem ? kind : SW_VIEW_SLOT_UNKNOWN, elem, offset);
}

static struct sw_error *add_array(struct sw_view_plans *plans, const struct sw_type_info *info,
				  uint64_t offset, unsigned depth)
{
	if (info->length == 1)
		return flatten(plans, info->elem, offset, depth + 1);
	struct sw_view_slot slot = {.offset = offset,
				    .size = sw_type_info(plans->types, info->elem)->size,
				    .count = info->length,
				    .elem = info->elem,
				    .kind = SW_VIEW_SLOT_REPEAT};
	return slot.count && slot.size ? sw_view_slots_add(&plans->slots, slot) : NULL;
}

/* atomic.Pointer[T] is {_ [0]*T; _ noCopy; v unsafe.Pointer} (sync/atomic/type.go, 1.19). */
static sw_type atomic_pointer(const struct sw_view_plans *plans, const struct sw_type_info *info)
{
	if (info->field_count < 2 || info->size != 8)
		return 0;
	const struct sw_type_info *none = sw_type_info(plans->types, info->fields[0].type);
	const struct sw_type_info *pointer = sw_type_info(plans->types, none->elem);
	return none->kind == SW_KIND_ARRAY && !none->length && pointer->kind == SW_KIND_POINTER
		       ? none->elem
		       : 0;
}

static bool is_hidden(const struct sw_type_info *info)
{
	return info->role != SW_TYPE_PLAIN && info->role != SW_TYPE_CLOSURE;
}

static struct sw_error *add_struct(struct sw_view_plans *plans, const struct sw_type_info *info,
				   uint64_t offset, unsigned depth)
{
	struct sw_error *error = NULL;
	sw_type atomic = atomic_pointer(plans, info);

	if (atomic)
		return flatten(plans, atomic, offset, depth + 1);
	for (uint32_t i = 0; !error && i < info->field_count; i++) {
		const struct sw_type_field *field = &info->fields[i];
		bool is_whole = is_hidden(info) && sw_type_info(plans->types, field->type)->kind ==
							   SW_KIND_UNSAFE_POINTER; /* hchan.buf */
		if (is_whole)
			error = add(plans, SW_VIEW_SLOT_WHOLE, 0, offset + field->offset);
		else
			error = flatten(plans, field->type, offset + field->offset, depth + 1);
	}
	return error;
}

static struct sw_error *flatten(struct sw_view_plans *plans, sw_type type, uint64_t offset,
				unsigned depth)
{
	const struct sw_type_info *info = sw_type_info(plans->types, type);

	if (!info->pointer_bytes || depth > MAX_DEPTH || !plans->steps ||
	    plans->slots.count >= MAX_PLANS)
		return NULL;
	plans->steps--;
	switch (info->kind) {
	case SW_KIND_POINTER:
		return add_pointer(plans, info->elem, offset);
	case SW_KIND_SLICE:
		return add(plans, SW_VIEW_SLOT_SLICE, info->elem, offset);
	case SW_KIND_STRING:
		return add(plans, SW_VIEW_SLOT_STRING,
			   sw_type_info(plans->types, sw_type_string_bytes(plans->types))->elem,
			   offset);
	case SW_KIND_MAP:
	case SW_KIND_CHAN:
		return add(plans, SW_VIEW_SLOT_WHOLE, info->target, offset);
	case SW_KIND_FUNC:
		return add(plans, SW_VIEW_SLOT_WHOLE, 0, offset);
	case SW_KIND_ARRAY:
		return add_array(plans, info, offset, depth);
	case SW_KIND_STRUCT:
		return add_struct(plans, info, offset, depth);
	case SW_KIND_INTERFACE:
		return add(plans,
			   info->is_empty_interface ? SW_VIEW_SLOT_EFACE : SW_VIEW_SLOT_IFACE, 0,
			   offset + 8);
	default:
		return add(plans, SW_VIEW_SLOT_UNKNOWN, 0, offset);
	}
}

/* ---- plans ---- */

static struct sw_error *reserve(struct sw_view_plans *plans)
{
	size_t count = sw_types_count(plans->types), before = plans->list.count;
	if (before >= count)
		return NULL;
	struct sw_error *error = sw_view_plan_list_grow(&plans->list, count - before);
	if (error)
		return error;
	memset(plans->list.items + before, 0, (count - before) * sizeof(*plans->list.items));
	plans->list.count = count;
	return NULL;
}

/* Offsets of a damaged type may stand in any order. */
static int by_offset(const void *a, const void *b)
{
	const struct sw_view_slot *x = a, *y = b;
	return (x->offset > y->offset) - (x->offset < y->offset);
}

static struct sw_error *make(struct sw_view_plans *plans, sw_type type, unsigned depth)
{
	const struct sw_type_info *info = sw_type_info(plans->types, type);
	struct sw_error *error = reserve(plans);
	if (error || !type || type >= plans->list.count || plans->list.items[type].is_made)
		return error;
	bool is_array = info->role == SW_TYPE_BACKING || info->role == SW_TYPE_STRING_BYTES ||
			info->role == SW_TYPE_MAP_DIRECTORY;
	struct sw_view_plan plan = {
		.size = info->size,
		.elem = is_array ? info->elem : type,
		.first = (uint32_t)plans->slots.count,
		.is_made = true,
		.is_single = info->role == SW_TYPE_CLOSURE || info->role == SW_TYPE_CHAN_HEADER ||
			     info->role == SW_TYPE_MAP_HEADER,
	};
	plan.is_struct = sw_type_info(plans->types, plan.elem)->kind == SW_KIND_STRUCT;
	plans->list.items[type].is_made = true; /* also while it is being made: cycles end */
	plans->steps = MAX_STEPS;
	error = flatten(plans, plan.elem, 0, 0);
	if (plans->slots.count - plan.first > MAX_SLOTS)
		plans->slots.count = plan.first + MAX_SLOTS;
	plan.count = (uint32_t)(plans->slots.count - plan.first);
	if (plan.count)
		qsort(plans->slots.items + plan.first, plan.count, sizeof(*plans->slots.items),
		      by_offset);
	plans->list.items[type] = plan;
	for (uint32_t i = 0; !error && i < plan.count && depth < MAX_DEPTH; i++) {
		const struct sw_view_slot *slot = &plans->slots.items[plan.first + i];
		if (slot->kind == SW_VIEW_SLOT_REPEAT)
			error = make(plans, slot->elem, depth + 1);
	}
	return error;
}

struct sw_error *sw_view_plans_make(struct sw_view_plans *plans, sw_type type)
{
	return make(plans, type, 0);
}

const struct sw_view_plan *sw_view_plans_of(const struct sw_view_plans *plans, sw_type type)
{
	static const struct sw_view_plan none;
	return type < plans->list.count ? &plans->list.items[type] : &none;
}

/* The last slot at or before an offset; NULL when there is none. */
static const struct sw_view_slot *find(const struct sw_view_plans *plans,
				       const struct sw_view_plan *plan, uint64_t offset)
{
	const struct sw_view_slot *slots = &plans->slots.items[plan->first];
	size_t low = 0, high = plan->count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (slots[middle].offset <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &slots[low - 1] : NULL;
}

const struct sw_view_slot *sw_view_plans_slot(const struct sw_view_plans *plans, sw_type type,
					      uint64_t offset)
{
	const struct sw_view_plan *plan = sw_view_plans_of(plans, type);

	if (!plan->count || !plan->size || (plan->is_single && offset >= plan->size))
		return NULL;
	offset %= plan->size;
	for (unsigned depth = 0; depth <= MAX_DEPTH; depth++) {
		const struct sw_view_slot *slot = plan->count ? find(plans, plan, offset) : NULL;
		if (!slot || slot->kind != SW_VIEW_SLOT_REPEAT)
			return slot && slot->offset == offset ? slot : NULL;
		if ((offset - slot->offset) / slot->size >= slot->count)
			return NULL;
		offset = (offset - slot->offset) % slot->size;
		plan = sw_view_plans_of(plans, slot->elem);
	}
	return NULL;
}

void sw_view_plans_free(struct sw_view_plans *plans)
{
	sw_view_plan_list_free(&plans->list);
	sw_view_slots_free(&plans->slots);
}
