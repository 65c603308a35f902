/* SPDX-License-Identifier: MIT */
/*
 * The command line, the words of -o, and the words of a service manager in the environment: what is
 * wrong is reported, in one line and once; what is right fills the options.
 *
 * The input: arguments, each ended by a NUL byte, and behind an empty one the environment.
 */
#include "fuzz.h"

#include <getopt.h>
#include <loop.h>
#include <notify.h>
#include <options.h>
#include <report.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ARGUMENTS = 16 };

static unsigned reports;

/* In place of the real one, which writes to standard error. */
void report(const char *format, ...)
{
	char line[2048];
	va_list arguments;
	va_start(arguments, format);
	int size = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	CHECK(size > 0);
	reports++;
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size);

/* Whatever socket is named is nobody's. */
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size)
{
	(void)fd, (void)address;
	CHECK(size > sizeof(address->sa_family));
	return 0;
}

static void check_options(char **argv, int argc)
{
	struct options options;
	optind = 0; /* glibc: begin anew */
	reports = 0;
	enum options_result result = options_parse(&options, argc, argv);
	CHECK(reports <= 1);
	CHECK((result == OPTIONS_WRONG) == (reports == 1));
	if (result == OPTIONS_SERVE) {
		CHECK(options.mountpoint && *options.mountpoint);
		CHECK(options.pool <= 1000);
		CHECK(!options.trace || options.foreground);
		CHECK(!options.mount || *options.mount);
		CHECK(!options.spool || *options.spool);
	}
	if (result == OPTIONS_DUMP)
		CHECK(options.dump && *options.dump);
	options_finish(&options);
}

static void check_notify(const char *socket, const char *usec, const char *pid)
{
	static struct loop *loop;
	struct notify notify;
	if (!loop)
		CHECK(loop_create(&loop) == 0);
	setenv("NOTIFY_SOCKET", socket, 1);
	setenv("WATCHDOG_USEC", usec, 1);
	if (*pid)
		setenv("WATCHDOG_PID", pid, 1);
	notify_init(&notify, loop, "/somewhere", getpid());
	CHECK(!getenv("NOTIFY_SOCKET") && !getenv("WATCHDOG_USEC") && !getenv("WATCHDOG_PID"));
	char *end;
	if (notify.period && *usec) {
		unsigned long long beat = strtoull(usec, &end, 10);
		CHECK(!*end && notify.period == beat * 1000 / 2);
	}
	CHECK(!*pid || !notify.period || strtoull(pid, NULL, 10) == (unsigned long long)getpid());
	notify_stopping(&notify, 3);
	notify_finish(&notify);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };
	char *argv[ARGUMENTS + 1] = { strdup("mimoboxfs") };
	int argc = 1;
	while (argc < ARGUMENTS && input.size && *input.data)
		argv[argc++] = fuzz_string(&input, '\0');
	char *kept[ARGUMENTS + 1]; /* getopt_long() puts them in another order */
	memcpy(kept, argv, sizeof(kept));
	check_options(argv, argc);
	while (argc)
		free(kept[--argc]);
	(void)fuzz_byte(&input);
	char *socket = fuzz_string(&input, '\0'), *usec = fuzz_string(&input, '\0');
	char *pid = fuzz_string(&input, '\0');
	check_notify(socket, usec, pid);
	free(socket);
	free(usec);
	free(pid);
	return 0;
}
