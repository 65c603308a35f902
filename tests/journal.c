/* SPDX-License-Identifier: MIT */
/* A session's log: what is kept of it for another process, and what a line costs there. */
#include <journal.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <keep_arena.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct keep *kept;
static int ends[2]; /* to the keeper, which says nothing */

static void begin(void)
{
	cr_assert_eq(keep_create(&kept), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	cr_assert_eq(keep_enter(kept, ends[1], false), 0);
}

static void end(void)
{
	keep_destroy(kept);
	close(ends[0]);
}

TestSuite(journal, .init = begin, .fini = end, .timeout = 60);

__attribute__((format(printf, 2, 3))) static void say(struct journal *journal, const char *format,
						      ...)
{
	va_list arguments;

	va_start(arguments, format);
	journal_add(journal, format, arguments);
	va_end(arguments);
}

static char *print(const struct journal *journal)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	cr_assert_not_null(to);
	journal_print(journal, to);
	cr_assert_eq(fclose(to), 0);
	return text;
}

static void assert_kept(const struct journal *journal)
{
	struct journal again = { 0 };

	cr_assert_eq(journal_restore(&again, kept, 1), 0);
	char *is = print(journal), *was = print(&again);
	cr_assert_str_eq(was, is);
	free(is);
	free(was);
	journal_finish(&again);
}

/* At each moment it is as it was, however often the oldest lines made room. */
Test(journal, is_kept_line_by_line)
{
	struct journal journal = { 0 };

	for (unsigned i = 0; i < 4000; i++) {
		say(&journal, "line %u%*s", i, (int)(i % 90), "");
		if (i % 3 == 0)
			journal_keep(&journal, kept, 1);
		if (i % 30 == 0)
			assert_kept(&journal);
	}
	cr_assert_gt(journal.dropped, 1000);
	journal_finish(&journal);
}

/* Another goes on with it. */
Test(journal, goes_on_where_it_was)
{
	struct journal journal = { 0 }, next = { 0 };

	for (unsigned i = 0; i < 1500; i++)
		say(&journal, "line %u", i);
	journal_keep(&journal, kept, 1);
	journal_finish(&journal);
	cr_assert_eq(journal_restore(&next, kept, 1), 0);
	for (unsigned i = 0; i < 1500; i++) {
		say(&next, "another line %u", i);
		journal_keep(&next, kept, 1);
	}
	assert_kept(&next);
	journal_keep_nothing(kept, 1);
	cr_expect_eq(kept->live, 0);
	journal_finish(&next);
}

/* It costs a piece, however long the log is. */
Test(journal, a_line_puts_little)
{
	struct journal journal = { 0 };
	uint64_t before, most = 0;

	for (unsigned i = 0; i < 2000; i++) {
		say(&journal, "line %u", i);
		before = kept->next;
		journal_keep(&journal, kept, 1);
		most = kept->next - before > most ? kept->next - before : most;
	}
	cr_expect_lt(most, 3 * sizeof(struct kept_journal_piece), "%lu", most);
	journal_finish(&journal);
}

/* What another has left, and is no log. */
Test(journal, of_another_size)
{
	struct kept_journal record = { .size = 65537 };
	struct journal journal = { 0 };

	keep_put(kept, KEEP_JOURNAL, 1, 0, &record, sizeof(record));
	cr_expect_eq(journal_restore(&journal, kept, 1), -EPROTO);
	record.size = 10;
	keep_put(kept, KEEP_JOURNAL, 1, 0, &record, sizeof(record) - 1);
	cr_expect_eq(journal_restore(&journal, kept, 1), -EPROTO);
	keep_put(kept, KEEP_JOURNAL, 1, 0, &record, sizeof(record));
	cr_expect_eq(journal_restore(&journal, kept, 1), 0, "what is missing is empty");
	journal_finish(&journal);
}
