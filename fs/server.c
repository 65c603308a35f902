/* SPDX-License-Identifier: MIT */
/*
 * The server: the box's loop, with the FUSE descriptor and the signals on it.
 *
 * Each round of the loop handles what is ready; the FUSE descriptor gives a bounded number of
 * requests a round, and the parked requests that an event woke are tried again by turns of their
 * users (turns.h).
 *
 * Told to end, it removes every session, and goes on serving until all have ended, so that
 * whoever reads their output and exit status gets them; then for a moment more, for as long as
 * any file is open; then it unmounts. It does the same when its mount has gone from its mount
 * namespace. When the mount has gone from all of them, nobody can be served any more.
 */
#include "server.h"

#include "again.h"
#include "daemon.h"
#include "dir.h"
#include "handle.h"
#include "kept.h"
#include "mount.h"
#include "ops.h"
#include "request.h"
#include "turns.h"

#include <box.h>
#include <errno.h>
#include <fcntl.h>
#include <keep.h>
#include <linux/fuse.h>
#include <malloc.h>
#include <mimobox.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { REQUESTS_A_ROUND = 32 };
enum { TRIM_BYTES = 4 << 20 };
enum { MISSES_MAX = 500, MISS_PAUSE_MS = 10 };

#define SECOND UINT64_C(1000000000)
/* For sessions to end by themselves; mimobox_destroy() has bounds of its own for those left. */
#define STOP_PATIENCE (10 * SECOND)
/* For files that are open to be read to their ends and closed. */
#define LINGER_PATIENCE (SECOND / 2)

int server_init(struct server *server)
{
	*server = (struct server){ .signal_fd = -1, .notify.fd = -1, .unmounter.socket = -1 };
	watch_init(&server->watch);
	link_init(&server->dirs);
	link_init(&server->handles);
	link_init(&server->turns);
	questions_init(&server->questions);
	server->uid = geteuid();
	server->gid = getegid();
	/* Root serves everybody, and as in /tmp each has what is their own; others serve
	 * themselves. */
	server->mode = server->uid == 0 ? 01777 : 0755;
	server_touch(server);
	server->answer = malloc(SERVER_ANSWER_MAX);
	return server->answer ? 0 : -ENOMEM;
}

void server_touch(struct server *server)
{
	clock_gettime(CLOCK_REALTIME, &server->changed);
	kept_server(server);
}

int server_catch_signals(struct server *server)
{
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return -errno;
	server->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return server->signal_fd < 0 ? -errno : 0;
}

static void stop_over(void *data)
{
	struct server *server = data;
	server->ended = true;
}

static void linger(struct server *server)
{
	if (loop_timer_arm(&server->stop_timer, LINGER_PATIENCE) < 0)
		server->ended = true;
}

void server_dir_ended(struct server *server, struct dir *dir)
{
	if (!dir->awaited)
		return;
	dir->awaited = false;
	if (--server->ending == 0)
		linger(server);
}

static void stop(struct server *server)
{
	server->stopping = true;
	kept_server(server);
	for (int i = 0; i < USER_CHAINS; i++)
		for (struct user *user = server->users[i]; user; user = user->next)
			turns_add(user, &user->ring.parked, NULL);
	loop_timer_init(&server->stop_timer, server->loop, stop_over, server);
	if (loop_timer_arm(&server->stop_timer, STOP_PATIENCE) < 0)
		server->ended = true;
	server->ending = 1; /* this function, until it is through */
	/* The reference keeps the list as it is; server_finish() lets go of it. */
	for (struct link *link = server->dirs.next; link != &server->dirs; link = link->next) {
		struct dir *dir = dir_ref(link_owner(link, struct dir, link));
		if (!mimobox_session_removed(dir->session))
			dir_remove(dir);
		dir->awaited = !dir_ended(dir);
		server->ending += dir->awaited;
	}
	if (--server->ending == 0)
		linger(server);
	notify_stopping(&server->notify, server->ending);
}

static void on_signal(void *data, uint32_t events)
{
	(void)events;
	struct server *server = data;
	struct signalfd_siginfo info;
	while (read(server->signal_fd, &info, sizeof(info)) == sizeof(info))
		if (!server->stopping)
			stop(server);
}

static void fail(struct server *server, int error)
{
	server->error = error;
	server->ended = true;
}

/*
 * libfuse has told of it, and the request, if one was taken, has been ended by the kernel. Short of
 * memory, say, the next may do, after a moment in which nothing else could be done anyway.
 */
static void on_miss(struct server *server, int error)
{
	if (!server->usable || ++server->misses > MISSES_MAX)
		fail(server, error);
	else
		poll(NULL, 0, MISS_PAUSE_MS);
}

void server_process(struct server *server)
{
	server->unique = ((const struct fuse_in_header *)server->buffer.mem)->unique;
	uint64_t gone = again_lets_go(server);
	again_works_on(server, server->unique);
	fuse_session_process_buf(server->fuse, &server->buffer);
	/* Without memory for it, libfuse has not asked us: the file is gone all the same. */
	struct handle *left = gone ? handle_find(server, gone) : NULL;
	if (left)
		ops_release(server, left);
	again_works_on(server, 0);
}

static void take_requests(struct server *server)
{
	for (int i = 0; i < REQUESTS_A_ROUND; i++) {
		int size = fuse_session_receive_buf(server->fuse, &server->buffer);
		if (size == -EINTR)
			continue;
		if (size == -EAGAIN)
			return;
		if (size == 0) { /* unmounted */
			server->ended = server->unmounted = true;
			return;
		}
		if (size < 0) {
			on_miss(server, size);
			return;
		}
		server->misses = 0;
		server_process(server);
		if (!server->usable) { /* the first request is op_init(), or it has failed */
			fail(server, -ECONNREFUSED);
			return;
		}
	}
}

static void on_fuse(void *data, uint32_t events)
{
	(void)events;
	take_requests(data);
}

/* What was being answered goes first: before time, and what sandboxes say, can come in between. */
static int take_up(struct server *server)
{
	if (server->stop_again)
		stop(server);
	return again_serve(server);
}

/* Those who have it still, in other mount namespaces, are served as at any other end. */
static void mount_gone(void *data)
{
	struct server *server = data;
	if (!server->stopping)
		stop(server);
}

static int add_sources(struct server *server)
{
	int fuse_fd = fuse_session_fd(server->fuse);
	int flags = fcntl(fuse_fd, F_GETFL);
	if (flags < 0 || fcntl(fuse_fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	int error = loop_add(server->loop, server->signal_fd, EPOLLIN, on_signal, server,
			     &server->signal_source);
	if (error < 0)
		return error;
	return loop_add(server->loop, fuse_fd, EPOLLIN, on_fuse, server, &server->fuse_source);
}

/* What many handles held stays with the process, unless the heap is trimmed. */
static void trim_heap(struct server *server)
{
	if (server->freed < TRIM_BYTES)
		return;
	server->freed = 0;
#ifdef __GLIBC__
	(void)malloc_trim(0);
#endif
}

int server_run(struct server *server, struct daemon *daemon)
{
	int error = add_sources(server);
	if (error == 0 && keep_again(server->keep))
		error = take_up(server);
	if (error == 0)
		watch_begin(&server->watch, server->loop, mount_gone, server);
	while (error == 0 && !server->ended) {
		error = mimobox_dispatch(server->box, link_empty(&server->turns) ? -1 : 0);
		if (server->usable && !server->ended) {
			error = daemon_ready(daemon);
			if (error == 0)
				error = again_arm(server);
			if (error == 0)
				notify_ready(&server->notify);
		}
		turns_take(server);
		trim_heap(server);
		kept_commit(server);
		if (server->stopping && server->ending == 0 && link_empty(&server->handles))
			server->ended = true;
	}
	return error < 0 ? error : server->error;
}

static void answer_all(struct link *requests)
{
	while (!link_empty(requests))
		request_finish(link_owner(requests->next, struct request, link), -EIO);
}

static void free_files(struct server *server)
{
	for (int i = 0; i < USER_CHAINS; i++)
		for (struct user *user = server->users[i]; user; user = user->next) {
			answer_all(&user->turn.requests);
			answer_all(&user->ring.parked);
		}
	for (struct link *link = server->dirs.next; link != &server->dirs; link = link->next)
		for (int i = 0; i < EVENTS; i++)
			answer_all(&link_owner(link, struct dir, link)->parked[i]);
	for (struct link *link = server->handles.next; link != &server->handles; link = link->next)
		answer_all(&link_owner(link, struct handle, link)->parked);
	while (!link_empty(&server->handles))
		handle_close(link_owner(server->handles.next, struct handle, link));
	while (!link_empty(&server->dirs)) {
		struct dir *dir = link_owner(server->dirs.next, struct dir, link);
		dir->users = 1;
		dir_unref(dir);
	}
}

void server_finish(struct server *server)
{
	free_files(server);
	watch_finish(&server->watch);
	loop_remove(server->fuse_source);
	loop_remove(server->signal_source);
	loop_timer_disarm(&server->stop_timer);
	notify_finish(&server->notify);
	if (server->fuse) {
		/* Where the kernel asks while it unmounts, there must be nobody to wait for. */
		keep_release(server->keep, KEPT_MOUNT);
		keep_commit(server->keep);
		unmounter_unmount(&server->unmounter, server->fuse);
		fuse_session_unmount(server->fuse);
		fuse_session_destroy(server->fuse);
	}
	if (server->box)
		mimobox_destroy(server->box);
	if (server->signal_fd >= 0)
		close(server->signal_fd);
	if (!server->keep)
		free(server->buffer.mem);
	free(server->answer);
}
