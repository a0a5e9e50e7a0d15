#include "view/view_scan.h"

#include "type/value.h"

#include <stdio.h>

enum { CHUNK = 2048, SORT_GRAIN = 4096, FEW = 1 << 16 };

/* ---- order ---- */

static int by_place(const void *a, const void *b)
{
	const struct sw_view *x = a, *y = b;
	if (x->object != y->object)
		return x->object < y->object ? -1 : 1;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return (x->holder > y->holder) - (x->holder < y->holder);
}

static void sort(struct sw_view *views, size_t count)
{
	if (count > 1)
		qsort(views, count, sizeof(*views), by_place);
}

/* Two roots may have the same word. */
static void drop_twins(struct sw_views *views)
{
	size_t kept = 0;
	for (size_t i = 0; i < views->count; i++) {
		const struct sw_view *view = &views->items[i];
		const struct sw_view *last = kept ? &views->items[kept - 1] : NULL;
		if (!last || !view->at || last->at != view->at || last->object != view->object)
			views->items[kept++] = *view;
	}
	views->count = kept;
}

/* ---- of one object ---- */

static struct sw_error *add_view(void *context, unsigned worker, const struct sw_view *view,
				 uint64_t room)
{
	(void)worker;
	(void)room;
	return sw_views_add(context, *view);
}

static struct sw_error *resolve(struct sw_view_scan *scan, struct sw_views *views)
{
	struct sw_error *error = NULL;
	for (size_t i = 0; i < views->count && !error; i++)
		error = sw_view_resolve(scan, &views->items[i]);
	return error;
}

/* An object may look at itself too: no edge tells. */
static struct sw_error *scan_holders(struct sw_view_scan *scan, sw_object object,
				     struct sw_views *out)
{
	const struct sw_graph *graph = scan->live->graph;
	const struct sw_edge *extra;
	size_t count = sw_graph_extra(graph, object, &extra);
	struct sw_error *error = sw_view_scan_roots(scan, 0, object, add_view, out);

	if (!error)
		error = sw_view_scan_holder(scan, object, object, add_view, out);
	if (!error && graph->parent[object] < graph->object_count)
		error = sw_view_scan_holder(scan, graph->parent[object], object, add_view, out);
	for (size_t i = 0; i < count && !error; i++)
		if (extra[i].from < graph->object_count)
			error = sw_view_scan_holder(scan, extra[i].from, object, add_view, out);
	return error;
}

struct sw_error *sw_views_of(const struct sw_live *live, sw_object object, struct sw_views *out)
{
	struct sw_view_scan scan = {.live = live, .plans = {.types = live->types}};
	struct sw_error *error = scan_holders(&scan, object, out);

	if (!error)
		error = resolve(&scan, out);
	sort(out->items, out->count);
	drop_twins(out);
	sw_view_scan_deinit(&scan);
	return error;
}

/* ---- of many ---- */

/* What workers find, each in chunks of its own. */
struct chunk {
	struct chunk *next;
	size_t count;
	struct sw_view views[CHUNK];
};

struct collecting {
	struct sw_work *work;
	struct chunk *chunks[SW_MAX_WORKERS];
	size_t count;	/* of all, when they are gathered */
	uint64_t *ends; /* [object_count]: where an object's views end */
	struct sw_views *out;
};

static struct sw_error *collect(void *context, unsigned worker, const struct sw_view *view,
				uint64_t room)
{
	(void)room;
	struct collecting *collecting = context;
	struct chunk **first = &collecting->chunks[worker];

	if (!*first || (*first)->count == CHUNK) {
		struct chunk *chunk;
		struct sw_error *error =
			sw_work_alloc(collecting->work, sizeof(*chunk), "views", &chunk);
		if (error)
			return error;
		chunk->next = *first;
		*first = chunk;
	}
	(*first)->views[(*first)->count++] = *view;
	return NULL;
}

static void free_first(struct collecting *collecting, unsigned worker)
{
	struct chunk *chunk = collecting->chunks[worker];
	collecting->chunks[worker] = chunk->next;
	sw_work_free(collecting->work, chunk, sizeof(*chunk));
}

/* Few are put one behind the other. */
static void take_in_a_row(struct collecting *collecting, const struct chunk *chunk)
{
	struct sw_views *out = collecting->out;
	memcpy(out->items + out->count, chunk->views, chunk->count * sizeof(*chunk->views));
	out->count += chunk->count;
}

/* Many go to where their object's views are. */
static void take_by_object(struct collecting *collecting, const struct chunk *chunk)
{
	struct sw_views *out = collecting->out;
	for (size_t i = 0; i < chunk->count; i++)
		out->items[--collecting->ends[chunk->views[i].object]] = chunk->views[i];
	out->count += chunk->count;
}

static void take_all(struct collecting *collecting,
		     void (*take)(struct collecting *, const struct chunk *))
{
	for (unsigned i = 0; i < SW_MAX_WORKERS; i++)
		while (collecting->chunks[i]) {
			take(collecting, collecting->chunks[i]);
			free_first(collecting, i);
		}
}

static struct sw_error *sort_objects(void *context, unsigned worker, size_t begin, size_t end)
{
	const struct collecting *collecting = context;
	const uint64_t *starts = collecting->ends; /* by now */

	(void)worker;
	for (size_t i = begin; i < end; i++)
		sort(collecting->out->items + starts[i], (size_t)(starts[i + 1] - starts[i]));
	return NULL;
}

static struct sw_error *sort_many(struct collecting *collecting, uint32_t object_count)
{
	size_t size = ((size_t)object_count + 1) * sizeof(*collecting->ends);
	struct sw_error *error = sw_work_alloc(collecting->work, size, "views", &collecting->ends);
	if (error)
		return error;
	for (unsigned i = 0; i < SW_MAX_WORKERS; i++)
		for (const struct chunk *chunk = collecting->chunks[i]; chunk; chunk = chunk->next)
			for (size_t j = 0; j < chunk->count; j++)
				collecting->ends[chunk->views[j].object]++;
	for (uint32_t i = 1; i <= object_count; i++)
		collecting->ends[i] += collecting->ends[i - 1];
	take_all(collecting, take_by_object);
	error = sw_parallel_for(collecting->work, "views", object_count, SORT_GRAIN, sort_objects,
				collecting);
	sw_work_free(collecting->work, collecting->ends, size);
	return error;
}

static struct sw_error *gather(struct collecting *collecting, uint32_t object_count)
{
	for (unsigned i = 0; i < SW_MAX_WORKERS; i++)
		for (const struct chunk *chunk = collecting->chunks[i]; chunk; chunk = chunk->next)
			collecting->count += chunk->count;
	struct sw_error *error = sw_views_grow(collecting->out, collecting->count);
	if (error)
		return error;
	if (collecting->count > FEW)
		return sort_many(collecting, object_count);
	take_all(collecting, take_in_a_row);
	sort(collecting->out->items, collecting->out->count);
	return NULL;
}

struct sw_error *sw_views_collect(const struct sw_live *live, uint64_t min_bytes,
				  struct sw_views *out)
{
	struct collecting collecting = {.work = live->work, .out = out};
	struct sw_view_scan scan;
	struct sw_error *error = sw_view_scan_init(&scan, live);

	out->count = 0;
	if (!error)
		error = sw_view_scan_all(&scan, min_bytes, collect, &collecting);
	if (!error)
		error = gather(&collecting, live->heap->object_count);
	if (!error)
		error = resolve(&scan, out);
	if (!error)
		drop_twins(out);
	for (unsigned i = 0; i < SW_MAX_WORKERS; i++)
		while (collecting.chunks[i])
			free_first(&collecting, i);
	sw_view_scan_deinit(&scan);
	return error;
}

/* ---- what they cover ---- */

uint64_t sw_views_covered(const struct sw_view *views, size_t count, uint64_t size,
			  uint64_t *largest_hole)
{
	uint64_t covered = 0, end = 0, hole = 0;

	for (size_t i = 0; i < count && end < size; i++) {
		uint64_t from = views[i].offset, to = from + views[i].len;
		if (to < from || to > size)
			to = size;
		if (from > end && from - end > hole && from < size && views[i].len)
			hole = from - end;
		if (from < end)
			from = end;
		if (to > from) {
			covered += to - from;
			end = to;
		}
	}
	if (end < size && size - end > hole)
		hole = size - end;
	if (largest_hole)
		*largest_hole = hole;
	return covered;
}

/* ---- names ---- */

static sw_type root_step(const struct sw_live *live, const struct sw_view *view, char *out,
			 size_t size)
{
	uint32_t number = view->holder - live->heap->object_count;

	if (number >= live->go->roots.count) {
		snprintf(out, size, "?");
		return 0;
	}
	const struct sw_go_root *root = &live->go->roots.items[number];
	snprintf(out, size, "%s", root->name);
	sw_type type = root->type ? sw_type_of_dwarf(live->types, root->type) : 0;
	if (type && view->at)
		sw_value_root_step(live->types, type, view->at - root->address + root->type_offset,
				   out, size);
	return type;
}

sw_type sw_view_step(const struct sw_live *live, const struct sw_view *view, char *out, size_t size)
{
	*out = 0;
	if (view->holder >= live->heap->object_count)
		return root_step(live, view, out, size);
	sw_addr slot = sw_heap_address(live->heap, view->holder);
	sw_value_step(live->types, live->go, live->heap, sw_live_type(live, view->holder), slot,
		      view->at - slot, out, size);
	return sw_live_type(live, view->holder);
}
