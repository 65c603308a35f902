/* SPDX-License-Identifier: MIT */
/*
 * The server is killed once at each place where it makes a call, before that or after it, and the
 * next one, too, where it takes up what that one has left. Whatever can be seen of a server from
 * outside is seen by its calls, so that there are no other moments.
 *
 * At first a run tells which places there are (fault.h). Then each has a run of its own, in which
 * sessions do what they do, and all must be as if nobody had been killed: each byte, each line of
 * `events` and of the log, each status. Of the places every so many is taken; or every $DEATHS, 1
 * for all, from $DEATHS_FROM on, as far as there is time.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "fault.h"
#include "fixture.h"

#if defined(__SANITIZE_ADDRESS__)
enum { EVERY = 40 };
#else
enum { EVERY = 16 };
#endif
enum { RUN_MS = 180000, LINES = 20000, BLOCK = 200000, PLACES_MAX = 2048 };

static struct fault_plan *plan;

/* Sessions */

static void start_reader(const char *path, pid_t *pid)
{
	*pid = spawn((const char *const[]){
		"sh", "-c", text("exec cat %s >%s/got", at("%s", path), fixture.dir), NULL });
}

static char *read_file(const char *path)
{
	struct run cat = run((const char *const[]){ "cat", path, NULL });

	cr_assert_eq(cat.status, 0, "%s: %s", path, cat.err);
	return cat.out;
}

static unsigned count_of(const char *whole, const char *part)
{
	unsigned count = 0;

	for (const char *at = strstr(whole, part); at; at = strstr(at + 1, part))
		count++;
	return count;
}

static char *numbers(void)
{
	char *all = keep(malloc(LINES * 8));
	size_t size = 0;

	for (unsigned i = 1; i <= LINES; i++)
		size += (size_t)sprintf(all + size, "%u\n", i);
	return all;
}

static void use_terminal(void)
{
	char *expected = text("ready\ngot hello\n30 100\n%s[usr1]\n", numbers()), *got;
	pid_t reader;
	int status;

	session_make("a");
	put_refused("a/config", "memroy 1\n", EINVAL);
	start_reader("a/output", &reader);
	put_all("a/config", "command exec 2>/dev/null; stty -echo; trap 'echo \"[usr1]\"; exit 7' "
			    "USR1; echo ready; "
			    "read x; echo got $x; stty size; seq 1 20000; "
			    "while :; do sleep 1000 & wait; done\n");
	put_all("a/ctl", "start\n");
	get("a/wait/match@0:ready", NULL);
	put_all("a/size", "30 100\n");
	put_all("a/input", "hello\n");
	get("a/wait/match@0:^20000", NULL);
	put_all("a/ctl", "\nsignal USR1\n");
	cr_assert_eq(session_exit("a"), 7);
	cr_assert(ended(reader, 20000, &status) && status == 0, "reader: %d", status);
	got = plain(read_file(text("%s/got", fixture.dir)));
	cr_assert_str_eq(got, expected);
	cr_assert_str_eq(plain(get("a/transcript", NULL)), expected);
	got = get("a/log", NULL);
	cr_assert_eq(count_of(got, "unknown key 'memroy'"), 1, "%s", got);
	cr_assert_eq(count_of(got, " created\n"), 1, "%s", got);
	cr_assert_eq(count_of(got, " started "), 1, "%s", got);
	cr_assert_eq(count_of(got, " exited 7\n"), 1, "%s", got);
	cr_assert(has(get("a/screen", NULL), "[usr1]"));
	cr_assert(has(get("a/cast", NULL), "[usr1]"));
	cr_assert_str_eq(get_value("a/status", "exit"), "7");
}

static void use_pipes(void)
{
	char *block = keep(malloc(BLOCK + 1)), *got;
	size_t size, done = 0;
	int exit_file;

	for (unsigned i = 0; i < BLOCK; i++)
		block[i] = (char)('a' + (i * 7 + i / 1000) % 26);
	block[BLOCK] = '\0';
	session_start("b", "terminal no\ncommand cat; echo wrong >&2; exit 3\n");
	exit_file = open(at("b/exit"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	cr_assert(exit_file >= 0);
	while (done < BLOCK) {
		ssize_t count = put("b/input", block + done);

		cr_assert(count > 0 || count == -EAGAIN, "%zd", count);
		done += count > 0 ? (size_t)count : 0;
	}
	put_all("b/ctl", "eof\n");
	cr_assert(poll_one(exit_file, POLLIN, 20000));
	close(exit_file);
	cr_assert_eq(session_exit("b"), 3);
	got = get("b/output", &size);
	cr_assert(size == BLOCK && memcmp(got, block, BLOCK) == 0, "%zu bytes", size);
	cr_assert_str_eq(get("b/stderr", NULL), "wrong\n");
}

static bool is_gone(const void *path)
{
	return access(path, F_OK) < 0 && errno == ENOENT;
}

static void use_workspace(void)
{
	char path[4096];
	ssize_t length;
	int status;

	session_make("c");
	length = readlink(at("c/workspace"), path, sizeof(path) - 1);
	cr_assert_gt(length, 0);
	path[length] = '\0';
	put_all("c/config",
		"memory 100M\nends last-process\nkill-grace 10s\ncommand cd /workspace; mkdir d; "
		"touch d/1 d/2; echo done; exec sleep 1000\n");
	put_all("c/input", "typed\n");
	get("c/wait/match@0:done", NULL);
	cr_assert(has(get("c/wait/idle:20ms", NULL), "idle "));
	put_all("c/ctl", "kill\n");
	status = session_exit("c");
	cr_assert_eq(status, -SIGTERM, "%d: %s", status, get("c/log", NULL));
	cr_assert_eq(rmdir(at("c")), 0);
	cr_assert(await(is_gone, path, 20000), "%s is left", path);
}

/* A line for each thing that has happened, in order. */
static void check_events(struct stream *events)
{
	static const char *const lines[] = { " a created\n", " a started ",  " a exited 7\n",
					     " b created\n", " b started ",  " b exited 3\n",
					     " c created\n", " c started ",  " c exited -15\n",
					     " c removed\n", " a removed\n", " b removed\n" };
	const char *place;

	stream_until(events, " b removed\n");
	place = events->data;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		cr_assert_eq(count_of(events->data, lines[i]), 1, "%s: %s", lines[i], events->data);
		place = strstr(place, lines[i]);
		cr_assert(place != NULL, "%s: %s", lines[i], events->data);
	}
}

static void use_all(void)
{
	struct stream events;

	stream_open(&events, "events");
	use_terminal();
	use_pipes();
	use_workspace();
	cr_assert_str_eq(session_names(), "a\nb\n");
	cr_assert_eq(rmdir(at("a")), 0);
	cr_assert_eq(rmdir(at("b")), 0);
	check_events(&events);
	stream_close(&events);
}

/* Runs */

static void start(void)
{
	const char *sanitizers = getenv("ASAN_OPTIONS");

	plan->target = plan->then = 0;
	setenv("FAULT_PLAN", text("%s/plan", fixture.dir), 1);
	setenv("LD_PRELOAD", getenv("FAULT"), 1);
	/* The dynamic linker's own memory would be a leak. */
	setenv("ASAN_OPTIONS", text("%s:verify_asan_link_order=0:detect_leaks=0", sanitizers), 1);
	fixture_daemon(NULL);
	unsetenv("LD_PRELOAD");
	setenv("ASAN_OPTIONS", sanitizers, 1);
}

static void use_and_end(void)
{
	use_all();
	fixture_daemon_ended(SIGTERM);
}

/* What the server does before it serves is told apart. */
static void find_places(void)
{
	memset(plan->sites, 0, sizeof(plan->sites));
	plan->record = true;
	start();
	for (unsigned i = 0; i < FAULT_SITES_MAX; i++)
		plan->sites[i].at_start = plan->sites[i].count;
	use_and_end();
	plan->record = false;
	cr_assert(!plan->full);
}

/* Memory is nothing that is seen outside. */
static bool is_one(const struct fault_site *site)
{
	return site->key && site->role == FAULT_SERVER && !strstr(site->call, "alloc");
}

static unsigned take_places(struct fault_site *out)
{
	unsigned taken = 0;

	for (unsigned i = 0; i < FAULT_SITES_MAX; i++)
		if (is_one(&plan->sites[i]) && taken < PLACES_MAX)
			out[taken++] = plan->sites[i];
	cr_assert_lt(taken, (unsigned)PLACES_MAX);
	return taken;
}

/* Those of a server that serves, or of one that is about to. */
static unsigned choose(struct fault_site *sites, unsigned count, bool serves)
{
	unsigned chosen = 0;

	for (unsigned i = 0; i < count; i++)
		if (serves ? sites[i].count > sites[i].at_start : sites[i].at_start > 0)
			sites[chosen++] = sites[i];
	return chosen;
}

/* Without those that are known. */
static unsigned leave_out(struct fault_site *sites, unsigned count, const struct fault_site *known,
			  unsigned known_count)
{
	unsigned left = 0;

	for (unsigned i = 0; i < count; i++) {
		bool is_known = false;

		for (unsigned j = 0; j < known_count && !is_known; j++)
			is_known = known[j].key == sites[i].key;
		if (!is_known)
			sites[left++] = sites[i];
	}
	return left;
}

/* What a place is called by addr2line(1). */
static const char *name_of(const struct fault_site *site)
{
	char *name = text("%s", site->call);

	for (uint32_t i = 0; i < site->depth; i++)
		name = text("%s %#llx", name, (unsigned long long)site->frames[i]);
	return name;
}

/* Where it is made most often: not every run comes by all places. */
static const struct fault_site *find_call(const struct fault_site *sites, unsigned count,
					  const char *call)
{
	const struct fault_site *found = NULL;

	for (unsigned i = 0; i < count; i++)
		if (strcmp(sites[i].call, call) == 0 && (!found || sites[i].count > found->count))
			found = &sites[i];
	cr_assert(found, "no %s", call);
	return found;
}

static void set_target(const struct fault_site *first, const struct fault_site *then)
{
	plan->then = then ? then->key : 0;
	if (then)
		memcpy(plan->then_call, then->call, sizeof(plan->then_call));
	memcpy(plan->call, first->call, sizeof(plan->call));
	plan->hits = 0;
	plan->target = first->key;
}

static unsigned number_of(const char *name, unsigned otherwise)
{
	const char *value = getenv(name);

	return value ? (unsigned)strtoul(value, NULL, 10) : otherwise;
}

static void die_at_each(const struct fault_site *sites, unsigned count,
			const struct fault_site *first)
{
	unsigned every = number_of("DEATHS", EVERY), reached = 0, taken = 0;
	uint64_t end = now_ms() + RUN_MS;

	for (unsigned i = number_of("DEATHS_FROM", 0); i < 2 * count && now_ms() < end; i++) {
		const struct fault_site *site = &sites[i / 2];

		/* Before the one, after the next. */
		if ((i + i / every) % every)
			continue;
		fprintf(stderr, "%u of %u: %s: %s\n", i, 2 * count, i % 2 ? "after" : "before",
			name_of(site));
		plan->death = i % 2 ? FAULT_DIES_AFTER : FAULT_DIES_BEFORE;
		start();
		set_target(first ? first : site, first ? site : NULL);
		use_and_end();
		taken++;
		reached += plan->hits > (first ? 1 : 0);
	}
	plan->death = FAULT_LIVES;
	fprintf(stderr, "%u places, %u deaths, %u reached\n", count, taken, reached);
	/* What the first does at its start the next does in part. */
	cr_assert_gt(reached, 0, "none of %u", taken);
}

static void prepare(void)
{
	fixture_prepare();
	int fd = open(text("%s/plan", fixture.dir), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	cr_assert(fd >= 0 && ftruncate(fd, sizeof(*plan)) == 0);
	plan = mmap(NULL, sizeof(*plan), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	cr_assert(plan != MAP_FAILED);
	close(fd);
}

TestSuite(deaths, .init = prepare, .fini = fixture_stop, .timeout = 230);

Test(deaths, at_each_call)
{
	struct fault_site *sites = keep(calloc(PLACES_MAX, sizeof(*sites)));
	unsigned count;

	find_places();
	count = take_places(sites);
	die_at_each(sites, choose(sites, count, true), NULL);
}

Test(deaths, while_it_takes_up)
{
	struct fault_site *before = keep(calloc(PLACES_MAX, sizeof(*before)));
	struct fault_site *sites = keep(calloc(2 * PLACES_MAX, sizeof(*sites)));
	struct fault_site first;
	unsigned known, count;

	find_places();
	known = take_places(before);
	first = *find_call(before, known, "send");
	plan->death = FAULT_DIES_AFTER;
	memset(plan->sites, 0, sizeof(plan->sites));
	plan->record = true;
	start();
	set_target(&first, NULL);
	use_and_end();
	plan->record = false;
	count = leave_out(sites, take_places(sites), before, known);
	known = choose(before, known, false);
	memcpy(sites + count, before, known * sizeof(*sites));
	die_at_each(sites, count + known, &first);
}

/* A place that nothing came to but the request, in a daemon that records. */
static struct fault_site place_of_request(void (*request)(void))
{
	struct fault_site *before = keep(calloc(FAULT_SITES_MAX, sizeof(*before)));

	memcpy(before, plan->sites, sizeof(plan->sites));
	request();
	for (unsigned i = 0; i < FAULT_SITES_MAX; i++) {
		const struct fault_site *site = &plan->sites[i];

		if (is_one(site) && site->key != before[i].key && strcmp(site->call, "writev") != 0)
			return *site;
	}
	cr_assert_fail("it makes no call of its own");
	return (struct fault_site){ 0 };
}

static void look_at_status(void)
{
	get("a/status", NULL);
}

/* Others are not asked to pay for it, and there are servers left for them. */
Test(deaths, of_one_request)
{
	enum { DEATHS = 4 };
	struct fault_site site;

	memset(plan->sites, 0, sizeof(plan->sites));
	plan->record = true;
	start();
	session_start("a", "command read x; exit 3\n");
	site = place_of_request(look_at_status);
	plan->record = false;
	plan->death = FAULT_DIES_BEFORE;
	plan->always = true;
	for (unsigned i = 1; i <= 3; i++) {
		char data[16];
		int fd = open(at("a/status"), O_RDONLY | O_CLOEXEC);

		cr_assert_geq(fd, 0);
		set_target(&site, NULL);
		cr_expect_eq(read(fd, data, sizeof(data)), -1);
		cr_expect_eq(errno, EIO, "%s", strerror(errno));
		cr_expect_eq(plan->hits, DEATHS, "%u servers have died", plan->hits);
		plan->target = 0;
		close(fd);
		cr_assert_eq(access(at("a/config"), R_OK), 0, "%s", strerror(errno));
	}
	plan->always = false;
	plan->death = FAULT_LIVES;
	look_at_status();
	put_all("a/input", "\n");
	cr_assert_eq(session_exit("a"), 3);
	cr_assert_eq(rmdir(at("a")), 0);
	fixture_daemon_ended(SIGTERM);
}

static bool has_bytes(const void *path)
{
	struct stat status;

	return stat(path, &status) == 0 && status.st_size > 0;
}

static bool is_dead(const void *pid)
{
	return process_state(*(const pid_t *)pid) == 'Z';
}

/* On the host: while there is no server, nothing on the mount is found. */
static const char *in_workspace(const char *name, const char *file)
{
	char path[4096];
	ssize_t length = readlink(at("%s/workspace", name), path, sizeof(path));

	cr_assert(length > 0);
	return text("%.*s/%s", (int)length, path, file);
}

/* What the first has still to be typed could go the same way once there is another server. */
Test(deaths, bytes_on_their_way_are_nobody_elses)
{
	static char block[20001], *got;
	struct fault_site site, *sites = keep(calloc(PLACES_MAX, sizeof(*sites)));
	const char *first, *second, *go;
	pid_t typist, server;
	int status;

	memset(block, 'x', sizeof(block) - 1);
	start();
	session_start("a",
		      "command stty raw -echo; echo ready; until [ -e /workspace/go ]; do "
		      "sleep 0.02; done; head -c 20000 >/workspace/got; echo done; sleep 1000\n");
	session_start("b",
		      "command stty raw -echo; echo ready; head -c 7 >/workspace/got; echo done\n");
	get("a/wait/match@0:ready", NULL);
	get("b/wait/match@0:ready", NULL);
	first = in_workspace("a", "got");
	second = in_workspace("b", "got");
	go = in_workspace("a", "go");
	put_all("a/input", block);
	plan->record = true;
	put_all("b/input", "-");
	plan->record = false;
	site = *find_call(sites, take_places(sites), "write");
	plan->death = FAULT_DIES_BEFORE;
	server = fixture_server();
	cr_assert_eq(kill(fixture.daemon, SIGSTOP), 0);
	set_target(&site, NULL);
	typist = spawn((const char *const[]){ "sh", "-c", text("printf secret >%s", at("b/input")),
					      NULL });
	cr_assert(await(is_dead, &server, 20000));
	close(open(go, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	cr_assert(await(has_bytes, first, 20000));
	cr_assert_eq(kill(fixture.daemon, SIGCONT), 0);
	cr_assert(ended(typist, 20000, &status) && status == 0, "%d", status);
	get("a/wait/match@0:done", NULL);
	get("b/wait/match@0:done", NULL);
	got = read_file(second);
	cr_assert_str_eq(got, "-secret");
	got = read_file(first);
	cr_assert_str_eq(got, block);
	cr_assert_eq(rmdir(at("a")), 0);
	cr_assert_eq(rmdir(at("b")), 0);
	fixture_daemon_ended(SIGTERM);
}

static bool has_no_reader(const void *unused)
{
	(void)unused;
	return strcmp(get_value("a/status", "readers"), "0") == 0;
}

/*
 * The server dies with the answer to an opening on its lips, and the client before the next gives
 * it: the kernel has it still, and releases what was opened at once.
 */
Test(deaths, what_was_opened_for_nobody_is_closed)
{
	struct fault_site *known = keep(calloc(PLACES_MAX, sizeof(*known)));
	struct fault_site *sites = keep(calloc(PLACES_MAX, sizeof(*sites)));
	/* A server that goes on asks the kernel whether it waits, before it gives an answer. */
	const struct fault_site asks = { .key = FAULT_ANY, .call = "writev" };
	struct fault_site answers;
	struct stat status;
	pid_t server, client;
	unsigned count;
	int fd;

	start();
	session_start("a", "command echo ready; exec sleep 1000\n");
	get("a/wait/match@0:ready", NULL);
	plan->record = true;
	fd = open(at("a/output"), O_PATH | O_CLOEXEC);
	cr_assert(fd >= 0 && fstat(fd, &status) == 0);
	close(fd);
	count = take_places(known);
	fd = open(at("a/output"), O_RDONLY | O_CLOEXEC);
	answers = *find_call(sites, leave_out(sites, take_places(sites), known, count), "writev");
	plan->record = false;
	cr_assert(fd >= 0);
	close(fd);
	cr_assert(await(has_no_reader, NULL, 20000));
	server = fixture_server();
	plan->death = FAULT_DIES_BEFORE;
	cr_assert_eq(kill(fixture.daemon, SIGSTOP), 0);
	set_target(&answers, &asks);
	client = spawn((const char *const[]){ "cat", at("a/output"), NULL });
	cr_assert(await(is_dead, &server, 20000));
	plan->death = FAULT_STOPS_AFTER;
	cr_assert_eq(kill(fixture.daemon, SIGCONT), 0);
	cr_assert(await(fixture_next_is_stopped, &server, 20000));
	kill(client, SIGKILL);
	kill(fixture_server(), SIGKILL);
	cr_assert(ended(client, 20000, NULL));
	cr_assert(await(has_no_reader, NULL, 20000), "%s", get("a/status", NULL));
	fixture_daemon_ended(SIGTERM);
}
