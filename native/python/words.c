#include "python/module.h"

static bool add_bytes(struct sw_python_words *words, PyObject *bytes)
{
	bool added = false;

	if (!bytes)
		return false;
	if (!words->bytes)
		words->bytes = PyList_New(0);
	if (words->bytes)
		added = PyList_Append(words->bytes, bytes) == 0;
	Py_DECREF(bytes);
	return added;
}

/* A new reference to the bytes of a word, as a file name would be encoded: any path on the
 * machine comes through unharmed. */
static PyObject *encode(PyObject *value)
{
	PyObject *text, *bytes;

	if (PyUnicode_Check(value) || PyBytes_Check(value)) {
		if (!PyUnicode_FSConverter(value, &bytes))
			return NULL;
		return bytes;
	}
	text = PyOS_FSPath(value);
	if (!text) {
		if (!PyErr_ExceptionMatches(PyExc_TypeError))
			return NULL;
		PyErr_Clear();
		text = PyObject_Str(value);
	}
	if (!text)
		return NULL;
	int converted = PyUnicode_FSConverter(text, &bytes);
	Py_DECREF(text);
	return converted ? bytes : NULL;
}

bool sw_python_words_add(struct sw_python_words *words, PyObject *value)
{
	if (!PyLong_Check(value) || PyBool_Check(value))
		return add_bytes(words, encode(value));

	PyObject *text = PyNumber_ToBase(value, 16);
	if (!text)
		return false;
	bool added = add_bytes(words, encode(text));
	Py_DECREF(text);
	return added;
}

/* "min_fraction" → b"--min-fraction". */
static PyObject *option_name(PyObject *key)
{
	PyObject *dashed = PyObject_CallMethod(key, "replace", "ss", "_", "-");
	if (!dashed)
		return NULL;
	PyObject *name = PyUnicode_FromFormat("--%U", dashed);
	Py_DECREF(dashed);
	return name;
}

static bool add_option(struct sw_python_words *words, PyObject *key, PyObject *value)
{
	PyObject *name, *text = NULL, *word = NULL;

	if (value == Py_None || value == Py_False)
		return true;
	name = option_name(key);
	if (!name)
		return false;
	if (value == Py_True) {
		word = name;
		Py_INCREF(word);
	} else {
		text = PyObject_Str(value);
		if (text)
			word = PyUnicode_FromFormat("%U=%U", name, text);
	}
	bool added = word && add_bytes(words, encode(word));
	Py_XDECREF(word);
	Py_XDECREF(text);
	Py_DECREF(name);
	return added;
}

bool sw_python_words_options(struct sw_python_words *words, PyObject *options)
{
	PyObject *key, *value;
	Py_ssize_t position = 0;

	while (options && PyDict_Next(options, &position, &key, &value)) {
		if (PyUnicode_CompareWithASCIIString(key, "json") == 0)
			continue;
		if (!add_option(words, key, value))
			return false;
	}
	return true;
}

bool sw_python_words_finish(struct sw_python_words *words)
{
	Py_ssize_t count = words->bytes ? PyList_Size(words->bytes) : 0;

	if (count > INT_MAX) {
		PyErr_SetString(PyExc_ValueError, "too many words");
		return false;
	}
	words->items = PyMem_Malloc((size_t)(count + 1) * sizeof(*words->items));
	if (!words->items) {
		PyErr_NoMemory();
		return false;
	}
	for (Py_ssize_t i = 0; i < count; i++) {
		char *text;
		/* A NULL length makes it refuse a zero byte inside. */
		if (PyBytes_AsStringAndSize(PyList_GetItem(words->bytes, i), &text, NULL))
			return false;
		words->items[i] = text;
	}
	words->items[count] = NULL;
	words->count = (int)count;
	return true;
}

void sw_python_words_free(struct sw_python_words *words)
{
	PyMem_Free((void *)words->items);
	Py_XDECREF(words->bytes);
	*words = (struct sw_python_words){0};
}
