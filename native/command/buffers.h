/* Private to buffers.c (the command, its words and findings) and buffers_tables.c (its rows). */
#ifndef SW_COMMAND_BUFFERS_H
#define SW_COMMAND_BUFFERS_H

#include "command/command.h"
#include "owner/capacity.h"
#include "owner/duplicate.h"
#include "owner/idle_buffer.h"
#include "owner/pinned.h"
#include "owner/sparse_map.h"

struct sw_buffers {
	struct sw_live live;
	struct sw_report *report;
	uint64_t limit; /* rows of a table */
	uint64_t min_size;
	double min_wasted;
	struct sw_view_scan scan;
	struct sw_array_use use;
	struct sw_fields fields;
	struct sw_pinned pinned;
	struct sw_capacity capacity;
	struct sw_sparse_maps maps;
	struct sw_idle_buffers idle;
	struct sw_duplicates duplicates;
	bool is_partial; /* there was no memory for capacity and duplicates */
};

void sw_buffers_tables(struct sw_buffers *buffers);
/* A text of the target, quoted, cut. malloc'ed, NULL without memory. */
char *sw_buffers_quote(const struct sw_buffers *buffers, const struct sw_duplicate_text *text);

#endif
