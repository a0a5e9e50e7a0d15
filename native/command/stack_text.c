/* A stack as text: as Go prints a traceback, with values. */
#include "command/stack_rows.h"

#include "report/text.h"

#include <stdio.h>

enum { LINE = 100 }; /* columns of a call with its arguments */

static const char *text_at(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));
	return text ? text : "";
}

static json_int_t number_at(const json_t *row, const char *key)
{
	return json_integer_value(json_object_get(row, key));
}

/* ---- variables ---- */

/* "req *http.Request = 0xc000…"; what was optimized away is told by its names only. */
static void put_variable(FILE *out, const json_t *variable)
{
	bool is_escaped = json_is_true(json_object_get(variable, "escaped"));
	bool is_dead = json_is_true(json_object_get(variable, "dead"));
	const char *note = is_escaped ? " (on the heap)" : is_dead ? "?" : "";

	fprintf(out, "        %s %s = %s%s\n", text_at(variable, "name"), text_at(variable, "type"),
		text_at(variable, "value"), note);
}

static void put_locals(FILE *out, const json_t *variables)
{
	const json_t *variable;
	size_t index, missing = 0;

	json_array_foreach(variables, index, variable)
	{
		if (json_is_string(json_object_get(variable, "value")))
			put_variable(out, variable);
		else
			missing++;
	}
	if (!missing)
		return;
	fputs("        optimized away:", out);
	json_array_foreach(variables, index, variable)
	{
		if (!json_is_string(json_object_get(variable, "value")))
			fprintf(out, " %s", text_at(variable, "name"));
	}
	fputc('\n', out);
}

/* "id=7, name=\"x\""; malloc'ed. */
static char *argument_list(const json_t *arguments)
{
	const json_t *argument;
	size_t index, size;
	char *text = NULL;
	FILE *out = open_memstream(&text, &size);
	const char *separator = "";

	if (!out)
		return NULL;
	json_array_foreach(arguments, index, argument)
	{
		const char *value = json_string_value(json_object_get(argument, "value"));
		if (json_is_true(json_object_get(argument, "result")))
			continue;
		bool is_dead = json_is_true(json_object_get(argument, "dead"));
		fprintf(out, "%s%s=%s%s", separator, text_at(argument, "name"), value ? value : "?",
			is_dead ? "?" : "");
		separator = ", ";
	}
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

/* The arguments in the line of the call where that is short, else below it. */
static void put_call(FILE *out, const json_t *frame)
{
	const json_t *arguments = json_object_get(frame, "arguments"), *argument;
	const char *function = text_at(frame, "function");
	char *list = json_array_size(arguments) ? argument_list(arguments) : NULL;
	bool is_long = list && strlen(function) + strlen(list) + 2 > LINE;
	size_t index;

	if (list && !is_long)
		fprintf(out, "%s(%s)\n", function, list);
	else
		fprintf(out, "%s(%s)\n", function, list || !arguments ? "..." : "");
	free(list);
	fprintf(out, "    %s:%lld", text_at(frame, "file"), (long long)number_at(frame, "line"));
	if (!json_is_true(json_object_get(frame, "inlined")))
		fprintf(out, " +0x%llx", (long long)number_at(frame, "offset"));
	else
		fputs(" (inlined)", out);
	fprintf(out, " sp=%s\n", text_at(frame, "sp"));
	json_array_foreach(arguments, index, argument)
	{
		if (is_long && json_is_string(json_object_get(argument, "value")))
			put_variable(out, argument);
	}
}

/* ---- what else a frame has ---- */

static void put_pointers(FILE *out, const json_t *pointers)
{
	const json_t *pointer;
	size_t index;
	char size[16];

	json_array_foreach(pointers, index, pointer)
	{
		fprintf(out, "        pointer %s to %s (%s)%s\n", text_at(pointer, "address"),
			text_at(pointer, "type"),
			sw_text_bytes((uint64_t)number_at(pointer, "size_bytes"), size),
			json_is_true(json_object_get(pointer, "conservative"))
				? ", or a number that looks like one"
				: "");
	}
}

static void put_defers(FILE *out, const json_t *row, const char *key)
{
	const json_t *defer;
	size_t index;
	json_int_t omitted = number_at(row, "omitted_defers");

	json_array_foreach(json_object_get(row, key), index, defer)
	{
		fprintf(out, "        deferred: %s (%s:%lld)\n", text_at(defer, "function"),
			text_at(defer, "file"), (long long)number_at(defer, "line"));
	}
	if (omitted)
		fprintf(out, "        deferred: %lld more\n", (long long)omitted);
}

static void put_c_frame(FILE *out, const json_t *frame)
{
	const char *function = text_at(frame, "function"), *file = text_at(frame, "file");
	const char *library = text_at(frame, "library"), *slash = strrchr(library, '/');

	fprintf(out, "%s [C]\n", *function ? function : "?");
	if (*file)
		fprintf(out, "    %s:%lld", file, (long long)number_at(frame, "line"));
	else
		fprintf(out, "    %s %s", *library ? slash ? slash + 1 : library : "?",
			text_at(frame, "pc"));
	if (*function)
		fprintf(out, " +0x%llx", (long long)number_at(frame, "offset"));
	fprintf(out, " sp=%s\n", text_at(frame, "sp"));
}

static void put_frame(FILE *out, const json_t *frame)
{
	if (!strcmp(text_at(frame, "language"), "c")) {
		put_c_frame(out, frame);
		return;
	}
	put_call(out, frame);
	put_locals(out, json_object_get(frame, "locals"));
	put_pointers(out, json_object_get(frame, "heap_pointers"));
	put_defers(out, frame, "defers");
}

/* ---- the goroutine ---- */

static void put_header(FILE *out, const json_t *stack)
{
	const char *reason = text_at(stack, "wait_reason");
	const json_t *thread = json_object_get(stack, "thread");
	const json_t *locked = json_object_get(stack, "locked_thread");
	const json_t *seconds = json_object_get(stack, "wait_seconds");

	fprintf(out, "goroutine %lld [%s", (long long)number_at(stack, "goid"),
		*reason ? reason : text_at(stack, "state"));
	if (json_is_number(seconds)) {
		char *text = sw_text_value("wait_seconds", seconds);
		fprintf(out, ", %s", text ? text : "?");
		free(text);
	}
	if (json_is_integer(locked))
		fprintf(out, ", locked to thread %lld", (long long)json_integer_value(locked));
	else if (json_is_integer(thread))
		fprintf(out, ", on thread %lld", (long long)json_integer_value(thread));
	fputs("]:\n", out);
}

static void put_panics(FILE *out, const json_t *panics)
{
	const json_t *panic;
	size_t index;

	json_array_foreach(panics, index, panic)
	{
		if (json_is_true(json_object_get(panic, "goexit")))
			fputs("runtime.Goexit is running deferred calls", out);
		else if (json_object_get(panic, "value"))
			fprintf(out, "panic: %s(%s)", text_at(panic, "type"),
				text_at(panic, "value"));
		else
			fputs("panic", out);
		fputs(json_is_true(json_object_get(panic, "recovered")) ? " [recovered]\n" : "\n",
		      out);
	}
}

static void put_creator(FILE *out, const json_t *creator)
{
	const json_t *parent = json_object_get(creator, "goroutine");

	if (!json_is_object(creator))
		return;
	fprintf(out, "created by %s", text_at(creator, "function"));
	if (json_is_integer(parent))
		fprintf(out, " in goroutine %lld", (long long)json_integer_value(parent));
	fprintf(out, "\n    %s:%lld\n", text_at(creator, "file"),
		(long long)number_at(creator, "line"));
}

char *sw_stack_text(const json_t *stack)
{
	const json_t *frame;
	size_t index, size;
	char *text = NULL;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	put_header(out, stack);
	put_panics(out, json_object_get(stack, "panics"));
	json_array_foreach(json_object_get(stack, "frames"), index, frame)
	{
		put_frame(out, frame);
	}
	put_defers(out, stack, "other_defers");
	put_creator(out, json_object_get(stack, "created_by"));
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}
