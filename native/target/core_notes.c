/* Core notes as Linux writes them (fs/binfmt_elf.c, include/uapi/linux/elfcore.h). The offsets
 * are those of the 64-bit structs, the same on amd64 and arm64, and not taken from the host's
 * headers: a core is read on any machine. */
#include "target/core.h"

#include <string.h>

enum {
	PRSTATUS_PID = 32,	  /* struct elf_prstatus.pr_pid */
	PRSTATUS_REGISTERS = 112, /* struct elf_prstatus.pr_reg */
	PRPSINFO_PID = 24,	  /* struct elf_prpsinfo.pr_pid */
	FILE_HEADER = 16,	  /* NT_FILE: count, page size */
	FILE_ENTRY = 24,	  /* NT_FILE: start, end, offset in pages */
};

struct note {
	const char *name; /* name_size bytes */
	size_t name_size;
	const uint8_t *bytes;
	size_t size;
	uint32_t type;
};

static bool is_from(const struct note *note, const char *owner)
{
	size_t length = strlen(owner);
	return note->name_size >= length && !memcmp(note->name, owner, length) &&
	       (note->name_size == length || note->name[length] == 0);
}

static struct sw_thread *current_thread(struct sw_target *target)
{
	return target->threads.count ? &target->threads.items[target->threads.count - 1] : NULL;
}

static struct sw_error *take_status(struct sw_target *target, const struct note *note)
{
	struct sw_thread thread = {.is_stale = true};

	if (note->size < PRSTATUS_REGISTERS)
		return NULL;
	thread.tid = (int)sw_load32(note->bytes + PRSTATUS_PID);
	sw_thread_set_registers(&thread, target->arch, note->bytes + PRSTATUS_REGISTERS,
				note->size - PRSTATUS_REGISTERS);
	return sw_threads_add(&target->threads, thread);
}

/* The notes of a thread follow its NT_PRSTATUS. */
static struct sw_error *take_vector(struct sw_target *target, const struct note *note)
{
	struct sw_thread *thread = current_thread(target);

	/* NT_X86_XSTATE has what NT_FPREGSET has, and more, whichever comes first. */
	if (!thread || thread->vector_size >= note->size)
		return NULL;
	return sw_thread_set_vector(thread, note->bytes, note->size);
}

static void take_thread_pointer(struct sw_target *target, const struct note *note)
{
	struct sw_thread *thread = current_thread(target);

	if (thread && target->arch == SW_ARCH_ARM64 && note->size >= 8)
		thread->fs_base = sw_load64(note->bytes);
}

static void take_process(struct sw_target *target, const struct note *note)
{
	if (note->size >= PRPSINFO_PID + 4)
		target->pid = (int)sw_load32(note->bytes + PRPSINFO_PID);
}

static struct sw_error *take_files(struct sw_target *target, const struct note *note)
{
	if (note->size < FILE_HEADER)
		return NULL;
	uint64_t count = sw_load64(note->bytes), page = sw_load64(note->bytes + 8);
	if (count > (note->size - FILE_HEADER) / FILE_ENTRY)
		count = (note->size - FILE_HEADER) / FILE_ENTRY;

	const uint8_t *entry = note->bytes + FILE_HEADER;
	const char *name = (const char *)entry + count * FILE_ENTRY;
	const char *end = (const char *)note->bytes + note->size;
	for (uint64_t i = 0; i < count; i++, entry += FILE_ENTRY) {
		const char *nul = memchr(name, 0, (size_t)(end - name));
		if (!nul)
			break;
		uint64_t start = sw_load64(entry), stop = sw_load64(entry + 8), offset;
		if (start < stop && !__builtin_mul_overflow(sw_load64(entry + 16), page, &offset)) {
			struct sw_error *error = sw_target_add_mapping(target, start, stop, offset,
								       name, (size_t)(nul - name));
			if (error)
				return error;
		}
		name = nul + 1;
	}
	return NULL;
}

static struct sw_error *take_core_note(struct sw_target *target, const struct note *note)
{
	switch (note->type) {
	case NT_PRSTATUS:
		return take_status(target, note);
	case NT_FPREGSET:
		return take_vector(target, note);
	case NT_PRPSINFO:
		take_process(target, note);
		return NULL;
	case NT_AUXV:
		sw_target_take_auxv(target, note->bytes, note->size);
		return NULL;
	case NT_FILE:
		return take_files(target, note);
	default:
		return NULL;
	}
}

static struct sw_error *take_linux_note(struct sw_target *target, const struct note *note)
{
	switch (note->type) {
	case NT_X86_XSTATE:
		return take_vector(target, note);
	case NT_ARM_TLS:
		take_thread_pointer(target, note);
		return NULL;
	default:
		return NULL;
	}
}

static uint64_t align4(uint64_t size)
{
	return (size + 3) & ~(uint64_t)3;
}

struct sw_error *sw_core_take_notes(struct sw_target *target, const uint8_t *bytes, uint64_t size)
{
	struct sw_error *error = NULL;

	while (!error && size >= sizeof(Elf64_Nhdr)) {
		uint32_t name_size = sw_load32(bytes), note_size = sw_load32(bytes + 4);
		struct note note = {.name = (const char *)bytes + sizeof(Elf64_Nhdr),
				    .name_size = name_size,
				    .size = note_size,
				    .type = sw_load32(bytes + 8)};
		uint64_t start = sizeof(Elf64_Nhdr) + align4(name_size);
		if (start > size || note_size > size - start)
			break;
		note.bytes = bytes + start;
		if (is_from(&note, "CORE"))
			error = take_core_note(target, &note);
		else if (is_from(&note, "LINUX"))
			error = take_linux_note(target, &note);

		uint64_t whole = start + align4(note_size);
		if (whole > size)
			whole = size;
		bytes += whole;
		size -= whole;
	}
	return error;
}
