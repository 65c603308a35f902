/* SPDX-License-Identifier: MIT */
/*
 * What can be tried is tried; files that only describe the machine are read to say why it failed.
 * What could hang, or change this process, is tried in a child with a deadline.
 */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DEADLINE_SECONDS = 10, LANDLOCK_NEEDED = 6 };

#define FACT(finding, ...) snprintf((finding)->fact, sizeof((finding)->fact), __VA_ARGS__)

void finding_advise(struct finding *finding, enum level level, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	finding->level = level;
	vsnprintf(finding->advice, sizeof(finding->advice), format, arguments);
	va_end(arguments);
}

/* The number in a file of /proc/sys; -1 where there is none. */
static long number_in(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	return size > 0 ? strtol(text, NULL, 10) : -1;
}

/* What `act` returned in a child, 0 or an errno; ETIMEDOUT where it did not return in time. */
static int try_in_child(int (*act)(const void *data), const void *data)
{
	pid_t child = fork();
	int status;
	if (child == 0) {
		alarm(DEADLINE_SECONDS);
		_exit(act(data));
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : ETIMEDOUT;
}

static void ask_kernel(struct finding *finding, const struct place *place)
{
	(void)place;
	struct utsname name;
	unsigned major = 0, minor = 0;
	uname(&name);
	sscanf(name.release, "%u.%u", &major, &minor);
	FACT(finding, "Linux %s", name.release);
	if (major < 6 || (major == 6 && minor < 12))
		finding_advise(finding, PROBE_WARN,
			       "6.12 or later has all that sessions ask of it by default");
}

static void ask_device(struct finding *finding, const struct place *place)
{
	(void)place;
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		close(fd);
		FACT(finding, "can be opened");
		return;
	}
	FACT(finding, "%s", strerror(errno));
	if (errno == EACCES || errno == EPERM)
		finding_advise(
			finding, PROBE_MISSING,
			"as root: chmod 666 /dev/fuse, or allow the device to the container");
	else
		finding_advise(
			finding, PROBE_MISSING,
			"as root: modprobe fuse; for a container: give it the device /dev/fuse");
}

/* On the PATH, or where it is when the PATH is too short. */
static bool find_fusermount(struct stat *there)
{
	const char *path = getenv("PATH");
	char *list, *rest, *directory, name[PATH_MAX];
	bool found = false;
	if (asprintf(&list, "%s:/usr/bin:/bin", path ? path : "") < 0)
		return false;
	rest = list;
	while (!found && (directory = strsep(&rest, ":"))) {
		snprintf(name, sizeof(name), "%s/fusermount3", directory);
		found = *directory && access(name, X_OK) == 0 && stat(name, there) == 0;
	}
	free(list);
	return found;
}

static void ask_fusermount(struct finding *finding, const struct place *place)
{
	(void)place;
	struct stat there;
	/* Root mounts by itself. */
	enum level level = geteuid() == 0 ? PROBE_WARN : PROBE_MISSING;
	if (!find_fusermount(&there)) {
		FACT(finding, "not found");
		finding_advise(finding, level,
			       "ordinary users mount by it: install the package fuse3");
	} else if (there.st_uid != 0 || !(there.st_mode & S_ISUID)) {
		FACT(finding, "not setuid root");
		finding_advise(finding, level,
			       "ordinary users mount by it, as root: chmod u+s fusermount3");
	} else {
		FACT(finding, "installed, setuid root");
	}
}

static void ask_allow_other(struct finding *finding, const struct place *place)
{
	(void)place;
	FILE *file = fopen("/etc/fuse.conf", "re");
	char *line = NULL;
	size_t room = 0;
	bool allowed = false;
	while (file && !allowed && getline(&line, &room, file) > 0)
		allowed = strncmp(line, "user_allow_other", strlen("user_allow_other")) == 0;
	free(line);
	if (file)
		(void)fclose(file);
	FACT(finding, allowed ? "user_allow_other: a user's mount may serve others"
			      : "no user_allow_other: a user's mount serves that user alone");
}

static void ask_timeouts(struct finding *finding, const struct place *place)
{
	(void)place;
	long most = number_in("/proc/sys/fs/fuse/max_request_timeout");
	long usual = number_in("/proc/sys/fs/fuse/default_request_timeout");
	if (most <= 0 && usual <= 0) {
		FACT(finding, "requests may wait");
		return;
	}
	FACT(finding, "requests end after %ld s", most > 0 ? most : usual);
	finding_advise(finding, PROBE_WARN,
		       "a reader that waits longer ends the mount; as root: sysctl "
		       "fs.fuse.max_request_timeout=0 fs.fuse.default_request_timeout=0");
}

/* The namespaces of a session, and whether one's own root may mount: AppArmor forbids but that. */
static int make_namespaces(const void *data)
{
	(void)data;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
		    CLONE_NEWCGROUP | CLONE_NEWNET) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return errno;
	return 0;
}

static void ask_namespaces(struct finding *finding, const struct place *place)
{
	(void)place;
	int error = try_in_child(make_namespaces, NULL);
	if (error == 0) {
		FACT(finding, "can be made");
		return;
	}
	FACT(finding, "%s", strerror(error));
	const char *advice =
		"a container's or a service's seccomp filter refuses them: allow clone "
		"and unshare with CLONE_NEWUSER";
	if (number_in("/proc/sys/user/max_user_namespaces") == 0 || error == ENOSPC)
		advice = "as root: sysctl user.max_user_namespaces=15000";
	else if (number_in("/proc/sys/kernel/unprivileged_userns_clone") == 0 && geteuid() != 0)
		advice = "as root: sysctl kernel.unprivileged_userns_clone=1";
	else if (number_in("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1)
		advice = "as root: sysctl kernel.apparmor_restrict_unprivileged_userns=0, or an "
			 "AppArmor profile for mimoboxfs that has userns";
	else if (error == EINVAL)
		advice = "the kernel was built without some of CONFIG_USER_NS, PID_NS, NET_NS";
	finding_advise(finding, PROBE_MISSING, "%s", advice);
}

static void ask_landlock(struct finding *finding, const struct place *place)
{
	(void)place;
	long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (version >= LANDLOCK_NEEDED) {
		FACT(finding, "version %ld", version);
		return;
	}
	if (version > 0) {
		FACT(finding, "version %ld of %d", version, LANDLOCK_NEEDED);
		finding_advise(
			finding, PROBE_MISSING,
			"Linux 6.12 has it; 'landlock %ld' in a config does with less: 4 is the "
			"network, 5 devices, 6 signals and sockets",
			version);
		return;
	}
	FACT(finding, "%s", strerror(errno));
	finding_advise(
		finding, PROBE_MISSING, "%s",
		errno == EOPNOTSUPP
			? "add landlock to the boot parameter lsm="
			: "the kernel lacks it (Linux 6.12 has it, with CONFIG_SECURITY_LANDLOCK), "
			  "or "
			  "a container's seccomp filter refuses it; 'landlock none' does without");
}

static void ask_seccomp(struct finding *finding, const struct place *place)
{
	(void)place;
	const unsigned actions[] = { SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS };
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &actions[i]) == 0)
			continue;
		FACT(finding, "%s", strerror(errno));
		finding_advise(finding, PROBE_MISSING,
			       "the kernel must be built with CONFIG_SECCOMP_FILTER");
		return;
	}
	FACT(finding, "filters can be loaded");
}

static void ask_terminals(struct finding *finding, const struct place *place)
{
	(void)place;
	long most = number_in("/proc/sys/kernel/pty/max"),
	     used = number_in("/proc/sys/kernel/pty/nr");
	if (most < 0) {
		FACT(finding, "/proc/sys/kernel/pty is not to be seen");
		finding_advise(finding, PROBE_WARN, "mount /proc");
		return;
	}
	FACT(finding, "%ld of %ld in use", used, most);
	if (used >= most - most / 10)
		finding_advise(
			finding, used >= most ? PROBE_MISSING : PROBE_WARN,
			"each session takes one; as root: sysctl kernel.pty.max=4096, or more");
}

static int read_stats(const void *place)
{
	char path[PATH_MAX + 16], byte;
	snprintf(path, sizeof(path), "%s/stats", ((const struct place *)place)->path);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 || read(fd, &byte, 1) < 0 ? errno : 0;
}

static void ask_mount(struct finding *finding, const struct place *place)
{
	int error = try_in_child(read_stats, place);
	const char *path = place->path;
	if (error == 0) {
		FACT(finding, "%.100s answers", path);
	} else if (error == ENOTCONN) {
		FACT(finding, "the mimoboxfs at %.100s has died", path);
		finding_advise(finding, PROBE_MISSING, "mimoboxfs %.200s mounts it again", path);
	} else if (error == ENOENT || error == ENOTDIR) {
		FACT(finding, "none at %.100s", path);
		finding_advise(finding, PROBE_WARN, "mount one with: mimoboxfs %.200s", path);
	} else {
		FACT(finding, "%.100s: %s", path, strerror(error));
		finding_advise(finding, PROBE_MISSING, "is it another user's?");
	}
}

/* clang-format off */
const struct probe probes[] = {
	{ "kernel", ask_kernel },
	{ "/dev/fuse", ask_device },
	{ "fusermount3", ask_fusermount },
	{ "fuse.conf", ask_allow_other },
	{ "fuse timeouts", ask_timeouts },
	{ "user namespaces", ask_namespaces },
	{ "Landlock", ask_landlock },
	{ "seccomp", ask_seccomp },
	{ "cgroups", probe_cgroups },
	{ "terminals", ask_terminals },
	{ "mount", ask_mount },
	{ 0 },
};
/* clang-format on */
