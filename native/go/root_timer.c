/* Timers (runtime/time.go).
 *
 * Those that run at this very moment: a thread that looks for work takes a timer out of its P's
 * heap and calls its function on the system stack, which no collector looks at: a real one would
 * wait for the thread to be done, and to have handed on what the timer is for, as to a goroutine of
 * its own.
 *
 * Those of a P's heap, but for the stopped ones that the P has not thrown out yet. */
#include "go/root.h"
#include "go/timer.h"
#include "go/unwind.h"

enum { MAX_WORDS = 4096 };

/* The g that stands for a thread's system stack, as if it were a goroutine. */
static bool find_g0(const struct sw_go *go, sw_addr p, struct sw_goroutine *out)
{
	*out = (struct sw_goroutine){.status = SW_GO_RUNNING};
	if (!sw_memory_u64(go->memory, p + go->layout.p.m, &out->m) || !out->m ||
	    !sw_memory_u64(go->memory, out->m + go->layout.m.g0, &out->address) ||
	    !sw_memory_u64(go->memory, out->address + go->layout.g.stack_lo, &out->stack_lo) ||
	    !sw_memory_u64(go->memory, out->address + go->layout.g.stack_hi, &out->stack_hi))
		return false;
	out->thread = sw_go_thread_of(go, out->m);
	return out->thread != NULL;
}

/* 1.23 has the first, releases before it the second. */
static bool runs_timer(const struct sw_go_frame *frame)
{
	const char *name = sw_go_func_name(&frame->func);
	return !strcmp(name, "runtime.(*timer).unlockAndRun") ||
	       !strcmp(name, "runtime.runOneTimer");
}

/* The part of the system stack from its top to the frame that runs a timer; false when none does.
 * The stack need not be one that a collector could walk: nobody is warned of that. */
static bool find_part(const struct sw_go *go, const struct sw_goroutine *g0, sw_addr *from,
		      sw_addr *to)
{
	struct sw_warnings unheard = {0};
	struct sw_go quiet = *go;
	struct sw_go_stack stack;
	bool is_found = false;

	quiet.warnings = &unheard;
	struct sw_error *error = sw_go_unwind(&quiet, g0, false, NULL, NULL, &stack);
	for (size_t i = 0; !error && !is_found && i < stack.frames.count; i++) {
		*from = stack.frames.items[0].sp;
		*to = stack.frames.items[i].fp;
		is_found = runs_timer(&stack.frames.items[i]);
	}
	if (error)
		sw_error_free(error);
	else
		sw_go_stack_free(&stack);
	sw_warnings_clear(&unheard);
	return is_found;
}

static struct sw_error *add_word(struct sw_root_collector *collector, uint32_t root, sw_addr at,
				 sw_addr pointer)
{
	const struct sw_span *span = sw_heap_span(collector->heap, pointer);
	uint32_t index = span ? sw_span_index(span, pointer) : 0;
	if (!span || index >= span->count ||
	    !sw_go_span_is_live(&collector->go->spans.items[span->owner], index))
		return NULL;
	return sw_roots_add_word(collector, root, at, pointer);
}

static struct sw_error *add_part(struct sw_root_collector *collector, sw_addr from, sw_addr to)
{
	uint64_t pointer;
	uint32_t root;
	struct sw_error *error =
		sw_roots_group(collector, &collector->runtime, SW_GO_ROOT_RUNTIME, "Go runtime");
	if (!error)
		error = sw_roots_add_root(collector,
					  (struct sw_go_root){.kind = SW_GO_ROOT_QUEUE,
							      .name = strdup("timer that runs"),
							      .address = from},
					  collector->runtime, &root);
	for (unsigned i = 0; !error && i < MAX_WORDS && from + 8 * i < to; i++)
		if (sw_memory_u64(collector->go->memory, from + 8 * i, &pointer) && pointer)
			error = add_word(collector, root, from + 8 * i, pointer);
	return error;
}

struct sw_error *sw_roots_add_running_timers(struct sw_root_collector *collector)
{
	const struct sw_go *go = collector->go;
	struct sw_error *error = NULL;
	struct sw_goroutine g0;
	sw_addr from, to;
	uint64_t count = sw_go_p_count(go);

	/* Tiny blocks come first, and warn of a damaged list. */
	for (uint64_t i = 0; !error && i < count; i++) {
		sw_addr p = sw_go_p_at(go, i);
		if (p && find_g0(go, p, &g0) && find_part(go, &g0, &from, &to))
			error = add_part(collector, from, to);
	}
	return error;
}

/* ---- those of the heaps ---- */

static struct sw_error *add_heap(struct sw_root_collector *collector, uint32_t root,
				 const struct sw_go_timer_heap *timers)
{
	const struct sw_go *go = collector->go;
	struct sw_error *error = NULL;
	sw_addr timer;

	for (uint64_t i = 0; !error && i < timers->count; i++)
		if (sw_memory_u64(go->memory, sw_go_timer_entry(timers, i), &timer) && timer &&
		    !sw_go_timer_is_stopped(go, timer))
			error = sw_roots_add_word(collector, root, sw_go_timer_entry(timers, i),
						  timer);
	return error;
}

/* A slice that is longer than its array is damaged. */
static bool is_whole(const struct sw_root_collector *collector,
		     const struct sw_go_timer_heap *timers)
{
	if (timers->is_damaged)
		sw_warn(collector->go->warnings, true, "damaged_timers", NULL,
			"the timers of a P cannot be told apart: those that were stopped count "
			"too");
	return !timers->is_damaged;
}

/* The array of a P's timers becomes opaque: its entries are words of a root. */
static struct sw_error *add_timers_of(struct sw_root_collector *collector, sw_addr p)
{
	const struct sw_go *go = collector->go;
	struct sw_heap *heap = collector->heap;
	struct sw_go_timer_heap timers;
	uint32_t root;

	if (!sw_go_read_timer_heap(go, heap, p, &timers) || !sw_heap_is_marked(heap, timers.slot) ||
	    sw_heap_is_opaque(heap, timers.slot) || !is_whole(collector, &timers))
		return NULL;
	struct sw_error *error =
		sw_roots_group(collector, &collector->runtime, SW_GO_ROOT_RUNTIME, "Go runtime");
	if (!error)
		error = sw_roots_add_root(collector,
					  (struct sw_go_root){.kind = SW_GO_ROOT_QUEUE,
							      .name = strdup("timers"),
							      .address = timers.array},
					  collector->runtime, &root);
	if (!error)
		error = add_heap(collector, root, &timers);
	return error ? error : sw_heap_hide(heap, go->work, timers.slot);
}

struct sw_error *sw_roots_add_timers(struct sw_root_collector *collector)
{
	const struct sw_go *go = collector->go;
	struct sw_error *error = NULL;
	uint64_t count = sw_go_p_count(go);

	for (uint64_t i = 0; !error && i < count; i++) {
		sw_addr p = sw_go_p_at(go, i);
		if (p)
			error = add_timers_of(collector, p);
	}
	return error;
}
