/* User arenas: memory that a program frees by hand (package arena, GOEXPERIMENT=arenas, Go 1.20+;
 * src/runtime/arena.go). An arena is a runtime.userArena with chunks of 8 MiB, each one object for
 * the collector: values with pointers fill it from the front, values without from the back. */
#ifndef SW_OWNER_USER_ARENA_H
#define SW_OWNER_USER_ARENA_H

#include "view/view.h"

enum sw_user_chunk_state {
	SW_USER_CHUNK_ACTIVE, /* its arena allocates here */
	SW_USER_CHUNK_FULL,   /* of an arena that has gone on to another */
	/* Of no arena: the last chunk of a freed one, which the next arena goes on with
	 * (userArenaState.reuse), or one that is about to become FREED (fault). */
	SW_USER_CHUNK_SPARE,
	/* Its memory is gone, what touches it crashes: it stays until nothing points there any more
	 * (mheap.userArena.quarantineList). */
	SW_USER_CHUNK_FREED,
};

#define SW_NO_USER_ARENA SIZE_MAX

struct sw_user_chunk {
	sw_addr base;
	uint64_t size;				      /* bytes that hold values, or did */
	uint64_t front_bytes, back_bytes, free_bytes; /* 0 for a freed one */
	enum sw_user_chunk_state state;
	size_t arena;	  /* in sw_user_arenas.arenas, SW_NO_USER_ARENA for none */
	sw_object object; /* SW_NO_OBJECT: nothing points to it */
	/* Views on a chunk of no arena, but for those of the runtime itself: what was not to be
	 * used any more. In sw_user_arenas.views. */
	size_t first_view, view_count;
};
SW_VECTOR(struct sw_user_chunk, sw_user_chunks);

struct sw_user_arena {
	sw_addr address;  /* of the userArena */
	sw_object object; /* SW_NO_OBJECT: unreachable, its finalizer will free the chunks */
	uint64_t chunks;
	uint64_t size, used_bytes; /* of all its chunks */
};
SW_VECTOR(struct sw_user_arena, sw_user_arena_list);

struct sw_user_arenas {
	struct sw_user_arena_list arenas;
	struct sw_user_chunks chunks; /* of all, by address; without those nothing points to
				       * that are freed */
	struct sw_views views;
};

/* What is damaged is counted in live->warnings; a program without arenas has none. */
struct sw_error *sw_user_arenas_find(const struct sw_live *live, struct sw_user_arenas *out);
void sw_user_arenas_free(struct sw_user_arenas *arenas);

#endif
