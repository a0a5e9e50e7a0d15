/* What variables lead to in data and bss that has no name of its own: the linker lays out the T of
 * `var x = &T{…}`, and the elements of `var x = []T{…}`, as variables that debug information does
 * not list (cmd/compile/internal/staticinit, "..stmp_"). Private to root_static.c and
 * root_global.c. */
#ifndef SW_GO_ROOT_STATIC_H
#define SW_GO_ROOT_STATIC_H

#include "go/root.h"

struct sw_root_static {
	sw_addr start, end;
	char *name; /* of what leads there: "main.x", "main.x[2]", "main.x.field" */
	sw_dwarf_type type;
	unsigned pass; /* private: that found it */
};
SW_VECTOR(struct sw_root_static, sw_root_statics);

/* Those with pointers, in rising order; none overlap each other or a variable that debug
 * information lists. Needs collector->globals. What is damaged leads nowhere. To be freed even
 * after an error. */
struct sw_error *sw_root_statics_find(const struct sw_root_collector *collector,
				      struct sw_root_statics *out);
void sw_root_statics_clear(struct sw_root_statics *statics);
/* The one around an address, NULL when there is none. */
const struct sw_root_static *sw_root_statics_at(const struct sw_root_statics *statics,
						sw_addr addr);

/* The number of variables that debug information lists at or below an address. */
size_t sw_root_globals_below(const struct sw_root_collector *collector, sw_addr addr);
/* Of those at the nearest address at or below, the first that reaches beyond it, and its size; NULL
 * when there is none. */
const struct sw_dwarf_global *sw_root_global_at(const struct sw_root_collector *collector,
						sw_addr addr, uint64_t *size);

#endif
