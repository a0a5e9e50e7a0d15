/* What a session asks of its index, but for writing it. */
#include "index/file.h"

struct sw_error *sw_index_open(const char *core, enum sw_index_use use, const struct sw_go *go,
			       struct sw_index **out)
{
	struct sw_index *index = calloc(1, sizeof(*index));

	*out = NULL;
	if (!index)
		return sw_error_memory();
	index->use = use;
	index->core = strdup(core);
	struct sw_error *error = index->core ? sw_index_identify(index, go) : sw_error_memory();
	if (!error)
		error = sw_index_find(index);
	if (error)
		sw_index_close(index, NULL);
	else
		*out = index;
	return error;
}

void sw_index_close(struct sw_index *index, struct sw_work *work)
{
	if (!index)
		return;
	sw_mark_log_free(&index->marks, work);
	sw_index_unmap(index);
	free(index->table);
	free(index->path);
	free(index->core);
	free(index);
}

const char *sw_index_path(const struct sw_index *index)
{
	return index ? index->path : NULL;
}

const char *sw_index_fault(const struct sw_index *index)
{
	if (!index || index->is_written)
		return NULL;
	for (size_t i = 0; !index->fault && i < SW_SECTIONS; i++)
		if (index->states[i] == SW_SECTION_WRONG)
			return "it is damaged";
	return index->fault;
}

bool sw_index_is_whole(const struct sw_index *index)
{
	return index && (index->is_written || (index->bytes && !sw_index_fault(index)));
}

bool sw_index_owns(const struct sw_index *index, const void *array)
{
	const uint8_t *at = array;

	return index && index->bytes && at >= index->bytes && at < index->bytes + index->size;
}

/* ---- marks ---- */

/* How many words the section begins with: the number of calls, then what each could not read. */
static bool count_calls(const uint64_t *words, uint64_t size, size_t block_count, uint64_t *calls)
{
	*calls = size >= sizeof(*words) ? words[0] : 0;
	return *calls && *calls < 64 && size == (1 + *calls * (1 + block_count)) * sizeof(*words);
}

static struct sw_error *give_marks(struct sw_index *index, size_t block_count, struct sw_work *work)
{
	const void *bytes;
	uint64_t calls, size = index->head.sections[SW_SECTION_MARKS].size;
	struct sw_error *error =
		sw_index_section(index, SW_SECTION_MARKS, UINT64_MAX, work, &bytes);
	const uint64_t *words = bytes;

	if (error || !words)
		return error;
	if (!count_calls(words, size, block_count, &calls)) {
		sw_index_refuse(index, SW_SECTION_MARKS);
		return NULL;
	}
	index->marks.block_count = block_count;
	for (uint64_t i = 0; !error && i < calls; i++)
		error = sw_mark_calls_add(
			&index->marks.calls,
			(struct sw_mark_call){words + 1 + calls + i * block_count, words[1 + i]});
	index->marks.given = index->marks.calls.count;
	return error;
}

struct sw_mark_log *sw_index_marks(struct sw_index *index, const struct sw_heap *heap,
				   struct sw_work *work)
{
	if (!index)
		return NULL;
	sw_index_forget_marks(index, work);
	struct sw_error *error = give_marks(index, heap->block_count, work);
	if (error) /* the marking that follows meets it again, if it matters */
		sw_index_forget_marks(index, work);
	sw_error_free(error);
	return index->marks.given || index->use == SW_INDEX_WRITE ? &index->marks : NULL;
}

void sw_index_forget_marks(struct sw_index *index, struct sw_work *work)
{
	if (index)
		sw_mark_log_free(&index->marks, work);
}

bool sw_index_fits(struct sw_index *index, struct sw_go *go, const struct sw_heap *heap)
{
	if (!index || (!index->bytes && index->use != SW_INDEX_WRITE))
		return true;
	index->identities[SW_INDEX_HEAP] = sw_index_identify_heap(go, heap);
	index->damaged_masks = go->damaged_masks;
	if (!index->bytes)
		return true;
	const struct sw_mark_log *log = &index->marks;
	bool is_replayed = log->given && log->replayed == log->calls.count;
	if (index->head.identities[SW_INDEX_HEAP] == index->identities[SW_INDEX_HEAP]) {
		if (is_replayed)
			go->damaged_masks = index->damaged_masks = index->head.damaged_masks;
		else
			sw_index_refuse(index, SW_SECTION_MARKS);
		return true;
	}
	bool used_marks = log->replayed;
	sw_index_unmap(index);
	index->fault = sw_index_difference(SW_INDEX_HEAP);
	return !used_marks;
}
