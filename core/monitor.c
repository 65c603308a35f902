/* SPDX-License-Identifier: MIT */
#include "monitor.h"

#include "loop.h"
#include "message.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	IN_PLACE = MONITOR_OUT_PLACE + MONITOR_STREAMS * RING_SIZE,
	PAGE_SIZE = IN_PLACE + INPUT_MAX
};
/* So much is read before somebody else has a turn: the client that types, and signals. */
enum { TURN_BYTES = 128 * 1024, LITTLE_BYTES = 512 };

/* Until more memory is asked for, where the kernel had none. */
enum { RETRY_NS = 10000000 };
/* How long a hold may be, and until it is looked whether it is over before. */
enum { HOLD_MAX_NS = 2000000, LOOK_NS = 250000 };

/* Of the bell: it never comes to an end of it, nor to 0. */
#define BELL_COUNT (UINT64_C(1) << 62)

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

void monitor_call(int bell)
{
	uint64_t one = 1;
	if (write(bell, &one, sizeof(one)) < 0)
		(void)!write(bell, &one, sizeof(one));
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

static int make_page(void)
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

static int make_bell(void)
{
	uint64_t count = BELL_COUNT;
	int bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
	if (bell >= 0 && write(bell, &count, sizeof(count)) == sizeof(count))
		return bell;
	int error = -errno;
	if (bell >= 0)
		close(bell);
	return error;
}

int monitor_make(int made[2])
{
	made[0] = make_page();
	if (made[0] < 0)
		return made[0];
	made[1] = make_bell();
	if (made[1] >= 0)
		return 0;
	close(made[0]);
	return made[1];
}

static int control(const struct monitor *monitor, int operation, int fd, unsigned which,
		   uint32_t events)
{
	struct epoll_event event = { .events = events, .data.u32 = which };
	return epoll_ctl(monitor->epoll, operation, fd, &event) < 0 ? -errno : 0;
}

int monitor_watch(struct monitor *monitor, int fd, unsigned which)
{
	return control(monitor, EPOLL_CTL_ADD, fd, which, EPOLLIN);
}

int monitor_begin(struct monitor *monitor, int page, int bell, const int ends[3], bool terminal)
{
	struct monitor_page *at = NULL;
	int error = monitor_map(page, &at);
	if (error < 0)
		return error;
	*monitor = (struct monitor){ .page = at,
				     .typist = { .shared = &at->in, .data = (char *)at + IN_PLACE },
				     .terminal = terminal,
				     .in = ends[0],
				     .bell = bell,
				     .epoll = epoll_create1(EPOLL_CLOEXEC) };
	if (monitor->epoll < 0)
		return -errno;
	for (int i = 0; i < MONITOR_STREAMS; i++)
		monitor->out[i] =
			(struct source){ .shared = &at->out[i],
					 .data = ring_of(at, i),
					 .fd = terminal ? (i ? -1 : ends[0]) : ends[1 + i] };
	if (terminal)
		ring_end(&monitor->out[1]);
	(void)input_answer(&monitor->typist, terminal ? &(struct termios){ 0 } : NULL);
	return control(monitor, EPOLL_CTL_ADD, bell, MONITOR_BELL, EPOLLIN | EPOLLET);
}

/* It does not fail; a fault that a test makes does so once. */
static void ring_bell(const struct monitor *monitor)
{
	uint64_t count;
	if (read(monitor->bell, &count, sizeof(count)) < 0)
		(void)!read(monitor->bell, &count, sizeof(count));
}

/* False: the kernel has no memory for it. */
static bool watch(struct monitor *monitor, unsigned which, int fd, uint32_t events)
{
	uint32_t before = monitor->watched[which];
	if (before == events)
		return true;
	int operation = before == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
	if (control(monitor, operation, fd, which, events) < 0)
		return false;
	monitor->watched[which] = events;
	return true;
}

/* For how many ns nothing is to be read. What cannot be is not believed. */
static uint64_t held(const struct monitor *monitor)
{
	uint64_t until = atomic_load(&monitor->page->hold), now;
	if (until == 0)
		return 0;
	now = loop_now();
	return until > now && until - now <= HOLD_MAX_NS ? until - now : 0;
}

static bool watch_all(struct monitor *monitor, bool reads)
{
	uint32_t events[MONITOR_OWN] = { 0 };
	int fds[MONITOR_OWN] = { monitor->out[0].fd, monitor->out[1].fd, monitor->in };
	bool done = true;
	for (int i = 0; i < MONITOR_STREAMS; i++)
		if (reads && fds[i] >= 0 && ring_room(&monitor->out[i]) > 0)
			events[i] = EPOLLIN;
	if (monitor->full && monitor->in >= 0)
		events[monitor->terminal ? MONITOR_OUT : MONITOR_IN] |= EPOLLOUT;
	for (unsigned i = 0; i < MONITOR_OWN; i++)
		done &= watch(monitor, i, fds[i], events[i]);
	return done;
}

/* NULL: until something comes. */
static const struct timespec *patience(int timeout, bool watched, uint64_t hold,
				       struct timespec *moment)
{
	if (timeout >= 0)
		*moment = (struct timespec){ .tv_sec = timeout / 1000,
					     .tv_nsec = timeout % 1000 * 1000000 };
	else if (hold)
		*moment = (struct timespec){ .tv_nsec = hold < LOOK_NS ? (long)hold : LOOK_NS };
	else if (!watched)
		*moment = (struct timespec){ .tv_nsec = RETRY_NS };
	else
		return NULL;
	return moment;
}

int monitor_wait(struct monitor *monitor, int timeout)
{
	struct epoll_event events[MONITOR_OTHERS + MONITOR_OTHERS_MAX];
	struct timespec moment;
	int bits = 0;
	uint64_t hold = held(monitor);
	bool watched = watch_all(monitor, hold == 0);
	memset(monitor->ready, 0, sizeof(monitor->ready));
	int count = epoll_pwait2(monitor->epoll, events, MONITOR_OTHERS + MONITOR_OTHERS_MAX,
				 patience(timeout, watched, hold, &moment), NULL);
	for (int i = 0; i < count; i++) {
		unsigned which = events[i].data.u32;
		if (which < MONITOR_OWN)
			monitor->ready[which] = events[i].events;
		bits |= 1 << which;
	}
	return count < 0 ? -errno : bits;
}

/* Typing */

static void close_in(struct monitor *monitor)
{
	if (monitor->in >= 0 && !monitor->terminal) {
		watch(monitor, MONITOR_IN, monitor->in, 0);
		close(monitor->in);
	}
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
	monitor->full = error == -EAGAIN || message_may_pass(error);
	if (error == -EPIPE && !monitor->terminal)
		close_in(monitor);
	else if (error < 0 && !monitor->full)
		input_drop(typist, error);
}

static void resize(struct monitor *monitor)
{
	uint64_t size = atomic_load(&monitor->page->size);
	struct winsize wanted = { .ws_row = (uint16_t)(size >> 16), .ws_col = (uint16_t)size };
	uint64_t number = size >> 32, error = 0;
	if (number == monitor->sized)
		return;
	monitor->sized = (uint32_t)number;
	if (monitor->terminal && monitor->in >= 0 && ioctl(monitor->in, TIOCSWINSZ, &wanted) < 0)
		error = (uint64_t)errno;
	atomic_store(&monitor->page->sized, number << 32 | error);
	ring_bell(monitor);
}

static struct termios ask_modes(const struct monitor *monitor)
{
	struct termios modes = { 0 };
	if (monitor->terminal && monitor->in >= 0)
		(void)tcgetattr(monitor->in, &modes);
	return modes;
}

static void pass_and_tell(struct monitor *monitor, struct termios *modes, bool news)
{
	uint64_t before = atomic_load(&monitor->page->in.passed);
	pass_input(monitor, modes);
	if (before != atomic_load(&monitor->page->in.passed))
		news |= atomic_exchange(&monitor->page->in.wants_room, 0) != 0;
	if (news)
		ring_bell(monitor);
}

/* The modes are asked for only when they count: a program that holds them holds this process. */
static void type(struct monitor *monitor, bool again)
{
	struct typist *typist = &monitor->typist;
	if (!input_is_new(typist) && !(input_pending(typist) && (again || !monitor->full)))
		return;
	struct termios modes = ask_modes(monitor);
	bool news = input_answer(typist, monitor->terminal ? &modes : NULL);
	pass_and_tell(monitor, &modes, news);
}

void monitor_hear(struct monitor *monitor, uint64_t typed)
{
	struct termios modes;
	bool more = input_hear(&monitor->typist, typed);
	if (!more)
		return;
	modes = ask_modes(monitor);
	input_accept(&monitor->typist, monitor->terminal ? &modes : NULL, typed);
	pass_and_tell(monitor, &modes, false);
}

/* Printing */

static void end_stream(struct monitor *monitor, struct source *source)
{
	if (monitor->terminal)
		close_in(monitor);
	watch(monitor, source == monitor->out ? MONITOR_OUT : MONITOR_ERROR, source->fd, 0);
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
		if (!all && (source->used - before < LITTLE_BYTES || held(monitor)))
			break;
	}
	if (state == RING_ENDED)
		end_stream(monitor, source);
}

static void tidy(struct monitor *monitor)
{
	if (!atomic_exchange(&monitor->page->tidy, 0))
		return;
	for (int i = 0; i < MONITOR_STREAMS; i++)
		ring_tidy(&monitor->out[i]);
	input_tidy(&monitor->typist);
	ring_bell(monitor); /* a write may have waited for that */
}

void monitor_work(struct monitor *monitor)
{
	const uint32_t *ready = monitor->ready;
	resize(monitor);
	type(monitor, (ready[MONITOR_OUT] | ready[MONITOR_IN]) & ~(uint32_t)EPOLLIN);
	tidy(monitor);
	for (int i = 0; i < MONITOR_STREAMS; i++)
		if (ready[i] & ~(uint32_t)EPOLLOUT && monitor->out[i].fd >= 0)
			read_stream(monitor, &monitor->out[i], false);
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

void monitor_tell(const struct monitor *monitor)
{
	ring_bell(monitor);
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
