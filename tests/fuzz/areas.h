/* What stands where in an undamaged core and its executable: the places worth damaging. */
#ifndef FUZZ_AREAS_H
#define FUZZ_AREAS_H

#include "session.h"
#include "subject.h"

struct area {
	sw_addr addr; /* in the target, 0: only in the file */
	enum subject_file file;
	uint64_t offset, size; /* bytes, in the file */
};
SW_VECTOR(struct area, area_list);

struct area_kind {
	const char *name; /* "mspan" */
	struct area_list areas;
};

enum { MAX_KINDS = 256 };

struct areas {
	struct area_kind kinds[MAX_KINDS];
	unsigned kind_count;

	/* For cases made by construction. */
	struct sw_layout layout;
	struct sw_go_globals globals;
	unsigned minor;
	struct area_list objects; /* live, some of all */
	char type_names[16][128]; /* of them, for `find` */
	unsigned type_name_count;
	uint64_t goids[64]; /* of some goroutines, for `stack` */
	unsigned goid_count;
	struct area_list inlined; /* addr: an inline tree, size: bytes from its function's entry to
				   * where a goroutine is in a call that it tells of */
};

/* Opens the subject, finds everything, closes it again. Exits when it cannot be analysed. */
void areas_collect(struct areas *areas, struct subject *subject);
void areas_free(struct areas *areas);

/* The kind of a name, NULL when this subject has none. */
const struct area_kind *areas_kind(const struct areas *areas, const char *name);

#endif
