/* SPDX-License-Identifier: MIT */
/*
 * mimobox-trouble(7): each of its symptoms is seen in a session, and is not with the key that it
 * names. What stands there is here, or has a reason not to be.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "fixture.h"

static void trouble_start(void)
{
	fixture_start();
	setenv("MIMOBOX", fixture.mount, 1);
	setenv("C", getenv("CLIENT"), 1);
	setenv("D", fixture.dir, 1);
	sh("mkdir -p $D/opt && chmod 755 $D $D/opt && printf '#!/bin/sh\\necho it runs\\n' > "
	   "$D/opt/program && chmod 755 $D/opt/program && mkdir $D/w && chmod 777 $D/w");
}

/* A session with a server, a file and a process. */
#define SERVER                                                                              \
	"argv [\"python3\",\"-c\",\"import socket\\nopen('/tmp/there', 'w').write('of the " \
	"server')"                                                                          \
	"\\ns = socket.create_server(('127.0.0.1', 8000))\\nprint('READY', flush=True)\\n"  \
	"while True: s.accept()[0].send(b'it serves')\"]\n"
#define CLIENT                                                                             \
	"python3 -c 'import socket; s = socket.create_connection((\"127.0.0.1\", 8000)); " \
	"print(s.recv(9).decode())'"
#define LISTENER                                                                  \
	"python3 -c 'import socket; s = socket.socket(); s.bind((\"127.0.0.1\", " \
	"8000)); s.listen(); print(\"it listens\")'"

TestSuite(trouble, .init = trouble_start, .fini = fixture_stop, .timeout = 120);

/* `seen` and `mended` are parts of what is printed, errors included; @ is a directory of the
 * host's. */
static const struct {
	const char *symptom; /* as the page has it */
	const char *config;  /* of the session in which it is seen */
	const char *key; /* the line that mends it; as words, the page has them; NULL: none does */
	const char *command, *seen, *mended;
} cases[] = {
	{ "No such file or directory: the program itself", "", "ro @/opt", "@/opt/program",
	  "not found", "it runs" },
	{ "No such file or directory: a file of the host's", "", "ro @/opt", "cat @/opt/program",
	  "No such file or directory", "echo it runs" },
	{ "Killed: exit status -9 or 137, reason oom", "memory 32M\n", "memory 256M",
	  "python3 -c 'x = bytearray(60000000); print(len(x))'; echo", "Killed", "60000000" },
	{ "reason timeout", "timeout 100ms\n", "timeout none", "sleep 0.3; echo later",
	  "reason timeout", "later" },
	{ "reason idle", "idle-timeout 100ms\n", "idle-timeout none", "sleep 3; echo later",
	  "reason idle", "later" },
	{ "File size limit exceeded", "file-size 10K\n", "file-size 1M",
	  "bash -c 'head -c 20000 /dev/zero > /tmp/f'; echo $(wc -c < /tmp/f)",
	  "File size limit exceeded", "20000\n" },
	{ "What it has started is gone with it", "", "ends last-process",
	  "(sleep 0.3; echo later) & echo now", "now", "later" },
	{ "Cannot fork: Resource temporarily unavailable", "processes 3\n", "processes 20",
	  "sleep 0.1 & sleep 0.1 & sleep 0.1 & sleep 0.1 & echo four", "Cannot fork", "four" },
	{ "Operation not permitted: of a system call", "", "seccomp compat",
	  "ipcmk -Q | sed 's/:.*/ made/'", "('seccomp compat' allows it)", "made" },
	{ "gdb, strace, a leak check: ptrace: Operation not permitted", "", "ptrace yes",
	  "strace -o /tmp/t true && grep -c execve /tmp/t | sed 's/^/traced /'",
	  "Operation not permitted", "traced 1" },
	{ "Connection refused: a server of another session, or of the machine", "", "in server",
	  CLIENT, "Connection refused", "it serves" },
	{ "It does not see the processes or files of another session", "", "in server",
	  "cat /tmp/there; echo", "No such file or directory", "of the server" },
	{ "It cannot listen, with network tcp", "network tcp 80\n", "network none", LISTENER,
	  "Permission denied", "it listens" },
	{ "Address family not supported by protocol, or no interfaces (getifaddrs)",
	  "seccomp strict\n", "seccomp essential",
	  LISTENER "; python3 -c 'import socket; print(socket.if_nameindex())'",
	  "Address family not supported by protocol", "it listens\n[(1, 'lo')]" },
	{ "Permission denied: below a directory of rw", "rw @/opt\n", NULL, "echo x > @/opt/f",
	  "Permission denied", NULL },
	{ "No space left on device: in the home", "home none\ntmp-size 64K\n", "home 0",
	  "head -c 1000000 /dev/zero > ~/f; wc -c < ~/f", "No space left on device", "1000000" },
	{ "Too many open files", "open-files 8\n", "open-files 64",
	  "python3 -c 'x = [open(\"/dev/null\") for i in range(9)]; print(\"nine\")'",
	  "Too many open files", "nine" },
	{ "No space left on device: in /tmp", "tmp-size 64K\n", "tmp-size 8M",
	  "head -c 1000000 /dev/zero > /tmp/f; wc -c < /tmp/f", "No space left on device",
	  "1000000" },
	{ "Read-only file system", "", "rw @/w", "echo x > /usr/f; echo x > @/w/f && cat @/w/f",
	  "Read-only file system", "\nx\n" },
	{ "out of pty devices", "terminals 1\n", "terminals 4",
	  "python3 -c 'import pty; pty.openpty(); print(\"in it\")'", "out of pty devices",
	  "in it" },
	{ "Shared memory of System V: Operation not permitted", "", "seccomp compat",
	  "ipcmk -M 4096 | sed 's/:.*/ made/'; ipcmk -M 4096 >/dev/null && echo made",
	  "Operation not permitted", "made" },
	{ "A sandbox of its own (bubblewrap, podman): Operation not permitted", "", NULL,
	  "unshare -U true", "Operation not permitted", NULL },
	{ "mount: Operation not permitted", "", NULL,
	  "mount -t tmpfs none /tmp || echo; umount /proc; mount --bind /tmp /workspace", "mount",
	  NULL },
	{ "It waits for a key, or shows a part", "", "env PAGER=cat",
	  "seq 100 > /tmp/n; timeout --foreground 1 ${PAGER:-less} /tmp/n; echo", "\033",
	  "\n100\n" },
	{ "It prints nothing until it ends", "terminal no\n", "terminal yes",
	  "timeout -s KILL 1 python3 -c 'import time; print(6 * 7); time.sleep(60)'; echo over",
	  "over", "42" },
	{ "It waits for an answer of its terminal", "replies never\n", "replies auto",
	  "stty raw -echo min 0 time 10; printf '\\033[c'; dd bs=64 count=1 2>/dev/null | "
	  "tr '\\033' E | sed 's/^/got /'; echo over",
	  "over", "got E[?" },
	{ "Letters are garbage", "env LANG=C\n", "env LANG=C.UTF-8",
	  "printf 'letters %s\\n' $(printf '\\303\\266' | wc -m)", "letters 2", "letters 1" },
};
enum { CASES = sizeof(cases) / sizeof(*cases) };

/* Not among those, and why. */
static const struct {
	const char *symptom, *why;
} others[] = {
	{ "not an absolute path", "system_client.c: what run refuses" },
	{ "home: bytes of the disk are free", "system_home.c: asks_for_room" },
	{ "Disk quota exceeded", "disk.sh: what a session may keep on disk" },
	{ "A JVM, PostgreSQL or a browser: ended, or never ready", "system_profiles.c" },
	{ "Bad system call", "system_isolation.c: other architectures end the process" },
	{ "Could not resolve host, Network is unreachable", "system_network.c, system_names.c" },
	{ "Connection reset, or refused, with network names", "system_names.c" },
	{ "sudo, su: effective uid is not 0", "system_identity.c: no set-id program counts" },
	{ "It uses one processor", "system_limits.c: cpu" },
	{ "It stands still when it has printed much", "system_output.c: overflow" },
	{ "It thinks that the terminal is smaller", "system_files.c: size" },
};
enum { OTHERS = sizeof(others) / sizeof(*others) };

static char *with_directory(const char *line)
{
	char *all = text("%s", "");

	for (const char *at; (at = strchr(line, '@')); line = at + 1)
		all = text("%s%.*s%s", all, (int)(at - line), line, fixture.dir);
	return text("%s%s", all, line);
}

/* What was printed, and how it ended. */
static char *said(const char *config, const char *key, const char *command)
{
	session_make("a");
	put_all("a/config", with_directory(text("%s%s\ncommand %s\n", config, key, command)));
	put_all("a/ctl", "start\n");
	session_exit("a");
	char *all = text("%s%s%s\nreason %s\n", plain(get("a/output", NULL)),
			 strstr(config, "terminal no") && !strstr(key, "terminal yes")
				 ? get("a/stderr", NULL)
				 : "",
			 sh("grep ' refused: ' $M/a/log || :"), get_value("a/status", "reason"));
	sh("rmdir $M/a");
	return all;
}

Test(trouble, symptoms_and_keys)
{
	session_start("server", SERVER);
	sh("cat $M/server/wait/match@0:READY");
	for (unsigned i = 0; i < CASES; i++) {
		const char *before = said(cases[i].config, "", cases[i].command);

		cr_expect(has(before, cases[i].seen), "%s: %s", cases[i].symptom, before);
		if (!cases[i].key)
			continue;
		cr_expect(!has(before, cases[i].mended), "%s: %s", cases[i].symptom, before);
		const char *after = said(cases[i].config, cases[i].key, cases[i].command);
		cr_expect(has(after, cases[i].mended), "%s: %s", cases[i].symptom, after);
	}
}

static bool is_known(const char *symptom)
{
	for (unsigned i = 0; i < CASES; i++)
		if (!strcmp(symptom, cases[i].symptom))
			return true;
	for (unsigned i = 0; i < OTHERS; i++)
		if (!strcmp(symptom, others[i].symptom))
			return true;
	return false;
}

/* The text of a symptom, up to the next one. */
static char *entry(const char *page, const char *symptom)
{
	const char *at = strstr(page, text("\n.It \"%s\"\n", symptom));

	if (!at)
		return NULL;
	const char *end = strstr(at + 1, "\n.It ");
	return text("%.*s", end ? (int)(end - at) : (int)strlen(at), at);
}

Test(trouble, page_has_these)
{
	char *page = sh(text("cat %s/contrib/man/mimobox-trouble.7", getenv("SOURCE")));
	unsigned count = 0;

	for (const char *at = page; (at = strstr(at, "\n.It \"")); count++) {
		at += strlen("\n.It \"");
		char *symptom = text("%.*s", (int)strcspn(at, "\"\n"), at);
		cr_expect(is_known(symptom), "untested: %s", symptom);
	}
	cr_expect_eq(count, CASES + OTHERS);
	for (unsigned i = 0; i < CASES; i++) {
		const char *all = entry(page, cases[i].symptom);
		cr_assert(all != NULL, "%s", cases[i].symptom);
		if (cases[i].key)
			cr_expect(has(all, text(".Cm %.*s", (int)strcspn(cases[i].key, " "),
						cases[i].key)) ||
					  has(all, text("%.*s ", (int)strcspn(cases[i].key, " "),
							cases[i].key)),
				  "%s: %s", cases[i].key, all);
	}
}

/* It is found where somebody looks. */
Test(trouble, is_named)
{
	static const char name[] = "mimobox-trouble(7)";
	struct run done = run_shell("sh", "$C run /nonexistent");

	cr_expect(done.status == 127 && has(done.err, name), "%s", done.err);
	done = run_shell("sh", "$C run --timeout 100ms sleep 60");
	cr_expect(has(done.err, name), "%s", done.err);
	done = run_shell("sh", "$C doctor");
	cr_expect(has(done.out, name), "%s", done.out);
	cr_expect(has(sh(text("cat %s/README.md", getenv("SOURCE"))), name));
}
