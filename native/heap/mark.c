/* Marking on all workers.
 *
 * A heap does not fit into the caches, so each thing is fetched well before it is looked at:
 * pointers are gathered in a batch and resolved in passes (pages, spans, mark bits), and an
 * object that leaves the stack waits in a ring while its first lines come in. A worker shares
 * the older half of its stack when it overflows or when another worker has none. */
#include "heap/scan.h"

#include <pthread.h>
#include <time.h>

enum {
	BATCH = 64,   /* pointers that are resolved together */
	RING = 16,    /* objects whose bytes are on their way */
	STACK = 4096, /* items of a worker */
	CHUNK = STACK / 2,
	PIECE = 128 << 10, /* bytes of a large object that are an item of their own */
	ROOT_GRAIN = 1024,
	CHECK_EVERY = 256, /* items between two looks at the others */
	WAIT_NS = 50 * 1000 * 1000,
};

/* An object to be scanned, or a piece of a large one: number index * pieces + piece. */
struct item {
	uint32_t span;
	uint32_t number;
};

struct chunk {
	struct chunk *next;
	size_t count;
	struct item items[CHUNK];
};

struct marking {
	struct sw_heap *heap;
	struct sw_work *work;
	sw_addr low, size; /* the range of addresses that the spans lie in */
	size_t next_root;  /* atomic */
	bool stop;	   /* atomic */
	unsigned idle;	   /* atomic for readers, written under the lock */

	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct chunk *chunks, *unused;
	unsigned started;
	bool done;
	uint64_t unread, marked; /* sums over the workers */
};

struct marker {
	struct marking *marking;
	unsigned worker;
	unsigned batch_count, ring_count, ring_next;
	size_t stack_count;
	uint64_t unread, marked;
	struct sw_error *error; /* short of memory for chunks */
	sw_addr batch[BATCH];
	struct item ring[RING];
	struct item stack[STACK];
};

static const struct item no_item = {UINT32_MAX, 0};

/* ---- sharing ---- */

static struct chunk *empty_chunk(struct marking *marking, struct sw_error **error)
{
	struct chunk *chunk = marking->unused;
	if (chunk)
		marking->unused = chunk->next;
	else
		*error = sw_work_alloc(marking->work, sizeof(*chunk), "mark stack", &chunk);
	return chunk;
}

/* Hands the oldest items of the stack, which lead to most others, to whoever wants them. */
static bool give(struct marker *marker, size_t count)
{
	struct marking *marking = marker->marking;

	struct sw_error *error = NULL;

	pthread_mutex_lock(&marking->lock);
	struct chunk *chunk = empty_chunk(marking, &error);
	if (chunk) {
		chunk->count = count;
		memcpy(chunk->items, marker->stack, count * sizeof(struct item));
		chunk->next = marking->chunks;
		marking->chunks = chunk;
		pthread_cond_signal(&marking->wake);
	}
	pthread_mutex_unlock(&marking->lock);
	if (!chunk) {
		if (marker->error)
			sw_error_free(error);
		else
			marker->error = error;
		__atomic_store_n(&marking->stop, true, __ATOMIC_RELAXED);
		marker->stack_count = 0;
		return false;
	}
	marker->stack_count -= count;
	memmove(marker->stack, marker->stack + count, marker->stack_count * sizeof(struct item));
	return true;
}

static void take_chunk(struct marker *marker)
{
	struct marking *marking = marker->marking;
	struct chunk *chunk = marking->chunks;

	marking->chunks = chunk->next;
	memcpy(marker->stack, chunk->items, chunk->count * sizeof(struct item));
	marker->stack_count = chunk->count;
	chunk->next = marking->unused;
	marking->unused = chunk;
}

/* Worker 0 wakes up now and then to run the callbacks. */
static struct sw_error *wait_for_others(struct marking *marking, unsigned worker)
{
	if (worker) {
		pthread_cond_wait(&marking->wake, &marking->lock);
		return NULL;
	}
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += WAIT_NS;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_cond_timedwait(&marking->wake, &marking->lock, &until);
	return sw_work_tick(marking->work, "marking", 0, 0);
}

/* Gets items from the others; false when all is marked or the work has to stop. */
static bool take(struct marker *marker)
{
	struct marking *marking = marker->marking;

	pthread_mutex_lock(&marking->lock);
	__atomic_add_fetch(&marking->idle, 1, __ATOMIC_RELAXED);
	while (!marking->chunks && !marking->done) {
		if (marking->idle == marking->started ||
		    __atomic_load_n(&marking->stop, __ATOMIC_RELAXED)) {
			marking->done = true;
			pthread_cond_broadcast(&marking->wake);
			break;
		}
		marker->error = wait_for_others(marking, marker->worker);
		if (marker->error)
			__atomic_store_n(&marking->stop, true, __ATOMIC_RELAXED);
	}
	bool found = !marking->done && marking->chunks;
	if (found) {
		__atomic_sub_fetch(&marking->idle, 1, __ATOMIC_RELAXED);
		take_chunk(marker);
	}
	pthread_mutex_unlock(&marking->lock);
	return found;
}

/* ---- from pointers to items ---- */

static void push(struct marker *marker, uint32_t span, uint32_t number)
{
	if (marker->stack_count == STACK && !give(marker, CHUNK))
		return;
	marker->stack[marker->stack_count++] = (struct item){span, number};
}

static uint32_t piece_count(const struct sw_span *span)
{
	return (uint32_t)((span->elemsize + PIECE - 1) / PIECE);
}

/* An object that was just marked. */
SW_INLINE void push_object(struct marker *marker, const struct sw_span *span, uint32_t number,
			   uint32_t index)
{
	marker->marked++;
	if (span->scan == SW_SCAN_NONE) {
		return;
	} else if (!span->bytes) {
		marker->unread++;
	} else if (span->elemsize <= PIECE) {
		push(marker, number, index);
	} else {
		uint32_t pieces = piece_count(span);
		for (uint32_t i = pieces; i--;)
			push(marker, number, index * pieces + i);
	}
}

SW_INLINE bool claim(struct sw_block *block, uint64_t bit, bool is_parallel)
{
	if (!is_parallel) {
		bool is_new = !(block->marked & bit);
		block->marked |= bit;
		return is_new;
	}
	if (__atomic_load_n(&block->marked, __ATOMIC_RELAXED) & bit)
		return false;
	return !(__atomic_fetch_or(&block->marked, bit, __ATOMIC_RELAXED) & bit);
}

SW_INLINE void resolve(struct marker *marker, bool is_parallel)
{
	struct sw_heap *heap = marker->marking->heap;
	const struct sw_space *space = &heap->space;
	uint32_t numbers[BATCH], indices[BATCH];
	unsigned count = 0, hits = 0;

	for (unsigned i = 0; i < marker->batch_count; i++) {
		sw_addr addr = marker->batch[i];
		const uint32_t *pages = space->arenas[addr >> SW_ARENA_SHIFT];
		if (!pages)
			continue;
		uint32_t number = pages[addr >> SW_PAGE_SHIFT &
					((1 << (SW_ARENA_SHIFT - SW_PAGE_SHIFT)) - 1)];
		marker->batch[count] = addr;
		numbers[count] = number - 1;
		count += number != 0;
		__builtin_prefetch(&space->spans[number - (number != 0)]);
	}
	for (unsigned i = 0; i < count; i++) {
		const struct sw_span *span = &space->spans[numbers[i]];
		uint64_t offset = marker->batch[i] - span->base;
		uint32_t index = (uint32_t)(offset * span->divide >> 32);
		numbers[hits] = numbers[i];
		indices[hits] = index;
		hits += (offset < span->limit) & (index < span->count);
		__builtin_prefetch(&heap->blocks[(span->first_slot + index) / 64], 1);
	}
	for (unsigned i = 0; i < hits; i++) {
		const struct sw_span *span = &space->spans[numbers[i]];
		sw_slot slot = span->first_slot + indices[i];
		if (!claim(&heap->blocks[slot / 64], (uint64_t)1 << slot % 64, is_parallel))
			continue;
		if (__builtin_expect(sw_heap_is_opaque(heap, slot), 0))
			marker->marked++;
		else
			push_object(marker, span, numbers[i], indices[i]);
	}
	marker->batch_count = 0;
}

static __attribute__((noinline)) void resolve_alone(struct marker *marker)
{
	resolve(marker, false);
}

static __attribute__((noinline)) void resolve_shared(struct marker *marker)
{
	resolve(marker, true);
}

static void resolve_batch(struct marker *marker)
{
	if (marker->marking->work->workers == 1)
		resolve_alone(marker);
	else
		resolve_shared(marker);
}

/* ---- from items to pointers ---- */

SW_INLINE void split(const struct sw_span *span, uint32_t number, uint32_t *index, uint64_t *offset)
{
	*index = number;
	*offset = 0;
	if (__builtin_expect(span->elemsize > PIECE, 0)) {
		uint32_t pieces = piece_count(span);
		*index = number / pieces;
		*offset = (uint64_t)(number % pieces) * PIECE;
	}
}

static void scan_item(struct marker *marker, struct item item)
{
	const struct marking *marking = marker->marking;
	const struct sw_space *space = &marking->heap->space;
	const struct sw_span *span = &space->spans[item.span];
	const sw_addr low = marking->low, size = marking->size;
	unsigned count = marker->batch_count;
	struct sw_scanner scan;
	struct sw_window window;
	uint32_t index;
	uint64_t offset;

	split(span, item.number, &index, &offset);
	sw_scan_begin(&scan, space, span, index);
	if (__builtin_expect(span->elemsize > PIECE, 0))
		sw_scan_range(&scan, offset, offset + PIECE);
	while (sw_scan_next(&scan, &window)) {
		for (; window.bits; window.bits &= window.bits - 1) {
			sw_addr pointer = sw_scan_word(&scan, &window);
			marker->batch[count] = pointer;
			count += pointer - low < size;
			if (__builtin_expect(count == BATCH, 0)) {
				marker->batch_count = BATCH;
				resolve_batch(marker);
				count = 0;
			}
		}
	}
	marker->batch_count = count;
}

/* The ring's oldest item, replaced by the top of the stack, whose bytes are fetched. */
SW_INLINE struct item turn_ring(struct marker *marker)
{
	struct item *place = &marker->ring[marker->ring_next++ % RING], item = *place;

	marker->ring_count -= item.span != no_item.span;
	*place = no_item;
	if (marker->stack_count) {
		const struct sw_span *spans = marker->marking->heap->space.spans;
		uint32_t index;
		uint64_t offset;

		*place = marker->stack[--marker->stack_count];
		marker->ring_count++;
		split(&spans[place->span], place->number, &index, &offset);
		sw_scan_prefetch(&spans[place->span], index, offset);
	}
	return item;
}

/* Every few items: has another worker none, is it time for the callbacks? */
static void look_around(struct marker *marker)
{
	struct marking *marking = marker->marking;

	if (marker->stack_count >= 4 && __atomic_load_n(&marking->idle, __ATOMIC_RELAXED))
		give(marker, marker->stack_count < CHUNK ? marker->stack_count / 2 : CHUNK);
	if (marker->worker || marker->error)
		return;
	marker->error = sw_work_tick(marking->work, "marking", marker->marked, 0);
	if (marker->error)
		__atomic_store_n(&marking->stop, true, __ATOMIC_RELAXED);
}

/* Scans until the worker has nothing left. */
static void drain(struct marker *marker)
{
	unsigned until_look = CHECK_EVERY;

	for (;;) {
		if (!marker->stack_count && !marker->ring_count) {
			if (!marker->batch_count)
				return;
			resolve_batch(marker);
			continue;
		}
		struct item item = turn_ring(marker);
		if (item.span != no_item.span)
			scan_item(marker, item);
		if (--until_look)
			continue;
		until_look = CHECK_EVERY;
		look_around(marker);
		if (__atomic_load_n(&marker->marking->stop, __ATOMIC_RELAXED))
			return;
	}
}

static bool take_roots(struct marker *marker)
{
	struct marking *marking = marker->marking;
	const struct sw_root_words *words = &marking->heap->root_words;
	size_t begin = __atomic_fetch_add(&marking->next_root, ROOT_GRAIN, __ATOMIC_RELAXED);

	if (begin >= words->count)
		return false;
	size_t end = words->count - begin > ROOT_GRAIN ? begin + ROOT_GRAIN : words->count;
	for (size_t i = begin; i < end; i++) {
		marker->batch[marker->batch_count] = words->items[i].pointer;
		marker->batch_count += words->items[i].pointer - marking->low < marking->size;
		if (marker->batch_count == BATCH)
			resolve_batch(marker);
	}
	return true;
}

static struct marker *join(struct marking *marking, unsigned worker)
{
	struct marker *marker = calloc(1, sizeof(*marker));
	if (!marker)
		return NULL;
	marker->marking = marking;
	marker->worker = worker;
	for (unsigned i = 0; i < RING; i++)
		marker->ring[i] = no_item;
	pthread_mutex_lock(&marking->lock);
	marking->started++;
	pthread_mutex_unlock(&marking->lock);
	return marker;
}

static struct sw_error *leave(struct marker *marker)
{
	struct marking *marking = marker->marking;
	struct sw_error *error = marker->error;

	pthread_mutex_lock(&marking->lock);
	marking->unread += marker->unread;
	marking->marked += marker->marked;
	pthread_mutex_unlock(&marking->lock);
	free(marker);
	return error;
}

static struct sw_error *mark_task(void *context, unsigned worker)
{
	struct marker *marker = join(context, worker);
	if (!marker) /* the others do without; worker 0 must not */
		return worker ? NULL : sw_error_memory();
	while (!__atomic_load_n(&marker->marking->stop, __ATOMIC_RELAXED)) {
		drain(marker);
		if (!take_roots(marker) && !take(marker))
			break;
	}
	if (__atomic_load_n(&marker->marking->stop, __ATOMIC_RELAXED)) {
		pthread_mutex_lock(&marker->marking->lock);
		marker->marking->done = true;
		pthread_cond_broadcast(&marker->marking->wake);
		pthread_mutex_unlock(&marker->marking->lock);
	}
	return leave(marker);
}

static void free_chunks(struct marking *marking, struct chunk *chunk)
{
	while (chunk) {
		struct chunk *next = chunk->next;
		sw_work_free(marking->work, chunk, sizeof(*chunk));
		chunk = next;
	}
}

/* Marks of an unfinished marking would hide what lies behind them from the next one. */
static void forget_marks(struct sw_heap *heap)
{
	for (size_t i = 0; i < heap->block_count; i++)
		heap->blocks[i].marked = 0;
	heap->unread_objects = 0;
}

static struct sw_error *mark(struct sw_heap *heap, struct sw_work *work)
{
	const struct sw_space *space = &heap->space;
	const struct sw_span *last = &space->spans[space->span_count - 1];
	struct marking marking = {
		.heap = heap,
		.work = work,
		.low = space->spans[0].base,
		.size = last->base + last->limit - space->spans[0].base,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.wake = PTHREAD_COND_INITIALIZER,
	};
	struct sw_error *error = sw_work_tick(work, "marking", 0, 0);
	if (!error)
		error = sw_parallel_run(work, mark_task, &marking);
	free_chunks(&marking, marking.chunks);
	free_chunks(&marking, marking.unused);
	if (error)
		forget_marks(heap);
	else
		heap->unread_objects += marking.unread;
	return error;
}

static struct sw_error *mark_and_log(struct sw_heap *heap, struct sw_work *work)
{
	uint64_t *before, unread = heap->unread_objects;
	struct sw_error *error = sw_mark_log_copy(heap, work, &before);
	if (!error)
		error = mark(heap, work);
	if (!error)
		return sw_mark_log_add(heap->log, heap, work, before,
				       heap->unread_objects - unread);
	sw_work_free(work, before, heap->block_count * sizeof(*before));
	return error;
}

struct sw_error *sw_heap_mark(struct sw_heap *heap, struct sw_work *work)
{
	if (!heap->space.span_count)
		return NULL;
	if (!heap->log)
		return mark(heap, work);
	return sw_mark_log_replay(heap->log, heap) ? NULL : mark_and_log(heap, work);
}
