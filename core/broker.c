/* SPDX-License-Identifier: MIT */
/*
 * Init has a copy of the caller's descriptor made (pidfd_getfd(2)) and does the call itself: what
 * it has looked at is what it acts on, whatever the program's other threads do meanwhile. Only
 * numbers in registers decide.
 */
#include "broker.h"

#include "broker_modes.h"
#include "caller.h"
#include "inside.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { RECEIVE_MAX = 65536 }; /* the kernel doubles it */
enum { INTERFACES_MAX = 256 };

static int option_of(int fd, int option)
{
	int value = -1;
	socklen_t size = sizeof(value);
	return getsockopt(fd, SOL_SOCKET, option, &value, &size) < 0 ? -1 : value;
}

static bool is_tcp(int fd)
{
	return option_of(fd, SO_PROTOCOL) == IPPROTO_TCP;
}

/* Listeners */

/*
 * They come first: the others would be many. The relay's (inside.c) do not count, since it accepts
 * at once, and has a bound of its own.
 */
static unsigned count_listeners(const char *path)
{
	enum { STATE = 3, FAST_OPEN = 16 };
	static const char listens[] = "0A";
	struct lines lines;
	char line[256];
	unsigned count = 0;
	if (!lines_open(&lines, path))
		return BROKER_LISTENERS;
	if (lines_next(&lines, line, sizeof(line)))
		while (count < BROKER_LISTENERS && lines_next(&lines, line, sizeof(line)) &&
		       strncmp(text_field(line, STATE), listens, 2) == 0)
			count += text_number(text_field(line, FAST_OPEN)) != INSIDE_MARK;
	close(lines.fd);
	return count;
}

/* Those that were closed are found out about only when there is no room. */
static bool has_room(struct broker *broker)
{
	if (broker->listeners >= BROKER_LISTENERS)
		broker->listeners = count_listeners("/proc/self/net/tcp") +
				    count_listeners("/proc/self/net/tcp6");
	return broker->listeners < BROKER_LISTENERS;
}

static int listen_bounded(struct broker *broker, int fd, unsigned backlog)
{
	bool counts = is_tcp(fd) && option_of(fd, SO_ACCEPTCONN) == 0;
	if (counts && !has_room(broker))
		return -ENOBUFS;
	/* The kernel compares it as a number without sign, too. */
	if (is_tcp(fd) && backlog > (unsigned)broker->backlog)
		backlog = (unsigned)broker->backlog;
	if (listen(fd, (int)backlog) < 0)
		return -errno;
	broker->listeners += counts;
	return 0;
}

/* Of one that cannot be looked at: the kernel bounds its queue, where it was told to. */
static bool queues_are_short(const struct broker *broker)
{
	struct lines lines;
	char line[32];
	if (!lines_open(&lines, "/proc/sys/net/core/somaxconn"))
		return false;
	bool is_short = lines_next(&lines, line, sizeof(line)) &&
			text_number(line) <= (uint64_t)broker->backlog;
	close(lines.fd);
	return is_short;
}

static int listen_unseen(struct broker *broker)
{
	if (!queues_are_short(broker))
		return -EPERM;
	if (!has_room(broker))
		return -ENOBUFS;
	broker->listeners++;
	return BROKER_GO_ON;
}

static int on_listen(struct broker *broker, int listener, const struct seccomp_notif *call)
{
	pid_t process;
	int fd = caller_borrow(listener, call, (int)call->data.args[0], &process);
	if (fd == -EBADF)
		return fd;
	if (fd < 0)
		return listen_unseen(broker);
	int error = listen_bounded(broker, fd, (unsigned)call->data.args[1]);
	close(fd);
	return error;
}

/* Buffers */

static int on_receive_buffer(int listener, const struct seccomp_notif *call)
{
	pid_t process;
	int value, error = 0, fd = caller_borrow(listener, call, (int)call->data.args[0], &process);
	if (fd < 0)
		return fd == -EBADF ? fd : 0; /* such a size is a wish */
	if ((uint32_t)call->data.args[4] < sizeof(value))
		error = -EINVAL;
	else if (!caller_read(process, call->data.args[3], &value, sizeof(value)))
		error = -EFAULT;
	else if (is_tcp(fd) && (value < 0 || value > RECEIVE_MAX))
		value = RECEIVE_MAX;
	if (error == 0 && setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, sizeof(value)) < 0)
		error = -errno;
	close(fd);
	return error;
}

/* Interfaces */

/* As the kernel: without a buffer the size that it takes; else what fits, in whole ones. */
static int list_interfaces(int fd, pid_t process, uint64_t at)
{
	static struct ifreq all[INTERFACES_MAX];
	struct ifconf ours = { .ifc_len = sizeof(all), .ifc_req = all };
	struct {
		int32_t length, unused;
		uint64_t buffer;
	} theirs;
	static_assert(sizeof(theirs) == sizeof(struct ifconf), "as the kernel reads it");
	if (!caller_read(process, at, &theirs, sizeof(theirs)))
		return -EFAULT;
	if (ioctl(fd, SIOCGIFCONF, &ours) < 0)
		return -errno;
	int length = ours.ifc_len;
	if (theirs.buffer) {
		int room = theirs.length < 0 ? 0 : theirs.length / (int)sizeof(*all);
		if (length > room * (int)sizeof(*all))
			length = room * (int)sizeof(*all);
		if (!caller_write(process, theirs.buffer, all, (size_t)length))
			return -EFAULT;
	}
	return caller_write(process, at, &length, sizeof(length)) ? 0 : -EFAULT;
}

static int on_interfaces(int listener, const struct seccomp_notif *call)
{
	struct stat status;
	pid_t process;
	int fd = caller_borrow(listener, call, (int)call->data.args[0], &process);
	if (fd < 0)
		return fd == -EBADF ? fd : -EPERM;
	int error = fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode)
			    ? list_interfaces(fd, process, call->data.args[2])
			    : -ENOTTY;
	close(fd);
	return error;
}

/* Netlink */

/*
 * An epoll holds no file: what it watches leaves it with the last descriptor, wherever that is.
 * The kernel lists what is there. (Its list of netlink sockets lacks those without an address.)
 */
static unsigned count_netlinks(const struct broker *broker)
{
	char path[48] = "/proc/self/fdinfo/", line[128];
	struct lines lines;
	unsigned count = 0;
	text_append(path, (unsigned)broker->netlinks);
	if (!lines_open(&lines, path))
		return BROKER_NETLINKS;
	while (lines_next(&lines, line, sizeof(line)))
		count += strncmp(line, "tfd:", 4) == 0;
	close(lines.fd);
	return count;
}

/* 0 or -errno; the descriptor stays the caller's. */
static int count_in(struct broker *broker, int fd)
{
	struct epoll_event none = { .events = 0 };
	if (!broker->has_netlinks) {
		broker->netlinks = epoll_create1(EPOLL_CLOEXEC);
		if (broker->netlinks < 0)
			return -errno;
		broker->has_netlinks = true;
	}
	if (count_netlinks(broker) >= BROKER_NETLINKS)
		return -ENOBUFS;
	return epoll_ctl(broker->netlinks, EPOLL_CTL_ADD, fd, &none) < 0 ? -errno : 0;
}

/* Made here and put among the caller's descriptors, so that no more are made than are counted. */
static int on_netlink(struct broker *broker, int listener, const struct seccomp_notif *call)
{
	int type = (int)call->data.args[1];
	int fd = socket(AF_NETLINK, type | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return -errno;
	struct seccomp_notif_addfd add = {
		.id = call->id,
		.flags = SECCOMP_ADDFD_FLAG_SEND,
		.srcfd = (uint32_t)fd,
		.newfd_flags = type & SOCK_CLOEXEC ? O_CLOEXEC : 0,
	};
	int error = count_in(broker, fd);
	if (error == 0 && ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0)
		error = -errno;
	close(fd);
	return error < 0 ? error : BROKER_ANSWERED;
}

/* Calls */

int broker_do(struct broker *broker, int listener, const struct seccomp_notif *call)
{
	switch (call->data.nr) {
	case SYS_listen:
		return on_listen(broker, listener, call);
	case SYS_setsockopt:
		return on_receive_buffer(listener, call);
	case SYS_ioctl:
		return on_interfaces(listener, call);
	case SYS_socket:
		return on_netlink(broker, listener, call);
	}
	return broker_set_mode(listener, call);
}
