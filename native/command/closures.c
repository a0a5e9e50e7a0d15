/* closures: function values on the heap, and what they keep by what they have captured. */
#include "command/closures_rows.h"
#include "command/command.h"

#include <fnmatch.h>
#include <inttypes.h>

enum {
	FINDINGS = 5,	     /* of a kind */
	EXAMINED = 20,	     /* sites that findings are looked for in, whatever is shown */
	MIN_BYTES = 1 << 20, /* that are worth a finding */
	MIN_REQUESTS = 10,
};
#define MIN_SHARE 0.1

struct closures_report {
	struct sw_live live;
	struct sw_closures closures;
	const struct sw_arguments *arguments;
	struct sw_report *report;
	struct sw_warnings warnings;
};

static double share(const struct closures_report *all, uint64_t bytes)
{
	uint64_t live = all->live.heap->object_bytes;
	return live ? (double)bytes / (double)live : 0;
}

/* ---- summary ---- */

static void add_summary(struct closures_report *all)
{
	const struct sw_closures *closures = &all->closures;
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{"closures", closures->count},
		{"sites", closures->sites.count},
		{"closure_bytes", closures->bytes},
		{"retained_bytes", closures->retained.bytes},
		{"retained_objects", closures->retained.objects},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		sw_report_count(all->report, rows[i].name, rows[i].value);
	sw_report_listing(all->report, "summary", ""); /* the sentences tell */
}

static void add_sentences(struct closures_report *all)
{
	const struct sw_closures *closures = &all->closures;
	char count[32], sites[32], own[16], bytes[16], place[256], keeps[2048];

	if (!closures->count) {
		sw_report_sentence(all->report, "There is no such closure on the heap.");
		return;
	}
	const struct sw_closure_site *top = &closures->sites.items[0];
	sw_closure_place(top, place, sizeof(place));
	sw_closure_keeps(&all->live, top, keeps, sizeof(keeps));
	sw_report_sentence(all->report, "%s closure%s of %s (%s) %s.",
			   sw_text_count(top->count, count), top->count == 1 ? "" : "s",
			   top->function, place, keeps);
	sw_report_sentence(
		all->report,
		"%s closure%s of %s place%s in the source take %s; without all of them "
		"%s would be free, %.1f %% of the live heap.",
		sw_text_count(closures->count, count), closures->count == 1 ? "" : "s",
		sw_text_count(closures->sites.count, sites), closures->sites.count == 1 ? "" : "s",
		sw_text_bytes(closures->bytes, own), sw_text_bytes(closures->retained.bytes, bytes),
		100 * share(all, closures->retained.bytes));
}

/* ---- findings ---- */

static enum sw_grade grade(const struct closures_report *all, const struct sw_closure_site *site)
{
	double part = share(all, site->retained.bytes);
	bool is_large = site->retained.bytes >= MIN_BYTES;
	return is_large && part >= 0.5	       ? SW_GRADE_P1
	       : is_large && part >= MIN_SHARE ? SW_GRADE_P2
					       : SW_GRADE_P3;
}

static void add_finding(struct closures_report *all, const struct sw_closure_site *site,
			const char *code, const char *what)
{
	char message[4096], next[64], place[256], keeps[2048], count[32];
	json_t *evidence = json_object();

	sw_closure_place(site, place, sizeof(place));
	sw_closure_keeps(&all->live, site, keeps, sizeof(keeps));
	snprintf(message, sizeof(message), "%s closure%s of %s (%s) %s%s",
		 sw_text_count(site->count, count), site->count == 1 ? "" : "s", site->function,
		 place, keeps, what);
	snprintf(next, sizeof(next), "who-holds 0x%" PRIx64,
		 sw_heap_address(all->live.heap, site->largest));
	json_object_set_new(evidence, "closures", json_integer((json_int_t)site->count));
	json_object_set_new(evidence, "retained_bytes", sw_json_bytes(site->retained.bytes));
	json_object_set_new(evidence, "share_fraction",
			    json_real(share(all, site->retained.bytes)));
	sw_report_finding(all->report, grade(all, site), code, message, evidence, next);
}

/* ": 400 requests, 400 bodies live on for them"; false when nothing of requests does. */
static bool put_requests(const struct sw_closure_site *site, char *out, size_t size)
{
	uint64_t kept[SW_REQUEST_KINDS];
	size_t length = 0;
	char count[32];

	memcpy(kept, site->requests, sizeof(kept));
	for (size_t i = 0; i < site->captures.count; i++) {
		const struct sw_capture *capture = &site->captures.items[i];
		if (kept[capture->kind] < capture->kept)
			kept[capture->kind] = capture->kept;
	}
	*out = 0;
	for (unsigned i = 1; i < SW_REQUEST_KINDS && length < size; i++)
		if (kept[i] >= MIN_REQUESTS)
			length += (size_t)snprintf(
				out + length, size - length, "%s%s %s%s", length ? ", " : ": ",
				sw_text_count(kept[i], count),
				i == SW_REQUEST_BODY ? "bodie" : sw_request_word(i), "s");
	if (length && length < size)
		snprintf(out + length, size - length, " live on for them");
	return length;
}

static void add_findings(struct closures_report *all)
{
	unsigned requests = 0, large = 0;
	char what[512];

	for (size_t i = 0; i < all->closures.sites.count && i < EXAMINED; i++) {
		const struct sw_closure_site *site = &all->closures.sites.items[i];
		if (put_requests(site, what, sizeof(what))) {
			if (requests++ < FINDINGS)
				add_finding(all, site, "closures_keep_requests", what);
		} else if (site->retained.bytes >= MIN_BYTES &&
			   share(all, site->retained.bytes) >= MIN_SHARE && large++ < FINDINGS) {
			add_finding(all, site, "closures_retain", "");
		}
	}
}

/* ---- warnings ---- */

/* What "defer f(x)" and "go f(x)" become has no variables of the source. */
static bool is_wrapper(const struct sw_closure_site *site)
{
	return strstr(site->function, ".deferwrap") || strstr(site->function, ".gowrap");
}

static void add_warnings(struct closures_report *all, size_t shown)
{
	uint64_t nameless = 0, unknown = 0;

	for (size_t i = 0; i < shown; i++) {
		const struct sw_closure_site *site = &all->closures.sites.items[i];
		const struct sw_captures *captures = &site->captures;
		for (size_t k = 0; k < captures->count; k++) {
			unknown += !captures->items[k].type;
			nameless += captures->items[k].type && !is_wrapper(site) &&
				    sw_capture_is_nameless(&captures->items[k]);
		}
	}
	if (all->closures.damaged)
		sw_warn(&all->warnings, true, "damaged_closures", NULL,
			"%" PRIu64 " closures cannot be read, or have no function",
			all->closures.damaged);
	if (nameless)
		sw_warn(&all->warnings, false, "nameless_captures",
			"debug information has their names, from Go 1.23 on all of them: --symbols",
			"what %" PRIu64 " captured variables are called is not known: X0, X1, …",
			nameless);
	if (unknown)
		sw_warn(&all->warnings, false, "unknown_captures", NULL,
			"of %" PRIu64 " captured words only that they are pointers is known",
			unknown);
}

/* ---- the whole ---- */

static bool is_wanted(void *context, const struct sw_closure_site *site)
{
	const char *pattern = context;
	return strstr(site->function, pattern) || !fnmatch(pattern, site->function, 0);
}

static size_t count_shown(const struct closures_report *all)
{
	uint64_t least = sw_arguments_size(all->arguments, "min-bytes");
	uint64_t limit = sw_arguments_limit(all->arguments);
	const struct sw_closure_sites *sites = &all->closures.sites;
	size_t count = 0;

	while (count < sites->count && count < limit && sites->items[count].retained.bytes >= least)
		count++;
	return count;
}

static struct sw_error *add_table(struct closures_report *all, size_t shown)
{
	const struct sw_closure_sites *sites = &all->closures.sites;
	struct sw_error *error = NULL;
	char *text = NULL;
	size_t size;
	FILE *lines = open_memstream(&text, &size);

	if (!lines)
		return sw_error_memory();
	sw_report_table(all->report, "sites", NULL);
	fputs("sites:\n", lines);
	for (size_t i = 0; i < shown && !error; i++) {
		sw_report_row(all->report, "sites", sw_closure_row(&all->live, &sites->items[i]));
		error = sw_closure_lines(&all->live, &sites->items[i], lines);
	}
	fclose(lines);
	if (shown && !error)
		sw_report_listing(all->report, "sites", text);
	sw_report_omitted(all->report, "sites", sites->count, shown);
	free(text);
	return error;
}

static struct sw_error *find(struct closures_report *all)
{
	const char *pattern = sw_arguments_text(all->arguments, "function");
	struct sw_error *error = sw_closures_find(&all->live, pattern ? is_wanted : NULL,
						  (void *)pattern, &all->closures);
	size_t shown = error ? 0 : count_shown(all);
	if (!error)
		error = sw_closures_examine(&all->live, &all->closures,
					    shown > EXAMINED ? shown : EXAMINED);
	if (error)
		return error;
	add_sentences(all);
	add_summary(all);
	error = add_table(all, shown);
	add_findings(all);
	add_warnings(all, shown);
	if (all->closures.count)
		sw_report_next(
			all->report, "who-holds 0x%" PRIx64,
			sw_heap_address(all->live.heap, all->closures.sites.items[0].largest));
	sw_report_warnings(all->report, &all->warnings);
	return error;
}

static struct sw_error *run(struct sw_session *session, const struct sw_arguments *arguments,
			    struct sw_report *report)
{
	struct closures_report all = {.arguments = arguments, .report = report};
	struct sw_error *error = sw_session_live(session, &all.live);
	if (!error)
		error = find(&all);
	sw_closures_deinit(&all.closures);
	sw_warnings_clear(&all.warnings);
	return error;
}

static const struct sw_option options[] = {
	{"function", SW_OPTION_TEXT, "PATTERN", NULL, NULL,
	 "only functions whose name contains PATTERN, or matches it (* and ?)"},
	{"min-bytes", SW_OPTION_SIZE, "SIZE", NULL, NULL,
	 "only places whose closures retain this much"},
	{NULL},
};

const struct sw_command sw_command_closures = {
	.name = "closures",
	.usage = "",
	.summary = "what function values keep by the variables they have captured",
	.help = "Closures, method values and bound deferred calls on the heap, by the place in the "
		"source that makes them: how many there are, what would be free if all of them "
		"went, and of each captured variable its name, its type and what would be free if "
		"none of them had captured it. What several closures of one place hold together "
		"counts. Copies that the compiler makes of one function, where it inlines the "
		"function around it, are one place.\n"
		"A handler whose closures keep a request, a response or a body alive is a finding."
		"\nNames of captured variables come from debug information (all from Go 1.23 on; "
		"in 1.21 and 1.22 where the type tells which it is) or, up to Go 1.20, from the "
		"program itself, stripped too. Closures on the stack are not counted.",
	.example = "spanwalk closures app.core --function '*redirect*'",
	.options = options,
	.run = run,
};
