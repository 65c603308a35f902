/* SPDX-License-Identifier: MIT */
/* Sessions and their lives; what is read of them is in model_read.c. */
#include "model.h"

#include <errno.h>
#include <limits.h>
#include <session.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <units.h>

const struct model_row model_rows[FILES] = {
	[FILE_DEFAULTS] = { "defaults", S_IFREG | 0644 },
	[FILE_EVENTS] = { "events", S_IFREG | 0444 },
	[FILE_STATS] = { "stats", S_IFREG | 0444 },
	[FILE_METRICS] = { "metrics", S_IFREG | 0444 },
	[FILE_INPUT] = { "input", S_IFREG | 0200 },
	[FILE_OUTPUT] = { "output", S_IFREG | 0400 },
	[FILE_SIZE] = { "size", S_IFREG | 0600 },
	[FILE_CTL] = { "ctl", S_IFREG | 0600 },
	[FILE_EXIT] = { "exit", S_IFREG | 0400 },
	[FILE_CONFIG] = { "config", S_IFREG | 0600 },
	[FILE_STATUS] = { "status", S_IFREG | 0400 },
	[FILE_LOG] = { "log", S_IFREG | 0400 },
	[FILE_SCREEN] = { "screen", S_IFREG | 0400 },
	[FILE_SIZES] = { "sizes", S_IFREG | 0400 },
	[FILE_MODES] = { "modes", S_IFREG | 0400 },
	[FILE_CAST] = { "cast", S_IFREG | 0400 },
	[FILE_TRANSCRIPT] = { "transcript", S_IFREG | 0400 },
	[FILE_STDERR] = { "stderr", S_IFREG | 0400 },
	[FILE_WAIT] = { "wait", S_IFDIR | 0500 },
	[FILE_WORKSPACE] = { "workspace", S_IFLNK | 0777 },
	[FILE_CURSOR] = { "cursor", S_IFREG | 0400 },
	[FILE_CHANGES] = { "changes", S_IFREG | 0400 },
};

struct model_session sessions[SESSIONS];
struct model_handle handles[HANDLES];
struct model_node nodes[NODES];
struct config model_builtin, model_defaults;
bool model_stopping;
unsigned model_max_sessions;
struct mimobox *model_box;

/* The sandbox that was told of is whose: it may be one whose session was removed long ago. */
static void told(const struct fake *fake)
{
	for (int i = 0; i < SESSIONS; i++) {
		struct model_session *session = &sessions[i];
		if (!session->made || session->session != fake->owner || session->state == EXITED)
			continue;
		if (!fake->ended) {
			char what[32];
			session->executed = true;
			session->pid = 100000 + (int)(fake - fakes);
			snprintf(what, sizeof(what), "started %d", session->pid);
			model_tell(session, what);
			return;
		}
		session->ended = true;
		session->status = !fake->has_status           ? -SIGKILL
				  : WIFSIGNALED(fake->status) ? -WTERMSIG(fake->status)
							      : WEXITSTATUS(fake->status);
		if (session->executed && !session->removed) {
			char what[32];
			snprintf(what, sizeof(what), "exited %d", session->status);
			model_tell(session, what);
		}
		return;
	}
}

void model_begin(void)
{
	fake_told = told;
	model_stopping = false;
	/* There is no place for workspaces here, and so none for homes. */
	CHECK(config_init(&model_builtin) == 0);
	model_builtin.home = UNITS_NONE;
	CHECK(config_copy(&model_defaults, &model_builtin) == 0);
}

void model_finish(void)
{
	for (int i = 0; i < SESSIONS; i++) {
		if (sessions[i].made)
			config_finish(&sessions[i].config);
		free(sessions[i].printed[0]);
		free(sessions[i].printed[1]);
		free(sessions[i].typed);
	}
	for (int i = 0; i < HANDLES; i++) {
		free(handles[i].text);
		free(handles[i].question);
	}
	for (int i = 0; i < NODES; i++)
		free(nodes[i].text);
	memset(sessions, 0, sizeof(sessions));
	memset(handles, 0, sizeof(handles));
	memset(nodes, 0, sizeof(nodes));
	config_finish(&model_defaults);
	config_finish(&model_builtin);
}

/* Names */

struct model_session *model_find(const char *name)
{
	for (int i = 0; i < SESSIONS; i++)
		if (sessions[i].made && !sessions[i].removed && strcmp(sessions[i].name, name) == 0)
			return &sessions[i];
	return NULL;
}

unsigned model_count(void)
{
	unsigned count = 0;
	for (int i = 0; i < SESSIONS; i++)
		count += sessions[i].made && !sessions[i].removed;
	return count;
}

bool model_alive(const struct model_session *session)
{
	return !session || !session->removed || session->handles;
}

bool model_over(const struct model_session *session)
{
	if (session->state == EXITED || (session->removed && session->state == CREATED))
		return true;
	/* And what model_settle() has still to see. */
	return session->state != CREATED &&
	       ((session->executed && session->ended) ||
		(session->removed && !session->executed && !fake_of(session->session)));
}

bool model_there(const struct model_session *session, enum model_file file)
{
	return file != FILE_STDERR || !session->config.terminal;
}

struct model_node *model_node_of(const struct model_session *session, enum model_file file)
{
	for (int i = 0; i < NODES; i++)
		if (nodes[i].lookups && nodes[i].session == session && nodes[i].file == file)
			return &nodes[i];
	return NULL;
}

struct model_node *model_add_node(uint64_t node, struct model_session *session,
				  enum model_file file, const char *text)
{
	struct model_node *place = NULL;
	for (int i = 0; i < NODES; i++) {
		if (nodes[i].lookups && nodes[i].node == node) {
			CHECK(nodes[i].session == session && nodes[i].file == file);
			CHECK(!text || strcmp(text, nodes[i].text) == 0);
			nodes[i].lookups++;
			return &nodes[i];
		}
		if (!nodes[i].lookups && !place)
			place = &nodes[i];
	}
	CHECK(place);
	free(place->text);
	*place = (struct model_node){ node, 1, session, file, text ? strdup(text) : NULL };
	return place;
}

/* What happens */

void model_tell(const struct model_session *session, const char *what)
{
	for (int i = 0; i < HANDLES; i++) {
		struct model_handle *handle = &handles[i];
		if (!handle->open || handle->file != FILE_EVENTS ||
		    (handle->uid != 0 && handle->uid != session->uid))
			continue;
		CHECK(handle->told_count < TOLD);
		struct told *line = &handle->told[handle->told_count++];
		snprintf(line->line, sizeof(line->line), "%s %s", session->name, what);
		line->seen = false;
	}
}

void model_type(struct model_session *session, const void *data, size_t size)
{
	while (session->typed_size + size > session->typed_room) {
		session->typed_room = session->typed_room ? 2 * session->typed_room : 1024;
		session->typed = realloc(session->typed, session->typed_room);
		CHECK(session->typed);
	}
	if (size)
		memcpy(session->typed + session->typed_size, data, size);
	session->typed_size += size;
}

size_t model_queued(const struct model_session *session)
{
	const struct mimobox_session *one = mimobox_session_by_id(model_box, session->node >> 8);
	const struct input_shared *in = one ? one->typing.input.shared : NULL;
	if (!in)
		return 0;
	const struct input_write *write = &in->writes[(in->state >> INPUT_NUMBER_SHIFT) % 2];
	bool taken = (in->state & INPUT_PHASES) == INPUT_TAKEN;
	return write->base + (taken ? write->count : 0) - in->passed;
}

static void die_by(struct model_session *session, uint64_t grace)
{
	uint64_t due = fake_now() + grace;
	if (session->end_due == 0 || due < session->end_due)
		session->end_due = due;
	session->killed |= !session->manner.stubborn;
}

/* What `kill` does, said by whomever. */
static void kill_it(struct model_session *session, uint64_t most)
{
	uint64_t grace = session->config.kill_grace_ns;
	if (session->state == STARTING)
		session->cancelled = true;
	else if (session->state == RUNNING)
		die_by(session, grace < most ? grace : most);
}

void model_remove(struct model_session *session)
{
	model_tell(session, "removed");
	session->removed = true;
	kill_it(session, 2000 * FAKE_MS);
	if (session->state == CREATED)
		session->state = EXITED;
}

/* Writes that start, or are to what may have to be started. */

/* In the sandbox of another: those here take nobody in. */
static int join(const struct model_session *session)
{
	const struct model_session *host = model_find(session->config.in);
	if (!host || host == session)
		return -ENOENT;
	return host->uid != session->uid ? -EPERM : -ESRCH;
}

static int begin(struct model_session *session)
{
	session->manner = fake_manner;
	if (session->config.in)
		return join(session);
	/* These are kept beside a workspace. */
	if (session->config.home != UNITS_NONE || session->config.disk != UNITS_NONE ||
	    access_overlays(&session->config.access))
		return -EOPNOTSUPP;
	if (fake_manner.ask_error)
		return fake_manner.ask_error;
	session->state = STARTING;
	session->cancelled = session->executed = session->ended = session->killed = false;
	session->start_due = fake_now() + 10000 * FAKE_MS;
	return INT_MIN;
}

static bool takes_signals(const struct model_session *session)
{
	return session->state == RUNNING && !session->killed;
}

static int end_typing(struct model_session *session)
{
	if (session->state == CREATED || session->state == STARTING)
		return -EBUSY;
	if (session->state != RUNNING)
		return 0; /* it has ended with the session */
	if (session->typing_over || session->hung_up)
		return -EPIPE;
	if (session->config.terminal)
		model_type(session, "\4", 1);
	else
		session->typing_over = true;
	return 0;
}

static int hang_up(struct model_session *session)
{
	if (session->state == CREATED || session->state == STARTING)
		return -ESRCH;
	if (session->state == RUNNING)
		session->hung_up = true;
	return 0;
}

/* One verb: as the table in the README has it. */
static int say(struct model_session *session, char *line)
{
	static const char blanks[] = " \t\r\n";
	char *rest = NULL, *verb = strtok_r(line, blanks, &rest);
	char *argument = verb ? strtok_r(NULL, blanks, &rest) : NULL;
	bool more = argument && strtok_r(NULL, blanks, &rest);
	int number;
	if (!verb)
		return 0;
	if (strcmp(verb, "signal") == 0) {
		if (!argument || more || units_parse_signal(argument, &number) < 0)
			return -EINVAL;
		return takes_signals(session) ? 0 : -ESRCH;
	}
	if (argument)
		return -EINVAL;
	if (strcmp(verb, "start") == 0)
		return session->state == CREATED ? begin(session) : -EBUSY;
	if (strcmp(verb, "kill") == 0) {
		if (session->state == CREATED)
			return -ESRCH;
		kill_it(session, UINT64_MAX);
		return 0;
	}
	if (strcmp(verb, "stop") == 0 || strcmp(verb, "cont") == 0)
		return takes_signals(session) ? 0 : -ESRCH;
	if (strcmp(verb, "eof") == 0)
		return end_typing(session);
	return strcmp(verb, "hangup") == 0 ? hang_up(session) : -EINVAL;
}

/* Lines from call->done on. */
static int say_all(struct call *call)
{
	while (call->done < call->size) {
		char line[4096];
		const char *text = call->data + call->done;
		const char *end = memchr(text, '\n', call->size - call->done);
		size_t length = end ? (size_t)(end - text) : call->size - call->done;
		bool good = length < 128 && !memchr(text, '\0', length);
		memcpy(line, text, good ? length : 0);
		line[good ? length : 0] = '\0';
		int error = length == 0 ? 0 : good ? say(call->handle->session, line) : -EINVAL;
		if (error == INT_MIN)
			return INT_MIN;
		if (error < 0)
			return call->done ? (int)call->done : error;
		call->done += length + (end != NULL);
	}
	return (int)call->done;
}

static int type(struct call *call)
{
	struct model_session *session = call->handle->session;
	int result;
	if (session->state == CREATED) {
		result = begin(session);
		if (result < 0)
			return result;
	}
	if (session->state == STARTING)
		return INT_MIN;
	if (session->state != RUNNING || session->typing_over || session->hung_up)
		return -EPIPE;
	size_t room = INPUT_MAX - model_queued(session);
	size_t count = call->size < room ? call->size : room;
	if (call->size && count == 0) {
		call->full = true;
		return INT_MIN;
	}
	model_type(session, call->data, count);
	return (int)count;
}

void model_write(struct call *call)
{
	struct model_session *session = call->handle->session;
	int result;
	if (session->removed)
		result = call->handle->file == FILE_INPUT ? -EPIPE : -ENOENT;
	else
		result = call->handle->file == FILE_INPUT ? type(call) : say_all(call);
	call->starting = result == INT_MIN && !call->full;
	call->expect = result;
}

/* How the start has ended; 1: it has not. */
static int start_result(const struct model_session *session)
{
	if (session->executed)
		return 0;
	if (session->cancelled)
		return -ECANCELED;
	if (fake_of(session->session))
		return 1;
	if (session->manner.clone_error)
		return session->manner.clone_error;
	if (session->manner.take_error)
		return session->manner.take_error;
	return fake_now() >= session->start_due ? -ETIMEDOUT : -session->manner.start_error;
}

/* What it waited for has come. */
static int go_on(struct call *call, int error)
{
	struct model_session *session = call->handle->session;
	enum model_state state = session->state;
	if (session->removed && call->handle->file == FILE_INPUT)
		return -EPIPE;
	if (error < 0)
		return call->done ? (int)call->done : error;
	session->state = RUNNING; /* as it is to be for the rest of it */
	if (call->handle->file == FILE_INPUT) {
		error = type(call);
	} else {
		const char *end = memchr(call->data + call->done, '\n', call->size - call->done);
		call->done = end ? (size_t)(end + 1 - call->data) : call->size;
		error = session->removed ? (int)call->done : say_all(call);
	}
	session->state = state;
	return error;
}

int model_write_result(struct call *call)
{
	if (!call->starting)
		return call->expect;
	int error = start_result(call->handle->session);
	if (error > 0)
		return INT_MIN;
	call->starting = false;
	call->expect = go_on(call, error);
	return call->expect;
}

/* What is so from now on */

static void start_is_over(struct model_session *session, int error)
{
	session->state = error == 0 ? RUNNING : session->removed ? EXITED : CREATED;
	if (error < 0)
		return;
	session->began = true;
	session->typing_over = session->hung_up = false;
	if (session->config.timeout_ns != UNITS_NONE &&
	    session->config.timeout_ns < INT64_MAX / 2) {
		uint64_t due =
			fake_now() + session->config.timeout_ns + session->config.kill_grace_ns;
		if (session->end_due == 0 || due < session->end_due)
			session->end_due = due;
	}
}

void model_settle(void)
{
	for (int i = 0; i < SESSIONS; i++) {
		struct model_session *session = &sessions[i];
		if (!session->made)
			continue;
		if (session->state == STARTING) {
			int error = start_result(session);
			CHECK(error <= 0 || fake_now() < session->start_due);
			if (error <= 0)
				start_is_over(session, error);
		}
		if (session->state == RUNNING && session->ended)
			session->state = EXITED;
		if (session->state == RUNNING && session->end_due)
			CHECK(fake_now() < session->end_due + 5 * FAKE_MS);
	}
}
