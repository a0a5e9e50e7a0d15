/* Private to context.c (which there are), context_read.c (what each says) and context_use.c (who
 * holds them). */
#ifndef SW_LIBRARY_CONTEXT_PRIVATE_H
#define SW_LIBRARY_CONTEXT_PRIVATE_H

#include "library/context.h"

struct sw_context_search {
	const struct sw_live *live;
	struct sw_warnings *warnings;
	struct sw_contexts *out;
	struct sw_value outer;		   /* the instance that was visited last */
	struct sw_context_numbers parts;   /* addresses of cancelCtxs that are no contexts */
	struct sw_context_numbers keys;	   /* by hash of a key: number + 1 */
	struct sw_context_numbers waiters; /* goroutines by the channel they wait for */
	struct sw_context_numbers timers;  /* by object, each + 1: number */
	struct sw_error *error;
};

static inline const struct sw_type_info *sw_context_info(const struct sw_context_search *search,
							 sw_type type)
{
	return sw_type_info(search->live->types, type);
}

/* ---- context.c ---- */
/* The number of the context that a value is; it is added when it is new. SW_NO_CONTEXT without
 * memory: search->error. */
uint32_t sw_context_add(struct sw_context_search *search, struct sw_value value);

/* ---- context_read.c; these too leave errors in search->error ---- */
/* has_cancel and what belongs to it; may add its children. */
void sw_context_read_cancel(struct sw_context_search *search, uint32_t number);
void sw_context_read_deadline(struct sw_context_search *search, struct sw_context *context);
void sw_context_read_value(struct sw_context_search *search, uint32_t number);

/* ---- context_use.c ---- */
struct sw_error *sw_contexts_find_goroutines(const struct sw_live *live,
					     struct sw_contexts *contexts);
/* Needs all of the others. */
struct sw_error *sw_contexts_find_uses(const struct sw_live *live, struct sw_contexts *contexts);

#endif
