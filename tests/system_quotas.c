/* SPDX-License-Identifier: MIT */
/*
 * What the machine has once for all its users: one session, or one user's sessions, cannot take it
 * from the others. The control is a program that takes it outside, or a session that is let.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"

TestSuite(quotas, .init = outside_prepare, .fini = outside_stop, .timeout = 90);

static const char script_path[] = "/srv/script.py";

/* A program of python's, as a file that sessions of all users see. */
static char *config_of(const char *script, const char *more)
{
	outside_file(outside("script.py"), script, ROOT, 0644);
	return text("ro %s:%s\nargv [\"python3\",\"%s\"]\n%s", outside("script.py"), script_path,
		    script_path, more);
}

/* What is counted for the user who made a user namespace: root, for all sessions of root's daemon
 */

static const char take_counted[] =
	"import ctypes, os, signal, sys\n"
	"c = ctypes.CDLL(None)\n"
	"instances = signals = 0\n"
	"while instances < 900 and c.inotify_init1(0) >= 0: instances += 1\n"
	"signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN])\n"
	"while signals < 2000 and c.sigqueue(os.getpid(), signal.SIGRTMIN, None) == 0: signals += "
	"1\n"
	"print('took', instances, signals, flush=True)\n"
	"sys.stdin.readline()\n";

struct counted {
	int instances, signals;
};

static struct counted counted_in(const char *output)
{
	struct counted counted = { 0, 0 };
	const char *took = strstr(output, "took ");

	cr_assert(took && sscanf(took, "took %d %d", &counted.instances, &counted.signals) == 2,
		  "%s", output);
	return counted;
}

/* The session goes on holding it. */
static struct counted take_inside(uid_t user, const char *name)
{
	session_start_as(user, name, config_of(take_counted, ""));
	get(text("%s/wait/match@0:took [0-9]* [0-9]*\r", name), NULL);
	return counted_in(get(text("%s/transcript", name), NULL));
}

static struct counted take_outside(uid_t user)
{
	return counted_in(
		run_as(user, text("exec python3 %s < /dev/null", outside("script.py"))).out);
}

Test(quotas, what_is_counted_for_the_maker_of_sandboxes)
{
	struct counted one, other, root, control;

	fixture_daemon(NULL);
	one = take_inside(ANN, "a");
	other = take_inside(BOB, "b");
	root = take_outside(ROOT);
	control = take_outside(ANN);
	cr_expect(one.instances >= 4 && one.instances < control.instances, "%d of %d",
		  one.instances, control.instances);
	cr_expect_lt(one.signals, control.signals);
	cr_expect_eq(other.instances, one.instances);
	cr_expect_eq(other.signals, one.signals);
	cr_expect(root.instances > 0 && root.signals >= one.signals, "%d, %d", root.instances,
		  root.signals);
}

/* The memory of sockets has one bound for all network namespaces */

static const char fill_sockets[] = "import os, socket\n"
				   "kept, data, sent = [], b'x' * 16000, 0\n"
				   "out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
				   "for i in range(600):\n"
				   "  try:\n"
				   "    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
				   "    s.bind(('127.0.0.1', 0))\n"
				   "    kept.append(s)\n"
				   "    for k in range(20): out.sendto(data, s.getsockname())\n"
				   "  except OSError: pass\n"
				   "print('full', flush=True)\n"
				   "input()\n";

static long udp_pages(void)
{
	return atol(sh("sed -n 's/^UDP: inuse [0-9]* mem //p' /proc/net/sockstat"));
}

static long filled(const char *name, const char *memory)
{
	long before = udp_pages(), after;

	session_start(name, config_of(fill_sockets, text("seccomp network\nmemory %s\n", memory)));
	get(text("%s/wait/match@0:full", name), NULL);
	after = udp_pages();
	put_all(text("%s/input", name), "\n");
	session_exit(name);
	return after - before;
}

Test(quotas, the_memory_of_sockets_is_the_sessions)
{
	const long mib = 256; /* pages */
	long narrow, wide;

	fixture_daemon(NULL);
	narrow = filled("a", "24M");
	wide = filled("b", "none");
	/* the kernel counts it by processor, in lots */
	cr_expect_lt(narrow, 28 * mib, "%ld pages", narrow);
	cr_expect_gt(wide, 40 * mib, "%ld pages", wide);
}

/* Terminals */

static const char take_terminals[] = "import os\n"
				     "n = 1\n"
				     "try:\n"
				     "  while n < 99: os.openpty(); n += 1\n"
				     "except OSError as e: print(n, e.strerror, flush=True)\n"
				     "input()\n";

Test(quotas, a_session_has_as_many_terminals_as_it_says)
{
	static const unsigned counts[] = { 1, 3, 8 };

	fixture_daemon(NULL);
	for (unsigned i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		const char *more = counts[i] == 8 ? "" : text("terminals %u\n", counts[i]);

		session_start("a", config_of(take_terminals, more));
		get("a/wait/match@0:left", NULL);
		cr_expect(has(get("a/transcript", NULL), text("%u No space left", counts[i])), "%s",
			  get("a/transcript", NULL));
		session_remove("a");
	}
}

Test(quotas, a_users_sessions_have_not_all_terminals)
{
	int status;

	outside_file(outside("ceiling"), "user-terminals 20\n", ROOT, 0600);
	fixture_daemon((const char *const[]){ "--ceiling", outside("ceiling"), NULL });
	session_start_as(ANN, "a", config_of(take_terminals, ""));
	session_start_as(ANN, "b", config_of(take_terminals, ""));
	start_refused(ANN, "c", "command true\n", EPERM,
		      "user-terminals: 8 beside the 16 of other sessions is above the ceiling of "
		      "20");
	/* another's start still works, and what fits does */
	session_run_as(BOB, "d", "command exit 4\n", &status);
	cr_expect_eq(status, 4);
	session_run_as(ANN, "e", "terminals 4\ncommand exit 5\n", &status);
	cr_expect_eq(status, 5);
	/* the end gives back */
	put_all("a/ctl", "kill\n");
	session_exit("a");
	act_as(ANN);
	put_all("c/ctl", "start\n");
	act_as(ROOT);
	cr_expect_eq(session_exit("c"), 0);
}

/* Without a ceiling: three quarters of what the machine has for sandboxes. */
Test(quotas, terminals_of_a_user_by_default)
{
	long all = atol(outside_read("/proc/sys/kernel/pty/max"));
	long most = (all - atol(outside_read("/proc/sys/kernel/pty/reserve"))) / 4 * 3;

	fixture_daemon(NULL);
	act_as(ANN);
	session_make("a");
	if (most < 4096) {
		put_refused("a/config", text("terminals %ld\n", most + 1), EPERM);
		cr_expect(has(get("a/log", NULL),
			      text("user-terminals: %ld is above the ceiling of %ld; ask for "
				   "fewer: terminals 1; or have root raise kernel.pty.max\n",
				   most + 1, most)),
			  "%s", get("a/log", NULL));
	}
	put_all("a/config", text("terminals %ld\n", most < 4096 ? most : 4096));
	put_all("a/ctl", "start\n");
	act_as(ROOT);
	/* root's are not bounded */
	session_make("r");
	put_all("r/config", "terminals 4096\n");
}

/* Init is what it was, whatever is done to it from inside */

static const char hold_init[] =
	"import os\n"
	"def tried(f, *a):\n"
	"  try: f(*a); return 'done'\n"
	"  except OSError as e: return e.strerror\n"
	"print(tried(os.setpriority, os.PRIO_PROCESS, 1, 19))\n"
	"print(tried(os.setpriority, os.PRIO_PGRP, 0, 19))\n"
	"print(tried(os.setpriority, os.PRIO_USER, 0, 19))\n"
	"print(tried(os.sched_setaffinity, 1, [0]))\n"
	"print(tried(os.setpriority, os.PRIO_PROCESS, 0, 19))\n"
	"print(tried(os.setpriority, os.PRIO_PROCESS, os.getpid(), 19))\n"
	"print(tried(os.sched_setaffinity, 0, [min(os.sched_getaffinity(0))]))\n";

Test(quotas, init_keeps_its_turns)
{
	static const char *const ends[] = { "", "ends last-process\n", "seccomp compat\n" };
	int status;

	fixture_daemon(NULL);
	for (unsigned i = 0; i < 3; i++) {
		cr_expect_str_eq(session_run_as(ANN, "a", config_of(hold_init, ends[i]), &status),
				 "Operation not permitted\nOperation not permitted\n"
				 "Operation not permitted\nOperation not permitted\n"
				 "done\ndone\ndone\n");
		session_remove("a");
	}
}
