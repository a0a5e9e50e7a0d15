/* Writing the file of an index: beside where it is to be, then renamed. */
#include "index/digest.h"
#include "index/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WRITE_BYTES = 8 << 20 }; /* between two looks at Ctrl-C */

struct content {
	const void *bytes;
	uint64_t size;
};

/* ---- bytes ---- */

static struct sw_error *write_at(int fd, uint64_t at, const void *bytes, uint64_t size,
				 struct sw_work *work)
{
	const char *from = bytes;
	struct sw_error *error = NULL;

	while (!error && size) {
		size_t piece = size < WRITE_BYTES ? size : WRITE_BYTES;
		ssize_t written = pwrite(fd, from, piece, (off_t)at);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return sw_error_errno(written ? errno : ENOSPC, "cannot write the index");
		from += written;
		at += (uint64_t)written;
		size -= (uint64_t)written;
		error = sw_work_tick(work, "index", 0, 0);
	}
	return error;
}

/* Sections first, the head last. */
static struct sw_error *write_all(int fd, const struct content *contents,
				  struct sw_index_head *head, struct sw_work *work)
{
	uint64_t at = SW_INDEX_PAGE;
	struct sw_error *error = NULL;

	for (size_t i = 0; !error && i < SW_SECTIONS; i++) {
		head->sections[i].offset = at;
		head->sections[i].size = contents[i].size;
		error = sw_digest_large(contents[i].bytes, contents[i].size, work,
					&head->sections[i].checksum);
		if (!error)
			error = write_at(fd, at, contents[i].bytes, contents[i].size, work);
		at += (contents[i].size + SW_INDEX_PAGE - 1) / SW_INDEX_PAGE * SW_INDEX_PAGE;
	}
	head->size = at;
	head->checksum = sw_digest(0, head, offsetof(struct sw_index_head, checksum));
	if (!error && ftruncate(fd, (off_t)at))
		error = sw_error_errno(errno, "cannot write the index");
	return error ? error : write_at(fd, 0, head, sizeof(*head), work);
}

/* ---- files ---- */

/* Whoever may read the core may read its index. */
static int create(const char *core, const char *path, char **name)
{
	struct stat status;

	*name = NULL;
	if (asprintf(name, "%s.%d.part", path, (int)getpid()) < 0) {
		*name = NULL;
		errno = ENOMEM;
		return -1;
	}
	unlink(*name); /* of a process of this number that was killed */
	int fd = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0 && !stat(core, &status))
		fchmod(fd, (status.st_mode & 0444) | 0600);
	return fd;
}

static struct sw_error *write_file(struct sw_index *index, const char *path,
				   const struct content *contents, struct sw_index_head *head,
				   struct sw_work *work)
{
	char *name;
	int fd = create(index->core, path, &name);
	if (fd < 0) {
		int number = errno;
		free(name);
		return sw_error_errno(number, "cannot create %s", path);
	}
	struct sw_error *error = write_all(fd, contents, head, work);
	/* Some file systems report a full disk only here. */
	if (close(fd) && !error)
		error = sw_error_errno(errno, "cannot write the index");
	if (!error && rename(name, path))
		error = sw_error_errno(errno, "cannot create %s", path);
	if (error)
		unlink(name);
	free(name);
	return error;
}

/* Beside the core, else in the cache; the error is that of the last place. */
static struct sw_error *write_somewhere(struct sw_index *index, const struct content *contents,
					struct sw_index_head *head, struct sw_work *work)
{
	struct sw_error *error = NULL;

	for (unsigned i = 0; i < SW_INDEX_PLACES; i++) {
		char *path = sw_index_place(index->core, i);
		if (!path)
			return sw_error_memory();
		if (i && !*path) {
			free(path);
			return error;
		}
		sw_error_free(error);
		if (i)
			sw_index_make_folders(path);
		error = write_file(index, path, contents, head, work);
		if (error) {
			free(path);
			if (error->code == SW_ERR_INTERRUPTED)
				return error;
			continue;
		}
		free(index->path);
		index->path = path;
		index->fault = NULL;
		return NULL;
	}
	return error;
}

/* ---- contents ---- */

static struct sw_error *collect_marks(const struct sw_mark_log *log, struct sw_work *work,
				      struct content *out)
{
	uint64_t calls = log->calls.count, *words;

	out->size = (1 + calls * (1 + log->block_count)) * sizeof(*words);
	struct sw_error *error = sw_work_alloc(work, out->size, "index", &words);
	if (error)
		return error;
	words[0] = calls;
	for (uint64_t i = 0; i < calls; i++) {
		words[1 + i] = log->calls.items[i].unread_objects;
		memcpy(words + 1 + calls + i * log->block_count, log->calls.items[i].marked,
		       log->block_count * sizeof(*words));
	}
	out->bytes = words;
	return NULL;
}

/* The table that was kept, or that of the file, which it was taken from. */
static struct content table_of(const struct sw_index *index)
{
	if (index->table)
		return (struct content){index->table, index->table_size};
	if (index->bytes && index->states[SW_SECTION_TABLE] == SW_SECTION_RIGHT)
		return (struct content){index->bytes +
						index->head.sections[SW_SECTION_TABLE].offset,
					index->head.sections[SW_SECTION_TABLE].size};
	return (struct content){0};
}

static void fill_head(const struct sw_index *index, const struct sw_typing *typing,
		      struct sw_index_head *head)
{
	*head = (struct sw_index_head){
		.magic = "SPANIDX\n",
		.format = SW_INDEX_FORMAT,
		.byte_order = 1,
		.damaged_masks = index->damaged_masks,
		.root_pointers = typing->root_pointers,
		.known_by_debug_information = typing->known_by_debug_information,
		.known_by_interface = typing->known_by_interface,
		.known_by_code = typing->known_by_code,
	};
	memcpy(head->identities, index->identities, sizeof(head->identities));
}

struct sw_error *sw_index_write(struct sw_index *index, const struct sw_index_parts *parts,
				struct sw_work *work)
{
	const struct sw_graph *graph = parts->graph;
	const struct sw_dominators *dominators = parts->dominators;
	uint64_t objects = parts->heap->object_count, nodes = graph->node_count;
	struct content marks = {0}, table = table_of(index);
	struct sw_index_head head;

	if (!index->marks.calls.count || !table.bytes)
		return sw_error_format(SW_ERR_USAGE, "the index was opened for reading alone");
	struct sw_error *error = collect_marks(&index->marks, work, &marks);
	if (error)
		return error;
	const struct content contents[SW_SECTIONS] = {
		[SW_SECTION_MARKS] = marks,
		[SW_SECTION_TABLE] = table,
		[SW_SECTION_TYPES] = {parts->typing->types, objects * sizeof(sw_type)},
		[SW_SECTION_ROOT_TYPES] = {parts->typing->root_types,
					   parts->typing->root_word_count *
						   sizeof(struct sw_root_word_type)},
		[SW_SECTION_PARENTS] = {graph->parent, nodes * sizeof(sw_node)},
		[SW_SECTION_EDGES] = {graph->extra, graph->extra_count * sizeof(struct sw_edge)},
		[SW_SECTION_DOMINATORS] = {dominators->idom, nodes * sizeof(sw_node)},
		[SW_SECTION_RETAINED_BYTES] = {dominators->retained_bytes,
					       nodes * sizeof(uint64_t)},
		[SW_SECTION_RETAINED_OBJECTS] = {dominators->retained_objects,
						 nodes * sizeof(uint32_t)},
		[SW_SECTION_HEAVIEST] = {dominators->heaviest, nodes * sizeof(sw_node)},
	};
	fill_head(index, parts->typing, &head);
	error = write_somewhere(index, contents, &head, work);
	sw_work_free(work, (void *)(uintptr_t)marks.bytes, marks.size);
	index->is_written |= !error;
	return error;
}
