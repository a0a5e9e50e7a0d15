#include "image/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SEGMENTS_MAX = 512 }; /* programs have a dozen; work grows with them */

static struct sw_error *refuse(const char *path, const char *what, const char *hint)
{
	return sw_error_hint(sw_error_format(SW_ERR_FORMAT, "%s: %s", path, what), "%s", hint);
}

static struct sw_error *map_file(struct sw_image *image)
{
	struct stat status;
	struct sw_error *error = NULL;
	int fd = open(image->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &status))
		error = sw_error_hint(
			sw_error_errno(errno, "cannot open the executable %s", image->path),
			"name the file that ran with --exe FILE (a copy of another machine: "
			"--sysroot DIR)");
	else if (!S_ISREG(status.st_mode))
		error = refuse(image->path, "is not a regular file", "name an ELF executable");
	else if ((size_t)status.st_size < sizeof(Elf64_Ehdr))
		error = refuse(image->path, "is too short for an ELF file",
			       "name the executable that ran with --exe FILE");
	if (!error) {
		/* Private and writable, for libelf: it may put what it decodes in place. */
		void *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE, fd, 0);
		if (bytes == MAP_FAILED) {
			error = sw_error_errno(errno, "cannot map %s", image->path);
		} else {
			image->bytes = bytes;
			image->size = (size_t)status.st_size;
		}
	}
	if (fd >= 0)
		close(fd);
	return error;
}

static enum sw_arch arch_of(unsigned machine)
{
	return machine == EM_X86_64 ? SW_ARCH_AMD64 : machine == EM_AARCH64 ? SW_ARCH_ARM64 : 0;
}

static struct sw_error *check_header(struct sw_image *image)
{
	Elf64_Ehdr header;
	const char *path = image->path;

	sw_elf_header(sw_image_file(image), &header);
	if (!memcmp(header.e_ident, "#!", 2))
		return refuse(path, "is a script", "name its interpreter with --exe FILE");
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
		return refuse(path, "is not an ELF file", "name the executable with --exe FILE");
	if (header.e_ident[EI_CLASS] != ELFCLASS64)
		return refuse(path, "is a 32-bit ELF file", "only 64-bit programs are read");
	if (header.e_ident[EI_DATA] != ELFDATA2LSB)
		return refuse(path, "is a big-endian ELF file",
			      "only little-endian programs are read");
	if (header.e_type == ET_CORE)
		return refuse(path, "is a core, not an executable",
			      "give the core as the target and the executable with --exe FILE");
	if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
		return refuse(path, "is neither an executable nor a library",
			      "name the executable with --exe FILE");
	image->arch = arch_of(header.e_machine);
	if (!image->arch)
		return sw_error_hint(sw_error_format(SW_ERR_FORMAT, "%s: is for ELF machine %u",
						     path, header.e_machine),
				     "only amd64 (62) and arm64 (183) are known");
	unsigned segments = sw_elf_segments(sw_image_file(image));
	if (segments > SEGMENTS_MAX)
		return refuse(path, "has too many program headers for a program",
			      "name the executable with --exe FILE");
	if (!segments)
		return sw_error_hint(sw_error_format(SW_ERR_DAMAGED,
						     "%s: has no program headers in its %zu bytes",
						     path, image->size),
				     "the file was cut: copy it again");
	return NULL;
}

static void find_build_id(struct sw_image *image)
{
	struct sw_bytes file = sw_image_file(image);

	for (unsigned i = 0; i < sw_elf_segments(file); i++) {
		Elf64_Phdr segment;
		bool is_gnu = false;
		if (!sw_elf_segment(file, i, &segment) || segment.p_type != PT_NOTE)
			continue;
		struct sw_bytes notes = sw_bytes_part(file, segment.p_offset, segment.p_filesz);
		struct sw_bytes id = sw_elf_build_id(notes, segment.p_align, &is_gnu);
		if (!id.bytes || id.size > SW_BUILD_ID_MAX || (image->build_id_size && !is_gnu))
			continue;
		memcpy(image->build_id, id.bytes, id.size);
		image->build_id_size = id.size;
		if (is_gnu)
			return;
	}
}

static bool has_section(const struct sw_image *image, const char *name)
{
	Elf64_Shdr section;

	return sw_elf_section_named(sw_image_file(image), name, &section) &&
	       section.sh_type != SHT_NOBITS && section.sh_size;
}

static struct sw_error *open_image(struct sw_image *image)
{
	struct sw_error *error = map_file(image);
	if (!error)
		error = check_header(image);
	if (error)
		return error;
	elf_version(EV_CURRENT);
	image->elf = elf_memory((char *)(uintptr_t)image->bytes, image->size);
	if (!image->elf)
		return sw_error_format(SW_ERR_DAMAGED, "%s: %s", image->path, elf_errmsg(-1));
	find_build_id(image);
	image->has_dwarf = has_section(image, ".debug_info") || has_section(image, ".zdebug_info");
	return NULL;
}

struct sw_error *sw_image_open(const char *path, struct sw_image **out)
{
	struct sw_image_parts *parts = calloc(1, sizeof(*parts));

	*out = NULL;
	if (!parts)
		return sw_error_memory();
	pthread_mutex_init(&parts->lock, NULL);
	parts->image.path = strdup(path);
	struct sw_error *error = parts->image.path ? open_image(&parts->image) : sw_error_memory();
	if (error)
		sw_image_close(&parts->image);
	else
		*out = &parts->image;
	return error;
}

void sw_image_close(struct sw_image *image)
{
	struct sw_image_parts *parts = (struct sw_image_parts *)image;

	if (!image)
		return;
	sw_image_close(image->symbols);
	sw_symbols_free(&parts->symbols);
	pthread_mutex_destroy(&parts->lock);
	if (image->elf)
		elf_end(image->elf);
	if (image->bytes)
		munmap((void *)(uintptr_t)image->bytes, image->size);
	if (parts->zeroes)
		munmap(parts->zeroes, parts->zeroes_size);
	free(image->path);
	free(image->sysroot);
	if (parts->next)
		sw_image_close(&parts->next->image);
	free(parts);
}

const uint8_t *sw_image_section(const struct sw_image *image, const char *name, sw_addr *addr,
				uint64_t *size)
{
	Elf64_Shdr section;

	if (!sw_elf_section_named(sw_image_file(image), name, &section))
		return NULL;
	struct sw_bytes bytes = sw_elf_section_bytes(sw_image_file(image), &section);
	if (!bytes.bytes)
		return NULL;
	if (addr)
		*addr = section.sh_addr + image->bias;
	if (size)
		*size = bytes.size;
	return bytes.bytes;
}

void sw_image_build_id_text(const struct sw_image *image, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < image->build_id_size; i++) {
		*out++ = digits[image->build_id[i] >> 4];
		*out++ = digits[image->build_id[i] & 15];
	}
	*out = 0;
}

static const uint8_t *find_in(struct sw_bytes part, uint64_t offset, const void *wanted,
			      size_t size, size_t align, uint64_t *rest)
{
	for (uint64_t at = -offset & (align - 1); part.bytes && at < part.size; at += align)
		if (part.size - at >= size && !memcmp(part.bytes + at, wanted, size)) {
			*rest = part.size - at;
			return part.bytes + at;
		}
	return NULL;
}

const uint8_t *sw_image_find(const struct sw_image *image, const void *wanted, size_t size,
			     size_t align, uint64_t *rest)
{
	struct sw_bytes file = sw_image_file(image);
	unsigned count = sw_elf_segments(file);

	for (unsigned i = 0; i < 2 * count; i++) {
		Elf64_Phdr segment;
		if (!sw_elf_segment(file, i % count, &segment) || segment.p_type != PT_LOAD ||
		    (segment.p_flags & PF_W ? 0 : 1) != i / count)
			continue;
		const uint8_t *found =
			find_in(sw_bytes_part(file, segment.p_offset, segment.p_filesz),
				segment.p_offset, wanted, size, align, rest);
		if (found)
			return found;
	}
	return NULL;
}

/* ---- symbols of another file ---- */

static bool has_same_id(const struct sw_image *a, const struct sw_image *b)
{
	return a->build_id_size && a->build_id_size == b->build_id_size &&
	       !memcmp(a->build_id, b->build_id, a->build_id_size);
}

/* Is the code of one segment the other's too? Its first page has the file's own headers. */
static bool is_same_code(struct sw_bytes a, const Elf64_Phdr *of_a, struct sw_bytes b,
			 const Elf64_Phdr *of_b)
{
	struct sw_bytes code = sw_bytes_part(a, of_a->p_offset, of_a->p_filesz);
	struct sw_bytes other = sw_bytes_part(b, of_b->p_offset, of_b->p_filesz);

	return of_a->p_vaddr == of_b->p_vaddr && code.bytes && other.bytes &&
	       code.size == other.size && code.size > SW_IMAGE_PAGE &&
	       !memcmp(code.bytes + SW_IMAGE_PAGE, other.bytes + SW_IMAGE_PAGE,
		       code.size - SW_IMAGE_PAGE);
}

static bool has_same_code(const struct sw_image *a, const struct sw_image *b)
{
	struct sw_bytes file = sw_image_file(a), other = sw_image_file(b);
	Elf64_Phdr segment, twin;
	bool found = false;

	for (unsigned i = 0; i < sw_elf_segments(file); i++) {
		if (!sw_elf_segment(file, i, &segment) || segment.p_type != PT_LOAD ||
		    !(segment.p_flags & PF_X))
			continue;
		if (!sw_elf_segment(other, i, &twin) || !is_same_code(file, &segment, other, &twin))
			return false;
		found = true;
	}
	return found;
}

struct sw_error *sw_image_add_symbols(struct sw_image *image, const char *path)
{
	struct sw_image *symbols;
	struct sw_error *error = sw_image_open(path, &symbols);

	if (error)
		return error;
	if (!has_same_id(image, symbols) && !has_same_code(image, symbols)) {
		error = sw_error_hint(sw_error_format(SW_ERR_MISMATCH,
						      "%s and %s are not of one build", path,
						      image->path),
				      "--symbols names the unstripped file of the very build "
				      "that ran");
		sw_image_close(symbols);
		return error;
	}
	symbols->bias = image->bias;
	sw_image_close(image->symbols);
	image->symbols = symbols;
	return NULL;
}

struct sw_image *sw_image_with_dwarf(struct sw_image *image)
{
	if (image->has_dwarf)
		return image;
	return image->symbols && image->symbols->has_dwarf ? image->symbols : NULL;
}
