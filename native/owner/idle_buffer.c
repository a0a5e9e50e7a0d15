#include "owner/idle_buffer.h"

#include "library/buffer.h"

static const char *const names[] = {
	[SW_IDLE_BUFFER] = "bytes.Buffer",
	[SW_IDLE_BUILDER] = "strings.Builder",
	[SW_IDLE_READER] = "bufio.Reader",
	[SW_IDLE_WRITER] = "bufio.Writer",
	[SW_IDLE_KINDS] = NULL,
};

const char *sw_idle_name(enum sw_idle_kind kind)
{
	return names[kind];
}

struct search {
	struct sw_fields *fields;
	uint64_t min_bytes;
	struct sw_idle_buffers *out;
};

static bool is_idle(enum sw_idle_kind kind, const struct sw_buffer *buffer)
{
	bool is_peer_closed = buffer->is_peer_closed || buffer->state == SW_BUFFER_CLOSED;
	return kind <= SW_IDLE_BUILDER ? buffer->has_pending && !buffer->pending : is_peer_closed;
}

static struct sw_error *visit(void *context, const struct sw_instance *instance)
{
	const struct search *search = context;
	const struct sw_live *live = search->fields->scan->live;
	struct sw_idle_buffers *out = search->out;
	struct sw_buffer buffer;
	char name[SW_FIELD_NAME];

	if (!sw_buffer_read(live, instance->value, &buffer) || !buffer.has_array ||
	    buffer.array.cap < search->min_bytes || !is_idle(instance->wanted, &buffer))
		return NULL;
	sw_object array = sw_heap_object(live->heap, buffer.array.data);
	if (array == SW_NO_OBJECT || sw_bitset_has(out->arrays, array))
		return NULL; /* of a variable, or told already */
	sw_bitset_set(out->arrays, array);
	struct sw_field_sum one = {
		.arrays = 1,
		.views = 1,
		.size = buffer.array.cap,
		.wasted = buffer.array.cap,
		.example_wasted = buffer.array.cap,
		.example = {.object = array, .at = instance->value.addr},
	};
	out->buffers++;
	out->size += one.size;
	sw_field_name_of(search->fields, instance->value, instance->object, instance->root, name,
			 sizeof(name));
	return sw_field_rows_count(&out->rows[instance->wanted], name, &one);
}

struct sw_error *sw_idle_buffers_find(struct sw_fields *fields, uint64_t min_bytes,
				      struct sw_idle_buffers *out)
{
	const struct sw_live *live = fields->scan->live;
	struct search search = {fields, min_bytes, out};

	*out = (struct sw_idle_buffers){.object_count = live->heap->object_count};
	struct sw_error *error = sw_work_alloc(live->work, sw_bitset_words(out->object_count) * 8,
					       "idle buffers", &out->arrays);
	if (!error)
		error = sw_live_instances(live, names, NULL, visit, &search);
	for (unsigned i = 0; i < SW_IDLE_KINDS; i++)
		sw_field_rows_finish(&out->rows[i]);
	return error;
}

void sw_idle_buffers_free(struct sw_idle_buffers *idle, struct sw_work *work)
{
	sw_work_free(work, idle->arrays, sw_bitset_words(idle->object_count) * 8);
	for (unsigned i = 0; i < SW_IDLE_KINDS; i++)
		sw_field_rows_deinit(&idle->rows[i]);
}
