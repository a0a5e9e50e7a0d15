/* Which field of the program a view stands in: "main.session.id", "main.lines[]",
 * "map[string]int key", "main.serve: line". Sums by field. */
#ifndef SW_VIEW_FIELD_H
#define SW_VIEW_FIELD_H

#include "base/map.h"
#include "view/array_use.h"

enum { SW_FIELD_NAME = 512 }; /* bytes; longer ones are cut */

/* What views of one field come to; bytes of the arrays they look at. */
struct sw_field_sum {
	uint64_t arrays, views;	     /* each array counts once, for one field */
	uint64_t size, used, wasted; /* bytes */
	uint64_t spare;		     /* of the wasted ones, those that an append would use */
	struct sw_view example;	     /* into the array that wastes most; of several the one that
				      * stands lowest */
	uint64_t example_wasted;     /* bytes */
};

/* Adds what is in `more`. */
void sw_field_sum_add(struct sw_field_sum *sum, const struct sw_field_sum *more);

/* Sums by keys that cost nothing to find. Fields may have many keys. */
SW_MAP(struct sw_field_sum, sw_field_sums);

/* What names fields; borrowed, but for what sw_fields_deinit() frees. */
struct sw_fields {
	struct sw_view_scan *scan;	/* with the plans of all objects */
	const struct sw_array_use *use; /* tells who has an array of slices or strings; NULL: the
					 * graph is searched for that */
	uint32_t *first_words;		/* private: by root, its first word; NULL until needed */
};
void sw_fields_deinit(struct sw_fields *fields);

/* Not 0. For several threads. Without `use` each array has a key of its own. */
uint64_t sw_field_key(const struct sw_fields *fields, const struct sw_view *view);
struct sw_error *sw_field_sums_count(struct sw_field_sums *sums, uint64_t key,
				     const struct sw_field_sum *one);

struct sw_field_row {
	char *name; /* owned */
	struct sw_field_sum sum;
};
SW_VECTOR(struct sw_field_row, sw_field_rows);

/* The field of one view. */
void sw_field_name(struct sw_fields *fields, const struct sw_view *view, char *out, size_t size);
/* The field that a value is, in an object or in a root's variable (SW_NO_OBJECT); where it is the
 * whole object, the field that points there. */
void sw_field_name_of(struct sw_fields *fields, struct sw_value value, sw_object object,
		      uint32_t root, char *out, size_t size);

/* Adds sums to the rows of their fields: those that waste most first. */
struct sw_error *sw_field_rows_take(struct sw_field_rows *rows, struct sw_fields *fields,
				    const struct sw_field_sums *sums);
/* Adds one to the row of a field; sw_field_rows_finish() makes one row of each and sorts. */
struct sw_error *sw_field_rows_count(struct sw_field_rows *rows, const char *name,
				     const struct sw_field_sum *one);
void sw_field_rows_finish(struct sw_field_rows *rows);
void sw_field_rows_deinit(struct sw_field_rows *rows);

#endif
