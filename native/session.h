/* One open target and what has been built of it: each part when first asked for, kept until the
 * target changes. */
#ifndef SW_SESSION_H
#define SW_SESSION_H

#include "base/parallel.h"
#include "go/runtime.h"
#include "go/traceback.h"
#include "heap/graph.h"
#include "image/image.h"
#include "index/index.h"
#include "report/report.h"
#include "target/target.h"
#include "type/type.h"
#include "view/live.h"

/* What to open; strings are copied. */
struct sw_session_options {
	const char *core;		   /* a core file, or NULL */
	int pid;			   /* a process, or 0 */
	const char *exe;		   /* --exe, or NULL */
	const char *sysroot;		   /* --sysroot, or NULL */
	const char *symbols;		   /* --symbols, or NULL */
	const struct sw_threads *debugged; /* the pid is held by a debugger: its threads */
	enum sw_index_use index;	   /* of a core */
};

struct sw_session;

/* Opens the target and its executable; work is kept (not owned) and used for all that follows. */
struct sw_error *sw_session_open(const struct sw_session_options *options, struct sw_work *work,
				 struct sw_session **out);
void sw_session_close(struct sw_session *session);

struct sw_work *sw_session_work(struct sw_session *session);
struct sw_target *sw_session_target(struct sw_session *session);

/* The Go runtime: discovery, layouts, spans, goroutines, roots. */
struct sw_error *sw_session_go(struct sw_session *session, struct sw_go **out);
/* The stacks of all its goroutines, as calls. */
struct sw_error *sw_session_stacks(struct sw_session *session, struct sw_go_stacks **out);
/* Marked and numbered objects, and the roots of the collection. */
struct sw_error *sw_session_marks(struct sw_session *session, struct sw_heap **out);
/* The same with what the graph needs: what the runtime holds on behalf of goroutines. */
struct sw_error *sw_session_heap(struct sw_session *session, struct sw_heap **out);
/* The type table and a type for each object. */
struct sw_error *sw_session_types(struct sw_session *session, struct sw_types **types,
				  struct sw_typing **typing);
struct sw_error *sw_session_graph(struct sw_session *session, struct sw_graph **out);
struct sw_error *sw_session_dominators(struct sw_session *session, struct sw_dominators **out);

/* Types, graph and dominators, side by side where there are processors for it. */
struct sw_error *sw_session_analyse(struct sw_session *session);

/* All of that together; without dominators; without graph and dominators. */
struct sw_error *sw_session_live(struct sw_session *session, struct sw_live *out);
struct sw_error *sw_session_live_graph(struct sw_session *session, struct sw_live *out);
struct sw_error *sw_session_live_types(struct sw_session *session, struct sw_live *out);

/* The index of a core, NULL when none is to be used or nothing was asked for yet. */
const struct sw_index *sw_session_index(const struct sw_session *session);
/* Writes the index of a core unless there is one that is right, when the options ask for it and all
 * that goes into it is there; with `builds` what lacks is built first. */
struct sw_error *sw_session_write_index(struct sw_session *session, bool builds);

/* Adds "target" and all warnings so far to a report. */
void sw_session_describe(struct sw_session *session, struct sw_report *report);

#endif
