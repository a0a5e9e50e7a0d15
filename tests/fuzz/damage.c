#include "damage.h"

#include <stdarg.h>
#include <stdio.h>

enum { PAGE = 4096, BURST = 64 };

struct damager {
	struct subject *subject;
	const struct areas *areas;
	struct random *random;
	char *text;
	size_t size;
};

__attribute__((format(printf, 2, 3))) static void tell(struct damager *damager, const char *format,
						       ...)
{
	size_t length = strlen(damager->text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(damager->text + length, damager->size - length, format, arguments);
	va_end(arguments);
}

static uint64_t below(struct damager *damager, uint64_t count)
{
	return random_below(damager->random, count);
}

static const struct area *pick(struct damager *damager, const char **name)
{
	const struct area_kind *kind =
		&damager->areas->kinds[below(damager, damager->areas->kind_count)];
	*name = kind->name;
	return &kind->areas.items[below(damager, kind->areas.count)];
}

static uint64_t load(const struct damager *damager, const struct area *area, uint64_t offset)
{
	uint64_t word = 0;
	uint64_t room = area->size - offset;

	memcpy(&word, damager->subject->files[area->file].bytes + area->offset + offset,
	       room < 8 ? room : 8);
	return word;
}

/* Numbers and addresses that programs get wrong; `old` is what stands there. */
static uint64_t wild(struct damager *damager, const struct area *area, uint64_t old)
{
	static const uint64_t numbers[] = {
		0,
		1,
		2,
		7,
		8,
		63,
		64,
		255,
		4095,
		8192,
		65535,
		65536,
		INT32_MAX,
		1ull << 31,
		UINT32_MAX,
		1ull << 32,
		1ull << 47,
		1ull << 48,
		INT64_MAX,
		1ull << 63,
		UINT64_MAX,
		-8ull,
		-4096ull,
		0x1000ull,
		0x7fffffffffffull,
		1ull << 40,
		1ull << 61,
		0x400000,
		0x8080808080808080ull,
	};
	const char *name;
	const struct area *other;

	switch (below(damager, 10)) {
	case 0:
	case 1:
		return numbers[below(damager, sizeof(numbers) / sizeof(*numbers))];
	case 2:
		return old + below(damager, 64) - 32;
	case 3:
		return old ^ 1ull << below(damager, 64);
	case 4:
		return area->addr ? area->addr + below(damager, area->size) / 8 * 8 : old + 8;
	case 5:
		return 1ull << below(damager, 64);
	case 6:
		return random_next(damager->random);
	default:
		other = pick(damager, &name);
		return other->addr + (below(damager, 2) ? below(damager, other->size) : 0);
	}
}

static void write_word(struct damager *damager, const struct area *area)
{
	static const uint8_t sizes[] = {8, 8, 8, 8, 4, 4, 2, 1};
	uint64_t size = sizes[below(damager, 8)];
	uint64_t offset = below(damager, area->size) / size * size;
	uint64_t word = wild(damager, area, load(damager, area, offset));

	tell(damager, "+0x%llx=0x%llx/%llu", (unsigned long long)offset, (unsigned long long)word,
	     (unsigned long long)size);
	subject_write(damager->subject, area->file, area->offset + offset, &word, size);
}

static void fill(struct damager *damager, const struct area *area)
{
	static const uint8_t values[] = {0, 0, 0, 0xff, 0x01, 0x80};
	uint8_t page[PAGE];
	uint64_t offset = below(damager, area->size) / 8 * 8;
	uint64_t size = below(damager, 2) ? PAGE : 8u << below(damager, 7);

	if (size == PAGE) /* a whole page is lost */
		offset = (area->offset + offset) / PAGE * PAGE;
	else
		offset += area->offset;
	memset(page, values[below(damager, sizeof(values))], sizeof(page));
	tell(damager, "@0x%llx fill %llu", (unsigned long long)offset, (unsigned long long)size);
	subject_write(damager->subject, area->file, offset, page, size);
}

static void scatter(struct damager *damager, const struct area *area)
{
	uint64_t count = 1 + below(damager, BURST);

	tell(damager, " %llu bytes", (unsigned long long)count);
	for (uint64_t i = 0; i < count; i++) {
		uint8_t byte = (uint8_t)random_next(damager->random);
		subject_write(damager->subject, area->file,
			      area->offset + below(damager, area->size), &byte, 1);
	}
}

/* Something of the same kind, or of the same area, in its place. */
static void swap(struct damager *damager, const struct area *area, const char *name)
{
	const struct area_kind *kind = areas_kind(damager->areas, name);
	const struct area *other = &kind->areas.items[below(damager, kind->areas.count)];
	uint64_t size = other->size < area->size ? other->size : area->size, from = 0, to = 0;

	if (size > 256) {
		size = 8u << below(damager, 6);
		from = below(damager, other->size - size) / 8 * 8;
		to = below(damager, area->size - size) / 8 * 8;
	}
	tell(damager, "+0x%llx copy of +0x%llx, %llu", (unsigned long long)to,
	     (unsigned long long)(other->offset + from), (unsigned long long)size);
	subject_write(damager->subject, area->file, area->offset + to,
		      damager->subject->files[other->file].bytes + other->offset + from, size);
}

static void damage_one(struct damager *damager)
{
	const char *name;
	const struct area *area = pick(damager, &name);

	tell(damager, " [%s 0x%llx", name,
	     (unsigned long long)(area->addr ? area->addr : area->offset));
	switch (below(damager, 10)) {
	case 0:
		fill(damager, area);
		break;
	case 1:
		scatter(damager, area);
		break;
	case 2:
	case 3:
		swap(damager, area, name);
		break;
	default:
		write_word(damager, area);
	}
	tell(damager, "]");
}

void damage_by_seed(struct subject *subject, const struct areas *areas, struct random *random,
		    char *text, size_t size)
{
	struct damager damager = {subject, areas, random, text, size};

	/* Many in one round out of four: what comes of it depends on the first that matters. */
	unsigned count = below(&damager, 4) ? 1 + (unsigned)below(&damager, 3)
					    : 4 + (unsigned)below(&damager, 12);
	while (count--)
		damage_one(&damager);
}
