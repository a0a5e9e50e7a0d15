/* What a context says of itself: whether it is over, its children, its deadline, its value. */
#include "go/field.h"
#include "library/context_private.h"
#include "type/describe.h"

enum { IFACE_DATA = 8 }; /* bytes, of an interface's data word */

/* ---- what can be cancelled ---- */

static bool find_cancel(const struct sw_context_search *search, struct sw_context *context)
{
	const struct sw_value_reader *reader = &search->live->reader;

	context->cancel = context->value;
	if (context->kind == SW_CONTEXT_CANCEL)
		return true;
	if (context->kind != SW_CONTEXT_DEADLINE && context->kind != SW_CONTEXT_AFTER_FUNC)
		return false;
	return sw_value_field(reader, context->value, "cancelCtx", &context->cancel) &&
	       (sw_context_info(search, context->cancel.type)->kind == SW_KIND_STRUCT ||
		sw_value_pointee(reader, context->cancel, NULL, &context->cancel)); /* 1.20 */
}

/* An error until 1.24, then an atomic.Value: an interface both. */
static void read_error(const struct sw_context_search *search, struct sw_context *context)
{
	const struct sw_value_reader *reader = &search->live->reader;
	struct sw_value field, error;

	if (!sw_value_field(reader, context->cancel, "err", &field))
		return;
	context->is_done = sw_go_word_at(search->live->go, field.addr, 0) != 0;
	context->is_expired =
		context->is_done && sw_value_held(reader, field, NULL, &error) &&
		!strcmp(sw_context_info(search, error.type)->name, "context.deadlineExceededError");
}

struct children {
	struct sw_context_search *search;
	uint32_t parent;
};

/* map[canceler]struct{} */
static bool visit_child(void *context, const struct sw_map_entry *entry)
{
	struct children *children = context;
	struct sw_context_search *search = children->search;
	struct sw_value child;

	if (!sw_value_behind(&search->live->reader, entry->key, NULL, &child))
		return true;
	uint32_t number = sw_context_add(search, child);
	if (number != SW_NO_CONTEXT && number != children->parent)
		search->out->list.items[number].registered = children->parent;
	return !search->error;
}

static void find_children(struct sw_context_search *search, uint32_t number)
{
	const struct sw_value_reader *reader = &search->live->reader;
	struct sw_context *context = &search->out->list.items[number];
	struct children children = {search, number};
	struct sw_value map;

	if (!sw_value_field(reader, context->cancel, "children", &map))
		return;
	bool is_whole = sw_value_map_size(reader, map, &context->children);
	if (!sw_value_entries(reader, map, visit_child, &children))
		is_whole = false;
	if (is_whole)
		return;
	search->out->list.items[number].is_damaged = true;
	sw_warn(search->warnings, true, "damaged_context", NULL,
		"the children of a context could not all be read");
}

void sw_context_read_cancel(struct sw_context_search *search, uint32_t number)
{
	struct sw_context *context = &search->out->list.items[number];
	struct sw_value field;

	context->has_cancel = find_cancel(search, context);
	if (!context->has_cancel)
		return;
	read_error(search, context);
	if (sw_value_field(&search->live->reader, context->cancel, "done", &field))
		context->channel = sw_go_word_at(search->live->go, field.addr, IFACE_DATA);
	const uint32_t *waiters = sw_context_numbers_find(&search->waiters, context->channel);
	context->waiters = waiters && !context->is_done ? *waiters : 0;
	find_children(search, number);
}

/* ---- deadlines ---- */

/* Of a time.Time as Unix time, in ns (time/time.go); false when it does not fit. */
static bool unix_time(const struct sw_context_search *search, struct sw_value time, int64_t *out)
{
	const struct sw_value_reader *reader = &search->live->reader;
	const uint64_t has_monotonic = (uint64_t)1 << 63, nanoseconds = ((uint64_t)1 << 30) - 1;
	const int64_t wall_to_unix = -2682288000, internal_to_unix = -62135596800;
	uint64_t wall, ext;

	if (!sw_value_word(reader, time, "wall", &wall) ||
	    !sw_value_word(reader, time, "ext", &ext))
		return false;
	int64_t seconds;
	if (wall & has_monotonic)
		seconds = (int64_t)(wall << 1 >> 31) + wall_to_unix;
	else if (__builtin_add_overflow((int64_t)ext, internal_to_unix, &seconds))
		return false;
	return !__builtin_mul_overflow(seconds, 1000000000, out) &&
	       !__builtin_add_overflow(*out, (int64_t)(wall & nanoseconds), out);
}

/* The last collection was written down on both clocks. */
static int64_t nanotime_of(const struct sw_context_search *search, int64_t unix_ns)
{
	const struct sw_go *go = search->live->go;
	int64_t gc_unix =
		(int64_t)sw_go_word_at(go, go->globals.memstats, go->layout.mstats.last_gc_unix);
	int64_t gc_nano = (int64_t)sw_go_word_at(go, go->globals.memstats,
						 go->layout.mstats.last_gc_nanotime);
	int64_t since;

	if (gc_unix <= 0 || gc_nano <= 0 || __builtin_sub_overflow(unix_ns, gc_unix, &since) ||
	    __builtin_add_overflow(since, gc_nano, &since))
		return 0;
	return since;
}

/* By the timer that ends it; without one it is over, or is just being made. */
void sw_context_read_deadline(struct sw_context_search *search, struct sw_context *context)
{
	const struct sw_value_reader *reader = &search->live->reader;
	struct sw_value field;
	uint64_t timer = 0;
	int64_t unix_ns;

	if (sw_value_word(reader, context->value, "timer", &timer) && timer) {
		sw_object object = sw_heap_object(search->live->heap, timer);
		const uint32_t *number =
			object == SW_NO_OBJECT
				? NULL
				: sw_context_numbers_find(&search->timers, (uint64_t)object + 1);
		if (number) {
			context->timer = *number;
			context->deadline = search->out->timers.items[*number].timer.when;
		}
	}
	if (!context->deadline && sw_value_field(reader, context->value, "deadline", &field) &&
	    unix_time(search, field, &unix_ns))
		context->deadline = nanotime_of(search, unix_ns);
}

/* ---- values ---- */

static uint64_t hash_text(const char *text, uint64_t hash)
{
	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 0x100000001b3;
	return hash;
}

/* Keys of one type and one text are the same key. */
static uint32_t intern_key(struct sw_context_search *search, sw_type type, char *text)
{
	struct sw_context_keys *keys = &search->out->keys;
	uint64_t hash = hash_text(text, 0xcbf29ce484222325 ^ type) | 1;
	const uint32_t *known = sw_context_numbers_find(&search->keys, hash);

	if (known && keys->items[*known - 1].type == type &&
	    !strcmp(keys->items[*known - 1].text, text)) {
		free(text);
		return *known - 1;
	}
	search->error = sw_context_keys_add(keys, (struct sw_context_key){type, text});
	if (search->error) {
		free(text);
		return SW_NO_CONTEXT;
	}
	search->error = sw_context_numbers_set(&search->keys, hash, (uint32_t)keys->count);
	return (uint32_t)keys->count - 1;
}

/* The two words of an interface tell most keys apart without looking at what is there. */
static uint32_t key_of(struct sw_context_search *search, sw_addr any)
{
	const struct sw_live *live = search->live;
	uint64_t type = sw_go_word_at(live->go, any, 0), data = sw_go_word_at(live->go, any, 8);
	uint64_t words = ((type * 0x9e3779b97f4a7c15) ^ data) & ~(uint64_t)1;
	bool is_fixed = !sw_heap_span(live->heap, data);
	const uint32_t *known = is_fixed ? sw_context_numbers_find(&search->keys, words) : NULL;

	if (known)
		return *known - 1;
	char *text = sw_value_describe_any(&live->reader, any);
	if (!text) {
		search->error = sw_error_memory();
		return SW_NO_CONTEXT;
	}
	uint32_t key = intern_key(search, sw_value_dynamic_type(live->types, live->go, any), text);
	if (is_fixed && key != SW_NO_CONTEXT && !search->error)
		search->error = sw_context_numbers_set(&search->keys, words, key + 1);
	return key;
}

void sw_context_read_value(struct sw_context_search *search, uint32_t number)
{
	const struct sw_value_reader *reader = &search->live->reader;
	struct sw_value value = search->out->list.items[number].value, field, held;

	if (sw_value_field(reader, value, "key", &field))
		search->out->list.items[number].key = key_of(search, field.addr);
	if (sw_value_behind(reader, value, "val", &held))
		search->out->list.items[number].held =
			sw_heap_object(search->live->heap, held.addr);
}
