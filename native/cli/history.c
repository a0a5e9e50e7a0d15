#include "cli/history.h"
#include "command/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	KEPT_LINES = 1000,
	CUT_LINES = 2 * KEPT_LINES, /* a longer file is cut to KEPT_LINES */
};

char *sw_history_path(void)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	char *path = NULL;
	int size = 0;

	/* A relative path is to be ignored: XDG Base Directory Specification. */
	if (state && *state == '/')
		size = asprintf(&path, "%s/spanwalk/history", state);
	else if (home && *home == '/')
		size = asprintf(&path, "%s/.local/state/spanwalk/history", home);
	else
		return strdup("");
	return size < 0 ? NULL : path;
}

void sw_history_free(struct sw_history_lines *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		free(lines->items[i]);
	sw_history_lines_free(lines);
}

static struct sw_error *read_lines(FILE *file, struct sw_history_lines *out)
{
	struct sw_error *error = NULL;
	char *line = NULL;
	size_t capacity = 0;
	ssize_t size;

	while (!error && (size = getline(&line, &capacity, file)) >= 0) {
		if (size && line[size - 1] == '\n')
			line[size - 1] = 0;
		if (!*line)
			continue;
		char *copy = strdup(line);
		error = copy ? sw_history_lines_add(out, copy) : sw_error_memory();
		if (error)
			free(copy);
	}
	free(line);
	return error;
}

/* Two shells at once: what the other adds meanwhile may be lost, never half a line kept. */
static void cut(const char *path, const struct sw_history_lines *lines)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return;
	for (size_t i = lines->count - KEPT_LINES; i < lines->count; i++)
		fprintf(out, "%s\n", lines->items[i]);
	if (!fclose(out)) {
		sw_error_free(sw_command_write(path, text));
		chmod(path, 0600);
	}
	free(text);
}

struct sw_error *sw_history_load(const char *path, struct sw_history_lines *out)
{
	FILE *file = *path ? fopen(path, "re") : NULL;

	*out = (struct sw_history_lines){0};
	if (!file)
		return NULL;
	struct sw_error *error = read_lines(file, out);
	fclose(file);
	if (error || out->count <= KEPT_LINES)
		return error;
	if (out->count > CUT_LINES)
		cut(path, out);
	size_t dropped = out->count - KEPT_LINES;
	for (size_t i = 0; i < dropped; i++)
		free(out->items[i]);
	memmove(out->items, out->items + dropped, KEPT_LINES * sizeof(*out->items));
	out->count = KEPT_LINES;
	return NULL;
}

/* The folders of a path, the private way the specification wants them. */
static void make_folders(const char *path)
{
	char *copy = strdup(path);

	for (char *slash = copy ? strchr(copy + 1, '/') : NULL; slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(copy, 0700);
		*slash = '/';
	}
	free(copy);
}

void sw_history_add(const char *path, const char *line)
{
	if (!*path)
		return;
	make_folders(path);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
	if (fd < 0)
		return;
	char *text;
	int size = asprintf(&text, "%s\n", line);
	if (size > 0) {
		/* One write: lines of two shells do not mix. */
		if (write(fd, text, (size_t)size) < 0)
			errno = 0;
		free(text);
	}
	close(fd);
}
