/* SPDX-License-Identifier: MIT */
/*
 * Of the system calls that a filter refuses, the first of each kind is a line of `log`, with the
 * line of config that would allow it. A call gets the errno that it gets without that.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"

TestSuite(refusals, .init = outside_start, .fini = outside_stop, .timeout = 120);

static const uid_t users[] = { ROOT, ANN };

/* Each makes one call many times, and prints the errno that it gets. */
#define PYTHON                                                \
	"import ctypes,errno,os,socket,sys,threading,time\\n" \
	"c=ctypes.CDLL(None,use_errno=True)\\n"               \
	"def many(f,*a):\\n"                                  \
	"    for i in range(200):\\n"                         \
	"        r=f(*a)\\n"                                  \
	"        e=ctypes.get_errno()\\n"                     \
	"        if r>=0: e=0\\n"                             \
	"    print(errno.errorcode.get(e,e),flush=True)\\n"

static char *python(const char *config, const char *script)
{
	return text("%s\nargv [\"python3\",\"-c\",\"%s%s\"]\n", config, PYTHON, script);
}

/* The lines about it, without their times. */
static char *refused(const char *name)
{
	return sh(text("sed -n 's/^[^ ]* refused: //p' %s", at("%s/log", name)));
}

struct row {
	const char *config, *call, *error, *line;
};

static const struct row rows[] = {
	{ "", "c.ptrace,0,0,0,0", "EPERM",
	  "ptrace: Operation not permitted ('ptrace yes' allows it)\n" },
	{ "fork no", "c.fork", "EPERM", "clone: Operation not permitted ('fork yes' allows it)\n" },
	{ "", "c.msgget,0,0", "EPERM",
	  "msgget: Operation not permitted ('seccomp compat' allows it)\n" },
	{ "seccomp network", "c.msgget,0,0", "EPERM",
	  "msgget: Operation not permitted ('seccomp compat' allows it)\n" },
	{ "seccomp compat", "c.unshare,0x10000000", "EPERM",
	  "unshare: Operation not permitted (no key allows it)\n" },
	{ "", "c.socket,17,3,4", "EAFNOSUPPORT",
	  "socket: Address family not supported by protocol (no key allows it)\n" },
	{ "", "c.socket,16,3,4", "EPROTONOSUPPORT",
	  "socket: Protocol not supported (no key allows it)\n" },
	{ "", "c.personality,0x400000", "EPERM",
	  "personality: Operation not permitted (no key allows it)\n" },
	/* What programs try as a matter of course. */
	{ "", "c.syscall,435,0,0", "ENOSYS", "" },
	{ "",
	  "c.syscall,160,4,b'"
	  "\\\\u0000"
	  "'*16",
	  "0", "" },
	/* What is allowed, or refused by another layer. */
	{ "", "c.getpid", "0", "" },
	{ "ptrace yes", "c.ptrace,16,1,0,0", "EPERM", "" },
	{ "", "c.open,b'/etc/x',65,420", "EROFS", "" },
};

Test(refusals, the_first_of_each_kind)
{
	outside_file(outside("file"), "text\n", ROOT, 0644);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		for (unsigned kind = 0; kind < 8; kind++) {
			const struct row *row = &rows[i];
			int status;
			char *output = session_run_as(
				users[kind & 1], "a",
				python(text("%s%s%s",
					    kind & 2 ? text("ro %s:/srv/file\n", outside("file"))
						     : "",
					    kind & 4 ? "ends last-process\nterminal no\n" : "",
					    row->config),
				       text("many(%s)", row->call)),
				&status);

			cr_expect_str_eq(output, text("%s\n", row->error), "%s, %s: %s",
					 row->config, row->call, output);
			cr_expect_str_eq(refused("a"), row->line, "%s, %s: %s", row->config,
					 row->call, refused("a"));
			session_remove("a");
		}
}

Test(refusals, kinds_are_told_apart)
{
	int status;
	char *lines;

	session_run_as(ANN, "a",
		       python("", "many(c.socket,16,3,4)\\nmany(c.socket,17,3,4)\\n"
				  "many(c.msgget,0,0)\\nmany(c.unshare,0)\\nmany(c.socket,16,3,4)"),
		       &status);
	lines = refused("a");
	cr_expect_str_eq(sh(text("cut -d: -f1 <<'EOF'\n%sEOF\n", lines)),
			 "socket\nsocket\nmsgget\nunshare\n", "%s", lines);
#if defined(__x86_64__)
	/* Of twenty in one program, sixteen. */
	session_run_as(ANN, "b",
		       python("", "for n in (29,30,31,*range(64,72),155,*range(165,171),175,176):"
				  "\\n    c.syscall(n,-1,-1,-1,-1)"),
		       &status);
	cr_expect_str_eq(sh(text("grep -c ' refused: ' %s || :", at("b/log"))), "16\n");
#endif
}

/* Beside a program that makes them as fast as it can, all else goes on. */
Test(refusals, a_flood_of_them)
{
	for (unsigned i = 0; i < 2; i++) {
		struct stream stream;

		session_start_as(users[i], "a",
				 python("kill-grace 0s\nprocesses 64",
					"def f():\\n"
					"    while True: c.msgget(0,0)\\n"
					"for i in range(32): threading.Thread(target=f,daemon=True)"
					".start()\\n"
					"while True: print('<'+sys.stdin.readline().strip()+'>',"
					"flush=True)"));
		stream_open(&stream, "a/output");
		for (unsigned n = 0; n < 5; n++) {
			put_all("a/input", text("line%u\n", n));
			stream_until(&stream, text("<line%u>", n));
		}
		stream_close(&stream);
		cr_expect_str_eq(refused("a"),
				 "msgget: Operation not permitted ('seccomp compat' allows it)\n");
		put_all("a/ctl", "kill\n");
		cr_expect_lt(session_exit("a"), 0);
		session_remove("a");
	}
}

static bool is_another(const void *before)
{
	pid_t now = fixture_server();

	return now && now != *(const pid_t *)before;
}

static void kill_server(void)
{
	pid_t server = fixture_server();

	cr_assert_eq(kill(server, SIGKILL), 0);
	cr_assert(await(is_another, &server, 10000));
	cr_assert_eq(access(at("stats"), F_OK), 0);
}

/* Told once, whether a server dies before it or after it. */
Test(refusals, after_a_servers_death)
{
	struct stream stream;

	session_start_as(ANN, "a",
			 python("", "for f in (c.msgget,c.semget,c.shmget,c.msgctl):\\n"
				    "    f(1,0,0)\\n"
				    "    print('DONE',flush=True)\\n"
				    "    sys.stdin.readline()"));
	stream_open(&stream, "a/output");
	for (unsigned i = 0; i < 4; i++) {
		stream_until(&stream, "DONE");
		if (i % 2)
			kill_server();
		put_all("a/input", "\n");
		if (!(i % 2))
			kill_server();
	}
	stream_close(&stream);
	session_exit("a");
	cr_expect_str_eq(sh(text("cut -d: -f1 <<'EOF'\n%sEOF\n", refused("a"))),
			 "msgget\nsemget\nshmget\nmsgctl\n", "%s", refused("a"));
}

/* A filter of the program's own has the last word where it refuses, and none where it allows. */
Test(refusals, beside_a_filter_of_its_own)
{
	/* errno 7 for getppid (110 on x86_64, 173 on aarch64), and all else is allowed */
	static const char own[] =
		"import struct,platform\\n"
		"nr=110 if platform.machine()=='x86_64' else 173\\n"
		"code=b''.join(struct.pack('HBBI',*i) for i in ((0x20,0,0,0),(0x15,0,1,nr),"
		"(6,0,0,0x50007),(6,0,0,0x7fff0000)))\\n"
		"buf=ctypes.create_string_buffer(code)\\n"
		"prog=struct.pack('HxxxxxxQ',4,ctypes.addressof(buf))\\n"
		"print(c.prctl(22,2,ctypes.create_string_buffer(prog),0,0))\\n"
		"many(c.syscall,nr)\\nmany(c.unshare,0)";
	int status;
	char *output = session_run_as(ANN, "a", python("seccomp compat", own), &status);

	cr_expect_str_eq(output, "0\nE2BIG\nEPERM\n", "%s", output);
	cr_expect_str_eq(refused("a"), "unshare: Operation not permitted (no key allows it)\n");
}

/* The client tells of them where a command fails, and does not where it does not. */
Test(refusals, the_client_tells)
{
	struct run done;

	setenv("C", getenv("CLIENT"), 1);
	setenv("MIMOBOX", fixture.mount, 1);
	done = run_shell("sh", "$C run -- sh -c 'unshare -r true'");
	cr_expect_neq(done.status, 0);
	cr_expect(has(done.err, "mimobox: refused: unshare: Operation not permitted (no key allows "
				"it)\n"),
		  "%s", done.err);
	done = run_shell("sh", "$C run -- sh -c 'unshare -r true; exit 0'");
	cr_expect(done.status == 0 && !has(done.err, "mimobox"), "%s", done.err);
	done = run_shell("sh", "$C run -- sh -c 'exit 1'");
	cr_expect(done.status == 1 && !has(done.err, "mimobox"), "%s", done.err);
}
