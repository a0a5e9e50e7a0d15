/* ns per object of each step between a heap and its retained sizes, on a synthetic heap:
 *
 *	bench_heap [OBJECTS [SHARE]]
 *
 * Slots of 64 bytes in spans of 8 KiB whose last 128 bytes are the pointer bitmap, small pages, all
 * places shuffled. Half of the objects are leaves without pointers; the others are nodes of trees
 * and lists, each with a leaf. SHARE percent (default 5) of the nodes point to some other node. */
#include "heap/graph.h"

#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

enum {
	SIZE = 64,
	SPAN = 8192,
	COUNT = (SPAN - 128) / SIZE,
	WORDS = SIZE / 8,
	TREES = 64,
	LISTS = 64,
};
#define BASE 0xc000000000ull

struct bench {
	uint32_t objects, nodes; /* nodes come first, then as many leaves */
	uint8_t *bytes;
	size_t size;
	uint32_t *place; /* object → place among those of its kind */
	struct sw_span *spans;
	uint32_t node_spans, span_count;
	uint64_t seed;
};

static uint64_t next_random(struct bench *bench)
{
	bench->seed ^= bench->seed << 13;
	bench->seed ^= bench->seed >> 7;
	bench->seed ^= bench->seed << 17;
	return bench->seed * 0x2545f4914f6cdd1du >> 16;
}

static void ok(struct sw_error *error)
{
	if (!error)
		return;
	fprintf(stderr, "%s\n", error->message);
	exit(1);
}

static void *map(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		exit(1);
	madvise(memory, size, MADV_NOHUGEPAGE); /* as a mapped core has it */
	return memory;
}

static void shuffle(struct bench *bench, uint32_t *items, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		items[i] = i;
	for (uint32_t i = count; i > 1; i--) {
		uint32_t j = (uint32_t)(next_random(bench) % i), swap = items[j];
		items[j] = items[i - 1];
		items[i - 1] = swap;
	}
}

static uint64_t offset_of(const struct bench *bench, uint32_t object)
{
	uint32_t place = bench->place[object];
	uint64_t span = place / COUNT + (object < bench->nodes ? 0 : bench->node_spans);
	return span * SPAN + place % COUNT * SIZE;
}

static void set(const struct bench *bench, uint32_t object, unsigned word, uint32_t target)
{
	if (target < bench->objects)
		((uint64_t *)(bench->bytes + offset_of(bench, object)))[word] =
			BASE + offset_of(bench, target);
}

/* The first quarter of the nodes are lists side by side, the rest trees. */
static void set_pointers(struct bench *bench, unsigned share)
{
	uint32_t lists = bench->nodes / 4, trees = bench->nodes - lists;
	for (uint32_t i = 0; i < bench->nodes; i++) {
		set(bench, i, 0, bench->nodes + i);
		if (i < lists) {
			if (i + LISTS < lists)
				set(bench, i, 2, i + LISTS);
		} else {
			uint64_t child = (uint64_t)(i - lists) * 2 + TREES;
			if (child < trees)
				set(bench, i, 2, lists + (uint32_t)child);
			if (child + 1 < trees)
				set(bench, i, 3, lists + (uint32_t)child + 1);
		}
		if (next_random(bench) % 100 < share)
			set(bench, i, 5, (uint32_t)(next_random(bench) % bench->nodes));
	}
}

static void set_spans(struct bench *bench)
{
	for (uint32_t i = 0; i < bench->span_count; i++) {
		uint8_t *bytes = bench->bytes + (uint64_t)i * SPAN;
		bench->spans[i] = (struct sw_span){.base = BASE + (uint64_t)i * SPAN,
						   .bytes = bytes,
						   .limit = COUNT * SIZE,
						   .elemsize = SIZE,
						   .count = COUNT};
		if (i >= bench->node_spans)
			continue;
		bench->spans[i].scan = SW_SCAN_BITMAP;
		bench->spans[i].bitmap = bytes + SPAN - 128;
		memset(bytes + SPAN - 128, 0x2d, COUNT); /* words 0, 2, 3 and 5 */
	}
}

static void build(struct bench *bench, uint32_t objects, unsigned share)
{
	*bench = (struct bench){.nodes = objects / 2, .seed = 88172645463325252u};
	bench->objects = bench->nodes * 2;
	bench->node_spans = (bench->nodes + COUNT - 1) / COUNT;
	bench->span_count = bench->node_spans * 2;
	bench->size = (size_t)bench->span_count * SPAN;
	bench->bytes = map(bench->size);
	bench->spans = calloc(bench->span_count, sizeof(*bench->spans));
	bench->place = malloc(bench->objects * sizeof(*bench->place));
	if (!bench->spans || !bench->place)
		exit(1);
	shuffle(bench, bench->place, bench->nodes);
	shuffle(bench, bench->place + bench->nodes, bench->nodes);
	set_spans(bench);
	set_pointers(bench, share);
}

static void add_roots(const struct bench *bench, struct sw_heap *heap)
{
	for (uint32_t i = 0; i < LISTS + TREES; i++) {
		uint32_t first = i < LISTS ? i : bench->nodes / 4 + i - LISTS;
		struct sw_root_word word = {BASE + offset_of(bench, first), 0, i};
		ok(sw_roots_add(&heap->roots, (struct sw_root){SW_NO_ROOT}));
		ok(sw_root_words_add(&heap->root_words, word));
	}
}

/* ---- measuring ---- */

/* On a busy machine the wall time says little; the calling thread's CPU time is what the wall time
 * would be on an idle one, as far as the workers share evenly. */
struct moment {
	double wall, cpu, caller;
};

static double clock_ns(clockid_t clock)
{
	struct timespec time;
	clock_gettime(clock, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static struct moment now(void)
{
	return (struct moment){clock_ns(CLOCK_MONOTONIC), clock_ns(CLOCK_PROCESS_CPUTIME_ID),
			       clock_ns(CLOCK_THREAD_CPUTIME_ID)};
}

static struct moment report(const char *step, struct moment since, const struct sw_heap *heap)
{
	struct moment moment = now();
	double count = heap->object_count ? heap->object_count : 1;
	printf("  %-10s %7.1f ns CPU %7.1f ns caller %7.1f ns wall\n", step,
	       (moment.cpu - since.cpu) / count, (moment.caller - since.caller) / count,
	       (moment.wall - since.wall) / count);
	return now();
}

static void run(const struct bench *bench, unsigned workers)
{
	struct sw_work work;
	struct sw_heap heap;
	struct sw_graph graph;
	struct sw_dominators dominators;
	struct sw_shared shared;

	sw_work_init(&work, workers);
	ok(sw_heap_init(&heap, &work, bench->spans, bench->span_count));
	add_roots(bench, &heap);
	heap.object_count = bench->objects; /* to report by, until they are counted */
	printf("%u workers\n", workers);
	struct moment before = now();
	ok(sw_heap_mark(&heap, &work));
	before = report("mark", before, &heap);
	sw_heap_number(&heap);
	before = report("number", before, &heap);

	struct moment after_mark = before;
	ok(sw_graph_build(&graph, &heap, &work));
	before = report("graph", before, &heap);
	ok(sw_dominators_build(&dominators, &graph, &heap, NULL, &work));
	before = report("dominators", before, &heap);
	ok(sw_shared_build(&shared, &graph, &dominators, &work));
	report("shared", before, &heap);
	report("after mark", after_mark, &heap);
	printf("  %u objects, for each %.2f extra edges and %.1f bytes at the peak; "
	       "%zu shared sets\n",
	       heap.object_count, (double)graph.extra_count / heap.object_count,
	       (double)work.peak_memory / heap.object_count, shared.count);

	sw_shared_free(&shared);
	sw_dominators_free(&dominators, &graph, &work);
	sw_graph_free(&graph, &work);
	sw_heap_free(&heap, &work);
}

int main(int argc, char **argv)
{
	uint32_t objects = argc > 1 ? (uint32_t)strtod(argv[1], NULL) : 10000000;
	unsigned share = argc > 2 ? (unsigned)atoi(argv[2]) : 5;
	struct bench bench;

	build(&bench, objects, share);
	run(&bench, 1);
	run(&bench, 2);
	free(bench.place);
	free(bench.spans);
	munmap(bench.bytes, bench.size);
	return 0;
}
