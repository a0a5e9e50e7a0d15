/* The summary of buffer-owner as a person reads it. */
#include "command/buffer_owner.h"

#include <inttypes.h>
#include <stdio.h>

enum { SHOWN_GOIDS = 10 };

static void write_array(const struct sw_buffer_owner *owner, FILE *out)
{
	const struct sw_heap *heap = owner->live.heap;
	const struct sw_span *space = sw_heap_slot_span(heap, sw_heap_select(heap, owner->object));
	const struct sw_go_span *span = &owner->live.go->spans.items[space->owner];
	const char *type =
		sw_naming_type_name(&owner->live, sw_live_type(&owner->live, owner->object));
	char rounded[16], requested[16];

	sw_text_bytes(owner->rounded, rounded);
	sw_text_bytes(owner->is_requested_known ? owner->requested : owner->least, requested);
	fprintf(out, "array      %s at 0x%" PRIx64 ": %s%s asked for, in a slot of %s\n", type,
		sw_heap_address(heap, owner->object), owner->is_requested_known ? "" : "at least ",
		requested, rounded);
	fprintf(out, "span       0x%" PRIx64 " of %u slot%s on %" PRIu64 " page%s, ", span->base,
		span->nelems, sw_text_plural(span->nelems, "", "s"), span->npages,
		sw_text_plural(span->npages, "", "s"));
	if (span->spanclass >> 1)
		fprintf(out, "size class %d", span->spanclass >> 1);
	else
		fprintf(out, "a large object");
	fprintf(out, "%s\n", span->spanclass & 1 ? ", without pointers" : "");
}

static void write_use(const struct sw_buffer_owner *owner, FILE *out)
{
	uint64_t end = owner->is_requested_known ? owner->requested : owner->size;
	char used[16], holes[16], hole[16], slack[16];

	fprintf(out, "used       %s by %zu view%s; holes %s, the largest %s",
		sw_text_bytes(owner->used, used), owner->views.count,
		sw_text_plural(owner->views.count, "", "s"),
		sw_text_bytes(end - owner->used, holes), sw_text_bytes(owner->largest_hole, hole));
	if (owner->is_requested_known)
		fprintf(out, "; slack %s", sw_text_bytes(owner->rounded - end, slack));
	fputc('\n', out);
}

static void write_pool(const struct sw_buffer_owner *owner, FILE *out)
{
	char name[256];
	if (owner->element == SW_NO_ELEMENT)
		return;
	const struct sw_pool_element *element = &owner->pools.elements.items[owner->element];
	sw_buffer_owner_pool(owner, name, sizeof(name));
	fprintf(out, "pool       %s: %s 0x%" PRIx64 "%s\n", *name ? name : "?",
		sw_naming_type_name(&owner->live, element->body.type), element->body.addr,
		element->is_victim ? ", freed by the next collection" : "");
}

static void write_stack(const struct sw_buffer_owner *owner, FILE *out)
{
	struct sw_go_call calls[SW_BUFFER_OWNER_FRAMES];
	size_t count = owner->is_sampled ? sw_go_bucket_calls(owner->live.go, &owner->bucket, calls,
							      SW_BUFFER_OWNER_FRAMES)
					 : 0;
	for (size_t i = 0; i < count; i++) {
		char *name = sw_go_print_name(calls[i].function);
		fprintf(out, "%s%s (%s:%" PRId32 ")\n", i ? "           " : "allocated  ",
			name ? name : "?", calls[i].file, calls[i].line);
		free(name);
	}
}

static void write_goroutines(const struct sw_buffer_owner *owner, FILE *out)
{
	size_t shown = 0;
	if (!owner->goroutine_count)
		return;
	fprintf(out, "reached by ");
	for (size_t i = 0; i < owner->root_count && shown < SHOWN_GOIDS; i++) {
		const struct sw_go_root *root = sw_naming_root(&owner->live, owner->roots[i]);
		if (root->kind == SW_GO_ROOT_GOROUTINE)
			fprintf(out, "%s%s", shown++ ? ", " : "", root->name);
	}
	if (owner->goroutine_count > shown)
		fprintf(out, " and %zu more", owner->goroutine_count - shown);
	fputc('\n', out);
}

void sw_buffer_owner_text(const struct sw_buffer_owner *owner, struct sw_report *report)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	if (!out)
		return;
	write_array(owner, out);
	write_use(owner, out);
	write_pool(owner, out);
	write_stack(owner, out);
	write_goroutines(owner, out);
	if (!fclose(out))
		sw_report_listing(report, "summary", text);
	free(text);
}
