/* What elements of pools still lead to: requests, connections, contexts; other values that live
 * without them. */
#include "library/pool_private.h"
#include "library/request.h"
#include "type/value.h"

#include <stdio.h>

enum {
	MAX_OBJECTS = 4096,   /* looked at for one element */
	MAX_TOTAL = 16 << 20, /* ... for one pool */
	MAX_STEP = 256,
	MAX_STEPS = 12, /* of a path that is written out */
};

/* ---- types of requests ---- */

bool sw_pool_is_request(void *context, const struct sw_types *types, sw_type type)
{
	static const char *const names[] = {
		"net/http.conn",
		"net/http.persistConn",
		"net/http.http2stream",
		"net/http.http2clientStream",
		"net/http.http2responseWriterState",
		"net/http/internal/http2.stream", /* 1.27 */
		"net/http/internal/http2.clientStream",
		"net/http/internal/http2.responseWriterState",
		"golang.org/x/net/http2.stream",
		"golang.org/x/net/http2.clientStream",
		"net/url.URL",
		"net.TCPConn",
		"net.UnixConn",
		"net.UDPConn",
		"net.conn",
		"net.netFD",
		"crypto/tls.Conn",
		"context.cancelCtx",
		"context.timerCtx",
		"context.valueCtx",
		"context.afterFuncCtx",
		"context.withoutCancelCtx",
		"mime/multipart.Form",
		"mime/multipart.Reader",
		"mime/multipart.Part",
		"database/sql.Tx",
		"database/sql.Rows",
		"database/sql.Conn",
		"database/sql.driverConn",
		"google.golang.org/grpc.serverStream",
		"google.golang.org/grpc.clientStream",
		"google.golang.org/grpc/internal/transport.Stream",
		"google.golang.org/grpc/internal/transport.ServerStream",
		"google.golang.org/grpc/internal/transport.ClientStream",
	};
	const struct sw_type_info *info = sw_type_info(types, type);
	(void)context;
	if (sw_request_kind_of(types, type) != SW_REQUEST_NONE)
		return true;
	for (size_t i = 0; info->kind == SW_KIND_STRUCT && i < sizeof(names) / sizeof(*names); i++)
		if (sw_type_is_named(info, names[i]))
			return true;
	return false;
}

/* ---- one element ---- */

/* An object that the element keeps alive alone, and how it came to be seen. */
struct seen {
	sw_object object;
	uint32_t from;	 /* index of the one that refers to it; itself for the first */
	uint64_t offset; /* in that one's slot */
};
SW_VECTOR(struct seen, seen_list);

struct walk {
	const struct sw_pool_dirt_search *search;
	const struct sw_pools *pools;
	const struct sw_live *live;
	const struct sw_pool_element *element;
	uint32_t number; /* of it */
	struct seen_list seen;
	struct sw_pool_numbers met;   /* object + 1: seen, or told of */
	struct sw_pool_numbers parts; /* arrays of the element's own slices */
	uint32_t at; /* index into seen, of the object whose pointers are visited */
	uint64_t total;
	bool is_cut;
	struct sw_pool_dirt_list *out;
	struct sw_error *error;
};

static sw_type step(const struct walk *walk, sw_object from, uint64_t offset, char *out)
{
	*out = 0;
	return sw_value_step(walk->live->types, walk->live->go, walk->live->heap,
			     sw_live_type(walk->live, from),
			     sw_heap_address(walk->live->heap, from), offset, out, MAX_STEP);
}

/* ".out.body.req", from the element to a pointer in seen[at]; NULL without memory. */
static char *path_to(const struct walk *walk, uint32_t at, uint64_t offset)
{
	uint64_t offsets[MAX_STEPS] = {offset};
	uint32_t from[MAX_STEPS] = {at}, count = 1;
	char text[MAX_STEP], *path = strdup(""), *longer = NULL;

	for (; at && count < MAX_STEPS; at = from[count++]) {
		offsets[count] = walk->seen.items[at].offset;
		from[count] = walk->seen.items[at].from;
	}
	while (path && count--) {
		step(walk, walk->seen.items[from[count]].object, offsets[count], text);
		if (asprintf(&longer, "%s%s", path, text) < 0)
			longer = NULL;
		free(path);
		path = longer;
	}
	return path;
}

static void add(struct walk *walk, enum sw_pool_dirt_kind kind, sw_object object, uint64_t offset,
		uint64_t bytes)
{
	struct sw_pool_dirt dirt = {.kind = (uint8_t)kind,
				    .element = walk->number,
				    .times = 1,
				    .holder = SW_NO_NODE,
				    .object = object,
				    .type = sw_live_type(walk->live, object),
				    .path = path_to(walk, walk->at, offset),
				    .bytes = bytes};
	walk->error = dirt.path ? sw_pool_dirt_list_add(walk->out, dirt) : sw_error_memory();
	if (walk->error)
		free(dirt.path);
}

static bool is_request(const struct walk *walk, sw_object object)
{
	sw_type type = sw_live_type(walk->live, object);
	const struct sw_type_info *info = sw_type_info(walk->live->types, type);
	if (info->role == SW_TYPE_BACKING)
		type = info->elem;
	return type && walk->search->is_request(walk->search->context, walk->live->types, type);
}

/* Nobody writes into strings or functions. */
static bool is_constant(const struct walk *walk, uint64_t offset, sw_object object)
{
	char text[MAX_STEP];
	const struct sw_type_info *to =
		sw_type_info(walk->live->types, sw_live_type(walk->live, object));
	uint8_t kind = sw_type_info(walk->live->types,
				    step(walk, walk->seen.items[walk->at].object, offset, text))
			       ->kind;
	return kind == SW_KIND_STRING || kind == SW_KIND_FUNC || to->role == SW_TYPE_STRING_BYTES ||
	       to->role == SW_TYPE_CLOSURE;
}

static void look_at(struct walk *walk, uint64_t offset, sw_object object)
{
	bool is_own = sw_pool_is_of(walk->pools, object, walk->element);

	if (is_request(walk, object))
		add(walk, SW_POOL_REQUEST, object, offset,
		    is_own ? walk->live->dominators->retained_bytes[object] : 0);
	else if (!is_own && !is_constant(walk, offset, object) &&
		 sw_pools_element_of(walk->pools, object) == SW_NO_ELEMENT &&
		 !sw_pool_numbers_find(&walk->parts, (uint64_t)object + 1))
		add(walk, SW_POOL_LIVE, object, offset, 0);
	if (walk->error || !is_own || is_request(walk, object))
		return;
	if (walk->seen.count >= MAX_OBJECTS || walk->total >= MAX_TOTAL)
		walk->is_cut = true;
	else
		walk->error = seen_list_add(&walk->seen, (struct seen){object, walk->at, offset});
}

static bool visit_pointer(void *context, uint64_t offset, sw_addr pointer)
{
	struct walk *walk = context;
	sw_object object = sw_heap_object(walk->live->heap, pointer);
	const struct seen *from = &walk->seen.items[walk->at];

	if (object == SW_NO_OBJECT || object == from->object ||
	    sw_pools_own(walk->pools, object) != SW_NO_ELEMENT ||
	    sw_pool_numbers_find(&walk->met, (uint64_t)object + 1))
		return true;
	if (!walk->at &&
	    !sw_pool_is_within(walk->live, walk->element,
			       sw_heap_address(walk->live->heap, from->object) + offset))
		return true; /* of another element in the same object */
	walk->error = sw_pool_numbers_set(&walk->met, (uint64_t)object + 1, 1);
	if (!walk->error)
		look_at(walk, offset, object);
	return !walk->error;
}

static struct sw_error *note_part(void *context, sw_object array, const char *path)
{
	struct walk *walk = context;
	(void)path;
	return sw_pool_numbers_set(&walk->parts, (uint64_t)array + 1, 1);
}

static struct sw_error *walk_element(struct walk *walk)
{
	const struct sw_heap *heap = walk->live->heap;
	struct seen first = {.object = walk->element->object};

	sw_pool_numbers_free(&walk->met);
	sw_pool_numbers_free(&walk->parts);
	walk->seen.count = 0;
	walk->is_cut = false;
	if (first.object == SW_NO_OBJECT)
		return NULL;
	walk->error = seen_list_add(&walk->seen, first);
	if (!walk->error)
		walk->error = sw_pool_numbers_set(&walk->met, (uint64_t)first.object + 1, 1);
	if (!walk->error)
		walk->error = sw_pool_parts(walk->live, walk->element, note_part, walk);
	for (walk->at = 0; !walk->error && walk->at < walk->seen.count; walk->at++, walk->total++)
		sw_heap_pointers(heap, sw_heap_select(heap, walk->seen.items[walk->at].object),
				 visit_pointer, walk);
	return walk->error;
}

/* ---- what belongs to the pool, not to an element ---- */

static int by_object(const void *a, const void *b)
{
	const struct sw_pool_dirt *x = a, *y = b;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->object != y->object)
		return x->object < y->object ? -1 : 1;
	return (x->element > y->element) - (x->element < y->element);
}

static int by_path(const void *a, const void *b)
{
	const struct sw_pool_dirt *x = a, *y = b;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	int order = strcmp(x->path, y->path);
	return order ? order : (x->element > y->element) - (x->element < y->element);
}

static bool is_same_object(const struct sw_pool_dirt *a, const struct sw_pool_dirt *b)
{
	return a->kind == b->kind && a->object == b->object;
}

static bool is_same_path(const struct sw_pool_dirt *a, const struct sw_pool_dirt *b)
{
	return a->kind == b->kind && !strcmp(a->path, b->path);
}

/* What all elements share is the pool's; what some share may be. */
static bool is_shared(const struct sw_pool *pool, uint8_t kind, uint32_t elements)
{
	if (kind == SW_POOL_LIVE)
		return elements > 1;
	return elements > 1 && elements >= pool->count;
}

/* What only one element leads to by such a path cannot be told from what is the pool's. */
static bool is_single(const struct sw_pool *pool, uint8_t kind, uint32_t elements)
{
	(void)pool;
	return kind == SW_POOL_LIVE && elements < 2;
}

/* Sorts what was found behind `start`, and drops the runs of equals of which the number of elements
 * says so. */
static void drop_runs(struct sw_pool_dirt_list *list, size_t start, const struct sw_pool *pool,
		      int (*order)(const void *, const void *),
		      bool (*is_same)(const struct sw_pool_dirt *, const struct sw_pool_dirt *),
		      bool (*is_dropped)(const struct sw_pool *, uint8_t, uint32_t))
{
	size_t kept = start, end;
	struct sw_pool_dirt *items = list->items;

	if (list->count > start)
		qsort(items + start, list->count - start, sizeof(*items), order);
	for (size_t i = start; i < list->count; i = end) {
		uint32_t elements = 0, last = SW_NO_ELEMENT;
		for (end = i; end < list->count && is_same(&items[i], &items[end]); end++) {
			elements += items[end].element != last;
			last = items[end].element;
		}
		bool drops = is_dropped(pool, items[i].kind, elements);
		for (size_t k = i; k < end; k++) {
			if (drops)
				free(items[k].path);
			else
				items[kept++] = items[k];
		}
	}
	list->count = kept;
}

struct sw_error *sw_pool_requests_find(const struct sw_pool_dirt_search *search, uint32_t number,
				       struct sw_pool_dirt_list *out, uint64_t *cut)
{
	const struct sw_pool *pool = &search->pools->list.items[number];
	struct walk walk = {
		.search = search, .pools = search->pools, .live = search->pools->live, .out = out};
	size_t start = out->count;
	struct sw_error *error = NULL;

	for (uint32_t i = 0; !error && i < pool->count; i++) {
		walk.number = pool->first + i;
		walk.element = &search->pools->elements.items[walk.number];
		error = walk_element(&walk);
		*cut += walk.is_cut;
	}
	drop_runs(out, start, pool, by_object, is_same_object, is_shared);
	drop_runs(out, start, pool, by_path, is_same_path, is_single);
	seen_list_free(&walk.seen);
	sw_pool_numbers_free(&walk.met);
	sw_pool_numbers_free(&walk.parts);
	return error;
}
