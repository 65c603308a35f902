/* SPDX-License-Identifier: MIT */
/*
 * What each peer needs around it is made once, ahead: the time is the peer's own. That is a
 * tmux server, a socket's directory, the filter, and an OCI bundle in a mount namespace where no
 * cgroup2 is mounted beside cgroup v1, which crun does not take.
 */
#include "bench_peer.h"

#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BWRAP "bwrap", "--unshare-all", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"
#define UNSHARE "unshare", "-Urmpuinf", "--mount-proc"
#define TMUX "tmux", "-S", "tmux.sock", "-f", "/dev/null"
#define PRINT "/usr/bin/printf", "!"

enum { RUN_SECONDS = 20, FILTER_FD = 9 };

const struct peer peers_of_true[] = {
	{ "fork, exec, wait", { "/bin/true" }, 0 },
	{ "posix_spawn, wait", { "/bin/true" }, PEER_VFORK },
	{ "script", { "script", "-qc", "/bin/true", "/dev/null" }, 0 },
	{ "dtach -A", { "dtach", "-A", "dtach.sock", "-E", "-z", "/bin/true" }, PEER_PTY },
	{ "unshare, all but cgroup", { UNSHARE, "/bin/true" }, 0 },
	{ "bwrap --unshare-all", { BWRAP, "/bin/true" }, 0 },
	{ "bwrap, with our filter", { BWRAP, "--seccomp", "9", "/bin/true" }, PEER_FILTER },
	{ "tmux, server running",
	  { TMUX, "new-session", "-d", "/bin/true", ";", "wait-for", "ended" },
	  PEER_TMUX },
	{ "tmux, server too",
	  { "tmux", "-S", "tmux2.sock", "-f", "/dev/null", "new-session", "-d",
	    "/bin/true; exec tmux -S tmux2.sock wait-for -S x", ";", "wait-for", "x" },
	  0 },
	{ "crun run", { "crun", "--root", "../crun", "run", "true" }, PEER_BUNDLE },
	{ "firejail --noprofile", { "firejail", "--quiet", "--noprofile", "/bin/true" }, 0 },
	{ "firejail", { "firejail", "--quiet", "/bin/true" }, 0 },
	{ 0 },
};

const struct peer peers_of_output[] = {
	{ "fork, exec, on a terminal", { PRINT }, PEER_PTY },
	{ "fork, exec, on a pipe", { PRINT }, 0 },
	{ "script", { "script", "-qc", "/usr/bin/printf '!'", "/dev/null" }, 0 },
	{ "dtach -A", { "dtach", "-A", "dtach.sock", "-E", "-z", PRINT }, PEER_PTY },
	{ "unshare, on a terminal", { UNSHARE, PRINT }, PEER_PTY },
	{ "bwrap, on a terminal", { BWRAP, PRINT }, PEER_PTY },
	{ "bwrap, our filter, on a terminal",
	  { BWRAP, "--seccomp", "9", PRINT },
	  PEER_PTY | PEER_FILTER },
	{ "crun, on a terminal",
	  { "crun", "--root", "../crun", "run", "-f", "print.json", "print" },
	  PEER_PTY | PEER_BUNDLE },
	{ "firejail, no profile, on a terminal",
	  { "firejail", "--quiet", "--noprofile", PRINT },
	  PEER_PTY },
	{ 0 },
};

static struct {
	int filter, bundle; /* descriptors: the program's code, the mount namespace */
	char filter_why[PEER_WHY], bundle_why[PEER_WHY], tmux_why[PEER_WHY];
	pid_t owner;
} at = { .filter = -1, .bundle = -1 };

static void interrupt(int number)
{
	(void)number; /* so that what waits is told EINTR */
}

/* What they need */

static void prepare_filter(void)
{
	int fd = memfd_create("filter", MFD_CLOEXEC), status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		dup2(fd, STDOUT_FILENO);
		execlp(getenv("MIMOBOXFS"), "mimoboxfs", "--dump-seccomp", "essential",
		       (char *)NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	if (status == 0)
		at.filter = fd;
	else
		snprintf(at.filter_why, PEER_WHY, "mimoboxfs --dump-seccomp: status %d", status);
}

static void write_bundle(const char *name, const char *args)
{
	FILE *file = fopen(path("bundle/%s", name), "we");

	if (!file)
		give_up("bundle");
	fprintf(file,
		"{\"ociVersion\":\"1.0.0\",\"process\":{\"terminal\":false,\"user\":{\"uid\":0,"
		"\"gid\":0},\"args\":%s,\"env\":[\"PATH=/usr/bin:/bin\"],\"cwd\":\"/\","
		"\"noNewPrivileges\":true},\"root\":{\"path\":\"rootfs\",\"readonly\":true},"
		"\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
		"{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":"
		"[\"nosuid\",\"mode=755\"]},{\"destination\":\"/dev/pts\",\"type\":\"devpts\","
		"\"source\":\"devpts\",\"options\":[\"newinstance\",\"ptmxmode=0666\"]}],"
		"\"linux\":{\"resources\":{\"memory\":{\"limit\":536870912},\"pids\":{\"limit\":"
		"128}},\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":"
		"\"ipc\"},{\"type\":\"uts\"},{\"type\":\"mount\"}]}}\n",
		args);
	fclose(file);
}

/* A process that has made the namespace says so with a byte, or with an errno. */
static _Noreturn void make_namespace(int answer)
{
	unsigned char error = 0;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("/", path("bundle/rootfs"), NULL, MS_BIND, NULL) < 0)
		error = (unsigned char)errno;
	/* With v2 alone there is none. */
	umount2("/sys/fs/cgroup/unified", MNT_DETACH);
	if (write(answer, &error, 1) == 1)
		for (;;)
			pause();
	_exit(1);
}

static void prepare_bundle(void)
{
	unsigned char error = EIO;
	int ends[2];
	char name[64];
	pid_t pid;

	if (mkdir(path("bundle"), 0755) < 0 || mkdir(path("bundle/rootfs"), 0755) < 0 ||
	    pipe2(ends, O_CLOEXEC) < 0)
		give_up("bundle");
	write_bundle("config.json", "[\"/bin/true\"]");
	write_bundle("print.json", "[\"/usr/bin/printf\",\"!\"]");
	pid = fork();
	if (pid == 0)
		make_namespace(ends[1]);
	close(ends[1]);
	snprintf(name, sizeof(name), "/proc/%d/ns/mnt", pid);
	if (read(ends[0], &error, 1) == 1 && error == 0)
		at.bundle = open(name, O_RDONLY | O_CLOEXEC);
	else
		snprintf(at.bundle_why, PEER_WHY, "mount namespace: %s", strerror(error));
	close(ends[0]);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Its only session is there so that the server stays. */
static void prepare_tmux(void)
{
	int status = system("tmux -S tmux.sock -f /dev/null new-session -d 'sleep 1000' \\; "
			    "set-hook -g session-closed 'wait-for -S ended' 2>/dev/null");

	if (status != 0)
		snprintf(at.tmux_why, PEER_WHY, "tmux new-session: status %d", status);
}

static void finish(void)
{
	if (getpid() == at.owner)
		peers_finish();
}

void peers_prepare(void)
{
	/* Without SA_RESTART. */
	struct sigaction action = { .sa_handler = interrupt };

	if (chdir(path(".")) < 0)
		give_up("chdir");
	sigaction(SIGALRM, &action, NULL);
	at.owner = getpid();
	atexit(finish);
	prepare_filter();
	prepare_bundle();
	prepare_tmux();
}

void peers_finish(void)
{
	if (at.owner == 0)
		return;
	at.owner = 0;
	if (!at.tmux_why[0] && system("tmux -S tmux.sock kill-server 2>/dev/null") != 0)
		fprintf(stderr, "tmux: kill-server failed\n");
	unlink(path("tmux.sock"));
	unlink(path("tmux2.sock"));
	unlink(path("dtach.sock"));
	unlink(path("bundle/config.json"));
	unlink(path("bundle/print.json"));
	rmdir(path("bundle/rootfs"));
	rmdir(path("bundle"));
	rmdir(path("crun"));
	if (at.filter >= 0)
		close(at.filter);
	if (at.bundle >= 0)
		close(at.bundle);
	if (chdir("/") < 0)
		give_up("/");
}

/* A run */

static const char *lacks(const struct peer *peer)
{
	if ((peer->needs & PEER_FILTER) && at.filter < 0)
		return at.filter_why;
	if ((peer->needs & PEER_BUNDLE) && at.bundle < 0)
		return at.bundle_why;
	if ((peer->needs & PEER_TMUX) && at.tmux_why[0])
		return at.tmux_why;
	return NULL;
}

static _Noreturn void become(const struct peer *peer, int output)
{
	int null = open("/dev/null", O_RDWR);

	if (!(peer->needs & PEER_PTY)) {
		dup2(null, STDIN_FILENO);
		dup2(output >= 0 ? output : null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
	}
	if (peer->needs & PEER_FILTER) {
		lseek(at.filter, 0, SEEK_SET);
		dup2(at.filter, FILTER_FD);
	}
	if ((peer->needs & PEER_BUNDLE) &&
	    (setns(at.bundle, CLONE_NEWNS) < 0 || chdir(path("bundle")) < 0))
		_exit(126);
	close(null > STDERR_FILENO ? null : -1);
	execvp(peer->argv[0], (char *const *)peer->argv);
	_exit(127);
}

static pid_t launch(const struct peer *peer, bool read_it, int *from)
{
	int ends[2] = { -1, -1 };
	pid_t pid;

	*from = -1;
	if (peer->needs & PEER_VFORK)
		return posix_spawnp(&pid, peer->argv[0], NULL, NULL, (char *const *)peer->argv,
				    environ) == 0
			       ? pid
			       : -1;
	if (peer->needs & PEER_PTY) {
		pid = forkpty(from, NULL, NULL, NULL);
	} else {
		if (read_it && pipe2(ends, O_CLOEXEC) < 0)
			return -1;
		pid = fork();
	}
	if (pid == 0)
		become(peer, ends[1]);
	if (ends[1] >= 0) {
		close(ends[1]);
		*from = ends[0];
	}
	return pid;
}

/* To the end of its output. Whether what it should print was among it. */
static bool drain(int fd, const char *printed, struct life *life)
{
	char data[4096];
	size_t size = 0;
	ssize_t count;

	while ((count = read(fd, data + size, sizeof(data) - 1 - size)) > 0) {
		size += (size_t)count;
		data[size] = '\0';
		if (printed && life->byte == 0 && memmem(data, size, printed, strlen(printed)))
			life->byte = now();
		if (size == sizeof(data) - 1)
			size = 0;
	}
	return !printed || life->byte != 0;
}

static int say(char *why, const char *what, int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		snprintf(why, PEER_WHY, "%s is not installed", what);
	else if (WIFSIGNALED(status))
		snprintf(why, PEER_WHY, "%s: signal %d", what, WTERMSIG(status));
	else
		snprintf(why, PEER_WHY, "%s: exit status %d", what, WEXITSTATUS(status));
	return -1;
}

int peer_run(const struct peer *peer, const char *printed, struct life *life,
	     unsigned long *peak_kib, char *why)
{
	struct rusage usage;
	int from, status = 0;
	bool whole = true;
	pid_t pid;

	if (lacks(peer)) {
		snprintf(why, PEER_WHY, "%s", lacks(peer));
		return -1;
	}
	*life = (struct life){ .begin = now() };
	alarm(RUN_SECONDS);
	pid = launch(peer, printed != NULL, &from);
	if (pid < 0)
		give_up(peer->name);
	if (from >= 0)
		whole = drain(from, printed, life);
	if (wait4(pid, &status, 0, &usage) != pid) {
		kill(pid, SIGKILL);
		wait4(pid, &status, 0, &usage);
	}
	life->exit = now();
	alarm(0);
	if (from >= 0)
		close(from);
	if (status != 0)
		return say(why, peer->argv[0], status);
	*peak_kib = (unsigned long)usage.ru_maxrss;
	if (!whole)
		snprintf(why, PEER_WHY, "%s: its output was lost", peer->argv[0]);
	return whole ? 0 : -1;
}
