/* The table `cycles` of goroutine-leaks. */
#ifndef SW_COMMAND_LEAK_CYCLES_H
#define SW_COMMAND_LEAK_CYCLES_H

#include "command/wakers.h"

/* Rows {count, goroutines, steps}, as sw_wait_cycle_json() has them, and the same in lines; circles
 * of goroutines with the same stacks are one row, that of the first. */
struct sw_error *sw_leak_cycles_report(struct sw_wakers *wakers,
				       const struct sw_wait_cycles *cycles, uint64_t limit,
				       struct sw_report *report);

#endif
