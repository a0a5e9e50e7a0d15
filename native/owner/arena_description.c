#include "owner/arena_description.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const keys[SW_ARENA_KEYS] = {"buf", "off", "cap", "next", "cur"};

struct parser {
	const char *at;
	unsigned line;
	struct sw_arena_description now;
};

static struct sw_error *wrong(const struct parser *parser, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static struct sw_error *wrong(const struct parser *parser, const char *format, ...)
{
	char what[256];
	va_list list;
	va_start(list, format);
	vsnprintf(what, sizeof(what), format, list);
	va_end(list);
	return sw_error_hint(
		sw_error_format(SW_ERR_USAGE, "description of an arena, line %u: %s", parser->line,
				what),
		"as in main.arena{buf=chunk, off=used, next=next}; keys are buf off cap next cur");
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void skip_blanks(struct parser *parser)
{
	while (is_blank(*parser->at))
		parser->at++;
}

/* Blanks, ends of lines, comments, and semicolons. */
static void skip_between(struct parser *parser)
{
	for (;; parser->at++) {
		if (*parser->at == '#')
			parser->at += strcspn(parser->at, "\n");
		if (*parser->at == '\n')
			parser->line++;
		else if (!is_blank(*parser->at) && *parser->at != ';')
			return;
	}
}

/* `length` bytes without the blanks at their end; NULL without memory. */
static char *copy(const char *from, size_t length)
{
	while (length && is_blank(from[length - 1]))
		length--;
	return strndup(from, length);
}

static bool is_part_of_path(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || (c & 128);
}

/* Names with single dots between them. */
static size_t path_length(const char *path)
{
	size_t length = 0;
	for (;; length++) {
		size_t begin = length;
		while (is_part_of_path(path[length]))
			length++;
		if (length == begin)
			return 0;
		if (path[length] != '.')
			return length;
	}
}

static struct sw_error *parse_pair(struct parser *parser)
{
	size_t length = path_length(parser->at), key = 0;
	while (key < SW_ARENA_KEYS &&
	       (strlen(keys[key]) != length || strncmp(parser->at, keys[key], length) != 0))
		key++;
	if (key == SW_ARENA_KEYS)
		return wrong(parser, "a key is wanted at \"%.20s\"", parser->at);
	if (parser->now.paths[key])
		return wrong(parser, "%s twice", keys[key]);
	parser->at += length;
	skip_blanks(parser);
	if (*parser->at != '=')
		return wrong(parser, "= is wanted behind %s", keys[key]);
	parser->at++;
	skip_blanks(parser);
	length = path_length(parser->at);
	if (!length)
		return wrong(parser, "%s is no field at \"%.20s\"", keys[key], parser->at);
	parser->now.paths[key] = copy(parser->at, length);
	parser->at += length;
	skip_blanks(parser);
	return parser->now.paths[key] ? NULL : sw_error_memory();
}

static struct sw_error *parse_pairs(struct parser *parser)
{
	struct sw_error *error = NULL;
	skip_blanks(parser);
	while (!error && *parser->at != '}') {
		error = parse_pair(parser);
		if (error || *parser->at == '}')
			break;
		if (*parser->at != ',')
			return wrong(parser, "} is wanted at \"%.20s\"", parser->at);
		parser->at++;
		skip_blanks(parser);
	}
	if (!error && !parser->now.paths[SW_ARENA_BUF])
		error = wrong(parser, "%s has no buf", parser->now.type);
	if (!error)
		parser->at++;
	return error;
}

static struct sw_error *parse_one(struct parser *parser)
{
	size_t length = strcspn(parser->at, "{};#\n");
	struct sw_error *error;

	if (!length || parser->at[length] != '{')
		return wrong(parser, "TYPE{buf=FIELD…} is wanted at \"%.20s\"", parser->at);
	parser->now.type = copy(parser->at, length);
	if (!parser->now.type)
		return sw_error_memory();
	parser->at += length + 1;
	error = parse_pairs(parser);
	if (error)
		return error;
	skip_blanks(parser);
	if (*parser->at && !strchr(";\n#", *parser->at))
		return wrong(parser, "; is wanted at \"%.20s\"", parser->at);
	return NULL;
}

static void clear_one(struct sw_arena_description *description)
{
	free(description->type);
	for (size_t i = 0; i < SW_ARENA_KEYS; i++)
		free(description->paths[i]);
	memset(description, 0, sizeof(*description));
}

struct sw_error *sw_arena_descriptions_parse(const char *text, struct sw_arena_descriptions *out)
{
	struct parser parser = {.at = text, .line = 1};
	struct sw_error *error = NULL;

	for (skip_between(&parser); !error && *parser.at; skip_between(&parser)) {
		error = parse_one(&parser);
		if (!error)
			error = sw_arena_descriptions_add(out, parser.now);
		if (error)
			clear_one(&parser.now);
		else
			memset(&parser.now, 0, sizeof(parser.now));
	}
	return error;
}

void sw_arena_descriptions_clear(struct sw_arena_descriptions *descriptions)
{
	for (size_t i = 0; i < descriptions->count; i++)
		clear_one(&descriptions->items[i]);
	sw_arena_descriptions_free(descriptions);
}
