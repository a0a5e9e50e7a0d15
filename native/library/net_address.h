/* Addresses of package net as Go prints them. */
#ifndef SW_LIBRARY_NET_ADDRESS_H
#define SW_LIBRARY_NET_ADDRESS_H

#include "view/live.h"

enum { SW_NET_ADDRESS = 160 }; /* bytes that are always enough: 108 of a Unix socket's path */

/* "127.0.0.1:80", "[fe80::1%eth0]:443", "/run/app.sock" of a net.Addr (a path from the value to the
 * interface); false and "" for nil and for what is none of package net's. */
bool sw_net_address(const struct sw_live *live, struct sw_value of, const char *path, char *out,
		    size_t size);

#endif
