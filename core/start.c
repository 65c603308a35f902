/* SPDX-License-Identifier: MIT */
/*
 * What is done before a sandbox begins: whether the machine can enforce what was asked for, where
 * the output goes, the cgroup, and the plan that the sandbox is made from.
 */
#include "start.h"

#include "home.h"
#include "landlock_floor.h"
#include "plan.h"
#include "units.h"
#include "workspace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

static bool is_overlay(const struct access *access, const char *inside)
{
	for (size_t i = 0; i < access->path_count; i++)
		if (access->paths[i].kind == PATH_OVERLAY &&
		    strcmp(access->paths[i].inside, inside) == 0)
			return true;
	return false;
}

static const char *overlay_advice(int error)
{
	if (error == EINVAL)
		return " (there is a mount below it, or overlayfs does not take the filesystem of "
		       "it, or of the workspaces: mimobox doctor)";
	if (error == ELOOP)
		return " (it holds the daemon's workspaces: --workspaces DIR elsewhere)";
	if (error == EPERM || error == ENODEV)
		return " (overlayfs for users needs Linux 5.11)";
	return "";
}

static const char *advice(const struct mimobox_session *session, const struct start_report *report)
{
	if (report->stage == STAGE_CLONE && report->error == ENOSPC)
		return " (user namespaces are used up: sysctl user.max_user_namespaces)";
	if (report->stage == STAGE_LIMITS && strcmp(report->what, "disk") == 0)
		return " (the filesystem of the workspaces has no project quotas: mimobox(5), "
		       "DISK; or ask for 'disk none')";
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
	if (report->stage == STAGE_TERMINAL && report->error == ENOSPC && session->host)
		return " (the session that it is in has no more: its `terminals`)";
	if ((report->stage == STAGE_ROOT || report->stage == STAGE_PATHS) &&
	    is_overlay(&session->config.access, report->what))
		return overlay_advice(report->error);
	if (report->stage == STAGE_PATHS && report->error == EINVAL)
		return " (an overlay of a session of root's needs a filesystem with idmapped "
		       "mounts)";
	if (report->stage == STAGE_PATHS && report->error == ENODEV)
		return " (it is no device)";
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

static void make_line(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 127)
			*text = '?';
}

void start_log_path(struct mimobox_session *session, const struct start_report *report)
{
	char path[sizeof(report->what)];
	strcpy(path, report->what);
	make_line(path);
	mimobox_session_log(session, "path: rw %s: the session may not write there%s", path,
			    session->uid == 0 ? " (sessions of root run as an id of their own, "
						"which `status` has)"
					      : "");
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
	make_line(session->failure);
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

static int check_home(struct mimobox_session *session)
{
	struct mimobox *box = session->box;
	struct statvfs disk;
	uint64_t wanted = session->config.home, free;
	if (wanted == UNITS_NONE)
		return 0;
	if (!session->workspace) {
		mimobox_session_log(session, "start failed: home: the daemon has no directory for "
					     "it (--workspaces DIR; or ask for 'home none')");
		return -EOPNOTSUPP;
	}
	if (wanted == 0 || statvfs(box->workspaces, &disk) < 0)
		return 0;
	free = (uint64_t)disk.f_bavail * disk.f_frsize;
	if (free >= wanted)
		return 0;
	mimobox_session_log(session,
			    "start failed: home: %llu bytes of the disk are free, and "
			    "%llu are asked for",
			    (unsigned long long)free, (unsigned long long)wanted);
	return -ENOSPC;
}

/* The spawner asks the kernel once more, when the bound is set. */
static int check_disk(struct mimobox_session *session)
{
	const char *why = NULL;
	if (session->config.disk == UNITS_NONE)
		return 0;
	if (geteuid() != 0)
		why = "it takes a daemon that is run by root";
	else if (!session->workspace)
		why = "the daemon has no directory for workspaces";
	else if (!session->box->projects)
		why = "the filesystem of the workspaces has no project quotas, or had none when "
		      "the daemon began: mimobox(5), DISK";
	if (!why)
		return 0;
	mimobox_session_log(session, "start failed: disk: %s; or ask for 'disk none'", why);
	return -EOPNOTSUPP;
}

/* What a session has by itself. A host that keeps its resolver's file elsewhere has it there. */
static unsigned extra_paths(const struct mimobox_session *session, const char *home,
			    struct sandbox_path *extra)
{
	unsigned count = 0;
	const char *resolver = session->box->resolver;
	if (session->workspace)
		extra[count++] = (struct sandbox_path){ .outside = session->workspace,
							.inside = "/workspace",
							.kind = PATH_RW };
	if (*home)
		extra[count++] = (struct sandbox_path){ .outside = home,
							.inside = HOME_INSIDE,
							.kind = PATH_RW };
	if (!access_own_network(&session->config.access) && resolver)
		extra[count++] = (struct sandbox_path){ .outside = resolver, .inside = resolver };
	return count;
}

static int add_filter(const struct mimobox_session *session, struct plan *plan,
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

static int make_changes(const struct mimobox_session *session, char **out,
			struct start_report *report)
{
	if (access_overlays(&session->config.access) == 0)
		return 0;
	int error = workspace_make_changes(session, out);
	if (error == 0)
		return 0;
	report->stage = STAGE_PATHS;
	strcpy(report->what, "no place for changes");
	return error;
}

/* What is run, and how, is this session's; where, and under what, is the other's. */
static int make_joined_plan(struct mimobox_session *session, struct start_report *report)
{
	const struct config *host = &session->host->config;
	struct config config = session->config;
	struct plan plan;
	config.access = (struct access){ 0 };
	config.home = config_has_home(host) ? 0 : UNITS_NONE;
	config.open_files = host->open_files;
	config.file_size = host->file_size;
	int error = plan_init(&plan, &config, NULL, NULL, 0);
	if (error < 0)
		return error;
	plan.rows = session->rows;
	plan.cols = session->cols;
	session->landlock_abi = session->host->landlock_abi;
	error = add_filter(session->host, &plan, report);
	if (error == 0) {
		report->stage = STAGE_CLONE;
		error = plan_pack(&plan);
	}
	plan_finish(&plan);
	return error;
}

static int make_plan(struct mimobox_session *session, bool sealed, struct start_report *report)
{
	struct plan plan;
	struct mimobox *box = session->box;
	struct sandbox_path extra[3];
	char home[PATH_MAX] = "", *changes = NULL;
	int error = 0;
	if (session->host)
		return make_joined_plan(session, report);
	if (session->workspace && config_has_home(&session->config))
		error = home_path(session->workspace, home);
	if (error == 0)
		error = make_changes(session, &changes, report);
	if (error == 0)
		error = plan_init(&plan, &session->config, sealed ? NULL : &box->layout, extra,
				  sealed ? 0 : extra_paths(session, home, extra));
	if (error < 0) {
		free(changes);
		return error;
	}
	plan.changes = changes;
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
	free(changes);
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
	bool told = sandbox->shape.sealed || box->projects;
	const char *workspace = told && session->workspace ? session->workspace : "";
	sandbox->shape.uid = session->run_uid;
	sandbox->shape.gid = session->run_gid;
	sandbox->group = ++box->last_group;
	box_limits(&session->config, &sandbox->limits);
	*report = (struct start_report){ .stage = STAGE_CLONE };
	int error = sandbox_ask(sandbox, workspace, session->config.disk, box->spawner,
				session_cloned, session);
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
	report->stage = STAGE_PATHS;
	strcpy(report->what, "workspace");
	int error = workspace_renew(session);
	if (error > 0)
		pool_disclaim(session->box->pool, session);
	if (error >= 0)
		*report = (struct start_report){ .stage = STAGE_CLONE };
	return error < 0 ? error : 0;
}

/* One that is itself in another's sandbox stands for that one. */
static int find_host(struct mimobox_session *session)
{
	const char *name = session->config.in;
	struct mimobox_session *host = mimobox_session_find(session->box, name);
	const char *why = !host || host == session         ? "there is no such session"
			  : host->uid != session->uid      ? "it is another user's"
			  : host->state != MIMOBOX_RUNNING ? "it does not run"
							   : NULL;
	if (why) {
		mimobox_session_log(session, "start refused: in %s: %s", name, why);
		return !host || host == session    ? -ENOENT
		       : host->uid != session->uid ? -EPERM
						   : -ESRCH;
	}
	session->host = mimobox_session_ref(host->host ? host->host : host);
	return 0;
}

static int launch_joined(struct mimobox_session *session, struct start_report *report)
{
	struct sandbox *sandbox = &session->sandbox;
	pool_disclaim(session->box->pool, session);
	int plan = make_joined_plan(session, report);
	if (plan < 0)
		return plan;
	sandbox_init(sandbox);
	sandbox->shape = session->host->sandbox.shape;
	sandbox->shape.terminal = session->config.terminal;
	sandbox->shape.ends_with_command = session->config.ends_with_command;
	sandbox->group = session->host->sandbox.group;
	session->host->sandbox.typed = input_position(&session->host->typing.input);
	int error = sandbox_join(sandbox, &session->host->sandbox);
	if (error == 0)
		session->plan = plan;
	else
		close(plan);
	return error;
}

/* From here on whoever goes on in this process's place has it as well. */
void start_joined(struct mimobox_session *session)
{
	int plan = session->plan;
	session->plan = -1;
	session_keep_sandbox(session);
	if (loop_add(session->box->loop, session->sandbox.pidfd, EPOLLIN, session_on_end, session,
		     &session->end_source) < 0)
		sandbox_kill(&session->sandbox); /* and the patience with its start ends it */
	else
		sandbox_give(&session->sandbox, plan);
	close(plan);
}

/* None of those that were built ahead will do. */
static bool is_the_spawners(const struct mimobox_session *session,
			    const struct sandbox_shape *shape)
{
	bool bounded = session->config.disk != UNITS_NONE;
	/* Whether there is a bound, or none any more, is set with the workspace alone. */
	return shape->mapped || bounded || (session->box->projects && !shape->sealed);
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
	if (is_the_spawners(session, &shape))
		pool_disclaim(box->pool, session);
	else if (pool_take(box->pool, session, &shape, &session->sandbox)) {
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
	bool joins = session->config.in != NULL;
	int error = joins ? find_host(session) : check_enforceable(session);
	if (error == 0 && !joins)
		error = check_home(session);
	if (error == 0 && !joins)
		error = check_disk(session);
	if (error == 0)
		error = open_spools(session);
	if (error < 0)
		return error;
	error = joins ? launch_joined(session, &report) : launch(session, &report);
	if (error == 0)
		return 0;
	report.error = -error;
	start_log_failure(session, &report);
	session_drop_cgroup(session);
	return error;
}
