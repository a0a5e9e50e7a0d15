/* One Go runtime in a target's memory: modules, spans, goroutines, roots; what heap/ counts.
 *
 * Facts about Go are from its source, src/runtime of the releases named beside them, 1.22–1.27
 * where nothing is named.
 */
#ifndef SW_GO_RUNTIME_H
#define SW_GO_RUNTIME_H

#include "base/warning.h"
#include "go/layout.h"
#include "heap/heap.h"
#include "image/dwarf.h"
#include "image/image.h"
#include "target/target.h"

/* runtime.moduledata, the fields that matter, with run-time addresses. */
struct sw_go_module {
	sw_addr address; /* of the moduledata */
	sw_addr text, etext;
	sw_addr data, edata, bss, ebss; /* scanned by the collector */
	sw_addr noptrdata, enoptrdata, noptrbss, enoptrbss;
	sw_addr types, etypes;
	sw_addr rodata, gofunc;
	const uint8_t *pclntable; /* in place; pcln_size bytes */
	uint64_t pclntable_size;
	const uint8_t *funcnametab, *pctab, *filetab, *cutab;
	uint64_t funcnametab_size, pctab_size, filetab_size, cutab_size;
	const uint8_t
		*ftab; /* ftab_count entries {entryoff u32, funcoff u32}; the last is a sentinel */
	uint64_t ftab_count;
	/* The text in several sections: {offset, end of offsets, address} in words, offsets being
	 * those of ftab. One section or none: the text is in one piece. */
	const uint8_t *textsectmap;
	uint64_t textsect_count;
	sw_addr gcdatamask, gcbssmask; /* bit vectors: one bit per word */
	uint64_t gcdata_bits, gcbss_bits;
};
SW_VECTOR(struct sw_go_module, sw_go_modules);

/* runtime.mspan, read once. */
enum sw_go_span_state { SW_GO_SPAN_DEAD, SW_GO_SPAN_IN_USE, SW_GO_SPAN_MANUAL };
struct sw_go_span {
	sw_addr address; /* of the mspan */
	sw_addr base;
	uint64_t npages;   /* of 8192 bytes */
	uint64_t elemsize; /* bytes */
	uint64_t limit;	   /* address */
	uint32_t nelems, freeindex;
	uint32_t made; /* slots in use below it have been filled: freeIndexForScan */
	uint32_t sweepgen;
	uint16_t alloc_count;
	uint8_t spanclass; /* size class << 1 | noscan */
	uint8_t state;
	bool is_user_arena;
	bool is_swept;		     /* by the rules of mheap.sweepgen */
	bool has_inline_marks;	     /* Green Tea: the last 128 bytes hold mark bits */
	const uint8_t *alloc_bits;   /* (nelems + 63) / 64 words, NULL when not readable */
	const uint8_t *mark_bits;    /* the same, of gcmarkBits */
	const uint8_t *inline_marks; /* Green Tea: marks[63] of the span's end, or NULL */
	sw_addr specials;
	sw_addr large_type;
};
SW_VECTOR(struct sw_go_span, sw_go_spans);

enum sw_go_status {
	SW_GO_IDLE = 0,
	SW_GO_RUNNABLE = 1,
	SW_GO_RUNNING = 2,
	SW_GO_SYSCALL = 3,
	SW_GO_WAITING = 4,
	SW_GO_DEAD = 6,
	SW_GO_COPYSTACK = 8,
	SW_GO_PREEMPTED = 9,
	SW_GO_LEAKED = 10,     /* 1.26 */
	SW_GO_DEAD_EXTRA = 11, /* 1.26 */
};

struct sw_goroutine {
	sw_addr address; /* of the g */
	uint64_t goid;
	uint32_t status; /* enum sw_go_status, the scan bit masked off */
	uint8_t wait_reason;
	sw_addr stack_lo, stack_hi;
	sw_addr sched_pc, sched_sp, sched_lr, sched_bp, sched_ctxt;
	sw_addr syscall_pc, syscall_sp; /* 0: not in a system call */
	sw_addr m;			/* 0: on no thread */
	sw_addr gopc, startpc;
	uint64_t parent_goid;	/* the one that made it; 0: unknown (until 1.20) or none */
	int64_t waitsince;	/* nanotime about when it was seen waiting, 0: not yet */
	sw_addr waiting;	/* sudogs it is on, linked by waitlink; 0: none */
	sw_addr labels;		/* runtime/pprof's labelMap; 0: none */
	sw_addr lockedm;	/* LockOSThread; 0: not locked */
	sw_addr defers, panics; /* _defer, _panic */
	uint32_t root;		/* its group in go->roots; SW_NO_ROOT until they are collected */
	const struct sw_thread
		*thread; /* that runs it, when it is on a thread and registers are known */
};
SW_VECTOR(struct sw_goroutine, sw_goroutines);

enum sw_go_root_kind {
	SW_GO_ROOT_GLOBAL,    /* a variable of data or bss */
	SW_GO_ROOT_GOROUTINE, /* group: all of a goroutine's stack */
	SW_GO_ROOT_LOCAL,     /* in a goroutine: a variable or slot of a frame */
	SW_GO_ROOT_FINALIZER, /* what a finalizer and its object refer to */
	SW_GO_ROOT_CLEANUP,
	SW_GO_ROOT_WEAK,    /* the handle box of a weak pointer */
	SW_GO_ROOT_QUEUE,   /* finalizers and cleanups that wait to run */
	SW_GO_ROOT_TINY,    /* a P's current tiny block */
	SW_GO_ROOT_RUNTIME, /* group: all globals of the runtime itself */
};

/* What a root is called, by the number it has in heap->roots. */
struct sw_go_root {
	enum sw_go_root_kind kind;
	char *name;	      /* "main.sessions", "goroutine 42", "main.serve: req"; owned */
	const char *used_by;  /* a function that uses a variable without a name, else NULL */
	sw_addr address;      /* of the variable, the goroutine, the special; 0 */
	sw_addr object;	      /* FINALIZER, CLEANUP: whose end it waits for; 0 when that has come */
	uint64_t size;	      /* bytes of the variable, 0 when unknown */
	sw_dwarf_type type;   /* of the variable, 0 when unknown */
	uint64_t type_offset; /* bytes of the variable before `address` (a piece of a local) */
	sw_addr pc, fp;	      /* of the frame that the local is in; 0 */
	bool is_call;	      /* pc is a return address */
	bool may_be_data;     /* of an interface: the word before it in the frame is no pointer */
};
SW_VECTOR(struct sw_go_root, sw_go_roots);

/* Addresses of the runtime's variables in the target. */
struct sw_go_globals {
	sw_addr firstmoduledata, mheap_, allgs, allp, gcController, memstats, gcphase, allfin;
	sw_addr gcCleanups;  /* 1.25 */
	sw_addr sched, allm; /* sw_go_find_scheduler(); 0: not looked for, or not found */
};

struct sw_go {
	struct sw_target *target;
	const struct sw_memory *memory; /* of the target, with the image's pages */
	struct sw_image *image;
	struct sw_dwarf *dwarf; /* NULL without debug information */
	struct sw_work *work;
	struct sw_warnings *warnings;
	enum sw_arch arch;

	char *version;	/* runtime.buildVersion: "go1.26.8", experiments with it */
	unsigned minor; /* 26 */
	struct sw_layout_release release;
	struct sw_layout layout;
	struct sw_go_modules modules;
	struct sw_go_globals globals; /* addresses of the runtime's own variables */

	uint32_t sweepgen; /* mheap_.sweepgen */
	uint32_t gcphase;  /* 0 off, 1 mark, 2 mark termination */
	bool is_green_tea;
	struct sw_go_spans spans; /* allspans without the dead ones */
	struct sw_goroutines goroutines;
	struct sw_go_roots roots;
	struct sw_go_waits *waits; /* wait.h; NULL until holders are collected */

	const char *wait_reasons; /* wait_reason.c; NULL: not read */
	uint32_t wait_reason_count;
	struct sw_go_pc_cache *pc_cache;      /* unwind.c; NULL: none */
	struct sw_go_built_mask *built_masks; /* atomic list: pointer_map.c */
	struct sw_go_kept *kept;	      /* list of what sw_go_keep() gave */
	uint64_t damaged_masks; /* atomic: objects whose type could not be read while marking */
};

/* ---- discover.c ---- */
/* Version, layouts, modules, heap, goroutines; not the roots. SW_ERR_FORMAT when the target is
 * no Go program, SW_ERR_UNSUPPORTED for a version that is not known. */
struct sw_error *sw_go_open(struct sw_target *target, struct sw_image *image, struct sw_work *work,
			    struct sw_warnings *warnings, struct sw_go **out);
void sw_go_close(struct sw_go *go);

/* ---- version.c, module_search.c, module.c, globals.c: the steps of discovery ---- */
/* go->version, minor and release. */
struct sw_error *sw_go_read_version(struct sw_go *go);
/* go->globals.firstmoduledata: by its symbol, else as what points to the header of the function
 * tables and is as the runtime itself checks it. Needs the layout. SW_ERR_UNSUPPORTED, with the
 * field that does not fit, when there is no such place or a second one. */
struct sw_error *sw_go_find_first_module(struct sw_go *go);
/* go->modules. Needs the first module. */
struct sw_error *sw_go_read_modules(struct sw_go *go);
/* The other go->globals: each by its symbol, else where the functions that use it have it and where
 * it holds what it must. allfin or gcCleanups is 0 when several places remain and the word that
 * begins such a list is nil in each of them: nothing is queued then. Needs the modules.
 * SW_ERR_UNSUPPORTED with the variable and what does not fit. */
struct sw_error *sw_go_find_globals(struct sw_go *go);
/* go->globals.sched and allm, when they are not known yet. What cannot be found stays 0, and the
 * warning "no_sched" or "no_allm" tells why. Needs the goroutines. */
struct sw_error *sw_go_find_scheduler(struct sw_go *go, struct sw_warnings *warnings);
/* The module whose text holds a pc, or NULL. */
const struct sw_go_module *sw_go_module_of_pc(const struct sw_go *go, sw_addr pc);

/* ---- span.c, pointer_map.c ---- */
struct sw_error *sw_go_read_spans(struct sw_go *go);
/* Takes out of two spans on one page the one that is not in the runtime's map; it counts as dead.
 */
struct sw_error *sw_go_drop_overlapping_spans(struct sw_go *go);
/* Is slot `index` in use, by the rules a collection that starts now would see? A swept span:
 * below freeindex or in allocBits; an unswept one: marked. */
bool sw_go_span_is_live(const struct sw_go_span *span, uint32_t index);
/* ... and without regard to sweeping: allocated since it was last free. */
bool sw_go_span_is_allocated(const struct sw_go_span *span, uint32_t index);
/* ... handed out by malloc, which has not filled it yet: it may hold what was freed there. */
bool sw_go_span_is_in_the_making(const struct sw_go_span *span, uint32_t index);
/* ... marked by the collection that runs or ran last, when the span is not swept since. */
bool sw_go_span_is_marked(const struct sw_go_span *span, uint32_t index);
/* Does the runtime's own map, heapArena.spans, lead to the span from its first and last page? */
bool sw_go_span_is_mapped(const struct sw_go *go, const struct sw_go_span *span);
/* The spans as heap/ wants them, and its lookup of masks. */
struct sw_error *sw_go_build_space(struct sw_go *go, struct sw_heap *heap);
/* The pointer mask of a type descriptor (Size_, PtrBytes, GCData), also one that the runtime
 * would build on demand. False for a type that is damaged or has no pointers. Safe for several
 * threads; the mask lives as long as go. */
bool sw_go_type_mask(const struct sw_go *go, sw_addr type, struct sw_mask *out);
/* Bytes before a value that name its type, in spans of larger objects since Go 1.22
 * (runtime/mbitmap.go mallocHeaderSize). */
enum { SW_GO_MALLOC_HEADER = 8 };
static inline uint64_t sw_go_header(const struct sw_span *span)
{
	return span->scan == SW_SCAN_LOOKUP ? SW_GO_MALLOC_HEADER : 0;
}

/* heap's sw_space_mask: the malloc header of an object of more than 512 bytes. */
bool sw_go_object_mask(const struct sw_space *space, const struct sw_span *span,
		       const uint8_t *bytes, struct sw_mask *out);
/* Zeroed memory, or a copy of a mask, that lives as long as go. Not for several threads. */
struct sw_error *sw_go_keep(struct sw_go *go, uint64_t size, void *out);
struct sw_error *sw_go_keep_mask(struct sw_go *go, const struct sw_mask *mask,
				 const struct sw_mask **out);
void sw_go_free_kept(struct sw_go *go);

/* ---- goroutine.c ---- */
struct sw_error *sw_go_read_goroutines(struct sw_go *go);
/* The thread of an m, NULL when the target has none or its registers are out of date. */
const struct sw_thread *sw_go_thread_of(const struct sw_go *go, sw_addr m);

/* ---- layout_check.c ---- */
/* SW_ERR_UNSUPPORTED naming a field where the spans or goroutines contradict a layout that is not
 * from debug information. */
struct sw_error *sw_go_check_layout(struct sw_go *go);
/* That error: "the structures of this program are not those of go1.26.11: …". */
struct sw_error *sw_go_layout_misfit(const struct sw_go *go, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- root.c ---- */
/* Every root of a collection that starts now, with names: heap->roots, heap->root_words and
 * go->roots, which share their numbers. All that they reach is marked. */
struct sw_error *sw_go_collect_roots(struct sw_go *go, struct sw_heap *heap);
/* What goroutines wait for (go->waits), and roots that tell on whose behalf the runtime holds what
 * it holds; the slots of which they tell become opaque. Once, when all is marked: no mark changes.
 * Who only asks what is live can do without. An error leaves the roots as they were. */
struct sw_error *sw_go_collect_holders(struct sw_go *go, struct sw_heap *heap);
/* Undoes both in go: they can be collected again. */
void sw_go_forget_roots(struct sw_go *go);

#endif
