/* SPDX-License-Identifier: MIT */
/*
 * From a name on the command line to a mounted filesystem, and one clear line where that fails.
 *
 * What is on the mount point is read from /proc/self/mountinfo, since looking at the name itself
 * could hang in, or fail with, whatever is mounted there. A mount of our own type whose server
 * has died (ENOTCONN) is detached; a live one is left alone; anything else is mounted over.
 *
 * libfuse and fusermount3 write their complaints to standard error, several lines at times. It is
 * caught in a memory file while they run, and its last line goes into ours.
 */
#include "mount.h"

#include "kept.h"
#include "ops.h"
#include "options.h"
#include "report.h"
#include "server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <keep.h>
#include <machine.h>
#include <mountinfo.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define TYPE "mimoboxfs"

enum { SOCKETS_MAX = 64 };

/* What was written to standard error while it is caught. */
struct catch
{
	int fd, saved;
	char line[512];
};

static void catch_begin(struct catch *catch, bool trace)
{
	catch->line[0] = '\0';
	catch->saved = -1;
	catch->fd = trace ? -1 : memfd_create("stderr", MFD_CLOEXEC);
	if (catch->fd < 0)
		return;
	catch->saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (catch->saved >= 0)
		dup2(catch->fd, STDERR_FILENO);
}

/* Leaves the last line, without what libfuse begins it with, in `line`. */
static void catch_end(struct catch *catch)
{
	if (catch->saved >= 0) {
		dup2(catch->saved, STDERR_FILENO);
		close(catch->saved);
	}
	if (catch->fd < 0)
		return;
	char text[sizeof(catch->line)];
	off_t end = lseek(catch->fd, 0, SEEK_END);
	off_t from = end >= (off_t)sizeof(text) ? end - (off_t)sizeof(text) + 1 : 0;
	ssize_t size = pread(catch->fd, text, sizeof(text) - 1, from);
	close(catch->fd);
	while (size > 0 && text[size - 1] == '\n')
		size--;
	if (size <= 0)
		return;
	text[size] = '\0';
	const char *line = strrchr(text, '\n');
	line = line ? line + 1 : text;
	if (strncmp(line, "fuse: ", 6) == 0)
		line += 6;
	memcpy(catch->line, line, strlen(line) + 1);
}

/* The user's options come after ours and win, but for what is never of use here. */
static int add_options(struct fuse_args *args, const struct options *options)
{
	int error = fuse_opt_add_arg(args, TYPE);
	if (options->trace)
		error |= fuse_opt_add_arg(args, "-d");
	error |= fuse_opt_add_arg(args, "-ofsname=" TYPE ",subtype=" TYPE ",default_permissions");
	if (geteuid() == 0)
		error |= fuse_opt_add_arg(args, "-oallow_other");
	if (options->mount) {
		error |= fuse_opt_add_arg(args, "-o");
		error |= fuse_opt_add_arg(args, options->mount);
	}
	return error | fuse_opt_add_arg(args, "-onosuid,nodev,noexec");
}

int mount_check_options(struct server *server, const struct options *options)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct catch catch;
	catch_begin(&catch, options->trace);
	if (add_options(&args, options) == 0)
		server->fuse = fuse_session_new(&args, &ops, sizeof(ops), server);
	catch_end(&catch);
	fuse_opt_free_args(&args);
	if (server->fuse)
		return 0;
	report("%s; see mimoboxfs --help", catch.line[0] ? catch.line : "wrong mount option");
	return STATUS_OPTION;
}

int mount_try_device(char *why, size_t size)
{
	char advice[512];
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		close(fd);
		return 0;
	}
	int error = -errno;
	if (!machine_refuses(error)) {
		snprintf(why, size, "cannot open /dev/fuse: %s", strerror(-error));
		return STATUS_AGAIN;
	}
	machine_advise_device(error, advice, sizeof(advice));
	snprintf(why, size, "cannot open /dev/fuse: %s; %s", strerror(-error), advice);
	return STATUS_LACKS;
}

static int check_device(void)
{
	char why[WHY_MAX];
	int status = mount_try_device(why, sizeof(why));
	if (status)
		report("%s", why);
	return status;
}

/* The mount point may be missing, or dead: then its parent must be there. NULL and errno. */
static char *absolute_path(const char *name)
{
	char *path = realpath(name, NULL);
	if (path || (errno != ENOENT && errno != ENOTCONN))
		return path;
	int error = errno;
	char *copy = strdup(name);
	if (!copy)
		return NULL;
	size_t size = strlen(copy);
	while (size > 1 && copy[size - 1] == '/')
		copy[--size] = '\0';
	char *slash = strrchr(copy, '/');
	const char *last = slash ? slash + 1 : copy;
	const char *parent = slash == copy ? "/" : slash ? copy : ".";
	if (slash)
		*slash = '\0';
	char *base = NULL;
	if (strcmp(last, "..") != 0 && strcmp(last, ".") != 0 && *last)
		base = realpath(*parent ? parent : "/", NULL);
	else
		errno = error;
	error = errno;
	if (base && asprintf(&path, "%s/%s", strcmp(base, "/") == 0 ? "" : base, last) < 0)
		path = NULL;
	free(base);
	free(copy);
	errno = error;
	return path;
}

struct search {
	const char *path;
	bool ours;
};

static int look_at(const struct mountinfo *mount, void *data)
{
	struct search *search = data;
	if (!mount->place_cut && strcmp(mount->place, search->path) == 0)
		search->ours = strcmp(mount->type, "fuse." TYPE) == 0;
	return 0;
}

/* Whether the topmost mount at `path` is of our type. */
static bool is_ours(const char *path)
{
	struct search search = { path, false };
	return mountinfo_read_own(look_at, &search) == 0 && search.ours;
}

bool mount_is_there(const char *mountpoint)
{
	char *path = absolute_path(mountpoint);
	bool there = path && is_ours(path);
	free(path);
	return there;
}

static int run_fusermount(const char *path)
{
	pid_t child = fork();
	if (child == 0) {
		execlp("fusermount3", "fusermount3", "-u", "-q", "-z", "--", path, (char *)NULL);
		_exit(127);
	}
	int status;
	if (child < 0)
		return -errno;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPERM;
}

static int detach(const char *path)
{
	if (umount2(path, MNT_DETACH) == 0)
		return 0;
	return geteuid() == 0 ? -errno : run_fusermount(path);
}

/* One dead mount may be on top of another. */
static int clear_dead_mounts(const char *path)
{
	for (int i = 0; i < 16 && is_ours(path); i++) {
		struct statfs answer; /* stat() may be answered without the server */
		if (statfs(path, &answer) == 0 || errno != ENOTCONN) {
			report("%s has a mimoboxfs already; end it with: fusermount3 -u %s", path,
			       path);
			return STATUS_AGAIN;
		}
		int error = detach(path);
		if (error < 0) {
			report("cannot detach the dead mimoboxfs at %s: %s", path,
			       strerror(-error));
			return STATUS_AGAIN;
		}
	}
	return 0;
}

/* That one, and none that somebody has put there since. */
static void detach_opened(int fd, const char *path)
{
	char name[32];
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	if (umount2(name, MNT_DETACH) < 0 && geteuid() != 0)
		run_fusermount(path);
}

void mount_detach_cut(const char *path)
{
	struct statfs answer;
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	/*
	 * ECONNABORTED: the connection was cut while this waited for an answer. ECONNREFUSED: it is
	 * being cut, and the kernel did not get the answer to its first request.
	 */
	if (fd >= 0 && fstatfs(fd, &answer) < 0 &&
	    (errno == ENOTCONN || errno == ECONNABORTED || errno == ECONNREFUSED))
		detach_opened(fd, path);
	if (fd >= 0)
		close(fd);
}

void mount_detach_dead(const char *path)
{
	if (is_ours(path))
		mount_detach_cut(path);
}

int mount_check_machine(struct mount *mount, const char *mountpoint)
{
	mount->path = absolute_path(mountpoint);
	if (!mount->path) {
		report("cannot use %s as a mount point: %s", mountpoint, strerror(errno));
		return STATUS_AGAIN;
	}
	int status = clear_dead_mounts(mount->path);
	if (status)
		return status;
	struct stat there;
	if (stat(mount->path, &there) < 0) {
		if (errno != ENOENT) {
			report("cannot use %s as a mount point: %s", mount->path, strerror(errno));
			return STATUS_AGAIN;
		}
	} else if (!S_ISDIR(there.st_mode)) {
		report("cannot use %s as a mount point: %s", mount->path, strerror(ENOTDIR));
		return STATUS_AGAIN;
	}
	return check_device();
}

/* Sockets among the descriptors from `from` on. */
static unsigned find_sockets(int *found, unsigned most)
{
	DIR *all = opendir("/proc/self/fd");
	struct dirent *entry;
	unsigned count = 0;
	while (all && (entry = readdir(all))) {
		struct stat status;
		int fd = atoi(entry->d_name);
		if (entry->d_name[0] != '.' && fstat(fd, &status) == 0 &&
		    S_ISSOCK(status.st_mode) && count < most)
			found[count++] = fd;
	}
	if (all)
		closedir(all);
	return count;
}

/*
 * With auto_unmount, fusermount3 takes the mount away when a socket is closed that libfuse leaves
 * open, and tells nobody of. The keeper has it as well.
 */
static void keep_unmounter(struct server *server, const int *before, unsigned count)
{
	int now[SOCKETS_MAX];
	unsigned there = find_sockets(now, SOCKETS_MAX);
	for (unsigned i = 0; i < there; i++) {
		bool new = true;
		for (unsigned j = 0; j < count; j++)
			new &= before[j] != now[i];
		if (new)
			keep_store(server->keep, KEPT_MOUNT, &(uint32_t){ KEPT_UNMOUNTER }, &now[i],
				   1);
	}
}

/* libfuse and fusermount3 tell what failed by texts alone. */
static int explain_mount(const char *line, char *why, size_t size)
{
	static const int refusals[] = { EPERM, ENODEV, ENOSYS };
	char advice[512] = "";
	bool lacks_program = strstr(line, "exec fusermount3") != NULL;
	bool refused = lacks_program || strstr(line, "user_allow_other");
	if (lacks_program)
		snprintf(advice, sizeof(advice),
			 "ordinary users mount by fusermount3: install the package fuse3");
	else if (refused)
		snprintf(advice, sizeof(advice),
			 "leave out -o allow_other, or as root: echo user_allow_other >> "
			 "/etc/fuse.conf");
	for (size_t i = 0; !refused && i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		refused = strstr(line, strerror(refusals[i])) != NULL;
		if (refused && refusals[i] == ENODEV)
			snprintf(advice, sizeof(advice), "as root: modprobe fuse");
		else if (refused && geteuid() != 0 && strstr(line, "fusermount3"))
			snprintf(advice, sizeof(advice),
				 "fusermount3 is to be setuid root, and not kept from it: chmod "
				 "u+s /usr/bin/fusermount3");
		else if (refused)
			machine_advise_mount(advice, sizeof(advice));
	}
	snprintf(why, size, "%s%s%s", line[0] ? line : "mount failed", advice[0] ? "; " : "",
		 advice);
	return refused ? STATUS_LACKS : STATUS_AGAIN;
}

/* 0, or a status, and why. */
static int attach(struct fuse_session *fuse, const char *path, bool trace, char *why, size_t size)
{
	struct catch catch;
	catch_begin(&catch, trace);
	int error = fuse_session_mount(fuse, path);
	catch_end(&catch);
	return error == 0 ? 0 : explain_mount(catch.line, why, size);
}

int mount_do(struct mount *mount, struct server *server, const struct options *options)
{
	int sockets[SOCKETS_MAX];
	bool unmounter = server->keep && options->mount && strstr(options->mount, "auto_unmount");
	unsigned count = unmounter ? find_sockets(sockets, SOCKETS_MAX) : 0;
	if (mkdir(mount->path, 0755) == 0) {
		mount->made = true;
	} else if (errno != EEXIST) {
		report("cannot make the mount point %s: %s", mount->path, strerror(errno));
		return STATUS_AGAIN;
	}
	char why[WHY_MAX];
	int status = attach(server->fuse, mount->path, options->trace, why, sizeof(why));
	if (status == 0 && unmounter)
		keep_unmounter(server, sockets, count);
	if (status == 0)
		return 0;
	report("cannot mount on %s: %s", mount->path, why);
	if (mount->made)
		rmdir(mount->path);
	return status;
}

int mount_try(char *why, size_t size)
{
	char path[] = "/tmp/mimoboxfs-XXXXXX";
	struct server server = { 0 };
	const struct options none = { 0 };
	if (!mkdtemp(path)) {
		snprintf(why, size, "cannot make %s: %s", path, strerror(errno));
		return STATUS_AGAIN;
	}
	int status = mount_check_options(&server, &none);
	/* Where it cannot, nor will it mount. */
	if (status == 0 && geteuid() == 0 && unshare(CLONE_NEWNS) == 0)
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	if (status == 0)
		status = attach(server.fuse, path, false, why, size);
	if (server.fuse && status == 0)
		fuse_session_unmount(server.fuse);
	if (server.fuse)
		fuse_session_destroy(server.fuse);
	rmdir(path);
	return status;
}

void mount_finish(struct mount *mount)
{
	free(mount->path);
	*mount = (struct mount){ 0 };
}
