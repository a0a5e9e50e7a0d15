/* Where a target has an image, and whether it is that image. */
#include "image/parts.h"

#include <inttypes.h>
#include <string.h>

enum {
	COMPARED_PER_REGION = 64, /* pages */
	TOLERATED_FRACTION = 8,	  /* one of so many compared pages may differ: breakpoints */
};

/* What decides where an image lies, from its headers. */
struct layout {
	struct sw_bytes file;
	Elf64_Ehdr header;
	Elf64_Phdr first; /* the first PT_LOAD */
	bool has_first;
	uint64_t program_headers; /* their link-time address */
	bool has_program_headers;
};

static void read_layout(const struct sw_image *image, struct layout *out)
{
	memset(out, 0, sizeof(*out));
	out->file = sw_image_file(image);
	sw_elf_header(out->file, &out->header);
	for (unsigned i = 0; i < sw_elf_segments(out->file); i++) {
		Elf64_Phdr segment;
		if (!sw_elf_segment(out->file, i, &segment))
			break;
		uint64_t inside = out->header.e_phoff - segment.p_offset;
		if (segment.p_type == PT_PHDR ||
		    (segment.p_type == PT_LOAD && !out->has_program_headers &&
		     out->header.e_phoff >= segment.p_offset && inside < segment.p_filesz)) {
			out->has_program_headers = true;
			out->program_headers = segment.p_vaddr;
			if (segment.p_type == PT_LOAD)
				out->program_headers += inside;
		}
		if (segment.p_type == PT_LOAD && !out->has_first) {
			out->has_first = true;
			out->first = segment;
		}
	}
}

static bool is_plausible(const struct layout *layout, uint64_t bias)
{
	return bias % SW_IMAGE_PAGE == 0 && (layout->header.e_type != ET_EXEC || !bias);
}

/* By the auxiliary vector, which speaks of the main executable; both values must agree. */
static bool bias_by_auxv(const struct layout *layout, const struct sw_target *target,
			 uint64_t *bias)
{
	bool has_headers = target->program_headers && layout->has_program_headers;
	bool has_entry = target->entry && layout->header.e_entry;
	uint64_t by_headers = target->program_headers - layout->program_headers;
	uint64_t by_entry = target->entry - layout->header.e_entry;

	if ((!has_headers && !has_entry) || (has_headers && has_entry && by_headers != by_entry))
		return false;
	*bias = has_headers ? by_headers : by_entry;
	return is_plausible(layout, *bias);
}

static const char *file_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* What the target calls the image: the executable may be open under another name. */
static const char *name_in_target(const struct sw_image *image, const struct sw_target *target)
{
	if (target->exe && target->exe_name && !strcmp(image->path, target->exe))
		return target->exe_name;
	return image->path;
}

static bool bias_by_mapping(const struct sw_image *image, const struct layout *layout,
			    const struct sw_target *target, uint64_t *bias)
{
	const char *path = name_in_target(image, target), *name = file_name(path);
	const struct sw_mapping *found = NULL;

	for (size_t i = 0; layout->has_first && i < target->mappings.count; i++) {
		const struct sw_mapping *mapping = &target->mappings.items[i];
		if (mapping->file_offset != layout->first.p_offset / SW_IMAGE_PAGE * SW_IMAGE_PAGE)
			continue;
		if (!strcmp(mapping->path, path)) {
			found = mapping;
			break;
		}
		if (!found && !strcmp(file_name(mapping->path), name))
			found = mapping;
	}
	if (!found)
		return false;
	*bias = found->start - layout->first.p_vaddr / SW_IMAGE_PAGE * SW_IMAGE_PAGE;
	return is_plausible(layout, *bias);
}

static void id_text(struct sw_bytes id, char *out)
{
	struct sw_image image = {.build_id_size = id.size};

	memcpy(image.build_id, id.bytes, id.size);
	sw_image_build_id_text(&image, out);
}

/* The build id that the target itself has in memory, by the headers there; "" when the target
 * has no such pages. */
static void target_id_text(const struct sw_target *target, sw_addr base, char *out)
{
	struct sw_bytes headers = {NULL, 0}, best = {NULL, 0};
	const struct sw_region *region = sw_memory_region(&target->memory, base);
	Elf64_Ehdr header;

	*out = 0;
	if (region)
		headers = (struct sw_bytes){region->bytes + (base - region->addr),
					    region->size - (base - region->addr)};
	if (!sw_elf_header(headers, &header) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
		return;
	for (unsigned i = 0; i < sw_elf_segments(headers); i++) {
		Elf64_Phdr segment;
		bool is_gnu;
		if (!sw_elf_segment(headers, i, &segment) || segment.p_type != PT_NOTE)
			continue;
		struct sw_bytes notes = sw_bytes_part(headers, segment.p_offset, segment.p_filesz);
		struct sw_bytes id = sw_elf_build_id(notes, segment.p_align, &is_gnu);
		if (id.bytes && id.size <= SW_BUILD_ID_MAX && (!best.bytes || is_gnu))
			best = id;
	}
	if (best.bytes)
		id_text(best, out);
}

static struct sw_error *mismatch(const struct sw_image *image, const struct sw_target *target,
				 sw_addr base, const char *why)
{
	char own[2 * SW_BUILD_ID_MAX + 1], theirs[2 * SW_BUILD_ID_MAX + 1];

	sw_image_build_id_text(image, own);
	if (!base && target->program_headers)
		base = target->program_headers / SW_IMAGE_PAGE * SW_IMAGE_PAGE;
	target_id_text(target, base, theirs);
	return sw_error_hint(
		sw_error_format(SW_ERR_MISMATCH,
				"%s (build id %s) is not what runs in the target (%s, build id "
				"%s): %s",
				image->path, own[0] ? own : "none",
				target->exe_name ? target->exe_name : "unnamed",
				theirs[0] ? theirs : "unknown", why),
		"name the very file that ran with --exe FILE; a new build of the same source is "
		"another file");
}

static struct sw_error *find_bias(struct sw_image *image, const struct layout *layout,
				  const struct sw_target *target)
{
	uint64_t bias = 0;
	bool has_auxv = target->program_headers || target->entry;

	if (image->arch != target->arch)
		return mismatch(image, target, 0, "it is for another architecture");
	if (bias_by_auxv(layout, target, &bias) || bias_by_mapping(image, layout, target, &bias) ||
	    (!has_auxv && layout->header.e_type == ET_EXEC)) {
		image->bias = bias;
		return NULL;
	}
	if (has_auxv && image->arch == target->arch)
		return mismatch(image, target, 0, "its entry point and headers lie elsewhere");
	return sw_error_hint(sw_error_format(SW_ERR_NOT_FOUND,
					     "the target does not tell where %s is mapped",
					     image->path),
			     "name the executable with --exe FILE as the target knows it");
}

enum likeness { UNKNOWN, SAME, DIFFERENT };

/* By the build id that the target has in memory. */
static enum likeness compare_ids(const struct sw_image *image, const struct sw_target *target)
{
	struct sw_bytes file = sw_image_file(image);
	enum likeness likeness = UNKNOWN;

	for (unsigned i = 0; i < sw_elf_segments(file); i++) {
		Elf64_Phdr segment;
		bool is_gnu, is_own_gnu;
		if (!sw_elf_segment(file, i, &segment) || segment.p_type != PT_NOTE)
			continue;
		struct sw_bytes own = sw_bytes_part(file, segment.p_offset, segment.p_filesz);
		struct sw_bytes there = {sw_memory_view(&target->memory,
							image->bias + segment.p_vaddr,
							segment.p_filesz),
					 segment.p_filesz};
		if (!own.bytes || !there.bytes)
			continue;
		own = sw_elf_build_id(own, segment.p_align, &is_own_gnu);
		there = sw_elf_build_id(there, segment.p_align, &is_gnu);
		if (!own.bytes || !there.bytes || is_gnu != is_own_gnu)
			continue;
		if (own.size != there.size || memcmp(own.bytes, there.bytes, own.size) != 0)
			return DIFFERENT;
		likeness = SAME;
	}
	return likeness;
}

struct tally {
	uint64_t compared, differing; /* pages */
};

static void compare_part(struct sw_bytes file, uint64_t offset, const uint8_t *there, uint64_t size,
			 struct tally *tally)
{
	uint64_t pages = size / SW_IMAGE_PAGE;
	uint64_t step = pages > COMPARED_PER_REGION ? pages / COMPARED_PER_REGION : 1;

	for (uint64_t page = 0; page < pages; page += step) {
		struct sw_bytes own =
			sw_bytes_part(file, offset + page * SW_IMAGE_PAGE, SW_IMAGE_PAGE);
		if (!own.bytes)
			return;
		tally->compared++;
		tally->differing +=
			memcmp(own.bytes, there + page * SW_IMAGE_PAGE, SW_IMAGE_PAGE) != 0;
	}
}

/* The first region that ends above the address. */
static size_t first_above(const struct sw_memory *memory, sw_addr addr)
{
	size_t low = 0, high = memory->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (memory->regions[middle].addr + memory->regions[middle].size <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The parts of a segment that the target has, region by region. */
static void compare_segment(const struct sw_image *image, const struct sw_target *target,
			    const Elf64_Phdr *segment, struct tally *tally)
{
	sw_addr start = image->bias + segment->p_vaddr, end;
	const struct sw_memory *memory = &target->memory;

	if (__builtin_add_overflow(start, segment->p_filesz, &end))
		return;
	for (size_t i = first_above(memory, start);
	     i < memory->count && memory->regions[i].addr < end; i++) {
		const struct sw_region *region = &memory->regions[i];
		sw_addr from = region->addr > start ? region->addr : start;
		sw_addr to = region->addr + region->size;
		to = to < end ? to : end;
		if (from < to)
			compare_part(sw_image_file(image), segment->p_offset + (from - start),
				     region->bytes + (from - region->addr), to - from, tally);
	}
}

/* By bytes that both have and that do not change while a program runs. */
static enum likeness compare_pages(const struct sw_image *image, const struct sw_target *target)
{
	struct sw_bytes file = sw_image_file(image);
	struct tally tally = {0};

	for (unsigned i = 0; i < sw_elf_segments(file); i++) {
		Elf64_Phdr segment;
		if (sw_elf_segment(file, i, &segment) && segment.p_type == PT_LOAD &&
		    !(segment.p_flags & PF_W) && segment.p_offset <= file.size)
			compare_segment(image, target, &segment, &tally);
	}
	if (!tally.compared)
		return UNKNOWN;
	return tally.differing > tally.compared / TOLERATED_FRACTION ? DIFFERENT : SAME;
}

/* Program headers differ between any two builds but the smallest changes. */
static enum likeness compare_headers(const struct sw_image *image, const struct layout *layout,
				     const struct sw_target *target)
{
	uint64_t size = (uint64_t)layout->header.e_phnum * sizeof(Elf64_Phdr);
	struct sw_bytes own = sw_bytes_part(layout->file, layout->header.e_phoff, size);
	const uint8_t *there =
		sw_memory_view(&target->memory, image->bias + layout->program_headers, size);

	if (!layout->has_program_headers || !own.bytes || !there)
		return UNKNOWN;
	return memcmp(own.bytes, there, size) ? DIFFERENT : UNKNOWN;
}

static struct sw_error *check_likeness(const struct sw_image *image, const struct layout *layout,
				       struct sw_target *target)
{
	sw_addr base = image->bias + layout->program_headers - layout->header.e_phoff;
	enum likeness likeness = compare_ids(image, target);

	if (likeness == DIFFERENT)
		return mismatch(image, target, base, "the build ids differ");
	if (likeness == UNKNOWN)
		likeness = compare_headers(image, layout, target);
	if (likeness == DIFFERENT)
		return mismatch(image, target, base, "the program headers differ");
	if (likeness == UNKNOWN)
		likeness = compare_pages(image, target);
	if (likeness == DIFFERENT)
		return mismatch(image, target, base, "the bytes of pages that both have differ");
	if (likeness == UNKNOWN)
		sw_warn(&target->warnings, false, "unverified_executable",
			"if the results look wrong, make sure that this is the very file that ran",
			"the target has nothing to compare %s with", image->path);
	return NULL;
}

static struct sw_error *check_and_overlay(struct sw_image *image, const struct layout *layout,
					  struct sw_target *target)
{
	struct sw_error *error = check_likeness(image, layout, target);
	return error ? error : sw_image_overlay((struct sw_image_parts *)image, target);
}

struct sw_error *sw_image_place(struct sw_image *image, struct sw_target *target)
{
	struct layout layout;

	read_layout(image, &layout);
	struct sw_error *error = find_bias(image, &layout, target);
	return error ? error : check_and_overlay(image, &layout, target);
}

struct sw_error *sw_image_place_at(struct sw_image *image, struct sw_target *target, uint64_t bias)
{
	struct layout layout;

	read_layout(image, &layout);
	image->bias = bias;
	return check_and_overlay(image, &layout, target);
}
