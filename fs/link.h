/* SPDX-License-Identifier: MIT */
/* Intrusive doubly linked lists: a head is a link, and what is in no list is linked to itself. */
#ifndef LINK_H
#define LINK_H

#include <stdbool.h>
#include <stddef.h>

struct link {
	struct link *next, *previous;
};

static inline void *link_before(void *link, size_t offset)
{
	return (char *)link - offset;
}

/* The struct of `type` whose member `member` is `link`. */
#define link_owner(link, type, member) ((type *)link_before(link, offsetof(type, member)))

static inline void link_init(struct link *link)
{
	link->next = link->previous = link;
}

static inline bool link_empty(const struct link *head)
{
	return head->next == head;
}

static inline void link_append(struct link *head, struct link *link)
{
	link->next = head;
	link->previous = head->previous;
	head->previous->next = link;
	head->previous = link;
}

/* Harmless for what is in no list. */
static inline void link_remove(struct link *link)
{
	link->previous->next = link->next;
	link->next->previous = link->previous;
	link_init(link);
}

/* Moves all of `from` to the end of `to`. */
static inline void link_splice(struct link *to, struct link *from)
{
	if (link_empty(from))
		return;
	from->next->previous = to->previous;
	to->previous->next = from->next;
	from->previous->next = to;
	to->previous = from->previous;
	link_init(from);
}

#endif
