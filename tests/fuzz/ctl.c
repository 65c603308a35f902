/* SPDX-License-Identifier: MIT */
/*
 * The verbs of `ctl`, any text in each state of a session: the errno is one of the documented
 * ones, what is refused has its line in the log and changes nothing, and no line of text is two
 * verbs.
 *
 * The input: how far the session has come; then lines, each a verb.
 */
#include "fake.h"

#include <errno.h>
#include <mimobox.h>
#include <session.h>

static struct mimobox *box;

static void on_told(const struct fake *fake)
{
	(void)fake;
}

static void dispatch(void)
{
	bool busy = true;
	for (int i = 0; i < 6 && busy; i++) {
		CHECK(mimobox_dispatch(box, 0) == 0);
		busy = fake_was_busy(box);
	}
}

static struct mimobox_session *make(uint8_t how)
{
	struct mimobox_session *session;
	static const char pipes[] = "terminal no\n";
	CHECK(mimobox_session_create(box, "s", 1000, 1000, &session) == 0);
	if (how & 8)
		CHECK(mimobox_session_configure(session, pipes, sizeof(pipes) - 1) > 0);
	fake_manner = (struct fake_manner){ .slow = how & 1, .stubborn = how & 16 };
	if (how & 2)
		CHECK(mimobox_session_ctl(session, "start", 5) == -EINPROGRESS);
	dispatch();
	if (how & 4 && fake_of(session)) {
		fake_end(fake_of(session), 3 << 8);
		dispatch();
	}
	return session;
}

static void say(struct mimobox_session *session, const char *verb, size_t size)
{
	enum mimobox_state before = session->state;
	size_t logged = session->journal.size + session->journal.dropped;
	int error = mimobox_session_ctl(session, verb, size);
	CHECK(error == 0 || error == -EINPROGRESS || error == -EINVAL || error == -EBUSY ||
	      error == -ESRCH || error == -EPIPE || error == -EAGAIN);
	CHECK((error == -EINPROGRESS) ==
	      (before == MIMOBOX_CREATED && session->state == MIMOBOX_STARTING));
	if (error < 0 && error != -EINPROGRESS) {
		CHECK(session->state == before);
		CHECK(session->journal.size + session->journal.dropped != logged);
	}
	if (memchr(verb, '\0', size) || size >= 128)
		CHECK(error == -EINVAL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };
	struct mimobox_options options = { .spool_dir = "/dev/shm" };
	if (!box)
		CHECK(mimobox_create(&options, &box, NULL, 0) == 0);
	fake_reset();
	fake_told = on_told;
	uint8_t how = fuzz_byte(&input);
	struct mimobox_session *session = make(how);
	for (int i = 0; i < 16 && input.size; i++) {
		const uint8_t *end = memchr(input.data, '\n', input.size);
		size_t length, left = end ? (size_t)(end - input.data) : input.size;
		const uint8_t *line = fuzz_take(&input, left, &length);
		say(session, (const char *)line, length);
		(void)fuzz_byte(&input);
		if (how & 32)
			dispatch();
	}
	mimobox_session_remove(session);
	for (int i = 0; i < 40 && session->state != MIMOBOX_EXITED; i++) {
		fake_wait(300 * FAKE_MS);
		dispatch();
	}
	CHECK(session->state == MIMOBOX_EXITED);
	dispatch();
	mimobox_session_unref(session);
	dispatch();
	return 0;
}
