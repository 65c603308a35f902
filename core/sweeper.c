/* SPDX-License-Identifier: MIT */
#include "sweeper.h"

#include "confine.h"

#include <unistd.h>

static int sweep(void *context, const void *message, const int *in, int *out, unsigned *count)
{
	(void)in, (void)out, (void)count;
	const uint64_t *group = message;
	if (*group)
		return cgroup_destroy(context, *group);
	cgroups_remove(context);
	return 0;
}

static int begin(void *context)
{
	(void)context;
	int error = confine_rights(CONFINE_SWEEPER);
	return error < 0 ? error : confine_calls(CONFINE_SWEEPER);
}

void sweeper_kind(struct helper_kind *kind, struct cgroups *cgroups)
{
	*kind = (struct helper_kind){ .title = "mimobox-sweeper",
				      .work = sweep,
				      .begin = begin,
				      .context = cgroups,
				      .message_size = sizeof(uint64_t) };
	kind->kept = cgroups_descriptors(cgroups, kind->keep);
}
