/* Hash maps from 64-bit keys to values of one type:
 *
 *     SW_MAP(uint32_t, sw_number_map);
 *
 * declares struct sw_number_map and its functions; a map of zeros is empty. No key is 0. */
#ifndef SW_BASE_MAP_H
#define SW_BASE_MAP_H

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

enum { SW_MAP_FIRST_CAPACITY = 256 }; /* places; doubled when half of them are taken */

#define SW_MAP(type, name)                                                                       \
	struct name {                                                                            \
		struct name##_place {                                                            \
			uint64_t key;                                                            \
			type value;                                                              \
		} * places;                                                                      \
		size_t count, capacity; /* a power of two */                                     \
	};                                                                                       \
	/* The place that the key has or would have; there are free ones. */                     \
	static inline struct name##_place *name##_place_of(const struct name *map, uint64_t key) \
	{                                                                                        \
		size_t at = (key * 0x9e3779b97f4a7c15 >> 20) & (map->capacity - 1);              \
		while (map->places[at].key && map->places[at].key != key)                        \
			at = (at + 1) & (map->capacity - 1);                                     \
		return &map->places[at];                                                         \
	}                                                                                        \
	/* NULL when the key is not there. */                                                    \
	static inline const type *name##_find(const struct name *map, uint64_t key)              \
	{                                                                                        \
		if (!map->capacity || !key)                                                      \
			return NULL;                                                             \
		const struct name##_place *place = name##_place_of(map, key);                    \
		return place->key ? &place->value : NULL;                                        \
	}                                                                                        \
	static inline struct sw_error *name##_grow(struct name *map)                             \
	{                                                                                        \
		struct name grown = {.capacity = map->capacity ? 2 * map->capacity               \
							       : SW_MAP_FIRST_CAPACITY,          \
				     .count = map->count};                                       \
		grown.places = calloc(grown.capacity, sizeof(*grown.places));                    \
		if (!grown.places)                                                               \
			return sw_error_memory();                                                \
		for (size_t i = 0; i < map->capacity; i++)                                       \
			if (map->places[i].key)                                                  \
				*name##_place_of(&grown, map->places[i].key) = map->places[i];   \
		free(map->places);                                                               \
		*map = grown;                                                                    \
		return NULL;                                                                     \
	}                                                                                        \
	/* Sets or replaces; nothing for the key 0. */                                           \
	static inline struct sw_error *name##_set(struct name *map, uint64_t key, type value)    \
	{                                                                                        \
		struct sw_error *error = NULL;                                                   \
		if (!key)                                                                        \
			return NULL;                                                             \
		if (map->count * 2 >= map->capacity)                                             \
			error = name##_grow(map);                                                \
		if (error)                                                                       \
			return error;                                                            \
		struct name##_place *place = name##_place_of(map, key);                          \
		map->count += !place->key;                                                       \
		place->key = key;                                                                \
		place->value = value;                                                            \
		return NULL;                                                                     \
	}                                                                                        \
	/* Frees the places; the map is empty and usable again. */                               \
	static inline void name##_free(struct name *map)                                         \
	{                                                                                        \
		free(map->places);                                                               \
		memset(map, 0, sizeof(*map));                                                    \
	}                                                                                        \
	struct name

#endif
