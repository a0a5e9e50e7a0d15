#include "library/request.h"

static const struct {
	const char *name;
	enum sw_request_kind kind;
} known[] = {
	{"net/http.Request", SW_REQUEST_REQUEST},
	{"net/http.Response", SW_REQUEST_RESPONSE},
	{"net/http.ResponseWriter", SW_REQUEST_WRITER},
	{"net/http.response", SW_REQUEST_WRITER},
	{"net/http.http2responseWriter", SW_REQUEST_WRITER},
	{"net/http/internal/http2.responseWriter", SW_REQUEST_WRITER}, /* 1.27 */
	{"net/http.timeoutWriter", SW_REQUEST_WRITER},
	{"io.ReadCloser", SW_REQUEST_BODY},
	{"net/http.body", SW_REQUEST_BODY},
	{"net/http.bodyEOFSignal", SW_REQUEST_BODY},
	{"net/http.gzipReader", SW_REQUEST_BODY},
	{"net/http.http2requestBody", SW_REQUEST_BODY},
	{"net/http.http2transportResponseBody", SW_REQUEST_BODY},
	{"net/http/internal/http2.requestBody", SW_REQUEST_BODY},
	{"net/http/internal/http2.transportResponseBody", SW_REQUEST_BODY},
	{"github.com/gin-gonic/gin.Context", SW_REQUEST_CONTEXT},
	{"github.com/labstack/echo/v4.context", SW_REQUEST_CONTEXT},
	{"github.com/labstack/echo/v4.Context", SW_REQUEST_CONTEXT},
	{"github.com/gofiber/fiber/v2.Ctx", SW_REQUEST_CONTEXT},
	{"github.com/valyala/fasthttp.RequestCtx", SW_REQUEST_CONTEXT},
	{"github.com/valyala/fasthttp.Request", SW_REQUEST_REQUEST},
	{"github.com/valyala/fasthttp.Response", SW_REQUEST_RESPONSE},
};

static bool ends_in(const char *text, const char *end)
{
	size_t length = strlen(text), size = strlen(end);
	return length > size && !strcasecmp(text + length - size, end);
}

/* Other frameworks: a struct that is called a context and has the request. */
static bool is_context(const struct sw_types *types, const struct sw_type_info *info)
{
	if (info->kind != SW_KIND_STRUCT ||
	    (!ends_in(info->name, ".context") && !ends_in(info->name, ".ctx")))
		return false;
	for (uint32_t i = 0; i < info->field_count; i++) {
		const struct sw_type_info *field = sw_type_info(types, info->fields[i].type);
		if (field->kind == SW_KIND_POINTER &&
		    sw_type_is_named(sw_type_info(types, field->elem), "net/http.Request"))
			return true;
	}
	return false;
}

enum sw_request_kind sw_request_kind_of(const struct sw_types *types, sw_type type)
{
	const struct sw_type_info *info = sw_type_info(types, type);
	if (info->kind == SW_KIND_POINTER)
		info = sw_type_info(types, info->elem);
	if (info->role != SW_TYPE_PLAIN ||
	    (info->kind != SW_KIND_STRUCT && info->kind != SW_KIND_INTERFACE))
		return SW_REQUEST_NONE;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (sw_type_is_named(info, known[i].name))
			return known[i].kind;
	return is_context(types, info) ? SW_REQUEST_CONTEXT : SW_REQUEST_NONE;
}

const char *sw_request_word(enum sw_request_kind kind)
{
	static const char *const words[SW_REQUEST_KINDS] = {
		"", "request", "response", "response writer", "body", "request context",
	};
	return (unsigned)kind < SW_REQUEST_KINDS ? words[kind] : "";
}
