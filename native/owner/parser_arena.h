/* Arenas that programs build themselves: a buffer, or a chain of them, out of which a parser hands
 * views. A chunk lives as long as the last of its views, whether or not the arena still knows it.
 */
#ifndef SW_OWNER_PARSER_ARENA_H
#define SW_OWNER_PARSER_ARENA_H

#include "owner/arena_evidence.h"
#include "owner/arena_field.h"

#define SW_NO_ARENA SIZE_MAX

enum sw_arena_chunk_state {
	SW_ARENA_CHUNK_OWNED,
	SW_ARENA_CHUNK_RETIRED, /* no arena refers to it any more, only views do */
	SW_ARENA_CHUNK_POOLED,	/* it lies in a sync.Pool: whoever takes it next writes there */
};

/* A view that was handed out. */
struct sw_arena_view {
	struct sw_view view;
	uint64_t offset;	    /* bytes from the chunk's base */
	uint32_t field;		    /* in sw_parser_arenas.fields */
	bool is_stale, is_dangling; /* counted in stale_views, in dangling_views */
};
SW_VECTOR(struct sw_arena_view, sw_arena_views);

struct sw_arena_chunk {
	sw_addr base;
	uint64_t capacity, used; /* bytes */
	bool is_used_known;
	bool is_inline;		       /* an array in the arena's own object */
	uint8_t state;		       /* enum sw_arena_chunk_state */
	uint32_t shape;		       /* in sw_parser_arenas.shapes */
	size_t arena;		       /* in sw_parser_arenas.arenas; SW_NO_ARENA: retired */
	sw_object object;	       /* that it is in; SW_NO_OBJECT: not in Go's heap */
	size_t first_view, view_count; /* in sw_parser_arenas.views, by offset */
	uint64_t viewed_bytes;	       /* that at least one view looks at */
	uint64_t hole_bytes;	       /* the largest part that none does */
	uint64_t stale_views;	       /* that look at what was not handed out: stale */
	uint64_t dangling_views;       /* of a pooled one: from outside the pool */
};
SW_VECTOR(struct sw_arena_chunk, sw_arena_chunks);

/* A value of an arena's type, with all that `next` leads to. */
struct sw_parser_arena {
	uint32_t shape;
	struct sw_arena_place place; /* of the first part: that no other one leads to */
	size_t chunk_count, view_count;
	uint64_t capacity, used, viewed_bytes; /* of all chunks */
	bool is_used_known;		       /* of all chunks */
	bool is_retired; /* nothing refers to it, but views into chunks that are parts of it */
	bool is_pooled;
};
SW_VECTOR(struct sw_parser_arena, sw_parser_arena_list);

struct sw_parser_arenas {
	struct sw_arena_shapes shapes;
	struct sw_parser_arena_list arenas;
	struct sw_arena_chunks chunks; /* by arena; those of none at the end, by shape */
	struct sw_arena_views views;
	struct sw_arena_fields fields;
	struct sw_arena_field_names paths; /* private: of shapes that nobody else keeps */
};

struct sw_parser_arena_search {
	const struct sw_live *live;
	const struct sw_arena_descriptions *descriptions; /* must outlive what is found */
	uint64_t min_bytes;				  /* of a chunk */
};

/* What a description does not fit is counted in `warnings`. */
struct sw_error *sw_parser_arenas_find(const struct sw_parser_arena_search *search,
				       struct sw_warnings *warnings, struct sw_parser_arenas *out);
void sw_parser_arenas_free(struct sw_parser_arenas *arenas);

#endif
