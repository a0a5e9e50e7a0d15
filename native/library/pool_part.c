/* What belongs to an element of a pool: the arrays of its slices, what it alone keeps alive; how
 * many bytes that is. */
#include "library/pool_private.h"
#include "view/view.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	MAX_PATH = 200,
	MAX_NESTING = 8,   /* structs and arrays in a body that slices are looked for in */
	MAX_REPEATS = 64,  /* elements of an array in it */
	OWNER_UNKNOWN = 0, /* in sw_pools.owners */
	OWNER_NONE = 1,
	OWNER_FIRST = 2,
};

/* ---- arrays of slices in a body ---- */

struct parts {
	const struct sw_live *live;
	sw_visit_part *visit;
	void *context;
	char path[MAX_PATH];
	struct sw_error *error;
};

static void visit_parts(struct parts *parts, struct sw_value of, unsigned depth);

/* Adds a step to the path for as long as what it leads to is looked at. */
static void visit_step(struct parts *parts, struct sw_value of, unsigned depth, const char *format,
		       const char *name, uint64_t index)
{
	size_t length = strlen(parts->path);
	char *end = parts->path + length;
	if (name)
		snprintf(end, sizeof(parts->path) - length, format, length ? "." : "", name);
	else
		snprintf(end, sizeof(parts->path) - length, "[%" PRIu64 "]", index);
	visit_parts(parts, of, depth + 1);
	*end = 0;
}

static void visit_slice(struct parts *parts, struct sw_value of)
{
	struct sw_value_array array;
	if (!sw_value_array(&parts->live->reader, of, NULL, &array) || !array.cap)
		return;
	sw_object object = sw_heap_object(parts->live->heap, array.data);
	if (object != SW_NO_OBJECT)
		parts->error = parts->visit(parts->context, object, parts->path);
}

static void visit_parts(struct parts *parts, struct sw_value of, unsigned depth)
{
	const struct sw_type_info *info = sw_type_info(parts->live->types, of.type);

	if (depth > MAX_NESTING || !info->pointer_bytes || parts->error)
		return;
	if (info->kind == SW_KIND_SLICE)
		visit_slice(parts, of);
	for (uint32_t i = 0; info->kind == SW_KIND_STRUCT && i < info->field_count; i++)
		visit_step(
			parts,
			(struct sw_value){info->fields[i].type, of.addr + info->fields[i].offset},
			depth, "%s%s", info->fields[i].name, 0);
	if (info->kind != SW_KIND_ARRAY)
		return;
	uint64_t size = sw_type_info(parts->live->types, info->elem)->size;
	for (uint64_t i = 0; i < info->length && i < MAX_REPEATS; i++)
		visit_step(parts, (struct sw_value){info->elem, of.addr + i * size}, depth, NULL,
			   NULL, i);
}

struct sw_error *sw_pool_parts(const struct sw_live *live, const struct sw_pool_element *element,
			       sw_visit_part *visit, void *context)
{
	struct parts parts = {.live = live, .visit = visit, .context = context};
	visit_parts(&parts, element->body, 0);
	return parts.error;
}

/* ---- whose is an array ---- */

/* golang.org/x/net/http2 puts a writeData back with what it was to send, which is of whoever wrote
 * the answer. */
static bool is_reader(const struct sw_types *types, sw_type type)
{
	static const char *const names[] = {"net/http.http2writeData",
					    "net/http/internal/http2.writeData", /* 1.27 */
					    "golang.org/x/net/http2.writeData", "bytes.Reader"};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (sw_type_is_named(sw_type_info(types, type), names[i]))
			return true;
	return false;
}

static bool is_whole(const struct sw_view *view)
{
	return view->kind == SW_VIEW_SLICE && view->is_len_known && !view->offset && view->len &&
	       view->len == view->cap;
}

struct sw_error *sw_pool_is_borrowed(const struct sw_pools *pools, uint32_t number, sw_object array,
				     bool *out)
{
	const struct sw_pool_element *element = &pools->elements.items[number];
	const struct sw_live *live = pools->live;
	uint64_t own = 0, other = 0;
	struct sw_views views = {0};

	*out = is_reader(live->types, element->body.type);
	struct sw_error *error = *out ? NULL : sw_views_of(live, array, &views);
	for (size_t i = 0; !error && i < views.count; i++) {
		const struct sw_view *view = &views.items[i];
		bool is_own = view->holder < live->heap->object_count &&
			      sw_pool_is_of(pools, view->holder, element);
		if (is_own && view->offset + view->len > own)
			own = view->offset + view->len;
		if (!is_own && is_whole(view) && view->len > other)
			other = view->len;
	}
	*out |= other > own;
	sw_views_free(&views);
	return error;
}

/* ---- whose is an object ---- */

/* Up the dominators to an element, or to where it was asked before; all on the way know it then. */
static uint32_t climb(const struct sw_pools *pools, sw_object object)
{
	const struct sw_dominators *dominators = pools->live->dominators;
	uint32_t objects = pools->live->heap->object_count, owner = OWNER_NONE;
	sw_node at = object;

	for (; at < objects; at = dominators->idom[at]) {
		const uint32_t *element = sw_pool_numbers_find(&pools->by_object, (uint64_t)at + 1);
		owner = element ? *element - 1 + OWNER_FIRST : pools->owners[at];
		if (owner != OWNER_UNKNOWN)
			break;
		owner = OWNER_NONE;
	}
	for (sw_node back = object; back != at; back = dominators->idom[back])
		pools->owners[back] = owner;
	return owner;
}

uint32_t sw_pools_element_of(const struct sw_pools *pools, sw_object object)
{
	if (!pools->owners || object >= pools->live->heap->object_count)
		return SW_NO_ELEMENT;
	uint32_t owner = climb(pools, object);
	return owner < OWNER_FIRST ? SW_NO_ELEMENT : owner - OWNER_FIRST;
}

/* ---- sizes ---- */

struct counting {
	struct sw_pools *pools;
	uint32_t element; /* whose parts are visited */
	uint64_t shared;  /* bytes of arrays that it does not keep alive alone */
};

static struct sw_error *note_part(void *context, sw_object array, const char *path)
{
	struct counting *counting = context;
	struct sw_pool_numbers *by_object = &counting->pools->by_object;
	(void)path;
	if (sw_pool_numbers_find(by_object, (uint64_t)array + 1))
		return NULL;
	return sw_pool_numbers_set(by_object, (uint64_t)array + 1, counting->element + 1);
}

/* Elements first: one may be the array of another's slice. */
static struct sw_error *note_elements(struct sw_pools *pools)
{
	struct sw_error *error = NULL;
	for (size_t i = 0; !error && i < pools->elements.count; i++) {
		sw_object object = pools->elements.items[i].object;
		if (object != SW_NO_OBJECT &&
		    !sw_pool_numbers_find(&pools->by_object, (uint64_t)object + 1))
			error = sw_pool_numbers_set(&pools->by_object, (uint64_t)object + 1,
						    (uint32_t)i + 1);
	}
	for (size_t i = 0; !error && i < pools->elements.count; i++) {
		struct counting counting = {pools, (uint32_t)i, 0};
		error = sw_pool_parts(pools->live, &pools->elements.items[i], note_part, &counting);
	}
	return error;
}

static bool dominates(const struct sw_live *live, sw_object above, sw_object below)
{
	/* An array hangs on its slice's object, or on whoever holds both: no search goes far. */
	return live->dominators->idom[below] == above;
}

static struct sw_error *add_part(void *context, sw_object array, const char *path)
{
	struct counting *counting = context;
	const struct sw_pool_element *element = &counting->pools->elements.items[counting->element];
	(void)path;
	if (!element->is_whole || !dominates(counting->pools->live, element->object, array))
		counting->shared += sw_heap_size(counting->pools->live->heap, array);
	return NULL;
}

static struct sw_error *measure_element(struct sw_pools *pools, uint32_t number)
{
	const struct sw_live *live = pools->live;
	struct sw_pool_element *element = &pools->elements.items[number];
	struct counting counting = {pools, number, 0};
	struct sw_error *error = sw_pool_parts(live, element, add_part, &counting);

	if (element->object == SW_NO_OBJECT)
		element->bytes = 0;
	else if (element->is_whole)
		element->bytes = live->dominators->retained_bytes[element->object];
	else
		element->bytes = sw_type_info(live->types, element->body.type)->size;
	element->bytes += counting.shared;
	return error;
}

/* The bytes of a pool's elements, each object once. */
struct sum {
	struct sw_pools *pools;
	struct sw_pool_numbers seen; /* objects by number + 1, parts of objects by address */
	sw_object whole;	     /* the element whose parts are visited, if it is an object */
	uint64_t bytes;
};

static struct sw_error *sum_once(struct sum *sum, uint64_t key, uint64_t bytes)
{
	if (sw_pool_numbers_find(&sum->seen, key))
		return NULL;
	sum->bytes += bytes;
	return sw_pool_numbers_set(&sum->seen, key, 1);
}

static struct sw_error *sum_part(void *context, sw_object array, const char *path)
{
	struct sum *sum = context;
	const struct sw_live *live = sum->pools->live;
	(void)path;
	if (sum->whole != SW_NO_OBJECT && dominates(live, sum->whole, array))
		return NULL;
	return sum_once(sum, (uint64_t)array + 1, sw_heap_size(live->heap, array));
}

/* What another element keeps alive is in that one's bytes. */
static bool is_below_another(const struct sw_pools *pools, sw_object object)
{
	sw_node above = pools->live->dominators->idom[object];
	return above < pools->live->heap->object_count &&
	       sw_pools_element_of(pools, above) != SW_NO_ELEMENT;
}

static struct sw_error *sum_element(struct sum *sum, const struct sw_pool_element *element)
{
	const struct sw_live *live = sum->pools->live;
	struct sw_error *error = NULL;

	sum->whole = element->is_whole ? element->object : SW_NO_OBJECT;
	if (element->is_whole) {
		if (is_below_another(sum->pools, element->object))
			return NULL;
		error = sum_once(sum, (uint64_t)element->object + 1,
				 live->dominators->retained_bytes[element->object]);
	} else if (element->object != SW_NO_OBJECT) {
		/* No object has such a number. */
		error = sum_once(sum, element->body.addr | (uint64_t)1 << 63,
				 sw_type_info(live->types, element->body.type)->size);
	}
	return error ? error : sw_pool_parts(live, element, sum_part, sum);
}

struct sw_error *sw_pools_measure(struct sw_pools *pools)
{
	if (!pools->elements.count)
		return NULL;
	struct sw_error *error = sw_work_alloc(
		pools->live->work, (size_t)pools->live->heap->object_count * sizeof(*pools->owners),
		"owners of objects", &pools->owners);
	if (!error)
		error = note_elements(pools);
	for (uint32_t i = 0; !error && i < pools->elements.count; i++)
		error = measure_element(pools, i);
	for (size_t i = 0; !error && i < pools->list.count; i++) {
		struct sw_pool *pool = &pools->list.items[i];
		struct sum sum = {.pools = pools};
		for (uint32_t k = 0; !error && k < pool->count; k++)
			error = sum_element(&sum, &pools->elements.items[pool->first + k]);
		pool->bytes = sum.bytes;
		sw_pool_numbers_free(&sum.seen);
	}
	return error;
}
