/* SPDX-License-Identifier: MIT */
#include "ends.h"

#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* Where the command has its ends: before they are closed, reading the master does not end (EIO). */
static int set_up(int slave, const char **what)
{
	struct termios modes;
	*what = "modes";
	if (tcgetattr(slave, &modes) < 0)
		return -errno;
	modes.c_iflag |= IUTF8;
	if (tcsetattr(slave, TCSANOW, &modes) < 0)
		return -errno;
	*what = "slave";
	for (int fd = 0; fd <= 2; fd++)
		if (dup2(slave, fd) < 0)
			return -errno;
	return 0;
}

static int open_slave(int master, const char **what)
{
	int unlock = 0;
	*what = "unlock";
	if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return -errno;
	*what = "slave";
	int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return slave < 0 ? -errno : slave;
}

int ends_make_terminal(int root, int *master, const char **what)
{
	*what = "ptmx";
	*master = mount_open_below(root, "dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
	if (*master < 0)
		return *master;
	int slave = open_slave(*master, what);
	if (slave < 0)
		return slave;
	int error = set_up(slave, what);
	close(slave);
	return error;
}

/* `inner` is where the command has its end. */
static int make_pipe(int inner, int *outer, const char **what)
{
	int ends[2], outwards = inner != 0;
	*what = "pipe";
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	*what = "standard descriptors";
	*outer = ends[!outwards];
	if (fcntl(*outer, F_SETFL, O_NONBLOCK) < 0 || dup2(ends[outwards], inner) < 0)
		return -errno;
	close(ends[outwards]);
	return 0;
}

int ends_make_pipes(int outer[3], const char **what)
{
	int error = 0;
	for (int i = 0; i < 3 && error == 0; i++)
		error = make_pipe(i, &outer[i], what);
	return error;
}
