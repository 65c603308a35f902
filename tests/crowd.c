/* SPDX-License-Identifier: MIT */
/*
 * A crowd of readers: crowd COUNT EXPECTED PATH...
 *
 * COUNT threads of 16 KiB stacks, each of which opens one of the paths and reads it to its end,
 * and compares as it goes. When all have opened, a line `open` is printed; at the end one with the
 * number of those that got the bytes of EXPECTED, all of them and no more. Exit status 0 if that
 * is every one. Built without sanitizers, which want far larger stacks.
 */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STACK = 16384 };

static const char *expected;
static size_t expected_size;
static atomic_uint exact;
static pthread_barrier_t all_open;

/* Whether the rest of the file is what was expected, and then ends. */
static int is_exact(int fd)
{
	char data[2048];
	size_t offset = 0;
	ssize_t size;

	while ((size = read(fd, data, sizeof(data))) > 0) {
		if ((size_t)size > expected_size - offset ||
		    memcmp(data, expected + offset, (size_t)size))
			return 0;
		offset += (size_t)size;
	}
	return size == 0 && offset == expected_size;
}

static void *reader(void *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		perror(path);
	pthread_barrier_wait(&all_open);
	if (fd >= 0 && is_exact(fd))
		exact++;
	close(fd);
	return NULL;
}

static int expect(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return -1;
	expected_size = (size_t)st.st_size;
	expected = mmap(NULL, expected_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	return expected == MAP_FAILED ? -1 : 0;
}

static void raise_limits(void)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	limit = (struct rlimit){ .rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY };
	setrlimit(RLIMIT_NPROC, &limit);
}

static int gather(unsigned count, char *const paths[], unsigned paths_count)
{
	pthread_t *threads = calloc(count, sizeof(*threads));
	pthread_attr_t attributes;

	if (!threads || pthread_barrier_init(&all_open, NULL, count + 1))
		return -1;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes,
				  STACK > PTHREAD_STACK_MIN ? STACK : PTHREAD_STACK_MIN);
	for (unsigned i = 0; i < count; i++)
		if (pthread_create(&threads[i], &attributes, reader, paths[i % paths_count])) {
			fprintf(stderr, "crowd: no more than %u threads\n", i);
			exit(3);
		}
	pthread_barrier_wait(&all_open);
	printf("open\n");
	fflush(stdout);
	for (unsigned i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	free(threads);
	return 0;
}

int main(int argc, char *argv[])
{
	unsigned count = argc > 3 ? (unsigned)atoi(argv[1]) : 0;

	raise_limits();
	if (count == 0 || expect(argv[2]) || gather(count, argv + 3, (unsigned)argc - 3)) {
		fprintf(stderr, "usage: crowd COUNT EXPECTED PATH...\n");
		return 2;
	}
	printf("%u\n", (unsigned)exact);
	return exact == count ? 0 : 1;
}
