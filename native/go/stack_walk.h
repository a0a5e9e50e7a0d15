/* One goroutine's walk in the making, shared by unwind.c (frames), stack_start.c (where the walk
 * starts) and stack_scan.c (words). */
#ifndef SW_GO_STACK_WALK_H
#define SW_GO_STACK_WALK_H

#include "go/pclntab.h"

/* General registers without pc and sp, in no particular order, and the vector registers as the
 * kernel saved them; count 0 when none belong to the goroutine. */
struct sw_go_registers {
	sw_addr pc, sp, lr;
	uint64_t general[31];
	unsigned count;
	const uint8_t *vector; /* NULL: none; belongs to the target */
	uint64_t vector_size;  /* bytes */
	struct sw_registers by_number;
};

/* Where the innermost frame is. */
struct sw_go_stack_start {
	bool is_known; /* else only a guess or nothing: the stack as a whole is to be scanned */
	sw_addr pc, sp, lr;
	bool is_syscall;     /* from g.syscallpc and syscallsp */
	bool is_trap;	     /* stopped between any two instructions: no stack map holds */
	bool is_systemstack; /* the caller works for it on g0: its stack map does not hold either */
	struct sw_go_registers registers;
};

struct sw_go_walk {
	const struct sw_go *go;
	const struct sw_goroutine *goroutine;
	struct sw_go_stack_start start;
	struct sw_go_stack *out;

	/* The stack's bytes [low, high): in place, or a copy with zeros where the target has
	 * gaps. */
	sw_addr low, high;
	const uint8_t *bytes;
	uint8_t *copy;

	sw_addr unwalked; /* from here to high no frame is known; high when the walk was whole */
};

/* Bytes that an injected call leaves between itself and the frame it interrupted on a machine
 * with a link register: alignUp(sys.MinFrameSize, sys.StackAlign) of arm64. */
enum { SW_GO_INJECTED_BYTES = 16 };

static inline bool sw_go_uses_lr(const struct sw_go *go)
{
	return go->arch == SW_ARCH_ARM64;
}

/* sys.MinFrameSize: where the link register is saved at the frame's low end. */
static inline uint64_t sw_go_min_frame(const struct sw_go *go)
{
	return sw_go_uses_lr(go) ? 8 : 0;
}

/* Pushed by (*sigctxt).pushCall and not by a CALL: traceback.go isInjectedCall. */
static inline bool sw_go_is_injected(const struct sw_go *go, uint8_t id)
{
	return id == go->layout.func_id.sigpanic || id == go->layout.func_id.asyncPreempt ||
	       id == go->layout.func_id.debugCallV2;
}

/* The word at an address of the stack; false outside it. */
static inline bool sw_go_walk_word(const struct sw_go_walk *walk, sw_addr at, uint64_t *out)
{
	if (at < walk->low || at >= walk->high || walk->high - at < 8)
		return false;
	*out = sw_load64(walk->bytes + (at - walk->low));
	return true;
}

static inline bool sw_go_walk_holds(const struct sw_go_walk *walk, sw_addr at)
{
	return at >= walk->goroutine->stack_lo && at < walk->goroutine->stack_hi;
}

/* Warns that this goroutine's stack was not read as the runtime would; the result is partial. */
void sw_go_walk_damaged(struct sw_go_walk *walk, const char *what, sw_addr at);

/* ---- pcs that were met before: unwind.c ---- */

/* A bitmap of a stack map: one bit per word, bit i in byte i / 8. */
struct sw_go_bits {
	const uint8_t *bytes; /* NULL: there is no map, or it is damaged */
	uint32_t count;	      /* bits */
	bool is_damaged;      /* the index is outside the map, or it cannot be read */
};

/* What the tables say about a pc. */
struct sw_go_pc {
	sw_addr pc;
	struct sw_go_func func;
	bool has_func, has_delta;
	int32_t delta; /* bytes, see sw_go_func_sp_delta() */

	/* Stack maps for going on at pc (stkframe.go getStackMap); set by sw_go_pc_maps(). */
	bool has_maps;
	struct sw_go_bits args, locals;
	const uint8_t *objects; /* records of FUNCDATA_StackObjects */
	uint64_t object_count;
};

/* From the cache, or in `place` when there is none; good until the next call. */
struct sw_go_pc *sw_go_pc_find(const struct sw_go *go, sw_addr pc, struct sw_go_pc *place);
void sw_go_pc_maps(const struct sw_go *go, struct sw_go_pc *pc);

/* ---- the parts ---- */

/* stack_start.c */
void sw_go_stack_find_start(struct sw_go_walk *walk);

/* stack_scan.c: fills out->words. */
typedef bool sw_go_is_object(void *context, sw_addr pointer);
struct sw_error *sw_go_stack_scan(struct sw_go_walk *walk, sw_go_is_object *is_object,
				  void *context);

#endif
