/* Where the runtime keeps its variables. */
#include "go/global.h"

#include <stdio.h>

#define PLACE(name) #name, offsetof(struct sw_go_globals, name)
#define WHOLE SW_GLOBAL_BYTES(0)
#define NEXT_WORD SW_GLOBAL_BYTES(8)
#define FIELD SW_GLOBAL_FIELD

/* Functions that exist, as functions, in 1.18–1.27 unless noted, and refer to the variable in
 * builds without inlining too: src/runtime mgc.go, mheap.go, proc.go, mstats.go … Later variables
 * need the earlier ones. */
static const struct sw_global globals[] = {
	{
		PLACE(mheap_),
		.since = 18,
		.misfit = sw_misfit_mheap,
		.clues =
			{
				{"stackalloc", WHOLE},
				{"stackfree", WHOLE},
				{"(*mcentral).grow", WHOLE},
				{"(*mcentral).uncacheSpan", FIELD(mheap.sweepgen)},
				{"(*mcache).prepareForSweep", FIELD(mheap.sweepgen)},
				{"gcResetMarkState", FIELD(mheap.arenas)},
				{"markrootSpans", FIELD(mheap.arenas)},
				{"gcPaceSweeper", FIELD(mheap.pagesInUse)},
			},
	},
	{
		PLACE(allgs),
		.since = 18,
		.misfit = sw_misfit_allgs,
		.clues =
			{
				{"allgadd", WHOLE},
				{"allgadd", NEXT_WORD},
				{"forEachG", WHOLE},
				{"gcMarkRootPrepare", WHOLE},  /* until 1.24 */
				{"gcPrepareMarkRoots", WHOLE}, /* from 1.25 */
			},
	},
	{
		PLACE(allp),
		.since = 18,
		.misfit = sw_misfit_allp,
		.clues =
			{
				{"gcStart", WHOLE},
				{"gcMarkTinyAllocs", WHOLE},
				{"procresize", WHOLE},
				{"procresize", NEXT_WORD},
				{"retake", WHOLE},
				{"preemptall", WHOLE},
				{"schedtrace", WHOLE},
				{"timeSleepUntil", WHOLE},
			},
	},
	{
		PLACE(gcController),
		.since = 18,
		.misfit = sw_misfit_controller,
		.clues =
			{
				{"gcinit", FIELD(gcController.gcPercent)},
				{"(*mcache).refill", WHOLE},
				{"(*mcache).releaseAll", WHOLE},
				{"gcMark", WHOLE},
				{"gcPaceSweeper", FIELD(gcController.heapLive)},
				{"deductSweepCredit", FIELD(gcController.heapLive)},
				{"gcMarkTermination", FIELD(gcController.globalsScan)},
				{"markroot", FIELD(gcController.stackScanWork)},
			},
	},
	{
		PLACE(memstats),
		.since = 18,
		.misfit = sw_misfit_memstats,
		.clues =
			{
				{"(*mcache).refill", FIELD(mstats.heapStats)},
				{"(*mheap).allocSpan", FIELD(mstats.heapStats)},
				{"stkbucket", FIELD(mstats.buckhash_sys)},
				{"newBucket", FIELD(mstats.buckhash_sys)},
				{"(*spanSet).push", FIELD(mstats.gcMiscSys)},
				{"getitab", FIELD(mstats.other_sys)},
				{"stackalloc", FIELD(mstats.stacks_sys)},
				{"gcMarkTermination", FIELD(mstats.numgc)},
			},
	},
	{
		PLACE(gcphase),
		.since = 18,
		.misfit = sw_misfit_gcphase,
		.is_accessed = true,
		.clues =
			{
				{"gcSweep", WHOLE},
				{"gcMark", WHOLE},
				{"freeSomeWbufs", WHOLE},
				{"stackfree", WHOLE},
				{"stackpoolfree", WHOLE},
				{"addfinalizer", WHOLE},
				{"(*p).destroy", WHOLE},
				{"(*gcWork).balance", WHOLE},
			},
	},
	{
		PLACE(allfin),
		.since = 18,
		.misfit = sw_misfit_allfin,
		.is_accessed = true,
		.list = WHOLE,
		.clues =
			{
				{"queuefinalizer", WHOLE},
				{"markroot", WHOLE},
			},
	},
	{
		PLACE(gcCleanups),
		.since = 25,
		.misfit = sw_misfit_cleanups,
		.list = FIELD(cleanupQueue.all),
		.clues =
			{
				{"freeSpecial", WHOLE},
				{"(*activeSweep).end", WHOLE},
				{"findRunnable", WHOLE},
				{"markroot", FIELD(cleanupQueue.all)},
			},
	},
};

enum { COUNT = sizeof(globals) / sizeof(*globals) };

/* What only the scheduler's state is read from; the goroutines are known by then. */
static const struct sw_global scheduler_globals[] = {
	{
		PLACE(sched),
		.since = 18,
		.misfit = sw_misfit_sched,
		.clues =
			{
				{"newproc1", FIELD(schedt.goidgen)},
				{"schedtrace", FIELD(schedt.nmidle)},
				{"checkdead", FIELD(schedt.nmsys)},
				{"sysmon", FIELD(schedt.lastpoll)},
				{"sysmon", FIELD(schedt.sysmonwait)},
				{"gcstopm", FIELD(schedt.stopwait)},
				{"schedinit", FIELD(schedt.maxmcount)},
				{"handoffp", FIELD(schedt.npidle)},
			},
	},
	{
		PLACE(allm),
		.since = 18,
		.misfit = sw_misfit_allm,
		.clues =
			{
				{"schedtrace", WHOLE},
				{"mcommoninit", WHOLE},
				{"mexit", WHOLE},
			},
	},
};

enum { SCHEDULER_COUNT = sizeof(scheduler_globals) / sizeof(*scheduler_globals) };

static sw_addr *place_of(struct sw_go *go, const struct sw_global *global)
{
	return (sw_addr *)((char *)&go->globals + global->place);
}

static bool find_by_symbol(struct sw_go *go, const struct sw_global *global)
{
	char name[64];
	snprintf(name, sizeof(name), "runtime.%s", global->name);
	return sw_image_symbol(go->image, name, place_of(go, global), NULL);
}

/* The layout is that of a release, not of this very program: does it hold here? */
static struct sw_error *check(struct sw_go *go, const struct sw_global *global)
{
	sw_addr at = *place_of(go, global);
	const char *why = go->dwarf ? NULL : global->misfit(go, at);
	if (!why)
		return NULL;
	return sw_error_hint(
		sw_error_format(SW_ERR_UNSUPPORTED,
				"runtime.%s at 0x%llx is not as in Go 1.%u: it is %s that does "
				"not fit",
				global->name, (unsigned long long)at, go->minor, why),
		"was the program built by an unmodified Go release?");
}

/* One list of variables and the functions that its clues name, read when first needed. */
struct search {
	const struct sw_global *globals;
	size_t count;
	struct sw_global_functions functions;
	bool is_read;
};

static struct sw_error *find(struct sw_go *go, struct search *search,
			     const struct sw_global *global)
{
	struct sw_error *error = NULL;

	if (go->minor < global->since)
		return NULL;
	if (find_by_symbol(go, global))
		return check(go, global);
	if (!search->is_read)
		error = sw_global_read_functions(go, search->globals, search->count,
						 &search->functions);
	search->is_read = true;
	return error ? error
		     : sw_global_search(go, global, &search->functions, place_of(go, global));
}

struct sw_error *sw_go_find_globals(struct sw_go *go)
{
	struct search search = {.globals = globals, .count = COUNT};
	struct sw_error *error = NULL;

	for (size_t i = 0; !error && i < COUNT; i++)
		error = find(go, &search, &globals[i]);
	sw_global_free_functions(&search.functions);
	return error;
}

/* What was not found is missing from a report, and is no error. */
static struct sw_error *forgive(struct sw_go *go, const struct sw_global *global,
				struct sw_error *error, struct sw_warnings *warnings)
{
	char code[16];
	if (!error || error->code != SW_ERR_UNSUPPORTED)
		return error;
	*place_of(go, global) = 0;
	snprintf(code, sizeof(code), "no_%s", global->name);
	sw_warn(warnings, true, code, error->hint, "%s", error->message);
	sw_error_free(error);
	return NULL;
}

struct sw_error *sw_go_find_scheduler(struct sw_go *go, struct sw_warnings *warnings)
{
	struct search search = {.globals = scheduler_globals, .count = SCHEDULER_COUNT};
	struct sw_error *error = NULL;

	for (size_t i = 0; !error && i < SCHEDULER_COUNT; i++) {
		const struct sw_global *global = &scheduler_globals[i];
		if (!*place_of(go, global))
			error = forgive(go, global, find(go, &search, global), warnings);
	}
	sw_global_free_functions(&search.functions);
	return error;
}
