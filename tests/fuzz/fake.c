/* SPDX-License-Identifier: MIT */
#include "fake.h"

#include <cgroup.h>
#include <cgroup_view.h>
#include <errno.h>
#include <fcntl.h>
#include <forker.h>
#include <helper.h>
#include <loop.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct fake_manner fake_manner;
struct fake fakes[FAKES];
void (*fake_told)(const struct fake *fake);

static void ring(int fd)
{
	uint64_t one = 1;
	CHECK(write(fd, &one, sizeof(one)) == sizeof(one));
}

static int make_bell(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	CHECK(fd >= 0);
	return fd;
}

static void drop(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Helpers: the answer comes from the loop, and work is done at once, but for the ticker's. */

enum { ASKED = 64 };

static const struct helper_kind *kinds[FORKER_KINDS_MAX];

struct helper {
	struct loop_timer timer;
	bool ticks;
	struct asked {
		helper_fn fn;
		void *data;
		int result, descriptor;
	} asked[ASKED];
	unsigned count;
};

static void answer(void *data)
{
	struct helper *helper = data;
	struct asked asked[ASKED];
	unsigned count = helper->count;
	memcpy(asked, helper->asked, sizeof(asked));
	helper->count = 0;
	for (unsigned i = 0; i < count; i++)
		asked[i].fn(asked[i].data, asked[i].result,
			    (const int[]){ asked[i].descriptor, -1, -1 });
}

static void ask(struct helper *helper, helper_fn fn, void *data, int result, int descriptor,
		uint64_t ns)
{
	CHECK(helper->count < ASKED);
	helper->asked[helper->count++] = (struct asked){ fn, data, result, descriptor };
	CHECK(loop_timer_arm(&helper->timer, ns) == 0);
}

int forker_create(const struct helper_kind *const of[], unsigned count, struct keep *keep,
		  struct forker **out)
{
	(void)keep;
	memcpy(kinds, of, count * sizeof(*kinds));
	*out = NULL;
	return 0;
}

void forker_destroy(struct forker *forker)
{
	(void)forker;
}

/* No relay is to be had: what a session does with its network is not of these targets. */
int forker_start(struct forker *forker, unsigned which, int *pidfd, int *socket)
{
	(void)forker, (void)which;
	*pidfd = *socket = -1;
	return -EMFILE;
}

void forker_reap(int pidfd)
{
	CHECK(pidfd < 0);
}

int helper_create(struct loop *loop, struct forker *forker, unsigned which, struct helper **out)
{
	(void)forker;
	*out = calloc(1, sizeof(**out));
	CHECK(*out);
	(*out)->ticks = strcmp(kinds[which]->title, "mimobox-ticker") == 0;
	loop_timer_init(&(*out)->timer, loop, answer, *out);
	return 0;
}

void helper_destroy(struct helper *helper)
{
	if (!helper)
		return;
	loop_timer_disarm(&helper->timer);
	for (unsigned i = 0; i < helper->count; i++)
		drop(&helper->asked[i].descriptor);
	free(helper);
}

void helper_give_up(struct helper *helper)
{
	(void)helper; /* one always answers */
}

int helper_ask(struct helper *helper, const void *message, const int *descriptors, unsigned count,
	       helper_fn fn, void *data)
{
	(void)descriptors, (void)count;
	ask(helper, fn, data, 0, -1, helper->ticks ? *(const uint64_t *)message : 0);
	return 0;
}

/* Control groups: there are any number, and they hold nothing. */

int cgroups_create(struct keep *keep, struct cgroups **out)
{
	(void)keep;
	*out = malloc(1);
	return *out ? 0 : -ENOMEM;
}

int cgroups_clear(struct cgroups *cgroups, bool (*wanted)(void *data, uint64_t id), void *data)
{
	(void)cgroups, (void)wanted, (void)data;
	return 0;
}

void cgroups_destroy(struct cgroups *cgroups)
{
	free(cgroups);
}

void cgroups_remove(struct cgroups *cgroups)
{
	(void)cgroups;
}

void cgroups_view(struct cgroups *cgroups, struct cgroup_view *view)
{
	(void)cgroups;
	view->count = 0;
}

unsigned cgroups_can(const struct cgroups *cgroups)
{
	(void)cgroups;
	return CGROUP_MEMORY | CGROUP_PROCESSES | CGROUP_CPU;
}

unsigned cgroups_descriptors(const struct cgroups *cgroups, int *out)
{
	(void)cgroups, (void)out;
	return 0;
}

int cgroup_create(struct cgroups *cgroups, uint64_t id)
{
	(void)cgroups, (void)id;
	return 0;
}

const struct cgroup_limits cgroup_unlimited;

int cgroup_limit(struct cgroups *cgroups, uint64_t id, const struct cgroup_limits *from,
		 const struct cgroup_limits *to, const char **what)
{
	(void)cgroups, (void)id, (void)from, (void)to, (void)what;
	return 0;
}

void cgroup_favour(struct cgroups *cgroups, uint64_t id, bool on)
{
	(void)cgroups, (void)id, (void)on;
}

uint64_t cgroup_cpu_time(struct cgroups *cgroups, uint64_t id)
{
	(void)cgroups, (void)id;
	return 0;
}

int cgroup_entry_open(struct cgroups *cgroups, uint64_t id, struct cgroup_entry *entry)
{
	(void)cgroups, (void)id;
	*entry = (struct cgroup_entry){ .directory = -1 };
	return 0;
}

void cgroup_entry_close(const struct cgroup_entry *entry)
{
	(void)entry;
}

int cgroup_enter(const struct cgroup_entry *entry)
{
	(void)entry;
	return 0;
}

void cgroup_kill(struct cgroups *cgroups, uint64_t id)
{
	(void)cgroups, (void)id;
}

void cgroup_usage(struct cgroups *cgroups, uint64_t id, struct cgroup_usage *usage)
{
	(void)cgroups, (void)id;
	*usage = (struct cgroup_usage){ .memory = 4096, .memory_peak = 8192, .processes = 2 };
}

int cgroup_destroy(struct cgroups *cgroups, uint64_t id)
{
	(void)cgroups, (void)id;
	return 0;
}

/* Sandboxes */

static struct fake *find(const struct sandbox *sandbox)
{
	for (int i = 0; i < FAKES; i++)
		if (fakes[i].sandbox == sandbox)
			return &fakes[i];
	return NULL;
}

struct fake *fake_of(const void *session)
{
	for (int i = 0; i < FAKES; i++)
		if (fakes[i].sandbox && fakes[i].owner == session)
			return &fakes[i];
	return NULL;
}

static void tell(struct fake *fake, int stage, int error)
{
	struct start_report *report = &fake->reports[fake->report_count++];
	*report = (struct start_report){ .stage = stage, .error = error };
	if (fake->sandbox->start >= 0)
		ring(fake->sandbox->start);
}

/* Until it would wait. */
static void run_monitor(struct fake *fake)
{
	if (!fake->monitor.page)
		return;
	fake->monitor.page->hold = 0; /* time stands still */
	while (monitor_wait(&fake->monitor, 0) > 0)
		monitor_work(&fake->monitor);
}

static void pair(int *theirs, int *own, bool outwards)
{
	int ends[2], small = 1;
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
	/* As small as it may be, so that it is full at times. */
	setsockopt(ends[outwards], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	*theirs = ends[0];
	*own = ends[1];
}

static void execute(struct fake *fake)
{
	struct sandbox *sandbox = fake->sandbox;
	int ends[3] = { -1, -1, -1 };
	pair(&ends[0], &fake->in, false);
	if (sandbox->shape.terminal) {
		fake->out[0] = fake->in;
		fake->master = ends[0];
	} else {
		pair(&ends[1], &fake->out[0], true);
		pair(&ends[2], &fake->out[1], true);
	}
	int made[2];
	CHECK(monitor_make(made) == 0);
	sandbox->page = made[0];
	sandbox->bell = dup(made[1]);
	fake->bell = made[1];
	CHECK(sandbox->bell >= 0);
	CHECK(monitor_begin(&fake->monitor, sandbox->page, fake->bell, ends,
			    sandbox->shape.terminal) == 0);
	sandbox->pid = 100000 + (pid_t)(fake - fakes);
	fake->executed = true;
	fake_told(fake);
	tell(fake, STAGE_EXEC, 0);
}

void fake_go_on(struct fake *fake)
{
	fake->manner.slow = false;
	if (!fake->given || fake->executed || fake->ended || fake->report_count)
		return;
	if (fake->manner.start_error)
		tell(fake, STAGE_ROOT, fake->manner.start_error);
	else
		execute(fake);
}

size_t fake_print(struct fake *fake, int stream, const void *data, size_t size)
{
	if (!fake->executed || fake->ended || fake->out[stream] < 0)
		return 0;
	ssize_t count = send(fake->out[stream], data, size, MSG_NOSIGNAL);
	run_monitor(fake);
	return count > 0 ? (size_t)count : 0;
}

size_t fake_read(struct fake *fake, void *data, size_t size)
{
	if (!fake->executed || fake->ended)
		return 0;
	ssize_t count = recv(fake->in, data, size, 0);
	run_monitor(fake);
	return count > 0 ? (size_t)count : 0;
}

static void close_own(struct fake *fake)
{
	char rest[4096];
	while (fake->in >= 0 && recv(fake->in, rest, sizeof(rest), 0) > 0)
		; /* or the other end would be told of a reset */
	if (fake->out[0] == fake->in)
		fake->out[0] = -1;
	drop(&fake->in);
	drop(&fake->out[0]);
	drop(&fake->out[1]);
}

static void end_monitor(struct fake *fake)
{
	struct monitor *monitor = &fake->monitor;
	if (!monitor->page)
		return;
	run_monitor(fake);
	monitor_hang_up(monitor);
	monitor_unmap(monitor->page);
	monitor->page = NULL;
	drop(&monitor->epoll);
}

void fake_end(struct fake *fake, int status)
{
	if (fake->ended)
		return;
	fake->ended = true;
	fake->has_status = status >= 0;
	fake->status = status;
	fake_told(fake);
	close_own(fake);
	if (fake->has_status && fake->monitor.page)
		monitor_tell_end(&fake->monitor, status);
	end_monitor(fake);
	if (fake->sandbox->pidfd >= 0)
		ring(fake->sandbox->pidfd);
}

void fake_reset(void)
{
	for (int i = 0; i < FAKES; i++)
		CHECK(!fakes[i].sandbox);
	fake_manner = (struct fake_manner){ 0 };
	signal(SIGPIPE, SIG_IGN); /* as main() does */
}

/* The interface of core/sandbox.c */

const char *stage_name(int stage)
{
	(void)stage;
	return "stage";
}

void sandbox_init(struct sandbox *sandbox)
{
	*sandbox = (struct sandbox){
		.pidfd = -1, .start = -1, .control = -1, .mounts = -1, .page = -1, .bell = -1
	};
}

int sandbox_ask(struct sandbox *sandbox, const char *workspace, uint64_t disk,
		struct helper *spawner, helper_fn fn, void *data)
{
	(void)workspace, (void)disk;
	if (fake_manner.ask_error)
		return fake_manner.ask_error;
	struct fake *fake = find(NULL);
	CHECK(fake);
	*fake = (struct fake){ .sandbox = sandbox,
			       .manner = fake_manner,
			       .owner = data,
			       .in = -1,
			       .bell = -1,
			       .out = { -1, -1 },
			       .master = -1 };
	sandbox->start = make_bell();
	sandbox->control = make_bell();
	int error = fake->manner.clone_error;
	ask(spawner, fn, data, error ? error : 50000, error ? -1 : make_bell(), 0);
	return 0;
}

int sandbox_join(struct sandbox *sandbox, const struct sandbox *host)
{
	(void)sandbox, (void)host;
	return -ESRCH;
}

int sandbox_take(struct sandbox *sandbox, int result, const int *descriptors,
		 struct start_report *report)
{
	int error = result < 0 ? result : find(sandbox)->manner.take_error;
	sandbox->init = result;
	sandbox->pidfd = descriptors[0];
	if (error == 0)
		return 0;
	*report = (struct start_report){ .stage = STAGE_CLONE, .error = -error };
	sandbox_finish(sandbox);
	return error;
}

int sandbox_give(const struct sandbox *sandbox, int plan)
{
	struct fake *fake = find(sandbox);
	CHECK(plan >= 0 && !fake->given);
	fake->given = true;
	if (!fake->manner.slow)
		fake_go_on(fake);
	return 0;
}

int sandbox_receive(struct sandbox *sandbox, struct start_report *report)
{
	struct fake *fake = find(sandbox);
	uint64_t rings;
	if (fake->report_count) {
		*report = fake->reports[--fake->report_count];
		return 1;
	}
	if (fake->executed || fake->ended)
		return 0;
	CHECK(read(sandbox->start, &rings, sizeof(rings)) == sizeof(rings) || errno == EAGAIN);
	return -EAGAIN;
}

void sandbox_received(const struct sandbox *sandbox)
{
	(void)sandbox;
}

bool sandbox_has_page(const struct sandbox *sandbox)
{
	return sandbox->page >= 0 && sandbox->bell >= 0;
}

int sandbox_control(const struct sandbox *sandbox, enum control_verb verb, int signal)
{
	struct fake *fake = find(sandbox);
	CHECK(fake && fake->executed);
	if (fake->ended)
		return -ESRCH;
	monitor_hear(&fake->monitor, sandbox->typed);
	run_monitor(fake);
	if (verb == CONTROL_HANGUP) {
		monitor_hang_up(&fake->monitor);
		return 0;
	}
	fake->last_signal = signal;
	if (verb == CONTROL_ALL && signal == SIGKILL)
		fake_end(fake, SIGKILL);
	else if (verb == CONTROL_TERMINATE && !fake->manner.stubborn)
		fake_end(fake, SIGTERM);
	return 0;
}

void sandbox_kill_inside(const struct sandbox *sandbox)
{
	(void)sandbox; /* a stubborn one */
}

void sandbox_kill(const struct sandbox *sandbox)
{
	if (sandbox->pidfd >= 0)
		fake_end(find(sandbox), -1);
}

void sandbox_abandon(const struct sandbox *sandbox)
{
	sandbox_kill(sandbox);
}

void sandbox_reap(const struct sandbox *sandbox)
{
	CHECK(find(sandbox)->ended);
}

void sandbox_call(const struct sandbox *sandbox)
{
	struct fake *fake = find(sandbox);
	monitor_call(sandbox->bell);
	if (!fake->ended)
		run_monitor(fake);
}

void sandbox_finish(struct sandbox *sandbox)
{
	struct fake *fake = find(sandbox);
	if (fake) {
		close_own(fake);
		end_monitor(fake);
		drop(&fake->bell);
		*fake = (struct fake){ 0 };
	}
	drop(&sandbox->pidfd);
	drop(&sandbox->start);
	drop(&sandbox->control);
	drop(&sandbox->page);
	drop(&sandbox->bell);
}
