/* Shared by the files of the command arenas: arenas.c (options, sentences, the whole),
 * arenas_user.c (package arena), arenas_parser.c (tables of parser arenas), arenas_findings.c. */
#ifndef SW_COMMAND_ARENAS_H
#define SW_COMMAND_ARENAS_H

#include "command/command.h"
#include "command/naming.h"
#include "owner/parser_arena.h"
#include "owner/user_arena.h"

struct sw_arenas_view {
	const struct sw_arguments *arguments;
	struct sw_report *report;
	struct sw_live live;
	struct sw_user_arenas user;
	struct sw_parser_arenas parser;
	struct sw_warnings warnings;
};

/* What the chunks come to, in bytes and numbers. */
struct sw_arenas_sum {
	uint64_t user_bytes, user_used_bytes, user_free_bytes; /* of chunks that have an arena */
	uint64_t freed_pointers, freed_chunks; /* into chunks whose memory is gone */
	uint64_t spare_pointers, spare_chunks; /* into chunks for the next arena; spare ones */
	uint64_t unreachable;		       /* user arenas that nobody freed */
	uint64_t capacity, viewed;	       /* of parser arenas, without pooled buffers */
	uint64_t views, stale, dangling;
	uint64_t retired_chunks, retired_bytes, retired_viewed;
	uint64_t one_view_chunks, one_view_bytes; /* of the retired ones */
};
void sw_arenas_count(const struct sw_arenas_view *view, struct sw_arenas_sum *out);

/* The sums of one type of parser arenas. */
void sw_arenas_count_shape(const struct sw_arenas_view *view, uint32_t shape,
			   struct sw_arenas_sum *out);

/* Is the chunk, or the whole arena that it is a part of, kept by a single view? */
bool sw_arenas_is_kept_by_one(const struct sw_arenas_view *view,
			      const struct sw_arena_chunk *chunk);

/* The path to a value as text, to be freed: `main.gateway.arena`; NULL without memory. */
char *sw_arenas_holder(const struct sw_arenas_view *view, const struct sw_arena_place *place);
/* "main.Arena", of a buffer in a pool with the path to it, "main.frame.buf". */
void sw_arenas_type_name(const struct sw_arenas_view *view, uint32_t shape, char *out, size_t size);

void sw_arenas_report_user(struct sw_arenas_view *view);
struct sw_error *sw_arenas_report_parser(struct sw_arenas_view *view);
void sw_arenas_report_findings(struct sw_arenas_view *view, const struct sw_arenas_sum *sum);

#endif
