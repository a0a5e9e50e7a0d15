/* Private to typing.c (levels), typing_claim.c (what a pointer says about an object),
 * typing_agree.c (whether the object can be that) and typing_plan.c (what to do with each pointer
 * slot of a type). */
#ifndef SW_TYPE_TYPING_PRIVATE_H
#define SW_TYPE_TYPING_PRIVATE_H

#include "type/type_private.h"

enum sw_slot_action {
	SW_SLOT_UNKNOWN,   /* unsafe.Pointer: tells nothing */
	SW_SLOT_POINTER,   /* to one `target` */
	SW_SLOT_ARRAY,	   /* to elements: `target` is a backing array */
	SW_SLOT_EFACE,	   /* data word of an interface; the word before is the type */
	SW_SLOT_IFACE,	   /* ... is the itab */
	SW_SLOT_FUNC,	   /* to a closure */
	SW_SLOT_DIRECTORY, /* maps.Map.dirPtr: to one `target`, a group, when the next word is 0,
			    * else to `other`, the directory */
	SW_SLOT_CHANNEL,   /* to a channel, whose elemtype says of what */
	SW_SLOT_CHOICE,	   /* to `target` when the first byte there is 0, else to `other` */
	SW_SLOT_REPEAT,	   /* the slots of `target`, `count` times */
};

struct sw_slot_plan {
	uint64_t offset; /* bytes from the start of the value */
	uint64_t count;	 /* SW_SLOT_REPEAT */
	sw_type target, other;
	uint8_t action;
};
SW_VECTOR(struct sw_slot_plan, sw_slot_plans);

/* What the walk must know of a type, without the table. */
struct sw_type_plan {
	uint64_t size;		/* bytes; 0: no object can be of this type */
	uint64_t pointer_bytes; /* bytes */
	uint64_t mask;		/* pointer words among the first 64 */
	const uint8_t *bits;	/* ... among all up to pointer_bytes; NULL when not known */
	uint64_t fit;		/* size of the slot that one value is allocated in */
	uint32_t first, count;	/* of plans->slots */
	sw_type header;		/* whose descriptor a malloc header holds: itself, or elem */
	sw_type array;		/* its backing array, 0 when it is none or not asked for */
	bool is_known;		/* what stands above; `first` and `count` only when is_planned */
	bool is_planned;
	bool is_exact;	/* the mask is the collector's; else it may have more bits */
	bool is_direct; /* an interface holds the value itself */
	bool is_single; /* a closure, a channel: what follows in its slot is no other one; any
			 * mask */
	bool is_struct;
	bool is_vague; /* weak wherever it comes from */
};
SW_VECTOR(struct sw_type_plan, sw_type_plan_list);

struct sw_type_plans {
	struct sw_types *types;
	const struct sw_go *go;
	struct sw_type_plan_list list; /* by type */
	struct sw_slot_plans slots;
	unsigned steps, mask_steps; /* left, of one plan, one mask */
};

/* Sizes and masks of a type; its slots too. Not for several threads. The type's plan may be read
 * as plans->list.items[type] afterwards. */
struct sw_error *sw_type_plans_know(struct sw_type_plans *plans, sw_type type);
/* ... and its array's. */
struct sw_error *sw_type_plans_know_array(struct sw_type_plans *plans, sw_type type);
struct sw_error *sw_type_plans_make(struct sw_type_plans *plans, sw_type type);
/* The slot of a type, whose plan is made, that holds a pointer at an offset; NULL when none does.
 */
const struct sw_slot_plan *sw_type_plans_slot(const struct sw_type_plans *plans, sw_type type,
					      uint64_t offset);
void sw_type_plans_free(struct sw_type_plans *plans);

/* ---- the walk ---- */

/* While walking, an object's word holds the type, how sure that is, and the level's tag: it may be
 * replaced on the same level. Tags come round after 2047 levels, which lets a later claim replace
 * one that old: still the same for any number of threads. A weak claim without a tag is parked:
 * it counts when all others have had their say. */
enum {
	SW_STATE_TYPE = SW_MAX_TYPES - 1,
	SW_STATE_WEAK = 1 << 20,
	SW_STATE_TAG_SHIFT = 21,
	SW_STATE_TAGS = 2047,

	SW_WALK_WORDS = 1 << 20, /* distinct words of a kind that are looked up */
};

/* Words of the target that name a type. */
enum sw_type_word {
	SW_WORD_DESCRIPTOR,
	SW_WORD_ITAB,
	SW_WORD_CODE,
	SW_WORD_ELEMENT, /* of a channel */
	SW_WORD_KINDS,
};

struct sw_wanted_word {
	sw_addr word;
	uint32_t kind;
};
SW_VECTOR(struct sw_wanted_word, sw_wanted_words);
SW_VECTOR(uint32_t, sw_number_list);

/* Where a pointer leads. */
struct sw_place {
	const struct sw_span *span;
	sw_slot slot;
	sw_object object;
	uint32_t index;
	uint64_t offset; /* of the pointer into the slot */
};

/* A pointer on its way: memory is asked for long before it is read. */
struct sw_pending {
	const struct sw_slot_plan *slot;
	sw_addr neighbour; /* the word beside it, where that matters */
	sw_slot from;
	struct sw_place place;
};

enum { SW_PENDING = 32, SW_GATHERED = 256, SW_RECENT = 64 };

struct sw_type_worker {
	struct sw_type_walk *walk;
	struct sw_pending pending[SW_PENDING]; /* a ring */
	unsigned pending_first, pending_count;
	sw_slot gathered[SW_GATHERED]; /* new objects, before they take places in the queue */
	unsigned gathered_count;
	struct sw_number_list deferred; /* slots to look at once more */
	struct sw_wanted_words words;
	struct sw_number_list types; /* that need a plan */
	/* Keep a worker from asking for the same thing a million times. */
	uint64_t recent_words[SW_RECENT];
	uint32_t recent_types[SW_RECENT];
	bool is_deferred; /* the claim at hand waits for a word */
	struct sw_error *error;
};

struct sw_flow;

struct sw_type_walk {
	const struct sw_heap *heap;
	const struct sw_go *go;
	struct sw_types *types;
	struct sw_work *work;
	struct sw_typing *typing; /* to count in */
	struct sw_type_plans plans;
	struct sw_flow *flow;			   /* NULL until needed */
	struct sw_number_map words[SW_WORD_KINDS]; /* type + 1 */
	uint32_t *states;			   /* [object_count] */
	sw_slot *queue;				   /* [object_count]: each enters once */
	size_t tail;				   /* atomic */
	uint32_t tag;				   /* of this level, shifted */
	uint32_t level;
	bool takes_weak; /* weak claims count at once */
	bool is_parallel;
	struct sw_type_worker *workers; /* [work->workers] */
};

static inline uint32_t sw_state_tag(uint32_t state)
{
	return state >> SW_STATE_TAG_SHIFT << SW_STATE_TAG_SHIFT;
}

static inline bool sw_span_has_header(const struct sw_span *span)
{
	return span->scan == SW_SCAN_LOOKUP || span->scan == SW_SCAN_TILED;
}

/* Can an object without a malloc header be of a type, by its size and its pointer bits? */
bool sw_type_agrees(const struct sw_type_plan *plan, const struct sw_place *place);

/* ---- typing.c ---- */
/* After a level: what workers gathered goes to the queue, what they asked for is made. */
struct sw_error *sw_type_walk_end_level(struct sw_type_walk *walk);

/* ---- typing_root.c ---- */
/* Puts numbers in rising order and drops what is there twice. */
void sw_sort_unique(uint64_t *items, size_t *count);
/* Asks the code where there is no debug information. */
struct sw_error *sw_type_walk_read_code(struct sw_type_walk *walk);
/* Asks the code what closures of a function are, where it was not read as a whole. */
struct sw_error *sw_type_walk_read_closure(struct sw_type_walk *walk, sw_addr entry);
/* Claims for all words of roots: the first level. */
struct sw_error *sw_type_walk_roots(struct sw_type_walk *walk);

/* ---- typing_claim.c ---- */
/* Claims for the pointers of an object that has a type. What other objects it leads to may stay
 * pending until sw_claims_finish(). */
void sw_claim_pointers(struct sw_type_worker *worker, sw_slot slot);
void sw_claims_finish(struct sw_type_worker *worker);
/* For one word outside the heap, at once. */
void sw_claim_word(struct sw_type_worker *worker, const struct sw_slot_plan *slot, sw_addr word,
		   sw_addr neighbour);
/* By the malloc header alone. */
void sw_claim_by_header(struct sw_type_worker *worker, const struct sw_place *place);
/* By its code alone: of an object without a type that begins with the code of a closure. */
void sw_claim_by_code(struct sw_type_worker *worker, const struct sw_place *place);
/* Makes a parked claim count. */
void sw_claim_parked(struct sw_type_worker *worker, const struct sw_place *place);
/* Moves what was gathered to the queue. */
void sw_claims_flush(struct sw_type_worker *worker);
/* Offset of the word beside a slot that says what the slot is: -8, 8 or 0 for none. */
int sw_slot_neighbour(const struct sw_slot_plan *slot);

#endif
