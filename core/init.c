/* SPDX-License-Identifier: MIT */
/*
 * Two processes make a sandbox. PID 1 is a copy of the spawner (spawner.h) that never executes
 * anything: it holds no descriptor but its two sockets and what it made, and is not dumpable, so
 * that nothing in the sandbox can look into it. It is the one process that the command cannot
 * signal. Its child is the builder, which makes the root and the terminal, and ends. They share one
 * table of descriptors meanwhile.
 *
 * A sealed one goes on at once: PID 1 enters the new root, gives up its privileges, and forks what
 * becomes the command, which puts itself under the filter and waits for the plan (plan.h). It then
 * knows nothing of whom the sandbox is for, and may wait for long.
 *
 * In another, PID 1 waits for the plan and opens the host paths that it asks for. For their sake it
 * has kept, until then, the rights of the daemon's user (none of its capabilities). It attaches
 * them, and does the rest.
 *
 * The command is a child, not PID 1 itself: a PID 1 ignores the signals that it does not
 * handle, so that SIGTERM would never end an ordinary program. It is forked by the thread of init
 * that is under Landlock (domain.h), as are the inits of further sessions (join.h). What init does
 * once there is the command: serve.c.
 */
#include "init.h"

#include "command.h"
#include "domain.h"
#include "home.h"
#include "inside.h"
#include "join.h"
#include "message.h"
#include "mounts.h"
#include "plan.h"
#include "privileges.h"
#include "root.h"
#include "serve.h"
#include "spawner.h"
#include "sysfilter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_COMMAND_LINE = 131072 };

void init_title(const char *name)
{
	char *start = program_invocation_name, *end = environ[0];
	size_t size = strlen(name) + 1;
	prctl(PR_SET_NAME, name);
	if (!end || end < start + size || end - start > MAX_COMMAND_LINE)
		return;
	memset(start, 0, (size_t)(end - start));
	memcpy(start, name, size);
}

/* Before anything else, so that nothing of the spawner's is in the way. */
static void calm_down(void)
{
	sigset_t all;
	if (setsid() < 0) /* nor are we of the spawner's process group, which waits for that */
		_exit(1);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL); /* those that libraries had ignored, too */
	umask(022);                      /* the daemon's own is no business of the command's */
	init_title("mimobox-init");
}

static void tell_failure(int start, int error)
{
	struct start_report message = { .stage = STAGE_CGROUP, .error = -error };
	(void)message_send(start, &message, sizeof(message), NULL, 0, 0);
}

/* The spawner writes the maps meanwhile, then one byte; its end comes instead if it fails. */
static void take_place_outside(const struct init_ends *ends)
{
	char byte = 0;
	int error = cgroup_enter(ends->entry);
	if (error < 0)
		tell_failure(ends->start, error);
	if (error < 0 || write(ends->go, &byte, 1) != 1 || read(ends->go, &byte, 1) != 1)
		_exit(1);
}

static void take_place(const struct init_ends *ends)
{
	int start = fcntl(ends->start, F_DUPFD_CLOEXEC, FREE);
	int control = fcntl(ends->control, F_DUPFD_CLOEXEC, FREE);
	int mapper = ends->mapper < 0 ? -1 : fcntl(ends->mapper, F_DUPFD_CLOEXEC, FREE);
	if (start < 0 || control < 0 || dup3(start, START, O_CLOEXEC) < 0 ||
	    dup3(control, CONTROL, O_CLOEXEC) < 0 || close_range(HANDED, HANDED, 0) < 0 ||
	    (mapper >= 0 && dup3(mapper, MAPPER, O_CLOEXEC) < 0) ||
	    close_range(IN, mapper >= 0 ? INSIDE : ~0U, 0) < 0 || close_range(FREE, ~0U, 0) < 0)
		_exit(1);
}

static void die_with_parent(void)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		_exit(1);
}

static void take_identity(void)
{
	if (setresgid(SANDBOX_GID, SANDBOX_GID, SANDBOX_GID) < 0 ||
	    setresuid(SANDBOX_UID, SANDBOX_UID, SANDBOX_UID) < 0)
		command_fail(STAGE_IDENTITY, -errno, "setresuid");
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		command_fail(STAGE_IDENTITY, -errno, "dumpable");
}

/* The change undid it, and what undoes it is no message of the parent's end: prctl(2). */
static void take_identity_as_init(void)
{
	take_identity();
	die_with_parent();
	struct pollfd parent = { .fd = CONTROL };
	if (poll(&parent, 1, 0) != 0)
		_exit(1);
}

static void finish_namespaces(bool new_network)
{
	static const char name[] = ROOT_HOST_NAME;
	/* Only now, so that its root is the session's own group. */
	if (unshare(CLONE_NEWCGROUP) < 0)
		command_fail(STAGE_NAMESPACES, -errno, "cgroup");
	if (sethostname(name, sizeof(name) - 1) < 0)
		command_fail(STAGE_NAMESPACES, -errno, "host name");
	int error = new_network ? spawner_raise_loopback() : 0;
	if (error < 0)
		command_fail(STAGE_NAMESPACES, error, "lo");
}

/*
 * Before the change of identity, that is with the rights of the daemon's user but none of its
 * capabilities: what is the daemon's own, and all where the session's owner is root. After it:
 * what somebody else asked for.
 */
static void open_paths(struct plan *plan, const struct sandbox_shape *shape, bool after)
{
	const char *what = NULL;
	unsigned early = plan->owner_is_root ? plan->path_count : plan->own_paths;
	int mapper = shape->mapped ? MAPPER : -1;
	int error =
		after ? paths_open(plan->paths + early, plan->path_count - early, 0, shape->uid, -1,
				   &what)
		      : paths_open(plan->paths, early, plan->own_paths, shape->uid, mapper, &what);
	if (!after && shape->mapped)
		close(MAPPER);
	if (error < 0)
		command_fail(STAGE_PATHS, error, what);
}

/* The daemon's own, too. -1: there are no overlays. */
static int open_changes(const struct plan *plan)
{
	int fd = *plan->changes ? paths_open_directory(plan->changes) : -1;
	if (*plan->changes && fd < 0)
		command_fail(STAGE_PATHS, fd, plan->changes);
	return fd;
}

/* As the session's id. Nothing else tells its owner of a path that cannot be changed. */
static void tell_of_paths(const struct plan *plan)
{
	for (unsigned i = plan->own_paths; i < plan->path_count; i++)
		if (plan->paths[i].kind == PATH_RW &&
		    faccessat(plan->paths[i].mount, "", W_OK, AT_EMPTY_PATH | AT_EACCESS) < 0 &&
		    (errno == EACCES || errno == EROFS))
			command_report(STAGE_PATHS, 0, plan->paths[i].outside, NULL, 0);
}

static void drop_privileges(const struct init_setup *setup)
{
	int error = privileges_drop(setup->no_capabilities);
	if (error < 0)
		command_fail(STAGE_PRIVILEGES, error, "capability sets");
}

/* For both processes, and whatever they start. What they have still is for making the sandbox. */
static void bound_privileges(const struct init_setup *setup)
{
	const char *what = NULL;
	int error = quotas_limit(&setup->quotas, &what);
	if (error == 0)
		error = privileges_bound(&what);
	if (error < 0)
		command_fail(STAGE_PRIVILEGES, error, what);
}

_Noreturn static void build(const struct init_setup *setup, const struct spawn_request *request,
			    bool new_network)
{
	const struct sandbox_shape *shape = &request->shape;
	const char *what = NULL;
	take_identity();
	const struct root_options options = {
		.tmp_size = shape->tmp_size,
		.tmp_inodes = shape->tmp_inodes,
		.terminals = shape->terminals,
		.own_network = shape->own_network,
		.own_system = shape->own_root,
		.names = shape->names,
		.dns_seconds = shape->dns_seconds,
		.home = shape->home,
		.new_network = new_network,
		.view = &setup->view,
		.group = request->group,
	};
	int root = root_make(setup->layout, &setup->quotas, &options, &what);
	if (root < 0)
		command_fail(STAGE_ROOT, root, what);
	command_take_slot(root, ROOT, STAGE_ROOT);
	command_open_ends(shape, ROOT);
	command_open_page();
	command_report(STAGE_TERMINAL, 0, NULL, (const int[]){ PAGE, BELL }, 2);
	if (send(HANDED, "", 1, MSG_NOSIGNAL) != 1)
		command_fail(STAGE_FORK, -errno, "hand over");
	_exit(0);
}

/* Where names lead out of the network. */
static void open_inside(void)
{
	int ends[INSIDE_ENDS] = { -1, -1, -1 }, own;
	int error = inside_make_routes();
	if (error < 0)
		command_fail(STAGE_NETWORK, error, "route");
	error = inside_open(ends, &own);
	if (error < 0)
		command_fail(STAGE_NETWORK, error, "sockets");
	command_report(STAGE_NETWORK, 0, NULL, ends, INSIDE_ENDS);
	for (int i = 0; i < INSIDE_ENDS; i++)
		close(ends[i]);
	command_take_slot(own, INSIDE, STAGE_NETWORK);
}

static void add_routes(const struct plan *plan)
{
	int error = 0;
	for (unsigned i = 0; error == 0 && i < plan->route_count; i++)
		error = inside_add_route(&plan->routes[i]);
	if (error < 0)
		command_fail(STAGE_NETWORK, error, "route of an address");
}

static pid_t start_builder(const struct init_setup *setup, const struct spawn_request *request,
			   bool new_network)
{
	struct clone_args args = { .flags = CLONE_FILES, .exit_signal = SIGCHLD };
	long pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		build(setup, request, new_network);
	if (pid < 0)
		command_fail(STAGE_FORK, -errno, "builder");
	return (pid_t)pid;
}

static struct plan *receive_plan(void)
{
	/* The builder may end meanwhile; how, is seen after that. */
	int fd = command_receive(START);
	if (fd < 0)
		_exit(1); /* the daemon has gone, or wants it no more */
	struct plan *plan = plan_map(fd);
	if (!plan)
		command_fail(STAGE_FORK, -ENOMEM, "plan");
	close(fd);
	return plan;
}

static void wait_for_builder(pid_t builder)
{
	char byte;
	command_wait_for(HANDING);
	if (recv(HANDING, &byte, 1, 0) != 1)
		_exit(1);
	waitpid(builder, NULL, 0);
}

/*
 * All layers but the filter are in force in it. The terminal's session is init's, unless it is the
 * command's, and a child that is to be in it has to be made after that. 0 in the child.
 */
static pid_t fork_command(const struct sandbox_shape *shape, const struct landlock_policy *policy)
{
	unsigned failed = policy->rule_count;
	enum stage stage;
	int error = domain_begin(policy, &stage, &failed);
	if (error < 0)
		command_fail(stage, error,
			     failed < policy->rule_count ? policy->rules[failed].path : "");
	if (!shape->ends_with_command)
		command_lead_session(shape);
	pid_t pid = domain_fork(SIGCHLD);
	if (pid < 0)
		command_fail(STAGE_FORK, pid, "fork");
	if (pid > 0)
		close(HANDED);
	return pid;
}

/* What the command's filter refuses comes to init. */
static void answer_refusals(const struct sysfilter *filter)
{
	int error = serve_refusals(HANDING, filter);
	if (error < 0)
		command_fail(STAGE_SECCOMP, error, "listener");
}

static void finish_root(const struct sandbox_shape *shape, const struct sandbox_path *paths,
			unsigned count, int changes)
{
	const char *what = NULL;
	int error = 0;
	for (unsigned i = 0; error == 0 && i < count; i++)
		if (paths[i].kind == PATH_ROOT)
			error = root_furnish(ROOT, paths[i].mount, &what);
	if (error == 0)
		error = root_enter(ROOT, paths, count, changes, &what);
	if (changes >= 0)
		close(changes);
	if (error < 0)
		command_fail(STAGE_ROOT, error, what);
	error = paths_check(shape->uid);
	if (error < 0)
		command_fail(STAGE_PATHS, error, "mounts");
	close(ROOT);
}

/* What a sealed one has of its own, opened; `home` is its home's path. Returns how many. */
static unsigned open_own(const struct spawn_request *request, struct sandbox_path own[static 2],
			 char home[static PATH_MAX])
{
	const char *what = HOME_INSIDE;
	unsigned count = 0;
	int error = 0;
	if (request->workspace[0])
		own[count++] = (struct sandbox_path){ .outside = request->workspace,
						      .inside = "/workspace",
						      .kind = PATH_RW };
	if (count && request->shape.home) {
		error = home_path(request->workspace, home);
		own[count++] = (struct sandbox_path){ .outside = home,
						      .inside = HOME_INSIDE,
						      .kind = PATH_RW };
	}
	if (error == 0)
		error = paths_open(own, count, count, request->shape.uid, -1, &what);
	if (error < 0)
		command_fail(STAGE_PATHS, error, what);
	return count;
}

/* Nothing has to be known of what it is for. Returns the process that is told. */
static pid_t seal(const struct init_setup *setup, const struct spawn_request *request,
		  pid_t builder)
{
	const struct sandbox_shape *shape = &request->shape;
	struct landlock_rule rules[ROOT_RULES_MAX + 3];
	struct landlock_policy policy = { .abi = setup->landlock_abi,
					  .floor = shape->landlock,
					  .rules = rules,
					  .rule_count = root_rules(setup->layout, rules) };
	struct sandbox_path own[2];
	char home[PATH_MAX];
	if (shape->names && root_resolver_rule(setup->layout, &rules[policy.rule_count]))
		policy.rule_count++;
	unsigned count = open_own(request, own, home);
	for (unsigned i = 0; i < count; i++)
		rules[policy.rule_count++] = (struct landlock_rule){ own[i].inside, LANDLOCK_FULL };
	wait_for_builder(builder);
	command_begin_to_monitor(shape);
	take_identity_as_init();
	finish_root(shape, own, count, -1);
	drop_privileges(setup);
	const struct sysfilter *filter;
	if (sysfilters_get(setup->filters, &shape->filter, &filter, NULL, 0) < 0)
		command_fail(STAGE_SECCOMP, -EINVAL, "filter");
	pid_t pid = fork_command(shape, &policy);
	if (pid == 0)
		command_run_sealed(shape, filter);
	answer_refusals(filter);
	return pid;
}

static pid_t follow_plan(const struct init_setup *setup, const struct sandbox_shape *shape,
			 pid_t builder)
{
	struct plan *plan = receive_plan();
	open_paths(plan, shape, false);
	int changes = open_changes(plan);
	add_routes(plan);
	wait_for_builder(builder);
	command_begin_to_monitor(shape);
	take_identity_as_init();
	open_paths(plan, shape, true);
	tell_of_paths(plan);
	finish_root(shape, plan->paths, plan->path_count, changes);
	drop_privileges(setup);
	pid_t pid = fork_command(shape, &plan->landlock);
	if (pid == 0)
		command_run(shape, plan);
	answer_refusals(&plan->filter);
	return pid;
}

_Noreturn void init_run(const struct init_setup *setup, const struct spawn_request *request,
			const struct init_ends *ends)
{
	calm_down();
	die_with_parent();
	take_place_outside(ends);
	take_place(ends);
	finish_namespaces(ends->new_network);
	privileges_set_turns(PRIVILEGES_SESSIONS_TURN);
	bound_privileges(setup);
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, JOIN_SIGNAL);
	command_prepare(&signals);
	serve_bound(setup->quotas.backlog);
	if (request->shape.names)
		open_inside();
	pid_t builder = start_builder(setup, request, ends->new_network);
	pid_t command = request->shape.sealed ? seal(setup, request, builder)
					      : follow_plan(setup, &request->shape, builder);
	close(START);
	serve(command);
}
