/* Why a goroutine waits, in the runtime's own words (runtime/runtime2.go waitReasonStrings). */
#include "go/wait_reason.h"

#include <string.h>

/* Releases add reasons in the middle. In each array, what later patch releases add stands at its
 * end. tests/test_wait_reasons.py compares with the source of every release. */
static const char *const go1_18[] = {
	"",
	"GC assist marking",
	"IO wait",
	"chan receive (nil chan)",
	"chan send (nil chan)",
	"dumping heap",
	"garbage collection",
	"garbage collection scan",
	"panicwait",
	"select",
	"select (no cases)",
	"GC assist wait",
	"GC sweep wait",
	"GC scavenge wait",
	"chan receive",
	"chan send",
	"finalizer wait",
	"force gc (idle)",
	"semacquire",
	"sleep",
	"sync.Cond.Wait",
	"timer goroutine (idle)",
	"trace reader (blocked)",
	"wait for GC cycle",
	"GC worker (idle)",
	"preempted",
	"debug call",
};

static const char *const go1_20[] = {
	"",
	"GC assist marking",
	"IO wait",
	"chan receive (nil chan)",
	"chan send (nil chan)",
	"dumping heap",
	"garbage collection",
	"garbage collection scan",
	"panicwait",
	"select",
	"select (no cases)",
	"GC assist wait",
	"GC sweep wait",
	"GC scavenge wait",
	"chan receive",
	"chan send",
	"finalizer wait",
	"force gc (idle)",
	"semacquire",
	"sleep",
	"sync.Cond.Wait",
	"sync.Mutex.Lock",
	"sync.RWMutex.RLock",
	"sync.RWMutex.Lock",
	"trace reader (blocked)",
	"wait for GC cycle",
	"GC worker (idle)",
	"GC worker (active)",
	"preempted",
	"debug call",
	"GC mark termination",
	"stopping the world",
	"flushing proc caches",
	"trace goroutine status",
	"trace proc status",
	"page trace flush",
	"coroutine",
	"GC weak to strong wait",
};

static const char *const go1_24[] = {
	"",
	"GC assist marking",
	"IO wait",
	"chan receive (nil chan)",
	"chan send (nil chan)",
	"dumping heap",
	"garbage collection",
	"garbage collection scan",
	"panicwait",
	"select",
	"select (no cases)",
	"GC assist wait",
	"GC sweep wait",
	"GC scavenge wait",
	"chan receive",
	"chan send",
	"finalizer wait",
	"force gc (idle)",
	"semacquire",
	"sleep",
	"sync.Cond.Wait",
	"sync.Mutex.Lock",
	"sync.RWMutex.RLock",
	"sync.RWMutex.Lock",
	"sync.WaitGroup.Wait",
	"trace reader (blocked)",
	"wait for GC cycle",
	"GC worker (idle)",
	"GC worker (active)",
	"preempted",
	"debug call",
	"GC mark termination",
	"stopping the world",
	"flushing proc caches",
	"trace goroutine status",
	"trace proc status",
	"page trace flush",
	"coroutine",
	"GC weak to strong wait",
	"synctest.Run",
	"synctest.Wait",
	"chan receive (synctest)",
	"chan send (synctest)",
	"select (synctest)",
};

static const char *const go1_25[] = {
	"",
	"GC assist marking",
	"IO wait",
	"chan receive (nil chan)",
	"chan send (nil chan)",
	"dumping heap",
	"garbage collection",
	"garbage collection scan",
	"panicwait",
	"select",
	"select (no cases)",
	"GC assist wait",
	"GC sweep wait",
	"GC scavenge wait",
	"chan receive",
	"chan send",
	"finalizer wait",
	"force gc (idle)",
	"GOMAXPROCS updater (idle)",
	"semacquire",
	"sleep",
	"sync.Cond.Wait",
	"sync.Mutex.Lock",
	"sync.RWMutex.RLock",
	"sync.RWMutex.Lock",
	"sync.WaitGroup.Wait",
	"trace reader (blocked)",
	"wait for GC cycle",
	"GC worker (idle)",
	"GC worker (active)",
	"preempted",
	"debug call",
	"GC mark termination",
	"stopping the world",
	"flushing proc caches",
	"trace goroutine status",
	"trace proc status",
	"page trace flush",
	"coroutine",
	"GC weak to strong wait",
	"synctest.Run",
	"synctest.Wait",
	"chan receive (durable)",
	"chan send (durable)",
	"select (durable)",
	"sync.WaitGroup.Wait (durable)",
	"cleanup wait",
};

static const char *const go1_26[] = {
	"",
	"GC assist marking",
	"IO wait",
	"dumping heap",
	"garbage collection",
	"garbage collection scan",
	"panicwait",
	"GC assist wait",
	"GC sweep wait",
	"GC scavenge wait",
	"finalizer wait",
	"force gc (idle)",
	"GOMAXPROCS updater (idle)",
	"semacquire",
	"sleep",
	"chan receive (nil chan)",
	"chan send (nil chan)",
	"select (no cases)",
	"select",
	"chan receive",
	"chan send",
	"sync.Cond.Wait",
	"sync.Mutex.Lock",
	"sync.RWMutex.RLock",
	"sync.RWMutex.Lock",
	"sync.WaitGroup.Wait",
	"trace reader (blocked)",
	"wait for GC cycle",
	"GC worker (idle)",
	"GC worker (active)",
	"preempted",
	"debug call",
	"GC mark termination",
	"stopping the world",
	"flushing proc caches",
	"trace goroutine status",
	"trace proc status",
	"page trace flush",
	"coroutine",
	"GC weak to strong wait",
	"synctest.Run",
	"synctest.Wait",
	"chan receive (durable)",
	"chan send (durable)",
	"select (durable)",
	"sync.WaitGroup.Wait (durable)",
	"cleanup wait",
};

struct reasons {
	const char *const *texts;
	size_t count;
};

#define REASONS(array)                                \
	{                                             \
		array, sizeof(array) / sizeof(*array) \
	}

static struct reasons reasons_of(unsigned minor)
{
	static const struct {
		unsigned since;
		struct reasons reasons;
	} releases[] = {
		{26, REASONS(go1_26)}, {25, REASONS(go1_25)}, {24, REASONS(go1_24)},
		{20, REASONS(go1_20)}, {18, REASONS(go1_18)},
	};
	size_t i = 0;

	while (releases[i].since > minor && releases[i].since > 18)
		i++;
	return releases[i].reasons;
}

/* ---- the program's own array ---- */

enum { MAX_REASONS = 256, MAX_TEXT = 64, STRING_BYTES = 16 };

/* [N]string: copies text `index`; false when it is no such text. */
static bool read_text(const struct sw_go *go, sw_addr array, uint64_t index, char *out)
{
	uint64_t at, length;

	if (!sw_memory_u64(go->memory, array + index * STRING_BYTES, &at) ||
	    !sw_memory_u64(go->memory, array + index * STRING_BYTES + 8, &length) ||
	    length >= MAX_TEXT || !sw_memory_read(go->memory, at, out, length))
		return false;
	out[length] = 0;
	for (uint64_t i = 0; i < length; i++)
		if (out[i] < ' ' || out[i] > '~')
			return false;
	return true;
}

struct sw_error *sw_go_read_wait_reasons(struct sw_go *go)
{
	sw_addr array;
	uint64_t size;
	char(*texts)[MAX_TEXT];

	if (!sw_image_symbol(go->image, "runtime.waitReasonStrings", &array, &size))
		return NULL;
	uint64_t count = size / STRING_BYTES;
	if (!count || count > MAX_REASONS)
		return NULL;
	struct sw_error *error = sw_go_keep(go, count * MAX_TEXT, &texts);
	for (uint64_t i = 0; !error && i < count; i++)
		if (!read_text(go, array, i, texts[i]))
			return NULL;
	if (error)
		return error;
	go->wait_reasons = (const char *)texts;
	go->wait_reason_count = (uint32_t)count;
	return NULL;
}

/* ---- what it says ---- */

const char *sw_go_wait_reason(const struct sw_go *go, uint8_t reason)
{
	struct reasons known = reasons_of(go->minor);
	const char *text = NULL;

	if (go->wait_reasons && reason < go->wait_reason_count)
		text = go->wait_reasons + (size_t)reason * MAX_TEXT;
	else if (!go->wait_reasons && reason < known.count)
		text = known.texts[reason];
	return text && *text ? text : NULL;
}

const char *sw_go_wait_text(const struct sw_go *go, const struct sw_goroutine *goroutine)
{
	if (goroutine->status != SW_GO_WAITING && goroutine->status != SW_GO_LEAKED)
		return NULL;
	return sw_go_wait_reason(go, goroutine->wait_reason);
}

const char *sw_go_status_word(uint32_t status)
{
	static const char *const words[] = {
		[SW_GO_IDLE] = "idle",		 [SW_GO_RUNNABLE] = "runnable",
		[SW_GO_RUNNING] = "running",	 [SW_GO_SYSCALL] = "syscall",
		[SW_GO_WAITING] = "waiting",	 [SW_GO_DEAD] = "dead",
		[SW_GO_COPYSTACK] = "copystack", [SW_GO_PREEMPTED] = "preempted",
		[SW_GO_LEAKED] = "leaked",	 [SW_GO_DEAD_EXTRA] = "waiting for cgo callback",
	};
	const char *word = status < sizeof(words) / sizeof(*words) ? words[status] : NULL;

	return word ? word : "???";
}
