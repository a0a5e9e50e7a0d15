#include "python/module.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- in and out of the engine ---- */

static PyObject *refuse(const struct sw_python_session *self, const char *why, const char *hint)
{
	return sw_python_raise(self->module,
			       sw_error_hint(sw_error_format(SW_ERR_USAGE, "%s", why), "%s", hint));
}

bool sw_python_enter(struct sw_python_session *self)
{
	if (self->busy) {
		refuse(self, "the session is at work in another call", "open a second session");
		return false;
	}
	self->busy = true;
	self->caller = PyEval_SaveThread();
	return true;
}

void sw_python_return(struct sw_python_session *self)
{
	PyEval_RestoreThread(self->caller);
	self->caller = NULL;
}

void sw_python_leave(struct sw_python_session *self)
{
	if (self->caller)
		sw_python_return(self);
	self->busy = false;
}

bool sw_python_is_open(const struct sw_python_session *self)
{
	if (!self->session)
		refuse(self, "the session is closed", "open another");
	return self->session;
}

static bool is_true(PyObject *result)
{
	int truth = result ? PyObject_IsTrue(result) : -1;
	Py_XDECREF(result);
	return truth != 0; /* an exception stops the work as well */
}

/* sw_work.cancelled: Ctrl-C, an exception of a callback, or the host's own wish. */
static bool on_cancelled(void *context)
{
	struct sw_python_session *self = context;

	if (!self->caller)
		return false;
	PyEval_RestoreThread(self->caller);
	bool stop = PyErr_Occurred() || PyErr_CheckSignals();
	if (!stop && self->cancelled)
		stop = is_true(PyObject_CallObject(self->cancelled, NULL));
	self->caller = PyEval_SaveThread();
	return stop;
}

/* sw_work.progress; an exception stays set until on_cancelled() sees it. */
static void on_progress(void *context, const char *stage, uint64_t done, uint64_t total)
{
	struct sw_python_session *self = context;

	if (!self->caller)
		return;
	PyEval_RestoreThread(self->caller);
	if (!PyErr_Occurred() && self->progress)
		Py_XDECREF(PyObject_CallFunction(self->progress, "sKK", stage,
						 (unsigned long long)done,
						 (unsigned long long)total));
	self->caller = PyEval_SaveThread();
}

/* ---- spanwalk.open() ---- */

struct open_arguments {
	PyObject *core, *exe, *sysroot, *symbols; /* bytes, or NULL */
	PyObject *cancelled, *progress;		  /* borrowed, or NULL */
	uint64_t pid, threads, max_memory;
	struct sw_threads debugged;
	bool is_debugged;
};

static int path_or_none(PyObject *value, void *out)
{
	if (value == Py_None)
		return 1;
	return PyUnicode_FSConverter(value, out) ? 1 : 0;
}

/* An int of 0…max, None meaning 0. */
static bool number_or_none(const char *name, PyObject *value, uint64_t max, uint64_t *out)
{
	if (value == Py_None)
		return true;
	*out = PyLong_AsUnsignedLongLong(value);
	if (*out == UINT64_MAX && PyErr_Occurred())
		return false;
	if (*out <= max)
		return true;
	PyErr_Format(PyExc_ValueError, "%s is out of range", name);
	return false;
}

static bool callable_or_none(const char *name, PyObject *value, PyObject **out)
{
	*out = value == Py_None ? NULL : value;
	if (!*out || PyCallable_Check(value))
		return true;
	PyErr_Format(PyExc_TypeError, "%s is not callable", name);
	return false;
}

static bool parse_open(PyObject *args, PyObject *kwargs, struct open_arguments *out)
{
	static char *names[] = {"core",	     "pid",	 "exe",	       "sysroot",
				"symbols",   "threads",	 "max_memory", "debugged",
				"cancelled", "progress", NULL};
	PyObject *pid = Py_None, *threads = Py_None, *max_memory = Py_None, *debugged = Py_None;
	PyObject *cancelled = Py_None, *progress = Py_None;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O&$OO&O&O&OOOOO:open", names, path_or_none,
					 &out->core, &pid, path_or_none, &out->exe, path_or_none,
					 &out->sysroot, path_or_none, &out->symbols, &threads,
					 &max_memory, &debugged, &cancelled, &progress))
		return false;
	if (!number_or_none("pid", pid, INT_MAX, &out->pid) ||
	    !number_or_none("threads", threads, SW_MAX_WORKERS, &out->threads) ||
	    !number_or_none("max_memory", max_memory, UINT64_MAX, &out->max_memory) ||
	    !callable_or_none("cancelled", cancelled, &out->cancelled) ||
	    !callable_or_none("progress", progress, &out->progress))
		return false;
	if (!out->core == !out->pid) {
		PyErr_SetString(PyExc_TypeError, "open() takes a core or a pid");
		return false;
	}
	out->is_debugged = debugged != Py_None;
	if (out->is_debugged && !out->pid) {
		PyErr_SetString(PyExc_TypeError, "debugged goes with a pid");
		return false;
	}
	return !out->is_debugged || sw_python_threads(debugged, &out->debugged);
}

static void free_open_arguments(struct open_arguments *arguments)
{
	Py_XDECREF(arguments->core);
	Py_XDECREF(arguments->exe);
	Py_XDECREF(arguments->sysroot);
	Py_XDECREF(arguments->symbols);
	sw_threads_free(&arguments->debugged);
}

static struct sw_python_session *session_alloc(PyObject *module,
					       const struct open_arguments *arguments)
{
	PyTypeObject *type = (PyTypeObject *)sw_python_state(module)->session_type;
	allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
	struct sw_python_session *self = (struct sw_python_session *)allocate(type, 0);

	if (!self)
		return NULL;
	Py_INCREF(module);
	Py_XINCREF(arguments->cancelled);
	Py_XINCREF(arguments->progress);
	self->module = module;
	self->cancelled = arguments->cancelled;
	self->progress = arguments->progress;
	sw_work_init(&self->work, (unsigned)arguments->threads);
	self->work.max_memory = arguments->max_memory;
	self->work.context = self;
	self->work.cancelled = on_cancelled;
	if (self->progress)
		self->work.progress = on_progress;
	return self;
}

static const char *path_text(PyObject *bytes)
{
	return bytes ? PyBytes_AsString(bytes) : NULL;
}

static bool session_open(struct sw_python_session *self, const struct open_arguments *arguments)
{
	struct sw_session_options options = {
		.core = path_text(arguments->core),
		.pid = (int)arguments->pid,
		.exe = path_text(arguments->exe),
		.sysroot = path_text(arguments->sysroot),
		.symbols = path_text(arguments->symbols),
		.debugged = arguments->is_debugged ? &arguments->debugged : NULL,
	};
	struct sw_error *error;

	if (!sw_python_enter(self))
		return false;
	error = sw_session_open(&options, &self->work, &self->session);
	sw_python_leave(self);
	if (error)
		sw_python_raise(self->module, error);
	return !PyErr_Occurred();
}

PyObject *sw_python_open(PyObject *module, PyObject *args, PyObject *kwargs)
{
	struct open_arguments arguments = {0};
	struct sw_python_session *self = NULL;

	if (parse_open(args, kwargs, &arguments))
		self = session_alloc(module, &arguments);
	if (self && !session_open(self, &arguments))
		Py_CLEAR(self);
	free_open_arguments(&arguments);
	return (PyObject *)self;
}

/* ---- running a command ---- */

/* One call: the parsed words, and the text of addresses that the host evaluated. */
struct call {
	struct sw_python_words words;
	struct sw_arguments arguments;
	bool is_parsed;
	char addresses[4][24]; /* "0x…" for sw_arguments.positional[i] */
};

static void free_call(struct call *call)
{
	if (call->is_parsed)
		sw_arguments_free(&call->arguments);
	sw_python_words_free(&call->words);
}

/* Finds the command, the first word, and parses the others. */
static struct sw_error *parse_call(struct call *call)
{
	const char *name = call->words.count ? call->words.items[0] : "";
	const struct sw_command *command = sw_command_find(name);
	struct sw_error *error;

	if (!command)
		return sw_command_unknown(name);
	error = sw_arguments_parse(command, call->words.count - 1, call->words.items + 1,
				   &call->arguments);
	call->is_parsed = !error;
	return error;
}

/* --threads and --max-memory hold for one call. */
static struct sw_error *run_in_engine(struct sw_python_session *self, const struct call *call,
				      struct sw_report **report)
{
	unsigned workers = self->work.workers;
	uint64_t max_memory = self->work.max_memory;

	sw_arguments_apply(&call->arguments, &self->work);
	struct sw_error *error = sw_command_run(self->session, &call->arguments, report);
	self->work.workers = workers;
	self->work.max_memory = max_memory;
	return error;
}

static struct sw_report *run_call(struct sw_python_session *self, const struct call *call)
{
	struct sw_report *report = NULL;
	struct sw_error *error;

	if (!sw_python_is_open(self) || !sw_python_enter(self))
		return NULL;
	error = run_in_engine(self, call, &report);
	sw_python_leave(self);
	if (!error && !PyErr_Occurred())
		return report;
	if (error)
		sw_python_raise(self->module, error);
	sw_report_free(report);
	return NULL;
}

static PyObject *session_run(PyObject *object, PyObject *args, PyObject *kwargs)
{
	struct sw_python_session *self = (struct sw_python_session *)object;
	struct call call = {0};
	struct sw_report *report = NULL;
	PyObject *result = NULL;
	bool built = true;

	if (PyTuple_Size(args) < 1) {
		PyErr_SetString(PyExc_TypeError, "run() takes the name of a command");
		return NULL;
	}
	for (Py_ssize_t i = 0; built && i < PyTuple_Size(args); i++)
		built = sw_python_words_add(&call.words, PyTuple_GetItem(args, i));
	if (built && sw_python_words_options(&call.words, kwargs) &&
	    sw_python_words_finish(&call.words)) {
		struct sw_error *error = parse_call(&call);
		if (error)
			sw_python_raise(self->module, error);
		else
			report = run_call(self, &call);
	}
	if (report)
		result = sw_python_report(self->module, report,
					  sw_command_status(report, &call.arguments));
	free_call(&call);
	return result;
}

/* True when positional `index` is an ADDR in the usage of its command; of "ADDR|SYMBOL" it is none
 * when it begins as a name does. */
static bool is_address(const struct sw_command *command, unsigned index, const char *given)
{
	const char *word = command->usage ? command->usage : "";
	size_t length = strlen("ADDR");

	for (unsigned i = 0; i < index; i++) {
		word += strcspn(word, " ");
		word += strspn(word, " ");
	}
	if (strcspn(word, " |") != length || strncmp(word, "ADDR", length) != 0)
		return false;
	return word[length] != '|' || (!isalpha((unsigned char)*given) && *given != '_');
}

/* Has the host evaluate what stands for an ADDR and is no number. */
static bool evaluate_addresses(struct call *call, PyObject *evaluate)
{
	struct sw_arguments *arguments = &call->arguments;

	for (unsigned i = 0; i < arguments->positional_count && i < 4; i++) {
		sw_addr address;
		if (!is_address(arguments->command, i, arguments->positional[i]))
			continue;
		struct sw_error *error = sw_arguments_address(arguments, i, &address);
		if (!error)
			continue;
		sw_error_free(error);
		PyObject *value = PyObject_CallFunction(evaluate, "s", arguments->positional[i]);
		if (!value)
			return false;
		unsigned long long number = PyLong_AsUnsignedLongLongMask(value);
		Py_DECREF(value);
		if (PyErr_Occurred())
			return false;
		snprintf(call->addresses[i], sizeof(call->addresses[i]), "0x%llx", number);
		arguments->positional[i] = call->addresses[i];
	}
	return true;
}

/* What there is to print, which is nothing once it went to a file. */
static PyObject *render(struct sw_python_session *self, const struct call *call,
			struct sw_report *report, unsigned width)
{
	const char *path = sw_arguments_text(&call->arguments, "output");
	enum sw_status status = sw_command_status(report, &call->arguments);
	char *text = NULL;
	struct sw_error *error = sw_command_render(report, &call->arguments, width, &text);

	if (!error && path)
		error = sw_command_write(path, text);
	if (error) {
		free(text);
		return sw_python_raise(self->module, error);
	}
	if (path)
		*text = 0;
	PyObject *printed = sw_python_take_text(text);
	return printed ? Py_BuildValue("(Ni)", printed, (int)status) : NULL;
}

/* The whole of a command line but for opening and printing. */
static PyObject *run_line(struct sw_python_session *self, struct call *call, unsigned width,
			  PyObject *evaluate)
{
	struct sw_error *error = parse_call(call);
	if (error)
		return sw_python_raise(self->module, error);
	if (sw_arguments_flag(&call->arguments, "help")) {
		char *help = sw_command_help(call->arguments.command, "");
		PyObject *printed = sw_python_take_text(help);
		return printed ? Py_BuildValue("(Ni)", printed, SW_STATUS_OK) : NULL;
	}
	if (evaluate != Py_None && !evaluate_addresses(call, evaluate))
		return NULL;

	struct sw_report *report = run_call(self, call);
	if (!report)
		return NULL;
	PyObject *result = render(self, call, report, width);
	sw_report_free(report);
	return result;
}

static PyObject *session_run_words(PyObject *object, PyObject *args, PyObject *kwargs)
{
	static char *names[] = {"words", "width", "evaluate", NULL};
	struct sw_python_session *self = (struct sw_python_session *)object;
	struct call call = {0};
	PyObject *words, *evaluate = Py_None, *result = NULL;
	unsigned width = 0;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|IO:run_words", names, &words, &width,
					 &evaluate))
		return NULL;
	Py_ssize_t count = PySequence_Size(words);
	bool built = count >= 0;
	for (Py_ssize_t i = 0; built && i < count; i++) {
		PyObject *word = PySequence_GetItem(words, i);
		built = word && sw_python_words_add(&call.words, word);
		Py_XDECREF(word);
	}
	if (built && sw_python_words_finish(&call.words))
		result = run_line(self, &call, width, evaluate);
	free_call(&call);
	return result;
}

/* ---- the object ---- */

static void close_session(struct sw_python_session *self)
{
	struct sw_session *session = self->session;
	self->session = NULL;
	if (session)
		sw_session_close(session);
}

static PyObject *session_close(PyObject *object, PyObject *unused)
{
	struct sw_python_session *self = (struct sw_python_session *)object;
	(void)unused;

	if (!sw_python_enter(self))
		return NULL;
	close_session(self);
	sw_python_leave(self);
	Py_RETURN_NONE;
}

static PyObject *session_enter(PyObject *self, PyObject *unused)
{
	(void)unused;
	Py_INCREF(self);
	return self;
}

static PyObject *session_exit(PyObject *self, PyObject *args)
{
	(void)args;
	return session_close(self, NULL);
}

static PyObject *session_closed(PyObject *self, void *unused)
{
	(void)unused;
	return PyBool_FromLong(!((struct sw_python_session *)self)->session);
}

static int session_traverse(PyObject *object, visitproc visit, void *arg)
{
	struct sw_python_session *self = (struct sw_python_session *)object;

	Py_VISIT(Py_TYPE(object));
	Py_VISIT(self->module);
	Py_VISIT(self->cancelled);
	Py_VISIT(self->progress);
	return 0;
}

static int session_clear(PyObject *object)
{
	struct sw_python_session *self = (struct sw_python_session *)object;

	Py_CLEAR(self->cancelled);
	Py_CLEAR(self->progress);
	return 0;
}

static void session_dealloc(PyObject *object)
{
	struct sw_python_session *self = (struct sw_python_session *)object;
	PyTypeObject *type = Py_TYPE(object);
	freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);

	PyObject_GC_UnTrack(object);
	close_session(self);
	session_clear(object);
	Py_XDECREF(self->module);
	release(object);
	Py_DECREF(type);
}

static PyMethodDef methods[] = {
	{"run", (PyCFunction)(void (*)(void))session_run, METH_VARARGS | METH_KEYWORDS,
	 "run($self, command, /, *words, **options)\n--\n\nRuns a command; gives a Report."},
	{"run_words", (PyCFunction)(void (*)(void))session_run_words, METH_VARARGS | METH_KEYWORDS,
	 "run_words($self, words, width=0, evaluate=None)\n--\n\n"
	 "Runs a command line; gives (text, status)."},
	{"goroutines", sw_python_goroutines, METH_NOARGS,
	 "goroutines($self, /)\n--\n\nAll goroutines, as a list of dicts."},
	{"goroutine", sw_python_goroutine, METH_O,
	 "goroutine($self, goid, /)\n--\n\nOne goroutine with its frames, as a dict."},
	{"object", sw_python_object, METH_O,
	 "object($self, address, /)\n--\n\nThe object of the heap that holds an address, as a dict."},
	{"type_names", sw_python_type_names, METH_NOARGS,
	 "type_names($self, /)\n--\n\nThe types that objects of the heap have, in order."},
	{"close", session_close, METH_NOARGS, "close($self, /)\n--\n\nLets the target go."},
	{"__enter__", session_enter, METH_NOARGS, NULL},
	{"__exit__", session_exit, METH_VARARGS, NULL},
	{0},
};

static PyGetSetDef properties[] = {
	{"closed", session_closed, NULL, "True after close().", NULL},
	{0},
};

static PyType_Slot slots[] = {
	{Py_tp_doc, "One open target; use it in a with statement."},
	{Py_tp_new, sw_python_no_new},
	{Py_tp_dealloc, session_dealloc},
	{Py_tp_traverse, session_traverse},
	{Py_tp_clear, session_clear},
	{Py_tp_methods, methods},
	{Py_tp_getset, properties},
	{0, NULL},
};

PyType_Spec sw_python_session_spec = {
	.name = "spanwalk.Session",
	.basicsize = sizeof(struct sw_python_session),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
	.slots = slots,
};
