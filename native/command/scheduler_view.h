/* What the command `scheduler` knows, and the parts of its report. */
#ifndef SW_COMMAND_SCHEDULER_VIEW_H
#define SW_COMMAND_SCHEDULER_VIEW_H

#include "command/command.h"
#include "go/scheduler.h"

enum { SW_GOROUTINE_STATES = SW_GO_DEAD_EXTRA + 1 };

struct sw_scheduler_view {
	const struct sw_go *go;
	const struct sw_arguments *arguments;
	struct sw_report *report;
	struct sw_go_scheduler scheduler;

	uint64_t ps, p_status[SW_GO_P_STATUSES]; /* ps: those alive */
	uint64_t m_state[SW_GO_M_STATES];
	uint64_t g_status[SW_GOROUTINE_STATES];
	uint64_t timers;
	uint64_t locked;		      /* goroutines locked to threads */
	uint64_t workers, working;	      /* mark workers; those at work or about to be */
	uint64_t assist_marking, assist_wait; /* goroutines that help the collector, or wait to */
};

/* The goroutine of an index, NULL for SW_GO_NONE. */
static inline const struct sw_goroutine *sw_scheduler_goroutine(
	const struct sw_scheduler_view *view, uint32_t index)
{
	return index == SW_GO_NONE ? NULL : &view->go->goroutines.items[index];
}

/* ---- scheduler_view.c ---- */

/* Fills the counts from view->scheduler and view->go. */
void sw_scheduler_count(struct sw_scheduler_view *view);

/* The function that a goroutine began with, or NULL. */
const char *sw_scheduler_start(const struct sw_scheduler_view *view, const struct sw_goroutine *g);

/* One of the collector's own, which mark in the background. */
bool sw_scheduler_is_worker(const struct sw_scheduler_view *view, const struct sw_goroutine *g);

/* "off", "mark", "mark termination" */
const char *sw_scheduler_phase(const struct sw_go *go);

/* ---- scheduler_tables.c ---- */
struct sw_error *sw_scheduler_add_tables(struct sw_scheduler_view *view);

/* ---- scheduler_words.c: sentences and findings ---- */
void sw_scheduler_tell(struct sw_scheduler_view *view);

#endif
