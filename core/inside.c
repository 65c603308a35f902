/* SPDX-License-Identifier: MIT */
#include "inside.h"

#include "message.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78 /* newer than some headers */
#endif

enum {
	DNS_PORT = 53,
	BACKLOG = 511,
	LOOPBACK = 1 /* the index of each namespace's first device */
};

/* Routes */

struct request {
	struct nlmsghdr header;
	union {
		struct rtmsg route;
		struct ifaddrmsg address;
	};
	char attributes[64];
};

static void add_attribute(struct request *request, uint16_t type, const void *data, size_t size)
{
	struct rtattr *at =
		(struct rtattr *)(void *)((char *)request + NLMSG_ALIGN(request->header.nlmsg_len));
	at->rta_type = type;
	at->rta_len = (uint16_t)RTA_LENGTH(size);
	memcpy(RTA_DATA(at), data, size);
	request->header.nlmsg_len =
		NLMSG_ALIGN(request->header.nlmsg_len) + (uint32_t)RTA_ALIGN(at->rta_len);
}

static int ask_kernel(const struct request *request)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[256];
	} answer;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return -errno;
	int error = 0;
	if (send(fd, request, request->header.nlmsg_len, 0) < 0 ||
	    recv(fd, &answer, sizeof(answer), 0) < 0)
		error = -errno;
	else if (answer.header.nlmsg_type == NLMSG_ERROR)
		error = answer.error.error;
	close(fd);
	return error;
}

static int add_local(int family, const void *address, unsigned size, unsigned bits)
{
	const uint32_t device = LOOPBACK;
	struct request request = {
		.header = { .nlmsg_len = NLMSG_LENGTH(sizeof(request.route)),
			    .nlmsg_type = RTM_NEWROUTE,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE },
		.route = { .rtm_family = (unsigned char)family,
			   .rtm_dst_len = (unsigned char)bits,
			   .rtm_table = RT_TABLE_LOCAL,
			   .rtm_protocol = RTPROT_STATIC,
			   .rtm_scope = RT_SCOPE_HOST,
			   .rtm_type = RTN_LOCAL },
	};
	add_attribute(&request, RTA_DST, address, size);
	add_attribute(&request, RTA_OIF, &device, sizeof(device));
	return ask_kernel(&request);
}

/* Without an address but 127.0.0.1 there is no IPv4 for getaddrinfo(3) with AI_ADDRCONFIG. */
static int add_address(const struct in_addr *address)
{
	struct request request = {
		.header = { .nlmsg_len = NLMSG_LENGTH(sizeof(request.address)),
			    .nlmsg_type = RTM_NEWADDR,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE },
		.address = { .ifa_family = AF_INET,
			     .ifa_prefixlen = 32,
			     .ifa_scope = RT_SCOPE_HOST,
			     .ifa_index = LOOPBACK },
	};
	add_attribute(&request, IFA_LOCAL, address, sizeof(*address));
	add_attribute(&request, IFA_ADDRESS, address, sizeof(*address));
	return ask_kernel(&request);
}

int inside_make_routes(void)
{
	struct in_addr range = { .s_addr = htonl(INSIDE_RANGE) };
	struct in_addr own = { .s_addr = htonl(INSIDE_RANGE + INSIDE_OWN) };
	int error = add_local(AF_INET, &range, sizeof(range), INSIDE_RANGE_BITS);
	return error < 0 ? error : add_address(&own);
}

int inside_add_route(const struct in6_addr *address)
{
	if (IN6_IS_ADDR_V4MAPPED(address))
		return add_local(AF_INET, &address->s6_addr[12], 4, 32);
	return add_local(AF_INET6, address, sizeof(*address), 128);
}

/* Sockets */

union any_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t fill(union any_address *to, const struct in6_addr *address, uint16_t port)
{
	memset(to, 0, sizeof(*to));
	if (IN6_IS_ADDR_V4MAPPED(address)) {
		to->v4.sin_family = AF_INET;
		to->v4.sin_port = htons(port);
		memcpy(&to->v4.sin_addr, &address->s6_addr[12], sizeof(to->v4.sin_addr));
		return sizeof(to->v4);
	}
	to->v6.sin6_family = AF_INET6;
	to->v6.sin6_port = htons(port);
	to->v6.sin6_addr = *address;
	return sizeof(to->v6);
}

/* -EINPROGRESS is told by the socket itself, later. */
static int make(enum inside_wish wish, const struct in6_addr *address, uint16_t port)
{
	union any_address place;
	socklen_t size = fill(&place, address, port);
	int on = 1, mark = INSIDE_MARK, error = 0;
	int fd = socket(place.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (wish == INSIDE_CONNECT) {
		if (connect(fd, &place.any, size) < 0 && errno != EINPROGRESS)
			error = -errno;
	} else if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
		   setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, &mark, sizeof(mark)) < 0 ||
		   /* A route makes one of IPv4 local, but one of IPv6 would have to be a device's.
		    */
		   (place.any.sa_family == AF_INET6 &&
		    setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on)) < 0) ||
		   bind(fd, &place.any, size) < 0 || listen(fd, BACKLOG) < 0) {
		error = -errno;
	}
	if (error == 0)
		return fd;
	close(fd);
	return error;
}

static const struct in6_addr loopback = { .s6_addr = { [10] = 0xff, 0xff, 127, 0, 0, 1 } };

static int open_dns(void)
{
	union any_address place;
	socklen_t size = fill(&place, &loopback, DNS_PORT);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, &place.any, size) == 0)
		return fd < 0 ? -errno : fd;
	int error = -errno;
	close(fd);
	return error;
}

int inside_open(int ends[static INSIDE_ENDS], int *own)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	ends[INSIDE_INIT] = pair[0];
	*own = pair[1];
	ends[INSIDE_DNS] = open_dns();
	ends[INSIDE_DNS_TCP] = make(INSIDE_LISTEN, &loopback, DNS_PORT);
	for (int i = 0; i < INSIDE_ENDS; i++)
		if (ends[i] < 0)
			return ends[i];
	return 0;
}

int inside_serve(int own)
{
	struct inside_request request;
	int descriptors[MESSAGE_DESCRIPTORS];
	ssize_t size =
		message_receive(own, &request, sizeof(request), descriptors, NULL, MSG_DONTWAIT);
	for (int i = 0; i < MESSAGE_DESCRIPTORS; i++)
		if (descriptors[i] >= 0)
			close(descriptors[i]);
	if (size < 0)
		return size == -EAGAIN || size == -EINTR ? 0 : (int)size;
	if (size != sizeof(request))
		return -EPIPE;
	int fd = make((enum inside_wish)request.wish, &request.address, request.port);
	struct inside_reply reply = { .id = request.id, .result = fd < 0 ? fd : 0 };
	int error = message_send(own, &reply, sizeof(reply), &fd, fd >= 0, MSG_DONTWAIT);
	if (fd >= 0)
		close(fd);
	return error == -EAGAIN ? 0 : error; /* who does not take answers gets none */
}
