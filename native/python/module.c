#include "python/module.h"

#include "command/version.h"
#include "report/text.h"

#include <stdlib.h>
#include <string.h>

struct sw_python *sw_python_state(PyObject *module)
{
	return PyModule_GetState(module);
}

/* ---- errors ---- */

static const char *code_name(enum sw_code code)
{
	switch (code) {
	case SW_ERR_MEMORY:
		return "memory";
	case SW_ERR_LIMIT:
		return "limit";
	case SW_ERR_IO:
		return "io";
	case SW_ERR_NOT_FOUND:
		return "not_found";
	case SW_ERR_PERMISSION:
		return "permission";
	case SW_ERR_FORMAT:
		return "format";
	case SW_ERR_DAMAGED:
		return "damaged";
	case SW_ERR_UNSUPPORTED:
		return "unsupported";
	case SW_ERR_MISMATCH:
		return "mismatch";
	case SW_ERR_USAGE:
		return "usage";
	case SW_ERR_INTERRUPTED:
		return "interrupted";
	}
	return "unknown";
}

PyObject *sw_python_text(const char *text)
{
	if (!text)
		Py_RETURN_NONE;
	return sw_python_take_text(sw_text_clean(text, strlen(text)));
}

/* Takes the value. */
static bool set_attribute(PyObject *object, const char *name, PyObject *value)
{
	bool set = value && PyObject_SetAttrString(object, name, value) == 0;
	Py_XDECREF(value);
	return set;
}

static PyObject *exception_of(PyObject *type, const struct sw_error *error)
{
	PyObject *message = sw_python_text(error->message ? error->message : "unknown error");
	PyObject *exception = message ? PyObject_CallFunctionObjArgs(type, message, NULL) : NULL;
	Py_XDECREF(message);
	if (!exception)
		return NULL;
	if (set_attribute(exception, "code", PyUnicode_FromString(code_name(error->code))) &&
	    set_attribute(exception, "hint", sw_python_text(error->hint)) &&
	    set_attribute(exception, "status", PyLong_FromLong(sw_error_status(error))))
		return exception;
	Py_DECREF(exception);
	return NULL;
}

PyObject *sw_python_raise(PyObject *module, struct sw_error *error)
{
	if (!PyErr_Occurred()) {
		PyObject *type = sw_python_state(module)->error_type;
		PyObject *exception = exception_of(type, error);
		if (exception)
			PyErr_SetObject(type, exception);
		Py_XDECREF(exception);
	}
	sw_error_free(error);
	return NULL;
}

PyObject *sw_python_take_text(char *text)
{
	PyObject *result;

	if (!text)
		return PyErr_NoMemory();
	result = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
	free(text);
	return result;
}

bool sw_python_append(PyObject *list, PyObject *item)
{
	bool added = item && PyList_Append(list, item) == 0;
	Py_XDECREF(item);
	return added;
}

PyObject *sw_python_extend(PyObject *dict, const struct sw_python_item *items)
{
	for (const struct sw_python_item *item = items; item->key; item++) {
		if (dict && (!item->value || PyDict_SetItemString(dict, item->key, item->value)))
			Py_CLEAR(dict);
		Py_XDECREF(item->value);
	}
	return dict;
}

PyObject *sw_python_dict(const struct sw_python_item *items)
{
	return sw_python_extend(PyDict_New(), items);
}

PyObject *sw_python_number(uint64_t number)
{
	return PyLong_FromUnsignedLongLong(number);
}

PyObject *sw_python_number_or_none(uint64_t number)
{
	if (!number)
		Py_RETURN_NONE;
	return sw_python_number(number);
}

PyObject *sw_python_bool(bool is)
{
	return PyBool_FromLong(is);
}

PyObject *sw_python_no_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	(void)type, (void)args, (void)kwargs;
	PyErr_SetString(PyExc_TypeError, "made by spanwalk.open() and Session.run() only");
	return NULL;
}

/* ---- the table of commands ---- */

/* "root|type|package" as a list; None when the value is free. */
static PyObject *choices_of(const struct sw_option *option)
{
	PyObject *text, *list;

	if (!option->choices)
		Py_RETURN_NONE;
	text = PyUnicode_FromString(option->choices);
	list = text ? PyObject_CallMethod(text, "split", "s", "|") : NULL;
	Py_XDECREF(text);
	return list;
}

static bool append_options(PyObject *list, const struct sw_option *option)
{
	for (; option && option->name; option++) {
		const struct sw_python_item items[] = {
			{"name", sw_python_text(option->name)},
			{"value", sw_python_text(option->value)},
			{"choices", choices_of(option)},
			{"default", sw_python_text(option->fallback)},
			{"help", sw_python_text(option->help ? option->help : "")},
			{NULL, NULL},
		};
		if (!sw_python_append(list, sw_python_dict(items)))
			return false;
	}
	return true;
}

static PyObject *describe(const struct sw_command *command)
{
	PyObject *options = PyList_New(0);

	if (!options)
		return NULL;
	if (!append_options(options, sw_common_options) ||
	    !append_options(options, command->options)) {
		Py_DECREF(options);
		return NULL;
	}
	return Py_BuildValue("{s:s,s:s,s:s,s:N}", "name", command->name, "usage",
			     command->usage ? command->usage : "", "summary",
			     command->summary ? command->summary : "", "options", options);
}

static PyObject *module_commands(PyObject *module, PyObject *unused)
{
	PyObject *list = PyList_New(0);
	(void)module, (void)unused;

	if (!list)
		return NULL;
	for (const struct sw_command *const *command = sw_commands; *command; command++) {
		if (!sw_python_append(list, describe(*command))) {
			Py_DECREF(list);
			return NULL;
		}
	}
	return list;
}

static PyObject *module_help(PyObject *module, PyObject *args, PyObject *kwargs)
{
	static char *names[] = {"name", "program", NULL};
	const struct sw_command *command = NULL;
	const char *name = NULL, *program = "";

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|zs:help", names, &name, &program))
		return NULL;
	if (name) {
		command = sw_command_find(name);
		if (!command)
			return sw_python_raise(module, sw_command_unknown(name));
	}
	return sw_python_take_text(sw_command_help(command, program));
}

/* ---- the module ---- */

static PyMethodDef functions[] = {
	{"open", (PyCFunction)(void (*)(void))sw_python_open, METH_VARARGS | METH_KEYWORDS,
	 "open(core=None, *, pid=None, exe=None, sysroot=None, symbols=None, threads=None,\n"
	 "     max_memory=None, debugged=None, cancelled=None, progress=None)\n\n"
	 "Opens a core file or a process; gives a Session."},
	{"commands", module_commands, METH_NOARGS,
	 "commands()\n--\n\nThe commands: a list of dicts with name, usage, summary, options."},
	{"help", (PyCFunction)(void (*)(void))module_help, METH_VARARGS | METH_KEYWORDS,
	 "help(name=None, program='')\n--\n\nThe help of one command, or the list of all."},
	{0},
};

static PyObject *make_error_type(void)
{
	PyObject *defaults = Py_BuildValue("{s:s,s:O,s:i}", "code", "unknown", "hint", Py_None,
					   "status", SW_STATUS_TARGET);
	if (!defaults)
		return NULL;
	PyObject *type = PyErr_NewExceptionWithDoc(
		"spanwalk.Error", "What failed; .code, .hint and .status say more.",
		PyExc_Exception, defaults);
	Py_DECREF(defaults);
	return type;
}

/* Adds an object that the module's state owns. */
static bool add_object(PyObject *module, const char *name, PyObject *object)
{
	if (!object)
		return false;
	Py_INCREF(object);
	if (PyModule_AddObject(module, name, object) == 0)
		return true;
	Py_DECREF(object);
	return false;
}

static int module_exec(PyObject *module)
{
	struct sw_python *state = sw_python_state(module);

	state->error_type = make_error_type();
	state->session_type = PyType_FromSpec(&sw_python_session_spec);
	state->report_type = PyType_FromSpec(&sw_python_report_spec);
	if (!add_object(module, "Error", state->error_type) ||
	    !add_object(module, "Session", state->session_type) ||
	    !add_object(module, "Report", state->report_type) ||
	    PyModule_AddStringConstant(module, "__version__", SW_VERSION))
		return -1;
	return 0;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
	struct sw_python *state = sw_python_state(module);

	Py_VISIT(state->error_type);
	Py_VISIT(state->session_type);
	Py_VISIT(state->report_type);
	return 0;
}

static int module_clear(PyObject *module)
{
	struct sw_python *state = sw_python_state(module);

	Py_CLEAR(state->error_type);
	Py_CLEAR(state->session_type);
	Py_CLEAR(state->report_type);
	return 0;
}

static PyModuleDef_Slot module_slots[] = {
	{Py_mod_exec, module_exec},
	{0, NULL},
};

static struct PyModuleDef module_definition = {
	PyModuleDef_HEAD_INIT,
	.m_name = "spanwalk",
	.m_doc = "Shows what holds the memory of a Go process or core.",
	.m_size = sizeof(struct sw_python),
	.m_methods = functions,
	.m_slots = module_slots,
	.m_traverse = module_traverse,
	.m_clear = module_clear,
};

PyMODINIT_FUNC PyInit_spanwalk(void);
PyMODINIT_FUNC PyInit_spanwalk(void)
{
	return PyModuleDef_Init(&module_definition);
}
