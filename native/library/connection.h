/* HTTP connections: of each Transport by host, and of each Server; those of gRPC clients; and
 * response bodies that nobody has closed. The structs are those of Go 1.18–1.27,
 * net/http/transport.go, transfer.go, server.go, h2_bundle.go (1.27: internal/http2). */
#ifndef SW_LIBRARY_CONNECTION_H
#define SW_LIBRARY_CONNECTION_H

#include "library/descriptor.h"

#define SW_NO_POOL UINT32_MAX

enum sw_http_side { SW_HTTP_CLIENT, SW_HTTP_SERVER };

enum sw_http_state {
	SW_HTTP_NEW,	/* of a server: no request so far */
	SW_HTTP_ACTIVE, /* a request is under way */
	SW_HTTP_BODY, /* of a client: the response has come, its body is neither read nor closed */
	SW_HTTP_IDLE, /* kept for the next request */
	SW_HTTP_CLOSED, /* and not yet forgotten; a hijacked one, which is the program's own */
};

/* The connections of a Transport to a host, or of a Server. */
struct sw_http_pool {
	struct sw_value owner; /* net/http.Transport, Server, grpc.ClientConn */
	sw_object object;      /* that it is in; SW_NO_OBJECT: a variable */
	enum sw_http_side side;
	enum sw_keeper keeper; /* of the owner */
	bool is_http2;
	bool is_first; /* of its owner's */
	char *host; /* "https://api.example.com:443", with " by PROXY"; the address of a server */
	uint32_t fresh, active, bodies, idle;
	uint32_t lost_bodies; /* of `bodies`: nothing of the program's can close them any more */
	uint64_t streams;     /* of HTTP/2, under way */
	uint64_t waiting;     /* requests that wait for a connection */
};
SW_VECTOR(struct sw_http_pool, sw_http_pools);

struct sw_http_connection {
	struct sw_value value; /* net/http.persistConn, conn, http2ClientConn, grpc.addrConn */
	sw_object object;
	uint32_t pool;	     /* by place */
	uint32_t descriptor; /* by place; SW_NO_DESCRIPTOR: not a descriptor's, or gone */
	enum sw_http_state state;
	enum sw_keeper keeper;
	struct sw_value body; /* of SW_HTTP_BODY, what the program may close; type 0: it is gone */
	enum sw_keeper body_keeper;
};
SW_VECTOR(struct sw_http_connection, sw_http_connections);

struct sw_http {
	struct sw_http_pools pools; /* by owner and host, in order of address */
	struct sw_http_connections connections;
	uint64_t damaged; /* connections and pools that could not be read */
};

struct sw_error *sw_http_find(const struct sw_live *live, const struct sw_keepers *keepers,
			      const struct sw_descriptors *descriptors, struct sw_http *out);
void sw_http_free(struct sw_http *http);

#endif
