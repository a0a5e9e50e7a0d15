/* The time of an image on the clock of the runtime: what g.waitsince is to be held against. */
#ifndef SW_GO_CLOCK_H
#define SW_GO_CLOCK_H

#include "go/runtime.h"

/* nanotime() (CLOCK_MONOTONIC, ns) when the image was taken. Of a process it is known. A core does
 * not store it: the latest moment that the runtime has written down anywhere is taken, which is at
 * most the truth; 0 when there is none. */
int64_t sw_go_now(const struct sw_go *go);

/* How long a goroutine has been waiting or in a system call, in ns, at least: a collection writes
 * down when it first sees it so (g.waitsince, runtime/mgcmark.go markroot of 1.18–1.27). -1 for a
 * goroutine that does neither, or that no collection has seen yet. `now` is sw_go_now(). */
int64_t sw_go_waiting_ns(const struct sw_goroutine *goroutine, int64_t now);

#endif
