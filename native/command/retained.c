/* retained ADDR: what would go with it. */
#include "command/command.h"
#include "command/type_tally.h"

#include <inttypes.h>

/* Sets a bit for every object whose chain of dominators leads over `node`. */
struct subtree {
	const struct sw_dominators *dominators;
	uint64_t *inside, *outside;
};

static bool is_inside(struct subtree *subtree, sw_node node, sw_node super)
{
	sw_node at = node;
	while (at != super && !sw_bitset_has(subtree->inside, at) &&
	       !sw_bitset_has(subtree->outside, at))
		at = subtree->dominators->idom[at];
	bool inside = at != super && sw_bitset_has(subtree->inside, at);
	for (sw_node back = node; back != at; back = subtree->dominators->idom[back])
		sw_bitset_set(inside ? subtree->inside : subtree->outside, back);
	return inside;
}

static struct sw_error *tally_subtree(const struct sw_live *live,
				      const struct sw_dominators *dominators, sw_node top,
				      struct sw_type_tally *tally)
{
	size_t words = sw_bitset_words(live->graph->node_count);
	struct subtree subtree = {dominators, calloc(words, 8), calloc(words, 8)};
	struct sw_error *error = subtree.inside && subtree.outside ? NULL : sw_error_memory();

	struct sw_object_walk walk = {0};
	if (!error)
		sw_bitset_set(subtree.inside, top);
	while (!error && sw_object_walk_next(&walk, live->heap))
		if (is_inside(&subtree, walk.object, live->graph->super))
			sw_type_tally_add(tally, live, walk.object, walk.span->elemsize);
	free(subtree.inside);
	free(subtree.outside);
	return error;
}

static void add_report(struct sw_report *report, const struct sw_live *live,
		       const struct sw_dominators *dominators, sw_object object)
{
	char bytes[16], count[32];
	sw_addr address = sw_heap_address(live->heap, object);
	sw_report_sentence(report,
			   "Without the %s at 0x%" PRIx64 ", %s in %s objects would be free.",
			   sw_naming_type_name(live, sw_live_type(live, object)), address,
			   sw_text_bytes(dominators->retained_bytes[object], bytes),
			   sw_text_count(dominators->retained_objects[object], count));
	sw_report_summary(report, "object", sw_naming_object(live, object));
	sw_report_summary(report, "retained_bytes",
			  sw_json_bytes(dominators->retained_bytes[object]));
	sw_report_summary(report, "retained_objects",
			  json_integer(dominators->retained_objects[object]));
	sw_report_next(report, "who-holds 0x%" PRIx64, address);
}

static struct sw_error *run(struct sw_session *session, const struct sw_arguments *arguments,
			    struct sw_report *report)
{
	struct sw_live live;
	struct sw_dominators *dominators;
	struct sw_type_tally tally;
	sw_addr address;
	sw_object object;

	struct sw_error *error = sw_arguments_address(arguments, 0, &address);
	if (!error)
		error = sw_session_analyse(session);
	if (!error)
		error = sw_session_live_graph(session, &live);
	if (!error)
		error = sw_naming_find(&live, address, &object);
	if (!error)
		error = sw_session_dominators(session, &dominators);
	if (!error)
		error = sw_type_tally_init(&tally, &live);
	if (error)
		return error;
	error = tally_subtree(&live, dominators, object, &tally);
	if (!error) {
		sw_type_tally_sort(&tally, &live);
		add_report(report, &live, dominators, object);
		sw_type_tally_report(&tally, &live, report, "types", sw_arguments_limit(arguments),
				     dominators->retained_bytes[object]);
	}
	sw_type_tally_free(&tally);
	return error;
}

const struct sw_command sw_command_retained = {
	.name = "retained",
	.usage = "ADDR",
	.positionals = 1,
	.summary = "what would be free without an object",
	.help = "The retained size of the object at ADDR (any address inside it): its own bytes "
		"and those of every object that can be reached only through it, by type.",
	.example = "spanwalk retained app.core 0xc000123000",
	.run = run,
};
