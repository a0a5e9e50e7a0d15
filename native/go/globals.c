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
				{"stackalloc", WHOLE, false},
				{"stackfree", WHOLE, false},
				{"(*mcentral).grow", WHOLE, false},
				{"(*mcentral).uncacheSpan", FIELD(mheap.sweepgen), false},
				{"(*mcache).prepareForSweep", FIELD(mheap.sweepgen), false},
				{"gcResetMarkState", FIELD(mheap.arenas), false},
				{"markrootSpans", FIELD(mheap.arenas), false},
				{"gcPaceSweeper", FIELD(mheap.pagesInUse), false},
			},
		.section = SW_GLOBAL_BSS,
		.key = FIELD(mheap.allspans),
		.exact_misfit = sw_misfit_mheap,
	},
	{
		PLACE(allgs),
		.since = 18,
		.misfit = sw_misfit_allgs,
		.clues =
			{
				{"allgadd", WHOLE, false},
				{"allgadd", NEXT_WORD, false},
				{"forEachG", WHOLE, false},
			},
		.section = SW_GLOBAL_BSS,
		.key = WHOLE,
		.exact_misfit = sw_misfit_allgs,
	},
	{
		PLACE(allp),
		.since = 18,
		.misfit = sw_misfit_allp,
		.clues =
			{
				{"gcStart", WHOLE, false},
				{"gcMarkTinyAllocs", WHOLE, false},
				{"procresize", WHOLE, false},
				{"procresize", NEXT_WORD, false},
				{"retake", WHOLE, false},
				{"preemptall", WHOLE, false},
				{"schedtrace", WHOLE, false},
				{"timeSleepUntil", WHOLE, false},
			},
		.section = SW_GLOBAL_BSS,
		.key = WHOLE,
		.exact_misfit = sw_misfit_allp,
	},
	{
		PLACE(gcController),
		.since = 18,
		.misfit = sw_misfit_controller,
		.clues =
			{
				{"gcinit", FIELD(gcController.gcPercent), false},
				{"(*mcache).refill", WHOLE, false},
				{"(*mcache).releaseAll", WHOLE, false},
				{"gcMark", WHOLE, false},
				{"gcPaceSweeper", FIELD(gcController.heapLive), false},
				{"deductSweepCredit", FIELD(gcController.heapLive), false},
				{"gcMarkTermination", FIELD(gcController.globalsScan), false},
				{"markroot", FIELD(gcController.stackScanWork), false},
			},
		.section = SW_GLOBAL_NOPTRBSS,
		.key = FIELD(gcController.heapInUse),
		.exact_misfit = sw_exact_misfit_controller,
	},
	{
		PLACE(memstats),
		.since = 18,
		.misfit = sw_misfit_memstats,
		.clues =
			{
				{"(*mcache).refill", FIELD(mstats.heapStats), false},
				{"(*mheap).allocSpan", FIELD(mstats.heapStats), false},
				{"stkbucket", FIELD(mstats.buckhash_sys), false},
				{"newBucket", FIELD(mstats.buckhash_sys), false},
				{"(*spanSet).push", FIELD(mstats.gcMiscSys), false},
				{"getitab", FIELD(mstats.other_sys), false},
				{"stackalloc", FIELD(mstats.stacks_sys), false},
				{"gcMarkTermination", FIELD(mstats.numgc), false},
			},
		.section = SW_GLOBAL_NOPTRBSS,
		.key = FIELD(mstats.gcMiscSys),
		.exact_misfit = sw_exact_misfit_memstats,
	},
	{
		PLACE(gcphase),
		.since = 18,
		.misfit = sw_misfit_gcphase,
		.clues =
			{
				{"gcSweep", WHOLE, true},
				{"gcMark", WHOLE, true},
				{"freeSomeWbufs", WHOLE, true},
				{"stackfree", WHOLE, true},
				{"stackpoolfree", WHOLE, true},
				{"addfinalizer", WHOLE, true},
				{"(*p).destroy", WHOLE, true},
				{"(*gcWork).balance", WHOLE, true},
			},
	},
	{
		PLACE(allfin),
		.since = 18,
		.misfit = sw_misfit_allfin,
		.list = WHOLE,
		.clues =
			{
				{"queuefinalizer", WHOLE, true},
				{"markroot", WHOLE, true},
			},
	},
	{
		PLACE(gcCleanups),
		.since = 25,
		.misfit = sw_misfit_cleanups,
		.list = FIELD(cleanupQueue.all),
		.clues =
			{
				{"freeSpecial", WHOLE, false},
				{"(*activeSweep).end", WHOLE, false},
				{"findRunnable", WHOLE, false},
				{"markroot", FIELD(cleanupQueue.all), false},
			},
	},
};

enum { COUNT = sizeof(globals) / sizeof(*globals) };

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

struct sw_error *sw_go_find_globals(struct sw_go *go)
{
	struct sw_global_functions functions = {0};
	struct sw_error *error = NULL;
	bool is_read = false;

	for (size_t i = 0; !error && i < COUNT; i++) {
		const struct sw_global *global = &globals[i];
		if (go->minor < global->since)
			continue;
		if (find_by_symbol(go, global)) {
			error = check(go, global);
			continue;
		}
		if (!is_read)
			error = sw_global_read_functions(go, globals, COUNT, &functions);
		is_read = true;
		if (!error)
			error = sw_global_search(go, global, &functions, place_of(go, global));
	}
	sw_global_free_functions(&functions);
	return error;
}
