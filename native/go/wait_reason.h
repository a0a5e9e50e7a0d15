/* What a goroutine does, in the runtime's own words (runtime/runtime2.go, traceback.go of Go
 * 1.18–1.27). */
#ifndef SW_GO_WAIT_REASON_H
#define SW_GO_WAIT_REASON_H

#include "go/runtime.h"

/* go->wait_reasons: the program's own array of texts, when its symbol is there. */
struct sw_error *sw_go_read_wait_reasons(struct sw_go *go);

/* "chan receive", "select", "IO wait"; NULL for none (0) and for a number that this release does
 * not have. From the program itself, else as the release has it. */
const char *sw_go_wait_reason(const struct sw_go *go, uint8_t reason);

/* The same of a goroutine that waits (or was found leaked); NULL for others. */
const char *sw_go_wait_text(const struct sw_go *go, const struct sw_goroutine *goroutine);

/* Of enum sw_go_status, as tracebacks have it: "running", "runnable", "syscall", "waiting",
 * "preempted", "copystack", "leaked", …; "???" for a number that is none. */
const char *sw_go_status_word(uint32_t status);

#endif
