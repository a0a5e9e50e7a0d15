/* pclntab.c and unwind.c: functions by pc, and the pointer slots of a goroutine's stack exactly as
 * the collector would find them (runtime/stack.go, stkframe.go, traceback.go, mgcmark.go). */
#ifndef SW_GO_UNWIND_H
#define SW_GO_UNWIND_H

#include "go/runtime.h"

/* A function of a module's pclntab. */
struct sw_go_func {
	const struct sw_go_module *module;
	const uint8_t *bytes; /* its _func, with `available` readable bytes from there */
	uint64_t available;
	sw_addr entry;
	int32_t args; /* bytes, INT32_MIN (0x80000000): unknown */
	uint32_t deferreturn;
	uint8_t id, flag;
};

/* False when no function covers the pc. */
bool sw_go_find_func(const struct sw_go *go, sw_addr pc, struct sw_go_func *out);

/* "main.(*parser).line"; belongs to the target's memory; "?" when it is damaged. */
const char *sw_go_func_name(const struct sw_go_func *func);

/* Source file and line of a pc (physical function, no inlining); false when unknown. The file
 * belongs to the target's memory. */
bool sw_go_func_line(const struct sw_go *go, const struct sw_go_func *func, sw_addr pc,
		     const char **file, int32_t *line);

enum sw_go_word_kind {
	SW_GO_WORD_PRECISE,	 /* a pointer by stack map, stack object or register map */
	SW_GO_WORD_CONSERVATIVE, /* a word that may be a pointer */
	SW_GO_WORD_DEFER,	 /* fn, link or the record of a deferred call */
	SW_GO_WORD_CTXT,	 /* sched.ctxt */
};

/* One word of a goroutine's stack (or a register) that holds a pointer which is not 0. */
struct sw_go_stack_word {
	enum sw_go_word_kind kind;
	sw_addr pointer;
	sw_addr at;	/* where it stands, 0 for a register */
	uint32_t frame; /* index into the frames, UINT32_MAX for none */
};
SW_VECTOR(struct sw_go_stack_word, sw_go_stack_words);

struct sw_go_frame {
	struct sw_go_func func;
	sw_addr pc;	  /* as the walk found it: a return address but for the first frame */
	sw_addr continpc; /* where it would go on, 0: nowhere, nothing in it is live */
	sw_addr sp, fp;	  /* fp: the caller's sp at the call, on amd64 the CFA of Go's DWARF */
	sw_addr varp, argp;
	bool is_conservative; /* asyncPreempt, debugCall, their callers, the frame a signal stopped
			       */
	bool is_call;	      /* pc is a return address: look its line and map up at pc - 1 */
};
SW_VECTOR(struct sw_go_frame, sw_go_frames);

struct sw_go_stack {
	struct sw_go_frames frames;	/* innermost first */
	struct sw_go_stack_words words; /* of heap pointers only when collected for a heap */
	bool is_partial;		/* the walk ended early; a warning says why */
};

/* Walks one goroutine: frames always; words when `words` is true: every non-zero pointer word
 * that a collection which starts now would take from it and that does not point into this very
 * stack (those select stack objects). Precise words may point anywhere. Conservative ones are kept
 * only when is_object(context, pointer) says that an allocated object is there. A damaged stack
 * gives what could be walked, is_partial, and a warning in go->warnings. Not for several threads
 * at once (warnings). */
struct sw_error *sw_go_unwind(const struct sw_go *go, const struct sw_goroutine *goroutine,
			      bool words, bool (*is_object)(void *context, sw_addr pointer),
			      void *context, struct sw_go_stack *out);
void sw_go_stack_free(struct sw_go_stack *stack);

/* The registers of the thread that a goroutine is on, as of before any signal that it handles. The
 * goroutine need not be at their pc: the thread may work on another stack. False when there is no
 * thread, or they are not known. */
bool sw_go_registers_of(const struct sw_go *go, const struct sw_goroutine *goroutine,
			struct sw_registers *out);

/* What is known of pcs that were met: go->pc_cache. Without one every walk looks everything up
 * again. About 900 KB. */
struct sw_error *sw_go_pc_cache_create(struct sw_go_pc_cache **out);
void sw_go_pc_cache_free(struct sw_go_pc_cache *cache);

#endif
