/* scheduler: what the Ps, the Ms and the collector were doing. */
#include "command/scheduler_view.h"
#include "go/memstats.h"

/* ---- the summary ---- */

static void summarize_threads(struct sw_scheduler_view *view)
{
	const struct sw_go_scheduler *scheduler = &view->scheduler;

	sw_report_count(view->report, "ps", view->ps);
	sw_report_count(view->report, "idle_ps", view->p_status[SW_GO_P_IDLE]);
	sw_report_count(view->report, "running_ps", view->p_status[SW_GO_P_RUNNING]);
	sw_report_count(view->report, "syscall_ps", view->p_status[SW_GO_P_SYSCALL]);
	sw_report_count(view->report, "stopped_ps", view->p_status[SW_GO_P_GCSTOP]);
	sw_report_count(view->report, "ms", scheduler->ms.count);
	sw_report_count(view->report, "running_ms", view->m_state[SW_GO_M_RUNNING]);
	sw_report_count(view->report, "syscall_ms", view->m_state[SW_GO_M_SYSCALL]);
	sw_report_count(view->report, "cgo_ms", view->m_state[SW_GO_M_CGO]);
	sw_report_count(view->report, "spinning_ms", view->m_state[SW_GO_M_SPINNING]);
	sw_report_count(view->report, "idle_ms", view->m_state[SW_GO_M_IDLE]);
	sw_report_count(view->report, "locked_ms", view->m_state[SW_GO_M_LOCKED]);
	sw_report_count(view->report, "extra_ms", view->m_state[SW_GO_M_EXTRA]);
	sw_report_count(view->report, "other_threads", scheduler->other_threads);
	if (scheduler->has_sched)
		sw_report_count(view->report, "max_ms", (uint64_t)scheduler->maxmcount);
}

static void summarize_goroutines(struct sw_scheduler_view *view)
{
	const struct sw_go_scheduler *scheduler = &view->scheduler;

	sw_report_count(view->report, "goroutines", view->go->goroutines.count);
	sw_report_count(view->report, "runnable_goroutines", scheduler->runnable);
	sw_report_count(view->report, "unqueued_goroutines", scheduler->unqueued);
	sw_report_count(view->report, "locked_goroutines", view->locked);
	sw_report_count(view->report, "timers", view->timers);
	if (!scheduler->has_sched)
		return;
	sw_report_count(view->report, "global_run_queue", scheduler->global_queued);
	sw_report_count(view->report, "goroutines_created", scheduler->goroutines_created);
	sw_report_summary(view->report, "sysmon",
			  json_string(scheduler->sysmon_sleeps ? "asleep" : "awake"));
	sw_report_summary(view->report, "is_polling", json_boolean(!scheduler->lastpoll));
	sw_report_summary(view->report, "last_poll_seconds",
			  scheduler->lastpoll > 0 ? json_real(1e-9 * (double)(scheduler->latest -
									      scheduler->lastpoll))
						  : json_null());
	sw_report_summary(view->report, "is_stopping_the_world",
			  json_boolean(scheduler->is_stopping));
}

static void summarize_collector(struct sw_scheduler_view *view)
{
	struct sw_go_memstats stats;
	uint64_t forced = 0;

	sw_go_read_memstats(view->go, &stats);
	for (size_t i = 0; i < stats.field_count; i++)
		if (!strcmp(stats.fields[i].name, "NumForcedGC"))
			forced = stats.fields[i].value;
	sw_report_summary(view->report, "gc_phase", json_string(sw_scheduler_phase(view->go)));
	sw_report_count(view->report, "gc_cycles", stats.num_gc);
	sw_report_count(view->report, "forced_gc_cycles", forced);
	sw_report_count(view->report, "gc_workers", view->workers);
	sw_report_count(view->report, "active_gc_workers", view->working);
	sw_report_count(view->report, "gc_assist_marking", view->assist_marking);
	sw_report_count(view->report, "gc_assist_wait", view->assist_wait);
}

/* ---- */

static struct sw_error *fill(struct sw_scheduler_view *view)
{
	sw_scheduler_count(view);
	sw_scheduler_tell(view);
	summarize_threads(view);
	summarize_goroutines(view);
	summarize_collector(view);
	struct sw_error *error = sw_scheduler_add_tables(view);
	sw_report_next(view->report, "goroutines");
	return error;
}

static struct sw_error *run(struct sw_session *session, const struct sw_arguments *arguments,
			    struct sw_report *report)
{
	struct sw_scheduler_view view = {.arguments = arguments, .report = report};
	struct sw_warnings warnings = {0};
	struct sw_go *go;

	struct sw_error *error = sw_session_go(session, &go);
	view.go = go;
	if (!error)
		error = sw_go_read_scheduler(go, &warnings, &view.scheduler);
	if (!error) {
		error = fill(&view);
		sw_report_warnings(report, &warnings);
		sw_go_scheduler_free(&view.scheduler);
	}
	sw_warnings_clear(&warnings);
	return error;
}

const struct sw_command sw_command_scheduler = {
	.name = "scheduler",
	.usage = "",
	.summary = "what Ps, threads, run queues and the collector were doing",
	.help = "The Ps (processors of the Go scheduler, GOMAXPROCS of them), the Ms (its threads) "
		"and the goroutines that wait to run, at the moment of the image: whether the "
		"program was short of processors, of threads or of work.\n\n"
		"`ps`: what each P runs, the goroutines in its own queue (`next_goid` runs first), "
		"its timers, the collector's worker on it. `ms`: what each thread does; the "
		"function is where its goroutine is, or what its system stack does. `run_queue`: "
		"the goroutines that wait, P by P in their order, then the global queue, which has "
		"no P. `gc_assists`: while the collector marks, goroutines that have yet to mark "
		"for what they allocated.\n\n"
		"`checks` compares numbers that the runtime keeps with what was counted. A thread "
		"that was stopped amid a change makes them differ by a few. Times count from the "
		"latest moment that the runtime has noted.",
	.example = "spanwalk scheduler app.core",
	.run = run,
};
