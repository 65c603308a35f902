/* SPDX-License-Identifier: MIT */
/* What is said of a refusal, also of those that no test can have this machine make. */
#include <criterion/criterion.h>
#include <errno.h>
#include <machine.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *advice(const char *container, enum stage stage, int error, const char *what)
{
	static char text[1024];
	struct start_report report = { .stage = (int32_t)stage, .error = error };

	setenv("container", container, 1);
	strcpy(report.what, what);
	machine_advise(&report, text, sizeof(text));
	return text;
}

static void says(const char *text, const char *part)
{
	cr_expect(strstr(text, part), "'%s' is not in '%s'", part, text);
}

Test(machine, a_shortage_is_no_refusal)
{
	static const int shortages[] = { ENOMEM, EMFILE, ENFILE,    EAGAIN, ENOSPC,  EDQUOT, EBUSY,
					 EINTR,  EIO,    ETIMEDOUT, ECHILD, ENOBUFS, 524 };
	static const int refusals[] = { EPERM,  EACCES, ENOSYS, EINVAL,
					ENODEV, ENOENT, EFBIG,  EOPNOTSUPP };

	cr_expect(!machine_refuses(0));
	for (size_t i = 0; i < sizeof(shortages) / sizeof(*shortages); i++)
		cr_expect(!machine_refuses(-shortages[i]), "%d", shortages[i]);
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++)
		cr_expect(machine_refuses(-refusals[i]), "%d", refusals[i]);
}

/* Another try may find fewer of them, unless there are to be none. */
Test(machine, namespaces_that_are_used_up_are_no_refusal)
{
	const struct start_report report = { .stage = STAGE_CLONE, .error = ENOSPC };

	cr_expect(!machine_refuses_start(&report));
	cr_expect_str_eq(advice("none", STAGE_CLONE, ENOSPC, ""), "");
}

Test(machine, what_somebody_has_named_is_no_refusal)
{
	const struct start_report path = { .stage = STAGE_PATHS, .error = EACCES };
	const struct start_report proc = { .stage = STAGE_ROOT, .error = EACCES };

	cr_expect(!machine_refuses_start(&path));
	cr_expect(machine_refuses_start(&proc));
}

Test(machine, each_container_has_its_options)
{
	static const char *const containers[][2] = {
		{ "podman", "podman run --device /dev/fuse --cap-add SYS_ADMIN" },
		{ "docker", "docker run --device /dev/fuse --cap-add SYS_ADMIN" },
		{ "systemd-nspawn", "systemd-nspawn --capability=all" },
		{ "lxc", "security.nesting=true" },
	};
	static const enum stage stages[] = { STAGE_CLONE, STAGE_NAMESPACES, STAGE_ROOT };

	for (size_t i = 0; i < sizeof(containers) / sizeof(*containers); i++)
		for (size_t j = 0; j < sizeof(stages) / sizeof(*stages); j++) {
			says(advice(containers[i][0], stages[j], EPERM, "pivot_root"),
			     containers[i][1]);
			says(advice(containers[i][0], stages[j], ENOSYS, ""),
			     "bind /run/mimobox into the container");
		}
}

Test(machine, each_container_has_a_device)
{
	static const char *const containers[][2] = {
		{ "podman", "podman run --device /dev/fuse" },
		{ "docker", "docker run --device /dev/fuse" },
		{ "systemd-nspawn", "DeviceAllow='/dev/fuse rw'" },
		{ "lxc", "lxc.mount.entry = /dev/fuse" },
		{ "none", "modprobe fuse" },
	};
	char text[512];

	for (size_t i = 0; i < sizeof(containers) / sizeof(*containers); i++) {
		setenv("container", containers[i][0], 1);
		machine_advise_device(-ENOENT, text, sizeof(text));
		says(text, containers[i][1]);
	}
	machine_advise_device(-EPERM, text, sizeof(text));
	says(text, "DeviceAllow=/dev/fuse rw");
}

Test(machine, outside_of_containers)
{
	says(advice("none", STAGE_CLONE, EINVAL, ""), "CONFIG_USER_NS");
	says(advice("none", STAGE_ROOT, EPERM, "proc"), "unmount what is mounted below /proc");
	says(advice("none", STAGE_ROOT, EINVAL, "pivot_root"), "switch_root");
	says(advice("none", STAGE_SECCOMP, EINVAL, "filter"), "CONFIG_SECCOMP_FILTER");
	cr_expect_str_eq(advice("none", STAGE_SECCOMP, ENOMEM, "filter"), "");
	cr_expect_str_eq(advice("none", STAGE_CLONE, EAGAIN, ""), "");
	cr_expect_str_eq(advice("none", STAGE_CWD, ENOENT, "/nowhere"), "");
}

/* Debian's setting, for ordinary users. It is played. */
Test(machine, user_namespaces_are_off_for_users)
{
	FILE *file;

	cr_assert_eq(unshare(CLONE_NEWNS), 0);
	cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	cr_assert_eq(mount("none", "/proc/sys/kernel", "tmpfs", 0, NULL), 0);
	file = fopen("/proc/sys/kernel/unprivileged_userns_clone", "w");
	cr_assert(file && fputs("0\n", file) >= 0 && fclose(file) == 0);
	cr_assert(!strstr(advice("none", STAGE_CLONE, EPERM, ""), "unprivileged_userns_clone"));
	cr_assert_eq(setuid(23450), 0);
	says(advice("none", STAGE_CLONE, EPERM, ""), "sysctl kernel.unprivileged_userns_clone=1");
}

/* As systemd writes it; and what the variable says only where that is known. */
Test(machine, containers_by_a_file)
{
	static const char *const words[] = { "", "oci" };
	FILE *file;

	cr_assert_eq(unshare(CLONE_NEWNS), 0);
	cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	cr_assert_eq(mount("none", "/run", "tmpfs", 0, NULL), 0);
	cr_assert_eq(mkdir("/run/systemd", 0755), 0);
	file = fopen("/run/systemd/container", "w");
	cr_assert(file && fputs("podman\n", file) >= 0 && fclose(file) == 0);
	for (size_t i = 0; i < 2; i++)
		says(advice(words[i], STAGE_CLONE, EPERM, ""), "podman run");
}

/* Version 2 of cgroups, as a machine has it that gives a user all, some, or nothing. It is played.
 */
Test(machine, limits_of_users)
{
	char text[512];
	FILE *file;

	setenv("container", "none", 1);
	cr_assert_eq(unshare(CLONE_NEWNS), 0);
	cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	cr_assert_eq(mount("none", "/sys/fs/cgroup", "tmpfs", 0, NULL), 0);
	file = fopen("/sys/fs/cgroup/cgroup.controllers", "w");
	cr_assert(file && fputs("cpu memory pids\n", file) >= 0 && fclose(file) == 0);
	machine_advise_limits(0, text, sizeof(text));
	says(text, "mount -t cgroup2");
	cr_assert_eq(seteuid(23450), 0);
	machine_advise_limits(0, text, sizeof(text));
	says(text, "systemd-run --user --scope -p Delegate=yes");
	machine_advise_limits(CGROUP_MEMORY | CGROUP_PROCESSES, text, sizeof(text));
	says(text, "Delegate=cpu memory pids");
	cr_assert_eq(seteuid(0), 0);
	cr_assert_eq(unlink("/sys/fs/cgroup/cgroup.controllers"), 0);
	cr_assert_eq(seteuid(23450), 0);
	machine_advise_limits(0, text, sizeof(text));
	says(text, "a mount of root's");
	cr_assert_eq(seteuid(0), 0);
}

Test(machine, landlock)
{
	char text[512];

	setenv("container", "none", 1);
	machine_advise_landlock(-EOPNOTSUPP, text, sizeof(text));
	says(text, "boot parameter lsm=");
	machine_advise_landlock(-ENOSYS, text, sizeof(text));
	says(text, "CONFIG_SECURITY_LANDLOCK");
}
