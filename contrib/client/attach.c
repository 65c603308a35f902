/* SPDX-License-Identifier: MIT */
/*
 * mimobox attach: this terminal as one of those of a session. It shows the screen as it is, and
 * then what is printed from there on. Those attached at a time see and type the same; the size is
 * that of whoever came, or changed it, last.
 *
 * The alternate screen is used, so that in the end the user's own is what it was; see tty.h.
 */
#include "commands.h"
#include "ending.h"
#include "keeper.h"
#include "relay.h"
#include "report.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONTROL_BACKSLASH = 0x1c };
/* As long as the program goes on printing, no moment shows both the screen and its offset. */
enum { TRIES = 5 };

/* `x`, or `^X` for a control key; -1: neither. */
static int parse_key(const char *text)
{
	if (text[0] == '^' && text[1] >= '?' && text[1] <= 'z' && text[2] == '\0')
		return text[1] == '?' ? 0x7f : text[1] & 0x1f;
	return text[0] && text[1] == '\0' ? (unsigned char)text[0] : -1;
}

static uint64_t output_end(const struct session *session)
{
	uint64_t end = 0;
	char *status = session_read(session, "status");
	char *value = session_value(status, "output-end");
	if (value)
		end = strtoull(value, NULL, 10);
	free(value);
	free(status);
	return end;
}

/* As it was at one moment. */
struct picture {
	char *screen; /* the caller's to free; NULL and errno */
	int row, col; /* of the cursor, from 1 */
	bool visible;
	uint64_t offset; /* in `output`, where it goes on */
};

/* Where nothing is known of the cursor, it is behind the text. */
static void read_cursor(const struct session *session, struct picture *picture)
{
	char *cursor = session_read(session, "cursor"), word[16] = "";
	if (!cursor || sscanf(cursor, "%d %d %15s", &picture->row, &picture->col, word) != 3)
		picture->row = 0;
	picture->visible = strcmp(word, "hidden") != 0;
	free(cursor);
}

static void read_picture(const struct session *session, struct picture *picture)
{
	uint64_t before;
	int tries = 0;
	picture->screen = NULL;
	do {
		free(picture->screen);
		before = output_end(session);
		picture->screen = session_read(session, "screen");
		read_cursor(session, picture);
		picture->offset = output_end(session);
	} while (picture->screen && before != picture->offset && ++tries < TRIES);
}

static unsigned window_rows(void)
{
	char size[32];
	unsigned rows = 0;
	if (tty_size(size))
		(void)sscanf(size, "%u", &rows);
	return rows;
}

/*
 * Without the blank lines at its end. On a terminal of fewer rows the uppermost go, as far as the
 * cursor allows, as they do when the session gets that size; its cursor counts from the first that
 * is left.
 */
static void show_picture(const struct picture *picture)
{
	const char *at = picture->screen ? picture->screen : "";
	size_t size = strlen(at);
	unsigned rows = window_rows(), lines = 1,
		 row = picture->row > 0 ? (unsigned)picture->row : 0;
	while (size > 0 && at[size - 1] == '\n')
		size--;
	for (size_t i = 0; i < size; i++)
		lines += at[i] == '\n';
	lines = lines < row ? row : lines;
	for (; rows && lines > rows && row != 1 && memchr(at, '\n', size); lines--) {
		const char *next = (const char *)memchr(at, '\n', size) + 1;
		size -= (size_t)(next - at);
		at = next;
		row -= row > 0;
	}
	tty_enter();
	(void)fputs("\033[?7l", stdout); /* a longer line must not become two */
	for (size_t i = 0; i < size; i++) {
		if (at[i] == '\n')
			putchar('\r');
		putchar(at[i]);
	}
	(void)fputs("\033[?7h", stdout);
	if (row)
		printf("\033[%u;%dH%s", row, picture->col, picture->visible ? "" : "\033[?25l");
	(void)fflush(stdout);
}

/* Text is all that `screen` has: programs that draw draw again, the cursor's place included. */
static void have_drawn(const struct relay *relay)
{
	(void)session_write(relay->session, "ctl", "signal WINCH\n");
}

static void redraw(const struct relay *relay)
{
	struct picture picture;
	read_picture(relay->session, &picture);
	show_picture(&picture);
	free(picture.screen);
	have_drawn(relay);
}

static void tell_end(const struct relay *relay, enum relay_end end)
{
	const char *name = session_name(relay->session);
	if (end == RELAY_FAILED)
		report(0, "%s: %s", name, relay->trouble);
	else if (end == RELAY_DETACHED)
		printf("[%s: detached]\n", name);
	else if (relay->status < 0)
		printf("[%s: ended by signal %d]\n", name, -relay->status);
	else
		printf("[%s: exited %d]\n", name, relay->status);
}

static int use_terminal(struct relay *relay, struct tty *tty)
{
	struct picture picture;
	read_picture(relay->session, &picture);
	int error = picture.screen ? relay_open(relay, false, picture.offset) : -errno;
	if (error == 0)
		error = tty_raw(tty);
	if (error < 0) {
		free(picture.screen);
		return report(STATUS_CLIENT, "%s: %s", session_name(relay->session),
			      strerror(-error));
	}
	show_picture(&picture);
	free(picture.screen);
	relay->tty = tty;
	relay->redraw = redraw;
	relay_answer(relay);
	relay_follow_size(relay);
	have_drawn(relay);
	enum relay_end end = relay_run(relay);
	tty_restore(tty);
	tell_end(relay, end);
	if (relay->signal)
		return -relay->signal;
	return end == RELAY_FAILED ? STATUS_CLIENT : relay->status;
}

static int attach(const struct session *session, int key)
{
	struct tty tty;
	struct keeper keeper;
	if (!isatty(STDOUT_FILENO) || tty_init(&tty, true) < 0)
		return report(STATUS_CLIENT, "attach takes a terminal");
	struct relay *relay = relay_create(RELAY_ATTACH, session);
	if (!relay)
		return report(STATUS_CLIENT, "%s", strerror(errno));
	int error = keeper_start(&keeper, NULL, false, &tty);
	if (error < 0) {
		relay_destroy(relay);
		return report(STATUS_CLIENT, "%s", strerror(-error));
	}
	relay->detach_key = key;
	int status = use_terminal(relay, &tty);
	relay_destroy(relay);
	keeper_end(&keeper);
	return ending_as(status);
}

int command_attach(int argc, char **argv)
{
	static const struct option longs[] = { { "mount", required_argument, NULL, 'm' }, { 0 } };
	const char *mount = NULL;
	int option, key = CONTROL_BACKSLASH;
	struct place place;
	struct session session;
	while ((option = getopt_long(argc, argv, "e:", longs, NULL)) != -1) {
		if (option == 'm')
			mount = optarg;
		else if (option != 'e')
			return STATUS_USAGE;
		else if ((key = parse_key(optarg)) < 0)
			return report(STATUS_USAGE, "'%s' is no key: X or ^X", optarg);
	}
	if (argc - optind != 1)
		return report(STATUS_USAGE, "attach takes one name; see mimobox --help");
	int status = place_open(&place, mount);
	if (status == 0)
		status = session_find(&session, &place, argv[optind]);
	return status ? status : attach(&session, key);
}
