#include "owner/words.h"

#include <stdio.h>

/* How a type's values are told of. */
typedef bool tell_value(const struct sw_live *live, struct sw_value value, char *out, size_t size);

struct teller {
	const char *type; /* "net/http.Request" */
	tell_value *tell;
};

enum {
	MAX_TEXT = 80, /* bytes of a string of the program */
	MAX_DEPTH = 32 /* of structs in structs */
};

/* A string of the program, on one line. */
static bool read_text(const struct sw_live *live, struct sw_value value, const char *path,
		      char out[MAX_TEXT])
{
	if (!sw_value_string(&live->reader, value, path, out, MAX_TEXT))
		return false;
	for (char *at = out; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 127)
			*at = '?';
	return true;
}

/* ---- net/http ---- */

/* Request{Method string; URL *url.URL; …} (net/http/request.go); a client's Method may be "". */
static bool tell_request(const struct sw_live *live, struct sw_value value, char *out, size_t size)
{
	char method[MAX_TEXT], path[MAX_TEXT];
	if (!read_text(live, value, "Method", method) || !read_text(live, value, "URL.Path", path))
		return false;
	snprintf(out, size, "the request %s %s", *method ? method : "GET", path);
	return true;
}

/* Response{Status string; …; Request *Request} (net/http/response.go). */
static bool tell_response(const struct sw_live *live, struct sw_value value, char *out, size_t size)
{
	char status[MAX_TEXT], path[MAX_TEXT];
	if (!read_text(live, value, "Status", status))
		return false;
	bool has_path = read_text(live, value, "Request.URL.Path", path);
	snprintf(out, size, "the response %s%s%s", status, has_path ? " to " : "",
		 has_path ? path : "");
	return true;
}

static const struct teller tellers[] = {
	{"net/http.Request", tell_request},
	{"net/http.Response", tell_response},
};

/* ---- the whole ---- */

bool sw_owner_words(const struct sw_live *live, struct sw_value value, char *out, size_t size)
{
	const struct sw_type_info *info = sw_type_info(live->types, value.type);
	*out = 0;
	if (!value.type || info->role != SW_TYPE_PLAIN || info->kind != SW_KIND_STRUCT)
		return false;
	for (size_t i = 0; i < sizeof(tellers) / sizeof(*tellers); i++)
		if (sw_type_is_named(info, tellers[i].type) &&
		    tellers[i].tell(live, value, out, size))
			return true;
	*out = 0;
	return false;
}

/* ---- parts of objects ---- */

/* The part of a value that an offset lies in: true and one level down, or false at the bottom. */
static bool step_inside(const struct sw_types *types, struct sw_value *value, uint64_t *offset)
{
	const struct sw_type_info *info = sw_type_info(types, value->type);
	const struct sw_type_info *elem = sw_type_info(types, info->elem);

	if (info->kind == SW_KIND_ARRAY && elem->size) {
		uint64_t start = *offset / elem->size * elem->size;
		*value = (struct sw_value){info->elem, value->addr + start};
		*offset -= start;
		return true;
	}
	for (uint32_t i = 0; info->kind == SW_KIND_STRUCT && i < info->field_count; i++) {
		const struct sw_type_field *field = &info->fields[i];
		if (*offset < field->offset ||
		    *offset - field->offset >= sw_type_info(types, field->type)->size)
			continue;
		*value = (struct sw_value){field->type, value->addr + field->offset};
		*offset -= field->offset;
		return true;
	}
	return false;
}

/* Of several values in one slot that which the offset lies in. */
static void choose_element(const struct sw_live *live, struct sw_value *value, uint64_t *offset)
{
	const struct sw_type_info *info = sw_type_info(live->types, value->type);
	if (!info->size || info->role == SW_TYPE_BACKING || info->role == SW_TYPE_CLOSURE ||
	    info->role == SW_TYPE_CHAN_HEADER)
		return;
	value->addr += *offset / info->size * info->size;
	*offset %= info->size;
}

bool sw_owner_words_at(const struct sw_live *live, sw_object object, uint64_t offset, char *out,
		       size_t size)
{
	struct sw_value value = {sw_live_type(live, object), sw_live_start(live, object)};
	char inner[SW_OWNER_WORDS];
	bool is_told = false;

	*out = 0;
	if (!value.type)
		return false;
	choose_element(live, &value, &offset);
	for (unsigned depth = 0; depth < MAX_DEPTH; depth++) {
		if (sw_owner_words(live, value, inner, sizeof(inner))) {
			snprintf(out, size, "%s", inner);
			is_told = true;
		}
		if (!step_inside(live->types, &value, &offset))
			break;
	}
	return is_told;
}

bool sw_owner_words_of(const struct sw_live *live, sw_object object, char *out, size_t size)
{
	struct sw_value value = {sw_live_type(live, object), sw_live_start(live, object)};
	sw_node holder = live->graph->parent[object];
	uint64_t offset;
	sw_addr pointer;

	if (sw_owner_words(live, value, out, size))
		return true;
	if (holder >= live->graph->object_count)
		return false;
	sw_slot slot = sw_heap_select(live->heap, holder);
	uint64_t header = sw_live_start(live, holder) - sw_heap_slot_address(live->heap, slot);
	return sw_heap_pointer_to(live->heap, slot, object, &offset, &pointer) &&
	       offset >= header && sw_owner_words_at(live, holder, offset - header, out, size);
}
