#include "library/words.h"

#include "library/buffer.h"
#include "library/buffer_peer.h"

#include <stdio.h>

/* How a type's values are told of. */
typedef bool tell_value(const struct sw_live *live, struct sw_value value, char *out, size_t size);

struct teller {
	const char *type; /* "net/http.Request" */
	tell_value *tell;
};

enum { MAX_TEXT = 80 }; /* bytes of a string of the program */

/* A string of the program, on one line. */
static bool read_text(const struct sw_live *live, struct sw_value value, const char *path,
		      char out[MAX_TEXT])
{
	if (!sw_value_string(&live->reader, value, path, out, MAX_TEXT))
		return false;
	for (char *at = out; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 127)
			*at = '?';
	return true;
}

/* ---- net/http ---- */

/* Request{Method string; URL *url.URL; …} (net/http/request.go); a client's Method may be "". */
static bool tell_request(const struct sw_live *live, struct sw_value value, char *out, size_t size)
{
	char method[MAX_TEXT], path[MAX_TEXT];
	if (!read_text(live, value, "Method", method) || !read_text(live, value, "URL.Path", path))
		return false;
	snprintf(out, size, "the request %s %s", *method ? method : "GET", path);
	return true;
}

/* Response{Status string; …; Request *Request} (net/http/response.go). */
static bool tell_response(const struct sw_live *live, struct sw_value value, char *out, size_t size)
{
	char status[MAX_TEXT], path[MAX_TEXT];
	if (!read_text(live, value, "Status", status))
		return false;
	bool has_path = read_text(live, value, "Request.URL.Path", path);
	snprintf(out, size, "the response %s%s%s", status, has_path ? " to " : "",
		 has_path ? path : "");
	return true;
}

/* ---- contexts, connections, files ---- */

/* err is set when it is done (context/context.go). */
static bool tell_context(const struct sw_live *live, struct sw_value value, char *out, size_t size)
{
	struct sw_value err;
	if (!sw_value_field(&live->reader, value, "err", &err))
		return false;
	bool is_done = sw_value_held(&live->reader, err, NULL, &err);
	snprintf(out, size, "%s", is_done ? "a context that is done" : "a context");
	return true;
}

static bool tell_peer(const struct sw_live *live, struct sw_value value, char *out, size_t size)
{
	struct sw_peer peer;
	if (!sw_peer_read(live, value, NULL, &peer))
		return false;
	snprintf(out, size, "%s", peer.words);
	return true;
}

static const struct teller tellers[] = {
	{"context.cancelCtx", tell_context},
	{"net.TCPConn", tell_peer},
	{"net.UnixConn", tell_peer},
	{"net.UDPConn", tell_peer},
	{"net/http.persistConn", tell_peer},
	{"net/http.conn", tell_peer},
	{"os.File", tell_peer},
	{"crypto/tls.Conn", tell_peer},
	{"net/http.Request", tell_request},
	{"net/http.Response", tell_response},
};

/* ---- the whole ---- */

bool sw_library_words(const struct sw_live *live, struct sw_value value, char *out, size_t size)
{
	const struct sw_type_info *info = sw_type_info(live->types, value.type);
	*out = 0;
	if (!value.type || info->role != SW_TYPE_PLAIN || info->kind != SW_KIND_STRUCT)
		return false;
	if (sw_buffer_describe(live, value, out, size))
		return true;
	for (size_t i = 0; i < sizeof(tellers) / sizeof(*tellers); i++)
		if (sw_type_is_named(info, tellers[i].type) &&
		    tellers[i].tell(live, value, out, size))
			return true;
	*out = 0;
	return false;
}

/* ---- parts of objects ---- */

bool sw_library_words_at(const struct sw_live *live, sw_object object, uint64_t offset, char *out,
			 size_t size)
{
	struct sw_value parts[SW_BUFFER_MAX_DEPTH];
	size_t count = sw_buffer_enclosing(live, object, offset, parts, SW_BUFFER_MAX_DEPTH);

	*out = 0;
	while (count)
		if (sw_library_words(live, parts[--count], out, size))
			return true;
	return false;
}

bool sw_library_words_of(const struct sw_live *live, sw_object object, char *out, size_t size)
{
	struct sw_value value = {sw_live_type(live, object), sw_live_start(live, object)};
	sw_node holder = live->graph->parent[object];
	uint64_t offset;
	sw_addr pointer;

	if (sw_library_words(live, value, out, size))
		return true;
	if (holder >= live->graph->object_count)
		return false;
	sw_slot slot = sw_heap_select(live->heap, holder);
	uint64_t header = sw_live_start(live, holder) - sw_heap_slot_address(live->heap, slot);
	return sw_heap_pointer_to(live->heap, slot, object, &offset, &pointer) &&
	       offset >= header && sw_library_words_at(live, holder, offset - header, out, size);
}
