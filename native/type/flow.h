/* What compiled code says about types, for binaries whose debug information is gone.
 *
 * Every allocation names its type: code puts the address of a descriptor into a register and calls
 * runtime.newobject, makeslice, growslice, makemap, makechan, …. From there on the result is
 * followed through registers, stack slots, fields (whose types descriptors tell), arguments and
 * results of functions, to the variables it is stored in. Go is typed statically: a variable, an
 * argument, a slot of a frame has one type, so one store that is understood tells it; two that
 * contradict each other tell nothing. */
#ifndef SW_TYPE_FLOW_H
#define SW_TYPE_FLOW_H

#include "type/typing_private.h"

struct sw_flow;

/* Where a frame that stands on a stack goes on: its slots are to be told. */
static inline sw_addr sw_flow_site(sw_addr pc, bool is_call)
{
	return 2 * pc + is_call;
}

struct sw_flow_sites {
	const sw_addr *items; /* in rising order */
	size_t count;
};

/* Reads all code. Adds types, and tells types which struct each closure is (sw_types_set_closure).
 * plans must outlive the flow. Code that is not readable or not understood tells nothing. */
struct sw_error *sw_flow_create(const struct sw_go *go, struct sw_types *types,
				struct sw_type_plans *plans, struct sw_work *work,
				struct sw_flow_sites sites, struct sw_flow **out);
/* The same without reading any code yet: for sw_flow_find_closure(). */
struct sw_error *sw_flow_open(const struct sw_go *go, struct sw_types *types,
			      struct sw_type_plans *plans, struct sw_work *work,
			      struct sw_flow **out);
void sw_flow_free(struct sw_flow *flow);

/* Reads the functions that may make closures of the function at `entry`, and tells types what it
 * finds. */
struct sw_error *sw_flow_find_closure(struct sw_flow *flow, sw_addr entry);

/* What the pointer in a word of data or bss leads to. */
bool sw_flow_global(const struct sw_flow *flow, sw_addr addr, struct sw_slot_plan *out);
/* The same of a word of a frame, at an offset from the caller's sp at the call. */
bool sw_flow_local(const struct sw_flow *flow, sw_addr site, int64_t offset,
		   struct sw_slot_plan *out);

/* The pointer words of data and bss; what they lead to within data and bss gets types too. */
struct sw_error *sw_flow_follow_variables(struct sw_flow *flow);

/* Is the word at an address the first of an interface? SW_SLOT_EFACE, SW_SLOT_IFACE with the type
 * of what it holds, or SW_SLOT_UNKNOWN. No pointer map has a bit for it: what it points to is never
 * in the heap (cmd/compile/internal/types SetTypeBits). */
enum sw_slot_action sw_flow_interface(const struct sw_go *go, struct sw_types *types, sw_addr at,
				      sw_type *type);

/* Is the word at an address of data or bss one that the collector follows? */
bool sw_flow_has_pointer(const struct sw_go *go, sw_addr addr);

#endif
