/* session.goroutines() and session.goroutine(): what a debugger needs to show a goroutine as one of
 * its own threads. */
#include "python/module.h"

#include "go/traceback.h"
#include "go/wait_reason.h"

#include <inttypes.h>

/* ---- places and numbers ---- */

/* {"function", "file", "line"}. */
static PyObject *place(const struct sw_go_call *call)
{
	const struct sw_python_item items[] = {
		{"function", sw_python_text(call->function)},
		{"file", sw_python_text(*call->file ? call->file : NULL)},
		{"line", PyLong_FromLong(call->line)},
		{NULL, NULL},
	};

	return sw_python_dict(items);
}

static PyObject *place_at(const struct sw_go *go, sw_addr pc, bool is_return_address)
{
	struct sw_go_call call;

	if (!pc || !sw_go_call_at(go, pc, is_return_address, &call))
		Py_RETURN_NONE;
	return place(&call);
}

static PyObject *tid_or_none(const struct sw_thread *thread)
{
	if (!thread)
		Py_RETURN_NONE;
	return PyLong_FromLong(thread->tid);
}

/* ---- one goroutine ---- */

/* Where the innermost frame is, as far as that can be told without walking. */
struct registers {
	sw_addr pc, sp, fp, lr;
};

static struct registers registers_of(const struct sw_goroutine *g)
{
	if (g->status == SW_GO_RUNNING && g->thread)
		return (struct registers){.pc = g->thread->pc, .sp = g->thread->sp};
	if (g->syscall_sp)
		return (struct registers){.pc = g->syscall_pc, .sp = g->syscall_sp};
	return (struct registers){g->sched_pc, g->sched_sp, g->sched_bp, g->sched_lr};
}

static PyObject *describe(const struct sw_go *go, const struct sw_goroutine *g)
{
	struct registers registers = registers_of(g);
	/* Nobody made the first one. */
	sw_addr origin = g->goid == 1 ? 0 : g->gopc;

	const struct sw_python_item items[] = {
		{"goid", sw_python_number(g->goid)},
		{"address", sw_python_number(g->address)},
		{"status", sw_python_text(sw_go_status_word(g->status))},
		{"wait_reason", sw_python_text(sw_go_wait_text(go, g))},
		{"system", sw_python_bool(sw_go_is_system(go, g))},
		{"thread", tid_or_none(g->thread)},
		{"pc", sw_python_number(registers.pc)},
		{"sp", sw_python_number(registers.sp)},
		{"fp", sw_python_number_or_none(registers.fp)},
		{"lr", sw_python_number_or_none(registers.lr)},
		{"stack_low", sw_python_number(g->stack_lo)},
		{"stack_high", sw_python_number(g->stack_hi)},
		{"parent", sw_python_number_or_none(g->parent_goid)},
		{"created_by", place_at(go, origin, true)},
		{"start", place_at(go, g->startpc, false)},
		{NULL, NULL},
	};

	return sw_python_dict(items);
}

/* ---- its frames ---- */

static PyObject *describe_calls(const struct sw_go_call *calls, size_t count)
{
	PyObject *list = PyList_New(0);

	for (size_t i = 0; list && i < count; i++)
		if (!sw_python_append(list, place(&calls[i])))
			Py_CLEAR(list);
	return list;
}

static PyObject *describe_frame(const struct sw_go *go, const struct sw_go_frame *frame)
{
	struct sw_go_call calls[SW_GO_MAX_INLINED];
	size_t count = sw_go_calls(go, frame, calls, SW_GO_MAX_INLINED);
	const struct sw_python_item items[] = {
		{"inlined", describe_calls(calls, count - 1)}, {"pc", sw_python_number(frame->pc)},
		{"sp", sw_python_number(frame->sp)},	       {"cfa", sw_python_number(frame->fp)},
		{"is_call", sw_python_bool(frame->is_call)},   {NULL, NULL},
	};

	return sw_python_extend(place(&calls[count - 1]), items);
}

static PyObject *describe_frames(const struct sw_go *go, const struct sw_go_frames *frames)
{
	PyObject *list = PyList_New(0);

	for (size_t i = 0; list && i < frames->count; i++)
		if (!sw_python_append(list, describe_frame(go, &frames->items[i])))
			Py_CLEAR(list);
	return list;
}

static PyObject *describe_warnings(const struct sw_warnings *warnings)
{
	PyObject *list = PyList_New(0);

	for (size_t i = 0; list && i < warnings->count; i++)
		if (!sw_python_append(list, sw_python_text(warnings->items[i].message)))
			Py_CLEAR(list);
	return list;
}

/* What the walk of one stack gave. */
struct walk {
	const struct sw_go *go;
	const struct sw_goroutine *goroutine;
	struct sw_go_stack stack;
	struct sw_warnings warnings;
};

static PyObject *describe_walk(const struct walk *walk)
{
	const struct sw_python_item items[] = {
		{"frames", describe_frames(walk->go, &walk->stack.frames)},
		{"complete", sw_python_bool(!walk->stack.is_partial)},
		{"warnings", describe_warnings(&walk->warnings)},
		{NULL, NULL},
	};

	return sw_python_extend(describe(walk->go, walk->goroutine), items);
}

static struct sw_error *walk_goroutine(struct sw_session *session, uint64_t goid, struct walk *out)
{
	struct sw_go *go;
	struct sw_error *error = sw_session_go(session, &go);

	if (error)
		return error;
	out->go = go;
	for (size_t i = 0; !out->goroutine && i < go->goroutines.count; i++)
		if (go->goroutines.items[i].goid == goid)
			out->goroutine = &go->goroutines.items[i];
	if (!out->goroutine)
		return sw_error_hint(
			sw_error_format(SW_ERR_NOT_FOUND,
					"there is no goroutine %" PRIu64
					": it has ended, or there never was one of this number",
					goid),
			"goroutines lists those that are there");
	/* A look at one goroutine is no part of a report: its warnings are the caller's. */
	struct sw_go quiet = *go;
	quiet.warnings = &out->warnings;
	return sw_go_unwind(&quiet, out->goroutine, false, NULL, NULL, &out->stack);
}

/* ---- the methods ---- */

PyObject *sw_python_goroutine(PyObject *object, PyObject *argument)
{
	struct sw_python_session *self = (struct sw_python_session *)object;
	unsigned long long goid = PyLong_AsUnsignedLongLong(argument);
	struct walk walk = {0};
	PyObject *result = NULL;

	if ((goid == (unsigned long long)-1 && PyErr_Occurred()) || !sw_python_is_open(self) ||
	    !sw_python_enter(self))
		return NULL;
	struct sw_error *error = walk_goroutine(self->session, goid, &walk);
	sw_python_return(self);
	if (error)
		sw_python_raise(self->module, error);
	else if (!PyErr_Occurred())
		result = describe_walk(&walk);
	sw_go_stack_free(&walk.stack);
	sw_warnings_clear(&walk.warnings);
	sw_python_leave(self);
	return result;
}

static PyObject *describe_all(const struct sw_go *go)
{
	PyObject *list = PyList_New(0);

	for (size_t i = 0; list && i < go->goroutines.count; i++)
		if (!sw_python_append(list, describe(go, &go->goroutines.items[i])))
			Py_CLEAR(list);
	return list;
}

PyObject *sw_python_goroutines(PyObject *object, PyObject *unused)
{
	struct sw_python_session *self = (struct sw_python_session *)object;
	struct sw_go *go = NULL;
	PyObject *result = NULL;
	(void)unused;

	if (!sw_python_is_open(self) || !sw_python_enter(self))
		return NULL;
	struct sw_error *error = sw_session_go(self->session, &go);
	sw_python_return(self);
	if (error)
		sw_python_raise(self->module, error);
	else if (!PyErr_Occurred())
		result = describe_all(go);
	sw_python_leave(self);
	return result;
}
