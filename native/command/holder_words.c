#include "command/holder_words.h"

#include "library/words.h"

#include <stdio.h>

enum {
	LOOKED_AT = 256, /* of what has accumulated */
	SAID = 3,	 /* holders of a path */
};

struct phrase {
	char text[SW_LIBRARY_WORDS];
	uint32_t count;
};

/* ---- what has accumulated ---- */

static void count_phrase(struct phrase *phrases, size_t *count, const char *text)
{
	size_t i = 0;
	while (i < *count && strcmp(phrases[i].text, text) != 0)
		i++;
	if (i == *count)
		snprintf(phrases[(*count)++].text, sizeof(phrases->text), "%s", text);
	phrases[i].count++;
}

static void take_most(const struct phrase *phrases, size_t count, struct sw_holder_words *out)
{
	for (size_t i = 0; i < count; i++)
		if (phrases[i].count > out->objects) {
			snprintf(out->text, sizeof(out->text), "%s", phrases[i].text);
			out->objects = phrases[i].count;
		}
}

struct sw_error *sw_holder_words_of(const struct sw_suspect *suspect, const struct sw_live *live,
				    const struct sw_dominators *dominators,
				    struct sw_holder_words *out)
{
	struct sw_largest *largest;
	size_t found, count = 0;
	char text[SW_LIBRARY_WORDS];

	memset(out, 0, sizeof(*out));
	if (!suspect->accumulation.objects ||
	    !sw_library_words_of(live, suspect->accumulation.largest, text, sizeof(text)))
		return NULL; /* the search below would be for nothing */
	struct sw_error *error =
		sw_suspect_largest(suspect, live, dominators, LOOKED_AT, &largest, &found);
	if (error)
		return error;
	struct phrase *phrases = calloc(found + 1, sizeof(*phrases));
	for (size_t i = 0; phrases && i < found; i++)
		if (sw_library_words_of(live, largest[i].object, text, sizeof(text)))
			count_phrase(phrases, &count, text);
	if (phrases)
		take_most(phrases, count, out);
	out->looked_at = (uint32_t)found;
	error = phrases ? NULL : sw_error_memory();
	free(phrases);
	free(largest);
	return error;
}

/* ---- paths ---- */

/* The part of a holder that refers to the next one. */
static bool words_of_step(const struct sw_live *live, sw_object from, sw_object to, char *out,
			  size_t size)
{
	sw_slot slot = sw_heap_select(live->heap, from);
	uint64_t header = sw_live_start(live, from) - sw_heap_slot_address(live->heap, slot);
	uint64_t offset;
	sw_addr pointer;
	return sw_heap_pointer_to(live->heap, slot, to, &offset, &pointer) && offset >= header &&
	       sw_library_words_at(live, from, offset - header, out, size);
}

char *sw_holder_words_on(const struct sw_live *live, const struct sw_path *path)
{
	char text[SW_LIBRARY_WORDS], last[SW_LIBRARY_WORDS] = "", *said = NULL;
	size_t size, count = 0;
	FILE *out = open_memstream(&said, &size);

	if (!out)
		return NULL;
	for (size_t i = path->count; i > 1 && count < SAID; i--) {
		sw_node from = path->nodes[i - 2], to = path->nodes[i - 1];
		if (sw_graph_is_root(live->graph, from))
			break;
		if (!words_of_step(live, from, to, text, sizeof(text)) || !strcmp(text, last))
			continue;
		fprintf(out, "%s%s", count++ ? "; " : "", text);
		memcpy(last, text, sizeof(last));
	}
	fclose(out);
	return said;
}
