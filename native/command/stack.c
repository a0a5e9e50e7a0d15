/* stack GOID|all: where goroutines stand, with arguments and variables. */
#include "command/command.h"
#include "command/stack_rows.h"
#include "command/words.h"

#include <inttypes.h>

enum { MAX_ENTRIES = 1 << 26, SCAN_BIT = 0x1000 }; /* runtime.allgs; atomicstatus _Gscan */

/* ---- which ones ---- */

/* Is there a goroutine of that number that has ended, and whose g nothing has used again? */
static bool has_ended(const struct sw_go *go, uint64_t goid)
{
	uint64_t array, count, g, number;
	uint32_t status;

	if (!sw_memory_u64(go->memory, go->globals.allgs, &array) ||
	    !sw_memory_u64(go->memory, go->globals.allgs + 8, &count) || count > MAX_ENTRIES)
		return false;
	for (uint64_t i = 0; i < count && sw_memory_u64(go->memory, array + 8 * i, &g); i++)
		if (sw_memory_u64(go->memory, g + go->layout.g.goid, &number) && number == goid &&
		    sw_memory_u32(go->memory, g + go->layout.g.atomicstatus, &status))
			return (status & ~(uint32_t)SCAN_BIT) == SW_GO_DEAD;
	return false;
}

static struct sw_error *find_goroutine(const struct sw_go *go, uint64_t goid, uint32_t *out)
{
	for (size_t i = 0; goid && i < go->goroutines.count; i++) {
		*out = (uint32_t)i;
		if (go->goroutines.items[i].goid == goid)
			return NULL;
	}
	return sw_error_hint(sw_error_format(SW_ERR_NOT_FOUND,
					     goid && has_ended(go, goid)
						     ? "goroutine %" PRIu64 " has ended"
						     : "there is no goroutine %" PRIu64,
					     goid),
			     "goroutines --list shows those that there are");
}

static int by_goid(const void *left_item, const void *right_item, void *context)
{
	const struct sw_goroutine *items = context;
	uint64_t left = items[*(const uint32_t *)left_item].goid;
	uint64_t right = items[*(const uint32_t *)right_item].goid;

	return (left > right) - (left < right);
}

/* ---- one ---- */

static void add_rows(struct sw_report *report, const json_t *stack, const char *table,
		     const char *columns)
{
	json_t *row;
	size_t index;

	sw_report_table(report, table, columns);
	json_array_foreach(json_object_get(stack, table), index, row)
	{
		sw_report_row(report, table, json_incref(row));
	}
}

static void report_one(struct sw_report *report, const json_t *stack)
{
	json_t *value;
	const char *key;
	char *text = sw_stack_text(stack);

	json_object_foreach((json_t *)(uintptr_t)stack, key, value)
	{
		if (strcmp(key, "frames") != 0 && strcmp(key, "panics") != 0)
			sw_report_summary(report, key, json_incref(value));
	}
	add_rows(report, stack, "frames", "function file line pc sp");
	add_rows(report, stack, "panics", "type value recovered goexit address");
	sw_report_listing(report, "summary", "");
	sw_report_listing(report, "panics", "");
	sw_report_listing(report, "frames", text ? text : "");
	free(text);
}

static struct sw_error *show_one(const struct sw_stack_view *view, uint64_t goid,
				 struct sw_report *report)
{
	uint32_t goroutine = 0;
	json_t *stack;
	struct sw_error *error = find_goroutine(view->goroutines.go, goid, &goroutine);

	if (!error)
		error = sw_stack_row(view, goroutine, &stack);
	if (error)
		return error;
	report_one(report, stack);
	json_decref(stack);
	return NULL;
}

/* ---- all ---- */

static struct sw_error *add_stack(const struct sw_stack_view *view, uint32_t goroutine,
				  struct sw_report *report, FILE *listing)
{
	json_t *stack;
	struct sw_error *error = sw_stack_row(view, goroutine, &stack);

	if (error)
		return error;
	char *text = sw_stack_text(stack);
	fprintf(listing, "%s\n", text ? text : "");
	free(text);
	sw_report_row(report, "goroutines", stack);
	return NULL;
}

static struct sw_error *add_stacks(const struct sw_stack_view *view, const uint32_t *order,
				   size_t count, struct sw_report *report)
{
	struct sw_work *work = view->goroutines.go->work;
	char *text = NULL;
	size_t size;
	struct sw_error *error = NULL;
	FILE *listing = open_memstream(&text, &size);

	if (!listing)
		return sw_error_memory();
	for (size_t i = 0; i < count && !error; i++) {
		error = add_stack(view, order[i], report, listing);
		if (!error)
			error = sw_work_tick(work, "stacks", i, count);
	}
	if (fclose(listing) && !error)
		error = sw_error_memory();
	if (!error)
		sw_report_listing(report, "goroutines", text);
	free(text);
	return error;
}

static struct sw_error *show_all(const struct sw_stack_view *view, uint64_t limit,
				 struct sw_report *report)
{
	struct sw_go *go = view->goroutines.go;
	size_t count = go->goroutines.count;
	uint32_t *order = calloc(count + 1, sizeof(*order));

	if (!order)
		return sw_error_memory();
	for (size_t i = 0; i < count; i++)
		order[i] = (uint32_t)i;
	qsort_r(order, count, sizeof(*order), by_goid, go->goroutines.items);
	sw_report_count(report, "goroutines", count);
	sw_report_table(report, "goroutines", "goid state wait_reason function frames");
	struct sw_error *error = add_stacks(view, order, count < limit ? count : limit, report);
	if (!error)
		sw_report_omitted(report, "goroutines", count, limit);
	free(order);
	return error;
}

/* ---- the command ---- */

static struct sw_error *run(struct sw_session *session, const struct sw_arguments *arguments,
			    struct sw_report *report)
{
	const char *which = arguments->positional[0];
	bool is_all = !strcmp(which, "all");
	bool has_values = is_all ? sw_arguments_flag(arguments, "values")
				 : !sw_arguments_flag(arguments, "brief");
	struct sw_stack_view view;
	uint64_t goid = 0;

	if (!is_all && !sw_words_number(which, &goid))
		return sw_error_hint(
			sw_error_format(SW_ERR_USAGE, "stack: \"%s\" is no goroutine", which),
			"give its number, or all; goroutines --list shows them");
	if (sw_arguments_flag(arguments, "values") && sw_arguments_flag(arguments, "brief"))
		return sw_error_hint(
			sw_error_format(SW_ERR_USAGE, "stack: --values and --brief exclude each "
						      "other"),
			"of one goroutine values are shown without either, of all they are not");
	struct sw_error *error = sw_stack_view_init(&view, session, has_values);
	if (error)
		return error;
	view.shows_runtime = sw_arguments_flag(arguments, "runtime");
	error = is_all ? show_all(&view, sw_arguments_limit(arguments), report)
		       : show_one(&view, goid, report);
	sw_stack_view_clear(&view);
	return error;
}

static const struct sw_option options[] = {
	{"brief", SW_OPTION_FLAG, NULL, NULL, NULL,
	 "no arguments and variables; the heap is not analysed then"},
	{"values", SW_OPTION_FLAG, NULL, NULL, NULL, "with all: arguments and variables too"},
	{"runtime", SW_OPTION_FLAG, NULL, NULL, NULL,
	 "the runtime's own calls and wrappers too, which tracebacks leave out"},
	{0},
};

const struct sw_command sw_command_stack = {
	.name = "stack",
	.usage = "GOID|all",
	.positionals = 1,
	.summary = "where a goroutine stands: calls, arguments, variables",
	.help = "The stack of goroutine GOID, or of all goroutines, as a Go traceback has it, with "
		"the calls that were inlined, and the frames of C below or between those of Go. "
		"Debug information gives arguments and variables with types and values; what the "
		"compiler has optimized away is null, and ? where a part of it is; a ? behind a "
		"pointer says that nothing needs it any more and it may be out of date. Without debug "
		"information the pointers of each frame are shown, with the type and size of the "
		"object they point to. Deferred calls stand with the frame that will run them, in "
		"the order in which they will run. \"on the heap\" are variables that have escaped "
		"from the frame.",
	.example = "spanwalk stack app.core 18",
	.options = options,
	.run = run,
};
