/* SPDX-License-Identifier: MIT */
/*
 * The text of a ceiling, each key at its bound and on both sides of it, and what users' sessions
 * hold of their totals.
 */
#include "ceiling.h"

#include "landlock.h"
#include "units.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "older_landlock.h"

/* The two users are in the same chain of the table. */
enum { ANN = 1001, BOB = 1001 + 256, ROOT = 0 };

static struct ceiling *ceiling;
static struct ceiling_share share;
static struct config config;
static struct reason reason;
static unsigned line;
static int error;

static void make(const char *text)
{
	error = ceiling_create(text, &ceiling, &line, &reason);
	cr_assert_eq(error, 0, "%s: line %u: %s", text, line, reason.text);
	cr_assert_eq(ceiling_enter(ceiling, ANN, &share), 0);
	cr_assert_eq(config_init(&config), 0);
}

static void drop(void)
{
	config_finish(&config);
	ceiling_leave(&share);
	ceiling_destroy(ceiling);
	ceiling = NULL;
}

static size_t ask(const char *text)
{
	return ceiling_apply(&share, &config, NULL, text, strlen(text), &error, &line, &reason);
}

/* One line of config is refused, for this reason. */
static void refused(const char *text, const char *why)
{
	cr_expect_eq(ask(text), 0, "'%s' was taken", text);
	cr_expect_eq(error, -EPERM, "'%s' gives %d", text, error);
	cr_expect_str_eq(reason.text, why, "'%s' says '%s'", text, reason.text);
}

static void taken(const char *text)
{
	cr_expect_eq(ask(text), strlen(text), "'%s': %s", text, reason.text);
}

/* And so is a start. */
static void start_refused(const char *why)
{
	cr_expect_eq(ceiling_take(&share, &config, &reason), -EPERM);
	cr_expect_str_eq(reason.text, why, "%s", reason.text);
}

TestSuite(ceiling);

/* The text */

Test(ceiling, lines_that_are_no_ceiling)
{
	static const struct {
		const char *text;
		int error;
		const char *why;
	} rows[] = {
		{ "memroy 1G", -EINVAL, "unknown key 'memroy'" },
		{ "user-files 1", -EINVAL, "unknown key 'user-files'" },
		{ "command x", -EINVAL, "'command' is nothing that a ceiling bounds" },
		{ "argv [\"x\"]", -EINVAL, "'argv' is nothing that a ceiling bounds" },
		{ "env A=1", -EINVAL, "'env' is nothing that a ceiling bounds" },
		{ "cwd /", -EINVAL, "'cwd' is nothing that a ceiling bounds" },
		{ "terminal no", -EINVAL, "'terminal' is nothing that a ceiling bounds" },
		{ "ends command", -EINVAL, "'ends' is nothing that a ceiling bounds" },
		{ "overflow drop", -EINVAL, "'overflow' is nothing that a ceiling bounds" },
		{ "reset", -EINVAL, "'reset' is nothing that a ceiling bounds" },
		{ "memory", -EINVAL, "key 'memory' has no value" },
		{ "user-memory", -EINVAL, "key 'user-memory' has no value" },
		{ "memory x", -EINVAL, "memory 'x': malformed" },
		{ "memory 1", -ERANGE, "memory '1': out of bounds" },
		{ "open-files none", -EINVAL, "open-files 'none': malformed" },
		{ "network some", -EINVAL,
		  "network 'some': not none, names, host or tcp PORT,..." },
		{ "seccomp all", -EINVAL,
		  "seccomp 'all': not strict, essential, network or compat" },
		{ "user-memory x", -EINVAL, "user-memory 'x': malformed" },
		{ "user-sessions -1", -EINVAL, "user-sessions '-1': malformed" },
		{ "user-handles 1K", -EINVAL, "user-handles '1K': malformed" },
		{ "user-buffers x", -EINVAL, "user-buffers 'x': malformed" },
		{ "user-sessions 99999999999999999999", -ERANGE,
		  "user-sessions '99999999999999999999': out of bounds" },
		{ "ro srv", -EINVAL,
		  "ro 'srv': neither none nor an absolute path without ':', '.' and '..'" },
		{ "rw /srv/../etc", -EINVAL,
		  "rw '/srv/../etc': neither none nor an absolute path without ':', '.' and '..'" },
		{ "rw /srv:/x", -EINVAL,
		  "rw '/srv:/x': neither none nor an absolute path without ':', '.' and '..'" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[128];
		snprintf(text, sizeof(text), "# first\ncpu 2\nro /srv\n%s\ncpu 3\n", rows[i].text);
		error = ceiling_create(text, &ceiling, &line, &reason);
		cr_expect_eq(error, rows[i].error, "'%s' gives %d", rows[i].text, error);
		cr_expect_eq(line, 4, "'%s': line %u", rows[i].text, line);
		cr_expect_str_eq(reason.text, rows[i].why, "'%s' says '%s'", rows[i].text,
				 reason.text);
	}
}

Test(ceiling, every_key_has_a_bound)
{
	make("timeout 1h\nidle-timeout 1h\nkill-grace 1s\nmemory 1G\nprocesses 10\ncpu "
	     "0.5\nopen-files 64\n"
	     "file-size 1M\ntmp-size 1M\ndisk 1G\nterminals 2\nretain 1M\nro /srv\nrw "
	     "/tmp\nnetwork tcp "
	     "80,443\nallow *.org\ndeny a.org\n"
	     "seccomp network\nfork no\nlandlock 4\nuser-sessions 1\nuser-memory 1G\n"
	     "user-processes 10\nuser-cpu 0.5\nuser-terminals 4\nuser-spool 1M\nuser-disk 1G\n");
	drop();
}

/* Lines */

Test(ceiling, numbers_at_the_bound_and_above)
{
	static const struct {
		const char *most, *less, *more, *why;
	} rows[] = {
		{ "memory 1G", "memory 512M", "memory 1073741825",
		  "memory: 1073741825 is above the ceiling of 1G" },
		{ "processes 10", "processes 9", "processes 11",
		  "processes: 11 is above the ceiling of 10" },
		{ "cpu 0.5", "cpu 0.499", "cpu 0.501", "cpu: 0.501 is above the ceiling of 0.5" },
		{ "open-files 64", "open-files 63", "open-files 65",
		  "open-files: 65 is above the ceiling of 64" },
		{ "file-size 1M", "file-size 0", "file-size 1025K",
		  "file-size: 1025K is above the ceiling of 1M" },
		{ "tmp-size 1M", "tmp-size 64K", "tmp-size 2M",
		  "tmp-size: 2M is above the ceiling of 1M" },
		{ "disk 1G", "disk 64K", "disk 2G", "disk: 2G is above the ceiling of 1G" },
		{ "retain 1M", "retain 64K", "retain 2M", "retain: 2M is above the ceiling of 1M" },
		{ "timeout 1h", "timeout 1s", "timeout 61m",
		  "timeout: 61m is above the ceiling of 1h" },
		{ "idle-timeout 1h", "idle-timeout 1s", "idle-timeout none",
		  "idle-timeout: none is above the ceiling of 1h" },
		{ "kill-grace 1s", "kill-grace 0", "kill-grace 1001ms",
		  "kill-grace: 1001ms is above the ceiling of 1s" },
		{ "landlock 4", "landlock 6", "landlock 3",
		  "landlock: 3 is below the 4 of the ceiling" },
		{ "fork no", "fork no", "fork yes", "fork: yes is above the ceiling of no" },
		{ "ptrace no", "ptrace no", "ptrace yes",
		  "ptrace: yes is above the ceiling of no" },
		{ "seccomp network", "seccomp essential", "seccomp compat",
		  "seccomp: compat is above the ceiling of network" },
		{ "seccomp strict", "seccomp strict", "seccomp essential",
		  "seccomp: essential is above the ceiling of strict" },
		{ "seccomp essential", "network none", "network host",
		  "seccomp: network is above the ceiling of essential" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		make(rows[i].most);
		taken(rows[i].most);
		taken(rows[i].less);
		refused(rows[i].more, rows[i].why);
		drop();
	}
}

Test(ceiling, none_is_more_than_any_number)
{
	make("memory 1G\nprocesses 10\ncpu 0.5\nfile-size 1M\ntimeout 1h\nlandlock 1\n");
	refused("memory none", "memory: none is above the ceiling of 1G");
	refused("processes none", "processes: none is above the ceiling of 10");
	refused("cpu none", "cpu: none is above the ceiling of 0.5");
	refused("file-size none", "file-size: none is above the ceiling of 1M");
	refused("timeout none", "timeout: none is above the ceiling of 1h");
	refused("landlock none", "landlock: none is below the 1 of the ceiling");
	drop();
	make("memory none\n");
	taken("memory none");
	drop();
}

/* What is in force with it is the kernel's version. */
Test(ceiling, landlock_auto_is_what_the_kernel_has)
{
	make("landlock 4\n");
	if (landlock_abi() >= 4)
		taken("landlock auto");
	older_landlock = 1;
	refused("landlock auto",
		"landlock: this kernel's version, 1, is below the 4 of the ceiling");
	taken("landlock 4"); /* and the start is refused */
	older_landlock = -ENOSYS;
	refused("landlock auto",
		"landlock: this kernel's version, 0, is below the 4 of the ceiling");
	drop();
	make("landlock none\n");
	taken("landlock auto");
	taken("landlock none");
	drop();
}

Test(ceiling, landlock_auto_is_no_less_than_what_is_needed)
{
	older_landlock = 1;
	make("landlock auto\n");
	taken("landlock auto");
	taken("landlock 1");
	refused("landlock none", "landlock: none is below the 1 of the ceiling");
	taken("network host");
	start_refused("landlock: 1 is below the 6 of the ceiling");
	taken("landlock auto"); /* and the start is refused by the machine */
	cr_expect_eq(ceiling_take(&share, &config, &reason), 0, "%s", reason.text);
	drop();
}

Test(ceiling, network_is_an_order)
{
	make("network none\n");
	taken("network none");
	refused("network tcp 80", "network: tcp is above the ceiling of none");
	refused("network host", "network: host is above the ceiling of none");
	drop();
	make("network tcp 80,443\n");
	taken("network none");
	taken("network tcp 443");
	taken("network tcp 443,80");
	refused("network tcp 80,22", "network: port 22 is not one of the ceiling's");
	refused("network host", "network: host is above the ceiling of tcp");
	drop();
	make("network names\n");
	taken("network none");
	taken("network names");
	taken("allow *");
	refused("network tcp 80", "network: tcp is above the ceiling of names");
	drop();
	make("network host\n");
	taken("network names");
	taken("network tcp 22");
	taken("network host");
	drop();
}

static int take_config(const char *text)
{
	config_finish(&config);
	cr_assert_eq(config_init(&config), 0);
	config_apply(&config, NULL, text, strlen(text), &error, &line, &reason);
	cr_assert_eq(error, 0, "%s", reason.text);
	return ceiling_take(&share, &config, &reason);
}

/* Each host, at each port, is one of the ceiling's; and so is what is written later. */
Test(ceiling, hosts_are_within_those_named)
{
	make("network names\nallow *.example.org:443\nallow github.com:22,443\ndeny "
	     "x.example.org\n");
	taken("allow a.example.org:443");
	taken("allow *.b.example.org:443");
	taken("allow github.com:22");
	taken("deny anything.net");
	refused("allow a.example.org",
		"allow: a.example.org is not within an 'allow' of the ceiling");
	refused("allow example.org:443",
		"allow: example.org is not within an 'allow' of the ceiling");
	refused("allow *:443", "allow: * is not within an 'allow' of the ceiling");
	refused("allow *.org:443", "allow: *.org is not within an 'allow' of the ceiling");
	refused("allow 10.0.0.1:443", "allow: 10.0.0.1 is not within an 'allow' of the ceiling");
	cr_expect_eq(take_config("network names\nallow github.com:22\n"), 0, "%s", reason.text);
	cr_expect_eq(take_config("network names\nallow gitlab.com:22\n"), -EPERM);
	cr_expect(names_find(ceiling_names(&share), "x.example.org")->deny);
	cr_assert_eq(take_config("allow a.net:443\n"), -EPERM);
	cr_expect_eq(ceiling_judge_names(&share, &config.access.names, &reason), -EPERM);
	drop();
}

Test(ceiling, hosts_where_it_is_of_ports)
{
	make("network tcp 443\n");
	cr_expect_eq(take_config("network names\nallow a.net:443\n"), 0, "%s", reason.text);
	cr_expect_eq(take_config("network names\nallow a.net\n"), -EPERM);
	cr_expect_str_eq(reason.text, "allow: port 80 is not one of the ceiling's network");
	cr_expect_eq(ceiling_judge_names(&share, &config.access.names, &reason), -EPERM);
	drop();
}

/* A network that the ceiling names brings the filter that it needs. */
Test(ceiling, network_with_its_filter)
{
	make("seccomp essential\nnetwork tcp 80\n");
	taken("network tcp 80");
	refused("seccomp compat", "seccomp: compat is above the ceiling of network");
	drop();
}

/* In another's sandbox, the times of a session are its own; what it uses is the other's. */
Test(ceiling, a_session_in_another)
{
	make("timeout 1h\n");
	taken("in a");
	start_refused("timeout: none is above the ceiling of 1h");
	drop();
	make("idle-timeout 1h\n");
	taken("in a");
	start_refused("idle-timeout: none is above the ceiling of 1h");
	drop();
	make("memory 1M\n");
	start_refused("memory: 512M is above the ceiling of 1M");
	taken("in a");
	cr_expect_eq(ceiling_take(&share, &config, &reason), 0, "%s", reason.text);
	drop();
}

Test(ceiling, paths_are_below_those_named)
{
	make("ro /usr/share\nrw //srv/data/\n");
	taken("ro /usr/share");
	taken("ro /usr/share/doc:/doc");
	taken("ro /srv/data");
	taken("rw /srv/data");
	taken("rw /srv//data/x:/y");
	refused("rw /usr/share/doc", "rw: /usr/share/doc is not at or below a path of the ceiling");
	refused("ro /usr", "ro: /usr is not at or below a path of the ceiling");
	refused("ro /usr/shared", "ro: /usr/shared is not at or below a path of the ceiling");
	refused("ro /etc:/usr/share", "ro: /etc is not at or below a path of the ceiling");
	refused("rw /srv", "rw: /srv is not at or below a path of the ceiling");
	drop();
}

Test(ceiling, paths_of_no_kind_and_of_one)
{
	make("ro none\n");
	refused("ro /usr", "ro: /usr is not at or below a path of the ceiling");
	refused("rw /srv", "rw: /srv is not at or below a path of the ceiling");
	drop();
	make("rw none\n");
	refused("ro /usr", "ro: /usr is not at or below a path of the ceiling");
	drop();
	make("ro /\n");
	taken("ro /usr");
	refused("rw /srv", "rw: /srv is not at or below a path of the ceiling");
	drop();
	make("cpu 1\n");
	taken("rw /srv");
	drop();
}

Test(ceiling, overlays_and_roots)
{
	make("ro /usr\noverlay /srv\nrw /home\nroot /images\n");
	taken("overlay /srv/p");
	taken("overlay /home/p:/p");
	taken("ro /srv/p");
	taken("root /images/debian");
	taken("root /usr/lib/image");
	refused("overlay /usr/p", "overlay: /usr/p is not at or below a path of the ceiling");
	refused("rw /srv/p", "rw: /srv/p is not at or below a path of the ceiling");
	refused("root /opt", "root: /opt is not at or below a path of the ceiling");
	refused("ro /images/x", "ro: /images/x is not at or below a path of the ceiling");
	drop();
}

/* Whatever else is bounded. */
Test(ceiling, devices_are_named)
{
	make("memory 1G\n");
	refused("device /dev/kvm", "device: /dev/kvm is not at or below a path of the ceiling");
	taken("rw /srv");
	drop();
	make("device /dev/dri\n");
	taken("device /dev/dri/renderD128");
	refused("device /dev/kvm", "device: /dev/kvm is not at or below a path of the ceiling");
	refused("ro /dev/dri:/x", "ro: /dev/dri is not at or below a path of the ceiling");
	drop();
	make("rw /\n");
	refused("device /dev/kvm", "device: /dev/kvm is not at or below a path of the ceiling");
	drop();
	make("");
	taken("device /dev/kvm");
	drop();
}

Test(ceiling, lines_before_a_bad_one_have_taken_effect)
{
	make("memory 1G\n");
	cr_expect_eq(ask("cpu 2\nmemory 1G\nmemory 2G\ncpu 3\n"), 16);
	cr_expect_eq(error, -EPERM);
	cr_expect_eq(line, 3);
	cr_expect_eq(config.cpu_milli, 2000);
	cr_expect_eq(config.memory, UINT64_C(1) << 30);
	drop();
}

Test(ceiling, malformed_lines_are_what_they_always_are)
{
	make("memory 1G\n");
	cr_expect_eq(ask("memory x"), 0);
	cr_expect_eq(error, -EINVAL);
	cr_expect_str_eq(reason.text, "memory 'x': malformed");
	cr_expect_eq(ask("memory"), 0);
	cr_expect_str_eq(reason.text, "key 'memory' has no value");
	cr_expect_eq(ask("user-memory 1G"), 0);
	cr_expect_str_eq(reason.text, "unknown key 'user-memory'");
	drop();
}

static uint64_t limit_of(uid_t uid, enum ceiling_limit limit)
{
	return ceiling_limit(ceiling, uid, limit, 7);
}

/* Those that the filesystem keeps: of other users than root, where they are named. */
Test(ceiling, limits_of_open_files)
{
	make("user-handles 100\nuser-buffers none\n");
	cr_expect_eq(limit_of(ANN, LIMIT_HANDLES), 100);
	cr_expect_eq(limit_of(ANN, LIMIT_BUFFERS), UNITS_NONE);
	cr_expect_eq(limit_of(ROOT, LIMIT_HANDLES), 7);
	drop();
	make("user-buffers 64K\nuser-buffers 1M\n");
	cr_expect_eq(limit_of(BOB, LIMIT_HANDLES), 7);
	cr_expect_eq(limit_of(BOB, LIMIT_BUFFERS), 1 << 20);
	drop();
	cr_expect_eq(limit_of(ANN, LIMIT_BUFFERS), 7, "there is no ceiling");
}

/* What is wrong with one key is no reason to refuse another; going back is no question at all. */
Test(ceiling, only_what_is_asked_is_judged)
{
	make("timeout 1h\nmemory 1M\nfork no\nnetwork none\nseccomp essential\nuser-memory 1M\n");
	taken("cpu 2\nreset\ncommand true\nenv A=1\nprocesses 1\n");
	drop();
}

/* The start */

Test(ceiling, starts_are_judged_whole)
{
	static const struct {
		const char *most, *line, *why;
	} rows[] = {
		{ "timeout 1h", "timeout 1h", "timeout: none is above the ceiling of 1h" },
		{ "memory 256M", "memory 1M", "memory: 512M is above the ceiling of 256M" },
		{ "fork no", "fork no", "fork: yes is above the ceiling of no" },
		{ "user-memory 256M", "memory 1M",
		  "user-memory: 512M is above the ceiling of 256M" },
		{ "user-processes 127", "processes 127",
		  "user-processes: 128 is above the ceiling of 127" },
		{ "user-cpu 0.5", "cpu 0.5", "user-cpu: 1 is above the ceiling of 0.5" },
		{ "user-terminals 4", "terminals 4",
		  "user-terminals: 8 is above the ceiling of 4" },
		{ "user-spool 1M", "retain 1M", "user-spool: 64M is above the ceiling of 1M" },
		{ "disk 1G", "disk 1G", "disk: none is above the ceiling of 1G" },
		{ "user-disk 1G", "disk 1G", "user-disk: none is above the ceiling of 1G" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		make(rows[i].most);
		start_refused(rows[i].why);
		taken(rows[i].line);
		cr_expect_eq(ceiling_take(&share, &config, &reason), 0, "%s: %s", rows[i].most,
			     reason.text);
		drop();
	}
}

Test(ceiling, pipes_have_two_spools)
{
	make("user-spool 1M\n");
	taken("retain 1M\nterminal no\n");
	start_refused("user-spool: 2M is above the ceiling of 1M");
	taken("retain 512K\n");
	cr_expect_eq(ceiling_take(&share, &config, &reason), 0, "%s", reason.text);
	drop();
}

/* Totals */

Test(ceiling, lines_that_no_total_could_take)
{
	make("user-memory 1G\nuser-processes 10\nuser-cpu 1\nuser-spool 1M\nuser-disk 1G\n");
	taken("memory 1G\nprocesses 10\ncpu 1\nretain 1M\ndisk 1G\n");
	refused("memory none", "user-memory: none is above the ceiling of 1G");
	refused("memory 2G", "user-memory: 2G is above the ceiling of 1G");
	refused("processes 11", "user-processes: 11 is above the ceiling of 10");
	refused("cpu 1.1", "user-cpu: 1.1 is above the ceiling of 1");
	refused("retain 2M", "user-spool: 2M is above the ceiling of 1M");
	refused("disk none", "user-disk: none is above the ceiling of 1G");
	drop();
}

/* What the text names goes before what the machine has. */
Test(ceiling, what_is_assumed)
{
	struct ceiling_share more;
	make("user-cpu 4\n");
	ceiling_assume(ceiling, TOTAL_TERMINALS, 10, "ask for fewer");
	ceiling_assume(ceiling, TOTAL_CPU, 1000, "ask for less");
	cr_assert_eq(ceiling_enter(ceiling, ANN, &more), 0);
	taken("cpu 3\n");
	cr_assert_eq(ceiling_take(&more, &config, &reason), 0, "%s", reason.text);
	taken("cpu 1\n");
	start_refused("user-terminals: 8 beside the 8 of other sessions is above the ceiling of "
		      "10; ask for fewer");
	taken("terminals 2\n");
	cr_expect_eq(ceiling_take(&share, &config, &reason), 0, "%s", reason.text);
	refused("terminals 11", "user-terminals: 11 is above the ceiling of 10; ask for fewer");
	refused("cpu 5", "user-cpu: 5 is above the ceiling of 4");
	ceiling_leave(&more);
	drop();
}

Test(ceiling, sessions_of_a_user_are_counted)
{
	struct ceiling_share more, other, roots;
	make("user-sessions 2\n");
	cr_assert_eq(ceiling_enter(ceiling, ANN, &more), 0);
	cr_expect_eq(ceiling_enter(ceiling, ANN, &other), -EDQUOT);
	/* A refused one has no share. */
	ceiling_leave(&other);
	cr_expect_eq(ceiling_enter(ceiling, BOB, &other), 0);
	cr_expect_eq(ceiling_enter(ceiling, ROOT, &roots), 0);
	cr_expect_null(roots.user);
	ceiling_leave(&other);
	/* by its place alone, and once */
	ceiling_release(&more, TOTAL_SESSIONS);
	ceiling_release(&more, TOTAL_SESSIONS);
	cr_expect_eq(ceiling_enter(ceiling, ANN, &other), 0);
	ceiling_leave(&more);
	cr_expect_eq(ceiling_enter(ceiling, ANN, &more), -EDQUOT);
	ceiling_leave(&other);
	drop();
}

Test(ceiling, no_session_at_all)
{
	cr_assert_eq(ceiling_create("user-sessions 0\n", &ceiling, &line, &reason), 0);
	cr_expect_eq(ceiling_enter(ceiling, ANN, &share), -EDQUOT);
	cr_expect_eq(ceiling_enter(ceiling, ROOT, &share), 0);
	ceiling_destroy(ceiling);
}

Test(ceiling, totals_are_sums_and_are_given_back)
{
	struct ceiling_share more, bobs;
	make("user-memory 1G\nuser-spool 64M\n");
	cr_assert_eq(ceiling_enter(ceiling, ANN, &more), 0);
	cr_assert_eq(ceiling_enter(ceiling, BOB, &bobs), 0);
	taken("memory 700M\n");
	cr_assert_eq(ceiling_take(&more, &config, &reason), 0);
	cr_expect_eq(ceiling_take(&bobs, &config, &reason), 0, "%s", reason.text);
	taken("memory 325M\nretain 64K\n");
	start_refused("user-memory: 325M beside the 700M of other sessions is above the ceiling "
		      "of 1G");
	taken("memory 324M\n");
	start_refused("user-spool: 64K beside the 64M of other sessions is above the ceiling of "
		      "64M");
	/* refused, it holds nothing */
	cr_expect_eq(share.held[TOTAL_MEMORY], 0);
	ceiling_release(&more, TOTAL_SPOOL);
	cr_expect_eq(ceiling_take(&share, &config, &reason), 0, "%s", reason.text);
	ceiling_leave(&more);
	taken("memory 1G\nretain 64M\n");
	ceiling_release(&share, TOTAL_MEMORY);
	ceiling_release(&share, TOTAL_SPOOL);
	cr_expect_eq(ceiling_take(&share, &config, &reason), 0, "%s", reason.text);
	ceiling_leave(&bobs);
	drop();
}

/* What was written is there until it is removed. */
Test(ceiling, disks_are_a_sum)
{
	struct ceiling_share more;
	make("user-disk 1G\n");
	cr_assert_eq(ceiling_enter(ceiling, ANN, &more), 0);
	taken("disk 700M\n");
	cr_assert_eq(ceiling_take(&more, &config, &reason), 0);
	taken("disk 325M\n");
	start_refused("user-disk: 325M beside the 700M of other sessions is above the ceiling of "
		      "1G");
	taken("in other\n");
	cr_expect_eq(ceiling_take(&share, &config, &reason), 0, "%s", reason.text);
	cr_expect_eq(share.held[TOTAL_DISK], 0);
	taken("reset\ndisk 325M\n");
	ceiling_remove(&more, true);
	cr_expect_eq(ceiling_take(&share, &config, &reason), -ERESTART);
	ceiling_leave(&more);
	cr_expect_eq(ceiling_take(&share, &config, &reason), 0, "%s", reason.text);
	drop();
}

/* A removed session that has not ended holds up a start, and counts in no refusal. */
Test(ceiling, the_removed_are_in_no_refusal)
{
	struct ceiling_share stays, removed;
	make("user-memory 300M\n");
	cr_assert_eq(ceiling_enter(ceiling, ANN, &stays), 0);
	cr_assert_eq(ceiling_enter(ceiling, ANN, &removed), 0);
	taken("memory 100M\n");
	cr_assert_eq(ceiling_take(&removed, &config, &reason), 0, "%s", reason.text);
	ceiling_remove(&removed, false);
	taken("memory 200M\n");
	cr_assert_eq(ceiling_take(&stays, &config, &reason), 0, "%s", reason.text);
	taken("memory 100M\n");
	cr_expect_eq(ceiling_take(&share, &config, &reason), -ERESTART);
	taken("memory 101M\n");
	start_refused("user-memory: 101M beside the 200M of other sessions is above the ceiling "
		      "of 300M");
	ceiling_leave(&removed);
	taken("memory 100M\n");
	cr_expect_eq(ceiling_take(&share, &config, &reason), 0, "%s", reason.text);
	ceiling_leave(&stays);
	drop();
}
