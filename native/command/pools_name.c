/* Names of pools, and of what else uses their elements. */
#include "command/pools_view.h"
#include "go/traceback.h"
#include "type/value.h"

#include <inttypes.h>
#include <stdio.h>

enum { MAX_STEP = 256, MAX_PATHS = 4 };

/* sync.allPools and sync.oldPools lead to every pool that is in use. */
static bool is_list_of_pools(const struct sw_pools_view *view, sw_node node, sw_type pool)
{
	if (node >= view->live.heap->object_count)
		return false;
	const struct sw_type_info *info =
		sw_type_info(view->live.types, sw_live_type(&view->live, node));
	const struct sw_type_info *elem = sw_type_info(view->live.types, info->elem);
	return info->role == SW_TYPE_BACKING && elem->kind == SW_KIND_POINTER && elem->elem == pool;
}

static const char *field(const struct sw_pools_view *view, sw_type type, uint64_t offset, char *out)
{
	char path[MAX_STEP - 1] = "";
	const struct sw_type_info *info = sw_type_info(view->live.types, type);
	uint64_t size = info->size;
	/* Down to the pool itself, whose first fields have no size. */
	*out = 0;
	if (!size || (info->name && !strcmp(info->name, "sync.Pool")))
		return out;
	sw_type_path(view->live.types, type, offset, path, sizeof(path));
	char *end = strstr(path, ".local");
	if (end && !end[strlen(".local")])
		*end = 0;
	snprintf(out, MAX_STEP, "%s%s", *path && *path != '[' ? "." : "", path);
	return out;
}

static char *name_by_object(const struct sw_pools_view *view, const struct sw_pool *pool)
{
	struct sw_path *paths = NULL;
	size_t count = 0, reached = 0;
	char step[MAX_STEP], *name = NULL;

	sw_error_free(sw_paths_to(view->live.graph, pool->holder, MAX_PATHS, view->live.work,
				  &paths, &count, &reached));
	for (size_t i = 0; i < count; i++) {
		const struct sw_path *path = &paths[i];
		if (!name && path->count > 1 &&
		    !is_list_of_pools(view, path->nodes[path->count - 2], pool->type)) {
			char *expression = sw_naming_expression(&view->live, path);
			field(view, sw_live_type(&view->live, pool->holder),
			      pool->address - sw_live_start(&view->live, pool->holder), step);
			if (asprintf(&name, "%s%s", expression ? expression : "?", step) < 0)
				name = NULL;
			free(expression);
		}
		sw_path_free(&paths[i]);
	}
	free(paths);
	return name ? name : strdup("a sync.Pool that the program let go of");
}

/* A root without a type begins at its first pointer, which may be behind the pool's start:
 * "net/http.data+0x8390" becomes "net/http.data+0x8380". */
static char *name_by_offset(const struct sw_go_root *root, const struct sw_pool *pool)
{
	const char *plus = strrchr(root->name, '+');
	int64_t by = (int64_t)(pool->address - root->address);
	char *end = NULL, *name = NULL;
	uint64_t offset = plus ? strtoull(plus + 1, &end, 16) : 0;
	int written;

	if (plus && end != plus + 1 && !*end && (by >= 0 || offset >= (uint64_t)-by))
		written = asprintf(&name, "%.*s+0x%" PRIx64, (int)(plus - root->name), root->name,
				   offset + (uint64_t)by);
	else
		written = asprintf(&name, "%s%c0x%" PRIx64, root->name, by < 0 ? '-' : '+',
				   (uint64_t)(by < 0 ? -by : by));
	return written < 0 ? NULL : name;
}

static char *name_by_root(const struct sw_pools_view *view, const struct sw_pool *pool)
{
	const struct sw_go_root *root = &view->live.go->roots.items[pool->root];
	sw_type type = root->type ? sw_type_of_dwarf(view->live.types, root->type) : 0;
	char step[MAX_STEP] = "", *name = NULL;

	if (type && pool->address >= root->address)
		field(view, type, pool->address - root->address, step);
	else if (pool->address != root->address)
		return name_by_offset(root, pool);
	return asprintf(&name, "%s%s", root->name, step) < 0 ? NULL : name;
}

/* An empty one is no root. */
static char *name_by_symbol(const struct sw_pools_view *view, const struct sw_pool *pool)
{
	uint64_t offset = 0;
	const char *symbol = sw_image_symbol_at(view->live.go->image, pool->address, &offset);
	char *name = NULL;

	if (symbol && !offset)
		return strdup(symbol);
	return asprintf(&name, "variable at 0x%" PRIx64, pool->address) < 0 ? NULL : name;
}

const char *sw_pools_name(struct sw_pools_view *view, uint32_t number)
{
	const struct sw_pool *pool = &view->pools.list.items[number];
	char **name = &view->names[number];

	if (!*name && pool->holder != SW_NO_OBJECT)
		*name = name_by_object(view, pool);
	else if (!*name && pool->root != SW_NO_ROOT)
		*name = name_by_root(view, pool);
	else if (!*name)
		*name = name_by_symbol(view, pool);
	return *name ? *name : "?";
}

const char *sw_pools_element_type(const struct sw_pools_view *view, uint32_t element)
{
	return sw_naming_type_name(&view->live, view->pools.elements.items[element].value.type);
}

char *sw_pools_function(const struct sw_pools_view *view, sw_addr entry)
{
	struct sw_go_func func;
	if (!entry || !sw_go_find_func(view->live.go, entry, &func))
		return NULL;
	return sw_go_print_name(sw_go_func_name(&func));
}

/* From the holder to the pointer itself. */
static void last_step(const struct sw_pools_view *view, const struct sw_pool_dirt *dirt, char *out)
{
	const struct sw_live *live = &view->live;
	*out = 0;
	if (!dirt->at)
		return;
	if (dirt->holder < live->heap->object_count) {
		sw_addr slot = sw_heap_address(live->heap, dirt->holder);
		sw_value_step(live->types, live->go, live->heap, sw_live_type(live, dirt->holder),
			      slot, dirt->at - slot, out, MAX_STEP);
		return;
	}
	const struct sw_go_root *root = sw_naming_root(&view->live, dirt->holder);
	if (root->type && dirt->at >= root->address)
		sw_value_root_step(live->types, sw_type_of_dwarf(live->types, root->type),
				   dirt->at - root->address + root->type_offset, out, MAX_STEP);
}

char *sw_pools_holder(const struct sw_pools_view *view, const struct sw_pool_dirt *dirt)
{
	char step[MAX_STEP], *expression, *out = NULL;

	if (dirt->holder == SW_NO_NODE)
		return NULL;
	expression = sw_naming_expression_to(&view->live, dirt->holder);
	last_step(view, dirt, step);
	if (asprintf(&out, "%s%s", expression ? expression : "?", step) < 0)
		out = NULL;
	free(expression);
	return out;
}
