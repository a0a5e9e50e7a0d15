#include "library/buffer.h"

#include "library/buffer_error.h"
#include "library/buffer_peer.h"
#include "report/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* How one type keeps its buffer: paths of fields, NULL for what it does not have. Several rows of
 * one type are tried in turn: fields were renamed, or the whole was written anew. */
struct kind {
	const char *type;
	const char *buffer; /* slice or string of bytes */
	const char *from;   /* the bytes that are pending begin here (0) … */
	const char *to;	    /* … and end here (the buffer's length) */
	const char *more;   /* a slice whose bytes are pending too */
	const char *inner;  /* another structure of this table that does the buffering */
	const char *what;   /* "unread" */
	const char *error;  /* interface */
	const char *ended;  /* bool that says it is over … */
	const char *how;    /* … in these words; NULL: "closed" */
	const char *at_end; /* bool that says the end was seen */
	bool is_seekable;   /* `from` may be beyond the end: then nothing is left */
	const char *source; /* that it reads from */
	const char *sink;   /* that it writes to */
};

/* Of src/PACKAGE of Go 1.18–1.27. */
static const struct kind kinds[] = {
	{.type = "bufio.Reader",
	 .buffer = "buf",
	 .from = "r",
	 .to = "w",
	 .what = "unread",
	 .error = "err",
	 .source = "rd"},
	{.type = "bufio.Writer",
	 .buffer = "buf",
	 .to = "n",
	 .what = "unwritten",
	 .error = "err",
	 .sink = "wr"},
	{.type = "bufio.Scanner",
	 .buffer = "buf",
	 .from = "start",
	 .to = "end",
	 .what = "unread",
	 .error = "err",
	 .at_end = "done",
	 .source = "r"},
	{.type = "bytes.Buffer", .buffer = "buf", .from = "off", .what = "unread"},
	{.type = "bytes.Reader", .buffer = "s", .from = "i", .what = "unread", .is_seekable = true},
	{.type = "strings.Reader",
	 .buffer = "s",
	 .from = "i",
	 .what = "unread",
	 .is_seekable = true},
	{.type = "strings.Builder", .buffer = "buf", .what = "written"},
	{.type = "encoding/json.Decoder",
	 .buffer = "buf",
	 .from = "scanp",
	 .what = "unread",
	 .error = "err",
	 .source = "r"},
	/* jsonv2: by experiment from 1.25 on, always in 1.27. */
	{.type = "encoding/json.Decoder",
	 .buffer = "dec.s.decodeBuffer.buf",
	 .from = "dec.s.decodeBuffer.prevEnd",
	 .what = "unread",
	 .error = "err",
	 .source = "dec.s.decodeBuffer.rd"},
	{.type = "encoding/json/jsontext.Decoder",
	 .buffer = "s.decodeBuffer.buf",
	 .from = "s.decodeBuffer.prevEnd",
	 .what = "unread",
	 .error = "s.decodeBuffer.peekErr",
	 .source = "s.decodeBuffer.rd"},
	{.type = "encoding/json/jsontext.Encoder",
	 .buffer = "s.encodeBuffer.Buf",
	 .what = "unwritten",
	 .sink = "s.encodeBuffer.wr"},
	{.type = "encoding/json.Encoder", .error = "err", .sink = "w"},
	{.type = "encoding/gob.decBuffer", .buffer = "data", .from = "offset", .what = "unread"},
	{.type = "encoding/gob.encBuffer", .buffer = "data", .what = "unwritten"},
	{.type = "encoding/gob.Decoder", .inner = "buf", .error = "err", .source = "r"},
	{.type = "encoding/gob.Encoder", .inner = "byteBuf", .error = "err"},
	{.type = "compress/flate.decompressor",
	 .buffer = "dict.hist",
	 .from = "dict.rdPos",
	 .to = "dict.wrPos",
	 .more = "toRead",
	 .what = "unread",
	 .error = "err",
	 .source = "r"},
	{.type = "compress/flate.compressor",
	 .buffer = "window",
	 .from = "blockStart",
	 .to = "windowEnd",
	 .what = "unwritten",
	 .error = "err",
	 .sink = "w.writer"},
	{.type = "compress/flate.Writer", .inner = "d"},
	{.type = "compress/gzip.Reader", .inner = "decompressor", .error = "err", .source = "r"},
	{.type = "compress/gzip.Writer",
	 .inner = "compressor",
	 .error = "err",
	 .ended = "closed",
	 .sink = "w"},
	{.type = "compress/zlib.reader", .inner = "decompressor", .error = "err", .source = "r"},
	{.type = "compress/zlib.Writer", .inner = "compressor", .error = "err", .sink = "w"},
	{.type = "net/http.body",
	 .inner = "r",
	 .ended = "closed",
	 .at_end = "sawEOF",
	 .source = "src"},
	{.type = "net/http.bodyEOFSignal", .error = "rerr", .ended = "closed", .source = "body"},
	{.type = "net/http.conn", .inner = "bufr", .error = "werr", .source = "rwc"},
	{.type = "net/http.response",
	 .inner = "w",
	 .ended = "handlerDone",
	 .how = "its handler has returned",
	 .sink = "conn.rwc"},
	{.type = "net/http.persistConn", .inner = "br", .error = "closed", .source = "conn"},
	/* HTTP/2: chunks; in net/http until 1.26. */
	{.type = "net/http.http2dataBuffer", .to = "size", .what = "unread"},
	{.type = "net/http/internal/http2.dataBuffer", .to = "size", .what = "unread"},
	{.type = "golang.org/x/net/http2.dataBuffer", .to = "size", .what = "unread"},
	{.type = "crypto/tls.Conn", .source = "conn"},
	/* Of github.com/golang/protobuf and what was made of it, wherever it is kept. */
	{.type = "*proto.Buffer", .buffer = "buf", .from = "idx", .what = "unread"},
	{.type = "*proto.Buffer", .buffer = "buf", .from = "index", .what = "unread"},
};

enum { KINDS = sizeof(kinds) / sizeof(*kinds), MAX_INNER = 3 };

/* "*proto.Buffer" is that name in any package. */
static bool is_of_kind(const struct sw_type_info *info, const struct kind *kind)
{
	return *kind->type == '*' ? !strcmp(info->name, kind->type + 1)
				  : sw_type_is_named(info, kind->type);
}

static const char *last_name(const char *path)
{
	const char *dot = strrchr(path, '.');
	return dot ? dot + 1 : path;
}

/* ---- what the fields say ---- */

/* A position that is given but cannot be read, or lies outside, makes the whole no such structure.
 */
static bool read_position(const struct sw_live *live, const struct kind *kind, const char *path,
			  uint64_t fallback, struct sw_buffer *out, uint64_t *position)
{
	size_t length = strlen(out->positions);
	*position = fallback;
	if (!path)
		return true;
	if (!sw_value_word(&live->reader, out->value, path, position))
		return false;
	if (kind->buffer && *position > out->array.len) {
		if (!kind->is_seekable || *position > INT64_MAX)
			return false;
		*position = out->array.len;
	}
	snprintf(out->positions + length, sizeof(out->positions) - length, "%s%s %" PRIu64,
		 length ? ", " : "", last_name(path), *position);
	return true;
}

static bool read_pending(const struct sw_live *live, const struct kind *kind, struct sw_buffer *out)
{
	struct sw_value_array more = {0};
	uint64_t from, to;
	if (!kind->what)
		return true;
	if (!read_position(live, kind, kind->from, 0, out, &from) ||
	    !read_position(live, kind, kind->to, out->array.len, out, &to) || from > to)
		return false;
	if (kind->more && !sw_value_array(&live->reader, out->value, kind->more, &more))
		return false;
	out->has_pending = true;
	out->pending = to - from + more.len;
	out->what = kind->what;
	return true;
}

static bool read_array(const struct sw_live *live, const struct kind *kind, struct sw_buffer *out)
{
	if (!kind->buffer)
		return true;
	if (!sw_value_array(&live->reader, out->value, kind->buffer, &out->array) ||
	    out->array.elem_size != 1)
		return false;
	out->has_array = out->array.cap != 0;
	snprintf(out->field, sizeof(out->field), "%s", kind->buffer);
	return true;
}

static bool is_set(const struct sw_live *live, struct sw_value value, const char *path)
{
	return path && sw_value_flag(&live->reader, value, path);
}

static void read_state(const struct sw_live *live, const struct kind *kind, struct sw_buffer *out)
{
	if (kind->error &&
	    sw_library_error(live, out->value, kind->error, out->error, sizeof(out->error)))
		out->state = strcmp(out->error, "EOF") ? SW_BUFFER_FAILED : SW_BUFFER_AT_END;
	if (is_set(live, out->value, kind->at_end) && out->state == SW_BUFFER_OPEN)
		out->state = SW_BUFFER_AT_END;
	if (is_set(live, out->value, kind->ended)) {
		out->state = SW_BUFFER_CLOSED;
		out->how = kind->how;
	}
}

static void read_peer(const struct sw_live *live, const struct kind *kind, struct sw_buffer *out)
{
	struct sw_peer peer;
	const char *path = kind->source ? kind->source : kind->sink;
	if (!path || !sw_peer_read(live, out->value, path, &peer))
		return;
	snprintf(out->peer, sizeof(out->peer), "%s", peer.words);
	out->is_peer_closed = peer.is_closed;
	out->is_writer = !kind->source;
}

static bool read_known(const struct sw_live *live, struct sw_value value, struct sw_buffer *out,
		       unsigned depth);

/* The structure that buffers on its behalf: an interface, a pointer, a field. */
static void read_inner(const struct sw_live *live, const struct kind *kind, struct sw_buffer *out,
		       unsigned depth)
{
	struct sw_value value;
	struct sw_buffer inner;
	if (!kind->inner || depth >= MAX_INNER ||
	    !sw_value_field(&live->reader, out->value, kind->inner, &value))
		return;
	uint8_t type = sw_type_info(live->types, value.type)->kind;
	if ((type == SW_KIND_INTERFACE && !sw_value_behind(&live->reader, value, NULL, &value)) ||
	    (type == SW_KIND_POINTER && !sw_value_pointee(&live->reader, value, NULL, &value)) ||
	    !read_known(live, value, &inner, depth + 1))
		return;
	out->has_array = inner.has_array;
	out->array = inner.array;
	snprintf(out->field, sizeof(out->field), "%s", kind->inner);
	out->has_pending = inner.has_pending;
	out->pending = inner.pending;
	out->what = inner.what;
	if (!*out->peer) {
		memcpy(out->peer, inner.peer, sizeof(out->peer));
		out->is_peer_closed = inner.is_peer_closed;
		out->is_writer = inner.is_writer;
	}
}

static bool read_kind(const struct sw_live *live, const struct kind *kind, struct sw_value value,
		      struct sw_buffer *out, unsigned depth)
{
	memset(out, 0, sizeof(*out));
	out->value = value;
	out->name = sw_type_info(live->types, value.type)->name;
	if (!read_array(live, kind, out) || !read_pending(live, kind, out))
		return false;
	read_state(live, kind, out);
	read_peer(live, kind, out);
	read_inner(live, kind, out, depth);
	return true;
}

static bool read_known(const struct sw_live *live, struct sw_value value, struct sw_buffer *out,
		       unsigned depth)
{
	const struct sw_type_info *info = sw_type_info(live->types, value.type);
	if (!value.type || info->kind != SW_KIND_STRUCT || info->role != SW_TYPE_PLAIN)
		return false;
	for (size_t i = 0; i < KINDS; i++)
		if (is_of_kind(info, &kinds[i]) && read_kind(live, &kinds[i], value, out, depth))
			return true;
	return false;
}

bool sw_buffer_read(const struct sw_live *live, struct sw_value value, struct sw_buffer *out)
{
	return read_known(live, value, out, 0);
}

/* ---- in words ---- */

bool sw_buffer_is_over(const struct sw_buffer *buffer)
{
	return buffer->state != SW_BUFFER_OPEN || buffer->is_peer_closed;
}

__attribute__((format(printf, 3, 4))) static void append(char *out, size_t size, const char *format,
							 ...)
{
	size_t length = strlen(out);
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(out + length, size - length, format, arguments);
	va_end(arguments);
}

static void say_pending(const struct sw_buffer *buffer, char *out, size_t size)
{
	if (buffer->has_pending)
		append(out, size, ", %" PRIu64 " byte%s %s", buffer->pending,
		       buffer->pending == 1 ? "" : "s", buffer->what);
}

static void say_state(const struct sw_buffer *buffer, char *out, size_t size)
{
	if (buffer->state == SW_BUFFER_CLOSED)
		append(out, size, ", %s", buffer->how ? buffer->how : "closed");
	else if (buffer->state == SW_BUFFER_AT_END)
		append(out, size, ", at its end (EOF)");
	else if (buffer->state == SW_BUFFER_FAILED)
		append(out, size, ", failed with \"%s\"", buffer->error);
}

void sw_buffer_words(const struct sw_buffer *buffer, char *out, size_t size)
{
	bool has_vowel = strchr("aeiouAEIOU", *buffer->name) != NULL;
	char bytes[16];

	snprintf(out, size, "%s %s", has_vowel ? "an" : "a", buffer->name);
	if (buffer->has_array)
		append(out, size, " of %s", sw_text_bytes(buffer->array.cap, bytes));
	if (buffer->is_guess)
		append(out, size, " (looks like a parser: %s)", buffer->positions);
	say_pending(buffer, out, size);
	say_state(buffer, out, size);
	if (*buffer->peer)
		append(out, size, ", %s %s", buffer->is_writer ? "to" : "of", buffer->peer);
}

bool sw_buffer_describe(const struct sw_live *live, struct sw_value value, char *out, size_t size)
{
	struct sw_buffer buffer;
	*out = 0;
	if (!sw_buffer_read(live, value, &buffer))
		return false;
	sw_buffer_words(&buffer, out, size);
	return true;
}
