/* SPDX-License-Identifier: MIT */
#include "machine.h"

#include "identity.h"
#include "landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT_MAX = 4096 };

bool machine_refuses(int error)
{
	static const int shortages[] = {
		ENOMEM, EMFILE,    ENFILE, EAGAIN,  ENOSPC, EDQUOT, EBUSY,
		EINTR,  ETIMEDOUT, ECHILD, ENOBUFS, EIO,    524 /* of seccomp(2), short of JIT
								   memory */
	};
	for (size_t i = 0; i < sizeof(shortages) / sizeof(shortages[0]); i++)
		if (error == -shortages[i])
			return false;
	return error < 0;
}

/* The beginning of a file; "" where it cannot be read. */
static void read_file(const char *path, char text[TEXT_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : read(fd, text, TEXT_MAX - 1);
	text[size > 0 ? size : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

/* -1: there is none. */
static long number_in(const char *path)
{
	char text[TEXT_MAX];
	read_file(path, text);
	return text[0] ? strtol(text, NULL, 10) : -1;
}

/* Other lines may be of any length: a user can be in 65,536 groups. */
static bool is_filtered(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	char *line = NULL;
	size_t room = 0;
	int mode = 0;
	while (file && getline(&line, &room, file) > 0 && sscanf(line, "Seccomp: %d", &mode) != 1)
		;
	free(line);
	if (file)
		(void)fclose(file);
	return mode > 0;
}

/* Not every change of the root can be seen: one to a mount point looks like any root. */
static bool is_chroot(void)
{
	struct statx own, first;
	if (statx(AT_FDCWD, "/", 0, STATX_INO, &own) < 0)
		return false;
	if ((own.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) &&
	    !(own.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		return true;
	return statx(AT_FDCWD, "/proc/1/root", 0, STATX_INO, &first) == 0 &&
	       (own.stx_ino != first.stx_ino || own.stx_dev_minor != first.stx_dev_minor ||
		own.stx_dev_major != first.stx_dev_major);
}

/* Container managers, with the options that let sandboxes be made in what they run. */
static const struct manager {
	const char *file; /* is there in what it runs; NULL: none */
	const char *word; /* what it calls itself in $container, or in such a file; NULL: nothing */
	const char *device;
	const char *sandboxes;
	const char *proc;   /* NULL: as `sandboxes`; the same for those below */
	const char *filter; /* the one call that is refused is Landlock's */
	const char *ids;
} managers[] = {
	{ "/var/run/secrets/kubernetes.io", NULL,
	  "set privileged: true in the container's securityContext",
	  "set privileged: true in the container's securityContext",
	  "set privileged: true, or procMount: Unmasked, in the container's securityContext",
	  "set seccompProfile: {type: Unconfined} in the container's securityContext",
	  "set hostUsers: true in the pod, or run it as an ordinary user there" },
	{ "/run/.containerenv", "podman", "podman run --device /dev/fuse",
	  "podman run --device /dev/fuse --cap-add SYS_ADMIN --security-opt unmask=ALL",
	  "podman run --security-opt unmask=ALL", "podman run --security-opt seccomp=unconfined",
	  "podman run --userns keep-id, or run it as an ordinary user there" },
	{ "/.dockerenv", "docker", "docker run --device /dev/fuse",
	  "docker run --device /dev/fuse --cap-add SYS_ADMIN --security-opt seccomp=unconfined "
	  "--security-opt apparmor=unconfined --security-opt systempaths=unconfined",
	  "docker run --security-opt systempaths=unconfined",
	  "docker run --security-opt seccomp=unconfined",
	  "docker run --userns host, or run it as an ordinary user there" },
	{ "/run/host/container-manager", "systemd-nspawn",
	  "systemd-nspawn --bind=/dev/fuse --property=DeviceAllow='/dev/fuse rw'",
	  "systemd-nspawn --capability=all --system-call-filter='@mount @privileged seccomp "
	  "landlock_create_ruleset landlock_add_rule landlock_restrict_self'",
	  NULL,
	  "systemd-nspawn --system-call-filter='landlock_create_ruleset landlock_add_rule "
	  "landlock_restrict_self'",
	  "systemd-nspawn --private-users=no, or run it as an ordinary user there" },
	{ NULL, "lxc", "lxc.mount.entry = /dev/fuse dev/fuse none bind,create=file",
	  "lxc.include = /usr/share/lxc/config/nesting.conf in its configuration (LXD, Incus: "
	  "security.nesting=true)",
	  NULL, NULL, "run it as an ordinary user there" },
};

/* $container, where there is one, goes before files: it is what the manager itself has said. */
static bool calls_itself(const struct manager *manager, const char *word)
{
	return manager->word && strcmp(word, manager->word) == 0;
}

/* By $container, which "none" ends; where that says nothing known, by files. */
static const struct manager *find_manager(void)
{
	enum { MANAGERS = sizeof(managers) / sizeof(managers[0]) };
	char text[TEXT_MAX];
	const char *word = getenv("container");
	for (size_t i = 0; word && i < MANAGERS; i++)
		if (calls_itself(&managers[i], word))
			return &managers[i];
	if (word && strcmp(word, "none") == 0)
		return NULL;
	read_file("/run/systemd/container", text);
	text[strcspn(text, "\n")] = '\0';
	for (size_t i = 0; i < MANAGERS; i++)
		if ((managers[i].file && access(managers[i].file, F_OK) == 0) ||
		    calls_itself(&managers[i], text))
			return &managers[i];
	return NULL;
}

#define OUTSIDE \
	"; or mount it outside, and bind /run/mimobox into the container (podman, docker: -v)"

/* What is refused in a container, or where something else has put a filter or a rule. */
static void advise_refused(const char *in_container, char *text, size_t size)
{
	bool filtered = is_filtered();
	if (in_container)
		snprintf(text, size, "the container refuses it: %s" OUTSIDE, in_container);
	else if (filtered)
		snprintf(text, size,
			 "a seccomp filter refuses it: allow what a container manager, or a "
			 "service (SystemCallFilter=, RestrictNamespaces=), takes away");
	else if (geteuid() == 0)
		snprintf(text, size,
			 "it takes CAP_SYS_ADMIN and, where a security module has rules, leave "
			 "by those");
}

/* Ubuntu lets such a namespace be made, and then has its root do nothing. */
static bool is_restricted(const struct start_report *report)
{
	return (report->error == EPERM || report->error == EACCES) && geteuid() != 0 &&
	       number_in("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1;
}

static void advise_namespaces(const struct start_report *report, const char *in_container,
			      char *text, size_t size)
{
	bool clone = report->stage == STAGE_CLONE;
	if (clone && number_in("/proc/sys/user/max_user_namespaces") == 0)
		snprintf(text, size, "as root: sysctl user.max_user_namespaces=15000");
	else if (clone && geteuid() != 0 &&
		 number_in("/proc/sys/kernel/unprivileged_userns_clone") == 0)
		snprintf(text, size, "as root: sysctl kernel.unprivileged_userns_clone=1");
	else if (is_restricted(report))
		snprintf(text, size,
			 "AppArmor restricts user namespaces: load the profile of mimobox's "
			 "package (/etc/apparmor.d), or as root: sysctl "
			 "kernel.apparmor_restrict_unprivileged_userns=0");
	else if (clone && report->error == EPERM && is_chroot())
		snprintf(text, size,
			 "in a chroot there are no user namespaces: run it outside, or enter the "
			 "directory by pivot_root(8), as systemd-nspawn does");
	else if (clone && report->error == EINVAL)
		snprintf(text, size,
			 "the kernel was built without some of CONFIG_USER_NS, PID_NS, NET_NS, "
			 "UTS_NS, IPC_NS");
	else if (report->error == EPERM || report->error == EACCES || report->error == ENOSYS)
		advise_refused(in_container, text, size);
}

static void advise_root(const struct start_report *report, const struct manager *manager,
			char *text, size_t size)
{
	if (report->error == EPERM && strcmp(report->what, "proc") == 0 && !is_restricted(report))
		snprintf(text, size,
			 "mounts over parts of /proc hide them, and then there is no other /proc: "
			 "%s%s",
			 manager ? manager->proc ? manager->proc : manager->sandboxes
				 : "unmount what is mounted below /proc",
			 manager ? OUTSIDE : "");
	else if (report->error == EINVAL && strcmp(report->what, "pivot_root") == 0)
		snprintf(text, size,
			 "the root is the initramfs, which cannot be left: switch_root(8)");
	else
		advise_namespaces(report, manager ? manager->sandboxes : NULL, text, size);
}

static void advise_ids(const struct manager *manager, char *text, size_t size)
{
	snprintf(text, size, "this user namespace lacks the ids of sessions, from %u on: %s",
		 IDENTITY_FIRST,
		 manager ? manager->ids
			 : "give it all of the machine's, or run mimoboxfs in it as "
			   "an ordinary user");
}

bool machine_advise_ids(char *text, size_t size)
{
	*text = '\0';
	if (geteuid() != 0 || identities_are_mapped(IDENTITY_FIRST, IDENTITY_LAST))
		return false;
	advise_ids(find_manager(), text, size);
	return true;
}

static void advise_filters(const struct start_report *report, char *text, size_t size)
{
	if (report->error == ENOSYS || report->error == EINVAL)
		snprintf(text, size,
			 "the kernel takes no filters of system calls: it is to be built with "
			 "CONFIG_SECCOMP_FILTER (qemu-user has none)");
}

/* False: it is not a container's filter that is in the way. */
static bool advise_landlock(int abi, char *text, size_t size)
{
	const struct manager *manager = find_manager();
	if (!manager || !is_filtered() || (abi != -ENOSYS && abi != -EPERM))
		return false;
	snprintf(text, size, "the container refuses it: %s" OUTSIDE,
		 manager->filter ? manager->filter : manager->sandboxes);
	return true;
}

void machine_advise_landlock(int abi, char *text, size_t size)
{
	if (!advise_landlock(abi, text, size))
		snprintf(text, size, "%s",
			 abi == -EOPNOTSUPP
				 ? "add landlock to the boot parameter lsm="
				 : "it takes Linux 5.13 or later, built with "
				   "CONFIG_SECURITY_LANDLOCK, and no filter that refuses it");
}

void machine_advise(const struct start_report *report, char *text, size_t size)
{
	const struct manager *manager = find_manager();
	*text = '\0';
	switch (report->stage) {
	case STAGE_IDENTITY:
		if (machine_advise_ids(text, size))
			break;
		/* fall through */
	case STAGE_CLONE:
	case STAGE_NAMESPACES:
		advise_namespaces(report, manager ? manager->sandboxes : NULL, text, size);
		break;
	case STAGE_ROOT:
		advise_root(report, manager, text, size);
		break;
	case STAGE_LANDLOCK:
		advise_landlock(landlock_abi(), text, size);
		break;
	case STAGE_FORK:
		if (report->error == EPERM || report->error == ENOSYS)
			advise_refused(manager ? manager->sandboxes : NULL, text, size);
		break;
	case STAGE_SECCOMP:
		advise_filters(report, text, size);
		break;
	default:
		break;
	}
}

/*
 * A setting can make a refusal of what is a shortage elsewhere. Paths are what somebody has named,
 * and may be there the next time.
 */
bool machine_refuses_start(const struct start_report *report)
{
	if (report->stage == STAGE_PATHS || report->stage == STAGE_CWD)
		return false;
	if (report->stage == STAGE_CLONE && report->error == ENOSPC)
		return number_in("/proc/sys/user/max_user_namespaces") == 0;
	return machine_refuses(-report->error);
}

void machine_advise_mount(char *text, size_t size)
{
	const struct manager *manager = find_manager();
	*text = '\0';
	advise_refused(manager ? manager->sandboxes : NULL, text, size);
}

void machine_advise_device(int error, char *text, size_t size)
{
	const struct manager *manager = find_manager();
	if (error == -EACCES && geteuid() != 0)
		snprintf(text, size,
			 "run as root, or have root run: chmod 666 /dev/fuse (a rule of udev keeps "
			 "that: KERNEL==\"fuse\", MODE=\"0666\")");
	else if (manager)
		snprintf(text, size, "the container lacks it: %s" OUTSIDE, manager->device);
	else if (error == -EPERM)
		snprintf(text, size,
			 "allow the device to the service or the container: DeviceAllow=/dev/fuse "
			 "rw");
	else
		snprintf(text, size,
			 "as root: modprobe fuse; for a container: give it the device /dev/fuse");
}

bool machine_core_socket(char *path, size_t size)
{
	char text[TEXT_MAX];
	read_file("/proc/sys/kernel/core_pattern", text);
	text[strcspn(text, "\n")] = '\0';
	snprintf(path, size, "%s", text);
	return text[0] == '@';
}

/* Version 2 of cgroups, as a whole, without it. */
static bool has_no_memory_controller(void)
{
	char text[TEXT_MAX];
	read_file("/sys/fs/cgroup/cgroup.controllers", text);
	return strstr(text, "pids") && !strstr(text, "memory");
}

static void advise_users_limits(unsigned can, char *text, size_t size)
{
	if (access("/sys/fs/cgroup/cgroup.controllers", F_OK) < 0)
		snprintf(text, size,
			 "cgroups of version 1 are not delegated to users: use a mount of root's");
	else if (can)
		snprintf(
			text, size,
			"have root write Delegate=cpu memory pids into a drop-in of user@.service");
	else
		snprintf(text, size,
			 "have a cgroup delegated: systemctl --user enable --now mimobox, or "
			 "systemd-run --user --scope -p Delegate=yes mimoboxfs ...");
}

void machine_advise_limits(unsigned can, char *text, size_t size)
{
	char line[TEXT_MAX];
	read_file("/proc/cmdline", line);
	bool off = strstr(line, "cgroup_disable=memory") != NULL;
	if (!(can & CGROUP_MEMORY) && (off || (geteuid() == 0 && has_no_memory_controller())))
		snprintf(text, size,
			 "the kernel %s: put cgroup_enable=memory into its command line "
			 "(Raspberry Pi: /boot/firmware/cmdline.txt)",
			 off ? "was started with cgroup_disable=memory"
			     : "has no memory controller");
	else if (find_manager())
		snprintf(text, size,
			 "the container has no cgroup that it may change (podman, docker: "
			 "--privileged)");
	else if (geteuid() == 0)
		snprintf(text, size,
			 "mount the controllers, to be written: mount -t cgroup2 none "
			 "/sys/fs/cgroup");
	else
		advise_users_limits(can, text, size);
}
