/* find TYPE: instances of a type. */
#include "command/command.h"
#include "command/naming.h"

#include <fnmatch.h>
#include <inttypes.h>

struct found {
	sw_object object;
	uint64_t retained;
};
SW_VECTOR(struct found, found_list);

/* Which types match: by number. A name that is a type's own is that type alone. Looking at types
 * can add some, which no object has. */
static bool *match_types(const struct sw_live *live, const char *pattern, size_t *matched)
{
	uint32_t count = sw_types_count(live->types);
	bool *matches = calloc(count + 1, sizeof(*matches));
	*matched = 0;
	for (uint32_t i = 1; matches && i < count; i++) {
		matches[i] = !strcmp(sw_naming_type_name(live, i), pattern);
		*matched += matches[i];
	}
	bool is_name = *matched;
	for (uint32_t i = 1; matches && !is_name && i < count; i++) {
		matches[i] = !fnmatch(pattern, sw_naming_type_name(live, i), 0);
		*matched += matches[i];
	}
	return matches;
}

static struct sw_error *collect(const struct sw_live *live, const struct sw_dominators *dominators,
				const bool *matches, struct found_list *list, uint64_t *bytes)
{
	struct sw_object_walk walk = {0};
	struct sw_error *error = NULL;
	while (!error && sw_object_walk_next(&walk, live->heap)) {
		if (!matches[sw_live_type(live, walk.object)])
			continue;
		*bytes += walk.span->elemsize;
		error = found_list_add(
			list, (struct found){walk.object, dominators->retained_bytes[walk.object]});
	}
	return error;
}

static int by_retained(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	if (x->retained != y->retained)
		return x->retained < y->retained ? 1 : -1;
	return (x->object > y->object) - (x->object < y->object);
}

static void add_report(struct sw_report *report, const struct sw_live *live, const char *pattern,
		       const struct found_list *list, uint64_t bytes, uint64_t limit)
{
	char count[32], size[16];
	sw_report_sentence(report, "%s live objects of type %s, %s.",
			   sw_text_count(list->count, count), pattern, sw_text_bytes(bytes, size));
	sw_report_count(report, "objects", list->count);
	sw_report_summary(report, "total_bytes", sw_json_bytes(bytes));
	sw_report_table(report, "objects", "address size_bytes retained_bytes type");
	for (size_t i = 0; i < list->count && i < limit; i++) {
		json_t *row = sw_naming_object(live, list->items[i].object);
		json_object_set_new(row, "retained_bytes", sw_json_bytes(list->items[i].retained));
		sw_report_row(report, "objects", row);
	}
	sw_report_omitted(report, "objects", list->count, limit);
	if (list->count)
		sw_report_next(report, "who-holds 0x%" PRIx64,
			       sw_heap_address(live->heap, list->items[0].object));
}

static struct sw_error *run(struct sw_session *session, const struct sw_arguments *arguments,
			    struct sw_report *report)
{
	const char *pattern = arguments->positional[0];
	struct sw_live live;
	struct sw_dominators *dominators;
	struct found_list list = {0};
	uint64_t bytes = 0;
	size_t matched = 0;

	struct sw_error *error = sw_session_analyse(session);
	if (!error)
		error = sw_session_live_graph(session, &live);
	if (!error)
		error = sw_session_dominators(session, &dominators);
	if (error)
		return error;
	bool *matches = match_types(&live, pattern, &matched);
	if (!matches)
		return sw_error_memory();
	if (!matched)
		error = sw_error_hint(
			sw_error_format(SW_ERR_NOT_FOUND, "no object has the type %s", pattern),
			"heap-types --limit 0 lists the types; patterns may use * and ?");
	if (!error)
		error = collect(&live, dominators, matches, &list, &bytes);
	if (!error) {
		if (list.count)
			qsort(list.items, list.count, sizeof(*list.items), by_retained);
		add_report(report, &live, pattern, &list, bytes, sw_arguments_limit(arguments));
	}
	found_list_free(&list);
	free(matches);
	return error;
}

const struct sw_command sw_command_find_type = {
	.name = "find",
	.usage = "TYPE",
	.positionals = 1,
	.summary = "instances of a type, those that retain most first",
	.help = "Live objects whose type is TYPE, as heap-types names it, or a pattern with * and "
		"?. Sorted by what they retain.",
	.example = "spanwalk find app.core 'main.*session'",
	.run = run,
};
