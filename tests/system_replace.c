/* SPDX-License-Identifier: MIT */
/*
 * The program of a keeper is replaced while it is in use, again and again, and nobody sees any of
 * it; and by what it is not to be replaced, and by whom.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"
#include "crew.h"
#include "fixture.h"
#include "outside.h"

#include <kept_layout.h>
#include <replace.h>

#if defined(__SANITIZE_ADDRESS__)
enum { MANY = 10, KILLS = 4 };
#else
enum { MANY = 40, KILLS = 10 };
#endif
enum { GONE_MS = 20000, REPLACE_SECONDS = 40, TIMES = 10, SILENT = 20 };

static const char *other;
static pid_t server;

static char *copy_to(const char *program, const char *name)
{
	char *path = text("%s/%s", fixture.dir, name);

	sh(text("cp %s %s.new && mv %s.new %s", program, path, path, path));
	return path;
}

static void serve(void)
{
	fixture_daemon(NULL);
}

static void prepare(void)
{
	fixture_prepare();
	crew_begin();
	other = copy_to(mimoboxfs(), "other");
}

static void start(void)
{
	prepare();
	serve();
}

TestSuite(replace, .init = start, .fini = fixture_stop, .timeout = 200);
TestSuite(replace_of, .init = prepare, .fini = fixture_stop, .timeout = 200);

static struct run try_replace(const char *program)
{
	return run_for(REPLACE_SECONDS,
		       (const char *const[]){ program, "--replace", fixture.mount, NULL });
}

static char *program_of(pid_t pid)
{
	char path[512];
	ssize_t size = readlink(text("/proc/%d/exe", pid), path, sizeof(path) - 1);

	cr_assert(size > 0, "%s", strerror(errno));
	path[size] = '\0';
	return text("%s", path);
}

static void replace_by(const char *program)
{
	struct run done = try_replace(program);

	cr_assert_eq(done.status, 0, "status %d: %s%s", done.status, done.out, done.err);
	cr_assert_eq(done.out_size + done.err_size, 0, "%s%s", done.out, done.err);
	cr_assert_str_eq(program_of(fixture.daemon), program);
	cr_assert_str_eq(process_fact(fixture.daemon, "Name"), "mimoboxfs");
}

static void refused(const char *program, const char *reason)
{
	struct run done = try_replace(program);
	const char *newline = strchr(done.err, '\n');

	cr_assert_eq(done.status, 1, "status %d: %s%s", done.status, done.out, done.err);
	cr_assert(has(done.err, reason), "not '%s': %s", reason, done.err);
	cr_assert(newline && newline[1] == '\0', "not one line: %s", done.err);
	cr_assert_eq(done.out_size, 0, "%s", done.out);
}

static bool is_there(const void *unused)
{
	(void)unused;
	server = fixture_server();
	return server != 0 && process_state(server) != 'Z';
}

static void find_server(void)
{
	cr_assert(await(is_there, NULL, GONE_MS), "there is no server");
}

/* In use */

/* One with a row more in the middle of its table */

static void inodes_of(const char *name, char *to, size_t size)
{
	snprintf(to, size, "%s",
		 sh(text("cd $M/%s && stat -c '%%i %%n' . */ [a-lnp-z]* modes output", name)));
}

static bool has_reader(const void *unused)
{
	(void)unused;
	return strcmp(get_value("a/status", "readers"), "1") == 0;
}

/* Parked, and with a name that the kernel has known since before. */
Test(replace, one_with_a_row_more)
{
	const char *more = getenv("MORE_ROWS");
	char before[4096], after[4096], byte;
	char *output = text("%s/output", fixture.dir), *end = text("%s/exit", fixture.dir);
	pid_t readers[2];
	int status, fd;

	session_start("a", "command stty -echo; echo ready; read x; echo got $x; exit 7\n");
	get("a/wait/match@0:ready", NULL);
	inodes_of("a", before, sizeof(before));
	readers[0] = spawn((const char *const[]){
		"/bin/sh", "-c", text("exec cat %s/a/output >%s", fixture.mount, output), NULL });
	readers[1] = spawn((const char *const[]){
		"/bin/sh", "-c", text("exec cat %s/a/exit >%s", fixture.mount, end), NULL });
	cr_assert(await(has_reader, NULL, GONE_MS), "%s", get("a/status", NULL));
	replace_by(more);
	inodes_of("a", after, sizeof(after));
	cr_assert_str_eq(after, before);
	cr_assert(has(get("a/status", NULL), "state running"));
	cr_assert_str_eq(get("a/more", NULL), "more\n");
	fd = open(at("a/more"), O_RDONLY | O_CLOEXEC);
	cr_assert(fd >= 0);
	put_all("a/input", "it\n");
	for (unsigned i = 0; i < 2; i++) {
		cr_assert(ended(readers[i], GONE_MS, &status), "reader %u", i);
		cr_assert_eq(status, 0);
	}
	cr_assert_str_eq(sh(text("cat %s", output)), "ready\r\ngot it\r\n");
	cr_assert_str_eq(sh(text("cat %s", end)), "7\n");
	/* And back: what this one does not know is ended. */
	replace_by(other);
	cr_assert_eq(read(fd, &byte, 1), -1);
	cr_assert_eq(errno, EBADF);
	close(fd);
	cr_assert_eq(can_open("a/more", O_RDONLY), -ENOENT);
	inodes_of("a", after, sizeof(after));
	cr_assert_str_eq(after, before);
}

/* However long it takes. */
static int wait_for_the_end(const void *data)
{
	unsigned number = *(const unsigned *)data;
	char told[64] = "";
	int fd = open(at("p%u/wait/exit", number), O_RDONLY | O_CLOEXEC);

	NEED(fd >= 0 && read(fd, told, sizeof(told) - 1) > 0, "p%u: %s", number, strerror(errno));
	NEED(strncmp(told, "exit ", 5) == 0, "p%u: %s", number, told);
	close(fd);
	return 0;
}

Test(replace, streams_are_exact)
{
	static unsigned numbers[8];

	crew_print();
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		numbers[i] = i + 1;
		crew_work(wait_for_the_end, &numbers[i]);
	}
	for (unsigned i = 0; i < TIMES; i++) {
		pause_ms(200);
		replace_by(i % 2 ? mimoboxfs() : other);
	}
	crew_printed();
}

/* What is typed is typed once, by whoever types while it is replaced. */
static int talk(const void *data)
{
	const char *name = data, *offset = "0";
	unsigned number = 0;

	counter_start(name);
	while (!*over) {
		char *answer;

		number++;
		put_all(text("%s/input", name), "line\n");
		answer = get(text("%s/wait/match@%s:<[0-9]+ line>", name, offset), NULL);
		NEED(has(answer, "match "), "%s: %s", name, answer);
		offset = text("%lu", strtoul(answer + strlen("match "), NULL, 10));
	}
	get(text("%s/wait/match@0:<%u line>", name, number), NULL);
	NEED(!has(get(text("%s/transcript", name), NULL), text("<%u line>", number + 1)),
	     "%s: more than %u", name, number);
	counter_end(name);
	return 0;
}

static bool has_no_more_than(const void *descriptors)
{
	return fixture_descriptors() <= *(const unsigned *)descriptors;
}

/* Many times at once are no deaths; and nothing is left of any. */
Test(replace, many_times)
{
	unsigned descriptors = 0;

	for (unsigned i = 0; i < 4; i++)
		crew_work(talk, text("t%u", i));
	for (unsigned i = 0; i < MANY; i++)
		replace_by(i % 2 ? mimoboxfs() : other);
	*over = true;
	crew_ended(0);
	for (unsigned i = 0; i < 6; i++) {
		fixture_pool_filled();
		pause_ms(100);
		if (i == 1)
			descriptors = fixture_descriptors();
		replace_by(i % 2 ? mimoboxfs() : other);
	}
	fixture_pool_filled();
	cr_assert(await(has_no_more_than, &descriptors, GONE_MS), "%s",
		  sh(text("ls -l /proc/%d/fd /proc/%d/fd", fixture.daemon, fixture_server())));
}

static bool is_another(const void *before)
{
	return is_there(NULL) && server != *(const pid_t *)before;
}

/* And what the server does then is nothing new. */
Test(replace, then_the_server_is_killed)
{
	counter_start("a");
	for (unsigned i = 0; i < KILLS; i++) {
		replace_by(i % 2 ? mimoboxfs() : other);
		find_server();
		pid_t before = server;
		cr_assert_eq(kill(before, SIGKILL), 0);
		cr_assert(await(is_another, &before, GONE_MS));
		counter_counts("a", i + 1);
	}
	counter_end("a");
}

/* At any moment of it. Then it may be that it is to be asked again. */
Test(replace, while_servers_are_killed)
{
	counter_start("a");
	for (unsigned i = 0; i < 2 * KILLS; i++) {
		unsigned number = 0;
		int status;
		pid_t client =
			spawn((const char *const[]){ other, "--replace", fixture.mount, NULL });

		cr_assert_eq(getrandom(&number, sizeof(number), 0), (ssize_t)sizeof(number));
		pause_ms(number % 150);
		if (is_there(NULL))
			kill(server, SIGKILL);
		counter_counts("a", i + 1);
		cr_assert(ended(client, REPLACE_SECONDS * 1000, &status));
		cr_assert(status == 0 || status == 1, "status %d", status);
		pause_ms(300); /* a death is forgiven */
	}
	replace_by(mimoboxfs());
	counter_end("a");
}

/* What it was started with stays, also where it is not to be found any more. */
Test(replace_of, one_whose_files_are_gone)
{
	char *path = copy_to(mimoboxfs(), "installed");

	sh(text("cd %s && printf 'timeout 77s\\n' >defaults && echo 'memory 128M' >ceiling &&"
		"./installed --defaults defaults --ceiling ceiling --spool spool "
		"--workspaces w m && rm defaults ceiling",
		fixture.dir));
	fixture_adopt();
	fixture.crashed = true; /* w is not where it is looked for */
	counter_start("a");
	copy_to(mimoboxfs(), "installed");
	cr_assert(has(program_of(fixture.daemon), "(deleted)"));
	for (unsigned i = 0; i < 3; i++) {
		replace_by(path);
		cr_assert_str_eq(get_value("defaults", "timeout"), "77s");
		counter_counts("a", i + 1);
		copy_to(mimoboxfs(), "installed");
	}
	counter_end("a");
}

static bool is_usable(const void *unused)
{
	(void)unused;
	return can_open("stats", O_RDONLY) == 0;
}

/* A service's, and whoever waits for it to end. */
Test(replace_of, one_in_the_foreground)
{
	sh(text("sh -c 'exec %s -f --spool %s --workspaces %s $M' >/dev/null 2>&1 &", mimoboxfs(),
		fixture.spool, fixture.workspaces));
	fixture_adopt();
	cr_assert(await(is_usable, NULL, GONE_MS));
	counter_start("a");
	replace_by(other);
	counter_counts("a", 1);
	counter_end("a");
}

/* Who is killed after it */

/* It is still the parent of all, who go with it. */
static void kill_keeper(const char *option, const char *value)
{
	char *sleeper = text("%u", marker());
	int status;

	fixture_daemon((const char *const[]){ option, value, NULL });
	session_start("a", text("command trap '' TERM HUP; setsid sleep %s & sleep %s\n", sleeper,
				sleeper));
	cr_assert(await(any_with, sleeper, 5000));
	replace_by(other);
	session_run("b", "command exit 8", &status);
	cr_assert_eq(status, 8);
	fixture.crashed = true;
	cr_assert_eq(kill(fixture.daemon, SIGKILL), 0);
	cr_assert(ended(fixture.daemon, 5000, &status));
	fixture.daemon = 0;
	cr_assert(await(none_with, sleeper, GONE_MS), "%u live on", processes_with(sleeper));
	cr_assert(await(fixture_unmounted, NULL, GONE_MS), "the mount is left");
	cr_assert(await(fixture_alone, NULL, GONE_MS), "processes are left");
}

Test(replace_of, one_that_is_killed_itself)
{
	kill_keeper(NULL, NULL);
}

Test(replace_of, one_that_is_killed_itself_where_fusermount_unmounts)
{
	kill_keeper("-o", "auto_unmount");
}

/* What is asked at the socket itself */

static int call(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char *name = get_value("stats", "keeper-socket");
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	cr_assert(fd >= 0 && name && *name == '@', "%s", get("stats", NULL));
	strcpy(address.sun_path + 1, name + 1);
	cr_assert_eq(connect(fd, (struct sockaddr *)&address,
			     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
		     0, "%s", strerror(errno));
	return fd;
}

/* With so many copies of the descriptor; -1: none. */
static void say_all(int fd, const struct replace_request *request, size_t size, int program,
		    unsigned copies)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(8 * sizeof(int))];
	} attached = { 0 };
	struct iovec part = { (void *)request, size };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	if (program >= 0) {
		message.msg_control = attached.room;
		message.msg_controllen = CMSG_SPACE(copies * sizeof(int));
		attached.header.cmsg_level = SOL_SOCKET;
		attached.header.cmsg_type = SCM_RIGHTS;
		attached.header.cmsg_len = CMSG_LEN(copies * sizeof(int));
		for (unsigned i = 0; i < copies; i++)
			((int *)CMSG_DATA(&attached.header))[i] = program;
	}
	cr_assert_eq(sendmsg(fd, &message, MSG_NOSIGNAL), (ssize_t)size, "%s", strerror(errno));
}

static void say(int fd, uint32_t version, int program, unsigned copies)
{
	const struct replace_request request = { version, kept_layout_digest() };

	say_all(fd, &request, sizeof(request), program, copies);
}

/* False where there is none, but the end. */
static bool hear(int fd, struct replace_answer *answer)
{
	ssize_t size;

	cr_assert(poll_one(fd, POLLIN, REPLACE_SECONDS * 1000), "no answer");
	size = recv(fd, answer, sizeof(*answer), 0);
	close(fd);
	cr_assert(size <= 0 || size == sizeof(*answer));
	return size > 0;
}

static struct replace_answer ask(uint32_t version, const char *path, unsigned copies)
{
	int fd = call(), program = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	struct replace_answer answer;

	say(fd, version, program, copies);
	if (program >= 0)
		close(program);
	cr_assert(hear(fd, &answer), "no answer");
	return answer;
}

static uint32_t version(void)
{
	return ask(0, NULL, 0).version;
}

Test(replace, another_version)
{
	struct replace_answer answer;

	counter_start("a");
	find_server();
	pid_t before = server;
	answer = ask(version() + 1, other, 1);
	cr_assert_eq(answer.error, -EPROTONOSUPPORT);
	cr_assert_gt(answer.version, 0);
	counter_counts("a", 1);
	find_server();
	cr_assert_eq(server, before);
	counter_end("a");
}

/* By what it says, and by what it is. */
static void refused_layout(const struct replace_request *request, size_t size, const char *path)
{
	int fd = call(), program = open(path, O_RDONLY | O_CLOEXEC);
	struct replace_answer answer;

	cr_assert(program >= 0, "%s", path);
	say_all(fd, request, size, program, 1);
	close(program);
	cr_assert(hear(fd, &answer), "no answer");
	cr_assert_eq(answer.error, -EPROTONOSUPPORT, "%d", answer.error);
	cr_assert_eq(answer.version, version());
}

Test(replace, another_layout)
{
	const char *program = getenv("OTHER_LAYOUT");
	struct replace_request request = { version(), kept_layout_digest() };

	counter_start("a");
	find_server();
	pid_t before = server;
	refused(program, "is laid out otherwise");
	refused_layout(&request, sizeof(request), program);
	refused_layout(&request, sizeof(request.version), other);
	request.layout++;
	refused_layout(&request, sizeof(request), other);
	counter_counts("a", 1);
	find_server();
	cr_assert_eq(server, before);
	cr_assert_str_eq(program_of(fixture.daemon), mimoboxfs());
	replace_by(other);
	counter_end("a");
}

static void not_replaced(const char *path, unsigned copies, int error)
{
	struct replace_answer answer = ask(version(), path, copies);

	cr_assert_eq(answer.error, -error, "%s: %d", path ? path : "none", answer.error);
}

/* It is not even the server's end. */
Test(replace, what_is_no_program)
{
	char *script = text("%s/script", fixture.dir), *words = text("%s/words", fixture.dir);

	sh(text("printf '#!/bin/sh\\nexit 0\\n' >%s; echo words >%s; chmod 755 %s %s", script,
		words, script, words));
	counter_start("a");
	find_server();
	pid_t before = server;
	not_replaced(NULL, 0, EBADF);
	not_replaced(words, 1, ENOEXEC);
	not_replaced(script, 1, ENOENT);
	not_replaced("/bin/true", 1, ECHILD);
	not_replaced(fixture.dir, 1, EACCES);
	not_replaced("/dev/null", 1, EACCES);
	not_replaced(other, 8, EBADF); /* which one? */
	not_replaced(copy_to(getenv("UNFIT"), "waits"), 1, ETIMEDOUT);
	counter_counts("a", 1);
	find_server();
	cr_assert_eq(server, before);
	cr_assert_str_eq(program_of(fixture.daemon), mimoboxfs());
	replace_by(other);
	counter_end("a");
}

/* It is ended, whatever it has begun. */
Test(replace, one_that_starts_on_its_own)
{
	char *second = text("%s/second", fixture.dir);

	cr_assert_eq(mkdir(second, 0700), 0);
	counter_start("a");
	not_replaced(copy_to(getenv("UNFIT"), "starts"), 1, ECHILD);
	cr_assert_eq(rmdir("/made-by-a-trial"), -1, "the trial made a directory");
	cr_assert_not(has(sh("cat /proc/self/mounts"), second), "the mount is left");
	cr_assert_eq(processes_with(second), 0);
	counter_counts("a", 1);
	cr_assert_str_eq(program_of(fixture.daemon), mimoboxfs());
	replace_by(other);
	counter_end("a");
}

/* Of no keeper: a start of its own would be another daemon. */
Test(replace_of, what_no_keeper_hands_over)
{
	struct run done = run((const char *const[]){
		"/usr/bin/env", "MIMOBOX_HANDOVER=99", mimoboxfs(), "--spool", fixture.spool,
		"--workspaces", fixture.workspaces, fixture.mount, NULL });

	cr_assert_neq(done.status, 0);
	cr_assert(has(done.err, "MIMOBOX_HANDOVER"), "%s", done.err);
	cr_assert_not(fixture_mounted());
}

/* The one before is had again. */
Test(replace, one_that_does_not_serve)
{
	counter_start("a");
	not_replaced(copy_to(getenv("UNFIT"), "dies"), 1, ECHILD);
	counter_counts("a", 1);
	cr_assert_str_eq(program_of(fixture.daemon), mimoboxfs());
	replace_by(other);
	not_replaced(text("%s/dies", fixture.dir), 1, ECHILD);
	cr_assert_str_eq(program_of(fixture.daemon), other);
#if !defined(__SANITIZE_ADDRESS__) /* 18 seconds, of no news in a sanitizer */
	not_replaced(copy_to(getenv("UNFIT"), "hangs"), 1, ETIMEDOUT);
#endif
	counter_counts("a", 2);
	cr_assert_str_eq(program_of(fixture.daemon), other);
	replace_by(mimoboxfs());
	counter_end("a");
}

static bool is_closed(const void *data)
{
	return poll_one(*(const int *)data, POLLIN, 0);
}

static unsigned descriptors;

static bool has_descriptors(const void *unused)
{
	(void)unused;
	return fixture_descriptors() == descriptors;
}

/* They are no hindrance, also while it is replaced, and are left out soon. */
Test(replace, those_who_say_nothing)
{
	int fds[SILENT];

	counter_start("a");
	fixture_pool_filled();
	pause_ms(100);
	descriptors = fixture_descriptors();
	for (unsigned i = 0; i < SILENT; i++)
		fds[i] = call();
	counter_counts("a", 1);
	for (unsigned i = 0; i < SILENT; i++)
		cr_assert(await(is_closed, &fds[i], 5000), "%u is let in still", i);
	cr_assert(await(has_descriptors, NULL, 5000), "%u, not %u", fixture_descriptors(),
		  descriptors);
	for (unsigned i = 0; i < SILENT; i++) {
		close(fds[i]);
		fds[i] = call();
	}
	cr_assert_eq(send(fds[SILENT - 1], "x", 1, 0), 1);
	replace_by(other);
	counter_counts("a", 2);
	replace_by(mimoboxfs());
	for (unsigned i = 0; i < SILENT; i++) {
		cr_assert(await(is_closed, &fds[i], 5000), "%u is let in still", i);
		close(fds[i]);
	}
	/* Nor is one that has asked, and does not listen. */
	int fd = call(), program = open(other, O_RDONLY | O_CLOEXEC);
	say(fd, version(), program, 1);
	close(program);
	close(fd);
	counter_counts("a", 3);
	while (try_replace(mimoboxfs()).status != 0)
		pause_ms(50);
	counter_end("a");
}

/* Only one at a time. */
Test(replace, two_at_once)
{
	struct replace_answer answers[2];
	int fds[2] = { call(), call() }, program = open(other, O_RDONLY | O_CLOEXEC);
	uint32_t is = version();

	for (unsigned i = 0; i < 2; i++)
		say(fds[i], is, program, 1);
	close(program);
	for (unsigned i = 0; i < 2; i++)
		cr_assert(hear(fds[i], &answers[i]));
	cr_assert_eq(answers[0].error, 0);
	cr_assert_eq(answers[1].error, -EBUSY);
}

/* It ends, and is not held up. */
Test(replace, one_that_ends)
{
	int fd = call(), program = open(other, O_RDONLY | O_CLOEXEC);
	uint32_t is = version();
	struct replace_answer answer;

	session_start("a", "kill-grace 1s\ncommand trap '' TERM HUP; echo ready; "
			   "while :; do sleep 1000; done\n");
	get("a/wait/match@0:ready", NULL);
	cr_assert_eq(kill(fixture.daemon, SIGTERM), 0);
	pause_ms(50);
	say(fd, is, program, 1);
	close(program);
	cr_assert(hear(fd, &answer));
	cr_assert_eq(answer.error, -ESHUTDOWN);
	fixture_daemon_ended(0);
}

/* Who may not */

/* Whether it is closed before anything is said. */
static int is_left_out(int (*become)(void))
{
	int fd, status;
	char *name = get_value("stats", "keeper-socket");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	pid_t pid = fork();

	strcpy(address.sun_path + 1, name + 1);
	if (pid == 0) {
		struct pollfd end = { .events = POLLIN };
		char byte;

		alarm(20);
		if (become() < 0)
			_exit(2);
		fd = end.fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
		if (connect(fd, (struct sockaddr *)&address,
			    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))) < 0)
			_exit(3);
		/* Those who are let in have two seconds. */
		_exit(poll(&end, 1, 1000) == 1 && recv(fd, &byte, 1, 0) <= 0 ? 0 : 1);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int become_nobody_else(void)
{
	return 0;
}

static int become_another_user(void)
{
	return setresuid(ANN, ANN, ANN);
}

/* As in a container: the parent waits, and has the status. */
static int become_one_inside(int namespace)
{
	int status;
	pid_t pid;

	if (unshare(namespace) < 0)
		return -1;
	pid = fork();
	if (pid <= 0)
		return pid;
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	_exit(WEXITSTATUS(status));
}

static int become_one_of_a_pid_namespace(void)
{
	return become_one_inside(CLONE_NEWPID);
}

static int become_one_of_a_user_namespace(void)
{
	return become_one_inside(CLONE_NEWUSER);
}

Test(replace, nobody_else)
{
	struct run done;

	cr_assert_eq(is_left_out(become_nobody_else), 1);
	cr_assert_eq(is_left_out(become_another_user), 0);
	cr_assert_eq(is_left_out(become_one_of_a_pid_namespace), 0);
	cr_assert_eq(is_left_out(become_one_of_a_user_namespace), 0);
	done = run((const char *const[]){ "setpriv", text("--reuid=%d", ANN), "--clear-groups",
					  other, "--replace", fixture.mount, NULL });
	cr_assert_eq(done.status, 1, "%s", done.err);
	cr_assert(has(done.err, "by another user"), "%s", done.err);
	replace_by(other);
}

/* A service's keeper has fewer capabilities than who looks after it. */
Test(replace_of, one_with_fewer_privileges)
{
	sh(text("setpriv --bounding-set -sys_ptrace,-sys_rawio %s --spool %s "
		"--workspaces %s $M",
		mimoboxfs(), fixture.spool, fixture.workspaces));
	fixture_adopt();
	counter_start("a");
	replace_by(other);
	counter_counts("a", 1);
	counter_end("a");
}

Test(replace_of, what_has_no_keeper)
{
	struct run done;

	refused(other, "has no mimoboxfs");
	fixture_daemon((const char *const[]){ "--keeper", "no", NULL });
	refused(other, "was started with --keeper no");
	done = run((const char *const[]){ other, "--replace", "--pool", "3", fixture.mount, NULL });
	cr_assert_eq(done.status, 2, "%s", done.err);
	done = run((const char *const[]){ other, "--replace", NULL });
	cr_assert_eq(done.status, 2, "%s", done.err);
	cr_assert_str_eq(program_of(fixture.daemon), mimoboxfs());
}

/* Nor is there an answer where the keeper or the server is stopped. */
Test(replace, one_that_is_stopped)
{
	pid_t clients[2];
	int status;

	find_server();
	cr_assert_eq(kill(fixture.daemon, SIGSTOP), 0);
	for (unsigned i = 0; i < 2; i++) {
		clients[i] =
			spawn((const char *const[]){ other, "--replace", fixture.mount, NULL });
		pause_ms(1000); /* the first has read who is to be asked */
		cr_assert_eq(kill(server, SIGSTOP), 0);
	}
	for (unsigned i = 0; i < 2; i++) {
		cr_assert(ended(clients[i], REPLACE_SECONDS * 1000, &status), "client %u hangs", i);
		cr_assert_eq(status, 1);
	}
	cr_assert_eq(kill(server, SIGCONT), 0);
	cr_assert_eq(kill(fixture.daemon, SIGCONT), 0);
	/* Of the first, it has still to hear. */
	while (try_replace(mimoboxfs()).status != 0)
		pause_ms(50);
}

/* An ordinary user's */

static void own_prepare(void)
{
	outside_prepare();
	sh("mkdir $M/../dev && mount -t tmpfs -o mode=755 none $M/../dev &&"
	   "mknod -m 666 $M/../dev/fuse c 10 229 && mount --bind $M/../dev/fuse /dev/fuse");
	other = copy_to(mimoboxfs(), "other");
	copy_to(mimoboxfs(), "mimoboxfs");
	cr_assert_eq(chown(fixture.dir, ANN, ANN), 0);
	cr_assert_eq(chown(fixture.mount, ANN, ANN), 0);
}

static char *ann(const char *script)
{
	struct run done = run_as(ANN, script);

	cr_assert_eq(done.status, 0, "%s: %d: %s%s", script, done.status, done.out, done.err);
	return done.out;
}

TestSuite(replace_own, .init = own_prepare, .fini = outside_stop, .timeout = 200);

Test(replace_own, nobody_else)
{
	struct run done;

	ann(text("%s/mimoboxfs --spool %s --workspaces %s $M", fixture.dir, fixture.spool,
		 fixture.workspaces));
	fixture_adopt();
	ann("mkdir $M/a; echo 'command stty -echo; echo ready; while read x; do echo got $x; done; "
	    "exit 6' >$M/a/config; echo start >$M/a/ctl; cat $M/a/wait/match@0:ready");
	for (unsigned i = 0; i < 4; i++) {
		ann(text("%s/%s --replace $M", fixture.dir, i % 2 ? "mimoboxfs" : "other"));
		cr_assert_str_eq(program_of(fixture.daemon),
				 text("%s/%s", fixture.dir, i % 2 ? "mimoboxfs" : "other"));
		ann(text("echo %u >$M/a/input; cat \"$M/a/wait/match@0:got %u\"", i, i));
		ann("mkdir $M/b; echo 'exit 3' >$M/b/input; test $(cat $M/b/exit) = 3; rmdir $M/b");
	}
	done = run_as(BOB, text("%s --replace $M", other));
	cr_assert_eq(done.status, 1, "%s", done.err);
	cr_assert(has(ann("echo eof >$M/a/ctl; cat $M/a/output; cat $M/a/exit; rmdir $M/a"),
		      "ready\r\ngot 0\r\ngot 1\r\ngot 2\r\ngot 3\r\n6\n"));
}
