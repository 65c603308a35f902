/* SPDX-License-Identifier: MIT */
/*
 * What a program sees of its limits: its own group at /sys/fs/cgroup, and runtimes that size
 * themselves by it.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"

TestSuite(sizes, .init = outside_start, .fini = outside_stop, .timeout = 120);

/* The two kinds: sealed before it is known whose it is, and built for its config. */
static const char *const ways[] = { "", "ro /usr/share\n", "ends last-process\n",
				    "network host\nlandlock 1\n" };
enum { WAYS = 4 };

static bool has_limits(void)
{
	return strcmp(get_value("defaults", "memory"), "none") != 0;
}

static bool is_v2(void)
{
	return access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
}

static char *says(uid_t user, const char *config)
{
	int status;
	char *output = session_run_as(user, "a", config, &status);

	session_remove("a");
	return output;
}

static const char *file_of(const char *v2, const char *v1)
{
	return text("/sys/fs/cgroup/%s", is_v2() ? v2 : v1);
}

static const char *memory_file(void)
{
	return file_of("memory.max", "memory/memory.limit_in_bytes");
}

/* Init has two threads, which are tasks of the group. */
Test(sizes, the_own_group_is_seen)
{
	const char *files = text("%s %s %s", memory_file(), file_of("pids.max", "pids/pids.max"),
				 file_of("cpu.max", "cpu/cpu.cfs_quota_us"));

	if (!has_limits())
		cr_skip_test("there are no cgroups here");
	for (unsigned i = 0; i < 2 * WAYS; i++) {
		char *out = says(i % 2 ? ANN : ROOT,
				 text("memory 200M\nprocesses 77\ncpu 0.5\n%scommand cat %s\n",
				      ways[i / 2], files));

		cr_expect_str_eq(out,
				 text("209715200\n79\n%s\n", is_v2() ? "50000 100000" : "50000"),
				 "%s: %s", ways[i / 2], out);
	}
	/* as it is used */
	cr_expect_gt(
		atol(says(ANN, text("command cat %s\n",
				    file_of("memory.current", "memory/memory.usage_in_bytes")))),
		4096);
}

/* By nothing that is there, and by nothing that is made. */
Test(sizes, nothing_is_changed_there)
{
	static const char act[] =
		"import os, sys\n"
		"count = 0\n"
		"for directory, names, files in os.walk('/sys'):\n"
		"    for do in lambda: os.mkdir(directory + '/x'), lambda: os.chmod(directory, "
		"0o777), \\\n"
		"              lambda: open(directory + '/x', 'w'):\n"
		"        try: do(); print(directory, 'changed')\n"
		"        except OSError: count += 1\n"
		"    for name in files:\n"
		"        path = directory + '/' + name\n"
		"        for do in lambda: open(path, 'r+b', 0), lambda: os.unlink(path), \\\n"
		"                  lambda: os.chmod(path, 0o777), lambda: os.truncate(path, 0):\n"
		"            try: do(); print(path, 'changed')\n"
		"            except OSError: count += 1\n"
		"print(count > 50)\n"
		"sys.stdin.readline()\n";

	if (!has_limits())
		cr_skip_test("there are no cgroups here");
	outside_file(outside("act"), act, ROOT, 0644);
	for (unsigned i = 0; i < 2; i++) {
		session_start_as(
			i ? ANN : ROOT, "a",
			text("memory 200M\nro %s:/srv/act\nargv [\"python3\",\"/srv/act\"]\n",
			     outside("act")));
		get("a/wait/match@0:True", NULL);
		cr_expect_str_eq(plain(get("a/transcript", NULL)), "True\n", "%s",
				 get("a/transcript", NULL));
		put_all("a/input", "\n");
		session_exit("a");
		session_remove("a");
	}
}

/* No path, name or number of another session's, nor of the daemon's. */
Test(sizes, others_are_not_seen)
{
	static const char look[] = "cat /proc/self/mountinfo /proc/self/cgroup; "
				   "find /sys -type d; find /sys -name '*.procs' -exec cat {} +; "
				   "cat /sys/fs/cgroup/*/cgroup.procs";

	if (!has_limits())
		cr_skip_test("there are no cgroups here");
	session_start_as(BOB, "other", "command echo READY; read x\n");
	for (unsigned i = 0; i < 2 * WAYS; i++) {
		char *out = says(i % 2 ? ANN : ROOT, text("%scommand %s\n", ways[i / 2], look));
		char *line, *rest = out;

		cr_expect(has(out, "- cgroup"), "%s", out);
		while ((line = strsep(&rest, "\n"))) {
			bool group = has(line, "/sys/fs/cgroup") || has(line, ":/");

			cr_expect(!(group && has(line, "mimobox")), "%s", line);
			cr_expect(!(has(line, ":") && has(line, ":/") && !has(line, " ") &&
				    strcmp(strrchr(line, ':'), ":/") != 0),
				  "%s", line);
		}
	}
	/* the control: they are there */
	cr_expect(
		has(sh(text("cat /proc/%s/cgroup", get_value("other/status", "pid"))), "mimobox"));
	put_all("other/ctl", "kill\n");
}

Test(sizes, processors)
{
	const char *all = sh("cat /sys/devices/system/cpu/online");
	char *out = says(ANN, "command cat /sys/devices/system/cpu/online; nproc >/dev/null && "
			      "lscpu >/dev/null && free >/dev/null && echo fine\n");

	cr_expect_str_eq(out, text("%sfine\n", all), "%s", out);
	/* that is all */
	out = says(ANN,
		   "terminal no\ncommand cd /sys; find . -path ./fs -prune -o -print | sort\n");
	cr_expect_str_eq(out,
			 ".\n./devices\n./devices/system\n./devices/system/cpu\n"
			 "./devices/system/cpu/online\n./devices/system/cpu/possible\n"
			 "./devices/system/cpu/present\n",
			 "%s", out);
}

/* Runtimes, with a quarter of a gigabyte, and half of a core */

static const struct {
	const char *program, *name, *source, *command;
} runtimes[] = {
	{ "java", "S.java",
	  "public class S { public static void main(String[] a) { System.out.println(\"is \" +\n"
	  "  (Runtime.getRuntime().maxMemory() >> 20) + ' ' +\n"
	  "  Runtime.getRuntime().availableProcessors()); } }\n",
	  "java -XX:-UsePerfData /srv/p/S.java" },
	{ "node", "s.js",
	  "console.log('is', process.constrainedMemory() >> 20, require('os')"
	  ".availableParallelism());\n",
	  "node /srv/p/s.js" },
};

Test(sizes, runtimes_go_by_them)
{
	if (!has_limits())
		cr_skip_test("there are no cgroups here");
	outside_directory(outside("p"), ROOT, 0755);
	for (unsigned i = 0; i < sizeof(runtimes) / sizeof(*runtimes); i++) {
		const char *config = text("cpu 0.5\nterminal no\nro %s:/srv/p\ncommand %s\n",
					  outside("p"), runtimes[i].command);
		int memory = 0, cores = 0;
		char *out;

		if (access(text("/usr/bin/%s", runtimes[i].program), X_OK) != 0)
			continue;
		outside_file(outside("p/%s", runtimes[i].name), runtimes[i].source, ROOT, 0644);
		out = says(ANN, text("memory 256M\n%s", config));
		cr_expect(sscanf(out, "is %d %d", &memory, &cores) == 2 && memory > 32 &&
				  memory <= 256,
			  "%s: %s", runtimes[i].program, out);
		if (strcmp(runtimes[i].program, "java") == 0)
			cr_expect_eq(cores, 1, "%s", out);
		/* the control: it was no accident */
		out = says(ANN, text("memory 1G\n%s", config));
		cr_expect(sscanf(out, "is %d", &cores) == 1 && cores > memory, "%s: %s",
			  runtimes[i].program, out);
	}
}
