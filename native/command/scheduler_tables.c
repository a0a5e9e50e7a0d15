/* The tables of the command `scheduler`. */
#include "command/scheduler_view.h"

#include "go/wait_reason.h"

/* ---- values ---- */

static json_t *seconds(int64_t ns)
{
	return json_real(ns > 0 ? (double)ns / 1e9 : 0);
}

static json_t *goid(const struct sw_scheduler_view *view, uint32_t index)
{
	const struct sw_goroutine *g = sw_scheduler_goroutine(view, index);
	return g ? sw_json_count(g->goid) : json_null();
}

static json_t *p_number(const struct sw_scheduler_view *view, sw_addr address)
{
	uint32_t index = sw_go_find_p(&view->scheduler, address);
	return index == SW_GO_NONE ? json_null()
				   : sw_json_count(view->scheduler.ps.items[index].id);
}

/* ---- tables ---- */

static json_t *queue_of(const struct sw_scheduler_view *view, const struct sw_go_p *p)
{
	json_t *goids = json_array();
	for (size_t i = 0; i < p->queued; i++)
		json_array_append_new(
			goids, goid(view, view->scheduler.queue.items[p->queue + i].goroutine));
	return goids;
}

static const char *worker_mode(uint32_t mode)
{
	static const char *const words[SW_GO_WORKER_MODES] = {NULL, "dedicated", "fractional",
							      "idle"};
	return mode < SW_GO_WORKER_MODES ? words[mode] : "?";
}

static json_t *p_row(const struct sw_scheduler_view *view, const struct sw_go_p *p)
{
	const struct sw_go_scheduler *scheduler = &view->scheduler;
	const struct sw_go_m *m = p->m == SW_GO_NONE ? NULL : &scheduler->ms.items[p->m];
	const struct sw_go_queued *first = scheduler->queue.items + p->queue;
	const char *mode = worker_mode(p->worker_mode);
	json_t *row = json_object();

	json_object_set_new(row, "p", sw_json_count(p->id));
	json_object_set_new(row, "status", json_string(sw_go_p_status_word(p->status)));
	json_object_set_new(row, "m", m ? json_integer(m->id) : json_null());
	json_object_set_new(row, "tid", m && m->thread ? sw_json_count(m->thread) : json_null());
	json_object_set_new(row, "goid", goid(view, p->goroutine));
	json_object_set_new(row, "queued", sw_json_count(p->queued));
	json_object_set_new(row, "next_goid",
			    p->has_next ? goid(view, first->goroutine) : json_null());
	json_object_set_new(row, "run_queue", queue_of(view, p));
	json_object_set_new(row, "timers", sw_json_count(p->timers));
	json_object_set_new(row, "next_timer_seconds",
			    p->next_timer && scheduler->latest
				    ? seconds(p->next_timer - scheduler->latest)
				    : json_null());
	json_object_set_new(row, "gc_worker_mode", mode ? json_string(mode) : json_null());
	json_object_set_new(row, "gc_assist_seconds", seconds(p->assist_ns));
	json_object_set_new(row, "preempt", json_boolean(p->preempt));
	json_object_set_new(row, "schedtick", sw_json_count(p->schedtick));
	json_object_set_new(row, "syscalltick", sw_json_count(p->syscalltick));
	json_object_set_new(row, "address", sw_json_address(p->address));
	return row;
}

static void add_ps(struct sw_scheduler_view *view)
{
	uint64_t rows = 0;

	sw_report_table(view->report, "ps",
			"p status m tid goid queued next_goid timers next_timer_seconds "
			"gc_worker_mode preempt schedtick");
	for (size_t i = 0; i < view->scheduler.ps.count; i++)
		if (sw_arguments_takes(view->arguments, &rows))
			sw_report_row(view->report, "ps",
				      p_row(view, &view->scheduler.ps.items[i]));
	sw_report_omitted(view->report, "ps", rows, sw_arguments_limit(view->arguments));
}

static json_t *m_row(const struct sw_scheduler_view *view, const struct sw_go_m *m)
{
	json_t *row = json_object();

	json_object_set_new(row, "m", json_integer(m->id));
	json_object_set_new(row, "tid", m->thread ? sw_json_count(m->thread) : json_null());
	json_object_set_new(row, "state", json_string(sw_go_m_state_word(m->state)));
	json_object_set_new(row, "goid", goid(view, m->goroutine));
	json_object_set_new(row, "locked_goid", goid(view, m->locked));
	json_object_set_new(row, "p", p_number(view, m->p));
	json_object_set_new(row, "next_p", p_number(view, m->nextp));
	json_object_set_new(row, "function", sw_json_string_or_null(m->function));
	json_object_set_new(row, "caller", sw_json_string_or_null(m->caller));
	json_object_set_new(row, "cgo_calls", sw_json_count(m->cgo_calls));
	json_object_set_new(row, "address", sw_json_address(m->address));
	return row;
}

/* Those that do something first. */
static void add_ms(struct sw_scheduler_view *view)
{
	uint64_t rows = 0;

	sw_report_table(view->report, "ms", "m tid state goid locked_goid p function caller");
	for (unsigned state = 0; state < SW_GO_M_STATES; state++)
		for (size_t i = view->scheduler.ms.count; i-- > 0;) {
			const struct sw_go_m *m = &view->scheduler.ms.items[i];
			if (m->state == state && sw_arguments_takes(view->arguments, &rows))
				sw_report_row(view->report, "ms", m_row(view, m));
		}
	sw_report_omitted(view->report, "ms", rows, sw_arguments_limit(view->arguments));
}

static json_t *start(const struct sw_scheduler_view *view, const struct sw_goroutine *g)
{
	const char *name = g ? sw_scheduler_start(view, g) : NULL;
	return name ? sw_json_string(name) : json_null();
}

/* Where it goes on: in a function of the program's own, when there is one. */
static struct sw_error *set_place(const struct sw_scheduler_view *view,
				  const struct sw_goroutine *g, json_t *row)
{
	const char *function = NULL, *caller = NULL;
	struct sw_error *error = g ? sw_go_find_place(view->go, g, &function, &caller) : NULL;

	json_object_set_new(row, "function",
			    caller || function ? sw_json_string(caller ? caller : function)
					       : json_null());
	json_object_set_new(row, "start_function", start(view, g));
	return error;
}

/* Some places of the queue: those of a P, or of none. */
struct part {
	const struct sw_go_p *p;
	size_t first, count;
};

static struct sw_error *add_part(struct sw_scheduler_view *view, const struct part *part,
				 uint64_t *rows)
{
	struct sw_error *error = NULL;

	for (size_t i = 0; !error && i < part->count; i++) {
		const struct sw_go_queued *one = &view->scheduler.queue.items[part->first + i];
		if (!sw_arguments_takes(view->arguments, rows))
			continue;
		json_t *row = json_object();
		json_object_set_new(row, "p", part->p ? sw_json_count(part->p->id) : json_null());
		json_object_set_new(row, "position", sw_json_count(i + 1));
		json_object_set_new(row, "goid", goid(view, one->goroutine));
		error = set_place(view, sw_scheduler_goroutine(view, one->goroutine), row);
		json_object_set_new(row, "address", sw_json_address(one->address));
		sw_report_row(view->report, "run_queue", row);
	}
	return error;
}

/* P by P, then the global queue. */
static struct sw_error *add_queue(struct sw_scheduler_view *view)
{
	const struct sw_go_scheduler *scheduler = &view->scheduler;
	struct sw_error *error = NULL;
	uint64_t rows = 0;

	sw_report_table(view->report, "run_queue", "p position goid function start_function");
	for (size_t i = 0; !error && i < scheduler->ps.count; i++) {
		const struct sw_go_p *p = &scheduler->ps.items[i];
		error = add_part(view, &(struct part){p, p->queue, p->queued}, &rows);
	}
	if (!error)
		error = add_part(
			view,
			&(struct part){NULL, scheduler->global_queue, scheduler->global_queued},
			&rows);
	sw_report_omitted(view->report, "run_queue", rows, sw_arguments_limit(view->arguments));
	return error;
}

static void add_states(struct sw_scheduler_view *view)
{
	sw_report_table(view->report, "goroutines", "state goroutines");
	for (uint32_t status = 0; status < SW_GOROUTINE_STATES; status++) {
		if (!view->g_status[status])
			continue;
		json_t *row = json_object();
		json_object_set_new(row, "state", json_string(sw_go_status_word(status)));
		json_object_set_new(row, "goroutines", sw_json_count(view->g_status[status]));
		sw_report_row(view->report, "goroutines", row);
	}
}

static void add_locked(struct sw_scheduler_view *view)
{
	uint64_t rows = 0;

	if (!view->locked)
		return;
	sw_report_table(view->report, "locked_goroutines", "goid state m tid start_function");
	for (size_t i = 0; i < view->go->goroutines.count; i++) {
		const struct sw_goroutine *g = &view->go->goroutines.items[i];
		if (!g->lockedm || !sw_arguments_takes(view->arguments, &rows))
			continue;
		uint32_t index = sw_go_find_m(&view->scheduler, g->lockedm);
		const struct sw_go_m *m =
			index == SW_GO_NONE ? NULL : &view->scheduler.ms.items[index];
		json_t *row = json_object();
		json_object_set_new(row, "goid", sw_json_count(g->goid));
		json_object_set_new(row, "state", json_string(sw_go_status_word(g->status)));
		json_object_set_new(row, "m", m ? json_integer(m->id) : json_null());
		json_object_set_new(row, "tid",
				    m && m->thread ? sw_json_count(m->thread) : json_null());
		json_object_set_new(row, "start_function", start(view, g));
		sw_report_row(view->report, "locked_goroutines", row);
	}
	sw_report_omitted(view->report, "locked_goroutines", rows,
			  sw_arguments_limit(view->arguments));
}

/* Where what the runtime keeps and what is there differ. */
static void add_checks(struct sw_scheduler_view *view)
{
	unsigned different = 0;

	sw_report_table(view->report, "checks", "what kept counted");
	for (size_t i = 0; i < view->scheduler.tally_count; i++) {
		const struct sw_go_tally *tally = &view->scheduler.tallies[i];
		json_t *row = json_object();
		json_object_set_new(row, "what", json_string(tally->name));
		json_object_set_new(row, "kept", json_integer(tally->kept));
		json_object_set_new(row, "counted", json_integer(tally->counted));
		sw_report_row(view->report, "checks", row);
		different += tally->kept != tally->counted;
	}
	if (different)
		sw_report_sentence(view->report,
				   "%u of the runtime's own numbers %s not what was counted (table "
				   "checks): threads were stopped amid a change.",
				   different, different == 1 ? "is" : "are");
}

/* ---- the collector ---- */

struct debt {
	const struct sw_goroutine *g;
	int64_t bytes;
};

static int by_debt(const void *a, const void *b)
{
	const struct debt *x = a, *y = b;
	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return (x->g->goid > y->g->goid) - (x->g->goid < y->g->goid);
}

/* What a goroutine still has to mark for what it allocated (mgcmark.go gcAssistAlloc). */
static int64_t debt_of(const struct sw_scheduler_view *view, const struct sw_goroutine *g)
{
	uint64_t credit = 0;
	sw_memory_u64(view->go->memory, g->address + view->go->layout.g.gcAssistBytes, &credit);
	return (int64_t)credit < 0 && (int64_t)credit > INT64_MIN ? -(int64_t)credit : 0;
}

static void report_debts(struct sw_scheduler_view *view, const struct debt *debts, size_t count)
{
	uint64_t rows = 0;

	sw_report_table(view->report, "gc_assists", "goid state assist_debt_bytes start_function");
	for (size_t i = 0; i < count && sw_arguments_takes(view->arguments, &rows); i++) {
		const struct sw_goroutine *g = debts[i].g;
		const char *reason = sw_go_wait_text(view->go, g);
		json_t *row = json_object();
		json_object_set_new(row, "goid", sw_json_count(g->goid));
		json_object_set_new(row, "state",
				    json_string(reason ? reason : sw_go_status_word(g->status)));
		json_object_set_new(row, "assist_debt_bytes",
				    sw_json_bytes((uint64_t)debts[i].bytes));
		json_object_set_new(row, "start_function", start(view, g));
		sw_report_row(view->report, "gc_assists", row);
	}
	sw_report_omitted(view->report, "gc_assists", count, sw_arguments_limit(view->arguments));
}

/* The credits mean something while the collector marks only. */
static struct sw_error *add_debts(struct sw_scheduler_view *view)
{
	size_t count = 0;

	if (!view->go->gcphase)
		return NULL;
	struct debt *debts = calloc(view->go->goroutines.count + 1, sizeof(*debts));
	if (!debts)
		return sw_error_memory();
	for (size_t i = 0; i < view->go->goroutines.count; i++) {
		const struct sw_goroutine *g = &view->go->goroutines.items[i];
		int64_t bytes = sw_scheduler_is_worker(view, g) ? 0 : debt_of(view, g);
		if (bytes > 0)
			debts[count++] = (struct debt){g, bytes};
	}
	qsort(debts, count, sizeof(*debts), by_debt);
	report_debts(view, debts, count);
	free(debts);
	return NULL;
}

/* ---- */

struct sw_error *sw_scheduler_add_tables(struct sw_scheduler_view *view)
{
	add_ps(view);
	add_ms(view);
	struct sw_error *error = add_queue(view);
	add_states(view);
	add_locked(view);
	if (!error)
		error = add_debts(view);
	add_checks(view);
	return error;
}
