/* Do the structures of this program look as the layout says? Layouts that come from tables are
 * right for a release as it was published; a runtime that somebody changed must not be read with
 * them. Facts that hold of nearly every span and goroutine are counted: damage costs a few of
 * them, a wrong layout most. */
#include "go/runtime.h"
#include "go/size_class.h"

#include <stdarg.h>
#include <stdio.h>

/* One fact about the structures of one kind. */
struct fact {
	const char *what; /* the field that does not fit when it fails */
	uint64_t checked, failed;
};

static void count(struct fact *fact, bool holds)
{
	fact->checked++;
	fact->failed += !holds;
}

struct sw_error *sw_go_layout_misfit(const struct sw_go *go, const char *format, ...)
{
	char what[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	return sw_error_hint(sw_error_format(SW_ERR_UNSUPPORTED,
					     "the structures of this program are not those of "
					     "%s: %s",
					     go->version, what),
			     "was the runtime changed? name the unstripped build with "
			     "--symbols FILE");
}

static struct sw_error *judge(const struct sw_go *go, const struct fact *facts, size_t number)
{
	for (size_t i = 0; i < number; i++)
		if (facts[i].failed * 2 > facts[i].checked)
			return sw_go_layout_misfit(go, "%s of %llu in %llu cannot be right",
						   facts[i].what,
						   (unsigned long long)facts[i].failed,
						   (unsigned long long)facts[i].checked);
	return NULL;
}

/* ---- spans ---- */

static bool has_size_of_class(const struct sw_go_span *span)
{
	unsigned class = span->spanclass >> 1;
	if (!class) /* one object, in a user arena without what the arena keeps for itself */
		return span->nelems == 1;
	return class < SW_SIZE_CLASSES && span->elemsize == sw_go_class_size[class];
}

static bool counts_its_slots(const struct sw_go_span *span)
{
	uint32_t allocated = 0;
	for (uint32_t i = 0; i < span->nelems; i++)
		allocated += sw_go_span_is_allocated(span, i);
	return allocated == span->alloc_count;
}

static struct sw_error *check_spans(const struct sw_go *go)
{
	struct fact facts[] = {{.what = "mspan.elemsize"},
			       {.what = "mspan.allocCount"},
			       {.what = "heapArena.spans"}};

	for (size_t i = 0; i < go->spans.count; i++) {
		const struct sw_go_span *span = &go->spans.items[i];
		if (span->state != SW_GO_SPAN_IN_USE)
			continue;
		count(&facts[0], has_size_of_class(span));
		count(&facts[1], counts_its_slots(span));
		count(&facts[2], sw_go_span_is_mapped(go, span));
	}
	return judge(go, facts, sizeof(facts) / sizeof(*facts));
}

/* ---- goroutines ---- */

static struct sw_error *check_goroutines(const struct sw_go *go)
{
	struct fact facts[] = {{.what = "g.sched.sp"}, {.what = "g.startpc"}};

	for (size_t i = 0; i < go->goroutines.count; i++) {
		const struct sw_goroutine *g = &go->goroutines.items[i];
		if (g->status == SW_GO_WAITING)
			count(&facts[0], g->sched_sp > g->stack_lo && g->sched_sp <= g->stack_hi);
		if (g->startpc) /* a thread that C made has none */
			count(&facts[1], sw_go_module_of_pc(go, g->startpc) != NULL);
	}
	return judge(go, facts, sizeof(facts) / sizeof(*facts));
}

struct sw_error *sw_go_check_layout(struct sw_go *go)
{
	struct sw_error *error = NULL;

	if (go->dwarf) /* the program's own debug information is believed */
		return NULL;
	error = check_spans(go);
	if (!error)
		error = check_goroutines(go);
	return error;
}
