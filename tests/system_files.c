/* SPDX-License-Identifier: MIT */
/* The files as files: names, modes, what each refuses and how, config, log, defaults. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"

TestSuite(files, .init = fixture_start, .fini = fixture_stop, .timeout = 60);

/* What the contract lists; `required` where it is there always. */
struct listed {
	const char *name;
	mode_t mode;
	bool required;
};

static void assert_listing(const char *place, const struct listed *files, unsigned count)
{
	struct dirent *entry;
	struct stat st;
	DIR *dir = opendir(at("%s", place));

	cr_assert(dir != NULL);
	for (unsigned i = 0; i < count; i++) {
		if (lstat(at("%s/%s", place, files[i].name), &st)) {
			cr_expect(!files[i].required, "%s", files[i].name);
			continue;
		}
		cr_expect_eq(st.st_mode, files[i].mode, "%s: %o", files[i].name, st.st_mode);
		cr_expect_eq(st.st_uid, getuid());
	}
	while ((entry = readdir(dir))) {
		bool known = *entry->d_name == '.' || !strcmp(entry->d_name, "a");

		for (unsigned i = 0; i < count; i++)
			known |= !strcmp(entry->d_name, files[i].name);
		cr_expect(known, "%s is listed", entry->d_name);
	}
	closedir(dir);
}

Test(files, names_modes_and_owners)
{
	static const struct listed root[] = {
		{ "defaults", S_IFREG | 0644, true },
		{ "events", S_IFREG | 0444, true },
		{ "stats", S_IFREG | 0444, true },
		{ "metrics", S_IFREG | 0444, true },
	};
	static const struct listed files[] = {
		{ "input", S_IFREG | 0200, true },      { "output", S_IFREG | 0400, true },
		{ "size", S_IFREG | 0600, true },       { "ctl", S_IFREG | 0600, true },
		{ "exit", S_IFREG | 0400, true },       { "config", S_IFREG | 0600, true },
		{ "status", S_IFREG | 0400, true },     { "log", S_IFREG | 0400, true },
		{ "transcript", S_IFREG | 0400, true }, { "screen", S_IFREG | 0400, true },
		{ "cast", S_IFREG | 0400, true },       { "sizes", S_IFREG | 0400, true },
		{ "modes", S_IFREG | 0400, true },      { "wait", S_IFDIR | 0500, true },
		{ "stderr", S_IFREG | 0400, false },    { "workspace", S_IFLNK | 0777, true },
		{ "cursor", S_IFREG | 0400, true },     { "changes", S_IFREG | 0400, true },
	};
	struct stat st;

	umask(022);
	session_make("a");
	cr_assert_eq(stat(at("a"), &st), 0);
	cr_assert_eq(st.st_mode, S_IFDIR | 0755, "%o", st.st_mode);
	assert_listing("", root, sizeof(root) / sizeof(*root));
	assert_listing("a", files, sizeof(files) / sizeof(*files));
	cr_assert_eq(mkdir(at("private"), 0700), 0);
	cr_assert_eq(stat(at("private"), &st), 0);
	cr_assert_eq(st.st_mode, S_IFDIR | 0700);
}

Test(files, session_names)
{
	char long_name[80] = "";
	static const struct {
		const char *name;
		int error;
	} names[] = {
		{ "a", 0 },
		{ "A-b_c.9", 0 },
		{ "-x", 0 },
		{ ".hidden", EINVAL },
		{ "with space", EINVAL },
		{ "a:b", EINVAL },
		{ "\xc3\xa9", EINVAL },
		{ "a\nb", EINVAL },
		{ "a", EEXIST },
		{ "defaults", EEXIST },
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		int result = mkdir(at("%s", names[i].name), 0755) ? errno : 0;

		cr_expect_eq(result, names[i].error, "'%s': %s", names[i].name, strerror(result));
	}
	memset(long_name, 'x', 64);
	cr_assert_eq(mkdir(at("%s", long_name), 0755), 0);
	long_name[64] = 'x';
	cr_assert_eq(mkdir(at("%s", long_name), 0755), -1);
	cr_assert_eq(errno, ENAMETOOLONG, "%s", strerror(errno));
}

Test(files, listing)
{
	cr_assert_str_eq(session_names(), "");
	sh("mkdir $M/b $M/a $M/c; rmdir $M/b");
	cr_assert_str_eq(session_names(), "a\nc\n");
	cr_assert_str_eq(sh("for i in $(seq 300); do mkdir $M/s$i; done; ls -d $M/*[0-9] | wc -l"),
			 "300\n");
	sh("cd $M; rmdir s*[0-9]");
	cr_assert_str_eq(session_names(), "a\nc\n");
}

/* The host's directory is the sandbox's /workspace, both ways, and goes with the session. */
Test(files, workspace)
{
	char *place;
	int status;

	session_make("a");
	place = sh("cd $M/a/workspace && pwd -P && echo from outside > f");
	place[strcspn(place, "\n")] = '\0';
	put_all("a/config", "cwd /workspace\ncommand cat f; echo from inside > g; ls -A | cat\n");
	put_all("a/ctl", "start\n");
	cr_assert_eq(session_exit("a"), 0);
	cr_assert_str_eq(plain(get("a/output", NULL)), "from outside\nf\ng\n");
	cr_assert_str_eq(sh("cat $M/a/workspace/g"), "from inside\n");
	/* another session has another one */
	session_run("b", "command test -z \"$(ls -A /workspace)\"\n", &status);
	cr_assert_eq(status, 0);
	cr_assert_eq(rmdir(at("a")), 0);
	for (int i = 0; i < 1000 && !access(place, F_OK); i++)
		pause_ms(5);
	cr_assert_neq(access(place, F_OK), 0, "%s is left", place);
}

/* What is not there to be done: as on cgroup v2. */
Test(files, refused_operations)
{
	static const struct {
		const char *script, *error;
	} refused[] = {
		{ "rm $M/a/output", "not permitted" },
		{ "rm $M/defaults", "not permitted" },
		{ "touch $M/file", "ermi" }, /* Operation not permitted, or Permission denied */
		{ "touch $M/a/file", "ermi" },
		{ "mkdir $M/a/dir", "ermi" },
		{ "mv $M/a $M/b", "ermi" },
		{ "ln $M/a/log $M/a/log2", "ermi" },
		{ "ln -s x $M/link", "ermi" },
		{ "mknod $M/node p", "ermi" },
		{ "rmdir $M/defaults", "ot a directory" },
		{ "rmdir $M/nothing", "o such file" },
		{ "cat $M/a/nothing", "o such file" },
		{ "ls $M/a/log/x", "ot a directory" },
	};

	session_make("a");
	for (unsigned i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		struct run done = run_shell("sh", refused[i].script);

		cr_expect_neq(done.status, 0, "%s", refused[i].script);
		cr_expect(has(done.err, refused[i].error), "%s: %s", refused[i].script, done.err);
	}
	cr_assert_str_eq(session_names(), "a\n");
}

Test(files, rm_r_is_refused_file_by_file)
{
	struct run done;
	unsigned files = 0;

	session_start("a", "command sleep 60\n");
	done = run_shell("sh", "rm -rf $M/a");
	cr_assert_neq(done.status, 0);
	for (const char *at_line = done.err; (at_line = strstr(at_line, "not permitted"));
	     at_line++)
		files++;
	cr_assert_geq(files, 9, "%s", done.err);
	cr_assert_str_eq(get_value("a/status", "state"), "running");
}

/* `>`, `>>`, truncate() and ftruncate() are accepted, and change nothing. */
Test(files, truncation_and_appending)
{
	sh("mkdir $M/a; cd $M/a; echo 'command exit 5' > config; echo 'timeout 50s' >> config;"
	   "echo '33 77' >> size; : > config; : > size; : > ctl; : >> ctl; truncate -s 0 config;"
	   "truncate -s 0 ctl size input");
	cr_assert_str_eq(get("a/size", NULL), "33 77\n");
	cr_assert_str_eq(get_value("a/config", "command"), "exit 5");
	cr_assert_str_eq(get_value("a/config", "timeout"), "50s");
	cr_assert_str_eq(get_value("a/status", "state"), "created");
	sh("cd $M/a; { echo 'command cat'; echo 'timeout 40s'; } > config; echo start >> ctl;"
	   "{ echo one; echo two; } >> input; echo eof >> ctl; cat exit");
	cr_assert_str_eq(get_value("a/config", "timeout"), "40s");
	cr_assert(has(plain(get("a/output", NULL)), "one\ntwo\n"));
}

Test(files, wrong_direction)
{
	static const char *const unwritable[] = { "output", "exit", "status", "log", "transcript" };

	session_make("a");
	/* root's own rights do not matter here: what cannot be written says so at open or write */
	for (unsigned i = 0; i < 5; i++)
		cr_expect_lt(put(text("a/%s", unwritable[i]), "x"), 0, "%s", unwritable[i]);
	cr_expect_lt(get_now("a/input", (char[4096]){ 0 }), 0);
}

struct refusal {
	const char *file, *data;
	int error;
};

static const struct refusal refusals[] = {
	{ "ctl", "dance\n", EINVAL },
	{ "ctl", "START\n", EINVAL },
	{ "ctl", "kill now\n", EINVAL },
	{ "ctl", "signal\n", EINVAL },
	{ "ctl", "signal NOPE\n", EINVAL },
	{ "ctl", "signal 0\n", EINVAL },
	{ "ctl", "signal 65\n", EINVAL },
	{ "ctl", "signal -9\n", EINVAL },
	{ "ctl", "signal INT TERM\n", EINVAL },
	{ "size", "0 80\n", ERANGE },
	{ "size", "24 0\n", ERANGE },
	{ "size", "65536 80\n", ERANGE },
	{ "size", "24 65536\n", ERANGE },
	{ "size", "24 99999999999999999999\n", ERANGE },
	{ "size", "24\n", EINVAL },
	{ "size", "24 80 1\n", EINVAL },
	{ "size", "24x80\n", EINVAL },
	{ "size", "rows cols\n", EINVAL },
	{ "size", "24 80x\n", EINVAL },
	{ "size", "\n", EINVAL },
	{ "config", "memroy 5M\n", EINVAL },
	{ "config", "Memory 5M\n", EINVAL },
	{ "config", "memory lots\n", EINVAL },
	{ "config", "memory\n", EINVAL },
	{ "config", "memory 5X\n", EINVAL },
	{ "config", "memory 5M 6M\n", EINVAL },
	{ "config", "memory 99999999999999999999G\n", ERANGE },
	{ "config", "memory 18446744073709551615K\n", ERANGE },
	{ "config", "memory 0\n", ERANGE },
	{ "config", "processes 0\n", ERANGE },
	{ "config", "processes many\n", EINVAL },
	{ "config", "cpu 0\n", ERANGE },
	{ "config", "cpu fast\n", EINVAL },
	{ "config", "open-files 0\n", ERANGE },
	{ "config", "timeout 0\n", ERANGE },
	{ "config", "timeout 0ms\n", ERANGE },
	{ "config", "timeout soon\n", EINVAL },
	{ "config", "timeout 5parsecs\n", EINVAL },
	{ "config", "timeout 99999999999999999999h\n", ERANGE },
	{ "config", "kill-grace x\n", EINVAL },
	{ "config", "overflow maybe\n", EINVAL },
	{ "config", "retain 0\n", ERANGE },
	{ "config", "cwd relative\n", EINVAL },
	{ "config", "cwd\n", EINVAL },
	{ "config", "reset now\n", EINVAL },
};

Test(files, refusals_change_nothing_and_say_why)
{
	char *config, *defaults;

	session_make("a");
	config = get("a/config", NULL);
	for (unsigned i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		const char *path = text("a/%s", refusals[i].file);
		ssize_t result = put(path, refusals[i].data);

		cr_expect_eq(result, -refusals[i].error, "%s: '%s': %zd (%s)", refusals[i].file,
			     refusals[i].data, result, result < 0 ? strerror((int)-result) : "");
		if (result < 0)
			put_refused(path, refusals[i].data, (int)-result);
	}
	cr_assert_str_eq(get("a/config", NULL), config);
	cr_assert_str_eq(get("a/size", NULL), "24 80\n");
	cr_assert_str_eq(get_value("a/status", "state"), "created");
	/* and the same texts for all sessions to come */
	defaults = get("defaults", NULL);
	for (unsigned i = 0; i < sizeof(refusals) / sizeof(*refusals); i++)
		if (!strcmp(refusals[i].file, "config"))
			cr_expect_eq(put("defaults", refusals[i].data), -refusals[i].error, "%s",
				     refusals[i].data);
	cr_assert_str_eq(get("defaults", NULL), defaults);
}

Test(files, several_lines_in_one_write)
{
	const char *lines = "memory 64M\n# a comment\n\nprocesses 9\nmemroy 5M\nprocesses 7\n";
	size_t good = strlen("memory 64M\n# a comment\n\nprocesses 9\n");
	ssize_t taken;

	session_make("a");
	taken = put("a/config", lines);
	cr_assert_eq(taken, (ssize_t)good, "%zd", taken);
	cr_assert_str_eq(get_value("a/config", "memory"), "64M");
	cr_assert_str_eq(get_value("a/config", "processes"), "9");
	cr_assert(has(get("a/log", NULL), "config line 5: unknown key 'memroy'"), "%s",
		  get("a/log", NULL));
	put_refused("a/config", lines + good, EINVAL);
	put_all("a/ctl", "start\nstop\ncont\nsignal WINCH\nkill\n");
	cr_assert_lt(session_exit("a"), 0);
	session_make("b");
	taken = put("b/ctl", "start\ndance\nkill\n");
	cr_assert_eq(taken, (ssize_t)strlen("start\n"), "%zd", taken);
	cr_assert_str_eq(get_value("b/status", "state"), "running");
}

Test(files, config_shows_what_is_in_force)
{
	static const struct {
		const char *written, *key, *shown;
	} settings[] = {
		{ "memory 32M", "memory", "32M" },
		{ "memory 1G", "memory", "1G" },
		{ "processes 5", "processes", "5" },
		{ "cpu 0.5", "cpu", "0.5" },
		{ "cpu 2", "cpu", "2" },
		{ "open-files 99", "open-files", "99" },
		{ "timeout 1500ms", "timeout", NULL },
		{ "timeout 30s", "timeout", "30s" },
		{ "timeout none", "timeout", "none" },
		{ "kill-grace 2s", "kill-grace", "2s" },
		{ "tmp-size 8M", "tmp-size", "8M" },
		{ "disk 8M", "disk", "8M" },
		{ "terminals 2", "terminals", "2" },
		{ "retain 1M", "retain", "1M" },
		{ "overflow drop", "overflow", "drop" },
		{ "replies never", "replies", "never" },
		{ "cwd /usr", "cwd", "/usr" },
		{ "file-size 3M", "file-size", "3M" },
		{ "command echo  two", "command", "echo  two" },
	};
	static const char *const defaults[][2] = {
		{ "timeout", "none" },    { "idle-timeout", "none" }, { "kill-grace", "150ms" },
		{ "memory", "512M" },     { "processes", "128" },     { "cpu", "1" },
		{ "open-files", "1024" }, { "file-size", "none" },    { "tmp-size", "64M" },
		{ "retain", "64M" },      { "overflow", "wait" },     { "cwd", "/tmp" },
		{ "terminals", "8" },     { "replies", "auto" },      { "disk", "none" },
	};
	char *before, *shown;

	session_make("a");
	for (unsigned i = 0; i < sizeof(defaults) / sizeof(*defaults); i++) {
		shown = get_value("a/config", defaults[i][0]);
		cr_expect(shown && !strcmp(shown, defaults[i][1]), "%s: %s", defaults[i][0],
			  shown ? shown : "not there");
	}
	before = get("a/config", NULL);
	for (unsigned i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
		put_all("a/config", text("%s\n", settings[i].written));
		shown = get_value("a/config", settings[i].key);
		cr_expect(shown && (!settings[i].shown || !strcmp(shown, settings[i].shown)),
			  "%s: %s", settings[i].written, shown ? shown : "not there");
	}
	/* the same syntax: what was read can be written */
	session_make("b");
	put_all("b/config", get("a/config", NULL));
	cr_assert_str_eq(get("b/config", NULL), get("a/config", NULL));
	put_all("a/config", "reset\n");
	cr_assert_str_eq(get("a/config", NULL), before);
}

Test(files, config_is_closed_after_the_start)
{
	session_start("a", "command sleep 60\n");
	put_refused("a/config", "timeout 5s\n", EBUSY);
	put_refused("a/ctl", "start\n", EBUSY);
	cr_assert_str_eq(get_value("a/config", "timeout"), "none");
}

Test(files, defaults_are_for_sessions_to_come)
{
	int status;
	char *out;

	session_make("before");
	put_all("defaults", "timeout 44s\nenv GREETING=hello\ncommand echo $GREETING\n");
	cr_assert_str_eq(get_value("before/config", "timeout"), "none");
	out = session_run("after", NULL, &status);
	cr_assert_str_eq(out, "hello\n");
	cr_assert_str_eq(get_value("after/config", "timeout"), "44s");
	put_all("before/config", "reset\n");
	put_all("defaults", "reset\n");
	session_make("anew");
	cr_assert_str_eq(get_value("anew/config", "timeout"), "none");
}

Test(files, status_tells_the_life)
{
	int status;

	session_make("a");
	cr_assert_str_eq(get_value("a/status", "state"), "created");
	put_all("a/config", "command echo 12345; read x; exit 3\n");
	put_all("a/ctl", "start\n");
	cr_assert_str_eq(get_value("a/status", "state"), "running");
	cr_assert_gt(session_pid("a"), 1);
	put_all("a/input", "\n");
	status = session_exit("a");
	cr_assert_eq(status, 3);
	cr_assert_str_eq(get_value("a/status", "state"), "exited");
	cr_assert_str_eq(get_value("a/status", "exit"), "3");
	cr_assert_str_eq(get_value("a/status", "output-start"), "0");
	cr_assert_eq(atoi(get_value("a/status", "output-end")), (int)strlen(get("a/output", NULL)));
	/* RFC 3339, in UTC */
	for (unsigned i = 0; i < 2; i++) {
		const char *when = get_value("a/status", i ? "ended" : "started");

		cr_assert(when && when[4] == '-' && when[10] == 'T' && when[13] == ':' &&
				  when[strlen(when) - 1] == 'Z',
			  "%s", when ? when : "not there");
	}
}

/* Every verb that `ctl` lists is one that it takes. */
Test(files, ctl_lists_its_verbs)
{
	char *line, *rest;
	unsigned count = 0;

	session_make("a");
	rest = get("a/ctl", NULL);
	cr_assert(has(rest, "start\n") && has(rest, "kill\n") && has(rest, "eof\n"), "%s", rest);
	while ((line = strsep(&rest, "\n")) && *line) {
		const char *verb = strncmp(line, "signal", 6) ? line : "signal WINCH";

		/* what takes no session that runs, or an overlay: system_overlay.c */
		if (!strcmp(verb, "start") || strchr(verb, '['))
			continue;
		session_start(text("s%u", count), "command cat\n");
		put_all(text("s%u/ctl", count++), text("%s\n", verb));
	}
	cr_assert_eq(count, 8);
}

static ino_t inode(const char *path)
{
	struct stat st;

	return stat(at("%s", path), &st) ? 0 : st.st_ino;
}

/* The kernel keeps names; they go all the same, and what is there anew is another. */
Test(files, names_that_go_and_come_again)
{
	int directory, last;
	ino_t first;

	session_make("a");
	first = inode("a/output");
	cr_assert_neq(first, 0);
	directory = open(at("a"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	last = openat(directory, "exit", O_RDONLY | O_CLOEXEC);
	cr_assert_geq(last, 0);
	cr_assert_eq(rmdir(at("a")), 0);
	cr_assert_eq(inode("a"), 0);
	cr_assert_eq(inode("a/output"), 0);
	cr_assert_lt(openat(directory, "exit", O_RDONLY | O_CLOEXEC), 0);
	cr_assert_eq(errno, ENOENT);
	session_make("a");
	cr_assert_neq(inode("a/output"), 0);
	cr_assert_neq(inode("a/output"), first);
	close(last);
	close(directory);
}

/* What a config makes come and go is not kept. */
Test(files, stderr_comes_and_goes)
{
	session_make("a");
	for (int i = 0; i < 3; i++) {
		put_all("a/config", "terminal no\n");
		cr_assert_neq(inode("a/stderr"), 0);
		put_all("a/config", "terminal yes\n");
		cr_assert_eq(inode("a/stderr"), 0);
	}
}

Test(files, a_mode_is_so_at_once)
{
	struct stat st;

	session_make("a");
	for (mode_t mode = 0700; mode <= 0777; mode += 7) {
		cr_assert_eq(chmod(at("a"), mode), 0);
		cr_assert_eq(stat(at("a"), &st), 0);
		cr_assert_eq(st.st_mode, S_IFDIR | mode);
	}
}
