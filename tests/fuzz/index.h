/* An index whose content is wrong but whose checksums are right, as somebody might write it on
 * purpose. */
#ifndef FUZZ_INDEX_H
#define FUZZ_INDEX_H

#include "random.h"
#include "subject.h"

struct index_file {
	char folder[512];
	char core[600], exe[600], path[700]; /* in the folder */
	uint8_t *intact;		     /* as a session wrote it */
	uint64_t size;			     /* bytes */
};

/* Puts the core and the executable as they are now into a folder of their own. Exits when that
 * cannot be done. */
void index_create(struct index_file *index, const struct subject *subject);
/* Writes their index. */
void index_write(struct index_file *index);
/* Writes the index anew, with damages. What was done is added to `text`. */
void index_damage(const struct index_file *index, struct random *random, char *text, size_t size);
/* Removes the folder. */
void index_remove(struct index_file *index);

#endif
