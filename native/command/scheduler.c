/* scheduler: what the Ps, the Ms and the collector were doing. */
#include "command/scheduler_view.h"
#include "go/memstats.h"

/* ---- the summary ---- */

static void add_number(struct sw_scheduler_view *view, const char *key, uint64_t value)
{
	sw_report_summary(view->report, key, json_integer((json_int_t)value));
}

static void summarize_threads(struct sw_scheduler_view *view)
{
	const struct sw_go_scheduler *scheduler = &view->scheduler;

	add_number(view, "ps", view->ps);
	add_number(view, "idle_ps", view->p_status[SW_GO_P_IDLE]);
	add_number(view, "running_ps", view->p_status[SW_GO_P_RUNNING]);
	add_number(view, "syscall_ps", view->p_status[SW_GO_P_SYSCALL]);
	add_number(view, "stopped_ps", view->p_status[SW_GO_P_GCSTOP]);
	add_number(view, "ms", scheduler->ms.count);
	add_number(view, "running_ms", view->m_state[SW_GO_M_RUNNING]);
	add_number(view, "syscall_ms", view->m_state[SW_GO_M_SYSCALL]);
	add_number(view, "cgo_ms", view->m_state[SW_GO_M_CGO]);
	add_number(view, "spinning_ms", view->m_state[SW_GO_M_SPINNING]);
	add_number(view, "idle_ms", view->m_state[SW_GO_M_IDLE]);
	add_number(view, "locked_ms", view->m_state[SW_GO_M_LOCKED]);
	add_number(view, "extra_ms", view->m_state[SW_GO_M_EXTRA]);
	add_number(view, "other_threads", scheduler->other_threads);
	if (scheduler->has_sched)
		add_number(view, "max_ms", (uint64_t)scheduler->maxmcount);
}

static void summarize_goroutines(struct sw_scheduler_view *view)
{
	const struct sw_go_scheduler *scheduler = &view->scheduler;

	add_number(view, "goroutines", view->go->goroutines.count);
	add_number(view, "runnable_goroutines", scheduler->runnable);
	add_number(view, "unqueued_goroutines", scheduler->unqueued);
	add_number(view, "locked_goroutines", view->locked);
	add_number(view, "timers", view->timers);
	if (!scheduler->has_sched)
		return;
	add_number(view, "global_run_queue", scheduler->global_queued);
	add_number(view, "goroutines_created", scheduler->goroutines_created);
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
	add_number(view, "gc_cycles", stats.num_gc);
	add_number(view, "forced_gc_cycles", forced);
	add_number(view, "gc_workers", view->workers);
	add_number(view, "active_gc_workers", view->working);
	add_number(view, "gc_assist_marking", view->assist_marking);
	add_number(view, "gc_assist_wait", view->assist_wait);
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
