/* Goroutines: stacks, deferred calls, labels, what they wait for; and the tables of the functions
 * that they are in. */
#include "collect.h"

#include "go/pclntab.h"
#include "go/wait.h"

#include <err.h>

enum {
	STACK_SHOWN = 16 << 10, /* bytes of a stack from sp on */
	STREAM_SHOWN = 64,	/* bytes of a table by pc */
	FUNCDATA_SHOWN = 256,
	NOTIFY_LIST = 40, /* sync/runtime.go notifyList */
};

/* ---- functions ---- */

static sw_addr target_address(const struct collector *collector, const struct sw_go_func *func)
{
	sw_addr table = word_at(collector,
				func->module->address + collector->go->layout.moduledata.pclntable);
	const struct sw_region *region = sw_memory_region(collector->go->memory, table);

	return region ? region->addr + (uint64_t)(func->bytes - region->bytes) : 0;
}

/* Where the function has the offset of a table by pc, at `field` of its record. */
static void add_stream(const struct collector *collector, const char *name,
		       const struct sw_go_func *func, uint64_t field)
{
	sw_addr pctab =
		word_at(collector, func->module->address + collector->go->layout.moduledata.pctab);

	if (field + 4 <= func->available && sw_load32(func->bytes + field))
		collect(collector, name, pctab + sw_load32(func->bytes + field), STREAM_SHOWN);
}

static void add_tables(const struct collector *collector, const struct sw_go_func *func)
{
	const __typeof__(collector->go->layout.func) *at = &collector->go->layout.func;
	uint32_t pcdata = sw_load32(func->bytes + at->npcdata);

	add_stream(collector, "pcsp", func, at->pcsp);
	add_stream(collector, "pcfile", func, at->pcfile);
	add_stream(collector, "pcln", func, at->pcln);
	for (uint32_t i = 0; i < pcdata && i < 8; i++)
		add_stream(collector, i == SW_PCDATA_INL_TREE_INDEX ? "inline index" : "pcdata",
			   func, at->size + 4 * i);
	for (uint32_t i = 0; i < func->bytes[at->nfuncdata]; i++)
		collect(collector, i == SW_FUNCDATA_INL_TREE ? "inline tree" : "funcdata",
			sw_go_func_data(collector->go, func, i), FUNCDATA_SHOWN);
}

static void add_inlined(const struct collector *collector, const struct sw_go_frame *frame)
{
	sw_addr tree = sw_go_func_data(collector->go, &frame->func, SW_FUNCDATA_INL_TREE);
	sw_addr pc = frame->is_call ? frame->pc - 1 : frame->pc;
	int32_t index;

	if (tree &&
	    sw_go_func_pcdata(collector->go, &frame->func, SW_PCDATA_INL_TREE_INDEX, pc, &index) &&
	    index >= 0 &&
	    area_list_add(&collector->areas->inlined,
			  (struct area){.addr = tree, .size = pc - frame->func.entry}))
		errx(2, "out of memory");
}

static void add_functions(const struct collector *collector, const struct sw_goroutine *goroutine)
{
	struct sw_go_stack stack = {0};
	struct sw_error *error = sw_go_unwind(collector->go, goroutine, false, NULL, NULL, &stack);

	if (error)
		errx(2, "%s", error->message);
	for (size_t i = 0; i < stack.frames.count; i++) {
		const struct sw_go_frame *frame = &stack.frames.items[i];
		sw_addr addr = frame->func.module ? target_address(collector, &frame->func) : 0;
		if (!addr)
			continue; /* code that is not Go's */
		collect(collector, "func", addr, 128);
		add_tables(collector, &frame->func);
		add_inlined(collector, frame);
	}
	sw_go_stack_free(&stack);
}

/* ---- goroutines ---- */

static void add_fields(const struct collector *collector, sw_addr g)
{
	const __typeof__(collector->go->layout.g) *at = &collector->go->layout.g;
	const sw_offset fields[] = {
		at->stack_lo,	at->stack_hi,  at->panic,   at->defer,	      at->m,
		at->syscallsp,	at->syscallpc, at->goid,    at->atomicstatus, at->waitsince,
		at->waitreason, at->gopc,      at->startpc, at->waiting,      at->labels,
		at->parentGoid, at->lockedm,   at->param,   at->coroarg,      at->schedlink,
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (fields[i] != SW_ABSENT)
			collect(collector, "g field", g + fields[i], 8);
	collect(collector, "gobuf", g + at->sched, 56);
}

/* runtime/pprof/label.go labelMap: until 1.23 a map, then a list of pairs. */
static void add_labels(const struct collector *collector, sw_addr labels)
{
	if (!labels)
		return;
	collect(collector, "labels", labels, 24);
	if (collector->go->minor >= 24) {
		collect_slice(collector, "label list", labels, 32);
		return;
	}
	sw_addr map = word_at(collector, labels);
	collect(collector, "labels", map, 48);
	collect(collector, "label list", word_at(collector, map + 16), 272);
}

static void add_goroutine(const struct collector *collector, const struct sw_goroutine *g)
{
	const struct sw_layout *layout = &collector->go->layout;
	struct areas *areas = collector->areas;
	sw_addr sp = g->thread ? g->thread->sp : g->sched_sp;

	if (g->syscall_sp)
		sp = g->syscall_sp;
	collect(collector, "g", g->address, layout->g.size);
	add_fields(collector, g->address);
	if (sp >= g->stack_lo && sp < g->stack_hi)
		collect(collector, "stack", sp,
			g->stack_hi - sp < STACK_SHOWN ? g->stack_hi - sp : STACK_SHOWN);
	collect_chain(collector, "defer", g->defers, layout->defer.link, layout->defer.size);
	collect_chain(collector, "panic", g->panics, layout->panic.link, layout->panic.size);
	add_labels(collector, g->labels);
	add_functions(collector, g);
	if (areas->goid_count < sizeof(areas->goids) / sizeof(*areas->goids))
		areas->goids[areas->goid_count++] = g->goid;
}

/* ---- waits ---- */

static const char *object_name(enum sw_go_wait_kind kind)
{
	switch (kind) {
	case SW_GO_WAIT_COND:
		return "notify list";
	case SW_GO_WAIT_SEMAPHORE:
		return "semaphore";
	default:
		return "waited channel";
	}
}

static void add_waits(const struct collector *collector, const struct sw_go_waits *waits)
{
	const struct sw_layout *layout = &collector->go->layout;

	for (size_t i = 0; i < waits->list.count; i++) {
		const struct sw_go_wait *wait = &waits->list.items[i];
		const struct sw_go_blocker *blockers = sw_go_wait_blockers(waits, wait);
		const char *name = object_name(wait->kind);
		uint64_t size = wait->kind == SW_GO_WAIT_COND	     ? NOTIFY_LIST
				: wait->kind == SW_GO_WAIT_SEMAPHORE ? 16
								     : layout->hchan.size;
		for (uint32_t k = 0; k < wait->count; k++) {
			collect(collector, "sudog", blockers[k].sudog, layout->sudog.size);
			collect(collector, name, blockers[k].object, size);
			collect(collector, "waited value", blockers[k].elem, 16);
		}
	}
}

void collect_goroutines(const struct collector *collector)
{
	const struct sw_go *go = collector->go;
	sw_addr allgs = go->globals.allgs;

	for (size_t i = 0; i < go->goroutines.count; i++)
		add_goroutine(collector, &go->goroutines.items[i]);
	collect_slice(collector, "allgs", allgs, 8);
	add_waits(collector, go->waits);
}
