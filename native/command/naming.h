/* What nodes of the graph and paths between them are called, in Go's terms. Shared by the commands
 * that show holders. */
#ifndef SW_COMMAND_NAMING_H
#define SW_COMMAND_NAMING_H

#include "session.h"

/* What names types needs types alone (sw_session_live_types()), the rest the graph too. */

/* Walks all objects in order: `struct sw_object_walk walk = {0}; while (sw_object_walk_next(…))`.
 */
struct sw_object_walk {
	sw_object object;
	sw_slot slot;
	const struct sw_span *span;
	size_t block;  /* private */
	uint64_t bits; /* private: of the block, still to come */
};
bool sw_object_walk_next(struct sw_object_walk *walk, const struct sw_heap *heap);

/* "?" for type 0. Valid until a type is added. */
const char *sw_naming_type_name(const struct sw_live *live, sw_type type);

/* The root of a root node. */
const struct sw_go_root *sw_naming_root(const struct sw_live *live, sw_node node);
/* "global", "goroutine", "local", "finalizer", … */
const char *sw_naming_root_kind(enum sw_go_root_kind kind);
/* The import path of the package that a root belongs to, into out; "" when none is known. */
void sw_naming_package(const struct sw_live *live, sw_node root, char *out, size_t size);

/* One Go expression for a path: `main.sessions["k"].parser.buf`,
 * `goroutine 42: main.serve: req.Body`. malloc'ed, NULL without memory. */
char *sw_naming_expression(const struct sw_live *live, const struct sw_path *path);

/* The same for the shortest path to a node; NULL when there is none. */
char *sw_naming_expression_to(const struct sw_live *live, sw_node node);

/* The steps of a path as an array of {"step", "type", "address", "size_bytes"}: the root first,
 * then each object with the expression from the one before. */
json_t *sw_naming_steps(const struct sw_live *live, const struct sw_path *path);

/* {"address", "type", "size_bytes"} of an object. */
json_t *sw_naming_object(const struct sw_live *live, sw_object object);

/* The live object at an address; SW_ERR_NOT_FOUND says what is there instead. */
struct sw_error *sw_naming_find(const struct sw_live *live, sw_addr address, sw_object *out);

#endif
