/* SPDX-License-Identifier: MIT */
/*
 * Two processes make a sandbox. PID 1 is a copy of the spawner (spawner.h) that never executes
 * anything: it holds no descriptor but its two sockets and what it made, and is not dumpable, so
 * that nothing in the sandbox can look into it. It is the one process that the command cannot
 * signal. Its child is the builder, which makes the root and the terminal, gives up every
 * privilege, and waits. Both then know nothing of whom the sandbox is for, and may wait for long.
 *
 * A sealed one goes on at once: PID 1 moves both processes into the new root and gives up its
 * privileges too, and the builder puts itself under Landlock and the filter. What waits then for
 * the plan (plan.h) is what becomes the command.
 *
 * In another, PID 1 opens the host paths that the plan asks for, and it is for their sake that it
 * has kept, until then, the rights of the daemon's user (none of its capabilities); it attaches
 * them, does the rest, and hands the plan on. They share one table of descriptors until the
 * builder is done.
 *
 * The command is a child, not PID 1 itself: a PID 1 ignores the signals that it does not
 * handle, so that SIGTERM would never end an ordinary program. What init does once there is the
 * command: serve.c.
 */
#include "init.h"

#include "ends.h"
#include "inside.h"
#include "message.h"
#include "monitor.h"
#include "mounts.h"
#include "plan.h"
#include "privileges.h"
#include "root.h"
#include "serve.h"
#include "spawner.h"
#include "sysfilter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/* Where the descriptors are. The command keeps those up to HANDED until it is executed. */
enum {
	START = 3,
	HANDED,
	CONTROL,
	IN, /* the terminal's master, or the outer end of standard input */
	OUT,
	ERROR,
	PAGE,
	BELL,
	SIGNALS,
	HANDING,
	ROOT,
	INSIDE,
	FREE
};

enum { MAX_COMMAND_LINE = 131072 };

/* Waits for a byte that comes with a descriptor. -1: the other end has gone. */
static int receive_descriptor(int socket)
{
	char byte;
	int descriptors[MESSAGE_DESCRIPTORS];
	message_receive(socket, &byte, 1, descriptors, NULL, 0);
	return descriptors[0];
}

static void report_by(int socket, enum stage stage, int error, const char *what,
		      const int *descriptors, unsigned count)
{
	struct start_report message = { .stage = (int32_t)stage, .error = error };
	for (size_t i = 0; what && what[i] && i < sizeof(message.what) - 1; i++)
		message.what[i] = what[i];
	if (message_send(socket, &message, sizeof(message), descriptors, count, 0) < 0)
		_exit(1); /* nobody is there to be told */
}

static void report(enum stage stage, int error, const char *what, const int *descriptors,
		   unsigned count)
{
	report_by(START, stage, error, what, descriptors, count);
}

_Noreturn static void fail(enum stage stage, int error, const char *what)
{
	report(stage, -error, what, NULL, 0);
	_exit(1);
}

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

/* The spawner writes the maps meanwhile, then one byte; its end comes instead if it fails. */
static void take_place_outside(const struct init_ends *ends)
{
	char byte = 0;
	int error = cgroup_enter(ends->entry);
	if (error < 0)
		report_by(ends->start, STAGE_CGROUP, -error, NULL, NULL, 0);
	if (error < 0 || write(ends->go, &byte, 1) != 1 || read(ends->go, &byte, 1) != 1)
		_exit(1);
}

static void take_place(const struct init_ends *ends)
{
	int start = fcntl(ends->start, F_DUPFD_CLOEXEC, FREE);
	int control = fcntl(ends->control, F_DUPFD_CLOEXEC, FREE);
	if (start < 0 || control < 0 || dup3(start, START, O_CLOEXEC) < 0 ||
	    dup3(control, CONTROL, O_CLOEXEC) < 0 || close_range(HANDED, HANDED, 0) < 0 ||
	    close_range(IN, ~0U, 0) < 0)
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
		fail(STAGE_IDENTITY, -errno, "setresuid");
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		fail(STAGE_IDENTITY, -errno, "dumpable");
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

static void finish_namespaces(bool raise_loopback)
{
	static const char name[] = ROOT_HOST_NAME;
	/* Only now, so that its root is the session's own group. */
	if (unshare(CLONE_NEWCGROUP) < 0)
		fail(STAGE_NAMESPACES, -errno, "cgroup");
	if (sethostname(name, sizeof(name) - 1) < 0)
		fail(STAGE_NAMESPACES, -errno, "host name");
	int error = raise_loopback ? spawner_raise_loopback() : 0;
	if (error < 0)
		fail(STAGE_NAMESPACES, error, "lo");
}

/* Its place was kept for it: the other process opens descriptors of its own meanwhile. */
static void take_slot(int fd, int slot, enum stage stage)
{
	if (dup3(fd, slot, O_CLOEXEC) < 0)
		fail(stage, -errno, "descriptor");
	close(fd);
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
	int error = after ? paths_open(plan->paths + early, plan->path_count - early, 0, shape->uid,
				       &what)
			  : paths_open(plan->paths, early, plan->own_paths, shape->uid, &what);
	if (error < 0)
		fail(STAGE_PATHS, error, what);
}

static void open_ends(const struct sandbox_shape *shape)
{
	int ends[3] = { -1, -1, -1 };
	const char *what = NULL;
	int error = shape->terminal ? ends_make_terminal(ROOT, &ends[0], &what)
				    : ends_make_pipes(ends, &what);
	if (error < 0)
		fail(STAGE_TERMINAL, error, what);
	for (int i = 0; i < 3; i++)
		if (ends[i] >= 0)
			take_slot(ends[i], IN + i, STAGE_TERMINAL);
		else
			close(IN + i);
}

static void apply_landlock(const struct landlock_policy *policy)
{
	unsigned failed;
	if (policy->floor == 0 && policy->abi < 1)
		return; /* asked for by name, and there is none */
	int error = landlock_apply(policy, &failed);
	if (error < 0)
		fail(STAGE_LANDLOCK, error,
		     failed < policy->rule_count ? policy->rules[failed].path : "");
}

static void load_filter(const struct sysfilter *filter)
{
	int error = sysfilter_load(filter);
	if (error < 0)
		fail(STAGE_SECCOMP, error, "filter");
}

/* What init and the server share. */
static void open_page(void)
{
	int made[2], error = monitor_make(made);
	if (error < 0)
		fail(STAGE_TERMINAL, error, "shared memory");
	take_slot(made[0], PAGE, STAGE_TERMINAL);
	take_slot(made[1], BELL, STAGE_TERMINAL);
}

/*
 * When a session's leader ends, its terminal is hung up for all. So that is the command, as at a
 * real terminal, unless others are to go on printing after it: then it is init.
 */
static void lead_session(const struct sandbox_shape *shape)
{
	if ((shape->ends_with_command && setsid() < 0) ||
	    (shape->terminal && ioctl(0, TIOCSCTTY, 0) < 0))
		fail(STAGE_TERMINAL, -errno, "controlling terminal");
}

static void take_foreground(const struct sandbox_shape *shape)
{
	if (!shape->ends_with_command &&
	    (setpgid(0, 0) < 0 || (shape->terminal && tcsetpgrp(0, getpid()) < 0)))
		fail(STAGE_TERMINAL, -errno, "foreground process group");
}

/* Its own settings; the size of its terminal is there before anything can ask for it. */
static void settle_in(const struct sandbox_shape *shape, const struct plan *plan)
{
	struct winsize size = { .ws_row = plan->rows, .ws_col = plan->cols };
	if (shape->terminal && ioctl(0, TIOCSWINSZ, &size) < 0)
		fail(STAGE_TERMINAL, -errno, "size");
	if (chdir(plan->cwd) < 0)
		fail(STAGE_CWD, -errno, plan->cwd);
	const char *what;
	int error = privileges_limit(plan->open_files, plan->file_size, &what);
	if (error < 0)
		fail(STAGE_LIMITS, error, what);
}

static void announce(void)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	report(STAGE_EXEC, 0, NULL, NULL, 0);
}

_Noreturn static void execute(const struct plan *plan)
{
	int error = -ENOENT;
	for (char **path = plan->candidates; *path && error != -E2BIG; path++) {
		execve(*path, plan->argv, plan->envp);
		if (error == -ENOENT || (errno != ENOENT && errno != ENOTDIR))
			error = -errno;
	}
	fail(STAGE_EXEC, error, plan->argv[0]);
}

/* Its layers are of the plan. */
_Noreturn static void run_command(const struct sandbox_shape *shape, const struct plan *plan)
{
	take_foreground(shape);
	settle_in(shape, plan);
	apply_landlock(&plan->landlock);
	if (close_range(START + 1, ~0U, 0) < 0)
		fail(STAGE_EXEC, -errno, "close_range");
	announce();
	load_filter(&plan->filter);
	execute(plan);
}

/* All of them are in force before it is known what is to be run. */
_Noreturn static void run_sealed(const struct init_setup *setup,
				 const struct spawn_request *request)
{
	const struct sandbox_shape *shape = &request->shape;
	struct landlock_rule rules[ROOT_RULES_MAX + 1];
	struct landlock_policy policy = { .abi = setup->landlock_abi,
					  .floor = shape->landlock,
					  .rules = rules,
					  .rule_count = root_rules(setup->layout, rules),
					  .net = shape->own_network && !shape->names };
	const struct sysfilter *filter;
	if (shape->names && root_resolver_rule(setup->layout, &rules[policy.rule_count]))
		policy.rule_count++;
	if (request->workspace[0])
		rules[policy.rule_count++] = (struct landlock_rule){ "/workspace", LANDLOCK_FULL };
	take_foreground(shape);
	apply_landlock(&policy);
	if (close_range(START + 1, ~0U, 0) < 0)
		fail(STAGE_EXEC, -errno, "close_range");
	if (sysfilters_get(setup->filters, &shape->filter, &filter, NULL, 0) < 0)
		fail(STAGE_SECCOMP, -EINVAL, "filter");
	load_filter(filter);
	report(STAGE_SECCOMP, 0, NULL, NULL, 0);
	int fd = receive_descriptor(START);
	struct plan *plan = fd < 0 ? NULL : plan_map(fd);
	if (!plan)
		_exit(1); /* the daemon has gone, or wants it no more */
	close(fd);
	settle_in(shape, plan);
	announce();
	execute(plan);
}

static void drop_privileges(const struct init_setup *setup)
{
	int error = privileges_drop(setup->no_capabilities);
	if (error < 0)
		fail(STAGE_PRIVILEGES, error, "capability sets");
}

/* For both processes, and whatever they start. What they have still is for making the sandbox. */
static void bound_privileges(const struct init_setup *setup)
{
	const char *what = NULL;
	int error = quotas_limit(&setup->quotas, &what);
	if (error == 0)
		error = privileges_bound(&what);
	if (error < 0)
		fail(STAGE_PRIVILEGES, error, what);
}

/* Where the command is to be another process, there is no more to do for this one. */
_Noreturn static void become_command(const struct init_setup *setup,
				     const struct spawn_request *request)
{
	char byte;
	if (request->shape.sealed) {
		if (recv(HANDED, &byte, 1, 0) == 1)
			run_sealed(setup, request);
		_exit(0);
	}
	int fd = receive_descriptor(HANDED);
	if (fd < 0)
		_exit(0);
	struct plan *plan = plan_map(fd);
	if (!plan)
		fail(STAGE_FORK, -ENOMEM, "plan");
	run_command(&request->shape, plan);
}

_Noreturn static void build(const struct init_setup *setup, const struct spawn_request *request)
{
	const struct sandbox_shape *shape = &request->shape;
	const char *what = NULL;
	take_identity();
	const struct root_options options = { shape->tmp_size,  shape->tmp_inodes,
					      shape->terminals, shape->own_network,
					      shape->names,     shape->dns_seconds };
	int root = root_make(setup->layout, &setup->quotas, &options, &what);
	if (root < 0)
		fail(STAGE_ROOT, root, what);
	take_slot(root, ROOT, STAGE_ROOT);
	open_ends(shape);
	open_page();
	drop_privileges(setup);
	report(STAGE_TERMINAL, 0, NULL, (const int[]){ PAGE, BELL }, 2);
	if (shape->ends_with_command)
		lead_session(shape);
	if (close_range(HANDED + 1, ~0U, CLOSE_RANGE_UNSHARE) < 0 ||
	    send(HANDED, "", 1, MSG_NOSIGNAL) != 1)
		fail(STAGE_FORK, -errno, "hand over");
	become_command(setup, request);
}

/* Before there are two processes: signals that would be missed, and the way between them. */
static void prepare_for_two(void)
{
	int ends[2];
	sigset_t child;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	int signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		fail(STAGE_FORK, -errno, "descriptors");
	/* The last are kept for what the builder makes. */
	const int wanted[][2] = { { signals, SIGNALS }, { ends[1], HANDED }, { ends[0], HANDING },
				  { ends[0], IN },      { ends[0], OUT },    { ends[0], ERROR },
				  { ends[0], PAGE },    { ends[0], BELL },   { ends[0], ROOT } };
	int moved[sizeof(wanted) / sizeof(*wanted)];
	/* Two steps, for what was opened may lie where another is to go. */
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
		if ((moved[i] = fcntl(wanted[i][0], F_DUPFD_CLOEXEC, FREE)) < 0)
			fail(STAGE_FORK, -errno, "descriptors");
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
		if (dup3(moved[i], wanted[i][1], O_CLOEXEC) < 0)
			fail(STAGE_FORK, -errno, "descriptors");
	close_range(FREE, ~0U, 0);
}

/* Where names lead out of the network. */
static void open_inside(void)
{
	int ends[INSIDE_ENDS] = { -1, -1, -1 }, own;
	int error = inside_make_routes();
	if (error < 0)
		fail(STAGE_NETWORK, error, "route");
	error = inside_open(ends, &own);
	if (error < 0)
		fail(STAGE_NETWORK, error, "sockets");
	report(STAGE_NETWORK, 0, NULL, ends, INSIDE_ENDS);
	for (int i = 0; i < INSIDE_ENDS; i++)
		close(ends[i]);
	take_slot(own, INSIDE, STAGE_NETWORK);
}

static void add_routes(const struct plan *plan)
{
	int error = 0;
	for (unsigned i = 0; error == 0 && i < plan->route_count; i++)
		error = inside_add_route(&plan->routes[i]);
	if (error < 0)
		fail(STAGE_NETWORK, error, "route of an address");
}

static pid_t start_builder(const struct init_setup *setup, const struct spawn_request *request)
{
	struct clone_args args = { .flags = CLONE_FILES, .exit_signal = SIGCHLD };
	long pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		build(setup, request);
	if (pid < 0)
		fail(STAGE_FORK, -errno, "builder");
	return (pid_t)pid;
}

/* Until there is something to read, or the builder has ended without a word. */
static void wait_for(int fd)
{
	struct pollfd events[] = { { .fd = fd, .events = POLLIN },
				   { .fd = SIGNALS, .events = POLLIN } };
	while (poll(events, 2, -1) < 0)
		if (errno != EINTR)
			_exit(1);
	if (!events[0].revents)
		_exit(1);
}

/* With what the builder has made. */
static void begin_to_monitor(const struct sandbox_shape *shape)
{
	const int ends[] = { IN, OUT, ERROR };
	int error =
		serve_begin(shape, PAGE, BELL, ends, SIGNALS, CONTROL, shape->names ? INSIDE : -1);
	if (error < 0)
		fail(STAGE_TERMINAL, error, "shared memory");
	close(PAGE);
}

static int receive_plan(struct plan **plan)
{
	wait_for(START);
	int fd = receive_descriptor(START);
	if (fd < 0)
		_exit(1); /* the daemon has gone, or wants it no more */
	*plan = plan_map(fd);
	if (!*plan)
		fail(STAGE_FORK, -ENOMEM, "plan");
	return fd;
}

static void wait_for_builder(void)
{
	char byte;
	wait_for(HANDING);
	if (recv(HANDING, &byte, 1, 0) != 1)
		_exit(1);
	close(HANDED); /* the builder has its own by now */
}

/*
 * The terminal's session is init's, and a child that is to be in it has to be made after that. 0
 * in the child.
 */
static pid_t fork_command(const struct sandbox_shape *shape, pid_t builder)
{
	close(HANDING);
	waitpid(builder, NULL, 0);
	lead_session(shape);
	pid_t pid = _Fork();
	if (pid < 0)
		fail(STAGE_FORK, -errno, "fork");
	return pid;
}

/* To the builder, which becomes the command. */
static void hand_over(const int *plan)
{
	int error = message_send(HANDING, "", 1, plan, plan != NULL, 0);
	if (error < 0)
		fail(STAGE_FORK, error, "hand over");
	close(HANDING);
}

static void finish_root(const struct sandbox_shape *shape, const struct sandbox_path *paths,
			unsigned count)
{
	const char *what = NULL;
	int error = root_enter(ROOT, paths, count, &what);
	if (error < 0)
		fail(STAGE_ROOT, error, what);
	error = paths_check(shape->uid);
	if (error < 0)
		fail(STAGE_PATHS, error, "mounts");
	close(ROOT);
}

/* Nothing has to be known of what it is for. Returns the process that is told. */
static pid_t seal(const struct init_setup *setup, const struct spawn_request *request,
		  pid_t builder)
{
	const struct sandbox_shape *shape = &request->shape;
	struct sandbox_path workspace = { .outside = request->workspace,
					  .inside = "/workspace",
					  .writable = true };
	unsigned count = request->workspace[0] != '\0';
	const char *what;
	int error = paths_open(&workspace, count, count, shape->uid, &what);
	if (error < 0)
		fail(STAGE_PATHS, error, what);
	wait_for_builder();
	begin_to_monitor(shape);
	take_identity_as_init();
	finish_root(shape, &workspace, count);
	drop_privileges(setup);
	if (shape->ends_with_command) {
		hand_over(NULL);
		return builder;
	}
	pid_t pid = fork_command(shape, builder);
	if (pid == 0)
		run_sealed(setup, request);
	return pid;
}

static pid_t follow_plan(const struct init_setup *setup, const struct sandbox_shape *shape,
			 pid_t builder)
{
	struct plan *plan;
	pid_t pid = builder;
	int fd = receive_plan(&plan);
	open_paths(plan, shape, false);
	add_routes(plan);
	wait_for_builder();
	begin_to_monitor(shape);
	take_identity_as_init();
	open_paths(plan, shape, true);
	finish_root(shape, plan->paths, plan->path_count);
	drop_privileges(setup);
	if (shape->ends_with_command)
		hand_over(&fd);
	else if ((pid = fork_command(shape, builder)) == 0)
		run_command(shape, plan);
	plan_unmap(plan);
	close(fd);
	return pid;
}

_Noreturn void init_run(const struct init_setup *setup, const struct spawn_request *request,
			const struct init_ends *ends)
{
	calm_down();
	die_with_parent();
	take_place_outside(ends);
	take_place(ends);
	finish_namespaces(ends->raise_loopback);
	privileges_set_turns(PRIVILEGES_SESSIONS_TURN);
	bound_privileges(setup);
	prepare_for_two();
	if (request->shape.names)
		open_inside();
	pid_t builder = start_builder(setup, request);
	pid_t command = request->shape.sealed ? seal(setup, request, builder)
					      : follow_plan(setup, &request->shape, builder);
	close(START);
	serve(command);
}
