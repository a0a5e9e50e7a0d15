/* Where bytes, mappings, threads and registers come from: a core file or a process. Knows ELF
 * core notes, ptrace and /proc; knows nothing of Go or DWARF. A target is read only. */
#ifndef SW_TARGET_TARGET_H
#define SW_TARGET_TARGET_H

#include "base/parallel.h"
#include "base/warning.h"
#include "target/memory.h"

enum sw_arch { SW_ARCH_AMD64 = 1, SW_ARCH_ARM64 };

enum sw_target_kind { SW_TARGET_CORE, SW_TARGET_PROCESS };

/* A file mapped by the target (NT_FILE of a core, /proc/PID/maps). */
struct sw_mapping {
	sw_addr start, end;
	uint64_t file_offset; /* bytes */
	char *path;	      /* as the target named it, " (deleted)" cut off */
};
SW_VECTOR(struct sw_mapping, sw_mappings);

/* Addresses [start, end). */
struct sw_range {
	sw_addr start, end;
};
SW_VECTOR(struct sw_range, sw_ranges);

/* Numbers of descriptors. */
SW_VECTOR(int, sw_numbers);

/* General registers as the kernel orders them: amd64 struct user_regs_struct (27 words: r15 r14
 * r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base
 * ds es fs gs), arm64 x0…x30 sp pc pstate (34 words). */
struct sw_thread {
	int tid;
	sw_addr pc, sp;
	uint64_t fs_base; /* amd64: thread pointer; arm64: tpidr_el0 when known, else 0 */
	uint64_t registers[34];
	unsigned register_count;
	uint8_t *vector; /* floating point and vector registers as the kernel saved them, or NULL */
	size_t vector_size;
	bool is_stale; /* no registers could be had; only tid is set */
};
SW_VECTOR(struct sw_thread, sw_threads);

struct sw_target {
	enum sw_target_kind kind;
	enum sw_arch arch;
	char *path; /* of the core file, NULL for a process */
	int pid;    /* of the process, or the dumped one where the core says so, else 0 */
	char *exe;  /* a path to open the executable at as far as the target tells (may not exist
		     * on this machine), or NULL */
	char *exe_name;		     /* the path as the target named it, for display; or NULL */
	sw_addr entry;		     /* AT_ENTRY: run-time entry point, 0 when unknown */
	sw_addr program_headers;     /* AT_PHDR: run-time address of the program headers, 0 */
	sw_addr executed;	     /* AT_EXECFN: where the path given to execve(2) stands, 0 */
	struct sw_memory memory;     /* of the target alone; image/ overlays file pages */
	struct sw_mappings mappings; /* in rising order */
	/* Writable memory of a core, in rising order, that the kernel left out as never written; or
	 * that the process did not want dumped (madvise(2) MADV_DONTDUMP). */
	struct sw_ranges left_out;
	struct sw_threads threads;
	struct sw_warnings warnings; /* truncated core, unreadable regions, … */
	double stopped_seconds;	     /* how long a process was stopped; 0 for a core */
	/* A process' open descriptors when it was copied, in rising order; not known of one that
	 * has very many, nor of a core. What they lead to: open_files.h. */
	struct sw_numbers descriptors;
	bool knows_descriptors;
	int64_t taken_ns; /* CLOCK_MONOTONIC when a process was copied; 0 for a core, which does not
			   * say */

	void (*close)(struct sw_target *target); /* releases what `opened` owns */
	void *opened;
};

/* An ELF core file of amd64 or arm64, plain or .zst (by content, not by name); a pid in a
 * multi-threaded core names the thread that was dumped first. SW_ERR_FORMAT with a hint for
 * anything else: 32-bit, big-endian, an executable, empty or unreadable files. A truncated core
 * opens with the warning "truncated_core" (incomplete) for the regions it still has.
 * The core is mapped, not copied; a .zst is unpacked into memory counted by `work`. */
struct sw_error *sw_target_open_core(const char *path, struct sw_work *work,
				     struct sw_target **out);

/* A running process: seizes and stops every thread, copies registers and all present private or
 * anonymous pages (and file pages that are not in the file any more), lets go, then returns;
 * stopped_seconds says for how long. The process goes on as it was found (a stopped one stays
 * stopped) also when this one is killed midway. SW_ERR_PERMISSION carries the hint (same user,
 * CAP_SYS_PTRACE, yama). */
struct sw_error *sw_target_open_process(int pid, struct sw_work *work, struct sw_target **out);

/* The same for a process that a debugger holds stopped: no ptrace; registers come from
 * `threads` (copied), memory from /proc/PID/mem. */
struct sw_error *sw_target_open_debugged(int pid, const struct sw_threads *threads,
					 struct sw_work *work, struct sw_target **out);

/* Gives the pages of a mapped core that were read back to the kernel; they come again from the file
 * when they are read again. For walks over much of a core, which would else count as memory of
 * ours. Nothing for other targets; safe while others read. */
void sw_target_forget_pages(const struct sw_target *target);

void sw_target_close(struct sw_target *target);

#endif
