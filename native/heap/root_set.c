#include "heap/root_set.h"

static uint64_t hash(const uint32_t *roots, uint32_t count, bool is_many)
{
	uint64_t value = count * 2 + is_many;
	for (uint32_t i = 0; i < count; i++)
		value = (value ^ roots[i]) * 0x9e3779b97f4a7c15u ^ value >> 29;
	return value ^ value >> 32;
}

static bool is_equal(const struct sw_root_sets *sets, uint32_t set, const uint32_t *roots,
		     uint32_t count, bool is_many)
{
	const struct sw_root_set *other = &sets->sets[set];
	return other->count == count && other->is_many == is_many &&
	       !memcmp(sets->roots + other->begin, roots, count * sizeof(*roots));
}

/* Where the set stands in the table, or belongs. */
static uint32_t *place(const struct sw_root_sets *sets, const uint32_t *roots, uint32_t count,
		       bool is_many)
{
	size_t i = hash(roots, count, is_many) & (sets->table_size - 1);
	while (sets->table[i] && !is_equal(sets, sets->table[i] - 1, roots, count, is_many))
		i = (i + 1) & (sets->table_size - 1);
	return &sets->table[i];
}

static struct sw_error *grow_table(struct sw_root_sets *sets)
{
	size_t size = sets->table_size ? sets->table_size * 2 : 256;
	uint32_t *table = calloc(size, sizeof(*table));
	if (!table)
		return sw_error_memory();
	free(sets->table);
	sets->table = table;
	sets->table_size = size;
	for (size_t i = 0; i < sets->count; i++) {
		const struct sw_root_set *set = &sets->sets[i];
		*place(sets, sets->roots + set->begin, set->count, set->is_many) = (uint32_t)i + 1;
	}
	return NULL;
}

static struct sw_error *grow(struct sw_root_sets *sets, uint32_t roots)
{
	if (sets->count >= UINT32_MAX - 1)
		return sw_error_format(SW_ERR_LIMIT, "2^32 sets of roots or more");
	if (sets->count == sets->capacity) {
		size_t capacity = sets->capacity ? sets->capacity * 2 : 64;
		void *items = reallocarray(sets->sets, capacity, sizeof(*sets->sets));
		if (!items)
			return sw_error_memory();
		sets->sets = items;
		sets->capacity = capacity;
	}
	if (sets->root_capacity - sets->root_count < roots) {
		size_t capacity = sets->root_capacity ? sets->root_capacity * 2 : 4096;
		void *items = reallocarray(sets->roots, capacity, sizeof(*sets->roots));
		if (!items)
			return sw_error_memory();
		sets->roots = items;
		sets->root_capacity = capacity;
	}
	return sets->count * 2 >= sets->table_size ? grow_table(sets) : NULL;
}

/* The number of a set, which is added when it is new. `roots` lies outside of sets->roots. */
static struct sw_error *intern(struct sw_root_sets *sets, const uint32_t *roots, uint32_t count,
			       bool is_many, uint32_t *out)
{
	struct sw_error *error = grow(sets, count);
	if (error)
		return error;
	uint32_t *entry = place(sets, roots, count, is_many);
	if (!*entry) {
		sets->sets[sets->count] = (struct sw_root_set){sets->root_count, count, is_many};
		if (count)
			memcpy(sets->roots + sets->root_count, roots, count * sizeof(*roots));
		sets->root_count += count;
		*entry = (uint32_t)++sets->count;
	}
	*out = *entry - 1;
	return NULL;
}

struct sw_error *sw_root_sets_init(struct sw_root_sets *sets)
{
	uint32_t empty, none = 0;
	memset(sets, 0, sizeof(*sets));
	sets->unions = calloc(SW_UNIONS, sizeof(*sets->unions));
	if (!sets->unions)
		return sw_error_memory();
	return intern(sets, &none, 0, false, &empty);
}

void sw_root_sets_deinit(struct sw_root_sets *sets)
{
	free(sets->sets);
	free(sets->roots);
	free(sets->table);
	free(sets->unions);
	memset(sets, 0, sizeof(*sets));
}

struct sw_error *sw_root_sets_single(struct sw_root_sets *sets, uint32_t root, uint32_t *out)
{
	return intern(sets, &root, 1, false, out);
}

static struct sw_error *unite(struct sw_root_sets *sets, const struct sw_root_set *a,
			      const struct sw_root_set *b, uint32_t *out)
{
	const uint32_t *from_a = sets->roots + a->begin, *end_a = from_a + a->count;
	const uint32_t *from_b = sets->roots + b->begin, *end_b = from_b + b->count;
	uint32_t roots[SW_SHARED_MAX], count = 0;

	while (count < SW_SHARED_MAX && (from_a < end_a || from_b < end_b)) {
		if (from_b == end_b || (from_a < end_a && *from_a < *from_b)) {
			roots[count++] = *from_a++;
		} else {
			from_a += from_a < end_a && *from_a == *from_b;
			roots[count++] = *from_b++;
		}
	}
	bool is_many = a->is_many || b->is_many || from_a < end_a || from_b < end_b;
	return intern(sets, roots, count, is_many, out);
}

struct sw_error *sw_root_sets_unite(struct sw_root_sets *sets, uint32_t a, uint32_t b,
				    uint32_t *out)
{
	if (a == b || b == SW_EMPTY_SET) {
		*out = a;
		return NULL;
	}
	if (a == SW_EMPTY_SET) {
		*out = b;
		return NULL;
	}
	size_t i = (a * 2654435761u ^ b * 2246822519u) >> 20 & (SW_UNIONS - 1);
	if (sets->unions[i].a != a || sets->unions[i].b != b) {
		uint32_t result;
		struct sw_error *error = unite(sets, &sets->sets[a], &sets->sets[b], &result);
		if (error)
			return error;
		sets->unions[i].a = a;
		sets->unions[i].b = b;
		sets->unions[i].result = result;
	}
	*out = sets->unions[i].result;
	return NULL;
}
