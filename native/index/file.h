/* The file of an index: its name, its head, its sections. Private to this room. */
#ifndef SW_INDEX_FILE_H
#define SW_INDEX_FILE_H

#include "index/index.h"

enum {
	SW_INDEX_FORMAT = 2, /* of what is written; the tool's build is compared too */
	SW_INDEX_PAGE = 4096,
};

/* What an index belongs to, in the order in which it is compared. */
enum sw_index_identity {
	SW_INDEX_TOOL,	  /* version and build of spanwalk */
	SW_INDEX_CORE,	  /* the file: device, inode, size, time */
	SW_INDEX_EXE,	  /* ... and the build id */
	SW_INDEX_SYMBOLS, /* --symbols */
	SW_INDEX_VIEW,	  /* threads, mappings, regions of memory, a few of their pages */
	SW_INDEX_OPENED,  /* those above: known once the target is open */
	/* Slots, roots, marked objects. */
	SW_INDEX_HEAP = SW_INDEX_OPENED,
	SW_INDEX_IDENTITIES,
};

enum sw_index_section {
	SW_SECTION_MARKS, /* calls; unread objects of each; bits of each */
	SW_SECTION_TABLE, /* sw_types_store() */
	SW_SECTION_TYPES, /* of objects */
	SW_SECTION_ROOT_TYPES,
	SW_SECTION_PARENTS,
	SW_SECTION_EDGES,
	SW_SECTION_DOMINATORS,
	SW_SECTION_RETAINED_BYTES,
	SW_SECTION_RETAINED_OBJECTS,
	SW_SECTION_HEAVIEST,
	SW_SECTIONS,
};

/* The first page of the file; what follows in it is 0. */
struct sw_index_head {
	char magic[8];
	uint32_t format, byte_order;
	uint64_t size; /* of the file, in bytes */
	uint64_t identities[SW_INDEX_IDENTITIES];
	uint64_t damaged_masks; /* struct sw_go, behind marking */
	uint64_t root_pointers, known_by_debug_information, known_by_interface, known_by_code;
	struct {
		uint64_t offset, size; /* bytes; the offset is a multiple of SW_INDEX_PAGE */
		uint64_t checksum;
	} sections[SW_SECTIONS];
	uint64_t checksum; /* of what stands above */
};

enum sw_section_state { SW_SECTION_NEW, SW_SECTION_RIGHT, SW_SECTION_WRONG };

struct sw_index {
	char *core;
	enum sw_index_use use;
	uint64_t identities[SW_INDEX_IDENTITIES];

	char *path;	      /* of the file, NULL: none */
	const char *fault;    /* of it, or of one that was passed over */
	const uint8_t *bytes; /* the file, mapped; NULL: none that counts */
	uint64_t size;
	struct sw_index_head head;
	/* Each belongs to one of those who take: no two threads write one. */
	enum sw_section_state states[SW_SECTIONS];

	bool is_written; /* by this session: whole, whatever the one that was read is like */
	struct sw_mark_log marks;
	uint64_t damaged_masks; /* behind marking */
	void *table;		/* sw_index_keep_types(), owned; NULL: the file's, or none */
	uint64_t table_size;
};

/* ---- identity.c ---- */
/* Those that are known when the target is open. */
struct sw_error *sw_index_identify(struct sw_index *index, const struct sw_go *go);
uint64_t sw_index_identify_heap(const struct sw_go *go, const struct sw_heap *heap);
/* "another build of spanwalk wrote it" */
const char *sw_index_difference(enum sw_index_identity identity);

/* ---- place.c ---- */
/* Where the file may be: beside the core, in the cache. malloc'ed; NULL without memory, "" where
 * there is no such place. */
enum { SW_INDEX_PLACES = 2 };
char *sw_index_place(const char *core, unsigned place);
/* Makes the folders of a path; that they are there in the end is for who opens the file to see. */
void sw_index_make_folders(const char *path);

/* ---- file.c ---- */
/* Opens the first of the places that has a file that counts. */
struct sw_error *sw_index_find(struct sw_index *index);
void sw_index_unmap(struct sw_index *index);
/* A section whose checksum is right, of `size` bytes (UINT64_MAX: any); *bytes is NULL for another.
 */
struct sw_error *sw_index_section(struct sw_index *index, enum sw_index_section section,
				  uint64_t size, struct sw_work *work, const void **bytes);
/* Its numbers were found wrong. */
void sw_index_refuse(struct sw_index *index, enum sw_index_section section);

#endif
