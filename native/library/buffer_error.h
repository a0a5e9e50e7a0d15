/* What an error of the program says: the text that its Error() would give, for those of Go's
 * libraries; for others their type and fields. */
#ifndef SW_LIBRARY_BUFFER_ERROR_H
#define SW_LIBRARY_BUFFER_ERROR_H

#include "view/live.h"

/* Of the error interface at a path of a value. False and "" for nil, or when it cannot be read. */
bool sw_library_error(const struct sw_live *live, struct sw_value of, const char *path, char *out,
		      size_t size);

#endif
