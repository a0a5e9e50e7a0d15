/* heap-types: live memory by type. */
#include "command/command.h"
#include "command/type_tally.h"

/* Without debug information the code is asked what variables are. */
static void add_source(struct sw_report *report, const struct sw_typing *typing)
{
	char all[32], interfaces[32], code[32];
	sw_report_sentence(report,
			   "There is no debug information: of %s pointers of variables and frames "
			   "%s have their type from the code that uses them, %s from interfaces.",
			   sw_text_count(typing->root_pointers, all),
			   sw_text_count(typing->known_by_code, code),
			   sw_text_count(typing->known_by_interface, interfaces));
}

static void add_sentence(struct sw_report *report, const struct sw_live *live,
			 const struct sw_type_tally *tally, uint64_t typed_bytes)
{
	char all[16], bytes[16], count[32];
	uint64_t whole = live->heap->object_bytes;
	double typed = whole ? 100.0 * (double)typed_bytes / (double)whole : 100;
	if (tally->count)
		sw_report_sentence(report, "%s of %s live are %s %s.",
				   sw_text_bytes(tally->rows[0].bytes, bytes),
				   sw_text_bytes(whole, all),
				   sw_text_count(tally->rows[0].objects, count),
				   sw_naming_type_name(live, tally->rows[0].type));
	sw_report_sentence(report, "%.1f %% of the live bytes have a known type.", typed);
	if (!live->go->dwarf)
		add_source(report, live->typing);
	sw_report_next(report, "leak-roots");
}

/* What told the types of the pointers from which all others follow. */
static void add_roots(struct sw_report *report, const struct sw_typing *typing)
{
	const struct {
		const char *name;
		uint64_t count;
	} rows[] = {
		{"root_pointers", typing->root_pointers},
		{"root_pointers_typed_by_debug_information", typing->known_by_debug_information},
		{"root_pointers_typed_by_interface", typing->known_by_interface},
		{"root_pointers_typed_by_code", typing->known_by_code},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		sw_report_count(report, rows[i].name, rows[i].count);
}

static struct sw_error *run(struct sw_session *session, const struct sw_arguments *arguments,
			    struct sw_report *report)
{
	struct sw_live live;
	struct sw_type_tally tally;
	uint64_t typed_objects = 0, typed_bytes = 0;

	struct sw_error *error = sw_session_live_types(session, &live);
	if (!error)
		error = sw_type_tally_init(&tally, &live);
	if (error)
		return error;
	struct sw_object_walk walk = {0};
	while (sw_object_walk_next(&walk, live.heap)) {
		sw_type_tally_add(&tally, &live, walk.object, walk.span->elemsize);
		if (sw_live_type(&live, walk.object)) {
			typed_objects++;
			typed_bytes += walk.span->elemsize;
		}
	}
	sw_type_tally_sort(&tally, &live);
	add_sentence(report, &live, &tally, typed_bytes);
	sw_report_summary(report, "live_objects", json_integer(live.heap->object_count));
	sw_report_summary(report, "live_bytes", sw_json_bytes(live.heap->object_bytes));
	sw_report_count(report, "typed_objects", typed_objects);
	sw_report_summary(report, "typed_bytes", sw_json_bytes(typed_bytes));
	add_roots(report, live.typing);
	sw_type_tally_report(&tally, &live, report, "types", sw_arguments_limit(arguments),
			     live.heap->object_bytes);
	sw_type_tally_free(&tally);
	return NULL;
}

const struct sw_command sw_command_heap_types = {
	.name = "heap-types",
	.usage = "",
	.summary = "live memory by type",
	.help = "Counts live objects and their bytes (of whole slots, as the allocator hands them "
		"out) by type. A type comes from the object's own header where it has one, else "
		"from what refers to it: variables, fields, interfaces. The backing array of a "
		"slice counts as []T, the bytes of a string as string, a closure as the function "
		"it runs.",
	.example = "spanwalk heap-types app.core --limit 20",
	.run = run,
};
