/* What goroutines are blocked on, and circles of them, in JSON and in words. */
#ifndef SW_COMMAND_WAIT_WORDS_H
#define SW_COMMAND_WAIT_WORDS_H

#include "command/wakers.h"

#include <stdio.h>

/* {"kind", "type", "address", …} with the fields of its kind; of a lock "holder", of all that have
 * an address "referring_goroutines" beside the one that waits. */
json_t *sw_blocked_on_json(struct sw_wakers *wakers, uint32_t goroutine,
			   const struct sw_blocked_on *on);

/* "chan int at 0xc00001a2a0 (capacity 3, length 3)", "sync.Mutex at 0x… (main.account.mu)". */
void sw_blocked_on_text(const struct sw_wait_view *view, const struct sw_blocked_on *on, FILE *out);
/* Who holds it, or who else refers to it: "goroutine 7 is to unlock it by a deferred call". */
void sw_blocked_others_text(struct sw_wakers *wakers, uint32_t goroutine,
			    const struct sw_blocked_on *on, FILE *out);

/* {"goroutines": [ids], "steps": [{"goroutine", "function", "functions": [of its stack],
 * "blocked_on": {"kind", "type", "address"}, "next_goroutine", "text"}]}. */
json_t *sw_wait_cycle_json(struct sw_wakers *wakers, const struct sw_wait_cycle *cycle);

#endif
