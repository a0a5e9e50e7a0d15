/* The tables of the command `pools`. */
#include "command/pools_view.h"

#include <stdio.h>

const char *sw_pools_dirt_word(uint8_t kind)
{
	static const char *const words[SW_POOL_DIRT_KINDS] = {
		[SW_POOL_TWICE] = "put_twice",
		[SW_POOL_REFERENCED] = "still_referenced",
		[SW_POOL_REQUEST] = "keeps_request",
		[SW_POOL_LIVE] = "leads_to_live",
	};
	return kind < SW_POOL_DIRT_KINDS ? words[kind] : "?";
}

/* Dirt is sorted by element, and elements by pool. */
uint64_t sw_pools_count_dirty(const struct sw_pools_view *view, uint32_t pool, unsigned kind,
			      uint64_t *bytes)
{
	uint64_t count = 0;
	uint32_t last = SW_NO_ELEMENT;
	*bytes = 0;
	for (size_t i = 0; i < view->dirt.count; i++) {
		const struct sw_pool_dirt *dirt = &view->dirt.items[i];
		if ((kind != SW_POOL_DIRT_KINDS && dirt->kind != kind) ||
		    (pool != SW_NO_ELEMENT &&
		     view->pools.elements.items[dirt->element].pool != pool))
			continue;
		count += dirt->element != last;
		last = dirt->element;
		*bytes += dirt->bytes;
	}
	return count;
}

/* ---- pools ---- */

/* Elements by what they are, as they come. */
static json_t *types_of(const struct sw_pools_view *view, const struct sw_pool *pool)
{
	json_t *types = json_array();
	for (uint32_t i = pool->first; i < pool->first + pool->count; i++) {
		const struct sw_pool_element *element = &view->pools.elements.items[i];
		const char *name = sw_pools_element_type(view, i);
		json_t *row = NULL;
		size_t at = 0;
		for (; at < json_array_size(types); at++) {
			row = json_array_get(types, at);
			const char *other = json_string_value(json_object_get(row, "type"));
			if (other && !strcmp(other, name))
				break;
		}
		if (at == json_array_size(types)) {
			row = json_object();
			json_object_set_new(row, "type", sw_json_string(name));
			json_object_set_new(row, "elements", sw_json_count(0));
			json_object_set_new(
				row, "body_bytes",
				sw_json_bytes(
					sw_type_info(view->live.types, element->body.type)->size));
			json_object_set_new(row, "total_bytes", sw_json_bytes(0));
			json_array_append_new(types, row);
		}
		json_t *elements = json_object_get(row, "elements");
		json_t *total = json_object_get(row, "total_bytes");
		json_integer_set(elements, json_integer_value(elements) + 1);
		json_integer_set(total, json_integer_value(total) + (json_int_t)element->bytes);
	}
	return types;
}

static json_t *first_type(const struct sw_pools_view *view, const struct sw_pool *pool)
{
	return pool->count ? sw_json_string(sw_pools_element_type(view, pool->first)) : json_null();
}

static json_t *pool_row(struct sw_pools_view *view, uint32_t index)
{
	const struct sw_pool *pool = &view->pools.list.items[index];
	const struct sw_pool_sizes *sizes = &view->sizes[index];
	uint64_t victims = 0, private = 0, bytes;
	json_t *row = json_object();

	for (uint32_t i = pool->first; i < pool->first + pool->count; i++) {
		victims += view->pools.elements.items[i].is_victim;
		private += view->pools.elements.items[i].is_private;
	}
	json_object_set_new(row, "pool", sw_json_string(sw_pools_name(view, index)));
	json_object_set_new(row, "address", sw_json_address(pool->address));
	json_object_set_new(row, "element_type", first_type(view, pool));
	json_object_set_new(row, "elements", sw_json_count(pool->count));
	json_object_set_new(row, "victims", sw_json_count(victims));
	json_object_set_new(row, "private_elements", sw_json_count(private));
	json_object_set_new(row, "shared_elements", sw_json_count(pool->count - private));
	json_object_set_new(row, "processors", sw_json_count(pool->slots));
	json_object_set_new(row, "held_bytes", sw_json_bytes(pool->bytes));
	json_object_set_new(row, "median_bytes", sw_json_bytes(sizes->median));
	json_object_set_new(row, "largest_bytes", sw_json_bytes(sizes->largest));
	json_object_set_new(row, "overhead_bytes", sw_json_bytes(pool->overhead_bytes));
	json_object_set_new(row, "retained_bytes", sw_json_bytes(pool->retained_bytes));
	json_object_set_new(
		row, "dirty",
		sw_json_count(sw_pools_count_dirty(view, index, SW_POOL_TWICE, &bytes) +
			      sw_pools_count_dirty(view, index, SW_POOL_REFERENCED, &bytes) +
			      sw_pools_count_dirty(view, index, SW_POOL_REQUEST, &bytes)));
	json_object_set_new(row, "oversized", sw_json_count(sizes->oversized));
	json_object_set_new(row, "new",
			    sw_json_take_string(sw_pools_function(view, pool->constructor)));
	json_object_set_new(row, "element_types", types_of(view, pool));
	return row;
}

static void add_pools(struct sw_pools_view *view)
{
	uint64_t rows = 0;

	sw_report_table(view->report, "pools",
			"pool elements victims element_type held_bytes median_bytes largest_bytes "
			"dirty oversized new");
	for (size_t i = 0; i < view->pools.list.count; i++)
		if (sw_arguments_takes(view->arguments, &rows))
			sw_report_row(view->report, "pools", pool_row(view, view->order[i]));
	sw_report_omitted(view->report, "pools", rows, sw_arguments_limit(view->arguments));
}

/* ---- elements ---- */

static json_t *element_row(struct sw_pools_view *view, uint32_t number)
{
	const struct sw_pool_element *element = &view->pools.elements.items[number];
	json_t *row = json_object();

	json_object_set_new(row, "pool", sw_json_string(sw_pools_name(view, element->pool)));
	json_object_set_new(row, "address", sw_json_address(element->body.addr));
	json_object_set_new(row, "element_type",
			    sw_json_string(sw_pools_element_type(view, number)));
	json_object_set_new(row, "victim", json_boolean(element->is_victim));
	return row;
}

static void add_oversized(struct sw_pools_view *view)
{
	uint64_t rows = 0;

	sw_report_table(view->report, "oversized",
			"pool address element_type size_bytes median_bytes");
	for (size_t i = 0; i < view->pools.list.count; i++) {
		uint32_t index = view->order[i];
		const struct sw_pool *pool = &view->pools.list.items[index];
		const struct sw_pool_sizes *sizes = &view->sizes[index];
		for (uint32_t k = pool->first; k < pool->first + pool->count; k++) {
			uint64_t bytes = view->pools.elements.items[k].bytes;
			if (!sw_pool_is_oversized(sizes, pool, bytes, view->least) ||
			    !sw_arguments_takes(view->arguments, &rows))
				continue;
			json_t *row = element_row(view, k);
			json_object_set_new(row, "size_bytes", sw_json_bytes(bytes));
			json_object_set_new(row, "median_bytes", sw_json_bytes(sizes->median));
			sw_report_row(view->report, "oversized", row);
		}
	}
	sw_report_omitted(view->report, "oversized", rows, sw_arguments_limit(view->arguments));
}

static json_t *dirt_row(struct sw_pools_view *view, const struct sw_pool_dirt *dirt)
{
	json_t *row = element_row(view, dirt->element);

	json_object_set_new(row, "fault", json_string(sw_pools_dirt_word(dirt->kind)));
	json_object_set_new(row, "path", sw_json_string(dirt->path));
	json_object_set_new(row, "object_address",
			    sw_json_address(sw_heap_address(view->live.heap, dirt->object)));
	json_object_set_new(row, "object_type",
			    sw_json_string(sw_naming_type_name(&view->live, dirt->type)));
	json_object_set_new(row, "held_by", sw_json_take_string(sw_pools_holder(view, dirt)));
	json_object_set_new(row, "times", sw_json_count(dirt->times));
	json_object_set_new(row, "kept_bytes", sw_json_bytes(dirt->bytes));
	return row;
}

static void add_dirty(struct sw_pools_view *view)
{
	uint64_t rows = 0;

	sw_report_table(view->report, "dirty",
			"fault pool address element_type path object_type held_by kept_bytes");
	for (uint8_t kind = 0; kind < SW_POOL_DIRT_KINDS; kind++)
		for (size_t i = 0; i < view->dirt.count; i++)
			if (view->dirt.items[i].kind == kind &&
			    sw_arguments_takes(view->arguments, &rows))
				sw_report_row(view->report, "dirty",
					      dirt_row(view, &view->dirt.items[i]));
	sw_report_omitted(view->report, "dirty", rows, sw_arguments_limit(view->arguments));
}

void sw_pools_tables(struct sw_pools_view *view)
{
	add_dirty(view);
	add_oversized(view);
	add_pools(view);
}
