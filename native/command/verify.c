/* verify: is the walk exact? */
#include "command/command.h"
#include "go/oracle.h"

static const char *const reasons[SW_GO_REASON_COUNT] = {
	[SW_GO_REASON_NONE] = "unexplained",
	[SW_GO_REASON_ALLOCATED] = "allocated since the last collection",
	[SW_GO_REASON_FINALIZER] = "dead, with a finalizer that the sweep will queue",
	[SW_GO_REASON_TINY] = "tiny block of a P when the collection began",
	[SW_GO_REASON_STACK] = "on a stack when the collection ran, not live any more",
	[SW_GO_REASON_UNIQUE] = "cleaning of package unique after the collection",
	[SW_GO_REASON_REACHED] = "reached from an explained object",
};

static void add_differences(struct sw_report *report, const char *side,
			    const struct sw_go_tally *tally)
{
	for (unsigned i = 0; i < SW_GO_REASON_COUNT; i++) {
		if (!tally[i].objects)
			continue;
		json_t *row = json_object();
		json_object_set_new(row, "marked_by", json_string(side));
		json_object_set_new(row, "objects", json_integer((json_int_t)tally[i].objects));
		json_object_set_new(row, "size_bytes", sw_json_bytes(tally[i].bytes));
		json_object_set_new(row, "reason", json_string(reasons[i]));
		json_object_set_new(row, "example_address", sw_json_address(tally[i].example));
		sw_report_row(report, "differences", row);
	}
}

static uint64_t objects(const struct sw_go_tally *tally, unsigned first)
{
	uint64_t total = 0;
	for (unsigned i = first; i < SW_GO_REASON_COUNT; i++)
		total += tally[i].objects;
	return total;
}

static void add_summary(struct sw_report *report, const struct sw_go_oracle *oracle)
{
	sw_report_summary(report, "exact", json_boolean(oracle->is_exact));
	sw_report_count(report, "replay_objects", oracle->replay_objects);
	sw_report_count(report, "replay_bytes", oracle->replay_bytes);
	sw_report_count(report, "runtime_objects", oracle->runtime_objects);
	sw_report_count(report, "runtime_bytes", oracle->runtime_bytes);
	sw_report_count(report, "only_replay_objects", objects(oracle->only_replay, 0));
	sw_report_count(report, "only_runtime_objects", objects(oracle->only_runtime, 0));
	sw_report_count(report, "explained_objects",
			objects(oracle->only_replay, 1) + objects(oracle->only_runtime, 1));
	sw_report_count(report, "spans", oracle->spans);
	sw_report_count(report, "unswept_spans", oracle->unswept_spans);
	sw_report_count(report, "alloc_count_mismatches", oracle->count_mismatches);
	sw_report_count(report, "heap_marked_bytes", oracle->heap_marked_bytes);
	sw_report_count(report, "marked_bits_bytes", oracle->marked_bits_bytes);
}

static void add_sentence(struct sw_report *report, const struct sw_go_oracle *oracle)
{
	char count[32], other[32];
	uint64_t unexplained = oracle->only_replay[0].objects + oracle->only_runtime[0].objects;
	uint64_t explained = objects(oracle->only_replay, 1) + objects(oracle->only_runtime, 1);

	if (!oracle->is_comparable)
		sw_report_sentence(report, "Not comparable: the target was in the middle of a "
					   "collection, its mark bits are partial.");
	else if (oracle->is_exact && !explained)
		sw_report_sentence(report,
				   "Exact: the %s objects found live are those the runtime's last "
				   "collection marked.",
				   sw_text_count(oracle->replay_objects, count));
	else if (oracle->is_exact)
		sw_report_sentence(report,
				   "Exact: the %s objects found live are those the runtime's last "
				   "collection marked, but for %s that are explained.",
				   sw_text_count(oracle->replay_objects, count),
				   sw_text_count(explained, other));
	else
		sw_report_sentence(
			report,
			"Not exact: %s objects differ from the runtime's last collection "
			"without an explanation, and %s spans count their objects otherwise.",
			sw_text_count(unexplained, count),
			sw_text_count(oracle->count_mismatches, other));
}

static struct sw_error *run(struct sw_session *session, const struct sw_arguments *arguments,
			    struct sw_report *report)
{
	struct sw_go *go;
	struct sw_heap *heap;
	struct sw_go_oracle oracle;
	(void)arguments;

	struct sw_error *error = sw_session_marks(session, &heap);
	if (!error)
		error = sw_session_go(session, &go);
	if (!error)
		error = sw_go_ask_oracle(go, heap, &oracle);
	if (error)
		return error;
	add_sentence(report, &oracle);
	add_summary(report, &oracle);
	sw_report_table(report, "differences",
			"marked_by objects size_bytes reason example_address");
	add_differences(report, "replay only", oracle.only_replay);
	add_differences(report, "runtime only", oracle.only_runtime);
	return NULL;
}

const struct sw_command sw_command_verify = {
	.name = "verify",
	.usage = "",
	.summary = "is the walk exact: held against the runtime's own marks",
	.help = "Replays the marking and compares it, object by object, with what the runtime "
		"recorded in the same image: the mark bits of its last collection, the count of "
		"objects in each span, and the bytes it counted as marked.\n\n"
		"Some differences are in the nature of things and are explained: what was "
		"allocated since, a P's tiny block, what only a dead slot of a stack refers to. A "
		"program that ran on after its last collection has dropped objects since; these "
		"have no explanation and count as not exact. Right after runtime.GC() the result "
		"is exact.",
	.example = "spanwalk verify app.core",
	.run = run,
};
