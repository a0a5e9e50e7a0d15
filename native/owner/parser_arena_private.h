/* Private to parser_arena.c (types, values), arena_part.c (their chunks and chains), arena_chunk.c
 * (what is known of one chunk), arena_untyped.c (arenas that nothing tells the type of),
 * arena_lost.c (what no arena refers to), arena_pool.c (what lies in pools), arena_c.c (values of C
 * types), arena_foreign.c (views on chunks outside Go's heap). */
#ifndef SW_OWNER_PARSER_ARENA_PRIVATE_H
#define SW_OWNER_PARSER_ARENA_PRIVATE_H

#include "library/pool.h"
#include "owner/arena_common.h"
#include "owner/parser_arena.h"

/* Chunks by where they begin: place in `chunks` + 1. */
SW_MAP(uint32_t, sw_arena_claims);

/* A value that has chunks. */
struct sw_arena_part {
	struct sw_arena_place place;
	uint32_t shape;
	uint32_t group; /* another part of the same arena, or itself */
	bool is_linked; /* another part leads to it */
};
SW_VECTOR(struct sw_arena_part, sw_arena_parts);

struct sw_arena_finding {
	const struct sw_parser_arena_search *search;
	const struct sw_live *live;
	struct sw_warnings *warnings;
	struct sw_views all;	 /* sw_views_collect() */
	struct sw_views foreign; /* into chunks outside the heap, by address, which is `offset` */
	struct sw_arena_commons commons; /* of the shape whose parts are added */
	struct sw_arena_parts parts;
	struct sw_arena_claims claims;
	uint64_t *has_chunk; /* a bit for each object: it is or has a chunk */
	struct sw_pools pools;
	uint32_t element; /* of a pool: chunks that are added belong to it; or SW_NO_ELEMENT */
	struct sw_parser_arenas *out;
};

/* ---- arena_part.c ---- */

/* Adds the chunks of a value; it becomes a part when it has one that no other has. */
struct sw_error *sw_arena_add_part(struct sw_arena_finding *finding, uint32_t shape,
				   const struct sw_arena_place *place);
/* Where a part leads to by the `next` of its description, or by any pointer to its own type. */
typedef struct sw_error *sw_visit_next(void *context, sw_addr next);
struct sw_error *sw_arena_visit_next(const struct sw_arena_finding *finding,
				     const struct sw_arena_part *part, sw_visit_next *visit,
				     void *context);
/* Makes arenas of parts that lead to each other; chunks have had the number of a part so far. */
struct sw_error *sw_arena_make_arenas(struct sw_arena_finding *finding);

/* ---- arena_untyped.c ---- */

/* Parts with an array that only strings and slices look into: nothing tells their type up to Go
 * 1.21, but their size, their pointers and their offset are those of other parts. */
struct sw_error *sw_arena_find_untyped(struct sw_arena_finding *finding);

/* ---- arena_chunk.c ---- */

/* Adds a chunk to out->chunks with the views that were handed out of it, unless there is one that
 * begins at the same place. `own` and `own_size` are the bytes of the owner itself. */
struct sw_error *sw_arena_add_chunk(struct sw_arena_finding *finding,
				    const struct sw_arena_region *region,
				    struct sw_arena_chunk chunk, sw_addr own, uint64_t own_size);

/* A view from outside a pool's element. */
bool sw_arena_is_outside(const struct sw_arena_finding *finding, uint32_t element,
			 const struct sw_view *view);

/* ---- arena_lost.c ---- */

/* Arenas that only views into their own parts keep. */
struct sw_error *sw_arena_find_retired(struct sw_arena_finding *finding);
/* Buffers as large as an arena's chunks, into which the same fields look and nothing else. */
struct sw_error *sw_arena_find_lost_chunks(struct sw_arena_finding *finding);
/* Is the object an array of bytes, as far as is known? */
bool sw_arena_is_bytes(const struct sw_live *live, sw_object object);

/* ---- arena_pool.c ---- */

/* Arenas and buffers in pools. */
struct sw_error *sw_arena_find_pooled(struct sw_arena_finding *finding);

/* ---- arena_c.c ---- */

bool sw_arena_is_c_name(const char *name);
/* Values that C's variables are or lead to, and what follows them by `next`. *type is 0 without
 * any.
 */
struct sw_error *sw_arena_find_c(const struct sw_live *live,
				 const struct sw_arena_description *description, sw_type *type,
				 struct sw_arena_places *out);

/* ---- arena_foreign.c ---- */

struct sw_arena_shape_places {
	uint32_t shape;
	const struct sw_arena_places *places;
};

/* Fills finding->foreign for the chunks of these values: from objects and variables; not from
 * frames, whose words are known only where they lead into the heap. */
struct sw_error *sw_arena_find_foreign_views(struct sw_arena_finding *finding,
					     const struct sw_arena_shape_places *shapes,
					     size_t count);

#endif
