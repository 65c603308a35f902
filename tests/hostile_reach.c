/* SPDX-License-Identifier: MIT */
/* Files and processes outside, by every way round. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hostile.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NR_PIDFD_SEND_SIGNAL 424
#define NR_PIDFD_OPEN 434
#define FUSE_MAGIC 0x65735546

static struct outcome open_outcome(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct outcome outcome = fd < 0 ? denied(errno) : escaped("%.120s", path);

	if (fd >= 0)
		close(fd);
	return outcome;
}

/* Escaped where one of them opens; else as the last that is there at all. */
static struct outcome open_any(const char *const *paths, size_t count, int flags)
{
	struct outcome outcome = denied(ENOENT);

	for (size_t i = 0; i < count; i++) {
		struct outcome one = open_outcome(paths[i], flags);

		if (one.verdict == ESCAPED)
			return one;
		if (one.error != ENOENT)
			outcome = one;
	}
	return outcome;
}

/* Descriptors beyond the standard three, and directories among those. */
static struct outcome leaked_descriptors(const char *object)
{
	DIR *directory = opendir("/proc/self/fd");
	struct outcome outcome = denied(0);
	struct dirent *entry;

	(void)object;
	if (directory == NULL)
		return untestable("no /proc/self/fd");
	while ((entry = readdir(directory)) != NULL) {
		int fd = atoi(entry->d_name);
		char target[100] = "";
		struct stat status;

		if (entry->d_name[0] == '.' || fd == dirfd(directory) || fstat(fd, &status) < 0)
			continue;
		if (fd <= 2 && !S_ISDIR(status.st_mode))
			continue;
		if (readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1) < 0)
			continue;
		outcome = escaped("%d is %s", fd, target);
	}
	closedir(directory);
	return outcome;
}

/* CVE-2024-21626: a working directory that no path leads to. */
static struct outcome working_directory(const char *object)
{
	char path[4096];

	(void)object;
	if (syscall(SYS_getcwd, path, sizeof(path)) < 0)
		return denied(errno);
	return path[0] == '/' ? denied(0) : escaped("%.100s", path);
}

#define OPEN(name, path, flags)                        \
	static struct outcome name(const char *object) \
	{                                              \
		(void)object;                          \
		return open_outcome(path, flags);      \
	}

OPEN(own_memory, "/proc/self/mem", O_RDWR)
OPEN(own_id_map, "/proc/self/uid_map", O_WRONLY)
OPEN(kernel_messages, "/proc/kmsg", O_RDONLY)
OPEN(sys_tree, "/sys/kernel", O_RDONLY | O_DIRECTORY)

/* What is masked is there, but is another file: an empty one, or /dev/null. */
static struct outcome masked_outcome(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);
	struct outcome outcome = escaped("%s", path);
	struct stat status;
	char byte;

	if (fd < 0)
		return denied(errno);
	if (fstat(fd, &status) < 0 || S_ISCHR(status.st_mode) ||
	    (flags == O_RDONLY && read(fd, &byte, 1) <= 0))
		outcome = denied(0);
	close(fd);
	return outcome;
}

#define MASKED(name, path, flags)                      \
	static struct outcome name(const char *object) \
	{                                              \
		(void)object;                          \
		return masked_outcome(path, flags);    \
	}

MASKED(keys, "/proc/keys", O_RDONLY)
MASKED(timers, "/proc/timer_list", O_RDONLY)
MASKED(kernel_core, "/proc/kcore", O_RDONLY)
MASKED(system_request, "/proc/sysrq-trigger", O_WRONLY)

static struct outcome sysctls(const char *object)
{
	static const char *const paths[] = {
		"/proc/sys/kernel/core_pattern",  "/proc/sys/kernel/modprobe",
		"/proc/sys/kernel/hostname",      "/proc/sys/user/max_user_namespaces",
		"/proc/sys/vm/overcommit_memory", "/proc/sys/net/ipv4/ip_forward",
		"/proc/sys/fs/mqueue/queues_max", "/proc/sys/kernel/ns_last_pid",
		"/proc/sys/kernel/shmmax",
	};

	(void)object;
	return open_any(paths, COUNT(paths), O_WRONLY);
}

static struct outcome devices(const char *object)
{
	static const char *const paths[] = {
		"/dev/mem",   "/dev/kmsg",         "/dev/kvm",     "/dev/fuse",    "/dev/sda",
		"/dev/vda",   "/dev/nvme0n1",      "/dev/port",    "/dev/console", "/dev/tty0",
		"/dev/loop0", "/dev/loop-control", "/dev/net/tun", "/dev/uinput",  "/dev/vsock",
	};

	(void)object;
	return open_any(paths, COUNT(paths), O_RDONLY);
}

static struct outcome control_groups(const char *object)
{
	static const char *const paths[] = {
		"/sys/fs/cgroup/cgroup.procs",
		"/sys/fs/cgroup/unified/cgroup.procs",
		"/sys/fs/cgroup/memory/cgroup.procs",
		"/sys/fs/cgroup/memory/release_agent",
	};

	(void)object;
	return open_any(paths, COUNT(paths), O_WRONLY);
}

static struct outcome create_at(const char *path)
{
	/* or opened: where nothing is in the way, another of these may be at it */
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return denied(errno);
	close(fd);
	unlink(path);
	return escaped("made %s", path);
}

#define CREATE(name, path)                             \
	static struct outcome name(const char *object) \
	{                                              \
		(void)object;                          \
		return create_at(path);                \
	}

CREATE(write_root, "/hostile-file")
CREATE(write_usr, "/usr/hostile-file")
CREATE(write_etc, "/etc/hostile-file")
CREATE(write_dev, "/dev/hostile-file")
CREATE(write_run, "/run/hostile-file")

static struct outcome read_plain(const char *object)
{
	return open_outcome(object, O_RDONLY);
}

/* By a symlink that is made in a directory of one's own. */
static struct outcome by_symlink(const char *object, int flags)
{
	const char *link = scratch("symlink");
	struct outcome outcome;

	if (symlink(object, link) < 0)
		return untestable("no symlink %s", link);
	outcome = open_outcome(link, flags);
	unlink(link);
	return outcome;
}

static struct outcome read_by_symlink(const char *object)
{
	return by_symlink(object, O_RDONLY);
}

static struct outcome read_below(const char *prefix, const char *object)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s%s", prefix, object);
	return open_outcome(path, O_RDONLY);
}

static struct outcome read_by_root(const char *object)
{
	return read_below("/proc/self/root", object);
}

static struct outcome read_by_dots(const char *object)
{
	return read_below("/proc/self/cwd/../../../../../../../../..", object);
}

static struct outcome by_hard_link(const char *object, int flags)
{
	const char *path = scratch("link");
	struct outcome outcome;

	if (link(object, path) < 0)
		return denied(errno);
	outcome = open_outcome(path, flags);
	unlink(path);
	return outcome;
}

static struct outcome read_by_link(const char *object)
{
	return by_hard_link(object, O_RDONLY);
}

static struct outcome read_by_openat2(const char *object)
{
	const struct open_how how = { .flags = O_RDONLY | O_CLOEXEC };

	return outcome_of(syscall(SYS_openat2, AT_FDCWD, object, &how, sizeof(how)));
}

/* An O_PATH descriptor is no right to read; what /proc makes of it might be. */
static struct outcome read_by_path_descriptor(const char *object)
{
	int fd = open(object, O_PATH | O_CLOEXEC);
	char path[64];

	if (fd < 0)
		return denied(errno);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open_outcome(path, O_RDONLY);
}

static struct outcome execute_outside(const char *object)
{
	char *const nothing[] = { NULL };

	execve(object, nothing, nothing);
	/* A file that is no program is refused for that only after it was found executable. */
	return outcome_beyond(-1, ENOEXEC);
}

static struct outcome write_plain(const char *object)
{
	return open_outcome(object, O_WRONLY | O_APPEND);
}

static struct outcome write_by_symlink(const char *object)
{
	return by_symlink(object, O_WRONLY | O_APPEND);
}

static struct outcome write_by_link(const char *object)
{
	return by_hard_link(object, O_WRONLY | O_APPEND);
}

/* Landlock doesn't see these: read-only mounts must refuse them. */
static struct outcome write_mode(const char *object)
{
	struct stat status;

	return outcome_of(stat(object, &status) < 0 ? -1 : chmod(object, status.st_mode & 0777));
}

static struct outcome write_times(const char *object)
{
	struct stat status;

	if (stat(object, &status) < 0)
		return denied(errno);
	return outcome_of(utimensat(AT_FDCWD, object,
				    (struct timespec[]){ status.st_atim, status.st_mtim }, 0));
}

static struct outcome write_size(const char *object)
{
	struct stat status;

	return outcome_of(stat(object, &status) < 0 ? -1 : truncate(object, status.st_size));
}

static struct outcome write_name(const char *object)
{
	return outcome_of(rename(object, object));
}

static pid_t pid_of(const char *object)
{
	return (pid_t)strtol(object, NULL, 10);
}

static struct outcome signal_process(const char *object)
{
	return outcome_of(kill(pid_of(object), 0));
}

static struct outcome signal_thread(const char *object)
{
	return outcome_of(syscall(SYS_tgkill, pid_of(object), pid_of(object), 0));
}

static struct outcome signal_descriptor(const char *object)
{
	long fd = syscall(NR_PIDFD_OPEN, pid_of(object), 0);

	return outcome_of(fd < 0 ? fd : syscall(NR_PIDFD_SEND_SIGNAL, fd, 0, NULL, 0));
}

static struct outcome trace_process(const char *object)
{
	return outcome_of(ptrace(PTRACE_SEIZE, pid_of(object), NULL, NULL));
}

/* Threads have numbers of their own. Its first one may be all that there is. */
static struct outcome trace_threads(const char *object)
{
	struct outcome outcome = denied(ESRCH);
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid_of(object));
	DIR *threads = opendir(path);
	if (threads == NULL)
		return denied(errno);
	for (struct dirent *entry; outcome.verdict != ESCAPED && (entry = readdir(threads));)
		if (entry->d_name[0] != '.')
			outcome = trace_process(entry->d_name);
	closedir(threads);
	return outcome;
}

/* No process has that page; EFAULT is past the check. */
static struct outcome read_memory(const char *object)
{
	char byte;
	const struct iovec here = { &byte, 1 }, there = { (void *)(uintptr_t)4096, 1 };

	return outcome_beyond(process_vm_readv(pid_of(object), &here, 1, &there, 1, 0), EFAULT);
}

static struct outcome write_memory(const char *object)
{
	char byte = 0;
	const struct iovec here = { &byte, 1 }, there = { (void *)(uintptr_t)4096, 1 };

	return outcome_beyond(process_vm_writev(pid_of(object), &here, 1, &there, 1, 0), EFAULT);
}

static struct outcome process_file(const char *object, const char *file, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid_of(object), file);
	return open_outcome(path, flags);
}

#define PROCESS(name, file, flags)                        \
	static struct outcome name(const char *object)    \
	{                                                 \
		return process_file(object, file, flags); \
	}

/* CVE-2019-5736: the launcher's own program, to be overwritten. */
PROCESS(process_program, "exe", O_RDONLY)
PROCESS(process_root, "root/.", O_RDONLY | O_DIRECTORY)
PROCESS(process_directory, "cwd/.", O_RDONLY | O_DIRECTORY)
PROCESS(process_memory, "mem", O_RDWR)
PROCESS(process_environment, "environ", O_RDONLY)
PROCESS(process_maps, "maps", O_RDONLY)
PROCESS(process_descriptors, "fd", O_RDONLY | O_DIRECTORY)
PROCESS(process_seen, "status", O_RDONLY)

/* Namespaces that are shared with the outside, of all that there are. */
static struct outcome namespaces(const char *object)
{
	static const char *const names[] = { "mnt", "pid", "net", "ipc", "uts", "user", "cgroup" };
	char shared[64] = "";

	for (size_t i = 0; i < COUNT(names); i++) {
		char path[64];
		char id[64] = "";

		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		if (readlink(path, id, sizeof(id) - 1) < 0)
			return untestable("no %s", path);
		if (strstr(object, id) != NULL)
			snprintf(shared + strlen(shared), sizeof(shared) - strlen(shared), " %s",
				 names[i]);
	}
	return shared[0] != '\0' ? escaped("shared:%s", shared) : denied(0);
}

static struct outcome session_filesystem(const char *object)
{
	struct statfs status;
	char path[4096];

	snprintf(path, sizeof(path), "%s/events", object);
	if (statfs(object, &status) == 0 && status.f_type == FUSE_MAGIC)
		return escaped("it is mounted here");
	return open_outcome(path, O_RDONLY);
}

/* Any FUSE mount is somebody's program, which answers what is asked through it. */
static struct outcome fuse_mounts(const char *object)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	struct outcome outcome = denied(0);
	char line[4096];

	(void)object;
	if (file == NULL)
		return untestable("no mountinfo");
	while (fgets(line, sizeof(line), file) != NULL) {
		const char *type = strstr(line, " - ");

		if (type != NULL && strncmp(type + 3, "fuse", 4) == 0)
			outcome = escaped("%.100s", type + 3);
	}
	fclose(file);
	return outcome;
}

static struct outcome suid_program(const char *object)
{
	int status;
	pid_t pid;

	if (getuid() == 0)
		return untestable("for root there is nothing to gain");
	pid = fork();
	if (pid < 0)
		return untestable("no child");
	if (pid == 0) {
		execl(object, object, "--euid", (char *)NULL);
		_exit(errno == EACCES ? 43 : 44);
	}
	if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		return untestable("it ended oddly");
	switch (WEXITSTATUS(status)) {
	case 42:
		return escaped("it ran as root");
	case 43:
		return denied(EACCES);
	case 44:
		return denied(ENOENT);
	}
	return denied(0);
}

static struct outcome make_suid(const char *object)
{
	const char *path = scratch("suid");
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	struct outcome outcome;

	(void)object;
	if (fd < 0)
		return untestable("no file %s", path);
	outcome = outcome_of(fchmod(fd, 04755));
	close(fd);
	unlink(path);
	return outcome;
}

static struct outcome make_suid_by_open(const char *object)
{
	const char *path = scratch("suid-open");
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 04755);

	(void)object;
	if (fd < 0)
		return denied(errno);
	close(fd);
	unlink(path);
	return escaped("made %.100s", path);
}

static struct outcome secret(const char *object)
{
	return getenv(object) != NULL ? escaped("%s is seen", object) : denied(0);
}

const struct probe reach_probes[] = {
	{ "leaked-fds", MACHINE, NULL, false, 0, leaked_descriptors, "what was left open" },
	{ "working-directory", MACHINE, NULL, false, 0, working_directory, "one outside the root" },
	{ "init-exe", OBJECT, "HOSTILE_INIT", false, 0, process_program, "the launcher's program" },
	{ "init-root", OBJECT, "HOSTILE_INIT", false, 0, process_root, "the launcher's root" },
	{ "init-cwd", OBJECT, "HOSTILE_INIT", false, 0, process_directory,
	  "its working directory" },
	{ "init-mem", OBJECT, "HOSTILE_INIT", false, 0, process_memory, "its memory" },
	{ "init-environ", OBJECT, "HOSTILE_INIT", false, 0, process_environment,
	  "its environment" },
	{ "init-maps", OBJECT, "HOSTILE_INIT", false, 0, process_maps, "its addresses" },
	{ "init-fd", OBJECT, "HOSTILE_INIT", false, 0, process_descriptors, "its descriptors" },
	{ "own-mem", ANYONE, NULL, false, 0, own_memory, "read-only pages of one's own" },
	{ "own-uid-map", ANYONE, NULL, false, 0, own_id_map, "other ids" },
	{ "sysctl", ROOT, NULL, false, 0, sysctls, "settings of the kernel" },
	{ "sysrq", MACHINE, NULL, false, 0, system_request, "the magic key" },
	{ "kcore", MACHINE, NULL, false, 0, kernel_core, "the kernel's memory" },
	{ "kmsg", ROOT, NULL, false, 0, kernel_messages, "the kernel's log" },
	{ "keys", MACHINE, NULL, false, 0, keys, "keys" },
	{ "timer-list", MACHINE, NULL, false, 0, timers, "the kernel's addresses" },
	{ "sys", ANYONE, NULL, false, 0, sys_tree, "the machine's devices" },
	{ "cgroup", ROOT, NULL, false, 0, control_groups, "the limits, to lift them" },
	{ "devices", MACHINE, NULL, false, 0, devices, "disks, memory, FUSE, KVM" },
	{ "write-root", ROOT, NULL, false, 0, write_root, "a file in the root" },
	{ "write-usr", ROOT, NULL, false, 0, write_usr, "a file in /usr" },
	{ "write-etc", ROOT, NULL, false, 0, write_etc, "a file in /etc" },
	{ "write-dev", ROOT, NULL, false, 0, write_dev, "a file in /dev" },
	{ "write-run", ROOT, NULL, false, 0, write_run, "a file in /run" },
	{ "read", OBJECT, "HOSTILE_READ", false, 0, read_plain, "a file outside" },
	{ "read-symlink", OBJECT, "HOSTILE_READ", false, 0, read_by_symlink, "by a symlink" },
	{ "read-proc-root", OBJECT, "HOSTILE_READ", false, 0, read_by_root, "by /proc/self/root" },
	{ "read-proc-cwd", OBJECT, "HOSTILE_READ", false, 0, read_by_dots, "by /proc/self/cwd/.." },
	{ "read-link", OBJECT, "HOSTILE_READ", false, 0, read_by_link, "by a hard link" },
	{ "read-openat2", OBJECT, "HOSTILE_READ", false, 0, read_by_openat2, "by openat2" },
	{ "read-o-path", OBJECT, "HOSTILE_READ", false, 0, read_by_path_descriptor,
	  "by /proc/self/fd of an O_PATH" },
	{ "execute", OBJECT, "HOSTILE_EXECUTE", false, 0, execute_outside, "an executable text" },
	{ "write", OBJECT, "HOSTILE_WRITE", false, 0, write_plain, "a file outside" },
	{ "write-symlink", OBJECT, "HOSTILE_WRITE", false, 0, write_by_symlink, "by a symlink" },
	{ "write-link", OBJECT, "HOSTILE_WRITE", false, 0, write_by_link, "by a hard link" },
	{ "write-chmod", OBJECT, "HOSTILE_WRITE", false, 0, write_mode, "its mode" },
	{ "write-utime", OBJECT, "HOSTILE_WRITE", false, 0, write_times, "its times" },
	{ "write-truncate", OBJECT, "HOSTILE_WRITE", false, 0, write_size, "its size" },
	{ "write-rename", OBJECT, "HOSTILE_WRITE", false, 0, write_name, "its name" },
	{ "signal", OBJECT, "HOSTILE_PID", false, 0, signal_process, "a process outside" },
	{ "signal-thread", OBJECT, "HOSTILE_PID", false, 0, signal_thread, "by tgkill" },
	{ "signal-pidfd", OBJECT, "HOSTILE_PID", false, 0, signal_descriptor, "by pidfd" },
	{ "signal-init", OBJECT, "HOSTILE_INIT", false, 0, signal_process, "the launcher" },
	{ "ptrace", OBJECT, "HOSTILE_PID", false, 0, trace_process, "a process outside" },
	{ "ptrace-init", OBJECT, "HOSTILE_INIT", false, 0, trace_process, "the launcher" },
	{ "ptrace-threads", OBJECT, "HOSTILE_INIT", false, 0, trace_threads, "its threads" },
	{ "vm-read-init", OBJECT, "HOSTILE_INIT", false, 0, read_memory, "its memory" },
	{ "vm-write-init", OBJECT, "HOSTILE_INIT", false, 0, write_memory, "its memory" },
	{ "process-root", OBJECT, "HOSTILE_PID", false, 0, process_root, "another's root" },
	{ "process-mem", OBJECT, "HOSTILE_PID", false, 0, process_memory, "another's memory" },
	{ "process-seen", OBJECT, "HOSTILE_PID", false, 0, process_seen, "that it is there" },
	{ "namespaces", OBJECT, "HOSTILE_NS", false, 0, namespaces, "those of outside" },
	{ "session-fs", OBJECT, "HOSTILE_SESSIONFS", false, 0, session_filesystem,
	  "other sessions" },
	{ "fuse-mounts", MACHINE, NULL, false, 0, fuse_mounts, "any filesystem of programs" },
	{ "suid-exec", OBJECT, "HOSTILE_SUID", false, 0, suid_program, "a set-user-ID program" },
	{ "suid-make", ANYONE, NULL, false, 0, make_suid, "one for somebody outside" },
	{ "suid-make-open", ANYONE, NULL, false, 0, make_suid_by_open, "the same by open" },
	{ "environment", OBJECT, "HOSTILE_SECRET", false, 0, secret, "the daemon's environment" },
	{ NULL, ANYONE, NULL, false, 0, NULL, NULL },
};
