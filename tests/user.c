/* SPDX-License-Identifier: MIT */
/* What one user's open files, names and waiting requests cost: bounds, and who has a turn. */
#include <dir.h>
#include <feed.h>
#include <files.h>
#include <handle.h>
#include <kept.h>
#include <node.h>
#include <question.h>
#include <request.h>
#include <server.h>
#include <turns.h>
#include <user.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <keep_arena.h>
#include <loop.h>
#include <session.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOT = 0, ANN = 1001, BOB = 1002 };

static struct keep *kept;
static struct server server;
static struct mimobox box;
static struct mimobox_session session = { .id = 1, .uid = ANN, .references = 2, .box = &box };
static struct dir *dir; /* of ann's */
static int ends[2];     /* to the keeper, which says nothing */

static void begin(void)
{
	cr_assert_eq(keep_create(&kept), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	cr_assert_eq(keep_enter(kept, ends[1], false), 0);
	cr_assert_eq(server_init(&server), 0);
	server.keep = kept;
	strcpy(session.name, "a");
	cr_assert_eq(dir_attach(&server, &session, &dir), 0);
	dir->users = 1;
}

static void end(void)
{
	while (!link_empty(&server.handles))
		handle_close(link_owner(server.handles.next, struct handle, link));
	dir_unref(dir);
	for (int i = 0; i < USER_CHAINS; i++)
		cr_expect_null(server.users[i], "a user is left");
	cr_expect_eq(server.listeners, 0);
	free(server.answer);
	keep_destroy(kept);
	close(ends[0]);
}

TestSuite(user, .init = begin, .fini = end, .timeout = 60);

static int try_open(const struct file *file, uid_t opener, struct handle **out)
{
	const struct node node = { .file = file };

	return handle_open(&server, &node, opener, O_RDONLY, out);
}

static struct handle *open_as(const struct file *file, uid_t opener)
{
	struct handle *handle;

	cr_assert_eq(try_open(file, opener, &handle), 0);
	return handle;
}

Test(user, open_files_are_bounded)
{
	const struct file *file = file_find(root_files, "stats");
	struct handle *last, *other;

	for (unsigned i = 0; i < USER_HANDLES; i++)
		last = open_as(file, ANN);
	cr_assert_eq(try_open(file, ANN, &other), -ENFILE);
	open_as(file, BOB);
	open_as(file, ROOT);
	handle_close(last);
	open_as(file, ANN);
	cr_assert_eq(try_open(file, ANN, &other), -ENFILE);
}

/* Texts */

enum { LARGE = 100000 };

static char large[LARGE];
static size_t large_size;
static unsigned shown;

static int show_large(const struct handle *handle, FILE *to)
{
	(void)handle;
	shown++;
	return fwrite(large, 1, large_size, to) == large_size ? 0 : -ENOMEM;
}

static const struct file large_file = {
	.id = 2, .name = "large", .mode = 0444, .show = show_large
};

static void say(size_t size, const char *words)
{
	for (large_size = 0; large_size < size; large_size++)
		large[large_size] = words[large_size % strlen(words)];
}

/* As much as there is of `size` bytes, which have to be those of the text, or an error. */
static ssize_t read_at(struct handle *handle, size_t size, uint64_t offset)
{
	struct request request = {
		.handle = handle, .work = file_read, .size = size, .offset = offset
	};
	ssize_t count = file_read(&request);

	if (count > 0)
		cr_expect_arr_eq(request.answer, large + offset, (size_t)count);
	return count;
}

static size_t kept_text_of(const struct handle *handle)
{
	size_t size;

	return keep_get(kept, KEEP_TEXT, handle->id, 0, &size) ? size : 0;
}

/* In the server and in what is kept; what is dropped can be read on. */
Test(user, texts_are_bounded_and_read_on)
{
	enum { COUNT = 200 };
	struct handle *handles[COUNT];
	size_t held = 0, in_keep = 0;

	say(LARGE, "a text of one moment\n");
	for (unsigned i = 0; i < COUNT; i++) {
		handles[i] = open_as(&large_file, ANN);
		cr_assert_eq(read_at(handles[i], 7, 0), 7);
	}
	for (unsigned i = 0; i < COUNT; i++) {
		held += handles[i]->text.data ? LARGE : 0;
		in_keep += kept_text_of(handles[i]);
	}
	cr_expect_eq(held, handles[0]->user->buffers);
	cr_expect_eq(in_keep, held);
	cr_expect(held <= USER_BUFFERS && held > USER_BUFFERS - LARGE, "%zu", held);
	for (unsigned i = 0; i < COUNT; i++) {
		cr_expect_eq(read_at(handles[i], LARGE, 7), LARGE - 7, "%u", i);
		cr_expect_eq(read_at(handles[i], LARGE, LARGE), 0);
	}
	cr_expect_eq(handles[0]->user->buffers, held);
}

/* A user's floods drop that user's texts alone. */
Test(user, texts_of_others_stay)
{
	struct handle *bobs = open_as(&large_file, BOB);

	say(LARGE, "abc");
	cr_assert_eq(read_at(bobs, 1, 0), 1);
	for (unsigned i = 0; i < 100; i++)
		cr_assert_eq(read_at(open_as(&large_file, ANN), 1, 0), 1);
	cr_expect_not_null(bobs->text.data);
}

/* The text that a handle reads again must not be of two moments. */
Test(user, a_text_that_was_dropped)
{
	struct handle *handle = open_as(&large_file, ANN);

	say(1000, "abcd");
	cr_assert_eq(read_at(handle, 500, 0), 500);
	file_drop_text(handle);
	cr_expect_eq(kept_text_of(handle), 0);
	shown = 0;
	cr_expect_eq(read_at(handle, 500, 1000), 0, "its end");
	cr_expect_eq(shown, 0, "the end is known");
	cr_expect_eq(read_at(handle, 500, 600), 400, "the same");
	cr_expect_eq(shown, 1);
	file_drop_text(handle);
	say(1200, "abcd");
	cr_expect_eq(read_at(handle, 500, 700), 300, "it has grown");
	file_drop_text(handle);
	say(1000, "abce");
	cr_expect_eq(read_at(handle, 500, 700), -ESTALE, "it is another");
	cr_expect_eq(read_at(handle, 500, 700), -ESTALE);
	cr_expect_eq(read_at(handle, 500, 0), 500, "it begins once more");
	cr_expect_eq(read_at(handle, 500, 700), 300);
	file_drop_text(handle);
	say(900, "abce");
	cr_expect_eq(read_at(handle, 500, 700), -ESTALE, "it has shrunk");
}

/* One that was read to its end goes before one that is being read. */
Test(user, texts_that_were_read_are_dropped_first)
{
	struct handle *half = open_as(&large_file, ANN), *whole = open_as(&large_file, ANN);

	say(LARGE, "abc");
	cr_assert_eq(read_at(half, 1, 0), 1);
	cr_assert_eq(read_at(whole, LARGE, 0), LARGE);
	for (unsigned i = 2; i < USER_BUFFERS / LARGE; i++)
		cr_assert_eq(read_at(open_as(&large_file, ANN), 1, 0), 1);
	cr_assert(half->text.data && whole->text.data);
	cr_assert_eq(read_at(open_as(&large_file, ANN), 1, 0), 1);
	cr_expect(half->text.data && !whole->text.data);
}

/* What cannot be dropped is refused: patterns, and lines that are not whole. */
Test(user, what_stays_is_bounded)
{
	struct handle *handle = open_as(&large_file, ANN);

	say(LARGE, "abc");
	cr_assert_eq(read_at(handle, 1, 0), 1);
	cr_expect_eq(user_hold(handle->user, 0, USER_BUFFERS - 10), 0);
	cr_expect_null(handle->text.data);
	cr_expect_eq(user_hold(handle->user, 0, 11), -EDQUOT);
	cr_expect_eq(user_hold(handle->user, 5, 15), 0);
	cr_expect_eq(user_hold(handle->user, USER_BUFFERS, 0), 0);
	cr_expect_eq(handle->user->buffers, 0);
}

/* Events */

static const struct file *events(void)
{
	return file_find(root_files, "events");
}

Test(user, listeners_are_bounded)
{
	struct handle *last, *other;

	for (unsigned i = 0; i < USER_LISTENERS; i++)
		last = open_as(events(), ANN);
	cr_assert_eq(try_open(events(), ANN, &other), -ENFILE);
	cr_assert_eq(last->user->handles, USER_LISTENERS);
	open_as(events(), BOB);
	handle_close(last);
	open_as(events(), ANN);
}

static uint64_t put_by_event(void)
{
	uint64_t before = kept->next;

	feed_tell(&server, dir, "created");
	return kept->next - before;
}

/* It is put once, and copied once. */
Test(user, an_event_costs_the_same_for_many_listeners)
{
	uint64_t for_one, for_many;

	open_as(events(), ANN);
	for_one = put_by_event();
	for (unsigned i = 1; i < USER_LISTENERS; i++)
		open_as(events(), ANN);
	for_many = put_by_event();
	cr_expect(for_one > 0 && for_many < 2 * for_one, "%lu after %lu", for_many, for_one);
}

static ssize_t read_events(struct handle *handle, uint64_t offset, const char **line)
{
	struct request request = {
		.handle = handle, .nonblock = true, .size = 4096, .offset = offset
	};
	ssize_t count = feed_read(&request);

	*line = request.answer;
	return count;
}

/* Each begins where it was opened; the lines go with the last. */
Test(user, listeners_share_the_lines)
{
	struct handle *first = open_as(events(), ANN), *second, *bobs = open_as(events(), BOB);
	const char *line;

	feed_tell(&server, dir, "created");
	second = open_as(events(), ANN);
	feed_tell(&server, dir, "removed");
	ssize_t both = read_events(first, 0, &line), one = read_events(second, 0, &line);
	cr_expect(one > 0 && both > one, "%zd and %zd", both, one);
	cr_expect(memmem(line, (size_t)one, " a removed\n", 11) != NULL);
	cr_expect_eq(read_events(second, (uint64_t)one, &line), -EAGAIN);
	cr_expect_eq(read_events(bobs, 0, &line), -EAGAIN, "they are ann's");
	handle_close(first);
	cr_expect_not_null(second->user->ring.data);
	struct user *user = second->user;
	handle_close(second);
	cr_expect_null(user->ring.data);
	cr_expect_null(keep_get(kept, KEEP_RING, ANN, 0, NULL));
	cr_expect_null(keep_get(kept, KEEP_FEED, ANN, 0, NULL));
}

/* Names in `wait` */

static uint64_t look_up(unsigned number)
{
	char text[32];
	struct node node = { .dir = dir, .file = &question_file };

	snprintf(text, sizeof(text), "match:%u", number);
	cr_assert_eq(question_look_up(dir, text, &node.question), 0);
	return node_number(&node);
}

static unsigned names(void)
{
	unsigned count = 0;

	for (struct link *link = dir->questions.next; link != &dir->questions; link = link->next)
		count++;
	return count;
}

/* Most look-ups put nothing, since another server needs to know but the open ones. */
Test(user, names_are_bounded)
{
	enum { COUNT = 60000 };
	uint64_t first = look_up(0), put = kept->next;
	struct node node;

	cr_assert_eq(node_find(&server, first, &node), 0);
	struct question *open = question_open(node.question);
	uint64_t second = look_up(1);
	for (unsigned i = 2; i < COUNT; i++)
		look_up(i);
	cr_expect_eq(kept->next, put);
	cr_expect_eq(names(), USER_QUESTIONS + 1);
	cr_expect_eq(node_find(&server, first, &node), 0, "it is open");
	cr_expect_eq(node_find(&server, second, &node), -ESTALE);
	cr_expect_neq(look_up(1), second, "a number is of one name");
	question_close(open);
	cr_expect_eq(names(), USER_QUESTIONS);
}

Test(user, names_go_when_the_kernel_forgets_them)
{
	uint64_t number = look_up(7);
	struct node node;

	cr_assert_eq(look_up(7), number);
	node_forget(&server, number, 1);
	cr_assert_eq(node_find(&server, number, &node), 0);
	node_forget(&server, number, 1);
	cr_assert_eq(node_find(&server, number, &node), -ESTALE);
	node_forget(&server, number, 1);
	cr_assert_eq(names(), 0);
	cr_assert_eq(dir->user->question_count, 0);
}

/* Another server gives none that this one may have given. */
Test(user, numbers_of_names_are_not_given_twice)
{
	enum { COUNT = 70000 };

	for (unsigned i = 0; i < COUNT; i++)
		look_up(i);
	keep_commit(kept);
	server.questions.last = server.questions.reserved = 0;
	cr_assert_eq(kept_restore(&server), 0);
	cr_assert_geq(server.questions.last, COUNT);
}

/* Turns */

static unsigned calls_of_ann, calls_of_bob;

/* A turn's time, and more is to be done. */
static ssize_t work_long(struct request *request)
{
	uint64_t begin = loop_now();

	while (loop_now() - begin < 1100000)
		;
	calls_of_ann++;
	return request_wait(request, REQUEST_AGAIN);
}

static ssize_t work_shortly(struct request *request)
{
	calls_of_bob++;
	return request_wait(request, REQUEST_AGAIN);
}

static void wait_for_turn(struct request *request, struct handle *handle,
			  ssize_t (*work)(struct request *request))
{
	*request = (struct request){ .handle = handle, .work = work };
	link_init(&request->link);
	turns_add_request(handle->user, &request->link);
}

/* A user with a hundred long ones, and one who came last. */
Test(user, each_has_a_turn)
{
	enum { LONG = 100, ROUNDS = 40 };
	static struct request requests[LONG], bobs;
	struct handle *anns = open_as(&large_file, ANN);

	for (unsigned i = 0; i < LONG; i++)
		wait_for_turn(&requests[i], anns, work_long);
	wait_for_turn(&bobs, open_as(&large_file, BOB), work_shortly);
	for (unsigned i = 0; i < ROUNDS; i++)
		turns_take(&server);
	/* In each round one is called of each, or, if the round is over by then, in the next. */
	cr_expect_geq(calls_of_bob, ROUNDS / 2 - 1);
	cr_expect(calls_of_ann > 0 && calls_of_ann <= ROUNDS, "%u", calls_of_ann);
	for (unsigned i = 0; i < LONG; i++)
		link_remove(&requests[i].link);
	link_remove(&bobs.link);
}

/* What came in counts as well, for one round. */
Test(user, a_turn_is_over)
{
	struct user *ann = open_as(&large_file, ANN)->user, *bob = open_as(&large_file, BOB)->user;

	cr_expect(!turns_over(ann));
	turns_spend(ann, loop_now() - 5000000);
	cr_expect(turns_over(ann) && !turns_over(bob));
	turns_take(&server);
	cr_expect(!turns_over(ann));
}
