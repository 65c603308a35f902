/* SPDX-License-Identifier: MIT */
/*
 * What is done before a sandbox begins: whether the machine can enforce what was asked for, where
 * the output goes, the cgroup, and the plan that the sandbox is made from.
 */
#include "start.h"

#include "landlock_floor.h"
#include "plan.h"
#include "units.h"
#include "workspace.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const char *advice(const struct mimobox_session *session, const struct start_report *report)
{
	if (report->stage == STAGE_CLONE && report->error == ENOSPC)
		return " (user namespaces are used up: sysctl user.max_user_namespaces)";
	if (report->stage == STAGE_CGROUP)
		return " (is the limit within what this machine's cgroups take?)";
	if (report->stage == STAGE_PATHS && report->error == EPERM &&
	    ceiling_paths(&session->share, NULL))
		return " (it leads out of the ceiling's paths, or to a session filesystem)";
	if (report->stage == STAGE_PATHS && report->error == EPERM)
		return " (a session filesystem is no part of a sandbox)";
	if (report->stage == STAGE_PATHS && report->error == EACCES)
		return " (the session's owner may not go there)";
	if (report->stage == STAGE_NETWORK &&
	    (report->error == EAFNOSUPPORT || report->error == EPERM))
		return " (a filter around the daemon refuses AF_NETLINK: RestrictAddressFamilies= "
		       "of systemd)";
	if (report->stage == STAGE_TERMINAL && report->error == ENOSPC)
		return " (no terminal is left on this machine: sysctl kernel.pty.max)";
	return "";
}

/* A sandbox has no more of it than the daemon. */
static void explain_limits(const struct config *config, const struct start_report *report,
			   char *why, size_t size)
{
	bool files = strcmp(report->what, "open-files") == 0;
	struct rlimit limit;
	if (report->error != EPERM || getrlimit(files ? RLIMIT_NOFILE : RLIMIT_FSIZE, &limit) < 0)
		return;
	snprintf(why, size, "%llu is above %llu, the hard limit that the daemon has: ulimit -H%c",
		 (unsigned long long)(files ? config->open_files : config->file_size),
		 (unsigned long long)limit.rlim_max, files ? 'n' : 'f');
}

void start_log_failure(struct mimobox_session *session, const struct start_report *report)
{
	char why[200] = "";
	if (report->stage == STAGE_LANDLOCK && !report->what[0])
		landlock_explain(&session->config.access, session->landlock_abi, why, sizeof(why));
	if (report->stage == STAGE_LIMITS)
		explain_limits(&session->config, report, why, sizeof(why));
	if (session->box->probed)
		*session->box->probed = *report;
	snprintf(session->failure, sizeof(session->failure), "%s%s%s: %s%s%s%s%s",
		 stage_name(report->stage), report->what[0] ? ": " : "", report->what,
		 strerror(report->error), why[0] ? " (" : "", why, why[0] ? ")" : "",
		 advice(session, report));
	/* A line of `status`, whatever the name of what failed has in it. */
	for (char *at = session->failure; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 127)
			*at = '?';
	mimobox_session_log(session, "start failed: %s", session->failure);
}

static int lacks(struct mimobox_session *session, const char *key)
{
	mimobox_session_log(session,
			    "start failed: %s: this machine gives the daemon no cgroup for it "
			    "(%s; or ask for '%s none')",
			    key, box_advice_for_limit(session->box, key), key);
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

/* What a session has by itself. A host that keeps its resolver's file elsewhere has it there. */
static unsigned extra_paths(const struct mimobox_session *session, struct sandbox_path *extra)
{
	unsigned count = 0;
	const char *resolver = session->box->resolver;
	if (session->workspace)
		extra[count++] = (struct sandbox_path){ .outside = session->workspace,
							.inside = "/workspace",
							.writable = true };
	if (!access_own_network(&session->config.access) && resolver)
		extra[count++] = (struct sandbox_path){ .outside = resolver, .inside = resolver };
	return count;
}

static int add_filter(struct mimobox_session *session, struct plan *plan,
		      struct start_report *report)
{
	struct mimobox *box = session->box;
	struct sysfilter_options options = access_filter(&session->config.access);
	const struct sysfilter *filter;
	report->stage = STAGE_SECCOMP;
	int error = sysfilters_get(&box->filters, &options, &filter, report->what,
				   sizeof(report->what));
	if (error == 0)
		plan->filter = *filter;
	return error;
}

static int make_plan(struct mimobox_session *session, bool sealed, struct start_report *report)
{
	struct plan plan;
	struct mimobox *box = session->box;
	struct sandbox_path extra[2];
	int error = plan_init(&plan, &session->config, sealed ? NULL : &box->layout, extra,
			      sealed ? 0 : extra_paths(session, extra));
	if (error < 0)
		return error;
	plan.bounds = ceiling_paths(&session->share, &plan.bound_count);
	plan.owner_is_root = session->uid == 0;
	plan.rows = session->rows;
	plan.cols = session->cols;
	plan.landlock.abi = session->landlock_abi = box->setup.landlock_abi;
	if (!sealed)
		error = add_filter(session, &plan, report);
	if (error == 0) {
		report->stage = STAGE_CLONE;
		error = plan_pack(&plan);
	}
	plan_finish(&plan);
	return error;
}

/* One that was built ahead: its id is the session's from now on. */
static int take_over(struct mimobox_session *session, int plan, struct start_report *report)
{
	struct sandbox *sandbox = &session->sandbox;
	struct cgroup_limits limits;
	const char *what = "";
	session->has_cgroup = true;
	box_limits(&session->config, &limits);
	int error = cgroup_limit(session->box->cgroups, sandbox->group, &sandbox->limits, &limits,
				 &what);
	if (error == 0)
		sandbox->limits = limits;
	*report = (struct start_report){ .stage = STAGE_CGROUP };
	strncpy(report->what, what, sizeof(report->what) - 1);
	if (error == 0 && session->run_uid != sandbox->shape.uid) {
		session->run_uid = sandbox->shape.uid;
		session->run_gid = sandbox->shape.gid;
		report->stage = STAGE_IDENTITY;
		error = workspace_give(session);
	}
	if (error == 0) {
		session_keep_sandbox(session);
		report->stage = STAGE_CLONE;
		error = sandbox_give(sandbox, plan);
	}
	if (error == 0)
		favour_started(session); /* while it wakes up */
	close(plan);
	if (error < 0) {
		sandbox_abandon(sandbox);
		sandbox_finish(sandbox);
		if (sandbox->kept)
			keep_release(session->box->keep, session_keep_sandbox_id(session));
		sandbox->kept = false;
	}
	return error;
}

static int ask_for_one(struct mimobox_session *session, int plan, struct start_report *report)
{
	struct mimobox *box = session->box;
	struct sandbox *sandbox = &session->sandbox;
	const char *workspace =
		sandbox->shape.sealed && session->workspace ? session->workspace : "";
	sandbox->shape.uid = session->run_uid;
	sandbox->shape.gid = session->run_gid;
	sandbox->group = ++box->last_group;
	box_limits(&session->config, &sandbox->limits);
	*report = (struct start_report){ .stage = STAGE_CLONE };
	int error = sandbox_ask(sandbox, workspace, box->spawner, session_cloned, session);
	session->has_cgroup = error == 0;
	if (error == 0)
		session->plan = plan;
	else
		close(plan);
	return error;
}

/* What was built ahead for the session has the one that is gone. */
static int renew_workspace(struct mimobox_session *session, struct start_report *report)
{
	const char *before = session->workspace;
	report->stage = STAGE_PATHS;
	strcpy(report->what, "workspace");
	int error = workspace_renew(session);
	if (session->workspace != before)
		pool_disclaim(session->box->pool, session);
	if (error == 0)
		*report = (struct start_report){ .stage = STAGE_CLONE };
	return error;
}

static int launch(struct mimobox_session *session, struct start_report *report)
{
	struct mimobox *box = session->box;
	struct sandbox_shape shape;
	box_shape(box, &session->config, session->uid, session->run_gid, &shape);
	int error = renew_workspace(session, report);
	if (error < 0)
		return error;
	int plan = make_plan(session, shape.sealed, report);
	if (plan < 0)
		return plan;
	if (pool_take(box->pool, session, &shape, &session->sandbox)) {
		box->stats.pool_hits++;
		return take_over(session, plan, report);
	}
	box->stats.pool_misses++;
	sandbox_init(&session->sandbox);
	session->sandbox.shape = shape;
	return ask_for_one(session, plan, report);
}

int start_again(struct mimobox_session *session)
{
	struct start_report report = { .stage = STAGE_CLONE };
	int plan = make_plan(session, session->sandbox.shape.sealed, &report);
	if (plan < 0)
		return plan;
	int error = sandbox_give(&session->sandbox, plan);
	close(plan);
	return error;
}

static int open_spools(struct mimobox_session *session)
{
	const struct config *config = &session->config;
	for (int i = 0; i < (config->terminal ? 1 : STREAMS); i++) {
		struct output *output = &session->streams[i].output;
		int error = output->spool.directory
				    ? 0
				    : spool_open(&output->spool, session->box->spool_dir);
		if (error < 0) {
			mimobox_session_log(session, "start failed: spool: %s: %s%s",
					    session->box->spool_dir, strerror(-error),
					    error == -ENOENT ? " (make this directory again)" : "");
			return error;
		}
		spool_keep(&output->spool, session->box->keep, session_keep_spool_id(session),
			   (uint32_t)i);
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
	error = launch(session, &report);
	if (error == 0)
		return 0;
	report.error = -error;
	start_log_failure(session, &report);
	session_drop_cgroup(session);
	return error;
}
