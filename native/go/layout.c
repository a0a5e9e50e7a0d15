#include "go/layout.h"

#include "image/dwarf.h"

#include <string.h>

/* One number of the layout: where it goes in struct sw_layout, whose it is, which releases have
 * it. */
struct field {
	struct sw_layout_field name;
	size_t place;	       /* offset into struct sw_layout */
	unsigned since, until; /* Go 1.since … 1.until */
};

enum { FIRST = 18, LAST = 99 };

#define FIELD_NAMED(type, group, place, member, since, until)                                     \
	{                                                                                         \
		{type, member, SW_LAYOUT_OFFSET}, offsetof(struct sw_layout, group.place), since, \
			until                                                                     \
	}
#define FIELD(type, group, member) FIELD_NAMED(type, group, member, #member, FIRST, LAST)
#define FIELD_SINCE(type, group, member, since) \
	FIELD_NAMED(type, group, member, #member, since, LAST)
#define SIZE_NAMED(type, group, place, since)                                                    \
	{                                                                                        \
		{type, "", SW_LAYOUT_SIZE}, offsetof(struct sw_layout, group.place), since, LAST \
	}
#define SIZE(type, group) SIZE_NAMED(type, group, size, FIRST)
#define WIDTH(type, group, place, member)                                                        \
	{                                                                                        \
		{type, member, SW_LAYOUT_WIDTH}, offsetof(struct sw_layout, group.place), FIRST, \
			LAST                                                                     \
	}

/* The structs are declared in src/runtime: mheap.go (mspan, mheap, heapArena, special*),
 * runtime2.go (g, gobuf, m, p, _defer, _func), mcache.go, mfinal.go (finblock), mcleanup.go,
 * symtab.go (moduledata), mgcpacer.go (gcControllerState), mstats.go, chan.go. */
static const struct field fields[] = {
	SIZE("runtime.mspan", mspan),
	FIELD("runtime.mspan", mspan, startAddr),
	FIELD("runtime.mspan", mspan, npages),
	FIELD("runtime.mspan", mspan, freeindex),
	FIELD_SINCE("runtime.mspan", mspan, freeIndexForScan, 20), /* some of 1.18, 1.19 too */
	FIELD("runtime.mspan", mspan, nelems),
	WIDTH("runtime.mspan", mspan, index_size, "freeindex"),
	FIELD("runtime.mspan", mspan, allocBits),
	FIELD("runtime.mspan", mspan, gcmarkBits),
	FIELD("runtime.mspan", mspan, sweepgen),
	FIELD("runtime.mspan", mspan, allocCount),
	FIELD("runtime.mspan", mspan, spanclass),
	FIELD("runtime.mspan", mspan, state),
	FIELD("runtime.mspan", mspan, elemsize),
	FIELD("runtime.mspan", mspan, limit),
	FIELD("runtime.mspan", mspan, specials),
	FIELD_SINCE("runtime.mspan", mspan, isUserArenaChunk, 20),
	FIELD_SINCE("runtime.mspan", mspan, userArenaChunkFree, 20),
	FIELD("runtime.mspan", mspan, next),
	FIELD_SINCE("runtime.mspan", mspan, largeType, 22),

	FIELD("runtime.mheap", mheap, sweepgen),
	FIELD("runtime.mheap", mheap, allspans),
	FIELD("runtime.mheap", mheap, arenas),
	FIELD("runtime.mheap", mheap, pagesInUse),
	FIELD_NAMED("runtime.mheap", mheap, userArena_quarantineList, "userArena.quarantineList",
		    20, LAST),
	FIELD_NAMED("runtime.mheap", mheap, userArena_readyList, "userArena.readyList", 20, LAST),

	FIELD("runtime.heapArena", heapArena, spans),
	FIELD_NAMED("runtime.heapArena", heapArena, bitmap, "bitmap", FIRST, 21),
	FIELD_NAMED("runtime.heapArena", heapArena, noMorePtrs, "noMorePtrs", 20, 21),
	FIELD_NAMED("runtime.heapArena", heapArena, bitmap, "heapArenaPtrScalar.bitmap", 22, 22),
	FIELD_NAMED("runtime.heapArena", heapArena, noMorePtrs, "heapArenaPtrScalar.noMorePtrs", 22,
		    22),
	FIELD_SINCE("runtime.heapArena", heapArena, pageUseSpanInlineMarkBits, 25),

	SIZE("runtime.g", g),
	FIELD_NAMED("runtime.g", g, stack_lo, "stack.lo", FIRST, LAST),
	FIELD_NAMED("runtime.g", g, stack_hi, "stack.hi", FIRST, LAST),
	FIELD_NAMED("runtime.g", g, panic, "_panic", FIRST, LAST),
	FIELD_NAMED("runtime.g", g, defer, "_defer", FIRST, LAST),
	FIELD("runtime.g", g, m),
	FIELD("runtime.g", g, sched),
	FIELD("runtime.g", g, syscallsp),
	FIELD("runtime.g", g, syscallpc),
	FIELD("runtime.g", g, atomicstatus),
	FIELD("runtime.g", g, goid),
	FIELD("runtime.g", g, waitsince),
	FIELD("runtime.g", g, waitreason),
	FIELD("runtime.g", g, gopc),
	FIELD("runtime.g", g, startpc),
	FIELD("runtime.g", g, waiting),
	FIELD("runtime.g", g, labels),
	FIELD("runtime.g", g, asyncSafePoint),
	FIELD_SINCE("runtime.g", g, xRegs, 26),
	FIELD_SINCE("runtime.g", g, parentGoid, 21),
	FIELD("runtime.g", g, lockedm),
	FIELD("runtime.g", g, param),
	FIELD_SINCE("runtime.g", g, coroarg, 22),
	FIELD("runtime.g", g, gcAssistBytes),
	FIELD("runtime.g", g, schedlink),

	FIELD("runtime.gobuf", gobuf, sp),
	FIELD("runtime.gobuf", gobuf, pc),
	FIELD("runtime.gobuf", gobuf, ctxt),
	FIELD("runtime.gobuf", gobuf, lr),
	FIELD("runtime.gobuf", gobuf, bp),

	SIZE("runtime.m", m),
	FIELD("runtime.m", m, g0),
	FIELD("runtime.m", m, gsignal),
	FIELD("runtime.m", m, procid),
	FIELD("runtime.m", m, curg),
	FIELD("runtime.m", m, alllink),
	FIELD("runtime.m", m, p),
	FIELD("runtime.m", m, vdsoSP),
	FIELD("runtime.m", m, vdsoPC),
	FIELD("runtime.m", m, incgo),
	FIELD("runtime.m", m, id),
	FIELD("runtime.m", m, spinning),
	FIELD("runtime.m", m, blocked),
	FIELD("runtime.m", m, locks),
	FIELD("runtime.m", m, mallocing),
	FIELD("runtime.m", m, throwing),
	FIELD("runtime.m", m, ncgocall),
	FIELD("runtime.m", m, ncgo),
	FIELD("runtime.m", m, lockedg),
	FIELD("runtime.m", m, lockedExt),
	FIELD("runtime.m", m, nextp),
	FIELD("runtime.m", m, schedlink),
	FIELD_SINCE("runtime.m", m, isextra, 20),
	FIELD_SINCE("runtime.m", m, isExtraInC, 21),
	FIELD("runtime.m", m, mstartfn),
	FIELD("runtime.m", m, oldp),
	FIELD("runtime.m", m, syscalltick),
	FIELD_NAMED("runtime.m", m, idle_next, "schedlink", FIRST, 25),
	FIELD_NAMED("runtime.m", m, idle_next, "idleNode.next", 26, LAST),

	SIZE("runtime.p", p),
	FIELD("runtime.p", p, id),
	FIELD("runtime.p", p, status),
	FIELD("runtime.p", p, mcache),
	FIELD("runtime.p", p, m),
	FIELD("runtime.p", p, link),
	FIELD("runtime.p", p, schedtick),
	FIELD("runtime.p", p, syscalltick),
	FIELD("runtime.p", p, runqhead),
	FIELD("runtime.p", p, runqtail),
	FIELD("runtime.p", p, runq),
	FIELD("runtime.p", p, runnext),
	FIELD("runtime.p", p, sudogcache),
	FIELD_NAMED("runtime.p", p, timers, "timers", FIRST, 22),
	FIELD_NAMED("runtime.p", p, timers, "timers.heap", 23, LAST),
	FIELD("runtime.p", p, gcAssistTime),
	FIELD("runtime.p", p, gcMarkWorkerMode),
	FIELD("runtime.p", p, preempt),
	FIELD("runtime.p", p, goidcache),
	FIELD("runtime.p", p, goidcacheend),
	FIELD_SINCE("runtime.p", p, goroutinesCreated, 26),
	FIELD_NAMED("runtime.p", p, schedwhen, "sysmontick.schedwhen", FIRST, LAST),

	SIZE("runtime.schedt", schedt),
	FIELD("runtime.schedt", schedt, goidgen),
	FIELD("runtime.schedt", schedt, lastpoll),
	FIELD("runtime.schedt", schedt, nmidle),
	FIELD("runtime.schedt", schedt, nmidlelocked),
	FIELD("runtime.schedt", schedt, mnext),
	FIELD("runtime.schedt", schedt, maxmcount),
	FIELD("runtime.schedt", schedt, nmsys),
	FIELD("runtime.schedt", schedt, nmfreed),
	FIELD("runtime.schedt", schedt, ngsys),
	FIELD("runtime.schedt", schedt, pidle),
	FIELD("runtime.schedt", schedt, npidle),
	FIELD("runtime.schedt", schedt, nmspinning),
	FIELD_SINCE("runtime.schedt", schedt, needspinning, 20),
	FIELD_NAMED("runtime.schedt", schedt, runq_head, "runq.head", FIRST, LAST),
	FIELD_NAMED("runtime.schedt", schedt, runq_tail, "runq.tail", FIRST, LAST),
	FIELD_NAMED("runtime.schedt", schedt, runqsize, "runqsize", FIRST, 24),
	FIELD_NAMED("runtime.schedt", schedt, runqsize, "runq.size", 25, LAST),
	FIELD("runtime.schedt", schedt, gcwaiting),
	FIELD("runtime.schedt", schedt, stopwait),
	FIELD("runtime.schedt", schedt, sysmonwait),
	FIELD_NAMED("runtime.schedt", schedt, midle, "midle", FIRST, 25),
	FIELD_NAMED("runtime.schedt", schedt, midle, "midle.obj", 26, LAST),
	FIELD_SINCE("runtime.schedt", schedt, goroutinesCreated, 26),

	SIZE("runtime.sudog", sudog),
	FIELD("runtime.sudog", sudog, g),
	FIELD("runtime.sudog", sudog, next),
	FIELD("runtime.sudog", sudog, prev),
	FIELD_NAMED("runtime.sudog", sudog, elem, "elem", FIRST, 25),
	FIELD_NAMED("runtime.sudog", sudog, elem, "elem.vu", 26, LAST),
	FIELD("runtime.sudog", sudog, acquiretime),
	FIELD("runtime.sudog", sudog, releasetime),
	FIELD("runtime.sudog", sudog, parent),
	FIELD("runtime.sudog", sudog, waitlink),
	FIELD("runtime.sudog", sudog, waittail),
	FIELD_NAMED("runtime.sudog", sudog, c, "c", FIRST, 25),
	FIELD_NAMED("runtime.sudog", sudog, c, "c.maybeTraceablePtr.vu", 26, LAST),
	FIELD("runtime.sudog", sudog, isSelect),
	FIELD("runtime.sudog", sudog, success),

	FIELD_NAMED("runtime.timer", timer, state, "status", FIRST, 22),
	FIELD_NAMED("runtime.timer", timer, state, "state", 23, LAST),
	SIZE("runtime.timer", timer),
	FIELD("runtime.timer", timer, when),
	FIELD("runtime.timer", timer, period),
	FIELD("runtime.timer", timer, f),
	FIELD("runtime.timer", timer, arg),
	FIELD("runtime.timer", timer, seq),
	FIELD_SINCE("runtime.timer", timer, isChan, 23),

	SIZE("runtime._panic", panic),
	FIELD("runtime._panic", panic, arg),
	FIELD("runtime._panic", panic, link),
	FIELD("runtime._panic", panic, recovered),
	FIELD("runtime._panic", panic, goexit),

	FIELD("runtime.mcache", mcache, tiny),
	FIELD("runtime.mcache", mcache, alloc),

	SIZE("runtime._defer", defer),
	FIELD("runtime._defer", defer, heap),
	FIELD("runtime._defer", defer, fn),
	FIELD("runtime._defer", defer, link),
	FIELD("runtime._defer", defer, sp),
	FIELD("runtime._defer", defer, pc),

	SIZE("runtime.special", special),
	FIELD("runtime.special", special, next),
	FIELD("runtime.special", special, offset),
	WIDTH("runtime.special", special, offset_size, "offset"),
	FIELD("runtime.special", special, kind),
	FIELD("runtime.specialfinalizer", specialfinalizer, fn),
	FIELD("runtime.specialprofile", specialprofile, b),
	SIZE("runtime.bucket", bucket),
	FIELD("runtime.bucket", bucket, typ),
	FIELD("runtime.bucket", bucket, hash),
	FIELD_NAMED("runtime.bucket", bucket, requested, "size", FIRST, LAST),
	FIELD("runtime.bucket", bucket, nstk),
	FIELD_SINCE("runtime.specialWeakHandle", specialWeakHandle, handle, 23),
	FIELD_NAMED("runtime.specialCleanup", specialCleanup, fn, "fn", 24, 25),
	FIELD_SINCE("runtime.specialCleanup", specialCleanup, cleanup, 26),

	FIELD_NAMED("runtime.finblock", finblock, alllink, "alllink", FIRST, 24),
	FIELD_NAMED("runtime.finblock", finblock, cnt, "cnt", FIRST, 24),
	FIELD_NAMED("runtime.finblock", finblock, fin, "fin", FIRST, 24),
	FIELD_SINCE("runtime.finBlock", finblock, alllink, 25),
	FIELD_SINCE("runtime.finBlock", finblock, cnt, 25),
	FIELD_SINCE("runtime.finBlock", finblock, fin, 25),

	FIELD_SINCE("runtime.cleanupQueue", cleanupQueue, all, 25),
	FIELD_SINCE("runtime.cleanupBlockHeader", cleanupBlock, alllink, 25),
	FIELD_SINCE("runtime.cleanupBlockHeader", cleanupBlock, n, 25),
	FIELD_SINCE("runtime.cleanupBlock", cleanupBlock, cleanups, 25),
	SIZE_NAMED("runtime.cleanupFn", cleanupBlock, item_size, 26),

	FIELD("runtime.moduledata", moduledata, pcHeader),
	FIELD("runtime.moduledata", moduledata, funcnametab),
	FIELD("runtime.moduledata", moduledata, cutab),
	FIELD("runtime.moduledata", moduledata, filetab),
	FIELD("runtime.moduledata", moduledata, pctab),
	FIELD("runtime.moduledata", moduledata, pclntable),
	FIELD("runtime.moduledata", moduledata, ftab),
	FIELD("runtime.moduledata", moduledata, text),
	FIELD("runtime.moduledata", moduledata, etext),
	FIELD("runtime.moduledata", moduledata, noptrdata),
	FIELD("runtime.moduledata", moduledata, enoptrdata),
	FIELD("runtime.moduledata", moduledata, data),
	FIELD("runtime.moduledata", moduledata, edata),
	FIELD("runtime.moduledata", moduledata, bss),
	FIELD("runtime.moduledata", moduledata, ebss),
	FIELD("runtime.moduledata", moduledata, noptrbss),
	FIELD("runtime.moduledata", moduledata, enoptrbss),
	FIELD("runtime.moduledata", moduledata, types),
	FIELD("runtime.moduledata", moduledata, etypes),
	FIELD("runtime.moduledata", moduledata, rodata),
	FIELD("runtime.moduledata", moduledata, gofunc),
	FIELD("runtime.moduledata", moduledata, gcdatamask),
	FIELD("runtime.moduledata", moduledata, gcbssmask),
	FIELD("runtime.moduledata", moduledata, next),
	FIELD("runtime.moduledata", moduledata, bad),
	FIELD("runtime.moduledata", moduledata, minpc),
	FIELD("runtime.moduledata", moduledata, maxpc),
	FIELD_NAMED("runtime.moduledata", moduledata, typelinks, "typelinks", FIRST, 26),
	FIELD("runtime.moduledata", moduledata, textsectmap),

	SIZE("runtime._func", func),
	FIELD_SINCE("runtime._func", func, entryOff, 20),
	FIELD_SINCE("runtime._func", func, nameOff, 20),
	FIELD_NAMED("runtime._func", func, entryOff, "entryoff", FIRST, 19),
	FIELD_NAMED("runtime._func", func, nameOff, "nameoff", FIRST, 19),
	FIELD("runtime._func", func, args),
	FIELD("runtime._func", func, deferreturn),
	FIELD("runtime._func", func, pcsp),
	FIELD("runtime._func", func, pcfile),
	FIELD("runtime._func", func, pcln),
	FIELD("runtime._func", func, npcdata),
	FIELD("runtime._func", func, cuOffset),
	FIELD_SINCE("runtime._func", func, startLine, 20),
	FIELD("runtime._func", func, funcID),
	FIELD("runtime._func", func, flag),
	FIELD("runtime._func", func, nfuncdata),

	FIELD("runtime.gcControllerState", gcController, gcPercent),
	FIELD_SINCE("runtime.gcControllerState", gcController, memoryLimit, 19),
	FIELD("runtime.gcControllerState", gcController, heapLive),
	FIELD("runtime.gcControllerState", gcController, heapMarked),
	FIELD_SINCE("runtime.gcControllerState", gcController, triggered, 19),
	FIELD("runtime.gcControllerState", gcController, lastHeapScan),
	FIELD("runtime.gcControllerState", gcController, globalsScan),
	FIELD("runtime.gcControllerState", gcController, stackScanWork),
	FIELD_SINCE("runtime.gcControllerState", gcController, heapInUse, 19),
	FIELD_SINCE("runtime.gcControllerState", gcController, heapReleased, 19),
	FIELD_SINCE("runtime.gcControllerState", gcController, heapFree, 19),
	FIELD_SINCE("runtime.gcControllerState", gcController, totalAlloc, 19),
	FIELD_SINCE("runtime.gcControllerState", gcController, totalFree, 19),
	FIELD_SINCE("runtime.gcControllerState", gcController, mappedReady, 19),

	FIELD("runtime.mstats", mstats, numgc),
	FIELD("runtime.mstats", mstats, numforcedgc),
	FIELD("runtime.mstats", mstats, last_gc_unix),
	FIELD("runtime.mstats", mstats, last_gc_nanotime),
	FIELD("runtime.mstats", mstats, pause_total_ns),
	FIELD("runtime.mstats", mstats, stacks_sys),
	FIELD("runtime.mstats", mstats, mspan_sys),
	FIELD("runtime.mstats", mstats, mcache_sys),
	FIELD("runtime.mstats", mstats, buckhash_sys),
	FIELD("runtime.mstats", mstats, gcMiscSys),
	FIELD("runtime.mstats", mstats, other_sys),
	FIELD("runtime.mstats", mstats, heapStats),

	SIZE("runtime.heapStatsDelta", heapStatsDelta),
	FIELD("runtime.heapStatsDelta", heapStatsDelta, committed),
	FIELD("runtime.heapStatsDelta", heapStatsDelta, released),
	FIELD("runtime.heapStatsDelta", heapStatsDelta, inHeap),
	FIELD("runtime.heapStatsDelta", heapStatsDelta, inStacks),
	FIELD("runtime.heapStatsDelta", heapStatsDelta, inWorkBufs),
	FIELD_NAMED("runtime.heapStatsDelta", heapStatsDelta, inPtrScalarBits, "inPtrScalarBits",
		    FIRST, 24),
	FIELD("runtime.heapStatsDelta", heapStatsDelta, tinyAllocCount),
	FIELD("runtime.heapStatsDelta", heapStatsDelta, largeAlloc),
	FIELD("runtime.heapStatsDelta", heapStatsDelta, largeAllocCount),
	FIELD("runtime.heapStatsDelta", heapStatsDelta, smallAllocCount),
	FIELD("runtime.heapStatsDelta", heapStatsDelta, largeFree),
	FIELD("runtime.heapStatsDelta", heapStatsDelta, largeFreeCount),
	FIELD("runtime.heapStatsDelta", heapStatsDelta, smallFreeCount),

	SIZE("runtime.hchan", hchan),
	FIELD("runtime.hchan", hchan, elemtype),
	FIELD("runtime.hchan", hchan, buf),
	FIELD("runtime.hchan", hchan, dataqsiz),
	FIELD("runtime.hchan", hchan, qcount),
	FIELD("runtime.hchan", hchan, elemsize),
	FIELD("runtime.hchan", hchan, closed),
	FIELD("runtime.hchan", hchan, sendx),
	FIELD("runtime.hchan", hchan, recvx),
	FIELD_NAMED("runtime.hchan", hchan, recvq_first, "recvq.first", FIRST, LAST),
	FIELD_NAMED("runtime.hchan", hchan, recvq_last, "recvq.last", FIRST, LAST),
	FIELD_NAMED("runtime.hchan", hchan, sendq_first, "sendq.first", FIRST, LAST),
	FIELD_NAMED("runtime.hchan", hchan, sendq_last, "sendq.last", FIRST, LAST),
	FIELD_SINCE("runtime.hchan", hchan, timer, 23),
};

/* specialKind constants: runtime/mheap.go. */
static void special_kinds(struct sw_layout *layout, unsigned minor)
{
	layout->special_kind.finalizer = minor >= 25 ? 2 : 1;
	layout->special_kind.weak_handle = minor >= 25 ? 3 : minor >= 23 ? 2 : 0;
	layout->special_kind.profile = minor >= 25 ? 4 : minor >= 23 ? 3 : 2;
	layout->special_kind.cleanup = minor >= 25 ? 7 : minor >= 24 ? 6 : 0;
}

/* FuncID constants: internal/abi/symtab.go (runtime/symtab.go until 1.20). corostart came with 1.22
 * and runCleanups with 1.25: all behind them moved by one. */
static void func_ids(struct sw_layout *layout, unsigned minor)
{
	unsigned corostart = minor >= 22, cleanups = minor >= 25;

	layout->func_id.asyncPreempt = 3;
	layout->func_id.cgocallback = 4;
	layout->func_id.debugCallV2 = (uint8_t)(5 + corostart);
	layout->func_id.goexit = (uint8_t)(7 + corostart);
	layout->func_id.mcall = (uint8_t)(11 + corostart);
	layout->func_id.morestack = (uint8_t)(12 + corostart);
	layout->func_id.sigpanic = (uint8_t)(18 + corostart + cleanups);
	layout->func_id.systemstack = (uint8_t)(19 + corostart + cleanups);
	layout->func_id.corostart = corostart ? 5 : UINT8_MAX;
	layout->func_id.gopanic = (uint8_t)(9 + corostart);
	layout->func_id.panicwrap = (uint8_t)(14 + corostart);
	layout->func_id.runFinalizers =
		(uint8_t)(16 + corostart + cleanups); /* runfinq until 1.24 */
	layout->func_id.runtime_main = (uint8_t)(17 + corostart - cleanups);
	layout->func_id.runCleanups = cleanups ? 19 : UINT8_MAX;
	layout->func_id.wrapper = (uint8_t)(21 + corostart + cleanups);
}

/* ---- filling ---- */

/* The arena's bitmap came back in 1.22 with an experiment. */
static bool has_field(const struct field *field, const struct sw_layout_release *release)
{
	if (field->since == 22 && field->until == 22)
		return release->minor == 22 && sw_layout_has_experiment(release, "noallocheaders");
	return release->minor >= field->since && release->minor <= field->until;
}

size_t sw_layout_fields(const struct sw_layout_release *release, size_t from,
			const struct sw_layout_field **out)
{
	for (; from < sizeof(fields) / sizeof(*fields); from++)
		if (has_field(&fields[from], release)) {
			*out = &fields[from].name;
			return from + 1;
		}
	return 0;
}

bool sw_layout_from_dwarf(void *dwarf, const struct sw_layout_field *field, uint64_t *out)
{
	uint64_t offset, size;

	if (field->what == SW_LAYOUT_SIZE)
		return sw_dwarf_sizeof(dwarf, field->type, out);
	if (!sw_dwarf_member(dwarf, field->type, field->member, &offset, &size))
		return false;
	*out = field->what == SW_LAYOUT_WIDTH ? size : offset;
	return true;
}

static struct sw_error *missing(const struct sw_layout_field *field, unsigned minor)
{
	return sw_error_hint(
		sw_error_format(SW_ERR_UNSUPPORTED, "nothing tells %s%s%s%s of Go 1.%u",
				field->what == SW_LAYOUT_OFFSET ? "where " : "the size of ",
				field->type, *field->member ? "." : "", field->member, minor),
		"is the executable complete, and built by an unmodified Go release?");
}

struct sw_error *sw_layout_fill(struct sw_layout *layout, const struct sw_layout_release *release,
				sw_layout_source *source, void *context)
{
	memset(layout, 0xff, sizeof(*layout)); /* SW_ABSENT everywhere */
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		const struct field *field = &fields[i];
		uint64_t number;
		if (!has_field(field, release))
			continue;
		if (!source(context, &field->name, &number) || number >= SW_ABSENT)
			return missing(&field->name, release->minor);
		*(uint32_t *)((char *)layout + field->place) = (uint32_t)number;
	}
	if (release->minor == 25) /* a cleanup is a func value yet */
		layout->cleanupBlock.item_size = 8;
	special_kinds(layout, release->minor);
	func_ids(layout, release->minor);
	return NULL;
}
