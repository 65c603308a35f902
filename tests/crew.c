/* SPDX-License-Identifier: MIT */
#include "crew.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client.h"

enum { WORKERS_MAX = 160 };

volatile bool *over;

static pid_t workers[WORKERS_MAX];
static unsigned worker_count;

void crew_begin(void)
{
	over = mmap(NULL, sizeof(*over), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq((void *)over, MAP_FAILED);
	worker_count = 0;
}

void crew_work(int (*function)(const void *), const void *data)
{
	cr_assert_lt(worker_count, (unsigned)WORKERS_MAX);
	workers[worker_count++] = spawn_function(function, data);
}

void crew_ended(unsigned but)
{
	for (unsigned i = but; i < worker_count; i++) {
		int status = -1;

		cr_assert(ended(workers[i], 60000, &status), "client %u hangs, in state %c", i,
			  process_state(workers[i]));
		cr_assert_eq(status, 0, "client %u: status %d", i, status);
	}
	worker_count = but;
}

static uint32_t next_word(uint32_t word)
{
	return (uint32_t)(((uint64_t)word * 69069 + 1) % 2147483648u);
}

static void start_printer(const struct printer *printer)
{
	session_start(text("p%u", printer->number),
		      text("terminal %s\nmemory 64M\ncommand %s awk 'BEGIN{x=%u;for(i=1;i<=%u;i++){"
			   "x=(x*69069+1)%%2147483648;printf \"%%08x\",x;"
			   "if(i%%%u==0){fflush();system(\"sleep 0.05\")}}}'; exit %u\n",
			   printer->pipes ? "no" : "yes", printer->pipes ? "" : "stty raw -echo;",
			   printer->number, printer->words, printer->piece, printer->number % 256));
}

static ssize_t read_some(const struct printer *printer, int fd, char *data, size_t size)
{
	while (printer->polls) {
		ssize_t count = read(fd, data, size);

		if (count >= 0 || errno != EAGAIN)
			return count;
		NEED(poll_one(fd, POLLIN, 60000), "printer %u: nothing comes", printer->number);
	}
	return read(fd, data, size);
}

static int read_stream(const void *data)
{
	const struct printer *printer = data;
	int fd = open(at("p%u/output", printer->number),
		      O_RDONLY | O_CLOEXEC | (printer->polls ? O_NONBLOCK : 0));
	static char got[65536];
	char expected[9];
	uint32_t word = printer->number;
	uint64_t at_byte = 0;
	ssize_t count;

	NEED(fd >= 0, "printer %u: %s", printer->number, strerror(errno));
	while ((count = read_some(printer, fd, got, sizeof(got))) > 0)
		for (ssize_t i = 0; i < count; i++, at_byte++) {
			if (at_byte % 8 == 0) {
				word = next_word(word);
				snprintf(expected, sizeof(expected), "%08x", word);
			}
			NEED(got[i] == expected[at_byte % 8],
			     "printer %u: byte %llu is '%c', not '%c'", printer->number,
			     (unsigned long long)at_byte, got[i], expected[at_byte % 8]);
		}
	NEED(count == 0, "printer %u: %s", printer->number, strerror(errno));
	NEED(at_byte == 8ull * printer->words, "printer %u: %llu bytes of %llu", printer->number,
	     (unsigned long long)at_byte, 8ull * printer->words);
	close(fd);
	return 0;
}

static int read_status(const void *data)
{
	const struct printer *printer = data;
	char told[16] = "";
	int fd = open(at("p%u/exit", printer->number), O_RDONLY | O_CLOEXEC);

	/* However long it takes. */
	NEED(fd >= 0 && read(fd, told, sizeof(told) - 1) > 0, "printer %u: %s", printer->number,
	     strerror(errno));
	close(fd);
	NEED(atoi(told) == (int)(printer->number % 256), "printer %u: %s", printer->number, told);
	return 0;
}

static struct printer printers[CREW_SESSIONS];

void crew_print(void)
{
	for (unsigned i = 0; i < CREW_SESSIONS; i++) {
		bool floods = i % 5 == 4;

		printers[i] = (struct printer){ .number = i + 1,
						.words = floods ? 200000 : 30000,
						.piece = floods ? 20000 : 300,
						.polls = i % 3 == 1,
						.pipes = i % 7 == 6 };
		start_printer(&printers[i]);
		crew_work(read_stream, &printers[i]);
		if (i % 4 == 0)
			crew_work(read_status, &printers[i]);
	}
}

void crew_printed(void)
{
	crew_ended(0);
	for (unsigned i = 0; i < CREW_SESSIONS; i++) {
		cr_assert_eq(session_exit(text("p%u", i + 1)), (int)((i + 1) % 256));
		cr_assert_eq(rmdir(at("p%u", i + 1)), 0);
	}
}

void counter_start(const char *name)
{
	session_start(name, "command stty -echo; echo ready; n=0; while read x; do n=$((n+1)); "
			    "echo \"<$n $x>\"; done; exit 5\n");
	get(text("%s/wait/match@0:ready", name), NULL);
}

void counter_counts(const char *name, unsigned number)
{
	put_all(text("%s/input", name), "line\n");
	get(text("%s/wait/match@0:<%u line>", name, number), NULL);
}

void counter_end(const char *name)
{
	put_all(text("%s/ctl", name), "eof\n");
	cr_assert_eq(session_exit(name), 5);
	cr_assert_eq(rmdir(at("%s", name)), 0);
}
