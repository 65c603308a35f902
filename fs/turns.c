/* SPDX-License-Identifier: MIT */
#include "turns.h"

#include "handle.h"
#include "request.h"
#include "server.h"
#include "user.h"

#include <loop.h>

#define ROUND_NS UINT64_C(4000000)
#define TURN_NS UINT64_C(1000000)

void turn_init(struct turn *turn)
{
	link_init(&turn->link);
	link_init(&turn->requests);
	link_init(&turn->wakes);
}

static bool has_work(const struct turn *turn)
{
	return !link_empty(&turn->requests) || !link_empty(&turn->wakes);
}

static void enlist(struct user *user)
{
	if (link_empty(&user->turn.link))
		link_append(&user->server->turns, &user->turn.link);
}

static void move_handle(struct user *user, struct handle *handle)
{
	link_remove(&handle->watch);
	link_append(&user->turn.wakes, &handle->watch);
	handle->due = true;
}

void turns_add(struct user *user, struct link *requests, struct link *watched)
{
	if (requests)
		link_splice(&user->turn.requests, requests);
	while (watched && !link_empty(watched))
		move_handle(user, link_owner(watched->next, struct handle, watch));
	if (has_work(&user->turn))
		enlist(user);
}

void turns_add_request(struct user *user, struct link *request)
{
	link_append(&user->turn.requests, request);
	enlist(user);
}

void turns_add_handle(struct handle *handle)
{
	struct user *user = handle_user(handle);
	if (!handle->polled)
		return;
	move_handle(user, handle);
	enlist(user);
}

bool turns_over(const struct user *user)
{
	return user->turn.round == user->server->round && user->turn.spent >= TURN_NS;
}

void turns_spend(struct user *user, uint64_t begin)
{
	struct turn *turn = &user->turn;
	if (turn->round != user->server->round)
		turn->spent = 0;
	turn->round = user->server->round;
	turn->spent += loop_now() - begin;
}

/* Each at most once: one that has more to do waits for the next round. Returns the time. */
static uint64_t take_one(struct user *user, uint64_t now)
{
	struct link requests, wakes;
	uint64_t begin = now;
	link_init(&requests);
	link_init(&wakes);
	link_splice(&requests, &user->turn.requests);
	link_splice(&wakes, &user->turn.wakes);
	while (now - begin < TURN_NS) {
		if (!link_empty(&wakes))
			handle_wake(link_owner(wakes.next, struct handle, watch));
		else if (!link_empty(&requests))
			request_retry(link_owner(requests.next, struct request, link));
		else
			break;
		now = loop_now();
	}
	link_splice(&requests, &user->turn.requests);
	link_splice(&user->turn.requests, &requests);
	link_splice(&wakes, &user->turn.wakes);
	link_splice(&user->turn.wakes, &wakes);
	return now;
}

void turns_take(struct server *server)
{
	struct link round;
	uint64_t now = loop_now(), end = now + ROUND_NS;
	link_init(&round);
	link_splice(&round, &server->turns);
	while (!link_empty(&round) && now < end) {
		struct user *user = link_owner(round.next, struct user, turn.link);
		link_remove(&user->turn.link);
		now = take_one(user, now);
		if (has_work(&user->turn))
			enlist(user);
	}
	link_splice(&round, &server->turns);
	link_splice(&server->turns, &round);
	server->round++;
}
