/* What a reader reads from and a writer writes to: a connection, a file, a pipe, another reader;
 * and whether that is still open. */
#ifndef SW_LIBRARY_BUFFER_PEER_H
#define SW_LIBRARY_BUFFER_PEER_H

#include "view/live.h"

struct sw_peer {
	char words[160]; /* "a connection that is closed", "the file /x", "a main.source" */
	bool is_closed;
};

/* Of the interface, pointer or struct at a path of a value. False when it is nil or not readable.
 */
bool sw_peer_read(const struct sw_live *live, struct sw_value of, const char *path,
		  struct sw_peer *out);

#endif
