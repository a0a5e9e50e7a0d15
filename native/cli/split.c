#include "cli/split.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Reads one word at line[*at] into out, which has room for it, and moves *at behind it. Returns the
 * quote that is still open. */
static char read_word(const char *line, size_t *at, char *out)
{
	char quote = 0;

	for (; line[*at] && (quote || !is_blank(line[*at])); ++*at) {
		char c = line[*at];
		if (quote == '\\') {
			*out++ = c;
			quote = 0;
		} else if (quote && c == quote) {
			quote = 0;
		} else if (quote == '"' && c == '\\' &&
			   (line[*at + 1] == '"' || line[*at + 1] == '\\')) {
			*out++ = line[++*at];
		} else if (!quote && (c == '\'' || c == '"' || c == '\\')) {
			quote = c;
		} else {
			*out++ = c;
		}
	}
	*out = 0;
	return quote;
}

static struct sw_error *add_word(struct sw_split *out, char *word)
{
	char **words = reallocarray(out->words, out->count + 1, sizeof(*words));

	if (!words) {
		free(word);
		return sw_error_memory();
	}
	out->words = words;
	out->words[out->count++] = word;
	return NULL;
}

struct sw_error *sw_split_line(const char *line, struct sw_split *out)
{
	struct sw_error *error = NULL;
	size_t at = 0, size = strlen(line);

	*out = (struct sw_split){0};
	while (!error) {
		while (is_blank(line[at]))
			at++;
		out->is_comment = line[at] == '#';
		if (!line[at] || out->is_comment)
			break;
		out->last = at;
		char *word = malloc(size - at + 1);
		if (!word)
			return sw_error_memory();
		out->quote = read_word(line, &at, word);
		out->is_inside = !line[at];
		error = add_word(out, word);
	}
	return error;
}

void sw_split_free(struct sw_split *split)
{
	for (size_t i = 0; i < split->count; i++)
		free(split->words[i]);
	free(split->words);
	*split = (struct sw_split){0};
}

static bool needs_backslash(char c, char quote)
{
	if (quote == '\'')
		return false;
	if (quote == '"')
		return c == '"' || c == '\\';
	return is_blank(c) || c == '\'' || c == '"' || c == '\\' || c == '#';
}

char *sw_split_quote(const char *word, char quote)
{
	char *text = malloc(4 * strlen(word) + 1), *out = text;

	for (; out && *word; word++) {
		if (quote == '\'' && *word == '\'') {
			memcpy(out, "'\\''", 4);
			out += 4;
			continue;
		}
		if (needs_backslash(*word, quote))
			*out++ = '\\';
		*out++ = *word;
	}
	if (out)
		*out = 0;
	return text;
}
