/* A process that runs: /proc (procfs.c), stopping its threads (tracer.c), copying its memory
 * (copy.c). Private to target/. */
#ifndef SW_TARGET_LIVE_H
#define SW_TARGET_LIVE_H

#include "target/parts.h"

/* How the memory of a mapping is copied. */
enum sw_copying {
	SW_COPY_NOTHING, /* devices, vvar, PROT_NONE, shared files */
	SW_COPY_ZEROES,	 /* private anonymous: pages that are not present read as zeros */
	SW_COPY_PRESENT, /* pages that are present; others are unknown, or as in the file */
	SW_COPY_CHANGED, /* pages of a file that the process has changed, and its first */
	SW_COPY_WHOLE,	 /* every page: the file cannot be opened any more */
};

/* One line of /proc/PID/maps. */
struct sw_vma {
	sw_addr start, end;
	uint64_t file_offset; /* bytes */
	uint64_t inode;	      /* 0: anonymous */
	uint32_t flags;	      /* SW_REGION_…; 0: PROT_NONE */
	bool is_shared;
	char *path; /* "" when it has none; " (deleted)" included */
	enum sw_copying copying;
};
SW_VECTOR(struct sw_vma, sw_vmas);

/* Refuses what cannot be read, with a hint: no such process, zombies, kernel threads, 32-bit
 * programs, this process itself, a thread's id. Sets *arch. */
struct sw_error *sw_procfs_check(int pid, enum sw_arch *arch);

/* The mappings in rising order. What is among those `known` from before (may be NULL) is copied as
 * was decided then: no file is looked at twice. */
struct sw_error *sw_procfs_maps(int pid, const struct sw_vmas *known, struct sw_vmas *vmas);
void sw_vmas_clear(struct sw_vmas *vmas);

/* A number of /proc/PID/status ("Tgid", "TracerPid"); the last one of the line, which of "NSpid" is
 * the process' own view; -1 when there is none. */
long sw_procfs_status(int pid, const char *field);

/* Sets entry, program_headers, exe, exe_name and mappings of a target. `exe` is the named path as
 * long as that is the file that runs, else /proc/PID/exe. */
struct sw_error *sw_procfs_describe(int pid, const struct sw_vmas *vmas, struct sw_target *target);

/* Sets the open descriptors of a target, unless there are so many that it would take long: to be
 * called while the process stands still. What /proc does not tell stays unknown. open_files.c */
void sw_procfs_descriptors(int pid, struct sw_target *target);

/* Stops a process: all ptrace calls are made on one thread of its own, at whose end, however it
 * comes, the kernel lets go of whatever it still holds. */
struct sw_tracer;

/* Returns once every thread stands still, with ids as the process sees them; registers are being
 * read into `threads` until sw_tracer_release(). On error nothing is held any more. */
struct sw_error *sw_tracer_stop(int pid, enum sw_arch arch, struct sw_threads *threads,
				struct sw_tracer **out);

/* Lets the process go as it was found and frees the tracer. *seconds is how long it was stopped.
 * The error is that of reading registers. */
struct sw_error *sw_tracer_release(struct sw_tracer *tracer, double *seconds);

/* A copy of a process' memory in the making; becomes the target's `opened`. */
struct sw_copy;

struct sw_error *sw_copy_create(int pid, struct sw_work *work, struct sw_copy **out);
void sw_copy_free(struct sw_copy *copy);

/* While the process still runs: makes room for what it has now, so that no page is faulted in
 * while it is stopped. May be left out. */
struct sw_error *sw_copy_prepare(struct sw_copy *copy);

/* While the process is stopped: copies. */
struct sw_error *sw_copy_run(struct sw_copy *copy);

/* Afterwards: the regions and warnings of the target. */
struct sw_error *sw_copy_finish(struct sw_copy *copy, struct sw_target *target);

/* The mappings as they were when it was copied. */
const struct sw_vmas *sw_copy_vmas(const struct sw_copy *copy);

/* Hands the copy to the target, which frees it when it is closed. */
void sw_copy_give(struct sw_copy *copy, struct sw_target *target);

#endif
