#include "go/memstats.h"

#include "go/field.h"
#include "go/size_class.h"

enum { STATS = 3 /* consistentHeapStats.stats */ };

/* The sum of the three generations of one counter of heapStatsDelta. */
static uint64_t sum(const struct sw_go *go, sw_offset offset, uint64_t index)
{
	sw_addr stats = go->globals.memstats + go->layout.mstats.heapStats;
	uint64_t total = 0;
	for (uint64_t i = 0; i < STATS; i++)
		total += sw_go_word_at(go, stats + i * go->layout.heapStatsDelta.size + 8 * index,
				       offset);
	return total;
}

static void add(struct sw_go_memstats *out, const char *name, uint64_t value)
{
	if (out->field_count < sizeof(out->fields) / sizeof(*out->fields))
		out->fields[out->field_count++] = (struct sw_go_memstats_field){name, value};
}

/* A counter of the runtime's that this release may lack. */
static void add_counter(const struct sw_go *go, struct sw_go_memstats *out, const char *name,
			sw_addr at, sw_offset offset)
{
	if (offset != SW_ABSENT)
		add(out, name, sw_go_word_at(go, at, offset));
}

struct allocations {
	uint64_t alloc_bytes, free_bytes, mallocs, frees;
};

/* Until 1.18 a span counts as full from the moment that an mcache takes it, which its sweepgen
 * tells (runtime/mcache.go refill; ReadMemStats returns these spans first). */
static void take_back_free_slots(const struct sw_go *go, struct allocations *out)
{
	for (size_t i = 0; go->minor <= 18 && i < go->spans.count; i++) {
		const struct sw_go_span *span = &go->spans.items[i];
		uint32_t age = span->sweepgen - go->sweepgen;
		if (span->state != SW_GO_SPAN_IN_USE || (age != 1 && age != 3) ||
		    span->alloc_count > span->nelems)
			continue;
		out->mallocs -= span->nelems - span->alloc_count;
		out->alloc_bytes -= (span->nelems - span->alloc_count) * span->elemsize;
	}
}

/* As in runtime/mstats.go readMemStats_m: tiny allocations are counted as malloc and free. */
static void count_allocations(const struct sw_go *go, struct allocations *out)
{
	const __typeof__(go->layout.heapStatsDelta) *at = &go->layout.heapStatsDelta;
	uint64_t tiny = sum(go, at->tinyAllocCount, 0);

	out->alloc_bytes = sum(go, at->largeAlloc, 0);
	out->free_bytes = sum(go, at->largeFree, 0);
	out->mallocs = sum(go, at->largeAllocCount, 0) + tiny;
	out->frees = sum(go, at->largeFreeCount, 0) + tiny;
	for (uint64_t i = 0; i < SW_SIZE_CLASSES; i++) {
		uint64_t allocated = sum(go, at->smallAllocCount, i);
		uint64_t freed = sum(go, at->smallFreeCount, i);
		out->mallocs += allocated;
		out->frees += freed;
		out->alloc_bytes += allocated * sw_go_class_size[i];
		out->free_bytes += freed * sw_go_class_size[i];
	}
	take_back_free_slots(go, out);
}

/* Where gcController counts the same (heapInUse and its like, from 1.19), ReadMemStats insists that
 * these sums agree. */
static void add_heap(const struct sw_go *go, struct sw_go_memstats *out)
{
	const __typeof__(go->layout.heapStatsDelta) *at = &go->layout.heapStatsDelta;
	uint64_t in_use = sum(go, at->inHeap, 0), released = sum(go, at->released, 0);
	uint64_t free = sum(go, at->committed, 0) - in_use - sum(go, at->inStacks, 0) -
			sum(go, at->inWorkBufs, 0) - sum(go, at->inPtrScalarBits, 0);
	struct allocations allocations;

	count_allocations(go, &allocations);
	out->heap_idle = released + free;
	out->heap_released = released;
	add(out, "HeapAlloc", allocations.alloc_bytes - allocations.free_bytes);
	add(out, "TotalAlloc", allocations.alloc_bytes);
	add(out, "Mallocs", allocations.mallocs);
	add(out, "Frees", allocations.frees);
	add(out, "HeapObjects", allocations.mallocs - allocations.frees);
	add(out, "HeapSys", in_use + free + released);
	add(out, "HeapInuse", in_use);
	add(out, "HeapIdle", out->heap_idle);
	add(out, "HeapReleased", released);
}

static void add_system(const struct sw_go *go, struct sw_go_memstats *out)
{
	sw_addr stats = go->globals.memstats;
	out->stacks_in_use = sum(go, go->layout.heapStatsDelta.inStacks, 0);
	add(out, "StackInuse", out->stacks_in_use);
	add(out, "StackSys",
	    out->stacks_in_use + sw_go_word_at(go, stats, go->layout.mstats.stacks_sys));
	add(out, "MSpanSys", sw_go_word_at(go, stats, go->layout.mstats.mspan_sys));
	add(out, "MCacheSys", sw_go_word_at(go, stats, go->layout.mstats.mcache_sys));
	add(out, "BuckHashSys", sw_go_word_at(go, stats, go->layout.mstats.buckhash_sys));
	add(out, "GCSys",
	    sw_go_word_at(go, stats, go->layout.mstats.gcMiscSys) +
		    sum(go, go->layout.heapStatsDelta.inWorkBufs, 0) +
		    sum(go, go->layout.heapStatsDelta.inPtrScalarBits, 0));
	add(out, "OtherSys", sw_go_word_at(go, stats, go->layout.mstats.other_sys));
}

static void add_collector(const struct sw_go *go, struct sw_go_memstats *out)
{
	sw_addr stats = go->globals.memstats, controller = go->globals.gcController;
	uint32_t cycles = 0, forced = 0, percent = 0;

	sw_memory_u32(go->memory, stats + go->layout.mstats.numgc, &cycles);
	sw_memory_u32(go->memory, stats + go->layout.mstats.numforcedgc, &forced);
	sw_memory_u32(go->memory, controller + go->layout.gcController.gcPercent, &percent);
	out->num_gc = cycles;
	out->heap_marked = sw_go_word_at(go, controller, go->layout.gcController.heapMarked);
	add(out, "LastGC", sw_go_word_at(go, stats, go->layout.mstats.last_gc_unix));
	add(out, "PauseTotalNs", sw_go_word_at(go, stats, go->layout.mstats.pause_total_ns));
	add(out, "NumGC", cycles);
	add(out, "NumForcedGC", forced);
	add(out, "gcController.heapLive",
	    sw_go_word_at(go, controller, go->layout.gcController.heapLive));
	add(out, "gcController.heapMarked", out->heap_marked);
	add_counter(go, out, "gcController.triggered", controller,
		    go->layout.gcController.triggered);
	add_counter(go, out, "gcController.memoryLimit", controller,
		    go->layout.gcController.memoryLimit);
	add_counter(go, out, "gcController.mappedReady", controller,
		    go->layout.gcController.mappedReady);
	add(out, "gcController.gcPercent", (uint64_t)(int64_t)(int32_t)percent);
}

void sw_go_read_memstats(const struct sw_go *go, struct sw_go_memstats *out)
{
	memset(out, 0, sizeof(*out));
	add_heap(go, out);
	add_system(go, out);
	add_collector(go, out);
}
