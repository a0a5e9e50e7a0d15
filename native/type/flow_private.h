/* Private to flow.c (functions, rounds, lookups), flow_run.c (one function, with flow_run.h),
 * flow_call.c (what calls do), flow_value.c (values and places), flow_closure.c (closures alone).
 */
#ifndef SW_TYPE_FLOW_PRIVATE_H
#define SW_TYPE_FLOW_PRIVATE_H

#include "code/insn.h"
#include "go/unwind.h"
#include "type/flow.h"

/* What is known of a word: a kind in the upper 8 bits, and a number of 56 bits or a type with an
 * offset. */
typedef uint64_t sw_value;
enum sw_value_kind {
	SW_VALUE_NONE,	  /* nothing has been there yet */
	SW_VALUE_CONST,	  /* a number: of data, code, a descriptor; 0 is nil */
	SW_VALUE_STACK,	  /* an address in the frame: bytes from the caller's sp at the call */
	SW_VALUE_POINTER, /* to offset bytes into a value of the type */
	SW_VALUE_ARRAY,	  /* to offset bytes into some element of the type, a backing array */
	SW_VALUE_FUNC,	  /* to a closure */
	SW_VALUE_CHAN,	  /* to a channel */
	SW_VALUE_SLOT,	  /* what the word at the offset of a value of the type leads to */
	SW_VALUE_OBJECT,  /* to offset bytes into a receiver of a type that has no descriptor */
	SW_VALUE_FROM, /* what a place held: a variable, by its address, or see sw_flow_place() */
	SW_VALUE_ELEMENT, /* the address itself, or one some elements of an array further */
	SW_VALUE_TABLE,	  /* some word of the constant table at the address */
	SW_VALUE_UNKNOWN, /* anything */
};

enum {
	SW_FLOW_ARGS = 9,   /* in registers, cmd/compile/abi-internal.md: amd64's; arm64 has more */
	SW_FLOW_ABOVE = 64, /* words of a frame above the caller's sp that are followed, */
	SW_FLOW_BELOW = 512, /* below; of a larger frame half of them are at its low end */
	SW_FLOW_SLOTS = SW_FLOW_BELOW + SW_FLOW_ABOVE,
};

#define SW_UNKNOWN ((sw_value)SW_VALUE_UNKNOWN << 56)

static inline sw_value sw_value_number(enum sw_value_kind kind, uint64_t number)
{
	return (sw_value)kind << 56 | (number & (((uint64_t)1 << 56) - 1));
}

static inline sw_value sw_value_typed(enum sw_value_kind kind, sw_type type, uint32_t offset)
{
	return (sw_value)kind << 56 | (sw_value)type << 32 | offset;
}

static inline enum sw_value_kind sw_value_kind(sw_value value)
{
	return (enum sw_value_kind)(value >> 56);
}

/* Of CONST, STACK, FROM. */
static inline int64_t sw_value_signed(sw_value value)
{
	return (int64_t)(value << 8) >> 8;
}

static inline sw_type sw_value_type(sw_value value)
{
	return (sw_type)(value >> 32 & 0xffffff);
}

static inline uint32_t sw_value_offset(sw_value value)
{
	return (uint32_t)value;
}

static inline bool sw_value_is_typed(sw_value value)
{
	enum sw_value_kind kind = sw_value_kind(value);
	return kind == SW_VALUE_POINTER || kind == SW_VALUE_ARRAY || kind == SW_VALUE_FUNC ||
	       kind == SW_VALUE_CHAN || kind == SW_VALUE_SLOT;
}

/* What is known of a place, and when it changed last. */
struct sw_known_value {
	sw_value value;
	uint32_t changed; /* by flow->clock */
};
SW_MAP(struct sw_known_value, sw_value_map);

static inline sw_value sw_value_map_get(const struct sw_value_map *map, uint64_t key)
{
	const struct sw_known_value *known = sw_value_map_find(map, key);
	return known ? known->value : SW_VALUE_NONE;
}

static inline uint32_t sw_value_map_changed(const struct sw_value_map *map, uint64_t key)
{
	const struct sw_known_value *known = sw_value_map_find(map, key);
	return known ? known->changed : 0;
}

/* A place that is no variable: an argument or a result of a function, a field of an object, the
 * result of one call. */
enum {
	SW_FLOW_PLACE_ARG = 1,
	SW_FLOW_PLACE_RESULT,
	SW_FLOW_PLACE_FIELD,
	SW_FLOW_PLACE_SITE,    /* by pc: the result of one call */
	SW_FLOW_PLACE_CAPTURE, /* a field of a function's closure */
};

static inline sw_value sw_flow_place(unsigned kind, uint32_t function, unsigned number)
{
	return sw_value_number(SW_VALUE_FROM,
			       (uint64_t)kind << 48 | (uint64_t)function << 8 | number);
}

/* Of a closure's field at an offset below 1 << 16. */
static inline uint64_t sw_flow_capture(uint32_t function, uint64_t offset)
{
	return (uint64_t)SW_FLOW_PLACE_CAPTURE << 48 | (uint64_t)function << 16 | offset;
}

/* What a function of the runtime does with types (flow_call.c). */
enum sw_flow_rule {
	SW_RULE_NONE,
	SW_RULE_SKIP,	     /* assembly: not read */
	SW_RULE_NEW,	     /* (type) *T */
	SW_RULE_MALLOC,	     /* (size, type) *T, or some of them */
	SW_RULE_SLICE,	     /* (elem, …) []T */
	SW_RULE_GROW,	     /* (old, …, elem) []T; until 1.19 (elem, old, …) */
	SW_RULE_STRING,	     /* (…) string */
	SW_RULE_SITE,	     /* () something that its use tells */
	SW_RULE_MAP,	     /* (map type, …) map */
	SW_RULE_CHAN,	     /* (chan type, …) chan */
	SW_RULE_CHAN_USE,    /* (chan, …) */
	SW_RULE_CHAN_SECOND, /* (elem, chan, …) */
	SW_RULE_MAP_ELEM,    /* (map type, map, …) *elem */
	SW_RULE_MAP_USE,     /* (map type, map, …) */
	SW_RULE_MAP_ITER,    /* (map type, map, *iterator) */
	SW_RULE_MOVE,	     /* (type, to, from) */
	SW_RULE_STORE,	     /* (address, value) */
	SW_RULE_STORE_THIRD, /* (address, old, value) */
	SW_RULE_BARRIER,     /* changes no register that counts */
	SW_RULE_DUFF,	     /* fills memory at a register */
	SW_RULE_NO_RETURN,
};

struct sw_flow_function {
	sw_addr entry, end;
	const char *name;
	uint8_t rule;
	sw_type receiver;   /* T of a method of *T */
	uint32_t object;    /* number of such a T that has no descriptor, 0: none */
	sw_addr dictionary; /* of generic code with these type arguments, 0 */
	sw_value context;   /* what the closure register holds at its start */
	sw_value args[SW_FLOW_ARGS], results[SW_FLOW_ARGS];
	uint32_t args_changed, results_changed; /* by flow->clock */
	uint32_t ran;				/* 0: not yet */
	uint32_t source_count;
	size_t first_source; /* of flow->sources: what it depends on */
};
SW_VECTOR(struct sw_flow_function, sw_flow_functions);

/* A word of a frame, or the elements of an array there. */
struct sw_flow_local {
	sw_addr site;
	int64_t offset, end;
	sw_value value;
};
SW_VECTOR(struct sw_flow_local, sw_flow_locals);

/* A variable whose type has no descriptor. */
struct sw_flow_object {
	sw_addr addr;
	uint32_t number;
};
SW_VECTOR(struct sw_flow_object, sw_flow_objects);

/* A value that came from one place was stored in another: both hold the same type. */
struct sw_flow_link {
	uint64_t from, to;
};
SW_VECTOR(struct sw_flow_link, sw_flow_links);
SW_VECTOR(uint64_t, sw_flow_sources); /* places, as in FROM */

/* A function whose code has the address of another one. */
struct sw_flow_maker {
	sw_addr entry;
	uint32_t function; /* index */
};
SW_VECTOR(struct sw_flow_maker, sw_flow_makers);

struct sw_flow {
	const struct sw_go *go;
	struct sw_types *types;
	struct sw_type_plans *plans;
	struct sw_work *work;
	struct sw_flow_sites sites;
	struct sw_flow_functions functions; /* in rising order of entry within a module */
	struct sw_number_map by_entry;	    /* index + 1 */
	struct sw_number_map by_name;	    /* the same, of hashes: for closures alone */
	struct sw_flow_makers makers;	    /* by entry, then function: the same */
	bool has_names, has_makers;
	struct sw_number_map by_dictionary;  /* the same, of entry and dictionary */
	struct sw_number_map object_numbers; /* of receivers' names and dictionaries */
	struct sw_value_map fields;	     /* of objects, by place */
	struct sw_flow_objects objects;
	struct sw_flow_links links;
	struct sw_number_map link_seen;
	struct sw_number_map object_seen;  /* pairs that are in objects */
	struct sw_value_map spreads;	   /* of elements of arrays, by the first one's address */
	struct sw_flow_sources references; /* addresses of variables in code, sorted */
	struct sw_value_map globals;	   /* by address: what code says of the word there */
	struct sw_number_map closures;	   /* entry → struct type; SW_MAX_TYPES: contradicting */
	struct sw_flow_locals locals;	   /* sorted at the end */
	struct sw_flow_sources sources;
	uint32_t clock;		/* counts changes of places */
	uint64_t region_budget; /* words of variables that may still be told by their whole */
	bool is_noting_sources, is_recording_locals;
	struct sw_flow_run *run;
	const struct sw_flow_function *running; /* of whose copy the code is read */
	struct sw_error *error;
};

/* What is known at one place of a function. Vector registers are forgotten wherever ways meet: they
 * only carry copies from here to there. */
struct sw_flow_state {
	sw_value vectors[2][SW_REG_COUNT - SW_REG_VECTOR]; /* lower and upper halves */
	sw_value regs[SW_REG_VECTOR];
	int64_t sp;	    /* bytes from the caller's sp at the call */
	int64_t frame_low;  /* the same of the lowest one, with all of the frame */
	uint32_t low, high; /* slots in use */
	bool is_blank;	    /* the code is reached in a way that is not known */
	bool has_vectors;   /* something is known of vector registers */
	sw_value slots[SW_FLOW_SLOTS];
};

/* ---- flow_value.c ---- */
sw_value sw_value_join(sw_value a, sw_value b);
/* What a pointer slot of a type's plan leads to. */
sw_value sw_value_of_slot(const struct sw_flow *flow, sw_type type,
			  const struct sw_slot_plan *slot);
/* The other way; false when it says nothing. */
bool sw_value_slot(const struct sw_flow *flow, sw_value value, struct sw_slot_plan *out);
/* Is it a struct that the compiler makes for a function and what it captures? */
bool sw_flow_is_closure(const struct sw_flow *flow, sw_type type);
/* The word at an offset behind a value that is an address. */
/* A pointer to a value of the type, an array of it; UNKNOWN for 0 and for what the runtime takes
 * any map for. */
sw_value sw_value_pointer_to(struct sw_flow *flow, sw_type type);
sw_value sw_value_array_of(struct sw_flow *flow, sw_type elem);
/* What a place holds; FROM when that is not known. */
sw_value sw_flow_load_place(struct sw_flow *flow, uint64_t place);
sw_value sw_flow_load_element(struct sw_flow *flow, sw_addr addr);
sw_value sw_flow_load(struct sw_flow *flow, sw_value address, int64_t offset, bool is_indexed);
/* Two things said of one place. */
sw_value sw_value_meet(struct sw_flow *flow, sw_value a, sw_value b);
void sw_flow_link(struct sw_flow *flow, uint64_t from, uint64_t to);
void sw_flow_say_links(struct sw_flow *flow);
/* What is known of a place. */
sw_value sw_flow_place_value(const struct sw_flow *flow, uint64_t place);
/* The function at hand depends on a place. */
void sw_flow_note_source(struct sw_flow *flow, uint64_t place);
/* What the pointer that a value came from leads to. */
void sw_flow_say_origin(struct sw_flow *flow, sw_value from, sw_value value);
void sw_flow_say_global(struct sw_flow *flow, sw_addr addr, sw_value value);
void sw_flow_say_field(struct sw_flow *flow, sw_value object, int64_t offset, sw_value value);
/* 0: none. */
uint64_t sw_flow_field_place(sw_value object, int64_t offset);
/* Elements of the array at an address. */
void sw_flow_say_spread(struct sw_flow *flow, sw_addr addr, sw_value value);
/* A value of the type stands at the address. */
void sw_flow_say_region(struct sw_flow *flow, sw_addr addr, sw_type type);
/* A value was stored where a pointer of a type belongs. */
void sw_flow_say_target(struct sw_flow *flow, sw_value pointer, sw_value value);
/* An object stands there; what is known of its fields is told by sw_flow_say_objects(). */
void sw_flow_say_object(struct sw_flow *flow, sw_addr addr, uint32_t number);
void sw_flow_say_objects(struct sw_flow *flow);
/* Is the address one of data or bss? */
bool sw_flow_is_variable(const struct sw_flow *flow, sw_addr addr);
sw_type sw_flow_type_at(struct sw_flow *flow, sw_value value); /* a descriptor's, 0: none */
/* In generic code until Go 1.20 what the running copy of the function takes a type for. */
sw_type sw_flow_unshape(struct sw_flow *flow, sw_type type);
/* Does an interface have such a first word? */
bool sw_flow_is_type_word(struct sw_flow *flow, sw_value value);
void sw_flow_fail(struct sw_flow *flow, struct sw_error *error);

/* ---- flow_call.c ---- */
uint8_t sw_flow_rule_of(const struct sw_go *go, const char *name);
const uint8_t *sw_flow_arg_registers(enum sw_arch arch);
/* The effect of a call on the state; false when it does not come back. `next` is where it does. */
bool sw_flow_call(struct sw_flow *flow, struct sw_flow_state *state, sw_addr target, sw_addr next,
		  bool is_recording);
/* The function returns with this state: its results. */
void sw_flow_return(struct sw_flow *flow, struct sw_flow_function *function,
		    const struct sw_flow_state *state);
void sw_flow_lose_vectors(const struct sw_flow *flow, struct sw_flow_state *state);
struct sw_flow_function *sw_flow_find(struct sw_flow *flow, sw_addr entry);
struct sw_flow_function *sw_flow_instance(struct sw_flow *flow, struct sw_flow_function *function,
					  sw_addr dictionary);
bool sw_flow_add_variable(struct sw_flow *flow, sw_value *place, uint64_t key, sw_value value);
/* The number of a receiver's type: by its name up to the method's, and the dictionary. */
uint32_t sw_flow_object_number(struct sw_flow *flow, uint64_t key);
void sw_flow_set_object(struct sw_flow *flow, struct sw_flow_function *function);

/* ---- flow_run.c ---- */
struct sw_error *sw_flow_run_create(struct sw_flow *flow);
void sw_flow_run_free(struct sw_flow *flow);
void sw_flow_run(struct sw_flow *flow, struct sw_flow_function *function);
/* Does the steps of a straight piece of code, up to where it returns. */
void sw_flow_run_inline(struct sw_flow *flow, sw_addr start, sw_addr end);
/* Makes the types known whose descriptors the function names, and adds to references. */
void sw_flow_find_references(struct sw_flow *flow, struct sw_flow_function *function);
/* Calls visit with every address that the function's code puts together. */
void sw_flow_each_reference(struct sw_flow *flow, struct sw_flow_function *function,
			    void (*visit)(struct sw_flow *flow, sw_addr addr));

/* ---- flow_closure.c ---- */
void sw_flow_tell_closure(struct sw_flow *flow, sw_addr entry);

/* ---- flow_run.c ---- */
/* A word of the frame by its place in struct sw_flow_state; SW_FLOW_SLOTS: not followed. */
static inline uint32_t sw_flow_slot(int64_t frame_low, int64_t offset)
{
	int64_t at = offset >> 3, half = SW_FLOW_BELOW / 2;
	if (at < -half && frame_low < -8 * SW_FLOW_BELOW) {
		at = (offset - frame_low) >> 3;
		return offset & 7 || at < 0 || at >= half ? SW_FLOW_SLOTS : (uint32_t)at;
	}
	at += SW_FLOW_BELOW;
	return offset & 7 || at < 0 || at >= SW_FLOW_SLOTS ? SW_FLOW_SLOTS : (uint32_t)at;
}

static inline int64_t sw_flow_slot_offset(int64_t frame_low, uint32_t slot)
{
	if (slot < SW_FLOW_BELOW / 2 && frame_low < -8 * SW_FLOW_BELOW)
		return frame_low + 8 * (int64_t)slot;
	return 8 * ((int64_t)slot - SW_FLOW_BELOW);
}

/* A value is stored at an address. */
void sw_flow_store(struct sw_flow *flow, sw_value address, sw_value value);
void sw_flow_set_slot(struct sw_flow_state *state, int64_t offset, sw_value value);

#endif
