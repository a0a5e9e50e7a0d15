/* The runtime's own counters, as runtime.ReadMemStats computes them (runtime/mstats.go). */
#ifndef SW_GO_MEMSTATS_H
#define SW_GO_MEMSTATS_H

#include "go/runtime.h"

struct sw_go_memstats_field {
	const char *name; /* of runtime.MemStats, or the runtime's own where MemStats has none */
	uint64_t value;	  /* bytes, objects, ns as MemStats has them */
};

struct sw_go_memstats {
	uint64_t heap_idle, heap_released, stacks_in_use; /* bytes */
	uint64_t num_gc;
	uint64_t heap_marked; /* gcController.heapMarked: bytes, by the last collection */
	struct sw_go_memstats_field fields[40];
	size_t field_count;
};

/* Counters that cannot be read are left out of the fields, and 0. */
void sw_go_read_memstats(const struct sw_go *go, struct sw_go_memstats *out);

#endif
