/* What the Go part of the program asks of C. Every wait is for ever. */
#include <stdint.h>

void wait_in_c(void);
/* Waits in the handler of a signal that arrived in C. */
void wait_in_handler(void);
/* Calls back into Go, which calls this again until depth is 0. */
void descend(int depth);
/* Calls goForeign(what, number) on the calling thread. */
void call_foreign(int what, int number);
/* A thread that Go does not know calls goForeign(what, number) and then waits. */
void start_thread(int what, int number);
/* Threads that called Go, returned from it and wait in C. */
int threads_returned(void);
/* Writes addresses into memory of C, which the collector does not look at. */
void remember(uintptr_t address);
uintptr_t remembered(int number);
/* Keeps a handle and gives it back. */
uintptr_t through_c(uintptr_t handle);
