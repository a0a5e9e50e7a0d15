/* Goroutines as rows: their places, clusters of equal stacks, fingerprints. Shared by the commands
 * that show goroutines. */
#ifndef SW_COMMAND_GOROUTINE_ROWS_H
#define SW_COMMAND_GOROUTINE_ROWS_H

#include "base/vector.h"
#include "session.h"

/* Everything about goroutines; borrowed from the session but for the hashes. Goroutines are
 * numbered by their place in go->goroutines. */
struct sw_goroutine_view {
	struct sw_go *go;
	struct sw_go_stacks *stacks;
	int64_t now;		  /* sw_go_now() */
	uint64_t depth;		  /* shown frames of a stack that count; 0: all */
	const uint64_t *retained; /* [count]: bytes of each goroutine, or NULL: not known */
	uint64_t *call_hashes;	  /* private: [stacks->call_count], of name and line */
};

/* Builds what it needs: the stacks. On error there is nothing to free. */
struct sw_error *sw_goroutine_view_init(struct sw_goroutine_view *view, struct sw_session *session);
void sw_goroutine_view_free(struct sw_goroutine_view *view);

/* Stable between builds and runs of the same source, stripped or not, and between processors: over
 * the names and lines of the shown calls and of what created it. No addresses, ids, folders; no
 * lines of files that are for one processor only (_amd64.go, .s). */
uint64_t sw_goroutine_fingerprint(const struct sw_goroutine_view *view, uint32_t goroutine);

/* ---- values ---- */

/* {"function", "file", "line"} of a call by its number, and "inlined" when `is_frame`. null for
 * UINT32_MAX. */
json_t *sw_goroutine_place(const struct sw_goroutine_view *view, uint32_t call, bool is_frame);
/* The shown calls of a goroutine's stack, innermost first, as many as count. */
json_t *sw_goroutine_frames(const struct sw_goroutine_view *view, uint32_t goroutine);
/* "created_by" with the goroutine that did it, where that is known; or null. */
json_t *sw_goroutine_creator(const struct sw_goroutine_view *view, uint32_t goroutine);
/* {"key": "value"}; null when they cannot be read. */
json_t *sw_goroutine_labels(const struct sw_goroutine_view *view, uint32_t goroutine);
/* Seconds of ns, null when it is negative. */
json_t *sw_goroutine_seconds(int64_t ns);
/* The 16 hex digits. */
json_t *sw_goroutine_fingerprint_json(uint64_t fingerprint);

/* The innermost shown call, and the innermost one beyond the standard library's ways to wait (sync,
 * time, internal/…), where there is one; UINT32_MAX when no call is shown. */
uint32_t sw_goroutine_top(const struct sw_goroutine_view *view, uint32_t goroutine);
uint32_t sw_goroutine_own_place(const struct sw_goroutine_view *view, uint32_t goroutine);
/* "main.worker (main.go:42)" of a call, malloc'ed; NULL without memory. */
char *sw_goroutine_place_text(const struct sw_goroutine_view *view, uint32_t call);

/* ---- rows ---- */

/* goid, state, wait_reason, wait_seconds, function, created_by, labels, locked_thread, system,
 * address, stack_bytes, fingerprint, retained_bytes. */
json_t *sw_goroutine_row(const struct sw_goroutine_view *view, uint32_t goroutine);

/* Goroutines of one fingerprint that do the same. */
struct sw_goroutine_cluster {
	uint64_t fingerprint;
	uint32_t status;	 /* enum sw_go_status */
	const char *wait_reason; /* or NULL */
	uint32_t *members;	 /* by rising goid; in sw_goroutine_clusters.members */
	size_t count;
	int64_t waiting_ns; /* the longest, at least; -1 unknown */
	uint64_t stack_bytes;
	uint64_t retained_bytes; /* by all of them together: for the caller to set */
};
struct sw_goroutine_clusters {
	struct sw_goroutine_cluster *items; /* most members first */
	size_t count;
	uint32_t *members; /* of all; owned */
};

/* Clusters of some goroutines. */
struct sw_error *sw_goroutine_clusters_build(const struct sw_goroutine_view *view,
					     const uint32_t *goroutines, size_t count,
					     struct sw_goroutine_clusters *out);
/* The order they have, for qsort(): most members first, of equals by fingerprint, so that runs can
 * be compared. */
int sw_goroutine_clusters_order(const void *a, const void *b);
void sw_goroutine_clusters_free(struct sw_goroutine_clusters *clusters);

/* count, state, wait_reason, wait_seconds, created_by, frames, fingerprint, goids, stack_bytes,
 * retained_bytes (null when the view does not know). */
json_t *sw_goroutine_cluster_row(const struct sw_goroutine_view *view,
				 const struct sw_goroutine_cluster *cluster);

/* The columns of a table of such rows below each of them. */
#define SW_GOROUTINE_CLUSTER_DETAILS "frames#8 created_by goids#6"

#endif
