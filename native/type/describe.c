#include "type/describe.h"

#include "go/interface.h"
#include "go/unwind.h"
#include "type/type_private.h"
#include "type/value_text.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	MAX_STRING = 64,  /* bytes shown */
	MAX_ELEMENTS = 8, /* of an array or slice */
	MAX_FIELDS = 12,  /* of a struct */
	MAX_DEPTH = 4,	  /* of values in each other */
	MAX_POINTERS = 1, /* followed one after the other */
	MAX_LEAVES = 32,  /* numbers, strings, … in all */
};
#define MAX_LENGTH ((uint64_t)1 << 47)

struct writer {
	struct sw_types *types;
	const struct sw_go *go;
	const struct sw_heap *heap;
	bool is_stale;
	FILE *out;
	unsigned leaves;
};

/* A value within a place. */
struct at {
	const struct sw_value_place *place;
	uint64_t offset; /* bytes */
	unsigned depth, pointers;
};

static void write_value(struct writer *writer, sw_type type, struct at at);

static bool read(const struct writer *writer, struct at at, uint64_t offset, void *out,
		 uint64_t size)
{
	const struct sw_value_place *place = at.place;

	offset += at.offset;
	if (!place->bytes)
		return sw_memory_read(writer->go->memory, place->addr + offset, out, size);
	for (uint64_t i = 0; i < size; i++)
		if (!place->known[offset + i])
			return false;
	memcpy(out, place->bytes + offset, size);
	return true;
}

static bool read_word(const struct writer *writer, struct at at, uint64_t offset, uint64_t *out)
{
	*out = 0;
	return read(writer, at, offset, out, 8);
}

static struct at inside(struct at at, uint64_t offset)
{
	at.offset += offset;
	at.depth++;
	return at;
}

static struct at behind_pointer(struct at at, struct sw_value_place *place, sw_addr addr)
{
	*place = (struct sw_value_place){.addr = addr};
	return (struct at){.place = place, .depth = at.depth + 1, .pointers = at.pointers + 1};
}

/* False when there is nothing to look at behind a pointer; that is written then. */
static bool read_pointer(struct writer *writer, struct at at, uint64_t offset, uint64_t *out)
{
	bool is_known = read_word(writer, at, offset, out);
	bool is_gone = is_known && sw_value_is_free(writer->heap, *out);

	if (is_known && *out && !is_gone && !writer->is_stale)
		return true;
	if (!is_known)
		fputc('?', writer->out);
	else if (!*out)
		fputs("nil", writer->out);
	else
		fprintf(writer->out, "0x%" PRIx64 "%s", *out, is_gone ? " (not live)" : "");
	return false;
}

/* ---- numbers ---- */

static int64_t sign_extend(uint64_t word, uint64_t size)
{
	unsigned shift = 64 - 8 * (unsigned)size;

	return (int64_t)(word << shift) >> shift;
}

static void write_number(struct writer *writer, const struct sw_type_info *info, struct at at)
{
	uint8_t bytes[16] = {0};

	if (!info->size || info->size > sizeof(bytes) || !read(writer, at, 0, bytes, info->size)) {
		fputc('?', writer->out);
		return;
	}
	switch (info->kind) {
	case SW_KIND_BOOL:
		fputs(bytes[0] ? "true" : "false", writer->out);
		break;
	case SW_KIND_INT:
	case SW_KIND_INT8:
	case SW_KIND_INT16:
	case SW_KIND_INT32:
	case SW_KIND_INT64:
		fprintf(writer->out, "%" PRId64, sign_extend(sw_load64(bytes), info->size & 15));
		break;
	case SW_KIND_FLOAT32:
	case SW_KIND_FLOAT64:
		sw_text_real(writer->out, bytes, info->size == 4);
		break;
	case SW_KIND_COMPLEX64:
	case SW_KIND_COMPLEX128:
		sw_text_complex(writer->out, bytes, info->size == 8);
		break;
	case SW_KIND_UINTPTR:
	case SW_KIND_UNSAFE_POINTER:
		fprintf(writer->out, "0x%" PRIx64, sw_load64(bytes));
		break;
	default:
		fprintf(writer->out, "%" PRIu64, sw_load64(bytes));
	}
}

/* ---- text ---- */

/* False when the bytes cannot be read. */
static bool write_text(struct writer *writer, sw_addr data, uint64_t length)
{
	uint8_t text[MAX_STRING];
	uint64_t shown = length < sizeof(text) ? length : sizeof(text);

	if (length > MAX_LENGTH ||
	    (shown && !sw_memory_read(writer->go->memory, data, text, shown)))
		return false;
	sw_text_quoted(writer->out, text, shown, shown < length);
	return true;
}

static void write_string(struct writer *writer, struct at at)
{
	uint64_t data, length;
	bool has_data = read_word(writer, at, 0, &data);
	bool has_length = read_word(writer, at, 8, &length);

	if (has_length && (has_data || !length) && write_text(writer, data, length)) {
		if (length > MAX_STRING)
			fprintf(writer->out, " len %" PRIu64, length);
		return;
	}
	fputc('?', writer->out);
	if (has_length)
		fprintf(writer->out, " len %" PRIu64, length);
}

/* ---- several ---- */

static void write_elements(struct writer *writer, sw_type elem, uint64_t length, struct at at)
{
	uint64_t stride = sw_type_info(writer->types, elem)->size;

	fputc('[', writer->out);
	for (uint64_t i = 0; i < length; i++) {
		fputs(i ? ", " : "", writer->out);
		if (i == MAX_ELEMENTS || !writer->leaves) {
			fputs("…", writer->out);
			break;
		}
		write_value(writer, elem, inside(at, i * stride));
	}
	fputc(']', writer->out);
}

static void write_struct(struct writer *writer, const struct sw_type_info *info, struct at at)
{
	if (at.depth == MAX_DEPTH && info->field_count) {
		fputs("{…}", writer->out);
		writer->leaves -= writer->leaves > 0;
		return;
	}
	fputc('{', writer->out);
	for (uint32_t i = 0; i < info->field_count; i++) {
		fputs(i ? ", " : "", writer->out);
		if (i == MAX_FIELDS || !writer->leaves) {
			fputs("…", writer->out);
			break;
		}
		fprintf(writer->out, "%s: ", info->fields[i].name);
		write_value(writer, info->fields[i].type, inside(at, info->fields[i].offset));
	}
	fputc('}', writer->out);
}

static bool is_text(const struct writer *writer, sw_addr data, uint64_t length)
{
	uint8_t text[MAX_STRING];
	uint64_t shown = length < sizeof(text) ? length : sizeof(text);

	if (!length || length > MAX_LENGTH ||
	    !sw_memory_read(writer->go->memory, data, text, shown))
		return false;
	for (size_t i = 0; i < shown; i++)
		if (text[i] >= 127 || (text[i] < ' ' && !strchr("\n\t\r", text[i])) || !text[i])
			return false;
	return true;
}

static void write_count(struct writer *writer, const char *name, bool is_known, uint64_t count)
{
	if (is_known)
		fprintf(writer->out, "%s %" PRIu64, name, count);
	else
		fprintf(writer->out, "%s ?", name);
}

static void write_slice(struct writer *writer, const struct sw_type_info *info, struct at at)
{
	uint64_t data, length, capacity;
	bool has_data = read_word(writer, at, 0, &data);
	bool has_length = read_word(writer, at, 8, &length);
	bool has_capacity = read_word(writer, at, 16, &capacity);
	struct sw_value_place place;

	if (has_data && !data && (!has_length || !length)) {
		fputs("nil", writer->out);
		return;
	}
	write_count(writer, "len", has_length, length);
	write_count(writer, " cap", has_capacity, capacity);
	if (!has_data || !has_length || length > MAX_LENGTH || (has_capacity && length > capacity))
		return;
	if (sw_value_is_free(writer->heap, data)) {
		fprintf(writer->out, " 0x%" PRIx64 " (not live)", data);
		return;
	}
	fputc(' ', writer->out);
	if (sw_type_info(writer->types, info->elem)->kind == SW_KIND_UINT8 &&
	    is_text(writer, data, length))
		write_text(writer, data, length);
	else if (at.pointers > MAX_POINTERS)
		fprintf(writer->out, "0x%" PRIx64, data);
	else
		write_elements(writer, info->elem, length, behind_pointer(at, &place, data));
}

/* ---- what refers to something ---- */

static void write_pointer(struct writer *writer, sw_type type, const struct sw_type_info *info,
			  struct at at)
{
	struct sw_value_place place;
	uint64_t addr;
	uint8_t byte;

	if (!read_pointer(writer, at, 0, &addr))
		return;
	fprintf(writer->out, "0x%" PRIx64, addr);
	if (at.pointers >= MAX_POINTERS || !sw_type_info(writer->types, info->elem)->size ||
	    sw_value_is_shape(writer->types, type) ||
	    !sw_memory_u8(writer->go->memory, addr, &byte))
		return;
	fputs(" → ", writer->out);
	write_value(writer, info->elem, behind_pointer(at, &place, addr));
}

static void write_func(struct writer *writer, struct at at)
{
	struct sw_go_func func;
	uint64_t closure, entry;

	if (!read_pointer(writer, at, 0, &closure))
		return;
	if (sw_memory_u64(writer->go->memory, closure, &entry) &&
	    sw_go_find_func(writer->go, entry, &func) && func.entry == entry)
		fputs(sw_go_func_name(&func), writer->out);
	else
		fprintf(writer->out, "0x%" PRIx64, closure);
}

/* Both kinds of maps begin with the number of entries: runtime.hmap.count,
 * internal/runtime/maps.Map.used. */
static void write_map(struct writer *writer, struct at at)
{
	uint64_t map, count;

	if (!read_pointer(writer, at, 0, &map))
		return;
	if (sw_memory_u64(writer->go->memory, map, &count) && count < MAX_LENGTH)
		fprintf(writer->out, "len %" PRIu64 " 0x%" PRIx64, count, map);
	else
		fprintf(writer->out, "len ? 0x%" PRIx64, map);
}

static void write_chan(struct writer *writer, struct at at)
{
	const struct sw_go *go = writer->go;
	uint64_t chan, count, capacity;
	uint32_t closed;

	if (!read_pointer(writer, at, 0, &chan))
		return;
	bool has_count = sw_memory_u64(go->memory, chan + go->layout.hchan.qcount, &count);
	bool has_capacity = sw_memory_u64(go->memory, chan + go->layout.hchan.dataqsiz, &capacity);
	write_count(writer, "len", has_count, count);
	write_count(writer, " cap", has_capacity, capacity);
	if (sw_memory_u32(go->memory, chan + go->layout.hchan.closed, &closed) && closed)
		fputs(" closed", writer->out);
	fprintf(writer->out, " 0x%" PRIx64, chan);
}

static bool is_direct(const struct sw_go *go, sw_addr descriptor)
{
	bool is_direct;

	return sw_go_read_direct(go, descriptor, &is_direct) && is_direct;
}

/* The value in an interface, by the second of its words. */
static void write_held(struct writer *writer, sw_type type, sw_addr descriptor, struct at at)
{
	struct sw_value_place place;
	uint64_t data;

	if (is_direct(writer->go, descriptor)) {
		write_value(writer, type, inside(at, 8));
	} else if (read_pointer(writer, at, 8, &data)) {
		struct at held = behind_pointer(at, &place, data);
		held.pointers = at.pointers;
		write_value(writer, type, held);
	}
}

static void write_interface(struct writer *writer, const struct sw_type_info *info, struct at at)
{
	const struct sw_go *go = writer->go;
	uint64_t word;
	sw_type type = 0;

	if (!read_word(writer, at, 0, &word)) {
		fputc('?', writer->out);
		return;
	}
	if (!word) {
		fputs("nil", writer->out);
		return;
	}
	if (info->is_empty_interface || sw_go_itab_type(go, word, &word))
		type = sw_type_of_descriptor(writer->types, word);
	if (!type) {
		fputc('?', writer->out);
		return;
	}
	fprintf(writer->out, "%s(", sw_type_info(writer->types, type)->name);
	write_held(writer, type, word, at);
	fputc(')', writer->out);
}

/* ---- what generic code knows ---- */

/* DWARF names them "go.shape.int", or ".param0", the first type parameter. */
bool sw_value_is_shape(const struct sw_types *types, sw_type type)
{
	const struct sw_type_entry *entry = sw_type_entry(types, type);
	const char *name = entry->qualified ? entry->qualified : entry->info.name;

	return name && (strstr(name, "go.shape.") || !strncmp(name, ".param", 6));
}

sw_type sw_value_dynamic_type(struct sw_types *types, const struct sw_go *go, sw_addr any)
{
	uint64_t word;

	return sw_memory_u64(go->memory, any, &word) && word ? sw_type_of_descriptor(types, word)
							     : 0;
}

/* ---- the whole ---- */

static void write_value(struct writer *writer, sw_type type, struct at at)
{
	const struct sw_type_info *info = sw_type_info(writer->types, type);

	if (at.depth > MAX_DEPTH || !writer->leaves) {
		fputs("…", writer->out);
		writer->leaves -= writer->leaves > 0;
		return;
	}
	writer->leaves -= info->kind != SW_KIND_STRUCT && info->kind != SW_KIND_ARRAY;
	switch (info->kind) {
	case SW_KIND_INVALID:
		fputc('?', writer->out);
		break;
	case SW_KIND_STRING:
		write_string(writer, at);
		break;
	case SW_KIND_STRUCT:
		write_struct(writer, info, at);
		break;
	case SW_KIND_ARRAY:
		write_elements(writer, info->elem, info->length, at);
		break;
	case SW_KIND_SLICE:
		write_slice(writer, info, at);
		break;
	case SW_KIND_INTERFACE:
		write_interface(writer, info, at);
		break;
	case SW_KIND_POINTER:
		write_pointer(writer, type, info, at);
		break;
	case SW_KIND_FUNC:
		write_func(writer, at);
		break;
	case SW_KIND_MAP:
		write_map(writer, at);
		break;
	case SW_KIND_CHAN:
		write_chan(writer, at);
		break;
	default:
		write_number(writer, info, at);
	}
}

/* Begins and ends a text: `is_any` for what is in an interface without methods. */
static char *describe(const struct sw_value_reader *reader, sw_type type,
		      const struct sw_value_place *place, bool is_any)
{
	struct writer writer = {.types = reader->types,
				.go = reader->go,
				.heap = reader->heap,
				.is_stale = reader->is_stale,
				.leaves = MAX_LEAVES};
	struct at at = {.place = place};
	uint64_t descriptor;
	char *text = NULL;
	size_t size;

	writer.out = open_memstream(&text, &size);
	if (!writer.out)
		return NULL;
	if (!is_any)
		write_value(&writer, type, at);
	else if (type && read_word(&writer, at, 0, &descriptor))
		write_held(&writer, type, descriptor, at);
	else
		fputs(read_word(&writer, at, 0, &descriptor) && !descriptor ? "nil" : "?",
		      writer.out);
	if (fclose(writer.out)) {
		free(text);
		return NULL;
	}
	return text;
}

char *sw_value_describe(const struct sw_value_reader *reader, sw_type type,
			const struct sw_value_place *place)
{
	return describe(reader, type, place, false);
}

char *sw_value_describe_any(const struct sw_value_reader *reader, sw_addr any)
{
	struct sw_value_place place = {.addr = any};
	return describe(reader, sw_value_dynamic_type(reader->types, reader->go, any), &place,
			true);
}
