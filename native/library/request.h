/* Which types are parts of a request that a server handles, or of a response that a client got:
 * what is to be let go of when the handler returns. */
#ifndef SW_LIBRARY_REQUEST_H
#define SW_LIBRARY_REQUEST_H

#include "view/live.h"

enum sw_request_kind {
	SW_REQUEST_NONE,
	SW_REQUEST_REQUEST,  /* net/http.Request */
	SW_REQUEST_RESPONSE, /* net/http.Response */
	SW_REQUEST_WRITER,   /* http.ResponseWriter */
	SW_REQUEST_BODY,     /* io.ReadCloser, and what net/http has for one */
	SW_REQUEST_CONTEXT,  /* gin.Context, echo.Context, … */
	SW_REQUEST_KINDS
};

/* Of a type, or what a pointer type points to. */
enum sw_request_kind sw_request_kind_of(const struct sw_types *types, sw_type type);

/* "request", "response", "response writer", "body", "request context"; "" for none. */
const char *sw_request_word(enum sw_request_kind kind);

#endif
