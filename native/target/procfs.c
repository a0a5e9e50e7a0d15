/* What /proc tells of a process (proc(5)). */
#include "target/live.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	PATH_SIZE = 64,	  /* "/proc/PID/…" */
	AUXV_SIZE = 8192, /* bytes; the kernel writes about 400 */
	/* A deleted file that is larger is data, not a program: its present pages will do. */
	WHOLE_FILE_MAX = 1 << 30,
};

long sw_procfs_status(int pid, const char *field)
{
	char path[PATH_SIZE], line[512];
	size_t length = strlen(field);
	long number = -1;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, field, length) || line[length] != ':')
			continue;
		char *at = line + length + 1, *end;
		for (long value = strtol(at, &end, 10); end != at; value = strtol(at, &end, 10)) {
			number = value;
			at = end;
		}
		break;
	}
	fclose(file);
	return number;
}

static char state_of(int pid)
{
	char path[PATH_SIZE], line[512], state = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return 0;
	while (!state && fgets(line, sizeof(line), file))
		sscanf(line, "State: %c", &state);
	fclose(file);
	return state;
}

static struct sw_error *check_exe(int pid, enum sw_arch *arch)
{
	char path[PATH_SIZE];
	Elf64_Ehdr header = {0};

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return sw_error_hint(sw_error_errno(errno,
						    "cannot open the executable of "
						    "process %d",
						    pid),
				     "run as the same user as the process, or as root "
				     "(CAP_SYS_PTRACE; in a container: --cap-add=SYS_PTRACE)");
	ssize_t size = pread(fd, &header, sizeof(header), 0);
	close(fd);
	if (size != sizeof(header) || memcmp(header.e_ident, ELFMAG, SELFMAG))
		return sw_error_format(SW_ERR_FORMAT, "process %d does not run an ELF file", pid);
	if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB)
		return sw_error_hint(sw_error_format(SW_ERR_FORMAT,
						     "process %d is a 32-bit or big-endian program",
						     pid),
				     "only 64-bit little-endian programs are read");
	*arch = sw_arch_of_machine(header.e_machine);
	if (!*arch)
		return sw_error_hint(sw_error_format(SW_ERR_FORMAT,
						     "process %d runs a program of ELF machine %u",
						     pid, header.e_machine),
				     "only amd64 (62) and arm64 (183) are known");
	return NULL;
}

struct sw_error *sw_procfs_check(int pid, enum sw_arch *arch)
{
	char path[PATH_SIZE];
	snprintf(path, sizeof(path), "/proc/%d", pid);
	if (pid <= 0 || access(path, F_OK))
		return sw_error_hint(sw_error_format(SW_ERR_NOT_FOUND, "no process %d", pid),
				     "list processes with `ps -e`; in a container ids differ from "
				     "those outside");
	if (pid == getpid())
		return sw_error_format(SW_ERR_USAGE, "process %d is this program itself", pid);

	long leader = sw_procfs_status(pid, "Tgid");
	if (leader > 0 && leader != pid)
		return sw_error_hint(sw_error_format(SW_ERR_NOT_FOUND,
						     "%d is a thread of process %ld, no process",
						     pid, leader),
				     "give %ld", leader);
	char state = state_of(pid);
	if (state == 'Z' || state == 'X')
		return sw_error_hint(
			sw_error_format(SW_ERR_NOT_FOUND,
					"process %d is a zombie: it has exited and its "
					"memory is gone",
					pid),
			"take a core of it before it exits");
	if (state && sw_procfs_status(pid, "VmSize") < 0)
		return sw_error_hint(
			sw_error_format(SW_ERR_FORMAT, "process %d is a thread of the kernel", pid),
			"give a process that runs a program");
	return check_exe(pid, arch);
}

static uint32_t parse_flags(const char *text)
{
	return (text[0] == 'r' ? SW_REGION_READ : 0) | (text[1] == 'w' ? SW_REGION_WRITE : 0) |
	       (text[2] == 'x' ? SW_REGION_EXECUTE : 0);
}

static struct sw_error *add_line(struct sw_vmas *vmas, char *line)
{
	struct sw_vma vma = {0};
	char flags[8];
	int path = 0;

	line[strcspn(line, "\n")] = 0;
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %*s %" SCNu64 " %n", &vma.start,
		   &vma.end, flags, &vma.file_offset, &vma.inode, &path) < 5 ||
	    !path || strlen(flags) < 4 || vma.start >= vma.end)
		return NULL;
	vma.flags = parse_flags(flags);
	vma.is_shared = flags[3] == 's';
	vma.path = strdup(line + path);
	if (!vma.path)
		return sw_error_memory();
	struct sw_error *error = sw_vmas_add(vmas, vma);
	if (error)
		free(vma.path);
	return error;
}

static bool starts_with(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

static bool is_deleted(const char *path)
{
	static const char suffix[] = " (deleted)";
	size_t length = strlen(path);
	return length >= sizeof(suffix) && !strcmp(path + length - (sizeof(suffix) - 1), suffix);
}

/* True when the clean pages of the mapping can be read from its file later. */
static bool has_file(const struct sw_vma *vma, uint64_t exe_inode)
{
	struct stat status;

	if (vma->inode == exe_inode)
		return true;
	return !is_deleted(vma->path) && !stat(vma->path, &status) && status.st_ino == vma->inode &&
	       !access(vma->path, R_OK);
}

/* Reading a device can have effects, and the kernel's own pages cannot be read from outside. */
static bool is_device(const struct sw_vma *vma)
{
	const char *path = vma->path;

	if (starts_with(path, "/dev/"))
		return !starts_with(path, "/dev/zero") && !starts_with(path, "/dev/shm/") &&
		       !starts_with(path, "/dev/hugepages/");
	return starts_with(path, "[vvar") || starts_with(path, "[vsyscall") ||
	       starts_with(path, "anon_inode:") || starts_with(path, "/[aio]");
}

static enum sw_copying copying_of(const struct sw_vma *vma, uint64_t exe_inode)
{
	if (!vma->flags || is_device(vma))
		return SW_COPY_NOTHING;
	if (!strcmp(vma->path, "[vdso]"))
		return SW_COPY_WHOLE;
	if (!vma->inode)
		return vma->is_shared ? SW_COPY_PRESENT : SW_COPY_ZEROES;
	if (starts_with(vma->path, "/anon_hugepage"))
		return SW_COPY_PRESENT;
	if (vma->is_shared)
		return is_deleted(vma->path) ? SW_COPY_PRESENT : SW_COPY_NOTHING;
	if (!has_file(vma, exe_inode))
		return vma->end - vma->start <= WHOLE_FILE_MAX ? SW_COPY_WHOLE : SW_COPY_PRESENT;
	return vma->flags & SW_REGION_WRITE ? SW_COPY_PRESENT : SW_COPY_CHANGED;
}

static int by_start(const void *a, const void *b)
{
	const struct sw_vma *left = a, *right = b;
	return left->start < right->start ? -1 : left->start > right->start;
}

/* The same mapping among those of before, or NULL. */
static const struct sw_vma *find_known(const struct sw_vmas *known, const struct sw_vma *vma)
{
	const struct sw_vma *found = NULL;

	if (known && known->count)
		found = bsearch(vma, known->items, known->count, sizeof(*vma), by_start);
	if (!found || found->inode != vma->inode || found->flags != vma->flags ||
	    found->end != vma->end || strcmp(found->path, vma->path))
		return NULL;
	return found;
}

static uint64_t exe_inode_of(int pid)
{
	char path[PATH_SIZE];
	struct stat status;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return stat(path, &status) ? 0 : status.st_ino;
}

static void decide(int pid, const struct sw_vmas *known, struct sw_vmas *vmas)
{
	uint64_t exe_inode = exe_inode_of(pid);

	for (size_t i = 0; i < vmas->count; i++) {
		struct sw_vma *vma = &vmas->items[i];
		const struct sw_vma *before = find_known(known, vma);
		vma->copying = before ? before->copying : copying_of(vma, exe_inode);
	}
}

void sw_vmas_clear(struct sw_vmas *vmas)
{
	for (size_t i = 0; i < vmas->count; i++)
		free(vmas->items[i].path);
	sw_vmas_free(vmas);
}

struct sw_error *sw_procfs_maps(int pid, const struct sw_vmas *known, struct sw_vmas *vmas)
{
	char path[PATH_SIZE], *line = NULL;
	size_t capacity = 0;
	struct sw_error *error = NULL;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return sw_error_hint(sw_error_errno(errno, "cannot read %s", path),
				     "run as the same user as the process, or as root");
	/* stdio would read a kilobyte at a time, the kernel gives a page. */
	setvbuf(file, NULL, _IOFBF, 1 << 16);
	while (!error && getline(&line, &capacity, file) > 0)
		error = add_line(vmas, line);
	free(line);
	fclose(file);

	decide(pid, known, vmas);
	if (!error && !vmas->count)
		error = sw_error_format(SW_ERR_NOT_FOUND, "process %d has exited", pid);
	if (error)
		sw_vmas_clear(vmas);
	return error;
}

static void take_auxv(int pid, struct sw_target *target)
{
	char path[PATH_SIZE];
	uint8_t bytes[AUXV_SIZE];

	snprintf(path, sizeof(path), "/proc/%d/auxv", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	ssize_t size = read(fd, bytes, sizeof(bytes));
	close(fd);
	if (size > 0)
		sw_target_take_auxv(target, bytes, (size_t)size);
}

static struct sw_error *name_exe(int pid, struct sw_target *target)
{
	char link[PATH_SIZE], name[4096];
	struct stat running, named;

	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	ssize_t length = readlink(link, name, sizeof(name) - 1);
	if (length <= 0)
		return sw_target_name_exe(target);
	name[length] = 0;
	bool is_same = !stat(link, &running) && !stat(name, &named) &&
		       running.st_ino == named.st_ino && running.st_dev == named.st_dev;
	if (is_deleted(name))
		*strrchr(name, ' ') = 0;
	target->exe_name = strdup(name);
	target->exe = strdup(is_same ? name : link);
	return target->exe && target->exe_name ? NULL : sw_error_memory();
}

struct sw_error *sw_procfs_describe(int pid, const struct sw_vmas *vmas, struct sw_target *target)
{
	struct sw_error *error = NULL;
	struct timespec now;

	if (!clock_gettime(CLOCK_MONOTONIC, &now))
		target->taken_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	for (size_t i = 0; !error && i < vmas->count; i++) {
		const struct sw_vma *vma = &vmas->items[i];
		if (vma->inode && vma->path[0] == '/')
			error = sw_target_add_mapping(target, vma->start, vma->end,
						      vma->file_offset, vma->path,
						      strlen(vma->path));
	}
	sw_target_sort_mappings(target);
	take_auxv(pid, target);
	return error ? error : name_exe(pid, target);
}
