/* Ps with their run queues and timers, Ms, sched. */
#include "collect.h"

enum {
	MAX_PS = 64,
	MAX_TIMERS = 64, /* of a P */
	SYSTEM_STACK_SHOWN = 4096,
};

static void add_words(const struct collector *collector, const char *name, sw_addr base,
		      const sw_offset *fields, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fields[i] != SW_ABSENT)
			collect(collector, name, base + fields[i], 8);
}

/* runtime/time.go: []*timer until 1.22, then []timerWhen. */
static void add_timers(const struct collector *collector, sw_addr slice)
{
	uint64_t entry = collector->go->minor < 23 ? 8 : 16;
	sw_addr list = word_at(collector, slice);
	uint64_t count = word_at(collector, slice + 8);

	collect(collector, "timer slice", slice, 24);
	collect_slice(collector, "timers", slice, entry);
	for (uint64_t i = 0; i < count && i < MAX_TIMERS; i++)
		collect(collector, "timer", word_at(collector, list + i * entry), 96);
}

static void add_p(const struct collector *collector, sw_addr p)
{
	const struct sw_layout *layout = &collector->go->layout;
	const __typeof__(layout->p) *at = &layout->p;
	const sw_offset fields[] = {
		at->id,	       at->status,	 at->m,
		at->mcache,    at->runqhead,	 at->runqtail,
		at->runnext,   at->link,	 at->gcAssistTime,
		at->goidcache, at->goidcacheend, at->gcMarkWorkerMode,
		at->schedwhen, at->syscalltick,
	};
	sw_addr mcache = word_at(collector, p + at->mcache);

	collect(collector, "p", p, at->size);
	add_words(collector, "p field", p, fields, sizeof(fields) / sizeof(*fields));
	collect(collector, "run queue", p + at->runq, 64);
	add_timers(collector, p + at->timers);
	collect(collector, "mcache", mcache + layout->mcache.tiny, 16);
	collect(collector, "mcache", mcache + layout->mcache.alloc, 512);
}

static void add_m(const struct collector *collector, sw_addr m)
{
	const struct sw_layout *layout = &collector->go->layout;
	const __typeof__(layout->m) *at = &layout->m;
	const sw_offset fields[] = {
		at->g0,	   at->gsignal,	 at->procid,	at->curg,     at->alllink,
		at->p,	   at->nextp,	 at->oldp,	at->lockedg,  at->lockedExt,
		at->incgo, at->spinning, at->schedlink, at->mstartfn, at->idle_next,
	};
	sw_addr g0 = word_at(collector, m + at->g0);
	sw_addr sp = word_at(collector, g0 + layout->g.sched + layout->gobuf.sp);

	collect(collector, "m", m, at->size < 512 ? at->size : 512);
	add_words(collector, "m field", m, fields, sizeof(fields) / sizeof(*fields));
	collect(collector, "g0", g0, layout->g.size);
	collect(collector, "system stack", sp, SYSTEM_STACK_SHOWN);
}

static void add_sched(const struct collector *collector, sw_addr sched)
{
	const __typeof__(collector->go->layout.schedt) *at = &collector->go->layout.schedt;
	const sw_offset fields[] = {
		at->goidgen,  at->lastpoll, at->nmidle,	    at->mnext,	  at->nmfreed,
		at->pidle,    at->npidle,   at->runq_head,  at->runqsize, at->gcwaiting,
		at->stopwait, at->midle,    at->sysmonwait,
	};

	if (!sched)
		return;
	collect(collector, "schedt", sched, at->size < 512 ? at->size : 512);
	add_words(collector, "schedt field", sched, fields, sizeof(fields) / sizeof(*fields));
}

void collect_scheduler(const struct collector *collector)
{
	const struct sw_go *go = collector->go;
	sw_addr list = word_at(collector, go->globals.allp);
	uint64_t count = word_at(collector, go->globals.allp + 8);
	sw_addr m = go->globals.allm ? word_at(collector, go->globals.allm) : 0;

	collect_slice(collector, "allp", go->globals.allp, 8);
	for (uint64_t i = 0; i < count && i < MAX_PS; i++)
		add_p(collector, word_at(collector, list + 8 * i));
	for (unsigned i = 0; m && i < MAX_LIST;
	     i++, m = word_at(collector, m + go->layout.m.alllink))
		add_m(collector, m);
	add_sched(collector, go->globals.sched);
}
