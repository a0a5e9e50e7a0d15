/* What there is to know of one backing array. */
#include "command/buffer_owner.h"

#include "command/words.h"
#include "go/size_class.h"

#include <inttypes.h>
#include <stdio.h>

enum { PAGE = 8192, MAX_SYMBOL = 256 };

/* ---- the address ---- */

static struct sw_error *not_found(const char *symbol, const char *why)
{
	return sw_error_hint(sw_error_format(SW_ERR_NOT_FOUND, "%s %s", symbol, why),
			     "a variable that leads to the array, with fields: main.frames, "
			     "main.server.parser.buf; or an address");
}

/* The buffer of a struct that owns one. */
static bool lead_to_buffer(const struct sw_live *live, struct sw_value value, sw_addr *out)
{
	struct sw_buffer buffer;
	if ((!sw_buffer_read(live, value, &buffer) || !buffer.has_array) &&
	    !sw_buffer_guess(live, value, SW_NO_OBJECT, &buffer))
		return false;
	*out = buffer.array.data;
	return *out != 0;
}

/* Where a value leads: a slice or string to its array, what owns a buffer to that, also by a
 * pointer; other pointers to their object. */
static bool lead(const struct sw_live *live, struct sw_value value, sw_addr *out)
{
	const struct sw_value_reader *reader = &live->reader;
	const struct sw_type_info *info = sw_type_info(live->types, value.type);
	struct sw_value_array array;
	struct sw_value behind;

	*out = 0;
	if (info->kind == SW_KIND_SLICE || info->kind == SW_KIND_STRING) {
		*out = sw_value_array(reader, value, NULL, &array) ? array.data : 0;
	} else if (info->kind == SW_KIND_STRUCT) {
		return lead_to_buffer(live, value, out);
	} else if (info->kind == SW_KIND_INTERFACE) {
		if (sw_value_behind(reader, value, NULL, &behind) &&
		    !lead_to_buffer(live, behind, out))
			*out = behind.addr;
	} else if (!sw_value_pointee(reader, value, NULL, &behind) ||
		   !lead_to_buffer(live, behind, out)) {
		sw_value_word(reader, value, NULL, out);
	}
	return *out != 0;
}

/* Of a variable without a type its one pointer. */
static bool lead_of_root(const struct sw_live *live, uint32_t root, sw_addr *out)
{
	const struct sw_root_words *words = &live->heap->root_words;
	sw_object object = SW_NO_OBJECT;
	for (size_t i = 0; i < words->count; i++) {
		if (words->items[i].root != root)
			continue;
		sw_object to = sw_heap_object(live->heap, words->items[i].pointer);
		if (object != SW_NO_OBJECT && to != object)
			return false;
		object = to;
		*out = words->items[i].pointer;
	}
	return object != SW_NO_OBJECT;
}

/* The variable with the longest name that the symbol begins with. */
static const struct sw_go_root *find_root(const struct sw_go *go, const char *symbol)
{
	const struct sw_go_root *found = NULL;
	size_t longest = 0;
	for (size_t i = 0; i < go->roots.count; i++) {
		const struct sw_go_root *root = &go->roots.items[i];
		size_t length = strlen(root->name);
		if (root->kind == SW_GO_ROOT_GLOBAL && length > longest &&
		    !strncmp(symbol, root->name, length) &&
		    (!symbol[length] || symbol[length] == '.')) {
			found = root;
			longest = length;
		}
	}
	return found;
}

static struct sw_error *find_symbol(const struct sw_live *live, const char *symbol, sw_addr *out)
{
	const struct sw_go_root *root = find_root(live->go, symbol);
	if (!root)
		return not_found(symbol, "is no variable that refers to the heap");

	const char *path = symbol + strlen(root->name);
	struct sw_value value = {0, root->address - root->type_offset};
	if (root->type)
		value.type = sw_type_of_dwarf(live->types, root->type);
	if (!value.type && *path)
		return not_found(symbol, "has no known type: its fields cannot be named");
	if (!value.type)
		return lead_of_root(live, (uint32_t)(root - live->go->roots.items), out)
			       ? NULL
			       : not_found(symbol, "has no known type, and refers to several "
						   "objects");
	if (*path && !sw_value_field(&live->reader, value, path + 1, &value))
		return not_found(symbol, "is nil, or there is no such field");
	return lead(live, value, out) ? NULL : not_found(symbol, "leads to no array");
}

struct sw_error *sw_buffer_owner_address(const struct sw_live *live, const char *word, sw_addr *out)
{
	return sw_words_number(word, out) ? NULL : find_symbol(live, word, out);
}

/* ---- its size ---- */

/* The least size that malloc gives this slot. A class of small objects begins behind the one
 * before; large ones are rounded up to pages. */
static uint64_t least_size(const struct sw_go_span *span, uint64_t header)
{
	unsigned class = span->spanclass >> 1;
	if (!class || class >= SW_SIZE_CLASSES)
		return span->elemsize > PAGE ? span->elemsize - PAGE + 1 : 1;
	uint64_t before = sw_go_class_size[class - 1];
	return before > header ? before - header + 1 : 1;
}

static uint64_t farthest_view(const struct sw_buffer_owner *owner)
{
	uint64_t farthest = 0;
	for (size_t i = 0; i < owner->views.count; i++) {
		const struct sw_view *view = &owner->views.items[i];
		uint64_t end = view->offset + (view->cap > view->len ? view->cap : view->len);
		if (view->is_len_known && end > farthest && end <= owner->size)
			farthest = end;
	}
	return farthest;
}

/* Nothing writes down what was asked for (the profiler counts slots). A type has its size; an array
 * that a view still can grow to the end of is known by it, unless that end would have fit a smaller
 * slot. */
static void find_requested(struct sw_buffer_owner *owner)
{
	const struct sw_type_info *info =
		sw_type_info(owner->live.types, sw_live_type(&owner->live, owner->object));
	bool is_array = info->role == SW_TYPE_BACKING || info->role == SW_TYPE_STRING_BYTES;
	owner->requested = info->kind && !is_array ? info->size : farthest_view(owner);
	owner->is_requested_known =
		owner->requested >= owner->least && owner->requested <= owner->size;
}

static void find_size(struct sw_buffer_owner *owner)
{
	sw_slot slot = sw_heap_select(owner->live.heap, owner->object);
	const struct sw_span *span = sw_heap_slot_span(owner->live.heap, slot);
	uint64_t header = owner->start - sw_heap_slot_address(owner->live.heap, slot);

	owner->rounded = span->elemsize;
	owner->size = span->elemsize - header;
	owner->least = least_size(&owner->live.go->spans.items[span->owner], header);
	find_requested(owner);
	uint64_t end = owner->is_requested_known ? owner->requested : owner->size;
	owner->used =
		sw_views_covered(owner->views.items, owner->views.count, end, &owner->largest_hole);
	for (size_t i = 0; i < owner->views.count; i++)
		owner->unbounded_views += !owner->views.items[i].is_len_known;
}

/* ---- whose it is ---- */

static bool around_view(const struct sw_buffer_owner *owner, const struct sw_view *view,
			struct sw_buffer *out)
{
	const struct sw_live *live = &owner->live;
	uint32_t objects = live->heap->object_count;

	if (!view->at)
		return false;
	if (view->holder >= objects)
		return sw_buffer_around_root(live, view->holder - objects, view->at, owner->object,
					     out);
	sw_addr start = sw_live_start(live, view->holder);
	return view->at >= start &&
	       sw_buffer_around(live, view->holder, view->at - start, owner->object, out);
}

/* Of the structures that look at the array those whose own buffer it is; one that is known rather
 * than one that looks like a parser. */
static void find_buffer(struct sw_buffer_owner *owner)
{
	const struct sw_heap *heap = owner->live.heap;
	struct sw_buffer buffer;

	for (size_t i = 0; i < owner->views.count; i++) {
		if (!around_view(owner, &owner->views.items[i], &buffer) || !buffer.has_array ||
		    sw_heap_object(heap, buffer.array.data) != owner->object)
			continue;
		if (owner->has_buffer && (buffer.is_guess || !owner->buffer.is_guess))
			continue;
		owner->buffer = buffer;
		owner->has_buffer = true;
	}
}

/* The structures that the buffer's is a part of, or that are above it and buffer by it, know more:
 * an inner decoder never sees the end that the outer one has come to. */
static bool take_state(struct sw_buffer_owner *owner, sw_object holder, uint64_t offset)
{
	enum { ENCLOSING = 8 };
	struct sw_value values[ENCLOSING];
	struct sw_buffer buffer;
	size_t count = sw_buffer_enclosing(&owner->live, holder, offset, values, ENCLOSING);

	for (size_t i = count; i-- > 0;) {
		if (!sw_buffer_read(&owner->live, values[i], &buffer) || !buffer.has_array ||
		    sw_heap_object(owner->live.heap, buffer.array.data) != owner->object ||
		    !sw_buffer_is_over(&buffer))
			continue;
		owner->buffer.state = buffer.state;
		owner->buffer.how = buffer.how;
		memcpy(owner->buffer.error, buffer.error, sizeof(buffer.error));
		owner->buffer.is_peer_closed |= buffer.is_peer_closed;
		return true;
	}
	return false;
}

static void find_outer_state(struct sw_buffer_owner *owner)
{
	enum { ABOVE = 8 };
	const struct sw_live *live = &owner->live;
	sw_addr at = owner->buffer.value.addr;
	sw_node holder = sw_heap_object(live->heap, at);

	if (!owner->has_buffer || holder == SW_NO_OBJECT)
		return;
	for (unsigned i = 0; i < ABOVE && holder < live->heap->object_count; i++) {
		sw_node above = live->dominators->idom[holder];
		if (take_state(owner, holder, at - sw_live_start(live, holder)) ||
		    above >= live->heap->object_count)
			return;
		sw_slot slot = sw_heap_select(live->heap, above);
		uint64_t offset;
		sw_addr pointer;
		if (!sw_heap_pointer_to(live->heap, slot, holder, &offset, &pointer))
			return;
		at = sw_heap_slot_address(live->heap, slot) + offset;
		if (at < sw_live_start(live, above))
			return;
		holder = above;
	}
}

static void find_sample(struct sw_buffer_owner *owner)
{
	struct sw_go_sample sample;
	owner->is_sampled =
		sw_go_sample_of(owner->live.go, owner->live.heap, owner->address, &sample) &&
		sw_go_read_bucket(owner->live.go, sample.bucket, &owner->bucket);
}

static struct sw_error *find_roots(struct sw_buffer_owner *owner)
{
	const struct sw_graph *graph = owner->live.graph;
	struct sw_error *error = sw_path_shortest(graph, owner->object, &owner->path);
	if (!error)
		error = sw_roots_to(graph, owner->object, owner->live.work, &owner->roots,
				    &owner->root_count);
	for (size_t i = 0; i < owner->root_count; i++)
		owner->goroutine_count +=
			sw_naming_root(&owner->live, owner->roots[i])->kind == SW_GO_ROOT_GOROUTINE;
	return error;
}

struct sw_error *sw_buffer_owner_find(struct sw_buffer_owner *owner)
{
	struct sw_error *error = sw_naming_find(&owner->live, owner->address, &owner->object);
	if (error)
		return error;
	owner->start = sw_live_start(&owner->live, owner->object);
	owner->dominator = owner->live.dominators->idom[owner->object];
	owner->element = SW_NO_ELEMENT;
	error = sw_views_of(&owner->live, owner->object, &owner->views);
	if (!error)
		error = find_roots(owner);
	if (!error)
		error = sw_pools_find(&owner->live, &owner->pools);
	if (error)
		return error;
	find_size(owner);
	find_buffer(owner);
	find_outer_state(owner);
	find_sample(owner);
	owner->element = sw_pools_element_of(&owner->pools, owner->object);
	return NULL;
}

void sw_buffer_owner_free(struct sw_buffer_owner *owner)
{
	sw_views_free(&owner->views);
	sw_path_free(&owner->path);
	sw_pools_free(&owner->pools);
	free(owner->roots);
}
