/* SPDX-License-Identifier: MIT */
/* The functions that the linker wraps: the clock, the loop's wait, terminals, filters, ids. */
#include "fake.h"

#include <errno.h>
#include <linux/filter.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <sysfilter.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

int __real_epoll_wait(int epoll, struct epoll_event *events, int room, int timeout);
int __wrap_clock_gettime(clockid_t id, struct timespec *time);
int __wrap_timerfd_create(int id, int flags);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *to, struct itimerspec *was);
int __wrap_epoll_wait(int epoll, struct epoll_event *events, int room, int timeout);
int __wrap_tcgetattr(int fd, struct termios *modes);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_sysfilters_get(struct sysfilters *filters, const struct sysfilter_options *options,
			  const struct sysfilter **out, char *why, size_t why_size);
uid_t __wrap_geteuid(void);
gid_t __wrap_getegid(void);

static uint64_t now = UINT64_C(1000000000000), due; /* due: of the timer; 0: it is not set */
static int timer_fd = -1;
static const void *found[64];
static int found_count;

uint64_t fake_now(void)
{
	return now;
}

uint64_t fake_due(void)
{
	return due;
}

static void ring_if_due(void)
{
	uint64_t one = 1;
	if (due == 0 || due > now)
		return;
	due = 0;
	CHECK(write(timer_fd, &one, sizeof(one)) == sizeof(one));
}

void fake_wait(uint64_t ns)
{
	now += ns;
	ring_if_due();
}

bool fake_was_busy(const void *source)
{
	for (int i = 0; i < found_count; i++)
		if (found[i] != source)
			return true;
	return false;
}

int __wrap_clock_gettime(clockid_t id, struct timespec *time)
{
	time->tv_sec = (time_t)(now / 1000000000) + (id == CLOCK_REALTIME ? 1700000000 : 0);
	time->tv_nsec = (long)(now % 1000000000);
	return 0;
}

int __wrap_timerfd_create(int id, int flags)
{
	(void)id, (void)flags;
	due = 0;
	timer_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return timer_fd;
}

int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *to, struct itimerspec *was)
{
	(void)was;
	CHECK(fd == timer_fd && flags == TFD_TIMER_ABSTIME);
	due = (uint64_t)to->it_value.tv_sec * 1000000000 + (uint64_t)to->it_value.tv_nsec;
	ring_if_due();
	return 0;
}

/* Nothing else will happen by itself: the time of the next timer has come, or the wait is over. */
int __wrap_epoll_wait(int epoll, struct epoll_event *events, int room, int timeout)
{
	int count = __real_epoll_wait(epoll, events, room, 0);
	if (count == 0 && timeout != 0) {
		uint64_t end = now + (uint64_t)timeout * FAKE_MS;
		CHECK(timeout > 0 || due);
		fake_wait((due && (timeout < 0 || due < end) ? due : end) - now);
		count = __real_epoll_wait(epoll, events, room, 0);
	}
	found_count = count < 0 ? 0 : count;
	for (int i = 0; i < found_count; i++)
		found[i] = events[i].data.ptr;
	return count;
}

int __wrap_tcgetattr(int fd, struct termios *modes)
{
	(void)fd;
	*modes = (struct termios){ 0 };
	modes->c_cc[VEOF] = 4;
	return 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;
	CHECK(request == TIOCSWINSZ);
	va_start(arguments, request);
	const struct winsize *size = va_arg(arguments, const struct winsize *);
	va_end(arguments);
	for (int i = 0; i < FAKES; i++)
		if (fakes[i].sandbox && fakes[i].master == fd) {
			fakes[i].rows = size->ws_row;
			fakes[i].cols = size->ws_col;
		}
	return 0;
}

/* To build a real one takes longer than all the rest of an execution. */
int __wrap_sysfilters_get(struct sysfilters *filters, const struct sysfilter_options *options,
			  const struct sysfilter **out, char *why, size_t why_size)
{
	struct sysfilter *filter = &filters->by[options->profile][options->fork][options->tcp_only]
					       [options->own_network][options->ptrace];
	(void)why, (void)why_size;
	if (!filter->code)
		filter->code = calloc(1, sizeof(*filter->code));
	filter->length = 1;
	*out = filter;
	return filter->code ? 0 : -ENOMEM;
}

/* Root's daemon, whoever runs the test. */
uid_t __wrap_geteuid(void)
{
	return 0;
}

gid_t __wrap_getegid(void)
{
	return 0;
}
