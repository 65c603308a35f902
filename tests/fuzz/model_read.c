/* SPDX-License-Identifier: MIT */
/* What is read, and when: the contents of every file by the model, and who has to wait. */
#include "model.h"
#include "utf8_check.h"

#include <ctype.h>
#include <jansson.h>
#include <poll.h>
#include <stream.h>
#include <units.h>

static int stream_of(const struct model_handle *handle)
{
	return handle->file == FILE_STDERR;
}

static size_t printed(const struct model_handle *handle)
{
	return handle->session->printed_size[stream_of(handle)];
}

static bool unseen(const struct model_handle *handle)
{
	for (unsigned i = 0; i < handle->told_count; i++)
		if (!handle->told[i].seen)
			return true;
	return false;
}

/* Questions */

/* 1: answered, at *offset; 0: not; -1: that is not known here. */
static int is_answered(const struct model_handle *handle, uint64_t *offset)
{
	const struct model_session *session = handle->session;
	const char *text = handle->question;
	uint64_t duration;
	*offset = session->printed_size[0];
	if (model_over(session))
		return 1;
	if (strcmp(text, "exit") == 0)
		return 0;
	if (strncmp(text, "idle:", 5) == 0) {
		uint64_t since =
			session->printed_at > handle->asked ? session->printed_at : handle->asked;
		/* Once it was so it stays so, when somebody looked just then. */
		CHECK(units_parse_duration(text + 5, &duration) == 0);
		return fake_now() - handle->asked < duration ? 0
		       : fake_now() - since >= duration      ? 1
							     : -1;
	}
	const char *literal = strchr(text, ':') + 1;
	size_t length = strlen(literal), from = (size_t)handle->from;
	for (const char *at = literal; *at; at++)
		if (!isalnum((unsigned char)*at))
			return -1;
	if (length == 0 || from > session->printed_size[0])
		return length == 0 ? -1 : 0;
	const uint8_t *found = session->printed[0]
				       ? memmem(session->printed[0] + from,
						session->printed_size[0] - from, literal, length)
				       : NULL;
	if (found)
		*offset = (uint64_t)(found - session->printed[0]) + length;
	return found != NULL;
}

int model_waits(const struct call *call)
{
	const struct model_handle *handle = call->handle;
	const struct model_session *session = handle->session;
	uint64_t offset;
	if (call->nonblock)
		return 0;
	switch (handle->file) {
	case FILE_OUTPUT:
	case FILE_STDERR:
		return call->offset >= printed(handle) && !model_over(session);
	case FILE_EXIT:
		return !model_over(session);
	case FILE_EVENTS:
		return !unseen(handle) && handle->line_size == 0 && !model_stopping;
	case FILE_QUESTION: {
		int answered = is_answered(handle, &offset);
		return answered < 0 ? -1 : !answered;
	}
	default:
		return 0;
	}
}

unsigned model_ready(const struct model_handle *handle)
{
	const struct model_session *session = handle->session;
	uint64_t offset;
	switch (handle->file) {
	case FILE_INPUT:
		if (session->state == RUNNING && !session->removed &&
		    model_queued(session) == INPUT_MAX)
			return UINT32_MAX;
		return session->state == EXITED || session->removed ? POLLOUT | POLLERR : POLLOUT;
	case FILE_OUTPUT:
	case FILE_STDERR:
		return model_over(session)              ? POLLIN | POLLHUP
		       : printed(handle) > handle->next ? POLLIN
							: 0;
	case FILE_EXIT:
		return model_over(session) ? POLLIN | POLLHUP : 0;
	case FILE_EVENTS:
		return model_stopping                        ? POLLIN | POLLHUP
		       : unseen(handle) || handle->line_size ? POLLIN
							     : 0;
	case FILE_QUESTION: {
		int answered = is_answered(handle, &offset);
		return answered < 0 ? UINT32_MAX : answered ? POLLIN | POLLHUP : 0;
	}
	default:
		return POLLIN | POLLOUT;
	}
}

/* Contents */

static void check_part(const struct call *call, const char *text, size_t size)
{
	size_t left = call->offset < size ? size - (size_t)call->offset : 0;
	CHECK(call->payload_size == (left < call->size ? left : call->size));
	CHECK(memcmp(call->payload, text + call->offset, call->payload_size) == 0);
}

static void check_output(const struct call *call)
{
	const struct model_handle *handle = call->handle;
	size_t size = printed(handle);
	const uint8_t *bytes = handle->session->printed[stream_of(handle)];
	if (call->offset >= size) {
		CHECK(call->payload_size == 0);
		return;
	}
	CHECK(call->payload_size <= size - call->offset);
	CHECK(call->payload_size > 0 || call->size == 0);
	CHECK(memcmp(call->payload, bytes + call->offset, call->payload_size) == 0);
}

static void check_exit(const struct call *call)
{
	char text[32] = "";
	if (call->handle->session->began || call->handle->session->executed)
		snprintf(text, sizeof(text), "%d\n", call->handle->session->status);
	check_part(call, text, strlen(text));
}

static void check_question(const struct call *call)
{
	const struct model_session *session = call->handle->session;
	char text[64] = "";
	uint64_t offset;
	int answered = is_answered(call->handle, &offset);
	size_t size = call->payload_size < sizeof(text) ? call->payload_size : sizeof(text) - 1;
	if (model_over(session) && !session->began && !session->executed && size == 0)
		return;
	/* The first answer is for good: it may be one from before the end. */
	memcpy(text, call->payload, size);
	if (call->offset || call->size < sizeof(text) || answered < 0)
		return;
	const char *reason = strncmp(call->handle->question, "idle", 4) == 0    ? "idle "
			     : strncmp(call->handle->question, "match", 5) == 0 ? "match "
										: "exit ";
	CHECK(strncmp(text, reason, strlen(reason)) == 0 || strncmp(text, "exit ", 5) == 0);
	CHECK(strncmp(text, "exit ", 5) != 0 || model_over(session));
	CHECK(size > 2 && text[size - 1] == '\n');
	unsigned long long at = strtoull(strchr(text, ' ') + 1, NULL, 10);
	CHECK(at <= session->printed_size[0] || !model_over(session));
	CHECK(strcmp(reason, "match ") != 0 || strncmp(text, "match ", 6) != 0 ||
	      model_over(session) || at == offset);
}

/* Lines may come in pieces; those of different sessions in any order. */
static void see_line(struct model_handle *handle)
{
	const char *line = handle->line + sizeof("2026-11-24T20:00:00.000Z");
	size_t name = strcspn(line, " ");
	CHECK(handle->line_size > 25 && handle->line[10] == 'T' && line[-1] == ' ');
	for (unsigned i = 0; i < handle->told_count; i++) {
		struct told *told = &handle->told[i];
		if (told->seen || strncmp(told->line, line, name + 1) != 0)
			continue;
		CHECK(strcmp(told->line, line) == 0);
		told->seen = true;
		return;
	}
	CHECK(!"a line of what has happened");
}

static void check_events(const struct call *call)
{
	struct model_handle *handle = call->handle;
	CHECK(call->payload_size > 0 || model_stopping || call->size == 0);
	for (size_t i = 0; i < call->payload_size; i++) {
		CHECK(handle->line_size < sizeof(handle->line) - 1);
		handle->line[handle->line_size++] = (char)call->payload[i];
		if (call->payload[i] != '\n')
			continue;
		handle->line[handle->line_size - 1] = '\0';
		see_line(handle);
		handle->line_size = 0;
	}
}

/* Files that are shown whole */

static char *expected_text(const struct model_handle *handle)
{
	static const char verbs[] =
		"start\nkill\nsignal NAME\neof\nhangup\nstop\ncont\nown\nanswer\n";
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);
	CHECK(to);
	if (handle->file == FILE_SIZE)
		fprintf(to, "%u %u\n", handle->session->rows, handle->session->cols);
	else if (handle->file == FILE_CTL)
		fputs(verbs, to);
	else if (handle->file == FILE_CONFIG)
		config_print_whole(&handle->session->config, to);
	else if (handle->file == FILE_DEFAULTS)
		config_print_whole(&model_defaults, to);
	fclose(to);
	return text;
}

static bool has_line(const char *text, const char *line)
{
	size_t length = strlen(line);
	for (const char *at = text; (at = strstr(at, line)); at++)
		if ((at == text || at[-1] == '\n') && at[length] == '\n')
			return true;
	return false;
}

static void check_status(const struct model_session *session, const char *text)
{
	static const char *const names[] = { "created", "starting", "running", "exited" };
	char line[64];
	snprintf(line, sizeof(line), "state %s", names[session->state]);
	CHECK(has_line(text, line));
	snprintf(line, sizeof(line), "output-end %zu", session->printed_size[0]);
	CHECK(has_line(text, line));
	snprintf(line, sizeof(line), "exit %d", session->status);
	CHECK(has_line(text, line) == (session->state == EXITED && session->began));
}

static void check_lines(const char *text, unsigned rows)
{
	unsigned lines = 0;
	for (; *text; text++)
		lines += *text == '\n';
	CHECK(lines == rows);
}

static void check_whole(const struct model_handle *handle, const char *text, size_t size)
{
	char line[64];
	CHECK(strlen(text) == size);
	if (handle->file == FILE_STATUS)
		check_status(handle->session, text);
	if (handle->file == FILE_STATS) {
		unsigned count = 0;
		for (int i = 0; i < SESSIONS; i++)
			count += sessions[i].made && !sessions[i].removed &&
				 (handle->uid == 0 || sessions[i].uid == handle->uid);
		snprintf(line, sizeof(line), "sessions %u", count);
		CHECK(has_line(text, line));
	}
	if (handle->file == FILE_SCREEN) {
		check_utf8(text, size);
		check_lines(text, handle->session->rows);
	}
	if (handle->file == FILE_MODES)
		CHECK(size == 0); /* all is kept */
	if (handle->file == FILE_SIZES) {
		snprintf(line, sizeof(line), " %u %u\n", handle->session->rows,
			 handle->session->cols);
		CHECK(size > strlen(line) && text[0] == '0');
		CHECK(strcmp(text + size - strlen(line), line) == 0);
	}
	if (handle->file == FILE_CURSOR) {
		int row = 0, col = 0;
		CHECK(sscanf(text, "%d %d ", &row, &col) == 2 && row > 0 && col > 0);
		CHECK(row <= handle->session->rows && col <= handle->session->cols);
		CHECK(strchr(text, '\n') == text + size - 1);
	}
	if (handle->file != FILE_SIZE && handle->file != FILE_CTL && handle->file != FILE_CONFIG &&
	    handle->file != FILE_DEFAULTS)
		return;
	char *right = expected_text(handle);
	if (strcmp(text, right) != 0)
		fprintf(stderr, "--- read:\n%s--- expected:\n%s", text, right);
	CHECK(strcmp(text, right) == 0);
	free(right);
}

/* A text is as it was at the beginning, however it is read from there. */
static void check_shown(const struct call *call)
{
	struct model_handle *handle = call->handle;
	bool whole = call->payload_size < call->size;
	if (call->offset && handle->text)
		check_part(call, handle->text, handle->text_size);
	if (call->offset)
		return;
	free(handle->text);
	handle->text = NULL;
	if (!whole)
		return;
	handle->text = malloc(call->payload_size + 1);
	CHECK(handle->text);
	memcpy(handle->text, call->payload, call->payload_size);
	handle->text[call->payload_size] = '\0';
	handle->text_size = call->payload_size;
	check_whole(handle, handle->text, handle->text_size);
}

/* It only grows, and what a handle has read of it stays. */
static void check_log(const struct call *call)
{
	struct model_handle *handle = call->handle;
	const char *payload = (const char *)call->payload;
	size_t known = 0;
	if (handle->text && call->offset < handle->text_size)
		known = handle->text_size - (size_t)call->offset;
	CHECK(call->payload_size == call->size || call->payload_size >= known);
	if (known > call->payload_size)
		known = call->payload_size;
	CHECK(known == 0 || memcmp(handle->text + call->offset, payload, known) == 0);
	if (call->offset || call->payload_size == call->size)
		return;
	CHECK(call->payload_size > 24 && payload[call->payload_size - 1] == '\n');
	free(handle->text);
	handle->text = malloc(call->payload_size);
	CHECK(handle->text);
	memcpy(handle->text, payload, call->payload_size);
	handle->text_size = call->payload_size;
}

static void check_cast(const struct call *call)
{
	const char *text = (const char *)call->payload;
	size_t left = call->payload_size;
	const char *end;
	if (call->offset)
		return;
	for (; left && (end = memchr(text, '\n', left)); text = end + 1) {
		json_t *line = json_loadb(text, (size_t)(end - text), JSON_ALLOW_NUL, NULL);
		CHECK(line);
		json_decref(line);
		left -= (size_t)(end + 1 - text);
	}
	CHECK(left == 0 || call->payload_size == call->size);
}

void model_check_read(struct call *call)
{
	struct model_handle *handle = call->handle;
	switch (handle->file) {
	case FILE_OUTPUT:
	case FILE_STDERR:
		check_output(call);
		break;
	case FILE_TRANSCRIPT:
		CHECK(call->offset < handle->session->printed_size[0] || call->payload_size == 0);
		check_output(call);
		break;
	case FILE_EXIT:
		check_exit(call);
		break;
	case FILE_QUESTION:
		check_question(call);
		break;
	case FILE_EVENTS:
		check_events(call);
		break;
	case FILE_CAST:
		check_cast(call);
		break;
	case FILE_LOG:
		check_log(call);
		break;
	default:
		check_shown(call);
	}
	handle->next = call->offset + call->payload_size;
}
