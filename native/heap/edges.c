/* Sorting edges: they are dealt out to buckets by their target, then each bucket, which fits
 * into the caches, is sorted by the digits in which its keys differ. */
#include "heap/edges.h"

enum {
	BUCKETS = 2048,
	DIGIT_BITS = 8,
	DIGITS = 64 / DIGIT_BITS,
	DIGIT_VALUES = 1 << DIGIT_BITS,
	FEW = 24,	 /* keys that are sorted by insertion */
	LARGE = 1 << 18, /* keys of a bucket that is sorted alone */
};

void sw_edges_init(struct sw_edges *edges, struct sw_work *work)
{
	memset(edges, 0, sizeof(*edges));
	edges->work = work;
	pthread_mutex_init(&edges->lock, NULL);
}

static void free_chunks(struct sw_edges *edges, struct sw_edge_list *list)
{
	pthread_mutex_lock(&edges->lock);
	while (list->chunks) {
		struct sw_edge_chunk *chunk = list->chunks;
		list->chunks = chunk->next;
		sw_work_free(edges->work, chunk, sizeof(*chunk));
	}
	pthread_mutex_unlock(&edges->lock);
	list->count = 0;
}

void sw_edges_deinit(struct sw_edges *edges)
{
	for (unsigned i = 0; i < SW_MAX_WORKERS; i++)
		free_chunks(edges, &edges->lists[i]);
	pthread_mutex_destroy(&edges->lock);
}

struct sw_error *sw_edges_grow(struct sw_edges *edges, unsigned worker)
{
	struct sw_edge_list *list = &edges->lists[worker];
	struct sw_edge_chunk *chunk;

	pthread_mutex_lock(&edges->lock);
	struct sw_error *error = sw_work_alloc(edges->work, sizeof(*chunk), "edges", &chunk);
	pthread_mutex_unlock(&edges->lock);
	if (error)
		return error;
	chunk->next = list->chunks;
	list->chunks = chunk;
	return NULL;
}

/* ---- sorting keys ---- */

static void sort_few(uint64_t *keys, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		uint64_t key = keys[i];
		size_t j = i;
		for (; j && keys[j - 1] > key; j--)
			keys[j] = keys[j - 1];
		keys[j] = key;
	}
}

static void sort_digit(const uint64_t *from, uint64_t *to, size_t count, unsigned shift,
		       size_t *counts)
{
	size_t next = 0;
	for (unsigned value = 0; value < DIGIT_VALUES; value++) {
		size_t here = counts[value];
		counts[value] = next;
		next += here;
	}
	for (size_t i = 0; i < count; i++)
		to[counts[from[i] >> shift & (DIGIT_VALUES - 1)]++] = from[i];
}

/* Sorts by the digits that are not the same in all keys, lowest first. */
static void sort_keys(uint64_t *keys, uint64_t *scratch, size_t count)
{
	if (count <= FEW) {
		sort_few(keys, count);
		return;
	}
	uint64_t differ = 0;
	for (size_t i = 1; i < count; i++)
		differ |= keys[i] ^ keys[0];

	uint64_t *from = keys, *to = scratch;
	for (unsigned digit = 0; digit < DIGITS; digit++) {
		unsigned shift = digit * DIGIT_BITS;
		size_t counts[DIGIT_VALUES] = {0};
		if (!(differ >> shift & (DIGIT_VALUES - 1)))
			continue;
		for (size_t i = 0; i < count; i++)
			counts[from[i] >> shift & (DIGIT_VALUES - 1)]++;
		sort_digit(from, to, count, shift, counts);
		uint64_t *swap = from;
		from = to;
		to = swap;
	}
	if (from != keys)
		memcpy(keys, from, count * sizeof(*keys));
}

/* Drops repeated keys of a sorted array. */
static size_t unique(uint64_t *keys, size_t count)
{
	size_t kept = count != 0;
	for (size_t i = 1; i < count; i++) {
		if (keys[i] != keys[kept - 1])
			keys[kept++] = keys[i];
	}
	return kept;
}

/* An edge and its key take the same place: low half `from`, high half `to`. */
static void to_edges(uint64_t *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct sw_edge edge = {(sw_node)keys[i], (sw_node)(keys[i] >> 32)};
		memcpy(&keys[i], &edge, sizeof(edge));
	}
}

/* ---- the buckets ---- */

struct sort {
	struct sw_edges *edges;
	unsigned shift; /* key >> shift is the bucket */
	uint64_t *keys;
	size_t count;
	size_t (*next)[BUCKETS]; /* [workers]: where a list's next key of the bucket goes */
	size_t begin[BUCKETS + 1];
	size_t kept[BUCKETS];
	uint64_t *scratch[SW_MAX_WORKERS];
	size_t scratch_keys; /* of each */
};

static struct sw_error *count_list(void *context, unsigned worker, size_t begin, size_t end)
{
	struct sort *sort = context;
	(void)worker;
	for (size_t i = begin; i < end; i++) {
		size_t *counts = sort->next[i];
		struct sw_edge_chunk *chunk = sort->edges->lists[i].chunks;
		for (; chunk; chunk = chunk->next) {
			for (size_t k = 0; k < chunk->count; k++)
				counts[chunk->keys[k] >> sort->shift]++;
		}
	}
	return NULL;
}

static struct sw_error *deal_list(void *context, unsigned worker, size_t begin, size_t end)
{
	struct sort *sort = context;
	(void)worker;
	for (size_t i = begin; i < end; i++) {
		size_t *next = sort->next[i];
		struct sw_edge_chunk *chunk = sort->edges->lists[i].chunks;
		for (; chunk; chunk = chunk->next) {
			for (size_t k = 0; k < chunk->count; k++)
				sort->keys[next[chunk->keys[k] >> sort->shift]++] = chunk->keys[k];
		}
		free_chunks(sort->edges, &sort->edges->lists[i]);
	}
	return NULL;
}

static void place_buckets(struct sort *sort)
{
	size_t next = 0, largest = 0;
	for (unsigned bucket = 0; bucket < BUCKETS; bucket++) {
		sort->begin[bucket] = next;
		for (unsigned list = 0; list < sort->edges->work->workers; list++) {
			size_t here = sort->next[list][bucket];
			sort->next[list][bucket] = next;
			next += here;
		}
		size_t count = next - sort->begin[bucket];
		if (count <= LARGE && count > largest)
			largest = count;
	}
	sort->begin[BUCKETS] = next;
	sort->scratch_keys = largest;
}

static void sort_bucket(struct sort *sort, size_t bucket, uint64_t *scratch)
{
	uint64_t *keys = sort->keys + sort->begin[bucket];
	size_t count = sort->begin[bucket + 1] - sort->begin[bucket];
	sort_keys(keys, scratch, count);
	count = unique(keys, count);
	to_edges(keys, count);
	sort->kept[bucket] = count;
}

static bool is_large(const struct sort *sort, size_t bucket)
{
	return sort->begin[bucket + 1] - sort->begin[bucket] > LARGE;
}

static struct sw_error *sort_buckets(void *context, unsigned worker, size_t begin, size_t end)
{
	struct sort *sort = context;
	for (size_t bucket = begin; bucket < end; bucket++) {
		if (!is_large(sort, bucket))
			sort_bucket(sort, bucket, sort->scratch[worker]);
	}
	return NULL;
}

/* An object that very many others point to fills a bucket beyond the caches: one after the
 * other, so that the scratch memory is needed once. */
static struct sw_error *sort_large_buckets(struct sort *sort, struct sw_work *work)
{
	for (size_t bucket = 0; bucket < BUCKETS; bucket++) {
		if (!is_large(sort, bucket))
			continue;
		uint64_t *scratch;
		size_t size = (sort->begin[bucket + 1] - sort->begin[bucket]) * sizeof(*scratch);
		struct sw_error *error = sw_work_alloc(work, size, "sorting edges", &scratch);
		if (error)
			return error;
		sort_bucket(sort, bucket, scratch);
		sw_work_free(work, scratch, size);
	}
	return NULL;
}

static void close_gaps(struct sort *sort)
{
	size_t end = 0;
	for (unsigned bucket = 0; bucket < BUCKETS; bucket++) {
		if (end != sort->begin[bucket])
			memmove(sort->keys + end, sort->keys + sort->begin[bucket],
				sort->kept[bucket] * sizeof(*sort->keys));
		end += sort->kept[bucket];
	}
	sort->count = end;
}

static struct sw_error *sort_all(struct sort *sort, struct sw_work *work)
{
	struct sw_error *error = NULL;
	size_t size = sort->scratch_keys * sizeof(uint64_t);

	for (unsigned i = 0; i < work->workers && !error; i++)
		error = sw_work_alloc(work, size, "sorting edges", &sort->scratch[i]);
	if (!error)
		error = sw_parallel_for(work, "sorting edges", BUCKETS, 16, sort_buckets, sort);
	for (unsigned i = 0; i < work->workers; i++)
		sw_work_free(work, sort->scratch[i], size);
	if (!error)
		error = sort_large_buckets(sort, work);
	if (!error)
		close_gaps(sort);
	return error;
}

static struct sw_error *deal(struct sort *sort, struct sw_work *work)
{
	size_t size = work->workers * sizeof(*sort->next);
	struct sw_error *error = sw_work_alloc(work, size, "sorting edges", &sort->next);
	if (error)
		return error;
	error = sw_parallel_for(work, "sorting edges", work->workers, 1, count_list, sort);
	if (!error) {
		place_buckets(sort);
		error = sw_parallel_for(work, "sorting edges", work->workers, 1, deal_list, sort);
	}
	sw_work_free(work, sort->next, size);
	return error;
}

/* Buckets share the top bits that targets can have: objects only. */
static unsigned bucket_shift(uint32_t object_count)
{
	unsigned shift = 32;
	while ((uint64_t)object_count >> (shift - 32) >= BUCKETS)
		shift++;
	return shift;
}

struct sw_error *sw_edges_sort(struct sw_edges *edges, struct sw_graph *graph)
{
	struct sw_work *work = edges->work;
	size_t count = 0;
	for (unsigned i = 0; i < work->workers; i++)
		count += edges->lists[i].count;

	struct sort *sort;
	struct sw_error *error = sw_work_alloc(work, sizeof(*sort), "sorting edges", &sort);
	if (error)
		return error;
	sort->edges = edges;
	sort->shift = bucket_shift(graph->object_count);
	error = sw_work_alloc(work, count * sizeof(uint64_t), "edges", &sort->keys);
	if (!error) {
		graph->extra = (struct sw_edge *)sort->keys;
		graph->extra_capacity = count;
		error = deal(sort, work);
	}
	if (!error)
		error = sort_all(sort, work);
	graph->extra_count = sort->count;
	sw_work_free(work, sort, sizeof(*sort));
	return error;
}
