/* Long work: loops over all cores with progress, cancel and a cap on memory. */
#ifndef SW_BASE_PARALLEL_H
#define SW_BASE_PARALLEL_H

#include "base/error.h"

#include <stdint.h>

enum { SW_MAX_WORKERS = 64 };

/* What one part of the work cost. */
struct sw_stage {
	const char *name;
	uint64_t wall_ns, cpu_ns; /* of all threads of this process */
};

enum { SW_MAX_STAGES = 24 };

/* How long work is to be done. One for each session; the callbacks run on the thread that
 * called into the engine only, about ten times a second. */
struct sw_work {
	unsigned workers;     /* threads, 1…SW_MAX_WORKERS */
	uint64_t max_memory;  /* bytes that sw_work_alloc() may hand out at once, 0: no cap */
	uint64_t used_memory; /* bytes handed out now; atomic */
	uint64_t peak_memory; /* atomic */

	/* True to stop: the work then returns SW_ERR_INTERRUPTED. NULL: never. */
	bool (*cancelled)(void *context);
	/* done of total units of the named stage. NULL: no progress. */
	void (*progress)(void *context, const char *stage, uint64_t done, uint64_t total);
	void *context;

	struct sw_stage stages[SW_MAX_STAGES]; /* what was done, in order; the last may still run */
	unsigned stage_count;
	bool is_stage_running; /* private */

	struct sw_work *parent; /* private, of sw_parallel_pair(): who counts and is asked */
	bool is_stopping;	/* private, atomic: one of a pair failed */

	uint64_t last_tick; /* ns, private: when the callbacks ran last */
};

/* workers 0 takes the number of cores this process may run on. */
void sw_work_init(struct sw_work *work, unsigned workers);

/* Zeroed memory for large arrays, counted against max_memory. Free with sw_work_free(),
 * giving the same size. *memory is NULL on error; size 0 gives a valid pointer. */
struct sw_error *sw_work_alloc(struct sw_work *work, size_t size, const char *what, void *memory);
void sw_work_free(struct sw_work *work, void *memory, size_t size);

/* Runs the callbacks when it is time; call it from the calling thread every few ms of work.
 * SW_ERR_INTERRUPTED when cancelled. */
struct sw_error *sw_work_tick(struct sw_work *work, const char *stage, uint64_t done,
			      uint64_t total);

/* Ends the stage that runs and begins another (NULL: none). The name must live as long as work. */
void sw_work_stage(struct sw_work *work, const char *name);

/* Calls body(context, worker, begin, end) for pieces of [0, count) of at most `grain` items on
 * all workers, the caller being worker 0; returns the first error, after every worker stopped.
 * Pieces are handed out in rising order. */
typedef struct sw_error *sw_parallel_body(void *context, unsigned worker, size_t begin, size_t end);
struct sw_error *sw_parallel_for(struct sw_work *work, const char *stage, size_t count,
				 size_t grain, sw_parallel_body *body, void *context);

/* Calls body(context, worker) once on each worker at the same time, the caller being worker 0;
 * returns the first error. The bodies share the work out themselves; worker 0 calls
 * sw_work_tick() and tells the others to stop when it fails. */
typedef struct sw_error *sw_parallel_task(void *context, unsigned worker);
struct sw_error *sw_parallel_run(struct sw_work *work, sw_parallel_task *task, void *context);

/* Runs first(context, work) on the calling thread and second(context, its own work) beside it, each
 * with a share of the workers; one after the other when there is one worker. Memory counts
 * together; when one fails the other is told to stop, and its error is returned. */
typedef struct sw_error *sw_pair_task(void *context, struct sw_work *work);
struct sw_error *sw_parallel_pair(struct sw_work *work, sw_pair_task *first, sw_pair_task *second,
				  void *context);

#endif
