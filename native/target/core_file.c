/* ELF core files: the kernel's (notes first) and gcore's (notes last), plain or .zst. */
#include "target/core.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct sw_error *not_a_core(const struct sw_core *core, const char *what, const char *hint)
{
	return sw_error_hint(sw_error_format(SW_ERR_FORMAT, "%s: %s", core->path, what), "%s",
			     hint);
}

static struct sw_error *open_file(const char *path, int *out, struct stat *status)
{
	/* Not blocking: opening a FIFO would wait for its writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, status)) {
		int number = errno;
		struct sw_error *error = sw_error_errno(number, "cannot open the core %s", path);
		if (fd >= 0)
			close(fd);
		if (number == EACCES)
			return sw_error_hint(error, "cores are often readable by their owner "
						    "only: try as that user or as root");
		return sw_error_hint(error, "check the path of the core file");
	}
	*out = fd;
	return NULL;
}

static struct sw_error *check_file(const struct sw_core *core, const struct stat *status)
{
	if (S_ISDIR(status->st_mode))
		return not_a_core(core, "is a directory", "give the core file in it");
	if (!S_ISREG(status->st_mode))
		return not_a_core(core, "is not a regular file",
				  "write the core into a file first");
	if (!status->st_size)
		return not_a_core(core, "the file is empty",
				  "the dump failed: check `ulimit -c` and the free space on the "
				  "disk of the core");
	return NULL;
}

void sw_target_forget_pages(const struct sw_target *target)
{
	const struct sw_core *core = target->kind == SW_TARGET_CORE ? target->opened : NULL;
	if (core && core->mapped)
		madvise(core->mapped, core->mapped_size, MADV_DONTNEED);
}

static struct sw_error *map_file(struct sw_core *core)
{
	int fd = -1;
	struct stat status;
	struct sw_error *error = open_file(core->path, &fd, &status);
	if (error)
		return error;
	error = check_file(core, &status);
	if (!error) {
		core->mapped_size = (uint64_t)status.st_size;
		core->mapped = mmap(NULL, core->mapped_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (core->mapped == MAP_FAILED) {
			core->mapped = NULL;
			error = sw_error_errno(errno, "cannot map the core %s", core->path);
		}
	}
	close(fd);
	core->bytes = core->mapped;
	core->size = core->mapped_size;
	return error;
}

static bool starts_with(const struct sw_core *core, const void *magic, size_t size)
{
	return core->size >= size && !memcmp(core->bytes, magic, size);
}

static struct sw_error *refuse_other_formats(const struct sw_core *core)
{
	if (starts_with(core, "\x1f\x8b", 2))
		return not_a_core(core, "is compressed with gzip", "unpack it first: gunzip FILE");
	if (starts_with(core,
			"\xfd"
			"7zXZ",
			5))
		return not_a_core(core, "is compressed with xz", "unpack it first: xz -d FILE");
	if (starts_with(core, "\x04\x22\x4d\x18", 4))
		return not_a_core(core, "is compressed with lz4", "unpack it first: lz4 -d FILE");
	if (starts_with(core, "MDMP", 4))
		return not_a_core(core, "is a minidump",
				  "only ELF cores are read, as the kernel and gcore write them");
	return not_a_core(core, "is not an ELF file", "give an ELF core file, plain or .zst");
}

static struct sw_error *check_header(const struct sw_core *core, const Elf64_Ehdr *header)
{
	if (header->e_ident[EI_CLASS] != ELFCLASS64)
		return not_a_core(core, "is a 32-bit ELF file", "only 64-bit targets are read");
	if (header->e_ident[EI_DATA] != ELFDATA2LSB)
		return not_a_core(core, "is a big-endian ELF file",
				  "only little-endian targets are read");
	if (header->e_type == ET_EXEC || header->e_type == ET_DYN)
		return not_a_core(core, "is an executable or library, not a core",
				  "give the core as the target and the executable with --exe");
	if (header->e_type != ET_CORE)
		return not_a_core(core, "is an ELF file, but no core", "give a core file");
	if (!sw_arch_of_machine(header->e_machine))
		return sw_error_hint(sw_error_format(SW_ERR_FORMAT,
						     "%s: is a core of ELF machine %u", core->path,
						     header->e_machine),
				     "only amd64 (62) and arm64 (183) are known");
	return NULL;
}

static struct sw_error *too_short(const struct sw_core *core, const char *what)
{
	return sw_error_hint(sw_error_format(SW_ERR_DAMAGED,
					     "%s: %s do not fit the file of %" PRIu64 " bytes%s%s",
					     core->path, what, core->size, core->cut ? ": " : "",
					     core->cut ? core->cut : ""),
			     "the file was cut: copy it again, or take another core");
}

/* Copies the ELF header once it is known to be one of ours. */
static struct sw_error *read_header(struct sw_core *core, Elf64_Ehdr *header)
{
	if (!starts_with(core, ELFMAG, SELFMAG))
		return core->cut ? too_short(core, "the ELF header") : refuse_other_formats(core);
	/* The class and byte order come before anything whose place depends on them. */
	memset(header, 0, sizeof(*header));
	memcpy(header, core->bytes, core->size < sizeof(*header) ? core->size : sizeof(*header));
	if (core->size < sizeof(*header))
		return too_short(core, "the ELF header");
	return check_header(core, header);
}

/* Program headers; more than 65,534 are counted in section header 0 (PN_XNUM). */
static struct sw_error *find_segments(const struct sw_core *core, const Elf64_Ehdr *header,
				      uint64_t *count)
{
	*count = header->e_phnum;
	if (*count == PN_XNUM) {
		if (header->e_shoff > core->size ||
		    core->size - header->e_shoff < sizeof(Elf64_Shdr))
			return too_short(core, "the number of segments (section header 0)");
		*count = sw_load32(core->bytes + header->e_shoff + offsetof(Elf64_Shdr, sh_info));
	}
	if (header->e_phentsize != sizeof(Elf64_Phdr) || !*count)
		return sw_error_hint(sw_error_format(SW_ERR_DAMAGED,
						     "%s: the core has no program headers",
						     core->path),
				     "take another core");
	if (header->e_phoff > core->size ||
	    *count > (core->size - header->e_phoff) / sizeof(Elf64_Phdr))
		return too_short(core, "the program headers");
	return NULL;
}

static int by_address(const void *a, const void *b)
{
	const Elf64_Phdr *left = a, *right = b;

	if (left->p_vaddr != right->p_vaddr)
		return left->p_vaddr < right->p_vaddr ? -1 : 1;
	return left->p_offset < right->p_offset ? -1 : left->p_offset > right->p_offset;
}

/* A sorted copy: memory grows at its end only, whatever order a file has. */
static struct sw_error *copy_segments(const struct sw_core *core, Elf64_Phdr **out, uint64_t *count)
{
	Elf64_Ehdr header;

	memcpy(&header, core->bytes, sizeof(header));
	struct sw_error *error = find_segments(core, &header, count);
	if (error)
		return error;
	*out = calloc(*count, sizeof(Elf64_Phdr));
	if (!*out)
		return sw_error_memory();
	memcpy(*out, core->bytes + header.e_phoff, *count * sizeof(Elf64_Phdr));
	qsort(*out, *count, sizeof(Elf64_Phdr), by_address);
	return NULL;
}

/* The bytes of a segment that the file has; the rest is added to *lost. */
static uint64_t present_size(const struct sw_core *core, const Elf64_Phdr *segment, uint64_t *lost)
{
	uint64_t here = 0;

	if (segment->p_offset < core->size)
		here = core->size - segment->p_offset;
	if (here >= segment->p_filesz)
		return segment->p_filesz;
	if (__builtin_add_overflow(*lost, segment->p_filesz - here, lost))
		*lost = UINT64_MAX;
	return here;
}

static uint32_t region_flags(uint32_t flags)
{
	return (flags & PF_R ? SW_REGION_READ : 0) | (flags & PF_W ? SW_REGION_WRITE : 0) |
	       (flags & PF_X ? SW_REGION_EXECUTE : 0);
}

/* Bytes beyond p_filesz are absent, not zero: the kernel left those pages out. */
static struct sw_error *take_segment(struct sw_target *target, const struct sw_core *core,
				     const Elf64_Phdr *segment, uint64_t *lost)
{
	if (segment->p_type != PT_LOAD && segment->p_type != PT_NOTE)
		return NULL;
	uint64_t size = present_size(core, segment, lost);
	sw_addr end;
	if (segment->p_type == PT_LOAD && !segment->p_filesz && segment->p_flags & PF_W &&
	    !__builtin_add_overflow(segment->p_vaddr, segment->p_memsz, &end))
		return sw_ranges_add(&target->left_out, (struct sw_range){segment->p_vaddr, end});
	if (!size)
		return NULL;
	const uint8_t *bytes = core->bytes + segment->p_offset;
	if (segment->p_type == PT_NOTE)
		return sw_core_take_notes(target, bytes, size);
	return sw_memory_add(&target->memory,
			     (struct sw_region){.addr = segment->p_vaddr,
						.size = size,
						.bytes = bytes,
						.flags = region_flags(segment->p_flags)});
}

static bool has_written(const struct sw_target *target)
{
	for (size_t i = 0; i < target->memory.count; i++)
		if (target->memory.regions[i].flags & SW_REGION_WRITE)
			return true;
	return false;
}

static void warn_of_damage(struct sw_target *target, const struct sw_core *core, uint64_t lost)
{
	const char *hint = "what is lost counts as absent; check `ulimit -c` and the free space, "
			   "or copy the core again";

	if (lost)
		sw_warn(&target->warnings, true, "truncated_core", hint,
			"%s is cut: %" PRIu64 " bytes that its headers promise lie behind its "
			"end%s%s",
			core->path, lost, core->cut ? ": " : "", core->cut ? core->cut : "");
	else if (core->cut)
		sw_warn(&target->warnings, true, "truncated_core", hint,
			"%s did not unpack whole: %s", core->path, core->cut);
	if (!target->threads.count)
		sw_warn(&target->warnings, true, "no_threads",
			"gcore writes the threads last: a core of it that was cut has none",
			"%s has no threads' registers", core->path);
}

static struct sw_error *take_segments(struct sw_target *target, const struct sw_core *core)
{
	Elf64_Phdr *segments = NULL;
	uint64_t count = 0, lost = 0;
	struct sw_error *error = copy_segments(core, &segments, &count);

	for (uint64_t i = 0; !error && i < count; i++)
		error = take_segment(target, core, &segments[i], &lost);
	free(segments);
	if (error)
		return error;
	if (!target->memory.count && !target->threads.count)
		return too_short(core, "its segments");
	if (!has_written(target)) /* none was to be dumped: /proc/PID/coredump_filter */
		target->left_out.count = 0;
	sw_target_sort_mappings(target);
	if (!target->pid && target->threads.count)
		target->pid = target->threads.items[0].tid;
	warn_of_damage(target, core, lost);
	return sw_target_name_exe(target);
}

static void close_core(struct sw_target *target)
{
	struct sw_core *core = target->opened;

	if (core->mapped)
		munmap(core->mapped, core->mapped_size);
	if (core->unpacked)
		sw_work_free(core->work, core->unpacked, core->unpacked_size);
	free(core->cut);
	free(core);
}

static struct sw_error *open_core(struct sw_target *target, struct sw_core *core)
{
	Elf64_Ehdr header;
	struct sw_error *error = map_file(core);

	if (!error && sw_core_is_zstd(core->bytes, core->size))
		error = sw_core_unpack(core);
	if (!error)
		error = read_header(core, &header);
	if (error)
		return error;
	target->arch = sw_arch_of_machine(header.e_machine);
	return take_segments(target, core);
}

struct sw_error *sw_target_open_core(const char *path, struct sw_work *work, struct sw_target **out)
{
	struct sw_target *target;
	struct sw_error *error = sw_target_create(SW_TARGET_CORE, &target);
	*out = NULL;
	if (error)
		return error;

	struct sw_core *core = calloc(1, sizeof(*core));
	target->path = strdup(path);
	if (!core || !target->path) {
		free(core);
		sw_target_close(target);
		return sw_error_memory();
	}
	core->path = target->path;
	core->work = work;
	target->opened = core;
	target->close = close_core;

	error = open_core(target, core);
	if (error)
		sw_target_close(target);
	else
		*out = target;
	return error;
}
