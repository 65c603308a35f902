/* SPDX-License-Identifier: MIT */
/* What a kernel asks of open files: open, read, write, poll, release, and to be told no more. */
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mimobox.h>
#include <pattern.h>
#include <poll.h>
#include <units.h>

enum { READ_MAX = 65536 };

/* Open files */

static int expect_question(const char *text)
{
	struct pattern *pattern;
	const char *why;
	uint64_t number;
	char *copy, *colon;
	if (strcmp(text, "exit") == 0)
		return 0;
	if (strncmp(text, "idle:", 5) == 0)
		return units_parse_duration(text + 5, &number);
	colon = strchr(text, ':');
	if (!colon)
		return -EINVAL;
	if (text[5] == '@') {
		copy = strndup(text + 6, (size_t)(colon - text - 6));
		int error = strlen(copy) < 24 ? units_parse_count(copy, 0, INT64_MAX, &number)
					      : -EINVAL;
		free(copy);
		if (error < 0)
			return -EINVAL;
	}
	int error = pattern_compile(colon + 1, &pattern, &why);
	if (error == 0)
		pattern_free(pattern);
	return error;
}

static int expect_open(const struct model_node *node, uint32_t flags)
{
	uint32_t access = flags & O_ACCMODE;
	if (!model_alive(node->session))
		return -ENOENT;
	if (is_directory(node))
		return -EISDIR;
	if (node->session && node->session->removed)
		return -ENOENT;
	if (node->file == FILE_WORKSPACE)
		return -EACCES;
	if ((access != O_WRONLY && !(first_mode_of(node) & 0400)) ||
	    (access != O_RDONLY && !(first_mode_of(node) & 0200)))
		return -EACCES;
	return node->file == FILE_QUESTION ? expect_question(node->text) : 0;
}

static struct model_handle *free_handle(void)
{
	for (int i = 0; i < HANDLES; i++)
		if (!handles[i].open)
			return &handles[i];
	return NULL;
}

static void open_node(const struct model_node *node)
{
	uint8_t byte = fuzz_byte(&choices);
	struct fuse_open_in in = { .flags = byte & 3 };
	struct model_handle *handle = free_handle();
	if ((byte & 3) == 3) /* as the file is meant to be opened */
		in.flags = !(first_mode_of(node) & 0400)   ? O_WRONLY
			   : !(first_mode_of(node) & 0200) ? O_RDONLY
							   : O_RDWR;
	in.flags |= byte & 4 ? O_NONBLOCK : 0;
	if (!handle)
		return;
	struct call *call =
		wire_send(FUSE_OPEN, node->node, take_uid(byte >> 3), &in, sizeof(in), NULL, 0);
	if (!call)
		return;
	free(handle->text);
	free(handle->question);
	*handle = (struct model_handle){
		.session = node->session,
		.file = node->file,
		.flags = in.flags,
		.uid = call->uid,
		.question = node->text ? strdup(node->text) : NULL,
	};
	call->expect = expect_open(node, in.flags);
	call->handle = handle;
}

void kernel_opened(const struct call *call)
{
	struct model_handle *handle = call->handle;
	const struct fuse_open_out *out = (const void *)call->payload;
	CHECK(out->open_flags & FOPEN_DIRECT_IO);
	for (int i = 0; i < HANDLES; i++)
		CHECK(!handles[i].open || handles[i].fh != out->fh);
	handle->open = true;
	handle->fh = out->fh;
	handle->asked = fake_now();
	if (handle->session)
		handle->session->handles++;
	if (handle->question && strncmp(handle->question, "match@", 6) == 0)
		handle->from = strtoull(handle->question + 6, NULL, 10);
	else if (handle->session)
		handle->from = handle->session->printed_size[0];
}

void kernel_open(void)
{
	uint8_t byte = fuzz_byte(&choices);
	enum model_file file = (enum model_file)(byte % FILES);
	struct model_session *session = file < FIRST_OF_SESSION ? NULL : take_session();
	if (file >= FIRST_OF_SESSION && !session)
		return;
	const struct model_node *node = kernel_reach(session, file);
	if (node)
		open_node(node);
}

/* Asks a question: looks its name up, or opens it where that was done. */
void kernel_ask(void)
{
	struct model_session *session = take_session();
	const char *name = take_name();
	const struct model_node *directory = session ? kernel_reach(session, FILE_WAIT) : NULL;
	if (!directory)
		return;
	for (int i = 0; i < NODES; i++)
		if (nodes[i].lookups && nodes[i].file == FILE_QUESTION &&
		    nodes[i].session == session && strcmp(nodes[i].text, name) == 0) {
			open_node(&nodes[i]);
			return;
		}
	kernel_look_up(directory, name);
}

uint64_t kernel_node_of(const struct model_handle *handle)
{
	for (int i = 0; i < NODES; i++)
		if (nodes[i].lookups && nodes[i].session == handle->session &&
		    nodes[i].file == handle->file)
			return nodes[i].node;
	return handle->session ? handle->session->node : FUSE_ROOT_ID;
}

void kernel_read(void)
{
	struct model_handle *handle = take_handle();
	uint8_t byte = fuzz_byte(&choices);
	if (!handle || (handle->flags & O_ACCMODE) == O_WRONLY)
		return;
	struct fuse_read_in in = { .fh = handle->fh, .size = READ_MAX, .offset = handle->next };
	if (byte & 1 && handle->file != FILE_EVENTS)
		in.offset = byte & 8 ? fuzz_number(&choices, 2) : 0;
	if (byte & 2)
		in.size = fuzz_byte(&choices);
	in.flags = (handle->flags & ~(uint32_t)O_NONBLOCK) | (byte & 4 ? O_NONBLOCK : 0);
	/* One descriptor's reads come one after the other. */
	if (is_in_use(handle))
		return;
	struct call *call =
		wire_send(FUSE_READ, kernel_node_of(handle), handle->uid, &in, sizeof(in), NULL, 0);
	if (!call)
		return;
	call->handle = handle;
	call->size = in.size;
	call->offset = in.offset;
	call->nonblock = in.flags & O_NONBLOCK;
	handle->next = in.offset; /* where it is then asked for more, come what may */
}

void kernel_read_done(struct call *call)
{
	bool nonblock = call->nonblock;
	call->nonblock = false;
	int waits = model_waits(call);
	if (call->error == -EINTR && call->interrupted)
		return;
	if (call->error == -EAGAIN && nonblock) {
		CHECK(waits != 0);
		return;
	}
	CHECK(call->error == 0);
	CHECK(waits != 1);
	model_check_read(call);
	/* Who reads something again is not told of that. */
	call->handle->registered &= model_ready(call->handle) == 0;
}

/* Other requests on what is open or known */

void kernel_release(void)
{
	struct model_handle *handle = take_handle();
	uint8_t byte = fuzz_byte(&choices);
	if (!handle)
		return;
	if (byte & 1) {
		struct fuse_flush_in in = { .fh = handle->fh };
		wire_send(FUSE_FLUSH, kernel_node_of(handle), handle->uid, &in, sizeof(in), NULL,
			  0);
		return;
	}
	struct fuse_release_in in = { .fh = handle->fh, .flags = handle->flags };
	if (is_in_use(handle) ||
	    !wire_send(FUSE_RELEASE, kernel_node_of(handle), 0, &in, sizeof(in), NULL, 0))
		return;
	handle->open = false;
	if (handle->session)
		handle->session->handles--;
}

void kernel_poll(void)
{
	struct model_handle *handle = take_handle();
	uint8_t byte = fuzz_byte(&choices);
	if (!handle)
		return;
	struct fuse_poll_in in = { .fh = handle->fh,
				   .kh = (uint64_t)(handle - handles) + 1,
				   .flags = byte & 1 ? FUSE_POLL_SCHEDULE_NOTIFY : 0,
				   .events = POLLIN | POLLOUT };
	struct call *call =
		wire_send(FUSE_POLL, kernel_node_of(handle), 0, &in, sizeof(in), NULL, 0);
	if (!call)
		return;
	call->handle = handle;
	call->offset = byte & 1;
}

void kernel_poll_done(const struct call *call)
{
	const struct fuse_poll_out *out = (const void *)call->payload;
	unsigned ready = model_ready(call->handle);
	CHECK(ready == UINT32_MAX || out->revents == ready);
	if (call->offset && !out->revents) {
		call->handle->registered = true;
		call->handle->woken = false;
	} else if (call->offset) {
		call->handle->registered = false;
	}
}

/* Told of a poll handle, at most once for each that was given, whether it is ready or not. */
void kernel_polled(uint64_t kh)
{
	CHECK(kh >= 1 && kh <= HANDLES);
	CHECK(handles[kh - 1].open);
	handles[kh - 1].woken = true;
}

void kernel_forget(void)
{
	struct model_node *node = take_node();
	uint8_t byte = fuzz_byte(&choices);
	if (!node)
		return;
	uint64_t lookups = byte & 1 ? node->lookups : 1;
	if (byte & 2) {
		struct {
			struct fuse_batch_forget_in in;
			struct fuse_forget_one one[2];
		} batch = { { 2, 0 }, { { node->node, lookups }, { 1 << 20, 5 } } };
		wire_send_raw(FUSE_BATCH_FORGET, 0, &batch, sizeof(batch));
	} else {
		struct fuse_forget_in in = { .nlookup = lookups };
		wire_send_raw(FUSE_FORGET, node->node, &in, sizeof(in));
	}
	node->lookups -= lookups;
}

void kernel_interrupt(void)
{
	unsigned at = fuzz_byte(&choices);
	for (unsigned i = 0; i < CALLS; i++) {
		struct call *call = &calls[(at + i) % CALLS];
		if (!call->used)
			continue;
		call->interrupted = true;
		wire_interrupt(call->unique);
		return;
	}
	/* Too early: of what is to come next, or of what will never come. */
	if (!model_stopping && wire_interrupts() < 8)
		wire_interrupt(wire_next_unique() + (at & 8 ? 4 : 1001));
}
