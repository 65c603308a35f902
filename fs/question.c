/* SPDX-License-Identifier: MIT */
/*
 * The names in `wait`. A name can be any question, so names cannot be rows of a table: the server
 * keeps a name from the look-up on until the kernel forgets it.
 *
 * The kernel may not forget it for days, so the server keeps a bounded number of each user's names
 * that no file is open of, and forgets the oldest. That is harmless: if the kernel uses a number
 * that the server no longer knows, it gets ESTALE, and then looks the name up once more and tries
 * again. For the same reason another server needs to know only the names of open files.
 */
#include "question.h"

#include "dir.h"
#include "files.h"
#include "handle.h"
#include "kept.h"
#include "request.h"
#include "server.h"
#include "turns.h"
#include "user.h"

#include <box.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* So many numbers are reserved at a time, so that a look-up needs no record. */
enum { RESERVE = 1 << 16 };

static bool asks(const char *text)
{
	static const char *const beginnings[] = { "idle:", "match:", "match@", "text:", "text@" };
	for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++)
		if (strncmp(text, beginnings[i], strlen(beginnings[i])) == 0)
			return true;
	return strcmp(text, "exit") == 0;
}

void questions_init(struct questions *questions)
{
	if (getrandom(&questions->seed, sizeof(questions->seed), GRND_NONBLOCK) < 0)
		questions->seed = (uintptr_t)questions;
}

static struct question **chain_of_text(struct dir *dir, const char *text)
{
	struct questions *questions = &dir->server->questions;
	uint64_t hash = questions->seed ^ (uintptr_t)dir;
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x9e3779b97f4a7c15);
	return &questions->texts[(hash ^ hash >> 32) % QUESTION_CHAINS];
}

static struct question **chain_of_number(const struct server *server, uint64_t number)
{
	return (struct question **)&server->questions.numbers[number % QUESTION_CHAINS];
}

static struct question *find_text(struct dir *dir, const char *text)
{
	struct question *question = *chain_of_text(dir, text);
	while (question && (question->dir != dir || strcmp(question->text, text) != 0))
		question = question->next_by_text;
	return question;
}

struct question *question_find(const struct server *server, uint64_t number)
{
	struct question *question = *chain_of_number(server, number);
	while (question && question->number != number)
		question = question->next_by_number;
	return question;
}

static void leave_order(struct question *question)
{
	if (link_empty(&question->order))
		return;
	link_remove(&question->order);
	question->dir->user->question_count--;
}

static void forget(struct question *question)
{
	struct dir *dir = question->dir;
	struct question **at = chain_of_text(dir, question->text);
	while (*at != question)
		at = &(*at)->next_by_text;
	*at = question->next_by_text;
	at = chain_of_number(dir->server, question->number);
	while (*at != question)
		at = &(*at)->next_by_number;
	*at = question->next_by_number;
	leave_order(question);
	link_remove(&question->link);
	free(question);
}

/* As the last of its user's, where the first may have to go. */
static void put_last(struct question *question)
{
	struct user *user = question->dir->user;
	leave_order(question);
	if (user->question_count == USER_QUESTIONS)
		forget(link_owner(user->questions.next, struct question, order));
	link_append(&user->questions, &question->order);
	user->question_count++;
}

static int make_question(struct dir *dir, uint64_t number, const char *text, size_t size,
			 struct question **out)
{
	struct question *question = calloc(1, sizeof(*question) + size + 1);
	if (!question)
		return -ENOMEM;
	question->dir = dir;
	question->number = number;
	memcpy(question->text, text, size);
	struct question **chain = chain_of_text(dir, question->text);
	question->next_by_text = *chain;
	*chain = question;
	chain = chain_of_number(dir->server, number);
	question->next_by_number = *chain;
	*chain = question;
	link_init(&question->order);
	link_append(&dir->questions, &question->link);
	*out = question;
	return 0;
}

static uint64_t next_number(struct server *server)
{
	struct questions *questions = &server->questions;
	if (questions->last == questions->reserved) {
		questions->reserved += RESERVE;
		kept_server(server);
	}
	return ++questions->last;
}

int question_look_up(struct dir *dir, const char *text, struct question **out)
{
	struct question *question = find_text(dir, text);
	if (!question) {
		if (!asks(text))
			return -ENOENT;
		int error =
			make_question(dir, next_number(dir->server), text, strlen(text), &question);
		if (error < 0)
			return error;
	}
	question->lookups++;
	if (!question->opened)
		put_last(question);
	*out = question;
	return 0;
}

int question_restore(struct dir *dir, uint64_t number, const char *text, size_t size,
		     struct question **out)
{
	struct question *question = question_find(dir->server, number);
	int error = question ? 0 : make_question(dir, number, text, size, &question);
	if (error == 0)
		*out = question_open(question);
	return error;
}

void question_forget(const struct server *server, uint64_t number, uint64_t lookups)
{
	struct question *question = question_find(server, number);
	if (!question)
		return;
	question->lookups -= lookups < question->lookups ? lookups : question->lookups;
	if (!question->lookups && !question->opened)
		forget(question);
}

void questions_finish(struct dir *dir)
{
	while (!link_empty(&dir->questions))
		forget(link_owner(dir->questions.next, struct question, link));
}

struct question *question_open(struct question *question)
{
	leave_order(question);
	question->opened++;
	return question;
}

void question_close(struct question *question)
{
	if (--question->opened)
		return;
	if (question->lookups)
		put_last(question);
	else
		forget(question);
}

/* The file */

static void on_time(void *data)
{
	struct handle *handle = data;
	turns_add(handle->dir->user, &handle->parked, NULL);
	turns_add_handle(handle);
}

void question_wait(struct handle *handle, struct mimobox_wait *wait)
{
	handle->wait = wait;
	handle->wait_size = mimobox_wait_size(wait);
	mimobox_wait_notify(wait, on_time, handle);
}

static int open_question(struct handle *handle)
{
	struct mimobox_wait *wait;
	int error = mimobox_wait_open(handle->dir->session, handle->question->text, &wait);
	if (error < 0)
		return error;
	error = user_hold(handle->user, 0, mimobox_wait_size(wait));
	if (error == 0) {
		question_wait(handle, wait);
		return 0;
	}
	mimobox_session_log(handle->dir->session,
			    "wait: '%.100s': the open files of its user hold as much as they may "
			    "(user-buffers)",
			    handle->question->text);
	mimobox_wait_close(wait);
	return error;
}

static ssize_t read_question(struct request *request)
{
	struct handle *handle = request->handle;
	const char *reason;
	uint64_t offset;
	int error = mimobox_wait_answer(handle->wait, &reason, &offset);
	if (error == -ESRCH)
		return 0; /* there is no answer */
	if (error < 0)
		return request->nonblock ? -EAGAIN : request_wait(request, REQUEST_ANSWER);
	kept_handle(handle);
	int size = snprintf(handle->server->answer, SERVER_ANSWER_MAX, "%s %llu\n", reason,
			    (unsigned long long)offset);
	return file_give(request, handle->server->answer, (size_t)size);
}

static unsigned poll_question(struct handle *handle)
{
	const char *reason;
	uint64_t offset;
	bool waits = mimobox_wait_answer(handle->wait, &reason, &offset) == -EAGAIN;
	return waits ? 0 : POLLIN | POLLHUP;
}

const struct file question_file = {
	.id = 21,
	.name = "question",
	.mode = 0400,
	.event = MIMOBOX_OUTPUT,
	.open = open_question,
	.read = read_question,
	.poll = poll_question,
};
