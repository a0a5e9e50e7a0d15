/* Objects and bytes by type: the table that several commands show. */
#ifndef SW_COMMAND_TYPE_TALLY_H
#define SW_COMMAND_TYPE_TALLY_H

#include "command/naming.h"

struct sw_type_row {
	sw_type type;
	uint64_t objects, bytes;
	sw_object largest; /* the object that added most bytes, of equals the first */
	uint64_t largest_bytes;
};

/* Counts of each type, by its number; after sw_type_tally_sort() largest first. */
struct sw_type_tally {
	struct sw_type_row *rows;
	size_t count;
};

struct sw_error *sw_type_tally_init(struct sw_type_tally *tally, const struct sw_live *live);
void sw_type_tally_free(struct sw_type_tally *tally);
void sw_type_tally_add(struct sw_type_tally *tally, const struct sw_live *live, sw_object object,
		       uint64_t bytes);
/* Drops empty rows, makes one of rows with the same name; sorts by bytes, then by name. */
void sw_type_tally_sort(struct sw_type_tally *tally, const struct sw_live *live);
/* Rows {type objects bytes fraction} of a table, at most `limit`. `whole` in bytes. */
void sw_type_tally_report(const struct sw_type_tally *tally, const struct sw_live *live,
			  struct sw_report *report, const char *table, uint64_t limit,
			  uint64_t whole);

#endif
