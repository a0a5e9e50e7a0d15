/* session.object() and session.type_names(): objects of the heap and their types, one at a time. */
#include "python/module.h"

#include "command/naming.h"

/* What the type's name stands for: enum sw_type_role, in a word. */
static const char *role_name(uint8_t role)
{
	switch (role) {
	case SW_TYPE_PLAIN:
		return "value";
	case SW_TYPE_BACKING:
		return "array";
	case SW_TYPE_STRING_BYTES:
		return "string";
	case SW_TYPE_MAP_HEADER:
		return "map";
	case SW_TYPE_CHAN_HEADER:
		return "chan";
	case SW_TYPE_CLOSURE:
		return "func";
	}
	return "part";
}

static PyObject *name_or_none(const struct sw_live *live, sw_type type)
{
	return sw_python_text(type ? sw_naming_type_name(live, type) : NULL);
}

/* The type of the language behind that of an object: of what a slice has, the map, the channel. */
static sw_type language_type(const struct sw_live *live, sw_type type)
{
	const struct sw_type_info *info = sw_type_info(live->types, type);

	if (info->role == SW_TYPE_BACKING)
		return info->elem;
	if (info->role != SW_TYPE_MAP_HEADER && info->role != SW_TYPE_CHAN_HEADER)
		return type;
	sw_type value = sw_type_of_name(live->types, info->name);
	return sw_type_info(live->types, value)->target == type ? value : 0;
}

static PyObject *describe(const struct sw_live *live, sw_object object)
{
	sw_type type = sw_live_type(live, object), language = language_type(live, type);
	const struct sw_type_info *info = sw_type_info(live->types, type);

	const struct sw_python_item items[] = {
		{"address", sw_python_number(sw_heap_address(live->heap, object))},
		{"size_bytes", sw_python_number(sw_heap_size(live->heap, object))},
		{"type", name_or_none(live, type)},
		{"role", sw_python_text(type ? role_name(info->role) : NULL)},
		{"element", name_or_none(live, info->role == SW_TYPE_BACKING ? language : 0)},
		{"descriptor",
		 sw_python_number_or_none(sw_type_info(live->types, language)->descriptor)},
		{NULL, NULL},
	};

	return sw_python_dict(items);
}

PyObject *sw_python_object(PyObject *object, PyObject *argument)
{
	struct sw_python_session *self = (struct sw_python_session *)object;
	unsigned long long address = PyLong_AsUnsignedLongLong(argument);
	struct sw_live live;
	sw_object found = SW_NO_OBJECT;
	PyObject *result = NULL;

	if ((address == (unsigned long long)-1 && PyErr_Occurred()) || !sw_python_is_open(self) ||
	    !sw_python_enter(self))
		return NULL;
	struct sw_error *error = sw_session_live_types(self->session, &live);
	if (!error)
		error = sw_naming_find(&live, address, &found);
	sw_python_return(self);
	if (error)
		sw_python_raise(self->module, error);
	else if (!PyErr_Occurred())
		result = describe(&live, found);
	sw_python_leave(self);
	return result;
}

/* Which types there are objects of. NULL without memory. */
static bool *used_types(const struct sw_live *live)
{
	bool *used = calloc((size_t)sw_types_count(live->types) + 1, sizeof(*used));

	for (uint32_t i = 0; used && i < live->typing->object_count; i++)
		used[live->typing->types[i]] = true;
	return used;
}

static PyObject *list_names(const struct sw_live *live)
{
	bool *used = used_types(live);
	PyObject *set = used ? PySet_New(NULL) : PyErr_NoMemory();
	PyObject *list = NULL;

	for (uint32_t i = 1, count = sw_types_count(live->types); set && i < count; i++) {
		PyObject *name = used[i] ? name_or_none(live, i) : NULL;
		if (used[i] && (!name || PySet_Add(set, name)))
			Py_CLEAR(set);
		Py_XDECREF(name);
	}
	free(used);
	if (set)
		list = PySequence_List(set);
	Py_XDECREF(set);
	if (list && PyList_Sort(list))
		Py_CLEAR(list);
	return list;
}

PyObject *sw_python_type_names(PyObject *object, PyObject *unused)
{
	struct sw_python_session *self = (struct sw_python_session *)object;
	struct sw_live live;
	PyObject *result = NULL;
	(void)unused;

	if (!sw_python_is_open(self) || !sw_python_enter(self))
		return NULL;
	struct sw_error *error = sw_session_live_types(self->session, &live);
	sw_python_return(self);
	if (error)
		sw_python_raise(self->module, error);
	else if (!PyErr_Occurred())
		result = list_names(&live);
	sw_python_leave(self);
	return result;
}
