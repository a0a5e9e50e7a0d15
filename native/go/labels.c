#include "go/labels.h"

enum {
	MAX_LABELS = 1 << 12, /* of one goroutine */
	MAX_SIZE = 1 << 16,   /* bytes of one string */
	STRING = 16,
	/* runtime.hmap and bmap of map[string]string, 1.18–1.23: {tophash [8]u8, keys, elems
	 * [8]string, overflow}. */
	HMAP_COUNT = 0,
	HMAP_B = 9,
	HMAP_BUCKETS = 16,
	HMAP_OLD = 24,
	BUCKET_SLOTS = 8,
	BUCKET_ELEMS = BUCKET_SLOTS + BUCKET_SLOTS * STRING,
	BUCKET_OVERFLOW = BUCKET_ELEMS + BUCKET_SLOTS * STRING,
	BUCKET_SIZE = BUCKET_OVERFLOW + 8,
	TOP_EVACUATED_X = 2,
	TOP_EVACUATED_EMPTY = 4,
	TOP_MIN = 5,
	FLAG_SAME_SIZE = 8,
	HMAP_FLAGS = 8,
};

/* What is read so far. */
struct reading {
	const struct sw_go *go;
	struct sw_go_label_list *out;
	struct sw_error *error;
	unsigned steps; /* buckets that were visited */
};

static bool read_string(const struct sw_go *go, sw_addr at, const char **out, size_t *size)
{
	uint64_t data, length;

	if (!sw_memory_u64(go->memory, at, &data) || !sw_memory_u64(go->memory, at + 8, &length) ||
	    length > MAX_SIZE)
		return false;
	*size = length;
	*out = length ? (const char *)sw_memory_view(go->memory, data, length) : "";
	return *out != NULL;
}

static bool add_pair(struct reading *reading, sw_addr key, sw_addr value)
{
	struct sw_go_label label;

	if (reading->out->count >= MAX_LABELS ||
	    !read_string(reading->go, key, &label.key, &label.key_size) ||
	    !read_string(reading->go, value, &label.value, &label.value_size))
		return false;
	reading->error = sw_go_label_list_add(reading->out, label);
	return !reading->error;
}

/* ---- from 1.24 on ---- */

static bool read_list(struct reading *reading, sw_addr list)
{
	uint64_t data, length;

	if (!sw_memory_u64(reading->go->memory, list, &data) ||
	    !sw_memory_u64(reading->go->memory, list + 8, &length) || length > MAX_LABELS)
		return false;
	for (uint64_t i = 0; i < length; i++) {
		sw_addr pair = data + i * 2 * STRING;
		if (!add_pair(reading, pair, pair + STRING))
			return false;
	}
	return true;
}

/* ---- until 1.23 ---- */

static bool read_bucket(struct reading *reading, sw_addr bucket)
{
	const struct sw_memory *memory = reading->go->memory;
	uint64_t next;

	for (; bucket; bucket = next) {
		const uint8_t *tops = sw_memory_view(memory, bucket, BUCKET_SLOTS);
		if (!tops || reading->steps++ > MAX_LABELS)
			return false;
		for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
			sw_addr key = bucket + BUCKET_SLOTS + i * STRING;
			sw_addr value = bucket + BUCKET_ELEMS + i * STRING;
			if (tops[i] >= TOP_MIN && !add_pair(reading, key, value))
				return false;
		}
		if (!sw_memory_u64(memory, bucket + BUCKET_OVERFLOW, &next))
			return false;
	}
	return true;
}

/* Of an array that is being left, buckets that were left are empty. */
static bool read_buckets(struct reading *reading, sw_addr array, unsigned bits, bool is_old)
{
	uint8_t top;

	for (uint64_t i = 0; array && i < (uint64_t)1 << bits; i++) {
		sw_addr bucket = array + i * BUCKET_SIZE;
		if (!sw_memory_u8(reading->go->memory, bucket, &top))
			return false;
		if (is_old && top >= TOP_EVACUATED_X && top <= TOP_EVACUATED_EMPTY)
			continue;
		if (!read_bucket(reading, bucket))
			return false;
	}
	return true;
}

static bool read_map(struct reading *reading, sw_addr holder)
{
	const struct sw_memory *memory = reading->go->memory;
	uint64_t map, count, buckets, old;
	uint8_t bits, flags;

	if (!sw_memory_u64(memory, holder, &map))
		return false;
	if (!map)
		return true;
	if (!sw_memory_u64(memory, map + HMAP_COUNT, &count) || count > MAX_LABELS ||
	    !sw_memory_u8(memory, map + HMAP_FLAGS, &flags) ||
	    !sw_memory_u8(memory, map + HMAP_B, &bits) || bits > 12 ||
	    !sw_memory_u64(memory, map + HMAP_BUCKETS, &buckets) ||
	    !sw_memory_u64(memory, map + HMAP_OLD, &old))
		return false;
	unsigned old_bits = bits && !(flags & FLAG_SAME_SIZE) ? bits - 1u : bits;
	return read_buckets(reading, buckets, bits, false) &&
	       read_buckets(reading, old, old_bits, true) && reading->out->count == count;
}

/* ---- both ---- */

static int by_key(const void *a, const void *b)
{
	const struct sw_go_label *x = a, *y = b;
	size_t size = x->key_size < y->key_size ? x->key_size : y->key_size;
	int order = memcmp(x->key, y->key, size);

	return order ? order : (x->key_size > y->key_size) - (x->key_size < y->key_size);
}

struct sw_error *sw_go_labels(const struct sw_go *go, const struct sw_goroutine *goroutine,
			      struct sw_go_label_list *out, bool *is_known)
{
	struct reading reading = {.go = go, .out = out};

	out->count = 0;
	*is_known = !goroutine->labels || (go->minor >= 24 ? read_list(&reading, goroutine->labels)
							   : read_map(&reading, goroutine->labels));
	if (!*is_known)
		out->count = 0;
	if (out->count)
		qsort(out->items, out->count, sizeof(*out->items), by_key);
	return reading.error;
}
