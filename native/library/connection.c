#include "library/connection.h"

#include <stdio.h>

enum {
	MAX_NAME = 256, /* bytes of a host's name, and of its proxy's, that are kept */
	MAX_HOST = 3 * MAX_NAME + 16,
	/* net/http/server.go ConnState */
	STATE_NEW = 0,
	STATE_ACTIVE = 1,
	STATE_IDLE = 2,
};

enum {
	TRANSPORT,
	PERSIST_CONN,
	SERVER_CONN,
	BODY,
	HTTP2_CONN,
	HTTP2_CONN_127,
	HTTP2_CONN_X,
	GRPC_CONN,
};

static const char *const wanted[] = {
	[TRANSPORT] = "net/http.Transport",
	[PERSIST_CONN] = "net/http.persistConn",
	[SERVER_CONN] = "net/http.conn",
	[BODY] = "net/http.bodyEOFSignal",
	[HTTP2_CONN] = "net/http.http2ClientConn",
	[HTTP2_CONN_127] = "net/http/internal/http2.ClientConn",
	[HTTP2_CONN_X] = "golang.org/x/net/http2.ClientConn",
	[GRPC_CONN] = "google.golang.org/grpc.addrConn",
	NULL,
};

SW_MAP(uint32_t, address_set); /* 1 or a place + 1, by address */

struct search {
	const struct sw_live *live;
	const struct sw_keepers *keepers;
	const struct sw_descriptors *descriptors;
	struct sw_http *out;
	struct sw_instances found;
	struct address_set owners;  /* that have a pool */
	struct address_set pools;   /* pool by hash */
	struct address_set walked;  /* Transports */
	struct address_set idle;    /* persistConns in a Transport's idleConn */
	struct address_set readers; /* connection by the bufio.Reader of a persistConn */
	struct sw_error *error;
};

/* ---- pools ---- */

static uint64_t hash_pool(sw_addr owner, const char *host)
{
	uint64_t hash = owner;
	for (; *host; host++)
		hash = (hash ^ (uint8_t)*host) * 0x100000001b3;
	return hash | 1;
}

static bool is_pool(const struct sw_http_pool *pool, sw_addr owner, const char *host)
{
	return pool->owner.addr == owner && !strcmp(pool->host, host);
}

/* Two of one hash are told apart by looking at all. */
static uint32_t find_pool(const struct search *search, sw_addr owner, const char *host)
{
	const struct sw_http_pools *pools = &search->out->pools;
	const uint32_t *found = address_set_find(&search->pools, hash_pool(owner, host));

	if (!found)
		return SW_NO_POOL;
	if (is_pool(&pools->items[*found - 1], owner, host))
		return *found - 1;
	for (size_t i = 0; i < pools->count; i++)
		if (is_pool(&pools->items[i], owner, host))
			return (uint32_t)i;
	return SW_NO_POOL;
}

/* The pool of an owner and a host, a new one when there is none. */
static uint32_t pool_of(struct search *search, struct sw_value owner, enum sw_http_side side,
			const char *host)
{
	const struct sw_live *live = search->live;
	uint32_t place = find_pool(search, owner.addr, host);
	if (place != SW_NO_POOL || search->error)
		return place;
	struct sw_http_pool pool = {.owner = owner,
				    .object = sw_heap_object(live->heap, owner.addr),
				    .side = side,
				    .is_first = !address_set_find(&search->owners, owner.addr),
				    .keeper = sw_keeper_of(live, search->keepers, owner.addr),
				    .host = strdup(host)};
	search->error =
		pool.host ? sw_http_pools_add(&search->out->pools, pool) : sw_error_memory();
	if (search->error) {
		free(pool.host);
		return SW_NO_POOL;
	}
	search->error = address_set_set(&search->owners, owner.addr, 1);
	uint64_t hash = hash_pool(owner.addr, host);
	place = (uint32_t)search->out->pools.count;
	if (!search->error && !address_set_find(&search->pools, hash))
		search->error = address_set_set(&search->pools, hash, place);
	return place - 1;
}

/* connectMethodKey{proxy, scheme, addr string; onlyH1 bool}. */
static bool read_host(const struct sw_live *live, struct sw_value key, char *out, size_t size)
{
	char proxy[MAX_NAME], scheme[MAX_NAME], addr[MAX_NAME];
	if (!sw_value_string(&live->reader, key, "proxy", proxy, sizeof(proxy)) ||
	    !sw_value_string(&live->reader, key, "scheme", scheme, sizeof(scheme)) ||
	    !sw_value_string(&live->reader, key, "addr", addr, sizeof(addr)))
		return false;
	snprintf(out, size, "%s://%s%s%s", scheme, addr, *proxy ? " by " : "", proxy);
	return true;
}

/* ---- Transports ---- */

struct entries {
	struct search *search;
	struct sw_value transport;
};

/* Is the array within one object? */
static bool is_inside(const struct sw_live *live, const struct sw_value_array *array)
{
	sw_slot slot = sw_heap_slot(live->heap, array->data);
	if (slot == SW_NO_SLOT)
		return false;
	uint64_t room = sw_heap_slot_address(live->heap, slot) +
			sw_heap_slot_span(live->heap, slot)->elemsize - array->data;
	return array->elem_size && array->len <= room / array->elem_size;
}

static bool visit_idle(void *context, const struct sw_map_entry *entry)
{
	struct entries *entries = context;
	struct search *search = entries->search;
	struct sw_value_array list;
	sw_addr conn;

	if (!sw_value_array(&search->live->reader, entry->elem, NULL, &list) ||
	    (list.len && !is_inside(search->live, &list))) {
		search->out->damaged++;
		return true;
	}
	for (uint64_t i = 0; i < list.len && !search->error; i++) {
		if (!sw_memory_u64(search->live->go->memory, list.data + 8 * i, &conn)) {
			search->out->damaged++;
			break;
		}
		search->error = address_set_set(&search->idle, conn, 1);
	}
	return !search->error;
}

/* wantConnQueue{head []*wantConn; headPos int; tail []*wantConn}. */
static bool visit_waiting(void *context, const struct sw_map_entry *entry)
{
	struct entries *entries = context;
	struct search *search = entries->search;
	const struct sw_value_reader *reader = &search->live->reader;
	struct sw_value_array head, tail;
	char host[MAX_HOST];
	uint64_t position;

	if (!sw_value_array(reader, entry->elem, "head", &head) ||
	    !sw_value_array(reader, entry->elem, "tail", &tail) ||
	    !sw_value_word(reader, entry->elem, "headPos", &position) || position > head.len ||
	    !read_host(search->live, entry->key, host, sizeof(host))) {
		search->out->damaged++;
		return true;
	}
	uint64_t waiting = head.len - position + tail.len;
	if (!waiting)
		return true;
	uint32_t pool = pool_of(search, entries->transport, SW_HTTP_CLIENT, host);
	if (pool != SW_NO_POOL)
		search->out->pools.items[pool].waiting += waiting;
	return !search->error;
}

static void walk_map(struct entries *entries, const char *path, sw_visit_entry *visit)
{
	const struct sw_value_reader *reader = &entries->search->live->reader;
	struct sw_value map;
	if (sw_value_field(reader, entries->transport, path, &map) &&
	    !sw_value_entries(reader, map, visit, entries))
		entries->search->out->damaged++;
}

/* A request waits in both queues when connections are limited; it is counted once, by the second:
 * of requests for an idle connection those that dial are not held up. */
static void add_transport(struct search *search, struct sw_value transport)
{
	struct entries entries = {search, transport};
	if (address_set_find(&search->walked, transport.addr))
		return;
	search->error = address_set_set(&search->walked, transport.addr, 1);
	walk_map(&entries, "idleConn", visit_idle);
	walk_map(&entries, "connsPerHostWait", visit_waiting);
}

static void walk_transport(struct search *search, const struct sw_instance *instance)
{
	add_transport(search, instance->value);
}

/* A Transport may be of no known type but for its connections. */
static void walk_transport_of(struct search *search, const struct sw_instance *instance)
{
	struct sw_value transport;
	if (sw_value_pointee(&search->live->reader, instance->value, "t", &transport))
		add_transport(search, transport);
}

/* ---- connections ---- */

static uint32_t descriptor_of(const struct search *search, struct sw_value conn, const char *path)
{
	struct sw_value value;
	if (!sw_value_behind(&search->live->reader, conn, path, &value))
		return SW_NO_DESCRIPTOR;
	return sw_descriptor_behind(search->live, search->descriptors, value);
}

static void add_connection(struct search *search, const struct sw_instance *instance, uint32_t pool,
			   enum sw_http_state state, uint32_t descriptor)
{
	struct sw_http_connection connection = {
		.value = instance->value,
		.object = instance->object,
		.pool = pool,
		.descriptor = descriptor,
		.state = state,
		.keeper = sw_keeper_of(search->live, search->keepers, instance->value.addr),
		.body_keeper = SW_KEPT_BY_NOBODY};
	if (pool != SW_NO_POOL && !search->error)
		search->error = sw_http_connections_add(&search->out->connections, connection);
}

static bool is_nil(const struct sw_live *live, struct sw_value of, const char *path)
{
	struct sw_value value;
	uint64_t word;
	return sw_value_field(&live->reader, of, path, &value) &&
	       sw_memory_u64(live->go->memory, value.addr, &word) && !word;
}

static bool client_state(struct search *search, struct sw_value conn, enum sw_http_state *out)
{
	const struct sw_live *live = search->live;
	uint64_t expected;

	if (!sw_value_word(&live->reader, conn, "numExpectedResponses", &expected))
		return false;
	bool is_own = sw_value_flag(&live->reader, conn, "isClientConn"); /* 1.27: in no pool */
	if (!is_nil(live, conn, "closed"))
		*out = SW_HTTP_CLOSED;
	else if (is_own ? !sw_value_flag(&live->reader, conn, "inFlight")
			: address_set_find(&search->idle, conn.addr) != NULL)
		*out = SW_HTTP_IDLE;
	else
		*out = expected ? SW_HTTP_ACTIVE : SW_HTTP_BODY;
	return true;
}

/* One with `alt` stands for an HTTP/2 connection and has none of its own. */
static void add_persist_conn(struct search *search, const struct sw_instance *instance)
{
	const struct sw_live *live = search->live;
	struct sw_value conn = instance->value, transport, key;
	enum sw_http_state state;
	char host[MAX_HOST];
	sw_addr reader;

	if (!is_nil(live, conn, "alt") || is_nil(live, conn, "conn"))
		return;
	if (!sw_value_pointee(&live->reader, conn, "t", &transport) ||
	    !sw_value_field(&live->reader, conn, "cacheKey", &key) ||
	    !read_host(live, key, host, sizeof(host)) || !client_state(search, conn, &state)) {
		search->out->damaged++;
		return;
	}
	add_connection(search, instance, pool_of(search, transport, SW_HTTP_CLIENT, host), state,
		       descriptor_of(search, conn, "conn"));
	if (!search->error && state == SW_HTTP_BODY &&
	    sw_value_word(&live->reader, conn, "br", &reader))
		search->error = address_set_set(&search->readers, reader,
						(uint32_t)search->out->connections.count);
}

static const char *local_address(const struct search *search, uint32_t descriptor)
{
	const char *local = descriptor == SW_NO_DESCRIPTOR
				    ? NULL
				    : search->descriptors->list.items[descriptor].local;
	return local ? local : "?";
}

static void add_server_conn(struct search *search, const struct sw_instance *instance)
{
	const struct sw_live *live = search->live;
	struct sw_value server;
	uint64_t state;

	if (!sw_value_pointee(&live->reader, instance->value, "server", &server) ||
	    !sw_value_word(&live->reader, instance->value, "curState", &state)) {
		search->out->damaged++;
		return;
	}
	state &= 0xff; /* below the time at which it began */
	enum sw_http_state known = state == STATE_NEW	   ? SW_HTTP_NEW
				   : state == STATE_ACTIVE ? SW_HTTP_ACTIVE
				   : state == STATE_IDLE   ? SW_HTTP_IDLE
							   : SW_HTTP_CLOSED;
	uint32_t descriptor = descriptor_of(search, instance->value, "rwc");
	add_connection(search, instance,
		       pool_of(search, server, SW_HTTP_SERVER, local_address(search, descriptor)),
		       known, descriptor);
}

/* It is in no pool by host that says so: the host is where it leads. */
static void add_http2_conn(struct search *search, const struct sw_instance *instance)
{
	const struct sw_live *live = search->live;
	struct sw_value conn = instance->value, transport, streams;
	struct sw_map_size size;
	char host[MAX_HOST];

	if (!sw_value_pointee(&live->reader, conn, "t", &transport) ||
	    !sw_value_field(&live->reader, conn, "streams", &streams) ||
	    !sw_value_map_size(&live->reader, streams, &size)) {
		search->out->damaged++;
		return;
	}
	uint32_t descriptor = descriptor_of(search, conn, "tconn");
	const char *remote = descriptor == SW_NO_DESCRIPTOR
				     ? NULL
				     : search->descriptors->list.items[descriptor].remote;
	snprintf(host, sizeof(host), "https://%s", remote ? remote : "?");
	uint32_t pool = pool_of(search, transport, SW_HTTP_CLIENT, host);
	enum sw_http_state state = sw_value_flag(&live->reader, conn, "closed") ? SW_HTTP_CLOSED
				   : size.count					? SW_HTTP_ACTIVE
										: SW_HTTP_IDLE;
	if (pool != SW_NO_POOL) {
		search->out->pools.items[pool].is_http2 = true;
		search->out->pools.items[pool].streams += size.count;
	}
	add_connection(search, instance, pool, state, descriptor);
}

/* google.golang.org/grpc 1.85: ClientConn{target} ← addrConn{cc, transport} → http2Client{conn,
 * activeStreams}. */
static void add_grpc_conn(struct search *search, const struct sw_instance *instance)
{
	const struct sw_live *live = search->live;
	struct sw_value owner, transport, streams;
	struct sw_map_size size;
	char target[MAX_NAME], host[MAX_HOST];

	if (is_nil(live, instance->value, "transport"))
		return; /* not connected */
	if (!sw_value_pointee(&live->reader, instance->value, "cc", &owner) ||
	    !sw_value_string(&live->reader, owner, "target", target, sizeof(target)) ||
	    !sw_value_behind(&live->reader, instance->value, "transport", &transport) ||
	    !sw_value_field(&live->reader, transport, "activeStreams", &streams) ||
	    !sw_value_map_size(&live->reader, streams, &size)) {
		search->out->damaged++;
		return;
	}
	snprintf(host, sizeof(host), "grpc %s", target);
	uint32_t pool = pool_of(search, owner, SW_HTTP_CLIENT, host);
	if (pool != SW_NO_POOL) {
		search->out->pools.items[pool].is_http2 = true;
		search->out->pools.items[pool].streams += size.count;
	}
	add_connection(search, instance, pool, size.count ? SW_HTTP_ACTIVE : SW_HTTP_IDLE,
		       descriptor_of(search, transport, "conn"));
}

/* ---- bodies ---- */

/* bodyEOFSignal{body → *body{src → *io.LimitedReader{R → *bufio.Reader}, or → *chunkedReader{r}, or
 * → *bufio.Reader}}. 0: it is not of this kind (HTTP/2). */
static sw_addr reader_of(const struct sw_live *live, struct sw_value signal)
{
	const struct sw_value_reader *reader = &live->reader;
	struct sw_value body, source, inner;
	uint64_t chunked;

	if (!sw_value_behind(reader, signal, "body", &body) ||
	    !sw_value_behind(reader, body, "src", &source))
		return 0;
	if (sw_value_behind(reader, source, "R", &inner))
		return inner.addr;
	if (sw_value_word(reader, source, "r", &chunked))
		return chunked;
	return source.addr;
}

static void add_body(struct search *search, const struct sw_instance *instance)
{
	const struct sw_live *live = search->live;
	struct sw_value signal = instance->value;

	if (sw_value_flag(&live->reader, signal, "closed") || !is_nil(live, signal, "rerr"))
		return;
	const uint32_t *place = address_set_find(&search->readers, reader_of(live, signal));
	if (!place)
		return;
	struct sw_http_connection *connection = &search->out->connections.items[*place - 1];
	connection->body = signal;
	connection->body_keeper = sw_keeper_of(live, search->keepers, signal.addr);
	/* The reader may be in main's own hands. */
	if (connection->body_keeper == SW_KEPT_BY_PROGRAM && instance->object != SW_NO_OBJECT &&
	    sw_keeper_is_at_hand(live, search->keepers, instance->object, false))
		connection->body_keeper = SW_KEPT_BY_GOROUTINE;
}

static bool is_no_connection(void *context, sw_object referrer)
{
	const struct sw_http_connection *connection = context;
	return referrer != connection->object;
}

/* A body that is of no known type holds the connection's reader all the same. */
static void look_for_body(struct search *search, struct sw_http_connection *connection)
{
	const struct sw_live *live = search->live;
	sw_addr reader;

	if (connection->state != SW_HTTP_BODY || connection->body.type ||
	    !sw_value_word(&live->reader, connection->value, "br", &reader))
		return;
	sw_object object = sw_heap_object(live->heap, reader);
	if (object != SW_NO_OBJECT)
		connection->body_keeper = sw_keeper_of_referrers(live, search->keepers, object,
								 is_no_connection, connection);
}

/* ---- all of them ---- */

static void add_all(struct search *search, unsigned first, unsigned last,
		    void add(struct search *, const struct sw_instance *))
{
	for (size_t i = 0; i < search->found.count && !search->error; i++)
		if (search->found.items[i].wanted >= first && search->found.items[i].wanted <= last)
			add(search, &search->found.items[i]);
}

static void count_connections(struct sw_http *http)
{
	for (size_t i = 0; i < http->connections.count; i++) {
		const struct sw_http_connection *connection = &http->connections.items[i];
		struct sw_http_pool *pool = &http->pools.items[connection->pool];
		pool->fresh += connection->state == SW_HTTP_NEW;
		pool->active += connection->state == SW_HTTP_ACTIVE;
		pool->idle += connection->state == SW_HTTP_IDLE;
		pool->bodies += connection->state == SW_HTTP_BODY;
		pool->lost_bodies += connection->state == SW_HTTP_BODY &&
				     connection->body_keeper >= SW_KEPT_BY_LIBRARY;
	}
}

struct sw_error *sw_http_find(const struct sw_live *live, const struct sw_keepers *keepers,
			      const struct sw_descriptors *descriptors, struct sw_http *out)
{
	struct search search = {
		.live = live, .keepers = keepers, .descriptors = descriptors, .out = out};

	memset(out, 0, sizeof(*out));
	search.error = sw_live_collect(live, wanted, &search.found);
	add_all(&search, TRANSPORT, TRANSPORT, walk_transport);
	add_all(&search, PERSIST_CONN, PERSIST_CONN, walk_transport_of);
	add_all(&search, PERSIST_CONN, PERSIST_CONN, add_persist_conn);
	add_all(&search, HTTP2_CONN, HTTP2_CONN_X, add_http2_conn);
	add_all(&search, GRPC_CONN, GRPC_CONN, add_grpc_conn);
	add_all(&search, SERVER_CONN, SERVER_CONN, add_server_conn);
	add_all(&search, BODY, BODY, add_body);
	for (size_t i = 0; !search.error && i < out->connections.count; i++)
		look_for_body(&search, &out->connections.items[i]);
	count_connections(out);
	sw_instances_free(&search.found);
	address_set_free(&search.owners);
	address_set_free(&search.pools);
	address_set_free(&search.walked);
	address_set_free(&search.idle);
	address_set_free(&search.readers);
	if (search.error)
		sw_http_free(out);
	return search.error;
}

void sw_http_free(struct sw_http *http)
{
	for (size_t i = 0; i < http->pools.count; i++)
		free(http->pools.items[i].host);
	sw_http_pools_free(&http->pools);
	sw_http_connections_free(&http->connections);
	memset(http, 0, sizeof(*http));
}
