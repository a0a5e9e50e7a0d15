/* What the runtime keeps to do when objects die: finalizers and cleanups (runtime/mfinal.go;
 * mcleanup.go from 1.24 on), set or waiting to run, and the weak pointers (weak, 1.24; in package
 * unique 1.23) that it has to clear. */
#ifndef SW_LIBRARY_FINALIZER_H
#define SW_LIBRARY_FINALIZER_H

#include "base/map.h"
#include "view/live.h"

enum sw_finalizer_kind { SW_FINALIZER, SW_CLEANUP, SW_WEAK_POINTER, SW_FINALIZER_KINDS };

enum sw_finalizer_state {
	SW_FINALIZER_SET,	  /* the program reaches its object */
	SW_FINALIZER_UNREACHABLE, /* it does not: a collection queues it, once no object with a
				   * finalizer of its own leads to it */
	SW_FINALIZER_QUEUED,	  /* waits to run, or runs */
	SW_FINALIZER_LOST,	  /* nor will a collection ever queue it: its object keeps itself
				   * alive */
	SW_FINALIZER_STATES
};

/* One of them. */
struct sw_finalizer {
	uint8_t kind, state;
	sw_addr object_address; /* 0: of a queued cleanup nothing tells */
	sw_object object;	/* SW_NO_OBJECT: not live */
	sw_type type;		/* of the object: what SetFinalizer was given; of others what is
				 * known of the object; 0 unknown */
	sw_addr entry;		/* of the program's function; 0 unknown, or a weak pointer */
	sw_addr function;	/* func value that is called: of a finalizer or cleanup */
	sw_addr argument;	/* box of a cleanup's argument (1.26); 0: none */
	uint32_t root;		/* in go->roots; SW_NO_ROOT for a queued one */

	/* What keeps the object from ever being freed: */
	bool is_cycle;		  /* a finalizer: what the object refers to leads back to it */
	bool is_held_by_function; /* its function or argument leads to the object */
	uint32_t component;	  /* equal for objects that hold each other; 0: no such */
};
SW_VECTOR(struct sw_finalizer, sw_finalizer_list);

/* Does its object keep itself alive? */
static inline bool sw_finalizer_is_never(const struct sw_finalizer *finalizer)
{
	return finalizer->is_cycle || finalizer->is_held_by_function;
}

/* Weak pointers that the program has, of one type. Equal ones share a handle. */
struct sw_weak_pointers {
	sw_type type;		/* weak.Pointer[T] */
	uint64_t handles, dead; /* dead: what it pointed to is gone */
};
SW_VECTOR(struct sw_weak_pointers, sw_weak_list);

SW_MAP(sw_object, sw_finalizer_roots);

struct sw_finalizers {
	struct sw_finalizer_list list; /* by kind and address of the object */
	struct sw_weak_list weak;
	uint64_t lost_objects, lost_bytes; /* that would be free without the lost ones */
	struct sw_finalizer_roots objects; /* private: by root + 1, those of live objects */
};

/* Damage was counted in go->warnings when roots were collected; what is damaged is left out. */
struct sw_error *sw_finalizers_find(const struct sw_live *live, struct sw_finalizers *out);
void sw_finalizers_free(struct sw_finalizers *finalizers);

/* finalizer_cycle.c: sets is_cycle, is_held_by_function, component, the state LOST, and what the
 * lost ones hold. */
struct sw_error *sw_finalizers_find_cycles(const struct sw_live *live, struct sw_finalizers *list);
/* The shortest way from an object back to itself, over what has the same component: the object
 * first and last. A step over a finalizer's or cleanup's function goes over its root. Freed by
 * sw_path_free(); empty when there is none, or when it was not found in *steps: as many references
 * are looked at, and taken from it. */
struct sw_error *sw_finalizer_cycle(const struct sw_live *live,
				    const struct sw_finalizers *finalizers, size_t number,
				    uint64_t *steps, struct sw_path *out);

/* ---- who runs them ---- */

struct sw_finalizer_runner {
	uint32_t goroutine; /* in go->goroutines */
	uint8_t kind;	    /* SW_FINALIZER (until 1.24 cleanups too), SW_CLEANUP */
	bool is_busy;	    /* it is in one; else it waits for some */
	bool is_blocked;    /* ... and waits there */
};
SW_VECTOR(struct sw_finalizer_runner, sw_finalizer_runners);
struct sw_error *sw_finalizer_runners_find(const struct sw_go *go,
					   struct sw_finalizer_runners *out);

#endif
