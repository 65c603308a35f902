/* SPDX-License-Identifier: MIT */
#include "spawner.h"

#include "confine.h"
#include "disk.h"
#include "mapper.h"
#include "message.h"
#include "quotas.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Networks */

int spawner_raise_loopback(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int error = fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	return error;
}

static int bound_network(const struct spawner *spawner)
{
	const char *what;
	int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0)
		return -errno;
	int error = quotas_bound_network(&spawner->setup->quotas, proc, &what);
	close(proc);
	return error;
}

/* In the quiet after a clone. */
static void make_network(void *context)
{
	struct spawner *spawner = context;
	if (spawner->host < 0 || spawner->fresh || unshare(CLONE_NEWNET) < 0)
		return;
	spawner->away = true;
	spawner->fresh = spawner_raise_loopback() == 0 && bound_network(spawner) == 0;
}

static int begin(void *context)
{
	struct spawner *spawner = context;
	int error = confine_rights(CONFINE_SPAWNER);
	if (error < 0)
		return error;
	if (geteuid() == 0)
		spawner->host = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (signal(SIGCHLD, SIG_IGN) == SIG_ERR) /* no process waits for mappers */
		return -errno;
	quotas_lift();
	quotas_empty_cores();
	make_network(spawner);
	return 0;
}

/* Takes what was made ahead, or says what else to clone with; or -errno. */
static int choose_network(struct spawner *spawner, const struct sandbox_shape *shape,
			  uint64_t *flags)
{
	bool fresh = spawner->fresh && !shape->names; /* what has names is its user namespace's */
	spawner->fresh &= shape->names;
	if (shape->own_network)
		*flags |= fresh ? 0 : CLONE_NEWNET;
	else if (spawner->away && setns(spawner->host, CLONE_NEWNET) < 0)
		return -errno;
	else
		spawner->away = false;
	return 0;
}

/* A clone */

static int open_proc(pid_t pid, const char *file, int flags)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	int fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int write_proc(pid_t pid, const char *file, const char *text)
{
	int fd = open_proc(pid, file, O_WRONLY);
	if (fd < 0)
		return fd;
	int error = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return error;
}

/* user_namespaces(7): one id inside, one outside, no supplementary groups to be had. */
static int give_identity(pid_t pid, const struct sandbox_shape *shape)
{
	char map[64];
	int error = write_proc(pid, "setgroups", "deny");
	if (error < 0)
		return error;
	snprintf(map, sizeof(map), "%d %u 1", SANDBOX_UID, shape->uid);
	error = write_proc(pid, "uid_map", map);
	if (error < 0)
		return error;
	snprintf(map, sizeof(map), "%d %u 1", SANDBOX_GID, shape->gid);
	return write_proc(pid, "gid_map", map);
}

static void tell(int start, enum stage stage, int error, const char *what)
{
	struct start_report report = { .stage = (int32_t)stage, .error = -error };
	snprintf(report.what, sizeof(report.what), "%s", what);
	message_send(start, &report, sizeof(report), NULL, 0, MSG_DONTWAIT);
}

/* What it takes before there is a process: 0, or -errno, and it is told. */
static int prepare(struct spawner *spawner, const struct spawn_request *request, int start)
{
	char what[sizeof(((struct start_report *)0)->what)] = "";
	const struct sysfilter *filter;
	int error = 0;
	if (request->shape.sealed)
		error = sysfilters_get(spawner->setup->filters, &request->shape.filter, &filter,
				       what, sizeof(what));
	if (error < 0) {
		tell(start, STAGE_SECCOMP, error, what);
		return error;
	}
	const char *file = "";
	error = cgroup_create(spawner->cgroups, request->group);
	if (error == 0)
		error = cgroup_limit(spawner->cgroups, request->group, &cgroup_unlimited,
				     &request->limits, &file);
	if (error < 0)
		tell(start, STAGE_CGROUP, error, file);
	else if (spawner->projects && request->workspace[0] &&
		 (error = disk_limit(request->workspace, request->disk)) < 0)
		tell(start, STAGE_LIMITS, error, "disk");
	return error;
}

/* The process waits meanwhile. */
static int admit(const struct spawn_request *request, pid_t pid, int start)
{
	int error = give_identity(pid, &request->shape);
	if (error < 0)
		tell(start, STAGE_IDENTITY, error, "");
	/* A daemon that the OOM killer spares, or prefers, is no reason to do so with its guests.
	 */
	write_proc(pid, "oom_score_adj", "0");
	return error;
}

/* What it takes to clone one. */
struct birth {
	uint64_t flags;
	struct cgroup_entry entry;
	int go[2];  /* the clone's end, and the spawner's */
	int mapper; /* the clone's end; -1: none */
};

static void close_mapper(const struct birth *birth)
{
	if (birth->mapper >= 0)
		close(birth->mapper);
}

static int prepare_birth(struct spawner *spawner, const struct spawn_request *request, int start,
			 struct birth *birth)
{
	*birth = (struct birth){ .flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID |
					  CLONE_NEWIPC | CLONE_NEWUTS | CLONE_PIDFD | CLONE_PARENT |
					  CLONE_CLEAR_SIGHAND,
				 .mapper = -1 };
	const struct sandbox_shape *shape = &request->shape;
	int error = choose_network(spawner, shape, &birth->flags);
	if (error == 0 && shape->mapped)
		error = mapper_start(shape->uid, shape->gid, &birth->mapper);
	if (error < 0)
		return error;
	error = cgroup_entry_open(spawner->cgroups, request->group, &birth->entry);
	if (error < 0) {
		tell(start, STAGE_CGROUP, error, "");
		close_mapper(birth);
		return error;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, birth->go) == 0)
		return 0;
	error = -errno;
	cgroup_entry_close(&birth->entry);
	close_mapper(birth);
	return error;
}

static long give_birth(struct spawner *spawner, const struct spawn_request *request, const int *in,
		       const struct birth *birth, int *pidfd)
{
	const struct cgroup_entry *entry = &birth->entry;
	/* The exit signal is that of this process: clone(2). */
	struct clone_args args = {
		.flags = birth->flags | (entry->directory < 0 ? 0 : CLONE_INTO_CGROUP),
		.pidfd = (uintptr_t)pidfd,
		.cgroup = entry->directory < 0 ? 0 : (uint64_t)entry->directory,
	};
	long pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid != 0)
		return pid < 0 ? -errno : pid;
	close(birth->go[1]);
	init_run(spawner->setup, request,
		 &(struct init_ends){ .start = in[0],
				      .control = in[1],
				      .mapper = birth->mapper,
				      .go = birth->go[0],
				      .entry = entry,
				      .new_network = birth->flags & CLONE_NEWNET });
}

static int clone_init(void *context, const void *message, const int *in, int *out, unsigned *count)
{
	struct spawner *spawner = context;
	const struct spawn_request *request = message;
	struct birth birth;
	int pidfd = -1;
	char byte = 0;
	if (in[0] < 0 || in[1] < 0)
		return -EINVAL;
	int error = prepare(spawner, request, in[0]);
	if (error == 0)
		error = prepare_birth(spawner, request, in[0], &birth);
	if (error < 0)
		return error;
	long pid = give_birth(spawner, request, in, &birth, &pidfd);
	close(birth.go[0]);
	close_mapper(&birth);
	cgroup_entry_close(&birth.entry);
	if (pid > 0) {
		out[(*count)++] = pidfd;
		if (admit(request, (pid_t)pid, in[0]) == 0) {
			out[*count] = open_proc((pid_t)pid, "ns/mnt", O_RDONLY);
			*count += out[*count] >= 0;
			/*
			 * It is of no process group of ours before it is told of: what becomes of
			 * ours when the server is killed (a keeper ends it) is not to befall a
			 * session. Where it has ended instead, it has said why.
			 */
			if (read(birth.go[1], &byte, 1) == 1)
				(void)!write(birth.go[1], &byte, 1);
		}
	}
	close(birth.go[1]); /* where nothing was written, that ends it */
	return (int)pid;
}

void spawner_kind(struct helper_kind *kind, struct spawner *spawner)
{
	*kind = (struct helper_kind){ .title = "mimobox-spawner",
				      .work = clone_init,
				      .begin = begin,
				      .rest = make_network,
				      .context = spawner,
				      .message_size = sizeof(struct spawn_request) };
	kind->kept = cgroups_descriptors(spawner->cgroups, kind->keep);
}
