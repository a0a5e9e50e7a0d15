#include "go/clock.h"

enum { MAX_PS = 1 << 20 };
#define MAX_UPTIME ((uint64_t)50 * 365 * 86400 * 1000000000) /* ns; more only damage has */

static void raise(int64_t *now, uint64_t time)
{
	if (time < MAX_UPTIME && (int64_t)time > *now)
		*now = (int64_t)time;
}

/* sysmon notes when it saw a P schedule (proc.go retake): many times a second, unless all idle. */
static void raise_to_sysmon(const struct sw_go *go, int64_t *now)
{
	uint64_t array, count, p, time;

	if (go->layout.p.schedwhen == SW_ABSENT ||
	    !sw_memory_u64(go->memory, go->globals.allp, &array) ||
	    !sw_memory_u64(go->memory, go->globals.allp + 8, &count) || count > MAX_PS)
		return;
	for (uint64_t i = 0; i < count; i++)
		if (sw_memory_u64(go->memory, array + 8 * i, &p) &&
		    sw_memory_u64(go->memory, p + go->layout.p.schedwhen, &time))
			raise(now, time);
}

/* Moments that the runtime writes down as it goes: when a collection began to see a goroutine
 * wait, when the last one ended, when sysmon looked. */
static int64_t latest_moment(const struct sw_go *go)
{
	int64_t now = 0;
	uint64_t time;

	for (size_t i = 0; i < go->goroutines.count; i++)
		raise(&now, (uint64_t)go->goroutines.items[i].waitsince);
	if (go->layout.mstats.last_gc_nanotime != SW_ABSENT &&
	    sw_memory_u64(go->memory, go->globals.memstats + go->layout.mstats.last_gc_nanotime,
			  &time))
		raise(&now, time);
	raise_to_sysmon(go, &now);
	return now;
}

int64_t sw_go_now(const struct sw_go *go)
{
	return go->target->taken_ns ? go->target->taken_ns : latest_moment(go);
}

int64_t sw_go_waiting_ns(const struct sw_goroutine *goroutine, int64_t now)
{
	if (goroutine->status != SW_GO_WAITING && goroutine->status != SW_GO_SYSCALL &&
	    goroutine->status != SW_GO_LEAKED)
		return -1;
	if (goroutine->waitsince <= 0 || goroutine->waitsince > now)
		return -1;
	return now - goroutine->waitsince;
}
