#include "base/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { TICK_NS = 100 * 1000 * 1000 };

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec time;
	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

void sw_work_init(struct sw_work *work, unsigned workers)
{
	memset(work, 0, sizeof(*work));
	if (!workers) {
		cpu_set_t cpus;
		workers = sched_getaffinity(0, sizeof(cpus), &cpus) ? 1 : CPU_COUNT(&cpus);
	}
	work->workers = workers > SW_MAX_WORKERS ? SW_MAX_WORKERS : workers;
}

/* Arrays of this size and more are mapped: zeroed lazily, in huge pages where the kernel can,
 * and given back to it at once. */
static bool is_mapped(size_t size)
{
	return size >= 1 << 20;
}

static struct sw_work *counting(struct sw_work *work)
{
	return work->parent ? work->parent : work;
}

static void raise_peak(struct sw_work *work, uint64_t used)
{
	uint64_t peak = __atomic_load_n(&work->peak_memory, __ATOMIC_RELAXED);
	while (used > peak && !__atomic_compare_exchange_n(&work->peak_memory, &peak, used, true,
							   __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

/* Counts the bytes, or says why not. */
static struct sw_error *count_memory(struct sw_work *work, size_t size, const char *what)
{
	uint64_t used = __atomic_add_fetch(&work->used_memory, size, __ATOMIC_RELAXED);
	if (!work->max_memory || used <= work->max_memory) {
		raise_peak(work, used);
		return NULL;
	}
	__atomic_sub_fetch(&work->used_memory, size, __ATOMIC_RELAXED);
	return sw_error_hint(
		sw_error_format(
			SW_ERR_LIMIT,
			"%s needs %zu MiB beside %llu MiB in use, over the limit of %llu MiB", what,
			size >> 20, (unsigned long long)(used - size) >> 20,
			(unsigned long long)work->max_memory >> 20),
		"raise --max-memory");
}

static void *map_pages(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return NULL;
	madvise(memory, size, MADV_HUGEPAGE);
	return memory;
}

struct sw_error *sw_work_alloc(struct sw_work *work, size_t size, const char *what, void *memory)
{
	void **out = memory;
	*out = NULL;
	struct sw_error *error = count_memory(counting(work), size, what);
	if (error)
		return error;
	*out = is_mapped(size) ? map_pages(size) : calloc(1, size ? size : 1);
	if (*out)
		return NULL;
	__atomic_sub_fetch(&counting(work)->used_memory, size, __ATOMIC_RELAXED);
	return sw_error_memory();
}

void sw_work_free(struct sw_work *work, void *memory, size_t size)
{
	if (!memory)
		return;
	if (is_mapped(size))
		munmap(memory, size);
	else
		free(memory);
	__atomic_sub_fetch(&counting(work)->used_memory, size, __ATOMIC_RELAXED);
}

struct sw_error *sw_work_tick(struct sw_work *work, const char *stage, uint64_t done,
			      uint64_t total)
{
	if (__atomic_load_n(&counting(work)->is_stopping, __ATOMIC_RELAXED))
		return sw_error_format(SW_ERR_INTERRUPTED, "interrupted");
	uint64_t now = clock_ns(CLOCK_MONOTONIC_COARSE);
	if (now - work->last_tick < TICK_NS)
		return NULL;
	work->last_tick = now;
	if (work->progress)
		work->progress(work->context, stage, done, total);
	if (work->cancelled && work->cancelled(work->context))
		return sw_error_format(SW_ERR_INTERRUPTED, "interrupted");
	return NULL;
}

void sw_work_stage(struct sw_work *work, const char *name)
{
	if (work->parent)
		return;
	uint64_t wall = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	struct sw_stage *last = work->stage_count ? &work->stages[work->stage_count - 1] : NULL;

	/* A running stage holds when it began. */
	if (last && work->is_stage_running) {
		last->wall_ns = wall - last->wall_ns;
		last->cpu_ns = cpu - last->cpu_ns;
	}
	work->is_stage_running = name && work->stage_count < SW_MAX_STAGES;
	if (work->is_stage_running)
		work->stages[work->stage_count++] = (struct sw_stage){name, wall, cpu};
}

struct crew {
	sw_parallel_task *task;
	void *context;
	struct sw_error *error; /* the first one */
	pthread_mutex_t lock;
};

struct member {
	struct crew *crew;
	unsigned worker;
	pthread_t thread;
};

static void keep_first(struct crew *crew, struct sw_error *error)
{
	if (!error)
		return;
	pthread_mutex_lock(&crew->lock);
	if (!crew->error) {
		crew->error = error;
		error = NULL;
	}
	pthread_mutex_unlock(&crew->lock);
	sw_error_free(error);
}

static void *member_main(void *argument)
{
	struct member *member = argument;
	keep_first(member->crew, member->crew->task(member->crew->context, member->worker));
	return NULL;
}

/* Signals belong to the host's threads: ours take none. */
static int start_thread(struct member *member)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(&member->thread, NULL, member_main, member);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return failed;
}

struct sw_error *sw_parallel_run(struct sw_work *work, sw_parallel_task *task, void *context)
{
	struct crew crew = {.task = task, .context = context, .lock = PTHREAD_MUTEX_INITIALIZER};
	struct member members[SW_MAX_WORKERS];
	unsigned started[SW_MAX_WORKERS], count = 0;

	for (unsigned i = 1; i < work->workers; i++) {
		members[i] = (struct member){.crew = &crew, .worker = i};
		if (!start_thread(&members[i]))
			started[count++] = i;
	}
	keep_first(&crew, task(context, 0));
	for (unsigned i = 0; i < count; i++)
		pthread_join(members[started[i]].thread, NULL);
	return crew.error;
}

struct loop {
	struct sw_work *work;
	const char *stage;
	size_t count, grain;
	size_t next; /* atomic */
	bool stop;   /* atomic */
	sw_parallel_body *body;
	void *context;
};

static struct sw_error *loop_task(void *argument, unsigned worker)
{
	struct loop *loop = argument;
	struct sw_error *error = NULL;

	while (!error && !__atomic_load_n(&loop->stop, __ATOMIC_RELAXED)) {
		size_t begin = __atomic_fetch_add(&loop->next, loop->grain, __ATOMIC_RELAXED);
		if (begin >= loop->count)
			return NULL;
		size_t end = loop->count - begin > loop->grain ? begin + loop->grain : loop->count;
		error = loop->body(loop->context, worker, begin, end);
		if (!error && worker == 0)
			error = sw_work_tick(loop->work, loop->stage, end, loop->count);
	}
	if (error)
		__atomic_store_n(&loop->stop, true, __ATOMIC_RELAXED);
	return error;
}

struct sw_error *sw_parallel_for(struct sw_work *work, const char *stage, size_t count,
				 size_t grain, sw_parallel_body *body, void *context)
{
	struct loop loop = {.work = work,
			    .stage = stage,
			    .count = count,
			    .grain = grain ? grain : 1,
			    .body = body,
			    .context = context};
	if (count <= loop.grain)
		return loop_task(&loop, 0);
	return sw_parallel_run(work, loop_task, &loop);
}

/* ---- two pieces of work side by side ---- */

struct pair {
	struct sw_work *work; /* of both */
	struct sw_work works[2];
	sw_pair_task *tasks[2];
	struct sw_error *errors[2];
	void *context;
};

static struct sw_error *pair_task(void *argument, unsigned worker)
{
	struct pair *pair = argument;
	pair->errors[worker] = pair->tasks[worker](pair->context, &pair->works[worker]);
	if (pair->errors[worker])
		__atomic_store_n(&pair->work->is_stopping, true, __ATOMIC_RELAXED);
	return NULL;
}

/* The error that came by itself, not because the other side failed. */
static struct sw_error *first_cause(struct pair *pair)
{
	struct sw_error *error = pair->errors[0], *other = pair->errors[1];
	if (!error || (other && error->code == SW_ERR_INTERRUPTED)) {
		error = pair->errors[1];
		other = pair->errors[0];
	}
	sw_error_free(other);
	return error;
}

struct sw_error *sw_parallel_pair(struct sw_work *work, sw_pair_task *first, sw_pair_task *second,
				  void *context)
{
	if (work->workers == 1 || work->parent) {
		struct sw_error *error = first(context, work);
		return error ? error : second(context, work);
	}
	struct pair pair = {.work = work, .tasks = {first, second}, .context = context};
	pair.works[0] = *work;
	pair.works[0].parent = work;
	pair.works[0].workers = (work->workers + 1) / 2;
	pair.works[1] = (struct sw_work){.parent = work, .workers = work->workers / 2};

	struct sw_work two = {.workers = 2};
	struct sw_error *error = sw_parallel_run(&two, pair_task, &pair);
	work->is_stopping = false;
	if (!error)
		error = first_cause(&pair);
	return error;
}
