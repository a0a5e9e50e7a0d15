/* What an error of the program says: the text that its Error() would give, for those of Go's
 * libraries; for others their type and fields. */
#ifndef SW_OWNER_BUFFER_ERROR_H
#define SW_OWNER_BUFFER_ERROR_H

#include "owner/live.h"

/* Of the error interface at a path of a value. False and "" for nil, or when it cannot be read. */
bool sw_owner_error(const struct sw_live *live, struct sw_value of, const char *path, char *out,
		    size_t size);

#endif
