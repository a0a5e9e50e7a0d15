/* The labels of a goroutine, as runtime/pprof.Do sets them (runtime/pprof/label.go). */
#ifndef SW_GO_LABELS_H
#define SW_GO_LABELS_H

#include "base/vector.h"
#include "go/runtime.h"

/* Two strings of the target, not NUL-terminated and not checked for UTF-8; they belong to the
 * target's memory. */
struct sw_go_label {
	const char *key, *value;
	size_t key_size, value_size; /* bytes */
};
SW_VECTOR(struct sw_go_label, sw_go_label_list);

/* Adds the labels, by rising key. *is_known is false when they cannot be read: then none are added.
 * g.labels is a *labelMap: until Go 1.23 a map[string]string, from 1.24 on a list of pairs. */
struct sw_error *sw_go_labels(const struct sw_go *go, const struct sw_goroutine *goroutine,
			      struct sw_go_label_list *out, bool *is_known);

#endif
