/* The scheduler at the moment of the image: Ps, Ms, run queues, what the collector wants of them
 * (src/runtime proc.go, runtime2.go, mgc.go of Go 1.18–1.27; GODEBUG=schedtrace,scheddetail prints
 * the same fields). */
#ifndef SW_GO_SCHEDULER_H
#define SW_GO_SCHEDULER_H

#include "base/map.h"
#include "go/runtime.h"

#define SW_GO_NONE UINT32_MAX /* no index */

/* Indexes by address. */
SW_MAP(uint32_t, sw_go_index);

/* runtime2.go _Pidle… From 1.26 on the runtime has no SYSCALL: a P is in a system call when the
 * goroutine of its M is, and is given here as before. */
enum sw_go_p_status {
	SW_GO_P_IDLE,
	SW_GO_P_RUNNING,
	SW_GO_P_SYSCALL,
	SW_GO_P_GCSTOP,
	SW_GO_P_DEAD,
	SW_GO_P_STATUSES
};

/* mgc.go gcMarkWorkerMode */
enum sw_go_worker_mode {
	SW_GO_WORKER_NONE,
	SW_GO_WORKER_DEDICATED,
	SW_GO_WORKER_FRACTIONAL,
	SW_GO_WORKER_IDLE,
	SW_GO_WORKER_MODES
};

struct sw_go_p {
	sw_addr address;
	uint32_t id;
	uint32_t status;      /* enum sw_go_p_status */
	uint32_t m;	      /* that has it or is about to take it: index into ms, or SW_GO_NONE */
	bool is_given;	      /* idle no longer: an M wakes up to take it */
	uint32_t goroutine;   /* that its M runs: index into go->goroutines, or SW_GO_NONE */
	size_t queue, queued; /* its run queue: so many of scheduler->queue from there on */
	bool has_next;	      /* the first of them is runnext */
	uint64_t timers;      /* in its heap, those that were stopped and are still there too */
	int64_t next_timer;   /* nanotime, 0: none */
	uint32_t schedtick, syscalltick;
	uint32_t worker_mode; /* enum sw_go_worker_mode: of the mark worker that runs here */
	int64_t assist_ns;    /* gcAssistTime: not yet counted towards the cycle */
	bool preempt;	      /* asked to enter the scheduler */
};
SW_VECTOR(struct sw_go_p, sw_go_ps);

/* What an M does. */
enum sw_go_m_state {
	SW_GO_M_RUNNING,    /* runs a goroutine */
	SW_GO_M_SYSCALL,    /* its goroutine is in a system call */
	SW_GO_M_CGO,	    /* its goroutine is in C code */
	SW_GO_M_SCHEDULING, /* has a P and is between goroutines */
	SW_GO_M_SPINNING,   /* looks for work */
	SW_GO_M_POLLING,    /* waits for the network or the next timer for all the others */
	SW_GO_M_IDLE,	    /* parked until there is work */
	SW_GO_M_LOCKED,	    /* parked until the goroutine that is locked to it may run */
	SW_GO_M_SYSMON,	    /* runtime.sysmon */
	SW_GO_M_TEMPLATE,   /* runtime.templateThread: starts threads */
	SW_GO_M_EXTRA,	    /* kept for threads that C made, or of one that is in C now */
	SW_GO_M_WAKING,	    /* was given a P and is about to take it */
	SW_GO_M_CHANGING,   /* starts, stops or parks */
	SW_GO_M_STATES
};

struct sw_go_m {
	sw_addr address;
	int64_t id;
	uint64_t thread; /* of the operating system, 0: none */
	enum sw_go_m_state state;
	sw_addr p, nextp; /* of a p; nextp is what it gets when it wakes up */
	sw_addr curg, lockedg;
	uint32_t goroutine; /* curg; index, or SW_GO_NONE */
	uint32_t locked;    /* lockedg; the same */
	bool is_spinning, is_blocked, is_in_cgo, is_extra, is_extra_in_c;
	bool is_listed_idle;  /* on sched.midle */
	uint64_t cgo_calls;   /* ncgocall: made so far */
	const char *function; /* where its goroutine is, or on the system stack the function that
			       * sleeps or works; NULL: registers or frames are not known */
	const char *caller;   /* of a goroutine: sw_go_find_place() */
};
SW_VECTOR(struct sw_go_m, sw_go_ms);

/* A goroutine that waits for its turn. */
struct sw_go_queued {
	sw_addr address;
	uint32_t goroutine; /* index, or SW_GO_NONE for what is no live goroutine */
};
SW_VECTOR(struct sw_go_queued, sw_go_queue);

/* A number that the runtime keeps and the one that was counted; they may differ by a few where a
 * thread was stopped between the two. */
struct sw_go_tally {
	const char *name;
	int64_t kept, counted;
};
enum { SW_GO_TALLIES = 8 };

/* sched.stopwait while the program ends with a crash: proc.go freezeStopWait */
enum { SW_GO_FREEZE = 0x7fffffff };

struct sw_go_scheduler {
	bool has_sched; /* else the numbers of this first part are 0 */
	uint64_t goidgen;
	uint64_t goroutines_created; /* from 1.26 on as the runtime counts them; else goroutine ids
				      * that are in use: without goroutines of dead Ps */
	int64_t lastpoll;	     /* nanotime; 0: a thread polls at this moment */
	int32_t nmidle, nmidlelocked, nmsys, maxmcount;
	int64_t threads; /* mnext - nmfreed: Ms that there are */
	int32_t ngsys;
	int32_t npidle, nmspinning;
	int32_t runqsize;
	bool is_stopping;   /* gcwaiting: the world is stopped or being stopped */
	int32_t stopwait;   /* Ps that have not stopped; SW_GO_FREEZE */
	bool sysmon_sleeps; /* deeply: until something runs again */

	bool has_all_ms; /* else newer idle ones may be missing */
	struct sw_go_ps ps;
	struct sw_go_ms ms; /* newest first */
	struct sw_go_queue queue;
	size_t global_queue, global_queued; /* the global run queue: from there so many of queue */
	size_t other_threads;		    /* of the target that no M has: C made them */
	struct sw_go_index m_index;	    /* private: of ms by address */

	uint64_t runnable;	      /* goroutines of that state */
	uint64_t handed_over;	      /* of them: an M wakes up to run the one locked to it */
	uint64_t unqueued;	      /* the others that are on no queue */
	uint64_t queued_twice;	      /* places too many that they have on queues */
	uint64_t queued_not_runnable; /* places of others on queues */
	struct sw_go_tally tallies[SW_GO_TALLIES];
	size_t tally_count;

	/* sw_go_now(), or when the network was last polled; 0: unknown */
	int64_t latest;
};

/* What cannot be read, or not found in a program without symbols, is left out with a warning of
 * `warnings`. Needs all of sw_go_open(). Finds the scheduler's variables first. */
struct sw_error *sw_go_read_scheduler(struct sw_go *go, struct sw_warnings *warnings,
				      struct sw_go_scheduler *out);
void sw_go_scheduler_free(struct sw_go_scheduler *scheduler);

/* The M or P at an address: index, or SW_GO_NONE. */
uint32_t sw_go_find_m(const struct sw_go_scheduler *scheduler, sw_addr m);
uint32_t sw_go_find_p(const struct sw_go_scheduler *scheduler, sw_addr p);

/* "idle", "running", …; the state of an M in words: "in a system call", … */
const char *sw_go_p_status_word(uint32_t status);
const char *sw_go_m_state_word(enum sw_go_m_state state);

/* ---- scheduler_thread.c ---- */
/* The innermost function of a goroutine's stack, and the innermost one that is not of the runtime,
 * of package syscall or internal to the standard library. NULL: there is none, or the stack cannot
 * be walked, of which nobody is warned. */
struct sw_error *sw_go_find_place(const struct sw_go *go, const struct sw_goroutine *goroutine,
				  const char **function, const char **caller);
/* scheduler->ms, and which threads have none. Needs scheduler->ps' addresses. */
struct sw_error *sw_go_read_ms(const struct sw_go *go, const struct sw_go_index *goroutines,
			       struct sw_warnings *warnings, struct sw_go_scheduler *scheduler);

#endif
