/* SPDX-License-Identifier: MIT */
/*
 * mimobox forward: a port of this machine's loopback for one that a session publishes. Each
 * connection is a process of its own, which is all that a connection needs.
 */
#include "commands.h"
#include "place.h"
#include "report.h"
#include "session.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BACKLOG = 128, PIECE = 65536, CONNECTIONS_MAX = 512 };

struct forward {
	struct session session;
	unsigned port, local;
	int listener, exit;
	unsigned connections;
};

/* PORT or PORT:LOCAL. */
static bool parse_ports(const char *text, struct forward *forward)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10), local = port;
	if (*end == ':')
		local = strtoul(end + 1, &end, 10);
	forward->port = (unsigned)port;
	forward->local = (unsigned)local;
	return *text >= '0' && *text <= '9' && *end == '\0' && port >= 1 && port <= 65535 &&
	       local <= 65535;
}

static int listen_locally(struct forward *forward)
{
	struct sockaddr_in place = { .sin_family = AF_INET,
				     .sin_port = htons((uint16_t)forward->local),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(place);
	int on = 1;
	forward->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (forward->listener < 0 ||
	    setsockopt(forward->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(forward->listener, (struct sockaddr *)&place, sizeof(place)) < 0 ||
	    listen(forward->listener, BACKLOG) < 0 ||
	    getsockname(forward->listener, (struct sockaddr *)&place, &size) < 0)
		return -errno;
	forward->local = ntohs(place.sin_port);
	return 0;
}

/* By its directory: the whole path may be too long for an address. */
static int connect_to_session(const struct forward *forward)
{
	struct sockaddr_un place = { .sun_family = AF_UNIX };
	int directory = session_open(&forward->session, "ports", O_PATH | O_DIRECTORY);
	if (directory < 0)
		return directory;
	snprintf(place.sun_path, sizeof(place.sun_path), "/proc/self/fd/%d/%u", directory,
		 forward->port);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int error =
		fd < 0 || connect(fd, (struct sockaddr *)&place, sizeof(place)) < 0 ? -errno : 0;
	close(directory);
	if (error == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return error;
}

static bool write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t count = send(fd, data, size, MSG_NOSIGNAL);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return false;
		data += count;
		size -= (size_t)count;
	}
	return true;
}

/* One way, until its end. */
static void copy(int from, int to)
{
	static char data[PIECE];
	for (;;) {
		ssize_t count = read(from, data, sizeof(data));
		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0 || !write_all(to, data, (size_t)count))
			break;
	}
	shutdown(to, SHUT_WR);
}

/* The other way is a process, too, so that each waits for nothing but its own two ends. */
_Noreturn static void serve(const struct forward *forward, int client)
{
	int server = connect_to_session(forward);
	signal(SIGCHLD, SIG_DFL);
	if (server < 0) {
		const struct linger now = { .l_onoff = 1 };
		setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		_exit(1);
	}
	pid_t parent = getpid(), other = fork();
	if (other == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			copy(server, client);
		_exit(0);
	}
	if (other > 0) {
		copy(client, server);
		waitpid(other, NULL, 0);
	}
	_exit(0);
}

static void take(struct forward *forward)
{
	int client = accept4(forward->listener, NULL, NULL, SOCK_CLOEXEC);
	if (client < 0)
		return;
	pid_t parent = getpid();
	pid_t pid = forward->connections < CONNECTIONS_MAX ? fork() : -1;
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(forward->listener);
		if (getppid() == parent)
			serve(forward, client);
		_exit(1);
	}
	forward->connections += pid > 0;
	close(client);
}

static void reap(struct forward *forward)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		forward->connections--;
}

static void on_child(int number)
{
	(void)number; /* it ends poll(2) */
}

/* Until the session ends. */
static int run(struct forward *forward)
{
	struct pollfd events[] = { { .fd = forward->listener, .events = POLLIN },
				   { .fd = forward->exit, .events = POLLIN } };
	sigset_t none, children;
	sigemptyset(&none);
	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	sigprocmask(SIG_BLOCK, &children, NULL);
	signal(SIGCHLD, on_child);
	for (;;) {
		int count = ppoll(events, 2, NULL, &none);
		if (count < 0 && errno != EINTR)
			return report(STATUS_CLIENT, "%s", strerror(errno));
		reap(forward);
		if (count > 0 && events[1].revents)
			return 0;
		if (count > 0 && events[0].revents)
			take(forward);
	}
}

static int start(struct forward *forward)
{
	int fd = connect_to_session(forward);
	if (fd < 0 && fd != -ECONNREFUSED && fd != -EAGAIN)
		return report(STATUS_CLIENT,
			      "%s: port %u is not published: %s (config: publish %u)",
			      session_name(&forward->session), forward->port, strerror(-fd),
			      forward->port);
	if (fd >= 0)
		close(fd);
	forward->exit = session_open(&forward->session, "exit", O_RDONLY | O_NONBLOCK);
	int error = forward->exit < 0 ? forward->exit : listen_locally(forward);
	if (error < 0)
		return report(STATUS_CLIENT, "port %u: %s", forward->local, strerror(-error));
	printf("127.0.0.1:%u\n", forward->local);
	if (fflush(stdout) != 0)
		return report(STATUS_CLIENT, "standard output: write error");
	return run(forward);
}

int command_forward(int argc, char **argv)
{
	static const struct option longs[] = { { "mount", required_argument, NULL, 'm' }, { 0 } };
	const char *mount = NULL;
	int option;
	struct place place;
	struct forward forward = { .listener = -1, .exit = -1 };
	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (option != 'm')
			return STATUS_USAGE;
		mount = optarg;
	}
	if (argc - optind != 2)
		return report(STATUS_USAGE,
			      "forward takes a name and PORT or PORT:LOCAL; see mimobox --help");
	if (!parse_ports(argv[optind + 1], &forward))
		return report(STATUS_USAGE, "'%s': neither PORT nor PORT:LOCAL", argv[optind + 1]);
	int status = place_open(&place, mount);
	if (status == 0)
		status = session_find(&forward.session, &place, argv[optind]);
	return status ? status : start(&forward);
}
