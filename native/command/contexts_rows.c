#include "command/contexts_rows.h"

#include "report/text.h"

#include <inttypes.h>

enum {
	MAX_STEPS = 1 << 20, /* of all paths that are told */
	MAX_IDS = 32,	     /* addresses, goids in a row */
	MAX_INDENT = 24,     /* levels of the tree that are indented */
	MAX_KEY_TEXT = 160,
};

static const char *type_name(const struct sw_contexts_view *view, sw_type type)
{
	return sw_naming_type_name(view->live, type);
}

static json_t *seconds_to(const struct sw_contexts_view *view, int64_t deadline)
{
	return deadline && view->now ? json_real(1e-9 * ((double)deadline - (double)view->now))
				     : json_null();
}

/* ---- keys ---- */

static const struct sw_context_key *key_at(const struct sw_contexts_view *view, uint32_t key)
{
	return key < view->contexts->keys.count ? &view->contexts->keys.items[key] : NULL;
}

const char *sw_contexts_key_text(const struct sw_contexts_view *view, uint32_t number, char *out,
				 size_t size)
{
	const struct sw_context_key *key = key_at(view, number);
	snprintf(out, size, "%s%s%s", key ? type_name(view, key->type) : "?", key ? " " : "",
		 key ? key->text : "");
	return out;
}

static void set_key(const struct sw_contexts_view *view, json_t *row, uint32_t number)
{
	const struct sw_context_key *key = key_at(view, number);
	json_object_set_new(row, "key_type",
			    key ? sw_json_string(type_name(view, key->type)) : json_null());
	json_object_set_new(row, "key", key ? sw_json_string(key->text) : json_null());
}

/* ---- the tree ---- */

static json_t *addresses_of(const struct sw_contexts_view *view,
			    const struct sw_context_cluster *cluster)
{
	json_t *addresses = json_array();
	for (size_t i = 0; i < cluster->count && i < MAX_IDS; i++)
		json_array_append_new(
			addresses,
			sw_json_address(
				view->contexts->list.items[cluster->members[i]].value.addr));
	return addresses;
}

static json_t *cluster_row(const struct sw_contexts_view *view, uint32_t index)
{
	const struct sw_context_cluster *cluster = &view->tree->clusters.items[index];
	const struct sw_context *first = sw_context_first(view->tree, cluster);
	json_t *row = json_object();

	json_object_set_new(row, "id", sw_json_count(index));
	json_object_set_new(row, "parent_id",
			    cluster->parent == SW_NO_CONTEXT ? json_null()
							     : sw_json_count(cluster->parent));
	json_object_set_new(row, "depth", sw_json_count(cluster->depth));
	json_object_set_new(row, "contexts", sw_json_count(cluster->count));
	json_object_set_new(row, "kind", json_string(sw_context_kind_word(first->kind)));
	json_object_set_new(row, "type", sw_json_string(sw_context_type(view->live, first)));
	set_key(view, row, first->key);
	json_object_set_new(row, "state", json_string(sw_context_state_word(cluster->state)));
	json_object_set_new(row, "children", sw_json_count(cluster->children));
	json_object_set_new(row, "waiters", sw_json_count(cluster->waiters));
	json_object_set_new(row, "first_deadline_seconds",
			    seconds_to(view, cluster->first_deadline));
	json_object_set_new(row, "last_deadline_seconds", seconds_to(view, cluster->last_deadline));
	json_object_set_new(row, "value_depth", sw_json_count(cluster->value_depth));
	json_object_set_new(row, "retained_bytes", sw_json_bytes(cluster->retained.bytes));
	json_object_set_new(row, "retained_objects", sw_json_count(cluster->retained.objects));
	json_object_set_new(row, "addresses", addresses_of(view, cluster));
	return row;
}

static void put_deadlines(const struct sw_contexts_view *view,
			  const struct sw_context_cluster *cluster, FILE *out)
{
	bool is_over = cluster->state >= SW_CONTEXT_CANCELLED;
	json_t *seconds = seconds_to(view, cluster->first_deadline);
	char *text = json_is_null(seconds) || is_over ? NULL
						      : sw_text_value("deadline_seconds", seconds);
	if (text)
		fprintf(out, ", %s %s", cluster->count == 1 ? "ends in" : "the first ends in",
			text);
	free(text);
	json_decref(seconds);
}

/* "  1,000 × context.cancelCtx, abandoned, 3 children, retain 4.1 MiB" */
static void put_cluster(const struct sw_contexts_view *view, uint32_t index, FILE *out)
{
	const struct sw_context_cluster *cluster = &view->tree->clusters.items[index];
	const struct sw_context *first = sw_context_first(view->tree, cluster);
	uint32_t depth = cluster->depth < MAX_INDENT ? cluster->depth : MAX_INDENT;
	char count[32], bytes[16], key[MAX_KEY_TEXT];

	fprintf(out, "%*s%s × %s", 2 * (int)depth + 2, "", sw_text_count(cluster->count, count),
		sw_context_type(view->live, first));
	if (first->kind == SW_CONTEXT_VALUE)
		fprintf(out, " of %s", sw_contexts_key_text(view, first->key, key, sizeof(key)));
	if (cluster->state != SW_CONTEXT_OPEN)
		fprintf(out, ", %s", sw_context_state_word(cluster->state));
	if (cluster->children)
		fprintf(out, ", %s child%s", sw_text_count(cluster->children, count),
			cluster->children == 1 ? "" : "ren");
	if (cluster->waiters)
		fprintf(out, ", %s goroutine%s wait%s", sw_text_count(cluster->waiters, count),
			cluster->waiters == 1 ? "" : "s", cluster->waiters == 1 ? "s" : "");
	if (cluster->value_depth > 1)
		fprintf(out, ", up to %s in a row", sw_text_count(cluster->value_depth, count));
	put_deadlines(view, cluster, out);
	if (cluster->retained.bytes)
		fprintf(out, ", retain%s %s", cluster->count == 1 ? "s" : "",
			sw_text_bytes(cluster->retained.bytes, bytes));
	if (cluster->count == 1 && first->object != SW_NO_OBJECT)
		fprintf(out, " (0x%" PRIx64 ")", first->value.addr);
	fputc('\n', out);
}

static struct sw_error *add_tree(const struct sw_contexts_view *view)
{
	size_t count = view->tree->clusters.count,
	       shown = sw_arguments_shown(view->arguments, count), size;
	char *text = NULL;
	FILE *lines = open_memstream(&text, &size);

	if (!lines)
		return sw_error_memory();
	sw_report_table(view->report, "tree", NULL);
	fputs("tree:\n", lines);
	for (size_t i = 0; i < shown; i++) {
		sw_report_row(view->report, "tree", cluster_row(view, view->tree->order[i]));
		put_cluster(view, view->tree->order[i], lines);
	}
	fclose(lines);
	if (shown)
		sw_report_listing(view->report, "tree", text);
	free(text);
	sw_report_omitted(view->report, "tree", count, sw_arguments_limit(view->arguments));
	return NULL;
}

/* ---- parents ---- */

struct parent {
	uint32_t context;
	uint64_t children, lost, abandoned;
};
SW_VECTOR(struct parent, parents);

static int by_children(const void *a, const void *b)
{
	const struct parent *x = a, *y = b;
	if (x->children != y->children)
		return x->children < y->children ? 1 : -1;
	return (x->context > y->context) - (x->context < y->context);
}

static struct sw_error *list_parents(const struct sw_contexts *contexts, struct parents *out)
{
	size_t count = contexts->list.count;
	uint32_t *place = calloc(count + 1, sizeof(*place)); /* + 1 */
	struct sw_error *error = place ? NULL : sw_error_memory();

	for (uint32_t i = 0; !error && i < count; i++) {
		uint64_t children = contexts->list.items[i].children.count;
		if (!children)
			continue;
		error = parents_add(out, (struct parent){i, children, 0, 0});
		place[i] = (uint32_t)out->count;
	}
	for (uint32_t i = 0; !error && i < count; i++) {
		const struct sw_context *child = &contexts->list.items[i];
		if (child->registered == SW_NO_CONTEXT || !place[child->registered])
			continue;
		out->items[place[child->registered] - 1].lost += child->is_lost;
		out->items[place[child->registered] - 1].abandoned += child->is_abandoned;
	}
	free(place);
	if (!error && out->count)
		qsort(out->items, out->count, sizeof(*out->items), by_children);
	return error;
}

/* Who holds it, as an expression; null when the way there is longer than *steps, from which it is
 * taken: contexts in contexts may be as many as there are rows. */
static json_t *holder_of(const struct sw_contexts_view *view, const struct sw_context *context,
			 uint64_t *steps)
{
	struct sw_path path = {0};
	char *text = NULL;

	if (context->object == SW_NO_OBJECT || !*steps)
		return json_null();
	struct sw_error *error = sw_path_shortest(view->live->graph, context->object, &path);
	*steps = path.count < *steps ? *steps - path.count : 0;
	if (!error && *steps)
		text = sw_naming_expression(view->live, &path);
	sw_error_free(error);
	sw_path_free(&path);
	return text ? sw_json_take_string(text) : json_null();
}

static json_t *parent_row(const struct sw_contexts_view *view, const struct parent *parent,
			  uint64_t *steps)
{
	const struct sw_context *context = &view->contexts->list.items[parent->context];
	json_t *row = json_object();

	json_object_set_new(row, "children", sw_json_count(parent->children));
	json_object_set_new(row, "lost_children", sw_json_count(parent->lost));
	json_object_set_new(row, "abandoned_children", sw_json_count(parent->abandoned));
	json_object_set_new(row, "map_bytes", sw_json_bytes(context->children.bytes));
	json_object_set_new(row, "type", sw_json_string(sw_context_type(view->live, context)));
	json_object_set_new(row, "address", sw_json_address(context->value.addr));
	json_object_set_new(row, "path", holder_of(view, context, steps));
	return row;
}

static struct sw_error *add_parents(const struct sw_contexts_view *view)
{
	struct parents parents = {0};
	uint64_t steps = MAX_STEPS;
	struct sw_error *error = list_parents(view->contexts, &parents);

	sw_report_table(view->report, "parents",
			"children lost_children abandoned_children map_bytes type address path");
	for (size_t i = 0; !error && i < sw_arguments_shown(view->arguments, parents.count); i++)
		sw_report_row(view->report, "parents", parent_row(view, &parents.items[i], &steps));
	sw_report_omitted(view->report, "parents", parents.count,
			  sw_arguments_limit(view->arguments));
	if (!steps)
		sw_warn(view->warnings, false, "long_paths", NULL,
			"who holds some parents is not told: the paths there are too long");
	parents_free(&parents);
	return error;
}

/* ---- values ---- */

struct key_sum {
	uint32_t key;
	uint64_t contexts;
	sw_type held; /* the type of all values; 0: several, or unknown */
	bool is_mixed;
	struct sw_objects objects;
	struct sw_retained retained;
};

static int by_retained(const void *a, const void *b)
{
	const struct key_sum *x = a, *y = b;
	if (x->retained.bytes != y->retained.bytes)
		return x->retained.bytes < y->retained.bytes ? 1 : -1;
	if (x->contexts != y->contexts)
		return x->contexts < y->contexts ? 1 : -1;
	return (x->key > y->key) - (x->key < y->key);
}

static struct sw_error *sum_keys(const struct sw_contexts_view *view, struct key_sum *sums)
{
	const struct sw_contexts *contexts = view->contexts;
	struct sw_error *error = NULL;

	for (uint32_t i = 0; i < contexts->keys.count; i++)
		sums[i].key = i;
	for (size_t i = 0; !error && i < contexts->list.count; i++) {
		const struct sw_context *context = &contexts->list.items[i];
		if (context->key >= contexts->keys.count)
			continue;
		struct key_sum *sum = &sums[context->key];
		if (context->held != SW_NO_OBJECT) {
			sw_type type = sw_live_type(view->live, context->held);
			sum->is_mixed |= sum->objects.count && sum->held != type;
			sum->held = type;
			error = sw_objects_add(&sum->objects, context->held);
		}
		sum->contexts++;
	}
	for (size_t i = 0; !error && i < contexts->keys.count; i++)
		error = sw_live_retained_set(view->live, sums[i].objects.items,
					     sums[i].objects.count, &sums[i].retained);
	return error;
}

static json_t *key_row(const struct sw_contexts_view *view, const struct key_sum *sum)
{
	json_t *row = json_object();

	json_object_set_new(row, "contexts", sw_json_count(sum->contexts));
	set_key(view, row, sum->key);
	json_object_set_new(row, "value_type",
			    sum->held && !sum->is_mixed ? sw_json_string(type_name(view, sum->held))
							: json_null());
	json_object_set_new(row, "value_bytes", sw_json_bytes(sum->retained.bytes));
	json_object_set_new(row, "value_objects", sw_json_count(sum->retained.objects));
	return row;
}

static struct sw_error *add_keys(const struct sw_contexts_view *view)
{
	size_t count = view->contexts->keys.count;
	struct key_sum *sums = calloc(count + 1, sizeof(*sums));
	struct sw_error *error = sums ? sum_keys(view, sums) : sw_error_memory();

	sw_report_table(view->report, "keys", "contexts key_type key value_type value_bytes");
	if (!error)
		qsort(sums, count, sizeof(*sums), by_retained);
	for (size_t i = 0; !error && i < sw_arguments_shown(view->arguments, count); i++)
		sw_report_row(view->report, "keys", key_row(view, &sums[i]));
	sw_report_omitted(view->report, "keys", count, sw_arguments_limit(view->arguments));
	for (size_t i = 0; sums && i < count; i++)
		sw_objects_free(&sums[i].objects);
	free(sums);
	return error;
}

/* ---- goroutines ---- */

static void add_goroutines(const struct sw_contexts_view *view)
{
	static const char *const words[SW_CONTEXT_GOROUTINE_KINDS] = {
		"wait to pass on the end of a parent", "run the function of an AfterFunc",
		"wait for a signal"};
	const struct sw_context_goroutines *all = &view->contexts->goroutines;

	sw_report_table(view->report, "goroutines", "goroutines what goids#8");
	for (unsigned kind = 0; kind < SW_CONTEXT_GOROUTINE_KINDS; kind++) {
		json_t *row = json_object(), *goids = json_array();
		uint64_t count = 0;
		for (size_t i = 0; i < all->count; i++) {
			if (all->items[i].kind != kind)
				continue;
			if (count++ < MAX_IDS)
				json_array_append_new(
					goids, sw_json_count(view->live->go->goroutines
								     .items[all->items[i].goroutine]
								     .goid));
		}
		json_object_set_new(row, "goroutines", sw_json_count(count));
		json_object_set_new(row, "what", json_string(words[kind]));
		json_object_set_new(row, "goids", goids);
		if (count)
			sw_report_row(view->report, "goroutines", row);
		else
			json_decref(row);
	}
}

/* ---- each ---- */

static json_t *context_row(const struct sw_contexts_view *view, uint32_t index)
{
	const struct sw_context *context = &view->contexts->list.items[index];
	const struct sw_context *parent = context->parent == SW_NO_CONTEXT
						  ? NULL
						  : &view->contexts->list.items[context->parent];
	json_t *row = json_object();

	json_object_set_new(row, "address", sw_json_address(context->value.addr));
	json_object_set_new(row, "kind", json_string(sw_context_kind_word(context->kind)));
	json_object_set_new(row, "type", sw_json_string(sw_context_type(view->live, context)));
	set_key(view, row, context->key);
	json_object_set_new(
		row, "state",
		json_string(sw_context_state_word(sw_context_state(view->contexts, index))));
	json_object_set_new(row, "children", sw_json_count(context->children.count));
	json_object_set_new(row, "waiters", sw_json_count(context->waiters));
	json_object_set_new(row, "deadline_seconds", seconds_to(view, context->deadline));
	json_object_set_new(row, "holders", sw_json_count(context->uses));
	json_object_set_new(row, "parent_address",
			    parent ? sw_json_address(parent->value.addr) : json_null());
	json_object_set_new(row, "parent_type",
			    parent ? sw_json_string(sw_context_type(view->live, parent))
				   : json_null());
	json_object_set_new(row, "retained_bytes",
			    sw_json_bytes(sw_live_retained(view->live, context->value.addr)));
	return row;
}

static void add_each(const struct sw_contexts_view *view)
{
	size_t count = view->contexts->list.count;

	if (!sw_arguments_flag(view->arguments, "each"))
		return;
	sw_report_table(view->report, "contexts",
			"address kind type key state children waiters deadline_seconds "
			"parent_address retained_bytes");
	for (uint32_t i = 0; i < sw_arguments_shown(view->arguments, count); i++)
		sw_report_row(view->report, "contexts", context_row(view, i));
	sw_report_omitted(view->report, "contexts", count, sw_arguments_limit(view->arguments));
}

struct sw_error *sw_contexts_add_tables(const struct sw_contexts_view *view)
{
	struct sw_error *error = add_tree(view);
	if (!error)
		error = add_parents(view);
	if (!error)
		error = add_keys(view);
	if (!error) {
		add_goroutines(view);
		add_each(view);
	}
	return error;
}
