/* What the tables and the words of `scheduler` are about: counts, and names for them. */
#include "command/scheduler_view.h"
#include "go/unwind.h"
#include "go/wait_reason.h"

const char *sw_scheduler_start(const struct sw_scheduler_view *view, const struct sw_goroutine *g)
{
	struct sw_go_func func;
	return sw_go_find_func(view->go, g->startpc, &func) ? sw_go_func_name(&func) : NULL;
}

bool sw_scheduler_is_worker(const struct sw_scheduler_view *view, const struct sw_goroutine *g)
{
	static const char worker[] = "runtime.gcBgMarkWorker";
	static const char starter[] = "runtime.gcBgMarkStartWorkers."; /* a wrapper: 1.24 */
	const char *name = sw_scheduler_start(view, g);
	return name &&
	       (!strncmp(name, worker, strlen(worker)) || !strncmp(name, starter, strlen(starter)));
}

static bool waits_for(const struct sw_scheduler_view *view, const struct sw_goroutine *g,
		      const char *reason)
{
	const char *own = sw_go_wait_text(view->go, g);
	return own && !strcmp(own, reason);
}

static void count_goroutine(struct sw_scheduler_view *view, const struct sw_goroutine *g)
{
	view->g_status[g->status < SW_GOROUTINE_STATES ? g->status : SW_GO_IDLE]++;
	view->locked += g->lockedm != 0;
	view->assist_marking += waits_for(view, g, "GC assist marking");
	view->assist_wait += waits_for(view, g, "GC assist wait");
	if (sw_scheduler_is_worker(view, g)) {
		view->workers++;
		view->working += g->m != 0 || g->status != SW_GO_WAITING;
	}
}

void sw_scheduler_count(struct sw_scheduler_view *view)
{
	const struct sw_go_scheduler *scheduler = &view->scheduler;

	for (size_t i = 0; i < scheduler->ps.count; i++) {
		const struct sw_go_p *p = &scheduler->ps.items[i];
		if (p->status < SW_GO_P_STATUSES && !p->is_given)
			view->p_status[p->status]++;
		view->ps += p->status != SW_GO_P_DEAD;
		view->timers += p->timers;
	}
	for (size_t i = 0; i < scheduler->ms.count; i++)
		view->m_state[scheduler->ms.items[i].state]++;
	for (size_t i = 0; i < view->go->goroutines.count; i++)
		count_goroutine(view, &view->go->goroutines.items[i]);
}

const char *sw_scheduler_phase(const struct sw_go *go)
{
	static const char *const words[] = {"off", "mark", "mark termination"};
	return go->gcphase < sizeof(words) / sizeof(*words) ? words[go->gcphase] : "?";
}
