/* What buffer-owner found, as summary and tables. */
#include "command/buffer_owner.h"

#include "library/words.h"

#include <inttypes.h>
#include <stdio.h>

enum { MAX_NAME = 256, MAX_ENCLOSING = 8, MAX_GOIDS = 100 };

void sw_buffer_owner_name(const struct sw_live *live, sw_node node, char *out, size_t size)
{
	if (sw_graph_is_root(live->graph, node))
		snprintf(out, size, "%s", sw_naming_root(live, node)->name);
	else if (node < live->graph->object_count)
		snprintf(out, size, "%s 0x%" PRIx64,
			 sw_naming_type_name(live, sw_live_type(live, node)),
			 sw_heap_address(live->heap, node));
	else
		snprintf(out, size, "several roots");
}

void sw_buffer_owner_pool(const struct sw_buffer_owner *owner, char *out, size_t size)
{
	const struct sw_pool_element *element = &owner->pools.elements.items[owner->element];
	const struct sw_pool *pool = &owner->pools.list.items[element->pool];
	*out = 0;
	if (pool->root != SW_NO_ROOT)
		snprintf(out, size, "%s", owner->live.go->roots.items[pool->root].name);
	else if (pool->holder != SW_NO_OBJECT)
		sw_buffer_owner_name(&owner->live, pool->holder, out, size);
}

/* ---- words ---- */

static void add_words(char *out, size_t size, const char *words)
{
	size_t length = strlen(out);
	snprintf(out + length, size - length, "%s%s", length ? "; " : "", words);
}

/* Of what there are words for from the inside out; when there is nothing, of what looks like a
 * parser. */
static bool words_of(const struct sw_live *live, const struct sw_value *values, size_t count,
		     sw_object array, char *out, size_t size)
{
	char words[SW_LIBRARY_WORDS];
	struct sw_buffer buffer;

	*out = 0;
	for (size_t i = count; i-- > 0;)
		if (sw_library_words(live, values[i], words, sizeof(words)))
			add_words(out, size, words);
	for (size_t i = count; i-- > 0 && !*out;)
		if (sw_buffer_guess(live, values[i], array, &buffer))
			sw_buffer_words(&buffer, out, size);
	return *out;
}

static bool words_of_view(const struct sw_buffer_owner *owner, const struct sw_view *view,
			  char *out, size_t size)
{
	const struct sw_live *live = &owner->live;
	struct sw_value values[MAX_ENCLOSING];
	uint32_t objects = live->heap->object_count;
	size_t count;

	*out = 0;
	if (!view->at)
		return false;
	if (view->holder >= objects) {
		count = sw_buffer_enclosing_root(live, view->holder - objects, view->at, values,
						 MAX_ENCLOSING);
	} else {
		sw_addr start = sw_live_start(live, view->holder);
		if (view->at < start)
			return false;
		count = sw_buffer_enclosing(live, view->holder, view->at - start, values,
					    MAX_ENCLOSING);
	}
	return words_of(live, values, count, owner->object, out, size);
}

static json_t *text_or_null(const char *text)
{
	return *text ? sw_json_string(text) : json_null();
}

/* ---- views ---- */

static const char *view_kind(const struct sw_view *view)
{
	switch (view->kind) {
	case SW_VIEW_SLICE:
		return "slice";
	case SW_VIEW_STRING:
		return "string";
	case SW_VIEW_POINTER:
		return "pointer";
	default:
		return "unknown";
	}
}

static void add_view(const struct sw_buffer_owner *owner, struct sw_report *report,
		     const struct sw_view *view)
{
	char name[MAX_NAME], step[MAX_NAME], words[SW_BUFFER_WORDS];
	json_t *row = json_object();

	sw_buffer_owner_name(&owner->live, view->holder, name, sizeof(name));
	sw_view_step(&owner->live, view, step, sizeof(step));
	json_object_set_new(row, "holder", sw_json_string(name));
	json_object_set_new(row, "field", sw_json_string(step));
	json_object_set_new(row, "kind", json_string(view_kind(view)));
	json_object_set_new(row, "offset_bytes", sw_json_bytes(view->offset));
	json_object_set_new(row, "len_bytes", sw_json_bytes(view->len));
	json_object_set_new(row, "cap_bytes", sw_json_bytes(view->cap));
	json_object_set_new(row, "len_known", json_boolean(view->is_len_known));
	json_object_set_new(row, "at_address", sw_json_address_or_null(view->at));
	words_of_view(owner, view, words, sizeof(words));
	json_object_set_new(row, "words", text_or_null(words));
	sw_report_row(report, "views", row);
}

static void add_views(const struct sw_buffer_owner *owner, struct sw_report *report, uint64_t limit)
{
	sw_report_table(report, "views",
			"holder field kind offset_bytes len_bytes cap_bytes words");
	for (size_t i = 0; i < owner->views.count && i < limit; i++)
		add_view(owner, report, &owner->views.items[i]);
	sw_report_omitted(report, "views", owner->views.count, limit);
}

/* ---- owners ---- */

/* What the part of an owner that refers to the next one (or to the array) is. */
static bool words_of_owner(const struct sw_buffer_owner *owner, sw_object holder, sw_object next,
			   char *out, size_t size)
{
	const struct sw_live *live = &owner->live;
	sw_slot slot = sw_heap_select(live->heap, holder);
	uint64_t header = sw_live_start(live, holder) - sw_heap_slot_address(live->heap, slot);
	struct sw_value values[MAX_ENCLOSING];
	uint64_t offset;
	sw_addr pointer;

	if (!sw_heap_pointer_to(live->heap, slot, next, &offset, &pointer) || offset < header)
		offset = header;
	size_t count = sw_buffer_enclosing(live, holder, offset - header, values, MAX_ENCLOSING);
	return words_of(live, values, count, next, out, size);
}

static json_t *owner_row(const struct sw_buffer_owner *owner, sw_node node, sw_node next)
{
	const struct sw_live *live = &owner->live;
	char words[SW_BUFFER_WORDS] = "";
	json_t *row;

	if (sw_graph_is_root(live->graph, node)) {
		const struct sw_go_root *root = sw_naming_root(live, node);
		row = json_object();
		json_object_set_new(row, "kind", json_string(sw_naming_root_kind(root->kind)));
		json_object_set_new(row, "name", sw_json_string(root->name));
	} else {
		row = sw_naming_object(live, node);
		json_object_set_new(row, "kind", json_string("object"));
		char name[MAX_NAME];
		sw_buffer_owner_name(live, node, name, sizeof(name));
		json_object_set_new(row, "name", sw_json_string(name));
		words_of_owner(owner, node, next, words, sizeof(words));
	}
	json_object_set_new(row, "retained_bytes",
			    sw_json_bytes(owner->live.dominators->retained_bytes[node]));
	json_object_set_new(row, "retained_objects",
			    json_integer(owner->live.dominators->retained_objects[node]));
	json_object_set_new(row, "words", text_or_null(words));
	return row;
}

/* Each keeps what is above it in the table alive, and goes only with what is below. */
static void add_owners(const struct sw_buffer_owner *owner, struct sw_report *report,
		       uint64_t limit)
{
	const struct sw_dominators *dominators = owner->live.dominators;
	sw_node next = owner->object;
	uint64_t count = 0;

	sw_report_table(report, "owners", "name retained_bytes retained_objects words");
	for (sw_node at = owner->dominator; at != owner->live.graph->super;
	     next = at, at = dominators->idom[at])
		if (count++ < limit)
			sw_report_row(report, "owners", owner_row(owner, at, next));
	sw_report_omitted(report, "owners", count, limit);
}

static json_t *owner_json(const struct sw_buffer_owner *owner)
{
	if (owner->dominator != owner->live.graph->super) {
		json_t *row = owner_row(owner, owner->dominator, owner->object);
		char *expression = sw_naming_expression_to(&owner->live, owner->dominator);
		json_object_set_new(row, "expression",
				    sw_json_string(expression ? expression : "?"));
		free(expression);
		return row;
	}
	json_t *json = json_object();
	json_object_set_new(json, "kind", json_string("roots"));
	json_object_set_new(json, "name", json_string("several roots"));
	return json;
}

/* ---- the summary ---- */

static json_t *span_json(const struct sw_buffer_owner *owner)
{
	const struct sw_heap *heap = owner->live.heap;
	const struct sw_span *space = sw_heap_slot_span(heap, sw_heap_select(heap, owner->object));
	const struct sw_go_span *span = &owner->live.go->spans.items[space->owner];
	json_t *json = json_object();

	json_object_set_new(json, "address", sw_json_address(span->address));
	json_object_set_new(json, "base_address", sw_json_address(span->base));
	json_object_set_new(json, "pages", json_integer((json_int_t)span->npages));
	json_object_set_new(json, "slots", json_integer(span->nelems));
	json_object_set_new(json, "size_class", json_integer(span->spanclass >> 1));
	json_object_set_new(json, "noscan", json_boolean(span->spanclass & 1));
	return json;
}

static const char *state_name(const struct sw_buffer *buffer)
{
	switch (buffer->state) {
	case SW_BUFFER_AT_END:
		return "at_end";
	case SW_BUFFER_FAILED:
		return "failed";
	case SW_BUFFER_CLOSED:
		return "closed";
	default:
		return "open";
	}
}

static json_t *buffer_json(const struct sw_buffer_owner *owner)
{
	const struct sw_buffer *buffer = &owner->buffer;
	char words[SW_BUFFER_WORDS], key[32];
	if (!owner->has_buffer)
		return json_null();
	json_t *json = json_object();
	sw_buffer_words(buffer, words, sizeof(words));
	json_object_set_new(json, "type", sw_json_string(buffer->name));
	json_object_set_new(json, "address", sw_json_address(buffer->value.addr));
	json_object_set_new(json, "words", sw_json_string(words));
	json_object_set_new(json, "guess", json_boolean(buffer->is_guess));
	json_object_set_new(json, "field", text_or_null(buffer->field));
	json_object_set_new(json, "positions", text_or_null(buffer->positions));
	if (buffer->has_pending) {
		snprintf(key, sizeof(key), "%s_bytes", buffer->what);
		json_object_set_new(json, key, sw_json_bytes(buffer->pending));
	}
	json_object_set_new(json, "state", json_string(state_name(buffer)));
	json_object_set_new(json, "error", text_or_null(buffer->error));
	json_object_set_new(json, "peer", text_or_null(buffer->peer));
	json_object_set_new(json, "peer_closed", json_boolean(buffer->is_peer_closed));
	return json;
}

static json_t *pool_json(const struct sw_buffer_owner *owner)
{
	if (owner->element == SW_NO_ELEMENT)
		return json_null();
	const struct sw_pool_element *element = &owner->pools.elements.items[owner->element];
	const struct sw_pool *pool = &owner->pools.list.items[element->pool];
	char name[MAX_NAME];
	json_t *json = json_object();

	sw_buffer_owner_pool(owner, name, sizeof(name));
	json_object_set_new(json, "address", sw_json_address(pool->address));
	json_object_set_new(json, "name", text_or_null(name));
	json_object_set_new(json, "element_address", sw_json_address(element->body.addr));
	json_object_set_new(json, "element_type",
			    sw_json_string(sw_naming_type_name(&owner->live, element->body.type)));
	json_object_set_new(json, "victim", json_boolean(element->is_victim));
	return json;
}

static json_t *frames_json(const struct sw_buffer_owner *owner)
{
	struct sw_go_call calls[SW_BUFFER_OWNER_FRAMES];
	json_t *frames = json_array();
	size_t count =
		sw_go_bucket_calls(owner->live.go, &owner->bucket, calls, SW_BUFFER_OWNER_FRAMES);

	for (size_t i = 0; i < count; i++) {
		char *name = sw_go_print_name(calls[i].function);
		json_t *frame = json_object();
		json_object_set_new(frame, "function",
				    sw_json_string(name ? name : calls[i].function));
		json_object_set_new(frame, "file", sw_json_string(calls[i].file));
		json_object_set_new(frame, "line", json_integer(calls[i].line));
		json_array_append_new(frames, frame);
		free(name);
	}
	return frames;
}

static uint64_t goid_of(const struct sw_go *go, const struct sw_go_root *root)
{
	for (size_t i = 0; i < go->goroutines.count; i++)
		if (go->goroutines.items[i].address == root->address)
			return go->goroutines.items[i].goid;
	return 0;
}

static json_t *goids_json(const struct sw_buffer_owner *owner)
{
	json_t *goids = json_array();
	for (size_t i = 0; i < owner->root_count && json_array_size(goids) < MAX_GOIDS; i++) {
		const struct sw_go_root *root = sw_naming_root(&owner->live, owner->roots[i]);
		uint64_t goid =
			root->kind == SW_GO_ROOT_GOROUTINE ? goid_of(owner->live.go, root) : 0;
		if (goid)
			json_array_append_new(goids, json_integer((json_int_t)goid));
	}
	return goids;
}

static void add_size(const struct sw_buffer_owner *owner, struct sw_report *report)
{
	uint64_t end = owner->is_requested_known ? owner->requested : owner->size;
	sw_report_summary(report, "rounded_bytes", sw_json_bytes(owner->rounded));
	sw_report_summary(report, "requested_bytes",
			  owner->is_requested_known ? sw_json_bytes(owner->requested)
						    : json_null());
	sw_report_summary(report, "requested_at_least_bytes", sw_json_bytes(owner->least));
	sw_report_count(report, "views", owner->views.count);
	sw_report_summary(report, "used_bytes", sw_json_bytes(owner->used));
	sw_report_summary(report, "hole_bytes", sw_json_bytes(end - owner->used));
	sw_report_summary(report, "largest_hole_bytes", sw_json_bytes(owner->largest_hole));
	sw_report_summary(report, "slack_bytes",
			  owner->is_requested_known ? sw_json_bytes(owner->rounded - end)
						    : json_null());
}

static void add_summary(const struct sw_buffer_owner *owner, struct sw_report *report)
{
	char *expression = sw_naming_expression(&owner->live, &owner->path);

	sw_report_summary(report, "object", sw_naming_object(&owner->live, owner->object));
	sw_report_summary(
		report, "offset_bytes",
		sw_json_bytes(owner->address > owner->start ? owner->address - owner->start : 0));
	sw_report_summary(report, "span", span_json(owner));
	add_size(owner, report);
	sw_report_summary(report, "expression", sw_json_string(expression ? expression : "?"));
	sw_report_summary(report, "path", sw_naming_steps(&owner->live, &owner->path));
	sw_report_summary(report, "buffer", buffer_json(owner));
	sw_report_summary(report, "owner", owner_json(owner));
	sw_report_summary(report, "pool", pool_json(owner));
	sw_report_summary(report, "allocated_by",
			  owner->is_sampled ? frames_json(owner) : json_null());
	sw_report_count(report, "roots", owner->root_count);
	sw_report_count(report, "goroutines", owner->goroutine_count);
	sw_report_summary(report, "goids", goids_json(owner));
	free(expression);
}

/* ---- roots ---- */

static struct sw_error *add_roots(const struct sw_buffer_owner *owner, struct sw_report *report,
				  uint64_t limit)
{
	struct sw_path *paths;
	size_t count, reached;

	sw_report_table(report, "roots", "kind length_steps expression");
	struct sw_error *error =
		sw_paths_to(owner->live.graph, owner->object, limit == UINT64_MAX ? 0 : limit,
			    owner->live.work, &paths, &count, &reached);
	if (error)
		return error;
	for (size_t i = 0; i < count; i++) {
		const struct sw_go_root *root = sw_naming_root(&owner->live, paths[i].nodes[0]);
		char *expression = sw_naming_expression(&owner->live, &paths[i]);
		json_t *row = json_object();
		json_object_set_new(row, "root", sw_json_string(root->name));
		json_object_set_new(row, "kind", json_string(sw_naming_root_kind(root->kind)));
		json_object_set_new(row, "length_steps",
				    json_integer((json_int_t)paths[i].count - 1));
		json_object_set_new(row, "expression",
				    sw_json_string(expression ? expression : "?"));
		sw_report_row(report, "roots", row);
		free(expression);
		sw_path_free(&paths[i]);
	}
	free(paths);
	sw_report_omitted(report, "roots", reached, count);
	return NULL;
}

struct sw_error *sw_buffer_owner_report(const struct sw_buffer_owner *owner,
					struct sw_report *report, uint64_t limit)
{
	add_summary(owner, report);
	add_views(owner, report, limit);
	add_owners(owner, report, limit);
	return add_roots(owner, report, limit);
}
