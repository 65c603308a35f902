/* SPDX-License-Identifier: MIT */
/*
 * The server's side of `network names`: which relay (relay.h) a session has, its policy as it is
 * now, and what the relay tells of it.
 */
#ifndef NETWORK_H
#define NETWORK_H

#include "access.h"
#include "names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct helper_kind;
struct mimobox;
struct mimobox_session;
struct network_relay;

/* What a session of `network names` has for it, from its start on. */
struct session_network {
	struct mimobox_session *session;
	struct network_relay *relay;  /* NULL: it is not served */
	struct session_network *next; /* of the relay's */
	uint64_t policy, settled;     /* numbers of the last that was told, and is in force */
	bool closing;                 /* the relay was told of its end */
	uint64_t generation;          /* relays that it had */
	struct names_counters other;  /* of what no line is about */
	struct network_port {
		uint16_t number;
		bool bound; /* it has a name on the filesystem */
		int fd;     /* that listens; -1: not yet */
	} ports[ACCESS_PUBLISHED_MAX];
	unsigned port_count;
	struct network_question {
		char name[NAMES_NAME_MAX + 1];
		uint64_t due, place; /* in the text of `asks` */
	} * questions;               /* that wait for an answer */
	size_t question_count;
	char *asks; /* the text, from the byte `asks_base` on */
	size_t asks_size;
	uint64_t asks_base;
};

/* session.c, as the session's life goes */

/* It has started, or goes on: a relay serves it. */
void network_open(struct mimobox_session *session);
/* Its sandbox has ended. */
void network_close(struct mimobox_session *session);
void network_free(struct mimobox_session *session);

/* box.c */
void network_kind(struct helper_kind *kind);
void network_finish(struct mimobox *box);
/* When the binder is no more. */
void network_ports_finish(struct mimobox *box);

/* status.c */
void network_print_status(const struct mimobox_session *session, FILE *to);

/* session_keep.c and session_resume.c: what outlives the server. */
struct kept_network {
	uint64_t generation, asks_end;
	bool bound[ACCESS_PUBLISHED_MAX]; /* of the ports, in the order of config */
	struct names_counters other;
};
void network_keep(struct mimobox_session *session);
void network_keep_nothing(const struct mimobox_session *session);
int network_restore(struct mimobox_session *session);
int network_keep_ends(const struct mimobox_session *session);
/* The ends of its sandbox, at their new places. */
void network_take_ends(struct mimobox_session *session);

#endif
