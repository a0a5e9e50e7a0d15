/* Every place in the live heap and in variables where values of some types stand: whole objects,
 * elements of arrays and maps, fields of other structs, and what typed pointers lead to outside the
 * heap (a variable of a stripped program). */
#ifndef SW_TYPE_INSTANCE_H
#define SW_TYPE_INSTANCE_H

#include "type/access.h"

struct sw_instance {
	struct sw_value value;
	unsigned wanted;  /* which of the wanted types */
	sw_object object; /* that holds it, or SW_NO_OBJECT */
	uint32_t root;	  /* the variable that it is or is part of, by number; SW_NO_ROOT */
};

/* Is it one of the types looked for? Its number then, or a negative one. Called once for a type. */
typedef int sw_wants_type(void *context, const struct sw_type_info *info);
typedef struct sw_error *sw_visit_instance(void *context, const struct sw_instance *instance);

struct sw_instance_search {
	struct sw_types *types;
	const struct sw_typing *typing;
	const struct sw_go *go;
	const struct sw_heap *heap;
	struct sw_work *work;
	const char *const *names; /* exact names, "net/http.Request" or "http.Request", ended by
				   * NULL: their places are the numbers; or NULL */
	sw_wants_type *wants;	  /* asked for a type that no name names; or NULL */
	sw_visit_instance *visit; /* stops the search when it returns an error */
	void *context;		  /* of both */
};

/* Visits each place once: objects in rising order of address, then variables, then what pointers
 * lead to outside the heap that is part of no variable known by name. A wanted type inside
 * a wanted type is visited too, after the outer one. An array of wanted elements counts each
 * element, those of a slice's array up to its end. One pass over all objects. */
struct sw_error *sw_instances_find(const struct sw_instance_search *search);

#endif
