/* SPDX-License-Identifier: MIT */
/* What is stored for another program: the ids of files, and records that are not as they should. */
#include <files.h>
#include <handle.h>
#include <kept.h>
#include <kept_records.h>
#include <question.h>
#include <server.h>
#include <session_kept.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <keep.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(kept, .timeout = 20);

/*
 * As they are in what other programs have left. A new file has an id that no other had, and a line
 * here; one that is gone leaves its line, as "".
 */
static const char *const names[] = {
	[2] = "defaults", [3] = "events",   [4] = "stats",      [5] = "input",
	[6] = "output",   [7] = "size",     [8] = "ctl",        [9] = "exit",
	[10] = "config",  [11] = "status",  [12] = "log",       [13] = "screen",
	[14] = "sizes",   [15] = "modes",   [16] = "cast",      [17] = "transcript",
	[18] = "stderr",  [19] = "wait",    [20] = "workspace", [21] = "question",
	[22] = "cursor",  [23] = "metrics", [27] = "changes",   [30] = "network",
	[31] = "asks",    [32] = "ports",   [33] = "port",
};
enum { NAMES = sizeof(names) / sizeof(*names) };

static unsigned check_ids(const struct file *table, bool seen[NAMES])
{
	unsigned count = 0;

	for (const struct file *file = table; file->name; file++, count++) {
		cr_assert(file->id >= FILE_ID_MIN && file->id <= FILE_ID_MAX, "%s", file->name);
		cr_assert(file->id < NAMES && names[file->id], "%s: no line here", file->name);
		cr_assert(!seen[file->id], "%s has the id of another", file->name);
		cr_assert_str_eq(file->name, names[file->id]);
		seen[file->id] = true;
		cr_assert_eq(file_by_id(table, file->id), file);
	}
	return count;
}

Test(kept, ids_are_of_one_file_for_good)
{
	bool seen[NAMES] = { 0 };
	unsigned count = check_ids(root_files, seen) + check_ids(session_files, seen);

	cr_assert_eq(question_file.id, 21);
	cr_assert_eq(port_file.id, 33);
	cr_assert(!seen[question_file.id] && !seen[port_file.id]);
	unsigned lines = 0;
	for (unsigned id = 0; id < NAMES; id++)
		lines += names[id] != NULL;
	cr_assert_eq(count + 2, lines);
	cr_assert_null(file_by_id(root_files, 0));
	cr_assert_null(file_by_id(root_files, 256 + 2));
}

/* Each once, by its id, and not by its row. */
Test(kept, a_listing_goes_by_ids)
{
	static const struct file table[] = {
		{ .id = 7, .name = "a" },
		{ .id = 200, .name = "c" },
		{ .id = 9, .name = "b" },
		{ 0 },
	};

	cr_assert_eq(file_after(table, 0), &table[0]);
	cr_assert_eq(file_after(table, 7), &table[2]);
	cr_assert_eq(file_after(table, 8), &table[2]);
	cr_assert_eq(file_after(table, 9), &table[1]);
	cr_assert_null(file_after(table, 200));
}

static struct keep *kept;
static struct server server;
static int ends[2]; /* to the keeper, which says nothing */

static void begin(void)
{
	cr_assert_eq(keep_create(&kept), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	cr_assert_eq(keep_enter(kept, ends[1], false), 0);
	cr_assert_eq(server_init(&server), 0);
	server.keep = kept;
	kept_server(&server);
}

static void end(void)
{
	while (!link_empty(&server.handles))
		handle_close(link_owner(server.handles.next, struct handle, link));
	free(server.answer);
	keep_destroy(kept);
	close(ends[0]);
}

TestSuite(kept_records, .init = begin, .fini = end, .timeout = 20);

static void put_handle(uint64_t id, uint32_t file)
{
	struct kept_handle record;

	memset(&record, 0, sizeof(record));
	record.file = file;
	keep_put(kept, KEEP_HANDLE, id, 0, &record, sizeof(record));
}

/* Those are ended that this program cannot know. */
Test(kept_records, handles_of_files_that_are_not_there)
{
	static const uint32_t unknown[] = { 0, 1, 5, 21, 253, 255, 256 + 4, UINT32_MAX };
	enum { COUNT = sizeof(unknown) / sizeof(*unknown) };

	for (uint32_t i = 0; i < COUNT; i++)
		put_handle(10 + i, unknown[i]);
	put_handle(1, 4);
	keep_commit(kept);
	cr_assert_eq(kept_restore(&server), 0);
	cr_assert_str_eq(handle_find(&server, 1)->file->name, "stats");
	for (uint32_t i = 0; i < COUNT; i++)
		cr_assert_null(handle_find(&server, 10 + i), "%u", unknown[i]);
}

static void refused_of(enum keep_kind kind, size_t size)
{
	char data[sizeof(struct kept_handle) + sizeof(struct kept_waiting) + 1] = { 0 };

	keep_put(kept, kind, 0, 0, data, size);
	keep_commit(kept);
	cr_assert_eq(kept_restore(&server), -EPROTO, "kind %d, size %zu", (int)kind, size);
	keep_drop(kept, kind, 0, 0);
	kept_server(&server);
	keep_commit(kept);
	cr_assert_eq(kept_restore(&server), 0);
}

/* One byte more or less than it should have. */
Test(kept_records, of_another_size)
{
	static const struct {
		enum keep_kind kind;
		size_t size;
	} records[] = {
		{ KEEP_SERVER, sizeof(struct kept_server) },
		{ KEEP_DIR, sizeof(struct kept_dir) },
		{ KEEP_HANDLE, sizeof(struct kept_handle) },
		{ KEEP_WAITING, sizeof(struct kept_waiting) },
	};

	for (size_t i = 0; i < sizeof(records) / sizeof(*records); i++) {
		refused_of(records[i].kind, records[i].size - 1);
		refused_of(records[i].kind, records[i].size + 1);
	}
}

static int restore_session(const struct kept_session *record, size_t size)
{
	struct mimobox *box = calloc(1, sizeof(*box));

	box->keep = kept;
	keep_put(kept, KEEP_SESSION, 1, 0, record, size);
	keep_commit(kept);
	int error = mimobox_restore(box);
	free(box);
	return error;
}

static void refused(struct kept_session record)
{
	cr_assert_eq(restore_session(&record, sizeof(record)), -EPROTO);
}

/* A number by which a table is looked up is one of the table's. */
Test(kept_records, sessions_of_numbers_that_are_not_there)
{
	const struct kept_session sound = { .state = MIMOBOX_EXITED, .reason = END_EXIT };
	struct kept_session record = sound;

	cr_assert_eq(restore_session(&sound, sizeof(sound) - 1), -EPROTO);
	record.state = MIMOBOX_EXITED + 1;
	refused(record);
	record = sound;
	record.reason = -1;
	refused(record);
	record.reason = END_REASONS;
	refused(record);
	record = sound;
	record.shape.filter.profile = SYSFILTER_PROFILES;
	refused(record);
	record = sound;
	record.first_mark = 1;
	record.marks = TIMELINE_MAX;
	refused(record);
	record = sound;
	memset(record.name, 'a', sizeof(record.name));
	refused(record);
}
