/* SPDX-License-Identifier: MIT */
/* What happens besides: sandboxes, time, signals, and bytes that no kernel sends. */
#include "kernel.h"

#include <errno.h>
#include <unistd.h>

/* What sandboxes do */

static struct fake *take_fake(struct model_session **out)
{
	struct model_session *session = take_session();
	*out = session;
	return session ? fake_of(session->session) : NULL;
}

void world_print(void)
{
	static uint8_t bytes[8192];
	struct model_session *session;
	struct fake *fake = take_fake(&session);
	uint8_t byte = fuzz_byte(&choices);
	size_t taken, size = byte < 240 ? byte % 64 : (byte - 239u) * 500;
	int stream = fake && !session->config.terminal && byte & 1;
	const uint8_t *given = fuzz_take(&choices, size < 64 ? size : 8, &taken);
	memset(bytes, 'o', sizeof(bytes));
	memcpy(bytes, given, taken);
	if (!fake || session->state != RUNNING || session->hung_up || size == 0 ||
	    session->printed_size[stream] + size > PRINTED_MAX)
		return;
	size = fake_print(fake, stream, bytes, size);
	if (!session->printed[stream])
		session->printed[stream] = malloc(PRINTED_MAX);
	CHECK(session->printed[stream]);
	memcpy(session->printed[stream] + session->printed_size[stream], bytes, size);
	session->printed_size[stream] += size;
	if (size)
		session->printed_at = fake_now();
}

/* What was typed arrives, in order and once. */
void world_read(void)
{
	static uint8_t bytes[8192];
	struct model_session *session;
	struct fake *fake = take_fake(&session);
	size_t size = fuzz_number(&choices, 2) % sizeof(bytes);
	if (!fake || session->state != RUNNING)
		return;
	size = fake_read(fake, bytes, size);
	CHECK(session->typed_read + size <= session->typed_size);
	if (size)
		CHECK(memcmp(session->typed + session->typed_read, bytes, size) == 0);
	session->typed_read += size;
}

void world_end(void)
{
	static const int statuses[] = { 0, 3 << 8, 9, 15, -1, 255 << 8 };
	struct model_session *session;
	struct fake *fake = take_fake(&session);
	uint8_t byte = fuzz_byte(&choices);
	if (!fake || session->state != RUNNING)
		return;
	fake_end(fake, statuses[byte % 6]);
}

void world_go_on(void)
{
	struct model_session *session;
	struct fake *fake = take_fake(&session);
	if (fake)
		fake_go_on(fake);
}

void world_change_manner(void)
{
	uint8_t byte = fuzz_byte(&choices);
	fake_manner = (struct fake_manner){
		.ask_error = byte == 200 ? -EMFILE : 0,
		.clone_error = byte % 32 == 7 ? -ENOSPC : 0,
		.take_error = byte % 32 == 8 ? -EPERM : 0,
		.start_error = byte % 8 == 3 ? ENOENT : 0,
		.slow = byte & 16,
		.stubborn = byte & 64,
	};
}

static uint64_t left; /* ns */

void world_begin(void)
{
	left = 0;
}

void world_pass_time(void)
{
	uint64_t ms = fuzz_byte(&choices);
	left = ms < 250 ? ms * ms / 16 * FAKE_MS : (ms - 249) * 2000 * FAKE_MS;
}

bool world_wait(void)
{
	uint64_t due = fake_due(), now = fake_now();
	uint64_t step = due > now && due - now < left ? due - now : left;
	if (left == 0)
		return false;
	fake_wait(step);
	left -= step;
	return true;
}

/* SIGTERM */
void world_stop_server(int pipe)
{
	struct signalfd_siginfo {
		char bytes[128];
	} info = { { 0 } };
	if (fuzz_byte(&choices) < 240 || model_stopping || wire_interrupts())
		return;
	CHECK(write(pipe, &info, sizeof(info)) == sizeof(info));
	model_stopping = true;
	for (int i = 0; i < SESSIONS; i++) {
		if (!sessions[i].made || !model_alive(&sessions[i]))
			continue;
		sessions[i].handles++; /* what is there then is so until all has ended */
		if (!sessions[i].removed)
			model_remove(&sessions[i]);
	}
}

/*
 * What no kernel sends: any opcode, node and bytes. Left out is what libfuse takes on trust, which
 * would be its death: the number of an open file, sizes, and the beginning and end of a connection.
 */
void world_send_garbage(void)
{
	uint32_t opcode = fuzz_byte(&choices) & 63;
	uint64_t node = fuzz_number(&choices, 2);
	size_t taken;
	if (node & 0x8000)
		node = UINT64_C(1) << 63 | (node & 0xff) << 24 | fuzz_byte(&choices);
	const uint8_t *bytes = fuzz_take(&choices, fuzz_byte(&choices) % 96, &taken);
	switch (opcode) {
	case FUSE_READ:
	case FUSE_WRITE:
	case FUSE_RELEASE:
	case FUSE_FLUSH:
	case FUSE_POLL:
	case FUSE_INIT:
	case FUSE_DESTROY:
	case FUSE_BATCH_FORGET:
	case FUSE_NOTIFY_REPLY:
	case FUSE_INTERRUPT:
	/* and what would change what the model knows */
	case FUSE_LOOKUP:
	case FUSE_MKDIR:
	case FUSE_RMDIR:
	case FUSE_FORGET:
	case FUSE_OPEN:
		return;
	case FUSE_GETATTR:
	case FUSE_SETATTR:
		taken = 0;
		break;
	}
	wire_send_raw(opcode, node, bytes, taken);
}
