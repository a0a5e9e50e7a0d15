/* Descriptors that Go code owns: files and sockets of packages os and net, with what the program
 * sees of them (an os.File, a net.TCPConn, a tls.Conn above it). The structs are those of Go
 * 1.18–1.27: internal/poll/fd_unix.go, os/file_unix.go, net/fd_posix.go. */
#ifndef SW_LIBRARY_DESCRIPTOR_H
#define SW_LIBRARY_DESCRIPTOR_H

#include "base/map.h"
#include "view/keeper.h"

#define SW_NO_DESCRIPTOR UINT32_MAX

enum sw_descriptor_kind {
	SW_DESCRIPTOR_FILE,	 /* of os: a file, a pipe, a terminal, … */
	SW_DESCRIPTOR_SOCKET,	 /* of net */
	SW_DESCRIPTOR_LISTENER,	 /* a socket of net that accepts connections */
	SW_DESCRIPTOR_DIRECTORY, /* an os.Root (1.24) */
	SW_DESCRIPTOR_OTHER,	 /* a poll.FD of somebody else's */
};

enum sw_descriptor_state {
	SW_DESCRIPTOR_OPEN,
	SW_DESCRIPTOR_CLOSING, /* Close was called while others still use it: open until they end */
	SW_DESCRIPTOR_CLOSED,
};

/* A tls.Conn above a socket. */
struct sw_tls {
	sw_addr addr; /* 0: none */
	bool is_client, is_established, is_close_sent;
	uint64_t buffer_bytes; /* capacity of its input and handshake buffers */
};

struct sw_descriptor {
	struct sw_value owner; /* os.file, net.netFD, os.root, a poll.FD by itself */
	struct sw_value user;  /* what the program has in hand: os.File, net.TCPConn, tls.Conn, …;
				* type 0: nothing was found */
	sw_object object;      /* that the owner is in; SW_NO_OBJECT: a variable, or garbage */
	int64_t number;	       /* -1 once closed */
	enum sw_descriptor_kind kind;
	enum sw_descriptor_state state;
	enum sw_keeper keeper;
	bool is_blocking;
	char *name;	      /* of a file; else NULL */
	char *net;	      /* "tcp", "udp", "unix"; else NULL */
	char *local, *remote; /* addresses of a socket; NULL: none */
	uint32_t waiting[2];  /* goroutines that wait for it, by place in go->goroutines */
	unsigned waiting_count;
	struct sw_tls tls;
};
SW_VECTOR(struct sw_descriptor, sw_descriptor_list);
SW_MAP(uint32_t, sw_descriptor_numbers);

struct sw_descriptors {
	struct sw_descriptor_list list;	       /* by number, then address; the closed ones last */
	struct sw_descriptor_numbers by_owner; /* private: place + 1 in the list */
	uint64_t damaged;		       /* that could not be read and are left out */
};

/* All that are live, and those that are garbage with a finalizer still to come. */
struct sw_error *sw_descriptors_find(const struct sw_live *live, const struct sw_keepers *keepers,
				     struct sw_descriptors *out);
void sw_descriptors_free(struct sw_descriptors *descriptors);

/* The descriptor behind a value of a file, a connection, a listener, or of something that wraps
 * one; by its place in the list, SW_NO_DESCRIPTOR when there is none. */
uint32_t sw_descriptor_behind(const struct sw_live *live, const struct sw_descriptors *descriptors,
			      struct sw_value value);

#endif
