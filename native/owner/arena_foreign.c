/* Chunks outside Go's heap, in C's memory or in a variable: no graph tells who looks into them, so
 * every pointer of the heap and of the variables is held against them. */
#include "heap/scan.h"
#include "owner/parser_arena_private.h"
#include "type/value.h"

enum { GRAIN = 1 << 12 }; /* blocks of 64 slots */

struct range {
	sw_addr base, end;
};
SW_VECTOR(struct range, ranges);

struct foreign_scan {
	struct sw_arena_finding *finding;
	struct ranges ranges; /* by base */
	struct sw_views found[SW_MAX_WORKERS];
};

/* ---- ranges ---- */

static struct sw_error *add_ranges(struct foreign_scan *scan, const struct sw_arena_shape *shape,
				   sw_addr value)
{
	struct sw_arena_regions regions = {0};
	bool is_read;
	struct sw_error *error =
		sw_arena_shape_read(scan->finding->live, shape, value, &regions, &is_read);
	for (size_t i = 0; !error && i < regions.count; i++) {
		const struct sw_arena_region *region = &regions.items[i];
		if (region->object == SW_NO_OBJECT)
			error = ranges_add(
				&scan->ranges,
				(struct range){region->base, region->base + region->capacity});
	}
	sw_arena_regions_free(&regions);
	return error;
}

static int by_base(const void *a, const void *b)
{
	const struct range *x = a, *y = b;
	return (x->base > y->base) - (x->base < y->base);
}

/* Those that overlap become one. */
static void merge(struct ranges *ranges)
{
	size_t kept = 0;
	if (ranges->count)
		qsort(ranges->items, ranges->count, sizeof(*ranges->items), by_base);
	for (size_t i = 0; i < ranges->count; i++) {
		struct range *last = kept ? &ranges->items[kept - 1] : NULL;
		if (!last || ranges->items[i].base > last->end)
			ranges->items[kept++] = ranges->items[i];
		else if (ranges->items[i].end > last->end)
			last->end = ranges->items[i].end;
	}
	ranges->count = kept;
}

static bool is_inside(const struct ranges *ranges, sw_addr addr)
{
	size_t low = 0, high = ranges->count;
	if (addr < ranges->items[0].base || addr >= ranges->items[high - 1].end)
		return false;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (ranges->items[middle].base <= addr)
			low = middle;
		else
			high = middle;
	}
	return addr < ranges->items[low].end;
}

/* ---- the heap ---- */

static struct sw_error *scan_slot(struct foreign_scan *scan, unsigned worker, sw_object object,
				  const struct sw_span *span, uint32_t index)
{
	const struct sw_heap *heap = scan->finding->live->heap;
	struct sw_scanner scanner;
	struct sw_window window;
	struct sw_error *error = NULL;

	sw_scan_begin(&scanner, &heap->space, span, index);
	while (!error && sw_scan_next(&scanner, &window))
		for (; !error && window.bits; window.bits &= window.bits - 1) {
			sw_addr to = sw_scan_word(&scanner, &window);
			if (!is_inside(&scan->ranges, to))
				continue;
			uint64_t offset =
				window.offset + 8 * (uint64_t)__builtin_ctzll(window.bits);
			struct sw_view view = {
				.at = span->base + index * span->elemsize + offset,
				.holder = object,
				.object = SW_NO_OBJECT,
				.offset = to,
			};
			error = sw_views_add(&scan->found[worker], view);
		}
	return error;
}

static struct sw_error *scan_blocks(void *context, unsigned worker, size_t begin, size_t end)
{
	struct foreign_scan *scan = context;
	const struct sw_heap *heap = scan->finding->live->heap;
	struct sw_error *error = NULL;

	for (size_t i = begin; !error && i < end; i++) {
		const struct sw_block *block = &heap->blocks[i];
		const struct sw_span *span = &heap->space.spans[block->span];
		sw_object object = block->rank;
		for (uint64_t bits = block->marked; !error && bits; bits &= bits - 1, object++) {
			sw_slot slot = (sw_slot)(i * 64) + (unsigned)__builtin_ctzll(bits);
			error = scan_slot(scan, worker, object, span, slot - span->first_slot);
		}
	}
	return error;
}

/* ---- variables ---- */

static struct sw_error *scan_words(struct foreign_scan *scan, sw_addr start, sw_addr mask,
				   uint64_t bits)
{
	const struct sw_memory *memory = scan->finding->live->go->memory;
	const uint8_t *bytes = sw_memory_view(memory, mask, (bits + 7) / 8);
	struct sw_error *error = NULL;
	sw_addr to;

	for (uint64_t i = 0; bytes && !error && i < bits; i++) {
		struct sw_view view = {
			.at = start + 8 * i, .holder = SW_NO_NODE, .object = SW_NO_OBJECT};
		if (!(bytes[i / 8] >> (i % 8) & 1) || !sw_memory_u64(memory, view.at, &to) ||
		    !is_inside(&scan->ranges, to))
			continue;
		view.offset = to;
		error = sw_views_add(&scan->found[0], view);
	}
	return error;
}

static struct sw_error *scan_variables(struct foreign_scan *scan)
{
	const struct sw_go_modules *modules = &scan->finding->live->go->modules;
	struct sw_error *error = NULL;
	for (size_t i = 0; !error && i < modules->count; i++) {
		const struct sw_go_module *module = &modules->items[i];
		error = scan_words(scan, module->data, module->gcdatamask, module->gcdata_bits);
		if (!error)
			error = scan_words(scan, module->bss, module->gcbssmask,
					   module->gcbss_bits);
	}
	return error;
}

/* ---- what they look at ---- */

/* The type that holds the pointer: a string, a slice, a pointer. */
static sw_type holding_type(const struct sw_live *live, const struct sw_view *view)
{
	char step[256] = "";

	if (view->holder < live->heap->object_count) {
		sw_addr slot = sw_heap_address(live->heap, view->holder);
		return sw_value_step(live->types, live->go, live->heap,
				     sw_live_type(live, view->holder), slot, view->at - slot, step,
				     sizeof(step));
	}
	const struct sw_dwarf_global *global = sw_arena_global_at(live, view->at);
	return global ? sw_type_path(live->types, sw_type_of_dwarf(live->types, global->type),
				     view->at - global->addr, step, sizeof(step))
		      : 0;
}

static void measure(const struct sw_live *live, struct sw_view *view)
{
	sw_type type = holding_type(live, view);
	const struct sw_type_info *info = sw_type_info(live->types, type);
	struct sw_value_array array;

	view->kind = SW_VIEW_UNKNOWN;
	if (sw_value_array(&live->reader, (struct sw_value){type, view->at}, NULL, &array) &&
	    array.data == view->offset) {
		uint64_t size = array.elem_size ? array.elem_size : 1;
		view->kind = info->kind == SW_KIND_SLICE ? SW_VIEW_SLICE : SW_VIEW_STRING;
		view->len = array.len * size;
		view->cap = array.cap * size;
		view->elem = array.elem;
		view->is_len_known = true;
	} else if (info->kind == SW_KIND_POINTER) {
		view->kind = SW_VIEW_POINTER;
		view->elem = info->elem;
		view->len = view->cap = sw_type_info(live->types, info->elem)->size;
		view->is_len_known = true;
	}
}

static int by_offset(const void *a, const void *b)
{
	const struct sw_view *x = a, *y = b;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

static struct sw_error *gather(struct foreign_scan *scan)
{
	struct sw_views *out = &scan->finding->foreign;
	struct sw_error *error = NULL;
	for (size_t i = 0; i < SW_MAX_WORKERS; i++)
		for (size_t k = 0; !error && k < scan->found[i].count; k++)
			error = sw_views_add(out, scan->found[i].items[k]);
	for (size_t i = 0; i < out->count; i++)
		measure(scan->finding->live, &out->items[i]);
	if (out->count)
		qsort(out->items, out->count, sizeof(*out->items), by_offset);
	return error;
}

struct sw_error *sw_arena_find_foreign_views(struct sw_arena_finding *finding,
					     const struct sw_arena_shape_places *shapes,
					     size_t count)
{
	struct foreign_scan scan = {.finding = finding};
	struct sw_error *error = NULL;

	for (size_t i = 0; !error && i < count; i++)
		for (size_t k = 0; !error && k < shapes[i].places->count; k++)
			error = add_ranges(&scan, &finding->out->shapes.items[shapes[i].shape],
					   shapes[i].places->items[k].addr);
	merge(&scan.ranges);
	if (!error && scan.ranges.count)
		error = sw_parallel_for(finding->live->work, "views",
					finding->live->heap->block_count, GRAIN, scan_blocks,
					&scan);
	if (!error && scan.ranges.count)
		error = scan_variables(&scan);
	if (!error)
		error = gather(&scan);
	for (size_t i = 0; i < SW_MAX_WORKERS; i++)
		sw_views_free(&scan.found[i]);
	ranges_free(&scan.ranges);
	return error;
}
