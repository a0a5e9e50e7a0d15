/* Opening the file of an index, and its sections. */
#include "index/file.h"
#include "index/digest.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char damaged[] = "it is damaged";

/* Who owns the core could as well have written another core. */
static bool is_trusted(const struct stat *status, const char *core)
{
	struct stat of_core;

	return status->st_uid == geteuid() || !status->st_uid ||
	       (!stat(core, &of_core) && of_core.st_uid == status->st_uid);
}

/* The file's bytes, to be read only; written pages, if there are any, are this process' own. */
static const char *map_file(struct sw_index *index, const char *path, bool *is_there)
{
	/* Not blocking: opening a FIFO would wait for its writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;
	const char *fault = NULL;

	*is_there = fd >= 0;
	if (fd < 0)
		return NULL;
	if (fstat(fd, &status) || !S_ISREG(status.st_mode))
		fault = "it is no regular file";
	else if (!is_trusted(&status, index->core))
		fault = "it belongs to another user";
	else if (status.st_size < SW_INDEX_PAGE)
		fault = damaged;
	if (!fault) {
		index->size = (uint64_t)status.st_size;
		void *bytes = mmap(NULL, index->size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
		if (bytes == MAP_FAILED)
			fault = "it cannot be mapped";
		else
			index->bytes = bytes;
	}
	close(fd);
	return fault;
}

static bool are_valid_sections(const struct sw_index *index)
{
	for (size_t i = 0; i < SW_SECTIONS; i++) {
		uint64_t offset = index->head.sections[i].offset;
		uint64_t size = index->head.sections[i].size;
		if (offset < SW_INDEX_PAGE || offset % SW_INDEX_PAGE || offset > index->size ||
		    size > index->size - offset)
			return false;
	}
	return true;
}

/* What is wrong with the head, or what else the file belongs to; NULL: it counts. */
static const char *check_head(struct sw_index *index)
{
	struct sw_index_head *head = &index->head;

	memcpy(head, index->bytes, sizeof(*head));
	if (memcmp(head->magic, "SPANIDX\n", sizeof(head->magic)) != 0)
		return damaged;
	if (head->format != SW_INDEX_FORMAT || head->byte_order != 1)
		return sw_index_difference(SW_INDEX_TOOL);
	if (head->checksum != sw_digest(0, head, offsetof(struct sw_index_head, checksum)) ||
	    head->size != index->size || !are_valid_sections(index))
		return damaged;
	for (enum sw_index_identity i = 0; i < SW_INDEX_OPENED; i++)
		if (head->identities[i] != index->identities[i])
			return sw_index_difference(i);
	return NULL;
}

void sw_index_unmap(struct sw_index *index)
{
	if (index->bytes)
		munmap((void *)(uintptr_t)index->bytes, index->size);
	index->bytes = NULL;
	index->size = 0;
	memset(index->states, 0, sizeof(index->states));
}

/* Takes the path. The fault of the first file that does not count is kept. */
static bool try_place(struct sw_index *index, char *path)
{
	bool is_there = false;
	const char *fault = *path ? map_file(index, path, &is_there) : NULL;

	if (is_there && !fault)
		fault = check_head(index);
	if (fault)
		sw_index_unmap(index);
	if (fault && !index->fault) {
		index->fault = fault;
		free(index->path);
		index->path = path;
		return false;
	}
	if (!index->bytes) {
		free(path);
		return false;
	}
	free(index->path);
	index->path = path;
	index->fault = NULL;
	return true;
}

struct sw_error *sw_index_find(struct sw_index *index)
{
	for (unsigned i = 0; i < SW_INDEX_PLACES; i++) {
		char *path = sw_index_place(index->core, i);
		if (!path)
			return sw_error_memory();
		if (try_place(index, path))
			break;
	}
	return NULL;
}

void sw_index_refuse(struct sw_index *index, enum sw_index_section section)
{
	index->states[section] = SW_SECTION_WRONG;
}

struct sw_error *sw_index_section(struct sw_index *index, enum sw_index_section section,
				  uint64_t size, struct sw_work *work, const void **bytes)
{
	uint64_t here, checksum;
	struct sw_error *error = NULL;

	*bytes = NULL;
	if (!index->bytes || index->states[section] == SW_SECTION_WRONG)
		return NULL;
	here = index->head.sections[section].size;
	const uint8_t *begin = index->bytes + index->head.sections[section].offset;
	if (size != UINT64_MAX && size != here) {
		sw_index_refuse(index, section);
		return NULL;
	}
	if (index->states[section] == SW_SECTION_NEW) {
		error = sw_digest_large(begin, here, work, &checksum);
		if (!error)
			index->states[section] = checksum == index->head.sections[section].checksum
							 ? SW_SECTION_RIGHT
							 : SW_SECTION_WRONG;
	}
	if (!error && index->states[section] == SW_SECTION_RIGHT)
		*bytes = begin;
	return error;
}
