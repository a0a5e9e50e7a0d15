#include "target/open_files.h"

#include "target/live.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum {
	PATH_SIZE = 64, /* "/proc/PID/…" */
	LINK_SIZE = 4096,
	/* Slots of the table of descriptors up to which they are listed while the process stands
	 * still: about 10 ms. */
	MAX_SLOTS = 16384,
};

static const char EVENTPOLL[] = "anon_inode:[eventpoll]";

/* ---- numbers ---- */

static int by_value(const void *a, const void *b)
{
	const int *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static struct sw_error *list_numbers(int pid, struct sw_numbers *out)
{
	char path[PATH_SIZE];
	struct sw_error *error = NULL;
	struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	DIR *folder = opendir(path);
	if (!folder)
		return sw_error_hint(sw_error_errno(errno, "cannot list %s", path),
				     "run as the same user as the process, or as root");
	while (!error && (entry = readdir(folder))) {
		char *end;
		long number = strtol(entry->d_name, &end, 10);
		if (end != entry->d_name && !*end && number >= 0 && number <= INT32_MAX)
			error = sw_numbers_add(out, (int)number);
	}
	closedir(folder);
	if (out->count)
		qsort(out->items, out->count, sizeof(*out->items), by_value);
	return error;
}

void sw_procfs_descriptors(int pid, struct sw_target *target)
{
	long slots = sw_procfs_status(pid, "FDSize");
	if (slots < 0 || slots > MAX_SLOTS)
		return;
	struct sw_error *error = list_numbers(pid, &target->descriptors);
	target->knows_descriptors = !error;
	sw_error_free(error);
}

/* ---- what they lead to ---- */

static struct sw_error *add_file(int pid, int number, struct sw_open_files *out)
{
	char path[PATH_SIZE], to[LINK_SIZE];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, number);
	ssize_t length = readlink(path, to, sizeof(to) - 1);
	to[length > 0 ? length : 0] = 0;
	out->items[out->count].number = number;
	out->items[out->count].to = strdup(to);
	return out->items[out->count++].to ? NULL : sw_error_memory();
}

/* Lines "tfd:        4 events:       19 data:     5b3c40 pos:0 …" (fs/eventpoll.c). */
static struct sw_error *read_watched(int pid, int epoll, struct sw_open_files *out)
{
	char path[PATH_SIZE], line[256];
	struct sw_error *error = NULL;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, epoll);
	FILE *file = fopen(path, "re");
	if (!file)
		return NULL;
	while (!error && fgets(line, sizeof(line), file)) {
		struct sw_watched watched = {.epoll = epoll};
		if (sscanf(line, "tfd: %d events: %*x data: %" SCNx64, &watched.number,
			   &watched.data) == 2)
			error = sw_watches_add(&out->watches, watched);
	}
	fclose(file);
	return error;
}

static uint64_t read_limit(int pid)
{
	char path[PATH_SIZE], line[256];
	uint64_t limit = 0;

	snprintf(path, sizeof(path), "/proc/%d/limits", pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return 0;
	while (!limit && fgets(line, sizeof(line), file))
		if (sscanf(line, "Max open files %" SCNu64, &limit) != 1)
			limit = 0;
	fclose(file);
	return limit;
}

static struct sw_error *fill(int pid, const struct sw_numbers *numbers, struct sw_open_files *out)
{
	struct sw_error *error = NULL;

	out->items = calloc(numbers->count + 1, sizeof(*out->items));
	if (!out->items)
		return sw_error_memory();
	for (size_t i = 0; !error && i < numbers->count; i++)
		error = add_file(pid, numbers->items[i], out);
	for (size_t i = 0; !error && i < out->count; i++)
		if (!strcmp(out->items[i].to, EVENTPOLL))
			error = read_watched(pid, out->items[i].number, out);
	out->limit = read_limit(pid);
	return error;
}

struct sw_error *sw_open_files_read(const struct sw_target *target, struct sw_open_files *out)
{
	struct sw_numbers now = {0};
	struct sw_error *error = NULL;

	memset(out, 0, sizeof(*out));
	if (target->kind != SW_TARGET_PROCESS)
		return sw_error_format(SW_ERR_NOT_FOUND,
				       "a core does not tell which descriptors were open");
	out->is_exact = target->knows_descriptors;
	if (!out->is_exact)
		error = list_numbers(target->pid, &now);
	if (!error)
		error = fill(target->pid, out->is_exact ? &target->descriptors : &now, out);
	sw_numbers_free(&now);
	if (error)
		sw_open_files_free(out);
	return error;
}

void sw_open_files_free(struct sw_open_files *files)
{
	for (size_t i = 0; i < files->count; i++)
		free(files->items[i].to);
	free(files->items);
	sw_watches_free(&files->watches);
	memset(files, 0, sizeof(*files));
}

const struct sw_open_file *sw_open_files_find(const struct sw_open_files *files, int64_t number)
{
	size_t low = 0, high = files->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (files->items[middle].number <= number)
			low = middle + 1;
		else
			high = middle;
	}
	return low && files->items[low - 1].number == number ? &files->items[low - 1] : NULL;
}
