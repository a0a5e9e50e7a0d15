/* Lists of objects. */
#ifndef SW_VIEW_OBJECTS_H
#define SW_VIEW_OBJECTS_H

#include "view/live.h"

SW_VECTOR(sw_object, sw_objects);

/* The place of an object in a list that rises; count when it is not there. */
static inline size_t sw_objects_find(const sw_object *objects, size_t count, sw_object object)
{
	size_t low = 0, high = count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (objects[middle] < object)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && objects[low] == object ? low : count;
}

#endif
