/* SPDX-License-Identifier: MIT */
/*
 * The mounts of a sandbox, one by one: what each may not be used for, whatever else would refuse
 * that as well.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "fixture.h"
#include "outside.h"

TestSuite(root, .init = outside_start, .fini = outside_stop, .timeout = 60);

struct mount {
	char at[256], options[256], type[64];
};
static struct mount mounts[128];
static unsigned mount_count;

/* Of a session with these lines in its config. */
static void look_at_mounts(const char *config)
{
	int status;
	char *line, *rest = session_run_as(
			    ANN, "a",
			    text("%s\ncommand stty cols 1000; cat /proc/self/mountinfo\n", config),
			    &status);

	mount_count = 0;
	while ((line = strsep(&rest, "\n")) && *line) {
		struct mount *mount = &mounts[mount_count++];

		cr_assert_lt(mount_count, sizeof(mounts) / sizeof(*mounts));
		cr_assert_eq(sscanf(line, "%*s %*s %*s %*s %255s %255s", mount->at, mount->options),
			     2, "%s", line);
		cr_assert(has(line, " - "));
		cr_assert_eq(sscanf(strstr(line, " - "), " - %63s", mount->type), 1);
	}
	session_remove("a");
}

static bool option(const struct mount *mount, const char *name)
{
	return has(text(",%s,", mount->options), text(",%s,", name));
}

static const struct mount *mount_at(const char *at)
{
	for (unsigned i = mount_count; i > 0; i--)
		if (!strcmp(mounts[i - 1].at, at))
			return &mounts[i - 1];
	return NULL;
}

static bool is_one_of(const char *at, const char *const names[])
{
	for (; *names; names++)
		if (!strcmp(at, *names))
			return true;
	return false;
}

static const char *const devices[] = { "/dev/null",    "/dev/zero", "/dev/full", "/dev/random",
				       "/dev/urandom", "/dev/tty",  "/dev/pts",  NULL };
static const char *const writable[] = { "/tmp", "/dev/shm", "/workspace", "/proc", "/rw", NULL };
static const char *const masked[] = { "kcore", "keys", "sysrq-trigger", "timer_list", NULL };

static bool is_mask(const char *at)
{
	return !strncmp(at, "/proc/", 6) && is_one_of(at + 6, masked);
}

Test(root, mounts_are_locked_down)
{
	outside_directory(outside("d"), ANN, 0755);
	look_at_mounts(text("ro %s:/ro\nrw %s:/rw", outside("d"), outside("d")));
	cr_assert_geq(mount_count, 15);
	for (unsigned i = 0; i < mount_count; i++) {
		const struct mount *mount = &mounts[i];
		bool device = is_one_of(mount->at, devices);

		cr_expect(option(mount, "nosuid") || is_mask(mount->at), "%s: %s", mount->at,
			  mount->options);
		cr_expect(device || is_mask(mount->at) || option(mount, "nodev"), "%s: %s",
			  mount->at, mount->options);
		cr_expect(device || is_one_of(mount->at, writable) || option(mount, "ro"), "%s: %s",
			  mount->at, mount->options);
		cr_expect(strncmp(mount->type, "fuse", 4) != 0, "%s", mount->at);
	}
	cr_expect(option(mount_at("/proc"), "noexec") && option(mount_at("/dev/pts"), "noexec"));
	cr_expect(option(mount_at("/proc/sys"), "ro"));
	cr_expect(option(mount_at("/ro"), "ro") && option(mount_at("/rw"), "rw"));
	cr_expect(option(mount_at("/tmp"), "rw") && option(mount_at("/workspace"), "rw"));
}

/* What tells of the machine, where this kernel has it. */
Test(root, proc_is_masked)
{
	unsigned there = 0;

	look_at_mounts("");
	for (unsigned i = 0; masked[i]; i++) {
		const char *path = text("/proc/%s", masked[i]);

		if (access(path, F_OK) < 0)
			continue;
		there++;
		cr_expect(mount_at(path) && option(mount_at(path), "ro"), "%s: %s", path,
			  mount_at(path) ? mount_at(path)->options : "not masked");
	}
	cr_expect_gt(there, 0);
}

Test(root, of_the_host_only_the_system_is_there)
{
	static const char *const places[] = { "/",        "/usr",       "/etc",        "/bin",
					      "/sbin",    "/lib",       "/lib32",      "/lib64",
					      "/libx32",  "/proc",      "/proc/sys",   "/tmp",
					      "/dev/shm", "/workspace", "/etc/passwd", "/etc/group",
					      NULL };
	int status;
	char *output;

	look_at_mounts("");
	for (unsigned i = 0; i < mount_count; i++) {
		const char *at = mounts[i].at;

		cr_expect(is_one_of(at, places) || is_one_of(at, devices) || is_mask(at) ||
				  !strncmp(at, "/etc/", 5) || !strncmp(at, "/usr/", 5),
			  "%s", at);
	}
	output = session_run("b", "command ls -A / | tr '\\n' ' '\n", &status);
	cr_expect(!has(output, "root") && !has(output, "home") && !has(output, "sys ") &&
			  !has(output, "boot"),
		  "%s", output);
}

/* The whole mount namespace is of the sandbox: nothing of the host's lies outside of its root. */
Test(root, the_old_root_is_nowhere)
{
	struct stream output;
	char *list;

	session_start_as(ANN, "a", "command echo READY; read x\n");
	stream_open(&output, "a/output");
	stream_until(&output, "READY");
	list = sh(text("nsenter --mount=/proc/%d/ns/mnt ls -A / | tr '\\n' ' '", session_pid("a")));
	cr_expect(has(list, "usr ") && has(list, "workspace ") && !has(list, "root ") &&
			  !has(list, "sys ") && !has(list, "boot "),
		  "%s", list);
	/* the control */
	cr_expect(has(sh("ls -A / | tr '\\n' ' '"), "root "));
	put_all("a/input", "\n");
	session_exit("a");
	stream_close(&output);
}
