/* Buffers of Go's libraries that hold memory and nothing of use in it. */
#ifndef SW_OWNER_IDLE_BUFFER_H
#define SW_OWNER_IDLE_BUFFER_H

#include "view/field.h"

enum sw_idle_kind {
	SW_IDLE_BUFFER,	 /* bytes.Buffer: all was read, or reset */
	SW_IDLE_BUILDER, /* strings.Builder: nothing was written */
	SW_IDLE_READER,	 /* bufio.Reader: what it reads from is closed */
	SW_IDLE_WRITER,	 /* bufio.Writer: what it writes to is closed */
	SW_IDLE_KINDS,
};

struct sw_idle_buffers {
	uint64_t buffers, size;			  /* of all kinds; bytes of their arrays */
	struct sw_field_rows rows[SW_IDLE_KINDS]; /* by the field that holds the buffer; all bytes
						   * are wasted */
	uint64_t *arrays; /* a bit for each object: those that are their arrays */
	uint32_t object_count;
};

/* Those with arrays of min_bytes or more. */
struct sw_error *sw_idle_buffers_find(struct sw_fields *fields, uint64_t min_bytes,
				      struct sw_idle_buffers *out);
void sw_idle_buffers_free(struct sw_idle_buffers *idle, struct sw_work *work);

/* "bytes.Buffer", … */
const char *sw_idle_name(enum sw_idle_kind kind);

#endif
