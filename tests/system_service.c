/* SPDX-License-Identifier: MIT */
/*
 * A service manager's view: what it is told and when, in the words of sd_notify(3), by a socket of
 * the test's own; the units themselves as systemd-analyze(1) reads them.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"

TestSuite(service, .init = fixture_prepare, .fini = fixture_stop, .timeout = 60);

/* The manager's end. `name` begins with @ where it is abstract. */
static int manager_listen(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	cr_assert(fd >= 0 && length < sizeof(address.sun_path));
	memcpy(address.sun_path, name, length);
	if (*name == '@')
		address.sun_path[0] = '\0';
	cr_assert_eq(bind(fd, (struct sockaddr *)&address,
			  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)),
		     0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

/* What is told within `milliseconds`, or NULL. */
static char *told_within(int manager, unsigned milliseconds)
{
	char message[1024];
	ssize_t size;

	if (!poll_one(manager, POLLIN, milliseconds))
		return NULL;
	size = recv(manager, message, sizeof(message), MSG_DONTWAIT);
	cr_assert(size > 0);
	return text("%.*s", (int)size, message);
}

static void assert_told(int manager, const char *expected)
{
	char *message = told_within(manager, SECONDS * 1000);

	cr_assert(message != NULL, "not told: %s", expected);
	cr_assert_str_eq(message, expected);
}

static void assert_told_ready(int manager)
{
	assert_told(manager, text("READY=1\nSTATUS=Serving %s", fixture.mount));
}

/* As a unit does it: in the foreground, WATCHDOG_PID its own after `set`. */
static void start_service_with(const char *set, const char *options)
{
	setenv("FS", mimoboxfs(), 1);
	sh(text("sh -c '%s exec \"$FS\" -f %s --spool %s --workspaces %s $M' >/dev/null 2>&1 &",
		set, options, fixture.spool, fixture.workspaces));
	fixture_adopt();
}

static void start_service(const char *set)
{
	start_service_with(set, "");
}

Test(service, ready_when_the_mount_is_usable)
{
	int manager = manager_listen(text("%s/notify", fixture.dir));

	start_service("");
	assert_told_ready(manager);
	cr_assert(fixture_mounted());
	session_start("a", "command sleep 60\n");
	session_make("b");
	cr_assert_eq(told_within(manager, 0), NULL);
	fixture_daemon_ended(SIGTERM);
	assert_told(manager, "STOPPING=1\nSTATUS=Ending 1 session");
	cr_assert_eq(told_within(manager, 0), NULL);
	close(manager);
}

/* It is the server that tells, and beats, and so does the next. */
Test(service, with_a_keeper)
{
	int manager = manager_listen(text("%s/notify", fixture.dir));
	char *told;

	start_service_with("export WATCHDOG_USEC=400000 WATCHDOG_PID=$$;", "--keeper yes");
	assert_told_ready(manager);
	assert_told(manager, "WATCHDOG=1");
	assert_told(manager, "WATCHDOG=1");
	cr_assert_eq(kill(fixture_server(), SIGKILL), 0);
	do {
		told = told_within(manager, SECONDS * 1000);
		cr_assert(told && (has(told, "READY=1") || has(told, "WATCHDOG=1")));
	} while (!has(told, "READY=1"));
	assert_told(manager, "WATCHDOG=1");
	assert_told(manager, "WATCHDOG=1");
	close(manager);
	fixture_daemon_ended(SIGTERM);
}

/* Of umount(8) the server hears from the table of mounts, and of the connection's end: which is
 * first? */
Test(service, abstract_socket)
{
	int manager = manager_listen(text("@%s", fixture.dir));
	char *told;

	start_service("");
	assert_told_ready(manager);
	sh("umount $M");
	fixture_daemon_ended(0);
	told = told_within(manager, 0);
	cr_assert(!told || has(told, "STOPPING=1"), "%s", told);
	close(manager);
}

Test(service, in_the_background_too)
{
	int manager = manager_listen(text("%s/notify", fixture.dir));

	fixture_daemon(NULL);
	assert_told_ready(manager);
	fixture_daemon_ended(SIGTERM);
	assert_told(manager, "STOPPING=1\nSTATUS=Ending 0 sessions");
	close(manager);
}

static void assert_beats(const char *set)
{
	int manager = manager_listen(text("@%s", fixture.dir));
	uint64_t start = now_ms(), last = start, end, gap, shortest = UINT64_MAX;

	start_service(set);
	assert_told_ready(manager);
	end = start + 1000 * scaled(SECONDS);
	for (unsigned i = 0; i < 8 || (shortest >= 150 && last < end); i++) {
		assert_told(manager, "WATCHDOG=1");
		gap = now_ms() - last;
		last += gap;
		if (i > 0 && gap < shortest)
			shortest = gap;
	}
	/* the first at once, then half of what was asked for apart, if nothing came between */
	cr_assert_geq(last - start, 700);
	cr_assert_lt(shortest, 150, "%lu ms", (unsigned long)shortest);
	/* they come from the loop: without it there are none */
	kill(fixture.server, SIGSTOP);
	cr_assert(await(process_stopped, &fixture.server, SECONDS * 1000));
	while (told_within(manager, 0))
		;
	pause_ms(300);
	cr_assert_eq(told_within(manager, 0), NULL);
	kill(fixture.server, SIGCONT);
	assert_told(manager, "WATCHDOG=1");
	close(manager);
}

Test(service, beats_for_the_watchdog)
{
	assert_beats("export WATCHDOG_USEC=200000 WATCHDOG_PID=$$;");
}

Test(service, beats_for_whoever_has_no_pid)
{
	assert_beats("export WATCHDOG_USEC=200000;");
}

Test(service, no_beats_that_nobody_asked_for)
{
	static const char *const none[] = {
		"",
		"export WATCHDOG_PID=$$;",
		"export WATCHDOG_USEC=20000 WATCHDOG_PID=1;",
		"export WATCHDOG_USEC=20000 WATCHDOG_PID=;",
		"export WATCHDOG_USEC=0 WATCHDOG_PID=$$;",
		"export WATCHDOG_USEC=-20000 WATCHDOG_PID=$$;",
		"export WATCHDOG_USEC=20000x;",
		"export WATCHDOG_USEC=99999999999999999999999;",
	};
	int manager = manager_listen(text("@%s", fixture.dir));

	for (unsigned i = 0; i < sizeof(none) / sizeof(*none); i++) {
		char *message;

		start_service(none[i]);
		assert_told_ready(manager);
		pause_ms(50);
		message = told_within(manager, 0);
		cr_assert_eq(message, NULL, "%s %s", none[i], message);
		fixture_daemon_ended(SIGTERM);
		assert_told(manager, "STOPPING=1\nSTATUS=Ending 0 sessions");
	}
	close(manager);
}

Test(service, a_socket_of_no_use_is_ignored)
{
	const char *stream = text("%s/stream", fixture.dir);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *const useless[] = {
		"",
		"@",
		"/",
		"notify",
		"vsock:2:1234",
		"/no/such/socket",
		stream,
		text("/%0200d", 0),
	};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, stream);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(fd, 1), 0);
	setenv("WATCHDOG_USEC", "2000", 1);
	for (unsigned i = 0; i < sizeof(useless) / sizeof(*useless); i++) {
		setenv("NOTIFY_SOCKET", useless[i], 1);
		fixture_daemon(NULL); /* not a word on standard error, either */
		session_make("a");
		fixture_daemon_ended(SIGTERM);
	}
	close(fd);
}

static bool is_mounted(const void *unused)
{
	(void)unused;
	return fixture_mounted();
}

/* A queue takes some eleven messages (net.unix.max_dgram_qlen). */
Test(service, a_manager_that_does_not_read_holds_nothing_up)
{
	int manager = manager_listen(text("%s/notify", fixture.dir));
	unsigned kept = 0;
	int status;

	start_service("export WATCHDOG_USEC=2000;");
	cr_assert(await(is_mounted, NULL, SECONDS * 1000));
	pause_ms(100);
	session_run("a", "command exit 5\n", &status);
	cr_assert_eq(status, 5);
	assert_told_ready(manager);
	for (char *message; kept < 5 && (message = told_within(manager, SECONDS * 1000)); kept++)
		cr_assert_str_eq(message, "WATCHDOG=1");
	cr_assert_eq(kept, 5);
	/* and one that goes */
	close(manager);
	pause_ms(20);
	session_run("b", "command exit 6\n", &status);
	cr_assert_eq(status, 6);
}

/* The journal takes the level from the front of the line; a terminal would show it. */
Test(service, the_journal_is_told_the_level)
{
	static const struct {
		const char *stream, *before;
	} examples[] = {
		{ "$(stat -c %d:%i $M/../err)", "<3>mimoboxfs: " },
		{ "$(stat -c %d:1%i $M/../err)", "mimoboxfs: " },
		{ "$(stat -c 1%d:%i $M/../err)", "mimoboxfs: " },
		{ "journal", "mimoboxfs: " },
		{ "", "mimoboxfs: " },
	};

	setenv("FS", mimoboxfs(), 1);
	for (unsigned i = 0; i < sizeof(examples) / sizeof(*examples); i++) {
		char *said = sh(text(": > $M/../err; export JOURNAL_STREAM=%s;"
				     "\"$FS\" --nonsense 2> $M/../err; [ $? = 2 ]; cat $M/../err",
				     examples[i].stream));

		cr_assert_eq(strncmp(said, examples[i].before, strlen(examples[i].before)), 0,
			     "%s: %s", examples[i].stream, said);
	}
}

TestSuite(units, .init = outside_prepare, .fini = outside_stop, .timeout = 60);

static const char *from_meson(const char *name)
{
	const char *value = getenv(name);

	cr_assert(value != NULL, "%s: run by meson test", name);
	return value;
}

Test(units, read_without_a_warning)
{
	setenv("UNITS", from_meson("UNITS"), 1);
	setenv("SOURCE", from_meson("SOURCE"), 1);
	setenv("FS", mimoboxfs(), 1);
	cr_assert_str_eq(
		sh("cd $M/.. && mkdir system user run && export XDG_RUNTIME_DIR=$PWD/run &&"
		   "for kind in system user; do"
		   "  sed \"s,^\\\\(Exec[A-Z][a-z]*\\\\)=[^ ]*/mimoboxfs,\\\\1=$FS,\" "
		   "$UNITS/$kind.service"
		   "    > $kind/mimobox.service; done;"
		   "cp $SOURCE/contrib/systemd/examples/run-mimobox.mount system;"
		   "systemd-analyze verify --man=no system/* 2>&1 &&"
		   "systemd-analyze --user verify --man=no user/* 2>&1;"
		   "mkdir -m 1777 root && mkdir -m 1777 root/run root/run/mimobox &&"
		   "systemd-tmpfiles --create --root=$PWD/root "
		   "  $SOURCE/contrib/systemd/tmpfiles.conf 2>&1; stat -c %a root/run/mimobox;"
		   "rmdir root/run/mimobox; systemd-tmpfiles --create --root=$PWD/root "
		   "  $SOURCE/contrib/systemd/tmpfiles.conf 2>&1; stat -c %a root/run/mimobox"),
		"1777\n755\n");
}

/* The groups of a manager that was cut short, too. */
static void run_unit(const char *kind, uid_t uid)
{
	char *group = text("mimobox-units-%d", getpid());
	char *script = text("%s/tests/units.sh", from_meson("SOURCE"));
	struct run done;

	setenv("FS", mimoboxfs(), 1);
	setenv("GROUP", group, 1);
	done = run_for(50, (const char *const[]){ "unshare", "--mount", "--pid", "--fork",
						  "--kill-child", "--mount-proc", "sh", script,
						  kind, text("%u", uid), NULL });
	groups_remove(group);
	cr_assert_eq(done.status, 0, "%s: status %d\n%s\n%s", kind, done.status, done.out,
		     done.err);
}

Test(units, system_service)
{
	run_unit("system", ROOT);
}

Test(units, user_service)
{
	run_unit("user", ANN);
}
