/* Strings on a terminal: UTF-8, width, wrapping. */
#include "base/utf8.h"
#include "report/text.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

/* uselocale() is of this thread alone: a debugger's own locale stays as it is. Where C.UTF-8 is
 * not installed every character counts as one column. */
void sw_text_enter(struct sw_text_locale *locale)
{
	locale->ours = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (!locale->ours)
		locale->ours = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	locale->before = locale->ours ? uselocale(locale->ours) : (locale_t)0;
}

void sw_text_leave(struct sw_text_locale *locale)
{
	if (!locale->ours)
		return;
	uselocale(locale->before);
	freelocale(locale->ours);
}

/* Names come from the target: none may reach the terminal as an escape sequence, or show text in
 * another order than it has. */
static bool is_unsafe(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x200e ||
	       point == 0x200f || (point >= 0x2028 && point <= 0x202e) ||
	       (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
}

char *sw_text_clean(const char *bytes, size_t size)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		return NULL;
	for (size_t i = 0; i < size;) {
		uint32_t point = 0xfffd;
		size_t step = sw_utf8_decode(bytes + i, size - i, &point);
		if (point == '\n' || point == '\t' || point == '\r')
			fputc(' ', out);
		else if (!step || is_unsafe(point))
			fprintf(out, "\\u%04x", (unsigned)point);
		else
			fwrite(bytes + i, 1, step, out);
		i += step ? step : 1;
	}
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

/* Bytes of the character at `text` (not its end), and its columns. */
static size_t step_over(const char *text, size_t *columns)
{
	uint32_t point;
	size_t step = sw_utf8_decode(text, strnlen(text, 4), &point);
	int width = step ? wcwidth((wchar_t)point) : 1;

	*columns = width < 0 ? 1 : (size_t)width;
	return step ? step : 1;
}

size_t sw_text_width(const char *text)
{
	size_t total = 0, columns;

	while (*text) {
		text += step_over(text, &columns);
		total += columns;
	}
	return total;
}

char *sw_text_shorten(const char *text, size_t limit)
{
	size_t total = sw_text_width(text);

	if (total <= limit || limit < 3)
		return strdup(text);
	/* The end of a Go name tells more than the begin of its import path. */
	size_t head = (limit - 1) / 3, tail = limit - 1 - head, used = 0, columns;
	const char *cut = text, *rest;
	for (size_t step; step = step_over(cut, &columns), used + columns <= head; cut += step)
		used += columns;
	for (rest = cut; *rest && total - used > tail; used += columns)
		rest += step_over(rest, &columns);

	char *out;
	return asprintf(&out, "%.*s…%s", (int)(cut - text), text, rest) < 0 ? NULL : out;
}

void sw_text_wrap(FILE *out, const char *text, unsigned width, size_t column, size_t indent)
{
	bool is_first = true;

	while (*(text += strspn(text, " "))) {
		size_t size = strcspn(text, " "), used = 0, columns;
		for (size_t i = 0; i < size; used += columns)
			i += step_over(text + i, &columns);
		if (!is_first && width && column + 1 + used > width) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (!is_first) {
			fputc(' ', out);
			column++;
		}
		fwrite(text, 1, size, out);
		column += used;
		text += size;
		is_first = false;
	}
	fputc('\n', out);
}
