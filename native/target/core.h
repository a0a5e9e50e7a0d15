/* The parts of a core file: bytes (core_file.c), notes (core_notes.c), .zst (core_unpack.c).
 * Private to target/. */
#ifndef SW_TARGET_CORE_H
#define SW_TARGET_CORE_H

#include "target/parts.h"

#include <elf.h>

/* The bytes of a core in this process; size may be less than the headers promise. */
struct sw_core {
	const char *path; /* not owned */
	const uint8_t *bytes;
	uint64_t size;		/* bytes */
	void *mapped;		/* the mapped file, NULL once a .zst was unpacked */
	uint64_t mapped_size;	/* bytes */
	struct sw_work *work;	/* counts `unpacked` */
	uint8_t *unpacked;	/* of a .zst, from sw_work_alloc() */
	uint64_t unpacked_size; /* bytes allocated */
	char *cut;		/* why a .zst did not unpack whole, or NULL */
};

/* True when the file is zstd-compressed, by its first bytes. */
bool sw_core_is_zstd(const uint8_t *bytes, uint64_t size);

/* Unpacks core->mapped into core->unpacked and points bytes and size there. What could be had of
 * a damaged or cut file is kept, core->cut says what was wrong. */
struct sw_error *sw_core_unpack(struct sw_core *core);

/* Takes threads, mappings, auxv and the process' id from the notes of one PT_NOTE segment; a note
 * that is cut or of a size of its own is left out. */
struct sw_error *sw_core_take_notes(struct sw_target *target, const uint8_t *bytes, uint64_t size);

#endif
