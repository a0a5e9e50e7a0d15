/* Pointer masks of types (runtime/mbitmap.go, type.go of Go 1.18–1.27). */
#include "go/gc_program.h"
#include "go/kind.h"
#include "go/runtime.h"

enum {
	/* internal/abi/type.go; the same in all releases. */
	TYPE_SIZE = 0,
	TYPE_PTR_BYTES = 8,
	TYPE_TFLAG = 20,
	TYPE_KIND = 23,
	TYPE_GC_DATA = 32,
	TYPE_HEADER = 48,
	TYPE_ELEM = 48,
	TYPE_LEN = 64,	  /* array */
	TYPE_FIELDS = 56, /* struct: slice of {name, type, offset} */
	KIND_MASK = 31,
	KIND_GC_PROG = 1 << 6,		  /* until 1.23 */
	TFLAG_GC_MASK_ON_DEMAND = 1 << 4, /* from 1.24 */
	MAX_DEPTH = 64,
	MAX_PTR_BYTES = 1 << 30, /* a mask of 16 MiB */
};

/* ---- memory that lives as long as the runtime ---- */

struct sw_go_kept {
	struct sw_go_kept *next;
	uint64_t size;
	uint64_t bytes[];
};

struct sw_error *sw_go_keep(struct sw_go *go, uint64_t size, void *out)
{
	struct sw_go_kept *kept;
	struct sw_error *error = sw_work_alloc(go->work, sizeof(*kept) + size, "a copy", &kept);
	*(void **)out = NULL;
	if (error)
		return error;
	kept->size = sizeof(*kept) + size;
	kept->next = go->kept;
	go->kept = kept;
	*(void **)out = kept->bytes;
	return NULL;
}

struct sw_error *sw_go_keep_mask(struct sw_go *go, const struct sw_mask *mask,
				 const struct sw_mask **out)
{
	struct sw_mask *copy;
	struct sw_error *error = sw_go_keep(go, sizeof(*copy), &copy);
	if (!error)
		*copy = *mask;
	*out = copy;
	return error;
}

/* ---- masks that are in no memory: programs (until 1.23), those made on demand (from 1.24) ---- */

/* A mask built here because the runtime keeps none, or had not needed it yet; a list that only
 * grows, so that threads read it without a lock. */
struct sw_go_built_mask {
	struct sw_go_built_mask *next;
	sw_addr type;
	uint8_t bits[];
};

void sw_go_free_kept(struct sw_go *go)
{
	for (struct sw_go_kept *kept = go->kept, *next; kept; kept = next) {
		next = kept->next;
		sw_work_free(go->work, kept, kept->size);
	}
	for (struct sw_go_built_mask *mask = go->built_masks, *next; mask; mask = next) {
		next = mask->next;
		free(mask);
	}
	go->kept = NULL;
	go->built_masks = NULL;
}

struct builder {
	const struct sw_memory *memory;
	uint8_t *bits;
	uint64_t size; /* bytes that the mask covers */
	uint64_t work; /* steps left */
};

static bool build(struct builder *builder, sw_addr type, uint64_t offset, unsigned depth);

/* runtime/type.go buildGCMask: an array repeats its element. */
static bool build_array(struct builder *builder, const uint8_t *header, uint64_t offset,
			unsigned depth)
{
	sw_addr elem = sw_load64(header + TYPE_ELEM);
	uint64_t length = sw_load64(header + TYPE_LEN), elem_size;
	if (!sw_memory_u64(builder->memory, elem + TYPE_SIZE, &elem_size) || !elem_size)
		return false;
	for (uint64_t i = 0; i < length; i++)
		if (!build(builder, elem, offset + i * elem_size, depth + 1))
			return false;
	return true;
}

static bool build_struct(struct builder *builder, const uint8_t *header, uint64_t offset,
			 unsigned depth)
{
	sw_addr fields = sw_load64(header + TYPE_FIELDS);
	uint64_t count = sw_load64(header + TYPE_FIELDS + 8);
	if (count > builder->size / 8 + 65536)
		return false;
	const uint8_t *bytes = sw_memory_view(builder->memory, fields, count * 24);
	if (!bytes)
		return false;
	for (uint64_t i = 0; i < count; i++)
		if (!build(builder, sw_load64(bytes + 24 * i + 8),
			   offset + sw_load64(bytes + 24 * i + 16), depth + 1))
			return false;
	return true;
}

/* Sets the bits of a type at an offset; every part that has a mask of its own is copied. */
static bool build(struct builder *builder, sw_addr type, uint64_t offset, unsigned depth)
{
	const uint8_t *header = sw_memory_view(builder->memory, type, TYPE_HEADER + 32);
	if (!header || depth > MAX_DEPTH || !builder->work--)
		return false;
	uint64_t pointer_bytes = sw_load64(header + TYPE_PTR_BYTES);
	if (!pointer_bytes)
		return true;
	if (offset % 8 || pointer_bytes > builder->size || offset > builder->size - pointer_bytes)
		return false;
	if (header[TYPE_TFLAG] & TFLAG_GC_MASK_ON_DEMAND) {
		unsigned kind = header[TYPE_KIND] & KIND_MASK;
		return kind == SW_KIND_ARRAY	? build_array(builder, header, offset, depth)
		       : kind == SW_KIND_STRUCT ? build_struct(builder, header, offset, depth)
						: false;
	}
	const uint8_t *bits = sw_memory_view(builder->memory, sw_load64(header + TYPE_GC_DATA),
					     (pointer_bytes / 8 + 7) / 8);
	if (!bits)
		return false;
	for (uint64_t i = 0; i < pointer_bytes / 8; i++) {
		uint64_t bit = offset / 8 + i;
		if (bits[i / 8] >> (i % 8) & 1)
			builder->bits[bit / 8] |= (uint8_t)(1 << (bit % 8));
	}
	return true;
}

/* GCData of a type with a program: its length (4 bytes), then the program. */
static bool run_program(struct builder *builder, const uint8_t *header)
{
	return sw_go_run_gc_program(builder->memory, sw_load64(header + TYPE_GC_DATA) + 4,
				    builder->bits, builder->size / 8);
}

static bool has_program(const struct sw_go *go, const uint8_t *header)
{
	return go->minor <= 23 && header[TYPE_KIND] & KIND_GC_PROG;
}

static const uint8_t *find_built(const struct sw_go *go, sw_addr type)
{
	const struct sw_go_built_mask *mask = __atomic_load_n(&go->built_masks, __ATOMIC_ACQUIRE);
	while (mask && mask->type != type)
		mask = mask->next;
	return mask ? mask->bits : NULL;
}

/* Two threads may build the same mask; both results are equal and both are kept. */
static const uint8_t *build_mask(struct sw_go *go, sw_addr type, const uint8_t *header)
{
	uint64_t pointer_bytes = sw_load64(header + TYPE_PTR_BYTES);
	const uint8_t *known = find_built(go, type);
	if (known || pointer_bytes > MAX_PTR_BYTES)
		return known;
	struct sw_go_built_mask *mask = calloc(1, sizeof(*mask) + pointer_bytes / 64 + 1);
	if (!mask)
		return NULL;
	mask->type = type;
	struct builder builder = {go->memory, mask->bits, pointer_bytes, pointer_bytes + 65536};
	if (!(has_program(go, header) ? run_program(&builder, header)
				      : build(&builder, type, 0, 0))) {
		free(mask);
		return NULL;
	}
	mask->next = __atomic_load_n(&go->built_masks, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&go->built_masks, &mask->next, mask, true,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
	return mask->bits;
}

/* ---- any type ---- */

/* Masks that the runtime has built are in memory of their own; runtime.inProgress, which stands
 * for one that is being built, is a variable (runtime/type.go, 1.24). */
static bool is_in_progress(const struct sw_go *go, sw_addr mask)
{
	for (size_t i = 0; i < go->modules.count; i++)
		if (mask >= go->modules.items[i].noptrdata && mask < go->modules.items[i].enoptrbss)
			return true;
	return false;
}

/* GCData is a slot that holds the mask once the runtime has built it, until then 0. */
static const uint8_t *on_demand_mask(struct sw_go *go, sw_addr type, const uint8_t *header)
{
	uint64_t pointer_bytes = sw_load64(header + TYPE_PTR_BYTES);
	sw_addr mask;
	if (!sw_memory_u64(go->memory, sw_load64(header + TYPE_GC_DATA), &mask))
		return NULL;
	if (!mask || is_in_progress(go, mask))
		return build_mask(go, type, header);
	return sw_memory_view(go->memory, mask, (pointer_bytes / 8 + 7) / 8);
}

static const uint8_t *find_mask(struct sw_go *go, sw_addr type, const uint8_t *header)
{
	uint64_t pointer_bytes = sw_load64(header + TYPE_PTR_BYTES);
	if (has_program(go, header))
		return build_mask(go, type, header);
	if (go->minor >= 24 && header[TYPE_TFLAG] & TFLAG_GC_MASK_ON_DEMAND)
		return on_demand_mask(go, type, header);
	return sw_memory_view(go->memory, sw_load64(header + TYPE_GC_DATA),
			      (pointer_bytes / 8 + 7) / 8);
}

bool sw_go_type_mask(const struct sw_go *go, sw_addr type, struct sw_mask *out)
{
	const uint8_t *header = sw_memory_view(go->memory, type, TYPE_HEADER);
	if (!header)
		return false;
	uint64_t size = sw_load64(header + TYPE_SIZE);
	uint64_t pointer_bytes = sw_load64(header + TYPE_PTR_BYTES);
	if (!pointer_bytes || pointer_bytes > size || size >> SW_ADDRESS_BITS || pointer_bytes % 8)
		return false;

	/* The list of built masks grows under a const runtime: it is a cache. */
	const uint8_t *bits = find_mask((struct sw_go *)go, type, header);
	*out = (struct sw_mask){.bits = bits, .stride = size, .pointer_bytes = pointer_bytes};
	return bits != NULL;
}

bool sw_go_object_mask(const struct sw_space *space, const struct sw_span *span,
		       const uint8_t *bytes, struct sw_mask *out)
{
	const struct sw_go *go = space->allocator;
	sw_addr type = sw_load64(bytes);
	if (!type)
		return false; /* free, or not initialised yet */
	if (!sw_go_type_mask(go, type, out) || out->pointer_bytes > span->elemsize - 8) {
		__atomic_fetch_add(&((struct sw_go *)go)->damaged_masks, 1, __ATOMIC_RELAXED);
		return false;
	}
	out->first = 8;
	return true;
}
