/* SPDX-License-Identifier: MIT */
/*
 * The hostile program (hostile.c), in sessions of every kind. Nothing that it tries may succeed
 * there but what the session's config has asked for, which must succeed. The oracle is the same
 * program without a sandbox: a probe that fails there as well proves nothing.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "gate.h"
#include "outside.h"

TestSuite(escape, .init = outside_start, .fini = outside_stop, .timeout = 120);

static const uid_t users[] = { ROOT, ANN };
enum { PROFILES = 4 };
static const char *const profiles[PROFILES] = { "strict", "essential", "network", "compat" };

/* What hostile says of itself with --list. */
struct probe {
	char name[48], need[24], object[32];
};
static struct probe probes[256];
static unsigned probe_count;

static void list_probes(const struct lures *lures)
{
	char *line, *rest = sh(text("%s/hostile --list", lures->directory));

	probe_count = 0;
	while ((line = strsep(&rest, "\n")) && *line) {
		struct probe *probe = &probes[probe_count++];

		cr_assert_lt(probe_count, sizeof(probes) / sizeof(*probes));
		cr_assert_eq(
			sscanf(line, "%47s %23s %31s", probe->name, probe->need, probe->object), 3);
	}
	cr_assert_gt(probe_count, 130, "%u probes", probe_count);
}

/* What it said of a probe: "denied EPERM", or NULL. */
static const char *finding(const char *output, const char *name)
{
	const char *start = text("\n%s: ", name);
	const char *found = strstr(text("\n%s", output), start);

	return found ? text("%.*s", (int)strcspn(found + strlen(start), "\n"),
			    found + strlen(start))
		     : NULL;
}

static bool starts(const char *whole, const char *part)
{
	return strncmp(whole, part, strlen(part)) == 0;
}

/* Is `word` one of those in `list`, which has spaces between? */
static bool is_in(const char *word, const char *list)
{
	return has(text(" %s ", list), text(" %s ", word));
}

static char *config_of(const struct lures *lures, const char *more)
{
	return text("tmp-size 8M\nro %s/hostile:/srv/hostile\nro %s/suid:/srv/suid\n%s%s",
		    lures->directory, lures->directory, lures_environment(lures, "env ", true),
		    more);
}

/*
 * An older Landlock has no scopes. A signal is then sent to the launcher, which is the namespace's
 * process 1, and the kernel drops it (see init_takes_no_signal).
 */
static const char *reached(const char *allowed)
{
	return fixture_landlock() < 6 ? text("signal-init %s", allowed) : allowed;
}

/* A filter of its own is what compat gives. */
static const char *granted(const char *more, const char *asked)
{
	return has(more, "seccomp compat") ? text("own-filter %s", reached(asked)) : reached(asked);
}

/* Everything is refused but what is in `allowed`, and all of that is got. */
static void assert_contained(const char *output, const char *allowed, const char *context)
{
	for (unsigned i = 0; i < probe_count; i++) {
		const char *found = finding(output, probes[i].name);

		if (has(probes[i].need, "alone"))
			continue;
		cr_expect(found != NULL, "%s: nothing of %s", context, probes[i].name);
		if (!found)
			continue;
		if (is_in(probes[i].name, allowed))
			cr_expect(starts(found, "ESCAPED"), "%s: %s was asked for: %s", context,
				  probes[i].name, found);
		else
			cr_expect(starts(found, "denied") || starts(found, "killed"), "%s: %s: %s",
				  context, probes[i].name, found);
	}
}

static void attack(const struct lures *lures, const char *name, const char *more, const char *asked)
{
	int status;
	const char *allowed = granted(more, asked);
	char *output = session_run_as(
		lures->owner, name,
		config_of(lures, text("%s\ncommand stty -opost; exec /srv/hostile\n", more)),
		&status);

	cr_expect_eq(status, *allowed != '\0', "%s: status %d", more, status);
	assert_contained(output, allowed, text("user %u, %s", lures->owner, more));
	lures_unchanged(lures);
	session_remove(name);
}

/* The oracle */

static char *attack_outside(const struct lures *lures, const char *names)
{
	char *line, *rest = lures_environment(lures, "", false);

	outside_directory(outside("scratch"), lures->owner, 0755);
	setenv("HOSTILE_DIR", outside("scratch"), 1);
	while ((line = strsep(&rest, "\n")) && *line) {
		char *equals = strchr(line, '=');

		*equals = '\0';
		setenv(line, equals + 1, 1);
	}
	return run_as(lures->owner, text("cd /; exec %s/hostile %s", lures->directory, names)).out;
}

/* Whom a probe must get through to. */
static bool must_escape(const struct probe *probe, uid_t user)
{
	return starts(probe->need, "anyone") || starts(probe->need, "object") ||
	       (starts(probe->need, "root") && user == ROOT);
}

static void assert_oracle(uid_t user, const char *except)
{
	char *names = text("%s", ""), *output;
	struct lures lures;

	lures_lay(&lures, user);
	list_probes(&lures);
	for (unsigned i = 0; i < probe_count; i++)
		if (must_escape(&probes[i], user) && !has(probes[i].need, "alone") &&
		    !is_in(probes[i].name, except))
			names = text("%s %s", names, probes[i].name);
	output = attack_outside(&lures, names);
	for (unsigned i = 0; i < probe_count; i++) {
		const char *found;

		if (!is_in(probes[i].name, names + 1))
			continue;
		found = finding(output, probes[i].name);
		cr_expect(found && starts(found, "ESCAPED"), "user %u outside: %s: %s", user,
			  probes[i].name, found ? found : "nothing");
	}
	lures_unchanged(&lures);
}

/* There is nothing in a set-user-ID program of root's for root. */
Test(escape, oracle_of_root)
{
	assert_oracle(ROOT, "suid-exec");
}

/* Debian's kernels since 6.2 let only root type into a terminal. */
static bool users_may_type(void)
{
	return has(sh("cat /proc/sys/dev/tty/legacy_tiocsti 2>/dev/null || echo 1"), "1");
}

Test(escape, oracle_of_a_user)
{
	assert_oracle(ANN, users_may_type() ? "" : "tiocsti tiocsti-high tiocsti-highest");
}

/* Sessions */

Test(escape, no_way_out_of_any_profile)
{
	for (unsigned i = 0; i < 2; i++) {
		struct lures lures;

		lures_lay(&lures, users[i]);
		list_probes(&lures);
		for (unsigned p = 0; p < PROFILES; p++)
			attack(&lures, "a", text("seccomp %s", profiles[p]), "");
		process_finish();
	}
}

/*
 * Without a path of its own a sandbox has all of its layers before it is known whose it is, and by
 * another way. The program is in its workspace then.
 */
static void attack_sealed(const struct lures *lures, const char *name, const char *more,
			  const char *asked)
{
	const char *workspace = at("%s/workspace", name), *allowed = granted(more, asked);
	int status;
	char *output;

	act_as(lures->owner);
	session_make(name);
	put_all(text("%s/config", name),
		text("tmp-size 8M\n%senv HOSTILE_SUID=/workspace/suid\n%s\n"
		     "command stty -opost; exec /workspace/hostile\n",
		     lures_environment(lures, "env ", true), more));
	act_as(ROOT);
	sh(text("cd %s/ && cp %s/hostile %s/suid . && chmod 755 hostile && chmod 4755 suid",
		workspace, lures->directory, lures->directory));
	put_all(text("%s/ctl", name), "start\n");
	status = session_exit(name);
	output = plain(get(text("%s/output", name), NULL));
	cr_expect_eq(status, *allowed != '\0', "%s: status %d", more, status);
	assert_contained(output, allowed, text("sealed, user %u, %s", lures->owner, more));
	lures_unchanged(lures);
	session_remove(name);
}

Test(escape, no_way_out_of_a_sealed_one)
{
	for (unsigned i = 0; i < 2; i++) {
		struct lures lures;

		lures_lay(&lures, users[i]);
		list_probes(&lures);
		for (unsigned p = 0; p < PROFILES; p++)
			attack_sealed(&lures, "a", text("seccomp %s", profiles[p]), "");
		attack_sealed(&lures, "a", "ends last-process", "");
		process_finish();
	}
}

#define TRACING "ptrace-traceme ptrace-child process-vm-read process-vm-write"

/*
 * With `ptrace yes` a program traces its own processes. Nothing else is within reach: neither init,
 * nor a call that the filter refuses.
 */
Test(escape, no_way_out_by_tracing)
{
	for (unsigned i = 0; i < 2; i++) {
		struct lures lures;

		lures_lay(&lures, users[i]);
		list_probes(&lures);
		for (unsigned p = 0; p < PROFILES; p++) {
			const char *config = text("ptrace yes\nseccomp %s", profiles[p]);

			attack(&lures, "a", config, TRACING);
			attack_sealed(&lures, "b", config, TRACING);
		}
		process_finish();
	}
}

/* The same from a second session in a sandbox, which has every layer of the first. */
static void attack_from_second(const struct lures *lures, const char *more, const char *asked)
{
	const char *allowed = granted(more, asked);
	int status;
	char *output;

	session_start_as(lures->owner, "a",
			 config_of(lures, text("%s\ncommand echo READY; read x\n", more)));
	get("a/wait/match@0:READY", NULL);
	output = session_run_as(lures->owner, "b",
				text("in a\n%scommand stty -opost; exec /srv/hostile\n",
				     lures_environment(lures, "env ", true)),
				&status);
	cr_expect_eq(status, *allowed != '\0', "%s: status %d", more, status);
	assert_contained(output, allowed, text("second, user %u, %s", lures->owner, more));
	lures_unchanged(lures);
	session_remove("b");
	session_remove("a");
}

Test(escape, no_way_out_of_another_sessions_sandbox)
{
	for (unsigned i = 0; i < 2; i++) {
		struct lures lures;

		lures_lay(&lures, users[i]);
		list_probes(&lures);
		for (unsigned p = 0; p < PROFILES; p++)
			attack_from_second(&lures, text("seccomp %s", profiles[p]), "");
		attack_from_second(&lures, "ptrace yes", TRACING);
		process_finish();
	}
}

/* A machine without a network has no other than its loopback to show. */
static const char *interfaces(void)
{
	return *sh("ls /sys/class/net | grep -vx lo || :") ? " interfaces" : "";
}

/* The host's network is there; one port is reached, and nothing else of it. */
Test(escape, network_tcp)
{
	struct lures lures;

	/* Where ports are not kept, such a start is refused: older::of_the_hosts_network */
	for (unsigned i = 0; i < 2 && outside_landlock(true); i++) {
		const char *landlock = outside_landlock(true);
		const char *got = text("namespaces%s connections%s", interfaces(),
				       *landlock ? " unix-abstract" : "");

		lures_lay(&lures, users[i]);
		list_probes(&lures);
		for (unsigned p = 0; p < PROFILES; p++) {
			attack(&lures, "a",
			       text("%snetwork tcp %u\nseccomp %s", landlock, lures.other_tcp,
				    profiles[p]),
			       got);
			attack(&lures, "b",
			       text("%snetwork tcp %u\nseccomp %s", landlock, lures.tcp,
				    profiles[p]),
			       text("%s tcp tcp-ipv6", got));
		}
		process_finish();
	}
}

Test(escape, network_host)
{
	struct lures lures;

	for (unsigned i = 0; i < 2; i++) {
		const char *landlock = outside_landlock(false);

		lures_lay(&lures, users[i]);
		list_probes(&lures);
		for (unsigned p = 0; p < PROFILES; p++)
			attack(&lures, "a",
			       text("%snetwork host\nseccomp %s", landlock, profiles[p]),
			       text("namespaces%s connections tcp tcp-ipv6 udp listeners "
				    "multicast%s",
				    interfaces(), *landlock ? " unix-abstract" : ""));
		process_finish();
	}
}

/* Those that need a child, or would take the process with them: they are run apart, or above. */
#define NOT_IN_ONE_PROCESS                                                                      \
	"ptrace-traceme ptrace-child ptrace-call process-vm-read process-vm-write pidfd-getfd " \
	"i386 x32 "                                                                             \
	"suid-exec huge-arguments core-dump fork-bomb thread-bomb descriptors terminals "       \
	"memory-bomb "                                                                          \
	"survivor flood tcp-listen personality own-filter inotify pending-signals timers"

static char *names_for_one_process(void)
{
	char *names = text("%s", "");

	for (unsigned i = 0; i < probe_count; i++)
		if (!is_in(probes[i].name, NOT_IN_ONE_PROCESS))
			names = text("%s%s\"%s\"", names, *names ? "," : "", probes[i].name);
	return names;
}

Test(escape, fork_no)
{
	struct lures lures;
	int status;
	char *output;

	lures_lay(&lures, ANN);
	list_probes(&lures);
	for (unsigned p = 0; p < PROFILES; p++) {
		output = session_run_as(
			ANN, "a",
			config_of(&lures, text("fork no\nseccomp %s\nargv "
					       "[\"/srv/hostile\",%s]\n",
					       profiles[p], names_for_one_process())),
			&status);
		cr_expect_eq(status, *reached("") != '\0', "%s", output);
		for (unsigned i = 0; i < probe_count; i++) {
			const char *found = finding(output, probes[i].name);

			if (is_in(probes[i].name, NOT_IN_ONE_PROCESS) ||
			    is_in(probes[i].name, reached("")))
				continue;
			cr_expect(found && starts(found, "denied"), "fork no, %s: %s: %s",
				  profiles[p], probes[i].name, found ? found : "nothing");
		}
		cr_expect_str_eq(finding(output, "fork"), "denied EPERM");
		session_remove("a");
		/* by the other ways to make one, too; and a thread is none */
		output = session_run_as(
			ANN, "b",
			text("fork no\nseccomp %s\nargv [\"/usr/bin/python3\",\"-c\",\"import "
			     "threading,subprocess\\nt=threading.Thread(target=print,args=('thread'"
			     ",))"
			     "\\nt.start()\\nt.join()\\nsubprocess.run(['/bin/true'])\"]\n",
			     profiles[p]),
			&status);
		cr_expect(has(output, "thread\n") && has(output, "PermissionError"), "%s", output);
		session_remove("b");
	}
	/* the control */
	output = session_run_as(ANN, "c", config_of(&lures, "argv [\"/srv/hostile\",\"fork\"]\n"),
				&status);
	cr_expect(has(output, "fork: ESCAPED"), "%s", output);
}

#if defined(__x86_64__)
/* Another architecture's calls end the process at once; where there is no way in, the try does. */
Test(escape, other_architectures_are_killed)
{
	const struct {
		const char *name, *probe, *more;
		int signal;
	} ways[] = {
		{ "x32", "x32", "", SIGSYS },
		{ "i386", "i386", "", gate_signal(GATE) },
		{ "no-gate", "i386", "env HOSTILE_NO_GATE=1\n", SIGSEGV },
	};
	struct lures lures;

	lures_lay(&lures, ANN);
	for (unsigned i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		char *output;
		int status;

		output = session_run_as(
			ANN, ways[i].name,
			config_of(&lures, text("fork no\n%sargv [\"/srv/hostile\",\"%s\"]\n",
					       ways[i].more, ways[i].probe)),
			&status);
		cr_expect_eq(status, -ways[i].signal, "%s: %d", ways[i].name, status);
		cr_expect_not(has(output, "ESCAPED"), "%s: %s", ways[i].name, output);
	}
}
#endif

/* Landlock refuses a signal to init, or the kernel drops it. */
Test(escape, init_takes_no_signal)
{
	static const char *const kinds[] = { "", "ends last-process\n", "terminal no\n" };
	int status;

	for (unsigned i = 0; i < 6; i++) {
		char *output =
			session_run_as(i % 2 ? ANN : ROOT, "a",
				       text("%sargv [\"python3\",\"-c\",\"import os,sys\\nfor n in "
					    "range(65):\\n"
					    "    try: os.kill(1, n); print(n, 'sent')\\n"
					    "    except OSError as e: print(n, e.errno)\\n"
					    "for n in list(range(65))*2:\\n"
					    "    for t in os.listdir('/proc/1/task'):\\n"
					    "        try: os.kill(int(t), n)\\n"
					    "        except OSError: pass\\n"
					    "sys.exit(7)\"]\n",
					    kinds[i / 2]),
				       &status);

		cr_expect(has(output, fixture_landlock() < 6 ? "9 sent\n" : "9 1\n"), "%s", output);
		/* It is there to tell. */
		cr_expect_eq(status, 7, "%s: %d", kinds[i / 2], status);
		session_remove("a");
	}
}

Test(escape, nothing_outlives_the_session)
{
	struct lures lures;
	const char *program = text("/srv/h%u", marker());

	lures_lay(&lures, ANN);
	for (unsigned p = 0; p < PROFILES; p++) {
		session_start_as(ANN, "a",
				 text("ro %s/hostile:%s\nseccomp %s\ncommand %s survivor; read x\n",
				      lures.directory, program, profiles[p], program));
		/* the control: it lives as long as the session */
		cr_assert(await(any_with, program, 20000));
		put_all("a/input", "\n");
		session_exit("a");
		cr_expect(none_with(program), "%s", profiles[p]);
		session_remove("a");
	}
}

/* What bubblewrap lets through of all this, to compare with; it is asserted only that it ran. */
Test(escape, bubblewrap_for_comparison)
{
	struct lures lures;
	char *line, *rest, *environment, *output;
	unsigned count = 0;

	if (system("command -v bwrap >/dev/null"))
		cr_skip_test("no bwrap here");
	lures_lay(&lures, ANN);
	list_probes(&lures);
	environment = text("%s", "");
	rest = lures_environment(&lures, "", true);
	while ((line = strsep(&rest, "\n")) && *line) {
		char *equals = strchr(line, '=');

		*equals = '\0';
		environment = text("%s --setenv %s '%s'", environment, line, equals + 1);
	}
	output = run_as(ANN,
			text("exec bwrap --unshare-all --clearenv %s --ro-bind /usr /usr --symlink "
			     "usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64 "
			     "--ro-bind /etc /etc --proc /proc --dev /dev --tmpfs /tmp "
			     "--ro-bind %s/hostile /srv/hostile --ro-bind %s/suid /srv/suid "
			     "/srv/hostile",
			     environment, lures.directory, lures.directory))
			 .out;
	cr_assert(finding(output, "mount") != NULL, "bwrap: %s", output);
	fprintf(stderr, "bwrap --unshare-all lets through:");
	for (unsigned i = 0; i < probe_count; i++) {
		const char *found = finding(output, probes[i].name);

		if (found && starts(found, "ESCAPED")) {
			fprintf(stderr, " %s", probes[i].name);
			count++;
		}
	}
	fprintf(stderr, " (%u of %u)\n", count, probe_count);
}

/* Other sessions */

/* Not by its path, nor by what is above its path. */
Test(escape, the_session_filesystem)
{
	struct lures lures;
	int status;
	char *output;

	lures_lay(&lures, ANN);
	for (unsigned i = 0; i < 2; i++) {
		static const char *const keys[] = { "ro", "rw" };

		output = session_run_as(
			users[i], "a",
			config_of(&lures,
				  text("%s %s\ncommand stty -opost; /srv/hostile session-fs; "
				       "cat %s/read; ls -A %s | wc -l; mkdir %s/x\n",
				       keys[i], fixture.dir, lures.directory, fixture.mount,
				       fixture.mount)),
			&status);
		cr_expect(has(output, "session-fs: denied"), "%s", output);
		cr_expect(has(output, "\n0\n"), "%s", output);
		if (users[i] == ANN) /* the control: what is beside it is seen */
			cr_expect(has(output, "secret\n"), "%s", output);
		session_remove("a");
	}
	cr_expect_neq(access(at("x"), F_OK), 0);
}

/* Nor by a name of its own for it, nor a part of it. */
Test(escape, the_session_filesystem_itself)
{
	session_make("x");
	start_refused(ROOT, "a", text("rw %s:/srv/m\n", fixture.mount), EPERM,
		      "session filesystem");
	start_refused(ROOT, "b", text("ro %s:/srv/x\n", at("x")), EPERM, "session filesystem");
	start_refused(ROOT, "c", text("rw %s:/srv/x\n", at("x/input")), EPERM,
		      "session filesystem");
}

/* Its daemon removes what it had there when it has lost its mount. */
static bool is_removed(const void *directory)
{
	return rmdir(directory) == 0;
}

/* Nor where nobody asked for it: in a directory that every sandbox has. */
Test(escape, the_session_filesystem_in_a_system_directory)
{
	setenv("FS", mimoboxfs(), 1);
	setenv("D", fixture.dir, 1);
	sh("mount -t tmpfs none /usr/local/games && mkdir /usr/local/games/m $D/w2 && "
	   "\"$FS\" --spool $D/spool --workspaces $D/w2 /usr/local/games/m");
	start_refused(ROOT, "a", "command true\n", EPERM, "session filesystem");
	sh("fusermount3 -u /usr/local/games/m");
	put_all("a/ctl", "start\n"); /* the control: it was that, and nothing else */
	cr_assert_eq(session_exit("a"), 0);
	sh("umount /usr/local/games");
	cr_expect(await(is_removed, outside("w2"), 20000));
}

/* The workspace of another user's session is nowhere, and asking for it gives no rights to it. */
Test(escape, another_sessions_workspace)
{
	char path[512] = "";
	char *output;
	int status;

	session_start_as(BOB, "bob", "command echo secret > /workspace/f; echo READY; read x\n");
	cr_assert_gt(readlink(at("bob/workspace"), path, sizeof(path) - 1), 0);
	cr_assert(await(any_with, "READY", 20000)); /* sh -c has it */
	output = session_run_as(
		ANN, "a", text("command cat %s/f /workspace/f; ls -A /workspace | wc -l\n", path),
		&status);
	cr_expect(!has(output, "secret") && has(output, "\n0\n"), "%s", output);
	output = session_run_as(ANN, "b", text("rw %s:/srv/w\ncommand cat /srv/w/f\n", path),
				&status);
	cr_expect(!has(output, "secret") && has(output, "Permission denied"), "%s", output);
	/* the control: it is there, for its owner */
	output = session_run_as(BOB, "c", text("ro %s:/srv/w\ncommand cat /srv/w/f\n", path),
				&status);
	cr_expect_str_eq(output, "secret\n");
	put_all("bob/input", "\n");
	session_exit("bob");
}
