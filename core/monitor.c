/* SPDX-License-Identifier: MIT */
#include "monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	IN_PLACE = MONITOR_OUT_PLACE + MONITOR_STREAMS * RING_SIZE,
	PAGE_SIZE = IN_PLACE + INPUT_MAX
};
/* So much is read before somebody else has a turn: the client that types, and signals. */
enum { TURN_BYTES = 128 * 1024, LITTLE_BYTES = 512 };

enum { TRIES = 50, TRIES_MS = 10 };

_Static_assert(sizeof(struct monitor_page) <= 4096, "what all have is one page of memory");

/* In the server */

int monitor_map(int fd, struct monitor_page **out)
{
	void *page = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return -errno;
	(void)madvise(page, PAGE_SIZE, MADV_DONTFORK);
	*out = page;
	return 0;
}

void monitor_unmap(struct monitor_page *page)
{
	if (page)
		munmap(page, PAGE_SIZE);
}

static char *ring_of(struct monitor_page *page, int stream)
{
	return (char *)page + MONITOR_OUT_PLACE + (size_t)stream * RING_SIZE;
}

void monitor_take_up(struct monitor_page *page, struct ring_view rings[MONITOR_STREAMS],
		     struct input *input)
{
	for (int i = 0; i < MONITOR_STREAMS; i++)
		rings[i] = (struct ring_view){ .shared = &page->out[i], .data = ring_of(page, i) };
	input->shared = &page->in;
	input->data = (char *)page + IN_PLACE;
}

/* In the sandbox */

int monitor_make(void)
{
	int page = memfd_create("mimobox-session", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (page < 0)
		return -errno;
	/* It stays of that size, so that no access to it can fail. */
	if (ftruncate(page, PAGE_SIZE) == 0 &&
	    fcntl(page, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
		return page;
	int error = -errno;
	close(page);
	return error;
}

int monitor_begin(struct monitor *monitor, int page, int server, const int ends[3], bool terminal)
{
	struct monitor_page *at = NULL;
	int error = monitor_map(page, &at);
	if (error < 0)
		return error;
	*monitor = (struct monitor){ .page = at,
				     .typist = { .shared = &at->in, .data = (char *)at + IN_PLACE },
				     .terminal = terminal,
				     .in = ends[0],
				     .server = server };
	for (int i = 0; i < MONITOR_STREAMS; i++)
		monitor->out[i] =
			(struct source){ .shared = &at->out[i],
					 .data = ring_of(at, i),
					 .fd = terminal ? (i ? -1 : ends[0]) : ends[1 + i] };
	if (terminal)
		ring_end(&monitor->out[1]);
	(void)input_answer(&monitor->typist, terminal ? &(struct termios){ 0 } : NULL);
	return 0;
}

/* If the socket is full, the server has enough to wake it. Memory may be short for a moment. */
static void ring_bell(const struct monitor *monitor)
{
	for (int tries = 0; tries < TRIES; tries++) {
		if (send(monitor->server, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 ||
		    (errno != ENOBUFS && errno != ENOMEM))
			return;
		poll(NULL, 0, TRIES_MS);
	}
}

void monitor_await(const struct monitor *monitor, struct pollfd polled[MONITOR_POLLED])
{
	for (int i = 0; i < MONITOR_STREAMS; i++) {
		const struct source *source = &monitor->out[i];
		bool reads = source->fd >= 0 && ring_room(source) > 0;
		polled[i] = (struct pollfd){ .fd = reads ? source->fd : -1, .events = POLLIN };
	}
	polled[MONITOR_STREAMS] =
		(struct pollfd){ .fd = monitor->full ? monitor->in : -1, .events = POLLOUT };
}

/* Typing */

static void close_in(struct monitor *monitor)
{
	if (monitor->in >= 0 && !monitor->terminal)
		close(monitor->in);
	monitor->in = -1;
	monitor->full = false;
}

static void pass_input(struct monitor *monitor, struct termios *modes)
{
	struct typist *typist = &monitor->typist;
	if (monitor->in < 0)
		return;
	int error = monitor->terminal ? input_pass(typist, monitor->in, modes)
				      : input_pass_pipe(typist, monitor->in);
	monitor->full = error == -EAGAIN || error == -ENOMEM;
	if (error == -EPIPE && !monitor->terminal)
		close_in(monitor);
	else if (error < 0 && !monitor->full)
		input_drop(typist, error);
}

static void resize(struct monitor *monitor)
{
	uint32_t size = atomic_load(&monitor->page->size);
	struct winsize wanted = { .ws_row = (uint16_t)(size >> 16), .ws_col = (uint16_t)size };
	if (size == monitor->size)
		return;
	monitor->size = size;
	if (monitor->terminal && monitor->in >= 0)
		(void)ioctl(monitor->in, TIOCSWINSZ, &wanted);
}

/* The modes are asked for only when they count: a program that holds them holds this process. */
static void type(struct monitor *monitor, bool again)
{
	struct typist *typist = &monitor->typist;
	struct termios modes = { 0 };
	uint64_t before = atomic_load(&monitor->page->in.passed);
	bool is_new = input_is_new(typist);
	if (!is_new && !(input_pending(typist) && (again || !monitor->full)))
		return;
	if (monitor->terminal && monitor->in >= 0)
		(void)tcgetattr(monitor->in, &modes);
	bool news = input_answer(typist, monitor->terminal ? &modes : NULL);
	pass_input(monitor, &modes);
	if (before != atomic_load(&monitor->page->in.passed))
		news |= atomic_exchange(&monitor->page->in.wants_room, 0) != 0;
	if (news)
		ring_bell(monitor);
}

/* Printing */

static void end_stream(struct monitor *monitor, struct source *source)
{
	if (monitor->terminal)
		close_in(monitor);
	close(source->fd);
	ring_end(source);
	ring_bell(monitor);
}

/*
 * Until there is nothing more, or (not `all`) little came: to ask an empty terminal for more is not
 * as free as it looks. The kernel first waits for the work that moves bytes from the slave to the
 * master (tty_buffer_flush_work()), which goes on for as long as somebody prints.
 */
static void read_stream(struct monitor *monitor, struct source *source, bool all)
{
	enum ring_state state = RING_MORE;
	size_t begin = source->used, before = begin;
	while (state == RING_MORE && source->used - begin < TURN_BYTES) {
		bool rings = false;
		before = source->used;
		state = ring_fill(source, &rings);
		if (rings)
			ring_bell(monitor);
		if (!all && source->used - before < LITTLE_BYTES)
			break;
	}
	if (state == RING_ENDED)
		end_stream(monitor, source);
}

void monitor_tidy(struct monitor *monitor)
{
	for (int i = 0; i < MONITOR_STREAMS; i++)
		ring_tidy(&monitor->out[i]);
	input_tidy(&monitor->typist);
	ring_bell(monitor); /* a write may have waited for that */
}

void monitor_work(struct monitor *monitor, const struct pollfd polled[MONITOR_POLLED])
{
	resize(monitor);
	type(monitor, polled[MONITOR_STREAMS].revents != 0);
	for (int i = 0; i < MONITOR_STREAMS; i++) {
		if (polled[i].revents && monitor->out[i].fd >= 0)
			read_stream(monitor, &monitor->out[i], false);
	}
}

void monitor_hang_up(struct monitor *monitor)
{
	for (int i = 0; i < MONITOR_STREAMS; i++)
		if (monitor->out[i].fd >= 0)
			read_stream(monitor, &monitor->out[i], true);
	for (int i = 0; i < MONITOR_STREAMS; i++)
		if (monitor->out[i].fd >= 0)
			end_stream(monitor, &monitor->out[i]);
	close_in(monitor);
}

void monitor_tell_end(struct monitor *monitor, int status)
{
	monitor->page->status = status;
	atomic_store(&monitor->page->ended, 1);
	ring_bell(monitor);
}

bool monitor_is_open(const struct monitor *monitor)
{
	return monitor->out[0].fd >= 0 || monitor->out[1].fd >= 0;
}
