/* Runs the commands on a subject as it is, and checks what must hold however it was damaged. */
#ifndef FUZZ_EXAMINE_H
#define FUZZ_EXAMINE_H

#include "areas.h"
#include "random.h"

/* Which commands look at it. Chance chooses some, of all kinds; ALL_OF_OWNERS are those alone. */
enum thoroughness { SOME_COMMANDS, ALL_OF_GOROUTINES, ALL_OF_OWNERS };

struct examination {
	struct random random; /* which object, which type, which options */
	uint64_t max_memory;  /* bytes, 0: no cap */
	uint64_t failing;     /* the allocation that fails first, 0: none */
	unsigned workers;
	const char *core, *exe;	 /* in files of their own; NULL: the subject's in memory */
	enum sw_index_use index; /* of those files; written in the end as it says */
	bool is_misled;		 /* by a damaged index: what reports add up to is not checked */
	enum thoroughness thoroughness;

	/* Out. */
	enum { COMPLETE, PARTIAL, REFUSED } outcome;
	uint64_t allocations; /* how many there were, when one was to fail */
	uint64_t digest;      /* of every report */
	bool has_used_index;  /* nothing in it was found to be wrong */
	unsigned complaints;  /* things that must not be; each was printed */
};

void examine(struct subject *subject, const struct areas *areas, struct examination *examination);

/* Makes what lies between the regions of an open core out of bounds for AddressSanitizer. */
void fence(struct sw_session *session);
/* Whether the core has the region, not the executable. */
bool is_of_core(struct sw_session *session, const struct sw_region *region);

#endif
