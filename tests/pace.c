/* SPDX-License-Identifier: MIT */
#include "pace.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SPAWNS = 60, EXCHANGES = 4000, STEPS = 30000000 };

/* A machine that is quiet, and on which the suite takes as long as its bounds were made for. */
static const struct pace quick = { .spawn = 600, .exchange = 12, .work = 100000 };

bool pace_parse(const char *text, unsigned *factor)
{
	char *end;
	double value;

	if (*text < '0' || *text > '9') /* no sign, space, or name of a number */
		return false;
	value = strtod(text, &end);
	if (*end || !(value >= 1 && value <= PACE_FACTOR_MAX))
		return false;
	*factor = (unsigned)value;
	if (*factor < value)
		++*factor;
	return true;
}

unsigned pace_factor(const struct pace *pace)
{
	double worst = pace->spawn / quick.spawn;
	unsigned whole;

	if (pace->exchange / quick.exchange > worst)
		worst = pace->exchange / quick.exchange;
	if (pace->work / quick.work > worst)
		worst = pace->work / quick.work;
	if (worst >= PACE_FACTOR_MAX)
		return PACE_FACTOR_MAX;
	whole = (unsigned)worst;
	if (whole < worst)
		whole++;
	return whole > 1 ? whole : 1;
}

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int measure_spawn(double *each)
{
	double begun = now_us();

	for (int i = 0; i < SPAWNS; i++) {
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			execl("/bin/true", "true", NULL);
			_exit(127);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			return -errno;
		if (status != 0)
			return -ENOEXEC;
	}
	*each = (now_us() - begun) / SPAWNS;
	return 0;
}

static int measure_exchange(double *each)
{
	double begun;
	int ends[2], error = 0;
	char byte = 0;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		while (read(ends[1], &byte, 1) == 1 && write(ends[1], &byte, 1) == 1)
			;
		_exit(0);
	}
	if (pid < 0)
		error = -errno;
	close(ends[1]);
	begun = now_us();
	for (int i = 0; i < EXCHANGES && error == 0; i++)
		if (send(ends[0], &byte, 1, MSG_NOSIGNAL) != 1 || read(ends[0], &byte, 1) != 1)
			error = -ECHILD;
	*each = (now_us() - begun) / EXCHANGES;
	close(ends[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return error;
}

double pace_work(void)
{
	volatile uint64_t result;
	uint64_t number = 1;
	double begun = now_us();

	for (unsigned i = 0; i < STEPS; i++) {
		number ^= number << 13;
		number ^= number >> 7;
		number ^= number << 17;
	}
	result = number;
	(void)result;
	return now_us() - begun;
}

int pace_measure(struct pace *pace)
{
	int error = measure_spawn(&pace->spawn);

	if (error == 0)
		error = measure_exchange(&pace->exchange);
	pace->work = pace_work();
	return error;
}

unsigned factor(void)
{
	static unsigned known;
	const char *text = getenv(PACE_VARIABLE);

	if (known == 0 && (!text || !pace_parse(text, &known)))
		known = 1;
	return known;
}

unsigned scaled(unsigned amount)
{
	return amount * factor();
}
