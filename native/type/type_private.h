/* Private to the files that make types: type.c (the table), type_descriptor.c (abi.Type in the
 * target), type_dwarf.c, type_heap.c (what the language has no name for). */
#ifndef SW_TYPE_TYPE_PRIVATE_H
#define SW_TYPE_TYPE_PRIVATE_H

#include "base/map.h"
#include "type/type.h"

enum {
	SW_MAX_TYPES = 1 << 20,
	SW_MAX_TYPE_NAME = 1 << 14, /* bytes; longer ones are cut */
	SW_MAX_TYPE_DEPTH = 64,	    /* of structs in arrays in structs */
	SW_MAX_FIELDS = 1 << 16,
};

/* Addresses or offsets, none 0, to numbers. */
SW_MAP(uint32_t, sw_number_map);

/* 0 when the key is not there. */
static inline uint32_t sw_number_map_get(const struct sw_number_map *map, uint64_t key)
{
	const uint32_t *number = sw_number_map_find(map, key);
	return number ? *number : 0;
}

struct sw_type_entry {
	struct sw_type_info info;
	bool is_filled;	      /* elem, key, target, fields are there */
	char *qualified;      /* with the package's path, NULL when that is the name */
	sw_type backing;      /* 0 until made */
	sw_type pointer;      /* *T made here, 0 until made */
	sw_type chan_header;  /* of a channel of it, 0 until made */
	sw_type next_of_name; /* chain of sw_types.by_name */
	sw_type next_of_qualified;
};

enum { SW_TYPE_CHUNK = 256 };

struct sw_types {
	struct sw_go *go;
	bool has_swiss_maps;
	struct sw_type_entry **chunks; /* of SW_TYPE_CHUNK; entries never move */
	uint32_t count;
	unsigned depth; /* of DWARF types being filled inside each other */
	struct sw_number_map by_descriptor, by_dwarf, by_closure, by_name;
	struct sw_number_map captures; /* entry of a function to the struct that its closures are */
	sw_type string_bytes;
	sw_type uint8, uint64; /* made here */
};

static inline struct sw_type_entry *sw_type_entry(const struct sw_types *types, sw_type type)
{
	return &types->chunks[type / SW_TYPE_CHUNK][type % SW_TYPE_CHUNK];
}

/* Takes info.name (NULL: an error of memory) and info.package, info.fields. 0 when memory or
 * numbers are used up. */
sw_type sw_types_add(struct sw_types *types, struct sw_type_info info);
/* Another name to find it by; taken. */
void sw_types_set_qualified(struct sw_types *types, sw_type type, char *qualified);
/* asprintf, cut at SW_MAX_TYPE_NAME; NULL without memory. */
char *sw_type_name(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Formats behind what stands in out, which has room for size bytes; what is too long is cut. */
void sw_type_append(char *out, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Name of a type for use in another's. */
const char *sw_type_label(const struct sw_types *types, sw_type type);
/* Is it a name that the compiler, linker or runtime gives to parts of maps and channels, or a
 * pointer to one? */
bool sw_type_name_is_internal(const char *name, uint8_t *role);
/* Bytes up to the end of the last pointer, of a type put together from others. */
uint64_t sw_type_pointer_bytes(const struct sw_types *types, const struct sw_type_info *info);

/* What generic code takes many types for (cmd/compile/internal/noder shapify): not the type that a
 * value really has. A struct that the compiler made up is what it says. */
bool sw_type_is_shape(const struct sw_type_info *info);

/* Fill what is filled late. */
void sw_type_fill_descriptor(struct sw_types *types, sw_type type);
void sw_type_fill_dwarf(struct sw_types *types, sw_type type);

/* ---- type_heap.c ---- */
sw_type sw_type_make_pointer(struct sw_types *types, sw_type elem);
sw_type sw_type_make_array(struct sw_types *types, sw_type elem, uint64_t length);

/* How a map type's entries lie, from its descriptor. */
struct sw_map_layout {
	sw_addr group;		      /* descriptor of the group or bucket */
	uint64_t group_size;	      /* bytes */
	uint64_t key_size, elem_size; /* in the slot; until 1.23 */
	bool is_key_indirect, is_elem_indirect;
};
/* Sets info->target of a map type. */
void sw_type_make_map(struct sw_types *types, sw_type type, const struct sw_map_layout *layout);

/* What a chan elem, also one of one direction, points to. */
sw_type sw_type_chan_header(struct sw_types *types, sw_type elem);
/* The overflow word of a bucket points to a bucket, whatever its descriptor says. */
void sw_type_fix_bucket(struct sw_types *types, sw_type bucket);

/* ---- type_trie.c ---- */
/* internal/sync.HashTrieMap[interface {},interface {}], which is what a sync.Map is, with all it is
 * made of; 0 before Go 1.24. Where debug information tells, or the program's own descriptors. */
sw_type sw_type_trie_map(struct sw_types *types);

#endif
