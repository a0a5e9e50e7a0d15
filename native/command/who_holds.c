/* who-holds ADDR: every root that keeps an object alive, and a path from each. */
#include "command/command.h"
#include "command/holder_words.h"

#include "library/words.h"

#include <inttypes.h>

/* Were there words for it? */
static bool add_path(struct sw_report *report, const struct sw_live *live,
		     const struct sw_path *path)
{
	json_t *row = json_object();
	const struct sw_go_root *root = sw_naming_root(live, path->nodes[0]);
	char *expression = sw_naming_expression(live, path);

	json_object_set_new(row, "root", sw_json_string(root->name));
	json_object_set_new(row, "kind", json_string(sw_naming_root_kind(root->kind)));
	json_object_set_new(row, "length_steps", json_integer((json_int_t)path->count - 1));
	json_object_set_new(row, "expression", sw_json_string(expression));
	json_object_set_new(row, "path", sw_naming_steps(live, path));
	char *words = sw_holder_words_on(live, path);
	bool has_words = words && *words;
	json_object_set_new(row, "through", has_words ? sw_json_string(words) : json_null());
	sw_report_row(report, "paths", row);
	free(expression);
	free(words);
	return has_words;
}

/* What the object is, and through what it is held on the nearest path. */
static void add_words(struct sw_report *report, const struct sw_live *live, sw_object object,
		      const struct sw_path *nearest)
{
	struct sw_value value = {sw_live_type(live, object), sw_live_start(live, object)};
	char own[SW_LIBRARY_WORDS];

	if (sw_library_words(live, value, own, sizeof(own)))
		sw_report_sentence(report, "It is %s.", own);
	char *words = sw_holder_words_on(live, nearest);
	if (words && *words)
		sw_report_sentence(report, "On the way there: %s.", words);
	free(words);
}

static void add_sentence(struct sw_report *report, const struct sw_live *live, sw_object object,
			 const struct sw_path *paths, size_t reached)
{
	char size[16];
	sw_addr address = sw_heap_address(live->heap, object);
	const char *type = sw_naming_type_name(live, sw_live_type(live, object));
	char *expression = reached ? sw_naming_expression(live, &paths[0]) : NULL;

	sw_text_bytes(sw_heap_size(live->heap, object), size);
	if (reached == 1)
		sw_report_sentence(report, "The %s of %s at 0x%" PRIx64 " is held by one root: %s.",
				   type, size, address, expression ? expression : "?");
	else
		sw_report_sentence(report,
				   "The %s of %s at 0x%" PRIx64
				   " is held by %zu roots, most closely: %s.",
				   type, size, address, reached, expression ? expression : "?");
	free(expression);
	if (reached)
		add_words(report, live, object, &paths[0]);
	sw_report_next(report, "retained 0x%" PRIx64, address);
}

static void add_all(struct sw_report *report, const struct sw_live *live, sw_object object,
		    const struct sw_path *paths, size_t count, size_t reached)
{
	add_sentence(report, live, object, paths, reached);
	sw_report_summary(report, "object", sw_naming_object(live, object));
	sw_report_count(report, "roots", reached);
	sw_report_table(report, "paths", "kind length_steps expression");
	bool has_words = false;
	for (size_t i = 0; i < count; i++)
		has_words |= add_path(report, live, &paths[i]);
	if (has_words)
		sw_report_table(report, "paths", "kind length_steps expression through");
	sw_report_omitted(report, "paths", reached, count);
}

static struct sw_error *run(struct sw_session *session, const struct sw_arguments *arguments,
			    struct sw_report *report)
{
	struct sw_live live;
	struct sw_path *paths = NULL;
	size_t count = 0, reached = 0;
	sw_addr address;
	sw_object object;
	uint64_t limit = sw_arguments_limit(arguments);

	struct sw_error *error = sw_arguments_address(arguments, 0, &address);
	if (!error)
		error = sw_session_live_graph(session, &live);
	if (!error)
		error = sw_naming_find(&live, address, &object);
	if (!error)
		error = sw_paths_to(live.graph, object, limit == UINT64_MAX ? 0 : limit,
				    sw_session_work(session), &paths, &count, &reached);
	if (error)
		return error;
	add_all(report, &live, object, paths, count, reached);
	for (size_t i = 0; i < count; i++)
		sw_path_free(&paths[i]);
	free(paths);
	return NULL;
}

const struct sw_command sw_command_who_holds = {
	.name = "who-holds",
	.usage = "ADDR",
	.positionals = 1,
	.summary = "every root that keeps an object alive, with a path from each",
	.help = "For the object at ADDR (any address inside it): each root that reaches it, with a "
		"shortest path, written as a Go expression. Pointers are followed silently, as Go "
		"does for fields: main.sessions[\"k\"].parser.buf.",
	.example = "spanwalk who-holds app.core 0xc000123000",
	.run = run,
};
