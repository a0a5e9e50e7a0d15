/* Tables of functions that contradict themselves: frames, lines, calls that were inlined. */
#include "cases.h"

/* ---- calls that were inlined: runtime.inlinedCall, symtab.go and symtabinl.go ---- */

enum {
	OLD_ENTRY = 20, /* until 1.19: parent int16 at 0, parentPc at 16 */
	OLD_PARENT_PC = 16,
	ENTRY = 16, /* parentPc at 8 */
	PARENT_PC = 8,
};

/* Each call says that it stands where it stands itself. */
static void inlined_into_itself(struct subject *subject, const struct areas *areas)
{
	bool is_old = areas->minor < 20;
	uint64_t entry = is_old ? OLD_ENTRY : ENTRY;

	for (size_t i = 0; i < areas->inlined.count; i++)
		for (uint16_t k = 0; k < MANY; k++) {
			sw_addr at = areas->inlined.items[i].addr + k * entry;
			uint32_t pc = (uint32_t)areas->inlined.items[i].size;
			if (is_old)
				subject_poke(subject, at, &k, sizeof(k));
			subject_poke(subject, at + (is_old ? OLD_PARENT_PC : PARENT_PC), &pc,
				     sizeof(pc));
		}
}

static void inlined_anywhere(struct subject *subject, const struct areas *areas)
{
	const struct area *tree;
	uint8_t wild[256];

	memset(wild, 0xff, sizeof(wild));
	for (size_t i = 0; (tree = area_at(areas, "inline tree", i)); i++)
		subject_poke(subject, tree->addr, wild,
			     tree->size < sizeof(wild) ? tree->size : sizeof(wild));
}

/* A number by pc that is the same, and as large as can be, over all of the function. */
static void write_streams(struct subject *subject, const struct areas *areas, const char *name,
			  const uint8_t *bytes, uint64_t size)
{
	const struct area *stream;

	for (size_t i = 0; (stream = area_at(areas, name, i)); i++)
		subject_write(subject, stream->file, stream->offset, bytes, size);
}

static const uint8_t huge[] = {0xfe, 0xff, 0xff, 0xff, 0x0f, 0xff, 0xff, 0xff, 0x7f, 0};
static const uint8_t negative[] = {0xff, 0xff, 0xff, 0xff, 0x0f, 0xff, 0xff, 0xff, 0x7f, 0};

static void inline_index_huge(struct subject *subject, const struct areas *areas)
{
	write_streams(subject, areas, "inline index", huge, sizeof(huge));
}

static void inline_index_negative(struct subject *subject, const struct areas *areas)
{
	write_streams(subject, areas, "inline index", negative, sizeof(negative));
}

static void lines_huge(struct subject *subject, const struct areas *areas)
{
	write_streams(subject, areas, "pcln", huge, sizeof(huge));
	write_streams(subject, areas, "pcfile", huge, sizeof(huge));
}

static void lines_negative(struct subject *subject, const struct areas *areas)
{
	write_streams(subject, areas, "pcln", negative, sizeof(negative));
	write_streams(subject, areas, "pcfile", negative, sizeof(negative));
}

static void frames_huge(struct subject *subject, const struct areas *areas)
{
	write_streams(subject, areas, "pcsp", huge, sizeof(huge));
}

static void frames_negative(struct subject *subject, const struct areas *areas)
{
	write_streams(subject, areas, "pcsp", negative, sizeof(negative));
}

/* The tables of a function begin where what is mapped ends. */
static void funcdata_at_the_end(struct subject *subject, const struct areas *areas)
{
	const struct area *func, *maps = area_at(areas, "stack maps", 0);
	struct place place;
	uint32_t offset, many = 0xff;

	if (!maps || !subject_find(subject, maps->addr, &place))
		return;
	offset = (uint32_t)place.room - 1;
	for (size_t i = 0; (func = area_at(areas, "func", i)); i++) {
		uint32_t pcdata =
			(uint32_t)subject_peek(subject, func->addr + areas->layout.func.npcdata);
		sw_addr at = func->addr + areas->layout.func.size + 4 * (uint64_t)(pcdata & 15);
		subject_poke(subject, func->addr + areas->layout.func.nfuncdata, &many, 1);
		for (unsigned k = 0; k < 8; k++)
			subject_poke(subject, at + 4 * k, &offset, sizeof(offset));
	}
}

const struct damage_case function_cases[] = {
	THOROUGH_CASE(inlined_into_itself), THOROUGH_CASE(inlined_anywhere),
	THOROUGH_CASE(inline_index_huge),   THOROUGH_CASE(inline_index_negative),
	THOROUGH_CASE(lines_huge),	    THOROUGH_CASE(lines_negative),
	THOROUGH_CASE(frames_huge),	    THOROUGH_CASE(frames_negative),
	THOROUGH_CASE(funcdata_at_the_end), {0},
};
