#include "command/naming.h"

#include "go/name.h"
#include "type/value.h"

#include <inttypes.h>
#include <stdio.h>

enum { MAX_STEP = 256, MAX_EXPRESSION = 4096 };

bool sw_object_walk_next(struct sw_object_walk *walk, const struct sw_heap *heap)
{
	bool is_first = !walk->span;
	if (is_first && heap->block_count)
		walk->bits = heap->blocks[0].marked;
	while (!walk->bits) {
		if (++walk->block >= heap->block_count)
			return false;
		walk->bits = heap->blocks[walk->block].marked;
	}
	walk->object = is_first ? 0 : walk->object + 1;
	walk->slot = (sw_slot)(walk->block * 64 + (unsigned)__builtin_ctzll(walk->bits));
	walk->span = &heap->space.spans[heap->blocks[walk->block].span];
	walk->bits &= walk->bits - 1;
	return true;
}

/* ---- types ---- */

const char *sw_naming_type_name(const struct sw_live *live, sw_type type)
{
	const struct sw_type_info *info = type ? sw_type_info(live->types, type) : NULL;
	return info && info->name && *info->name ? info->name : "?";
}

/* ---- roots ---- */

const struct sw_go_root *sw_naming_root(const struct sw_live *live, sw_node node)
{
	return &live->go->roots.items[node - live->graph->object_count];
}

const char *sw_naming_root_kind(enum sw_go_root_kind kind)
{
	switch (kind) {
	case SW_GO_ROOT_GLOBAL:
		return "global";
	case SW_GO_ROOT_GOROUTINE:
		return "goroutine";
	case SW_GO_ROOT_LOCAL:
		return "local";
	case SW_GO_ROOT_FINALIZER:
		return "finalizer";
	case SW_GO_ROOT_CLEANUP:
		return "cleanup";
	case SW_GO_ROOT_WEAK:
		return "weak handle";
	case SW_GO_ROOT_QUEUE:
		return "queue";
	case SW_GO_ROOT_TINY:
		return "tiny block";
	case SW_GO_ROOT_RUNTIME:
		return "runtime";
	}
	return "?";
}

void sw_naming_package(const struct sw_live *live, sw_node node, char *out, size_t size)
{
	const struct sw_go_root *root = sw_naming_root(live, node);
	*out = 0;
	if (root->kind == SW_GO_ROOT_GLOBAL || root->kind == SW_GO_ROOT_LOCAL)
		snprintf(out, size, "%.*s", (int)sw_go_package_length(root->name), root->name);
	else if (root->kind != SW_GO_ROOT_GOROUTINE)
		snprintf(out, size, "runtime");
}

/* ---- steps ---- */

/* How an object refers to the next one: ".parser.buf", "[17]", `["k"]`, "" for a hidden part. */
static void object_step(const struct sw_live *live, sw_object from, sw_object to, char *out)
{
	uint64_t offset;
	sw_addr pointer;
	sw_slot slot = sw_heap_select(live->heap, from);
	sw_type type = sw_live_type(live, from);

	*out = 0;
	if (!sw_heap_pointer_to(live->heap, slot, to, &offset, &pointer))
		return;
	if (type)
		sw_value_step(live->types, live->go, live->heap, type,
			      sw_heap_slot_address(live->heap, slot), offset, out, MAX_STEP);
	else
		snprintf(out, MAX_STEP, ".(+0x%" PRIx64 ")", offset);
}

/* How a root refers to its object: the field of the variable that holds the pointer. */
static void root_step(const struct sw_live *live, sw_node node, sw_object to, char *out)
{
	const struct sw_go_root *root = sw_naming_root(live, node);
	uint32_t number = node - live->graph->object_count;
	const struct sw_root_words *words = &live->heap->root_words;

	*out = 0;
	if (!root->type)
		return;
	for (size_t i = 0; i < words->count; i++) {
		const struct sw_root_word *word = &words->items[i];
		if (word->root != number || !word->at ||
		    sw_heap_object(live->heap, word->pointer) != to)
			continue;
		char field[MAX_STEP - 1]; /* and a dot */
		*field = 0;
		sw_type_path(live->types, sw_type_of_dwarf(live->types, root->type),
			     word->at - root->address + root->type_offset, field, sizeof(field));
		snprintf(out, MAX_STEP, "%s%s", *field && *field != '[' ? "." : "", field);
		return;
	}
}

static void edge_step(const struct sw_live *live, sw_node from, sw_node to, char *out)
{
	*out = 0;
	if (sw_graph_is_root(live->graph, to))
		snprintf(out, MAX_STEP, ": %s", sw_naming_root(live, to)->name);
	else if (sw_graph_is_root(live->graph, from))
		root_step(live, from, to, out);
	else
		object_step(live, from, to, out);
}

/* A run of steps that are all alike (a linked list) is written once with its number. */
struct expression {
	char text[MAX_EXPRESSION];
	size_t length;
	char last[MAX_STEP];
	unsigned repeats; /* of `last`, beyond the first */
};

static void append(struct expression *expression, const char *text)
{
	size_t length = strlen(text), room = sizeof(expression->text) - 1 - expression->length;
	if (length > room)
		length = room;
	memcpy(expression->text + expression->length, text, length);
	expression->length += length;
	expression->text[expression->length] = 0;
}

static void flush_repeats(struct expression *expression)
{
	char text[64];
	if (expression->repeats > 1) {
		snprintf(text, sizeof(text), "{%u times}", expression->repeats + 1);
		append(expression, text);
	} else if (expression->repeats == 1) {
		append(expression, expression->last);
	}
	expression->repeats = 0;
}

static void add_step(struct expression *expression, const char *step)
{
	if (*step && !strcmp(step, expression->last)) {
		expression->repeats++;
		return;
	}
	flush_repeats(expression);
	append(expression, step);
	snprintf(expression->last, sizeof(expression->last), "%s", step);
}

char *sw_naming_expression(const struct sw_live *live, const struct sw_path *path)
{
	struct expression expression = {.length = 0};
	char step[MAX_STEP];

	if (!path->count)
		return strdup("");
	if (sw_graph_is_root(live->graph, path->nodes[0]))
		append(&expression, sw_naming_root(live, path->nodes[0])->name);
	for (size_t i = 1; i < path->count; i++) {
		edge_step(live, path->nodes[i - 1], path->nodes[i], step);
		add_step(&expression, step);
	}
	flush_repeats(&expression);
	return strdup(expression.text);
}

char *sw_naming_expression_to(const struct sw_live *live, sw_node node)
{
	struct sw_path path = {0};
	struct sw_error *error = sw_path_shortest(live->graph, node, &path);
	char *expression = error ? NULL : sw_naming_expression(live, &path);
	sw_error_free(error);
	sw_path_free(&path);
	return expression;
}

json_t *sw_naming_object(const struct sw_live *live, sw_object object)
{
	json_t *row = json_object();
	json_object_set_new(row, "address", sw_json_address(sw_heap_address(live->heap, object)));
	const char *type = sw_naming_type_name(live, sw_live_type(live, object));
	json_object_set_new(row, "type", sw_json_string(type));
	json_object_set_new(row, "size_bytes", sw_json_bytes(sw_heap_size(live->heap, object)));
	return row;
}

static json_t *node_step(const struct sw_live *live, sw_node node, const char *step)
{
	json_t *row;
	if (sw_graph_is_root(live->graph, node)) {
		const struct sw_go_root *root = sw_naming_root(live, node);
		row = json_object();
		json_object_set_new(row, "step", sw_json_string(root->name));
		json_object_set_new(row, "kind", json_string(sw_naming_root_kind(root->kind)));
		return row;
	}
	row = sw_naming_object(live, node);
	json_object_set_new(row, "step", sw_json_string(step));
	return row;
}

json_t *sw_naming_steps(const struct sw_live *live, const struct sw_path *path)
{
	enum { ENDS = 32 }; /* of a very long path both ends are shown */
	json_t *steps = json_array();
	char step[MAX_STEP];

	for (size_t i = 0; i < path->count; i++) {
		if (path->count > 2 * ENDS && i == ENDS) {
			json_t *gap = json_object();
			json_object_set_new(gap, "step", json_string("…"));
			json_object_set_new(gap, "left_out_steps",
					    json_integer((json_int_t)(path->count - 2 * ENDS)));
			json_array_append_new(steps, gap);
			i = path->count - ENDS;
		}
		*step = 0;
		if (i)
			edge_step(live, path->nodes[i - 1], path->nodes[i], step);
		json_array_append_new(steps, node_step(live, path->nodes[i], step));
	}
	return steps;
}

/* ---- addresses ---- */

struct sw_error *sw_naming_find(const struct sw_live *live, sw_addr address, sw_object *out)
{
	sw_slot slot = sw_heap_slot(live->heap, address);
	*out = sw_heap_object(live->heap, address);
	if (*out != SW_NO_OBJECT)
		return NULL;
	if (slot == SW_NO_SLOT)
		return sw_error_hint(
			sw_error_format(SW_ERR_NOT_FOUND,
					"no object of the Go heap is at 0x%" PRIx64, address),
			"addresses of objects come from find TYPE, or a debugger's print");
	const struct sw_span *span = sw_heap_slot_span(live->heap, slot);
	bool is_free =
		!sw_go_span_is_live(&live->go->spans.items[span->owner], slot - span->first_slot);
	return sw_error_hint(sw_error_format(SW_ERR_NOT_FOUND,
					     "the slot of %" PRIu64 " bytes at 0x%" PRIx64 " is %s",
					     span->elemsize, sw_heap_slot_address(live->heap, slot),
					     is_free ? "free" : "garbage"),
			     "nothing holds it; the next collection %s",
			     is_free ? "or allocation may use it" : "frees it");
}
