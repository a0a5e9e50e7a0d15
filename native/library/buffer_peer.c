#include "library/buffer_peer.h"

#include "go/field.h"
#include "library/poll_fd.h"

#include <stdio.h>

enum {
	MAX_CHAIN = 8, /* a reader that reads from a reader … */
};

/* What a type says of itself, or where what it wraps is. Several rows of one type are tried in
 * turn: fields were renamed. */
struct peer {
	const char *type;
	const char *words;  /* "connection"; NULL: it wraps something */
	const char *name;   /* path of a string that names it */
	const char *fdmu;   /* path of the state of its poll.FD's lock */
	const char *closed; /* path of a channel that is closed, a bool, an error, with it */
	const char *next;   /* path of what it wraps */
};

static const struct peer peers[] = {
	{"net.TCPConn", "connection", .fdmu = "conn.fd.pfd.fdmu.state"},
	{"net.UnixConn", "connection", .fdmu = "conn.fd.pfd.fdmu.state"},
	{"net.UDPConn", "connection", .fdmu = "conn.fd.pfd.fdmu.state"},
	{"net.IPConn", "connection", .fdmu = "conn.fd.pfd.fdmu.state"},
	{"net.conn", "connection", .fdmu = "fd.pfd.fdmu.state"},
	{"os.File", "file", .name = "file.name", .fdmu = "file.pfd.fdmu.state"},
	{"net.pipe", "connection", .closed = "localDone"},
	{"io.PipeReader", "pipe", .closed = "p.done"},	    /* until 1.20 */
	{"io.PipeReader", "pipe", .closed = "pipe.done"},   /* 1.21 */
	{"io.PipeWriter", "pipe", .closed = "p.done"},	    /* until 1.20 */
	{"io.PipeWriter", "pipe", .closed = "r.pipe.done"}, /* 1.21 */
	{"crypto/tls.Conn", .next = "conn"},
	{"net/http.connReader", .next = "rwc"},	     /* 1.26 */
	{"net/http.connReader", .next = "conn.rwc"}, /* before */
	{"net/http.checkConnErrorWriter", .next = "c.rwc"},
	{"net/http.persistConn", .next = "conn"},
	{"net/http.persistConnWriter", .next = "pc.conn"},
	{"net/http.conn", .next = "rwc"},
	{"net/http.loggingConn", .next = "Conn"},
	{"net/http.body", "request or response body", .closed = "closed"},
	{"net/http.bodyEOFSignal", "response body", .closed = "closed"},
	{"io.LimitedReader", .next = "R"},
	{"io.nopCloser", .next = "Reader"},
	{"io.nopCloserWriterTo", .next = "Reader"},
	{"io.teeReader", .next = "r"},
	{"bufio.Reader", .next = "rd"},
	{"bufio.Writer", .next = "wr"},
	{"bufio.ReadWriter", .next = "Reader"},
	{"compress/gzip.Reader", .next = "r"},
	{"compress/gzip.Writer", .next = "w"},
};

/* The value that an interface or a pointer leads to. */
static bool resolve(const struct sw_live *live, struct sw_value of, const char *path,
		    struct sw_value *out)
{
	struct sw_value value;
	if (!sw_value_field(&live->reader, of, path, &value))
		return false;
	switch (sw_type_info(live->types, value.type)->kind) {
	case SW_KIND_INTERFACE:
		return sw_value_behind(&live->reader, value, NULL, out);
	case SW_KIND_POINTER:
		return sw_value_pointee(&live->reader, value, NULL, out);
	default:
		*out = value;
		return true;
	}
}

/* A channel that was closed, a bool that is set. False when it cannot be read. */
static bool read_closed(const struct sw_live *live, struct sw_value value, const char *path,
			bool *closed)
{
	struct sw_value end;
	uint64_t word;
	if (!sw_value_field(&live->reader, value, path, &end) ||
	    !sw_value_word(&live->reader, end, NULL, &word))
		return false;
	*closed = word != 0;
	if (sw_type_info(live->types, end.type)->kind == SW_KIND_CHAN)
		*closed = word && sw_go_half_at(live->go, word, live->go->layout.hchan.closed) != 0;
	return true;
}

static bool read_state(const struct sw_live *live, const struct peer *peer, struct sw_value value,
		       bool *closed)
{
	uint64_t state;
	*closed = false;
	if (peer->closed)
		return read_closed(live, value, peer->closed, closed);
	if (!peer->fdmu || !sw_value_word(&live->reader, value, peer->fdmu, &state))
		return false;
	*closed = state & SW_POLL_FD_CLOSED;
	return true;
}

static void say(const struct sw_live *live, const struct peer *peer, struct sw_value value,
		bool is_known, struct sw_peer *out)
{
	char name[100] = "";
	if (peer->name)
		sw_value_string(&live->reader, value, peer->name, name, sizeof(name));
	for (char *at = name; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 127)
			*at = '?';
	const char *open = is_known ? "an open " : "a ";
	if (*name)
		snprintf(out->words, sizeof(out->words), "the %s%s %s",
			 out->is_closed ? "closed " : "", peer->words, name);
	else
		snprintf(out->words, sizeof(out->words), "%s%s%s", out->is_closed ? "a " : open,
			 peer->words, out->is_closed ? " that is closed" : "");
}

static bool ends_in_vowel_sound(const char *name)
{
	return strchr("aeiouAEIOU", *name) != NULL;
}

/* A type of which nothing is known, or that ends the chain. */
static void say_type(const struct sw_live *live, struct sw_value value, struct sw_peer *out)
{
	const char *name = sw_type_info(live->types, value.type)->name;
	snprintf(out->words, sizeof(out->words), "%s %s", ends_in_vowel_sound(name) ? "an" : "a",
		 name);
}

/* One step: true when it is told, or *value is what it wraps. */
static bool step(const struct sw_live *live, struct sw_value *value, bool *is_wrapper,
		 struct sw_peer *out)
{
	const struct sw_type_info *info = sw_type_info(live->types, value->type);
	*is_wrapper = false;
	for (size_t i = 0; i < sizeof(peers) / sizeof(*peers); i++) {
		const struct peer *peer = &peers[i];
		if (!sw_type_is_named(info, peer->type))
			continue;
		if (!peer->words) {
			if (!resolve(live, *value, peer->next, value))
				continue;
			*is_wrapper = true;
			return false;
		}
		bool is_known = read_state(live, peer, *value, &out->is_closed);
		if (!is_known && peer->closed)
			continue;
		say(live, peer, *value, is_known, out);
		return true;
	}
	return false;
}

bool sw_peer_read(const struct sw_live *live, struct sw_value of, const char *path,
		  struct sw_peer *out)
{
	struct sw_value value;
	bool is_wrapper = true;

	memset(out, 0, sizeof(*out));
	if (!resolve(live, of, path, &value))
		return false;
	for (unsigned depth = 0; depth < MAX_CHAIN && is_wrapper; depth++)
		if (step(live, &value, &is_wrapper, out))
			return true;
	say_type(live, value, out);
	return true;
}
