/* The descriptors that a process has open and what each leads to (proc(5): /proc/PID/fd, fdinfo,
 * limits). */
#ifndef SW_TARGET_OPEN_FILES_H
#define SW_TARGET_OPEN_FILES_H

#include "target/target.h"

struct sw_open_file {
	int number;
	char *to; /* "/var/log/app.log", "socket:[81723]", "pipe:[4711]", "anon_inode:[eventpoll]";
		   * "" when it was closed since */
};

/* What an epoll descriptor watches. */
struct sw_watched {
	int epoll, number;
	uint64_t data; /* what epoll_ctl(2) was given */
};

SW_VECTOR(struct sw_watched, sw_watches);

struct sw_open_files {
	struct sw_open_file *items; /* by number */
	size_t count;
	struct sw_watches watches;
	uint64_t limit; /* RLIMIT_NOFILE, the soft one; 0: unknown or none */
	/* The numbers are those of the moment at which the memory was copied; else those of now. */
	bool is_exact;
};

/* Of a process, which may run on meanwhile: where the descriptors lead is told as it is now.
 * SW_ERR_NOT_FOUND for a core. */
struct sw_error *sw_open_files_read(const struct sw_target *target, struct sw_open_files *out);
void sw_open_files_free(struct sw_open_files *files);

/* NULL: no such number is open. */
const struct sw_open_file *sw_open_files_find(const struct sw_open_files *files, int64_t number);

#endif
