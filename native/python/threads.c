/* Threads as a debugger hands them over: (tid, registers), the registers in the kernel's order
 * (target/target.h) or None where the debugger could not read them. */
#include "python/module.h"

enum { AMD64_REGISTERS = 27, ARM64_REGISTERS = 34 };

static bool read_register(PyObject *value, uint64_t *out)
{
	/* Debuggers give some registers as negative numbers: the bits are what counts. */
	*out = PyLong_AsUnsignedLongLongMask(value);
	return !(*out == UINT64_MAX && PyErr_Occurred());
}

static bool read_registers(PyObject *sequence, struct sw_thread *thread)
{
	Py_ssize_t count = PySequence_Size(sequence);

	if (count < 0)
		return false;
	if (count != AMD64_REGISTERS && count != ARM64_REGISTERS) {
		PyErr_Format(PyExc_ValueError,
			     "thread %d has %zd registers, expected %d (amd64) or %d (arm64)",
			     thread->tid, count, AMD64_REGISTERS, ARM64_REGISTERS);
		return false;
	}
	for (Py_ssize_t i = 0; i < count; i++) {
		PyObject *value = PySequence_GetItem(sequence, i);
		bool read = value && read_register(value, &thread->registers[i]);
		Py_XDECREF(value);
		if (!read)
			return false;
	}
	thread->register_count = (unsigned)count;
	if (count == AMD64_REGISTERS) {
		thread->pc = thread->registers[16];
		thread->sp = thread->registers[19];
		thread->fs_base = thread->registers[21];
	} else {
		thread->sp = thread->registers[31];
		thread->pc = thread->registers[32];
	}
	return true;
}

static bool read_thread(PyObject *item, struct sw_thread *thread)
{
	PyObject *registers;

	if (!PyTuple_Check(item)) {
		PyErr_SetString(PyExc_TypeError, "a thread is a tuple (tid, registers)");
		return false;
	}
	if (!PyArg_ParseTuple(item, "iO;a thread is a tuple (tid, registers)", &thread->tid,
			      &registers))
		return false;
	if (registers == Py_None) {
		thread->is_stale = true;
		return true;
	}
	return read_registers(registers, thread);
}

bool sw_python_threads(PyObject *sequence, struct sw_threads *threads)
{
	Py_ssize_t count = PySequence_Size(sequence);

	for (Py_ssize_t i = 0; i < count; i++) {
		struct sw_thread thread = {0};
		PyObject *item = PySequence_GetItem(sequence, i);
		bool read = item && read_thread(item, &thread);
		Py_XDECREF(item);
		if (!read)
			return false;
		if (sw_threads_add(threads, thread)) {
			PyErr_NoMemory();
			return false;
		}
	}
	return count >= 0;
}
