/* What fds shows, and the parts of its report. Private to fds*.c. */
#ifndef SW_COMMAND_FDS_VIEW_H
#define SW_COMMAND_FDS_VIEW_H

#include "command/command.h"
#include "command/naming.h"
#include "library/connection.h"
#include "library/database.h"
#include "target/open_files.h"

/* All that is counted. */
struct sw_fds_tally {
	uint64_t open, closed, files, sockets, listeners, tls, waiting;
	uint64_t lost, stale, shared;
	uint64_t idle, active, served, bodies, lost_bodies, lost_transports, lost_connections;
	uint64_t unclosed[3], in_use, idle_database_connections, lost_database_connections, waiters;
	uint64_t unowned, runtime;
};

struct sw_fds_view {
	struct sw_live live;
	const struct sw_go_stacks *stacks;
	const struct sw_arguments *arguments;
	struct sw_report *report;
	struct sw_keepers keepers;
	struct sw_descriptors descriptors;
	struct sw_http http;
	struct sw_databases databases;
	bool has_files; /* of a process */
	struct sw_open_files files;
	uint64_t many; /* --many */
	struct sw_fds_tally tally;
};

/* ---- fds_process.c: what the process has open ---- */

/* Open for Go, but not in the process. */
bool sw_fds_is_stale(const struct sw_fds_view *view, const struct sw_descriptor *descriptor);
/* What a descriptor is that no Go code owns: "epoll", "socket", …; is_runtime: it is the Go
 * runtime's own. */
const char *sw_fds_unowned_kind(const struct sw_fds_view *view, const struct sw_open_file *file,
				bool *is_runtime);
/* Calls visit for each of those. */
typedef void sw_fds_visit_unowned(void *context, const struct sw_open_file *file);
struct sw_error *sw_fds_unowned(const struct sw_fds_view *view, sw_fds_visit_unowned *visit,
				void *context);

/* ---- fds_rows.c ---- */

/* The tables descriptors, connections, databases, unclosed, unowned. */
struct sw_error *sw_fds_add_tables(struct sw_fds_view *view);
/* "file upload.part", "tcp 127.0.0.1:80", malloc'ed; NULL without memory. */
char *sw_fds_title(const struct sw_descriptor *descriptor);

/* ---- fds_summary.c ---- */

/* Counts, then adds sentences, the summary, the next command. */
struct sw_error *sw_fds_add_summary(struct sw_fds_view *view);
/* Open, and a finalizer alone will close it. */
bool sw_fds_is_lost(const struct sw_descriptor *descriptor);
/* The descriptor at a place of the list and the one before have the same number. */
bool sw_fds_is_shared(const struct sw_descriptor_list *list, size_t place);

/* ---- fds_findings.c ---- */

/* After the summary. */
struct sw_error *sw_fds_add_findings(struct sw_fds_view *view);

#endif
