/* Private to layout_check.c and layout_descriptor.c. */
#ifndef SW_GO_LAYOUT_CHECK_H
#define SW_GO_LAYOUT_CHECK_H

#include "go/runtime.h"

/* SW_ERR_UNSUPPORTED: "the structures of this program are not those of go1.26.11: …". */
struct sw_error *sw_go_layout_misfit(const struct sw_go *go, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* ... when the program's type descriptors contradict the tables. */
struct sw_error *sw_go_check_descriptors(struct sw_go *go);

#endif
