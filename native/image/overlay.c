/* The pages of an image that a target lacks. */
#include "image/parts.h"

#include <string.h>
#include <sys/mman.h>

enum { ZEROES_MAX = 1 << 30 }; /* bytes of .bss that a core lacks */

static uint32_t region_flags(uint32_t flags)
{
	return (flags & PF_R ? SW_REGION_READ : 0) | (flags & PF_W ? SW_REGION_WRITE : 0) |
	       (flags & PF_X ? SW_REGION_EXECUTE : 0);
}

/* Bytes that the segment has in the file, as a region at its place in the target. */
static struct sw_region file_region(const struct sw_image *image, const Elf64_Phdr *segment)
{
	struct sw_region region = {.addr = image->bias + segment->p_vaddr,
				   .flags = region_flags(segment->p_flags)};

	if (segment->p_offset < image->size) {
		region.bytes = image->bytes + segment->p_offset;
		region.size = image->size - segment->p_offset;
		if (region.size > segment->p_filesz)
			region.size = segment->p_filesz;
	}
	return region;
}

/* A writable segment whose pages were never written is as in the file, and the kernel leaves it
 * out of a core; but only where the target still has it mapped. */
static struct sw_error *overlay_mapped(const struct sw_region *all, struct sw_target *target)
{
	struct sw_error *error = NULL;

	for (size_t i = 0; !error && i < target->mappings.count; i++) {
		const struct sw_mapping *mapping = &target->mappings.items[i];
		sw_addr start = mapping->start > all->addr ? mapping->start : all->addr;
		sw_addr end = all->addr + all->size;
		end = mapping->end < end ? mapping->end : end;
		if (start >= end)
			continue;
		struct sw_region part = *all;
		part.addr = start;
		part.bytes += start - all->addr;
		part.size = end - start;
		error = sw_memory_add(&target->memory, part);
	}
	return error;
}

static bool is_truncated(const struct sw_target *target)
{
	for (size_t i = 0; i < target->warnings.count; i++)
		if (!strcmp(target->warnings.items[i].code, "truncated_core"))
			return true;
	return false;
}

static struct sw_error *overlay_file_parts(const struct sw_image *image, struct sw_target *target)
{
	struct sw_error *error = NULL;
	bool is_cut = is_truncated(target);

	for (unsigned i = 0; !error && i < sw_elf_segments(sw_image_file(image)); i++) {
		Elf64_Phdr segment;
		if (!sw_elf_segment(sw_image_file(image), i, &segment) || segment.p_type != PT_LOAD)
			continue;
		struct sw_region region = file_region(image, &segment);
		sw_addr end;
		if (!region.size || __builtin_add_overflow(region.addr, region.size, &end))
			continue;
		if (!(segment.p_flags & PF_W))
			error = sw_memory_add(&target->memory, region);
		else if (!is_cut)
			/* What a cut core lacks may have been written: it stays unknown. */
			error = overlay_mapped(&region, target);
	}
	return error;
}

/* The part of a segment that is zeros from the start, up to the end of its last page. */
static bool zero_part(const struct sw_image *image, unsigned index, struct sw_region *out)
{
	Elf64_Phdr segment;
	sw_addr end;

	if (!sw_elf_segment(sw_image_file(image), index, &segment) || segment.p_type != PT_LOAD ||
	    segment.p_filesz >= segment.p_memsz)
		return false;
	*out = (struct sw_region){.addr = image->bias + segment.p_vaddr + segment.p_filesz,
				  .size = segment.p_memsz - segment.p_filesz,
				  .flags = region_flags(segment.p_flags)};
	if (__builtin_add_overflow(out->addr, out->size, &end) || end > UINT64_MAX - SW_IMAGE_PAGE)
		return false;
	out->size = (end + SW_IMAGE_PAGE - 1) / SW_IMAGE_PAGE * SW_IMAGE_PAGE - out->addr;
	return true;
}

static bool map_zeroes(struct sw_image_parts *parts, uint64_t size)
{
	if (parts->zeroes)
		return true;
	void *zeroes =
		mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (zeroes == MAP_FAILED)
		return false;
	parts->zeroes = zeroes;
	parts->zeroes_size = size;
	return true;
}

/* Pages of .bss that were never touched are in no core. */
static struct sw_error *overlay_zeroes(struct sw_image_parts *parts, struct sw_target *target)
{
	struct sw_image *image = &parts->image;
	unsigned count = sw_elf_segments(sw_image_file(image));
	struct sw_error *error = NULL;
	struct sw_region part;
	uint64_t largest = 0;

	if (is_truncated(target))
		return NULL;
	for (unsigned i = 0; i < count; i++)
		if (zero_part(image, i, &part) && part.size <= ZEROES_MAX && part.size > largest)
			largest = part.size;
	if (!largest || !map_zeroes(parts, largest))
		return NULL;
	for (unsigned i = 0; !error && i < count; i++) {
		if (!zero_part(image, i, &part) || part.size > parts->zeroes_size)
			continue;
		part.bytes = parts->zeroes;
		error = sw_memory_add(&target->memory, part);
	}
	return error;
}

struct sw_error *sw_image_overlay(struct sw_image_parts *parts, struct sw_target *target)
{
	struct sw_error *error = overlay_file_parts(&parts->image, target);
	return error ? error : overlay_zeroes(parts, target);
}
