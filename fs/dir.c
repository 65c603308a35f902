/* SPDX-License-Identifier: MIT */
/*
 * A session as the filesystem sees it: its directory, and what waits in it.
 *
 * The directory hangs on the session by mimobox_session_data() and holds one reference to it. It
 * lives as long as it has a name or an open handle, so that a removed session can still be read
 * by those who have it open.
 *
 * Waiting is by event, one list for each, so that a wake-up costs only those whom it concerns.
 * The library may tell of an event from within any call into it, a parked request's own retry
 * included. Hence dir_notify() only moves links: requests go to their user's list of those to be
 * tried again (turns.h).
 */
#include "dir.h"

#include "feed.h"
#include "files.h"
#include "handle.h"
#include "kept.h"
#include "question.h"
#include "server.h"
#include "turns.h"
#include "user.h"

#include <errno.h>
#include <stdlib.h>

struct dir *dir_of(struct mimobox_session *session)
{
	return *mimobox_session_data(session);
}

int dir_make(struct server *server, const char *name, uid_t uid, gid_t gid, mode_t mode,
	     struct dir **out)
{
	struct mimobox_session *session;
	struct dir *dir;
	int error = mimobox_session_create(server->box, name, uid, gid, &session);
	if (error < 0)
		return error;
	error = dir_attach(server, session, &dir);
	if (error < 0)
		mimobox_session_remove(session);
	mimobox_session_unref(session); /* the directory has its own */
	if (error < 0)
		return error;
	dir->users = 1;
	dir->mode = mode;
	kept_dir(dir);
	feed_tell(server, dir, "created");
	*out = dir;
	return 0;
}

int dir_attach(struct server *server, struct mimobox_session *session, struct dir **out)
{
	struct dir *dir = calloc(1, sizeof(*dir));
	if (!dir)
		return -ENOMEM;
	int error = user_get(server, mimobox_session_uid(session), &dir->user);
	if (error < 0) {
		free(dir);
		return error;
	}
	dir->session = mimobox_session_ref(session);
	*mimobox_session_data(session) = dir;
	dir->server = server;
	for (int i = 0; i < EVENTS; i++) {
		link_init(&dir->parked[i]);
		link_init(&dir->watched[i]);
	}
	link_init(&dir->questions);
	link_init(&dir->waiting);
	dir->gid = mimobox_session_gid(session);
	link_append(&server->dirs, &dir->link);
	*out = dir;
	return 0;
}

const struct dir_rights *dir_rights_of(const struct dir *dir, const struct file *file)
{
	for (size_t i = 0; i < dir->rights_count; i++)
		if (dir->rights[i].file == file->id)
			return &dir->rights[i];
	return NULL;
}

int dir_set_rights(struct dir *dir, const struct file *file, mode_t mode, gid_t gid)
{
	struct dir_rights *rights = (struct dir_rights *)dir_rights_of(dir, file);
	if (!rights) {
		rights = realloc(dir->rights, (dir->rights_count + 1) * sizeof(*rights));
		if (!rights)
			return -ENOMEM;
		dir->rights = rights;
		rights += dir->rights_count++;
	}
	*rights = (struct dir_rights){ .file = file->id, .mode = mode, .gid = gid };
	return 0;
}

struct dir *dir_ref(struct dir *dir)
{
	dir->users++;
	return dir;
}

void dir_unref(struct dir *dir)
{
	if (!dir || --dir->users > 0)
		return;
	link_remove(&dir->link);
	kept_no_dir(dir);
	questions_finish(dir);
	*mimobox_session_data(dir->session) = NULL;
	mimobox_session_unref(dir->session);
	user_unref(dir->user);
	free(dir->rights);
	free(dir);
}

bool dir_ended(const struct dir *dir)
{
	enum mimobox_state state = mimobox_session_state(dir->session);
	return state == MIMOBOX_EXITED ||
	       (state == MIMOBOX_CREATED && mimobox_session_removed(dir->session));
}

/* All questions have to look at what was printed. */
static void wake_questions(struct dir *dir)
{
	while (!link_empty(&dir->waiting)) {
		struct handle *handle = link_owner(dir->waiting.next, struct handle, waiting);
		link_remove(&handle->waiting);
		turns_add(dir->user, &handle->parked, NULL);
	}
}

static void wake(struct dir *dir, unsigned index)
{
	turns_add(dir->user, &dir->parked[index], &dir->watched[index]);
	if (index == dir_index(MIMOBOX_OUTPUT))
		wake_questions(dir);
}

static void wake_all(struct dir *dir)
{
	for (unsigned i = 0; i < EVENTS; i++)
		wake(dir, i);
}

static void tell(struct dir *dir, unsigned events)
{
	struct mimobox_session *session = dir->session;
	int status;
	if ((events & MIMOBOX_STARTED) && mimobox_session_start_result(session) == 0)
		feed_tell(dir->server, dir, "started %d", (int)mimobox_session_pid(session));
	/* Once it is removed, its name may be another's: no more is told of it. */
	if ((events & MIMOBOX_ENDED) && !mimobox_session_removed(session) &&
	    mimobox_session_exit(session, &status) == 0)
		feed_tell(dir->server, dir, "exited %d", status);
}

void dir_notify(struct mimobox_session *session, unsigned events, void *data)
{
	(void)data;
	struct dir *dir = dir_of(session);
	if (!dir)
		return;
	if (events & MIMOBOX_ROOM)
		dir->input_full = false;
	if (events & (MIMOBOX_STARTED | MIMOBOX_ENDED))
		tell(dir, events);
	if (events & MIMOBOX_ENDED) {
		wake_all(dir);
		server_dir_ended(dir->server, dir);
		return;
	}
	for (unsigned i = 0; i < EVENTS; i++)
		if (events & (1u << i))
			wake(dir, i);
}

void dir_remove(struct dir *dir)
{
	feed_tell(dir->server, dir, "removed");
	mimobox_session_remove(dir->session);
	wake_all(dir);
	dir_unref(dir);
}
