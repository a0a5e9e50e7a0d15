/* Ways to damage a subject: decided by a seed, or by construction. */
#ifndef FUZZ_DAMAGE_H
#define FUZZ_DAMAGE_H

#include "areas.h"
#include "examine.h"
#include "random.h"

/* One to fifteen damages where they hurt. What was done is added to `text`. */
void damage_by_seed(struct subject *subject, const struct areas *areas, struct random *random,
		    char *text, size_t size);

/* Cases with a name: chains that are cycles, overlapping spans, wild counts, … */
struct damage_case {
	const char *name;
	void (*apply)(struct subject *subject, const struct areas *areas);
	enum thoroughness thoroughness;
};
/* NULL behind the last; NULL when there is none of that name. */
const struct damage_case *damage_case_at(size_t index);
const struct damage_case *damage_case_named(const char *name);

#endif
