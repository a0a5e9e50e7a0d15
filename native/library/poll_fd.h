/* internal/poll.FD, which files and connections have in them. */
#ifndef SW_LIBRARY_POLL_FD_H
#define SW_LIBRARY_POLL_FD_H

/* Of fdmu.state: Close was called (internal/poll/fd_mutex.go mutexClosed, in all releases). */
enum { SW_POLL_FD_CLOSED = 1 << 0 };

#endif
