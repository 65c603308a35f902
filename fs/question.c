/* SPDX-License-Identifier: MIT */
/*
 * The names in `wait`. They are whatever a client asks, so they cannot be rows of a table: a name
 * is kept from the look-up on until the kernel forgets it.
 */
#include "question.h"

#include "dir.h"
#include "files.h"
#include "handle.h"
#include "kept.h"
#include "request.h"
#include "server.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

static bool asks(const char *text)
{
	static const char *const beginnings[] = { "idle:", "match:", "match@", "text:", "text@" };
	for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++)
		if (strncmp(text, beginnings[i], strlen(beginnings[i])) == 0)
			return true;
	return strcmp(text, "exit") == 0;
}

static struct question *find_text(struct dir *dir, const char *text)
{
	for (struct link *link = dir->questions.next; link != &dir->questions; link = link->next) {
		struct question *question = link_owner(link, struct question, link);
		if (strcmp(question->text, text) == 0)
			return question;
	}
	return NULL;
}

int question_look_up(struct dir *dir, const char *text, struct question **out)
{
	struct question *question = find_text(dir, text);
	size_t size = strlen(text) + 1;
	if (!question) {
		if (!asks(text))
			return -ENOENT;
		if (dir->next_question >> QUESTION_BITS) /* there are no more numbers */
			return -ENOSPC;
		question = malloc(sizeof(*question) + size);
		if (!question)
			return -ENOMEM;
		question->lookups = 0;
		question->index = dir->next_question++;
		memcpy(question->text, text, size);
		link_append(&dir->questions, &question->link);
	}
	question->lookups++;
	kept_question(dir, question);
	*out = question;
	return 0;
}

int question_restore(struct dir *dir, uint64_t index, uint64_t lookups, const char *text,
		     size_t size)
{
	struct question *question = malloc(sizeof(*question) + size + 1);
	if (!question)
		return -ENOMEM;
	question->index = index;
	question->lookups = lookups;
	memcpy(question->text, text, size);
	question->text[size] = '\0';
	link_append(&dir->questions, &question->link);
	return 0;
}

struct question *question_find(struct dir *dir, uint64_t index)
{
	for (struct link *link = dir->questions.next; link != &dir->questions; link = link->next) {
		struct question *question = link_owner(link, struct question, link);
		if (question->index == index)
			return question;
	}
	return NULL;
}

void question_forget(struct dir *dir, uint64_t index, uint64_t lookups)
{
	struct question *question = question_find(dir, index);
	if (!question)
		return;
	question->lookups -= lookups < question->lookups ? lookups : question->lookups;
	if (question->lookups) {
		kept_question(dir, question);
		return;
	}
	kept_no_question(dir, question);
	link_remove(&question->link);
	free(question);
}

void questions_finish(struct dir *dir)
{
	while (!link_empty(&dir->questions)) {
		struct question *question = link_owner(dir->questions.next, struct question, link);
		kept_no_question(dir, question);
		link_remove(&question->link);
		free(question);
	}
}

/* The file */

static int open_question(struct handle *handle)
{
	handle->asked = strdup(handle->question->text);
	if (!handle->asked)
		return -ENOMEM;
	return mimobox_wait_open(handle->dir->session, handle->asked, &handle->wait);
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
		return request->nonblock ? -EAGAIN : request_wait(request, MIMOBOX_OUTPUT);
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
