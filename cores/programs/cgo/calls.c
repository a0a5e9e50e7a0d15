#include "calls.h"
#include "_cgo_export.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { REMEMBERED = 4096 };

static uintptr_t *addresses;
static int address_count;
static int returned;

void wait_in_c(void)
{
	for (;;)
		pause();
}

static void wait_here(int number)
{
	(void)number;
	wait_in_c();
}

void wait_in_handler(void)
{
	struct sigaction action = {.sa_handler = wait_here, .sa_flags = SA_ONSTACK};

	/* The Go runtime is not asked: it has no handler to forward to. */
	sigaction(SIGUSR2, &action, NULL);
	raise(SIGUSR2);
}

void descend(int depth)
{
	if (depth)
		goDescend(depth - 1);
	else
		wait_in_c();
}

void call_foreign(int what, int number)
{
	goForeign(what, number);
}

struct order {
	int what, number;
};

static void *run(void *argument)
{
	struct order order = *(struct order *)argument;

	free(argument);
	goForeign(order.what, order.number);
	__atomic_add_fetch(&returned, 1, __ATOMIC_SEQ_CST);
	wait_in_c();
	return NULL;
}

void start_thread(int what, int number)
{
	struct order *order = malloc(sizeof(*order));
	pthread_t thread;

	if (!order)
		abort();
	*order = (struct order){what, number};
	if (pthread_create(&thread, NULL, run, order)) {
		fputs("no thread could be started\n", stderr);
		abort();
	}
}

int threads_returned(void)
{
	return __atomic_load_n(&returned, __ATOMIC_SEQ_CST);
}

void remember(uintptr_t address)
{
	if (!addresses)
		addresses = calloc(REMEMBERED, sizeof(*addresses));
	if (!addresses || address_count == REMEMBERED)
		abort();
	addresses[address_count++] = address;
}

uintptr_t remembered(int number)
{
	return addresses[number];
}

uintptr_t through_c(uintptr_t handle)
{
	static uintptr_t kept[REMEMBERED];
	static int count;

	kept[count++ % REMEMBERED] = handle;
	return handle;
}
