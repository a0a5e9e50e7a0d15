/* Which contexts there are, and what derives from what. */
#include "base/bitset.h"
#include "go/wait.h"
#include "library/context_private.h"

enum { MAX_NESTING = 4 }; /* of embedded structs */

SW_VECTOR(uint32_t, number_list);

/* ---- types ---- */

static const char *const names[] = {
	"context.backgroundCtx",
	"context.todoCtx",
	"context.cancelCtx",
	"context.timerCtx",
	"context.valueCtx",
	"context.afterFuncCtx",
	"context.withoutCancelCtx",
	"context.stopCtx",
	"os/signal.signalCtx",
	"context.emptyCtx",
	NULL,
};
static const enum sw_context_kind kinds[] = {
	SW_CONTEXT_BACKGROUND,	   SW_CONTEXT_TODO,  SW_CONTEXT_CANCEL,
	SW_CONTEXT_DEADLINE,	   SW_CONTEXT_VALUE, SW_CONTEXT_AFTER_FUNC,
	SW_CONTEXT_WITHOUT_CANCEL, SW_CONTEXT_STOP,  SW_CONTEXT_SIGNAL,
	SW_CONTEXT_BACKGROUND,
};

static enum sw_context_kind kind_of(const struct sw_context_search *search, sw_type type)
{
	const struct sw_type_info *info = sw_context_info(search, type);

	for (unsigned i = 0; names[i]; i++) {
		const char *slash = strrchr(names[i], '/'), *name = slash ? slash + 1 : names[i];
		size_t package = (size_t)(strchr(name, '.') - names[i]);
		/* Of another package whose path ends in the same word it is not. */
		if (!strcmp(info->name, name) &&
		    (!strchr(info->package, '/') || (strlen(info->package) == package &&
						     !strncmp(info->package, names[i], package))))
			return kinds[i];
	}
	return SW_CONTEXT_CUSTOM;
}

static bool is_context_interface(const struct sw_type_info *info)
{
	return info->kind == SW_KIND_INTERFACE && !strcmp(info->name, "context.Context");
}

/* Does the struct embed a Context, in itself or in a struct that it embeds? */
static bool embeds_context(const struct sw_context_search *search, const struct sw_type_info *info,
			   unsigned depth)
{
	for (uint32_t i = 0; info->kind == SW_KIND_STRUCT && i < info->field_count; i++) {
		const struct sw_type_info *field = sw_context_info(search, info->fields[i].type);
		if (info->fields[i].is_embedded &&
		    (is_context_interface(field) ||
		     (depth < MAX_NESTING && embeds_context(search, field, depth + 1))))
			return true;
	}
	return false;
}

static int wants_custom(void *context, const struct sw_type_info *info)
{
	return embeds_context(context, info, 0) ? SW_CONTEXT_CUSTOM : -1;
}

/* ---- one context ---- */

/* The number of the context at an address, which is added when it is new. */
uint32_t sw_context_add(struct sw_context_search *search, struct sw_value value)
{
	struct sw_contexts *out = search->out;
	bool is_empty = !sw_context_info(search, value.type)->size;
	/* All values of a type without size are one, and may be where others are. */
	uint64_t key = is_empty ? UINT64_MAX - value.type : value.addr;
	const uint32_t *known = sw_context_numbers_find(&out->by_address, key);
	struct sw_context context = {
		.value = value,
		.object = is_empty ? SW_NO_OBJECT : sw_heap_object(search->live->heap, value.addr),
		.kind = kind_of(search, value.type),
		.parent = SW_NO_CONTEXT,
		.canceller = SW_NO_CONTEXT,
		.key = SW_NO_CONTEXT,
		.held = SW_NO_OBJECT,
		.registered = SW_NO_CONTEXT,
		.timer = SW_NO_CONTEXT,
		.broken_by = SW_NO_CONTEXT,
		.broken_from = SW_NO_CONTEXT,
	};

	if (known)
		return *known - 1;
	if (out->list.count >= SW_NO_CONTEXT - 1 || search->error)
		return SW_NO_CONTEXT;
	search->error = sw_context_list_add(&out->list, context);
	if (!search->error)
		search->error =
			sw_context_numbers_set(&out->by_address, key, (uint32_t)out->list.count);
	return search->error ? SW_NO_CONTEXT : (uint32_t)out->list.count - 1;
}

/* What is part of a context is none of its own. */
static struct sw_error *visit(void *context, const struct sw_instance *instance)
{
	struct sw_context_search *search = context;
	uint64_t size = sw_context_info(search, search->outer.type)->size;

	if (search->outer.type && instance->value.addr - search->outer.addr < size)
		return NULL;
	if (!sw_context_info(search, instance->value.type)->size ||
	    sw_context_numbers_find(&search->parts, instance->value.addr))
		return NULL;
	search->outer = instance->value;
	sw_context_add(search, instance->value);
	return search->error;
}

/* The struct that is embedded, or that an embedded pointer leads to. */
static bool embedded_struct(const struct sw_context_search *search, struct sw_value value,
			    struct sw_value *out)
{
	*out = value;
	return sw_context_info(search, value.type)->kind == SW_KIND_STRUCT ||
	       (sw_value_pointee(&search->live->reader, value, NULL, out) &&
		sw_context_info(search, out->type)->kind == SW_KIND_STRUCT);
}

/* The Context that a value embeds, and so hands its methods on to; else the only one it has. */
static bool find_interface(const struct sw_context_search *search, struct sw_value value,
			   unsigned depth, struct sw_value *out)
{
	const struct sw_type_info *info = sw_context_info(search, value.type);
	struct sw_value inner;
	unsigned others = 0;

	for (uint32_t i = 0; info->kind == SW_KIND_STRUCT && i < info->field_count; i++) {
		const struct sw_type_field *field = &info->fields[i];
		struct sw_value part = {field->type, value.addr + field->offset};
		bool is_context = is_context_interface(sw_context_info(search, field->type));
		if (is_context) {
			*out = part;
			others++;
		}
		if (field->is_embedded &&
		    (is_context || (depth < MAX_NESTING && embedded_struct(search, part, &inner) &&
				    find_interface(search, inner, depth + 1, out))))
			return true;
	}
	return others == 1;
}

static void find_parent(struct sw_context_search *search, uint32_t number)
{
	struct sw_value interface, parent;

	if (find_interface(search, search->out->list.items[number].value, 0, &interface) &&
	    sw_value_behind(&search->live->reader, interface, NULL, &parent)) {
		uint32_t found = sw_context_add(search, parent);
		search->out->list.items[number].parent = found == number ? SW_NO_CONTEXT : found;
	}
}

/* ---- all of them ---- */

static void read_context(struct sw_context_search *search, uint32_t number)
{
	find_parent(search, number);
	if (!search->error)
		sw_context_read_cancel(search, number);
	struct sw_context *context = &search->out->list.items[number];
	if (!search->error && context->kind == SW_CONTEXT_DEADLINE)
		sw_context_read_deadline(search, context);
	if (!search->error && context->kind == SW_CONTEXT_VALUE)
		sw_context_read_value(search, number);
}

static struct sw_error *visit_deadline(void *context, const struct sw_instance *instance)
{
	struct sw_context_search *search = context;
	struct sw_value part;
	if (!sw_value_pointee(&search->live->reader, instance->value, "cancelCtx", &part))
		return NULL;
	return sw_context_numbers_set(&search->parts, part.addr, 1);
}

/* In 1.20 the cancelCtx of a timerCtx is an object, which looks like a context of its own. */
static struct sw_error *find_parts(struct sw_context_search *search)
{
	static const char *const deadlines[] = {"context.timerCtx", NULL};
	enum { WITH_PARTS = 20 };
	return search->live->go->minor == WITH_PARTS
		       ? sw_live_instances(search->live, deadlines, NULL, visit_deadline, search)
		       : NULL;
}

static struct sw_error *find_instances(struct sw_context_search *search)
{
	return sw_live_instances(search->live, names, wants_custom, visit, search);
}

static struct sw_error *count_waits_of(struct sw_context_search *search,
				       const struct sw_go_wait *wait)
{
	const struct sw_go_blocker *blockers = sw_go_wait_blockers(search->live->go->waits, wait);
	struct sw_error *error = NULL;

	for (uint32_t i = 0; !error && i < wait->count; i++) {
		const uint32_t *known =
			sw_context_numbers_find(&search->waiters, blockers[i].object);
		if (!blockers[i].is_send)
			error = sw_context_numbers_set(&search->waiters, blockers[i].object,
						       known ? *known + 1 : 1);
	}
	return error;
}

/* Those of package context itself are told of apart. */
static struct sw_error *count_waiters(struct sw_context_search *search)
{
	const struct sw_go_waits *waits = search->live->go->waits;
	const struct sw_context_goroutines *own = &search->out->goroutines;
	struct sw_error *error = NULL;
	size_t next = 0;

	for (size_t i = 0; !error && waits && i < waits->list.count; i++)
		if (next < own->count && own->items[next].goroutine == i)
			next++;
		else
			error = count_waits_of(search, &waits->list.items[i]);
	return error;
}

static struct sw_error *list_timers(struct sw_context_search *search)
{
	const struct sw_timers *timers = &search->out->timers;
	struct sw_error *error =
		sw_timers_find(search->live, search->warnings, &search->out->timers);

	for (size_t i = 0; !error && i < timers->count; i++)
		if (timers->items[i].object != SW_NO_OBJECT)
			error = sw_context_numbers_set(&search->timers,
						       (uint64_t)timers->items[i].object + 1,
						       (uint32_t)i);
	return error;
}

/* ---- along the parents ---- */

static struct sw_error *measure(void *contexts, uint32_t number)
{
	struct sw_context *list = ((struct sw_contexts *)contexts)->list.items;
	struct sw_context *context = &list[number];
	const struct sw_context *parent =
		context->parent == SW_NO_CONTEXT ? NULL : &list[context->parent];

	if (context->kind == SW_CONTEXT_VALUE)
		context->depth = 1 + (parent ? parent->depth : 0);
	if (parent && context->kind != SW_CONTEXT_WITHOUT_CANCEL)
		context->canceller = parent->has_cancel ? context->parent : parent->canceller;
	return NULL;
}

static struct sw_error *end(void *contexts, uint32_t number)
{
	struct sw_context *list = ((struct sw_contexts *)contexts)->list.items;
	struct sw_context *context = &list[number];

	if (context->has_cancel)
		context->is_over = context->is_done;
	else if (context->parent != SW_NO_CONTEXT && !context->hides_end &&
		 context->kind != SW_CONTEXT_WITHOUT_CANCEL)
		context->is_over = list[context->parent].is_over;
	return NULL;
}

struct sw_error *sw_contexts_from_above(const struct sw_contexts *contexts, sw_visit_context *visit,
					void *context)
{
	size_t count = contexts->list.count;
	uint64_t *met = calloc(sw_bitset_words(count + 1), sizeof(*met));
	struct number_list path = {0};
	struct sw_error *error = met ? NULL : sw_error_memory();

	for (uint32_t i = 0; !error && i < count; i++) {
		for (uint32_t at = i; !error && at != SW_NO_CONTEXT && !sw_bitset_has(met, at);
		     at = contexts->list.items[at].parent) {
			sw_bitset_set(met, at);
			error = number_list_add(&path, at);
		}
		while (!error && path.count)
			error = visit(context, path.items[--path.count]);
	}
	number_list_free(&path);
	free(met);
	return error;
}

static struct sw_error *find_all(struct sw_context_search *search)
{
	struct sw_contexts *out = search->out;
	struct sw_error *error = sw_contexts_find_goroutines(search->live, out);
	if (!error)
		error = count_waiters(search);
	if (!error)
		error = list_timers(search);
	if (!error)
		error = find_parts(search);
	if (!error)
		error = find_instances(search);
	/* Reading one may add others. */
	for (uint32_t i = 0; !error && i < out->list.count; i++) {
		read_context(search, i);
		error = search->error;
	}
	if (!error)
		error = sw_contexts_from_above(out, measure, out);
	if (!error)
		error = sw_contexts_find_uses(search->live, out);
	return error ? error : sw_contexts_from_above(out, end, out);
}

struct sw_error *sw_contexts_find(const struct sw_live *live, struct sw_warnings *warnings,
				  struct sw_contexts *out)
{
	struct sw_context_search search = {.live = live, .warnings = warnings, .out = out};

	memset(out, 0, sizeof(*out));
	struct sw_error *error = find_all(&search);
	sw_context_numbers_free(&search.keys);
	sw_context_numbers_free(&search.parts);
	sw_context_numbers_free(&search.waiters);
	sw_context_numbers_free(&search.timers);
	if (error)
		sw_contexts_free(out);
	return error;
}

void sw_contexts_free(struct sw_contexts *contexts)
{
	for (size_t i = 0; i < contexts->keys.count; i++)
		free(contexts->keys.items[i].text);
	sw_context_keys_free(&contexts->keys);
	sw_context_list_free(&contexts->list);
	sw_context_goroutines_free(&contexts->goroutines);
	sw_timers_free(&contexts->timers);
	sw_context_numbers_free(&contexts->by_address);
}

/* ---- asking ---- */

const char *sw_context_kind_word(enum sw_context_kind kind)
{
	static const char *const words[SW_CONTEXT_KINDS] = {
		"background", "todo",		"cancel", "deadline", "value",
		"after func", "without cancel", "stop",	  "signal",   "custom"};
	return kind < SW_CONTEXT_KINDS ? words[kind] : "?";
}
