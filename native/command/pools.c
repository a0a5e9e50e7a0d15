/* pools: every sync.Pool, what lies in it, and what should not. */
#include "command/pools_view.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>

enum {
	FINDINGS = 10,	/* of one kind */
	MUCH = 1 << 20, /* bytes */
};

/* ---- types that the user calls requests ---- */

/* One of "main.request,main.*Session"? */
static bool is_named(const char *patterns, const char *name)
{
	char pattern[256];
	for (size_t length; patterns && *patterns; patterns += length + (patterns[length] == ',')) {
		length = strcspn(patterns, ",");
		snprintf(pattern, sizeof(pattern), "%.*s", (int)length, patterns);
		if (length && length < sizeof(pattern) && !fnmatch(pattern, name, 0))
			return true;
	}
	return false;
}

static bool is_request(void *context, const struct sw_types *types, sw_type type)
{
	const struct sw_pools_view *view = context;
	return sw_pool_is_request(NULL, types, type) ||
	       is_named(sw_arguments_text(view->arguments, "request-types"),
			sw_type_info(types, type)->name);
}

/* ---- the question ---- */

static struct sw_error *find(struct sw_pools_view *view)
{
	struct sw_pool_dirt_search search = {&view->pools, is_request, view};
	uint64_t cut = 0;

	struct sw_error *error = sw_pools_find(&view->live, &view->pools);
	if (!error)
		error = sw_pool_dirt_find(&search, &view->dirt, &cut);
	size_t count = view->pools.list.count;
	view->sizes = calloc(count + 1, sizeof(*view->sizes));
	view->names = calloc(count + 1, sizeof(*view->names));
	view->order = calloc(count + 1, sizeof(*view->order));
	if (!error && (!view->sizes || !view->names || !view->order))
		error = sw_error_memory();
	for (uint32_t i = 0; !error && i < count; i++)
		error = sw_pool_sizes(&view->pools, i, view->least, &view->sizes[i]);
	if (cut)
		sw_warn(&view->warnings, false, "large_elements", NULL,
			"%" PRIu64 " elements lead to so many objects that not all were looked at "
			"for requests",
			cut);
	return error;
}

static int by_bytes(const void *a, const void *b, void *context)
{
	const struct sw_pool_list *list = context;
	const struct sw_pool *x = &list->items[*(const uint32_t *)a];
	const struct sw_pool *y = &list->items[*(const uint32_t *)b];
	uint64_t p = x->bytes + x->overhead_bytes, q = y->bytes + y->overhead_bytes;
	if (p != q)
		return p < q ? 1 : -1;
	return (x->address > y->address) - (x->address < y->address);
}

static void sort(struct sw_pools_view *view)
{
	for (uint32_t i = 0; i < view->pools.list.count; i++)
		view->order[i] = i;
	if (view->pools.list.count)
		qsort_r(view->order, view->pools.list.count, sizeof(*view->order), by_bytes,
			&view->pools.list);
}

/* ---- what it means ---- */

struct totals {
	uint64_t bytes, overhead, victims, oversized, oversized_bytes;
	uint64_t dirty[SW_POOL_DIRT_KINDS], kept_bytes;
};

static struct totals add_up(const struct sw_pools_view *view)
{
	struct totals totals = {0};
	uint64_t bytes;
	for (size_t i = 0; i < view->pools.list.count; i++) {
		totals.bytes += view->pools.list.items[i].bytes;
		totals.overhead += view->pools.list.items[i].overhead_bytes;
		totals.oversized += view->sizes[i].oversized;
		totals.oversized_bytes += view->sizes[i].oversized_bytes;
	}
	for (size_t i = 0; i < view->pools.elements.count; i++)
		totals.victims += view->pools.elements.items[i].is_victim;
	for (unsigned kind = 0; kind < SW_POOL_DIRT_KINDS; kind++) {
		totals.dirty[kind] = sw_pools_count_dirty(view, SW_NO_ELEMENT, kind, &bytes);
		if (kind == SW_POOL_REQUEST)
			totals.kept_bytes = bytes;
	}
	return totals;
}

static void add_sentences(struct sw_pools_view *view, const struct totals *totals)
{
	char text[64], more[64], size[16];
	const uint64_t *dirty = totals->dirty;

	if (dirty[SW_POOL_TWICE])
		sw_report_sentence(view->report,
				   "%s %s in a pool twice: two will get the same one.",
				   sw_text_amount(dirty[SW_POOL_TWICE], "element", text),
				   dirty[SW_POOL_TWICE] == 1 ? "lies" : "lie");
	if (dirty[SW_POOL_REFERENCED])
		sw_report_sentence(view->report,
				   "%s in pools %s still in use elsewhere: whoever takes one next "
				   "writes into it.",
				   sw_text_amount(dirty[SW_POOL_REFERENCED], "element", text),
				   dirty[SW_POOL_REFERENCED] == 1 ? "is" : "are");
	if (dirty[SW_POOL_REQUEST])
		sw_report_sentence(view->report,
				   "%s in pools still %s a request, connection or context; %s live "
				   "for that alone.",
				   sw_text_amount(dirty[SW_POOL_REQUEST], "element", text),
				   dirty[SW_POOL_REQUEST] == 1 ? "keeps" : "keep",
				   sw_text_bytes(totals->kept_bytes, size));
	if (totals->oversized)
		sw_report_sentence(view->report, "%s far larger than the others of %s: %s.",
				   totals->oversized == 1
					   ? "1 element is"
					   : sw_text_amount(totals->oversized, "element", text),
				   totals->oversized == 1 ? "its pool" : "their pools",
				   sw_text_bytes(totals->oversized_bytes, size));
	sw_report_sentence(view->report, "%s %s %s, %s.",
			   sw_text_amount(view->pools.list.count, "pool", text),
			   view->pools.list.count == 1 ? "holds" : "hold",
			   sw_text_amount(view->pools.elements.count, "element", more),
			   sw_text_bytes(totals->bytes, size));
}

static void add_summary(struct sw_pools_view *view, const struct totals *totals)
{
	const struct {
		const char *key;
		uint64_t value;
	} numbers[] = {
		{"pools", view->pools.list.count},
		{"elements", view->pools.elements.count},
		{"victims", totals->victims},
		{"held_bytes", totals->bytes},
		{"overhead_bytes", totals->overhead},
		{"twice_elements", totals->dirty[SW_POOL_TWICE]},
		{"referenced_elements", totals->dirty[SW_POOL_REFERENCED]},
		{"request_elements", totals->dirty[SW_POOL_REQUEST]},
		{"request_bytes", totals->kept_bytes},
		{"live_elements", totals->dirty[SW_POOL_LIVE]},
		{"oversized_elements", totals->oversized},
		{"oversized_bytes", totals->oversized_bytes},
	};
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		sw_report_count(view->report, numbers[i].key, numbers[i].value);
	sw_report_summary_keys(view->report, "victims overhead_bytes");
}

/* ---- findings ---- */

/* The first dirt of a kind in a pool; of requests that which keeps most. */
static const struct sw_pool_dirt *example(const struct sw_pools_view *view, uint32_t pool,
					  unsigned kind)
{
	const struct sw_pool_dirt *found = NULL;
	for (size_t i = 0; i < view->dirt.count; i++) {
		const struct sw_pool_dirt *dirt = &view->dirt.items[i];
		if (dirt->kind == kind && view->pools.elements.items[dirt->element].pool == pool &&
		    (!found || dirt->bytes > found->bytes))
			found = dirt;
	}
	return found;
}

/* What is wrong with an element of a pool: "main.buffers: …". */
static void describe(struct sw_pools_view *view, uint32_t pool, const struct sw_pool_dirt *dirt,
		     uint64_t elements, uint64_t bytes, char *out, size_t size)
{
	const char *name = sw_pools_name(view, pool);
	const char *type = sw_naming_type_name(&view->live, dirt->type);
	char text[64], kept[16], *holder = sw_pools_holder(view, dirt);

	sw_text_amount(elements, "element", text);
	sw_text_bytes(bytes, kept);
	switch (dirt->kind) {
	case SW_POOL_TWICE:
		snprintf(out, size, "%s: %s put back %s, such as the %s at 0x%" PRIx64, name, text,
			 dirt->times == 2 ? "twice" : "several times", type,
			 view->pools.elements.items[dirt->element].body.addr);
		break;
	case SW_POOL_REFERENCED:
		snprintf(out, size, "%s: %s still referenced; %s %s %s%s", name, text,
			 holder ? holder : "?", dirt->at ? "points to" : "is a register with",
			 *dirt->path ? "the array of " : "one", dirt->path);
		break;
	case SW_POOL_REQUEST:
		snprintf(out, size, "%s: %s %s a %s by %s; %s live for that alone", name, text,
			 elements == 1 ? "keeps" : "keep", type, dirt->path, kept);
		break;
	default:
		snprintf(out, size, "%s: %s %s to a %s of their own by %s, which lives on without",
			 name, text, elements == 1 ? "leads" : "lead", type, dirt->path);
	}
	free(holder);
}

/* Some pools of the libraries keep the last request until somebody takes the element
 * (golang.org/x/net/http2.responseWriterStatePool): that is worth a word when it is much. */
static enum sw_grade grade_of_bytes(const struct sw_pools_view *view, uint64_t bytes)
{
	if (bytes < MUCH)
		return SW_GRADE_P3;
	return bytes > view->live.heap->object_bytes / 4 ? SW_GRADE_P1 : SW_GRADE_P2;
}

static enum sw_grade grade_of(const struct sw_pools_view *view, const struct sw_pool_dirt *dirt,
			      uint64_t bytes)
{
	switch (dirt->kind) {
	case SW_POOL_TWICE:
		return SW_GRADE_P1;
	case SW_POOL_REFERENCED:
		/* A frame may just be about to end. */
		return dirt->holder >= view->live.heap->object_count &&
				       sw_naming_root(&view->live, dirt->holder)->kind !=
					       SW_GO_ROOT_GLOBAL
			       ? SW_GRADE_P2
			       : SW_GRADE_P1;
	case SW_POOL_REQUEST:
		return grade_of_bytes(view, bytes);
	default:
		return SW_GRADE_P3;
	}
}

/* False: there is none. */
static bool add_dirt_finding(struct sw_pools_view *view, uint32_t pool, unsigned kind)
{
	static const char *const codes[SW_POOL_DIRT_KINDS] = {
		[SW_POOL_TWICE] = "pool_put_twice",
		[SW_POOL_REFERENCED] = "pool_still_referenced",
		[SW_POOL_REQUEST] = "pool_keeps_request",
		[SW_POOL_LIVE] = "pool_leads_to_live",
	};
	const struct sw_pool_dirt *dirt = example(view, pool, kind);
	char message[1024], next[64];
	uint64_t bytes;

	if (!dirt)
		return false;
	uint64_t elements = sw_pools_count_dirty(view, pool, kind, &bytes);
	describe(view, pool, dirt, elements, bytes, message, sizeof(message));
	snprintf(next, sizeof(next), "who-holds 0x%" PRIx64,
		 sw_heap_address(view->live.heap, dirt->object));
	json_t *evidence = json_object();
	json_object_set_new(evidence, "pool", sw_json_string(sw_pools_name(view, pool)));
	json_object_set_new(evidence, "elements", json_integer((json_int_t)elements));
	json_object_set_new(evidence, "kept_bytes", sw_json_bytes(bytes));
	sw_report_finding(view->report, grade_of(view, dirt, bytes), codes[kind], message, evidence,
			  next);
	return true;
}

static bool add_size_finding(struct sw_pools_view *view, uint32_t index)
{
	const struct sw_pool *pool = &view->pools.list.items[index];
	const struct sw_pool_sizes *sizes = &view->sizes[index];
	char message[512], next[64], count[64], held[16], median[16];

	if (!sizes->oversized)
		return false;
	bool is_alone = pool->count == 1;
	sw_text_amount(sizes->oversized, "element", count);
	sw_text_bytes(sizes->oversized_bytes, held);
	sw_text_bytes(sizes->median, median);
	if (is_alone)
		snprintf(message, sizeof(message), "%s: its only element holds %s",
			 sw_pools_name(view, index), held);
	else
		snprintf(message, sizeof(message), "%s: %s with %s, where others have %s",
			 sw_pools_name(view, index), count, held, median);
	snprintf(next, sizeof(next), "retained 0x%" PRIx64,
		 view->pools.elements.items[sizes->largest_element].body.addr);
	json_t *evidence = json_object();
	json_object_set_new(evidence, "pool", sw_json_string(sw_pools_name(view, index)));
	json_object_set_new(evidence, "elements", json_integer(sizes->oversized));
	json_object_set_new(evidence, "held_bytes", sw_json_bytes(sizes->oversized_bytes));
	json_object_set_new(evidence, "median_bytes", sw_json_bytes(sizes->median));
	sw_report_finding(view->report,
			  is_alone ? SW_GRADE_P3 : grade_of_bytes(view, sizes->oversized_bytes),
			  "pool_oversized", message, evidence, next);
	return true;
}

/* Of one kind, for the pools with most bytes. */
static void add_dirt_findings(struct sw_pools_view *view, unsigned kind)
{
	for (size_t i = 0, shown = 0; i < view->pools.list.count && shown < FINDINGS; i++)
		shown += add_dirt_finding(view, view->order[i], kind);
}

static void add_findings(struct sw_pools_view *view)
{
	for (unsigned kind = 0; kind < SW_POOL_LIVE; kind++)
		add_dirt_findings(view, kind);
	for (size_t i = 0, shown = 0; i < view->pools.list.count && shown < FINDINGS; i++)
		shown += add_size_finding(view, view->order[i]);
	add_dirt_findings(view, SW_POOL_LIVE);
}

static void add_report(struct sw_pools_view *view)
{
	struct totals totals = add_up(view);

	add_sentences(view, &totals);
	add_summary(view, &totals);
	add_findings(view);
	sw_pools_tables(view);
	sw_report_warnings(view->report, &view->warnings);
}

static struct sw_error *run(struct sw_session *session, const struct sw_arguments *arguments,
			    struct sw_report *report)
{
	struct sw_pools_view view = {.arguments = arguments,
				     .report = report,
				     .least = sw_arguments_size(arguments, "oversized")};
	struct sw_error *error = sw_session_live(session, &view.live);
	view.live.warnings = &view.warnings;
	if (!error)
		error = find(&view);
	if (!error) {
		sort(&view);
		add_report(&view);
	}
	for (size_t i = 0; view.names && i < view.pools.list.count; i++)
		free(view.names[i]);
	free(view.names);
	free(view.sizes);
	free(view.order);
	sw_pool_dirt_clear(&view.dirt);
	sw_pools_free(&view.pools);
	sw_warnings_clear(&view.warnings);
	return error;
}

static const struct sw_option options[] = {
	{"oversized", SW_OPTION_SIZE, "SIZE", NULL, "64KiB",
	 "elements of this size or more, and 4 times the median of their pool, are oversized"},
	{"request-types", SW_OPTION_TEXT, "TYPES", NULL, NULL,
	 "types that no element may lead to, beside those of the libraries: 'main.request,main.*Ctx'"},
	{0},
};

const struct sw_command sw_command_pools = {
	.name = "pools",
	.usage = "",
	.summary = "every sync.Pool: what lies in it, what is too large, what is dirty",
	.help = "For each sync.Pool that was ever used: its elements by type, those of each "
		"processor and those of the victim cache (what the next collection drops), and the "
		"bytes they hold.\n\n"
		"Oversized elements are far larger than the others of their pool: one huge answer, and "
		"its buffer stays.\n\n"
		"Dirty elements: put_twice, which two will get at once; still_referenced, when "
		"something outside points to the element or to the array behind one of its slices; "
		"keeps_request, when it leads to a request, connection or context (of the standard "
		"library, of well-known servers, or of --request-types); leads_to_live, when it points "
		"to something of its own that lives on without it. What all elements of a pool share "
		"belongs to the pool.",
	.example = "spanwalk pools app.core --oversized 1M",
	.options = options,
	.run = run,
};
