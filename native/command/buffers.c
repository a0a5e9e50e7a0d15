/* buffers: memory that is alive and of no use: large arrays that small views pin, room that slices,
 * maps and buffers keep, strings that are there several times. */
#include "command/buffers.h"

#include <inttypes.h>

enum {
	FINDINGS = 3,	   /* of a kind */
	REUSED = 8,	   /* bytes that weigh as much as one */
	LITTLE = 64 << 10, /* bytes that are not worth a word, whatever their share */
	MUCH = 1 << 20,	   /* that may be worth more than P3 */
};

/* ---- words ---- */

static uint64_t wasted_in_all(const struct sw_buffers *buffers)
{
	return buffers->pinned.wasted + buffers->capacity.wasted + buffers->maps.wasted +
	       buffers->idle.size + buffers->duplicates.wasted;
}

static void tell_of_all(const struct sw_buffers *buffers)
{
	uint64_t live = buffers->live.heap->object_bytes, wasted = wasted_in_all(buffers);
	char all[16], of[16], pinned[16], slices[16], maps[16], idle[16], texts[16];

	if (!wasted) {
		sw_report_sentence(buffers->report,
				   "No large array is pinned by small views, and slices, maps and "
				   "buffers are no larger than they need to be.");
		return;
	}
	sw_report_sentence(
		buffers->report,
		"%s of %s live bytes (%.0f%%) are kept and not used: small views pin %s, slices "
		"have room for %s, maps for %s, idle buffers keep %s, texts that are there several "
		"times %s.",
		sw_text_bytes(wasted, all), sw_text_bytes(live, of),
		live ? 100 * (double)wasted / (double)live : 0,
		sw_text_bytes(buffers->pinned.wasted, pinned),
		sw_text_bytes(buffers->capacity.wasted, slices),
		sw_text_bytes(buffers->maps.wasted, maps), sw_text_bytes(buffers->idle.size, idle),
		sw_text_bytes(buffers->duplicates.wasted, texts));
}

static void tell_of_pinned(const struct sw_buffers *buffers)
{
	const struct sw_pinned *pinned = &buffers->pinned;
	char number[32], used[16], size[16];

	if (pinned->arrays)
		sw_report_sentence(
			buffers->report,
			"%s large %s of %s %s alive for the %s that anything looks at, most of "
			"them for %s.",
			sw_text_count(pinned->arrays, number),
			sw_text_plural(pinned->arrays, "array", "arrays"),
			sw_text_bytes(pinned->size, size),
			sw_text_plural(pinned->arrays, "is", "are"),
			sw_text_bytes(pinned->size - pinned->wasted, used),
			pinned->rows.items[0].name);
	if (pinned->unknown_arrays)
		sw_report_sentence(
			buffers->report,
			"Of %s large %s (%s) nothing can be said: how much a pointer to %s looks "
			"at is not known.",
			sw_text_count(pinned->unknown_arrays, number),
			sw_text_plural(pinned->unknown_arrays, "array", "arrays"),
			sw_text_bytes(pinned->unknown_size, size),
			sw_text_plural(pinned->unknown_arrays, "it", "them"));
}

/* ---- summary ---- */

static void add_size(const struct sw_buffers *buffers, const char *key, uint64_t bytes)
{
	sw_report_summary(buffers->report, key, sw_json_bytes(bytes));
}

static void add_summary(const struct sw_buffers *buffers)
{
	const struct sw_pinned *pinned = &buffers->pinned;

	add_size(buffers, "live_bytes", buffers->live.heap->object_bytes);
	sw_report_count(buffers->report, "pinned_arrays", pinned->arrays);
	add_size(buffers, "pinned_bytes", pinned->wasted);
	add_size(buffers, "pinned_spare_bytes", pinned->spare);
	sw_report_count(buffers->report, "unknown_arrays", pinned->unknown_arrays);
	add_size(buffers, "unknown_bytes", pinned->unknown_size);
	sw_report_count(buffers->report, "roomy_slices", buffers->capacity.arrays);
	add_size(buffers, "capacity_bytes", buffers->capacity.wasted);
	add_size(buffers, "empty_bytes", buffers->capacity.empty);
	sw_report_count(buffers->report, "sparse_maps", buffers->maps.maps);
	add_size(buffers, "sparse_map_bytes", buffers->maps.wasted);
	sw_report_count(buffers->report, "idle_buffers", buffers->idle.buffers);
	add_size(buffers, "idle_bytes", buffers->idle.size);
	sw_report_count(buffers->report, "strings", buffers->duplicates.strings);
	sw_report_count(buffers->report, "duplicate_strings", buffers->duplicates.arrays);
	sw_report_count(buffers->report, "duplicate_texts", buffers->duplicates.texts);
	add_size(buffers, "duplicate_bytes", buffers->duplicates.wasted);
	sw_report_listing(buffers->report, "summary", ""); /* the sentences tell */
}

/* ---- findings ---- */

/* By the share of the live heap; NONE: not worth a word. */
static enum sw_grade grade_of(const struct sw_buffers *buffers, uint64_t wasted)
{
	uint64_t live = buffers->live.heap->object_bytes;
	if (wasted < LITTLE || wasted <= live / 100)
		return SW_GRADE_NONE;
	if (wasted < MUCH)
		return SW_GRADE_P3;
	return wasted > live / 4 ? SW_GRADE_P1 : wasted > live / 20 ? SW_GRADE_P2 : SW_GRADE_P3;
}

/* "main.session.id: 24 arrays of 24.0 MiB, of which small views pin 24.0 MiB". */
struct kind {
	const char *code, *one, *many, *wasted, *next;
	bool is_whole;	/* all is wasted */
	bool is_reused; /* what is empty is kept for the next round, and weighs little */
};

static const struct kind pinned_kind = {
	.code = "pinned_array",
	.one = "array of",
	.many = "arrays of",
	.wasted = ", of which small views pin",
	.next = "buffer-owner",
};
static const struct kind capacity_kind = {
	.code = "spare_capacity",
	.one = "slice with room for",
	.many = "slices with room for",
	.wasted = ", of which nothing uses",
	.next = "buffer-owner",
	.is_reused = true,
};
static const struct kind map_kind = {
	.code = "sparse_map",
	.one = "map of",
	.many = "maps of",
	.wasted = ", of which no entry uses",
	.next = "who-holds",
};
static const struct kind idle_kind = {
	.code = "idle_buffer",
	.one = "buffer with nothing in it has",
	.many = "buffers with nothing in them have",
	.next = "buffer-owner",
	.is_whole = true,
};
static const struct kind dead_kind = {
	.code = "dead_buffer",
	.one = "buffer of a closed connection has",
	.many = "buffers of closed connections have",
	.next = "buffer-owner",
	.is_whole = true,
};
static const struct kind duplicate_kind = {
	.code = "duplicate_strings",
	.one = "string whose text is elsewhere too: interning would save",
	.many = "strings whose texts are elsewhere too: interning would save",
	.next = "who-holds",
	.is_whole = true,
};

static void add_finding(const struct sw_buffers *buffers, const struct kind *kind,
			const struct sw_field_row *row)
{
	const struct sw_field_sum *sum = &row->sum;
	uint64_t weight = sum->wasted - (kind->is_reused ? sum->spare - sum->spare / REUSED : 0);
	enum sw_grade grade = grade_of(buffers, weight);
	char message[SW_FIELD_NAME + 256], next[64], number[32], wasted[16], size[16];

	if (grade == SW_GRADE_NONE)
		return;
	snprintf(message, sizeof(message), "%s: %s %s %s%s%s%s", row->name,
		 sw_text_count(sum->arrays, number),
		 sw_text_plural(sum->arrays, kind->one, kind->many), sw_text_bytes(sum->size, size),
		 kind->is_whole ? "" : kind->wasted, kind->is_whole ? "" : " ",
		 kind->is_whole ? "" : sw_text_bytes(sum->wasted, wasted));
	snprintf(next, sizeof(next), "%s 0x%" PRIx64, kind->next,
		 sw_live_start(&buffers->live, sum->example.object));
	sw_report_finding(buffers->report, grade, kind->code, message,
			  json_pack("{s:o, s:I, s:I, s:I}", "field", sw_json_string(row->name),
				    "count", (json_int_t)sum->arrays, "size_bytes",
				    (json_int_t)sum->size, "wasted_bytes", (json_int_t)sum->wasted),
			  next);
}

static void add_kind(const struct sw_buffers *buffers, const struct kind *kind,
		     const struct sw_field_rows *rows)
{
	for (size_t i = 0; i < rows->count && i < FINDINGS; i++)
		add_finding(buffers, kind, &rows->items[i]);
}

static void add_findings(const struct sw_buffers *buffers)
{
	add_kind(buffers, &pinned_kind, &buffers->pinned.rows);
	add_kind(buffers, &capacity_kind, &buffers->capacity.rows);
	add_kind(buffers, &map_kind, &buffers->maps.rows);
	for (unsigned i = 0; i < SW_IDLE_KINDS; i++)
		add_kind(buffers, i <= SW_IDLE_BUILDER ? &idle_kind : &dead_kind,
			 &buffers->idle.rows[i]);
	add_kind(buffers, &duplicate_kind, &buffers->duplicates.rows);
}

static void add_next(const struct sw_buffers *buffers)
{
	const struct sw_field_rows *rows =
		buffers->pinned.rows.count ? &buffers->pinned.rows : &buffers->capacity.rows;
	if (rows->count)
		sw_report_next(buffers->report, "buffer-owner 0x%" PRIx64,
			       sw_live_start(&buffers->live, rows->items[0].sum.example.object));
}

static void add_warnings(struct sw_buffers *buffers)
{
	struct sw_warnings warnings = {0};

	if (buffers->maps.unreadable)
		sw_warn(&warnings, true, "map_unreadable", NULL,
			"the size of %" PRIu64 " of %" PRIu64 " maps could not be read",
			buffers->maps.unreadable, buffers->maps.looked_at);
	if (buffers->is_partial)
		sw_warn(&warnings, true, "strings_left_out", "raise --max-memory",
			"duplicate strings%s need more memory than --max-memory leaves: they are "
			"left out",
			buffers->fields.use ? "" : " and room in slices");
	sw_report_warnings(buffers->report, &warnings);
	sw_warnings_clear(&warnings);
}

/* ---- the whole ---- */

/* What needs more memory than there may be is left out. */
static struct sw_error *forgive(struct sw_buffers *buffers, struct sw_error *error)
{
	if (!error || error->code != SW_ERR_LIMIT)
		return error;
	buffers->is_partial = true;
	sw_error_free(error);
	return NULL;
}

static struct sw_error *look_at_large_arrays(struct sw_buffers *buffers)
{
	sw_work_stage(buffers->live.work, "views");
	struct sw_error *error = sw_view_scan_init(&buffers->scan, &buffers->live);
	buffers->fields.scan = &buffers->scan;
	if (!error)
		error = forgive(buffers, sw_array_use_build(&buffers->use, &buffers->scan));
	if (buffers->use.ends)
		buffers->fields.use = &buffers->use;
	if (!error)
		error = sw_pinned_find(&buffers->fields, buffers->min_size, buffers->min_wasted,
				       &buffers->pinned);
	return error;
}

static struct sw_error *look_at_libraries(struct sw_buffers *buffers)
{
	sw_work_stage(buffers->live.work, "maps");
	struct sw_error *error = sw_sparse_maps_find(&buffers->fields, &buffers->maps);
	if (!error)
		error = sw_idle_buffers_find(&buffers->fields, buffers->min_size, &buffers->idle);
	return error;
}

static struct sw_error *look_at_all_arrays(struct sw_buffers *buffers)
{
	if (!buffers->fields.use)
		return NULL;
	sw_work_stage(buffers->live.work, "strings");
	struct sw_error *error = sw_capacity_find(&buffers->fields, &buffers->use,
						  buffers->idle.arrays, &buffers->capacity);
	if (!error)
		error = forgive(buffers, sw_duplicates_find(&buffers->fields, &buffers->use,
							    &buffers->duplicates));
	return error;
}

static struct sw_error *look(struct sw_buffers *buffers)
{
	struct sw_error *error = look_at_large_arrays(buffers);
	if (!error)
		error = look_at_libraries(buffers);
	if (!error)
		error = look_at_all_arrays(buffers);
	sw_work_stage(buffers->live.work, NULL);
	return error;
}

static void fill(struct sw_buffers *buffers)
{
	tell_of_all(buffers);
	tell_of_pinned(buffers);
	add_summary(buffers);
	add_findings(buffers);
	sw_buffers_tables(buffers);
	add_next(buffers);
	add_warnings(buffers);
}

static struct sw_error *run(struct sw_session *session, const struct sw_arguments *arguments,
			    struct sw_report *report)
{
	struct sw_buffers buffers = {
		.report = report,
		.limit = sw_arguments_limit(arguments),
		.min_size = sw_arguments_size(arguments, "min-size"),
		.min_wasted = sw_arguments_fraction(arguments, "min-wasted"),
	};
	struct sw_error *error = sw_session_live(session, &buffers.live);

	if (!error)
		error = look(&buffers);
	if (!error)
		fill(&buffers);
	sw_pinned_free(&buffers.pinned);
	sw_sparse_maps_free(&buffers.maps);
	sw_capacity_free(&buffers.capacity);
	sw_duplicates_free(&buffers.duplicates);
	sw_idle_buffers_free(&buffers.idle, buffers.live.work);
	sw_fields_deinit(&buffers.fields);
	sw_array_use_free(&buffers.use, buffers.live.work);
	sw_view_scan_deinit(&buffers.scan);
	return error;
}

static const struct sw_option options[] = {
	{"min-size", SW_OPTION_SIZE, "SIZE", NULL, "4KiB",
	 "of an array to be called pinned, of a buffer to be called idle"},
	{"min-wasted", SW_OPTION_FRACTION, "SHARE", NULL, "50%",
	 "of an array that nothing looks at, from which on it is called pinned"},
	{0},
};

const struct sw_command sw_command_buffers = {
	.name = "buffers",
	.usage = "",
	.summary = "memory that is kept and not used: pinned arrays, spare room, duplicate strings",
	.help = "`pinned`: large arrays that are alive for a small part of them, as a line's "
		"s[3:5] keeps the megabyte that it was cut out of. A view is any slice, string or "
		"pointer into the array. It reaches its length; a slice that begins where the "
		"array begins reaches its capacity, because whoever has it can use all of that "
		"again (buf[:0] is kept for the next round: see `capacity`). Bytes that no view "
		"reaches are wasted; spare are those of them that a slice from further in could "
		"still append to. Arrays with a view of unknown length are not called pinned: "
		"unknown_arrays counts those that might be. `field` is the field, variable or map "
		"that has most views on the array.\n\n"
		"`capacity`: slices, of any size, whose array could hold twice what is in use or "
		"more; of the wasted bytes, those are called empty whose slices have length 0.\n\n"
		"`maps`: maps of which less than a quarter of the slots has an entry: maps do not "
		"shrink.\n\n"
		"`idle`: bytes.Buffers with nothing unread, strings.Builders with nothing "
		"written, and bufio readers and writers of a closed connection or file.\n\n"
		"`duplicates`: texts that are in memory several times, and what it costs beyond "
		"the first; `duplicate_fields`: the fields that hold the others. A string counts "
		"with its slot, or, when it is so short that it shares one, with its length; "
		"parts of larger strings do not count.",
	.example = "spanwalk buffers app.core --min-size 64KiB",
	.options = options,
	.run = run,
};
