/* What a person should see first: sentences and findings. */
#include "command/scheduler_view.h"

#include <stdio.h>

enum {
	LONG_QUEUE = 10,     /* goroutines that wait to run, for each P */
	MANY_BLOCKED = 8,    /* Ms in system calls and C that are worth a word */
	NEAR_THE_LIMIT = 80, /* percent of the threads that the program may have */
	NAMED = 4,	     /* Ps that a sentence names */
};

/* ---- sentences ---- */

/* Stopped ones are neither busy nor idle. */
static uint64_t busy_ps(const struct sw_scheduler_view *view)
{
	return view->ps - view->p_status[SW_GO_P_IDLE] - view->p_status[SW_GO_P_GCSTOP];
}

/* Ps that a stop of the world still waits for: "P 3 (goroutine 17)"; returns how many. */
static uint64_t name_unstopped(const struct sw_scheduler_view *view, char *out, size_t size)
{
	uint64_t count = 0;
	size_t length = 0;

	*out = 0;
	for (size_t i = 0; i < view->scheduler.ps.count; i++) {
		const struct sw_go_p *p = &view->scheduler.ps.items[i];
		const struct sw_goroutine *g = sw_scheduler_goroutine(view, p->goroutine);
		char runs[48] = "";
		if (p->status != SW_GO_P_RUNNING)
			continue;
		if (g)
			snprintf(runs, sizeof(runs), " (goroutine %llu)",
				 (unsigned long long)g->goid);
		if (count++ < NAMED && length < size)
			length += (size_t)snprintf(out + length, size - length, "%sP %u%s",
						   count > 1 ? ", " : "", p->id, runs);
	}
	return count;
}

static bool is_frozen(const struct sw_scheduler_view *view)
{
	return view->scheduler.stopwait > SW_GO_FREEZE / 2;
}

static void tell_of_stop(struct sw_scheduler_view *view)
{
	const struct sw_go_scheduler *scheduler = &view->scheduler;
	char names[256];

	if (!scheduler->is_stopping)
		return;
	if (is_frozen(view)) {
		sw_report_sentence(view->report,
				   "The program was ending with a crash, which freezes the world.");
		return;
	}
	uint64_t unstopped = name_unstopped(view, names, sizeof(names));
	if (scheduler->stopwait <= 0 || !unstopped) {
		sw_report_sentence(view->report, "The world is stopped.");
		return;
	}
	sw_report_sentence(view->report, "The world is being stopped: %s %s not stopped yet%s.",
			   names, sw_text_plural(unstopped, "has", "have"),
			   unstopped > NAMED ? ", nor have others" : "");
	sw_report_finding(view->report, SW_GRADE_P2, "stop_the_world_wait",
			  "everything waits for Ps that have not stopped",
			  json_pack("{s:I, s:I}", "stopwait", (json_int_t)scheduler->stopwait,
				    "running_ps", (json_int_t)unstopped),
			  "stack all");
}

/* ", and 12 goroutines wait to run (3 for each P)" */
static void tell_of_queue(const struct sw_scheduler_view *view, char *out, size_t size)
{
	uint64_t runnable = view->scheduler.runnable;
	char goroutines[64], each[48] = "";

	if (runnable >= 2 * view->ps && view->ps > 1)
		snprintf(each, sizeof(each), " (%llu for each P)",
			 (unsigned long long)(runnable / view->ps));
	if (runnable)
		snprintf(out, size, "%s %s to run%s",
			 sw_text_amount(runnable, "goroutine", goroutines),
			 sw_text_plural(runnable, "waits", "wait"), each);
	else
		snprintf(out, size, "no goroutine waits to run");
}

static void tell_of_ps(struct sw_scheduler_view *view)
{
	uint64_t busy = busy_ps(view), runnable = view->scheduler.runnable;
	char ps[64], queue[160];

	sw_text_amount(view->ps, "P", ps);
	tell_of_queue(view, queue, sizeof(queue));
	if (view->scheduler.is_stopping)
		sw_report_sentence(view->report, "Of %s %llu %s stopped; %s.", ps,
				   (unsigned long long)view->p_status[SW_GO_P_GCSTOP],
				   sw_text_plural(view->p_status[SW_GO_P_GCSTOP], "is", "are"),
				   queue);
	else if (view->p_status[SW_GO_P_IDLE] == view->ps && !runnable)
		sw_report_sentence(view->report, "Idle: %s, and nothing to run.", ps);
	else if (busy == view->ps)
		sw_report_sentence(view->report, "%s%s %s busy%s %s.", busy == 1 ? "" : "All ", ps,
				   sw_text_plural(busy, "is", "are"), runnable ? " and" : ";",
				   queue);
	else
		sw_report_sentence(view->report, "%llu of %s %s busy; %s.",
				   (unsigned long long)busy, ps, sw_text_plural(busy, "is", "are"),
				   queue);
}

/* "Of 9 threads 1 is in a system call, 2 are idle, 1 is sysmon." */
static void tell_of_ms(struct sw_scheduler_view *view)
{
	static const struct {
		const char *one, *many;
	} words[SW_GO_M_STATES] = {
		[SW_GO_M_RUNNING] = {"runs a goroutine", "run goroutines"},
		[SW_GO_M_SYSCALL] = {"is in a system call", "are in system calls"},
		[SW_GO_M_CGO] = {"is in a cgo call", "are in cgo calls"},
		[SW_GO_M_SCHEDULING] = {"is between goroutines", "are between goroutines"},
		[SW_GO_M_SPINNING] = {"looks for work", "look for work"},
		[SW_GO_M_POLLING] = {"waits for the network and timers",
				     "wait for the network and timers"},
		[SW_GO_M_IDLE] = {"is idle", "are idle"},
		[SW_GO_M_LOCKED] = {"waits for the goroutine locked to it",
				    "wait for the goroutines locked to them"},
		[SW_GO_M_SYSMON] = {"is sysmon", "are sysmon"},
		[SW_GO_M_TEMPLATE] = {"starts threads", "start threads"},
		[SW_GO_M_EXTRA] = {"is for callers from C", "are for callers from C"},
		[SW_GO_M_WAKING] = {"wakes up", "wake up"},
		[SW_GO_M_CHANGING] = {"changes its state", "change their states"},
	};
	char text[1024] = "", ms[64];
	size_t length = 0;

	for (unsigned state = 0; state < SW_GO_M_STATES; state++)
		if (view->m_state[state] && length < sizeof(text))
			length += (size_t)snprintf(
				text + length, sizeof(text) - length, "%s%llu %s",
				length ? ", " : "", (unsigned long long)view->m_state[state],
				sw_text_plural(view->m_state[state], words[state].one,
					       words[state].many));
	if (*text)
		sw_report_sentence(view->report, "Of %s %s.",
				   sw_text_amount(view->scheduler.ms.count, "thread", ms), text);
}

static void tell_of_collector(struct sw_scheduler_view *view)
{
	char workers[64], assists[64] = "";
	uint64_t helping = view->assist_marking + view->assist_wait;

	if (!view->go->gcphase)
		return;
	sw_text_amount(view->workers, "worker", workers);
	if (helping)
		snprintf(assists, sizeof(assists), "; %llu %s to assist, %llu %s for it",
			 (unsigned long long)view->assist_marking,
			 sw_text_plural(view->assist_marking, "goroutine has", "goroutines have"),
			 (unsigned long long)view->assist_wait,
			 sw_text_plural(view->assist_wait, "waits", "wait"));
	sw_report_sentence(
		view->report, "The collector is in its phase \"%s\": %llu of %s at work%s.",
		sw_scheduler_phase(view->go), (unsigned long long)view->working, workers, assists);
}

/* ---- findings ---- */

static void find_long_queue(struct sw_scheduler_view *view)
{
	uint64_t runnable = view->scheduler.runnable;
	char message[160], goroutines[64], ps[64];

	if (!view->ps || runnable <= LONG_QUEUE * view->ps)
		return;
	snprintf(message, sizeof(message), "%s wait to run on %s",
		 sw_text_amount(runnable, "goroutine", goroutines),
		 sw_text_amount(view->ps, "P", ps));
	sw_report_finding(view->report, SW_GRADE_P2, "long_run_queue", message,
			  json_pack("{s:I, s:I}", "runnable_goroutines", (json_int_t)runnable, "ps",
				    (json_int_t)view->ps),
			  "goroutines --state runnable");
}

static void find_many_threads(struct sw_scheduler_view *view)
{
	const struct sw_go_scheduler *scheduler = &view->scheduler;
	char message[160], text[64];

	if (!scheduler->has_sched || scheduler->maxmcount <= 0 ||
	    scheduler->threads < (int64_t)scheduler->maxmcount * NEAR_THE_LIMIT / 100)
		return;
	snprintf(message, sizeof(message), "%s of at most %d: a program with more is ended",
		 sw_text_amount((uint64_t)scheduler->threads, "thread", text),
		 scheduler->maxmcount);
	sw_report_finding(view->report, SW_GRADE_P2, "near_thread_limit", message,
			  json_pack("{s:I, s:I}", "ms", (json_int_t)scheduler->threads, "max_ms",
				    (json_int_t)scheduler->maxmcount),
			  "goroutines --state syscall");
}

static void find_blocked_threads(struct sw_scheduler_view *view)
{
	uint64_t cgo = view->m_state[SW_GO_M_CGO], calls = view->m_state[SW_GO_M_SYSCALL];
	uint64_t all = view->scheduler.ms.count;
	char message[160];

	if (cgo + calls < MANY_BLOCKED || 2 * (cgo + calls) <= all || !view->p_status[SW_GO_P_IDLE])
		return;
	snprintf(message, sizeof(message), "%llu of %llu threads are in %s while Ps are idle",
		 (unsigned long long)(cgo + calls), (unsigned long long)all,
		 !calls ? "cgo calls"
		 : cgo	? "system and cgo calls"
			: "system calls");
	sw_report_finding(view->report, SW_GRADE_P3, "blocked_threads", message,
			  json_pack("{s:I, s:I, s:I}", "cgo_ms", (json_int_t)cgo, "syscall_ms",
				    (json_int_t)calls, "ms", (json_int_t)all),
			  "goroutines --state syscall");
}

/* ---- */

void sw_scheduler_tell(struct sw_scheduler_view *view)
{
	tell_of_stop(view);
	tell_of_ps(view);
	tell_of_ms(view);
	tell_of_collector(view);
	find_long_queue(view);
	find_many_threads(view);
	find_blocked_threads(view);
	if (!view->scheduler.has_all_ms)
		sw_report_sentence(view->report,
				   "Idle threads may be missing: the list of all could not be "
				   "found in this stripped program.");
}
