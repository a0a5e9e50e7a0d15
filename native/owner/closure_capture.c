/* What the closures of a site have captured. */
#include "owner/closure_private.h"

enum { MAX_CAPTURES = 256, MAX_VALUE = 4096 /* bytes that tell values apart */ };

struct reading {
	const struct sw_live *live;
	struct sw_closure_site *site;
	struct sw_closure_numbers *values; /* of each capture: hashes of those that were met */
	struct sw_closure_numbers *types;  /* ... types of targets, and how many there are */
	uint64_t start;			   /* bytes of the slot before the closure */
	struct sw_error *error;
};

/* ---- which ---- */

static bool fits(const struct sw_live *live, const struct sw_closure_site *site,
		 const struct sw_type_info *info)
{
	sw_object object = site->objects[0];
	uint64_t header = sw_live_start(live, object) - sw_heap_address(live->heap, object);
	return info->size <= sw_heap_size(live->heap, object) - header;
}

/* What generic code is given to tell its type arguments apart; up to Go 1.20 it has this name
 * (cmd/compile/internal/noder reader.go: ".dict", a pointer to an array of words). */
static const char dictionary[] = ".dict";

static const char *name_of(const struct sw_live *live, const struct sw_closure_site *site,
			   const struct sw_type_field *field)
{
	const struct sw_type_info *info = sw_type_info(live->types, field->type);
	const struct sw_type_info *array = sw_type_info(live->types, info->elem);
	bool is_dictionary = *field->name == 'X' && strchr(site->function, '[') &&
			     info->kind == SW_KIND_POINTER && array->kind == SW_KIND_ARRAY &&
			     sw_type_info(live->types, array->elem)->kind == SW_KIND_UINTPTR;
	return is_dictionary ? dictionary : field->name + (*field->name == '&');
}

/* The first field is the code. */
static struct sw_error *list_fields(const struct sw_live *live, struct sw_closure_site *site,
				    const struct sw_type_info *info)
{
	struct sw_error *error = NULL;
	for (uint32_t i = 0; !error && i < info->field_count && i < MAX_CAPTURES; i++) {
		const struct sw_type_field *field = &info->fields[i];
		if (!field->offset)
			continue;
		error = sw_captures_add(
			&site->captures,
			(struct sw_capture){
				.name = name_of(live, site, field),
				.is_by_reference = *field->name == '&',
				.offset = field->offset,
				.size = sw_type_info(live->types, field->type)->size,
				.type = field->type,
			});
	}
	return error;
}

static bool add_word(void *context, uint64_t offset, sw_addr pointer)
{
	struct reading *reading = context;
	struct sw_captures *captures = &reading->site->captures;
	(void)pointer;
	for (size_t i = 0; i < captures->count; i++)
		if (captures->items[i].offset == offset - reading->start)
			return true;
	if (captures->count < MAX_CAPTURES)
		reading->error = sw_captures_add(
			captures, (struct sw_capture){.name = "",
						      .offset = offset - reading->start,
						      .size = 8});
	return !reading->error;
}

static int by_offset(const void *a, const void *b)
{
	const struct sw_capture *x = a, *y = b;
	return (x->offset > y->offset) - (x->offset < y->offset);
}

/* Every word in which some closure has a pointer. */
static void list_words(struct reading *reading)
{
	const struct sw_live *live = reading->live;
	struct sw_captures *captures = &reading->site->captures;
	for (uint64_t i = 0; i < reading->site->count && !reading->error; i++) {
		sw_object object = reading->site->objects[i];
		sw_slot slot = sw_heap_select(live->heap, object);
		reading->start =
			sw_live_start(live, object) - sw_heap_slot_address(live->heap, slot);
		sw_heap_pointers(live->heap, slot, add_word, reading);
	}
	if (captures->count)
		qsort(captures->items, captures->count, sizeof(*captures->items), by_offset);
}

/* ---- how many ---- */

static void set(struct reading *reading, struct sw_closure_numbers *map, uint64_t key,
		uint32_t value)
{
	if (!reading->error)
		reading->error = sw_closure_numbers_set(map, key, value);
}

static void count_value(struct reading *reading, size_t number, sw_addr at)
{
	struct sw_capture *capture = &reading->site->captures.items[number];
	uint64_t hash = 0xcbf29ce484222325;
	uint64_t size = capture->size < MAX_VALUE ? capture->size : MAX_VALUE;
	const uint8_t *bytes = sw_memory_view(reading->live->go->memory, at, size);

	for (uint64_t i = 0; bytes && i < size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3;
	if (!bytes || sw_closure_numbers_find(&reading->values[number], hash | 1))
		return;
	capture->values++;
	set(reading, &reading->values[number], hash | 1, 1);
}

static void count_target(struct reading *reading, size_t number, sw_object target)
{
	struct sw_capture *capture = &reading->site->captures.items[number];
	sw_type type = sw_live_type(reading->live, target);

	capture->pointers++;
	capture->typed += type != 0;
	if (sw_closure_numbers_find(&capture->seen, (uint64_t)target + 1))
		return;
	capture->targets++;
	set(reading, &capture->seen, (uint64_t)target + 1, 1);
	const uint32_t *before = sw_closure_numbers_find(&reading->types[number], type);
	if (type)
		set(reading, &reading->types[number], type, before ? *before + 1 : 1);
}

static bool visit_pointer(void *context, uint64_t offset, sw_addr pointer)
{
	struct reading *reading = context;
	struct sw_captures *captures = &reading->site->captures;
	sw_object target = sw_heap_object(reading->live->heap, pointer);

	for (size_t i = 0; target != SW_NO_OBJECT && i < captures->count; i++)
		if (offset - reading->start - captures->items[i].offset < captures->items[i].size)
			count_target(reading, i, target);
	return !reading->error;
}

static void count_closure(struct reading *reading, sw_object object)
{
	const struct sw_live *live = reading->live;
	sw_slot slot = sw_heap_select(live->heap, object);
	sw_addr start = sw_live_start(live, object);

	reading->start = start - sw_heap_slot_address(live->heap, slot);
	for (size_t i = 0; i < reading->site->captures.count; i++)
		count_value(reading, i, start + reading->site->captures.items[i].offset);
	sw_heap_pointers(live->heap, slot, visit_pointer, reading);
}

/* The type that most targets have; of equals the lowest number. */
static void find_target(const struct sw_live *live, struct sw_capture *capture,
			const struct sw_closure_numbers *types)
{
	uint32_t most = 0;
	for (size_t i = 0; i < types->capacity; i++) {
		uint32_t count = types->places[i].value;
		sw_type type = (sw_type)types->places[i].key;
		if (!type || count < most || (count == most && type > capture->target))
			continue;
		most = count;
		capture->target = type;
	}
	capture->kind = sw_request_kind_of(live->types, capture->type);
	if (!capture->kind)
		capture->kind = sw_request_kind_of(live->types, capture->target);
}

static void count_closures(struct reading *reading)
{
	struct sw_closure_site *site = reading->site;
	size_t count = site->captures.count;

	reading->values = calloc(count + 1, sizeof(*reading->values));
	reading->types = calloc(count + 1, sizeof(*reading->types));
	if (!reading->values || !reading->types)
		reading->error = sw_error_memory();
	for (uint64_t i = 0; i < site->count && !reading->error; i++)
		count_closure(reading, site->objects[i]);
	for (size_t i = 0; i < count && !reading->error; i++)
		find_target(reading->live, &site->captures.items[i], &reading->types[i]);
	for (size_t i = 0; i < count; i++) {
		if (reading->values)
			sw_closure_numbers_free(&reading->values[i]);
		if (reading->types)
			sw_closure_numbers_free(&reading->types[i]);
	}
	free(reading->values);
	free(reading->types);
}

struct sw_error *sw_closure_captures(const struct sw_live *live, struct sw_closure_site *site)
{
	struct reading reading = {.live = live, .site = site};
	const struct sw_type_info *info =
		sw_type_info(live->types, sw_type_closure(live->types, site->entry));

	if (info->field_count && fits(live, site, info))
		reading.error = list_fields(live, site, info);
	else
		list_words(&reading);
	if (!reading.error)
		count_closures(&reading);
	return reading.error;
}
