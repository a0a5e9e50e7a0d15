#include "subject.h"

#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { GAP = 64 << 10, PAGE = 4096, ROOM_FOR_HEADERS = 1 << 20 };

/* ---- files in memory ---- */

static void create(struct file *file, const char *name, uint64_t size)
{
	file->fd = memfd_create(name, MFD_CLOEXEC);
	if (file->fd < 0 || ftruncate(file->fd, (off_t)size))
		err(2, "cannot make a file in memory");
	file->size = size;
	file->bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);
	if (file->bytes == MAP_FAILED)
		err(2, "cannot map a file in memory");
	snprintf(file->path, sizeof(file->path), "/proc/self/fd/%d", file->fd);
}

static const uint8_t *map(const char *path, uint64_t *size)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &status))
		err(2, "%s", path);
	*size = (uint64_t)status.st_size;
	const uint8_t *bytes = mmap(NULL, *size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		err(2, "%s", path);
	close(fd);
	return bytes;
}

/* Leaves the holes of the source holes. */
static void copy(uint8_t *to, const uint8_t *from, uint64_t size)
{
	static const uint8_t zeroes[PAGE];

	for (uint64_t at = 0; at < size; at += PAGE) {
		uint64_t part = size - at < PAGE ? size - at : PAGE;
		if (memcmp(from + at, zeroes, part) != 0)
			memcpy(to + at, from + at, part);
	}
}

static void take_segments(struct file *file, const uint8_t *bytes, uint64_t size, const char *path)
{
	Elf64_Ehdr header;

	if (size < sizeof(header))
		errx(2, "%s: too short", path);
	memcpy(&header, bytes, sizeof(header));
	file->segment_count = header.e_phnum;
	file->segments = calloc(header.e_phnum + 1u, sizeof(Elf64_Phdr));
	if (!file->segments || header.e_phoff > size ||
	    (size - header.e_phoff) / sizeof(Elf64_Phdr) < header.e_phnum)
		errx(2, "%s: no program headers", path);
	memcpy(file->segments, bytes + header.e_phoff, header.e_phnum * sizeof(Elf64_Phdr));
}

static bool follows(const Elf64_Phdr *segment, const Elf64_Phdr *before)
{
	return before->p_type == PT_LOAD && before->p_memsz == before->p_filesz &&
	       before->p_flags == segment->p_flags &&
	       before->p_vaddr + before->p_memsz == segment->p_vaddr;
}

static void load_core(struct subject *subject, const char *path)
{
	struct file *core = &subject->files[CORE];
	uint64_t size, end = ROOM_FOR_HEADERS;
	const uint8_t *bytes = map(path, &size);

	take_segments(core, bytes, size, path);
	Elf64_Phdr *moved = calloc(core->segment_count + 1u, sizeof(*moved));
	for (unsigned i = 0; i < core->segment_count; i++) {
		moved[i] = core->segments[i];
		if (!i || !follows(&moved[i], &moved[i - 1]))
			end += GAP;
		moved[i].p_offset = end;
		end += (moved[i].p_filesz + PAGE - 1) / PAGE * PAGE;
	}
	create(core, "core", end);

	Elf64_Ehdr header;
	memcpy(&header, bytes, sizeof(header));
	header.e_phoff = sizeof(header);
	header.e_shoff = header.e_shnum = 0;
	memcpy(core->bytes, &header, sizeof(header));
	memcpy(core->bytes + sizeof(header), moved, core->segment_count * sizeof(*moved));
	for (unsigned i = 0; i < core->segment_count; i++) {
		const Elf64_Phdr *from = &core->segments[i];
		if (from->p_offset + from->p_filesz > size)
			errx(2, "%s: cut", path);
		copy(core->bytes + moved[i].p_offset, bytes + from->p_offset, from->p_filesz);
	}
	free(core->segments);
	core->segments = moved;
	munmap((void *)bytes, size);
}

static void load_exe(struct subject *subject, const char *path)
{
	struct file *exe = &subject->files[EXE];
	uint64_t size;
	const uint8_t *bytes = map(path, &size);

	take_segments(exe, bytes, size, path);
	create(exe, "exe", size);
	copy(exe->bytes, bytes, size);
	munmap((void *)bytes, size);
}

void subject_load(struct subject *subject, const char *exe, const char *core)
{
	memset(subject, 0, sizeof(*subject));
	load_core(subject, core);
	load_exe(subject, exe);
}

void subject_free(struct subject *subject)
{
	subject_mend(subject);
	changes_free(&subject->changes);
	for (int i = 0; i < FILES; i++) {
		munmap(subject->files[i].bytes, subject->files[i].size);
		close(subject->files[i].fd);
		free(subject->files[i].segments);
	}
}

/* ---- by address ---- */

static bool find_in(const struct file *file, sw_addr addr, uint64_t *offset, uint64_t *room)
{
	for (unsigned i = 0; i < file->segment_count; i++) {
		const Elf64_Phdr *segment = &file->segments[i];
		if (segment->p_type != PT_LOAD || addr - segment->p_vaddr >= segment->p_filesz)
			continue;
		*offset = segment->p_offset + (addr - segment->p_vaddr);
		*room = segment->p_filesz - (addr - segment->p_vaddr);
		return true;
	}
	return false;
}

bool subject_find(const struct subject *subject, sw_addr addr, struct place *out)
{
	out->file = CORE;
	if (find_in(&subject->files[CORE], addr, &out->offset, &out->room))
		return true;
	out->file = EXE;
	return find_in(&subject->files[EXE], addr - subject->bias, &out->offset, &out->room);
}

uint64_t subject_peek(const struct subject *subject, sw_addr addr)
{
	struct place place;

	if (!subject_find(subject, addr, &place) || place.room < 8)
		return 0;
	return sw_load64(subject->files[place.file].bytes + place.offset);
}

/* ---- damage ---- */

void subject_write(struct subject *subject, enum subject_file number, uint64_t offset,
		   const void *bytes, uint64_t size)
{
	struct file *file = &subject->files[number];

	if (offset >= file->size)
		return;
	if (size > file->size - offset)
		size = file->size - offset;
	struct change change = {number, offset, size, malloc(size + 1)};
	if (!change.before || changes_add(&subject->changes, change))
		errx(2, "out of memory");
	memcpy(change.before, file->bytes + offset, size);
	memmove(file->bytes + offset, bytes, size);
}

void subject_poke(struct subject *subject, sw_addr addr, const void *bytes, uint64_t size)
{
	struct place place;

	if (subject_find(subject, addr, &place))
		subject_write(subject, place.file, place.offset, bytes,
			      size < place.room ? size : place.room);
}

void subject_poke64(struct subject *subject, sw_addr addr, uint64_t word)
{
	subject_poke(subject, addr, &word, sizeof(word));
}

void subject_mend(struct subject *subject)
{
	while (subject->changes.count) {
		struct change *change = &subject->changes.items[--subject->changes.count];
		memcpy(subject->files[change->file].bytes + change->offset, change->before,
		       change->size);
		free(change->before);
	}
}

void subject_cut(struct subject *subject, enum subject_file file, uint64_t size)
{
	if (ftruncate(subject->files[file].fd, (off_t)size))
		err(2, "cannot cut a file in memory");
}

void subject_save(const struct subject *subject, const char *folder)
{
	static const char *const names[] = {"core", "exe"};

	for (int i = 0; i < FILES; i++) {
		char path[4096];
		struct stat status;
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		int fd = open(path, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0755);
		if (fd < 0 || fstat(subject->files[i].fd, &status) || ftruncate(fd, status.st_size))
			err(2, "%s", path);
		uint8_t *to = mmap(NULL, (size_t)status.st_size, PROT_WRITE | PROT_READ, MAP_SHARED,
				   fd, 0);
		if (to == MAP_FAILED)
			err(2, "%s", path);
		copy(to, subject->files[i].bytes, (uint64_t)status.st_size);
		munmap(to, (size_t)status.st_size);
		close(fd);
	}
}
