/* Copying a process' memory while it is stopped, for as short as can be: what can be prepared is
 * done before (areas.c), what is copied is found by /proc/PID/pagemap, all workers read it with
 * process_vm_readv(2). */
#include "base/bitset.h"
#include "target/areas.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	PIECE_PAGES = 2048,	  /* 8 MiB: copied in about a millisecond */
	MAX_RUNS = 1024,	  /* IOV_MAX of the kernel */
	RELOCATED_MAX = 64 << 20, /* bytes of a mapping that is copied whole for a changed page */
};

/* Part of a mapping within one area. */
struct piece {
	const struct sw_vma *vma;
	uint64_t *copied; /* bits, one for each page of the mapping */
	sw_addr start, end;
	uint8_t *host;
};
SW_VECTOR(struct piece, pieces);

struct sw_copy {
	int pid;
	int pagemap, memory; /* descriptors; pagemap -1: every page counts as present */
	struct sw_work *work;
	struct sw_vmas vmas;
	struct sw_areas areas;
	struct pieces pieces;
	uint64_t **copied;     /* bits of each mapping that is not wholly readable; NULLs */
	uint64_t copied_pages; /* atomic */
	uint64_t lost_pages;   /* atomic: present, but the kernel would not give them */
	uint64_t skipped;      /* mappings too large to look for their pages */
	uint64_t claimed;      /* bytes counted in work->used_memory */
};

struct sw_error *sw_copy_create(int pid, struct sw_work *work, struct sw_copy **out)
{
	char path[64];
	struct sw_copy *copy = calloc(1, sizeof(*copy));

	*out = copy;
	if (!copy)
		return sw_error_memory();
	copy->pid = pid;
	copy->work = work;
	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	copy->pagemap = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	copy->memory = open(path, O_RDONLY | O_CLOEXEC);
	return NULL;
}

static void free_pieces(struct sw_copy *copy)
{
	for (size_t i = 0; copy->copied && i < copy->vmas.count; i++)
		free(copy->copied[i]);
	free(copy->copied);
	copy->copied = NULL;
	pieces_free(&copy->pieces);
}

static void close_descriptors(struct sw_copy *copy)
{
	if (copy->pagemap >= 0)
		close(copy->pagemap);
	if (copy->memory >= 0)
		close(copy->memory);
	copy->pagemap = copy->memory = -1;
}

void sw_copy_free(struct sw_copy *copy)
{
	if (!copy)
		return;
	free_pieces(copy);
	sw_vmas_clear(&copy->vmas);
	sw_areas_clear(&copy->areas);
	close_descriptors(copy);
	copy->work->used_memory -= copy->claimed;
	free(copy);
}

const struct sw_vmas *sw_copy_vmas(const struct sw_copy *copy)
{
	return &copy->vmas;
}

static struct sw_error *read_maps(struct sw_copy *copy, const struct sw_vmas *known)
{
	struct sw_error *error = sw_procfs_maps(copy->pid, known, &copy->vmas);
	if (!error)
		error = sw_pagemap_split_sparse(copy->pagemap, &copy->vmas, &copy->skipped);
	return error;
}

struct sw_error *sw_copy_prepare(struct sw_copy *copy)
{
	struct sw_error *error = read_maps(copy, NULL);
	if (!error)
		error = sw_areas_plan(&copy->areas, &copy->vmas);
	if (!error && copy->pagemap >= 0)
		error = sw_areas_populate(&copy->areas, &copy->vmas, copy->pagemap, copy->work);
	return error;
}

static struct sw_error *exited(const struct sw_copy *copy)
{
	return sw_error_hint(sw_error_format(SW_ERR_NOT_FOUND,
					     "process %d has exited while it was being read",
					     copy->pid),
			     "take a core of it when it runs again");
}

/* Which pages of a piece are to be copied. */
static bool is_wanted(const struct piece *piece, size_t page, uint64_t entry)
{
	bool is_first = piece->start + page * SW_PAGE == piece->vma->start;

	switch (piece->vma->copying) {
	case SW_COPY_WHOLE:
		return true;
	case SW_COPY_CHANGED:
		/* The first page has the ELF header, by which image/ tells whose it is. */
		if (is_first && !piece->vma->file_offset)
			return true;
		return sw_page_is_present(entry) && !sw_page_is_of_file(entry);
	default:
		if (is_first && piece->vma->inode && !piece->vma->file_offset &&
		    !piece->vma->is_shared)
			return true;
		return sw_page_is_present(entry);
	}
}

/* Runs of wanted pages, as vectors in this process and in the target. */
struct runs {
	struct iovec here[MAX_RUNS], there[MAX_RUNS];
	size_t count;
};

static void find_runs(const struct piece *piece, const uint64_t *entries, struct runs *runs)
{
	size_t pages = (piece->end - piece->start) / SW_PAGE;

	runs->count = 0;
	for (size_t page = 0; page < pages;) {
		size_t first = page;
		while (page < pages && is_wanted(piece, page, entries[page]))
			page++;
		if (page == first) {
			page++;
			continue;
		}
		size_t offset = first * SW_PAGE, size = (page - first) * SW_PAGE;
		runs->here[runs->count] = (struct iovec){piece->host + offset, size};
		runs->there[runs->count++] =
			(struct iovec){(void *)(uintptr_t)(piece->start + offset), size};
	}
}

/* Reads from the front of the runs; 0 when the first page cannot be read, -1 with errno when the
 * process cannot be read at all. */
static ssize_t read_front(const struct sw_copy *copy, const struct iovec *here,
			  const struct iovec *there, size_t count)
{
	ssize_t size = process_vm_readv(copy->pid, here, count, there, count, 0);

	if (size > 0 || (size < 0 && errno == ESRCH))
		return size;
	if (size < 0 && errno != EFAULT && errno != EPERM && errno != ENOSYS && errno != ENOMEM)
		return size;
	/* Some kernels, sandboxes and mappings refuse the call, but not the file. */
	size = pread(copy->memory, here->iov_base, here->iov_len,
		     (off_t)(uintptr_t)there->iov_base);
	return size < 0 && errno == EIO ? 0 : size;
}

/* Takes `size` bytes off the front of the runs. */
static void drop(struct runs *runs, size_t *at, size_t size)
{
	while (size) {
		struct iovec *here = &runs->here[*at], *there = &runs->there[*at];
		size_t part = size < here->iov_len ? size : here->iov_len;
		here->iov_base = (uint8_t *)here->iov_base + part;
		there->iov_base = (uint8_t *)there->iov_base + part;
		here->iov_len -= part;
		there->iov_len -= part;
		size -= part;
		if (!here->iov_len)
			++*at;
	}
}

static void mark_copied(const struct piece *piece, sw_addr addr, size_t pages)
{
	size_t page = (addr - piece->vma->start) / SW_PAGE;

	for (size_t i = 0; piece->copied && i < pages; i++)
		sw_bitset_claim(piece->copied, page + i);
}

static struct sw_error *copy_runs(struct sw_copy *copy, const struct piece *piece,
				  struct runs *runs)
{
	uint64_t copied = 0, lost = 0;

	for (size_t at = 0; at < runs->count;) {
		ssize_t size =
			read_front(copy, runs->here + at, runs->there + at, runs->count - at);
		if (size < 0)
			return errno == ESRCH
				       ? exited(copy)
				       : sw_error_errno(errno, "cannot read process %d at %p",
							copy->pid, runs->there[at].iov_base);
		size_t pages = (size_t)size / SW_PAGE;
		copied += pages;
		if (!pages) {
			lost++;
			drop(runs, &at, SW_PAGE);
			continue;
		}
		for (size_t left = pages * SW_PAGE; left;) {
			size_t part = left < runs->here[at].iov_len ? left : runs->here[at].iov_len;
			mark_copied(piece, (sw_addr)(uintptr_t)runs->there[at].iov_base,
				    part / SW_PAGE);
			drop(runs, &at, part);
			left -= part;
		}
	}
	__atomic_fetch_add(&copy->copied_pages, copied, __ATOMIC_RELAXED);
	__atomic_fetch_add(&copy->lost_pages, lost, __ATOMIC_RELAXED);
	return NULL;
}

static struct sw_error *copy_piece(struct sw_copy *copy, const struct piece *piece,
				   struct runs *runs)
{
	uint64_t entries[PIECE_PAGES];
	size_t pages = (piece->end - piece->start) / SW_PAGE;

	sw_pagemap_read(copy->pagemap, piece->start, pages, entries);
	find_runs(piece, entries, runs);
	if (runs->count && copy->work->max_memory &&
	    __atomic_load_n(&copy->copied_pages, __ATOMIC_RELAXED) * SW_PAGE >
		    copy->work->max_memory)
		return sw_error_hint(sw_error_format(SW_ERR_LIMIT,
						     "the memory of process %d is larger than the "
						     "limit of %" PRIu64 " MiB",
						     copy->pid, copy->work->max_memory >> 20),
				     "raise --max-memory");
	return copy_runs(copy, piece, runs);
}

static struct sw_error *copy_body(void *context, unsigned worker, size_t begin, size_t end)
{
	struct sw_copy *copy = context;
	struct runs *runs = malloc(sizeof(*runs));
	struct sw_error *error = runs ? NULL : sw_error_memory();
	(void)worker;

	for (size_t i = begin; !error && i < end; i++)
		error = copy_piece(copy, &copy->pieces.items[i], runs);
	free(runs);
	return error;
}

/* Has the loader written addresses into this part of a file? Then every other page or so of a table
 * in it is the file's: whoever reads the table wants it in one piece. */
static bool is_relocated(const struct sw_copy *copy, const struct sw_vma *vma)
{
	uint64_t entries[PIECE_PAGES];

	if (vma->copying != SW_COPY_CHANGED || vma->flags & SW_REGION_EXECUTE ||
	    vma->end - vma->start > RELOCATED_MAX)
		return false;
	for (sw_addr at = vma->start; at < vma->end; at += PIECE_PAGES * SW_PAGE) {
		size_t pages = (vma->end - at) / SW_PAGE;
		if (pages > PIECE_PAGES)
			pages = PIECE_PAGES;
		sw_pagemap_read(copy->pagemap, at, pages, entries);
		for (size_t i = 0; i < pages; i++)
			if (sw_page_is_present(entries[i]) && !sw_page_is_of_file(entries[i]))
				return true;
	}
	return false;
}

/* Cuts one mapping into pieces; its areas are there. */
static struct sw_error *cut(struct sw_copy *copy, size_t index)
{
	struct sw_vma *vma = &copy->vmas.items[index];

	if (is_relocated(copy, vma))
		vma->copying = SW_COPY_WHOLE;
	if (vma->copying != SW_COPY_ZEROES) {
		copy->copied[index] = calloc(sw_bitset_words((vma->end - vma->start) / SW_PAGE), 8);
		if (!copy->copied[index])
			return sw_error_memory();
	}
	for (sw_addr at = vma->start; at < vma->end;) {
		const struct sw_area *area = sw_areas_find(&copy->areas, at);
		if (!area)
			return sw_error_memory();
		uint64_t size = PIECE_PAGES * SW_PAGE;
		if (size > vma->end - at)
			size = vma->end - at;
		if (size > area->start + area->size - at)
			size = area->start + area->size - at;
		struct sw_error *error = pieces_add(
			&copy->pieces, (struct piece){.vma = vma,
						      .copied = copy->copied[index],
						      .start = at,
						      .end = at + size,
						      .host = area->host + (at - area->start)});
		if (error)
			return error;
		at += size;
	}
	return NULL;
}

static struct sw_error *cut_all(struct sw_copy *copy)
{
	struct sw_error *error = sw_areas_plan(&copy->areas, &copy->vmas);

	copy->copied = calloc(copy->vmas.count, sizeof(*copy->copied));
	if (!error && !copy->copied)
		error = sw_error_memory();
	for (size_t i = 0; !error && i < copy->vmas.count; i++)
		if (copy->vmas.items[i].copying != SW_COPY_NOTHING)
			error = cut(copy, i);
	return error;
}

struct sw_error *sw_copy_run(struct sw_copy *copy)
{
	struct sw_vmas known = copy->vmas;
	copy->vmas = (struct sw_vmas){0};
	struct sw_error *error = read_maps(copy, &known);
	sw_vmas_clear(&known);
	if (!error)
		error = cut_all(copy);
	if (!error)
		error = sw_parallel_for(copy->work, "reading the process", copy->pieces.count, 1,
					copy_body, copy);
	return error;
}

static struct sw_error *claim(struct sw_copy *copy)
{
	struct sw_work *work = copy->work;
	uint64_t bytes = copy->copied_pages * SW_PAGE;

	if (bytes < copy->areas.populated)
		bytes = copy->areas.populated;
	if (work->max_memory && work->used_memory + bytes > work->max_memory)
		return sw_error_hint(
			sw_error_format(SW_ERR_LIMIT,
					"the memory of process %d takes %" PRIu64
					" MiB beside %" PRIu64
					" MiB in use, over the limit of %" PRIu64 " MiB",
					copy->pid, bytes >> 20, work->used_memory >> 20,
					work->max_memory >> 20),
			"raise --max-memory");
	copy->claimed = bytes;
	work->used_memory += bytes;
	if (work->used_memory > work->peak_memory)
		work->peak_memory = work->used_memory;
	return NULL;
}

static struct sw_error *add_region(const struct sw_copy *copy, struct sw_memory *memory,
				   const struct sw_vma *vma, sw_addr start, sw_addr end)
{
	struct sw_error *error = NULL;

	while (!error && start < end) {
		const struct sw_area *area = sw_areas_find(&copy->areas, start);
		uint64_t size = area->start + area->size - start;
		if (size > end - start)
			size = end - start;
		error = sw_memory_add(
			memory, (struct sw_region){.addr = start,
						   .size = size,
						   .bytes = area->host + (start - area->start),
						   .flags = vma->flags});
		start += size;
	}
	return error;
}

/* The pages of one mapping that were copied; all of it where the others read as zeros. */
static struct sw_error *add_regions(const struct sw_copy *copy, struct sw_memory *memory,
				    size_t index)
{
	const struct sw_vma *vma = &copy->vmas.items[index];
	const uint64_t *copied = copy->copied[index];
	size_t pages = (vma->end - vma->start) / SW_PAGE;
	struct sw_error *error = NULL;

	if (vma->copying == SW_COPY_ZEROES)
		return add_region(copy, memory, vma, vma->start, vma->end);
	for (size_t page = 0; copied && !error && page < pages; page++) {
		size_t first = page;
		while (page < pages && sw_bitset_has(copied, page))
			page++;
		error = add_region(copy, memory, vma, vma->start + first * SW_PAGE,
				   vma->start + page * SW_PAGE);
	}
	return error;
}

struct sw_error *sw_copy_finish(struct sw_copy *copy, struct sw_target *target)
{
	struct sw_error *error = claim(copy);

	for (size_t i = 0; !error && i < copy->vmas.count; i++)
		error = add_regions(copy, &target->memory, i);
	if (error)
		return error;
	if (copy->lost_pages)
		sw_warn(&target->warnings, true, "unreadable_memory",
			"pages of a device or with memory errors; what they hold counts as absent",
			"%" PRIu64 " pages of process %d could not be read", copy->lost_pages,
			copy->pid);
	if (copy->skipped)
		sw_warn(&target->warnings, true, "sparse_mapping",
			"a kernel from 6.7 on tells which of their pages are there",
			"%" PRIu64 " mappings of 256 GiB and more were left out", copy->skipped);
	free_pieces(copy);
	close_descriptors(copy);
	return NULL;
}

static void close_copy(struct sw_target *target)
{
	sw_copy_free(target->opened);
}

void sw_copy_give(struct sw_copy *copy, struct sw_target *target)
{
	target->opened = copy;
	target->close = close_copy;
}
