/* SPDX-License-Identifier: MIT */
/*
 * What is done before a sandbox begins: whether the machine can enforce what was asked for, where
 * the output goes, the cgroup, and the plan that the sandbox is made from.
 */
#include "start.h"

#include "units.h"

#include <errno.h>
#include <string.h>

static const char *advice(const struct start_report *report)
{
	if (report->stage == STAGE_CLONE && (report->error == ENOSPC || report->error == EPERM))
		return " (are user namespaces allowed? sysctl user.max_user_namespaces)";
	if (report->stage == STAGE_CGROUP)
		return " (is the limit within what this machine's cgroups take?)";
	if (report->stage == STAGE_LANDLOCK && !report->what[0])
		return " (Landlock of Linux 6.12 is needed, and to be in the boot parameter lsm=)";
	if (report->stage == STAGE_PATHS && report->error == EPERM)
		return " (a session filesystem is no part of a sandbox)";
	if (report->stage == STAGE_PATHS && report->error == EACCES)
		return " (the session's owner may not go there)";
	if (report->stage == STAGE_TERMINAL && report->error == ENOSPC)
		return " (no terminal is left: sysctl kernel.pty.max)";
	return "";
}

void start_log_failure(struct mimobox_session *session, const struct start_report *report)
{
	snprintf(session->failure, sizeof(session->failure), "%s%s%s: %s%s",
		 stage_name(report->stage), report->what[0] ? ": " : "", report->what,
		 strerror(report->error), advice(report));
	mimobox_session_log(session, "start failed: %s", session->failure);
}

static int lacks(struct mimobox_session *session, const char *key)
{
	mimobox_session_log(session,
			    "start failed: %s: this machine gives the daemon no cgroup for it "
			    "(delegate one, or ask for '%s none')",
			    key, key);
	return -EOPNOTSUPP;
}

static int check_enforceable(struct mimobox_session *session)
{
	unsigned can = cgroups_can(session->box->cgroups);
	const struct config *config = &session->config;
	if (config->memory != UNITS_NONE && !(can & CGROUP_MEMORY))
		return lacks(session, "memory");
	if (config->processes != UNITS_NONE && !(can & CGROUP_PROCESSES))
		return lacks(session, "processes");
	if (config->cpu_milli != UNITS_NONE && !(can & CGROUP_CPU))
		return lacks(session, "cpu");
	return 0;
}

static int make_cgroup(struct mimobox_session *session, struct start_report *report)
{
	const struct config *config = &session->config;
	struct cgroup_limits limits = {
		.memory = config->memory,
		/* init is one of them */
		.processes = config->processes == UNITS_NONE ? UNITS_NONE : config->processes + 1,
		.cpu_milli = config->cpu_milli,
	};
	const char *what = "";
	int error = cgroup_create(session->box->cgroups, session->id, &limits, &what);
	session->has_cgroup = error == 0;
	*report = (struct start_report){ .stage = STAGE_CGROUP, .error = -error };
	strncpy(report->what, what, sizeof(report->what) - 1);
	return error;
}

/* What a session has by itself. A host that keeps its resolver's file elsewhere has it there. */
static unsigned extra_paths(const struct mimobox_session *session, struct sandbox_path *extra)
{
	unsigned count = 0;
	const char *resolver = session->box->resolver;
	if (session->workspace)
		extra[count++] = (struct sandbox_path){ .outside = session->workspace,
							.inside = "/workspace",
							.writable = true };
	if (session->config.access.network != NETWORK_NONE && resolver)
		extra[count++] = (struct sandbox_path){ .outside = resolver, .inside = resolver };
	return count;
}

static int launch(struct mimobox_session *session, struct start_report *report)
{
	struct sandbox_plan plan;
	struct mimobox *box = session->box;
	struct sandbox_path extra[2];
	int error = sandbox_plan_init(&plan, &session->config, &box->layout, extra,
				      extra_paths(session, extra));
	if (error < 0)
		return error;
	plan.owner_is_root = session->uid == 0;
	plan.uid = session->run_uid;
	plan.gid = session->run_gid;
	plan.rows = session->rows;
	plan.cols = session->cols;
	plan.no_capabilities = box->no_capabilities;
	session->landlock_abi = plan.landlock.abi;
	report->stage = STAGE_SECCOMP;
	error = box_filter(box, &session->config.access, &plan.filter, report->what,
			   sizeof(report->what));
	if (error == 0)
		error = sandbox_launch(&session->sandbox, &plan, box->cgroups, session->id, report);
	sandbox_plan_finish(&plan);
	return error;
}

static int open_spools(struct mimobox_session *session)
{
	const struct config *config = &session->config;
	for (int i = 0; i < (config->terminal ? 1 : STREAMS); i++) {
		struct output *output = &session->streams[i].output;
		int error = output->spool.fd < 0
				    ? spool_open(&output->spool, session->box->spool_dir)
				    : 0;
		if (error < 0) {
			mimobox_session_log(session, "start failed: spool: %s: %s",
					    session->box->spool_dir, strerror(-error));
			return error;
		}
		output->retain = config->retain;
		output->overflow = config->overflow;
	}
	return 0;
}

int start_launch(struct mimobox_session *session)
{
	struct start_report report = { .stage = STAGE_CLONE };
	int error = check_enforceable(session);
	if (error == 0)
		error = open_spools(session);
	if (error < 0)
		return error;
	error = make_cgroup(session, &report);
	if (error == 0)
		error = launch(session, &report);
	if (error == 0)
		return 0;
	report.error = -error;
	start_log_failure(session, &report);
	session_drop_cgroup(session);
	return error;
}
