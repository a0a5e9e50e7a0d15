/* Lists that are linked by addresses and come from outside: they may be rings. */
#ifndef SW_BASE_CHAIN_H
#define SW_BASE_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed at the start of a list. */
struct sw_chain {
	uint64_t trap, steps;
};

/* To be called with each link in turn: true when it closes a ring, by Brent's method. A ring is
 * found within three times its length, so that its links may be seen up to three times. */
static inline bool sw_chain_is_ring(struct sw_chain *chain, uint64_t link)
{
	if (chain->steps && link == chain->trap)
		return true;
	chain->steps++;
	if ((chain->steps & (chain->steps - 1)) == 0)
		chain->trap = link;
	return false;
}

#endif
