/* Between globals.c, which lists the runtime's variables, global_search.c and global_fit.c, which
 * find them in a program without symbols. Two kinds of evidence must agree: the functions that the
 * function tables name refer to the variable's fields, and what stands there is what the variable
 * must hold. */
#ifndef SW_GO_GLOBAL_H
#define SW_GO_GLOBAL_H

#include "code/data_ref.h"
#include "go/runtime.h"

/* A function that refers to a field of the variable, in whatever release has the function. */
struct sw_global_clue {
	const char *function;
	uint32_t field; /* SW_GLOBAL_FIELD() or SW_GLOBAL_BYTES() */
};

/* A place in the variable: by a field of the layout, or in bytes from the variable's start. */
#define SW_GLOBAL_FIELD(member) ((uint32_t)offsetof(struct sw_layout, member))
#define SW_GLOBAL_BYTES(count) ((uint32_t)(sizeof(struct sw_layout) + (count)))

/* Where the field is in this release; false when it has none. */
static inline bool sw_global_offset(const struct sw_go *go, uint32_t field, uint64_t *out)
{
	if (field >= sizeof(struct sw_layout)) {
		*out = field - sizeof(struct sw_layout);
		return true;
	}
	sw_offset offset = *(const sw_offset *)((const char *)&go->layout + field);
	*out = offset;
	return offset != SW_ABSENT;
}

/* What of the memory at an address contradicts its being the variable; NULL when nothing does.
 * Counters that change one after the other while the program runs may differ. */
typedef const char *sw_global_misfit(const struct sw_go *go, sw_addr at);

enum { SW_GLOBAL_CLUES = 8 };

struct sw_global {
	const char *name; /* "mheap_" */
	size_t place;	  /* in struct sw_go_globals */
	unsigned since;	  /* Go 1.since */
	sw_global_misfit *misfit;
	bool is_accessed; /* all clues read or write it, and do not only take its address */
	uint32_t list; /* SW_GLOBAL_…: the word that is 0 while nothing was ever put there; 0 here
			  for what is no such list */
	struct sw_global_clue clues[SW_GLOBAL_CLUES];
};

/* ---- global_fit.c ---- */

sw_global_misfit sw_misfit_mheap, sw_misfit_allgs, sw_misfit_allp, sw_misfit_gcphase,
	sw_misfit_allfin, sw_misfit_cleanups, sw_misfit_controller, sw_misfit_memstats,
	sw_misfit_sched, sw_misfit_allm; /* the last two need the goroutines */

/* ---- global_search.c ---- */

/* What the functions of the clues refer to. */
struct sw_global_function {
	const char *name;
	unsigned count; /* of functions by this name: a wrapper bears that of what it calls */
	struct sw_code_refs refs; /* of all of them */
};
SW_VECTOR(struct sw_global_function, sw_global_functions);

/* Reads the functions that the clues of `count` variables name. Needs go->modules. */
struct sw_error *sw_global_read_functions(const struct sw_go *go, const struct sw_global *globals,
					  size_t count, struct sw_global_functions *out);
void sw_global_free_functions(struct sw_global_functions *functions);

/* The variable's address. 0 when it is a list, several places remain and the list is empty in each
 * of them: nothing is on it then. SW_ERR_UNSUPPORTED when none or several fit, and why. Needs the
 * globals before it in the list. */
struct sw_error *sw_global_search(const struct sw_go *go, const struct sw_global *global,
				  const struct sw_global_functions *functions, sw_addr *out);

#endif
