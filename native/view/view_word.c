/* What one pointer looks at. */
#include "view/view_word.h"

#include "go/interface.h"

enum {
	/* What sw_view_resolve() is for: `cap` is the word before the pointer. */
	OF_EFACE = SW_VIEW_UNKNOWN + 1,
	OF_IFACE,
};

bool sw_view_find_target(const struct sw_heap *heap, const struct sw_span *span, sw_addr pointer,
			 struct sw_view_target *target)
{
	uint32_t index = sw_span_index(span, pointer);
	sw_slot slot = span->first_slot + index;
	uint64_t header = sw_go_header(span);
	uint64_t offset = pointer - span->base - index * span->elemsize;

	if (index >= span->count || !sw_heap_is_marked(heap, slot) || offset < header ||
	    span->elemsize <= header)
		return false;
	*target = (struct sw_view_target){sw_heap_rank(heap, slot), offset - header,
					  span->elemsize - header};
	return true;
}

/* ---- what it is ---- */

/* A value that holds pointers, or the part of it that is here: its bytes from `begin` to `end`. */
struct holding {
	sw_type type;
	const uint8_t *bytes;
	uint64_t begin, end;
	bool is_piece; /* of a local: a pointer may be the first word of a header */
};

static bool word_at(const struct holding *holding, uint64_t offset, uint64_t *out)
{
	if (offset < holding->begin || offset > holding->end || holding->end - offset < 8)
		return false;
	*out = sw_load64(holding->bytes + (offset - holding->begin));
	return true;
}

static void set_length(struct sw_view *view, const struct sw_view_target *target, uint64_t len,
		       uint64_t cap, uint64_t size)
{
	uint64_t room = target->room - target->offset;

	view->is_len_known = len <= cap && size && cap <= room / size;
	view->len = view->is_len_known ? len * size : room;
	view->cap = view->is_len_known ? cap * size : room;
}

/* One value, where the object is known to consist of such, or its inside; the start of something
 * else may be pointed to for all of it (time.Timer of a runtime.timeTimer). */
static void set_value(const struct sw_view_scan *scan, struct sw_view *view,
		      const struct sw_view_target *target, sw_type elem, uint64_t size)
{
	sw_type type = sw_live_type(scan->live, target->object);

	view->kind = SW_VIEW_POINTER;
	view->elem = elem;
	if (target->offset || (type && sw_view_plans_of(&scan->plans, type)->elem == elem))
		set_length(view, target, 1, 1, size);
}

/* What stands at an offset is such a slot; NULL: nothing tells. */
static void describe_slot(const struct sw_view_scan *scan, const struct holding *holding,
			  const struct sw_view_slot *slot, uint64_t offset,
			  const struct sw_view_target *target, struct sw_view *view)
{
	uint64_t len = 0, cap = 0;
	bool has_len = word_at(holding, offset + 8, &len);
	bool has_cap = word_at(holding, offset + 16, &cap);

	view->object = target->object;
	view->offset = target->offset;
	view->kind = SW_VIEW_UNKNOWN;
	view->elem = 0;
	view->len = view->cap = target->room - target->offset;
	view->is_len_known = false;
	if (!slot)
		return;
	switch (slot->kind) {
	case SW_VIEW_SLOT_SLICE:
		view->kind = SW_VIEW_SLICE;
		view->elem = slot->elem;
		if (has_len && has_cap)
			set_length(view, target, len, cap, slot->size);
		return;
	case SW_VIEW_SLOT_STRING:
		view->kind = SW_VIEW_STRING;
		view->elem = slot->elem;
		if (has_len)
			set_length(view, target, len, len, 1);
		return;
	case SW_VIEW_SLOT_POINTER:
		if (!holding->is_piece)
			set_value(scan, view, target, slot->elem, slot->size);
		return;
	case SW_VIEW_SLOT_WHOLE:
		view->kind = SW_VIEW_POINTER;
		view->elem = slot->elem;
		view->is_len_known = true;
		return;
	case SW_VIEW_SLOT_EFACE:
	case SW_VIEW_SLOT_IFACE:
		if (word_at(holding, offset - 8, &view->cap))
			view->kind = slot->kind == SW_VIEW_SLOT_EFACE ? OF_EFACE : OF_IFACE;
		return;
	default:
		return;
	}
}

static void describe(const struct sw_view_scan *scan, const struct holding *holding,
		     uint64_t offset, const struct sw_view_target *target, struct sw_view *view)
{
	const struct sw_view_slot *slot = sw_view_plans_slot(&scan->plans, holding->type, offset);
	describe_slot(scan, holding, slot, offset, target, view);
}

uint64_t sw_view_room(const struct sw_live *live, sw_object object)
{
	const struct sw_span *span =
		sw_heap_slot_span(live->heap, sw_heap_select(live->heap, object));
	uint64_t header = sw_go_header(span);
	return span->elemsize > header ? span->elemsize - header : 0;
}

/* ---- interfaces ---- */

static struct sw_view_target target_of(const struct sw_live *live, const struct sw_view *view)
{
	return (struct sw_view_target){view->object, view->offset,
				       sw_view_room(live, view->object)};
}

/* A pointer that is kept in the interface itself. */
static void describe_direct(const struct sw_view_scan *scan, sw_type type, struct sw_view *view)
{
	struct sw_view_target target = target_of(scan->live, view);
	static const uint8_t none[8];
	struct holding holding = {.type = type, .bytes = none, .end = sizeof(none)};

	describe(scan, &holding, 0, &target, view);
}

struct sw_error *sw_view_resolve(struct sw_view_scan *scan, struct sw_view *view)
{
	const struct sw_go *go = scan->live->go;
	struct sw_view_target target = target_of(scan->live, view);
	sw_addr descriptor = view->cap;
	uint8_t kind = view->kind;
	bool is_direct;

	if (kind <= SW_VIEW_UNKNOWN)
		return NULL;
	view->kind = SW_VIEW_UNKNOWN;
	view->cap = view->len;
	if (kind == OF_IFACE && !sw_go_itab_type(go, descriptor, &descriptor))
		return NULL;
	sw_type type = sw_type_of_descriptor(scan->live->types, descriptor);
	if (!type || !sw_go_read_direct(go, descriptor, &is_direct))
		return NULL;
	struct sw_error *error = sw_view_plans_make(&scan->plans, type);
	if (error)
		return error;
	if (is_direct)
		describe_direct(scan, type, view);
	else
		set_value(scan, view, &target, type, sw_view_plans_of(&scan->plans, type)->size);
	return NULL;
}

/* ---- words of objects ---- */

struct sw_view sw_view_at(const struct sw_view_scan *scan, const struct sw_span *span,
			  uint32_t index, sw_object holder, uint64_t offset,
			  const struct sw_view_target *target)
{
	uint64_t header = sw_go_header(span);
	struct holding holding = {.type = sw_live_type(scan->live, holder),
				  .bytes = span->bytes + index * span->elemsize + header,
				  .end = span->elemsize - header};
	struct sw_view view = {.at = span->base + index * span->elemsize + offset,
			       .holder = holder};

	describe(scan, &holding, offset - header, target, &view);
	return view;
}

bool sw_view_read(const struct sw_view_scan *scan, sw_addr at, struct sw_view *out)
{
	const struct sw_heap *heap = scan->live->heap;
	const struct sw_span *holder = sw_heap_span(heap, at), *span;
	uint32_t index = holder ? sw_span_index(holder, at) : 0;
	struct sw_view_target target;

	if (!holder || !holder->bytes || index >= holder->count ||
	    !sw_heap_is_marked(heap, holder->first_slot + index))
		return false;
	uint64_t offset = at - holder->base - index * holder->elemsize;
	if (offset < sw_go_header(holder) || offset + 8 > holder->elemsize)
		return false;
	sw_addr pointer = sw_load64(holder->bytes + (at - holder->base));
	span = sw_heap_span(heap, pointer);
	if (!span || !sw_view_find_target(heap, span, pointer, &target))
		return false;
	*out = sw_view_at(scan, holder, index, sw_heap_rank(heap, holder->first_slot + index),
			  offset, &target);
	return true;
}

/* ---- roots ---- */

/* A local may be there in pieces, of which each word is one; from 1.27 on "s.ptr" is a variable of
 * its own. */
static bool is_piece(const struct sw_go_root *root, uint64_t size)
{
	size_t length = strlen(root->name);
	return root->kind == SW_GO_ROOT_LOCAL &&
	       (root->type_offset || root->size < size ||
		(length > 4 && !strcmp(root->name + length - 4, ".ptr")));
}

/* With debug information. */
static struct sw_error *describe_typed(struct sw_view_scan *scan, const struct sw_go_root *root,
				       const struct sw_root_word *word,
				       const struct sw_view_target *target, struct sw_view *view)
{
	const struct sw_live *live = scan->live;
	struct holding holding = {.type = sw_type_of_dwarf(live->types, root->type),
				  .begin = root->type_offset,
				  .end = root->type_offset};
	uint64_t offset = word->at - root->address + root->type_offset;

	holding.bytes = sw_memory_view(live->go->memory, root->address, root->size);
	holding.end += holding.bytes ? root->size : 0;
	struct sw_error *error = sw_view_plans_make(&scan->plans, holding.type);
	if (error)
		return error;
	if (holding.type)
		holding.is_piece =
			is_piece(root, sw_view_plans_of(&scan->plans, holding.type)->size);
	describe(scan, &holding, offset, target, view);
	return NULL;
}

/* The words of a variable whose size nothing tells: the one before, and two behind. */
static struct holding read_around(const struct sw_memory *memory, sw_addr at, uint64_t words[4])
{
	struct holding holding = {.bytes = (const uint8_t *)words};

	memset(words, 0, 4 * sizeof(*words));
	for (unsigned i = 0; at && i < 4; i++) {
		if (!sw_memory_u64(memory, at - 8 + 8 * i, &words[i]) && i)
			break;
		holding.end += 8;
	}
	return holding;
}

/* As typing found it. */
static void describe_known(struct sw_view_scan *scan, size_t number,
			   const struct sw_view_target *target, struct sw_view *view)
{
	static const uint8_t kinds[SW_ROOT_WORD_KINDS] = {
		[SW_ROOT_WORD_POINTER] = SW_VIEW_SLOT_POINTER,
		[SW_ROOT_WORD_SLICE] = SW_VIEW_SLOT_SLICE,
		[SW_ROOT_WORD_STRING] = SW_VIEW_SLOT_STRING,
		[SW_ROOT_WORD_EFACE] = SW_VIEW_SLOT_EFACE,
		[SW_ROOT_WORD_IFACE] = SW_VIEW_SLOT_IFACE,
		[SW_ROOT_WORD_WHOLE] = SW_VIEW_SLOT_WHOLE,
	};
	const struct sw_live *live = scan->live;
	struct sw_root_word_type known = {0};
	uint64_t words[4];
	struct holding holding = read_around(live->go->memory, view->at, words);

	if (number < live->typing->root_word_count)
		known = live->typing->root_types[number];
	struct sw_view_slot slot = {.elem = known.target,
				    .size = sw_type_info(live->types, known.target)->size,
				    .kind = kinds[known.kind]};
	describe_slot(scan, &holding, &slot, 8, target, view);
}

struct sw_error *sw_view_at_root(struct sw_view_scan *scan, size_t number,
				 const struct sw_view_target *target, struct sw_view *view)
{
	const struct sw_live *live = scan->live;
	const struct sw_root_word *word = &live->heap->root_words.items[number];
	const struct sw_go_root *root =
		word->root < live->go->roots.count ? &live->go->roots.items[word->root] : NULL;

	*view = (struct sw_view){.at = word->at, .holder = live->heap->object_count + word->root};
	if (root && root->type && root->size && word->at - root->address < root->size)
		return describe_typed(scan, root, word, target, view);
	describe_known(scan, number, target, view);
	return NULL;
}

struct sw_error *sw_view_read_root(struct sw_view_scan *scan, size_t word, struct sw_view *out)
{
	const struct sw_heap *heap = scan->live->heap;
	const struct sw_root_word *words = heap->root_words.items;
	const struct sw_span *span =
		word < heap->root_words.count ? sw_heap_span(heap, words[word].pointer) : NULL;
	struct sw_view_target target;

	*out = (struct sw_view){.object = SW_NO_OBJECT};
	if (!span || !sw_view_find_target(heap, span, words[word].pointer, &target))
		return NULL;
	return sw_view_at_root(scan, word, &target, out);
}
