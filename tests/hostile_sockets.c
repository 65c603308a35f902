/* SPDX-License-Identifier: MIT */
/* Sockets: families that a sandbox has no use for, and what listens outside. */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "hostile.h"

#define PROTOCOL_MPTCP 262
#define FAMILY_XDP 44
#define REPLY_MS 1000

#define SOCKET(name, family, type, protocol)                                        \
	static struct outcome name(const char *object)                              \
	{                                                                           \
		(void)object;                                                       \
		return outcome_of(socket(family, (type) | SOCK_CLOEXEC, protocol)); \
	}

SOCKET(netlink_netfilter, AF_NETLINK, SOCK_RAW, 12)
SOCKET(vsock, AF_VSOCK, SOCK_STREAM, 0)
SOCKET(packet, AF_PACKET, SOCK_RAW, 0)
SOCKET(algorithms, AF_ALG, SOCK_SEQPACKET, 0)
SOCKET(xdp, FAMILY_XDP, SOCK_RAW, 0)
SOCKET(bluetooth, AF_BLUETOOTH, SOCK_RAW, 1)
SOCKET(can, AF_CAN, SOCK_RAW, 1)
SOCKET(raw_ip, AF_INET, SOCK_RAW, IPPROTO_ICMP)
SOCKET(sctp, AF_INET, SOCK_STREAM, IPPROTO_SCTP)
SOCKET(mptcp, AF_INET, SOCK_STREAM, PROTOCOL_MPTCP)
/* An address that nobody uses, given to the loopback and taken back. */
static struct outcome change_addresses(int fd, uint16_t type, uint16_t flags)
{
	struct {
		struct nlmsghdr head;
		struct ifaddrmsg body;
		struct rtattr attribute;
		uint8_t address[4];
	} request = {
		.head = { sizeof(request), type, (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags), 1,
			  0 },
		.body = { .ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = 1 },
		.attribute = { sizeof(struct rtattr) + 4, IFA_LOCAL },
		.address = { 127, 77, 77, 77 },
	};
	struct {
		struct nlmsghdr head;
		struct nlmsgerr body;
	} reply = { .body.error = -ENODATA };

	if (send(fd, &request, sizeof(request), 0) < 0 || recv(fd, &reply, sizeof(reply), 0) < 0)
		return denied(errno);
	errno = -reply.body.error;
	return outcome_of(reply.body.error);
}

static struct outcome netlink_route(const char *object)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct outcome outcome;

	(void)object;
	if (fd < 0)
		return denied(errno);
	outcome = change_addresses(fd, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
	if (outcome.verdict == ESCAPED)
		change_addresses(fd, RTM_DELADDR, 0);
	close(fd);
	return outcome;
}

SOCKET(netlink_high, (int)(AF_NETLINK | 1u << 31), SOCK_RAW, 0)

static struct outcome connect_unix(const char *name, bool abstract)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct outcome outcome;

	if (fd < 0)
		return denied(errno);
	if (length + 1 >= sizeof(address.sun_path))
		return untestable("the name is too long");
	memcpy(address.sun_path + abstract, name, length);
	length += offsetof(struct sockaddr_un, sun_path) + 1;
	outcome = outcome_of(connect(fd, (struct sockaddr *)&address, (socklen_t)length));
	close(fd);
	return outcome;
}

static struct outcome unix_abstract(const char *object)
{
	return connect_unix(object, true);
}

static struct outcome unix_path(const char *object)
{
	return connect_unix(object, false);
}

/* Sockets that give the machine away to whoever reaches them. */
static struct outcome unix_known(const char *object)
{
	static const char *const known[] = {
		"/run/docker.sock",        "/run/containerd/containerd.sock",
		"/run/podman/podman.sock", "/run/dbus/system_bus_socket",
		"/run/systemd/private",    "/run/systemd/journal/stdout",
		"/run/snapd.socket",       "/run/nscd/socket",
		"/tmp/.X11-unix/X0",
	};
	struct outcome outcome = denied(ENOENT);

	(void)object;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		struct outcome one = connect_unix(known[i], false);

		if (one.verdict == ESCAPED)
			return escaped("%s", known[i]);
		if (one.error != ENOENT)
			outcome = one;
	}
	return outcome;
}

static struct sockaddr_in loopback(const char *port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

static struct outcome connect_tcp(const char *port, int protocol)
{
	const struct sockaddr_in address = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		return denied(errno);
	return outcome_of(connect(fd, (const struct sockaddr *)&address, sizeof(address)));
}

static struct outcome tcp(const char *object)
{
	return connect_tcp(object, 0);
}

static struct outcome tcp_by_mptcp(const char *object)
{
	return connect_tcp(object, PROTOCOL_MPTCP);
}

/* An IPv6 socket reaches IPv4 as well. */
static struct outcome tcp_by_ipv6(const char *object)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6 };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return denied(errno);
	address.sin6_port = htons((uint16_t)strtoul(object, NULL, 10));
	memcpy(&address.sin6_addr, (const uint8_t[16]){ [10] = 0xff, 0xff, 127, 0, 0, 1 }, 16);
	return outcome_of(connect(fd, (const struct sockaddr *)&address, sizeof(address)));
}

/* A connect that is none: Landlock isn't asked for the port. */
static struct outcome tcp_fast_open(const char *object)
{
	const struct sockaddr_in address = loopback(object);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return denied(errno);
	return outcome_of(sendto(fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL,
				 (const struct sockaddr *)&address, sizeof(address)));
}

/* Likewise a listener that was never bound. */
static struct outcome tcp_listen(const char *object)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)object;
	return fd < 0 ? denied(errno) : outcome_of(listen(fd, 1));
}

static struct outcome udp(const char *object)
{
	const struct sockaddr_in address = loopback(object);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct pollfd reply = { .fd = fd, .events = POLLIN };
	char byte;

	if (fd < 0)
		return denied(errno);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    send(fd, "x", 1, 0) < 0)
		return denied(errno);
	if (poll(&reply, 1, REPLY_MS) <= 0)
		return denied(ETIMEDOUT);
	return outcome_of(recv(fd, &byte, 1, 0));
}

/* Network devices but the loopback. */
static struct outcome interfaces(const char *object)
{
	FILE *file = fopen("/proc/net/dev", "re");
	char line[256];
	struct outcome outcome = denied(0);

	(void)object;
	if (file == NULL)
		return denied(errno);
	while (fgets(line, sizeof(line), file) != NULL) {
		char *colon = strchr(line, ':');

		if (colon == NULL)
			continue;
		*colon = '\0';
		if (strcmp(line + strspn(line, " "), "lo") != 0)
			outcome = escaped("%.40s", line + strspn(line, " "));
	}
	fclose(file);
	return outcome;
}

static struct outcome connections(const char *object)
{
	FILE *file = fopen("/proc/net/tcp", "re");
	char line[256];
	int count = -1; /* there is a heading */

	(void)object;
	if (file == NULL)
		return denied(errno);
	while (fgets(line, sizeof(line), file) != NULL)
		count++;
	fclose(file);
	return count > 0 ? escaped("%d are seen", count) : denied(0);
}

const struct probe socket_probes[] = {
	{ "netlink", ROOT, NULL, false, 0, netlink_route, "the network's configuration" },
	{ "netlink-netfilter", MACHINE, NULL, false, 0, netlink_netfilter, "packet filters" },
	{ "netlink-high", MACHINE, NULL, false, 0, netlink_high, "a family with a high bit" },
	{ "vsock", MACHINE, NULL, false, 0, vsock, "the hypervisor" },
	{ "packet", ROOT, NULL, false, 0, packet, "frames" },
	{ "alg", MACHINE, NULL, false, 0, algorithms, "the kernel's cryptography" },
	{ "xdp", MACHINE, NULL, false, 0, xdp, "express data path" },
	{ "bluetooth", MACHINE, NULL, false, 0, bluetooth, "radios" },
	{ "can", MACHINE, NULL, false, 0, can, "field buses" },
	{ "raw", ROOT, NULL, false, 0, raw_ip, "IP packets" },
	{ "sctp", MACHINE, NULL, false, 0, sctp, "a protocol that loads a module" },
	{ "mptcp", MACHINE, NULL, false, 0, mptcp, "TCP that Landlock doesn't know" },
	{ "unix-abstract", OBJECT, "HOSTILE_ABSTRACT", false, 0, unix_abstract,
	  "a service outside" },
	{ "unix-path", OBJECT, "HOSTILE_UNIX", false, 0, unix_path, "a service outside" },
	{ "unix-known", MACHINE, NULL, false, 0, unix_known, "well-known services" },
	{ "tcp", OBJECT, "HOSTILE_TCP", false, 0, tcp, "a service outside" },
	{ "tcp-ipv6", OBJECT, "HOSTILE_TCP", false, 0, tcp_by_ipv6, "the same by IPv6" },
	{ "tcp-mptcp", OBJECT, "HOSTILE_TCP", false, 0, tcp_by_mptcp, "the same by MPTCP" },
	{ "tcp-fast-open", OBJECT, "HOSTILE_TCP", false, 0, tcp_fast_open, "without connect" },
	{ "tcp-listen", ANYONE, NULL, true, 0, tcp_listen, "a port, in the host's network" },
	{ "udp", OBJECT, "HOSTILE_UDP", false, 0, udp, "a service outside" },
	{ "interfaces", MACHINE, NULL, false, 0, interfaces, "the host's network" },
	{ "connections", MACHINE, NULL, false, 0, connections, "whom the host talks to" },
	{ NULL, ANYONE, NULL, false, 0, NULL, NULL },
};
