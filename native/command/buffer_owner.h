/* What buffer-owner finds out about one object, and its parts as JSON. Private to the command's
 * files. */
#ifndef SW_COMMAND_BUFFER_OWNER_H
#define SW_COMMAND_BUFFER_OWNER_H

#include "command/command.h"
#include "command/naming.h"
#include "go/profile.h"
#include "library/buffer.h"
#include "library/pool.h"
#include "view/view.h"

enum { SW_BUFFER_OWNER_FRAMES = 32 }; /* of the stack that allocated */

struct sw_buffer_owner {
	struct sw_live live;
	sw_addr address; /* that was asked for */
	sw_object object;
	sw_addr start;	    /* of its value */
	uint64_t rounded;   /* bytes of its slot */
	uint64_t size;	    /* bytes of the slot that a value can have: behind a malloc header */
	uint64_t least;	    /* bytes: less would have had a smaller slot */
	uint64_t requested; /* bytes, when is_requested_known */
	bool is_requested_known;

	struct sw_views views;
	uint64_t used, largest_hole; /* bytes */
	size_t unbounded_views;	     /* of which nothing tells how far they look: to the end */

	struct sw_buffer buffer; /* the structure whose buffer it is */
	bool has_buffer;

	sw_node dominator;
	struct sw_path path; /* a shortest one */
	sw_node *roots;	     /* all that reach it, the nearest first */
	size_t root_count;
	size_t goroutine_count; /* of them */

	struct sw_pools pools;
	uint32_t element; /* of a pool, or SW_NO_ELEMENT */

	bool is_sampled;
	struct sw_go_bucket bucket;
};

/* buffer_owner_find.c: the address that a word names: a number, or a variable whose slice, string
 * or pointer leads somewhere, with fields: main.server.parser.buf. */
struct sw_error *sw_buffer_owner_address(const struct sw_live *live, const char *word,
					 sw_addr *out);

/* Fills the rest of what begins with live and address. On error too to be freed. */
struct sw_error *sw_buffer_owner_find(struct sw_buffer_owner *owner);
void sw_buffer_owner_free(struct sw_buffer_owner *owner);

/* buffer_owner_rows.c: the summary and the tables. */
struct sw_error *sw_buffer_owner_report(const struct sw_buffer_owner *owner,
					struct sw_report *report, uint64_t limit);

/* The name of a node: a root's, else "TYPE 0xADDRESS". */
void sw_buffer_owner_name(const struct sw_live *live, sw_node node, char *out, size_t size);
/* The pool that it lies in: "main.buffers"; "" when it has no name. */
void sw_buffer_owner_pool(const struct sw_buffer_owner *owner, char *out, size_t size);

/* buffer_owner_text.c: the summary as a person reads it. */
void sw_buffer_owner_text(const struct sw_buffer_owner *owner, struct sw_report *report);

#endif
