/* What an index belongs to. */
#include "index/digest.h"
#include "index/file.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <sys/stat.h>

const char *sw_index_difference(enum sw_index_identity identity)
{
	static const char *const texts[] = {
		[SW_INDEX_TOOL] = "another build of spanwalk wrote it",
		[SW_INDEX_CORE] = "the core has changed since",
		[SW_INDEX_EXE] = "the executable has changed since",
		[SW_INDEX_SYMBOLS] = "it was made with other symbols",
		[SW_INDEX_VIEW] = "the memory of the target reads otherwise",
		[SW_INDEX_HEAP] = "its roots are not those of the target",
	};
	return texts[identity];
}

/* ---- the tool ---- */

/* Where this program or library begins in memory (ld's own symbol). */
extern const char __ehdr_start[] __attribute__((visibility("hidden"), weak));

/* The build id that the linker gave this program or library, as its notes in memory have it. */
static uint64_t digest_notes(uint64_t digest, const char *notes, size_t size)
{
	ElfW(Nhdr) note;

	for (size_t at = 0; size - at >= sizeof(note);) {
		memcpy(&note, notes + at, sizeof(note));
		size_t name = at + sizeof(note), text = name + (note.n_namesz + 3) / 4 * 4;
		size_t end = text + (note.n_descsz + 3) / 4 * 4;
		if (end > size || end <= at)
			break;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
		    !memcmp(notes + name, "GNU", 4))
			digest = sw_digest(digest, notes + text, note.n_descsz);
		at = end;
	}
	return digest;
}

static uint64_t identify_tool(void)
{
	uint64_t digest = sw_digest_word(SW_INDEX_FORMAT, sizeof(struct sw_index_head));
	const char *base = __ehdr_start;
	ElfW(Ehdr) header;
	ElfW(Phdr) segment;

	if (!base)
		return digest;
	memcpy(&header, base, sizeof(header));
	for (unsigned i = 0; i < header.e_phnum; i++) {
		memcpy(&segment, base + header.e_phoff + i * sizeof(segment), sizeof(segment));
		/* The linker puts notes into the segment that begins with the header. */
		if (segment.p_type == PT_NOTE)
			digest = digest_notes(digest, base + segment.p_offset, segment.p_memsz);
	}
	return digest;
}

/* ---- files ---- */

static struct sw_error *identify_file(const char *path, uint64_t *digest)
{
	struct stat status;

	if (stat(path, &status))
		return sw_error_errno(errno, "cannot look at %s", path);
	*digest = sw_digest_word(*digest, status.st_dev);
	*digest = sw_digest_word(*digest, status.st_ino);
	*digest = sw_digest_word(*digest, (uint64_t)status.st_size);
	*digest = sw_digest_word(*digest, (uint64_t)status.st_mtim.tv_sec);
	*digest = sw_digest_word(*digest, (uint64_t)status.st_mtim.tv_nsec);
	return NULL;
}

/* ---- the target ---- */

enum {
	SAMPLES = 64, /* regions whose first page counts */
	SAMPLE_BYTES = 4096,
};

static uint64_t identify_regions(uint64_t digest, const struct sw_memory *memory)
{
	size_t stride = memory->count / SAMPLES + 1;

	for (size_t i = 0; i < memory->count; i++) {
		const struct sw_region *region = &memory->regions[i];
		digest = sw_digest_word(digest, region->addr);
		digest = sw_digest_word(digest, region->size);
		digest = sw_digest_word(digest, region->flags);
		if (i % stride == 0)
			digest = sw_digest(digest, region->bytes,
					   region->size < SAMPLE_BYTES ? region->size
								       : SAMPLE_BYTES);
	}
	return digest;
}

static uint64_t identify_view(const struct sw_target *target)
{
	uint64_t digest = sw_digest_word(target->arch, target->kind);

	digest = sw_digest_word(digest, target->entry);
	for (size_t i = 0; i < target->threads.count; i++) {
		const struct sw_thread *thread = &target->threads.items[i];
		digest = sw_digest_word(digest, (uint64_t)thread->tid);
		digest = sw_digest_word(digest, thread->pc);
		digest = sw_digest_word(digest, thread->sp);
		digest = sw_digest(digest, thread->registers,
				   thread->register_count * sizeof(*thread->registers));
	}
	for (size_t i = 0; i < target->mappings.count; i++) {
		const struct sw_mapping *mapping = &target->mappings.items[i];
		digest = sw_digest_word(digest, mapping->start);
		digest = sw_digest_word(digest, mapping->end);
		digest = sw_digest_word(digest, mapping->file_offset);
		digest = sw_digest_text(digest, mapping->path);
	}
	return identify_regions(digest, &target->memory);
}

struct sw_error *sw_index_identify(struct sw_index *index, const struct sw_go *go)
{
	const struct sw_image *image = go->image;
	uint64_t *identities = index->identities;

	identities[SW_INDEX_TOOL] = identify_tool();
	struct sw_error *error = identify_file(index->core, &identities[SW_INDEX_CORE]);
	identities[SW_INDEX_EXE] = sw_digest(0, image->build_id, image->build_id_size);
	if (!error)
		error = identify_file(image->path, &identities[SW_INDEX_EXE]);
	if (!error && image->symbols)
		error = identify_file(image->symbols->path, &identities[SW_INDEX_SYMBOLS]);
	identities[SW_INDEX_VIEW] = identify_view(go->target);
	return error;
}

/* ---- the heap ---- */

static uint64_t identify_spans(uint64_t digest, const struct sw_space *space)
{
	digest = sw_digest_word(digest, space->slot_count);
	for (size_t i = 0; i < space->span_count; i++) {
		const struct sw_span *span = &space->spans[i];
		digest = sw_digest_word(digest, span->base);
		digest = sw_digest_word(digest, span->elemsize);
		digest = sw_digest_word(digest, (uint64_t)span->scan << 32 | span->count);
		digest = sw_digest_word(digest, span->limit);
	}
	return digest;
}

uint64_t sw_index_identify_heap(const struct sw_go *go, const struct sw_heap *heap)
{
	uint64_t digest = identify_spans(go->minor, &heap->space);

	for (size_t i = 0; i < heap->roots.count; i++)
		digest = sw_digest_word(digest, heap->roots.items[i].group);
	for (size_t i = 0; i < heap->root_words.count; i++) {
		const struct sw_root_word *word = &heap->root_words.items[i];
		digest = sw_digest_word(digest, word->pointer);
		digest = sw_digest_word(digest, word->at);
		digest = sw_digest_word(digest, word->root);
	}
	digest = sw_digest_word(digest, heap->object_bytes);
	return sw_digest_word(digest, heap->object_count);
}
