/* SPDX-License-Identifier: MIT */
/*
 * The files, one row each; adding a file is adding a row, with the next id.
 *
 * Text files are shown whole at the first read and served from the handle from then on, so that a
 * reader in small pieces sees one moment. The texts of a user's handles are bounded together, see
 * user.h. `output` and `exit` wait for what they are asked for
 * (see request.c); `transcript` is the same bytes as `output`, but never waits.
 */
#include "files.h"

#include "changes_file.h"
#include "dir.h"
#include "feed.h"
#include "files_network.h"
#include "handle.h"
#include "kept.h"
#include "replace.h"
#include "request.h"
#include "server.h"
#include "user.h"

#include <errno.h>
#include <keep.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct mimobox_session *session_of(const struct handle *handle)
{
	return handle->dir->session;
}

/* The part of a text that a read asks for. */
ssize_t file_give(struct request *request, const char *text, size_t size)
{
	if (request->offset >= size)
		return 0;
	size_t left = size - (size_t)request->offset;
	request->answer = text + request->offset;
	return (ssize_t)(left < request->size ? left : request->size);
}

/* Starts */

/* Removed sessions that hold what a start needs end within some seconds, but a reader may stay. */
#define SHARE_PATIENCE_NS UINT64_C(10000000000)

/* Before the start can begin. */
static ssize_t await_share(struct request *request)
{
	if (!request->expired) {
		request->patience = SHARE_PATIENCE_NS;
		return request_wait(request, MIMOBOX_STARTED);
	}
	mimobox_session_log(session_of(request->handle),
			    "start refused: beside sessions that were removed and have not ended, "
			    "or are still read, it is above the ceiling");
	return -EPERM;
}

/* Of a start that was asked for, as a worker returns; -ERESTART: it is to be asked for again. */
static ssize_t start_result(struct request *request)
{
	int error = mimobox_session_start_result(session_of(request->handle));
	if (error == -EINPROGRESS)
		return request_wait(request, MIMOBOX_STARTED);
	request->starting = false;
	return error;
}

static ssize_t start_asked(struct request *request, int error)
{
	if (error == -ERESTART)
		return await_share(request);
	request_end_patience(request);
	if (error != -EINPROGRESS)
		return error;
	request->starting = true;
	return request_wait(request, MIMOBOX_STARTED);
}

/* input */

/* With a terminal that is full; and with an init that does not answer, for one who may wait. */
enum { INPUT_PATIENCE_MS = 250, INIT_PATIENCE_MS = 5000 };

/* 0 once the session runs, or as a worker returns. The start is short, so it is always awaited. */
static ssize_t ensure_started(struct request *request)
{
	struct mimobox_session *session = session_of(request->handle);
	if (request->starting) {
		ssize_t error = start_result(request);
		if (error != -ERESTART)
			return error;
	}
	enum mimobox_state state = mimobox_session_state(session);
	if (state > MIMOBOX_STARTING)
		return 0;
	keep_request_begin(request->handle->server->keep, request->unique, 0, 0);
	return start_asked(request, state == MIMOBOX_CREATED ? mimobox_session_start(session)
							     : -EINPROGRESS);
}

static ssize_t put_input(struct request *request)
{
	struct dir *dir = request->handle->dir;
	/* Told of room in the midst of the call, dir_notify() has the last word. */
	bool full = dir->input_full;
	dir->input_full = true;
	ssize_t result =
		mimobox_session_input(dir->session, request->unique, request->data, request->size);
	if (result == (ssize_t)request->size || (result < 0 && result != -EAGAIN))
		dir->input_full = result == -EINPROGRESS ? full : false;
	return result;
}

/* Its client waits no longer. */
static ssize_t withdraw_input(const struct request *request)
{
	return mimobox_session_withdraw(request->handle->dir->session, request->unique);
}

static ssize_t write_input(struct request *request)
{
	struct dir *dir = request->handle->dir;
	if (mimobox_session_removed(dir->session)) {
		ssize_t taken = withdraw_input(request);
		return taken == -EAGAIN ? -EPIPE : taken;
	}
	ssize_t result = ensure_started(request);
	if (result < 0)
		return result;
	keep_request_begin(dir->server->keep, request->unique, 0, request->size);
	result = put_input(request);
	if (result == -EINPROGRESS && request->expired)
		result = mimobox_session_withdraw(dir->session, request->unique);
	if (result == -EAGAIN && request->expired)
		mimobox_session_log(dir->session, "input refused: no room, the program reads none");
	if (result != -EINPROGRESS && (result != -EAGAIN || request->nonblock || request->expired))
		return result;
	bool patient = result == -EINPROGRESS && !request->nonblock;
	request->patience = (patient ? INIT_PATIENCE_MS : INPUT_PATIENCE_MS) * UINT64_C(1000000);
	return request_wait(request, MIMOBOX_ROOM);
}

static unsigned poll_input(struct handle *handle)
{
	enum mimobox_state state = mimobox_session_state(session_of(handle));
	if (state >= MIMOBOX_DRAINING || mimobox_session_removed(session_of(handle)))
		return POLLOUT | POLLERR;
	return handle->dir->input_full ? 0 : POLLOUT;
}

/* output, stderr */

static int open_output(struct handle *handle)
{
	return mimobox_reader_open(session_of(handle), MIMOBOX_STDOUT, &handle->reader);
}

static int open_stderr(struct handle *handle)
{
	return mimobox_reader_open(session_of(handle), MIMOBOX_STDERR, &handle->reader);
}

static bool has_stderr(const struct dir *dir)
{
	return !mimobox_session_has_terminal(dir->session);
}

static ssize_t read_output(struct request *request)
{
	struct handle *handle = request->handle;
	size_t size = request->size < SERVER_ANSWER_MAX ? request->size : SERVER_ANSWER_MAX;
	if (handle->stale) {
		handle->stale = false;
		kept_handle(handle);
		return -ESTALE;
	}
	ssize_t count = mimobox_reader_view(handle->reader, handle->server->answer, size,
					    request->offset, &request->answer);
	handle->next = request->offset + (count > 0 ? (uint64_t)count : 0);
	kept_handle(handle);
	if (count != -EAGAIN)
		return count;
	if (dir_ended(handle->dir))
		return 0;
	return request->nonblock ? count : request_wait(request, MIMOBOX_OUTPUT);
}

/*
 * A read of nothing, where the next read is expected, tells what that would do. It takes nothing
 * but the one ESTALE there may be, which is kept for the read itself.
 */
static unsigned poll_output(struct handle *handle)
{
	if (dir_ended(handle->dir))
		return POLLIN | POLLHUP;
	ssize_t count = handle->stale ? -ESTALE
				      : mimobox_reader_read(handle->reader, handle->server->answer,
							    0, handle->next);
	handle->stale = count == -ESTALE;
	kept_handle(handle);
	return count == -EAGAIN ? 0 : POLLIN;
}

/* exit */

static ssize_t read_exit(struct request *request)
{
	int status;
	int error = mimobox_session_exit(session_of(request->handle), &status);
	if (error == -EAGAIN)
		return request->nonblock ? error : request_wait(request, MIMOBOX_ENDED);
	if (error == -ESRCH)
		return 0;
	if (error < 0)
		return error;
	char *text = request->handle->server->answer;
	int size = snprintf(text, SERVER_ANSWER_MAX, "%d\n", status);
	return file_give(request, text, (size_t)size);
}

static unsigned poll_exit(struct handle *handle)
{
	int status;
	return mimobox_session_exit(session_of(handle), &status) == -EAGAIN ? 0 : POLLIN | POLLHUP;
}

/* transcript */

static int open_transcript(struct handle *handle)
{
	uint64_t end;
	mimobox_session_output_range(session_of(handle), MIMOBOX_STDOUT, &handle->base, &end);
	return 0;
}

static uint64_t size_transcript(const struct dir *dir, const struct handle *handle)
{
	uint64_t start, end;
	mimobox_session_output_range(dir->session, MIMOBOX_STDOUT, &start, &end);
	return end - (handle ? handle->base : start);
}

static ssize_t read_transcript(struct request *request)
{
	struct handle *handle = request->handle;
	uint64_t start, end;
	mimobox_session_output_range(session_of(handle), MIMOBOX_STDOUT, &start, &end);
	if (request->offset >= end - handle->base)
		return 0;
	uint64_t at = handle->base + request->offset;
	if (at < start)
		return -ESTALE;
	size_t size = request->size < SERVER_ANSWER_MAX ? request->size : SERVER_ANSWER_MAX;
	request->answer = handle->server->answer;
	return mimobox_session_peek(session_of(handle), MIMOBOX_STDOUT, handle->server->answer,
				    size, at);
}

/* log: it never waits either, and has a size, so that `tail -f` shows what is added. */

static int open_log(struct handle *handle)
{
	uint64_t end;
	mimobox_session_log_range(session_of(handle), &handle->base, &end);
	return 0;
}

static uint64_t size_log(const struct dir *dir, const struct handle *handle)
{
	uint64_t start, end;
	mimobox_session_log_range(dir->session, &start, &end);
	return end - (handle ? handle->base : start);
}

static ssize_t read_log(struct request *request)
{
	struct handle *handle = request->handle;
	size_t size = request->size < SERVER_ANSWER_MAX ? request->size : SERVER_ANSWER_MAX;
	request->answer = handle->server->answer;
	return mimobox_session_log_read(session_of(handle), handle->server->answer, size,
					handle->base + request->offset);
}

/* screen, cursor, cast */

static int show_screen(const struct handle *handle, FILE *to)
{
	return mimobox_session_print_screen(session_of(handle), to);
}

static int show_cursor(const struct handle *handle, FILE *to)
{
	return mimobox_session_print_cursor(session_of(handle), to);
}

static int open_cast(struct handle *handle)
{
	return mimobox_cast_open(session_of(handle), &handle->cast);
}

/* So much at a time: hostile output is slow to write down. */
enum { CAST_READ_MAX = 128 << 10 };

static ssize_t read_cast(struct request *request)
{
	char *to = request->handle->server->answer;
	size_t size = request->size < CAST_READ_MAX ? request->size : CAST_READ_MAX;
	ssize_t count = mimobox_cast_read(request->handle->cast, to, size, request->offset);
	if (count == -EINPROGRESS)
		return request_wait(request, REQUEST_AGAIN);
	kept_cast(request->handle);
	request->answer = to;
	return count;
}

/* ctl */

static const char verbs[] = "start\nkill\nsignal NAME\neof\nhangup\nstop\ncont\nown\nanswer\n"
			    "apply [PATH]\ndiscard [PATH]\n";

static int show_ctl(const struct handle *handle, FILE *to)
{
	(void)handle;
	(void)fputs(verbs, to);
	return 0;
}

/* Of the verbs that are about the open file. */
static bool is_verb(const char *verb, size_t size, const char *name)
{
	static const char blanks[] = " \t\r";
	while (size && memchr(blanks, verb[size - 1], sizeof(blanks) - 1))
		size--;
	while (size && memchr(blanks, *verb, sizeof(blanks) - 1))
		verb++, size--;
	return size == strlen(name) && memcmp(verb, name, size) == 0;
}

static int answer(struct handle *handle)
{
	int error = handle->answers ? 0 : mimobox_session_answer(session_of(handle));
	handle->answers |= error == 0;
	kept_handle(handle);
	return error;
}

static int apply_verb(struct request *request, const char *verb, size_t size)
{
	struct mimobox_session *session = session_of(request->handle);
	ssize_t error;
	if (size == 0) /* as between the verbs of a script */
		return 0;
	if (is_verb(verb, size, "own")) {
		request->handle->owns = true;
		kept_handle(request->handle);
		return 0;
	}
	if (is_verb(verb, size, "answer"))
		return answer(request->handle);
	if (changes_is_verb(verb, size))
		return changes_verb(request, verb, size);
	if (request->starting) {
		error = start_result(request);
		if (error != -ERESTART)
			return (int)error;
	}
	return (int)start_asked(request, mimobox_session_ctl(session, verb, size));
}

static ssize_t write_ctl(struct request *request)
{
	if (mimobox_session_removed(session_of(request->handle)) && !request->starting)
		return request->done ? (ssize_t)request->done : -ENOENT;
	return lines_each(request, apply_verb);
}

/* size, sizes, modes, config, status, log, defaults */

static int show_size(const struct handle *handle, FILE *to)
{
	mimobox_session_print_size(session_of(handle), to);
	return 0;
}

static int show_sizes(const struct handle *handle, FILE *to)
{
	mimobox_session_print_sizes(session_of(handle), to);
	return 0;
}

static int show_modes(const struct handle *handle, FILE *to)
{
	mimobox_session_print_modes(session_of(handle), to);
	return 0;
}

static int apply_size(struct request *request, const char *line, size_t size)
{
	struct mimobox_session *session = session_of(request->handle);
	int error = mimobox_session_resize(session, request->unique, line, size);
	if (error != -EINPROGRESS) {
		request_end_patience(request);
		return error;
	}
	if (request->expired) {
		mimobox_session_resize_not(session, request->unique);
		return -EAGAIN;
	}
	request->patience = INIT_PATIENCE_MS * UINT64_C(1000000);
	return (int)request_wait(request, MIMOBOX_ROOM);
}

static ssize_t write_size(struct request *request)
{
	if (mimobox_session_removed(session_of(request->handle)))
		return -ENOENT;
	return lines_each(request, apply_size);
}

static int show_config(const struct handle *handle, FILE *to)
{
	mimobox_session_print_config(session_of(handle), to);
	return 0;
}

static ssize_t take_config(struct handle *handle, const char *text, size_t size)
{
	if (mimobox_session_removed(session_of(handle)))
		return -ENOENT;
	return mimobox_session_configure(session_of(handle), text, size);
}

static int show_status(const struct handle *handle, FILE *to)
{
	mimobox_session_print_status(session_of(handle), to);
	return 0;
}

static int show_defaults(const struct handle *handle, FILE *to)
{
	mimobox_defaults_print(handle->server->box, to);
	return 0;
}

static int show_stats(const struct handle *handle, FILE *to)
{
	const char *name = keep_name(handle->server->keep);
	mimobox_print_stats(handle->server->box, handle->user->uid, to);
	if (*name && handle->user->uid == geteuid())
		(void)fprintf(to, REPLACE_KEY " @%s\n", name);
	return 0;
}

static int show_metrics(const struct handle *handle, FILE *to)
{
	const struct server *server = handle->server;
	return mimobox_print_metrics(server->box, handle->user->uid, server->metrics_sessions, to);
}

static ssize_t take_defaults(struct handle *handle, const char *text, size_t size)
{
	return mimobox_defaults_configure(handle->server->box, text, size);
}

/* network, asks: files_network.c */

static bool has_names(const struct dir *dir)
{
	return mimobox_session_has_names(dir->session);
}

/* ports */

static bool has_ports(const struct dir *dir)
{
	return mimobox_session_has_ports(dir->session);
}

const struct file port_file = { 33, "port", 0600, .socket = true };

/* workspace */

static const char *link_workspace(const struct dir *dir)
{
	return mimobox_session_workspace(dir->session);
}

/*
 * Ids that none had are 24 to 26, 28, 29, and those from 34 on: question_file has 21, and port_file
 * 33.
 */
/* clang-format off */
const struct file root_files[] = {
	{ 2, "defaults", 0644, .show = show_defaults, .take = take_defaults },
	{ 3, "events", 0444, .open = feed_open, .close = feed_close, .read = feed_read, .poll = feed_poll },
	{ 4, "stats", 0444, .show = show_stats },
	{ 23, "metrics", 0444, .show = show_metrics },
	{ 0 },
};

const struct file session_files[] = {
	{ 5, "input", 0200, .write = write_input, .withdraw = withdraw_input, .poll = poll_input, .event = MIMOBOX_ROOM },
	{ 6, "output", 0400, .open = open_output, .read = read_output, .poll = poll_output, .event = MIMOBOX_OUTPUT },
	{ 7, "size", 0600, .show = show_size, .write = write_size },
	{ 8, "ctl", 0600, .show = show_ctl, .write = write_ctl },
	{ 9, "exit", 0400, .read = read_exit, .poll = poll_exit, .event = MIMOBOX_ENDED },
	{ 10, "config", 0600, .show = show_config, .take = take_config },
	{ 11, "status", 0400, .show = show_status },
	{ 12, "log", 0400, .open = open_log, .read = read_log, .size = size_log },
	{ 13, "screen", 0400, .show = show_screen },
	{ 14, "sizes", 0400, .show = show_sizes },
	{ 15, "modes", 0400, .show = show_modes },
	{ 16, "cast", 0400, .open = open_cast, .read = read_cast },
	{ 17, "transcript", 0400, .open = open_transcript, .read = read_transcript, .size = size_transcript },
	{ 18, "stderr", 0400, .open = open_stderr, .read = read_output, .poll = poll_output, .event = MIMOBOX_OUTPUT, .there = has_stderr },
	{ 19, "wait", 0500, .directory = true },
	{ 20, "workspace", 0777, .link = link_workspace },
	{ 30, "network", 0600, .show = network_show, .write = network_write, .there = has_names },
	{ 31, "asks", 0400, .open = asks_open, .read = asks_read, .poll = asks_poll, .event = MIMOBOX_ASKED, .there = has_names },
	{ 32, "ports", 0700, .directory = true, .ports = true, .there = has_ports },
	{ 22, "cursor", 0400, .show = show_cursor },
	{ 27, "changes", 0400, .close = changes_close, .read = changes_read },
	{ 0 },
};
/* clang-format on */

const struct file *file_find(const struct file *table, const char *name)
{
	for (const struct file *file = table; file->name; file++)
		if (strcmp(file->name, name) == 0)
			return file;
	return NULL;
}

const struct file *file_by_id(const struct file *table, uint64_t id)
{
	for (const struct file *file = table; file->name; file++)
		if (file->id == id)
			return file;
	return NULL;
}

const struct file *file_after(const struct file *table, uint64_t id)
{
	const struct file *next = NULL;
	for (const struct file *file = table; file->name; file++)
		if (file->id > id && (!next || file->id < next->id))
			next = file;
	return next;
}

bool file_there(const struct file *file, const struct dir *dir)
{
	return !file->there || file->there(dir);
}

mode_t file_type(const struct file *file)
{
	return file->link ? S_IFLNK : file->directory ? S_IFDIR : file->socket ? S_IFSOCK : S_IFREG;
}

mode_t file_most_mode(const struct file *file)
{
	mode_t of_owner = file->mode & S_IRWXU;
	/* What is bound in `ports` is the owner's. */
	mode_t of_others = file->ports ? of_owner & ~(mode_t)S_IWUSR : of_owner;
	return of_owner | of_others >> 3 | of_others >> 6;
}

bool file_readable(const struct file *file)
{
	return file->show || file->read;
}

bool file_writable(const struct file *file)
{
	return file->take || file->write;
}

/* FNV-1a, which says whether a text is the same as one that was dropped. */
static uint64_t digest_of(const char *data, size_t size)
{
	uint64_t digest = UINT64_C(14695981039346656037);
	for (size_t i = 0; i < size; i++)
		digest = (digest ^ (unsigned char)data[i]) * UINT64_C(1099511628211);
	return digest;
}

void file_drop_text(struct handle *handle)
{
	struct text *text = &handle->text;
	handle->digest = digest_of(text->data, text->size);
	handle->dropped = true;
	link_remove(&handle->texts);
	handle->user->buffers -= text->size;
	handle->server->freed += text->size;
	free(text->data);
	text->data = NULL;
	kept_text(handle);
}

static int show(struct handle *handle, struct text *text)
{
	FILE *to = open_memstream(&text->data, &text->size);
	if (!to)
		return -errno;
	int error = handle->file->show(handle, to);
	if (error == 0 && ferror(to))
		error = -ENOMEM;
	if (fclose(to) != 0 && error == 0)
		error = -ENOMEM;
	if (error < 0)
		free(text->data);
	return error;
}

static void take_text(struct handle *handle, struct text text)
{
	size_t before = handle->text.data ? handle->text.size : 0;
	free(handle->text.data);
	handle->text = text;
	handle->dropped = false;
	user_hold_text(handle, before);
	kept_text(handle);
}

static int make_text(struct handle *handle)
{
	struct text text = { 0 };
	int error = show(handle, &text);
	if (error == 0)
		take_text(handle, text);
	return error;
}

/* The one that was dropped, where it is the same; of a log that has grown, its beginning. */
static int make_text_again(struct handle *handle)
{
	struct text text = { 0 };
	size_t size = handle->text.size;
	int error = show(handle, &text);
	if (error < 0)
		return error;
	if (text.size < size || digest_of(text.data, size) != handle->digest) {
		free(text.data);
		return -ESTALE;
	}
	text.size = size;
	take_text(handle, text);
	return 0;
}

/* -EINPROGRESS: a piece of it was done. */
static int have_text(struct handle *handle, uint64_t offset)
{
	if (offset == 0 || (!handle->text.data && !handle->dropped))
		return make_text(handle);
	if (handle->text.data || offset >= handle->text.size)
		return 0;
	return make_text_again(handle);
}

ssize_t file_read(struct request *request)
{
	struct handle *handle = request->handle;
	if (handle->file->read)
		return handle->file->read(request);
	int error = have_text(handle, request->offset);
	if (error == -EINPROGRESS)
		return request_wait(request, REQUEST_AGAIN);
	if (error < 0)
		return error;
	ssize_t count = file_give(request, handle->text.data, handle->text.size);
	user_text_read(handle, request->offset + (uint64_t)count >= handle->text.size);
	return count;
}

ssize_t file_write(struct request *request)
{
	struct handle *handle = request->handle;
	if (handle->file->take)
		return lines_carry(handle, handle->file->take, request->data, request->size);
	return handle->file->write(request);
}
