/* Small ELF files written by the tests themselves: cores with notes and segments in any order. */
#ifndef ELF_BUILDER_H
#define ELF_BUILDER_H

#include <assert.h>
#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct buffer {
	uint8_t *bytes;
	size_t size, capacity;
};

static inline void buffer_add(struct buffer *buffer, const void *bytes, size_t size)
{
	if (buffer->size + size > buffer->capacity) {
		buffer->capacity = (buffer->size + size) * 2;
		buffer->bytes = realloc(buffer->bytes, buffer->capacity);
		assert(buffer->bytes);
	}
	if (bytes)
		memcpy(buffer->bytes + buffer->size, bytes, size);
	else
		memset(buffer->bytes + buffer->size, 0, size);
	buffer->size += size;
}

static inline void buffer_align(struct buffer *buffer, size_t align)
{
	buffer_add(buffer, NULL, (align - buffer->size % align) % align);
}

static inline void buffer_free(struct buffer *buffer)
{
	free(buffer->bytes);
	memset(buffer, 0, sizeof(*buffer));
}

static inline void note_add(struct buffer *notes, const char *owner, uint32_t type,
			    const void *bytes, uint32_t size)
{
	char name[8] = {0};
	/* Go's linker writes its owner with the padding counted in. */
	uint32_t name_size = strcmp(owner, "Go") ? (uint32_t)strlen(owner) + 1 : 4;
	Elf64_Nhdr header = {name_size, size, type};

	assert(name_size <= sizeof(name));
	memcpy(name, owner, strlen(owner));
	buffer_add(notes, &header, sizeof(header));
	buffer_add(notes, name, name_size);
	buffer_align(notes, 4);
	buffer_add(notes, bytes, size);
	buffer_align(notes, 4);
}

/* NT_PRSTATUS with register i holding `first` + i. */
static inline void note_add_thread(struct buffer *notes, unsigned machine, uint32_t tid,
				   uint64_t first)
{
	uint8_t status[392] = {0};
	unsigned count = machine == EM_AARCH64 ? 34 : 27;

	memcpy(status + 32, &tid, sizeof(tid));
	for (unsigned i = 0; i < count; i++) {
		uint64_t value = first + i;
		memcpy(status + 112 + 8 * i, &value, 8);
	}
	note_add(notes, "CORE", NT_PRSTATUS, status, 112 + count * 8 + 8);
}

static inline void note_add_process(struct buffer *notes, uint32_t pid)
{
	uint8_t info[136] = {0};

	memcpy(info + 24, &pid, sizeof(pid));
	note_add(notes, "CORE", NT_PRPSINFO, info, sizeof(info));
}

static inline void note_add_auxv(struct buffer *notes, uint64_t headers, uint64_t entry)
{
	uint64_t pairs[] = {AT_PHDR, headers, AT_ENTRY, entry, AT_NULL, 0};
	note_add(notes, "CORE", NT_AUXV, pairs, sizeof(pairs));
}

struct file_entry {
	uint64_t start, end, page_offset;
	const char *path;
};

static inline void note_add_files(struct buffer *notes, const struct file_entry *files,
				  uint64_t count)
{
	struct buffer note = {0};
	uint64_t header[] = {count, 4096};

	buffer_add(&note, header, sizeof(header));
	for (uint64_t i = 0; i < count; i++)
		buffer_add(&note, &files[i], 24);
	for (uint64_t i = 0; i < count; i++)
		buffer_add(&note, files[i].path, strlen(files[i].path) + 1);
	note_add(notes, "CORE", NT_FILE, note.bytes, (uint32_t)note.size);
	buffer_free(&note);
}

struct core_segment {
	uint64_t addr;
	const void *bytes; /* file_size of them; NULL: zeros */
	uint64_t file_size, memory_size;
	uint32_t flags;
};

struct core_plan {
	unsigned machine; /* 0: EM_X86_64 */
	unsigned type;	  /* 0: ET_CORE */
	bool is_32_bit, is_big_endian;
	bool has_notes_last; /* as gcore */
	bool has_xnum;	     /* the number of segments in section header 0 */
	const struct core_segment *segments;
	size_t count;
	struct buffer notes;
};

static inline Elf64_Ehdr core_header(const struct core_plan *plan)
{
	Elf64_Ehdr header = {.e_type = (uint16_t)(plan->type ? plan->type : ET_CORE),
			     .e_machine = (uint16_t)(plan->machine ? plan->machine : EM_X86_64),
			     .e_version = EV_CURRENT,
			     .e_ehsize = sizeof(Elf64_Ehdr),
			     .e_phentsize = sizeof(Elf64_Phdr),
			     .e_phoff = sizeof(Elf64_Ehdr)};

	memcpy(header.e_ident, ELFMAG, SELFMAG);
	header.e_ident[EI_CLASS] = plan->is_32_bit ? ELFCLASS32 : ELFCLASS64;
	header.e_ident[EI_DATA] = plan->is_big_endian ? ELFDATA2MSB : ELFDATA2LSB;
	header.e_ident[EI_VERSION] = EV_CURRENT;
	header.e_phnum = plan->has_xnum ? PN_XNUM : (uint16_t)(plan->count + 1);
	return header;
}

static inline void core_add_notes(struct buffer *core, const struct core_plan *plan,
				  Elf64_Phdr *header)
{
	buffer_align(core, 4);
	*header = (Elf64_Phdr){
		.p_type = PT_NOTE, .p_offset = core->size, .p_filesz = plan->notes.size};
	buffer_add(core, plan->notes.bytes, plan->notes.size);
}

/* The whole file. The plan's notes are freed. */
static inline struct buffer core_build(struct core_plan *plan)
{
	struct buffer core = {0};
	Elf64_Ehdr header = core_header(plan);
	Elf64_Phdr *segments = calloc(plan->count + 1, sizeof(*segments));
	Elf64_Shdr counts = {.sh_info = (uint32_t)plan->count + 1};

	assert(segments);
	buffer_add(&core, NULL, sizeof(header) + (plan->count + 1) * sizeof(*segments));
	if (plan->has_xnum) {
		header.e_shoff = core.size;
		header.e_shnum = 1;
		header.e_shentsize = sizeof(counts);
		buffer_add(&core, &counts, sizeof(counts));
	}
	if (!plan->has_notes_last)
		core_add_notes(&core, plan, &segments[0]);
	buffer_align(&core, 4096);
	for (size_t i = 0; i < plan->count; i++) {
		const struct core_segment *segment = &plan->segments[i];
		segments[i + 1] = (Elf64_Phdr){.p_type = PT_LOAD,
					       .p_offset = core.size,
					       .p_vaddr = segment->addr,
					       .p_filesz = segment->file_size,
					       .p_memsz = segment->memory_size,
					       .p_flags = segment->flags};
		buffer_add(&core, segment->bytes, segment->file_size);
	}
	if (plan->has_notes_last)
		core_add_notes(&core, plan, &segments[0]);
	memcpy(core.bytes, &header, sizeof(header));
	memcpy(core.bytes + sizeof(header), segments, (plan->count + 1) * sizeof(*segments));
	free(segments);
	buffer_free(&plan->notes);
	return core;
}

/* Writes a new file in the temporary directory; free() and unlink() the path. */
static inline char *write_file(const void *bytes, size_t size)
{
	const char *folder = getenv("TMPDIR");
	char *path;
	int length = asprintf(&path, "%s/spanwalk-test-XXXXXX", folder ? folder : "/tmp");
	assert(length > 0);
	int fd = mkstemp(path);
	assert(fd >= 0);
	for (size_t done = 0; done < size;) {
		ssize_t part = write(fd, (const uint8_t *)bytes + done, size - done);
		assert(part > 0);
		done += (size_t)part;
	}
	close(fd);
	return path;
}

static inline void remove_file(char *path)
{
	unlink(path);
	free(path);
}

#endif
