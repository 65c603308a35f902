/* SPDX-License-Identifier: MIT */
/* What outlives a process that is killed: records, blocks, descriptors. */
#include <keep_arena.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct keep *kept;

/* A kernel with larger pages than this one; 0: this one. */
static size_t page;

long __real_sysconf(int name);
long __wrap_sysconf(int name);
int __real_madvise(void *start, size_t size, int advice);
int __wrap_madvise(void *start, size_t size, int advice);

long __wrap_sysconf(int name)
{
	return page && name == _SC_PAGESIZE ? (long)page : __real_sysconf(name);
}

int __wrap_madvise(void *start, size_t size, int advice)
{
	if (page)
		size = (size + page - 1) / page * page;
	return __real_madvise(start, size, advice);
}

static void make(void)
{
	cr_assert_eq(keep_create(&kept), 0);
}

static void destroy(void)
{
	keep_destroy(kept);
}

TestSuite(keep, .init = make, .fini = destroy, .timeout = 60);

/* Runs it in a process that is killed when it has returned, and hears what that has stored. */
static void in_one_that_is_killed(void (*fn)(void), bool again)
{
	int ends[2], status;
	pid_t pid;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	pid = fork();
	cr_assert(pid >= 0);
	if (pid == 0) {
		if (keep_enter(kept, ends[1], again) == 0)
			fn();
		kill(getpid(), SIGKILL);
	}
	close(ends[1]);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %x", status);
	while (keep_hear(kept, ends[0]) > 0)
		;
	close(ends[0]);
}

/* What it asserts is told by the state that it leaves: a process that is killed cannot. */
static void answer(bool right)
{
	keep_put(kept, KEEP_SERVER, 99, 0, &right, sizeof(right));
	keep_commit(kept);
}

static void was_right(void)
{
	cr_assert_eq(keep_enter(kept, -1, true), 0);
	size_t size;
	const bool *right = keep_get(kept, KEEP_SERVER, 99, 0, &size);
	cr_assert(right && size == sizeof(*right) && *right);
}

static void put(enum keep_kind kind, uint64_t id, const char *text)
{
	keep_put(kept, kind, id, 0, text, strlen(text));
}

static bool is(enum keep_kind kind, uint64_t id, const char *text)
{
	size_t size;
	const char *data = keep_get(kept, kind, id, 0, &size);

	return text ? data && size == strlen(text) && memcmp(data, text, size) == 0 : data == NULL;
}

static void put_some(void)
{
	put(KEEP_DIR, 1, "one");
	put(KEEP_DIR, 2, "two");
	put(KEEP_HANDLE, 1, "another kind");
	put(KEEP_DIR, 1, "one, changed");
	put(KEEP_DIR, 3, "");
	keep_commit(kept);
	keep_drop(kept, KEEP_DIR, 2, 0);
	put(KEEP_DIR, 4, "with the drop, or not at all");
}

static void find_some(void)
{
	struct keep_record *records;
	size_t count;
	bool right = is(KEEP_DIR, 1, "one, changed") && is(KEEP_DIR, 2, "two") &&
		     is(KEEP_HANDLE, 1, "another kind") && is(KEEP_DIR, 3, "") &&
		     is(KEEP_DIR, 4, NULL) && is(KEEP_HANDLE, 2, NULL);

	right = right && keep_list(kept, KEEP_DIR, &records, &count) == 0 && count == 3 &&
		records[0].id == 1 && records[1].id == 2 && records[2].id == 3;
	answer(right);
}

Test(keep, what_was_committed_is_there_and_nothing_else)
{
	in_one_that_is_killed(put_some, false);
	in_one_that_is_killed(find_some, true);
	was_right();
}

enum { MANY_STORED = 100, MANY = 20000, ROUNDS = 40, SIZE = 300 };

/* Far more than there is room for without forgetting what is past. */
static void put_many(void)
{
	char data[SIZE];

	for (unsigned round = 0; round < ROUNDS; round++)
		for (uint64_t id = 0; id < MANY; id += 1 + round % 7) {
			memset(data, (int)(round + id), sizeof(data));
			keep_put(kept, KEEP_TEXT, id, (uint32_t)(id % 3), data, sizeof(data));
			if (id % 16 == 0)
				keep_commit(kept);
			if (round == ROUNDS - 1 && id % 5 == 0)
				keep_drop(kept, KEEP_TEXT, id, (uint32_t)(id % 3));
		}
	keep_commit(kept);
}

static void find_many(void)
{
	bool right = true;
	size_t size;

	for (uint64_t id = 0; id < MANY; id++) {
		unsigned last = 0;
		const char *data = keep_get(kept, KEEP_TEXT, id, (uint32_t)(id % 3), &size);

		for (unsigned round = 0; round < ROUNDS; round++)
			last = id % (1 + round % 7) == 0 ? round : last;
		if (last == ROUNDS - 1 && id % 5 == 0)
			right = right && !data;
		else
			right = right && data && size == SIZE && data[0] == (char)(last + id) &&
				data[SIZE - 1] == (char)(last + id);
	}
	answer(right);
}

Test(keep, the_past_is_forgotten)
{
	in_one_that_is_killed(put_many, false);
	in_one_that_is_killed(find_many, true);
	was_right();
}

/* A block that was given back is somebody else's only after that was committed. */
static void use_blocks(void)
{
	char *one = keep_block(kept, 5000), *other;
	uint64_t place = keep_block_place(kept, one);

	memset(one, 'x', 5000);
	keep_put(kept, KEEP_DIR, 1, 0, &place, sizeof(place));
	keep_commit(kept);
	keep_block_free(kept, one, 5000);
	other = keep_block(kept, 8192);
	memset(other, 'y', 8192);
	if (other == one)
		memset(one, 'z', 5000);
	/* The other is nobody's: nothing tells of it. */
}

static void find_blocks(void)
{
	size_t size;
	const uint64_t *place = keep_get(kept, KEEP_DIR, 1, 0, &size);
	const char *one = keep_block_claim(kept, *place, 5000);
	char *new = keep_block(kept, 5000); /* taken in use while it is taken up */
	bool right = true;

	memset(new, 'v', 5000);
	keep_settle(kept);
	for (int i = 0; i < 5000; i++)
		right = right && one[i] == 'x' && new[i] == 'v';
	for (int i = 0; i < 100; i++) {
		char *more = keep_block(kept, 8192);

		right = right && (more >= one + 5000 || more + 8192 <= one);
		memset(more, 'w', 8192);
	}
	right = right && one[0] == 'x' && one[4999] == 'x';
	answer(right);
}

Test(keep, blocks_are_in_use_for_as_long_as_a_record_says_so)
{
	in_one_that_is_killed(use_blocks, false);
	in_one_that_is_killed(find_blocks, true);
	was_right();
}

static size_t shared_kib(void)
{
	char line[256];
	size_t kib = 0;
	FILE *status = fopen("/proc/self/status", "re");

	while (status && fgets(line, sizeof(line), status))
		(void)sscanf(line, "RssShmem: %zu kB", &kib);
	if (status)
		fclose(status);
	return kib;
}

enum { PLENTY = 4 << 20 };

/* As many bytes in blocks of each size; each says whose it is, and is nobody else's. */
static bool have_many(char **blocks, size_t size)
{
	bool right = true;
	unsigned count = PLENTY / (unsigned)size;

	for (unsigned i = 0; i < count; i++) {
		blocks[i] = keep_block(kept, size);
		memset(blocks[i], 'x', size);
		memcpy(blocks[i], &i, sizeof(i));
	}
	for (unsigned i = 0; i < count; i++)
		right = right && memcmp(blocks[i], &i, sizeof(i)) == 0;
	for (unsigned i = 0; i < count; i++)
		keep_block_free(kept, blocks[i], size);
	keep_commit(kept);
	return right;
}

static void use_many_blocks(void)
{
	char **blocks = calloc(PLENTY / KEEP_BLOCK_MIN, sizeof(*blocks));
	bool right = true;
	size_t before = shared_kib();

	for (int round = 0; round < 2; round++)
		for (size_t size = KEEP_BLOCK_MIN; size <= KEEP_BLOCK_MAX; size *= 2)
			right = right && have_many(blocks, size);
	answer(right && before && shared_kib() < before + 3 * 1024);
	free(blocks);
}

Test(keep, blocks_that_are_free_hold_little_memory)
{
	in_one_that_is_killed(use_many_blocks, false);
	was_right();
}

/* Of the memory that all of it is in. */
static size_t file_kib(void)
{
	struct stat status;

	cr_assert_eq(fstat(kept->memory, &status), 0);
	return (size_t)status.st_blocks / 2;
}

enum { LARGE = 64 << 10, LARGE_ONES = 512 };

static void put_large_ones(void)
{
	char *data = calloc(1, LARGE);

	for (uint64_t id = 1; data && id <= LARGE_ONES; id++)
		keep_put(kept, KEEP_TEXT, id, 0, data, LARGE);
	free(data);
}

static void commit_large_ones(void)
{
	put_large_ones();
	keep_commit(kept);
}

static void drop_large_ones(void)
{
	for (uint64_t id = 1; id <= LARGE_ONES; id++)
		keep_drop(kept, KEEP_TEXT, id, 0);
	keep_commit(kept);
}

static void nothing(void)
{
}

/* Neither that was not committed, nor that is no longer there. */
Test(keep, one_that_is_killed_leaves_no_memory_behind)
{
	in_one_that_is_killed(put_large_ones, false);
	cr_assert_geq(file_kib(), LARGE_ONES * LARGE / 1024);
	in_one_that_is_killed(nothing, true);
	cr_expect_leq(file_kib(), 2048);
	in_one_that_is_killed(commit_large_ones, true);
	in_one_that_is_killed(nothing, true);
	cr_expect_geq(file_kib(), LARGE_ONES * LARGE / 1024);
	in_one_that_is_killed(drop_large_ones, true);
	cr_expect_leq(file_kib(), 2048);
}

enum { MANY_RECORDS = 50000 };

static bool is_number(uint64_t id)
{
	const uint64_t *number = keep_get(kept, KEEP_DIR, id, 0, NULL);

	return number && *number == id;
}

static void fill_and_empty(void)
{
	size_t most;

	for (uint64_t id = 1; id <= MANY_RECORDS; id++)
		keep_put(kept, KEEP_DIR, id, 0, &id, sizeof(id));
	keep_commit(kept);
	most = kept->slot_count;
	for (uint64_t id = 2; id <= MANY_RECORDS; id++)
		keep_drop(kept, KEEP_DIR, id, 0);
	keep_commit(kept);
	answer(most > MANY_RECORDS && kept->slot_count <= 1024 && is_number(1) && !is_number(2));
}

/* The index grows with the records, and shrinks with them. */
Test(keep, few_records_have_a_small_index)
{
	in_one_that_is_killed(fill_and_empty, false);
	was_right();
}

static void store(void)
{
	int ends[2], other = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (pipe(ends) < 0 || write(ends[1], "kept", 4) != 4)
		_exit(1);
	for (uint64_t id = 1; id < MANY_STORED; id++)
		keep_store(kept, id, (const uint32_t[]){ 0, 1 }, (const int[]){ other, -1 }, 2);
	keep_store(kept, 5, (const uint32_t[]){ 0, 7 }, ends, 2);
	for (uint64_t id = 1; id < MANY_STORED; id++)
		if (id != 5 && id != 6)
			keep_release(kept, id);
	keep_release_part(kept, 5, 7);
	keep_release_part(kept, 6, 3);
	keep_commit(kept);
}

static void take(void)
{
	char data[8];
	int end = keep_take(kept, 5, 0);
	bool right = end >= 0 && keep_take(kept, 5, 7) < 0 && keep_take(kept, 4, 0) < 0 &&
		     keep_take(kept, 6, 1) < 0;

	/* The writing end was closed with all its copies: there is an end. */
	right = right && read(end, data, sizeof(data)) == 4 && read(end, data, sizeof(data)) == 0;
	right = right && memcmp(data, "kept", 4) == 0;
	right = right && keep_take(kept, 6, 0) >= 0;
	answer(right);
}

Test(keep, descriptors_are_there_until_they_are_released)
{
	in_one_that_is_killed(store, false);
	in_one_that_is_killed(take, true);
	was_right();
}

/* How many descriptors of this process would outlive execve(2). */
static unsigned lasting(void)
{
	unsigned count = 0;

	for (int fd = 3; fd < 256; fd++) {
		int flags = fcntl(fd, F_GETFD);

		count += flags >= 0 && !(flags & FD_CLOEXEC);
	}
	return count;
}

/* What it was to another program: its descriptors are had anew, and it is never freed. */
static struct keep *volatile before;

/* The memory, and the two that are stored. */
enum { PASSED = 1 + 2 };

Test(keep, another_program_has_it)
{
	int file = memfd_create("passed", MFD_CLOEXEC);
	unsigned lasted = lasting();

	in_one_that_is_killed(put_some, false);
	in_one_that_is_killed(store, true);
	cr_assert(file >= 0);
	cr_assert_eq(keep_pass(kept, file), 0);
	cr_assert_eq(keep_pass_on(kept, true), 0);
	cr_assert_eq(lasting(), lasted + PASSED);
	before = kept;
	cr_assert_eq(lseek(file, 0, SEEK_SET), 0);
	cr_assert_eq(keep_take_up(file, &kept), 0);
	cr_assert_eq(lasting(), lasted);
	in_one_that_is_killed(find_some, true);
	was_right();
	in_one_that_is_killed(take, true);
	was_right();
	close(file);
}

Test(keep, another_version_is_refused)
{
	int file = memfd_create("passed", MFD_CLOEXEC);
	struct keep *other = NULL;
	uint32_t version = KEEP_VERSION + 1;

	cr_assert(file >= 0);
	cr_assert_eq(keep_pass(kept, file), 0);
	cr_assert_eq(pwrite(file, &version, sizeof(version), 0), (ssize_t)sizeof(version));
	cr_assert_eq(lseek(file, 0, SEEK_SET), 0);
	cr_assert_eq(keep_take_up(file, &other), -EPROTONOSUPPORT);
	cr_assert_null(other);
	/* Nor one that is cut short. */
	cr_assert_eq(keep_take_up(file, &other), -EPROTO);
	close(file);
}

/* Nothing is done, and nothing fails, where there is no keeper. */
Test(keep, without_one)
{
	char *block = keep_block(NULL, 5000);

	cr_assert(block != NULL);
	keep_block_free(NULL, block, 5000);
	keep_put(NULL, KEEP_DIR, 1, 0, "x", 1);
	keep_commit(NULL);
	cr_assert_null(keep_get(NULL, KEEP_DIR, 1, 0, NULL));
	cr_assert_eq(keep_store(NULL, 1, (const uint32_t[]){ 0 }, (const int[]){ 0 }, 1), 0);
	cr_assert_eq(keep_take(NULL, 1, 0), -1);
	cr_assert_eq(keep_owner(NULL), getpid());
	cr_assert(!keep_again(NULL));
}

/* What is given back are whole pages, which may hold more than one block. */
Test(keep, larger_pages_take_no_neighbour)
{
	enum { BLOCKS = 2048, BYTES = KEEP_BLOCK_MIN }; /* more than what is kept for later */
	unsigned char *blocks[BLOCKS];

	cr_assert_eq(keep_enter(kept, -1, false), 0);
	for (unsigned i = 0; i < BLOCKS; i++) {
		blocks[i] = keep_block(kept, BYTES);
		cr_assert(blocks[i] != NULL);
		memset(blocks[i], 7, BYTES);
	}
	page = 16384;
	for (unsigned i = 0; i < BLOCKS; i += 2)
		keep_block_free(kept, blocks[i], BYTES);
	keep_commit(kept);
	page = 0;
	for (unsigned i = 1; i < BLOCKS; i += 2)
		cr_assert(blocks[i][0] == 7 && blocks[i][BYTES - 1] == 7, "block %u", i);
}
