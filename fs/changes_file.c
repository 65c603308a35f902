/* SPDX-License-Identifier: MIT */
/*
 * A process makes the list, into a file on disk, and the reads wait for that. Each read from the
 * beginning has it made anew. A server that goes on in another's place has no such file: a read in
 * the midst of it gets ESTALE.
 */
#include "changes_file.h"

#include "dir.h"
#include "handle.h"
#include "kept.h"
#include "request.h"
#include "server.h"

#include <errno.h>
#include <string.h>

void changes_close(struct handle *handle)
{
	mimobox_changes_close(handle->changes);
	handle->changes = NULL;
}

ssize_t changes_read(struct request *request)
{
	struct handle *handle = request->handle;
	size_t size = request->size < SERVER_ANSWER_MAX ? request->size : SERVER_ANSWER_MAX;
	bool first = !handle->changes && !handle->stale;
	if (!request->starting && (request->offset == 0 || first)) {
		changes_close(handle);
		int error = mimobox_changes_open(handle->dir->session, &handle->changes);
		if (error < 0)
			return error;
		request->starting = true;
		if (!handle->stale) {
			handle->stale = true;
			kept_handle(handle);
		}
	}
	if (!handle->changes)
		return -ESTALE;
	ssize_t count = mimobox_changes_read(handle->changes, handle->server->answer, size,
					     request->offset);
	request->answer = handle->server->answer;
	return count == -EAGAIN ? request_wait(request, MIMOBOX_CHANGES) : count;
}

bool changes_is_verb(const char *verb, size_t size)
{
	static const char *const verbs[] = { "apply", "discard" };
	while (size && (*verb == ' ' || *verb == '\t'))
		verb++, size--;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		size_t length = strlen(verbs[i]);
		if (size >= length && memcmp(verb, verbs[i], length) == 0 &&
		    (size == length || strchr(" \t\r", verb[length])))
			return true;
	}
	return false;
}

/*
 * A server that goes on in another's place asks for it again, and the process then goes on with
 * what was begun: so nothing of it has to be kept.
 */
int changes_verb(struct request *request, const char *verb, size_t size)
{
	struct mimobox_session *session = request->handle->dir->session;
	int error = request->starting ? mimobox_session_change_result(session)
				      : mimobox_session_ctl(session, verb, size);
	request->starting = error == -EINPROGRESS;
	return request->starting ? (int)request_wait(request, MIMOBOX_CHANGES) : error;
}
