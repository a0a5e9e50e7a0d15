/* The tables of the command `pools`. */
#include "command/pools_view.h"

#include <stdio.h>

static void set(json_t *row, const char *key, json_t *value)
{
	json_object_set_new(row, key, value);
}

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *owned_text(char *text)
{
	json_t *value = text ? sw_json_string(text) : json_null();
	free(text);
	return value;
}

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
			set(row, "type", sw_json_string(name));
			set(row, "elements", number(0));
			set(row, "body_bytes",
			    sw_json_bytes(
				    sw_type_info(view->live.types, element->body.type)->size));
			set(row, "total_bytes", sw_json_bytes(0));
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
	set(row, "pool", sw_json_string(sw_pools_name(view, index)));
	set(row, "address", sw_json_address(pool->address));
	set(row, "element_type", first_type(view, pool));
	set(row, "elements", number(pool->count));
	set(row, "victims", number(victims));
	set(row, "private_elements", number(private));
	set(row, "shared_elements", number(pool->count - private));
	set(row, "processors", number(pool->slots));
	set(row, "held_bytes", sw_json_bytes(pool->bytes));
	set(row, "median_bytes", sw_json_bytes(sizes->median));
	set(row, "largest_bytes", sw_json_bytes(sizes->largest));
	set(row, "overhead_bytes", sw_json_bytes(pool->overhead_bytes));
	set(row, "retained_bytes", sw_json_bytes(pool->retained_bytes));
	set(row, "dirty",
	    number(sw_pools_count_dirty(view, index, SW_POOL_TWICE, &bytes) +
		   sw_pools_count_dirty(view, index, SW_POOL_REFERENCED, &bytes) +
		   sw_pools_count_dirty(view, index, SW_POOL_REQUEST, &bytes)));
	set(row, "oversized", number(sizes->oversized));
	set(row, "new", owned_text(sw_pools_function(view, pool->constructor)));
	set(row, "element_types", types_of(view, pool));
	return row;
}

/* Counts a row; is it within the limit? */
static bool takes(const struct sw_pools_view *view, uint64_t *rows)
{
	return ++*rows <= sw_arguments_limit(view->arguments);
}

static void end_table(struct sw_pools_view *view, const char *table, uint64_t rows)
{
	uint64_t limit = sw_arguments_limit(view->arguments);
	if (rows > limit)
		sw_report_omitted(view->report, table, rows - limit);
}

static void add_pools(struct sw_pools_view *view)
{
	uint64_t rows = 0;

	sw_report_table(view->report, "pools",
			"pool elements victims element_type held_bytes median_bytes largest_bytes "
			"dirty oversized new");
	for (size_t i = 0; i < view->pools.list.count; i++)
		if (takes(view, &rows))
			sw_report_row(view->report, "pools", pool_row(view, view->order[i]));
	end_table(view, "pools", rows);
}

/* ---- elements ---- */

static json_t *element_row(struct sw_pools_view *view, uint32_t number)
{
	const struct sw_pool_element *element = &view->pools.elements.items[number];
	json_t *row = json_object();

	set(row, "pool", sw_json_string(sw_pools_name(view, element->pool)));
	set(row, "address", sw_json_address(element->body.addr));
	set(row, "element_type", sw_json_string(sw_pools_element_type(view, number)));
	set(row, "victim", json_boolean(element->is_victim));
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
			    !takes(view, &rows))
				continue;
			json_t *row = element_row(view, k);
			set(row, "size_bytes", sw_json_bytes(bytes));
			set(row, "median_bytes", sw_json_bytes(sizes->median));
			sw_report_row(view->report, "oversized", row);
		}
	}
	end_table(view, "oversized", rows);
}

static json_t *dirt_row(struct sw_pools_view *view, const struct sw_pool_dirt *dirt)
{
	json_t *row = element_row(view, dirt->element);

	set(row, "fault", json_string(sw_pools_dirt_word(dirt->kind)));
	set(row, "path", sw_json_string(dirt->path));
	set(row, "object_address", sw_json_address(sw_heap_address(view->live.heap, dirt->object)));
	set(row, "object_type", sw_json_string(sw_naming_type_name(&view->naming, dirt->type)));
	set(row, "held_by", owned_text(sw_pools_holder(view, dirt)));
	set(row, "times", number(dirt->times));
	set(row, "kept_bytes", sw_json_bytes(dirt->bytes));
	return row;
}

static void add_dirty(struct sw_pools_view *view)
{
	uint64_t rows = 0;

	sw_report_table(view->report, "dirty",
			"fault pool address element_type path object_type held_by kept_bytes");
	for (uint8_t kind = 0; kind < SW_POOL_DIRT_KINDS; kind++)
		for (size_t i = 0; i < view->dirt.count; i++)
			if (view->dirt.items[i].kind == kind && takes(view, &rows))
				sw_report_row(view->report, "dirty",
					      dirt_row(view, &view->dirt.items[i]));
	end_table(view, "dirty", rows);
}

void sw_pools_tables(struct sw_pools_view *view)
{
	add_dirty(view);
	add_oversized(view);
	add_pools(view);
}
