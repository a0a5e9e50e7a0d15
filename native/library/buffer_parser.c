/* Parsers of the program's own: recognized by the shape of their structs. */
#include "library/buffer.h"

#include "library/buffer_error.h"
#include "library/buffer_peer.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

/* What programmers call the place up to which they have read, and the one up to which there is
 * something to read. Compared without regard to case. */
static const char *const from_names[] = {
	"pos",	 "off",	  "offset",  "idx",	"index",  "i",	      "r",    "rd",	  "rpos",
	"roff",	 "start", "begin",   "head",	"cur",	  "at",	      "p",    "cursor",	  "parsed",
	"scanp", "lo",	  "readpos", "readoff", "bufpos", "consumed", "read", "position", NULL,
};
static const char *const to_names[] = {
	"end",	    "w",	"wr",	   "wpos",  "woff", "n",    "len",
	"length",   "used",	"filled",  "limit", "tail", "size", "count",
	"writepos", "writeoff", "written", "hi",    NULL,
};
static const char *const ended_names[] = {
	"closed", "done", "failed", "finished", "broken", "eof", NULL,
};
static const char *const source_names[] = {
	"conn", "c", "rwc", "r", "rd", "reader", "src", "source", "in", NULL,
};

static bool is_one_of(const char *name, const char *const *names)
{
	for (size_t i = 0; names[i]; i++)
		if (!strcasecmp(name, names[i]))
			return true;
	return false;
}

static bool is_integer(uint8_t kind)
{
	return kind >= SW_KIND_INT && kind <= SW_KIND_UINTPTR;
}

/* The first slice or string of bytes, with its bytes in the array when one is given. */
static bool find_array(const struct sw_live *live, const struct sw_type_info *info, sw_object array,
		       struct sw_buffer *out)
{
	for (uint32_t i = 0; i < info->field_count; i++) {
		const struct sw_type_field *field = &info->fields[i];
		struct sw_value value = {field->type, out->value.addr + field->offset};
		if (!sw_value_array(&live->reader, value, NULL, &out->array) ||
		    out->array.elem_size != 1 || !out->array.cap)
			continue;
		if (array != SW_NO_OBJECT && sw_heap_object(live->heap, out->array.data) != array)
			continue;
		snprintf(out->field, sizeof(out->field), "%s", field->name);
		out->has_array = true;
		return true;
	}
	return false;
}

/* The first integer of such a name whose value lies within the buffer. */
static bool find_position(const struct sw_live *live, const struct sw_type_info *info,
			  const char *const *names, uint64_t limit, struct sw_buffer *out,
			  uint64_t *position)
{
	size_t length = strlen(out->positions);
	for (uint32_t i = 0; i < info->field_count; i++) {
		const struct sw_type_field *field = &info->fields[i];
		struct sw_value value = {field->type, out->value.addr + field->offset};
		if (!is_integer(sw_type_info(live->types, field->type)->kind) ||
		    !is_one_of(field->name, names) ||
		    !sw_value_word(&live->reader, value, NULL, position) || *position > limit)
			continue;
		snprintf(out->positions + length, sizeof(out->positions) - length, "%s%s %" PRIu64,
			 length ? ", " : "", field->name, *position);
		return true;
	}
	return false;
}

static void find_state(const struct sw_live *live, const struct sw_type_info *info,
		       struct sw_buffer *out)
{
	for (uint32_t i = 0; i < info->field_count; i++) {
		const struct sw_type_field *field = &info->fields[i];
		struct sw_value value = {field->type, out->value.addr + field->offset};
		uint8_t kind = sw_type_info(live->types, field->type)->kind;
		uint64_t word;
		if (kind == SW_KIND_BOOL && is_one_of(field->name, ended_names) &&
		    sw_value_word(&live->reader, value, NULL, &word) && word) {
			out->state = SW_BUFFER_CLOSED;
			out->how = field->name;
		}
		if (kind == SW_KIND_INTERFACE &&
		    !strcmp(sw_type_info(live->types, field->type)->name, "error") &&
		    sw_library_error(live, value, NULL, out->error, sizeof(out->error))) {
			out->state =
				strcmp(out->error, "EOF") ? SW_BUFFER_FAILED : SW_BUFFER_AT_END;
			return;
		}
	}
}

static void find_peer(const struct sw_live *live, const struct sw_type_info *info,
		      struct sw_buffer *out)
{
	struct sw_peer peer;
	for (uint32_t i = 0; i < info->field_count; i++) {
		const struct sw_type_field *field = &info->fields[i];
		struct sw_value value = {field->type, out->value.addr + field->offset};
		uint8_t kind = sw_type_info(live->types, field->type)->kind;
		if ((kind != SW_KIND_INTERFACE && kind != SW_KIND_POINTER) ||
		    !is_one_of(field->name, source_names) ||
		    !sw_peer_read(live, value, NULL, &peer))
			continue;
		memcpy(out->peer, peer.words, sizeof(out->peer));
		out->is_peer_closed = peer.is_closed;
		return;
	}
}

bool sw_buffer_guess(const struct sw_live *live, struct sw_value value, sw_object array,
		     struct sw_buffer *out)
{
	const struct sw_type_info *info = sw_type_info(live->types, value.type);
	uint64_t from, to;

	memset(out, 0, sizeof(*out));
	if (!value.type || info->kind != SW_KIND_STRUCT || info->role != SW_TYPE_PLAIN)
		return false;
	out->value = value;
	out->name = info->name;
	out->is_guess = true;
	if (!find_array(live, info, array, out))
		return false;
	bool has_from = find_position(live, info, from_names, out->array.len, out, &from);
	bool has_to = find_position(live, info, to_names, out->array.cap, out, &to);
	if (!has_from && !has_to)
		return false;
	if (!has_to)
		to = out->array.len;
	if (has_from && from <= to) {
		out->has_pending = true;
		out->pending = to - from;
		out->what = "unread";
	}
	find_state(live, info, out);
	find_peer(live, info, out);
	return true;
}
