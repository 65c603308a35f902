/* SPDX-License-Identifier: MIT */
/*
 * `status`: what is known of a session, and the isolation in force. The latter is read from the
 * kernel's own account of the sandboxed process at the moment of asking, never from what was
 * asked for; where there is no process, there is no isolation to tell of.
 */
#include "status.h"
#include "disk.h"
#include "landlock_floor.h"
#include "machine.h"
#include "overlay.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

const char *status_state_name(enum mimobox_state state)
{
	static const char *const names[] = { "created", "starting", "running", "draining",
					     "exited" };
	return names[state];
}

const char *status_reason_name(enum end_reason reason)
{
	static const char *const names[] = {
		[END_EXIT] = "exit",       [END_SIGNAL] = "signal",   [END_KILL] = "kill",
		[END_TIMEOUT] = "timeout", [END_REMOVED] = "removed", [END_OOM] = "oom",
		[END_LOST] = "lost",       [END_IDLE] = "idle"
	};
	return names[reason];
}

static void print_time(FILE *to, const char *key, const struct timespec *time)
{
	if (time->tv_sec == 0)
		return;
	fprintf(to, "%s ", key);
	units_print_time(to, time);
	fputc('\n', to);
}

static void print_known(FILE *to, const char *key, uint64_t value)
{
	if (value != UINT64_MAX)
		fprintf(to, "%s %" PRIu64 "\n", key, value);
}

void status_usage(const struct mimobox_session *session, struct cgroup_usage *out)
{
	*out = session->usage;
	if (session->state == MIMOBOX_RUNNING) {
		cgroup_usage(session->box->cgroups, session->sandbox.group, out);
		if (out->processes != UINT64_MAX && out->processes >= INIT_THREADS)
			out->processes -= INIT_THREADS;
	} else {
		out->memory = out->processes = 0;
	}
}

static void print_usage(const struct mimobox_session *session, FILE *to)
{
	struct cgroup_usage usage;
	status_usage(session, &usage);
	/* Seconds, as in getrusage(2). */
	if (usage.cpu_ns != UINT64_MAX)
		fprintf(to, "cpu %" PRIu64 ".%06" PRIu64 "\n", usage.cpu_ns / 1000000000,
			usage.cpu_ns % 1000000000 / 1000);
	print_known(to, "memory", usage.memory);
	print_known(to, "memory-peak", usage.memory_peak);
	print_known(to, "processes", usage.processes);
	print_known(to, "oom-kills", usage.oom_kills);
	print_known(to, "refused-forks", usage.refused_forks);
}

/* proc_pid_status(5) fields, and the keys that they have here. */
static const struct {
	const char *field, *key;
} fields[] = {
	{ "Seccomp:", "seccomp" },
	{ "NoNewPrivs:", "no-new-privs" },
	{ "CapEff:", "caps-effective" },
	{ "CapPrm:", "caps-permitted" },
	{ "CapBnd:", "caps-bounding" },
	{ "CapInh:", "caps-inheritable" },
	{ "CapAmb:", "caps-ambient" },
	{ "Uid:", "uid" },
	{ "Gid:", "gid" },
};

/*
 * With `ends last-process` the command may have ended, and its number may be another's by now: it
 * is init's child, and no other process that could have the number is.
 */
static bool is_there(const struct sandbox *sandbox)
{
	char path[64], *line = NULL, state = 'Z';
	size_t room = 0;
	int parent = 0;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)sandbox->pid);
	FILE *from = fopen(path, "re");
	while (from && !parent && getline(&line, &room, from) > 0)
		if (sscanf(line, "State: %c", &state) != 1)
			(void)sscanf(line, "PPid: %d", &parent);
	free(line);
	if (from)
		fclose(from);
	return parent == sandbox->init && state != 'Z';
}

static void print_process(pid_t pid, FILE *to)
{
	char path[64], *line = NULL;
	size_t room = 0;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *from = fopen(path, "re");
	while (from && getline(&line, &room, from) > 0) {
		for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
			size_t length = strlen(fields[i].field);
			if (strncmp(line, fields[i].field, length) != 0)
				continue;
			char *value = line + length + strspn(line + length, " \t");
			value[strcspn(value, "\t\n")] = '\0';
			fprintf(to, "%s %s\n", fields[i].key, value);
		}
	}
	free(line);
	if (from)
		fclose(from);
}

static ssize_t namespace_of(const char *process, const char *name, char *link, size_t size)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%s/ns/%s", process, name);
	ssize_t length = readlink(path, link, size - 1);
	if (length >= 0)
		link[length] = '\0';
	return length;
}

/* Those that it does not share with the daemon. */
static void print_namespaces(pid_t pid, FILE *to)
{
	static const char *const names[] = { "user", "mnt", "pid", "ipc", "uts", "cgroup", "net" };
	char process[16], theirs[64], ours[64];
	snprintf(process, sizeof(process), "%d", (int)pid);
	fputs("namespaces", to);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (namespace_of(process, names[i], theirs, sizeof(theirs)) > 0 &&
		    namespace_of("self", names[i], ours, sizeof(ours)) > 0 &&
		    strcmp(theirs, ours) != 0)
			fprintf(to, " %s", names[i]);
	fputc('\n', to);
}

static void print_core_socket(FILE *to)
{
	char path[128];
	if (machine_core_socket(path, sizeof(path)))
		fprintf(to, "core-socket %s\n", path);
}

static void print_stream(const struct mimobox_session *session, enum mimobox_stream which,
			 const char *name, FILE *to)
{
	const struct stream *stream = &session->streams[which];
	fprintf(to, "%s-start %" PRIu64 "\n", name, stream->output.spool.start);
	fprintf(to, "%s-end %" PRIu64 "\n", name, stream->output.spool.end);
	fprintf(to, "%s-paused %s\n", name, stream->paused ? "yes" : "no");
}

/* Where what is changed in them is kept. */
static void print_overlays(const struct mimobox_session *session, FILE *to)
{
	unsigned count = access_overlays(&session->config.access);
	if (count && session->workspace)
		fprintf(to, "overlays %u\nchanges-directory %s" OVERLAY_SUFFIX "\n", count,
			session->workspace);
}

static void print_disk(const struct mimobox_session *session, FILE *to)
{
	uint64_t size, left;
	if (session->config.disk != UNITS_NONE && !session->config.in && session->workspace &&
	    disk_read(session->workspace, &size, &left) == 0)
		fprintf(to, "disk %" PRIu64 "\ndisk-left %" PRIu64 "\n", size, left);
}

static void print_answers(const struct mimobox_session *session, FILE *to)
{
	static const char *const whose[] = {
		[REPLIES_AUTO] = "session",
		[REPLIES_ALWAYS] = "always",
		[REPLIES_NEVER] = "nothing",
	};
	if (session->replies.attached)
		fprintf(to, "answers attached %" PRIu64 "\n", session->replies.from);
	else
		fprintf(to, "answers %s\n", whose[session->config.replies]);
}

/* How many the kernel does not end. */
static void print_stuck(const struct mimobox_session *session, FILE *to)
{
	struct cgroup_usage usage;
	cgroup_usage(session->box->cgroups, session->sandbox.group, &usage);
	if (usage.processes == UINT64_MAX)
		fputs("stuck yes\n", to);
	else
		fprintf(to, "stuck %" PRIu64 "\n", usage.processes);
}

void mimobox_session_print_status(struct mimobox_session *session, FILE *to)
{
	if (session->state == MIMOBOX_EXITED)
		session_account(session);
	fprintf(to, "state %s\n", status_state_name(session->state));
	if (session->failure[0])
		fprintf(to, "start-failed %s\n", session->failure);
	bool command = session->state == MIMOBOX_RUNNING && is_there(&session->sandbox);
	if (command)
		fprintf(to, "pid %d\n", (int)session->sandbox.pid);
	print_time(to, "created", &session->created);
	print_time(to, "started", &session->started);
	print_time(to, "ended", &session->ended);
	if (session->state == MIMOBOX_EXITED) {
		if (session->started.tv_sec)
			fprintf(to, "exit %d\n", session->status);
		fprintf(to, "reason %s\n", status_reason_name(session->reason));
	}
	if (session->state == MIMOBOX_RUNNING && session->config.idle_timeout_ns != UNITS_NONE) {
		uint64_t idle = loop_now() - idle_since(session);
		fprintf(to, "idle %" PRIu64 ".%06" PRIu64 "\n", idle / 1000000000,
			idle % 1000000000 / 1000);
	}
	print_stream(session, MIMOBOX_STDOUT, "output", to);
	if (!session->config.terminal)
		print_stream(session, MIMOBOX_STDERR, "stderr", to);
	fprintf(to, "readers %u\n", session->streams[MIMOBOX_STDOUT].output.reader_count);
	if (session->config.terminal)
		print_answers(session, to);
	if (session->stuck)
		print_stuck(session, to);
	if (session->box->unlimited[0])
		fprintf(to, "unlimited %s\n", session->box->unlimited);
	/* Another's sandbox is what it uses, while it does. */
	if (session->started.tv_sec && (!session->config.in || session->state == MIMOBOX_RUNNING))
		print_usage(session, to);
	if (session->started.tv_sec) {
		print_overlays(session, to);
		print_disk(session, to);
	}
	network_print_status(session, to);
	if (command) {
		print_process(session->sandbox.pid, to);
		fprintf(to, "ptrace %s\n", session->config.access.ptrace ? "yes" : "no");
		print_namespaces(session->sandbox.pid, to);
		print_core_socket(to);
		/* The kernel doesn't tell; but no command was ever exec'd without what was asked
		 * for.
		 */
		landlock_print(&session->config.access, session->landlock_abi, to);
	}
}

/* Nobody's start waits for this; so the list will do, and no count is kept for each. */
static void print_stats_of_one(const struct mimobox *box, uid_t uid, FILE *to)
{
	unsigned sessions = 0, running = 0;
	for (const struct mimobox_session *session = box->first; session; session = session->next) {
		if (session->uid != uid)
			continue;
		sessions++;
		running += session->state == MIMOBOX_STARTING ||
			   session->state == MIMOBOX_RUNNING || session->state == MIMOBOX_DRAINING;
	}
	fprintf(to, "sessions %u\nrunning %u\n", sessions, running);
}

void mimobox_print_stats(const struct mimobox *box, uid_t uid, FILE *to)
{
	const struct stats *stats = &box->stats;
	if (uid != 0 && uid != geteuid()) {
		print_stats_of_one(box, uid, to);
		return;
	}
	fprintf(to, "sessions %u\n", box->count);
	fprintf(to, "running %u\n", box->live);
	fprintf(to, "starts %" PRIu64 "\n", stats->starts);
	fprintf(to, "failed-starts %" PRIu64 "\n", stats->failed_starts);
	fprintf(to, "pool-ready %u\n", pool_ready(box->pool));
	fprintf(to, "pool-hits %" PRIu64 "\n", stats->pool_hits);
	fprintf(to, "pool-misses %" PRIu64 "\n", stats->pool_misses);
	fprintf(to, "bytes-in %" PRIu64 "\n", stats->bytes_in);
	fprintf(to, "bytes-out %" PRIu64 "\n", stats->bytes_out);
	fprintf(to, "network-connections %" PRIu64 "\n", stats->network.connections);
	fprintf(to, "network-sent %" PRIu64 "\n", stats->network.sent);
	fprintf(to, "network-received %" PRIu64 "\n", stats->network.received);
	fprintf(to, "network-refused %" PRIu64 "\n", stats->network.refused);
	/* Seconds, as all times are. */
	fprintf(to, "start-latency-p50 %.6f\n", 1e-9 * (double)stats_latency(stats, 50));
	fprintf(to, "start-latency-p99 %.6f\n", 1e-9 * (double)stats_latency(stats, 99));
}

int mimobox_disk(const struct mimobox *box, struct statvfs *out)
{
	struct statvfs disk;
	if (statvfs(box->spool_dir, &disk) < 0)
		return -errno;
	out->f_frsize = disk.f_frsize;
	out->f_blocks = disk.f_blocks;
	out->f_bfree = disk.f_bfree;
	out->f_bavail = disk.f_bavail;
	return 0;
}

void mimobox_session_print_config(const struct mimobox_session *session, FILE *to)
{
	config_print_whole(&session->config, to);
}

void mimobox_session_print_log(struct mimobox_session *session, FILE *to)
{
	if (session->state == MIMOBOX_EXITED)
		session_account(session);
	journal_print(&session->journal, to);
}

void mimobox_session_log_range(struct mimobox_session *session, uint64_t *start, uint64_t *end)
{
	if (session->state == MIMOBOX_EXITED)
		session_account(session);
	*start = session->journal.base;
	*end = *start + session->journal.size;
}

ssize_t mimobox_session_log_read(struct mimobox_session *session, void *data, size_t size,
				 uint64_t offset)
{
	if (session->state == MIMOBOX_EXITED)
		session_account(session);
	return journal_read(&session->journal, data, size, offset);
}

void mimobox_session_print_size(const struct mimobox_session *session, FILE *to)
{
	fprintf(to, "%u %u\n", session->rows, session->cols);
}
