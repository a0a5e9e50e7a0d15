/* Where the fields of the runtime's own structs stand in this very binary. */
#ifndef SW_GO_LAYOUT_H
#define SW_GO_LAYOUT_H

#include "base/error.h"
#include "target/target.h"

/* Bytes from the struct's start; a field that this version does not have is SW_ABSENT. */
typedef uint32_t sw_offset;
#define SW_ABSENT UINT32_MAX

/* Names are the runtime's. `size` is the struct's. */
struct sw_layout {
	struct {
		sw_offset size, startAddr, npages, freeindex, freeIndexForScan, nelems, allocBits,
			gcmarkBits, sweepgen, allocCount, spanclass, state, elemsize, limit,
			specials, isUserArenaChunk, userArenaChunkFree, next, largeType;
		uint32_t index_size; /* bytes of freeindex and nelems: 8 until 1.21, then 2 */
	} mspan;
	struct {
		sw_offset sweepgen, allspans, arenas, pagesInUse;
		sw_offset userArena_quarantineList, userArena_readyList;
	} mheap;
	struct {
		sw_offset spans, bitmap, noMorePtrs, pageUseSpanInlineMarkBits;
	} heapArena;
	struct {
		sw_offset size, stack_lo, stack_hi, panic, defer, m, sched, syscallsp, syscallpc,
			atomicstatus, goid, waitsince, waitreason, gopc, startpc, waiting, labels,
			asyncSafePoint, xRegs, parentGoid, lockedm, param, coroarg, gcAssistBytes,
			schedlink;
	} g;
	struct {
		sw_offset sp, pc, ctxt, lr, bp;
	} gobuf;
	struct {
		sw_offset size, g0, gsignal, procid, curg, alllink, p, vdsoSP, vdsoPC, incgo, id,
			spinning, blocked, locks, mallocing, throwing, ncgocall, ncgo, lockedg,
			lockedExt, nextp, schedlink, isextra, isExtraInC, mstartfn, oldp,
			syscalltick;
		sw_offset idle_next; /* links sched.midle: schedlink, idleNode.next since 1.26 */
	} m;
	struct {
		sw_offset size, id, status, mcache, m, link, schedtick, syscalltick, runqhead,
			runqtail, runq, runnext, sudogcache, timers, gcAssistTime, gcMarkWorkerMode,
			preempt, goidcache, goidcacheend, goroutinesCreated, schedwhen;
	} p;
	struct {
		sw_offset size, goidgen, lastpoll, nmidle, nmidlelocked, mnext, maxmcount, nmsys,
			nmfreed, ngsys, pidle, npidle, nmspinning, needspinning, runq_head,
			runq_tail, runqsize, gcwaiting, stopwait, sysmonwait, midle,
			goroutinesCreated;
	} schedt;
	struct {
		/* Of elem and c the word that always holds the address: since 1.26 the other one is
		 * cleared while leaked goroutines are looked for (maybeTraceablePtr). */
		sw_offset size, g, next, prev, elem, acquiretime, releasetime, parent, waitlink,
			waittail, c, isSelect, success;
	} sudog;
	struct {
		sw_offset state; /* until 1.22 status, a uint32 */
		sw_offset size, when, period, f, arg, seq, isChan;
	} timer;
	struct {
		sw_offset size, arg, link, recovered, goexit;
	} panic;
	struct {
		sw_offset tiny, alloc;
	} mcache;
	struct {
		sw_offset size, heap, fn, link, sp, pc;
	} defer;
	struct {
		sw_offset next, offset, kind, size;
		uint32_t offset_size; /* bytes of offset: 2 until 1.23, then 8 */
	} special;
	struct {
		sw_offset fn;
	} specialfinalizer;
	struct {
		sw_offset b;
	} specialprofile;
	struct {
		sw_offset size, hash, requested, nstk; /* requested: its field size */
		sw_offset typ;
	} bucket;
	struct {
		sw_offset handle;
	} specialWeakHandle;
	struct {
		sw_offset fn;	   /* 1.24–1.25: one word */
		sw_offset cleanup; /* 1.26: call, fn, arg */
	} specialCleanup;
	struct {
		sw_offset alllink, cnt, fin;
	} finblock;
	struct {
		sw_offset all;
	} cleanupQueue;
	struct {
		sw_offset alllink, n, cleanups, item_size;
	} cleanupBlock;
	struct {
		sw_offset pcHeader, funcnametab, cutab, filetab, pctab, pclntable, ftab, text,
			etext, noptrdata, enoptrdata, data, edata, bss, ebss, noptrbss, enoptrbss,
			types, etypes, rodata, gofunc, gcdatamask, gcbssmask, next, bad,
			textsectmap, minpc, maxpc, typelinks;
	} moduledata;
	struct {
		sw_offset size, entryOff, nameOff, args, deferreturn, pcsp, pcfile, pcln, npcdata,
			cuOffset, startLine, funcID, flag, nfuncdata;
	} func;
	struct {
		sw_offset gcPercent, heapLive, heapMarked, heapInUse, heapReleased, heapFree,
			totalAlloc, totalFree, mappedReady, memoryLimit, triggered, lastHeapScan,
			globalsScan, stackScanWork;
	} gcController;
	struct {
		sw_offset numgc, numforcedgc, last_gc_unix, last_gc_nanotime, pause_total_ns,
			stacks_sys, mspan_sys, mcache_sys, buckhash_sys, gcMiscSys, other_sys,
			heapStats;
	} mstats;
	struct {
		sw_offset size, committed, released, inHeap, inStacks, inWorkBufs, inPtrScalarBits,
			tinyAllocCount, largeAlloc, largeAllocCount, smallAllocCount, largeFree,
			largeFreeCount, smallFreeCount;
	} heapStatsDelta;
	struct {
		sw_offset size, elemtype, buf, dataqsiz, qcount, elemsize, closed, sendx, recvx,
			recvq_first, recvq_last, sendq_first, sendq_last, timer;
	} hchan;

	/* Numbers of special kinds (runtime/mheap.go), 0 when the version does not have it. */
	struct {
		uint8_t finalizer, weak_handle, profile, cleanup;
	} special_kind;

	/* Numbers of funcIDs (internal/abi/symtab.go). */
	struct {
		uint8_t asyncPreempt, cgocallback, debugCallV2, sigpanic, goexit, systemstack,
			mcall, morestack, gopanic, panicwrap, runtime_main, corostart,
			runFinalizers, runCleanups,
			wrapper; /* 0xff: this release has no such one */
	} func_id;
};

/* A number of the layout, by the runtime's own names. */
enum sw_layout_what { SW_LAYOUT_OFFSET, SW_LAYOUT_SIZE, SW_LAYOUT_WIDTH };
struct sw_layout_field {
	const char *type, *member; /* member "": of the whole struct; nested ones as "stack.lo" */
	enum sw_layout_what what;  /* bytes from the struct's start, or of the struct, the member */
};

/* What decides which fields there are and where. */
struct sw_layout_release {
	unsigned minor, patch; /* Go 1.minor.patch */
	enum sw_arch arch;
	const char *experiments; /* GOEXPERIMENT: "nogreenteagc,noswissmap", NULL for none */
};

bool sw_layout_has_experiment(const struct sw_layout_release *release, const char *name);

/* Tells the number of a field; false when it does not know. */
typedef bool sw_layout_source(void *context, const struct sw_layout_field *field, uint64_t *out);

/* Fills the layout. A field that this release must have and that the source does not tell is
 * SW_ERR_UNSUPPORTED naming it. */
struct sw_error *sw_layout_fill(struct sw_layout *layout, const struct sw_layout_release *release,
				sw_layout_source *source, void *context);

/* Sources: debug information (context: struct sw_dwarf), the generated table of that release
 * (context: struct sw_layout_release). */
sw_layout_source sw_layout_from_dwarf, sw_layout_from_table;

/* The fields that a release has, one after the other: the place of the next one, 0 at the end. */
size_t sw_layout_fields(const struct sw_layout_release *release, size_t from,
			const struct sw_layout_field **out);

#endif
