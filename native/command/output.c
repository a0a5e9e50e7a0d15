#include "command/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct sw_error *write_all(int file, const char *text, const char *path)
{
	size_t size = strlen(text);

	while (size) {
		ssize_t written = write(file, text, size);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return sw_error_errno(errno, "cannot write %s", path);
		text += written;
		size -= (size_t)written;
	}
	return NULL;
}

static struct sw_error *write_and_close(int file, const char *text, const char *path)
{
	struct sw_error *error = write_all(file, text, path);

	/* Some file systems report a full disk only here. */
	if (close(file) && !error)
		error = sw_error_errno(errno, "cannot write %s", path);
	return error;
}

static struct sw_error *cannot_create(const char *path)
{
	return sw_error_hint(sw_error_errno(errno, "cannot create %s", path),
			     "give --output a file in a folder that can be written");
}

static struct sw_error *write_in_place(const char *path, const char *text)
{
	int file = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);

	return file < 0 ? cannot_create(path) : write_and_close(file, text, path);
}

/* open() with 0666 leaves the mode to the umask; mkstemp() would make it 0600 for ever. */
static int create_beside(const char *path, char **name)
{
	for (unsigned attempt = 0; attempt < 100; attempt++) {
		if (asprintf(name, "%s.%d.%u.part", path, (int)getpid(), attempt) < 0)
			break;
		int file = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (file >= 0)
			return file;
		int number = errno;
		free(*name);
		errno = number;
		if (number != EEXIST)
			break;
	}
	*name = NULL;
	return -1;
}

static struct sw_error *replace(const char *path, const char *text)
{
	char *name;
	int file = create_beside(path, &name);

	if (file < 0)
		return cannot_create(path);
	struct sw_error *error = write_and_close(file, text, path);
	if (!error && rename(name, path))
		error = cannot_create(path);
	if (error)
		unlink(name);
	free(name);
	return error;
}

/* Minutes of analysis are not to end in a folder that cannot be written. */
struct sw_error *sw_command_probe(const char *path)
{
	struct stat status;
	char *name;

	if (!stat(path, &status) && !S_ISREG(status.st_mode))
		return NULL;
	int file = create_beside(path, &name);
	if (file < 0)
		return cannot_create(path);
	close(file);
	unlink(name);
	free(name);
	return NULL;
}

struct sw_error *sw_command_write(const char *path, const char *text)
{
	struct stat status;

	if (stat(path, &status))
		return replace(path, text);
	if (!S_ISREG(status.st_mode))
		return write_in_place(path, text);
	/* Through a symbolic link the file it names is replaced, not the link. */
	char *real = realpath(path, NULL);
	struct sw_error *error = replace(real ? real : path, text);
	free(real);
	return error;
}
