/* SPDX-License-Identifier: MIT */
/* What is written: verbs, config, sizes, input; and that what is refused has its reason in the log.
 */
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mimobox.h>
#include <session.h>
#include <terminal.h>

static int resize(struct model_session *session, const char *text, size_t size)
{
	size_t done = 0;
	while (done < size) {
		const char *end = memchr(text + done, '\n', size - done);
		size_t length = end ? (size_t)(end - text) - done : size - done;
		uint16_t rows, cols;
		int error = terminal_parse_size(text + done, length, &rows, &cols);
		if (error < 0)
			return done ? (int)done : error;
		if (session->state != EXITED) {
			session->rows = rows;
			session->cols = cols;
		}
		done += length + (end != NULL);
	}
	return (int)done;
}

static int configure(struct model_session *session, const char *text, size_t size)
{
	struct reason reason;
	unsigned line;
	int error;
	if (size == 0)
		return 0;
	if (session && session->removed)
		return -ENOENT;
	if (session && session->state != CREATED)
		return -EBUSY;
	size_t taken = config_apply(session ? &session->config : &model_defaults,
				    session ? &model_defaults : &model_builtin, text, size, &error,
				    &line, &reason);
	return taken == 0 && error < 0 ? error : (int)taken;
}

static const char *const texts[] = {
	"start\n",
	"kill\n",
	"start\nkill\n",
	"eof\n",
	"hangup\n",
	"signal INT\nstop\ncont\n",
	"terminal no\n",
	"retain 64K\noverflow drop\nreplies never\n",
	"kill-grace 20ms\ntimeout 1s\n",
	"24 80\n",
	"10 300\n65536 1\n",
	"\n",
	"signal 99\n",
	"start",
	"memroy 1\n",
	"reset\n",
	"kill\neof\nsignal TERM\n",
	"eof\neof\n",
	"hangup\neof\n",
	"timeout 50ms\n",
};
enum { TEXTS = sizeof(texts) / sizeof(texts[0]) };

enum { FLOOD = 128 << 10 };

/* `flood`: at times as much as a kernel writes at once. */
static const char *take_text(bool flood, size_t *size)
{
	static char text[FLOOD];
	uint8_t byte = fuzz_byte(&choices);
	size_t taken;
	if (byte < 160) {
		*size = strlen(texts[byte % TEXTS]);
		return texts[byte % TEXTS];
	}
	*size = byte < 250 ? byte - 160u : byte < 255 || !flood ? 4000 : FLOOD;
	const uint8_t *bytes = fuzz_take(&choices, *size < 4000 ? *size : 8, &taken);
	memset(text, 'x', *size);
	memcpy(text, bytes, taken);
	return text;
}

static const struct journal *journal_of(uint64_t node)
{
	const struct mimobox_session *session = mimobox_session_by_id(model_box, node >> 8);
	return session ? &session->journal : NULL;
}

static size_t journal_mark(const struct model_session *session)
{
	const struct journal *journal = session ? journal_of(session->node) : NULL;
	return journal ? journal->size + journal->dropped * 1000000 : 0;
}

static bool is_write_pending(const struct model_handle *handle)
{
	for (int i = 0; i < CALLS; i++)
		if (calls[i].used && calls[i].opcode == FUSE_WRITE &&
		    calls[i].handle->session == handle->session &&
		    calls[i].handle->file == handle->file)
			return true;
	return false;
}

void kernel_write(void)
{
	struct model_handle *handle = take_handle();
	size_t size;
	const char *text = take_text(handle && handle->file == FILE_INPUT, &size);
	if (!handle || (handle->flags & O_ACCMODE) == O_RDONLY || is_write_pending(handle))
		return;
	struct model_session *session = handle->session;
	if (handle->file == FILE_INPUT && session->typed_size + size + 8 > TYPED_MAX)
		return;
	struct fuse_write_in in = { .fh = handle->fh,
				    .size = (uint32_t)size,
				    .flags = handle->flags };
	struct call *call = wire_send(FUSE_WRITE, kernel_node_of(handle), handle->uid, &in,
				      sizeof(in), text, size);
	if (!call)
		return;
	call->handle = handle;
	call->size = size;
	call->nonblock = in.flags & O_NONBLOCK;
	call->data = malloc(size + 1);
	CHECK(call->data);
	memcpy(call->data, text, size);
	call->mark = journal_mark(session);
	if (handle->file == FILE_INPUT || handle->file == FILE_CTL)
		model_write(call);
	else if (handle->file == FILE_SIZE)
		call->expect = session->removed ? -ENOENT : resize(session, text, size);
	else
		call->expect = configure(session, text, size);
}

enum { PATIENCE_MS = 250 };

/* There was no room for it: there is now, or it has waited, or nothing is taken any more. */
static void check_full(struct call *call)
{
	const struct fuse_write_out *out = (const void *)call->payload;
	struct model_session *session = call->handle->session;
	if (call->error == 0) {
		CHECK(out->size > 0 && out->size <= call->size);
		model_type(session, call->data, out->size);
	} else if (call->error == -EAGAIN) {
		CHECK(call->nonblock || fake_now() >= call->sent + PATIENCE_MS * FAKE_MS);
		CHECK(call->nonblock || journal_mark(session) != call->mark);
	} else if (call->error == -EPIPE) {
		CHECK(session->removed || session->ended || session->hung_up ||
		      session->typing_over);
	} else {
		CHECK(call->error == -EINTR && call->interrupted);
	}
}

void kernel_check_full(const struct call *call)
{
	const struct model_session *session = call->handle->session;
	CHECK(!call->nonblock && fake_now() < call->sent + (PATIENCE_MS + 4) * FAKE_MS);
	CHECK(session->state == RUNNING && !session->removed && !session->hung_up &&
	      !session->typing_over && model_queued(session) == INPUT_MAX);
}

void kernel_write_done(struct call *call)
{
	const struct fuse_write_out *out = (const void *)call->payload;
	if (call->full) {
		check_full(call);
		return;
	}
	if (call->interrupted && call->starting) {
		/* Of several lines those that have taken effect count. */
		CHECK(call->done ? call->error == 0 && out->size == call->done
				 : call->error == -EINTR);
		return;
	}
	int expect = model_write_result(call);
	CHECK(expect != INT_MIN);
	if (call->error < 0) {
		const struct model_session *session = call->handle->session;
		if (call->error != expect)
			fprintf(stderr, "%d, to be %d\n", call->error, expect);
		CHECK(call->error == expect);
		/* The reason is in the log. */
		CHECK(!session || session->removed || journal_mark(session) != call->mark);
		return;
	}
	if ((int)out->size != expect)
		fprintf(stderr, "%u, to be %d\n", out->size, expect);
	CHECK((int)out->size == expect);
}
