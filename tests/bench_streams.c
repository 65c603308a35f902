/* SPDX-License-Identifier: MIT */
/*
 * How fast bytes go through a session, and what it takes: Markdown tables on standard output.
 *
 * What a machine can do is measured in the same run, turn by turn with what it is compared to: a
 * bare program that reads a master of the same kind for the throughput, statx() of an open file of
 * the mount, made to ask the server, which is one FUSE round trip, for the echo. Only what does not
 * work fails; no time does.
 *
 * MIMOBOX_MEGABYTES (256), MIMOBOX_ROUNDS (5), MIMOBOX_SESSIONS (1000) set the size of it all.
 * CPU time is the reading program's where it is bare, else the daemon's. Arguments (throughput,
 * echo, idle) choose among the parts. The program under test is $MIMOBOXFS.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS_MAX = 64, ECHOES = 2000, READERS_MAX = 4 };

/* Throughput */

static void flood_command(char *to, size_t size)
{
	snprintf(to, size, "stty raw -opost; exec head -c %uM /dev/zero",
		 setting("MIMOBOX_MEGABYTES", 256));
}

static _Noreturn void be_the_program(int master, const char *command)
{
	int slave;

	setsid();
	slave = ioctl(master, TIOCGPTPEER, O_RDWR);
	if (slave < 0 || ioctl(slave, TIOCSCTTY, 0) < 0)
		_exit(1);
	for (int fd = 0; fd < 3; fd++)
		dup2(slave, fd);
	close_range(3, ~0u, 0);
	execlp("sh", "sh", "-c", command, NULL);
	_exit(127);
}

static int open_master(void)
{
	int unlock = 0, master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0)
		give_up("/dev/ptmx");
	return master;
}

static pid_t run_on(int master, const char *command)
{
	pid_t pid = fork();

	if (pid < 0)
		give_up("fork");
	if (pid == 0)
		be_the_program(master, command);
	return pid;
}

/* The same program on a terminal that is read as fast as can be. Seconds. */
static double bare(void)
{
	static char data[65536];
	char command[NAME];
	int master = open_master();
	double begin = now();
	uint64_t all = 0;
	ssize_t size;
	pid_t pid;

	flood_command(command, sizeof(command));
	pid = run_on(master, command);
	for (;;) {
		size = read(master, data, sizeof(data));
		if (size > 0)
			all += (uint64_t)size;
		else if (all > 0 || waitpid(pid, NULL, WNOHANG) == pid)
			break; /* EIO before the program has opened it is not its end */
	}
	begin = now() - begin;
	waitpid(pid, NULL, 0);
	close(master);
	errno = EIO;
	if (all != (uint64_t)setting("MIMOBOX_MEGABYTES", 256) << 20)
		give_up("the bare program");
	return begin;
}

struct series {
	const char *what, *command;
	unsigned readers;
	double seconds[ROUNDS_MAX], cpu[ROUNDS_MAX];
};

static void read_once(struct series *series, unsigned round)
{
	pid_t pids[READERS_MAX];
	char command[NAME];
	double begin, cpu;

	flood_command(command, sizeof(command));
	make("a", command);
	for (unsigned i = 0; i < series->readers; i++) {
		snprintf(command, sizeof(command), "exec %s", series->command);
		pids[i] = run_later((const char *const[]){ "sh", "-c", command, NULL });
	}
	poll(NULL, 0, 50); /* until they wait: before the start, at any rate */
	cpu = daemon_cpu();
	begin = now();
	start("a");
	for (unsigned i = 0; i < series->readers; i++)
		must_end(pids[i]);
	series->seconds[round] = now() - begin;
	series->cpu[round] = daemon_cpu() - cpu;
	end("a");
}

static void throughput(void)
{
	struct series all[] = {
		{ .what = "a bare program" },
		{ .what = "`cat output`", .command = "cat $M/a/output", .readers = 1 },
		{ .what = "`dd bs=1M`",
		  .command = "dd if=$M/a/output of=/dev/null bs=1M status=none",
		  .readers = 1 },
		{ .what = "4 of `cat`", .command = "cat $M/a/output", .readers = 4 },
		{ .what = "4 of `dd`",
		  .command = "dd if=$M/a/output of=/dev/null bs=1M status=none",
		  .readers = 4 },
	};
	enum { SERIES = sizeof(all) / sizeof(*all) };
	unsigned rounds = setting("MIMOBOX_ROUNDS", 5);
	double megabytes = setting("MIMOBOX_MEGABYTES", 256) * 1.048576, first = 0;

	rounds = rounds < ROUNDS_MAX ? rounds : ROUNDS_MAX;
	start_daemon();
	for (unsigned round = 0; round < rounds; round++)
		for (unsigned i = 0; i < SERIES; i++) {
			double cpu = cpu_of(getpid());

			if (all[i].readers) {
				read_once(&all[i], round);
				continue;
			}
			all[i].seconds[round] = bare();
			all[i].cpu[round] = cpu_of(getpid()) - cpu;
		}
	stop_daemon();
	printf("\n## Throughput, %.0f MB of a raw terminal, medians of %u rounds in turn\n\n"
	       "| reader | MB/s | worst..best | of bare | CPU s/GB "
	       "|\n|---|---|---|---|---|\n",
	       megabytes, rounds);
	for (unsigned i = 0; i < SERIES; i++) {
		double median = part(all[i].seconds, rounds, 0.5);

		first = i ? first : median;
		printf("| %s | %.0f | %.0f..%.0f | %.2f | ", all[i].what, megabytes / median,
		       megabytes / all[i].seconds[rounds - 1], megabytes / all[i].seconds[0],
		       first / median);
		printf("%.2f |\n", 1000 * part(all[i].cpu, rounds, 0.5) / megabytes);
	}
	(void)fflush(stdout);
}

/* Echo */

static void crowd_make(unsigned from, unsigned to, const char *command)
{
	char name[16];

	for (unsigned i = from; i < to; i++) {
		snprintf(name, sizeof(name), "c%u", i);
		make(name, command);
		start(name);
	}
}

static void crowd_end(unsigned from, unsigned to)
{
	char name[16];

	for (unsigned i = from; i < to; i++) {
		snprintf(name, sizeof(name), "c%u", i);
		end(name);
	}
}

#define ECHO "stty raw -echo; printf '!'; exec cat"

static double echo_once(int in, int out)
{
	double begin = now();
	char byte;

	if (write(in, "x", 1) != 1 || read(out, &byte, 1) != 1)
		give_up("echo");
	return now() - begin;
}

/* By the same program on a terminal of the benchmark's own, in turn with the others. */
static pid_t bare_echo(int *master)
{
	pid_t pid;
	char byte = 0;

	*master = open_master();
	pid = run_on(*master, ECHO);
	while (byte != '!')
		if (read(*master, &byte, 1) != 1 && waitpid(pid, NULL, WNOHANG) == pid)
			give_up("the bare echo");
	return pid;
}

static void echo(const char *crowd)
{
	static double echoes[ECHOES], trips[ECHOES], bares[ECHOES];
	int in, out, master;
	double begin, p50, trip;
	pid_t pid = bare_echo(&master);
	struct statx st;
	char byte;

	make("e", ECHO);
	out = open(path("m/e/output"), O_RDONLY | O_CLOEXEC);
	start("e");
	in = open(path("m/e/input"), O_WRONLY | O_CLOEXEC);
	if (in < 0 || out < 0 || read(out, &byte, 1) != 1)
		give_up("echo");
	for (unsigned i = 0; i < ECHOES; i++) {
		begin = now();
		if (statx(out, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_CTIME, &st) < 0)
			give_up("statx");
		trips[i] = now() - begin;
		echoes[i] = echo_once(in, out);
		bares[i] = echo_once(master, master);
	}
	close(master);
	waitpid(pid, NULL, 0);
	close(in);
	close(out);
	end("e");
	trip = part(trips, ECHOES, 0.5);
	p50 = part(echoes, ECHOES, 0.5);
	printf("| %s | %.0f | %.0f | %.0f | %.0f | %.0f | %.0f | %.1f |\n", crowd, 1e6 * trip,
	       1e6 * part(trips, ECHOES, 0.99), 1e6 * part(bares, ECHOES, 0.5),
	       1e6 * part(bares, ECHOES, 0.99), 1e6 * p50, 1e6 * part(echoes, ECHOES, 0.99),
	       p50 / trip);
	(void)fflush(stdout);
}

static void echo_in(unsigned sessions, unsigned flooding)
{
	char crowd[64];

	snprintf(crowd, sizeof(crowd), "%u, %u of them flooding", sessions, flooding);
	echo(crowd);
}

static void echoes(void)
{
	unsigned all = setting("MIMOBOX_SESSIONS", 1000) - 1;
	unsigned fifth = all / 5, tenth = fifth / 20, floods = all / 20;

	printf("\n## Echo of one byte by `input` and `output`, and statx(): %d of each in turn\n\n"
	       "| other sessions | statx p50 us | p99 | bare echo p50 | p99 | echo p50 | p99 | "
	       "p50 in statxs |\n|---|---|---|---|---|---|---|---|\n",
	       ECHOES);
	start_daemon();
	echo("none");
	crowd_make(0, fifth, "read x");
	echo_in(fifth, 0);
	crowd_make(all, all + tenth, "exec yes");
	echo_in(fifth + tenth, tenth);
	crowd_end(all, all + tenth);
	crowd_make(fifth, all, "read x");
	echo_in(all, 0);
	crowd_end(0, floods);
	crowd_make(0, floods, "exec yes");
	echo_in(all, floods);
	stop_daemon();
}

/* Idle sessions */

static void idle(void)
{
	enum { LISTS = 5 };
	unsigned count = setting("MIMOBOX_SESSIONS", 1000);
	unsigned long none, with;
	double cpu, begin, took, lists[LISTS];
	const char *const list[] = { "sh", "-c", "ls -l $M > /dev/null", NULL };

	start_daemon();
	make("warm", "exit 0");
	start("warm");
	end("warm");
	poll(NULL, 0, 300);
	none = daemon_kib(daemon_pid);
	begin = now();
	crowd_make(0, count, "read x");
	took = now() - begin;
	poll(NULL, 0, 500); /* their prompts, if any, are on the disk by now */
	with = daemon_kib(daemon_pid);
	cpu = daemon_cpu();
	poll(NULL, 0, 10000);
	cpu = daemon_cpu() - cpu;
	for (unsigned i = 0; i < LISTS; i++) {
		begin = now();
		must_end(run_later(list));
		lists[i] = now() - begin;
	}
	printf("\n## %u idle sessions\n\n| what | figure |\n|---|---|\n"
	       "| daemon's RSS with none | %.1f MiB |\n| with %u | %.1f MiB |\n"
	       "| daemon's CPU time in 10 s | %.2f s |\n"
	       "| `ls -l` of the root, median of %d | %.0f ms |\n"
	       "| mkdir, config and start of one, on average | %.2f ms |\n",
	       count, (double)none / 1024, count, (double)with / 1024, cpu, LISTS,
	       1000 * part(lists, LISTS, 0.5), 1000 * took / count);
	stop_daemon();
}

/* All, or what is named. */
int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*measure)(void);
	} parts[] = { { "throughput", throughput }, { "echo", echoes }, { "idle", idle } };

	bench_prepare();
	for (unsigned i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		for (int j = argc > 1; j < argc; j++)
			if (j == 0 || !strcmp(argv[j], parts[i].name))
				parts[i].measure();
	return 0;
}
