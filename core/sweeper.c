/* SPDX-License-Identifier: MIT */
#include "sweeper.h"

#include <unistd.h>

static int sweep(void *context, const void *message, const int *in, int *out, unsigned *count)
{
	(void)in, (void)out, (void)count;
	const uint64_t *group = message;
	return cgroup_destroy(context, *group);
}

void sweeper_kind(struct helper_kind *kind, struct cgroups *cgroups)
{
	*kind = (struct helper_kind){ .title = "mimobox-sweeper",
				      .work = sweep,
				      .context = cgroups,
				      .message_size = sizeof(uint64_t) };
	kind->kept = cgroups_descriptors(cgroups, kind->keep);
}
