/* Objects of one or more allocators as numbers: spaces, roots, marking.
 *
 * An allocator's room (go/, malloc/) describes its memory as spans of equal slots, says which
 * slots are in use and where pointers can stand, and names the roots. Everything from there on
 * is counted here, and knows nothing of allocators or languages.
 *
 * A *slot* is a place for an object; all slots of all spans are numbered, each span's first slot
 * being a multiple of 64, so that 64 slots form a *block* with a word of mark bits. An *object*
 * is a slot that the marking reached; objects are numbered densely in the order of their slots.
 */
#ifndef SW_HEAP_HEAP_H
#define SW_HEAP_HEAP_H

#include "base/bitset.h"
#include "base/parallel.h"
#include "base/vector.h"
#include "target/memory.h"

typedef uint32_t sw_slot;
typedef uint32_t sw_object;
#define SW_NO_SLOT UINT32_MAX
#define SW_NO_OBJECT UINT32_MAX
#define SW_NO_ROOT UINT32_MAX

/* Where the pointers of a span's objects stand. */
enum sw_scan {
	SW_SCAN_NONE,	/* no pointers */
	SW_SCAN_BITMAP, /* one bit per word of the span, word 0 at its base */
	SW_SCAN_TILED,	/* one mask, repeated over each object */
	SW_SCAN_LOOKUP, /* ask space->mask for each object */
	SW_SCAN_ALL,	/* every aligned word may be one (a C heap) */
};

/* A mask that repeats every `stride` bytes from `first` bytes into the object to its end, each
 * time covering `pointer_bytes` bytes with one bit per word (bit i in byte i / 8). */
struct sw_mask {
	const uint8_t *bits; /* at least (pointer_bytes / 8 + 7) / 8 bytes */
	uint64_t stride;
	uint64_t pointer_bytes;
	uint64_t first;
};

struct sw_span {
	sw_addr base;
	const uint8_t *bytes; /* count * elemsize bytes here, NULL when the target lacks them */
	uint64_t limit;	      /* bytes from base in which an address hits an object */
	uint64_t elemsize;    /* bytes of a slot */
	union {
		const uint8_t *bitmap; /* SW_SCAN_BITMAP: (count * elemsize / 8 + 7) / 8 bytes */
		const struct sw_mask *mask; /* SW_SCAN_TILED */
	};
	sw_slot first_slot;
	uint32_t count;	 /* slots */
	uint32_t divide; /* offset / elemsize == offset * divide >> 32; 0 for count 1 */
	uint8_t scan;	 /* enum sw_scan */
	uint32_t owner;	 /* the allocator's number of this span */
};

/* 64 slots. */
struct sw_block {
	uint64_t marked; /* atomic while marking */
	uint32_t rank;	 /* objects in all blocks before; set by sw_heap_number() */
	uint32_t span;
};

struct sw_space;

/* For SW_SCAN_LOOKUP: the mask of the object whose slot starts at `bytes`; false for an object
 * without pointers. Called from several threads. */
typedef bool sw_space_mask(const struct sw_space *space, const struct sw_span *span,
			   const uint8_t *bytes, struct sw_mask *out);

enum { SW_PAGE_SHIFT = 13, SW_ARENA_SHIFT = 26, SW_ADDRESS_BITS = 48 };

struct sw_space {
	struct sw_span *spans; /* in rising order of base */
	size_t span_count;
	uint32_t **arenas; /* [addr >> SW_ARENA_SHIFT] → [page in arena] → span + 1, or NULL */
	uint64_t slot_count;
	sw_space_mask *mask;
	const void *allocator; /* for mask */
};

/* A root by number; the allocator's room keeps what it is called. A group is a root that holds
 * roots (a goroutine its variables) and stands before them. */
struct sw_root {
	uint32_t group; /* the root it belongs to, SW_NO_ROOT for none */
};
SW_VECTOR(struct sw_root, sw_roots);

/* One word of a root that points to an object. */
struct sw_root_word {
	sw_addr pointer; /* into an object */
	sw_addr at;	 /* where the word stands, 0 when in a register or nowhere */
	uint32_t root;
};
SW_VECTOR(struct sw_root_word, sw_root_words);

struct sw_mark_log;

struct sw_heap {
	struct sw_space space;
	struct sw_roots roots;
	struct sw_root_words root_words;

	struct sw_block *blocks; /* slot_count / 64 */
	size_t block_count;
	uint32_t object_count;	 /* set by sw_heap_number() */
	uint64_t object_bytes;	 /* slot bytes of all objects; set by sw_heap_number() */
	uint64_t unread_objects; /* marked, but their bytes are missing; set by sw_heap_mark() */

	/* Slots whose own pointers sw_heap_mark() and sw_graph_build() leave out, a bit for each
	 * slot; NULL: none. What such an object refers to, root words say: they tell on whose
	 * behalf. Set once all is marked, it changes no mark. From sw_heap_hide(). */
	uint64_t *opaque;

	/* Where sw_heap_mark() writes down what it marks, or finds it; NULL: nowhere. Not owned. */
	struct sw_mark_log *log;
};

/* ---- building: space.c ---- */

/* Adds the spans (with base, bytes, limit, elemsize, count, scan, bitmap or mask, owner set, in
 * any order), sorts and numbers them, and allocates blocks. Spans must not overlap: SW_ERR_DAMAGED
 * names the address. SW_ERR_LIMIT for 2^32 slots or more. The array is copied. */
struct sw_error *sw_heap_init(struct sw_heap *heap, struct sw_work *work,
			      const struct sw_span *spans, size_t count);
void sw_heap_free(struct sw_heap *heap, struct sw_work *work);

/* ---- marking: mark.c ---- */

/* Marks everything that root_words reach, on all workers. May be called again after the roots
 * grew. */
struct sw_error *sw_heap_mark(struct sw_heap *heap, struct sw_work *work);

/* Numbers the marked slots: from here on they are objects. */
void sw_heap_number(struct sw_heap *heap);

/* ---- mark_log.c: marks that were found before ---- */

/* What each call of sw_heap_mark() marked, in their order. A heap that has such a log, and the same
 * slots, roots and contents, is marked from it, as long as it has calls; what is marked beyond is
 * added. */
struct sw_mark_call {
	const uint64_t *marked;	 /* [block_count]: the bits that the call set */
	uint64_t unread_objects; /* that it met */
};
SW_VECTOR(struct sw_mark_call, sw_mark_calls);

struct sw_mark_log {
	size_t block_count; /* of the heap; set by the first call that is added */
	struct sw_mark_calls calls;
	size_t given; /* of the calls: not owned, to be set first */
	size_t replayed;
};

/* For sw_heap_mark() alone: sets the marks of the next call that was given. False: there is none
 * that can be one of this heap, and none is looked at from there on. */
bool sw_mark_log_replay(struct sw_mark_log *log, struct sw_heap *heap);
/* ... the marks before a call, to be given to sw_mark_log_add() behind it, which takes them. */
struct sw_error *sw_mark_log_copy(const struct sw_heap *heap, struct sw_work *work,
				  uint64_t **before);
struct sw_error *sw_mark_log_add(struct sw_mark_log *log, const struct sw_heap *heap,
				 struct sw_work *work, uint64_t *before, uint64_t unread_objects);
void sw_mark_log_free(struct sw_mark_log *log, struct sw_work *work);

/* ---- view.c ---- */

/* Makes a slot opaque. */
struct sw_error *sw_heap_hide(struct sw_heap *heap, struct sw_work *work, sw_slot slot);
/* None is opaque any more. */
void sw_heap_unhide(struct sw_heap *heap, struct sw_work *work);
static inline bool sw_heap_is_opaque(const struct sw_heap *heap, sw_slot slot)
{
	return heap->opaque && sw_bitset_has(heap->opaque, slot);
}

/* The same slots with marks and root words of its own, none so far: for asking what would be
 * reachable from other roots. The heap must outlive the view, which sw_heap_number() may not see.
 */
struct sw_error *sw_heap_view(struct sw_heap *view, const struct sw_heap *heap,
			      struct sw_work *work);
void sw_heap_view_free(struct sw_heap *view, struct sw_work *work);
/* Objects, and their slot bytes, that are marked in the heap but not in its view. */
void sw_heap_view_lacks(const struct sw_heap *heap, const struct sw_heap *view, uint64_t *objects,
			uint64_t *bytes);

/* ---- looking up ---- */

/* The span of an address: its pages are looked up, then base and limit are checked. */
static inline const struct sw_span *sw_heap_span(const struct sw_heap *heap, sw_addr addr)
{
	if (addr >> SW_ADDRESS_BITS)
		return NULL;
	const uint32_t *pages = heap->space.arenas[addr >> SW_ARENA_SHIFT];
	if (!pages)
		return NULL;
	uint32_t number =
		pages[addr >> SW_PAGE_SHIFT & ((1 << (SW_ARENA_SHIFT - SW_PAGE_SHIFT)) - 1)];
	if (!number)
		return NULL;
	const struct sw_span *span = &heap->space.spans[number - 1];
	return addr - span->base < span->limit ? span : NULL;
}

/* The slot's index in its span; may be span->count or more for an address in a tail. */
static inline uint32_t sw_span_index(const struct sw_span *span, sw_addr addr)
{
	return (uint32_t)((addr - span->base) * span->divide >> 32);
}

/* The slot of an address anywhere inside it, or SW_NO_SLOT. */
static inline sw_slot sw_heap_slot(const struct sw_heap *heap, sw_addr addr)
{
	const struct sw_span *span = sw_heap_span(heap, addr);
	if (!span)
		return SW_NO_SLOT;
	uint32_t index = sw_span_index(span, addr);
	return index < span->count ? span->first_slot + index : SW_NO_SLOT;
}

static inline bool sw_heap_is_marked(const struct sw_heap *heap, sw_slot slot)
{
	return heap->blocks[slot / 64].marked >> (slot % 64) & 1;
}

/* The object of a marked slot. */
static inline sw_object sw_heap_rank(const struct sw_heap *heap, sw_slot slot)
{
	const struct sw_block *block = &heap->blocks[slot / 64];
	uint64_t below = block->marked & (((uint64_t)1 << (slot % 64)) - 1);
	return block->rank + (uint32_t)__builtin_popcountll(below);
}

/* The object at an address anywhere inside it; SW_NO_OBJECT when there is none or it is garbage. */
static inline sw_object sw_heap_object(const struct sw_heap *heap, sw_addr addr)
{
	sw_slot slot = sw_heap_slot(heap, addr);
	if (slot == SW_NO_SLOT || !sw_heap_is_marked(heap, slot))
		return SW_NO_OBJECT;
	return sw_heap_rank(heap, slot);
}

static inline const struct sw_span *sw_heap_slot_span(const struct sw_heap *heap, sw_slot slot)
{
	return &heap->space.spans[heap->blocks[slot / 64].span];
}

static inline sw_addr sw_heap_slot_address(const struct sw_heap *heap, sw_slot slot)
{
	const struct sw_span *span = sw_heap_slot_span(heap, slot);
	return span->base + (uint64_t)(slot - span->first_slot) * span->elemsize;
}

/* The slot of an object: a binary search over blocks. */
sw_slot sw_heap_select(const struct sw_heap *heap, sw_object object);

static inline sw_addr sw_heap_address(const struct sw_heap *heap, sw_object object)
{
	return sw_heap_slot_address(heap, sw_heap_select(heap, object));
}

/* Bytes of its slot. */
static inline uint64_t sw_heap_size(const struct sw_heap *heap, sw_object object)
{
	return sw_heap_slot_span(heap, sw_heap_select(heap, object))->elemsize;
}

/* ---- pointers of an object: scan.c (scan.h has the inlined form for hot loops) ---- */

/* Calls visit for every word of the slot that can hold a pointer and is not 0, in rising order,
 * with its offset from the slot's start; stops when it returns false. */
typedef bool sw_visit_pointer(void *context, uint64_t offset, sw_addr pointer);
void sw_heap_pointers(const struct sw_heap *heap, sw_slot slot, sw_visit_pointer *visit,
		      void *context);
/* The first word of a slot that points into an object: its offset, and the pointer. */
bool sw_heap_pointer_to(const struct sw_heap *heap, sw_slot slot, sw_object object,
			uint64_t *offset, sw_addr *pointer);

#endif
