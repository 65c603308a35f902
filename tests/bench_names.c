/* SPDX-License-Identifier: MIT */
/*
 * What a network of names costs: Markdown tables on standard output.
 *
 * The servers are in a network of the benchmark's own, where the relay reaches them by a name of
 * /etc/hosts. The same client is measured in the same run, turn by turn, on the bare loopback
 * there, in a session, and behind slirp4netns and pasta, where these are installed. Only what does
 * not work fails; no time does.
 *
 * MIMOBOX_MEGABYTES (256), MIMOBOX_ROUNDS (5), MIMOBOX_CONNECTIONS (1000, all of which are open at
 * a time) set the size of it all. Run as root. The program under test is $MIMOBOXFS.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS_MAX = 64, CONNECTIONS_MAX = 1024, STARTS = 40, WARM = 8 };
enum { SOURCE = 5001, GREETER, HOLDER }; /* ports */
#define ADDRESS "93.184.0.10"
#define HOST "bench.test"

/* The servers */

static int listen_at(uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, ADDRESS, &at.sin_addr);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 4096) < 0)
		give_up("a server");
	return fd;
}

static _Noreturn void pour(int fd)
{
	static char data[262144];

	while (send(fd, data, sizeof(data), MSG_NOSIGNAL) > 0)
		;
	_exit(0);
}

/* Each connection gets a byte; then it is poured into, closed, or held until the client closes. */
static _Noreturn void serve(int listener, uint16_t port)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			continue;
		(void)!send(fd, "!", 1, MSG_NOSIGNAL);
		if (port == SOURCE && fork() == 0)
			pour(fd);
		if (port != HOLDER)
			close(fd);
	}
}

static void start_servers(void)
{
	for (uint16_t port = SOURCE; port <= HOLDER; port++) {
		int listener = listen_at(port);
		pid_t pid = fork();

		if (pid < 0)
			give_up("fork");
		if (pid == 0)
			serve(listener, port);
		close(listener);
	}
}

static void shell(const char *command)
{
	must_end(run_later((const char *const[]){ "sh", "-c", command, NULL }));
}

static pid_t owner; /* whose exit it is */

static void remove_hosts(void)
{
	if (getpid() == owner)
		unlink(path("hosts"));
}

/* pasta takes the addresses and the route of a device that is up. */
static void make_world(void)
{
	char command[2 * NAME];

	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		give_up("namespaces: run as root");
	shell("ip link set lo up && ip addr add " ADDRESS "/32 dev lo");
	shell("ip tuntap add world0 mode tap && ip addr add 93.184.1.2/24 dev world0 && "
	      "ip link set world0 up && ip route add default via 93.184.1.1 || :");
	snprintf(command, sizeof(command),
		 "printf '127.0.0.1 localhost\\n" ADDRESS " " HOST "\\n' > %s; "
		 "mount --bind %s /etc/hosts",
		 path("hosts"), path("hosts"));
	owner = getpid();
	atexit(remove_hosts);
	shell(command);
	start_servers();
}

/* The client, which runs wherever it is put */

static int connect_to(const struct sockaddr_in *to)
{
	char byte;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0 ||
	    recv(fd, &byte, 1, MSG_WAITALL) != 1)
		give_up("a connection");
	return fd;
}

/* Seconds until so many bytes came by all of them. */
static void client_pours(const struct sockaddr_in *to, unsigned count, uint64_t bytes)
{
	static char data[1 << 20];
	struct pollfd from[CONNECTIONS_MAX];
	double begin = now();
	uint64_t all = 0;

	for (unsigned i = 0; i < count; i++)
		from[i] = (struct pollfd){ .fd = connect_to(to), .events = POLLIN };
	while (all < bytes) {
		if (poll(from, count, -1) < 0)
			give_up("poll");
		for (unsigned i = 0; i < count; i++) {
			ssize_t size =
				from[i].revents ? recv(from[i].fd, data, sizeof(data), 0) : 0;

			if (size < 0 || (from[i].revents && size == 0))
				give_up("a stream");
			all += (uint64_t)size;
		}
	}
	printf("%.9f\n", now() - begin);
}

static void client_connects(const struct sockaddr_in *to, unsigned count)
{
	static double times[CONNECTIONS_MAX];
	double p50;

	for (unsigned i = 0; i < count; i++) {
		double begin = now();
		int fd = connect_to(to);

		times[i] = now() - begin;
		close(fd);
	}
	p50 = part(times, count, 0.5);
	printf("%.9f %.9f\n", p50, part(times, count, 0.99));
}

static void client_holds(const struct sockaddr_in *to, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		(void)connect_to(to);
	printf("held\n");
	(void)fflush(stdout);
	pause();
}

/* client ADDRESS PORT COUNT BYTES */
static int be_client(char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	unsigned port = (unsigned)atoi(argv[1]), count = (unsigned)atoi(argv[2]);

	to.sin_port = htons((uint16_t)port);
	if (count > CONNECTIONS_MAX || inet_pton(AF_INET, argv[0], &to.sin_addr) != 1)
		give_up("client");
	if (port == SOURCE)
		client_pours(&to, count, strtoull(argv[3], NULL, 10));
	else if (port == GREETER)
		client_connects(&to, count);
	else
		client_holds(&to, count);
	return 0;
}

/* Where it is put */

enum way { BARE, NAMES, SLIRP, PASTA, WAYS };

static const char *const ways[WAYS] = { "bare loopback", "`network names`", "slirp4netns",
					"pasta" };
static char program[NAME];

struct client {
	enum way way;
	FILE *output;
	pid_t pid, helper; /* whose memory it costs; 0: nothing of it is there */
	pid_t network;
};

/* Installed, and able to work here. */
static bool is_there(enum way way)
{
	static const char *const tests[WAYS] = {
		[SLIRP] = "command -v slirp4netns && test -c /dev/net/tun",
		[PASTA] =
			"command -v pasta && pasta --netns-only --runas 0 -q --config-net -- true",
	};
	static enum { UNKNOWN, THERE, AWAY } known[WAYS];
	char command[NAME];
	int status;
	pid_t pid;

	if (!tests[way] || known[way])
		return known[way] != AWAY;
	snprintf(command, sizeof(command), "{ %s; } 2> /dev/null", tests[way]);
	pid = run_later((const char *const[]){ "sh", "-c", command, NULL });
	known[way] = waitpid(pid, &status, 0) == pid && status == 0 ? THERE : AWAY;
	return known[way] == THERE;
}

/* With its standard output in client->output. */
static pid_t run_piped(struct client *client, const char *const argv[], pid_t network)
{
	char file[64];
	int ends[2], fd;
	pid_t pid;

	snprintf(file, sizeof(file), "/proc/%d/ns/net", network);
	if (pipe2(ends, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		give_up("fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		fd = network ? open(file, O_RDONLY | O_CLOEXEC) : -1;
		if (network && setns(fd, CLONE_NEWNET) < 0)
			_exit(126);
		dup2(ends[1], STDOUT_FILENO);
		if (client->way == PASTA) /* which tells what it does without */
			dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	close(ends[1]);
	client->output = fdopen(ends[0], "re");
	return pid;
}

/* A network without anything, and slirp4netns, which has made its device there when it says so. */
static void start_slirp(struct client *client)
{
	char ready[16], target[16], byte;
	int ends[2];

	if (pipe(ends) < 0)
		give_up("pipe");
	client->network = fork();
	if (client->network == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		byte = unshare(CLONE_NEWNET) == 0;
		(void)!write(ends[1], &byte, 1);
		pause();
		_exit(0);
	}
	if (client->network < 0 || read(ends[0], &byte, 1) != 1 || !byte)
		give_up("a network");
	snprintf(ready, sizeof(ready), "%d", ends[1]);
	snprintf(target, sizeof(target), "%d", client->network);
	client->helper = run_later((const char *const[]){
		"sh", "-c",
		"exec slirp4netns --configure --mtu=65520 --ready-fd=$0 $1 tap0 2> /dev/null",
		ready, target, NULL });
	close(ends[1]);
	if (read(ends[0], &byte, 1) != 1)
		give_up("slirp4netns");
	close(ends[0]);
}

static void start_session(struct client *client, const char *words)
{
	char command[3 * NAME];

	snprintf(command, sizeof(command),
		 "set -- %s; exec /srv/bench/client client $(getent ahostsv4 " HOST
		 " | sed 's/ .*//;q') $2 $3 $4\n"
		 "ro %s:/srv/bench/client\nnetwork names\nallow " HOST ":%d,%d,%d\n"
		 "open-files 4096\ncpu none\nterminal no",
		 words, program, SOURCE, GREETER, HOLDER);
	make("a", command);
	client->output = fopen(path("m/a/output"), "re");
	start("a");
}

static void client_start(struct client *client, enum way way, uint16_t port, unsigned count,
			 uint64_t bytes)
{
	char words[NAME], ports[16], counts[16], sizes[32];

	*client = (struct client){ .way = way };
	snprintf(ports, sizeof(ports), "%u", port);
	snprintf(counts, sizeof(counts), "%u", count);
	snprintf(sizes, sizeof(sizes), "%llu", (unsigned long long)bytes);
	snprintf(words, sizeof(words), "%s %s %s %s", ADDRESS, ports, counts, sizes);
	const char *const bare[] = { program, "client", ADDRESS, ports, counts, sizes, NULL };
	const char *const pasta[] = { "pasta",        "--netns-only", "--runas", "0",      "-q",
				      "--config-net", "--",           program,   "client", ADDRESS,
				      ports,          counts,         sizes,     NULL };

	if (way == NAMES) {
		start_session(client, words);
	} else if (way == PASTA) {
		client->pid = client->helper = run_piped(client, pasta, 0);
	} else {
		if (way == SLIRP)
			start_slirp(client);
		client->pid = run_piped(client, bare, client->network);
	}
	if (!client->output)
		give_up(ways[way]);
}

static void finish(pid_t pid)
{
	if (pid > 0) {
		kill(pid, SIGTERM);
		waitpid(pid, NULL, 0);
	}
}

static void client_end(struct client *client)
{
	(void)fclose(client->output);
	if (client->way == NAMES)
		end("a");
	finish(client->pid);
	if (client->helper != client->pid)
		finish(client->helper);
	finish(client->network);
}

static void measure_once(enum way way, uint16_t port, unsigned count, uint64_t bytes,
			 double result[2])
{
	struct client client;
	char line[128] = "";

	client_start(&client, way, port, count, bytes);
	errno = 0;
	if (!fgets(line, sizeof(line), client.output) ||
	    sscanf(line, "%lf %lf", &result[0], &result[1]) < 1)
		give_up(ways[way]);
	client_end(&client);
}

/* Tables */

static unsigned rounds(void)
{
	unsigned count = setting("MIMOBOX_ROUNDS", 5);

	return count < ROUNDS_MAX ? count : ROUNDS_MAX;
}

static void throughput(unsigned connections)
{
	static double seconds[WAYS][ROUNDS_MAX];
	uint64_t bytes = (uint64_t)setting("MIMOBOX_MEGABYTES", 256) << 20;
	double first = 0, result[2];

	for (unsigned round = 0; round < rounds(); round++)
		for (enum way way = BARE; way < WAYS; way++)
			if (is_there(way)) {
				measure_once(way, SOURCE, connections, bytes, result);
				seconds[way][round] = result[0];
			}
	printf("\n## %.0f MB into a client by %u connection%s, medians of %u rounds in turn\n\n"
	       "| network | MB/s | worst..best | of bare |\n|---|---|---|---|\n",
	       1e-6 * (double)bytes, connections, connections == 1 ? "" : "s", rounds());
	for (enum way way = BARE; way < WAYS; way++) {
		double median = part(seconds[way], rounds(), 0.5), mb = 1e-6 * (double)bytes;

		if (median == 0)
			continue;
		first = way == BARE ? median : first;
		printf("| %s | %.0f | %.0f..%.0f | %.2f |\n", ways[way], mb / median,
		       mb / seconds[way][rounds() - 1], mb / seconds[way][0], first / median);
	}
	(void)fflush(stdout);
}

static void latency(void)
{
	enum { COUNT = 1000 };
	static double p50[WAYS][ROUNDS_MAX], p99[WAYS][ROUNDS_MAX];
	double result[2];

	for (unsigned round = 0; round < rounds(); round++)
		for (enum way way = BARE; way < WAYS; way++)
			if (is_there(way)) {
				measure_once(way, GREETER, COUNT, 0, result);
				p50[way][round] = result[0];
				p99[way][round] = result[1];
			}
	printf("\n## From connect(2) to the server's first byte, us, %d one after another, medians "
	       "of %u rounds in turn\n\n| network | p50 | p99 |\n|---|---|---|\n",
	       COUNT, rounds());
	for (enum way way = BARE; way < WAYS; way++)
		if (is_there(way))
			printf("| %s | %.0f | %.0f |\n", ways[way],
			       1e6 * part(p50[way], rounds(), 0.5),
			       1e6 * part(p99[way], rounds(), 0.5));
	(void)fflush(stdout);
}

static pid_t child_named(pid_t parent, const char *name)
{
	char line[4096] = "", file[64], *rest = NULL;
	FILE *from;

	snprintf(file, sizeof(file), "/proc/%d/task/%d/children", parent, parent);
	from = fopen(file, "re");
	if (!from || !fgets(line, sizeof(line), from))
		line[0] = '\0';
	if (from)
		(void)fclose(from);
	for (char *word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		char comm[32] = "";

		snprintf(file, sizeof(file), "/proc/%d/comm", atoi(word));
		from = fopen(file, "re");
		if (from && fgets(comm, sizeof(comm), from))
			comm[strcspn(comm, "\n")] = '\0';
		if (from)
			(void)fclose(from);
		if (!strcmp(comm, name))
			return (pid_t)atoi(word);
	}
	return 0;
}

static pid_t relay_of(pid_t daemon)
{
	pid_t server = server_of(daemon), pid = child_named(daemon, "mimobox-relay");

	return pid ? pid : child_named(server ? server : daemon, "mimobox-relay");
}

static unsigned long held_kib(enum way way, unsigned count)
{
	struct client client;
	char line[128] = "";
	unsigned long size;

	client_start(&client, way, HOLDER, count, 0);
	errno = 0;
	if (!fgets(line, sizeof(line), client.output) || strcmp(line, "held\n"))
		give_up(ways[way]);
	size = resident_kib(way == NAMES ? relay_of(daemon_pid) : client.helper);
	client_end(&client);
	return size;
}

static void memory(void)
{
	unsigned count = setting("MIMOBOX_CONNECTIONS", 1000);

	count = count < CONNECTIONS_MAX ? count : CONNECTIONS_MAX;
	printf("\n## Memory of what connects, with idle connections: RSS, MiB\n\n"
	       "| network | with one | with %u | for each more, KiB |\n|---|---|---|---|\n",
	       count);
	for (enum way way = NAMES; way < WAYS; way++) {
		unsigned long one, all;

		if (!is_there(way))
			continue;
		one = held_kib(way, 1);
		all = held_kib(way, count);
		printf("| %s | %.1f | %.1f | %.1f |\n", ways[way], (double)one / 1024,
		       (double)all / 1024,
		       ((double)all - (double)one) / (count > 1 ? count - 1 : 1));
		(void)fflush(stdout);
	}
}

/* Of one that was built ahead, as each is when there is a moment between two. */
static double start_once(const char *config)
{
	char byte;
	double begin, took;
	int fd;

	make("s", config);
	fd = open(path("m/s/exit"), O_RDONLY | O_CLOEXEC);
	begin = now();
	start("s");
	if (fd < 0 || read(fd, &byte, 1) != 1)
		give_up("a start");
	took = now() - begin;
	close(fd);
	end("s");
	poll(NULL, 0, 50);
	return took;
}

/* The pool has the kind that was asked for last: in turn by blocks. */
static void starts(void)
{
	static const char *const configs[] = { "exec true",
					       "exec true\nnetwork names\nallow " HOST };
	static double seconds[2][STARTS];
	double first = 0;

	for (unsigned block = 0; block < 2 * 4; block++)
		for (unsigned i = 0; i < WARM + STARTS / 4; i++) {
			double took = start_once(configs[block % 2]);

			if (i >= WARM)
				seconds[block % 2][block / 2 * (STARTS / 4) + i - WARM] = took;
		}
	printf("\n## From `start` to the exit of `true`, ms, %d of each, in turn by blocks\n\n"
	       "| network | p50 | p90 | of `none` |\n|---|---|---|---|\n",
	       STARTS);
	for (unsigned i = 0; i < 2; i++) {
		double median = part(seconds[i], STARTS, 0.5);

		first = i ? first : median;
		printf("| `network %s` | %.2f | %.2f | %.2f |\n", i ? "names" : "none",
		       1000 * median, 1000 * part(seconds[i], STARTS, 0.9), median / first);
	}
	(void)fflush(stdout);
}

int main(int argc, char **argv)
{
	struct rlimit files = { 8192, 8192 };
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);

	if (argc == 6 && !strcmp(argv[1], "client"))
		return be_client(argv + 2);
	if (length <= 0 || (setrlimit(RLIMIT_NOFILE, &files) < 0 && errno != EPERM))
		give_up("/proc/self/exe");
	bench_prepare();
	make_world();
	start_daemon();
	throughput(1);
	throughput(8);
	latency();
	memory();
	starts();
	return 0;
}
