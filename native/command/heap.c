/* heap: what is in this heap. */
#include "command/command.h"
#include "go/memstats.h"

struct census {
	uint64_t live_objects, live_bytes;
	uint64_t allocated_objects, allocated_bytes;
	uint64_t span_bytes, stack_bytes, free_bytes;
};

static uint64_t count_allocated(const struct sw_go_span *span)
{
	uint64_t count = 0;
	for (uint32_t i = 0; i < span->nelems; i++)
		count += sw_go_span_is_allocated(span, i);
	return count;
}

static void take_census(const struct sw_go *go, const struct sw_heap *heap, struct census *census)
{
	census->live_objects = heap->object_count;
	census->live_bytes = heap->object_bytes;
	for (size_t i = 0; i < go->spans.count; i++) {
		const struct sw_go_span *span = &go->spans.items[i];
		if (span->state != SW_GO_SPAN_IN_USE)
			continue;
		uint64_t allocated = count_allocated(span);
		census->span_bytes += span->npages * 8192;
		census->allocated_objects += allocated;
		census->allocated_bytes += allocated * span->elemsize;
		census->free_bytes += (span->nelems - allocated) * span->elemsize;
	}
}

static uint64_t at_least_0(uint64_t whole, uint64_t part)
{
	return whole > part ? whole - part : 0;
}

static void add_summary(struct sw_report *report, const struct sw_go *go,
			const struct census *census, const struct sw_go_memstats *stats)
{
	sw_report_count(report, "live_objects", census->live_objects);
	sw_report_count(report, "live_bytes", census->live_bytes);
	sw_report_count(report, "garbage_objects",
			at_least_0(census->allocated_objects, census->live_objects));
	sw_report_count(report, "garbage_bytes",
			at_least_0(census->allocated_bytes, census->live_bytes));
	sw_report_count(report, "free_bytes", census->free_bytes);
	sw_report_count(report, "span_bytes", census->span_bytes);
	sw_report_count(report, "idle_bytes", stats->heap_idle);
	sw_report_count(report, "released_bytes", stats->heap_released);
	sw_report_count(report, "stack_bytes", stats->stacks_in_use);
	sw_report_count(report, "goroutines", go->goroutines.count);
	sw_report_count(report, "gc_cycles", stats->num_gc);
}

static void add_runtime_rows(struct sw_report *report, const struct sw_go_memstats *stats)
{
	sw_report_table(report, "runtime", "name value");
	for (size_t i = 0; i < stats->field_count; i++) {
		json_t *row = json_object();
		json_object_set_new(row, "name", json_string(stats->fields[i].name));
		json_object_set_new(row, "value", json_integer((json_int_t)stats->fields[i].value));
		sw_report_row(report, "runtime", row);
	}
}

static void add_sentence(struct sw_report *report, const struct sw_go *go,
			 const struct census *census)
{
	char live[16], garbage[16], count[32];
	sw_report_sentence(
		report, "%s objects hold %s; %s more is garbage that the next collection frees.",
		sw_text_count(census->live_objects, count), sw_text_bytes(census->live_bytes, live),
		sw_text_bytes(at_least_0(census->allocated_bytes, census->live_bytes), garbage));
	if (go->gcphase)
		sw_report_sentence(report, "The program was in the middle of a collection.");
	sw_report_next(report, "leak-roots");
}

static struct sw_error *run(struct sw_session *session, const struct sw_arguments *arguments,
			    struct sw_report *report)
{
	struct sw_go *go;
	struct sw_heap *heap;
	struct sw_go_memstats stats;
	struct census census = {0};
	(void)arguments;

	struct sw_error *error = sw_session_marks(session, &heap);
	if (!error)
		error = sw_session_go(session, &go);
	if (error)
		return error;
	take_census(go, heap, &census);
	sw_go_read_memstats(go, &stats);
	add_sentence(report, go, &census);
	add_summary(report, go, &census, &stats);
	add_runtime_rows(report, &stats);
	return NULL;
}

const struct sw_command sw_command_heap = {
	.name = "heap",
	.usage = "",
	.summary = "what is in this heap: live, garbage, free, idle, stacks",
	.help = "Marks the heap as a collection that starts now would, and counts. Live is what "
		"the roots reach; garbage is allocated but unreachable; free is room in spans "
		"that are in use; idle is memory of the heap that is in no span, released of it "
		"what went back to the system.\n\n"
		"The table `runtime` shows the runtime's own counters by the names of "
		"runtime.MemStats.",
	.example = "spanwalk heap app.core",
	.run = run,
};
