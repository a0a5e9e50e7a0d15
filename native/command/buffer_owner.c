/* buffer-owner ADDR|SYMBOL: whose a backing array is, and whether it is still of use. */
#include "command/buffer_owner.h"

#include "go/name.h"

#include <inttypes.h>
#include <stdio.h>

enum { LARGE = 1 << 20, PINNED = 64 << 10, PINNED_SHARE = 10 };

/* ---- sentences ---- */

static void tell_buffer(const struct sw_buffer_owner *owner, struct sw_report *report)
{
	char size[16], words[SW_BUFFER_WORDS];
	const char *type =
		sw_naming_type_name(&owner->live, sw_live_type(&owner->live, owner->object));
	sw_addr address = sw_heap_address(owner->live.heap, owner->object);
	char *expression = sw_naming_expression(&owner->live, &owner->path);

	sw_text_bytes(owner->rounded, size);
	if (owner->has_buffer) {
		sw_buffer_words(&owner->buffer, words, sizeof(words));
		sw_report_sentence(report, "The %s of %s at 0x%" PRIx64 " belongs to %s: %s.", type,
				   size, address, words, expression ? expression : "?");
	} else {
		sw_report_sentence(report, "The %s of %s at 0x%" PRIx64 " is held by %s.", type,
				   size, address, expression ? expression : "?");
	}
	free(expression);
}

static void tell_owner(const struct sw_buffer_owner *owner, struct sw_report *report)
{
	const struct sw_dominators *dominators = owner->live.dominators;
	sw_node above = owner->dominator;
	char size[16], count[32];

	if (above == owner->live.graph->super) {
		sw_report_sentence(report,
				   "It has no single holder: %s roots reach it, and it lives as "
				   "long as one of them does.",
				   sw_text_count(owner->root_count, count));
		return;
	}
	char *expression = sw_naming_expression_to(&owner->live, above);
	const char *type =
		above < owner->live.graph->object_count
			? sw_naming_type_name(&owner->live, sw_live_type(&owner->live, above))
			: sw_naming_root_kind(sw_naming_root(&owner->live, above)->kind);
	sw_report_sentence(report, "It lives as long as %s (%s), which retains %s in %s object%s.",
			   expression ? expression : "?", type,
			   sw_text_bytes(dominators->retained_bytes[above], size),
			   sw_text_count(dominators->retained_objects[above], count),
			   dominators->retained_objects[above] == 1 ? "" : "s");
	free(expression);
}

static void tell_use(const struct sw_buffer_owner *owner, struct sw_report *report)
{
	uint64_t end = owner->is_requested_known ? owner->requested : owner->size;
	char views[32], used[16], all[16], hole[16];

	sw_text_count(owner->views.count, views);
	sw_text_bytes(end, all);
	if (owner->unbounded_views) {
		sw_report_sentence(report, "%s view%s; nothing tells how far %zu of them look%s.",
				   views, owner->views.count == 1 ? "" : "s",
				   owner->unbounded_views, owner->unbounded_views == 1 ? "s" : "");
		return;
	}
	const char *plural = owner->views.count == 1 ? "" : "s";
	const char *look = owner->views.count == 1 ? "looks" : "look";
	if (owner->used == end)
		sw_report_sentence(report, "%s view%s %s at all of its %s.", views, plural, look,
				   all);
	else
		sw_report_sentence(report, "%s view%s %s at %s of %s; the largest hole is %s.",
				   views, plural, look, sw_text_bytes(owner->used, used), all,
				   sw_text_bytes(owner->largest_hole, hole));
}

/* The call that allocated, and the first one of another package. */
static void tell_allocation(const struct sw_buffer_owner *owner, struct sw_report *report)
{
	struct sw_go_call calls[SW_BUFFER_OWNER_FRAMES];
	size_t count =
		sw_go_bucket_calls(owner->live.go, &owner->bucket, calls, SW_BUFFER_OWNER_FRAMES);
	size_t first = count ? sw_go_package_length(calls[0].function) : 0, i = 1;

	while (i < count && sw_go_package_length(calls[i].function) == first &&
	       !strncmp(calls[i].function, calls[0].function, first))
		i++;
	if (!count)
		return;
	char *name = sw_go_print_name(calls[0].function);
	char *caller = i < count ? sw_go_print_name(calls[i].function) : NULL;
	if (caller && sw_go_is_runtime_name(caller)) {
		free(caller);
		caller = NULL;
	}
	sw_report_sentence(report, "It was allocated by %s%s%s (%s:%" PRId32 ").",
			   name ? name : "?", caller ? " for " : "", caller ? caller : "",
			   calls[caller ? i : 0].file, calls[caller ? i : 0].line);
	free(name);
	free(caller);
}

static void tell_origin(const struct sw_buffer_owner *owner, struct sw_report *report)
{
	if (owner->element != SW_NO_ELEMENT)
		sw_report_sentence(report, "It lies in a sync.Pool: whoever takes it from there "
					   "uses it again.");
	if (owner->is_sampled)
		tell_allocation(owner, report);
	if (owner->goroutine_count)
		sw_report_sentence(report, "%zu goroutine%s can reach it.", owner->goroutine_count,
				   owner->goroutine_count == 1 ? "" : "s");
}

/* ---- findings ---- */

static void find_dead_owner(const struct sw_buffer_owner *owner, struct sw_report *report)
{
	char message[SW_BUFFER_WORDS + 128], words[SW_BUFFER_WORDS], size[16], next[64];
	if (!owner->has_buffer || !sw_buffer_is_over(&owner->buffer) ||
	    owner->element != SW_NO_ELEMENT)
		return;
	sw_buffer_words(&owner->buffer, words, sizeof(words));
	snprintf(message, sizeof(message), "%s are kept for %s",
		 sw_text_bytes(owner->rounded, size), words);
	snprintf(next, sizeof(next), "who-holds 0x%" PRIx64, owner->buffer.value.addr);
	json_t *evidence = json_object();
	json_object_set_new(evidence, "owner_address", sw_json_address(owner->buffer.value.addr));
	json_object_set_new(evidence, "rounded_bytes", sw_json_bytes(owner->rounded));
	json_object_set_new(evidence, "guess", json_boolean(owner->buffer.is_guess));
	sw_report_finding(report,
			  owner->buffer.state == SW_BUFFER_AT_END ? SW_GRADE_P3
			  : owner->rounded >= LARGE		  ? SW_GRADE_P1
								  : SW_GRADE_P2,
			  "buffer_of_dead_owner", message, evidence, next);
}

/* What its views reach: their length, and of a slice that begins where the array does its capacity,
 * which whoever has it can use again (buf[:0]). */
static uint64_t reached(const struct sw_buffer_owner *owner)
{
	uint64_t most = owner->used;
	for (size_t i = 0; i < owner->views.count && !owner->views.items[i].offset; i++)
		if (owner->views.items[i].cap > most)
			most = owner->views.items[i].cap;
	return most;
}

/* A large array that is kept for the sake of a small part of it. */
static void find_pinned(const struct sw_buffer_owner *owner, struct sw_report *report)
{
	char message[256], used[16], size[16], next[64];
	if (owner->unbounded_views || owner->has_buffer || !owner->views.count ||
	    owner->rounded < PINNED || reached(owner) * PINNED_SHARE > owner->rounded)
		return;
	sw_addr address = sw_heap_address(owner->live.heap, owner->object);
	snprintf(message, sizeof(message), "%s are kept for the %s that are looked at",
		 sw_text_bytes(owner->rounded, size), sw_text_bytes(owner->used, used));
	snprintf(next, sizeof(next), "who-holds 0x%" PRIx64, address);
	json_t *evidence = json_object();
	json_object_set_new(evidence, "used_bytes", sw_json_bytes(owner->used));
	json_object_set_new(evidence, "rounded_bytes", sw_json_bytes(owner->rounded));
	sw_report_finding(report, owner->rounded >= LARGE ? SW_GRADE_P1 : SW_GRADE_P2,
			  "pinned_by_small_views", message, evidence, next);
}

static void tell_next(const struct sw_buffer_owner *owner, struct sw_report *report)
{
	sw_report_next(report, "who-holds 0x%" PRIx64,
		       sw_heap_address(owner->live.heap, owner->object));
	if (owner->dominator < owner->live.graph->object_count)
		sw_report_next(report, "retained 0x%" PRIx64,
			       sw_heap_address(owner->live.heap, owner->dominator));
}

static struct sw_error *report_owner(struct sw_buffer_owner *owner,
				     const struct sw_arguments *arguments, struct sw_report *report)
{
	struct sw_error *error = sw_buffer_owner_find(owner);
	if (error)
		return error;
	tell_buffer(owner, report);
	tell_owner(owner, report);
	tell_use(owner, report);
	tell_origin(owner, report);
	sw_buffer_owner_text(owner, report);
	error = sw_buffer_owner_report(owner, report, sw_arguments_limit(arguments));
	if (error)
		return error;
	find_dead_owner(owner, report);
	find_pinned(owner, report);
	tell_next(owner, report);
	return NULL;
}

static struct sw_error *run(struct sw_session *session, const struct sw_arguments *arguments,
			    struct sw_report *report)
{
	struct sw_buffer_owner owner = {.element = SW_NO_ELEMENT};
	struct sw_error *error = sw_session_live(session, &owner.live);
	if (!error)
		error = sw_buffer_owner_address(&owner.live, arguments->positional[0],
						&owner.address);
	if (!error)
		error = report_owner(&owner, arguments, report);
	sw_buffer_owner_free(&owner);
	return error;
}

const struct sw_command sw_command_buffer_owner = {
	.name = "buffer-owner",
	.usage = "ADDR|SYMBOL",
	.positionals = 1,
	.summary = "whose a backing array is, who looks at it, and whether it is still of use",
	.help = "For the array at ADDR (any address inside it), or that the variable SYMBOL leads "
		"to (with fields: main.server.parser.buf): its span, size class, requested and "
		"rounded size; every slice, string and pointer that looks at it, and how much of it "
		"they cover; the structure whose buffer it is (bufio, bytes, strings, json, gob, "
		"compress, net/http, or what looks like a parser of the program) with what is "
		"unread or unwritten in it and its state; the holder that it lives as long as, and "
		"those above; the sync.Pool it lies in; where it was allocated, when the heap "
		"profiler sampled it; the roots and goroutines that can reach it.\n\n"
		"The requested size is written down nowhere: it is told by the type, or by a view "
		"that can grow to the array's end, as long as a smaller slot would not have done.",
	.example = "spanwalk buffer-owner app.core 0xc000123000",
	.run = run,
};
