/* SPDX-License-Identifier: MIT */
/*
 * Questions about a session, each asked by one who waits for its answer.
 *
 * Nothing is done for a question but when its owner looks for the answer: that is told by
 * MIMOBOX_OUTPUT, by MIMOBOX_ENDED, and, where time is what it waits for, by a timer of its own
 * that tells its owner alone. One look goes through a bounded piece of the output, and has
 * itself called again for the rest, so that a flood and a costly pattern hold nobody up.
 */
#include "box.h"
#include "pattern.h"
#include "resume.h"
#include "sequence.h"
#include "session.h"
#include "units.h"
#include "utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_STEPS = 1 << 18, LOOK_BYTES = 1 << 16 };

enum question { ASK_EXIT, ASK_IDLE, ASK_MATCH };

/* The output without what controls the terminal; CR, LF and the two of them end a line. */
struct text {
	struct utf8 decoder;
	struct sequence sequence;
	bool after_cr;
};

struct mimobox_wait {
	struct mimobox_session *session; /* a reference */
	enum question question;
	struct loop_timer timer;
	uint64_t asked; /* ns, on the loop's clock */
	uint64_t idle;  /* ASK_IDLE: ns */
	struct pattern *pattern;
	struct text *text;  /* ASK_MATCH: what makes text of the output; NULL: bytes are matched */
	size_t look;        /* ASK_MATCH: bytes that one look may go through */
	uint64_t from;      /* where it looks from */
	uint64_t offset;    /* ASK_MATCH: where to go on */
	const char *reason; /* the answer, once there is one */
	uint64_t answer;
	void (*notify)(void *data); /* NULL: its session's event tells */
	void *data;
};

/* Others that wait for the session's output have nothing to see. */
static void on_timer(void *data)
{
	struct mimobox_wait *wait = data;
	if (wait->notify)
		wait->notify(wait->data);
	else
		session_notify(wait->session, MIMOBOX_OUTPUT);
}

void mimobox_wait_notify(struct mimobox_wait *wait, void (*notify)(void *data), void *data)
{
	wait->notify = notify;
	wait->data = data;
}

size_t mimobox_wait_size(const struct mimobox_wait *wait)
{
	return sizeof(*wait) + (wait->pattern ? pattern_memory(wait->pattern) : 0);
}

static uint64_t output_end(const struct mimobox_wait *wait)
{
	return wait->session->streams[MIMOBOX_STDOUT].output.spool.end;
}

/* Behind the word: `:REGEX`, from what is printed from now on, or `@OFFSET:REGEX`. */
static int parse_match(struct mimobox_wait *wait, const char *text, const char **why)
{
	char number[24];
	wait->question = ASK_MATCH;
	wait->offset = output_end(wait);
	if (*text == '@') {
		size_t length = strcspn(++text, ":");
		*why = "not @OFFSET:REGEX";
		if (length >= sizeof(number) || text[length] != ':')
			return -EINVAL;
		memcpy(number, text, length);
		number[length] = '\0';
		if (units_parse_count(number, 0, INT64_MAX, &wait->offset) < 0)
			return -EINVAL;
		text += length;
	}
	int error = pattern_compile(text + 1, &wait->pattern, why);
	if (error == 0)
		wait->look = LOOK_STEPS / (1 + pattern_size(wait->pattern));
	return error;
}

static int parse(struct mimobox_wait *wait, const char *text, const char **why)
{
	if (strcmp(text, "exit") == 0)
		return 0;
	if (strncmp(text, "idle:", 5) == 0) {
		wait->question = ASK_IDLE;
		*why = "not idle:DURATION";
		return units_parse_duration(text + 5, &wait->idle);
	}
	if (strncmp(text, "match:", 6) == 0 || strncmp(text, "match@", 6) == 0)
		return parse_match(wait, text + 5, why);
	if (strncmp(text, "text:", 5) == 0 || strncmp(text, "text@", 5) == 0) {
		wait->text = calloc(1, sizeof(*wait->text));
		return wait->text ? parse_match(wait, text + 4, why) : -ENOMEM;
	}
	*why = "neither exit, idle:DURATION, match:REGEX, text:REGEX nor the last two with @OFFSET";
	return -EINVAL;
}

int mimobox_wait_open(struct mimobox_session *session, const char *text, struct mimobox_wait **out)
{
	struct mimobox_wait *wait = calloc(1, sizeof(*wait));
	const char *why = "out of memory";
	if (!wait)
		return -ENOMEM;
	wait->session = mimobox_session_ref(session);
	wait->asked = loop_now();
	wait->from = output_end(wait);
	loop_timer_init(&wait->timer, session->box->loop, on_timer, wait);
	int error = parse(wait, text, &why);
	if (error < 0) {
		mimobox_session_log(session, "wait: '%.100s': %s", text, why);
		mimobox_wait_close(wait);
		return error;
	}
	if (wait->question == ASK_MATCH)
		wait->from = wait->offset;
	*out = wait;
	return 0;
}

void mimobox_wait_state(const struct mimobox_wait *wait, struct wait_state *out)
{
	memset(out, 0, sizeof(*out));
	out->asked = wait->asked;
	out->from = wait->from;
	out->answer = wait->answer;
	if (wait->reason)
		snprintf(out->reason, sizeof(out->reason), "%s", wait->reason);
}

/* What it had looked at is looked at again. */
int mimobox_wait_restore(struct mimobox_session *session, const char *text,
			 const struct wait_state *state, struct mimobox_wait **out)
{
	static const char *const reasons[] = { "exit", "idle", "match" };
	int error = mimobox_wait_open(session, text, out);
	if (error < 0)
		return error;
	struct mimobox_wait *wait = *out;
	wait->asked = state->asked;
	wait->from = wait->offset = state->from;
	wait->answer = state->answer;
	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
		if (strcmp(state->reason, reasons[i]) == 0)
			wait->reason = reasons[i];
	return 0;
}

void mimobox_wait_close(struct mimobox_wait *wait)
{
	if (!wait)
		return;
	loop_timer_disarm(&wait->timer);
	pattern_free(wait->pattern);
	free(wait->text);
	mimobox_session_unref(wait->session);
	free(wait);
}

static void answer(struct mimobox_wait *wait, const char *reason, uint64_t offset)
{
	loop_timer_disarm(&wait->timer);
	wait->reason = reason;
	wait->answer = offset;
}

/* Quiet since it was asked, at the earliest: what was typed just before has had its time. */
static void look_idle(struct mimobox_wait *wait)
{
	uint64_t last = wait->session->last_output, now = loop_now();
	uint64_t since = last > wait->asked ? last : wait->asked;
	if (now - since >= wait->idle)
		answer(wait, "idle", output_end(wait));
	else if (!loop_timer_armed(&wait->timer))
		loop_timer_arm(&wait->timer, wait->idle - (now - since));
}

/* The text that a character stands for; "" if it is none. */
static size_t text_of(struct text *text, uint32_t code, char bytes[UTF8_MAX])
{
	enum sequence_kind kind = sequence_feed(&text->sequence, code);
	bool after_cr = text->after_cr;
	if (kind == SEQUENCE_TEXT)
		text->after_cr = false;
	else if (kind != SEQUENCE_CONTROL || (code != '\r' && code != '\n' && code != '\t'))
		return 0;
	else
		text->after_cr = code == '\r';
	if (code == '\n' && after_cr)
		return 0;
	return utf8_put(code == '\r' ? '\n' : code, bytes);
}

/* As pattern_feed(), of the text of a piece. */
static bool feed_text(struct mimobox_wait *wait, const char *piece, size_t size, size_t *used)
{
	for (*used = 0; *used < size; ++*used) {
		uint32_t codes[2];
		char bytes[UTF8_MAX];
		unsigned count =
			utf8_feed(&wait->text->decoder, (unsigned char)piece[*used], codes);
		for (unsigned i = 0; i < count; i++) {
			size_t taken, length = text_of(wait->text, codes[i], bytes);
			if (length && pattern_feed(wait->pattern, bytes, length, &taken)) {
				/* Else it was complete before this byte. */
				*used += taken > 0 && i + 1 == count;
				return true;
			}
		}
	}
	return false;
}

/* One piece; false when there was nothing more to look at. */
static bool look_at_piece(struct mimobox_wait *wait)
{
	const struct spool *spool = &wait->session->streams[MIMOBOX_STDOUT].output.spool;
	char piece[4096];
	size_t used;
	if (wait->offset < spool->start) {
		/* What is in between is gone, and nothing matches across it. */
		pattern_reset(wait->pattern);
		if (wait->text)
			*wait->text = (struct text){ 0 };
		wait->offset = spool->start;
	}
	if (wait->offset >= spool->end)
		return false;
	size_t wanted = wait->look < sizeof(piece) ? wait->look : sizeof(piece);
	ssize_t size = spool_read(spool, piece, wanted, wait->offset);
	if (size <= 0)
		return false;
	bool matched = wait->text ? feed_text(wait, piece, (size_t)size, &used)
				  : pattern_feed(wait->pattern, piece, (size_t)size, &used);
	wait->offset += used;
	if (matched)
		answer(wait, "match", wait->offset);
	return !matched;
}

static void look_for_match(struct mimobox_wait *wait)
{
	uint64_t until = wait->offset + (wait->look < LOOK_BYTES ? wait->look : LOOK_BYTES);
	while (look_at_piece(wait))
		if (wait->offset >= until) {
			loop_timer_arm(&wait->timer, 0);
			return;
		}
	if (!wait->reason && wait->offset >= output_end(wait) && pattern_at_end(wait->pattern))
		answer(wait, "match", wait->offset);
}

int mimobox_wait_answer(struct mimobox_wait *wait, const char **reason, uint64_t *offset)
{
	if (!wait->reason && wait->question == ASK_MATCH)
		look_for_match(wait);
	if (!wait->reason && wait->question == ASK_IDLE && wait->session->state < MIMOBOX_DRAINING)
		look_idle(wait);
	/* The end answers every question that the output has not; all of it was looked at. */
	if (!wait->reason && wait->session->state == MIMOBOX_EXITED &&
	    (wait->question != ASK_MATCH || wait->offset >= output_end(wait))) {
		if (wait->session->started.tv_sec == 0)
			return -ESRCH;
		answer(wait, "exit", output_end(wait));
	}
	if (!wait->reason)
		return -EAGAIN;
	*reason = wait->reason;
	*offset = wait->answer;
	return 0;
}
