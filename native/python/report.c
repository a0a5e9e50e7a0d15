#include "python/module.h"

#include <stdlib.h>

struct report {
	PyObject_HEAD PyObject *module;
	struct sw_report *report;
	enum sw_status status;
};

PyObject *sw_python_report(PyObject *module, struct sw_report *report, enum sw_status status)
{
	PyTypeObject *type = (PyTypeObject *)sw_python_state(module)->report_type;
	allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
	struct report *self = (struct report *)allocate(type, 0);

	if (!self) {
		sw_report_free(report);
		return NULL;
	}
	Py_INCREF(module);
	self->module = module;
	self->report = report;
	self->status = status;
	return (PyObject *)self;
}

static void report_dealloc(PyObject *object)
{
	struct report *self = (struct report *)object;
	PyTypeObject *type = Py_TYPE(object);
	freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);

	sw_report_free(self->report);
	Py_XDECREF(self->module);
	release(object);
	Py_DECREF(type);
}

static PyObject *text_of(struct report *self, unsigned width)
{
	char *text = NULL;
	struct sw_error *error = sw_report_text(self->report, width, &text);
	if (error)
		return sw_python_raise(self->module, error);
	return sw_python_take_text(text);
}

static PyObject *report_text(PyObject *self, PyObject *args, PyObject *kwargs)
{
	static char *names[] = {"width", NULL};
	unsigned width = 0;

	if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|I:text", names, &width))
		return NULL;
	return text_of((struct report *)self, width);
}

static PyObject *report_str(PyObject *self)
{
	return text_of((struct report *)self, 0);
}

static PyObject *report_json(PyObject *object, PyObject *unused)
{
	struct report *self = (struct report *)object;
	char *text = NULL;
	(void)unused;

	struct sw_error *error = sw_report_json(self->report, &text);
	if (error)
		return sw_python_raise(self->module, error);
	return sw_python_take_text(text);
}

static PyObject *report_to_dict(PyObject *self, PyObject *unused)
{
	PyObject *text = report_json(self, unused);
	if (!text)
		return NULL;

	PyObject *json = PyImport_ImportModule("json");
	PyObject *dict = json ? PyObject_CallMethod(json, "loads", "O", text) : NULL;
	Py_XDECREF(json);
	Py_DECREF(text);
	return dict;
}

static PyObject *report_status(PyObject *self, void *unused)
{
	(void)unused;
	return PyLong_FromLong(((struct report *)self)->status);
}

static PyObject *report_complete(PyObject *self, void *unused)
{
	(void)unused;
	return PyBool_FromLong(((struct report *)self)->report->complete);
}

static PyMethodDef methods[] = {
	{"text", (PyCFunction)(void (*)(void))report_text, METH_VARARGS | METH_KEYWORDS,
	 "text($self, /, width=0)\n--\n\n"
	 "The text view; width is the columns of a terminal, 0 cuts nothing."},
	{"json", report_json, METH_NOARGS,
	 "json($self, /)\n--\n\nThe report as one JSON document."},
	{"to_dict", report_to_dict, METH_NOARGS,
	 "to_dict($self, /)\n--\n\nThe JSON document as a dict."},
	{0},
};

static PyGetSetDef properties[] = {
	{"status", report_status, NULL, "0 ran, 1 findings at or above fail_on, 4 in part.", NULL},
	{"complete", report_complete, NULL, "False when the warnings say what is missing.", NULL},
	{0},
};

static PyType_Slot slots[] = {
	{Py_tp_doc, "What a command found."},
	{Py_tp_new, sw_python_no_new},
	{Py_tp_dealloc, report_dealloc},
	{Py_tp_str, report_str},
	{Py_tp_methods, methods},
	{Py_tp_getset, properties},
	{0, NULL},
};

PyType_Spec sw_python_report_spec = {
	.name = "spanwalk.Report",
	.basicsize = sizeof(struct report),
	.flags = Py_TPFLAGS_DEFAULT,
	.slots = slots,
};
