/* SPDX-License-Identifier: MIT */
/* Ports that a session publishes: sockets of its directory, for its owner alone. */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"

TestSuite(names_ports, .init = outside_start, .fini = outside_stop, .timeout = 120);

/* Says its name, and then what it is told, until that ends. */
static const char server[] = "import socketserver, sys\n"
			     "class Echo(socketserver.StreamRequestHandler):\n"
			     "    def handle(self):\n"
			     "        self.wfile.write(b'inside\\n')\n"
			     "        for line in self.rfile: self.wfile.write(line)\n"
			     "        self.wfile.write(b'end\\n')\n"
			     "class Server(socketserver.ThreadingTCPServer):\n"
			     "    allow_reuse_address = True\n"
			     "    request_queue_size = 500\n"
			     "    address_family = 10 if ':' in sys.argv[1] else 2\n"
			     "with Server((sys.argv[1], int(sys.argv[2])), Echo) as s:\n"
			     "    print('ready', flush=True)\n"
			     "    s.serve_forever()\n";

static void start_server(uid_t user, const char *name, const char *network, const char *place)
{
	outside_file(outside("server.py"), server, ROOT, 0644);
	session_start_as(
		user, name,
		text("%s\nterminal no\nprocesses 600\nro %s:/srv/server.py\npublish 8080,80\n"
		     "command exec /usr/bin/python3 /srv/server.py %s 2>&1\n",
		     network, outside("server.py"), place));
	struct stream output;
	stream_open(&output, text("%s/output", name));
	stream_until(&output, "ready\n");
	stream_close(&output);
}

static int connect_to(const char *path)
{
	struct sockaddr_un place = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_lt(strlen(path), sizeof(place.sun_path));
	strcpy(place.sun_path, path);
	if (connect(fd, (struct sockaddr *)&place, sizeof(place)) == 0)
		return fd;
	int error = -errno;
	close(fd);
	return error;
}

static bool is_socket(const void *path)
{
	struct stat status;
	return stat(path, &status) == 0 && S_ISSOCK(status.st_mode);
}

/* All that comes until the end. */
static char *read_rest(int fd)
{
	char *data = text("%4096s", "");
	size_t size = 0;
	ssize_t count;
	while (poll_one(fd, POLLIN, 20000) && (count = read(fd, data + size, 4096 - size)) > 0)
		size += (size_t)count;
	data[size] = '\0';
	close(fd);
	return data;
}

static char *talk(int fd, const char *line)
{
	cr_assert_geq(fd, 0, "%s", strerror(-fd));
	cr_assert_eq(write(fd, line, strlen(line)), (ssize_t)strlen(line));
	shutdown(fd, SHUT_WR);
	return read_rest(fd);
}

static void check_served(const char *network, const char *place)
{
	start_server(ANN, "a", network, place);
	cr_assert(await(is_socket, at("a/ports/8080"), 10000), "%s", get("a/log", NULL));
	act_as(ANN);
	cr_expect_str_eq(talk(connect_to(at("a/ports/8080")), "x\n"), "inside\nx\nend\n");
	/* Where no program listens the connection ends. */
	int fd = connect_to(at("a/ports/80"));
	cr_assert_geq(fd, 0);
	cr_expect_str_eq(read_rest(fd), "");
	act_as(ROOT);
	session_remove("a");
}

Test(names_ports, served)
{
	check_served("network names", "127.0.0.1 8080");
	check_served("network none", "127.0.0.1 8080");
	check_served("network none\nends last-process", "::1 8080");
}

static const char files[] = "cd $M/a; ls ports; stat -c '%F %a %u' ports ports/8080";

Test(names_ports, are_of_their_owner_alone)
{
	start_server(ANN, "a", "network names", "0.0.0.0 8080");
	cr_assert(await(is_socket, at("a/ports/80"), 10000));
	cr_assert(await(is_socket, at("a/ports/8080"), 10000));
	cr_expect_str_eq(sh(files), text("80\n8080\ndirectory 700 %d\nsocket 600 %d\n", ANN, ANN));
	sh("chmod 755 $M/a");
	/* The owner shows others the directory, and gives them no socket. */
	act_as(ANN);
	cr_expect(chmod(at("a/ports"), 0777) < 0 && errno == EPERM);
	cr_expect_eq(chmod(at("a/ports"), 0755), 0);
	cr_expect(chmod(at("a/ports/8080"), 0666) < 0 && errno == EPERM);
	act_as(BOB);
	cr_expect_eq(connect_to(at("a/ports/8080")), -EACCES);
	act_as(ANN);
	cr_expect_str_eq(talk(connect_to(at("a/ports/8080")), ""), "inside\nend\n", "the control");
	cr_expect_eq(connect_to(at("a/ports/8081")), -ENOENT);
	/* No other names are made there. */
	cr_expect_eq(mknod(at("a/ports/8081"), S_IFSOCK | 0600, 0), -1);
	cr_expect_eq(errno, EPERM);
	cr_expect_eq(mknod(at("a/ports/8080"), S_IFSOCK | 0600, 0), -1);
	cr_expect_eq(errno, EEXIST);
	cr_expect_eq(mkdir(at("a/ports/x"), 0700), -1);
	cr_expect_eq(unlink(at("a/ports/8080")), -1);
	act_as(ROOT);
	/* Nothing listens outside. */
	cr_expect_str_eq(sh("grep -c ':1F90 00000000:0000 0A' /proc/net/tcp || :"), "0\n");
	int fd = connect_to(at("a/ports/8080"));
	char byte;
	cr_assert_geq(fd, 0, "root");
	cr_assert(poll_one(fd, POLLIN, 20000) && read(fd, &byte, 1) == 1 && byte == 'i');
	session_remove("a");
	/* With the session it has gone. */
	read_rest(fd);
	cr_expect_eq(connect_to(at("a/ports/8080")), -ENOENT);
}

Test(names_ports, by_a_hundred_at_once)
{
	enum { CLIENTS = 100 };
	int clients[CLIENTS];
	start_server(ANN, "a", "network names", "127.0.0.1 8080");
	cr_assert(await(is_socket, at("a/ports/8080"), 10000));
	act_as(ANN);
	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = connect_to(at("a/ports/8080"));
		cr_assert_geq(clients[i], 0, "%d: %s", i, strerror(-clients[i]));
	}
	for (int i = CLIENTS; i-- > 0;)
		cr_expect_str_eq(talk(clients[i], text("%d\n", i)), text("inside\n%d\nend\n", i));
	act_as(ROOT);
	session_remove("a");
}

static bool is_another(const void *before)
{
	pid_t now = fixture_server();
	return now > 0 && now != *(const pid_t *)before;
}

/* The sockets are the next server's, and the next relay's. */
Test(names_ports, after_a_servers_death)
{
	pid_t before = fixture_server();
	start_server(ANN, "a", "network none", "127.0.0.1 8080");
	cr_assert(await(is_socket, at("a/ports/8080"), 10000));
	for (int i = 0; i < 2; i++) {
		before = fixture_server();
		cr_assert_eq(kill(before, SIGKILL), 0);
		cr_assert(await(is_another, &before, 20000));
		cr_expect_str_eq(talk(connect_to(at("a/ports/8080")), "x\n"), "inside\nx\nend\n");
	}
	cr_assert_eq(kill(fixture_child(fixture.daemon, "mimobox-relay"), SIGKILL), 0);
	cr_expect_str_eq(talk(connect_to(at("a/ports/8080")), "x\n"), "inside\nx\nend\n");
	session_remove("a");
	fixture.crashed = true;
}

/* `mimobox forward`: as a port of this machine's loopback, until the session ends. */
Test(names_ports, forwarded)
{
	int status;
	start_server(ANN, "a", "network names", "127.0.0.1 8080");
	cr_assert(await(is_socket, at("a/ports/8080"), 10000));
	pid_t pid =
		spawn((const char *const[]){ "/bin/sh", "-c",
					     text("exec $CLIENT forward --mount %s a 8080:0 > %s",
						  fixture.mount, outside("address")),
					     NULL });
	cr_assert(await(is_socket, at("a/ports/8080"), 10000));
	sh(text("until [ -s %s ]; do sleep 0.02; done", outside("address")));
	const char *script =
		"import socket, sys\n"
		"host, port = open(sys.argv[1]).read().strip().rsplit(':', 1)\n"
		"all = [socket.create_connection((host, int(port))) for _ in range(100)]\n"
		"for i, s in enumerate(all):\n"
		"    s.sendall(b'%d\\n' % i); s.shutdown(socket.SHUT_WR)\n"
		"print(all and sum(s.makefile('rb').read() == b'inside\\n%d\\nend\\n' % i\n"
		"                  for i, s in enumerate(all)), host)\n";
	outside_file(outside("clients.py"), script, ROOT, 0644);
	cr_expect_str_eq(
		sh(text("/usr/bin/python3 %s %s", outside("clients.py"), outside("address"))),
		"100 127.0.0.1\n");
	put_all("a/ctl", "kill\n");
	cr_assert(ended(pid, 20000, &status));
	cr_expect_eq(status, 0);
	session_remove("a");
	struct run refused = run_shell("sh", "mkdir $M/b; $CLIENT forward --mount $M b 8080");
	cr_expect_eq(refused.status, 125);
	cr_expect(has(refused.err, "b: port 8080 is not published"), "%s", refused.err);
	cr_expect_eq(run_shell("sh", "$CLIENT forward --mount $M b x").status, 2);
	session_remove("b");
}
