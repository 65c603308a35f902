/* SPDX-License-Identifier: MIT */
/* What a machine has of what sessions take: one is tried before anybody waits for one. */
#include "machine.h"
#include "session.h"
#include "units.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

/* For a kernel that is busy with the cgroup of what has ended. */
#define LEAVE_NS UINT64_C(1000000000)

void box_explain(char *why, size_t size, const char *format, ...)
{
	va_list arguments;
	if (!why || size == 0)
		return;
	va_start(arguments, format);
	vsnprintf(why, size, format, arguments);
	va_end(arguments);
}

void box_note_unlimited(struct mimobox *box, unsigned can)
{
	static const struct {
		unsigned bit;
		const char *name;
	} limits[] = { { CGROUP_MEMORY, "memory" },
		       { CGROUP_PROCESSES, "processes" },
		       { CGROUP_CPU, "cpu" } };
	size_t size = 0;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		if (!(can & limits[i].bit))
			size += (size_t)snprintf(box->unlimited + size,
						 sizeof(box->unlimited) - size, "%s%s",
						 size ? ", " : "", limits[i].name);
	if (!size)
		return;
	size += (size_t)snprintf(box->unlimited + size, sizeof(box->unlimited) - size, ": ");
	machine_advise_limits(can, box->unlimited + size, sizeof(box->unlimited) - size);
}

const char *box_advice_for_limit(const struct mimobox *box, const char *reason)
{
	const char *advice = strchr(box->unlimited, ':');
	size_t length = strcspn(reason, ":");
	for (const char *at = box->unlimited; advice && at < advice; at += strcspn(at, " :") + 1)
		if (strncmp(at, reason, length) == 0 &&
		    (at[length] == ',' || at + length == advice))
			return advice + 2;
	return NULL;
}

void box_append_advice(const struct start_report *report, char *why, size_t why_size)
{
	char advice[512];
	machine_advise(report, advice, sizeof(advice));
	size_t size = why ? strlen(why) : 0;
	if (advice[0] && size < why_size)
		box_explain(why + size, why_size - size, "; %s", advice);
}

static bool has_exited(void *data)
{
	const struct mimobox_session *session = data;
	return session->state == MIMOBOX_EXITED ||
	       (session->state == MIMOBOX_CREATED && session->start_result != -EINPROGRESS);
}

/* Nothing counts any more against max_sessions. */
static bool has_left(void *data)
{
	const struct mimobox *box = data;
	return box->lingering == 0;
}

/* The last line of its log says what went wrong. */
static void explain_by_log(const struct mimobox_session *session, char *why, size_t size)
{
	const char *text = session->journal.text;
	size_t end = session->journal.size;
	while (end > 0 && text[end - 1] == '\n')
		end--;
	size_t start = end;
	while (start > 0 && text[start - 1] != '\n')
		start--;
	const char *after_time = memchr(text + start, ' ', end - start);
	if (after_time)
		start = (size_t)(after_time + 1 - text);
	box_explain(why, size, "%.*s", (int)(end - start), text + start);
}

/* Says what to do behind what failed. Returns what mimobox_probe() does. */
static int advise(const struct start_report *report, int error, char *why, size_t why_size)
{
	if (!report->error) /* the spool, or a limit that cannot be enforced */
		return error;
	box_append_advice(report, why, why_size);
	return machine_refuses_start(report) ? -EOPNOTSUPP : error;
}

/* With root's daemon it is the first to have another id than the daemon's. */
static int explain_no_session(const struct mimobox *box, int error, char *why, size_t why_size)
{
	char advice[256];
	bool lacks = machine_refuses(error) && machine_advise_ids(advice, sizeof(advice));
	if (lacks)
		box_explain(why, why_size, "cannot make a session: %s; %s", strerror(-error),
			    advice);
	else
		box_explain(why, why_size,
			    "cannot make a session: %s (workspaces in %s are for other ids than "
			    "root's)",
			    strerror(-error), box->workspaces ? box->workspaces : "-");
	return lacks ? -EOPNOTSUPP : error;
}

int mimobox_probe(struct mimobox *box, char *why, size_t why_size)
{
	static const char trivial[] = "argv [\"/bin/true\"]";
	struct mimobox_session *session;
	mimobox_notify_fn notify = box->notify;
	int error = mimobox_session_create(box, "probe", geteuid(), getegid(), &session);
	if (error < 0)
		return explain_no_session(box, error, why, why_size);
	struct start_report report = { .error = 0 };
	box->probed = &report;
	box->notify = NULL;
	mimobox_session_configure(session, trivial, sizeof(trivial) - 1);
	error = mimobox_session_start(session);
	if (error == -EINPROGRESS)
		error = box_dispatch_until(box, has_exited, session, box->patience_ns)
				? session->start_result
				: -ETIMEDOUT;
	if (error == -ETIMEDOUT)
		mimobox_session_log(session, "/bin/true in a sandbox has not ended in %u s",
				    (unsigned)(box->patience_ns / UINT64_C(1000000000)));
	if (error == 0 && session->status != 0)
		error = -EIO;
	if (error < 0) {
		explain_by_log(session, why, why_size);
		error = advise(&report, error, why, why_size);
	}
	box->probed = NULL;
	mimobox_session_remove(session);
	mimobox_session_unref(session);
	if (error == 0)
		(void)box_dispatch_until(box, has_left, box, LEAVE_NS);
	box->notify = notify;
	box->stats = (struct stats){ 0 };
	return error;
}

void mimobox_print_machine(const struct mimobox *box, FILE *to)
{
	unsigned can = cgroups_can(box->cgroups);
	char advice[512];
	int abi = box->setup.landlock_abi;
	if (abi > 0) {
		fprintf(to, "landlock %d\n", abi);
	} else {
		machine_advise_landlock(abi, advice, sizeof(advice));
		fprintf(to, "landlock none; %s\n", advice);
	}
	fprintf(to, "limits%s%s%s%s\n", can & CGROUP_MEMORY ? " memory" : "",
		can & CGROUP_PROCESSES ? " processes" : "", can & CGROUP_CPU ? " cpu" : "",
		can ? "" : " none");
	if (box->unlimited[0])
		fprintf(to, "unlimited %s\n", box->unlimited);
}

const char *mimobox_unlimited(const struct mimobox *box)
{
	return box->unlimited;
}
