/* Which commands there are, in the order of the help: a new one is two lines here. */
#include "command/command.h"

extern const struct sw_command sw_command_heap;
extern const struct sw_command sw_command_verify;
extern const struct sw_command sw_command_heap_types;
extern const struct sw_command sw_command_leak_roots;
extern const struct sw_command sw_command_who_holds;
extern const struct sw_command sw_command_retained;
extern const struct sw_command sw_command_find_type;
extern const struct sw_command sw_command_buffer_owner;
extern const struct sw_command sw_command_buffers;
extern const struct sw_command sw_command_arenas;
extern const struct sw_command sw_command_pools;
extern const struct sw_command sw_command_contexts;
extern const struct sw_command sw_command_timers;
extern const struct sw_command sw_command_fds;
extern const struct sw_command sw_command_finalizers;
extern const struct sw_command sw_command_closures;
extern const struct sw_command sw_command_goroutines;
extern const struct sw_command sw_command_goroutine_leaks;
extern const struct sw_command sw_command_scheduler;
extern const struct sw_command sw_command_stack;

const struct sw_command *const sw_commands[] = {
	&sw_command_goroutines, &sw_command_stack,	  &sw_command_goroutine_leaks,
	&sw_command_leak_roots, &sw_command_who_holds,	  &sw_command_retained,
	&sw_command_heap_types, &sw_command_buffer_owner, &sw_command_buffers,
	&sw_command_arenas,	&sw_command_pools,	  &sw_command_contexts,
	&sw_command_timers,	&sw_command_fds,	  &sw_command_finalizers,
	&sw_command_closures,	&sw_command_find_type,	  &sw_command_heap,
	&sw_command_verify,	&sw_command_scheduler,	  NULL,
};
