#include "target/parts.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

static const char DELETED[] = " (deleted)";

enum { PATH_BYTES = 4096 }; /* PATH_MAX of the kernel */

enum sw_arch sw_arch_of_machine(unsigned machine)
{
	switch (machine) {
	case EM_X86_64:
		return SW_ARCH_AMD64;
	case EM_AARCH64:
		return SW_ARCH_ARM64;
	default:
		return 0;
	}
}

struct sw_error *sw_target_create(enum sw_target_kind kind, struct sw_target **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return sw_error_memory();
	(*out)->kind = kind;
	return NULL;
}

void sw_threads_clear(struct sw_threads *threads)
{
	for (size_t i = 0; i < threads->count; i++)
		free(threads->items[i].vector);
	sw_threads_free(threads);
}

void sw_target_close(struct sw_target *target)
{
	if (!target)
		return;
	if (target->close)
		target->close(target);
	for (size_t i = 0; i < target->mappings.count; i++)
		free(target->mappings.items[i].path);
	sw_mappings_free(&target->mappings);
	sw_ranges_free(&target->left_out);
	sw_numbers_free(&target->descriptors);
	sw_threads_clear(&target->threads);
	sw_warnings_clear(&target->warnings);
	sw_memory_free(&target->memory);
	free(target->path);
	free(target->exe);
	free(target->exe_name);
	free(target);
}

struct sw_error *sw_target_add_mapping(struct sw_target *target, sw_addr start, sw_addr end,
				       uint64_t file_offset, const char *path, size_t length)
{
	size_t suffix = sizeof(DELETED) - 1;
	if (length > suffix && !memcmp(path + length - suffix, DELETED, suffix))
		length -= suffix;

	char *copy = strndup(path, length);
	if (!copy)
		return sw_error_memory();
	struct sw_error *error = sw_mappings_add(
		&target->mappings,
		(struct sw_mapping){
			.start = start, .end = end, .file_offset = file_offset, .path = copy});
	if (error)
		free(copy);
	return error;
}

static int by_start(const void *a, const void *b)
{
	const struct sw_mapping *left = a, *right = b;
	return left->start < right->start ? -1 : left->start > right->start;
}

void sw_target_sort_mappings(struct sw_target *target)
{
	if (target->mappings.count)
		qsort(target->mappings.items, target->mappings.count, sizeof(struct sw_mapping),
		      by_start);
}

const struct sw_mapping *sw_target_mapping(const struct sw_target *target, sw_addr addr)
{
	size_t low = 0, high = target->mappings.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (target->mappings.items[middle].start <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || addr >= target->mappings.items[low - 1].end)
		return NULL;
	return &target->mappings.items[low - 1];
}

void sw_target_take_auxv(struct sw_target *target, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i + 16 <= size; i += 16) {
		uint64_t type = sw_load64(bytes + i), value = sw_load64(bytes + i + 8);
		if (type == AT_NULL)
			break;
		if (type == AT_ENTRY)
			target->entry = value;
		else if (type == AT_PHDR)
			target->program_headers = value;
		else if (type == AT_EXECFN)
			target->executed = value;
	}
}

static const struct sw_mapping *main_mapping(const struct sw_target *target)
{
	const struct sw_mapping *mapping = NULL;

	if (target->program_headers)
		mapping = sw_target_mapping(target, target->program_headers);
	if (!mapping && target->entry)
		mapping = sw_target_mapping(target, target->entry);
	if (!mapping && target->mappings.count)
		mapping = &target->mappings.items[0];
	return mapping;
}

struct sw_error *sw_target_name_exe(struct sw_target *target)
{
	const struct sw_mapping *mapping = main_mapping(target);
	const char *path = mapping ? mapping->path : NULL;
	char executed[PATH_BYTES];

	/* qemu's cores have no list of files. */
	if (!path && target->executed &&
	    sw_memory_string(&target->memory, target->executed, executed, sizeof(executed)) &&
	    executed[0])
		path = executed;
	if (!path)
		return NULL;
	target->exe = strdup(path);
	target->exe_name = strdup(path);
	return target->exe && target->exe_name ? NULL : sw_error_memory();
}

bool sw_thread_set_registers(struct sw_thread *thread, enum sw_arch arch, const uint8_t *bytes,
			     size_t size)
{
	unsigned count = arch == SW_ARCH_AMD64 ? SW_AMD64_REGISTERS : SW_ARM64_REGISTERS;

	thread->is_stale = size < count * 8;
	if (thread->is_stale)
		return false;
	memcpy(thread->registers, bytes, count * 8);
	thread->register_count = count;
	if (arch == SW_ARCH_AMD64) {
		thread->pc = thread->registers[16];
		thread->sp = thread->registers[19];
		thread->fs_base = thread->registers[21];
	} else {
		thread->sp = thread->registers[31];
		thread->pc = thread->registers[32];
	}
	return true;
}

struct sw_error *sw_thread_set_vector(struct sw_thread *thread, const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	if (!copy)
		return sw_error_memory();
	memcpy(copy, bytes, size);
	free(thread->vector);
	thread->vector = copy;
	thread->vector_size = size;
	return NULL;
}
