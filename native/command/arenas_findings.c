/* What is wrong with arenas, and what to run next. */
#include "command/arenas.h"

#include <inttypes.h>

enum { MAX_NAME = 512, MAX_MESSAGE = 1536, MIB = 1 << 20 };

/* ---- grades ---- */

static enum sw_grade grade_of(const struct sw_arenas_view *view, uint64_t wasted)
{
	uint64_t live = view->live.heap->object_bytes;
	if (wasted > live / 4)
		return SW_GRADE_P0;
	if (wasted > live / 20)
		return SW_GRADE_P1;
	return wasted > live / 100 || wasted >= 16 * (uint64_t)MIB ? SW_GRADE_P2 : SW_GRADE_P3;
}

/* What is in the heap can be asked for: the chunk, else who looks at it. */
static sw_addr in_heap(const struct sw_arenas_view *view, sw_addr chunk, sw_addr at)
{
	if (sw_heap_object(view->live.heap, chunk) != SW_NO_OBJECT)
		return chunk;
	return sw_heap_object(view->live.heap, at) != SW_NO_OBJECT ? at : 0;
}

static void add(struct sw_arenas_view *view, enum sw_grade grade, const char *code,
		const char *message, json_t *evidence, sw_addr next)
{
	char command[64] = "";
	if (next)
		snprintf(command, sizeof(command), "who-holds 0x%" PRIx64, next);
	sw_report_finding(view->report, grade, code, message, evidence, next ? command : NULL);
}

/* ---- user arenas ---- */

static const struct sw_user_chunk *first_chunk(const struct sw_arenas_view *view,
					       enum sw_user_chunk_state state)
{
	for (size_t i = 0; i < view->user.chunks.count; i++)
		if (view->user.chunks.items[i].state == state &&
		    view->user.chunks.items[i].view_count)
			return &view->user.chunks.items[i];
	return NULL;
}

static void add_freed(struct sw_arenas_view *view, enum sw_user_chunk_state state,
		      enum sw_grade grade, uint64_t pointers, const char *code, const char *what)
{
	const struct sw_user_chunk *chunk = first_chunk(view, state);
	char message[MAX_MESSAGE], count[32], field[SW_FIELD_NAME] = "?";

	if (!chunk)
		return;
	const struct sw_view *example = &view->user.views.items[chunk->first_view];
	sw_field_name(&view->parser.fields.fields, example, field, sizeof(field));
	snprintf(message, sizeof(message), "%s pointer%s %s; the first in %s",
		 sw_text_count(pointers, count), pointers == 1 ? "" : "s", what, field);
	json_t *evidence = json_object();
	json_object_set_new(evidence, "pointers", sw_json_count(pointers));
	json_object_set_new(evidence, "chunk_address", sw_json_address(chunk->base));
	json_object_set_new(evidence, "address", sw_json_address(example->at));
	add(view, grade, code, message, evidence, chunk->base);
}

static void add_user(struct sw_arenas_view *view, const struct sw_arenas_sum *sum)
{
	char message[MAX_MESSAGE], count[32];

	add_freed(view, SW_USER_CHUNK_FREED, SW_GRADE_P0, sum->freed_pointers,
		  "referenced_after_free",
		  "into memory of a freed user arena: what follows one crashes");
	add_freed(view, SW_USER_CHUNK_SPARE, SW_GRADE_P1, sum->spare_pointers,
		  "referenced_after_free",
		  "into a freed user arena whose chunk the next arena goes on with: what is there "
		  "will vanish");
	if (!sum->unreachable)
		return;
	snprintf(message, sizeof(message),
		 "%s user arena%s never freed: unreachable, and kept until the finalizer has run",
		 sw_text_count(sum->unreachable, count), sum->unreachable == 1 ? " was" : "s were");
	add(view, SW_GRADE_P3, "arena_not_freed", message, NULL, 0);
}

/* ---- parser arenas ---- */

/* The view that tells most of a shape: of a chunk with what `has` wants. */
typedef bool has_trouble(const struct sw_arena_chunk *chunk);

static bool has_dangling(const struct sw_arena_chunk *chunk)
{
	return chunk->dangling_views;
}

static bool has_stale(const struct sw_arena_chunk *chunk)
{
	return chunk->stale_views;
}

static bool is_retired(const struct sw_arena_chunk *chunk)
{
	return chunk->state == SW_ARENA_CHUNK_RETIRED;
}

static const struct sw_arena_chunk *first_of(const struct sw_arenas_view *view, uint32_t shape,
					     has_trouble *has)
{
	for (size_t i = 0; i < view->parser.chunks.count; i++) {
		const struct sw_arena_chunk *chunk = &view->parser.chunks.items[i];
		if (chunk->shape == shape && chunk->view_count && has(chunk))
			return chunk;
	}
	return NULL;
}

static const char *field_of(const struct sw_arenas_view *view, const struct sw_arena_view *one)
{
	return view->parser.fields.names.items[one->field];
}

static json_t *evidence_of(const struct sw_arenas_view *view, const struct sw_arena_chunk *chunk,
			   const struct sw_arena_view *one)
{
	json_t *evidence = json_object();
	json_object_set_new(evidence, "chunk_address", sw_json_address(chunk->base));
	json_object_set_new(evidence, "capacity_bytes", sw_json_bytes(chunk->capacity));
	json_object_set_new(evidence, "address", sw_json_address(one->view.at));
	json_object_set_new(evidence, "field", sw_json_string(field_of(view, one)));
	return evidence;
}

/* The first one of a chunk that has a view, or that is what is wrong. */
static const struct sw_arena_view *first_view(const struct sw_arenas_view *view,
					      const struct sw_arena_chunk *chunk)
{
	const struct sw_arena_view *one = &view->parser.views.items[chunk->first_view];
	for (size_t i = 0; i < chunk->view_count; i++)
		if (one[i].is_dangling || one[i].is_stale)
			return &one[i];
	return one;
}

static void add_dangling(struct sw_arenas_view *view, uint32_t shape, uint64_t views)
{
	const struct sw_arena_chunk *chunk = first_of(view, shape, has_dangling);
	char message[MAX_MESSAGE], name[MAX_NAME], count[32];

	if (!chunk)
		return;
	const struct sw_arena_view *one = first_view(view, chunk);
	sw_arenas_type_name(view, shape, name, sizeof(name));
	snprintf(message, sizeof(message),
		 "%s view%s into a %s that lies in a sync.Pool, as in %s: whoever takes it next "
		 "writes there",
		 sw_text_count(views, count), views == 1 ? "" : "s", name, field_of(view, one));
	json_t *evidence = evidence_of(view, chunk, one);
	json_object_set_new(evidence, "views", sw_json_count(views));
	add(view, SW_GRADE_P1, "dangling_views", message, evidence,
	    in_heap(view, chunk->base, one->view.at));
}

static void add_stale(struct sw_arenas_view *view, uint32_t shape, uint64_t views)
{
	const struct sw_arena_chunk *chunk = first_of(view, shape, has_stale);
	char message[MAX_MESSAGE], name[MAX_NAME], count[32];

	if (!chunk)
		return;
	const struct sw_arena_view *one = first_view(view, chunk);
	sw_arenas_type_name(view, shape, name, sizeof(name));
	snprintf(
		message, sizeof(message),
		"%s view%s what a %s has taken back and will hand out again, as %s, which looks at "
		"byte %" PRIu64 " of %" PRIu64 " in use",
		sw_text_count(views, count), views == 1 ? " looks at" : "s look at", name,
		field_of(view, one), one->offset, chunk->used);
	json_t *evidence = evidence_of(view, chunk, one);
	json_object_set_new(evidence, "views", sw_json_count(views));
	add(view, SW_GRADE_P1, "use_after_reset", message, evidence,
	    in_heap(view, chunk->base, one->view.at));
}

static void add_retired(struct sw_arenas_view *view, uint32_t shape,
			const struct sw_arenas_sum *sum)
{
	const struct sw_arena_chunk *chunk = first_of(view, shape, is_retired);
	uint64_t wasted = sum->retired_bytes - sum->retired_viewed;
	char message[MAX_MESSAGE], name[MAX_NAME], count[32], alone[32], bytes[16], viewed[16];

	if (!chunk || wasted < sum->retired_bytes / 2)
		return;
	const struct sw_arena_view *one = first_view(view, chunk);
	sw_arenas_type_name(view, shape, name, sizeof(name));
	snprintf(
		message, sizeof(message),
		"%s chunk%s of %s, %s, live on through views of %s, as in %s; one view alone keeps "
		"%s of them",
		sw_text_count(sum->retired_chunks, count), sum->retired_chunks == 1 ? "" : "s",
		name, sw_text_bytes(sum->retired_bytes, bytes),
		sw_text_bytes(sum->retired_viewed, viewed), field_of(view, one),
		sw_text_count(sum->one_view_chunks, alone));
	json_t *evidence = evidence_of(view, chunk, one);
	json_object_set_new(evidence, "chunks", sw_json_count(sum->retired_chunks));
	json_object_set_new(evidence, "one_view_chunks", sw_json_count(sum->one_view_chunks));
	json_object_set_new(evidence, "wasted_bytes", sw_json_bytes(wasted));
	add(view, grade_of(view, wasted), "kept_by_view", message, evidence,
	    in_heap(view, chunk->base, one->view.at));
}

void sw_arenas_report_findings(struct sw_arenas_view *view, const struct sw_arenas_sum *sum)
{
	struct sw_arenas_sum of_shape;

	add_user(view, sum);
	for (uint32_t i = 0; i < view->parser.shapes.count; i++) {
		sw_arenas_count_shape(view, i, &of_shape);
		add_dangling(view, i, of_shape.dangling);
		add_stale(view, i, of_shape.stale);
		add_retired(view, i, &of_shape);
	}
}
