/* SPDX-License-Identifier: MIT */
/*
 * A client's write, or its size, is put before the session's init. Where the client has to wait, it
 * waits for init's answer.
 */
#include "typing.h"

#include "monitor.h"
#include "resume.h"
#include "session.h"

#include <errno.h>
#include <string.h>

/* Of answers that wait for a program that does not read them. */
enum { ANSWERED_MAX = 8192 };

/* An answer, or room. */
void typing_hear(struct mimobox_session *session)
{
	struct typing *typing = &session->typing;
	uint32_t dropped = input_dropped(&typing->input);
	if (dropped)
		mimobox_session_log(session, "input was dropped: %s", strerror((int)dropped));
	if (!typing->waits || !input_has_news(&typing->input))
		return;
	typing->waits = false;
	replies_go_on(session);
	session_notify(session, MIMOBOX_ROOM);
}

static int check_input(const struct mimobox_session *session)
{
	if (session->state == MIMOBOX_CREATED || session->state == MIMOBOX_STARTING)
		return session->removed ? -EPIPE : -EBUSY;
	if (session->state != MIMOBOX_RUNNING || session->typing.closed || !session->contact.page ||
	    (!session->config.terminal && input_has_end(&session->typing.input)))
		return -EPIPE;
	return 0;
}

/* The answer that came with the end of the terminal; 0: none. */
static ssize_t take_left(struct typing *typing, uint64_t key)
{
	if (typing->left_key == 0 || typing->left_key != key)
		return 0;
	typing->left_key = 0;
	return typing->left;
}

/* Another write can be asked now: for those who wait for that. */
static void let_others(struct mimobox_session *session)
{
	if (!session->typing.crowd)
		return;
	session->typing.crowd = false;
	replies_go_on(session);
	session_notify(session, MIMOBOX_ROOM);
}

static ssize_t collected(struct mimobox_session *session, ssize_t count)
{
	session_touch(session);
	if (count == -EMSGSIZE)
		mimobox_session_log(session,
				    "input refused: the terminal is canonical, and a line of more "
				    "than %d bytes would be cut",
				    INPUT_LINE_MAX);
	if (count > 0) {
		session->box->stats.bytes_in += (uint64_t)count;
		keep_request_took(session->box->keep, count);
	}
	let_others(session);
	return count;
}

/* Wakes init where there is something new for it; `typed`: by somebody. */
static void told_init(struct mimobox_session *session, bool typed)
{
	if (!session->typing.input.asked)
		return;
	session->typing.input.asked = false;
	if (typed && session->state == MIMOBOX_RUNNING)
		favour_typed(session); /* first: init is one of those who go first */
	sandbox_call(&session->sandbox);
	if (input_is_untidy(&session->typing.input))
		stream_tidy_later(&session->streams[MIMOBOX_STDOUT]);
}

ssize_t mimobox_session_input(struct mimobox_session *session, uint64_t key, const void *data,
			      size_t size)
{
	struct typing *typing = &session->typing;
	ssize_t count = take_left(typing, key);
	if (count != 0)
		return collected(session, count);
	int error = check_input(session);
	if (error == -EPIPE) {
		count = mimobox_session_withdraw(session, key);
		if (count != -EAGAIN)
			return count;
		mimobox_session_log(session, "input refused: it has come to its end");
	}
	if (error < 0)
		return error;
	count = input_ask(&typing->input, key, data, size);
	typing->waits |= count != (ssize_t)size;
	typing->crowd |= count == -EINPROGRESS && input_key(&typing->input) != key;
	if (count > 0)
		replies_typed(session, data, (size_t)count);
	told_init(session, true);
	if (count == -EINPROGRESS)
		return count;
	return count == -EAGAIN ? count : collected(session, count);
}

static bool has_room_to_answer(struct typing *typing, size_t size)
{
	if (input_passed(&typing->input) >= typing->answers_end)
		typing->answered = 0;
	return size <= ANSWERED_MAX - typing->answered && size <= input_room(&typing->input);
}

ssize_t typing_answer(struct mimobox_session *session, const char *data, size_t size, bool echoed)
{
	struct typing *typing = &session->typing;
	bool asked = typing->answers;
	if (asked) {
		size = typing->answer;
		echoed = typing->echoed;
	}
	typing->answers = false;
	if (check_input(session) < 0 || (!asked && !has_room_to_answer(typing, size)))
		return (ssize_t)size;
	ssize_t count =
		input_ask(&typing->input, echoed ? INPUT_ECHOED_ANSWER : INPUT_ANSWER, data, size);
	bool put = typing->input.asked;
	told_init(session, false);
	if (count == -EINPROGRESS) {
		typing->answers = asked || put;
		typing->answer = size;
		typing->echoed = echoed;
		typing->waits = typing->crowd = true;
		return count;
	}
	if (count > 0) {
		typing->answered += size;
		typing->answers_end = input_position(&typing->input);
	}
	session_touch(session);
	if (typing->crowd)
		session_notify(session, MIMOBOX_ROOM);
	typing->crowd = false;
	return count == -EMSGSIZE ? count : (ssize_t)size;
}

ssize_t mimobox_session_withdraw(struct mimobox_session *session, uint64_t key)
{
	ssize_t count = take_left(&session->typing, key);
	if (count == 0 && session->contact.page)
		count = input_withdraw(&session->typing.input, key);
	else if (count == 0)
		return -EAGAIN;
	if (count != -EAGAIN)
		return collected(session, count);
	let_others(session);
	return count;
}

int typing_end(struct mimobox_session *session)
{
	/* it has ended with the session: a client that says so need not be the faster one */
	if (session->state == MIMOBOX_DRAINING || session->state == MIMOBOX_EXITED)
		return 0;
	uint64_t key = keep_request_key(session->box->keep);
	int error = check_input(session);
	if (error == 0 || (error == -EPIPE && session->contact.page &&
			   input_has_end_of(&session->typing.input, key)))
		error = input_end(&session->typing.input, key);
	if (error == 0) {
		session_touch(session);
		keep_request_done(session->box->keep);
		told_init(session, true);
	}
	return error;
}

static bool is_resized(const struct monitor_page *page)
{
	return atomic_load(&page->size) >> 32 == atomic_load(&page->sized) >> 32;
}

static void ask_size(struct mimobox_session *session, uint16_t rows, uint16_t cols)
{
	struct monitor_page *page = session->contact.page;
	uint64_t number = (uint32_t)(atomic_load(&page->size) >> 32) + 1;
	atomic_store(&page->size, number << 32 | (uint64_t)rows << 16 | cols);
	sandbox_call(&session->sandbox);
}

void typing_hear_of_size(struct mimobox_session *session)
{
	struct contact *contact = &session->contact;
	if (!contact->page)
		return;
	uint64_t size = atomic_load(&contact->page->size),
		 sized = atomic_load(&contact->page->sized);
	if (sized >> 32 == contact->size_heard)
		return;
	contact->size_heard = (uint32_t)(sized >> 32);
	if ((uint32_t)sized)
		mimobox_session_log(session, "size: %s", strerror((int)sized));
	else if (sized >> 32 == size >> 32)
		session_resized(session, (uint16_t)(size >> 16), (uint16_t)size);
	session_notify(session, MIMOBOX_ROOM);
}

int typing_resize(struct mimobox_session *session, uint64_t key, uint16_t rows, uint16_t cols)
{
	struct contact *contact = &session->contact;
	struct monitor_page *page = contact->page;
	bool is_own = key && contact->size_key == key &&
		      (uint32_t)atomic_load(&page->size) == ((uint32_t)rows << 16 | cols);
	if (!is_own && is_resized(page)) {
		contact->size_key = key;
		ask_size(session, rows, cols);
		is_own = true;
	}
	if (!is_own || !is_resized(page))
		return -EINPROGRESS;
	typing_hear_of_size(session);
	contact->size_key = 0;
	return -(int)(uint32_t)atomic_load(&page->sized);
}

void typing_resize_not(struct mimobox_session *session, uint64_t key)
{
	struct contact *contact = &session->contact;
	if (!contact->page || contact->size_key != key)
		return;
	contact->size_key = 0;
	ask_size(session, session->rows, session->cols);
}

/* A client may come for the answer to its write only after the end, or to another server. */
void typing_keep_answer(struct typing *typing)
{
	uint64_t key = input_key(&typing->input);
	ssize_t count = input_withdraw(&typing->input, key);
	if (count == -EAGAIN || key >= INPUT_ECHOED_ANSWER)
		return;
	typing->left_key = key;
	typing->left = count;
}

void typing_resume(struct mimobox_session *session)
{
	struct typing *typing = &session->typing;
	/* What the other has heard of a size is not known. */
	uint64_t sized = atomic_load(&session->contact.page->sized);
	session->contact.size_heard = (uint32_t)(sized >> 32) - 1;
	input_resume(&typing->input);
	typing_keep_answer(typing);
	typing->waits = true;
}
