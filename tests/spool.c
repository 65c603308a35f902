/* SPDX-License-Identifier: MIT */
/* The output log: absolute offsets, what is kept, who holds it back, and a disk that is full. */
#include "output.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MIB = 1 << 20 };

static struct output output;
static char block[65536], got[65536];

static void setup(void)
{
	output = (struct output){ .retain = UINT64_MAX };
	cr_assert_eq(spool_open(&output.spool, "/var/tmp"), 0);
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (char)(i * 31 + i / 251);
}

static void teardown(void)
{
	output_close(&output);
}

TestSuite(spool, .init = setup, .fini = teardown, .timeout = 60);

/* As a stream does it; the first error, when the file takes no more. */
static int append(const char *data, size_t size)
{
	while (size) {
		char *at;
		size_t room;
		int error = spool_room(&output.spool, false, &at, &room);
		if (error < 0)
			return error;
		room = room < size ? room : size;
		memcpy(at, data, room);
		output_commit(&output, room);
		data += room;
		size -= room;
	}
	return 0;
}

static void add(size_t blocks)
{
	while (blocks--)
		cr_assert_eq(append(block, sizeof(block)), 0);
}

static uint64_t disk_used(void)
{
	struct stat status;
	cr_assert_eq(fstat(output.spool.fd, &status), 0);
	return (uint64_t)status.st_blocks * 512;
}

Test(spool, bytes_are_at_their_offsets)
{
	add(3);
	for (uint64_t at = 0; at < 3 * sizeof(block); at += 9973) {
		ssize_t count = spool_read(&output.spool, got, 100, at);
		for (ssize_t i = 0; i < count; i++)
			cr_assert_eq(got[i], block[(at + (uint64_t)i) % sizeof(block)]);
	}
	cr_expect_eq(spool_read(&output.spool, got, 100, 3 * sizeof(block) - 7), 7);
	cr_expect_eq(spool_read(&output.spool, got, 100, 3 * sizeof(block)), 0);
}

/* A part may be in the file already, and the rest in memory: a reader of a file sees no border. */
Test(spool, a_read_goes_on_where_the_file_ends)
{
	cr_assert_eq(output.spool.fd, -1, "there is a file with nothing in it");
	cr_assert_eq(append("Name?\r\n", 7), 0);
	cr_assert_eq(spool_flush(&output.spool), 0);
	cr_assert_eq(append("World\r\n", 7), 0);
	cr_expect_eq(spool_read(&output.spool, got, sizeof(got), 0), 14);
	cr_expect_arr_eq(got, "Name?\r\nWorld\r\n", 14);
	cr_expect_eq(spool_read(&output.spool, got, 9, 2), 9);
	cr_expect_arr_eq(got, "me?\r\nWorl", 9);
	cr_expect_eq(spool_read(&output.spool, got, 5, 2), 5);
	cr_expect_eq(spool_read(&output.spool, got, 100, 8), 6);
	cr_expect_arr_eq(got, "orld\r\n", 6);
}

/* A copy is made only of what is in the file, in whole or in part. */
Test(spool, what_is_in_memory_is_seen_where_it_is)
{
	struct mimobox_reader reader;
	const void *data;
	output_attach(&output, &reader);
	cr_assert_eq(append("Name?\r\n", 7), 0);
	cr_expect_eq(output_view(&output, &reader, got, 5, 0, &data), 5);
	cr_expect_eq(data, (const void *)output.spool.held);
	cr_expect_eq(output_view(&output, &reader, got, 100, 5, &data), 2);
	cr_expect_eq(data, (const void *)(output.spool.held + 5));
	cr_expect_eq(output_view(&output, &reader, got, 100, 7, &data), -EAGAIN);
	cr_assert_eq(spool_flush(&output.spool), 0);
	cr_assert_eq(append("World\r\n", 7), 0);
	cr_expect_eq(output_view(&output, &reader, got, 100, 2, &data), 12);
	cr_expect_eq(data, (const void *)got);
	cr_expect_arr_eq(got, "me?\r\nWorld\r\n", 12);
	cr_expect_eq(output_view(&output, &reader, got, 100, 7, &data), 7);
	cr_expect_eq(data, (const void *)output.spool.held);
	memset(got, 0, sizeof(got));
	cr_expect_eq(output_read(&output, &reader, got, 100, 9), 5);
	cr_expect_arr_eq(got, "rld\r\n", 5);
	output_detach(&output, &reader);
}

Test(spool, no_more_than_retain_is_kept_also_on_disk)
{
	output.retain = MIB;
	add(256);
	cr_expect_eq(output.spool.end - output.spool.start, MIB);
	cr_expect_eq(output.spool.end, 16 * MIB);
	fsync(output.spool.fd);
	cr_expect_leq(disk_used(), 3 * MIB);
}

Test(spool, wait_keeps_what_an_open_reader_has_not_read)
{
	struct mimobox_reader slow, fast;
	output.retain = MIB;
	output_attach(&output, &slow);
	output_attach(&output, &fast);
	for (uint64_t at = 0; output_room(&output) > 0; at += sizeof(block)) {
		cr_assert_lt(at, 4 * MIB, "it never said stop");
		add(1);
		cr_assert_eq(output_read(&output, &fast, got, sizeof(got), at),
			     (ssize_t)sizeof(got));
	}
	cr_expect_eq(output.spool.end, MIB);
	cr_expect_eq(output.spool.start, 0);
	cr_expect_eq(output_read(&output, &slow, got, 1000, 0), 1000);
	cr_expect_arr_eq(got, block, 1000);
	cr_expect_eq(output_room(&output), 1000);
	output_detach(&output, &slow);
	cr_expect_eq(output_room(&output), MIB, "a closed reader holds nothing back");
	output_detach(&output, &fast);
	cr_expect_eq(output_room(&output), SIZE_MAX);
}

Test(spool, a_reader_that_goes_back_holds_from_there)
{
	struct mimobox_reader reader;
	output.retain = MIB;
	output_attach(&output, &reader);
	add(16);
	cr_assert_eq(output_room(&output), 0);
	for (uint64_t at = 0; at < MIB; at += sizeof(got))
		output_read(&output, &reader, got, sizeof(got), at);
	cr_assert_eq(output_room(&output), MIB);
	cr_expect_eq(output_read(&output, &reader, got, 10, 100), 10);
	cr_expect_eq(output_room(&output), 110);
	output_detach(&output, &reader);
}

Test(spool, drop_tells_a_reader_left_behind_once)
{
	struct mimobox_reader reader;
	output.retain = MIB;
	output.overflow = OVERFLOW_DROP;
	output_attach(&output, &reader);
	add(1);
	cr_assert_eq(output_read(&output, &reader, got, 500, 0), 500);
	add(64);
	cr_expect_eq(output_room(&output), SIZE_MAX);
	cr_expect_eq(output_read(&output, &reader, got, 500, 500), -ESTALE);
	uint64_t start = output.spool.start, read = 0;
	ssize_t count;
	while ((count = output_read(&output, &reader, got, sizeof(got), 500 + read)) > 0)
		read += (uint64_t)count;
	cr_expect_eq(count, -EAGAIN);
	cr_expect_eq(start + read, output.spool.end, "it went on at the oldest byte kept");
	output.ended = true;
	cr_expect_eq(output_read(&output, &reader, got, 1, 500 + read), 0);
	output_detach(&output, &reader);
}

Test(spool, a_late_reader_starts_at_the_oldest_byte)
{
	struct mimobox_reader reader;
	output.retain = MIB;
	add(33);
	output_attach(&output, &reader);
	uint64_t read = 0;
	ssize_t count;
	while ((count = output_read(&output, &reader, got, 4096, read)) > 0)
		read += (uint64_t)count;
	cr_expect_eq(read, MIB);
	cr_expect_eq(output_read(&output, &reader, got, 10, output.spool.end - 4), 4,
		     "an absolute offset is one still");
	output_detach(&output, &reader);
}

Test(spool, what_is_held_is_read_and_flushing_gives_its_memory_back)
{
	cr_assert_eq(append(block, 100), 0);
	cr_expect_eq(output.spool.held_size, 100);
	cr_expect_eq(spool_read(&output.spool, got, 1000, 40), 60);
	cr_expect_arr_eq(got, block + 40, 60);
	cr_expect_eq(spool_flush(&output.spool), 0);
	cr_expect_null(output.spool.held);
	cr_expect_eq(spool_read(&output.spool, got, 1000, 40), 60);
	cr_expect_arr_eq(got, block + 40, 60);
	add(64);
	cr_expect_leq(output.spool.held_room, SPOOL_HELD_MAX);
}

static void limit_files(rlim_t size)
{
	/* RLIMIT_FSIZE stands for the disk. */
	struct rlimit limit;
	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = size;
	setrlimit(RLIMIT_FSIZE, &limit);
}

Test(spool, a_full_disk_holds_the_rest_in_memory_until_it_has_room)
{
	struct mimobox_reader reader;
	uint64_t stopped = 0;
	int error;
	signal(SIGXFSZ, SIG_IGN);
	limit_files(100000);
	while ((error = append(block, sizeof(block))) == 0)
		cr_assert_lt(output.spool.end, 4 * MIB, "it never said stop");
	cr_expect_eq(error, -EFBIG);
	stopped = output.spool.end;
	cr_expect_leq(stopped, 100000 + SPOOL_HELD_MAX);
	cr_expect_eq(spool_flush(&output.spool), -EFBIG);
	/* The last of an ended program finds room all the same. */
	char *at;
	size_t room;
	cr_assert_eq(spool_room(&output.spool, true, &at, &room), 0);
	memset(at, 'z', 5);
	output_commit(&output, 5);
	output_attach(&output, &reader);
	for (uint64_t from = 0; from < stopped;) {
		ssize_t count = output_read(&output, &reader, got, 3000, from);
		cr_assert_gt(count, 0);
		for (ssize_t i = 0; i < count && from + (uint64_t)i < stopped; i++)
			cr_assert_eq(got[i], block[(from + (uint64_t)i) % sizeof(block)]);
		from += (uint64_t)count;
	}
	limit_files(RLIM_INFINITY);
	cr_expect_eq(spool_flush(&output.spool), 0);
	cr_expect_eq(output.spool.held_size, 0);
	cr_expect_eq(spool_read(&output.spool, got, 50, 100000 - 25), 50);
	cr_expect_arr_eq(got, block + 100000 - 25 - 65536, 50);
	cr_expect_eq(spool_read(&output.spool, got, 50, stopped), 5);
	output_detach(&output, &reader);
}
