/* The size classes of small objects: runtime/sizeclasses.go; the same from 1.18 to 1.27. */
#ifndef SW_GO_SIZE_CLASS_H
#define SW_GO_SIZE_CLASS_H

#include <stdint.h>

enum { SW_SIZE_CLASSES = 68, SW_MAX_SMALL_SIZE = 32768 };

/* Bytes of a slot; class 0 is that of large objects. */
extern const uint16_t sw_go_class_size[SW_SIZE_CLASSES];

#endif
