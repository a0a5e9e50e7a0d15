#include "target/live.h"

static struct sw_error *copy_thread(struct sw_threads *threads, const struct sw_thread *from)
{
	struct sw_thread thread = *from;

	thread.vector = NULL;
	thread.vector_size = 0;
	struct sw_error *error = NULL;
	if (from->vector)
		error = sw_thread_set_vector(&thread, from->vector, from->vector_size);
	if (!error)
		error = sw_threads_add(threads, thread);
	if (error)
		free(thread.vector);
	return error;
}

static struct sw_error *open_debugged(int pid, const struct sw_threads *threads,
				      struct sw_work *work, struct sw_target *target)
{
	struct sw_copy *copy;
	struct sw_error *error = sw_procfs_check(pid, &target->arch);

	for (size_t i = 0; !error && i < threads->count; i++)
		error = copy_thread(&target->threads, &threads->items[i]);
	if (error)
		return error;
	target->pid = pid;
	error = sw_copy_create(pid, work, &copy);
	/* It stands still already, but huge pages are worth their making all the same. */
	if (!error)
		error = sw_copy_prepare(copy);
	if (!error)
		error = sw_copy_run(copy);
	if (!error)
		error = sw_procfs_describe(pid, sw_copy_vmas(copy), target);
	if (!error)
		sw_procfs_descriptors(pid, target);
	if (!error)
		error = sw_copy_finish(copy, target);
	if (error)
		sw_copy_free(copy);
	else
		sw_copy_give(copy, target);
	return error;
}

struct sw_error *sw_target_open_debugged(int pid, const struct sw_threads *threads,
					 struct sw_work *work, struct sw_target **out)
{
	struct sw_target *target;
	struct sw_error *error = sw_target_create(SW_TARGET_PROCESS, &target);

	*out = NULL;
	if (error)
		return error;
	error = open_debugged(pid, threads, work, target);
	if (error)
		sw_target_close(target);
	else
		*out = target;
	return error;
}
