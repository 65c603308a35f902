/* SPDX-License-Identifier: MIT */
#include "review.h"

#include "access.h"
#include "session.h"
#include "workspace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TRIES = 3, LISTINGS_MAX = 16 };

struct mimobox_changes {
	struct review review; /* the first */
	bool closed;
	int fd;
};

/* The request */

static int write_paths(FILE *to, const struct access *access, const char *path)
{
	for (size_t i = 0; i < access->path_count; i++)
		if (access->paths[i].kind == PATH_OVERLAY)
			(void)fprintf(to, "%s%c%s%c", access->paths[i].outside, 0,
				      access->paths[i].inside, 0);
	(void)fprintf(to, "%s%c", path, 0);
	int error = ferror(to) ? -ENOMEM : 0;
	return fclose(to) != 0 ? -ENOMEM : error;
}

/* A file of memory with the paths, at its beginning. */
static int make_paths(const struct review *review)
{
	int fd = memfd_create("mimobox-paths", MFD_CLOEXEC);
	int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	FILE *to = copy < 0 ? NULL : fdopen(copy, "w");
	int error = to ? write_paths(to, &review->session->config.access, review->path) : -errno;
	if (!to && copy >= 0)
		close(copy);
	if (error == 0 && lseek(fd, 0, SEEK_SET) < 0)
		error = -errno;
	if (error < 0 && fd >= 0)
		close(fd);
	return error < 0 ? error : fd;
}

static void on_process(void *data, int result, const int *descriptors);

static int ask(struct review *review)
{
	struct mimobox_session *session = review->session;
	struct change_request request;
	memset(&request, 0, sizeof(request));
	request.verb = review->verb;
	request.overlays = access_overlays(&session->config.access);
	request.uid = session->uid;
	request.gid = session->uid ? session->run_gid : 0;
	char *changes = workspace_changes(session);
	if (!changes || strlen(changes) >= sizeof(request.changes)) {
		int error = changes ? -ENAMETOOLONG : -ENOMEM;
		free(changes);
		return error;
	}
	strcpy(request.changes, changes);
	free(changes);
	int paths = make_paths(review);
	if (paths < 0)
		return paths;
	const int descriptors[] = { paths, review->listing };
	int error = helper_ask(session->box->changer, &request, descriptors,
			       review->listing >= 0 ? 2 : 1, on_process, review);
	close(paths);
	return error;
}

/* The answer */

static void stop(struct review *review)
{
	loop_remove(review->source);
	review->source = NULL;
	if (review->socket >= 0)
		close(review->socket);
	review->socket = -1;
}

static void leave(struct review *review, int result)
{
	struct review **at = &review->session->reviews;
	while (*at != review)
		at = &(*at)->next;
	*at = review->next;
	review->session->review_count--;
	review->session->box->live--;
	stop(review);
	free(review->path);
	review->path = NULL;
	review->busy = false;
	review->result = result;
}

static void finish(struct review *review, int result)
{
	struct mimobox_session *session = review->session;
	leave(review, result);
	/* It was removed meanwhile. */
	if (session->review_count == 0 && session->workspace_awaits)
		workspace_remove(session);
	session_notify(session, MIMOBOX_CHANGES);
	review->done(review);
	mimobox_session_unref(session);
}

/* The process has gone without a word: the next goes on with what it has begun. */
static void again(struct review *review, int error)
{
	stop(review);
	if (++review->tries < TRIES) {
		if (review->listing >= 0 &&
		    (ftruncate(review->listing, 0) < 0 || lseek(review->listing, 0, SEEK_SET) < 0))
			error = -errno;
		else
			error = ask(review);
	}
	if (error == 0)
		return;
	mimobox_session_log(review->session, "changes: %s", strerror(-error));
	finish(review, error);
}

static void on_report(void *data, uint32_t events)
{
	(void)events;
	struct review *review = data;
	struct change_report report;
	int descriptors[MESSAGE_DESCRIPTORS];
	ssize_t size = message_receive(review->socket, &report, sizeof(report), descriptors, NULL,
				       MSG_DONTWAIT);
	if (size == -EAGAIN || size == -EINTR)
		return;
	if (size != sizeof(report)) {
		again(review, -EIO);
		return;
	}
	report.text[sizeof(report.text) - 1] = '\0';
	if (report.text[0])
		mimobox_session_log(review->session, "%s", report.text);
	if (report.ended)
		finish(review, report.error);
}

static void on_process(void *data, int result, const int *descriptors)
{
	struct review *review = data;
	review->socket = descriptors[0];
	int error = result < 0 ? result : review->socket < 0 ? -EMFILE : 0;
	if (error == 0)
		error = loop_add(review->session->box->loop, review->socket, EPOLLIN, on_report,
				 review, &review->source);
	if (error < 0)
		again(review, error);
}

int review_begin(struct review *review, struct mimobox_session *session, enum change_verb verb,
		 const char *path, int listing, review_fn done)
{
	*review = (struct review){ .session = session,
				   .verb = verb,
				   .path = strdup(path),
				   .listing = listing,
				   .socket = -1,
				   .done = done };
	if (!review->path)
		return -ENOMEM;
	int error = ask(review);
	if (error < 0) {
		free(review->path);
		return error;
	}
	review->busy = true;
	review->next = session->reviews;
	session->reviews = review;
	session->review_count++;
	session->box->live++;
	mimobox_session_ref(session);
	return 0;
}

/* Verbs */

static int refuse(struct mimobox_session *session, int error, enum change_verb verb,
		  const char *why)
{
	mimobox_session_log(session, "ctl: %s: %s", verb == CHANGE_APPLY ? "apply" : "discard",
			    why);
	return error;
}

static void on_verb(struct review *review)
{
	(void)review; /* a waiter asks mimobox_session_change_result() */
}

static int check(struct mimobox_session *session, enum change_verb verb)
{
	if (access_overlays(&session->config.access) == 0)
		return refuse(session, -EINVAL, verb, "config has no overlay");
	if (session->state == MIMOBOX_CREATED)
		return refuse(session, -ESRCH, verb, "nothing has run");
	if (session->state != MIMOBOX_EXITED)
		return refuse(session, -EBUSY, verb, "the session runs");
	if (session->change.busy)
		return refuse(session, -EBUSY, verb, "the last one has not ended");
	return 0;
}

int review_verb(struct mimobox_session *session, enum change_verb verb, const char *path,
		size_t size)
{
	int error = check(session, verb);
	if (error < 0)
		return error;
	char *inside = size ? access_read_path(path, size) : strdup("");
	if (!inside)
		return -ENOMEM;
	if (size && !access_tidy(inside)) {
		free(inside);
		return refuse(session, -EINVAL, verb, "not an absolute path without '.' and '..'");
	}
	error = review_begin(&session->change, session, verb, inside, -1, on_verb);
	free(inside);
	return error < 0 ? refuse(session, error, verb, strerror(-error)) : -EINPROGRESS;
}

int mimobox_session_change_result(const struct mimobox_session *session)
{
	return session->change.busy ? -EINPROGRESS : session->change.result;
}

void review_orphan(struct mimobox_session *session)
{
	while (session->reviews) {
		struct review *review = session->reviews;
		leave(review, -ECANCELED);
		review->done(review);
		session->references--; /* which is freed by the caller */
	}
}

/* Listings */

static void free_listing(struct mimobox_changes *changes)
{
	if (changes->fd >= 0)
		close(changes->fd);
	free(changes);
}

static void on_listed(struct review *review)
{
	struct mimobox_changes *changes = (struct mimobox_changes *)review;
	if (changes->closed)
		free_listing(changes);
}

int mimobox_changes_open(struct mimobox_session *session, struct mimobox_changes **out)
{
	struct mimobox_changes *changes;
	if (session->review_count >= LISTINGS_MAX)
		return -EDQUOT;
	changes = calloc(1, sizeof(*changes));
	if (!changes)
		return -ENOMEM;
	changes->fd = -1;
	int error = 0;
	if (access_overlays(&session->config.access) && session->workspace &&
	    session->state >= MIMOBOX_RUNNING) {
		changes->fd = spool_open_unlinked(session->box->spool_dir);
		error = changes->fd < 0 ? changes->fd
					: review_begin(&changes->review, session, CHANGE_LIST, "",
						       changes->fd, on_listed);
	}
	if (error < 0)
		free_listing(changes);
	else
		*out = changes;
	return error;
}

void mimobox_changes_close(struct mimobox_changes *changes)
{
	if (changes && changes->review.busy)
		changes->closed = true;
	else if (changes)
		free_listing(changes);
}

ssize_t mimobox_changes_read(struct mimobox_changes *changes, void *data, size_t size,
			     uint64_t offset)
{
	if (changes->fd < 0)
		return 0;
	if (changes->review.busy)
		return -EAGAIN;
	if (changes->review.result < 0)
		return changes->review.result;
	ssize_t count = pread(changes->fd, data, size, (off_t)offset);
	return count < 0 ? -errno : count;
}
