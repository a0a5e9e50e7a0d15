/* Cores that were compressed with zstd (systemd-coredump, or by hand), by their content. */
#include "target/core.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <zstd.h>

enum {
	BLOCK = 4 << 20,	  /* bytes unpacked between two looks at the clock */
	FIRST_SIZE = 64 << 20,	  /* bytes, where the frame does not say how many it holds */
	BELIEVED_RATIO = 1 << 16, /* a frame that promises more is lying, or all zeros */
};

static const uint8_t MAGIC[] = {0x28, 0xb5, 0x2f, 0xfd};

bool sw_core_is_zstd(const uint8_t *bytes, uint64_t size)
{
	return size >= sizeof(MAGIC) && !memcmp(bytes, MAGIC, sizeof(MAGIC));
}

static uint64_t round_up(uint64_t size, uint64_t unit)
{
	return (size + unit - 1) / unit * unit;
}

/* Where to begin: what the first frame promises, so that most cores need no growing. */
static uint64_t promised_size(const struct sw_core *core)
{
	unsigned long long size = ZSTD_getFrameContentSize(core->mapped, core->mapped_size);

	if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR ||
	    size / BELIEVED_RATIO > core->mapped_size)
		return FIRST_SIZE;
	return round_up(size + 1, BLOCK);
}

/* Doubles the room. The extra memory is asked for as any other, for the cap on memory, and its
 * place then given up for one behind the bytes that are there. */
static struct sw_error *grow(struct sw_core *core)
{
	uint64_t extra = core->unpacked_size;
	void *place;
	struct sw_error *error = sw_work_alloc(core->work, extra, "unpacking the core", &place);
	if (error)
		return error;
	void *moved = mremap(core->unpacked, core->unpacked_size, core->unpacked_size + extra,
			     MREMAP_MAYMOVE);
	if (moved == MAP_FAILED) {
		sw_work_free(core->work, place, extra);
		return sw_error_memory();
	}
	munmap(place, extra);
	madvise(moved, core->unpacked_size + extra, MADV_HUGEPAGE);
	core->unpacked = moved;
	core->unpacked_size += extra;
	return NULL;
}

/* Gives back what was not needed; both ends are multiples of BLOCK. */
static void trim(struct sw_core *core)
{
	uint64_t kept = round_up(core->size ? core->size : 1, BLOCK);

	if (kept >= core->unpacked_size)
		return;
	sw_work_free(core->work, core->unpacked + kept, core->unpacked_size - kept);
	core->unpacked_size = kept;
}

static struct sw_error *say_cut(struct sw_core *core, const char *why)
{
	core->cut = strdup(why);
	return core->cut ? NULL : sw_error_memory();
}

static struct sw_error *unpack_all(struct sw_core *core, ZSTD_DCtx *stream)
{
	ZSTD_inBuffer in = {core->mapped, core->mapped_size, 0};
	size_t wanted = 0;

	for (;;) {
		struct sw_error *error = core->size < core->unpacked_size ? NULL : grow(core);
		if (error)
			return error;
		uint64_t room = core->unpacked_size - core->size;
		ZSTD_outBuffer out = {core->unpacked + core->size, room < BLOCK ? room : BLOCK, 0};
		size_t before = in.pos;
		wanted = ZSTD_decompressStream(stream, &out, &in);
		core->size += out.pos;
		if (ZSTD_isError(wanted))
			return say_cut(core, ZSTD_getErrorName(wanted));
		/* All input taken and nothing more to flush: done, or cut within a frame. */
		if (in.pos == in.size && (!wanted || out.pos < out.size))
			break;
		if (in.pos == before && !out.pos)
			break;
		error = sw_work_tick(core->work, "unpacking the core", in.pos, in.size);
		if (error)
			return error;
	}
	return wanted ? say_cut(core, "the compressed file ends too early") : NULL;
}

struct sw_error *sw_core_unpack(struct sw_core *core)
{
	core->unpacked_size = promised_size(core);
	struct sw_error *error = sw_work_alloc(core->work, core->unpacked_size,
					       "unpacking the core", &core->unpacked);
	if (error) {
		core->unpacked_size = 0;
		return error;
	}
	ZSTD_DCtx *stream = ZSTD_createDCtx();
	if (!stream)
		return sw_error_memory();
	/* `zstd --ultra --long=31` makes frames that the default of 27 refuses. */
	ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax,
			       ZSTD_dParam_getBounds(ZSTD_d_windowLogMax).upperBound);
	core->bytes = NULL;
	core->size = 0;
	error = unpack_all(core, stream);
	ZSTD_freeDCtx(stream);
	if (error)
		return error;
	trim(core);
	core->bytes = core->unpacked;
	munmap(core->mapped, core->mapped_size);
	core->mapped = NULL;
	return NULL;
}
