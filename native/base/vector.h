/* Growing arrays of one type: SW_VECTOR(struct sw_root, sw_roots) defines struct sw_roots
 * { struct sw_root *items; size_t count, capacity; } and sw_roots_add(), _grow(), _free(). */
#ifndef SW_BASE_VECTOR_H
#define SW_BASE_VECTOR_H

#include "base/error.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SW_VECTOR(type, name)                                                                \
	struct name {                                                                        \
		type *items;                                                                 \
		size_t count, capacity;                                                      \
	};                                                                                   \
	/* Makes room for `extra` more items; the items may move. */                         \
	static inline struct sw_error *name##_grow(struct name *vector, size_t extra)        \
	{                                                                                    \
		if (vector->capacity - vector->count >= extra)                               \
			return NULL;                                                         \
		size_t capacity = vector->capacity ? vector->capacity : 16;                  \
		while (capacity < vector->count + extra)                                     \
			capacity *= 2;                                                       \
		type *items = reallocarray(vector->items, capacity, sizeof(type));           \
		if (!items)                                                                  \
			return sw_error_memory();                                            \
		vector->items = items;                                                       \
		vector->capacity = capacity;                                                 \
		return NULL;                                                                 \
	}                                                                                    \
	/* Copies the item to the end. */                                                    \
	static inline struct sw_error *name##_add(struct name *vector, type item)            \
	{                                                                                    \
		struct sw_error *error = name##_grow(vector, 1);                             \
		if (!error)                                                                  \
			vector->items[vector->count++] = item;                               \
		return error;                                                                \
	}                                                                                    \
	/* Frees the array, not what its items own; the vector is empty and usable again. */ \
	static inline void name##_free(struct name *vector)                                  \
	{                                                                                    \
		free(vector->items);                                                         \
		memset(vector, 0, sizeof(*vector));                                          \
	}                                                                                    \
	struct name

#endif
