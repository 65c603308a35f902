/* SPDX-License-Identifier: MIT */
/* The relays, one for each user whose sessions have need of one, as the server sees them. */
#ifndef NETWORK_RELAY_H
#define NETWORK_RELAY_H

#include "network.h"
#include "relay.h"

/* The session is served from here on, now or when there is a relay. */
void network_relay_attach(struct session_network *network);
/* And no more: what happened before is still told, to the one who says so. */
void network_relay_detach(struct session_network *network);
void network_relay_publish(struct session_network *network, const struct network_port *port);
/* Nothing more is told of it. */
void network_relay_forget(struct session_network *network);
/* Its relay is replaced, and all that is open is cut. */
void network_relay_reset(struct session_network *network);
/* Whether the policy that was told last is in force, also because there is no relay. */
bool network_relay_is_settled(const struct session_network *network);
/* Its policy is another. */
void network_relay_tell_policy(struct session_network *network);

/* network.c: what a relay says of a session. */
void network_hear(struct session_network *network, const struct relay_word *word, char *text);

/* network_ports.c */
void network_ports_open(struct mimobox_session *session);
void network_ports_close(struct session_network *network);

#endif
