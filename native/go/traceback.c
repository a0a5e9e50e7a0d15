/* The calls of a frame, and which of them a traceback shows. */
#include "go/traceback.h"

#include "go/pclntab.h"
#include "go/wait_reason.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- calls that were inlined ---- */

/* runtime.inlinedCall: {parent int16, funcID u8, _, file, line, func_, parentPc int32} until 1.19,
 * {funcID u8, _ [3]u8, nameOff, parentPc, startLine int32} from 1.20 on. */
struct inlined_layout {
	uint8_t size, func_id, name, parent_pc; /* bytes */
};

static struct inlined_layout inlined_layout(const struct sw_go *go)
{
	if (go->minor < 20)
		return (struct inlined_layout){
			.size = 20, .func_id = 2, .name = 12, .parent_pc = 16};
	return (struct inlined_layout){.size = 16, .func_id = 0, .name = 4, .parent_pc = 8};
}

/* The compiler's own bound (runtime: [1 << 20]inlinedCall). */
enum { MAX_TREE = 1 << 20 };

/* The entry of the function's tree for the innermost call at a pc, NULL when it is none. */
static const uint8_t *find_inlined(const struct sw_go *go, const struct sw_go_func *func,
				   sw_addr pc, struct inlined_layout layout)
{
	int32_t index;
	sw_addr tree = sw_go_func_data(go, func, SW_FUNCDATA_INL_TREE);

	if (!tree || !sw_go_func_pcdata(go, func, SW_PCDATA_INL_TREE_INDEX, pc, &index) ||
	    index < 0 || index >= MAX_TREE)
		return NULL;
	return sw_memory_view(go->memory, tree + (uint64_t)index * layout.size, layout.size);
}

static void find_place(const struct sw_go *go, const struct sw_go_func *func, sw_addr pc,
		       struct sw_go_call *out)
{
	if (sw_go_func_line(go, func, pc, &out->file, &out->line))
		return;
	out->file = "";
	out->line = 0;
}

static struct sw_go_call physical_call(const struct sw_go *go, const struct sw_go_func *func,
				       sw_addr pc)
{
	struct sw_go_call call = {.function = sw_go_func_name(func),
				  .func_id = func->id,
				  .is_wrapper = func->id == go->layout.func_id.wrapper};
	find_place(go, func, pc, &call);
	return call;
}

/* symtabinl.go inlineUnwinder; every step goes to the place of the call in the caller. */
size_t sw_go_calls(const struct sw_go *go, const struct sw_go_frame *frame, struct sw_go_call *out,
		   size_t limit)
{
	const struct sw_go_func *func = &frame->func;
	struct inlined_layout layout = inlined_layout(go);
	sw_addr pc = frame->is_call ? frame->pc - 1 : frame->pc;
	const uint8_t *inlined;
	size_t count = 0;

	if (limit > SW_GO_MAX_INLINED)
		limit = SW_GO_MAX_INLINED;
	while (count + 1 < limit && (inlined = find_inlined(go, func, pc, layout))) {
		uint8_t id = inlined[layout.func_id];
		out[count] = (struct sw_go_call){
			.function = sw_go_name_at(func->module, sw_load32(inlined + layout.name)),
			.func_id = id,
			.is_inlined = true,
			.is_wrapper = id == go->layout.func_id.wrapper,
		};
		find_place(go, func, pc, &out[count++]);
		pc = func->entry + sw_load32(inlined + layout.parent_pc);
	}
	if (count < limit)
		out[count++] = physical_call(go, func, pc);
	return count;
}

/* traceback.go printcreatedby1. */
bool sw_go_call_at(const struct sw_go *go, sw_addr pc, bool is_return_address,
		   struct sw_go_call *out)
{
	struct sw_go_func func;

	memset(out, 0, sizeof(*out));
	out->function = "?";
	out->file = "";
	if (!sw_go_find_func(go, pc, &func))
		return false;
	*out = physical_call(go, &func, is_return_address && pc > func.entry ? pc - 1 : pc);
	return true;
}

/* ---- names ---- */

/* Where the brackets of type arguments begin and end: one pair, or two for a generic method of a
 * generic type (1.27). */
struct brackets {
	size_t begin, end; /* of the first pair: '[' and behind its ']' */
	size_t second, second_end;
};

/* funcNamePiecesForPrint of 1.27. The ways of 1.21–1.26 give the same for their names; until 1.20
 * the linker has put "[...]" into the tables. */
static bool find_brackets(const char *name, struct brackets *out)
{
	const char *open = strchr(name, '['), *close = strrchr(name, ']');
	size_t depth = 0, first_end = 0;

	if (!open || !close || close < open)
		return false;
	*out = (struct brackets){.begin = (size_t)(open - name), .end = (size_t)(close - name) + 1};
	if (!memchr(open + 1, '[', (size_t)(close - open - 1)))
		return true;
	for (size_t i = out->begin; i < out->end; i++) {
		if (name[i] == '[' && depth++ == 0 && first_end) {
			out->second = i;
			out->second_end = out->end;
			out->end = first_end;
			return true;
		}
		if (name[i] != ']')
			continue;
		if (depth-- == 0)
			return false;
		if (depth == 0)
			first_end = i + 1;
	}
	return depth == 0;
}

char *sw_go_print_name(const char *function)
{
	struct brackets at;
	char *name = NULL;
	int length;

	if (!strcmp(function, "runtime.gopanic"))
		return strdup("panic");
	if (!find_brackets(function, &at))
		return strdup(function);
	if (at.second)
		length = asprintf(&name, "%.*s[...]%.*s[...]%s", (int)at.begin, function,
				  (int)(at.second - at.end), function + at.end,
				  function + at.second_end);
	else
		length = asprintf(&name, "%.*s[...]%s", (int)at.begin, function, function + at.end);
	return length < 0 ? NULL : name;
}

/* ---- what is shown ---- */

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

/* isExportedRuntime: "runtime.GC", from 1.23 on "runtime.(*Func).Entry" too and then not
 * "runtime.Frames.next". */
static bool is_exported_runtime(const struct sw_go *go, const char *name)
{
	const char *own = name + strlen("runtime."), *dot = strrchr(own, '.');
	const char *receiver = own;

	if (go->minor < 23 || !dot)
		return is_upper(*own);
	if (dot - receiver >= 3 && !strncmp(receiver, "(*", 2) && dot[-1] == ')')
		receiver += 2;
	return is_upper(dot[1]) && (dot == receiver || is_upper(*receiver));
}

/* traceback.go showfuncinfo. */
static bool shows_function(const struct sw_go_showing *showing, const struct sw_go_call *call)
{
	const struct sw_go *go = showing->go;
	const char *name = call->function;

	if (go->minor >= 25 && (call->func_id == go->layout.func_id.runFinalizers ||
				call->func_id == go->layout.func_id.runCleanups))
		return true;
	if (showing->has_shown && !strcmp(name, "runtime.gopanic"))
		return true;
	return strchr(name, '.') && (strncmp(name, "runtime.", 8) || is_exported_runtime(go, name));
}

bool sw_go_shows(struct sw_go_showing *showing, const struct sw_go_call *call)
{
	const struct sw_go *go = showing->go;
	uint8_t callee = showing->callee;
	bool shows;

	showing->callee = call->func_id;
	/* A wrapper that panicked instead of calling is of interest: elideWrapperCalling. */
	if (call->is_wrapper && callee != go->layout.func_id.gopanic &&
	    callee != go->layout.func_id.sigpanic && callee != go->layout.func_id.panicwrap)
		return false;
	if (showing->shows_runtime)
		shows = call->func_id != go->layout.func_id.goexit;
	else
		shows = shows_function(showing, call);
	showing->has_shown |= shows;
	return shows;
}

/* Close to the runtime's own flags (fingStatus, g.runningCleanups), which say whether such a
 * goroutine is in the program's code. */
static bool waits_for_finalizers(const struct sw_go *go, const struct sw_goroutine *goroutine)
{
	const char *reason = sw_go_wait_text(go, goroutine);
	return reason && (!strcmp(reason, "finalizer wait") || !strcmp(reason, "cleanup wait"));
}

bool sw_go_is_system(const struct sw_go *go, const struct sw_goroutine *goroutine)
{
	struct sw_go_func func;

	if (!sw_go_find_func(go, goroutine->startpc, &func))
		return false;
	if (func.id == go->layout.func_id.runtime_main || func.id == go->layout.func_id.corostart)
		return false;
	if (func.id == go->layout.func_id.runFinalizers ||
	    func.id == go->layout.func_id.runCleanups)
		return waits_for_finalizers(go, goroutine);
	return !strncmp(sw_go_func_name(&func), "runtime.", 8);
}
