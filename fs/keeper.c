/* SPDX-License-Identifier: MIT */
#include "keeper.h"

#include "daemon.h"
#include "door.h"
#include "handover.h"
#include "kept.h"
#include "options.h"
#include "replacement.h"
#include "report.h"

#include <errno.h>
#include <keep.h>
#include <loop.h>
#include <machine.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * A server that dies again and again, of what it takes up, say, is given up: so many deaths are
 * forgiven, and one more for each time that it has served. Behind a few, there is a pause before
 * the next: what is wanting may be had again by then.
 */
enum { DEATHS_MAX = 16, DEATHS_AT_ONCE = 4, PAUSE_MS = 20 };
#define DEATH_FORGIVEN_NS UINT64_C(250000000)

/* What a server has started ends with it; it is waited for so long. */
enum { FOLLOWERS_MS = 1000 };

#define WALK_MAX_NS UINT64_C(50000)
#define WALK_LATER_NS UINT64_C(250000000)

struct keeper {
	struct keep *keep;
	struct daemon *daemon;
	keeper_serve_fn serve;
	const struct options *options;
	int signal_fd, socket;
	pid_t server;
	bool armed;    /* what is kept is enough for another */
	bool stopping; /* told to end */
	bool child;    /* this is the server */
	bool failed;   /* it ends for want of something */
	bool last;     /* it is given up */
	int deaths;
	uint64_t serves;  /* since when; 0: it does not yet */
	uint64_t served;  /* ns that no death was forgiven for */
	uint64_t walk_ns; /* so long took the last look for those that have ended */
	uint64_t walk_at; /* when the next is due; UINT64_MAX: not before one ends */
	struct door door;
	struct replacement replacement;
};

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int catch_signals(struct keeper *keeper)
{
	static const int caught[] = { SIGCHLD, SIGTERM, SIGINT, SIGHUP };
	sigset_t signals;
	sigemptyset(&signals);
	for (size_t i = 0; i < sizeof(caught) / sizeof(*caught); i++)
		sigaddset(&signals, caught[i]);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return -errno;
	keeper->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return keeper->signal_fd < 0 ? -errno : 0;
}

/* 0 in the keeper; in the server keeper->child is set, and this is its exit status. */
static int fork_server(struct keeper *keeper, bool again)
{
	int ends[2];
	sigset_t child;
	pid_t self = getpid();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	keeper->server = fork();
	if (keeper->server < 0) {
		int error = -errno;
		close(ends[0]);
		close(ends[1]);
		return error;
	}
	if (keeper->server > 0) {
		close(ends[1]);
		keeper->socket = ends[0];
		return 0;
	}
	keeper->child = true;
	close(ends[0]);
	setpgid(0, 0); /* with its helpers, and without sandboxes: see end_followers() */
	close(keeper->signal_fd);
	keeper->signal_fd = -1;
	door_close(&keeper->door);
	replacement_finish(&keeper->replacement);
	daemon_forget(keeper->daemon);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != self)
		return 1;
	int error = keep_enter(keeper->keep, ends[1], again);
	if (error < 0) {
		report("cannot take up what is kept: %s", strerror(-error));
		keep_begin_anew(keeper->keep); /* the next may have what is wanting */
		return 1;
	}
	/* Those that tell it to end wait until it can hear them (server_catch_signals()). */
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_UNBLOCK, &child, NULL);
	return keeper->serve(keeper->options, keeper->daemon, keeper->keep);
}

/* To serve: the start has failed. */
static void refuse(struct keeper *keeper, const char *what, int error)
{
	report("cannot %s: %s", what, strerror(error));
	keeper->failed = keeper->stopping = true;
	if (keeper->server > 0)
		kill(keeper->server, SIGTERM);
}

/* Whoever waits for the mount must hear of it, or of the end. */
static void get_ready(struct keeper *keeper)
{
	int error = keeper->failed ? 0 : daemon_ready(keeper->daemon);
	if (error < 0)
		refuse(keeper, "tell that the mount is usable", -error);
}

static void hear(struct keeper *keeper)
{
	int message;
	while ((message = keep_hear(keeper->keep, keeper->socket)) > 0) {
		if (message == KEEP_ARMED) {
			/* In service it is one session's, which then ends with the server. */
			if (!keeper->armed && !keep_has_all(keeper->keep))
				refuse(keeper, "hold what the server has", EMFILE);
			keeper->armed = true;
			keeper->serves = loop_now();
			replacement_serves(&keeper->replacement);
		}
		if (message == KEEP_READY)
			get_ready(keeper);
	}
	if (message == -EAGAIN)
		return;
	/* Without its words a server is of no use: another goes on. At its end SIGCHLD comes. */
	if (message == -ECONNRESET)
		message = 0;
	if (message < 0 && !keeper->armed)
		refuse(keeper, "hear the server", -message);
	else if (message < 0 && keeper->server > 0)
		kill(keeper->server, SIGKILL);
	if (keeper->socket >= 0) {
		close(keeper->socket);
		keeper->socket = -1;
	}
}

/*
 * The helpers of a server that is dead, so that nothing is still being done for it when the next
 * begins. They are children of this process, and of the server's process group. The unmounter is
 * not: it goes when the next serves, or has the mount to take away when there is none.
 */
static void end_followers(pid_t server)
{
	uint64_t end = loop_now() + FOLLOWERS_MS * UINT64_C(1000000);
	kill(-server, SIGKILL);
	while (waitpid(-server, NULL, WNOHANG) >= 0 && loop_now() < end)
		poll(NULL, 0, 1);
}

static void count_service(struct keeper *keeper)
{
	if (keeper->serves)
		keeper->served += loop_now() - keeper->serves;
	keeper->serves = 0;
}

static bool may_go_on(struct keeper *keeper)
{
	count_service(keeper);
	for (; keeper->deaths && keeper->served >= DEATH_FORGIVEN_NS; keeper->deaths--)
		keeper->served -= DEATH_FORGIVEN_NS;
	if (keeper->deaths == 0)
		keeper->served = 0;
	return keeper->armed && ++keeper->deaths <= DEATHS_MAX;
}

/* 0, or what is the matter: then there will be none. */
static int fork_another(struct keeper *keeper)
{
	int result;
	do {
		if (keeper->deaths > DEATHS_AT_ONCE)
			poll(NULL, 0, (keeper->deaths - DEATHS_AT_ONCE) * PAUSE_MS);
		result = fork_server(keeper, true);
	} while (!keeper->child && result < 0 && may_go_on(keeper));
	return result;
}

/* 0, or why the program may not be replaced now. */
static int refused(const struct keeper *keeper)
{
	if (keeper->stopping || keeper->last)
		return -ESHUTDOWN;
	return keeper->serves && keeper->server > 0 ? 0 : -EAGAIN;
}

static struct handover facts(const struct keeper *keeper)
{
	return (struct handover){ .door = keeper->door.fd,
				  .caller = -1,
				  .before = -1,
				  .deaths = keeper->deaths,
				  .served = keeper->served };
}

/* There is no server, and this was wanted. */
static void be_replaced(struct keeper *keeper)
{
	count_service(keeper);
	const struct handover handover = facts(keeper);
	replacement_run(&keeper->replacement, keeper->stopping ? -ESHUTDOWN : 0, &handover,
			keeper->options, keeper->keep);
}

/* The next server, whose exit status *status is in the child. True: there is none. */
static bool go_on(struct keeper *keeper, int *status)
{
	int result = fork_another(keeper);
	if (keeper->child) {
		*status = result;
		return true;
	}
	if (result < 0)
		report("cannot start another server: %s", strerror(-result));
	else if (keeper->stopping)
		kill(keeper->server, SIGTERM);
	return result < 0;
}

/* The server's end. True when it is that of all; *status is then the exit status. */
static bool on_death(struct keeper *keeper, int how, int *status)
{
	/* What it had sent is there; it is not waited for those that have its socket still. */
	if (keeper->socket >= 0)
		hear(keeper);
	close_one(&keeper->socket);
	pid_t dead = keeper->server;
	keeper->server = 0;
	*status = WIFEXITED(how) && !keeper->failed ? WEXITSTATUS(how) : 1;
	if (WIFEXITED(how) || keeper->last)
		return true;
	end_followers(dead);
	replacement_died(&keeper->replacement);
	if (keeper->replacement.stage == REPLACEMENT_ENDING) {
		be_replaced(keeper);
		return go_on(keeper, status);
	}
	if (!may_go_on(keeper)) {
		report("the server was killed by signal %d", WTERMSIG(how));
		if (!keeper->armed)
			return true;
		/* One more ends what there is: nobody is served any more. */
		keeper->last = keeper->failed = true;
		keep_discard(keeper->keep, KEPT_MOUNT);
	}
	return go_on(keeper, status);
}

static bool on_end(struct keeper *keeper, pid_t pid, int how, int *status)
{
	if (replacement_tried(&keeper->replacement, pid, refused(keeper)))
		kill(keeper->server, SIGKILL);
	return pid == keeper->server && on_death(keeper, how, status);
}

/* To look for whoever has ended is to walk all that have not: all sandboxes. */
static bool reap_all(struct keeper *keeper, int *status)
{
	uint64_t begin = loop_now();
	pid_t pid;
	int how;
	while ((pid = waitpid(-1, &how, WNOHANG)) > 0)
		if (on_end(keeper, pid, how, status))
			return true;
	keeper->walk_ns = loop_now() - begin;
	keeper->walk_at = UINT64_MAX;
	return false;
}

static bool reap_one(struct keeper *keeper, pid_t pid, int *status)
{
	int how;
	return pid > 0 && waitpid(pid, &how, WNOHANG) == pid && on_end(keeper, pid, how, status);
}

/*
 * Where the walk takes long it is not made for each that ends, but for those together of whom no
 * signal told: there is one for several.
 */
static bool reap(struct keeper *keeper, pid_t told, int *status)
{
	if (keeper->walk_ns < WALK_MAX_NS)
		return reap_all(keeper, status);
	if (keeper->walk_at == UINT64_MAX)
		keeper->walk_at = loop_now() + WALK_LATER_NS;
	return reap_one(keeper, told, status) || reap_one(keeper, keeper->server, status);
}

static bool on_signals(struct keeper *keeper, int *status)
{
	struct signalfd_siginfo info;
	while (read(keeper->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo != SIGCHLD) {
			keeper->stopping = true;
			if (keeper->server > 0)
				kill(keeper->server, SIGTERM);
		} else if (reap(keeper, (pid_t)info.ssi_pid, status)) {
			return true;
		}
	}
	return false;
}

static bool somebody_knocks(const struct pollfd events[DOOR_POLLED], uint64_t until)
{
	bool somebody = loop_now() >= until;
	for (int i = 0; i < DOOR_POLLED; i++)
		somebody |= events[i].revents != 0;
	return somebody;
}

static void on_door(struct keeper *keeper)
{
	struct door_call call;
	const struct handover handover = facts(keeper);
	while (door_look(&keeper->door, &call))
		replacement_ask(&keeper->replacement, &call, refused(keeper), &handover,
				keeper->options);
}

/* Of poll(2). */
static int patience(uint64_t until, uint64_t or_until)
{
	uint64_t now = loop_now(), first = until < or_until ? until : or_until;
	if (first == UINT64_MAX)
		return -1;
	return first > now ? (int)((first - now) / 1000000) + 1 : 0;
}

static int supervise(struct keeper *keeper)
{
	int status = 0;
	/* Those whose signal was another program's. */
	if (reap_all(keeper, &status))
		return status;
	for (;;) {
		struct pollfd events[2 + DOOR_POLLED] = {
			{ .fd = keeper->signal_fd, .events = POLLIN },
			{ .fd = keeper->socket, .events = POLLIN },
		};
		uint64_t until = door_polled(&keeper->door, events + 2);
		uint64_t others = keeper->replacement.until < keeper->walk_at
					  ? keeper->replacement.until
					  : keeper->walk_at;
		int wait = patience(until, others);
		if (poll(events, 2 + DOOR_POLLED, wait) < 0) {
			/* Of a want of memory nobody's sessions end. */
			if (errno != EINTR)
				poll(NULL, 0, 1);
			continue;
		}
		if (keeper->socket >= 0 && events[1].revents)
			hear(keeper);
		if (events[0].revents && on_signals(keeper, &status))
			return status;
		if (loop_now() >= keeper->walk_at && reap_all(keeper, &status))
			return status;
		if (somebody_knocks(events + 2, until))
			on_door(keeper);
		if (replacement_late(&keeper->replacement) && keeper->server > 0)
			kill(keeper->server, SIGKILL);
	}
}

/* Begin */

static int have_door(struct keeper *keeper)
{
	char name[KEEP_NAME_MAX + 1];
	int error = door_open(&keeper->door, name, sizeof(name));
	if (error == 0)
		keep_set_name(keeper->keep, name);
	return error;
}

static int take_up(struct keeper *keeper, const struct handover *handover)
{
	char name[KEEP_NAME_MAX + 1];
	int error = handover_keep(handover, &keeper->keep);
	close(handover->file);
	if (error == 0)
		error = door_take_up(&keeper->door, handover->door, name, sizeof(name));
	if (error < 0)
		return error;
	keep_set_name(keeper->keep, name);
	keeper->armed = true;
	keeper->deaths = handover->deaths;
	keeper->served = handover->served;
	replacement_go_on(&keeper->replacement, handover);
	return 0;
}

static int begin(struct keeper *keeper, const struct handover *handover)
{
	/* Of what the server leaves, sandboxes apart: programs that remove its directories. */
	int error = prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 ? -errno : 0;
	if (error == 0 && handover)
		error = take_up(keeper, handover);
	else if (error == 0)
		error = keep_create(&keeper->keep);
	if (error == 0 && !handover)
		error = have_door(keeper);
	return error == 0 ? catch_signals(keeper) : error;
}

static int explain_no_start(int error, bool again)
{
	report("cannot start the server: %s", strerror(-error));
	return !again && machine_refuses(error) ? STATUS_LACKS : STATUS_AGAIN;
}

int keeper_run(const struct options *options, struct daemon *daemon, keeper_serve_fn serve,
	       const struct handover *handover)
{
	struct keeper keeper = {
		.daemon = daemon,
		.serve = serve,
		.options = options,
		.signal_fd = -1,
		.socket = -1,
		.walk_at = UINT64_MAX,
	};
	int status = STATUS_AGAIN;
	door_init(&keeper.door);
	replacement_init(&keeper.replacement);
	int error = begin(&keeper, handover);
	if (error == 0)
		error = handover ? fork_another(&keeper) : fork_server(&keeper, false);
	if (keeper.child)
		status = error;
	else if (error < 0)
		status = explain_no_start(error, handover != NULL);
	else
		status = supervise(&keeper);
	close_one(&keeper.signal_fd);
	close_one(&keeper.socket);
	door_close(&keeper.door);
	replacement_finish(&keeper.replacement);
	keep_destroy(keeper.keep);
	return status;
}
