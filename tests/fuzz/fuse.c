/* SPDX-License-Identifier: MIT */
/*
 * The whole filesystem, from the bytes of /dev/fuse to the sandbox: sequences of requests as a
 * kernel makes them, of what sandboxes do meanwhile, of time, and of bytes that no kernel would
 * send, each looked at beside a model (model.h). What is checked of every answer is in wire.c.
 *
 * The input: operations of one byte, below, each with what it takes of the bytes behind it.
 */
#include "kernel.h"

#include <box.h>
#include <daemon.h>
#include <dir.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mimobox.h>
#include <ops.h>
#include <question.h>
#include <server.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { OPERATIONS = 96, BUFFER_SIZE = 2 << 20 };

struct server server;
struct fuzz_input choices;
static unsigned operations, flushes;
static bool waited, init_done;
static int stop_pipe;

static void stop(void)
{
	world_stop_server(stop_pipe);
}

static void (*const kinds[])(void) = {
	kernel_make_directory,
	kernel_open,
	kernel_open,
	kernel_open,
	kernel_ask,
	kernel_read,
	kernel_read,
	kernel_write,
	kernel_write,
	kernel_release,
	kernel_get_attributes,
	kernel_set_attributes,
	kernel_poll,
	kernel_forget,
	kernel_list,
	kernel_refuse,
	kernel_read_link,
	kernel_interrupt,
	world_print,
	world_print,
	world_read,
	world_end,
	world_go_on,
	world_change_manner,
	world_pass_time,
	stop,
	world_send_garbage,
	kernel_remove_directory,
};

static void run_operation(void)
{
	kinds[fuzz_byte(&choices) % (sizeof(kinds) / sizeof(kinds[0]))]();
}

static void check_waiting(void)
{
	for (int i = 0; i < CALLS; i++) {
		struct call *call = &calls[i];
		if (!call->used)
			continue;
		CHECK(!call->interrupted);
		CHECK(call->opcode == FUSE_READ || call->opcode == FUSE_WRITE);
		if (call->opcode == FUSE_READ)
			CHECK(model_waits(call) != 0);
		else if (call->full)
			kernel_check_full(call);
		else
			CHECK(model_write_result(call) == INT_MIN);
	}
}

static void check_polled(void)
{
	for (int i = 0; i < HANDLES; i++) {
		struct model_handle *handle = &handles[i];
		if (!handle->open || !handle->registered)
			continue;
		unsigned ready = model_ready(handle);
		CHECK(handle->woken || ready == 0 || ready == UINT32_MAX);
		if (handle->woken)
			handle->registered = false;
	}
}

static void check_terminals(void)
{
	for (int i = 0; i < SESSIONS; i++) {
		const struct fake *fake = sessions[i].made ? fake_of(sessions[i].session) : NULL;
		if (!fake || sessions[i].state != RUNNING || sessions[i].hung_up)
			continue;
		if (sessions[i].config.terminal)
			CHECK(fake->rows == sessions[i].rows && fake->cols == sessions[i].cols);
	}
}

static void on_idle(void)
{
	if (world_wait())
		return;
	if (!waited) { /* so that nothing is left of what is put off for a moment */
		fake_wait(2 * FAKE_MS);
		waited = true;
		return;
	}
	waited = false;
	if (!init_done) {
		wire_send_init();
		init_done = true;
		return;
	}
	model_settle();
	check_waiting();
	check_polled();
	check_terminals();
	if (kernel_is_listing()) {
		kernel_go_on_listing();
	} else if (choices.size && operations < OPERATIONS) {
		operations++;
		run_operation();
	} else if (wire_interrupts() && flushes < 32) { /* each request answers for one */
		flushes++;
		kernel_get_attributes();
	} else {
		wire.ended = true;
	}
}

static bool on_busy(void)
{
	return !link_empty(&server.turns);
}

static void on_answered(struct call *call)
{
	if (wire.ended) /* what is still parked then gets EIO, or what there is */
		return;
	if (call->opcode == FUSE_READ) {
		kernel_read_done(call);
		return;
	}
	if (call->opcode == FUSE_WRITE) {
		kernel_write_done(call);
		return;
	}
	if (call->opcode == FUSE_MKDIR && call->expect == INT_MIN)
		call->expect = call->error == -EAGAIN ? -EAGAIN : 0;
	if (call->error != call->expect)
		fprintf(stderr, "opcode %u: %d, to be %d\n", call->opcode, call->error,
			call->expect);
	CHECK(call->error == call->expect);
	if (call->opcode == FUSE_READDIR || call->opcode == FUSE_READDIRPLUS) {
		kernel_listed(call);
		return;
	}
	if (call->error < 0)
		return;
	switch (call->opcode) {
	case FUSE_LOOKUP:
		kernel_looked_up(call);
		break;
	case FUSE_MKDIR:
		kernel_made_directory(call);
		break;
	case FUSE_OPEN:
		kernel_opened(call);
		break;
	case FUSE_GETATTR:
	case FUSE_SETATTR:
		kernel_got_attributes(call);
		break;
	case FUSE_POLL:
		kernel_poll_done(call);
		break;
	}
}

/* Each name that the kernel has still to forget is kept, and no other. */
static void check_questions(void)
{
	for (struct link *link = server.dirs.next; link != &server.dirs; link = link->next) {
		const struct dir *dir = link_owner(link, struct dir, link);
		unsigned kept = 0, known = 0;
		for (struct link *one = dir->questions.next; one != &dir->questions;
		     one = one->next)
			kept += link_owner(one, struct question, link)->lookups > 0;
		for (int i = 0; i < NODES; i++)
			known += nodes[i].lookups && nodes[i].file == FILE_QUESTION &&
				 nodes[i].session->session == dir->session;
		CHECK(kept == known);
	}
}

/* Kept, for the speed of it: libfuse would make one for each session of its own. */
static void *buffer;

static void set_up(void)
{
	struct mimobox_options options = { .spool_dir = "/dev/shm",
					   .notify = dir_notify,
					   .data = &server };
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	int ends[2];
	char why[256];
	operations = flushes = 0;
	waited = init_done = false;
	kernel_begin();
	world_begin();
	model_max_sessions = options.max_sessions = fuzz_byte(&choices) % 8 == 1 ? 2 : 0;
	model_begin();
	fake_reset();
	wire_reset();
	CHECK(server_init(&server) == 0);
	CHECK(mimobox_create(&options, &server.box, why, sizeof(why)) == 0);
	model_box = server.box;
	server.loop = mimobox_loop(server.box);
	server.max_sessions = options.max_sessions;
	CHECK(fuse_opt_add_arg(&args, "mimoboxfs") == 0);
	server.fuse = fuse_session_new(&args, &ops, sizeof(ops), &server);
	fuse_opt_free_args(&args);
	int bell = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK); /* there is always something to read */
	CHECK(server.fuse && bell >= 0);
	CHECK(fuse_session_custom_io(server.fuse, &wire_io, bell) == 0);
	CHECK(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
	server.signal_fd = ends[0];
	server.buffer.mem = buffer ? buffer : (buffer = malloc(BUFFER_SIZE));
	stop_pipe = ends[1];
	wire.idle = on_idle;
	wire.answered = on_answered;
	wire.polled = kernel_polled;
	wire.busy = on_busy;
	wire.source = (const void *const *)&server.fuse_source;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct daemon daemon = { .tell = -1 };
	choices = (struct fuzz_input){ data, size };
	set_up();
	CHECK(server_run(&server, &daemon) == 0);
	if (!model_stopping)
		check_questions();
	wire.ended = true;
	server.buffer.mem = NULL;
	server_finish(&server);
	close(stop_pipe);
	wire_check_end();
	model_finish();
	return 0;
}
