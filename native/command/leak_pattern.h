/* The mistake behind goroutines that can never run again, in the words of the field, where the
 * evidence says which. */
#ifndef SW_COMMAND_LEAK_PATTERN_H
#define SW_COMMAND_LEAK_PATTERN_H

#include "command/wakers.h"

struct sw_leak_pattern {
	const char *name;      /* "forgotten cancel" */
	char explanation[320]; /* one sentence */
};

struct sw_leak_evidence {
	struct sw_wakers *wakers;
	uint32_t goroutine;
	const struct sw_blocked_on *on;
	bool is_leaked;	  /* else only a suspect: it can be reached */
	bool is_proven;	  /* else parts of the target are missing */
	bool is_in_cycle; /* of sw_wakers_cycles() */
};

void sw_leak_pattern_find(const struct sw_leak_evidence *evidence, struct sw_leak_pattern *out);

#endif
