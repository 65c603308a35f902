/* SPDX-License-Identifier: MIT */
#include "sweeper.h"

#include <unistd.h>

static int sweep(const void *context, const void *message, const int *descriptors, unsigned count,
		 int *out)
{
	(void)descriptors, (void)count, (void)out;
	const uint64_t *group = message;
	return cgroup_destroy((struct cgroups *)(uintptr_t)context, *group);
}

void sweeper_kind(struct helper_kind *kind, struct cgroups *cgroups)
{
	*kind = (struct helper_kind){ .title = "mimobox-sweeper",
				      .work = sweep,
				      .context = cgroups,
				      .message_size = sizeof(uint64_t) };
	kind->kept = cgroups_descriptors(cgroups, kind->keep);
}
