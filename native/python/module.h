/* The Python door: the module `spanwalk`, built once for the stable ABI of Python 3.9 and later,
 * so that the same file loads in GDB, in LLDB and in any interpreter. What the module offers is
 * documented in spanwalk.pyi.
 *
 * No state but the module's own: every function and object leads to a struct sw_python. */
#ifndef SW_PYTHON_MODULE_H
#define SW_PYTHON_MODULE_H

#include <Python.h>

#include "command/command.h"

/* What belongs to one instance of the module. */
struct sw_python {
	PyObject *error_type;	/* spanwalk.Error */
	PyObject *session_type; /* spanwalk.Session */
	PyObject *report_type;	/* spanwalk.Report */
};

/* ---- module.c ---- */

struct sw_python *sw_python_state(PyObject *module);

/* Raises spanwalk.Error for an error of the engine, which it frees; where an exception is
 * already set (Ctrl-C, a failed callback), that one stays. Returns NULL. */
PyObject *sw_python_raise(PyObject *module, struct sw_error *error);

/* A str of text that may come from the target, without what would move a cursor; None for NULL. */
PyObject *sw_python_text(const char *text);

/* A str of text from the engine, which it frees; invalid UTF-8 becomes U+FFFD. */
PyObject *sw_python_take_text(char *text);

/* Appends an object, which it takes also when it fails; NULL fails too. */
bool sw_python_append(PyObject *list, PyObject *item);

/* The items of a dict, up to a NULL key. */
struct sw_python_item {
	const char *key;
	PyObject *value; /* taken; NULL where it could not be made */
};
/* A new dict of them, or the given one with them added (NULL fails); both take everything also when
 * they fail. */
PyObject *sw_python_dict(const struct sw_python_item *items);
PyObject *sw_python_extend(PyObject *dict, const struct sw_python_item *items);
PyObject *sw_python_number(uint64_t number);
PyObject *sw_python_bool(bool is);
/* None for 0. */
PyObject *sw_python_number_or_none(uint64_t number);

/* For the slot tp_new of a type that only the module makes objects of. */
PyObject *sw_python_no_new(PyTypeObject *type, PyObject *args, PyObject *kwargs);

/* ---- words.c: Python values as the words of a command line ---- */

/* The words of one call and the array the engine wants. Zeroed is empty. */
struct sw_python_words {
	PyObject *bytes;    /* list of bytes: owns the text */
	const char **items; /* valid until _free() */
	int count;
};

/* All return false with an exception set. */

/* str, bytes and paths as they are, int in hexadecimal (an address), everything else by str(). */
bool sw_python_words_add(struct sw_python_words *words, PyObject *value);
/* min_fraction=0.05 as "--min-fraction=0.05"; True as the flag alone, None and False as nothing.
 * `json`, which decides only how a host prints, is nothing too. */
bool sw_python_words_options(struct sw_python_words *words, PyObject *options);
/* Makes `items` and `count`. */
bool sw_python_words_finish(struct sw_python_words *words);
void sw_python_words_free(struct sw_python_words *words);

/* ---- session.c ---- */

/* spanwalk.Session. The engine runs without the interpreter's lock, so that other Python threads go
 * on; its callbacks, which come on the calling thread, take the lock back for as long as they last.
 * `busy` keeps a second call out of the engine meanwhile. */
struct sw_python_session {
	PyObject_HEAD PyObject *module;
	struct sw_session *session; /* NULL: closed */
	struct sw_work work;
	PyObject *cancelled, *progress; /* callables, or NULL */
	PyThreadState *caller;		/* of the call that is in the engine; NULL: none */
	bool busy;
};

extern PyType_Spec sw_python_session_spec;

/* Into the engine, without the interpreter's lock; false with an exception when another call is in
 * there. */
bool sw_python_enter(struct sw_python_session *self);
/* Takes the lock back; the session is still this call's alone, so that what the engine gave can be
 * made into objects. */
void sw_python_return(struct sw_python_session *self);
/* Ends the call; takes the lock back where that is still to be done. */
void sw_python_leave(struct sw_python_session *self);
/* False with an exception when the session is closed. */
bool sw_python_is_open(const struct sw_python_session *self);

/* spanwalk.open(). */
PyObject *sw_python_open(PyObject *module, PyObject *args, PyObject *kwargs);

/* ---- goroutine.c, object.c: methods of the session ---- */

PyObject *sw_python_goroutines(PyObject *session, PyObject *unused);
PyObject *sw_python_goroutine(PyObject *session, PyObject *goid);
PyObject *sw_python_object(PyObject *session, PyObject *address);
PyObject *sw_python_type_names(PyObject *session, PyObject *unused);

/* ---- threads.c ---- */

/* The argument `debugged` of spanwalk.open(): appends to *threads. False with an exception. */
bool sw_python_threads(PyObject *sequence, struct sw_threads *threads);

/* ---- report.c ---- */

extern PyType_Spec sw_python_report_spec;

/* spanwalk.Report; takes the report also when it fails. */
PyObject *sw_python_report(PyObject *module, struct sw_report *report, enum sw_status status);

#endif
