/* SPDX-License-Identifier: MIT */
/*
 * What one user has of the server: open files, the memory that these hold, and a turn of the one
 * thread. Each has a bound, so that no user costs the others more than that.
 *
 * Open files count for the user who opened them. Work on the files of a session counts for the
 * session's owner.
 */
#ifndef USER_H
#define USER_H

#include "feed.h"
#include "link.h"
#include "turns.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct handle;
struct server;

enum { USER_CHAINS = 256 };

/* The bounds of a user whom the ceiling does not bound, and of root. */
enum { USER_HANDLES = 32768, USER_BUFFERS = 4 << 20 };
/* Those of each user. */
enum { USER_LISTENERS = 1024, USER_QUESTIONS = 4096 };

struct user {
	struct server *server;
	struct user *next; /* in its chain */
	uid_t uid;
	unsigned references; /* of handles and directories */

	uint64_t handles, handles_max;
	size_t buffers, buffers_max; /* bytes that the handles hold */
	struct link texts;           /* handles that hold a text; the first is dropped first */
	struct ring ring;            /* of `events` */
	struct turn turn;

	struct link questions; /* that no file is open of; the first is forgotten first */
	unsigned question_count;
};

/* One more reference to it. 0 or -ENOMEM. */
int user_get(struct server *server, uid_t uid, struct user **out);
void user_unref(struct user *user);
/* NULL: this user has nothing here. */
struct user *user_find(const struct server *server, uid_t uid);

/* Of handles: 0 or -ENFILE. */
int user_may_open(const struct user *user);

/*
 * Takes so many bytes in place of `before`: 0, or -EDQUOT, and nothing has changed. Drops texts of
 * the user's to make room.
 */
int user_hold(struct user *user, size_t before, size_t after);

/* The handle's text had `before` bytes. Drops other texts of the user's to make room. */
void user_hold_text(struct handle *handle, size_t before);
/* The text was read: those that were read to their ends are dropped first. */
void user_text_read(struct handle *handle, bool to_its_end);

#endif
