/* Fields that views stand in, as numbers. */
#ifndef SW_OWNER_ARENA_FIELD_H
#define SW_OWNER_ARENA_FIELD_H

#include "view/field.h"

SW_MAP(uint32_t, sw_arena_field_numbers);
SW_VECTOR(char *, sw_arena_field_names);

struct sw_arena_fields {
	struct sw_view_scan scan;
	struct sw_fields fields;
	struct sw_arena_field_names names;    /* by number: "main.series.key"; owned */
	struct sw_arena_field_numbers by_key; /* private: number + 1 */
	struct sw_arena_field_numbers by_name;
};

/* live must outlive them. */
struct sw_error *sw_arena_fields_init(struct sw_arena_fields *fields, const struct sw_live *live);
void sw_arena_fields_deinit(struct sw_arena_fields *fields);

/* The variable that an address is in, by debug information; NULL: none, or nothing tells. */
const struct sw_dwarf_global *sw_arena_global_at(const struct sw_live *live, sw_addr at);

/* The number of the field that a view stands in. Two fields of one name are one. The holder may be
 * SW_NO_NODE: a variable that no root is about. */
struct sw_error *sw_arena_fields_number(struct sw_arena_fields *fields, const struct sw_view *view,
					uint32_t *out);

#endif
