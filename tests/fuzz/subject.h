/* The core and the executable under test: two files in memory that are damaged and mended. */
#ifndef FUZZ_SUBJECT_H
#define FUZZ_SUBJECT_H

#include "base/vector.h"
#include "target/memory.h"

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>

enum subject_file { CORE, EXE, FILES };

struct file {
	int fd;		/* a memory file */
	uint8_t *bytes; /* mapped, writable */
	uint64_t size;	/* bytes, as loaded */
	char path[32];	/* to open it by */
	Elf64_Phdr *segments;
	unsigned segment_count;
};

/* What stood somewhere before it was damaged. */
struct change {
	enum subject_file file;
	uint64_t offset, size; /* bytes */
	uint8_t *before;       /* owned */
};
SW_VECTOR(struct change, changes);

struct subject {
	struct file files[FILES];
	uint64_t bias; /* of the executable */
	struct changes changes;
};

/* A place in one of the files, and how many bytes from there belong to the same segment. */
struct place {
	enum subject_file file;
	uint64_t offset, room;
};

/* Loads both. The core is laid out anew: between segments that are no neighbours in the target
 * there is a gap, so that reading over a segment's end cannot hit the next one by luck. Exits
 * with a message when a file cannot be read. */
void subject_load(struct subject *subject, const char *exe, const char *core);
void subject_free(struct subject *subject);

/* Where the target's address is stored: in the core, else in the executable. */
bool subject_find(const struct subject *subject, sw_addr addr, struct place *out);
/* The word at an address; 0 when it is in neither file. */
uint64_t subject_peek(const struct subject *subject, sw_addr addr);

/* Writes within the file (what lies outside is left out), and remembers what stood there. */
void subject_write(struct subject *subject, enum subject_file file, uint64_t offset,
		   const void *bytes, uint64_t size);
/* The same at an address of the target; nothing happens when it is in neither file. */
void subject_poke(struct subject *subject, sw_addr addr, const void *bytes, uint64_t size);
void subject_poke64(struct subject *subject, sw_addr addr, uint64_t word);

/* Undoes every write, the last first. */
void subject_mend(struct subject *subject);

/* Cuts a file to a smaller size; cannot be undone. */
void subject_cut(struct subject *subject, enum subject_file file, uint64_t size);

/* Writes both files as they are now to FOLDER/core and FOLDER/exe. */
void subject_save(const struct subject *subject, const char *folder);

#endif
