/* Goroutines that can never run again: the fixpoint of the runtime's own search for leaks
 * (runtime/mgc.go findGoroutineLeaks, 1.26 with GOEXPERIMENT=goroutineleakprofile, 1.27), from
 * outside and for every release.
 *
 * A goroutine that waits for a channel, a semaphore or a notify list runs again only when somebody
 * who runs gets hold of it. So: mark from all roots but those goroutines, let run whoever waits for
 * something marked, mark from them too, until nothing changes. Who is left is leaked: as long as
 * the program lives nothing can wake them, whatever it does.
 *
 * Where this search and that of the runtime differ:
 * - What a goroutine reaches only by its own wait does not keep its channel alive here. The runtime
 *   hides sudog.c, but not sudog.elem, which for `go func() { c <- v }()` with a captured v leads
 *   into the closure that holds c; it does not find such goroutines.
 * - A finalizer or cleanup whose object only leaked goroutines reach never runs: they keep it
 *   alive. The runtime takes what such functions refer to as roots all the same.
 * - What a weak pointer refers to is reachable where the weak pointer is: whoever runs can make it
 *   a strong one. The runtime does not look there.
 * - Wait groups until 1.23 and mutexes until 1.19 wait for a bare semaphore ("semacquire"); all
 *   waits for a semaphore count here. The runtime never reports "semacquire".
 * - A timer that was stopped but still is in the heap of its P sends nothing; the runtime follows
 * it. As there, the goroutine of main.main is not reported when it waits in `select {}`, and
 * neither search looks into coroutines (package iter), synctest bubbles or C.
 */
#ifndef SW_GO_GOROUTINE_LEAK_H
#define SW_GO_GOROUTINE_LEAK_H

#include "go/wait.h"

struct sw_go_leaks {
	uint8_t *is_leaked; /* [goroutine_count]: 0 or 1, as go->goroutines */
	size_t goroutine_count;
	uint64_t leaked;  /* goroutines */
	uint64_t unknown; /* that wait for something that cannot be told: not leaked */
	uint64_t retained_objects, retained_bytes; /* that only leaked goroutines reach; slot bytes
						    */
};

/* Needs the roots, marked. What was damaged is taken for alive as far as it could be read; whether
 * something is missing the caller has to ask the warnings. */
struct sw_error *sw_go_find_leaks(const struct sw_go *go, const struct sw_heap *heap,
				  struct sw_work *work, struct sw_go_leaks *out);
void sw_go_leaks_free(struct sw_go_leaks *leaks);

#endif
