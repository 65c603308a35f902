/* SPDX-License-Identifier: MIT */
#include "answering.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The caller's to free, or NULL. */
static char *read_status(const struct session *session, const char *key)
{
	char *status = session_read(session, "status");
	char *value = status ? session_value(status, key) : NULL;
	free(status);
	return value;
}

/* A refusal is a line in the session's log, so it is not asked for in vain. */
static bool may_claim(const struct session *session)
{
	char *answers = read_status(session, "answers");
	bool may = answers && (strcmp(answers, "session") == 0 || strcmp(answers, "nothing") == 0);
	free(answers);
	return may;
}

static void claim(struct answering *answering)
{
	static const char verb[] = "answer\n", attached[] = "attached ";
	if (!answering->able || answering->ctl >= 0 || !may_claim(answering->session))
		return;
	int fd = session_open(answering->session, "ctl", O_WRONLY);
	if (fd < 0)
		return;
	char *answers = write(fd, verb, strlen(verb)) == (ssize_t)strlen(verb)
				? read_status(answering->session, "answers")
				: NULL;
	if (answers && strncmp(answers, attached, strlen(attached)) == 0) {
		answering->ctl = fd;
		answering->from = strtoull(answers + strlen(attached), NULL, 10);
	} else {
		close(fd);
	}
	free(answers);
}

void answering_begin(struct answering *answering, const struct session *session, uint64_t position)
{
	const char *type = getenv("TERM");
	*answering = (struct answering){ .session = session, .ctl = -1, .position = position };
	answering->able = type && *type && strcmp(type, "dumb") != 0;
	claim(answering);
}

void answering_end(struct answering *answering)
{
	if (answering->ctl >= 0)
		close(answering->ctl);
	answering->ctl = -1;
}

void answering_begin_again(struct answering *answering)
{
	claim(answering);
}

/* Where it goes on is not known; the oldest byte is the lowest that it can be. */
void answering_skipped(struct answering *answering)
{
	char *start = read_status(answering->session, "output-start");
	uint64_t oldest = start ? strtoull(start, NULL, 10) : 0;
	if (oldest > answering->position)
		answering->position = oldest;
	free(start);
}

/* Without the questions, each of which is another chance to answer the next. */
static void hold_back(struct answering *answering, const char *data, size_t size)
{
	const char *at = data, *end = data + size;
	struct query query;
	bool asked = false;
	while (query_filter_next(&answering->filter, &at, end, &query))
		asked = true;
	answering->position += size;
	if (asked)
		claim(answering);
}

/* All of it, with what was held back of a sequence that is not complete. */
static void let_through(struct answering *answering, const char *data, size_t size)
{
	struct query_filter *filter = &answering->filter;
	query_filter_flush(filter);
	memcpy(filter->to + filter->size, data, size);
	filter->size += size;
	answering->position += size;
}

size_t answering_filter(struct answering *answering, const char *data, size_t size, char *to)
{
	uint64_t before = UINT64_MAX;
	answering->filter.to = to;
	answering->filter.size = 0;
	if (answering->ctl >= 0)
		before = answering->from > answering->position
				 ? answering->from - answering->position
				 : 0;
	size_t held = before < size ? (size_t)before : size;
	if (held)
		hold_back(answering, data, held);
	if (held < size)
		let_through(answering, data + held, size - held);
	return answering->filter.size;
}
