/* Function values on the heap, by the place in the source that makes them: what they have captured,
 * and what they keep alive by it. */
#ifndef SW_OWNER_CLOSURE_H
#define SW_OWNER_CLOSURE_H

#include "base/map.h"
#include "library/request.h"

SW_MAP(uint32_t, sw_closure_numbers);

/* What would be free. */
struct sw_closure_retained {
	uint64_t bytes, objects;
};

/* A captured variable of all closures of a site. */
struct sw_capture {
	const char *name;      /* as in the source, belongs to the types; "X0", "" unknown; ".dict":
				* what generic code knows its type arguments by */
	bool is_by_reference;  /* the closure has a pointer to the variable; false: or unknown */
	uint64_t offset, size; /* bytes into the closure, of the variable's part of it */
	sw_type type;	       /* of that part; 0 unknown: then it is one word with a pointer */
	uint64_t values;       /* distinct ones */
	uint64_t pointers;     /* from it to objects, of all closures */
	uint64_t typed;	       /* ... to objects whose type is known */
	uint64_t targets;      /* distinct objects that it refers to itself, */
	uint64_t kept;	       /* those of them that would be free without it, */
	sw_type target;	       /* the type that most of them have */
	struct sw_closure_retained retained; /* if no closure of the site had captured it */
	enum sw_request_kind kind;	     /* of its type, or its targets' */
	struct sw_closure_numbers seen;	     /* private: objects + 1 that it refers to */
};
SW_VECTOR(struct sw_capture, sw_captures);

/* Where the func values stand. */
enum sw_closure_holder_kind {
	SW_CLOSURE_IN_OBJECT,
	SW_CLOSURE_IN_TIMER,
	SW_CLOSURE_IN_CLOSURE,
	SW_CLOSURE_IN_VARIABLE,
	SW_CLOSURE_IN_GOROUTINE,
	SW_CLOSURE_IN_RUNTIME,
};
struct sw_closure_holder {
	char *name; /* "main.shortener.audit[]", "map[string]main.retryJob value.run"; owned */
	enum sw_closure_holder_kind kind;
	uint64_t references;
};
SW_VECTOR(struct sw_closure_holder, sw_closure_holders);

struct sw_closure_site {
	sw_addr entry;		  /* of the function, of several copies the one named here */
	const char *function;	  /* belongs to the target's memory */
	const char *file;	  /* the same; "" unknown */
	int32_t line;		  /* of its definition; 0 unknown */
	uint32_t functions;	  /* copies of it: the compiler makes one wherever it inlines the
				   * function around it, and for each shape of generic code */
	const sw_object *objects; /* rising; in sw_closures.grouped */
	uint64_t count;
	uint64_t untyped; /* of them known by their code alone */
	uint64_t bytes;	  /* of their own slots */
	/* What would be free if all of them went, they too. */
	struct sw_closure_retained retained;
	sw_object largest; /* the one that retains most; of equals the first */
	/* The rest is of sw_closures_examine(). */
	struct sw_captures captures;
	struct sw_closure_holders holders;   /* most references first */
	uint64_t requests[SW_REQUEST_KINDS]; /* objects among what would be free */
};
SW_VECTOR(struct sw_closure_site, sw_closure_sites);

struct sw_closures {
	struct sw_closure_sites sites; /* those that retain most first */
	sw_object *grouped;	       /* closures by site */
	sw_object *objects;	       /* all closures, rising */
	uint32_t *site_of;	       /* [count]: index into sites, of objects[i] */
	uint64_t count, bytes;
	struct sw_closure_retained retained; /* by all closures together, they too */
	uint64_t damaged; /* closures without a function, or that cannot be read */
};

/* Says which sites are wanted; NULL: all. */
typedef bool sw_wants_site(void *context, const struct sw_closure_site *site);

/* All closures, by site, with what each site retains. */
struct sw_error *sw_closures_find(const struct sw_live *live, sw_wants_site *wants, void *context,
				  struct sw_closures *out);
/* Captures, holders and requests of the first sites. */
struct sw_error *sw_closures_examine(const struct sw_live *live, struct sw_closures *closures,
				     size_t sites);
void sw_closures_deinit(struct sw_closures *closures);

#endif
