/* SPDX-License-Identifier: MIT */
#include "binder.h"

#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 128 };

/* Its name is that of the port; the directory may have a path too long for an address. */
static int bind_port(uint32_t port)
{
	struct sockaddr_un place = { .sun_family = AF_UNIX };
	snprintf(place.sun_path, sizeof(place.sun_path), "%u", port);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&place, sizeof(place)) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	int error = -errno;
	close(fd);
	return error;
}

static int bind_there(const struct bind_request *request)
{
	int directory = open(request->directory, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int error = directory < 0 || fchdir(directory) < 0 ? -errno : 0;
	int fd = error < 0 ? error : bind_port(request->port);
	if (chdir("/") < 0)
		_exit(1);
	if (directory >= 0)
		close(directory);
	return fd;
}

static int bind_as_owner(void *context, const void *message, const int *in, int *out,
			 unsigned *count)
{
	const struct bind_request *request = message;
	uid_t own = geteuid();
	gid_t group = getegid();
	(void)context, (void)in;
	if (!memchr(request->directory, '\0', sizeof(request->directory)))
		return -EINVAL;
	if (own == 0 && (setegid(request->gid) < 0 || seteuid(request->uid) < 0))
		_exit(1);
	int fd = bind_there(request);
	if (own == 0 && (seteuid(own) < 0 || setegid(group) < 0))
		_exit(1);
	if (fd < 0)
		return fd;
	out[(*count)++] = fd;
	return 0;
}

static int begin(void *context)
{
	(void)context;
	if (geteuid() == 0 && setgroups(0, NULL) < 0)
		return -errno;
	int error = confine_rights(CONFINE_BINDER);
	return error < 0 ? error : confine_calls(CONFINE_BINDER);
}

void binder_kind(struct helper_kind *kind)
{
	*kind = (struct helper_kind){ .title = "mimobox-binder",
				      .work = bind_as_owner,
				      .begin = begin,
				      .message_size = sizeof(struct bind_request) };
}
