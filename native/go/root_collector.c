/* Roots and their words, as every kind of root adds them. */
#include "go/root.h"

#include <stdarg.h>
#include <stdio.h>

struct sw_error *sw_roots_add_root(struct sw_root_collector *collector, struct sw_go_root root,
				   uint32_t group, uint32_t *number)
{
	struct sw_heap *heap = collector->heap;
	*number = (uint32_t)heap->roots.count;
	if (!root.name)
		return sw_error_memory();
	struct sw_error *error = sw_go_roots_add(&collector->go->roots, root);
	if (error) {
		free(root.name);
		return error;
	}
	return sw_roots_add(&heap->roots, (struct sw_root){.group = group});
}

/* What a thread in malloc has in hand still holds the pointers of what was freed there. */
static bool is_object(const struct sw_root_collector *collector, sw_addr pointer)
{
	const struct sw_span *span = sw_heap_span(collector->heap, pointer);
	uint32_t index = span ? sw_span_index(span, pointer) : 0;
	return span && index < span->count &&
	       !sw_go_span_is_in_the_making(&collector->go->spans.items[span->owner], index);
}

struct sw_error *sw_roots_add_word(struct sw_root_collector *collector, uint32_t root, sw_addr at,
				   sw_addr pointer)
{
	if (!is_object(collector, pointer))
		return NULL;
	return sw_root_words_add(&collector->heap->root_words,
				 (struct sw_root_word){.pointer = pointer, .at = at, .root = root});
}

char *sw_roots_name(const char *format, ...)
{
	char *name;
	va_list arguments;
	va_start(arguments, format);
	int length = vasprintf(&name, format, arguments);
	va_end(arguments);
	return length < 0 ? NULL : name;
}

struct sw_error *sw_roots_group(struct sw_root_collector *collector, uint32_t *group,
				enum sw_go_root_kind kind, const char *name)
{
	if (*group != SW_NO_ROOT)
		return NULL;
	return sw_roots_add_root(collector, (struct sw_go_root){.kind = kind, .name = strdup(name)},
				 SW_NO_ROOT, group);
}
