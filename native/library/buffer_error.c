#include "library/buffer_error.h"

#include "type/value.h"

#include <inttypes.h>
#include <stdio.h>

enum { MAX_TEXT = 160, MAX_WRAPPED = 4 };

static bool tell(const struct sw_live *live, struct sw_value error, char *out, size_t size,
		 unsigned depth);

static bool tell_field(const struct sw_live *live, struct sw_value error, const char *path,
		       char *out, size_t size, unsigned depth)
{
	struct sw_value inner;
	*out = 0;
	return depth < MAX_WRAPPED && sw_value_behind(&live->reader, error, path, &inner) &&
	       tell(live, inner, out, size, depth + 1);
}

/* A string of the program, on one line. */
static bool read_text(const struct sw_live *live, struct sw_value value, const char *path,
		      char *out, size_t size)
{
	if (!sw_value_string(&live->reader, value, path, out, size))
		return false;
	for (char *at = out; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 127)
			*at = ' ';
	return true;
}

/* ---- the ways of telling ---- */

/* A field is the text. */
static const struct {
	const char *type, *field;
} texts[] = {
	{"errors.errorString", "s"}, /* errors.New; io.EOF */
	{"fmt.wrapError", "msg"},    /* fmt.Errorf with %w */
	{"fmt.wrapErrors", "msg"},   /* 1.20 */
	{"encoding/json.SyntaxError", "msg"},
	{"net/http.ProtocolError", "ErrorString"},
	{"net.AddrError", "Err"},
};

/* Words around another error: "Op Path: Err". */
static const struct {
	const char *type, *first, *second, *inner;
} wrappers[] = {
	{"net.OpError", "Op", "Net", "Err"},
	{"io/fs.PathError", "Op", "Path", "Err"},
	{"os.SyscallError", "Syscall", NULL, "Err"},
	{"net/url.Error", "Op", "URL", "Err"},
	{"strconv.NumError", "Func", "Num", "Err"},
	{"encoding/gob.gobError", NULL, NULL, "err"},
	{"net/http.transportReadFromServerError", NULL, NULL, "err"},
	{"net/http.nothingWrittenError", NULL, NULL, "error"},
	{"encoding/json/jsontext.SyntacticError", "JSONPointer", NULL, "Err"},
};

/* Types of one value, which have one text. */
static const struct {
	const char *type, *text;
} constants[] = {
	{"internal/poll.errNetClosing", "use of closed network connection"},
	{"internal/poll.DeadlineExceededError", "i/o timeout"},
	{"net.timeoutError", "i/o timeout"},
	{"net.canceledError", "operation was canceled"},
	{"context.deadlineExceededError", "context deadline exceeded"},
};

static bool tell_text(const struct sw_live *live, const struct sw_type_info *info,
		      struct sw_value error, char *out, size_t size)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (sw_type_is_named(info, texts[i].type))
			return read_text(live, error, texts[i].field, out, size);
	for (size_t i = 0; i < sizeof(constants) / sizeof(*constants); i++)
		if (sw_type_is_named(info, constants[i].type)) {
			snprintf(out, size, "%s", constants[i].text);
			return true;
		}
	return false;
}

static bool tell_wrapper(const struct sw_live *live, const struct sw_type_info *info,
			 struct sw_value error, char *out, size_t size, unsigned depth)
{
	char first[MAX_TEXT] = "", second[MAX_TEXT] = "", inner[MAX_TEXT];
	for (size_t i = 0; i < sizeof(wrappers) / sizeof(*wrappers); i++) {
		if (!sw_type_is_named(info, wrappers[i].type) ||
		    !tell_field(live, error, wrappers[i].inner, inner, sizeof(inner), depth))
			continue;
		if (wrappers[i].first)
			read_text(live, error, wrappers[i].first, first, sizeof(first));
		if (wrappers[i].second)
			read_text(live, error, wrappers[i].second, second, sizeof(second));
		snprintf(out, size, "%s%s%s%s%s", first, *second ? " " : "", second,
			 *first ? ": " : "", inner);
		return true;
	}
	return false;
}

/* Numbers that are errors: syscall.Errno, positions of corrupt input. */
static bool tell_number(const struct sw_live *live, const struct sw_type_info *info,
			struct sw_value error, char *out, size_t size)
{
	uint64_t number;
	if (!sw_value_word(&live->reader, error, NULL, &number))
		return false;
	if (sw_type_is_named(info, "syscall.Errno"))
		snprintf(out, size, "errno %" PRIu64, number);
	else
		snprintf(out, size, "%s(%" PRId64 ")", info->name, (int64_t)number);
	return true;
}

/* Of the program's own: "main.badLine{12 \"no field\"}". */
static void tell_value(const struct sw_live *live, const struct sw_type_info *info,
		       struct sw_value error, char *out, size_t size)
{
	char fields[MAX_TEXT] = "";
	if (!sw_value_text(live->types, live->go, error.type, error.addr, fields, sizeof(fields)))
		*fields = 0;
	snprintf(out, size, "%s%s", info->name, fields);
}

static bool tell(const struct sw_live *live, struct sw_value error, char *out, size_t size,
		 unsigned depth)
{
	const struct sw_type_info *info = sw_type_info(live->types, error.type);
	if (tell_text(live, info, error, out, size) ||
	    tell_wrapper(live, info, error, out, size, depth))
		return true;
	if (info->kind == SW_KIND_STRING) /* type parseError string */
		return read_text(live, error, NULL, out, size);
	if (info->kind != SW_KIND_STRUCT && tell_number(live, info, error, out, size))
		return true;
	tell_value(live, info, error, out, size);
	return true;
}

bool sw_library_error(const struct sw_live *live, struct sw_value of, const char *path, char *out,
		      size_t size)
{
	return tell_field(live, of, path, out, size, 0);
}
