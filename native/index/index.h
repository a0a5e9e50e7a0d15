/* What an earlier session found in a core, in a file: marks, types, graph and dominators.
 *
 * The file stands beside the core (CORE.spanwalk-index), or in the user's cache where that folder
 * cannot be written. It counts only for this very build of spanwalk, and the same core, executable
 * and symbols; nothing in it is used before its checksum was compared and its numbers were found in
 * range. A part that is not right is built as if there were no file.
 *
 * Arrays are used where they are mapped. They stay valid until sw_index_close(), and are not to be
 * freed: sw_index_owns().
 */
#ifndef SW_INDEX_INDEX_H
#define SW_INDEX_INDEX_H

#include "go/runtime.h"
#include "heap/graph.h"
#include "type/type.h"

enum sw_index_use {
	SW_INDEX_OFF,	/* neither read nor written */
	SW_INDEX_READ,	/* read when it is there */
	SW_INDEX_WRITE, /* ... and what it takes to write one is kept */
};

struct sw_index;

/* Looks for the file of a core. Its absence, or one that does not count, is no error: *out is an
 * index all the same, and sw_index_fault() tells. */
struct sw_error *sw_index_open(const char *core, enum sw_index_use use, const struct sw_go *go,
			       struct sw_index **out);
void sw_index_close(struct sw_index *index, struct sw_work *work);

/* The file that is used or was written last, NULL: none. */
const char *sw_index_path(const struct sw_index *index);
/* Why a file that is there is not used, or not all of it: "another build of spanwalk wrote it".
 * NULL: none is there, or it is right as far as it was looked at. */
const char *sw_index_fault(const struct sw_index *index);
/* Is everything right that was looked at in the file, or was one written? */
bool sw_index_is_whole(const struct sw_index *index);
bool sw_index_owns(const struct sw_index *index, const void *array);

/* ---- what is taken from it, in this order; index NULL: nothing ---- */

/* For heap->log while roots are collected; NULL: none. */
struct sw_mark_log *sw_index_marks(struct sw_index *index, const struct sw_heap *heap,
				   struct sw_work *work);
/* Once the heap is numbered: false when its marks were taken from a file that is not of this heap.
 * It has to be marked again then, and the file is used no more. */
bool sw_index_fits(struct sw_index *index, struct sw_go *go, const struct sw_heap *heap);
/* Marks are to be found anew: an analysis was broken off. */
void sw_index_forget_marks(struct sw_index *index, struct sw_work *work);

/* Each sets *taken when it could. */
struct sw_error *sw_index_take_types(struct sw_index *index, struct sw_go *go,
				     const struct sw_heap *heap, struct sw_work *work,
				     struct sw_types **types, struct sw_typing *typing,
				     bool *taken);
struct sw_error *sw_index_take_graph(struct sw_index *index, const struct sw_heap *heap,
				     struct sw_work *work, struct sw_graph *graph, bool *taken);
struct sw_error *sw_index_take_dominators(struct sw_index *index, const struct sw_graph *graph,
					  struct sw_work *work, struct sw_dominators *dominators,
					  bool *taken);

/* ---- writing ---- */

/* The table as it is right behind sw_typing_build(), which is as a later session will want it. */
struct sw_error *sw_index_keep_types(struct sw_index *index, const struct sw_types *types);

struct sw_index_parts {
	const struct sw_heap *heap;
	const struct sw_typing *typing;
	const struct sw_graph *graph;
	const struct sw_dominators *dominators;
};
/* Writes the file, whole or not at all, and makes it the one that is used. */
struct sw_error *sw_index_write(struct sw_index *index, const struct sw_index_parts *parts,
				struct sw_work *work);

#endif
