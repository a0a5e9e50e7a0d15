/* What the runtime's variables must hold. */
#include "go/arena_bitmap.h"
#include "go/field.h"
#include "go/global.h"

#include "base/chain.h"

enum {
	SAMPLES = 64,	     /* items of a slice that are looked at */
	MAX_ITEMS = 1 << 28, /* of a slice */
	MAX_PROCESSORS = 1 << 20,
	MAX_BLOCKS = 1 << 20,
	STATS = 3, /* consistentHeapStats.stats */

	GOBUF_G = 16,	      /* gobuf.g, 1.18–1.27 */
	STATUS_SCAN = 0x1000, /* _Gscan */
	P_DEAD = 4,	      /* _Pdead, the last one */

	MAX_THREADS = 1 << 24, /* threads ever started */
	MAX_MS = 1 << 20,      /* on allm */

	FINALIZER_BLOCK = 4096, /* bytes: runtime/mfinal.go _FinBlockSize, a finalizer is 40 */
	FINALIZER = 40,
	CLEANUP_BLOCK = 512, /* runtime/mcleanup.go cleanupBlockSize */
};

struct slice {
	sw_addr data;
	uint64_t length;
};

/* A slice of pointers that is not empty. */
static bool read_slice(const struct sw_go *go, sw_addr at, struct slice *out)
{
	uint64_t words[3];
	if (!sw_memory_read(go->memory, at, words, sizeof(words)))
		return false;
	*out = (struct slice){words[0], words[1]};
	return out->data && out->data % 8 == 0 && out->length && out->length <= words[2] &&
	       words[2] <= MAX_ITEMS;
}

/* One of at most SAMPLES items, spread over the slice. */
static sw_addr sample(const struct sw_go *go, const struct slice *slice, uint64_t index)
{
	uint64_t count = slice->length < SAMPLES ? slice->length : SAMPLES;
	uint64_t at = index * (slice->length - 1) / (count > 1 ? count - 1 : 1);
	return sw_go_word_at(go, slice->data + 8 * at, 0);
}

static uint64_t sample_count(const struct slice *slice)
{
	return slice->length < SAMPLES ? slice->length : SAMPLES;
}

/* ---- mheap_: runtime/mheap.go ---- */

/* Spans that allspans names and the arenas have, too. One that is being made or freed may not. */
const char *sw_misfit_mheap(const struct sw_go *go, sw_addr at)
{
	struct sw_go candidate = *go;
	struct slice spans;
	uint64_t seen = 0, wrong = 0;

	candidate.globals.mheap_ = at;
	if (!read_slice(go, at + go->layout.mheap.allspans, &spans))
		return "allspans";
	for (uint64_t i = 0; i < sample_count(&spans); i++) {
		uint8_t state;
		sw_addr span = sample(go, &spans, i), start;
		if (!sw_memory_u8(go->memory, span + go->layout.mspan.state, &state) ||
		    !sw_memory_u64(go->memory, span + go->layout.mspan.startAddr, &start))
			return "allspans";
		if (state == SW_GO_SPAN_DEAD)
			continue;
		seen++;
		wrong += state > SW_GO_SPAN_MANUAL || sw_go_find_mspan(&candidate, start) != span;
	}
	return !seen ? "allspans" : wrong * 4 > seen ? "arenas" : NULL;
}

/* ---- allgs, allp: runtime/proc.go ---- */

static const char *misfit_of_g(const struct sw_go *go, sw_addr g, bool is_started)
{
	uint32_t status;
	sw_addr own;

	if (!sw_memory_u64(go->memory, g + go->layout.g.sched + GOBUF_G, &own) ||
	    (own != g && (own || is_started)))
		return "sched.g";
	if (!sw_memory_u32(go->memory, g + go->layout.g.atomicstatus, &status) ||
	    (status & ~(uint32_t)STATUS_SCAN) > SW_GO_DEAD_EXTRA)
		return "atomicstatus";
	return sw_go_word_at(go, g, go->layout.g.stack_lo) >
			       sw_go_word_at(go, g, go->layout.g.stack_hi)
		       ? "stack"
		       : NULL;
}

/* The first goroutine is that which runs main, or ran it; the last may not be whole yet. */
const char *sw_misfit_allgs(const struct sw_go *go, sw_addr at)
{
	struct slice all;
	const char *why = read_slice(go, at, &all) ? NULL : "slice";

	for (uint64_t i = 0; !why && i < sample_count(&all); i++)
		why = misfit_of_g(go, sample(go, &all, i), i == 0);
	return why;
}

const char *sw_misfit_allp(const struct sw_go *go, sw_addr at)
{
	struct slice all;
	if (!read_slice(go, at, &all) || all.length > MAX_PROCESSORS)
		return "slice";
	for (uint64_t i = 0; i < all.length; i++) {
		uint32_t id, status;
		sw_addr p = sw_go_word_at(go, all.data + 8 * i, 0);
		if (!sw_memory_u32(go->memory, p + go->layout.p.id, &id) || id != i)
			return "id";
		if (!sw_memory_u32(go->memory, p + go->layout.p.status, &status) || status > P_DEAD)
			return "status";
		if (status != P_DEAD &&
		    !sw_memory_view(go->memory, sw_go_word_at(go, p, go->layout.p.mcache), 8))
			return "mcache";
	}
	return NULL;
}

/* ---- sched, allm: runtime/proc.go ---- */

static bool is_m(const struct sw_go *go, sw_addr m)
{
	uint64_t g0, own;
	return sw_memory_u64(go->memory, m + go->layout.m.g0, &g0) &&
	       sw_memory_u64(go->memory, g0 + go->layout.g.m, &own) && own == m;
}

static bool is_p(const struct sw_go *go, sw_addr p)
{
	struct slice all;
	uint32_t id;
	return read_slice(go, go->globals.allp, &all) &&
	       sw_memory_u32(go->memory, p + go->layout.p.id, &id) && id < all.length &&
	       sw_go_word_at(go, all.data + 8 * (uint64_t)id, 0) == p;
}

static int32_t number_at(const struct sw_go *go, sw_addr at)
{
	uint32_t number;
	return sw_memory_u32(go->memory, at, &number) ? (int32_t)number : -1;
}

static bool is_count(const struct sw_go *go, sw_addr at, uint64_t most)
{
	int32_t count = number_at(go, at);
	return count >= 0 && (uint64_t)count <= most;
}

static bool is_flag(const struct sw_go *go, sw_addr at)
{
	uint8_t flag;
	return sw_memory_u8(go->memory, at, &flag) && flag <= 1;
}

static uint64_t last_goid(const struct sw_go *go)
{
	uint64_t last = 0;
	for (size_t i = 0; i < go->goroutines.count; i++)
		if (go->goroutines.items[i].goid > last)
			last = go->goroutines.items[i].goid;
	return last;
}

const char *sw_misfit_sched(const struct sw_go *go, sw_addr at)
{
	const __typeof__(go->layout.schedt) *fields = &go->layout.schedt;
	uint64_t created = sw_go_word_at(go, at, fields->goidgen),
		 ps = sw_go_word_at(go, go->globals.allp, 8);
	uint64_t started = sw_go_word_at(go, at, fields->mnext);
	uint64_t freed = sw_go_word_at(go, at, fields->nmfreed);
	sw_addr m = sw_go_word_at(go, at, fields->midle), p = sw_go_word_at(go, at, fields->pidle);
	sw_addr g = sw_go_word_at(go, at, fields->runq_head);

	if (!created || created < last_goid(go) || created >> 56)
		return "goidgen";
	if (!started || started > MAX_THREADS || freed >= started)
		return "mnext";
	if (number_at(go, at + fields->maxmcount) <= 0)
		return "maxmcount";
	if (!is_count(go, at + fields->nmidle, started - freed) || (m && !is_m(go, m)))
		return "midle";
	if (!is_count(go, at + fields->npidle, ps) || (p && !is_p(go, p)))
		return "pidle";
	if (!is_count(go, at + fields->runqsize, MAX_ITEMS) || (g && misfit_of_g(go, g, true)))
		return "runq";
	if (!is_flag(go, at + fields->gcwaiting) || !is_flag(go, at + fields->sysmonwait))
		return "gcwaiting";
	return NULL;
}

static bool is_on_allm(const struct sw_go *go, sw_addr first, sw_addr wanted)
{
	sw_addr m = first;
	for (unsigned steps = 0; m && m != wanted && steps < MAX_MS; steps++)
		m = sw_go_word_at(go, m, go->layout.m.alllink);
	return m == wanted;
}

/* An M is on the list before it has its g0. The first one, m0, never leaves it. */
static const char *misfit_of_ms(const struct sw_go *go, sw_addr first)
{
	struct sw_chain chain = {0};
	uint64_t id = UINT64_MAX;

	for (sw_addr m = first; m; m = sw_go_word_at(go, m, go->layout.m.alllink)) {
		if (m % 8 || sw_chain_is_ring(&chain, m) || chain.steps > MAX_MS ||
		    !sw_memory_view(go->memory, m + go->layout.m.alllink, 8))
			return "alllink";
		if (!is_m(go, m) && (m != first || sw_go_word_at(go, m, go->layout.m.g0)))
			return "g0";
		id = sw_go_word_at(go, m, go->layout.m.id);
	}
	return id ? "id" : NULL;
}

/* All that Ps and goroutines know are on it. */
const char *sw_misfit_allm(const struct sw_go *go, sw_addr at)
{
	struct slice ps;
	sw_addr first, m;
	const char *why = at % 8 || !sw_memory_u64(go->memory, at, &first) || !first
				  ? "address"
				  : misfit_of_ms(go, first);

	if (why || !read_slice(go, go->globals.allp, &ps))
		return why;
	for (uint64_t i = 0; i < sample_count(&ps); i++)
		if ((m = sw_go_word_at(go, sample(go, &ps, i), go->layout.p.m)) &&
		    !is_on_allm(go, first, m))
			return "a P's m";
	for (size_t i = 0, seen = 0; i < go->goroutines.count && seen < SAMPLES; i++) {
		m = go->goroutines.items[i].m;
		seen += m != 0;
		if (m && !is_on_allm(go, first, m))
			return "a goroutine's m";
	}
	return NULL;
}

/* ---- the collector ---- */

/* runtime/mgc.go: _GCoff, _GCmark, _GCmarktermination */
const char *sw_misfit_gcphase(const struct sw_go *go, sw_addr at)
{
	uint32_t phase;
	return !sw_memory_u32(go->memory, at, &phase) || phase > 2 ? "value" : NULL;
}

/* Bytes of memory, or of a part of it. */
static bool is_size(uint64_t bytes)
{
	return bytes >> SW_ADDRESS_BITS == 0;
}

static bool is_field_size(const struct sw_go *go, sw_addr at, sw_offset offset)
{
	uint64_t bytes;
	return offset == SW_ABSENT ||
	       (sw_memory_u64(go->memory, at + offset, &bytes) && is_size(bytes));
}

/* runtime/mgcpacer.go */
const char *sw_misfit_controller(const struct sw_go *go, sw_addr at)
{
	const __typeof__(go->layout.gcController) *fields = &go->layout.gcController;
	uint32_t percent;

	if (!sw_memory_u32(go->memory, at + fields->gcPercent, &percent) || (int32_t)percent < -1)
		return "gcPercent";
	if (!is_field_size(go, at, fields->heapLive))
		return "heapLive";
	if (!is_field_size(go, at, fields->heapMarked))
		return "heapMarked";
	if (!is_field_size(go, at, fields->heapInUse))
		return "heapInUse";
	if ((int64_t)sw_go_word_at(go, at, fields->memoryLimit) < 0)
		return "memoryLimit";
	return NULL;
}

/* The three generations of a counter together: runtime/mstats.go consistentHeapStats. */
static uint64_t sum_of_stats(const struct sw_go *go, sw_addr at, sw_offset counter)
{
	uint64_t sum = 0;
	for (uint64_t i = 0; i < STATS; i++)
		sum += sw_go_word_at(
			go, at + go->layout.mstats.heapStats + i * go->layout.heapStatsDelta.size,
			counter);
	return sum;
}

const char *sw_misfit_memstats(const struct sw_go *go, sw_addr at)
{
	const __typeof__(go->layout.mstats) *fields = &go->layout.mstats;
	uint32_t cycles = 0, forced = 0;

	if (!sw_memory_u32(go->memory, at + fields->numgc, &cycles) ||
	    !sw_memory_u32(go->memory, at + fields->numforcedgc, &forced) || forced > cycles)
		return "numforcedgc";
	if (!is_field_size(go, at, fields->stacks_sys))
		return "stacks_sys";
	if (!is_field_size(go, at, fields->other_sys))
		return "other_sys";
	if (!is_size(sum_of_stats(go, at, go->layout.heapStatsDelta.inHeap)))
		return "heapStats.inHeap";
	return NULL;
}

/* ---- queues ---- */

/* A chain of blocks, each of which holds at most `most` items; it may be empty. */
static const char *misfit_of_chain(const struct sw_go *go, sw_addr head, sw_offset alllink,
				   sw_offset count, uint32_t most)
{
	struct sw_chain chain = {0};
	sw_addr block;
	uint32_t items;

	if (head % 8 || !sw_memory_u64(go->memory, head, &block))
		return "address";
	for (; block; block = sw_go_word_at(go, block, alllink)) {
		if (block % 8 || sw_chain_is_ring(&chain, block) || chain.steps > MAX_BLOCKS ||
		    !sw_memory_view(go->memory, block + alllink, 8))
			return "alllink";
		if (!sw_memory_u32(go->memory, block + count, &items) || items > most)
			return "count";
	}
	return NULL;
}

/* runtime/mfinal.go */
const char *sw_misfit_allfin(const struct sw_go *go, sw_addr at)
{
	const __typeof__(go->layout.finblock) *fields = &go->layout.finblock;
	return misfit_of_chain(go, at, fields->alllink, fields->cnt,
			       (FINALIZER_BLOCK - fields->fin) / FINALIZER);
}

/* runtime/mcleanup.go */
const char *sw_misfit_cleanups(const struct sw_go *go, sw_addr at)
{
	const __typeof__(go->layout.cleanupBlock) *fields = &go->layout.cleanupBlock;
	if (!fields->item_size || fields->cleanups > CLEANUP_BLOCK)
		return "block";
	return misfit_of_chain(go, at + go->layout.cleanupQueue.all, fields->alllink, fields->n,
			       (CLEANUP_BLOCK - fields->cleanups) / fields->item_size);
}
