/* SPDX-License-Identifier: MIT */
/* What other users than root may ask for: by lines, by defaults, and in all of their sessions. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"

TestSuite(ceiling, .init = outside_prepare, .fini = outside_stop, .timeout = 90);
TestSuite(nobodys, .init = fixture_prepare, .fini = fixture_stop, .timeout = 60);

/* A daemon with this ceiling, and these defaults. */
static void serve_with(const char *ceiling, const char *defaults)
{
	outside_file(outside("ceiling"), ceiling, ROOT, 0600);
	outside_file(outside("defaults"), defaults, ROOT, 0600);
	fixture_daemon((const char *const[]){ "--ceiling", outside("ceiling"), "--defaults",
					      outside("defaults"), NULL });
}

static void serve(const char *ceiling)
{
	serve_with(ceiling, "");
}

static bool logged(const char *name, const char *line)
{
	act_as(ROOT);
	return has(get(text("%s/log", name), NULL), text(" %s\n", line));
}

/* A line of config is refused to the user, for this reason. */
static void line_refused(uid_t user, const char *name, const char *line, const char *reason)
{
	act_as(user);
	put_refused(text("%s/config", name), line, EPERM);
	cr_expect(logged(name, text("config line 1: %s", reason)), "%s: %s", line,
		  get(text("%s/log", name), NULL));
}

static void line_taken(uid_t user, const char *name, const char *line)
{
	act_as(user);
	put_all(text("%s/config", name), line);
	act_as(ROOT);
}

static void make_as(uid_t user, const char *name)
{
	act_as(user);
	session_make(name);
	act_as(ROOT);
}

static int mkdir_as(uid_t user, const char *name)
{
	act_as(user);
	int error = mkdir(at("%s", name), 0700) < 0 ? -errno : 0;
	act_as(ROOT);
	return error;
}

/* `start` of a session that is there. */
static void again_refused(uid_t user, const char *name, const char *reason)
{
	act_as(user);
	put_refused(text("%s/ctl", name), "start\n", EPERM);
	cr_expect(logged(name, text("start refused: %s", reason)), "%s",
		  get(text("%s/log", name), NULL));
}

static void again_started(uid_t user, const char *name)
{
	act_as(user);
	put_all(text("%s/ctl", name), "start\n");
	act_as(ROOT);
}

static void kill_session(const char *name)
{
	put_all(text("%s/ctl", name), "kill\n");
	session_exit(name);
}

/* Lines */

static const char all[] =
	"# of each user\ntimeout 1h\nkill-grace 1s\nmemory 256M\nprocesses 10\n"
	"cpu 0.5\nopen-files 64\nfile-size 1M\ntmp-size 1M\ndisk 1G\nterminals 2\nretain 1M\n"
	"network tcp 80,443\nseccomp network\nfork no\nptrace no\nlandlock 4\n"
	"ro /usr/share\nrw /srv\n";

Test(ceiling, each_key_at_its_bound_and_above)
{
	static const struct {
		const char *below, *at, *above, *why;
	} rows[] = {
		{ "timeout 1s", "timeout 1h", "timeout 61m",
		  "timeout: 61m is above the ceiling of 1h" },
		{ "timeout 1ms", "timeout 60m", "timeout none",
		  "timeout: none is above the ceiling of 1h" },
		{ "kill-grace 0", "kill-grace 1s", "kill-grace 2s",
		  "kill-grace: 2s is above the ceiling of 1s" },
		{ "memory 1M", "memory 256M", "memory 257M",
		  "memory: 257M is above the ceiling of 256M" },
		{ "memory 2M", "memory 268435456", "memory none",
		  "memory: none is above the ceiling of 256M" },
		{ "processes 1", "processes 10", "processes 11",
		  "processes: 11 is above the ceiling of 10" },
		{ "cpu 0.1", "cpu 0.5", "cpu 1", "cpu: 1 is above the ceiling of 0.5" },
		{ "open-files 8", "open-files 64", "open-files 65",
		  "open-files: 65 is above the ceiling of 64" },
		{ "file-size 0", "file-size 1M", "file-size none",
		  "file-size: none is above the ceiling of 1M" },
		{ "tmp-size 64K", "tmp-size 1M", "tmp-size 2M",
		  "tmp-size: 2M is above the ceiling of 1M" },
		{ "disk 64K", "disk 1G", "disk none", "disk: none is above the ceiling of 1G" },
		{ "terminals 1", "terminals 2", "terminals 3",
		  "terminals: 3 is above the ceiling of 2" },
		{ "retain 64K", "retain 1M", "retain 2M", "retain: 2M is above the ceiling of 1M" },
		{ "network none", "network tcp 443,80", "network tcp 443,22",
		  "network: port 22 is not one of the ceiling's" },
		{ "network none", "network tcp 443", "network host",
		  "network: host is above the ceiling of tcp" },
		{ "seccomp essential", "seccomp network", "seccomp compat",
		  "seccomp: compat is above the ceiling of network" },
		{ "fork no", "fork no", "fork yes", "fork: yes is above the ceiling of no" },
		{ "ptrace no", "ptrace no", "ptrace yes",
		  "ptrace: yes is above the ceiling of no" },
		{ "landlock 6", "landlock 4", "landlock 3",
		  "landlock: 3 is below the 4 of the ceiling" },
		{ "ro /usr/share/doc", "ro /usr/share:/x", "ro /usr",
		  "ro: /usr is not at or below a path of the ceiling" },
		{ "ro /srv/x", "rw /srv", "rw /usr/share",
		  "rw: /usr/share is not at or below a path of the ceiling" },
	};

	serve(all);
	make_as(ANN, "a");
	make_as(ROOT, "r");
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		line_taken(ANN, "a", rows[i].below);
		line_taken(ANN, "a", rows[i].at);
		line_refused(ANN, "a", rows[i].above, rows[i].why);
		line_taken(ROOT, "r", rows[i].above);
	}
	cr_expect_str_eq(get_value("a/config", "memory"), "256M");
	cr_expect_str_eq(get_value("a/config", "landlock"), "4");
	cr_expect_str_eq(get_value("r/config", "memory"), "none");
}

Test(ceiling, keys_without_a_bound_are_free)
{
	serve("processes 10\n");
	make_as(ANN, "a");
	line_taken(ANN, "a", "memory none\nnetwork host\nseccomp compat\nrw /srv\nlandlock none\n");
}

Test(ceiling, lines_before_the_refused_one_have_taken_effect)
{
	serve(all);
	make_as(ANN, "a");
	act_as(ANN);
	cr_expect_eq(put("a/config", "cpu 0.2\nmemory 1M\nmemory 1G\ncpu 0.3\n"), 18);
	cr_expect_eq(put("a/config", "memory 1G\ncpu 0.3\n"), -EPERM);
	act_as(ROOT);
	cr_expect_str_eq(get_value("a/config", "cpu"), "0.2");
	cr_expect_str_eq(get_value("a/config", "memory"), "1M");
	cr_expect(logged("a", "config line 3: memory: 1G is above the ceiling of 256M"));
}

/* What no line says may yet be said by two; and by a shell. */
Test(ceiling, paths_are_judged_one_by_one_when_appended)
{
	struct run done;

	serve("ro /usr/share\n");
	make_as(ANN, "a");
	done = run_as(ANN, "cd $M/a && echo 'ro /usr/share/doc' >> config &&"
			   "echo 'cpu 1' >> config && echo 'ro /srv' >> config");
	cr_expect_neq(done.status, 0);
	cr_expect(has(get("a/config", NULL), "\nro /usr/share/doc\n"));
	cr_expect_not(has(get("a/config", NULL), "ro /srv"));
}

/* As a shell or cp gives long texts: the line is cut after its 25. */
Test(ceiling, lines_in_pieces)
{
	char piece[4097];
	int fd;

	memset(piece, '#', sizeof(piece));
	strcpy(piece + 4096 - strlen("\nmemory 25"), "\nmemory 25");
	serve("memory 256M\n");
	make_as(ANN, "a");
	act_as(ANN);
	fd = open(at("a/config"), O_WRONLY | O_APPEND | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	cr_expect_eq(write(fd, piece, 4096), 4096);
	cr_expect(write(fd, "7M\n", 3) < 0 && errno == EPERM);
	cr_expect_eq(write(fd, piece, 4096), 4096);
	cr_expect_eq(write(fd, "6M\n", 3), 3);
	cr_expect_eq(close(fd), 0);
	act_as(ROOT);
	cr_expect_str_eq(get_value("a/config", "memory"), "256M");
	cr_expect(logged("a", "config line 1: memory: 257M is above the ceiling of 256M"));
}

/* Paths */

Test(ceiling, links_do_not_lead_out)
{
	char *log;

	outside_directory(outside("given"), ROOT, 0755);
	outside_directory(outside("given/anns"), ANN, 0755);
	outside_directory(outside("other"), ANN, 0755);
	outside_file(outside("given/anns/file"), "given\n", ANN, 0644);
	outside_file(outside("other/file"), "other\n", ANN, 0644);
	cr_assert_eq(symlink("../../other", outside("given/anns/out")), 0);
	cr_assert_eq(symlink("anns", outside("given/in")), 0);
	/* the ceiling's own name may be by a link */
	cr_assert_eq(symlink("given", outside("link")), 0);
	serve(text("rw %s\n", outside("link")));
	start_refused(ANN, "a", text("rw %s:/x\ncommand cat /x/file\n", outside("link/anns/out")),
		      EPERM, "it leads out of the ceiling's paths");
	start_refused(ANN, "b", text("ro %s:/x\ncommand cat /x\n", outside("link/anns/out/file")),
		      EPERM, "it leads out of the ceiling's paths");
	log = session_run_as(ANN, "c", text("rw %s:/x\ncommand cat /x/file\n", outside("link/in")),
			     &(int){ 0 });
	cr_expect_str_eq(log, "given\n");
	/* root's are not bounded */
	log = session_run_as(ROOT, "r",
			     text("ro %s:/x\ncommand cat /x/file\n", outside("link/anns/out")),
			     &(int){ 0 });
	cr_expect_str_eq(log, "other\n");
}

Test(ceiling, no_path_at_all)
{
	serve("ro none\n");
	make_as(ANN, "a");
	line_refused(ANN, "a", "ro /usr/share",
		     "ro: /usr/share is not at or below a path of the ceiling");
	line_refused(ANN, "a", "rw /srv", "rw: /srv is not at or below a path of the ceiling");
	line_taken(ANN, "a", "command echo $((1+1))");
	again_started(ANN, "a");
	cr_expect_eq(session_exit("a"), 0);
}

/* Nor from what may be changed to what may only be seen. */
Test(ceiling, links_do_not_lead_from_rw_to_ro)
{
	outside_directory(outside("given"), ANN, 0755);
	outside_directory(outside("seen"), ANN, 0755);
	outside_file(outside("seen/file"), "seen\n", ANN, 0644);
	cr_assert_eq(symlink("../seen", outside("given/out")), 0);
	serve(text("rw %s\nro %s\n", outside("given"), outside("seen")));
	start_refused(ANN, "a", text("rw %s:/x\ncommand echo x > /x/file\n", outside("given/out")),
		      EPERM, "it leads out of the ceiling's paths");
	cr_expect_str_eq(
		session_run_as(ANN, "b",
			       text("ro %s:/x\ncommand cat /x/file\n", outside("given/out")),
			       &(int){ 0 }),
		"seen\n");
}

/* Defaults */

Test(ceiling, defaults_are_bounded_at_the_start)
{
	int status;

	serve_with("memory 256M\nfork no\n", "memory 128M\n");
	start_refused(ANN, "a", "command true\n", EPERM,
		      "start refused: fork: yes is above the ceiling of no");
	line_taken(ANN, "a", "fork no\n");
	again_started(ANN, "a");
	cr_expect_eq(session_exit("a"), 0);
	session_run_as(ROOT, "r", "command true\n", &status);
	cr_expect_eq(status, 0);
	/* those that come later, too; and those before are what they were */
	make_as(ANN, "b");
	put_all("defaults", "memory 1G\n");
	start_refused(ANN, "c", "fork no\ncommand true\n", EPERM,
		      "start refused: memory: 1G is above the ceiling of 256M");
	line_taken(ANN, "b", "fork no\ncommand true\n");
	again_started(ANN, "b");
	/* going back to them is no way around */
	make_as(ANN, "d");
	line_taken(ANN, "d", "memory 1M\nreset\nfork no\n");
	again_refused(ANN, "d", "memory: 1G is above the ceiling of 256M");
}

Test(ceiling, a_start_by_input_is_judged)
{
	serve("memory 256M\n");
	make_as(ANN, "a");
	act_as(ANN);
	put_refused("a/input", "exit 3\n", EPERM);
	cr_expect(logged("a", "start refused: memory: 512M is above the ceiling of 256M"));
	line_taken(ANN, "a", "memory 256M\n");
	act_as(ANN);
	put_all("a/input", "exit 3\n");
	cr_expect_eq(session_exit("a"), 3);
}

/* Totals */

Test(ceiling, sessions_of_each_user)
{
	serve("user-sessions 2\n");
	make_as(ANN, "a");
	session_start_as(ANN, "b", "command read x\n");
	cr_expect_eq(mkdir_as(ANN, "c"), -EDQUOT);
	cr_expect_eq(mkdir_as(BOB, "d"), 0);
	cr_expect_eq(mkdir_as(BOB, "e"), 0);
	cr_expect_eq(mkdir_as(BOB, "f"), -EDQUOT);
	make_as(ROOT, "r1");
	make_as(ROOT, "r2");
	make_as(ROOT, "r3");
	/* the end is not enough: what it printed is still there */
	kill_session("b");
	cr_expect_eq(mkdir_as(ANN, "c"), -EDQUOT);
	session_remove("b");
	cr_expect_eq(mkdir_as(ANN, "c"), 0);
	cr_expect_eq(mkdir_as(ANN, "g"), -EDQUOT);
	/* one that never ran */
	session_remove("a");
	cr_expect_eq(mkdir_as(ANN, "g"), 0);
	cr_expect(has(run_as(ANN, "mkdir $M/h").err, "quota"));
}

/* The kernel tells of a close when it has been made. */
static bool can_start(const void *ctl)
{
	act_as(ANN);
	bool started = put(ctl, "start\n") > 0;
	act_as(ROOT);
	return started;
}

/* Removed while it runs, it has no place, and the next one starts when nothing of it runs. */
Test(ceiling, a_removed_session_counts_until_its_end)
{
	struct stream output;
	char *sleeper = text("%u", marker());

	serve("user-sessions 1\n");
	session_start_as(ANN, "a",
			 text("kill-grace 1s\ncommand trap '' TERM; echo READY; "
			      "sleep %s & while :; do read x; done\n",
			      sleeper));
	stream_open(&output, "a/output");
	stream_until(&output, "READY");
	session_remove("a");
	cr_expect_eq(mkdir_as(ANN, "b"), 0);
	cr_expect_eq(mkdir_as(ANN, "c"), -EDQUOT);
	line_taken(ANN, "b", "command exit 3\n");
	again_started(ANN, "b");
	cr_expect(none_with(sleeper));
	cr_expect_eq(session_exit("b"), 3);
	stream_close(&output);
}

/* Its place is free at once, whoever still reads from it. */
Test(ceiling, a_removed_session_that_is_read_has_no_place)
{
	struct stream output;

	serve("user-sessions 1\n");
	session_start_as(ANN, "a", "command true\n");
	stream_open(&output, "a/output");
	cr_expect_eq(session_exit("a"), 0);
	session_remove("a");
	cr_expect_eq(mkdir_as(ANN, "b"), 0);
	stream_close(&output);
}

struct part {
	const char *total, *more, *first, *second, *why, *fits;
};

/* Two sessions that are each within the total, and together above it. */
static void assert_sum(const struct part *part)
{
	make_as(ANN, "a");
	line_taken(ANN, "a", text("%s\ncommand read x\n", part->first));
	make_as(ANN, "b");
	line_refused(ANN, "b", part->more, part->why);
	line_taken(ANN, "b", text("%s\ncommand read x\n", part->second));
	again_started(ANN, "a");
	again_refused(ANN, "b", part->total);
	/* not another's, and not root's */
	session_start_as(BOB, "c", text("%s\ncommand read x\n", part->first));
	session_start_as(ROOT, "r", text("%s\ncommand read x\n", part->more));
	/* what fits beside it */
	line_taken(ANN, "b", part->fits);
	again_started(ANN, "b");
	kill_session("b");
	session_remove("b");
}

Test(ceiling, totals_of_several_sessions)
{
	static const struct part parts[] = {
		{ "user-memory: 157M beside the 100M of other sessions is above the ceiling of "
		  "256M",
		  "memory none", "memory 100M", "memory 157M",
		  "user-memory: none is above the ceiling of 256M", "memory 156M" },
		{ "user-processes: 5 beside the 6 of other sessions is above the ceiling of 10",
		  "processes 11", "processes 6", "processes 5",
		  "user-processes: 11 is above the ceiling of 10", "processes 4" },
		{ "user-cpu: 0.5 beside the 0.6 of other sessions is above the ceiling of 1",
		  "cpu 1.5", "cpu 0.6", "cpu 0.5", "user-cpu: 1.5 is above the ceiling of 1",
		  "cpu 0.4" },
		{ "user-terminals: 5 beside the 6 of other sessions is above the ceiling of 10",
		  "terminals 11", "terminals 6", "terminals 5",
		  "user-terminals: 11 is above the ceiling of 10", "terminals 4" },
		{ "user-spool: 65K beside the 192K of other sessions is above the ceiling of 256K",
		  "retain 1M", "retain 192K", "retain 65K",
		  "user-spool: 1M is above the ceiling of 256K", "retain 64K" },
	};
	static const char *const ceilings[] = { "user-memory 256M\n", "user-processes 10\n",
						"user-cpu 1\n", "user-terminals 10\n",
						"user-spool 256K\n" };

	for (unsigned i = 0; i < 5; i++) {
		serve(ceilings[i]);
		assert_sum(&parts[i]);
		fixture_daemon_ended(SIGTERM);
		unlink(outside("ceiling"));
		unlink(outside("defaults"));
	}
}

/* What runs counts; what has ended does not. */
Test(ceiling, the_end_gives_back)
{
	serve("user-memory 512M\n");
	session_start_as(ANN, "a", "command read x\n");
	make_as(ANN, "b");
	again_refused(ANN, "b",
		      "user-memory: 512M beside the 512M of other sessions is above the "
		      "ceiling of 512M");
	kill_session("a");
	line_taken(ANN, "b", "command exit 4\n");
	again_started(ANN, "b");
	cr_expect_eq(session_exit("b"), 4);
}

static void start_stubborn(const char *name)
{
	struct stream output;

	session_start_as(ANN, name,
			 "memory 100M\nkill-grace 1s\ncommand trap '' TERM; echo READY; "
			 "while :; do sleep 1; done\n");
	stream_open(&output, text("%s/output", name));
	stream_until(&output, "READY");
	stream_close(&output);
}

/* Their processes are there for a second more, which a start waits for. */
static void remove_stubborn(void)
{
	for (unsigned i = 0; i < 3; i++)
		start_stubborn(text("s%u", i));
	for (unsigned i = 0; i < 3; i++)
		session_remove(text("s%u", i));
}

Test(ceiling, a_start_waits_for_what_is_removed)
{
	serve("user-memory 300M\nuser-sessions 3\nuser-processes 1000\n");
	remove_stubborn();
	/* by its files, and by what is typed */
	session_start_as(ANN, "a", "memory 300M\ncommand exit 4\n");
	cr_expect_eq(session_exit("a"), 4);
	session_remove("a");
	remove_stubborn();
	make_as(ANN, "a");
	line_taken(ANN, "a", "memory 300M\n");
	act_as(ANN);
	put_all("a/input", "exit 5\n");
	act_as(ROOT);
	cr_expect_eq(session_exit("a"), 5);
	session_remove("a");
	/* what would not fit without them either is refused at once */
	remove_stubborn();
	session_start_as(ANN, "b", "memory 200M\ncommand read x\n");
	make_as(ANN, "c");
	line_taken(ANN, "c", "memory 101M\n");
	again_refused(ANN, "c",
		      "user-memory: 101M beside the 200M of other sessions is above the ceiling "
		      "of 300M");
	/* sessions that are there count for mkdir, those that are removed do not */
	cr_expect_eq(mkdir_as(ANN, "d"), 0);
	cr_expect_eq(mkdir_as(ANN, "e"), -EDQUOT);
}

/* The server dies meanwhile, and another has the request. */
Test(ceiling, a_start_waits_over_a_servers_death)
{
	pid_t server, writer;
	int status;

	serve("user-memory 300M\n");
	server = fixture_server();
	if (!server || server == fixture.daemon)
		cr_skip_test("there is no keeper");
	fixture.crashed = true;
	remove_stubborn();
	make_as(ANN, "a");
	line_taken(ANN, "a", "memory 300M\ncommand exit 4\n");
	writer = spawn((const char *const[]){ "sh", "-c", "echo start > $M/a/ctl", NULL });
	cr_assert(await(process_waits, &writer, SECONDS * 1000));
	kill(server, SIGKILL);
	cr_assert(ended(writer, SECONDS * 1000, &status));
	cr_expect_eq(status, 0);
	cr_expect_eq(session_exit("a"), 4);
}

Test(ceiling, a_failed_start_gives_back)
{
	serve("user-memory 512M\nuser-spool 64M\n");
	start_refused(ANN, "a", "ro /nowhere\n", ENOENT, "start failed: path: /nowhere");
	start_refused(ANN, "b", "cwd /nowhere\n", ENOENT, "start failed: cwd: /nowhere");
	/* before there is anything of a sandbox */
	cr_assert_eq(rename(fixture.spool, outside("away")), 0);
	start_refused(ANN, "c", "command true\n", ENOENT, "start failed: spool: ");
	cr_assert_eq(rename(outside("away"), fixture.spool), 0);
	session_start_as(ANN, "d", "command read x\n");
}

/* What was printed counts until it has gone: with the session, and with its last reader. */
Test(ceiling, the_last_reader_gives_the_spool_back)
{
	struct stream output;

	serve("user-spool 64M\n");
	session_start_as(ANN, "a", "command echo hello\n");
	stream_open(&output, "a/output");
	cr_expect_eq(session_exit("a"), 0);
	make_as(ANN, "b");
	again_refused(ANN, "b",
		      "user-spool: 64M beside the 64M of other sessions is above the "
		      "ceiling of 64M");
	session_remove("a");
	again_refused(ANN, "b",
		      "user-spool: 64M beside the 64M of other sessions is above the "
		      "ceiling of 64M");
	stream_rest(&output);
	stream_close(&output);
	line_taken(ANN, "b", "command exit 5\n");
	cr_expect(await(can_start, "b/ctl", SECONDS * 1000));
	cr_expect_eq(session_exit("b"), 5);
}

Test(ceiling, pipes_have_two_spools)
{
	serve("user-spool 1M\n");
	start_refused(ANN, "a", "retain 1M\nterminal no\ncommand true\n", EPERM,
		      "start refused: user-spool: 2M is above the ceiling of 1M");
	line_taken(ANN, "a", "retain 512K\n");
	again_started(ANN, "a");
	cr_expect_eq(session_exit("a"), 0);
}

/* The file */

static void complaint(const char *option, const char *value, const char *part)
{
	struct run done = run((const char *const[]){ mimoboxfs(), option, value, "--spool",
						     fixture.spool, "--workspaces",
						     fixture.workspaces, fixture.mount, NULL });

	cr_expect(done.status == 1 || done.status == 2, "%s: %d", part, done.status);
	cr_expect_eq(done.out_size, 0);
	cr_expect(has(done.err, part), "'%s' not in: %s", part, done.err);
	cr_expect(strchr(done.err, '\n') == done.err + done.err_size - 1, "%s", done.err);
	cr_assert_not(fixture_mounted());
}

static void bad_file(const char *data, const char *part)
{
	FILE *file = fopen(text("%s/ceiling", fixture.dir), "w");

	cr_assert(file && fputs(data, file) >= 0 && fclose(file) == 0);
	complaint("--ceiling", text("%s/ceiling", fixture.dir), part);
}

Test(nobodys, bad_files_are_one_line)
{
	complaint("--ceiling", "/nowhere", "cannot read the ceiling in /nowhere: No such file");
	complaint("-o", "ceiling=/nowhere", "cannot read the ceiling in /nowhere: No such file");
	complaint("-o", "ceiling", "needs a value");
	complaint("--ceiling", "", "wrong value '' for ceiling");
	complaint("--ceiling", "/", "cannot read the ceiling in /: Is a directory");
	sh("mkfifo $M/../fifo");
	complaint("--ceiling", text("%s/fifo", fixture.dir), "not a regular file");
	complaint("--defaults", text("%s/fifo", fixture.dir), "not a regular file");
	bad_file("memory 1G\nmemroy 1G\n", "ceiling: line 2: unknown key 'memroy'");
	bad_file("memory\n", "ceiling: line 1: key 'memory' has no value");
	bad_file("\nterminal no\n", "ceiling: line 2: 'terminal' is nothing that a ceiling bounds");
	bad_file("user-cpu x\n", "ceiling: line 1: user-cpu 'x': malformed");
	/* the control */
	sh("echo 'memory 1G' > $M/../ceiling");
	fixture_daemon((const char *const[]){ "-o", text("ceiling=%s/ceiling", fixture.dir),
					      "--defaults", "/dev/null", NULL });
}
