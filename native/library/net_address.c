#include "library/net_address.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>

enum { IPV4 = 4, IPV6 = 16 };

static const uint8_t mapped[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* net.IP: 4 or 16 bytes, none for "any". */
static bool read_ip(const struct sw_live *live, struct sw_value of, char *out, size_t size,
		    bool *is_v6)
{
	struct sw_value_array array;
	uint8_t bytes[IPV6];

	*out = 0;
	*is_v6 = false;
	if (!sw_value_array(&live->reader, of, "IP", &array) || array.elem_size != 1)
		return false;
	if (!array.len)
		return true;
	if ((array.len != IPV4 && array.len != IPV6) ||
	    !sw_memory_read(live->go->memory, array.data, bytes, array.len))
		return false;
	if (array.len == IPV4)
		return inet_ntop(AF_INET, bytes, out, (socklen_t)size);
	if (!memcmp(bytes, mapped, sizeof(mapped)))
		return inet_ntop(AF_INET, bytes + sizeof(mapped), out, (socklen_t)size);
	*is_v6 = true;
	return inet_ntop(AF_INET6, bytes, out, (socklen_t)size);
}

/* TCPAddr, UDPAddr {IP; Port; Zone}, IPAddr {IP; Zone}. */
static bool put_ip_address(const struct sw_live *live, struct sw_value of, char *out, size_t size)
{
	char ip[INET6_ADDRSTRLEN], zone[32];
	uint64_t port;
	bool is_v6;

	if (!read_ip(live, of, ip, sizeof(ip), &is_v6))
		return false;
	sw_value_string(&live->reader, of, "Zone", zone, sizeof(zone));
	const char *percent = *zone ? "%" : "";
	if (!sw_value_word(&live->reader, of, "Port", &port))
		snprintf(out, size, "%s%s%s", ip, percent, zone);
	else if (port > UINT16_MAX)
		return false;
	else
		snprintf(out, size, is_v6 ? "[%s%s%s]:%" PRIu64 : "%s%s%s:%" PRIu64, ip, percent,
			 zone, port);
	return true;
}

bool sw_net_address(const struct sw_live *live, struct sw_value of, const char *path, char *out,
		    size_t size)
{
	struct sw_value address;

	*out = 0;
	if (!sw_value_behind(&live->reader, of, path, &address))
		return false;
	const char *type = sw_type_info(live->types, address.type)->name;
	if (!strcmp(type, "net.UnixAddr"))
		return sw_value_string(&live->reader, address, "Name", out, size);
	bool is_ip = !strcmp(type, "net.TCPAddr") || !strcmp(type, "net.UDPAddr") ||
		     !strcmp(type, "net.IPAddr");
	if (is_ip && put_ip_address(live, address, out, size))
		return true;
	*out = 0;
	return false;
}
