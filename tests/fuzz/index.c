#include "index.h"

#include "index/digest.h"
#include "index/file.h"
#include "session.h"

#include <err.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

static void check(struct sw_error *error)
{
	if (error)
		errx(2, "no index: %s", error->message);
}

/* ---- files ---- */

static void load(struct index_file *index)
{
	FILE *file = fopen(index->path, "rb");

	if (!file || fseek(file, 0, SEEK_END))
		err(2, "%s", index->path);
	index->size = (uint64_t)ftell(file);
	index->intact = malloc(index->size);
	rewind(file);
	if (!index->intact || fread(index->intact, 1, index->size, file) != index->size)
		err(2, "%s", index->path);
	fclose(file);
}

void index_create(struct index_file *index, const struct subject *subject)
{
	const char *folder = getenv("TMPDIR");

	memset(index, 0, sizeof(*index));
	snprintf(index->folder, sizeof(index->folder), "%s/fuzz-XXXXXX",
		 folder ? folder : P_tmpdir);
	if (!mkdtemp(index->folder))
		err(2, "cannot make a folder");
	snprintf(index->core, sizeof(index->core), "%s/core", index->folder);
	snprintf(index->exe, sizeof(index->exe), "%s/exe", index->folder);
	snprintf(index->path, sizeof(index->path), "%s.spanwalk-index", index->core);
	subject_save(subject, index->folder);
}

void index_write(struct index_file *index)
{
	struct sw_session_options options = {
		.core = index->core, .exe = index->exe, .index = SW_INDEX_WRITE};
	struct sw_session *session;
	struct sw_work work;

	sw_work_init(&work, 1);
	check(sw_session_open(&options, &work, &session));
	check(sw_session_write_index(session, true));
	sw_session_close(session);
	load(index);
}

void index_remove(struct index_file *index)
{
	free(index->intact);
	unlink(index->path);
	unlink(index->core);
	unlink(index->exe);
	rmdir(index->folder);
}

static void store(const struct index_file *index, const uint8_t *bytes)
{
	int fd = open(index->path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || pwrite(fd, bytes, index->size, 0) != (ssize_t)index->size)
		err(2, "%s", index->path);
	close(fd);
}

/* ---- damage ---- */

static uint64_t wild(struct random *random, uint64_t old, uint64_t place, uint64_t count)
{
	static const uint64_t numbers[] = {
		0, 1, 63, UINT16_MAX, INT32_MAX, UINT32_MAX - 1, UINT32_MAX, INT64_MAX, UINT64_MAX,
	};

	switch (random_below(random, 6)) {
	case 0:
		return numbers[random_below(random, sizeof(numbers) / sizeof(*numbers))];
	case 1:
		return old + random_below(random, 8) - 4;
	case 2:
		return place;
	case 3:
		return place + random_below(random, 8) - 4;
	case 4:
		return old ^ 1ull << random_below(random, 64);
	default:
		return random_below(random, count);
	}
}

/* A few words next to each other, or the one where another of the section stands. */
static void damage_section(uint8_t *bytes, uint64_t size, struct random *random)
{
	uint64_t width = random_below(random, 4) ? 4 : 8, count = size / width;
	uint64_t words = random_below(random, 3) ? 1 : 1 + random_below(random, 16);
	uint64_t place = count ? random_below(random, count) : 0;
	bool is_copied = !random_below(random, 4);

	for (; words && place < count; words--, place++) {
		uint64_t word = 0, from = random_below(random, count);
		memcpy(&word, bytes + width * (is_copied ? from : place), width);
		if (!is_copied)
			word = wild(random, word, place, count);
		memcpy(bytes + width * place, &word, width);
	}
}

/* Where the sections are, how long they are, what the head counts. */
static void damage_head(struct sw_index_head *head, struct random *random)
{
	uint64_t section = random_below(random, SW_SECTIONS);
	uint64_t *offset = &head->sections[section].offset, *size = &head->sections[section].size;

	switch (random_below(random, 4)) {
	case 0:
		*offset = head->sections[random_below(random, SW_SECTIONS)].offset;
		break;
	case 1:
		*offset += SW_INDEX_PAGE * (random_below(random, 3) - 1);
		break;
	case 2:
		*size = wild(random, *size, *size, head->size);
		break;
	default:
		damage_section((uint8_t *)&head->damaged_masks, 40, random);
	}
}

/* As the writer of an index does. */
static void set_checksums(const struct index_file *index, uint8_t *bytes,
			  struct sw_index_head *head)
{
	struct sw_work work;

	sw_work_init(&work, 1);
	for (size_t i = 0; i < SW_SECTIONS; i++) {
		uint64_t offset = head->sections[i].offset, size = head->sections[i].size;
		if (offset <= index->size && size <= index->size - offset)
			check(sw_digest_large(bytes + offset, size, &work,
					      &head->sections[i].checksum));
	}
	head->checksum = sw_digest(0, head, offsetof(struct sw_index_head, checksum));
	memcpy(bytes, head, sizeof(*head));
}

/* What is read behind a section's end is no 0. */
static void fill_gaps(const struct index_file *index, uint8_t *bytes,
		      const struct sw_index_head *head)
{
	for (size_t i = 0; i < SW_SECTIONS; i++) {
		uint64_t end = head->sections[i].offset + head->sections[i].size;
		uint64_t gap = -end % SW_INDEX_PAGE;
		memset(bytes + end, 0xa5, gap < index->size - end ? gap : index->size - end);
	}
}

void index_damage(const struct index_file *index, struct random *random, char *text, size_t size)
{
	struct sw_index_head head;
	uint8_t *bytes = malloc(index->size);
	uint64_t count = 1 + random_below(random, 8);
	size_t length;

	if (!bytes)
		errx(2, "out of memory");
	memcpy(bytes, index->intact, index->size);
	memcpy(&head, bytes, sizeof(head));
	fill_gaps(index, bytes, &head);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t section = random_below(random, SW_SECTIONS + 1);
		length = strlen(text);
		snprintf(text + length, size - length, " section %d", (int)section);
		if (section < SW_SECTIONS)
			damage_section(bytes + head.sections[section].offset,
				       head.sections[section].size, random);
		else
			damage_head(&head, random);
		if (section == SW_SECTIONS)
			break; /* it is known no more where they are */
	}
	set_checksums(index, bytes, &head);
	store(index, bytes);
	free(bytes);
}
