/* SPDX-License-Identifier: MIT */
#include "user.h"

#include "files.h"
#include "handle.h"
#include "kept.h"
#include "server.h"

#include <box.h>
#include <errno.h>
#include <stdlib.h>

static struct user **chain_of(const struct server *server, uid_t uid)
{
	return (struct user **)&server->users[uid % USER_CHAINS];
}

struct user *user_find(const struct server *server, uid_t uid)
{
	struct user *user = *chain_of(server, uid);
	while (user && user->uid != uid)
		user = user->next;
	return user;
}

int user_get(struct server *server, uid_t uid, struct user **out)
{
	struct user *user = user_find(server, uid);
	if (!user) {
		user = calloc(1, sizeof(*user));
		if (!user)
			return -ENOMEM;
		user->server = server;
		user->uid = uid;
		user->handles_max =
			mimobox_user_limit(server->box, uid, LIMIT_HANDLES, USER_HANDLES);
		user->buffers_max =
			mimobox_user_limit(server->box, uid, LIMIT_BUFFERS, USER_BUFFERS);
		link_init(&user->texts);
		ring_init(&user->ring);
		turn_init(&user->turn);
		link_init(&user->questions);
		user->next = *chain_of(server, uid);
		*chain_of(server, uid) = user;
	}
	user->references++;
	*out = user;
	return 0;
}

void user_unref(struct user *user)
{
	if (!user || --user->references > 0)
		return;
	struct user **at = chain_of(user->server, user->uid);
	while (*at != user)
		at = &(*at)->next;
	*at = user->next;
	link_remove(&user->turn.link);
	free(user);
}

int user_may_open(const struct user *user)
{
	return user->handles < user->handles_max ? 0 : -ENFILE;
}

/* Until the bytes are within the bound, or there is no other text than that one. */
static void make_room(struct user *user, size_t more, const struct handle *but)
{
	while (user->buffers + more > user->buffers_max && !link_empty(&user->texts)) {
		struct handle *oldest = link_owner(user->texts.next, struct handle, texts);
		if (oldest == but)
			break;
		file_drop_text(oldest);
	}
}

int user_hold(struct user *user, size_t before, size_t after)
{
	if (after > before) {
		make_room(user, after - before, NULL);
		if (user->buffers + (after - before) > user->buffers_max)
			return -EDQUOT;
	}
	user->buffers += after - before;
	return 0;
}

void user_hold_text(struct handle *handle, size_t before)
{
	struct user *user = handle->user;
	user->buffers += handle->text.size - before;
	link_remove(&handle->texts);
	if (handle->text.size == 0)
		return;
	link_append(&user->texts, &handle->texts);
	make_room(user, 0, handle);
}

void user_text_read(struct handle *handle, bool to_its_end)
{
	struct link *texts = &handle->user->texts;
	if (link_empty(&handle->texts))
		return;
	link_remove(&handle->texts);
	/* An element that is put behind the first place is the first. */
	link_append(to_its_end ? texts->next : texts, &handle->texts);
}
