/* SPDX-License-Identifier: MIT */
/*
 * What can be tried is tried; files that only describe the machine are read to say why it failed.
 * What could hang, or change this process, is tried in a child with a deadline.
 */
#include "probe.h"

#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <mntent.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DEADLINE_SECONDS = 10 };

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

static void ask_kernel(struct finding *finding, const struct diagnosis *diagnosis)
{
	(void)diagnosis;
	struct utsname name;
	unsigned major = 0, minor = 0;
	uname(&name);
	sscanf(name.release, "%u.%u", &major, &minor);
	FACT(finding, "Linux %s", name.release);
	if (major < 5 || (major == 5 && minor < 15))
		finding_advise(finding, PROBE_WARN, "mimobox is made for 5.15 and later");
	else if (major < 6 || (major == 6 && minor < 9))
		finding_advise(finding, PROBE_WARN,
			       "from 6.9 on, sessions outlive a server that is killed");
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

static void ask_fusermount(struct finding *finding, const struct diagnosis *diagnosis)
{
	(void)diagnosis;
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

static void ask_allow_other(struct finding *finding, const struct diagnosis *diagnosis)
{
	(void)diagnosis;
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

static void ask_timeouts(struct finding *finding, const struct diagnosis *diagnosis)
{
	(void)diagnosis;
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

static void ask_terminals(struct finding *finding, const struct diagnosis *diagnosis)
{
	(void)diagnosis;
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

static void ask_overlay(struct finding *finding, const struct diagnosis *diagnosis)
{
	(void)diagnosis;
	char line[64];
	bool found = false;
	FILE *file = fopen("/proc/filesystems", "re");
	while (file && !found && fgets(line, sizeof(line), file))
		found = strcmp(line, "nodev\toverlay\n") == 0;
	if (file)
		fclose(file);
	FACT(finding, found ? "the kernel has overlayfs" : "the kernel has no overlayfs");
	if (!found)
		finding_advise(finding, PROBE_WARN,
			       "overlay and run --project need it; as root: modprobe overlay");
}

/* Of which filesystem the workspaces are, its daemon knows. */
static void ask_quotas(struct finding *finding, const struct diagnosis *diagnosis)
{
	(void)diagnosis;
	struct mntent *mount = NULL;
	FILE *file = setmntent("/proc/self/mounts", "re");
	while (file && (mount = getmntent(file)) && !hasmntopt(mount, "prjquota"))
		;
	if (mount)
		FACT(finding, "%.100s has project quotas: workspaces there can have a `disk`",
		     mount->mnt_dir);
	else
		FACT(finding, "no filesystem has project quotas, which `disk` needs: mimobox(5)");
	if (file)
		endmntent(file);
}

static void ask_cores(struct finding *finding, const struct diagnosis *diagnosis)
{
	(void)diagnosis;
	char pattern[128] = "";
	int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : read(fd, pattern, sizeof(pattern) - 1);
	if (fd >= 0)
		close(fd);
	if (size <= 0)
		return;
	pattern[strcspn(pattern, "\n")] = '\0';
	FACT(finding, "%s", pattern);
	if (pattern[0] == '@')
		finding_advise(finding, PROBE_WARN,
			       "crashes inside reach that socket, without memory; as root: sysctl "
			       "kernel.core_pattern=core, or a pipe, which crashes inside do not "
			       "reach");
}

static int read_stats(const void *data)
{
	char path[PATH_MAX + 16], byte;
	snprintf(path, sizeof(path), "%s/stats", ((const struct place *)data)->path);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 || read(fd, &byte, 1) < 0 ? errno : 0;
}

/* A session of `true` in the mount, as anybody would make it. */
struct attempt {
	const struct place *place;
	const char *name;
	int tell; /* takes the reason where the session's log has one */
};

static int remove_session(const void *data)
{
	const struct attempt *attempt = data;
	struct session session;
	int error = session_at(&session, attempt->place, attempt->name);
	return error < 0 ? -error : rmdir(session.path) < 0 ? errno : 0;
}

static int run_session(const void *data)
{
	const struct attempt *attempt = data;
	struct session session;
	int error = session_at(&session, attempt->place, attempt->name);
	if (error == 0 && mkdir(session.path, 0700) < 0)
		return errno;
	if (error == 0)
		error = session_write(&session, "config", "argv [\"/bin/true\"]\nterminal no\n");
	if (error == 0)
		error = session_write(&session, "ctl", "start\n");
	char *status = error == 0 ? session_read(&session, "exit") : NULL;
	if (error == 0 && (!status || strcmp(status, "0\n") != 0))
		error = -EIO;
	char *reason = error < 0 ? session_reason(&session) : NULL;
	if (reason)
		dprintf(attempt->tell, "%s", reason);
	return -error;
}

/* 0 or an errno, and the reason in `why`, or "". */
static int run_one(const struct place *place, char *why, size_t size)
{
	char name[32];
	uint64_t number;
	int ends[2];
	why[0] = '\0';
	/* A process of another PID namespace may have this one's PID. */
	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return errno;
	snprintf(name, sizeof(name), "doctor-%" PRIx64, number);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return errno;
	struct attempt attempt = { .place = place, .name = name, .tell = ends[1] };
	int error = try_in_child(run_session, &attempt);
	try_in_child(remove_session, &attempt);
	close(ends[1]);
	ssize_t count = read(ends[0], why, size - 1);
	why[count > 0 ? count : 0] = '\0';
	close(ends[0]);
	return error;
}

static void explain_refusal(struct finding *finding, const char *path, int error, const char *why)
{
	FACT(finding, "%.100s: %s", path, why[0] ? why : strerror(error));
	if (why[0])
		finding_advise(finding, PROBE_MISSING, "its daemon refuses a session of /bin/true");
	else if (error == EAGAIN)
		finding_advise(finding, PROBE_MISSING,
			       "it has as many sessions as --max-sessions allows");
	else if (error == EDQUOT)
		finding_advise(finding, PROBE_MISSING, "its ceiling allows you no more sessions");
	else
		finding_advise(finding, PROBE_MISSING, "is it another user's?");
}

void probe_mount(struct finding *finding, struct diagnosis *diagnosis)
{
	char why[160] = "";
	const char *path = diagnosis->place.path;
	int error = try_in_child(read_stats, &diagnosis->place);
	if (error == ENOTCONN || error == ECONNABORTED) {
		FACT(finding, "the mimoboxfs at %.100s has died", path);
		finding_advise(finding, PROBE_MISSING, "mimoboxfs %.200s mounts it again", path);
		return;
	}
	if (error == ENOENT || error == ENOTDIR) {
		FACT(finding, "none at %.100s", path);
		finding_advise(finding, PROBE_WARN, "mount one with: mimoboxfs %.200s", path);
		return;
	}
	if (error == 0)
		error = run_one(&diagnosis->place, why, sizeof(why));
	diagnosis->mounted = error == 0;
	if (error == 0)
		FACT(finding, "%.100s runs sessions: nothing else is needed", path);
	else
		explain_refusal(finding, path, error, why);
}

/* clang-format off */
const struct probe probes[] = {
	{ "kernel", ask_kernel, false },
	{ "/dev/fuse", probe_device, true },
	{ "sandbox", probe_sandbox, true },
	{ "Landlock", probe_landlock, true },
	{ "cgroups", probe_limits, true },
	{ "mounting", probe_mounting, true },
	{ "fusermount3", ask_fusermount, true },
	{ "fuse.conf", ask_allow_other, true },
	{ "fuse timeouts", ask_timeouts, false },
	{ "terminals", ask_terminals, false },
	{ "core dumps", ask_cores, false },
	{ "overlay", ask_overlay, false },
	{ "quotas", ask_quotas, false },
	{ 0 },
};
/* clang-format on */
