/* Parts of values by the names that the program's source gives them: fields, what a pointer or an
 * interface leads to, entries of maps. Where fields stand is known from type descriptors and debug
 * information alone, so it works for any library of any release; what a program has no such field
 * for is false, never a guess. Nothing here warns: the caller knows what the part was for. */
#ifndef SW_TYPE_ACCESS_H
#define SW_TYPE_ACCESS_H

#include "type/type.h"

/* A value in the target: what it is and where it stands. */
struct sw_value {
	sw_type type;
	sw_addr addr;
};

/* What it takes to read one. */
struct sw_value_reader {
	struct sw_types *types;
	const struct sw_go *go;
	const struct sw_heap *heap; /* marked: what is not live is not read; NULL: unknown */
	bool is_stale;		    /* the value may be out of date: no pointer is followed */
};

/* In a slot that nothing reaches: freed, and perhaps something else's by now. */
static inline bool sw_value_is_free(const struct sw_heap *heap, sw_addr addr)
{
	sw_slot slot = heap ? sw_heap_slot(heap, addr) : SW_NO_SLOT;
	return slot != SW_NO_SLOT && !sw_heap_is_marked(heap, slot);
}

/* All functions take a path of field names with dots between them, "conn.fd.pfd"; NULL or "" is
 * the value itself. Pointers on the way are followed, as in Go; embedded structs are named. False
 * when there is no such field, when a pointer on the way is nil or leads to what is not live, or
 * when memory is missing. */

bool sw_value_field(const struct sw_value_reader *reader, struct sw_value of, const char *path,
		    struct sw_value *out);

/* A bool, an integer (sign-extended), an address (pointer, map, chan, func, unsafe.Pointer); of a
 * struct with one field that has a size (atomic.Int32), that field. */
bool sw_value_word(const struct sw_value_reader *reader, struct sw_value of, const char *path,
		   uint64_t *out);

/* Is that not 0? False for what has no such field. */
bool sw_value_flag(const struct sw_value_reader *reader, struct sw_value of, const char *path);

/* What a *T or an atomic.Pointer[T] points to. False for nil and for what says not of what type: an
 * unsafe.Pointer, an atomic.Pointer before Go 1.19.5. */
bool sw_value_pointee(const struct sw_value_reader *reader, struct sw_value of, const char *path,
		      struct sw_value *out);

/* The value in an interface: of the dynamic type, where it stands (of a pointer in an interface the
 * data word). False for nil. An atomic.Value counts as the interface in it. */
bool sw_value_held(const struct sw_value_reader *reader, struct sw_value of, const char *path,
		   struct sw_value *out);

/* The same, followed by its pointer when the dynamic type is one: "the *os.File behind an
 * io.Reader". */
bool sw_value_behind(const struct sw_value_reader *reader, struct sw_value of, const char *path,
		     struct sw_value *out);

/* A slice or a string (whose elements are uint8, capacity = length). `data` may be 0 or not
 * readable; len ≤ cap was checked, and that the whole array fits an address space. */
struct sw_value_array {
	sw_addr data;
	uint64_t len, cap;  /* elements */
	sw_type elem;	    /* 0: bytes of a string in a program that does not know uint8 */
	uint64_t elem_size; /* bytes */
};
bool sw_value_array(const struct sw_value_reader *reader, struct sw_value of, const char *path,
		    struct sw_value_array *out);
static inline struct sw_value sw_value_element(const struct sw_value_array *array, uint64_t index)
{
	return (struct sw_value){array->elem, array->data + index * array->elem_size};
}

/* At most size - 1 bytes of a string, NUL-terminated; bytes may be anything. */
bool sw_value_string(const struct sw_value_reader *reader, struct sw_value of, const char *path,
		     char *out, size_t size);

/* The code of a func value, and its closure (NULL: not asked for). False for nil. */
bool sw_value_function(const struct sw_value_reader *reader, struct sw_value of, const char *path,
		       sw_addr *entry, sw_addr *closure);

/* ---- maps: access_map.c ---- */

/* Entries, and the slots that there are for them: of all buckets and overflow buckets, of all
 * groups; `bytes` of all these. Of a map value or of the header it points to. */
struct sw_map_size {
	uint64_t count, slots, bytes;
};
bool sw_value_map_size(const struct sw_value_reader *reader, struct sw_value map,
		       struct sw_map_size *out);

struct sw_map_entry {
	struct sw_value key, elem;
};
/* Every entry, in the order they stand; stops when visit returns false. False: part of the map
 * could not be read. A nil map has none. */
typedef bool sw_visit_entry(void *context, const struct sw_map_entry *entry);
bool sw_value_entries(const struct sw_value_reader *reader, struct sw_value map,
		      sw_visit_entry *visit, void *context);

#endif
