/* Stopping a process with PTRACE_SEIZE and PTRACE_INTERRUPT (ptrace(2)): neither sends it a signal,
 * and a stop that was there before stays. */
#include "base/bitset.h"
#include "target/live.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef PTRACE_EVENT_STOP
#define PTRACE_EVENT_STOP 128
#endif

enum {
	STOP_NS = 2000000000,	/* a thread that does not stop by then is stuck in the kernel */
	POLL_NS = 20000,	/* between two looks at a thread that runs */
	VECTOR_SIZE = 64 << 10, /* bytes; AMX makes XSAVE areas of 11 KiB */
	TID_MAX = 1 << 22,	/* PID_MAX_LIMIT of the kernel */
	MAX_PASSES = 100,	/* over the list of threads while new ones are born */
};

struct tracee {
	int tid;
	int signal; /* caught on its way to the thread; delivered when it is let go */
	bool is_stopped;
};
SW_VECTOR(struct tracee, tracees);

struct sw_tracer {
	int pid;
	enum sw_arch arch;
	struct tracees tracees;
	uint64_t *seen;		    /* bits: thread ids that were seized or are past it */
	struct sw_threads *threads; /* not owned */
	struct sw_error *error;
	bool is_stopped;
	bool is_contained;     /* in a pid namespace of its own */
	uint64_t began, ended; /* ns */
	pthread_t thread;
	sem_t stopped, release;
};

static uint64_t now_ns(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static char thread_state(int pid, int tid)
{
	char path[64], text[512];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	FILE *file = fopen(path, "re");
	if (!file)
		return 'X';
	size_t size = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[size] = 0;
	/* The name may hold anything, also parentheses: the state follows the last one. */
	char *state = strrchr(text, ')');
	return state && state[1] ? state[2] : 'X';
}

static struct sw_error *refused(const struct sw_tracer *tracer, int number)
{
	struct sw_error *error = sw_error_errno(number, "cannot stop process %d", tracer->pid);
	long other = sw_procfs_status(tracer->pid, "TracerPid");

	if (other > 0)
		return sw_error_hint(error,
				     "process %ld traces it already: detach that debugger, or run "
				     "the command inside it",
				     other);
	return sw_error_hint(error, "run as the same user as the process, or as root; if that is "
				    "so, check kernel.yama.ptrace_scope (sysctl), and in a "
				    "container CAP_SYS_PTRACE (--cap-add=SYS_PTRACE)");
}

/* Adds the thread unless it has ended meanwhile. */
static struct sw_error *seize(struct sw_tracer *tracer, int tid)
{
	struct sw_error *error = tracees_grow(&tracer->tracees, 1);
	if (error)
		return error;
	if (!tracer->began)
		tracer->began = now_ns();
	if (ptrace(PTRACE_SEIZE, tid, NULL, NULL)) {
		int number = errno;
		char state = thread_state(tracer->pid, tid);
		if (number == ESRCH || state == 'Z' || state == 'X')
			return NULL;
		return refused(tracer, number);
	}
	ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
	return tracees_add(&tracer->tracees, (struct tracee){.tid = tid}); /* has room */
}

static struct sw_error *seize_new(struct sw_tracer *tracer, size_t *found)
{
	char path[64];
	struct sw_error *error = NULL;
	size_t known = tracer->tracees.count;

	snprintf(path, sizeof(path), "/proc/%d/task", tracer->pid);
	DIR *tasks = opendir(path);
	if (!tasks)
		return sw_error_errno(errno, "cannot list the threads of process %d", tracer->pid);
	for (struct dirent *entry; !error && (entry = readdir(tasks));) {
		int tid = atoi(entry->d_name);
		if (tid > 0 && tid < TID_MAX && sw_bitset_claim(tracer->seen, (size_t)tid))
			error = seize(tracer, tid);
	}
	closedir(tasks);
	*found = tracer->tracees.count - known;
	return error;
}

/* Forgets a thread that has ended. */
static void forget(struct sw_tracer *tracer, size_t index)
{
	tracer->tracees.items[index] = tracer->tracees.items[--tracer->tracees.count];
}

/* True once the thread at the index stands still, or is no more (*gone). */
static bool look(struct sw_tracer *tracer, size_t index, bool *gone)
{
	struct tracee *tracee = &tracer->tracees.items[index];
	int status;
	pid_t tid = waitpid(tracee->tid, &status, __WALL | WNOHANG);

	*gone = (tid < 0 && errno != EINTR) || (tid > 0 && !WIFSTOPPED(status));
	if (*gone)
		return true;
	if (tid <= 0)
		return false;
	tracee->is_stopped = true;
	/* Not our interrupt and no group stop, but a signal on its way: hold it for later. */
	if (status >> 16 != PTRACE_EVENT_STOP)
		tracee->signal = WSTOPSIG(status);
	return true;
}

static struct sw_error *stuck(const struct sw_tracer *tracer, int tid)
{
	char state = thread_state(tracer->pid, tid);
	return sw_error_hint(sw_error_format(SW_ERR_IO,
					     "thread %d of process %d did not stop within %d s "
					     "(state %c)",
					     tid, tracer->pid, STOP_NS / 1000000000, state),
			     state == 'D' ? "it waits inside the kernel (for a disk, or in vfork "
					    "for its child): try again"
					  : "it may be frozen by its cgroup: thaw it, then try "
					    "again");
}

static struct sw_error *await_stops(struct sw_tracer *tracer)
{
	uint64_t deadline = now_ns() + STOP_NS;

	for (size_t i = 0; i < tracer->tracees.count;) {
		bool gone = false;
		if (tracer->tracees.items[i].is_stopped || look(tracer, i, &gone)) {
			if (gone)
				forget(tracer, i);
			else
				i++;
			continue;
		}
		if (now_ns() > deadline)
			return stuck(tracer, tracer->tracees.items[i].tid);
		nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
	}
	return NULL;
}

/* A thread that still runs can make another: done when all stand and a pass finds no new one. */
static struct sw_error *stop_all(struct sw_tracer *tracer)
{
	size_t found = 1;
	for (int pass = 0; found && pass < MAX_PASSES; pass++) {
		struct sw_error *error = seize_new(tracer, &found);
		if (!error)
			error = await_stops(tracer);
		if (error)
			return error;
	}
	if (!tracer->tracees.count)
		return sw_error_format(SW_ERR_NOT_FOUND, "process %d has exited", tracer->pid);
	return NULL;
}

static size_t read_set(int tid, int set, void *bytes, size_t size)
{
	struct iovec vector = {bytes, size};
	return ptrace(PTRACE_GETREGSET, tid, set, &vector) ? 0 : vector.iov_len;
}

static struct sw_error *read_registers(struct sw_tracer *tracer, int tid, uint8_t *buffer)
{
	struct sw_thread thread = {.tid = tid, .is_stale = true};

	/* A target is told in its own terms: a runtime knows its threads by those ids. */
	if (tracer->is_contained)
		thread.tid = (int)sw_procfs_status(tid, "NSpid");
	size_t size = read_set(tid, NT_PRSTATUS, buffer, VECTOR_SIZE);
	sw_thread_set_registers(&thread, tracer->arch, buffer, size);
	if (tracer->arch == SW_ARCH_ARM64 && read_set(tid, NT_ARM_TLS, buffer, 8) == 8)
		thread.fs_base = sw_load64(buffer);

	size = 0;
	if (tracer->arch == SW_ARCH_AMD64)
		size = read_set(tid, NT_X86_XSTATE, buffer, VECTOR_SIZE);
	if (!size)
		size = read_set(tid, NT_PRFPREG, buffer, VECTOR_SIZE);
	struct sw_error *error = size ? sw_thread_set_vector(&thread, buffer, size) : NULL;
	if (!error)
		error = sw_threads_add(tracer->threads, thread);
	if (error)
		free(thread.vector);
	return error;
}

static struct sw_error *read_all_registers(struct sw_tracer *tracer)
{
	uint8_t *buffer = malloc(VECTOR_SIZE);
	struct sw_error *error = buffer ? NULL : sw_error_memory();

	for (size_t i = 0; !error && i < tracer->tracees.count; i++)
		error = read_registers(tracer, tracer->tracees.items[i].tid, buffer);
	free(buffer);
	return error;
}

static void detach_all(struct sw_tracer *tracer)
{
	for (size_t i = 0; i < tracer->tracees.count; i++) {
		struct tracee *tracee = &tracer->tracees.items[i];
		if (!tracee->is_stopped)
			continue; /* the kernel lets go of it when this thread ends */
		if (ptrace(PTRACE_DETACH, tracee->tid, NULL, (long)tracee->signal))
			waitpid(tracee->tid, NULL, __WALL | WNOHANG); /* killed: reap it */
	}
	tracer->ended = now_ns();
}

static void wait_for(sem_t *semaphore)
{
	while (sem_wait(semaphore) && errno == EINTR)
		;
}

static void *tracer_main(void *argument)
{
	struct sw_tracer *tracer = argument;

	tracer->error = stop_all(tracer);
	tracer->is_stopped = !tracer->error;
	sem_post(&tracer->stopped);
	if (tracer->is_stopped) {
		tracer->error = read_all_registers(tracer);
		wait_for(&tracer->release);
	}
	detach_all(tracer);
	return NULL;
}

/* Signals belong to the host's threads. */
static int start_thread(struct sw_tracer *tracer)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int number = pthread_create(&tracer->thread, NULL, tracer_main, tracer);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return number;
}

struct sw_error *sw_tracer_release(struct sw_tracer *tracer, double *seconds)
{
	sem_post(&tracer->release);
	pthread_join(tracer->thread, NULL);
	*seconds = (double)(tracer->ended - tracer->began) / 1e9;
	struct sw_error *error = tracer->error;
	tracees_free(&tracer->tracees);
	free(tracer->seen);
	sem_destroy(&tracer->stopped);
	sem_destroy(&tracer->release);
	free(tracer);
	return error;
}

struct sw_error *sw_tracer_stop(int pid, enum sw_arch arch, struct sw_threads *threads,
				struct sw_tracer **out)
{
	struct sw_tracer *tracer = calloc(1, sizeof(*tracer));
	uint64_t *seen = calloc(sw_bitset_words(TID_MAX), sizeof(*seen));
	*out = NULL;
	if (!tracer || !seen) {
		free(tracer);
		free(seen);
		return sw_error_memory();
	}
	tracer->seen = seen;
	tracer->is_contained = sw_procfs_status(pid, "NSpid") != pid;
	tracer->pid = pid;
	tracer->arch = arch;
	tracer->threads = threads;
	sem_init(&tracer->stopped, 0, 0);
	sem_init(&tracer->release, 0, 0);
	int number = start_thread(tracer);
	if (number) {
		free(seen);
		free(tracer);
		return sw_error_errno(number, "cannot start a thread");
	}

	wait_for(&tracer->stopped);
	if (!tracer->is_stopped) {
		double seconds;
		return sw_tracer_release(tracer, &seconds);
	}
	*out = tracer;
	return NULL;
}
