/* SPDX-License-Identifier: MIT */
/*
 * The lures are as easy to take as they can be: they belong to the same user as the session, who
 * may do anything with them outside. What refuses them inside is the sandbox, not a mode.
 */
#include "outside.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

#define SECRET "MIMOBOX_TEST_SECRET"
#define WRITTEN "this must stay\n"

const char *outside(const char *format, ...)
{
	static char paths[16][512];
	static unsigned next;
	char *path = paths[next++ % 16];
	va_list arguments;
	int length = snprintf(path, sizeof(*paths), "%s/", fixture.dir);

	va_start(arguments, format);
	vsnprintf(path + length, sizeof(*paths) - (size_t)length, format, arguments);
	va_end(arguments);
	return path;
}

/* Users */

void outside_prepare(void)
{
	fixture_private_mounts();
	fixture_prepare();
	sh("cd $M/.. && mkdir etc && mount -t tmpfs -o mode=755 none etc && cp -a /etc/. etc && "
	   "mount --bind etc /etc && mount --make-private /etc");
	sh(text("for u in 'ann %d' 'bob %d'; do set -- $u;"
		"useradd --no-create-home --home-dir /tmp --uid $2 --user-group mimo-$1; done",
		ANN, BOB));
	cr_assert_eq(setgroups(0, NULL), 0);
}

void outside_start(void)
{
	outside_prepare();
	setenv(SECRET, "told", 1);
	fixture_daemon(NULL);
}

void outside_stop(void)
{
	act_as(ROOT);
	fixture_stop();
}

void act_as(uid_t user)
{
	cr_assert_eq(seteuid(0), 0);
	cr_assert_eq(setegid(user), 0);
	cr_assert_eq(seteuid(user), 0);
}

void session_start_as(uid_t user, const char *name, const char *config)
{
	act_as(user);
	session_start(name, config);
	act_as(ROOT);
}

char *session_run_as(uid_t user, const char *name, const char *config, int *status)
{
	session_start_as(user, name, config);
	*status = session_exit(name);
	return plain(get(text("%s/output", name), NULL));
}

static unsigned lines_with(const char *whole, const char *part)
{
	unsigned count = 0;

	for (const char *at = whole; (at = strstr(at, part)); at += strlen(part))
		count++;
	return count;
}

const char *outside_landlock(bool ports)
{
	int version = fixture_landlock();

	if (ports && version < 4)
		return NULL;
	return version < 6 ? text("landlock %d\n", version) : "";
}

void start_refused(uid_t user, const char *name, const char *config, int error, const char *part)
{
	char *log;

	act_as(user);
	session_make(name);
	put_all(text("%s/config", name), config);
	put_refused(text("%s/ctl", name), "start\n", error);
	act_as(ROOT);
	log = get(text("%s/log", name), NULL);
	cr_expect_eq(lines_with(log, part), 1, "'%s' not once in the log of %s:\n%s", part, config,
		     log);
	cr_expect_str_eq(get_value(text("%s/status", name), "state"), "created");
}

void session_remove(const char *name)
{
	cr_assert_eq(rmdir(at("%s", name)), 0, "rmdir %s: %s", name, strerror(errno));
}

struct run run_as(uid_t user, const char *script)
{
	return run_for(60, (const char *const[]){ "setpriv", "--reuid", text("%u", user), "--regid",
						  text("%u", user), "--clear-groups", "sh", "-c",
						  script, NULL });
}

/* Files */

void outside_file(const char *path, const char *data, uid_t owner, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert(fd >= 0, "%s: %s", path, strerror(errno));
	cr_assert_eq(write(fd, data, strlen(data)), (ssize_t)strlen(data));
	cr_assert(fchown(fd, owner, owner) == 0 && fchmod(fd, mode) == 0);
	close(fd);
}

void outside_directory(const char *path, uid_t owner, mode_t mode)
{
	cr_assert(mkdir(path, 0700) == 0 && chown(path, owner, owner) == 0 &&
			  chmod(path, mode) == 0,
		  "%s: %s", path, strerror(errno));
}

char *outside_read(const char *path)
{
	char *data = keep(calloc(1, 65536));
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	cr_assert(fd >= 0, "%s: %s", path, strerror(errno));
	cr_assert_geq(read(fd, data, 65535), 0);
	close(fd);
	return data;
}

/* Lures */

struct sockets {
	uid_t owner;
	int udp;
};

/* Answers datagrams until it is killed. As any process of the owner's, it may be traced. */
static int answer(const void *data)
{
	const struct sockets *sockets = data;
	struct sockaddr_in from;
	char byte;

	if (setresgid(sockets->owner, sockets->owner, sockets->owner) < 0 ||
	    setresuid(sockets->owner, sockets->owner, sockets->owner) < 0 ||
	    prctl(PR_SET_DUMPABLE, 1) < 0)
		return 1;
	for (;;) {
		socklen_t size = sizeof(from);

		if (recvfrom(sockets->udp, &byte, 1, 0, (struct sockaddr *)&from, &size) < 0)
			return 1;
		sendto(sockets->udp, &byte, 1, 0, (struct sockaddr *)&from, size);
	}
}

static int loopback_socket(int type, uint16_t *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&address, size), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	if (type == SOCK_STREAM)
		cr_assert_eq(listen(fd, 64), 0);
	*port = ntohs(address.sin_port);
	return fd;
}

static void unix_socket(const char *name, bool abstract)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_lt(strlen(name) + 1, sizeof(address.sun_path));
	strcpy(address.sun_path + abstract, name);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address,
			  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name) + 1)),
		     0);
	cr_assert_eq(listen(fd, 64), 0);
	if (!abstract)
		cr_assert_eq(chmod(name, 0777), 0);
}

static const char *hostile(void)
{
	const char *path = getenv("HOSTILE");

	cr_assert(path && !access(path, X_OK), "HOSTILE: the program's path: run by meson test");
	return path;
}

void lures_lay(struct lures *lures, uid_t owner)
{
	struct sockets sockets = { .owner = owner };

	*lures = (struct lures){ .owner = owner };
	snprintf(lures->directory, sizeof(lures->directory), "%s", outside("lures-%u", owner));
	outside_directory(lures->directory, owner, 0755);
	outside_file(outside("lures-%u/read", owner), "secret\n", owner, 0600);
	outside_file(outside("lures-%u/write", owner), WRITTEN, owner, 0600);
	outside_file(outside("lures-%u/text", owner), "no program\n", owner, 0755);
	sh(text("cp %s %s/hostile; cp %s %s/suid; chmod 755 %s/hostile; chmod 4755 %s/suid",
		hostile(), lures->directory, hostile(), lures->directory, lures->directory,
		lures->directory));
	unix_socket(outside("lures-%u/socket", owner), false);
	unix_socket(text("mimobox-test-%d-%u", getpid(), owner), true);
	loopback_socket(SOCK_STREAM, &lures->tcp);
	loopback_socket(SOCK_STREAM, &lures->other_tcp);
	sockets.udp = loopback_socket(SOCK_DGRAM, &lures->udp);
	lures->pid = spawn_function(answer, &sockets);
}

static char *namespaces(void)
{
	static const char *const names[] = { "mnt", "pid", "net", "ipc", "uts", "user", "cgroup" };
	char *all = text("%s", "");

	for (unsigned i = 0; i < 7; i++) {
		char id[64] = "";

		cr_assert_gt(readlink(text("/proc/self/ns/%s", names[i]), id, sizeof(id) - 1), 0);
		all = text("%s %s", all, id);
	}
	return all + 1;
}

char *lures_environment(const struct lures *lures, const char *before, bool inside)
{
	const char *dir = lures->directory;
	const struct {
		const char *name;
		char *value;
	} variables[] = {
		{ "DIR", text("%s", inside ? "/tmp" : outside("scratch")) },
		{ "READ", text("%s/read", dir) },
		{ "WRITE", text("%s/write", dir) },
		{ "EXECUTE", text("%s/text", dir) },
		{ "INIT", inside ? text("1") : text("%d", lures->pid) },
		{ "PID", text("%d", lures->pid) },
		{ "NS", namespaces() },
		{ "ABSTRACT", text("mimobox-test-%d-%u", getpid(), lures->owner) },
		{ "UNIX", text("%s/socket", dir) },
		{ "TCP", text("%u", lures->tcp) },
		{ "UDP", text("%u", lures->udp) },
		{ "SESSIONFS", text("%s", fixture.mount) },
		{ "SUID", inside ? text("/srv/suid") : text("%s/suid", dir) },
		{ "SECRET", text("%s", SECRET) },
	};
	char *all = text("%s", "");

	for (size_t i = 0; i < sizeof(variables) / sizeof(*variables); i++)
		all = text("%s%sHOSTILE_%s=%s\n", all, before, variables[i].name,
			   variables[i].value);
	return all;
}

void lures_unchanged(const struct lures *lures)
{
	struct stat status;

	cr_expect_str_eq(outside_read(text("%s/write", lures->directory)), WRITTEN);
	cr_assert_eq(stat(text("%s/write", lures->directory), &status), 0);
	cr_expect(status.st_nlink == 1 && (status.st_mode & 07777) == 0600 &&
		  status.st_uid == lures->owner);
}
