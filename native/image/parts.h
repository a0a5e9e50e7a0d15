/* What an open image keeps beside its public part. Private to image/. */
#ifndef SW_IMAGE_PARTS_H
#define SW_IMAGE_PARTS_H

#include "image/elf_file.h"
#include "image/image.h"

#include <pthread.h>

enum { SW_IMAGE_PAGE = 4096 }; /* bytes; the smallest on amd64 and arm64 */

struct sw_symbol {
	uint64_t addr, size; /* link-time; bytes */
	const char *name;    /* in the file */
	bool is_absolute;    /* does not move with the image */
	bool is_local;
};

/* Built when first asked for. */
struct sw_symbols {
	struct sw_symbol *items; /* in rising order of address, at one address the larger first */
	size_t count;
	uint32_t *names;  /* hash table of indexes + 1, 0: empty */
	size_t name_mask; /* slots - 1 */
};

struct sw_image_parts {
	struct sw_image image; /* must be first: the public pointer is to it */
	pthread_mutex_t lock;  /* for the index */
	bool is_indexed;
	struct sw_symbols symbols;
	uint8_t *zeroes; /* what .bss reads as where a core has no page */
	size_t zeroes_size;
	struct sw_image_parts *next; /* placed libraries, closed with this one */
};

static inline struct sw_bytes sw_image_file(const struct sw_image *image)
{
	return (struct sw_bytes){image->bytes, image->size};
}

/* Indexes .symtab and .dynsym; an empty index when there is none or memory is short. */
void sw_symbols_build(struct sw_symbols *symbols, struct sw_bytes file);
void sw_symbols_free(struct sw_symbols *symbols);

/* Adds the segments of a placed image where the target has no bytes. */
struct sw_error *sw_image_overlay(struct sw_image_parts *parts, struct sw_target *target);

/* sw_image_place() for an image of which it is known where it lies. */
struct sw_error *sw_image_place_at(struct sw_image *image, struct sw_target *target, uint64_t bias);

#endif
