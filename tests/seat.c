/* SPDX-License-Identifier: MIT */
#include "seat.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void resize(const struct user *user, unsigned short rows, unsigned short cols)
{
	struct winsize size = { .ws_row = rows, .ws_col = cols };

	cr_assert_eq(ioctl(user->screen.fd, TIOCSWINSZ, &size), 0);
}

/* In the child. */
static int be_client(const void *data)
{
	const struct user *user = data;
	const char *argv[16] = { getenv("CLIENT") };
	int slave = open(ptsname(user->screen.fd), O_RDWR);

	for (unsigned i = 0; user->arguments[i] && i < 14; i++)
		argv[i + 1] = user->arguments[i];
	setsid();
	ioctl(slave, TIOCSCTTY, 0);
	for (int fd = 0; fd < 3; fd++)
		dup2(slave, fd);
	close_range(3, ~0u, 0);
	execv(argv[0], (char **)argv);
	return 99;
}

void user_start(struct user *user, const char *const arguments[])
{
	cr_assert(getenv("CLIENT") != NULL);
	*user = (struct user){ .arguments = arguments };
	user->screen.fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	cr_assert(user->screen.fd >= 0 && !grantpt(user->screen.fd) && !unlockpt(user->screen.fd));
	user->screen.room = 1;
	user->screen.data = keep(calloc(1, 1));
	resize(user, 24, 80);
	cr_assert_eq(tcgetattr(user->screen.fd, &user->modes), 0);
	user->pid = spawn_function(be_client, user);
}

void type(const struct user *user, const char *keys)
{
	cr_assert_eq(write(user->screen.fd, keys, strlen(keys)), (ssize_t)strlen(keys));
}

bool modes_as_before(const void *data)
{
	const struct user *user = data;
	struct termios now;

	return tcgetattr(user->screen.fd, &now) == 0 && now.c_lflag == user->modes.c_lflag &&
	       now.c_iflag == user->modes.c_iflag && now.c_oflag == user->modes.c_oflag;
}

void user_ended(struct user *user, int expected)
{
	int status = 0;

	cr_assert(ended(user->pid, SECONDS * 1000, &status), "%s", user->screen.data);
	cr_assert_eq(status, expected, "%d: %s", status, user->screen.data);
	cr_assert(await(modes_as_before, user, 5000));
	close(user->screen.fd);
}
