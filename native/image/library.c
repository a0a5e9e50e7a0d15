/* Files beside the executable that a target has mapped: a program's plug-ins. */
#include "image/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	NAME_BYTES = 4096,    /* PATH_MAX of the kernel */
	MAX_LIBRARIES = 4096, /* that a loader's list may name */
};

/* What a target tells about a mapped file. */
struct mapped {
	char path[NAME_BYTES]; /* "" for none */
	bool has_bias;
	uint64_t bias;
};

static const struct sw_mapping *mapping_at(const struct sw_target *target, sw_addr addr)
{
	for (size_t i = 0; i < target->mappings.count; i++)
		if (addr >= target->mappings.items[i].start && addr < target->mappings.items[i].end)
			return &target->mappings.items[i];
	return NULL;
}

/* ---- the loader's list ----
 *
 * A core that does not list its mappings (one of qemu's) still has what the dynamic loader keeps
 * for debuggers: DT_DEBUG of the executable leads to struct r_debug, and that to the chain of
 * struct link_map (link.h of the C library): l_addr, l_name, l_ld, l_next. */

static sw_addr find_debug(const struct sw_image *image, const struct sw_target *target)
{
	struct sw_bytes file = sw_image_file(image);
	Elf64_Phdr segment;
	uint64_t tag, value;

	for (unsigned i = 0; i < sw_elf_segments(file); i++) {
		if (!sw_elf_segment(file, i, &segment) || segment.p_type != PT_DYNAMIC)
			continue;
		for (uint64_t at = 0; at + 16 <= segment.p_filesz; at += 16) {
			sw_addr entry = image->bias + segment.p_vaddr + at;
			if (!sw_memory_u64(&target->memory, entry, &tag) || tag == DT_NULL ||
			    !sw_memory_u64(&target->memory, entry + 8, &value))
				return 0;
			if (tag == DT_DEBUG)
				return value;
		}
	}
	return 0;
}

/* The library that begins closest below the address. */
static void find_linked(const struct sw_image *image, const struct sw_target *target, sw_addr addr,
			struct mapped *out)
{
	sw_addr debug = find_debug(image, target), link = 0;
	uint64_t bias, name;
	char path[NAME_BYTES];

	if (debug)
		sw_memory_u64(&target->memory, debug + 8, &link);
	for (unsigned count = 0; link && count < MAX_LIBRARIES; count++) {
		if (!sw_memory_u64(&target->memory, link, &bias) ||
		    !sw_memory_u64(&target->memory, link + 8, &name) ||
		    !sw_memory_u64(&target->memory, link + 24, &link))
			return;
		if (bias > addr || (out->has_bias && bias <= out->bias) ||
		    !sw_memory_string(&target->memory, name, path, sizeof(path)) || !*path)
			continue;
		strcpy(out->path, path);
		out->has_bias = true;
		out->bias = bias;
	}
}

static void find_mapped(const struct sw_image *image, const struct sw_target *target, sw_addr addr,
			struct mapped *out)
{
	const struct sw_mapping *mapping = mapping_at(target, addr);

	memset(out, 0, sizeof(*out));
	if (mapping)
		snprintf(out->path, sizeof(out->path), "%s", mapping->path);
	else if (!target->mappings.count)
		find_linked(image, target, addr, out);
}

/* ---- the file ---- */

/* What stands before a file's name in a path: the folder with its slash. */
static int folder_length(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;
	return slash ? (int)(slash + 1 - path) : 0;
}

/* One place to look: *out is NULL when it is none, or there is nothing. */
static struct sw_error *try_place(char **out, const char *folder, int length, const char *name)
{
	*out = NULL;
	if (asprintf(out, "%.*s%s", length, folder, name) < 0) {
		*out = NULL;
		return sw_error_memory();
	}
	if (access(*out, R_OK)) {
		free(*out);
		*out = NULL;
	}
	return NULL;
}

/* At its path below the sysroot, as the process sees it, as it is here; then beside the executable
 * and beside the core. */
static struct sw_error *find_file(const struct sw_image *image, const struct sw_target *target,
				  const char *path, char **out)
{
	const char *name = path + folder_length(path);
	char root[64] = "";
	if (target->kind == SW_TARGET_PROCESS)
		snprintf(root, sizeof(root), "/proc/%d/root", target->pid);
	const struct {
		const char *folder, *name;
		int length;
	} places[] = {
		{image->sysroot, path, image->sysroot ? (int)strlen(image->sysroot) : 0},
		{root, path, (int)strlen(root)},
		{"", path, 0},
		{image->path, name, folder_length(image->path)},
		{target->path, name, folder_length(target->path)},
	};
	struct sw_error *error = NULL;

	*out = NULL;
	for (size_t i = 0; !error && !*out && i < sizeof(places) / sizeof(*places); i++)
		if (places[i].folder)
			error = try_place(out, places[i].folder, places[i].length, places[i].name);
	if (error || *out)
		return error;
	return sw_error_hint(sw_error_format(SW_ERR_NOT_FOUND, "the file %s is not here", path),
			     "put it beside the executable, or name the folder that holds the "
			     "other machine's files with --sysroot DIR");
}

/* Where the first segment of a library lies: all its mappings have one name. */
static bool find_library_bias(const struct sw_image *library, const struct sw_target *target,
			      const char *path, uint64_t *bias)
{
	struct sw_bytes file = sw_image_file(library);
	Elf64_Phdr segment;

	for (unsigned i = 0; i < sw_elf_segments(file); i++) {
		if (!sw_elf_segment(file, i, &segment) || segment.p_type != PT_LOAD)
			continue;
		for (size_t k = 0; k < target->mappings.count; k++) {
			const struct sw_mapping *mapping = &target->mappings.items[k];
			if (mapping->file_offset !=
				    segment.p_offset / SW_IMAGE_PAGE * SW_IMAGE_PAGE ||
			    strcmp(mapping->path, path) != 0)
				continue;
			*bias = mapping->start - segment.p_vaddr / SW_IMAGE_PAGE * SW_IMAGE_PAGE;
			return true;
		}
		return false;
	}
	return false;
}

static struct sw_error *place(struct sw_image *library, struct sw_target *target,
			      const struct mapped *mapped)
{
	uint64_t bias = mapped->bias;
	if (library->arch != target->arch ||
	    (!mapped->has_bias && !find_library_bias(library, target, mapped->path, &bias)) ||
	    bias % SW_IMAGE_PAGE)
		return sw_error_hint(sw_error_format(SW_ERR_MISMATCH,
						     "%s is not the file that the target has "
						     "mapped",
						     library->path),
				     "a new build of the same source is another file");
	return sw_image_place_at(library, target, bias);
}

struct sw_error *sw_image_place_library(struct sw_image *image, struct sw_target *target,
					sw_addr addr)
{
	struct sw_image_parts *parts = (struct sw_image_parts *)image;
	struct sw_image *library = NULL;
	struct mapped mapped;
	char *file;

	find_mapped(image, target, addr, &mapped);
	if (!*mapped.path)
		return sw_error_hint(sw_error_format(SW_ERR_NOT_FOUND,
						     "the target does not tell which file it has "
						     "mapped there"),
				     "take the core with gcore, which leaves nothing out");
	struct sw_error *error = find_file(image, target, mapped.path, &file);
	if (!error)
		error = sw_image_open(file, &library);
	if (!error)
		error = place(library, target, &mapped);
	free(file);
	if (error) {
		sw_image_close(library);
		return error;
	}
	((struct sw_image_parts *)library)->next = parts->next;
	parts->next = (struct sw_image_parts *)library;
	return NULL;
}
