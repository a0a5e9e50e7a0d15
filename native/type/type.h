/* Go types: from the type descriptors in the target and from DWARF, as one table. */
#ifndef SW_TYPE_TYPE_H
#define SW_TYPE_TYPE_H

#include "go/kind.h"
#include "go/runtime.h"

/* Index into the table; 0 is "unknown". The same type has one number wherever it came from:
 * a DWARF type with a descriptor becomes the descriptor's. */
typedef uint32_t sw_type;

/* What a type is for. A value of a slice, string, map, channel or func type is a word or three that
 * refer to memory the language has no name for; that memory has types of its own here, which bear
 * the *name of the type that refers to it*: so the objects of a heap read as "[]uint8",
 * "string", "map[string]int", "chan bool", "func main.serve.func1", as a Go programmer thinks of
 * them. */
enum sw_type_role {
	SW_TYPE_PLAIN,	       /* a type as the language has it */
	SW_TYPE_BACKING,       /* "[]T": the array behind a slice: kind ARRAY, elem, size of *one*
				* element, length 0: as many as fit */
	SW_TYPE_STRING_BYTES,  /* "string": the same for the bytes of a string */
	SW_TYPE_MAP_HEADER,    /* "map[K]V": runtime.hmap, internal/runtime/maps.Map (1.24) */
	SW_TYPE_CHAN_HEADER,   /* "chan T": runtime.hchan; its buffer may follow it */
	SW_TYPE_CLOSURE,       /* "func NAME": code pointer and captured variables */
	SW_TYPE_MAP_TABLE,     /* internal parts of a map: maps.table */
	SW_TYPE_MAP_DIRECTORY, /* []*maps.table */
	SW_TYPE_MAP_GROUP,  /* control word and 8 slots; fields slots {key, elem} or keys, elems */
	SW_TYPE_MAP_BUCKET, /* until 1.23: fields topbits, keys, elems, overflow */
	SW_TYPE_MAP_PART,   /* others: mapextra, lists of overflow buckets */
};

struct sw_type_field {
	const char *name;
	uint64_t offset; /* bytes */
	sw_type type;
	bool is_embedded;
};

struct sw_type_info {
	char *name;	  /* "main.session", "[]uint8", "map[string]*main.session" */
	char *package;	  /* full path where a descriptor tells, else the name's; "" */
	uint8_t kind;	  /* enum sw_go_kind */
	uint8_t role;	  /* enum sw_type_role */
	bool is_internal; /* a part of a map, channel, … that the language hides: its group of
			   * slots, its table, its bucket, its directory */
	bool is_empty_interface; /* SW_KIND_INTERFACE without methods: the word is a type, else itab
				  */
	uint64_t size;		 /* bytes */
	uint64_t pointer_bytes;	 /* bytes up to the end of the last pointer */
	uint64_t length;	 /* of an array */
	sw_type elem;		 /* pointed-to, element of array, slice, chan, map value */
	sw_type key;		 /* of a map */
	sw_type target;		 /* SW_KIND_MAP, SW_KIND_CHAN: the struct a value points to */
	sw_type group;		 /* SW_TYPE_MAP_HEADER, _TABLE: its groups (_BUCKET: buckets) */
	struct sw_type_field *fields;
	uint32_t field_count;
	sw_addr descriptor;  /* in the target, 0: none */
	sw_dwarf_type dwarf; /* 0: none */
};

struct sw_types;

/* go must outlive the table. One thread at a time. */
struct sw_error *sw_types_create(struct sw_go *go, struct sw_types **out);
void sw_types_free(struct sw_types *types);

/* Holds the layout of a program without debug information against its type descriptors:
 * SW_ERR_UNSUPPORTED naming a field of which they say something else. */
struct sw_error *sw_types_check_layout(struct sw_go *go);

/* type_store.c: the whole table as bytes, and one as it was when it was written: the same numbers
 * for the same types, now and of those that are still to come. The program and its memory must be
 * the same; the bytes are checked, *out is NULL for what cannot be a table. */
struct sw_error *sw_types_store(const struct sw_types *types, void **bytes, uint64_t *size);
struct sw_error *sw_types_restore(struct sw_go *go, const void *bytes, uint64_t size,
				  struct sw_types **out);

/* The type of a descriptor at an address; 0 when there is none that could be one. */
sw_type sw_type_of_descriptor(struct sw_types *types, sw_addr descriptor);
sw_type sw_type_of_dwarf(struct sw_types *types, sw_dwarf_type dwarf);
/* By exact name, with the package's name ("http.Request") or its path ("net/http.Request"); of
 * several the first that became known, which for reference types is the language's own (see enum
 * sw_type_role). A name not seen yet is looked for in DWARF. 0 when there is none. */
sw_type sw_type_of_name(struct sw_types *types, const char *name);

/* Is it the type of a name with its package's path ("net/http.Request", "sync.Pool")? The package
 * counts as far as it is known. */
bool sw_type_is_named(const struct sw_type_info *info, const char *name);

/* The array behind a []elem; the bytes of a string; the closures of a function, by its entry
 * point (0 when no function begins there). */
sw_type sw_type_backing(struct sw_types *types, sw_type elem);
sw_type sw_type_string_bytes(struct sw_types *types);
sw_type sw_type_closure(struct sw_types *types, sw_addr entry);
/* Closures of the function at `entry` are values of this struct: its fields after the first are
 * what they captured. Before the first of them is asked for. */
void sw_types_set_closure(struct sw_types *types, sw_addr entry, sw_type captures);

/* Fields, elements, … are read when first asked for, which may add types (numbers stay, and so
 * does the returned pointer until sw_types_free()). Never NULL: an unknown number gives the
 * unknown type, "?". */
const struct sw_type_info *sw_type_info(const struct sw_types *types, sw_type type);
uint32_t sw_types_count(const struct sw_types *types); /* numbers are below this */

/* A field of what the compiler makes maps of; in any case, because reflect writes Key and Elem.
 * NULL when there is none. */
const struct sw_type_field *sw_type_part(const struct sw_type_info *info, const char *name);

/* The innermost field, element, … at an offset of a type, as a Go path ("parser.buf", "[3].key")
 * appended to out (NUL-terminated, cut at size), and the type that starts or holds there. Embedded
 * fields are written out by name. An offset in padding or beyond the type adds nothing. */
sw_type sw_type_path(const struct sw_types *types, sw_type type, uint64_t offset, char *out,
		     size_t size);

/* ---- typing.c: a type for every object ---- */

/* What the pointer in a word of a root leads to. */
enum sw_root_word_kind {
	SW_ROOT_WORD_UNKNOWN,
	SW_ROOT_WORD_POINTER,  /* to one `target` */
	SW_ROOT_WORD_ELEMENTS, /* to one or more: of a slice, a string, or an array of its own */
	SW_ROOT_WORD_SLICE,    /* to elements; the next words are length and capacity */
	SW_ROOT_WORD_STRING,   /* to bytes; the next word is the string's length */
	SW_ROOT_WORD_EFACE,    /* to the data of an interface; the word before is the type */
	SW_ROOT_WORD_IFACE,    /* ... is the itab */
	SW_ROOT_WORD_WHOLE,    /* to a map, a channel, a closure, or a part of one */
	SW_ROOT_WORD_KINDS,
};

struct sw_root_word_type {
	sw_type target; /* 0 unless it is one type */
	uint32_t kind;	/* enum sw_root_word_kind */
};

/* types[i] is the type of object i's elements (an array of them when its slot is a multiple), 0
 * when unknown. The same for any number of threads.
 *
 * Where an object's type comes from, the best first: typed pointers from typed roots, nearest
 * root first, as long as size and pointer map of the object agree (exactly that of its malloc
 * header when it has one); the malloc header alone; the code that a closure begins with; pointers
 * into the middle of an array, or to a first element. What a closure of generic code has captured
 * as one of its type parameters stays unknown, and what it alone holds. */
struct sw_typing {
	sw_type *types; /* [object_count] */
	uint32_t object_count;
	/* What each of heap->root_words leads to. */
	struct sw_root_word_type *root_types; /* [root_word_count] */
	size_t root_word_count;
	/* Words of variables and frames that hold objects: all; those whose type debug information
	 * tells, the first word of an interface, or the code that uses them. */
	uint64_t root_pointers, known_by_debug_information, known_by_interface, known_by_code;
};
/* Needs sw_heap_number(). May add types. */
struct sw_error *sw_typing_build(struct sw_typing *typing, struct sw_types *types,
				 const struct sw_go *go, const struct sw_heap *heap,
				 struct sw_work *work);
void sw_typing_free(struct sw_typing *typing, struct sw_work *work);

#endif
