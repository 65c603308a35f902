/* SPDX-License-Identifier: MIT */
#include "monitor.h"
#include "session.h"
#include "sysfilter_lists.h"

#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_SIZE = 40, LINE_SIZE = 48 };

static bool allows(struct mimobox_session *session, const struct sysfilter_options *options,
		   const struct refusal *refusal)
{
	struct seccomp_data call = { .nr = refusal->number, .arch = sysfilter_architecture() };
	const struct sysfilter *filter;
	memcpy(call.args, refusal->arguments, sizeof(call.args));
	return sysfilters_get(&session->box->filters, options, &filter, NULL, 0) == 0 &&
	       sysfilter_answer(filter, &call) == SECCOMP_RET_ALLOW;
}

/* The line of `config` that would, by itself; false: none. */
static bool find_line(struct mimobox_session *session, const struct refusal *refusal,
		      char line[static LINE_SIZE])
{
	const struct sysfilter_options is = access_filter(&session->config.access);
	struct sysfilter_options options = is;
	options.ptrace = true;
	snprintf(line, LINE_SIZE, "ptrace yes");
	if (!is.ptrace && allows(session, &options, refusal))
		return true;
	options = is;
	options.fork = true;
	snprintf(line, LINE_SIZE, "fork yes");
	if (!is.fork && allows(session, &options, refusal))
		return true;
	options = is;
	for (int profile = (int)is.profile + 1; profile < SYSFILTER_PROFILES; profile++) {
		options.profile = (enum sysfilter_profile)profile;
		snprintf(line, LINE_SIZE, "seccomp %s", sysfilter_profile_name(options.profile));
		if (allows(session, &options, refusal))
			return true;
	}
	options = is;
	options.tcp_only = false;
	snprintf(line, LINE_SIZE, "network host");
	return is.tcp_only && allows(session, &options, refusal);
}

static void name_call(int number, char name[static NAME_SIZE])
{
	char *known = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
	snprintf(name, NAME_SIZE, "call %d", number);
	for (const struct sysfilter_number *newer = sysfilter_newer; newer->name; newer++)
		if (newer->number == number)
			snprintf(name, NAME_SIZE, "%s", newer->name);
	if (known)
		snprintf(name, NAME_SIZE, "%s", known);
	free(known);
}

static void log_one(struct mimobox_session *session, const struct refusal *refusal)
{
	char name[NAME_SIZE], line[LINE_SIZE];
	name_call(refusal->number, name);
	if (find_line(session, refusal, line))
		mimobox_session_log(session, "refused: %s: %s ('%s' allows it)", name,
				    strerror(refusal->error), line);
	else
		mimobox_session_log(session, "refused: %s: %s (no key allows it)", name,
				    strerror(refusal->error));
}

void refusals_log(struct mimobox_session *session)
{
	struct monitor_page *page = session->contact.page;
	uint32_t count = page ? atomic_load(&page->refusals.count) : 0;
	for (; session->refusals < count && session->refusals < REFUSALS_MAX; session->refusals++) {
		struct refusal refusal = page->refusals.list[session->refusals];
		log_one(session, &refusal);
	}
}
