/* SPDX-License-Identifier: MIT */
#include "spawner.h"

#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

static int clone_init(const void *context, const void *message, const int *descriptors,
		      unsigned count, int *pidfd)
{
	const struct init_setup *setup = context;
	const struct sandbox_shape *shape = message;
	/* The exit signal is that of this process: clone(2). */
	struct clone_args args = {
		.flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
			 (shape->own_network ? CLONE_NEWNET : 0) | CLONE_PIDFD | CLONE_PARENT |
			 CLONE_CLEAR_SIGHAND,
		.pidfd = (uintptr_t)pidfd,
	};
	if (count != 2)
		return -EINVAL;
	long pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		init_run(setup, shape, descriptors[0], descriptors[1]);
	return pid < 0 ? -errno : (int)pid;
}

void spawner_kind(struct helper_kind *kind, const struct init_setup *setup)
{
	*kind = (struct helper_kind){ .title = "mimobox-spawner",
				      .work = clone_init,
				      .context = setup,
				      .message_size = sizeof(struct sandbox_shape) };
}
