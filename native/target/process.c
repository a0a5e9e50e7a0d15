#include "target/live.h"

/* While it is stopped; stops for nothing else. */
static struct sw_error *copy_stopped(struct sw_copy *copy, struct sw_target *target)
{
	struct sw_tracer *tracer;
	struct sw_error *error =
		sw_tracer_stop(target->pid, target->arch, &target->threads, &tracer);
	if (error)
		return error;
	error = sw_copy_run(copy);
	/* Also read while stopped, so that an exec in between cannot mix two programs. */
	if (!error)
		error = sw_procfs_describe(target->pid, sw_copy_vmas(copy), target);
	if (!error)
		sw_procfs_descriptors(target->pid, target);
	struct sw_error *late = sw_tracer_release(tracer, &target->stopped_seconds);
	if (!error)
		return late;
	sw_error_free(late);
	return error;
}

static struct sw_error *open_process(int pid, struct sw_work *work, struct sw_target *target)
{
	struct sw_copy *copy;
	struct sw_error *error = sw_procfs_check(pid, &target->arch);

	if (error)
		return error;
	target->pid = pid;
	error = sw_copy_create(pid, work, &copy);
	if (!error)
		error = sw_copy_prepare(copy);
	if (!error)
		error = copy_stopped(copy, target);
	if (!error)
		error = sw_copy_finish(copy, target);
	if (error)
		sw_copy_free(copy);
	else
		sw_copy_give(copy, target);
	return error;
}

struct sw_error *sw_target_open_process(int pid, struct sw_work *work, struct sw_target **out)
{
	struct sw_target *target;
	struct sw_error *error = sw_target_create(SW_TARGET_PROCESS, &target);

	*out = NULL;
	if (error)
		return error;
	error = open_process(pid, work, target);
	if (error)
		sw_target_close(target);
	else
		*out = target;
	return error;
}
